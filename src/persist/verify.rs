//! Comparing a directory with its checksums.

use std::ffi::CStr;
use std::path::Path;

use super::enter::{judge_sums, Judged};
use super::format::{Header, DIRECTORY_HEADER, HEADER_FILE};
use super::journal::{header_of, HeaderBytes, DATA_FILES, LENGTHS, LISTS, RECORDS, SUMS};
use super::recover::{overlay, read_header, Overlay};
use super::storage::{Access, OsStorage, Readable, Storage, StorageFile};
use super::sums::{self, flip, is_flipped_sum, numbers, record_sum, SumsHead, Trust, SUMS_FILE, SUMS_SIZE};
use crate::error::{corrupt, out_of_memory, Error, Result};
use crate::store::layout::{Layout, DELETED, MAX_LEVEL};

/// Bytes read at a time.
const CHUNK: usize = 1 << 20;
/// Bytes that are tried with each bit flipped: they are hashed as often.
const MOST_FLIPPED: usize = 16 << 10;
/// The number of header.bin, which has none among [`DATA_FILES`].
const HEADER_NUMBER: usize = DATA_FILES.len();

/// What a comparison found.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// Records there are.
    pub records: u64,
    /// Records whose checksums are known; all others were written by another program.
    pub checked: u64,
    /// Places that are damaged: records that differ from their checksums, checksums that are damaged themselves.
    pub damaged: u64,
    /// The first damage: of records, if there is any.
    pub first: Option<Damage>,
}

/// A part of a file that is not what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Number of the file among a directory's, header.bin last.
    file: usize,
    /// Where the part starts.
    pub offset: u64,
    /// The record.
    pub record: u64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A record differs from its checksum.
    Differs,
    /// A file ends before a record does, or the size of its lists is none.
    Missing,
    /// Files are not of the same persist.
    Mixed,
    /// Checksums are damaged, what they are of is not.
    Sums,
    /// There are bytes behind the content.
    Behind,
}

impl Damage {
    /// The file's name.
    pub fn file_name(&self) -> &'static CStr {
        [c"data_level0.bin", c"length.bin", c"link_lists.bin", c"hnx.sums", c"header.bin"][self.file.min(HEADER_NUMBER)]
    }

    /// Of the sums of a record.
    fn of_sums(id: u32) -> Self {
        Self { file: SUMS, offset: sums::offset(id), record: id.into(), kind: Kind::Sums }
    }

    fn text(&self) -> String {
        let Self { offset, record, .. } = self;
        match self.kind {
            Kind::Differs => format!("record {record} at byte {offset} differs from its checksum"),
            Kind::Missing => format!("record {record} at byte {offset} is not whole"),
            Kind::Mixed => format!("byte {offset} is not of the same persist as other files"),
            Kind::Sums => format!("the checksums at byte {offset} are damaged, the files that they are of are not"),
            Kind::Behind => format!("what begins at byte {offset} was appended"),
        }
    }
}

impl Verified {
    /// An error that names the first damage, if there is any.
    pub fn into_result(self) -> Result<Self> {
        let Some(damage) = self.first else { return Ok(self) };
        let (file, text, more) = (damage.file_name().to_string_lossy(), damage.text(), self.damaged.saturating_sub(1));
        let more = if more == 0 { String::new() } else { format!(", and {more} more places are damaged") };
        Err(corrupt(format!("{file}: {text}{more}")))
    }

    /// Whether no damage is in the four files themselves.
    pub(super) fn are_files_whole(&self) -> bool {
        self.first.is_none_or(|first| first.kind == Kind::Sums)
    }

    fn note(&mut self, damage: Damage) {
        self.damaged += 1;
        self.first.get_or_insert(damage);
    }
}

/// Reads a file in order, in pieces.
struct Reader<'a> {
    file: &'a dyn Readable,
    len: u64,
    at: u64,
    buffer: Vec<u8>,
    used: usize,
}

impl<'a> Reader<'a> {
    fn new(file: &'a dyn Readable, at: u64) -> Result<Self> {
        Ok(Self { file, len: file.len()?, at, buffer: Vec::new(), used: 0 })
    }

