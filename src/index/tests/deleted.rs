//! Queries on an index with deleted records: sorted pools with spare places, and heaps where these are too few.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

const ROWS: usize = 4000;

/// So many vectors and queries, of integers from 0 to 254 if `whole`.
fn made(rng: &mut SmallRng, counts: [usize; 2], dim: usize, whole: bool) -> (Vec<f32>, Vec<f32>) {
    let [mut vectors, mut queries] = counts.map(|count| random(rng, count, dim));
    if whole {
        vectors.iter_mut().chain(&mut queries).for_each(|x| *x = (*x * 127.0 + 127.0).round());
    }
    (vectors, queries)
}

/// The nearest live records, by measuring all.
fn nearest(vectors: &[f32], dim: usize, query: &[f32], live: impl Fn(usize) -> bool, k: usize) -> Vec<u64> {
    let distance = |row: &[f32]| row.iter().zip(query).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
    let rows = vectors.chunks_exact(dim).enumerate().filter(|(at, _)| live(*at));
    let mut all: Vec<(f32, u64)> = rows.map(|(at, row)| (distance(row), at as u64)).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.into_iter().take(k).map(|(_, at)| at).collect()
}

fn found(answers: &[(u64, f32)], expected: &[Vec<u64>], k: usize) -> f64 {
    let rows = answers.chunks(k).zip(expected);
    let right = rows.map(|(row, expected)| row.iter().filter(|hit| expected.contains(&hit.0)).count());
    right.sum::<usize>() as f64 / answers.len() as f64
}

/// Whether deleted records are few, many, or all that is near a query: guided queries find as many of the nearest live
/// ones as those by f32, none that is deleted, as many as are asked for, at their very distances.
#[test]
fn guided_queries_pass_deleted_records_by() {
    let mut rng = SmallRng::seed_from_u64(31);
    let k = 10;
    // Bytes, sketches, bytes that are the vectors.
    for (dim, whole) in [(24, false), (140, false), (32, true)] {
        let (vectors, queries) = made(&mut rng, [ROWS, 60], dim, whole);
        let index = Index::new(&Params { m: 12, ef_construction: 80, ..Params::new(dim) }).unwrap();
        add(&index, &vectors, &(0..ROWS as u64).collect::<Vec<_>>()).unwrap();
        let mut deleted = vec![false; ROWS];
        // One, some, all around the first queries, most.
        for part in 0..4 {
            let more: Vec<usize> = match part {
                0 => vec![7],
                1 => (0..ROWS).filter(|at| at % 20 == 3).collect(),
                2 => {
                    let near = queries.chunks_exact(dim).take(4);
                    near.flat_map(|query| nearest(&vectors, dim, query, |_| true, 150)).map(|at| at as usize).collect()
                }
                _ => (0..ROWS).filter(|at| at % 3 > 0).collect(),
            };
            for at in more {
                if !std::mem::replace(&mut deleted[at], true) {
                    index.mark_deleted(at as u64).unwrap();
                }
            }
            let live = |at: usize| !deleted[at];
            let expected: Vec<Vec<u64>> =
                queries.chunks_exact(dim).map(|query| nearest(&vectors, dim, query, live, k)).collect();
            let [f32, guided] = [Exactness::F32, Exactness::Guided].map(|mode| ask(&index, &queries, k, 60, mode));
            assert!(guided.iter().all(|hit| live(hit.0 as usize)), "dim {dim}, part {part}");
            type Row<'a> = &'a [(u64, f32)];
            let is_same = |(row, exact): (Row<'_>, Row<'_>)| {
                let other =
                    |hit: &&(u64, f32)| exact.iter().any(|one| one.0 == hit.0 && one.1.to_bits() != hit.1.to_bits());
                row.iter().find(other).is_none()
            };
            assert!(guided.chunks(k).zip(f32.chunks(k)).all(is_same), "dim {dim}, part {part}");
            let [by_f32, by_codes] = [f32, guided].map(|answers| found(&answers, &expected, k));
            assert!(by_codes > by_f32 - 0.01, "dim {dim}, part {part}: {by_codes}, by f32 {by_f32}");
        }
    }
}

