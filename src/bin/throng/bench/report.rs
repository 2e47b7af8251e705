//! The result of one run, as `--json` writes it: the documented schema `throng-bench/1`.
//!
//! Fields are only ever added; a changed meaning gets a new number. Times end in their unit.
//!
//! ```text
//! {"schema":"throng-bench/1","label":"throng","verdict":{"valid":true,"reasons":[],..},..}
//! ```

use serde::{Deserialize, Serialize};

use super::fairness::Fairness;
use super::latency::{Latencies, Measure, Percentiles};
use super::plan::{Plan, Scenario};
use super::transports::Transport;
use crate::doctor::{Fingerprint, Intrinsic};

/// One run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// `throng-bench/1`
    pub(crate) schema: String,
    /// What was measured, in a word: the name of a column.
    pub(crate) label: String,
    /// The generator and its version.
    pub(crate) program: String,
    /// When the run began, RFC 3339 in UTC.
    pub(crate) started_at: String,
    /// The exact command, program first.
    pub(crate) command: Vec<String>,
    pub(crate) plan: Plan,
    pub(crate) verdict: Verdict,
    pub(crate) phases: Phases,
    pub(crate) connections: Connections,
    pub(crate) traffic: Traffic,
    /// Only measures that have samples.
    pub(crate) latencies: Vec<Latency>,
    /// Of a mix, what clients of each transport had; empty where all speak alike.
    #[serde(default)]
    pub(crate) transports: Vec<OverTransport>,
    /// Of the first measure where that is a delivery or a round trip, over clients.
    #[serde(default)]
    pub(crate) fairness: Option<Fairness>,
    /// Measured broadcasts in the order of their intended sends; the first 10,000 of them.
    pub(crate) broadcasts: Vec<Broadcast>,
    /// From the first connection on, a second each.
    pub(crate) intervals: Vec<Interval>,
    pub(crate) generator: Generator,
    /// What the server's process used, where `--pid` names it.
    pub(crate) server: Option<ServerUse>,
    /// Steps of a capacity search or a sweep; the rest of the report is its best step's.
    pub(crate) search: Option<Search>,
    pub(crate) fingerprint: Fingerprint,
    /// What the machine did of itself just before the run.
    #[serde(default)]
    pub(crate) intrinsic: Option<Intrinsic>,
}

impl Report {
    /// Whether somebody ended it before its time.
    pub(crate) fn interrupted(&self) -> bool {
        self.verdict.reasons.iter().any(|reason| reason == INTERRUPTED)
    }

    /// Whether the command did what it was asked for: the run is valid, and so is each step of a
    /// sweep. A search goes on to where steps break, and may.
    pub(crate) fn is_sound(&self) -> bool {
        let is_whole = self.search.as_ref().is_none_or(|search| {
            !search.limits.is_empty() || search.steps.iter().all(|step| step.kept)
        });
        self.verdict.valid && is_whole
    }

    /// Of what its reader looks at first; `None` where that has no samples.
    pub(crate) fn first_measure(&self) -> Option<&Latency> {
        self.latency(self.plan.scenario.first_measure())
    }

    pub(crate) fn latency(&self, measure: Measure) -> Option<&Latency> {
        self.latencies.iter().find(|latency| latency.measure == measure && latency.count > 0)
    }

    /// Memory per connection of a server that has served before: its connections fit into what it
    /// has kept, and how much of them does nobody can tell. What the kernel has, it gets back.
    pub(crate) fn leave_out_memory(&mut self) {
        let Some(server) = &mut self.server else { return };
        server.resident_bytes_per_connection = None;
        if let Some(groups) = &mut server.control_groups {
            groups.memory_bytes_per_connection = None;
        }
        self.verdict.warnings.push(USED_BEFORE.to_owned());
    }

    /// Share of one core that the watched server used in the part of the run that counts.
    pub(crate) fn server_core_share(&self) -> Option<f64> {
        let server = self.server.as_ref()?;
        let is_connect = self.plan.scenario == Scenario::Connect;
        Some(if is_connect { server.connect_core_share } else { server.core_share })
    }
}

/// Whether the figures may be believed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) valid: bool,
    /// Why not, a sentence each; empty if and only if valid.
    pub(crate) reasons: Vec<String>,
    /// What a reader should know although the run is valid.
    pub(crate) warnings: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "each time ends in its unit")]
