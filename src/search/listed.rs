//! Queries that only listed records may answer: where these are few, all of them are measured. A walk would look at the
//! more records the fewer are listed, and may not reach them all.

use crate::distance::kernel::{Distance, Kernel};
use crate::search::heap::Near;
use crate::search::query::take_found;
use crate::search::scratch::Work;
use crate::store::view::{Query, View};
use crate::store::Slot;

/// Records that are measured before the next are looked at.
const PIECE: usize = 64;

/// Leaves the `k` nearest of `slots` in `work.results`, nearest first, equal ones by label.
#[inline(always)]
pub(crate) fn nearest_of<K: Kernel>(
    view: &View<'_>,
    query: Query<'_>,
    slots: &[Slot],
    k: usize,
    work: &mut Work<K::Distance>,
) {
    let Work { hop, found, .. } = work;
    found.clear();
    hop.reserve(PIECE);
    for slots in slots.chunks(PIECE) {
        // One that is younger than the session is not in its sight.
        let count = hop.take(slots.iter().filter_map(|slot| view.slot(slot.id())));
        hop.measure::<K>(view, query, count);
        for (slot, distance) in hop.slots[..count].iter().zip(&hop.distances) {
            if found.len() < k || found.top().is_some_and(|last| distance.order(&last.distance).is_lt()) {
                found.push(Near { distance: *distance, slot: *slot });
                if found.len() > k {
                    found.pop();
                }
            }
        }
    }
    take_found(view, work);
}
