//! The candidates of many new records at once: where there are not too many records, measuring all of them by codes,
//! for all new ones together, takes less time than a walk for each. What is found are the nearest, not the nearest that
//! can be reached.

use crate::codes::sketch::LEVELS;
use crate::codes::tiles::{self, Queries};
use crate::codes::Codes;
use crate::search::heap::Near;
use crate::store::view::View;
use crate::store::Store;

/// New records that are looked up at once, at most and at least. With 64 or 256 at most, adds take 0.97 to 1.07 of the
/// time.
pub(crate) const MOST: usize = 128;
pub(crate) const LEAST: usize = 16;
/// Most candidates of a record.
const MOST_KEPT: usize = 2048;
/// What is found beyond twice those before the nearest are chosen.
const BESIDE: usize = 64;
/// Products of values in a session, about a millisecond: an update waits for it. Tests have several sessions.
const IN_SESSION: usize = if cfg!(test) { 1_000_000 } else { 100_000_000 };
/// Records that are looked at in a session at least.
const SOME: usize = 32;
/// Of so many youngest records some may not be linked yet.
const YOUNGEST: usize = 1024;

/// What was found for a block of new rows.
#[derive(Default)]
pub(crate) struct Scan {
    queries: Queries,
    dim: usize,
    /// Which codes are measured.
    generation: u64,
    /// Candidates of a row.
    kept: usize,
    /// The records there were.
    count: usize,
    /// Those that remain to be looked at have lower ids.
    rest: usize,
    /// The rows that are looked up, rising.
    rows: Vec<usize>,
}

impl Scan {
    /// Whether looking up rows of `dim` values in `count` records is worth it, when each is to have `ef` candidates. A
    /// scan and walks take as long at 75,000 records (SIFT), 130,000 (GloVe) and 70,000 (MiniLM), with 200 candidates.
    pub(crate) fn is_worth(count: usize, dim: usize, ef: usize) -> bool {
        let of_walk = ef * (64_000 + 200 * dim);
        tiles::is_there() && ef <= MOST_KEPT && count.checked_mul(dim + 55).is_some_and(|of_scan| of_scan <= of_walk)
    }

    /// Forgets what was found.
    pub(crate) fn forget(&mut self) {
        self.rows.clear();
    }

    /// Begins, to find `kept` of `count` records for some rows of a kind by their codes; false if there is no memory.
    pub(crate) fn begin(
        &mut self,
        rows: usize,
        (kept, count): (usize, usize),
        codes: &Codes,
        kind: (usize, bool),
    ) -> bool {
        self.forget();
        (self.kept, self.count, self.rest, self.dim) = (kept, count, count, kind.0);
        self.generation = codes.generation();
        self.queries.reset(rows, 2 * kept + BESIDE, kind) && self.rows.try_reserve(rows).is_ok()
    }

    /// The next row to be looked up: a code's bytes, or a sketch's with its levels. Rows rise.
    pub(crate) fn set(&mut self, row: usize, bytes: &[u8], is_sketch: bool) {
        let values = if is_sketch { &bytes[LEVELS..] } else { bytes };
        self.queries.set(self.rows.len(), values);
        self.rows.push(row);
    }

    /// Whether it is by these codes: distances of others are not comparable.
    pub(crate) fn is_by(&self, codes: &Codes) -> bool {
        self.generation == codes.generation()
    }

    /// Whether something was found by codes that are no longer the store's.
    pub(crate) fn is_outdated(&self, store: &Store) -> bool {
        !self.rows.is_empty() && self.generation != store.generation()
    }

    /// Rows that were set.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Looks up the rows in some more records of a view of what is measured, sketches if there are levels, the younger
    /// ones first; false when that were all.
    pub(crate) fn run(&mut self, view: &View<'_>, levels: Option<&[u8; 16]>, deletions: bool) -> bool {
        assert!(tiles::is_there());
        let some = IN_SESSION / (self.rows.len() * self.dim).max(1);
        let ids = self.rest.min(view.count()).saturating_sub(some.max(SOME))..self.rest.min(view.count());
        let kept = self.kept;
        let mut reduce = |list: &mut Vec<u64>| {
            keep_nearest(list, kept, view, deletions);
            list.get(kept - 1).map_or(i32::MAX, |last| tiles::score(*last))
        };
        // SAFETY: the loop is there; records of a session are readable, and nobody writes them meanwhile; values of
        // queries and rows are of one dim.
        unsafe { tiles::scan(&mut self.queries, view.all_rows(levels), ids.clone(), &mut reduce) };
        self.rest = ids.start;
        self.rest > 0
    }

    /// Leaves in `near` what was found for a row, nearest first, without what `view` has as deleted, or not linked yet;
    /// returns the number of records that were looked at. None: the row was not looked up, or there is no memory.
    pub(crate) fn take(
        &mut self,
        row: usize,
        view: &View<'_>,
        deletions: bool,
        near: &mut Vec<Near<i32>>,
    ) -> Option<usize> {
        let at = self.rows.binary_search(&row).ok()?;
        let (list, offset) = self.queries.found(at)?;
        keep_nearest(list, self.kept, view, deletions);
        list.sort_unstable();
        near.clear();
        near.try_reserve(list.len()).ok()?;
        for entry in list {
            let slot = view.slot(tiles::id(*entry));
            let is_linked = |id: usize, slot| id + YOUNGEST < self.count || view.store().links0(slot).len() > 0;
            if let Some(slot) = slot.filter(|slot| is_linked(slot.id() as usize, *slot)) {
                near.push(Near { distance: tiles::score(*entry).wrapping_add(offset), slot });
            }
        }
        Some(self.count)
    }
}

/// Reduces a list to its `kept` nearest, of which the last is the farthest.
fn keep_nearest(list: &mut Vec<u64>, kept: usize, view: &View<'_>, deletions: bool) {
    if deletions {
        list.retain(|entry| view.slot(tiles::id(*entry)).is_some_and(|slot| !view.is_deleted(slot)));
    }
    if list.len() >= kept {
        list.select_nth_unstable(kept - 1);
        list.truncate(kept);
    }
}
