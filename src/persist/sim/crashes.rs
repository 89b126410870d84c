//! The protocol under crashes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rand::rngs::SmallRng;
use rand::SeedableRng;

use super::driver::{Outcome, Plan, Scenario, Snapshot, FOLDER};
use super::{Keep, State};
use crate::index::Index;
use crate::params::Metric;
use crate::persist::{load, salvage, Check, LoadParams, Report, SalvageParams};
use crate::sync::lock;

/// How much is to be simulated: `HNX_CRASH_IMAGES`, or what a test run has time for.
fn wanted() -> u64 {
    std::env::var("HNX_CRASH_IMAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

/// Every state that a crash can leave is the one before or the one after, also after crashes of the recovery. The
/// seeds start at `HNX_CRASH_SEED`; two threads share them.
#[test]
fn a_crash_leaves_the_state_before_or_after() {
    let first = std::env::var("HNX_CRASH_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let seeds = std::sync::atomic::AtomicU64::new(first);
    let wanted = wanted();
    let total = std::sync::Mutex::new(Outcome::default());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| loop {
                let outcome = {
                    let total = total.lock().unwrap();
                    if total.images >= wanted && total.nested >= wanted / 5 || total.violation.is_some() {
                        break;
                    }
                    drop(total);
                    let seed = seeds.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    Scenario::new(Plan::new(seed)).run()
                };
                total.lock().unwrap().add(&outcome);
            });
        }
    });
    let total = total.into_inner().unwrap();
    println!(
        "{} crash points, {} images opened and compared, {} of them and of their like crashed in recovery, {} loaded, seeds {first}..{}",
        total.points,
        total.images,
        total.nested,
        total.opened,
        seeds.into_inner()
    );
    assert!(total.violation.is_none(), "{}", total.violation.unwrap_or_default());
}

/// Puts what a crash left into a real folder.
fn write_out(state: &State, folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for path in state.names.keys().filter(|path| path.parent() == Some(Path::new(FOLDER))) {
        fs::write(folder.join(path.file_name().unwrap()), state.content(path).unwrap()).unwrap();
    }
}

/// Salvage reads a half-applied directory through its journal, with or without its header: all is as after the persist.
fn is_salvaged(folder: &Path, params: &LoadParams, after: &Index) {
    let header = fs::read(folder.join("header.bin")).unwrap();
    let params = SalvageParams {
        metric: params.metric,
        dim: params.dim,
        m: 0,
        ef_construction: 0,
        threads: 1,
        allow_replace_deleted: true,
        beyond_count: false,
    };
    let content = |index: &Index| {
        let mut labels = vec![0; index.count() - index.deleted_count()];
        index.list_labels(|deleted| !deleted, &mut labels).unwrap();
        labels.sort_unstable();
        let mut vectors = vec![0.0; labels.len() * params.dim];
        index.get(&labels, &mut vectors).unwrap();
        (labels, vectors, index.deleted_count())
    };
    for header in [&header[..], &[], &[0x55; 100]] {
        fs::write(folder.join("header.bin"), header).unwrap();
        let (index, report) = salvage(folder, &params).unwrap();
        let expected = Report {
            stated: after.count() as u64,
            records: after.count() as u64,
            kept: after.count() as u64,
            deleted: after.deleted_count() as u64,
            ..Report::default()
        };
        assert_eq!(report, expected);
        assert!(content(&index) == content(after));
    }
    fs::write(folder.join("header.bin"), header).unwrap();
}

/// Directories that a crash has left half-applied open as the state before or after, from a real file system. With
/// `HNX_HALF_APPLIED` as many as it says are put into the folder `HNX_HALF_APPLIED_IN`, for others to be tested with:
/// each is named by its number, metric and dim.
#[test]
fn half_applied_directories_open() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let wanted: usize = number("HNX_HALF_APPLIED").unwrap_or(40);
    let kept = std::env::var_os("HNX_HALF_APPLIED_IN").map(PathBuf::from);
    let among = std::env::temp_dir().join(format!("hnx-half-applied-{}", std::process::id()));
    let mut made = 0;
    for seed in 0.. {
        let plan = Plan { torn: false, ..Plan::new(seed) };
        let mut scenario = Scenario::new(plan);
        scenario.change();
        scenario.create().unwrap();
        for _ in 0..4 {
            scenario.change();
            let images = Arc::new(Mutex::new(Vec::new()));
            let (found, mut rng) = (Arc::clone(&images), SmallRng::seed_from_u64(seed));
            *lock(&scenario.disk.probe) = Some(Box::new(move |state| {
                let image = state.survivor(Keep::Some { torn: false }, &mut rng);
                if image
                    .content(&Path::new(FOLDER).join("header.bin"))
                    .is_some_and(|header| header.starts_with(b"JRNL"))
                {
                    lock(&found).push(image);
                }
            }));
            let after = Snapshot::of(&scenario.index);
            scenario.persist().unwrap();
            for image in lock(&images).drain(..) {
                let metric = if plan.cosine { "cosine" } else { "l2" };
                let folder = kept.as_ref().unwrap_or(&among).join(format!("{made}-{metric}-{}", plan.dim));
                write_out(&image, &folder);
                let params = LoadParams {
                    metric: if plan.cosine { Metric::Cosine } else { Metric::L2 },
                    dim: plan.dim,
                    max_elements: 0,
                    allow_replace_deleted: true,
                    mmap: false,
                    read_only: true,
                    check: Check::Deep,
                };
                // First as a reader sees it, who must not write; then recovered.
                assert!(*Snapshot::of(&load(&folder, &params).unwrap()) == *after, "read, {plan:?}");
                is_salvaged(&folder, &params, &scenario.index);
                assert_eq!(fs::read(folder.join("header.bin")).unwrap()[..4], *b"JRNL");
                if kept.is_none() {
                    let writable = LoadParams { read_only: false, ..params };
                    assert!(*Snapshot::of(&load(&folder, &writable).unwrap()) == *after, "recovered, {plan:?}");
                }
                made += 1;
            }
        }
        if made >= wanted {
            break;
        }
    }
    println!("{made} half-applied directories");
    let _ = fs::remove_dir_all(&among);
}
