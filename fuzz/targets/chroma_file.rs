//! A file of Chroma's, with lengths, opened in every way and read.
#![no_main]

use hnx_fuzz::files::MemoryFile;
use hnx_fuzz::image::Image;
use hnx_fuzz::index::{open, Way};
use hnx_fuzz::mutate::mutator;
use hnx_fuzz::random::Random;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| {
    let file = MemoryFile::new(data);
    let mut random = Random::new(data.len() as u64);
    for number in [0, 5, 8] {
        if let Some(index) = open(&file.path(), Way::number(number, 2)) {
            index.read(&mut random);
        }
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutator(data, size, max_size, seed, |bytes| Image::from_file(bytes, true), Image::to_file)
});
