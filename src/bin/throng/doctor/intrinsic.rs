//! Latency that the machine has of its own: how long a thread that never waits is kept from
//! running, and how late one that waits is woken.
//!
//! What is measured here is in every figure of a run, whatever the server. The idea is that of
//! `redis-cli --intrinsic-latency`: read the clock without end and look at the gaps.
//!
//! ```text
//! |.|.|.|.|.|.|........|.|.|.|.|.|      a reading each 30 ns, and once 4 ms without one
//! ```

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::{Events, Poll};
use rustix::io::Errno;
use rustix::thread::{CpuSet, sched_setaffinity};
use serde::{Deserialize, Serialize};

use super::check::{Check, Section, Verdict};
use super::text::nanos;
use crate::bench::watch::thread_cpu;

/// Gaps between readings of the clock by a thread that does nothing else.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Stalls {
    pub(crate) seconds: f64,
    pub(crate) readings: u64,
    pub(crate) gap_p50_ns: u64,
    pub(crate) gap_p999_ns: u64,
    pub(crate) gap_p9999_ns: u64,
    pub(crate) gap_max_ns: u64,
    /// What something due at a random moment waits, at most in 99 of 100 cases.
    pub(crate) wait_p99_ns: u64,
    /// What something due at a random moment waits, at most in 999 of 1,000 cases.
    pub(crate) wait_p999_ns: u64,
    /// Share of the time that the thread was ready and another one of this machine ran.
    pub(crate) preempted_share: f64,
}

/// What a result tells of the machine: what something due at a random moment waits for a core at
/// most, in so many of a hundred cases, whatever the server does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Intrinsic {
    /// How long it was measured.
    pub(crate) seconds: f64,
    pub(crate) wait_ns: Waits,
    /// The longest time that a ready thread didn't run.
    pub(crate) gap_max_ns: u64,
    /// Share of the time that the thread was ready and another one of this machine ran.
    pub(crate) preempted_share: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waits {
    pub(crate) p50: u64,
    pub(crate) p90: u64,
    pub(crate) p99: u64,
    #[serde(rename = "p99.9")]
    pub(crate) p99_9: u64,
}

/// How late a wait of a millisecond ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Wakes {
    pub(crate) count: u64,
    pub(crate) late_p50_ns: u64,
    pub(crate) late_p99_ns: u64,
    pub(crate) late_max_ns: u64,
}

impl Intrinsic {
    /// Keeps the named core busy for a fifth of a second, or whichever the system chooses.
    pub(crate) fn take(pin: Option<usize>) -> io::Result<Self> {
        let (gaps, stalls) = Stalls::measure_gaps(INTRINSIC_SPAN, pin)?;
        Ok(Self::of(&gaps, &stalls))
    }

    fn of(gaps: &Histogram<u64>, stalls: &Stalls) -> Self {
        Self {
            seconds: stalls.seconds,
            wait_ns: Waits {
                p50: wait(gaps, 2),
                p90: wait(gaps, 10),
                p99: stalls.wait_p99_ns,
                p99_9: stalls.wait_p999_ns,
            },
            gap_max_ns: stalls.gap_max_ns,
            preempted_share: stalls.preempted_share,
        }
    }
}

impl Stalls {
    /// Keeps a core busy for a while: the one named, or whichever the system chooses.
    pub(super) fn measure(span: Duration, pin: Option<usize>) -> io::Result<Self> {
        Self::measure_gaps(span, pin).map(|(_, stalls)| stalls)
    }

    fn measure_gaps(span: Duration, pin: Option<usize>) -> io::Result<(Histogram<u64>, Self)> {
        let spinning = thread::Builder::new().name("spin".to_owned()).spawn(move || {
            pin_to(pin)?;
            Self::spin(span)
        })?;
        spinning.join().map_err(|_| io::Error::other("the spinning thread panicked"))?
    }

    fn spin(span: Duration) -> io::Result<(Histogram<u64>, Self)> {
        let mut gaps = histogram()?;
        let used = thread_cpu();
        let begun = Instant::now();
        let mut last = begun;
        while last.duration_since(begun) < span {
            let now = Instant::now();
            gaps.saturating_record(whole_nanos(now.duration_since(last)));
            last = now;
        }
        let elapsed = last.duration_since(begun);
        let stalls = Self::of(&gaps, elapsed, thread_cpu().saturating_sub(used));
        Ok((gaps, stalls))
    }

    fn of(gaps: &Histogram<u64>, elapsed: Duration, used: Duration) -> Self {
        let seconds = elapsed.as_secs_f64();
        let kept_from = elapsed.saturating_sub(used).as_secs_f64();
        Self {
            seconds,
            readings: gaps.len(),
            gap_p50_ns: gaps.value_at_quantile(0.5),
            gap_p999_ns: gaps.value_at_quantile(0.999),
            gap_p9999_ns: gaps.value_at_quantile(0.9999),
            gap_max_ns: gaps.max(),
            wait_p99_ns: wait(gaps, 100),
            wait_p999_ns: wait(gaps, 1_000),
            preempted_share: if seconds > 0.0 { kept_from / seconds } else { 0.0 },
        }
    }

