//! Bytes of files to an index and back. Three formats, one record: see `format`.
//!
//! `open` opens, `write` saves whole files, `directory` keeps a directory up to date. What they do to files goes
//! through `storage::Storage`. Nothing read is trusted: lengths, counts, offsets, levels and the entry point are
//! checked here before they are used; links are checked here too unless a fast open is asked for, and again whenever
//! they are followed (`store`).

pub(crate) mod directory;
mod format;
mod lists;
mod open;
mod read;
mod storage;
#[cfg(test)]
mod tests;
mod write;

pub use directory::{create_directory, persist_dirty, Persisted};
pub use open::{load, Check, LoadParams};
pub use write::{save, Format};
