//! What a host gives to be called: the C types, and what the core sees of them.
//!
//! Callbacks run on the calling thread. One that wants its call to end returns a negative number; one that must not
//! unwind into here, by the header.

use std::ffi::c_void;
use std::mem::size_of;

use super::args;
use crate::error::{cancelled, invalid, Result};
use crate::search::filter::LabelSet;
use crate::search::scratch::Found;
use crate::search::until::Stop;

/// Whether a label may be found: 0 no, above 0 yes, below 0 ends the call with HNX_ERR_CANCELLED. Runs on the calling
/// thread, at most once per record; must not throw, and must not change the index it is asked for.
#[allow(non_camel_case_types, reason = "the C name")]
pub type hnx_accept_fn = Option<unsafe extern "C" fn(context: *mut c_void, label: u64) -> i32>;

/// Measures distances: fills out_keys with the keys of the distances from query to each of count rows. Below 0 ends the
/// call with HNX_ERR_CANCELLED. Runs on the calling thread; must not throw, and must not change the graph.
#[allow(non_camel_case_types, reason = "the C name")]
pub type hnx_measure_fn = Option<
    unsafe extern "C" fn(
        context: *mut c_void,
        query: *const c_void,
        rows: *const *const c_void,
        count: usize,
        out_keys: *mut i64,
    ) -> i32,
>;

/// Receives what a search found, once. Below 0 ends the call with HNX_ERR_CANCELLED. Must not throw.
#[allow(non_camel_case_types, reason = "the C name")]
pub type hnx_emit_fn = Option<unsafe extern "C" fn(context: *mut c_void, hits: *const hnx_hit, count: usize) -> i32>;

/// A number from 0 to 1: a neighbour is relinked when it is not above hnx_graph_point.probability. Must not throw.
#[allow(non_camel_case_types, reason = "the C name")]
pub type hnx_draw_fn = Option<unsafe extern "C" fn(context: *mut c_void) -> f32>;

/// hnx_filter.flags: only the labels listed may be found.
pub const HNX_FILTER_ONLY: u32 = 1;
/// hnx_filter.flags: all labels but those listed may be found.
pub const HNX_FILTER_EXCEPT: u32 = 2;

/// Which labels a query may find; for hnx_query_options.filter and hnx_graph_query.filter. By a function, by a list of
/// labels, which spares a host a call per record, or by both: a label must pass both then. Cost: the fewer records
/// pass, the farther a search walks, at worst past every record; a list is brought into a table by each call, so ask
/// for many queries at once. HNX_FILTER_ONLY without a function: where few labels are listed hnx_query() measures their
/// records and walks nowhere, which is faster, and exact; and where it walks it finds k if there are k, were there no
/// way to them. A mapped index makes its label map for that, once, which reads all records.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, reason = "the C name")]
pub struct hnx_filter {
    /// sizeof(hnx_filter).
    pub struct_size: usize,
    /// Asked about live records only. NULL when labels alone decide.
    pub accept: hnx_accept_fn,
    /// Passed to accept.
    pub context: *mut c_void,
    /// label_count labels in any order, read when the call begins; they may repeat and need not exist.
    pub labels: *const u64,
    /// Number of labels.
    pub label_count: usize,
    /// 0: labels and label_count are not used. Else HNX_FILTER_ONLY or HNX_FILTER_EXCEPT.
    pub flags: u32,
    /// 0.
    pub reserved: u32,
}

/// A found record.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, reason = "the C name")]
pub struct hnx_hit {
    /// Its label.
    pub label: u64,
    /// Key of its distance.
    pub key: i64,
    /// Its id.
    pub id: u32,
    /// 0.
    pub reserved: u32,
}

const _: () = assert!(size_of::<hnx_hit>() == size_of::<Found>());

/// When a search ends and what it keeps: hnswlib's BaseSearchStopCondition. Every function must be given; each returns
/// a number below 0 to end the call with HNX_ERR_CANCELLED, else 0 for no (or done) and above 0 for yes. Distances are
/// keys.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, reason = "the C name")]
pub struct hnx_stop {
    /// sizeof(hnx_stop).
    pub struct_size: usize,
    /// Passed to all functions.
    pub context: *mut c_void,
    /// A record was found.
    pub add: Option<unsafe extern "C" fn(context: *mut c_void, label: u64, data: *const c_void, key: i64) -> i32>,
    /// The farthest found record was given up; key is the distance of the candidate at hand, as with hnswlib.
    pub remove: Option<unsafe extern "C" fn(context: *mut c_void, label: u64, data: *const c_void, key: i64) -> i32>,
    /// Whether the search ends before the nearest candidate; bound: the farthest found.
    pub should_stop: Option<unsafe extern "C" fn(context: *mut c_void, candidate: i64, bound: i64) -> i32>,
    /// Whether a candidate is of interest.
    pub should_consider: Option<unsafe extern "C" fn(context: *mut c_void, candidate: i64, bound: i64) -> i32>,
    /// Whether the farthest found record is to be given up.
    pub should_remove: Option<unsafe extern "C" fn(context: *mut c_void) -> i32>,
}

fn answer(number: i32) -> Option<bool> {
    (number >= 0).then_some(number > 0)
}

/// A filter that decides by something.
pub(super) struct HostFilter {
    filter: hnx_filter,
    listed: Option<LabelSet>,
}

