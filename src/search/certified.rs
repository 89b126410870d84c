//! A query with the answers of f32 and few of its distances: codes reject what they prove to be too far to enter the pool,
//! and the rest is measured. A candidate that does not enter changes nothing, so the walk is the one on f32 alone.

use std::marker::PhantomData;

use crate::codes::quantiser::Rejection;
use crate::codes::Codes;
use crate::distance::kernel::Kernel;
use crate::error::Result;
use crate::search::beam::{search_ground_by, Expand};
use crate::search::descend::to_ground;
use crate::search::hop::Hop;
use crate::search::pool::Pool;
use crate::search::query::{take_pool, Ask};
use crate::search::scratch::Work;
use crate::search::visited::Visited;
use crate::store::links::Links;
use crate::store::view::{Query, View};
use crate::store::Slot;

/// A query and its code, and the views that they are measured in.
pub(crate) struct Coded<'a, 'v> {
    pub(crate) view: &'a View<'v>,
    pub(crate) query: Query<'a>,
    pub(crate) on_codes: &'a View<'v>,
    pub(crate) code: Query<'a>,
    pub(crate) codes: &'a Codes,
    pub(crate) rejection: Rejection,
}

/// As [`query`](crate::search::query::query) of the k nearest, for a session without rewritten records on an index without
/// deleted ones.
#[inline(always)]
pub(crate) fn query<K: Kernel<Distance = f32>, C: Kernel<Distance = i32>>(
    of: &Coded<'_, '_>,
    entry: Option<(Slot, usize)>,
    ask: Ask<'_>,
    work: &mut Work<f32>,
    hop: &mut Hop<i32>,
) -> Result<()> {
    work.results.clear();
    work.steps = Default::default();
    let Some(start) = to_ground::<K>(of.view, of.query, entry, work)? else { return Ok(()) };
    hop.reserve(of.view.store().layout().max_m0);
    let near = Unrejected::<C>(of, hop, PhantomData);
    search_ground_by::<K>(of.view, start, ask.ef.min(of.view.count()), work, near)?;
    take_pool(of.view, ask.k, work);
    Ok(())
}

/// What codes do not reject.
struct Unrejected<'a, 'q, 'v, C>(&'a Coded<'q, 'v>, &'a mut Hop<i32>, PhantomData<C>);

impl<K: Kernel<Distance = f32>, C: Kernel<Distance = i32>> Expand<K> for Unrejected<'_, '_, '_, C> {
    #[inline(always)]
    fn expand(&mut self, links: Links<'_>, pool: &Pool, visited: &mut Visited, hop: &mut Hop<f32>) -> usize {
        let Self(of, on_codes, _) = self;
        let Some(bound) = pool.bound::<f32>() else { return hop.expand::<K>(of.view, of.query, links, visited) };
        let count = on_codes.expand::<C>(of.on_codes, of.code, links, visited);
        let least = of.rejection.from(bound);
        let mut kept = 0;
        for at in 0..count {
            let slot = on_codes.slots[at];
            hop.slots[kept] = slot;
            let rejected = on_codes.distances[at] >= least && !of.codes.is_exceptional(slot.id() as usize);
            kept += usize::from(!rejected);
        }
        hop.measure::<K>(of.view, of.query, kept)
    }
}
