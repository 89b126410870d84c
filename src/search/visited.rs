//! The records a search has seen: a bit each, and a list of the words touched, so that forgetting costs what the
//! search did and not what the index holds. At a million records it is 125 KB and stays in the L2 cache.

use crate::error::{out_of_memory, Result};
use crate::store::Slot;

/// The set.
#[derive(Default)]
pub(crate) struct Visited {
    words: Vec<u64>,
    touched: Vec<u32>,
}

impl Visited {
    /// Makes room for ids below `count`.
    pub(crate) fn reserve(&mut self, count: usize) -> Result<()> {
        let needed = count.div_ceil(64);
        if needed > self.words.len() {
            let words = needed.next_multiple_of(1024).max(self.words.len() * 5 / 4);
            self.words.try_reserve_exact(words - self.words.len()).map_err(|_| out_of_memory("a visited set"))?;
            self.words.resize(words, 0);
        }
        if self.touched.capacity() < 1024 {
            self.touched.try_reserve(1024).map_err(|_| out_of_memory("a visited set"))?;
        }
        Ok(())
    }

    /// Adds a record below the count reserved for; true if it is new.
    #[inline(always)]
    pub(crate) fn insert(&mut self, slot: Slot) -> bool {
        let (at, bit) = (slot.id() as usize / 64, 1u64 << (slot.id() % 64));
        let word = &mut self.words[at];
        if *word & bit != 0 {
            return false;
        }
        *word |= bit;
        self.touched.push(at as u32);
        true
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        if self.touched.len() > self.words.len() / 4 {
            self.words.fill(0);
        } else {
            for at in &self.touched {
                self.words[*at as usize] = 0;
            }
        }
        self.touched.clear();
    }
}
