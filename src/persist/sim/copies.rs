//! Copies of a directory, taken file by file while a writer is at work.

use std::path::Path;
use std::sync::{Arc, Mutex};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::driver::{open, Plan, Scenario, Snapshot, FOLDER};
use super::{Disk, Inode, State};
use crate::sync::lock;

/// The directory as a program copies it: one file after the other, in any order, large ones in two pieces, all of it in
/// the time from the first state to the last.
fn copy(states: &[State], rng: &mut SmallRng) -> State {
    let mut names: Vec<_> = states[0].names.keys().filter(|path| path.parent() == Some(Path::new(FOLDER))).collect();
    let (mut image, mut now) = (State::default(), 0);
    image.inodes.push(Inode { folder: true, ..Inode::default() });
    image.names.insert(FOLDER.into(), 0);
    while !names.is_empty() {
        let path = names.swap_remove(rng.random_range(0..names.len()));
        now = rng.random_range(now..states.len());
        let Some(first) = states[now].content(path) else { continue };
        let mut content = first.to_vec();
        now = rng.random_range(now..states.len());
        let half = content.len() / 2;
        if let Some(second) = states[now].content(path).filter(|second| second.len() > half) {
            content.truncate(half);
            content.extend_from_slice(&second[half..]);
        }
        image.names.insert(path.clone(), image.inodes.len());
        let modified = 1_000_000 + image.inodes.len() as i64;
        image.inodes.push(Inode { seen: content.clone(), durable: Arc::new(content), modified, ..Inode::default() });
    }
    image.durable_names = image.names.clone();
    image
}

/// A copy opens as a state that there was, or is refused.
#[test]
fn a_copy_is_a_state_that_there_was_or_is_refused() {
    let (mut opened, mut refused) = (0, 0);
    for seed in 0..40 {
        let plan = Plan { torn: false, ..Plan::new(seed) };
        let mut scenario = Scenario::new(plan);
        scenario.change();
        scenario.create().unwrap();
        let mut snapshots = vec![Snapshot::of(&scenario.index)];
        let states = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&states);
        *lock(&scenario.disk.probe) = Some(Box::new(move |state| lock(&taken).push(state.clone())));
        for _ in 0..4 {
            scenario.change();
            snapshots.push(Snapshot::of(&scenario.index));
            scenario.persist().unwrap();
        }
        let states = std::mem::take(&mut *lock(&states));
        let mut rng = SmallRng::seed_from_u64(seed);
        for number in 0..60 {
            // Short copies, and ones that see many persists.
            let first = rng.random_range(0..states.len());
            let last = if number % 2 == 0 { states.len() } else { (first + rng.random_range(1..30)).min(states.len()) };
            let disk = Disk::of(copy(&states[first..last], &mut rng));
            match open(&disk, &plan) {
                Ok(index) => {
                    let found = Snapshot::of(&index);
                    assert!(snapshots.contains(&found), "copy {number} is a state that never was, {plan:?}");
                    opened += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(opened > 200 && refused > 200, "{opened} opened, {refused} refused");
}
