//! An index of a directory or of a file, opened and then used: the rest of the input says how.
#![no_main]

use std::fs;

use hnx::ffi::*;
use hnx_fuzz::files::{c_path, Folder};
use hnx_fuzz::image::Image;
use hnx_fuzz::index::{floats, open, Index, Way};
use hnx_fuzz::mutate::mutator;
use hnx_fuzz::random::Random;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

/// Operations on one input.
const MOST: usize = 40;

fn step(index: &Index, operation: u8, folder: &Folder, random: &mut Random) {
    let label = random.below(12) as u64;
    let row = floats(random);
    match operation % 12 {
        0 | 1 => index.read(random),
        2 | 3 => drop(index.add(&row, label, 0)),
        4 => drop(index.add(&row, random.next(), HNX_ADD_REPLACE_DELETED)),
        5 => drop(index.add(&row, label, HNX_ADD_UPDATE_ONLY)),
        6 | 7 => index.delete(label),
        8 => index.undelete(label),
        9 => index.resize(random.below(100)),
        10 => drop(index.persist()),
        _ => {
            let path = folder.inside("saved");
            let format = random.below(3) as u32;
            let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
            if index.save(&c_path(&path), format) == hnx_status::HNX_OK {
                let count = index.count();
                let again = open(&c_path(&path), Way { metric: 0, flags: 0, check: HNX_CHECK_FAST });
                assert_eq!(again.expect("what was saved can be opened").count(), count);
            }
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let image = Image::from_sections(data);
    let Some((&number, operations)) = image.rest.split_first() else { return };
    let mut random = Random::new(data.len() as u64);
    let folder = Folder::new("use");
    let path = folder.inside("index");
    if number & 0x80 != 0 {
        let (_, header) = image.header.split_at(image.header.len().min(4));
        fs::write(&path, [header, &image.records, &image.lengths, &image.lists].concat()).expect("a file");
    } else {
        fs::create_dir(&path).expect("a directory");
        let files = [
            ("header.bin", &image.header),
            ("data_level0.bin", &image.records),
            ("length.bin", &image.lengths),
            ("link_lists.bin", &image.lists),
        ];
        files.iter().for_each(|(name, bytes)| fs::write(path.join(name), bytes).expect("a file"));
    }
    let metric = u32::from(number >> 4) % 3;
    let way = Way::number(usize::from(number & 15), metric);
    let Some(index) = open(&c_path(&path), way) else { return };
    for &operation in operations.iter().take(MOST) {
        step(&index, operation, &folder, &mut random);
    }
    index.read(&mut random);
    let persisted = index.persist() == hnx_status::HNX_OK;
    let count = index.count();
    drop(index);
    if persisted {
        let again = open(&c_path(&path), Way { flags: 0, check: HNX_CHECK_FAST, ..way });
        let again = again.expect("what was persisted can be opened");
        assert_eq!(again.count(), count);
        again.read(&mut random);
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutator(data, size, max_size, seed, Image::from_sections, Image::to_sections)
});
