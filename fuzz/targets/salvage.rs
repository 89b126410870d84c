//! What is left of a directory or a file, salvaged: whatever the bytes are, an error or an index that works.
#![no_main]

use std::fs;
use std::mem::zeroed;
use std::ptr::null_mut;

use hnx::ffi::*;
use hnx_fuzz::files::{c_path, Folder};
use hnx_fuzz::image::Image;
use hnx_fuzz::index::{check, Index, DIM};
use hnx_fuzz::mutate::mutator;
use hnx_fuzz::random::Random;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

thread_local! {
    static FOLDER: Folder = Folder::new("salvage");
}

fn salvage(folder: &Folder, name: &str, number: u8, random: &mut Random) {
    let mut index = null_mut();
    // SAFETY: pointers are valid during the call; all zeros are a value.
    let info = unsafe {
        let mut options: hnx_salvage_options = zeroed();
        options.struct_size = size_of::<hnx_salvage_options>();
        (options.metric, options.dim, options.threads) = (u32::from(number >> 4) % 3, DIM, 1);
        options.flags = u32::from(number & 1) * HNX_SALVAGE_BEYOND_COUNT;
        options.m = if number & 2 != 0 { 2 } else { 0 };
        let mut info: hnx_salvage_info = zeroed();
        info.struct_size = size_of::<hnx_salvage_info>();
        let path = c_path(&folder.inside(name));
        if check(hnx_salvage(path.as_ptr(), &options, &mut index, &mut info)) != hnx_status::HNX_OK {
            return;
        }
        info
    };
    // SAFETY: live, and ours.
    let index = unsafe { Index::from_raw(index) };
    let dropped =
        info.missing + info.unwritten + info.unreadable + info.not_finite + info.implausible + info.duplicates;
    assert_eq!(info.records, info.kept + dropped);
    assert_eq!(info.kept, index.count() as u64);
    index.read(random);
    index.add(&[1.0, 2.0, 3.0], 7, 0);
    index.read(random);
}

fuzz_target!(|data: &[u8]| {
    let image = Image::from_sections(data);
    let number = image.rest.first().copied().unwrap_or(0);
    let mut random = Random::new(data.len() as u64);
    FOLDER.with(|folder| {
        folder.write(&image);
        if number & 4 != 0 {
            let _ = fs::remove_file(folder.inside("header.bin"));
        }
        salvage(folder, "", number, &mut random);
        let (_, header) = image.header.split_at(image.header.len().min(4));
        let file = [header, &image.records, if number & 8 != 0 { &image.lengths } else { &[] }, &image.lists].concat();
        fs::write(folder.inside("file"), file).expect("a file");
        salvage(folder, "file", number, &mut random);
    });
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutator(data, size, max_size, seed, Image::from_sections, Image::to_sections)
});
