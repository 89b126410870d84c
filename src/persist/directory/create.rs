//! Making a directory.

use std::path::Path;
use std::sync::Arc;

use super::super::format::{DIRECTORY_HEADER, HEADER_FILE};
use super::super::hold::{forked, lock_header, Held};
use super::super::journal::{retire, Changes, Journal, Kind, JOURNAL_FILE};
use super::super::lists::Offsets;
use super::super::recover::{new_name, read_header, recover};
use super::super::storage::{Access, OsStorage, Storage};
use super::super::sums::SUMS_FILE;
use super::super::write::{header, packed, write_data};
use super::{Directory, BULK, FILES};
use crate::error::{invalid, Result};
use crate::index::core::{Core, Stated};
use crate::sync::lock;

/// Makes `path` the directory of an index; with `replace`, in place of one that is there.
pub(crate) fn create_directory(core: &Core, stated: &Stated, path: &Path, replace: bool) -> Result<()> {
    // In this order, as whoever persists.
    let mut slot = lock(core.directory());
    let _still = core.stand_still();
    if replace {
        *slot = None; // it may be the one that is to be replaced
    }
    let directory = Directory::create(Arc::new(OsStorage), path, core, stated, replace)?;
    core.store().dirty().clear();
    core.store().dirty().enable();
    *slot = Some(directory);
    Ok(())
}

/// Whether a directory is what a creation left that did not end.
pub(in crate::persist) fn is_unfinished(storage: &Arc<dyn Storage>, path: &Path) -> Result<bool> {
    if storage.exists(&path.join(HEADER_FILE))? {
        return Ok(false);
    }
    let Some(file) = storage.open(&path.join(JOURNAL_FILE), Access::Read)? else { return Ok(false) };
    Ok(Journal::read(file.as_ref())?.is_some_and(|journal| journal.head.kind == Kind::Creation))
}

impl Directory {
    /// Makes the directory of an index that stands still or that nobody shares yet. Unless `replace`, there must be no
    /// index in it. When it fails there is none afterwards, or the one that was there.
    pub(in crate::persist) fn create(
        storage: Arc<dyn Storage>,
        path: &Path,
        core: &Core,
        stated: &Stated,
        replace: bool,
    ) -> Result<Self> {
        // Absolute: the host may change its working directory.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
        storage.create_dir(&path)?;
        // First of all: wherever there is a header, the folder's own name is on the device.
        storage.sync_dir(path.parent().unwrap_or(Path::new("/")))?;
        let taken = |name: &str| invalid(format!("{} holds an index already ({name}): load it", path.display()));
        if !replace && storage.exists(&path.join(HEADER_FILE))? {
            return Err(taken(HEADER_FILE));
        }
        let mut held = Held::acquire(&storage, &path)?;
        let begun = matches!(Journal::read(held.journal().0?)?, Some(j) if j.head.kind == Kind::Creation);
        for name in FILES {
            // What a creation left that did not end is no index.
            if !replace && (name == HEADER_FILE || !begun) && storage.exists(&path.join(name))? {
                return Err(taken(name));
            }
        }
        let layout = packed(core.store());
        let header = header(core, stated, layout).to_directory_bytes();
        let mut directory = Self {
            holder: held.holder(),
            held: Some(held),
            storage,
            path,
            layout,
            header,
            count: core.count(),
            offsets: Offsets::default(),
            generation: 0,
            sequence: 1,
            sums: true,
            renew: false,
            total: 0,
            stamps: None,
            unsettled: false,
            wrote: true,
            bulk: BULK,
        };
        directory.offsets.extend(core.store());
        directory.make(core)?;
        directory.finished();
        Ok(directory)
    }

    fn make(&mut self, core: &Core) -> Result<()> {
        let storage = Arc::clone(&self.storage);
        let header_path = self.path.join(HEADER_FILE);
        if let Some(file) = storage.open(&header_path, Access::Write)? {
            let held = self.held.as_mut().ok_or_else(|| forked(&self.path))?;
            lock_header(file.as_ref(), true, &self.path)?;
            // What cannot be recovered is replaced, too: it is no index.
            let _ = recover(storage.as_ref(), &self.path, held.journal().0?);
            file.unlock();
            if let Some(before) = read_header(file.as_ref())? {
                let header = self.header;
                let made = self.write_new(core, header)?;
                (_, self.total) = self.replace(before, header, made)?;
                return Ok(());
            }
            storage.remove(&header_path)?;
        }
        let made = self.make_new(core);
        if made.is_err() {
            if storage.remove(&header_path).and_then(|()| storage.sync_dir(&self.path)).is_err() {
                return made; // whoever opens it finds a whole index or none, and the journal that says which
            }
            for name in FILES.into_iter().chain([SUMS_FILE]) {
                let _ = storage.remove(&self.path.join(name));
            }
            let _ = storage.remove(&new_name(&self.path, HEADER_FILE));
            if storage.sync_dir(&self.path).is_err() {
                return made; // by the journal the rest is known for what it is
            }
            if let Some(Ok(journal)) = self.held.as_mut().map(|held| held.journal().0) {
                let _ = retire(journal);
            }
        }
        made
    }

    /// A directory is one of an index when it has a header; until then, what is in it is known by the journal.
    fn make_new(&mut self, core: &Core) -> Result<()> {
        let storage = Arc::clone(&self.storage);
        let head = self.head(Kind::Creation, [0; DIRECTORY_HEADER], self.header);
        self.write_journal(&Changes::default().finish(head)?)?;
        let mut made =
            write_data(storage.as_ref(), core.store(), &self.layout, &self.sums_head(self.header), |name| {
                self.path.join(name)
            })?;
        made.sync()?;
        self.total = made.total;
        let ready = new_name(&self.path, HEADER_FILE);
        storage.remove(&ready)?;
        let mut file = storage.create(&ready)?.ok_or_else(|| invalid(format!("{} is in use", ready.display())))?;
        file.write_at(&self.header, 0)?;
        file.sync()?;
        storage.sync_dir(&self.path)?;
        storage.rename(&ready, &self.path.join(HEADER_FILE))?;
        storage.sync_dir(&self.path)
    }
}
