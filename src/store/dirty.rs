//! Which records changed since the last persist, and of which only links and flags did: two bits each.

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
    /// An empty set that marks nothing yet, over a block for one byte per record (and 16 for the last 64).
    pub(crate) fn new(words: Arena) -> Self {
        Self { words, room: AtomicUsize::new(0), on: AtomicBool::new(false) }
    }

    /// Starts marking.
    pub(crate) fn enable(&self) {
        self.on.store(true, Ordering::Relaxed);
    }

    pub(super) fn make_room(&self, records: usize) -> Result<()> {
        self.words.commit(records.div_ceil(64) * 16)?;
        self.room.store(records, Ordering::Release);
        Ok(())
    }

    pub(super) fn memory(&self) -> usize {
        self.words.committed()
    }

    /// Word `at`: by twos, one bit each for 64 records that changed, then for those of them that changed as a whole.
    fn word(&self, at: usize) -> &AtomicU64 {
        debug_assert!(at / 2 * 64 < self.room.load(Ordering::Relaxed));
        // SAFETY: committed by make_room, aligned, only used as atomics.
        unsafe { AtomicU64::from_ptr(self.words.base().cast::<u64>().add(at)) }
    }

    /// Marks a record whose links or flags changed.
    #[inline]
    pub(crate) fn mark(&self, slot: Slot) {
        if self.on.load(Ordering::Relaxed) {
            self.set(slot, 0);
        }
    }

    /// Marks a record whose vector, length or label changed, too.
    pub(crate) fn mark_whole(&self, slot: Slot) {
        if self.on.load(Ordering::Relaxed) {
            self.set(slot, 0);
            self.set(slot, 1);
        }
    }

    #[inline]
    fn set(&self, slot: Slot, part: usize) {
        let (word, bit) = (self.word(slot.index() / 64 * 2 + part), 1 << (slot.index() % 64));
        if word.load(Ordering::Relaxed) & bit == 0 {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    fn words(&self) -> impl Iterator<Item = (usize, &AtomicU64, &AtomicU64)> {
        (0..self.room.load(Ordering::Acquire).div_ceil(64)).map(|at| (at, self.word(2 * at), self.word(2 * at + 1)))
    }

    /// Marked records.
    pub(crate) fn count(&self) -> usize {
        self.words().map(|(_, any, _)| any.load(Ordering::Relaxed).count_ones() as usize).sum()
    }

    /// Marked ids, ascending, and whether the whole record changed.
    pub(crate) fn ids(&self) -> Vec<(u32, bool)> {
        let mut ids = Vec::new();
        for (at, any, whole) in self.words() {
            let (mut bits, whole) = (any.load(Ordering::Relaxed), whole.load(Ordering::Relaxed));
            while bits != 0 {
                let bit = bits.trailing_zeros();
                ids.push(((at * 64) as u32 + bit, whole >> bit & 1 != 0));
                bits &= bits - 1;
            }
        }
        ids
    }

    /// Unmarks all.
    pub(crate) fn clear(&self) {
        for (_, any, whole) in self.words() {
            if any.load(Ordering::Relaxed) != 0 {
                any.store(0, Ordering::Relaxed);
                whole.store(0, Ordering::Relaxed);
            }
        }
    }
}
