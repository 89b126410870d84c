//! Upper-level lists as files hold them: for each record in turn a u32 size and as many bytes.

use crate::error::{corrupt, Result};
use crate::store::layout::MAX_LEVEL;
use crate::store::{Slot, Store};

/// Checks a list section held in `bytes` and returns the end of each record's lists: `ends[i]` is where record i ends.
/// `exact`: the section must end with the bytes.
pub(super) fn walk(bytes: &[u8], count: usize, upper_list: usize, exact: bool) -> Result<Vec<usize>> {
    if bytes.len() / 4 < count {
        return Err(corrupt(format!("link lists of {count} records in {} bytes", bytes.len())));
    }
    let mut ends = Vec::new();
    ends.try_reserve_exact(count).map_err(|_| crate::error::out_of_memory("the link lists of a file"))?;
    let mut at = 0;
    for id in 0..count {
        let Some(size) = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()) else {
            return Err(corrupt(format!("link lists: record {id} begins at byte {at} of {}", bytes.len())));
        };
        let size = u32::from_le_bytes(*size) as usize;
        at += 4;
        if !size.is_multiple_of(upper_list) || size / upper_list > MAX_LEVEL || size > bytes.len() - at {
            let rest = bytes.len() - at;
            return Err(corrupt(format!("link lists: record {id} says {size} bytes; {rest} are left")));
        }
        at += size;
        ends.push(at);
    }
    if exact && at != bytes.len() {
        return Err(corrupt(format!("link lists end at byte {at} of {}", bytes.len())));
    }
    Ok(ends)
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
        for slot in store.slots().skip(self.count) {
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
    fn walks_and_refuses() {
        let mut bytes = vec![0; 4];
        bytes.extend([8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0]);
        assert_eq!(walk(&bytes, 3, 8, true).unwrap(), [4, 16, 20]);
        assert_eq!(walk(&bytes, 2, 8, false).unwrap(), [4, 16]);
        assert!(walk(&bytes, 2, 8, true).is_err());
        assert!(walk(&bytes, 3, 7, true).is_err());
        assert!(walk(&bytes, 6, 8, false).is_err());
        for len in 0..bytes.len() {
            assert!(walk(&bytes[..len], 3, 8, true).is_err(), "{len}");
        }
    }
}
