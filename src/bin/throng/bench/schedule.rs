//! When sends are due: the open loop. It knows no clock and waits for nobody; a send that is made
//! late stays due when it was.
//!
//! ```text
//! fixed, 3 per second from 0:   0 ns, 333333333 ns, 666666666 ns, 1000000000 ns, ..
//! ```

use super::plan::Pacing;

/// The due times of one stream of sends, ascending, without end.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    gaps: Gaps,
    /// Millionths of a send per second.
    micro_rate: u64,
    begin_ns: u64,
    /// Sends before the one that is due next.
    number: u64,
    next_ns: u64,
    /// Of so many consecutive sends, one is ours.
    stride: u64,
}

/// How sends follow one another.
#[derive(Clone, Debug)]
enum Gaps {
    /// The n-th at n / rate, computed from the begin each time: nothing adds up to a drift.
    Fixed,
    /// Exponential, from one seeded generator.
    Random(fastrand::Rng),
}

impl Schedule {
    /// `None` in a closed loop, where answers decide, and for a rate that is not above zero.
    ///
    /// The rate is taken to a millionth per second. In equal distances the first send is due at
    /// the begin; at random, a first gap after it.
    pub(crate) fn new(
        pacing: Pacing,
        rate_per_second: f64,
        begin_ns: u64,
        seed: u64,
    ) -> Option<Self> {
        let gaps = match pacing {
            Pacing::Fixed => Gaps::Fixed,
            Pacing::Poisson => Gaps::Random(fastrand::Rng::with_seed(seed)),
            Pacing::Closed { .. } => return None,
        };
        let micro_rate = micro_rate(rate_per_second)?;
        let mut schedule =
            Self { gaps, micro_rate, begin_ns, number: 0, next_ns: begin_ns, stride: 1 };
        if let Gaps::Random(_) = schedule.gaps {
            schedule.step();
        }
        Some(schedule)
    }

    /// The sends of one of several shards that share this schedule: each `shards`-th, from the
    /// `shard`-th on. Together they make the whole schedule, each send once.
    pub(crate) fn part(mut self, shard: u32, shards: u32) -> Self {
        for _ in 0..shard {
            self.step();
        }
        self.stride = u64::from(shards.max(1));
        self
    }

    /// When the next send is due; the end of time where numbers end.
    pub(crate) fn next_at(&self) -> u64 {
        self.next_ns
    }

    pub(crate) fn advance(&mut self) {
        match self.gaps {
            Gaps::Fixed => self.skip(self.stride),
            Gaps::Random(_) => (0..self.stride).for_each(|_| self.step()),
        }
    }

    fn step(&mut self) {
        match &mut self.gaps {
            Gaps::Fixed => self.skip(1),
            Gaps::Random(random) => {
                let gap_ns = exponential_ns(random.f64(), self.micro_rate);
                self.next_ns = self.next_ns.saturating_add(gap_ns);
            }
        }
    }

    fn skip(&mut self, sends: u64) {
        self.number = self.number.saturating_add(sends);
        // At most 2^64 times 2^50: far below the 128 bits.
        let offset = u128::from(self.number) * MICRO_NS_PER_SECOND / u128::from(self.micro_rate);
        let offset = u64::try_from(offset).unwrap_or(u64::MAX);
        self.next_ns = self.begin_ns.saturating_add(offset);
    }
}

/// `None` unless above zero; what is finer than a millionth, or faster than the clock, is not.
fn micro_rate(rate_per_second: f64) -> Option<u64> {
    if !rate_per_second.is_finite() || rate_per_second <= 0.0 {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to a range of whole numbers"
    )]
    let micro = (rate_per_second * 1e6).round().clamp(1.0, MICRO_RATE_MAX) as u64;
    Some(micro)
}

/// A gap of the Poisson process, from a uniform number of 0 to below 1.
fn exponential_ns(uniform: f64, micro_rate: u64) -> u64 {
    #[expect(clippy::cast_precision_loss, reason = "at most 1e15, which a double holds exactly")]
    let mean_ns = 1e15 / micro_rate as f64;
    let gap_ns = -(1.0 - uniform).ln() * mean_ns;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "never negative; what is too much becomes the most there is"
    )]
    let gap_ns = gap_ns.round() as u64;
    gap_ns
}

