//! Damage of each file is found, told apart and named.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::{index_of, open, Folder};
use crate::error::Error;
use crate::index::Index;
use crate::params::Metric;
use crate::persist::storage::{Access, OsStorage, Storage};
use crate::persist::sums::{self, SumsHead, SUMS_SIZE, SUMS_START};
use crate::persist::{create_directory, load, persist_dirty, save, verify, Check, Format, LoadParams, Verified};
use crate::platform::FileExt;

const ROWS: u64 = 20;
const DATA: [&str; 3] = ["data_level0.bin", "length.bin", "link_lists.bin"];

/// A directory that was made, grown and changed.
fn directory(folder: &Folder) -> std::path::PathBuf {
    let path = folder.0.join("directory");
    let index = index_of(ROWS - 3);
    create_directory(&index, &path).unwrap();
    let vectors: Vec<f32> = (0..9).map(|i| i as f32 + 0.5).collect();
    index.add(&vectors, &[100, 101, 102], Default::default(), 1, false, &mut |_, _| {}).unwrap();
    index.mark_deleted(3).unwrap();
    persist_dirty(&index).unwrap();
    path
}

fn open_as(path: &Path, check: Check) -> Result<Index, Error> {
    open_for(path, check, true)
}

fn open_to_write(path: &Path) -> Index {
    open_for(path, Check::Default, false).unwrap()
}

fn open_for(path: &Path, check: Check, read_only: bool) -> Result<Index, Error> {
    let params = LoadParams {
        metric: Metric::L2,
        dim: 3,
        max_elements: 0,
        allow_replace_deleted: false,
        mmap: false,
        read_only,
        check,
    };
    load(path, &params)
}

/// What is found in a directory: damaged places, and file and offset of the first.
fn found(path: &Path) -> (u64, String, u64) {
    let found = verify(path).unwrap();
    let first = found
        .first
        .map_or((String::new(), 0), |damage| (damage.file_name().to_str().unwrap().to_owned(), damage.offset));
    (found.damaged, first.0, first.1)
}

fn sums_are_damaged(path: &Path, what: &str) {
    let (damaged, file, _) = found(path);
    assert!(damaged > 0 && file == "hnx.sums", "{what}: {damaged} {file}");
    let Err(Error::Corrupt(text)) = open_as(path, Check::Deep) else { panic!("{what}: a deep check passes") };
    assert!(text.starts_with("hnx.sums"), "{what}: {text}");
}

fn is_clean(path: &Path) {
    let Verified { records, checked, damaged, .. } = verify(path).unwrap();
    assert_eq!((records, checked, damaged), (ROWS, ROWS, 0));
    open(path).unwrap();
}

/// Sets a file's time to header.bin's, as libhnx leaves it.
fn with_time_of_header(path: &Path, name: &str) {
    let time = fs::metadata(path.join("header.bin")).unwrap().modified().unwrap();
    fs::File::options().write(true).open(path.join(name)).unwrap().set_modified(time).unwrap();
}

/// Sets the times of all files to what no seal says, as a copy has them.
fn with_new_times(path: &Path) {
    let time = SystemTime::now() + Duration::from_secs(100);
    for name in DATA.iter().chain(&["header.bin", "hnx.sums"]) {
        fs::File::options().write(true).open(path.join(name)).unwrap().set_modified(time).unwrap();
    }
}

/// The checksums' own damage is not blamed on what they are of: the index opens.
#[test]
fn a_flipped_bit_of_the_checksums_is_told_from_one_of_the_files() {
    let folder = Folder::new("flipped-sums");
    let path = directory(&folder);
    let sums = fs::read(path.join("hnx.sums")).unwrap();
    assert_eq!(sums.len(), SUMS_START + SUMS_SIZE * ROWS as usize);
    for bit in 0..8 * sums.len() {
        let mut flipped = sums.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(path.join("hnx.sums"), &flipped).unwrap();
        let (damaged, file, offset) = found(&path);
        assert_eq!((damaged, &*file), (1, "hnx.sums"), "bit {bit}");
        let start = if bit / 8 < SUMS_START { bit / 8 } else { bit / 8 - (bit / 8 - SUMS_START) % SUMS_SIZE };
        assert_eq!(offset, start as u64, "bit {bit}");
        if bit % 5 == 0 {
            sums_are_damaged(&path, "a bit");
            assert_eq!(open_as(&path, Check::Default).unwrap().count() as u64, ROWS);
        }
    }
    fs::write(path.join("hnx.sums"), &sums).unwrap();
    is_clean(&path);
}

