//! Salvage with what libhnx keeps beside the four files.

use std::fs;
use std::path::Path;

use super::{index_of, Folder};
use crate::error::Error;
use crate::index::{AddMode, Index};
use crate::params::{Metric, Params};
use crate::persist::journal::{Changes, Head, HeaderBytes, Kind, DATA_FILES};
use crate::persist::storage::{OsStorage, Storage};
use crate::persist::{create_directory, salvage, save, Format, Report, SalvageParams};
use crate::persist::{DAMAGED_HEADER, DAMAGED_LENGTHS, DAMAGED_LISTS, DAMAGED_RECORDS};

const ROWS: u64 = 40;

fn salvaged(path: &Path, metric: Metric) -> (Index, Report) {
    let params = SalvageParams {
        metric,
        dim: 3,
        m: 0,
        ef_construction: 0,
        threads: 1,
        allow_replace_deleted: false,
        beyond_count: false,
    };
    salvage(path, &params).unwrap()
}

fn write(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// A record that differs is kept, but not silently, and not before a sound one of the same label.
#[test]
fn a_record_that_differs_from_its_checksum_is_told() {
    let folder = Folder::new("salvage-sums");
    let path = folder.0.join("directory");
    create_directory(&index_of(ROWS), &path).unwrap();
    let intact = salvaged(&path, Metric::L2).1;
    assert_eq!((intact.damage, intact.kept, intact.mismatched), (0, ROWS, 0));
    let records = path.join("data_level0.bin");
    let stride = fs::metadata(&records).unwrap().len() as usize / ROWS as usize;
    let vector = stride - 8 - 12;
    write(&records, |bytes| bytes[7 * stride + vector + 1] ^= 4);
    let (index, report) = salvaged(&path, Metric::L2);
    assert_eq!((report.damage, report.kept, report.mismatched), (DAMAGED_RECORDS, ROWS, 1));
    assert_eq!(index.count() as u64, ROWS);
    // Its label becomes that of another, later than which it stands.
    write(&records, |bytes| bytes[7 * stride + stride - 8] = 3);
    let (index, report) = salvaged(&path, Metric::L2);
    assert_eq!((report.kept, report.duplicates, report.mismatched), (ROWS - 1, 1, 0));
    let mut found = [0.0; 3];
    index.get(&[3], &mut found).unwrap();
    assert_eq!(found, [9, 10, 11].map(|i| (i * i % 101) as f32));
    // A damaged checksum is no damage of the record, nor do those count that another program has made untrue.
    create_again(&path);
    write(&path.join("hnx.sums"), |bytes| bytes[256 + 12 * 5] ^= 1);
    assert_eq!(salvaged(&path, Metric::L2).1.damage, 0);
    // Nor is more than a bit: what is in the files adds up to the total.
    write(&path.join("hnx.sums"), |bytes| bytes[256 + 12 * 5..256 + 12 * 20].fill(0xA5));
    let report = salvaged(&path, Metric::L2).1;
    assert_eq!((report.damage, report.kept, report.mismatched), (0, ROWS, 0));
    // With a damaged record beside it they are not known to be sound.
    write(&records, |bytes| bytes[30 * stride + vector + 1] ^= 4);
    let report = salvaged(&path, Metric::L2).1;
    assert_eq!((report.damage, report.kept, report.mismatched), (DAMAGED_RECORDS, ROWS, 16));
}

fn create_again(path: &Path) {
    fs::remove_dir_all(path).unwrap();
    create_directory(&index_of(ROWS), path).unwrap();
}

/// hnx.sums says what header.bin said.
#[test]
fn a_lost_header_is_taken_from_the_checksums() {
    let folder = Folder::new("salvage-header");
    let path = folder.0.join("directory");
    create_directory(&index_of(ROWS), &path).unwrap();
    let header = fs::read(path.join("header.bin")).unwrap();
    for bit in [0, 8 * 20 + 3, 8 * 28, 8 * 60 + 1] {
        let mut flipped = header.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(path.join("header.bin"), &flipped).unwrap();
        let report = salvaged(&path, Metric::L2).1;
        assert_eq!((report.damage, report.stated, report.kept), (DAMAGED_HEADER, ROWS, ROWS), "bit {bit}");
    }
    fs::remove_file(path.join("header.bin")).unwrap();
    let report = salvaged(&path, Metric::L2).1;
    assert_eq!((report.damage, report.stated, report.kept), (DAMAGED_HEADER, ROWS, ROWS));
}

/// What another program has added since counts, though hnx.sums, or the journal of a persist that was killed at its
/// very end, say what was before.
#[test]
fn what_was_written_since_is_not_taken_back() {
    let folder = Folder::new("salvage-since");
    let (path, longer) = (folder.0.join("directory"), folder.0.join("longer"));
    create_directory(&index_of(3 * ROWS), &longer).unwrap();
    for first in [0, ROWS] {
        for (lost, journal) in [(true, false), (false, false), (true, true), (false, true)] {
            let _ = fs::remove_dir_all(&path);
            create_directory(&index_of(first), &path).unwrap();
            if journal {
                leave_journal(&path, |changes| changes.put(2, 0, |to| to.extend_from_slice(&[0; 4])));
            }
            for name in ["header.bin", "data_level0.bin", "length.bin", "link_lists.bin"] {
                fs::copy(longer.join(name), path.join(name)).unwrap();
            }
            if lost {
                fs::remove_file(path.join("header.bin")).unwrap();
            } else {
                write(&path.join("header.bin"), |bytes| bytes[..4].fill(0xAB));
            }
            let report = salvaged(&path, Metric::L2).1;
            assert_eq!((report.kept, report.missing), (3 * ROWS, 0), "{first} before, lost {lost}, journal {journal}");
        }
    }
}

/// A persist that was begun is carried on with, whatever else the directory has lost.
#[test]
fn a_begun_persist_counts_where_files_are_missing() {
    let folder = Folder::new("salvage-begun");
    let path = folder.0.join("directory");
    for metric in [Metric::L2, Metric::Cosine] {
        for missing in [&["length.bin"][..], &["link_lists.bin"], &["length.bin", "link_lists.bin"]] {
            let _ = fs::remove_dir_all(&path);
            let index = Index::new(&Params { metric, ..Params::new(3) }).unwrap();
            let vectors: Vec<f32> = (0..3 * ROWS).map(|i| (1 + i * i % 101) as f32).collect();
            let labels: Vec<u64> = (0..ROWS).collect();
            index.add(&vectors, &labels, AddMode::default(), 1, false, &mut |_, _| {}).unwrap();
            create_directory(&index, &path).unwrap();
            drop(index);
            let stride = fs::metadata(path.join("data_level0.bin")).unwrap().len() / ROWS;
            let poison = leave_journal(&path, |changes| {
                changes.put(0, 8 * stride - 8, |to| to.extend_from_slice(&777u64.to_le_bytes()));
                changes.put(1, 4 * 7, |to| to.extend_from_slice(&2f32.to_le_bytes()));
                changes.put(2, 4 * 7, |to| to.extend_from_slice(&[0; 4]));
            });
            fs::write(path.join("header.bin"), poison).unwrap();
            missing.iter().chain(&["hnx.sums"]).for_each(|name| fs::remove_file(path.join(name)).unwrap());
            let (index, report) = salvaged(&path, metric);
            index.get(&[777], &mut [0.0; 3]).unwrap();
            let lost = [("length.bin", DAMAGED_LENGTHS), ("link_lists.bin", DAMAGED_LISTS)];
            let lost = lost.iter().filter(|(name, _)| missing.contains(name)).fold(0, |all, (_, flag)| all | flag);
            let told = lost & if metric == Metric::Cosine { !0 } else { !DAMAGED_LENGTHS };
            assert_eq!((report.kept, report.damage), (ROWS, told), "{metric:?}, {missing:?}");
        }
    }
}

/// Leaves a journal of a persist that changes no header; returns the header of one that was begun.
fn leave_journal(path: &Path, ranges: impl FnOnce(&mut Changes)) -> HeaderBytes {
    let header = *fs::read(path.join("header.bin")).unwrap().first_chunk().unwrap();
    let lens = DATA_FILES.map(|name| fs::metadata(path.join(name)).unwrap().len());
    let mut changes = Changes::default();
    ranges(&mut changes);
    let (nonce, sequence, body_len, body_hash) = (99, 2, 0, 0);
    let (kind, before, after) = (Kind::Changes, lens, lens);
    let head =
        Head { kind, nonce, sequence, body_len, body_hash, before, after, header_before: header, header_after: header };
    let mut file = OsStorage.create(&path.join("hnx.journal")).unwrap().unwrap();
    changes.finish(head).unwrap().write(file.as_mut(), b"1").unwrap();
    head.poison()
}

/// Of two records with one label the live one is kept, even if its checksum says that something else of it is damaged.
#[test]
fn a_live_record_comes_before_a_deleted_one_that_fits() {
    let folder = Folder::new("salvage-live");
    let path = folder.0.join("directory");
    let index = index_of(ROWS);
    index.mark_deleted(5).unwrap();
    create_directory(&index, &path).unwrap();
    drop(index);
    let records = path.join("data_level0.bin");
    let stride = fs::metadata(&records).unwrap().len() as usize / ROWS as usize;
    write(&records, |bytes| bytes[9 * stride + stride - 8] = 5);
    let (index, report) = salvaged(&path, Metric::L2);
    assert_eq!((report.kept, report.duplicates, report.deleted), (ROWS - 1, 1, 0));
    let mut found = [0.0; 3];
    index.get(&[5], &mut found).unwrap();
    assert_eq!(found, [27, 28, 29].map(|i| (i * i % 101) as f32));
}

/// Neither header nor checksums: a vector of zeros is one as long as it has links, and lists are only damaged if they
/// are.
#[test]
fn records_alone_keep_a_vector_of_zeros() {
    for metric in [Metric::L2, Metric::Cosine] {
        let folder = Folder::new("salvage-zeros");
        let path = folder.0.join("directory");
        let index = Index::new(&Params { m: 4, metric, ..Params::new(3) }).unwrap();
        let mut vectors: Vec<f32> = (0..3 * ROWS).map(|i| (1 + i * i % 101) as f32).collect();
        vectors[30..33].fill(0.0);
        let labels: Vec<u64> = (0..ROWS).collect();
        index.add(&vectors, &labels, AddMode::default(), 1, false, &mut |_, _| {}).unwrap();
        create_directory(&index, &path).unwrap();
        drop(index);
        fs::remove_file(path.join("header.bin")).unwrap();
        fs::remove_file(path.join("hnx.sums")).unwrap();
        let (index, report) = salvaged(&path, metric);
        assert_eq!((report.damage, report.kept, report.lengths_lost), (DAMAGED_HEADER, ROWS, 0), "{metric:?}");
        let mut found = [1.0; 3];
        index.get(&[10], &mut found).unwrap();
        assert_eq!(found, [0.0; 3]);
        write(&path.join("link_lists.bin"), |bytes| bytes.truncate(20));
        assert_eq!(salvaged(&path, metric).1.damage, DAMAGED_HEADER | DAMAGED_LISTS);
    }
}

/// A single file tells by its size which of the two formats it is, and by what stands where lengths would be.
#[test]
fn single_files_are_read_as_far_as_they_go() {
    let folder = Folder::new("salvage-files");
    let path = folder.0.join("file");
    let index = Index::new(&Params { m: 4, metric: Metric::Cosine, ..Params::new(3) }).unwrap();
    let vectors: Vec<f32> = (0..3 * ROWS).map(|i| (1 + i * i % 101) as f32).collect();
    let labels: Vec<u64> = (0..ROWS).collect();
    index.add(&vectors, &labels, AddMode::default(), 1, false, &mut |_, _| {}).unwrap();
    let stride = 4 + 32 + 12 + 8;
    for (format, lost) in [(Format::Hnswlib, ROWS), (Format::Chroma, 0)] {
        save(&index, &path, format).unwrap();
        let report = salvaged(&path, Metric::Cosine).1;
        assert_eq!((report.damage, report.kept, report.lengths_lost), (0, ROWS, 0));
        let lists = 96 + ROWS as usize * (stride + if format == Format::Chroma { 4 } else { 0 });
        write(&path, |bytes| bytes[lists] = 3);
        let report = salvaged(&path, Metric::Cosine).1;
        assert_eq!((report.kept, report.lengths_lost), (ROWS, lost), "{format:?}");
        assert_eq!(report.damage, DAMAGED_LISTS | if lost == 0 { 0 } else { DAMAGED_LENGTHS });
        // A value that is none, half a vector, and the end is gone.
        write(&path, |bytes| {
            bytes[96 + 36..96 + 40].copy_from_slice(&f32::INFINITY.to_le_bytes());
            bytes[96 + stride + 36..96 + stride + 40].copy_from_slice(&9f32.to_le_bytes());
            bytes.truncate(96 + 30 * stride + 5);
        });
        let report = salvaged(&path, Metric::Cosine).1;
        assert_eq!((report.kept, report.missing, report.not_finite, report.implausible), (28, ROWS - 30, 1, 1));
        write(&path, |bytes| bytes[..96].fill(0xAB));
        assert_eq!(salvaged(&path, Metric::Cosine).1.damage & DAMAGED_HEADER, DAMAGED_HEADER);
    }
    let params = |m: usize| SalvageParams {
        metric: Metric::Cosine,
        dim: 3,
        m,
        ef_construction: 9,
        threads: 1,
        allow_replace_deleted: false,
        beyond_count: true,
    };
    assert_eq!(salvage(&path, &params(4)).unwrap().1.kept, 28);
    assert!(matches!(salvage(&path, &params(1)), Err(Error::InvalidArgument(_))));
    fs::write(&path, [0xAB; 4000]).unwrap();
    for m in [0, 4] {
        assert!(matches!(salvage(&path, &params(m)), Err(Error::Corrupt(_))), "nothing is there");
    }
}
