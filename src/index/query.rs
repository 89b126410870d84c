//! Querying and reading back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use super::add::check_finite;
use super::coded::{by_sketches, Measured};
use super::listed::Listed;
use super::remove::absent;
use super::Index;
use crate::codes::Codes;
use crate::error::{invalid, Error, Result};
use crate::params::Exactness;
use crate::search::filter::Filter;
use crate::search::lanes::{make_lanes, Lane};
use crate::search::query::Ask;
use crate::search::scratch::{Hit, Scratch};
use crate::store::view::View;
use crate::sync::lock;

/// Queries a thread should have to be worth its start (about 30 microseconds).
const QUERIES_PER_THREAD: usize = 16;

/// Queries that share a session: a rewrite of a record waits for as many at most.
const PIECE: usize = 32;

/// Where the results of all queries go.
struct Outputs<'a> {
    labels: &'a mut [u64],
    distances: Option<&'a mut [f32]>,
    counts: Option<&'a mut [usize]>,
}

impl Index {
    /// The `k` nearest of each query among the records that `filter` lets pass, which ends the call with None. `ef` 0:
    /// the index's; `threads` 0: all cores, but the calling one alone with `filter`. Rows of `out_labels` and
    /// `out_distances` hold k entries, the unused tail u64::MAX and infinity. On failure outputs may be partly written.
    #[allow(clippy::too_many_arguments, reason = "the C call, with slices")]
    pub fn query(
        &self,
        queries: &[f32],
        k: usize,
        ef: usize,
        threads: usize,
        exactness: Exactness,
        filter: Option<Filter<'_>>,
        out_labels: &mut [u64],
        out_distances: Option<&mut [f32]>,
        out_counts: Option<&mut [usize]>,
    ) -> Result<()> {
        let dim = self.dim();
        let count = queries.len() / dim;
        let fits = |len: usize, per_query: usize| len == count * per_query;
        if k == 0 || !queries.len().is_multiple_of(dim) || !fits(out_labels.len(), k) {
            return Err(invalid("sizes of queries and outputs contradict each other"));
        }
        if out_distances.as_ref().is_some_and(|d| !fits(d.len(), k))
            || out_counts.as_ref().is_some_and(|c| !fits(c.len(), 1))
        {
            return Err(invalid("sizes of queries and outputs contradict each other"));
        }
        for (row, vector) in queries.chunks_exact(dim).enumerate() {
            check_finite(vector).map_err(|e| e.context(format_args!("query {row}")))?;
        }
        let exactness = if exactness == Exactness::Default { self.chosen() } else { exactness };
        if exactness == Exactness::Certified {
            self.certify(threads);
        }
        let ef = if ef == 0 { self.ef.load(Ordering::Relaxed) } else { ef };
        let ask = Ask::nearest(k, ef);
        let outputs = Outputs { labels: out_labels, distances: out_distances, counts: out_counts };
        if let Some(Filter { accept, only }) = filter {
            // The host is asked on its own thread.
            let ask = Ask { accept: Some(accept), ..ask };
            let listed = only.map(|only| Listed::new(only, count));
            return self.query_alone(queries, ask, listed.as_ref(), exactness, outputs);
        }
        match threads_for(threads, count, QUERIES_PER_THREAD) {
            1 => self.query_alone(queries, ask, None, exactness, outputs),
            threads => self.query_together(queries, (k, ask.ef), exactness, outputs, threads),
        }
    }

    fn query_alone(
        &self,
        queries: &[f32],
        ask: Ask<'_>,
        listed: Option<&Listed<'_>>,
        exactness: Exactness,
        outputs: Outputs<'_>,
    ) -> Result<()> {
        let outputs = Mutex::new(outputs);
        self.core.with_scratch(|scratch| {
            for (piece, queries) in queries.chunks(PIECE * self.dim()).enumerate() {
                self.query_piece(queries, piece * PIECE, ask, listed, exactness, scratch, &outputs)?;
            }
            Ok(())
        })
    }