/// More than a bit: what the files hold adds up to the total, so they are what they were. The next persist makes the
/// checksums anew, all of them.
#[test]
fn lost_checksums_are_made_anew() {
    let folder = Folder::new("lost-sums");
    let path = directory(&folder);
    let sums = fs::read(path.join("hnx.sums")).unwrap();
    let ranges = [SUMS_START..SUMS_START + 1, SUMS_START + 24..SUMS_START + 60, SUMS_START..sums.len()];
    for (range, byte) in ranges.into_iter().flat_map(|range| [(range.clone(), 0), (range, 0xA5)]) {
        let mut lost = sums.clone();
        lost[range.clone()].fill(byte);
        let at = SUMS_START + (range.start - SUMS_START) / SUMS_SIZE * SUMS_SIZE;
        fs::write(path.join("hnx.sums"), &lost).unwrap();
        let (_, file, offset) = found(&path);
        assert_eq!((&*file, offset), ("hnx.sums", at as u64), "{range:?}");
        sums_are_damaged(&path, "a range");
    }
    fs::write(path.join("hnx.sums"), &sums[..sums.len() - 100]).unwrap();
    sums_are_damaged(&path, "cut");
    with_new_times(&path);
    let index = open_to_write(&path);
    index.unmark_deleted(3).unwrap();
    persist_dirty(&index).unwrap();
    index.mark_deleted(3).unwrap();
    persist_dirty(&index).unwrap();
    drop(index);
    is_clean(&path);
}

/// A checksum that was damaged while the directory was closed is not carried on in the total, which would blame the
/// files.
#[test]
fn damaged_checksums_do_not_spread() {
    let folder = Folder::new("spread");
    let path = directory(&folder);
    let mut sums = fs::read(path.join("hnx.sums")).unwrap();
    sums[SUMS_START + 3 * SUMS_SIZE + 1] ^= 4;
    fs::write(path.join("hnx.sums"), sums).unwrap();
    with_time_of_header(&path, "hnx.sums");
    let index = open_to_write(&path);
    index.unmark_deleted(3).unwrap();
    persist_dirty(&index).unwrap();
    drop(index);
    is_clean(&path);
    with_new_times(&path);
    open_as(&path, Check::Default).unwrap();
}

/// Where checksums and files are damaged, no checksums are made that would fit the damage.
#[test]
fn damage_of_both_is_not_covered_up() {
    let folder = Folder::new("cover-up");
    let path = directory(&folder);
    let stride = fs::metadata(path.join("data_level0.bin")).unwrap().len() as usize / ROWS as usize;
    let in_vector = 8 * stride - 8 - 12;
    for (name, at) in [("hnx.sums", SUMS_START + 5 * SUMS_SIZE), ("data_level0.bin", in_vector)] {
        let file = path.join(name);
        let time = fs::metadata(&file).unwrap().modified().unwrap();
        let mut bytes = fs::read(&file).unwrap();
        bytes[at..at + 3].fill(0xA5);
        fs::write(&file, bytes).unwrap();
        fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
    }
    let before = found(&path);
    assert_eq!((before.0, &*before.1), (2, "data_level0.bin"));
    assert!(matches!(open_for(&path, Check::Default, false), Err(Error::Corrupt(_))));
    let index = open_for(&path, Check::Fast, false).unwrap();
    index.unmark_deleted(3).unwrap();
    persist_dirty(&index).unwrap();
    drop(index);
    assert_eq!(found(&path), before);
}

