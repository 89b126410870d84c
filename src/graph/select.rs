//! The choice of neighbours (Malkov and Yashunin 2018, algorithm 4; hnswalg.h `getNeighborsByHeuristic2`).

use crate::distance::kernel::{Distance, Kernel};
use crate::distance::sorted::{self, Sorted, FRONT};
use crate::error::Result;
use crate::search::heap::{Heap, Near};
use crate::store::view::View;
use crate::store::Slot;

/// Candidates that are inserted one by one in their order; of more, which need not be nearly in order, this could take
/// long.
const NEARLY: usize = 4096;

/// Buffers of a selection.
#[derive(Default)]
pub(crate) struct Pruning<D> {
    /// Candidates in, chosen ones out.
    pub(crate) candidates: Heap<D>,
    sorted: Vec<Near<D>>,
    /// What is being sorted: keys above ids, as a pool has them.
    list: Vec<u64>,
    kept: Vec<Slot>,
    kept_near: Vec<Near<D>>,
    /// The chosen ones as a list holds them, farthest first.
    pub(crate) links: Vec<Slot>,
}

impl<D: Distance> Pruning<D> {
    /// Reduces `heap` to at most `m` candidates: nearest first, one is kept if no kept one is nearer to it than the
    /// point they are candidates for. Fewer than `m` candidates are left as they are.
    #[inline(always)]
    pub(crate) fn select_from<K: Kernel<Distance = D>>(&mut self, view: &View<'_>, heap: &mut Heap<D>, m: usize) {
        if heap.len() < m {
            return;
        }
        let Self { sorted, .. } = self;
        sorted.clear();
        sorted.extend_from_slice(heap.items());
        // hnswlib's second heap orders whole pairs: nearest first, of equal ones the larger id.
        sorted.sort_unstable_by(|a, b| a.distance.order(&b.distance).then_with(|| b.slot.id().cmp(&a.slot.id())));
        // A file may have a link twice, or as often as a list is long: once counts.
        sorted.dedup_by_key(|near| near.slot);
        self.keep::<K>(view, m);
        heap.clear();
        for near in &self.kept_near {
            heap.push(*near);
        }
    }

    /// The same from candidates that are nearly in order, of which the `ef` nearest count; returns what it keeps,
    /// nearest first; fewer than `m` as they are.
    #[inline(always)]
    pub(crate) fn select_nearly_sorted<K: Kernel<Distance = D>>(
        &mut self,
        view: &View<'_>,
        near: impl ExactSizeIterator<Item = Near<D>>,
        ef: usize,
        m: usize,
    ) -> Result<&[Near<D>]> {
        let Self { sorted, list, .. } = self;
        sorted::make_room(list, near.len(), "candidates")?;
        let (mut len, few) = (0, near.len() <= NEARLY);
        for near in near {
            let entry = u64::from(near.distance.pool_key()) << 32 | u64::from(!near.slot.id());
            if few {
                // SAFETY: K is chosen for this CPU by `search::engine`.
                unsafe { K::Sorted::insert(list, len, entry) };
            } else {
                list[FRONT + len] = entry;
            }
            len += 1;
        }
        if !few {
            list[FRONT..FRONT + len].sort_unstable();
        }
        sorted.clear();
        for entry in &list[FRONT..FRONT + len.min(ef)] {
            if let Some(slot) = view.store().slot(!(*entry as u32)) {
                sorted.push(Near { distance: D::from_pool_key((*entry >> 32) as u32), slot });
            }
        }
        sorted.dedup_by_key(|near| near.slot);
        if sorted.len() < m {
            return Ok(&self.sorted);
        }
        self.keep::<K>(view, m);
        Ok(&self.kept_near)
    }

    /// Leaves in `kept_near` what is kept of `sorted`.
    #[inline(always)]
    fn keep<K: Kernel<Distance = D>>(&mut self, view: &View<'_>, m: usize) {
        let Self { sorted, kept, kept_near, .. } = self;
        kept.clear();
        kept_near.clear();
        for near in sorted.iter() {
            if kept.len() >= m {
                break;
            }
            if !any_nearer::<K>(view, *near, kept) {
                kept.push(near.slot);
                kept_near.push(*near);
            }
        }
    }

    /// Selects from `candidates` and leaves the result in `links`, farthest first.
    #[inline(always)]
    pub(crate) fn select_links<K: Kernel<Distance = D>>(&mut self, view: &View<'_>, m: usize) {
        let mut candidates = std::mem::take(&mut self.candidates);
        self.select_from::<K>(view, &mut candidates, m);
        self.links.clear();
        while let Some(near) = candidates.pop() {
            self.links.push(near.slot);
        }
        self.candidates = candidates;
    }
}

/// Whether one of `kept` is nearer to the candidate than the candidate is to its point. Plain loops: a closure would be
/// compiled without the instruction set.
#[inline(always)]
fn any_nearer<K: Kernel>(view: &View<'_>, candidate: Near<K::Distance>, kept: &[Slot]) -> bool {
    if K::CANCELS {
        // One at a time and in hnswlib's order of arguments: a host's function may be slow and asymmetric.
        for near in kept {
            if view.distance::<K>(view.query_of(*near), candidate.slot) < candidate.distance {
                return true;
            }
        }
        return false;
    }
    let query = view.query_of(candidate.slot);
    let mut distances = [K::Distance::default(); 4];
    for four in kept.chunks(4) {
        view.distances::<K>(query, four, &mut distances[..four.len()]);
        for distance in &distances[..four.len()] {
            if *distance < candidate.distance {
                return true;
            }
        }
    }
    false
}
