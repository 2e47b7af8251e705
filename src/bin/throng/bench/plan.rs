//! What a run is to do, decided and checked: what the command line asked for, in the form that
//! travels to worker processes and into the result.
//!
//! ```text
//! {"scenario":"broadcast","target":"http://127.0.0.1:3000","clients":1000,"rate":5.0,..}
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

use super::latency::Measure;
use super::options;
use super::payload::MARK_BYTES;
use super::source::{self, SourceError};
use super::target::{self, TargetError};

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) scenario: Scenario,
    pub(crate) target: String,
    pub(crate) path: String,
    pub(crate) namespace: String,
    pub(crate) transport: Transport,
    pub(crate) protocol: Protocol,
    pub(crate) clients: u32,
    /// `None` is as fast as the server takes them: a ceiling, found by a closed loop.
    pub(crate) connect_rate: Option<f64>,
    pub(crate) at_once: u32,
    pub(crate) connect_timeout_seconds: f64,
    pub(crate) source: Option<String>,
    /// Sends per second over all senders; `None` where nothing is sent, or in a closed loop.
    pub(crate) rate: Option<f64>,
    pub(crate) pacing: Pacing,
    pub(crate) payload_bytes: usize,
    /// What was asked for: less where the mark of an event needs more.
    pub(crate) payload_asked_bytes: usize,
    pub(crate) binary: bool,
    pub(crate) event: String,
    pub(crate) warmup_seconds: f64,
    pub(crate) duration_seconds: f64,
    pub(crate) drain_seconds: f64,
    pub(crate) seed: u64,
    /// Threads or processes that share the clients.
    pub(crate) shards: u32,
    /// Whether shards are processes.
    pub(crate) processes: bool,
    pub(crate) pin: Option<usize>,
    pub(crate) kernel_stamps: bool,
}

impl Plan {
    /// The run that a command asks for, and the options that are not the plan's.
    pub(crate) fn from_options(
        command: &options::Bench,
    ) -> Result<(Self, &options::Load), PlanError> {
        use options::Bench;
        let (scenario, load) = match command {
            Bench::Connect(load) => (Scenario::Connect, load),
            Bench::Idle(load) => (Scenario::Idle, load),
            Bench::Echo(load) => (Scenario::Echo, load),
            Bench::Ack(load) => (Scenario::Ack, load),
            Bench::Broadcast(broadcast) => {
                (Scenario::Broadcast { publishers: broadcast.publishers }, &broadcast.load)
            }
            Bench::Rooms(rooms) => {
                (Scenario::Rooms { rooms: rooms.rooms, sizes: rooms.sizes.into() }, &rooms.load)
            }
            Bench::Mixed(mixed) => {
                (Scenario::Mixed { askers: mixed.askers, ask_rate: mixed.ask_rate }, &mixed.load)
            }
            Bench::Slow(slow) => {
                let read_bytes_per_second = slow.read_rate;
                (Scenario::Slow { share: slow.share, read_bytes_per_second }, &slow.load)
            }
            Bench::Churn(churn) => {
                (Scenario::Churn { share: churn.share, churn_rate: churn.churn_rate }, &churn.load)
            }
            Bench::Storm(storm) => (Scenario::Storm, &storm.load),
            Bench::Report(_) | Bench::Compare(_) | Bench::Worker => return Err(PlanError::NoRun),
        };
        Ok((Self::new(scenario, load)?, load))
    }

    pub(crate) fn new(scenario: Scenario, load: &options::Load) -> Result<Self, PlanError> {
        let options::Load { target, clients, traffic, process, output: _ } = load;
        check_traffic(&scenario, traffic)?;
        let pacing = match (traffic.closed, traffic.arrivals) {
            (true, _) => Pacing::Closed { in_flight: traffic.in_flight },
            (false, options::Arrivals::Fixed) => Pacing::Fixed,
            (false, options::Arrivals::Poisson) => Pacing::Poisson,
        };
        let rate = if traffic.closed { None } else { traffic.rate.or(scenario.default_rate()) };
        let event = traffic.event.clone().unwrap_or_else(|| scenario.default_event().to_owned());
        let plan = Self {
            scenario,
            target: target.url.clone(),
            path: target.path.clone(),
            namespace: target.namespace.clone(),
            transport: target.transport.into(),
            protocol: target.protocol.into(),
            clients: clients.clients,
            connect_rate: clients.connect_rate,
            at_once: clients.at_once,
            connect_timeout_seconds: clients.connect_timeout.as_secs_f64(),
            source: clients.source.clone(),
            rate,
            pacing,
            payload_bytes: traffic.payload.max(MARK_BYTES),
            payload_asked_bytes: traffic.payload,
            binary: traffic.binary,
            event,
            warmup_seconds: traffic.warmup.as_secs_f64(),
            duration_seconds: traffic.duration.as_secs_f64(),
            drain_seconds: traffic.drain.as_secs_f64(),
            seed: traffic.seed,
            shards: if process.workers > 0 { process.workers } else { process.threads },
            processes: process.workers > 0,
            pin: process.pin,
            kernel_stamps: process.stamps == options::Stamps::Kernel,
        };
        plan.check()?;
        Ok(plan)
    }

