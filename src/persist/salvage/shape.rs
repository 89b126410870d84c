//! Where things stand in the records of a damaged index: from its header if that is whole, from what is left of it, or
//! from the records themselves.

use super::remains::Remains;
use crate::error::{corrupt, invalid, Result};
use crate::params::MAX_M;
use crate::persist::format::Header;
use crate::store::layout::{Layout, LIST_HEADER};

/// Records looked at to see whether a layout fits: as many from the start on, as many from all over the file.
const SAMPLES: usize = 32;
/// A layout that fits in this many places and fails in none needs no rival.
const CERTAIN: i32 = 24;
/// A layout that fails so often before it fits once is given up.
const HOPELESS: i32 = 16;

/// Takes the layout of a header that is whole, unless the records contradict it and speak for another one; else
/// the M that fits the records best, those that a part of the header names first. `m`: what the caller knows, or 0.
pub(super) fn find(
    remains: &Remains,
    bytes: &[u8],
    header: Option<Header>,
    vector_bytes: usize,
    m: usize,
) -> Result<Layout> {
    let packed = |m: usize| Layout::packed(vector_bytes, m);
    if m != 0 {
        if !(2..=MAX_M).contains(&m) {
            return Err(invalid(format!("m is {m}, not in 2..={MAX_M}")));
        }
        let layout = header.map(|header| header.layout).filter(|layout| layout.max_m == m);
        return Ok(layout.unwrap_or(packed(m)));
    }
    if let Some(header) = header {
        if header.count == 0 || fit(remains, &header.layout) >= 0 {
            return Ok(finest(remains, header.layout));
        }
    }
    let mut best: Option<(i32, Layout)> = None;
    for layout in named(bytes, vector_bytes).into_iter().chain(2..=MAX_M).map(packed) {
        let fitting = fit(remains, &layout);
        if fitting > best.map_or(0, |(fitting, _)| fitting) {
            best = Some((fitting, layout));
        }
        if fitting >= CERTAIN {
            break;
        }
    }
    match (best, header) {
        (Some((_, layout)), _) => Ok(finest(remains, layout)),
        (None, Some(header)) => Ok(header.layout),
        (None, None) => Err(corrupt("neither header nor records tell how large a record is: give m")),
    }
}

/// Where a layout fits, one whose records are as long as several of its own can fit, too: the finest one is meant.
fn finest(remains: &Remains, layout: Layout) -> Layout {
    let finer = (2..layout.max_m).map(|m| Layout::packed(layout.vector_bytes, m));
    let mut fitting = finer.filter(|finer| layout.stride.is_multiple_of(finer.stride) && fit(remains, finer) > 0);
    fitting.next().unwrap_or(layout)
}

/// What the fields of a header say of M, each by itself.
fn named(bytes: &[u8], vector_bytes: usize) -> Vec<usize> {
    let field = |at: usize| {
        let bytes = bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        u64::from_le_bytes(bytes.unwrap_or_default()) as usize
    };
    let of_links = |end: usize| end.checked_sub(LIST_HEADER).filter(|n| n.is_multiple_of(8)).map_or(0, |n| n / 8);
    let said = [
        field(56),
        field(72),
        field(64) / 2,
        of_links(field(40)),
        of_links(field(32).wrapping_sub(vector_bytes)),
        of_links(field(24).wrapping_sub(vector_bytes + 8)),
    ];
    said.into_iter().filter(|m| (2..=MAX_M).contains(m)).collect()
}

/// How many of the sampled records look like records, less those that do not; what was never written does not count.
fn fit(remains: &Remains, layout: &Layout) -> i32 {
    let count = remains.available() / layout.stride;
    let samples = SAMPLES.min(count);
    let (mut fitting, mut missing) = (0, 0);
    for id in (0..samples).flat_map(|sample| [sample, sample * (count / samples)]) {
        if fitting == 0 && missing == HOPELESS {
            break;
        }
        let at = remains.start + id * layout.stride;
        // Most layouts that do not fit show it here.
        let Ok(head) = remains.records.read(at, LIST_HEADER) else { continue };
        if head.iter().all(|byte| *byte == 0) {
            continue;
        }
        let links = usize::from(u16::from_le_bytes([head[0], head[1]]));
        let fits = links <= layout.max_m0 && head[2] <= 1 && head[3] == 0;
        let record = if fits { remains.records.read(at, layout.label + 8).ok() } else { None };
        match record.is_some_and(|record| looks_like_a_record(&record, layout, id, count, false)) {
            true => fitting += 1,
            false => missing += 1,
        }
    }
    if missing == 0 {
        fitting
    } else {
        (fitting - missing).min(CERTAIN - 1)
    }
}

/// Whether bytes are what a record looks like where there is room for `count` of them: links to others, which may be
/// missing now, and a vector of ordinary numbers; of zeros only if `zeros`.
pub(super) fn looks_like_a_record(record: &[u8], layout: &Layout, id: usize, count: usize, zeros: bool) -> bool {
    let links = usize::from(u16::from_le_bytes([record[0], record[1]]));
    if links == 0 || links > layout.max_m0 || record[2] > 1 || record[3] != 0 {
        return false;
    }
    let mut words = record[LIST_HEADER..].chunks_exact(4).map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]]));
    let links_fit = words.by_ref().take(links).all(|link| (link as usize) < 16 * count + 4096 && link as usize != id);
    let vector = &record[layout.vector..layout.label];
    let mut floats = vector.chunks_exact(4).map(|w| f32::from_le_bytes([w[0], w[1], w[2], w[3]]));
    links_fit && floats.all(|x| x == 0.0 || x.is_normal()) && (zeros || vector.iter().any(|byte| *byte != 0))
}
