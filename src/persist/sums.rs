//! Checksums of what is in a directory, `hnx.sums`: three for each record, updated in the same journal as the record.
//! A reader that does not know the file is not disturbed by it. Little-endian.
//!
//! | offset | what |
//! |---|---|
//! | 0 | magic, u64 sequence of the persist, header.bin's 100 bytes at 24, zeros to 128 |
//! | 128 | u64 total: see [`weight`]; u64 hash of the bytes before |
//! | 144 | the seal: four times the byte that says whether the writer is open, see [`MARKS`]; when header.bin and the three data files were changed last (i64 seconds, i64 nanoseconds each); u64 hash; the first four bytes again |
//! | 224 | u64 each: bytes of the three data files; u64 hash. Another hash: a libhnx has persisted that does not write them |
//! | 256 + 12 i | u32 each of record i: its links, vector and label; its length; its upper-level lists. 0: not known |
//!
//! Damage of this file is told from damage of the others: a flipped bit before 256 is one that makes the hash fit when
//! it is flipped back, and the total is that of the sums as they were written: when the sums of what is in the files
//! add up to it, the files are right and the sums are not.
//!
//! Sums are of what libhnx wrote: another writer changes files without them. What tells the two apart is the time of
//! the last change, see [`Trust`].

use std::path::Path;

use super::format::{DIRECTORY_HEADER, HEADER_FILE, LENGTHS_FILE, LISTS_FILE, RECORDS_FILE};
use super::hash::xxh64;
use super::journal::HeaderBytes;
use super::storage::{Access, Moment, Readable, Stamp, Storage};
use crate::error::Result;
use crate::store::layout::Layout;

/// Its name.
pub(super) const SUMS_FILE: &str = "hnx.sums";
/// Where the sums of record 0 are.
pub(super) const SUMS_START: usize = 256;
/// Bytes of a record's sums.
pub(super) const SUMS_SIZE: usize = 12;
/// Bytes of what is journalled of the head.
pub(super) const SUMS_HEAD: usize = 144;
const MAGIC: &[u8; 8] = b"HNXSUMS1";
const SEAL: usize = 80;
/// Where the bytes of the data files are told, and how many bytes that takes.
pub(super) const SUMS_LENS: usize = SUMS_HEAD + SEAL;
const LENS: usize = SUMS_START - SUMS_LENS;

/// Bytes of the sums of `count` records.
pub(super) fn len(count: usize) -> u64 {
    (SUMS_START + SUMS_SIZE * count) as u64
}

/// Where the sums of a record are.
pub(super) fn offset(id: u32) -> u64 {
    SUMS_START as u64 + SUMS_SIZE as u64 * u64::from(id)
}

/// The sum of a part of a record; never 0. It depends on the record: one in the place of another is noticed.
pub(super) fn sum(id: u32, parts: [&[u8]; 2]) -> u32 {
    let hash = parts.iter().fold(u64::from(id), |seed, part| xxh64(part, seed));
    ((hash ^ hash >> 32) as u32).max(1)
}

/// The sum of a record as it is in a file; the bytes between its parts do not count.
pub(super) fn record_sum(id: u32, record: &[u8], layout: &Layout) -> u32 {
    let links = layout.ground_list();
    sum(id, [&record[..links], &record[layout.vector..layout.label + 8]])
}

/// The sums of a record.
pub(super) fn numbers(sums: &[u8; SUMS_SIZE]) -> [u32; 3] {
    std::array::from_fn(|i| u32::from_le_bytes(std::array::from_fn(|byte| sums[4 * i + byte])))
}

/// Whether a sum that is told is the right one, or none, with a bit flipped. What is damaged has any other sum.
pub(super) fn is_flipped_sum(told: u32, right: u32) -> bool {
    (told ^ right).is_power_of_two() || told.is_power_of_two() && told != right
}

/// Whether a file begins as one of sums does.
pub(super) fn has_magic(bytes: &[u8; SUMS_START]) -> bool {
    bytes[..8] == *MAGIC
}

