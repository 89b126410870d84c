//! The way into a directory that is to be opened: hold it, recover it, see whether its files belong together.

use std::path::Path;
use std::sync::Arc;

use super::directory::{look, look_at_all, Found, FoundSums};
use super::format::{HEADER_FILE, LENGTHS_FILE};
use super::hold::{is_ours, lock_header, Held};
use super::journal::{header_of, HeaderBytes, JOURNAL_FILE};
use super::open::Check;
use super::recover::{overlay, read_header, recover, Overlay};
use super::storage::{self, Access, Storage, StorageFile};
use super::sums::{self, trust, SumsFile, SumsHead, Trust, SUMS_FILE};
use super::verify::{self, Verified};
use crate::error::{corrupt, Error, Result};

/// What a directory is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    /// To be read; nothing in it is touched.
    Read,
    /// To be persisted to: no other process may hold it.
    Write,
    /// To be persisted to if it is free by then.
    WriteLater,
}

/// A directory that may be read now.
pub(super) struct Entered {
    /// None: the files are in order. Else what they will hold once somebody recovers them.
    pub(super) overlay: Option<Overlay>,
    /// None where there is no header to go by; opening says so then.
    pub(super) found: Option<Found>,
    /// Keeps appliers out while the files are read.
    header: Option<Box<dyn StorageFile>>,
    /// Whether the files can be mapped: nobody else writes them as long as the hold or `header` is kept.
    pub(super) still: bool,
}

impl Entered {
    /// Lets appliers in again; they stay out if the result is kept.
    pub(super) fn leave(self) -> (Option<Found>, Option<Box<dyn StorageFile>>) {
        (self.found, self.header)
    }
}

/// Enters a directory. `check`: how much the files' checksums are asked; `mmap`: they are not to be read through.
pub(super) fn enter(
    storage: &Arc<dyn Storage>,
    path: &Path,
    intent: Intent,
    check: Check,
    mmap: bool,
) -> Result<Entered> {
    let nothing = Entered { overlay: None, found: None, header: None, still: false };
    let header_path = path.join(HEADER_FILE);
    if !storage.exists(&header_path)? {
        return Ok(nothing);
    }
    let mut held = match intent {
        Intent::Read => None,
        Intent::Write => match Held::acquire(storage, path) {
            Ok(held) => Some(held),
            // Two handles of one process may have a directory open; who persists first holds it.
            Err(error @ Error::Locked(_)) if !is_ours(storage.as_ref(), path) => return Err(error),
            // On read-only media an index can be opened; persisting says why not.
            Err(_) => None,
        },
        Intent::WriteLater => Held::acquire(storage, path).ok(),
    };
    if let Some(held) = &mut held {
        let file = storage::open(storage.as_ref(), &header_path, Access::Write)?;
        lock_header(file.as_ref(), true, path)?;
        recover(storage.as_ref(), path, held.journal().0?)?;
        file.unlock();
    }
    let file = storage::open(storage.as_ref(), &header_path, Access::Read)?;
    lock_header(file.as_ref(), false, path)?;
    let Some(header) = read_header(file.as_ref())? else { return Ok(nothing) };
    let stamps = look(storage.as_ref(), path)?;
    let overlay = match &held {
        Some(_) => None,
        None => overlay(storage.as_ref(), path, &header)?,
    };
    let sums = match &overlay {
        None => examine(storage.as_ref(), path, &header, (intent != Intent::Read, check, mmap))?,
        Some(overlay) => {
            let found = if check == Check::Fast { Verified::default() } else { verify::compare_overlay(overlay)? };
            if check == Check::Deep || !found.are_files_whole() {
                found.into_result()?;
            }
            FoundSums::None
        }
    };
    let still = held.is_some() || mmap && !is_held(storage.as_ref(), path);
    Ok(Entered { overlay, found: Some(Found { held, header, stamps, sums }), header: Some(file), still })
}

/// Whether somebody may write the directory now.
fn is_held(storage: &dyn Storage, path: &Path) -> bool {
    let file = storage.open(&path.join(JOURNAL_FILE), Access::Read).ok().flatten();
    file.is_some_and(|file| !matches!(file.try_lock(false), Ok(true)))
}

