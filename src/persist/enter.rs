//! The way into a directory that is to be opened: hold it, recover it, see whether its files belong together.

use std::path::Path;
use std::sync::Arc;

use super::directory::{look, read_sums_head, Found};
use super::format::HEADER_FILE;
use super::hold::{is_ours, lock_header, Held};
use super::journal::{header_of, HeaderBytes, DATA_FILES, JOURNAL_FILE};
use super::open::Check;
use super::recover::{overlay, read_header, recover, Overlay};
use super::storage::{self, Access, Storage, StorageFile};
use super::sums::{trust, SumsHead, Trust, SUMS_FILE};
use super::verify;
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
    let overlay = if held.is_some() { None } else { overlay(storage.as_ref(), path, &header)? };
    let sums = match &overlay {
        None => examine(storage.as_ref(), path, &header, check, mmap)?,
        Some(overlay) if check != Check::Fast => verify::compare_overlay(overlay)?.into_result().map(|_| None)?,
        Some(_) => None,
    };
    let still = held.is_some() || mmap && !is_held(storage.as_ref(), path);
    Ok(Entered { overlay, found: Some(Found { held, header, stamps, sums }), header: Some(file), still })
}

/// Whether somebody may write the directory now.
fn is_held(storage: &dyn Storage, path: &Path) -> bool {
    let file = storage.open(&path.join(JOURNAL_FILE), Access::Read).ok().flatten();
    file.is_some_and(|file| !matches!(file.try_lock(false), Ok(true)))
}

/// The head of the sums, if they are true; an error if they say that the files are damaged.
fn examine(
    storage: &dyn Storage,
    path: &Path,
    header: &HeaderBytes,
    check: Check,
    mmap: bool,
) -> Result<Option<SumsHead>> {
    let judged = match judge_sums(storage, path, header) {
        Err(Error::Corrupt(_)) if check == Check::Fast => None,
        judged => judged?,
    };
    let Some((head, trust)) = judged else { return Ok(None) };
    let asked = match trust {
        Trust::None => return Ok(None),
        Trust::Doubtful => {
            if check == Check::Deep {
                verify::compare(storage, path, header, None)?.into_result()?;
            }
            return Ok(None);
        }
        Trust::Torn if check == Check::Fast => return Ok(None),
        Trust::Torn => {
            header_of(header)?; // what is wrong with it in itself is told first
            let text = format!("{HEADER_FILE} is not of the same persist as {SUMS_FILE}");
            return Err(corrupt(format!("{text}: it is damaged, or a copy that was taken during a persist")));
        }
        Trust::Untouched => check == Check::Deep,
        Trust::Compare => check == Check::Deep || check == Check::Default && !mmap,
    };
    if asked {
        verify::compare(storage, path, header, Some(head.total))?.into_result()?;
    }
    Ok(Some(head))
}

/// The head of the sums and what they are worth; None if there are none.
pub(super) fn judge_sums(
    storage: &dyn Storage,
    path: &Path,
    header: &HeaderBytes,
) -> Result<Option<(SumsHead, Trust)>> {
    let Some(head) = read_sums_head(storage, path)? else { return Ok(None) };
    let mut stamps = Vec::new();
    for name in DATA_FILES.into_iter().chain([HEADER_FILE]) {
        stamps.extend(storage.stamp(&path.join(name))?.map(|stamp| (name, stamp)));
    }
    Ok(Some((head, trust(Some(&head), header, &stamps))))
}
