//! The codes of an index: when they are made, and queries that use them.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::Index;
use crate::codes::quantiser::CodedQuery;
use crate::codes::{trained_on, Codes, FIRST, GROWTH};
use crate::error::Result;
use crate::graph::insert::Claim;
use crate::params::{Exactness, Metric};
use crate::search::guided;
use crate::search::heap::Near;
use crate::search::lanes::{Batch, Lane, LANES};
use crate::search::query::Ask;
use crate::search::scratch::{Hit, Scratch, Work};
use crate::store::data::Data;
use crate::store::view::{Query, View};
use crate::store::Slot;

/// Records a thread should have to encode to be worth its start.
const RECORDS_PER_THREAD: usize = 4096;

impl Index {
    /// What queries do that ask for nothing else.
    pub fn exactness(&self) -> Exactness {
        if self.store().has_codes() {
            Exactness::Guided
        } else {
            Exactness::F32
        }
    }

    /// Makes codes, or makes them anew, if it is time to. The caller holds no lock of the index.
    pub(crate) fn renew_codes(&self, threads: usize) {
        let due = || {
            let count = self.count();
            count >= self.next_codes.load(Ordering::Relaxed) && self.store().codes().is_none_or(|c| c.is_stale(count))
        };
        // Only a writer, or whoever excludes writers, may look at the codes.
        let look = self.core.change();
        let is_due = due();
        drop(look);
        if !is_due {
            return;
        }
        let _still = self.core.stand_still();
        if !due() {
            return;
        }
        let count = self.count();
        let rows = trained_on(count);
        let train = |rows: usize| {
            self.store().renew_codes(rows, self.metric != Metric::L2, |one| self.encode_all(count, threads, one))
        };
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
        super::query::on_threads(super::query::threads_for(threads, count, RECORDS_PER_THREAD), &|| loop {
            let start = next.fetch_add(PIECE, Ordering::Relaxed);
            if start >= count {
                break;
            }
            let slots = start..(start + PIECE).min(count);
            slots.filter_map(|id| self.store().slot(id as u32)).for_each(one);
        });
    }

    /// One query by codes, or by sketches first, if so asked and there are some.
    #[allow(clippy::too_many_arguments, reason = "a query and its buffers")]
    pub(super) fn query_guided(
        &self,
        view: &View<'_>,
        codes: &Codes,
        entry: Option<(Slot, usize)>,
        ask: Ask<'_>,
        vector: &Data,
        coded: &CodedQuery,
        sketches: bool,
        (work, walk): (&mut Work, &mut Work<i32>),
    ) -> Result<()> {
        let measured = Measured::of(view, codes, sketches);
        let (on, query, ef) = measured.for_query(coded, ask.ef, QUERY_SHARE);
        self.code_engine.walk(measured.by_sketches(), on, query, entry, ef, ask.accept, walk)?;
        if measured.by_sketches() {
            self.code_engine.rescore(&measured.codes, measured.codes.query(coded.code.bytes()), walk);
        }
        self.finish(view, vector, (codes, coded), &walk.near, ask.k, work);
        Ok(())
    }

    /// From what a walk found to the k nearest.
    fn finish(
        &self,
        view: &View<'_>,
        vector: &Data,
        (codes, coded): (&Codes, &CodedQuery),
        near: &[Near<i32>],
        k: usize,
        work: &mut Work,
    ) {
        if coded.lossless {
            guided::take(view, near, k, work);
        } else {
            self.code_engine.measure(view, view.query(vector.bytes()), near, (codes, coded), k, work);
        }
    }

