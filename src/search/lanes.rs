//! Several guided queries at once on one core. A walk alternates between asking for memory and working on what it asked
//! for before; while one query's lines are on their way, the others work on theirs.
//!
//! Each query has a lane. A turn is one stage of a walk: reading a list of links and asking for the codes of its unseen
//! ids, or measuring these codes and asking for the list of the record that is next.

use std::sync::atomic::{fence, Ordering};

use crate::codes::quantiser::CodedQuery;
use crate::distance::kernel::Kernel;
use crate::error::Result;
use crate::search::guided;
use crate::search::heap::Near;
use crate::search::scratch::Work;
use crate::store::data::Data;
use crate::store::view::{Query, View};
use crate::store::{Slot, Store};

/// Lanes of a batch.
pub(crate) const LANES: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    /// Above the ground: read the list of the nearest on this level.
    Upper(usize),
    UpperCodes(usize),
    Ground,
    GroundCodes,
    /// What was found is on its way: the vectors, or after a walk on sketches the codes, if these are the vectors.
    Found,
    Scored,
}

/// One query under way.
pub(crate) struct Lane {
    /// The query, and its code.
    pub(crate) vector: Data,
    pub(crate) coded: CodedQuery,
    /// Its place in the batch.
    pub(crate) row: usize,
    pub(crate) ef: usize,
    pub(crate) work: Work<i32>,
    stage: Stage,
    nearest: Near<i32>,
    /// Slots in the hop that wait to be measured.
    waiting: usize,
}

impl Lane {
    pub(crate) fn new(store: &Store) -> Self {
        let layout = store.layout();
        Self {
            vector: Data::new(layout.vector_bytes),
            coded: CodedQuery::new(layout.dim()),
            row: 0,
            ef: 0,
            work: Work::default(),
            stage: Stage::Idle,
            nearest: Near { distance: 0, slot: Slot::FIRST },
            waiting: 0,
        }
    }
}

/// What a batch is about.
pub(crate) struct Batch<'a, 'v> {
    /// The session, and the same on what the walk measures.
    pub(crate) view: &'a View<'v>,
    pub(crate) walk: &'a View<'v>,
    /// Whether that is sketches; then the same on codes, if they are kept.
    pub(crate) sketches: bool,
    pub(crate) codes: Option<&'a View<'v>>,
    pub(crate) entry: (Slot, usize),
    pub(crate) k: usize,
}

impl Batch<'_, '_> {
    /// What a lane's walk measures from.
    #[inline(always)]
    fn query<'q>(&self, coded: &'q CodedQuery) -> Query<'q> {
        self.walk.query(if self.sketches { coded.sketch.bytes() } else { coded.code.bytes() })
    }

    /// What measures what a lane's walk on sketches found, before its vectors do.
    #[inline(always)]
    fn codes_beside(&self, lossless: bool) -> Option<&View<'_>> {
        self.codes.filter(|_| lossless)
    }
}

/// Walks for one query after the other, by kernel `K`, and scores by kernel `C` what a walk on sketches found where codes are
/// the vectors. `begin` puts the next one into a lane, or says that there is none; `end` takes what was found from `near` of
/// its work.
#[inline(always)]
pub(crate) fn run<K: Kernel<Distance = i32>, C: Kernel<Distance = i32>>(
    batch: &Batch<'_, '_>,
    lanes: &mut [Lane],
    begin: &mut dyn FnMut(&mut Lane) -> bool,
    end: &mut dyn FnMut(&mut Lane),
) -> Result<()> {
    let done = take_turns::<K, C>(batch, lanes, begin, end);
    if done.is_err() {
        lanes.iter_mut().for_each(|lane| lane.work.visited.clear());
    }
    done
}

