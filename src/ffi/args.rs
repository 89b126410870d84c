//! What comes in from C: every raw pointer is read here and in `handle`.

use std::ffi::{c_char, CStr};
use std::mem::{size_of, MaybeUninit};
use std::path::Path;

use super::callbacks::{hnx_filter, hnx_stop};
use super::graph_types::{
    hnx_graph_buffers, hnx_graph_header, hnx_graph_memory, hnx_graph_options, hnx_graph_point, hnx_graph_query,
};
use super::types::{
    hnx_add_options, hnx_load_options, hnx_options, hnx_persist_info, hnx_persist_options, hnx_query_options,
    hnx_salvage_info, hnx_salvage_options, hnx_stats_info, hnx_verify_info,
};
use crate::error::{invalid, Error, Result};
use crate::platform;

/// A struct whose first field is its size in bytes and for which all zero bytes are a value (the defaults).
///
/// # Safety
/// The implementor is `repr(C)`, starts with `struct_size: usize`, and every bit pattern of it is valid.
pub(super) unsafe trait Sized_: Copy {}
// SAFETY: plain numbers and raw pointers, struct_size first.
unsafe impl Sized_ for hnx_options {}
// SAFETY: as above.
unsafe impl Sized_ for hnx_load_options {}
// SAFETY: as above.
unsafe impl Sized_ for hnx_add_options {}
// SAFETY: as above.
unsafe impl Sized_ for hnx_query_options {}
// SAFETY: as above.
unsafe impl Sized_ for hnx_persist_options {}
// SAFETY: as above.
unsafe impl Sized_ for hnx_persist_info {}
// SAFETY: as above.
unsafe impl Sized_ for hnx_stats_info {}
// SAFETY: as above.
unsafe impl Sized_ for hnx_verify_info {}
// SAFETY: as above.
unsafe impl Sized_ for hnx_salvage_options {}
// SAFETY: as above.
unsafe impl Sized_ for hnx_salvage_info {}
// SAFETY: as above; a callback is an Option, for which zero is None. Other bits come from a caller who says they are a
// function.
unsafe impl Sized_ for hnx_filter {}
// SAFETY: as above.
unsafe impl Sized_ for hnx_stop {}
// SAFETY: as above.
unsafe impl Sized_ for hnx_graph_options {}
// SAFETY: as above.
unsafe impl Sized_ for hnx_graph_point {}
// SAFETY: as above.
unsafe impl Sized_ for hnx_graph_query {}
// SAFETY: plain numbers and raw pointers.
unsafe impl Sized_ for hnx_graph_memory {}
// SAFETY: as above.
unsafe impl Sized_ for hnx_graph_header {}
// SAFETY: as above.
unsafe impl Sized_ for hnx_graph_buffers {}

/// Reads an options struct of whatever size the caller's header gave it: fields the caller lacks are zero, bytes
/// this library lacks must be zero. NULL gives all defaults.
///
/// # Safety
/// `options` is NULL or readable for `options->struct_size` bytes (at least for the size field itself).
pub(super) unsafe fn options<T: Sized_>(options: *const T, name: &str) -> Result<T> {
    let mut value = MaybeUninit::<T>::zeroed();
    if !options.is_null() {
        // SAFETY: the size field is readable; a C caller may have put the struct at any address.
        let size = unsafe { options.cast::<usize>().read_unaligned() };
        if size < size_of::<usize>() || size > 1 << 16 {
            return Err(invalid(format!("{name}->struct_size is {size}: set it to sizeof(*{name})")));
        }
        let known = size.min(size_of::<T>());
        // SAFETY: `known` bytes are readable by the caller's promise and fit into `value`.
        unsafe { std::ptr::copy_nonoverlapping(options.cast::<u8>(), value.as_mut_ptr().cast::<u8>(), known) };
        for at in known..size {
            // SAFETY: at < struct_size.
            if unsafe { options.cast::<u8>().add(at).read() } != 0 {
                let text = format!("{name} sets an option this library is too old for, at byte {at}");
                return Err(Error::Unsupported(text.into()));
            }
        }
    }
    // SAFETY: zeroed, partly overwritten; every bit pattern is a T.
    Ok(unsafe { value.assume_init() })
}

/// As [`options`], but NULL is an error.
///
/// # Safety
/// As [`options`].
pub(super) unsafe fn required_options<T: Sized_>(pointer: *const T, name: &str) -> Result<T> {
    if pointer.is_null() {
        return Err(invalid(format!("{name} is NULL")));
    }
    // SAFETY: the caller's promise.
    unsafe { options(pointer, name) }
}

/// Refuses flag bits this library does not know.
pub(super) fn known_flags(flags: u32, known: u32, name: &str) -> Result<()> {
    match flags & !known {
        0 => Ok(()),
        unknown => Err(invalid(format!("{name} has unknown bits {unknown:#x}"))),
    }
}

