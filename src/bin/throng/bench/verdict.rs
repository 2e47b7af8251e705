//! Whether the figures of a run may be believed: every rule that makes a run INVALID, and what its
//! reader should know although it is valid. It measures nothing.
//!
//! ```text
//! INVALID: deliveries are missing: 3 of 500000
//! ```

use super::latency::{HIGHEST_NS, Latencies, Measure};
use super::percentile::Percentile;
use super::plan::{Recipients, Scenario};
use super::render::units::words::{bytes, percent, seconds, time};
use super::report::{Latency, Report, ThreadUse, Verdict};
use super::target;

/// Fills the verdict; reasons and warnings that it holds already stay in it.
pub(crate) fn judge(report: &mut Report) {
    let mut found = Findings::default();
    found.judge_connections(report);
    found.judge_completeness(report);
    found.judge_measurement(report);
    found.judge_generator(report);
    found.warn_of_plan(report);
    found.warn_of_precedence(report);
    found.warn_of_percentiles(report);
    found.warn_of_machine(report);
    found.warn_of_stalls(report);
    report.generator.is_bottleneck = found.is_bottleneck;
    let Verdict { valid, reasons, warnings } = &mut report.verdict;
    add(reasons, found.reasons);
    add(warnings, found.warnings);
    *valid = reasons.is_empty();
}

/// What one look at a report has found.
#[derive(Default)]
struct Findings {
    reasons: Vec<String>,
    warnings: Vec<String>,
    /// A loop without a schedule ended where the generator could do no more: nothing it measured
    /// is wrong, but its rate says nothing of the server.
    is_bottleneck: bool,
}

impl Findings {
    fn judge_connections(&mut self, report: &Report) {
        let connections = &report.connections;
        let causes: Vec<String> = connections
            .failures
            .iter()
            .take(CAUSES_MAX)
            .map(|failure| format!("{} ({})", failure.what, failure.count))
            .collect();
        let causes =
            if causes.is_empty() { String::new() } else { format!(": {}", causes.join(", ")) };
        if connections.failed > 0 {
            self.invalid(format!("connections failed, {} of them{causes}", connections.failed));
        }
        if connections.lost > 0 {
            self.invalid(format!(
                "connections were lost, {} of them, without the generator's asking{causes}",
                connections.lost
            ));
        }
        if connections.connected < connections.wanted {
            self.invalid(format!(
                "clients are short: {} of {} were connected when the traffic began",
                connections.connected, connections.wanted
            ));
        }
        if connections.not_upgraded > 0 {
            self.invalid(format!(
                "upgrades were refused, {} of them: these clients stayed on long-polling",
                connections.not_upgraded
            ));
        }
        if connections.slow_lost > 0 {
            let first = connections.slow_lost_first_seconds;
            let when = match first.zip(connections.slow_lost_last_seconds) {
                Some((first, last)) => {
                    format!("the first {first:.0} s and the last {last:.0} s after the first send")
                }
                None => "when is not known without --pid".to_owned(),
            };
            self.warn(format!(
                "the server closed slow clients, {} of them, {when}: that is its right, and they \
                 are not counted as lost",
                connections.slow_lost
            ));
        }
        if connections.connects_waited > 0 {
            self.warn(format!(
                "connects fell behind their rate, {} of them: --at-once {} were on their way, and \
                 the wait is in their times",
                connections.connects_waited, report.plan.at_once
            ));
        }
    }

