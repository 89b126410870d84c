mod kernels;

use rand::{rngs::SmallRng, Rng, SeedableRng};

use super::quantiser::{CodedQuery, Quantiser, PAIR};
use super::scalar;
use super::sketch::{self, Sketch};
use crate::distance::kernel::{Distance, Kernel, Ruler};
use crate::distance::scalar::Scalar;

fn train(sample: &[f32], dim: usize, inner_product: bool) -> Option<Quantiser> {
    let end = |i: usize| {
        let values = sample.iter().skip(i).step_by(dim);
        values.fold((f32::MAX, f32::MIN), |(a, b), x| (a.min(*x), b.max(*x)))
    };
    let ends: Vec<_> = (0..dim).map(end).collect();
    Quantiser::train(&ends, sample, inner_product)
}

fn gaussian(rng: &mut SmallRng, count: usize) -> Vec<f32> {
    (0..count).map(|_| (0..12).map(|_| rng.random_range(-0.5f32..0.5)).sum()).collect()
}

/// What codes say of a distance is off by what they say it is off by.
#[test]
fn the_error_of_a_distance_is_what_was_foretold() {
    let mut rng = SmallRng::seed_from_u64(12);
    for (dim, inner_product) in [(20, false), (100, true), (384, true), (130, false)] {
        let vectors: Vec<f32> =
            gaussian(&mut rng, 600 * dim).iter().enumerate().map(|(i, x)| x + (i % dim) as f32 / 9.0).collect();
        let (queries, vectors) = vectors.split_at(100 * dim);
        let quantiser = train(vectors, dim, inner_product).unwrap();
        let mut coded = CodedQuery::new(dim);
        let mut row = vec![0; quantiser.stride()];
        let (mut beyond, mut within, mut all) = (0, 0, 0);
        for query in queries.chunks_exact(dim) {
            quantiser.prepare(query, &mut coded);
            let values: Vec<i32> = coded.code.bytes()[..dim].iter().map(|byte| i32::from(*byte as i8)).collect();
            let is_small = |pair: &[i32]| pair.iter().sum::<i32>().abs() <= PAIR && pair[0].abs() < 128;
            assert!(!inner_product || values.chunks(2).all(is_small), "dim {dim}: {values:?}");
            for vector in vectors.chunks_exact(dim) {
                let ruler = Ruler::values(quantiser.stride(), 0);
                // SAFETY: `dim` floats; codes of one stride.
                let (error, d) = unsafe {
                    let error = quantiser.encode(vector.as_ptr().cast(), &mut row);
                    let code = coded.code.bytes().as_ptr();
                    let d = if inner_product {
                        scalar::Dot::one(&ruler, code, row.as_ptr())
                    } else {
                        scalar::L2::one(&ruler, code, row.as_ptr())
                    };
                    (error, d)
                };
                let pairs = query.iter().zip(vector).map(|(a, b)| (f64::from(*a), f64::from(*b)));
                let exact = if inner_product {
                    1.0 - pairs.map(|(a, b)| a * b).sum::<f64>()
                } else {
                    pairs.map(|(a, b)| (a - b).powi(2)).sum()
                };
                let off = (f64::from(coded.distance(d)) - exact).abs();
                if !quantiser.is_exceptional(error, &row) {
                    let margin = f64::from(coded.margin(exact as f32));
                    beyond += usize::from(off > margin);
                    within += usize::from(off < margin / 4.0);
                    all += 1;
                }
            }
        }
        assert!(beyond * 500 < all, "dim {dim}: {beyond} of {all} beyond four deviations");
        assert!(within * 2 > all, "dim {dim}: {within} of {all} within one deviation");
    }
}

