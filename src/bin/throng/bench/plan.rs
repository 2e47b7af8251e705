//! What a run is to do, decided and checked: what the command line asked for, in the form that
//! travels to worker processes and into the result.
//!
//! ```text
//! {"scenario":"broadcast","target":"http://127.0.0.1:3000","clients":1000,"rate":5.0,..}
//! ```

use serde::{Deserialize, Serialize};

use super::checks::{PlanError, check_traffic};
use super::latency::Measure;
use super::options;
use super::payload::MARK_BYTES;
use super::transports::Transports;

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) scenario: Scenario,
    pub(crate) target: String,
    /// Further servers: shards take them in turn.
    #[serde(default)]
    pub(crate) more_targets: Vec<String>,
    pub(crate) path: String,
    pub(crate) namespace: String,
    pub(crate) transport: Transports,
    pub(crate) protocol: Protocol,
    pub(crate) clients: u32,
    /// `None` is as fast as the server takes them: a ceiling, found by a closed loop.
    pub(crate) connect_rate: Option<f64>,
    /// How connections follow one another at a rate.
    #[serde(default)]
    pub(crate) connect_pacing: Pacing,
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
    #[serde(default)]
    pub(crate) recipients: Recipients,
    pub(crate) warmup_seconds: f64,
    pub(crate) duration_seconds: f64,
    pub(crate) drain_seconds: f64,
    pub(crate) seed: u64,
    /// Threads or processes that share the clients.
    pub(crate) shards: u32,
    /// Whether shards are processes.
    pub(crate) processes: bool,
    /// Workers on other hosts, a shard each; empty where all are on this one.
    #[serde(default)]
    pub(crate) hosts: Vec<String>,
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
            Bench::Report(_) | Bench::Compare(_) | Bench::Worker(_) => {
                return Err(PlanError::NoRun);
            }
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
        let protocol = Protocol::from(target.protocol);
        let event = traffic.event.clone().unwrap_or_else(|| scenario.default_event().to_owned());
        let plan = Self {
            scenario,
            target: target.url.clone(),
            more_targets: target.more.clone(),
            path: target.path.clone().unwrap_or_else(|| protocol.default_path().to_owned()),
            namespace: target.namespace.clone(),
            transport: target.transport,
            protocol,
            clients: clients.clients,
            connect_rate: clients.connect_rate,
            connect_pacing: match clients.connect_arrivals {
                Some(options::Arrivals::Fixed) => Pacing::Fixed,
                Some(options::Arrivals::Poisson) => Pacing::Poisson,
                None => pacing.opened(),
            },
            at_once: clients.at_once,
            connect_timeout_seconds: clients.connect_timeout.as_secs_f64(),
            source: clients.source.clone(),
            rate,
            pacing,
            payload_bytes: traffic.payload.max(MARK_BYTES),
            payload_asked_bytes: traffic.payload,
            binary: traffic.binary,
            event,
            recipients: if traffic.publisher_excluded {
                Recipients::AllButSender
            } else {
                Recipients::Everybody
            },
            warmup_seconds: traffic.warmup.as_secs_f64(),
            duration_seconds: traffic.duration.as_secs_f64(),
            drain_seconds: traffic.drain.as_secs_f64(),
            seed: traffic.seed,
            shards: match u32::try_from(process.hosts.len()) {
                Ok(hosts @ 1..) => hosts,
                _ if process.workers > 0 => process.workers,
                _ => process.threads,
            },
            processes: process.workers > 0 || !process.hosts.is_empty(),
            hosts: process.hosts.clone(),
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

    /// From where to where a latency of this run goes.
    pub(crate) fn definition(&self, measure: Measure) -> String {
        match (measure, self.connect_rate) {
            (Measure::Connect, None) => format!(
                "closed loop, at most {} on their way: from a connection's own start to its being \
                 connected",
                self.at_once
            ),
            (Measure::Delivery | Measure::DeliveryUserSpace | Measure::DeliveryUncorrected, _)
                if !self.hosts.is_empty() =>
            {
                format!("{}; only where one process sent and received", measure.definition())
            }
            _ => measure.definition().to_owned(),
        }
    }

    /// Whether a shard's wall clock is that of whoever broadcasts.
    pub(crate) fn shares_clock_with_sender(&self, shard: u32) -> bool {
        self.hosts.is_empty() || shard == 0
    }

    /// Clients that are there for the scenario, and those that only ask beside them.
    pub(crate) fn crowd(&self) -> (u32, u32) {
        let askers = match self.scenario {
            Scenario::Mixed { askers, .. } => askers,
            _ => 0,
        };
        (self.clients.saturating_sub(askers), askers)
    }

    /// Where a shard is, if elsewhere.
    pub(crate) fn host_of(&self, shard: usize) -> Option<&str> {
        self.hosts.get(shard % self.hosts.len().max(1)).map(String::as_str)
    }

    /// Whether one shard has all clients, and sees all that any of them receives.
    pub(crate) fn is_one_shard(&self) -> bool {
        self.shards == 1 && self.crowd().1 == 0
    }

    /// The first client of a shard; that of the next one is where it ends.
    pub(crate) fn first_client(&self, shard: u32) -> u32 {
        let (crowd, _) = self.crowd();
        let shards = self.shards.clamp(1, crowd.max(1));
        let first = u64::from(crowd) * u64::from(shard.min(shards)) / u64::from(shards);
        u32::try_from(first).unwrap_or(crowd)
    }

    /// Clients of the first shard, which sends for all: two would share no sequence.
    pub(crate) fn senders(&self) -> u32 {
        self.first_client(1)
    }

    /// The server that a shard talks to.
    pub(crate) fn target_of(&self, shard: u32) -> &str {
        let count = self.more_targets.len() + 1;
        match usize::try_from(shard).unwrap_or(0) % count {
            0 => &self.target,
            nth => self.more_targets.get(nth - 1).unwrap_or(&self.target),
        }
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
            Self::Broadcast { .. }
            | Self::Rooms { .. }
            | Self::Slow { .. }
            | Self::Churn { .. } => Measure::Delivery,
            Self::Storm => Measure::Reconnect,
        }
    }

    /// Whether anybody sends.
    pub(crate) fn has_traffic(&self) -> bool {
        !matches!(self, Self::Connect | Self::Idle | Self::Storm)
    }

    /// Whether everybody, or everybody in a room, hears what one client sends.
    pub(crate) fn broadcasts(&self) -> bool {
        !matches!(self, Self::Connect | Self::Idle | Self::Echo | Self::Ack | Self::Storm)
    }

    /// Whether some clients read slowly or not at all.
    pub(crate) fn has_slow_readers(&self) -> bool {
        matches!(self, Self::Slow { .. })
    }

    fn default_rate(&self) -> Option<f64> {
        match self {
            Self::Connect | Self::Idle | Self::Storm => None,
            Self::Echo | Self::Ack => Some(1_000.0),
            Self::Mixed { .. } => Some(2.0),
            Self::Broadcast { .. }
            | Self::Rooms { .. }
            | Self::Slow { .. }
            | Self::Churn { .. } => Some(5.0),
        }
    }

    pub(crate) fn default_event(&self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Ack => ASK_EVENT,
            Self::Rooms { .. } => "room",
            _ => "chat",
        }
    }
}

