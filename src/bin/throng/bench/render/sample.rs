//! Results that were never measured, but could have been: for tests of what shows them.
//!
//! ```text
//! sample::broadcast("throng", 1.0)     10,000 clients at 5 broadcasts a second, valid
//! ```

use crate::bench::fairness::{Fairness, OverClients};
use crate::bench::latency::{Latencies, Measure, Percentiles};
use crate::bench::plan::{Pacing, Plan, Protocol, Recipients, Scenario};
use crate::bench::report::{
    Broadcast, Connections, Failure, Generator, Interval, Latency, OverTransport, Phase, Phases,
    Report, SCHEMA, Search, ServerUse, Step, ThreadUse, Traffic, Verdict,
};
use crate::bench::transports::{Mix, Transport, Transports};
use crate::doctor::{Fingerprint, Intrinsic, Waits};

use super::units::{real, whole};

/// 10,000 clients, 5 broadcasts a second, 30 s; `factor` makes the server slower.
pub(crate) fn broadcast(label: &str, factor: f64) -> Report {
    let mut report = blank(label, Scenario::Broadcast { publishers: 1 });
    report.plan.rate = Some(5.0);
    report.traffic = traffic(160, 1_600_000, 5.0, 50_000.0);
    report.latencies = vec![
        curve(Measure::Delivery, 100_000, 0.9e6 * factor, 52.0e6 * factor),
        curve(Measure::DeliveryUserSpace, 100_000, 1.1e6 * factor, 54.0e6 * factor),
        curve(Measure::DeliveryUncorrected, 100_000, 0.8e6 * factor, 51.0e6 * factor),
        curve(Measure::FirstRecipient, 150, 0.11e6 * factor, 0.9e6 * factor),
        curve(Measure::LastRecipient, 150, 49.0e6 * factor, 9.0e6 * factor),
        curve(Measure::Connect, 10_000, 0.35e6 * factor, 3.0e6 * factor),
        curve(Measure::ScheduleLag, 150, 4_000.0, 90_000.0),
        curve(Measure::ReceiveLag, 100_000, 9_000.0, 900_000.0),
    ];
    report.fairness = Some(Fairness {
        p50: Some(over(10_000, [25.9, 27.7, 31.5], factor)),
        max: Some(over(10_000, [51.1, 58.4, 78.8], factor)),
        ..fairness(Measure::Delivery, 10_000, 150)
    });
    report.broadcasts = (0..150_u32)
        .map(|index| Broadcast {
            at_seconds: f64::from(index) / 5.0,
            first_ns: whole(110_000.0 * factor * wobble(index)),
            last_ns: whole(51.0e6 * factor * wobble(index.wrapping_add(7))),
            received: 10_000,
            expected: 10_000,
        })
        .collect();
    report.intervals = intervals(factor);
    report.server = Some(server(factor));
    report
}

/// 1,000 clients that ask for acknowledgements in a closed loop, without a watched server.
pub(crate) fn ack(label: &str, factor: f64) -> Report {
    let mut report = blank(label, Scenario::Ack);
    report.plan.clients = 1_000;
    report.plan.rate = None;
    report.plan.pacing = Pacing::Closed { in_flight: 1 };
    report.connections.wanted = 1_000;
    report.connections.connected = 1_000;
    report.traffic = traffic(4_200_000, 4_200_000, 140_000.0 / factor, 140_000.0 / factor);
    report.latencies = vec![
        curve(Measure::RoundTrip, 12_000, 6.0e6 * factor, 1.5e6 * factor),
        curve(Measure::RoundTripUserSpace, 12_000, 6.2e6 * factor, 1.6e6 * factor),
        curve(Measure::Connect, 1_000, 0.4e6 * factor, 1.0e6 * factor),
    ];
    report.fairness = Some(Fairness {
        p50: Some(over(1_000, [6.51, 6.94, 7.35], factor)),
        p99: Some(over(1_000, [7.91, 8.86, 9.22], factor)),
        max: Some(over(1_000, [8.85, 9.11, 9.87], factor)),
        ..fairness(Measure::RoundTrip, 1_000, 4_200)
    });
    report.intervals = intervals(factor);
    report
}

/// Rates of 5 to 80 broadcasts a second; the last one breaks the server.
pub(crate) fn sweep(label: &str, factor: f64) -> Report {
    let mut report = broadcast(label, factor);
    let steps = [5.0, 10.0, 15.0, 20.0, 25.0]
        .into_iter()
        .map(|load: f64| {
            let rest = (1.0 - load * factor / 26.0).max(0.02);
            let kept = load * factor < 25.0;
            Step {
                load,
                kept,
                why: if kept { String::new() } else { "p99 of 1.3 s, above 200 ms".to_owned() },
                percentiles_ns: Percentiles {
                    p50: Some(whole(27.0e6 * factor / rest)),
                    p90: Some(whole(45.0e6 * factor / rest)),
                    p99: Some(whole(55.0e6 * factor / rest)),
                    p99_9: Some(whole(60.0e6 * factor / rest)),
                    p99_99: None,
                },
                received_per_second: load * 10_000.0,
                server_cpu: Some((load * factor / 26.0).min(1.0)),
                generator_cpu: load / 60.0,
            }
        })
        .collect();
    report.search = Some(Search {
        varied: "rate".to_owned(),
        limits: "p99=200ms,loss=0".to_owned(),
        steps,
        found: Some(20.0),
    });
    report
}

