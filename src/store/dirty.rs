//! Which records changed since the last persist: one bit each.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::arena::Arena;
use super::Slot;
use crate::error::Result;

/// The set. Marking is for any thread; taking it is for the one that persists, while writers wait.
pub(crate) struct Dirty {
    words: Arena,
    room: AtomicUsize,
    /// Whether anybody will ever persist.
    on: AtomicBool,
}

impl Dirty {
    /// An empty set that marks nothing yet, over a block for one byte per record.
    pub(crate) fn new(words: Arena) -> Self {
        Self { words, room: AtomicUsize::new(0), on: AtomicBool::new(false) }
    }

    /// Starts marking.
    pub(crate) fn enable(&self) {
        self.on.store(true, Ordering::Relaxed);
    }

    pub(super) fn make_room(&self, records: usize) -> Result<()> {
        self.words.commit(records.div_ceil(64) * 8)?;
        self.room.store(records, Ordering::Release);
        Ok(())
    }

    pub(super) fn memory(&self) -> usize {
        self.words.committed()
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        debug_assert!(at * 64 < self.room.load(Ordering::Relaxed));
        // SAFETY: committed by make_room, aligned, only used as atomics.
        unsafe { AtomicU64::from_ptr(self.words.base().cast::<u64>().add(at)) }
    }

    /// Marks a record.
    #[inline]
    pub(crate) fn mark(&self, slot: Slot) {
        if self.on.load(Ordering::Relaxed) {
            let (word, bit) = (self.word(slot.index() / 64), 1 << (slot.index() % 64));
            if word.load(Ordering::Relaxed) & bit == 0 {
                word.fetch_or(bit, Ordering::Relaxed);
            }
        }
    }

    fn words(&self) -> impl Iterator<Item = (usize, &AtomicU64)> {
        (0..self.room.load(Ordering::Acquire).div_ceil(64)).map(|at| (at, self.word(at)))
    }

    /// Marked records.
    pub(crate) fn count(&self) -> usize {
        self.words().map(|(_, word)| word.load(Ordering::Relaxed).count_ones() as usize).sum()
    }

    /// Marked ids, ascending.
    pub(crate) fn ids(&self) -> Vec<u32> {
        let mut ids = Vec::new();
        for (at, word) in self.words() {
            let mut bits = word.load(Ordering::Relaxed);
            while bits != 0 {
                ids.push((at * 64) as u32 + bits.trailing_zeros());
                bits &= bits - 1;
            }
        }
        ids
    }

    /// Unmarks all.
    pub(crate) fn clear(&self) {
        for (_, word) in self.words() {
            if word.load(Ordering::Relaxed) != 0 {
                word.store(0, Ordering::Relaxed);
            }
        }
    }
}
