//! Linking a new record (Malkov and Yashunin 2018, algorithm 1; hnswalg.h `addPoint`).
//!
//! hnswlib links level by level while it searches. Here all levels are searched first, then the record's own lists
//! are written, then the links to it, from the ground up: whoever finds the record on some level finds all its lists
//! complete. The levels do not depend on each other's links, so the graph is the same.

use std::marker::PhantomData;

use crate::distance::kernel::Kernel;
use crate::error::{cancelled, Result};
use crate::graph::Graph;
use crate::search::descend::start_of;
use crate::search::guided;
use crate::search::heap::Near;
use crate::search::layer::search_layer;
use crate::search::scratch::Work;
use crate::store::view::{Query, View};
use crate::store::Slot;
use crate::sync::lock;

/// Makes the record of an insertion, complete but for its links; nothing has been changed before.
pub(crate) type Claim<'a> = dyn FnMut() -> Result<Slot> + 'a;

/// Adds a record at `query` on `level`. Neighbours are chosen first, then `claim` makes the record: an insertion that a
/// host cancels while it searches has changed nothing.
#[inline(always)]
pub(crate) fn insert<K: Kernel>(
    graph: &Graph,
    view: &View<'_>,
    query: Query<'_>,
    level: usize,
    claim: &mut Claim<'_>,
    work: &mut Work<K::Distance>,
) -> Result<()> {
    insert_with::<K>(graph, view, query, level, claim, work, Plain)
}

/// As [`insert`], with candidates on the ground, where nearly all distances are, that codes have found: the nearest by
/// what the walk measures, of these the nearest `ef_construction` by `K`, which chooses among them and decides all links.
#[inline(always)]
pub(crate) fn insert_guided<K: Kernel, C: Kernel<Distance = i32>>(
    graph: &Graph,
    (view, query): (&View<'_>, Query<'_>),
    guide: (&View<'_>, Query<'_>, usize),
    level: usize,
    claim: &mut Claim<'_>,
    (work, walk): (&mut Work<K::Distance>, &mut Work<i32>),
) -> Result<()> {
    insert_with::<K>(graph, view, query, level, claim, work, Guided::<C>(guide, walk, PhantomData))
}

/// How the candidates on a level are found. Not a closure: one is compiled without the shell's instruction set.
trait Candidates<K: Kernel> {
    /// Leaves the candidates that can be reached from `start` in `work.found`.
    fn find(
        &mut self,
        vector: (&View<'_>, Query<'_>),
        start: Slot,
        level: usize,
        work: &mut Work<K::Distance>,
    ) -> Result<()>;
}

/// By the distances that decide.
struct Plain;

impl<K: Kernel> Candidates<K> for Plain {
    #[inline(always)]
    fn find(
        &mut self,
        (view, query): (&View<'_>, Query<'_>),
        start: Slot,
        level: usize,
        work: &mut Work<K::Distance>,
    ) -> Result<()> {
        search_layer::<K>(view, query, start, level, work.ef_construction, None, work)
    }
}

/// By codes, on the ground: the session on what the walk measures, the query in that, and how many it keeps.
struct Guided<'a, 'v, C>((&'a View<'v>, Query<'a>, usize), &'a mut Work<i32>, PhantomData<C>);

impl<K: Kernel, C: Kernel<Distance = i32>> Candidates<K> for Guided<'_, '_, C> {
    #[inline(always)]
    fn find(
        &mut self,
        (view, query): (&View<'_>, Query<'_>),
        start: Slot,
        level: usize,
        work: &mut Work<K::Distance>,
    ) -> Result<()> {
        let ef = work.ef_construction;
        let Self((guide, code, wide), walk, _) = self;
        // A start that is younger than the session is none for the walk.
        if level > 0 || guide.slot(start.id()).is_none() {
            return search_layer::<K>(view, query, start, level, ef, None, work);
        }
        walk.reserve(guide, start)?;
        let start = Near { distance: guide.distance::<C>(*code, start), slot: start };
        guided::ground::<C>(guide, *code, start, (*wide).min(guide.count()), None, walk)?;
        let Work { hop, found, .. } = work;
        hop.reserve(walk.near.len());
        hop.slots.iter_mut().zip(&walk.near).for_each(|(slot, near)| *slot = near.slot);
        let count = hop.measure::<K>(view, query, walk.near.len());
        found.clear();
        for at in 0..count {
            found.push(Near { distance: hop.distances[at], slot: hop.slots[at] });
            if found.len() > ef {
                found.pop();
            }
        }
        Ok(())
    }
}

#[inline(always)]
fn insert_with<K: Kernel>(
    graph: &Graph,
    view: &View<'_>,
    query: Query<'_>,
    level: usize,
    claim: &mut Claim<'_>,
    work: &mut Work<K::Distance>,
    candidates: impl Candidates<K>,
) -> Result<()> {
    let rises = |entry: Option<(Slot, usize)>| entry.is_none_or(|(_, top)| level > top);
    // Only one insertion at a time may raise the top; what it saw as the top must still be it when it publishes.
    let raising = rises(graph.entry()).then(|| lock(&graph.raising));
    let entry = graph.entry();
    work.chosen.clear();
    work.chosen_ends.clear();
    if let Some((start, top)) = entry {
        work.reserve(view, start)?;
        choose::<K>(graph, view, query, level, (start, top), work, candidates)?;
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
    work: &mut Work<K::Distance>,
    mut candidates: impl Candidates<K>,
) -> Result<()> {
    let (first, mut near) = start_of::<K>(view, query, (start, top), level, &mut work.hop);
    let start_is_deleted = view.is_deleted(start);
    let ef = work.ef_construction;
    for level in (0..=level.min(top)).rev() {
        candidates.find((view, query), near.slot, level, work)?;
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
