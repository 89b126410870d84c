//! Locks and fork: a child gets a copy of every open file, and with it would keep a lock alive that its parent's death
//! should end. So the copies are closed in the child, before fork returns there.

use std::sync::atomic::{AtomicI32, Ordering};

use super::storage::StorageFile;
use crate::platform;

/// The process that holds a lock.
pub(super) struct Holder {
    process: u32,
    place: Option<&'static AtomicI32>,
}

impl Holder {
    /// This process, by a file that is its to close.
    pub(super) fn of(file: &dyn StorageFile) -> Self {
        // SAFETY: the file of a lock; nobody uses it in a child (`is_this_process`), and `release` comes before its
        // end.
        let place = file.number().and_then(|number| unsafe { platform::close_in_children(number) });
        Self { process: std::process::id(), place }
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
