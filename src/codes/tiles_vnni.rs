//! Many queries against many rows: AVX-512 with VNNI. Thirty-two rows at a time are turned so that four values of
//! sixteen rows fill a register; those of a query are then multiplied with all of them, so that no sum goes across a
//! register, and a row is fetched from memory once for all queries.

#![allow(
    clippy::needless_range_loop,
    reason = "iterators over registers stay calls here: adds took 1.17 of the time (GloVe)"
)]

use std::arch::x86_64::*;
use std::ops::Range;

use super::sketch::BLOCK;
use super::tiles::{Queries, Reduce, Rows, AT_ONCE, GROUPS, LANES};

const TILE: usize = LANES * GROUPS;

/// [`super::tiles::scan`].
///
/// # Safety
/// The CPU has AVX-512 with BW, VL and VNNI. Rows are readable.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
pub(super) unsafe fn scan(queries: &mut Queries, rows: Rows<'_>, ids: Range<usize>, reduce: &mut Reduce<'_>) {
    let Queries { values, bounds, found, full, steps, is_l2, tile, .. } = queries;
    let (full, steps, is_l2) = (*full, *steps, *is_l2);
    let mut start = ids.start + ids.len().next_multiple_of(TILE);
    while start > ids.start {
        start -= TILE;
        let (left, last) = (ids.end - start, ids.end - 1);
        // SAFETY: the caller's promise.
        let norms = unsafe {
            [turn(rows, (start, last), (tile, 0), is_l2), turn(rows, (start + LANES, last), (tile, 1), is_l2)]
        };
        let mut eight = 0;
        while eight * AT_ONCE < bounds.len() {
            // SAFETY: the caller's promise.
            let sums = unsafe { products(tile, &values[eight * steps..(eight + 1) * steps]) };
            let bounds = &mut bounds[eight * AT_ONCE..(eight + 1) * AT_ONCE];
            for at in 0..AT_ONCE {
                for group in 0..GROUPS {
                    let sums = sums[at][group];
                    let twice = if is_l2 { _mm512_slli_epi32::<1>(sums) } else { sums };
                    let scores = _mm512_sub_epi32(norms[group], twice);
                    let below = _mm512_cmplt_epi32_mask(scores, _mm512_set1_epi32(bounds[at]));
                    if below != 0 {
                        let there = left.saturating_sub(group * LANES).min(LANES);
                        let below = below & ((1u32 << there) - 1) as u16;
                        let list = &mut found[eight * AT_ONCE + at];
                        put(list, scores, start + group * LANES, below);
                        if list.len() > full {
                            bounds[at] = reduce(list);
                        }
                    }
                }
            }
            eight += 1;
        }
    }
}

