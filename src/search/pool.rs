//! The sorted pool of a query: the ef nearest records seen so far, and which of them were expanded.
//!
//! An entry is one u64: the distance's bits, mapped so that they order as the distances do, above the id; the lowest
//! bit of the id's half says "expanded". Inserting is a binary search and a memmove of a few hundred bytes.
//!
//! Equivalence with hnswlib's two heaps: a candidate outside the ef nearest is never expanded there either, because
//! the search stops at the first candidate beyond the bound. The exception is a candidate pushed out by a tie, which
//! hnswlib still expands while it is exactly at the bound: `ties` keeps those.

use crate::distance::kernel::Distance;
use crate::error::{out_of_memory, Result};
use crate::store::Slot;

const EXPANDED: u64 = 1 << 31;
const ID: u64 = EXPANDED - 1;

/// The pool.
#[derive(Default)]
pub(crate) struct Pool {
    entries: Vec<u64>,
    len: usize,
    ef: usize,
    /// The first entry that may not be expanded yet.
    cursor: usize,
    /// Entries pushed out while exactly at the bound, not expanded.
    ties: Vec<u64>,
}

impl Pool {
    /// Empties the pool and makes room for `ef` entries.
    pub(crate) fn reset(&mut self, ef: usize) -> Result<()> {
        if self.entries.len() < ef + 1 {
            let more = ef + 1 - self.entries.len();
            self.entries.try_reserve(more).map_err(|_| out_of_memory("a search pool"))?;
            self.entries.resize(ef + 1, 0);
        }
        self.ties.clear();
        (self.len, self.ef, self.cursor) = (0, ef, 0);
        Ok(())
    }

    /// Whether a candidate at this distance would enter.
    #[inline(always)]
    pub(crate) fn admits<D: Distance>(&self, distance: D) -> bool {
        self.len < self.ef || (self.entries[self.len - 1] >> 32) as u32 > distance.pool_key()
    }

    /// The distance that a candidate must be below to enter; None while anything may.
    #[inline(always)]
    pub(crate) fn bound<D: Distance>(&self) -> Option<D> {
        (self.len == self.ef).then(|| D::from_pool_key((self.entries[self.len - 1] >> 32) as u32))
    }

    /// Inserts a candidate that [`Pool::admits`]; true if it is the next to be expanded.
    #[inline(always)]
    pub(crate) fn insert<D: Distance>(&mut self, distance: D, slot: Slot) -> bool {
        let entry = u64::from(distance.pool_key()) << 32 | u64::from(slot.id());
        let at = place(&self.entries[..self.len], entry);
        self.entries.copy_within(at..self.len, at + 1);
        self.entries[at] = entry;
        if self.len < self.ef {
            self.len += 1;
        } else {
            self.push_out(self.entries[self.len]);
        }
        let next = at <= self.cursor;
        self.cursor = self.cursor.min(at);
        next
    }

    #[inline(always)]
    fn push_out(&mut self, out: u64) {
        let bound = self.entries[self.len - 1] >> 32;
        // Without memory the tie is forgotten: one equal candidate fewer is expanded.
        if out >> 32 == bound && out & EXPANDED == 0 && self.ties.try_reserve(1).is_ok() {
            self.ties.push(out);
        }
    }

    /// The nearest record that was not expanded yet; it counts as expanded from now on.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<u32> {
        while self.cursor < self.len {
            let entry = &mut self.entries[self.cursor];
            self.cursor += 1;
            if *entry & EXPANDED == 0 {
                *entry |= EXPANDED;
                return Some((*entry & ID) as u32);
            }
        }
        self.next_tie()
    }

    #[cold]
    fn next_tie(&mut self) -> Option<u32> {
        let bound = self.entries[..self.len].last()? >> 32;
        while let Some(tie) = self.ties.pop() {
            if tie >> 32 == bound {
                return Some((tie & ID) as u32);
            }
        }
        None
    }

    /// The record that [`Pool::next`] would give, ties aside.
    #[inline(always)]
    pub(crate) fn peek(&self) -> Option<u32> {
        let unexpanded = self.entries[self.cursor..self.len].iter().find(|&&e| e & EXPANDED == 0);
        unexpanded.map(|&e| (e & ID) as u32)
    }

    /// Ids and distances, nearest first.
    pub(crate) fn iter<D: Distance>(&self) -> impl Iterator<Item = (u32, D)> + '_ {
        self.entries[..self.len].iter().map(|&e| ((e & ID) as u32, D::from_pool_key((e >> 32) as u32)))
    }
}

/// The first place whose entry is not below `entry`. Few entries are counted, which takes vectors; of more the halves are
/// told apart first.
#[inline(always)]
fn place(entries: &[u64], entry: u64) -> usize {
    const FEW: usize = 96;
    let (mut at, mut rest) = (0, entries);
    while rest.len() > FEW {
        let (low, high) = rest.split_at(rest.len() / 2);
        if high[0] < entry {
            (at, rest) = (at + low.len(), high);
        } else {
            rest = low;
        }
    }
    at + rest.iter().map(|&e| usize::from(e < entry)).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tie_pushes_out_is_expanded_while_it_is_at_the_bound() {
        let store = crate::store::Store::new(crate::store::layout::Layout::aligned(4, 2), false, 8).unwrap();
        store.make_room(8).unwrap();
        let slots: Vec<Slot> = (0..8).map(|_| store.claim(0, std::ptr::null_mut(), &[0; 4], 1.0, 0)).collect();
        let mut pool = Pool::default();
        pool.reset(2).unwrap();
        for (slot, distance) in [(0, 5.0f32), (1, 5.0), (2, 3.0)] {
            assert!(pool.admits(distance));
            pool.insert(distance, slots[slot]);
        }
        // 0 and 2 are in, 1 was pushed out at the bound: hnswlib's other heap still has it.
        assert!(!pool.admits(5.0f32));
        assert_eq!([pool.next(), pool.next(), pool.next(), pool.next()], [Some(2), Some(0), Some(1), None]);

        pool.reset(2).unwrap();
        for (slot, distance) in [(0, 5.0f32), (1, 5.0), (2, 3.0), (3, 4.0)] {
            pool.insert(distance, slots[slot]);
        }
        assert_eq!([pool.next(), pool.next(), pool.next()], [Some(2), Some(3), None], "1 is beyond the bound");
        assert_eq!(pool.iter::<f32>().collect::<Vec<_>>(), [(2, 3.0), (3, 4.0)]);
    }
}
