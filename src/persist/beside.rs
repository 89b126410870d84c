//! Codes in a file beside that of the records, so that an index that is mapped has them at once: `PATH.hnx.codes`, in a
//! directory `hnx.codes`. Nothing else reads it, and whoever finds none, or one of other records, does without.
//! Little-endian.
//!
//! | offset | what |
//! |---|---|
//! | 0 | magic; u64 hash of the head, from 16 on; u64 bytes of the head; u64 bytes of the file |
//! | 32 | the index's header, 96 bytes |
//! | 128 | of the file of records: u64 bytes; i64 seconds, i64 nanoseconds of its last change; u64 hash of the records |
//! | 160 | u64 deleted records |
//! | 168 | u64 offset, u64 bytes, u64 hash each: codes, sketches, exceptions, ground-level lists |
//! | 264 | what codes were made by ([`Codes::put`]), to the end of the head |
//!
//! Parts begin at multiples of [`PAGE`], between them are zeros. The lists are those of the records, without vectors in
//! between.
//!
//! Codes of other vectors would have queries miss what they should find. So they are used if the file of records is of the
//! size and the time that are noted here: a changed file has another time, a copy may have. A fast check does not ask for
//! the time; a deep one compares records and parts with their hashes instead.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::format::{Header, DIRECTORY_HEADER, HEADER, HEADER_FILE, RECORDS_FILE};
use super::hash::xxh64;
use super::open::{Check, Input};
use super::storage::{Moment, OsStorage, Stamp};
use super::write::{save_file, Appender};
use crate::codes::stored::{Maker, Taken};
use crate::codes::{Codes, FIRST};
use crate::error::{corrupt, invalid, Error, Result};
use crate::index::core::Core;
use crate::platform::{self, FileExt};
use crate::store::arena::Arena;
use crate::store::{Slot, Store};

const MAGIC: &[u8; 8] = b"HNXCODE1";
/// Where the head states what it is of, and where what codes were made by begins.
const HEAD: usize = 32;
const MADE_BY: usize = 264;
/// Longest head: two floats a dimension, and some.
const MOST: u64 = 1 << 20;
/// Parts can be mapped wherever pages are of this size or less.
const PAGE: u64 = 64 << 10;
const PARTS: usize = 4;
/// Bytes written, read and hashed at a time.
const CHUNK: usize = 1 << 20;
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

/// The hash of bytes, however they are cut.
#[derive(Default)]
struct Hash {
    hash: u64,
    held: Vec<u8>,
}

impl Hash {
    fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(CHUNK - self.held.len()));
            self.held.extend_from_slice(now);
            if self.held.len() == CHUNK {
                self.end();
            }
            bytes = rest;
        }
    }

    /// That of all bytes so far, where there are no more.
    fn end(&mut self) -> u64 {
        self.hash = xxh64(&self.held, self.hash);
        self.held.clear();
        self.hash
    }
}

/// What is hashed of a record: all but the bytes between its parts.
fn hash_record(hash: &mut Hash, store: &Store, slot: Slot) {
    let (layout, record) = (store.layout(), store.record_bytes(slot));
    hash.add(&record[..layout.ground_list()]);
    hash.add(&record[layout.vector..layout.label + 8]);
}

/// Which records the codes are of.
#[derive(Clone, Copy, PartialEq)]
struct Of {
    header: [u8; HEADER],
    len: u64,
    modified: Moment,
    hash: u64,
}

/// Where a part is.
#[derive(Clone, Copy, Default)]
struct Part {
    offset: u64,
    bytes: u64,
    hash: u64,
}

// ---- writing -----------------------------------------------------------------------------------------------------

/// Writes the codes of an index beside the file or directory at `path`, which must hold the records of the index.
pub(crate) fn save_codes(core: &Core, path: &Path) -> Result<()> {
    let _still = core.stand_still();
    let store = core.store();
    let Some(codes) = store.codes() else {
        let why = match store.count() {
            few @ 0..FIRST => format!("{few} records need none"),
            _ => "hnx_set_exactness makes some, if codes fit the vectors".to_owned(),
        };
        return Err(invalid(format!("the index keeps no codes: {why}")));
    };
    let records = Records::open(path, store)?;
    let (of, deleted) = records.compare(store, path)?;
    let write = |file| {
        let mut out = Appender::new(file);
        write(&mut out, store, codes, &of, deleted)?;
        // A change of the records in the same moment would have the same time.
        let started = Instant::now();
        while out.file.stamp()?.modified == of.modified && started.elapsed() < TICK {
            std::thread::sleep(Duration::from_millis(1));
            out.file.write_at(MAGIC, 0)?;
        }
        out.file.sync()?;
        if records.stamp()? != (of.len, of.modified) {
            return Err(other(path, "it was changed meanwhile"));
        }
        Ok(())
    };
    save_file(&OsStorage, &name(path), write)
}

