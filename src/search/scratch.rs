//! What a search works with, kept from one call to the next: a query allocates nothing once its thread is warm.
//!
//! Each thread keeps the scratch of the last few indexes it used (of those whose numbers are equal modulo 8, one).
//! Taking it back costs no lock and no atomic read-modify-write; only a miss goes to the index's list of free ones. A
//! thread that ends gives its own back.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::distance::kernel::Distance;
use crate::error::Result;
use crate::graph::select::Pruning;
use crate::search::deletions::Deletions;
use crate::search::heap::{Heap, Near};
use crate::search::hop::Hop;
use crate::search::lanes::Lane;
use crate::search::pool::Pool;
use crate::search::scan::Scan;
use crate::search::visited::Visited;
use crate::store::data::Data;
use crate::store::hash_order::HashOrder;
use crate::store::rewrite::SessionCell;
use crate::store::view::View;
use crate::store::{Slot, Store};
use crate::sync::lock;

/// A record that was found.
#[derive(Clone, Copy)]
pub(crate) struct Hit<D> {
    pub(crate) distance: D,
    pub(crate) label: u64,
    pub(crate) slot: Slot,
}

impl<D: Distance> Hit<D> {
    /// Nearest first, equal ones by label.
    #[inline(always)]
    pub(crate) fn order(&self, other: &Self) -> std::cmp::Ordering {
        self.distance.order(&other.distance).then(self.label.cmp(&other.label))
    }
}

/// Whether a way of querying is worth it that may turn out to have been in vain.
#[derive(Default)]
pub(crate) struct Doubt(u32);

impl Doubt {
    /// What a query in vain adds, of which any other takes one away; from that many on queries are asked the other way.
    const IN_VAIN: u32 = 8;
    const DOUBTFUL: u32 = 24;

    /// Whether the next query is asked the other way, which takes some doubt away.
    pub(crate) fn prevails(&mut self) -> bool {
        let prevails = self.0 >= Self::DOUBTFUL;
        self.0 -= u32::from(prevails);
        prevails
    }

    /// A query was worth it, or in vain.
    pub(crate) fn learn(&mut self, was_worth_it: bool) {
        self.0 = if was_worth_it { self.0.saturating_sub(1) } else { (self.0 + Self::IN_VAIN).min(2 * Self::DOUBTFUL) };
    }
}

/// A found record as C sees it.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Found {
    pub(crate) label: u64,
    pub(crate) key: i64,
    pub(crate) id: u32,
    pub(crate) reserved: u32,
}

/// What a search cost above the ground, or of one level alone: lists looked at, links followed or met again.
#[derive(Clone, Copy, Default)]
pub(crate) struct Steps {
    pub(crate) hops: u64,
    pub(crate) distances: u64,
}

/// Buffers of searches and insertions, for one kind of distance.
#[derive(Default)]
pub(crate) struct Work<D = f32> {
    pub(crate) deletions: Deletions,
    /// Whether spare places of a pool mostly suffice for them.
    pub(crate) doubt: Doubt,
    /// Candidates an insertion looks at on each level.
    pub(crate) ef_construction: usize,
    pub(crate) visited: Visited,
    pub(crate) hop: Hop<D>,
    /// The two heaps of [`crate::search::layer`].
    pub(crate) frontier: Heap<D>,
    pub(crate) found: Heap<D>,
    pub(crate) pool: Pool,
    /// What a guided walk found, nearest first.
    pub(crate) near: Vec<Near<D>>,
    /// What a query found, nearest first, and what it cost above the ground.
    pub(crate) results: Vec<Hit<D>>,
    pub(crate) steps: Steps,
    /// The same for a host.
    pub(crate) emitted: Vec<Found>,
    /// Pruning of neighbour lists.
    pub(crate) pruning: Pruning<D>,
    /// The links chosen for a new record, level after level from the top, and how many each level has.
    pub(crate) chosen: Vec<Slot>,
    pub(crate) chosen_ends: Vec<usize>,
    /// Candidates of an update, and the neighbours to be relinked.
    pub(crate) candidates: HashOrder,
    pub(crate) neighbours: HashOrder,
}

/// A kind of distance that a scratch has buffers for.
pub(crate) trait InScratch: Distance {
    /// The parts of a scratch that work with this kind.
    fn parts(scratch: &mut Scratch) -> (&SessionCell, &mut Work<Self>, &mut Data);
}

macro_rules! in_scratch {
    ($distance:ty, $work:ident) => {
        impl InScratch for $distance {
            #[inline(always)]
            fn parts(scratch: &mut Scratch) -> (&SessionCell, &mut Work<Self>, &mut Data) {
                (&scratch.cell, &mut scratch.$work, &mut scratch.vector)
            }
        }
    };
}

in_scratch!(f32, work);
in_scratch!(i32, integers);
in_scratch!(i64, keys);

impl<D: Distance> Work<D> {
    /// Makes room for the records of a view, its lists, and `start`, which may be younger than the view.
    pub(crate) fn reserve(&mut self, view: &View<'_>, start: Slot) -> Result<()> {
        self.hop.reserve(view.store().layout().max_m0);
        self.visited.reserve(view.count().max(start.id() as usize + 1))
    }

    /// Whether the next query is one for a pool.
    #[inline(always)]
    pub(crate) fn fits_a_pool(&mut self) -> bool {
        self.deletions.fit_a_pool() && !(self.deletions.any() && self.doubt.prevails())
    }

    /// Spare places of a pool with `ef` others; None: it is one for heaps.
    #[inline(always)]
    pub(crate) fn spare(&mut self, ef: usize) -> Option<usize> {
        if !self.fits_a_pool() {
            return None;
        }
        self.deletions.spare(ef)
    }

    /// Whether `found` live records that were taken from the pool are all of the `wanted` nearest.
    #[inline(always)]
    pub(crate) fn has_all(&self, found: usize, wanted: usize) -> bool {
        !self.deletions.any() || self.pool.are_all(found, wanted)
    }

    /// Whether they were enough.
    #[inline(always)]
    pub(crate) fn learn(&mut self, were_enough: bool) {
        if self.deletions.any() {
            self.doubt.learn(were_enough);
        }
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
    /// For f32 distances; integers are those between codes that are the vectors, keys are a host's.
    pub(crate) work: Work,
    pub(crate) integers: Work<i32>,
    pub(crate) keys: Work<i64>,
    /// A vector made ready: normalised, or copied to an address that kernels like.
    pub(crate) vector: Data,
    /// The queries of a batch that codes guide.
    pub(crate) lanes: Vec<Lane>,
    /// Those that vectors guide.
    pub(crate) exact_lanes: Vec<Lane<f32>>,
    /// Whether codes mostly certify queries.
    pub(crate) doubt: Doubt,
    /// The candidates of a block of new records.
    pub(crate) scan: Scan,
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
            let vector = Data::new(store.layout().vector_bytes);
            let cell = store.rewrites().register();
            let (work, integers, keys) = Default::default();
            let (lanes, exact_lanes, scan) = Default::default();
            Box::new(Scratch {
                cell,
                work,
                integers,
                keys,
                vector,
                lanes,
                exact_lanes,
                doubt: Doubt::default(),
                scan,
                home: Arc::clone(&self.0),
            })
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
