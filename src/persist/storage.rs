//! Files, as far as persistence needs them: a trait, so that tests can put faults between it and the disk.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::holes;
use crate::error::{Error, Result};
use crate::platform::{self, FileExt};
pub(crate) use crate::platform::{Moment, Stamp};

/// A place where files live. What is written, made, renamed or removed may be lost in a crash, in part and in any
/// order, until the file (for names: the folder) was synced.
pub(crate) trait Storage: Send + Sync {
    /// Opens a file; None if it is not there.
    fn open(&self, path: &Path, access: Access) -> Result<Option<Box<dyn StorageFile>>>;
    /// Makes a file for writing; None if something has the name already.
    fn create(&self, path: &Path) -> Result<Option<Box<dyn StorageFile>>>;
    /// Makes a folder; fine if it is there.
    fn create_dir(&self, path: &Path) -> Result<()>;
    /// Whether there is something at `path`.
    fn exists(&self, path: &Path) -> Result<bool>;
    /// Whether a folder holds nothing.
    fn is_empty_dir(&self, path: &Path) -> Result<bool>;
    /// Gives a file another name, in place of what had it.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;
    /// Removes a file; fine if it is not there.
    fn remove(&self, path: &Path) -> Result<()>;
    /// Has the names of a folder on the device.
    fn sync_dir(&self, path: &Path) -> Result<()>;
    /// Tells one state of a file from another; None if it is not there.
    fn stamp(&self, path: &Path) -> Result<Option<Stamp>>;
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// Something that holds bytes.
pub(crate) trait Readable: Send {
    /// Bytes.
    fn len(&self) -> Result<u64>;
    /// Fills `bytes` from an offset on.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<()>;
    /// How many bytes may be read into memory, see [`holes::readable`].
    fn readable(&self) -> Result<u64> {
        self.len()
    }
    /// The first part at or behind `from` that is no hole.
    fn stored_from(&self, from: u64) -> Result<Option<Range<u64>>> {
        let len = self.len()?;
        Ok((from < len).then_some(from..len))
    }
}

/// An open file.
pub(crate) trait StorageFile: Readable {
    /// Writes all bytes at an offset; the file grows as needed.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> Result<()>;
    /// Makes the file this long; new bytes are zeros.
    fn set_len(&mut self, len: u64) -> Result<()>;
    /// Has room for `len` bytes on the device, where that can be had; changes nothing that can be read.
    fn reserve(&mut self, len: u64) -> Result<()>;
    /// Has all bytes on the device.
    fn sync(&mut self) -> Result<()>;
    /// Takes the file's advisory lock; false if somebody else has it. Given back by `unlock`, or with the file.
    fn try_lock(&self, exclusive: bool) -> Result<bool>;
    /// Gives the lock back, also for copies of the file that a child of fork holds.
    fn unlock(&self);
    /// The operating system's number of the open file.
    fn number(&self) -> Option<i32>;
    /// Which file it is; see [`Storage::stamp`].
    fn stamp(&self) -> Result<Stamp>;
    /// Lets those read and write it who may another.
    fn permit_as(&self, _other: &File) -> Result<()> {
        Ok(())
    }
    /// Sets the time of the last change.
    fn set_modified(&self, time: Moment) -> Result<()>;
}

/// The error of an operation on a file.
pub(super) fn io_error(what: &str, path: &Path, error: &io::Error) -> Error {
    let text = format!("cannot {what} {}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::NotFound => Error::NotFound(text.into()),
        _ => Error::Io(text.into()),
    }
}

/// As [`io_error`], for operations where a missing file is no answer but a failure.
fn failure(what: &str, path: &Path, error: &io::Error) -> Error {
    Error::Io(format!("cannot {what} {}: {error}", path.display()).into())
}

/// The failure of a file that must be there.
pub(super) fn missing(path: &Path) -> Error {
    failure("open", path, &io::Error::from_raw_os_error(libc::ENOENT))
}

/// Opens a file that must be there.
pub(super) fn open(storage: &dyn Storage, path: &Path, access: Access) -> Result<Box<dyn StorageFile>> {
    storage.open(path, access)?.ok_or_else(|| missing(path))
}

/// Bytes of a file from an offset on.
pub(super) fn read(file: &dyn StorageFile, offset: u64, len: u64) -> Result<Vec<u8>> {
    let no_memory = || crate::error::out_of_memory("a part of a file");
    let len = usize::try_from(len).map_err(|_| no_memory())?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| no_memory())?;
    bytes.resize(len, 0);
    file.read_at(&mut bytes, offset)?;
    Ok(bytes)
}

