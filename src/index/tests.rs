mod certified;
mod deleted;
mod listed;
mod scan;

use rand::{rngs::SmallRng, Rng, SeedableRng};

use super::{AddMode, Index};
use crate::codes::tiles;
use crate::error::Error;
use crate::params::{Exactness, Metric, Params};
use crate::search::filter::Filter;
use crate::search::scratch::Scratch;
use crate::store::view::View;

fn random(rng: &mut SmallRng, rows: usize, dim: usize) -> Vec<f32> {
    (0..rows * dim).map(|_| rng.random_range(-1.0..1.0)).collect()
}

fn add(index: &Index, vectors: &[f32], labels: &[u64]) -> Result<(), Error> {
    index.add(vectors, labels, AddMode::default(), 1, false, &mut |_, _| {})
}

fn search(index: &Index, query: &[f32], k: usize, ef: usize) -> Vec<(u64, f32)> {
    let rows = query.len() / index.dim();
    let (mut labels, mut distances, mut counts) = (vec![0; rows * k], vec![0.0; rows * k], vec![0; rows]);
    index.query(query, k, ef, 1, Exactness::F32, None, &mut labels, Some(&mut distances), Some(&mut counts)).unwrap();
    assert!(counts.iter().all(|c| *c <= k));
    labels.into_iter().zip(distances).collect()
}

/// The same through hnswlib's heaps, which queries with a filter use.
fn search_with_heaps(index: &Index, query: &[f32], k: usize, ef: usize) -> Vec<(u64, f32)> {
    ask_filtered(index, query, k, ef, Exactness::F32, Some(Filter::new(&|_| Some(true))))
}

