//! Searching.

use super::{with_engine, Bare};
use crate::distance::kernel::Measure;
use crate::error::{invalid, Result};
use crate::search::deletions::Deletions;
use crate::search::engine::Engine;
use crate::search::query::Ask;
use crate::search::scratch::{Found, Hit, InScratch, Scratch, Steps};
use crate::store::view::View;

/// Where a search starts.
#[derive(Clone, Copy)]
pub(crate) enum Start {
    /// At the entry point, down to the ground.
    Top,
    /// At a record, on one level alone.
    At(u32, i32),
}

impl Bare {
    /// Searches from the host's `query`, and gives what is found to `emit` in one piece. `steps` gets what it cost,
    /// also when the host ends it.
    ///
    /// # Safety
    /// `query` is readable for what the distance reads.
    #[allow(clippy::too_many_arguments, reason = "what a query has, and where its results go")]
    pub(crate) unsafe fn search(
        &self,
        query: *const u8,
        start: Start,
        deletions: bool,
        ask: Ask<'_>,
        measure: &Measure<'_>,
        emit: &mut dyn FnMut(&[Found]) -> Result<()>,
        steps: &mut Steps,
    ) -> Result<()> {
        self.core.with_scratch(|scratch| {
            with_engine!(self, engine => {
                // SAFETY: the caller's promise.
                unsafe { self.search_with(engine, query, start, deletions, ask, measure, emit, steps, scratch) }
            })
        })
    }

    /// # Safety
    /// As for [`Bare::search`].
    #[allow(clippy::too_many_arguments, reason = "one more than the call it serves")]
    unsafe fn search_with<D: InScratch>(
        &self,
        engine: &Engine<D>,
        query: *const u8,
        start: Start,
        deletions: bool,
        ask: Ask<'_>,
        measure: &Measure<'_>,
        emit: &mut dyn FnMut(&[Found]) -> Result<()>,
        steps: &mut Steps,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let entry = self.core.graph().entry();
        let (cell, work, vector) = D::parts(scratch);
        work.deletions = Deletions::unknown(deletions);
        {
            let view = View::open(self.store(), cell, self.ruler(measure));
            let query = match self.shape.distance {
                // SAFETY: the caller's promise.
                None => unsafe { view.query_at(query) },
                Some(built_in) => {
                    let bytes = &mut vector.bytes_mut()[..built_in.value_bytes() * self.shape.dim];
                    // SAFETY: a built-in distance reads as many bytes.
                    unsafe { std::ptr::copy_nonoverlapping(query, bytes.as_mut_ptr(), bytes.len()) };
                    view.query(vector.bytes())
                }
            };
            let ended = match start {
                Start::Top => engine.query(&view, query, entry, ask, work),
                Start::At(id, level) => {
                    let level = usize::try_from(level).map_err(|_| invalid(format!("level {level}")))?;
                    engine.query_level(&view, query, (self.slot(id)?, level), ask, work)
                }
            };
            *steps = work.steps;
            ended?;
        }
        let (results, found) = (&work.results, &mut work.emitted);
        found.clear();
        found.extend(results.iter().map(|hit: &Hit<D>| Found {
            label: hit.label,
            key: hit.distance.key(),
            id: hit.slot.id(),
            reserved: 0,
        }));
        emit(found)
    }
}
