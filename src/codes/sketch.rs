//! Sketches: four bits for each value of a code, in an array of their own, so that a walk touches half the memory
//! again.
//!
//! The sixteen levels that the bits stand for are chosen on a sample so that the squares of errors are least (Lloyd,
//! Least Squares Quantization in PCM, 1982), the same for all dimensions, each below 128. A query keeps seven bits of
//! its values. What a distance of sketches is worth nobody needs to know: a walk only compares them; what it found is
//! measured exactly.
//!
//! A row has 64 values in 32 bytes: byte i has value i in its low and value 32 + i in its high half.

use super::quantiser::{sum_of, CodedQuery, Quantiser};
use super::stored::Taken;
use crate::store::data::Data;

/// Values in a block of a row, and its bytes.
pub(crate) const VALUES: usize = 64;
pub(crate) const BLOCK: usize = 32;
/// Levels stand before a query's values, twice.
pub(crate) const LEVELS: usize = 32;
/// Codes of so many bytes are in the cache with one line, as their sketches would be.
const SHORT: usize = 64;
/// Codes of so many bytes are worth sketches if they are the vectors, so that what a walk finds is measured by them
/// alone: queries a second rise by 1.2 to 1.35 (SIFT, 128 values, 200,000 records). For others of this size they bring
/// nothing, 0.75 to 1.0 (GloVe, 100 values, 60,000 records), for longer ones 1.3 (MiniLM, 384 values).
const MIDDLE: usize = 128;
/// Bytes of all codes from which on sketches are worth their memory, wherever they are not in a near cache: below they
/// bring 0.95 to 1.05 (SIFT 60,000, MiniLM 20,000 with 512 KB and 32 MB of cache). Tests of units have less.
pub(crate) const WORTH: usize = if cfg!(test) { 1 } else { 8_000_000 };
/// A trial on the graph: how many of its records look by their sketches for how many nearest among so many around them,
/// and the share that has to be among half as many more.
pub(crate) const TRIALS: usize = 16;
pub(crate) const AROUND: usize = 256;
const NEAREST: usize = 10;
const LEAST_FOUND: f64 = 0.85;
/// The share that the square of the mean may have of the mean square, for inner products.
const MOST_MEAN: f64 = 0.25;
const ROUNDS: usize = 50;
/// Errors are at right angles to a vector if their product is below this share of its square.
const STRAIGHT: f32 = 5e-4;

/// A vector of each trial and those around it, one after the other.
type Around<'a> = &'a mut dyn FnMut(usize) -> Vec<f32>;

/// How codes become sketches.
pub(crate) struct Sketch {
    stride: usize,
    levels: [u8; 16],
    /// The level nearest to each code.
    nearest: [u8; 256],
    /// For inner products: what a step of a dimension's code is worth, and its value of code 0 in such steps.
    steps: Option<Vec<(f32, f32)>>,
    moves: Box<[Move; 256]>,
}

/// What [`Sketch::straighten`] may do to a code.
#[derive(Clone, Copy)]
struct Move {
    /// How far its level is from it.
    error: f32,
    /// How much farther up the level on its other side is.
    change: f32,
    other: u8,
    /// In which round: sooner if both are almost as near to it.
    round: u8,
}

impl Move {
    const NONE: u8 = u8::MAX;

    fn of(code: u8, levels: &[u8; 16], level: u8) -> Self {
        let off = |level: u8| code_of(levels[usize::from(level)]) - f32::from(code);
        let error = off(level);
        let other = if error > 0.0 { level.wrapping_sub(1) } else { level + 1 };
        if other > 15 {
            return Self { error, change: 0.0, other: level, round: Self::NONE };
        }
        let share = error.abs() / off(other).abs();
        let round = [0.7, 0.4, 0.1, 0.0].iter().position(|least| share >= *least);
        Self { error, change: off(other) - error, other, round: round.map_or(Self::NONE, |round| round as u8) }
    }
}

/// Where a row has a value: the byte, and the bits in it from the lowest on.
fn place(i: usize) -> (usize, u32) {
    (i / VALUES * BLOCK + i % BLOCK, if i % VALUES < BLOCK { 0 } else { 4 })
}

/// Bytes of a row for vectors of `dim` values.
pub(crate) fn stride(dim: usize) -> usize {
    dim.div_ceil(VALUES) * BLOCK
}

/// Bytes of a query of rows of `stride` bytes.
pub(crate) fn query_bytes(stride: usize) -> usize {
    LEVELS + 2 * stride
}

/// Room for a query.
pub(crate) fn query(dim: usize) -> Data {
    Data::new(query_bytes(stride(dim)))
}

