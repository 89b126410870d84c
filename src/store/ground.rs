//! Where ground-level lists are: at the start of each record, or, of records that stay in a file, side by side in a block of
//! their own, so that a walk by codes touches no page of the file.

use super::arena::Arena;
use super::layout::{Layout, LIST_HEADER};
use super::Store;

/// The lists, flags included, one for each id.
pub(crate) struct Ground {
    base: *mut u8,
    stride: usize,
    /// The block, where it is not that of the records.
    own: Option<Arena>,
}

// SAFETY: the address of a block that does not move; what is there is read and written as atomics.
unsafe impl Send for Ground {}
// SAFETY: as above.
unsafe impl Sync for Ground {}

impl Ground {
    /// Those in the records.
    pub(super) fn of_records(records: &Arena, layout: &Layout) -> Self {
        Self { base: records.base().wrapping_add(layout.base), stride: layout.stride, own: None }
    }

    /// Address of the list of `id`, which is below the room.
    #[inline(always)]
    pub(super) fn list(&self, id: usize) -> *mut u8 {
        self.base.wrapping_add(id * self.stride)
    }
}

impl Layout {
    /// Bytes of a ground-level list.
    pub(crate) fn ground_list(&self) -> usize {
        LIST_HEADER + 4 * self.max_m0
    }
}

impl Store {
    /// Runs `body`, which reads all records.
    pub(crate) fn read_all<R>(&self, body: impl FnOnce() -> R) -> R {
        let apart = self.ground.own.is_some();
        if apart {
            self.records.expect_reads(false);
        }
        let result = body();
        if apart {
            self.records.expect_reads(true);
        }
        result
    }

    /// Has the ground-level lists in `block` from now on, which holds those of all records. For a store that nobody shares
    /// yet, and that will not change: the lists in the records stay what they are.
    pub(crate) fn keep_lists_apart(&mut self, block: Arena) {
        let stride = self.layout.ground_list();
        assert!(block.committed() >= self.count() * stride, "lists for all records");
        // All that is left to read of the records are vectors here and there: reading ahead brings in what nobody wants. A
        // file that is not cached answers its first 10 queries in 0.4 (SIFT) and 0.2 (MiniLM) of the time without.
        self.records.expect_reads(true);
        self.ground = Ground { base: block.base(), stride, own: Some(block) };
    }
}