/// Vectors of many kinds; `at` chooses.
fn vectors_of_kind(rng: &mut SmallRng, at: usize, dim: usize, rows: usize) -> Vec<f32> {
    let normal = gaussian(rng, rows * dim);
    let kind = |(i, x): (usize, &f32)| match at {
        0 => *x,
        1 => x + 1000.0,                                   // far from the origin: f32 loses digits
        2 => x.powi(5),                                    // with tails that are clipped
        3 => (x * 40.0 + 128.0).clamp(0.0, 255.0).round(), // bytes
        4 => x * 1e-18 * (1 + i % dim) as f32, // so short that squares are subnormal, each dimension different
        5 => {
            if i % 97 == 0 {
                x * 1e5
            } else {
                *x
            }
        } // a few wild values
        6 => x.signum() * 3.0,                 // two values only
        7 => x * 1e17,                         // so long that squares overflow here and there
        _ => x * 1e-22,                        // so short that they underflow
    };
    normal.iter().enumerate().map(kind).collect()
}

/// Codes reject no vector that is nearer in f32 than the bound, were it by the last bit; and they do reject. A distance
/// is where they say.
#[test]
fn what_codes_reject_is_too_far() {
    let mut rng = SmallRng::seed_from_u64(16);
    let (mut compared, mut rejected, mut far) = (0, 0, 0);
    for inner_product in [false, true] {
        for kind in 0..9 {
            for dim in [1, 3, 20, 33, 100, 384] {
                let vectors = vectors_of_kind(&mut rng, kind, dim, 500);
                let mut queries = vectors_of_kind(&mut rng, kind, dim, 60);
                queries.extend(vectors_of_kind(&mut rng, (kind + 1) % 9, dim, 20));
                queries.extend_from_slice(&vectors[..20 * dim]);
                let Some(quantiser) = train(&vectors[..400 * dim], dim, inner_product) else { continue };
                let (floats, ruler) = (Ruler::floats(dim), Ruler::values(quantiser.stride(), 0));
                let mut coded = CodedQuery::new(dim);
                let mut rows = vec![0; 500 * quantiser.stride()];
                let encode = |(vector, row): (&[f32], &mut [u8])| {
                    // SAFETY: `dim` floats.
                    let error = unsafe { quantiser.encode(vector.as_ptr().cast(), row) };
                    quantiser.is_exceptional(error, row)
                };
                let pairs = vectors.chunks_exact(dim).zip(rows.chunks_exact_mut(quantiser.stride()));
                let exceptional: Vec<bool> = pairs.map(encode).collect();
                for query in queries.chunks_exact(dim) {
                    quantiser.prepare(query, &mut coded);
                    if !coded.is_usable() {
                        continue;
                    }
                    let proof = quantiser.proof(query, &coded);
                    let measure = |at: usize| {
                        let (q, x) = (query.as_ptr().cast(), vectors[at * dim..].as_ptr().cast());
                        let (code, row) = (coded.code.bytes().as_ptr(), rows[at * quantiser.stride()..].as_ptr());
                        // SAFETY: `dim` floats; codes of one stride.
                        unsafe {
                            if inner_product {
                                (Scalar::<true>::one(&floats, q, x), scalar::Dot::one(&ruler, code, row))
                            } else {
                                (Scalar::<false>::one(&floats, q, x), scalar::L2::one(&ruler, code, row))
                            }
                        }
                    };
                    let measured: Vec<(f32, i32)> = (0..500).map(measure).collect();
                    let mut sorted: Vec<f32> = measured.iter().map(|m| m.0).collect();
                    sorted.sort_unstable_by(f32::total_cmp);
                    for ((distance, of_codes), _) in measured.iter().zip(&exceptional).filter(|(_, e)| !**e) {
                        assert!(
                            *of_codes < proof.rejects_from(distance.next_up()),
                            "kind {kind}, dim {dim}, inner product {inner_product}: {distance} rejected by {of_codes}"
                        );
                        let lowest = proof.lowest(*of_codes);
                        let bracket = lowest..proof.highest(lowest);
                        assert!(bracket.contains(&(distance.pool_key() - 1)), "kind {kind}: {distance} by {of_codes}");
                        compared += 1;
                        if kind == 0 && *distance > sorted[50] {
                            far += 1;
                            rejected += usize::from(*of_codes >= proof.rejects_from(sorted[50]));
                        }
                    }
                }
            }
        }
    }
    assert!(compared > 2_000_000, "{compared}");
    assert!(rejected * 10 > far * 7, "{rejected} of {far}");
}