    /// Where the next bytes are.
    fn place(&self) -> u64 {
        self.at - (self.buffer.len() - self.used) as u64
    }

    /// Goes back by bytes that came last.
    fn back(&mut self, len: usize) {
        self.used -= len;
    }

    /// The next `len` bytes; None if the file ends before.
    fn next(&mut self, len: usize) -> Result<Option<&[u8]>> {
        if self.place() + len as u64 > self.len {
            return Ok(None);
        }
        if self.buffer.len() - self.used < len {
            self.buffer.drain(..self.used);
            self.used = 0;
            let old = self.buffer.len();
            let more = ((self.len - self.at) as usize).min(CHUNK.max(len - old));
            self.buffer.try_reserve(more).map_err(|_| out_of_memory("reading a file"))?;
            self.buffer.resize(old + more, 0);
            self.file.read_at(&mut self.buffer[old..], self.at)?;
            self.at += more as u64;
        }
        self.used += len;
        Ok(Some(&self.buffer[self.used - len..self.used]))
    }
}

/// Compares the files of a directory with its sums, which are worth something.
pub(super) fn compare(
    storage: &dyn Storage,
    path: &Path,
    header: &HeaderBytes,
    head: &SumsHead,
    trust: Trust,
) -> Result<Verified> {
    let files = open(storage, path)?;
    let files = files.each_ref().map(|file| file.as_ref() as &dyn Readable);
    compare_files(&files, &header_of(header)?, head, trust)
}

fn open(storage: &dyn Storage, path: &Path) -> Result<[Box<dyn StorageFile>; 4]> {
    let open = |file: usize| {
        let path = path.join(DATA_FILES[file]);
        let missing = || Error::NotFound(format!("{} is not there", path.display()).into());
        storage.open(&path, Access::Read)?.ok_or_else(missing)
    };
    Ok([open(RECORDS)?, open(LENGTHS)?, open(LISTS)?, open(SUMS)?])
}

/// As [`compare`], for what a half-applied directory will hold.
pub(super) fn compare_overlay(overlay: &Overlay) -> Result<Verified> {
    let header = header_of(&overlay.header)?;
    let Some(head) = overlay.sums_head() else {
        return Ok(Verified { records: header.count as u64, ..Verified::default() });
    };
    let files = std::array::from_fn(|file| Memory(overlay.bytes(file)));
    compare_files(&files.each_ref().map(|file| file as &dyn Readable), &header, &head, Trust::Compare)
}

/// The total of sums and what it would be if the files were what the sums were made of, one for each way in which sums
/// can be missing: where they are, nowhere, those of all lengths.
#[derive(Default)]
struct Totals {
    told: u64,
    of_files: [u64; 3],
}

impl Totals {
    fn add(&mut self, id: u32, told: &[u8; SUMS_SIZE], found: [Option<u32>; 3]) {
        self.told = self.told.wrapping_add(sums::weight(id, told));
        let told = numbers(told);
        let found = found.map(Option::unwrap_or_default);
        let known: [u32; 3] = std::array::from_fn(|part| match told[part] {
            0 => 0,
            // None at all, with a bit flipped.
            sum if sum.is_power_of_two() && sum != found[part] => 0,
            _ => found[part],
        });
        for (total, sums) in self.of_files.iter_mut().zip([known, found, [found[0], 0, found[2]]]) {
            let mut bytes = [0; SUMS_SIZE];
            sums.iter().zip(bytes.chunks_exact_mut(4)).for_each(|(sum, to)| to.copy_from_slice(&sum.to_le_bytes()));
            *total = total.wrapping_add(sums::weight(id, &bytes));
        }
    }
}

/// The parts of a directory, record by record.
struct Walk<'a> {
    layout: Layout,
    /// By the numbers of [`DATA_FILES`].
    readers: [Reader<'a>; 4],
    end_of_lists: bool,
}

/// What a walk finds of a record.
struct Step<'a> {
    /// Its sums in hnx.sums; zeros where they are missing.
    told: [u8; SUMS_SIZE],
    /// Where its parts begin, and what they are as far as they are whole.
    places: [u64; 3],
    parts: [Option<&'a [u8]>; 3],
}

