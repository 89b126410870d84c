//! Deleting and taking it back: a flag in the record; the graph stays.

use std::sync::atomic::Ordering;

use super::Index;
use crate::error::{Error, Result};
use crate::store::Slot;

impl Index {
    fn slot_of(&self, label: u64) -> Result<Slot> {
        let slot = self.labels()?.get(label);
        slot.ok_or_else(|| Error::NotFound(format!("label {label} does not exist").into()))
    }

    /// Deletes a label.
    pub fn mark_deleted(&self, label: u64) -> Result<()> {
        self.writable()?;
        let labels = self.labels()?;
        let _change = self.change();
        let _label = labels.lock(label);
        let slot = self.slot_of(label)?;
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
    }

    /// Takes a deletion back.
    pub fn unmark_deleted(&self, label: u64) -> Result<()> {
        self.writable()?;
        let labels = self.labels()?;
        let _change = self.change();
        let _label = labels.lock(label);
        let slot = self.slot_of(label)?;
        if !self.store().is_deleted(slot) {
            return Err(Error::NotDeleted(format!("label {label} is not deleted").into()));
        }
        if self.allow_replace_deleted && !labels.withdraw_vacant(slot) {
            return Err(Error::NotFound(format!("the place of label {label} was taken by another").into()));
        }
        self.store().set_deleted(slot, false);
        self.deleted.fetch_sub(1, Ordering::Release);
        Ok(())
    }

    /// Whether there may be deleted records.
    pub(super) fn has_deletions(&self) -> bool {
        !self.is_ready() || self.deleted.load(Ordering::Acquire) != 0
    }

    /// Deleted records; 0 where it cannot be found out for lack of memory.
    pub fn deleted_count(&self) -> usize {
        if self.labels().is_err() {
            return 0;
        }
        self.deleted.load(Ordering::Relaxed)
    }
}
