//! Each format comes back in each way of opening it, and what contradicts itself is refused by name.

use std::fs;
use std::path::Path;

use super::Folder;
use crate::error::Error;
use crate::index::{AddMode, Index};
use crate::params::{Metric, Params, MAX_RECORDS};
use crate::persist::buffers::{save_buffers, BuffersMut};
use crate::persist::{load, save, Check, Format, LoadParams};

const FORMATS: [Format; 3] = [Format::Hnswlib, Format::Chroma, Format::ChromaDirectory];
const ROWS: u64 = 300;

fn index(metric: Metric, rows: u64) -> Index {
    let index = Index::new(&Params { m: 4, metric, ..Params::new(3) }).unwrap();
    let vectors: Vec<f32> = (0..3 * rows).map(|i| (1 + i * i % 101) as f32).collect();
    let labels: Vec<u64> = (0..rows).collect();
    index.add(&vectors, &labels, AddMode::default(), 1, false, &mut |_, _| {}).unwrap();
    if rows > 7 {
        index.mark_deleted(7).unwrap();
    }
    index
}

fn params(metric: Metric, check: Check) -> LoadParams {
    let (max_elements, allow_replace_deleted, mmap, read_only) = (0, false, false, false);
    LoadParams { metric, dim: 3, max_elements, allow_replace_deleted, mmap, read_only, check }
}

/// Labels, vectors, and how many records are deleted.
fn content(index: &Index) -> (Vec<u64>, Vec<f32>, usize) {
    let mut labels = vec![0; index.count() - index.deleted_count()];
    index.list_labels(|deleted| !deleted, &mut labels).unwrap();
    let mut vectors = vec![0.0; 3 * labels.len()];
    index.get(&labels, &mut vectors).unwrap();
    (labels, vectors, index.deleted_count())
}

#[test]
fn every_format_comes_back_however_it_is_opened() {
    for (metric, rows) in [(Metric::L2, ROWS), (Metric::Cosine, ROWS), (Metric::Ip, 0), (Metric::L2, 1)] {
        let folder = Folder::new("formats");
        let original = index(metric, rows);
        for format in FORMATS {
            assert_eq!(Format::from_number(format.number()).unwrap(), format);
            let path = folder.0.join(format!("{}", format.number()));
            save(&original, &path, format).unwrap();
            for number in 0..12 {
                let check = Check::from_number(number % 3).unwrap();
                let (mmap, read_only) = (number / 3 % 2 == 1, number / 6 == 1);
                let index = load(&path, &LoadParams { mmap, read_only, ..params(metric, check) }).unwrap();
                let (labels, vectors, deleted) = content(&index);
                let (own_labels, own_vectors, own_deleted) = content(&original);
                assert_eq!((labels, deleted), (own_labels, own_deleted));
                // hnswlib's file has no lengths.
                if metric != Metric::Cosine || format != Format::Hnswlib {
                    assert!(vectors == own_vectors, "{metric:?} {format:?} {number}");
                }
            }
            let wanted = LoadParams { max_elements: 500, ..params(metric, Check::Default) };
            assert_eq!(load(&path, &wanted).unwrap().capacity(), 500);
        }
    }
    assert!(Format::from_number(3).is_err() && Check::from_number(3).is_err());
}

#[test]
fn what_cannot_be_opened_or_written_says_why() {
    let folder = Folder::new("places");
    let small = index(Metric::L2, 10);
    let good = params(Metric::L2, Check::Default);
    let file = folder.0.join("file");
    save(&small, &file, Format::Hnswlib).unwrap();
    assert!(matches!(load(&folder.0.join("absent"), &good), Err(Error::NotFound(_))));
    assert!(matches!(load(&folder.0, &good), Err(Error::NotFound(_))), "no header.bin");
    assert!(matches!(load(&file, &LoadParams { dim: 0, ..good }), Err(Error::InvalidArgument(_))));
    let many = LoadParams { max_elements: MAX_RECORDS + 1, ..good };
    assert!(matches!(load(&file, &many), Err(Error::InvalidArgument(_))));
    assert!(matches!(load(&file, &LoadParams { dim: 4, ..good }), Err(Error::Corrupt(_))));
    assert!(matches!(save(&small, &folder.0, Format::Hnswlib), Err(Error::InvalidArgument(_))));
    assert!(matches!(save(&small, &folder.0, Format::ChromaDirectory), Err(Error::InvalidArgument(_))), "not empty");
    assert!(matches!(save(&small, &folder.0.join("a/b"), Format::Hnswlib), Err(Error::Io(_))));
    // A header.bin that is no file.
    let odd = folder.0.join("odd");
    fs::create_dir_all(odd.join("header.bin")).unwrap();
    assert!(load(&odd, &good).is_err());
}

