//! AVX-512 with VNNI. Rows are multiples of 32 bytes; an odd 32 at the end are loaded as half a register.

use std::arch::x86_64::*;

use super::sketch::{BLOCK, LEVELS};
use crate::distance::kernel::{Kernel, Ruler};

/// Squared L2 of unsigned bytes.
#[derive(Clone, Copy)]
pub(crate) struct L2;

/// Minus the dot product of signed bytes (the query's) and unsigned ones (a row's).
#[derive(Clone, Copy)]
pub(crate) struct Dot;

/// The sums of four registers, in their order.
///
/// # Safety
/// The CPU has AVX-512F.
#[inline(always)]
unsafe fn sums(a0: __m512i, a1: __m512i, a2: __m512i, a3: __m512i) -> __m128i {
    // SAFETY: the caller's promise.
    unsafe {
        let s01 = _mm512_add_epi32(_mm512_unpacklo_epi32(a0, a1), _mm512_unpackhi_epi32(a0, a1));
        let s23 = _mm512_add_epi32(_mm512_unpacklo_epi32(a2, a3), _mm512_unpackhi_epi32(a2, a3));
        let s = _mm512_add_epi32(_mm512_unpacklo_epi64(s01, s23), _mm512_unpackhi_epi64(s01, s23));
        let s = _mm256_add_epi32(_mm512_castsi512_si256(s), _mm512_extracti64x4_epi64::<1>(s));
        _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256::<1>(s))
    }
}

/// The last 32 bytes of a row of an odd number of them.
///
/// # Safety
/// The CPU has AVX-512F; 32 bytes are readable.
#[inline(always)]
unsafe fn last(p: *const u8) -> __m512i {
    // SAFETY: the caller's promise.
    unsafe { _mm512_zextsi256_si512(_mm256_loadu_si256(p.cast())) }
}

impl L2 {
    /// # Safety
    /// The CPU has AVX-512BW and VNNI.
    #[inline(always)]
    unsafe fn step(acc: __m512i, q: __m512i, r: __m512i) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe {
            let d = _mm512_or_si512(_mm512_subs_epu8(q, r), _mm512_subs_epu8(r, q));
            let zero = _mm512_setzero_si512();
            let (low, high) = (_mm512_unpacklo_epi8(d, zero), _mm512_unpackhi_epi8(d, zero));
            _mm512_dpwssd_epi32(_mm512_dpwssd_epi32(acc, low, low), high, high)
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
    /// The CPU has AVX-512 VNNI.
    #[inline(always)]
    unsafe fn step(acc: __m512i, q: __m512i, r: __m512i) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe { _mm512_dpbusd_epi32(acc, r, q) }
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
            type Sorted = crate::distance::sorted::Avx512;
            const FOUR_AT_ONCE: bool = true;

            #[inline(always)]
            unsafe fn one(ruler: &Ruler<'_>, q: *const u8, row: *const u8) -> i32 {
                // SAFETY: the caller's promise: `dim` bytes, a multiple of 32, are readable at both.
                unsafe {
                    let mut acc = _mm512_setzero_si512();
                    let mut i = 0;
                    while i + 64 <= ruler.dim() {
                        acc =
                            Self::step(acc, _mm512_loadu_si512(q.add(i).cast()), _mm512_loadu_si512(row.add(i).cast()));
                        i += 64;
                    }
                    if i < ruler.dim() {
                        acc = Self::step(acc, last(q.add(i)), last(row.add(i)));
                    }
                    let zero = _mm512_setzero_si512();
                    _mm_cvtsi128_si32(Self::end(sums(acc, zero, zero, zero)))
                }
            }

            #[inline(always)]
            unsafe fn four(ruler: &Ruler<'_>, q: *const u8, rows: [*const u8; 4]) -> [i32; 4] {
                // SAFETY: the caller's promise, as above for each row.
                unsafe {
                    let [r0, r1, r2, r3] = rows;
                    let [mut a0, mut a1, mut a2, mut a3] = [_mm512_setzero_si512(); 4];
                    let mut i = 0;
                    while i + 64 <= ruler.dim() {
                        let x = _mm512_loadu_si512(q.add(i).cast());
                        a0 = Self::step(a0, x, _mm512_loadu_si512(r0.add(i).cast()));
                        a1 = Self::step(a1, x, _mm512_loadu_si512(r1.add(i).cast()));
                        a2 = Self::step(a2, x, _mm512_loadu_si512(r2.add(i).cast()));
                        a3 = Self::step(a3, x, _mm512_loadu_si512(r3.add(i).cast()));
                        i += 64;
                    }
                    if i < ruler.dim() {
                        let x = last(q.add(i));
                        a0 = Self::step(a0, x, last(r0.add(i)));
                        a1 = Self::step(a1, x, last(r1.add(i)));
                        a2 = Self::step(a2, x, last(r2.add(i)));
                        a3 = Self::step(a3, x, last(r3.add(i)));
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
    /// The CPU has AVX-512BW and VNNI. Both are below 128: differences are the same signed and unsigned.
    #[inline(always)]
    unsafe fn add(acc: __m512i, q: __m512i, r: __m512i) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe {
            let d = _mm512_or_si512(_mm512_subs_epu8(q, r), _mm512_subs_epu8(r, q));
            _mm512_dpbusd_epi32(acc, d, d)
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
    /// The CPU has AVX-512 VNNI.
    #[inline(always)]
    unsafe fn add(acc: __m512i, q: __m512i, r: __m512i) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe { _mm512_dpbusd_epi32(acc, r, q) }
    }

    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn end(sums: __m128i) -> __m128i {
        // SAFETY: the caller's promise.
        unsafe { _mm_sub_epi32(_mm_setzero_si128(), sums) }
    }
}

macro_rules! sketch {
    ($kernel:ident) => {
        impl $kernel {
            /// # Safety
            /// The CPU has AVX-512BW and VNNI; a block is readable at `row`.
            #[inline(always)]
            unsafe fn step(acc: __m512i, levels: __m512i, q: __m512i, row: *const u8) -> __m512i {
                // SAFETY: the caller's promise.
                unsafe {
                    let low = _mm256_loadu_si256(row.cast());
                    let high = _mm256_srli_epi16::<4>(low);
                    let both = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high);
                    Self::add(acc, q, _mm512_shuffle_epi8(levels, _mm512_and_si512(both, _mm512_set1_epi8(15))))
                }
            }
        }

        impl Kernel for $kernel {
            type Distance = i32;
            type Sorted = crate::distance::sorted::Avx512;
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
                    let [mut a0, mut a1, mut a2, mut a3] = [_mm512_setzero_si512(); 4];
                    let levels = _mm512_broadcast_i32x4(_mm_loadu_si128(q.cast()));
                    let q = q.add(LEVELS);
                    let mut i = 0;
                    while i < ruler.dim() {
                        let x = _mm512_loadu_si512(q.add(2 * i).cast());
                        a0 = Self::step(a0, levels, x, r0.add(i));
                        a1 = Self::step(a1, levels, x, r1.add(i));
                        a2 = Self::step(a2, levels, x, r2.add(i));
                        a3 = Self::step(a3, levels, x, r3.add(i));
                        i += BLOCK;
                    }
                    std::mem::transmute::<__m128i, [i32; 4]>(Self::end(sums(a0, a1, a2, a3)))
                }
            }
        }
    };
}

sketch!(SketchL2);
sketch!(SketchDot);
