//! Numbers that a host may keep in memory of its own.

use std::ptr::NonNull;

/// An atomic of our own, or one of the host's.
pub(crate) struct Shared<T> {
    cell: NonNull<T>,
    own: bool,
}

// SAFETY: a T that all threads may use; the pointer goes wherever the Shared goes.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// One of our own.
    pub(crate) fn new(value: T) -> Self {
        Self { cell: NonNull::from(Box::leak(Box::new(value))), own: true }
    }

    /// The host's.
    ///
    /// # Safety
    /// `cell` is a T as long as the Shared is used.
    pub(crate) unsafe fn of_host(cell: NonNull<T>) -> Self {
        Self { cell, own: false }
    }
}

impl<T> std::ops::Deref for Shared<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: our own until dropped, or promised to `of_host`.
        unsafe { self.cell.as_ref() }
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        if self.own {
            // SAFETY: `new` made it, and nobody else frees it.
            drop(unsafe { Box::from_raw(self.cell.as_ptr()) });
        }
    }
}