#[cfg(unix)]
#[test]
fn a_link_stays_one_and_a_device_is_no_file() {
    let folder = Folder::new("link");
    let good = params(Metric::L2, Check::Default);
    let (file, link) = (folder.0.join("file"), folder.0.join("link"));
    save(&index(Metric::L2, 10), &file, Format::Hnswlib).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    save(&index(Metric::L2, 20), &link, Format::Chroma).unwrap();
    assert!(link.is_symlink(), "its target was replaced");
    assert_eq!(load(&file, &good).unwrap().count(), 20);
    let device = Path::new("/dev/null");
    assert!(matches!(load(device, &good), Err(Error::InvalidArgument(_))));
    for place in [device, Path::new("/")] {
        assert!(matches!(save(&index(Metric::L2, 5), place, Format::Hnswlib), Err(Error::InvalidArgument(_))));
    }
}

#[test]
fn memory_that_is_too_short_is_named() {
    let small = index(Metric::L2, 10);
    let (mut header, mut records, mut lengths, mut lists) = (vec![9; 120], vec![9; 4000], vec![9; 50], vec![9; 900]);
    save_buffers(
        small.core(),
        &small.stated(),
        BuffersMut { header: &mut header, records: &mut records, lengths: &mut lengths, lists: &mut lists },
    )
    .unwrap();
    assert!(header[100..].iter().chain(&lengths[40..]).all(|byte| *byte == 0));
    for short in 0..4 {
        let len = |at: usize, len: usize| if at == short { 8 } else { len };
        let buffers = BuffersMut {
            header: &mut header[..len(0, 120)],
            records: &mut records[..len(1, 4000)],
            lengths: &mut lengths[..len(2, 50)],
            lists: &mut lists[..len(3, 900)],
        };
        let error = save_buffers(small.core(), &small.stated(), buffers).unwrap_err().to_string();
        assert!(error.contains(["header", "records", "lengths", "lists"][short]), "{error}");
    }
}

/// Where the lists of the first record above the ground begin, and a record that is on it.
fn one_above_and_one_on_the_ground(lists: &[u8]) -> (usize, u32) {
    let (mut at, mut upper, mut ground) = (0, None, None);
    for id in 0.. {
        let Some(size) = lists.get(at..).and_then(|rest| rest.first_chunk()) else { break };
        let size = u32::from_le_bytes(*size) as usize;
        if size > 0 {
            upper.get_or_insert(at);
        } else {
            ground.get_or_insert(id);
        }
        at += 4 + size;
    }
    (upper.unwrap(), ground.unwrap())
}