/// What the sums of a record add to the total.
pub(super) fn weight(id: u32, sums: &[u8; SUMS_SIZE]) -> u64 {
    if *sums == [0; SUMS_SIZE] {
        return 0;
    }
    xxh64(sums, u64::from(id))
}

/// Whether the sums of the first `count` records of a file of sums are those whose total was written. What is a hole in
/// it adds nothing and is passed over.
pub(super) fn add_up(file: &dyn Readable, head: &SumsHead, count: usize) -> Result<bool> {
    let whole = |at: u64| offset(0) + at.saturating_sub(offset(0)) / SUMS_SIZE as u64 * SUMS_SIZE as u64;
    let end = whole(file.len()?.min(len(count)));
    let (mut total, mut at, mut bytes) = (0u64, offset(0), Vec::new());
    while let Some(part) = file.stored_from(at)?.filter(|part| part.start < end) {
        at = whole(part.start).max(at);
        let stop = whole(part.end + SUMS_SIZE as u64 - 1).min(end);
        while at < stop {
            bytes.resize((stop - at).min(PIECE as u64) as usize, 0);
            file.read_at(&mut bytes, at)?;
            let first = ((at - offset(0)) / SUMS_SIZE as u64) as u32;
            for (id, sums) in (first..).zip(bytes.as_chunks().0) {
                total = total.wrapping_add(weight(id, sums));
            }
            at += bytes.len() as u64;
        }
    }
    Ok(total == head.total)
}

/// Bytes read at a time: of whole records.
const PIECE: usize = SUMS_SIZE << 16;

/// What the file says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SumsHead {
    pub(super) sequence: u64,
    pub(super) header: HeaderBytes,
    /// The weights of all records together: sums of different persists do not add up to it.
    pub(super) total: u64,
    pub(super) seal: Option<Seal>,
    /// Bytes of the three data files; None if that is not known.
    pub(super) lens: Option<[u64; 3]>,
    /// Where a bit is flipped in the file; here it is as it was.
    pub(super) flipped: Option<usize>,
}

/// What is noted once a persist is over. It is written without a sync: there may be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    /// Times of the last change of [`SEALED`].
    pub(super) times: [Moment; 4],
    /// A writer is at work, or was when it was killed, or when the file was copied.
    pub(super) open: bool,
}

/// The files whose times are sealed.
const SEALED: [&str; 4] = [HEADER_FILE, RECORDS_FILE, LENGTHS_FILE, LISTS_FILE];

impl SumsHead {
    /// Its bytes without seal and lengths.
    pub(super) fn to_bytes(self) -> [u8; SUMS_HEAD] {
        let mut bytes = [0; SUMS_HEAD];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[24..24 + DIRECTORY_HEADER].copy_from_slice(&self.header);
        bytes[SUMS_HEAD - 16..SUMS_HEAD - 8].copy_from_slice(&self.total.to_le_bytes());
        let hash = xxh64(&bytes[..SUMS_HEAD - 8], 0);
        bytes[SUMS_HEAD - 8..].copy_from_slice(&hash.to_le_bytes());
        bytes
    }

    /// From the start of the file; None if it is no such file.
    pub(super) fn from_bytes(bytes: &[u8; SUMS_START]) -> Option<Self> {
        let mut bytes = *bytes;
        let head = mend(&mut bytes[..SUMS_HEAD], |bytes| ends_with_hash(bytes, 0))?;
        if bytes[..8] != *MAGIC {
            return None;
        }
        let number = |bytes: &[u8], at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let hash = number(&bytes, SUMS_HEAD - 8);
        let seal = mend(&mut bytes[SUMS_HEAD..SUMS_LENS], |bytes| is_seal(bytes, hash));
        let lens = mend(&mut bytes[SUMS_LENS..], |bytes| ends_with_hash(bytes, hash));
        let number = |at: usize| number(&bytes, at);
        let moment = |at: usize| (number(SUMS_HEAD + at) as i64, number(SUMS_HEAD + at + 8) as i64);
        Some(Self {
            sequence: number(8),
            header: std::array::from_fn(|i| bytes[24 + i]),
            total: number(SUMS_HEAD - 16),
            seal: seal.map(|_| Seal {
                times: [0, 16, 32, 48].map(|at| moment(MARK + at)),
                open: MARKS[1].contains(&bytes[SUMS_LENS - 1]),
            }),
            lens: lens.map(|_| [0, 8, 16].map(|at| number(SUMS_LENS + at))),
            flipped: [(head, 0), (seal.flatten(), SUMS_HEAD), (lens.flatten(), SUMS_LENS)]
                .into_iter()
                .find_map(|(at, start)| Some(start + at?)),
        })
    }

