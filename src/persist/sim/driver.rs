//! Random histories of an index on the simulated disk, a crash at every call that changes something, and a judge who
//! opens what each crash leaves and compares it with the states that it may have.

use std::path::Path;
use std::sync::{Arc, Mutex};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::mutants::Mutant;
use super::{Disk, Fault, Keep, State};
use crate::error::Result;
use crate::index::{AddMode, Index, Traits};
use crate::params::{Metric, Params};
use crate::persist::buffers::{save_buffers, BuffersMut};
use crate::persist::directory::{persist_dirty, Directory, FoundSums, Persisted};
use crate::persist::enter::{enter, Intent};
use crate::persist::journal::header_of;
use crate::persist::open::{load_buffers, Buffers, Check};
use crate::persist::read::Placement;
use crate::persist::storage::Storage;
use crate::persist::verify;
use crate::store::Slot;
use crate::sync::lock;

/// Where the index is.
pub(super) const FOLDER: &str = "/index";
/// The four files.
const FILES: [&str; 4] = ["header.bin", "data_level0.bin", "length.bin", "link_lists.bin"];

/// A state that a directory may have: the bytes of the four files, made from memory.
#[derive(PartialEq, Eq)]
pub(super) struct Snapshot([Vec<u8>; 4]);

impl Snapshot {
    pub(super) fn of(index: &Index) -> Arc<Self> {
        let store = index.core().store();
        let (count, stride) = (store.count(), crate::persist::write::packed(store).stride);
        let lists = store.slots().map(|slot: Slot| 4 + store.upper_bytes(slot).len()).sum();
        let mut files = [vec![0; 100], vec![0; count * stride], vec![0; 4 * count], vec![0; lists]];
        let [header, records, lengths, lists] = &mut files;
        save_buffers(index.core(), &index.stated(), BuffersMut { header, records, lengths, lists }).unwrap();
        Arc::new(Self(files))
    }

    /// Whether the disk holds it, and nothing more.
    fn is_on(&self, state: &State) -> bool {
        FILES.iter().zip(&self.0).all(|(name, bytes)| state.content(&Path::new(FOLDER).join(name)) == Some(&bytes[..]))
    }
}

/// What a directory may be: None is one without an index.
type Allowed = Vec<Option<Arc<Snapshot>>>;

/// Opens what crashes leave.
pub(super) struct Judge {
    rng: SmallRng,
    plan: Plan,
    pub(super) allowed: Allowed,
    pub(super) outcome: Outcome,
}

/// Counts, and the first thing that was wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) points: u64,
    pub(super) images: u64,
    pub(super) nested: u64,
    pub(super) opened: u64,
    pub(super) violation: Option<String>,
}

impl Outcome {
    pub(super) fn add(&mut self, other: &Self) {
        self.points += other.points;
        self.images += other.images;
        self.nested += other.nested;
        self.opened += other.opened;
        if self.violation.is_none() {
            self.violation.clone_from(&other.violation);
        }
    }
}

impl Judge {
    /// Any moment: crashes now, in as many ways as the plan says.
    fn crash_here(&mut self, state: &State) {
        if self.outcome.violation.is_some() {
            return;
        }
        self.outcome.points += 1;
        for number in 0..self.plan.images {
            let torn = self.plan.torn;
            let keep = match number {
                0 => Keep::Nothing,
                1 => Keep::All,
                n if n % 6 == 2 => Keep::AllButOne,
                n if n % 6 == 3 => Keep::One,
                _ => Keep::Some { torn },
            };
            let image = state.survivor(keep, &mut self.rng);
            self.examine(image, 3);
            if self.outcome.violation.is_some() {
                return;
            }
        }
    }

    fn wrong(&mut self, what: String) {
        let plan = self.plan;
        self.outcome.violation.get_or_insert(format!("{what}; point {}, {plan:?}", self.outcome.points));
    }

