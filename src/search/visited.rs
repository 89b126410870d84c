//! The records a search has seen: a bit each, and a list of those whose bits are set, so that forgetting costs what the
//! search did and not what the index holds. At a million records the bits are 125 KB and stay in the L2 cache.

use crate::error::{out_of_memory, Result};
use crate::store::links::Links;
use crate::store::view::View;
use crate::store::Slot;

/// Records the list has room for. A search that sees more has done so much that clearing all bits is little.
const LISTED: usize = 8192;

/// Words that are cleared one after the other in the time that one record's is looked up and cleared.
const WORDS_PER_RECORD: usize = 4;

/// The set.
#[derive(Default)]
pub(crate) struct Visited {
    words: Vec<u64>,
    listed: Vec<Slot>,
    /// Some bits are set whose records are not listed.
    overflown: bool,
}

/// Sets a record's bit; true if it was not set.
#[inline(always)]
fn set(words: &mut [u64], slot: Slot) -> bool {
    let word = &mut words[slot.id() as usize / 64];
    let old = *word;
    *word = old | 1 << (slot.id() % 64);
    old != *word
}

impl Visited {
    /// Makes room for ids below `count`.
    pub(crate) fn reserve(&mut self, count: usize) -> Result<()> {
        let failed = |_| out_of_memory("a visited set");
        self.listed.try_reserve_exact(LISTED - self.listed.len()).map_err(failed)?;
        let needed = count.div_ceil(64);
        if needed > self.words.len() {
            let words = needed.max(self.words.len() * 5 / 4).next_multiple_of(512);
            self.words.try_reserve_exact(words - self.words.len()).map_err(failed)?;
            self.words.resize(words, 0);
        }
        Ok(())
    }

    /// Adds a record below the count reserved for; true if it is new.
    #[inline(always)]
    pub(crate) fn insert(&mut self, slot: Slot) -> bool {
        let new = set(&mut self.words, slot);
        self.list(&[slot]);
        new
    }

    /// Adds the neighbours in `links`. Those that are new are the first in `slots` then, in their order; tells how
    /// many.
    #[inline(always)]
    pub(crate) fn unseen(&mut self, view: &View<'_>, links: Links<'_>, slots: &mut [Slot]) -> usize {
        let words = &mut self.words[..];
        let mut count = 0;
        for id in links.raw() {
            if let Some(slot) = view.slot(id) {
                // Without a branch on whether it is new, which cannot be predicted.
                slots[count] = slot;
                count += usize::from(set(words, slot));
            }
        }
        self.list(&slots[..count]);
        count
    }

    #[inline(always)]
    fn list(&mut self, slots: &[Slot]) {
        if self.listed.len() + slots.len() <= LISTED {
            self.listed.extend_from_slice(slots);
        } else {
            self.overflown = true;
        }
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        if self.overflown || self.words.len() < WORDS_PER_RECORD * self.listed.len() {
            self.words.fill(0);
        } else {
            for slot in &self.listed {
                self.words[slot.id() as usize / 64] = 0;
            }
        }
        self.listed.clear();
        self.overflown = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{layout::Layout, Store};

    #[test]
    fn remembers_and_forgets() {
        let store = Store::new(Layout::apart(4, 2), false, 100_000).unwrap();
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
        assert!(visited.words.iter().all(|word| *word == 0));
    }
}
