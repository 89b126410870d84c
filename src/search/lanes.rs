//! Several queries at once on one core. A walk alternates between asking for memory and working on what it asked for
//! before; while one query's lines are on their way, the others work on theirs.
//!
//! Each query has a lane. A turn is one stage of a walk: reading a list of links and asking for what is measured of its
//! unseen ids, or measuring that and asking for the list of the record that is next. Codes may save vectors being
//! measured ([`super::certified`]).

use std::sync::atomic::{fence, Ordering};

use crate::codes::quantiser::CodedQuery;
use crate::distance::kernel::{Distance, Kernel};
use crate::error::Result;
use crate::search::certified::{Sieve, Sifted};
use crate::search::heap::Near;
use crate::search::pending::AT_ONCE;
use crate::search::scratch::Work;
use crate::store::data::Data;
use crate::store::view::{Query, View};
use crate::store::{Slot, Store};

/// Lanes of a batch.
pub(crate) const LANES: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    /// On a level above the ground: read the list of the nearest, measure codes that save others, measure what the
    /// batch is about.
    Read(usize),
    Sift(usize),
    Measure(usize),
    /// On the ground: the same, beginning with the list of the next to be expanded.
    ReadGround,
    SiftGround,
    MeasureGround,
    /// What so many steps after the walk have asked for is on its way.
    Walked(usize),
}

/// One query under way.
pub(crate) struct Lane<D = i32> {
    /// The query, and its code.
    pub(crate) vector: Data,
    pub(crate) coded: CodedQuery,
    /// Its place in the batch.
    pub(crate) row: usize,
    pub(crate) ef: usize,
    pub(crate) work: Work<D>,
    /// What codes prove for it, in a batch with a sieve.
    pub(crate) sifted: Sifted,
    stage: Stage,
    nearest: Near<D>,
    /// Slots in the hop that wait to be measured.
    waiting: usize,
}

impl<D: Distance> Lane<D> {
    pub(crate) fn new(store: &Store) -> Self {
        let layout = store.layout();
        Self {
            vector: Data::new(layout.vector_bytes),
            coded: CodedQuery::new(layout.dim()),
            row: 0,
            ef: 0,
            work: Work::default(),
            sifted: Sifted::default(),
            stage: Stage::Idle,
            nearest: Near { distance: D::default(), slot: Slot::FIRST },
            waiting: 0,
        }
    }
}

/// The first `count` of `lanes`, of which as many are made as are missing.
pub(crate) fn make_lanes<'l, D: Distance>(
    lanes: &'l mut Vec<Lane<D>>,
    count: usize,
    store: &Store,
) -> &'l mut [Lane<D>] {
    while lanes.len() < count {
        lanes.push(Lane::new(store));
    }
    &mut lanes[..count]
}

/// What walks measure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Vectors,
    Codes,
    Sketches,
}

/// What a batch is about.
pub(crate) struct Batch<'a, 'v> {
    /// The session on what the walks measure.
    pub(crate) walk: &'a View<'v>,
    pub(crate) by: By,
    /// Codes that save vectors being measured.
    pub(crate) sieve: Option<Sieve<'a, 'v>>,
    pub(crate) entry: (Slot, usize),
}

impl Batch<'_, '_> {
    /// Whether records of the ground are measured only when they may be next ([`super::pending`]); not in a batch
    /// without a `SIEVE`.
    #[inline(always)]
    fn is_lazy<const SIEVE: bool>(&self) -> bool {
        SIEVE && self.sieve.as_ref().is_some_and(|sieve| sieve.lazy)
    }

    /// What a lane's walk measures from.
    #[inline(always)]
    fn query<'q>(&self, vector: &'q Data, coded: &'q CodedQuery) -> Query<'q> {
        self.walk.query(match self.by {
            By::Vectors => vector.bytes(),
            By::Codes => coded.code.bytes(),
            By::Sketches => coded.sketch.bytes(),
        })
    }
}

/// The queries of a batch, before and after their walks.
pub(crate) trait Queries<D> {
    /// Puts the next one into a lane; false: there is none.
    fn begin(&mut self, lane: &mut Lane<D>) -> bool;

    /// Takes what was found from the pool of a lane, in some steps, of which the lane has had `steps`, each of which
    /// may ask for memory that the next reads. False: that was the last.
    fn go_on(&mut self, lane: &mut Lane<D>, steps: usize) -> bool;
}

/// Walks for one query after the other by kernel `K`; kernel `C` is that of codes, for a `SIEVE`.
#[inline(always)]
pub(crate) fn run<K: Kernel, C: Kernel<Distance = i32>, const SIEVE: bool>(
    batch: &Batch<'_, '_>,
    lanes: &mut [Lane<K::Distance>],
    queries: &mut dyn Queries<K::Distance>,
) -> Result<()> {
    let done = take_turns::<K, C, SIEVE>(batch, lanes, queries);
    if done.is_err() {
        lanes.iter_mut().for_each(|lane| lane.work.visited.clear());
    }
    done
}

