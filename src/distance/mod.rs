//! Distances between vectors, and nothing else: no index, no ids.
//!
//! `Rows` are the kernels for f32, one file per instruction set. `kernel` is what searches are generic over: those
//! kernels, bytes (`bytes`), and distances that the host measures.
//!
//! # One summation order
//!
//! Every instruction set gives the same bits. Element `i` is accumulated into partial sum `i % 16` by a fused
//! multiply-add, in ascending order of `i`; the sixteen sums are then added in a halving tree: `j` with `j + 8`, then
//! `j + 4`, `j + 2`, `j + 1`. AVX-512 holds the sums in one register, AVX2 in two, NEON in four; the scalar code does
//! the same with an exact software multiply-add. The distance is the sum (squared L2) or `1 - sum` (inner product).
//!
//! hnswlib sums in other orders, which depend on the dim and on its build: its distances may differ from these in the
//! last bits, unless all partial sums are exact (integers below 2^24). For inner products whose dim is a multiple of
//! 16 its AVX-512 build uses this very order.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
pub(crate) mod bytes;
mod dispatch;
mod isa;
pub(crate) mod kernel;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
pub(crate) mod scalar;
pub(crate) mod sorted;
#[cfg(test)]
mod tests;

pub use dispatch::{distances, l2, l2_u8, one_minus_dot, BuiltIn};
pub use isa::Level;

/// Distances of rows of f32, of one metric on one instruction set.
///
/// A method is a plain inlined function that uses intrinsics; it must be inlined into a function that has the
/// instruction set enabled (`search::engine` holds these), or each intrinsic becomes a call.
pub(crate) trait Rows: Copy + 'static {
    /// The same instruction set for search pools.
    type Sorted: sorted::Sorted;

    /// Distance of `q` and `row`.
    ///
    /// # Safety
    /// Both point to `dim` readable floats; the CPU has the kernel's instruction set.
    unsafe fn one(q: *const f32, row: *const f32, dim: usize) -> f32;

    /// Distances of `q` and four rows: query loads are shared, latencies overlap. Measured against four calls of
    /// `one` in cache on AVX-512: 1.5 times as fast at dim 128, 1.9 times at dim 384.
    ///
    /// # Safety
    /// As for `one`, for each row.
    unsafe fn four(q: *const f32, rows: [*const f32; 4], dim: usize) -> [f32; 4];
}

/// Number of partial sums.
pub(crate) const LANES: usize = 16;

/// The end of the documented order: a halving tree over the partial sums.
#[inline(always)]
pub(crate) fn tree(mut sums: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for j in 0..half {
            sums[j] += sums[j + half];
        }
        half /= 2;
    }
    sums[0]
}

/// From the sum of products or of squared differences to the distance.
#[inline(always)]
pub(crate) fn finish<const IP: bool>(sum: f32) -> f32 {
    if IP {
        1.0 - sum
    } else {
        sum
    }
}

/// Length of a vector and the factor that normalises it, as hnswlib and Chroma compute them: rounded squares added in
/// order, `1 / (length + 1e-30)`. (A build of hnswlib with FMA fuses the last dim % 8 of the squares; its vectors
/// differ by up to 4 units in the last place then.) Where f32 would overflow or lose the length, f64 is used instead.
pub(crate) fn length_and_scale(v: &[f32]) -> (f32, f32) {
    let sum = v.iter().fold(0.0f32, |sum, &x| sum + x * x);
    if sum.is_finite() && sum > 1e-30 {
        let length = sum.sqrt();
        return (length, 1.0 / (length + 1e-30));
    }
    let length = v.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
    if length == 0.0 {
        return (0.0, 0.0);
    }
    // The factor may not fit f32 (a length of 1e-40): callers that need it use `normalise`.
    (length as f32, (1.0 / length) as f32)
}

/// Writes `v` scaled to unit length to `out` and returns its length. A zero vector stays zero.
pub(crate) fn normalise(v: &[f32], out: &mut [f32]) -> f32 {
    let (length, scale) = length_and_scale(v);
    if scale.is_finite() && scale >= f32::MIN_POSITIVE {
        for (to, from) in out.iter_mut().zip(v) {
            *to = from * scale;
        }
        return length;
    }
    let exact = v.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
    for (to, from) in out.iter_mut().zip(v) {
        *to = if exact == 0.0 { 0.0 } else { (f64::from(*from) / exact) as f32 };
    }
    length
}
