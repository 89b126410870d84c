//! Which records a query wants: live ones that the host accepts.

use crate::error::{cancelled, Result};
use crate::store::view::View;
use crate::store::Slot;

/// Asks the host about a label; None ends the search.
pub(crate) type Accept<'a> = dyn Fn(u64) -> Option<bool> + 'a;

/// Whether a record may be found. The host is asked about live records only.
#[inline(always)]
pub(crate) fn wanted(view: &View<'_>, slot: Slot, deletions: bool, accept: Option<&Accept<'_>>) -> Result<bool> {
    if deletions && view.is_deleted(slot) {
        return Ok(false);
    }
    match accept {
        None => Ok(true),
        Some(accept) => accept(view.label(slot)).ok_or_else(cancelled),
    }
}
