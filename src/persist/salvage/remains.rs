//! What is left of a damaged index: of each file what can be read, and where a persist was under way, what its journal
//! makes of it.

use std::ops::Range;
use std::path::Path;

use crate::error::{corrupt, Result};
use crate::persist::directory::look_at_all;
use crate::persist::enter::sums_add_up;
use crate::persist::format::{
    Header, DIRECTORY_HEADER, HEADER, HEADER_FILE, LENGTHS_FILE, LISTS_FILE, PERSISTENCE_VERSION, RECORDS_FILE,
};
use crate::persist::holes::readable;
use crate::persist::journal::{header_of, HeaderBytes};
use crate::persist::lists::Lists;
use crate::persist::open::Input;
use crate::persist::recover::{interrupted, Overlay};
use crate::persist::storage::OsStorage;
use crate::persist::sums::{self, is_flip, trust, SumsHead, Trust, SUMS_FILE, SUMS_SIZE};
use crate::persist::verify::{compare, compare_overlay, Verified};
use crate::platform::stored;
use crate::store::layout::Layout;

/// A file, or what it will hold.
pub(super) enum Part {
    File(Input),
    Memory(Vec<u8>),
}

impl Part {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::File(file) => file.len,
            Self::Memory(bytes) => bytes.len(),
        }
    }

    /// `len` bytes from `offset` on.
    pub(super) fn read(&self, offset: usize, len: usize) -> Result<Vec<u8>> {
        match self {
            Self::File(file) => file.read(offset, len),
            Self::Memory(_) => self.slice(offset, len).map(<[u8]>::to_vec),
        }
    }

    /// Fills `bytes` from `offset` on.
    pub(super) fn read_into(&self, offset: usize, bytes: &mut [u8]) -> Result<()> {
        match self {
            Self::File(file) => file.read_into(offset, bytes),
            Self::Memory(_) => self.slice(offset, bytes.len()).map(|part| bytes.copy_from_slice(part)),
        }
    }

    fn slice(&self, offset: usize, len: usize) -> Result<&[u8]> {
        let Self::Memory(all) = self else { return Ok(&[]) };
        let part = offset.checked_add(len).and_then(|end| all.get(offset..end));
        part.ok_or_else(|| corrupt(format!("there are no {len} bytes at byte {offset}")))
    }

    /// Which parts of a range are not holes.
    pub(super) fn stored(&self, range: Range<u64>) -> Box<dyn Iterator<Item = Range<u64>> + '_> {
        match self {
            Self::File(file) => Box::new(stored(&file.file, range.start, range.end)),
            Self::Memory(_) => Box::new(std::iter::once(range)),
        }
    }

    /// Bytes of it that may be read, see [`readable`].
    fn readable(&self) -> u64 {
        match self {
            Self::File(file) => readable(&file.file, 0, file.len as u64),
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// Whether the upper-level lists of `count` records can be walked from `offset` on; to the end if `exact`.
    fn has_lists(&self, offset: usize, count: usize, layout: &Layout, exact: bool) -> bool {
        let upper_list = layout.upper_list();
        match self {
            Self::File(file) => file.lists(offset, count, upper_list, exact).is_ok(),
            Self::Memory(all) => {
                let bytes = all.get(offset..).unwrap_or_default();
                Lists::read(bytes, bytes.len() as u64, u64::MAX, count, upper_list, exact).is_ok()
            }
        }
    }
}

/// The parts of a damaged index: whatever of them is there.
pub(super) struct Remains {
    /// Bytes of the header, without version.
    pub(super) header: Vec<u8>,
    /// Whether header.bin is what it should be, as far as its version and the checksums tell.
    pub(super) right_header: bool,
    pub(super) records: Part,
    /// Where records begin in their file.
    pub(super) start: usize,
    /// Files of their own; None for a single file, or where they are missing.
    lengths: Option<Part>,
    lists: Option<Part>,
    sums: Option<Sums>,
    pub(super) single: bool,
}

/// The checksums of a directory.
struct Sums {
    part: Part,
    /// Of the records that they are of.
    layout: Layout,
}

impl Remains {
    pub(super) fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Self::open_directory(path);
        }
        let records = Part::File(Input::open(path)?);
        let header = records.read(0, HEADER.min(records.len()))?;
        let (lengths, lists, sums) = (None, None, None);
        Ok(Self { header, right_header: true, records, start: HEADER, lengths, lists, sums, single: true })
    }

    fn open_directory(path: &Path) -> Result<Self> {
        let open = |name: &str| Input::open(&path.join(name));
        let records = open(RECORDS_FILE)?;
        let read = open(HEADER_FILE).and_then(|file| file.read(0, DIRECTORY_HEADER.min(file.len))).unwrap_or_default();
        let found: Option<HeaderBytes> = read.first_chunk().copied();
        let part = |name: &str| open(name).ok().map(Part::File);
        let overlay = interrupted(&OsStorage, path, found.as_ref());
        // Checksums that are damaged, as what they are of is not, say nothing.
        let head = overlay.as_ref().filter(|overlay| !only_sums_damaged(compare_overlay(overlay)));
        let head = head.and_then(Overlay::sums_head);
        if let Some(Overlay { header, data: [Some(records), lengths, lists, sums] }) = overlay {
            let layout = head.and_then(|_| header_of(&header).ok()).map(|header| header.layout);
            return Ok(Self {
                header: header[4..].to_vec(),
                right_header: true,
                records: Part::Memory(records),
                start: 0,
                lengths: lengths.map(Part::Memory),
                lists: lists.map(Part::Memory),
                sums: sums.zip(layout).map(|(sums, layout)| Sums { part: Part::Memory(sums), layout }),
                single: false,
            });
        }
        let mut remains = Self {
            header: read.get(4..).unwrap_or_default().to_vec(),
            right_header: read.starts_with(&PERSISTENCE_VERSION.to_le_bytes()),
            records: Part::File(records),
            start: 0,
            lengths: part(LENGTHS_FILE),
            lists: part(LISTS_FILE),
            sums: None,
            single: false,
        };
        if let Ok(sums::SumsFile::Read(head)) = sums::read_head(&OsStorage, path) {
            remains.use_sums(path, &head, found, part(SUMS_FILE));
        }
        Ok(remains)
    }

    /// Takes the header from the checksums' head where header.bin is none or has a flipped bit, and the checksums, both
    /// where no other program has written the directory since, as far as times and lengths tell.
    fn use_sums(&mut self, path: &Path, head: &SumsHead, found: Option<HeaderBytes>, part: Option<Part>) {
        let Ok(stamps) = look_at_all(&OsStorage, path) else { return };
        let found = found.filter(|found| header_of(found).is_ok() && !is_flip(found, &head.header, &stamps));
        let trust = trust(head, &found.unwrap_or(head.header), &stamps);
        let Ok(header) = header_of(&head.header) else { return };
        if matches!(trust, Trust::None | Trust::Doubtful) {
            return;
        }
        // Without header.bin nothing but their length tells that more records have come.
        let most = head.lens.map_or((header.count * header.layout.stride) as u64, |lens| lens[0]);
        if found.is_none() && self.records.len() as u64 <= most {
            self.header = head.header[4..].to_vec();
            self.right_header = false;
        }
        if !self.sums_are_lost(path, head, &header, trust) {
            self.sums = part.map(|part| Sums { part, layout: header.layout });
        }
    }

    /// Whether it is the checksums that are damaged, and the files are not. They are only compared, which reads all of
    /// them, where the checksums do not add up.
    fn sums_are_lost(&self, path: &Path, head: &SumsHead, header: &Header, trust: Trust) -> bool {
        // No more is compared than the file of records holds, holes not counted.
        let fits = header.count as u64 <= self.records.readable() / header.layout.stride as u64;
        !sums_add_up(&OsStorage, path, head)
            && fits
            && only_sums_damaged(compare(&OsStorage, path, &head.header, head, trust))
    }

    /// Bytes from the first record to the end of the file.
    pub(super) fn available(&self) -> usize {
        self.records.len().saturating_sub(self.start)
    }

    /// Lengths of vectors, and whether the upper-level lists can be walked. A single file says which of the two formats
    /// it is by its size alone; where that is wrong, the first numbers behind the records tell lengths from lists.
    pub(super) fn lengths_and_lists(&self, header: &Header) -> (Option<Lengths<'_>>, bool) {
        let (count, layout) = (header.count, &header.layout);
        if !self.single {
            return (self.lengths(), self.has_lists(count, layout));
        }
        let end = self.start + count * layout.stride;
        if end > self.records.len() {
            return (None, false);
        }
        if self.records.has_lists(end, count, layout, true) {
            return (None, true);
        }
        let lengths = Some(Lengths { part: &self.records, start: end });
        let lists = end + 4 * count;
        if lists <= self.records.len() && self.records.has_lists(lists, count, layout, true) {
            return (lengths, true);
        }
        let words = self.records.read(end, (4 * count).min(256).min(self.records.len() - end)).unwrap_or_default();
        let normal = words.chunks_exact(4).filter(|w| f32::from_le_bytes([w[0], w[1], w[2], w[3]]).is_normal());
        (lengths.filter(|_| 8 * normal.count() > words.len()), false)
    }

    /// Lengths in a file of their own.
    pub(super) fn lengths(&self) -> Option<Lengths<'_>> {
        self.lengths.as_ref().map(|part| Lengths { part, start: 0 })
    }

    /// Whether a file of their own holds the lists of `count` records.
    pub(super) fn has_lists(&self, count: usize, layout: &Layout) -> bool {
        self.lists.as_ref().is_some_and(|part| part.has_lists(0, count, layout, false))
    }

    /// The checksums of records; empty where there are none.
    pub(super) fn sums_of(&self, ids: &Range<usize>, layout: &Layout) -> Vec<u8> {
        let sums = self.sums.as_ref().filter(|sums| sums.layout == *layout);
        let read = sums.and_then(|sums| {
            let start = sums::offset(ids.start as u32) as usize;
            let len = sums.part.len().saturating_sub(start).min(ids.len() * SUMS_SIZE);
            sums.part.read(start, len).ok()
        });
        read.unwrap_or_default()
    }
}

fn only_sums_damaged(found: Result<Verified>) -> bool {
    found.is_ok_and(|found| found.damaged > 0 && found.are_files_whole())
}

/// Where lengths are.
#[derive(Clone, Copy)]
pub(super) struct Lengths<'a> {
    part: &'a Part,
    start: usize,
}

impl Lengths<'_> {
    /// The bytes of a length.
    pub(super) fn bytes(self, id: u32) -> Option<[u8; 4]> {
        let mut bytes = [0; 4];
        self.part.read_into(self.start + 4 * id as usize, &mut bytes).ok()?;
        Some(bytes)
    }

    pub(super) fn of(self, id: u32) -> Option<f32> {
        let length = f32::from_le_bytes(self.bytes(id)?);
        (length.is_finite() && length > 0.0).then_some(length)
    }
}
