//! Who links to whom: levels, the choice of neighbours, linking a new record, relinking a changed one.
//!
//! From one thread the graph comes out exactly as hnswlib 0.8.0 builds it: the same levels, the same links in the same
//! order, stale ones behind the end of a list included. Source of each algorithm: Malkov and Yashunin, "Efficient and
//! robust approximate nearest neighbor search using HNSW graphs", 2018, and hnswalg.h where it goes its own way.

pub(crate) mod insert;
pub(crate) mod level;
pub(crate) mod select;
pub(crate) mod update;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::Mutex;

use crate::error::Result;
use crate::store::{Shared, Slot, Store};
use crate::sync::lock;
use level::LevelGenerator;

/// The graph over a store's records.
pub(crate) struct Graph {
    store: Store,
    m: usize,
    levels: Mutex<LevelGenerator>,
    /// Highest level in the lower half (as i32, -1 while the graph is empty), entry point above it: one word, so that
    /// nobody pairs an old entry point with a new level. In memory that is hnswlib's `maxlevel_` followed by its
    /// `enterpoint_node_`, and a host may own it.
    entry: Shared<AtomicU64>,
    /// Held by an insertion that will raise the highest level.
    raising: Mutex<()>,
}

/// No entry point, on level -1.
const EMPTY: u64 = u64::MAX;

impl Graph {
    pub(crate) fn new(store: Store, m: usize, levels: LevelGenerator) -> Self {
        let entry = Shared::new(AtomicU64::new(EMPTY));
        Self { store, m, levels: Mutex::new(levels), entry, raising: Mutex::new(()) }
    }

    /// Has number of records, highest level and entry point in cells of the host's from now on.
    pub(crate) fn share(&mut self, count: Option<Shared<AtomicUsize>>, entry: Option<Shared<AtomicU64>>) {
        if let Some(cell) = count {
            self.store.share_count(cell);
        }
        if let Some(cell) = entry {
            cell.store(self.entry.load(Ordering::Relaxed), Ordering::Release);
            self.entry = cell;
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The store, before anybody shares it.
    pub(crate) fn store_mut(&mut self) -> &mut Store {
        &mut self.store
    }

    pub(crate) fn m(&self) -> usize {
        self.m
    }

    /// 1 / ln M, the scale of the level distribution, as it stands in files.
    pub(crate) fn level_scale(&self) -> f64 {
        lock(&self.levels).scale()
    }

    /// The level of the next new record.
    pub(crate) fn draw_level(&self) -> usize {
        lock(&self.levels).draw()
    }

    /// Entry point and its level.
    #[inline]
    pub(crate) fn entry(&self) -> Option<(Slot, usize)> {
        let word = self.entry.load(Ordering::Acquire);
        let level = usize::try_from(word as i32).ok()?;
        Some((self.store.slot((word >> 32) as u32)?, level))
    }

    /// Sets the entry point, whose record is complete.
    pub(crate) fn set_entry(&self, slot: Slot, level: usize) {
        self.entry.store(u64::from(slot.id()) << 32 | level as u64, Ordering::Release);
    }

    /// Adds a record without links; there must be room. Calls must not overlap.
    pub(crate) fn claim(&self, level: usize, vector: &[u8], length: f32, label: u64) -> Result<Slot> {
        let lists = self.store.allocate_upper(level)?;
        Ok(self.store.claim(level, lists, vector, length, label))
    }
}
