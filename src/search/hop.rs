//! One hop: the neighbours of a record that were not seen before, and their distances. Two passes: first all ids are
//! filtered and their vectors asked for, then distances are computed while later vectors are still on their way.

use std::sync::atomic::{fence, Ordering};

use crate::distance::kernel::{Distance, Kernel};
use crate::distance::sorted::MANY;
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
pub(crate) struct Hop<D> {
    pub(crate) slots: Vec<Slot>,
    pub(crate) distances: Vec<D>,
}

impl<D: Distance> Hop<D> {
    /// Makes room for lists of `links` links, in whole pieces of what the pool compares at once.
    pub(crate) fn reserve(&mut self, links: usize) {
        let links = links.next_multiple_of(MANY);
        if self.distances.len() < links {
            self.distances.resize(links, D::default());
            self.slots.resize(links, Slot::FIRST);
        }
    }

    /// Fills the buffers with the unseen neighbours in `links`, in their order, and their distances.
    #[inline(always)]
    pub(crate) fn expand<K: Kernel<Distance = D>>(
        &mut self,
        view: &View<'_>,
        query: Query<'_>,
        links: Links<'_>,
        visited: &mut Visited,
    ) -> usize {
        let count = visited.unseen(view, links, &mut self.slots);
        self.measure::<K>(view, query, count)
    }

    /// Fills the buffers with all neighbours in `links` and their distances.
    #[inline(always)]
    pub(crate) fn all<K: Kernel<Distance = D>>(
        &mut self,
        view: &View<'_>,
        query: Query<'_>,
        links: Links<'_>,
    ) -> usize {
        let count = self.take(links.raw().filter_map(|id| view.slot(id)));
        self.measure::<K>(view, query, count)
    }

    /// As [`Hop::all`], with the records that are younger than the view: for a writer, who must not lose links.
    #[inline(always)]
    pub(crate) fn all_now<K: Kernel<Distance = D>>(
        &mut self,
        view: &View<'_>,
        query: Query<'_>,
        links: Links<'_>,
    ) -> usize {
        let count = self.take(links.iter());
        self.measure::<K>(view, query, count)
    }

    #[inline(always)]
    pub(crate) fn take(&mut self, slots: impl Iterator<Item = Slot>) -> usize {
        let mut count = 0;
        for (to, slot) in self.slots.iter_mut().zip(slots) {
            *to = slot;
            count += 1;
        }
        count
    }

    /// Computes the distances of the first `count` slots in the buffer.
    #[inline(always)]
    pub(crate) fn measure<K: Kernel<Distance = D>>(
        &mut self,
        view: &View<'_>,
        query: Query<'_>,
        count: usize,
    ) -> usize {
        // The ids were read relaxed; what was published with them is read from here on.
        fence(Ordering::Acquire);
        let slots = &self.slots[..count];
        let bytes = view.row_bytes().min(PREFETCH_BYTES);
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
        count
    }
}