    fn judge_completeness(&mut self, report: &Report) {
        let traffic = &report.traffic;
        if traffic.missing > 0 {
            // One of each broadcast, and none ever came to its sender.
            let excludes = report.plan.scenario.broadcasts()
                && report.plan.recipients == Recipients::Everybody
                && traffic.own_received == 0
                && traffic.missing == traffic.sent;
            let hint = if excludes {
                ", one of each broadcast, and no sender got its own: a server that sends to \
                 everybody but the sender is measured with --publisher-excluded"
            } else {
                ""
            };
            self.invalid(format!(
                "deliveries are missing: {} of {}{hint}",
                traffic.missing, traffic.expected
            ));
        }
        let counts = [
            (traffic.duplicated, "deliveries came more than once"),
            (traffic.reordered, "deliveries came out of order"),
            (traffic.corrupted, "deliveries were corrupted"),
            (traffic.stray, "events came to clients that they were not meant for"),
            (
                traffic.unsent,
                "sends or departures could not be made: their client was away or full",
            ),
        ];
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            self.invalid(format!("{what}: {count}"));
        }
    }

    fn judge_measurement(&mut self, report: &Report) {
        let step_ns = report.generator.clock_step_ns;
        if step_ns > CLOCK_STEP_NS_MAX {
            self.invalid(format!(
                "the wall clock was set by {} in the run, and receipts are stamped by it",
                time(step_ns)
            ));
        }
        // Who only holds connections measures memory and processor time.
        let is_measured = match report.plan.scenario {
            Scenario::Idle => {
                report.connections.connected > 0 && report.phases.measured_seconds > 0.0
            }
            _ => report.first_measure().is_some(),
        };
        if !is_measured {
            let title = report.plan.scenario.first_measure().title();
            self.invalid(format!("nothing was measured: there is not one {title}"));
        }
    }

    fn judge_generator(&mut self, report: &Report) {
        self.judge_lag(report, Measure::ScheduleLag, report.first_measure());
        self.judge_lag(report, Measure::ConnectLag, report.latency(Measure::Connect));
        let threads = &report.generator.threads;
        let Some(busiest) = busiest(threads) else { return };
        // Threads that are bound to one processor fill it together.
        let (share, who) = match report.plan.pin {
            Some(processor) if threads.len() > 1 => {
                let share = threads.iter().map(|thread| thread.core_share).sum();
                (share, format!("threads, all on processor {processor},"))
            }
            _ => (busiest.core_share, format!("thread \"{}\"", busiest.name)),
        };
        let is_busy = share > GENERATOR_SHARE_MAX;
        let used = format!("{who} used {}", percent(share));
        if !report.plan.finds_peak() {
            if is_busy {
                self.invalid(format!(
                    "the generator was overloaded: its {used} of a core, and more than {} makes \
                     latencies its own; spread the clients with --threads or --workers",
                    percent(GENERATOR_SHARE_MAX)
                ));
            }
            return;
        }
        match report.server_core_share() {
            Some(share) if is_busy && share < SERVER_SHARE_MIN => {
                self.is_bottleneck = true;
                self.warn(format!(
                    "the generator was the bottleneck: its {used} of a core, the server {}; the \
                     rate is the generator's peak and not told as the server's",
                    percent(share)
                ));
            }
            Some(share) if share < SERVER_SHARE_MIN => self.warn(format!(
                "the server used {} of a core: this may not be its peak; try more clients or \
                 --in-flight",
                percent(share)
            )),
            None if is_busy => self.warn(format!(
                "the generator's {used} of a core: it may have been the bottleneck; watch the \
                 server with --pid to know",
            )),
            _ => {}
        }
    }

    /// At the highest percentile that is told, or where none is, at the highest with ten samples
    /// beyond; of a lag in few sends, at a lower one. A figure rests on a hundred, but ten are
    /// enough to doubt it, and one that isn't told can't be spoiled.
    fn judge_lag(&mut self, report: &Report, lag: Measure, measured: Option<&Latency>) {
        let (Some(lag), Some(measured)) = (report.latency(lag), measured) else { return };
        // Late connects spoil a run of which they are the measure.
        let spoils = lag.measure == Measure::ScheduleLag
            || report.plan.scenario.first_measure() == Measure::Connect;
        let [lags, all] =
            [lag, measured].map(|of| Latencies::decode(&of.histogram).unwrap_or_default());
        let is_untold = |percentile: &Percentile| percentile.of(&measured.percentiles_ns).is_none();
        let tells_none = Percentile::ALL.iter().all(is_untold);
        let both = Percentile::ALL
            .into_iter()
            .take(LAG_PERCENTILES)
            .rev()
            .skip_while(|percentile| !tells_none && is_untold(percentile))
            .find_map(|percentile| {
                let quantile = percentile.quantile();
                Some((percentile.name(), lags.roughly_ns(quantile)?, all.roughly_ns(quantile)?))
            });
        let title = measured.measure.title();
        if let Some((name, lag_ns, measured_ns)) = both
            && is_late(lag_ns, measured_ns)
        {
            let sentence = format!(
                "the generator was late: {name} of its {} is {}, more than a tenth of the \
                 {title}'s {}{}",
                lag.measure.title(),
                time(lag_ns),
                time(measured_ns),
                held_up(&report.generator.threads)
            );
            if spoils { self.invalid(sentence) } else { self.warn(sentence) }
        } else if is_late(lag.max_ns, measured.max_ns) {
            self.warn(format!(
                "the generator was late by {} once, and the longest {title} is {}: the highest \
                 latencies may be its own",
                time(lag.max_ns),
                time(measured.max_ns)
            ));
        }
    }

    fn warn_of_plan(&mut self, report: &Report) {
        let plan = &report.plan;
        if plan.finds_peak() && plan.scenario.has_traffic() {
            self.warn(
                "closed loop: it finds a peak, and its latencies leave out what users would wait"
                    .to_owned(),
            );
        }
        if plan.payload_bytes > plan.payload_asked_bytes && plan.scenario.has_traffic() {
            self.warn(format!(
                "the payload was raised from {} to {} bytes, which the mark of an event needs",
                plan.payload_asked_bytes, plan.payload_bytes
            ));
        }
        if plan.kernel_stamps && !report.generator.kernel_stamps {
            self.warn(
                "the kernel stamps no receipts here: the generator's own delay is in the latencies"
                    .to_owned(),
            );
        }
    }

    fn warn_of_percentiles(&mut self, report: &Report) {
        let Some(measured) = report.first_measure() else { return };
        let refused: Vec<Percentile> = Percentile::ALL
            .into_iter()
            .filter(|percentile| percentile.of(&measured.percentiles_ns).is_none())
            .collect();
        let title = measured.measure.title();
        let count = measured.count;
        if !refused.is_empty() {
            self.warn(format!(
                "too few samples for {} of the {title}, {count} in all: measure longer",
                names(refused)
            ));
        }
        if measured.max_ns >= HIGHEST_NS {
            self.warn(format!("a {title} took a minute or longer: it is told as a minute"));
        }
    }

    fn warn_of_machine(&mut self, report: &Report) {
        let cores = report.fingerprint.cores;
        if target::is_loopback(&report.plan.target) || report.server.is_some() {
            let cores = match cores {
                Some(1) => "its one core".to_owned(),
                Some(cores) => format!("its {cores} cores"),
                None => "its cores".to_owned(),
            };
            self.warn(format!(
                "loopback: server and generator share this machine and {cores}, and no network \
                 lies between them"
            ));
        }
        self.warn_of_memory(report);
        let load = report.fingerprint.load_average.map_or(0.0, |[minute, _, _]| minute);
        if load > OTHER_LOAD_MAX * cores.map_or(1.0, f64::from) {
            self.warn(format!(
                "the machine was at work when the run began: its load average was {load:.1}; \
                 other processes may have taken part of it"
            ));
        }
    }

    /// A server that has served before has memory to serve from, and grows by less.
    fn warn_of_memory(&mut self, report: &Report) {
        let Some(server) = &report.server else { return };
        if server.resident_bytes_per_connection.is_none() {
            return;
        }
        let before = server.resident_before_bytes;
        let was_higher = server
            .resident_high_before_bytes
            .is_some_and(|high| high > before.saturating_add(before / 50 + RESIDENT_NOISE_BYTES));
        let used = server.cpu_before_seconds.unwrap_or(0.0);
        let sign = if was_higher {
            let high = server.resident_high_before_bytes.unwrap_or(0);
            format!("its memory had been {} at most and was {}", bytes(high), bytes(before))
        } else if used > USED_BEFORE_SECONDS_MAX {
            format!("it had used {} of processor time", seconds(used))
        } else {
            return;
        };
        self.warn(format!(
            "the server was not fresh when the run began: {sign}; connections that fit into \
             memory it has kept make RSS per connection too low, so start it anew to measure it"
        ));
    }

    /// Askers that wait for the crowd on their processor tell of that too.
    fn warn_of_precedence(&mut self, report: &Report) {
        let Some(processor) = report.plan.pin else { return };
        let asks = matches!(report.plan.scenario, Scenario::Mixed { .. });
        if asks && !report.generator.threads.iter().any(|thread| thread.went_first) {
            self.warn(format!(
                "the askers could not go before the crowd on processor {processor}, which takes \
                 root or CAP_SYS_NICE: their waiting for it is in their round trips"
            ));
        }
    }

    /// What the machine does to anybody, it does to the server and to the generator.
    fn warn_of_stalls(&mut self, report: &Report) {
        let Some(intrinsic) = &report.intrinsic else { return };
        let Some(measured) = report.first_measure() else { return };
        let (told, waits) = (&measured.percentiles_ns, &intrinsic.wait_ns);
        let highest = [(Percentile::P99_9, waits.p99_9), (Percentile::P99, waits.p99)]
            .into_iter()
            .find_map(|(percentile, wait_ns)| Some((percentile, percentile.of(told)?, wait_ns)));
        let Some((percentile, measured_ns, wait_ns)) = highest else { return };
        if wait_ns > measured_ns / 10 {
            self.warn(format!(
                "the machine itself stalls: before the run, what was due at a random moment \
                 waited up to {} for a core at {}, more than a tenth of the {}'s {}",
                time(wait_ns),
                percentile.name(),
                measured.measure.title(),
                time(measured_ns)
            ));
        }
    }

    fn invalid(&mut self, reason: String) {
        self.reasons.push(reason);
    }

    fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }
}

