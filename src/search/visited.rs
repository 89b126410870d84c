//! The records a search has seen: a bit each, and above them a bit for each cache line of bits that was touched, so
//! that forgetting costs what the search did and not what the index holds. At a million records the bits are 125 KB
//! and stay in the L2 cache, the upper ones are 250 bytes.

use crate::error::{out_of_memory, Result};
use crate::store::Slot;

/// Words of a cache line.
const LINE: usize = 8;

/// The set.
#[derive(Default)]
pub(crate) struct Visited {
    words: Vec<u64>,
    /// Bit i: some of words `LINE * i ..` are not zero.
    lines: Vec<u64>,
}

impl Visited {
    /// Makes room for ids below `count`.
    pub(crate) fn reserve(&mut self, count: usize) -> Result<()> {
        let needed = count.div_ceil(64);
        if needed > self.words.len() {
            let words = needed.max(self.words.len() * 5 / 4).next_multiple_of(64 * LINE);
            let lines = words / LINE / 64;
            let failed = |_| out_of_memory("a visited set");
            self.words.try_reserve_exact(words - self.words.len()).map_err(failed)?;
            self.lines.try_reserve_exact(lines - self.lines.len()).map_err(failed)?;
            self.words.resize(words, 0);
            self.lines.resize(lines, 0);
        }
        Ok(())
    }

    /// Adds a record below the count reserved for; true if it is new.
    #[inline(always)]
    pub(crate) fn insert(&mut self, slot: Slot) -> bool {
        let at = slot.id() as usize / 64;
        let word = &mut self.words[at];
        let old = *word;
        *word = old | 1 << (slot.id() % 64);
        let line = at / LINE;
        self.lines[line / 64] |= 1 << (line % 64);
        old != *word
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        for (upper, words) in self.lines.iter_mut().zip(self.words.chunks_exact_mut(64 * LINE)) {
            let mut bits = std::mem::take(upper);
            while bits != 0 {
                let line = bits.trailing_zeros() as usize;
                words[line * LINE..(line + 1) * LINE].fill(0);
                bits &= bits - 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{layout::Layout, Store};

    #[test]
    fn remembers_and_forgets() {
        let store = Store::new(Layout::aligned(4, 2), false, 100_000).unwrap();
        store.make_room(100_000).unwrap();
        let slots: Vec<Slot> = (0..100_000).map(|_| store.claim(0, std::ptr::null_mut(), &[0; 4], 1.0, 0)).collect();
        let mut visited = Visited::default();
        visited.reserve(1).unwrap();
        visited.reserve(slots.len()).unwrap();
        for step in [1, 7, 64, 513, 99_999] {
            assert!(slots.iter().step_by(step).all(|slot| visited.insert(*slot)));
            assert!(slots.iter().step_by(step).all(|slot| !visited.insert(*slot)));
            visited.clear();
        }
        assert!(visited.words.iter().chain(&visited.lines).all(|word| *word == 0));
    }
}
