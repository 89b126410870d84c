//! Graphs: made, changed, looked into.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, AtomicUsize};

use super::args::{self, Out};
use super::callbacks::{hnx_hit, hnx_measure_fn, measure_of};
use super::distance::built_in;
use super::graph_types::{
    hnx_graph_memory, hnx_graph_options, hnx_graph_point, HNX_GRAPH_DELETIONS, HNX_GRAPH_LENGTHS, HNX_GRAPH_REVIVE,
};
use super::guard::guard;
use super::handle::{self, hnx_graph};
use super::status::hnx_status;
use crate::error::{invalid, Result};
use crate::index::bare::{Bare, Cells, Point, Shape};
use crate::search::scratch::Found;

/// What is behind a hnx_graph.
pub(super) struct Graph {
    pub(super) bare: Bare,
    pub(super) measure: hnx_measure_fn,
}

/// The shape that options describe.
pub(super) fn shape_of(options: &hnx_graph_options) -> Result<Shape> {
    args::known_flags(options.flags, HNX_GRAPH_LENGTHS, "options.flags")?;
    let distance = built_in(options.distance)?;
    if distance.is_none() && options.measure.is_none() {
        return Err(invalid("options.measure is NULL"));
    }
    Ok(Shape {
        distance,
        dim: options.dim,
        vector_bytes: options.data_size,
        with_lengths: options.flags & HNX_GRAPH_LENGTHS != 0,
        max_elements: options.max_elements,
        farthest: options.max_key,
    })
}

/// The host's cells.
pub(super) fn cells_of(options: &hnx_graph_options) -> Result<Cells> {
    let (count, entry) = (options.count.cast::<AtomicUsize>(), options.entry.cast::<AtomicU64>());
    if !count.is_aligned() || !entry.is_aligned() {
        return Err(invalid("options.count and options.entry must have addresses divisible by 8"));
    }
    Ok(Cells { count: NonNull::new(count), entry: NonNull::new(entry) })
}

/// The host's point.
///
/// # Safety
/// `point` is NULL or readable for its struct_size.
unsafe fn point_of(point: *const hnx_graph_point) -> Result<(Point, hnx_graph_point)> {
    // SAFETY: the caller's promise.
    let point = unsafe { args::required_options(point, "point")? };
    args::known_flags(point.flags, HNX_GRAPH_DELETIONS | HNX_GRAPH_REVIVE, "point.flags")?;
    if point.data.is_null() {
        return Err(invalid("point->data is NULL"));
    }
    let core = Point {
        vector: point.data.cast(),
        label: point.label,
        length: point.length,
        level: point.level,
        ef: point.ef.max(1),
        max_elements: point.max_elements,
        deletions: point.flags & HNX_GRAPH_DELETIONS != 0,
        revive: point.flags & HNX_GRAPH_REVIVE != 0,
    };
    Ok((core, point))
}

/// Makes an empty graph: records and links as hnswlib has them, for hosts that keep labels, locks and deleted records
/// by themselves. Records are as dense as in hnswlib's files and may be read and written by the host.
///
/// Errors: HNX_ERR_INVALID_ARGUMENT, HNX_ERR_OUT_OF_MEMORY. Threads: any thread, any time.
///
/// # Safety
/// options is NULL or readable for options->struct_size bytes; out_graph is NULL or writable; options->count and
/// options->entry stay as long as the graph.
#[no_mangle]
pub unsafe extern "C" fn hnx_graph_init(
    options: *const hnx_graph_options,
    out_graph: *mut *mut hnx_graph,
) -> hnx_status {
    guard(std::ptr::null::<hnx_graph>(), || {
        // SAFETY: the caller's promise about both pointers.
        let (options, out) =
            unsafe { (args::required_options(options, "options")?, Out::new(out_graph, "out_graph")?) };
        // SAFETY: the caller's promise about the cells.
        let bare = unsafe { Bare::new(shape_of(&options)?, options.m, cells_of(&options)?)? };
        out.set(handle::into_raw(Graph { bare, measure: options.measure }));
        Ok(())
    })
}

/// Frees a graph, and the upper-level lists of the records below its count. NULL is fine.
/// Threads: alone on this graph.
///
/// # Safety
/// graph is NULL or a live handle.
#[no_mangle]
pub unsafe extern "C" fn hnx_graph_free(graph: *mut hnx_graph) {
    let _ = guard(std::ptr::null::<hnx_graph>(), || {
        // SAFETY: the caller's promise.
        unsafe { handle::drop_raw(graph) };
        Ok(())
    });
}