/// The broadcasts of [`broadcast`], to clients over several transports.
pub(crate) fn mix(label: &str, factor: f64) -> Report {
    let mut report = broadcast(label, factor);
    let mix = Mix { websocket: 80, polling: 20, upgrade: 0 };
    report.plan.transport = Transports::Several { mix };
    let over = |transport, clients, slower: f64| OverTransport {
        transport,
        clients,
        latencies: vec![
            curve(Measure::Delivery, clients * 10, 0.9e6 * factor, 52.0e6 * factor * slower),
            curve(Measure::Connect, clients, 0.35e6 * factor, 3.0e6 * factor * slower),
        ],
    };
    report.transports =
        vec![over(Transport::Websocket, 8_000, 1.0), over(Transport::Polling, 2_000, 3.0)];
    report
}

/// A run that lost deliveries and connections, by a generator that was too slow.
pub(crate) fn invalid(label: &str) -> Report {
    let mut report = broadcast(label, 1.6);
    report.verdict = Verdict {
        valid: false,
        reasons: vec![
            "12 of 1,600,000 deliveries are missing".to_owned(),
            "3 connections ended without being asked to".to_owned(),
            "Thread generator-0 used 97 % of its core, above 85 %: the generator measured itself"
                .to_owned(),
        ],
        warnings: vec!["Server and generator shared 1 core.".to_owned()],
    };
    report.traffic.received = 1_599_988;
    report.traffic.missing = 12;
    report.connections.lost = 3;
    report.connections.failures =
        vec![Failure { what: "connection reset by peer".to_owned(), count: 3 }];
    report
}

fn blank(label: &str, scenario: Scenario) -> Report {
    Report {
        schema: SCHEMA.to_owned(),
        label: label.to_owned(),
        program: "throng 0.1.0".to_owned(),
        started_at: "2026-11-21T20:15:00Z".to_owned(),
        command: ["throng", "bench", scenario.name(), "http://127.0.0.1:3000", "--clients=10000"]
            .map(str::to_owned)
            .to_vec(),
        plan: plan(scenario),
        verdict: Verdict { valid: true, ..Verdict::default() },
        phases: Phases {
            connect_seconds: 1.06,
            warmup_seconds: 2.0,
            measured_seconds: 30.0,
            drain_seconds: 0.08,
        },
        connections: Connections {
            wanted: 10_000,
            connected: 10_000,
            per_second: 9_421.0,
            pings: 8_112,
            ..Connections::default()
        },
        traffic: Traffic::default(),
        latencies: Vec::new(),
        transports: Vec::new(),
        fairness: None,
        broadcasts: Vec::new(),
        intervals: Vec::new(),
        generator: Generator {
            threads: vec![ThreadUse {
                name: "generator-0".to_owned(),
                cpu_seconds: 12.3,
                core_share: 0.41,
                went_first: false,
            }],
            cpu_seconds: 12.3,
            cpu_us_per_delivery: Some(1.32),
            backlog_max: 512,
            clock_step_ns: 0,
            is_bottleneck: false,
            kernel_stamps: true,
        },
        server: None,
        search: None,
        fingerprint: fingerprint(),
        intrinsic: Some(intrinsic()),
    }
}

fn fingerprint() -> Fingerprint {
    let mut fingerprint = Fingerprint::default();
    "Linux 6.18.44".clone_into(&mut fingerprint.kernel);
    fingerprint
}

/// Clients that have equally many samples, and tell nothing of them yet.
fn fairness(measure: Measure, clients: u64, samples: u64) -> Fairness {
    Fairness {
        measure,
        clients,
        samples_min: samples,
        samples_max: samples,
        p50: None,
        p99: None,
        p99_9: None,
        max: None,
    }
}

/// Best, median and worst in milliseconds.
fn over(clients: u64, milliseconds: [f64; 3], factor: f64) -> OverClients {
    let [best_ns, median_ns, worst_ns] = milliseconds.map(|value| whole(value * 1e6 * factor));
    OverClients { clients, best_ns, median_ns, worst_ns }
}

fn intrinsic() -> Intrinsic {
    Intrinsic {
        seconds: 0.2,
        wait_ns: Waits { p50: 21, p90: 39, p99: 12_300, p99_9: 45_100 },
        gap_max_ns: 80_100,
        preempted_share: 0.002,
    }
}

