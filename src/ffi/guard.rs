//! The boundary every export goes through: errors become codes, panics become HNX_ERR_INTERNAL.

use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};

use super::handle::{self, Opaque};
use super::last_error;
use super::status::hnx_status;
use crate::error::Result;

/// Runs `body`; keeps the text of a failure for hnx_last_error(). A panic poisons what `handle` names, unless it is
/// NULL.
pub(super) fn guard<H: Opaque>(handle: *const H, body: impl FnOnce() -> Result<()>) -> hnx_status {
    // AssertUnwindSafe: an index that a panic left half-changed is poisoned below and refuses every call but free.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => hnx_status::HNX_OK,
        Ok(Err(error)) => {
            last_error::set(format_args!("{error}"));
            hnx_status::from(&error)
        }
        Err(payload) => {
            last_error::set(format_args!("internal error: {}", text_of(payload.as_ref())));
            #[expect(clippy::mem_forget, reason = "a payload whose Drop panics would abort the host")]
            std::mem::forget(payload);
            handle::poison(handle);
            hnx_status::HNX_ERR_INTERNAL
        }
    }
}

fn text_of(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without text")
}
