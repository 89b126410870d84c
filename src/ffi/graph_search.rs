//! Searching a graph.

use super::args;
use super::callbacks::{emitter, filter_of, measure_of, stop_of};
use super::graph_types::{hnx_graph_query, HNX_GRAPH_DELETIONS, HNX_GRAPH_TOP};
use super::guard::guard;
use super::handle::{self, hnx_graph};
use super::status::hnx_status;
use crate::error::invalid;
use crate::index::bare::Start;
use crate::search::filter::Accept;
use crate::search::query::Ask;
use crate::search::scratch::Steps;
use crate::search::until::Stop;

/// Searches; query->emit receives what was found, query->out_hops and out_distances what it cost above the ground (also
/// when a callback ended it).
///
/// Errors: HNX_ERR_INVALID_ARGUMENT (NULL, k 0 without a stop condition), HNX_ERR_CANCELLED when a callback ended the
/// call, HNX_ERR_OUT_OF_MEMORY, HNX_ERR_NOT_FOUND for a start that does not exist.
/// Threads: any thread, any time. Takes no lock.
///
/// # Safety
/// graph is NULL or a live handle; query is NULL or readable and writable for its struct_size, which is
/// sizeof(hnx_graph_query); query->query is readable for what the distance reads.
#[no_mangle]
pub unsafe extern "C" fn hnx_graph_search(graph: *const hnx_graph, query: *mut hnx_graph_query) -> hnx_status {
    guard(graph, || {
        // SAFETY: the caller's promise about the pointers.
        let (graph, asked) = unsafe { (handle::get(graph)?, args::required_options(query.cast_const(), "query")?) };
        args::known_flags(asked.flags, HNX_GRAPH_DELETIONS, "query.flags")?;
        if asked.struct_size < size_of::<hnx_graph_query>() {
            return Err(invalid("query->struct_size is less than sizeof(hnx_graph_query)"));
        }
        if asked.query.is_null() {
            return Err(invalid("query->query is NULL"));
        }
        // SAFETY: the host's functions and contexts, for this call.
        let (filter, stop, measure, mut emit) = unsafe {
            (
                filter_of(asked.filter)?,
                stop_of(asked.stop)?,
                measure_of(graph.measure, asked.context),
                emitter(asked.emit, asked.context)?,
            )
        };
        if asked.k == 0 && asked.ef == 0 && stop.is_none() {
            return Err(invalid("k is 0"));
        }
        let accepts = |label| filter.as_ref()?.accepts(label);
        let accept: Option<&Accept<'_>> = if filter.is_some() { Some(&accepts) } else { None };
        let stop = stop.as_ref().map(|stop| stop as &dyn Stop);
        let ask = Ask { accept, stop, ties_as_in_heaps: true, ..Ask::nearest(asked.k, asked.ef) };
        let start = match asked.start {
            HNX_GRAPH_TOP => Start::Top,
            id => Start::At(id, asked.level),
        };
        let deletions = asked.flags & HNX_GRAPH_DELETIONS != 0;
        let mut steps = Steps::default();
        // SAFETY: the caller's promise about the query's vector.
        let ended =
            unsafe { graph.bare.search(asked.query.cast(), start, deletions, ask, &measure, &mut emit, &mut steps) };
        // SAFETY: the struct is as long as ours and writable.
        unsafe {
            (&raw mut (*query).out_hops).write_unaligned(steps.hops);
            (&raw mut (*query).out_distances).write_unaligned(steps.distances);
        }
        ended
    })
}
