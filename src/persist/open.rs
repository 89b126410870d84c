//! Opening an index: what is at the path, and how it is brought into memory.

use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::directory::Directory;
use super::format::{Header, DIRECTORY_HEADER, HEADER, HEADER_FILE, LENGTHS_FILE, LISTS_FILE, RECORDS_FILE};
use super::lists::Lists;
use super::read::{Parts, Source};
use super::storage::io_error;
use crate::error::{corrupt, invalid, out_of_memory, Error, Result};
use crate::index::{Index, Traits};
use crate::params::{check_dim, Metric, MAX_RECORDS};

/// How much of a file is looked at when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Every link, unless the file is mapped.
    Default,
    /// Header, sizes, levels, entry point.
    Fast,
    /// Everything, vectors included.
    Deep,
}

impl Check {
    /// From the number C uses.
    pub fn from_number(number: u32) -> Result<Self> {
        match number {
            0 => Ok(Self::Default),
            1 => Ok(Self::Fast),
            2 => Ok(Self::Deep),
            _ => Err(invalid(format!("check {number} is unknown"))),
        }
    }
}

/// How to open an index.
#[derive(Clone, Copy, Debug)]
pub struct LoadParams {
    /// How distance is measured; files do not say.
    pub metric: Metric,
    /// Floats per vector; files do not say, but contradict.
    pub dim: usize,
    /// Capacity; 0: as stored, and growing on demand.
    pub max_elements: usize,
    /// Whether new vectors may take the place of deleted ones.
    pub allow_replace_deleted: bool,
    /// Map the records instead of reading them.
    pub mmap: bool,
    /// Refuse all changes.
    pub read_only: bool,
    /// What to check.
    pub check: Check,
}

/// Opens whatever is at `path`.
pub fn load(path: &Path, params: &LoadParams) -> Result<Index> {
    check_dim(params.dim)?;
    if params.max_elements > MAX_RECORDS {
        return Err(invalid(format!("max_elements {} is over {MAX_RECORDS}", params.max_elements)));
    }
    let kind = path.metadata().map_err(|e| io_error("open", path, &e))?;
    if kind.is_dir() {
        return load_directory(path, params);
    }
    if !kind.is_file() {
        return Err(invalid(format!("{} is neither a file nor a directory", path.display())));
    }
    load_file(path, params)
}

fn load_file(path: &Path, params: &LoadParams) -> Result<Index> {
    let file = Input::open(path)?;
    let header = Header::from_bytes(&file.read(0, HEADER.min(file.len))?, params.dim)?;
    let records_end = records_end(&header, HEADER, file.len)?;
    // The formats differ by the lengths between records and lists: the one that uses up the file is the one.
    let lengths_end = records_end + 4 * header.count;
    let (lengths, lists) = match file.lists(records_end, &header, true) {
        Ok(lists) => (None, lists),
        Err(as_hnswlib) if lengths_end <= file.len => {
            let lists = file.lists(lengths_end, &header, true).map_err(|as_chroma| {
                let hint = format!("not an index of hnswlib ({as_hnswlib}), nor of Chroma ({as_chroma})");
                corrupt(hint).context(path.display())
            })?;
            (Some(file.read(records_end, 4 * header.count)?), lists)
        }
        Err(error) => return Err(error),
    };
    let source = Source { file: &file.file, offset: HEADER };
    Parts { header, source, lengths: lengths.as_deref(), lists: &lists }.into_index(params)
}

fn load_directory(path: &Path, params: &LoadParams) -> Result<Index> {
    let open = |name: &str| Input::open(&path.join(name));
    let header = open(HEADER_FILE)?;
    let header = Header::from_directory_bytes(&header.read(0, DIRECTORY_HEADER.min(header.len))?, params.dim)?;
    let (records, lengths, lists) = (open(RECORDS_FILE)?, open(LENGTHS_FILE)?, open(LISTS_FILE)?);
    records_end(&header, 0, records.len).map_err(|e| e.context(RECORDS_FILE))?;
    let lengths = if params.metric == Metric::Cosine {
        if lengths.len / 4 < header.count {
            return Err(corrupt(format!("{LENGTHS_FILE}: {} bytes for {} lengths", lengths.len, header.count)));
        }
        Some(lengths.read(0, 4 * header.count)?)
    } else {
        None
    };
    let lists = lists.lists(0, &header, false)?;
    let source = Source { file: &records.file, offset: 0 };
    let index = Parts { header, source, lengths: lengths.as_deref(), lists: &lists }.into_index(params)?;
    if !params.read_only {
        index.store().dirty().enable();
        let directory = Directory::existing(path, header.layout, index.store()).with_header(header);
        *crate::sync::lock(index.directory()) = Some(directory);
    }
    Ok(index)
}

/// Where the records end, which must be inside the file.
fn records_end(header: &Header, start: usize, len: usize) -> Result<usize> {
    let end = header.count.checked_mul(header.layout.stride).and_then(|n| n.checked_add(start));
    end.filter(|end| *end <= len).ok_or_else(|| {
        let stride = header.layout.stride;
        corrupt(format!("{} records of {stride} bytes do not fit into {len} bytes", header.count))
    })
}

/// A file to be read from.
struct Input {
    file: File,
    len: usize,
    path: Box<Path>,
}

impl Input {
    fn open(path: &Path) -> Result<Self> {
        let fail = |e: io::Error| io_error("open", path, &e);
        let kind = path.metadata().map_err(fail)?;
        if !kind.is_file() {
            return Err(invalid(format!("{} is not a regular file", path.display())));
        }
        let file = File::open(path).map_err(fail)?;
        let len = file.metadata().map_err(fail)?.len();
        let len = usize::try_from(len).map_err(|_| corrupt(format!("{len} bytes")))?;
        Ok(Self { file, len, path: path.into() })
    }

    /// `len` bytes from `offset` on.
    fn read(&self, offset: usize, len: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).map_err(|_| out_of_memory("a part of a file"))?;
        bytes.resize(len, 0);
        self.file.read_exact_at(&mut bytes, offset as u64).map_err(|e| self.failure(&e))?;
        Ok(bytes)
    }

    /// The link lists from `offset` on; to the end of the file if `exact`.
    fn lists(&self, offset: usize, header: &Header, exact: bool) -> Result<Lists> {
        let mut input = BufReader::with_capacity(1 << 20, &self.file);
        input.seek(SeekFrom::Start(offset as u64)).map_err(|e| self.failure(&e))?;
        let len = (self.len - offset) as u64;
        Lists::read(input, len, header.count, header.layout.upper_list(), exact)
    }

    fn failure(&self, error: &io::Error) -> Error {
        Error::Io(format!("cannot read {}: {error}", self.path.display()).into())
    }
}

impl Traits {
    /// Of an index opened with `params`.
    pub(super) fn of(params: &LoadParams, mapped: bool) -> Self {
        Self {
            metric: params.metric,
            max_elements: params.max_elements,
            allow_replace_deleted: params.allow_replace_deleted,
            read_only: params.read_only,
            mapped,
        }
    }
}
