//! The four files of a directory in memory, opened as a graph without labels, changed and written back.
#![no_main]

use std::ffi::c_void;
use std::mem::zeroed;
use std::ptr::null_mut;

use hnx::ffi::*;
use hnx_fuzz::image::Image;
use hnx_fuzz::index::{check, floats, DIM};
use hnx_fuzz::mutate::mutator;
use hnx_fuzz::random::Random;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

unsafe extern "C" fn emit(_context: *mut c_void, hits: *const hnx_hit, count: usize) -> i32 {
    // SAFETY: the library gives as many hits.
    let hits = unsafe { std::slice::from_raw_parts(hits, if hits.is_null() { 0 } else { count }) };
    assert!(hits.len() <= 9);
    0
}

fn buffers(image: &mut Image) -> hnx_graph_buffers {
    hnx_graph_buffers {
        struct_size: size_of::<hnx_graph_buffers>(),
        header: image.header.as_mut_ptr().cast(),
        header_size: image.header.len(),
        records: image.records.as_mut_ptr().cast(),
        records_size: image.records.len(),
        lengths: image.lengths.as_mut_ptr().cast(),
        lengths_size: image.lengths.len(),
        lists: image.lists.as_mut_ptr().cast(),
        lists_size: image.lists.len(),
    }
}

fuzz_target!(|data: &[u8]| {
    let mut image = Image::from_sections(data);
    let mut random = Random::new(data.len() as u64);
    // SAFETY: pointers are valid for their sizes; all zeros are a value of these structs.
    unsafe {
        let mut options: hnx_graph_options = zeroed();
        options.struct_size = size_of::<hnx_graph_options>();
        (options.dim, options.data_size, options.flags) = (DIM, 4 * DIM, HNX_GRAPH_LENGTHS);
        let mut header: hnx_graph_header = zeroed();
        header.struct_size = size_of::<hnx_graph_header>();
        let mut graph = null_mut();
        let status = check(hnx_graph_load_buffers(&buffers(&mut image), &options, &mut graph, &mut header));
        if status != hnx_status::HNX_OK {
            return;
        }
        let mut point: hnx_graph_point = zeroed();
        point.struct_size = size_of::<hnx_graph_point>();
        let vector = floats(&mut random);
        (point.data, point.ef, point.max_elements) = (vector.as_ptr().cast(), 20, usize::MAX);
        (point.level, point.flags) = (random.below(3) as i32, HNX_GRAPH_DELETIONS);
        let mut query: hnx_graph_query = zeroed();
        query.struct_size = size_of::<hnx_graph_query>();
        (query.query, query.k, query.ef, query.start) = (vector.as_ptr().cast(), 9, 20, HNX_GRAPH_TOP);
        query.flags = HNX_GRAPH_DELETIONS;
        query.emit = Some(emit);
        check(hnx_graph_search(graph, &mut query));
        let mut id = 0;
        check(hnx_graph_insert(graph, &point, &mut id));
        check(hnx_graph_update(graph, random.below(4) as u32, &point, null_mut()));
        check(hnx_graph_search(graph, &mut query));
        // Room for one record more than there were, with as many levels as were asked for.
        image.records.resize(image.records.len() + 4096, 0);
        image.lengths.resize(image.lengths.len() + 64, 0);
        image.lists.resize(image.lists.len() + 4096, 0);
        check(hnx_graph_save_buffers(graph, &header, &buffers(&mut image)));
        hnx_graph_free(graph);
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutator(data, size, max_size, seed, Image::from_sections, Image::to_sections)
});
