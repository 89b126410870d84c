//! Windows. Compile-checked: nobody has run it there yet. What it cannot do is said where it is: it maps no files, sees
//! no holes in files, reserves nothing on devices and may not get the names of a folder to the device.

use std::ffi::c_void;
use std::os::windows::io::RawHandle;

type Bool = i32;

/// Of minwinbase.h; an offset here, and zeros.
#[repr(C)]
#[derive(Default)]
struct Overlapped {
    internal: usize,
    internal_high: usize,
    offset: u32,
    offset_high: u32,
    event: usize,
}

/// BY_HANDLE_FILE_INFORMATION of fileapi.h. Times and all other pairs: low half first or as named.
#[repr(C)]
#[derive(Default)]
struct FileInformation {
    attributes: u32,
    created: [u32; 2],
    accessed: [u32; 2],
    written: [u32; 2],
    volume: u32,
    len_high: u32,
    len_low: u32,
    links: u32,
    index_high: u32,
    index_low: u32,
}

#[link(name = "kernel32")]
extern "system" {
    fn VirtualAlloc(at: *mut c_void, len: usize, kind: u32, protection: u32) -> *mut c_void;
    fn VirtualFree(at: *mut c_void, len: usize, kind: u32) -> Bool;
    fn LockFileEx(file: RawHandle, flags: u32, _: u32, low: u32, high: u32, at: *mut Overlapped) -> Bool;
    fn UnlockFileEx(file: RawHandle, _: u32, low: u32, high: u32, at: *mut Overlapped) -> Bool;
    fn GetFileInformationByHandle(file: RawHandle, information: *mut FileInformation) -> Bool;
    fn FlushProcessWriteBuffers();
}

pub(super) mod memory {
    use std::fs::File;
    use std::{io, ptr};

    use super::{VirtualAlloc, VirtualFree};

    const MEM_COMMIT: u32 = 0x1000;
    const MEM_RESERVE: u32 = 0x2000;
    const MEM_RELEASE: u32 = 0x8000;
    const PAGE_NOACCESS: u32 = 1;
    const PAGE_READWRITE: u32 = 4;

    /// Whether [`map_file`] works here: a view of a file takes the place of no part of a reservation (but for
    /// placeholders, which are new). Files are read.
    pub(crate) const CAN_MAP_FILES: bool = false;

    /// Reserves address space, which costs no memory and cannot be accessed yet.
    pub(crate) fn reserve(len: usize) -> Option<*mut u8> {
        // SAFETY: a fresh reservation anywhere.
        let start = unsafe { VirtualAlloc(ptr::null_mut(), len, MEM_RESERVE, PAGE_NOACCESS) };
        (!start.is_null()).then(|| start.cast())
    }

    /// Gives back all that [`reserve`] reserved; nothing to do about a failure.
    ///
    /// # Safety
    /// `start..start + len` is a whole reservation, and nobody uses it any more.
    pub(crate) unsafe fn release(start: *mut u8, _len: usize) {
        // SAFETY: the caller's promise; a length of 0 means all of it.
        unsafe { VirtualFree(start.cast(), 0, MEM_RELEASE) };
    }

    /// Makes reserved memory usable; it starts as zeros. False where there is not so much.
    ///
    /// # Safety
    /// `at..at + len` is inside a reservation and on page boundaries.
    pub(crate) unsafe fn commit(at: *mut u8, len: usize) -> bool {
        // SAFETY: the caller's promise.
        unsafe { !VirtualAlloc(at.cast(), len, MEM_COMMIT, PAGE_READWRITE).is_null() }
    }

    /// Nothing: large pages are no matter of advice here but of a privilege.
    ///
    /// # Safety
    /// As [`commit`].
    pub(crate) unsafe fn advise_huge_pages(_at: *mut u8, _len: usize) {}

    /// An error: see [`CAN_MAP_FILES`].
    ///
    /// # Safety
    /// None is needed.
    pub(crate) unsafe fn map_file(
        _at: *mut u8,
        _len: usize,
        _file: &File,
        _offset: u64,
        _writable: bool,
    ) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Nothing: see [`CAN_MAP_FILES`].
    ///
    /// # Safety
    /// None is needed.
    pub(crate) unsafe fn advise_reads(_at: *mut u8, _len: usize, _random: bool) {}

    /// That of x86-64 and AArch64.
    pub(crate) fn page_size() -> usize {
        4096
    }

    /// Whether the process is limited in address space: only in memory.
    pub(crate) fn is_limited() -> bool {
        false
    }
}

pub(super) mod files {
    use std::fs::{File, OpenOptions};
    use std::io;
    use std::ops::Range;
    use std::os::windows::fs::{FileExt as _, OpenOptionsExt};
    use std::os::windows::io::AsRawHandle;
    use std::path::Path;

    use super::super::Stamp;
    use super::{FileInformation, GetFileInformationByHandle, LockFileEx, Overlapped, UnlockFileEx};

    const FILE_READ_ATTRIBUTES: u32 = 0x80;
    const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
    const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
    const LOCKFILE_FAIL_IMMEDIATELY: u32 = 1;
    const LOCKFILE_EXCLUSIVE_LOCK: u32 = 2;
    const ERROR_LOCK_VIOLATION: i32 = 33;
    const ERROR_IO_PENDING: i32 = 997;

