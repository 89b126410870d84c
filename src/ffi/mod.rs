//! The C ABI: the only `extern "C"` of the crate. Pointers, sizes and status codes; no algorithm.
//!
//! Each export does the same three things: read its arguments (`args`), call the core inside `guard`, turn the
//! answer into a status. `types` holds what C sees, under its C names, so that the header generator has nothing to
//! rename. The other files hold the exports, by noun.
//!
//! The docs are the header's, and `include/hnx.json` is made from them: each function says `Threads: any thread, any
//! time` or `alone on this ..`, `name: NULL ..` where NULL means something, `until hnx_.._free()` where memory is kept
//! (ctests/description/rules.rs).

mod args;
mod callbacks;
mod distance;
mod graph;
mod graph_files;
mod graph_search;
mod graph_types;
mod guard;
mod handle;
mod info;
mod last_error;
mod lifecycle;
mod persist;
mod query;
mod salvage;
mod status;
mod types;
mod write;

pub use callbacks::{hnx_accept_fn, hnx_draw_fn, hnx_emit_fn, hnx_filter, hnx_hit, hnx_measure_fn, hnx_stop};
pub use callbacks::{HNX_FILTER_EXCEPT, HNX_FILTER_ONLY};
pub use distance::*;
pub use graph::*;
pub use graph_files::*;
pub use graph_search::*;
pub use graph_types::*;
pub use handle::{hnx_graph, hnx_index};
pub use info::*;
pub use lifecycle::*;
pub use persist::*;
pub use query::*;
pub use salvage::*;
pub use status::{hnx_status, hnx_status_name};
pub use types::*;
pub use write::*;
