//! From what was noted and told to the report: sums, merged histograms, rates, shares.
//!
//! Percentiles come from merged histograms; no percentile is ever averaged.
//!
//! ```text
//! notes + outcomes of 3 shards  ->  {"schema":"throng-bench/1",..}
//! ```

use std::ops::RangeInclusive;
use std::time::Duration;

use super::by_measure::ByMeasure;
use super::client_latencies::ClientLatency;
use super::clock::Clock;
use super::conductor::{Counting, Notes, Second};
use super::crowd::Cast;
use super::fairness::Fairness;
use super::latency::{Latencies, Measure};
use super::plan::{Plan, Scenario};
use super::report::{
    Broadcast, Connections, ControlGroups, Failure, Generator, INTERRUPTED, Interval, Latency,
    OverTransport, Phases, Report, SCHEMA, ServerUse, ThreadUse, Traffic, Verdict,
};
use super::score::{Counts, ROUNDS_KEPT_APART, Round, Score};
use super::shard::Outcome;
use super::watch::GroupSample;
use crate::doctor::Fingerprint;

/// One report of a whole run.
pub(crate) fn assemble(notes: Notes, outcomes: &[(usize, Outcome)]) -> Report {
    let mut score = Score::default();
    for (_, outcome) in outcomes {
        score.merge(&outcome.score);
    }
    let broadcasts = measure_broadcasts(&notes, &mut score);
    let latencies = told(&notes.plan, &score.latencies);
    let measured = seconds_between(notes.measure_ns, notes.end_ns);
    let connects = notes.plan.scenario == Scenario::Connect;
    let clients: Vec<ClientLatency> =
        outcomes.iter().flat_map(|(_, outcome)| &outcome.clients).copied().collect();
    Report {
        schema: SCHEMA.to_owned(),
        label: notes.plan.target.clone(),
        program: concat!("throng ", env!("CARGO_PKG_VERSION")).to_owned(),
        started_at: humantime::format_rfc3339_seconds(notes.started_at).to_string(),
        command: told_command(std::env::args()),
        verdict: verdict(&notes, &score),
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
        transports: transports(&notes.plan, &score),
        fairness: Fairness::new(notes.plan.scenario.first_measure(), &clients),
        broadcasts,
        intervals: intervals(&notes),
        generator: generator(&notes, outcomes, &score.counts, measured),
        server: (!notes.pids.is_empty()).then(|| server(&notes, &score.counts)),
        search: None,
        fingerprint: Fingerprint::take(),
        intrinsic: None,
        plan: notes.plan,
    }
}

/// All that was measured.
fn told(plan: &Plan, latencies: &ByMeasure) -> Vec<Latency> {
    let of = |(measure, latencies): (Measure, &Latencies)| {
        let definition = plan.definition(measure);
        Latency { definition, ..Latency::new(measure, latencies) }
    };
    latencies.iter().filter(|(_, latencies)| !latencies.is_empty()).map(of).collect()
}

/// Each transport of a mix; nothing where all speak alike.
fn transports(plan: &Plan, score: &Score) -> Vec<OverTransport> {
    let spread = plan.transport.spread();
    let spoken = plan.transport.parts().into_iter().filter(|_| spread.is_mixed());
    let over = |(transport, _)| OverTransport {
        transport,
        clients: u64::from(spread.count(transport, plan.clients)),
        latencies: score.apart.get(&transport).map(|of| told(plan, of)).unwrap_or_default(),
    };
    spoken.map(over).collect()
}

/// The command, but for what opens other hosts to whoever reads it.
fn told_command(words: impl Iterator<Item = String>) -> Vec<String> {
    let mut is_secret = false;
    let told = words.map(|word| {
        let was_secret = std::mem::replace(&mut is_secret, word == TOKEN);
        match word.split_once('=') {
            Some((TOKEN, _)) => format!("{TOKEN}={HIDDEN}"),
            _ if was_secret => HIDDEN.to_owned(),
            _ => word,
        }
    });
    told.collect()
}

