//! From floats to codes, and what a distance between codes says about the distance of the floats.
//!
//! *Squared L2.* A value is `low[i] + scale * code`, one scale for all dimensions, so that the squared L2 of floats is
//! `scale^2` times that of codes. Values that are all integers in 0..=255 are their own codes: nothing is lost then,
//! and the integers are the very distances that f32 arithmetic gives.
//!
//! *Inner product.* A value is `low[i] + scale[i] * code` with a scale for each dimension, which a query takes over: it
//! is multiplied by the scales once and rounded to signed bytes, of which two side by side are so small that their
//! products with codes fit 16 bits together.
//!
//! A dimension's range goes from its least to its greatest value, but not beyond what the quantiles of a sample make
//! plausible, so that a few wild values do not cost all others their precision. What lies beyond is clipped.

use super::stored::Taken;
use crate::store::data::Data;

/// Longest vector that gets codes: sums stay far below 2^31.
pub(super) const MAX_DIM: usize = 16_384;
/// The greatest code.
pub(super) const TOP: f32 = 255.0;
/// What a query's first and second byte are at most together, and so on, where they are signed.
pub(super) const PAIR: i32 = 128;
/// Longest vector of integers whose sums of squares stay below 2^24: f32 holds them exactly, whatever the order.
const LOSSLESS_DIM: usize = 258;
/// Largest share of its distance from the centre that a typical record may lose. Beyond, codes would mislead.
const MAX_LOSS: f32 = 0.01;
/// Records that quantiles and errors are learned from.
pub(crate) const SAMPLE: usize = 2048;

/// How values become codes.
pub(crate) struct Quantiser {
    pub(super) inner_product: bool,
    lossless: bool,
    stride: usize,
    /// Values of code 0.
    pub(super) low: Vec<f32>,
    /// What one step of a code is worth; all the same for squared L2.
    pub(super) scale: Vec<f32>,
    inverse: Vec<f32>,
    /// What all but the exceptions keep to.
    pub(super) limit: Blur,
    /// How long what codes stand for can be.
    pub(super) extent: f32,
    /// Mean square of a code's distance from the middle, summed over the dimensions.
    spread: f32,
}

/// How far a code is from its vector, and from the middle of all codes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Blur {
    pub(crate) error: f32,
    /// In steps of codes; looked at for inner products only.
    pub(crate) reach: f32,
}

/// A query in codes.
pub(crate) struct CodedQuery {
    pub(crate) code: Data,
    /// The same for sketches, where there are some.
    pub(crate) sketch: Data,
    /// A distance of codes `d` stands for `base + scale * d`.
    pub(crate) base: f32,
    pub(crate) scale: f32,
    /// Variance of the error of a distance: `noise + noise_slope * distance`.
    noise: f32,
    noise_slope: f32,
    /// The code is the query.
    pub(crate) lossless: bool,
    /// The query lies beyond the trained range.
    pub(crate) is_outside: bool,
    /// And so do records: all these may have one code.
    pub(crate) is_beyond: bool,
}

impl CodedQuery {
    /// Room for a query's code.
    pub(crate) fn new(dim: usize) -> Self {
        let code = Data::new(dim.min(MAX_DIM).next_multiple_of(super::PADDING));
        Self {
            code,
            sketch: super::sketch::query(dim.min(MAX_DIM)),
            base: 0.0,
            scale: 1.0,
            noise: 0.0,
            noise_slope: 0.0,
            lossless: false,
            is_outside: false,
            is_beyond: false,
        }
    }

    /// The distance that a distance of codes stands for.
    #[inline(always)]
    pub(crate) fn distance(&self, of_codes: i32) -> f32 {
        self.base + self.scale * of_codes as f32
    }

    /// Whether distances can be told from codes: not where floats overflow.
    pub(crate) fn is_usable(&self) -> bool {
        !self.is_beyond
            && self.base.is_finite()
            && self.scale.is_finite()
            && self.noise.is_finite()
            && self.noise_slope.is_finite()
    }

    /// Four standard deviations of the error of a distance.
    #[inline(always)]
    pub(crate) fn margin(&self, distance: f32) -> f32 {
        4.0 * (self.noise + self.noise_slope * distance.max(0.0)).sqrt()
    }
}

