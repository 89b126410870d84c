//! Neighbour lists: read by searches without a lock, written under the record's lock.

use std::sync::atomic::{AtomicU32, Ordering};

use super::layout::{COUNT, LIST_HEADER};
use super::{Slot, Store};

/// The list of one record on one level.
#[derive(Clone, Copy)]
pub(crate) struct Links<'a> {
    header: &'a AtomicU32,
    slots: &'a [AtomicU32],
    store: &'a Store,
}

impl Store {
    /// The ground-level list.
    #[inline(always)]
    pub(crate) fn links0(&self, slot: Slot) -> Links<'_> {
        let list = self.lists.at(slot.index());
        // SAFETY: max_m0 aligned u32 follow the header in the list; they are only used as atomics.
        let slots =
            unsafe { std::slice::from_raw_parts(list.add(LIST_HEADER).cast::<AtomicU32>(), self.layout.max_m0) };
        Links { header: self.header(slot), slots, store: self }
    }

    /// The list on `level`; None if the record does not reach it (which a valid graph never asks for).
    #[inline]
    pub(crate) fn links(&self, slot: Slot, level: usize) -> Option<Links<'_>> {
        if level == 0 {
            return Some(self.links0(slot));
        }
        if level > self.level(slot) {
            return None;
        }
        let lists = self.upper(slot.index()).load(Ordering::Acquire);
        // SAFETY: a record of this level has as many lists, calloc'ed (so aligned); only used as atomics.
        unsafe {
            let list = lists.add((level - 1) * self.layout.upper_list());
            let header = AtomicU32::from_ptr(list.cast());
            let slots = std::slice::from_raw_parts(list.add(LIST_HEADER).cast::<AtomicU32>(), self.layout.max_m);
            Some(Links { header, slots, store: self })
        }
    }
}

impl<'a> Links<'a> {
    /// Number of links; a count beyond the list (from a damaged file) is cut.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        ((self.header.load(Ordering::Acquire) & COUNT) as usize).min(self.slots.len())
    }

    /// The count as stored, which a damaged file can have beyond the list.
    pub(crate) fn stored_len(&self) -> usize {
        (self.header.load(Ordering::Acquire) & COUNT) as usize
    }

    /// Links the list can hold.
    pub(crate) fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// The ids as stored, unchecked, without those that are being written behind the end. Loads are relaxed: the
    /// reader fences once (acquire) before it uses what it found.
    #[inline(always)]
    pub(crate) fn raw(&self) -> impl Iterator<Item = u32> + 'a {
        self.slots[..self.len()].iter().map(|slot| slot.load(Ordering::Relaxed))
    }

    /// The neighbours: stored ids that are slots. A list that is being rewritten gives a mixture of old and new.
    #[inline(always)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = Slot> + 'a {
        let store = self.store;
        self.slots[..self.len()].iter().filter_map(move |slot| store.slot(slot.load(Ordering::Acquire)))
    }

    /// Whether `slot` is among them.
    pub(crate) fn contains(&self, slot: Slot) -> bool {
        self.raw().any(|id| id == slot.id())
    }

    /// Adds a link at the end, under the record's lock; there must be room.
    pub(crate) fn push(&self, slot: Slot) {
        let len = self.len();
        self.slots[len].store(slot.id(), Ordering::Release);
        self.set_len(len + 1);
    }

    /// Replaces all links, under the record's lock. Slots behind the new end keep what they held, as hnswlib's do.
    pub(crate) fn replace(&self, links: impl ExactSizeIterator<Item = Slot>) {
        let len = links.len();
        for (to, slot) in self.slots.iter().zip(links) {
            to.store(slot.id(), Ordering::Release);
        }
        self.set_len(len);
    }

    fn set_len(&self, len: usize) {
        let rest = self.header.load(Ordering::Relaxed) & !COUNT;
        self.header.store(rest | len as u32, Ordering::Release);
    }

    /// Asks for the lines of the list.
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        let start = std::ptr::from_ref(self.header).cast::<u8>();
        let bytes = LIST_HEADER + 4 * self.slots.len();
        super::view::prefetch_lines(start, bytes.min(512));
    }
}
