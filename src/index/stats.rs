//! The state of an index in numbers.

use std::sync::atomic::Ordering;

use super::Index;
use crate::params::{Exactness, Metric};

/// What [`Index::stats`] tells.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "hnx_stats_info documents each")]
pub struct Stats {
    pub metric: Metric,
    pub allow_replace_deleted: bool,
    pub mapped: bool,
    pub read_only: bool,
    pub dim: usize,
    pub count: usize,
    pub deleted: usize,
    pub capacity: usize,
    pub m: usize,
    pub ef_construction: usize,
    pub ef: usize,
    pub max_level: i32,
    pub exactness: Exactness,
    pub record_bytes: u64,
    pub code_bytes: u64,
    pub other_bytes: u64,
    pub dirty_records: u64,
}

impl Index {
    /// The state now; numbers that change meanwhile may be from different moments.
    pub fn stats(&self) -> Stats {
        let (records, codes, rest) = self.store().memory();
        Stats {
            metric: self.metric,
            allow_replace_deleted: self.allow_replace_deleted,
            mapped: self.mapped,
            read_only: self.read_only,
            dim: self.dim(),
            count: self.count(),
            deleted: self.deleted_count(),
            capacity: self.capacity(),
            m: self.core.graph().m(),
            ef_construction: self.ef_construction,
            ef: self.ef.load(Ordering::Relaxed),
            max_level: self.core.graph().entry().map_or(-1, |(_, level)| level as i32),
            exactness: self.exactness(),
            record_bytes: records as u64,
            code_bytes: codes as u64,
            other_bytes: (rest + self.labels.memory()) as u64,
            dirty_records: self.store().dirty().count() as u64,
        }
    }
}
