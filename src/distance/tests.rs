use rand::{rngs::SmallRng, Rng, SeedableRng};

use super::{normalise, scalar::fma, scalar::Scalar, Rows};

fn vectors(rng: &mut SmallRng, dim: usize) -> Vec<Vec<f32>> {
    let scale = 10f32.powi(rng.random_range(-3..4));
    (0..5).map(|_| (0..dim).map(|_| rng.random_range(-1.0f32..1.0) * scale).collect()).collect()
}

/// The documented order in plain f32 with the standard library's multiply-add.
fn reference(ip: bool, q: &[f32], r: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    for (i, (a, b)) in q.iter().zip(r).enumerate() {
        sums[i % 16] = if ip { a.mul_add(*b, sums[i % 16]) } else { (a - b).mul_add(a - b, sums[i % 16]) };
    }
    let eight: Vec<f32> = (0..8).map(|j| sums[j] + sums[j + 8]).collect();
    let four: Vec<f32> = (0..4).map(|j| eight[j] + eight[j + 4]).collect();
    let sum = (four[0] + four[2]) + (four[1] + four[3]);
    if ip {
        1.0 - sum
    } else {
        sum
    }
}

fn agrees<K: Rows>(ip: bool) {
    let mut rng = SmallRng::seed_from_u64(7);
    for dim in (1..=100).chain([127, 128, 129, 383, 384, 768, 1000]) {
        let v = vectors(&mut rng, dim);
        let expected: Vec<f32> = v[1..].iter().map(|r| reference(ip, &v[0], r)).collect();
        // SAFETY: all vectors hold `dim` floats; the callers checked the CPU.
        let (one, four) = unsafe {
            let rows = [v[1].as_ptr(), v[2].as_ptr(), v[3].as_ptr(), v[4].as_ptr()];
            (rows.map(|r| K::one(v[0].as_ptr(), r, dim)), K::four(v[0].as_ptr(), rows, dim))
        };
        assert_eq!(one.map(f32::to_bits).to_vec(), expected.iter().map(|d| d.to_bits()).collect::<Vec<_>>(), "{dim}");
        assert_eq!(four.map(f32::to_bits), one.map(f32::to_bits), "dim {dim}");
    }
}

#[test]
fn every_instruction_set_gives_the_documented_bits() {
    agrees::<Scalar<false>>(false);
    agrees::<Scalar<true>>(true);
    #[cfg(target_arch = "x86_64")]
    {
        use super::{avx2::Avx2, avx512::Avx512, Level};
        if Level::detected() >= Level::Avx2 {
            agrees::<Avx2<false>>(false);
            agrees::<Avx2<true>>(true);
        }
        if Level::detected() >= Level::Avx512 {
            agrees::<Avx512<false>>(false);
            agrees::<Avx512<true>>(true);
        }
    }
    #[cfg(target_arch = "aarch64")]
    {
        agrees::<super::neon::Neon<false>>(false);
        agrees::<super::neon::Neon<true>>(true);
    }
}

#[test]
fn the_sum_is_close_to_the_exact_one() {
    let mut rng = SmallRng::seed_from_u64(8);
    for dim in [3, 16, 100, 1000] {
        let v = vectors(&mut rng, dim);
        let exact: f64 = v[0].iter().zip(&v[1]).map(|(a, b)| f64::from(a - b).powi(2)).sum();
        // SAFETY: both hold `dim` floats.
        let got = f64::from(unsafe { Scalar::<false>::one(v[0].as_ptr(), v[1].as_ptr(), dim) });
        assert!((got - exact).abs() <= exact * 1e-6, "{dim}: {got} {exact}");
    }
}

#[test]
fn software_multiply_add_rounds_once() {
    let mut rng = SmallRng::seed_from_u64(9);
    let check = |a: f32, b: f32, c: f32| assert_eq!(fma(a, b, c).to_bits(), a.mul_add(b, c).to_bits(), "{a} {b} {c}");
    for _ in 0..200_000 {
        let mut any = || f32::from_bits(rng.random::<u32>() & 0xBFFF_FFFF); // finite, every exponent up to 1
        check(any(), any(), any());
    }
    for _ in 0..200_000 {
        // Products that cancel or tie against the addend.
        let (a, b): (f32, f32) = (rng.random_range(1.0..2.0), rng.random_range(1.0..2.0));
        let c = -(a * b) + f32::EPSILON * [0.0, 0.5, 1.0, -0.5][rng.random_range(0..4)];
        check(a, b, c);
        check(a, 2f32.powi(-24), rng.random_range(1.0..2.0));
    }
    check(f32::MAX, f32::MAX, 1.0);
    check(f32::MAX, 1.0, f32::MAX);
    check(1e-38, 1e-8, 1e-45);
}

#[test]
fn normalising_holds_at_the_ends_of_the_range() {
    let mut out = [0.0; 3];
    for scale in [1e-44f32, 1e-25, 1e-10, 1.0, 1e10, 1e25, 1e38] {
        let length = normalise(&[scale, -scale, 2.0 * scale], &mut out);
        let unit: f32 = out.iter().map(|x| x * x).sum();
        assert!((unit - 1.0).abs() < 1e-5, "{scale}: {out:?}");
        assert!((f64::from(length) / (f64::from(scale) * 6f64.sqrt()) - 1.0).abs() < 0.1, "{scale}: {length}");
    }
    assert_eq!(normalise(&[0.0, -0.0, 0.0], &mut out), 0.0);
    assert_eq!(out.map(f32::abs), [0.0; 3]);
}
