//! Guided adds of many rows, whose candidates are looked up together.

use super::*;
use crate::codes::scalar;
use crate::index::coded::{by_sketches, Measured};
use crate::search::lanes::make_lanes;
use crate::search::scan;

fn add_guided(index: &Index, vectors: &[f32], labels: &[u64], threads: usize) -> Result<(), Error> {
    let mode = AddMode { guided: true, ..AddMode::default() };
    index.add(vectors, labels, mode, threads, true, &mut |_, _| {})
}

/// What is found are the nearest of all records by what one at a time is measured, at the same distances; none is
/// deleted.
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
                make_lanes(&mut scratch.lanes, 1, index.store());
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

/// Rows that are looked up together find each other: all of one block, and those of blocks of several threads.
#[test]
fn rows_of_a_block_are_linked_to_each_other() {
    let mut rng = SmallRng::seed_from_u64(42);
    for (threads, rows) in [(1, 100), (3, 400)] {
        let index = Index::new(&Params { ef_construction: 50, ..Params::new(20) }).unwrap();
        add(&index, &random(&mut rng, 1200, 20), &(0..1200).collect::<Vec<u64>>()).unwrap();
        // Far from all others, but within what codes were trained on.
        let far = |x: &f32| 0.9 + x / 20.0;
        let vectors: Vec<f32> = random(&mut rng, rows, 20).iter().map(far).collect();
        add_guided(&index, &vectors, &(2000..2000 + rows as u64).collect::<Vec<u64>>(), threads).unwrap();
        let queries: Vec<f32> = random(&mut rng, 100, 20).iter().map(far).collect();
        let found = search(&index, &queries, 10, 50);
        let nearest = search(&index, &queries, 10, 1600);
        assert!(nearest.iter().all(|(label, _)| *label >= 2000));
        assert!(shared(&found, &nearest, 10) > 0.97, "{threads} threads: {}", shared(&found, &nearest, 10));
    }
}

/// What is deleted after it was found is no candidate, and what has come since is.
#[test]
fn what_was_found_may_have_changed() {
    const DIM: usize = 16;
    let mut rng = SmallRng::seed_from_u64(44);
    let index = Index::new(&Params { ef_construction: 30, ..Params::new(DIM) }).unwrap();
    add(&index, &random(&mut rng, 1100, DIM), &(0..1100).collect::<Vec<u64>>()).unwrap();
    let new = random(&mut rng, 20, DIM);
    let labels: Vec<u64> = (5000..5020).collect();
    index.core.with_scratch(|scratch| {
        make_lanes(&mut scratch.lanes, 1, index.store());
        index.look_up(&new, &labels, 0..20, scratch);
        assert_eq!(scratch.scan.len(), if tiles::is_there() { 20 } else { 0 });
        // A twin of each row comes, and all that is near goes.
        add(&index, &new, &(6000..6020).collect::<Vec<u64>>()).unwrap();
        let near: Vec<u64> = search(&index, &new, 25, 1100).iter().map(|(label, _)| *label).collect();
        let gone = |label: &&u64| **label < 1100;
        near.iter().filter(gone).for_each(|label| drop(index.mark_deleted(*label)));
        index.mark_deleted(6000).unwrap();
        for row in 0..20 {
            index.prepare(&new[row * DIM..(row + 1) * DIM], &mut scratch.vector);
            index.get_buffers_ready(scratch).unwrap();
            index.insert(labels[row], 1.0, Some(row), scratch).unwrap();
            let slot = index.store().slot(1120 + row as u32).unwrap();
            let linked: Vec<u64> = index.store().links0(slot).iter().map(|slot| index.store().label(slot)).collect();
            assert!(row == 0 || linked.contains(&(6000 + row as u64)), "row {row}: {linked:?}");
            let deleted = |label: &u64| *label == 6000 || *label < 1100 && near.contains(label);
            assert!(!linked.iter().any(deleted), "row {row}: {linked:?}");
        }
        // New codes have other distances.
        assert!(!scratch.scan.is_outdated(index.store()));
        index.set_exactness(Exactness::F32, 1);
        index.set_exactness(Exactness::Default, 1);
        assert_eq!(scratch.scan.is_outdated(index.store()), tiles::is_there());
        index.look_up(&new, &(7000..7020).collect::<Vec<u64>>(), 4..20, scratch);
        assert!(!scratch.scan.is_outdated(index.store()));
        assert_eq!(scratch.scan.len(), if tiles::is_there() { 16 } else { 0 });
    });
}