/// The sorted pool of plain queries and the two heaps of those with a filter are one search: where no distances tie
/// they find the same, record for record.
#[test]
fn pool_and_heaps_find_the_same() {
    let mut rng = SmallRng::seed_from_u64(5);
    let index = Index::new(&Params { m: 4, ef_construction: 20, ..Params::new(6) }).unwrap();
    add(&index, &random(&mut rng, 3000, 6), &(0..3000).collect::<Vec<u64>>()).unwrap();
    let queries = random(&mut rng, 300, 6);
    for ef in [1, 3, 10, 40] {
        assert_eq!(
            search(&index, &queries, ef.min(10), ef),
            search_with_heaps(&index, &queries, ef.min(10), ef),
            "ef {ef}"
        );
    }
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

fn ask(index: &Index, query: &[f32], k: usize, ef: usize, exactness: Exactness) -> Vec<(u64, f32)> {
    ask_filtered(index, query, k, ef, exactness, None)
}

fn ask_filtered(
    index: &Index,
    query: &[f32],
    k: usize,
    ef: usize,
    exactness: Exactness,
    filter: Option<Filter<'_>>,
) -> Vec<(u64, f32)> {
    let rows = query.len() / index.dim();
    let (mut labels, mut distances) = (vec![0; rows * k], vec![0.0; rows * k]);
    index.query(query, k, ef, 1, exactness, filter, &mut labels, Some(&mut distances), None).unwrap();
    labels.into_iter().zip(distances).collect()
}

/// Of the answers to many queries: the share that two ways have in common.
fn shared(a: &[(u64, f32)], b: &[(u64, f32)], k: usize) -> f64 {
    let rows = a.chunks(k).zip(b.chunks(k));
    type Row<'a> = &'a [(u64, f32)];
    let common = |(a, b): (Row<'_>, Row<'_>)| a.iter().filter(|hit| b.contains(hit)).count();
    rows.map(common).sum::<usize>() as f64 / a.len() as f64
}

/// Guided answers have the distances of f32 answers, bit for bit, and as many of them are right; with deletions, too,
/// and asked one by one as well as together.
#[test]
fn guided_answers_are_exact_and_as_good() {
    let mut rng = SmallRng::seed_from_u64(21);
    // Sketches guide the walk where vectors are long.
    for (metric, dim) in [Metric::L2, Metric::Ip, Metric::Cosine].into_iter().flat_map(|m| [(m, 40), (m, 140)]) {
        let index = Index::new(&Params { metric, m: 8, ef_construction: 60, ..Params::new(dim) }).unwrap();
        let (vectors, queries) = (random(&mut rng, 3000, dim), random(&mut rng, 200, dim));
        add(&index, &vectors[..999 * dim], &(0..999).collect::<Vec<u64>>()).unwrap();
        assert_eq!(index.exactness(), Exactness::F32);
        add(&index, &vectors[999 * dim..], &(999..3000).collect::<Vec<u64>>()).unwrap();
        assert_eq!(index.exactness(), Exactness::Guided);
        // Sketches do without codes, until a certified query needs them.
        let bytes_for_each = |from: u64, to: u64| (3000 * from..3000 * to).contains(&index.stats().code_bytes);
        assert!(if dim == 40 { bytes_for_each(64, 96) } else { bytes_for_each(96, 160) }, "{:?}", index.stats());
        assert_eq!(index.store().codes().unwrap().sketches().is_some(), dim == 140, "{metric:?}");
        for deleted in [false, true] {
            let exact = ask(&index, &queries, 10, 50, Exactness::F32);
            assert_eq!(exact, ask(&index, &queries, 10, 50, Exactness::Certified));
            assert!(dim == 40 || bytes_for_each(96 + 160, 350), "{:?}", index.stats());
            let guided = ask(&index, &queries, 10, 50, Exactness::Guided);
            let together = shared(&guided, &exact, 10);
            assert!(dim == 140 || together > 0.97, "{metric:?}: {together} of the answers are the same");
            let nearest = ask(&index, &queries, 10, 3000, Exactness::F32);
            let [of_exact, of_guided] = [&exact, &guided].map(|found| shared(found, &nearest, 10));
            assert!(of_guided > of_exact - 0.005, "{metric:?}, {dim}: recall {of_guided}, exact {of_exact}");
            assert!(of_guided > 0.5, "{metric:?}, {dim}: recall {of_guided}");
            for (row, query) in queries.chunks(dim).enumerate() {
                assert_eq!(ask(&index, query, 10, 50, Exactness::Default), guided[row * 10..(row + 1) * 10]);
            }
            if !deleted {
                (0..3000).step_by(7).for_each(|label| index.mark_deleted(label).unwrap());
            }
        }
    }
}

/// The first certified query has codes made, and waits for no other query: the one in whose filter it is asked would
/// never end. Whoever adds meanwhile is not disturbed.
#[test]
fn a_certified_query_in_a_filter_waits_for_nobody() {
    let mut rng = SmallRng::seed_from_u64(28);
    let (vectors, queries) = (random(&mut rng, 2000, 140), random(&mut rng, 20, 140));
    let index = Index::new(&Params { m: 8, ef_construction: 60, ..Params::new(140) }).unwrap();
    add(&index, &vectors, &(0..2000).collect::<Vec<u64>>()).unwrap();
    let exact = ask(&index, &queries, 10, 50, Exactness::F32);
    assert!(index.store().has_sketches_alone());
    let answers = std::cell::RefCell::new(Vec::new());
    let accept = |_: u64| {
        if answers.borrow().is_empty() {
            *answers.borrow_mut() = ask(&index, &queries, 10, 50, Exactness::Certified);
        }
        Some(true)
    };
    let mut labels = [0; 10];
    index
        .query(&queries[..140], 10, 50, 1, Exactness::Guided, Some(Filter::new(&accept)), &mut labels, None, None)
        .unwrap();
    assert_eq!(answers.into_inner(), exact);
    assert!(!index.store().has_sketches_alone());
    // Records that come later have codes, too.
    std::thread::scope(|scope| {
        scope.spawn(|| add(&index, &queries, &(5000..5020).collect::<Vec<u64>>()).unwrap());
        scope.spawn(|| ask(&index, &queries, 10, 50, Exactness::Certified));
    });
    for exactness in [Exactness::F32, Exactness::Certified] {
        let found = ask(&index, &queries, 1, 50, exactness);
        assert!(found.iter().zip(5000..).all(|(hit, label)| *hit == (label, 0.0)), "{exactness:?}: {found:?}");
    }
}

/// An index keeps the codes that its exactness needs, and its queries are asked in it.
#[test]
fn an_index_has_an_exactness() {
    let mut rng = SmallRng::seed_from_u64(27);
    for dim in [40, 140] {
        let (vectors, queries) = (random(&mut rng, 2000, dim), random(&mut rng, 50, dim));
        let index = Index::new(&Params { m: 8, ef_construction: 60, ..Params::new(dim) }).unwrap();
        add(&index, &vectors, &(0..2000).collect::<Vec<u64>>()).unwrap();
        // There is room for more records than there are.
        let keeps = |bytes: u64| {
            let kept = index.stats().code_bytes as f64 / index.count() as f64;
            kept >= bytes as f64 && kept <= 1.6 * bytes as f64
        };
        let [exact, guided] = [Exactness::F32, Exactness::Guided].map(|mode| ask(&index, &queries, 10, 20, mode));
        assert!(exact != guided);
        let (codes, sketches) = (if dim == 40 { 64 } else { 160 }, if dim == 40 { 0 } else { 96 });
        let small = if dim == 40 { codes } else { sketches };
        assert!(index.exactness() == Exactness::Guided && keeps(small), "{:?}", index.stats());
        for (chosen, bytes, answers) in [
            (Exactness::F32, 0, &exact),
            (Exactness::Guided, small, &guided),
            (Exactness::Certified, codes + sketches, &exact),
            (Exactness::Default, small, &guided),
            (Exactness::Certified, codes + sketches, &exact),
            (Exactness::Guided, small, &guided),
            (Exactness::F32, 0, &exact),
            (Exactness::Certified, codes + sketches, &exact),
            (Exactness::F32, 0, &exact),
            (Exactness::Default, small, &guided),
        ] {
            index.set_exactness(chosen, 1);
            let stands_for = if chosen == Exactness::Default { Exactness::Guided } else { chosen };
            assert_eq!(index.exactness(), stands_for);
            assert!(keeps(bytes), "{chosen:?}: {:?}", index.stats());
            assert_eq!(&ask(&index, &queries, 10, 20, Exactness::Default), answers, "{chosen:?}");
            assert_eq!(ask(&index, &queries, 10, 20, Exactness::F32), exact, "{chosen:?}");
        }
        // What is added has codes, or none, as the rest has.
        for (chosen, bytes) in [(Exactness::F32, 0), (Exactness::Certified, codes + sketches)] {
            index.set_exactness(chosen, 1);
            let first = index.count();
            let more = random(&mut rng, 2000, dim);
            add(&index, &more, &(first as u64..first as u64 + 2000).collect::<Vec<u64>>()).unwrap();
            assert!(keeps(bytes), "{chosen:?}: {:?}", index.stats());
            let found = ask(&index, &more, 1, 100, Exactness::Default);
            let own = found.iter().enumerate().filter(|(row, hit)| **hit == ((first + row) as u64, 0.0)).count();
            assert!(own > 1900, "{chosen:?}: {own} found themselves");
        }
    }
}

/// Where codes are the vectors, codes alone give the answers and the graph that f32 gives.
#[test]
fn lossless_codes_are_f32() {
    // Without sketches and with.
    [24, 70].into_iter().for_each(lossless_codes_of);
}

fn lossless_codes_of(dim: usize) {
    let mut rng = SmallRng::seed_from_u64(22);
    let bytes: Vec<f32> = (0..2500 * dim).map(|_| f32::from(rng.random_range(0..=255u8) / 16 * 16)).collect();
    // Halves are exact as well, but no bytes: the same comparisons in f32.
    let halves: Vec<f32> = bytes.iter().map(|x| x / 32.0).collect();
    let labels: Vec<u64> = (0..2500).collect();
    let indexes = [&bytes, &halves].map(|vectors| {
        let index = Index::new(&Params { m: 6, ef_construction: 40, ..Params::new(dim) }).unwrap();
        add(&index, vectors, &labels).unwrap();
        index
    });
    for slot in indexes[0].store().slots() {
        for level in 0..=indexes[0].store().level(slot) {
            let lists =
                indexes.each_ref().map(|index| index.store().links(slot, level).unwrap().raw().collect::<Vec<u32>>());
            assert_eq!(lists[0], lists[1], "{slot:?}, level {level}");
        }
    }
    let queries: Vec<f32> = bytes.iter().take(100 * dim).map(|x| (x + 3.0).min(255.0)).collect();
    let exact = ask(&indexes[0], &queries, 10, 30, Exactness::F32);
    assert_eq!(indexes[0].store().codes().unwrap().sketches().is_some(), dim == 70);
    assert_eq!(ask(&indexes[0], &queries, 10, 30, Exactness::Certified), exact);
    assert!(dim == 70 || ask(&indexes[0], &queries, 10, 30, Exactness::Default) == exact);
    let scaled: Vec<f32> = queries.iter().map(|x| x / 32.0).collect();
    let f32s = ask(&indexes[1], &scaled, 10, 30, Exactness::F32);
    let distances = |hits: &[(u64, f32)], scale: f32| hits.iter().map(|hit| hit.1 * scale).collect::<Vec<f32>>();
    assert_eq!(distances(&exact, 1.0), distances(&f32s, 1024.0));
    // One vector that is no bytes ends it, and its update to bytes brings it back. In 70 dimensions no link leads
    // there.
    if dim == 24 {
        add(&indexes[0], &[0.5; 24], &[9999]).unwrap();
        let found = ask(&indexes[0], &[0.5; 24], 1, 30, Exactness::Default);
        assert_eq!(found, [(9999, 0.0)]);
        add(&indexes[0], &[200.0; 24], &[9999]).unwrap();
        assert_eq!(ask(&indexes[0], &[199.0; 24], 1, 30, Exactness::Default), [(9999, 24.0)]);
    }
    let [odd, even] = [0.5, 2.0].map(|more| bytes[..dim].iter().map(|x| x + more).collect::<Vec<f32>>());
    for vector in [odd, even] {
        add(&indexes[0], &vector, &[9999]).unwrap();
        for exactness in [Exactness::Default, Exactness::Certified] {
            assert_eq!(ask(&indexes[0], &vector, 1, 30, exactness), [(9999, 0.0)]);
        }
    }
}

/// What is added later and lies elsewhere gets codes that tell it apart.
#[test]
fn codes_follow_the_vectors() {
    let mut rng = SmallRng::seed_from_u64(23);
    let index = Index::new(&Params { m: 8, ef_construction: 60, ..Params::new(16) }).unwrap();
    add(&index, &random(&mut rng, 1000, 16), &(0..1000).collect::<Vec<u64>>()).unwrap();
    let far: Vec<f32> = random(&mut rng, 3000, 16).iter().map(|x| x * 50.0 + 1000.0).collect();
    add(&index, &far, &(1000..4000).collect::<Vec<u64>>()).unwrap();
    let queries: Vec<f32> = random(&mut rng, 200, 16).iter().map(|x| x * 50.0 + 1000.0).collect();
    let [exact, guided] = [Exactness::F32, Exactness::Guided].map(|mode| ask(&index, &queries, 10, 100, mode));
    assert!(shared(&exact, &guided, 10) > 0.98);

    // Too few to train anew: they have one code, and so has a query near them.
    let index = Index::new(&Params { m: 8, ef_construction: 60, ..Params::new(16) }).unwrap();
    add(&index, &random(&mut rng, 1800, 16), &(0..1800).collect::<Vec<u64>>()).unwrap();
    add(&index, &far[..50 * 16], &(1800..1850).collect::<Vec<u64>>()).unwrap();
    assert!(index.store().codes().unwrap().exceptional() >= 50);
    let [exact, guided] = [Exactness::F32, Exactness::Guided].map(|mode| ask(&index, &queries, 10, 10, mode));
    assert_eq!(exact, guided);
}

/// A record that takes the place of a deleted one, or gets another vector, has the code of its own vector: each is
/// found by guided queries, which would not come near it otherwise, and certified ones find what f32 finds.
#[test]
fn replacements_have_codes_of_their_own() {
    let mut rng = SmallRng::seed_from_u64(29);
    // Bytes, bytes and sketches, bytes for inner products.
    for (metric, dim) in [(Metric::L2, 24), (Metric::L2, 140), (Metric::Cosine, 40)] {
        let params = Params { metric, m: 12, ef_construction: 80, allow_replace_deleted: true, ..Params::new(dim) };
        let index = Index::new(&params).unwrap();
        add(&index, &random(&mut rng, 1200, dim), &(0..1200).collect::<Vec<u64>>()).unwrap();
        (0..300).for_each(|label| index.mark_deleted(label).unwrap());
        let (replacing, updating) = (random(&mut rng, 300, dim), random(&mut rng, 200, dim));
        let mode = AddMode { replace_deleted: true, ..AddMode::default() };
        let labels: Vec<u64> = (5000..5300).collect();
        index.add(&replacing, &labels, mode, 1, false, &mut |_, _| {}).unwrap();
        assert_eq!(index.count(), 1200);
        add(&index, &updating, &(900..1100).collect::<Vec<u64>>()).unwrap();
        let queries: Vec<f32> = [replacing, updating].concat();
        let [f32, certified, guided] =
            [Exactness::F32, Exactness::Certified, Exactness::Guided].map(|mode| ask(&index, &queries, 1, 60, mode));
        assert!(f32 == certified, "{metric:?}, dim {dim}");
        assert!(shared(&f32, &guided, 1) > 0.99, "{metric:?}, dim {dim}");
        let own = guided.iter().zip((5000..5300).chain(900..1100)).filter(|(hit, label)| hit.0 == *label).count();
        assert!(own > 490, "{metric:?}, dim {dim}: {own} of 500 found themselves");
    }
}

/// A record that moves back and forth is found at one of its places, with the very distance of that place, or not at
/// all; codes come and go meanwhile.
#[test]
fn guided_queries_never_mix_two_vectors() {
    let mut rng = SmallRng::seed_from_u64(24);
    // Sketches guide the walk where vectors are long.
    for (metric, dim) in [(Metric::L2, 48), (Metric::Ip, 48), (Metric::L2, 140), (Metric::Ip, 140)] {
        let index = Index::new(&Params { metric, m: 8, ef_construction: 40, ..Params::new(dim) }).unwrap();
        add(&index, &random(&mut rng, 1500, dim), &(0..1500).collect::<Vec<u64>>()).unwrap();
        assert_eq!(index.store().codes().unwrap().sketches().is_some(), dim == 140);
        let places = [vec![2.0f32; dim], (0..dim).map(|i| if i % 2 == 0 { 3.0 } else { -3.0 }).collect()];
        add(&index, &places[0], &[7777]).unwrap();
        let allowed: Vec<Vec<f32>> = places
            .iter()
            .map(|place| {
                add(&index, place, &[7777]).unwrap();
                places.iter().map(|query| ask(&index, query, 1, 40, Exactness::F32)[0].1).collect()
            })
            .collect();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        let both = places.concat();
                        for (query, hit) in ask(&index, &both, 1, 40, Exactness::Guided).into_iter().enumerate() {
                            let known = hit.0 != 7777 || allowed.iter().any(|of| of[query] == hit.1);
                            assert!(known, "query {query}: {hit:?}, not one of {allowed:?}");
                        }
                    }
                });
            }
            for round in 0..150 {
                add(&index, &places[round % 2], &[7777]).unwrap();
                if round % 10 == 0 {
                    index.next_codes.store(0, std::sync::atomic::Ordering::Relaxed);
                    index.renew_codes(1);
                }
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }
}

