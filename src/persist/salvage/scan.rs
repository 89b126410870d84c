//! Which records of a damaged index are worth keeping.

use std::collections::HashMap;
use std::ops::Range;

use super::remains::{Lengths, Remains};
use super::shape::looks_like_a_record;
use super::Report;
use crate::error::{out_of_memory, Result};
use crate::params::MAX_RECORDS;
use crate::persist::sums::{self, is_flipped_sum, record_sum, SUMS_SIZE};
use crate::store::layout::Layout;

/// Bytes read at a time.
const CHUNK: usize = 1 << 20;

/// A record to be kept.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) label: u64,
    pub(super) id: u32,
    pub(super) deleted: bool,
    /// Whether all of it looks like a record.
    sound: bool,
    /// Whether it does not differ from its checksum.
    pub(super) fits: bool,
}

/// What a record is.
enum Verdict {
    Keep(Entry),
    Unwritten,
    NotFinite,
    Implausible,
}

/// What a walk has found so far.
struct Found<'a> {
    /// Records that the file has room for.
    room: usize,
    /// Records that need not look like ones to be kept.
    trusted: usize,
    /// Records that are counted when they are dropped.
    spoken_of: usize,
    entries: Vec<Entry>,
    report: &'a mut Report,
}

/// A walk over records.
pub(super) struct Scan<'a> {
    pub(super) remains: &'a Remains,
    pub(super) layout: Layout,
    /// Where they count.
    pub(super) lengths: Option<Lengths<'a>>,
    pub(super) cosine: bool,
    /// Whether a vector of zeros can belong to what looks like a record.
    pub(super) zeros: bool,
}

/// What a record's checksum says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Checked {
    Unknown,
    Fits,
    Differs,
}

