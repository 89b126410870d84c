//! Codes: a byte for each float of a record, in an array beside the records, so that a search touches a quarter of the
//! memory. Derived from the records, never the only copy of anything; a file beside that of the records may hold them
//! ([`stored`]).
//!
//! [`quantiser`] turns floats into codes and says what a distance of codes is worth, [`proof`] what it proves,
//! [`sketch`] turns codes into those of half a byte; the kernels, one file per instruction set, measure between codes
//! in integers, all with the same results; [`tiles`] measures many with many.
//!
//! # Life
//! An index without custom distances trains codes when it has [`FIRST`] records and encodes all of them while no writer
//! runs; from then on each vector that is written is encoded with it (`Store::fill`), before anybody can find it. When
//! the index has grown [`GROWTH`]-fold, or too many vectors lie beyond the trained range, a new generation takes the
//! place of the old one, which is freed when the last session that may read it is closed. Training is on the first
//! records, a number that only the count tells ([`trained_on`]); on all, where many of the others lie beyond their
//! range.
//!
//! Where a generation has sketches, codes are kept only if they are the vectors, or once a certified query has asked
//! for them ([`Codes::keep_rows`]). An index whose exactness is f32 gives all back.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
pub(crate) mod proof;
pub(crate) mod quantiser;
pub(crate) mod scalar;
pub(crate) mod sketch;
pub(crate) mod stored;
#[cfg(test)]
mod tests;
pub(crate) mod tiles;
#[cfg(target_arch = "x86_64")]
mod tiles_vnni;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::OnceLock;

use crate::error::Result;
use crate::store::arena::Arena;
use quantiser::{CodedQuery, Quantiser};
use sketch::Sketch;

/// Records an index has when it gets codes: below, its vectors are in the cache anyway.
pub(crate) const FIRST: usize = 1000;
/// Growth after which the ranges are trained anew.
pub(crate) const GROWTH: usize = 2;
/// Codes of a row are padded with zeros to a multiple of this.
pub(crate) const PADDING: usize = 32;
/// Of how many records one may be an exception before the ranges are trained anew.
const EXCEPTIONAL: usize = 32;

/// How many of `count` records, the first ones, are trained on: as many as when an index that grew was trained last, so
/// that one that is opened has the codes, and gives the answers, that it had when it was closed.
pub(crate) fn trained_on(count: usize) -> usize {
    let mut rows = FIRST;
    while rows <= count / GROWTH {
        rows *= GROWTH;
    }
    rows.min(count)
}

/// A number that no codes had before.
fn next_generation() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// One generation of codes.
pub(crate) struct Codes {
    /// No other codes have this number, of any index.
    generation: u64,
    quantiser: Quantiser,
    /// Empty while sketches do without.
    rows: OnceLock<Arena>,
    sketch: Option<(Sketch, Arena)>,
    /// A bit for each record: [`Quantiser::is_exceptional`].
    exceptions: Arena,
    exceptional: AtomicUsize,
    /// How many there were when all had codes.
    expected: AtomicUsize,
    /// Records that the ranges were trained on.
    trained: usize,
    /// Read from a file: [`stored`].
    of_file: bool,
}

impl Codes {
    /// A generation without rows, in an address range for `most` records, `least` at least. Where there are sketches,
    /// codes are kept beside them if they are `wanted`, or are the vectors.
    pub(crate) fn new(
        quantiser: Quantiser,
        sketch: Option<Sketch>,
        wanted: bool,
        trained: usize,
        (most, least): (usize, usize),
    ) -> Result<Self> {
        let stride = quantiser.stride();
        // Without addresses for all sketches to come, walks are on codes.
        let sketch = sketch.and_then(|sketch| {
            let rows = Arena::reserve_up_to(most * sketch.stride(), most * sketch.stride()).ok()?;
            Some((sketch, rows))
        });
        let rows = OnceLock::new();
        if wanted || quantiser.is_lossless() || sketch.is_none() {
            let _ = rows.set(Arena::reserve_up_to(most * stride, least * stride)?);
        }
        let exceptions = Arena::reserve_up_to(bits(most), bits(least))?;
        Ok(Self {
            generation: next_generation(),
            quantiser,
            rows,
            sketch,
            exceptions,
            exceptional: AtomicUsize::new(0),
            expected: AtomicUsize::new(0),
            trained,
            of_file: false,
        })
    }

