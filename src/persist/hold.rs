//! Holding a directory: one writer at a time.
//!
//! The lock is an advisory one on `hnx.journal` (flock, so local file systems only): it is gone with the process that
//! took it, however that ended. A child of fork has a copy of it but is not the holder. Readers and appliers meet on
//! header.bin, which is never renamed: shared while a directory is read, exclusive while files change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fork;
use super::journal::{Journal, HEAD, JOURNAL_FILE};
use super::storage::{self, Access, Storage, StorageFile};
use crate::error::{Error, Result};

/// How long a persist waits for readers, and a reader for a persist.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of the holder's note.
const NOTE: usize = 32;

/// The right to write a directory.
pub(super) struct Held {
    storage: Arc<dyn Storage>,
    path: PathBuf,
    file: Option<Box<dyn StorageFile>>,
    holder: fork::Holder,
    note: Vec<u8>,
    /// Whether the journal's name is on the device.
    pub(super) named: bool,
}

impl Held {
    /// Takes the lock of a directory; an error if somebody else has it.
    pub(super) fn acquire(storage: &Arc<dyn Storage>, directory: &Path) -> Result<Self> {
        let path = directory.join(JOURNAL_FILE);
        let mut patience = 5;
        for _ in 0..1000 {
            let found = storage.open(&path, Access::Write)?;
            let Some(file) = found.map_or_else(|| storage.create(&path), |file| Ok(Some(file)))? else {
                continue; // made meanwhile
            };
            if !file.try_lock(true)? {
                // Somebody may just be looking whether it is held.
                if patience > 0 {
                    patience -= 1;
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                }
                return Err(held_by(directory, holder_of(file.as_ref())));
            }
            // Whoever gave it up has removed the file: the lock of a file without a name keeps nobody out.
            if storage.stamp(&path)?.map(|stamp| stamp.file) != Some(file.stamp()?.file) {
                continue;
            }
            let note = format!("{:<1$}", std::process::id(), NOTE).into_bytes();
            let holder = fork::Holder::of(file.as_ref());
            let mut held = Self { storage: Arc::clone(storage), path, file: Some(file), holder, note, named: false };
            if let (Ok(file), note) = held.journal() {
                let _ = file.write_at(note, HEAD as u64); // only to be told to others
            }
            return Ok(held);
        }
        Err(Error::Io(format!("{} comes and goes", path.display()).into()))
    }

    /// The process that holds it.
    pub(super) fn holder(&self) -> fork::Holder {
        fork::Holder::same(&self.holder)
    }

    /// The journal's file, and what is to stand behind its head.
    pub(super) fn journal(&mut self) -> (Result<&mut (dyn StorageFile + 'static)>, &[u8]) {
        let path = &self.path;
        let file = match self.file.as_mut() {
            Some(file) if self.holder.is_this_process() => Ok(&mut **file as &mut dyn StorageFile),
            _ => Err(forked(path)),
        };
        (file, &self.note)
    }
}

/// The error of a child of fork that wants to write.
pub(super) fn forked(path: &Path) -> Error {
    Error::Locked(format!("{}: the process that opened the index holds it, not its child", path.display()).into())
}

/// The id of the process that holds a directory, where it is told.
fn holder_of(file: &dyn StorageFile) -> Option<u32> {
    let note = storage::read(file, HEAD as u64, NOTE as u64).ok()?;
    std::str::from_utf8(&note).ok()?.trim().parse().ok()
}

fn held_by(directory: &Path, holder: Option<u32>) -> Error {
    let who = match holder {
        Some(process) if process == std::process::id() => "another handle of this process".to_owned(),
        Some(process) => format!("process {process}"),
        None => "another process".to_owned(),
    };
    Error::Locked(format!("{} is held by {who}", directory.display()).into())
}

/// Whether a handle of this process holds a directory.
pub(super) fn is_ours(storage: &dyn Storage, directory: &Path) -> bool {
    let file = storage.open(&directory.join(JOURNAL_FILE), Access::Read).ok().flatten();
    file.is_some_and(|file| holder_of(file.as_ref()) == Some(std::process::id()))
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(file) = self.file.take() else { return };
        if !self.holder.release() {
            // In a child of fork: the file is closed already, and its number may be another's.
            Box::leak(file);
            return;
        }
        // A journal that is retired is not needed; one that is not is all there is of a persist.
        if matches!(Journal::is_live(file.as_ref()), Ok(false)) {
            let _ = self.storage.remove(&self.path);
        }
        file.unlock();
    }
}

/// Waits for the lock on header.bin.
pub(super) fn lock_header(file: &dyn StorageFile, exclusive: bool, directory: &Path) -> Result<()> {
    let start = Instant::now();
    loop {
        match file.try_lock(exclusive) {
            // A file system without locks has no neighbours that could be kept out.
            Ok(true) | Err(_) => return Ok(()),
            Ok(false) if start.elapsed() > PATIENCE => {
                let who = if exclusive { "a reader" } else { "a writer" };
                return Err(Error::Locked(format!("{}: {who} is at work in it", directory.display()).into()));
            }
            Ok(false) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}
