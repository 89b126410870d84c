//! The greedy descent through the upper levels (Malkov and Yashunin 2018, algorithm 2 with ef 1).

use crate::distance::kernel::Kernel;
use crate::error::Result;
use crate::search::heap::Near;
use crate::search::hop::Hop;
use crate::search::scratch::{Steps, Work};
use crate::store::view::{Query, View};
use crate::store::Slot;

/// From `start`, walks to the nearest record that greedy steps reach on each level of `from..=to`, downwards.
/// hnswlib moves while it scans a list but goes on scanning the same list: that is the first of its nearest.
#[inline(always)]
pub(crate) fn descend<K: Kernel>(
    view: &View<'_>,
    query: Query<'_>,
    start: Near<K::Distance>,
    from: usize,
    to: usize,
    hop: &mut Hop<K::Distance>,
    steps: &mut Steps,
) -> Near<K::Distance> {
    let mut best = start;
    for level in (to..=from).rev() {
        while let Some(links) = view.store().links(best.slot, level) {
            let found = hop.all::<K>(view, query, links);
            steps.hops += 1;
            steps.distances += found as u64;
            if view.is_cancelled::<K>() {
                return best;
            }
            let before = best.slot;
            for at in 0..found {
                if hop.distances[at] < best.distance {
                    best = Near { distance: hop.distances[at], slot: hop.slots[at] };
                }
            }
            if best.slot == before {
                break;
            }
        }
    }
    best
}

/// Where a query begins on the ground, with room made in `work`; None: nothing can be found. An entry point that is
/// younger than the view is not seen by it.
#[inline(always)]
pub(crate) fn to_ground<K: Kernel>(
    view: &View<'_>,
    query: Query<'_>,
    entry: Option<(Slot, usize)>,
    work: &mut Work<K::Distance>,
) -> Result<Option<Near<K::Distance>>> {
    let Some((slot, level)) = entry.and_then(|(slot, level)| Some((view.slot(slot.id())?, level))) else {
        return Ok(None);
    };
    work.reserve(view, slot)?;
    let start = Near { distance: view.distance::<K>(query, slot), slot };
    Ok(Some(descend::<K>(view, query, start, level, 1, &mut work.hop, &mut work.steps)))
}

/// The entry point as a candidate, and where a descent from it to the level above `level` ends.
#[inline(always)]
pub(crate) fn start_of<K: Kernel>(
    view: &View<'_>,
    query: Query<'_>,
    (entry, top): (Slot, usize),
    level: usize,
    hop: &mut Hop<K::Distance>,
) -> (Near<K::Distance>, Near<K::Distance>) {
    let first = Near { distance: view.distance::<K>(query, entry), slot: entry };
    if level < top {
        return (first, descend::<K>(view, query, first, top, level + 1, hop, &mut Steps::default()));
    }
    (first, first)
}
