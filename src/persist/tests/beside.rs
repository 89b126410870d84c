//! Codes beside an index: they come back as they were, are used for no other records, and damage of them harms nothing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::Folder;
use crate::codes::Codes;
use crate::error::Error;
use crate::index::{AddMode, Index};
use crate::params::{Exactness, Metric, Params};
use crate::persist::hash::xxh64;
use crate::persist::{load, persist_dirty, save, save_codes, Check, Format, LoadParams};

const ROWS: usize = 1100;

/// Codes that are the vectors, with sketches; others with sketches, for both kinds of products; codes of bytes alone.
const KINDS: [(Metric, usize, bool); 4] =
    [(Metric::L2, 96, true), (Metric::L2, 160, false), (Metric::Ip, 160, false), (Metric::Cosine, 24, false)];

fn vectors(rows: usize, dim: usize, whole: bool, seed: u64) -> Vec<f32> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let value = |rng: &mut SmallRng| if whole { f32::from(rng.random::<u8>()) } else { rng.random_range(-1.0..1.0) };
    (0..rows * dim).map(|_| value(&mut rng)).collect()
}

fn add(index: &Index, vectors: &[f32], labels: std::ops::Range<u64>) {
    let labels: Vec<u64> = labels.collect();
    index.add(vectors, &labels, AddMode::default(), 1, false, &mut |_, _| {}).unwrap();
}

fn index((metric, dim, whole): (Metric, usize, bool)) -> Index {
    let index = Index::new(&Params { m: 6, ef_construction: 40, metric, ..Params::new(dim) }).unwrap();
    add(&index, &vectors(ROWS, dim, whole, 1), 0..ROWS as u64);
    index
}

/// An index in a file or directory, with its codes beside it.
fn saved(folder: &Folder, kind: (Metric, usize, bool), format: Format) -> (Index, PathBuf) {
    let (original, path) = (index(kind), folder.0.join("index"));
    save(&original, &path, format).unwrap();
    save_codes(&original, &path).unwrap();
    (original, path)
}

fn params(index: &Index, check: Check, read_only: bool) -> LoadParams {
    let (max_elements, allow_replace_deleted, mmap) = (0, false, true);
    LoadParams { metric: index.metric(), dim: index.dim(), max_elements, allow_replace_deleted, mmap, read_only, check }
}

fn mapped(path: &Path, index: &Index, check: Check) -> Result<Index, Error> {
    load(path, &params(index, check, true))
}

fn are_of_file(index: &Index) -> bool {
    index.core().store().codes().is_some_and(Codes::are_of_file)
}

/// Whether an index that is opened so has the codes beside it.
fn has_codes(path: &Path, index: &Index, check: Check) -> bool {
    are_of_file(&mapped(path, index, check).unwrap())
}

fn codes_name(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.join("hnx.codes");
    }
    path.with_file_name(format!("{}.hnx.codes", path.file_name().unwrap().to_str().unwrap()))
}

fn answers(index: &Index, exactness: Exactness) -> Vec<(Vec<u64>, Vec<u32>)> {
    let queries = vectors(20, index.dim(), index.metric() == Metric::L2 && index.dim() == 96, 2);
    let ask = |query: &[f32]| {
        let (mut labels, mut distances) = (vec![0; 10], vec![0.0; 10]);
        index.query(query, 10, 30, 1, exactness, None, &mut labels, Some(&mut distances), None).unwrap();
        (labels, distances.iter().map(|d: &f32| d.to_bits()).collect())
    };
    queries.chunks_exact(index.dim()).map(ask).collect()
}

fn parts(index: &Index) -> [Vec<u8>; 3] {
    let store = index.core().store();
    store.codes().unwrap().blocks(store.count()).map(<[u8]>::to_vec)
}

fn modified(path: &Path) -> SystemTime {
    path.metadata().unwrap().modified().unwrap()
}