    /// The same run at another load, for a step of a search or a sweep: clients, or sends per
    /// second, or connections per second where nothing is sent.
    pub(crate) fn at(&self, varied: options::Varied, load: f64) -> Result<Self, PlanError> {
        let mut plan = self.clone();
        match (varied, &plan.scenario) {
            (options::Varied::Clients, _) => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "what is out of range ends at its bounds, and 0 is refused"
                )]
                let clients = load.round() as u32;
                plan.clients = clients;
            }
            (options::Varied::Rate, Scenario::Connect) => plan.connect_rate = Some(load),
            (options::Varied::Rate, _) => plan.rate = Some(load),
        }
        plan.check()?;
        Ok(plan)
    }

    /// Whether the run finds a ceiling, so that the generator must not be what ends it: a closed
    /// loop, or connections as fast as the server takes them.
    pub(crate) fn finds_peak(&self) -> bool {
        match (self.pacing, &self.scenario) {
            (Pacing::Closed { .. }, _) => true,
            (_, Scenario::Connect) => self.connect_rate.is_none(),
            _ => false,
        }
    }

    fn check(&self) -> Result<(), PlanError> {
        self.check_target()?;
        self.check_numbers()?;
        self.check_scenario()
    }

    fn check_target(&self) -> Result<(), PlanError> {
        target::check(&self.target).map_err(PlanError::Target)?;
        if let Some(network) = &self.source {
            source::check(network).map_err(PlanError::Source)?;
        }
        let written = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if !self.path.starts_with('/') || !written(&self.path) || self.path.contains(['?', '#']) {
            return Err(PlanError::Path { path: self.path.clone() });
        }
        let namespace = &self.namespace;
        if !namespace.starts_with('/') || !written(namespace) || namespace.contains(',') {
            return Err(PlanError::Namespace { namespace: namespace.clone() });
        }
        if self.event.is_empty() {
            return Err(PlanError::Event);
        }
        if self.protocol == Protocol::SocketIo {
            return Ok(());
        }
        if self.binary {
            return Err(PlanError::Plain { what: "--binary sends an attachment" });
        }
        if self.transport != Transport::Websocket {
            return Err(PlanError::Plain { what: "polling and its upgrade belong" });
        }
        if matches!(self.scenario, Scenario::Rooms { .. }) {
            return Err(PlanError::Plain { what: "rooms are joined" });
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), PlanError> {
        let in_flight = match self.pacing {
            Pacing::Closed { in_flight } => in_flight,
            Pacing::Fixed | Pacing::Poisson => 1,
        };
        let counts = [
            ("--clients", self.clients),
            ("--at-once", self.at_once),
            ("--in-flight", in_flight),
            ("--threads", self.shards),
        ];
        if let Some((option, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(PlanError::Zero { option });
        }
        check_rate("--connect-rate", self.connect_rate)?;
        check_rate("--rate", self.rate)?;
        let is_measured = self.duration_seconds > 0.0 || self.scenario == Scenario::Connect;
        if !is_measured {
            return Err(PlanError::Zero { option: "--duration" });
        }
        if self.connect_timeout_seconds <= 0.0 {
            return Err(PlanError::Zero { option: "--connect-timeout" });
        }
        if self.payload_bytes > PAYLOAD_BYTES_MAX {
            return Err(PlanError::Payload { asked: self.payload_asked_bytes });
        }
        if self.shards > self.clients {
            let option = if self.processes { "--workers" } else { "--threads" };
            return Err(self.too_many(option, self.shards));
        }
        Ok(())
    }

    fn check_scenario(&self) -> Result<(), PlanError> {
        match self.scenario {
            Scenario::Connect | Scenario::Idle | Scenario::Echo | Scenario::Ack => Ok(()),
            Scenario::Storm => Ok(()),
            Scenario::Broadcast { publishers } => self.check_streams("--publishers", publishers),
            Scenario::Rooms { rooms, .. } => self.check_streams("--rooms", rooms),
            Scenario::Mixed { askers, ask_rate } => {
                check_rate("--ask-rate", Some(ask_rate))?;
                // One more than asks: somebody has to send the broadcasts.
                self.check_streams("--askers", askers)?;
                if askers == self.clients {
                    return Err(PlanError::AllAsk { askers });
                }
                Ok(())
            }
            Scenario::Slow { share, .. } => check_share(share),
            Scenario::Churn { share, churn_rate } => {
                check_rate("--churn-rate", Some(churn_rate))?;
                check_share(share)
            }
        }
    }

    /// Publishers, rooms and askers have a sequence each, and a mark has 16 bits to name it.
    fn check_streams(&self, option: &'static str, count: u32) -> Result<(), PlanError> {
        match count {
            0 => Err(PlanError::Zero { option }),
            _ if count > self.clients => Err(self.too_many(option, count)),
            _ if count > STREAMS_MAX => Err(PlanError::Streams { option, count }),
            _ => Ok(()),
        }
    }

    fn too_many(&self, option: &'static str, count: u32) -> PlanError {
        PlanError::MoreThanClients { option, count, clients: self.clients }
    }
}

/// What the clients do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scenario {
    Connect,
    Idle,
    Broadcast { publishers: u32 },
    Echo,
    Ack,
    Rooms { rooms: u32, sizes: RoomSizes },
    Mixed { askers: u32, ask_rate: f64 },
    Slow { share: f64, read_bytes_per_second: u64 },
    Churn { share: f64, churn_rate: f64 },
    Storm,
}