    /// The bytes of a seal, which follow the head's.
    /// `before`: the last byte of what they take the place of.
    pub(super) fn seal_bytes(self, seal: Seal, before: u8) -> [u8; SEAL] {
        let numbers = seal.times.into_iter().flat_map(|(seconds, nanos)| [seconds, nanos]);
        let times: Vec<u8> = numbers.flat_map(i64::to_le_bytes).collect();
        let [mark, other] = MARKS[usize::from(seal.open)];
        seal_of(&times, if mark == before { other } else { mark }, self.hash())
    }

    /// The bytes of the lengths, which follow the seal's.
    pub(super) fn lens_bytes(self) -> [u8; LENS] {
        let mut bytes = [0; LENS];
        let Some(lens) = self.lens else { return bytes };
        for (at, len) in lens.into_iter().enumerate() {
            bytes[8 * at..8 * at + 8].copy_from_slice(&len.to_le_bytes());
        }
        let hash = xxh64(&bytes[..LENS - 8], self.hash());
        bytes[LENS - 8..].copy_from_slice(&hash.to_le_bytes());
        bytes
    }

    /// The hash of the head, from which the others are made: they do not fit another head.
    fn hash(self) -> u64 {
        let head = self.to_bytes();
        u64::from_le_bytes(std::array::from_fn(|i| head[SUMS_HEAD - 8 + i]))
    }
}

/// What the first and the last bytes of a seal are, each, once the writer is closed and while it is open. They are
/// never those of the seal before, from which they differ in four bits of each byte: a seal that was torn while it was
/// written, which it may be without a sync, is not taken for one with a flipped bit.
const MARKS: [[u8; 2]; 2] = [[0x0F, 0xF0], [0x33, 0xCC]];
const MARK: usize = 4;

fn seal_of(times: &[u8], mark: u8, seed: u64) -> [u8; SEAL] {
    let mut bytes = [mark; SEAL];
    let (content, hash) = bytes[..SEAL - MARK].split_at_mut(SEAL - MARK - 8);
    content[MARK..].copy_from_slice(times);
    hash.copy_from_slice(&xxh64(content, seed).to_le_bytes());
    bytes
}

/// Whether bytes are a seal. Its marks are looked at first: a torn one is tried with each bit flipped.
fn is_seal(bytes: &[u8], seed: u64) -> bool {
    let (mark, end) = (bytes[0], bytes.len() - MARK);
    MARKS.as_flattened().contains(&mark)
        && bytes[..MARK] == [mark; MARK]
        && bytes[end..] == [mark; MARK]
        && *bytes == seal_of(&bytes[MARK..end - 8], mark, seed)
}

