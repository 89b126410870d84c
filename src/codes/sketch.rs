//! Sketches: four bits for each value of a code, in an array of their own, so that a walk touches half the memory again.
//!
//! The sixteen levels that the bits stand for are chosen on a sample so that the squares of errors are least (Lloyd, Least
//! Squares Quantization in PCM, 1982), the same for all dimensions, each below 128. A query keeps seven bits of its values.
//! What a distance of sketches is worth nobody needs to know: a walk only compares them, and measures what it found by codes.
//!
//! A row has 64 values in 32 bytes: byte i has value i in its low and value 32 + i in its high half.

use super::quantiser::{CodedQuery, Quantiser};
use crate::store::data::Data;

/// Values in a block of a row, and its bytes.
pub(crate) const VALUES: usize = 64;
pub(crate) const BLOCK: usize = 32;
/// Levels stand before a query's values, twice.
pub(crate) const LEVELS: usize = 32;
/// Codes of so many bytes are in the cache with one line, as their sketches would be.
const SHORT: usize = 64;
/// Largest share of the values' variance that sketches may lose. Beyond, they would mislead.
const MAX_LOSS: f64 = 0.03;
const ROUNDS: usize = 50;

/// How codes become sketches.
pub(crate) struct Sketch {
    inner_product: bool,
    stride: usize,
    levels: [u8; 16],
    /// The level nearest to each code.
    nearest: [u8; 256],
}

/// Bytes of a row for vectors of `dim` values.
pub(crate) fn stride(dim: usize) -> usize {
    dim.div_ceil(VALUES) * BLOCK
}

/// Room for a query.
pub(crate) fn query(dim: usize) -> Data {
    Data::new(LEVELS + dim.next_multiple_of(VALUES))
}

impl Sketch {
    /// Learns from a sample of vectors, one after the other. None: sketches would mislead or save nothing.
    pub(crate) fn train(quantiser: &Quantiser, sample: &[f32]) -> Option<Self> {
        if quantiser.stride() <= SHORT || sample.is_empty() {
            return None;
        }
        let dim = quantiser.dim();
        let mut row = vec![0; quantiser.stride()];
        let mut histogram = [0.0f64; 256];
        let mut sums = vec![(0.0f64, 0.0f64); dim];
        for vector in sample.chunks_exact(dim) {
            // SAFETY: a vector of `dim` floats.
            unsafe { quantiser.encode(vector.as_ptr().cast(), &mut row) };
            for (code, (sum, squares)) in row.iter().zip(&mut sums) {
                histogram[usize::from(*code)] += 1.0;
                *sum += f64::from(*code);
                *squares += f64::from(*code) * f64::from(*code);
            }
        }
        let rows = (sample.len() / dim) as f64;
        let variance: f64 = sums.iter().map(|(sum, squares)| squares - sum * sum / rows).sum();
        let means = least_squares(&histogram);
        let nearest: [u8; 256] = std::array::from_fn(|code| nearest(&means, code as f64) as u8);
        let error = |code: usize| code as f64 - means[usize::from(nearest[code])];
        let lost: f64 = histogram.iter().enumerate().map(|(code, count)| count * error(code) * error(code)).sum();
        if lost > MAX_LOSS * variance {
            return None;
        }
        let inner_product = quantiser.is_inner_product();
        let levels = means.map(|mean| if inner_product { mean.round() as u8 } else { halved(mean) });
        Some(Self { inner_product, stride: stride(dim), levels, nearest })
    }

    /// Bytes of a row.
    #[inline(always)]
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// Writes the sketch of a code; what pads the one is not looked at, what pads the other is level 0.
    pub(crate) fn write(&self, code: &[u8], row: &mut [u8]) {
        let level = |at: Option<&u8>| at.map_or(0, |code| self.nearest[usize::from(*code)]);
        for (values, block) in code.chunks(VALUES).zip(row.chunks_exact_mut(BLOCK)) {
            for (i, byte) in block.iter_mut().enumerate() {
                *byte = level(values.get(i)) | level(values.get(BLOCK + i)) << 4;
            }
        }
    }

    /// Makes a query ready that [`Quantiser::prepare`] has made ready.
    pub(crate) fn prepare(&self, dim: usize, coded: &mut CodedQuery) {
        let (levels, values) = coded.sketch.bytes_mut().split_at_mut(LEVELS);
        levels[..16].copy_from_slice(&self.levels);
        levels[16..].copy_from_slice(&self.levels);
        // What pads a value is as far from it as nothing.
        values.fill(if self.inner_product { 0 } else { self.levels[0] });
        for (to, code) in values.iter_mut().zip(&coded.code.bytes()[..dim]) {
            *to = if self.inner_product { *code } else { code / 2 };
        }
    }
}

/// A code as the halves of queries' codes are: those of two codes in one.
fn halved(code: f64) -> u8 {
    ((code - 0.5) / 2.0).round().clamp(0.0, 127.0) as u8
}

/// The level nearest to a code.
fn nearest(levels: &[f64; 16], code: f64) -> usize {
    // Levels rise: between two, the middle decides.
    levels.windows(2).filter(|pair| pair[0] + pair[1] < 2.0 * code).count()
}

/// Sixteen levels, rising, for values of which there are as many as `histogram` says.
fn least_squares(histogram: &[f64; 256]) -> [f64; 16] {
    let total: f64 = histogram.iter().sum();
    let mut levels = [0.0; 16];
    let (mut seen, mut at) = (0.0, 0);
    for (code, count) in histogram.iter().enumerate() {
        seen += count;
        while at < 16 && seen * 32.0 >= total * (2 * at + 1) as f64 {
            levels[at] = code as f64;
            at += 1;
        }
    }
    for _ in 0..ROUNDS {
        let mut sums = [(0.0, 0.0); 16];
        for (code, count) in histogram.iter().enumerate() {
            let (sum, weight) = &mut sums[nearest(&levels, code as f64)];
            *sum += count * code as f64;
            *weight += count;
        }
        for (level, (sum, weight)) in levels.iter_mut().zip(sums) {
            if weight > 0.0 {
                *level = sum / weight;
            }
        }
        levels.sort_unstable_by(f64::total_cmp);
    }
    levels
}
