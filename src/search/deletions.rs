//! What a search is told about deleted records.
//!
//! A walk goes through them and does not find them. hnswlib's heaps ([`super::layer`]) look at each record's flag
//! before they take it; a sorted pool ([`super::pool`]) takes it, keeps some more records than are wanted, and looks at
//! the flag when the record is expanded, since that is in the first line of its links. Where more are deleted than it
//! has spare places for, it may have lost others, and the walk is made again with heaps.

/// The share of records that are deleted.
#[derive(Clone, Copy, Default)]
pub(crate) struct Deletions(f64);

impl Deletions {
    /// So many that only heaps will do.
    const MANY: Self = Self(1.0);

    /// Nobody knows how many, mostly few.
    pub(crate) const UNKNOWN: Self = Self(1.0 / 32.0);

    /// The share above which a pool would mostly hold deleted records.
    const MOST: f64 = 0.5;

    /// Nobody knows how many, if there are any.
    pub(crate) fn unknown(any: bool) -> Self {
        if any {
            Self::UNKNOWN
        } else {
            Self::default()
        }
    }

    pub(crate) fn new(deleted: usize, count: usize) -> Self {
        Self(deleted as f64 / deleted.max(count).max(1) as f64)
    }

    /// Whether there may be any.
    #[inline(always)]
    pub(crate) fn any(self) -> bool {
        self.0 > 0.0
    }

    /// The same for a walk with heaps.
    pub(crate) fn to_heaps(self) -> Self {
        if self.any() {
            Self::MANY
        } else {
            self
        }
    }

    /// Whether a pool has places for them.
    pub(crate) fn fit_a_pool(self) -> bool {
        self.0 <= Self::MOST
    }

    /// How many deleted records may be nearer than the last of `ef` others where it is by chance: what is expected and
    /// three deviations, at least one (those before the ef-th other have a negative binomial distribution). None: too
    /// many for a pool.
    pub(crate) fn spare(self, ef: usize) -> Option<usize> {
        let Self(share) = self;
        let odds = share / (1.0 - share);
        let deviation = (ef as f64 * share).sqrt() / (1.0 - share);
        match share {
            0.0 => Some(0),
            _ if !self.fit_a_pool() => None,
            _ => Some((ef as f64 * odds + 3.0 * deviation).ceil() as usize),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Deletions;

    #[test]
    fn spare_places() {
        assert_eq!(Deletions::new(0, 0).spare(60), Some(0));
        assert_eq!(Deletions::new(1, 1_000_000).spare(60), Some(1));
        // 60 and three times 120.sqrt().
        assert_eq!(Deletions::new(500, 1000).spare(60), Some(93));
        assert_eq!(Deletions::new(501, 1000).spare(60), None);
        assert_eq!(Deletions::MANY.spare(60), None);
        assert!(Deletions::UNKNOWN.any() && Deletions::new(1, 0).any() && !Deletions::new(0, 9).any());
    }
}
