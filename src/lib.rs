//! libhnx: an HNSW vector index behind a C ABI.
//!
//! The public face is `include/hnx.h`, which [`ffi`] implements; a Rust program can use [`Index`] directly.
//!
//! ```text
//! add      ffi/write -> index/add -> store: claim record, write vector and label -> search: candidates -> graph: link
//! query    ffi/query -> index/query -> search: descend, beam (codes, then f32) -> caller's buffers
//! persist  ffi/persist -> persist -> store: dirty set -> records in place
//! load     ffi/lifecycle -> persist -> validate every length and id -> store -> index
//! ```
//!
//! Imports go one way: `ffi > index, persist > graph, search > store, codes > distance > error, params, platform,
//! sync`; a test reads the `use crate::` lines and fails on an arrow the other way.

#[cfg(not(all(target_pointer_width = "64", target_endian = "little", any(unix, windows))))]
compile_error!("libhnx needs a 64-bit little-endian Unix or Windows: file formats and address ranges assume it");

mod codes;
pub mod distance;
pub mod error;
pub mod ffi;
mod graph;
pub mod index;
pub mod params;
pub mod persist;
mod platform;
mod search;
mod store;
mod sync;

pub use error::{Error, Result};
pub use index::{AddMode, Index};
pub use params::{Metric, Params};
pub use search::filter::Filter;
