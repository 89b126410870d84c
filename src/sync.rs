//! Locks of one byte, and a fence whose cost is paid by the rare side.

use std::sync::atomic::{compiler_fence, fence, AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use crate::platform::{barrier_everywhere, prepare_barriers};

/// Locks a mutex whose data no panic can leave inconsistent in a way that matters: an index that panicked is poisoned
/// as a whole at the boundary.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A lock of one byte, for one record or one stripe of labels: hnswlib spends 40 bytes on each.
#[repr(transparent)]
pub(crate) struct ByteLock(AtomicU8);

/// Unlocks when dropped.
pub(crate) struct ByteGuard<'a>(&'a ByteLock);

impl ByteLock {
    /// An unlocked lock.
    pub(crate) const fn new() -> Self {
        Self(AtomicU8::new(0))
    }

    /// Waits for the lock: a short spin, then giving the core away, then sleeping.
    #[inline]
    pub(crate) fn lock(&self) -> ByteGuard<'_> {
        if self.0.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.lock_slow();
        }
        ByteGuard(self)
    }

    #[cold]
    fn lock_slow(&self) {
        let mut wait = Backoff::new();
        while self.0.load(Ordering::Relaxed) != 0
            || self.0.compare_exchange_weak(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err()
        {
            wait.pause();
        }
    }
}

impl Drop for ByteGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0 .0.store(0, Ordering::Release);
    }
}

/// Waiting for something that takes microseconds, without burning a core if it takes longer.
pub(crate) struct Backoff(u32);

impl Backoff {
    /// The first pause will be the shortest.
    pub(crate) fn new() -> Self {
        Self(0)
    }

    /// Waits a little, each time longer, up to 50 microseconds.
    pub(crate) fn pause(&mut self) {
        self.0 += 1;
        match self.0 {
            0..64 => std::hint::spin_loop(),
            64..256 => std::thread::yield_now(),
            _ => std::thread::sleep(Duration::from_micros(50)),
        }
    }
}

/// Set when the system offers a barrier in all threads (on Linux the expedited private membarrier): then the common
/// side needs no fence instruction.
static ASYMMETRIC: AtomicBool = AtomicBool::new(false);
static REGISTER: Once = Once::new();

/// Readies the fences; called before the first index exists.
pub(crate) fn prepare_fences() {
    REGISTER.call_once(|| ASYMMETRIC.store(prepare_barriers(), Ordering::SeqCst));
}

/// The common side of a store-load barrier. With [`heavy_fence`] on the other side both together are sequentially
/// consistent; costs nothing where there is a barrier in all threads.
#[inline]
pub(crate) fn light_fence() {
    if ASYMMETRIC.load(Ordering::Relaxed) {
        compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}

/// The rare side of a store-load barrier: a sequentially consistent fence in every running thread of the process.
pub(crate) fn heavy_fence() {
    fence(Ordering::SeqCst);
    if ASYMMETRIC.load(Ordering::Relaxed) && !barrier_everywhere() {
        // A child of fork is not registered any more; registering again cannot fail where it succeeded before.
        prepare_barriers();
        if !barrier_everywhere() {
            // Forbidden since (seccomp), or no memory: fence on both sides from now on. Stores of the readers that
            // passed the light side before are visible long before this pause ends.
            ASYMMETRIC.store(false, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
