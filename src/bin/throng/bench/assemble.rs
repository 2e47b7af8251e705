//! From what was noted and told to the report: sums, merged histograms, rates, shares.
//!
//! Percentiles come from merged histograms; no percentile is ever averaged.
//!
//! ```text
//! notes + outcomes of 3 shards  ->  {"schema":"throng-bench/1",..}
//! ```

use std::time::Duration;

use super::client_latencies::ClientLatency;
use super::clock::Clock;
use super::conductor::{Notes, Second};
use super::crowd::Cast;
use super::fairness::Fairness;
use super::latency::Measure;
use super::plan::Scenario;
use super::report::{
    Broadcast, Connections, Failure, Generator, INTERRUPTED, Interval, Latency, Phases, Report,
    SCHEMA, ServerUse, ThreadUse, Traffic, Verdict,
};
use super::score::{Counts, Round, Score};
use super::shard::Outcome;
use crate::doctor::Fingerprint;

/// One report of a whole run.
pub(crate) fn assemble(notes: Notes, outcomes: &[Outcome]) -> Report {
    let mut score = Score::default();
    for outcome in outcomes {
        score.merge(&outcome.score);
    }
    let broadcasts = measure_broadcasts(&notes, &mut score);
    let latencies = Measure::ALL
        .into_iter()
        .filter_map(|measure| Some((measure, score.latencies.get(&measure)?)))
        .filter(|(_, latencies)| !latencies.is_empty())
        .map(|(measure, latencies)| Latency::new(measure, latencies))
        .collect();
    let measured = seconds_between(notes.measure_ns, notes.end_ns);
    let connects = notes.plan.scenario == Scenario::Connect;
    let clients: Vec<ClientLatency> =
        outcomes.iter().flat_map(|outcome| &outcome.clients).copied().collect();
    Report {
        schema: SCHEMA.to_owned(),
        label: notes.plan.target.clone(),
        program: concat!("throng ", env!("CARGO_PKG_VERSION")).to_owned(),
        started_at: humantime::format_rfc3339_seconds(notes.started_at).to_string(),
        command: std::env::args().collect(),
        verdict: verdict(&notes),
        phases: Phases {
            connect_seconds: seconds_between(notes.epoch_ns, notes.connected_ns),
            warmup_seconds: if connects {
                0.0
            } else {
                seconds_between(notes.begin_ns, notes.measure_ns)
            },
            measured_seconds: measured,
            drain_seconds: seconds_between(notes.end_ns, notes.drained_ns),
        },
        connections: connections(&notes, &score),
        traffic: traffic(&score.counts, measured),
        latencies,
        fairness: Fairness::new(notes.plan.scenario.first_measure(), &clients),
        broadcasts,
        intervals: intervals(&notes),
        generator: generator(outcomes, &score.counts, measured),
        server: (!notes.pids.is_empty()).then(|| server(&notes, &score.counts)),
        search: None,
        fingerprint: Fingerprint::take(),
        intrinsic: None,
        plan: notes.plan,
    }
}

/// First and last recipient of each measured broadcast, into the score and as a list.
fn measure_broadcasts(notes: &Notes, score: &mut Score) -> Vec<Broadcast> {
    let cast = Cast::new(&notes.plan);
    let clock = Clock::new(notes.wall_offset_ns);
    let (from, to) = (clock.to_wall(notes.measure_ns), clock.to_wall(notes.end_ns));
    let mut measured: Vec<(u64, Round)> = Vec::new();
    for (stream, rounds) in (0_u32..).zip(&score.rounds) {
        let expected = cast.members(stream);
        let of_window = rounds
            .iter()
            .filter(|round| round.received > 0 && (from..to).contains(&round.intended_ns));
        measured.extend(of_window.map(|round| (expected, *round)));
    }
    measured.sort_by_key(|(_, round)| round.intended_ns);
    for (expected, round) in &measured {
        score.record(Measure::FirstRecipient, round.first_ns.saturating_sub(round.intended_ns));
        // A broadcast that has not reached everybody has no last recipient.
        if round.received >= *expected {
            score.record(Measure::LastRecipient, round.last_ns.saturating_sub(round.intended_ns));
        }
    }
    let listed = measured.iter().take(BROADCASTS_MAX).map(|(expected, round)| Broadcast {
        at_seconds: seconds_between(from, round.intended_ns),
        first_ns: round.first_ns.saturating_sub(round.intended_ns),
        last_ns: round.last_ns.saturating_sub(round.intended_ns),
        received: round.received,
        expected: *expected,
    });
    listed.collect()
}

/// What only the run itself knows; the rest is judged by the report.
fn verdict(notes: &Notes) -> Verdict {
    let mut verdict = Verdict::default();
    if notes.interrupted {
        verdict.reasons.push(INTERRUPTED.to_owned());
    }
    if let Some(drops) = &notes.drops {
        verdict.warnings.extend(drops.sentences());
    }
    verdict
}

fn connections(notes: &Notes, score: &Score) -> Connections {
    let counts = &score.counts;
    let connected = notes.connected_counts.connected;
    let mut failures: Vec<Failure> = score
        .failures
        .iter()
        .map(|(what, count)| Failure { what: what.clone(), count: *count })
        .collect();
    failures.sort_by_key(|failure| std::cmp::Reverse(failure.count));
    Connections {
        wanted: u64::from(notes.plan.clients),
        connected,
        failed: counts.failed,
        lost: counts.lost,
        slow_lost: counts.slow_lost,
        per_second: per(connected, seconds_between(notes.epoch_ns, notes.connected_ns)),
        failures,
        pings: counts.pings,
        reconnected: counts.reconnected,
        not_upgraded: counts.not_upgraded,
    }
}

