//! The kernels, against the plain ones.

use rand::{rngs::SmallRng, Rng, SeedableRng};

use super::super::quantiser::PAIR;
use super::super::tiles::{self, Queries, Rows};
use super::super::{scalar, sketch, PADDING};
use crate::distance::kernel::{Kernel, Ruler};

/// A query's signed bytes.
fn pairs(rng: &mut SmallRng, dim: usize) -> Vec<u8> {
    let mut pair = || {
        let a: i32 = rng.random_range(-127..=127);
        [a as u8, rng.random_range((-PAIR - a.min(0)).max(-127)..=(PAIR - a.max(0)).min(127)) as u8]
    };
    (0..dim / 2).flat_map(|_| pair()).collect()
}

/// Rows of every length, with the extremes that a kernel could overflow at.
fn agrees<K: Kernel<Distance = i32>, R: Kernel<Distance = i32>>(top: u8, signed: bool) {
    let mut rng = SmallRng::seed_from_u64(11);
    for dim in (1..=16).map(|n| 32 * n).chain([768, 1536, 16_384]) {
        for extreme in [false, true] {
            let mut rows: Vec<Vec<u8>> =
                (0..4).map(|_| (0..dim).map(|_| rng.random_range(0..=top)).collect()).collect();
            let mut q: Vec<u8> = if signed { pairs(&mut rng, dim) } else { (0..dim).map(|_| rng.random()).collect() };
            if extreme {
                rows[0].fill(top);
                rows[1].fill(0);
                let side = (PAIR / 2) as i8;
                q.fill(if signed { -side as u8 } else { 255 });
                if signed {
                    q[dim / 2..].fill(side as u8);
                    (q[0], q[1]) = (-127i8 as u8, -1i8 as u8);
                }
            }
            let ruler = Ruler::values(dim, 0);
            // SAFETY: all have `dim` bytes; the callers checked the CPU.
            unsafe {
                let pointers = [rows[0].as_ptr(), rows[1].as_ptr(), rows[2].as_ptr(), rows[3].as_ptr()];
                let expected = R::four(&ruler, q.as_ptr(), pointers);
                assert_eq!(K::four(&ruler, q.as_ptr(), pointers), expected, "dim {dim}");
                assert_eq!(pointers.map(|row| K::one(&ruler, q.as_ptr(), row)), expected, "dim {dim}");
            }
        }
    }
}

/// The same for sketches, with levels and queries at the ends of their ranges, too.
fn agrees_on_sketches<K: Kernel<Distance = i32>, R: Kernel<Distance = i32>>(signed: bool) {
    let mut rng = SmallRng::seed_from_u64(17);
    for dim in [1, 64, 65, 100, 128, 384, 1000, 16_384] {
        let stride = sketch::stride(dim);
        for extreme in [false, true] {
            let mut rows: Vec<Vec<u8>> = (0..4).map(|_| (0..stride).map(|_| rng.random()).collect()).collect();
            let value = |rng: &mut SmallRng| {
                if signed {
                    rng.random_range(-127i8..=127) as u8
                } else {
                    rng.random_range(0..=127)
                }
            };
            let mut q: Vec<u8> = (0..sketch::LEVELS + 2 * stride).map(|_| value(&mut rng)).collect();
            let mut levels: Vec<u8> = (0..16).map(|_| rng.random_range(0..=127)).collect();
            if extreme {
                (levels[0], levels[15]) = (0, 127);
                rows[0].fill(0xFF);
                rows[1].fill(0);
                q.fill(if signed { -127i8 as u8 } else { 127 });
            }
            q[..16].copy_from_slice(&levels);
            q[16..32].copy_from_slice(&levels);
            let ruler = Ruler::values(stride, 0);
            // SAFETY: rows of `stride` bytes, levels and values for them; the callers checked the CPU.
            unsafe {
                let pointers = [rows[0].as_ptr(), rows[1].as_ptr(), rows[2].as_ptr(), rows[3].as_ptr()];
                let expected = R::four(&ruler, q.as_ptr(), pointers);
                assert_eq!(K::four(&ruler, q.as_ptr(), pointers), expected, "dim {dim}");
                assert_eq!(pointers.map(|row| K::one(&ruler, q.as_ptr(), row)), expected, "dim {dim}");
            }
        }
    }
}

#[test]
fn every_instruction_set_gives_the_same_integers() {
    #[cfg(target_arch = "x86_64")]
    {
        use super::super::{avx2, avx512};
        use crate::distance::Level;
        if Level::detected() >= Level::Avx2 {
            agrees::<avx2::L2, scalar::L2>(255, false);
            agrees::<avx2::Dot, scalar::Dot>(255, true);
            agrees_on_sketches::<avx2::SketchL2, scalar::SketchL2>(false);
            agrees_on_sketches::<avx2::SketchDot, scalar::SketchDot>(true);
        }
        if Level::detected() >= Level::Avx512 && Level::has_vnni() {
            agrees::<avx512::L2, scalar::L2>(255, false);
            agrees::<avx512::Dot, scalar::Dot>(255, true);
            agrees_on_sketches::<avx512::SketchL2, scalar::SketchL2>(false);
            agrees_on_sketches::<avx512::SketchDot, scalar::SketchDot>(true);
        }
    }
    #[cfg(target_arch = "aarch64")]
    {
        agrees::<super::super::neon::L2, scalar::L2>(255, false);
        agrees::<super::super::neon::Dot, scalar::Dot>(255, true);
        agrees_on_sketches::<super::super::neon::SketchL2, scalar::SketchL2>(false);
        agrees_on_sketches::<super::super::neon::SketchDot, scalar::SketchDot>(true);
    }
    agrees::<scalar::L2, scalar::L2>(255, false);
}

