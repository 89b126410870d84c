//! From the checked parts of a file to a graph.

use std::fs::File;

use super::format::Header;
use super::lists::Lists;
use super::open::Check;
use crate::error::{corrupt, out_of_memory, Error, Result};
use crate::graph::level::LevelGenerator;
use crate::graph::Graph;
use crate::platform::{FileExt, CAN_MAP_FILES};
use crate::store::data::Data;
use crate::store::layout::Layout;
use crate::store::{Slot, Store};

/// Bytes read at a time.
const CHUNK: usize = 1 << 20;

/// Where the records are: a file or memory, and the offset of the first.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    File(&'a File, usize),
    Bytes(&'a [u8]),
}

impl Source<'_> {
    /// Where the records start.
    fn offset(self) -> usize {
        match self {
            Self::File(_, offset) => offset,
            Self::Bytes(_) => 0,
        }
    }

    /// Fills `bytes` from byte `at` of the records on.
    fn read(self, at: usize, bytes: &mut [u8]) -> Result<()> {
        match self {
            Self::File(file, offset) => file
                .read_exact_at(bytes, (offset + at) as u64)
                .map_err(|e| Error::Io(format!("cannot read records from byte {} on: {e}", offset + at).into())),
            Self::Bytes(all) => {
                let part = all.get(at..at + bytes.len());
                bytes.copy_from_slice(part.ok_or_else(|| corrupt(format!("records end before byte {at}")))?);
                Ok(())
            }
        }
    }
}

/// The parts of a file. Sizes are checked: records are inside the file, lists and lengths are `count`.
pub(super) struct Parts<'a> {
    pub(super) header: Header,
    pub(super) source: Source<'a>,
    pub(super) lengths: Option<Vec<u8>>,
    pub(super) lists: Lists,
}

/// How a graph is put into memory.
#[derive(Clone, Copy)]
pub(crate) struct Placement {
    /// Records to have address space for.
    pub(crate) needed: usize,
    /// Map the records instead of reading them, where that is possible.
    pub(crate) mmap: bool,
    /// Read vectors to cache lines; else the records stay as dense as in a file.
    pub(crate) aligned: bool,
    /// Whether lengths are kept beside the records.
    pub(crate) with_lengths: bool,
    /// Whether vectors are floats, which can be checked to be finite.
    pub(crate) floats: bool,
    pub(crate) check: Check,
}

impl Parts<'_> {
    /// The graph, and whether its records are mapped.
    pub(super) fn into_graph(self, place: &Placement) -> Result<(Graph, bool)> {
        let header = self.header;
        let layout = Layout { base: self.source.offset(), ..header.layout };
        let file = match self.source {
            Source::File(file, _) if place.mmap && CAN_MAP_FILES && layout.usable_in_place() => Some(file),
            _ => None,
        };
        let mut store = match file {
            Some(file) => self.map(file, layout, place)?,
            None => self.copy(place)?,
        };
        for lists in self.lists.iter() {
            store.adopt_record(lists)?;
        }
        self.set_lengths(&store);
        let entry = check_entry(&store, header.entry)?;
        let deep = place.check == Check::Deep;
        if deep || place.check == Check::Default && file.is_none() {
            check_links(&store)?;
        }
        if deep && place.floats {
            check_vectors(&store)?;
        }
        let graph = Graph::new(store, header.layout.max_m, LevelGenerator::loaded(header.mult));
        if let Some((slot, level)) = entry {
            graph.set_entry(slot, level);
        }
        Ok((graph, file.is_some()))
    }

    /// Records as private pages of the file.
    fn map(&self, file: &File, layout: Layout, place: &Placement) -> Result<Store> {
        let block = Store::reserve(&layout, place.needed)?;
        block.map_file(file, 0, layout.block(self.header.count)?, true)?;
        let store = Store::with_block(layout, block, place.with_lengths, place.needed)?;
        store.make_room(self.header.count)?;
        Ok(store)
    }

    /// Records read into memory.
    fn copy(&self, place: &Placement) -> Result<Store> {
        let from = self.header.layout;
        let layout = match place.aligned {
            true => Layout::apart(from.vector_bytes, from.max_m),
            false => Layout::packed_in_memory(from.vector_bytes, from.max_m),
        };
        let mut store = Store::new(layout, place.with_lengths, place.needed)?;
        store.make_room(self.header.count)?;
        let at_once = (CHUNK / from.stride).min(self.header.count).max(1);
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(at_once * from.stride).map_err(|_| out_of_memory("reading a file"))?;
        buffer.resize(at_once * from.stride, 0);
        for first in (0..self.header.count).step_by(at_once) {
            let records = at_once.min(self.header.count - first);
            let bytes = &mut buffer[..records * from.stride];
            self.source.read(first * from.stride, bytes)?;
            for (at, record) in bytes.chunks_exact(from.stride).enumerate() {
                let vector = &record[from.vector..from.label];
                let label = std::array::from_fn(|byte| record[from.label + byte]);
                store.put_record(first + at, &record[..from.ground_list()], vector, &label);
            }
        }
        Ok(store)
    }

    /// Lengths from the file; ones where it has none (hnswlib's), because its vectors are all that is known.
    fn set_lengths(&self, store: &Store) {
        let mut lengths = self.lengths.as_ref().map(|bytes| bytes.chunks_exact(4));
        for slot in store.slots() {
            let bytes = lengths.as_mut().and_then(|all| all.next());
            let length = bytes.map_or(1.0, |b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            store.set_length(slot, length);
        }
    }
}

fn check_entry(store: &Store, entry: Option<(u32, usize)>) -> Result<Option<(Slot, usize)>> {
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
    let mut vector = Data::new(store.layout().vector_bytes);
    for slot in store.slots() {
        store.copy_vector(slot, vector.bytes_mut());
        let floats = vector.floats();
        if let Some(at) = floats.iter().position(|x| !x.is_finite()) {
            return Err(corrupt(format!("record {}: value {at} of its vector is {}", slot.id(), floats[at])));
        }
        let length = store.length(slot);
        if !(length.is_finite() && length >= 0.0) {
            return Err(corrupt(format!("record {}: its length is {length}", slot.id())));
        }
    }
    Ok(())
}
