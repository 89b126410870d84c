//! The codes of a store's records: who owns them, when they change.

use std::ptr;
use std::sync::atomic::Ordering;

use super::arena::Arena;
use super::{Slot, Store};
use crate::codes::quantiser::{Quantiser, SAMPLE};
use crate::codes::sketch::{Sketch, AROUND, TRIALS, WORTH};
use crate::codes::Codes;
use crate::error::Result;

impl Store {
    /// The codes, if there are any. For writers, whom the gate keeps apart from [`Store::renew_codes`], and for
    /// sessions, which hold off the freeing of what they found ([`super::view`]).
    #[inline(always)]
    pub(crate) fn codes(&self) -> Option<&Codes> {
        // SAFETY: null, or from `replace_codes`, which frees it when nobody of the above can use it any more.
        unsafe { self.codes.load(Ordering::Acquire).as_ref() }
    }

    /// Whether there are codes.
    pub(crate) fn has_codes(&self) -> bool {
        !self.codes.load(Ordering::Relaxed).is_null()
    }

    /// Their [`Codes::generation`]; 0: there are none.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Whether only sketches of them are kept, and codes can be had beside them.
    pub(crate) fn has_sketches_alone(&self) -> bool {
        self.sketches_alone.load(Ordering::Relaxed)
    }

    /// Has codes beside sketches from now on, if there is memory for them. Waits for no session. No writer may run.
    pub(crate) fn keep_codes(&self, encode: impl FnOnce(&(dyn Fn(Slot) + Sync))) {
        if let Some(codes) = self.codes().filter(|codes| codes.rows().is_none()) {
            let (room, most) = self.rooms();
            let kept = codes.keep_rows(room, most, |one| encode(&|slot| one(slot.index(), self.vector_ptr(slot))));
            if kept.is_ok() {
                self.code_bytes.store(codes.memory(), Ordering::Relaxed);
            }
        }
        self.sketches_alone.store(false, Ordering::Relaxed);
    }

    /// Records that memory is committed for, and as many as there may be.
    pub(crate) fn rooms(&self) -> (usize, usize) {
        let room = self.room.load(Ordering::Relaxed);
        let most = (self.records.capacity() - self.layout.base) / self.layout.stride;
        (room, most.min(crate::params::MAX_RECORDS).max(room))
    }

    /// Has codes that were made before. No writer may run.
    pub(crate) fn adopt_codes(&self, codes: Codes) {
        self.replace_codes(Some(codes));
    }

    /// Gives the codes back. No writer may run; sessions may, and are waited for.
    pub(crate) fn drop_codes(&self) {
        self.replace_codes(None);
    }

    fn replace_codes(&self, codes: Option<Codes>) {
        self.code_bytes.store(codes.as_ref().map_or(0, Codes::memory), Ordering::Relaxed);
        self.sketches_alone.store(codes.as_ref().is_some_and(|codes| codes.rows().is_none()), Ordering::Relaxed);
        let generation = codes.as_ref().map_or(0, Codes::generation);
        let codes = codes.map_or(ptr::null_mut(), |codes| Box::into_raw(Box::new(codes)));
        let old = self.codes.swap(codes, Ordering::AcqRel);
        self.generation.store(generation, Ordering::Relaxed);
        if !old.is_null() {
            self.wait_for_sessions();
            // SAFETY: from Box::into_raw above; sessions that found it are closed, new ones find its successor.
            drop(unsafe { Box::from_raw(old) });
        }
    }

    /// Trains codes on the first `rows` records and encodes all there are, `encode` doing the pieces of work it is
    /// given in any order. Vectors that no codes fit leave the store without; false: many of the others lie beyond the
    /// range of those `rows`, and nothing was changed. `all_codes`: also where sketches do without. No writer may run;
    /// sessions may.
    pub(crate) fn renew_codes(
        &self,
        rows: usize,
        (inner_product, all_codes): (bool, bool),
        encode: impl FnOnce(&(dyn Fn(Slot) + Sync)),
    ) -> Result<bool> {
        let count = rows.min(SAMPLE) * self.layout.dim();
        let mut block = Arena::of_floats(count)?;
        let sample = block.floats(count);
        self.take_sample(rows, sample);
        let codes = match Quantiser::train(&self.ends(rows), sample, inner_product) {
            None => None,
            Some(quantiser) => {
                let (room, most) = self.rooms();
                let train = || Sketch::train(&quantiser, sample, &mut |trial| self.neighbourhood(trial, rows));
                let sketch = if rows * quantiser.stride() >= WORTH { train() } else { None };
                let codes = Codes::new(quantiser, sketch, all_codes, rows, (most, room))?;
                codes.make_room(room)?;
                encode(&|slot| codes.write(slot.index(), self.vector_ptr(slot)));
                if rows < self.count() && codes.misses(self.count()) {
                    return Ok(false);
                }
                if rows == self.count() {
                    codes.settle();
                }
                Some(codes)
            }
        };
        self.replace_codes(codes);
        Ok(true)
    }

    /// A record's vector and those around it, one after the other, for one trial of many.
    fn neighbourhood(&self, trial: usize, rows: usize) -> Vec<f32> {
        let own = Slot((trial * rows / TRIALS) as u32);
        let mut slots = vec![own];
        for at in 0..AROUND {
            let Some(slot) = slots.get(at).copied() else { break };
            let seen = slots.len();
            for id in self.links0(slot).raw().filter(|id| (*id as usize) < self.count()) {
                if seen <= AROUND && !slots.contains(&Slot(id)) {
                    slots.push(Slot(id));
                }
            }
        }
        let dim = self.layout.dim();
        let mut vectors = vec![0.0; slots.len() * dim];
        vectors.chunks_exact_mut(dim).zip(&slots).for_each(|(vector, slot)| self.copy_floats(*slot, vector));
        vectors
    }

    /// The least and the greatest value of each dimension in the first `rows` records.
    fn ends(&self, rows: usize) -> Vec<(f32, f32)> {
        let mut ends = vec![(f32::MAX, f32::MIN); self.layout.dim()];
        let mut vector = vec![0.0; self.layout.dim()];
        for slot in self.slots().take(rows) {
            self.copy_floats(slot, &mut vector);
            for ((least, most), x) in ends.iter_mut().zip(&vector) {
                (*least, *most) = (least.min(*x), most.max(*x));
            }
        }
        ends
    }

    /// Some vectors, evenly spread over the first `rows` records.
    fn take_sample(&self, rows: usize, sample: &mut [f32]) {
        let dim = self.layout.dim();
        let count = sample.len() / dim;
        for (at, row) in sample.chunks_exact_mut(dim).enumerate() {
            self.copy_floats(Slot((at * rows / count) as u32), row);
        }
    }

    pub(super) fn free_codes(&mut self) {
        let codes = std::mem::replace(self.codes.get_mut(), ptr::null_mut());
        if !codes.is_null() {
            // SAFETY: from Box::into_raw in `replace_codes`; nobody else uses the store.
            drop(unsafe { Box::from_raw(codes) });
        }
    }
}
