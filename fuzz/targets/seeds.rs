//! Writes valid indexes as first inputs: `cargo run --bin seeds -- corpus`.

use std::fs;
use std::mem::zeroed;
use std::path::Path;
use std::ptr::null_mut;

use hnx::ffi::*;
use hnx_fuzz::files::{c_path, Folder};
use hnx_fuzz::image::Image;
use hnx_fuzz::index::{floats, Index, DIM};
use hnx_fuzz::random::Random;

fn index(metric: u32, m: usize, rows: usize, deleted: usize, random: &mut Random) -> Index {
    let mut index = null_mut();
    // SAFETY: valid during the call; all zeros are a value.
    let index = unsafe {
        let mut options: hnx_options = zeroed();
        options.struct_size = size_of::<hnx_options>();
        (options.metric, options.dim, options.m, options.ef_construction) = (metric, DIM, m, 10);
        assert_eq!(hnx_init(&options, &mut index), hnx_status::HNX_OK);
        Index::from_raw(index)
    };
    for row in 0..rows {
        index.add(&floats(random), row as u64, 0);
    }
    (0..deleted).for_each(|row| index.delete(row as u64));
    index
}

fn main() {
    let corpus = std::env::args().nth(1).expect("a folder for the inputs");
    let corpus = Path::new(&corpus);
    let folder = Folder::new("seeds");
    let mut random = Random::new(7);
    for (number, (m, rows, deleted)) in
        [(2, 0, 0), (2, 1, 0), (2, 2, 1), (2, 7, 0), (2, 14, 3), (3, 20, 20), (5, 9, 1)].into_iter().enumerate()
    {
        let put = |target: &str, bytes: Vec<u8>| {
            fs::create_dir_all(corpus.join(target)).expect("a folder");
            fs::write(corpus.join(target).join(format!("seed-{number}")), bytes).expect("a seed");
        };
        let index = index(2, m, rows, deleted, &mut random);
        let path = |name: &str| folder.inside(&format!("{number}-{name}"));
        let formats =
            [("file", HNX_FORMAT_HNSWLIB), ("chroma", HNX_FORMAT_CHROMA), ("dir", HNX_FORMAT_CHROMA_DIRECTORY)];
        for (name, format) in formats {
            assert_eq!(index.save(&c_path(&path(name)), format), hnx_status::HNX_OK);
        }
        let read = |name: &str| fs::read(path(name)).expect("what was saved");
        let part = |name: &str| fs::read(path("dir").join(name)).expect("what was saved");
        put("hnswlib_file", read("file"));
        put("chroma_file", read("chroma"));
        let mut image = Image {
            header: part("header.bin"),
            records: part("data_level0.bin"),
            lengths: part("length.bin"),
            lists: part("link_lists.bin"),
            rest: Vec::new(),
        };
        put("directory", image.to_sections());
        put("buffers", image.to_sections());
        image.rest = vec![number as u8 * 37];
        put("salvage", image.to_sections());
        image.rest = [number as u8 * 17, 2, 6, 7, 0, 4, 10, 8, 5, 3, 11, 0, 9, 2, 2, 10, 6].to_vec();
        put("use_loaded", image.to_sections());
    }
}
