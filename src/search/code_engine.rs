//! The loops over codes, and those over vectors that codes help, one copy per instruction set and metric, as
//! [`engine`](crate::search::engine) has those over vectors.

use crate::codes::quantiser::CodedQuery;
use crate::codes::scalar;
use crate::codes::Codes;
use crate::distance::kernel::Kernel;
use crate::distance::scalar::Scalar;
use crate::distance::Level;
use crate::error::Result;
use crate::graph::insert::{self, Claim};
use crate::graph::Graph;
use crate::search::engine::InsertLoop;
use crate::search::filter::Accept;
use crate::search::guided::{self, Guide, WalkLoop, YoungerLoop};
use crate::search::heap::Near;
use crate::search::lanes::{self, Batch, By, Lane, Queries};
use crate::search::scratch::Work;
use crate::store::view::{Query, View};
use crate::store::Slot;

type RescoreLoop = unsafe fn(&View<'_>, Query<'_>, &mut Work<i32>);
type RunLoop<D> = unsafe fn(&Batch<'_, '_>, &mut [Lane<D>], &mut dyn Queries<D>) -> Result<()>;
type MeasureLoop = unsafe fn(&View<'_>, Query<'_>, &[Near<i32>], (&Codes, &CodedQuery, bool), usize, &mut Work<f32>);

/// The loops of one instruction set and metric.
#[derive(Clone, Copy)]
pub(crate) struct CodeEngine {
    /// By codes, by sketches.
    walk: [WalkLoop; 2],
    younger: [YoungerLoop; 2],
    run: [RunLoop<i32>; 2],
    run_exact: RunLoop<f32>,
    rescore: RescoreLoop,
    insert: InsertLoop<i32>,
    measure: MeasureLoop,
}

