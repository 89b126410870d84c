//! Making, opening and freeing an index.

use std::ffi::c_char;

use super::args::{self, Out};
use super::guard::guard;
use super::handle::{self, hnx_index};
use super::status::hnx_status;
use super::types::{hnx_load_options, hnx_options, HNX_ALLOW_REPLACE_DELETED, HNX_LOAD_MMAP, HNX_LOAD_READ_ONLY};
use crate::error::{invalid, Error};
use crate::index::Index;
use crate::params::{Metric, Params};
use crate::persist::{self, Check, LoadParams};

/// Makes an empty index.
///
/// options: what to build; options->struct_size and options->dim must be set.
/// out_index: receives the handle, which hnx_free() gives back; untouched on failure.
/// Errors: HNX_ERR_INVALID_ARGUMENT for a value out of range (the text names it), or a persist_path that holds an index
/// already (what a crash has left of an hnx_init() that did not return is none); HNX_ERR_LOCKED; HNX_ERR_UNSUPPORTED
/// for an option this library is too old for; HNX_ERR_OUT_OF_MEMORY; HNX_ERR_IO.
/// Threads: any thread, any time.
///
/// # Safety
/// options is NULL or readable for options->struct_size bytes; out_index is NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn hnx_init(options: *const hnx_options, out_index: *mut *mut hnx_index) -> hnx_status {
    guard(std::ptr::null::<hnx_index>(), || {
        // SAFETY: the caller's promise about both pointers.
        let (options, out) =
            unsafe { (args::required_options(options, "options")?, Out::new(out_index, "out_index")?) };
        args::known_flags(options.flags, HNX_ALLOW_REPLACE_DELETED, "options.flags")?;
        let params = Params {
            metric: Metric::from_number(options.metric)?,
            dim: options.dim,
            max_elements: options.max_elements,
            m: options.m,
            ef_construction: options.ef_construction,
            seed: options.random_seed,
            allow_replace_deleted: options.flags & HNX_ALLOW_REPLACE_DELETED != 0,
        };
        // SAFETY: the caller's promise: NULL or a string that ends in NUL.
        let path = unsafe { args::optional_path(options.persist_path)? };
        if path.is_some_and(|path| path.as_os_str().is_empty()) {
            return Err(invalid("options.persist_path is empty: name a directory, or leave it NULL"));
        }
        let index = Index::new(&params.validated()?)?;
        if let Some(path) = path {
            persist::create_directory(&index, path)?;
        }
        out.set(handle::into_raw(index));
        Ok(())
    })
}

/// Opens an index from a file of hnswlib's or chroma-hnswlib's saveIndex(), or from a directory of chroma-hnswlib's;
/// which one it is is found out. An index opened from a directory persists there, unless it is read-only. A directory
/// that a crash has left half-applied is finished first; a read-only load reads it as it will be and writes nothing.
/// From then on no other process may persist there until hnx_free(); of two handles of one process the first holds the
/// directory.
///
/// path: bytes of a path, NUL at the end. options: metric and dim must be set.
/// out_index: receives the handle; untouched on failure. ef is 10 after loading, as with hnswlib: hnx_set_ef().
/// Errors: HNX_ERR_NOT_FOUND when there is nothing at path; HNX_ERR_IO; HNX_ERR_CORRUPT when the bytes contradict
/// themselves or the dim, or, in a copy of a directory and with HNX_CHECK_DEEP, differ from their checksums;
/// HNX_ERR_VERSION for another persistence version; HNX_ERR_LOCKED when another process holds the directory (the text
/// names it; HNX_LOAD_READ_ONLY opens it all the same), or does not leave it within five seconds;
/// HNX_ERR_INVALID_ARGUMENT; HNX_ERR_UNSUPPORTED; HNX_ERR_OUT_OF_MEMORY. Threads: any thread, any time.
///
/// # Safety
/// path is NULL or a string that ends in NUL; options is NULL or readable for options->struct_size bytes; out_index
/// is NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn hnx_load(
    path: *const c_char,
    options: *const hnx_load_options,
    out_index: *mut *mut hnx_index,
) -> hnx_status {
    guard(std::ptr::null::<hnx_index>(), || {
        // SAFETY: the caller's promise about the three pointers.
        let (path, options, out) = unsafe {
            (args::path(path)?, args::required_options(options, "options")?, Out::new(out_index, "out_index")?)
        };
        let flags = HNX_ALLOW_REPLACE_DELETED | HNX_LOAD_MMAP | HNX_LOAD_READ_ONLY;
        args::known_flags(options.flags, flags, "options.flags")?;
        if options.reserved != 0 {
            return Err(Error::Unsupported("options.reserved is not 0".into()));
        }
        let params = LoadParams {
            metric: Metric::from_number(options.metric)?,
            dim: options.dim,
            max_elements: options.max_elements,
            allow_replace_deleted: options.flags & HNX_ALLOW_REPLACE_DELETED != 0,
            mmap: options.flags & HNX_LOAD_MMAP != 0,
            read_only: options.flags & HNX_LOAD_READ_ONLY != 0,
            check: Check::from_number(options.check)?,
        };
        out.set(handle::into_raw(persist::load(path, &params).map_err(|error| error.of_file(path))?));
        Ok(())
    })
}

/// Frees an index. What was not persisted is lost. NULL is fine.
/// Threads: alone on this index; no other call on it may be running or follow.
///
/// # Safety
/// index is NULL or a handle of hnx_init() or hnx_load() that was not freed.
#[no_mangle]
pub unsafe extern "C" fn hnx_free(index: *mut hnx_index) {
    // A panic while dropping has nobody to be told to; the guard keeps it from the host.
    let _ = guard(std::ptr::null::<hnx_index>(), || {
        // SAFETY: the caller's promise.
        unsafe { handle::drop_raw(index) };
        Ok(())
    });
}
