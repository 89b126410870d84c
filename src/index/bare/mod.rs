//! A graph without labels: records that a host looks up, locks and counts by itself, as a host of hnswlib's classes
//! does. The distance may be the host's own. One operation on a record at a time is the host's business, too; all
//! else is as safe as in [`Index`](super::Index).

mod change;
mod search;

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, AtomicUsize};

use super::core::Core;
use crate::distance::kernel::{Measure, Ruler};
use crate::distance::BuiltIn;
use crate::error::{invalid, Error, Result};
use crate::graph::level::LevelGenerator;
use crate::graph::Graph;
use crate::params::{check_dim, MAX_M, MAX_RECORDS};
use crate::persist::{self, Buffers, Check, Opened, Placement};
use crate::search::engine::Engine;
use crate::store::layout::Layout;
use crate::store::{Addresses, Shared, Slot, Store};

pub(crate) use change::Point;
pub(crate) use search::Start;

/// Longest vector of a host, in bytes.
const MAX_BYTES: usize = 8 << 20;

/// What a graph is made of.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// None: the host measures.
    pub(crate) distance: Option<BuiltIn>,
    /// Values that a built-in distance reads.
    pub(crate) dim: usize,
    /// Bytes of a record's vector.
    pub(crate) vector_bytes: usize,
    pub(crate) with_lengths: bool,
    pub(crate) max_elements: usize,
    /// Key of the largest distance the host may measure.
    pub(crate) farthest: i64,
}

/// Cells of the host's that tell the number of records, and highest level and entry point.
#[derive(Clone, Copy)]
pub(crate) struct Cells {
    pub(crate) count: Option<NonNull<AtomicUsize>>,
    pub(crate) entry: Option<NonNull<AtomicU64>>,
}

#[derive(Clone, Copy)]
enum Engines {
    Floats(Engine<f32>),
    Integers(Engine<i32>),
    Keys(Engine<i64>),
}

/// The graph.
pub(crate) struct Bare {
    core: Core,
    engines: Engines,
    shape: Shape,
}

/// Runs `$body` with the engine, whatever its kind.
macro_rules! with_engine {
    ($self:ident, $engine:ident => $body:expr) => {
        match &$self.engines {
            $crate::index::bare::Engines::Floats($engine) => $body,
            $crate::index::bare::Engines::Integers($engine) => $body,
            $crate::index::bare::Engines::Keys($engine) => $body,
        }
    };
}

use with_engine;

impl Shape {
    fn check(&self) -> Result<()> {
        if self.vector_bytes == 0 || self.vector_bytes > MAX_BYTES {
            return Err(invalid(format!("vectors of {} bytes, not 1..={MAX_BYTES}", self.vector_bytes)));
        }
        if self.max_elements > MAX_RECORDS {
            return Err(invalid(format!("max_elements {} is over {MAX_RECORDS}", self.max_elements)));
        }
        if let Some(built_in) = self.distance {
            check_dim(self.dim)?;
            if built_in.value_bytes() * self.dim > self.vector_bytes {
                return Err(invalid(format!("dim {} needs more than {} bytes", self.dim, self.vector_bytes)));
            }
        }
        Ok(())
    }

    fn placement(&self, records: usize) -> Placement {
        Placement {
            needed: self.max_elements.max(records),
            mmap: false,
            aligned: false,
            with_lengths: self.with_lengths,
            floats: false,
            check: Check::Default,
        }
    }
}

impl Bare {
    /// An empty graph with memory for `shape.max_elements` records.
    ///
    /// # Safety
    /// The host's cells are there as long as the graph is.
    pub(crate) unsafe fn new(shape: Shape, m: usize, cells: Cells) -> Result<Self> {
        shape.check()?;
        if !(2..=MAX_M).contains(&m) {
            return Err(invalid(format!("m is {m}, not in 2..={MAX_M}")));
        }
        let layout = Layout::packed_in_memory(shape.vector_bytes, m);
        let store = Store::new(layout, shape.with_lengths, shape.max_elements)?;
        // SAFETY: the caller's promise.
        unsafe { Self::over(Graph::new(store, m, LevelGenerator::new(1, m)), shape, cells) }
    }

