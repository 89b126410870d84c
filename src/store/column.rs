//! Where a part of every record is: inside the records, as a file has them, or side by side in a block of its own, so
//! that who walks through lists touches no vectors.

use super::arena::Arena;
use super::layout::Layout;
use super::Store;
use crate::error::Result;

/// A part of every record.
pub(crate) struct Column {
    base: *mut u8,
    stride: usize,
    /// The block, where it is not that of the records.
    own: Option<Arena>,
}

// SAFETY: the address of a block that does not move; who may read or write what is there is the store's business.
unsafe impl Send for Column {}
// SAFETY: as above.
unsafe impl Sync for Column {}

impl Column {
    /// What stands `offset` bytes into each record.
    pub(super) fn of_records(records: &Arena, layout: &Layout, offset: usize) -> Self {
        Self { base: records.base().wrapping_add(layout.base + offset), stride: layout.stride, own: None }
    }

    /// A block of its own, `stride` bytes for each record.
    pub(super) fn apart(block: Arena, stride: usize) -> Self {
        Self { base: block.base(), stride, own: Some(block) }
    }

    /// Commits memory for `records` records.
    pub(super) fn commit(&self, records: usize) -> Result<()> {
        self.own.as_ref().map_or(Ok(()), |block| block.commit(records * self.stride))
    }

    /// Bytes of its own.
    pub(super) fn committed(&self) -> usize {
        self.own.as_ref().map_or(0, Arena::committed)
    }

    /// Address of the part of `id`, which is below the room.
    #[inline(always)]
    pub(super) fn at(&self, id: usize) -> *mut u8 {
        self.base.wrapping_add(id * self.stride)
    }
}

impl Store {
    /// Runs `body`, which reads all records.
    pub(crate) fn read_all<R>(&self, body: impl FnOnce() -> R) -> R {
        if self.scattered {
            self.records.expect_reads(false);
        }
        let result = body();
        if self.scattered {
            self.records.expect_reads(true);
        }
        result
    }

    /// Runs `body`, which reads some mapped records here and there, before anybody else reads any.
    pub(crate) fn read_some<R>(&self, body: impl FnOnce() -> R) -> R {
        self.records.expect_reads(true);
        let result = body();
        self.records.expect_reads(self.scattered);
        result
    }

    /// Has the ground-level lists in `block` from now on, which holds those of all records. For a store of mapped
    /// records that nobody shares yet, and that will not change: the lists in the records stay what they are.
    pub(crate) fn keep_lists_apart(&mut self, block: Arena) {
        let stride = self.layout.ground_list();
        assert!(block.committed() >= self.count() * stride, "lists for all records");
        // All that is left to read of the records are vectors here and there: reading ahead brings in what nobody
        // wants. A file that is not cached answers its first 10 queries in 0.4 (SIFT) and 0.2 (MiniLM) of the time
        // without.
        self.scattered = true;
        self.records.expect_reads(true);
        self.lists = Column::apart(block, stride);
    }
}
