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
        store.read_all(|| {
            for slot in store.slots() {
                self.labels.insert(store.label(slot), slot);
                if store.is_deleted(slot) {
                    deleted += 1;
                    if self.allow_replace_deleted {
                        self.labels.offer_vacant(slot);
                    }
                }
            }
        });
        self.deleted.store(deleted, Ordering::Release);
        self.ready.store(true, Ordering::Release);
        Ok(())
    }

    /// Whether it is known how many records are deleted.
    pub(super) fn is_counted(&self) -> bool {
        self.is_ready() || self.counted.load(Ordering::Acquire)
    }

    /// States how many records of a loaded index are deleted, before anybody changes any.
    pub(crate) fn set_deleted(&self, deleted: usize) {
        self.deleted.store(deleted, Ordering::Release);
        self.counted.store(true, Ordering::Release);
    }

    /// Counts the deleted records, if nobody has. It takes no memory, unlike the other facts.
    pub(super) fn count_deleted(&self) {
        if self.is_counted() {
            return;
        }
        let _one = lock(&self.getting_ready);
        if !self.is_counted() {
            let store = self.store();
            self.set_deleted(store.slots().filter(|slot| store.is_deleted(*slot)).count());
        }
    }

    /// Writes the labels whose deletion mark is `wanted` to `out`, as many as fit, by ascending id; how many there are.
    pub fn list_labels(&self, wanted: fn(deleted: bool) -> bool, out: &mut [u64]) -> Result<usize> {
        let (labels, store) = (self.labels()?, self.store());
        let mut count = 0;
        for slot in store.slots() {
            let label = store.label(slot);
            // Another label may have taken the place, and a file may hold a label twice.
            let own = labels.with_slot(label, |own| own == Some(slot) && wanted(store.is_deleted(slot)));
            if own {
                if let Some(to) = out.get_mut(count) {
                    *to = label;
                }
                count += 1;
            }
        }
        Ok(count)
    }
}
