//! Protocols that leave out a step. Each must lose or mix something, and the simulator must see it: else it proves
//! nothing about the protocol that leaves out none.

use std::path::Path;
use std::sync::Arc;

use super::driver::{Plan, Scenario, FOLDER};
use super::{Change, DiskFile, State};

/// A step that is not taken, or taken at the wrong time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    NoJournalSync,
    NoPoisonSync,
    NoRecordsSync,
    NoLengthsSync,
    NoListsSync,
    NoSumsSync,
    NoHeaderSync,
    NoFolderSync,
    NoNewFileSync,
    NoPoison,
    /// The final header before the changes, as Chroma does it.
    HeaderFirst,
    /// The poison after the changes.
    LatePoison,
    /// The journal is retired, on the device, before the final header is.
    EarlyRetirement,
    /// What recovery finds written is not written again, hence not synced.
    NoRewrite,
}

const ALL: [Mutant; 14] = [
    Mutant::NoJournalSync,
    Mutant::NoPoisonSync,
    Mutant::NoRecordsSync,
    Mutant::NoLengthsSync,
    Mutant::NoListsSync,
    Mutant::NoSumsSync,
    Mutant::NoHeaderSync,
    Mutant::NoFolderSync,
    Mutant::NoNewFileSync,
    Mutant::NoPoison,
    Mutant::HeaderFirst,
    Mutant::LatePoison,
    Mutant::EarlyRetirement,
    Mutant::NoRewrite,
];

/// Whether header.bin, as everybody sees it, is poisoned.
fn is_poisoned(state: &State, inode: usize) -> bool {
    state.inodes[inode].seen.starts_with(b"JRNL")
}

pub(super) fn skips_sync(state: &State, name: &str, inode: usize) -> bool {
    let poisoned = name == "header.bin" && is_poisoned(state, inode);
    match state.mutant {
        Some(Mutant::NoJournalSync) => name == "hnx.journal",
        Some(Mutant::NoPoisonSync) => poisoned,
        Some(Mutant::NoRecordsSync) => name == "data_level0.bin",
        Some(Mutant::NoLengthsSync) => name == "length.bin",
        Some(Mutant::NoListsSync) => name == "link_lists.bin",
        Some(Mutant::NoSumsSync) => name == "hnx.sums",
        Some(Mutant::NoHeaderSync) => name == "header.bin" && !poisoned,
        Some(Mutant::NoNewFileSync) => name.ends_with(".new"),
        Some(Mutant::NoRewrite) => name == "header.bin" && state.unwritten,
        _ => false,
    }
}

/// The header that the journal promises.
fn promised(state: &State) -> Option<Vec<u8>> {
    state.content(&Path::new(FOLDER).join("hnx.journal"))?.get(212..312).map(<[u8]>::to_vec)
}

/// Whether header.bin holds these bytes already.
fn rewritten(state: &State, name: &str, bytes: &[u8]) -> bool {
    name == "header.bin" && state.content(&Path::new(FOLDER).join(name)) == Some(bytes)
}

/// What is written instead of `bytes`; None for nothing.
pub(super) fn written(state: &State, name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let poison = name == "header.bin" && bytes.starts_with(b"JRNL");
    match state.mutant {
        Some(Mutant::NoPoison | Mutant::LatePoison) if poison => None,
        Some(Mutant::HeaderFirst) if poison => promised(state),
        Some(Mutant::NoRewrite) if rewritten(state, name, bytes) => None,
        _ => Some(bytes.to_vec()),
    }
}

/// What happens besides when header.bin is about to get its final content.
pub(super) fn before_write(state: &mut State, name: &str, bytes: &[u8]) {
    state.unwritten = rewritten(state, name, bytes);
    if name != "header.bin" || bytes.starts_with(b"JRNL") {
        return;
    }
    let folder = Path::new(FOLDER);
    match state.mutant {
        Some(Mutant::EarlyRetirement) => {
            if let Some(journal) = state.names.get(&folder.join("hnx.journal")).copied() {
                DiskFile::do_change(state, journal, Change::Bytes(0, [0; 512].as_slice().into()));
                state.inodes[journal].durable = Arc::new(state.inodes[journal].seen.clone());
                state.inodes[journal].pending.clear();
            }
        }
        Some(Mutant::LatePoison) => {
            if let Some(header) = state.names.get(&folder.join("header.bin")).copied() {
                let mut poison = [0xFF; 100];
                poison[..4].copy_from_slice(b"JRNL");
                DiskFile::do_change(state, header, Change::Bytes(0, poison.as_slice().into()));
            }
        }
        _ => {}
    }
}

/// Every mutant is caught.
#[test]
fn every_protocol_that_leaves_out_a_step_is_caught() {
    for mutant in ALL {
        let caught = (0..400).any(|seed| {
            let plan = Plan { mutant: Some(mutant), ..Plan::new(seed) };
            Scenario::new(plan).run().violation.is_some()
        });
        assert!(caught, "{mutant:?} loses nothing in the simulator: the simulator sees too little");
    }
}
