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

/// Bytes of each part of the codes of a number of records: rows, sketches, exceptions; 0: there are none.
pub(crate) type Parts<T> = [T; 3];

impl Maker {
    /// From what [`Codes::put`] has put, for vectors of `dim` values. None: those are not the bytes of such codes.
    pub(crate) fn take(from: &mut Taken<'_>, dim: usize, inner_product: bool) -> Option<Self> {
        let [has_rows, has_sketches] = from.bytes()?.map(|flag: u8| flag != 0);
        let [trained, expected] = [from.u64()?, from.u64()?].map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let quantiser = Quantiser::take(from, dim, inner_product)?;
        let sketch = if has_sketches { Some(Sketch::take(from, &quantiser)?) } else { None };
        (has_rows || has_sketches).then_some(Self { quantiser, sketch, has_rows, expected, trained })
    }

    /// Bytes of the parts for so many records.
    pub(crate) fn sizes(&self, records: usize) -> Parts<usize> {
        let rows = if self.has_rows { self.quantiser.stride() } else { 0 };
        let sketches = self.sketch.as_ref().map_or(0, Sketch::stride);
        [rows * records, sketches * records, bits(records)]
    }

    /// The codes, with `blocks` as large as [`Maker::sizes`] says for `records`.
    pub(crate) fn codes(self, blocks: Parts<Arena>, records: usize) -> Codes {
        for (block, size) in blocks.iter().zip(self.sizes(records)) {
            assert!(block.committed() >= size, "a block for all records");
        }
        let [row_block, sketch_block, exceptions] = blocks;
        let rows = OnceLock::new();
        if self.has_rows {
            let _ = rows.set(row_block);
        }
        let codes = Codes {
            quantiser: self.quantiser,
            rows,
            sketch: self.sketch.map(|sketch| (sketch, sketch_block)),
            exceptions,
            exceptional: AtomicUsize::new(0),
            expected: AtomicUsize::new(self.expected.min(records)),
            trained: self.trained.min(records),
            of_file: true,
        };
        let marked = (0..records.div_ceil(64)).map(|word| codes.word(64 * word).load(Ordering::Relaxed).count_ones());
        codes.exceptional.store(marked.sum::<u32>() as usize, Ordering::Relaxed);
        codes
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

    /// The parts of the first `records`, which all have codes. The caller excludes writers.
    pub(crate) fn parts(&self, records: usize) -> Parts<&[u8]> {
        let part = |block: Option<&Arena>, bytes: usize| match block {
            None => &[][..],
            Some(block) => {
                assert!(bytes <= block.committed(), "codes of all records");
                // SAFETY: committed, and nobody writes it: neither codes nor marks, which are atomics elsewhere.
                unsafe { std::slice::from_raw_parts(block.base().cast_const(), bytes) }
            }
        };
        let sketches = self.sketch.as_ref();
        [
            part(self.rows.get(), records * self.stride()),
            part(sketches.map(|(_, block)| block), records * sketches.map_or(0, |(sketch, _)| sketch.stride())),
            part(Some(&self.exceptions), bits(records)),
        ]
    }

    /// Whether they come from a file.
    pub(crate) fn are_of_file(&self) -> bool {
        self.of_file
    }
}
