//! What changes an index in memory.

use super::args;
use super::guard::guard;
use super::handle::{self, hnx_index};
use super::status::hnx_status;
use super::types::{
    hnx_add_options, HNX_ADD_GUIDED, HNX_ADD_INSERT_ONLY, HNX_ADD_REPLACE_DELETED, HNX_ADD_UPDATE_ONLY,
};
use crate::error::invalid;
use crate::index::AddMode;
use crate::params::Exactness;

/// Adds vectors, or updates those whose label exists; a deleted label that is added again lives again.
///
/// vectors: count * dim floats, row after row; each finite. labels: count labels, any u64.
/// options: NULL for defaults (all cores). With more than one thread the order in which rows are added, and so the
/// graph, is not determined; rows with the same label are applied one after another in no fixed order.
/// out_row_status: NULL, or count numbers that receive the hnx_status of each row. With it, rows are independent: a
/// row that fails leaves the others to be added. Without it, all rows are checked for finite values before the
/// first is added, and adding ends at the first row that fails; the text names the row.
/// Returns HNX_OK when every row was applied, else the status of the first row that was not:
/// HNX_ERR_INVALID_ARGUMENT (NULL, a value that is not finite), HNX_ERR_FULL, HNX_ERR_EXISTS and HNX_ERR_NOT_FOUND
/// (insert or update only), HNX_ERR_READ_ONLY, HNX_ERR_OUT_OF_MEMORY. A row that failed has changed nothing.
/// Threads: any thread, any time. An update waits for the queries that run when it begins (microseconds; look-ups of
/// HNX_ADD_GUIDED: about a millisecond), never the other way round. With several threads, all rows before the one that
/// failed were applied, and some of those after it.
///
/// # Safety
/// index is NULL or a live handle; vectors, labels and out_row_status have the sizes above; options is NULL or
/// readable for options->struct_size bytes.
#[no_mangle]
pub unsafe extern "C" fn hnx_add(
    index: *mut hnx_index,
    vectors: *const f32,
    labels: *const u64,
    count: usize,
    options: *const hnx_add_options,
    out_row_status: *mut i32,
) -> hnx_status {
    guard(index, || {
        // SAFETY: the caller's promise about handle, arrays and options.
        let (core, vectors, labels, options, mut row_status) = unsafe {
            let core = handle::get(index)?;
            (
                core,
                args::slice(vectors, args::product(count, core.dim(), "count * dim")?, "vectors")?,
                args::slice(labels, count, "labels")?,
                args::options(options, "options")?,
                args::optional_slice_mut(out_row_status, count)?,
            )
        };
        let known = HNX_ADD_REPLACE_DELETED | HNX_ADD_INSERT_ONLY | HNX_ADD_UPDATE_ONLY | HNX_ADD_GUIDED;
        args::known_flags(options.flags, known, "options.flags")?;
        let only = options.flags & (HNX_ADD_INSERT_ONLY | HNX_ADD_UPDATE_ONLY);
        if only == HNX_ADD_INSERT_ONLY | HNX_ADD_UPDATE_ONLY {
            return Err(invalid("HNX_ADD_INSERT_ONLY and HNX_ADD_UPDATE_ONLY exclude each other"));
        }
        let mode = AddMode {
            replace_deleted: options.flags & HNX_ADD_REPLACE_DELETED != 0,
            insert_only: only == HNX_ADD_INSERT_ONLY,
            update_only: only == HNX_ADD_UPDATE_ONLY,
            guided: options.flags & HNX_ADD_GUIDED != 0,
        };
        let mut report = |row: usize, error: Option<&crate::error::Error>| {
            if let Some(all) = row_status.as_deref_mut() {
                all[row] = error.map_or(hnx_status::HNX_OK, hnx_status::from) as i32;
            }
        };
        let keep_going = !out_row_status.is_null();
        core.add(vectors, labels, mode, options.threads as usize, keep_going, &mut report)
    })
}