impl Scan<'_> {
    /// Finds the records to be kept, in the order of their ids, one for each label. Of as many as are `stated`
    /// everything readable is kept; of those behind, if they are wanted (`beyond`), what looks like a record, and the
    /// rest is not spoken of. Without a number all must look like records.
    pub(super) fn run(&self, stated: Option<usize>, beyond: bool, report: &mut Report) -> Result<Vec<Entry>> {
        let room = (self.remains.available() / self.layout.stride).min(MAX_RECORDS);
        let spoken_of = stated.unwrap_or(room);
        let end = if beyond { room } else { spoken_of.min(room) };
        let mut found = Found { room, trusted: stated.unwrap_or(0), spoken_of, entries: Vec::new(), report };
        found.report.missing = spoken_of.saturating_sub(room) as u64;
        let mut next = 0;
        let (start, stride) = (self.remains.start, self.layout.stride);
        // Holes are passed over: a file may have far more of them than of anything else.
        let bytes = (start as u64, (start + end * stride) as u64);
        for part in self.remains.records.stored(bytes.0..bytes.1) {
            let first = ((part.start - bytes.0) as usize / stride).max(next);
            let last = ((part.end - bytes.0) as usize).div_ceil(stride).min(end);
            found.skip(next..first);
            let at_once = (CHUNK / stride).max(1);
            for chunk in (first..last).step_by(at_once) {
                self.chunk(chunk..last.min(chunk + at_once), &mut found)?;
            }
            next = last.max(first);
        }
        found.skip(next..end);
        found.finish()
    }

    fn chunk(&self, ids: Range<usize>, found: &mut Found<'_>) -> Result<()> {
        let stride = self.layout.stride;
        let bytes = match self.remains.records.read(self.remains.start + ids.start * stride, ids.len() * stride) {
            Ok(bytes) => bytes,
            // A bad sector takes those records with it that are on it, no others.
            Err(_) if ids.len() > 1 => return ids.into_iter().try_for_each(|id| self.chunk(id..id + 1, found)),
            Err(_) => {
                found.report.unreadable += u64::from(ids.start < found.spoken_of);
                return Ok(());
            }
        };
        found.entries.try_reserve(ids.len()).map_err(|_| out_of_memory("the list of records"))?;
        let sums = self.remains.sums_of(&ids, &self.layout);
        let mut sums = sums.as_chunks::<SUMS_SIZE>().0.iter();
        for (id, record) in ids.zip(bytes.chunks_exact(stride)) {
            let checked = sums.next().map_or(Checked::Unknown, |sums| self.check(record, id as u32, sums));
            let verdict = self.judge(record, id, found.room, id < found.trusted, checked);
            let dropped = u64::from(id < found.spoken_of);
            match verdict {
                Verdict::Keep(entry) => found.entries.push(entry),
                Verdict::Unwritten => found.report.unwritten += dropped,
                Verdict::NotFinite => found.report.not_finite += dropped,
                Verdict::Implausible => found.report.implausible += dropped,
            }
        }
        Ok(())
    }

    /// Compares a record, and its length where that counts, with checksums.
    fn check(&self, record: &[u8], id: u32, sums: &[u8; SUMS_SIZE]) -> Checked {
        let [told, told_length, _] = sums::numbers(sums);
        if told == 0 {
            return Checked::Unknown;
        }
        let differs = |told: u32, is: u32| told != 0 && told != is && !is_flipped_sum(told, is);
        let length = self.lengths.and_then(|lengths| lengths.bytes(id));
        let length_differs = length.is_some_and(|length| differs(told_length, sums::sum(id, [&length, &[]])));
        match differs(told, record_sum(id, record, &self.layout)) || length_differs {
            true => Checked::Differs,
            false => Checked::Fits,
        }
    }

    fn judge(&self, record: &[u8], id: usize, room: usize, trusted: bool, checked: Checked) -> Verdict {
        let layout = &self.layout;
        // The only record of an index has no links: zeros can be what it is.
        let can_be_zeros = trusted && room == 1 || checked == Checked::Fits;
        if record[..layout.label + 8].iter().all(|byte| *byte == 0) && !can_be_zeros {
            return Verdict::Unwritten;
        }
        let sound = looks_like_a_record(record, layout, id, room, self.zeros);
        if !trusted && !sound {
            return Verdict::Implausible;
        }
        let floats = record[layout.vector..layout.label].chunks_exact(4);
        let squares = floats.map(|w| f32::from_le_bytes([w[0], w[1], w[2], w[3]])).map(|x| f64::from(x) * f64::from(x));
        let square: f64 = squares.sum();
        if !square.is_finite() {
            return Verdict::NotFinite;
        }
        // Half of one unit vector and half of another are none.
        if self.cosine && square != 0.0 && (square - 1.0).abs() > 1e-3 {
            return Verdict::Implausible;
        }
        let mut label = [0; 8];
        label.copy_from_slice(&record[layout.label..layout.label + 8]);
        let links = usize::from(u16::from_le_bytes([record[0], record[1]]));
        // What stands before links that cannot be is no mark either: better a vector too many than one too few.
        let deleted = record[2] & 1 != 0 && links <= layout.max_m0 && record[3] == 0;
        let fits = checked != Checked::Differs;
        Verdict::Keep(Entry { label: u64::from_le_bytes(label), id: id as u32, deleted, sound, fits })
    }

    /// Reads the vector of a record.
    pub(super) fn read_vector(&self, id: u32, to: &mut [u8]) -> Result<()> {
        let at = self.remains.start + id as usize * self.layout.stride + self.layout.vector;
        self.remains.records.read_into(at, to)
    }
}

impl Found<'_> {
    /// Counts what lies in a hole.
    fn skip(&mut self, ids: Range<usize>) {
        self.report.unwritten += (ids.end.min(self.spoken_of)).saturating_sub(ids.start) as u64;
    }

    /// Keeps one of the records with the same label: one that does not differ from its checksum before one that does,
    /// what looks like a record before what does not, a live one before a deleted one, of those the last, which is what
    /// a loader finds.
    fn finish(self) -> Result<Vec<Entry>> {
        let Self { mut entries, report, .. } = self;
        let Report { missing, unwritten, unreadable, not_finite, implausible, .. } = *report;
        report.records = entries.len() as u64 + missing + unwritten + unreadable + not_finite + implausible;
        let mut places: HashMap<u64, usize> = HashMap::new();
        places.try_reserve(entries.len()).map_err(|_| out_of_memory("the list of labels"))?;
        for (at, entry) in entries.iter().enumerate() {
            let place = places.entry(entry.label).or_insert(at);
            if entry.rank() >= entries[*place].rank() {
                *place = at;
            }
        }
        let before = entries.len();
        let mut at = 0;
        entries.retain(|entry| {
            at += 1;
            places.get(&entry.label) == Some(&(at - 1))
        });
        report.duplicates = (before - entries.len()) as u64;
        Ok(entries)
    }
}

impl Entry {
    fn rank(&self) -> (bool, bool, bool) {
        (self.sound, !self.deleted, self.fits)
    }
}
