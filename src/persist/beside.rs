//! Codes in a file beside that of the records, so that an index that is mapped has them at once: `PATH.hnx.codes`, in a
//! directory `hnx.codes`. Nothing else reads it, and whoever finds none, or one of other records, does without.
//! Little-endian.
//!
//! | offset | what |
//! |---|---|
//! | 0 | magic; u64 hash of the head, from 16 on; u64 bytes of the head; u64 bytes of the file |
//! | 32 | the index's header, 96 bytes |
//! | 128 | of the file of records: u64 bytes; i64 seconds, i64 nanoseconds of its last change |
//! | 152 | u64 deleted records |
//! | 160 | u64 offset, u64 bytes each: codes, sketches, exceptions, ground-level lists |
//! | 224 | what codes were made by ([`Codes::put`]), to the end of the head |
//!
//! Sections begin at multiples of [`PAGE`], between them are zeros. The lists are those of the records, without vectors
//! in between.
//!
//! Codes of other vectors would have queries miss what they should find, or worse. So they are used only while the file
//! of records has the size and the time that are noted here: a changed file has another time, a copy may have. A deep
//! check compares all codes with their vectors instead.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::enter::{enter, Entered, Intent};
use super::format::{Header, DIRECTORY_HEADER, HEADER, HEADER_FILE, RECORDS_FILE};
use super::hash::xxh64;
use super::open::{Check, Input, LoadParams};
use super::storage::{Moment, OsStorage, Stamp, Storage, StorageFile};
use super::write::{save_file, Appender};
use crate::codes::stored::{Maker, Taken};
use crate::codes::{Codes, FIRST};
use crate::error::{corrupt, invalid, Error, Result};
use crate::index::core::Core;
use crate::params::Metric;
use crate::platform::{self, FileExt, CAN_MAP_FILES};
use crate::store::arena::Arena;
use crate::store::{Slot, Store};
use crate::sync::lock;

const MAGIC: &[u8; 8] = b"HNXCODE2";
/// Where the head states what it is of, and where what codes were made by begins.
const HEAD: usize = 32;
const MADE_BY: usize = 224;
/// Longest head: two floats a dimension, and some.
const MOST: u64 = 1 << 20;
/// Sections can be mapped wherever pages are of this size or less.
const PAGE: u64 = 64 << 10;
const SECTIONS: usize = 4;
/// Bytes written and read at a time.
const CHUNK: usize = 1 << 20;
/// Records that are looked at where a file has the right time.
const SOME: usize = 16;
/// How long a clock of files stands still at most.
const TICK: Duration = Duration::from_secs(3);

/// Its name for the index at `path`.
fn name(path: &Path) -> PathBuf {
    // Codes are beside the file itself, whatever links lead to it.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    if path.is_dir() {
        return path.join("hnx.codes");
    }
    let mut name = OsString::from(path);
    name.push(".hnx.codes");
    name.into()
}

/// Where a section is.
#[derive(Clone, Copy, Default)]
struct Section {
    offset: u64,
    bytes: u64,
}

// ---- writing -----------------------------------------------------------------------------------------------------

/// Writes the codes of an index beside the file or directory at `path`, which must hold the records of the index.
pub(crate) fn save_codes(core: &Core, path: &Path) -> Result<()> {
    if !CAN_MAP_FILES {
        return Err(Error::Unsupported(
            "files are not mapped on this system: it has no use for codes beside one".into(),
        ));
    }
    // While the index itself persists its directory is not what it was, nor what it will be.
    let _directory = lock(core.directory());
    let records = Records::open(path, core.store())?;
    let name = name(path);
    if name.symlink_metadata().is_ok_and(|meta| !meta.is_file()) {
        return Err(invalid(format!("{} is not a regular file", name.display())));
    }
    let write = |mut file: Box<dyn StorageFile>| {
        file.permit_as(&records.input.file)?;
        // A change of the records in the moment of their last one would not show in their time.
        let stamp = records.input.stamp()?;
        wait_beyond(file.as_mut(), stamp.modified)?;
        let mut out = Appender::new(file);
        {
            let _still = core.stand_still();
            let codes = kept(core.store())?;
            core.store().read_all(|| {
                let deleted = records.compare(core.store(), codes)?;
                write(&mut out, core.store(), codes, (&records.header, &stamp), deleted)
            })?;
        }
        out.file.sync()?;
        let now = platform::stamp_at(&records.path).ok();
        if now != Some(stamp) || records.input.stamp()? != stamp {
            return Err(records.other("it was changed meanwhile"));
        }
        Ok(())
    };
    save_file(&OsStorage, &name, write)
}