fn traffic(counts: &Counts, measured: f64) -> Traffic {
    Traffic {
        sent: counts.sent,
        expected: counts.expected,
        received: counts.received,
        missing: counts.expected.saturating_sub(counts.received) + counts.passed_over,
        duplicated: counts.duplicated,
        reordered: counts.reordered,
        corrupted: counts.corrupted,
        stray: counts.stray,
        unsent: counts.unsent,
        slow_received: counts.slow_received,
        sent_per_second: per(counts.measured_sent, measured),
        received_per_second: per(counts.measured_received, measured),
        received_bytes: counts.received_bytes,
    }
}

fn intervals(notes: &Notes) -> Vec<Interval> {
    let mut intervals = Vec::new();
    let (mut before, mut server) = (Second::default(), Some(&notes.before));
    for (number, second) in &notes.seconds {
        if second.cpu_ns == 0 {
            continue;
        }
        #[expect(clippy::cast_precision_loss, reason = "a number of seconds")]
        let at_seconds = *number as f64;
        let used = second.server.as_ref().zip(server).map(|(later, earlier)| later.since(earlier));
        intervals.push(Interval {
            at_seconds,
            seconds: 1.0,
            phase: second.phase,
            connected: second.counts.connected,
            sent: second.counts.sent.saturating_sub(before.counts.sent),
            received: second.counts.received.saturating_sub(before.counts.received),
            percentiles_ns: second.latencies.percentiles(),
            max_ns: second.latencies.max_ns(),
            generator_cpu: per(second.cpu_ns.saturating_sub(before.cpu_ns), 1e9),
            server_cpu: used
                .filter(|_| !notes.pids.is_empty())
                .map(|(used, over)| used.core_share(over)),
            server_resident_bytes: second
                .server
                .as_ref()
                .filter(|_| !notes.pids.is_empty())
                .map(super::watcher::Sample::resident_bytes),
            kernel_socket_bytes: second
                .server
                .as_ref()
                .map_or(0, |sample| sample.socket_memory_bytes),
        });
        before = Second { counts: second.counts, cpu_ns: second.cpu_ns, ..Second::default() };
        server = second.server.as_ref().or(server);
    }
    intervals
}

fn generator(outcomes: &[Outcome], counts: &Counts, measured: f64) -> Generator {
    let threads: Vec<ThreadUse> = outcomes
        .iter()
        .enumerate()
        .map(|(index, outcome)| {
            let cpu_seconds = Duration::from_nanos(outcome.cpu_ns).as_secs_f64();
            let core_share = if measured > 0.0 { cpu_seconds / measured } else { 0.0 };
            ThreadUse { name: format!("crowd-{index}"), cpu_seconds, core_share }
        })
        .collect();
    let cpu_seconds = threads.iter().map(|thread| thread.cpu_seconds).sum();
    Generator {
        threads,
        cpu_seconds,
        cpu_us_per_delivery: us_per(cpu_seconds, counts.measured_received),
        backlog_max: outcomes.iter().map(|outcome| outcome.backlog_max).max().unwrap_or(0),
        clock_step_ns: outcomes.iter().map(|outcome| outcome.step_ns_max).max().unwrap_or(0),
        is_bottleneck: false,
        kernel_stamps: outcomes.iter().any(|outcome| outcome.stamped > 0),
    }
}

fn server(notes: &Notes, counts: &Counts) -> ServerUse {
    let (used, over) = notes.measured_to.since(&notes.measured_from);
    let (connecting, connect_time) = notes.connected.since(&notes.before);
    let connected = notes.connected_counts.connected;
    let grown = |later: u64, earlier: u64| {
        (connected > 0).then(|| per(later.saturating_sub(earlier), to_f64(connected)))
    };
    let (resident, before) = (notes.connected.resident_bytes(), notes.before.resident_bytes());
    ServerUse {
        pids: notes.pids.clone(),
        commands: notes.commands.clone(),
        cpu_user_seconds: used.cpu_user.as_secs_f64(),
        cpu_system_seconds: used.cpu_system.as_secs_f64(),
        cpu_seconds: used.cpu.as_secs_f64(),
        core_share: used.core_share(over),
        cpu_us_per_delivery: us_per(used.cpu.as_secs_f64(), counts.measured_received),
        cpu_us_per_connect: us_per(connecting.cpu.as_secs_f64(), connected),
        connect_core_share: connecting.core_share(connect_time),
        resident_before_bytes: before,
        resident_connected_bytes: resident,
        resident_max_bytes: notes.resident_max,
        resident_bytes_per_connection: grown(resident, before),
        kernel_socket_bytes_max: notes.socket_memory_max,
        kernel_socket_bytes_per_connection: grown(
            notes.connected.socket_memory_bytes,
            notes.before.socket_memory_bytes,
        ),
        voluntary_switches: used.voluntary_switches,
        involuntary_switches: used.involuntary_switches,
    }
}

fn seconds_between(from_ns: u64, to_ns: u64) -> f64 {
    Duration::from_nanos(to_ns.saturating_sub(from_ns)).as_secs_f64()
}

fn per(count: u64, divisor: f64) -> f64 {
    if divisor > 0.0 { to_f64(count) / divisor } else { 0.0 }
}

fn us_per(seconds: f64, count: u64) -> Option<f64> {
    (count > 0).then(|| seconds * 1e6 / to_f64(count))
}

fn to_f64(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a rate has three digits")]
    let count = count as f64;
    count
}

/// Broadcasts that are listed one by one.
const BROADCASTS_MAX: usize = 10_000;
