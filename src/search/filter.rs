//! Which records a query wants: live ones that the host accepts.

use std::collections::HashSet;

use crate::error::{cancelled, out_of_memory, Result};
use crate::store::labels::Seed;
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

/// Which labels a query may find.
#[derive(Clone, Copy)]
pub struct Filter<'a> {
    /// Asks about a label.
    pub(crate) accept: &'a Accept<'a>,
    /// Where all listed labels may be found and no others: these.
    pub(crate) only: Option<&'a LabelSet>,
}

impl<'a> Filter<'a> {
    /// By a function of a label; its None ends the call.
    pub fn new(accept: &'a dyn Fn(u64) -> Option<bool>) -> Self {
        Self { accept, only: None }
    }
}

/// Labels that a host lists.
pub(crate) struct LabelSet(HashSet<u64, Seed>);

impl LabelSet {
    pub(crate) fn new(labels: &[u64]) -> Result<Self> {
        let mut set = HashSet::with_hasher(Seed::random());
        set.try_reserve(labels.len()).map_err(|_| out_of_memory("the labels of a filter"))?;
        set.extend(labels);
        Ok(Self(set))
    }

    pub(crate) fn contains(&self, label: u64) -> bool {
        self.0.contains(&label)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// In no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().copied()
    }
}