    /// Several queries by codes, some at a time; `put` takes the results of each. False if they have to be asked one
    /// by one in another way; nothing was put then.
    pub(super) fn query_lanes(
        &self,
        queries: &[f32],
        ask: Ask<'_>,
        scratch: &mut Scratch,
        put: &mut dyn FnMut(usize, &[Hit<f32>]),
    ) -> Result<bool> {
        let dim = self.dim();
        let count = queries.len() / dim;
        scratch.make_lanes(count.min(LANES), self.store());
        let Scratch { cell, work, lanes, .. } = scratch;
        let entry = self.core.graph().entry();
        let view = View::open(self.store(), cell, self.ruler());
        let entry = entry.and_then(|(slot, level)| Some((view.slot(slot.id())?, level)));
        let (Some(codes), Some(entry)) = (view.codes(), entry) else { return Ok(false) };
        let measured = Measured::of(&view, codes, true);
        let lossless = view.codes_are_lossless(codes);
        let mut next = 0;
        let mut odd = Vec::new();
        let mut begin = |lane: &mut Lane| {
            while next < count {
                lane.row = next;
                self.prepare(&queries[next * dim..(next + 1) * dim], &mut lane.vector);
                codes.prepare(lane.vector.floats(), &mut lane.coded);
                lane.coded.lossless &= lossless;
                lane.ef = measured.for_query(&lane.coded, ask.ef, QUERY_SHARE).2.min(view.count());
                next += 1;
                if lane.coded.is_usable() {
                    return true;
                }
                odd.push(lane.row);
            }
            false
        };
        let mut end = |lane: &mut Lane| {
            self.finish(&view, &lane.vector, (codes, &lane.coded), &lane.work.near, ask.k, work);
            put(lane.row, &work.results);
        };
        let rescored_by = measured.by_sketches().then_some(&measured.codes);
        let batch = Batch { view: &view, walk: measured.walk(), codes: rescored_by, entry, k: ask.k };
        let lanes = &mut lanes[..count.min(LANES)];
        self.code_engine.run(&batch, lanes, &mut begin, &mut end)?;
        // Vectors so long that their codes mean nothing.
        for row in odd {
            self.prepare(&queries[row * dim..(row + 1) * dim], &mut lanes[0].vector);
            let vector = view.query(lanes[0].vector.bytes());
            self.engine.query(&view, vector, Some(entry), ask, work)?;
            put(row, &work.results);
        }
        Ok(true)
    }

    /// Inserts by codes: if `guided`, with candidates that sketches or codes have found; else where codes are the vectors,
    /// with the same graph. False where neither is so; nothing was done then.
    pub(super) fn insert_coded(
        &self,
        view: &View<'_>,
        (vector, level): (&Data, usize),
        guided: bool,
        claim: &mut Claim<'_>,
        (work, integers): (&mut Work, &mut Work<i32>),
        lane: &mut Lane,
    ) -> Result<bool> {
        let Some(codes) = view.codes() else { return Ok(false) };
        let lossless = view.codes_are_lossless(codes);
        if !lossless && !guided {
            return Ok(false);
        }
        let Lane { coded, work: walk, .. } = lane;
        codes.prepare(vector.floats(), coded);
        coded.lossless &= lossless;
        let deletions = work.deletions;
        for work in [&mut *walk, &mut *integers] {
            (work.deletions, work.ef_construction) = (deletions, self.ef_construction);
        }
        let measured = Measured::of(view, codes, true);
        let (on, query, ef) = measured.for_query(coded, self.ef_construction, LINK_SHARE);
        let mut guide = guided.then(|| self.code_engine.guide(measured.by_sketches(), on, query, ef, walk));
        let graph = self.core.graph();
        if coded.lossless {
            let code = measured.codes.query(coded.code.bytes());
            self.code_engine.insert(graph, &measured.codes, code, level, guide.as_mut(), claim, integers)?;
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
const QUERY_SHARE: usize = 4;
/// What is linked to has no such edge: with a sixth graphs are as good as those of exact adds, with a fourth adds take longer.
const LINK_SHARE: usize = 6;

/// What a walk measures in a session.
struct Measured<'v> {
    codes: View<'v>,
    sketches: Option<View<'v>>,
}

impl<'v> Measured<'v> {
    /// Sketches if they are wanted and there are some, else codes.
    fn of(view: &'v View<'v>, codes: &'v Codes, sketches: bool) -> Self {
        Self { codes: view.on_codes(codes), sketches: view.on_sketches(codes).filter(|_| sketches) }
    }

    fn by_sketches(&self) -> bool {
        self.sketches.is_some()
    }

    fn walk(&self) -> &View<'v> {
        self.sketches.as_ref().unwrap_or(&self.codes)
    }

    /// The session to walk in, the query in it, and how many candidates to keep to find as much as a walk by vectors
    /// that keeps `ef`: by sketches more by one in `share`, by codes that blur by one in 32.
    fn for_query<'a>(&'a self, coded: &'a CodedQuery, ef: usize, share: usize) -> (&'a View<'v>, Query<'a>, usize) {
        match &self.sketches {
            Some(sketches) => (sketches, sketches.query(coded.sketch.bytes()), ef.saturating_add(ef / share + 3)),
            None if coded.lossless => (&self.codes, self.codes.query(coded.code.bytes()), ef),
            None => (&self.codes, self.codes.query(coded.code.bytes()), ef.saturating_add(ef / 32 + 1)),
        }
    }
}
