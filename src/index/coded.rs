//! The codes of an index: when they are made, and queries that use them.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::add::check_finite;
use super::Index;
use crate::codes::quantiser::CodedQuery;
use crate::codes::{trained_on, Codes, FIRST, GROWTH};
use crate::error::Result;
use crate::graph::insert::Claim;
use crate::params::{Exactness, Metric};
use crate::search::guided;
use crate::search::heap::Near;
use crate::search::lanes::{By, Lane};
use crate::search::query::Ask;
use crate::search::scan::{self, Scan};
use crate::search::scratch::{Scratch, Work};
use crate::store::data::Data;
use crate::store::view::{Query, View};
use crate::store::Slot;

/// Records a thread should have to encode to be worth its start.
const RECORDS_PER_THREAD: usize = 4096;

impl Index {
    /// What queries do that ask for nothing else.
    pub fn exactness(&self) -> Exactness {
        match self.chosen() {
            Exactness::Default | Exactness::Guided if self.store().has_codes() => Exactness::Guided,
            Exactness::Certified => Exactness::Certified,
            _ => Exactness::F32,
        }
    }

    /// What [`Exactness::Default`] was set to.
    pub(super) fn chosen(&self) -> Exactness {
        Exactness::from_number(self.exactness.load(Ordering::Relaxed)).unwrap_or_default()
    }

    /// Sets what queries do that ask for nothing else, and keeps the codes that this needs, of mapped records, too;
    /// none for f32. `threads` 0: all cores. The caller has no session.
    pub fn set_exactness(&self, exactness: Exactness, threads: usize) {
        let _still = self.core.stand_still();
        self.exactness.store(exactness.number(), Ordering::Relaxed);
        self.certifies.store(exactness == Exactness::Certified, Ordering::Relaxed);
        let codes_are_for_it = match exactness {
            Exactness::F32 => false,
            Exactness::Certified => true,
            Exactness::Default if self.mapped => self.store().codes().is_some_and(Codes::are_of_file),
            // What stands beside sketches is for certified queries, unless codes are the vectors. Sketches of a file,
            // which take no memory, are not made anew for its sake.
            _ => self.store().codes().is_none_or(|c| {
                c.are_of_file() || c.sketches().is_none() || c.rows().is_none() || c.quantiser().is_lossless()
            }),
        };
        if !codes_are_for_it {
            self.store().drop_codes();
        }
        let next = if exactness == Exactness::F32 { usize::MAX } else { FIRST };
        self.next_codes.store(next, Ordering::Relaxed);
        if exactness == Exactness::F32 || exactness == Exactness::Default && self.mapped {
            return;
        }
        // What is not known of mapped records is taken for true.
        self.count_deleted();
        self.renew_codes_now(threads);
        if exactness == Exactness::Certified {
            self.keep_codes(threads);
        }
    }

    /// Has codes beside sketches, which a certified query needs. It waits for nobody: while others change records it
    /// goes without.
    pub(super) fn certify(&self, threads: usize) {
        if self.store().has_sketches_alone() {
            if let Some(_still) = self.core.try_to_stand_still() {
                self.certifies.store(true, Ordering::Relaxed);
                self.keep_codes(threads);
            }
        }
    }

    fn keep_codes(&self, threads: usize) {
        self.store().keep_codes(|one| self.encode_all(self.count(), threads, one));
    }

    /// Makes codes, or makes them anew, if it is time to. The caller holds no lock of the index.
    pub(crate) fn renew_codes(&self, threads: usize) {
        // Only a writer, or whoever excludes writers, may look at the codes.
        let look = self.core.change();
        let are_due = self.codes_are_due();
        drop(look);
        if are_due {
            let _still = self.core.stand_still();
            self.renew_codes_now(threads);
        }
    }

    fn codes_are_due(&self) -> bool {
        let count = self.count();
        count >= self.next_codes.load(Ordering::Relaxed) && self.store().codes().is_none_or(|c| c.is_stale(count))
    }

    /// The same while records stand still.
    fn renew_codes_now(&self, threads: usize) {
        if !self.codes_are_due() {
            return;
        }
        let count = self.count();
        let rows = trained_on(count);
        let kind = (self.metric != Metric::L2, self.certifies.load(Ordering::Relaxed));
        let train = |rows: usize| self.store().renew_codes(rows, kind, |one| self.encode_all(count, threads, one));
        let trained = train(rows).and_then(|trained| if trained { Ok(true) } else { train(count) });
        let next = match trained {
            Ok(_) if self.store().codes().is_some() => 0,
            // Where codes would mislead, searches do without.
            Ok(_) => rows.max(FIRST) * GROWTH,
            // There is no memory for codes, or for new ones.
            Err(_) => count + count / 8,
        };
        self.next_codes.store(next, Ordering::Relaxed);
    }

