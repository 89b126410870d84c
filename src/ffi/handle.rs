//! Opaque handles: a boxed object, a mark that tells a handle from other memory, and a poison flag.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::graph::Graph;
use crate::error::{invalid, Error, Result};
use crate::index::Index;

/// What is behind every handle. In C's order: the mark is first whatever the core is, so that looking for it in an
/// object of the other kind stays inside that object.
#[repr(C)]
pub(super) struct Handle<T> {
    mark: AtomicU64,
    poisoned: AtomicBool,
    core: T,
}

/// A type that C knows by its name only, and that is nothing but a name here: what is at its address is a [`Handle`].
pub(super) trait Opaque: Sized {
    /// What the handle is for.
    type Core;
    /// The mark of a live handle.
    const LIVE: u64;
    /// What C calls it.
    const NAME: &'static str;
}

/// An index. Made by hnx_init() and hnx_load(), given back by hnx_free().
#[allow(non_camel_case_types, reason = "the C name")]
pub struct hnx_index(());

impl Opaque for hnx_index {
    type Core = Index;
    const LIVE: u64 = 0x686e_785f_6c69_7665; // "hnx_live"
    const NAME: &'static str = "index";
}

/// Records and links whose labels a host keeps by itself. Made by hnx_graph_init(), hnx_graph_load() and
/// hnx_graph_load_buffers(), given back by hnx_graph_free().
#[allow(non_camel_case_types, reason = "the C name")]
pub struct hnx_graph(());

impl Opaque for hnx_graph {
    type Core = Graph;
    const LIVE: u64 = 0x686e_785f_6772_6170; // "hnx_grap"
    const NAME: &'static str = "graph";
}

/// Gives the object to the host.
pub(super) fn into_raw<H: Opaque>(core: H::Core) -> *mut H {
    let (mark, poisoned) = (AtomicU64::new(H::LIVE), AtomicBool::new(false));
    Box::into_raw(Box::new(Handle { mark, poisoned, core })).cast()
}

/// What is at a handle, if it is visibly one. The mark catches most double frees and stray pointers; it cannot catch
/// them all.
///
/// # Safety
/// `handle` is NULL or live.
unsafe fn live<'a, H: Opaque>(handle: *const H) -> Option<&'a Handle<H::Core>> {
    let handle = handle.cast::<Handle<H::Core>>();
    if !handle.is_aligned() {
        return None;
    }
    // SAFETY: the caller's promise; NULL gives None.
    let handle = unsafe { handle.as_ref() }?;
    (handle.mark.load(Ordering::Relaxed) == H::LIVE).then_some(handle)
}

/// The object behind a handle, poisoned or not; None for NULL and for memory that is visibly no handle.
///
/// # Safety
/// `handle` is NULL or live.
pub(super) unsafe fn peek<'a, H: Opaque + 'a>(handle: *const H) -> Option<&'a H::Core> {
    // SAFETY: the caller's promise.
    unsafe { live(handle) }.map(|handle| &handle.core)
}

/// The object behind a handle.
///
/// # Safety
/// `handle` is NULL or live.
pub(super) unsafe fn get<'a, H: Opaque + 'a>(handle: *const H) -> Result<&'a H::Core> {
    if handle.is_null() {
        return Err(invalid(format!("{} is NULL", H::NAME)));
    }
    // SAFETY: the caller's promise.
    let handle = unsafe { live(handle) }.ok_or_else(|| invalid(format!("{} is not a live handle", H::NAME)))?;
    if handle.poisoned.load(Ordering::Relaxed) {
        let text = format!("an internal error happened on this {} before; it can only be freed", H::NAME);
        return Err(Error::Poisoned(text.into()));
    }
    Ok(&handle.core)
}

/// Marks an object as unusable after a panic.
pub(super) fn poison<H: Opaque>(handle: *const H) {
    // SAFETY: `guard` was given the handle its export was called with, which the export's caller promised is live.
    if let Some(handle) = unsafe { live(handle) } {
        handle.poisoned.store(true, Ordering::Relaxed);
    }
}

/// Takes the object back from the host and drops it; NULL and what is visibly no handle are left alone.
///
/// # Safety
/// `handle` is NULL or a live handle that no other call uses.
pub(super) unsafe fn drop_raw<H: Opaque>(handle: *mut H) {
    // SAFETY: the caller's promise.
    unsafe {
        if let Some(found) = live(handle) {
            found.mark.store(0, Ordering::Relaxed);
            drop(Box::from_raw(handle.cast::<Handle<H::Core>>()));
        }
    }
}