/// hnx.sums has holes where nothing is known of records.
#[test]
fn holes_in_checksums_are_passed_over() {
    let folder = Folder::new("sparse-sums");
    let path = folder.0.join("sums");
    let (at, last) = (3_000_000, 5_000_000);
    let entry = [7; SUMS_SIZE];
    let file = fs::File::create(&path).unwrap();
    file.set_len(sums::len(last)).unwrap();
    file.write_all_at(&entry, sums::offset(at)).unwrap();
    let of = |total| SumsHead { sequence: 1, header: [0; 100], total, seal: None, lens: None, flipped: None };
    let file = OsStorage.open(&path, Access::Read).unwrap().unwrap();
    let right = of(sums::weight(at, &entry));
    assert!(sums::add_up(file.as_ref(), &right, last).unwrap());
    assert!(sums::add_up(file.as_ref(), &right, at as usize + 1).unwrap());
    assert!(!sums::add_up(file.as_ref(), &right, at as usize).unwrap());
    assert!(sums::add_up(file.as_ref(), &of(0), at as usize).unwrap());
    assert!(!sums::add_up(file.as_ref(), &of(1), last).unwrap());
}

/// What a crash may leave: files with times that no seal tells. Their checksums are kept where they are true, and
/// nobody is accused where they are not.
#[test]
fn checksums_outlive_other_times() {
    let folder = Folder::new("other-times");
    let path = directory(&folder);
    let other_times = || {
        let time = SystemTime::now() + Duration::from_secs(50);
        for name in DATA.iter().chain(&["header.bin"]) {
            fs::File::options().write(true).open(path.join(name)).unwrap().set_modified(time).unwrap();
        }
    };
    for (at, check) in [Check::Default, Check::Deep, Check::Default].into_iter().enumerate() {
        other_times();
        let index = open_for(&path, check, false).unwrap();
        if at % 2 == 0 {
            index.unmark_deleted(3).unwrap();
        } else {
            index.mark_deleted(3).unwrap();
        }
        persist_dirty(&index).unwrap();
        drop(index);
        is_clean(&path);
        if at == 1 {
            // One of the checksums is damaged itself: they are made anew.
            let mut sums = fs::read(path.join("hnx.sums")).unwrap();
            sums[SUMS_START + 6 * SUMS_SIZE] ^= 1;
            fs::write(path.join("hnx.sums"), sums).unwrap();
            with_time_of_header(&path, "hnx.sums");
        }
    }
    let mut records = fs::read(path.join("data_level0.bin")).unwrap();
    let stride = records.len() / ROWS as usize;
    records[8 * stride - 8 - 12] ^= 1;
    fs::write(path.join("data_level0.bin"), records).unwrap();
    other_times();
    let index = open_to_write(&path);
    index.mark_deleted(3).unwrap();
    persist_dirty(&index).unwrap();
    drop(index);
    let Verified { checked, damaged, .. } = verify(&path).unwrap();
    assert!(checked < ROWS && damaged == 0);
}

/// Damaged checksums are better than none: they stay until there are new ones.
#[test]
fn damaged_checksums_stay_until_new_ones_are_written() {
    let folder = Folder::new("stay");
    let path = directory(&folder);
    let mut sums = fs::read(path.join("hnx.sums")).unwrap();
    sums[SUMS_START + 5 * SUMS_SIZE..][..4].fill(0xA5);
    fs::write(path.join("hnx.sums"), &sums).unwrap();
    with_new_times(&path);
    let index = open_to_write(&path);
    index.unmark_deleted(3).unwrap();
    let in_the_way = path.join("length.bin.new");
    fs::create_dir(&in_the_way).unwrap();
    persist_dirty(&index).unwrap_err();
    assert!(fs::read(path.join("hnx.sums")).unwrap() == sums);
    fs::remove_dir(&in_the_way).unwrap();
    persist_dirty(&index).unwrap();
    drop(index);
    is_clean(&path);
}