    /// # Safety
    /// As for [`Bare::new`].
    unsafe fn over(mut graph: Graph, shape: Shape, cells: Cells) -> Result<Self> {
        graph.store().make_room(shape.max_elements.max(graph.store().count()))?;
        // SAFETY: the caller's promise.
        let (count, entry) =
            unsafe { (cells.count.map(|cell| Shared::of_host(cell)), cells.entry.map(|cell| Shared::of_host(cell))) };
        graph.share(count, entry);
        let engines = match shape.distance {
            Some(BuiltIn::L2) => Engines::Floats(Engine::choose(false)),
            Some(BuiltIn::Ip) => Engines::Floats(Engine::choose(true)),
            Some(BuiltIn::L2U8) => Engines::Integers(Engine::of_bytes()),
            None => Engines::Keys(Engine::of_host()),
        };
        Ok(Self { core: Core::new(graph), engines, shape })
    }

    /// A graph from a file or directory, which it persists to from then on; and what the file said.
    ///
    /// # Safety
    /// As for [`Bare::new`].
    pub(crate) unsafe fn load(path: &std::path::Path, shape: Shape, cells: Cells) -> Result<(Self, Opened<()>)> {
        shape.check()?;
        let place = |records| shape.placement(records);
        // Hosts open a directory several times over; who persists first holds it.
        let intent = (persist::Intent::WriteLater, Check::Default, false);
        let opened = persist::load_graph(path, shape.vector_bytes, shape.with_lengths, intent, |h| place(h.count))?;
        let (graph, mut opened) = opened.take_graph();
        // SAFETY: the caller's promise.
        let bare = unsafe { Self::over(graph, shape, cells)? };
        persist::adopt_directory(&bare.core, path, &mut opened, true);
        Ok((bare, opened))
    }

    /// A graph from the contents of a directory's files.
    ///
    /// # Safety
    /// As for [`Bare::new`].
    pub(crate) unsafe fn from_buffers(buffers: &Buffers<'_>, shape: Shape, cells: Cells) -> Result<(Self, Opened<()>)> {
        shape.check()?;
        let place = |records| shape.placement(records);
        let opened = persist::load_buffers(buffers, shape.vector_bytes, shape.with_lengths, |h| place(h.count))?;
        let (graph, opened) = opened.take_graph();
        // SAFETY: the caller's promise.
        Ok((unsafe { Self::over(graph, shape, cells)? }, opened))
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    fn store(&self) -> &Store {
        self.core.store()
    }

    /// Layout and addresses of the records.
    pub(crate) fn memory(&self) -> (Layout, Addresses) {
        (*self.store().layout(), self.store().addresses())
    }

    /// The slot of an id that the host names.
    pub(crate) fn slot(&self, id: u32) -> Result<Slot> {
        let count = self.core.count();
        self.store().slot(id).ok_or_else(|| Error::NotFound(format!("there is no record {id} of {count}").into()))
    }

    fn ruler<'a>(&self, measure: &'a Measure<'a>) -> Ruler<'a> {
        match self.shape.distance {
            Some(BuiltIn::L2 | BuiltIn::Ip) => Ruler::floats(self.shape.dim),
            Some(BuiltIn::L2U8) => Ruler::values(self.shape.dim, i32::MAX.into()),
            None => Ruler::host(measure, self.shape.farthest),
        }
    }

    /// Makes memory usable up to `max_elements` records.
    pub(crate) fn resize(&self, max_elements: usize) -> Result<()> {
        let _claiming = self.core.claiming();
        self.store().check_reserved(max_elements)?;
        self.store().make_room(max_elements)
    }

    /// The neighbours of a record on a level, as they stand under its lock.
    pub(crate) fn links(&self, id: u32, level: usize) -> Result<Vec<u32>> {
        let slot = self.slot(id)?;
        let _lock = self.store().lock(slot);
        let links = self.store().links(slot, level);
        let links = links.ok_or_else(|| Error::NotFound(format!("record {id} does not reach level {level}").into()))?;
        Ok(links.iter().map(Slot::id).collect())
    }
}
