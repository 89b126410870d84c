//! A block of memory whose address never changes: a reserved range, committed from its start as it is needed.
//!
//! Committed memory starts as zeros. From 4 MiB on it asks for 2 MiB pages, where they are full: searches touch records
//! at random, and with 4 KiB pages each touch is a TLB miss.

use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{out_of_memory, Error, Result};
use crate::platform;

const HUGE: usize = 2 << 20;
/// What is committed at a time.
const STEP: usize = 64 << 10;
const GIB: usize = 1 << 30;

/// Address space reserved by all arenas of the process: many indexes must not use up the host's.
static RESERVED: AtomicUsize = AtomicUsize::new(0);
/// Half of the 128 TiB that 47 bits give.
const HALF: usize = 65_536 * GIB;
/// Address space that all arenas may take, less once the system had no more. There are 512 GiB where addresses have 39
/// bits, and 128 under valgrind.
static SPACE: AtomicUsize = AtomicUsize::new(HALF);

/// The block.
pub(crate) struct Arena {
    /// First usable byte, on a 2 MiB boundary.
    base: *mut u8,
    /// Bytes usable at most.
    len: usize,
    /// Bytes usable now.
    committed: AtomicUsize,
    /// Bytes at the start that are a file's.
    mapped: AtomicUsize,
    /// What is reserved.
    whole: (*mut u8, usize),
}

// SAFETY: an address range; who may read or write which part of it is the business of its user.
unsafe impl Send for Arena {}
// SAFETY: as above; commit changes page protections only and is serialised by its callers.
unsafe impl Sync for Arena {}

impl Arena {
    /// How many bytes an index that needs `needed` should reserve, so that it can grow in place: more where address
    /// space is plentiful, 16 times as much and at least 64 GiB, up to 1 TiB, but no more than a 128th of what is left
    /// of the space that all indexes of a process share, or a 64th where that is small; twice as much under RLIMIT_AS.
    /// Reserved space costs no memory.
    pub(crate) fn plenty(needed: usize) -> usize {
        let twice = needed.saturating_mul(2).max(64 << 20);
        loop {
            let reserved = RESERVED.load(Ordering::Relaxed);
            let space = SPACE.load(Ordering::Relaxed);
            let share = space.saturating_sub(reserved) / if space < HALF { 64 } else { 128 };
            let wanted = needed.saturating_mul(16).clamp(64 * GIB, 1024 * GIB).min(share).max(twice);
            if wanted == twice || platform::is_limited() {
                return twice;
            }
            if let Some(start) = platform::reserve(wanted) {
                // SAFETY: reserved just now, and used by nobody.
                unsafe { platform::release(start, wanted) };
                return wanted;
            }
            SPACE.fetch_min(reserved + wanted, Ordering::Relaxed);
        }
    }

    /// Reserves as much of `wanted` as there is, but `needed` at least.
    pub(crate) fn reserve_up_to(mut wanted: usize, needed: usize) -> Result<Self> {
        loop {
            let len = wanted.checked_add(2 * HUGE - 1).map(|n| n & !(HUGE - 1));
            let whole_len = len.ok_or_else(|| out_of_memory("the address range of an index"))?;
            if let Some(start) = platform::reserve(whole_len) {
                RESERVED.fetch_add(whole_len, Ordering::Relaxed);
                let skip = (start as usize).wrapping_neg() & (HUGE - 1);
                let base = start.wrapping_add(skip);
                let (committed, mapped) = Default::default();
                return Ok(Self { base, len: wanted, committed, mapped, whole: (start, whole_len) });
            }
            if wanted == needed {
                return Err(out_of_memory("the address range of an index"));
            }
            wanted = (wanted / 2).max(needed);
        }
    }

    /// Puts `len` bytes of `file`, from `offset` on, which is on a page boundary, at the start of the block, as private
    /// pages: copies once they are written, or, unless `writable`, pages that must not be written. Up to the end of the
    /// last page the file's next bytes follow. Nothing must be committed yet.
    pub(crate) fn map_file(&self, file: &File, offset: u64, len: usize, writable: bool) -> Result<()> {
        if len == 0 {
            return Ok(());
        }
        if len > self.len {
            return Err(out_of_memory("the address range of a mapped file"));
        }
        // SAFETY: len bytes of our own reservation, which nobody uses yet; base is on a page boundary.
        unsafe { platform::map_file(self.base, len, file, offset, writable) }
            .map_err(|error| Error::Io(format!("cannot map the file: {error}").into()))?;
        let committed = len.next_multiple_of(platform::page_size());
        self.mapped.store(committed, Ordering::Relaxed);
        self.committed.store(committed, Ordering::Release);
        Ok(())
    }

