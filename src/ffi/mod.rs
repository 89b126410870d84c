//! The C ABI: the only `extern "C"` of the crate. Pointers, sizes and status codes; no algorithm.
//!
//! Each export does the same three things: read its arguments (`args`), call the core inside `guard`, turn the
//! answer into a status. `types` holds what C sees, under its C names, so that the header generator has nothing to
//! rename. The other files hold the exports, by noun.

mod args;
mod guard;
mod handle;
mod info;
mod last_error;
mod lifecycle;
mod persist;
mod query;
mod status;
mod types;
mod write;

pub use handle::hnx_index;
pub use info::*;
pub use lifecycle::*;
pub use persist::*;
pub use query::*;
pub use status::{hnx_status, hnx_status_name};
pub use types::*;
pub use write::*;
