//! AVX2 and FMA: the sixteen partial sums in two registers.

use std::arch::x86_64::*;

use super::{finish, Rows, LANES};

/// Squared L2, or inner product.
#[derive(Clone, Copy)]
pub(crate) struct Avx2<const IP: bool>;

/// Partial sums 0..8 and 8..16.
type Sums = (__m256, __m256);

impl<const IP: bool> Avx2<IP> {
    /// # Safety
    /// The CPU has AVX2 and FMA.
    #[inline(always)]
    unsafe fn step(acc: __m256, q: __m256, r: __m256) -> __m256 {
        // SAFETY: the caller's promise.
        unsafe {
            if IP {
                _mm256_fmadd_ps(q, r, acc)
            } else {
                let d = _mm256_sub_ps(q, r);
                _mm256_fmadd_ps(d, d, acc)
            }
        }
    }

    /// # Safety
    /// The CPU has AVX2 and FMA; `row` holds 16 floats.
    #[inline(always)]
    unsafe fn block(acc: Sums, q: Sums, row: *const f32) -> Sums {
        // SAFETY: the caller's promise.
        unsafe { (Self::step(acc.0, q.0, _mm256_loadu_ps(row)), Self::step(acc.1, q.1, _mm256_loadu_ps(row.add(8)))) }
    }

    /// # Safety
    /// The CPU has AVX2 and FMA; `row` holds the floats whose mask is set.
    #[inline(always)]
    unsafe fn tail(acc: Sums, q: Sums, row: *const f32, mask: (__m256i, __m256i)) -> Sums {
        // SAFETY: the caller's promise; masked loads touch no other floats.
        unsafe {
            let r = masked(row, mask);
            (Self::step(acc.0, q.0, r.0), Self::step(acc.1, q.1, r.1))
        }
    }

    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn sum(acc: Sums) -> f32 {
        // SAFETY: the caller's promise.
        unsafe {
            let eight = _mm256_add_ps(acc.0, acc.1);
            let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            finish::<IP>(_mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two))))
        }
    }
}

/// Masks for the first `count` (below 16) of 16 floats.
///
/// # Safety
/// The CPU has AVX2.
#[inline(always)]
unsafe fn masks(count: usize) -> (__m256i, __m256i) {
    // SAFETY: the caller's promise.
    unsafe {
        let (low, high) = (_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15));
        let count = _mm256_set1_epi32(count as i32);
        (_mm256_cmpgt_epi32(count, low), _mm256_cmpgt_epi32(count, high))
    }
}

/// # Safety
/// The CPU has AVX2; `p` holds the floats whose mask is set.
#[inline(always)]
unsafe fn masked(p: *const f32, mask: (__m256i, __m256i)) -> Sums {
    // SAFETY: the caller's promise. The address of the upper half is not used when its mask is empty.
    unsafe { (_mm256_maskload_ps(p, mask.0), _mm256_maskload_ps(p.wrapping_add(8), mask.1)) }
}

impl<const IP: bool> Rows for Avx2<IP> {
    type Sorted = super::sorted::Avx2;

    #[inline(always)]
    unsafe fn one(q: *const f32, row: *const f32, dim: usize) -> f32 {
        // SAFETY: the caller's promise: `dim` floats are readable at both.
        unsafe {
            let mut acc = (_mm256_setzero_ps(), _mm256_setzero_ps());
            let mut i = 0;
            while i + LANES <= dim {
                let x = (_mm256_loadu_ps(q.add(i)), _mm256_loadu_ps(q.add(i + 8)));
                acc = Self::block(acc, x, row.add(i));
                i += LANES;
            }
            if i < dim {
                let mask = masks(dim - i);
                acc = Self::tail(acc, masked(q.add(i), mask), row.add(i), mask);
            }
            Self::sum(acc)
        }
    }

    #[inline(always)]
    unsafe fn four(q: *const f32, rows: [*const f32; 4], dim: usize) -> [f32; 4] {
        // SAFETY: the caller's promise, as above for each row.
        unsafe {
            let zero = (_mm256_setzero_ps(), _mm256_setzero_ps());
            let [mut a0, mut a1, mut a2, mut a3] = [zero; 4];
            let [r0, r1, r2, r3] = rows;
            let mut i = 0;
            while i + LANES <= dim {
                let x = (_mm256_loadu_ps(q.add(i)), _mm256_loadu_ps(q.add(i + 8)));
                a0 = Self::block(a0, x, r0.add(i));
                a1 = Self::block(a1, x, r1.add(i));
                a2 = Self::block(a2, x, r2.add(i));
                a3 = Self::block(a3, x, r3.add(i));
                i += LANES;
            }
            if i < dim {
                let mask = masks(dim - i);
                let x = masked(q.add(i), mask);
                a0 = Self::tail(a0, x, r0.add(i), mask);
                a1 = Self::tail(a1, x, r1.add(i), mask);
                a2 = Self::tail(a2, x, r2.add(i), mask);
                a3 = Self::tail(a3, x, r3.add(i), mask);
            }
            [Self::sum(a0), Self::sum(a1), Self::sum(a2), Self::sum(a3)]
        }
    }
}
