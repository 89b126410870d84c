//! Writing a whole index.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::directory::{self, record_sums, sums_start, Directory, Made};
use super::format::Header;
use super::journal::{DATA_FILES, SUMS};
use super::lists;
use super::storage::{OsStorage, Storage, StorageFile};
use super::sums::{weight, SumsHead, SUMS_START};
use crate::error::{invalid, Result};
use crate::index::core::{Core, Stated};
use crate::store::layout::Layout;
use crate::store::{Slot, Store};

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// hnswlib's file.
    Hnswlib,
    /// Chroma's file.
    Chroma,
    /// Chroma's directory.
    ChromaDirectory,
}

impl Format {
    /// From the number C uses.
    pub fn from_number(number: u32) -> Result<Self> {
        match number {
            0 => Ok(Self::Hnswlib),
            1 => Ok(Self::Chroma),
            2 => Ok(Self::ChromaDirectory),
            _ => Err(invalid(format!("format {number} is unknown"))),
        }
    }

    /// The number C uses.
    pub fn number(self) -> u32 {
        match self {
            Self::Hnswlib => 0,
            Self::Chroma => 1,
            Self::ChromaDirectory => 2,
        }
    }
}

/// Bytes handed to the system at a time.
const CHUNK: usize = 1 << 20;

/// The header of an index that stands still, for records in `layout`.
pub(super) fn header(core: &Core, stated: &Stated, layout: Layout) -> Header {
    Header {
        max_elements: stated.max_elements.max(core.count()),
        count: core.count(),
        layout,
        entry: core.graph().entry().map(|(slot, level)| (slot.id(), level)),
        mult: stated.mult,
        ef_construction: stated.ef_construction,
    }
}

/// The upstream layout of an index's records.
pub(super) fn packed(store: &Store) -> Layout {
    Layout::packed(store.layout().vector_bytes, store.layout().max_m)
}

/// Appends a record in the layout of a file; bytes between its parts are zeros.
pub(super) fn append_record(store: &Store, slot: Slot, layout: &Layout, to: &mut Vec<u8>) {
    let start = to.len();
    to.extend_from_slice(store.list_bytes(slot));
    to.resize(start + layout.vector, 0);
    to.extend_from_slice(store.vector_bytes(slot));
    to.extend_from_slice(&store.label(slot).to_le_bytes());
    to.resize(start + layout.stride, 0);
}

/// The length as Chroma's formats hold it: zero where none is kept.
pub(super) fn length_bytes(store: &Store, slot: Slot) -> [u8; 4] {
    let length = if store.has_lengths() { store.length(slot) } else { 0.0 };
    length.to_le_bytes()
}

/// Writes a file from its start.
pub(super) struct Appender {
    pub(super) file: Box<dyn StorageFile>,
    pub(super) buffer: Vec<u8>,
    pub(super) written: u64,
}

impl Appender {
    pub(super) fn new(file: Box<dyn StorageFile>) -> Self {
        Self { file, buffer: Vec::new(), written: 0 }
    }

    pub(super) fn flush_beyond(&mut self, limit: usize) -> Result<()> {
        if self.buffer.len() > limit {
            self.file.write_at(&self.buffer, self.written)?;
            self.written += self.buffer.len() as u64;
            self.buffer.clear();
        }
        Ok(())
    }
}

/// Writes the whole index to `path`.
pub(crate) fn save(core: &Core, stated: &Stated, path: &Path, format: Format) -> Result<()> {
    if format == Format::ChromaDirectory {
        let storage: Arc<dyn Storage> = Arc::new(OsStorage);
        if storage.exists(path)? && !storage.is_empty_dir(path)? && !directory::is_unfinished(&storage, path)? {
            return Err(invalid(format!("{} is not empty", path.display())));
        }
        let _still = core.stand_still();
        return Directory::create(storage, path, core, stated, false).map(|_| ());
    }
    save_file(&OsStorage, path, |file| write_file(file, core, stated, format == Format::Chroma))
}

