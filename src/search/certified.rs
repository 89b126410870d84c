//! Queries with the answers of f32 and few of its distances. The walk is the one on f32 alone; codes prove what
//! distances are at least. What they prove to be too far to enter the pool changes nothing and is left out. Of long
//! vectors also others wait until they may be next ([`super::pending`]).

use crate::codes::proof::Proof;
use crate::codes::quantiser::CodedQuery;
use crate::codes::Codes;
use crate::distance::kernel::{Distance, Kernel};
use crate::error::Result;
use crate::search::pending::{Pending, AT_ONCE};
use crate::search::pool::Pool;
use crate::store::view::View;
use crate::store::Slot;

/// Bytes of vectors from which on it pays that each is looked at twice for fewer to be measured: of 1,536 bytes
/// (MiniLM, 60,000 records) less than half as many, and at ef 24, 60 and 150 queries a second are 1.20, 1.11 and 1.05
/// as many; of 400 bytes (GloVe) 1.00, 0.98 and 0.89.
const LONG: usize = 1024;

/// The codes of a session that sees no record as it was before a rewrite.
pub(crate) struct Sieve<'a, 'v> {
    pub(crate) on_codes: &'a View<'v>,
    codes: &'a Codes,
    /// There are records whose codes tell nothing.
    exceptions: bool,
    /// Vectors are so long that they are measured only when they may be next.
    pub(crate) lazy: bool,
}

/// What codes tell for one query.
#[derive(Default)]
pub(crate) struct Sifted {
    pub(crate) proof: Proof,
    pending: Pending,
    /// The query has to be asked without codes.
    gave_up: bool,
    distances: Vec<i32>,
}

impl<'a, 'v> Sieve<'a, 'v> {
    /// `on_codes` is the session on `codes`, vectors have so many bytes.
    pub(crate) fn new(on_codes: &'a View<'v>, codes: &'a Codes, bytes: usize) -> Self {
        Self { on_codes, codes, exceptions: codes.exceptional() > 0, lazy: bytes >= LONG }
    }

    /// Whether the code of a record tells nothing.
    #[inline(always)]
    fn is_exceptional(&self, slot: Slot) -> bool {
        self.exceptions && self.codes.is_exceptional(slot.id() as usize)
    }

    /// Moves those that may be nearer than `bound` to the front of `slots`, in their order, and tells how many.
    #[inline(always)]
    pub(crate) fn sift<C: Kernel<Distance = i32>>(
        &self,
        coded: &CodedQuery,
        sifted: &mut Sifted,
        bound: f32,
        slots: &mut [Slot],
    ) -> usize {
        let least = sifted.proof.rejects_from(bound);
        let distances = self.measure::<C>(coded, &mut sifted.distances, slots);
        let mut kept = 0;
        for at in 0..slots.len() {
            let slot = slots[at];
            slots[kept] = slot;
            kept += usize::from(distances[at] < least || self.is_exceptional(slot));
        }
        kept
    }

    #[inline(always)]
    fn measure<'d, C: Kernel<Distance = i32>>(
        &self,
        coded: &CodedQuery,
        distances: &'d mut [i32],
        slots: &[Slot],
    ) -> &'d [i32] {
        let distances = &mut distances[..slots.len()];
        self.on_codes.distances::<C>(self.on_codes.query(coded.code.bytes()), slots, distances);
        distances
    }

    /// Has those wait that may be nearer than the `ef` nearest.
    #[inline(always)]
    pub(crate) fn add<C: Kernel<Distance = i32>>(
        &self,
        coded: &CodedQuery,
        sifted: &mut Sifted,
        slots: &[Slot],
        pool: &Pool,
    ) -> Result<()> {
        let Sifted { proof, pending, distances, gave_up } = sifted;
        pending.reserve(slots.len())?;
        let distances = self.measure::<C>(coded, distances, slots);
        let bound = pending.bound(pool, |key| proof.highest(key));
        let least = if bound == u32::MAX { i32::MAX } else { proof.rejects_from(f32::from_pool_key(bound)) };
        for (slot, distance) in slots.iter().zip(distances) {
            if self.is_exceptional(*slot) {
                pending.insert::<C>(0, *slot);
            } else if *distance < least {
                pending.insert::<C>(proof.lowest(*distance), *slot);
            }
        }
        let bound = pending.bound(pool, |key| proof.highest(key));
        *gave_up |= !pending.trim(bound, pool.kept());
        Ok(())
    }
}

impl Sifted {
    /// Makes ready for a query and lists of `links` links.
    pub(crate) fn begin(&mut self, links: usize) {
        self.gave_up = false;
        self.pending.clear();
        if self.distances.len() < links {
            self.distances.resize(links, 0);
        }
    }

    /// Ids of records that have to be measured before the pool's next is expanded.
    #[inline(always)]
    pub(crate) fn take(&mut self, pool: &Pool, ids: &mut [u32; AT_ONCE]) -> usize {
        self.pending.take(pool.next_key(), |key| self.proof.highest(key), ids)
    }

    /// Puts those that were measured into the pool.
    #[inline(always)]
    pub(crate) fn admit<K: Kernel>(&mut self, pool: &mut Pool, slots: &[Slot], distances: &[K::Distance]) {
        for (slot, distance) in slots.iter().zip(distances) {
            self.gave_up |= !pool.admit::<K>(distance.pool_key(), *slot);
        }
    }

    /// Whether the query has to be asked without codes.
    pub(crate) fn gave_up(&self) -> bool {
        self.gave_up
    }
}
