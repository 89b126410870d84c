//! What is derived from the records of a loaded index: label map, deleted count, vacant slots. Building them touches
//! every record, so an index that was opened by memory map waits until somebody needs them.

use std::sync::atomic::Ordering;

use super::Index;
use crate::error::Result;
use crate::store::labels::Labels;
use crate::sync::lock;

impl Index {
    /// Whether the facts are known.
    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// The label map, built if it is not there yet.
    pub(super) fn labels(&self) -> Result<&Labels> {
        if !self.is_ready() {
            self.get_ready()?;
        }
        Ok(&self.labels)
    }

    /// Builds the facts. Nothing changes records before they are built: every change goes through a label.
    pub(crate) fn get_ready(&self) -> Result<()> {
        let _one = lock(&self.getting_ready);
        if self.is_ready() {
            return Ok(());
        }
        let store = self.store();
        self.labels.reserve(store.count())?;
        let mut deleted = 0;
        for slot in store.slots() {
            self.labels.insert(store.label(slot), slot);
            if store.is_deleted(slot) {
                deleted += 1;
                if self.allow_replace_deleted {
                    self.labels.offer_vacant(slot);
                }
            }
        }
        self.deleted.store(deleted, Ordering::Release);
        self.ready.store(true, Ordering::Release);
        Ok(())
    }
}
