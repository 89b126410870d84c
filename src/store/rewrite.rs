//! Replacing a vector that searches may be reading, without making them wait.
//!
//! A reader opens a session: it publishes, in a cell of its own, the epoch it saw. A rewrite of a record
//! 1. copies the old vector, label and flag aside and makes the epoch odd: sessions that open now read that record
//!    from the copy;
//! 2. waits until every session that opened before is closed: nobody reads the record in place any more;
//! 3. writes the record and makes the epoch even: sessions that open now read it in place again.
//!
//! So a session sees the old record or the new one, never a mixture, and never waits; a rewrite waits about as long
//! as a query takes. One rewrite at a time, and two copies in turn: before a copy is used again, step 2 of the rewrite
//! in between has seen its readers go. Opening a session costs two loads and a store ([`crate::sync::light_fence`]).

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::data::Data;
use super::{Slot, Store};
use crate::codes::{sketch, PADDING};
use crate::sync::{heavy_fence, light_fence, lock, Backoff};

/// A record as it was before the rewrite that is under way.
pub(crate) struct Before {
    pub(super) id: u32,
    pub(super) label: u64,
    pub(super) deleted: bool,
    pub(super) vector: Data,
    /// The vector's code, where there are codes, and its sketch behind it.
    pub(super) code: Data,
}

/// The cell of one reader, on a cache line of its own: the epoch of its session, 0 between sessions.
#[repr(align(128))]
#[derive(Default)]
pub(crate) struct SessionCell(AtomicU64);

/// Epoch, copies and readers of a store.
pub(crate) struct Rewrites {
    epoch: AtomicU64,
    before: [UnsafeCell<Before>; 2],
    /// Held for a whole rewrite.
    rewriting: Mutex<()>,
    /// Those of all readers there are. Not held while a rewrite waits: who registers meanwhile sees the odd epoch.
    cells: Mutex<Vec<Arc<SessionCell>>>,
    /// The process the cells were last seen in: in a child of fork, sessions of the parent's other threads stay open
    /// in memory for ever, but nobody is in them. The header asks that a child's first update has the index alone.
    process: AtomicU32,
}

// SAFETY: `before` is written by the one that holds `rewriting`, at a time when no session can refer to it (module
// doc).
unsafe impl Sync for Rewrites {}

impl Rewrites {
    pub(super) fn new(bytes: usize) -> Self {
        let before = || {
            let code_bytes = (bytes / 4).next_multiple_of(PADDING) + sketch::stride(bytes / 4);
            let (vector, code) = (Data::new(bytes), Data::new(code_bytes));
            UnsafeCell::new(Before { id: u32::MAX, label: 0, deleted: false, vector, code })
        };
        Self {
            epoch: AtomicU64::new(2),
            before: [before(), before()],
            rewriting: Mutex::new(()),
            cells: Mutex::new(Vec::new()),
            process: AtomicU32::new(std::process::id()),
        }
    }

    /// A cell for a new reader; cells whose reader is gone are given up.
    pub(crate) fn register(&self) -> Arc<SessionCell> {
        let mut cells = lock(&self.cells);
        cells.retain(|cell| Arc::strong_count(cell) > 1);
        let cell = Arc::new(SessionCell::default());
        cells.push(Arc::clone(&cell));
        cell
    }

    /// Opens a session; the copy to read from, if a rewrite is under way.
    #[inline]
    pub(super) fn open(&self, cell: &SessionCell) -> Option<&Before> {
        loop {
            let epoch = self.epoch.load(Ordering::Acquire);
            cell.0.store(epoch, Ordering::Relaxed);
            light_fence();
            if self.epoch.load(Ordering::Acquire) == epoch {
                if epoch & 1 == 0 {
                    return None;
                }
                // SAFETY: of an odd epoch: written before the epoch was, and not again while this session is open.
                return Some(unsafe { &*self.before[(epoch >> 1 & 1) as usize].get() });
            }
        }
    }

    /// Closes the session.
    #[inline]
    pub(super) fn close(&self, cell: &SessionCell) {
        cell.0.store(0, Ordering::Release);
    }
}

impl Store {
    /// Replaces vector, length and label of a record. The caller holds the label's lock and no session.
    pub(crate) fn rewrite(&self, slot: Slot, vector: &[u8], length: f32, label: u64) {
        let keep = |before: &mut Before| {
            (before.id, before.label, before.deleted) = (slot.id(), self.label(slot), self.is_deleted(slot));
            self.copy_vector(slot, before.vector.bytes_mut());
            if let Some(codes) = self.codes() {
                codes.copy(slot.index(), before.code.bytes_mut());
            }
        };
        self.step(keep, || self.fill(slot, vector, length, label));
    }

    /// Waits until every session that is open now is closed.
    pub(super) fn wait_for_sessions(&self) {
        self.step(|before| before.id = u32::MAX, || {});
    }

    /// From one even epoch to the next: `keep` fills the copy for sessions that open meanwhile, `write` runs when all
    /// others are closed.
    fn step(&self, keep: impl FnOnce(&mut Before), write: impl FnOnce()) {
        let rewrites = &self.rewrites;
        let _one = lock(&rewrites.rewriting);
        if rewrites.process.swap(std::process::id(), Ordering::Relaxed) != std::process::id() {
            lock(&rewrites.cells).iter().for_each(|cell| cell.0.store(0, Ordering::Relaxed));
        }
        let even = rewrites.epoch.load(Ordering::Relaxed);
        let odd = even + 1;
        // SAFETY: we hold the lock, and the sessions of epoch odd - 4, the last ones to use this copy, were seen to
        // close before epoch odd - 2 was over.
        let before = unsafe { &mut *rewrites.before[(odd >> 1 & 1) as usize].get() };
        keep(before);
        rewrites.epoch.store(odd, Ordering::Release);
        heavy_fence();
        let cells = lock(&rewrites.cells).clone();
        for cell in cells {
            let mut wait = Backoff::new();
            while (1..odd).contains(&cell.0.load(Ordering::Acquire)) {
                wait.pause();
            }
        }
        write();
        rewrites.epoch.store(odd + 1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use crate::distance::kernel::Ruler;
    use crate::store::layout::Layout;
    use crate::store::view::View;
    use crate::store::Store;
    use crate::sync::prepare_fences;

    /// Readers must see all floats and the label of one version; versions must not go backwards for a reader.
    #[test]
    fn sessions_see_one_version() {
        prepare_fences();
        const BYTES: usize = 800;
        let store = Store::new(Layout::apart(BYTES, 2), false, 2).unwrap();
        store.make_room(2).unwrap();
        let slot = store.claim(0, std::ptr::null_mut(), &[0; BYTES], 1.0, 0);
        let (done, sessions) = (AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let cell = store.rewrites().register();
                    let mut last = 0;
                    while !done.load(Ordering::Relaxed) {
                        let view = View::open(&store, &cell, Ruler::floats(BYTES / 4));
                        let version = view.label(slot);
                        let vector = view.vector(slot);
                        assert!(vector.iter().all(|x| u64::from(*x) == version), "a mixture, at version {version}");
                        assert!(version >= last, "version {version} after {last}");
                        last = version;
                        sessions.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            for version in 1..=100u8 {
                store.rewrite(slot, &[version; BYTES], 1.0, u64::from(version));
            }
            while sessions.load(Ordering::Relaxed) < 1000 {
                std::thread::yield_now();
            }
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(store.label(slot), 100);
    }
}