/// The codes that are to be written.
fn kept(store: &Store) -> Result<&Codes> {
    store.codes().ok_or_else(|| {
        let why = match store.count() {
            few @ 0..FIRST => format!("{few} records need none"),
            _ => "hnx_set_exactness makes some, if codes fit the vectors".to_owned(),
        };
        invalid(format!("the index keeps no codes: {why}"))
    })
}

/// Waits until what is changed now has another time.
fn wait_beyond(file: &mut dyn StorageFile, moment: Moment) -> Result<()> {
    let started = Instant::now();
    loop {
        file.write_at(MAGIC, 0)?;
        if file.stamp()?.modified != moment {
            return Ok(());
        }
        if started.elapsed() > TICK {
            return Err(Error::Io("the clock of the file system stands still".into()));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The file of an index's records.
struct Records {
    path: PathBuf,
    input: Input,
    offset: usize,
    header: Header,
    /// Keeps those out who would write a directory.
    _entered: Option<Entered>,
}

impl Records {
    fn open(path: &Path, store: &Store) -> Result<Self> {
        let bytes = store.layout().vector_bytes;
        let this = if path.is_dir() {
            let storage: Arc<dyn Storage> = Arc::new(OsStorage);
            let entered = enter(&storage, path, Intent::Read, Check::Fast, true)?;
            if entered.overlay.is_some() {
                let text = format!("{}: a persist was not finished: hnx_load() finishes it", path.display());
                return Err(Error::Conflict(text.into()));
            }
            let header = Input::open(&path.join(HEADER_FILE))?;
            let header = Header::from_directory_bytes(&header.read(0, DIRECTORY_HEADER.min(header.len))?, bytes)?;
            let path = path.join(RECORDS_FILE);
            Self { input: Input::open(&path)?, path, offset: 0, header, _entered: Some(entered) }
        } else {
            let input = Input::open(path)?;
            let header = Header::from_bytes(&input.read(0, HEADER.min(input.len))?, bytes)?;
            Self { input, path: path.into(), offset: HEADER, header, _entered: None }
        };
        if !this.header.layout.usable_in_place() {
            return Err(Error::Unsupported("records of this layout are not mapped, but read".into()));
        }
        Ok(this)
    }

    fn other(&self, what: &str) -> Error {
        let help = "save or persist the index there first";
        let path = self.path.display();
        Error::Conflict(format!("{path} does not hold the records of the index, {what}: {help}").into())
    }

    /// How many records are deleted; an error where one is not that of the store, or a code not that of its vector.
    fn compare(&self, store: &Store, codes: &Codes) -> Result<u64> {
        let (from, to) = (&self.header.layout, store.layout());
        if self.header.count != store.count() || from.max_m0 != to.max_m0 {
            let (there, here) = (self.header.count, store.count());
            return Err(self.other(&format!("but {there} with {} links, not {here} with {}", from.max_m0, to.max_m0)));
        }
        let (mut deleted, mut bytes, mut buffer) = (0, Vec::new(), Vec::new());
        let at_once = (CHUNK / from.stride).max(1);
        let mut slots = store.slots();
        for first in (0..self.header.count).step_by(at_once) {
            bytes.resize(at_once.min(self.header.count - first) * from.stride, 0);
            self.input.read_into(self.offset + first * from.stride, &mut bytes)?;
            for (record, slot) in bytes.chunks_exact(from.stride).zip(slots.by_ref()) {
                let list_is_own = &record[..from.ground_list()] == store.list_bytes(slot);
                let vector_is_own = &record[from.vector..from.label] == store.vector_bytes(slot);
                if !list_is_own || !vector_is_own || record[from.label..][..8] != store.label(slot).to_le_bytes() {
                    return Err(self.other(&format!("record {} is another", slot.id())));
                }
                if !codes.are_of(slot.id() as usize, store.vector_ptr(slot), &mut buffer) {
                    let help = "hnx_set_exactness makes them anew, for HNX_EXACTNESS_F32 first";
                    return Err(corrupt(format!("the code of record {} is of another vector: {help}", slot.id())));
                }
                deleted += u64::from(store.is_deleted(slot));
            }
        }
        Ok(deleted)
    }
}

fn write(out: &mut Appender, store: &Store, codes: &Codes, of: (&Header, &Stamp), deleted: u64) -> Result<()> {
    let mut made_by = Vec::new();
    codes.put(&mut made_by);
    let head_bytes = MADE_BY + made_by.len();
    let mut sections = [Section::default(); SECTIONS];
    out.buffer.resize(head_bytes, 0);
    for (section, bytes) in sections.iter_mut().zip(codes.blocks(store.count())) {
        *section = Section { offset: out.begin_page()?, bytes: bytes.len() as u64 };
        for piece in bytes.chunks(CHUNK) {
            out.buffer.extend_from_slice(piece);
            out.flush_beyond(CHUNK)?;
        }
    }
    let list = store.layout().ground_list();
    sections[SECTIONS - 1] = Section { offset: out.begin_page()?, bytes: (list * store.count()) as u64 };
    for slot in store.slots() {
        out.buffer.extend_from_slice(store.list_bytes(slot));
        out.flush_beyond(CHUNK)?;
    }
    // Where a page is mapped, the file has it as a whole.
    let len = out.begin_page()?;
    out.flush_beyond(0)?;

    let (header, stamp) = of;
    let mut head = vec![0; 16];
    for number in [head_bytes as u64, len] {
        head.extend(number.to_le_bytes());
    }
    head.extend(header.to_bytes());
    head.extend(stamp.len.to_le_bytes());
    head.extend([stamp.modified.0, stamp.modified.1].iter().flat_map(|n| n.to_le_bytes()));
    for number in [deleted].into_iter().chain(sections.iter().flat_map(|section| [section.offset, section.bytes])) {
        head.extend(number.to_le_bytes());
    }
    head.extend(made_by);
    head[..8].copy_from_slice(MAGIC);
    let hash = xxh64(&head[16..], 0);
    head[8..16].copy_from_slice(&hash.to_le_bytes());
    if Head::of(&head, header, codes.are_of_products()).is_none() {
        return Err(Error::Unsupported("the codes of such large values cannot be written".into()));
    }
    out.file.write_at(&head, 0)
}

impl Appender {
    /// Goes on with zeros to the next page, and says where that is.
    fn begin_page(&mut self) -> Result<u64> {
        let at = self.written + self.buffer.len() as u64;
        let next = at.next_multiple_of(PAGE);
        self.buffer.resize(self.buffer.len() + (next - at) as usize, 0);
        self.flush_beyond(CHUNK)?;
        Ok(next)
    }
}

// ---- reading -----------------------------------------------------------------------------------------------------

/// What a file of codes says first.
struct Head {
    maker: Maker,
    header: [u8; HEADER],
    len: u64,
    modified: Moment,
    deleted: u64,
    sections: [Section; SECTIONS],
}

impl Head {
    /// From a head that is whole; None where it is not that of codes of an index with this header and kind of distance.
    fn of(bytes: &[u8], header: &Header, inner_product: bool) -> Option<Self> {
        let mut from = Taken::new(bytes.get(HEAD - 8..)?);
        let end = from.u64()?;
        let (stated, len, modified) = (from.bytes()?, from.u64()?, (from.i64()?, from.i64()?));
        let deleted = from.u64()?;
        let mut sections = [Section::default(); SECTIONS];
        for section in &mut sections {
            *section = Section { offset: from.u64()?, bytes: from.u64()? };
        }
        let maker = Maker::take(&mut from, header.layout.dim(), inner_product)?;
        let [rows, sketches, exceptions] = maker.sizes(header.count);
        let sizes = [rows, sketches, exceptions, header.layout.ground_list() * header.count];
        let fits = |(section, size): (&Section, usize)| {
            section.bytes == size as u64
                && section.offset.is_multiple_of(PAGE)
                && section.offset.checked_add(section.bytes.next_multiple_of(PAGE)).is_some_and(|to| to <= end)
        };
        let fit = header.count > 0 && deleted <= header.count as u64 && sections.iter().zip(sizes).all(fits);
        fit.then_some(Self { maker, header: stated, len, modified, deleted, sections })
    }
}

/// The bytes of the head of a file; None where they are not as they were written.
fn read_head(file: &File, len: u64) -> Option<Vec<u8>> {
    let mut start = [0; HEAD];
    file.read_exact_at(&mut start, 0).ok()?;
    let mut from = Taken::new(&start);
    let (magic, hash, head_bytes, file_bytes) = (from.bytes::<8>()?, from.u64()?, from.u64()?, from.u64()?);
    if magic != *MAGIC || file_bytes != len || head_bytes > MOST.min(len) || head_bytes < MADE_BY as u64 {
        return None;
    }
    let mut bytes = vec![0; head_bytes as usize];
    file.read_exact_at(&mut bytes, 0).ok()?;
    // A fuzzer that had to find hashes would find nothing else.
    (cfg!(fuzzing) || xxh64(&bytes[16..], 0) == hash).then_some(bytes)
}

/// Gives a store that has its records from a file with this header and stamp the codes beside the index at `path`, if
/// there are some of these records; where nobody will change any, ground-level lists are those beside them, too. How
/// many records are deleted then; None: it is the same store. An error where a deep check finds codes damaged.
pub(super) fn adopt_codes(
    path: &Path,
    (header, stamp): (&Header, &Stamp),
    store: &mut Store,
    params: &LoadParams,
) -> Result<Option<usize>> {
    let (name, deep) = (name(path), params.check == Check::Deep);
    let Some((file, len)) = open(&name) else { return Ok(None) };
    let damaged = |what: &str| {
        let help = "hnx_save_codes() writes it anew, and without it the index opens";
        corrupt(format!("{} {what}: {help}", name.display()))
    };
    let Some(head) = read_head(&file, len) else {
        return if deep { Err(damaged("is damaged")) } else { Ok(None) };
    };
    let Some(head) = Head::of(&head, header, params.metric != Metric::L2) else { return Ok(None) };
    let timed = head.modified == stamp.modified;
    if head.header != header.to_bytes() || head.len != stamp.len || !timed && !deep {
        return Ok(None);
    }
    let Some((codes, lists)) = map(&file, head.maker, &head.sections, store, params) else { return Ok(None) };
    let count = store.count();
    let looked_at = if deep { count } else { SOME.min(count) };
    let mut buffer = Vec::new();
    let mut look = || {
        (0..looked_at).all(|number| {
            let slot = store.slot((number * count / looked_at) as u32);
            slot.is_some_and(|slot| fit(store, slot, &codes, lists.as_ref(), &mut buffer))
        })
    };
    let mut is_of = if deep { look() } else { store.read_some(look) };
    if deep && is_of {
        is_of = store.slots().filter(|slot| store.is_deleted(*slot)).count() as u64 == head.deleted;
    }
    if !is_of {
        return if deep && timed { Err(damaged("is not of these records")) } else { Ok(None) };
    }
    store.adopt_codes(codes);
    if let Some(lists) = lists.filter(|_| params.read_only) {
        store.keep_lists_apart(lists);
    }
    Ok(Some(head.deleted as usize))
}

/// Whether a record's code and list are its own.
fn fit(store: &Store, slot: Slot, codes: &Codes, lists: Option<&Arena>, buffer: &mut Vec<u8>) -> bool {
    let (id, list) = (slot.id() as usize, store.layout().ground_list());
    lists.is_none_or(|lists| lists.bytes(id * list, list) == store.list_bytes(slot))
        && codes.are_of(id, store.vector_ptr(slot), buffer)
}

/// The file, if it is a regular one, and its length.
fn open(name: &Path) -> Option<(File, u64)> {
    // Looked at first: opening a device does something to it.
    name.symlink_metadata().ok().filter(std::fs::Metadata::is_file)?;
    let file = platform::options(false).read(true).open(name).ok()?;
    let meta = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    Some((file, meta.len()))
}

/// The sections in memory; lists only where they are looked at. None: there is no memory for them, or for those to
/// come.
fn map(
    file: &File,
    maker: Maker,
    sections: &[Section; SECTIONS],
    store: &Store,
    params: &LoadParams,
) -> Option<(Codes, Option<Arena>)> {
    let (count, (room, most)) = (store.count(), store.rooms());
    let most = if params.read_only { count } else { most };
    let map = |section: &Section, most: usize| {
        let most = most.max(section.bytes as usize).max(1);
        let block = Arena::reserve_up_to(most, most).ok()?;
        block.map_file(file, section.offset, section.bytes as usize, !params.read_only).ok()?;
        Some(block)
    };
    let sizes = maker.sizes(most);
    let [rows, sketches, exceptions, lists] = sections;
    let blocks = [map(rows, sizes[0])?, map(sketches, sizes[1])?, map(exceptions, sizes[2])?];
    let codes = maker.codes(blocks, count)?;
    if !params.read_only {
        codes.make_room(room).ok()?;
    }
    let lists = if params.read_only || params.check == Check::Deep { Some(map(lists, 0)?) } else { None };
    Some((codes, lists))
}