/// A report may be judged twice, and says everything once.
fn add(sentences: &mut Vec<String>, found: Vec<String>) {
    for sentence in found {
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
}

/// A thread with time left isn't late for the work that it has: whoever shares a processor with
/// other machines is kept from it now and then, for tens of milliseconds.
fn held_up(threads: &[ThreadUse]) -> String {
    match busiest(threads) {
        Some(busiest) if busiest.core_share < HELD_UP_SHARE_MAX => format!(
            ", though no thread of it used more than {} of a core: the machine held it up",
            percent(busiest.core_share)
        ),
        _ => String::new(),
    }
}

fn busiest(threads: &[ThreadUse]) -> Option<&ThreadUse> {
    threads.iter().max_by(|one, other| one.core_share.total_cmp(&other.core_share))
}

/// Above a tenth of what it is part of, and long enough to matter.
fn is_late(lag_ns: u64, measured_ns: u64) -> bool {
    lag_ns > LAG_NS_MIN && lag_ns > measured_ns / 10
}

fn names(percentiles: Vec<Percentile>) -> String {
    let names: Vec<&str> = percentiles.into_iter().map(Percentile::name).collect();
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => names.concat(),
    }
}

/// Above, a thread's queue grows faster than it answers.
const GENERATOR_SHARE_MAX: f64 = 0.85;
/// Below, the server had time left.
const SERVER_SHARE_MIN: f64 = 0.95;
const LAG_NS_MIN: u64 = 1_000_000;
/// Below, a thread has time left whenever it is given its processor.
const HELD_UP_SHARE_MAX: f64 = 0.5;
/// Up to p99.9: beyond it chance decides.
const LAG_PERCENTILES: usize = 4;
/// Two clocks that are read one after the other differ by what happens between.
const CLOCK_STEP_NS_MAX: u64 = 1_000_000;
/// Of the machine's cores.
const OTHER_LOAD_MAX: f64 = 0.5;
const CAUSES_MAX: usize = 3;
/// The kernel counts resident memory in batches, and may be off by so much.
const RESIDENT_NOISE_BYTES: u64 = 512 * 1_024;
/// What a runtime may need for its start.
const USED_BEFORE_SECONDS_MAX: f64 = 2.0;