fn set_modified(path: &Path, time: SystemTime) {
    File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn come_back_as_they_were() {
    for kind in KINDS {
        let folder = Folder::new("codes-come-back");
        let original = index(kind);
        for deleted in [false, true] {
            if deleted {
                [3, 500, 501].iter().for_each(|label| original.mark_deleted(*label).unwrap());
            }
            for format in [Format::Hnswlib, Format::Chroma, Format::ChromaDirectory] {
                let path = folder.0.join(format!("{}-{deleted}", format.number()));
                save(&original, &path, format).unwrap();
                assert!(!has_codes(&path, &original, Check::Default));
                save_codes(&original, &path).unwrap();
                let records = if path.is_dir() { path.join("data_level0.bin") } else { path.clone() };
                assert_ne!(modified(&records), modified(&codes_name(&path)), "a change now has another time");
                for (check, read_only) in [(Check::Default, true), (Check::Fast, false), (Check::Deep, true)] {
                    let other = load(&path, &params(&original, check, read_only)).unwrap();
                    assert!(are_of_file(&other));
                    assert_eq!(other.exactness(), Exactness::Guided);
                    for exactness in [Exactness::Default, Exactness::Guided, Exactness::F32, Exactness::Certified] {
                        assert_eq!(answers(&other, exactness), answers(&original, exactness), "{kind:?} {exactness:?}");
                    }
                    assert!(parts(&other) == parts(&original), "{kind:?} {format:?}");
                    other.set_exactness(Exactness::Guided, 1);
                    assert!(are_of_file(&other), "what takes no memory is not made anew");
                    assert_eq!(other.deleted_count(), if deleted { 3 } else { 0 });
                    assert_eq!(
                        other.core().store().codes().unwrap().exceptional(),
                        original.core().store().codes().unwrap().exceptional()
                    );
                }
            }
        }
    }
}

/// Without them nobody knows how many records of a mapped index are deleted: be it few or many, the same are found.
#[test]
fn are_not_needed_to_pass_deleted_records_by() {
    for (kind, every) in [(KINDS[0], 900), (KINDS[0], 20), (KINDS[3], 200), (KINDS[3], 2), (KINDS[3], 1)] {
        let folder = Folder::new("codes-deleted");
        let (original, path) = (index(kind), folder.0.join("index"));
        (0..ROWS as u64).step_by(every).for_each(|label| original.mark_deleted(label).unwrap());
        save(&original, &path, Format::Hnswlib).unwrap();
        for exactness in [Exactness::F32, Exactness::Default] {
            let other = mapped(&path, &original, Check::Default).unwrap();
            assert_eq!(answers(&other, exactness), answers(&original, Exactness::F32), "{kind:?} {every}");
            assert_eq!(other.deleted_count(), ROWS.div_ceil(every));
            assert_eq!(answers(&other, exactness), answers(&original, Exactness::F32), "{kind:?} {every}, counted");
        }
    }
}

/// A walk on a mapped index that nobody changes reads links from the file of codes, not from the records.
#[test]
fn bring_the_lists_along() {
    let folder = Folder::new("codes-lists");
    let (original, path) = saved(&folder, KINDS[0], Format::Hnswlib);
    // Lists of the records lead nowhere now, and nobody is told.
    let (mut bytes, time) = (fs::read(&path).unwrap(), modified(&path));
    let (stride, list) =
        (original.core().store().layout().label - original.core().store().layout().vector + 4 + 4 * 12 + 8, 4 + 4 * 12);
    let records = bytes[96..96 + ROWS * stride].chunks_exact_mut(stride).enumerate();
    // But for those that are looked at.
    for (_, record) in records.filter(|(id, _)| !(0..16).any(|number| number * ROWS / 16 == *id)) {
        record[..list].fill(0);
    }
    fs::write(&path, bytes).unwrap();
    set_modified(&path, time);
    let found =
        |read_only| answers(&load(&path, &params(&original, Check::Default, read_only)).unwrap(), Exactness::Default);
    assert_eq!(found(true), answers(&original, Exactness::Default));
    assert_ne!(found(false), answers(&original, Exactness::Default));
}

#[test]
fn of_other_records_are_not_used() {
    let folder = Folder::new("codes-others");
    let (original, path) = saved(&folder, KINDS[1], Format::Hnswlib);
    let time = modified(&path);
    // A copy that does not keep the time.
    set_modified(&path, time + Duration::from_nanos(1_000_000));
    assert_eq!(
        [Check::Default, Check::Fast, Check::Deep].map(|check| has_codes(&path, &original, check)),
        [false, false, true]
    );
    // Another vector in the place of one: what a deep check sees, and any check where it is one of the few that are
    // looked at.
    let whole = fs::read(&path).unwrap();
    for (id, seen) in [(100, false), (0, true)] {
        let mut other = whole.clone();
        other[96 + 700 * id + 52 + 11] ^= 0x80; // the sign of a value
        fs::write(&path, &other).unwrap();
        assert!(!has_codes(&path, &original, Check::Deep), "another time, another vector");
        set_modified(&path, time);
        assert!(matches!(mapped(&path, &original, Check::Deep), Err(Error::Corrupt(_))));
        assert_eq!(has_codes(&path, &original, Check::Default), !seen);
    }
    // Another mark, another link.
    for at in [2, 4] {
        let mut other = whole.clone();
        other[96 + 700 * 100 + at] ^= 1;
        fs::write(&path, &other).unwrap();
        assert!(!has_codes(&path, &original, Check::Deep));
    }
    fs::write(&path, &whole).unwrap();
    set_modified(&path, time);
    assert!(has_codes(&path, &original, Check::Default));
    // Another metric, another index.
    let ip = load(&path, &LoadParams { metric: Metric::Ip, ..params(&original, Check::Default, true) }).unwrap();
    assert!(!ip.core().store().has_codes());
    add(&original, &vectors(1, 160, false, 7), 5000..5001);
    save(&original, &path, Format::Hnswlib).unwrap();
    set_modified(&path, time);
    for check in [Check::Default, Check::Fast, Check::Deep] {
        assert!(!has_codes(&path, &original, check));
    }
    save_codes(&original, &path).unwrap();
    assert!(has_codes(&path, &original, Check::Default));
    // Whoever reads the file instead of mapping it makes codes anew.
    let read = load(&path, &LoadParams { mmap: false, ..params(&original, Check::Default, true) }).unwrap();
    assert!(!are_of_file(&read));
}

/// What may not read vectors may not read codes.
#[test]
#[cfg(unix)]
fn are_for_those_who_may_read_the_records() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("codes-mode");
    let (original, path) = (index(KINDS[0]), folder.0.join("index"));
    save(&original, &path, Format::Hnswlib).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    save_codes(&original, &path).unwrap();
    assert_eq!(codes_name(&path).metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn are_not_written_beside_other_records() {
    let folder = Folder::new("codes-conflict");
    let (original, path) = (index(KINDS[0]), folder.0.join("index"));
    assert!(matches!(save_codes(&original, &path), Err(Error::NotFound(_))));
    save(&original, &path, Format::Hnswlib).unwrap();
    let conflict = |index: &Index, text: &str| match save_codes(index, &path) {
        Err(Error::Conflict(told)) => assert!(told.contains(text), "{told}"),
        other => panic!("{other:?}"),
    };
    original.mark_deleted(9).unwrap();
    conflict(&original, "record 9 is another");
    original.unmark_deleted(9).unwrap();
    add(&original, &vectors(1, 96, true, 3), 1099..1100);
    conflict(&original, "is another");
    add(&original, &vectors(1, 96, true, 3), 2000..2001);
    conflict(&original, "but 1100 with 12 links, not 1101 with 12");
    let none = mapped(&path, &original, Check::Default).unwrap();
    assert!(matches!(save_codes(&none, &path), Err(Error::InvalidArgument(_))), "a mapped index without codes");
    none.set_exactness(Exactness::Guided, 1);
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "nothing is left behind");
    save_codes(&none, &path).unwrap();
    assert!(has_codes(&path, &original, Check::Deep));
}

/// Codes of records that are added, moved and deleted after a mapped open are those of their vectors; the file stays.
#[test]
fn follow_the_vectors() {
    for kind in KINDS {
        let folder = Folder::new("codes-follow");
        let (original, path) = saved(&folder, kind, Format::Chroma);
        let before = fs::read(codes_name(&path)).unwrap();
        let index = load(&path, &params(&original, Check::Default, false)).unwrap();
        let (dim, whole) = (kind.1, kind.2);
        add(&index, &vectors(300, dim, whole, 4), 900..1200);
        // Far beyond the trained ranges.
        let far: Vec<f32> = vectors(20, dim, whole, 5).iter().map(|x| x * 300.0).collect();
        add(&index, &far, 1190..1210);
        index.mark_deleted(77).unwrap();
        let store = index.core().store();
        let codes = store.codes().unwrap();
        assert!(are_of_file(&index) && store.count() == 1210);
        let now = parts(&index);
        for slot in store.slots() {
            codes.write(slot.id() as usize, store.vector_ptr(slot));
        }
        assert!(parts(&index) == now, "{kind:?}");
        assert_eq!(codes.exceptional() > 10, kind.0 != Metric::Cosine, "{kind:?}");
        // New codes when the index has doubled.
        add(&index, &vectors(1100, dim, whole, 6), 3000..4100);
        assert!(!are_of_file(&index));
        assert!(fs::read(codes_name(&path)).unwrap() == before);
    }
}

#[test]
fn of_a_directory_end_with_the_next_persist() {
    let folder = Folder::new("codes-directory");
    let (original, path) = saved(&folder, KINDS[0], Format::ChromaDirectory);
    assert!(has_codes(&path, &original, Check::Default));
    // Whoever writes it may map it, and has them, too.
    let writer = load(&path, &params(&original, Check::Default, false)).unwrap();
    assert!(are_of_file(&writer));
    add(&writer, &vectors(1, 96, true, 3), 9..10);
    assert!(matches!(save_codes(&writer, &path), Err(Error::Conflict(_))));
    persist_dirty(&writer).unwrap();
    let expected = answers(&writer, Exactness::Guided);
    drop(writer);
    for check in [Check::Default, Check::Fast, Check::Deep] {
        assert!(!has_codes(&path, &original, check));
    }
    let writer = load(&path, &params(&original, Check::Default, false)).unwrap();
    writer.set_exactness(Exactness::Guided, 1);
    save_codes(&writer, &path).unwrap();
    drop(writer);
    assert_eq!(answers(&mapped(&path, &original, Check::Deep).unwrap(), Exactness::Default), expected);
    assert!(has_codes(&path, &original, Check::Default));
}

#[test]
fn that_are_damaged_harm_nothing() {
    for kind in KINDS {
        let folder = Folder::new("codes-damaged");
        let (original, path) = saved(&folder, kind, Format::Hnswlib);
        let (name, exact) = (codes_name(&path), answers(&original, Exactness::F32));
        let whole = fs::read(&name).unwrap();
        let head = u64::from_le_bytes(whole[16..24].try_into().unwrap()) as usize;
        let write = |bytes: &[u8]| {
            fs::remove_file(&name).unwrap();
            fs::write(&name, bytes).unwrap();
        };
        // Whatever is flipped in the head, there are no codes; also where the file is shorter or longer.
        for at in (0..head).step_by(if kind == KINDS[0] { 1 } else { 13 }) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            write(&bytes);
            assert!(!has_codes(&path, &original, Check::Default), "{kind:?} {at}");
            assert!(matches!(mapped(&path, &original, Check::Deep), Err(Error::Corrupt(_))), "{kind:?} {at}");
        }
        for len in [0, 7, 31, 263, head - 1, head, 65_536, whole.len() - 1, whole.len() + 1] {
            let mut bytes = whole.clone();
            bytes.resize(len, 0);
            write(&bytes);
            assert!(matches!(mapped(&path, &original, Check::Deep), Err(Error::Corrupt(_))), "{kind:?} {len}");
            let index = mapped(&path, &original, Check::Fast).unwrap();
            assert!(!index.core().store().has_codes(), "{kind:?} {len}");
            assert_eq!(answers(&index, Exactness::Default), exact);
        }
        // Behind it: a deep check tells.
        for part in 0..4 {
            let [offset, bytes] = [0, 8].map(|at| {
                let at = 160 + 16 * part + at;
                u64::from_le_bytes(whole[at..at + 8].try_into().unwrap()) as usize
            });
            if bytes > 0 {
                let mut flipped = whole.clone();
                flipped[offset + bytes * 100 / ROWS] ^= 64;
                write(&flipped);
                assert!(matches!(mapped(&path, &original, Check::Deep), Err(Error::Corrupt(_))), "{kind:?} {part}");
                // Whoever does not look has them, but cannot write them again.
                let index = load(&path, &params(&original, Check::Default, false)).unwrap();
                assert!(are_of_file(&index));
                assert_eq!(matches!(save_codes(&index, &path), Err(Error::Corrupt(_))), part < 3, "{kind:?} {part}");
                write(&flipped);
            }
        }
        // Heads that lie, and parts that are noise: any answer will do, none may read what is not there.
        let mut rng = SmallRng::seed_from_u64(8);
        for _ in 0..60 {
            let mut bytes = whole.clone();
            for _ in 0..rng.random_range(1..4) {
                let at = rng.random_range(16..head);
                bytes[at] = rng.random();
            }
            if rng.random() {
                bytes[head..].iter_mut().step_by(3).for_each(|byte| *byte ^= 0xA5);
            }
            let hash = xxh64(&bytes[16..head], 0);
            bytes[8..16].copy_from_slice(&hash.to_le_bytes());
            write(&bytes);
            for read_only in [false, true] {
                let index = load(&path, &params(&original, Check::Fast, read_only)).unwrap();
                assert!(index.deleted_count() <= index.count());
                for exactness in [Exactness::Guided, Exactness::Certified, Exactness::F32] {
                    answers(&index, exactness);
                }
                if !read_only {
                    add(&index, &vectors(2, kind.1, kind.2, 9), 1099..1101);
                }
            }
        }
        fs::remove_file(&name).unwrap();
        fs::write(folder.0.join("elsewhere"), &whole).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.0.join("elsewhere"), &name).unwrap();
        assert!(!has_codes(&path, &original, Check::Deep));
        #[cfg(unix)]
        assert!(matches!(save_codes(&original, &path), Err(Error::InvalidArgument(_))));
        #[cfg(unix)]
        fs::remove_file(&name).unwrap();
        fs::create_dir(&name).unwrap();
        assert!(!has_codes(&path, &original, Check::Default));
        assert!(matches!(save_codes(&original, &path), Err(Error::InvalidArgument(_))));
        fs::remove_dir(&name).unwrap();
    }
}
