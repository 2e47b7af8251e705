//! Whether a plan makes sense, and sentences for whoever asked for one that doesn't. It knows
//! neither the machine nor the server.
//!
//! ```text
//! --publishers 4 is more than the 3 clients: lower it, or raise --clients
//! ```

use std::fmt;

use super::options;
use super::plan::{Pacing, Plan, Protocol, Scenario};
use super::source::{self, SourceError};
use super::target::{self, TargetError};
use super::transports::{Transport, Transports};

impl Plan {
    /// Whether the run can be made, by what the plan says itself.
    pub(crate) fn check(&self) -> Result<(), PlanError> {
        self.check_target()?;
        self.check_numbers()?;
        self.check_scenario()
    }

    fn check_target(&self) -> Result<(), PlanError> {
        for target in std::iter::once(&self.target).chain(&self.more_targets) {
            target::check(target).map_err(PlanError::Target)?;
        }
        if !self.more_targets.is_empty() && self.scenario.broadcasts() {
            return Err(PlanError::Servers);
        }
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
        if self.protocol == Protocol::Websocket { self.check_bare() } else { Ok(()) }
    }

    /// On a bare WebSocket there is nothing but messages.
    fn check_bare(&self) -> Result<(), PlanError> {
        let lack = match self.scenario {
            Scenario::Rooms { .. } => "rooms",
            Scenario::Ack => "acknowledgements, but echoes",
            // What is asked would go to everybody, or what is broadcast to nobody else.
            Scenario::Mixed { .. } => "way to tell questions from broadcasts",
            _ if self.transport != Transports::All(Transport::Websocket) => "long-polling",
            _ if self.binary => "attachments for --binary",
            _ if self.namespace != "/" => "namespaces",
            _ if self.event != self.scenario.default_event() => "events to name",
            _ => return Ok(()),
        };
        Err(PlanError::Bare { lack })
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
        // Whose latencies are to be told must be there.
        let spread = self.transport.spread();
        let spoken = self.transport.parts().into_iter().map(|(transport, _)| transport);
        let mut absent = spoken.filter(|transport| spread.count(*transport, self.clients) == 0);
        if let Some(transport) = absent.next() {
            return Err(PlanError::NobodyOver { transport, clients: self.clients });
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
        let is_closed = matches!(self.pacing, Pacing::Closed { .. });
        // The sender waits for the last recipient, and sees those of its own thread only.
        let is_spread = self.shards > 1 || matches!(self.scenario, Scenario::Mixed { .. });
        if is_closed && self.scenario.broadcasts() && is_spread {
            return Err(PlanError::ClosedApart);
        }
        match self.scenario {
            Scenario::Connect
            | Scenario::Idle
            | Scenario::Echo
            | Scenario::Ack
            | Scenario::Storm => Ok(()),
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

/// Options that contradict one another, which a plan doesn't show any more.
pub(crate) fn check_traffic(
    scenario: &Scenario,
    traffic: &options::Traffic,
) -> Result<(), PlanError> {
    let nothing_sent = |option| PlanError::NothingSent { option, scenario: scenario.name() };
    if traffic.closed && !scenario.has_traffic() {
        return Err(nothing_sent("--closed"));
    }
    let is_searched = traffic.until.is_some() && traffic.vary == options::Varied::Rate;
    let is_random = traffic.arrivals == options::Arrivals::Poisson;
    // Where nothing is sent, the rate of connections is varied and spread.
    let is_connect = *scenario == Scenario::Connect;
    let given = [
        ("--rate", traffic.rate.is_some(), scenario.has_traffic()),
        ("--sweep", !traffic.sweep.is_empty(), scenario.has_traffic() || is_connect),
        ("--until with --vary rate", is_searched, scenario.has_traffic() || is_connect),
        ("--arrivals poisson", is_random, true),
    ];
    for (option, _, has_rate) in given.into_iter().filter(|(_, is_given, _)| *is_given) {
        if traffic.closed {
            return Err(PlanError::Closed { option });
        }
        if !has_rate {
            return Err(nothing_sent(option));
        }
    }
    traffic.sweep.iter().try_for_each(|rate| check_rate("--sweep", Some(*rate)))
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
    /// Several servers, and everybody is to hear one client.
    Servers,
    /// What only Socket.IO has was asked of a bare WebSocket.
    Bare { lack: &'static str },
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
    /// A mix with a part so small that it has no client.
    NobodyOver { transport: Transport, clients: u32 },
    /// More publishers, rooms or askers than sequences can be told apart.
    Streams { option: &'static str, count: u32 },
    /// Nobody is left to broadcast.
    AllAsk { askers: u32 },
    /// The scenario sends nothing, and the option is about sending.
    NothingSent { option: &'static str, scenario: &'static str },
    /// A closed loop whose recipients are in several threads.
    ClosedApart,
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
            Self::Servers => f.write_str(
                "several servers can't share a broadcast: give one URL, or another scenario",
            ),
            Self::Event => f.write_str("--event needs a name"),
            Self::Bare { lack } => {
                write!(f, "a bare WebSocket has no {lack}: leave out --protocol websocket")
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
            Self::NobodyOver { transport, clients } => write!(
                f,
                "of {clients} clients none speaks over {}: raise its part, or --clients",
                transport.name()
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
            Self::ClosedApart => f.write_str(
                "a closed loop of broadcasts needs all recipients in one thread: leave out \
                 --threads and --workers, and run mixed on schedule, without --closed",
            ),
            Self::Closed { option } => write!(
                f,
                "{option} sets when to send, and in a closed loop the answers do: leave one out"
            ),
        }
    }
}

impl std::error::Error for PlanError {}

fn check_rate(option: &'static str, rate: Option<f64>) -> Result<(), PlanError> {
    match rate {
        Some(rate) if !rate.is_finite() || rate <= 0.0 => Err(PlanError::Rate { option, rate }),
        _ => Ok(()),
    }
}

fn check_share(share: f64) -> Result<(), PlanError> {
    if (0.0..=1.0).contains(&share) { Ok(()) } else { Err(PlanError::Share { share }) }
}

/// A mark has 16 bits for its stream, and the last of them are the answers'.
const STREAMS_MAX: u32 = (1 << 16) - 1;
const PAYLOAD_BYTES_MAX: usize = 16 * 1_024 * 1_024;
