//! Distances for hosts that measure by themselves.

use std::ffi::c_void;

use super::args;
use super::guard::guard;
use super::handle::hnx_index;
use super::status::hnx_status;
use crate::distance::{self, BuiltIn};
use crate::error::invalid;
use crate::params::check_dim;

/// Reads the number of values; None where something that would be read is NULL.
///
/// # Safety
/// `dim` is NULL or readable.
unsafe fn dim_at(a: *const c_void, b: *const c_void, dim: *const c_void) -> Option<usize> {
    if dim.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let dim = unsafe { dim.cast::<usize>().read_unaligned() };
    (dim == 0 || !(a.is_null() || b.is_null())).then_some(dim)
}

/// Squared L2 distance of two vectors of floats, on any address; dim points to a size_t, their length. NaN when one of
/// the three is NULL. The shape is that of hnswlib's DISTFUNC of float. Any thread, any time.
///
/// # Safety
/// a and b are NULL or readable for *dim floats; dim is NULL or readable.
#[no_mangle]
pub unsafe extern "C" fn hnx_distance_l2(a: *const c_void, b: *const c_void, dim: *const c_void) -> f32 {
    // SAFETY: the caller's promise; kernels read floats from any address.
    unsafe { dim_at(a, b, dim).map_or(f32::NAN, |dim| distance::l2(a.cast(), b.cast(), dim)) }
}

/// 1 - dot product of two vectors of floats; else as hnx_distance_l2().
///
/// # Safety
/// As for hnx_distance_l2().
#[no_mangle]
pub unsafe extern "C" fn hnx_distance_ip(a: *const c_void, b: *const c_void, dim: *const c_void) -> f32 {
    // SAFETY: the caller's promise; kernels read floats from any address.
    unsafe { dim_at(a, b, dim).map_or(f32::NAN, |dim| distance::one_minus_dot(a.cast(), b.cast(), dim)) }
}

/// Squared L2 distance of two vectors of uint8_t; else as hnx_distance_l2(), but INT32_MAX where that gives NaN. The
/// shape is that of hnswlib's DISTFUNC of int.
///
/// # Safety
/// a and b are NULL or readable for *dim bytes; dim is NULL or readable.
#[no_mangle]
pub unsafe extern "C" fn hnx_distance_l2_u8(a: *const c_void, b: *const c_void, dim: *const c_void) -> i32 {
    // SAFETY: the caller's promise.
    match unsafe { dim_at(a, b, dim) } {
        None => i32::MAX,
        Some(0) => 0,
        // SAFETY: neither is NULL; the caller's promise.
        Some(dim) => unsafe { distance::l2_u8(a.cast(), b.cast(), dim) },
    }
}

/// The built-in distance of a number that C uses; None for HNX_DISTANCE_CALLBACK.
pub(super) fn built_in(number: u32) -> crate::error::Result<Option<BuiltIn>> {
    match number {
        0 => Ok(Some(BuiltIn::L2)),
        1 => Ok(Some(BuiltIn::Ip)),
        2 => Ok(Some(BuiltIn::L2U8)),
        3 => Ok(None),
        _ => Err(invalid(format!("distance {number} is unknown"))),
    }
}

/// Distances from query to count rows, which are stride bytes apart: floats to out, with HNX_DISTANCE_L2_U8 int32_t.
/// Several at a time, so faster than one by one. Errors: HNX_ERR_INVALID_ARGUMENT. Any thread, any time.
///
/// # Safety
/// query and each row are readable for dim values, out is writable for count numbers.
#[no_mangle]
pub unsafe extern "C" fn hnx_distances(
    distance: u32,
    dim: usize,
    query: *const c_void,
    rows: *const c_void,
    stride: usize,
    count: usize,
    out: *mut c_void,
) -> hnx_status {
    guard(std::ptr::null::<hnx_index>(), || {
        let kind = built_in(distance)?.ok_or_else(|| invalid("the library cannot measure HNX_DISTANCE_CALLBACK"))?;
        check_dim(dim)?;
        args::product(stride, count, "stride * count")?;
        if count != 0 && (query.is_null() || rows.is_null() || out.is_null()) {
            return Err(invalid("query, rows or out is NULL"));
        }
        // SAFETY: the caller's promise.
        unsafe { distance::distances(kind, dim, query.cast(), rows.cast(), stride, count, out.cast()) };
        Ok(())
    })
}

/// Normalises a vector of dim floats as Chroma does: out = vector * (1 / (length + 1e-30)), and returns the length; 0,
/// with nothing written, when one of them is NULL or not on an address divisible by 4 (hnx_last_error() says so). out
/// may be vector. Any thread, any time.
///
/// # Safety
/// vector is NULL or readable, out NULL or writable for dim floats.
#[no_mangle]
pub unsafe extern "C" fn hnx_normalize(vector: *const f32, dim: usize, out: *mut f32) -> f32 {
    let mut length = 0.0;
    let _ = guard(std::ptr::null::<hnx_index>(), || {
        // SAFETY: the caller's promise. Copied, because out may be vector.
        let (copy, out) = unsafe { (args::slice(vector, dim, "vector")?.to_vec(), args::slice_mut(out, dim, "out")?) };
        length = distance::normalise(&copy, out);
        Ok(())
    });
    length
}
