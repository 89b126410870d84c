//! A disk that forgets. What was not synced may be lost, kept or torn, sector by sector, in any order; lengths of files
//! and names of folders likewise. It can also refuse (errors) and lie (mutants that leave out a step of the protocol).

mod copies;
mod crashes;
mod driver;
mod faults;
mod mutants;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rand::rngs::SmallRng;
use rand::Rng;

use super::storage::{Access, Moment, Readable, Stamp, Storage, StorageFile};
use crate::error::{Error, Result};
use crate::sync::lock;

const SECTOR: usize = 512;

/// Something that was done to a file and is not on the device.
#[derive(Clone)]
enum Change {
    Bytes(usize, Arc<[u8]>),
    Len(usize),
}

#[derive(Clone, Default)]
struct Inode {
    durable: Arc<Vec<u8>>,
    /// As every process sees it.
    seen: Vec<u8>,
    pending: Vec<Change>,
    modified: i64,
    folder: bool,
}

/// Something that was done to a folder and is not on the device.
#[derive(Clone)]
enum NameChange {
    Set(PathBuf, usize),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf, usize),
}

/// A way of being unreliable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The process dies: this call and all later ones do nothing.
    Crash,
    /// This call, or all from it on, fail with an errno; writes may have done a part of their work, and a sync that
    /// fails forgets what it should have written.
    Error { errno: i32, forever: bool },
}

/// All of the disk.
#[derive(Clone, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    pending_names: Vec<NameChange>,
    clock: i64,
    calls: u64,
    fault: Option<(u64, Fault)>,
    mutant: Option<mutants::Mutant>,
    /// The last write changed nothing and was left out by a mutant.
    unwritten: bool,
}

type Probe = Box<dyn FnMut(&State) + Send>;

/// The disk as a storage. `probe` is shown the state before each call that changes it.
#[derive(Clone, Default)]
struct Disk {
    state: Arc<Mutex<State>>,
    probe: Arc<Mutex<Option<Probe>>>,
}

fn io_error(what: &str, path: &Path, errno: i32) -> Error {
    let error = io::Error::from_raw_os_error(errno);
    Error::Io(format!("cannot {what} {}: {error}", path.display()).into())
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Bytes(offset, bytes) => {
            let end = offset + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[*offset..end].copy_from_slice(bytes);
        }
        Change::Len(len) => content.resize(*len, 0),
    }
}

/// How much of what is pending a crash keeps.
#[derive(Clone, Copy, Debug)]
enum Keep {
    All,
    Nothing,
    /// Each sector, length and name decides for itself.
    Some {
        torn: bool,
    },
    /// All but one piece.
    AllButOne,
    /// One piece only.
    One,
}

