//! Upper-level lists as files hold them: for each record in turn a u32 size and as many bytes.

use std::io::Read;

use crate::error::{corrupt, out_of_memory, Error, Result};
use crate::store::layout::MAX_LEVEL;
use crate::store::{Slot, Store};

/// The lists of all records, without their sizes.
#[derive(Debug, Default)]
pub(super) struct Lists {
    bytes: Vec<u8>,
    /// Where each record's lists end.
    ends: Vec<usize>,
}

impl Lists {
    /// Reads a list section of at most `len` bytes; with `exact` it must have them all. Each size is checked before it
    /// is used, and memory is taken as the section proves to have content: a file may be far longer than its lists.
    /// `most`: bytes that all lists together may have.
    pub(super) fn read(
        input: impl Read,
        len: u64,
        most: u64,
        count: usize,
        upper_list: usize,
        exact: bool,
    ) -> Result<Self> {
        if len / 4 < count as u64 {
            return Err(corrupt(format!("link lists of {count} records in {len} bytes")));
        }
        let (mut input, mut left) = (input.take(len), len);
        let mut lists = Self::default();
        let no_memory = |_| out_of_memory("the link lists of a file");
        lists.ends.try_reserve_exact(count).map_err(no_memory)?;
        for id in 0..count {
            let place = || format!("link lists: record {id} at byte {}", len - left);
            let failed = |e: std::io::Error| Error::Io(format!("{}: {e}", place()).into());
            if left < 4 {
                return Err(corrupt(format!("{} of {len}", place())));
            }
            let mut size = [0; 4];
            input.read_exact(&mut size).map_err(failed)?;
            let size = u32::from_le_bytes(size) as usize;
            if !size.is_multiple_of(upper_list) || size / upper_list > MAX_LEVEL || size as u64 > left - 4 {
                return Err(corrupt(format!("{} says {size} bytes; {} are left", place(), left - 4)));
            }
            let start = lists.bytes.len();
            if (start + size) as u64 > most {
                return Err(corrupt(format!("{}: {} bytes of lists, most of them in holes", place(), start + size)));
            }
            lists.bytes.try_reserve(size).map_err(no_memory)?;
            lists.bytes.resize(start + size, 0);
            input.read_exact(&mut lists.bytes[start..]).map_err(failed)?;
            lists.ends.push(start + size);
            left -= 4 + size as u64;
        }
        if exact && left != 0 {
            return Err(corrupt(format!("link lists end at byte {} of {len}", len - left)));
        }
        Ok(lists)
    }

    /// Each record's lists.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| &self.bytes[std::mem::replace(&mut start, end)..end])
    }
}

/// Appends a record's size and lists.
pub(super) fn append(store: &Store, slot: Slot, to: &mut Vec<u8>) {
    let lists = store.upper_bytes(slot);
    to.extend_from_slice(&(lists.len() as u32).to_le_bytes());
    to.extend_from_slice(lists);
}

/// Where each record's lists stand in a list section. Offsets are sums over the levels before, and a record keeps its
/// level for life, so they are remembered for the records above the ground (one in M) instead of walked.
#[derive(Default)]
pub(super) struct Offsets {
    /// Ids of records above the ground, ascending, with the number of lists before and of them.
    uppers: Vec<(u32, u64, usize)>,
    count: usize,
    lists: u64,
}

impl Offsets {
    /// Takes in the records that are new since the last call.
    pub(super) fn extend(&mut self, store: &Store) {
        for slot in store.slots_from(self.count) {
            let level = store.level(slot);
            if level > 0 {
                self.uppers.push((slot.id(), self.lists, level));
                self.lists += level as u64;
            }
            self.count += 1;
        }
    }

    /// Where record `id`'s size word stands, and its level.
    pub(super) fn of(&self, id: u32, upper_list: usize) -> (u64, usize) {
        let at = self.uppers.partition_point(|&(upper, ..)| upper < id);
        let (lists, level) = match self.uppers.get(at) {
            Some(&(upper, before, level)) => (before, if upper == id { level } else { 0 }),
            None => (self.lists, 0),
        };
        (4 * u64::from(id) + lists * upper_list as u64, level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_refuses() {
        let mut bytes = vec![0; 4];
        bytes.extend([8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0]);
        let read = |bytes: &[u8], count, list, exact| Lists::read(bytes, bytes.len() as u64, 8, count, list, exact);
        let lists = read(&bytes, 3, 8, true).unwrap();
        assert_eq!(lists.iter().collect::<Vec<_>>(), [&[][..], &[1, 2, 3, 4, 5, 6, 7, 8], &[]]);
        assert_eq!(read(&bytes, 2, 8, false).unwrap().iter().count(), 2);
        assert!(read(&bytes, 2, 8, true).is_err());
        assert!(read(&bytes, 3, 7, true).is_err());
        assert!(Lists::read(&bytes[..], 20, 7, 3, 8, true).is_err(), "more than allowed");
        assert!(read(&bytes, 6, 8, false).is_err());
        for len in 0..bytes.len() {
            assert!(read(&bytes[..len], 3, 8, true).is_err(), "{len}");
        }
    }
}