impl Scenario {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Idle => "idle",
            Self::Broadcast { .. } => "broadcast",
            Self::Echo => "echo",
            Self::Ack => "ack",
            Self::Rooms { .. } => "rooms",
            Self::Mixed { .. } => "mixed",
            Self::Slow { .. } => "slow",
            Self::Churn { .. } => "churn",
            Self::Storm => "storm",
        }
    }

    /// What its reader looks at first: whose percentiles stand for the run.
    pub(crate) fn first_measure(&self) -> Measure {
        match self {
            Self::Connect | Self::Idle => Measure::Connect,
            Self::Echo | Self::Ack | Self::Mixed { .. } => Measure::RoundTrip,
            Self::Broadcast { .. } | Self::Rooms { .. } | Self::Slow { .. } => Measure::Delivery,
            Self::Churn { .. } => Measure::Delivery,
            Self::Storm => Measure::Reconnect,
        }
    }

    /// Whether anybody sends.
    pub(crate) fn has_traffic(&self) -> bool {
        !matches!(self, Self::Connect | Self::Idle)
    }

    fn default_rate(&self) -> Option<f64> {
        match self {
            Self::Connect | Self::Idle => None,
            Self::Echo | Self::Ack => Some(1_000.0),
            Self::Mixed { .. } => Some(2.0),
            Self::Broadcast { .. } | Self::Rooms { .. } | Self::Slow { .. } => Some(5.0),
            Self::Churn { .. } | Self::Storm => Some(5.0),
        }
    }

    fn default_event(&self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Ack => ASK_EVENT,
            Self::Rooms { .. } => "room",
            _ => "chat",
        }
    }
}