    /// Commits memory for `records` rows. Calls must not overlap.
    pub(crate) fn make_room(&self, records: usize) -> Result<()> {
        if let Some(rows) = self.rows.get() {
            rows.commit(records * self.stride())?;
        }
        if let Some((sketch, rows)) = &self.sketch {
            rows.commit(records * sketch.stride())?;
        }
        self.exceptions.commit(bits(records))
    }

    /// A number that no other codes have.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn quantiser(&self) -> &Quantiser {
        &self.quantiser
    }

    /// Bytes from one row to the next.
    #[inline(always)]
    pub(crate) fn stride(&self) -> usize {
        self.quantiser.stride()
    }

    /// Address of the first row, if codes are kept.
    #[inline(always)]
    pub(crate) fn rows(&self) -> Option<*const u8> {
        self.rows.get().map(|rows| rows.base().cast_const())
    }

    /// The first sketch and the bytes from one to the next, if there are sketches.
    #[inline(always)]
    pub(crate) fn sketches(&self) -> Option<(*const u8, usize)> {
        self.sketch.as_ref().map(|(sketch, rows)| (rows.base().cast_const(), sketch.stride()))
    }

    /// What the values of sketches stand for; None where there are none.
    pub(crate) fn levels(&self) -> Option<&[u8; 16]> {
        self.sketch.as_ref().map(|(sketch, _)| sketch.levels())
    }

    /// Makes a query ready.
    pub(crate) fn prepare(&self, query: &[f32], out: &mut CodedQuery) {
        self.quantiser.prepare(query, out);
        out.is_beyond = out.is_outside && self.exceptional() > 0;
        if let Some((sketch, _)) = &self.sketch {
            sketch.prepare(query.len(), out);
        }
    }

    /// Bytes committed.
    pub(crate) fn memory(&self) -> usize {
        let rows = self.rows.get().into_iter().chain(self.sketch.iter().map(|(_, rows)| rows));
        rows.map(Arena::committed).sum::<usize>() + self.exceptions.committed()
    }

    /// Writes the code of record `id`, which has room and which nobody can find yet, or whose readers are excluded.
    pub(crate) fn write(&self, id: usize, vector: *const u8) {
        match self.rows.get() {
            // SAFETY: as for the sketch below.
            Some(rows) => self.write_by(id, vector, unsafe { row_of(rows, id, self.stride()) }),
            None if self.stride() <= SHORT => self.write_by(id, vector, &mut [0; SHORT][..self.stride()]),
            None => self.write_by(id, vector, &mut [0; quantiser::MAX_DIM][..self.stride()]),
        }
    }

    /// The same, with a place for the code.
    fn write_by(&self, id: usize, vector: *const u8, row: &mut [u8]) {
        // SAFETY: the vector is one of this dim.
        let error = unsafe { self.quantiser.encode(vector, row) };
        if let Some((sketch, rows)) = &self.sketch {
            // SAFETY: nobody else uses the record's, says the caller.
            sketch.write(&row[..self.quantiser.dim()], unsafe { row_of(rows, id, sketch.stride()) });
        }
        self.mark(id, self.quantiser.is_exceptional(error, row));
    }

    /// Has codes beside sketches from now on: makes room for `records` in an address range for `most`, has all of them
    /// written by `encode`, as [`Store::renew_codes`](crate::store::Store::renew_codes) does, and shows them then. No
    /// writer may run; whoever reads finds codes or none.
    pub(crate) fn keep_rows(
        &self,
        records: usize,
        most: usize,
        encode: impl FnOnce(&(dyn Fn(usize, *const u8) + Sync)),
    ) -> Result<()> {
        let stride = self.stride();
        // Without addresses for all codes to come it is as without memory.
        let rows = Arena::reserve_up_to(most.max(records) * stride, most.max(records) * stride)?;
        rows.commit(records * stride)?;
        encode(&|id, vector| {
            // SAFETY: nobody else knows the rows, and each record is written once; the vector is one of this dim.
            unsafe { self.quantiser.encode(vector, row_of(&rows, id, stride)) };
        });
        let _ = self.rows.set(rows);
        Ok(())
    }

    /// Copies the code of record `id` to the start of `out`, its sketch behind it. The caller excludes writers of both.
    pub(crate) fn copy(&self, id: usize, out: &mut [u8]) {
        let mut put = |rows: &Arena, stride: usize, at: usize| {
            assert!((id + 1) * stride <= rows.committed());
            let to = &mut out[at..at + stride];
            // SAFETY: the row is inside the committed block, and nobody writes it.
            unsafe { std::ptr::copy_nonoverlapping(rows.base().add(id * stride), to.as_mut_ptr(), stride) };
        };
        if let Some(rows) = self.rows.get() {
            put(rows, self.stride(), 0);
        }
        if let Some((sketch, rows)) = &self.sketch {
            put(rows, sketch.stride(), self.stride());
        }
    }

    fn word(&self, id: usize) -> &AtomicU64 {
        // SAFETY: committed with the row, aligned, only used as atomics.
        unsafe { AtomicU64::from_ptr(self.exceptions.base().cast::<u64>().add(id / 64)) }
    }

    fn mark(&self, id: usize, exceptional: bool) {
        let bit = 1 << (id % 64);
        if exceptional {
            if self.word(id).fetch_or(bit, Ordering::Relaxed) & bit == 0 {
                self.exceptional.fetch_add(1, Ordering::Release);
            }
        } else if self.word(id).load(Ordering::Relaxed) & bit != 0
            && self.word(id).fetch_and(!bit, Ordering::Relaxed) & bit != 0
        {
            self.exceptional.fetch_sub(1, Ordering::Release);
        }
    }

    /// Whether the code of record `id` tells little of it: [`Quantiser::is_exceptional`].
    #[inline(always)]
    pub(crate) fn is_exceptional(&self, id: usize) -> bool {
        self.word(id).load(Ordering::Relaxed) >> (id % 64) & 1 != 0
    }

    /// Records whose codes tell little of them.
    #[inline]
    pub(crate) fn exceptional(&self) -> usize {
        self.exceptional.load(Ordering::Acquire)
    }

    /// All records were trained on: so many exceptions are the rule.
    pub(crate) fn settle(&self) {
        self.expected.store(self.exceptional(), Ordering::Relaxed);
    }

    /// Whether `count` records deserve a new generation.
    pub(crate) fn is_stale(&self, count: usize) -> bool {
        trained_on(count) > self.trained || self.misses(count)
    }

    /// Whether many of `count` records lie beyond the trained range, more than twice those expected.
    pub(crate) fn misses(&self, count: usize) -> bool {
        self.exceptional() > 2 * self.expected.load(Ordering::Relaxed) + count / EXCEPTIONAL
    }
}

/// Bytes of a code that take no longer to clear than they are worth, where only its sketch is kept.
const SHORT: usize = 2048;

/// Bytes with a bit for each record, in whole words.
fn bits(records: usize) -> usize {
    records.div_ceil(64) * 8
}

/// The row of a record.
///
/// # Safety
/// Nobody else uses it.
#[allow(clippy::mut_from_ref, reason = "an arena is an address range; the caller keeps others from the row")]
unsafe fn row_of(rows: &Arena, id: usize, stride: usize) -> &mut [u8] {
    assert!((id + 1) * stride <= rows.committed(), "a code without room");
    // SAFETY: inside the committed block; nobody else uses it, says the caller.
    unsafe { std::slice::from_raw_parts_mut(rows.base().add(id * stride), stride) }
}