/// Tells where the records are. out_memory->struct_size must be set. Threads: any thread, any time.
///
/// # Safety
/// graph is NULL or a live handle; out_memory is NULL or holds out_memory->struct_size bytes.
#[no_mangle]
pub unsafe extern "C" fn hnx_graph_memory_of(graph: *const hnx_graph, out_memory: *mut hnx_graph_memory) -> hnx_status {
    guard(graph, || {
        // SAFETY: the caller's promise about both pointers.
        let (graph, out) = unsafe { (handle::get(graph)?, args::out_struct(out_memory, "out_memory")?) };
        let out = out.ok_or_else(|| invalid("out_memory is NULL"))?;
        let (layout, at) = graph.bare.memory();
        out.write(hnx_graph_memory {
            struct_size: 0,
            records: at.records.cast(),
            stride: layout.stride,
            data_offset: layout.vector,
            label_offset: layout.label,
            lists: at.uppers.cast(),
            list_size: layout.upper_list(),
            levels: at.levels,
            lengths: at.lengths,
        });
        Ok(())
    })
}

/// Makes the memory of max_elements records usable. Nothing moves, nothing is given back. Errors:
/// HNX_ERR_OUT_OF_MEMORY, also when the address range reserved for the graph ends before. Threads: any thread, any
/// time.
///
/// # Safety
/// graph is NULL or a live handle.
#[no_mangle]
pub unsafe extern "C" fn hnx_graph_resize(graph: *mut hnx_graph, max_elements: usize) -> hnx_status {
    // SAFETY: the caller's promise.
    guard(graph, || unsafe { handle::get(graph) }?.bare.resize(max_elements))
}

/// Adds a record. out_id receives its id, or UINT32_MAX when none was made. The host sees to it that the label is new.
///
/// Errors: HNX_ERR_FULL; HNX_ERR_OUT_OF_MEMORY; HNX_ERR_INVALID_ARGUMENT; HNX_ERR_CANCELLED when measure ended the
/// call: a record that was made by then is marked deleted, and out_id names it. Threads: any thread, any time.
///
/// # Safety
/// graph is NULL or a live handle; point is NULL or readable for its struct_size, point->data for data_size bytes;
/// out_id is NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn hnx_graph_insert(
    graph: *mut hnx_graph,
    point: *const hnx_graph_point,
    out_id: *mut u32,
) -> hnx_status {
    guard(graph, || {
        // SAFETY: the caller's promise about the pointers.
        let (graph, (core, point), out) =
            unsafe { (handle::get(graph)?, point_of(point)?, Out::new(out_id, "out_id")?) };
        // SAFETY: the host's function and context, for this call.
        let measure = unsafe { measure_of(graph.measure, point.context) };
        let mut made = None;
        let result = graph.bare.insert(&core, &measure, &mut made);
        out.set(made.unwrap_or(u32::MAX));
        result
    })
}

/// Gives a record other data, another label and length, and relinks it: hnswlib's updatePoint(). Searches see the old
/// record or the new one, never a mixture; the call waits for the searches that run when it begins.
///
/// out_draws: NULL, or receives how many neighbours were asked about: as often hnswlib draws from its generator.
/// Errors: HNX_ERR_NOT_FOUND for an id that does not exist; HNX_ERR_OUT_OF_MEMORY, with nothing changed;
/// HNX_ERR_CANCELLED when measure ended the call: the data is new, links may be old. Threads: any thread, any time, but
/// one change of a record at a time.
///
/// # Safety
/// As for hnx_graph_insert(); out_draws is NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn hnx_graph_update(
    graph: *mut hnx_graph,
    id: u32,
    point: *const hnx_graph_point,
    out_draws: *mut usize,
) -> hnx_status {
    guard(graph, || {
        // SAFETY: the caller's promise about the pointers.
        let (graph, (core, point)) = unsafe { (handle::get(graph)?, point_of(point)?) };
        // SAFETY: the host's function and context, for this call.
        let measure = unsafe { measure_of(graph.measure, point.context) };
        let mut draws = 0;
        let mut draw = || {
            draws += 1;
            // SAFETY: the host's function and context.
            point.draw.is_none_or(|draw| unsafe { draw(point.context) } <= point.probability)
        };
        let result = graph.bare.update(id, &core, &measure, &mut draw);
        if !out_draws.is_null() {
            // SAFETY: the caller's promise.
            unsafe { out_draws.write_unaligned(draws) };
        }
        result
    })
}

/// Sets (deleted not 0) or clears the deleted mark of a record. Errors: HNX_ERR_ALREADY_DELETED, HNX_ERR_NOT_DELETED,
/// HNX_ERR_NOT_FOUND. Threads: any thread, any time.
///
/// # Safety
/// graph is NULL or a live handle.
#[no_mangle]
pub unsafe extern "C" fn hnx_graph_set_deleted(graph: *mut hnx_graph, id: u32, deleted: u32) -> hnx_status {
    // SAFETY: the caller's promise.
    guard(graph, || unsafe { handle::get(graph) }?.bare.set_deleted(id, deleted != 0))
}

