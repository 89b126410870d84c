//! Relinking a record whose vector changed (hnswalg.h `updatePoint`, `repairConnectionsForUpdate`).

use crate::distance::kernel::Kernel;
use crate::error::{cancelled, Result};
use crate::graph::insert::connect;
use crate::graph::Graph;
use crate::search::descend::start_of;
use crate::search::heap::Near;
use crate::search::layer::search_layer;
use crate::search::scratch::Work;
use crate::store::view::{Query, View};
use crate::store::Slot;

/// Says of a neighbour whether it is relinked (hnswlib's `updateNeighborProbability`); counts the neighbours it is
/// asked about.
pub(crate) type Draw<'a> = dyn FnMut() -> bool + 'a;

/// Relinks `slot`: the neighbours it had choose anew among themselves and their neighbours, then the record looks for
/// neighbours where it is now.
#[inline(always)]
pub(crate) fn update<K: Kernel>(
    graph: &Graph,
    view: &View<'_>,
    slot: Slot,
    draw: &mut Draw<'_>,
    work: &mut Work<K::Distance>,
) -> Result<()> {
    let store = graph.store();
    let Some((entry, top)) = graph.entry() else { return Ok(()) };
    if entry == slot && store.count() == 1 {
        return Ok(());
    }
    work.reserve(view, entry)?;
    let level = store.level(slot);
    for level in 0..=level {
        relink_neighbours::<K>(graph, view, slot, level, draw, work);
        if view.is_cancelled::<K>() {
            return Err(cancelled());
        }
    }
    find_neighbours::<K>(graph, view, view.query_of(slot), slot, level, (entry, top), work)
}

fn links_of(graph: &Graph, slot: Slot, level: usize) -> Vec<Slot> {
    let _lock = graph.store().lock(slot);
    graph.store().links(slot, level).map(|links| links.iter().collect()).unwrap_or_default()
}

#[inline(always)]
fn relink_neighbours<K: Kernel>(
    graph: &Graph,
    view: &View<'_>,
    slot: Slot,
    level: usize,
    draw: &mut Draw<'_>,
    work: &mut Work<K::Distance>,
) {
    let store = graph.store();
    let one_hop = links_of(graph, slot, level);
    if one_hop.is_empty() {
        return;
    }
    // The order in which these sets are iterated decides between equal distances: see `hash_order`.
    work.candidates.reset();
    work.neighbours.reset();
    work.candidates.insert(slot.id());
    for &neighbour in &one_hop {
        work.candidates.insert(neighbour.id());
        if !draw() {
            continue;
        }
        if !work.neighbours.insert(neighbour.id()) {
            continue; // twice in the list, as a file may have it
        }
        for two_hop in links_of(graph, neighbour, level) {
            work.candidates.insert(two_hop.id());
        }
    }
    let ef = work.ef_construction;
    let Work { candidates, neighbours, pruning, hop, .. } = work;
    let all: Vec<Slot> = candidates.iter().filter_map(|id| store.slot(id)).collect();
    hop.reserve(all.len());
    for neighbour in neighbours.iter().filter_map(|id| store.slot(id)) {
        let others = all.len() - usize::from(candidates.contains(neighbour.id()));
        let keep = ef.min(others);
        measure_others::<K>(view, neighbour, &all, &mut hop.distances[..all.len()]);
        let heap = &mut pruning.candidates;
        heap.clear();
        for (&candidate, &distance) in all.iter().zip(&hop.distances) {
            if candidate == neighbour {
                continue;
            }
            if heap.len() < keep {
                heap.push(Near { distance, slot: candidate });
            } else if heap.top().is_some_and(|worst| distance < worst.distance) {
                heap.pop();
                heap.push(Near { distance, slot: candidate });
            }
        }
        let _lock = store.lock(neighbour);
        let Some(links) = store.links(neighbour, level) else { continue };
        pruning.select_links::<K>(view, links.capacity());
        if view.is_cancelled::<K>() {
            return; // chosen by distances that mean nothing
        }
        links.replace(pruning.links.iter().copied());
        store.dirty().mark(neighbour);
    }
}

/// Distances from a record to others; its own may be any, where measuring it would cost a host a call.
#[inline(always)]
fn measure_others<K: Kernel>(view: &View<'_>, from: Slot, all: &[Slot], out: &mut [K::Distance]) {
    let query = view.query_of(from);
    if !K::CANCELS {
        return view.distances::<K>(query, all, out);
    }
    for (slot, out) in all.iter().zip(out) {
        *out = if *slot == from { K::Distance::default() } else { view.distance::<K>(query, *slot) };
    }
}

/// Links `slot`, whose vector is `query`, to what is near it (hnswalg.h `repairConnectionsForUpdate`).
#[inline(always)]
pub(crate) fn find_neighbours<K: Kernel>(
    graph: &Graph,
    view: &View<'_>,
    query: Query<'_>,
    slot: Slot,
    level: usize,
    (entry, top): (Slot, usize),
    work: &mut Work<K::Distance>,
) -> Result<()> {
    let (first, mut near) = start_of::<K>(view, query, (entry, top), level, &mut work.hop);
    let ef = work.ef_construction;
    for level in (0..=level.min(top)).rev() {
        search_layer::<K>(view, query, near.slot, level, ef, None, work)?;
        // All but the record itself, in the order they leave the heap: equal ones end up as hnswlib has them.
        let heap = &mut work.pruning.candidates;
        heap.clear();
        while let Some(found) = work.found.pop() {
            if found.slot != slot {
                heap.push(found);
            }
        }
        if heap.is_empty() {
            continue;
        }
        if view.is_deleted(entry) {
            heap.push(first);
            if heap.len() > ef {
                heap.pop();
            }
        }
        if let Some(nearest) = link_chosen::<K>(graph, view, slot, level, work)? {
            near.slot = nearest;
        }
    }
    Ok(())
}

/// Chooses from `work.pruning.candidates`, writes the record's list on `level` and the links to it; returns the
/// nearest (hnswalg.h `mutuallyConnectNewElement` of an update).
#[inline(always)]
pub(crate) fn link_chosen<K: Kernel>(
    graph: &Graph,
    view: &View<'_>,
    slot: Slot,
    level: usize,
    work: &mut Work<K::Distance>,
) -> Result<Option<Slot>> {
    let store = graph.store();
    work.pruning.select_links::<K>(view, graph.m());
    if view.is_cancelled::<K>() {
        return Err(cancelled());
    }
    let chosen = work.pruning.links.clone();
    if let Some(links) = store.links(slot, level) {
        let _lock = store.lock(slot);
        links.replace(chosen.iter().copied());
        store.dirty().mark(slot);
    }
    for &neighbour in &chosen {
        connect::<K>(graph, view, neighbour, slot, level, true, work);
    }
    if view.is_cancelled::<K>() {
        return Err(cancelled());
    }
    Ok(chosen.last().copied())
}
