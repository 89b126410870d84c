//! The baseline kernel, and the reference for the others: the documented order, spelled out.

use super::{finish, tree, Rows, LANES};

/// Squared L2, or inner product.
#[derive(Clone, Copy)]
pub(crate) struct Scalar<const IP: bool>;

/// `a * b + c` rounded once, without a fused instruction: the product of two f32 is exact in f64; the sum is rounded
/// to odd, so that the last rounding to f32 sees on which side of a tie it was (Boldo and Melquiond, "Emulation of
/// FMA and correctly rounded sums", 2008).
#[inline(always)]
pub(crate) fn fma(a: f32, b: f32, c: f32) -> f32 {
    let (p, c) = (f64::from(a) * f64::from(b), f64::from(c));
    let s = p + c;
    let t = s - p;
    // Exact (TwoSum), or NaN where s is not finite.
    let error = (p - (s - t)) + (c - t);
    // Round to odd: an inexact even result moves one step towards the error. Without branches, so that a compiler makes
    // vectors of it.
    let bits = s.to_bits();
    let is_inexact = 0u64.wrapping_sub(((error < 0.0) | (error > 0.0)) as u64);
    let is_even = (bits & 1).wrapping_sub(1);
    let step = 1u64.wrapping_sub((error.to_bits() ^ bits) >> 63 << 1);
    f64::from_bits(bits.wrapping_add(step & is_even & is_inexact)) as f32
}

impl<const IP: bool> Scalar<IP> {
    #[inline(always)]
    fn step(acc: &mut f32, q: f32, r: f32) {
        *acc = if IP {
            fma(q, r, *acc)
        } else {
            let d = q - r;
            fma(d, d, *acc)
        };
    }
}

impl<const IP: bool> Rows for Scalar<IP> {
    type Sorted = super::sorted::Plain;

    #[inline(always)]
    unsafe fn one(q: *const f32, row: *const f32, dim: usize) -> f32 {
        let mut acc = [0.0f32; LANES];
        let tail = dim % LANES;
        // SAFETY: the caller's promise; any address will do.
        unsafe {
            for at in (0..dim - tail).step_by(LANES) {
                for (lane, acc) in acc.iter_mut().enumerate() {
                    Self::step(acc, q.add(at + lane).read_unaligned(), row.add(at + lane).read_unaligned());
                }
            }
            for (acc, at) in acc.iter_mut().zip(dim - tail..dim) {
                Self::step(acc, q.add(at).read_unaligned(), row.add(at).read_unaligned());
            }
        }
        finish::<IP>(tree(acc))
    }

    #[inline(always)]
    unsafe fn four(q: *const f32, rows: [*const f32; 4], dim: usize) -> [f32; 4] {
        // SAFETY: the caller's promise.
        rows.map(|row| unsafe { Self::one(q, row, dim) })
    }
}