/// Copies the neighbours of a record on a level, as they stand under its lock; at most 2 * m. Errors:
/// HNX_ERR_NOT_FOUND for a record or level that does not exist; HNX_ERR_INVALID_ARGUMENT when they are more than
/// capacity. Threads: any thread, any time.
///
/// # Safety
/// graph is NULL or a live handle; out_ids is writable for capacity numbers, out_count is writable.
#[no_mangle]
pub unsafe extern "C" fn hnx_graph_links(
    graph: *const hnx_graph,
    id: u32,
    level: u32,
    out_ids: *mut u32,
    capacity: usize,
    out_count: *mut usize,
) -> hnx_status {
    guard(graph, || {
        // SAFETY: the caller's promise about the pointers.
        let (graph, ids, out) = unsafe {
            let ids = args::slice_mut(out_ids, capacity, "out_ids")?;
            (handle::get(graph)?, ids, Out::new(out_count, "out_count")?)
        };
        let links = graph.bare.links(id, level as usize)?;
        let to = ids.get_mut(..links.len());
        to.ok_or_else(|| invalid(format!("{} links, capacity {capacity}", links.len())))?.copy_from_slice(&links);
        out.set(links.len());
        Ok(())
    })
}

/// The host's hits.
///
/// # Safety
/// `hits` is NULL or readable for `count` hits.
unsafe fn hits_of<'a>(hits: *const hnx_hit, count: usize) -> Result<&'a [Found]> {
    // SAFETY: the caller's promise; a hnx_hit is a Found by another name.
    unsafe { args::slice(hits.cast::<Found>(), count, "hits") }
}

/// Keeps at most m of *count hits (ids and keys), chosen as an insertion chooses neighbours; nearest first. Fewer than
/// m hits stay as many. hnswlib's getNeighborsByHeuristic2(). context is passed to measure. Errors: HNX_ERR_NOT_FOUND
/// for an id that does not exist, HNX_ERR_CANCELLED. Threads: any thread, any time.
///
/// # Safety
/// graph is NULL or a live handle; count is writable, hits is readable and writable for *count hits.
#[no_mangle]
pub unsafe extern "C" fn hnx_graph_select(
    graph: *const hnx_graph,
    hits: *mut hnx_hit,
    count: *mut usize,
    m: usize,
    context: *mut c_void,
) -> hnx_status {
    guard(graph, || {
        if count.is_null() {
            return Err(invalid("count is NULL"));
        }
        // SAFETY: the caller's promise about the pointers.
        let (graph, found) = unsafe { (handle::get(graph)?, hits_of(hits, count.read_unaligned())?) };
        // SAFETY: the host's function and context, for this call.
        let measure = unsafe { measure_of(graph.measure, context) };
        let kept = graph.bare.select(found, m, &measure)?;
        // SAFETY: the caller's promise; `found` is not used any more, and there are no more kept than there were hits.
        unsafe {
            std::ptr::copy_nonoverlapping(kept.as_ptr(), hits.cast::<Found>(), kept.len());
            count.write_unaligned(kept.len());
        }
        Ok(())
    })
}

/// Chooses m of count hits as hnx_graph_select() does, makes them the list of a record on a level, and links them back;
/// out_next receives the nearest of them, UINT32_MAX if there is none. hnswlib's mutuallyConnectNewElement(). Errors:
/// HNX_ERR_NOT_FOUND, HNX_ERR_CANCELLED. Threads: any thread, any time, but one change of a record at a time.
///
/// # Safety
/// graph is NULL or a live handle; hits is readable for count hits; out_next is writable.
#[no_mangle]
pub unsafe extern "C" fn hnx_graph_connect(
    graph: *mut hnx_graph,
    id: u32,
    hits: *const hnx_hit,
    count: usize,
    level: u32,
    context: *mut c_void,
    out_next: *mut u32,
) -> hnx_status {
    guard(graph, || {
        // SAFETY: the caller's promise about the pointers.
        let (graph, found, out) =
            unsafe { (handle::get(graph)?, hits_of(hits, count)?, Out::new(out_next, "out_next")?) };
        // SAFETY: the host's function and context, for this call.
        let measure = unsafe { measure_of(graph.measure, context) };
        out.set(graph.bare.connect(id, found, level as usize, &measure)?.unwrap_or(u32::MAX));
        Ok(())
    })
}

/// Links a record of the given level to what is near point->data, searching from entry on level top downwards.
/// hnswlib's repairConnectionsForUpdate(). Errors: HNX_ERR_NOT_FOUND, HNX_ERR_CANCELLED. Threads: any thread, any time,
/// but one change of a record at a time.
///
/// # Safety
/// As for hnx_graph_insert().
#[no_mangle]
pub unsafe extern "C" fn hnx_graph_repair(
    graph: *mut hnx_graph,
    id: u32,
    point: *const hnx_graph_point,
    entry: u32,
    level: u32,
    top: u32,
) -> hnx_status {
    guard(graph, || {
        // SAFETY: the caller's promise about the pointers.
        let (graph, (core, point)) = unsafe { (handle::get(graph)?, point_of(point)?) };
        // SAFETY: the host's function and context, for this call.
        let measure = unsafe { measure_of(graph.measure, point.context) };
        graph.bare.repair(id, &core, (entry, top as usize), level as usize, &measure)
    })
}
