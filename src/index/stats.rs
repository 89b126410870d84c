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
    pub vector_bytes: u64,
    pub link_bytes: u64,
    pub label_bytes: u64,
    pub dirty_records: u64,
}

impl Index {
    /// The state now; numbers that change meanwhile may be from different moments.
    pub fn stats(&self) -> Stats {
        let (memory, map) = (self.store().memory(), self.labels.memory());
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
            record_bytes: memory.records as u64,
            code_bytes: memory.codes as u64,
            other_bytes: (memory.beside + map) as u64,
            vector_bytes: memory.vectors as u64,
            link_bytes: memory.links as u64,
            label_bytes: (memory.labels + map) as u64,
            dirty_records: self.store().dirty().count() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::index::{AddMode, Index};
    use crate::params::Params;

    /// Each kind of memory is at least what it holds, and together they are no more than all there is.
    #[test]
    fn memory_is_told_by_what_it_is() {
        let index = Index::new(&Params { m: 8, ef_construction: 10, ..Params::new(16) }).unwrap();
        let mut last = 0;
        for part in 0..3u64 {
            let labels: Vec<u64> = (5000 * part..5000 * (part + 1)).collect();
            let vectors: Vec<f32> = (0..80_000u64).map(|i| ((i * i + 17 * i) % 997) as f32).collect();
            index.add(&vectors, &labels, AddMode::default(), 1, false, &mut |_, _| {}).unwrap();
            let (s, count) = (index.stats(), index.count() as u64);
            assert!(s.vector_bytes >= count * 64 && s.label_bytes >= count * 8, "{s:?}");
            let ground = count * (4 + 4 * 16);
            assert!(s.link_bytes > ground + count / 16 * 4 * 8, "upper levels, too: {s:?}");
            assert!(s.vector_bytes + s.link_bytes + s.label_bytes >= s.record_bytes, "{s:?}");
            assert!(s.vector_bytes + s.link_bytes + s.label_bytes <= s.record_bytes + s.other_bytes, "{s:?}");
            assert!(s.vector_bytes > last, "{s:?}");
            last = s.vector_bytes;
        }
    }
}