/// Appends the scores in `scores` whose bits are set, as entries of the ids from `first` on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
fn put(list: &mut Vec<u64>, scores: __m512i, first: usize, set: u16) {
    assert!(list.capacity() - list.len() >= LANES);
    // As numbers without a sign they order as they do.
    let scores = _mm512_xor_si512(scores, _mm512_set1_epi32(i32::MIN));
    let halves = [_mm512_castsi512_si256(scores), _mm512_extracti64x4_epi64::<1>(scores)];
    let ids =
        _mm512_sub_epi64(_mm512_set1_epi64(i64::from(!(first as u32))), _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
    for half in 0..2 {
        let set = (set >> (8 * half)) as u8;
        let ids = _mm512_sub_epi64(ids, _mm512_set1_epi64(8 * half as i64));
        let entries = _mm512_or_si512(_mm512_slli_epi64::<32>(_mm512_cvtepu32_epi64(halves[half])), ids);
        // SAFETY: there is room for 16 from the length on, of which each half takes no more than 8.
        unsafe {
            let end = list.as_mut_ptr().add(list.len());
            _mm512_storeu_si512(end.cast(), _mm512_maskz_compress_epi64(set, entries));
            list.set_len(list.len() + set.count_ones() as usize);
        }
    }
}

/// Sums of products of eight queries with the rows of a tile.
///
/// # Safety
/// As [`scan`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
unsafe fn products(tile: &[[i32; LANES]], values: &[[i32; AT_ONCE]]) -> [[__m512i; GROUPS]; AT_ONCE] {
    let mut sums = [[_mm512_setzero_si512(); GROUPS]; AT_ONCE];
    assert!(tile.len() == GROUPS * values.len());
    for step in 0..values.len() {
        // SAFETY: 64 bytes each, inside the tile.
        let rows = unsafe {
            let first = tile.as_ptr().add(GROUPS * step);
            [_mm512_loadu_si512(first.cast()), _mm512_loadu_si512(first.add(1).cast())]
        };
        for at in 0..AT_ONCE {
            let value = _mm512_set1_epi32(values[step][at]);
            for group in 0..GROUPS {
                sums[at][group] = _mm512_dpbusd_epi32(sums[at][group], rows[group], value);
            }
        }
    }
    sums
}

/// Turns 16 rows, those from `start` on, into a group of the tile; what is beyond the last is the last. Returns what is
/// added to their scores, for squared L2: the square, less what the flipped sign of a query's bytes brings.
///
/// # Safety
/// As [`scan`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
unsafe fn turn(
    rows: Rows<'_>,
    (start, last): (usize, usize),
    (tile, group): (&mut [[i32; LANES]], usize),
    is_l2: bool,
) -> __m512i {
    let steps = tile.len() / GROUPS;
    let (mut squares, mut values) = (_mm512_setzero_si512(), _mm512_setzero_si512());
    for first in (0..steps).step_by(LANES) {
        let mut lines = [_mm512_setzero_si512(); LANES];
        for lane in 0..LANES {
            // SAFETY: a row that is there; blocks of a sketch are whole, codes are read up to their end.
            lines[lane] = unsafe {
                let row = rows.row((start + lane).min(last));
                if let Some(levels) = rows.levels {
                    opened(row.add(first / LANES * BLOCK), levels)
                } else if first * 4 + 64 <= rows.stride {
                    _mm512_loadu_si512(row.add(first * 4).cast())
                } else {
                    _mm512_zextsi256_si512(_mm256_loadu_si256(row.add(first * 4).cast()))
                }
            };
        }
        let turned = turned(lines);
        for at in 0..LANES.min(steps - first) {
            let line = turned[at];
            // SAFETY: 64 bytes.
            unsafe { _mm512_storeu_si512(tile[(first + at) * GROUPS + group].as_mut_ptr().cast(), line) };
            if is_l2 {
                let (even, odd) = (_mm512_set1_epi32(0x00ff_00ff), _mm512_srli_epi16::<8>(line));
                let even = _mm512_and_si512(line, even);
                squares = _mm512_dpwssd_epi32(_mm512_dpwssd_epi32(squares, even, even), odd, odd);
                values = _mm512_dpbusd_epi32(values, line, _mm512_set1_epi8(1));
            }
        }
    }
    _mm512_sub_epi32(squares, _mm512_slli_epi32::<8>(values))
}

/// The values of a block of a sketch.
///
/// # Safety
/// As [`scan`]; a block is readable at `block`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
unsafe fn opened(block: *const u8, levels: &[u8; 16]) -> __m512i {
    // SAFETY: the caller's promise.
    let (low, levels) = unsafe { (_mm256_loadu_si256(block.cast()), _mm_loadu_si128(levels.as_ptr().cast())) };
    let both = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), _mm256_srli_epi16::<4>(low));
    _mm512_shuffle_epi8(_mm512_broadcast_i32x4(levels), _mm512_and_si512(both, _mm512_set1_epi8(15)))
}

/// Register `i` of the result has word `i` of each line.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
fn turned(lines: [__m512i; LANES]) -> [__m512i; LANES] {
    // In each quarter of a register: words of two lines, of four; then quarters.
    let mut fours = [_mm512_setzero_si512(); LANES];
    for at in (0..LANES).step_by(4) {
        let [a, b, c, d] = [lines[at], lines[at + 1], lines[at + 2], lines[at + 3]];
        let (ab, cd) = (_mm512_unpacklo_epi32(a, b), _mm512_unpacklo_epi32(c, d));
        fours[at] = _mm512_unpacklo_epi64(ab, cd);
        fours[at + 1] = _mm512_unpackhi_epi64(ab, cd);
        let (ab, cd) = (_mm512_unpackhi_epi32(a, b), _mm512_unpackhi_epi32(c, d));
        fours[at + 2] = _mm512_unpacklo_epi64(ab, cd);
        fours[at + 3] = _mm512_unpackhi_epi64(ab, cd);
    }
    let mut turned = [_mm512_setzero_si512(); LANES];
    for at in 0..4 {
        let (a, b, c, d) = (fours[at], fours[at + 4], fours[at + 8], fours[at + 12]);
        let (front, back) = (_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0x88>(c, d));
        turned[at] = _mm512_shuffle_i32x4::<0x88>(front, back);
        turned[at + 8] = _mm512_shuffle_i32x4::<0xdd>(front, back);
        let (front, back) = (_mm512_shuffle_i32x4::<0xdd>(a, b), _mm512_shuffle_i32x4::<0xdd>(c, d));
        turned[at + 4] = _mm512_shuffle_i32x4::<0x88>(front, back);
        turned[at + 12] = _mm512_shuffle_i32x4::<0xdd>(front, back);
    }
    turned
}
