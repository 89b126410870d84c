//! Records that a certified query has seen and not measured, by what codes prove their distances to be above.
//!
//! # Equivalence
//! A walk on vectors expands the nearest record seen, unless `ef` others are nearer. Here [`super::pool`] has the
//! records that were measured. Its nearest is expanded when nothing pending can be nearer, so it is the nearest of all;
//! and those that are nearer than it were all measured, so the pool tells as well as one of all whether there are `ef`.
//! What is beyond `ef` others for certain is forgotten. Equal distances are the exception, since which of them a pool
//! keeps at its bound depends on when they came: where two meet there, expanded or not, the query is asked anew on
//! vectors alone. With deleted records the pool may find sooner or later than one of all that it has lost some, and
//! heaps answer.

use crate::distance::kernel::Kernel;
use crate::distance::sorted::{self, Sorted, FRONT};
use crate::error::Result;
use crate::search::pool::Pool;
use crate::store::Slot;

/// Records that are measured at once.
pub(crate) const AT_ONCE: usize = 4;
/// With more waiting than so many times `ef`, and some, codes tell so little that a query is better off without them.
const CROWD: usize = 4;
const CROWD_ANYWAY: usize = 512;

/// An entry is a key above an id and this; what was taken is zero.
const NOT_TAKEN: u64 = 1;

/// The records, sorted.
#[derive(Default)]
pub(crate) struct Pending {
    /// Zeros, those taken among them, the entries, and a place for one more.
    list: Vec<u64>,
    /// Where the first one is, and where they end, without the zeros that stand before all.
    head: usize,
    end: usize,
    /// How many of the pool's farthest were left out for the last bound.
    skipped: usize,
}

impl Pending {
    /// Empties it.
    pub(crate) fn clear(&mut self) {
        (self.head, self.end, self.skipped) = (0, 0, 0);
    }

    #[inline(always)]
    fn entries(&self) -> &[u64] {
        &self.list[FRONT + self.head..FRONT + self.end]
    }

    /// Makes room for so many more.
    #[inline(always)]
    pub(crate) fn reserve(&mut self, more: usize) -> Result<()> {
        if self.list.len() < FRONT + 1 + self.end + more {
            sorted::make_room(&mut self.list, 2 * (self.end + more), "a search pool")?;
        }
        Ok(())
    }

    /// Adds a record whose distance has a key above `key`; 0: any. There must be room for it.
    #[inline(always)]
    pub(crate) fn insert<K: Kernel>(&mut self, key: u32, slot: Slot) {
        let entry = u64::from(key) << 32 | u64::from(slot.id()) << 1 | NOT_TAKEN;
        // SAFETY: K is chosen for this CPU by `search::code_engine`.
        unsafe { K::Sorted::insert(&mut self.list, self.end, entry) };
        self.end += 1;
    }

    /// The greatest key that `ef` of the records seen can have at the bound; u32::MAX while there are fewer. `highest`
    /// of a record's key here is the greatest that its distance can have.
    #[inline(always)]
    pub(crate) fn bound(&mut self, pool: &Pool, highest: impl Fn(u32) -> u32) -> u32 {
        if pool.is_full() {
            return pool.bound_key();
        }
        let (entries, known) = (&self.list[FRONT + self.head..FRONT + self.end], pool.entries());
        // The nearest of both, so many of the pool that its last is not farther than the last pending one may be.
        let missing = pool.kept() - known.len();
        if entries.first().is_none_or(|first| key(*first) == 0) {
            return u32::MAX;
        }
        self.skipped = self.skipped.min(known.len());
        loop {
            let Some(last) = entries.get(missing + self.skipped - 1) else { return u32::MAX };
            let highest = highest(key(*last));
            if known[..known.len() - self.skipped].last().is_none_or(|farthest| key(*farthest) <= highest) {
                return highest;
            }
            self.skipped += 1;
        }
    }