impl Sketch {
    /// Learns from a sample of vectors, one after the other. None: sketches would mislead or save nothing.
    pub(crate) fn train(quantiser: &Quantiser, sample: &[f32], around: Around<'_>) -> Option<Self> {
        let short = if quantiser.is_lossless() { SHORT } else { MIDDLE };
        if quantiser.stride() <= short || sample.is_empty() {
            return None;
        }
        let dim = quantiser.dim();
        let steps = quantiser.steps_of_products();
        // All products are about that with the mean then, and what tells vectors apart is lost in its error.
        if steps.is_some() && share_of_mean(sample, dim) > MOST_MEAN {
            return None;
        }
        let mut row = vec![0; quantiser.stride()];
        let mut weights = [0.0f64; 256];
        for vector in sample.chunks_exact(dim) {
            // SAFETY: a vector of `dim` floats.
            unsafe { quantiser.encode(vector.as_ptr().cast(), &mut row) };
            for (i, code) in row[..dim].iter().enumerate() {
                weights[usize::from(*code)] += quantiser.weight(i, vector[i]);
            }
        }
        let means = least_squares(&weights);
        let nearest: [u8; 256] = std::array::from_fn(|code| nearest(&means, code as f64) as u8);
        let this = Self::of_levels(quantiser, means.map(halved), nearest);
        (this.share_found(quantiser, around) >= LEAST_FOUND).then_some(this)
    }

    /// Appends what [`Sketch::take`] takes.
    pub(super) fn put(&self, to: &mut Vec<u8>) {
        to.extend(self.levels);
        to.extend(self.nearest);
    }

    /// From what [`Sketch::put`] has put. None: those are not the bytes of a sketch.
    pub(super) fn take(from: &mut Taken<'_>, quantiser: &Quantiser) -> Option<Self> {
        let (levels, nearest): ([u8; 16], [u8; 256]) = (from.bytes()?, from.bytes()?);
        let are_levels = levels.iter().all(|level| *level < 128) && nearest.iter().all(|at| *at < 16);
        are_levels.then(|| Self::of_levels(quantiser, levels, nearest))
    }

    fn of_levels(quantiser: &Quantiser, levels: [u8; 16], nearest: [u8; 256]) -> Self {
        let moves = std::array::from_fn(|code| Move::of(code as u8, &levels, nearest[code]));
        let steps = quantiser.steps_of_products();
        Self { stride: stride(quantiser.dim()), levels, nearest, steps, moves: Box::new(moves) }
    }

    /// Of the vectors nearest to some, the share that is near by sketches, too.
    fn share_found(&self, quantiser: &Quantiser, around: Around<'_>) -> f64 {
        let dim = quantiser.dim();
        let (mut code, mut row) = (vec![0; quantiser.stride()], vec![0; self.stride]);
        let mut coded = CodedQuery::new(dim);
        let (mut values, mut found, mut all) = (vec![0i16; dim], 0, 0);
        for trial in 0..TRIALS {
            let vectors = around(trial);
            let mut vectors = vectors.chunks_exact(dim);
            let Some(own) = vectors.next() else { continue };
            quantiser.prepare(own, &mut coded);
            self.prepare(dim, &mut coded);
            let query: Vec<i16> = coded.sketch.bytes()[LEVELS..][..dim].iter().map(|x| i16::from(*x as i8)).collect();
            let (mut exact, mut sketched) = (Vec::with_capacity(AROUND), Vec::with_capacity(AROUND));
            for (other, vector) in vectors.enumerate() {
                // SAFETY: a vector of `dim` floats.
                unsafe { quantiser.encode(vector.as_ptr().cast(), &mut code) };
                self.write(&code[..dim], &mut row);
                values.iter_mut().enumerate().for_each(|(i, value)| *value = self.value(&row, i).into());
                exact.push((self.exact(own, vector), other));
                sketched.push((self.sketched(&query, &values), other));
            }
            exact.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
            sketched.sort_unstable();
            let nearest = &exact[..exact.len().min(NEAREST)];
            let near = &sketched[..sketched.len().min(NEAREST + NEAREST / 2)];
            found += nearest.iter().filter(|(_, other)| near.iter().any(|near| near.1 == *other)).count();
            all += nearest.len();
        }
        found as f64 / all.max(1) as f64
    }

    /// What orders vectors as their distances do.
    fn exact(&self, a: &[f32], b: &[f32]) -> f32 {
        let inner_product = self.steps.is_some();
        sum_of(a, b, |a, b| if inner_product { -a * b } else { (a - b) * (a - b) })
    }

    /// The same of a query and what a sketch stands for.
    fn sketched(&self, query: &[i16], values: &[i16]) -> i32 {
        let pairs = query.iter().zip(values).map(|(a, b)| (i32::from(*a), i32::from(*b)));
        if self.steps.is_some() {
            -pairs.map(|(a, b)| a * b).sum::<i32>()
        } else {
            pairs.map(|(a, b)| (a - b) * (a - b)).sum()
        }
    }

    /// What a sketch stands for in one dimension.
    pub(super) fn value(&self, row: &[u8], i: usize) -> u8 {
        let (byte, half) = place(i);
        self.levels[usize::from(row[byte] >> half & 15)]
    }

    /// The code that a sketch stands for in one dimension.
    #[cfg(test)]
    pub(super) fn code(&self, row: &[u8], i: usize) -> f32 {
        code_of(self.value(row, i))
    }

    /// Bytes of a row.
    #[inline(always)]
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// What half bytes stand for.
    pub(crate) fn levels(&self) -> &[u8; 16] {
        &self.levels
    }

