//! A directory of Chroma's, opened in every way and read.
#![no_main]

use hnx_fuzz::files::Folder;
use hnx_fuzz::image::Image;
use hnx_fuzz::index::{open, Way};
use hnx_fuzz::mutate::mutator;
use hnx_fuzz::random::Random;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

thread_local! {
    static FOLDER: Folder = Folder::new("directory");
}

fuzz_target!(|data: &[u8]| {
    let image = Image::from_sections(data);
    let mut random = Random::new(data.len() as u64);
    FOLDER.with(|folder| {
        folder.write(&image);
        for number in [2, 5, 10] {
            if let Some(index) = open(&folder.c_path(), Way::number(number, 2)) {
                index.read(&mut random);
            }
        }
    });
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutator(data, size, max_size, seed, Image::from_sections, Image::to_sections)
});