/// How sends follow one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Pacing {
    /// Open loop, in equal distances.
    #[default]
    Fixed,
    /// Open loop, at random.
    Poisson,
    /// Closed loop: each send waits for the answers to an earlier one.
    Closed { in_flight: u32 },
}

impl Pacing {
    /// For what waits for no answers whatever the loop: in equal distances where it is closed.
    pub(crate) fn opened(self) -> Self {
        match self {
            Self::Fixed | Self::Closed { .. } => Self::Fixed,
            Self::Poisson => Self::Poisson,
        }
    }
}

/// To whom the server sends what a client broadcasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Recipients {
    #[default]
    Everybody,
    AllButSender,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RoomSizes {
    Equal,
    Zipf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Protocol {
    /// Engine.IO 4 and what stands on it.
    SocketIo,
    /// Engine.IO 3 and what stands on it.
    SocketIoV2,
    Websocket,
}

impl Protocol {
    fn default_path(self) -> &'static str {
        match self {
            Self::SocketIo | Self::SocketIoV2 => "/socket.io/",
            Self::Websocket => "/",
        }
    }
}

impl From<options::Protocol> for Protocol {
    fn from(protocol: options::Protocol) -> Self {
        match protocol {
            options::Protocol::SocketIo => Self::SocketIo,
            options::Protocol::SocketIoV2 => Self::SocketIoV2,
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

/// What askers of the scenario `mixed` send, whatever the broadcasts are called.
pub(crate) const ASK_EVENT: &str = "ack-echo";

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
            ("storm", None, "chat"),
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
        for line in ["connect --closed", "idle --closed", "storm --closed"] {
            assert!(refused(line).contains("sends nothing"), "{line}");
        }
        for line in ["broadcast --closed --threads 2", "rooms --closed --workers 2"] {
            assert!(refused(line).contains("one thread"), "{line}");
        }
        assert!(refused("mixed --closed").contains("one thread"));
        assert!(planned("ack --closed --threads 2").is_ok());
    }

    #[test]
    fn what_sends_nothing_takes_no_rate_of_sends() {
        assert!(refused("connect --rate 5").contains("--connect-rate"));
        assert!(refused("idle --sweep 5").contains("idle sends nothing"));
        assert!(refused("connect --sweep 5 --rate 5").contains("--rate is about sending"));
        assert!(planned("connect --sweep 5").is_ok());
        assert!(planned("connect --connect-rate 5 --arrivals poisson").is_ok());
        assert!(refused("idle --until p99=1s").contains("idle sends nothing"));
        assert!(refused("storm --rate 5").contains("storm sends nothing"));
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
        assert!(refused("rooms --clients 70000 --rooms 65536").contains("at most 65535"));
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
        assert!(
            refused("echo --protocol websocket --transport polling").contains("no long-polling")
        );
        assert!(refused("rooms --protocol websocket").contains("no rooms"));
        assert!(refused("ack --protocol websocket").contains("but echoes"));
        assert!(refused("mixed --protocol websocket").contains("tell questions from"));
        assert!(refused("idle --protocol websocket --namespace /a").contains("namespaces"));
        assert!(refused("echo --protocol websocket --event a").contains("events to name"));
    }

    #[test]
    fn each_transport_of_a_mix_has_clients() {
        let mixed = plan("echo --clients 10 --transport websocket=8,polling=1,upgrade=1");
        assert_eq!(mixed.transport.parts().len(), 3);
        let told = refused("echo --clients 10 --transport websocket=99,polling=1");
        assert_eq!(told, "of 10 clients none speaks over polling: raise its part, or --clients");
        assert!(mixed.at(options::Varied::Clients, 3.0).is_err());
        let told = refused("echo --protocol websocket --transport websocket=1,polling=1");
        assert!(told.contains("no long-polling"), "{told}");
        assert!(planned("echo --protocol websocket --transport websocket=1").is_ok());
    }

    #[test]
    fn every_protocol_has_a_path_of_its_own() {
        assert_eq!(plan("idle").path, "/socket.io/");
        assert_eq!(plan("idle --protocol websocket").path, "/");
        assert_eq!(plan("idle --protocol websocket --path /ws").path, "/ws");
        let plan = plan("rooms --protocol socket-io-v2 --transport upgrade --binary");
        assert_eq!((plan.path.as_str(), plan.protocol), ("/socket.io/", Protocol::SocketIoV2));
        let json = serde_json::to_value(&plan).expect("JSON");
        assert_eq!(json["protocol"], "socket-io-v2");
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