#[cfg(test)]
pub(crate) mod tests {
    use super::super::latency::{Latencies, Measure};
    use super::super::plan::tests::plan;
    use super::super::report::{
        Connections, Failure, Generator, Latency, Phases, SCHEMA, ServerUse, Traffic,
    };
    use super::*;
    use crate::doctor::{Fingerprint, Intrinsic, Waits};

    /// A faultless run of one command, with 200,000 samples of 10 ms in its first measure: nothing
    /// is to be said of it but that the server is near.
    pub(crate) fn report(line: &str) -> Report {
        let plan = plan(line);
        let latencies = vec![latency(plan.scenario.first_measure(), 10_000_000, 2_000_000)];
        let clients = u64::from(plan.clients);
        Report {
            schema: SCHEMA.to_owned(),
            label: "server".to_owned(),
            program: "throng".to_owned(),
            started_at: "2026-01-01T00:00:00Z".to_owned(),
            command: Vec::new(),
            verdict: Verdict::default(),
            phases: Phases { measured_seconds: 10.0, ..Phases::default() },
            connections: Connections {
                wanted: clients,
                connected: clients,
                ..Connections::default()
            },
            traffic: Traffic { expected: 500_000, received: 500_000, ..Traffic::default() },
            latencies,
            transports: Vec::new(),
            fairness: None,
            broadcasts: Vec::new(),
            intervals: Vec::new(),
            generator: Generator { kernel_stamps: true, ..Generator::default() },
            server: None,
            search: None,
            fingerprint: Fingerprint::default(),
            intrinsic: None,
            plan,
        }
    }