fn plan(scenario: Scenario) -> Plan {
    Plan {
        event: "chat".to_owned(),
        recipients: Recipients::Everybody,
        scenario,
        target: "http://127.0.0.1:3000".to_owned(),
        more_targets: Vec::new(),
        path: "/socket.io/".to_owned(),
        namespace: "/".to_owned(),
        transport: Transports::All(Transport::Websocket),
        protocol: Protocol::SocketIo,
        clients: 10_000,
        connect_rate: None,
        connect_pacing: Pacing::Fixed,
        at_once: 256,
        connect_timeout_seconds: 30.0,
        source: None,
        rate: Some(1_000.0),
        pacing: Pacing::Fixed,
        payload_bytes: 64,
        payload_asked_bytes: 64,
        binary: false,
        warmup_seconds: 2.0,
        duration_seconds: 30.0,
        drain_seconds: 5.0,
        seed: 1,
        shards: 1,
        processes: false,
        hosts: Vec::new(),
        pin: Some(1),
        kernel_stamps: true,
    }
}

fn traffic(sent: u64, expected: u64, sent_rate: f64, received_rate: f64) -> Traffic {
    Traffic {
        sent,
        expected,
        received: expected,
        sent_per_second: sent_rate,
        received_per_second: received_rate,
        received_bytes: expected * 112,
        ..Traffic::default()
    }
}

fn server(factor: f64) -> ServerUse {
    ServerUse {
        pids: vec![4_711],
        commands: vec![["node", "server.js", "--port=3000"].map(str::to_owned).to_vec()],
        cpu_user_seconds: 1.8 * factor,
        cpu_system_seconds: 7.4,
        cpu_seconds: 1.8 * factor + 7.4,
        core_share: (1.8 * factor + 7.4) / 30.0,
        cpu_us_per_delivery: Some((1.8 * factor + 7.4) / 1.5),
        cpu_us_per_connect: Some(30.2 * factor),
        connect_core_share: 0.31,
        resident_before_bytes: 5_200_000,
        resident_high_before_bytes: None,
        cpu_before_seconds: Some(0.2),
        resident_connected_bytes: 12_320_000,
        resident_max_bytes: 14_100_000,
        resident_bytes_per_connection: Some(712.0 * factor),
        kernel_socket_bytes_max: 61_440_000,
        kernel_socket_bytes_per_connection: Some(1_230.0),
        kernel_slab_bytes: Some(98_100_000),
        kernel_slab_bytes_per_connection: Some(9_740.0),
        control_groups: None,
        syscalls: Some(1_515_000),
        syscalls_per_delivery: Some(1.01),
        syscalls_per_connect: Some(9.4),
        syscalls_untold: None,
        voluntary_switches: 412,
        involuntary_switches: 97,
    }
}

fn intervals(factor: f64) -> Vec<Interval> {
    (0..34_u32)
        .map(|second| {
            let phase = match second {
                0 | 1 => Phase::Connect,
                2 | 3 => Phase::Warmup,
                33 => Phase::Drain,
                _ => Phase::Measure,
            };
            let busy = matches!(phase, Phase::Warmup | Phase::Measure);
            let scale = factor * wobble(second);
            Interval {
                at_seconds: f64::from(second),
                seconds: 1.0,
                phase,
                connected: if second == 0 { 9_200 } else { 10_000 },
                sent: if busy { 5 } else { 0 },
                received: if busy { 50_000 } else { 0 },
                percentiles_ns: Percentiles {
                    p50: busy.then(|| whole(27.0e6 * scale)),
                    p90: busy.then(|| whole(45.0e6 * scale)),
                    p99: busy.then(|| whole(52.0e6 * scale)),
                    p99_9: None,
                    p99_99: None,
                },
                max_ns: if busy { whole(60.0e6 * scale) } else { 0 },
                generator_cpu: if busy { 0.41 * wobble(second) } else { 0.1 },
                server_cpu: Some(if busy { 0.31 * scale } else { 0.02 }),
                server_resident_bytes: Some(12_320_000 + u64::from(second) * 40_000),
                kernel_socket_bytes: if busy { 52_000_000 } else { 12_000_000 },
            }
        })
        .collect()
}

/// A measure whose values rise from `low` to `low + spread`, with a tail of a few worse ones.
fn curve(measure: Measure, count: u64, low: f64, spread: f64) -> Latency {
    let mut latencies = Latencies::default();
    for index in 0..count {
        let part = (real(index) + 0.5) / real(count);
        let tail = 1.0 + 0.04 * -(1.0 - part).ln();
        latencies.record(whole(part.mul_add(spread, low) * tail));
    }
    Latency::new(measure, &latencies)
}

/// Between 0.9 and 1.3, the same for the same index.
fn wobble(index: u32) -> f64 {
    let scattered = index.wrapping_mul(2_654_435_761) >> 16;
    f64::from(scattered % 1_000).mul_add(0.000_25, 0.9) + if index % 13 == 5 { 0.15 } else { 0.0 }
}
