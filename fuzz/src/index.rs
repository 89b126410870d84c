//! An index behind the C ABI, and what its answers must look like whatever the file was.

use std::ffi::CStr;
use std::mem::zeroed;
use std::ptr::{null, null_mut};

use hnx::ffi::*;

use crate::random::Random;

/// Floats per vector in all inputs.
pub const DIM: usize = 3;

/// A live handle.
pub struct Index(*mut hnx_index);

impl Drop for Index {
    fn drop(&mut self) {
        // SAFETY: made by hnx_load or the like, and ours.
        unsafe { hnx_free(self.0) };
    }
}

/// A status that no file may bring about.
pub fn check(status: hnx_status) -> hnx_status {
    if matches!(status, hnx_status::HNX_ERR_INTERNAL | hnx_status::HNX_ERR_POISONED) {
        panic!("{status:?}");
    }
    status
}

fn ok(status: hnx_status) {
    assert_eq!(status, hnx_status::HNX_OK);
}

/// How to open.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub metric: u32,
    pub flags: u32,
    pub check: u32,
}

impl Way {
    /// One of all ways, by number.
    pub fn number(number: usize, metric: u32) -> Self {
        let flags = [0, HNX_LOAD_MMAP, HNX_LOAD_READ_ONLY, HNX_ALLOW_REPLACE_DELETED][number & 3];
        let flags = flags | if number & 12 == 12 { HNX_ALLOW_REPLACE_DELETED | HNX_LOAD_MMAP } else { 0 };
        Self { metric, flags, check: [HNX_CHECK_DEFAULT, HNX_CHECK_FAST, HNX_CHECK_DEEP][number / 4 % 3] }
    }
}

/// Opens, if the library wants to.
pub fn open(path: &CStr, way: Way) -> Option<Index> {
    let mut index = null_mut();
    // SAFETY: all pointers are valid during the call; all zeros are a value.
    unsafe {
        let mut options: hnx_load_options = zeroed();
        options.struct_size = size_of::<hnx_load_options>();
        (options.metric, options.flags, options.dim, options.check) = (way.metric, way.flags, DIM, way.check);
        check(hnx_load(path.as_ptr(), &options, &mut index));
    }
    (!index.is_null()).then_some(Index(index))
}

const K: usize = 6;

impl Index {
    /// A handle that a test made by itself.
    ///
    /// # Safety
    /// It is live, and nobody else frees it.
    pub unsafe fn from_raw(index: *mut hnx_index) -> Self {
        Self(index)
    }

    pub fn count(&self) -> usize {
        // SAFETY: live.
        unsafe { hnx_count(self.0) }
    }

    /// Queries, and checks the shape of the answer.
    pub fn query(&self, query: &[f32; DIM], ef: usize) -> Vec<u64> {
        let (mut labels, mut distances, mut count) = ([7; K], [0.0f32; K], usize::MAX);
        // SAFETY: as many floats and places as said.
        unsafe {
            let mut options: hnx_query_options = zeroed();
            (options.struct_size, options.ef, options.threads) = (size_of::<hnx_query_options>(), ef, 1);
            let (labels, distances) = (labels.as_mut_ptr(), distances.as_mut_ptr());
            ok(hnx_query(self.0, query.as_ptr(), 1, K, &options, labels, distances, &mut count));
        }
        assert!(count <= K && count <= self.count());
        assert!(labels[count..].iter().all(|label| *label == u64::MAX));
        assert!(distances[count..].iter().all(|distance| *distance == f32::INFINITY));
        assert!(distances[..count].is_sorted_by(|a, b| a.total_cmp(b).is_le()));
        labels[..count].to_vec()
    }

    /// Everything that only reads.
    pub fn read(&self, random: &mut Random) {
        let query = floats(random);
        let labels = self.query(&query, 1 + random.below(40));
        let mut vector = [0.0f32; DIM];
        // SAFETY: live, and places are as large as said.
        unsafe {
            for label in labels.iter().chain([&u64::MAX, &3]) {
                check(hnx_get(self.0, label, 1, vector.as_mut_ptr()));
            }
            assert!(hnx_deleted_count(self.0) <= hnx_count(self.0));
            let mut stats: hnx_stats_info = zeroed();
            stats.struct_size = size_of::<hnx_stats_info>();
            ok(hnx_stats(self.0, &mut stats));
        }
    }

    /// Adds a row; a status is returned whatever it is.
    pub fn add(&self, row: &[f32; DIM], label: u64, flags: u32) -> hnx_status {
        // SAFETY: live, one row.
        unsafe {
            let mut options: hnx_add_options = zeroed();
            (options.struct_size, options.threads, options.flags) = (size_of::<hnx_add_options>(), 1, flags);
            check(hnx_add(self.0, row.as_ptr(), &label, 1, &options, null_mut()))
        }
    }

    pub fn delete(&self, label: u64) {
        // SAFETY: live.
        unsafe { check(hnx_mark_deleted(self.0, label)) };
    }

    pub fn undelete(&self, label: u64) {
        // SAFETY: live.
        unsafe { check(hnx_unmark_deleted(self.0, label)) };
    }

    pub fn resize(&self, records: usize) {
        // SAFETY: live.
        unsafe { check(hnx_resize(self.0, records)) };
    }

    pub fn save(&self, path: &CStr, format: u32) -> hnx_status {
        // SAFETY: live.
        unsafe { check(hnx_save(self.0, path.as_ptr(), format)) }
    }

    pub fn persist(&self) -> hnx_status {
        // SAFETY: live.
        unsafe { check(hnx_persist_dirty(self.0, null(), null_mut())) }
    }
}

/// A vector.
pub fn floats(random: &mut Random) -> [f32; DIM] {
    std::array::from_fn(|_| random.below(2001) as f32 / 100.0 - 10.0)
}
