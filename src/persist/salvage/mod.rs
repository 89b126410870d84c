//! Building an index anew from what can be read of a damaged one: vectors, labels, deletions. The graph is not used, it
//! is built from the vectors.
//!
//! Where libhnx has written checksums, a record that differs from its own is kept all the same, as it may be sound but
//! for its links, but it is counted, and where another one has its label it is the one that is dropped.

mod remains;
mod scan;
mod shape;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::format::Header;
use crate::error::{corrupt, Result};
use crate::index::restore::Restored;
use crate::index::Index;
use crate::params::{check_dim, Metric, Params};
use remains::{Lengths, Remains};
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
    pub mismatched: u64,
}

/// Builds an index from what is left at `path`, which is only read.
pub fn salvage(path: &Path, params: &SalvageParams) -> Result<(Index, Report)> {
    check_dim(params.dim)?;
    let remains = Remains::open(path)?;
    let stated = Header::from_bytes(&remains.header, 4 * params.dim).ok();
    let mut report = Report::default();
    let layout = shape::find(&remains, &remains.header, stated, 4 * params.dim, params.m)?;
    let header = stated.filter(|header| header.layout == layout);
    if header.is_none() || !remains.right_header {
        report.damage |= DAMAGED_HEADER;
    }
    let (lengths, mut walkable) =
        header.map_or((remains.lengths(), false), |header| remains.lengths_and_lists(&header));
    // A single file has an exact size: where that is wrong, the number may be.
    let beyond = params.beyond_count || remains.single && !walkable;
    report.stated = header.map_or(0, |header| header.count as u64);
    let cosine = params.metric == Metric::Cosine;
    // Where all there is room for are records; behind their number, zeros can be anything.
    let zeros = header.is_none() && !remains.single;
    let scan = Scan { remains: &remains, layout, lengths: lengths.filter(|_| cosine), cosine, zeros };
    let entries = scan.run(header.map(|header| header.count), beyond, &mut report)?;
    if header.is_none() {
        // As many as were found are known to be.
        walkable = remains.has_lists(entries.last().map_or(0, |entry| entry.id as usize + 1), &layout);
    }
    if !walkable {
        report.damage |= DAMAGED_LISTS;
    }
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
    index.renew_codes(threads);
    // At the end: a deleted record is no neighbour to those that come after it.
    for entry in entries.iter().filter(|entry| entry.deleted) {
        index.mark_deleted(entry.label)?;
        report.deleted += 1;
    }
    report.kept = entries.len() as u64;
    report.lengths_lost = lost.into_inner();
    report.mismatched = entries.iter().filter(|entry| !entry.fits).count() as u64;
    if report.kept + report.duplicates != report.records || report.mismatched != 0 {
        report.damage |= DAMAGED_RECORDS;
    }
    Ok(())
}
