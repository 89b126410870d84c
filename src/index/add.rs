//! Adding: insert, update, revive, replace; one row or many, from one thread or several.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;

use super::remove::absent;
use super::Index;
use crate::distance::kernel::Ruler;
use crate::distance::normalise;
use crate::error::{invalid, Error, Result};
use crate::params::{Metric, MAX_RECORDS};
use crate::search::lanes::make_lanes;
use crate::search::scan::{self, Scan};
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
        let threads = super::query::threads_for(threads, labels.len(), ROWS_PER_THREAD);
        // New labels are what is looked up, and they find no vacant places.
        let looks_up = mode.guided && !mode.update_only && !(mode.replace_deleted && self.deletions().any());
        let at_once = if looks_up { rows_at_once(labels.len(), threads) } else { 1 };
        let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
        let rows = Rows { next, at_once, threads, failed, keep_going };
        let outcome = Mutex::new(Outcome { first: None, report });
        let work = || self.add_rows(vectors, labels, mode, &rows, &outcome);
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
            while let Some(block) = rows.take(labels.len(), || self.looks_up()) {
                make_lanes(&mut scratch.lanes, 1, self.store());
                if block.len() > 1 {
                    self.look_up(vectors, labels, block.clone(), scratch);
                }
                for row in block.clone() {
                    if rows.end_before(row) {
                        break;
                    }
                    if scratch.scan.is_outdated(self.store()) {
                        self.look_up(vectors, labels, row..block.end, scratch);
                    }
                    let vector = &vectors[row * self.dim()..(row + 1) * self.dim()];
                    let result = self.add_one(vector, (labels[row], row), mode, scratch);
                    if result.is_err() {
                        rows.failed(row);
                    }
                    lock(outcome).row(row, result);
                    if row % 256 == 255 {
                        // The other threads wait meanwhile.
                        self.renew_codes(rows.threads);
                    }
                }
            }
            scratch.scan = Scan::default();
        });
    }

    fn add_one(&self, vector: &[f32], (label, row): (u64, usize), mode: AddMode, scratch: &mut Scratch) -> Result<()> {
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
            None => self.add_new((label, row), length, mode, scratch),
        }
    }

    /// What could fail for lack of memory fails here, before anything is changed.
    pub(super) fn get_buffers_ready(&self, scratch: &mut Scratch) -> Result<()> {
        scratch.work.reserve_ahead(self.store())?;
        scratch.integers.reserve_ahead(self.store())?;
        make_lanes(&mut scratch.lanes, 1, self.store());
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

    fn add_new(&self, (label, row): (u64, usize), length: f32, mode: AddMode, scratch: &mut Scratch) -> Result<()> {
        if mode.replace_deleted {
            self.labels.reserve(1)?;
            if let Some(slot) = self.labels.take_vacant().and_then(|id| self.store().slot(id)) {
                self.labels.replace(self.store().label(slot), label, slot);
                return self.update(slot, label, length, true, scratch);
            }
        }
        self.insert(label, length, mode.guided.then_some(row), scratch)
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

    /// Adds the vector in the scratch, whose buffers are ready, under a new label, whose lock the caller holds;
    /// `guided` by codes as this row of what is added.
    pub(super) fn insert(&self, label: u64, length: f32, guided: Option<usize>, scratch: &mut Scratch) -> Result<()> {
        self.check_capacity()?;
        let Scratch { cell, work, integers, vector, lanes, scan, .. } = scratch;
        work.deletions = self.deletions();
        work.ef_construction = self.ef_construction;
        let level = self.core.graph().draw_level();
        let view = View::open(self.store(), cell, self.ruler());
        let mut claim = || self.claim(level, vector.bytes(), length, label);
        let guide = (&mut lanes[0], scan);
        if self.insert_coded(&view, (vector, level), guided, &mut claim, (work, integers), guide)? {
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
        work.deletions = self.deletions();
        work.ef_construction = self.ef_construction;
        let view = View::open(self.store(), cell, self.ruler());
        self.engine.update(self.core.graph(), &view, slot, &mut || true, work)
    }
}

/// How many of `rows` guided rows a thread takes at a time: so many that looking them up together pays, and threads end
/// together, or one.
fn rows_at_once(rows: usize, threads: usize) -> usize {
    let share = if threads == 1 { rows } else { rows / (4 * threads) };
    if share < scan::LEAST {
        1
    } else {
        share.min(scan::MOST)
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
    /// How many at a time, where looking them up together pays.
    at_once: usize,
    threads: usize,
    /// The first that failed so far: those before it are tried.
    failed: AtomicUsize,
    keep_going: bool,
}

impl Rows {
    fn take(&self, rows: usize, together: impl Fn() -> bool) -> Option<Range<usize>> {
        let most = if self.at_once > 1 && together() { self.at_once } else { 1 };
        // Fewer towards the end, where threads would wait for the last.
        let share = |rest: usize| if self.threads == 1 { rest } else { rest.div_ceil(2 * self.threads) };
        let many = |first: usize| most.min(share(rows.saturating_sub(first).max(1)).next_multiple_of(scan::LEAST));
        let (order, next) = (Ordering::Relaxed, |first| Some(first + many(first)));
        let first = self.next.fetch_update(order, order, next).unwrap_or_else(|first| first);
        (first < rows && !self.end_before(first)).then(|| first..(first + many(first)).min(rows))
    }

    /// Whether a row before this one has failed, and is the last then.
    fn end_before(&self, row: usize) -> bool {
        self.failed.load(Ordering::Relaxed) < row
    }

    fn failed(&self, row: usize) {
        if !self.keep_going {
            self.failed.fetch_min(row, Ordering::Relaxed);
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
