//! Putting records back that come from somewhere else, with their lengths and deletions.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;

use super::query::{on_threads, threads_for};
use super::Index;
use crate::error::{Error, Result};
use crate::search::scratch::Scratch;
use crate::sync::lock;

/// Rows a thread should have to be worth its start.
const ROWS_PER_THREAD: usize = 8;

/// Label and length of a record.
pub(crate) struct Restored {
    pub(crate) label: u64,
    pub(crate) length: f32,
}

impl Index {
    /// Adds `count` records whose labels are new. `fetch` puts the vector of one into the memory it is given: finite,
    /// and normalised where the metric wants that. `threads` 0: all cores.
    pub(crate) fn restore(
        &self,
        count: usize,
        threads: usize,
        fetch: &(dyn Fn(usize, &mut [u8]) -> Result<Restored> + Sync),
    ) -> Result<()> {
        let (next, failure) = (AtomicUsize::new(0), Mutex::new(None::<Error>));
        on_threads(threads_for(threads, count, ROWS_PER_THREAD), &|| {
            self.core.with_scratch(|scratch| {
                while lock(&failure).is_none() {
                    let row = next.fetch_add(1, Ordering::Relaxed);
                    if row >= count {
                        break;
                    }
                    if let Err(error) = self.restore_one(row, fetch, scratch) {
                        lock(&failure).get_or_insert(error);
                    }
                }
            });
        });
        let failed = lock(&failure).take();
        failed.map_or(Ok(()), Err)
    }

    fn restore_one(
        &self,
        row: usize,
        fetch: &(dyn Fn(usize, &mut [u8]) -> Result<Restored> + Sync),
        scratch: &mut Scratch,
    ) -> Result<()> {
        let Restored { label, length } = fetch(row, scratch.vector.bytes_mut())?;
        let labels = self.labels()?;
        let _change = self.core.change();
        let _label = labels.lock(label);
        self.get_buffers_ready(scratch)?;
        self.insert(label, length, None, scratch)
    }
}
