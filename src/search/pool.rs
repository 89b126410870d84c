//! The sorted pool of a query: the ef nearest records seen so far, and which of them were expanded.
//!
//! Deleted records that are met among them leave their places to others: a pool with spare places keeps some beyond the
//! ef nearest, which may not be expanded until then. What is nearer than the one to be expanded was expanded before, so
//! that it is known how much of that is deleted.
//!
//! An entry is one u64: the distance's bits, mapped so that they order as the distances do, above the id and a bit that
//! says "expanded", so that entries stay sorted when they are. Most of what a list of links brings is beyond the bound
//! and is sorted out at once.
//!
//! Equivalence with hnswlib's two heaps: a candidate outside the ef nearest is never expanded there either, because
//! the search stops at the first candidate beyond the bound. The exception is a candidate pushed out by a tie, which
//! hnswlib still expands while it is exactly at the bound: `ties` keeps those.

use crate::distance::kernel::{Distance, Kernel};
use crate::distance::sorted::{self, Sorted, FRONT, MANY};
use crate::error::{out_of_memory, Result};
use crate::search::hop::Hop;
use crate::store::Slot;

const EXPANDED: u64 = 1;

/// The pool.
#[derive(Default)]
pub(crate) struct Pool {
    /// Zeros, the entries, and a place for one more.
    list: Vec<u64>,
    len: usize,
    /// How many are wanted, and how many it keeps.
    ef: usize,
    kept: usize,
    /// Expanded entries that are deleted, sorted, and whether there were once more of them here than spare places.
    deleted: Vec<u64>,
    has_too_many: bool,
    /// The first entry that may not be expanded yet.
    cursor: usize,
    /// Entries pushed out while exactly at the bound, not expanded.
    ties: Vec<u64>,
}

impl Pool {
    /// Empties the pool and makes room for `ef` entries, and `spare` ones for those of them that are deleted.
    pub(crate) fn reset(&mut self, ef: usize, spare: usize) -> Result<()> {
        let kept = ef.saturating_add(spare);
        sorted::make_room(&mut self.list, kept, "a search pool")?;
        self.ties.clear();
        self.deleted.clear();
        let deleted = if spare > 0 { kept } else { 0 };
        self.deleted.try_reserve(deleted).map_err(|_| out_of_memory("a search pool"))?;
        (self.len, self.ef, self.kept, self.cursor, self.has_too_many) = (0, ef, kept, 0, false);
        Ok(())
    }

    /// The entries, nearest first: a key above an id and more.
    #[inline(always)]
    pub(crate) fn entries(&self) -> &[u64] {
        &self.list[FRONT..FRONT + self.len]
    }

    /// The key that a candidate's must be below to enter; nothing, but for one NaN, is too far while there is room.
    #[inline(always)]
    pub(crate) fn bound_key(&self) -> u32 {
        if self.len < self.kept {
            u32::MAX
        } else {
            (self.list[FRONT + self.len - 1] >> 32) as u32
        }
    }

    /// Whether only what is nearer than the last may enter.
    #[inline(always)]
    pub(crate) fn is_full(&self) -> bool {
        self.len == self.kept
    }

    /// Inserts those of the first `count` in `hop` that are nearer than the bound when it is their turn. The id of the
    /// next to be expanded, if that is one of them.
    #[inline(always)]
    pub(crate) fn insert_all<K: Kernel>(&mut self, hop: &Hop<K::Distance>, count: usize) -> Option<u32> {
        let mut first = usize::MAX;
        for at in (0..count).step_by(MANY) {
            let (slots, distances) = (&hop.slots[at..at + MANY], &hop.distances[at..at + MANY]);
            let mut keys = [0; MANY];
            for (key, distance) in keys.iter_mut().zip(distances) {
                *key = distance.pool_key();
            }
            // SAFETY: K is chosen for this CPU by `search::engine`.
            let below = unsafe { K::Sorted::below(&keys, self.bound_key()) };
            let below = below & (u32::MAX >> (MANY - (count - at).min(MANY)));
            if below != 0 {
                first = first.min(self.insert_below::<K>(slots, &keys, below));
            }
        }
        (first <= self.cursor).then(|| id(self.list[FRONT + first]))
    }

    /// Inserts those whose bits are set, one after the other, while they are nearer than the bound. The lowest place of
    /// one.
    #[inline(always)]
    fn insert_below<K: Kernel>(&mut self, slots: &[Slot], keys: &[u32; MANY], below: u32) -> usize {
        let mut first = usize::MAX;
        let mut rest = below;
        while rest != 0 {
            let i = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            if keys[i] < self.bound_key() {
                first = first.min(self.insert_one::<K>(keys[i], slots[i]));
            }
        }
        first
    }

