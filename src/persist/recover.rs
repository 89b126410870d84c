//! From a journal to files: what a persist does once its journal is on the device, and what whoever opens the directory
//! next does after a crash. The same steps, and each may be done again.
//!
//! 1. header.bin is poisoned, on the device. That is the commit: nothing but going forward leads on from there. Until
//!    then no file has changed, and a valid header means that the journal does not count.
//! 2. The ranges are written, or the new files renamed; on the device.
//! 3. header.bin gets its new content, on the device. The journal does not count any more.
//!
//! A reader that knows no journal (Chroma) finds another persistence version between 1 and 3 and refuses.

use std::path::{Path, PathBuf};

use super::format::{HEADER_FILE, PERSISTENCE_VERSION};
use super::journal::{header_of, retire, Head, HeaderBytes, Journal, Kind, Range, DATA_FILES, JOURNAL_FILE, SUMS};
use super::storage::{self, Access, Storage, StorageFile};
use super::sums::SumsHead;
use crate::error::{corrupt, Result};

/// The file that will take the place of `name`.
pub(super) fn new_name(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.new"))
}

/// The content of header.bin, if it is long enough.
pub(super) fn read_header(file: &dyn StorageFile) -> Result<Option<HeaderBytes>> {
    let mut bytes = [0; super::format::DIRECTORY_HEADER];
    if file.len()? < bytes.len() as u64 {
        return Ok(None);
    }
    file.read_at(&mut bytes, 0)?;
    Ok(Some(bytes))
}

/// What a journal means for a directory.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It was not begun, or is done, or another program has made the directory anew.
    Over,
    /// The header is the one it was to get.
    Done,
    /// It was begun.
    Begun,
}

fn judge(header: &HeaderBytes, journal: Option<&Journal>) -> Result<Verdict> {
    let Some(head) = journal.map(|journal| journal.head) else {
        if header[..4] == *b"JRNL" {
            let what = format!("{HEADER_FILE} says that a persist was under way, and its {JOURNAL_FILE} is not there");
            return Err(corrupt(format!("{what} or damaged")));
        }
        return Ok(Verdict::Over);
    };
    if *header == head.header_after {
        return Ok(Verdict::Done);
    }
    // A device may tear a header as it is written: every byte is then of one of the three.
    let poison = head.poison();
    let torn = |at: usize| [poison[at], head.header_before[at], head.header_after[at]].contains(&header[at]);
    if *header != head.header_before && head.kind != Kind::Creation && (0..header.len()).all(torn) {
        return Ok(Verdict::Begun);
    }
    if header[..4] == PERSISTENCE_VERSION.to_le_bytes() {
        return Ok(Verdict::Over);
    }
    Err(corrupt(format!("{HEADER_FILE} and {JOURNAL_FILE} do not belong together")))
}

/// The files of a directory, open for writing.
pub(super) struct Files {
    pub(super) header: Box<dyn StorageFile>,
    pub(super) data: [Option<Box<dyn StorageFile>>; 4],
}

impl Files {
    /// Opens header.bin and those of the other files that are wanted; sums may be missing.
    pub(super) fn open(storage: &dyn Storage, directory: &Path, wanted: [bool; 4]) -> Result<Self> {
        let header = storage::open(storage, &directory.join(HEADER_FILE), Access::Write)?;
        let mut data = [const { None }; 4];
        for (file, name) in DATA_FILES.into_iter().enumerate().filter(|(file, _)| wanted[*file]) {
            let path = directory.join(name);
            data[file] = storage.open(&path, Access::Write)?;
            if data[file].is_none() && file != SUMS {
                return Err(storage::missing(&path));
            }
        }
        Ok(Self { header, data })
    }
}

