//! AVX-512: the sixteen partial sums in one register.

use std::arch::x86_64::*;

use super::{finish, Rows, LANES};

/// Squared L2, or inner product.
#[derive(Clone, Copy)]
pub(crate) struct Avx512<const IP: bool>;

impl<const IP: bool> Avx512<IP> {
    /// # Safety
    /// The CPU has AVX-512F.
    #[inline(always)]
    unsafe fn step(acc: __m512, q: __m512, r: __m512) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe {
            if IP {
                _mm512_fmadd_ps(q, r, acc)
            } else {
                let d = _mm512_sub_ps(q, r);
                _mm512_fmadd_ps(d, d, acc)
            }
        }
    }
}

impl<const IP: bool> Rows for Avx512<IP> {
    type Sorted = super::sorted::Avx512;

    #[inline(always)]
    unsafe fn one(q: *const f32, row: *const f32, dim: usize) -> f32 {
        // SAFETY: the caller's promise: `dim` floats are readable at both, masked loads touch no more.
        unsafe {
            let mut acc = _mm512_setzero_ps();
            let mut i = 0;
            while i + LANES <= dim {
                acc = Self::step(acc, _mm512_loadu_ps(q.add(i)), _mm512_loadu_ps(row.add(i)));
                i += LANES;
            }
            if i < dim {
                let mask = ((1u32 << (dim - i)) - 1) as __mmask16;
                acc = Self::step(acc, _mm512_maskz_loadu_ps(mask, q.add(i)), _mm512_maskz_loadu_ps(mask, row.add(i)));
            }
            let eight = _mm256_add_ps(_mm512_castps512_ps256(acc), _mm512_extractf32x8_ps::<1>(acc));
            let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            finish::<IP>(_mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two))))
        }
    }

    #[inline(always)]
    unsafe fn four(q: *const f32, rows: [*const f32; 4], dim: usize) -> [f32; 4] {
        // SAFETY: the caller's promise, as above for each row.
        unsafe {
            let [r0, r1, r2, r3] = rows;
            let (mut a0, mut a1) = (_mm512_setzero_ps(), _mm512_setzero_ps());
            let (mut a2, mut a3) = (_mm512_setzero_ps(), _mm512_setzero_ps());
            let mut i = 0;
            while i + LANES <= dim {
                let x = _mm512_loadu_ps(q.add(i));
                a0 = Self::step(a0, x, _mm512_loadu_ps(r0.add(i)));
                a1 = Self::step(a1, x, _mm512_loadu_ps(r1.add(i)));
                a2 = Self::step(a2, x, _mm512_loadu_ps(r2.add(i)));
                a3 = Self::step(a3, x, _mm512_loadu_ps(r3.add(i)));
                i += LANES;
            }
            if i < dim {
                let mask = ((1u32 << (dim - i)) - 1) as __mmask16;
                let x = _mm512_maskz_loadu_ps(mask, q.add(i));
                a0 = Self::step(a0, x, _mm512_maskz_loadu_ps(mask, r0.add(i)));
                a1 = Self::step(a1, x, _mm512_maskz_loadu_ps(mask, r1.add(i)));
                a2 = Self::step(a2, x, _mm512_maskz_loadu_ps(mask, r2.add(i)));
                a3 = Self::step(a3, x, _mm512_maskz_loadu_ps(mask, r3.add(i)));
            }
            // The tree of four rows at once. In 128-bit quarters q0..q3 of a row: (q0+q2, q1+q3), then their sum.
            let s01 = _mm512_add_ps(_mm512_shuffle_f32x4::<0x44>(a0, a1), _mm512_shuffle_f32x4::<0xEE>(a0, a1));
            let s23 = _mm512_add_ps(_mm512_shuffle_f32x4::<0x44>(a2, a3), _mm512_shuffle_f32x4::<0xEE>(a2, a3));
            let s = _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(s01, s23), _mm512_shuffle_f32x4::<0xDD>(s01, s23));
            let s = _mm512_add_ps(s, _mm512_permute_ps::<0x4E>(s));
            let s = _mm512_add_ps(s, _mm512_permute_ps::<0xB1>(s));
            // One sum per quarter, in the order of the rows.
            let index = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
            let mut sums = _mm512_castps512_ps128(_mm512_permutexvar_ps(index, s));
            if IP {
                sums = _mm_sub_ps(_mm_set1_ps(1.0), sums);
            }
            std::mem::transmute::<__m128, [f32; 4]>(sums)
        }
    }
}
