//! The opaque handle: a boxed index, a mark that tells a handle from other memory, and a poison flag.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::{invalid, Error, Result};
use crate::index::Index;

const LIVE: u64 = 0x686e_785f_6c69_7665; // "hnx_live"

/// An index. Made by hnx_init() and hnx_load(), given back by hnx_free().
#[allow(non_camel_case_types, reason = "the C name")]
pub struct hnx_index {
    mark: AtomicU64,
    poisoned: AtomicBool,
    core: Index,
}

/// Gives the index to the host.
pub(super) fn into_raw(core: Index) -> *mut hnx_index {
    Box::into_raw(Box::new(hnx_index { mark: AtomicU64::new(LIVE), poisoned: AtomicBool::new(false), core }))
}

/// The index behind a handle, poisoned or not; None for NULL and for memory that is visibly no handle. The mark
/// catches most double frees and stray pointers; it cannot catch them all.
///
/// # Safety
/// `index` is NULL or a live handle.
pub(super) unsafe fn peek<'a>(index: *const hnx_index) -> Option<&'a Index> {
    if !index.is_aligned() {
        return None;
    }
    // SAFETY: the caller's promise; NULL gives None.
    let handle = unsafe { index.as_ref() }?;
    (handle.mark.load(Ordering::Relaxed) == LIVE).then_some(&handle.core)
}

/// The index behind a handle.
///
/// # Safety
/// `index` is NULL or a live handle.
pub(super) unsafe fn get<'a>(index: *const hnx_index) -> Result<&'a Index> {
    if index.is_null() {
        return Err(invalid("index is NULL"));
    }
    // SAFETY: the caller's promise.
    let core = unsafe { peek(index) }.ok_or_else(|| invalid("index is not a live handle"))?;
    // SAFETY: peek found it live.
    if unsafe { &(*index).poisoned }.load(Ordering::Relaxed) {
        return Err(Error::Poisoned("an internal error happened on this index before; it can only be freed".into()));
    }
    Ok(core)
}

/// Marks an index as unusable after a panic.
pub(super) fn poison(index: *const hnx_index) {
    // SAFETY: `guard` was given the handle its export was called with, which the export's caller promised is live.
    if unsafe { peek(index) }.is_some() {
        // SAFETY: as above.
        unsafe { &(*index).poisoned }.store(true, Ordering::Relaxed);
    }
}

/// Takes the index back from the host and drops it; NULL and what is visibly no handle are left alone.
///
/// # Safety
/// `index` is NULL or a live handle that no other call uses.
pub(super) unsafe fn drop_raw(index: *mut hnx_index) {
    // SAFETY: the caller's promise.
    unsafe {
        if peek(index).is_some() {
            (*index).mark.store(0, Ordering::Relaxed);
            drop(Box::from_raw(index));
        }
    }
}
