//! Linux, macOS and other Unix systems.

pub(super) mod memory {
    use std::fs::File;
    use std::os::fd::AsRawFd;
    use std::{io, ptr};

    /// Whether [`map_file`] works here.
    pub(crate) const CAN_MAP_FILES: bool = true;

    /// Reserves address space, which costs no memory and cannot be accessed yet.
    pub(crate) fn reserve(len: usize) -> Option<*mut u8> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE;
        // SAFETY: a fresh mapping anywhere.
        let start = unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_NONE, flags, -1, 0) };
        (start != libc::MAP_FAILED).then(|| start.cast())
    }

    /// Gives back all that [`reserve`] reserved; nothing to do about a failure.
    ///
    /// # Safety
    /// `start..start + len` is a whole reservation, and nobody uses it any more.
    pub(crate) unsafe fn release(start: *mut u8, len: usize) {
        // SAFETY: the caller's promise.
        unsafe { libc::munmap(start.cast(), len) };
    }

    /// Makes reserved memory usable; it starts as zeros. False where there is not so much.
    ///
    /// # Safety
    /// `at..at + len` is inside a reservation and on page boundaries.
    pub(crate) unsafe fn commit(at: *mut u8, len: usize) -> bool {
        // SAFETY: the caller's promise.
        unsafe { libc::mprotect(at.cast(), len, libc::PROT_READ | libc::PROT_WRITE) == 0 }
    }

    /// Asks for huge pages: advice, where it is refused, small pages do.
    ///
    /// # Safety
    /// As [`commit`].
    pub(crate) unsafe fn advise_huge_pages(at: *mut u8, len: usize) {
        #[cfg(target_os = "linux")]
        // SAFETY: the caller's promise; changes nothing that can be read.
        unsafe {
            libc::madvise(at.cast(), len, libc::MADV_HUGEPAGE);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (at, len);
    }

    /// Puts `len` bytes of a file, from `offset` on, which is on a page boundary, at `at`, as private pages, copied
    /// when they are written if `writable`; up to the end of the last page the file's next bytes follow.
    ///
    /// # Safety
    /// `at..at + len` is inside a reservation, `at` on a page boundary, and nobody uses it yet.
    pub(crate) unsafe fn map_file(at: *mut u8, len: usize, file: &File, offset: u64, writable: bool) -> io::Result<()> {
        let protection = libc::PROT_READ | if writable { libc::PROT_WRITE } else { 0 };
        let flags = libc::MAP_PRIVATE | libc::MAP_FIXED;
        // SAFETY: replaces pages of the caller's, as it promises.
        match unsafe { libc::mmap(at.cast(), len, protection, flags, file.as_raw_fd(), offset as libc::off_t) } {
            libc::MAP_FAILED => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    /// Says whether pages of a mapped file will be touched here and there, or one after the other. Only advice: what
    /// the system makes of it is its business.
    ///
    /// # Safety
    /// `at..at + len` is mapped, `at` on a page boundary.
    pub(crate) unsafe fn advise_reads(at: *mut u8, len: usize, random: bool) {
        let advice = if random { libc::MADV_RANDOM } else { libc::MADV_NORMAL };
        // SAFETY: pages of the caller's, as it promises; their content stays.
        unsafe { libc::madvise(at.cast(), len, advice) };
    }

    pub(crate) fn page_size() -> usize {
        // SAFETY: no arguments of ours.
        unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
    }

    /// Whether the process is limited in address space.
    pub(crate) fn is_limited() -> bool {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: `limit` is writable.
        unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) == 0 && limit.rlim_cur != libc::RLIM_INFINITY }
    }
}

pub(super) mod files {
    use std::ffi::OsStr;
    use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
    use std::io;
    use std::ops::Range;
    use std::os::fd::AsRawFd;
    use std::os::unix::ffi::OsStrExt;
    /// Reading and writing at an offset.
    pub(crate) use std::os::unix::fs::FileExt;
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    use std::path::Path;

    use super::super::Stamp;

    /// A path of a C caller's: any bytes.
    pub(crate) fn path_from_bytes(bytes: &[u8]) -> Option<&Path> {
        Some(Path::new(OsStr::from_bytes(bytes)))
    }

    /// Options to open what should be a regular file, and to find out afterwards if it is none: not blocking, so that
    /// nobody waits for the other end of a pipe. `link`: it may be a symbolic link.
    pub(crate) fn options(link: bool) -> OpenOptions {
        let mut options = OpenOptions::new();
        options.custom_flags(libc::O_NONBLOCK | if link { 0 } else { libc::O_NOFOLLOW });
        options
    }

    fn stamp(meta: &Metadata) -> Stamp {
        Stamp { file: (meta.dev(), meta.ino()), len: meta.len(), modified: (meta.mtime(), meta.mtime_nsec()) }
    }

