//! What a search is generic over: how distances are measured, and what kind of number they are.

use std::cell::Cell;
use std::cmp::Ordering;

use super::sorted::{Plain, Sorted};
use super::Rows;

/// A distance. Searches only compare distances, so any number will do that has their order.
pub(crate) trait Distance: Copy + PartialOrd + Default + Send + 'static {
    /// Whether 32 bits tell distances apart, which the sorted pool needs.
    const POOLED: bool;

    /// The same distance in the opposite order: for a heap with the nearest on top.
    fn reversed(self) -> Self;
    /// A total order that agrees with the distances'.
    fn order(&self, other: &Self) -> Ordering;
    /// The number that stands for this distance in the C ABI: integers for themselves, floats by their bits, mapped so
    /// that they order as the distances do.
    fn key(self) -> i64;
    /// The distance of a key.
    fn from_key(key: i64) -> Self;
    /// 32 bits that order as the distances do, where these are [`Distance::POOLED`].
    fn pool_key(self) -> u32;
    /// The distance of a pool key.
    fn from_pool_key(key: u32) -> Self;
}

impl Distance for f32 {
    const POOLED: bool = true;

    #[inline(always)]
    fn reversed(self) -> Self {
        -self
    }

    #[inline(always)]
    fn order(&self, other: &Self) -> Ordering {
        self.total_cmp(other)
    }

    #[inline(always)]
    fn key(self) -> i64 {
        let bits = self.to_bits() as i32;
        i64::from(bits ^ (bits >> 31 & i32::MAX))
    }

    #[inline(always)]
    fn from_key(key: i64) -> Self {
        let bits = key as i32;
        Self::from_bits((bits ^ (bits >> 31 & i32::MAX)) as u32)
    }

    // NaN, which only a damaged file or a host's own vectors can bring: beyond infinity or below its negative.
    #[inline(always)]
    fn pool_key(self) -> u32 {
        let bits = self.to_bits();
        bits ^ (((bits as i32 >> 31) as u32) | 0x8000_0000)
    }

    #[inline(always)]
    fn from_pool_key(key: u32) -> Self {
        Self::from_bits(if key & 0x8000_0000 != 0 { key ^ 0x8000_0000 } else { !key })
    }
}

macro_rules! integer_distance {
    ($number:ty, $pooled:literal) => {
        impl Distance for $number {
            const POOLED: bool = $pooled;

            // Not the negative: the least integer has none.
            #[inline(always)]
            fn reversed(self) -> Self {
                !self
            }

            #[inline(always)]
            fn order(&self, other: &Self) -> Ordering {
                self.cmp(other)
            }

            #[inline(always)]
            fn key(self) -> i64 {
                self.into()
            }

            #[inline(always)]
            fn from_key(key: i64) -> Self {
                key as Self
            }

            #[inline(always)]
            fn pool_key(self) -> u32 {
                self as u32 ^ 0x8000_0000
            }

            #[inline(always)]
            fn from_pool_key(key: u32) -> Self {
                (key ^ 0x8000_0000) as Self
            }
        }
    };
}

integer_distance!(i32, true);
integer_distance!(i64, false);

/// Measures distances for a host: from a query to some rows, as keys; false to end the call.
pub(crate) type Measure<'a> = dyn Fn(*const u8, &[*const u8], &mut [i64]) -> bool + 'a;

/// What a kernel measures with: the number of values per vector, or the host's function.
pub(crate) struct Ruler<'a> {
    dim: usize,
    farthest: i64,
    host: Option<&'a Measure<'a>>,
    cancelled: Cell<bool>,
}

impl<'a> Ruler<'a> {
    /// For vectors of `dim` values.
    #[inline(always)]
    pub(crate) fn values(dim: usize, farthest: i64) -> Self {
        Self { dim, farthest, host: None, cancelled: Cell::new(false) }
    }

    /// For vectors of `dim` floats.
    #[inline(always)]
    pub(crate) fn floats(dim: usize) -> Self {
        Self::values(dim, f32::MAX.key())
    }

    /// For what a host measures; `farthest` is the key of the largest finite distance.
    pub(crate) fn host(measure: &'a Measure<'a>, farthest: i64) -> Self {
        Self { dim: 0, farthest, host: Some(measure), cancelled: Cell::new(false) }
    }

    /// Values per vector.
    #[inline(always)]
    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    /// The key of the largest finite distance.
    #[inline(always)]
    pub(crate) fn farthest(&self) -> i64 {
        self.farthest
    }

    /// Whether the host wants the call to end. Distances are meaningless from then on.
    #[inline(always)]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }
}

