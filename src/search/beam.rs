//! The search of the ground level for a query, on an index without deleted records: one sorted pool.

use crate::distance::kernel::Kernel;
use crate::error::Result;
use crate::search::heap::Near;
use crate::search::hop::Hop;
use crate::search::pool::Pool;
use crate::search::scratch::Work;
use crate::search::visited::Visited;
use crate::store::links::Links;
use crate::store::view::{Query, View};

/// How neighbours are measured. Not a closure: one is compiled without the instruction set of the engine's shell.
pub(crate) trait Expand<K: Kernel> {
    /// Leaves the unseen neighbours in `links`, in their order and with their distances, in the first places of `hop`, and
    /// tells how many. Those that `pool` does not admit may be left out.
    fn expand(&mut self, links: Links<'_>, pool: &Pool, visited: &mut Visited, hop: &mut Hop<K::Distance>) -> usize;
}

/// All of them.
struct All<'a, 'v>(&'a View<'v>, Query<'a>);

impl<K: Kernel> Expand<K> for All<'_, '_> {
    #[inline(always)]
    fn expand(&mut self, links: Links<'_>, _: &Pool, visited: &mut Visited, hop: &mut Hop<K::Distance>) -> usize {
        hop.expand::<K>(self.0, self.1, links, visited)
    }
}

/// Leaves the `ef` nearest records that are reachable from `start` in `work.pool`.
#[inline(always)]
pub(crate) fn search_ground<K: Kernel>(
    view: &View<'_>,
    query: Query<'_>,
    start: Near<K::Distance>,
    ef: usize,
    work: &mut Work<K::Distance>,
) -> Result<()> {
    search_ground_by::<K>(view, start, ef, work, All(view, query))
}

/// As [`search_ground`], by a way of measuring.
#[inline(always)]
pub(crate) fn search_ground_by<K: Kernel>(
    view: &View<'_>,
    start: Near<K::Distance>,
    ef: usize,
    work: &mut Work<K::Distance>,
    mut neighbours: impl Expand<K>,
) -> Result<()> {
    let Work { visited, hop, pool, .. } = work;
    pool.reset(ef)?;
    pool.insert::<K>(start.distance, start.slot);
    visited.insert(start.slot);
    let store = view.store();
    while let Some(slot) = pool.next().and_then(|id| view.slot(id)) {
        // Likely the next to be expanded: its links can travel while this one's are worked on.
        if let Some(next) = pool.peek().and_then(|id| view.slot(id)) {
            store.links0(next).prefetch();
        }
        let count = neighbours.expand(store.links0(slot), pool, visited, hop);
        let next = pool.insert_all::<K>(hop, count);
        if let Some(next) = next.and_then(|id| view.slot(id)) {
            store.links0(next).prefetch();
        }
    }
    visited.clear();
    Ok(())
}
