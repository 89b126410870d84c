//! Graphs and files.

use std::ffi::{c_char, c_void};

use super::args::{self, Out};
use super::graph::{cells_of, shape_of, Graph};
use super::graph_types::{hnx_graph_buffers, hnx_graph_header, hnx_graph_options};
use super::guard::guard;
use super::handle::{self, hnx_graph};
use super::status::hnx_status;
use crate::error::Result;
use crate::index::bare::Bare;
use crate::index::core::Stated;
use crate::persist::{self, Buffers, BuffersMut, Format, Opened};

/// What the host states.
///
/// # Safety
/// `header` is NULL or readable for its struct_size.
unsafe fn stated(header: *const hnx_graph_header) -> Result<Stated> {
    // SAFETY: the caller's promise.
    let header = unsafe { args::required_options(header, "header")? };
    let (max_elements, ef_construction, mult) = (header.max_elements, header.ef_construction, header.mult);
    Ok(Stated { max_elements, ef_construction, mult })
}

fn header_of(opened: &Opened<()>) -> hnx_graph_header {
    let header = &opened.header;
    hnx_graph_header {
        struct_size: 0,
        max_elements: header.max_elements,
        m: header.layout.max_m,
        ef_construction: header.ef_construction,
        mult: header.mult,
        format: opened.format.number(),
        reserved: 0,
    }
}

/// Writes the whole graph to path, in HNX_FORMAT_HNSWLIB or HNX_FORMAT_CHROMA (files), beside its place, synced and
/// renamed; or in HNX_FORMAT_CHROMA_DIRECTORY. header: what the file is to state beside the records.
/// Errors: as hnx_save(). Threads: any thread, any time; changes wait while it writes.
///
/// # Safety
/// graph is NULL or a live handle; path is NULL or ends in NUL; header is NULL or readable for its struct_size.
#[no_mangle]
pub unsafe extern "C" fn hnx_graph_save(
    graph: *const hnx_graph,
    path: *const c_char,
    format: u32,
    header: *const hnx_graph_header,
) -> hnx_status {
    guard(graph, || {
        // SAFETY: the caller's promise about the pointers.
        let (graph, path, stated) = unsafe { (handle::get(graph)?, args::path(path)?, stated(header)?) };
        persist::save_core(graph.bare.core(), &stated, path, Format::from_number(format)?)
    })
}

/// Opens a graph from a file or a directory; one that comes from a directory persists there. options->max_elements is
/// raised to the number of records. out_header: NULL, or what the file states; struct_size must be set.
/// Errors: as hnx_load(). Threads: any thread, any time.
///
/// # Safety
/// path is NULL or ends in NUL; options and out_header are NULL or hold struct_size bytes; out_graph is NULL or
/// writable; options->count and options->entry stay as long as the graph.
#[no_mangle]
pub unsafe extern "C" fn hnx_graph_load(
    path: *const c_char,
    options: *const hnx_graph_options,
    out_graph: *mut *mut hnx_graph,
    out_header: *mut hnx_graph_header,
) -> hnx_status {
    guard(std::ptr::null::<hnx_graph>(), || {
        // SAFETY: the caller's promise about the pointers.
        let (path, options, out, out_header) = unsafe {
            (
                args::path(path)?,
                args::required_options(options, "options")?,
                Out::new(out_graph, "out_graph")?,
                args::out_struct(out_header, "out_header")?,
            )
        };
        // SAFETY: the caller's promise about the cells.
        let (bare, opened) = unsafe { Bare::load(path, shape_of(&options)?, cells_of(&options)?) }
            .map_err(|error| error.of_file(path))?;
        if let Some(out_header) = out_header {
            out_header.write(header_of(&opened));
        }
        out.set(handle::into_raw(Graph { bare, measure: options.measure }));
        Ok(())
    })
}

/// Makes path the directory of the graph, with what it holds now, in place of an index that may be there: after a crash
/// one of the two is. Errors: HNX_ERR_IO, HNX_ERR_LOCKED. Threads: any thread, any time; changes wait while it writes.
///
/// # Safety
/// As for hnx_graph_save().
#[no_mangle]
pub unsafe extern "C" fn hnx_graph_create_directory(
    graph: *mut hnx_graph,
    path: *const c_char,
    header: *const hnx_graph_header,
) -> hnx_status {
    guard(graph, || {
        // SAFETY: the caller's promise about the pointers.
        let (graph, path, stated) = unsafe { (handle::get(graph)?, args::path(path)?, stated(header)?) };
        persist::create_core_directory(graph.bare.core(), &stated, path, true)
    })
}

/// Writes what changed since the last call to the directory of the graph: as safe as hnx_persist_dirty(), with the same
/// errors. A graph whose directory another handle held when it was opened takes hold of it with its first persist.
/// Threads: any thread, any time; changes wait while it copies.
///
/// # Safety
/// graph is NULL or a live handle; header is NULL or readable for its struct_size.
#[no_mangle]
pub unsafe extern "C" fn hnx_graph_persist_dirty(graph: *mut hnx_graph, header: *const hnx_graph_header) -> hnx_status {
    guard(graph, || {
        // SAFETY: the caller's promise about the pointers.
        let (graph, stated) = unsafe { (handle::get(graph)?, stated(header)?) };
        persist::persist_core(graph.bare.core(), &stated).map(|_| ())
    })
}

