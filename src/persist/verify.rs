//! Comparing a directory with its checksums.

use std::path::Path;
use std::sync::Arc;

use super::enter::judge_sums;
use super::format::{Header, HEADER_FILE};
use super::journal::{header_of, HeaderBytes, DATA_FILES, LENGTHS, LISTS, RECORDS, SUMS};
use super::recover::{overlay, read_header, Overlay};
use super::storage::{self, Access, OsStorage, Readable, Storage};
use super::sums::{self, record_sum, SumsHead, Trust, SUMS_FILE, SUMS_SIZE};
use crate::error::{corrupt, out_of_memory, Error, Result};
use crate::store::layout::MAX_LEVEL;

/// Bytes read at a time.
const CHUNK: usize = 1 << 20;

/// What a comparison found.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// Records there are.
    pub records: u64,
    /// Records whose checksums are known; all others were written by another program.
    pub checked: u64,
    /// Records that differ from their checksums.
    pub damaged: u64,
    /// The first damage.
    pub first: Option<Damage>,
}

/// A part of a file that differs from its checksum.
#[derive(Clone, Copy, Debug)]
pub struct Damage {
    /// Number of the file among a directory's, header.bin last.
    file: usize,
    /// Where the part starts.
    pub offset: u64,
    /// The record.
    pub record: u64,
}

impl Damage {
    /// The file's name.
    pub fn file(&self) -> &'static str {
        DATA_FILES.get(self.file).copied().unwrap_or(HEADER_FILE)
    }
}

impl Verified {
    /// An error that names the first damage, if there is any.
    pub(super) fn into_result(self) -> Result<Self> {
        let Some(damage) = self.first else { return Ok(self) };
        let (file, more) = (damage.file(), self.damaged.saturating_sub(1));
        let text = format!("{file}: record {} at byte {} differs from its checksum", damage.record, damage.offset);
        Err(corrupt(if more == 0 { text } else { format!("{text}, and {more} more records do") }))
    }

    fn note(&mut self, file: usize, offset: u64, record: u64) {
        self.first.get_or_insert(Damage { file, offset, record });
    }
}

/// Reads a file in order, in pieces.
struct Reader<'a> {
    file: &'a dyn Readable,
    len: u64,
    at: u64,
    buffer: Vec<u8>,
    used: usize,
}

impl<'a> Reader<'a> {
    fn new(file: &'a dyn Readable, at: u64) -> Result<Self> {
        Ok(Self { file, len: file.len()?, at, buffer: Vec::new(), used: 0 })
    }

    /// The next `len` bytes and where they start; None if the file ends before.
    fn next(&mut self, len: usize) -> Result<Option<(u64, &[u8])>> {
        let start = self.at - (self.buffer.len() - self.used) as u64;
        if start + len as u64 > self.len {
            return Ok(None);
        }
        if self.buffer.len() - self.used < len {
            self.buffer.drain(..self.used);
            self.used = 0;
            let old = self.buffer.len();
            let more = ((self.len - self.at) as usize).min(CHUNK.max(len - old));
            self.buffer.try_reserve(more).map_err(|_| out_of_memory("reading a file"))?;
            self.buffer.resize(old + more, 0);
            self.file.read_at(&mut self.buffer[old..], self.at)?;
            self.at += more as u64;
        }
        self.used += len;
        Ok(Some((start, &self.buffer[self.used - len..self.used])))
    }
}

/// Compares the files of a directory with its sums, which are worth it. The header was checked.
pub(super) fn compare(storage: &dyn Storage, path: &Path, header: &HeaderBytes) -> Result<Verified> {
    let open = |file: usize| storage::open(storage, &path.join(DATA_FILES[file]), Access::Read);
    let files = [open(RECORDS)?, open(LENGTHS)?, open(LISTS)?, open(SUMS)?];
    compare_files(&files.each_ref().map(|file| file.as_ref() as &dyn Readable), &header_of(header)?)
}

/// As [`compare`], for what a half-applied directory will hold.
pub(super) fn compare_overlay(overlay: &Overlay) -> Result<Verified> {
    let header = header_of(&overlay.header)?;
    let head = overlay.data[SUMS].first_chunk().and_then(SumsHead::from_bytes);
    if head.is_none_or(|head| head.header != overlay.header) {
        return Ok(Verified { records: header.count as u64, ..Verified::default() });
    }
    let files = overlay.data.each_ref().map(|bytes| Memory(bytes));
    compare_files(&files.each_ref().map(|file| file as &dyn Readable), &header)
}

