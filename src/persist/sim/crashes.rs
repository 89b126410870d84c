//! The protocol under crashes.

use super::driver::{Outcome, Plan, Scenario};

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