    /// Writes the sketch of a code. What pads it is level 0.
    pub(crate) fn write(&self, code: &[u8], row: &mut [u8]) {
        for (row, code) in row.chunks_exact_mut(BLOCK).zip(code.chunks(VALUES)) {
            let (low, high) = code.split_at(BLOCK.min(code.len()));
            row.fill(0);
            for (byte, code) in row.iter_mut().zip(low) {
                *byte = self.nearest[usize::from(*code)];
            }
            for (byte, code) in row.iter_mut().zip(high) {
                *byte |= self.nearest[usize::from(*code)] << 4;
            }
        }
        let put = |i: usize, level: u8| {
            let (byte, half) = place(i);
            row[byte] = row[byte] & !(15 << half) | level << half;
        };
        if let Some(steps) = &self.steps {
            self.straighten(code, steps, put);
        }
    }

    /// Moves some values to the level on their other side, those first that are almost as near to it, until the errors
    /// are at right angles to the vector. A near query is about the vector: what its product with the errors is then
    /// comes from where the two differ.
    fn straighten(&self, code: &[u8], steps: &[(f32, f32)], mut put: impl FnMut(usize, u8)) {
        let weight = |code: u8, (step, zero): (f32, f32)| step * step * (zero + f32::from(code));
        let (mut products, mut squares) = ([0.0f32; 8], [0.0f32; 8]);
        let mut sum = |i: usize, code: u8, step: (f32, f32)| {
            let weight = weight(code, step);
            products[i] += weight * self.moves[usize::from(code)].error;
            squares[i] += weight * (step.1 + f32::from(code));
        };
        // Eight at a time, which the compiler makes vectors of.
        let ((eights, rest), (eight_steps, rest_steps)) = (code.as_chunks::<8>(), steps.as_chunks::<8>());
        for (eight, steps) in eights.iter().zip(eight_steps) {
            (0..8).for_each(|i| sum(i, eight[i], steps[i]));
        }
        rest.iter().zip(rest_steps).for_each(|(code, step)| sum(0, *code, *step));
        let (mut product, enough) = (products.iter().sum::<f32>(), STRAIGHT * squares.iter().sum::<f32>());
        if product.abs() < enough {
            return;
        }
        for round in 0..4 {
            for (i, (code, step)) in code.iter().zip(steps).enumerate() {
                let Move { change, other, round: own, .. } = self.moves[usize::from(*code)];
                if own != round {
                    continue;
                }
                let moved = product + weight(*code, *step) * change;
                if moved.abs() < product.abs() {
                    product = moved;
                    put(i, other);
                    if product.abs() < enough {
                        return;
                    }
                }
            }
        }
    }

    /// Makes a query ready that [`Quantiser::prepare`] has made ready.
    pub(crate) fn prepare(&self, dim: usize, coded: &mut CodedQuery) {
        let (levels, values) = coded.sketch.bytes_mut().split_at_mut(LEVELS);
        levels[..16].copy_from_slice(&self.levels);
        levels[16..].copy_from_slice(&self.levels);
        // What pads a value is as far from it as nothing.
        values.fill(if self.steps.is_some() { 0 } else { self.levels[0] });
        for (to, code) in values.iter_mut().zip(&coded.code.bytes()[..dim]) {
            *to = if self.steps.is_some() { *code } else { code / 2 };
        }
    }
}

/// The square of the mean of vectors, divided by the mean of their squares.
fn share_of_mean(vectors: &[f32], dim: usize) -> f64 {
    let (mut sums, mut squares) = (vec![0.0f64; dim], 0.0);
    for vector in vectors.chunks_exact(dim) {
        for (sum, x) in sums.iter_mut().zip(vector) {
            *sum += f64::from(*x);
            squares += f64::from(*x).powi(2);
        }
    }
    let count = (vectors.len() / dim) as f64;
    sums.iter().map(|sum| sum * sum).sum::<f64>() / (count * squares).max(f64::MIN_POSITIVE)
}

/// The level that stands for a code, half of it.
fn halved(code: f64) -> u8 {
    ((code - 0.5) / 2.0).round().clamp(0.0, 127.0) as u8
}

/// The code that a level stands for: it is that of two codes.
fn code_of(level: u8) -> f32 {
    2.0 * f32::from(level) + 0.5
}

/// The level nearest to a code.
fn nearest(levels: &[f64; 16], code: f64) -> usize {
    // Levels rise: between two, the middle decides.
    levels.windows(2).filter(|pair| pair[0] + pair[1] < 2.0 * code).count()
}

/// Sixteen levels, rising, for values of which there are as many as `weights` says.
fn least_squares(weights: &[f64; 256]) -> [f64; 16] {
    let total: f64 = weights.iter().sum();
    let mut levels = [0.0; 16];
    let (mut seen, mut at) = (0.0, 0);
    for (code, count) in weights.iter().enumerate() {
        seen += count;
        while at < 16 && seen * 32.0 >= total * (2 * at + 1) as f64 {
            levels[at] = code as f64;
            at += 1;
        }
    }
    for _ in 0..ROUNDS {
        let mut sums = [(0.0, 0.0); 16];
        for (code, count) in weights.iter().enumerate() {
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
