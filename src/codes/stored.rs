//! What a file holds of codes: what they were made by as bytes, and their rows as blocks of memory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::OnceLock;

use super::quantiser::Quantiser;
use super::sketch::Sketch;
use super::{bits, Codes};
use crate::store::arena::Arena;

/// Takes numbers from bytes, in the order in which they were put.
pub(crate) struct Taken<'a>(&'a [u8]);

impl<'a> Taken<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next bytes, if there are as many.
    pub(crate) fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.bytes().map(i64::from_le_bytes)
    }

    /// A number that is one.
    pub(super) fn f32(&mut self) -> Option<f32> {
        self.bytes().map(f32::from_le_bytes).filter(|x| x.is_finite())
    }

    pub(super) fn f32s(&mut self, count: usize) -> Option<Vec<f32>> {
        (0..count).map(|_| self.f32()).collect()
    }
}

/// What codes were made by.
pub(crate) struct Maker {
    quantiser: Quantiser,
    sketch: Option<Sketch>,
    has_rows: bool,
    expected: usize,
    trained: usize,
}

/// Something for each block that codes have: rows, sketches, exceptions.
pub(crate) type Blocks<T> = [T; 3];

impl Maker {
    /// From what [`Codes::put`] has put, for vectors of `dim` values. None: those are not the bytes of such codes.
    pub(crate) fn take(from: &mut Taken<'_>, dim: usize, inner_product: bool) -> Option<Self> {
        let [has_rows, has_sketches] = from.bytes()?.map(|flag: u8| flag != 0);
        let [trained, expected] = [from.u64()?, from.u64()?].map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let quantiser = Quantiser::take(from, dim, inner_product)?;
        let sketch = if has_sketches { Some(Sketch::take(from, &quantiser)?) } else { None };
        (has_rows || has_sketches).then_some(Self { quantiser, sketch, has_rows, expected, trained })
    }

    /// Bytes of the blocks for so many records; 0: there is none.
    pub(crate) fn sizes(&self, records: usize) -> Blocks<usize> {
        let rows = if self.has_rows { self.quantiser.stride() } else { 0 };
        let sketches = self.sketch.as_ref().map_or(0, Sketch::stride);
        [rows * records, sketches * records, bits(records)]
    }

    /// The codes, with `blocks` as large as [`Maker::sizes`] says for `records`. None where records to come are marked.
    pub(crate) fn codes(self, blocks: Blocks<Arena>, records: usize) -> Option<Codes> {
        for (block, size) in blocks.iter().zip(self.sizes(records)) {
            assert!(block.committed() >= size, "a block for all records");
        }
        let [row_block, sketch_block, exceptions] = blocks;
        let (mut marked, mut to_come) = (0, 0);
        for (at, word) in exceptions.bytes(0, exceptions.committed()).as_chunks().0.iter().enumerate() {
            let own = records.saturating_sub(64 * at).min(64);
            let beyond = u64::MAX.checked_shl(own as u32).unwrap_or(0);
            let word = u64::from_le_bytes(*word);
            marked += (word & !beyond).count_ones() as usize;
            to_come |= word & beyond;
        }
        let rows = OnceLock::new();
        if self.has_rows {
            let _ = rows.set(row_block);
        }
        let codes = Codes {
            quantiser: self.quantiser,
            rows,
            sketch: self.sketch.map(|sketch| (sketch, sketch_block)),
            exceptions,
            exceptional: AtomicUsize::new(marked),
            expected: AtomicUsize::new(self.expected.min(records)),
            trained: self.trained.min(records),
            generation: super::next_generation(),
            of_file: true,
        };
        (to_come == 0).then_some(codes)
    }
}

impl Codes {
    /// Appends what they are made by.
    pub(crate) fn put(&self, to: &mut Vec<u8>) {
        to.extend([u8::from(self.rows().is_some()), u8::from(self.sketch.is_some())]);
        for number in [self.trained, self.expected.load(Ordering::Relaxed)] {
            to.extend((number as u64).to_le_bytes());
        }
        self.quantiser.put(to);
        if let Some((sketch, _)) = &self.sketch {
            sketch.put(to);
        }
    }

    /// The blocks of the first `records`, which all have codes; empty: there is none. The caller excludes writers.
    pub(crate) fn blocks(&self, records: usize) -> Blocks<&[u8]> {
        let sketches = self.sketch.as_ref();
        [
            self.rows.get().map_or(&[], |rows| rows.bytes(0, records * self.stride())),
            sketches.map_or(&[], |(sketch, rows)| rows.bytes(0, records * sketch.stride())),
            self.exceptions.bytes(0, bits(records)),
        ]
    }

    /// Whether the code of record `id` is that of a vector of this dim. The caller excludes writers; `buffer` is
    /// scratch.
    pub(crate) fn are_of(&self, id: usize, vector: *const u8, buffer: &mut Vec<u8>) -> bool {
        let (stride, sketch) = (self.stride(), self.sketch.as_ref());
        buffer.resize(stride + sketch.map_or(0, |(sketch, _)| sketch.stride()), 0);
        let (row, sketch_row) = buffer.split_at_mut(stride);
        // SAFETY: the vector is one of this dim.
        let error = unsafe { self.quantiser.encode(vector, row) };
        let is_stored = |rows: &Arena, row: &[u8]| rows.bytes(id * row.len(), row.len()) == row;
        if let Some((sketch, rows)) = sketch {
            sketch.write(&row[..self.quantiser.dim()], sketch_row);
            if !is_stored(rows, sketch_row) {
                return false;
            }
        }
        self.rows.get().is_none_or(|rows| is_stored(rows, row))
            && self.is_exceptional(id) == self.quantiser.is_exceptional(error, row)
    }

    /// Whether they are for inner products.
    pub(crate) fn are_of_products(&self) -> bool {
        self.quantiser.is_of_products()
    }

    /// Whether they come from a file.
    pub(crate) fn are_of_file(&self) -> bool {
        self.of_file
    }
}