/// Deletes a label: it is not found any more, its record stays as a stepping stone of the graph until a new vector
/// takes its place (HNX_ADD_REPLACE_DELETED).
/// Errors: HNX_ERR_NOT_FOUND, HNX_ERR_ALREADY_DELETED, HNX_ERR_READ_ONLY. Threads: any thread, any time.
///
/// # Safety
/// index is NULL or a live handle.
#[no_mangle]
pub unsafe extern "C" fn hnx_mark_deleted(index: *mut hnx_index, label: u64) -> hnx_status {
    // SAFETY: the caller's promise.
    guard(index, || unsafe { handle::get(index) }?.mark_deleted(label))
}

/// Takes a deletion back.
/// Errors: HNX_ERR_NOT_FOUND (also when a new vector has taken the place), HNX_ERR_NOT_DELETED, HNX_ERR_READ_ONLY.
/// Threads: any thread, any time.
///
/// # Safety
/// index is NULL or a live handle.
#[no_mangle]
pub unsafe extern "C" fn hnx_unmark_deleted(index: *mut hnx_index, label: u64) -> hnx_status {
    // SAFETY: the caller's promise.
    guard(index, || unsafe { handle::get(index) }?.unmark_deleted(label))
}

/// Sets the capacity to max_elements records. Records do not move, queries and adds go on. A capacity below the
/// number of records or above 2,147,483,647 is HNX_ERR_INVALID_ARGUMENT. An index that grows on demand goes on growing.
/// Errors: HNX_ERR_OUT_OF_MEMORY when the address range reserved for the index ends before (save it and load it with
/// the larger capacity), HNX_ERR_READ_ONLY. Threads: any thread, any time.
///
/// # Safety
/// index is NULL or a live handle.
#[no_mangle]
pub unsafe extern "C" fn hnx_resize(index: *mut hnx_index, max_elements: usize) -> hnx_status {
    // SAFETY: the caller's promise.
    guard(index, || unsafe { handle::get(index) }?.resize(max_elements))
}

/// Sets the size of the candidate list of queries that give none; 10 at first. 0 is HNX_ERR_INVALID_ARGUMENT.
/// Threads: any thread, any time; queries that run are not disturbed.
///
/// # Safety
/// index is NULL or a live handle.
#[no_mangle]
pub unsafe extern "C" fn hnx_set_ef(index: *mut hnx_index, ef: usize) -> hnx_status {
    // SAFETY: the caller's promise.
    guard(index, || unsafe { handle::get(index) }?.set_ef(ef))
}

/// Sets what HNX_EXACTNESS_DEFAULT stands for in queries of this index, and the codes that it keeps. HNX_EXACTNESS_F32:
/// none, memory is that of the records alone; queries that ask for another mode measure f32 then, and HNX_ADD_GUIDED is
/// without effect. _CERTIFIED: all. _GUIDED: those that guided queries need, also on an index that was opened with
/// HNX_LOAD_MMAP, whose records stay in the file; those of hnx_save_codes(), and what was made beside them since, are
/// kept. _DEFAULT: as when the index was made or opened; codes of a file that were given back are not read again. The
/// choice is stored in no file. Codes that have to be made cost what reading all vectors costs, on all cores. Those
/// that cannot be had for lack of memory are no error: queries measure f32, hnx_stats_info.code_bytes tells.
/// Errors: HNX_ERR_INVALID_ARGUMENT. Threads: any thread, any time, but not in a filter; waits for adds, persists and
/// queries that run.
///
/// # Safety
/// index is NULL or a live handle.
#[no_mangle]
pub unsafe extern "C" fn hnx_set_exactness(index: *mut hnx_index, exactness: u32) -> hnx_status {
    guard(index, || {
        // SAFETY: the caller's promise.
        let index = unsafe { handle::get(index) }?;
        index.set_exactness(Exactness::from_number(exactness)?, 0);
        Ok(())
    })
}
