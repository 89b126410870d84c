//! A directory's files as memory of the caller's.

use super::lists;
use super::write::{append_record, header, length_bytes, packed};
use crate::error::{invalid, Result};
use crate::index::core::{Core, Stated};

/// The caller's memory for each file; each must be long enough.
pub(crate) struct BuffersMut<'a> {
    pub(crate) header: &'a mut [u8],
    pub(crate) records: &'a mut [u8],
    pub(crate) lengths: &'a mut [u8],
    pub(crate) lists: &'a mut [u8],
}

/// Writes the whole index. What is longer than needed is filled up with zeros.
pub(crate) fn save_buffers(core: &Core, stated: &Stated, buffers: BuffersMut<'_>) -> Result<()> {
    let _still = core.stand_still();
    let (store, layout) = (core.store(), packed(core.store()));
    let (mut records, mut lengths, mut lists) = (Vec::new(), Vec::new(), Vec::new());
    for slot in store.slots() {
        append_record(store, slot, &layout, &mut records);
        lengths.extend_from_slice(&length_bytes(store, slot));
        lists::append(store, slot, &mut lists);
    }
    let header = header(core, stated, layout).to_directory_bytes();
    let all = [
        ("header", buffers.header, &header[..]),
        ("records", buffers.records, &records),
        ("lengths", buffers.lengths, &lengths),
        ("lists", buffers.lists, &lists),
    ];
    for (name, to, from) in &all {
        if to.len() < from.len() {
            return Err(invalid(format!("the buffer of {name} has {} bytes of {}", to.len(), from.len())));
        }
    }
    for (_, to, from) in all {
        let (used, rest) = to.split_at_mut(from.len());
        used.copy_from_slice(from);
        rest.fill(0);
    }
    Ok(())
}