    /// Opens an image, perhaps with crashes of the opening, and compares it.
    fn examine(&mut self, image: State, nested: u32) {
        let disk = Disk::of(image);
        let storage: Arc<dyn Storage> = Arc::new(disk.clone());
        let path = Path::new(FOLDER);
        if nested > 0 && self.rng.random_range(0..3) == 0 {
            let at = self.rng.random_range(1..40);
            lock(&disk.state).fault = Some((at, Fault::Crash));
            let entered = enter(&storage, path, Intent::Write, Check::Fast, false);
            drop(entered);
            let state = lock(&disk.state);
            if state.calls >= at {
                self.outcome.nested += 1;
                let next = match self.rng.random_range(0..4) {
                    0 => state.killed(),
                    1 => state.survivor(Keep::Nothing, &mut self.rng),
                    _ => state.survivor(Keep::Some { torn: self.plan.torn }, &mut self.rng),
                };
                drop(state);
                self.examine(next, nested - 1);
                return;
            }
            drop(state);
            lock(&disk.state).fault = None;
        }
        self.outcome.images += 1;
        let entered = match enter(&storage, path, Intent::Write, Check::Default, false) {
            Ok(entered) => entered,
            Err(error) => return self.wrong(format!("does not open: {error}")),
        };
        let known = entered.found.is_some();
        let state = lock(&disk.state).clone();
        let fits = |allowed: &Option<Arc<Snapshot>>| match allowed {
            None => !known,
            Some(snapshot) => known && snapshot.is_on(&state),
        };
        let Some(found) = self.allowed.iter().find(|allowed| fits(allowed)).cloned() else {
            let lens = FILES.map(|name| state.content(&path.join(name)).map(<[u8]>::len));
            return self.wrong(format!("opens as a state that never was: {lens:?}"));
        };
        let Some(snapshot) = found else { return };
        let opened = entered.found.as_ref().unwrap();
        // Also where a crash leaves all files with other times than the seal says, which looks like another program's
        // work.
        if !matches!(opened.sums, FoundSums::True(_)) {
            return self.wrong(format!("the checksums do not count: {:?}", opened.sums));
        }
        match verify::verify_in(&disk, path) {
            Ok(verified) if verified.damaged == 0 && verified.checked == verified.records => {}
            other => return self.wrong(format!("checksums: {other:?}")),
        }
        // What was recovered is recovered, also when the power fails right afterwards.
        if self.rng.random_range(0..4) == 0 {
            let again = state.survivor(Keep::Some { torn: self.plan.torn }, &mut self.rng);
            let disk = Disk::of(again);
            let storage: Arc<dyn Storage> = Arc::new(disk.clone());
            let opened = enter(&storage, path, Intent::Write, Check::Default, false);
            if opened.is_err() || !snapshot.is_on(&lock(&disk.state)) {
                return self.wrong("what was recovered is lost".to_owned());
            }
        }
        if self.rng.random_range(0..200) == 0 {
            self.outcome.opened += 1;
            drop(entered);
            match open(&disk, &self.plan) {
                Ok(index) if *Snapshot::of(&index) == *snapshot => {}
                Ok(_) => self.wrong("an index with another content".to_owned()),
                Err(error) => self.wrong(format!("no index: {error}")),
            }
        }
    }
}

/// What a history is made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) steps: usize,
    /// Crashes a point.
    pub(super) images: usize,
    pub(super) dim: usize,
    pub(super) m: usize,
    pub(super) cosine: bool,
    /// Whole files are replaced.
    pub(super) bulk: bool,
    pub(super) torn: bool,
    pub(super) mutant: Option<Mutant>,
}

impl Plan {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        Self {
            seed,
            steps: 6,
            images: 14,
            dim: rng.random_range(1..24),
            m: rng.random_range(2..5),
            cosine: rng.random(),
            bulk: rng.random_range(0..4) == 0,
            torn: rng.random(),
            mutant: None,
        }
    }
}

/// Opens the index on a disk.
pub(super) fn open(disk: &Disk, plan: &Plan) -> Result<Index> {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let path = Path::new(FOLDER);
    let entered = enter(&storage, path, Intent::Write, Check::Default, false)?;
    let (found, _) = entered.leave();
    let found = found.ok_or_else(|| crate::error::corrupt("there is no index"))?;
    let header = header_of(&found.header)?;
    let state = lock(&disk.state).clone();
    let content = |name: usize| state.content(&path.join(FILES[name])).unwrap_or_default();
    let buffers = Buffers { header: &found.header, records: content(1), lengths: content(2), lists: content(3) };
    let opened = load_buffers(&buffers, 4 * plan.dim, plan.cosine, |header| Placement {
        needed: header.count,
        mmap: false,
        aligned: true,
        with_lengths: plan.cosine,
        floats: true,
        check: Check::Deep,
    })?;
    let traits = Traits {
        metric: if plan.cosine { Metric::Cosine } else { Metric::L2 },
        ef_construction: header.ef_construction,
        max_elements: 0,
        allow_replace_deleted: true,
        read_only: false,
        mapped: false,
    };
    let index = Index::from_graph(opened.graph, traits, header.max_elements);
    index.get_ready()?;
    index.core().store().dirty().enable();
    let mut directory = Directory::existing(storage, path, &header, index.core().store(), found);
    directory.set_bulk(plan.bulk);
    *lock(index.core().directory()) = Some(directory);
    Ok(index)
}

/// A history under way.
pub(super) struct Scenario {
    pub(super) plan: Plan,
    rng: SmallRng,
    pub(super) disk: Disk,
    pub(super) index: Index,
    pub(super) judge: Arc<Mutex<Judge>>,
    labels: u64,
}

