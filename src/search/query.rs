//! A whole query: descent, ground level, results.

use crate::distance::kernel::{Distance, Kernel};
use crate::error::{cancelled, Result};
use crate::search::beam::search_ground;
use crate::search::deletions::Deletions;
use crate::search::descend::to_ground;
use crate::search::filter::Accept;
use crate::search::heap::Near;
use crate::search::layer::{keep_nearest, search_layer};
use crate::search::pool::Pool;
use crate::search::scratch::{Hit, Work};
use crate::search::until::{search_until, Stop};
use crate::store::view::{Query, View};
use crate::store::Slot;

/// What a query asks for.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    /// Nearest records wanted.
    pub(crate) k: usize,
    /// Size of the candidate list, at least k.
    pub(crate) ef: usize,
    /// What the host accepts; None: everything.
    pub(crate) accept: Option<&'a Accept<'a>>,
    /// When the host wants to stop, and what to keep; then k and ef mean nothing.
    pub(crate) stop: Option<&'a dyn Stop>,
    /// Whether equal distances are to come out as from hnswlib's heaps: which of them are found, and by which way. The
    /// sorted pool, which is faster, has an order of its own for them.
    pub(crate) ties_as_in_heaps: bool,
}

impl Ask<'_> {
    /// For the k nearest.
    pub(crate) fn nearest(k: usize, ef: usize) -> Self {
        Self { k, ef: ef.max(k), accept: None, stop: None, ties_as_in_heaps: false }
    }
}

/// Leaves the labels and distances of the nearest live records in `work.results`, nearest first, equal ones by label
/// (with a stop condition, as hnswlib's heap has them).
#[inline(always)]
pub(crate) fn query<K: Kernel>(
    view: &View<'_>,
    query: Query<'_>,
    entry: Option<(Slot, usize)>,
    ask: Ask<'_>,
    work: &mut Work<K::Distance>,
) -> Result<()> {
    work.results.clear();
    work.steps = Default::default();
    let Some(start) = to_ground::<K>(view, query, entry, work)? else { return Ok(()) };
    if view.is_cancelled::<K>() {
        return Err(cancelled());
    }
    let ef = ask.ef.min(view.count());
    if let Some(stop) = ask.stop {
        search_until::<K>(view, query, start.slot, ask.accept, stop, work)?;
        drain_found(view, work);
        return Ok(());
    }
    let is_pooled = ask.accept.is_none() && !ask.ties_as_in_heaps && K::Distance::POOLED;
    if let Some(spare) = is_pooled.then(|| work.spare(ef)).flatten() {
        search_ground::<K>(view, query, start, (ef, spare), work)?;
        let has_all = take_pool(view, ask.k, work);
        work.learn(has_all);
        if has_all {
            return Ok(());
        }
    }
    let above = work.steps;
    let ended = search_layer::<K>(view, query, start.slot, 0, ef, ask.accept, work);
    work.steps = above;
    ended?;
    keep_nearest(&mut work.found, ask.k);
    take_found(view, work);
    Ok(())
}

/// Leaves the `k` nearest live records of the pool in `work.results`. False: others may be missing.
#[inline(always)]
pub(crate) fn take_pool<D: Distance>(view: &View<'_>, k: usize, work: &mut Work<D>) -> bool {
    let Work { pool, results, deletions, .. } = work;
    results.clear();
    let hits = live(view, pool, *deletions).take(k);
    results.extend(hits.map(|near| hit(view, &near)));
    // Nearest first already; equal ones by label.
    results.sort_by(Hit::order);
    work.has_all(work.results.len(), k)
}

/// A record that was found, with its label.
#[inline(always)]
pub(crate) fn hit<D: Distance>(view: &View<'_>, near: &Near<D>) -> Hit<D> {
    Hit { distance: near.distance, label: view.label(near.slot), slot: near.slot }
}

/// What is not deleted in a pool, nearest first.
#[inline(always)]
pub(crate) fn live<'a, D: Distance>(
    view: &'a View<'_>,
    pool: &'a Pool,
    deletions: Deletions,
) -> impl Iterator<Item = Near<D>> + 'a {
    let near = pool.iter().filter_map(|(id, distance)| Some(Near { distance, slot: view.slot(id)? }));
    near.filter(move |near| !(deletions.any() && view.is_deleted(near.slot)))
}

/// Equal distances stay as hnswlib's heap hands them out: what a host's stop condition makes of the end of the row may
/// depend on it.
#[inline(always)]
fn drain_found<D: Distance>(view: &View<'_>, work: &mut Work<D>) {
    let Work { found, results, .. } = work;
    while let Some(near) = found.pop() {
        results.push(hit(view, &near));
    }
    results.reverse();
}

#[inline(always)]
pub(crate) fn take_found<D: Distance>(view: &View<'_>, work: &mut Work<D>) {
    let Work { found, results, .. } = work;
    results.clear();
    results.extend(found.items().iter().map(|near| hit(view, near)));
    results.sort_unstable_by(Hit::order);
}

/// The search of one level alone, from `start`; what is found stays in `work.results`, in the order of the heap.
#[inline(always)]
pub(crate) fn query_level<K: Kernel>(
    view: &View<'_>,
    query: Query<'_>,
    (start, level): (Slot, usize),
    ask: Ask<'_>,
    work: &mut Work<K::Distance>,
) -> Result<()> {
    work.results.clear();
    work.steps = Default::default();
    work.reserve(view, start)?;
    match ask.stop {
        Some(stop) => search_until::<K>(view, query, start, ask.accept, stop, work)?,
        None => search_layer::<K>(view, query, start, level, ask.ef, ask.accept, work)?,
    }
    let Work { found, results, .. } = work;
    results.extend(found.items().iter().map(|near| hit(view, near)));
    Ok(())
}
