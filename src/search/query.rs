//! A whole query: descent, ground level, results.

use crate::distance::Kernel;
use crate::error::Result;
use crate::search::beam::search_ground;
use crate::search::descend::descend;
use crate::search::heap::Near;
use crate::search::layer::{keep_nearest, search_layer};
use crate::search::scratch::Work;
use crate::store::view::{Query, View};
use crate::store::Slot;

/// What a query asks for.
#[derive(Clone, Copy)]
pub(crate) struct Ask {
    /// Nearest records wanted.
    pub(crate) k: usize,
    /// Size of the candidate list, at least k.
    pub(crate) ef: usize,
}

/// Leaves the labels and distances of the nearest live records in `work.results`, nearest first, equal ones by label.
#[inline(always)]
pub(crate) fn query<K: Kernel>(
    view: &View<'_>,
    query: Query<'_>,
    entry: Option<(Slot, usize)>,
    ask: Ask,
    work: &mut Work,
) -> Result<()> {
    work.results.clear();
    // An entry point that is younger than the view is not seen by it; without one there is nothing to be found.
    let Some((slot, level)) = entry.and_then(|(slot, level)| Some((view.slot(slot.id())?, level))) else {
        return Ok(());
    };
    work.reserve(view, slot)?;
    let start = Near { distance: view.distance::<K>(query, slot), slot };
    let start = descend::<K>(view, query, start, level, 1, &mut work.hop);
    let ef = ask.ef.min(view.count());
    if work.deletions {
        search_layer::<K>(view, query, start.slot, 0, ef, work);
        keep_nearest(&mut work.found, ask.k);
        let Work { found, results, .. } = work;
        results.extend(found.items().iter().map(|near| (near.distance, view.label(near.slot))));
        results.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    } else {
        search_ground::<K>(view, query, start, ef, work)?;
        let Work { pool, results, .. } = work;
        for (id, distance) in pool.iter().take(ask.k) {
            if let Some(slot) = view.slot(id) {
                results.push((distance, view.label(slot)));
            }
        }
        // Nearest first already; equal ones by label.
        results.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    }
    Ok(())
}