fn other(path: &Path, what: &str) -> Error {
    let help = "save or persist the index there first";
    Error::Conflict(format!("{} does not hold the records of the index, {what}: {help}", path.display()).into())
}

/// The file of an index's records.
struct Records {
    input: Input,
    offset: usize,
    header: Header,
}

impl Records {
    fn open(path: &Path, store: &Store) -> Result<Self> {
        let bytes = store.layout().vector_bytes;
        if path.is_dir() {
            let header = Input::open(&path.join(HEADER_FILE))?;
            let header = Header::from_directory_bytes(&header.read(0, DIRECTORY_HEADER.min(header.len))?, bytes)?;
            return Ok(Self { input: Input::open(&path.join(RECORDS_FILE))?, offset: 0, header });
        }
        let input = Input::open(path)?;
        let header = Header::from_bytes(&input.read(0, HEADER.min(input.len))?, bytes)?;
        Ok(Self { input, offset: HEADER, header })
    }

    fn stamp(&self) -> Result<(u64, Moment)> {
        self.input.stamp().map(|stamp| (stamp.len, stamp.modified))
    }

    /// What the file is, and how many records are deleted; an error where a record is not that of the store.
    fn compare(&self, store: &Store, path: &Path) -> Result<(Of, u64)> {
        let (len, modified) = self.stamp()?;
        let (from, to) = (&self.header.layout, store.layout());
        if self.header.count != store.count() || from.max_m0 != to.max_m0 {
            let (there, here) = (self.header.count, store.count());
            return Err(other(path, &format!("but {there} with {} links, not {here} with {}", from.max_m0, to.max_m0)));
        }
        let (mut hash, mut deleted) = (Hash::default(), 0);
        let at_once = (CHUNK / from.stride).max(1);
        let mut bytes = Vec::new();
        let mut slots = store.slots();
        for first in (0..self.header.count).step_by(at_once) {
            bytes.resize(at_once.min(self.header.count - first) * from.stride, 0);
            self.input.read_into(self.offset + first * from.stride, &mut bytes)?;
            for (record, slot) in bytes.chunks_exact(from.stride).zip(slots.by_ref()) {
                let own = store.record_bytes(slot);
                let links = from.ground_list();
                let (vector, own_vector) = (&record[from.vector..from.label + 8], &own[to.vector..to.label + 8]);
                if record[..links] != own[..links] || vector != own_vector {
                    return Err(other(path, &format!("record {} is another", slot.id())));
                }
                hash_record(&mut hash, store, slot);
                deleted += u64::from(store.is_deleted(slot));
            }
        }
        Ok((Of { header: self.header.to_bytes(), len, modified, hash: hash.end() }, deleted))
    }
}

