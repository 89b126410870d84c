//! Chroma's persisted directory: made, and kept up to date by writing what changed.
//!
//! Records, lengths and lists are written in place and synced; the header, which says how many of them count, is
//! written and synced last.

use std::path::{Path, PathBuf};

use super::format::{Header, DIRECTORY_HEADER, HEADER_FILE, LENGTHS_FILE, LISTS_FILE, RECORDS_FILE};
use super::lists::{self, Offsets};
use super::storage::{OsStorage, Storage, StorageFile};
use super::write::{append_record, header, length_bytes, packed};
use crate::error::{invalid, Result};
use crate::index::core::{Core, Stated};
use crate::store::layout::Layout;
use crate::store::{Slot, Store};
use crate::sync::lock;

const FILES: [&str; 4] = [HEADER_FILE, RECORDS_FILE, LENGTHS_FILE, LISTS_FILE];
/// Bytes handed to the system at a time.
const CHUNK: usize = 1 << 20;

/// A directory that an index persists to.
pub(crate) struct Directory {
    storage: Box<dyn Storage>,
    path: PathBuf,
    /// Of the records in its file.
    layout: Layout,
    /// What header.bin holds; all zeros when that is not known.
    header: [u8; DIRECTORY_HEADER],
    /// Records the files hold.
    count: usize,
    offsets: Offsets,
    generation: u64,
}

/// What [`persist_dirty`] did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Persisted {
    /// Persists that wrote something.
    pub generation: u64,
    /// Records written.
    pub records: u64,
    /// Bytes written.
    pub bytes: u64,
}

/// Makes `path` the directory of an index; with `replace`, in place of one that is there.
pub(crate) fn create_directory(core: &Core, stated: &Stated, path: &Path, replace: bool) -> Result<()> {
    let _still = core.stand_still();
    if replace {
        FILES.iter().for_each(|name| OsStorage.remove(&path.join(name)));
    }
    let directory = Directory::create(Box::new(OsStorage), path, core, stated)?;
    core.store().dirty().enable();
    *lock(core.directory()) = Some(directory);
    Ok(())
}

/// Writes what changed since the last call.
pub(crate) fn persist_dirty(core: &Core, stated: &Stated) -> Result<Persisted> {
    let mut directory = lock(core.directory());
    let Some(directory) = directory.as_mut() else {
        return Err(invalid("the index has no directory: give persist_path to hnx_init, or load a directory"));
    };
    directory.persist(core, stated)
}

impl Directory {
    /// Makes the directory of an index that stands still or that nobody shares yet. There must be no index in it;
    /// when it fails there is none afterwards.
    pub(super) fn create(storage: Box<dyn Storage>, path: &Path, core: &Core, stated: &Stated) -> Result<Self> {
        storage.create_dir(path)?;
        for name in FILES {
            if storage.exists(&path.join(name)) {
                return Err(invalid(format!("{} holds an index already ({name}): load it", path.display())));
            }
        }
        let mut directory = Self::at(storage, path, packed(core.store()));
        let made = directory.write_all(core, stated);
        if let Err(error) = made {
            FILES.iter().for_each(|name| directory.storage.remove(&directory.path.join(name)));
            return Err(error);
        }
        directory.storage.sync_dir(directory.path.parent().unwrap_or(Path::new("/")))?;
        Ok(directory)
    }

    /// A directory of `count` records that is there, loaded into `store` just now.
    pub(super) fn existing(path: &Path, layout: Layout, store: &Store) -> Self {
        let mut directory = Self::at(Box::new(OsStorage), path, layout);
        directory.count = store.count();
        directory.offsets.extend(store);
        directory
    }

    fn at(storage: Box<dyn Storage>, path: &Path, layout: Layout) -> Self {
        let (header, offsets) = ([0; DIRECTORY_HEADER], Offsets::default());
        // Absolute: the host may change its working directory.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
        Self { storage, path, layout, header, count: 0, offsets, generation: 0 }
    }

    /// Remembers the header that the files have.
    pub(super) fn with_header(mut self, header: Header) -> Self {
        self.header = header.to_directory_bytes();
        self
    }

    fn write_all(&mut self, core: &Core, stated: &Stated) -> Result<()> {
        let mut files = Files::from(|name| {
            let taken = || invalid(format!("{name} came into being meanwhile"));
            self.storage.create(&self.path.join(name))?.ok_or_else(taken)
        })?;
        self.offsets.extend(core.store());
        let ids: Vec<u32> = core.store().slots().map(Slot::id).collect();
        self.write_records(core.store(), &ids, &mut files)?;
        let header = header(core, stated, self.layout).to_directory_bytes();
        self.finish(&mut files, header)?;
        self.storage.sync_dir(&self.path)?;
        self.count = ids.len();
        Ok(())
    }

