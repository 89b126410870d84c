//! Building an index anew from what can be read of a damaged one: vectors, labels, deletions. The graph is not used, it
//! is built from the vectors.

mod scan;
mod shape;

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::format::{Header, HEADER, HEADER_FILE, LENGTHS_FILE, LISTS_FILE, PERSISTENCE_VERSION, RECORDS_FILE};
use super::open::Input;
use crate::error::{corrupt, Result};
use crate::index::restore::Restored;
use crate::index::Index;
use crate::params::{check_dim, Metric, Params};
use crate::platform::FileExt;
use scan::{Entry, Scan};

/// How to salvage.
#[derive(Clone, Copy, Debug)]
pub struct SalvageParams {
    /// How distance is measured.
    pub metric: Metric,
    /// Floats per vector.
    pub dim: usize,
    /// Links per record; 0: found out.
    pub m: usize,
    /// Candidates an insertion looks at; 0: as stated, or 200.
    pub ef_construction: usize,
    /// Threads to build with; 0: all cores.
    pub threads: usize,
    /// Whether new vectors may take the place of deleted ones.
    pub allow_replace_deleted: bool,
    /// Whether to keep what looks like a record behind the number that is stated.
    pub beyond_count: bool,
}

/// Bits of [`Report::damage`].
pub(crate) const DAMAGED_HEADER: u32 = 1;
pub(crate) const DAMAGED_RECORDS: u32 = 2;
pub(crate) const DAMAGED_LENGTHS: u32 = 4;
pub(crate) const DAMAGED_LISTS: u32 = 8;

/// What was kept, and what was not and why; `records` is the sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "hnx_salvage_info documents each")]
pub struct Report {
    pub damage: u32,
    pub stated: u64,
    pub records: u64,
    pub kept: u64,
    pub deleted: u64,
    pub missing: u64,
    pub unwritten: u64,
    pub unreadable: u64,
    pub not_finite: u64,
    pub implausible: u64,
    pub duplicates: u64,
    pub lengths_lost: u64,
}

/// The parts of a damaged index: whatever of them is there.
pub(super) struct Remains {
    /// Bytes of the header, without version.
    header: Vec<u8>,
    /// Whether it has the version that it should have, where it should have one.
    right_version: bool,
    pub(super) records: Input,
    /// Where records begin in their file.
    pub(super) start: usize,
    /// Files of their own; None for a single file, or where they are missing.
    lengths: Option<Input>,
    lists: Option<Input>,
    single: bool,
}

impl Remains {
    fn open(path: &Path) -> Result<Self> {
        if !path.is_dir() {
            let records = Input::open(path)?;
            let header = records.read(0, HEADER.min(records.len))?;
            let (lengths, lists) = (None, None);
            return Ok(Self { header, right_version: true, records, start: HEADER, lengths, lists, single: true });
        }
        let open = |name: &str| Input::open(&path.join(name));
        let records = open(RECORDS_FILE)?;
        let bytes = open(HEADER_FILE).and_then(|file| file.read(0, (HEADER + 4).min(file.len))).unwrap_or_default();
        let right_version = bytes.starts_with(&PERSISTENCE_VERSION.to_le_bytes());
        let header = bytes.get(4..).unwrap_or_default().to_vec();
        let (lengths, lists) = (open(LENGTHS_FILE).ok(), open(LISTS_FILE).ok());
        Ok(Self { header, right_version, records, start: 0, lengths, lists, single: false })
    }

    /// Bytes from the first record to the end of the file.
    pub(super) fn available(&self) -> usize {
        self.records.len.saturating_sub(self.start)
    }

    /// Lengths of vectors, and whether the upper-level lists can be walked. A single file says which of the two formats
    /// it is by its size alone; where that is wrong, the first numbers behind the records tell lengths from lists.
    fn lengths_and_lists(&self, header: &Header) -> (Option<Lengths<'_>>, bool) {
        if !self.single {
            let lengths = self.lengths.as_ref().map(|file| Lengths { file: &file.file, start: 0 });
            return (lengths, self.lists.as_ref().is_some_and(|file| file.lists(0, header, false).is_ok()));
        }
        let end = self.start + header.count * header.layout.stride;
        if end > self.records.len {
            return (None, false);
        }
        if self.records.lists(end, header, true).is_ok() {
            return (None, true);
        }
        let lengths = Some(Lengths { file: &self.records.file, start: end as u64 });
        let lists = end + 4 * header.count;
        if lists <= self.records.len && self.records.lists(lists, header, true).is_ok() {
            return (lengths, true);
        }
        let words = self.records.read(end, (4 * header.count).min(256).min(self.records.len - end)).unwrap_or_default();
        let normal = words.chunks_exact(4).filter(|w| f32::from_le_bytes([w[0], w[1], w[2], w[3]]).is_normal());
        (lengths.filter(|_| 8 * normal.count() > words.len()), false)
    }
}