/// Many with many, in tiles that are full or not, is one with one.
fn agrees_in_tiles<R: Kernel<Distance = i32>>(dim: usize, top: u8, signed: bool, are_sketches: bool) {
    let mut rng = SmallRng::seed_from_u64(19);
    let stride = if are_sketches { sketch::stride(dim) } else { dim.next_multiple_of(PADDING) };
    let values = if are_sketches { 2 * stride } else { stride };
    let mut levels: [u8; 16] = std::array::from_fn(|_| rng.random_range(0..=127));
    (levels[3], levels[15]) = (0, 127);
    for count in [1, 15, 16, 17, 32, 33, 100] {
        let mut row = |at: usize| -> Vec<u8> {
            match at {
                0 if are_sketches => vec![0xFF; stride],
                1 if are_sketches => vec![0x33; stride],
                _ if are_sketches => (0..stride).map(|_| rng.random()).collect(),
                // What pads a code is 0.
                0 => (0..stride).map(|i| if i < dim { top } else { 0 }).collect(),
                1 => vec![0; stride],
                _ => (0..stride).map(|i| if i < dim { rng.random_range(0..=top) } else { 0 }).collect(),
            }
        };
        let rows: Vec<Vec<u8>> = (0..count).map(&mut row).collect();
        let query = |at: usize| -> Vec<u8> {
            let value = |i: usize| match at {
                0 if signed => -127i8 as u8,
                0 => top,
                1 => 0,
                _ if signed => (i * 37 % 255) as u8 & !128 | (i as u8) << 7,
                _ => ((i * 91 + at) % (usize::from(top) + 1)) as u8,
            };
            (0..values).map(|i| if i < dim || are_sketches { value(i) } else { 0 }).collect()
        };
        let queries: Vec<Vec<u8>> = (0..19).map(query).collect();
        let block = rows.concat();
        let measured = |query: &[u8]| -> Vec<i32> {
            let query: Vec<u8> = if are_sketches { [&levels, &levels, query].concat() } else { query.to_vec() };
            // SAFETY: rows of `stride` bytes, and a query of as many values.
            let one = |row: &Vec<u8>| unsafe { R::one(&Ruler::values(stride, 0), query.as_ptr(), row.as_ptr()) };
            rows.iter().map(one).collect()
        };
        for kept in [4, 200] {
            let mut tiles = Queries::default();
            // Sketches are measured to the end of their blocks here, as values are given.
            assert!(tiles.reset(queries.len(), 2 * kept, (if are_sketches { values } else { dim }, !signed)));
            // All but one are set.
            (0..19).filter(|at| *at != 7).for_each(|at| tiles.set(at, &queries[at]));
            // The last row is elsewhere: what is in its place must not be read.
            let (last, mut block) = (&rows[count - 1], block.clone());
            block[(count - 1) * stride..].fill(0x55);
            let rows = Rows {
                first: block.as_ptr(),
                stride,
                moved: (count - 1, last.as_ptr()),
                levels: are_sketches.then_some(&levels),
            };
            let mut reduce = |list: &mut Vec<u64>| {
                list.sort_unstable();
                list.truncate(kept);
                tiles::score(list[kept - 1])
            };
            // SAFETY: the caller checked the CPU; the block has the rows.
            unsafe {
                tiles::scan(&mut tiles, rows, count / 3..count, &mut reduce);
                tiles::scan(&mut tiles, rows, 0..count / 3, &mut reduce);
            }
            for (at, query) in queries.iter().enumerate() {
                let Some((list, offset)) = tiles.found(at) else {
                    assert_eq!(at, 7);
                    continue;
                };
                list.sort_unstable();
                let found: Vec<i32> = list.iter().map(|entry| tiles::score(*entry) + offset).collect();
                let all = measured(query);
                let mut nearest = all.clone();
                nearest.sort_unstable();
                let kept = kept.min(count);
                assert_eq!(found[..kept], nearest[..kept], "dim {dim}, {count} rows, query {at}");
                assert!(list.iter().zip(&found).all(|(entry, distance)| all[tiles::id(*entry) as usize] == *distance));
            }
        }
    }
}

#[test]
fn many_queries_and_rows_are_measured_as_one_and_one() {
    if !tiles::is_there() {
        return println!("there is no loop for many queries and rows on this machine");
    }
    for dim in [1, 4, 31, 64, 65, 100, 160, 1000, 16_384] {
        agrees_in_tiles::<scalar::L2>(dim, 255, false, false);
        agrees_in_tiles::<scalar::Dot>(dim, 255, true, false);
        agrees_in_tiles::<scalar::SketchL2>(dim, 127, false, true);
        agrees_in_tiles::<scalar::SketchDot>(dim, 127, true, true);
    }
}