/// Distances of one metric on one instruction set.
pub(crate) trait Kernel: Copy + 'static {
    /// What kind of number.
    type Distance: Distance;
    /// The same instruction set for search pools.
    type Sorted: Sorted;
    /// Whether one pass over four rows costs less than two over one.
    const FOUR_AT_ONCE: bool;
    /// Whether a host measures, who may want the call to end.
    const CANCELS: bool = false;

    /// Distance of `q` and `row`.
    ///
    /// # Safety
    /// Both are readable for what `ruler` measures; the CPU has the kernel's instruction set.
    unsafe fn one(ruler: &Ruler<'_>, q: *const u8, row: *const u8) -> Self::Distance;

    /// Distances of `q` and four rows.
    ///
    /// # Safety
    /// As for `one`, for each row.
    unsafe fn four(ruler: &Ruler<'_>, q: *const u8, rows: [*const u8; 4]) -> [Self::Distance; 4];
}

impl<R: Rows> Kernel for R {
    type Distance = f32;
    type Sorted = R::Sorted;
    const FOUR_AT_ONCE: bool = true;

    #[inline(always)]
    unsafe fn one(ruler: &Ruler<'_>, q: *const u8, row: *const u8) -> f32 {
        // SAFETY: the caller's promise.
        unsafe { <R as Rows>::one(q.cast(), row.cast(), ruler.dim) }
    }

    #[inline(always)]
    unsafe fn four(ruler: &Ruler<'_>, q: *const u8, rows: [*const u8; 4]) -> [f32; 4] {
        // SAFETY: the caller's promise.
        unsafe { <R as Rows>::four(q.cast(), rows.map(<*const u8>::cast), ruler.dim) }
    }
}

/// Squared L2 of bytes.
#[derive(Clone, Copy)]
pub(crate) struct Bytes;

impl Kernel for Bytes {
    type Distance = i32;
    type Sorted = Plain;
    const FOUR_AT_ONCE: bool = false;

    #[inline(always)]
    unsafe fn one(ruler: &Ruler<'_>, q: *const u8, row: *const u8) -> i32 {
        // SAFETY: the caller's promise.
        unsafe { super::bytes::l2(q, row, ruler.dim) }
    }

    #[inline(always)]
    unsafe fn four(ruler: &Ruler<'_>, q: *const u8, rows: [*const u8; 4]) -> [i32; 4] {
        // SAFETY: the caller's promise.
        unsafe {
            let [a, b, c, d] = rows;
            [Self::one(ruler, q, a), Self::one(ruler, q, b), Self::one(ruler, q, c), Self::one(ruler, q, d)]
        }
    }
}

/// What the host measures.
#[derive(Clone, Copy)]
pub(crate) struct Host;

impl Host {
    #[inline(always)]
    fn measure<const N: usize>(ruler: &Ruler<'_>, q: *const u8, rows: [*const u8; N]) -> [i64; N] {
        let mut keys = [ruler.farthest; N];
        let measured = !ruler.is_cancelled() && ruler.host.is_some_and(|measure| measure(q, &rows, &mut keys));
        if !measured {
            ruler.cancelled.set(true);
        }
        keys
    }
}

impl Kernel for Host {
    type Distance = i64;
    type Sorted = Plain;
    const FOUR_AT_ONCE: bool = false;
    const CANCELS: bool = true;

    #[inline(always)]
    unsafe fn one(ruler: &Ruler<'_>, q: *const u8, row: *const u8) -> i64 {
        Self::measure(ruler, q, [row])[0]
    }

    #[inline(always)]
    unsafe fn four(ruler: &Ruler<'_>, q: *const u8, rows: [*const u8; 4]) -> [i64; 4] {
        Self::measure(ruler, q, rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_as_distances_and_come_back() {
        let values = [f32::NEG_INFINITY, -3.5, -1e-40, 0.0, 1e-40, 0.5, 0.50000006, 1.0, 7e30, f32::INFINITY];
        for pair in values.windows(2) {
            assert!(pair[0].key() < pair[1].key() && pair[0].pool_key() < pair[1].pool_key(), "{pair:?}");
            assert!(pair[0].reversed() > pair[1].reversed());
        }
        for value in values {
            assert_eq!((f32::from_key(value.key()), f32::from_pool_key(value.pool_key())), (value, value));
        }
        let values = [i32::MIN, -7, -1, 0, 1, 99, i32::MAX];
        for pair in values.windows(2) {
            assert!(pair[0].pool_key() < pair[1].pool_key() && pair[0].reversed() > pair[1].reversed());
        }
        for value in values {
            assert_eq!((i32::from_key(value.key()), i32::from_pool_key(value.pool_key())), (value, value));
        }
        assert!(i64::MIN.reversed() > i64::MAX.reversed());
    }
}
