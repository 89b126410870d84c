//! One hop: the neighbours of a record that were not seen before, and their distances. Two passes: first all ids are
//! filtered and their vectors asked for, then distances are computed while later vectors are still on their way.

use crate::distance::Kernel;
use crate::search::visited::Visited;
use crate::store::links::Links;
use crate::store::view::{Query, View};
use crate::store::Slot;

/// Bytes of a row to ask for ahead; the hardware streams the rest of longer rows.
const PREFETCH_BYTES: usize = 1024;
/// Rows asked for before the first distance.
const AHEAD: usize = 8;

/// The buffers of a hop.
#[derive(Default)]
pub(crate) struct Hop {
    pub(crate) slots: Vec<Slot>,
    pub(crate) distances: Vec<f32>,
}

impl Hop {
    /// Makes room for lists of `links` links.
    pub(crate) fn reserve(&mut self, links: usize) {
        if self.distances.len() < links {
            self.distances.resize(links, 0.0);
            self.slots.reserve(links);
        }
    }

    /// Fills the buffers with the unseen neighbours in `links`, in their order, and their distances.
    #[inline(always)]
    pub(crate) fn expand<K: Kernel>(
        &mut self,
        view: &View<'_>,
        query: Query<'_>,
        links: Links<'_>,
        visited: &mut Visited,
    ) -> usize {
        self.slots.clear();
        for id in links.raw() {
            if let Some(slot) = view.slot(id) {
                if visited.insert(slot) {
                    self.slots.push(slot);
                }
            }
        }
        // The ids were read relaxed; what was published with them is read from here on.
        std::sync::atomic::fence(std::sync::atomic::Ordering::Acquire);
        self.measure::<K>(view, query)
    }

    /// Fills the buffers with all neighbours in `links` and their distances.
    #[inline(always)]
    pub(crate) fn all<K: Kernel>(&mut self, view: &View<'_>, query: Query<'_>, links: Links<'_>) -> usize {
        self.slots.clear();
        self.slots.extend(links.raw().filter_map(|id| view.slot(id)));
        std::sync::atomic::fence(std::sync::atomic::Ordering::Acquire);
        self.measure::<K>(view, query)
    }

    /// As [`Hop::all`], with the records that are younger than the view: for a writer, who must not lose links.
    #[inline(always)]
    pub(crate) fn all_now<K: Kernel>(&mut self, view: &View<'_>, query: Query<'_>, links: Links<'_>) -> usize {
        self.slots.clear();
        self.slots.extend(links.iter());
        self.measure::<K>(view, query)
    }

    #[inline(always)]
    fn measure<K: Kernel>(&mut self, view: &View<'_>, query: Query<'_>) -> usize {
        let slots = &self.slots[..];
        let bytes = view.store().layout().vector_bytes().min(PREFETCH_BYTES);
        for slot in &slots[..slots.len().min(AHEAD)] {
            view.prefetch(*slot, bytes);
        }
        let mut at = 0;
        while at < slots.len() {
            let end = (at + 4).min(slots.len());
            for slot in &slots[(at + AHEAD).min(slots.len())..(end + AHEAD).min(slots.len())] {
                view.prefetch(*slot, bytes);
            }
            view.distances::<K>(query, &slots[at..end], &mut self.distances[at..end]);
            at = end;
        }
        slots.len()
    }
}
