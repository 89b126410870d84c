//! A binary heap that moves elements exactly as libstdc++'s `std::priority_queue` does.
//!
//! hnswlib orders its heaps by distance alone, so which of several equally distant records is on top depends on how
//! elements move. `push` and `pop` are `__push_heap` and `__adjust_heap` (GCC 12, stl_heap.h).

use crate::distance::kernel::Distance;
use crate::store::Slot;

/// A record and its distance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Near<D> {
    pub(crate) distance: D,
    pub(crate) slot: Slot,
}

/// The farthest on top.
#[derive(Default)]
pub(crate) struct Heap<D> {
    items: Vec<Near<D>>,
}

impl<D: Distance> Heap<D> {
    pub(crate) fn clear(&mut self) {
        self.items.clear();
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Elements in heap order.
    pub(crate) fn items(&self) -> &[Near<D>] {
        &self.items
    }

    #[inline(always)]
    pub(crate) fn top(&self) -> Option<Near<D>> {
        self.items.first().copied()
    }

    /// Adds an element. When memory runs out it is dropped: a search that loses a candidate still ends well.
    #[inline(always)]
    pub(crate) fn push(&mut self, item: Near<D>) {
        if self.items.len() == self.items.capacity() && self.items.try_reserve(64.max(self.items.len())).is_err() {
            return;
        }
        self.items.push(item);
        let hole = self.items.len() - 1;
        self.sift_up(hole, item);
    }

    /// Removes the farthest.
    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<Near<D>> {
        let value = self.items.pop()?;
        let Some(&top) = self.items.first() else { return Some(value) };
        let items = &mut self.items[..];
        let len = items.len();
        let (mut hole, mut second) = (0, 0);
        while second < (len - 1) / 2 {
            second = 2 * (second + 1);
            // The right child, unless it is nearer than the left one.
            second -= usize::from(items[second].distance < items[second - 1].distance);
            items[hole] = items[second];
            hole = second;
        }
        if len & 1 == 0 && second == (len - 2) / 2 {
            second = 2 * (second + 1);
            items[hole] = items[second - 1];
            hole = second - 1;
        }
        self.sift_up(hole, value);
        Some(top)
    }

    #[inline(always)]
    fn sift_up(&mut self, mut hole: usize, value: Near<D>) {
        let items = &mut self.items[..];
        while hole > 0 {
            let parent = (hole - 1) / 2;
            let below = items[parent].distance < value.distance;
            if !below {
                break;
            }
            items[hole] = items[parent];
            hole = parent;
        }
        items[hole] = value;
    }
}