#[test]
fn bytes_are_their_own_codes() {
    let mut rng = SmallRng::seed_from_u64(13);
    let vectors: Vec<f32> = (0..128 * 50).map(|_| f32::from(rng.random::<u8>())).collect();
    let quantiser = train(&vectors, 128, false).unwrap();
    assert!(quantiser.is_lossless());
    let (mut row, mut coded) = (vec![0; 128], CodedQuery::new(128));
    // SAFETY: 128 floats.
    assert_eq!(unsafe { quantiser.encode(vectors.as_ptr().cast(), &mut row) }, 0.0);
    assert!(row.iter().zip(&vectors).all(|(code, x)| f32::from(*code) == *x));
    quantiser.prepare(&vectors[..128], &mut coded);
    assert!(coded.lossless && coded.distance(7) == 7.0);
    let mut query = vectors[..128].to_vec();
    query[5] += 0.25;
    quantiser.prepare(&query, &mut coded);
    assert!(!coded.lossless);
    // Neither cosine nor what is beyond bytes.
    assert!(!train(&vectors, 128, true).unwrap().is_lossless());
    let wide: Vec<f32> = vectors.iter().map(|x| x + 1.0).collect();
    assert!(train(&wide, 128, false).is_none_or(|q| !q.is_lossless()));
}

/// Wild values neither take the precision of the others nor make an error that is not noticed.
#[test]
fn wild_values_are_exceptions() {
    let mut rng = SmallRng::seed_from_u64(14);
    for inner_product in [false, true] {
        let mut vectors = gaussian(&mut rng, 32 * 1000);
        let tame = train(&vectors, 32, inner_product).unwrap();
        vectors[77] = 1e30;
        vectors[32 * 9] = -1e6;
        let wild = train(&vectors, 32, inner_product).unwrap();
        assert!(wild.limit().error < 4.0 * tame.limit().error);
        let mut row = vec![0; 32];
        // SAFETY: 32 floats each.
        let is_exception = |v: &[f32]| wild.is_exceptional(unsafe { wild.encode(v.as_ptr().cast(), &mut row) }, &row);
        let exceptions: Vec<bool> = vectors.chunks_exact(32).map(is_exception).collect();
        assert!(exceptions[2] && exceptions[9]);
        assert!(exceptions.iter().filter(|e| **e).count() < 20);
    }
}

#[test]
fn values_that_codes_cannot_tell_apart_get_none() {
    let mut rng = SmallRng::seed_from_u64(15);
    // One dimension is so wide that the others vanish in its steps.
    let vectors: Vec<f32> = gaussian(&mut rng, 16 * 500)
        .iter()
        .enumerate()
        .map(|(i, x)| if i % 16 == 0 { x.powi(9) * 1e9 } else { *x })
        .collect();
    assert!(train(&[f32::MAX; 64], 16, false).is_none_or(|q| q.limit().error == 0.0));
    assert!(train(&vectors, 16, true).is_none_or(|q| q.limit().error.is_finite()));
    assert!(train(&[], 16, true).is_none());
}

/// A vector for each trial and those nearest to it.
fn around(vectors: &[f32], dim: usize) -> impl FnMut(usize) -> Vec<f32> + use<'_> {
    move |trial| {
        let mut rows: Vec<&[f32]> = vectors.chunks_exact(dim).collect();
        let own = rows[trial * rows.len() / sketch::TRIALS];
        let distance = |row: &&[f32]| row.iter().zip(own).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
        rows.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
        rows[..=sketch::AROUND].concat()
    }
}

