//! Salvage with what libhnx keeps beside the four files.

use std::fs;
use std::path::Path;

use super::{index_of, Folder};
use crate::index::{AddMode, Index};
use crate::params::{Metric, Params};
use crate::persist::{create_directory, salvage, Report, SalvageParams};
use crate::persist::{DAMAGED_HEADER, DAMAGED_LISTS, DAMAGED_RECORDS};

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

/// Neither header nor checksums: a vector of zeros is one as long as it has links, and lists are only damaged if they are.
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