#[inline(always)]
fn take_turns<K: Kernel<Distance = i32>, C: Kernel<Distance = i32>>(
    batch: &Batch<'_, '_>,
    lanes: &mut [Lane],
    begin: &mut dyn FnMut(&mut Lane) -> bool,
    end: &mut dyn FnMut(&mut Lane),
) -> Result<()> {
    let mut going = 0;
    for lane in lanes.iter_mut() {
        lane.stage = Stage::Idle;
        if begin(lane) {
            start::<K>(batch, lane)?;
            going += 1;
        }
    }
    while going > 0 {
        for lane in lanes.iter_mut() {
            match lane.stage {
                Stage::Idle => {}
                Stage::Upper(level) => upper::<K>(batch, lane, level)?,
                Stage::UpperCodes(level) => upper_codes::<K>(batch, lane, level)?,
                Stage::Ground => ground(batch, lane),
                Stage::GroundCodes => ground_codes::<K>(batch, lane),
                Stage::Found if batch.codes_beside(lane.coded.lossless).is_some() => score::<C>(batch, lane),
                Stage::Found | Stage::Scored => {
                    end(lane);
                    if begin(lane) {
                        start::<K>(batch, lane)?;
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
fn start<K: Kernel<Distance = i32>>(batch: &Batch<'_, '_>, lane: &mut Lane) -> Result<()> {
    let (slot, level) = batch.entry;
    lane.work.reserve(batch.walk, slot)?;
    lane.nearest = Near { distance: batch.walk.distance::<K>(batch.query(&lane.coded), slot), slot };
    reach::<K>(batch, lane, level)
}

/// Goes on with a level.
#[inline(always)]
fn reach<K: Kernel<Distance = i32>>(batch: &Batch<'_, '_>, lane: &mut Lane, level: usize) -> Result<()> {
    if level > 0 {
        lane.stage = Stage::Upper(level);
        return Ok(());
    }
    let Work { visited, pool, .. } = &mut lane.work;
    pool.reset(lane.ef)?;
    pool.insert::<K>(lane.nearest.distance, lane.nearest.slot);
    visited.insert(lane.nearest.slot);
    batch.view.store().links0(lane.nearest.slot).prefetch();
    lane.stage = Stage::Ground;
    Ok(())
}

#[inline(always)]
fn upper<K: Kernel<Distance = i32>>(batch: &Batch<'_, '_>, lane: &mut Lane, level: usize) -> Result<()> {
    let view = batch.walk;
    let Some(links) = view.store().links(lane.nearest.slot, level) else { return reach::<K>(batch, lane, level - 1) };
    let mut count = 0;
    for id in links.raw() {
        if let Some(slot) = view.slot(id) {
            lane.work.hop.slots[count] = slot;
            view.prefetch(slot, view.row_bytes());
            count += 1;
        }
    }
    fence(Ordering::Acquire);
    lane.waiting = count;
    lane.stage = Stage::UpperCodes(level);
    Ok(())
}

#[inline(always)]
fn upper_codes<K: Kernel<Distance = i32>>(batch: &Batch<'_, '_>, lane: &mut Lane, level: usize) -> Result<()> {
    let hop = &mut lane.work.hop;
    batch.walk.distances::<K>(batch.query(&lane.coded), &hop.slots[..lane.waiting], &mut hop.distances[..lane.waiting]);
    let before = lane.nearest.slot;
    for at in 0..lane.waiting {
        if hop.distances[at] < lane.nearest.distance {
            lane.nearest = Near { distance: hop.distances[at], slot: hop.slots[at] };
        }
    }
    if lane.nearest.slot == before {
        return reach::<K>(batch, lane, level - 1);
    }
    lane.stage = Stage::Upper(level);
    Ok(())
}

#[inline(always)]
fn ground(batch: &Batch<'_, '_>, lane: &mut Lane) {
    let view = batch.walk;
    let Work { visited, hop, pool, .. } = &mut lane.work;
    let Some(slot) = pool.next().and_then(|id| view.slot(id)) else { return found(batch, lane) };
    // Likely the next to be expanded: its links can travel while this one's are worked on.
    if let Some(next) = pool.peek().and_then(|id| view.slot(id)) {
        view.store().links0(next).prefetch();
    }
    let count = visited.unseen(view, view.store().links0(slot), &mut hop.slots);
    fence(Ordering::Acquire);
    for slot in &hop.slots[..count] {
        view.prefetch(*slot, view.row_bytes());
    }
    lane.waiting = count;
    lane.stage = Stage::GroundCodes;
}

#[inline(always)]
fn ground_codes<K: Kernel<Distance = i32>>(batch: &Batch<'_, '_>, lane: &mut Lane) {
    let view = batch.walk;
    let query = batch.query(&lane.coded);
    let Work { hop, pool, .. } = &mut lane.work;
    view.distances::<K>(query, &hop.slots[..lane.waiting], &mut hop.distances[..lane.waiting]);
    let next = pool.insert_all::<K>(hop, lane.waiting);
    if let Some(next) = next.and_then(|id| view.slot(id)) {
        view.store().links0(next).prefetch();
    }
    lane.stage = Stage::Ground;
}

/// Asks for what the end of a query reads.
#[inline(always)]
fn found(batch: &Batch<'_, '_>, lane: &mut Lane) {
    let Work { visited, pool, near, .. } = &mut lane.work;
    visited.clear();
    near.clear();
    near.extend(pool.iter().filter_map(|(id, distance)| Some(Near { distance, slot: batch.view.slot(id)? })));
    if let Some(codes) = batch.codes_beside(lane.coded.lossless) {
        near.iter().for_each(|near| codes.prefetch(near.slot, codes.row_bytes()));
    } else {
        fetch(batch, &lane.work.near, lane.coded.lossless);
    }
    lane.stage = Stage::Found;
}

/// Measures by codes what was found on sketches.
#[inline(always)]
fn score<C: Kernel<Distance = i32>>(batch: &Batch<'_, '_>, lane: &mut Lane) {
    if let Some(codes) = batch.codes_beside(lane.coded.lossless) {
        guided::rescore::<C>(codes, codes.query(lane.coded.code.bytes()), &mut lane.work);
    }
    fetch(batch, &lane.work.near, lane.coded.lossless);
    lane.stage = Stage::Scored;
}

/// Asks for the labels of the nearest, and for their vectors unless codes are the vectors.
#[inline(always)]
fn fetch(batch: &Batch<'_, '_>, near: &[Near<i32>], lossless: bool) {
    for near in near.iter().take(batch.k) {
        if !lossless {
            batch.view.prefetch(near.slot, batch.view.row_bytes().min(1024));
        }
        batch.view.prefetch_label(near.slot);
    }
}