    pub(crate) fn latency(measure: Measure, nanoseconds: u64, count: u64) -> Latency {
        let mut latencies = Latencies::default();
        (0..count).for_each(|_| latencies.record(nanoseconds));
        Latency::new(measure, &latencies)
    }

    pub(crate) fn thread(core_share: f64) -> ThreadUse {
        let name = "clients 0".to_owned();
        ThreadUse { name, cpu_seconds: 0.0, core_share, went_first: false }
    }

    fn judged(mut report: Report) -> Verdict {
        judge(&mut report);
        let verdict = report.verdict.clone();
        judge(&mut report);
        assert_eq!(report.verdict, verdict, "judged twice");
        assert_eq!(verdict.valid, verdict.reasons.is_empty());
        verdict
    }

    /// Judges a run of `broadcast` that differs from a faultless one.
    fn broadcast(change: impl FnOnce(&mut Report)) -> Verdict {
        let mut report = report("broadcast http://10.0.0.1:3000");
        change(&mut report);
        judged(report)
    }

    fn closed(server: Option<f64>, generator: f64) -> Verdict {
        let mut report = report("echo http://10.0.0.1:3000 --closed");
        report.generator.threads = vec![thread(0.2), thread(generator)];
        report.server = server.map(|core_share| ServerUse { core_share, ..ServerUse::default() });
        judged(report)
    }

    #[test]
    fn threads_on_one_processor_are_busy_together() {
        let judged = |line: &str| {
            let mut report = report(line);
            report.generator.threads = vec![thread(0.5), thread(0.4)];
            judged(report).reasons.concat()
        };
        assert_eq!(judged("broadcast http://10.0.0.1:3000 --threads 2"), "");
        let reasons = judged("broadcast http://10.0.0.1:3000 --threads 2 --pin 1");
        assert!(reasons.contains("its threads, all on processor 1, used 90 %"), "{reasons}");
    }

    #[test]
    fn a_faultless_run_is_valid() {
        let verdict = broadcast(|_| {});
        assert_eq!((verdict.reasons, verdict.warnings), (vec![], vec![]));
    }

    #[test]
    fn every_fault_of_a_delivery_is_a_reason() {
        let verdict = broadcast(|report| {
            report.traffic = Traffic {
                expected: 500,
                missing: 1,
                duplicated: 2,
                reordered: 3,
                corrupted: 4,
                stray: 5,
                unsent: 6,
                ..Traffic::default()
            };
        });
        assert_eq!(
            verdict.reasons,
            [
                "deliveries are missing: 1 of 500",
                "deliveries came more than once: 2",
                "deliveries came out of order: 3",
                "deliveries were corrupted: 4",
                "events came to clients that they were not meant for: 5",
                "sends or departures could not be made: their client was away or full: 6",
            ]
        );
    }

    #[test]
    fn connections_that_fail_or_end_are_reasons_with_their_causes() {
        let verdict = broadcast(|report| {
            report.connections.failed = 2;
            report.connections.lost = 1;
            report.connections.connected = 998;
            let failure = |what: &str, count| Failure { what: what.to_owned(), count };
            report.connections.failures = vec![failure("refused", 2), failure("reset", 1)];
        });
        assert_eq!(
            verdict.reasons,
            [
                "connections failed, 2 of them: refused (2), reset (1)",
                "connections were lost, 1 of them, without the generator's asking: \
                 refused (2), reset (1)",
                "clients are short: 998 of 1000 were connected when the traffic began",
            ]
        );
    }

