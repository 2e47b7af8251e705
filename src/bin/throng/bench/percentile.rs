//! The percentiles that a result tells, by name: what limits are set for and verdicts look at. It
//! computes none.
//!
//! ```text
//! p50 from 100 samples on     p99 from 10,000 on     p99.9 from 100,000 on
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

    /// The share of samples that are at most as high.
    pub(crate) fn quantile(self) -> f64 {
        match self {
            Self::P50 => 0.5,
            Self::P90 => 0.9,
            Self::P99 => 0.99,
            Self::P99_9 => 0.999,
            Self::P99_99 => 0.9999,
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

    /// Whether so many samples are enough to tell it: a hundred beyond it, so that their number is
    /// known to a tenth. A median, with as many below, is known as well from a hundred in all.
    pub(crate) fn is_told(self, count: u64) -> bool {
        let deciding = if self == Self::P50 { count } else { self.beyond(count) };
        deciding >= u64::from(DECIDING_MIN)
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

/// Samples that a percentile rests on: with ten, the next run would tell another.
pub(crate) const DECIDING_MIN: u32 = 100;

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
    fn a_percentile_takes_a_hundred_samples_beyond_it_and_a_median_a_hundred_in_all() {
        let least = [100, 1_000, 10_000, 100_000, 1_000_000];
        for (percentile, count) in Percentile::ALL.into_iter().zip(least) {
            assert!(percentile.is_told(count), "{count} are enough for {percentile:?}");
            assert!(!percentile.is_told(count - 1), "{} are not", count - 1);
        }
    }

    #[test]
    fn samples_beyond_are_counted() {
        let beyond = Percentile::ALL.map(|percentile| percentile.beyond(123_456));
        assert_eq!(beyond, [61_728, 12_345, 1_234, 123, 12]);
    }
}