impl Inode {
    /// What a crash leaves of the file.
    fn survivor(&self, keep: Keep, rng: &mut SmallRng) -> Arc<Vec<u8>> {
        let all = self.pending.len();
        if all == 0 || matches!(keep, Keep::Nothing) {
            return Arc::clone(&self.durable);
        }
        if matches!(keep, Keep::All) {
            return Arc::new(self.seen.clone());
        }
        // The file after each change: a sector is of one of these, the length of another.
        let longest = self.pending.iter().fold(self.durable.len(), |longest, change| match change {
            Change::Bytes(offset, bytes) => longest.max(offset + bytes.len()),
            Change::Len(len) => longest.max(*len),
        });
        let sectors = longest.div_ceil(SECTOR).max(1);
        let odd = rng.random_range(0..=sectors);
        let mut choose = |at: usize| match keep {
            Keep::AllButOne if at == odd => 0,
            Keep::AllButOne => all,
            Keep::One if at == odd => all,
            Keep::One => 0,
            _ => match rng.random_range(0..5) {
                0 | 1 => all,
                2 | 3 => 0,
                _ => rng.random_range(0..=all),
            },
        };
        let cuts: Vec<usize> = (0..=sectors).map(&mut choose).collect();
        let mut content = self.durable.as_ref().clone();
        let mut len = content.len();
        content.resize(longest, 0);
        for (number, change) in self.pending.iter().enumerate() {
            match change {
                Change::Bytes(offset, bytes) => {
                    if number < cuts[sectors] {
                        len = len.max(offset + bytes.len());
                    }
                    let mut at = *offset;
                    let end = offset + bytes.len();
                    while at < end {
                        let next = ((at / SECTOR + 1) * SECTOR).min(end);
                        let cut = cuts[at / SECTOR];
                        let part = &bytes[at - offset..next - offset];
                        if number < cut {
                            content[at..next].copy_from_slice(part);
                        } else if number == cut
                            && matches!(keep, Keep::Some { torn: true })
                            && rng.random_range(0..4) == 0
                        {
                            let torn = rng.random_range(0..=part.len());
                            content[at..at + torn].copy_from_slice(&part[..torn]);
                        }
                        at = next;
                    }
                }
                Change::Len(new) => {
                    if number < cuts[sectors] {
                        len = *new;
                    }
                }
            }
        }
        // A length that arrived before its bytes: what is there then is zeros, or anything.
        let old = self.durable.len();
        if len > old && rng.random_range(0..4) == 0 {
            for sector in old.div_ceil(SECTOR)..sectors {
                if cuts[sector] == 0 {
                    content[sector * SECTOR..((sector + 1) * SECTOR).min(longest)].fill(0xA5);
                }
            }
        }
        content.resize(len, 0);
        Arc::new(content)
    }
}

impl State {
    /// What a crash leaves: what is on the device, and some of what is not.
    fn survivor(&self, keep: Keep, rng: &mut SmallRng) -> Self {
        let mut names = self.durable_names.clone();
        let odd = rng.random_range(0..=self.pending_names.len());
        for (at, change) in self.pending_names.iter().enumerate() {
            let kept = match keep {
                Keep::All => true,
                Keep::Nothing => false,
                Keep::Some { .. } => rng.random(),
                Keep::AllButOne => at != odd,
                Keep::One => at == odd,
            };
            if kept {
                apply_name(&mut names, change);
            }
        }
        let folders: Vec<PathBuf> = names.keys().filter(|path| self.inodes[names[*path]].folder).cloned().collect();
        names.retain(|path, inode| {
            self.inodes[*inode].folder
                || path.parent().is_none_or(|p| p == Path::new("/") || folders.iter().any(|f| f == p))
        });
        let mut inodes = Vec::with_capacity(self.inodes.len());
        for (number, inode) in self.inodes.iter().enumerate() {
            if !names.values().any(|named| *named == number) {
                inodes.push(Inode::default());
                continue;
            }
            let durable = inode.survivor(keep, rng);
            let seen = durable.as_ref().clone();
            inodes.push(Inode { durable, seen, pending: Vec::new(), modified: inode.modified, folder: inode.folder });
        }
        let durable_names = names.clone();
        Self { inodes, names, durable_names, clock: self.clock, mutant: self.mutant, ..Self::default() }
    }

    /// What the next process finds when this one is killed.
    fn killed(&self) -> Self {
        Self { calls: 0, fault: None, ..self.clone() }
    }

    fn content(&self, path: &Path) -> Option<&[u8]> {
        self.names.get(path).map(|inode| &self.inodes[*inode].seen[..])
    }

    fn is_mutant(&self, mutant: mutants::Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}

fn apply_name(names: &mut BTreeMap<PathBuf, usize>, change: &NameChange) {
    match change {
        NameChange::Set(path, inode) => drop(names.insert(path.clone(), *inode)),
        NameChange::Remove(path) => drop(names.remove(path)),
        NameChange::Rename(from, to, inode) => {
            if names.get(from) == Some(inode) {
                names.remove(from);
            }
            names.insert(to.clone(), *inode);
        }
    }
}

impl Disk {
    fn of(state: State) -> Self {
        Self { state: Arc::new(Mutex::new(state)), probe: Arc::default() }
    }

