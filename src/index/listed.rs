//! Queries that only listed labels may answer.

use std::cell::RefCell;

use super::Index;
use crate::error::{out_of_memory, Result};
use crate::search::filter::LabelSet;
use crate::search::scratch::Scratch;
use crate::store::view::View;
use crate::store::Slot;

/// The labels that a call may find, and, once they were looked up, where they are.
pub(super) struct Listed<'a> {
    labels: &'a LabelSet,
    slots: RefCell<Option<Vec<Slot>>>,
}

impl<'a> Listed<'a> {
    pub(super) fn new(labels: &'a LabelSet) -> Self {
        Self { labels, slots: RefCell::default() }
    }

    /// Whether a walk that found so many may have missed some of the `k` nearest.
    pub(super) fn has_more_than(&self, found: usize, k: usize) -> bool {
        found < k.min(self.slots.borrow().as_ref().map_or(self.labels.len(), Vec::len))
    }
}

/// What it takes to look a label up, and to expand a record in a walk, in records that are measured (SIFT, 60,000
/// records, and MiniLM, 30,000: 1.5 to 2, and 9 to 22).
const LOOK_UP: usize = 2;
const EXPANDED: usize = 12;

impl Index {
    /// Whether for `queries` queries all listed records are measured in less time than walks take: these go on until
    /// they have kept `ef`, and may keep one in `count / listed`.
    pub(super) fn measures_all(&self, listed: &Listed<'_>, ef: usize, queries: usize) -> bool {
        let (labels, count) = (listed.labels.len(), self.count());
        let expanded = (count / labels.max(1)).saturating_mul(ef).min(count);
        let (walks, all) = (expanded.saturating_mul(EXPANDED), labels.saturating_mul(queries.saturating_add(LOOK_UP)));
        // To look labels up where that was not done before means to read all records.
        self.is_ready() && all <= walks.saturating_mul(queries)
    }

    /// The nearest listed records, by measuring all.
    pub(super) fn query_listed(
        &self,
        query: &[f32],
        listed: &Listed<'_>,
        k: usize,
        scratch: &mut Scratch,
    ) -> Result<()> {
        self.prepare(query, &mut scratch.vector);
        let Scratch { cell, work, vector, .. } = scratch;
        let mut slots = listed.slots.borrow_mut();
        loop {
            let known = slots.take();
            let was_known = known.is_some();
            let known = slots.insert(known.map_or_else(|| self.slots_of(listed.labels), Ok)?);
            let view = View::open(self.store(), cell, self.ruler());
            self.engine.nearest_of(&view, view.query(vector.bytes()), known, k, work);
            // What was there before may be deleted, and be another's by now.
            let found = work.results.len();
            work.results.retain(|hit| !view.is_deleted(hit.slot) && listed.labels.contains(hit.label));
            if work.results.len() == found || !was_known {
                return Ok(());
            }
            *slots = None;
        }
    }

    /// Where the live ones of some labels are, in the order of the records.
    fn slots_of(&self, labels: &LabelSet) -> Result<Vec<Slot>> {
        let map = self.labels()?;
        let mut slots = Vec::new();
        slots.try_reserve(labels.len()).map_err(|_| out_of_memory("the records of a filter"))?;
        // Without the labels' locks: who holds one may wait for queries to end. What is incomplete is deleted, or
        // younger than the session to come.
        for label in labels.iter() {
            map.with_slot(label, |slot| slots.extend(slot.filter(|slot| !self.store().is_deleted(*slot))));
        }
        slots.sort_unstable_by_key(|slot| slot.id());
        Ok(slots)
    }
}
