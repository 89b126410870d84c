//! Several queries at once on an index of which no more than a half is deleted: by codes or sketches, or by vectors,
//! with codes that save most of them. Those for which codes do not do are asked one by one, as those on f32 alone are: a
//! walk on vectors keeps all of a core's requests to memory under way by itself, and side by side such walks are 0.94 to
//! 0.99 as fast.

use std::ops::Range;

use super::coded::{by_sketches, Measured, QUERY_SHARE};
use super::Index;
use crate::codes::Codes;
use crate::error::Result;
use crate::params::Exactness;
use crate::search::certified::Sieve;
use crate::search::deletions::Deletions;
use crate::search::guided::take_near;
use crate::search::heap::Near;
use crate::search::lanes::{make_lanes, Batch, By, Lane, Queries, LANES};
use crate::search::query::{live, take_pool, Ask};
use crate::search::scratch::{Doubt, Hit, Scratch, Work};
use crate::store::view::View;

/// Takes the results of a query by its place in the batch.
pub(super) type Put<'a> = dyn FnMut(usize, &[Hit<f32>]) + 'a;

/// What the queries of a batch share.
struct Shared<'a, 'v> {
    index: &'a Index,
    view: &'a View<'v>,
    /// All of them, one after the other.
    vectors: &'a [f32],
    ask: Ask<'a>,
    deletions: Deletions,
}

impl Shared<'_, '_> {
    fn vector(&self, row: usize) -> &[f32] {
        let dim = self.index.dim();
        &self.vectors[row * dim..(row + 1) * dim]
    }

    /// Makes a query ready.
    fn begin<D>(&self, row: usize, codes: &Codes, lane: &mut Lane<D>) {
        lane.row = row;
        lane.work.deletions = self.deletions;
        self.index.prepare(self.vector(row), &mut lane.vector);
        codes.prepare(lane.vector.floats(), &mut lane.coded);
    }
}

impl Index {
    /// Some queries in lanes; `put` takes the results of each. Returns those that have to be asked with heaps, since
    /// too much is deleted around them; None: all of them have to be asked one by one.
    pub(super) fn query_lanes(
        &self,
        vectors: &[f32],
        ask: Ask<'_>,
        exactness: Exactness,
        scratch: &mut Scratch,
        put: &mut Put<'_>,
    ) -> Result<Option<Vec<usize>>> {
        let Scratch { cell, vector, work, lanes, exact_lanes, doubt, .. } = scratch;
        let entry = self.core.graph().entry();
        let view = View::open(self.store(), cell, self.ruler());
        let Some(entry) = entry.and_then(|(slot, level)| Some((view.slot(slot.id())?, level))) else {
            return Ok(None);
        };
        let deletions = work.deletions;
        let shared = Shared { index: self, view: &view, vectors, ask, deletions };
        let count = vectors.len() / self.dim();
        let guided = exactness.may_be_guided();
        let measured = view.codes().and_then(|codes| {
            let lossless = view.codes_are_lossless(codes);
            // Codes that are the vectors are as good as these, whatever was asked for.
            let measured =
                (guided || lossless).then(|| Measured::of(&view, codes, guided && by_sketches(codes, ask.ef)));
            Some((codes, lossless, measured??))
        });
        let (mut rows, mut unfit, mut lost) = (0..count, Vec::new(), Vec::new());
        if let Some((codes, lossless, measured)) = &measured {
            let lanes = make_lanes(lanes, count.min(LANES), self.store());
            let batch = Batch { walk: &measured.walk, by: measured.by(), sieve: None, entry };
            let (lossless, rows, unfit, lost) = (*lossless, &mut rows, &mut unfit, &mut lost);
            let (shared, work) = (&shared, &mut *work);
            let mut queries = Guided { shared, codes, measured, lossless, guided, rows, unfit, lost, work, put };
            self.code_engine.run(&batch, lanes, &mut queries)?;
        }
        let codes = view.codes().filter(|_| exactness == Exactness::Certified && !view.has_before());
        let on_codes = codes.and_then(|codes| view.on_codes(codes));
        // One alone can be asked in this session as well.
        if count > 1 && measured.is_none() && on_codes.is_none() {
            return Ok(None);
        }
        let mut rows = rows.chain(std::mem::take(&mut unfit));
        if let (Some(codes), Some(on_codes)) = (codes, &on_codes) {
            let sieve = Sieve::new(on_codes, codes, view.row_bytes());
            let batch = Batch { walk: &view, by: By::Vectors, sieve: Some(sieve), entry };
            let lanes = make_lanes(exact_lanes, count.min(LANES), self.store());
            let (shared, rows, unfit, lost) = (&shared, &mut rows, &mut unfit, &mut lost);
            let mut queries = Certified { shared, codes, rows, unfit, lost, doubt, work, put };
            self.code_engine.run_exact(&batch, lanes, &mut queries)?;
        }
        for row in unfit.into_iter().chain(rows) {
            self.prepare(shared.vector(row), vector);
            self.engine.query(&view, view.query(vector.bytes()), Some(entry), ask, work)?;
            put(row, &work.results);
        }
        Ok(Some(lost))
    }
}

