//! One writer at a time, within a process; between processes: `ctests/c/persist_processes.c`.

use std::fs;

use super::{index_of, open, Folder};
use crate::error::Error;
use crate::persist::directory::create_directory;
use crate::persist::hold::{is_ours, lock_header};
use crate::persist::storage::{self, Access, OsStorage, Storage};
use crate::persist::{create_directory as create, persist_dirty, verify};

/// Two handles open a directory; who persists first holds it.
#[test]
fn the_second_writer_of_a_process_is_told() {
    let folder = Folder::new("second");
    let path = folder.0.join("directory");
    create(&index_of(20), &path).unwrap();
    let (first, second) = (open(&path).unwrap(), open(&path).unwrap());
    assert!(is_ours(&OsStorage, &path));
    first.mark_deleted(1).unwrap();
    second.mark_deleted(2).unwrap();
    let Err(Error::Locked(text)) = persist_dirty(&second) else { panic!("two writers") };
    assert!(text.contains("another handle of this process"), "{text}");
    persist_dirty(&first).unwrap();
    drop(first);
    assert!(matches!(persist_dirty(&second), Err(Error::Conflict(_))), "it was written since");
    assert_eq!(open(&path).unwrap().deleted_count(), 1);
}

/// A reader that stays keeps a persist out for as long as it waits; nothing is lost.
#[test]
fn a_persist_waits_for_readers() {
    let folder = Folder::new("waits");
    let path = folder.0.join("directory");
    let index = index_of(20);
    create(&index, &path).unwrap();
    let reader = storage::open(&OsStorage, &path.join("header.bin"), Access::Read).unwrap();
    lock_header(reader.as_ref(), false, &path).unwrap();
    index.mark_deleted(1).unwrap();
    let Err(Error::Locked(text)) = persist_dirty(&index) else { panic!("a reader is disturbed") };
    assert!(text.contains("a reader is at work"), "{text}");
    assert_eq!(verify(&path).unwrap().damaged, 0);
    reader.unlock();
    assert_eq!(persist_dirty(&index).unwrap().records, 1);
    drop(index);
    assert_eq!(open(&path).unwrap().deleted_count(), 1);
}

/// What a creation may replace, and what not.
#[test]
fn a_directory_is_replaced_only_when_that_is_asked_for() {
    let folder = Folder::new("replaced");
    let path = folder.0.join("directory");
    create(&index_of(20), &path).unwrap();
    let other = index_of(9);
    assert!(matches!(create(&other, &path), Err(Error::InvalidArgument(_))));
    create_directory(other.core(), &other.stated(), &path, true).unwrap();
    drop(other);
    assert_eq!((open(&path).unwrap().count(), verify(&path).unwrap().checked), (9, 9));
    // A header that is cut is none: what is beside it is replaced, too, if it may be.
    fs::write(path.join("header.bin"), [1; 50]).unwrap();
    let other = index_of(12);
    assert!(matches!(create(&other, &path), Err(Error::InvalidArgument(_))));
    create_directory(other.core(), &other.stated(), &path, true).unwrap();
    drop(other);
    assert_eq!((open(&path).unwrap().count(), verify(&path).unwrap().checked), (12, 12));
    fs::remove_file(path.join("header.bin")).unwrap();
    assert!(matches!(create(&index_of(3), &path), Err(Error::InvalidArgument(_))), "records are there");
    assert!(matches!(persist_dirty(&index_of(3)), Err(Error::InvalidArgument(_))), "no directory");
    let file = folder.0.join("file");
    fs::write(&file, [0; 10]).unwrap();
    assert!(matches!(create(&index_of(3), &file), Err(Error::Io(_))));
}

/// What has the name of one of our own files and is none is refused, not followed.
#[cfg(unix)]
#[test]
fn links_in_place_of_own_files_are_not_followed() {
    let folder = Folder::new("links");
    let path = folder.0.join("directory");
    create(&index_of(20), &path).unwrap();
    let target = folder.0.join("target");
    fs::write(&target, b"precious").unwrap();
    std::os::unix::fs::symlink(&target, path.join("hnx.journal")).unwrap();
    assert!(matches!(open(&path), Err(Error::Io(_))));
    assert_eq!(fs::read(&target).unwrap(), b"precious");
    let absent = folder.0.join("absent");
    assert!(OsStorage.open(&path, Access::Read).is_err(), "a folder is no file");
    assert!(OsStorage.remove(&path).is_err() && OsStorage.rename(&path, &target).is_err());
    assert!(OsStorage.is_empty_dir(&absent).is_err() && OsStorage.sync_dir(&absent).is_err());
    assert!(OsStorage.create(&absent.join("file")).is_err());
}
