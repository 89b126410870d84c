//! Locks and fork: a child gets a copy of every open file, and with it would keep a lock alive that its parent's death
//! should end. So the copies are closed in the child, before fork returns there.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::Once;

use super::storage::StorageFile;

/// Numbers of the files that hold locks, plus one; 0 where there is none. When there are more, children keep theirs.
static FILES: [AtomicI32; 1024] = [const { AtomicI32::new(0) }; 1024];
static REGISTER: Once = Once::new();

/// Runs in a child of fork: plain system calls only.
extern "C" fn in_child() {
    for file in &FILES {
        let number = file.swap(0, Ordering::Relaxed);
        if number > 0 {
            // SAFETY: the file of a lock; nobody uses it in the child (`Holder::is_this_process`).
            unsafe { libc::close(number - 1) };
        }
    }
}

/// The process that holds a lock.
pub(super) struct Holder {
    process: u32,
    place: Option<&'static AtomicI32>,
}

impl Holder {
    /// This process, by a file that is its to close.
    pub(super) fn of(file: &dyn StorageFile) -> Self {
        REGISTER.call_once(|| {
            // SAFETY: a handler that stays: the library is never unloaded (nodelete).
            unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        });
        let number = file.number().map_or(0, |number| number + 1);
        let free = |place: &&AtomicI32| {
            number > 0 && place.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        Self { process: std::process::id(), place: FILES.iter().find(free) }
    }

    /// The same process, without the file.
    pub(super) fn same(other: &Self) -> Self {
        Self { process: other.process, place: None }
    }

    /// This process, which holds nothing yet.
    pub(super) fn nobody() -> Self {
        Self { process: std::process::id(), place: None }
    }

    /// Whether it is still this process, not a child of it.
    pub(super) fn is_this_process(&self) -> bool {
        self.process == std::process::id()
    }

    /// Gives it up, before the file is closed; false in a child.
    pub(super) fn release(&mut self) -> bool {
        let own = self.is_this_process();
        if let Some(place) = self.place.take().filter(|_| own) {
            place.store(0, Ordering::Relaxed);
        }
        own
    }
}
