//! The reference for the kernels of codes: plain integers.

use crate::distance::kernel::{Kernel, Ruler};

/// Squared L2 of unsigned bytes.
#[derive(Clone, Copy)]
pub(crate) struct L2;

/// Minus the dot product of signed bytes (the query's) and unsigned ones below 128 (a row's).
#[derive(Clone, Copy)]
pub(crate) struct Dot;

macro_rules! plain {
    ($kernel:ident, $q:ident, $row:ident, $term:expr) => {
        impl Kernel for $kernel {
            type Distance = i32;
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
