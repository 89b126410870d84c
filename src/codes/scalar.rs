//! The reference for the kernels of codes: plain integers.

use super::sketch::{BLOCK, LEVELS, VALUES};
use crate::distance::kernel::{Kernel, Ruler};

/// Squared L2 of unsigned bytes.
#[derive(Clone, Copy)]
pub(crate) struct L2;

/// Minus the dot product of signed bytes (the query's) and unsigned ones (a row's).
#[derive(Clone, Copy)]
pub(crate) struct Dot;

macro_rules! plain {
    ($kernel:ident, $q:ident, $row:ident, $term:expr) => {
        impl Kernel for $kernel {
            type Distance = i32;
            type Sorted = crate::distance::sorted::Plain;
            const FOUR_AT_ONCE: bool = false;

            #[inline(always)]
            unsafe fn one(ruler: &Ruler<'_>, q: *const u8, row: *const u8) -> i32 {
                let dim = ruler.dim();
                // SAFETY: the caller's promise.
                let (q, row) = unsafe { (std::slice::from_raw_parts(q, dim), std::slice::from_raw_parts(row, dim)) };
                let mut sum = 0i32;
                for (&$q, &$row) in q.iter().zip(row) {
                    sum += $term;
                }
                sum
            }

            #[inline(always)]
            unsafe fn four(ruler: &Ruler<'_>, q: *const u8, rows: [*const u8; 4]) -> [i32; 4] {
                // SAFETY: the caller's promise.
                rows.map(|row| unsafe { Self::one(ruler, q, row) })
            }
        }
    };
}

plain!(L2, q, row, (i32::from(q) - i32::from(row)).pow(2));
plain!(Dot, q, row, -i32::from(q as i8) * i32::from(row));

/// [`L2`] of sketches.
#[derive(Clone, Copy)]
pub(crate) struct SketchL2;

/// [`Dot`] of sketches.
#[derive(Clone, Copy)]
pub(crate) struct SketchDot;

macro_rules! sketch {
    ($kernel:ident, $q:ident, $level:ident, $term:expr) => {
        impl Kernel for $kernel {
            type Distance = i32;
            type Sorted = crate::distance::sorted::Plain;
            const FOUR_AT_ONCE: bool = false;

            #[inline(always)]
            unsafe fn one(ruler: &Ruler<'_>, q: *const u8, row: *const u8) -> i32 {
                let bytes = ruler.dim();
                // SAFETY: the caller's promise.
                let (q, row) = unsafe {
                    (std::slice::from_raw_parts(q, LEVELS + 2 * bytes), std::slice::from_raw_parts(row, bytes))
                };
                let (levels, q) = q.split_at(LEVELS);
                let mut sum = 0i32;
                for (q, row) in q.chunks_exact(VALUES).zip(row.chunks_exact(BLOCK)) {
                    let (low, high) = q.split_at(BLOCK);
                    for ((low, high), byte) in low.iter().zip(high).zip(row) {
                        for ($q, $level) in
                            [(*low, levels[usize::from(byte & 15)]), (*high, levels[usize::from(byte >> 4)])]
                        {
                            sum += $term;
                        }
                    }
                }
                sum
            }

            #[inline(always)]
            unsafe fn four(ruler: &Ruler<'_>, q: *const u8, rows: [*const u8; 4]) -> [i32; 4] {
                // SAFETY: the caller's promise.
                rows.map(|row| unsafe { Self::one(ruler, q, row) })
            }
        }
    };
}

sketch!(SketchL2, q, level, (i32::from(q) - i32::from(level)).pow(2));
sketch!(SketchDot, q, level, -i32::from(q as i8) * i32::from(level));