/// First and last recipient of each measured broadcast, into the score and as a list.
fn measure_broadcasts(notes: &Notes, score: &mut Score) -> Vec<Broadcast> {
    // The first and the last recipient may be on two hosts, with two clocks.
    if !notes.plan.hosts.is_empty() {
        return Vec::new();
    }
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
fn verdict(notes: &Notes, score: &Score) -> Verdict {
    let mut verdict = Verdict::default();
    verdict.reasons.extend(notes.failures.iter().cloned());
    if !notes.plan.hosts.is_empty() && notes.plan.scenario.broadcasts() {
        verdict.warnings.push(
            "several hosts: latencies of deliveries are those that the sender's own process \
             received, as no two hosts have one clock; the others count for completeness, and \
             first and last recipients are not told"
                .to_owned(),
        );
    }
    if notes.interrupted {
        verdict.reasons.push(INTERRUPTED.to_owned());
    }
    if score.has_untold_rounds {
        verdict.warnings.push(format!(
            "first and last recipients are those of the first {ROUNDS_KEPT_APART} broadcasts of \
             each stream: later ones are not put together over threads or workers"
        ));
    }
    if notes.counting == Counting::Run {
        verdict.warnings.push(
            "the server's system calls were counted all the time, which takes it some 0.2 µs for \
             each: its processor time is that much too high"
                .to_owned(),
        );
    }
    if let Some(groups) = control_groups(notes).filter(|groups| groups.throttles > 0) {
        verdict.warnings.push(format!(
            "the server's control group had used up its processor time {} times and was held back \
             for {:.1} s: the latencies are those of its limit",
            groups.throttles, groups.throttled_seconds
        ));
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
    let slow = slow_ends(notes, score);
    Connections {
        wanted: u64::from(notes.plan.clients),
        connected,
        failed: counts.failed,
        lost: counts.lost,
        slow_lost: counts.slow_lost,
        slow_lost_first_seconds: slow.map(|(first, _)| first),
        slow_lost_last_seconds: slow.map(|(_, last)| last),
        connects_waited: counts.connects_waited,
        per_second: per(connected, seconds_between(notes.epoch_ns, notes.connected_ns)),
        failures,
        pings: counts.pings,
        reconnected: counts.reconnected,
        not_upgraded: counts.not_upgraded,
    }
}

/// When the server closed the first and the last of those that read slowly, from the begin of the
/// traffic: by its descriptors, as who reads nothing sees no end.
fn slow_ends(notes: &Notes, score: &Score) -> Option<(f64, f64)> {
    if score.counts.slow_lost == 0 {
        return None;
    }
    let samples = notes.seconds.values().filter_map(|second| second.server.as_ref());
    let open = samples.map(|sample| (sample.at_ns, sample.descriptors()));
    let traffic = notes.begin_ns..=notes.drained_ns;
    let by_server = falls(notes.connected.descriptors(), open, &traffic)
        .map(|(first, last)| (first - notes.begin_ns, last - notes.begin_ns));
    let (first, last) = by_server.or(score.slow_ended_ns)?;
    Some((seconds_between(0, first), seconds_between(0, last)))
}

/// When a number was first and last seen to have fallen; what came before the window or after it
/// was the generator's doing.
fn falls(
    mut before: Option<u64>,
    samples: impl Iterator<Item = (u64, Option<u64>)>,
    window: &RangeInclusive<u64>,
) -> Option<(u64, u64)> {
    let mut seen: Option<(u64, u64)> = None;
    for (at_ns, now) in samples.filter(|(at_ns, _)| window.contains(at_ns)) {
        if now.zip(before).is_some_and(|(now, before)| now < before) {
            seen = Some((seen.map_or(at_ns, |(first, _)| first), at_ns));
        }
        before = now;
    }
    seen
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
        own_received: counts.own_received,
        sent_per_second: per(counts.measured_sent, measured),
        received_per_second: per(counts.measured_received, measured),
        received_bytes: counts.received_bytes,
    }
}

fn intervals(notes: &Notes) -> Vec<Interval> {
    let mut intervals = Vec::new();
    let (mut before, mut server) = (Second::default(), Some(&notes.before));
    let shards = notes.seconds.values().map(|second| second.shards).max().unwrap_or(0).max(1);
    let (mut begin, mut latencies) = (0, Latencies::default());
    for (number, second) in &notes.seconds {
        latencies.merge(&second.latencies);
        // Counts are sums from the begin on: those of all shards at one moment belong together,
        // and what a shard passes over makes its interval longer.
        if second.shards < shards {
            continue;
        }
        let end = *number + 1;
        let at_seconds = to_f64(begin);
        let seconds = to_f64(end - begin);
        begin = end;
        let latencies = std::mem::take(&mut latencies);
        let used = second.server.as_ref().zip(server).map(|(later, earlier)| later.since(earlier));
        intervals.push(Interval {
            at_seconds,
            seconds,
            phase: second.phase,
            connected: second.counts.connected,
            sent: second.counts.sent.saturating_sub(before.counts.sent),
            received: second.counts.received.saturating_sub(before.counts.received),
            percentiles_ns: latencies.percentiles(),
            max_ns: latencies.max_ns(),
            generator_cpu: per(second.cpu_ns.saturating_sub(before.cpu_ns), 1e9 * seconds),
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

fn generator(
    notes: &Notes,
    outcomes: &[(usize, Outcome)],
    counts: &Counts,
    measured: f64,
) -> Generator {
    let threads: Vec<ThreadUse> = outcomes
        .iter()
        .map(|(index, outcome)| {
            let cpu_seconds = Duration::from_nanos(outcome.cpu_ns).as_secs_f64();
            let core_share = if measured > 0.0 { cpu_seconds / measured } else { 0.0 };
            let on = notes.plan.host_of(*index).map_or_else(String::new, |host| format!(" {host}"));
            let name = format!("crowd-{index}{on}");
            ThreadUse { name, cpu_seconds, core_share, went_first: outcome.went_first }
        })
        .collect();
    let cpu_seconds = threads.iter().map(|thread| thread.cpu_seconds).sum();
    Generator {
        threads,
        cpu_seconds,
        cpu_us_per_delivery: us_per(cpu_seconds, counts.measured_received),
        backlog_max: outcomes.iter().map(|(_, outcome)| outcome.backlog_max).max().unwrap_or(0),
        clock_step_ns: outcomes.iter().map(|(_, outcome)| outcome.step_ns_max).max().unwrap_or(0),
        is_bottleneck: false,
        kernel_stamps: outcomes.iter().any(|(_, outcome)| outcome.stamped > 0),
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
    let high = notes.before.resident_high_bytes();
    let each = |calls: u64, count: u64| (count > 0).then(|| per(calls, to_f64(count)));
    let (syscalls, deliveries, untold) = match &notes.counting {
        Counting::Warmup(calls) => (*calls, counts.warmup_received, None),
        Counting::Run => {
            let calls = notes.measured_to.syscalls_since(&notes.measured_from);
            (calls, counts.measured_received, None)
        }
        Counting::Untold(why) => (None, 0, Some(why.clone())),
    };
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
        resident_high_before_bytes: high,
        cpu_before_seconds: Some(notes.before.cpu().as_secs_f64()),
        resident_connected_bytes: resident,
        resident_max_bytes: notes.resident_max,
        resident_bytes_per_connection: grown(resident, before),
        kernel_socket_bytes_max: notes.socket_memory_max,
        kernel_socket_bytes_per_connection: grown(
            notes.connected.socket_memory_bytes,
            notes.before.socket_memory_bytes,
        ),
        kernel_slab_bytes: notes.slab_bytes.1,
        kernel_slab_bytes_per_connection: notes
            .slab_bytes
            .1
            .zip(notes.slab_bytes.0)
            .and_then(|(later, earlier)| grown(later, earlier)),
        control_groups: control_groups(notes),
        syscalls,
        syscalls_per_delivery: syscalls.and_then(|calls| each(calls, deliveries)),
        syscalls_per_connect: notes
            .connected
            .syscalls_since(&notes.before)
            .and_then(|calls| each(calls, connected)),
        syscalls_untold: untold,
        voluntary_switches: used.voluntary_switches,
        involuntary_switches: used.involuntary_switches,
    }
}

fn control_groups(notes: &Notes) -> Option<ControlGroups> {
    let (before, connected) = (notes.before.groups?, notes.connected.groups?);
    let (from, to) = (notes.measured_from.groups?, notes.measured_to.groups?);
    let clients = notes.connected_counts.connected;
    let grown = |of: fn(&GroupSample) -> u64| {
        let bytes = of(&connected).saturating_sub(of(&before));
        (clients > 0).then(|| per(bytes, to_f64(clients)))
    };
    let (paths, has_generator) = notes.groups.clone();
    Some(ControlGroups {
        paths,
        has_generator,
        memory_connected_bytes: connected.memory_bytes,
        memory_bytes_per_connection: grown(|group| group.memory_bytes),
        slab_bytes_per_connection: grown(|group| group.slab_bytes),
        socket_bytes_per_connection: grown(|group| group.socket_bytes),
        cpu_seconds: to.cpu.saturating_sub(from.cpu).as_secs_f64(),
        throttles: to.throttles.saturating_sub(from.throttles),
        throttled_seconds: to.throttled.saturating_sub(from.throttled).as_secs_f64(),
    })
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

const TOKEN: &str = "--token";
const HIDDEN: &str = "...";
/// Broadcasts that are listed one by one.
const BROADCASTS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falls_are_seen_within_the_window_alone() {
        let open = [(10, 90), (20, 100), (30, 80), (40, 80), (50, 60), (60, 5)];
        let samples = || open.into_iter().map(|(at_ns, open)| (at_ns, Some(open)));
        assert_eq!(falls(Some(100), samples(), &(20..=50)), Some((30, 50)));
        assert_eq!(falls(Some(100), samples(), &(20..=20)), None);
        assert_eq!(falls(Some(100), samples(), &(0..=10)), Some((10, 10)));
        assert_eq!(falls(None, samples().map(|(at_ns, _)| (at_ns, None)), &(0..=60)), None);
    }

    #[test]
    fn a_token_stays_with_whoever_gave_it() {
        let told = |line: &str| told_command(line.split(' ').map(str::to_owned)).join(" ");
        assert_eq!(told("bench --token abc echo"), "bench --token ... echo");
        assert_eq!(told("bench --token=abc echo"), "bench --token=... echo");
        assert_eq!(told("bench --seed 5 echo"), "bench --seed 5 echo");
    }
}
