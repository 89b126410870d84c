//! Opening an index: what is at the path, and how it is brought into memory.

use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use super::beside::adopt_codes;
use super::directory::Directory;
use super::enter::{enter, Entered, Intent};
use super::format::{Header, DIRECTORY_HEADER, HEADER, HEADER_FILE, LENGTHS_FILE, LISTS_FILE, RECORDS_FILE};
use super::holes;
use super::journal::{LENGTHS, LISTS, RECORDS};
use super::lists::Lists;
use super::read::{Parts, Placement, Source};
use super::storage::{io_error, OsStorage, Stamp, Storage};
use super::write::Format;
use crate::error::{corrupt, invalid, out_of_memory, Error, Result};
use crate::graph::Graph;
use crate::index::core::Core;
use crate::index::{Index, Traits};
use crate::params::{check_dim, Metric, MAX_RECORDS};
use crate::platform::{self, FileExt};

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
    let cosine = params.metric == Metric::Cosine;
    let intent = if params.read_only { Intent::Read } else { Intent::Write };
    let intent = (intent, params.check, params.mmap);
    let opened = load_graph(path, 4 * params.dim, cosine, intent, |header| Placement {
        needed: match params.max_elements {
            0 => header.count,
            wanted => wanted.max(header.count),
        },
        mmap: params.mmap,
        aligned: true,
        with_lengths: cosine,
        floats: true,
        check: params.check,
    })?;
    let (mut graph, mut opened) = opened.take_graph();
    let (header, mapped) = (opened.header, opened.mapped);
    let deleted = match opened.stamp.filter(|_| mapped) {
        Some(stamp) => adopt_codes(path, (&header, &stamp), graph.store_mut(), params)?,
        None => None,
    };
    let capacity = match params.max_elements {
        0 => header.max_elements.max(header.count),
        wanted => wanted.max(header.count),
    };
    let traits = Traits {
        metric: params.metric,
        ef_construction: header.ef_construction,
        max_elements: params.max_elements,
        allow_replace_deleted: params.allow_replace_deleted,
        read_only: params.read_only,
        mapped,
    };
    let index = Index::from_graph(graph, traits, capacity);
    if let Some(deleted) = deleted {
        index.set_deleted(deleted);
    }
    if !mapped {
        index.get_ready()?;
        index.renew_codes(0);
    }
    adopt_directory(index.core(), path, &mut opened, !params.read_only);
    Ok(index)
}

/// A graph from a file, and what the file said beside it.
pub(crate) struct Opened<G = Graph> {
    pub(crate) graph: G,
    pub(crate) header: Header,
    pub(crate) mapped: bool,
    pub(crate) format: Format,
    /// Of the file of records, where that is used as it is.
    stamp: Option<Stamp>,
    /// Of a directory.
    entered: Option<Entered>,
}

impl Opened {
    /// The graph apart from the rest.
    pub(crate) fn take_graph(self) -> (Graph, Opened<()>) {
        let Self { graph, header, mapped, format, stamp, entered } = self;
        (graph, Opened { graph: (), header, mapped, format, stamp, entered })
    }
}

/// Opens the graph at `path`, put into memory as `place` wants it. `lengths`: they are needed.
pub(crate) fn load_graph(
    path: &Path,
    vector_bytes: usize,
    lengths: bool,
    (intent, check, mmap): (Intent, Check, bool),
    place: impl FnOnce(&Header) -> Placement,
) -> Result<Opened> {
    let kind = path.metadata().map_err(|e| io_error("open", path, &e))?;
    if kind.is_dir() {
        return load_entered(path, vector_bytes, lengths, (intent, check, mmap), place);
    }
    if !kind.is_file() {
        return Err(invalid(format!("{} is neither a file nor a directory", path.display())));
    }
    load_file(path, vector_bytes, place)
}

/// Has an index that was opened from a directory persist there, or just keep what it needs of it.
pub(crate) fn adopt_directory(core: &Core, path: &Path, opened: &mut Opened<()>, writable: bool) {
    let Some(entered) = opened.entered.take() else { return };
    let (found, header_file) = entered.leave();
    if opened.mapped && !writable {
        core.keep(header_file);
    }
    if let Some(found) = found.filter(|_| writable) {
        core.store().dirty().enable();
        let directory = Directory::existing(Arc::new(OsStorage), path, &opened.header, core.store(), found);
        *crate::sync::lock(core.directory()) = Some(directory);
    }
}

