//! A query with the answers of f32 and few of its distances: codes reject what they prove to be too far to enter the pool,
//! and the rest is measured. A candidate that does not enter changes nothing, so the walk is the one on f32 alone.

use crate::codes::quantiser::CodedQuery;
use crate::codes::Codes;
use crate::distance::kernel::Kernel;
use crate::error::Result;
use crate::search::descend::descend;
use crate::search::heap::Near;
use crate::search::hop::Hop;
use crate::search::query::{take_pool, Ask};
use crate::search::scratch::Work;
use crate::store::view::{Query, View};
use crate::store::Slot;

/// A query and its code, and the views that they are measured in.
pub(crate) struct Coded<'a, 'v> {
    pub(crate) view: &'a View<'v>,
    pub(crate) on_codes: &'a View<'v>,
    pub(crate) codes: &'a Codes,
    pub(crate) query: Query<'a>,
    pub(crate) coded: &'a CodedQuery,
}

/// As [`query`](crate::search::query::query) of the k nearest, for a session without rewritten records on an index without
/// deleted ones.
#[inline(always)]
pub(crate) fn query<K: Kernel<Distance = f32>, C: Kernel<Distance = i32>>(
    of: &Coded<'_, '_>,
    entry: Option<(Slot, usize)>,
    ask: Ask<'_>,
    work: &mut Work<f32>,
    on_codes: &mut Hop<i32>,
) -> Result<()> {
    let (view, query) = (of.view, of.query);
    work.results.clear();
    work.steps = Default::default();
    let Some((slot, level)) = entry.and_then(|(slot, level)| Some((view.slot(slot.id())?, level))) else {
        return Ok(());
    };
    work.reserve(view, slot)?;
    on_codes.reserve(view.store().layout().max_m0);
    let start = Near { distance: view.distance::<K>(query, slot), slot };
    let start = descend::<K>(view, query, start, level, 1, &mut work.hop, &mut work.steps);
    ground::<K, C>(of, start, ask.ef.min(view.count()), work, on_codes)?;
    take_pool(view, ask.k, work);
    Ok(())
}

#[inline(always)]
fn ground<K: Kernel<Distance = f32>, C: Kernel<Distance = i32>>(
    of: &Coded<'_, '_>,
    start: Near<f32>,
    ef: usize,
    work: &mut Work<f32>,
    on_codes: &mut Hop<i32>,
) -> Result<()> {
    let Work { visited, hop, pool, .. } = work;
    pool.reset(ef)?;
    pool.insert(start.distance, start.slot);
    visited.insert(start.slot);
    let store = of.view.store();
    while let Some(slot) = pool.next().and_then(|id| of.view.slot(id)) {
        if let Some(next) = pool.peek().and_then(|id| of.view.slot(id)) {
            store.links0(next).prefetch();
        }
        let links = store.links0(slot);
        let count = match pool.bound::<f32>() {
            None => hop.expand::<K>(of.view, of.query, links, visited),
            Some(bound) => {
                let count = on_codes.unseen(of.view, links, visited);
                on_codes.measure::<C>(of.on_codes, of.on_codes.query(of.coded.code.bytes()), count);
                let count = keep(of, on_codes, count, bound, hop);
                hop.measure::<K>(of.view, of.query, count)
            }
        };
        for at in 0..count {
            let distance = hop.distances[at];
            if pool.admits(distance) && pool.insert(distance, hop.slots[at]) {
                store.links0(hop.slots[at]).prefetch();
            }
        }
    }
    visited.clear();
    Ok(())
}

/// Copies what codes do not reject to `hop`, in its order.
#[inline(always)]
fn keep(of: &Coded<'_, '_>, on_codes: &Hop<i32>, count: usize, bound: f32, hop: &mut Hop<f32>) -> usize {
    let least = of.coded.reject_from(bound);
    let mut kept = 0;
    for at in 0..count {
        let slot = on_codes.slots[at];
        hop.slots[kept] = slot;
        let rejected = on_codes.distances[at] >= least && !of.codes.is_exceptional(slot.id() as usize);
        kept += usize::from(!rejected);
    }
    kept
}