    #[test]
    fn a_slow_client_may_be_closed_and_a_healthy_one_may_not() {
        let mut slow = report("slow http://10.0.0.1:3000");
        slow.connections.slow_lost = 100;
        let verdict = judged(slow.clone());
        assert!(verdict.valid && verdict.warnings[0].contains("slow clients, 100 of them"));
        slow.connections.lost = 1;
        assert!(!judged(slow).valid);
    }

    #[test]
    fn when_slow_clients_were_closed_is_told_as_far_as_it_is_known() {
        let mut slow = report("slow http://10.0.0.1:3000");
        slow.connections.slow_lost = 100;
        assert!(judged(slow.clone()).warnings[0].contains("when is not known without --pid"));
        slow.connections.slow_lost_first_seconds = Some(33.2);
        slow.connections.slow_lost_last_seconds = Some(36.1);
        let verdict = judged(slow);
        assert!(verdict.warnings[0].contains("the first 33 s and the last 36 s after"));
    }

    #[test]
    fn one_loss_of_each_broadcast_is_the_senders_own() {
        let lost = |missing, own_received| {
            broadcast(|report| {
                report.traffic.sent = 50;
                report.traffic.missing = missing;
                report.traffic.own_received = own_received;
            })
        };
        assert!(lost(50, 0).reasons[0].contains("--publisher-excluded"));
        assert!(!lost(50, 1).reasons[0].contains("--publisher-excluded"));
        assert!(!lost(49, 0).reasons[0].contains("--publisher-excluded"));
    }

    #[test]
    fn memory_of_a_server_that_has_served_is_told_apart() {
        let of = |each: Option<f64>, high: Option<u64>, cpu: Option<f64>| {
            broadcast(|report| {
                report.fingerprint.cores = Some(8);
                report.server = Some(ServerUse {
                    resident_bytes_per_connection: each,
                    resident_before_bytes: 10_000_000,
                    resident_high_before_bytes: high,
                    cpu_before_seconds: cpu,
                    ..ServerUse::default()
                });
            })
            .warnings
            .join("\n")
        };
        let each = Some(700.0);
        assert!(!of(each, Some(10_700_000), Some(2.0)).contains("not fresh"));
        assert!(!of(each, None, None).contains("not fresh"));
        assert!(of(each, Some(10_800_000), Some(0.1)).contains("had been 10.8 MB at most"));
        assert!(of(each, Some(10_000_000), Some(2.1)).contains("had used 2.1 s"));
        // What isn't told isn't too low.
        assert!(!of(None, Some(10_800_000), Some(2.1)).contains("not fresh"));
    }

    #[test]
    fn late_connects_spoil_a_run_that_measures_them() {
        let lagging = |line: &str| {
            let mut report = report(line);
            report.latencies.push(latency(Measure::ConnectLag, 5_000_000, 10_000));
            if report.latency(Measure::Connect).is_none() {
                report.latencies.push(latency(Measure::Connect, 10_000_000, 10_000));
            }
            judged(report)
        };
        let verdict = lagging("connect http://10.0.0.1:3000 --connect-rate 100");
        assert!(verdict.reasons[0].contains("p99.9 of its connect lag is 5"), "{verdict:?}");
        let verdict = lagging("echo http://10.0.0.1:3000 --connect-rate 100");
        assert!(verdict.valid && verdict.warnings[0].contains("connect lag"), "{verdict:?}");
    }

    #[test]
    fn what_stands_in_a_verdict_stays_there() {
        let verdict = broadcast(|report| {
            report.verdict.reasons.push("the run was interrupted".to_owned());
        });
        assert_eq!((verdict.valid, verdict.reasons.len()), (false, 1));
    }

    #[test]
    fn a_wall_clock_that_was_set_is_a_reason() {
        assert!(broadcast(|report| report.generator.clock_step_ns = 1_000_000).valid);
        let verdict = broadcast(|report| report.generator.clock_step_ns = 250_000_000);
        assert!(verdict.reasons[0].contains("was set by 250 ms"));
    }

    #[test]
    fn nothing_measured_is_a_reason() {
        let verdict = broadcast(|report| report.latencies.clear());
        assert_eq!(verdict.reasons, ["nothing was measured: there is not one delivery"]);
        let mut idle = report("idle http://10.0.0.1:3000");
        idle.latencies.clear();
        assert!(judged(idle.clone()).valid);
        idle.phases.measured_seconds = 0.0;
        assert!(!judged(idle).valid);
    }

