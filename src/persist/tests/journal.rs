//! A journal is a file like any other: what it says is done when it is whole and possible, else nothing is.

use std::fs;
use std::path::Path;

use super::{index_of, open, Folder};
use crate::error::Error;
use crate::params::Metric;
use crate::persist::hash::xxh64;
use crate::persist::journal::{Changes, Head, Kind, BODY, HEAD};
use crate::persist::storage::{OsStorage, Storage};
use crate::persist::{create_directory, load, salvage, verify, Check, LoadParams, SalvageParams};

const FILES: [&str; 5] = ["header.bin", "data_level0.bin", "length.bin", "link_lists.bin", "hnx.sums"];
const ROWS: u64 = 20;

/// The parts of a journal, to be made wrong.
struct Draft {
    changes: Changes,
    head: Head,
}

/// One that changes the label of record 2 to 77.
fn draft(path: &Path) -> Draft {
    let header = *fs::read(path.join("header.bin")).unwrap().first_chunk().unwrap();
    let lens = [1, 2, 3, 4].map(|file| fs::metadata(path.join(FILES[file])).unwrap().len());
    let mut changes = Changes::default();
    let stride = lens[0] / ROWS;
    changes.put(0, 2 * stride + stride - 8, |to| to.extend_from_slice(&77u64.to_le_bytes()));
    let head = Head {
        kind: Kind::Changes,
        nonce: 99,
        sequence: 2,
        body_len: 0,
        body_hash: 0,
        before: lens,
        after: lens,
        header_before: header,
        header_after: header,
    };
    Draft { changes, head }
}

/// Leaves a directory with a journal that was begun.
fn begin(path: &Path, draft: Draft) {
    let _ = fs::remove_file(path.join("hnx.journal"));
    let mut file = OsStorage.create(&path.join("hnx.journal")).unwrap().unwrap();
    let poison = draft.head.poison();
    draft.changes.finish(draft.head).unwrap().write(file.as_mut(), b"1").unwrap();
    fs::write(path.join("header.bin"), poison).unwrap();
}

fn read_only(path: &Path, check: Check) -> Result<crate::index::Index, Error> {
    let (max_elements, allow_replace_deleted, mmap, read_only) = (0, false, false, true);
    let params = LoadParams { metric: Metric::L2, dim: 3, max_elements, allow_replace_deleted, mmap, read_only, check };
    load(path, &params)
}

fn files(path: &Path) -> Vec<Option<Vec<u8>>> {
    FILES.iter().map(|name| fs::read(path.join(name)).ok()).collect()
}

#[test]
fn a_journal_that_was_begun_is_read_through_and_finished() {
    let folder = Folder::new("begun");
    let path = folder.0.join("directory");
    create_directory(&index_of(ROWS), &path).unwrap();
    fs::write(path.join("hnx.sums"), [0; 600]).unwrap();
    begin(&path, draft(&path));
    let before = files(&path);
    let index = read_only(&path, Check::Fast).unwrap();
    index.get(&[77], &mut [0.0; 3]).unwrap();
    assert_eq!(verify(&path).unwrap().checked, 0);
    assert!(files(&path) == before, "a reader writes nothing");
    assert!(open(&path).is_err(), "a deep check, and hnx.sums is none");
    fs::remove_file(path.join("hnx.sums")).unwrap();
    let index = open(&path).unwrap();
    index.get(&[77], &mut [0.0; 3]).unwrap();
    drop(index);
    assert!(!path.join("hnx.journal").exists());
}

/// Each of these journals is refused before anything is written; salvage reads what there is.
#[test]
fn a_journal_that_is_not_possible_changes_nothing() {
    type Spoil = fn(&mut Draft);
    let wrong: [(&str, Spoil); 10] = [
        ("beyond the file", |d| d.changes.put(0, 1 << 40, |to| to.push(1))),
        ("at no offset", |d| d.changes.put(1, u64::MAX - 8, |to| to.extend_from_slice(&[1; 8]))),
        ("beyond what records need", |d| {
            d.head.after[1] = 10_000;
            d.changes.put(1, 5000, |to| to.push(1));
        }),
        ("a header that is none", |d| d.head.header_after = [1; 100]),
        ("a vector before its links", |d| d.head.header_after[36] = 0),
        ("a vector of gigabytes", |d| d.head.header_after[40] = 1),
        ("a cut file", |d| d.head.before[0] += 1),
        ("a cut file of lists", |d| d.head.before[2] += 1),
        ("new files that are not there", |d| {
            d.head.kind = Kind::Replacement;
            d.head.after[0] += 1;
        }),
        ("of another header", |d| d.head.header_before = [7; 100]),
    ];
    for (what, spoil) in wrong {
        let folder = Folder::new("impossible");
        let path = folder.0.join("directory");
        create_directory(&index_of(ROWS), &path).unwrap();
        let mut draft = draft(&path);
        spoil(&mut draft);
        begin(&path, draft);
        if what == "of another header" {
            fs::write(path.join("header.bin"), [0x55; 100]).unwrap();
        }
        let before = files(&path);
        assert!(matches!(open(&path), Err(Error::Corrupt(_) | Error::Version(_))), "{what}");
        assert!(files(&path)[1..] == before[1..], "{what}");
        let params = SalvageParams {
            metric: Metric::L2,
            dim: 3,
            m: 0,
            ef_construction: 0,
            threads: 1,
            allow_replace_deleted: false,
            beyond_count: false,
        };
        assert_eq!(salvage(&path, &params).unwrap().1.kept, ROWS, "{what}");
    }
}

