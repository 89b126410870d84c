//! Levels of new records, drawn as hnswlib draws them with libstdc++ (GCC 12).
//!
//! `std::default_random_engine` is minstd_rand0: x := 16807 x mod (2^31 - 1). A `uniform_real_distribution<double>`
//! takes two draws, the first as the low part. `level = (int)(-log(u) * mult)`.

/// 2^31 - 1.
const MODULUS: u64 = 0x7FFF_FFFF;

/// The generator.
#[derive(Clone)]
pub(crate) struct LevelGenerator {
    state: u64,
    scale: f64,
}

impl LevelGenerator {
    /// A generator for lists of `m` links.
    pub(crate) fn new(seed: u64, m: usize) -> Self {
        Self { state: seeded(seed), scale: 1.0 / (m as f64).ln() }
    }

    /// The generator of a loaded index, which upstream leaves in its default state, with the scale of the file.
    pub(crate) fn loaded(scale: f64) -> Self {
        Self { state: 1, scale }
    }

    pub(crate) fn scale(&self) -> f64 {
        self.scale
    }

    fn next(&mut self) -> f64 {
        self.state = self.state * 16807 % MODULUS;
        (self.state - 1) as f64
    }

    /// The level of one new record.
    pub(crate) fn draw(&mut self) -> usize {
        let range = (MODULUS - 1) as f64;
        let low = self.next();
        let u = ((low + self.next() * range) / (range * range)).min(1.0 - f64::EPSILON / 2.0);
        let level = -u.ln() * self.scale;
        // u is at least 2^-62: with M at least 2 no level reaches the format's bound.
        (level as usize).min(crate::store::layout::MAX_LEVEL)
    }
}

fn seeded(seed: u64) -> u64 {
    match seed % MODULUS {
        0 => 1,
        state => state,
    }
}
