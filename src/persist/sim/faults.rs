//! The protocol under errors: a call fails, once or from then on. The status says so, the index in memory is as it was
//! and as dirty, nothing on disk is mixed, and once the fault has gone the next persist loses nothing.

use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::SeedableRng;

use super::driver::{open, Plan, Scenario, Snapshot};
use super::{Disk, Fault, Keep, State};
use crate::error::Error;
use crate::sync::lock;

const ERRNOS: [i32; 4] = [libc::EIO, libc::ENOSPC, libc::EDQUOT, libc::EROFS];

/// How many errors: `HNX_IO_ERRORS`, or what a test run has time for.
fn wanted() -> usize {
    std::env::var("HNX_IO_ERRORS").ok().and_then(|text| text.parse().ok()).unwrap_or(500)
}

/// What a power cut leaves is one of these.
fn survives(state: &State, plan: &Plan, allowed: &[&Arc<Snapshot>], keep: Keep, what: &str) {
    let mut rng = SmallRng::seed_from_u64(state.calls);
    let disk = Disk::of(state.survivor(keep, &mut rng));
    let index = open(&disk, plan).unwrap_or_else(|error| panic!("{what}: {error}, {plan:?}"));
    let found = Snapshot::of(&index);
    assert!(allowed.iter().any(|allowed| **allowed == found), "{what}: another state, {plan:?}");
}

/// One persist, with an error at its `call`th call; false if there was no such call.
fn fails_and_goes_on(seed: u64, call: u64, fault: Fault) -> bool {
    let plan = Plan { bulk: seed % 3 == 2, ..Plan::new(seed) };
    let mut scenario = Scenario::new(plan);
    scenario.change();
    scenario.create().unwrap();
    scenario.change();
    scenario.persist().unwrap();
    let before = Snapshot::of(&scenario.index);
    scenario.change();
    let after = Snapshot::of(&scenario.index);
    let dirty = scenario.index.stats().dirty_records;

    let started = {
        let mut state = lock(&scenario.disk.state);
        state.fault = Some((state.calls + call, fault));
        state.calls
    };
    let result = scenario.persist();
    if matches!(fault, Fault::Error { forever: true, .. }) && result.is_err() {
        // Once more while nothing has changed for the better.
        assert!(scenario.persist().is_err(), "{fault:?} at call {call}: {plan:?}");
    }
    let (state, met) = {
        let mut state = lock(&scenario.disk.state);
        let met = state.calls >= started + call;
        state.fault = None;
        (state.clone(), met)
    };
    let what = format!("{fault:?} at call {call}");
    match &result {
        // What comes after the last sync cannot fail a persist.
        Ok(_) => survives(&state, &plan, &[&after], Keep::Nothing, &what),
        Err(Error::Io(text)) => {
            assert!(text.contains("os error"), "{text}");
            assert_eq!(scenario.index.stats().dirty_records, dirty, "{what}");
            for keep in [Keep::Nothing, Keep::All, Keep::Some { torn: false }] {
                survives(&state, &plan, &[&before, &after], keep, &what);
            }
        }
        Err(error) => panic!("{what}: {error:?}"),
    }
    assert!(*Snapshot::of(&scenario.index) == *after, "{what}: the index in memory is another");

    scenario.change();
    let last = Snapshot::of(&scenario.index);
    scenario.persist().unwrap_or_else(|error| panic!("{what}, then: {error}, {plan:?}"));
    let state = lock(&scenario.disk.state).clone();
    survives(&state, &plan, &[&last], Keep::Nothing, &format!("{what}, after the next persist"));
    met
}

/// Every call of a persist fails once, or from then on until the fault is gone, with every errno.
#[test]
fn an_error_at_any_call_is_told_and_loses_nothing() {
    let mut errors = 0;
    for seed in 0.. {
        for call in 1.. {
            let mut any = false;
            for (kind, errno) in ERRNOS.into_iter().enumerate() {
                // Both kinds of each errno come up as seeds and calls go on.
                let forever = (seed + call + kind as u64).is_multiple_of(2);
                any |= fails_and_goes_on(seed, call, Fault::Error { errno, forever });
                errors += 1;
            }
            if !any {
                break;
            }
        }
        if errors >= wanted() {
            break;
        }
    }
    println!("{errors} injected errors");
}

/// A sync that fails and forgets, as Linux' do, must not pass for done when it is asked again: with a library that
/// only repeated it this test finds nothing on the device.
#[test]
fn a_failed_sync_is_never_trusted() {
    for seed in 0..12 {
        for call in 1..80 {
            if !fails_and_goes_on(1000 + seed, call, Fault::Error { errno: libc::EIO, forever: false }) {
                break;
            }
        }
    }
}

/// A creation that fails leaves no index, or the one that was to be replaced; the next one succeeds, for good.
#[test]
fn an_error_at_any_call_of_a_creation_leaves_what_was() {
    for seed in 0..3 {
        for call in 1.. {
            let mut any = false;
            for (replace, forever) in [(false, false), (false, true), (true, false), (true, true)] {
                any |= fails_to_create_and_goes_on(Plan { bulk: false, ..Plan::new(seed) }, call, replace, forever);
            }
            if !any {
                break;
            }
        }
    }
}

/// One creation, with an error at its `call`th call; false if there was no such call.
fn fails_to_create_and_goes_on(plan: Plan, call: u64, replace: bool, forever: bool) -> bool {
    let mut scenario = Scenario::new(plan);
    scenario.change();
    let mut before = None;
    if replace {
        scenario.create().unwrap();
        before = Some(Snapshot::of(&scenario.index));
        *lock(scenario.index.core().directory()) = None;
        scenario.change();
    }
    let after = Snapshot::of(&scenario.index);
    let at = {
        let mut state = lock(&scenario.disk.state);
        let (at, errno) = (state.calls + call, ERRNOS[call as usize % ERRNOS.len()]);
        state.fault = Some((at, Fault::Error { errno, forever }));
        at
    };
    let made = scenario.create_over(replace).map(|_| ());
    let (state, met) = {
        let mut state = lock(&scenario.disk.state);
        state.fault = None;
        (state.clone(), state.calls >= at)
    };
    let what = format!("creation, error at call {call}, replace {replace}, forever {forever}");
    match (&made, &before) {
        (Ok(()), _) => survives(&state, &plan, &[&after], Keep::Nothing, &what),
        (Err(_), Some(before)) => {
            for keep in [Keep::Nothing, Keep::All, Keep::Some { torn: false }] {
                survives(&state, &plan, &[before, &after], keep, &what);
            }
        }
        (Err(_), None) => {
            if let Ok(index) = open(&Disk::of(state.clone()), &plan) {
                assert!(*Snapshot::of(&index) == *after, "{what}: another state");
            }
        }
    }
    let again = scenario.create_over(true).map(|_| ());
    assert!(again.is_ok(), "{what}, then: {again:?}");
    let state = lock(&scenario.disk.state).clone();
    survives(&state, &plan, &[&after], Keep::Nothing, &format!("{what}, after the next"));
    met
}
