//! Comparing a directory with its checksums.

use std::ffi::CStr;
use std::path::Path;

use super::enter::judge_sums;
use super::format::{Header, HEADER_FILE};
use super::journal::{header_of, HeaderBytes, DATA_FILES, LENGTHS, LISTS, RECORDS, SUMS};
use super::recover::{overlay, read_header, Overlay};
use super::storage::{Access, OsStorage, Readable, Storage};
use super::sums::{self, record_sum, SumsHead, Trust, SUMS_FILE, SUMS_SIZE};
use crate::error::{corrupt, out_of_memory, Error, Result};
use crate::store::layout::{DELETED, MAX_LEVEL};

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
    pub fn file_name(&self) -> &'static CStr {
        [c"data_level0.bin", c"length.bin", c"link_lists.bin", c"hnx.sums", c"header.bin"][self.file.min(4)]
    }
}

impl Verified {
    /// An error that names the first damage, if there is any.
    pub fn into_result(self) -> Result<Self> {
        let Some(damage) = self.first else { return Ok(self) };
        let (file, more) = (damage.file_name().to_string_lossy(), self.damaged.saturating_sub(1));
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

impl Reader<'_> {
    /// Goes back by bytes that came last.
    fn back(&mut self, len: usize) {
        self.used -= len;
    }
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

/// Compares the files of a directory with its sums. The header was checked. `total`: of the sums; None when another
/// program may have written the files: it does not flip single bits, but for the deleted mark.
pub(super) fn compare(
    storage: &dyn Storage,
    path: &Path,
    header: &HeaderBytes,
    total: Option<u64>,
) -> Result<Verified> {
    let open = |file: usize| {
        let path = path.join(DATA_FILES[file]);
        let absent = || Error::NotFound(format!("{} is not there", path.display()).into());
        storage.open(&path, Access::Read)?.ok_or_else(absent)
    };
    let files = [open(RECORDS)?, open(LENGTHS)?, open(LISTS)?, open(SUMS)?];
    let files = files.each_ref().map(|file| file.as_ref() as &dyn Readable);
    compare_files(&files, &header_of(header)?, total)
}

/// As [`compare`], for what a half-applied directory will hold.
pub(super) fn compare_overlay(overlay: &Overlay) -> Result<Verified> {
    let header = header_of(&overlay.header)?;
    let head = overlay.data[SUMS].first_chunk().and_then(SumsHead::from_bytes);
    if head.is_none_or(|head| head.header != overlay.header) {
        return Ok(Verified { records: header.count as u64, ..Verified::default() });
    }
    let files = overlay.data.each_ref().map(|bytes| Memory(bytes));
    compare_files(&files.each_ref().map(|file| file as &dyn Readable), &header, head.map(|head| head.total))
}

fn compare_files(files: &[&dyn Readable; 4], header: &Header, total: Option<u64>) -> Result<Verified> {
    let (layout, mut found, mut sum_of_weights) = (&header.layout, Verified::default(), 0u64);
    found.records = header.count as u64;
    let mut records = Reader::new(files[RECORDS], 0)?;
    let mut lengths = Reader::new(files[LENGTHS], 0)?;
    let mut lists = Reader::new(files[LISTS], 0)?;
    let mut all_sums = Reader::new(files[SUMS], sums::offset(0))?;
    let mut end_of_lists = false;
    for id in 0..header.count as u32 {
        let Some((_, expected)) = all_sums.next(SUMS_SIZE)? else { break };
        let entry: [u8; SUMS_SIZE] = std::array::from_fn(|i| expected[i]);
        sum_of_weights = sum_of_weights.wrapping_add(sums::weight(id, &entry));
        let expected: [u32; 3] =
            std::array::from_fn(|i| u32::from_le_bytes(std::array::from_fn(|byte| expected[4 * i + byte])));
        found.checked += u64::from(expected != [0; 3]);
        let upper = if end_of_lists { None } else { next_lists(&mut lists, layout.upper_list())? };
        end_of_lists = upper.is_none();
        let parts = [records.next(layout.stride)?, lengths.next(4)?, upper];
        let sum = |file: usize, bytes: &[u8]| match file {
            RECORDS => record_sum(id, bytes, layout),
            _ => sums::sum(id, [bytes, &[]]),
        };
        let differs =
            |file: &usize| expected[*file] != 0 && parts[*file].is_none_or(|(_, b)| sum(*file, b) != expected[*file]);
        let Some(file) = (0..3).find(differs) else { continue };
        let whole =
            |(_, bytes): (u64, &[u8])| !flips_one_bit(bytes, file == RECORDS, |b| sum(file, b) == expected[file]);
        if total.is_none() && parts[file].is_some_and(whole) {
            return Ok(Verified { records: found.records, ..Verified::default() });
        }
        found.damaged += 1;
        found.note(file, parts[file].map_or(0, |(at, _)| at), id.into());
    }
    if found.first.is_none() && total.is_some_and(|total| total != sum_of_weights) {
        found.damaged = 1; // each record is itself, but not of the same persist as the others
        found.note(SUMS, 0, 0);
    }
    Ok(found)
}

/// Whether `fits` is true of the bytes with one bit of them flipped; the deleted mark of a record does not count.
fn flips_one_bit(bytes: &[u8], record: bool, fits: impl Fn(&[u8]) -> bool) -> bool {
    let mut bytes = bytes.to_vec();
    (0..8 * bytes.len()).filter(|bit| !(record && *bit == DELETED.trailing_zeros() as usize)).any(|bit| {
        bytes[bit / 8] ^= 1 << (bit % 8);
        let fits = fits(&bytes);
        bytes[bit / 8] ^= 1 << (bit % 8);
        fits
    })
}

/// The next record's size and lists; None where they end too early, or their size is none: what follows has no place
/// then.
fn next_lists<'a>(lists: &'a mut Reader<'_>, upper_list: usize) -> Result<Option<(u64, &'a [u8])>> {
    let Some((_, size)) = lists.next(4)? else { return Ok(None) };
    let len = size.iter().rev().fold(0, |len, byte| len << 8 | usize::from(*byte));
    if !len.is_multiple_of(upper_list) || len / upper_list > MAX_LEVEL {
        return Ok(None);
    }
    lists.back(4);
    lists.next(4 + len)
}

/// A file that is in memory.
struct Memory<'a>(&'a [u8]);

/// Compares the directory at `path` with its checksums, as it is or, half-applied, as it will be.
pub fn verify(path: &Path) -> Result<Verified> {
    let storage = &OsStorage;
    let file = match storage.open(&path.join(HEADER_FILE), Access::Read)? {
        Some(file) => file,
        None => return Err(Error::NotFound(format!("{} has no {HEADER_FILE}", path.display()).into())),
    };
    super::hold::lock_header(file.as_ref(), false, path)?;
    let bytes = read_header(file.as_ref())?.ok_or_else(|| corrupt(format!("{HEADER_FILE} is too short")))?;
    if let Some(overlay) = overlay(storage, path, &bytes)? {
        return compare_overlay(&overlay);
    }
    let header = header_of(&bytes)?;
    let judged = judge_sums(storage, path, &bytes)?;
    if let Some((_, Trust::Torn)) = judged {
        let mut found = Verified { damaged: 1, ..Verified::default() };
        found.note(DATA_FILES.len(), 0, 0);
        return Ok(found);
    }
    match judged {
        None | Some((_, Trust::None)) => Ok(Verified { records: header.count as u64, ..Verified::default() }),
        Some((head, trust)) => compare(storage, path, &bytes, (trust != Trust::Doubtful).then_some(head.total)),
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
