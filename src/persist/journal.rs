//! The redo journal, `hnx.journal`: what a persist is about to do, complete and on the device before any file of the
//! directory changes. Little-endian.
//!
//! | offset | what |
//! |---|---|
//! | 0 | the head: see [`Head`]; zeros when the journal is retired |
//! | 512 | id of the process that holds the directory, as text |
//! | 1024 | the body: changed ranges, each `u64 offset, u32 length, u32 file`, the bytes, padding to 8 |
//!
//! The journal is as hostile as any other file: nothing of it is used before both checksums agree and every range lies
//! inside what its headers allow. No path is read from it.

use super::format::{Header, DIRECTORY_HEADER, HEADER_FILE, LENGTHS_FILE, LISTS_FILE, RECORDS_FILE};
use super::hash::xxh64;
use super::storage::{self, StorageFile};
use super::sums::{self, SUMS_FILE};
use crate::error::{corrupt, out_of_memory, Result};
use crate::store::layout::MAX_LEVEL;

/// Its name.
pub(super) const JOURNAL_FILE: &str = "hnx.journal";
/// The files that it speaks of, by number.
pub(super) const DATA_FILES: [&str; 4] = [RECORDS_FILE, LENGTHS_FILE, LISTS_FILE, SUMS_FILE];
/// Numbers of [`DATA_FILES`].
pub(super) const RECORDS: usize = 0;
pub(super) const LENGTHS: usize = 1;
pub(super) const LISTS: usize = 2;
pub(super) const SUMS: usize = 3;

/// Bytes of the head.
pub(super) const HEAD: usize = 512;
/// Where the body starts.
pub(super) const BODY: usize = 1024;
const MAGIC: &[u8; 8] = b"HNXJRNL1";
/// Bytes before a range's own.
const RANGE: usize = 16;
/// A range does not get longer.
const LONGEST: usize = 1 << 30;

/// Bytes of `header.bin`.
pub(super) type HeaderBytes = [u8; DIRECTORY_HEADER];

/// How a persist goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Ranges of files are overwritten.
    Changes = 1,
    /// Whole files, ready under a second name, take the place of others.
    Replacement = 2,
    /// A directory that is only a directory of an index once it has a header.
    Creation = 3,
}

/// What the journal says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    /// Binds body and poisoned header to this head.
    pub(super) nonce: u64,
    /// Persists of the directory, this one included.
    pub(super) sequence: u64,
    pub(super) body_len: u64,
    pub(super) body_hash: u64,
    /// Bytes of each file before and after.
    pub(super) before: [u64; 4],
    pub(super) after: [u64; 4],
    pub(super) header_before: HeaderBytes,
    pub(super) header_after: HeaderBytes,
}

impl Head {
    /// Its bytes.
    pub(super) fn to_bytes(self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        let mut at = 0;
        let mut put = |part: &[u8]| {
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        };
        put(MAGIC);
        let numbers = [self.kind as u64, self.nonce, self.sequence, self.body_len, self.body_hash];
        numbers.iter().chain(&self.before).chain(&self.after).for_each(|number| put(&number.to_le_bytes()));
        put(&self.header_before);
        put(&self.header_after);
        let hash = xxh64(&bytes[..HEAD - 8], 0);
        bytes[HEAD - 8..].copy_from_slice(&hash.to_le_bytes());
        bytes
    }

    /// From its bytes; None if they are no head.
    pub(super) fn from_bytes(bytes: &[u8; HEAD]) -> Option<Self> {
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        if bytes[..8] != *MAGIC || number(HEAD - 8) != xxh64(&bytes[..HEAD - 8], 0) {
            return None;
        }
        let kind = [Kind::Changes, Kind::Replacement, Kind::Creation].into_iter().find(|k| *k as u64 == number(8))?;
        Some(Self {
            kind,
            nonce: number(16),
            sequence: number(24),
            body_len: number(32),
            body_hash: number(40),
            before: std::array::from_fn(|i| number(48 + 8 * i)),
            after: std::array::from_fn(|i| number(80 + 8 * i)),
            header_before: std::array::from_fn(|i| bytes[112 + i]),
            header_after: std::array::from_fn(|i| bytes[112 + DIRECTORY_HEADER + i]),
        })
    }

