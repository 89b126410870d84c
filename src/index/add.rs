//! Adding: insert, update, revive, replace; one row or many, from one thread or several.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Mutex;

use super::remove::absent;
use super::Index;
use crate::distance::kernel::Ruler;
use crate::distance::normalise;
use crate::error::{invalid, Error, Result};
use crate::params::{Metric, MAX_RECORDS};
use crate::search::scratch::Scratch;
use crate::store::data::Data;
use crate::store::view::View;
use crate::store::Slot;
use crate::sync::lock;

/// What to do with labels that exist, or do not.
#[derive(Clone, Copy, Debug, Default)]
pub struct AddMode {
    /// A new label takes the place of a deleted one, if there is one.
    pub replace_deleted: bool,
    /// A label that exists is an error.
    pub insert_only: bool,
    /// A label that does not exist is an error.
    pub update_only: bool,
    /// Codes find the candidates of new records: faster, and a graph that is not hnswlib's to the link.
    pub guided: bool,
}

/// Rows a thread should have to be worth its start.
const ROWS_PER_THREAD: usize = 8;

impl Index {
    /// Adds `labels.len()` vectors of `dim` floats. `threads`: 0 for all cores. `report` is called once for each row
    /// that was tried; with `keep_going` a row that fails leaves the others to be tried. Returns the first failure.
    pub fn add(
        &self,
        vectors: &[f32],
        labels: &[u64],
        mode: AddMode,
        threads: usize,
        keep_going: bool,
        report: &mut (dyn FnMut(usize, Option<&Error>) + Send),
    ) -> Result<()> {
        self.check_add(vectors, labels, mode)?;
        if !keep_going {
            for (row, vector) in vectors.chunks_exact(self.dim()).enumerate() {
                check_finite(vector).map_err(|e| e.context(format_args!("row {row}")))?;
            }
        }
        let rows = Rows { next: AtomicUsize::new(0), stop: AtomicBool::new(false), keep_going };
        let outcome = Mutex::new(Outcome { first: None, report });
        let work = || self.add_rows(vectors, labels, mode, &rows, &outcome);
        let threads = super::query::threads_for(threads, labels.len(), ROWS_PER_THREAD);
        super::query::on_threads(threads, &work);
        self.renew_codes(threads);
        let first = lock(&outcome).first.take();
        first.map_or(Ok(()), |(row, error)| Err(error.context(format_args!("row {row}"))))
    }

    fn check_add(&self, vectors: &[f32], labels: &[u64], mode: AddMode) -> Result<()> {
        self.check_writable()?;
        if vectors.len() != labels.len() * self.dim() {
            return Err(invalid(format!("{} floats for {} labels", vectors.len(), labels.len())));
        }
        if mode.replace_deleted && !self.allow_replace_deleted {
            return Err(invalid("replacing deleted records is not allowed on this index: HNX_ALLOW_REPLACE_DELETED"));
        }
        self.labels().map(|_| ())
    }

    fn add_rows(&self, vectors: &[f32], labels: &[u64], mode: AddMode, rows: &Rows, outcome: &Mutex<Outcome<'_>>) {
        self.core.with_scratch(|scratch| {
            while let Some(row) = rows.take(labels.len()) {
                let vector = &vectors[row * self.dim()..(row + 1) * self.dim()];
                let result = self.add_one(vector, labels[row], mode, scratch);
                if result.is_err() {
                    rows.failed();
                }
                lock(outcome).row(row, result);
                if row % 256 == 255 {
                    self.renew_codes(1);
                }
            }
        });
    }

    fn add_one(&self, vector: &[f32], label: u64, mode: AddMode, scratch: &mut Scratch) -> Result<()> {
        check_finite(vector)?;
        let length = self.prepare(vector, &mut scratch.vector);
        if !length.is_finite() {
            return Err(invalid("the length of the vector is beyond the range of floats"));
        }
        let labels = self.labels()?;
        let _change = self.core.change();
        let _label = labels.lock(label);
        self.get_buffers_ready(scratch)?;
        match labels.with_slot(label, |slot| self.existing(slot)) {
            Some(_) if mode.insert_only => Err(Error::Exists(format!("label {label} exists").into())),
            Some((slot, revive)) => self.update(slot, label, length, revive, scratch),
            None if mode.update_only => Err(absent(label)),
            None => self.add_new(label, length, mode, scratch),
        }
    }

    /// What could fail for lack of memory fails here, before anything is changed.
    pub(super) fn get_buffers_ready(&self, scratch: &mut Scratch) -> Result<()> {
        scratch.work.reserve_ahead(self.store())?;
        scratch.integers.reserve_ahead(self.store())?;
        scratch.make_lanes(1, self.store());
        scratch.lanes[0].work.reserve_ahead(self.store())
    }

    /// The slot that is a label's own, and whether its record is to be brought back to life.
    fn existing(&self, slot: Option<Slot>) -> Option<(Slot, bool)> {
        let slot = slot?;
        if !self.store().is_deleted(slot) {
            return Some((slot, false));
        }
        // A slot that is not on offer any more is just being taken by another label: this one is new then.
        let own = !self.allow_replace_deleted || self.labels.withdraw_vacant(slot);
        own.then_some((slot, true))
    }

