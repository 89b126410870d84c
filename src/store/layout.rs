//! Where things stand inside a record. All values, no pointers.
//!
//! A record is `[u16 link count | u8 flags | u8 unused | max_m0 * u32 links | vector | u64 label]`: the bytes that
//! hnswlib and Chroma keep in memory and in their files (hnswalg.h, `saveIndex`). Offsets and stride come from a file's
//! header, from [`Layout::packed`] or, for vectors alone, from [`Layout::apart`]. A vector is `dim` floats, or whatever
//! a host's own distance function reads.

use crate::error::{corrupt, invalid, Result};

/// Bytes of a list's header: u16 count, u8 flags (ground level only), u8 unused.
pub(crate) const LIST_HEADER: usize = 4;
/// Flag in the third byte of a record: the record is deleted.
pub(crate) const DELETED: u32 = 1 << 16;
/// Mask of a list header's count.
pub(crate) const COUNT: u32 = 0xFFFF;
/// Highest level a file may hold: level draws above it do not happen (2^-31 at M 2), and it bounds allocations.
pub(crate) const MAX_LEVEL: usize = 63;

/// Offsets and sizes of a record, in bytes unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Bytes of a vector.
    pub(crate) vector_bytes: usize,
    /// Links per upper-level list.
    pub(crate) max_m: usize,
    /// Links per ground-level list.
    pub(crate) max_m0: usize,
    /// Offset of the vector.
    pub(crate) vector: usize,
    /// Offset of the label.
    pub(crate) label: usize,
    /// Distance of one record to the next.
    pub(crate) stride: usize,
    /// Offset of record 0 in its block of memory.
    pub(crate) base: usize,
    /// Records are vectors alone; lists and labels have blocks of their own.
    pub(crate) apart: bool,
}

impl Layout {
    /// The upstream layout: no padding anywhere.
    pub(crate) fn packed(vector_bytes: usize, m: usize) -> Self {
        let vector = LIST_HEADER + 4 * (2 * m);
        let label = vector + vector_bytes;
        Self { vector_bytes, max_m: m, max_m0: 2 * m, vector, label, stride: label + 8, base: 0, apart: false }
    }

    /// The packed layout, with its stride rounded up to 4 where vectors are not: links are read as atomic words, which
    /// must not straddle.
    pub(crate) fn packed_in_memory(vector_bytes: usize, m: usize) -> Self {
        let packed = Self::packed(vector_bytes, m);
        Self { stride: packed.stride.next_multiple_of(4), ..packed }
    }

    /// Vectors alone, each on a cache line of its own, with lists and labels apart, so that a walk by codes has its
    /// lists close together. To records side by side, as in a file, queries a second are 1.05 to 1.09 as many (SIFT),
    /// 1.03 to 1.09 and 0.99 to 1.06 (GloVe, MiniLM; by f32 0.94 to 0.99 and 1.04 to 1.08), and nothing is lost to make
    /// their strides even.
    pub(crate) fn apart(vector_bytes: usize, m: usize) -> Self {
        let stride = vector_bytes.next_multiple_of(64);
        Self { vector: 0, label: vector_bytes, stride, apart: true, ..Self::packed(vector_bytes, m) }
    }

    /// Bytes of a ground-level list.
    pub(crate) fn ground_list(&self) -> usize {
        LIST_HEADER + 4 * self.max_m0
    }

    /// Bytes of one upper-level list.
    pub(crate) fn upper_list(&self) -> usize {
        LIST_HEADER + 4 * self.max_m
    }

    /// Floats per vector, where vectors are floats.
    pub(crate) fn dim(&self) -> usize {
        self.vector_bytes / 4
    }

    /// Bytes a block needs for `records` records.
    pub(crate) fn block(&self, records: usize) -> Result<usize> {
        let bytes = self.stride.checked_mul(records).and_then(|n| n.checked_add(self.base));
        bytes.filter(|n| *n < 1 << 46).ok_or_else(|| invalid(format!("{records} records of {} bytes", self.stride)))
    }

    /// A layout read from a file's header, checked for every rule that later code relies on.
    pub(crate) fn from_file(
        bytes: usize,
        max_m: u64,
        max_m0: u64,
        vector: u64,
        label: u64,
        stride: u64,
    ) -> Result<Self> {
        let m = crate::params::MAX_M as u64;
        if !(2..=m).contains(&max_m) || max_m0 != 2 * max_m {
            return Err(corrupt(format!("maxM {max_m}, maxM0 {max_m0}: not 2..={m} and twice as many")));
        }
        let links_end = LIST_HEADER as u64 + 4 * max_m0;
        if vector < links_end || vector > links_end + 4096 || label < vector || stride > 1 << 24 {
            return Err(corrupt(format!("offsetData {vector}, label_offset {label}, stride {stride}")));
        }
        if label - vector != bytes as u64 {
            let stored = label - vector;
            let (dim, given) = (stored as f64 / 4.0, bytes as f64 / 4.0);
            return Err(corrupt(format!("dim {dim}, not {given} as given: vectors of {stored} bytes, not {bytes}")));
        }
        if stride < label + 8 || stride > label + 8 + 4096 {
            return Err(corrupt(format!("stride {stride} with the label at {label}")));
        }
        let size = |n: u64| n as usize; // all below 2^25 here
        Ok(Self {
            vector_bytes: bytes,
            max_m: size(max_m),
            max_m0: size(max_m0),
            vector: size(vector),
            label: size(label),
            stride: size(stride),
            base: 0,
            apart: false,
        })
    }

    /// Whether records of this layout can be used in place: links and vectors need addresses divisible by 4.
    pub(crate) fn usable_in_place(&self) -> bool {
        (self.stride | self.vector | self.base).is_multiple_of(4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_is_hnswlibs() {
        let l = Layout::packed(512, 16);
        assert_eq!((l.vector, l.label, l.stride, l.upper_list()), (132, 644, 652, 68));
    }

    #[test]
    fn header_values_are_checked() {
        let good = |dim: usize, values: [u64; 5]| {
            let [m, m0, v, l, s] = values;
            Layout::from_file(4 * dim, m, m0, v, l, s)
        };
        assert!(good(128, [16, 32, 132, 644, 652]).is_ok());
        assert!(good(128, [16, 32, 192, 704, 768]).is_ok());
        for bad in [
            [16, 33, 132, 644, 652],
            [1, 2, 132, 644, 652],
            [u64::MAX, u64::MAX, 132, 644, 652],
            [16, 32, 128, 640, 652],
            [16, 32, 132, 640, 652],
            [16, 32, 132, 644, 648],
            [16, 32, 132, 644, u64::MAX],
            [16, 32, u64::MAX, 100, 652],
        ] {
            assert!(good(128, bad).is_err(), "{bad:?}");
        }
    }
}
