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
    let header = header(core, stated, layout).to_directory_bytes();
    let upper: usize = store.slots().map(|slot| 4 + store.upper_bytes(slot).len()).sum();
    for (name, to, needed) in [
        ("header", &buffers.header, header.len()),
        ("records", &buffers.records, layout.stride * store.count()),
        ("lengths", &buffers.lengths, 4 * store.count()),
        ("lists", &buffers.lists, upper),
    ] {
        if to.len() < needed {
            return Err(invalid(format!("the buffer of {name} has {} bytes of {needed}", to.len())));
        }
    }
    let BuffersMut { header: to_header, mut records, mut lengths, mut lists } = buffers;
    // One record at a time: no second index in memory.
    let mut part = Vec::new();
    for slot in store.slots() {
        append_record(store, slot, &layout, &mut part);
        put(&mut records, &mut part);
        part.extend_from_slice(&length_bytes(store, slot));
        put(&mut lengths, &mut part);
        lists::append(store, slot, &mut part);
        put(&mut lists, &mut part);
    }
    to_header[..header.len()].copy_from_slice(&header);
    for rest in [&mut to_header[header.len()..], records, lengths, lists] {
        rest.fill(0);
    }
    Ok(())
}

/// Moves `part` to the front of `to`, which then is what follows.
fn put(to: &mut &mut [u8], part: &mut Vec<u8>) {
    let (front, rest) = std::mem::take(to).split_at_mut(part.len());
    front.copy_from_slice(part);
    part.clear();
    *to = rest;
}