fn write(out: &mut Appender, store: &Store, codes: &Codes, of: &Of, deleted: u64) -> Result<()> {
    let mut made_by = Vec::new();
    codes.put(&mut made_by);
    let head_bytes = MADE_BY + made_by.len();
    let mut parts = [Part::default(); PARTS];
    out.buffer.resize(head_bytes, 0);
    for (part, bytes) in parts.iter_mut().zip(codes.parts(store.count())) {
        *part = Part { offset: out.begin_page()?, bytes: bytes.len() as u64, hash: 0 };
        let mut hash = Hash::default();
        for piece in bytes.chunks(CHUNK) {
            hash.add(piece);
            out.buffer.extend_from_slice(piece);
            out.flush_beyond(CHUNK)?;
        }
        part.hash = hash.end();
    }
    let list = store.layout().ground_list();
    let (mut hash, lists) = (Hash::default(), &mut parts[PARTS - 1]);
    *lists = Part { offset: out.begin_page()?, bytes: (list * store.count()) as u64, hash: 0 };
    for slot in store.slots() {
        let bytes = &store.record_bytes(slot)[..list];
        hash.add(bytes);
        out.buffer.extend_from_slice(bytes);
        out.flush_beyond(CHUNK)?;
    }
    lists.hash = hash.end();
    // Where a page is mapped, the file has it as a whole.
    let len = out.begin_page()?;
    out.flush_beyond(0)?;

    let mut head = vec![0; 16];
    for number in [head_bytes as u64, len] {
        head.extend(number.to_le_bytes());
    }
    head.extend(of.header);
    head.extend(of.len.to_le_bytes());
    head.extend([of.modified.0, of.modified.1].iter().flat_map(|n| n.to_le_bytes()));
    for number in [of.hash, deleted].into_iter().chain(parts.iter().flat_map(|p| [p.offset, p.bytes, p.hash])) {
        head.extend(number.to_le_bytes());
    }
    head.extend(made_by);
    head[..8].copy_from_slice(MAGIC);
    let hash = xxh64(&head[16..], 0);
    head[8..16].copy_from_slice(&hash.to_le_bytes());
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

/// Codes that were found beside records.
pub(super) struct Beside {
    file: File,
    maker: Maker,
    of: Of,
    deleted: u64,
    parts: [Part; PARTS],
}

impl Beside {
    /// Those of the index at `path` with this header, whose records `store` has from a file with this stamp; None where there
    /// are none, or others. An error where a deep check finds them damaged.
    pub(super) fn find(
        path: &Path,
        (header, stamp): (&Header, &Stamp),
        store: &Store,
        inner_product: bool,
        check: Check,
    ) -> Result<Option<Self>> {
        let open = || {
            let file = platform::options(false).read(true).open(name(path)).ok()?;
            let meta = file.metadata().ok().filter(|meta| meta.is_file())?;
            Self::read(file, meta.len(), header, inner_product)
        };
        let found = open().filter(|this| this.of.header == header.to_bytes() && this.of.len == stamp.len);
        let Some(this) = found else { return Ok(None) };
        let is_of = match check {
            Check::Fast => true,
            Check::Default => this.of.modified == stamp.modified,
            Check::Deep => this.is_of(store)?,
        };
        Ok(is_of.then_some(this))
    }

    fn read(file: File, len: u64, header: &Header, inner_product: bool) -> Option<Self> {
        let mut start = [0; HEAD];
        file.read_exact_at(&mut start, 0).ok()?;
        let mut from = Taken::new(&start);
        let (magic, hash) = (from.bytes::<8>()?, from.u64()?);
        let (head_bytes, bytes) = (from.u64()?, from.u64()?);
        if magic != *MAGIC || bytes != len || head_bytes > MOST.min(len) || head_bytes < MADE_BY as u64 {
            return None;
        }
        let mut head = vec![0; head_bytes as usize];
        file.read_exact_at(&mut head, 0).ok()?;
        if xxh64(&head[16..], 0) != hash {
            return None;
        }
        let mut from = Taken::new(&head[HEAD..]);
        let of =
            Of { header: from.bytes()?, len: from.u64()?, modified: (from.i64()?, from.i64()?), hash: from.u64()? };
        let deleted = from.u64()?;
        let mut parts = [Part::default(); PARTS];
        for part in &mut parts {
            *part = Part { offset: from.u64()?, bytes: from.u64()?, hash: from.u64()? };
        }
        let maker = Maker::take(&mut from, header.layout.dim(), inner_product)?;
        let [rows, sketches, exceptions] = maker.sizes(header.count);
        let sizes = [rows, sketches, exceptions, header.layout.ground_list() * header.count];
        let fits = |(part, size): (&Part, usize)| {
            let end = part.offset.checked_add(part.bytes.next_multiple_of(PAGE));
            part.bytes == size as u64 && part.offset.is_multiple_of(PAGE) && end.is_some_and(|end| end <= len)
        };
        let whole = header.count > 0 && parts.iter().zip(sizes).all(fits);
        whole.then_some(Self { file, maker, of, deleted, parts })
    }

    /// Whether they are of these records, all of which are read; an error if something of them is damaged.
    fn is_of(&self, store: &Store) -> Result<bool> {
        let mut hash = Hash::default();
        store.slots().for_each(|slot| hash_record(&mut hash, store, slot));
        if hash.end() != self.of.hash {
            return Ok(false);
        }
        let mut bytes = Vec::new();
        for (part, name) in self.parts.iter().zip(["codes", "sketches", "exceptions", "lists"]) {
            let (end, mut hash) = (part.offset + part.bytes, Hash::default());
            for at in (part.offset..end).step_by(CHUNK) {
                bytes.resize((end - at).min(CHUNK as u64) as usize, 0);
                let read = self.file.read_exact_at(&mut bytes, at);
                read.map_err(|e| Error::Io(format!("cannot read the codes beside the index: {e}").into()))?;
                hash.add(&bytes);
            }
            if hash.end() != part.hash {
                let help = "save them anew, or remove them";
                return Err(corrupt(format!("the codes beside the index are damaged ({name}): {help}")));
            }
        }
        Ok(true)
    }

    /// Gives a store the codes; ground-level lists are those beside them, too, where nobody will change any. How many records
    /// are deleted; None where there is no memory for codes, without which it is the same store.
    pub(super) fn adopt(self, store: &mut Store, read_only: bool) -> Option<usize> {
        let count = store.count();
        let (room, most) = store.rooms();
        let map = |part: &Part, most: usize| {
            let block = Arena::reserve_up_to(most.max(1), part.bytes.max(1) as usize).ok()?;
            block.map_file(&self.file, part.offset, part.bytes as usize).ok()?;
            Some(block)
        };
        let most = self.maker.sizes(most);
        let [rows, sketches, exceptions, lists] = &self.parts;
        let blocks = [map(rows, most[0])?, map(sketches, most[1])?, map(exceptions, most[2])?];
        let lists = if read_only { Some(map(lists, lists.bytes as usize)?) } else { None };
        let codes = self.maker.codes(blocks, count);
        codes.make_room(room).ok()?;
        store.adopt_codes(codes);
        if let Some(lists) = lists {
            store.keep_lists_apart(lists);
        }
        Some(self.deleted as usize)
    }
}