    /// Says whether a mapped file will be read here and there, so that the system need not read ahead.
    pub(crate) fn expect_reads(&self, random: bool) {
        // SAFETY: committed pages of ours.
        unsafe { platform::advise_reads(self.base, self.committed(), random) };
    }

    /// Makes the first `bytes` bytes usable. Calls must not overlap.
    pub(crate) fn commit(&self, bytes: usize) -> Result<()> {
        let old = self.committed.load(Ordering::Acquire);
        if bytes <= old {
            return Ok(());
        }
        if bytes > self.len {
            return Err(out_of_memory(&format!("growth beyond the {} bytes reserved for it", self.len)));
        }
        let new = bytes.next_multiple_of(STEP).min(self.len.next_multiple_of(platform::page_size()));
        // Advice is for large pages that are full now, and were not before; never for a file's.
        let own = self.mapped.load(Ordering::Relaxed).next_multiple_of(HUGE);
        let whole = if old < 2 * HUGE { own } else { own.max(old & !(HUGE - 1)) };
        let full = new & !(HUGE - 1);
        // SAFETY: old..new is page-aligned and inside our reservation; whole..full is committed then.
        unsafe {
            if !platform::commit(self.base.add(old), new - old) {
                return Err(out_of_memory(&format!("{} more bytes of an index", new - old)));
            }
            // Of a large page that is not full the rest would be taken, too: 2 % of an index of 200,000.
            if full >= 2 * HUGE && full > whole {
                platform::advise_huge_pages(self.base.add(whole), full - whole);
            }
        }
        self.committed.store(new, Ordering::Release);
        Ok(())
    }

    /// First byte of the block.
    #[inline]
    pub(crate) fn base(&self) -> *mut u8 {
        self.base
    }

    /// Floats in memory that the system has back at once when they are dropped, unlike malloc's; zeros at first.
    pub(crate) fn of_floats(count: usize) -> Result<Self> {
        let block = Self::reserve_up_to(4 * count, 4 * count)?;
        block.commit(4 * count)?;
        Ok(block)
    }

    /// The first `count` floats.
    pub(crate) fn floats(&mut self, count: usize) -> &mut [f32] {
        assert!(4 * count <= self.committed());
        // SAFETY: committed, on a page boundary, and nobody else has the block.
        unsafe { std::slice::from_raw_parts_mut(self.base.cast(), count) }
    }

    /// Committed bytes, which nobody may write meanwhile.
    pub(crate) fn bytes(&self, at: usize, len: usize) -> &[u8] {
        assert!(at.checked_add(len).is_some_and(|end| end <= self.committed()), "bytes that are not committed");
        // SAFETY: committed; the caller keeps writers away.
        unsafe { std::slice::from_raw_parts(self.base.add(at), len) }
    }

    /// Bytes the block can grow to.
    pub(crate) fn capacity(&self) -> usize {
        self.len
    }

    /// Bytes usable now.
    pub(crate) fn committed(&self) -> usize {
        self.committed.load(Ordering::Relaxed)
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: our reservation; its users are gone with the arena.
        unsafe { platform::release(self.whole.0, self.whole.1) };
        RESERVED.fetch_sub(self.whole.1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_in_place_and_starts_as_zeros() {
        let arena = Arena::reserve_up_to(Arena::plenty(1000), 1000).unwrap();
        arena.commit(1000).unwrap();
        let base = arena.base();
        // SAFETY: committed above, and nobody else uses it.
        unsafe { base.add(999).write(7) };
        arena.commit(50 << 20).unwrap();
        assert_eq!(arena.base(), base);
        // SAFETY: as above.
        unsafe {
            assert_eq!((base.add(999).read(), base.add((50 << 20) - 1).read()), (7, 0));
        }
        assert!(arena.commit(usize::MAX / 4).is_err());
    }
}
