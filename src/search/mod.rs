//! Finding neighbours: the descent through the upper levels, the search of one level, and what they work with.
//!
//! Two searches of a level exist. [`layer`] keeps hnswlib's two heaps, tie for tie: construction uses it, because a
//! graph must come out the same, and queries with a filter, or where much is deleted, do. [`beam`] keeps one sorted
//! pool, which is faster; it is for all others ([`deletions`]).
//!
//! Where an index has codes ([`crate::codes`]), both run on these instead of the vectors, and [`guided`] measures the
//! best of what they found exactly. [`lanes`] does so for several queries of a batch at once. [`certified`] queries
//! find what f32 finds, and [`pending`] is how they measure few long vectors for it. Where few records may be found,
//! [`listed`] measures all of these.

pub(crate) mod beam;
pub(crate) mod certified;
pub(crate) mod code_engine;
pub(crate) mod deletions;
pub(crate) mod descend;
pub(crate) mod engine;
pub(crate) mod filter;
pub(crate) mod guided;
pub(crate) mod heap;
pub(crate) mod hop;
pub(crate) mod lanes;
pub(crate) mod layer;
pub(crate) mod listed;
pub(crate) mod pending;
pub(crate) mod pool;
pub(crate) mod query;
pub(crate) mod scan;
pub(crate) mod scratch;
pub(crate) mod until;
pub(crate) mod visited;
