//! The search of one level with hnswlib's two heaps (hnswalg.h `searchBaseLayer`, and `searchBaseLayerST` with
//! deletions or a filter; Malkov and Yashunin 2018, algorithm 2).

use crate::distance::kernel::{Distance, Kernel};
use crate::error::{cancelled, Result};
use crate::search::filter::{wanted, Accept};
use crate::search::heap::{Heap, Near};
use crate::search::scratch::Work;
use crate::store::view::{Query, View};
use crate::store::Slot;

/// Leaves the `ef` nearest live records that are reachable from `start` and accepted in `work.found`. The others are
/// walked through, not found.
#[inline(always)]
pub(crate) fn search_layer<K: Kernel>(
    view: &View<'_>,
    query: Query<'_>,
    start: Slot,
    level: usize,
    ef: usize,
    accept: Option<&Accept<'_>>,
    work: &mut Work<K::Distance>,
) -> Result<()> {
    let ended = walk::<K>(view, query, start, level, ef, accept, work);
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
    level: usize,
    ef: usize,
    accept: Option<&Accept<'_>>,
    work: &mut Work<K::Distance>,
) -> Result<()> {
    // The frontier is a heap of reversed distances, as hnswlib's, so that equal ones move alike.
    let mut bound = K::Distance::from_key(view.ruler().farthest());
    // A record's flag is in a cache line of its own: not looked at where nothing is deleted (6 % of an insertion).
    let deletions = work.deletions.any();
    let Work { visited, hop, frontier, found, steps, .. } = work;
    frontier.clear();
    found.clear();
    if wanted(view, start, deletions, accept)? {
        bound = view.distance::<K>(query, start);
        found.push(Near { distance: bound, slot: start });
    }
    frontier.push(Near { distance: bound.reversed(), slot: start });
    visited.insert(start);
    while let Some(nearest) = frontier.top() {
        if view.is_cancelled::<K>() || nearest.distance.reversed() > bound && found.len() == ef {
            break;
        }
        frontier.pop();
        let Some(links) = view.store().links(nearest.slot, level) else { continue };
        steps.hops += 1;
        steps.distances += links.len() as u64;
        let count = hop.expand::<K>(view, query, links, visited);
        for at in 0..count {
            let candidate = Near { distance: hop.distances[at], slot: hop.slots[at] };
            let admitted = found.len() < ef || bound > candidate.distance;
            if !admitted {
                continue;
            }
            frontier.push(Near { distance: candidate.distance.reversed(), slot: candidate.slot });
            if wanted(view, candidate.slot, deletions, accept)? {
                found.push(candidate);
            }
            if found.len() > ef {
                found.pop();
            }
            if let Some(worst) = found.top() {
                bound = worst.distance;
            }
        }
        if let Some(next) = frontier.top() {
            if let Some(links) = view.store().links(next.slot, level) {
                links.prefetch();
            }
        }
    }
    Ok(())
}

/// Shrinks `found` to its `k` nearest.
pub(crate) fn keep_nearest<D: Distance>(found: &mut Heap<D>, k: usize) {
    while found.len() > k {
        found.pop();
    }
}