/// The operating system's files.
pub(crate) struct OsStorage;

struct OsFile {
    file: File,
    path: Box<Path>,
}

impl Storage for OsStorage {
    fn open(&self, path: &Path, access: Access) -> Result<Option<Box<dyn StorageFile>>> {
        // Files of our own are never links: one that somebody brings along may lead anywhere.
        let own = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"hnx."));
        let file = match platform::options(!own).read(true).write(access == Access::Write).open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(failure("open", path, &e)),
        };
        match file.metadata() {
            Ok(meta) if meta.is_file() => Ok(Some(Box::new(OsFile { file, path: path.into() }))),
            Ok(_) => Err(crate::error::invalid(format!("{} is not a regular file", path.display()))),
            Err(e) => Err(failure("look at", path, &e)),
        }
    }

    fn create(&self, path: &Path) -> Result<Option<Box<dyn StorageFile>>> {
        match OpenOptions::new().read(true).write(true).create_new(true).open(path) {
            Ok(file) => Ok(Some(Box::new(OsFile { file, path: path.into() }))),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            Err(e) => Err(failure("make", path, &e)),
        }
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        match fs::create_dir(path) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists || !path.is_dir() => {
                Err(failure("make the directory", path, &e))
            }
            _ => Ok(()),
        }
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        match path.symlink_metadata() {
            Ok(_) => Ok(true),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
            Err(e) => Err(failure("look at", path, &e)),
        }
    }

    fn is_empty_dir(&self, path: &Path) -> Result<bool> {
        let mut entries = fs::read_dir(path).map_err(|e| failure("list", path, &e))?;
        Ok(entries.next().is_none())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        fs::rename(from, to).map_err(|e| failure("rename to", to, &e))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failure("remove", path, &e)),
            _ => Ok(()),
        }
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        let folder = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        platform::sync_dir(folder).map_err(|e| failure("sync the directory", folder, &e))
    }

    fn stamp(&self, path: &Path) -> Result<Option<Stamp>> {
        match platform::stamp_at(path) {
            Ok(stamp) => Ok(Some(stamp)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(failure("look at", path, &e)),
        }
    }
}

impl OsFile {
    fn failed<T>(&self, what: &str, result: io::Result<T>) -> Result<T> {
        result.map_err(|e| failure(what, &self.path, &e))
    }
}

impl Readable for OsFile {
    fn len(&self) -> Result<u64> {
        Ok(self.stamp()?.len)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        self.failed("read", self.file.read_exact_at(bytes, offset))
    }

    fn readable(&self) -> Result<u64> {
        let len = self.len()?;
        Ok(holes::readable(&self.file, 0, len).min(len))
    }

    fn stored_from(&self, from: u64) -> Result<Option<Range<u64>>> {
        let len = self.len()?;
        let mut parts = platform::stored(&self.file, from, len);
        Ok(parts.next())
    }
}

impl StorageFile for OsFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> Result<()> {
        self.failed("write to", self.file.write_all_at(bytes, offset))
    }

    fn set_len(&mut self, len: u64) -> Result<()> {
        self.failed("change the length of", self.file.set_len(len))
    }

    fn reserve(&mut self, len: u64) -> Result<()> {
        self.failed("have room for", platform::reserve_on_device(&self.file, len))
    }

    fn sync(&mut self) -> Result<()> {
        self.failed("sync", self.file.sync_data())
    }

    fn try_lock(&self, exclusive: bool) -> Result<bool> {
        self.failed("lock", platform::try_lock(&self.file, exclusive))
    }

    fn unlock(&self) {
        platform::unlock(&self.file);
    }

    fn number(&self) -> Option<i32> {
        platform::number_of(&self.file)
    }

    fn stamp(&self) -> Result<Stamp> {
        self.failed("look at", platform::stamp_of(&self.file))
    }

    fn permit_as(&self, other: &File) -> Result<()> {
        let permissions = other.metadata().map(|meta| meta.permissions());
        self.failed("set the permissions of", permissions.and_then(|as_other| self.file.set_permissions(as_other)))
    }

    fn set_modified(&self, (seconds, nanos): Moment) -> Result<()> {
        let since = Duration::new(seconds.unsigned_abs(), nanos as u32 % 1_000_000_000);
        self.failed("set the time of", self.file.set_modified(SystemTime::UNIX_EPOCH + since))
    }
}
