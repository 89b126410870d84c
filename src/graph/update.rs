//! Relinking a record whose vector changed (hnswalg.h `updatePoint`, `repairConnectionsForUpdate`).

use crate::distance::Kernel;
use crate::error::Result;
use crate::graph::insert::connect;
use crate::graph::Graph;
use crate::search::descend::descend;
use crate::search::heap::Near;
use crate::search::layer::search_layer;
use crate::search::scratch::Work;
use crate::store::view::View;
use crate::store::Slot;

/// Relinks `slot`: the neighbours it had choose anew among themselves and their neighbours, then the record looks for
/// neighbours where it is now.
#[inline(always)]
pub(crate) fn update<K: Kernel>(graph: &Graph, view: &View<'_>, slot: Slot, work: &mut Work) -> Result<()> {
    let store = graph.store();
    let Some((entry, top)) = graph.entry() else { return Ok(()) };
    if entry == slot && store.count() == 1 {
        return Ok(());
    }
    work.reserve(view, entry)?;
    let level = store.level(slot);
    for level in 0..=level {
        relink_neighbours::<K>(graph, view, slot, level, work);
    }
    find_neighbours::<K>(graph, view, slot, level, (entry, top), work);
    Ok(())
}

fn links_of(graph: &Graph, slot: Slot, level: usize) -> Vec<Slot> {
    let _lock = graph.store().lock(slot);
    graph.store().links(slot, level).map(|links| links.iter().collect()).unwrap_or_default()
}

#[inline(always)]
fn relink_neighbours<K: Kernel>(graph: &Graph, view: &View<'_>, slot: Slot, level: usize, work: &mut Work) {
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
        work.neighbours.insert(neighbour.id());
        for two_hop in links_of(graph, neighbour, level) {
            work.candidates.insert(two_hop.id());
        }
    }
    let Work { candidates, neighbours, pruning, hop, .. } = work;
    let all: Vec<Slot> = candidates.iter().filter_map(|id| store.slot(id)).collect();
    hop.reserve(all.len());
    for neighbour in neighbours.iter().filter_map(|id| store.slot(id)) {
        let others = all.len() - usize::from(candidates.contains(neighbour.id()));
        let keep = graph.ef_construction().min(others);
        view.distances::<K>(view.query_of(neighbour), &all, &mut hop.distances[..all.len()]);
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
        links.replace(pruning.links.iter().copied());
        store.dirty().mark(neighbour);
    }
}

#[inline(always)]
fn find_neighbours<K: Kernel>(
    graph: &Graph,
    view: &View<'_>,
    slot: Slot,
    level: usize,
    (entry, top): (Slot, usize),
    work: &mut Work,
) {
    let store = graph.store();
    let query = view.query_of(slot);
    let first = Near { distance: view.distance::<K>(query, entry), slot: entry };
    let mut near = first;
    if level < top {
        near = descend::<K>(view, query, first, top, level + 1, &mut work.hop);
    }
    for level in (0..=level.min(top)).rev() {
        search_layer::<K>(view, query, near.slot, level, graph.ef_construction(), work);
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
            if heap.len() > graph.ef_construction() {
                heap.pop();
            }
        }
        work.pruning.select_links::<K>(view, graph.m());
        let chosen = work.pruning.links.clone();
        if let Some(&nearest) = chosen.last() {
            near.slot = nearest;
        }
        if let Some(links) = store.links(slot, level) {
            let _lock = store.lock(slot);
            links.replace(chosen.iter().copied());
            store.dirty().mark(slot);
        }
        for neighbour in chosen {
            connect::<K>(graph, view, neighbour, slot, level, true, work);
        }
    }
}
