//! Status codes: numbers C sees, and the way from a core error to one of them.

use std::ffi::{c_char, CStr};

use crate::error::Error;

/// What every call that can fail returns. Numbers are never changed and never reused. The text of the last failure
/// of the calling thread, which names the cause, comes from hnx_last_error().
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(non_camel_case_types, reason = "the C name")]
pub enum hnx_status {
    /// Done.
    HNX_OK = 0,
    /// A NULL pointer, a size, flag or value out of range, a vector that is not finite.
    HNX_ERR_INVALID_ARGUMENT = -1,
    /// Memory or address space ran out; the index is as it was before the call.
    HNX_ERR_OUT_OF_MEMORY = -2,
    /// The fixed capacity is used up: hnx_resize(), or let the index grow on demand.
    HNX_ERR_FULL = -3,
    /// No such label (or it is deleted), no such file.
    HNX_ERR_NOT_FOUND = -4,
    /// hnx_mark_deleted() of a label that is deleted already.
    HNX_ERR_ALREADY_DELETED = -5,
    /// hnx_unmark_deleted() of a label that is not deleted.
    HNX_ERR_NOT_DELETED = -6,
    /// The operating system refused an operation on a file; its words are in the text.
    HNX_ERR_IO = -7,
    /// A file contradicts itself or the options given.
    HNX_ERR_CORRUPT = -8,
    /// A file of a version that this library does not know.
    HNX_ERR_VERSION = -9,
    /// A feature or an option that this library does not have.
    HNX_ERR_UNSUPPORTED = -10,
    /// Another process or handle holds the directory.
    HNX_ERR_LOCKED = -11,
    /// The index was opened for reading only.
    HNX_ERR_READ_ONLY = -12,
    /// A callback ended the call.
    HNX_ERR_CANCELLED = -13,
    /// An internal error happened on this index before; it can only be freed.
    HNX_ERR_POISONED = -14,
    /// A defect in the library; the index is poisoned, the process is not harmed.
    HNX_ERR_INTERNAL = -15,
    /// HNX_ADD_INSERT_ONLY met a label that exists.
    HNX_ERR_EXISTS = -16,
    /// Another program, one that takes no lock, has written the directory since it was opened or persisted to.
    HNX_ERR_CONFLICT = -17,
    // last: -17
}

impl From<&Error> for hnx_status {
    fn from(error: &Error) -> Self {
        match error {
            Error::InvalidArgument(_) => Self::HNX_ERR_INVALID_ARGUMENT,
            Error::OutOfMemory(_) => Self::HNX_ERR_OUT_OF_MEMORY,
            Error::Full(_) => Self::HNX_ERR_FULL,
            Error::NotFound(_) => Self::HNX_ERR_NOT_FOUND,
            Error::AlreadyDeleted(_) => Self::HNX_ERR_ALREADY_DELETED,
            Error::NotDeleted(_) => Self::HNX_ERR_NOT_DELETED,
            Error::Io(_) => Self::HNX_ERR_IO,
            Error::Corrupt(_) => Self::HNX_ERR_CORRUPT,
            Error::Version(_) => Self::HNX_ERR_VERSION,
            Error::Unsupported(_) => Self::HNX_ERR_UNSUPPORTED,
            Error::ReadOnly(_) => Self::HNX_ERR_READ_ONLY,
            Error::Exists(_) => Self::HNX_ERR_EXISTS,
            Error::Cancelled(_) => Self::HNX_ERR_CANCELLED,
            Error::Poisoned(_) => Self::HNX_ERR_POISONED,
            Error::Locked(_) => Self::HNX_ERR_LOCKED,
            Error::Conflict(_) => Self::HNX_ERR_CONFLICT,
        }
    }
}

/// The name of a status, such as "HNX_ERR_CORRUPT", or "unknown status" for a number this library does not know.
/// The text is static. Any thread, any time.
#[no_mangle]
pub extern "C" fn hnx_status_name(status: i32) -> *const c_char {
    let name: &'static CStr = match status {
        0 => c"HNX_OK",
        -1 => c"HNX_ERR_INVALID_ARGUMENT",
        -2 => c"HNX_ERR_OUT_OF_MEMORY",
        -3 => c"HNX_ERR_FULL",
        -4 => c"HNX_ERR_NOT_FOUND",
        -5 => c"HNX_ERR_ALREADY_DELETED",
        -6 => c"HNX_ERR_NOT_DELETED",
        -7 => c"HNX_ERR_IO",
        -8 => c"HNX_ERR_CORRUPT",
        -9 => c"HNX_ERR_VERSION",
        -10 => c"HNX_ERR_UNSUPPORTED",
        -11 => c"HNX_ERR_LOCKED",
        -12 => c"HNX_ERR_READ_ONLY",
        -13 => c"HNX_ERR_CANCELLED",
        -14 => c"HNX_ERR_POISONED",
        -15 => c"HNX_ERR_INTERNAL",
        -16 => c"HNX_ERR_EXISTS",
        -17 => c"HNX_ERR_CONFLICT",
        _ => c"unknown status",
    };
    name.as_ptr()
}
