//! The choice of neighbours (Malkov and Yashunin 2018, algorithm 4; hnswalg.h `getNeighborsByHeuristic2`).

use crate::distance::Kernel;
use crate::search::heap::{Heap, Near};
use crate::store::view::View;
use crate::store::Slot;

/// Buffers of a selection.
#[derive(Default)]
pub(crate) struct Pruning {
    /// Candidates in, chosen ones out.
    pub(crate) candidates: Heap,
    sorted: Vec<Near>,
    chosen: Vec<Slot>,
    distances: Vec<f32>,
    chosen_near: Vec<Near>,
    /// The chosen ones as a list holds them, farthest first.
    pub(crate) links: Vec<Slot>,
}

/// Reduces `heap` to at most `m` candidates: nearest first, one is kept if no kept one is nearer to it than the point
/// they are candidates for. Fewer than `m` candidates are left as they are.
#[inline(always)]
pub(crate) fn select<K: Kernel>(view: &View<'_>, heap: &mut Heap, m: usize, buffers: &mut SelectBuffers<'_>) {
    if heap.len() < m {
        return;
    }
    let SelectBuffers { sorted, chosen, distances, chosen_near } = buffers;
    sorted.clear();
    sorted.extend_from_slice(heap.items());
    // hnswlib's second heap orders whole pairs: nearest first, of equal ones the larger id.
    sorted.sort_unstable_by(|a, b| a.distance.total_cmp(&b.distance).then_with(|| b.slot.id().cmp(&a.slot.id())));
    chosen.clear();
    chosen_near.clear();
    distances.resize(4, 0.0);
    for near in sorted.iter() {
        if chosen.len() >= m {
            break;
        }
        let query = view.query_of(near.slot);
        let is_nearer = |kept: &[Slot], distances: &mut [f32]| {
            let distances = &mut distances[..kept.len()];
            view.distances::<K>(query, kept, distances);
            distances.iter().any(|&d| d < near.distance)
        };
        let mut rejected = false;
        for kept in chosen.chunks(4) {
            if is_nearer(kept, distances) {
                rejected = true;
                break;
            }
        }
        if !rejected {
            chosen.push(near.slot);
            chosen_near.push(*near);
        }
    }
    heap.clear();
    for near in chosen_near.iter() {
        heap.push(*near);
    }
}

/// The part of [`Pruning`] that a selection writes to.
pub(crate) struct SelectBuffers<'a> {
    sorted: &'a mut Vec<Near>,
    chosen: &'a mut Vec<Slot>,
    distances: &'a mut Vec<f32>,
    chosen_near: &'a mut Vec<Near>,
}

impl Pruning {
    /// Selects from `heap`.
    #[inline(always)]
    pub(crate) fn select_from<K: Kernel>(&mut self, view: &View<'_>, heap: &mut Heap, m: usize) {
        let Self { sorted, chosen, distances, chosen_near, .. } = self;
        select::<K>(view, heap, m, &mut SelectBuffers { sorted, chosen, distances, chosen_near });
    }

    /// Selects from `candidates` and leaves the result in `links`, farthest first.
    #[inline(always)]
    pub(crate) fn select_links<K: Kernel>(&mut self, view: &View<'_>, m: usize) {
        let Self { candidates, sorted, chosen, distances, chosen_near, links } = self;
        select::<K>(view, candidates, m, &mut SelectBuffers { sorted, chosen, distances, chosen_near });
        links.clear();
        while let Some(near) = candidates.pop() {
            links.push(near.slot);
        }
    }
}
