//! What an index is made of: metric, sizes, seed; checked once, here.

use crate::error::{invalid, Result};

/// How distance is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Squared Euclidean distance.
    L2,
    /// 1 - dot product.
    Ip,
    /// 1 - dot product of normalised vectors; the lengths are kept beside them.
    Cosine,
}

impl Metric {
    /// From the number C uses.
    pub fn from_number(number: u32) -> Result<Self> {
        match number {
            0 => Ok(Self::L2),
            1 => Ok(Self::Ip),
            2 => Ok(Self::Cosine),
            _ => Err(invalid(format!("metric {number} is unknown"))),
        }
    }

    /// The number C uses.
    pub fn number(self) -> u32 {
        match self {
            Self::L2 => 0,
            Self::Ip => 1,
            Self::Cosine => 2,
        }
    }
}

/// How a query measures distances; what it returns is exact in each case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exactness {
    /// The fastest that keeps recall at a given ef.
    #[default]
    Default,
    /// f32 from the first step to the last.
    F32,
    /// The ids and distances of `F32`, by any means proven to give them.
    Certified,
    /// Codes guide, f32 decides among what they found.
    Guided,
}

impl Exactness {
    /// From the number C uses.
    pub fn from_number(number: u32) -> Result<Self> {
        match number {
            0 => Ok(Self::Default),
            1 => Ok(Self::F32),
            2 => Ok(Self::Certified),
            3 => Ok(Self::Guided),
            _ => Err(invalid(format!("exactness {number} is unknown"))),
        }
    }

    /// Whether codes alone may guide a query.
    pub(crate) fn may_be_guided(self) -> bool {
        matches!(self, Self::Default | Self::Guided)
    }

    /// The number C uses.
    pub fn number(self) -> u32 {
        match self {
            Self::Default => 0,
            Self::F32 => 1,
            Self::Certified => 2,
            Self::Guided => 3,
        }
    }
}

/// Longest vector, in floats.
pub(crate) const MAX_DIM: usize = 1_000_000;
/// Most links an insertion makes; hnswlib 0.8.0 caps at the same number. 2 * M must fit the format's u16 count.
pub(crate) const MAX_M: usize = 10_000;
/// Most records: ids are u32, and searches keep a flag beside them in one.
pub(crate) const MAX_RECORDS: usize = (1 << 31) - 1;

/// What to build. Zero in `max_elements`, `m`, `ef_construction` and `seed` means default.
#[derive(Clone, Copy, Debug)]
pub struct Params {
    /// How distance is measured.
    pub metric: Metric,
    /// Floats per vector.
    pub dim: usize,
    /// Capacity in records; 0: grow on demand.
    pub max_elements: usize,
    /// Links made per insertion and level.
    pub m: usize,
    /// Candidates looked at per insertion.
    pub ef_construction: usize,
    /// Seed of the level generator.
    pub seed: u64,
    /// Whether new vectors may take the place of deleted ones.
    pub allow_replace_deleted: bool,
}

impl Params {
    /// L2 with hnswlib's defaults.
    pub fn new(dim: usize) -> Self {
        let zero = 0;
        Self {
            metric: Metric::L2,
            dim,
            max_elements: zero,
            m: zero,
            ef_construction: zero,
            seed: 0,
            allow_replace_deleted: false,
        }
    }

    /// Defaults filled in, ranges checked.
    pub fn validated(mut self) -> Result<Self> {
        let or = |value: usize, default: usize| if value == 0 { default } else { value };
        check_dim(self.dim)?;
        self.m = or(self.m, 16);
        if !(2..=MAX_M).contains(&self.m) {
            return Err(invalid(format!("m is {}, not in 2..={MAX_M}", self.m)));
        }
        self.ef_construction = or(self.ef_construction, 200).max(self.m);
        if self.ef_construction > 1 << 20 {
            return Err(invalid(format!("ef_construction {} is over {}", self.ef_construction, 1 << 20)));
        }
        if self.max_elements > MAX_RECORDS {
            return Err(invalid(format!("max_elements {} is over {MAX_RECORDS}", self.max_elements)));
        }
        if self.seed == 0 {
            self.seed = 100;
        }
        Ok(self)
    }
}

/// Refuses a dim out of range.
pub(crate) fn check_dim(dim: usize) -> Result<()> {
    if (1..=MAX_DIM).contains(&dim) {
        return Ok(());
    }
    Err(invalid(format!("dim is {dim}, not in 1..={MAX_DIM}")))
}