/// How sends follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Pacing {
    /// Open loop, in equal distances.
    Fixed,
    /// Open loop, at random.
    Poisson,
    /// Closed loop: each send waits for the answers to an earlier one.
    Closed { in_flight: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RoomSizes {
    Equal,
    Zipf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Transport {
    /// WebSocket from the beginning.
    Websocket,
    /// Long-polling only.
    Polling,
    /// Long-polling, then the upgrade: a client is connected when it is in and upgraded.
    Upgrade,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Protocol {
    SocketIo,
    Websocket,
}

/// Why a run makes no sense, with what to do about it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PlanError {
    /// The command puts no load on anything.
    NoRun,
    /// The URL is no target.
    Target(TargetError),
    /// The network of source addresses can't be used.
    Source(SourceError),
    /// The path can't stand in a request.
    Path { path: String },
    /// The namespace can't stand in a packet.
    Namespace { namespace: String },
    /// The event has no name.
    Event,
    /// What only Socket.IO has was asked of plain WebSocket.
    Plain { what: &'static str },
    /// A count or a time that must be above zero.
    Zero { option: &'static str },
    /// A rate that is not above zero, or not finite.
    Rate { option: &'static str, rate: f64 },
    /// A share outside 0 to 1.
    Share { share: f64 },
    /// More bytes than an event may have.
    Payload { asked: usize },
    /// More publishers, rooms, askers or threads than clients.
    MoreThanClients { option: &'static str, count: u32, clients: u32 },
    /// More publishers, rooms or askers than sequences can be told apart.
    Streams { option: &'static str, count: u32 },
    /// Nobody is left to broadcast.
    AllAsk { askers: u32 },
    /// The scenario sends nothing, and the option is about sending.
    NothingSent { option: &'static str, scenario: &'static str },
    /// The option sets a rate, and a closed loop has none.
    Closed { option: &'static str },
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRun => f.write_str("this command runs no load"),
            Self::Target(error) => error.fmt(f),
            Self::Source(error) => error.fmt(f),
            Self::Path { path } => write!(
                f,
                "--path {path:?} cannot be asked for: begin it with /, without spaces, ? and #"
            ),
            Self::Namespace { namespace } => write!(
                f,
                "--namespace {namespace:?} cannot be joined: begin it with /, without spaces and \
                 commas"
            ),
            Self::Event => f.write_str("--event needs a name"),
            Self::Plain { what } => {
                write!(f, "{what} with --protocol socket-io, not with plain websocket")
            }
            Self::Zero { option } => write!(f, "{option} must be above 0"),
            Self::Rate { option, rate } => {
                write!(f, "{option} must be a number per second above 0, not {rate}")
            }
            Self::Share { share } => write!(f, "--share must be from 0 to 1, not {share}"),
            Self::Payload { asked } => {
                write!(f, "--payload {asked} is too much: at most {PAYLOAD_BYTES_MAX} bytes")
            }
            Self::MoreThanClients { option, count, clients } => write!(
                f,
                "{option} {count} is more than the {clients} clients: lower it, or raise --clients"
            ),
            Self::Streams { option, count } => {
                write!(f, "{option} {count} is too much: at most {STREAMS_MAX} are told apart")
            }
            Self::AllAsk { askers } => write!(
                f,
                "--askers {askers} leaves no client to broadcast: lower it, or raise --clients"
            ),
            Self::NothingSent { option, scenario } => write!(
                f,
                "{option} is about sending, and {scenario} sends nothing: leave it out \
                 (--connect-rate paces connections)"
            ),
            Self::Closed { option } => write!(
                f,
                "{option} sets when to send, and in a closed loop the answers do: leave one out"
            ),
        }
    }
}

impl std::error::Error for PlanError {}

impl From<options::Transport> for Transport {
    fn from(transport: options::Transport) -> Self {
        match transport {
            options::Transport::Websocket => Self::Websocket,
            options::Transport::Polling => Self::Polling,
            options::Transport::Upgrade => Self::Upgrade,
        }
    }
}

impl From<options::Protocol> for Protocol {
    fn from(protocol: options::Protocol) -> Self {
        match protocol {
            options::Protocol::SocketIo => Self::SocketIo,
            options::Protocol::Websocket => Self::Websocket,
        }
    }
}

impl From<options::RoomSizes> for RoomSizes {
    fn from(sizes: options::RoomSizes) -> Self {
        match sizes {
            options::RoomSizes::Equal => Self::Equal,
            options::RoomSizes::Zipf => Self::Zipf,
        }
    }
}

/// What the plan itself doesn't show any more: options that contradict one another.
fn check_traffic(scenario: &Scenario, traffic: &options::Traffic) -> Result<(), PlanError> {
    let varies_rate = traffic.until.is_some() && traffic.vary == options::Varied::Rate;
    let timed = [
        ("--arrivals poisson", traffic.arrivals == options::Arrivals::Poisson),
        ("--rate", traffic.rate.is_some()),
        ("--sweep", !traffic.sweep.is_empty()),
        ("--until with --vary rate", varies_rate),
    ];
    let timed = timed.into_iter().find(|(_, is_given)| *is_given).map(|(option, _)| option);
    if !scenario.has_traffic() && traffic.closed {
        return Err(PlanError::NothingSent { option: "--closed", scenario: scenario.name() });
    }
    if let Some(option) = timed {
        if traffic.closed {
            return Err(PlanError::Closed { option });
        }
        let varies = matches!(option, "--sweep" | "--until with --vary rate");
        // The rate of connections can be varied, where there is no other.
        if !scenario.has_traffic() && !(varies && *scenario == Scenario::Connect) {
            return Err(PlanError::NothingSent { option, scenario: scenario.name() });
        }
    }
    traffic.sweep.iter().try_for_each(|rate| check_rate("--sweep", Some(*rate)))
}

fn check_rate(option: &'static str, rate: Option<f64>) -> Result<(), PlanError> {
    match rate {
        Some(rate) if !rate.is_finite() || rate <= 0.0 => Err(PlanError::Rate { option, rate }),
        _ => Ok(()),
    }
}

fn check_share(share: f64) -> Result<(), PlanError> {
    if (0.0..=1.0).contains(&share) { Ok(()) } else { Err(PlanError::Share { share }) }
}

/// What askers of the scenario `mixed` send, whatever the broadcasts are called.
pub(crate) const ASK_EVENT: &str = "ack-echo";
/// A mark has 16 bits for its stream.
const STREAMS_MAX: u32 = 1 << 16;
const PAYLOAD_BYTES_MAX: usize = 16 * 1_024 * 1_024;

#[cfg(test)]
pub(crate) mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(subcommand)]
        bench: options::Bench,
    }

    fn planned(line: &str) -> Result<Plan, PlanError> {
        let words = std::iter::once("bench").chain(line.split_whitespace());
        let command = Command::try_parse_from(words).expect("a command line");
        Plan::from_options(&command.bench).map(|(plan, _)| plan)
    }

    pub(crate) fn plan(line: &str) -> Plan {
        planned(line).expect("a plan")
    }

    fn refused(line: &str) -> String {
        planned(line).expect_err("the plan is refused").to_string()
    }

    #[test]
    fn every_scenario_has_a_rate_and_an_event_of_its_own() {
        let defaults = [
            ("connect", None, "chat"),
            ("idle", None, "chat"),
            ("broadcast", Some(5.0), "chat"),
            ("echo", Some(1_000.0), "echo"),
            ("ack", Some(1_000.0), "ack-echo"),
            ("rooms", Some(5.0), "room"),
            ("mixed", Some(2.0), "chat"),
            ("slow", Some(5.0), "chat"),
            ("churn", Some(5.0), "chat"),
            ("storm", Some(5.0), "chat"),
        ];
        for (line, rate, event) in defaults {
            let plan = plan(line);
            assert_eq!(plan.scenario.name(), line);
            assert_eq!((plan.rate, plan.event.as_str()), (rate, event), "{line}");
            assert_eq!((plan.clients, plan.shards, plan.processes), (1_000, 1, false));
            assert_eq!((plan.payload_bytes, plan.pacing), (64, Pacing::Fixed));
        }
        let plan = plan("ack --rate 7.5 --event ask --workers 3 --arrivals poisson --stamps user");
        assert_eq!((plan.rate, plan.event.as_str()), (Some(7.5), "ask"));
        assert_eq!((plan.shards, plan.processes, plan.kernel_stamps), (3, true, false));
        assert_eq!(plan.pacing, Pacing::Poisson);
    }

    #[test]
    fn a_closed_loop_has_no_rate() {
        let plan = plan("echo --closed --in-flight 4");
        assert_eq!((plan.rate, plan.pacing), (None, Pacing::Closed { in_flight: 4 }));
        assert!(plan.finds_peak());
        assert!(refused("echo --closed --in-flight 0").contains("--in-flight must be above 0"));
        assert!(refused("echo --closed --arrivals poisson").contains("leave one out"));
        assert!(refused("echo --closed --sweep 1,2").contains("--sweep"));
        assert!(refused("echo --closed --until p99=1s").contains("--vary rate"));
        assert!(planned("echo --closed --until p99=1s --vary clients").is_ok());
        for line in ["connect --closed", "idle --closed"] {
            assert!(refused(line).contains("sends nothing"), "{line}");
        }
    }

    #[test]
    fn what_sends_nothing_takes_no_rate_of_sends() {
        assert!(refused("connect --rate 5").contains("--connect-rate"));
        assert!(refused("idle --sweep 5").contains("idle sends nothing"));
        assert!(refused("idle --until p99=1s").contains("idle sends nothing"));
        assert!(plan("connect").finds_peak());
        assert!(!plan("connect --connect-rate 100 --until p99=1s").finds_peak());
        assert!(!plan("idle").finds_peak());
    }

    #[test]
    fn a_payload_is_raised_to_its_mark() {
        let raised = plan("echo --payload 10");
        assert_eq!((raised.payload_bytes, raised.payload_asked_bytes), (60, 10));
        let kept = plan("echo --payload 16777216");
        assert_eq!((kept.payload_bytes, kept.payload_asked_bytes), (16_777_216, 16_777_216));
        assert!(refused("echo --payload 16777217").contains("at most 16777216 bytes"));
    }

    #[test]
    fn counts_are_held_against_the_clients() {
        assert!(refused("echo --clients 0").contains("--clients must be above 0"));
        assert!(refused("echo --at-once 0").contains("--at-once"));
        assert!(refused("echo --threads 0").contains("--threads"));
        assert!(refused("echo --clients 2 --threads 3").contains("--threads 3 is more than the 2"));
        assert!(refused("echo --clients 2 --workers 3").contains("--workers 3"));
        assert!(planned("broadcast --clients 3 --publishers 3").is_ok());
        assert!(refused("broadcast --clients 3 --publishers 4").contains("raise --clients"));
        assert!(refused("broadcast --publishers 0").contains("--publishers"));
        assert!(refused("rooms --clients 3 --rooms 4").contains("--rooms 4"));
        assert!(refused("rooms --clients 70000 --rooms 65537").contains("at most 65536"));
        assert!(refused("mixed --clients 20").contains("leaves no client to broadcast"));
        assert!(planned("mixed --clients 21").is_ok());
    }

    #[test]
    fn rates_shares_and_times_are_checked() {
        for rate in ["0", "-1", "NaN", "inf"] {
            assert!(refused(&format!("echo --rate={rate}")).contains("per second above 0"));
            assert!(refused(&format!("echo --sweep=5,{rate}")).contains("--sweep"));
            assert!(refused(&format!("connect --connect-rate={rate}")).contains("--connect-rate"));
            assert!(refused(&format!("mixed --ask-rate={rate}")).contains("--ask-rate"));
            assert!(refused(&format!("churn --churn-rate={rate}")).contains("--churn-rate"));
        }
        for share in ["-0.1", "1.1", "NaN"] {
            assert!(refused(&format!("slow --share={share}")).contains("from 0 to 1"));
            assert!(refused(&format!("churn --share={share}")).contains("from 0 to 1"));
        }
        assert!(planned("slow --share 0").is_ok() && planned("slow --share 1").is_ok());
        assert!(refused("echo --duration 0s").contains("--duration"));
        assert!(planned("connect --duration 0s").is_ok());
        assert!(refused("echo --connect-timeout 0s").contains("--connect-timeout"));
    }

    #[test]
    fn the_target_is_checked() {
        assert!(refused("echo https://localhost").contains("TLS"));
        assert!(refused("echo --source elsewhere").contains("elsewhere"));
        assert!(refused("echo --path socket.io").contains("begin it with /"));
        assert!(refused("echo --path /a?b").contains("--path"));
        assert!(refused("echo --namespace a").contains("--namespace"));
        assert!(refused("echo --namespace /a,b").contains("commas"));
        assert!(refused("echo --event=").contains("needs a name"));
        assert!(refused("echo --protocol websocket --binary").contains("attachment"));
        assert!(refused("echo --protocol websocket --transport polling").contains("plain"));
        assert!(refused("rooms --protocol websocket").contains("rooms are joined"));
    }

    #[test]
    fn another_load_is_checked_again() {
        use options::Varied;
        let broadcast = plan("broadcast --clients 100 --publishers 10");
        assert_eq!(broadcast.at(Varied::Rate, 20.0).expect("a plan").rate, Some(20.0));
        assert_eq!(broadcast.at(Varied::Clients, 12.4).expect("a plan").clients, 12);
        assert!(broadcast.at(Varied::Clients, 9.0).is_err());
        assert!(broadcast.at(Varied::Clients, f64::NAN).is_err());
        let connect = plan("connect").at(Varied::Rate, 50.0).expect("a plan");
        assert_eq!((connect.connect_rate, connect.rate), (Some(50.0), None));
    }

    #[test]
    fn a_plan_survives_its_journey() {
        let plan = plan("rooms --rooms 7 --sizes equal --transport upgrade --binary");
        let text = serde_json::to_string(&plan).expect("JSON");
        assert_eq!(serde_json::from_str::<Plan>(&text).expect("a plan"), plan);
    }

    #[test]
    fn other_commands_are_no_runs() {
        assert_eq!(planned("worker"), Err(PlanError::NoRun));
        assert_eq!(planned("report a.json"), Err(PlanError::NoRun));
    }
}