impl Quantiser {
    /// Learns from the ends of each dimension and a sample of vectors, one after the other. None: codes would not do.
    pub(crate) fn train(ends: &[(f32, f32)], sample: &[f32], inner_product: bool) -> Option<Self> {
        let dim = ends.len();
        if sample.is_empty() || dim > MAX_DIM {
            return None;
        }
        let whole = |x: &f32| (0.0..=255.0).contains(x) && x.fract() == 0.0;
        let mut this = if !inner_product && dim <= LOSSLESS_DIM && sample.iter().all(whole) {
            Self::new(vec![0.0; dim], vec![1.0; dim], inner_product, true)
        } else {
            let (low, scale) = ranges(ends, sample, !inner_product);
            Self::new(low, scale, inner_product, false)
        };
        if !this.lossless && !this.judge(sample) {
            return None;
        }
        Some(this)
    }

    fn new(low: Vec<f32>, scale: Vec<f32>, inner_product: bool, lossless: bool) -> Self {
        let inverse = scale.iter().map(|s| if *s > 0.0 { 1.0 / s } else { 0.0 }).collect();
        let stride = low.len().next_multiple_of(super::PADDING);
        let far = |(low, scale): (&f32, &f32)| low.abs().max((low + TOP * scale).abs());
        let extent = low.iter().zip(&scale).map(far).map(|x| x * x).sum::<f32>().sqrt();
        let limit = Blur { error: 0.0, reach: f32::INFINITY };
        Self { inner_product, lossless, stride, low, scale, inverse, limit, extent, spread: 0.0 }
    }

    /// Sets what the sample tells of errors; false if they are too large.
    fn judge(&mut self, sample: &[f32]) -> bool {
        let dim = self.low.len();
        let rows = sample.len() / dim;
        let mut row = vec![0; self.stride];
        let mut centre = vec![0.0f32; dim];
        for vector in sample.chunks_exact(dim) {
            centre.iter_mut().zip(vector).for_each(|(c, x)| *c += x / rows as f32);
        }
        let (mut errors, mut reaches) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        let mut code_reaches = Vec::with_capacity(rows);
        for vector in sample.chunks_exact(dim) {
            // SAFETY: a vector of `dim` floats.
            errors.push(unsafe { self.encode(vector.as_ptr().cast(), &mut row) });
            let code_reach = self.reach(&row);
            code_reaches.push(code_reach);
            reaches.push(sum_of(&centre, vector, |c, x| (c - x) * (c - x)));
            self.spread += code_reach * code_reach / rows as f32;
        }
        errors.sort_unstable_by(f32::total_cmp);
        code_reaches.sort_unstable_by(f32::total_cmp);
        reaches.sort_unstable_by(f32::total_cmp);
        // All but one in a hundred are ordinary.
        let most = |sorted: &[f32]| sorted[(rows - 1) * 99 / 100] * 1.1;
        self.limit = Blur { error: most(&errors), reach: most(&code_reaches) };
        errors[rows / 2].powi(2) <= MAX_LOSS * reaches[rows / 2]
    }

    /// Bytes of a code.
    #[inline(always)]
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// Appends what [`Quantiser::take`] takes.
    pub(super) fn put(&self, to: &mut Vec<u8>) {
        to.extend([u8::from(self.inner_product), u8::from(self.lossless)]);
        let errors = [self.limit.error, self.limit.reach.min(f32::MAX), self.spread];
        for x in self.low.iter().chain(&self.scale).chain(&errors) {
            to.extend(x.to_le_bytes());
        }
    }

    /// From what [`Quantiser::put`] has put. None: those are not the bytes of a quantiser of this kind.
    pub(super) fn take(from: &mut Taken<'_>, dim: usize, inner_product: bool) -> Option<Self> {
        let [dot, lossless] = from.bytes()?.map(|flag: u8| flag != 0);
        if dot != inner_product || dim > MAX_DIM {
            return None;
        }
        let (low, scale) = (from.f32s(dim)?, from.f32s(dim)?);
        if lossless
            && (inner_product || dim > LOSSLESS_DIM || low.iter().any(|x| *x != 0.0) || scale.iter().any(|x| *x != 1.0))
        {
            return None;
        }
        let uneven = !inner_product && scale.iter().any(|x| x != &scale[0]);
        let limit = Blur { error: from.f32()?, reach: from.f32()? };
        let spread = from.f32()?;
        if uneven
            || scale.iter().chain(&[limit.error, limit.reach, spread]).any(|x| *x < 0.0)
            || lossless && limit.error > 0.0
        {
            return None;
        }
        Some(Self { limit, spread, ..Self::new(low, scale, inner_product, lossless) })
    }

    /// Whether codes are for inner products.
    pub(crate) fn is_of_products(&self) -> bool {
        self.inner_product
    }

    /// Values of a vector.
    pub(crate) fn dim(&self) -> usize {
        self.low.len()
    }