/// Exact and certified queries find what hnswlib's heaps find, record for record, however many are deleted.
#[test]
fn exact_queries_with_deletions_are_those_of_heaps() {
    let mut rng = SmallRng::seed_from_u64(32);
    let rows = 1200;
    // Certified queries on vectors of few bytes and of many; codes that are the vectors.
    for (dim, whole) in [(10, false), (260, false), (24, true)] {
        let (vectors, mut queries) = made(&mut rng, [rows, 8], dim, whole);
        if whole {
            // Bytes are not these.
            queries[5 * dim..].iter_mut().for_each(|x| *x += 0.25);
        }
        let index = Index::new(&Params { m: 6, ef_construction: 40, ..Params::new(dim) }).unwrap();
        add(&index, &vectors, &(0..rows as u64).collect::<Vec<_>>()).unwrap();
        let entry = index.core.graph().entry().unwrap().0;
        let near = nearest(&vectors, dim, &queries[..dim], |_| true, 100);
        // One, the entry point, all around a query, a tenth, two fifths, most.
        let all = 0..rows as u64;
        let parts: [Vec<u64>; 6] = [
            vec![near[0]],
            vec![index.store().label(entry)],
            near,
            all.clone().filter(|label| label % 10 == 3).collect(),
            all.clone().filter(|label| label % 5 < 2).collect(),
            all.filter(|label| label % 10 < 7).collect(),
        ];
        let parts = || parts.iter().enumerate();
        // Then they come back, the last ones first.
        for (come_back, (part, labels)) in
            parts().map(|part| (false, part)).chain(parts().rev().map(|part| (true, part)))
        {
            for label in labels {
                // Some are in two parts.
                drop(if come_back { index.unmark_deleted(*label) } else { index.mark_deleted(*label) });
            }
            assert!(!come_back || part > 0 || index.deleted_count() == 0);
            for (k, ef) in [(1, 1), (10, 40), (60, 60)] {
                let heaps = search_with_heaps(&index, &queries, k, ef);
                for mode in [Exactness::F32, Exactness::Certified] {
                    let what = format!("dim {dim}, part {part}, ef {ef}, {mode:?}");
                    assert!(ask(&index, &queries, k, ef, mode) == heaps, "{what}");
                    let alone = queries.chunks_exact(dim).flat_map(|query| ask(&index, query, k, ef, mode));
                    assert!(alone.eq(heaps.iter().copied()), "{what}, one by one");
                }
            }
        }
    }
}

/// While another thread deletes every other record and takes it back, queries find as many as they are asked for, and
/// first the record that they are.
#[test]
fn queries_beside_deletions_find_what_stays() {
    let (mut rng, rows, k) = (SmallRng::seed_from_u64(33), 1008, 10);
    // Certified queries on vectors of few bytes and of many.
    for dim in [12, 260] {
        let mut vectors = random(&mut rng, rows, dim);
        // Not so far apart that a walk misses some.
        vectors.iter_mut().enumerate().filter(|(at, _)| at % dim >= 12).for_each(|(_, x)| *x *= 0.02);
        let index = Index::new(&Params { m: 12, ef_construction: 60, ..Params::new(dim) }).unwrap();
        add(&index, &vectors, &(0..rows as u64).collect::<Vec<_>>()).unwrap();
        // In batches of eight; tells the first answer that is wrong.
        let wrong = || {
            let batches = (0..rows / 16)
                .flat_map(|batch| [Exactness::F32, Exactness::Certified, Exactness::Guided].map(|mode| (batch, mode)));
            batches.into_iter().find_map(|(batch, mode)| {
                let own = |at: usize| 16 * batch + 2 * at + 1;
                let queries: Vec<f32> = (0..8).flat_map(|at| vectors[own(at) * dim..][..dim].iter().copied()).collect();
                let hits = ask(&index, &queries, k, 2 * k, mode);
                let is_right =
                    |(at, row): (usize, &[(u64, f32)])| row[0] == (own(at) as u64, 0.0) && row[k - 1].0 != u64::MAX;
                (!hits.chunks(k).enumerate().all(is_right)).then(|| format!("dim {dim}, {batch}, {mode:?}: {hits:?}"))
            })
        };
        assert_eq!(wrong(), None, "with nothing deleted");
        let is_over = AtomicBool::new(false);
        let wrong = std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut random = 1u64;
                while !is_over.load(Ordering::Relaxed) {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let label = 2 * ((random >> 33) % (rows as u64 / 2));
                    // Few at first, then every other of them.
                    if index.mark_deleted(label).is_err() {
                        index.unmark_deleted(label).unwrap();
                    }
                }
            });
            let wrong = wrong();
            is_over.store(true, Ordering::Relaxed);
            wrong
        });
        assert_eq!(wrong, None);
    }
}
