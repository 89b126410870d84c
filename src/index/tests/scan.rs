//! Guided adds of many rows, whose candidates are looked up together.

use super::*;
use crate::codes::scalar;
use crate::index::coded::{by_sketches, Measured};
use crate::search::scan;

fn add_guided(index: &Index, vectors: &[f32], labels: &[u64], threads: usize) -> Result<(), Error> {
    let mode = AddMode { guided: true, ..AddMode::default() };
    index.add(vectors, labels, mode, threads, true, &mut |_, _| {})
}

/// What is found are the nearest of all records by what one at a time is measured, at the same distances; none is deleted.
#[test]
fn a_scan_finds_the_nearest() {
    const EF: usize = 60;
    let mut rng = SmallRng::seed_from_u64(41);
    let kinds =
        [Metric::Cosine, Metric::Ip, Metric::L2].into_iter().flat_map(|m| [(m, 5), (m, 40), (m, 130), (m, 131)]);
    for (metric, dim, integers) in kinds.map(|(m, dim)| (m, dim, false)).chain([(Metric::L2, 30, true)]) {
        let index = Index::new(&Params { metric, ef_construction: EF, ..Params::new(dim) }).unwrap();
        let (mut vectors, mut new) = (random(&mut rng, 1501, dim), random(&mut rng, 37, dim));
        if integers {
            vectors.iter_mut().chain(&mut new).for_each(|x| *x = (*x * 127.0 + 127.0).round());
        }
        add(&index, &vectors, &(0..1501).collect::<Vec<u64>>()).unwrap();
        for deleted in [false, true] {
            if deleted {
                (0..1501).step_by(7).for_each(|label| index.mark_deleted(label).unwrap());
            }
            index.core.with_scratch(|scratch| {
                scratch.make_lanes(1, index.store());
                // The label of row 20 is there already.
                let labels: Vec<u64> = (0..37).map(|row| if row == 20 { 3 } else { 5000 + row }).collect();
                index.look_up(&new, &labels, 1..37, scratch);
                let Scratch { cell, scan, lanes, vector, .. } = scratch;
                let view = View::open(index.store(), cell, index.ruler());
                let codes = view.codes().unwrap();
                let measured = Measured::of(&view, codes, by_sketches(codes, EF)).unwrap();
                let sketches = measured.by_sketches;
                let coded = &mut lanes[0].coded;
                for row in 0..37 {
                    let mut near = Vec::new();
                    let count = scan.take(row, &measured.walk, deleted, &mut near);
                    let expected = (tiles::is_there() && row != 0 && row != 20).then_some(1501);
                    assert_eq!(count, expected, "{metric:?}, {dim}, row {row}");
                    if count.is_none() {
                        continue;
                    }
                    index.prepare(&new[row * dim..(row + 1) * dim], vector);
                    codes.prepare(vector.floats(), coded);
                    coded.lossless &= integers;
                    let (query, _) = measured.for_query(coded, EF, 1);
                    let measure = |slot| match (metric, sketches) {
                        (Metric::L2, false) => measured.walk.distance::<scalar::L2>(query, slot),
                        (Metric::L2, true) => measured.walk.distance::<scalar::SketchL2>(query, slot),
                        (_, false) => measured.walk.distance::<scalar::Dot>(query, slot),
                        (_, true) => measured.walk.distance::<scalar::SketchDot>(query, slot),
                    };
                    let alive = index.store().slots().filter(|slot| !view.is_deleted(*slot));
                    let mut all: Vec<i32> = alive.map(measure).collect();
                    all.sort_unstable();
                    let distances: Vec<i32> = near.iter().map(|near| near.distance).collect();
                    assert_eq!(distances, all[..EF], "{metric:?}, {dim}, row {row}");
                    for near in near {
                        assert!(!view.is_deleted(near.slot), "{metric:?}, {dim}, row {row}");
                        assert_eq!(near.distance, measure(near.slot), "{metric:?}, {dim}, row {row}");
                    }
                }
            });
        }
    }
}

/// Rows that are looked up together find each other.
#[test]
fn rows_of_a_block_are_linked_to_each_other() {
    let mut rng = SmallRng::seed_from_u64(42);
    for threads in [1, 3] {
        let index = Index::new(&Params { ef_construction: 50, ..Params::new(20) }).unwrap();
        add(&index, &random(&mut rng, 1200, 20), &(0..1200).collect::<Vec<u64>>()).unwrap();
        // Far from all others, but within what codes were trained on.
        let far = |x: &f32| 0.9 + x / 20.0;
        let vectors: Vec<f32> = random(&mut rng, 400, 20).iter().map(far).collect();
        add_guided(&index, &vectors, &(2000..2400).collect::<Vec<u64>>(), threads).unwrap();
        let queries: Vec<f32> = random(&mut rng, 100, 20).iter().map(far).collect();
        let found = search(&index, &queries, 10, 50);
        let nearest = search(&index, &queries, 10, 1600);
        assert!(nearest.iter().all(|(label, _)| *label >= 2000));
        assert!(shared(&found, &nearest, 10) > 0.97, "{threads} threads: {}", shared(&found, &nearest, 10));
    }
}

/// Labels that exist, come twice, or fail, in blocks of several threads: each row does what it does alone.
#[test]
fn rows_of_a_block_do_what_they_do_alone() {
    const DIM: usize = 12;
    let mut rng = SmallRng::seed_from_u64(43);
    for threads in [1, 4] {
        let index = Index::new(&Params { ef_construction: 40, max_elements: 2700, ..Params::new(DIM) }).unwrap();
        let vectors = random(&mut rng, 1500, DIM);
        add(&index, &vectors, &(0..1500).collect::<Vec<u64>>()).unwrap();
        let mut new = random(&mut rng, 2 * scan::MOST * 5, DIM);
        // Every fourth row gives one that is there another vector; the last of one label is the one that stays.
        let labels: Vec<u64> = (0..1280u64).map(|row| if row % 4 == 0 { row / 4 } else { 3000 + row }).collect();
        new[777 * DIM] = f32::NAN;
        let mode = AddMode { guided: true, ..AddMode::default() };
        let mut failed = Vec::new();
        let mut rows = 0;
        let mut report = |row, error: Option<&Error>| {
            rows += 1;
            failed.extend(error.map(|_| row));
        };
        assert!(index.add(&new, &labels, mode, threads, true, &mut report).is_err());
        assert_eq!((rows, &failed[..]), (1280, &[777][..]), "{threads} threads");
        assert_eq!(index.count(), 1500 + 960 - 1);
        let mut back = vec![0.0; DIM];
        for (row, label) in labels.iter().enumerate().filter(|(row, _)| *row != 777) {
            index.get(&[*label], &mut back).unwrap();
            assert_eq!(back, new[row * DIM..(row + 1) * DIM]);
        }
        new[777 * DIM] = 0.0;
        let found = search(&index, &new, 1, 100);
        let own = found.iter().zip(&labels).filter(|((found, _), label)| found == *label).count();
        assert!(own >= 1270, "{threads} threads: {own} of 1279 find themselves");
        // All at once, or nothing: a row that is not finite, and a label that exists.
        new[777 * DIM] = f32::INFINITY;
        let none = index.add(&new, &labels, mode, threads, false, &mut |_, _| {});
        assert!(none.is_err() && index.count() == 1500 + 960 - 1);
        // Until it is full.
        let many = random(&mut rng, 400, DIM);
        let full = index.add(&many, &(9000..9400).collect::<Vec<u64>>(), mode, threads, false, &mut |_, _| {});
        assert!(matches!(full, Err(Error::Full(_))) && index.count() == 2700, "{full:?}");
    }
}