    /// What the square of an error of value `x` in dimension `i` weighs. Of an inner product the error is multiplied by
    /// the query's value, which is `x` or about it when the query is near; but [`super::sketch`] sees to it that the
    /// products cancel each other in the direction of the vector, so that less than the square of `x` is right.
    pub(crate) fn weight(&self, i: usize, x: f32) -> f64 {
        if self.inner_product {
            let product = f64::from((self.scale[i] * x).abs());
            product * product.sqrt()
        } else {
            1.0
        }
    }

    /// For inner products: what a step of each dimension is worth, and its value of code 0 in such steps.
    pub(crate) fn steps_of_products(&self) -> Option<Vec<(f32, f32)>> {
        let zero = |(scale, low): (&f32, &f32)| (*scale, if *scale > 0.0 { low / scale } else { 0.0 });
        self.inner_product.then(|| self.scale.iter().zip(&self.low).map(zero).collect())
    }

    /// Codes are the vectors themselves, exceptions aside.
    #[inline]
    pub(crate) fn is_lossless(&self) -> bool {
        self.lossless
    }

    #[cfg(test)]
    pub(super) fn limit(&self) -> Blur {
        self.limit
    }

    #[cfg(test)]
    pub(super) fn value(&self, i: usize, code: f32) -> f64 {
        f64::from(self.low[i] + self.scale[i] * code)
    }

    /// Whether a code, which is `error` from its vector, tells so little of it that the vector is an exception.
    #[inline]
    pub(crate) fn is_exceptional(&self, error: f32, row: &[u8]) -> bool {
        // Also when something is no number.
        !(error <= self.limit.error && (!self.inner_product || self.reach(row) <= self.limit.reach))
    }

    /// How far a code is from the middle of all codes, in steps.
    fn reach(&self, row: &[u8]) -> f32 {
        let middle = TOP / 2.0;
        let mut squares = [0.0f32; 8];
        let mut add = |i: usize, code: u8| squares[i] += (f32::from(code) - middle).powi(2);
        let (eights, rest) = row[..self.low.len()].as_chunks::<8>();
        for eight in eights {
            (0..8).for_each(|i| add(i, eight[i]));
        }
        rest.iter().for_each(|code| add(0, *code));
        squares.iter().sum::<f32>().sqrt()
    }

    /// Writes the code of a vector and returns the distance between the two.
    ///
    /// # Safety
    /// `vector` points to `dim` readable floats, at any address.
    pub(crate) unsafe fn encode(&self, vector: *const u8, row: &mut [u8]) -> f32 {
        assert_eq!(row.len(), self.stride);
        let (codes, padding) = row.split_at_mut(self.low.len());
        padding.fill(0);
        // SAFETY: the caller's promise; a float is four bytes at any address.
        let values = unsafe { std::slice::from_raw_parts(vector.cast::<[u8; 4]>(), codes.len()) };
        // Eight at a time, which the compiler makes vectors of.
        let mut errors = [0.0f32; 8];
        let (mut eights, mut values, mut at) = (codes.chunks_exact_mut(8), values.chunks_exact(8), 0);
        for (codes, values) in (&mut eights).zip(&mut values) {
            self.encode_some(values, at, codes, &mut errors);
            at += 8;
        }
        self.encode_some(values.remainder(), at, eights.into_remainder(), &mut errors);
        errors.iter().sum::<f32>().sqrt()
    }

    /// Encodes up to eight values, those from `at` on.
    #[inline(always)]
    fn encode_some(&self, values: &[[u8; 4]], at: usize, codes: &mut [u8], errors: &mut [f32; 8]) {
        let to = at + values.len();
        let (low, scale, inverse) = (&self.low[at..to], &self.scale[at..to], &self.inverse[at..to]);
        for i in 0..codes.len() {
            let x = f32::from_le_bytes(values[i]);
            let steps = (x - low[i]) * inverse[i];
            // What is no number stays none.
            let steps = if steps < 0.0 { 0.0 } else { steps };
            let steps = if steps > TOP { TOP } else { steps };
            let (code, rounded) = round(steps);
            codes[i] = code;
            let lost = x - (low[i] + scale[i] * rounded);
            errors[i] += lost * lost;
        }
    }

