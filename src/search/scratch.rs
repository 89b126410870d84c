//! What a search works with, kept from one call to the next: a query allocates nothing once its thread is warm.
//!
//! Each thread keeps the scratch of the last few indexes it used (of those whose numbers are equal modulo 8, one). Taking it back costs no lock and no atomic
//! read-modify-write; only a miss goes to the index's list of free ones. A thread that ends gives its own back.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::error::Result;
use crate::graph::select::Pruning;
use crate::search::heap::Heap;
use crate::search::hop::Hop;
use crate::search::pool::Pool;
use crate::search::visited::Visited;
use crate::store::hash_order::HashOrder;
use crate::store::rewrite::SessionCell;
use crate::store::view::View;
use crate::store::{Slot, Store};
use crate::sync::lock;

/// Buffers of searches and insertions.
#[derive(Default)]
pub(crate) struct Work {
    /// Whether deleted records may exist.
    pub(crate) deletions: bool,
    pub(crate) visited: Visited,
    pub(crate) hop: Hop,
    /// The two heaps of [`crate::search::layer`].
    pub(crate) frontier: Heap,
    pub(crate) found: Heap,
    pub(crate) pool: Pool,
    /// Distances and labels, nearest first.
    pub(crate) results: Vec<(f32, u64)>,
    /// Pruning of neighbour lists.
    pub(crate) pruning: Pruning,
    /// The links chosen for a new record, level after level from the top, and how many each level has.
    pub(crate) chosen: Vec<Slot>,
    pub(crate) chosen_ends: Vec<usize>,
    /// Candidates of an update, and the neighbours to be relinked.
    pub(crate) candidates: HashOrder,
    pub(crate) neighbours: HashOrder,
}

impl Work {
    /// Makes room for the records of a view, its lists, and `start`, which may be younger than the view.
    pub(crate) fn reserve(&mut self, view: &View<'_>, start: Slot) -> Result<()> {
        self.hop.reserve(view.store().layout().max_m0);
        self.visited.reserve(view.count().max(start.id() as usize + 1))
    }

    /// Makes room for the records there are and some that other threads may add meanwhile, so that
    /// [`Work::reserve`] will not need memory.
    pub(crate) fn reserve_ahead(&mut self, store: &Store) -> Result<()> {
        self.visited.reserve(store.count() + 4096)
    }
}

/// One thread's buffers for one index.
pub(crate) struct Scratch {
    pub(crate) cell: Arc<SessionCell>,
    pub(crate) work: Work,
    /// A vector made ready: normalised, or copied to an address that kernels like.
    pub(crate) vector: AlignedVector,
    home: Arc<Home>,
}

/// Where scratches of an index come from.
struct Home {
    id: u64,
    /// The index is gone.
    closed: AtomicBool,
    #[expect(clippy::vec_box, reason = "they move to and from the cache of a thread as boxes")]
    free: Mutex<Vec<Box<Scratch>>>,
}

/// The scratches of an index.
pub(crate) struct Scratches(Arc<Home>);

impl Scratches {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(Arc::new(Home { id, closed: AtomicBool::new(false), free: Mutex::default() }))
    }

    /// Runs `body` with a scratch that nobody else uses.
    pub(crate) fn with<R>(&self, store: &Store, body: impl FnOnce(&mut Scratch) -> R) -> R {
        let mut scratch = take_cached(self.0.id).unwrap_or_else(|| self.take_free(store));
        let result = body(&mut scratch);
        put_cached(scratch);
        result
    }

    #[cold]
    fn take_free(&self, store: &Store) -> Box<Scratch> {
        let free = lock(&self.0.free).pop();
        free.unwrap_or_else(|| {
            let vector = AlignedVector::new(store.layout().dim);
            let cell = store.rewrites().register();
            Box::new(Scratch { cell, work: Work::default(), vector, home: Arc::clone(&self.0) })
        })
    }
}

impl Drop for Scratches {
    fn drop(&mut self) {
        let mut free = lock(&self.0.free);
        self.0.closed.store(true, Ordering::Relaxed);
        let scratches = std::mem::take(&mut *free);
        drop(free);
        drop(scratches);
        drop(take_cached(self.0.id));
    }
}

/// Gives a scratch back to its index, if that is still there.
fn send_home(scratch: Box<Scratch>) {
    let home = Arc::clone(&scratch.home);
    let mut free = lock(&home.free);
    if !home.closed.load(Ordering::Relaxed) {
        free.push(scratch);
    }
}

const CACHED: usize = 8;

/// The scratches a thread keeps, by index id modulo their number.
struct Cache([Cell<Option<Box<Scratch>>>; CACHED]);

impl Drop for Cache {
    fn drop(&mut self) {
        self.0.iter().filter_map(Cell::take).for_each(send_home);
    }
}

thread_local! {
    static CACHE: Cache = const { Cache([const { Cell::new(None) }; CACHED]) };
}

fn take_cached(id: u64) -> Option<Box<Scratch>> {
    let scratch = CACHE.try_with(|cache| cache.0[id as usize % CACHED].take()).ok()??;
    if scratch.home.id == id {
        return Some(scratch);
    }
    put_cached(scratch);
    None
}

fn put_cached(scratch: Box<Scratch>) {
    let id = scratch.home.id;
    let mut scratch = Some(scratch);
    let old = CACHE.try_with(|cache| cache.0[id as usize % CACHED].replace(scratch.take()));
    // What was there belongs to another index; while a thread ends there is no cache, and the scratch goes home.
    old.ok().flatten().into_iter().chain(scratch).for_each(send_home);
}

/// Floats that start on a cache line.
pub(crate) struct AlignedVector {
    floats: Vec<f32>,
    start: usize,
    len: usize,
}

impl AlignedVector {
    fn new(len: usize) -> Self {
        let floats = vec![0.0; len + 15];
        let start = (floats.as_ptr() as usize).wrapping_neg() % 64 / 4;
        Self { floats, start, len }
    }

    pub(crate) fn get(&self) -> &[f32] {
        &self.floats[self.start..self.start + self.len]
    }

    pub(crate) fn get_mut(&mut self) -> &mut [f32] {
        &mut self.floats[self.start..self.start + self.len]
    }
}