/// Without a head nothing is known. A copy that was taken during a persist can look the same, but for the time of the
/// file.
#[test]
fn a_lost_head_of_the_checksums_leaves_the_index_unchecked() {
    let folder = Folder::new("lost-head");
    let path = directory(&folder);
    let sums = fs::read(path.join("hnx.sums")).unwrap();
    for (range, torn) in [(8..40, true), (0..256, false), (0..12, false), (120..160, true)] {
        let mut lost = sums.clone();
        lost[range.clone()].fill(0xEE);
        fs::write(path.join("hnx.sums"), &lost).unwrap();
        sums_are_damaged(&path, "head");
        assert_eq!(open_as(&path, Check::Default).is_err(), torn, "{range:?}");
        assert!(open_as(&path, Check::Fast).is_ok());
        with_time_of_header(&path, "hnx.sums");
        sums_are_damaged(&path, "head");
        assert!(open_as(&path, Check::Default).is_ok(), "{range:?}");
    }
    for len in [0, 100, 255] {
        fs::write(path.join("hnx.sums"), &sums[..len]).unwrap();
        sums_are_damaged(&path, "cut");
    }
    fs::remove_file(path.join("hnx.sums")).unwrap();
    assert_eq!(verify(&path).unwrap().checked, 0);
    open(&path).unwrap();
}

/// Damage of both is told of the files first.
#[test]
fn damage_of_a_record_is_not_hidden_by_damage_of_the_checksums() {
    let folder = Folder::new("both");
    let path = directory(&folder);
    for (name, at) in [("hnx.sums", SUMS_START + 5), ("data_level0.bin", 700)] {
        let mut bytes = fs::read(path.join(name)).unwrap();
        bytes[at] ^= 1;
        fs::write(path.join(name), bytes).unwrap();
    }
    let stride = fs::metadata(path.join("data_level0.bin")).unwrap().len() / ROWS;
    assert_eq!(found(&path), (2, "data_level0.bin".into(), 700 / stride * stride));
    with_new_times(&path);
    assert!(matches!(open_as(&path, Check::Default), Err(Error::Corrupt(_))));
}

/// length.bin is not read under L2, but it was written.
#[test]
fn a_flipped_bit_of_unused_lengths_is_found() {
    let folder = Folder::new("lengths");
    let path = directory(&folder);
    let lengths = fs::read(path.join("length.bin")).unwrap();
    assert_eq!(lengths.len() as u64, 4 * ROWS);
    for bit in 0..8 * lengths.len() {
        let mut flipped = lengths.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(path.join("length.bin"), &flipped).unwrap();
        assert_eq!(found(&path), (1, "length.bin".into(), bit as u64 / 32 * 4), "bit {bit}");
        if bit % 50 == 0 {
            assert!(matches!(open_as(&path, Check::Deep), Err(Error::Corrupt(_))));
        }
    }
}

/// A cut file is damaged where the first record is that it does not hold.
#[test]
fn a_cut_file_is_damaged_at_its_end() {
    let folder = Folder::new("cut");
    let path = directory(&folder);
    for name in DATA {
        let bytes = fs::read(path.join(name)).unwrap();
        for len in 0..bytes.len() {
            fs::write(path.join(name), &bytes[..len]).unwrap();
            let (damaged, file, offset) = found(&path);
            assert!(damaged > 0 && file == name, "{name} of {len}");
            assert!(offset <= len as u64 && len as u64 - offset < 100, "{name} of {len}: {offset}");
        }
        fs::write(path.join(name), &bytes).unwrap();
    }
    fs::rename(path.join("length.bin"), folder.0.join("aside")).unwrap();
    let Err(Error::NotFound(text)) = verify(&path) else { panic!("a file is missing") };
    assert!(text.contains("length.bin"), "{text}");
    fs::rename(folder.0.join("aside"), path.join("length.bin")).unwrap();
    is_clean(&path);
}

