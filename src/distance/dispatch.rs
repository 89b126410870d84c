//! Single distances, with the instruction set chosen at each call: for hosts that measure by themselves.

use std::sync::OnceLock;

use super::kernel::{Bytes, Kernel, Ruler};
use super::scalar::Scalar;
use super::{Level, Rows};

/// A distance that the library measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltIn {
    /// Squared L2 of f32.
    L2,
    /// 1 - dot product of f32.
    Ip,
    /// Squared L2 of u8, in i32.
    L2U8,
}

impl BuiltIn {
    /// Bytes of one value of a vector.
    pub(crate) fn value_bytes(self) -> usize {
        match self {
            Self::L2 | Self::Ip => 4,
            Self::L2U8 => 1,
        }
    }
}

type Floats = unsafe fn(*const f32, *const f32, usize) -> f32;
type Block = unsafe fn(usize, *const u8, *const u8, usize, usize, *mut u8);

/// The functions of one instruction set.
#[derive(Clone, Copy)]
struct Table {
    l2: Floats,
    ip: Floats,
    l2_u8: unsafe fn(*const u8, *const u8, usize) -> i32,
    blocks: [Block; 3],
}

/// One distance after the other, four at a time.
///
/// # Safety
/// As [`distances`]; `out` has room for `count` distances.
#[inline(always)]
unsafe fn block<K: Kernel>(dim: usize, q: *const u8, rows: *const u8, stride: usize, count: usize, out: *mut u8) {
    let (ruler, out) = (Ruler::values(dim, 0), out.cast::<K::Distance>());
    let mut at = 0;
    // SAFETY: the caller's promise.
    unsafe {
        while at + 4 <= count {
            let row = |i: usize| rows.add((at + i) * stride);
            let four = K::four(&ruler, q, [row(0), row(1), row(2), row(3)]);
            out.add(at).cast::<[K::Distance; 4]>().write_unaligned(four);
            at += 4;
        }
        for at in at..count {
            out.add(at).write_unaligned(K::one(&ruler, q, rows.add(at * stride)));
        }
    }
}

macro_rules! table {
    ($module:ident, $l2:ty, $ip:ty $(, $feature:literal)?) => {
        mod $module {
            use super::*;

            $(#[target_feature(enable = $feature)])?
            unsafe fn l2(a: *const f32, b: *const f32, dim: usize) -> f32 {
                // SAFETY: the caller's promise.
                unsafe { <$l2 as Rows>::one(a, b, dim) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn ip(a: *const f32, b: *const f32, dim: usize) -> f32 {
                // SAFETY: the caller's promise.
                unsafe { <$ip as Rows>::one(a, b, dim) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn l2_u8(a: *const u8, b: *const u8, dim: usize) -> i32 {
                // SAFETY: the caller's promise.
                unsafe { crate::distance::bytes::l2(a, b, dim) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn l2_block(dim: usize, q: *const u8, rows: *const u8, stride: usize, count: usize, out: *mut u8) {
                // SAFETY: the caller's promise.
                unsafe { block::<$l2>(dim, q, rows, stride, count, out) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn ip_block(dim: usize, q: *const u8, rows: *const u8, stride: usize, count: usize, out: *mut u8) {
                // SAFETY: the caller's promise.
                unsafe { block::<$ip>(dim, q, rows, stride, count, out) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn u8_block(dim: usize, q: *const u8, rows: *const u8, stride: usize, count: usize, out: *mut u8) {
                // SAFETY: the caller's promise.
                unsafe { block::<Bytes>(dim, q, rows, stride, count, out) }
            }

            pub(super) const TABLE: Table = Table { l2, ip, l2_u8, blocks: [l2_block, ip_block, u8_block] };
        }
    };
}

table!(scalar, Scalar<false>, Scalar<true>);
#[cfg(target_arch = "x86_64")]
table!(avx2, crate::distance::avx2::Avx2<false>, crate::distance::avx2::Avx2<true>, "avx2,fma");
#[cfg(target_arch = "x86_64")]
table!(
    avx512,
    crate::distance::avx512::Avx512<false>,
    crate::distance::avx512::Avx512<true>,
    "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"
);
#[cfg(target_arch = "aarch64")]
table!(neon, crate::distance::neon::Neon<false>, crate::distance::neon::Neon<true>, "neon");

#[inline]
fn table() -> &'static Table {
    static CHOSEN: OnceLock<Table> = OnceLock::new();
    CHOSEN.get_or_init(|| match Level::current() {
        Level::Scalar => scalar::TABLE,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => avx2::TABLE,
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => avx512::TABLE,
        #[cfg(target_arch = "aarch64")]
        Level::Neon => neon::TABLE,
    })
}

/// Squared L2.
///
/// # Safety
/// Both point to `dim` readable floats.
#[inline]
pub unsafe fn l2(a: *const f32, b: *const f32, dim: usize) -> f32 {
    // SAFETY: the caller's promise; the table is of an instruction set that this machine was found to have.
    unsafe { (table().l2)(a, b, dim) }
}

/// 1 - dot product.
///
/// # Safety
/// Both point to `dim` readable floats.
#[inline]
pub unsafe fn one_minus_dot(a: *const f32, b: *const f32, dim: usize) -> f32 {
    // SAFETY: as in `l2`.
    unsafe { (table().ip)(a, b, dim) }
}

/// Squared L2 of bytes.
///
/// # Safety
/// Both point to `dim` readable bytes.
#[inline]
pub unsafe fn l2_u8(a: *const u8, b: *const u8, dim: usize) -> i32 {
    // SAFETY: as in `l2`.
    unsafe { (table().l2_u8)(a, b, dim) }
}

/// Distances of `q` to `count` rows that are `stride` bytes apart; f32 or i32 to `out`, which may have any address.
///
/// # Safety
/// `q` and each row are readable for `dim` values, `out` is writable for `count` numbers.
pub unsafe fn distances(
    kind: BuiltIn,
    dim: usize,
    q: *const u8,
    rows: *const u8,
    stride: usize,
    count: usize,
    out: *mut u8,
) {
    let block = table().blocks[match kind {
        BuiltIn::L2 => 0,
        BuiltIn::Ip => 1,
        BuiltIn::L2U8 => 2,
    }];
    // SAFETY: the caller's promise.
    unsafe { block(dim, q, rows, stride, count, out) }
}