/// Everything that the loader looks at, wrong in a directory without checksums.
#[test]
fn contradictions_of_a_directory_are_refused() {
    let folder = Folder::new("contradictions");
    let path = folder.0.join("index");
    save(&index(Metric::Cosine, ROWS), &path, Format::ChromaDirectory).unwrap();
    fs::remove_file(path.join("hnx.sums")).unwrap();
    let stride = 4 + 32 + 12 + 8;
    let header = fs::read(path.join("header.bin")).unwrap();
    let entry = u32::from_le_bytes(*header[56..].first_chunk().unwrap()) as usize;
    let (upper, ground) = one_above_and_one_on_the_ground(&fs::read(path.join("link_lists.bin")).unwrap());
    let nan = f32::NAN.to_le_bytes();
    let cases: [(&str, usize, &[u8], &str); 15] = [
        ("header.bin", 4, &[1], "offsetLevel0"),
        ("header.bin", 12, &[1, 0], "capacity"),
        ("header.bin", 60, &[200], "maxM"),
        ("header.bin", 76, &[5], "is not maxM"),
        ("header.bin", 84, &[0; 8], "mult"),
        ("header.bin", 92, &[0; 8], "ef_construction"),
        ("header.bin", 52, &[0xFE, 0xFF, 0xFF, 0xFF], "entry point"),
        ("header.bin", 52, &[60], "entry point"),
        ("header.bin", 28, &[200], "do not fit"),
        ("header.bin", 44, &[0], "offsetData"),
        ("data_level0.bin", entry * stride, &[200], "links in a list"),
        ("data_level0.bin", entry * stride + 4, &[0xFF, 0xFF], "a link to record"),
        ("data_level0.bin", entry * stride + 36, &nan, "value 0 of its vector"),
        ("length.bin", 0, &nan, "length"),
        ("link_lists.bin", upper + 8, &ground.to_le_bytes(), "a link to record"),
    ];
    for (name, at, bytes, text) in cases {
        let whole = fs::read(path.join(name)).unwrap();
        let mut wrong = whole.clone();
        wrong[at..at + bytes.len()].copy_from_slice(bytes);
        fs::write(path.join(name), wrong).unwrap();
        let Err(Error::Corrupt(found)) = load(&path, &params(Metric::Cosine, Check::Deep)) else {
            panic!("{name}: {text}: opens")
        };
        assert!(found.contains(text), "{text}: {found}");
        fs::write(path.join(name), whole).unwrap();
    }
    assert_eq!(load(&path, &params(Metric::Cosine, Check::Deep)).unwrap().count() as u64, ROWS);
    for (name, len) in [("length.bin", 100), ("data_level0.bin", 1000), ("link_lists.bin", 16)] {
        let whole = fs::read(path.join(name)).unwrap();
        fs::write(path.join(name), &whole[..len]).unwrap();
        assert!(matches!(load(&path, &params(Metric::Cosine, Check::Fast)), Err(Error::Corrupt(_))), "{name}");
        fs::write(path.join(name), whole).unwrap();
    }
}

/// Sizes of lists, a section that does not end where the file does, and a file that is a hole.
#[test]
fn contradictions_of_a_file_are_refused() {
    let folder = Folder::new("file-contradictions");
    let (directory, file) = (folder.0.join("directory"), folder.0.join("file"));
    let original = index(Metric::Cosine, ROWS);
    save(&original, &directory, Format::ChromaDirectory).unwrap();
    let lists = fs::read(directory.join("link_lists.bin")).unwrap();
    let (upper, _) = one_above_and_one_on_the_ground(&lists);
    let refused = |what: &str| {
        let opened = load(&file, &params(Metric::Cosine, Check::Default));
        assert!(matches!(opened, Err(Error::Corrupt(_))), "{what}");
    };
    for format in [Format::Hnswlib, Format::Chroma] {
        save(&original, &file, format).unwrap();
        let whole = fs::read(&file).unwrap();
        let start = whole.len() - lists.len();
        for (at, byte) in [(start, 1), (start + upper, 0xF0), (start + upper + 3, 0xF0)] {
            let mut wrong = whole.clone();
            wrong[at] = byte;
            fs::write(&file, &wrong).unwrap();
            refused("a size");
        }
        for len in [whole.len() - 1, start + 2, 96 + 100, 95] {
            fs::write(&file, &whole[..len]).unwrap();
            refused("cut");
        }
        fs::write(&file, [&whole[..], &[0; 5]].concat()).unwrap();
        refused("appended");
    }
    let mut header = fs::read(&file).unwrap()[..96].to_vec();
    for at in [8, 16] {
        header[at..at + 8].copy_from_slice(&(1u64 << 30).to_le_bytes());
    }
    fs::write(&file, header).unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_len((60 << 30) + 96).unwrap();
    refused("a hole");
}