/// A directory, once nobody writes it and it is in order.
fn load_entered(
    path: &Path,
    vector_bytes: usize,
    lengths: bool,
    (intent, check, mmap): (Intent, Check, bool),
    place: impl FnOnce(&Header) -> Placement,
) -> Result<Opened> {
    let storage: Arc<dyn Storage> = Arc::new(OsStorage);
    let entered = enter(&storage, path, intent, check, mmap)?;
    let opened = match &entered.overlay {
        None => load_directory(path, vector_bytes, lengths, |header| {
            let place = place(header);
            Placement { mmap: place.mmap && entered.still, ..place }
        }),
        Some(overlay) => {
            let [records, lengths_bytes, lists] = [RECORDS, LENGTHS, LISTS].map(|file| overlay.bytes(file));
            let buffers = Buffers { header: &overlay.header, records, lengths: lengths_bytes, lists };
            load_buffers(&buffers, vector_bytes, lengths, place)
        }
    }?;
    Ok(Opened { entered: Some(entered), ..opened })
}

fn load_file(path: &Path, vector_bytes: usize, place: impl FnOnce(&Header) -> Placement) -> Result<Opened> {
    let file = Input::open(path)?;
    let header = Header::from_bytes(&file.read(0, HEADER.min(file.len))?, vector_bytes);
    let header = header.map_err(|error| error.context("header"))?;
    let records_end = records_end(&header, HEADER, file.len)?;
    file.check_stored(HEADER, records_end)?;
    // The formats differ by the lengths between records and lists: the one that uses up the file is the one.
    let lengths_end = records_end + 4 * header.count;
    let lists = |offset: usize| file.lists(offset, header.count, header.layout.upper_list(), true);
    let (format, lengths, lists) = match lists(records_end) {
        Ok(lists) => (Format::Hnswlib, None, lists),
        Err(as_hnswlib) if lengths_end <= file.len => {
            let lists = lists(lengths_end).map_err(|as_chroma| {
                corrupt(format!("not an index of hnswlib ({as_hnswlib}), nor of Chroma ({as_chroma})"))
            })?;
            (Format::Chroma, Some(file.read(records_end, 4 * header.count)?), lists)
        }
        Err(error) => return Err(error),
    };
    let source = Source::File(&file.file, HEADER);
    let stamp = Some(file.stamp()?);
    let (graph, mapped) = Parts { header, source, lengths, lists }.into_graph(&place(&header))?;
    Ok(Opened { graph, header, mapped, format, stamp, entered: None })
}

fn load_directory(
    path: &Path,
    vector_bytes: usize,
    with_lengths: bool,
    place: impl FnOnce(&Header) -> Placement,
) -> Result<Opened> {
    let open = |name: &str| Input::open(&path.join(name));
    let header = open(HEADER_FILE)?;
    let header = Header::from_directory_bytes(&header.read(0, DIRECTORY_HEADER.min(header.len))?, vector_bytes)?;
    let (records, lengths, lists) = (open(RECORDS_FILE)?, open(LENGTHS_FILE)?, open(LISTS_FILE)?);
    let end = records_end(&header, 0, records.len).map_err(|e| e.context(RECORDS_FILE))?;
    records.check_stored(0, end).map_err(|e| e.context(RECORDS_FILE))?;
    let lengths = match with_lengths {
        true => Some(lengths.read(0, lengths_bytes(&header, lengths.len)?)?),
        false => None,
    };
    let lists = lists.lists(0, header.count, header.layout.upper_list(), false).map_err(|e| e.context(LISTS_FILE))?;
    let (source, stamp) = (Source::File(&records.file, 0), Some(records.stamp()?));
    let (graph, mapped) = Parts { header, source, lengths, lists }.into_graph(&place(&header))?;
    Ok(Opened { graph, header, mapped, format: Format::ChromaDirectory, stamp, entered: None })
}