    /// The stamp of an open file.
    pub(crate) fn stamp_of(file: &File) -> io::Result<Stamp> {
        file.metadata().map(|meta| stamp(&meta))
    }

    /// The stamp of the file at a path.
    pub(crate) fn stamp_at(path: &Path) -> io::Result<Stamp> {
        fs::metadata(path).map(|meta| stamp(&meta))
    }

    /// Takes a file's advisory lock (flock); false if somebody else has it.
    pub(crate) fn try_lock(file: &File, exclusive: bool) -> io::Result<bool> {
        match if exclusive { file.try_lock() } else { file.try_lock_shared() } {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Gives the lock back, also for copies of the file that a child of fork holds.
    pub(crate) fn unlock(file: &File) {
        let _ = file.unlock();
    }

    /// Has the names of a folder on the device.
    pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    /// Has room for `len` bytes on the device, where that can be had. File systems that cannot do it find out when they
    /// write.
    pub(crate) fn reserve_on_device(file: &File, len: u64) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if file.metadata()?.len() < len {
            let len = libc::off_t::try_from(len).unwrap_or(libc::off_t::MAX);
            // SAFETY: a file that is open; no memory is passed.
            let done = unsafe { libc::fallocate(file.as_raw_fd(), libc::FALLOC_FL_KEEP_SIZE, 0, len) };
            let error = io::Error::last_os_error();
            if done != 0 && matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT | libc::EIO)) {
                return Err(error);
            }
        }
        let _ = (file, len);
        Ok(())
    }

    /// The parts of `start..end` that are stored, ascending; what lies between them reads as zeros. Where the system
    /// cannot tell, that is all of it. Moves the file's offset.
    pub(crate) fn stored(file: &File, start: u64, end: u64) -> impl Iterator<Item = Range<u64>> + '_ {
        let seek = move |at: u64, whence: i32| -> Result<u64, i32> {
            // SAFETY: a descriptor that is open; no memory is involved.
            let found = unsafe { libc::lseek(file.as_raw_fd(), at as libc::off_t, whence) };
            u64::try_from(found).map_err(|_| io::Error::last_os_error().raw_os_error().unwrap_or(0))
        };
        let mut at = start;
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let data = match seek(at, libc::SEEK_DATA) {
                Ok(data) => data,
                Err(libc::ENXIO) => end,
                Err(_) => at,
            };
            if data >= end {
                at = end;
                return None;
            }
            let hole = seek(data, libc::SEEK_HOLE).unwrap_or(end).min(end);
            at = hole.max(data + 1);
            Some(data..at)
        })
    }

    /// The system's number of an open file, which children of fork share.
    pub(crate) fn number_of(file: &File) -> Option<i32> {
        Some(file.as_raw_fd())
    }
}

pub(super) mod barrier {
    #[cfg(all(target_os = "linux", not(miri)))]
    fn membarrier(command: libc::c_int) -> bool {
        // SAFETY: membarrier reads no memory; an unknown command or kernel gives an error.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }

    /// Whether [`barrier_everywhere`] works from now on.
    pub(crate) fn prepare_barriers() -> bool {
        #[cfg(all(target_os = "linux", not(miri)))]
        return membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
        #[cfg(not(all(target_os = "linux", not(miri))))]
        false
    }

    /// A sequentially consistent fence in every running thread of the process; false where that failed.
    pub(crate) fn barrier_everywhere() -> bool {
        #[cfg(all(target_os = "linux", not(miri)))]
        return membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED);
        #[cfg(not(all(target_os = "linux", not(miri))))]
        false
    }
}

pub(super) mod children {
    use std::sync::atomic::{AtomicI32, Ordering};
    use std::sync::Once;

    /// Numbers of the files to close, plus one; 0 where there is none. When there are more, children keep theirs.
    static FILES: [AtomicI32; 1024] = [const { AtomicI32::new(0) }; 1024];
    static REGISTER: Once = Once::new();

    /// Runs in a child of fork: plain system calls only.
    extern "C" fn in_child() {
        for file in &FILES {
            let number = file.swap(0, Ordering::Relaxed);
            if number > 0 {
                // SAFETY: nobody uses it in the child, as `close_in_children` was promised.
                unsafe { libc::close(number - 1) };
            }
        }
    }

    /// Has children of fork close their copy of an open file, before fork returns there, until the place is set to 0.
    ///
    /// # Safety
    /// `number` is one of [`number_of`](super::files::number_of), nobody uses that file in a child, and the place is
    /// set to 0 before the file is closed.
    pub(crate) unsafe fn close_in_children(number: i32) -> Option<&'static AtomicI32> {
        REGISTER.call_once(|| {
            // SAFETY: a handler that stays: the library is never unloaded (nodelete).
            unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        });
        let free =
            |place: &&AtomicI32| place.compare_exchange(0, number + 1, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        FILES.iter().find(free)
    }
}
