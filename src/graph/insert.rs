//! Linking a new record (Malkov and Yashunin 2018, algorithm 1; hnswalg.h `addPoint`).
//!
//! hnswlib links level by level while it searches. Here all levels are searched first, then the record's own lists
//! are written, then the links to it, from the ground up: whoever finds the record on some level finds all its lists
//! complete. The levels do not depend on each other's links, so the graph is the same.

use crate::distance::Kernel;
use crate::error::Result;
use crate::graph::Graph;
use crate::search::descend::descend;
use crate::search::heap::Near;
use crate::search::layer::search_layer;
use crate::search::scratch::Work;
use crate::store::view::{Query, View};
use crate::store::Slot;
use crate::sync::lock;

/// Links the record at `slot`, which is complete but for its links and which nobody can find yet.
#[inline(always)]
pub(crate) fn insert<K: Kernel>(graph: &Graph, view: &View<'_>, slot: Slot, work: &mut Work) -> Result<()> {
    let store = graph.store();
    let level = store.level(slot);
    let rises = |entry: Option<(Slot, usize)>| entry.is_none_or(|(_, top)| level > top);
    // Only one insertion at a time may raise the top; what it saw as the top must still be it when it publishes.
    let raising = rises(graph.entry()).then(|| lock(&graph.raising));
    let entry = graph.entry();
    if let Some((start, top)) = entry {
        work.reserve(view, start)?;
        choose::<K>(graph, view, slot, level, (start, top), work);
        link(graph, slot, work);
        link_back::<K>(graph, view, slot, work);
    }
    if raising.is_some() && rises(entry) {
        graph.set_entry(slot, level);
    }
    Ok(())
}

/// Finds the neighbours on each level; leaves them in `work.chosen`.
#[inline(always)]
fn choose<K: Kernel>(
    graph: &Graph,
    view: &View<'_>,
    slot: Slot,
    level: usize,
    (start, top): (Slot, usize),
    work: &mut Work,
) {
    let query = view.query_of(slot);
    let first = Near { distance: view.distance::<K>(query, start), slot: start };
    let mut near = first;
    if level < top {
        near = descend::<K>(view, query, first, top, level + 1, &mut work.hop);
    }
    let start_is_deleted = view.is_deleted(start);
    work.chosen.clear();
    work.chosen_ends.clear();
    for level in (0..=level.min(top)).rev() {
        search_layer::<K>(view, query, near.slot, level, graph.ef_construction(), work);
        if start_is_deleted {
            work.found.push(first);
            if work.found.len() > graph.ef_construction() {
                work.found.pop();
            }
        }
        if work.found.is_empty() {
            // All that can be reached is deleted: better a deleted neighbour than none.
            work.found.push(near);
        }
        near = choose_on_level::<K>(graph, view, near, work);
    }
}

/// Chooses from `work.found`, appends to `work.chosen` farthest first, and returns the nearest chosen: the next
/// level's start.
#[inline(always)]
fn choose_on_level<K: Kernel>(graph: &Graph, view: &View<'_>, start: Near, work: &mut Work) -> Near {
    let Work { found, pruning, chosen, chosen_ends, .. } = work;
    pruning.select_from::<K>(view, found, graph.m());
    let mut nearest = start;
    while let Some(near) = found.pop() {
        chosen.push(near.slot);
        nearest = near;
    }
    chosen_ends.push(chosen.len());
    nearest
}

/// The levels in `work`, from the ground up, with their links.
fn levels(work: &Work) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> {
    let ends = work.chosen_ends.clone();
    let count = ends.len();
    (0..count).map(move |level| {
        let at = count - 1 - level;
        (level, if at == 0 { 0 } else { ends[at - 1] }..ends[at])
    })
}

/// Writes the record's own lists.
fn link(graph: &Graph, slot: Slot, work: &Work) {
    let store = graph.store();
    let _lock = store.lock(slot);
    for (level, range) in levels(work) {
        if let Some(links) = store.links(slot, level) {
            links.replace(work.chosen[range].iter().copied());
        }
    }
    store.dirty().mark(slot);
}

/// Writes the links to the record.
#[inline(always)]
fn link_back<K: Kernel>(graph: &Graph, view: &View<'_>, slot: Slot, work: &mut Work) {
    for (level, range) in levels(work) {
        for at in range {
            let neighbour = work.chosen[at];
            connect::<K>(graph, view, neighbour, slot, level, false, work);
        }
    }
}

/// Adds a link from `from` to `to` on `level`; a full list keeps the best by [`select`](crate::graph::select).
#[inline(always)]
pub(crate) fn connect<K: Kernel>(
    graph: &Graph,
    view: &View<'_>,
    from: Slot,
    to: Slot,
    level: usize,
    unless_present: bool,
    work: &mut Work,
) {
    let store = graph.store();
    let _lock = store.lock(from);
    let Some(links) = store.links(from, level) else { return };
    if from == to || unless_present && links.contains(to) {
        return;
    }
    if links.len() < links.capacity() {
        links.push(to);
    } else {
        let Work { pruning, hop, .. } = work;
        let query: Query<'_> = view.query_of(from);
        pruning.candidates.clear();
        pruning.candidates.push(Near { distance: view.distance::<K>(query, to), slot: to });
        let count = hop.all_now::<K>(view, query, links);
        for at in 0..count {
            pruning.candidates.push(Near { distance: hop.distances[at], slot: hop.slots[at] });
        }
        pruning.select_links::<K>(view, links.capacity());
        links.replace(pruning.links.iter().copied());
    }
    store.dirty().mark(from);
}
