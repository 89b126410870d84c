//! Many queries against many rows, all with all: what is measured, for whom, and what is found. The loop is
//! [`super::tiles_vnni`]; other instruction sets have none yet.

#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "what the loop uses, which is not there"))]

use std::ops::Range;

use crate::distance::kernel::Distance;

/// Queries that are measured at once.
pub(super) const AT_ONCE: usize = 8;
/// Rows of a register, and registers of a tile.
pub(super) const LANES: usize = 16;
pub(super) const GROUPS: usize = 2;

/// Queries, and the nearest rows found for each.
#[derive(Default)]
pub(crate) struct Queries {
    /// How many there are room for; the lists below may have more.
    count: usize,
    /// Four values of each of eight queries, then the next four.
    pub(super) values: Vec<[i32; AT_ONCE]>,
    /// Of each query the score that rows must be below, and what makes its scores distances.
    pub(super) bounds: Vec<i32>,
    offsets: Vec<i32>,
    /// Of each query entries of rows: see [`score`].
    pub(super) found: Vec<Vec<u64>>,
    /// Entries of a list beyond which it is reduced.
    pub(super) full: usize,
    /// Registers that a row fills, a quarter of its values.
    pub(super) steps: usize,
    pub(super) is_l2: bool,
    pub(super) tile: Vec<[i32; LANES]>,
}

/// Rows to be measured.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    /// The row of id 0, and the bytes from one to the next.
    pub(crate) first: *const u8,
    pub(crate) stride: usize,
    /// A row that is elsewhere, and where.
    pub(crate) moved: (usize, *const u8),
    /// What the values of sketches stand for; None: rows are codes.
    pub(crate) levels: Option<&'a [u8; 16]>,
}

impl Rows<'_> {
    /// Where the row of an id is.
    #[inline(always)]
    pub(super) fn row(&self, id: usize) -> *const u8 {
        if id == self.moved.0 {
            self.moved.1
        } else {
            self.first.wrapping_add(id * self.stride)
        }
    }
}

/// Reduces a list that is full; returns the score that rows must be below from then on.
pub(crate) type Reduce<'a> = dyn FnMut(&mut Vec<u64>) -> i32 + 'a;

impl Queries {
    /// Makes room for `count` queries of `dim` values, and for more than `full` entries for each; false if there is no
    /// memory.
    pub(crate) fn reset(&mut self, count: usize, full: usize, (dim, is_l2): (usize, bool)) -> bool {
        let (many, steps) = (count.next_multiple_of(AT_ONCE), dim.div_ceil(4));
        *self = Self { count, full, steps, is_l2, ..std::mem::take(self) };
        // Nothing is below the bound of who is not set.
        let is_there = filled(&mut self.values, many / AT_ONCE * steps, [0; AT_ONCE])
            && filled(&mut self.tile, GROUPS * steps, [0; LANES])
            && filled(&mut self.bounds, many, i32::MIN)
            && filled(&mut self.offsets, many, 0);
        if !is_there || self.found.try_reserve(many).is_err() {
            return false;
        }
        while self.found.len() < many {
            self.found.push(Vec::new());
        }
        self.found[..count].iter_mut().all(|list| {
            list.clear();
            list.try_reserve_exact(full + 1 + LANES).is_ok()
        })
    }

    /// Sets query `at`: a code's bytes, or a sketch's values.
    pub(crate) fn set(&mut self, at: usize, bytes: &[u8]) {
        assert!(at < self.count);
        let lists = &mut self.values[at / AT_ONCE * self.steps..][..self.steps];
        // Unsigned bytes are multiplied with signed ones.
        let flip = if self.is_l2 { 0x8080_8080 } else { 0 };
        let mut square = 0;
        for (list, four) in lists.iter_mut().zip(bytes.chunks_exact(4)) {
            let four: [u8; 4] = [four[0], four[1], four[2], four[3]];
            for x in four {
                square += i32::from(x) * i32::from(x);
            }
            list[at % AT_ONCE] = (u32::from_le_bytes(four) ^ flip) as i32;
        }
        self.bounds[at] = i32::MAX;
        self.offsets[at] = if self.is_l2 { square } else { 0 };
    }

    /// What was found for query `at`, in no order, and what is added to scores to make them distances; None if it was
    /// not set.
    pub(crate) fn found(&mut self, at: usize) -> Option<(&mut Vec<u64>, i32)> {
        let is_set = at < self.count && self.bounds[at] > i32::MIN;
        is_set.then(|| (&mut self.found[at], self.offsets[at]))
    }
}

/// Fills a list with `count` times `value`; false if there is no memory.
fn filled<T: Copy>(list: &mut Vec<T>, count: usize, value: T) -> bool {
    list.clear();
    let is_there = list.try_reserve_exact(count).is_ok();
    if is_there {
        list.resize(count, value);
    }
    is_there
}

/// The score in an entry: its key as in a pool stands above the inverted id; of equal ones the larger id
/// is first, as in [`crate::graph::select`].
pub(crate) fn score(entry: u64) -> i32 {
    i32::from_pool_key((entry >> 32) as u32)
}

/// The id in an entry.
pub(crate) fn id(entry: u64) -> u32 {
    !(entry as u32)
}

/// Whether this machine has the loop.
pub(crate) fn is_there() -> bool {
    #[cfg(target_arch = "x86_64")]
    return {
        use crate::distance::Level;
        Level::current() == Level::Avx512 && Level::has_vnni()
    };
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// Measures all queries against the rows of some ids, the last ones first, and puts those below a query's bound in its
/// list, which `reduce` reduces to less than `full` whenever it is full.
///
/// # Safety
/// [`is_there`]. Rows are readable, and hold as many values as queries do.
pub(crate) unsafe fn scan(queries: &mut Queries, rows: Rows<'_>, ids: Range<usize>, reduce: &mut Reduce<'_>) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller's promise.
    unsafe {
        super::tiles_vnni::scan(queries, rows, ids, reduce);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (queries, rows, ids, reduce);
}