impl Walk<'_> {
    fn next(&mut self) -> Result<Step<'_>> {
        let [records, lengths, lists, all_sums] = &mut self.readers;
        let told = all_sums.next(SUMS_SIZE)?.and_then(|told| told.first_chunk().copied()).unwrap_or_default();
        let places = [records.place(), lengths.place(), lists.place()];
        let upper = if self.end_of_lists { None } else { next_lists(lists, self.layout.upper_list())? };
        self.end_of_lists = upper.is_none();
        Ok(Step { told, places, parts: [records.next(self.layout.stride)?, lengths.next(4)?, upper] })
    }
}

fn compare_files(files: &[&dyn Readable; 4], header: &Header, head: &SumsHead, trust: Trust) -> Result<Verified> {
    let layout = header.layout;
    let reader = |file: usize| Reader::new(files[file], if file == SUMS { sums::offset(0) } else { 0 });
    let readers = [reader(RECORDS)?, reader(LENGTHS)?, reader(LISTS)?, reader(SUMS)?];
    let mut walk = Walk { layout, readers, end_of_lists: false };
    let untold = Verified { records: header.count as u64, ..Verified::default() };
    let (mut found, mut of_sums, mut totals) = (untold.clone(), Verified::default(), Totals::default());
    if let Some(at) = head.flipped {
        of_sums.note(Damage { offset: at as u64, ..Damage::of_sums(0) });
    }
    let mut unknown = None;
    // Whoever needs lengths says so; others read an index without them.
    let emptied = files[LENGTHS].len()? == 0;
    let len_of_sums = files[SUMS].readable()?;
    for id in 0..header.count as u32 {
        let Step { told, places, parts } = walk.next()?;
        if sums::offset(id) >= len_of_sums && parts.iter().all(Option::is_none) {
            break; // a header may state any count
        }
        let sum = |file: usize, bytes: &[u8]| match file {
            RECORDS => record_sum(id, bytes, &layout),
            _ => sums::sum(id, [bytes, &[]]),
        };
        let is: [Option<u32>; 3] = std::array::from_fn(|file| parts[file].map(|bytes| sum(file, bytes)));
        totals.add(id, &told, is);
        let told = numbers(&told);
        match told {
            [0, 0, 0] => drop(unknown.get_or_insert(id)),
            _ => found.checked += 1,
        }
        let counts = |file: usize| told[file] != 0 && !(emptied && file == LENGTHS);
        let differ = || (0..3).filter(|file| counts(*file) && is[*file] != Some(told[*file]));
        let Some(file) = differ().next() else { continue };
        if differ().all(|file| is[file].is_some_and(|is| is_flipped_sum(told[file], is))) {
            of_sums.note(Damage::of_sums(id));
            continue;
        }
        // Another program changes more than a bit, but for the deleted mark.
        let mark = (file == RECORDS).then_some(DELETED.trailing_zeros() as usize);
        let fits = |bit: usize, bytes: &[u8]| Some(bit) != mark && sum(file, bytes) == told[file];
        let is_flip = |bytes: &[u8]| bytes.len() <= MOST_FLIPPED && flip(&mut bytes.to_vec(), fits).is_some();
        if trust == Trust::Doubtful && parts[file].is_some_and(|bytes| !is_flip(bytes)) {
            return Ok(untold);
        }
        let kind = if parts[file].is_some() { Kind::Differs } else { Kind::Missing };
        found.note(Damage { file, offset: places[file], record: id.into(), kind });
    }
    if trust != Trust::Doubtful && totals.told != head.total {
        if totals.of_files.contains(&head.total) {
            // The files are what they were: what differs from them are the sums.
            let first = found.first.or(of_sums.first).map(|damage| damage.record as u32).or(unknown);
            of_sums.first = Some(Damage::of_sums(first.unwrap_or_default()));
            of_sums.damaged = (of_sums.damaged + found.damaged).max(1);
            (found.damaged, found.first) = (0, None);
        } else if found.first.is_none() && trust == Trust::Untouched {
            of_sums.note(Damage::of_sums(0));
        } else if found.first.is_none() {
            // Each record is itself, but not of the same persist as the others.
            found.note(Damage { kind: Kind::Mixed, ..Damage::of_sums(0) });
        }
    }
    found.damaged += of_sums.damaged;
    found.first = found.first.or(of_sums.first);
    Ok(found)
}

