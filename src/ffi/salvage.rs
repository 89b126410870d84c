//! Building an index anew from a damaged one.

use std::ffi::c_char;

use super::args::{self, Out};
use super::guard::guard;
use super::handle::{self, hnx_index};
use super::status::hnx_status;
use super::types::{
    hnx_salvage_info, hnx_salvage_options, HNX_ALLOW_REPLACE_DELETED, HNX_DAMAGE_HEADER, HNX_DAMAGE_LENGTHS,
    HNX_DAMAGE_LISTS, HNX_DAMAGE_RECORDS, HNX_SALVAGE_BEYOND_COUNT,
};
use crate::error::Error;
use crate::params::Metric;
use crate::persist::{self, SalvageParams};

// The core counts damage in the bits that C sees.
const _: () = assert!(persist::DAMAGED_HEADER == HNX_DAMAGE_HEADER && persist::DAMAGED_RECORDS == HNX_DAMAGE_RECORDS);
const _: () = assert!(persist::DAMAGED_LENGTHS == HNX_DAMAGE_LENGTHS && persist::DAMAGED_LISTS == HNX_DAMAGE_LISTS);

/// Builds an index from whatever vectors and labels can be read of a damaged one: a directory of libhnx or of Chroma,
/// or a file of hnswlib or of Chroma. For when hnx_load() gives HNX_ERR_CORRUPT or HNX_ERR_VERSION, HNX_ERR_NOT_FOUND
/// for a file of a directory, HNX_ERR_IO where the device cannot read, or answers are wrong.
///
/// What is at path is only read. The links in it are not used: the graph is built anew from the vectors, which takes as
/// long as adding them. Of a directory data_level0.bin must be there, anything else may be missing, cut short, torn or
/// of any apparent size. Deleted records stay deleted. A directory that a crash has left half-applied is read as
/// hnx_load() would recover it. A record that differs from its checksum in hnx.sums is kept, since it may be sound but
/// for its links, and counted. Where there are no checksums a vector whose bytes were changed to other finite numbers
/// cannot be told from a sound one, nor can what Chroma's uninitialised memory put where a header that is ahead of its
/// records says that there are some.
///
/// options: metric and dim must be set.
/// out_index: receives an index in memory, without a directory: hnx_save() it under another name, then replace.
/// out_info: NULL, or what was kept and dropped; struct_size must be set. Both are untouched on failure.
/// Errors: HNX_ERR_NOT_FOUND when there is nothing at path, or no data_level0.bin in it; HNX_ERR_CORRUPT when no record
/// can be read, or nothing tells how large one is; HNX_ERR_IO; HNX_ERR_INVALID_ARGUMENT; HNX_ERR_UNSUPPORTED;
/// HNX_ERR_OUT_OF_MEMORY. Threads: any thread, any time; nobody should be writing to path.
///
/// # Safety
/// path is NULL or a string that ends in NUL; options is NULL or readable for options->struct_size bytes; out_index is
/// NULL or writable; out_info is NULL or holds out_info->struct_size bytes.
#[no_mangle]
pub unsafe extern "C" fn hnx_salvage(
    path: *const c_char,
    options: *const hnx_salvage_options,
    out_index: *mut *mut hnx_index,
    out_info: *mut hnx_salvage_info,
) -> hnx_status {
    guard(std::ptr::null::<hnx_index>(), || {
        // SAFETY: the caller's promise about the four pointers.
        let (path, options, out, out_info) = unsafe {
            (
                args::path(path)?,
                args::required_options(options, "options")?,
                Out::new(out_index, "out_index")?,
                args::out_struct(out_info, "out_info")?,
            )
        };
        args::known_flags(options.flags, HNX_ALLOW_REPLACE_DELETED | HNX_SALVAGE_BEYOND_COUNT, "options.flags")?;
        if options.reserved != 0 {
            return Err(Error::Unsupported("options.reserved is not 0".into()));
        }
        let params = SalvageParams {
            metric: Metric::from_number(options.metric)?,
            dim: options.dim,
            m: options.m,
            ef_construction: options.ef_construction,
            threads: options.threads as usize,
            allow_replace_deleted: options.flags & HNX_ALLOW_REPLACE_DELETED != 0,
            beyond_count: options.flags & HNX_SALVAGE_BEYOND_COUNT != 0,
        };
        let (index, report) = persist::salvage(path, &params).map_err(|error| error.of_file(path))?;
        if let Some(out_info) = out_info {
            out_info.write(hnx_salvage_info {
                struct_size: 0,
                damage: report.damage,
                reserved: 0,
                stated: report.stated,
                records: report.records,
                kept: report.kept,
                deleted: report.deleted,
                missing: report.missing,
                unwritten: report.unwritten,
                unreadable: report.unreadable,
                not_finite: report.not_finite,
                implausible: report.implausible,
                duplicates: report.duplicates,
                lengths_lost: report.lengths_lost,
                mismatched: report.mismatched,
            });
        }
        out.set(handle::into_raw(index));
        Ok(())
    })
}
