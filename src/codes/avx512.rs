//! AVX-512 with VNNI. Rows are multiples of 32 bytes; an odd 32 at the end are loaded with a mask.

use std::arch::x86_64::*;

use super::sketch::{BLOCK, LEVELS};
use crate::distance::kernel::{Kernel, Ruler};

/// Squared L2 of unsigned bytes.
#[derive(Clone, Copy)]
pub(crate) struct L2;

/// Minus the dot product of signed bytes (the query's) and unsigned ones below 128 (a row's).
#[derive(Clone, Copy)]
pub(crate) struct Dot;

/// Mask of the bytes there are from `i` on, 64 or 32.
#[inline(always)]
fn mask(dim: usize, i: usize) -> __mmask64 {
    if dim - i >= 64 {
        !0
    } else {
        0xFFFF_FFFF
    }
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

    fn end(sum: i32) -> i32 {
        sum
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

    fn end(sum: i32) -> i32 {
        -sum
    }
}

macro_rules! kernel {
    ($kernel:ident) => {
        impl Kernel for $kernel {
            type Distance = i32;
            const FOUR_AT_ONCE: bool = true;

            #[inline(always)]
            unsafe fn one(ruler: &Ruler<'_>, q: *const u8, row: *const u8) -> i32 {
                // SAFETY: the caller's promise: `dim` bytes are readable at both, masked loads touch no more.
                unsafe {
                    let mut acc = _mm512_setzero_si512();
                    let mut i = 0;
                    while i < ruler.dim() {
                        let mask = mask(ruler.dim(), i);
                        let x = _mm512_maskz_loadu_epi8(mask, q.add(i).cast());
                        acc = Self::step(acc, x, _mm512_maskz_loadu_epi8(mask, row.add(i).cast()));
                        i += 64;
                    }
                    Self::end(_mm512_reduce_add_epi32(acc))
                }
            }

            #[inline(always)]
            unsafe fn four(ruler: &Ruler<'_>, q: *const u8, rows: [*const u8; 4]) -> [i32; 4] {
                // SAFETY: the caller's promise, as above for each row.
                unsafe {
                    let mut acc = [_mm512_setzero_si512(); 4];
                    let mut i = 0;
                    while i < ruler.dim() {
                        let mask = mask(ruler.dim(), i);
                        let x = _mm512_maskz_loadu_epi8(mask, q.add(i).cast());
                        for (acc, row) in acc.iter_mut().zip(rows) {
                            *acc = Self::step(*acc, x, _mm512_maskz_loadu_epi8(mask, row.add(i).cast()));
                        }
                        i += 64;
                    }
                    acc.map(|acc| Self::end(_mm512_reduce_add_epi32(acc)))
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

    fn end(sum: i32) -> i32 {
        sum
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

    fn end(sum: i32) -> i32 {
        -sum
    }
}

macro_rules! sketch {
    ($kernel:ident) => {
        impl Kernel for $kernel {
            type Distance = i32;
            const FOUR_AT_ONCE: bool = true;

            #[inline(always)]
            unsafe fn one(ruler: &Ruler<'_>, q: *const u8, row: *const u8) -> i32 {
                // SAFETY: the caller's promise.
                unsafe { Self::four(ruler, q, [row; 4])[0] }
            }

            #[inline(always)]
            unsafe fn four(ruler: &Ruler<'_>, q: *const u8, rows: [*const u8; 4]) -> [i32; 4] {
                // SAFETY: the caller's promise: `dim` bytes, whole blocks, are readable in each row, levels and twice as
                // many values at `q`.
                unsafe {
                    let mut acc = [_mm512_setzero_si512(); 4];
                    let (levels, half) = (_mm512_broadcast_i32x4(_mm_loadu_si128(q.cast())), _mm512_set1_epi8(15));
                    let q = q.add(LEVELS);
                    let mut i = 0;
                    while i < ruler.dim() {
                        let x = _mm512_loadu_si512(q.add(2 * i).cast());
                        for (acc, row) in acc.iter_mut().zip(rows) {
                            let low = _mm256_loadu_si256(row.add(i).cast());
                            let high = _mm256_srli_epi16::<4>(low);
                            let both = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high);
                            let row = _mm512_shuffle_epi8(levels, _mm512_and_si512(both, half));
                            *acc = Self::add(*acc, x, row);
                        }
                        i += BLOCK;
                    }
                    acc.map(|acc| Self::end(_mm512_reduce_add_epi32(acc)))
                }
            }
        }
    };
}

sketch!(SketchL2);
sketch!(SketchDot);
