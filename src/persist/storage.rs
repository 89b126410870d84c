//! Files, as far as persistence needs them: a trait, so that tests can put faults between it and the disk.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::error::{Error, Result};

/// A place where files live.
pub(crate) trait Storage: Send {
    /// Opens a file that is there for writing.
    fn open(&self, path: &Path) -> Result<Box<dyn StorageFile>>;
    /// Makes a file; None if something has the name already.
    fn create(&self, path: &Path) -> Result<Option<Box<dyn StorageFile>>>;
    /// Makes a folder; fine if it is there.
    fn create_dir(&self, path: &Path) -> Result<()>;
    /// Whether there is something at `path`.
    fn exists(&self, path: &Path) -> bool;
    /// Whether a folder holds nothing.
    fn is_empty_dir(&self, path: &Path) -> Result<bool>;
    /// Gives a file another name, in place of what had it.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;
    /// Removes a file; the caller does not depend on it.
    fn remove(&self, path: &Path);
    /// Has names of a folder on the device.
    fn sync_dir(&self, path: &Path) -> Result<()>;
}

/// An open file.
pub(crate) trait StorageFile {
    /// Writes all bytes at an offset; the file grows as needed.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> Result<()>;
    /// Makes the file this long if it is shorter; new bytes are zeros.
    fn grow(&mut self, len: u64) -> Result<()>;
    /// Has all bytes on the device.
    fn sync(&mut self) -> Result<()>;
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

/// The operating system's files.
pub(crate) struct OsStorage;

struct OsFile {
    file: File,
    path: Box<Path>,
}

impl Storage for OsStorage {
    fn open(&self, path: &Path) -> Result<Box<dyn StorageFile>> {
        let file = OpenOptions::new().write(true).open(path).map_err(|e| failure("open", path, &e))?;
        Ok(Box::new(OsFile { file, path: path.into() }))
    }

    fn create(&self, path: &Path) -> Result<Option<Box<dyn StorageFile>>> {
        match OpenOptions::new().write(true).create_new(true).open(path) {
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

    fn exists(&self, path: &Path) -> bool {
        path.symlink_metadata().is_ok()
    }

    fn is_empty_dir(&self, path: &Path) -> Result<bool> {
        let mut entries = fs::read_dir(path).map_err(|e| failure("list", path, &e))?;
        Ok(entries.next().is_none())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        fs::rename(from, to).map_err(|e| failure("rename to", to, &e))
    }

    fn remove(&self, path: &Path) {
        let _ = fs::remove_file(path);
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        let folder = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        File::open(folder).and_then(|f| f.sync_all()).map_err(|e| failure("sync the directory", folder, &e))
    }
}

impl StorageFile for OsFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> Result<()> {
        self.file.write_all_at(bytes, offset).map_err(|e| failure("write to", &self.path, &e))
    }

    fn grow(&mut self, len: u64) -> Result<()> {
        let old = self.file.metadata().map_err(|e| failure("look at", &self.path, &e))?.len();
        if old < len {
            self.file.set_len(len).map_err(|e| failure("extend", &self.path, &e))?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        self.file.sync_data().map_err(|e| failure("sync", &self.path, &e))
    }
}
