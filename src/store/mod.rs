//! The records: the only owner of raw node memory.
//!
//! # Contents
//! A record per id in blocks that never move ([`arena`]): one, laid out as [`layout`] says, or one each for vectors,
//! ground-level lists and labels ([`mod@column`]); beside it, per id: the level, the upper-level lists (one block of
//! the C heap per record that has any, as hnswlib has them: to find and read them takes 1.5 % of a guided query at ef
//! 60), a lock of one byte, for cosine the vector's length, and a code ([`coding`]) if there are codes. Labels to ids:
//! [`labels`]. Changed since the last persist: [`dirty`].
//!
//! # Reading without locks
//! A [`Slot`] is an id below `count`; memory of such an id stays valid for the store's life. Link slots and list
//! headers are atomics. A record's vector, label, level and own links are complete before its id is stored in any
//! link slot (release), so whoever finds it there (acquire) reads it whole. Bytes of a file are not trusted: ids are
//! checked against `count` and lists against the record's level whenever they are read.
//!
//! # Writing
//! Lists are written under the record's lock. A vector that searches may be reading is replaced by [`rewrite`] only.

pub(crate) mod arena;
pub(crate) mod coding;
pub(crate) mod column;
pub(crate) mod data;
pub(crate) mod dirty;
pub(crate) mod hash_order;
pub(crate) mod labels;
pub(crate) mod layout;
pub(crate) mod links;
mod memory;
pub(crate) mod rewrite;
mod shared;
pub(crate) mod view;

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::codes::Codes;
use crate::error::{out_of_memory, Result};
use crate::sync::{ByteGuard, ByteLock};
use arena::Arena;
use column::Column;
use dirty::Dirty;
use layout::{Layout, DELETED};
use rewrite::Rewrites;
pub(crate) use shared::Shared;

/// An id whose record exists: it was below the store's count, which never shrinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(u32);

impl Slot {
    /// Fills buffers whose content is never used.
    pub(crate) const FIRST: Self = Self(0);

    /// The id.
    #[inline(always)]
    pub(crate) fn id(self) -> u32 {
        self.0
    }

    #[inline(always)]
    fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where the parts of a store are in memory.
pub(crate) struct Addresses {
    pub(crate) records: *mut u8,
    pub(crate) uppers: *mut *mut u8,
    pub(crate) levels: *mut i32,
    pub(crate) lengths: *mut f32,
}

/// Bytes beside a record, wherever its parts are: level, address of upper lists, lock, mark of a change, length.
const SIDES: usize = 4 + 8 + 1 + 1 + 4;

/// All records of an index.
pub(crate) struct Store {
    layout: Layout,
    records: Arena,
    /// Ground-level lists and labels: inside the records, or apart from the vectors.
    lists: Column,
    labels: Column,
    /// The records are a file's, of which only vectors here and there are read.
    scattered: bool,
    levels: Arena,
    uppers: Arena,
    locks: Arena,
    lengths: Option<Arena>,
    dirty: Dirty,
    rewrites: Rewrites,
    /// Null, or the generation of codes that searches use: see [`coding`].
    codes: AtomicPtr<Codes>,
    /// That of the codes.
    generation: AtomicU64,
    code_bytes: AtomicUsize,
    /// Whether only sketches of the codes are kept, and nobody has tried in vain to have all of them.
    sketches_alone: AtomicBool,
    count: Shared<AtomicUsize>,
    /// Records that memory is committed for.
    room: AtomicUsize,
    upper_bytes: AtomicUsize,
}

impl Store {
    /// An empty store with address space for at least `records` records.
    pub(crate) fn new(layout: Layout, with_lengths: bool, records: usize) -> Result<Self> {
        Self::with_block(layout, Self::reserve(&layout, records)?, with_lengths, records)
    }

