//! Writing an index to files.

use std::ffi::c_char;

use super::args;
use super::guard::guard;
use super::handle::{self, hnx_index};
use super::status::hnx_status;
use super::types::{hnx_persist_info, hnx_persist_options};
use crate::error::{invalid, Error};
use crate::persist::{self, Format};

/// Writes what changed since the last call to the directory of the index: persist_path of hnx_options, or the
/// directory given to hnx_load(). Writes the changed records only, and has them on the device (fsync) when it
/// returns. Afterwards the four files open in chroma-hnswlib 0.7.1 and later.
///
/// options: NULL, or all zero. out_info: NULL, or what was done; struct_size must be set; untouched on failure.
/// Errors: HNX_ERR_INVALID_ARGUMENT when the index has no directory; HNX_ERR_READ_ONLY; HNX_ERR_IO: the index in
/// memory is intact and as dirty as before, and the call can be made again.
/// Threads: any thread, any time; adds and deletions wait while it copies, queries do not.
///
/// # Safety
/// index is NULL or a live handle; options and out_info are NULL or hold struct_size bytes.
#[no_mangle]
pub unsafe extern "C" fn hnx_persist_dirty(
    index: *mut hnx_index,
    options: *const hnx_persist_options,
    out_info: *mut hnx_persist_info,
) -> hnx_status {
    guard(index, || {
        // SAFETY: the caller's promise about handle and options.
        let (core, options) = unsafe { (handle::get(index)?, args::options(options, "options")?) };
        if options.flags != 0 || options.reserved != 0 {
            return Err(Error::Unsupported("options.flags and options.reserved must be 0".into()));
        }
        // SAFETY: the caller's promise about out_info.
        let out = unsafe { args::out_struct(out_info, "out_info")? };
        let done = persist::persist_dirty(core)?;
        if let Some(out) = out {
            out.write(hnx_persist_info {
                struct_size: 0,
                generation: done.generation,
                records_written: done.records,
                bytes_written: done.bytes,
            });
        }
        Ok(())
    })
}

/// Writes the whole index to path, in HNX_FORMAT_HNSWLIB, HNX_FORMAT_CHROMA (files) or HNX_FORMAT_CHROMA_DIRECTORY.
/// A file is written beside its place, synced and renamed: what was at path stays until the new one is complete. A
/// directory must not exist yet or be empty. HNX_FORMAT_HNSWLIB has no place for the lengths of cosine vectors.
/// Errors: HNX_ERR_IO, HNX_ERR_INVALID_ARGUMENT. Threads: any thread, any time; adds wait while it writes.
///
/// # Safety
/// index is NULL or a live handle; path is NULL or a string that ends in NUL.
#[no_mangle]
pub unsafe extern "C" fn hnx_save(index: *const hnx_index, path: *const c_char, format: u32) -> hnx_status {
    guard(index, || {
        // SAFETY: the caller's promise about handle and path.
        let (core, path) = unsafe { (handle::get(index)?, args::optional_path(path)) };
        let path = path.ok_or_else(|| invalid("path is NULL"))?;
        persist::save(core, path, Format::from_number(format)?)
    })
}
