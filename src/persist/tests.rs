mod beside;
mod damage;
mod formats;
mod holding;
mod journal;
mod salvage;

use std::fs;
use std::path::{Path, PathBuf};

use super::{create_directory, load, persist_dirty, save, Check, Format, LoadParams};
use crate::error::Error;
use crate::index::{AddMode, Index};
use crate::params::{Metric, Params};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hnx-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn index_of(rows: u64) -> Index {
    let index = Index::new(&Params { m: 4, ..Params::new(3) }).unwrap();
    let vectors: Vec<f32> = (0..3 * rows).map(|i| (i * i % 101) as f32).collect();
    let labels: Vec<u64> = (0..rows).collect();
    index.add(&vectors, &labels, AddMode::default(), 1, false, &mut |_, _| {}).unwrap();
    index
}

fn open(path: &Path) -> Result<Index, Error> {
    let params = LoadParams {
        metric: Metric::L2,
        dim: 3,
        max_elements: 0,
        allow_replace_deleted: false,
        mmap: false,
        read_only: false,
        check: Check::Deep,
    };
    load(path, &params)
}

/// A process that was killed while it saved leaves its temporary file; another process may have the same id (in a
/// container it is always 1). What is left must not become part of the next file.
#[test]
fn a_leftover_temporary_file_is_not_written_into() {
    let folder = Folder::new("leftover");
    let leftover = folder.0.join(format!(".index.{}-0.tmp", std::process::id()));
    fs::write(&leftover, vec![7u8; 1 << 20]).unwrap();
    let path = folder.0.join("index");
    save(&index_of(50), &path, Format::Hnswlib).unwrap();
    assert_eq!(open(&path).unwrap().count(), 50);
    assert_eq!(fs::read(&leftover).unwrap(), vec![7u8; 1 << 20]);
}

/// A file of the directory that somebody removed is a failure; one made anew would hold the changed records only.
#[test]
fn a_missing_file_is_not_made_anew() {
    let folder = Folder::new("missing");
    let directory = folder.0.join("directory");
    let index = index_of(50);
    create_directory(&index, &directory).unwrap();
    let records = directory.join("data_level0.bin");
    fs::rename(&records, folder.0.join("aside")).unwrap();
    index.mark_deleted(7).unwrap();
    assert!(matches!(persist_dirty(&index), Err(Error::Io(_))));
    assert!(!records.exists());
    fs::rename(folder.0.join("aside"), &records).unwrap();
    assert_eq!(persist_dirty(&index).unwrap().records, 1, "still dirty after the failure");
    assert_eq!(open(&directory).unwrap().deleted_count(), 1);
}

/// A link section may be far longer than its lists (Chroma's only grows): what is behind them is not read.
#[test]
fn a_sparse_list_file_costs_nothing() {
    let folder = Folder::new("sparse");
    let directory = folder.0.join("directory");
    save(&index_of(50), &directory, Format::ChromaDirectory).unwrap();
    let lists = fs::OpenOptions::new().write(true).open(directory.join("link_lists.bin")).unwrap();
    lists.set_len(1 << 38).unwrap();
    assert_eq!(open(&directory).unwrap().count(), 50);
}