    /// An address range for `least` records, and for as many more as there will be addresses for, also of what stands
    /// beside each.
    pub(crate) fn reserve(layout: &Layout, least: usize) -> Result<Arena> {
        let needed = layout.block(least.max(1))?;
        // Lists and labels, and codes of a byte and of half a byte for each float.
        let apart = if layout.apart { layout.ground_list() + 8 + layout.dim() * 3 / 2 } else { 0 };
        let each = layout.stride + apart + SIDES;
        let most = (Arena::plenty(each.saturating_mul(least)) / each).min(crate::params::MAX_RECORDS);
        Arena::reserve_up_to(layout.block(most).unwrap_or(needed).max(needed), needed)
    }

    /// Has the number of records in a cell of the host's from now on.
    pub(crate) fn share_count(&mut self, cell: Shared<AtomicUsize>) {
        cell.store(self.count.load(Ordering::Relaxed), Ordering::Release);
        self.count = cell;
    }

    /// A store over a block that may hold records already; see [`Store::adopt`].
    pub(crate) fn with_block(layout: Layout, records: Arena, with_lengths: bool, least: usize) -> Result<Self> {
        let most = ((records.capacity() - layout.base) / layout.stride).min(crate::params::MAX_RECORDS).max(least);
        let side = |bytes: usize| Arena::reserve_up_to(most.max(1) * bytes, least.max(1) * bytes);
        let column = |offset: usize, bytes: usize| match layout.apart {
            true => Ok(Column::apart(side(bytes)?, bytes)),
            false => Ok(Column::of_records(&records, &layout, offset)),
        };
        Ok(Self {
            layout,
            lists: column(0, layout.ground_list())?,
            labels: column(layout.label, 8)?,
            scattered: false,
            records,
            levels: side(4)?,
            uppers: side(8)?,
            locks: side(1)?,
            lengths: with_lengths.then(|| side(4)).transpose()?,
            dirty: Dirty::new(Arena::reserve_up_to(most.max(1) + 16, least.max(1) + 16)?),
            rewrites: Rewrites::new(layout.vector_bytes),
            codes: AtomicPtr::new(ptr::null_mut()),
            generation: AtomicU64::new(0),
            sketches_alone: AtomicBool::new(false),
            code_bytes: AtomicUsize::new(0),
            count: Shared::new(AtomicUsize::new(0)),
            room: AtomicUsize::new(0),
            upper_bytes: AtomicUsize::new(0),
        })
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn dirty(&self) -> &Dirty {
        &self.dirty
    }

    pub(crate) fn rewrites(&self) -> &Rewrites {
        &self.rewrites
    }

    /// Records.
    #[inline]
    pub(crate) fn count(&self) -> usize {
        // A host that shares the count may set it; beyond the room there is no memory.
        self.count.load(Ordering::Acquire).min(self.room.load(Ordering::Relaxed))
    }

    /// `id` as a slot, if it is one.
    #[inline(always)]
    pub(crate) fn slot(&self, id: u32) -> Option<Slot> {
        ((id as usize) < self.count()).then_some(Slot(id))
    }

    /// All slots there are now, ascending.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.slots_from(0)
    }

    /// As [`Store::slots`], from the id `first` on.
    pub(crate) fn slots_from(&self, first: usize) -> impl Iterator<Item = Slot> {
        (first as u32..self.count() as u32).map(Slot)
    }

    /// Refuses a number of records that the reserved address range cannot hold.
    pub(crate) fn check_reserved(&self, records: usize) -> Result<()> {
        if !self.layout.block(records).is_ok_and(|bytes| bytes <= self.records.capacity()) {
            return Err(out_of_memory(&format!("{records} records in the address range of this index")));
        }
        Ok(())
    }

    /// Commits memory for `records` records. Calls must not overlap.
    pub(crate) fn make_room(&self, records: usize) -> Result<()> {
        if records <= self.room.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.records.commit(self.layout.block(records)?)?;
        self.lists.commit(records)?;
        self.labels.commit(records)?;
        self.levels.commit(4 * records)?;
        self.uppers.commit(8 * records)?;
        self.locks.commit(records)?;
        self.dirty.make_room(records)?;
        if let Some(lengths) = &self.lengths {
            lengths.commit(4 * records)?;
        }
        if let Some(codes) = self.codes() {
            codes.make_room(records)?;
            self.code_bytes.store(codes.memory(), Ordering::Relaxed);
        }
        self.room.store(records, Ordering::Release);
        Ok(())
    }