    /// What header.bin holds while files change: a version that no reader accepts, and bytes that make no mixture of it
    /// with a true header pass for one.
    pub(super) fn poison(&self) -> HeaderBytes {
        let mut bytes = [0xFF; DIRECTORY_HEADER];
        bytes[..4].copy_from_slice(b"JRNL");
        bytes[4..12].copy_from_slice(&self.nonce.to_le_bytes());
        bytes[12..16].copy_from_slice(&(xxh64(&self.nonce.to_le_bytes(), 0) as u32).to_le_bytes());
        bytes
    }
}

/// A journal that is complete.
pub(super) struct Journal {
    pub(super) head: Head,
    body: Vec<u8>,
}

/// A range to be written.
pub(super) struct Range<'a> {
    pub(super) file: usize,
    pub(super) offset: u64,
    pub(super) bytes: &'a [u8],
}

impl Journal {
    /// Reads a journal; None if there is none, or one that was not completed: then nothing of it was done yet.
    pub(super) fn read(file: &dyn StorageFile) -> Result<Option<Self>> {
        let len = file.len()?;
        if len < BODY as u64 {
            return Ok(None);
        }
        let mut head = [0; HEAD];
        file.read_at(&mut head, 0)?;
        let most = file.readable()?.min(len - BODY as u64);
        let Some(head) = Head::from_bytes(&head).filter(|head| head.body_len <= most) else {
            return Ok(None);
        };
        let body = storage::read(file, BODY as u64, head.body_len)?;
        Ok((xxh64(&body, head.nonce) == head.body_hash).then_some(Self { head, body }))
    }

    /// Whether a head stands in the file, damaged or not.
    pub(super) fn is_live(file: &dyn StorageFile) -> Result<bool> {
        if file.len()? < HEAD as u64 {
            return Ok(false);
        }
        let mut start = [0; 8];
        file.read_at(&mut start, 0)?;
        Ok(start != [0; 8])
    }

    /// Everything that will be done, checked: each range lies where its file may reach.
    pub(super) fn ranges(&self) -> Result<Vec<Range<'_>>> {
        let bounds = self.bounds()?;
        let mut ranges = Vec::new();
        let mut rest = &self.body[..];
        while !rest.is_empty() {
            let bad = || corrupt(format!("{JOURNAL_FILE}: the range at byte {}", BODY + self.body.len() - rest.len()));
            let (start, after) = rest.split_first_chunk::<RANGE>().ok_or_else(bad)?;
            let number = u128::from_le_bytes(*start);
            let (offset, len, file) = (number as u64, (number >> 64) as u32 as usize, (number >> 96) as usize);
            let end = offset.checked_add(len as u64).ok_or_else(bad)?;
            if file >= DATA_FILES.len() || len > LONGEST || after.len() < len.next_multiple_of(8) || end > bounds[file]
            {
                return Err(bad());
            }
            ranges.try_reserve(1).map_err(|_| out_of_memory("the journal"))?;
            ranges.push(Range { file, offset, bytes: &after[..len] });
            rest = &after[len.next_multiple_of(8)..];
        }
        Ok(ranges)
    }

    /// How long each file may get: as long as the records of the header need, or as long as it was.
    fn bounds(&self) -> Result<[u64; 4]> {
        let (head, needed) = (&self.head, self.needed()?);
        Ok(std::array::from_fn(|file| head.after[file].min(needed[file].max(head.before[file]))))
    }

    /// How long each file is at most for the records of the header; it may be longer, with bytes that mean nothing.
    pub(super) fn needed(&self) -> Result<[u64; 4]> {
        let header = header_of(&self.head.header_after)?;
        let count = header.count as u64;
        let lists = 4 + (MAX_LEVEL * header.layout.upper_list()) as u64;
        Ok([count * header.layout.stride as u64, 4 * count, count * lists, sums::len(header.count)])
    }
}

