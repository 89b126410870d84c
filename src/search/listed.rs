//! Queries that only listed records may answer: where these are few, all of them are measured. A walk would look at the
//! more records the fewer are listed, and may not reach them all.

use crate::distance::kernel::{Distance, Kernel};
use crate::search::filter::LabelSet;
use crate::search::heap::Near;
use crate::search::layer::keep_nearest;
use crate::search::query::take_found;
use crate::search::scratch::Work;
use crate::store::view::{Query, View};
use crate::store::Slot;

/// Records that are measured before the next are looked at.
const PIECE: usize = 64;

/// Leaves the `k` nearest of `slots` in `work.results`, nearest first, equal ones by label. False: some of those that
/// would be among them are deleted by now, or have another label than those listed.
#[inline(always)]
pub(crate) fn nearest_of<K: Kernel>(
    view: &View<'_>,
    query: Query<'_>,
    (slots, labels): (&[Slot], &LabelSet),
    k: usize,
    work: &mut Work<K::Distance>,
) -> bool {
    let Work { hop, found, .. } = work;
    let mut are_there = true;
    found.clear();
    hop.reserve(PIECE);
    for slots in slots.chunks(PIECE) {
        let count = hop.take(slots.iter().filter_map(|slot| view.slot(slot.id())));
        hop.measure::<K>(view, query, count);
        for (slot, distance) in hop.slots[..count].iter().zip(&hop.distances) {
            if found.len() == k && found.top().is_some_and(|last| distance.order(&last.distance).is_ge()) {
                continue;
            }
            if view.is_deleted(*slot) || !labels.contains(view.label(*slot)) {
                are_there = false;
                continue;
            }
            found.push(Near { distance: *distance, slot: *slot });
            keep_nearest(found, k);
        }
    }
    take_found(view, work);
    are_there
}
