//! Adding records and changing them.

use super::{with_engine, Bare};
use crate::distance::kernel::{Distance, Measure};
use crate::error::{cancelled, invalid, Error, Result};
use crate::params::MAX_RECORDS;
use crate::search::deletions::Deletions;
use crate::search::engine::Engine;
use crate::search::heap::{Heap, Near};
use crate::search::scratch::{Found, InScratch, Scratch};
use crate::store::layout::MAX_LEVEL;
use crate::store::view::{Query, View};
use crate::store::Slot;

/// A record to be added, or what a record is to become.
#[derive(Clone, Copy)]
pub(crate) struct Point {
    /// As many bytes as a vector has, readable during the call.
    pub(crate) vector: *const u8,
    pub(crate) label: u64,
    pub(crate) length: f32,
    pub(crate) level: i32,
    pub(crate) ef: usize,
    pub(crate) max_elements: usize,
    /// Whether deleted records may exist.
    pub(crate) deletions: bool,
    /// Whether the record is deleted and to be brought back to life.
    pub(crate) revive: bool,
}

impl Bare {
    /// Copies the host's vector to where it stays what it is.
    fn take(&self, point: &Point, scratch: &mut Scratch) {
        let to = scratch.vector.bytes_mut();
        // SAFETY: a Point's vector is readable for as many bytes as a vector has; the buffer is ours.
        unsafe { std::ptr::copy_nonoverlapping(point.vector, to.as_mut_ptr(), to.len()) };
    }

    /// Adds a record; `made` gets its id, also when the host cancels the call after the record came into being: then it
    /// is deleted.
    pub(crate) fn insert(&self, point: &Point, measure: &Measure<'_>, made: &mut Option<u32>) -> Result<()> {
        let level = usize::try_from(point.level).ok().filter(|level| *level <= MAX_LEVEL);
        let level = level.ok_or_else(|| invalid(format!("level {} is not in 0..={MAX_LEVEL}", point.level)))?;
        let _change = self.core.change();
        self.check_capacity(point)?;
        self.core.with_scratch(|scratch| {
            self.take(point, scratch);
            with_engine!(self, engine => self.insert_with(engine, level, point, measure, made, scratch))
        })?;
        Ok(())
    }

    fn insert_with<D: InScratch>(
        &self,
        engine: &Engine<D>,
        level: usize,
        point: &Point,
        measure: &Measure<'_>,
        made: &mut Option<u32>,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let (cell, work, vector) = D::parts(scratch);
        work.deletions = Deletions::unknown(point.deletions);
        work.ef_construction = point.ef;
        work.reserve_ahead(self.store())?;
        let mut claimed = None;
        let mut claim = || {
            let _claiming = self.core.claiming();
            self.check_capacity(point)?;
            self.core.make_room_for_one(point.max_elements)?;
            let slot = self.core.graph().claim(level, vector.bytes(), point.length, point.label)?;
            claimed = Some(slot);
            Ok(slot)
        };
        let view = View::open(self.store(), cell, self.ruler(measure));
        let query = view.query(vector.bytes());
        let result = engine.insert(self.core.graph(), &view, query, level, None, &mut claim, work);
        if let Some(slot) = claimed {
            *made = Some(slot.id());
            if result.is_err() {
                self.store().set_deleted(slot, true);
            }
        }
        result
    }

    fn check_capacity(&self, point: &Point) -> Result<()> {
        if self.core.count() >= point.max_elements.min(MAX_RECORDS) {
            return Err(Error::Full(format!("all {} places are taken", point.max_elements).into()));
        }
        Ok(())
    }

    /// Gives a record another vector and label, and relinks it. `draw` says of each neighbour whether it is relinked.
    pub(crate) fn update(
        &self,
        id: u32,
        point: &Point,
        measure: &Measure<'_>,
        draw: &mut dyn FnMut() -> bool,
    ) -> Result<()> {
        let slot = self.slot(id)?;
        let _change = self.core.change();
        self.core.with_scratch(|scratch| {
            self.take(point, scratch);
            with_engine!(self, engine => self.update_with(engine, slot, point, measure, draw, scratch))
        })
    }

    fn update_with<D: InScratch>(
        &self,
        engine: &Engine<D>,
        slot: Slot,
        point: &Point,
        measure: &Measure<'_>,
        draw: &mut dyn FnMut() -> bool,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let (cell, work, vector) = D::parts(scratch);
        work.deletions = Deletions::unknown(point.deletions);
        work.ef_construction = point.ef;
        work.reserve_ahead(self.store())?;
        self.core.rewrite(slot, vector.bytes(), point.length, point.label, point.revive);
        let view = View::open(self.store(), cell, self.ruler(measure));
        engine.update(self.core.graph(), &view, slot, draw, work)
    }

