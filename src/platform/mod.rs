//! What operating systems do differently: address space, files beyond what std has, barriers, children. One file for
//! each family, with the same functions in both; what the two share is here. Everything else is std, and nothing
//! outside this folder asks which system it runs on.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub(crate) use system::barrier::{barrier_everywhere, prepare_barriers};
pub(crate) use system::children::close_in_children;
pub(crate) use system::files::{
    number_of, options, path_from_bytes, reserve_on_device, stamp_at, stamp_of, stored, sync_dir, try_lock, unlock,
    FileExt,
};
pub(crate) use system::memory::{
    advise_huge_pages, advise_reads, commit, is_limited, map_file, page_size, release, reserve, CAN_MAP_FILES,
};

/// A time: seconds and nanoseconds since 1970.
pub(crate) type Moment = (i64, i64);

/// Tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Device and number of the file.
    pub(crate) file: (u64, u64),
    pub(crate) len: u64,
    pub(crate) modified: Moment,
}