/// A journal that is not whole was not begun: with a header it is forgotten, without one it is missed.
#[test]
fn a_journal_that_is_not_whole_is_none() {
    let folder = Folder::new("not-whole");
    let path = folder.0.join("directory");
    create_directory(&index_of(ROWS), &path).unwrap();
    let header = fs::read(path.join("header.bin")).unwrap();
    let journal = path.join("hnx.journal");
    begin(&path, draft(&path));
    let whole = fs::read(&journal).unwrap();
    let spoilt = |change: fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        bytes
    };
    let cases = [
        spoilt(|bytes| bytes.truncate(BODY - 1)),
        spoilt(|bytes| bytes.truncate(HEAD - 1)),
        spoilt(|bytes| bytes.truncate(BODY + 8)),
        spoilt(|bytes| bytes[BODY + 16] ^= 1),
        spoilt(|bytes| bytes[20] ^= 1),
        spoilt(|bytes| bytes[0] ^= 1),
        spoilt(|bytes| {
            bytes[8] = 9; // a kind that there is not, with the right hash
            let hash = xxh64(&bytes[..HEAD - 8], 0);
            bytes[HEAD - 8..HEAD].copy_from_slice(&hash.to_le_bytes());
        }),
        Vec::new(),
    ];
    for bytes in cases {
        fs::write(&journal, &bytes).unwrap();
        fs::write(path.join("header.bin"), [b"JRNL", &[0xFF; 96][..]].concat()).unwrap();
        for result in [open(&path).map(|_| ()), read_only(&path, Check::Default).map(|_| ()), verify(&path).map(|_| ())]
        {
            let Err(Error::Corrupt(text)) = result else { panic!("{} bytes: {result:?}", bytes.len()) };
            assert!(text.contains("hnx.journal"), "{text}");
        }
        fs::write(path.join("header.bin"), &header).unwrap();
        fs::write(&journal, &bytes).unwrap();
        let index = open(&path).unwrap();
        index.get(&[2], &mut [0.0; 3]).unwrap();
        drop(index);
    }
    // New files that were not put into place are cleared away.
    fs::write(path.join("data_level0.bin.new"), b"left").unwrap();
    drop(open(&path).unwrap());
    assert!(!path.join("data_level0.bin.new").exists());
}

/// A few kilobytes that say they have terabytes cost no more memory than kilobytes do.
#[test]
fn a_journal_of_sparse_files_is_refused() {
    let sparse = |name: &str, path: &Path| {
        fs::File::options().write(true).open(path.join(name)).unwrap().set_len(1 << 42).unwrap();
    };
    let many = |draft: &mut Draft| draft.head.header_after[20..28].copy_from_slice(&(1u64 << 31).to_le_bytes());
    type Spoil<'a> = &'a dyn Fn(&mut Draft, &Path);
    let wrong: [(&str, Spoil<'_>); 4] = [
        ("a hole of records", &|draft, path| {
            many(draft);
            sparse("data_level0.bin", path);
        }),
        ("a range far behind", &|draft, _| {
            many(draft);
            draft.changes.put(1, 1 << 32, |to| to.extend_from_slice(&[1; 8]));
            draft.head.after[1] = (1 << 32) + 8;
        }),
        ("many ranges, each a little behind the one before", &|draft, _| {
            many(draft);
            (1..500).for_each(|i| draft.changes.put(1, i * (16 << 20), |to| to.push(1)));
            draft.head.after[1] = 500 * (16 << 20);
        }),
        ("a hole of lists", &|draft, path| {
            many(draft);
            sparse("link_lists.bin", path);
        }),
    ];
    for (what, spoil) in wrong {
        let folder = Folder::new("sparse-journal");
        let path = folder.0.join("directory");
        create_directory(&index_of(ROWS), &path).unwrap();
        let mut draft = draft(&path);
        spoil(&mut draft, &path);
        begin(&path, draft);
        let used = || -> u64 {
            let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
            let peak = status.lines().find(|line| line.starts_with("VmHWM:"));
            peak.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
        };
        let before = used();
        for check in [Check::Fast, Check::Deep] {
            assert!(matches!(read_only(&path, check), Err(Error::Corrupt(_))), "{what}");
        }
        assert!(
            matches!(verify(&path), Err(Error::Corrupt(_)) | Ok(crate::persist::Verified { checked: 0, .. })),
            "{what}"
        );
        // Other tests are at work meanwhile.
        assert!(used() - before < 2 << 20, "{what}: {} KiB", used() - before);
    }
}

/// Holes that are not hostile: checksums of records that another program has written are one, whatever is behind the
/// end of lists, and lengths that were taken away. A reader that cannot finish a persist sees what it will make of
/// them.
#[test]
fn a_journal_of_honest_holes_counts() {
    let long = |name: &str, path: &Path| {
        fs::File::options().write(true).open(path.join(name)).unwrap().set_len(1 << 36).unwrap();
    };
    type Make<'a> = &'a dyn Fn(&Path);
    let holes: [(&str, Make<'_>); 4] = [
        ("sums", &|path| long("hnx.sums", path)),
        ("lists", &|path| long("link_lists.bin", path)),
        ("lengths", &|path| fs::write(path.join("length.bin"), []).unwrap()),
        ("records", &|path| long("data_level0.bin", path)),
    ];
    for (what, make) in holes {
        let folder = Folder::new("honest-holes");
        let path = folder.0.join("directory");
        create_directory(&index_of(ROWS), &path).unwrap();
        let mut draft = draft(&path);
        draft.changes.put(1, 8, |to| to.extend_from_slice(&[0; 4]));
        begin(&path, draft);
        make(&path);
        let index = read_only(&path, Check::Fast).unwrap();
        assert!(index.get(&[77], &mut [0.0; 3]).is_ok(), "{what}");
        verify(&path).unwrap();
    }
}