/// A graph that codes, sketches or codes that are the vectors have guided is as good as one by f32, with deletions,
/// too.
#[test]
fn guided_adds_make_as_good_a_graph() {
    let mut rng = SmallRng::seed_from_u64(31);
    for (metric, dim, integers) in [
        (Metric::Cosine, 40, false),
        (Metric::Ip, 24, false),
        (Metric::L2, 140, false),
        (Metric::Ip, 140, false),
        (Metric::L2, 40, true),
        (Metric::L2, 70, true),
    ] {
        let (mut vectors, mut queries) = (random(&mut rng, 4000, dim), random(&mut rng, 600, dim));
        if integers {
            for x in vectors.iter_mut().chain(&mut queries) {
                *x = (*x * 60.0 + 100.0).round().clamp(0.0, 255.0);
            }
        }
        let labels: Vec<u64> = (0..4000).collect();
        let build = |guided: bool, at_once: usize| {
            let index = Index::new(&Params { metric, m: 8, ef_construction: 60, ..Params::new(dim) }).unwrap();
            let mode = AddMode { guided, ..AddMode::default() };
            // Without codes, with codes, with some records deleted.
            for range in [0..1500, 1500..3000, 3000..4000] {
                let rows = vectors[range.start * dim..range.end * dim].chunks(at_once * dim);
                for (vectors, labels) in rows.zip(labels[range.clone()].chunks(at_once)) {
                    index.add(vectors, labels, mode, 1, false, &mut |_, _| {}).unwrap();
                }
                if range.start == 1500 {
                    (0..300).for_each(|label| index.mark_deleted(label).unwrap());
                }
            }
            index
        };
        // Guided one after the other, and together where that is another way.
        let (exact, singly) = (build(false, 4000), build(true, 1));
        let together = tiles::is_there().then(|| build(true, 4000));
        let nearest = ask(&exact, &queries, 10, 4000, Exactness::F32);
        let recall = |index: &Index| shared(&ask(index, &queries, 10, 40, Exactness::F32), &nearest, 10);
        let links =
            |index: &Index| -> f64 { index.store().slots().map(|s| index.store().links0(s).len() as f64).sum() };
        // Those that are looked up together have candidates that no walk of this size finds among vectors so alike:
        // better recall, and lists that are fuller by up to 0.036 (L2, 140).
        let list = |index: &Index, slot| index.store().links0(slot).raw().collect::<Vec<u32>>();
        let differ = |a: &Index, b: &Index| a.store().slots().any(|slot| list(a, slot) != list(b, slot));
        assert!(
            together.as_ref().is_none_or(|together| differ(&singly, together)),
            "{metric:?}, {dim}: nothing looked up"
        );
        let together = together.iter().map(|index| (index, 0.0, 1.05));
        for (guided, least, fullest) in [(&singly, -0.015, 1.02)].into_iter().chain(together) {
            assert_eq!(guided.store().codes().unwrap().sketches().is_some(), dim > 64, "{metric:?}, {dim}");
            let [of_exact, of_guided] = [&exact, guided].map(recall);
            assert!(of_guided > of_exact + least, "{metric:?}, {dim}: recall {of_guided}, exact {of_exact}");
            let share = links(guided) / links(&exact);
            assert!((0.98..fullest).contains(&share), "{metric:?}, {dim}: {share} of the links");
            assert!(differ(&exact, guided) || integers && dim == 40, "{metric:?}, {dim}: codes had no say");
            assert!(ask(guided, &queries, 10, 60, Exactness::Default).iter().all(|(label, _)| *label >= 300));
        }
    }
}

