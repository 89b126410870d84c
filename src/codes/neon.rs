//! AArch64 Advanced SIMD. Rows are multiples of 32 bytes.

use std::arch::aarch64::*;

use super::sketch::{BLOCK, LEVELS};
use crate::distance::kernel::{Kernel, Ruler};

/// Squared L2 of unsigned bytes.
#[derive(Clone, Copy)]
pub(crate) struct L2;

/// Minus the dot product of signed bytes (the query's) and unsigned ones (a row's).
#[derive(Clone, Copy)]
pub(crate) struct Dot;

impl L2 {
    /// # Safety
    /// The CPU has NEON.
    #[inline(always)]
    unsafe fn step(acc: int32x4_t, q: uint8x16_t, row: uint8x16_t) -> int32x4_t {
        // SAFETY: the caller's promise.
        unsafe {
            let d = vabdq_u8(q, row);
            let (low, high) = (vmull_u8(vget_low_u8(d), vget_low_u8(d)), vmull_high_u8(d, d));
            let acc = vpadalq_u16(vreinterpretq_u32_s32(acc), low);
            vreinterpretq_s32_u32(vpadalq_u16(acc, high))
        }
    }

    fn end(sum: i32) -> i32 {
        sum
    }
}

impl Dot {
    /// # Safety
    /// As for [`L2::step`].
    #[inline(always)]
    unsafe fn step(acc: int32x4_t, q: uint8x16_t, row: uint8x16_t) -> int32x4_t {
        // SAFETY: the caller's promise.
        unsafe {
            // Signed bytes are multiplied with signed ones, a row's less 128: the products lack 128 times the query's
            // values, of which two fit 16 bits.
            let acc = vpadalq_s16(acc, vshlq_n_s16::<7>(vpaddlq_s8(vreinterpretq_s8_u8(q))));
            SketchDot::step(acc, q, veorq_u8(row, vdupq_n_u8(0x80)))
        }
    }

    fn end(sum: i32) -> i32 {
        -sum
    }
}

macro_rules! kernel {
    ($kernel:ident) => {
        impl Kernel for $kernel {
            type Distance = i32;
            type Sorted = crate::distance::sorted::Plain;
            const FOUR_AT_ONCE: bool = false;

            #[inline(always)]
            unsafe fn one(ruler: &Ruler<'_>, q: *const u8, row: *const u8) -> i32 {
                // SAFETY: the caller's promise: `dim` bytes, a multiple of 32, are readable at both.
                unsafe {
                    let mut acc = [vdupq_n_s32(0); 2];
                    let mut i = 0;
                    while i < ruler.dim() {
                        acc[0] = Self::step(acc[0], vld1q_u8(q.add(i)), vld1q_u8(row.add(i)));
                        acc[1] = Self::step(acc[1], vld1q_u8(q.add(i + 16)), vld1q_u8(row.add(i + 16)));
                        i += 32;
                    }
                    Self::end(vaddvq_s32(vaddq_s32(acc[0], acc[1])))
                }
            }

            #[inline(always)]
            unsafe fn four(ruler: &Ruler<'_>, q: *const u8, rows: [*const u8; 4]) -> [i32; 4] {
                // SAFETY: the caller's promise. The four chains are independent; the compiler interleaves them.
                rows.map(|row| unsafe { Self::one(ruler, q, row) })
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

impl SketchDot {
    /// # Safety
    /// The CPU has NEON. Both are taken as signed, which levels, below 128, are as well as unsigned.
    #[inline(always)]
    unsafe fn step(acc: int32x4_t, q: uint8x16_t, levels: uint8x16_t) -> int32x4_t {
        // SAFETY: the caller's promise.
        unsafe {
            let (q, levels) = (vreinterpretq_s8_u8(q), vreinterpretq_s8_u8(levels));
            let acc = vpadalq_s16(acc, vmull_s8(vget_low_s8(q), vget_low_s8(levels)));
            vpadalq_s16(acc, vmull_high_s8(q, levels))
        }
    }

    fn end(sum: i32) -> i32 {
        Dot::end(sum)
    }
}

macro_rules! sketch {
    ($kernel:ident, $steps:ident) => {
        impl Kernel for $kernel {
            type Distance = i32;
            type Sorted = crate::distance::sorted::Plain;
            const FOUR_AT_ONCE: bool = false;

            #[inline(always)]
            unsafe fn one(ruler: &Ruler<'_>, q: *const u8, row: *const u8) -> i32 {
                // SAFETY: the caller's promise: `dim` bytes, whole blocks, are readable in the row, levels and twice as
                // many values at `q`.
                unsafe {
                    let mut acc = [vdupq_n_s32(0); 2];
                    let (levels, half) = (vld1q_u8(q), vdupq_n_u8(15));
                    let mut i = 0;
                    while i < ruler.dim() {
                        let q = q.add(LEVELS + 2 * i);
                        for at in [0, 16] {
                            let both = vld1q_u8(row.add(i + at));
                            let low = vqtbl1q_u8(levels, vandq_u8(both, half));
                            let high = vqtbl1q_u8(levels, vshrq_n_u8::<4>(both));
                            acc[0] = $steps::step(acc[0], vld1q_u8(q.add(at)), low);
                            acc[1] = $steps::step(acc[1], vld1q_u8(q.add(BLOCK + at)), high);
                        }
                        i += BLOCK;
                    }
                    $steps::end(vaddvq_s32(vaddq_s32(acc[0], acc[1])))
                }
            }

            #[inline(always)]
            unsafe fn four(ruler: &Ruler<'_>, q: *const u8, rows: [*const u8; 4]) -> [i32; 4] {
                // SAFETY: the caller's promise. The four chains are independent; the compiler interleaves them.
                rows.map(|row| unsafe { Self::one(ruler, q, row) })
            }
        }
    };
}

sketch!(SketchL2, L2);
sketch!(SketchDot, SketchDot);
