//! Getters that cannot fail, and facts about the library.

use std::ffi::c_char;

use super::args;
use super::guard::guard;
use super::handle::{self, hnx_index};
use super::last_error;
use super::status::hnx_status;
use super::types::{hnx_stats_info, HNX_ALLOW_REPLACE_DELETED, HNX_LOAD_MMAP, HNX_LOAD_READ_ONLY};
use crate::error::invalid;
use crate::index::Index;

/// Version of this header.
pub const HNX_VERSION_MAJOR: u32 = 0;
/// Version of this header.
pub const HNX_VERSION_MINOR: u32 = 1;
/// Version of this header.
pub const HNX_VERSION_PATCH: u32 = 0;

/// Reads one number of an index; 0 for NULL.
///
/// # Safety
/// `index` is NULL or a live handle.
unsafe fn number(index: *const hnx_index, read: fn(&Index) -> usize) -> usize {
    let mut number = 0;
    let _ = guard(index, || {
        // SAFETY: the caller's promise. A poisoned index still tells its numbers.
        number = unsafe { handle::peek(index) }.map_or(0, read);
        Ok(())
    });
    number
}

/// Records of the index, deleted ones included; 0 for NULL. Threads: any thread, any time.
///
/// # Safety
/// index is NULL or a live handle.
#[no_mangle]
pub unsafe extern "C" fn hnx_count(index: *const hnx_index) -> usize {
    // SAFETY: the caller's promise.
    unsafe { number(index, Index::count) }
}

/// Deleted records; 0 for NULL. On an index opened with HNX_LOAD_MMAP, without codes beside it, the first call reads
/// every record's flags.
/// Threads: any thread, any time.
///
/// # Safety
/// index is NULL or a live handle.
#[no_mangle]
pub unsafe extern "C" fn hnx_deleted_count(index: *const hnx_index) -> usize {
    // SAFETY: the caller's promise.
    unsafe { number(index, Index::deleted_count) }
}

/// Records that fit before the index is full or grows; 0 for NULL. Threads: any thread, any time.
///
/// # Safety
/// index is NULL or a live handle.
#[no_mangle]
pub unsafe extern "C" fn hnx_capacity(index: *const hnx_index) -> usize {
    // SAFETY: the caller's promise.
    unsafe { number(index, Index::capacity) }
}

/// Floats per vector; 0 for NULL. Threads: any thread, any time.
///
/// # Safety
/// index is NULL or a live handle.
#[no_mangle]
pub unsafe extern "C" fn hnx_dim(index: *const hnx_index) -> usize {
    // SAFETY: the caller's promise.
    unsafe { number(index, Index::dim) }
}

/// The state of the index. out_stats->struct_size must be set. On an index opened with HNX_LOAD_MMAP, without codes
/// beside it, the first call reads every record's flags. Threads: any thread, any time.
///
/// # Safety
/// index is NULL or a live handle; out_stats is NULL or holds out_stats->struct_size bytes.
#[no_mangle]
pub unsafe extern "C" fn hnx_stats(index: *const hnx_index, out_stats: *mut hnx_stats_info) -> hnx_status {
    guard(index, || {
        // SAFETY: the caller's promise about both pointers.
        let (core, out) = unsafe { (handle::get(index)?, args::out_struct(out_stats, "out_stats")?) };
        let out = out.ok_or_else(|| invalid("out_stats is NULL"))?;
        out.write(stats_of(core));
        Ok(())
    })
}

/// Version of the loaded library, such as "0.1.0"; static. Threads: any thread, any time.
#[no_mangle]
pub extern "C" fn hnx_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// The instruction set in use: "avx512", "avx2", "neon" or "scalar"; static. The environment variable HNX_CPU, read
/// once, lowers it (never raises it). All give the same bits. Threads: any thread, any time.
#[no_mangle]
pub extern "C" fn hnx_cpu_name() -> *const c_char {
    crate::distance::Level::current().c_name().as_ptr()
}

/// The text of the calling thread's last failure: what was wrong, with row, offset or the system's words. Copies at
/// most capacity bytes to buffer, NUL included, and returns the length of the whole text without the NUL (512 at most),
/// as snprintf does. Success does not clear it: it is worth reading right after a failure. buffer may be NULL when
/// capacity is 0. Threads: each has its own.
///
/// # Safety
/// buffer is NULL or writable for capacity bytes.
#[no_mangle]
pub unsafe extern "C" fn hnx_last_error(buffer: *mut c_char, capacity: usize) -> usize {
    // SAFETY: the caller's promise.
    unsafe { last_error::copy(buffer.cast(), capacity) }
}

/// The answer of hnx_stats(); struct_size is filled in by the writer.
pub(super) fn stats_of(index: &Index) -> hnx_stats_info {
    let s = index.stats();
    let flag = |on: bool, bit: u32| if on { bit } else { 0 };
    hnx_stats_info {
        struct_size: 0,
        metric: s.metric.number(),
        flags: flag(s.allow_replace_deleted, HNX_ALLOW_REPLACE_DELETED)
            | flag(s.mapped, HNX_LOAD_MMAP)
            | flag(s.read_only, HNX_LOAD_READ_ONLY),
        dim: s.dim,
        count: s.count,
        deleted: s.deleted,
        capacity: s.capacity,
        m: s.m,
        ef_construction: s.ef_construction,
        ef: s.ef,
        max_level: s.max_level,
        exactness: s.exactness.number(),
        record_bytes: s.record_bytes,
        other_bytes: s.other_bytes,
        dirty_records: s.dirty_records,
        code_bytes: s.code_bytes,
        vector_bytes: s.vector_bytes,
        link_bytes: s.link_bytes,
        label_bytes: s.label_bytes,
    }
}