/// Those by codes or sketches.
struct Guided<'a, 'v> {
    shared: &'a Shared<'a, 'v>,
    codes: &'a Codes,
    measured: &'a Measured<'v>,
    /// Codes are the vectors of all records.
    lossless: bool,
    /// Others may be guided, too.
    guided: bool,
    rows: &'a mut Range<usize>,
    /// Those for which codes do not do.
    unfit: &'a mut Vec<usize>,
    /// Those around which too much is deleted.
    lost: &'a mut Vec<usize>,
    /// Where results stand, and what learns whether spare places suffice.
    work: &'a mut Work,
    put: &'a mut Put<'a>,
}

impl Guided<'_, '_> {
    /// Codes that measure what a walk on sketches found before its vectors do.
    fn beside(&self, lane: &Lane) -> Option<&View<'_>> {
        self.measured.beside.as_ref().filter(|_| lane.coded.lossless)
    }

    /// Asks for the labels of the nearest, and for their vectors unless codes are the vectors.
    fn fetch(&self, lane: &Lane) {
        let view = self.shared.view;
        for near in lane.work.near.iter().take(self.shared.ask.k) {
            if !lane.coded.lossless {
                view.prefetch(near.slot, view.row_bytes().min(1024));
            }
            view.prefetch_label(near.slot);
        }
    }
}

impl Queries<i32> for Guided<'_, '_> {
    fn begin(&mut self, lane: &mut Lane) -> bool {
        for row in &mut *self.rows {
            if !self.work.fits_a_pool() {
                self.lost.push(row);
                continue;
            }
            self.shared.begin(row, self.codes, lane);
            lane.coded.lossless &= self.lossless;
            if lane.coded.lossless || self.guided && lane.coded.is_usable() {
                let (_, ef) = self.measured.for_query(&lane.coded, self.shared.ask.ef, QUERY_SHARE);
                lane.ef = ef.min(self.shared.view.count());
                return true;
            }
            self.unfit.push(row);
        }
        false
    }

    fn go_on(&mut self, lane: &mut Lane, steps: usize) -> bool {
        let Shared { index, view, ask, .. } = self.shared;
        if steps == 0 {
            let has_all = take_near(view, lane.ef, &mut lane.work);
            self.work.learn(has_all);
            if !has_all {
                self.lost.push(lane.row);
                return false;
            }
        }
        match self.beside(lane) {
            Some(codes) if steps == 0 => {
                lane.work.near.iter().for_each(|near| codes.prefetch(near.slot, codes.row_bytes()))
            }
            None if steps == 0 => self.fetch(lane),
            Some(codes) if steps == 1 => {
                index.code_engine.rescore(codes, codes.query(lane.coded.code.bytes()), &mut lane.work);
                self.fetch(lane);
            }
            _ => {
                let sketches = self.measured.by_sketches;
                index.finish(
                    view,
                    &lane.vector,
                    (self.codes, &lane.coded, sketches),
                    &lane.work.near,
                    ask.k,
                    self.work,
                );
                (self.put)(lane.row, &self.work.results);
                return false;
            }
        }
        true
    }
}

/// Those by vectors, with codes that save most of them.
struct Certified<'a, 'v> {
    shared: &'a Shared<'a, 'v>,
    codes: &'a Codes,
    rows: &'a mut dyn Iterator<Item = usize>,
    /// Those for which codes do not do.
    unfit: &'a mut Vec<usize>,
    /// Those around which too much is deleted.
    lost: &'a mut Vec<usize>,
    doubt: &'a mut Doubt,
    /// Learns whether spare places suffice.
    work: &'a mut Work,
    put: &'a mut Put<'a>,
}

impl Queries<f32> for Certified<'_, '_> {
    fn begin(&mut self, lane: &mut Lane<f32>) -> bool {
        for row in &mut *self.rows {
            if !self.work.fits_a_pool() {
                self.lost.push(row);
                continue;
            }
            if self.doubt.prevails() {
                self.unfit.push(row);
                continue;
            }
            self.shared.begin(row, self.codes, lane);
            // Of a query beyond the trained range codes tell little.
            if lane.coded.is_usable() && !lane.coded.is_outside {
                lane.ef = self.shared.ask.ef.min(self.shared.view.count());
                lane.sifted.proof = self.codes.quantiser().proof(lane.vector.floats(), &lane.coded);
                return true;
            }
            self.unfit.push(row);
        }
        false
    }

    fn go_on(&mut self, lane: &mut Lane<f32>, steps: usize) -> bool {
        let Shared { view, ask, .. } = self.shared;
        if steps == 0 {
            let gave_up = lane.sifted.gave_up();
            self.doubt.learn(!gave_up);
            if gave_up {
                self.unfit.push(lane.row);
            } else {
                let near = live(view, &lane.work.pool, lane.work.deletions).take(ask.k);
                near.for_each(|near: Near<f32>| view.prefetch_label(near.slot));
            }
            return !gave_up;
        }
        let has_all = take_pool(view, ask.k, &mut lane.work);
        self.work.learn(has_all);
        if has_all {
            (self.put)(lane.row, &lane.work.results);
        } else {
            self.lost.push(lane.row);
        }
        false
    }
}