    /// Forgets what is beyond a bound. False: there is too much that is not, for `ef`.
    #[inline(always)]
    pub(crate) fn trim(&mut self, bound: u32, ef: usize) -> bool {
        while self.entries().last().is_some_and(|last| key(*last) >= bound) {
            self.end -= 1;
        }
        self.end - self.head <= CROWD * ef + CROWD_ANYWAY
    }

    /// Takes the first ones, if they may be nearer than `limit`; puts their ids into `ids` and tells how many.
    #[inline(always)]
    pub(crate) fn take(&mut self, limit: u32, highest: impl Fn(u32) -> u32, ids: &mut [u32; AT_ONCE]) -> usize {
        if self.head == self.end {
            return 0;
        }
        let entries = &mut self.list[FRONT + self.head..FRONT + self.end];
        let Some(first) = entries.first().map(|first| key(*first)).filter(|first| *first < limit) else { return 0 };
        // Others are likely to be needed if they may be nearer than the first.
        let limit = limit.min(highest(first));
        let mut count = 0;
        for entry in entries.iter_mut().take(AT_ONCE) {
            if count > 0 && key(*entry) >= limit {
                break;
            }
            ids[count] = *entry as u32 >> 1;
            *entry = 0;
            count += 1;
        }
        self.head += count;
        count
    }
}