    pub(super) fn checks(&self) -> Vec<Check> {
        let found = format!(
            "{} at p99, {} at p99.9, at most {}",
            nanos(self.wait_p99_ns),
            nanos(self.wait_p999_ns),
            nanos(self.gap_max_ns),
        );
        let stalls = good("waits to run", found);
        let why = "Something due at a random moment waits so long for a core, whatever the server \
                   does: smaller differences than that mean nothing.";
        let stalls = if self.wait_p999_ns >= WAIT_WILL_SPOIL_NS {
            stalls.because(Verdict::WillSpoil, why)
        } else if self.wait_p999_ns >= WAIT_WORTH_KNOWING_NS || self.gap_max_ns >= STALL_NS {
            stalls.because(Verdict::WorthKnowing, why)
        } else {
            stalls
        };
        let gaps = format!(
            "p50 {}, p99.9 {}, p99.99 {}, max {}",
            nanos(self.gap_p50_ns),
            nanos(self.gap_p999_ns),
            nanos(self.gap_p9999_ns),
            nanos(self.gap_max_ns),
        );
        let clock = good("clock readings", gaps);
        let clock = if self.gap_p50_ns >= READING_NS {
            clock.because(Verdict::WorthKnowing, "Reading the clock is slow here.")
        } else {
            clock
        };
        let percent = self.preempted_share * 100.0;
        let preempted = good("gave way", format!("{percent:.2} % of {:.1} s", self.seconds));
        let preempted = if self.preempted_share >= PREEMPTED_SHARE {
            let why = "Other threads of this machine ran while this one was ready.";
            preempted.because(Verdict::WorthKnowing, why)
        } else {
            preempted
        };
        vec![stalls, clock, preempted]
    }
}

impl Wakes {
    /// Waits as the generator's loop does, and looks how late it is.
    pub(super) fn measure(wakes: u32, pin: Option<usize>) -> io::Result<Self> {
        let waiting = thread::Builder::new().name("wait".to_owned()).spawn(move || {
            pin_to(pin)?;
            Self::wait(wakes)
        })?;
        waiting.join().map_err(|_| io::Error::other("the waiting thread panicked"))?
    }

    fn wait(wakes: u32) -> io::Result<Self> {
        let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1));
        let mut late = histogram()?;
        for _ in 0..wakes {
            let due = Instant::now() + WAIT;
            match poll.poll(&mut events, Some(WAIT)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => {
                    outcome?;
                    late.saturating_record(whole_nanos(due.elapsed()));
                }
            }
        }
        Ok(Self {
            count: late.len(),
            late_p50_ns: late.value_at_quantile(0.5),
            late_p99_ns: late.value_at_quantile(0.99),
            late_max_ns: late.max(),
        })
    }

    pub(super) fn checks(&self) -> Vec<Check> {
        let found = format!(
            "late by p50 {}, p99 {}, max {}",
            nanos(self.late_p50_ns),
            nanos(self.late_p99_ns),
            nanos(self.late_max_ns),
        );
        let check = good("timers of 1 ms", found);
        let why = "Who waits for a moment is woken so much later, and a schedule of sends with it.";
        vec![if self.late_p50_ns >= WAKE_WILL_SPOIL_NS {
            check.because(Verdict::WillSpoil, why)
        } else if self.late_p99_ns >= WAKE_WORTH_KNOWING_NS {
            check.because(Verdict::WorthKnowing, why)
        } else {
            check
        }]
    }
}

/// What one of so many moments, chosen at random, exceeds.
///
/// A moment within a gap of length g waits between 0 and g, each as likely, so the time spent in
/// waits longer than x is the sum of what each gap has beyond x.
fn wait(gaps: &Histogram<u64>, one_of: u128) -> u64 {
    let beyond = |x: u64| -> u128 {
        let each = gaps.iter_recorded().map(|step| {
            let gap = u128::from(step.value_iterated_to().saturating_sub(x));
            gap * u128::from(step.count_at_value())
        });
        each.sum()
    };
    let allowed = beyond(0) / one_of;
    let (mut low, mut high) = (0, gaps.max());
    while low < high {
        let middle = low.midpoint(high);
        if beyond(middle) > allowed {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

fn pin_to(core: Option<usize>) -> io::Result<()> {
    let Some(core) = core else { return Ok(()) };
    let failed = |text: &str| io::Error::other(format!("can't run on processor {core}: {text}"));
    if core >= CpuSet::MAX_CPU {
        return Err(failed(NOT_THERE));
    }
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).map_err(|error| match error {
        Errno::INVAL => failed(NOT_THERE),
        error => failed(&error.to_string()),
    })
}

fn histogram() -> io::Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, LONGEST_NS, 3).map_err(io::Error::other)
}

fn whole_nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn good(name: &'static str, found: impl Into<String>) -> Check {
    Check::good(Section::Measured, name, found)
}