/// Carries out a journal that is on the device; returns the bytes written.
pub(super) fn carry_out(storage: &dyn Storage, directory: &Path, journal: &Journal, files: &mut Files) -> Result<u64> {
    let head = &journal.head;
    let ranges = journal.ranges()?;
    for (name, (file, before)) in DATA_FILES.iter().zip(files.data.iter().zip(head.before)) {
        if file.as_ref().map_or(Ok(before), |file| file.len())? < before && head.kind == Kind::Changes {
            return Err(corrupt(format!("{name} is shorter than it was when {JOURNAL_FILE} was written")));
        }
    }
    files.header.write_at(&head.poison(), 0)?;
    files.header.sync()?;
    let mut bytes = 2 * head.header_after.len() as u64;
    match head.kind {
        Kind::Changes => bytes += write_ranges(&ranges, files)?,
        Kind::Replacement | Kind::Creation => replace(storage, directory, head.after)?,
    }
    files.header.write_at(&head.header_after, 0)?;
    files.header.sync()?;
    Ok(bytes)
}

fn write_ranges(ranges: &[Range<'_>], files: &mut Files) -> Result<u64> {
    let mut bytes = 0;
    for (number, file) in files.data.iter_mut().enumerate() {
        let Some(file) = file else { continue };
        let mut touched = false;
        for range in ranges.iter().filter(|range| range.file == number) {
            file.write_at(range.bytes, range.offset)?;
            bytes += range.bytes.len() as u64;
            touched = true;
        }
        if touched {
            file.sync()?;
        }
    }
    Ok(bytes)
}

/// Puts the new files in place. One that is not there any more was put there before.
fn replace(storage: &dyn Storage, directory: &Path, lens: [u64; 4]) -> Result<()> {
    for (name, len) in DATA_FILES.into_iter().zip(lens) {
        let (new, place) = (new_name(directory, name), directory.join(name));
        let ready = storage.stamp(&new)?;
        let found = if ready.is_some() { ready } else { storage.stamp(&place)? };
        if found.is_none_or(|stamp| stamp.len != len) {
            return Err(corrupt(format!("{name} has not the {len} bytes that {JOURNAL_FILE} says")));
        }
        if ready.is_some() {
            storage.rename(&new, &place)?;
        }
    }
    storage.sync_dir(directory)
}

/// Brings a directory into order for whoever holds it: finishes what a journal has begun, clears away what was not.
/// Afterwards the header is on the device, the journal retired. Header.bin must be there.
pub(super) fn recover(storage: &dyn Storage, directory: &Path, journal_file: &mut dyn StorageFile) -> Result<()> {
    let mut header_file = storage::open(storage, &directory.join(HEADER_FILE), Access::Write)?;
    let header = read_header(header_file.as_ref())?;
    let live = Journal::is_live(journal_file)?;
    let journal = if live { Journal::read(journal_file)? } else { None };
    if let Some(header) = header {
        match judge(&header, journal.as_ref())? {
            Verdict::Begun => {
                let Some(journal) = journal else { return Ok(()) };
                let all = journal.head.kind == Kind::Changes;
                let mut files = Files::open(storage, directory, [all; 4])?;
                carry_out(storage, directory, &journal, &mut files)?;
            }
            Verdict::Done => {
                // A process that was killed may have left it without a sync, or a sync may have failed.
                header_file.write_at(&header, 0)?;
                header_file.sync()?;
                storage.sync_dir(directory)?;
            }
            Verdict::Over => {}
        }
    }
    if live {
        retire(journal_file)?;
    }
    for name in DATA_FILES.into_iter().chain([HEADER_FILE]) {
        let left = new_name(directory, name);
        if storage.exists(&left)? {
            storage.remove(&left)?;
        }
    }
    Ok(())
}

/// What the files of a half-applied directory will hold, for a reader that must not write.
pub(super) struct Overlay {
    pub(super) header: HeaderBytes,
    /// By the numbers of [`DATA_FILES`]; None where one is missing, or ends long before what the journal writes, which
    /// only sums may outside of salvage.
    pub(super) data: [Option<Vec<u8>>; 4],
}

impl Overlay {
    /// The bytes of a file.
    pub(super) fn bytes(&self, file: usize) -> &[u8] {
        self.data[file].as_deref().unwrap_or_default()
    }

    /// The head of the sums, if they are of these records.
    pub(super) fn sums_head(&self) -> Option<SumsHead> {
        self.bytes(SUMS).first_chunk().and_then(SumsHead::from_bytes).filter(|head| head.header == self.header)
    }
}

/// The overlay of a directory, if it needs one.
pub(super) fn overlay(storage: &dyn Storage, directory: &Path, header: &HeaderBytes) -> Result<Option<Overlay>> {
    let journal = journal_of(storage, directory)?;
    match (judge(header, journal.as_ref())?, &journal) {
        (Verdict::Begun, Some(journal)) => {
            let overlay = lay_over(storage, directory, journal)?;
            let Some(file) = (0..SUMS).find(|file| overlay.data[*file].is_none()) else { return Ok(Some(overlay)) };
            let path = directory.join(DATA_FILES[file]);
            Err(match storage.exists(&path)? {
                true => corrupt(format!("{JOURNAL_FILE}: bytes far behind the end of {}", DATA_FILES[file])),
                false => storage::missing(&path),
            })
        }
        _ => Ok(None),
    }
}

/// As [`overlay`], where files may be missing or damaged: without header.bin a whole journal counts unless a file is
/// longer than it would make it, which another program has written since.
pub(super) fn interrupted(storage: &dyn Storage, directory: &Path, header: Option<&HeaderBytes>) -> Option<Overlay> {
    let journal = journal_of(storage, directory).ok()??;
    let begun = match header.map(|header| judge(header, Some(&journal))) {
        Some(Ok(verdict)) => verdict == Verdict::Begun,
        Some(Err(_)) | None => journal.head.kind != Kind::Creation && !outgrown(storage, directory, &journal.head),
    };
    let overlay = if begun { lay_over(storage, directory, &journal).ok() } else { None };
    overlay.filter(|overlay| header_of(&overlay.header).is_ok())
}

/// Whether a file is longer than a journal would make it.
fn outgrown(storage: &dyn Storage, directory: &Path, head: &Head) -> bool {
    let len = |name: &str| storage.stamp(&directory.join(name)).ok().flatten().map_or(0, |stamp| stamp.len);
    let files = DATA_FILES.into_iter().zip(head.before.into_iter().zip(head.after));
    files.filter(|(name, _)| *name != DATA_FILES[SUMS]).any(|(name, (before, after))| len(name) > before.max(after))
}

fn journal_of(storage: &dyn Storage, directory: &Path) -> Result<Option<Journal>> {
    let file = storage.open(&directory.join(JOURNAL_FILE), Access::Read)?;
    file.map_or(Ok(None), |file| Journal::read(file.as_ref()))
}

/// Bytes that a journal may leave between the ends of files and its ranges, beside as many as there are in the files:
/// what it says costs memory in proportion to what is stored.
const GAPS: usize = 16 << 20;

/// What a journal makes of the files that there are.
fn lay_over(storage: &dyn Storage, directory: &Path, journal: &Journal) -> Result<Overlay> {
    let mut data = [const { None }; 4];
    let needed = journal.needed()?;
    let mut gaps = GAPS;
    for (file, name) in DATA_FILES.into_iter().enumerate() {
        let new = storage.open(&new_name(directory, name), Access::Read)?;
        let found = match (journal.head.kind, new) {
            (Kind::Replacement, Some(new)) => Some(new),
            _ => storage.open(&directory.join(name), Access::Read)?,
        };
        if let Some(found) = found {
            // Files may be far longer than their content: a hole that is far longer than all before it is behind it.
            let bytes = storage::read(found.as_ref(), 0, found.readable()?.min(needed[file]))?;
            gaps += bytes.len();
            data[file] = Some(bytes);
        }
    }
    for range in journal.ranges()? {
        let Some(bytes) = &mut data[range.file] else { continue };
        let start = range.offset as usize;
        let end = start + range.bytes.len();
        if range.file == SUMS && bytes.is_empty() || end as u64 > needed[range.file] {
            continue; // not of these records
        }
        if bytes.len() < end {
            let Some(left) = gaps.checked_sub(start.saturating_sub(bytes.len())) else {
                data[range.file] = None;
                continue;
            };
            gaps = left;
            let no_memory = |_| crate::error::out_of_memory("a half-applied directory");
            bytes.try_reserve(end - bytes.len()).map_err(no_memory)?;
            bytes.resize(end, 0);
        }
        bytes[start..end].copy_from_slice(range.bytes);
    }
    Ok(Overlay { header: journal.head.header_after, data })
}