impl Scenario {
    pub(super) fn new(plan: Plan) -> Self {
        let metric = if plan.cosine { Metric::Cosine } else { Metric::L2 };
        let params = Params {
            metric,
            m: plan.m,
            ef_construction: 8,
            allow_replace_deleted: true,
            seed: plan.seed + 1,
            ..Params::new(plan.dim)
        };
        let disk = Disk::of(State { mutant: plan.mutant, ..State::default() });
        let rng = SmallRng::seed_from_u64(plan.seed ^ 0x5EED);
        let judge = Judge { rng: rng.clone(), plan, allowed: Vec::new(), outcome: Outcome::default() };
        let judge = Arc::new(Mutex::new(judge));
        Self { plan, rng, disk, index: Index::new(&params).unwrap(), judge, labels: 0 }
    }

    /// Has the judge look at every call from now on.
    pub(super) fn watch(&self) {
        let judge = Arc::clone(&self.judge);
        *lock(&self.disk.probe) = Some(Box::new(move |state| lock(&judge).crash_here(state)));
    }

    pub(super) fn allow(&self, allowed: Allowed) {
        lock(&self.judge).allowed = allowed;
    }

    fn vector(&mut self) -> Vec<f32> {
        (0..self.plan.dim).map(|_| self.rng.random_range(1..60) as f32).collect()
    }

    /// Changes the index in memory.
    pub(super) fn change(&mut self) {
        let mode = AddMode { replace_deleted: self.rng.random(), ..AddMode::default() };
        for _ in 0..self.rng.random_range(1..4) {
            let label = self.rng.random_range(0..self.labels.max(1));
            match self.rng.random_range(0..6) {
                0 => drop(self.index.mark_deleted(label)),
                1 => drop(self.index.unmark_deleted(label)),
                2 => drop(self.index.resize(self.index.count() + self.rng.random_range(0..50))),
                3 => {
                    let vector = self.vector();
                    drop(self.index.add(&vector, &[label], mode, 1, false, &mut |_, _| {}));
                }
                _ => {
                    for _ in 0..self.rng.random_range(1..10) {
                        let vector = self.vector();
                        self.index.add(&vector, &[self.labels], mode, 1, false, &mut |_, _| {}).unwrap();
                        self.labels += 1;
                    }
                }
            }
        }
    }

    /// Makes the directory.
    pub(super) fn create(&mut self) -> Result<()> {
        let mut directory = self.create_over(false)?;
        directory.set_bulk(self.plan.bulk);
        self.index.core().store().dirty().clear();
        self.index.core().store().dirty().enable();
        *lock(self.index.core().directory()) = Some(directory);
        Ok(())
    }

    /// Makes the directory, or makes it anew, without persisting to it.
    pub(super) fn create_over(&self, replace: bool) -> Result<Directory> {
        let (storage, path): (Arc<dyn Storage>, _) = (Arc::new(self.disk.clone()), Path::new(FOLDER));
        Directory::create(storage, path, self.index.core(), &self.index.stated(), replace)
    }

    pub(super) fn persist(&self) -> Result<Persisted> {
        persist_dirty(self.index.core(), &self.index.stated())
    }

    /// The whole history; what the judge has seen.
    pub(super) fn run(mut self) -> Outcome {
        if self.rng.random() {
            self.change();
        }
        self.watch();
        let mut last = Some(Snapshot::of(&self.index));
        self.allow(vec![None, last.clone()]);
        self.create().unwrap();
        self.allow(vec![last.clone()]);
        for _ in 0..self.plan.steps {
            self.change();
            let next = Some(Snapshot::of(&self.index));
            self.allow(vec![last.clone(), next.clone()]);
            let kill = self.rng.random_range(0..3) == 0;
            if kill {
                let mut state = lock(&self.disk.state);
                let at = state.calls + self.rng.random_range(1..50);
                state.fault = Some((at, Fault::Crash));
            }
            let persisted = self.persist();
            if !kill {
                if let Err(error) = &persisted {
                    lock(&self.judge).wrong(format!("persist failed: {error}"));
                }
            }
            if persisted.is_ok() {
                last = next;
                self.allow(vec![last.clone()]);
            }
            if kill || self.rng.random_range(0..4) == 0 {
                if !kill {
                    self.index = Index::new(&Params::new(1)).unwrap(); // closes the directory
                }
                let state = lock(&self.disk.state).killed();
                self.disk = Disk::of(state);
                self.watch();
                match open(&self.disk, &self.plan) {
                    Ok(index) => self.index = index,
                    Err(error) => lock(&self.judge).wrong(format!("after a kill: {error}")),
                }
                let found = Snapshot::of(&self.index);
                if !lock(&self.judge).allowed.iter().flatten().any(|allowed| *allowed == found) {
                    lock(&self.judge).wrong("after a kill: another state".to_owned());
                }
                last = Some(found);
                self.allow(vec![last.clone()]);
            }
            if lock(&self.judge).outcome.violation.is_some() {
                break;
            }
        }
        let outcome = lock(&self.judge).outcome.clone();
        outcome
    }
}
