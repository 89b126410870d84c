//! Chroma's persisted directory: made, and kept up to date by writing what changed. How that survives a crash at any
//! instant is told in `recover`.
//!
//! A persist that fails leaves everything dirty that was dirty, and the directory as `recover` left it or will leave
//! it: the next one brings it into order first, by writing every byte again. A sync that failed is never asked again
//! for the same bytes, because systems forget what they could not write.

mod create;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fork::Holder;
use super::format::{Header, HEADER_FILE};
use super::hold::{forked, lock_header, Held};
use super::journal::{retire, Changes, Head, HeaderBytes, Journal, Kind, DATA_FILES, LENGTHS, LISTS, RECORDS, SUMS};
use super::lists::{self, Offsets};
use super::recover::{carry_out, new_name, read_header, recover, Files};
use super::storage::{self, Access, Stamp, Storage, StorageFile};
use super::sums::{self, record_sum, Seal, SumsFile, SumsHead, SUMS_FILE, SUMS_HEAD, SUMS_LENS, SUMS_SIZE, SUMS_START};
use super::write::{append_record, header, length_bytes, write_data};
use crate::error::{invalid, Error, Result};
use crate::index::core::{Core, Stated};
use crate::store::layout::Layout;
use crate::store::{Slot, Store};
use crate::sync::lock;

pub(crate) use create::create_directory;
pub(super) use create::is_unfinished;

/// Files that exist wherever there is an index.
const FILES: [&str; 4] = [HEADER_FILE, DATA_FILES[RECORDS], DATA_FILES[LENGTHS], DATA_FILES[LISTS]];
/// Changes of more bytes than this, and than half of the directory, replace its files instead.
const BULK: u64 = 4 << 20;

/// States of [`FILES`].
type Stamps = [Option<Stamp>; 4];

/// A directory that an index persists to.
pub(crate) struct Directory {
    storage: Arc<dyn Storage>,
    path: PathBuf,
    held: Option<Held>,
    holder: Holder,
    /// Of the records in its file.
    layout: Layout,
    /// What header.bin holds.
    header: HeaderBytes,
    /// Records the files hold.
    count: usize,
    offsets: Offsets,
    generation: u64,
    /// Persists of the directory, by all its writers.
    sequence: u64,
    /// Whether hnx.sums tells the truth about the files.
    sums: bool,
    /// Whether the next persist writes all files, so as to have all sums anew.
    renew: bool,
    /// Their total.
    total: u64,
    /// How this handle left the files, or found them; None if that is not known.
    stamps: Option<Stamps>,
    /// Whether a persist failed, or the directory was never looked at by its holder: it has to be recovered first.
    unsettled: bool,
    /// Whether this handle has written the directory.
    wrote: bool,
    bulk: u64,
}

/// What `persist_dirty` did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Persisted {
    /// Persists that wrote something.
    pub generation: u64,
    /// Records written.
    pub records: u64,
    /// Bytes written.
    pub bytes: u64,
}

/// What is known of a directory that was opened.
pub(super) struct Found {
    pub(super) held: Option<Held>,
    pub(super) header: HeaderBytes,
    pub(super) stamps: Stamps,
    pub(super) sums: FoundSums,
}

/// What is known of its checksums.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FoundSums {
    /// There are none that count.
    None,
    /// They are damaged, and the files are known to be what they are of.
    Damaged,
    True(Box<SumsHead>),
}

/// Writes what changed since the last call.
pub(crate) fn persist_dirty(core: &Core, stated: &Stated) -> Result<Persisted> {
    let mut directory = lock(core.directory());
    let Some(directory) = directory.as_mut() else {
        return Err(invalid("the index has no directory: give persist_path to hnx_init, or load a directory"));
    };
    directory.persist(core, stated).map_err(|error| error.of_file(&directory.path))
}

/// States of the files of a directory.
pub(super) fn look(storage: &dyn Storage, path: &Path) -> Result<Stamps> {
    let mut stamps = [None; 4];
    for (stamp, name) in stamps.iter_mut().zip(FILES) {
        *stamp = storage.stamp(&path.join(name))?;
    }
    Ok(stamps)
}