#[inline(always)]
fn key(entry: u64) -> u32 {
    (entry >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::scalar::L2;
    use crate::distance::kernel::Distance;
    use crate::store::{layout::Layout, Store};

    const COUNT: usize = 600;
    const LINKS: usize = 12;

    /// Ids in the order in which they are expanded, and the nearest that are not deleted; None: some are lost.
    type Walk = Option<(Vec<u32>, Vec<(u32, i32)>)>;

    struct Graph {
        slots: Vec<Slot>,
        links: Vec<[usize; LINKS]>,
        distances: Vec<i32>,
        /// Keys that those of the distances are above, at most `width` below them.
        lowest: Vec<u32>,
        width: u32,
        deleted: Vec<bool>,
    }

    impl Graph {
        fn unseen(&self, id: u32, seen: &mut [bool]) -> Vec<usize> {
            let links = self.links[id as usize].iter().copied();
            links.filter(|other| !std::mem::replace(&mut seen[*other], true)).collect()
        }

        fn start(&self, (ef, spare): (usize, usize)) -> (Pool, Vec<bool>) {
            let (mut pool, mut seen) = (Pool::default(), vec![false; COUNT]);
            pool.reset(ef, spare).unwrap();
            pool.insert::<L2>(self.distances[0], self.slots[0]);
            seen[0] = true;
            (pool, seen)
        }

        fn pass_by(&self, pool: &mut Pool, id: u32) {
            if self.deleted[id as usize] {
                pool.pass_by(self.slots[id as usize]);
            }
        }

        fn end(&self, pool: &Pool, ef: usize, expanded: Vec<u32>) -> Walk {
            let live: Vec<_> = pool.iter().filter(|(id, _)| !self.deleted[*id as usize]).take(ef).collect();
            pool.are_all(live.len(), ef).then_some((expanded, live))
        }

        fn walk(&self, ef: (usize, usize)) -> Walk {
            let ((mut pool, mut seen), mut expanded) = (self.start(ef), Vec::new());
            while let Some(id) = pool.next() {
                expanded.push(id);
                self.pass_by(&mut pool, id);
                for other in self.unseen(id, &mut seen) {
                    if self.distances[other].pool_key() < pool.bound_key() {
                        pool.insert::<L2>(self.distances[other], self.slots[other]);
                    }
                }
            }
            self.end(&pool, ef.0, expanded)
        }

        /// None: it gave up.
        fn walk_pending(&self, ef: (usize, usize), measured: &mut usize) -> Option<Walk> {
            let ((mut pool, mut seen), mut expanded) = (self.start(ef), Vec::new());
            let mut pending = Pending::default();
            let highest = |lowest: u32| lowest + self.width;
            loop {
                let mut ids = [0; AT_ONCE];
                let count = pending.take(pool.next_key(), highest, &mut ids);
                *measured += count;
                for id in &ids[..count] {
                    if !pool.admit::<L2>(self.distances[*id as usize].pool_key(), self.slots[*id as usize]) {
                        return None;
                    }
                }
                if count > 0 {
                    continue;
                }
                let Some(id) = pool.next() else { return Some(self.end(&pool, ef.0, expanded)) };
                expanded.push(id);
                self.pass_by(&mut pool, id);
                pending.reserve(LINKS).unwrap();
                let bound = pending.bound(&pool, highest);
                for other in self.unseen(id, &mut seen) {
                    // Of some nothing is known.
                    let lowest = if other % 50 == 7 { 0 } else { self.lowest[other] };
                    if lowest < bound {
                        pending.insert::<L2>(lowest, self.slots[other]);
                    }
                }
                let bound = pending.bound(&pool, highest);
                assert!(pending.trim(bound, COUNT));
            }
        }
    }

    /// Whether distances differ or not, a walk with pending records is the one without, or gives up; it does only for
    /// equal ones.
    #[test]
    fn a_walk_with_pending_records_is_the_one_without() {
        let store = Store::new(Layout::apart(4, 2), false, COUNT).unwrap();
        store.make_room(COUNT).unwrap();
        let slots: Vec<Slot> = (0..COUNT).map(|_| store.claim(0, std::ptr::null_mut(), &[0; 4], 1.0, 0)).collect();
        let mut random = 1u32;
        let mut below = |end: usize| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 8) as usize % end
        };
        let (mut gave_up, mut ended, mut lost, mut missed, mut measured, mut seen) = (0, 0, 0, 0, 0, 0);
        for case in 0..4000 {
            let ties = case % 2 == 0;
            let kinds = [300, 12, 40][case % 7 % 3];
            let width = [20, 400, 4000, 40_000][case / 2 % 4];
            let distances: Vec<i32> = (0..COUNT)
                .map(|id| if ties { below(kinds) as i32 * 10_000 } else { (below(500) * COUNT + id) as i32 })
                .collect();
            let mut links = || std::array::from_fn(|_| below(COUNT));
            let links = (0..COUNT).map(|_| links()).collect();
            let lowest = distances.iter().map(|d| d.pool_key() - 1 - below(width) as u32).collect();
            // None, some, many, with spare places or too few of them.
            let one_in = [usize::MAX, 30, 4][case / 8 % 3];
            let deleted = (0..COUNT).map(|_| below(one_in) == 1).collect();
            let graph = Graph { slots: slots.clone(), links, distances, lowest, width: width as u32, deleted };
            let ef = (1 + below(120), if one_in > COUNT { 0 } else { 1 + below(50) });
            let walk = graph.walk(ef);
            let mut own = 0;
            let pending = graph.walk_pending(ef, &mut own);
            match &pending {
                // Fewer measured ones can be too many deleted among them sooner, or later.
                Some(None) => assert!(graph.deleted.contains(&true), "case {case}"),
                Some(pending) if ties => assert!(walk.is_none() || *pending == walk, "case {case}"),
                Some(pending) => assert_eq!(*pending, graph.walk((ef.0, COUNT)), "case {case}"),
                None => assert!(ties, "case {case}"),
            }
            lost += usize::from(walk.is_none());
            missed += usize::from(pending.as_ref().is_some_and(Option::is_none) && walk.is_some());
            if ties {
                (gave_up, ended) = (gave_up + usize::from(pending.is_none()), ended + usize::from(pending.is_some()));
            } else if width == 20 {
                let mut all = vec![false; COUNT];
                if let Some((expanded, _)) = walk {
                    expanded.iter().for_each(|id| seen += graph.unseen(*id, &mut all).len());
                    measured += own;
                }
            }
        }
        assert!(gave_up > 100 && ended > 100 && lost > 100, "{gave_up} {ended} {lost}");
        assert!(missed < 40, "{missed} more were lost");
        assert!(measured * 3 < seen, "{measured} of {seen} were measured");
    }
}