/// Writes beside the place, syncs, renames: what is at `path` stays whole until the new file is.
pub(super) fn save_file(
    storage: &dyn Storage,
    path: &Path,
    write: impl FnOnce(Box<dyn StorageFile>) -> Result<()>,
) -> Result<()> {
    // A symbolic link stays one: its target is replaced.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    if path.is_dir() || path.file_name().is_none() {
        return Err(invalid(format!("{} is a directory", path.display())));
    }
    // A device or a pipe would be replaced by a file.
    if path.symlink_metadata().is_ok_and(|at| !at.is_file()) {
        return Err(invalid(format!("{} is not a regular file", path.display())));
    }
    let (beside, file) = temporary(storage, &path)?;
    let written = write(file).and_then(|()| storage.rename(&beside, &path));
    if written.is_err() {
        let _ = storage.remove(&beside);
        return written;
    }
    storage.sync_dir(path.parent().unwrap_or(Path::new("")))
}

/// A new file beside `path`. What a killed process left under such a name is passed over, never written to.
fn temporary(storage: &dyn Storage, path: &Path) -> Result<(PathBuf, Box<dyn StorageFile>)> {
    for number in 0..u32::MAX {
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}-{number}.tmp", std::process::id()));
        let beside = path.with_file_name(name);
        if let Some(file) = storage.create(&beside)? {
            return Ok((beside, file));
        }
    }
    Err(invalid("no name is left for a temporary file"))
}

fn write_file(file: Box<dyn StorageFile>, core: &Core, stated: &Stated, with_lengths: bool) -> Result<()> {
    let mut out = Appender::new(file);
    let _still = core.stand_still();
    let (store, layout) = (core.store(), packed(core.store()));
    out.buffer.extend_from_slice(&header(core, stated, layout).to_bytes());
    store.read_all(|| {
        store.slots().try_for_each(|slot| {
            append_record(store, slot, &layout, &mut out.buffer);
            out.flush_beyond(CHUNK)
        })
    })?;
    if with_lengths {
        for slot in store.slots() {
            out.buffer.extend_from_slice(&length_bytes(store, slot));
            out.flush_beyond(CHUNK)?;
        }
    }
    for slot in store.slots() {
        lists::append(store, slot, &mut out.buffer);
        out.flush_beyond(CHUNK)?;
    }
    out.flush_beyond(0)?;
    out.file.sync()
}

/// Writes the files of a directory, all but its header, under names that have nothing to keep. The index stands still.
pub(super) fn write_data(
    storage: &dyn Storage,
    store: &Store,
    layout: &Layout,
    head: &SumsHead,
    place: impl Fn(&str) -> PathBuf,
) -> Result<Made> {
    let create = |name: &str| {
        let path = place(name);
        storage.remove(&path)?;
        let file = storage.create(&path)?.ok_or_else(|| invalid(format!("{} is in use", path.display())))?;
        Ok(Appender::new(file))
    };
    let [records, lengths, lists, sums] = DATA_FILES;
    let mut files = [create(records)?, create(lengths)?, create(lists)?, create(sums)?];
    let [records, lengths, lists, sums] = &mut files;
    sums.buffer.extend_from_slice(&[0; SUMS_START]);
    let mut total: u64 = 0;
    for slot in store.slots() {
        let start = records.buffer.len();
        append_record(store, slot, layout, &mut records.buffer);
        let record = record_sums(store, slot, &records.buffer[start..], layout);
        total = total.wrapping_add(weight(slot.id(), &record));
        sums.buffer.extend_from_slice(&record);
        lengths.buffer.extend_from_slice(&length_bytes(store, slot));
        lists::append(store, slot, &mut lists.buffer);
        for file in [&mut *records, lengths, lists, sums] {
            file.flush_beyond(CHUNK)?;
        }
    }
    for file in &mut files {
        file.flush_beyond(0)?;
    }
    let lens = [0, 1, 2, 3].map(|file| files[file].written);
    let head = SumsHead { total, lens: Some([lens[0], lens[1], lens[2]]), ..*head };
    files[SUMS].file.write_at(&sums_start(&head), 0)?;
    Ok(Made { files: files.map(|file| file.file), lens, total })
}
