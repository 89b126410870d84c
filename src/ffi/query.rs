//! Searching and reading back.

use super::args;
use super::callbacks::filter_of;
use super::guard::guard;
use super::handle::{self, hnx_index};
use super::status::hnx_status;
use super::types::{hnx_query_options, HNX_LABELS_ALL, HNX_LABELS_DELETED, HNX_LABELS_LIVE};
use crate::error::invalid;
use crate::params::Exactness;
use crate::search::filter::Filter;

/// Finds the k nearest live vectors of each query.
///
/// queries: query_count * dim floats, each finite.
/// out_labels: query_count * k labels, nearest first, equal distances by label (which of several that tie at the end
/// of a row are returned is not determined); the unused tail of a row is
/// UINT64_MAX. out_distances: NULL, or as many distances (squared L2; 1 - dot for inner product and cosine), the
/// tail +INFINITY. out_counts: NULL, or query_count counts. Fewer than k is not an error. Outputs are untouched on
/// failure, but for HNX_ERR_OUT_OF_MEMORY, which may leave some rows written. options: NULL for defaults.
/// Errors: HNX_ERR_INVALID_ARGUMENT (NULL, k 0, a value that is not finite; the text names the query),
/// HNX_ERR_CANCELLED (the filter ended the call; some rows may be written), HNX_ERR_OUT_OF_MEMORY.
/// Threads: any thread, any time. A query takes no lock, but for the first certified one where codes have to be made
/// (HNX_EXACTNESS_CERTIFIED), and, to look listed labels up, the label map's (HNX_FILTER_ONLY). The first query of a
/// thread on an index allocates.
///
/// # Safety
/// index is NULL or a live handle; the arrays have the sizes above and do not overlap; options is NULL or readable
/// for options->struct_size bytes.
#[no_mangle]
pub unsafe extern "C" fn hnx_query(
    index: *const hnx_index,
    queries: *const f32,
    query_count: usize,
    k: usize,
    options: *const hnx_query_options,
    out_labels: *mut u64,
    out_distances: *mut f32,
    out_counts: *mut usize,
) -> hnx_status {
    guard(index, || {
        // SAFETY: the caller's promise about handle, arrays and options.
        let (core, queries, options, out_labels, out_distances, out_counts) = unsafe {
            let core = handle::get(index)?;
            let cells = args::product(query_count, k, "query_count * k")?;
            (
                core,
                args::slice(queries, args::product(query_count, core.dim(), "query_count * dim")?, "queries")?,
                args::options(options, "options")?,
                args::slice_mut(out_labels, cells, "out_labels")?,
                args::optional_slice_mut(out_distances, cells)?,
                args::optional_slice_mut(out_counts, query_count)?,
            )
        };
        if k == 0 {
            return Err(invalid("k is 0"));
        }
        let exactness = Exactness::from_number(options.exactness)?;
        // SAFETY: the caller's promise about the filter, for this call.
        let filter = unsafe { filter_of(options.filter.cast())? };
        let accepts = |label| filter.as_ref()?.accepts(label);
        let filter = filter.as_ref().map(|filter| Filter { accept: &accepts, only: filter.only() });
        let (ef, threads) = (options.ef, options.threads as usize);
        core.query(queries, k, ef, threads, exactness, filter, out_labels, out_distances, out_counts)
    })
}

/// Reads vectors back: out_vectors receives count * dim floats, as they were given to hnx_add(). With the cosine
/// metric they are the stored unit vector times the stored length, each float within 2 units in the last place of
/// the original; from an hnswlib file, which stores no lengths, the unit vectors come back.
/// Errors: HNX_ERR_NOT_FOUND for a label that is absent or deleted (the text names it; out_vectors is then partly
/// written), HNX_ERR_INVALID_ARGUMENT. Threads: any thread, any time.
///
/// # Safety
/// index is NULL or a live handle; labels and out_vectors have the sizes above.
#[no_mangle]
pub unsafe extern "C" fn hnx_get(
    index: *const hnx_index,
    labels: *const u64,
    count: usize,
    out_vectors: *mut f32,
) -> hnx_status {
    guard(index, || {
        // SAFETY: the caller's promise about handle and arrays.
        let (core, labels, out) = unsafe {
            let core = handle::get(index)?;
            let floats = args::product(count, core.dim(), "count * dim")?;
            (core, args::slice(labels, count, "labels")?, args::slice_mut(out_vectors, floats, "out_vectors")?)
        };
        core.get(labels, out)
    })
}

/// Lists labels: HNX_LABELS_LIVE, _DELETED or _ALL, in the order in which their records were first used. Writes the
/// first capacity of them to out_labels, and to out_count how many there are: more than capacity when out_labels was
/// too short (hnx_count() labels suffice while nobody adds). Labels that come or go meanwhile may be listed or not.
/// Errors: HNX_ERR_INVALID_ARGUMENT, HNX_ERR_OUT_OF_MEMORY. Threads: any thread, any time. Cost: reads every record.
///
/// # Safety
/// index is NULL or a live handle; out_labels is writable for capacity labels, NULL when capacity is 0; out_count is
/// NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn hnx_labels(
    index: *const hnx_index,
    which: u32,
    out_labels: *mut u64,
    capacity: usize,
    out_count: *mut usize,
) -> hnx_status {
    guard(index, || {
        // SAFETY: the caller's promise about handle, array and count.
        let (core, out_labels, out_count) = unsafe {
            let out_labels = args::slice_mut(out_labels, capacity, "out_labels")?;
            (handle::get(index)?, out_labels, args::Out::new(out_count, "out_count")?)
        };
        let wanted = match which {
            HNX_LABELS_LIVE => |deleted: bool| !deleted,
            HNX_LABELS_DELETED => |deleted| deleted,
            HNX_LABELS_ALL => |_| true,
            _ => return Err(invalid(format!("which is {which}: HNX_LABELS_LIVE, _DELETED or _ALL"))),
        };
        out_count.set(core.list_labels(wanted, out_labels)?);
        Ok(())
    })
}
