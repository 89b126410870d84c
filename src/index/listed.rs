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
    /// Queries of the call.
    queries: usize,
}

impl<'a> Listed<'a> {
    pub(super) fn new(labels: &'a LabelSet, queries: usize) -> Self {
        Self { labels, slots: RefCell::default(), queries }
    }

    /// How many records there are at most, and whether it is known where.
    fn count(&self) -> (usize, bool) {
        self.slots.borrow().as_ref().map_or((self.labels.len(), false), |slots| (slots.len(), true))
    }

    /// Whether a walk that found so many may have missed some of the `k` nearest.
    pub(super) fn has_more_than(&self, found: usize, k: usize) -> bool {
        found < k.min(self.count().0)
    }
}

/// What it takes to look a label up, and to expand a record in a walk, in records that are measured (SIFT, 60,000
/// records, and MiniLM, 30,000: 1.5 to 2, and 9 to 22).
const LOOK_UP: usize = 2;
const EXPANDED: usize = 12;

impl Index {
    /// Whether all listed records are measured in less time than walks take: these go on until they have kept `ef`, and
    /// may keep one in `count / listed`.
    pub(super) fn measures_all(&self, listed: &Listed<'_>, ef: usize) -> bool {
        let ((labels, is_known), count) = (listed.count(), self.count());
        let expanded = (count.saturating_mul(ef) / labels.max(1)).min(count);
        let each = if is_known { 0 } else { LOOK_UP };
        let all = labels.saturating_mul(listed.queries.saturating_add(each));
        // To look labels up where that was not done before means to read all records, as a walk past all of them does.
        let is_ready = is_known || self.is_ready() || expanded == count;
        is_ready && all <= expanded.saturating_mul(EXPANDED).saturating_mul(listed.queries)
    }

    /// The nearest listed records, by measuring all.
    pub(super) fn query_listed(
        &self,
        query: &[f32],
        listed: &Listed<'_>,
        k: usize,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let mut slots = listed.slots.borrow_mut();
        let known = match slots.take() {
            Some(known) => known,
            None => self.slots_of(listed.labels)?,
        };
        self.prepare(query, &mut scratch.vector);
        let Scratch { cell, work, vector, .. } = scratch;
        let view = View::open(self.store(), cell, self.ruler());
        // Where some are gone, the next query looks them up anew: they may have other places.
        if self.engine.nearest_of(&view, view.query(vector.bytes()), (&known, listed.labels), k, work) {
            *slots = Some(known);
        }
        Ok(())
    }

    /// Where the live ones of some labels are, in the order of the records.
    fn slots_of(&self, labels: &LabelSet) -> Result<Vec<Slot>> {
        let map = self.labels()?;
        let mut slots = Vec::new();
        slots.try_reserve(labels.len()).map_err(|_| out_of_memory("the records of a filter"))?;
        // Without the labels' locks: who holds one may wait for queries to end. What is incomplete is deleted.
        for label in labels.iter() {
            map.with_slot(label, |slot| slots.extend(slot.filter(|slot| !self.store().is_deleted(*slot))));
        }
        slots.sort_unstable_by_key(|slot| slot.id());
        // A place goes from one label to another meanwhile.
        slots.dedup();
        Ok(slots)
    }
}