    /// Sets or clears the deleted mark.
    pub(crate) fn set_deleted(&self, id: u32, deleted: bool) -> Result<()> {
        let slot = self.slot(id)?;
        let _change = self.core.change();
        match (deleted, self.store().is_deleted(slot)) {
            (true, true) => Err(Error::AlreadyDeleted(format!("record {id} is deleted already").into())),
            (false, false) => Err(Error::NotDeleted(format!("record {id} is not deleted").into())),
            _ => {
                self.store().set_deleted(slot, deleted);
                Ok(())
            }
        }
    }

    /// Keeps at most `m` of `hits` (ids and keys) as an insertion would; nearest first.
    pub(crate) fn select(&self, hits: &[Found], m: usize, measure: &Measure<'_>) -> Result<Vec<Found>> {
        self.core
            .with_scratch(|scratch| with_engine!(self, engine => self.select_with(engine, hits, m, measure, scratch)))
    }

    fn select_with<D: InScratch>(
        &self,
        engine: &Engine<D>,
        hits: &[Found],
        m: usize,
        measure: &Measure<'_>,
        scratch: &mut Scratch,
    ) -> Result<Vec<Found>> {
        let (cell, work, _) = D::parts(scratch);
        self.put_candidates(hits, &mut work.pruning.candidates)?;
        let view = View::open(self.store(), cell, self.ruler(measure));
        engine.select(&view, m, work);
        if view.ruler().is_cancelled() {
            return Err(cancelled());
        }
        let kept = work.pruning.links.iter().rev();
        Ok(kept.filter_map(|slot| hits.iter().find(|hit| hit.id == slot.id())).copied().collect())
    }

    fn put_candidates<D: Distance>(&self, hits: &[Found], heap: &mut Heap<D>) -> Result<()> {
        heap.clear();
        for hit in hits {
            heap.push(Near { distance: D::from_key(hit.key), slot: self.slot(hit.id)? });
        }
        Ok(())
    }

    /// Chooses from `hits`, writes the list of a record on a level and the links to it; the nearest chosen.
    pub(crate) fn connect(&self, id: u32, hits: &[Found], level: usize, measure: &Measure<'_>) -> Result<Option<u32>> {
        let slot = self.slot(id)?;
        let _change = self.core.change();
        let next = self.core.with_scratch(
            |scratch| with_engine!(self, engine => self.connect_with(engine, slot, hits, level, measure, scratch)),
        )?;
        Ok(next.map(Slot::id))
    }

    fn connect_with<D: InScratch>(
        &self,
        engine: &Engine<D>,
        slot: Slot,
        hits: &[Found],
        level: usize,
        measure: &Measure<'_>,
        scratch: &mut Scratch,
    ) -> Result<Option<Slot>> {
        let (cell, work, _) = D::parts(scratch);
        work.hop.reserve(self.store().layout().max_m0);
        self.put_candidates(hits, &mut work.pruning.candidates)?;
        let view = View::open(self.store(), cell, self.ruler(measure));
        engine.link_chosen(self.core.graph(), &view, slot, level, work)
    }

    /// Links a record to what is near `point`, searching from `entry` on `top` down to `level`.
    pub(crate) fn repair(
        &self,
        id: u32,
        point: &Point,
        (entry, top): (u32, usize),
        level: usize,
        measure: &Measure<'_>,
    ) -> Result<()> {
        let (slot, entry) = (self.slot(id)?, self.slot(entry)?);
        let _change = self.core.change();
        self.core.with_scratch(|scratch| {
            self.take(point, scratch);
            with_engine!(self, engine => {
                self.repair_with(engine, slot, point, (entry, top), level, measure, scratch)
            })
        })
    }

    #[allow(clippy::too_many_arguments, reason = "one more than the call it serves")]
    fn repair_with<D: InScratch>(
        &self,
        engine: &Engine<D>,
        slot: Slot,
        point: &Point,
        entry: (Slot, usize),
        level: usize,
        measure: &Measure<'_>,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let (cell, work, vector) = D::parts(scratch);
        work.deletions = Deletions::unknown(point.deletions);
        work.ef_construction = point.ef;
        let view = View::open(self.store(), cell, self.ruler(measure));
        work.reserve(&view, entry.0)?;
        let query: Query<'_> = view.query(vector.bytes());
        engine.find_neighbours(self.core.graph(), &view, query, slot, level, entry, work)
    }
}