#[inline(always)]
fn take_turns<K: Kernel, C: Kernel<Distance = i32>, const SIEVE: bool>(
    batch: &Batch<'_, '_>,
    lanes: &mut [Lane<K::Distance>],
    queries: &mut dyn Queries<K::Distance>,
) -> Result<()> {
    let mut going = 0;
    for lane in lanes.iter_mut() {
        lane.stage = Stage::Idle;
        if queries.begin(lane) {
            start::<K, SIEVE>(batch, lane)?;
            going += 1;
        }
    }
    while going > 0 {
        for lane in lanes.iter_mut() {
            match lane.stage {
                Stage::ReadGround => read_ground::<_, SIEVE>(batch, lane),
                Stage::MeasureGround => measure_ground::<K, SIEVE>(batch, lane),
                Stage::SiftGround if SIEVE => sift_ground::<_, C>(batch, lane)?,
                Stage::Read(level) => read::<K, SIEVE>(batch, lane, level)?,
                Stage::Measure(level) => measure::<K>(batch, lane, level)?,
                Stage::Sift(level) if SIEVE => sift::<_, C>(batch, lane, level),
                Stage::Idle | Stage::Sift(_) | Stage::SiftGround => {}
                Stage::Walked(steps) => {
                    if queries.go_on(lane, steps) {
                        lane.stage = Stage::Walked(steps + 1);
                    } else if queries.begin(lane) {
                        start::<K, SIEVE>(batch, lane)?;
                    } else {
                        lane.stage = Stage::Idle;
                        going -= 1;
                    }
                }
            }
        }
    }
    Ok(())
}

#[inline(always)]
fn start<K: Kernel, const SIEVE: bool>(batch: &Batch<'_, '_>, lane: &mut Lane<K::Distance>) -> Result<()> {
    let (slot, level) = batch.entry;
    lane.work.reserve(batch.walk, slot)?;
    if SIEVE {
        lane.sifted.begin(lane.work.hop.slots.len());
    }
    let distance = batch.walk.distance::<K>(batch.query(&lane.vector, &lane.coded), slot);
    lane.nearest = Near { distance, slot };
    reach::<K>(batch, lane, level)
}

/// Goes on with a level.
#[inline(always)]
fn reach<K: Kernel>(batch: &Batch<'_, '_>, lane: &mut Lane<K::Distance>, level: usize) -> Result<()> {
    lane.stage = Stage::Read(level);
    if level == 0 {
        let Work { visited, pool, deletions, .. } = &mut lane.work;
        pool.reset(lane.ef, deletions.spare(lane.ef).unwrap_or(0))?;
        pool.insert::<K>(lane.nearest.distance, lane.nearest.slot);
        visited.insert(lane.nearest.slot);
        batch.walk.store().links0(lane.nearest.slot).prefetch();
        lane.stage = Stage::ReadGround;
    }
    Ok(())
}

#[inline(always)]
fn read<K: Kernel, const SIEVE: bool>(batch: &Batch<'_, '_>, lane: &mut Lane<K::Distance>, level: usize) -> Result<()> {
    let view = batch.walk;
    let Some(links) = view.store().links(lane.nearest.slot, level) else { return reach::<K>(batch, lane, level - 1) };
    lane.waiting = lane.work.hop.take(links.raw().filter_map(|id| view.slot(id)));
    ask::<_, SIEVE>(batch, lane, true, [Stage::Sift(level), Stage::Measure(level)]);
    Ok(())
}

#[inline(always)]
fn read_ground<D: Distance, const SIEVE: bool>(batch: &Batch<'_, '_>, lane: &mut Lane<D>) {
    let view = batch.walk;
    let Work { visited, hop, pool, deletions, .. } = &mut lane.work;
    let gave_up = SIEVE && lane.sifted.gave_up();
    if batch.is_lazy::<SIEVE>() && !gave_up {
        let mut ids = [0; AT_ONCE];
        let count = lane.sifted.take(pool, &mut ids);
        if count > 0 {
            lane.waiting = hop.take(ids[..count].iter().filter_map(|id| view.slot(*id)));
            prefetch(view, &hop.slots[..lane.waiting]);
            lane.stage = Stage::MeasureGround;
            return;
        }
    }
    let next = if gave_up { None } else { pool.next().and_then(|id| view.slot(id)) };
    let Some(slot) = next else {
        visited.clear();
        lane.stage = Stage::Walked(0);
        return;
    };
    if deletions.any() && view.is_deleted(slot) {
        pool.pass_by(slot);
    }
    // Likely the next to be expanded: its links can travel while this one's are worked on.
    if let Some(next) = pool.peek().and_then(|id| view.slot(id)) {
        view.store().links0(next).prefetch();
    }
    lane.waiting = visited.unseen(view, view.store().links0(slot), &mut hop.slots);
    let are_sifted = pool.is_full() || batch.is_lazy::<SIEVE>();
    ask::<_, SIEVE>(batch, lane, are_sifted, [Stage::SiftGround, Stage::MeasureGround]);
}

