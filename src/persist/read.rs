//! From the checked parts of a file to an index.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::format::Header;
use super::lists::Lists;
use super::open::{Check, LoadParams};
use crate::error::{corrupt, out_of_memory, Error, Result};
use crate::graph::level::LevelGenerator;
use crate::graph::Graph;
use crate::index::{Index, Traits};
use crate::params::Metric;
use crate::store::arena::Arena;
use crate::store::layout::{Layout, LIST_HEADER};
use crate::store::Store;

/// Bytes read at a time.
const CHUNK: usize = 1 << 20;

/// Where the records are: a file, and the offset of the first.
pub(super) struct Source<'a> {
    pub(super) file: &'a File,
    pub(super) offset: usize,
}

/// The parts of a file. Sizes are checked: records are inside the file, lists and lengths are `count`.
pub(super) struct Parts<'a> {
    pub(super) header: Header,
    pub(super) source: Source<'a>,
    pub(super) lengths: Option<&'a [u8]>,
    pub(super) lists: &'a Lists,
}

impl Parts<'_> {
    /// The index.
    pub(super) fn into_index(self, params: &LoadParams) -> Result<Index> {
        let header = self.header;
        let capacity = match params.max_elements {
            0 => header.max_elements.max(header.count),
            wanted => wanted.max(header.count),
        };
        let needed = if params.max_elements == 0 { header.count } else { capacity };
        let layout = Layout { base: self.source.offset, ..header.layout };
        let mapped = params.mmap && layout.usable_in_place();
        let mut store = if mapped { self.map(layout, params, needed)? } else { self.copy(params, needed)? };
        for lists in self.lists.iter() {
            store.adopt_record(lists)?;
        }
        self.set_lengths(&store);
        let entry = check_entry(&store, header.entry)?;
        let deep = params.check == Check::Deep;
        if deep || params.check == Check::Default && !mapped {
            check_links(&store)?;
        }
        if deep {
            check_vectors(&store)?;
        }
        let m = header.layout.max_m;
        let graph = Graph::new(store, m, header.ef_construction, LevelGenerator::loaded(header.mult));
        if let Some((slot, level)) = entry {
            graph.set_entry(slot, level);
        }
        let index = Index::from_graph(graph, Traits::of(params, mapped), capacity);
        if !mapped {
            index.get_ready()?;
        }
        Ok(index)
    }

    /// Records as private pages of the file.
    fn map(&self, layout: Layout, params: &LoadParams, needed: usize) -> Result<Store> {
        let block = Arena::reserve(layout.block(needed.max(1))?)?;
        block.map_file(self.source.file, layout.block(self.header.count)?)?;
        let store = Store::with_block(layout, block, params.metric == Metric::Cosine, needed)?;
        store.make_room(self.header.count)?;
        Ok(store)
    }

    /// Records read into memory, with their vectors on cache lines.
    fn copy(&self, params: &LoadParams, needed: usize) -> Result<Store> {
        let from = self.header.layout;
        let layout = Layout::aligned(from.dim, from.max_m);
        let mut store = Store::new(layout, params.metric == Metric::Cosine, needed)?;
        store.make_room(self.header.count)?;
        let at_once = (CHUNK / from.stride).max(1);
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(at_once * from.stride).map_err(|_| out_of_memory("reading a file"))?;
        buffer.resize(at_once * from.stride, 0);
        let links = LIST_HEADER + 4 * from.max_m0;
        for first in (0..self.header.count).step_by(at_once) {
            let records = at_once.min(self.header.count - first);
            let bytes = &mut buffer[..records * from.stride];
            let offset = self.source.offset + first * from.stride;
            let read = self.source.file.read_exact_at(bytes, offset as u64);
            read.map_err(|e| Error::Io(format!("cannot read records from byte {offset} on: {e}").into()))?;
            for (at, record) in bytes.chunks_exact(from.stride).enumerate() {
                store.put_record(first + at, &record[..links], &record[from.vector..from.label + 8]);
            }
        }
        Ok(store)
    }

    /// Lengths from the file; ones where it has none (hnswlib's), because its vectors are all that is known.
    fn set_lengths(&self, store: &Store) {
        let mut lengths = self.lengths.map(|bytes| bytes.chunks_exact(4));
        for slot in store.slots() {
            let bytes = lengths.as_mut().and_then(|all| all.next());
            let length = bytes.map_or(1.0, |b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            store.set_length(slot, length);
        }
    }
}

fn check_entry(store: &Store, entry: Option<(u32, usize)>) -> Result<Option<(crate::store::Slot, usize)>> {
    let Some((id, level)) = entry else { return Ok(None) };
    match store.slot(id) {
        Some(slot) if store.level(slot) == level => Ok(Some((slot, level))),
        _ => Err(corrupt(format!("the entry point, record {id}, is not on the highest level, {level}"))),
    }
}

/// Every link leads to a record that reaches the link's level.
fn check_links(store: &Store) -> Result<()> {
    for slot in store.slots() {
        for level in 0..=store.level(slot) {
            let Some(links) = store.links(slot, level) else { continue };
            let place = |what: String| corrupt(format!("record {}, level {level}: {what}", slot.id()));
            if links.stored_len() > links.capacity() {
                return Err(place(format!("{} links in a list of {}", links.stored_len(), links.capacity())));
            }
            for id in links.raw() {
                match store.slot(id) {
                    None => return Err(place(format!("a link to record {id} of {}", store.count()))),
                    Some(other) if level > 0 && store.level(other) < level => {
                        return Err(place(format!("a link to record {id} on level {}", store.level(other))));
                    }
                    Some(_) => {}
                }
            }
        }
    }
    Ok(())
}

fn check_vectors(store: &Store) -> Result<()> {
    let mut vector = vec![0.0; store.layout().dim];
    for slot in store.slots() {
        store.copy_vector(slot, &mut vector);
        if let Some(at) = vector.iter().position(|x| !x.is_finite()) {
            return Err(corrupt(format!("record {}: value {at} of its vector is {}", slot.id(), vector[at])));
        }
        let length = store.length(slot);
        if !(length.is_finite() && length >= 0.0) {
            return Err(corrupt(format!("record {}: its length is {length}", slot.id())));
        }
    }
    Ok(())
}