/// Nanoseconds of a second, in millionths.
const MICRO_NS_PER_SECOND: u128 = 1_000_000_000_000_000;
/// One send per nanosecond.
const MICRO_RATE_MAX: f64 = 1e15;

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(rate: f64, begin_ns: u64) -> Schedule {
        Schedule::new(Pacing::Fixed, rate, begin_ns, 0).expect("an open loop")
    }

    fn poisson(rate: f64, seed: u64) -> Schedule {
        Schedule::new(Pacing::Poisson, rate, 0, seed).expect("an open loop")
    }

    fn take(schedule: &mut Schedule, count: usize) -> Vec<u64> {
        let mut next = || {
            let at = schedule.next_at();
            schedule.advance();
            at
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn equal_distances_are_exact() {
        let first = take(&mut fixed(3.0, 5), 4);
        assert_eq!(first, [5, 333_333_338, 666_666_671, 1_000_000_005]);
        assert_eq!(take(&mut fixed(0.5, 0), 3), [0, 2_000_000_000, 4_000_000_000]);
        assert_eq!(take(&mut fixed(1e6, 0), 3), [0, 1_000, 2_000]);
    }

    #[test]
    fn a_rate_without_exact_nanoseconds_does_not_drift() {
        let mut schedule = fixed(7.0, 0);
        take(&mut schedule, 7_000_000);
        assert_eq!(schedule.next_at(), 1_000_000 * 1_000_000_000);
        // A tenth has no exact binary form, and is exact in millionths.
        let mut schedule = fixed(0.1, 0);
        take(&mut schedule, 1_000_000);
        assert_eq!(schedule.next_at(), 10_000_000 * 1_000_000_000);
    }

    #[test]
    fn numbers_end_without_an_overflow() {
        let mut schedule = fixed(1e-9, u64::MAX - 10);
        schedule.advance();
        assert_eq!(schedule.next_at(), u64::MAX);
        schedule.number = u64::MAX;
        schedule.advance();
        assert_eq!(schedule.next_at(), u64::MAX);
        assert_eq!(take(&mut fixed(f64::MAX, 0), 3), [0, 1, 2]);
        let mut schedule = poisson(1e-9, 1);
        take(&mut schedule, 100_000);
        assert_eq!(schedule.next_at(), u64::MAX);
    }

    #[test]
    fn what_has_no_schedule_has_none() {
        assert!(Schedule::new(Pacing::Closed { in_flight: 1 }, 5.0, 0, 0).is_none());
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Schedule::new(Pacing::Fixed, rate, 0, 0).is_none(), "{rate}");
        }
    }

    /// ln 2 is 0.693147181, so the median gap at 2 per second is 346,573,590 ns.
    #[test]
    fn a_random_gap_is_the_inverse_of_the_exponential_distribution() {
        assert_eq!(exponential_ns(0.0, 2_000_000), 0);
        assert_eq!(exponential_ns(0.5, 2_000_000), 346_573_590);
        assert_eq!(exponential_ns(0.75, 2_000_000), 693_147_181);
    }

    #[test]
    fn a_seed_gives_the_same_schedule_again() {
        assert_eq!(take(&mut poisson(100.0, 7), 1_000), take(&mut poisson(100.0, 7), 1_000));
        assert_ne!(take(&mut poisson(100.0, 7), 1_000), take(&mut poisson(100.0, 8), 1_000));
    }

    /// Of 100,000 gaps at 1,000 per second, the mean strays by 0.3 % (one standard deviation), and
    /// a share of exp(-1) = 36.79 % is longer than it, to within 0.15 points.
    #[test]
    fn random_gaps_have_the_mean_and_the_shape_that_they_should() {
        let times = take(&mut poisson(1_000.0, 42), 100_000);
        assert!(times.is_sorted());
        let mean_ns = times.last().copied().expect("100,000 of them") / 100_000;
        assert!((985_000..1_015_000).contains(&mean_ns), "{mean_ns}");
        let long = times.windows(2).filter(|pair| pair[1] - pair[0] > 1_000_000).count();
        assert!((36_000..37_600).contains(&long), "{long}");
    }

    #[test]
    fn shards_make_the_whole_schedule_together() {
        for whole in [fixed(3.0, 5), poisson(3.0, 9)] {
            let mut parts: Vec<u64> =
                (0..4).flat_map(|shard| take(&mut whole.clone().part(shard, 4), 25)).collect();
            parts.sort_unstable();
            assert_eq!(parts, take(&mut whole.clone(), 100));
        }
    }
}