    fn encode_all(&self, count: usize, threads: usize, one: &(dyn Fn(Slot) + Sync)) {
        const PIECE: usize = 1024;
        let next = AtomicUsize::new(0);
        let encode = || loop {
            let start = next.fetch_add(PIECE, Ordering::Relaxed);
            if start >= count {
                break;
            }
            let slots = start..(start + PIECE).min(count);
            slots.filter_map(|id| self.store().slot(id as u32)).for_each(one);
        };
        let threads = super::query::threads_for(threads, count, RECORDS_PER_THREAD);
        self.store().read_all(|| super::query::on_threads(threads, &encode));
    }

    /// One query by codes or sketches.
    #[allow(clippy::too_many_arguments, reason = "a query and its buffers")]
    pub(super) fn query_guided(
        &self,
        view: &View<'_>,
        (codes, measured): (&Codes, &Measured<'_>),
        entry: Option<(Slot, usize)>,
        ask: Ask<'_>,
        vector: &Data,
        coded: &CodedQuery,
        (work, walk): (&mut Work, &mut Work<i32>),
    ) -> Result<()> {
        let (query, ef) = measured.for_query(coded, ask.ef, QUERY_SHARE);
        let by_sketches = measured.by_sketches;
        self.code_engine.walk(by_sketches, &measured.walk, query, entry, ef, ask.accept, walk)?;
        if let Some(codes) = measured.beside.as_ref().filter(|_| coded.lossless) {
            self.code_engine.rescore(codes, codes.query(coded.code.bytes()), walk);
        }
        self.finish(view, vector, (codes, coded, by_sketches), &walk.near, ask.k, work);
        Ok(())
    }

    /// From what a walk found to the k nearest.
    pub(super) fn finish(
        &self,
        view: &View<'_>,
        vector: &Data,
        (codes, coded, sketches): (&Codes, &CodedQuery, bool),
        near: &[Near<i32>],
        k: usize,
        work: &mut Work,
    ) {
        if coded.lossless {
            guided::take(view, near, k, work);
        } else {
            self.code_engine.measure(view, view.query(vector.bytes()), near, (codes, coded, sketches), k, work);
        }
    }

    /// Looks up candidates of the rows to come, where that takes less time than a walk for each.
    pub(super) fn look_up(&self, vectors: &[f32], labels: &[u64], rows: Range<usize>, scratch: &mut Scratch) {
        let Scratch { cell, vector, lanes, scan, .. } = scratch;
        scan.forget();
        if !self.looks_up() {
            return;
        }
        let (dim, ef) = (self.dim(), self.ef_construction);
        let mut begun = false;
        // A session after the other: updates wait for each.
        loop {
            let view = View::open(self.store(), cell, self.ruler());
            let found =
                view.codes().and_then(|codes| Some((codes, Measured::of(&view, codes, by_sketches(codes, ef))?)));
            let Some((codes, measured)) = found else { return scan.forget() };
            let sketches = measured.by_sketches;
            if !begun {
                begun = scan.begin(rows.len(), (ef, view.count()), codes, (dim, self.metric == Metric::L2));
                let lossless = view.codes_are_lossless(codes);
                for row in rows.clone().filter(|_| begun) {
                    let floats = &vectors[row * dim..(row + 1) * dim];
                    if self.labels.with_slot(labels[row], |slot| slot.is_some()) || check_finite(floats).is_err() {
                        continue;
                    }
                    self.prepare(floats, vector);
                    let coded = &mut lanes[0].coded;
                    codes.prepare(vector.floats(), coded);
                    coded.lossless &= lossless;
                    if coded.lossless || coded.is_usable() {
                        scan.set(row, if sketches { coded.sketch.bytes() } else { coded.code.bytes() }, sketches);
                    }
                }
            }
            if !begun || scan.len() < scan::LEAST || !scan.is_by(codes) {
                return scan.forget();
            }
            if !scan.run(&measured.walk, codes.levels().filter(|_| sketches), self.deletions().any()) {
                return;
            }
        }
    }

    /// Whether rows that are added are worth being looked up together.
    pub(super) fn looks_up(&self) -> bool {
        self.store().has_codes() && Scan::is_worth(self.count(), self.dim(), self.ef_construction)
    }

    /// Inserts by codes: if `guided`, which is its row among those being added, with candidates that sketches or codes
    /// have found; else where codes are the vectors, with the same graph. False where neither is so; nothing was done
    /// then.
    pub(super) fn insert_coded(
        &self,
        view: &View<'_>,
        (vector, level): (&Data, usize),
        guided: Option<usize>,
        claim: &mut Claim<'_>,
        (work, integers): (&mut Work, &mut Work<i32>),
        (lane, scan): (&mut Lane, &mut Scan),
    ) -> Result<bool> {
        let Some(codes) = view.codes() else { return Ok(false) };
        let lossless = view.codes_are_lossless(codes);
        if !lossless && guided.is_none() {
            return Ok(false);
        }
        let Lane { coded, work: walk, .. } = lane;
        codes.prepare(vector.floats(), coded);
        coded.lossless &= lossless;
        let deletions = work.deletions;
        for work in [&mut *walk, &mut *integers] {
            (work.deletions, work.ef_construction) = (deletions, self.ef_construction);
        }
        let sketches = by_sketches(codes, self.ef_construction);
        let Some(measured) = Measured::of(view, codes, sketches) else { return Ok(false) };
        let (query, ef) = measured.for_query(coded, self.ef_construction, LINK_SHARE);
        let found_among = guided
            .filter(|_| scan.is_by(codes))
            .and_then(|row| scan.take(row, &measured.walk, deletions.any(), &mut walk.near));
        let ef = if found_among.is_some() { self.ef_construction } else { ef };
        let engine = &self.code_engine;
        let mut guide =
            guided.map(|_| engine.guide(measured.by_sketches, &measured.walk, query, ef, found_among, walk));
        let graph = self.core.graph();
        if let Some(codes) = measured.codes().filter(|_| coded.lossless) {
            let code = codes.query(coded.code.bytes());
            self.code_engine.insert(graph, codes, code, level, guide.as_mut(), claim, integers)?;
        } else if guide.is_some() && coded.is_usable() {
            self.engine.insert(graph, view, view.query(vector.bytes()), level, guide.as_mut(), claim, work)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }
}

/// With a sixth more hard queries of SIFT (66,000) lost up to 0.0013 of recall at ef 120 in some of 24 builds; with a
/// fourth 0.0004 in 5.
pub(super) const QUERY_SHARE: usize = 4;
/// What is linked to has no such edge: with a sixth graphs are as good as those of exact adds, with a fourth adds take
/// longer.
const LINK_SHARE: usize = 6;

/// From this ef on codes that are the vectors are better to walk on than their sketches, which need a larger one and a
/// second look: at ef 112 and 160 recall is the same, and queries a second are 1.13 and 1.16 as many (SIFT, VNNI); at
/// the recall of ef 64 they are fewer.
const LOSSLESS_FROM: usize = 96;

/// Whether a guided walk that keeps `ef` is on sketches, where there are some.
pub(super) fn by_sketches(codes: &Codes, ef: usize) -> bool {
    !(codes.quantiser().is_lossless() && ef >= LOSSLESS_FROM)
}

/// What a walk measures in a session.
pub(super) struct Measured<'v> {
    pub(super) walk: View<'v>,
    pub(super) by_sketches: bool,
    /// Codes beside sketches, if they are kept.
    pub(super) beside: Option<View<'v>>,
}

impl<'v> Measured<'v> {
    /// Sketches if they are wanted and there are some, else codes, if they are kept.
    pub(super) fn of(view: &'v View<'v>, codes: &'v Codes, sketches: bool) -> Option<Self> {
        match view.on_sketches(codes).filter(|_| sketches) {
            Some(walk) => Some(Self { walk, by_sketches: true, beside: view.on_codes(codes) }),
            None => view.on_codes(codes).map(|walk| Self { walk, by_sketches: false, beside: None }),
        }
    }

    /// What the walk measures.
    pub(super) fn by(&self) -> By {
        if self.by_sketches {
            By::Sketches
        } else {
            By::Codes
        }
    }

    /// Codes, if they are kept.
    fn codes(&self) -> Option<&View<'v>> {
        if self.by_sketches {
            self.beside.as_ref()
        } else {
            Some(&self.walk)
        }
    }

    /// The query in the session of the walk, and how many candidates to keep to find as much as a walk by vectors that
    /// keeps `ef`: by sketches more by one in `share`, by codes that blur by one in 32.
    pub(super) fn for_query<'a>(&'a self, coded: &'a CodedQuery, ef: usize, share: usize) -> (Query<'a>, usize) {
        let (bytes, more) = match (self.by_sketches, coded.lossless) {
            (true, _) => (coded.sketch.bytes(), ef / share + 3),
            (false, true) => (coded.code.bytes(), 0),
            (false, false) => (coded.code.bytes(), ef / 32 + 1),
        };
        (self.walk.query(bytes), ef.saturating_add(more))
    }
}
