//! One copy of each loop per instruction set and metric, chosen once per index.
//!
//! The loops are generic over a kernel and inlined whole into the shells below; only the shells name instruction
//! sets, so that kernels are inlined too and nothing is dispatched inside a loop.

use crate::distance::kernel::{Bytes, Distance, Host};
use crate::distance::scalar::Scalar;
use crate::distance::Level;
use crate::error::Result;
use crate::graph::insert::{self, Claim};
use crate::graph::update::{self, Draw};
use crate::graph::Graph;
use crate::search::filter::LabelSet;
use crate::search::guided::Guide;
use crate::search::listed;
use crate::search::query::{query, query_level, Ask};
use crate::search::scratch::Work;
use crate::store::view::{Query, View};
use crate::store::Slot;

type QueryLoop<D> = unsafe fn(&View<'_>, Query<'_>, Option<(Slot, usize)>, Ask<'_>, &mut Work<D>) -> Result<()>;
type LevelLoop<D> = unsafe fn(&View<'_>, Query<'_>, (Slot, usize), Ask<'_>, &mut Work<D>) -> Result<()>;
type ListedLoop<D> = unsafe fn(&View<'_>, Query<'_>, (&[Slot], &LabelSet), usize, &mut Work<D>) -> bool;
/// The loop of [`insert::insert`], here and among codes.
pub(super) type InsertLoop<D> = unsafe fn(
    &Graph,
    &View<'_>,
    Query<'_>,
    usize,
    Option<&mut Guide<'_, '_>>,
    &mut Claim<'_>,
    &mut Work<D>,
) -> Result<()>;
type UpdateLoop<D> = unsafe fn(&Graph, &View<'_>, Slot, &mut Draw<'_>, &mut Work<D>) -> Result<()>;
type SelectLoop<D> = unsafe fn(&View<'_>, usize, &mut Work<D>);
type LinkLoop<D> = unsafe fn(&Graph, &View<'_>, Slot, usize, &mut Work<D>) -> Result<Option<Slot>>;
type RepairLoop<D> = unsafe fn(&Graph, &View<'_>, Query<'_>, Slot, usize, (Slot, usize), &mut Work<D>) -> Result<()>;

/// The loops of one instruction set and metric.
#[derive(Clone, Copy)]
pub(crate) struct Engine<D = f32> {
    query: QueryLoop<D>,
    query_level: LevelLoop<D>,
    nearest_of: ListedLoop<D>,
    insert: InsertLoop<D>,
    update: UpdateLoop<D>,
    select: SelectLoop<D>,
    link_chosen: LinkLoop<D>,
    find_neighbours: RepairLoop<D>,
}

/// Shells for one kernel and its kind of distance. `$feature` is empty for the baseline.
macro_rules! shells {
    ($module:ident, $kernel:ty, $distance:ty $(, $feature:literal)?) => {
        mod $module {
            use super::*;

            $(#[target_feature(enable = $feature)])?
            unsafe fn query_shell(
                view: &View<'_>,
                vector: Query<'_>,
                entry: Option<(Slot, usize)>,
                ask: Ask<'_>,
                work: &mut Work<$distance>,
            ) -> Result<()> {
                query::<$kernel>(view, vector, entry, ask, work)
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn level_shell(
                view: &View<'_>,
                vector: Query<'_>,
                start: (Slot, usize),
                ask: Ask<'_>,
                work: &mut Work<$distance>,
            ) -> Result<()> {
                query_level::<$kernel>(view, vector, start, ask, work)
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn listed_shell(
                view: &View<'_>,
                vector: Query<'_>,
                listed: (&[Slot], &LabelSet),
                k: usize,
                work: &mut Work<$distance>,
            ) -> bool {
                listed::nearest_of::<$kernel>(view, vector, listed, k, work)
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn insert_shell(
                graph: &Graph,
                view: &View<'_>,
                vector: Query<'_>,
                level: usize,
                guide: Option<&mut Guide<'_, '_>>,
                claim: &mut Claim<'_>,
                work: &mut Work<$distance>,
            ) -> Result<()> {
                insert::insert::<$kernel>(graph, view, vector, level, guide, claim, work)
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn update_shell(
                graph: &Graph,
                view: &View<'_>,
                slot: Slot,
                draw: &mut Draw<'_>,
                work: &mut Work<$distance>,
            ) -> Result<()> {
                update::update::<$kernel>(graph, view, slot, draw, work)
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn select_shell(view: &View<'_>, m: usize, work: &mut Work<$distance>) {
                work.pruning.select_links::<$kernel>(view, m);
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn link_shell(
                graph: &Graph,
                view: &View<'_>,
                slot: Slot,
                level: usize,
                work: &mut Work<$distance>,
            ) -> Result<Option<Slot>> {
                update::link_chosen::<$kernel>(graph, view, slot, level, work)
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn repair_shell(
                graph: &Graph,
                view: &View<'_>,
                vector: Query<'_>,
                slot: Slot,
                level: usize,
                entry: (Slot, usize),
                work: &mut Work<$distance>,
            ) -> Result<()> {
                update::find_neighbours::<$kernel>(graph, view, vector, slot, level, entry, work)
            }

            pub(super) const ENGINE: Engine<$distance> = Engine {
                query: query_shell,
                query_level: level_shell,
                nearest_of: listed_shell,
                insert: insert_shell,
                update: update_shell,
                select: select_shell,
                link_chosen: link_shell,
                find_neighbours: repair_shell,
            };
        }
    };
}

shells!(scalar_l2, Scalar<false>, f32);
shells!(scalar_ip, Scalar<true>, f32);
shells!(scalar_bytes, Bytes, i32);
shells!(host, Host, i64);
#[cfg(target_arch = "x86_64")]
shells!(avx2_l2, crate::distance::avx2::Avx2<false>, f32, "avx2,fma");
#[cfg(target_arch = "x86_64")]
shells!(avx2_ip, crate::distance::avx2::Avx2<true>, f32, "avx2,fma");
#[cfg(target_arch = "x86_64")]
shells!(avx2_bytes, Bytes, i32, "avx2,fma");
#[cfg(target_arch = "x86_64")]
shells!(avx512_l2, crate::distance::avx512::Avx512<false>, f32, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma");
#[cfg(target_arch = "x86_64")]
shells!(avx512_ip, crate::distance::avx512::Avx512<true>, f32, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma");
#[cfg(target_arch = "aarch64")]
shells!(neon_l2, crate::distance::neon::Neon<false>, f32, "neon");
#[cfg(target_arch = "aarch64")]
shells!(neon_ip, crate::distance::neon::Neon<true>, f32, "neon");

impl Engine<f32> {
    /// The engine for a metric of floats (inner product, or squared L2) on this machine.
    pub(crate) fn choose(inner_product: bool) -> Self {
        match (Level::current(), inner_product) {
            (Level::Scalar, false) => scalar_l2::ENGINE,
            (Level::Scalar, true) => scalar_ip::ENGINE,
            #[cfg(target_arch = "x86_64")]
            (Level::Avx2, false) => avx2_l2::ENGINE,
            #[cfg(target_arch = "x86_64")]
            (Level::Avx2, true) => avx2_ip::ENGINE,
            #[cfg(target_arch = "x86_64")]
            (Level::Avx512, false) => avx512_l2::ENGINE,
            #[cfg(target_arch = "x86_64")]
            (Level::Avx512, true) => avx512_ip::ENGINE,
            #[cfg(target_arch = "aarch64")]
            (Level::Neon, false) => neon_l2::ENGINE,
            #[cfg(target_arch = "aarch64")]
            (Level::Neon, true) => neon_ip::ENGINE,
        }
    }
}

impl Engine<i32> {
    /// The engine for squared L2 of bytes on this machine.
    pub(crate) fn of_bytes() -> Self {
        match Level::current() {
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 | Level::Avx512 => avx2_bytes::ENGINE,
            _ => scalar_bytes::ENGINE,
        }
    }
}

impl Engine<i64> {
    /// The engine for what a host measures.
    pub(crate) fn of_host() -> Self {
        host::ENGINE
    }
}

// SAFETY of the calls below: the constructors took the shells of an instruction set that this machine was found to
// have.
impl<D: Distance> Engine<D> {
    /// [`query::query`](crate::search::query::query).
    #[inline]
    pub(crate) fn query(
        &self,
        view: &View<'_>,
        vector: Query<'_>,
        entry: Option<(Slot, usize)>,
        ask: Ask<'_>,
        work: &mut Work<D>,
    ) -> Result<()> {
        // SAFETY: see above.
        unsafe { (self.query)(view, vector, entry, ask, work) }
    }

    /// [`query::query_level`](crate::search::query::query_level).
    pub(crate) fn query_level(
        &self,
        view: &View<'_>,
        vector: Query<'_>,
        start: (Slot, usize),
        ask: Ask<'_>,
        work: &mut Work<D>,
    ) -> Result<()> {
        // SAFETY: see above.
        unsafe { (self.query_level)(view, vector, start, ask, work) }
    }

    /// [`listed::nearest_of`].
    pub(crate) fn nearest_of(
        &self,
        view: &View<'_>,
        vector: Query<'_>,
        listed: (&[Slot], &LabelSet),
        k: usize,
        work: &mut Work<D>,
    ) -> bool {
        // SAFETY: see above.
        unsafe { (self.nearest_of)(view, vector, listed, k, work) }
    }

    /// [`insert::insert`].
    #[allow(clippy::too_many_arguments, reason = "the loop's own arguments")]
    pub(crate) fn insert(
        &self,
        graph: &Graph,
        view: &View<'_>,
        vector: Query<'_>,
        level: usize,
        guide: Option<&mut Guide<'_, '_>>,
        claim: &mut Claim<'_>,
        work: &mut Work<D>,
    ) -> Result<()> {
        // SAFETY: see above.
        unsafe { (self.insert)(graph, view, vector, level, guide, claim, work) }
    }

    /// [`update::update`].
    pub(crate) fn update(
        &self,
        graph: &Graph,
        view: &View<'_>,
        slot: Slot,
        draw: &mut Draw<'_>,
        work: &mut Work<D>,
    ) -> Result<()> {
        // SAFETY: see above.
        unsafe { (self.update)(graph, view, slot, draw, work) }
    }

    /// [`Pruning::select_links`](crate::graph::select::Pruning::select_links).
    pub(crate) fn select(&self, view: &View<'_>, m: usize, work: &mut Work<D>) {
        // SAFETY: see above.
        unsafe { (self.select)(view, m, work) }
    }

    /// [`update::link_chosen`].
    pub(crate) fn link_chosen(
        &self,
        graph: &Graph,
        view: &View<'_>,
        slot: Slot,
        level: usize,
        work: &mut Work<D>,
    ) -> Result<Option<Slot>> {
        // SAFETY: see above.
        unsafe { (self.link_chosen)(graph, view, slot, level, work) }
    }

    /// [`update::find_neighbours`].
    #[allow(clippy::too_many_arguments, reason = "the loop's own arguments")]
    pub(crate) fn find_neighbours(
        &self,
        graph: &Graph,
        view: &View<'_>,
        vector: Query<'_>,
        slot: Slot,
        level: usize,
        entry: (Slot, usize),
        work: &mut Work<D>,
    ) -> Result<()> {
        // SAFETY: see above.
        unsafe { (self.find_neighbours)(graph, view, vector, slot, level, entry, work) }
    }
}
