//! Deleting and taking it back: a flag in the record; the graph stays.

use std::sync::atomic::Ordering;

use super::Index;
use crate::error::{Error, Result};

impl Index {
    /// Deletes a label.
    pub fn mark_deleted(&self, label: u64) -> Result<()> {
        self.check_writable()?;
        let labels = self.labels()?;
        let _change = self.core.change();
        let _label = labels.lock(label);
        labels.with_slot(label, |slot| {
            let slot = slot.ok_or_else(|| absent(label))?;
            if self.store().is_deleted(slot) {
                return Err(Error::AlreadyDeleted(format!("label {label} is deleted already").into()));
            }
            // Counted first: a query that sees a count of zero must not meet the record.
            self.deleted.fetch_add(1, Ordering::Release);
            self.store().set_deleted(slot, true);
            if self.allow_replace_deleted {
                labels.offer_vacant(slot);
            }
            Ok(())
        })
    }

    /// Takes a deletion back.
    pub fn unmark_deleted(&self, label: u64) -> Result<()> {
        self.check_writable()?;
        let labels = self.labels()?;
        let _change = self.core.change();
        let _label = labels.lock(label);
        labels.with_slot(label, |slot| {
            let slot = slot.ok_or_else(|| absent(label))?;
            if !self.store().is_deleted(slot) {
                return Err(Error::NotDeleted(format!("label {label} is not deleted").into()));
            }
            if self.allow_replace_deleted && !labels.withdraw_vacant(slot) {
                return Err(Error::NotFound(format!("the place of label {label} is being taken by another").into()));
            }
            self.store().set_deleted(slot, false);
            self.deleted.fetch_sub(1, Ordering::Release);
            Ok(())
        })
    }

    /// Whether there may be deleted records.
    pub(super) fn has_deletions(&self) -> bool {
        !self.is_counted() || self.deleted.load(Ordering::Acquire) != 0
    }

    /// Whether so few records are deleted that a walk which keeps more than it would otherwise mostly finds as many
    /// live ones.
    pub(super) fn few_are_deleted(&self) -> bool {
        self.is_counted() && self.deleted.load(Ordering::Acquire) <= self.count() / 4
    }

    /// How many of the `ef` nearest of `count` records may be deleted where it is by chance: what is expected and three
    /// deviations, at least one.
    pub(super) fn deleted_among(&self, ef: usize, count: usize) -> usize {
        let expected = ef as f64 * self.deleted.load(Ordering::Acquire) as f64 / count.max(1) as f64;
        (expected + 3.0 * expected.sqrt()).ceil().max(1.0) as usize
    }

    /// Deleted records.
    pub fn deleted_count(&self) -> usize {
        self.count_deleted();
        self.deleted.load(Ordering::Relaxed)
    }
}

/// The error of a label that there is not.
pub(super) fn absent(label: u64) -> Error {
    Error::NotFound(format!("label {label} does not exist").into())
}