/// States of those files of a directory that are there, hnx.sums included.
pub(super) fn look_at_all(storage: &dyn Storage, path: &Path) -> Result<Vec<(&'static str, Stamp)>> {
    let mut stamps = Vec::new();
    for name in DATA_FILES.into_iter().chain([HEADER_FILE]) {
        stamps.extend(storage.stamp(&path.join(name))?.map(|stamp| (name, stamp)));
    }
    Ok(stamps)
}

impl Directory {
    /// A directory that was opened, with its records in `store`.
    pub(super) fn existing(
        storage: Arc<dyn Storage>,
        path: &Path,
        header: &Header,
        store: &Store,
        found: Found,
    ) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
        let sums = match &found.sums {
            FoundSums::True(head) => Some(**head),
            _ => None,
        };
        let mut directory = Self {
            holder: found.held.as_ref().map_or_else(Holder::nobody, Held::holder),
            unsettled: found.held.is_none(),
            held: found.held,
            storage,
            path,
            layout: header.layout,
            header: found.header,
            count: store.count(),
            offsets: Offsets::default(),
            generation: 0,
            sequence: sums.map_or(1, |head| head.sequence),
            sums: sums.is_some(),
            renew: found.sums == FoundSums::Damaged,
            total: sums.map_or(0, |head| head.total),
            stamps: Some(found.stamps),
            wrote: false,
            bulk: BULK,
        };
        directory.offsets.extend(store);
        directory
    }

    /// Has any change replace the files, or none.
    #[cfg(test)]
    pub(super) fn set_bulk(&mut self, always: bool) {
        self.bulk = if always { 0 } else { u64::MAX };
    }

    fn persist(&mut self, core: &Core, stated: &Stated) -> Result<Persisted> {
        if !self.holder.is_this_process() {
            return Err(forked(&self.path));
        }
        let storage = Arc::clone(&self.storage);
        let mut ids = core.store().dirty().ids();
        let nothing = |ids: &[(u32, bool)], to: &HeaderBytes, from: &HeaderBytes| ids.is_empty() && to == from;
        let done = Persisted { generation: self.generation, ..Persisted::default() };
        if nothing(&ids, &header(core, stated, self.layout).to_directory_bytes(), &self.header)
            && !(self.unsettled && self.held.is_some())
        {
            return Ok(done);
        }
        if self.held.is_none() {
            self.held = Some(Held::acquire(&storage, &self.path)?);
        }
        self.check_untouched()?;
        self.settle()?;
        // Damaged sums stay until new ones take their place.
        if !(self.renew || self.sums && storage.exists(&self.path.join(SUMS_FILE))?) {
            self.begin_sums()?;
        }

        let still = core.stand_still();
        let (store, dirty) = (core.store(), core.store().dirty());
        ids = dirty.ids();
        let header = header(core, stated, self.layout).to_directory_bytes();
        if nothing(&ids, &header, &self.header) {
            return Ok(done);
        }
        self.offsets.extend(store);
        self.sequence += 1;
        let count = store.count();
        // What is copied is copied: adds may go on while the device works.
        let written = if self.is_bulk(store, &ids) {
            let made = self.write_new(core, header)?;
            dirty.clear();
            drop(still);
            self.replace(self.header, header, made)
        } else {
            let changes = self.changes(store, &ids)?;
            dirty.clear();
            drop(still);
            self.apply(changes, header)
        };
        match written {
            Ok((bytes, total)) => {
                (self.total, self.sums, self.renew) = (total, true, false);
                (self.header, self.count, self.generation) = (header, count, self.generation + 1);
                self.wrote = true;
                let bytes = bytes + self.finished();
                Ok(Persisted { generation: self.generation, records: ids.len() as u64, bytes })
            }
            Err(error) => {
                for (slot, whole) in ids.iter().filter_map(|(id, whole)| Some((store.slot(*id)?, *whole))) {
                    if whole {
                        dirty.mark_whole(slot);
                    } else {
                        dirty.mark(slot);
                    }
                }
                self.unsettled = true;
                self.stamps = look(storage.as_ref(), &self.path).ok();
                Err(error)
            }
        }
    }

    /// Refuses when another program has written the files since this handle did, or read them.
    fn check_untouched(&self) -> Result<()> {
        let Some(stamps) = self.stamps else { return Ok(()) };
        let now = look(self.storage.as_ref(), &self.path)?;
        if let Some(gone) = FILES.iter().zip(now).find(|(_, stamp)| stamp.is_none()) {
            return Err(storage::missing(&self.path.join(gone.0)));
        }
        if now != stamps {
            let text =
                format!("another program has written {} since this index was opened from it", self.path.display());
            return Err(Error::Conflict(text.into()));
        }
        Ok(())
    }

    /// Brings the directory into order after a failure.
    fn settle(&mut self) -> Result<()> {
        if !self.unsettled {
            return Ok(());
        }
        let storage = Arc::clone(&self.storage);
        let held = self.held.as_mut().ok_or_else(|| forked(&self.path))?;
        let header = storage::open(storage.as_ref(), &self.path.join(HEADER_FILE), Access::Write)?;
        lock_header(header.as_ref(), true, &self.path)?;
        let recovered = recover(storage.as_ref(), &self.path, held.journal().0?);
        let now = read_header(header.as_ref());
        header.unlock();
        self.stamps = look(storage.as_ref(), &self.path).ok();
        recovered?;
        match sums::read_head(storage.as_ref(), &self.path) {
            Ok(SumsFile::Read(head)) if self.sums => self.total = head.total,
            _ => self.sums = false,
        }
        // What was begun is done: the files may hold more records than before.
        if let Some(now) = now?.filter(|now| *now != self.header) {
            self.count = super::journal::header_of(&now)?.count;
            self.header = now;
        }
        self.unsettled = false;
        Ok(())
    }

    /// Makes hnx.sums anew, with nothing known yet.
    fn begin_sums(&mut self) -> Result<()> {
        (self.sums, self.total) = (false, 0);
        let storage = self.storage.as_ref();
        let (new, place) = (new_name(&self.path, SUMS_FILE), self.path.join(SUMS_FILE));
        storage.remove(&new)?;
        let mut file = storage.create(&new)?.ok_or_else(|| invalid(format!("{} is in use", new.display())))?;
        file.write_at(&self.sums_head(self.header).to_bytes(), 0)?;
        file.set_len(sums::len(self.count))?;
        file.sync()?;
        storage.rename(&new, &place)?;
        storage.sync_dir(&self.path)?;
        self.sums = true;
        Ok(())
    }

    fn sums_head(&self, header: HeaderBytes) -> SumsHead {
        let (seal, lens, flipped) = (None, None, None);
        SumsHead { sequence: self.sequence, header, total: self.total, seal, lens, flipped }
    }

    fn is_bulk(&self, store: &Store, ids: &[(u32, bool)]) -> bool {
        let (stride, links) = (self.layout.stride, self.layout.ground_list());
        let whole = |(id, whole): &(u32, bool)| *whole || *id as usize >= self.count;
        let bytes: usize = ids.iter().map(|id| if whole(id) { stride } else { links }).sum();
        self.renew || bytes as u64 > self.bulk && bytes > store.count() * stride / 2
    }

    /// The ranges of files that change, and the total of the sums. Only a new record, or one with a new vector, is
    /// written as a whole.
    fn changes(&self, store: &Store, ids: &[(u32, bool)]) -> Result<(Changes, u64)> {
        let (mut changes, mut total) = (Changes::default(), self.total);
        let old_sums = storage::open(self.storage.as_ref(), &self.path.join(SUMS_FILE), Access::Read)?;
        let old_count = old_sums.len()?.saturating_sub(sums::len(0)) / SUMS_SIZE as u64;
        let (stride, links) = (self.layout.stride as u64, self.layout.ground_list());
        let mut record = Vec::new();
        for (slot, whole) in ids.iter().filter_map(|(id, whole)| Some((store.slot(*id)?, *whole))) {
            let id = slot.id();
            let new = id as usize >= self.count;
            record.clear();
            append_record(store, slot, &self.layout, &mut record);
            let part = if new || whole { &record[..] } else { &record[..links] };
            changes.put(RECORDS, u64::from(id) * stride, |to| to.extend_from_slice(part));
            if new || whole && store.has_lengths() {
                changes.put(LENGTHS, u64::from(id) * 4, |to| to.extend_from_slice(&length_bytes(store, slot)));
            }
            let (offset, level) = self.offsets.of(id, self.layout.upper_list());
            // The size word of a record on the ground is zero for ever: it is written once.
            if level > 0 || new {
                changes.put(LISTS, offset, |to| lists::append(store, slot, to));
            }
            let mut sums = record_sums(store, slot, &record, &self.layout);
            let mut old = [0; SUMS_SIZE];
            // What another program appended was never added.
            if !new && u64::from(id) < old_count {
                old_sums.read_at(&mut old, sums::offset(id))?;
                total = total.wrapping_sub(sums::weight(id, &old));
            }
            if !new && !store.has_lengths() {
                sums[4..8].copy_from_slice(&old[4..8]); // the length stays what it is, whatever that is
            }
            total = total.wrapping_add(sums::weight(id, &sums));
            changes.put(SUMS, sums::offset(id), |to| to.extend_from_slice(&sums));
        }
        Ok((changes, total))
    }

    fn head(&mut self, kind: Kind, header_before: HeaderBytes, header_after: HeaderBytes) -> Head {
        let nonce = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), self.sequence);
        let (before, after) = ([0; 4], [0; 4]);
        let (body_len, body_hash, sequence) = (0, 0, self.sequence);
        Head { kind, nonce, sequence, body_len, body_hash, before, after, header_before, header_after }
    }

    /// Has a journal on the device, name and all.
    fn write_journal(&mut self, journal: &Journal) -> Result<u64> {
        let held = self.held.as_mut().ok_or_else(|| forked(&self.path))?;
        let (file, note) = held.journal();
        let bytes = journal.write(file?, note)?;
        if !held.named {
            self.storage.sync_dir(&self.path)?;
            held.named = true;
        }
        Ok(bytes)
    }

    /// Journals ranges and writes them; returns the bytes written and the total of the sums.
    fn apply(&mut self, (mut changes, total): (Changes, u64), header: HeaderBytes) -> Result<(u64, u64)> {
        let storage = Arc::clone(&self.storage);
        let mut files = Files::open(storage.as_ref(), &self.path, [true; 4])?;
        let mut head = self.head(Kind::Changes, self.header, header);
        for (number, file) in files.data.iter_mut().enumerate() {
            let Some(file) = file else { continue };
            head.before[number] = file.len()?;
            let least = if number == SUMS { sums::len(0) } else { 0 };
            head.after[number] = head.before[number].max(changes.end(number)).max(least);
            // A full disk is best met before anything has begun.
            if head.after[number] > head.before[number] {
                file.reserve(head.after[number])?;
            }
        }
        let [records, lengths, lists, _] = head.after;
        let sums = SumsHead { total, lens: Some([records, lengths, lists]), ..self.sums_head(header) };
        changes.put(SUMS, 0, |to| to.extend_from_slice(&sums.to_bytes()));
        changes.put(SUMS, SUMS_LENS as u64, |to| to.extend_from_slice(&sums.lens_bytes()));
        // Having room had may count as a change.
        self.stamps = Some(look(storage.as_ref(), &self.path)?);
        Ok((self.commit(&changes.finish(head)?, &mut files)?, total))
    }

    /// Has new files take the place of the old ones; returns the bytes written and the total of the sums.
    fn replace(&mut self, before: HeaderBytes, header: HeaderBytes, mut made: Made) -> Result<(u64, u64)> {
        made.sync()?;
        let storage = Arc::clone(&self.storage);
        let mut files = Files::open(storage.as_ref(), &self.path, [false; 4])?;
        let mut head = self.head(Kind::Replacement, before, header);
        head.after = made.lens;
        let journal = Changes::default().finish(head)?;
        if let Some(held) = &mut self.held {
            held.named = false; // the names of the new files, too
        }
        Ok((self.commit(&journal, &mut files)? + made.lens.iter().sum::<u64>(), made.total))
    }

    fn commit(&mut self, journal: &Journal, files: &mut Files) -> Result<u64> {
        let storage = Arc::clone(&self.storage);
        let mut bytes = self.write_journal(journal)?;
        lock_header(files.header.as_ref(), true, &self.path)?;
        let done = self.check_untouched().and_then(|()| carry_out(storage.as_ref(), &self.path, journal, files));
        files.header.unlock();
        bytes += done?;
        Ok(bytes)
    }

    fn write_new(&self, core: &Core, header: HeaderBytes) -> Result<Made> {
        write_data(self.storage.as_ref(), core.store(), &self.layout, &self.sums_head(header), |name| {
            new_name(&self.path, name)
        })
    }

    /// After everything is on the device: the journal is retired, the sums are sealed. Neither can fail the persist: a
    /// journal beside a header that is not poisoned does not count, and unsealed sums are compared when they are read.
    fn finished(&mut self) -> u64 {
        let mut bytes = 0;
        if let Some(Ok(journal)) = self.held.as_mut().map(|held| held.journal().0) {
            if retire(journal).is_ok() {
                bytes += super::journal::HEAD as u64;
            }
        }
        self.stamps = look(self.storage.as_ref(), &self.path).ok();
        bytes + self.seal(true).unwrap_or(0)
    }

    /// Notes the times of the files that the sums are of; `open`: persists are to follow.
    fn seal(&self, open: bool) -> Result<u64> {
        let Some([Some(a), Some(b), Some(c), Some(d)]) = self.stamps else { return Ok(0) };
        let seal = Seal { times: [a, b, c, d].map(|stamp| stamp.modified), open };
        let mut file = storage::open(self.storage.as_ref(), &self.path.join(SUMS_FILE), Access::Write)?;
        let mut before = [0];
        file.read_at(&mut before, SUMS_LENS as u64 - 1)?;
        let bytes = self.sums_head(self.header).seal_bytes(seal, before[0]);
        file.write_at(&bytes, SUMS_HEAD as u64)?;
        file.set_modified(seal.times[0])?;
        Ok(bytes.len() as u64)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.held.is_some() && self.holder.is_this_process() && self.wrote && self.sums && !self.unsettled {
            if let (Some(_), Ok(())) = (self.stamps, self.check_untouched()) {
                let _ = self.seal(false);
            }
        }
    }
}

