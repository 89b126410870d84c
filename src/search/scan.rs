//! The candidates of many new records at once: where there are not too many records, measuring all of them by codes, for all
//! new ones together, takes less time than a walk for each. What is found are the nearest, not the nearest that can be reached.

use std::ops::Range;

use crate::codes::sketch::LEVELS;
use crate::codes::tiles::{self, Queries, Rows};
use crate::search::heap::Near;
use crate::store::view::View;

/// New records that are looked up at once, at most and at least. With 64 or 256 at most, adds take 0.97 to 1.07 of the time.
pub(crate) const MOST: usize = 128;
pub(crate) const LEAST: usize = 16;
/// Most candidates of a record.
const MOST_KEPT: usize = 2048;
/// What is found beyond twice those before the nearest are chosen.
const BESIDE: usize = 64;

/// What was found for a block of new rows.
#[derive(Default)]
pub(crate) struct Scan {
    queries: Queries,
    /// Candidates of a row.
    kept: usize,
    /// The records there were.
    count: usize,
    /// The rows that are looked up.
    rows: Range<usize>,
}

impl Scan {
    /// Whether looking up rows of `dim` values in `count` records is worth it, when each is to have `ef` candidates. A scan and
    /// walks take as long at 75,000 records (SIFT), 130,000 (GloVe) and 70,000 (MiniLM), with 200 candidates.
    pub(crate) fn is_worth(count: usize, dim: usize, ef: usize) -> bool {
        tiles::is_there() && ef <= MOST_KEPT && count * (dim + 55) <= ef * (64_000 + 200 * dim)
    }

    /// Forgets what was found.
    pub(crate) fn forget(&mut self) {
        self.rows = 0..0;
    }

    /// Begins with a block of rows of a kind, to find `kept` records for each; false if there is no memory.
    pub(crate) fn begin(&mut self, rows: Range<usize>, kept: usize, kind: (usize, bool)) -> bool {
        self.forget();
        let begun = self.queries.reset(rows.len(), 2 * kept + BESIDE, kind);
        if begun {
            (self.kept, self.rows) = (kept, rows);
        }
        begun
    }

    /// A row to be looked up: a code's bytes, or a sketch's with its levels.
    pub(crate) fn set(&mut self, row: usize, bytes: &[u8], is_sketch: bool) {
        let values = if is_sketch { &bytes[LEVELS..] } else { bytes };
        self.queries.set(row - self.rows.start, values);
    }

    /// Looks up all rows that were set in all records of a view of what is measured, in which no record is as it was before a
    /// rewrite.
    pub(crate) fn run(&mut self, view: &View<'_>, levels: &[u8], are_sketches: bool, deletions: bool) {
        assert!(tiles::is_there() && !view.has_before());
        let (first, stride) = view.rows();
        let rows = Rows { first, stride, count: view.count(), are_sketches };
        self.count = rows.count;
        let kept = self.kept;
        let mut reduce = |list: &mut Vec<u64>| {
            keep_nearest(list, kept, view, deletions);
            list.get(kept - 1).map_or(i32::MAX, |last| tiles::score(*last))
        };
        // SAFETY: the loop is there; records of a session are readable, and nobody writes them meanwhile.
        unsafe { tiles::scan(&mut self.queries, rows, levels, &mut reduce) };
    }

    /// Leaves in `near` what was found for a row, nearest first, without what `view` has as deleted; returns the number of records
    /// that were looked at. None: the row was not looked up.
    pub(crate) fn take(
        &mut self,
        row: usize,
        view: &View<'_>,
        deletions: bool,
        near: &mut Vec<Near<i32>>,
    ) -> Option<usize> {
        let at = self.rows.contains(&row).then(|| row - self.rows.start)?;
        let (list, offset) = self.queries.found(at)?;
        keep_nearest(list, self.kept, view, deletions);
        list.sort_unstable();
        near.clear();
        for entry in list {
            if let Some(slot) = view.slot(*entry as u32) {
                near.push(Near { distance: tiles::score(*entry).wrapping_add(offset), slot });
            }
        }
        Some(self.count)
    }
}

/// Reduces a list to its `kept` nearest, of which the last is the farthest.
fn keep_nearest(list: &mut Vec<u64>, kept: usize, view: &View<'_>, deletions: bool) {
    if deletions {
        list.retain(|entry| view.slot(*entry as u32).is_some_and(|slot| !view.is_deleted(slot)));
    }
    if list.len() > kept {
        list.select_nth_unstable(kept - 1);
        list.truncate(kept);
    }
}
