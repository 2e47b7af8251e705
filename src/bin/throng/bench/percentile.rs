//! The percentiles that a result tells, by name: what limits are set for and verdicts look at. It
//! computes none.
//!
//! ```text
//! p99.9     10,000 samples at least     100,000 to rest on a hundred beyond it
//! ```

use super::latency::Percentiles;

/// A percentile that every result has a place for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Percentile {
    /// Half of the samples are above.
    P50,
    /// One in 10 is above.
    P90,
    /// One in 100 is above.
    P99,
    /// One in 1,000 is above.
    P99_9,
    /// One in 10,000 is above.
    P99_99,
}

impl Percentile {
    pub(crate) const ALL: [Self; 5] = [Self::P50, Self::P90, Self::P99, Self::P99_9, Self::P99_99];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::P99_9 => "p99.9",
            Self::P99_99 => "p99.99",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|percentile| percentile.name() == name)
    }

    pub(crate) fn of(self, percentiles: &Percentiles) -> Option<u64> {
        match self {
            Self::P50 => percentiles.p50,
            Self::P90 => percentiles.p90,
            Self::P99 => percentiles.p99,
            Self::P99_9 => percentiles.p99_9,
            Self::P99_99 => percentiles.p99_99,
        }
    }

    /// How many of so many samples lie beyond.
    pub(crate) fn beyond(self, count: u64) -> u64 {
        let one_in = match self {
            Self::P50 => 2,
            Self::P90 => 10,
            Self::P99 => 100,
            Self::P99_9 => 1_000,
            Self::P99_99 => 10_000,
        };
        count / one_in
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back() {
        for percentile in Percentile::ALL {
            assert_eq!(Percentile::named(percentile.name()), Some(percentile));
        }
        assert_eq!(Percentile::named("p95"), None);
    }

    #[test]
    fn samples_beyond_are_counted() {
        let beyond = Percentile::ALL.map(|percentile| percentile.beyond(123_456));
        assert_eq!(beyond, [61_728, 12_345, 1_234, 123, 12]);
    }
}