    /// Makes a query ready.
    pub(crate) fn prepare(&self, query: &[f32], out: &mut CodedQuery) {
        let code = &mut out.code.bytes_mut()[..self.stride];
        if self.inner_product {
            return self.prepare_dot(query, out);
        }
        // SAFETY: a query has `dim` floats.
        let error = unsafe { self.encode(query.as_ptr().cast(), code) };
        let scale = self.scale.first().map_or(1.0, |s| *s);
        (out.base, out.scale, out.lossless) = (0.0, scale * scale, self.lossless && error == 0.0);
        (out.noise, out.noise_slope) = (0.0, scale * scale);
        // A code of integers is as far as half a step in each dimension from what lies between.
        let near = if self.lossless { 0.51 * (self.low.len() as f32).sqrt() } else { self.limit.error };
        out.is_outside = error > near;
        if !self.lossless {
            // The square of a code's error is a twelfth of its step's on average; so is the query's. A difference is
            // off by their sum: squares grow by a sixth, with a variance of (1 / 15 - 1 / 36) of the fourth power.
            let dim = self.low.len() as f32;
            out.base = -dim * out.scale / 6.0;
            (out.noise, out.noise_slope) = (dim * out.scale * out.scale * 0.0389, 4.0 * out.scale / 6.0);
            // A query beyond the ranges is off by more, and not at random.
            let excess = (error * error - dim * out.scale / 12.0).max(0.0);
            out.noise += excess * excess;
            out.noise_slope += 4.0 * excess;
        }
    }

    fn prepare_dot(&self, query: &[f32], out: &mut CodedQuery) {
        let code = &mut out.code.bytes_mut()[..self.stride];
        let pairs = query.chunks(2).zip(self.scale.chunks(2));
        let largest = pairs.fold(0.0f32, |most, (q, scale)| {
            let (a, b) = (q[0] * scale[0], q.get(1).map_or(0.0, |q| q * scale[1]));
            most.max(a.abs()).max(b.abs()).max((a + b).abs())
        });
        // Rounded, two may be one more together.
        let step = if largest > 0.0 { largest / (PAIR - 1) as f32 } else { 1.0 };
        let inverse = 1.0 / step;
        let middle = TOP / 2.0;
        let (mut base, mut sum, mut noise) = (0.0f32, 0i32, 0.0f32);
        code.fill(0);
        for (i, (q, code)) in query.iter().zip(code).enumerate() {
            let scaled = q * self.scale[i];
            (*code, _) = round(scaled * inverse);
            base += q * (self.low[i] + middle * self.scale[i]);
            sum += i32::from(*code as i8);
            noise += scaled * scaled;
        }
        out.base = 1.0 - (base - middle * step * sum as f32);
        out.scale = step;
        (out.lossless, out.is_outside) = (false, false);
        (out.noise, out.noise_slope) = ((noise + step * step * self.spread) / 12.0, 0.0);
    }
}

/// The sum of a term of each dimension.
pub(super) fn sum_of(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    // Eight sums, which the compiler makes vectors of.
    let mut sums = [0.0f32; 8];
    for (a, b) in a.chunks(8).zip(b.chunks(8)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += term(*a, *b);
        }
    }
    sums.iter().sum()
}

/// A value of at most a few hundred, rounded to the nearest integer, the even one of two: its lowest byte, and itself.
#[inline(always)]
fn round(x: f32) -> (u8, f32) {
    // Beyond 2^23 floats are integers. Adding that rounds; the integer is in the lowest bits then, also of a negative
    // one.
    const INTEGERS: f32 = (3 << 22) as f32;
    let sum = x + INTEGERS;
    (sum.to_bits() as u8, sum - INTEGERS)
}

/// What is added to both ends of a range for vectors to come, as a share of it.
const WIDER: f32 = 0.08;

/// Low ends and steps of the dimensions.
fn ranges(ends: &[(f32, f32)], sample: &[f32], uniform: bool) -> (Vec<f32>, Vec<f32>) {
    let dim = ends.len();
    let mut plausible = Vec::with_capacity(dim);
    let mut values = Vec::with_capacity(sample.len() / dim);
    for (i, (least, most)) in ends.iter().enumerate() {
        values.clear();
        values.extend(sample.iter().skip(i).step_by(dim));
        let last = values.len() - 1;
        let mut quantile = |at| *values.select_nth_unstable_by(at, f32::total_cmp).1;
        let (q1, q99) = (quantile(last / 100), quantile(last - last / 100));
        let reach = if q99 > q1 { 1.5 * (q99 - q1) } else { f32::MAX };
        let wider = WIDER * (most - least);
        plausible.push(((least - wider).max(q1 - reach), (most + wider).min(q99 + reach)));
    }
    let width = |(low, high): &(f32, f32)| (high - low).max(0.0);
    let widest = plausible.iter().map(width).fold(0.0, f32::max);
    let scale = |end| if uniform { widest / TOP } else { width(end) / TOP };
    (plausible.iter().map(|end| end.0).collect(), plausible.iter().map(scale).collect())
}