/// Asks for what the next stage reads, which is the first of `next` where codes can tell something, else the second.
#[inline(always)]
fn ask<D: Distance, const SIEVE: bool>(batch: &Batch<'_, '_>, lane: &mut Lane<D>, are_sifted: bool, next: [Stage; 2]) {
    // The ids were read relaxed; what was published with them is read from here on.
    fence(Ordering::Acquire);
    let slots = &lane.work.hop.slots[..lane.waiting];
    if let Some(sieve) = batch.sieve.as_ref().filter(|_| SIEVE && are_sifted) {
        prefetch(sieve.on_codes, slots);
        lane.stage = next[0];
    } else {
        prefetch(batch.walk, slots);
        lane.stage = next[1];
    }
}

/// Bytes of a row to ask for ahead; the hardware streams the rest of longer rows.
const PREFETCH_BYTES: usize = 1024;

#[inline(always)]
fn prefetch(view: &View<'_>, slots: &[Slot]) {
    let bytes = view.row_bytes().min(PREFETCH_BYTES);
    for slot in slots {
        view.prefetch(*slot, bytes);
    }
}

#[inline(always)]
fn sift<D: Distance, C: Kernel<Distance = i32>>(batch: &Batch<'_, '_>, lane: &mut Lane<D>, level: usize) {
    sift_below::<D, C>(batch, lane, lane.nearest.distance.pool_key());
    lane.stage = Stage::Measure(level);
}

#[inline(always)]
fn sift_ground<D: Distance, C: Kernel<Distance = i32>>(batch: &Batch<'_, '_>, lane: &mut Lane<D>) -> Result<()> {
    let Lane { work: Work { hop, pool, .. }, coded, sifted, waiting, .. } = lane;
    match &batch.sieve {
        Some(sieve) if sieve.lazy => {
            sieve.add::<C>(coded, sifted, &hop.slots[..*waiting], pool)?;
            lane.stage = Stage::ReadGround;
        }
        _ => {
            let bound = pool.bound_key();
            sift_below::<D, C>(batch, lane, bound);
            lane.stage = Stage::MeasureGround;
        }
    }
    Ok(())
}

/// Leaves those that may be nearer than what has the key `bound`, and asks for their vectors.
#[inline(always)]
fn sift_below<D: Distance, C: Kernel<Distance = i32>>(batch: &Batch<'_, '_>, lane: &mut Lane<D>, bound: u32) {
    let Some(sieve) = &batch.sieve else { return };
    let slots = &mut lane.work.hop.slots[..lane.waiting];
    lane.waiting = sieve.sift::<C>(&lane.coded, &mut lane.sifted, f32::from_pool_key(bound), slots);
    prefetch(batch.walk, &slots[..lane.waiting]);
}

#[inline(always)]
fn measure<K: Kernel>(batch: &Batch<'_, '_>, lane: &mut Lane<K::Distance>, level: usize) -> Result<()> {
    let hop = &mut lane.work.hop;
    let query = batch.query(&lane.vector, &lane.coded);
    batch.walk.distances::<K>(query, &hop.slots[..lane.waiting], &mut hop.distances[..lane.waiting]);
    let before = lane.nearest.slot;
    for at in 0..lane.waiting {
        if hop.distances[at] < lane.nearest.distance {
            lane.nearest = Near { distance: hop.distances[at], slot: hop.slots[at] };
        }
    }
    if lane.nearest.slot == before {
        return reach::<K>(batch, lane, level - 1);
    }
    lane.stage = Stage::Read(level);
    Ok(())
}

#[inline(always)]
fn measure_ground<K: Kernel, const SIEVE: bool>(batch: &Batch<'_, '_>, lane: &mut Lane<K::Distance>) {
    let view = batch.walk;
    let query = batch.query(&lane.vector, &lane.coded);
    let Work { hop, pool, .. } = &mut lane.work;
    view.distances::<K>(query, &hop.slots[..lane.waiting], &mut hop.distances[..lane.waiting]);
    let next = if batch.is_lazy::<SIEVE>() {
        lane.sifted.admit::<K>(pool, &hop.slots[..lane.waiting], &hop.distances[..lane.waiting]);
        pool.peek()
    } else {
        pool.insert_all::<K>(hop, lane.waiting)
    };
    if let Some(next) = next.and_then(|id| view.slot(id)) {
        view.store().links0(next).prefetch();
    }
    lane.stage = Stage::ReadGround;
}