fn compare_files(files: &[&dyn Readable; 4], header: &Header) -> Result<Verified> {
    let (layout, mut found) = (&header.layout, Verified::default());
    found.records = header.count as u64;
    let mut records = Reader::new(files[RECORDS], 0)?;
    let mut lengths = Reader::new(files[LENGTHS], 0)?;
    let mut lists = Reader::new(files[LISTS], 0)?;
    let mut all_sums = Reader::new(files[SUMS], sums::offset(0))?;
    let mut end_of_lists = false;
    for id in 0..header.count as u32 {
        let Some((_, expected)) = all_sums.next(SUMS_SIZE)? else { break };
        let expected: [u32; 3] =
            std::array::from_fn(|i| u32::from_le_bytes(std::array::from_fn(|byte| expected[4 * i + byte])));
        let record = records.next(layout.stride)?.map(|(at, bytes)| (at, record_sum(id, bytes, layout)));
        let length = lengths.next(4)?.map(|(at, bytes)| (at, sums::sum(id, [bytes, &[]])));
        let upper = if end_of_lists { None } else { list_sum(&mut lists, id, layout.upper_list())? };
        end_of_lists = upper.is_none();
        found.checked += u64::from(expected != [0; 3]);
        let before = found.first.is_some();
        let mut damaged = false;
        for (file, sum) in [(RECORDS, record), (LENGTHS, length), (LISTS, upper)] {
            if expected[file] != 0 && sum.is_none_or(|(_, sum)| sum != expected[file]) {
                damaged = true;
                if !before {
                    found.note(file, sum.map_or(0, |(at, _)| at), id.into());
                }
            }
        }
        found.damaged += u64::from(damaged);
    }
    Ok(found)
}

/// The sum of the next record's lists; None where they end too early, or their size is none: what follows has no place
/// then.
fn list_sum(lists: &mut Reader<'_>, id: u32, upper_list: usize) -> Result<Option<(u64, u32)>> {
    let Some((at, size)) = lists.next(4)? else { return Ok(None) };
    let size: [u8; 4] = std::array::from_fn(|i| size[i]);
    let len = u32::from_le_bytes(size) as usize;
    if !len.is_multiple_of(upper_list) || len / upper_list > MAX_LEVEL {
        return Ok(None);
    }
    let Some((_, bytes)) = lists.next(len)? else { return Ok(None) };
    Ok(Some((at, sums::sum(id, [&size, bytes]))))
}

/// A file that is in memory.
struct Memory<'a>(&'a [u8]);

/// Compares the directory at `path` with its checksums, as it is or, half-applied, as it will be.
pub fn verify(path: &Path) -> Result<Verified> {
    let storage: Arc<dyn Storage> = Arc::new(OsStorage);
    verify_in(storage.as_ref(), path)
}

pub(super) fn verify_in(storage: &dyn Storage, path: &Path) -> Result<Verified> {
    let file = match storage.open(&path.join(HEADER_FILE), Access::Read)? {
        Some(file) => file,
        None => return Err(Error::NotFound(format!("{} has no {HEADER_FILE}", path.display()).into())),
    };
    super::hold::lock_header(file.as_ref(), false, path)?;
    let bytes = read_header(file.as_ref())?.ok_or_else(|| corrupt(format!("{HEADER_FILE} is too short")))?;
    if let Some(overlay) = overlay(storage, path, &bytes)? {
        return compare_overlay(&overlay);
    }
    let judged = judge_sums(storage, path, &bytes)?;
    if let Some((_, Trust::Torn)) = judged {
        let mut found = Verified { damaged: 1, ..Verified::default() };
        found.note(DATA_FILES.len(), 0, 0);
        return Ok(found);
    }
    let header = header_of(&bytes)?;
    match judged {
        None | Some((_, Trust::None)) => Ok(Verified { records: header.count as u64, ..Verified::default() }),
        Some(_) => compare(storage, path, &bytes),
    }
}

impl Readable for Memory<'_> {
    fn len(&self) -> Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        let part = self.0.get(offset as usize..offset as usize + bytes.len());
        bytes.copy_from_slice(part.ok_or_else(|| corrupt(format!("{SUMS_FILE}: the files end too early")))?);
        Ok(())
    }
}