    /// Memory for the upper-level lists of one record, all zeros; null for level 0. The caller passes it to
    /// [`Store::claim`] or to [`Store::free_upper`].
    pub(crate) fn allocate_upper(&self, level: usize) -> Result<*mut u8> {
        if level == 0 {
            return Ok(ptr::null_mut());
        }
        // One byte more than the lists, as hnswlib allocates.
        let bytes = self.layout.upper_list() * level + 1;
        // SAFETY: calloc has no preconditions.
        let lists = unsafe { libc::calloc(1, bytes) }.cast::<u8>();
        if lists.is_null() {
            return Err(out_of_memory("the upper-level lists of a record"));
        }
        Ok(lists)
    }

    /// Gives back what [`Store::allocate_upper`] gave.
    pub(crate) fn free_upper(&self, lists: *mut u8) {
        // SAFETY: from calloc, or null; the caller gives it up.
        unsafe { libc::free(lists.cast()) };
    }

    /// Adds a record without links. Calls must not overlap; there must be room. All but its links is written before
    /// the count lets anybody see it: also a link of a damaged file that names an id to come finds a whole record.
    pub(crate) fn claim(&self, level: usize, lists: *mut u8, vector: &[u8], length: f32, label: u64) -> Slot {
        let id = self.count.load(Ordering::Relaxed);
        assert!(id < self.room.load(Ordering::Relaxed), "a record without room");
        // SAFETY: id < room, and nobody has this slot yet: nobody else uses these bytes.
        unsafe { ptr::write_bytes(self.lists.at(id), 0, self.layout.ground_list()) };
        self.adopt(id, level, lists);
        let slot = Slot(id as u32);
        self.fill(slot, vector, length, label);
        self.count.store(id + 1, Ordering::Release);
        slot
    }

    /// Sets level and lists of the record at `id`, which is below the room.
    fn adopt(&self, id: usize, level: usize, lists: *mut u8) {
        if level > 0 {
            self.upper_bytes.fetch_add(self.layout.upper_list() * level, Ordering::Relaxed);
        }
        // Lists first: whoever sees the level (acquire) sees them.
        self.upper(id).store(lists, Ordering::Release);
        self.level_cell(id).store(level as i32, Ordering::Release);
    }

    /// Takes over the next record that is in the block already, from a file, with its upper-level lists as a file
    /// holds them. For a store that nobody shares yet; there must be room.
    pub(crate) fn adopt_record(&mut self, lists: &[u8]) -> Result<()> {
        let id = self.count.load(Ordering::Relaxed);
        assert!(id < self.room.load(Ordering::Relaxed), "a record without room");
        let level = lists.len() / self.layout.upper_list();
        let memory = self.allocate_upper(level)?;
        if level > 0 {
            // SAFETY: allocate_upper gave room for `level` lists; nobody else has the memory yet.
            unsafe { ptr::copy_nonoverlapping(lists.as_ptr(), memory, level * self.layout.upper_list()) };
        }
        self.adopt(id, level, memory);
        self.count.store(id + 1, Ordering::Release);
        Ok(())
    }

    /// Addresses for a host that reaches into the memory; they stay what they are.
    pub(crate) fn addresses(&self) -> Addresses {
        Addresses {
            records: self.records.base().wrapping_add(self.layout.base),
            uppers: self.uppers.base().cast(),
            levels: self.levels.base().cast(),
            lengths: self.lengths.as_ref().map_or(ptr::null_mut(), |lengths| lengths.base().cast()),
        }
    }

    // ---- addresses -------------------------------------------------------------------------------------------

