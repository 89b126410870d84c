//! AArch64 Advanced SIMD: the sixteen partial sums in four registers.

use std::arch::aarch64::*;

use super::{finish, Rows, LANES};

/// Squared L2, or inner product.
#[derive(Clone, Copy)]
pub(crate) struct Neon<const IP: bool>;

type Sums = [float32x4_t; 4];

impl<const IP: bool> Neon<IP> {
    /// # Safety
    /// The CPU has NEON; `q` and `row` hold 16 floats each.
    #[inline(always)]
    unsafe fn block(mut acc: Sums, q: *const f32, row: *const f32) -> Sums {
        // SAFETY: the caller's promise.
        unsafe {
            for (j, acc) in acc.iter_mut().enumerate() {
                let (x, r) = (vld1q_f32(q.add(4 * j)), vld1q_f32(row.add(4 * j)));
                *acc = if IP {
                    vfmaq_f32(*acc, x, r)
                } else {
                    let d = vsubq_f32(x, r);
                    vfmaq_f32(*acc, d, d)
                };
            }
            acc
        }
    }
}

/// The last `count` (below 16) floats, filled up with zeros: a zero adds nothing to its partial sum.
///
/// # Safety
/// `p` holds `count` floats.
#[inline(always)]
unsafe fn padded(p: *const f32, count: usize) -> [f32; LANES] {
    let mut block = [0.0; LANES];
    // SAFETY: the caller's promise, and count < 16.
    unsafe { std::ptr::copy_nonoverlapping(p, block.as_mut_ptr(), count) };
    block
}

impl<const IP: bool> Rows for Neon<IP> {
    type Sorted = super::sorted::Plain;

    #[inline(always)]
    unsafe fn one(q: *const f32, row: *const f32, dim: usize) -> f32 {
        // SAFETY: the caller's promise: `dim` floats are readable at both.
        unsafe {
            let mut acc = [vdupq_n_f32(0.0); 4];
            let mut i = 0;
            while i + LANES <= dim {
                acc = Self::block(acc, q.add(i), row.add(i));
                i += LANES;
            }
            if i < dim {
                let (x, r) = (padded(q.add(i), dim - i), padded(row.add(i), dim - i));
                acc = Self::block(acc, x.as_ptr(), r.as_ptr());
            }
            let four = vaddq_f32(vaddq_f32(acc[0], acc[2]), vaddq_f32(acc[1], acc[3]));
            let two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
            finish::<IP>(vget_lane_f32::<0>(two) + vget_lane_f32::<1>(two))
        }
    }

    #[inline(always)]
    unsafe fn four(q: *const f32, rows: [*const f32; 4], dim: usize) -> [f32; 4] {
        // SAFETY: the caller's promise. The four chains are independent; the compiler interleaves them.
        rows.map(|row| unsafe { Self::one(q, row, dim) })
    }
}