/// What a distance of sketches is, computed from what they stand for.
#[test]
fn sketches_stand_for_their_vectors() {
    let mut rng = SmallRng::seed_from_u64(18);
    for (dim, inner_product) in [(140, false), (140, true), (129, true), (384, false)] {
        let vectors = gaussian(&mut rng, 600 * dim);
        let quantiser = train(&vectors, dim, inner_product).unwrap();
        let sketch = Sketch::train(&quantiser, &vectors, &mut around(&vectors, dim)).unwrap();
        let (mut code, mut row) = (vec![0; quantiser.stride()], vec![0xFF; sketch.stride()]);
        let mut coded = CodedQuery::new(dim);
        let (mut lost, mut all, mut straight) = (0.0, 0.0, 0);
        for vector in vectors.chunks_exact(dim).take(100) {
            // SAFETY: `dim` floats.
            unsafe { quantiser.encode(vector.as_ptr().cast(), &mut code) };
            sketch.write(&code[..dim], &mut row);
            let values: Vec<f64> = (0..dim).map(|i| quantiser.value(i, sketch.code(&row, i))).collect();
            let pairs = || values.iter().zip(vector).map(|(v, x)| (*v, f64::from(*x)));
            lost += pairs().map(|(v, x)| (v - x) * (v - x)).sum::<f64>();
            all += pairs().map(|(_, x)| x * x).sum::<f64>();
            let product: f64 = pairs().map(|(v, x)| (v - x) * x).sum();
            // Without the moves a good part would be twice as far from it.
            straight += usize::from(product.abs() < 6e-3 * pairs().map(|(_, x)| x * x).sum::<f64>());

            // The vector itself is as near as its sketch is good, and what pads both does not count.
            quantiser.prepare(vector, &mut coded);
            sketch.prepare(dim, &mut coded);
            let ruler = Ruler::values(sketch.stride(), 0);
            let query = coded.sketch.bytes();
            let value =
                |i: usize| if inner_product { i32::from(query[32 + i] as i8) } else { i32::from(query[32 + i]) };
            let level = |i: usize| i32::from(sketch.value(&row, i));
            // SAFETY: a query and a row of sketches.
            let (d, expected): (i32, i32) = unsafe {
                if inner_product {
                    (
                        scalar::SketchDot::one(&ruler, query.as_ptr(), row.as_ptr()),
                        (0..dim).map(|i| -value(i) * level(i)).sum(),
                    )
                } else {
                    let square = |i: usize| (value(i) - level(i)).pow(2);
                    (scalar::SketchL2::one(&ruler, query.as_ptr(), row.as_ptr()), (0..dim).map(square).sum())
                }
            };
            assert_eq!(d, expected, "dim {dim}");
        }
        assert!(lost < 0.025 * all, "dim {dim}: {lost} of {all} lost");
        assert!(!inner_product || straight > 95, "dim {dim}: {straight} of 100 errors are at right angles");
    }
}

/// Dimensions so different that sixteen levels for all of them would mislead, products that all are about those with
/// the mean, and vectors too short for a gain.
#[test]
fn sketches_that_would_mislead_are_not_made() {
    let mut rng = SmallRng::seed_from_u64(19);
    let made = |vectors: &[f32], dim: usize, inner_product: bool| {
        Sketch::train(&train(vectors, dim, inner_product).unwrap(), vectors, &mut around(vectors, dim)).is_some()
    };
    let vectors = gaussian(&mut rng, 1200 * 140);
    assert!(made(&vectors, 140, false) && made(&vectors, 140, true));
    let skewed: Vec<f32> = vectors.iter().enumerate().map(|(i, x)| x * 1.06f32.powi((i % 140) as i32)).collect();
    assert!(!made(&skewed, 140, false));
    let aside: Vec<f32> = vectors.iter().map(|x| x + 1.0).collect();
    assert!(made(&aside, 140, false) && !made(&aside, 140, true));

    // Groups whose vectors differ by less than a level: near is told from far, but not who is nearest.
    for inner_product in [false, true] {
        let centres = gaussian(&mut rng, 4 * 140);
        let mut groups = gaussian(&mut rng, 1200 * 140);
        for (row, vector) in groups.chunks_exact_mut(140).enumerate() {
            let centre = &centres[row % 4 * 140..][..140];
            vector.iter_mut().zip(centre).for_each(|(x, c)| *x = c + 0.02 * *x);
        }
        assert!(!made(&groups, 140, inner_product));
    }

    let middle = gaussian(&mut rng, 1200 * 100);
    assert!(!made(&middle, 100, false) && !made(&middle, 100, true));
    let integers: Vec<f32> = middle.iter().map(|x| (x * 20.0 + 100.0).round().clamp(0.0, 255.0)).collect();
    assert!(made(&integers, 100, false));
    assert!(!made(&integers[..1200 * 64], 64, false));
}