/// The next record's size and lists; None where they end too early, or their size is none: what follows has no place
/// then.
fn next_lists<'a>(lists: &'a mut Reader<'_>, upper_list: usize) -> Result<Option<&'a [u8]>> {
    let Some(size) = lists.next(4)? else { return Ok(None) };
    let len = size.iter().rev().fold(0, |len, byte| len << 8 | usize::from(*byte));
    if !len.is_multiple_of(upper_list) || len / upper_list > MAX_LEVEL {
        return Ok(None);
    }
    lists.back(4);
    lists.next(4 + len)
}

/// Compares the directory at `path` with its checksums, as it is or, half-applied, as it will be.
pub fn verify(path: &Path) -> Result<Verified> {
    verify_in(&OsStorage, path)
}

/// As [`verify`], in a storage.
pub(super) fn verify_in(storage: &dyn Storage, path: &Path) -> Result<Verified> {
    let header_path = path.join(HEADER_FILE);
    let file = match storage.exists(&header_path)? {
        true => storage.open(&header_path, Access::Read)?,
        false => None,
    };
    let file = file.ok_or_else(|| Error::NotFound(format!("{} is not there", header_path.display()).into()))?;
    super::hold::lock_header(file.as_ref(), false, path)?;
    let bytes = read_header(file.as_ref())?;
    let bytes = bytes.ok_or_else(|| corrupt(format!("{HEADER_FILE} is too short")))?;
    if let Some(overlay) = overlay(storage, path, &bytes)? {
        return compare_overlay(&overlay);
    }
    let header = header_of(&bytes)?;
    let mut found = Verified { records: header.count as u64, ..Verified::default() };
    match judge_sums(storage, path, &bytes)? {
        Judged::Missing | Judged::Read(_, Trust::None) => {}
        Judged::Lost { .. } => found.note(Damage { offset: 0, ..Damage::of_sums(0) }),
        Judged::Read(head, Trust::Torn) => {
            let offset = bytes.iter().zip(&head.header).position(|(a, b)| a != b).unwrap_or_default() as u64;
            found.note(Damage { file: HEADER_NUMBER, offset, record: 0, kind: Kind::Mixed });
        }
        Judged::Read(head, trust) => {
            found = compare(storage, path, &bytes, &head, trust)?;
            // Unless another program's files are there, of which the checksums know nothing.
            if trust != Trust::Doubtful || found.checked > 0 {
                note_ends(storage, path, &head, &mut found)?;
            }
        }
    }
    Ok(found)
}

/// Notes what stands behind the content of files, which other programs leave, and lengths that were taken away: neither
/// keeps an index from being opened.
fn note_ends(storage: &dyn Storage, path: &Path, head: &SumsHead, found: &mut Verified) -> Result<()> {
    let [records, lengths, lists] = head.lens.map_or([None; 3], |lens| lens.map(Some));
    let sums = sums::len(found.records as usize);
    let ends = [records, lengths, lists, Some(sums), Some(DIRECTORY_HEADER as u64)];
    for (file, (name, end)) in DATA_FILES.into_iter().chain([HEADER_FILE]).zip(ends).enumerate() {
        let (len, record) = (storage.stamp(&path.join(name))?.map(|stamp| stamp.len), found.records);
        if let Some(offset) = end.filter(|end| len > Some(*end)) {
            found.note(Damage { file, offset, record, kind: Kind::Behind });
        }
        if file == LENGTHS && len == Some(0) && end > Some(0) {
            found.note(Damage { file, offset: 0, record: 0, kind: Kind::Missing });
        }
    }
    Ok(())
}

/// A file that is in memory.
struct Memory<'a>(&'a [u8]);

impl Readable for Memory<'_> {
    fn len(&self) -> Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        let part = self.0.get(offset as usize..offset as usize + bytes.len());
        bytes.copy_from_slice(part.ok_or_else(|| corrupt(format!("{SUMS_FILE}: the files end too early")))?);
        Ok(())
    }
}