/// The header in bytes that must hold one; its vectors are as long as it says.
pub(super) fn header_of(bytes: &HeaderBytes) -> Result<Header> {
    let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
    let vector = number(36).checked_sub(number(44)).and_then(|bytes| usize::try_from(bytes).ok());
    let vector = vector.filter(|bytes| *bytes <= 1 << 24);
    let vector = vector.ok_or_else(|| corrupt(format!("{HEADER_FILE}: a label before its vector")))?;
    Header::from_directory_bytes(bytes, vector)
}

/// Ranges being collected.
#[derive(Default)]
pub(super) struct Changes {
    /// Of each file, in the journal's form, without the padding of the last one.
    bodies: [Vec<u8>; 4],
    /// Where the last range of each file starts in its body, and where it ends in the file.
    last: [Option<(usize, u64)>; 4],
    /// Where the farthest range of each file ends.
    ends: [u64; 4],
    /// Bytes of ranges.
    pub(super) bytes: u64,
}

impl Changes {
    /// Appends what belongs at `offset` of a file.
    pub(super) fn put(&mut self, file: usize, offset: u64, write: impl FnOnce(&mut Vec<u8>)) {
        let body = &mut self.bodies[file];
        let start = match self.last[file] {
            Some((start, end)) if end == offset && body.len() - start < LONGEST / 2 => start,
            _ => {
                body.resize(body.len().next_multiple_of(8), 0);
                body.extend_from_slice(&offset.to_le_bytes());
                body.extend_from_slice(&(file as u64).to_be_bytes());
                body.len() - RANGE
            }
        };
        let before = body.len();
        write(body);
        let added = (body.len() - before) as u64;
        let len = body.len() - start - RANGE;
        body[start + 8..start + 12].copy_from_slice(&(len as u32).to_le_bytes());
        body[start + 12..start + 16].copy_from_slice(&(file as u32).to_le_bytes());
        self.last[file] = Some((start, offset + added));
        self.ends[file] = self.ends[file].max(offset + added);
        self.bytes += added;
    }

    /// Where the farthest range of a file ends; 0 if there is none.
    pub(super) fn end(&self, file: usize) -> u64 {
        self.ends[file]
    }

    /// The journal of these changes; `head` lacks length and hash of the body.
    pub(super) fn finish(self, mut head: Head) -> Result<Journal> {
        let mut body = Vec::new();
        let len = self.bodies.iter().map(|part| part.len().next_multiple_of(8)).sum();
        body.try_reserve_exact(len).map_err(|_| out_of_memory("the journal"))?;
        for part in self.bodies {
            body.extend_from_slice(&part);
            body.resize(body.len().next_multiple_of(8), 0);
        }
        (head.body_len, head.body_hash) = (body.len() as u64, xxh64(&body, head.nonce));
        Ok(Journal { head, body })
    }
}

impl Journal {
    /// Writes it, head and all, in one piece, and has it on the device. Returns the bytes.
    pub(super) fn write(&self, file: &mut dyn StorageFile, owner: &[u8]) -> Result<u64> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(BODY + self.body.len()).map_err(|_| out_of_memory("the journal"))?;
        bytes.extend_from_slice(&self.head.to_bytes());
        bytes.extend_from_slice(owner);
        bytes.resize(BODY, 0);
        bytes.extend_from_slice(&self.body);
        file.reserve(bytes.len() as u64)?;
        file.write_at(&bytes, 0)?;
        file.sync()?;
        Ok(bytes.len() as u64)
    }
}

/// Retires the journal in a file. The header must be on the device: it alone says what counts from now on.
pub(super) fn retire(file: &mut dyn StorageFile) -> Result<()> {
    file.write_at(&[0; HEAD], 0)?;
    // A large one is not worth its room; what is left is not read.
    if file.len()? > 64 << 20 {
        file.set_len(BODY as u64)?;
    }
    Ok(())
}
