//! Queries that only listed labels may answer.

use super::*;
use crate::index::listed::Listed;
use crate::search::filter::LabelSet;

const EXACTNESSES: [Exactness; 3] = [Exactness::F32, Exactness::Certified, Exactness::Guided];

fn ask_listed(index: &Index, query: &[f32], k: usize, exactness: Exactness, labels: &[u64]) -> Vec<(u64, f32)> {
    let labels = LabelSet::new(labels).unwrap();
    let filter = Filter { accept: &|label| Some(labels.contains(label)), only: Some(&labels) };
    let rows = query.len() / index.dim();
    let (mut found, mut distances) = (vec![0; rows * k], vec![0.0; rows * k]);
    index.query(query, k, 20, 1, exactness, Some(filter), &mut found, Some(&mut distances), None).unwrap();
    found.into_iter().zip(distances).collect()
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
        for size in [0, 1, 5, 40, 200, 600, 1400] {
            // Some twice, some that do not exist.
            let listed: Vec<u64> = (0..size).map(|_| rng.random_range(0..rows as u64 + 20)).collect();
            let by_measuring = index.measures_all(&Listed::new(&LabelSet::new(&listed).unwrap()), 20, 10);
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
                    let right = found.iter().filter(|hit| is_right(hit)).count();
                    assert!(right == wanted.iter().filter(|hit| **hit != none[0]).count(), "{what}");
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
        let listed = Listed::new(&labels);
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
