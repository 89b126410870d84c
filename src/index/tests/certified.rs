//! Certified queries have the ids and distances of f32, whatever the vectors are like.

use super::*;

/// Shorter than `LONG` and longer (src/search/certified.rs), which are different ways.
const KINDS: [(Metric, usize); 5] =
    [(Metric::L2, 20), (Metric::Ip, 20), (Metric::Cosine, 20), (Metric::L2, 270), (Metric::Ip, 270)];

/// Tells how many of the vectors codes tell nothing of.
fn compare((metric, dim): (Metric, usize), vectors: &[f32], queries: &[&[f32]], what: &str) -> usize {
    let index = Index::new(&Params { metric, m: 8, ef_construction: 40, ..Params::new(dim) }).unwrap();
    add(&index, vectors, &(0..(vectors.len() / dim) as u64).collect::<Vec<u64>>()).unwrap();
    for deleted in [0, 1, 30] {
        (0..deleted).for_each(|label| drop(index.mark_deleted(label * 31)));
        for queries in queries {
            for (k, ef) in [(1, 1), (10, 10), (10, 33), (5, 200)] {
                let [exact, certified] =
                    [Exactness::F32, Exactness::Certified].map(|exactness| ask(&index, queries, k, ef, exactness));
                assert_eq!(exact, certified, "{what}, {metric:?}, dim {dim}, ef {ef}, {deleted} deleted");
            }
        }
    }
    let codes = index.store().codes().unwrap();
    assert!(codes.rows().is_some(), "{what}, {metric:?}, dim {dim}: no codes");
    codes.exceptional()
}

#[test]
fn certified_answers_are_those_of_f32() {
    let mut rng = SmallRng::seed_from_u64(31);
    for kind in KINDS {
        let (metric, dim) = kind;
        let spread = random(&mut rng, 1050, dim);
        let queries = random(&mut rng, 50, dim);
        compare(kind, &spread, &[&queries, &spread[..30 * dim]], "spread");
        // Each of them five times, and coarse, so that there are ties at every bound.
        let mut repeated: Vec<f32> = spread[..210 * dim].repeat(5);
        repeated.iter_mut().for_each(|x| *x = (*x * 2.0).round() + 0.25);
        compare(kind, &repeated, &[&queries], "repeated");
        // So near to each other that codes cannot tell them apart.
        let crowded: Vec<f32> =
            spread.iter().enumerate().map(|(i, x)| (i / dim / 525) as f32 * 3.0 + *x * 0.01).collect();
        let near: Vec<f32> = queries.iter().map(|x| 3.0 + x * 0.01).collect();
        compare(kind, &crowded, &[&near], "crowded");
        // Some are beyond the range of the others, and so are queries.
        let mut wild = spread;
        wild.chunks_exact_mut(dim).step_by(307).for_each(|vector| vector[0] = 40.0);
        let beyond: Vec<f32> = queries.iter().map(|x| x * 10.0).collect();
        let exceptional = compare(kind, &wild, &[&queries, &beyond], "wild");
        assert!(exceptional > 0 || metric == Metric::Cosine, "{kind:?}");
    }
}