    fn query_together(
        &self,
        queries: &[f32],
        (k, ef): (usize, usize),
        exactness: Exactness,
        outputs: Outputs<'_>,
        threads: usize,
    ) -> Result<()> {
        // Pieces so small that no thread has much more to do at the end than the others.
        let piece = (queries.len() / self.dim()).div_ceil(4 * threads).clamp(1, PIECE);
        let pieces: Vec<&[f32]> = queries.chunks(piece * self.dim()).collect();
        let (next, outputs, failure) = (AtomicUsize::new(0), Mutex::new(outputs), Mutex::new(None::<Error>));
        on_threads(threads, &|| {
            self.core.with_scratch(|scratch| loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(queries) = pieces.get(at) else { break };
                let ask = Ask::nearest(k, ef);
                if let Err(error) = self.query_piece(queries, at * piece, ask, None, exactness, scratch, &outputs) {
                    lock(&failure).get_or_insert(error);
                    break;
                }
            });
        });
        let failed = lock(&failure).take();
        failed.map_or(Ok(()), Err)
    }

    /// Some queries of a batch, from the `first` on.
    #[allow(clippy::too_many_arguments, reason = "a query, its buffers and outputs")]
    fn query_piece(
        &self,
        queries: &[f32],
        first: usize,
        ask: Ask<'_>,
        listed: Option<&Listed<'_>>,
        exactness: Exactness,
        scratch: &mut Scratch,
        outputs: &Mutex<Outputs<'_>>,
    ) -> Result<()> {
        // Read before a session opens: a record that is replaced meanwhile counts as deleted until it is complete.
        scratch.work.deletions = self.deletions();
        let (mut all, mut lost) = (0..queries.len() / self.dim(), Vec::new());
        if ask.accept.is_none() && scratch.work.deletions.fit_a_pool() {
            let mut put = |row: usize, hits: &[Hit<f32>]| lock(outputs).row(first + row, ask.k, hits);
            if let Some(left) = self.query_lanes(queries, ask, exactness, scratch, &mut put)? {
                (all, lost) = (0..0, left);
            }
        }
        for (row, is_lost) in all.map(|row| (row, false)).chain(lost.into_iter().map(|row| (row, true))) {
            let query = &queries[row * self.dim()..][..self.dim()];
            let deletions = self.deletions();
            scratch.work.deletions = if is_lost { deletions.to_heaps() } else { deletions };
            let are_few = listed.is_some_and(|listed| self.measures_all(listed, ask.ef));
            if !are_few {
                self.query_one(query, ask, exactness, scratch)?;
            }
            let more = |listed: &&Listed<'_>| listed.has_more_than(scratch.work.results.len(), ask.k);
            if let Some(listed) = listed.filter(|listed| are_few || more(listed)) {
                self.query_listed(query, listed, ask.k, scratch)?;
            }
            lock(outputs).row(first + row, ask.k, &scratch.work.results);
        }
        Ok(())
    }

    /// One query; what the scratch has about deletions is from before its session.
    fn query_one(&self, query: &[f32], ask: Ask<'_>, exactness: Exactness, scratch: &mut Scratch) -> Result<()> {
        make_lanes(&mut scratch.lanes, 1, self.store());
        self.prepare(query, &mut scratch.vector);
        let Scratch { cell, work, vector, lanes, .. } = scratch;
        let entry = self.core.graph().entry();
        let view = View::open(self.store(), cell, self.ruler());
        let may_help = |codes: &&Codes| exactness.may_be_guided() || view.codes_are_lossless(codes);
        let helpful = view.codes().filter(may_help);
        if let (Some(codes), Some(Lane { coded, work: walk, .. })) = (helpful, lanes.first_mut()) {
            codes.prepare(vector.floats(), coded);
            coded.lossless &= view.codes_are_lossless(codes);
            if coded.lossless || coded.is_usable() && exactness.may_be_guided() {
                walk.deletions = work.deletions;
                if let Some(measured) =
                    Measured::of(&view, codes, exactness.may_be_guided() && by_sketches(codes, ask.ef))
                {
                    let by = (codes, &measured);
                    return self.query_guided(&view, by, entry, ask, vector, coded, (work, walk));
                }
            }
        }
        self.engine.query(&view, view.query(vector.bytes()), entry, ask, work)
    }

    /// Copies the vectors of `labels` to `out`, as they were added.
    pub fn get(&self, labels: &[u64], out: &mut [f32]) -> Result<()> {
        if out.len() != labels.len() * self.dim() {
            return Err(invalid(format!("{} floats for {} labels", out.len(), labels.len())));
        }
        let map = self.labels()?;
        for (label, out) in labels.iter().zip(out.chunks_exact_mut(self.dim())) {
            let _label = map.lock(*label);
            map.with_slot(*label, |slot| {
                let slot = slot.ok_or_else(|| absent(*label))?;
                if self.store().is_deleted(slot) {
                    return Err(Error::NotFound(format!("label {label} is deleted").into()));
                }
                self.store().copy_floats(slot, out);
                if self.store().has_lengths() {
                    let length = self.store().length(slot);
                    out.iter_mut().for_each(|x| *x *= length);
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

impl Outputs<'_> {
    fn row(&mut self, row: usize, k: usize, results: &[Hit<f32>]) {
        let labels = &mut self.labels[row * k..(row + 1) * k];
        labels.fill(u64::MAX);
        for (to, hit) in labels.iter_mut().zip(results) {
            *to = hit.label;
        }
        if let Some(distances) = &mut self.distances {
            let distances = &mut distances[row * k..(row + 1) * k];
            distances.fill(f32::INFINITY);
            for (to, hit) in distances.iter_mut().zip(results) {
                *to = hit.distance;
            }
        }
        if let Some(counts) = &mut self.counts {
            counts[row] = results.len().min(k);
        }
    }
}

/// Threads to use: as many as asked for (0: as there are cores), but not more than have `least` items each.
pub(super) fn threads_for(asked: usize, items: usize, least: usize) -> usize {
    // Asking the system for the cores reads files: not for a single query, and not twice.
    static CORES: OnceLock<usize> = OnceLock::new();
    let most = (items / least).min(1024);
    if most <= 1 {
        return 1;
    }
    let cores = || *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, |n| n.get()));
    most.min(if asked == 0 { cores() } else { asked })
}

/// Runs `work` on this thread and on `threads - 1` others, which are gone when it returns. Where the system refuses a
/// thread, there is one fewer.
pub(super) fn on_threads(threads: usize, work: &(impl Fn() + Sync)) {
    if threads <= 1 {
        return work(); // a scope leaves thread-local memory behind in the host's thread
    }
    std::thread::scope(|scope| {
        let spawn = || std::thread::Builder::new().spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..threads).map_while(|_| spawn()).collect();
        work();
        // Joined one by one: the scope alone would return while their thread-local destructors still run.
        for other in others {
            if let Err(panic) = other.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}
