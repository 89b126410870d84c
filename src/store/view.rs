//! What a session sees: the records, one of them perhaps as it was before a rewrite. Distances are computed here,
//! because here ids become addresses: of vectors, or, in a view [`View::on_codes`], of their codes.

use std::marker::PhantomData;

use super::rewrite::{Before, SessionCell};
use super::{Slot, Store};
use crate::codes::tiles::Rows;
use crate::codes::{sketch, Codes};
use crate::distance::kernel::{Kernel, Ruler};

/// An open session on a store.
pub(crate) struct View<'a> {
    store: &'a Store,
    /// None: the session is another view's.
    cell: Option<&'a SessionCell>,
    before: Option<&'a Before>,
    /// Id of the record to be read from `before`; u32::MAX, which is no slot, when there is none.
    moved: u32,
    count: usize,
    ruler: Ruler<'a>,
    codes: Option<&'a Codes>,
    /// What is measured: the row of id 0, the distance to the next, bytes of a row, and the row of `moved`.
    rows: *const u8,
    stride: usize,
    row_bytes: usize,
    /// Bytes that kernels read of a query.
    query_bytes: usize,
    moved_row: *const u8,
}

/// A vector to measure from: readable for what the view measures as long as the view is used with it.
#[derive(Clone, Copy)]
pub(crate) struct Query<'a>(*const u8, PhantomData<&'a u8>);

impl<'a> View<'a> {
    /// Opens a session with a cell of [`super::rewrite::Rewrites::register`] that no other session uses.
    #[inline]
    pub(crate) fn open(store: &'a Store, cell: &'a SessionCell, ruler: Ruler<'a>) -> Self {
        let before = store.rewrites.open(cell);
        let count = store.count();
        // After the session and the count: what keeps codes from being exact is stated before its record is shown.
        let codes = store.codes();
        Self {
            store,
            cell: Some(cell),
            before,
            moved: before.map_or(u32::MAX, |b| b.id),
            count,
            ruler,
            codes,
            rows: store.vector_ptr(Slot::FIRST),
            stride: store.layout.stride,
            row_bytes: store.layout.vector_bytes,
            query_bytes: store.layout.vector_bytes,
            moved_row: before.map_or(std::ptr::null(), |b| b.vector.bytes().as_ptr()),
        }
    }

