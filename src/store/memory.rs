//! What a store takes, by what it is.

use std::sync::atomic::Ordering;

use super::arena::Arena;
use super::Store;

/// What a store takes, in bytes.
pub(crate) struct Memory {
    /// Vectors, ground-level lists and labels; what stands beside them; codes.
    pub(crate) records: usize,
    pub(crate) beside: usize,
    pub(crate) codes: usize,
    /// Of the first two, by what it is.
    pub(crate) vectors: usize,
    pub(crate) links: usize,
    pub(crate) labels: usize,
}

impl Store {
    /// Memory in bytes.
    pub(crate) fn memory(&self) -> Memory {
        let block = self.records.committed();
        let (lists, labels) = (self.lists.committed(), self.labels.committed());
        let uppers = self.upper_bytes.load(Ordering::Relaxed);
        let sides = self.levels.committed() + self.uppers.committed() + self.locks.committed();
        let rest = self.dirty.memory() + self.lengths.as_ref().map_or(0, Arena::committed);
        let layout = &self.layout;
        let room = block / layout.stride;
        let (vectors, own_lists, own_labels) = match layout.apart {
            true => (block, 0, 0),
            false => (room * layout.vector_bytes, room * layout.ground_list(), room * 8),
        };
        Memory {
            records: block + lists + labels,
            codes: self.code_bytes.load(Ordering::Relaxed),
            beside: sides + rest + uppers,
            vectors,
            links: own_lists + lists + uppers,
            labels: own_labels + labels,
        }
    }
}