    /// Inserts a candidate that is nearer than the bound.
    #[inline(always)]
    pub(crate) fn insert<K: Kernel>(&mut self, distance: K::Distance, slot: Slot) {
        self.insert_one::<K>(distance.pool_key(), slot);
    }

    #[inline(always)]
    fn insert_one<K: Kernel>(&mut self, key: u32, slot: Slot) -> usize {
        // SAFETY: as above.
        let at = unsafe { K::Sorted::insert(&mut self.list, self.len, entry(key, slot)) };
        if self.len < self.kept {
            self.len += 1;
        } else {
            self.push_out(self.list[FRONT + self.len]);
        }
        self.cursor = self.cursor.min(at);
        at
    }

    #[inline(always)]
    fn push_out(&mut self, out: u64) {
        // Without memory the tie is forgotten: one equal candidate fewer is expanded.
        if out >> 32 == u64::from(self.bound_key()) && out & EXPANDED == 0 && self.ties.try_reserve(1).is_ok() {
            self.ties.push(out);
        }
    }

    /// The nearest record that was not expanded yet; it counts as expanded from now on. None, too, where the pool has
    /// lost others.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<u32> {
        if self.has_lost() {
            return None;
        }
        while self.cursor < self.len {
            let entry = self.list[FRONT + self.cursor];
            if entry & EXPANDED == 0 {
                if !self.is_open(self.cursor) && self.edge().is_some_and(|edge| entry >> 32 > edge) {
                    break;
                }
                self.list[FRONT + self.cursor] = entry | EXPANDED;
                self.cursor += 1;
                return Some(id(entry));
            }
            self.cursor += 1;
        }
        self.next_tie()
    }

    /// The record that was given last is deleted.
    pub(crate) fn pass_by(&mut self, slot: Slot) {
        // What was pushed out never comes back, so that there are no more of them than entries.
        self.deleted.truncate(self.deleted_in(self.len));
        let given = self.list[FRONT + self.cursor - 1];
        // A tie has no place here.
        if id(given) == slot.id() {
            self.deleted.insert(self.deleted.partition_point(|deleted| *deleted < given), given);
        }
        self.has_too_many |= self.deleted.len() > self.kept - self.ef;
    }

    /// Whether more records were deleted than there are spare places for, so that others may be missing.
    #[inline(always)]
    fn has_lost(&self) -> bool {
        self.has_too_many && self.is_full()
    }

    /// Whether `found` are all that are not deleted of the `wanted` nearest, or all that can be reached.
    pub(crate) fn are_all(&self, found: usize, wanted: usize) -> bool {
        let saw_all = || !self.is_full() && self.is_open(self.len) && self.unexpanded().is_none();
        !self.has_lost() && (found == wanted.min(self.ef) || saw_all())
    }

    /// How many of the nearest are known to be deleted.
    fn deleted_in(&self, nearest: usize) -> usize {
        let nearest = &self.entries()[..nearest];
        nearest.last().map_or(0, |last| self.deleted.partition_point(|deleted| deleted <= last))
    }

    /// Whether fewer than `ef` others are nearer than an entry, of which all that are nearer were expanded.
    #[inline(always)]
    fn is_open(&self, at: usize) -> bool {
        at < self.ef || at < self.ef + self.deleted_in(at)
    }

    /// The key of the ef-th that is not deleted, or of the last: at that distance hnswlib expands all.
    fn edge(&self) -> Option<u64> {
        let mut open = self.ef.min(self.len);
        loop {
            let next = (self.ef + self.deleted_in(open)).min(self.len);
            if next == open {
                return self.entries()[..open].last().map(|last| last >> 32);
            }
            open = next;
        }
    }

    #[cold]
    fn next_tie(&mut self) -> Option<u32> {
        let bound = self.edge()?;
        while let Some(tie) = self.ties.pop() {
            if tie >> 32 == bound {
                return Some(id(tie));
            }
        }
        None
    }

    /// How many it may have.
    #[inline(always)]
    pub(crate) fn kept(&self) -> usize {
        self.kept
    }

    /// The key of the record that [`Pool::next`] would give. Where it would give none, the key that another's must be
    /// below to be given.
    #[inline(always)]
    pub(crate) fn next_key(&self) -> u32 {
        let key = |at: usize| (self.list[FRONT + at] >> 32) as u32;
        match self.unexpanded() {
            Some(at) if self.is_open(at) => key(at),
            None if self.is_open(self.len) => u32::MAX,
            at => self.edge().map_or(0, |edge| edge as u32).min(at.map_or(u32::MAX, key)),
        }
    }

    /// Inserts a record if it is nearer than the bound. False: at the bound there are two, and which of them stays
    /// depends on which came first.
    #[inline(always)]
    pub(crate) fn admit<K: Kernel>(&mut self, key: u32, slot: Slot) -> bool {
        let (was_full, bound) = (self.is_full(), self.bound_key());
        if key >= bound {
            return !was_full || key > bound;
        }
        self.insert_one::<K>(key, slot);
        !was_full || self.bound_key() < bound
    }

    /// The record that [`Pool::next`] would give, ties aside.
    #[inline(always)]
    pub(crate) fn peek(&self) -> Option<u32> {
        let rest = &self.entries()[self.cursor..];
        rest.iter().find(|entry| *entry & EXPANDED == 0).map(|entry| id(*entry))
    }

    #[inline(always)]
    fn unexpanded(&self) -> Option<usize> {
        let rest = &self.entries()[self.cursor..];
        rest.iter().position(|entry| entry & EXPANDED == 0).map(|at| self.cursor + at)
    }

    /// Ids and distances, nearest first.
    pub(crate) fn iter<D: Distance>(&self) -> impl Iterator<Item = (u32, D)> + '_ {
        self.entries().iter().map(|&e| (id(e), D::from_pool_key((e >> 32) as u32)))
    }
}

