//! The greedy descent through the upper levels (Malkov and Yashunin 2018, algorithm 2 with ef 1).

use crate::distance::Kernel;
use crate::search::heap::Near;
use crate::search::hop::Hop;
use crate::store::view::{Query, View};

/// From `start`, walks to the nearest record that greedy steps reach on each level of `from..=to`, downwards.
/// hnswlib moves while it scans a list but goes on scanning the same list: that is the first of its nearest.
#[inline(always)]
pub(crate) fn descend<K: Kernel>(
    view: &View<'_>,
    query: Query<'_>,
    start: Near,
    from: usize,
    to: usize,
    hop: &mut Hop,
) -> Near {
    let mut best = start;
    for level in (to..=from).rev() {
        while let Some(links) = view.store().links(best.slot, level) {
            let found = hop.all::<K>(view, query, links);
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