pub(crate) struct Phases {
    pub(crate) connect_seconds: f64,
    /// Traffic that counts for completeness, but not for latencies.
    pub(crate) warmup_seconds: f64,
    pub(crate) measured_seconds: f64,
    /// From the last intended send to the last delivery.
    pub(crate) drain_seconds: f64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Connections {
    pub(crate) wanted: u64,
    /// Connected when the traffic began.
    pub(crate) connected: u64,
    /// Attempts that failed.
    pub(crate) failed: u64,
    /// Ended without our asking.
    pub(crate) lost: u64,
    /// Of those that read slowly on purpose; not among the lost.
    pub(crate) slow_lost: u64,
    /// When the server closed the first of them, from the begin of the traffic.
    #[serde(default)]
    pub(crate) slow_lost_first_seconds: Option<f64>,
    /// The last of them.
    #[serde(default)]
    pub(crate) slow_lost_last_seconds: Option<f64>,
    /// Connects at a rate that waited until one of those on their way was over.
    #[serde(default)]
    pub(crate) connects_waited: u64,
    /// Connected per second of the connect phase.
    pub(crate) per_second: f64,
    /// How they ended or failed, most frequent first.
    pub(crate) failures: Vec<Failure>,
    /// Heartbeats answered.
    pub(crate) pings: u64,
    /// Further connects in the run: by churn and storms.
    pub(crate) reconnected: u64,
    /// Stayed on long-polling, as their upgrade was refused; not among the connects measured.
    #[serde(default)]
    pub(crate) not_upgraded: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) what: String,
    pub(crate) count: u64,
}

/// Counts of the whole run, warm-up included, but for the rates.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Traffic {
    /// Broadcasts or questions sent.
    pub(crate) sent: u64,
    /// Deliveries or answers that had to come.
    pub(crate) expected: u64,
    /// Of those, how many came, each counted once.
    pub(crate) received: u64,
    pub(crate) missing: u64,
    pub(crate) duplicated: u64,
    pub(crate) reordered: u64,
    /// Wrong checksum or length.
    pub(crate) corrupted: u64,
    /// Events of another run, or to whom they were not meant for.
    pub(crate) stray: u64,
    /// Sends that the generator could not make, for want of a writable connection; in churn, also
    /// departures of clients that were not back yet.
    pub(crate) unsent: u64,
    /// Deliveries to clients that read slowly on purpose, judged by nobody.
    pub(crate) slow_received: u64,
    /// Broadcasts that came to the client that had sent them.
    #[serde(default)]
    pub(crate) own_received: u64,
    pub(crate) sent_per_second: f64,
    /// Receipts in the measured part: what comes in the drain is no rate that was reached.
    pub(crate) received_per_second: f64,
    pub(crate) received_bytes: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) measure: Measure,
    /// From where to where it runs.
    pub(crate) definition: String,
    pub(crate) count: u64,
    pub(crate) min_ns: u64,
    pub(crate) max_ns: u64,
    /// `null` where fewer than a hundred samples lie beyond; a median takes as many in all.
    pub(crate) percentiles_ns: Percentiles,
    /// HDR histogram, version 2, compressed, base64; nanoseconds.
    pub(crate) histogram: String,
}

impl Latency {
    pub(crate) fn new(measure: Measure, latencies: &Latencies) -> Self {
        Self {
            measure,
            definition: measure.definition().to_owned(),
            count: latencies.count(),
            min_ns: latencies.min_ns(),
            max_ns: latencies.max_ns(),
            percentiles_ns: latencies.percentiles(),
            histogram: latencies.encode(),
        }
    }
}

/// The clients of one transport.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OverTransport {
    pub(crate) transport: Transport,
    pub(crate) clients: u64,
    /// Deliveries, round trips, connects and reconnects, as far as there are any.
    pub(crate) latencies: Vec<Latency>,
}

impl OverTransport {
    pub(crate) fn latency(&self, measure: Measure) -> Option<&Latency> {
        self.latencies.iter().find(|latency| latency.measure == measure)
    }
}

/// One broadcast; times run from its intended send.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Broadcast {
    /// From the begin of the measurement.
    pub(crate) at_seconds: f64,
    pub(crate) first_ns: u64,
    pub(crate) last_ns: u64,
    pub(crate) received: u64,
    pub(crate) expected: u64,
}

/// One second of the run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Interval {
    /// Its begin, from the first connection.
    pub(crate) at_seconds: f64,
    pub(crate) seconds: f64,
    pub(crate) phase: Phase,
    /// At its end.
    pub(crate) connected: u64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Of the run's first measure: deliveries, round trips or connects.
    pub(crate) percentiles_ns: Percentiles,
    pub(crate) max_ns: u64,
    /// Share of one core: 1.0 is a whole one.
    pub(crate) generator_cpu: f64,
    pub(crate) server_cpu: Option<f64>,
    pub(crate) server_resident_bytes: Option<u64>,
    /// Memory of all TCP sockets of the machine, as the kernel counts it.
    pub(crate) kernel_socket_bytes: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    #[default]
    Connect,
    Warmup,
    Measure,
    Drain,
}

/// What the generator says of itself, measured part only.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Generator {
    pub(crate) threads: Vec<ThreadUse>,
    pub(crate) cpu_seconds: f64,
    /// Over deliveries and answers of the measured part.
    pub(crate) cpu_us_per_delivery: Option<f64>,
    /// Most connections that one wait found readable.
    pub(crate) backlog_max: u64,
    /// In a closed loop: whether the generator could do no more while the server could, so that
    /// the rate is not the server's peak.
    #[serde(default)]
    pub(crate) is_bottleneck: bool,
    /// Whether receipts were stamped by the kernel.
    pub(crate) kernel_stamps: bool,
    /// The most that the wall clock was set forward or back in the run, against the monotonic one.
    pub(crate) clock_step_ns: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ThreadUse {
    pub(crate) name: String,
    pub(crate) cpu_seconds: f64,
    /// Share of one core in the measured part.
    pub(crate) core_share: f64,
    /// Whether it went before threads of the usual kind, as askers on a processor with a crowd do.
    #[serde(default)]
    pub(crate) went_first: bool,
}