#[inline(always)]
fn entry(key: u32, slot: Slot) -> u64 {
    u64::from(key) << 32 | u64::from(slot.id()) << 1
}

#[inline(always)]
fn id(entry: u64) -> u32 {
    entry as u32 >> 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::scalar::L2;
    use crate::distance::scalar::Scalar;
    use crate::store::{layout::Layout, Store};

    fn slots(count: usize) -> Vec<Slot> {
        let store = Store::new(Layout::apart(4, 2), false, count).unwrap();
        store.make_room(count).unwrap();
        (0..count).map(|_| store.claim(0, std::ptr::null_mut(), &[0; 4], 1.0, 0)).collect()
    }

    fn hop<D: Distance>(near: impl Iterator<Item = (Slot, D)>) -> (Hop<D>, usize) {
        let mut hop = Hop::default();
        (hop.slots, hop.distances) = near.unzip();
        let count = hop.slots.len();
        hop.reserve(count);
        (hop, count)
    }

    #[test]
    fn what_a_tie_pushes_out_is_expanded_while_it_is_at_the_bound() {
        let slots = slots(8);
        let mut pool = Pool::default();
        let mut fill = |near: &[(usize, f32)]| {
            pool.reset(2, 0).unwrap();
            let (hop, count) = hop(near.iter().map(|(slot, distance)| (slots[*slot], *distance)));
            pool.insert_all::<Scalar<false>>(&hop, count);
            let found = pool.iter::<f32>().collect::<Vec<_>>();
            (std::iter::from_fn(|| pool.next()).collect::<Vec<_>>(), found)
        };
        // 0 and 2 are in, 1 was pushed out at the bound: hnswlib's other heap still has it. 3 came too late.
        assert_eq!(fill(&[(0, 5.0), (1, 5.0), (2, 3.0), (3, 5.0)]).0, [2, 0, 1]);
        // 1 is beyond the bound.
        assert_eq!(fill(&[(0, 5.0), (1, 5.0), (2, 3.0), (3, 4.0)]), (vec![2, 3], vec![(2, 3.0), (3, 4.0)]));
    }

    #[test]
    fn ties_at_the_bound_are_told() {
        let slots = slots(4);
        let admit = |distances: [i32; 3]| {
            let mut pool = Pool::default();
            pool.reset(2, 0).unwrap();
            distances.iter().zip(&slots).all(|(distance, slot)| pool.admit::<L2>(distance.pool_key(), *slot))
        };
        assert!(admit([5, 4, 6]) && admit([5, 4, 3]) && admit([5, 5, 6]) && admit([3, 5, 2]));
        // At the bound, and pushed out while at it, be it expanded.
        assert!(!admit([5, 4, 5]) && !admit([5, 5, 5]) && !admit([5, 5, 3]));
        let mut pool = Pool::default();
        pool.reset(2, 0).unwrap();
        assert!(pool.admit::<L2>(5i32.pool_key(), slots[2]) && pool.next() == Some(2));
        assert!(pool.admit::<L2>(5i32.pool_key(), slots[0]) && !pool.admit::<L2>(3i32.pool_key(), slots[1]));
    }

    /// A pool with spare places against hnswlib's algorithm, which looks at a record's flag before it takes it: where
    /// distances differ they expand the same, in the same order, and find the same; or the pool knows that it has lost
    /// some. Where distances are equal it finds as much on the whole.
    #[test]
    fn spare_places_make_up_for_the_deleted() {
        const COUNT: usize = 500;
        let slots = slots(COUNT);
        let mut random = 1u32;
        let mut below = |end: usize| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 8) as usize % end
        };
        let (mut lost, mut ended, mut sums) = (0, 0, [0; 2]);
        for case in 0..3000 {
            let (ties, ef, spare) = (case % 3 == 0, 1 + below(60), 1 + below(30));
            let one_in = [2, 5, 50][case % 7 % 3];
            let distances: Vec<i32> =
                (0..COUNT).map(|id| if ties { below(40) as i32 } else { (below(500) * COUNT + id) as i32 }).collect();
            let deleted: Vec<bool> = (0..COUNT).map(|_| below(one_in) == 0).collect();
            let links: Vec<[usize; 8]> = (0..COUNT).map(|_| std::array::from_fn(|_| below(COUNT))).collect();

            let (mut frontier, mut found, mut expanded) = (vec![(distances[0], 0)], Vec::new(), Vec::new());
            let mut seen = vec![false; COUNT];
            seen[0] = true;
            found.extend((!deleted[0]).then_some(distances[0]));
            while let Some(at) = (0..frontier.len()).min_by_key(|at| frontier[*at]) {
                let (distance, id) = frontier.swap_remove(at);
                if found.len() == ef && distance > found[ef - 1] {
                    break;
                }
                expanded.push(id as u32);
                for other in links[id].into_iter().filter(|other| !std::mem::replace(&mut seen[*other], true)) {
                    if found.len() < ef || distances[other] < found[ef - 1] {
                        frontier.push((distances[other], other));
                        found.extend((!deleted[other]).then_some(distances[other]));
                        found.sort_unstable();
                        found.truncate(ef);
                    }
                }
            }

            let (mut pool, mut seen, mut by_pool) = (Pool::default(), vec![false; COUNT], Vec::new());
            pool.reset(ef, spare).unwrap();
            pool.insert::<L2>(distances[0], slots[0]);
            seen[0] = true;
            while let Some(id) = pool.next() {
                by_pool.push(id);
                if deleted[id as usize] {
                    pool.pass_by(slots[id as usize]);
                }
                for other in links[id as usize].into_iter().filter(|other| !std::mem::replace(&mut seen[*other], true))
                {
                    if distances[other].pool_key() < pool.bound_key() {
                        pool.insert::<L2>(distances[other], slots[other]);
                    }
                }
            }
            if pool.has_lost() {
                lost += 1;
                continue;
            }
            ended += 1;
            let live = pool.iter::<i32>().filter(|(id, _)| !deleted[*id as usize]).take(ef);
            let distances: Vec<i32> = live.map(|(_, distance)| distance).collect();
            if ties {
                for (sum, found) in sums.iter_mut().zip([&distances, &found]) {
                    *sum += found.iter().map(|distance| 1000 - i64::from(*distance)).sum::<i64>();
                }
            } else {
                assert_eq!((by_pool, distances), (expanded, found), "case {case}");
            }
        }
        assert!(lost > 100 && ended > 1000, "{lost} {ended}");
        assert!(sums[0] >= sums[1], "{sums:?}");
    }

    /// What lists bring at once is what it would be one after the other.
    #[test]
    fn all_at_once_is_one_after_the_other() {
        let slots = slots(4096);
        let mut random = 1u32;
        let mut below = |end: u32| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 8) % end
        };
        let (mut many, mut single) = (Pool::default(), Pool::default());
        let mut ties = 0;
        for case in 0..2000 {
            let (ef, values) = (1 + below(120) as usize, if case % 2 == 0 { 8 } else { 1000 });
            many.reset(ef, 0).unwrap();
            single.reset(ef, 0).unwrap();
            let mut rest = slots.iter();
            for _ in 0..below(20) {
                let near: Vec<(Slot, i32)> =
                    rest.by_ref().take(1 + below(70) as usize).map(|slot| (*slot, below(values) as i32 - 4)).collect();
                let (hop, count) = hop(near.iter().copied());
                let next = many.insert_all::<L2>(&hop, count);
                assert!(next.is_none_or(|id| many.peek() == Some(id)), "case {case}");
                for (slot, distance) in &near {
                    if distance.pool_key() < single.bound_key() {
                        single.insert::<L2>(*distance, *slot);
                    }
                }
                let near = |pool: &Pool| pool.iter::<i32>().collect::<Vec<_>>();
                assert_eq!(near(&many), near(&single), "case {case}");
                for _ in 0..below(3) {
                    assert_eq!(many.next(), single.next(), "case {case}");
                }
                ties += usize::from(!single.ties.is_empty());
            }
            let next = |pool: &mut Pool| std::iter::from_fn(|| pool.next()).collect::<Vec<_>>();
            assert_eq!(next(&mut many), next(&mut single), "case {case}");
        }
        assert!(ties > 100, "{ties}");
    }
}