    /// Reading and writing at an offset, as Unix has it. Moves the file's offset, which nobody relies on without
    /// setting it first.
    pub(crate) trait FileExt {
        /// Fills `bytes` from an offset on.
        fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
        /// Writes all bytes at an offset.
        fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    }

    impl FileExt for File {
        fn read_exact_at(&self, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
            while !bytes.is_empty() {
                match self.seek_read(bytes, offset) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(read) => (bytes, offset) = (&mut bytes[read..], offset + read as u64),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        }

        fn write_all_at(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
            while !bytes.is_empty() {
                match self.seek_write(bytes, offset) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(written) => (bytes, offset) = (&bytes[written..], offset + written as u64),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        }
    }

    /// A path of a C caller's: UTF-8.
    pub(crate) fn path_from_bytes(bytes: &[u8]) -> Option<&Path> {
        std::str::from_utf8(bytes).ok().map(Path::new)
    }

    /// Options to open what should be a regular file, and to find out afterwards if it is none. `link`: it may be a
    /// symbolic link; else the link itself is opened, which is no regular file.
    pub(crate) fn options(link: bool) -> OpenOptions {
        let mut options = OpenOptions::new();
        options.custom_flags(if link { 0 } else { FILE_FLAG_OPEN_REPARSE_POINT });
        options
    }

    /// The stamp of an open file.
    pub(crate) fn stamp_of(file: &File) -> io::Result<Stamp> {
        let mut found = FileInformation::default();
        // SAFETY: a handle that is open, and a struct to fill in.
        if unsafe { GetFileInformationByHandle(file.as_raw_handle(), &mut found) } == 0 {
            return Err(io::Error::last_os_error());
        }
        let wide = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
        // In units of 100 ns, since 1601.
        let ticks = wide(found.written[1], found.written[0]);
        let (seconds, rest) = ((ticks / 10_000_000) as i64, (ticks % 10_000_000) as i64);
        Ok(Stamp {
            file: (found.volume.into(), wide(found.index_high, found.index_low)),
            len: wide(found.len_high, found.len_low),
            modified: (seconds - 11_644_473_600, 100 * rest),
        })
    }

    /// The stamp of the file at a path. Only a handle tells which file it is.
    pub(crate) fn stamp_at(path: &Path) -> io::Result<Stamp> {
        let mut options = OpenOptions::new();
        stamp_of(&options.access_mode(FILE_READ_ATTRIBUTES).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path)?)
    }

    /// The byte that a lock covers. Locks are not advisory here: others can neither read nor write what is covered. So
    /// it is a byte that no file has.
    fn locked() -> Overlapped {
        Overlapped { offset_high: 0x7fff_ffff, ..Overlapped::default() }
    }

    /// Takes a file's advisory lock; false if somebody else has it.
    pub(crate) fn try_lock(file: &File, exclusive: bool) -> io::Result<bool> {
        let flags = LOCKFILE_FAIL_IMMEDIATELY | if exclusive { LOCKFILE_EXCLUSIVE_LOCK } else { 0 };
        // SAFETY: a handle that is open for synchronous use: nothing is kept beyond the call.
        if unsafe { LockFileEx(file.as_raw_handle(), flags, 0, 1, 0, &mut locked()) } != 0 {
            return Ok(true);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(ERROR_LOCK_VIOLATION | ERROR_IO_PENDING) => Ok(false),
            _ => Err(error),
        }
    }

    /// Gives the lock back.
    pub(crate) fn unlock(file: &File) {
        // SAFETY: as in `try_lock`.
        unsafe { UnlockFileEx(file.as_raw_handle(), 0, 1, 0, &mut locked()) };
    }

    /// Has the names of a folder on the device, if the file system does that: a folder that is opened for writing can
    /// be flushed on NTFS, though nothing promises it; elsewhere it cannot. `std::fs::rename` is MoveFileExW and
    /// atomic, so that after a power cut a name leads to the old file or to the new one, of which both are whole.
    pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let _ = options.write(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path).map(|folder| folder.sync_all());
        Ok(())
    }

    /// Nothing: a full device is noticed by what writes to it.
    pub(crate) fn reserve_on_device(_file: &File, _len: u64) -> io::Result<()> {
        Ok(())
    }

    /// The parts of `start..end` that are stored: all of it. Files have holes only where a program asks for them.
    pub(crate) fn stored(_file: &File, start: u64, end: u64) -> impl Iterator<Item = Range<u64>> + '_ {
        (start < end).then_some(start..end).into_iter()
    }

    /// None: children share no files.
    pub(crate) fn number_of(_file: &File) -> Option<i32> {
        None
    }
}

pub(super) mod barrier {
    /// Whether [`barrier_everywhere`] works from now on.
    pub(crate) fn prepare_barriers() -> bool {
        true
    }

    /// A sequentially consistent fence in every running thread of the process.
    pub(crate) fn barrier_everywhere() -> bool {
        // SAFETY: no arguments, and it cannot fail.
        unsafe { super::FlushProcessWriteBuffers() };
        true
    }
}

pub(super) mod children {
    use std::sync::atomic::AtomicI32;

    /// Nothing: there is no fork.
    ///
    /// # Safety
    /// None is needed.
    pub(crate) unsafe fn close_in_children(_number: i32) -> Option<&'static AtomicI32> {
        None
    }
}