impl HostFilter {
    /// Where a list alone says what may be found: that.
    pub(super) fn only(&self) -> Option<&LabelSet> {
        self.listed.as_ref().filter(|_| self.filter.flags == HNX_FILTER_ONLY && self.filter.accept.is_none())
    }

    /// Whether a label may be found; None ends the search.
    pub(super) fn accepts(&self, label: u64) -> Option<bool> {
        if let Some(listed) = &self.listed {
            if listed.contains(label) != (self.filter.flags == HNX_FILTER_ONLY) {
                return Some(false);
            }
        }
        match self.filter.accept {
            // SAFETY: `filter_of` was promised that the function may be called.
            Some(accept) => answer(unsafe { accept(self.filter.context, label) }),
            None => Some(true),
        }
    }
}

/// The host's filter; None for NULL.
///
/// # Safety
/// `filter` is NULL or readable for its struct_size, its labels for their number; its function may be called with its
/// context as long as the result is used.
pub(super) unsafe fn filter_of(filter: *const hnx_filter) -> Result<Option<HostFilter>> {
    if filter.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    let filter = unsafe { args::options(filter, "filter")? };
    let listed = match filter.flags {
        0 if filter.accept.is_none() => {
            let list = "HNX_FILTER_ONLY or HNX_FILTER_EXCEPT says what filter->labels are";
            return Err(invalid(format!("filter->accept is NULL, and filter->flags is 0: {list}")));
        }
        0 => None,
        HNX_FILTER_ONLY | HNX_FILTER_EXCEPT => {
            let count = args::product(filter.label_count, 1, "filter->label_count")?;
            // SAFETY: the caller's promise.
            let labels = unsafe { args::slice(filter.labels, count, "filter->labels")? };
            Some(LabelSet::new(labels)?)
        }
        flags => return Err(invalid(format!("filter->flags is {flags}: HNX_FILTER_ONLY or HNX_FILTER_EXCEPT"))),
    };
    Ok(Some(HostFilter { filter, listed }))
}

/// A stop condition whose functions are all there.
pub(super) struct HostStop(hnx_stop);

/// The host's stop condition; None for NULL.
///
/// # Safety
/// `stop` is NULL or readable for its struct_size; its functions may be called with its context as long as the result
/// is used.
pub(super) unsafe fn stop_of(stop: *const hnx_stop) -> Result<Option<HostStop>> {
    if stop.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    let stop = unsafe { args::options(stop, "stop")? };
    let all = stop.add.is_some()
        && stop.remove.is_some()
        && stop.should_stop.is_some()
        && stop.should_consider.is_some()
        && stop.should_remove.is_some();
    match all {
        true => Ok(Some(HostStop(stop))),
        false => Err(invalid("a function of stop is NULL")),
    }
}

// SAFETY of the calls below: `stop_of` was promised that these functions may be called.
impl Stop for HostStop {
    fn add(&self, label: u64, vector: *const u8, distance: i64) -> Option<()> {
        // SAFETY: see above.
        answer(unsafe { self.0.add?(self.0.context, label, vector.cast(), distance) }).map(|_| ())
    }

    fn remove(&self, label: u64, vector: *const u8, distance: i64) -> Option<()> {
        // SAFETY: see above.
        answer(unsafe { self.0.remove?(self.0.context, label, vector.cast(), distance) }).map(|_| ())
    }

    fn should_stop(&self, candidate: i64, bound: i64) -> Option<bool> {
        // SAFETY: see above.
        answer(unsafe { self.0.should_stop?(self.0.context, candidate, bound) })
    }

    fn should_consider(&self, candidate: i64, bound: i64) -> Option<bool> {
        // SAFETY: see above.
        answer(unsafe { self.0.should_consider?(self.0.context, candidate, bound) })
    }

    fn should_remove(&self) -> Option<bool> {
        // SAFETY: see above.
        answer(unsafe { self.0.should_remove?(self.0.context) })
    }
}

/// Measures with the host's function.
///
/// # Safety
/// `measure` may be called with `context` while 'a lasts.
pub(super) unsafe fn measure_of<'a>(
    measure: hnx_measure_fn,
    context: *mut c_void,
) -> impl Fn(*const u8, &[*const u8], &mut [i64]) -> bool + 'a {
    move |query, rows, keys| {
        let (rows, count) = (rows.as_ptr().cast::<*const c_void>(), rows.len().min(keys.len()));
        // SAFETY: the caller's promise; `count` rows and keys are there.
        measure.is_some_and(|measure| unsafe { measure(context, query.cast(), rows, count, keys.as_mut_ptr()) } >= 0)
    }
}

/// Gives what was found to the host.
///
/// # Safety
/// `emit` may be called with `context` while 'a lasts.
pub(super) unsafe fn emitter<'a>(
    emit: hnx_emit_fn,
    context: *mut c_void,
) -> Result<impl FnMut(&[Found]) -> Result<()> + 'a> {
    let emit = emit.ok_or_else(|| invalid("query->emit is NULL"))?;
    Ok(move |found: &[Found]| {
        // SAFETY: the caller's promise; a Found is a hnx_hit by another name.
        match unsafe { emit(context, found.as_ptr().cast(), found.len()) } {
            ..0 => Err(cancelled()),
            _ => Ok(()),
        }
    })
}