    fn persist(&mut self, core: &Core, stated: &Stated) -> Result<Persisted> {
        let still = core.stand_still();
        let (store, dirty) = (core.store(), core.store().dirty());
        let ids = dirty.ids();
        let header = header(core, stated, self.layout).to_directory_bytes();
        if ids.is_empty() && header == self.header {
            return Ok(Persisted { generation: self.generation, ..Persisted::default() });
        }
        // A file that is gone is a failure: one made anew would hold the changed records only.
        let mut files = Files::from(|name| self.storage.open(&self.path.join(name)))?;
        self.offsets.extend(store);
        self.write_records(store, &ids, &mut files)?;
        dirty.clear();
        let count = store.count();
        // What is copied is copied: adds may go on while the device works.
        drop(still);
        if let Err(error) = self.finish(&mut files, header) {
            // A failed sync may have dropped what it should have written: it is all dirty again.
            ids.iter().filter_map(|id| store.slot(*id)).for_each(|slot| dirty.mark(slot));
            self.header = [0; DIRECTORY_HEADER];
            return Err(error);
        }
        self.count = count;
        self.generation += 1;
        let bytes = files.bytes + header.len() as u64;
        Ok(Persisted { generation: self.generation, records: ids.len() as u64, bytes })
    }

    /// Writes the records `ids`, ascending, everything but the header.
    fn write_records(&self, store: &Store, ids: &[u32], files: &mut Files) -> Result<()> {
        let (stride, upper_list) = (self.layout.stride as u64, self.layout.upper_list());
        for slot in ids.iter().filter_map(|id| store.slot(*id)) {
            let id = u64::from(slot.id());
            append_record(store, slot, &self.layout, files.records.at(id * stride)?);
            if store.has_lengths() {
                files.lengths.at(id * 4)?.extend_from_slice(&length_bytes(store, slot));
            }
            let (offset, level) = self.offsets.of(slot.id(), upper_list);
            // The size word of a record on the ground is zero for ever: it is written once.
            if level > 0 || id >= self.count as u64 {
                lists::append(store, slot, files.lists.at(offset)?);
            }
        }
        files.bytes = files.records.finish()? + files.lengths.finish()? + files.lists.finish()?;
        files.lengths.file.grow(4 * store.count() as u64)
    }

    /// Has everything on the device, then the header.
    fn finish(&mut self, files: &mut Files, header: [u8; DIRECTORY_HEADER]) -> Result<()> {
        files.records.file.sync()?;
        files.lengths.file.sync()?;
        files.lists.file.sync()?;
        files.header.write_at(&header, 0)?;
        files.header.sync()?;
        self.header = header;
        Ok(())
    }
}

/// The four files, open.
struct Files {
    header: Box<dyn StorageFile>,
    records: Part,
    lengths: Part,
    lists: Part,
    bytes: u64,
}

impl Files {
    fn from(open: impl Fn(&str) -> Result<Box<dyn StorageFile>>) -> Result<Self> {
        let part = |name| open(name).map(Part::new);
        let (header, records) = (open(HEADER_FILE)?, part(RECORDS_FILE)?);
        Ok(Self { header, records, lengths: part(LENGTHS_FILE)?, lists: part(LISTS_FILE)?, bytes: 0 })
    }
}

/// A file being written at ascending offsets; neighbouring pieces go out together.
struct Part {
    file: Box<dyn StorageFile>,
    buffer: Vec<u8>,
    /// Where the buffer belongs.
    start: u64,
    bytes: u64,
}

impl Part {
    fn new(file: Box<dyn StorageFile>) -> Self {
        Self { file, buffer: Vec::new(), start: 0, bytes: 0 }
    }

    /// The buffer to append what belongs at `offset` to.
    fn at(&mut self, offset: u64) -> Result<&mut Vec<u8>> {
        if offset != self.start + self.buffer.len() as u64 || self.buffer.len() >= CHUNK {
            self.flush()?;
            self.start = offset;
        }
        Ok(&mut self.buffer)
    }

    fn flush(&mut self) -> Result<()> {
        if !self.buffer.is_empty() {
            self.file.write_at(&self.buffer, self.start)?;
            self.bytes += self.buffer.len() as u64;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Writes the rest; all bytes written.
    fn finish(&mut self) -> Result<u64> {
        self.flush()?;
        Ok(self.bytes)
    }
}
