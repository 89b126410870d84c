//! A query that codes guide: the walk measures codes or sketches only, and of what it found the nearest are measured
//! exactly. What a walk on sketches found is measured by codes first where these are the vectors.

use crate::codes::quantiser::CodedQuery;
use crate::codes::Codes;
use crate::distance::kernel::{Distance, Kernel};
use crate::error::Result;
use crate::search::beam::search_ground;
use crate::search::descend::to_ground;
use crate::search::filter::Accept;
use crate::search::heap::Near;
use crate::search::layer::search_layer;
use crate::search::query::{hit, live};
use crate::search::scratch::{Hit, Work};
use crate::store::view::{Query, View};
use crate::store::Slot;

/// The loop of [`walk`] for one instruction set, metric and kind of codes.
pub(crate) type WalkLoop =
    unsafe fn(&View<'_>, Query<'_>, Option<(Slot, usize)>, usize, Option<&Accept<'_>>, &mut Work<i32>) -> Result<()>;

/// The loop of [`add_younger`].
pub(crate) type YoungerLoop = unsafe fn(&View<'_>, Query<'_>, usize, usize, &mut Work<i32>);

/// A walk that is ready to begin, or what was found already.
pub(crate) struct Guide<'a, 'v> {
    walk: WalkLoop,
    younger: YoungerLoop,
    /// The session on what the walk measures, and the query in that.
    view: &'a View<'v>,
    query: Query<'a>,
    /// How many records it keeps.
    ef: usize,
    /// `work` has the nearest of so many records.
    found_among: Option<usize>,
    work: &'a mut Work<i32>,
}

impl<'a, 'v> Guide<'a, 'v> {
    /// # Safety
    ///
    /// The loops are of an instruction set that this machine has.
    pub(crate) unsafe fn new(
        (walk, younger): (WalkLoop, YoungerLoop),
        view: &'a View<'v>,
        query: Query<'a>,
        ef: usize,
        found_among: Option<usize>,
        work: &'a mut Work<i32>,
    ) -> Self {
        Self { walk, younger, view, query, ef, found_among, work }
    }

    /// The nearest records by what the walk measures that can be reached on the ground by a descent from `start` and
    /// its level, nearest first; None if that is younger than the session, which does not see it then. Where some were
    /// found already ([`super::scan`]), those and the younger ones, in no order.
    pub(crate) fn find(&mut self, start: (Slot, usize)) -> Result<Option<&[Near<i32>]>> {
        if let Some(count) = self.found_among {
            // SAFETY: see new.
            unsafe { (self.younger)(self.view, self.query, count, self.ef, self.work) };
            return Ok(Some(&self.work.near));
        }
        // SAFETY: see new.
        unsafe { (self.walk)(self.view, self.query, Some(start), self.ef, None, self.work)? };
        Ok(self.view.slot(start.0.id()).map(|_| &self.work.near[..]))
    }
}

/// Leaves the `ef` nearest records by their codes in `work.near`, nearest first.
#[inline(always)]
pub(crate) fn walk<K: Kernel>(
    view: &View<'_>,
    query: Query<'_>,
    entry: Option<(Slot, usize)>,
    ef: usize,
    accept: Option<&Accept<'_>>,
    work: &mut Work<K::Distance>,
) -> Result<()> {
    work.near.clear();
    let Some(start) = to_ground::<K>(view, query, entry, work)? else { return Ok(()) };
    let ef = ef.min(view.count());
    if let Some(spare) = accept.is_none().then(|| work.spare(ef)).flatten() {
        search_ground::<K>(view, query, start, (ef, spare), work)?;
        let has_all = take_near(view, ef, work);
        work.learn(has_all);
        if has_all {
            return Ok(());
        }
    }
    search_layer::<K>(view, query, start.slot, 0, ef, accept, work)?;
    let Work { found, near, .. } = work;
    near.clear();
    near.extend_from_slice(found.items());
    near.sort_unstable_by(|a, b| Distance::order(&a.distance, &b.distance));
    Ok(())
}

/// Leaves the `ef` nearest live records of the pool in `work.near`. False: others may be missing.
#[inline(always)]
pub(crate) fn take_near<D: Distance>(view: &View<'_>, ef: usize, work: &mut Work<D>) -> bool {
    let Work { pool, near, deletions, .. } = work;
    near.clear();
    near.extend(live(view, pool, *deletions).take(ef));
    work.has_all(work.near.len(), ef)
}

/// Adds to `work.near`, which has the nearest of the first `count` records, those of the others that are as near as the
/// last of them, or all while there are fewer than `ef`; none that has no links yet.
#[inline(always)]
pub(crate) fn add_younger<K: Kernel<Distance = i32>>(
    view: &View<'_>,
    query: Query<'_>,
    count: usize,
    ef: usize,
    work: &mut Work<i32>,
) {
    let Work { hop, near, deletions, .. } = work;
    let bound = near.get(ef - 1).map_or(i32::MAX, |near| near.distance);
    hop.reserve(1);
    let mut next = count;
    while next < view.count() {
        let end = view.count().min(next + hop.slots.len());
        let others = (next..end).filter_map(|id| view.slot(id as u32));
        let are_linked =
            |slot: &Slot| view.store().links0(*slot).len() > 0 && !(deletions.any() && view.is_deleted(*slot));
        let some = hop.take(others.filter(are_linked));
        hop.measure::<K>(view, query, some);
        // Without memory they are not linked to.
        if near.try_reserve(some).is_ok() {
            for (slot, distance) in hop.slots[..some].iter().zip(&hop.distances) {
                if *distance <= bound {
                    near.push(Near { distance: *distance, slot: *slot });
                }
            }
        }
        next = end;
    }
}

/// Measures by codes that are the vectors what a walk on sketches found, and leaves it in `work.near`, nearest first.
#[inline(always)]
pub(crate) fn rescore<K: Kernel<Distance = i32>>(on_codes: &View<'_>, code: Query<'_>, work: &mut Work<i32>) {
    let Work { hop, near, .. } = work;
    hop.reserve(near.len());
    let count = hop.take(near.iter().map(|near| near.slot));
    hop.measure::<K>(on_codes, code, count);
    near.iter_mut().zip(&hop.distances).for_each(|(near, distance)| near.distance = *distance);
    near.sort_unstable_by_key(|near| (near.distance, near.slot.id()));
}

/// Bytes of a row to ask for ahead; the hardware streams the rest of longer rows.
const PREFETCH_BYTES: usize = 2048;
/// Rows that are asked for ahead of the one that is measured.
const AHEAD: usize = 8;

/// Records in a row that are none of the k nearest, of those that a walk on sketches found, after which no more are
/// measured; one in 16 of all more. With all of them measured recall is the same to the fourth digit, and queries a
/// second are 0.9 of it at recall 0.99 (MiniLM, 60,000 records).
const PATIENCE: usize = 16;

/// Measures the nearest of `near` exactly and leaves the `k` nearest in `work.results`: the first k, those whose codes
/// leave it open whether they belong to them, and those whose codes tell little, wherever they are. What a walk on
/// sketches found is measured until [`PATIENCE`] ends.
#[inline(always)]
pub(crate) fn measure<K: Kernel<Distance = f32>>(
    view: &View<'_>,
    query: Query<'_>,
    near: &[Near<i32>],
    (codes, coded, sketches): (&Codes, &CodedQuery, bool),
    k: usize,
    work: &mut Work<f32>,
) {
    let Work { hop, near: best, results, .. } = work;
    best.clear();
    results.clear();
    hop.reserve(4);
    let bytes = view.row_bytes().min(PREFETCH_BYTES);
    let mut asked = if sketches { k.max(AHEAD) } else { k };
    for near in near.iter().take(asked) {
        view.prefetch(near.slot, bytes);
    }
    // Of a query beyond the trained range sketches tell less.
    let patience = if coded.is_outside { near.len() } else { PATIENCE + near.len() / 16 };
    let (mut at, mut bound, mut last_put) = (0, f32::INFINITY, 0);
    while at < near.len() {
        let mut end = if at < k { (at + 4).min(k) } else { at + 4 }.min(near.len());
        if sketches {
            if at - last_put >= patience {
                break;
            }
            for near in near.iter().take(end + AHEAD).skip(asked) {
                view.prefetch(near.slot, bytes);
            }
            asked = asked.max(end + AHEAD);
        } else {
            if at >= k {
                let last = best[k - 1].distance;
                bound = last + coded.margin(last);
            }
            if coded.distance(near[at].distance) > bound {
                break;
            }
            while coded.distance(near[end - 1].distance) > bound {
                end -= 1;
            }
        }
        let four = &near[at..end];
        for (to, near) in hop.slots.iter_mut().zip(four) {
            *to = near.slot;
        }
        view.distances::<K>(query, &hop.slots[..four.len()], &mut hop.distances[..four.len()]);
        for (slot, distance) in hop.slots[..four.len()].iter().zip(&hop.distances) {
            if put(best, Near { distance: *distance, slot: *slot }, k) {
                last_put = end;
            }
        }
        at = end;
    }
    for near in near[at..].iter().filter(|near| codes.is_exceptional(near.slot.id() as usize)) {
        put(best, Near { distance: view.distance::<K>(query, near.slot), slot: near.slot }, k);
    }
    results.extend(best.iter().map(|near| hit(view, near)));
    results.sort_by(Hit::order);
}

/// Puts a record among the `k` nearest, if it is one.
#[inline(always)]
fn put(best: &mut Vec<Near<f32>>, near: Near<f32>, k: usize) -> bool {
    let place = best.partition_point(|b| b.distance <= near.distance);
    if place < k {
        best.truncate(k - 1);
        best.insert(place.min(best.len()), near);
    }
    place < k
}

/// Takes the `k` nearest as they are: their codes are the vectors.
pub(crate) fn take(view: &View<'_>, near: &[Near<i32>], k: usize, work: &mut Work<f32>) {
    let hit = |n: &Near<i32>| Hit { distance: n.distance as f32, label: view.label(n.slot), slot: n.slot };
    work.results.clear();
    work.results.extend(near.iter().take(k).map(hit));
    work.results.sort_by(Hit::order);
}
