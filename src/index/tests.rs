use rand::{rngs::SmallRng, Rng, SeedableRng};

use super::{AddMode, Index};
use crate::error::Error;
use crate::params::{Metric, Params};

fn random(rng: &mut SmallRng, rows: usize, dim: usize) -> Vec<f32> {
    (0..rows * dim).map(|_| rng.random_range(-1.0..1.0)).collect()
}

fn add(index: &Index, vectors: &[f32], labels: &[u64]) -> Result<(), Error> {
    index.add(vectors, labels, AddMode::default(), 1, false, &mut |_, _| {})
}

fn search(index: &Index, query: &[f32], k: usize, ef: usize) -> Vec<(u64, f32)> {
    let rows = query.len() / index.dim();
    let (mut labels, mut distances, mut counts) = (vec![0; rows * k], vec![0.0; rows * k], vec![0; rows]);
    index.query(query, k, ef, 1, None, &mut labels, Some(&mut distances), Some(&mut counts)).unwrap();
    assert!(counts.iter().all(|c| *c <= k));
    labels.into_iter().zip(distances).collect()
}

/// The sorted pool of plain queries and the two heaps of queries on an index with deletions are one search: where no
/// distances tie they find the same, record for record.
#[test]
fn pool_and_heaps_find_the_same() {
    let mut rng = SmallRng::seed_from_u64(5);
    let index = Index::new(&Params { m: 4, ef_construction: 20, ..Params::new(6) }).unwrap();
    add(&index, &random(&mut rng, 3000, 6), &(0..3000).collect::<Vec<u64>>()).unwrap();
    // Far away, to be deleted: its only effect is that flags are looked at.
    add(&index, &[1e6; 6], &[9999]).unwrap();
    let queries = random(&mut rng, 300, 6);
    let ask = || [1, 3, 10, 40].map(|ef| search(&index, &queries, ef.min(10), ef));
    let plain = ask();
    index.mark_deleted(9999).unwrap();
    assert_eq!(plain, ask());
}

#[test]
fn parameters_are_checked() {
    let bad = |params: Params| matches!(Index::new(&params), Err(Error::InvalidArgument(_)));
    assert!(bad(Params::new(0)) && bad(Params::new(1_000_001)));
    assert!(bad(Params { m: 1, ..Params::new(4) }) && bad(Params { m: 10_001, ..Params::new(4) }));
    assert!(bad(Params { max_elements: 1 << 31, ..Params::new(4) }));
    let index = Index::new(&Params { m: 10_000, ..Params::new(1) }).unwrap();
    assert_eq!(index.stats().ef_construction, 10_000);
    add(&index, &[1.0, 2.0, 3.0], &[1, 2, 3]).unwrap();
    assert_eq!(
        search(&index, &[2.9], 3, 0),
        [(3, (2.9f32 - 3.0).powi(2)), (2, (2.9f32 - 2.0).powi(2)), (1, (2.9f32 - 1.0).powi(2))]
    );
}

#[test]
fn rows_fail_alone_or_end_the_call() {
    let index = Index::new(&Params { max_elements: 2, ..Params::new(1) }).unwrap();
    let vectors = [1.0, f32::NAN, 2.0, 3.0];
    let mut seen = Vec::new();
    let mut report = |row, error: Option<&Error>| seen.push((row, error.is_some()));
    let all = index.add(&vectors, &[1, 2, 3, 4], AddMode::default(), 1, false, &mut report);
    assert!(all.is_err() && index.count() == 0, "nothing is added when a row is not finite");
    let each = index.add(&vectors, &[1, 2, 3, 4], AddMode::default(), 1, true, &mut report);
    assert!(each.unwrap_err().to_string().starts_with("row 1: value 0 is NaN"));
    assert_eq!(seen, [(0, false), (1, true), (2, false), (3, true)]);
    assert_eq!(index.count(), 2);
}

#[test]
fn a_cosine_index_gives_originals_back() {
    let mut rng = SmallRng::seed_from_u64(6);
    let index = Index::new(&Params { metric: Metric::Cosine, ..Params::new(50) }).unwrap();
    let vectors: Vec<f32> = random(&mut rng, 20, 50).iter().map(|x| x * 1000.0).collect();
    let labels: Vec<u64> = (0..20).collect();
    add(&index, &vectors, &labels).unwrap();
    let mut back = vec![0.0; vectors.len()];
    index.get(&labels, &mut back).unwrap();
    for (a, b) in vectors.iter().zip(&back) {
        assert!((a - b).abs() <= a.abs() * 2.0 * f32::EPSILON, "{a} {b}");
    }
}

#[test]
fn many_indexes_fit_into_the_address_space() {
    let indexes: Vec<Index> = (0..1000).map(|_| Index::new(&Params::new(8)).unwrap()).collect();
    for (label, index) in indexes.iter().enumerate() {
        add(index, &[label as f32; 8], &[label as u64]).unwrap();
    }
    assert!(indexes.iter().enumerate().all(|(label, index)| search(index, &[0.0; 8], 1, 0)[0].0 == label as u64));
}