/// Where a walk finds fewer records than a list may have, and where it finds none because all are deleted, a guided add
/// links to what an exact one links to.
#[test]
fn guided_adds_link_to_what_little_there_is() {
    let (mut rng, dim) = (SmallRng::seed_from_u64(37), 24);
    for live in [0, 1, 5] {
        let (vectors, far) = (random(&mut rng, 1200, dim), vec![3.0; dim]);
        let labels: Vec<u64> = (0..1200).collect();
        let [exact, guided] = [false, true].map(|guided| {
            let index = Index::new(&Params { m: 8, ef_construction: 1200, ..Params::new(dim) }).unwrap();
            add(&index, &vectors, &labels).unwrap();
            (live..1200).for_each(|label| index.mark_deleted(label).unwrap());
            assert!(index.store().has_codes());
            let mode = AddMode { guided, ..AddMode::default() };
            index.add(&far, &[5000], mode, 1, false, &mut |_, _| {}).unwrap();
            let slot = index.store().slots().last().unwrap();
            let mut links: Vec<u32> = index.store().links0(slot).raw().collect();
            links.sort_unstable();
            links
        });
        assert_eq!(guided, exact, "{live} live");
        assert!(!guided.is_empty());
    }
}

/// A session that is older than the entry point does not see it, and links to what is near all the same.
#[test]
fn a_guided_add_begins_below_an_entry_point_to_come() {
    let (mut rng, dim) = (SmallRng::seed_from_u64(41), 24);
    let index = Index::new(&Params { m: 8, ef_construction: 100, ..Params::new(dim) }).unwrap();
    let vectors = random(&mut rng, 1501, dim);
    add(&index, &vectors[..1500 * dim], &(0..1500).collect::<Vec<u64>>()).unwrap();
    let graph = index.core().graph();
    let query = &vectors[1500 * dim..];
    let nearest = search(&index, query, 1, 1500)[0].0;
    index.core().with_scratch(|scratch| {
        index.get_buffers_ready(scratch).unwrap();
        let Scratch { cell, work, integers, vector, lanes, scan, .. } = scratch;
        vector.floats_mut().copy_from_slice(query);
        work.ef_construction = 100;
        let view = View::open(index.store(), cell, index.ruler());
        add(&index, &[9.0; 24], &[7000]).unwrap();
        let young = index.store().slots().last().unwrap();
        graph.set_entry(young, index.store().level(young));
        assert!(view.slot(young.id()).is_none());
        let mut claim = || graph.claim(0, vector.bytes(), 1.0, 8000);
        assert!(index
            .insert_coded(&view, (vector, 0), Some(0), &mut claim, (work, integers), (&mut lanes[0], scan))
            .unwrap());
    });
    let slot = index.store().slots().last().unwrap();
    assert!(index.store().links0(slot).contains(index.store().slot(nearest as u32).unwrap()));
}