/// Where the one bit is that has to be flipped for bytes to fit; it is flipped then.
pub(super) fn flip(bytes: &mut [u8], mut fits: impl FnMut(usize, &[u8]) -> bool) -> Option<usize> {
    for bit in 0..8 * bytes.len() {
        bytes[bit / 8] ^= 1 << (bit % 8);
        if fits(bit, bytes) {
            return Some(bit / 8);
        }
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    None
}

fn ends_with_hash(bytes: &[u8], seed: u64) -> bool {
    bytes.split_last_chunk().is_some_and(|(content, hash)| xxh64(content, seed) == u64::from_le_bytes(*hash))
}

/// Looks whether bytes fit, and flips a bit back where that is all that is wrong; where.
fn mend(bytes: &mut [u8], fits: impl Fn(&[u8]) -> bool) -> Option<Option<usize>> {
    if fits(bytes) {
        return Some(None);
    }
    flip(bytes, |_, bytes| fits(bytes)).map(Some)
}

/// What the sums of a directory are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Nothing: another program has written the directory since.
    None,
    /// As None, but the header is the same: perhaps it was not a program that meant to.
    Doubtful,
    /// All of it, and the files are those that libhnx wrote last.
    Untouched,
    /// All of it, but files were changed or copied since: they are to be compared.
    Compare,
    /// The files cannot belong together: a copy that was taken while a writer was at work.
    Torn,
}

/// What the sums are worth, from their head, the header there is and the times of files.
///
/// hnx.sums is given header.bin's time after each persist, so its own time tells whether it was copied since. If it was
/// not, and all four other files have other times than sealed, another program persisted (Chroma writes all of them
/// each time). In a copy times say nothing: there the header that the sums belong to decides.
pub(super) fn trust(head: &SumsHead, header: &HeaderBytes, stamps: &[(&str, Stamp)]) -> Trust {
    let time = |name: &str| stamps.iter().find(|(other, _)| *other == name).map(|(_, stamp)| stamp.modified);
    // Archives keep seconds only.
    let same = |time: Option<Moment>, sealed: Moment| time.is_some_and(|t| t == sealed || t == (sealed.0, 0));
    if let Some(seal) = head.seal.filter(|seal| same(time(SUMS_FILE), seal.times[0])) {
        let kept = SEALED.iter().zip(seal.times).filter(|(name, sealed)| same(time(name), *sealed)).count();
        return match kept {
            0 if *header == head.header => Trust::Doubtful,
            0 if !is_flip(header, &head.header, stamps) => Trust::None,
            _ if *header != head.header => Trust::Torn,
            4 => Trust::Untouched,
            _ => Trust::Compare,
        };
    }
    if is_flip(header, &head.header, stamps) {
        return Trust::Torn;
    }
    match (*header == head.header, head.seal.is_none_or(|seal| seal.open)) {
        (true, _) => Trust::Compare,
        (false, true) => Trust::Torn,
        (false, false) => Trust::None,
    }
}

/// Whether a header is another with one bit flipped. A writer that adds one record may change one bit of the count,
/// too, but then there is one record more.
pub(super) fn is_flip(header: &HeaderBytes, known: &HeaderBytes, stamps: &[(&str, Stamp)]) -> bool {
    let bits: u32 = header.iter().zip(known).map(|(a, b)| (a ^ b).count_ones()).sum();
    let number = |bytes: &HeaderBytes, at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
    let (count, stride) = (number(header, 20), number(header, 28));
    let added = count > number(known, 20)
        && stamps.iter().any(|(name, stamp)| {
            *name == RECORDS_FILE && count.checked_mul(stride).is_some_and(|needed| needed <= stamp.len)
        });
    bits == 1 && !added
}

/// The file of a directory's sums, as far as it can be read.
pub(super) enum SumsFile {
    Missing,
    /// It has no head. `torn`: perhaps because it was read while it was written.
    Lost {
        torn: bool,
    },
    Read(Box<SumsHead>),
}

/// Reads the head of a directory's sums.
pub(super) fn read_head(storage: &dyn Storage, path: &Path) -> Result<SumsFile> {
    let Some(file) = storage.open(&path.join(SUMS_FILE), Access::Read)? else { return Ok(SumsFile::Missing) };
    let mut bytes = [0; SUMS_START];
    let read = (bytes.len() as u64).min(file.len()?) as usize;
    file.read_at(&mut bytes[..read], 0)?;
    Ok(SumsHead::from_bytes(&bytes)
        .map_or(SumsFile::Lost { torn: has_magic(&bytes) }, |head| SumsFile::Read(Box::new(head))))
}