    /// Address of the record at `id`, which is below the room.
    #[inline(always)]
    fn record(&self, id: usize) -> *mut u8 {
        // SAFETY: id < room: stride * id + base is inside the committed block.
        unsafe { self.records.base().add(self.layout.base + id * self.layout.stride) }
    }

    fn level_cell(&self, id: usize) -> &AtomicI32 {
        // SAFETY: inside the committed block, aligned, only ever used as an atomic.
        unsafe { AtomicI32::from_ptr(self.levels.base().cast::<i32>().add(id)) }
    }

    fn upper(&self, id: usize) -> &AtomicPtr<u8> {
        // SAFETY: as above.
        unsafe { AtomicPtr::from_ptr(self.uppers.base().cast::<*mut u8>().add(id)) }
    }

    /// The record's first four bytes: link count of the ground level, and flags.
    #[inline(always)]
    fn header(&self, slot: Slot) -> &AtomicU32 {
        // SAFETY: a list's address is divisible by 4 (Layout::usable_in_place), its header is only used as an atomic
        // once the slot exists.
        unsafe { AtomicU32::from_ptr(self.lists.at(slot.index()).cast()) }
    }

    /// Start of the record's vector. Readable while a session is open ([`rewrite`]), or under the
    /// label's lock.
    #[inline(always)]
    pub(crate) fn vector_ptr(&self, slot: Slot) -> *const u8 {
        self.record(slot.index()).wrapping_add(self.layout.vector)
    }

    // ---- reading ---------------------------------------------------------------------------------------------

    /// Level of a record.
    #[inline]
    pub(crate) fn level(&self, slot: Slot) -> usize {
        self.level_cell(slot.index()).load(Ordering::Acquire) as usize
    }

    /// Whether a record is deleted.
    #[inline]
    pub(crate) fn is_deleted(&self, slot: Slot) -> bool {
        self.header(slot).load(Ordering::Relaxed) & DELETED != 0
    }

    /// Label of a record, under the same condition as [`Store::vector_ptr`].
    pub(crate) fn label(&self, slot: Slot) -> u64 {
        // SAFETY: 8 bytes inside the record, complete since the slot was linked to.
        unsafe { self.label_ptr(slot).cast::<u64>().read_unaligned() }
    }

    /// Address of a record's label.
    #[inline(always)]
    pub(crate) fn label_ptr(&self, slot: Slot) -> *const u8 {
        self.labels.at(slot.index())
    }

    /// Copies the vector out, under the same condition as [`Store::vector_ptr`].
    pub(crate) fn copy_vector(&self, slot: Slot, out: &mut [u8]) {
        assert_eq!(out.len(), self.layout.vector_bytes);
        // SAFETY: the record's vector is readable; `out` is as long.
        unsafe { ptr::copy_nonoverlapping(self.vector_ptr(slot), out.as_mut_ptr(), out.len()) };
    }

    /// As [`Store::copy_vector`], where vectors are floats.
    pub(crate) fn copy_floats(&self, slot: Slot, out: &mut [f32]) {
        assert_eq!(4 * out.len(), self.layout.vector_bytes);
        // SAFETY: as above, in floats; the source may have any address.
        unsafe { ptr::copy_nonoverlapping(self.vector_ptr(slot), out.as_mut_ptr().cast(), 4 * out.len()) };
    }

    /// Length of the original vector; 1 where lengths are not kept.
    pub(crate) fn length(&self, slot: Slot) -> f32 {
        match &self.lengths {
            // SAFETY: inside the committed block; written before the slot was linked to, or under the label's lock.
            Some(lengths) => unsafe { lengths.base().cast::<f32>().add(slot.index()).read() },
            None => 1.0,
        }
    }

    /// Whether lengths are kept.
    pub(crate) fn has_lengths(&self) -> bool {
        self.lengths.is_some()
    }

