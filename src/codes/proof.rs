//! What a distance between codes proves about the distance of the vectors in f32.

use super::quantiser::{CodedQuery, Quantiser, TOP};
use crate::distance::kernel::Distance;

/// What a distance of codes proves about the distance in f32, for one query. Made by [`Quantiser::proof`].
///
/// Let c be a code, x its vector, v what c stands for, |x - v| <= e (the limit of errors). *Squared L2*, step s, with w
/// what the query's code stands for, |q - w| = f: |w - v| = s * sqrt(d), so |q - x| is within e + f of s * sqrt(d) by
/// the triangle inequality. *Inner product*: the query's values times the scales are t = s * r + z, r its code. With m
/// the middle of codes, q * v is base and s * r * c, which d tells, and z * (c - m); so the distance is off by at most
/// |q| * e + |z| * |c - m| (Cauchy and Schwarz), the last factor being at most the limit of reaches.
#[derive(Default)]
pub(crate) struct Proof {
    inner_product: bool,
    /// A distance of codes `d` stands for `base + step * d`, of squared L2 for `step^2 * d`.
    base: f64,
    step: f64,
    /// What that (of squared L2: its root) can be off by.
    slack: f64,
    /// The rounding of f32 sums: relative to a squared distance, of an inner product absolute.
    rounding: f64,
    /// What squared distances lose where f32 underflows.
    lost: f64,
}

impl Proof {
    /// The least distance of codes that only vectors have whose distance in f32 is `bound` or more, exceptions aside.
    #[inline]
    pub(crate) fn rejects_from(&self, bound: f32) -> i32 {
        let bound = f64::from(bound);
        let least = if self.inner_product {
            (bound + self.slack + self.rounding - self.base) / self.step
        } else {
            ((((bound + self.lost) * (1.0 + self.rounding)).sqrt() + self.slack) / self.step).powi(2)
        };
        // Beyond the range of i32 `as` saturates; what is no number rejects nothing.
        if least.is_nan() {
            i32::MAX
        } else {
            least.ceil() as i32
        }
    }

    /// The pool key that the keys of distances in f32 are above if a distance of codes is `of_codes`, exceptions aside.
    #[inline]
    pub(crate) fn lowest(&self, of_codes: i32) -> u32 {
        let of_codes = f64::from(of_codes);
        let least = if self.inner_product {
            self.base + self.step * of_codes - self.slack - self.rounding
        } else {
            (self.step * of_codes.sqrt() - self.slack).max(0.0).powi(2) / (1.0 + self.rounding) - self.lost
        };
        // One below the nearest float; what is no number tells nothing.
        if least.is_nan() {
            0
        } else {
            (least as f32).pool_key() - 1
        }
    }

    /// The greatest pool key of a distance whose [`Proof::lowest`] is `lowest`.
    #[inline]
    pub(crate) fn highest(&self, lowest: u32) -> u32 {
        let least = f64::from(f32::from_pool_key(lowest.saturating_add(2)));
        let most = if self.inner_product {
            least + 2.0 * (self.slack + self.rounding)
        } else {
            (((least + self.lost) * (1.0 + self.rounding)).sqrt() + 2.0 * self.slack).powi(2) * (1.0 + self.rounding)
        };
        if most.is_nan() {
            u32::MAX
        } else {
            (most as f32).pool_key().saturating_add(1)
        }
    }
}

impl Quantiser {
    /// What distances of codes prove, for a query that [`Quantiser::prepare`] has made ready.
    pub(crate) fn proof(&self, query: &[f32], coded: &CodedQuery) -> Proof {
        let middle = f64::from(TOP) / 2.0;
        let step = f64::from(if self.inner_product { coded.scale } else { self.scale.first().map_or(1.0, |s| *s) });
        let (mut base, mut squares, mut rests) = (1.0f64, 0.0f64, 0.0f64);
        for (i, (q, code)) in query.iter().zip(coded.code.bytes()).enumerate() {
            let (q, low, scale) = (f64::from(*q), f64::from(self.low[i]), f64::from(self.scale[i]));
            // What the code leaves of the query.
            let rest = if self.inner_product {
                q * scale - step * f64::from(*code as i8)
            } else {
                q - (low + scale * f64::from(*code))
            };
            base -= q * low + middle * rest;
            squares += q * q;
            rests += rest * rest;
        }
        let (length, rest) = (squares.sqrt(), rests.sqrt());
        let error = f64::from(self.limit.error);
        let sums = self.rounding_of_sums();
        // What f32 arithmetic adds to the errors that `encode` states: each value is rounded, and the sum of squares.
        // Squares below the least normal number may be lost, all of them where a host has them flushed.
        let lost = self.low.len() as f64 * f64::from(f32::MIN_POSITIVE);
        let error = error + f64::from(self.extent) * 5e-7 + error * sums + lost.sqrt();
        let (slack, rounding) = if self.inner_product {
            let longest = f64::from(self.extent + self.limit.error);
            (length * error + rest * f64::from(self.limit.reach) * (1.0 + sums), sums * (1.0 + length * longest))
        } else {
            (error + rest * (1.0 + sums), 2.0 * sums)
        };
        Proof { inner_product: self.inner_product, base, step, slack, rounding, lost }
    }

    /// Largest relative error of a sum of `dim` products in f32, in any order (Higham, Accuracy and Stability of
    /// Numerical Algorithms, 3.1), with room for what comes before and after the sum.
    fn rounding_of_sums(&self) -> f64 {
        (self.low.len() + 16) as f64 * f64::from(f32::EPSILON)
    }
}
