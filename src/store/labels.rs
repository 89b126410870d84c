//! Labels: which id a label has, the locks that keep operations on one label apart, and the slots of deleted records.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Mutex, PoisonError, RwLock};

use super::hash_order::HashOrder;
use super::Slot;
use crate::error::{out_of_memory, Result};
use crate::sync::{lock, ByteGuard, ByteLock};

/// Locks for labels; a label's lock is held while an operation on it runs.
const STRIPES: usize = 4096;

/// Spreads the bits of a label (the finalizer of splitmix64): labels are often consecutive, and std's default hash
/// costs several times as much. It starts from a random number per index, so that a file cannot bring labels that
/// are chosen to collide.
pub(crate) struct LabelHasher(u64);

/// Starts hashers from the number.
pub(crate) struct Seed(u64);

impl Seed {
    pub(crate) fn random() -> Self {
        Self(RandomState::new().hash_one(0))
    }
}

impl BuildHasher for Seed {
    type Hasher = LabelHasher;

    fn build_hasher(&self) -> LabelHasher {
        LabelHasher(self.0)
    }
}

impl Hasher for LabelHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, x: u64) {
        let x = x ^ self.0;
        let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.0 = x ^ x >> 31;
    }
}

type Map = HashMap<u64, Slot, Seed>;

/// The label map and its locks.
pub(crate) struct Labels {
    map: RwLock<Map>,
    stripes: Box<[ByteLock]>,
    /// Slots of deleted records that a new label may take, in hnswlib's order.
    vacant: Mutex<HashOrder>,
}

impl Labels {
    pub(crate) fn new() -> Self {
        let stripes = (0..STRIPES).map(|_| ByteLock::new()).collect();
        let map = HashMap::with_hasher(Seed::random());
        Self { map: RwLock::new(map), stripes, vacant: Mutex::default() }
    }

    /// Keeps other operations on this label out.
    pub(crate) fn lock(&self, label: u64) -> ByteGuard<'_> {
        self.stripes[label as usize % STRIPES].lock()
    }

    /// Runs `body` with the slot of a label, which no other label takes meanwhile: who replaces a deleted record needs
    /// the map to itself ([`Labels::replace`]) before it brings the record back to life. So a slot found here that is
    /// not deleted is the label's own. `body` must not ask for the map again.
    pub(crate) fn with_slot<R>(&self, label: u64, body: impl FnOnce(Option<Slot>) -> R) -> R {
        body(self.map.read().unwrap_or_else(PoisonError::into_inner).get(&label).copied())
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Map> {
        self.map.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes sure that the next `additional` insertions need no memory.
    pub(crate) fn reserve(&self, additional: usize) -> Result<()> {
        self.write().try_reserve(additional).map_err(|_| out_of_memory("the label map"))
    }

    /// Sets the slot of a label; the last one stays where a label comes twice, as in hnswlib's loader.
    pub(crate) fn insert(&self, label: u64, slot: Slot) {
        self.write().insert(label, slot);
    }

    /// Gives a slot from one label to another in one step; the old label keeps another slot if it has one. Needs no
    /// memory after [`Labels::reserve`].
    pub(crate) fn replace(&self, old: u64, new: u64, slot: Slot) {
        let mut map = self.write();
        if map.get(&old) == Some(&slot) {
            map.remove(&old);
        }
        map.insert(new, slot);
    }

    /// Bytes, about.
    pub(crate) fn memory(&self) -> usize {
        self.map.read().unwrap_or_else(PoisonError::into_inner).capacity() * 20 + STRIPES
    }

    /// Offers the slot of a deleted record.
    pub(crate) fn offer_vacant(&self, slot: Slot) {
        lock(&self.vacant).insert(slot.id());
    }

    /// Takes the slot that hnswlib would take.
    pub(crate) fn take_vacant(&self) -> Option<u32> {
        let mut vacant = lock(&self.vacant);
        let id = vacant.first()?;
        vacant.remove(id);
        Some(id)
    }

    /// Takes this slot; false if it is not on offer (any more).
    pub(crate) fn withdraw_vacant(&self, slot: Slot) -> bool {
        lock(&self.vacant).remove(slot.id())
    }
}