/// Shells for the kernels of codes, of sketches and of vectors.
macro_rules! shells {
    ($module:ident, $codes:ty, $sketches:ty, $vectors:ty $(, $feature:literal)?) => {
        mod $module {
            use super::*;

            $(#[target_feature(enable = $feature)])?
            unsafe fn walk_shell<K: Kernel<Distance = i32>>(
                view: &View<'_>,
                query: Query<'_>,
                entry: Option<(Slot, usize)>,
                ef: usize,
                accept: Option<&Accept<'_>>,
                work: &mut Work<i32>,
            ) -> Result<()> {
                guided::walk::<K>(view, query, entry, ef, accept, work)
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn younger_shell<K: Kernel<Distance = i32>>(
                view: &View<'_>,
                query: Query<'_>,
                count: usize,
                ef: usize,
                work: &mut Work<i32>,
            ) {
                guided::add_younger::<K>(view, query, count, ef, work)
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn run_shell<K: Kernel, const SIEVE: bool>(
                batch: &Batch<'_, '_>,
                lanes: &mut [Lane<K::Distance>],
                queries: &mut dyn Queries<K::Distance>,
            ) -> Result<()> {
                lanes::run::<K, $codes, SIEVE>(batch, lanes, queries)
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn rescore_shell(on_codes: &View<'_>, code: Query<'_>, work: &mut Work<i32>) {
                guided::rescore::<$codes>(on_codes, code, work)
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn insert_shell(
                graph: &Graph,
                view: &View<'_>,
                vector: Query<'_>,
                level: usize,
                guide: Option<&mut Guide<'_, '_>>,
                claim: &mut Claim<'_>,
                work: &mut Work<i32>,
            ) -> Result<()> {
                insert::insert::<$codes>(graph, view, vector, level, guide, claim, work)
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn measure_shell(
                view: &View<'_>,
                query: Query<'_>,
                near: &[Near<i32>],
                coded: (&Codes, &CodedQuery, bool),
                k: usize,
                work: &mut Work<f32>,
            ) {
                guided::measure::<$vectors>(view, query, near, coded, k, work)
            }

            pub(super) const ENGINE: CodeEngine = CodeEngine {
                walk: [walk_shell::<$codes>, walk_shell::<$sketches>],
                younger: [younger_shell::<$codes>, younger_shell::<$sketches>],
                run: [run_shell::<$codes, false>, run_shell::<$sketches, false>],
                run_exact: run_shell::<$vectors, true>,
                rescore: rescore_shell,
                insert: insert_shell,
                measure: measure_shell,
            };
        }
    };
}

shells!(scalar_l2, scalar::L2, scalar::SketchL2, Scalar<false>);
shells!(scalar_dot, scalar::Dot, scalar::SketchDot, Scalar<true>);
#[cfg(target_arch = "x86_64")]
shells!(avx2_l2, crate::codes::avx2::L2, crate::codes::avx2::SketchL2, crate::distance::avx2::Avx2<false>, "avx2,fma");
#[cfg(target_arch = "x86_64")]
shells!(
    avx2_dot,
    crate::codes::avx2::Dot,
    crate::codes::avx2::SketchDot,
    crate::distance::avx2::Avx2<true>,
    "avx2,fma"
);
#[cfg(target_arch = "x86_64")]
shells!(
    vnni_l2,
    crate::codes::avx512::L2,
    crate::codes::avx512::SketchL2,
    crate::distance::avx512::Avx512<false>,
    "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma"
);
#[cfg(target_arch = "x86_64")]
shells!(
    vnni_dot,
    crate::codes::avx512::Dot,
    crate::codes::avx512::SketchDot,
    crate::distance::avx512::Avx512<true>,
    "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma"
);
#[cfg(target_arch = "aarch64")]
shells!(neon_l2, crate::codes::neon::L2, crate::codes::neon::SketchL2, crate::distance::neon::Neon<false>, "neon");
#[cfg(target_arch = "aarch64")]
shells!(neon_dot, crate::codes::neon::Dot, crate::codes::neon::SketchDot, crate::distance::neon::Neon<true>, "neon");

impl CodeEngine {
    /// The engine for a metric of floats (inner product, or squared L2) on this machine.
    pub(crate) fn choose(inner_product: bool) -> Self {
        match (Level::current(), inner_product) {
            (Level::Scalar, false) => scalar_l2::ENGINE,
            (Level::Scalar, true) => scalar_dot::ENGINE,
            #[cfg(target_arch = "x86_64")]
            (Level::Avx512, false) if Level::has_vnni() => vnni_l2::ENGINE,
            #[cfg(target_arch = "x86_64")]
            (Level::Avx512, true) if Level::has_vnni() => vnni_dot::ENGINE,
            #[cfg(target_arch = "x86_64")]
            (Level::Avx2 | Level::Avx512, false) => avx2_l2::ENGINE,
            #[cfg(target_arch = "x86_64")]
            (Level::Avx2 | Level::Avx512, true) => avx2_dot::ENGINE,
            #[cfg(target_arch = "aarch64")]
            (Level::Neon, false) => neon_l2::ENGINE,
            #[cfg(target_arch = "aarch64")]
            (Level::Neon, true) => neon_dot::ENGINE,
        }
    }

    // SAFETY of the calls below: the shells are of an instruction set that this machine was found to have.

    /// [`guided::walk`], by codes or sketches.
    #[inline]
    #[allow(clippy::too_many_arguments, reason = "the loop's own arguments")]
    pub(crate) fn walk(
        &self,
        sketches: bool,
        view: &View<'_>,
        query: Query<'_>,
        entry: Option<(Slot, usize)>,
        ef: usize,
        accept: Option<&Accept<'_>>,
        work: &mut Work<i32>,
    ) -> Result<()> {
        // SAFETY: see above.
        unsafe { (self.walk[usize::from(sketches)])(view, query, entry, ef, accept, work) }
    }

    /// The same to come, for an insertion, or, if `work` has the nearest of some records already,
    /// [`guided::add_younger`].
    pub(crate) fn guide<'a, 'v>(
        &self,
        sketches: bool,
        view: &'a View<'v>,
        query: Query<'a>,
        ef: usize,
        found_among: Option<usize>,
        work: &'a mut Work<i32>,
    ) -> Guide<'a, 'v> {
        let kind = usize::from(sketches);
        // SAFETY: see above.
        unsafe { Guide::new((self.walk[kind], self.younger[kind]), view, query, ef, found_among, work) }
    }

    /// [`lanes::run`] by codes or sketches.
    pub(crate) fn run(&self, batch: &Batch<'_, '_>, lanes: &mut [Lane], queries: &mut dyn Queries<i32>) -> Result<()> {
        // SAFETY: see above.
        unsafe { (self.run[usize::from(batch.by == By::Sketches)])(batch, lanes, queries) }
    }

    /// [`lanes::run`] by vectors.
    pub(crate) fn run_exact(
        &self,
        batch: &Batch<'_, '_>,
        lanes: &mut [Lane<f32>],
        queries: &mut dyn Queries<f32>,
    ) -> Result<()> {
        // SAFETY: see above.
        unsafe { (self.run_exact)(batch, lanes, queries) }
    }

    /// [`guided::rescore`].
    #[inline]
    pub(crate) fn rescore(&self, on_codes: &View<'_>, code: Query<'_>, work: &mut Work<i32>) {
        // SAFETY: see above.
        unsafe { (self.rescore)(on_codes, code, work) }
    }

    /// [`insert::insert`] between codes: for those that are the vectors, since records are compared with records.
    #[allow(clippy::too_many_arguments, reason = "the loop's own arguments")]
    pub(crate) fn insert(
        &self,
        graph: &Graph,
        view: &View<'_>,
        vector: Query<'_>,
        level: usize,
        guide: Option<&mut Guide<'_, '_>>,
        claim: &mut Claim<'_>,
        work: &mut Work<i32>,
    ) -> Result<()> {
        // SAFETY: see above.
        unsafe { (self.insert)(graph, view, vector, level, guide, claim, work) }
    }

    /// [`guided::measure`].
    #[inline]
    pub(crate) fn measure(
        &self,
        view: &View<'_>,
        query: Query<'_>,
        near: &[Near<i32>],
        coded: (&Codes, &CodedQuery, bool),
        k: usize,
        work: &mut Work<f32>,
    ) {
        // SAFETY: see above.
        unsafe { (self.measure)(view, query, near, coded, k, work) }
    }
}