const NOT_THERE: &str = "it is not there, or not allowed to this process";
const LONGEST_NS: u64 = 100_000_000_000;
/// Long enough to see what comes a hundred times a second, and short before a run.
const INTRINSIC_SPAN: Duration = Duration::from_millis(200);
const WAIT: Duration = Duration::from_millis(1);
/// Of the order of the latencies that are to be measured.
const WAIT_WILL_SPOIL_NS: u64 = 1_000_000;
const WAIT_WORTH_KNOWING_NS: u64 = 100_000;
const STALL_NS: u64 = 1_000_000;
/// A reading without the kernel's help takes a tenth of that.
const READING_NS: u64 = 300;
const PREEMPTED_SHARE: f64 = 0.01;
const WAKE_WILL_SPOIL_NS: u64 = 1_000_000;
const WAKE_WORTH_KNOWING_NS: u64 = 500_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps(recorded: &[(u64, u64)]) -> Histogram<u64> {
        let mut gaps = histogram().unwrap();
        for (gap, count) in recorded {
            gaps.record_n(*gap, *count).unwrap();
        }
        gaps
    }

    #[test]
    fn a_random_moment_mostly_meets_the_long_gaps() {
        // 1,000 gaps of 1 ns and one of 1,000 ns: half of the time is in the long one. Waits
        // longer than x take 1,000 - x of 2,000 ns: 1 % at x = 980, 0.1 % at x = 998.
        let gaps = gaps(&[(1, 1_000), (1_000, 1)]);
        assert_eq!(wait(&gaps, 100), 980);
        assert_eq!(wait(&gaps, 1_000), 998);
        assert_eq!(gaps.value_at_quantile(0.999), 1);
    }

    #[test]
    fn even_gaps_make_even_waits() {
        // A wait within gaps of 100 ns is evenly between 0 and 100: 99 % are up to 99.
        let gaps = gaps(&[(100, 10_000)]);
        assert_eq!(wait(&gaps, 100), 99);
        assert_eq!(wait(&gaps, 2), 50);
        assert_eq!(wait(&histogram().unwrap(), 100), 0);
    }

    #[test]
    fn a_result_tells_waits_and_the_longest_gap() {
        // Waits beyond 1 ns take 999 of 2,000 ns, and those beyond 800 ns take 200.
        let gaps = gaps(&[(1, 1_000), (1_000, 1)]);
        let stalls = Stalls::of(&gaps, Duration::from_micros(2), Duration::from_micros(1));
        let intrinsic = Intrinsic::of(&gaps, &stalls);
        assert_eq!(intrinsic.wait_ns, Waits { p50: 1, p90: 800, p99: 980, p99_9: 998 });
        assert_eq!(intrinsic.gap_max_ns, 1_000);
        assert!((intrinsic.preempted_share - 0.5).abs() < 1e-12);
    }

    #[test]
    fn time_without_a_core_is_a_share() {
        let stalls =
            Stalls::of(&gaps(&[(100, 10)]), Duration::from_secs(1), Duration::from_millis(750));
        assert!((stalls.preempted_share - 0.25).abs() < 1e-12);
        assert_eq!((stalls.readings, stalls.gap_max_ns), (10, 100));
        let none = Stalls::of(&histogram().unwrap(), Duration::ZERO, Duration::ZERO);
        assert!(none.preempted_share.abs() < 1e-12);
    }

    #[test]
    fn long_waits_spoil() {
        let verdict = |wait_p999_ns, gap_max_ns| {
            let stalls = Stalls { gap_max_ns, wait_p999_ns, ..Stalls::default() };
            stalls.checks()[0].verdict
        };
        assert_eq!(verdict(99_999, 999_999), Verdict::Good);
        assert_eq!(verdict(100_000, 999_999), Verdict::WorthKnowing);
        assert_eq!(verdict(99_999, 1_000_000), Verdict::WorthKnowing);
        assert_eq!(verdict(1_000_000, 1_000_000), Verdict::WillSpoil);
    }

    #[test]
    fn late_timers_spoil() {
        let verdict = |late_p50_ns, late_p99_ns| {
            let wakes = Wakes { late_p50_ns, late_p99_ns, ..Wakes::default() };
            wakes.checks()[0].verdict
        };
        assert_eq!(verdict(60_000, 100_000), Verdict::Good);
        assert_eq!(verdict(60_000, 500_000), Verdict::WorthKnowing);
        assert_eq!(verdict(1_000_000, 1_000_000), Verdict::WillSpoil);
    }

    #[test]
    fn this_machine_can_be_measured() {
        let stalls = Stalls::measure(Duration::from_millis(20), None).unwrap();
        assert!(stalls.readings > 0 && stalls.seconds >= 0.02);
        assert!(stalls.gap_p50_ns <= stalls.gap_p999_ns && stalls.gap_p999_ns <= stalls.gap_max_ns);
        let wakes = Wakes::measure(3, None).unwrap();
        assert_eq!(wakes.count, 3);
    }

    #[test]
    fn a_core_that_is_not_there_is_said_plainly() {
        let error = Stalls::measure(Duration::from_millis(1), Some(usize::MAX)).unwrap_err();
        let text = format!("can't run on processor {}: {NOT_THERE}", usize::MAX);
        assert_eq!(error.to_string(), text);
    }
}
