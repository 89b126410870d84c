//! The index: what a Rust user sees, and how the parts fit together. No loop over neighbours, no bytes of files.
//!
//! # Threads
//! Every method takes `&self`. Queries take no lock (but that of the label map, to look listed labels up). Adds and deletions share the gate; whoever needs the records to
//! stand still (save, persist) closes it. One operation on a label at a time (its lock); ids are given out one
//! at a time (`claiming`). Order of locks: gate, label, claiming or vacant slots or label map, `raising`, a record.

mod add;
pub(crate) mod bare;
mod batch;
mod coded;
pub(crate) mod core;
mod facts;
mod listed;
mod query;
mod remove;
pub(crate) mod restore;
mod stats;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::Mutex;

use crate::error::{invalid, Error, Result};
use crate::graph::level::LevelGenerator;
use crate::graph::Graph;
use crate::params::{Metric, Params, MAX_RECORDS};
use crate::search::code_engine::CodeEngine;
use crate::search::engine::Engine;
use crate::store::labels::Labels;
use crate::store::layout::Layout;
use crate::store::Store;

use self::core::{Core, Stated};

pub use add::AddMode;
pub use stats::Stats;

/// An HNSW index.
pub struct Index {
    core: Core,
    labels: Labels,
    metric: Metric,
    engine: Engine,
    code_engine: CodeEngine,
    /// Records at which codes are worth a try again.
    next_codes: AtomicUsize,
    /// The number of the exactness that is the index's default.
    exactness: AtomicU32,
    /// Whether a certified query was asked: codes are kept beside sketches then.
    certifies: AtomicBool,
    ef_construction: usize,
    /// Records that fit; an index that grows on demand raises it by itself.
    capacity: AtomicUsize,
    grows: bool,
    ef: AtomicUsize,
    deleted: AtomicUsize,
    allow_replace_deleted: bool,
    read_only: bool,
    mapped: bool,
    /// Whether label map, deleted count and vacant slots are built: see `facts`.
    ready: AtomicBool,
    /// Whether the deleted count is known without them.
    counted: AtomicBool,
    getting_ready: Mutex<()>,
}

/// What an index is made of besides its graph.
pub(crate) struct Traits {
    pub(crate) metric: Metric,
    pub(crate) ef_construction: usize,
    /// 0: grows on demand.
    pub(crate) max_elements: usize,
    pub(crate) allow_replace_deleted: bool,
    pub(crate) read_only: bool,
    pub(crate) mapped: bool,
}

impl Index {
    /// An empty index in memory. `params` are checked, and zeros in them stand for defaults.
    pub fn new(params: &Params) -> Result<Self> {
        let p = params.validated()?;
        let layout = Layout::apart(4 * p.dim, p.m);
        let store = Store::new(layout, p.metric == Metric::Cosine, p.max_elements)?;
        let graph = Graph::new(store, p.m, LevelGenerator::new(p.seed, p.m));
        let traits = Traits {
            metric: p.metric,
            ef_construction: p.ef_construction,
            max_elements: p.max_elements,
            allow_replace_deleted: p.allow_replace_deleted,
            read_only: false,
            mapped: false,
        };
        let index = Self::from_graph(graph, traits, p.max_elements);
        index.ready.store(true, Ordering::Release);
        Ok(index)
    }

    /// An index over a graph that exists; label map and the like are built when they are first needed.
    pub(crate) fn from_graph(graph: Graph, traits: Traits, capacity: usize) -> Self {
        Self {
            core: Core::new(graph),
            labels: Labels::new(),
            metric: traits.metric,
            engine: Engine::choose(traits.metric != Metric::L2),
            code_engine: CodeEngine::choose(traits.metric != Metric::L2),
            next_codes: AtomicUsize::new(crate::codes::FIRST),
            exactness: AtomicU32::new(0),
            certifies: AtomicBool::new(false),
            ef_construction: traits.ef_construction,
            capacity: AtomicUsize::new(capacity),
            grows: traits.max_elements == 0,
            ef: AtomicUsize::new(10),
            deleted: AtomicUsize::new(0),
            allow_replace_deleted: traits.allow_replace_deleted,
            read_only: traits.read_only,
            mapped: traits.mapped,
            ready: AtomicBool::new(false),
            counted: AtomicBool::new(false),
            getting_ready: Mutex::new(()),
        }
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    fn store(&self) -> &Store {
        self.core.store()
    }

    /// What files state of this index.
    pub(crate) fn stated(&self) -> Stated {
        let mult = self.core.graph().level_scale();
        Stated { max_elements: self.capacity(), ef_construction: self.ef_construction, mult }
    }

    /// Refuses when the index is for reading only.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.read_only {
            return Err(Error::ReadOnly("the index was opened for reading only".into()));
        }
        Ok(())
    }

    /// Records, deleted ones included.
    pub fn count(&self) -> usize {
        self.store().count()
    }

    /// Records that fit before the index is full or grows.
    pub fn capacity(&self) -> usize {
        self.capacity.load(Ordering::Relaxed)
    }

    /// Floats per vector.
    pub fn dim(&self) -> usize {
        self.store().layout().dim()
    }

    /// How distance is measured.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// Sets the capacity. Records do not move; queries do not wait, insertions only for the moment.
    pub fn resize(&self, max_elements: usize) -> Result<()> {
        self.check_writable()?;
        let _claiming = self.core.claiming();
        let count = self.count();
        if max_elements < count {
            return Err(invalid(format!("max_elements {max_elements} is less than the {count} records there are")));
        }
        if max_elements > MAX_RECORDS {
            return Err(invalid(format!("max_elements {max_elements} is over {MAX_RECORDS}")));
        }
        self.store().check_reserved(max_elements)?;
        self.capacity.store(max_elements, Ordering::Relaxed);
        Ok(())
    }

    /// Sets the size of the candidate list of queries that give none.
    pub fn set_ef(&self, ef: usize) -> Result<()> {
        if ef == 0 {
            return Err(invalid("ef is 0"));
        }
        self.ef.store(ef, Ordering::Relaxed);
        Ok(())
    }
}
