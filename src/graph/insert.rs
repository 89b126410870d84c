//! Linking a new record (Malkov and Yashunin 2018, algorithm 1; hnswalg.h `addPoint`).
//!
//! hnswlib links level by level while it searches. Here all levels are searched first, then the record's own lists
//! are written, then the links to it, from the ground up: whoever finds the record on some level finds all its lists
//! complete. The levels do not depend on each other's links, so the graph is the same.

use crate::distance::kernel::Kernel;
use crate::error::{cancelled, Result};
use crate::graph::Graph;
use crate::search::descend::start_of;
use crate::search::guided::Guide;
use crate::search::heap::Near;
use crate::search::layer::search_layer;
use crate::search::scratch::Work;
use crate::store::view::{Query, View};
use crate::store::Slot;
use crate::sync::lock;

/// Makes the record of an insertion, complete but for its links; nothing has been changed before.
pub(crate) type Claim<'a> = dyn FnMut() -> Result<Slot> + 'a;

/// Adds a record at `query` on `level`. Neighbours are chosen first, then `claim` makes the record: an insertion that a
/// host cancels while it searches has changed nothing. With a `guide` the candidates on the ground, where nearly all
/// distances are, are those that it finds; `K` chooses among them and decides all links.
#[inline(always)]
pub(crate) fn insert<K: Kernel>(
    graph: &Graph,
    view: &View<'_>,
    query: Query<'_>,
    level: usize,
    guide: Option<&mut Guide<'_, '_>>,
    claim: &mut Claim<'_>,
    work: &mut Work<K::Distance>,
) -> Result<()> {
    let rises = |entry: Option<(Slot, usize)>| entry.is_none_or(|(_, top)| level > top);
    // Only one insertion at a time may raise the top; what it saw as the top must still be it when it publishes.
    let raising = rises(graph.entry()).then(|| lock(&graph.raising));
    let entry = graph.entry();
    work.chosen.clear();
    work.chosen_ends.clear();
    if let Some((start, top)) = entry {
        work.reserve(view, start)?;
        choose::<K>(graph, view, query, level, (start, top), guide, work)?;
    }
    let slot = claim()?;
    if entry.is_some() {
        link(graph, slot, work);
        link_back::<K>(graph, view, slot, work);
    }
    if view.is_cancelled::<K>() {
        return Err(cancelled());
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
    query: Query<'_>,
    level: usize,
    (start, top): (Slot, usize),
    mut guide: Option<&mut Guide<'_, '_>>,
    work: &mut Work<K::Distance>,
) -> Result<()> {
    // Where the ground is all there is to search, the guide descends, too.
    let guide_descends = guide.is_some() && level == 0 && view.slot(start.id()).is_some();
    let descend_to = if guide_descends { top } else { level };
    let (first, mut near) = start_of::<K>(view, query, (start, top), descend_to, &mut work.hop);
    let start_is_deleted = view.is_deleted(start);
    let ef = work.ef_construction;
    for level in (0..=level.min(top)).rev() {
        if let Some(guide) = guide.as_mut().filter(|_| level == 0) {
            if let Some(found) = guide.find((near.slot, if guide_descends { top } else { 0 }))? {
                // All that can be reached is deleted: better a deleted neighbour than none.
                let only = found.is_empty().then_some(near.slot);
                let also = if start_is_deleted { Some(first.slot) } else { only };
                choose_from_found::<K>(graph, view, query, found, also, work)?;
                break;
            }
        }
        search_layer::<K>(view, query, near.slot, level, ef, None, work)?;
        if start_is_deleted {
            work.found.push(first);
            if work.found.len() > ef {
                work.found.pop();
            }
        }
        if work.found.is_empty() {
            // All that can be reached is deleted: better a deleted neighbour than none.
            work.found.push(near);
        }
        near = choose_on_level::<K>(graph, view, near, work);
    }
    if view.is_cancelled::<K>() {
        return Err(cancelled());
    }
    Ok(())
}

/// As [`choose_on_level`] on the ground, from what a guide has found, which is nearly in order.
#[inline(always)]
fn choose_from_found<K: Kernel>(
    graph: &Graph,
    view: &View<'_>,
    query: Query<'_>,
    found: &[Near<i32>],
    also: Option<Slot>,
    work: &mut Work<K::Distance>,
) -> Result<()> {
    let Work { hop, pruning, chosen, chosen_ends, ef_construction, .. } = work;
    hop.reserve(found.len() + 1);
    let count = hop.take(found.iter().map(|near| near.slot).chain(also));
    hop.measure::<K>(view, query, count);
    let near = hop.slots[..count].iter().zip(&hop.distances);
    let near = near.map(|(slot, distance)| Near { distance: *distance, slot: *slot });
    let kept = pruning.select_nearly_sorted::<K>(view, near, *ef_construction, graph.m())?;
    chosen.extend(kept.iter().rev().map(|near| near.slot));
    chosen_ends.push(chosen.len());
    Ok(())
}

/// Chooses from `work.found`, appends to `work.chosen` farthest first, and returns the nearest chosen: the next
/// level's start.
#[inline(always)]
fn choose_on_level<K: Kernel>(
    graph: &Graph,
    view: &View<'_>,
    start: Near<K::Distance>,
    work: &mut Work<K::Distance>,
) -> Near<K::Distance> {
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
fn levels<D>(work: &Work<D>) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> + use<D> {
    let ends = work.chosen_ends.clone();
    let count = ends.len();
    (0..count).map(move |level| {
        let at = count - 1 - level;
        (level, if at == 0 { 0 } else { ends[at - 1] }..ends[at])
    })
}

/// Writes the record's own lists.
fn link<D>(graph: &Graph, slot: Slot, work: &Work<D>) {
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
fn link_back<K: Kernel>(graph: &Graph, view: &View<'_>, slot: Slot, work: &mut Work<K::Distance>) {
    for (level, range) in levels(work) {
        for at in range {
            let neighbour = work.chosen[at];
            connect::<K>(graph, view, neighbour, slot, level, false, work);
        }
    }
}

/// Adds a link from `from` to `to` on `level`; a full list keeps the best by [`select`](crate::graph::select).
///
/// Pairs that the list's last pruning has compared are compared again. Remembering them gives the same graph and saves
/// nothing (0.97 to 1.02 of the time, 20,000 records of GloVe and MiniLM): a pruning leaves some 13 of 32 links, so
/// that there is not one in two adds, and most of the rest is new.
#[inline(always)]
pub(crate) fn connect<K: Kernel>(
    graph: &Graph,
    view: &View<'_>,
    from: Slot,
    to: Slot,
    level: usize,
    unless_present: bool,
    work: &mut Work<K::Distance>,
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
        pruning.candidates.push(Near { distance: distance_to::<K>(view, to, from), slot: to });
        if K::CANCELS {
            for other in links.iter() {
                pruning.candidates.push(Near { distance: distance_to::<K>(view, other, from), slot: other });
            }
        } else {
            let count = hop.all_now::<K>(view, query, links);
            for at in 0..count {
                pruning.candidates.push(Near { distance: hop.distances[at], slot: hop.slots[at] });
            }
        }
        pruning.select_links::<K>(view, links.capacity());
        if view.is_cancelled::<K>() {
            return; // chosen by distances that mean nothing
        }
        links.replace(pruning.links.iter().copied());
    }
    store.dirty().mark(from);
}

/// Distance as hnswlib measures it here: a host's function need not be symmetric.
#[inline(always)]
fn distance_to<K: Kernel>(view: &View<'_>, slot: Slot, to: Slot) -> K::Distance {
    view.distance::<K>(view.query_of(slot), to)
}
