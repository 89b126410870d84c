//! What every index has, whoever keeps its labels: graph, buffers of searches, and the locks that let records stand
//! still.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use crate::error::Result;
use crate::graph::Graph;
use crate::persist::{Directory, StorageFile};
use crate::search::scratch::{Scratch, Scratches};
use crate::store::{Slot, Store};
use crate::sync::{lock, prepare_fences};

/// Graph, buffers and locks.
pub(crate) struct Core {
    graph: Graph,
    scratches: Scratches,
    gate: RwLock<()>,
    /// Whether somebody waits for records to stand still, and what those who come to change some wait for then: the
    /// gate itself would let them pass first, again and again.
    is_wanted: AtomicBool,
    turnstile: Mutex<()>,
    claiming: Mutex<()>,
    directory: Mutex<Option<Directory>>,
    /// Keeps others from changing what is mapped.
    kept: Mutex<Option<Box<dyn StorageFile>>>,
}

/// What the header of a file states beside the records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stated {
    pub(crate) max_elements: usize,
    pub(crate) ef_construction: usize,
    /// Scale of the level distribution.
    pub(crate) mult: f64,
}

impl Core {
    pub(crate) fn new(graph: Graph) -> Self {
        prepare_fences();
        let (gate, is_wanted, turnstile, claiming, directory, kept) = Default::default();
        Self { graph, scratches: Scratches::new(), gate, is_wanted, turnstile, claiming, directory, kept }
    }

    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    pub(crate) fn store(&self) -> &Store {
        self.graph.store()
    }

    /// Where the index persists.
    pub(crate) fn directory(&self) -> &Mutex<Option<Directory>> {
        &self.directory
    }

    /// Keeps a file, with the lock on it, as long as the index.
    pub(crate) fn keep(&self, file: Option<Box<dyn StorageFile>>) {
        *lock(&self.kept) = file;
    }

    /// Records, deleted ones included.
    pub(crate) fn count(&self) -> usize {
        self.store().count()
    }

    /// Runs `body` with buffers that nobody else uses.
    #[inline]
    pub(super) fn with_scratch<R>(&self, body: impl FnOnce(&mut Scratch) -> R) -> R {
        self.scratches.with(self.store(), body)
    }

    /// Keeps records from standing still elsewhere while the caller changes some.
    pub(super) fn change(&self) -> RwLockReadGuard<'_, ()> {
        if self.is_wanted.load(Ordering::Relaxed) {
            drop(lock(&self.turnstile));
        }
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody changes records, and keeps everybody from it.
    pub(crate) fn stand_still(&self) -> RwLockWriteGuard<'_, ()> {
        let _turn = lock(&self.turnstile);
        self.is_wanted.store(true, Ordering::Relaxed);
        let still = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        self.is_wanted.store(false, Ordering::Relaxed);
        still
    }

    /// The same without waiting.
    pub(super) fn try_to_stand_still(&self) -> Option<RwLockWriteGuard<'_, ()>> {
        match self.gate.try_write() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Lets one caller at a time make records or change how many there may be.
    pub(super) fn claiming(&self) -> MutexGuard<'_, ()> {
        lock(&self.claiming)
    }

    /// Commits memory for one more record, and for a quarter more, but never beyond `capacity`; where that is too much,
    /// for one. The caller holds `claiming`.
    pub(super) fn make_room_for_one(&self, capacity: usize) -> Result<()> {
        let count = self.count();
        let room = (count + 1).max(count + count / 4).max(256).min(capacity);
        self.store().make_room(room).or_else(|_| self.store().make_room(count + 1))
    }

    /// Gives a record a new vector and label, and brings it back to life if asked to. The caller holds the label's
    /// lock and no session.
    pub(super) fn rewrite(&self, slot: Slot, vector: &[u8], length: f32, label: u64, revive: bool) {
        self.store().rewrite(slot, vector, length, label);
        if revive {
            self.store().set_deleted(slot, false);
        }
    }
}