/// Records that the next hnx_graph_persist_dirty() writes; 0 for NULL. Threads: any thread, any time.
///
/// # Safety
/// graph is NULL or a live handle.
#[no_mangle]
pub unsafe extern "C" fn hnx_graph_dirty_count(graph: *const hnx_graph) -> usize {
    let mut count = 0;
    let _ = guard(graph, || {
        // SAFETY: the caller's promise.
        count = unsafe { handle::peek(graph) }.map_or(0, |graph| graph.bare.core().store().dirty().count());
        Ok(())
    });
    count
}

/// Has the next hnx_graph_persist_dirty() write a record. Errors: HNX_ERR_NOT_FOUND. Threads: any thread, any time.
///
/// # Safety
/// graph is NULL or a live handle.
#[no_mangle]
pub unsafe extern "C" fn hnx_graph_mark_dirty(graph: *mut hnx_graph, id: u32) -> hnx_status {
    guard(graph, || {
        // SAFETY: the caller's promise.
        let bare = &unsafe { handle::get(graph) }?.bare;
        bare.core().store().dirty().mark_whole(bare.slot(id)?);
        Ok(())
    })
}

/// # Safety
/// `at` is NULL or readable for `size` bytes.
unsafe fn bytes<'a>(at: *const c_char, size: usize, name: &str) -> Result<&'a [u8]> {
    // SAFETY: the caller's promise.
    unsafe { args::slice(at.cast::<u8>(), size, name) }
}

/// # Safety
/// `at` is NULL or writable for `size` bytes, which nobody else uses.
unsafe fn bytes_mut<'a>(at: *mut c_char, size: usize, name: &str) -> Result<&'a mut [u8]> {
    let at: *mut c_void = at.cast();
    // SAFETY: the caller's promise.
    unsafe { args::slice_mut(at.cast::<u8>(), size, name) }
}

/// Writes the whole graph to memory, as the four files of a directory. Each buffer must be long enough; what is longer
/// is filled up with zeros. Errors: HNX_ERR_INVALID_ARGUMENT names a buffer that is too short; nothing is written then.
/// Threads: any thread, any time; changes wait while it writes.
///
/// # Safety
/// graph is NULL or a live handle; header and buffers are NULL or readable for their struct_size; the buffers are
/// writable for their sizes and do not overlap.
#[no_mangle]
pub unsafe extern "C" fn hnx_graph_save_buffers(
    graph: *const hnx_graph,
    header: *const hnx_graph_header,
    buffers: *const hnx_graph_buffers,
) -> hnx_status {
    guard(graph, || {
        // SAFETY: the caller's promise about the pointers.
        let (graph, stated, b) =
            unsafe { (handle::get(graph)?, stated(header)?, args::required_options(buffers, "buffers")?) };
        // SAFETY: the caller's promise about the buffers.
        let buffers = unsafe {
            BuffersMut {
                header: bytes_mut(b.header, b.header_size, "buffers->header")?,
                records: bytes_mut(b.records, b.records_size, "buffers->records")?,
                lengths: bytes_mut(b.lengths, b.lengths_size, "buffers->lengths")?,
                lists: bytes_mut(b.lists, b.lists_size, "buffers->lists")?,
            }
        };
        persist::save_buffers(graph.bare.core(), &stated, buffers)
    })
}

/// Opens a graph from memory that holds the four files of a directory; else as hnx_graph_load(). The memory is not used
/// afterwards.
///
/// # Safety
/// buffers is NULL or readable for its struct_size, each buffer for its size; else as for hnx_graph_load().
#[no_mangle]
pub unsafe extern "C" fn hnx_graph_load_buffers(
    buffers: *const hnx_graph_buffers,
    options: *const hnx_graph_options,
    out_graph: *mut *mut hnx_graph,
    out_header: *mut hnx_graph_header,
) -> hnx_status {
    guard(std::ptr::null::<hnx_graph>(), || {
        // SAFETY: the caller's promise about the pointers.
        let (b, options, out, out_header) = unsafe {
            (
                args::required_options(buffers, "buffers")?,
                args::required_options(options, "options")?,
                Out::new(out_graph, "out_graph")?,
                args::out_struct(out_header, "out_header")?,
            )
        };
        // SAFETY: the caller's promise about the buffers.
        let buffers = unsafe {
            Buffers {
                header: bytes(b.header, b.header_size, "buffers->header")?,
                records: bytes(b.records, b.records_size, "buffers->records")?,
                lengths: bytes(b.lengths, b.lengths_size, "buffers->lengths")?,
                lists: bytes(b.lists, b.lists_size, "buffers->lists")?,
            }
        };
        // SAFETY: the caller's promise about the cells.
        let (bare, opened) = unsafe { Bare::from_buffers(&buffers, shape_of(&options)?, cells_of(&options)?)? };
        if let Some(out_header) = out_header {
            out_header.write(header_of(&opened));
        }
        out.set(handle::into_raw(Graph { bare, measure: options.measure }));
        Ok(())
    })
}
