//! Who links to whom: levels, the choice of neighbours, linking a new record, relinking a changed one.
//!
//! From one thread the graph comes out exactly as hnswlib 0.8.0 builds it: the same levels, the same links in the same
//! order, stale ones behind the end of a list included. Source of each algorithm: Malkov and Yashunin, "Efficient and
//! robust approximate nearest neighbor search using HNSW graphs", 2018, and hnswalg.h where it goes its own way.

pub(crate) mod insert;
pub(crate) mod level;
pub(crate) mod select;
pub(crate) mod update;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;

use crate::store::{Slot, Store};
use crate::sync::lock;
use level::LevelGenerator;

/// The graph over a store's records.
pub(crate) struct Graph {
    store: Store,
    m: usize,
    ef_construction: usize,
    levels: Mutex<LevelGenerator>,
    /// `level + 1` above the id; 0 while the graph is empty. One word, so that nobody pairs an old entry point with a
    /// new level.
    entry: AtomicU64,
    /// Held by an insertion that will raise the highest level.
    raising: Mutex<()>,
}

impl Graph {
    pub(crate) fn new(store: Store, m: usize, ef_construction: usize, levels: LevelGenerator) -> Self {
        let (levels, entry, raising) = (Mutex::new(levels), AtomicU64::new(0), Mutex::new(()));
        Self { store, m, ef_construction, levels, entry, raising }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn m(&self) -> usize {
        self.m
    }

    pub(crate) fn ef_construction(&self) -> usize {
        self.ef_construction
    }

    /// 1 / ln M, the scale of the level distribution, as it stands in files.
    pub(crate) fn level_scale(&self) -> f64 {
        lock(&self.levels).scale()
    }

    /// Entry point and its level.
    #[inline]
    pub(crate) fn entry(&self) -> Option<(Slot, usize)> {
        let word = self.entry.load(Ordering::Acquire);
        let level = (word >> 32).checked_sub(1)?;
        Some((self.store.slot(word as u32)?, level as usize))
    }

    /// Sets the entry point, whose record is complete.
    pub(crate) fn set_entry(&self, slot: Slot, level: usize) {
        self.entry.store((level as u64 + 1) << 32 | u64::from(slot.id()), Ordering::Release);
    }

    /// Adds a record with a level of its own and without links; there must be room. Calls must not overlap.
    pub(crate) fn claim(&self, vector: &[f32], length: f32, label: u64) -> crate::error::Result<Slot> {
        let mut levels = lock(&self.levels);
        let mut after = levels.clone();
        let level = after.draw();
        let lists = self.store.allocate_upper(level)?;
        *levels = after;
        Ok(self.store.claim(level, lists, vector, length, label))
    }
}