/// Of equal vectors, more than a row has candidates, none is lost: each is linked to the youngest, not all to the same.
#[test]
fn equal_vectors_stay_within_reach() {
    const DIM: usize = 10;
    if !tiles::is_there() {
        return println!("adds walk on this machine, and walks lose equal vectors, as hnswlib's do");
    }
    let mut rng = SmallRng::seed_from_u64(45);
    let index = Index::new(&Params { m: 8, ef_construction: 40, ..Params::new(DIM) }).unwrap();
    let mut vectors = random(&mut rng, 3000, DIM);
    let twin = vectors[..DIM].to_vec();
    for row in (1000..3000).filter(|row| row % 4 != 0) {
        vectors[row * DIM..(row + 1) * DIM].copy_from_slice(&twin);
    }
    add_guided(&index, &vectors, &(0..3000).collect::<Vec<u64>>(), 1).unwrap();
    let store = index.store();
    let (mut seen, mut open) = (vec![false; 3000], vec![index.core.graph().entry().unwrap().0]);
    while let Some(slot) = open.pop() {
        if !std::mem::replace(&mut seen[slot.id() as usize], true) {
            open.extend(store.links0(slot).iter());
        }
    }
    let lost = seen.iter().filter(|seen| !**seen).count();
    assert!(lost <= 3, "{lost} of 3000 cannot be reached");
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
        // Every fourth row gives one that is there another vector, every fourth the row before.
        let mut labels: Vec<u64> = (0..1280u64).map(|row| if row % 4 == 0 { row / 4 } else { 3000 + row }).collect();
        (0..1280).filter(|row| row % 4 == 3).for_each(|row| labels[row] = labels[row - 1]);
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
        assert_eq!(index.count(), 1500 + 640 - 1);
        // The last one of a label stays, if they are in one block, or there is one thread.
        let in_order = threads == 1 || tiles::is_there();
        let last = |row: usize| row + usize::from(row % 4 == 2);
        let mut back = vec![0.0; DIM];
        for (row, label) in labels.iter().enumerate().filter(|(row, _)| *row != 777 && (in_order || row % 4 < 2)) {
            index.get(&[*label], &mut back).unwrap();
            assert_eq!(back, new[last(row) * DIM..(last(row) + 1) * DIM]);
        }
        new[777 * DIM] = 0.0;
        let found = search(&index, &new, 1, 100);
        let own = found.iter().zip(&labels).enumerate().filter(|(row, _)| row % 4 < 2);
        let own = own.filter(|(_, ((found, _), label))| found == *label).count();
        assert!(own >= 630, "{threads} threads: {own} of 639 find themselves");
        // All at once, or nothing.
        new[777 * DIM] = f32::INFINITY;
        let none = index.add(&new, &labels, mode, threads, false, &mut |_, _| {});
        assert!(none.is_err() && index.count() == 1500 + 640 - 1);
    }
}

/// When a row ends the call, all rows before it have been added, those of other threads' blocks, too.
#[test]
fn rows_before_the_one_that_failed_are_added() {
    const DIM: usize = 8;
    let mut rng = SmallRng::seed_from_u64(46);
    let mode = AddMode { guided: true, insert_only: true, ..AddMode::default() };
    for (round, threads) in [1, 2, 4, 4, 4, 4].into_iter().enumerate() {
        let index = Index::new(&Params { ef_construction: 30, max_elements: 3300, ..Params::new(DIM) }).unwrap();
        add(&index, &random(&mut rng, 1200, DIM), &(0..1200).collect::<Vec<u64>>()).unwrap();
        let new = random(&mut rng, 2000, DIM);
        let mut labels: Vec<u64> = (5000..7000).collect();
        let exists = 700 + 50 * round;
        labels[exists] = 7;
        let mut tried = Vec::new();
        let mut report = |row, error: Option<&Error>| tried.push((row, error.is_some()));
        let error = index.add(&new, &labels, mode, threads, false, &mut report).unwrap_err();
        assert!(
            matches!(error, Error::Exists(_)) && error.to_string().starts_with(&format!("row {exists}:")),
            "{error}"
        );
        tried.sort_unstable();
        assert!(tried.len() < 2000 && (0..exists).all(|row| tried[row] == (row, false)), "{threads} threads");
        let mut back = vec![0.0; DIM];
        assert!(labels[..exists].iter().all(|label| index.get(&[*label], &mut back).is_ok()));
        // Until it is full.
        let many: Vec<u64> = (9000..11_000).collect();
        let full =
            index.add(&new, &many, AddMode { guided: true, ..AddMode::default() }, threads, false, &mut |_, _| {});
        assert!(matches!(full, Err(Error::Full(_))) && index.count() == 3300, "{full:?}");
    }
}