/// The contents of a directory's files, in memory.
pub(crate) struct Buffers<'a> {
    pub(crate) header: &'a [u8],
    pub(crate) records: &'a [u8],
    pub(crate) lengths: &'a [u8],
    pub(crate) lists: &'a [u8],
}

/// As [`load_graph`] of a directory, from memory.
pub(crate) fn load_buffers(
    buffers: &Buffers<'_>,
    vector_bytes: usize,
    with_lengths: bool,
    place: impl FnOnce(&Header) -> Placement,
) -> Result<Opened> {
    let header = Header::from_directory_bytes(buffers.header, vector_bytes)?;
    records_end(&header, 0, buffers.records.len()).map_err(|e| e.context(RECORDS_FILE))?;
    let lengths = match with_lengths {
        true => Some(buffers.lengths[..lengths_bytes(&header, buffers.lengths.len())?].to_vec()),
        false => None,
    };
    let upper_list = header.layout.upper_list();
    let lists = Lists::read(buffers.lists, buffers.lists.len() as u64, u64::MAX, header.count, upper_list, false)
        .map_err(|e| e.context(LISTS_FILE))?;
    let source = Source::Bytes(buffers.records);
    let (graph, mapped) = Parts { header, source, lengths, lists }.into_graph(&place(&header))?;
    Ok(Opened { graph, header, mapped, format: Format::ChromaDirectory, stamp: None, entered: None })
}

/// Bytes of the lengths, which must be there.
fn lengths_bytes(header: &Header, len: usize) -> Result<usize> {
    if len / 4 < header.count {
        return Err(corrupt(format!("{LENGTHS_FILE}: {len} bytes for {} lengths", header.count)));
    }
    Ok(4 * header.count)
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
pub(super) struct Input {
    pub(super) file: File,
    pub(super) len: usize,
    path: Box<Path>,
}

impl Input {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let fail = |e: io::Error| io_error("open", path, &e);
        let regular = |kind: std::fs::Metadata| match kind.is_file() {
            true => Ok(kind.len()),
            false => Err(invalid(format!("{} is not a regular file", path.display()))),
        };
        // Looked at first, because opening a device does something to it; without blocking, because what has the name
        // may be a pipe by now.
        regular(path.metadata().map_err(fail)?)?;
        let file = platform::options(true).read(true).open(path).map_err(fail)?;
        let len = regular(file.metadata().map_err(fail)?)?;
        let len = usize::try_from(len).map_err(|_| corrupt(format!("{len} bytes")))?;
        Ok(Self { file, len, path: path.into() })
    }

    /// Tells one state of the file from another.
    pub(super) fn stamp(&self) -> Result<Stamp> {
        platform::stamp_of(&self.file).map_err(|e| io_error("look at", &self.path, &e))
    }

    /// `len` bytes from `offset` on.
    pub(super) fn read(&self, offset: usize, len: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).map_err(|_| out_of_memory("a part of a file"))?;
        bytes.resize(len, 0);
        self.read_into(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// Fills `bytes` from `offset` on.
    pub(super) fn read_into(&self, offset: usize, bytes: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(bytes, offset as u64).map_err(|e| self.failure(&e))
    }

    /// The link lists of `count` records from `offset` on; to the end of the file if `exact`.
    pub(super) fn lists(&self, offset: usize, count: usize, upper_list: usize, exact: bool) -> Result<Lists> {
        let most = holes::readable(&self.file, offset as u64, self.len as u64);
        let mut input = BufReader::with_capacity(1 << 20, &self.file);
        input.seek(SeekFrom::Start(offset as u64)).map_err(|e| self.failure(&e))?;
        let len = (self.len - offset) as u64;
        Lists::read(input, len, most, count, upper_list, exact)
    }

    /// Refuses to read `start..end` when nearly all of it is a hole.
    fn check_stored(&self, start: usize, end: usize) -> Result<()> {
        if (end - start) as u64 > holes::readable(&self.file, start as u64, end as u64) {
            return Err(corrupt(format!("{} bytes of records, nearly all of them a hole in the file", end - start)));
        }
        Ok(())
    }

    fn failure(&self, error: &io::Error) -> Error {
        Error::Io(format!("cannot read {}: {error}", self.path.display()).into())
    }
}
