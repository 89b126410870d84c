//! The search of the ground level until a host's stop condition says so (hnswalg.h `searchBaseLayerST` with a
//! `BaseSearchStopCondition`). Without a bound on what is found: the host decides what to keep.

use crate::distance::kernel::{Distance, Kernel};
use crate::error::{cancelled, Result};
use crate::search::filter::{wanted, Accept};
use crate::search::heap::Near;
use crate::search::scratch::Work;
use crate::store::view::{Query, View};
use crate::store::Slot;

/// A host's stop condition. Distances are keys; None ends the search.
pub(crate) trait Stop {
    /// A record was found.
    fn add(&self, label: u64, vector: *const u8, distance: i64) -> Option<()>;
    /// The farthest found record was given up. As with hnswlib, `distance` is that of the candidate at hand.
    fn remove(&self, label: u64, vector: *const u8, distance: i64) -> Option<()>;
    /// Whether the search ends before the nearest candidate, given the farthest found record.
    fn should_stop(&self, candidate: i64, bound: i64) -> Option<bool>;
    /// Whether a candidate is of interest.
    fn should_consider(&self, candidate: i64, bound: i64) -> Option<bool>;
    /// Whether the farthest found record is to be given up.
    fn should_remove(&self) -> Option<bool>;
}

/// Leaves what the host kept in `work.found`.
#[inline(always)]
pub(crate) fn search_until<K: Kernel>(
    view: &View<'_>,
    query: Query<'_>,
    start: Slot,
    accept: Option<&Accept<'_>>,
    stop: &dyn Stop,
    work: &mut Work<K::Distance>,
) -> Result<()> {
    let ended = walk::<K>(view, query, start, accept, stop, work);
    work.visited.clear();
    if view.is_cancelled::<K>() {
        return Err(cancelled());
    }
    ended
}

#[inline(always)]
fn walk<K: Kernel>(
    view: &View<'_>,
    query: Query<'_>,
    start: Slot,
    accept: Option<&Accept<'_>>,
    stop: &dyn Stop,
    work: &mut Work<K::Distance>,
) -> Result<()> {
    let mut bound = K::Distance::from_key(view.ruler().farthest());
    let deletions = work.deletions.any();
    let Work { visited, hop, frontier, found, .. } = work;
    frontier.clear();
    found.clear();
    if wanted(view, start, deletions, accept)? {
        bound = view.distance::<K>(query, start);
        found.push(Near { distance: bound, slot: start });
        stop.add(view.label(start), view.row(start), bound.key()).ok_or_else(cancelled)?;
    }
    frontier.push(Near { distance: bound.reversed(), slot: start });
    visited.insert(start);
    while let Some(nearest) = frontier.top() {
        let distance = nearest.distance.reversed();
        if view.is_cancelled::<K>() || stop.should_stop(distance.key(), bound.key()).ok_or_else(cancelled)? {
            break;
        }
        frontier.pop();
        let count = hop.expand::<K>(view, query, view.store().links0(nearest.slot), visited);
        for at in 0..count {
            let (slot, distance) = (hop.slots[at], hop.distances[at]);
            if !stop.should_consider(distance.key(), bound.key()).ok_or_else(cancelled)? {
                continue;
            }
            frontier.push(Near { distance: distance.reversed(), slot });
            if wanted(view, slot, deletions, accept)? {
                found.push(Near { distance, slot });
                stop.add(view.label(slot), view.row(slot), distance.key()).ok_or_else(cancelled)?;
            }
            while stop.should_remove().ok_or_else(cancelled)? {
                // A condition that is never content would empty the heap for ever.
                let Some(worst) = found.pop() else { break };
                let (label, row) = (view.label(worst.slot), view.row(worst.slot));
                stop.remove(label, row, distance.key()).ok_or_else(cancelled)?;
            }
            if let Some(worst) = found.top() {
                bound = worst.distance;
            }
        }
    }
    Ok(())
}