    /// A call that changes nothing.
    fn look<R>(&self, path: &Path, body: impl FnOnce(&mut State) -> R) -> Result<R> {
        let mut state = lock(&self.state);
        self.count(&mut state, "read", path)?;
        Ok(body(&mut state))
    }

    /// A call that changes something; with the part of its work that it does when it fails.
    fn change<R>(
        &self,
        what: &str,
        path: &Path,
        body: impl FnOnce(&mut State) -> R,
        failing: impl FnOnce(&mut State),
    ) -> Result<R> {
        let mut state = lock(&self.state);
        if let Some(probe) = lock(&self.probe).as_mut() {
            probe(&state);
        }
        if let Err(error) = self.count(&mut state, what, path) {
            if !matches!(state.fault, Some((_, Fault::Crash))) {
                failing(&mut state);
            }
            return Err(error);
        }
        state.clock += 1;
        Ok(body(&mut state))
    }

    fn count(&self, state: &mut State, what: &str, path: &Path) -> Result<()> {
        state.calls += 1;
        match state.fault {
            Some((at, Fault::Crash)) if state.calls >= at => Err(io_error(what, path, libc::EIO)),
            Some((at, Fault::Error { errno, forever })) if state.calls == at || forever && state.calls > at => {
                Err(io_error(what, path, errno))
            }
            _ => Ok(()),
        }
    }

    fn file(&self, path: &Path, inode: usize) -> Box<dyn StorageFile> {
        Box::new(DiskFile { disk: self.clone(), path: path.into(), inode })
    }
}

impl Storage for Disk {
    fn open(&self, path: &Path, _: Access) -> Result<Option<Box<dyn StorageFile>>> {
        let inode = self.look(path, |state| state.names.get(path).copied())?;
        Ok(inode.map(|inode| self.file(path, inode)))
    }

    fn create(&self, path: &Path) -> Result<Option<Box<dyn StorageFile>>> {
        let made = self.change(
            "make",
            path,
            |state| {
                if state.names.contains_key(path) {
                    return None;
                }
                let (inode, modified) = (state.inodes.len(), state.clock);
                state.inodes.push(Inode { modified, ..Inode::default() });
                state.names.insert(path.into(), inode);
                state.pending_names.push(NameChange::Set(path.into(), inode));
                Some(inode)
            },
            |_| (),
        )?;
        Ok(made.map(|inode| self.file(path, inode)))
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        let body = |state: &mut State| {
            if !state.names.contains_key(path) {
                state.inodes.push(Inode { folder: true, ..Inode::default() });
                let inode = state.inodes.len() - 1;
                state.names.insert(path.into(), inode);
                state.pending_names.push(NameChange::Set(path.into(), inode));
            }
        };
        self.change("make", path, body, |_| ())
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        self.look(path, |state| state.names.contains_key(path))
    }

    fn is_empty_dir(&self, path: &Path) -> Result<bool> {
        self.look(path, |state| !state.names.keys().any(|name| name.parent() == Some(path)))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let body = |state: &mut State| {
            let inode = state.names.remove(from).unwrap();
            state.names.insert(to.into(), inode);
            state.pending_names.push(NameChange::Rename(from.into(), to.into(), inode));
        };
        self.change("rename to", to, body, |_| ())
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let body = |state: &mut State| {
            if state.names.remove(path).is_some() {
                state.pending_names.push(NameChange::Remove(path.into()));
            }
        };
        self.change("remove", path, body, |_| ())
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        let body = |state: &mut State| {
            if state.is_mutant(mutants::Mutant::NoFolderSync) {
                return;
            }
            let inside = |name: &PathBuf| name.parent() == Some(path);
            let (done, left) = std::mem::take(&mut state.pending_names).into_iter().partition(|change| match change {
                NameChange::Set(name, _) | NameChange::Remove(name) | NameChange::Rename(name, ..) => inside(name),
            });
            state.pending_names = left;
            let done: Vec<NameChange> = done;
            done.iter().for_each(|change| apply_name(&mut state.durable_names, change));
        };
        self.change("sync the directory", path, body, |_| ())
    }