/// What is known of the checksums; an error if they say that the files are damaged, or are to be compared and damaged
/// themselves. `writes`: they are to be carried on.
fn examine(
    storage: &dyn Storage,
    path: &Path,
    header: &HeaderBytes,
    (writes, check, mmap): (bool, Check, bool),
) -> Result<FoundSums> {
    let (head, trust) = match judge_sums(storage, path, header)? {
        Judged::Missing => return Ok(FoundSums::None),
        Judged::Lost { torn } if check == Check::Deep || torn && check == Check::Default => {
            let what = "is damaged, or was copied during a persist; without it the directory opens unchecked";
            return Err(corrupt(format!("{SUMS_FILE} {what}")));
        }
        Judged::Lost { .. } => return Ok(FoundSums::None),
        Judged::Read(head, trust) => (head, trust),
    };
    let asked = match trust {
        Trust::None => return Ok(FoundSums::None),
        Trust::Torn if check == Check::Fast => return Ok(FoundSums::None),
        Trust::Torn => {
            header_of(header)?; // what is wrong with it in itself is told first
            let text = format!("{HEADER_FILE} is not of the same persist as {SUMS_FILE}");
            return Err(corrupt(format!("{text}: it is damaged, or a copy that was taken during a persist")));
        }
        Trust::Untouched => check == Check::Deep,
        Trust::Doubtful => check == Check::Deep || writes && check == Check::Default && !mmap,
        Trust::Compare => check == Check::Deep || check == Check::Default && !mmap,
    };
    // What a crash may leave: the files are what the sums are of, but have other times. Nobody is accused if they are
    // not.
    let doubtful = trust == Trust::Doubtful;
    // A total that is carried on from damaged sums would blame the files for ever.
    let damaged = || writes && !doubtful && !sums_add_up(storage, path, &head);
    let mut own = !doubtful;
    if asked || damaged() {
        let found = match verify::compare(storage, path, header, &head, trust) {
            Err(_) if !asked || doubtful && check != Check::Deep => return Ok(FoundSums::None),
            found => found?,
        };
        if found.first.is_some() && found.are_files_whole() && check != Check::Deep {
            return Ok(FoundSums::Damaged);
        }
        if doubtful {
            let told = found.damaged == 0 && (found.checked > 0 || found.records == 0);
            let has_lengths = storage.stamp(&path.join(LENGTHS_FILE))?.is_some_and(|stamp| stamp.len > 0);
            own = told && (has_lengths || found.records == 0) && sums_add_up(storage, path, &head);
        }
        // Where nobody wants to know now, the sums stay as they are: whoever asks later will be told.
        if check == Check::Deep || check == Check::Default && !doubtful {
            found.into_result()?;
        }
    }
    Ok(if own { FoundSums::True(head) } else { FoundSums::None })
}

/// Whether the checksums can be read and none of them is damaged.
pub(super) fn sums_add_up(storage: &dyn Storage, path: &Path, head: &SumsHead) -> bool {
    let count = header_of(&head.header).map_or(0, |header| header.count);
    let file = storage.open(&path.join(SUMS_FILE), Access::Read).ok().flatten();
    file.is_some_and(|file| sums::add_up(file.as_ref(), head, count).unwrap_or(false))
}

/// What the sums of a directory are worth.
pub(super) enum Judged {
    /// There are none.
    Missing,
    /// They cannot be read; `torn`: perhaps because the directory is a copy that was taken during a persist.
    Lost {
        torn: bool,
    },
    Read(Box<SumsHead>, Trust),
}

/// What the sums of a directory with this header are worth.
pub(super) fn judge_sums(storage: &dyn Storage, path: &Path, header: &HeaderBytes) -> Result<Judged> {
    let read = sums::read_head(storage, path)?;
    let stamps = look_at_all(storage, path)?;
    let time = |name: &str| stamps.iter().find(|(other, _)| *other == name).map(|(_, stamp)| stamp.modified);
    Ok(match read {
        SumsFile::Missing => Judged::Missing,
        // After a persist it has header.bin's time, which a copy that was taken meanwhile has not.
        SumsFile::Lost { torn } => Judged::Lost { torn: torn && time(SUMS_FILE) != time(HEADER_FILE) },
        SumsFile::Read(head) => {
            let trust = trust(&head, header, &stamps);
            Judged::Read(head, trust)
        }
    })
}