    fn add_new(&self, label: u64, length: f32, mode: AddMode, scratch: &mut Scratch) -> Result<()> {
        if mode.replace_deleted {
            self.labels.reserve(1)?;
            if let Some(slot) = self.labels.take_vacant().and_then(|id| self.store().slot(id)) {
                self.labels.replace(self.store().label(slot), label, slot);
                return self.update(slot, label, length, true, scratch);
            }
        }
        self.insert(label, length, mode.guided, scratch)
    }

    /// Copies a vector to where it is worked with, normalised if the metric wants that; returns its length.
    pub(super) fn prepare(&self, vector: &[f32], to: &mut Data) -> f32 {
        if self.metric == Metric::Cosine {
            return normalise(vector, to.floats_mut());
        }
        to.floats_mut().copy_from_slice(vector);
        1.0
    }

    /// What distances are measured with.
    #[inline(always)]
    pub(super) fn ruler(&self) -> Ruler<'_> {
        Ruler::floats(self.dim())
    }

    /// Adds the vector in the scratch, whose buffers are ready, under a new label, whose lock the caller holds.
    pub(super) fn insert(&self, label: u64, length: f32, guided: bool, scratch: &mut Scratch) -> Result<()> {
        self.check_capacity()?;
        let Scratch { cell, work, integers, vector, lanes, .. } = scratch;
        work.deletions = self.has_deletions();
        work.ef_construction = self.ef_construction;
        let level = self.core.graph().draw_level();
        let view = View::open(self.store(), cell, self.ruler());
        let mut claim = || self.claim(level, vector.bytes(), length, label);
        if self.insert_coded(&view, (vector, level), guided, &mut claim, (work, integers), &mut lanes[0])? {
            return Ok(());
        }
        self.engine.insert(self.core.graph(), &view, view.query(vector.bytes()), level, None, &mut claim, work)
    }

    /// The capacity for one more record, raised where the index grows on demand.
    fn check_capacity(&self) -> Result<usize> {
        let (count, capacity) = (self.core.count(), self.capacity());
        if count < capacity {
            return Ok(capacity);
        }
        if !self.grows {
            return Err(Error::Full(format!("all {capacity} places are taken").into()));
        }
        let capacity = (capacity + (capacity / 2).max(1024)).min(MAX_RECORDS);
        if count >= capacity {
            return Err(Error::Full(format!("an index holds {MAX_RECORDS} records").into()));
        }
        Ok(capacity)
    }

    /// A new record, complete but for its links: everything that can fail happens before it exists.
    fn claim(&self, level: usize, vector: &[u8], length: f32, label: u64) -> Result<Slot> {
        let _claiming = self.core.claiming();
        let capacity = self.check_capacity()?;
        self.core.make_room_for_one(capacity)?;
        self.labels.reserve(1)?;
        let slot = self.core.graph().claim(level, vector, length, label)?;
        self.labels.insert(label, slot);
        self.capacity.store(capacity, Ordering::Relaxed);
        Ok(slot)
    }

    /// Gives a record a new vector (and label), brings it back to life if it was deleted, and relinks it.
    fn update(&self, slot: Slot, label: u64, length: f32, revive: bool, scratch: &mut Scratch) -> Result<()> {
        let Scratch { cell, work, vector, .. } = scratch;
        self.core.rewrite(slot, vector.bytes(), length, label, revive);
        if revive {
            self.deleted.fetch_sub(1, Ordering::Release);
        }
        work.deletions = self.has_deletions();
        work.ef_construction = self.ef_construction;
        let view = View::open(self.store(), cell, self.ruler());
        self.engine.update(self.core.graph(), &view, slot, &mut || true, work)
    }
}

/// Refuses NaN and infinity.
pub(super) fn check_finite(vector: &[f32]) -> Result<()> {
    match vector.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(at) => Err(invalid(format!("value {at} is {}, which is not finite", vector[at]))),
    }
}

/// Rows being handed out to threads.
struct Rows {
    next: AtomicUsize,
    stop: AtomicBool,
    keep_going: bool,
}

impl Rows {
    fn take(&self, rows: usize) -> Option<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return None;
        }
        let row = self.next.fetch_add(1, Ordering::Relaxed);
        (row < rows).then_some(row)
    }

    fn failed(&self) {
        if !self.keep_going {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

/// What became of the rows.
struct Outcome<'a> {
    first: Option<(usize, Error)>,
    report: &'a mut (dyn FnMut(usize, Option<&Error>) + Send),
}

impl Outcome<'_> {
    fn row(&mut self, row: usize, result: Result<()>) {
        (self.report)(row, result.as_ref().err());
        if let Err(error) = result {
            if self.first.as_ref().is_none_or(|(first, _)| row < *first) {
                self.first = Some((row, error));
            }
        }
    }
}
