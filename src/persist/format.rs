//! The header of all three formats. Little-endian, no padding.
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | u64 | offsetLevel0, always 0 |
//! | 8 | u64 | max_elements |
//! | 16 | u64 | cur_element_count, deleted ones included |
//! | 24 | u64 | size_data_per_element, the stride |
//! | 32 | u64 | label_offset |
//! | 40 | u64 | offsetData, of the vector |
//! | 48 | i32 | maxlevel, -1 when empty |
//! | 52 | u32 | enterpoint_node, 0xFFFFFFFF when empty |
//! | 56, 64, 72 | u64 | maxM, maxM0, M |
//! | 80 | f64 | mult, 1 / ln M |
//! | 88 | u64 | ef_construction |
//!
//! * hnswlib's file: header, `count` records, then for each record a u32 size and its upper-level lists, to the end.
//! * Chroma's file: the same, with `count` f32 lengths between records and lists.
//! * Chroma's directory: `header.bin` (an i32 version 1, then the header), `data_level0.bin` (records), `length.bin`
//!   (f32 lengths), `link_lists.bin` (sizes and lists). The last three may be longer than `count` needs.

use crate::error::{corrupt, Error, Result};
use crate::params::MAX_RECORDS;
use crate::store::layout::Layout;

/// Bytes of the header.
pub(super) const HEADER: usize = 96;
/// Bytes of `header.bin`.
pub(super) const DIRECTORY_HEADER: usize = HEADER + 4;
/// The version in `header.bin`.
pub(super) const PERSISTENCE_VERSION: i32 = 1;

/// The names of a directory's files.
pub(super) const HEADER_FILE: &str = "header.bin";
pub(super) const RECORDS_FILE: &str = "data_level0.bin";
pub(super) const LENGTHS_FILE: &str = "length.bin";
pub(super) const LISTS_FILE: &str = "link_lists.bin";

/// The header's values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Header {
    pub(crate) max_elements: usize,
    pub(crate) count: usize,
    pub(crate) layout: Layout,
    /// Entry point and highest level; None when empty.
    pub(crate) entry: Option<(u32, usize)>,
    pub(crate) mult: f64,
    pub(crate) ef_construction: usize,
}

impl Header {
    /// The header's bytes.
    pub(super) fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        let l = self.layout;
        let u64s = [0, self.max_elements, self.count, l.stride, l.label, l.vector];
        for (at, value) in u64s.into_iter().enumerate() {
            bytes[8 * at..8 * at + 8].copy_from_slice(&(value as u64).to_le_bytes());
        }
        let (entry, level) = self.entry.map_or((u32::MAX, -1), |(id, level)| (id, level as i32));
        bytes[48..52].copy_from_slice(&level.to_le_bytes());
        bytes[52..56].copy_from_slice(&entry.to_le_bytes());
        for (at, value) in [(56, l.max_m), (64, l.max_m0), (72, l.max_m), (88, self.ef_construction)] {
            bytes[at..at + 8].copy_from_slice(&(value as u64).to_le_bytes());
        }
        bytes[80..88].copy_from_slice(&self.mult.to_le_bytes());
        bytes
    }

    /// Bytes of `header.bin`.
    pub(super) fn to_directory_bytes(self) -> [u8; DIRECTORY_HEADER] {
        let mut bytes = [0; DIRECTORY_HEADER];
        bytes[..4].copy_from_slice(&PERSISTENCE_VERSION.to_le_bytes());
        bytes[4..].copy_from_slice(&self.to_bytes());
        bytes
    }

    /// Reads and checks `header.bin`.
    pub(super) fn from_directory_bytes(bytes: &[u8], vector_bytes: usize) -> Result<Self> {
        let Some((version, header)) = bytes.split_first_chunk::<4>() else {
            return Err(corrupt(format!("{HEADER_FILE} has only {} bytes", bytes.len())));
        };
        let version = i32::from_le_bytes(*version);
        if version != PERSISTENCE_VERSION {
            let text = format!("{HEADER_FILE}: persistence version {version}, not {PERSISTENCE_VERSION}");
            return Err(Error::Version(text.into()));
        }
        Self::from_bytes(header, vector_bytes).map_err(|error| error.context(HEADER_FILE))
    }

    /// Reads and checks the header. What depends on the rest of the file is checked by the caller.
    pub(super) fn from_bytes(bytes: &[u8], vector_bytes: usize) -> Result<Self> {
        let Some(bytes) = bytes.first_chunk::<HEADER>() else {
            return Err(corrupt(format!("only {} of {HEADER} bytes", bytes.len())));
        };
        let array = |at: usize| -> [u8; 8] { std::array::from_fn(|i| bytes[at + i]) };
        let u64_at = |at: usize| u64::from_le_bytes(array(at));
        let u32_at = |at: usize| u64_at(at) as u32;
        if u64_at(0) != 0 {
            return Err(corrupt(format!("offsetLevel0 {} is not 0", u64_at(0))));
        }
        let (max_elements, count) = (u64_at(8), u64_at(16));
        if count > MAX_RECORDS as u64 || count > max_elements {
            return Err(corrupt(format!("{count} records with a capacity of {max_elements}")));
        }
        let layout = Layout::from_file(vector_bytes, u64_at(56), u64_at(64), u64_at(40), u64_at(32), u64_at(24))?;
        if u64_at(72) != u64_at(56) {
            return Err(corrupt(format!("M {} is not maxM {}", u64_at(72), u64_at(56))));
        }
        let (mult, ef_construction) = (f64::from_bits(u64_at(80)), u64_at(88));
        // 1 / ln 2 is the largest scale an index can have; a larger one would give every new record 63 levels.
        if !(mult > 0.0 && mult < 1.5) || ef_construction == 0 || ef_construction > 1 << 31 {
            return Err(corrupt(format!("mult {mult}, ef_construction {ef_construction}")));
        }
        let (level, entry) = (u32_at(48) as i32, u32_at(52));
        let entry = match (count, usize::try_from(level)) {
            (0, _) => None,
            (_, Ok(level)) if u64::from(entry) < count => Some((entry, level)),
            _ => return Err(corrupt(format!("entry point {entry} on level {level} of {count} records"))),
        };
        Ok(Self {
            max_elements: max_elements.min(MAX_RECORDS as u64) as usize,
            count: count as usize,
            layout,
            entry,
            mult,
            ef_construction: ef_construction as usize,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let layout = Layout::packed(32, 5);
        Header { max_elements: 10, count: 3, layout, entry: Some((2, 1)), mult: 0.6, ef_construction: 40 }
    }

    #[test]
    fn comes_back_and_has_the_documented_offsets() {
        let bytes = header().to_directory_bytes();
        assert_eq!(Header::from_directory_bytes(&bytes, 32).unwrap(), header());
        assert_eq!((bytes[0], bytes[12], bytes[20], bytes[56], bytes[92]), (1, 10, 3, 2, 40));
    }

    #[test]
    fn every_shorter_header_and_wrong_dim_is_refused() {
        let bytes = header().to_directory_bytes();
        for len in 0..bytes.len() {
            assert!(Header::from_directory_bytes(&bytes[..len], 32).is_err(), "{len}");
        }
        assert!(matches!(Header::from_directory_bytes(&bytes, 36), Err(Error::Corrupt(_))));
        assert!(matches!(Header::from_directory_bytes(&[2; 100], 32), Err(Error::Version(_))));
    }
}
