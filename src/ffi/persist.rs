//! Writing an index to files.

use std::ffi::c_char;

use super::args;
use super::guard::guard;
use super::handle::{self, hnx_index};
use super::status::hnx_status;
use super::types::{hnx_persist_info, hnx_persist_options, hnx_verify_info};
use crate::error::Error;
use crate::persist::{self, Format};

/// Writes what changed since the last call to the directory of the index: persist_path of hnx_options, or the directory
/// given to hnx_load(). Atomic and durable: after a crash, a kill or a power cut at any instant the directory opens as
/// the state before the call or as the state after it; once the call has returned, as the state after it (on a local
/// file system, and a device that keeps what it was told to flush). Between calls the four files alone are complete and
/// open in chroma-hnswlib 0.7.1 and later, which refuses a directory that a crash has left half-applied ("wrong
/// persistence version"); hnx_load() finishes it. Beside them are hnx.sums (checksums: hnx_verify()) and, while the
/// index is open, hnx.journal, which also carries the lock.
/// The cost is that of the changed bytes, written twice, and of 5 to 7 syncs, whatever the size of the index; when more
/// than half of a large index changed, its files are replaced as a whole.
///
/// options: NULL, or all zero. out_info: NULL, or what was done; struct_size must be set; untouched on failure.
/// Errors: HNX_ERR_INVALID_ARGUMENT when the index has no directory; HNX_ERR_READ_ONLY; HNX_ERR_IO (disk full, quota,
/// failing or read-only device; the system's words and number are in the text): the index in memory is intact and as
/// dirty as before, and the call can be made again; HNX_ERR_LOCKED when another handle holds the directory, in a child
/// of fork, and when readers do not leave it for five seconds; HNX_ERR_CONFLICT when another program has written the
/// directory since: nothing is overwritten, hnx_save() to another place saves what is in memory.
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

/// Writes the whole index to path, in HNX_FORMAT_HNSWLIB, HNX_FORMAT_CHROMA (files) or HNX_FORMAT_CHROMA_DIRECTORY. A
/// file is written beside its place, synced and renamed, and its folder synced: what was at path stays until the new
/// one is complete, and after a crash one of the two is there. A directory must not exist yet or be empty; after a
/// crash it is whole or holds no index. HNX_FORMAT_HNSWLIB has no place for the lengths of cosine vectors.
/// Errors: HNX_ERR_IO, HNX_ERR_INVALID_ARGUMENT. Threads: any thread, any time; adds wait while it writes.
///
/// # Safety
/// index is NULL or a live handle; path is NULL or a string that ends in NUL.
#[no_mangle]
pub unsafe extern "C" fn hnx_save(index: *const hnx_index, path: *const c_char, format: u32) -> hnx_status {
    guard(index, || {
        // SAFETY: the caller's promise about handle and path.
        let (core, path) = unsafe { (handle::get(index)?, args::path(path)?) };
        persist::save(core, path, Format::from_number(format)?)
    })
}

/// Writes the codes that the index keeps, and its ground-level links, beside the file or directory at path, which must
/// hold what the index holds: vectors, labels, ground-level links and deletions of all records are compared. hnx_load()
/// with HNX_LOAD_MMAP finds them there: the index is guided at once (and certified, if hnx_set_exactness() or a query
/// has asked for that before this call), memory is the codes' pages, and with HNX_LOAD_READ_ONLY queries touch nothing
/// of the other file but the vectors that they measure and the labels that they return. Without HNX_LOAD_MMAP an index
/// makes codes of its own. The file is PATH.hnx.codes, in a directory hnx.codes; no other program reads it. Its size is
/// that of codes and links; it is written beside its place, synced and renamed, and takes the place of an earlier one.
/// It stays right as long as the records' file keeps its time of last change: whoever saves or persists there, or
/// copies that file without its time, has to call again. Removing it costs nothing but speed.
/// Errors: HNX_ERR_INVALID_ARGUMENT when the index keeps no codes: it has fewer than 1,000 records, or is mapped
/// (hnx_set_exactness() makes some then), or codes do not fit its vectors; HNX_ERR_CONFLICT when path holds something
/// else, such as the index before its last changes: the text says what; HNX_ERR_NOT_FOUND; HNX_ERR_CORRUPT;
/// HNX_ERR_VERSION; HNX_ERR_LOCKED; HNX_ERR_IO; HNX_ERR_UNSUPPORTED where files are not mapped (Windows).
/// Threads: any thread, any time, but not in a filter; adds and persists wait while it reads and writes.
///
/// # Safety
/// index is NULL or a live handle; path is NULL or a string that ends in NUL.
#[no_mangle]
pub unsafe extern "C" fn hnx_save_codes(index: *const hnx_index, path: *const c_char) -> hnx_status {
    guard(index, || {
        // SAFETY: the caller's promise about handle and path.
        let (core, path) = unsafe { (handle::get(index)?, args::path(path)?) };
        persist::save_codes(core, path).map_err(|error| error.of_file(path))
    })
}

/// Compares a directory with the checksums that libhnx keeps beside it (hnx.sums): every record's links, vector, label,
/// length and upper-level lists. Reads all files once; needs no index. A directory that a crash has left half-applied
/// is compared as hnx_load() would recover it; nothing is written. Bytes that were appended to a file since libhnx
/// wrote it are told, too. Damage of hnx.sums is told from damage of the others: hnx_load() opens the index then,
/// unless HNX_CHECK_DEEP is asked for.
///
/// out_info: NULL, or what was found, also when HNX_ERR_CORRUPT is returned; struct_size must be set.
/// Errors: HNX_ERR_CORRUPT when something differs: the text names file, byte and record, out_info the first of them;
/// also for a header that is none. HNX_ERR_NOT_FOUND when there is no directory of an index, or one of its files is
/// missing; HNX_ERR_IO; HNX_ERR_VERSION. Records that another program wrote last have no checksums: they are not
/// compared. Threads: any thread, any time; a persist of the same directory waits meanwhile.
///
/// # Safety
/// path is NULL or a string that ends in NUL; out_info is NULL or holds struct_size bytes.
#[no_mangle]
pub unsafe extern "C" fn hnx_verify(path: *const c_char, out_info: *mut hnx_verify_info) -> hnx_status {
    guard(std::ptr::null::<hnx_index>(), || {
        // SAFETY: the caller's promise about both pointers.
        let (path, out) = unsafe { (args::path(path)?, args::out_struct(out_info, "out_info")?) };
        if path.metadata().is_ok_and(|kind| !kind.is_dir()) {
            return Err(Error::NotFound(format!("{} is no directory of an index", path.display()).into()));
        }
        let found = persist::verify(path).map_err(|error| error.of_file(path))?;
        if let Some(out) = out {
            let first = found.first;
            out.write(hnx_verify_info {
                struct_size: 0,
                records: found.records,
                checked: found.checked,
                damaged: found.damaged,
                first_record: first.map_or(0, |damage| damage.record),
                first_offset: first.map_or(0, |damage| damage.offset),
                first_file: first.map_or(std::ptr::null(), |damage| damage.file_name().as_ptr()),
            });
        }
        found.into_result().map(|_| ()).map_err(|error| error.of_file(path))
    })
}
