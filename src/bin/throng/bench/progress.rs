//! What is shown while a run goes on: one line that renews itself, on a terminal only.
//!
//! ```text
//! measure  10000 connected · 50012/s received · p50 27.1 ms p99 61.0 ms · 7 s left
//! ```

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};

use super::conductor::{Notes, Second};
use super::plan::Plan;
use super::render::units::words::time;
use super::report::Phase;
use super::score::Counts;

/// The line, and when it was written last.
#[derive(Debug)]
pub(crate) struct Progress {
    is_shown: bool,
    clients: u32,
    shown_ns: u64,
    received: u64,
    sent: u64,
}

impl Progress {
    pub(crate) fn new(plan: &Plan, is_quiet: bool) -> Self {
        let is_shown = !is_quiet && io::stderr().is_terminal();
        Self { is_shown, clients: plan.clients, shown_ns: 0, received: 0, sent: 0 }
    }

    /// Renews the line, five times a second at most.
    pub(crate) fn show(
        &mut self,
        now_ns: u64,
        phase: Phase,
        notes: &Notes,
        counts: &Counts,
        latest: Option<&Second>,
    ) {
        let since_ns = now_ns.saturating_sub(self.shown_ns);
        if !self.is_shown || since_ns < RENEW_NS {
            return;
        }
        let rate = |count: u64| {
            #[expect(clippy::cast_precision_loss, reason = "shown to three digits")]
            let per_second = count as f64 * 1e9 / since_ns as f64;
            per_second
        };
        let (received, sent) = (counts.received - self.received, counts.sent - self.sent);
        (self.received, self.sent, self.shown_ns) = (counts.received, counts.sent, now_ns);
        let mut line =
            format!("{:<8} {}/{} connected", name(phase), counts.connected, self.clients);
        if phase != Phase::Connect {
            let _ = write!(line, " · {:.0}/s sent · {:.0}/s received", rate(sent), rate(received));
        }
        if let Some(latencies) = latest.map(|second| second.latencies.percentiles())
            && let Some(p50) = latencies.p50
        {
            let _ = write!(line, " · p50 {}", time(p50));
            // A second has seldom enough for all of them.
            let highest = [("p99", latencies.p99), ("p90", latencies.p90)];
            if let Some((name, value)) =
                highest.into_iter().find_map(|(name, at)| Some((name, at?)))
            {
                let _ = write!(line, " {name} {}", time(value));
            }
        }
        let end_ns = match phase {
            Phase::Warmup => {
                Some(notes.begin_ns.saturating_add(seconds(notes.plan.warmup_seconds)))
            }
            Phase::Measure => {
                Some(notes.measure_ns.saturating_add(seconds(notes.plan.duration_seconds)))
            }
            Phase::Connect | Phase::Drain => None,
        };
        if let Some(end_ns) = end_ns {
            let _ =
                write!(line, " · {} s left", end_ns.saturating_sub(now_ns).div_ceil(1_000_000_000));
        }
        // A line that can't be written is no reason to end a run.
        let _ = write!(io::stderr(), "\r\x1b[K{line}");
    }

    /// Leaves the terminal as it was.
    pub(crate) fn end(&mut self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Connect => "connect",
        Phase::Warmup => "warm-up",
        Phase::Measure => "measure",
        Phase::Drain => "drain",
    }
}

fn seconds(seconds: f64) -> u64 {
    super::latency::nanoseconds_of(seconds)
}

const RENEW_NS: u64 = 200_000_000;