/// The sums of a record, whose bytes in its file are `record`.
pub(super) fn record_sums(store: &Store, slot: Slot, record: &[u8], layout: &Layout) -> [u8; SUMS_SIZE] {
    let id = slot.id();
    let length = sums::sum(id, [&length_bytes(store, slot), &[]]);
    let mut upper = Vec::new();
    lists::append(store, slot, &mut upper);
    let lists = sums::sum(id, [&upper, &[]]);
    let mut bytes = [0; SUMS_SIZE];
    for (at, sum) in [record_sum(id, record, layout), length, lists].into_iter().enumerate() {
        bytes[4 * at..4 * at + 4].copy_from_slice(&sum.to_le_bytes());
    }
    bytes
}

/// New files, by the numbers of [`DATA_FILES`].
pub(super) struct Made {
    pub(super) files: [Box<dyn StorageFile>; 4],
    pub(super) lens: [u64; 4],
    /// Of the sums.
    pub(super) total: u64,
}

impl Made {
    fn sync(&mut self) -> Result<()> {
        self.files.iter_mut().try_for_each(|file| file.sync())
    }
}

/// The first bytes of a new file of sums.
pub(super) fn sums_start(head: &SumsHead) -> [u8; SUMS_START] {
    let mut bytes = [0; SUMS_START];
    bytes[..SUMS_HEAD].copy_from_slice(&head.to_bytes());
    bytes[SUMS_LENS..].copy_from_slice(&head.lens_bytes());
    bytes
}