    /// The record's ground-level list and flags as a file holds them, for persist, while no writer runs.
    pub(crate) fn list_bytes(&self, slot: Slot) -> &[u8] {
        // SAFETY: inside a committed block. Writers are excluded by the caller; link slots are read as plain bytes.
        unsafe { std::slice::from_raw_parts(self.lists.at(slot.index()), self.layout.ground_list()) }
    }

    /// The record's vector as a file holds it, under the same condition.
    pub(crate) fn vector_bytes(&self, slot: Slot) -> &[u8] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts(self.vector_ptr(slot), self.layout.vector_bytes) }
    }

    /// The record's upper-level lists as a file holds them, under the same condition.
    pub(crate) fn upper_bytes(&self, slot: Slot) -> &[u8] {
        let lists = self.upper(slot.index()).load(Ordering::Acquire);
        let bytes = self.layout.upper_list() * self.level(slot);
        if bytes == 0 {
            return &[];
        }
        // SAFETY: allocate_upper made it this long; writers are excluded by the caller.
        unsafe { std::slice::from_raw_parts(lists, bytes) }
    }

    // ---- writing ---------------------------------------------------------------------------------------------

    /// Locks a record's lists and flags.
    #[inline]
    pub(crate) fn lock(&self, slot: Slot) -> ByteGuard<'_> {
        // SAFETY: inside the committed block, one byte per record, zero (unlocked) at first; ByteLock is transparent
        // over an atomic byte.
        unsafe { &*self.locks.base().add(slot.index()).cast::<ByteLock>() }.lock()
    }

    /// Sets or clears the deleted flag.
    pub(crate) fn set_deleted(&self, slot: Slot, deleted: bool) {
        let _lock = self.lock(slot);
        let old = self.header(slot).load(Ordering::Relaxed);
        let new = if deleted { old | DELETED } else { old & !DELETED };
        self.header(slot).store(new, Ordering::Release);
        self.dirty.mark(slot);
    }

    /// Writes vector, length and label of a record that nobody can find yet, or whose readers are excluded.
    pub(crate) fn fill(&self, slot: Slot, vector: &[u8], length: f32, label: u64) {
        assert_eq!(vector.len(), self.layout.vector_bytes);
        // SAFETY: inside the record; nobody reads it, by the caller's word.
        unsafe {
            ptr::copy_nonoverlapping(vector.as_ptr(), self.vector_ptr(slot).cast_mut(), vector.len());
            self.labels.at(slot.index()).cast::<u64>().write_unaligned(label);
        }
        if let Some(codes) = self.codes() {
            codes.write(slot.index(), vector.as_ptr());
        }
        self.set_length(slot, length);
        self.dirty.mark_whole(slot);
    }

    /// Writes the length, where lengths are kept.
    pub(crate) fn set_length(&self, slot: Slot, length: f32) {
        if let Some(lengths) = &self.lengths {
            // SAFETY: inside the committed block; under the label's lock, or before the slot is shared.
            unsafe { lengths.base().cast::<f32>().add(slot.index()).write(length) };
        }
    }

    /// Copies the bytes of a record read from a file into place, for a store that nobody shares yet and that has
    /// room for `id`.
    pub(crate) fn put_record(&mut self, id: usize, list: &[u8], vector: &[u8], label: &[u8; 8]) {
        assert!(id < self.room.load(Ordering::Relaxed), "a record without room");
        assert!(list.len() == self.layout.ground_list() && vector.len() == self.layout.vector_bytes);
        // SAFETY: inside the record by the assertions; nobody shares the store.
        unsafe {
            ptr::copy_nonoverlapping(list.as_ptr(), self.lists.at(id), list.len());
            ptr::copy_nonoverlapping(vector.as_ptr(), self.record(id).add(self.layout.vector), vector.len());
            ptr::copy_nonoverlapping(label.as_ptr(), self.labels.at(id), 8);
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        for id in 0..self.count() {
            if self.level_cell(id).load(Ordering::Relaxed) > 0 {
                self.free_upper(self.upper(id).load(Ordering::Relaxed));
            }
        }
        self.free_codes();
    }
}
