//! AVX2. Rows are multiples of 32 bytes, those of sketches, too.

use std::arch::x86_64::*;

use super::sketch::{BLOCK, LEVELS};
use crate::distance::kernel::{Kernel, Ruler};

/// Squared L2 of unsigned bytes.
#[derive(Clone, Copy)]
pub(crate) struct L2;

/// Minus the dot product of signed bytes (the query's) and unsigned ones (a row's). Of the query's the first and the
/// second, the third and the fourth and so on are at most [`PAIR`](super::quantiser::PAIR) together.
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
        // SAFETY: the caller's promise. Two products are at most 255 * 128: they do not saturate.
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
            type Sorted = crate::distance::sorted::Avx2;
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

/// [`L2`] of sketches.
#[derive(Clone, Copy)]
pub(crate) struct SketchL2;

/// [`Dot`] of sketches.
#[derive(Clone, Copy)]
pub(crate) struct SketchDot;

impl SketchL2 {
    /// # Safety
    /// The CPU has AVX2. Both are below 128, so that two squares fit 16 bits.
    #[inline(always)]
    unsafe fn add(acc: __m256i, q: __m256i, r: __m256i) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe {
            let d = _mm256_or_si256(_mm256_subs_epu8(q, r), _mm256_subs_epu8(r, q));
            _mm256_add_epi32(acc, _mm256_madd_epi16(_mm256_maddubs_epi16(d, d), _mm256_set1_epi16(1)))
        }
    }

    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn end(sums: __m128i) -> __m128i {
        sums
    }
}

impl SketchDot {
    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn add(acc: __m256i, q: __m256i, r: __m256i) -> __m256i {
        // SAFETY: the caller's promise. Two products are at most 2 * 127 * 127: they do not saturate.
        unsafe { _mm256_add_epi32(acc, _mm256_madd_epi16(_mm256_maddubs_epi16(r, q), _mm256_set1_epi16(1))) }
    }

    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn end(sums: __m128i) -> __m128i {
        // SAFETY: the caller's promise.
        unsafe { Dot::end(sums) }
    }
}

macro_rules! sketch {
    ($kernel:ident) => {
        impl $kernel {
            /// # Safety
            /// The CPU has AVX2; a block is readable at `row`, its values at `q`.
            #[inline(always)]
            unsafe fn step(acc: __m256i, levels: __m256i, q: [__m256i; 2], row: *const u8) -> __m256i {
                // SAFETY: the caller's promise.
                unsafe {
                    let (both, half) = (_mm256_loadu_si256(row.cast()), _mm256_set1_epi8(15));
                    let (low, high) =
                        (_mm256_and_si256(both, half), _mm256_and_si256(_mm256_srli_epi16::<4>(both), half));
                    let acc = Self::add(acc, q[0], _mm256_shuffle_epi8(levels, low));
                    Self::add(acc, q[1], _mm256_shuffle_epi8(levels, high))
                }
            }
        }

        impl Kernel for $kernel {
            type Distance = i32;
            type Sorted = crate::distance::sorted::Avx2;
            const FOUR_AT_ONCE: bool = true;

            #[inline(always)]
            unsafe fn one(ruler: &Ruler<'_>, q: *const u8, row: *const u8) -> i32 {
                // SAFETY: the caller's promise.
                unsafe { Self::four(ruler, q, [row; 4])[0] }
            }

            #[inline(always)]
            unsafe fn four(ruler: &Ruler<'_>, q: *const u8, rows: [*const u8; 4]) -> [i32; 4] {
                // SAFETY: the caller's promise: `dim` bytes, whole blocks, are readable in each row, levels and twice
                // as many values at `q`.
                unsafe {
                    let [r0, r1, r2, r3] = rows;
                    let [mut a0, mut a1, mut a2, mut a3] = [_mm256_setzero_si256(); 4];
                    let levels = _mm256_loadu_si256(q.cast());
                    let mut q = q.add(LEVELS);
                    let mut i = 0;
                    while i < ruler.dim() {
                        let x = [_mm256_loadu_si256(q.cast()), _mm256_loadu_si256(q.add(BLOCK).cast())];
                        a0 = Self::step(a0, levels, x, r0.add(i));
                        a1 = Self::step(a1, levels, x, r1.add(i));
                        a2 = Self::step(a2, levels, x, r2.add(i));
                        a3 = Self::step(a3, levels, x, r3.add(i));
                        i += BLOCK;
                        q = q.add(2 * BLOCK);
                    }
                    std::mem::transmute::<__m128i, [i32; 4]>(Self::end(sums(a0, a1, a2, a3)))
                }
            }
        }
    };
}

sketch!(SketchL2);
sketch!(SketchDot);
