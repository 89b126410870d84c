//! AVX2. Rows are multiples of 32 bytes.

use std::arch::x86_64::*;

use crate::distance::kernel::{Kernel, Ruler};

/// Squared L2 of unsigned bytes.
#[derive(Clone, Copy)]
pub(crate) struct L2;

/// Minus the dot product of signed bytes (the query's) and unsigned ones below 128 (a row's).
#[derive(Clone, Copy)]
pub(crate) struct Dot;

/// Four sums of eight values each.
///
/// # Safety
/// The CPU has AVX2.
#[inline(always)]
unsafe fn sums(a: __m256i, b: __m256i, c: __m256i, d: __m256i) -> __m128i {
    // SAFETY: the caller's promise.
    unsafe {
        let all = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
        _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256::<1>(all))
    }
}

impl L2 {
    /// # Safety
    /// The CPU has AVX2; 32 bytes are readable at `row`.
    #[inline(always)]
    unsafe fn step(acc: __m256i, q: __m256i, row: *const u8) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe {
            let r = _mm256_loadu_si256(row.cast());
            let d = _mm256_or_si256(_mm256_subs_epu8(q, r), _mm256_subs_epu8(r, q));
            let zero = _mm256_setzero_si256();
            let (low, high) = (_mm256_unpacklo_epi8(d, zero), _mm256_unpackhi_epi8(d, zero));
            _mm256_add_epi32(acc, _mm256_add_epi32(_mm256_madd_epi16(low, low), _mm256_madd_epi16(high, high)))
        }
    }

    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn end(sums: __m128i) -> __m128i {
        sums
    }
}

impl Dot {
    /// # Safety
    /// As for [`L2::step`].
    #[inline(always)]
    unsafe fn step(acc: __m256i, q: __m256i, row: *const u8) -> __m256i {
        // SAFETY: the caller's promise. Two products are at most 2 * 127 * 127: they do not saturate.
        unsafe {
            let pairs = _mm256_maddubs_epi16(_mm256_loadu_si256(row.cast()), q);
            _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        }
    }

    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn end(sums: __m128i) -> __m128i {
        // SAFETY: the caller's promise.
        unsafe { _mm_sub_epi32(_mm_setzero_si128(), sums) }
    }
}

macro_rules! kernel {
    ($kernel:ident) => {
        impl Kernel for $kernel {
            type Distance = i32;
            const FOUR_AT_ONCE: bool = true;

            #[inline(always)]
            unsafe fn one(ruler: &Ruler<'_>, q: *const u8, row: *const u8) -> i32 {
                // SAFETY: the caller's promise: `dim` bytes, a multiple of 32, are readable at both.
                unsafe {
                    let mut acc = _mm256_setzero_si256();
                    let mut i = 0;
                    while i < ruler.dim() {
                        acc = Self::step(acc, _mm256_loadu_si256(q.add(i).cast()), row.add(i));
                        i += 32;
                    }
                    let zero = _mm256_setzero_si256();
                    _mm_cvtsi128_si32(Self::end(sums(acc, zero, zero, zero)))
                }
            }

            #[inline(always)]
            unsafe fn four(ruler: &Ruler<'_>, q: *const u8, rows: [*const u8; 4]) -> [i32; 4] {
                // SAFETY: the caller's promise, as above for each row.
                unsafe {
                    let [r0, r1, r2, r3] = rows;
                    let [mut a0, mut a1, mut a2, mut a3] = [_mm256_setzero_si256(); 4];
                    let mut i = 0;
                    while i < ruler.dim() {
                        let x = _mm256_loadu_si256(q.add(i).cast());
                        a0 = Self::step(a0, x, r0.add(i));
                        a1 = Self::step(a1, x, r1.add(i));
                        a2 = Self::step(a2, x, r2.add(i));
                        a3 = Self::step(a3, x, r3.add(i));
                        i += 32;
                    }
                    std::mem::transmute::<__m128i, [i32; 4]>(Self::end(sums(a0, a1, a2, a3)))
                }
            }
        }
    };
}

kernel!(L2);
kernel!(Dot);