/// What the server's process used, measured part only where nothing else is said.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ServerUse {
    pub(crate) pids: Vec<u32>,
    /// Of each of these processes, its command line, program first.
    #[serde(default)]
    pub(crate) commands: Vec<Vec<String>>,
    pub(crate) cpu_user_seconds: f64,
    pub(crate) cpu_system_seconds: f64,
    /// All of it, from the scheduler's clock where that can be read.
    pub(crate) cpu_seconds: f64,
    /// Share of one core.
    pub(crate) core_share: f64,
    /// Over deliveries and answers of the measured part.
    pub(crate) cpu_us_per_delivery: Option<f64>,
    /// Over the connections of the connect phase.
    pub(crate) cpu_us_per_connect: Option<f64>,
    /// Share of one core while the connections were opened.
    pub(crate) connect_core_share: f64,
    pub(crate) resident_before_bytes: u64,
    /// The most that was resident before the first connection.
    #[serde(default)]
    pub(crate) resident_high_before_bytes: Option<u64>,
    /// Processor time before the first connection.
    #[serde(default)]
    pub(crate) cpu_before_seconds: Option<f64>,
    /// When all were connected.
    pub(crate) resident_connected_bytes: u64,
    pub(crate) resident_max_bytes: u64,
    pub(crate) resident_bytes_per_connection: Option<f64>,
    /// The kernel's socket memory at its most, both ends, all of the machine.
    pub(crate) kernel_socket_bytes_max: u64,
    pub(crate) kernel_socket_bytes_per_connection: Option<f64>,
    /// The kernel's objects for sockets on the whole machine, both ends, when all were connected:
    /// the sockets themselves, descriptors, what epoll keeps. `None` where they can't be read.
    #[serde(default)]
    pub(crate) kernel_slab_bytes: Option<u64>,
    #[serde(default)]
    pub(crate) kernel_slab_bytes_per_connection: Option<f64>,
    /// Of the control groups of these processes; `None` where they can't be read.
    #[serde(default)]
    pub(crate) control_groups: Option<ControlGroups>,
    /// System calls of the warm-up, or with `--syscalls run` of the measured part; `None` where
    /// they are not counted.
    #[serde(default)]
    pub(crate) syscalls: Option<u64>,
    /// Over deliveries and answers of the same part.
    #[serde(default)]
    pub(crate) syscalls_per_delivery: Option<f64>,
    /// Over the connections of the connect phase.
    #[serde(default)]
    pub(crate) syscalls_per_connect: Option<f64>,
    /// Why system calls are not counted.
    #[serde(default)]
    pub(crate) syscalls_untold: Option<String>,
    pub(crate) voluntary_switches: u64,
    pub(crate) involuntary_switches: u64,
}

/// What the control groups of the server's processes used, in version 2.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ControlGroups {
    /// Their paths below the mount.
    pub(crate) paths: Vec<String>,
    /// Whether the generator is in one of them, and all it uses is in the figures.
    pub(crate) has_generator: bool,
    /// All that was charged to them when all were connected.
    pub(crate) memory_connected_bytes: u64,
    /// Grown while the connections were opened.
    pub(crate) memory_bytes_per_connection: Option<f64>,
    /// The kernel's objects in it.
    pub(crate) slab_bytes_per_connection: Option<f64>,
    /// Data in sockets in it.
    pub(crate) socket_bytes_per_connection: Option<f64>,
    /// In the measured part.
    pub(crate) cpu_seconds: f64,
    /// Periods of the measured part in which they had used up what they may.
    pub(crate) throttles: u64,
    pub(crate) throttled_seconds: f64,
}

/// A search for the greatest load that keeps the limits, or a sweep over given ones.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Search {
    /// What is varied: `rate` or `clients`.
    pub(crate) varied: String,
    /// As given, such as `p99=50ms,loss=0`; empty for a sweep.
    pub(crate) limits: String,
    pub(crate) steps: Vec<Step>,
    /// The greatest load that kept them.
    pub(crate) found: Option<f64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) load: f64,
    pub(crate) kept: bool,
    /// Which limit broke, or why the step is invalid.
    pub(crate) why: String,
    pub(crate) percentiles_ns: Percentiles,
    pub(crate) received_per_second: f64,
    pub(crate) server_cpu: Option<f64>,
    pub(crate) generator_cpu: f64,
}

pub(crate) const SCHEMA: &str = "throng-bench/1";
/// The reason of a verdict on a run that somebody ended before its time.
pub(crate) const INTERRUPTED: &str = "interrupted before its end";
/// A warning: why memory per connection isn't told.
const USED_BEFORE: &str = "an earlier run of this command used the server, so RSS per connection \
                           is left out: connections fit into memory it has kept; start it anew to \
                           measure it";