/// Where lengths are.
#[derive(Clone, Copy)]
struct Lengths<'a> {
    file: &'a File,
    start: u64,
}

impl Lengths<'_> {
    fn of(self, id: u32) -> Option<f32> {
        let mut bytes = [0; 4];
        self.file.read_exact_at(&mut bytes, self.start + 4 * u64::from(id)).ok()?;
        Some(f32::from_le_bytes(bytes)).filter(|length| length.is_finite() && *length > 0.0)
    }
}

/// Builds an index from what is left at `path`, which is only read.
pub fn salvage(path: &Path, params: &SalvageParams) -> Result<(Index, Report)> {
    check_dim(params.dim)?;
    let remains = Remains::open(path)?;
    let stated = Header::from_bytes(&remains.header, 4 * params.dim).ok();
    let mut report = Report::default();
    let layout = shape::find(&remains, &remains.header, stated, 4 * params.dim, params.m)?;
    let header = stated.filter(|header| header.layout == layout);
    if header.is_none() || !remains.right_version {
        report.damage |= DAMAGED_HEADER;
    }
    let (lengths, walkable) = header.map_or((None, false), |header| remains.lengths_and_lists(&header));
    if !walkable {
        report.damage |= DAMAGED_LISTS;
    }
    // A single file has an exact size: where that is wrong, the number may be.
    let beyond = params.beyond_count || remains.single && !walkable;
    report.stated = header.map_or(0, |header| header.count as u64);
    let scan = Scan { remains: &remains, layout, cosine: params.metric == Metric::Cosine };
    let entries = scan.run(header.map(|header| header.count), beyond, &mut report)?;
    if entries.is_empty() && header.is_none_or(|header| header.count != 0) {
        return Err(corrupt(format!("no record of {} is readable", report.records)));
    }
    let index = Index::new(&Params {
        metric: params.metric,
        m: layout.max_m,
        ef_construction: match params.ef_construction {
            0 => header.map_or(0, |header| header.ef_construction.min(1 << 20)),
            given => given,
        },
        allow_replace_deleted: params.allow_replace_deleted,
        ..Params::new(params.dim)
    })?;
    build(&index, &scan, &entries, lengths, params.threads, &mut report)?;
    if lengths.is_none() && walkable && remains.single {
        report.lengths_lost = 0; // hnswlib's file has none
    }
    if report.lengths_lost != 0 {
        report.damage |= DAMAGED_LENGTHS;
    }
    Ok((index, report))
}

fn build(
    index: &Index,
    scan: &Scan<'_>,
    entries: &[Entry],
    lengths: Option<Lengths<'_>>,
    threads: usize,
    report: &mut Report,
) -> Result<()> {
    let lost = AtomicU64::new(0);
    index.restore(entries.len(), threads, &|row, vector| {
        let Entry { id, label, .. } = entries[row];
        scan.read_vector(id, vector)?;
        let mut length = 1.0;
        if scan.cosine && vector.iter().any(|byte| *byte != 0) {
            length = lengths.and_then(|lengths| lengths.of(id)).unwrap_or_else(|| {
                lost.fetch_add(1, Ordering::Relaxed);
                1.0
            });
        }
        Ok(Restored { label, length })
    })?;
    // At the end: a deleted record is no neighbour to those that come after it.
    for entry in entries.iter().filter(|entry| entry.deleted) {
        index.mark_deleted(entry.label)?;
        report.deleted += 1;
    }
    report.kept = entries.len() as u64;
    report.lengths_lost = lost.into_inner();
    if report.kept + report.duplicates != report.records {
        report.damage |= DAMAGED_RECORDS;
    }
    Ok(())
}