/// What was appended is told by `verify`; it is read by nobody, and Chroma's own files end like that.
#[test]
fn appended_bytes_are_told() {
    let folder = Folder::new("appended");
    let path = directory(&folder);
    for name in DATA.iter().chain(&["header.bin", "hnx.sums"]) {
        let bytes = fs::read(path.join(name)).unwrap();
        fs::File::options().append(true).open(path.join(name)).unwrap().write_all(&[0]).unwrap();
        assert_eq!(found(&path), (1, (*name).into(), bytes.len() as u64));
        open(&path).unwrap();
        fs::write(path.join(name), &bytes).unwrap();
    }
    is_clean(&path);
    for name in DATA {
        let bytes = fs::read(path.join(name)).unwrap();
        fs::write(path.join(name), [&bytes[..], &[7; 100]].concat()).unwrap();
    }
    fs::remove_file(path.join("hnx.sums")).unwrap();
    assert_eq!(verify(&path).unwrap().damaged, 0, "another program's");
    let index = open(&path).unwrap();
    index.unmark_deleted(3).unwrap();
    persist_dirty(&index).unwrap();
    assert_eq!(found(&path).0, 0, "{:?}: found there, not appended since", found(&path));
}

/// Directories as libhnx wrote them before it told lengths of files, and sums of lengths that are not used.
#[test]
fn checksums_of_older_releases_count() {
    let folder = Folder::new("older");
    let path = directory(&folder);
    let written = fs::read(path.join("hnx.sums")).unwrap();
    let mut older = written.clone();
    let mut total = 0u64;
    for (id, entry) in older[SUMS_START..].chunks_exact_mut(SUMS_SIZE).enumerate() {
        entry[4..8].fill(0);
        total = total.wrapping_add(super::super::sums::weight(id as u32, entry.first_chunk().unwrap()));
    }
    let head = SumsHead::from_bytes(written.first_chunk().unwrap()).unwrap();
    let head = SumsHead { total, ..head };
    older[..144].copy_from_slice(&head.to_bytes());
    older[144..224].copy_from_slice(&head.seal_bytes(head.seal.unwrap(), 0));
    older[224..256].fill(0);
    fs::write(path.join("hnx.sums"), &older).unwrap();
    is_clean(&path);
    for bit in (8 * SUMS_START..8 * older.len()).step_by(7) {
        let mut flipped = older.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(path.join("hnx.sums"), &flipped).unwrap();
        assert_eq!(&*found(&path).1, "hnx.sums", "bit {bit}");
    }
    // Its head over lengths that a newer one has told.
    fs::write(path.join("hnx.sums"), [&older[..224], &written[224..256], &older[256..]].concat()).unwrap();
    is_clean(&path);
    let index = open(&path).unwrap();
    index.unmark_deleted(3).unwrap();
    persist_dirty(&index).unwrap();
    drop(index);
    is_clean(&path);
}

/// Errors name the file, once.
#[test]
fn errors_name_the_file_once() {
    let folder = Folder::new("names");
    let path = directory(&folder);
    let file = folder.0.join("file");
    save(&index_of(5), &file, Format::Hnswlib).unwrap();
    for absent in [folder.0.join("absent"), file.clone(), file.join("inside")] {
        assert!(matches!(verify(&absent), Err(Error::NotFound(_))), "{}", absent.display());
    }
    let begins = |result: Result<(), Error>, name: &str| {
        let text = result.unwrap_err().to_string();
        assert!(text.starts_with(name) && text.matches(name).count() == 1, "{text}");
    };
    fs::remove_file(path.join("hnx.sums")).unwrap();
    let header = fs::read(path.join("header.bin")).unwrap();
    for (at, byte) in [(0, 2), (24, 200), (36, 1), (91, 0x7F)] {
        let mut wrong = header.clone();
        wrong[at] = byte;
        fs::write(path.join("header.bin"), wrong).unwrap();
        begins(open_as(&path, Check::Default).map(|_| ()), "header.bin");
        begins(verify(&path).map(|_| ()), "header.bin");
    }
    fs::write(path.join("header.bin"), &header[..99]).unwrap();
    begins(verify(&path).map(|_| ()), "header.bin");
    begins(open_as(&path, Check::Default).map(|_| ()), "header.bin");
    fs::write(path.join("header.bin"), &header).unwrap();
    for name in ["data_level0.bin", "link_lists.bin"] {
        let bytes = fs::read(path.join(name)).unwrap();
        fs::write(path.join(name), &bytes[..10]).unwrap();
        begins(open_as(&path, Check::Default).map(|_| ()), name);
        fs::write(path.join(name), bytes).unwrap();
    }
}