    /// The deliveries take 10 ms, so that a lag may be 1 ms.
    #[test]
    fn lag_is_held_against_a_tenth_of_the_first_measure() {
        let lagging = |nanoseconds, count| {
            broadcast(|report| {
                report.latencies.push(latency(Measure::ScheduleLag, nanoseconds, count));
            })
        };
        assert!(lagging(990_000, 10_000).valid);
        let verdict = lagging(1_100_000, 10_000);
        assert!(verdict.reasons[0].contains("p99.9 of its schedule lag is 1.1 ms"));
        assert!(verdict.reasons[0].contains("the delivery's 10 ms"), "{verdict:?}");
        assert!(lagging(1_100_000, 9_999).reasons[0].contains("p99 of"));
        assert!(lagging(1_100_000, 999).reasons[0].contains("p90 of"));
        assert!(lagging(1_100_000, 99).reasons[0].contains("p50 of"));
        let verdict = lagging(1_100_000, 9);
        assert!(verdict.valid && verdict.warnings[0].contains("late by 1.1 ms once"));
    }

    /// Of 11,000 samples p99 is told and p99.9 isn't: a hundred late sends are beyond the former.
    #[test]
    fn a_lag_is_held_against_what_is_told() {
        let lagging = |late, count| {
            broadcast(|report| {
                report.latencies = vec![latency(Measure::Delivery, 10_000_000, count)];
                let mut lags = Latencies::default();
                (0..count).for_each(|index| {
                    lags.record(if index < late { 30_000_000 } else { 50_000 });
                });
                report.latencies.push(Latency::new(Measure::ScheduleLag, &lags));
            })
        };
        assert!(lagging(100, 11_000).valid);
        assert!(lagging(120, 11_000).reasons[0].contains("p99 of its schedule lag is 30 ms"));
        assert!(lagging(60, 50).reasons[0].contains("p50 of"), "none is told");
    }

    #[test]
    fn a_late_generator_with_time_left_was_held_up() {
        let lagging = |core_share| {
            let verdict = broadcast(|report| {
                report.latencies.push(latency(Measure::ScheduleLag, 1_100_000, 10_000));
                report.generator.threads = vec![thread(0.02), thread(core_share)];
            });
            verdict.reasons.concat()
        };
        assert!(lagging(0.09).ends_with(
            "10 ms, though no thread of it used more than 9 % of a core: the machine held it up"
        ));
        assert!(lagging(0.6).ends_with("the delivery's 10 ms"));
    }

    #[test]
    fn askers_that_wait_for_the_crowd_on_their_processor_are_told() {
        let warned = |line: &str, went_first| {
            let mut report = report(line);
            report.generator.threads = vec![thread(0.1), ThreadUse { went_first, ..thread(0.1) }];
            let says_so = |warning: &String| warning.contains("could not go before the crowd on");
            judged(report).warnings.iter().any(says_so)
        };
        assert!(warned("mixed http://10.0.0.1:3000 --pin 1", false));
        assert!(!warned("mixed http://10.0.0.1:3000 --pin 1", true));
        assert!(!warned("mixed http://10.0.0.1:3000", false), "they have processors of their own");
        assert!(!warned("ack http://10.0.0.1:3000 --pin 1", false), "there is no crowd");
    }

    #[test]
    fn a_short_lag_never_matters() {
        let mut report = report("echo http://10.0.0.1:3000");
        report.latencies = vec![
            latency(Measure::RoundTrip, 100_000, 2_000_000),
            latency(Measure::ScheduleLag, 900_000, 10_000),
        ];
        assert!(judged(report).valid);
    }

    #[test]
    fn an_open_loop_needs_a_generator_with_time_left() {
        assert!(broadcast(|report| report.generator.threads = vec![thread(0.85)]).valid);
        let verdict = broadcast(|report| {
            report.generator.threads = vec![thread(0.91), thread(0.3)];
        });
        assert!(verdict.reasons[0].contains("thread \"clients 0\" used 91 % of a core"));
    }

