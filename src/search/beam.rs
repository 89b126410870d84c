//! The search of the ground level for a query with one sorted pool.

use crate::distance::kernel::Kernel;
use crate::error::Result;
use crate::search::heap::Near;
use crate::search::scratch::Work;
use crate::store::view::{Query, View};

/// Leaves the `ef` nearest live records that are reachable from `start` in `work.pool`, and among them and behind them
/// deleted ones, unless it has lost some.
#[inline(always)]
pub(crate) fn search_ground<K: Kernel>(
    view: &View<'_>,
    query: Query<'_>,
    start: Near<K::Distance>,
    (ef, spare): (usize, usize),
    work: &mut Work<K::Distance>,
) -> Result<()> {
    let Work { visited, hop, pool, deletions, .. } = work;
    pool.reset(ef, spare)?;
    pool.insert::<K>(start.distance, start.slot);
    visited.insert(start.slot);
    let store = view.store();
    while let Some(slot) = pool.next().and_then(|id| view.slot(id)) {
        if deletions.any() && view.is_deleted(slot) {
            pool.pass_by(slot);
        }
        // Likely the next to be expanded: its links can travel while this one's are worked on.
        if let Some(next) = pool.peek().and_then(|id| view.slot(id)) {
            store.links0(next).prefetch();
        }
        let count = hop.expand::<K>(view, query, store.links0(slot), visited);
        let next = pool.insert_all::<K>(hop, count);
        if let Some(next) = next.and_then(|id| view.slot(id)) {
            store.links0(next).prefetch();
        }
    }
    visited.clear();
    Ok(())
}