/// `a * b`, refused when no array can be that long.
pub(super) fn product(a: usize, b: usize, what: &str) -> Result<usize> {
    a.checked_mul(b).filter(|n| *n <= isize::MAX as usize / 8).ok_or_else(|| invalid(format!("{what} is too large")))
}

fn check<T>(pointer: *const T, len: usize, name: &str) -> Result<()> {
    if pointer.is_null() && len != 0 {
        return Err(invalid(format!("{name} is NULL")));
    }
    if len > isize::MAX as usize / size_of::<T>() {
        return Err(invalid(format!("{name} cannot have {len} items")));
    }
    if !pointer.is_aligned() {
        return Err(invalid(format!("{name} is not aligned to {} bytes", align_of::<T>())));
    }
    Ok(())
}

/// A slice of the caller's; NULL is fine for length 0.
///
/// # Safety
/// `pointer` is NULL or readable for `len` items that nobody writes during the call.
pub(super) unsafe fn slice<'a, T>(pointer: *const T, len: usize, name: &str) -> Result<&'a [T]> {
    check(pointer, len, name)?;
    if len == 0 {
        return Ok(&[]);
    }
    // SAFETY: not NULL, aligned, and readable by the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(pointer, len) })
}

/// A slice of the caller's to write to; NULL is fine for length 0.
///
/// # Safety
/// `pointer` is NULL or writable for `len` initialised items that nobody else uses during the call.
pub(super) unsafe fn slice_mut<'a, T>(pointer: *mut T, len: usize, name: &str) -> Result<&'a mut [T]> {
    check(pointer, len, name)?;
    if len == 0 {
        return Ok(&mut []);
    }
    // SAFETY: not NULL, aligned, and writable by the caller's promise; T is a number, for which any bytes do.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer, len) })
}

/// As [`slice_mut`], but NULL gives None.
///
/// # Safety
/// As [`slice_mut`].
pub(super) unsafe fn optional_slice_mut<'a, T>(pointer: *mut T, len: usize) -> Result<Option<&'a mut [T]>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    unsafe { slice_mut(pointer, len, "an output array") }.map(Some)
}

/// A path of the caller's: any bytes, on Windows UTF-8; None for NULL.
///
/// # Safety
/// `path` is NULL or ends in NUL and lives as long as the call.
pub(super) unsafe fn optional_path<'a>(path: *const c_char) -> Result<Option<&'a Path>> {
    if path.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    let bytes = unsafe { CStr::from_ptr(path) }.to_bytes();
    platform::path_from_bytes(bytes).map(Some).ok_or_else(|| invalid("a path that is not UTF-8"))
}

/// As [`optional_path`], but NULL is an error.
///
/// # Safety
/// As [`optional_path`].
pub(super) unsafe fn path<'a>(path: *const c_char) -> Result<&'a Path> {
    // SAFETY: the caller's promise.
    unsafe { optional_path(path)? }.ok_or_else(|| invalid("path is NULL"))
}

/// A place for one result, checked before the work and written after it.
pub(super) struct Out<T>(*mut T);

impl<T> Out<T> {
    /// Refuses NULL.
    ///
    /// # Safety
    /// `pointer` is NULL or writable until [`Out::set`].
    pub(super) unsafe fn new(pointer: *mut T, name: &str) -> Result<Self> {
        if pointer.is_null() {
            return Err(invalid(format!("{name} is NULL")));
        }
        Ok(Self(pointer))
    }

    /// Writes the result.
    pub(super) fn set(self, value: T) {
        // SAFETY: `new` was told that the place is writable.
        unsafe { self.0.write_unaligned(value) };
    }
}

/// A struct to be filled in, of whatever size the caller's header gave it.
pub(super) struct OutStruct<T>(*mut T, usize);

impl<T: Sized_> OutStruct<T> {
    /// Fills in as many bytes as both sides know, the size field excepted, and zeroes what only the caller knows.
    pub(super) fn write(self, value: T) {
        let skip = size_of::<usize>();
        let known = self.1.min(size_of::<T>());
        // SAFETY: `out_struct` was told that self.1 bytes are writable; `known` is no more than that nor than T.
        unsafe {
            let (from, to) = ((&raw const value).cast::<u8>(), self.0.cast::<u8>());
            std::ptr::copy_nonoverlapping(from.add(skip), to.add(skip), known - skip);
            to.add(known).write_bytes(0, self.1 - known);
        }
    }
}

/// The caller's struct to fill in; None for NULL.
///
/// # Safety
/// `out` is NULL or readable and writable for `out->struct_size` bytes.
pub(super) unsafe fn out_struct<T: Sized_>(out: *mut T, name: &str) -> Result<Option<OutStruct<T>>> {
    if out.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    let size = unsafe { out.cast::<usize>().read_unaligned() };
    if size < size_of::<usize>() || size > 1 << 16 {
        return Err(invalid(format!("{name}->struct_size is {size}: set it to sizeof(*{name})")));
    }
    Ok(Some(OutStruct(out, size)))
}