    #[test]
    fn a_peak_is_the_servers_or_is_none() {
        let verdict = closed(Some(0.6), 0.97);
        assert!(verdict.valid && verdict.warnings[0].contains("the generator was the bottleneck"));
        assert!(verdict.warnings[0].contains("used 97 % of a core, the server 60 %"));
        assert!(closed(Some(0.95), 0.97).valid);
        let verdict = closed(None, 0.97);
        assert!(verdict.valid && verdict.warnings[0].contains("watch the server with --pid"));
        let verdict = closed(Some(0.6), 0.5);
        assert!(verdict.valid && verdict.warnings[0].contains("may not be its peak"));
        assert!(closed(None, 0.5).warnings[0].contains("closed loop"));
    }

    #[test]
    fn a_ceiling_of_connections_looks_at_the_connect_phase() {
        let mut report = report("connect http://10.0.0.1:3000");
        report.generator.threads = vec![thread(0.9)];
        let server = ServerUse { connect_core_share: 0.99, ..ServerUse::default() };
        report.server = Some(server);
        assert!(judged(report.clone()).valid);
        report.server = Some(ServerUse { core_share: 0.99, ..ServerUse::default() });
        assert!(judged(report).warnings[0].contains("the generator was the bottleneck"));
    }

    #[test]
    fn percentiles_with_few_samples_are_told() {
        let few = |count| {
            broadcast(|report| report.latencies = vec![latency(Measure::Delivery, 10_000, count)])
        };
        // Beyond p99 are 1,000, beyond p99.9 are 100, beyond p99.99 are 10.
        assert_eq!(
            few(100_000).warnings,
            ["too few samples for p99.99 of the delivery, 100000 in all: measure longer"]
        );
        assert_eq!(
            few(5_000).warnings,
            ["too few samples for p99, p99.9 and p99.99 of the delivery, 5000 in all: \
              measure longer"]
        );
    }

    #[test]
    fn what_a_reader_should_know_is_a_warning() {
        let warned = |line: &str, change: fn(&mut Report)| {
            let mut report = report(line);
            change(&mut report);
            let verdict = judged(report);
            assert!(verdict.valid, "{verdict:?}");
            verdict.warnings.join("\n")
        };
        assert!(warned("echo", |_| {}).contains("share this machine and its cores"));
        let two = |report: &mut Report| report.fingerprint.cores = Some(2);
        assert!(warned("echo", two).contains("loopback: server and generator share this machine"));
        assert!(warned("echo", two).contains("its 2 cores"));
        let far = "echo http://10.0.0.1:3000";
        assert_eq!(warned(far, two), "");
        assert!(warned(&format!("{far} --payload 10"), two).contains("from 10 to 60 bytes"));
        let user = |report: &mut Report| report.generator.kernel_stamps = false;
        assert!(warned(far, user).contains("the kernel stamps no receipts"));
        assert_eq!(warned(&format!("{far} --stamps user"), user), "");
        let load = |report: &mut Report| {
            report.fingerprint.cores = Some(2);
            report.fingerprint.load_average = Some([1.1, 0.0, 0.0]);
        };
        assert!(warned(far, load).contains("its load average was 1.1"));
    }

    /// A tenth of 10 ms is 1 ms; a bucket of the histogram ends up to 5 us later.
    #[test]
    fn a_machine_that_stalls_is_told() {
        let stalled = |p99_9| {
            broadcast(|report| {
                let wait_ns = Waits { p99_9, ..Waits::default() };
                report.intrinsic = Some(Intrinsic { wait_ns, ..Intrinsic::default() });
            })
        };
        assert_eq!(stalled(1_000_000).warnings, Vec::<String>::new());
        let verdict = stalled(1_010_000);
        assert!(verdict.valid && verdict.warnings.len() == 1, "{verdict:?}");
        let warning = &verdict.warnings[0];
        assert!(warning.starts_with("the machine itself stalls: "), "{warning}");
        assert!(warning.contains("up to 1.01 ms") && warning.ends_with("delivery's 10 ms"));
    }

    /// As many as p99 takes, and not p99.9.
    #[test]
    fn a_stall_is_held_against_the_highest_percentile_that_is_told() {
        let verdict = broadcast(|report| {
            report.latencies = vec![latency(Measure::Delivery, 10_000_000, 10_000)];
            let wait_ns = Waits { p99: 1_010_000, p99_9: 0, ..Waits::default() };
            report.intrinsic = Some(Intrinsic { wait_ns, ..Intrinsic::default() });
        });
        let told = verdict.warnings.join("\n");
        assert!(told.contains("waited up to 1.01 ms for a core at p99, more"), "{told}");
    }
}
