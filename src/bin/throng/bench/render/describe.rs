//! A plan in words: what was run, and whether its latencies hide what users would wait.
//!
//! ```text
//! broadcast: 10,000 clients over WebSocket, 1 publisher, 64 B payload
//! open loop: 5 sends per second, at equal distances
//! ```

use super::units;
use crate::bench::latency::Measure;
use crate::bench::plan::{Pacing, Plan, Protocol, RoomSizes, Scenario};
use crate::bench::transports::{Transport, Transports};

/// What the clients are and do.
pub(crate) fn work(plan: &Plan) -> String {
    let mut parts =
        vec![format!("{} clients over {}", units::count(u64::from(plan.clients)), transport(plan))];
    parts.extend(particulars(&plan.scenario));
    if !is_silent(&plan.scenario) {
        let binary = if plan.binary { " binary" } else { "" };
        parts.push(format!("{} B{binary} payload", plan.payload_bytes));
    }
    format!("{}: {}", plan.scenario.name(), parts.join(", "))
}

/// Whether sends wait for answers, and how fast they follow one another.
pub(crate) fn pacing(plan: &Plan) -> String {
    match (&plan.scenario, plan.pacing) {
        (Scenario::Idle, _) => "nothing is sent but heartbeats".to_owned(),
        (Scenario::Storm, _) => "all connections end and come back at once".to_owned(),
        (Scenario::Connect, _) => match plan.connect_rate {
            Some(_) => connecting(plan),
            None => format!("closed loop, {} at once: {PEAK}", plan.at_once),
        },
        (_, Pacing::Closed { in_flight }) => {
            format!("closed loop, {in_flight} in flight per sender: {PEAK}")
        }
        (_, Pacing::Fixed) => open(plan.rate, "at equal distances"),
        (_, Pacing::Poisson) => open(plan.rate, "at random"),
    }
}

/// Whether connections wait for one another, and how fast they follow.
pub(crate) fn connecting(plan: &Plan) -> String {
    let spread = match plan.connect_pacing {
        Pacing::Poisson => "at random",
        Pacing::Fixed | Pacing::Closed { .. } => "at equal distances",
    };
    match plan.connect_rate {
        Some(rate) => format!("open loop: {} connects per second, {spread}", units::rate(rate)),
        None => format!("closed loop: at most {} on their way", plan.at_once),
    }
}

/// What a measure of the run is called.
pub(crate) fn title(plan: &Plan, measure: Measure) -> String {
    match (measure, plan.connect_rate) {
        (Measure::Connect, None) => format!("{}, closed loop", measure.title()),
        _ => measure.title().to_owned(),
    }
}

/// Whether the latencies are those of a closed loop.
pub(crate) fn is_closed(plan: &Plan) -> bool {
    match plan.scenario {
        Scenario::Connect => plan.connect_rate.is_none(),
        Scenario::Idle | Scenario::Storm => false,
        _ => matches!(plan.pacing, Pacing::Closed { .. }),
    }
}

fn open(rate: Option<f64>, spread: &str) -> String {
    let rate = rate.map_or_else(|| "no".to_owned(), units::rate);
    format!("open loop: {rate} sends per second, {spread}")
}

/// What the clients speak, and over what.
pub(crate) fn transport(plan: &Plan) -> String {
    let transport = match plan.transport {
        Transports::All(Transport::Upgrade) => "polling, then WebSocket".to_owned(),
        Transports::All(transport) => over(transport).to_owned(),
        mix @ Transports::Several { .. } => {
            let parts = mix.parts().into_iter();
            let parts: Vec<String> =
                parts.map(|(transport, part)| format!("{} {part}", over(transport))).collect();
            parts.join(" / ")
        }
    };
    match plan.protocol {
        Protocol::SocketIo => transport,
        Protocol::SocketIoV2 => format!("{transport} (Socket.IO v2)"),
        Protocol::Websocket => format!("bare {transport}"),
    }
}

/// One transport, as its part in a mix is called.
fn over(transport: Transport) -> &'static str {
    match transport {
        Transport::Websocket => "WebSocket",
        Transport::Polling => "polling",
        Transport::Upgrade => "upgrade",
    }
}

/// Whose latencies these are, of several transports.
pub(crate) fn spoken(transport: Transport) -> &'static str {
    match transport {
        Transport::Websocket => "over WebSocket",
        Transport::Polling => "over polling",
        Transport::Upgrade => "after an upgrade",
    }
}

fn particulars(scenario: &Scenario) -> Option<String> {
    match scenario {
        Scenario::Broadcast { publishers: 1 } => Some("1 publisher".to_owned()),
        Scenario::Broadcast { publishers } => Some(format!("{publishers} publishers")),
        Scenario::Rooms { rooms, sizes: RoomSizes::Equal } => {
            Some(format!("{rooms} rooms of one size"))
        }
        Scenario::Rooms { rooms, sizes: RoomSizes::Zipf } => {
            Some(format!("{rooms} rooms, sizes by rank (Zipf)"))
        }
        Scenario::Mixed { askers, ask_rate } => {
            Some(format!("{askers} ask {} questions per second", units::rate(*ask_rate)))
        }
        Scenario::Slow { share, .. } if *share <= 0.0 => Some("none reads slowly".to_owned()),
        Scenario::Slow { share, read_bytes_per_second: 0 } => {
            Some(format!("{} never read", units::percent(*share)))
        }
        Scenario::Slow { share, read_bytes_per_second } => Some(format!(
            "{} read {} per second",
            units::percent(*share),
            units::bytes(units::real(*read_bytes_per_second))
        )),
        Scenario::Churn { share, churn_rate } => Some(format!(
            "{} come and go, {} per second",
            units::percent(*share),
            units::rate(*churn_rate)
        )),
        Scenario::Connect | Scenario::Idle | Scenario::Echo | Scenario::Ack | Scenario::Storm => {
            None
        }
    }
}

fn is_silent(scenario: &Scenario) -> bool {
    matches!(scenario, Scenario::Connect | Scenario::Idle | Scenario::Storm)
}

const PEAK: &str = "finds a peak, hides waiting";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::plan::tests::plan;

    #[test]
    fn what_clients_speak_is_told_where_it_is_not_the_usual() {
        let over = |options: &str| transport(&plan(&format!("echo {options}")));
        assert_eq!(over("--transport polling"), "polling");
        assert_eq!(over("--protocol socket-io-v2"), "WebSocket (Socket.IO v2)");
        assert_eq!(
            over("--protocol socket-io-v2 --transport upgrade"),
            "polling, then WebSocket (Socket.IO v2)"
        );
        assert_eq!(over("--protocol websocket"), "bare WebSocket");
        let mix = "--transport polling=1,websocket=8,upgrade=1";
        assert_eq!(over(mix), "WebSocket 8 / polling 1 / upgrade 1");
    }

    #[test]
    fn a_control_without_slow_clients_says_so() {
        let told = |options: &str| work(&plan(&format!("slow {options}")));
        assert!(told("--share 0").contains(", none reads slowly, "), "{}", told("--share 0"));
        assert!(told("--share 0.1").contains(", 10\u{a0}% never read, "));
    }
}