    /// The codes of this session, if there are any.
    #[inline(always)]
    pub(crate) fn codes(&self) -> Option<&'a Codes> {
        self.codes
    }

    /// Whether codes are the vectors of all records of this session.
    pub(crate) fn codes_are_lossless(&self, codes: &Codes) -> bool {
        codes.quantiser().is_lossless() && codes.exceptional() == 0 && !self.has_before()
    }

    /// Whether a record is seen as it was before a rewrite.
    pub(crate) fn has_before(&self) -> bool {
        self.before.is_some()
    }

    /// The same session with the codes in the place of the vectors, if they are kept.
    #[inline]
    pub(crate) fn on_codes(&self, codes: &'a Codes) -> Option<View<'_>> {
        codes.rows().map(|rows| self.on(rows, codes.stride(), 0, codes.stride()))
    }

    /// The same with sketches, if there are some.
    #[inline]
    pub(crate) fn on_sketches(&self, codes: &'a Codes) -> Option<View<'_>> {
        codes.sketches().map(|(rows, stride)| self.on(rows, stride, codes.stride(), sketch::query_bytes(stride)))
    }

    /// The same session with rows of `stride` bytes, which for a record as it was are `at` bytes into its code.
    #[inline]
    fn on(&self, rows: *const u8, stride: usize, at: usize, query_bytes: usize) -> View<'_> {
        View {
            store: self.store,
            cell: None,
            before: self.before,
            moved: self.moved,
            count: self.count,
            ruler: Ruler::values(stride, i32::MAX.into()),
            codes: None,
            rows,
            stride,
            row_bytes: stride,
            query_bytes,
            moved_row: self.before.map_or(std::ptr::null(), |b| b.code.bytes()[at..].as_ptr()),
        }
    }

    /// What is measured with.
    #[inline(always)]
    pub(crate) fn ruler(&self) -> &Ruler<'a> {
        &self.ruler
    }

    /// Whether the host wants the call to end.
    #[inline(always)]
    pub(crate) fn is_cancelled<K: Kernel>(&self) -> bool {
        K::CANCELS && self.ruler.is_cancelled()
    }

    pub(crate) fn store(&self) -> &'a Store {
        self.store
    }

    /// Records when the session was opened; a search looks at these only.
    #[inline(always)]
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// `id` as a slot, if it was one when the session was opened.
    #[inline(always)]
    pub(crate) fn slot(&self, id: u32) -> Option<Slot> {
        ((id as usize) < self.count).then_some(Slot(id))
    }

    /// A vector of ours to measure from.
    pub(crate) fn query<'q>(&self, vector: &'q [u8]) -> Query<'q> {
        assert!(vector.len() >= self.query_bytes);
        Query(vector.as_ptr(), PhantomData)
    }

    /// A vector of the host's to measure from.
    ///
    /// # Safety
    /// It is readable for what the view measures as long as 'q lasts.
    pub(crate) unsafe fn query_at<'q>(&self, vector: *const u8) -> Query<'q> {
        Query(vector, PhantomData)
    }

    /// A record's vector.
    #[cfg(test)]
    pub(crate) fn vector(&self, slot: Slot) -> &[u8] {
        // SAFETY: the record's vector, which is not written while the session is open.
        unsafe { std::slice::from_raw_parts(self.row(slot), self.store.layout.vector_bytes) }
    }

    /// A record's vector to measure from.
    #[inline(always)]
    pub(crate) fn query_of(&self, slot: Slot) -> Query<'_> {
        Query(self.row(slot), PhantomData)
    }

    /// Address of a record's vector, which is not written while the session is open.
    #[inline(always)]
    pub(crate) fn row(&self, slot: Slot) -> *const u8 {
        if slot.0 == self.moved {
            return self.moved_row;
        }
        self.rows.wrapping_add(slot.index() * self.stride)
    }

    /// All rows of what is measured, with the levels of sketches, for [`crate::codes::tiles::scan`]; none of them is
    /// written while the session is open.
    pub(crate) fn all_rows<'l>(&self, levels: Option<&'l [u8; 16]>) -> Rows<'l> {
        Rows { first: self.rows, stride: self.stride, moved: (self.moved as usize, self.moved_row), levels }
    }

    /// Bytes of what is measured of a record.
    #[inline(always)]
    pub(crate) fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// Label of a record.
    #[inline]
    pub(crate) fn label(&self, slot: Slot) -> u64 {
        match self.before {
            Some(before) if slot.0 == self.moved => before.label,
            _ => self.store.label(slot),
        }
    }

    /// Asks for the line of a record's label.
    #[inline(always)]
    pub(crate) fn prefetch_label(&self, slot: Slot) {
        prefetch(self.store.label_ptr(slot));
    }

    /// Whether a record is deleted.
    #[inline]
    pub(crate) fn is_deleted(&self, slot: Slot) -> bool {
        match self.before {
            Some(before) if slot.0 == self.moved => before.deleted,
            _ => self.store.is_deleted(slot),
        }
    }

    /// Distance of a record.
    #[inline(always)]
    pub(crate) fn distance<K: Kernel>(&self, query: Query<'_>, slot: Slot) -> K::Distance {
        // SAFETY: both are vectors of this store's kind; K is chosen for this CPU by `search::engine`.
        unsafe { K::one(&self.ruler, query.0, self.row(slot)) }
    }

    /// Distances of many records, four at a time; `out` is as long as `slots`.
    #[inline(always)]
    pub(crate) fn distances<K: Kernel>(&self, query: Query<'_>, slots: &[Slot], out: &mut [K::Distance]) {
        let (mut fours, mut to) = (slots.chunks_exact(4), out.chunks_exact_mut(4));
        for (slots, to) in (&mut fours).zip(&mut to) {
            let rows = [self.row(slots[0]), self.row(slots[1]), self.row(slots[2]), self.row(slots[3])];
            // SAFETY: as in `distance`.
            to.copy_from_slice(&unsafe { K::four(&self.ruler, query.0, rows) });
        }
        match (fours.remainder(), to.into_remainder()) {
            ([], _) => {}
            ([slot], to) => to[0] = self.distance::<K>(query, *slot),
            (slots, to) if K::FOUR_AT_ONCE => {
                // Two or three: a pass over four costs less than as many over one.
                let last = slots.len() - 1;
                let rows = [self.row(slots[0]), self.row(slots[1]), self.row(slots[last]), self.row(slots[last])];
                // SAFETY: as in `distance`.
                let four = unsafe { K::four(&self.ruler, query.0, rows) };
                to.copy_from_slice(&four[..slots.len()]);
            }
            (slots, to) => {
                for (slot, to) in slots.iter().zip(to) {
                    *to = self.distance::<K>(query, *slot);
                }
            }
        }
    }

    /// Asks for the lines of a record's vector.
    #[inline(always)]
    pub(crate) fn prefetch(&self, slot: Slot, bytes: usize) {
        prefetch_lines(self.rows.wrapping_add(slot.index() * self.stride), bytes);
    }
}

impl Drop for View<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(cell) = self.cell {
            self.store.rewrites.close(cell);
        }
    }
}

/// Asks for the cache lines that hold `bytes` bytes from `start` on. Any address will do.
#[inline(always)]
pub(crate) fn prefetch_lines(start: *const u8, bytes: usize) {
    let end = start.wrapping_add(bytes);
    let mut line = (start as usize & !63) as *const u8;
    while line < end {
        prefetch(line);
        line = line.wrapping_add(64);
    }
}

#[inline(always)]
fn prefetch(line: *const u8) {
    // SAFETY: a prefetch never faults and changes nothing a program can see.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(line.cast());
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{0}]", in(reg) line, options(nostack, readonly, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = line;
}
