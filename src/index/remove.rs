//! Deleting and taking it back: a flag in the record; the graph stays.

use std::sync::atomic::Ordering;

use super::Index;
use crate::error::{Error, Result};
use crate::search::deletions::Deletions;

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

    /// What searches are told.
    pub(super) fn deletions(&self) -> Deletions {
        if self.is_counted() {
            Deletions::new(self.deleted.load(Ordering::Acquire), self.count())
        } else {
            Deletions::UNKNOWN
        }
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
