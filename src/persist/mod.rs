//! Bytes of files to an index and back. Three formats, one record: see `format`.
//!
//! `open` opens, `write` saves whole files, `directory` keeps a directory up to date. What they do to files goes
//! through `storage::Storage`. Nothing read is trusted: lengths, counts, offsets, levels and the entry point are
//! checked here before they are used; links are checked here too unless a fast open is asked for, and again whenever
//! they are followed (`store`). `salvage` trusts nothing at all, and builds a new index from what it can read.

mod beside;
mod buffers;
mod directory;
mod enter;
mod fork;
mod format;
mod hash;
mod hold;
mod holes;
mod journal;
mod lists;
mod open;
mod read;
mod recover;
mod salvage;
#[cfg(test)]
mod sim;
mod storage;
mod sums;
#[cfg(test)]
mod tests;
mod verify;
mod write;

pub(crate) use buffers::{save_buffers, BuffersMut};
pub(crate) use directory::create_directory as create_core_directory;
pub(crate) use directory::persist_dirty as persist_core;
pub(crate) use directory::Directory;
pub use directory::Persisted;
pub(crate) use enter::Intent;
pub(crate) use open::{adopt_directory, load_buffers, load_graph, Buffers, Opened};
pub use open::{load, Check, LoadParams};
pub(crate) use read::Placement;
pub use salvage::{salvage, Report, SalvageParams};
pub(crate) use salvage::{DAMAGED_HEADER, DAMAGED_LENGTHS, DAMAGED_LISTS, DAMAGED_RECORDS};
pub(crate) use storage::StorageFile;
pub use verify::{verify, Damage, Verified};
pub(crate) use write::save as save_core;
pub use write::Format;

use std::path::Path;

use crate::error::Result;
use crate::index::Index;

/// Makes `path` the directory of an index that is empty and has none.
pub fn create_directory(index: &Index, path: &Path) -> Result<()> {
    directory::create_directory(index.core(), &index.stated(), path, false)
}

/// Writes what changed since the last call to the directory of the index.
pub fn persist_dirty(index: &Index) -> Result<Persisted> {
    index.check_writable()?;
    directory::persist_dirty(index.core(), &index.stated())
}

/// Writes the codes of the index beside the file or directory at `path`, which holds the records of the index.
pub fn save_codes(index: &Index, path: &Path) -> Result<()> {
    beside::save_codes(index.core(), path)
}

/// Writes the whole index to `path`.
pub fn save(index: &Index, path: &Path, format: Format) -> Result<()> {
    write::save(index.core(), &index.stated(), path, format)
}
