//! Queries that only listed labels may answer.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::index::listed::Listed;
use crate::search::filter::LabelSet;

const EXACTNESSES: [Exactness; 3] = [Exactness::F32, Exactness::Certified, Exactness::Guided];

fn ask_listed(index: &Index, query: &[f32], k: usize, exactness: Exactness, labels: &[u64]) -> Vec<(u64, f32)> {
    let labels = LabelSet::new(labels).unwrap();
    let filter = Filter { accept: &|label| Some(labels.contains(label)), only: Some(&labels) };
    ask_filtered(index, query, k, 20, exactness, Some(filter))
}

/// Whether they are measured or a walk finds them: of few or of many the nearest live ones, in all modes, with the
/// distances of a query for all.
#[test]
fn listed_labels_are_found() {
    let mut rng = SmallRng::seed_from_u64(51);
    let (rows, k) = (1500, 12);
    for (metric, dim) in [(Metric::L2, 6), (Metric::Cosine, 70)] {
        let index = Index::new(&Params { metric, m: 8, ef_construction: 60, ..Params::new(dim) }).unwrap();
        let (vectors, queries) = (random(&mut rng, rows, dim), random(&mut rng, 10, dim));
        add(&index, &vectors, &(0..rows as u64).collect::<Vec<_>>()).unwrap();
        (0..rows as u64).step_by(9).for_each(|label| index.mark_deleted(label).unwrap());
        let all = ask(&index, &queries, rows, rows, Exactness::F32);
        let mut measured = [0; 2];
        for size in [0, 1, 5, 40, 200, 900, 1400] {
            // Some twice, some that do not exist.
            let listed: Vec<u64> = (0..size).map(|_| rng.random_range(0..rows as u64 + 20)).collect();
            let by_measuring = index.measures_all(&Listed::new(&LabelSet::new(&listed).unwrap(), 10), 20);
            measured[usize::from(by_measuring)] += 1;
            for exactness in EXACTNESSES {
                let found = ask_listed(&index, &queries, k, exactness, &listed);
                for (found, all) in found.chunks(k).zip(all.chunks(rows)) {
                    let wanted = all.iter().filter(|hit| listed.contains(&hit.0)).take(k);
                    let none = [(u64::MAX, f32::INFINITY)];
                    let wanted: Vec<_> = wanted.chain(none.iter().cycle()).copied().take(k).collect();
                    let what = format!("{metric:?}, {size} listed, {exactness:?}: {found:?}, not {wanted:?}");
                    // A walk may find others that are listed, but as many.
                    let is_right = |hit: &(u64, f32)| listed.contains(&hit.0) && all.contains(hit);
                    let right = wanted.iter().filter(|hit| **hit != none[0]).count();
                    assert!(found[..right].iter().all(is_right) && found[right..] == wanted[right..], "{what}");
                    assert!((1..right).all(|at| found[..at].iter().all(|hit| hit.0 != found[at].0)), "{what}");
                    assert!(!by_measuring || found == wanted, "{what}");
                }
            }
        }
        assert!(measured[0] > 0 && measured[1] > 3, "{metric:?}: {measured:?}");
    }
}

/// What was looked up when the call began is not taken for what has its place now, and takes none from others.
#[test]
fn a_listed_label_that_goes_leaves_its_place() {
    for replaced in [false, true] {
        let index = Index::new(&Params { allow_replace_deleted: true, ..Params::new(2) }).unwrap();
        add(&index, &[1.0, 1.0, 2.0, 2.0, 3.0, 3.0], &[1, 2, 3]).unwrap();
        let labels = LabelSet::new(&[1, 2, 7]).unwrap();
        let listed = Listed::new(&labels, 1);
        let found = |k| {
            index.core.with_scratch(|scratch| {
                index.query_listed(&[0.0, 0.0], &listed, k, scratch).unwrap();
                scratch.work.results.iter().map(|hit| hit.label).collect::<Vec<u64>>()
            })
        };
        assert_eq!(found(5), [1, 2]);
        index.mark_deleted(1).unwrap();
        if replaced {
            let mode = AddMode { replace_deleted: true, ..AddMode::default() };
            index.add(&[0.5, 0.5], &[9], mode, 1, false, &mut |_, _| {}).unwrap();
            assert_eq!(index.count(), 3);
        }
        assert_eq!(found(1), [2]);
        assert_eq!(found(5), [2]);
    }
}

/// While another thread deletes some of the listed records, gives their places to other labels and brings them back
/// elsewhere, queries find those that stay, and each label once.
#[test]
fn listed_labels_that_stay_are_found() {
    let mut rng = SmallRng::seed_from_u64(52);
    let (rows, dim, rounds) = (200, 4, 300);
    let index = Index::new(&Params { allow_replace_deleted: true, m: 6, ..Params::new(dim) }).unwrap();
    let vectors = random(&mut rng, rows, dim);
    add(&index, &vectors, &(0..rows as u64).collect::<Vec<_>>()).unwrap();
    // 0 to 9 and 1000 to 1009 come and go, 10 to 29 stay.
    let listed: Vec<u64> = (0..30).chain(1000..1010).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mode = AddMode { replace_deleted: true, ..AddMode::default() };
            for round in 0..rounds {
                let label = round as u64 % 10;
                let (old, new) = if round / 10 % 2 == 0 { (label, 1000 + label) } else { (1000 + label, label) };
                index.mark_deleted(old).unwrap();
                index.add(&vectors[..dim], &[new], mode, 1, false, &mut |_, _| {}).unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        while !done.load(Ordering::Relaxed) {
            for exactness in EXACTNESSES {
                for found in ask_listed(&index, &vectors[..4 * dim], 40, exactness, &listed).chunks(40) {
                    let mut labels: Vec<u64> = found.iter().map(|hit| hit.0).filter(|l| *l != u64::MAX).collect();
                    let count = labels.len();
                    labels.sort_unstable();
                    labels.dedup();
                    assert!(labels.len() == count && labels.iter().all(|label| listed.contains(label)), "{found:?}");
                    assert!((10..30).all(|label| labels.contains(&label)), "{found:?}");
                }
            }
        }
    });
}
