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
    let error = (p - (s - t)) + (c - t); // exact (TwoSum), or NaN where s is not finite
    let bits = s.to_bits();
    // Round to odd: an inexact even result moves one step towards the error.
    let step = (error != 0.0 && !error.is_nan() && bits & 1 == 0) as u64;
    let up = (error > 0.0) == (s > 0.0);
    let odd = if up { bits.wrapping_add(step) } else { bits.wrapping_sub(step) };
    f64::from_bits(odd) as f32
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
        for at in 0..dim {
            // SAFETY: the caller's promise; any address will do.
            let (q, row) = unsafe { (q.add(at).read_unaligned(), row.add(at).read_unaligned()) };
            Self::step(&mut acc[at % LANES], q, row);
        }
        finish::<IP>(tree(acc))
    }

    #[inline(always)]
    unsafe fn four(q: *const f32, rows: [*const f32; 4], dim: usize) -> [f32; 4] {
        // SAFETY: the caller's promise.
        rows.map(|row| unsafe { Self::one(q, row, dim) })
    }
}
