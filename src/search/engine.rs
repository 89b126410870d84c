//! One copy of each loop per instruction set and metric, chosen once per index.
//!
//! The loops are generic over a kernel and inlined whole into the shells below; only the shells name instruction
//! sets, so that kernels are inlined too and nothing is dispatched inside a loop.

use crate::distance::scalar::Scalar;
use crate::distance::Level;
use crate::error::Result;
use crate::graph::{insert, update, Graph};
use crate::search::query::{query, Ask};
use crate::search::scratch::Work;
use crate::store::view::{Query, View};
use crate::store::Slot;

type QueryLoop = unsafe fn(&View<'_>, Query<'_>, Option<(Slot, usize)>, Ask, &mut Work) -> Result<()>;
type LinkLoop = unsafe fn(&Graph, &View<'_>, Slot, &mut Work) -> Result<()>;

/// The loops of one instruction set and metric.
#[derive(Clone, Copy)]
pub(crate) struct Engine {
    query: QueryLoop,
    insert: LinkLoop,
    update: LinkLoop,
}

/// Shells for one kernel. `$feature` is empty for the baseline.
macro_rules! shells {
    ($module:ident, $kernel:ty $(, $feature:literal)?) => {
        mod $module {
            use super::*;

            $(#[target_feature(enable = $feature)])?
            unsafe fn query_shell(
                view: &View<'_>,
                vector: Query<'_>,
                entry: Option<(Slot, usize)>,
                ask: Ask,
                work: &mut Work,
            ) -> Result<()> {
                query::<$kernel>(view, vector, entry, ask, work)
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn insert_shell(graph: &Graph, view: &View<'_>, slot: Slot, work: &mut Work) -> Result<()> {
                insert::insert::<$kernel>(graph, view, slot, work)
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn update_shell(graph: &Graph, view: &View<'_>, slot: Slot, work: &mut Work) -> Result<()> {
                update::update::<$kernel>(graph, view, slot, work)
            }

            pub(super) const ENGINE: Engine =
                Engine { query: query_shell, insert: insert_shell, update: update_shell };
        }
    };
}

shells!(scalar_l2, Scalar<false>);
shells!(scalar_ip, Scalar<true>);
#[cfg(target_arch = "x86_64")]
shells!(avx2_l2, crate::distance::avx2::Avx2<false>, "avx2,fma");
#[cfg(target_arch = "x86_64")]
shells!(avx2_ip, crate::distance::avx2::Avx2<true>, "avx2,fma");
#[cfg(target_arch = "x86_64")]
shells!(avx512_l2, crate::distance::avx512::Avx512<false>, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma");
#[cfg(target_arch = "x86_64")]
shells!(avx512_ip, crate::distance::avx512::Avx512<true>, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma");
#[cfg(target_arch = "aarch64")]
shells!(neon_l2, crate::distance::neon::Neon<false>, "neon");
#[cfg(target_arch = "aarch64")]
shells!(neon_ip, crate::distance::neon::Neon<true>, "neon");

impl Engine {
    /// The engine for a metric (inner product, or squared L2) on this machine.
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

    /// [`query::query`](crate::search::query::query).
    #[inline]
    pub(crate) fn query(
        &self,
        view: &View<'_>,
        vector: Query<'_>,
        entry: Option<(Slot, usize)>,
        ask: Ask,
        work: &mut Work,
    ) -> Result<()> {
        // SAFETY: `choose` took the shell of an instruction set that this machine was found to have.
        unsafe { (self.query)(view, vector, entry, ask, work) }
    }

    /// [`insert::insert`].
    pub(crate) fn insert(&self, graph: &Graph, view: &View<'_>, slot: Slot, work: &mut Work) -> Result<()> {
        // SAFETY: as above.
        unsafe { (self.insert)(graph, view, slot, work) }
    }

    /// [`update::update`].
    pub(crate) fn update(&self, graph: &Graph, view: &View<'_>, slot: Slot, work: &mut Work) -> Result<()> {
        // SAFETY: as above.
        unsafe { (self.update)(graph, view, slot, work) }
    }
}