    fn stamp(&self, path: &Path) -> Result<Option<Stamp>> {
        self.look(path, |state| state.names.get(path).map(|inode| stamp_of(state, *inode)))
    }
}

fn stamp_of(state: &State, inode: usize) -> Stamp {
    let file = &state.inodes[inode];
    Stamp { file: (1, inode as u64), len: file.seen.len() as u64, modified: (file.modified, 1) }
}

struct DiskFile {
    disk: Disk,
    path: PathBuf,
    inode: usize,
}

impl DiskFile {
    fn name(&self) -> &str {
        self.path.file_name().unwrap().to_str().unwrap()
    }

    fn do_change(state: &mut State, inode: usize, change: Change) {
        let clock = state.clock;
        let file = &mut state.inodes[inode];
        apply(&mut file.seen, &change);
        file.pending.push(change);
        file.modified = clock;
    }
}

impl Readable for DiskFile {
    fn len(&self) -> Result<u64> {
        self.disk.look(&self.path, |state| state.inodes[self.inode].seen.len() as u64)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        let offset = offset as usize;
        let read = self.disk.look(&self.path, |state| {
            let part = state.inodes[self.inode].seen.get(offset..offset + bytes.len());
            part.map(|part| bytes.copy_from_slice(part)).is_some()
        })?;
        if read {
            return Ok(());
        }
        Err(Error::Io(format!("{} ends early", self.path.display()).into()))
    }
}

impl StorageFile for DiskFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> Result<()> {
        let offset = offset as usize;
        let body = |state: &mut State| {
            mutants::before_write(state, self.name(), bytes);
            let Some(bytes) = mutants::written(state, self.name(), bytes) else { return };
            Self::do_change(state, self.inode, Change::Bytes(offset, bytes.into()));
        };
        let part = |state: &mut State| {
            let part = &bytes[..bytes.len() / 2];
            Self::do_change(state, self.inode, Change::Bytes(offset, part.into()));
        };
        self.disk.change("write to", &self.path, body, part)
    }

    fn set_len(&mut self, len: u64) -> Result<()> {
        let body = |state: &mut State| Self::do_change(state, self.inode, Change::Len(len as usize));
        self.disk.change("change the length of", &self.path, body, |_| ())
    }

    fn reserve(&mut self, _: u64) -> Result<()> {
        // Linux counts it as a change.
        self.disk.look(&self.path, |state| state.inodes[self.inode].modified = state.clock + 1)
    }

    fn sync(&mut self) -> Result<()> {
        let body = |state: &mut State| {
            if mutants::skips_sync(state, self.name(), self.inode) {
                return;
            }
            let file = &mut state.inodes[self.inode];
            file.durable = Arc::new(file.seen.clone());
            file.pending.clear();
        };
        // The pages are clean now, and the device has not got them.
        let forget = |state: &mut State| state.inodes[self.inode].pending.clear();
        self.disk.change("sync", &self.path, body, forget)
    }

    fn try_lock(&self, _: bool) -> Result<bool> {
        Ok(true)
    }

    fn unlock(&self) {}

    fn number(&self) -> Option<i32> {
        None
    }

    fn stamp(&self) -> Result<Stamp> {
        self.disk.look(&self.path, |state| stamp_of(state, self.inode))
    }

    fn set_modified(&self, (seconds, _): Moment) -> Result<()> {
        self.disk.look(&self.path, |state| state.inodes[self.inode].modified = seconds)
    }
}
