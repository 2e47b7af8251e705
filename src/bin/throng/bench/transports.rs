//! What clients speak over: one transport for all, or a mix that is decided by a client's number
//! alone, so that every shard knows it of every client.
//!
//! ```text
//! websocket=80,polling=10,upgrade=10      w w w p w w u w w w, and again from the eleventh on
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What one client speaks over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Transport {
    /// WebSocket from the beginning.
    Websocket,
    /// Long-polling only.
    Polling,
    /// Long-polling, then the upgrade: a client is connected when it is in and upgraded.
    Upgrade,
}

/// What the clients of a run speak over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Transports {
    All(Transport),
    Several { mix: Mix },
}

/// How many clients speak over each, as parts of the sum of all three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mix {
    pub(crate) websocket: u32,
    pub(crate) polling: u32,
    pub(crate) upgrade: u32,
}

/// Which client speaks over what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spread {
    /// By a client's number, and then again; empty where there is but one transport.
    order: Box<[Transport]>,
    first: Transport,
}

impl Transport {
    pub(crate) const ALL: [Self; 3] = [Self::Websocket, Self::Polling, Self::Upgrade];

    /// As the command line and results have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Websocket => "websocket",
            Self::Polling => "polling",
            Self::Upgrade => "upgrade",
        }
    }
}

impl Transports {
    /// Each transport that is spoken, and its part.
    pub(crate) fn parts(self) -> Vec<(Transport, u32)> {
        match self {
            Self::All(transport) => vec![(transport, 1)],
            Self::Several { mix } => {
                mix.parts().into_iter().filter(|(_, part)| *part > 0).collect()
            }
        }
    }

    pub(crate) fn spread(self) -> Spread {
        match self {
            Self::All(first) => Spread { order: Box::default(), first },
            Self::Several { mix } => {
                let order = mix.order();
                let first = order.first().copied().unwrap_or(Transport::Websocket);
                Spread { order, first }
            }
        }
    }
}

impl Mix {
    fn parts(self) -> [(Transport, u32); 3] {
        // A plan may come from elsewhere.
        let [websocket, polling, upgrade] =
            [self.websocket, self.polling, self.upgrade].map(|part| part.min(PART_MAX));
        [
            (Transport::Websocket, websocket),
            (Transport::Polling, polling),
            (Transport::Upgrade, upgrade),
        ]
    }

    fn part_mut(&mut self, transport: Transport) -> &mut u32 {
        match transport {
            Transport::Websocket => &mut self.websocket,
            Transport::Polling => &mut self.polling,
            Transport::Upgrade => &mut self.upgrade,
        }
    }

    /// Each as far from its like as its part allows: whoever is furthest behind it is next. Any
    /// neighbours, be they a shard's or the last ones, are mixed like all.
    fn order(self) -> Box<[Transport]> {
        let mut parts = self.parts();
        let divisor = parts.iter().fold(0, |divisor, (_, part)| common_divisor(divisor, *part));
        for (_, part) in &mut parts {
            *part /= divisor.max(1);
        }
        let sum: i64 = parts.iter().map(|(_, part)| i64::from(*part)).sum();
        let mut behind = parts.map(|(transport, part)| (transport, i64::from(part), 0_i64));
        let mut order = Vec::new();
        for _ in 0..sum {
            for (_, part, debt) in &mut behind {
                *debt += *part;
            }
            // Of those that are equally far behind, the first one.
            let next = behind.iter_mut().rev().max_by_key(|(_, _, debt)| *debt);
            if let Some((transport, _, debt)) = next {
                *debt -= sum;
                order.push(*transport);
            }
        }
        order.into_boxed_slice()
    }
}

impl Spread {
    pub(crate) fn of(&self, client: u32) -> Transport {
        let length = u32::try_from(self.order.len()).unwrap_or(u32::MAX);
        let place = client.checked_rem(length).and_then(|place| usize::try_from(place).ok());
        place.and_then(|place| self.order.get(place)).copied().unwrap_or(self.first)
    }

    pub(crate) fn is_mixed(&self) -> bool {
        !self.order.is_empty()
    }

    /// How many of so many clients speak over a transport.
    pub(crate) fn count(&self, transport: Transport, clients: u32) -> u32 {
        let length = u32::try_from(self.order.len()).unwrap_or(u32::MAX);
        let among = |clients: u32| {
            (0..clients).filter(|client| self.of(*client) == transport).map(|_| 1).sum::<u32>()
        };
        match clients.checked_div(length) {
            // So many whole rounds, and a part of one.
            Some(rounds) => rounds * among(length) + among(clients % length),
            None if transport == self.first => clients,
            None => 0,
        }
    }
}

impl FromStr for Transport {
    type Err = TransportsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|transport| transport.name() == text);
        known.ok_or_else(|| TransportsError::Unknown(text.to_owned()))
    }
}

impl FromStr for Transports {
    type Err = TransportsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.contains(['=', ',']) {
            return text.parse().map(Self::All);
        }
        let mut mix = Mix::default();
        for given in text.split(',') {
            let (name, part) = given.split_once('=').unwrap_or((given, ""));
            let transport: Transport = name.trim().parse()?;
            let refused = || TransportsError::Part { transport, part: part.to_owned() };
            let part: u32 = part.trim().parse().map_err(|_| refused())?;
            if !(1..=PART_MAX).contains(&part) {
                return Err(refused());
            }
            let place = mix.part_mut(transport);
            if *place > 0 {
                return Err(TransportsError::Twice(transport));
            }
            *place = part;
        }
        let spoken = mix.parts().into_iter().filter(|(_, part)| *part > 0);
        let spoken: Vec<Transport> = spoken.map(|(transport, _)| transport).collect();
        Ok(match spoken.as_slice() {
            [only] => Self::All(*only),
            _ => Self::Several { mix },
        })
    }
}

/// What is no transport, and no mix of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TransportsError {
    Unknown(String),
    Part { transport: Transport, part: String },
    Twice(Transport),
}

impl fmt::Display for TransportsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                write!(f, "{name:?} is none of websocket, polling and upgrade")
            }
            Self::Part { transport, part } => write!(
                f,
                "{}={part} is no part of a mix: give a whole number from 1 to {PART_MAX}",
                transport.name()
            ),
            Self::Twice(transport) => write!(f, "{} is named twice", transport.name()),
        }
    }
}

impl std::error::Error for TransportsError {}

fn common_divisor(one: u32, other: u32) -> u32 {
    match one.checked_rem(other) {
        Some(rest) => common_divisor(other, rest),
        None => one,
    }
}

const PART_MAX: u32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Transports {
        text.parse().expect("transports")
    }

    fn refused(text: &str) -> String {
        text.parse::<Transports>().expect_err("no transports").to_string()
    }

    fn order(text: &str, clients: u32) -> String {
        let spread = parsed(text).spread();
        (0..clients).map(|client| &spread.of(client).name()[..1]).collect()
    }

    #[test]
    fn one_is_for_all_and_several_share_the_clients() {
        assert_eq!(parsed("polling"), Transports::All(Transport::Polling));
        assert_eq!(parsed("upgrade=7"), Transports::All(Transport::Upgrade));
        let mix = Mix { websocket: 80, polling: 10, upgrade: 10 };
        assert_eq!(parsed("polling=10, websocket=80,upgrade=10"), Transports::Several { mix });
        assert_eq!(parsed("websocket=80,polling=10,upgrade=10").parts().len(), 3);
        assert_eq!(parsed("polling=3,upgrade=1").parts()[0], (Transport::Polling, 3));
    }

    #[test]
    fn what_is_no_mix_is_told_why() {
        assert!(refused("webtransport").contains("none of websocket, polling"));
        assert!(refused("websocket=1,sse=1").contains("\"sse\" is none of"));
        for part in ["0", "-1", "1.5", "", "1001"] {
            let told = refused(&format!("websocket=1,polling={part}"));
            assert!(told.starts_with(&format!("polling={part} is no part")), "{told}");
        }
        assert!(refused("websocket,polling").contains("websocket= is no part"));
        assert_eq!(refused("polling=1,websocket=1,polling=2"), "polling is named twice");
    }

    #[test]
    fn parts_are_spread_and_come_again() {
        assert_eq!(order("websocket=1,polling=1", 6), "wpwpwp");
        assert_eq!(order("websocket=80,polling=10,upgrade=10", 20), "wwwpwwuwwwwwwpwwuwww");
        assert_eq!(order("upgrade", 3), "uuu");
    }

    #[test]
    fn every_run_of_neighbours_has_its_parts() {
        let spread = parsed("websocket=7,polling=2,upgrade=1").spread();
        for (transport, part) in [(Transport::Websocket, 7), (Transport::Polling, 2)] {
            for first in 0..40 {
                let found = (first..first + 10).filter(|one| spread.of(*one) == transport).count();
                assert_eq!(found, part, "{transport:?} from {first} on");
            }
        }
    }

    #[test]
    fn counts_are_those_of_the_clients() {
        for text in ["websocket=80,polling=15,upgrade=5", "websocket=3,polling=1", "polling"] {
            let spread = parsed(text).spread();
            assert_eq!(spread.is_mixed(), text.contains(','));
            for clients in [1, 7, 20, 23, 100, 1_003] {
                let counts = Transport::ALL.map(|transport| spread.count(transport, clients));
                assert_eq!(counts.iter().sum::<u32>(), clients, "{text}, {clients}");
                for (transport, count) in Transport::ALL.into_iter().zip(counts) {
                    let found = (0..clients).filter(|one| spread.of(*one) == transport).count();
                    assert_eq!(found, usize::try_from(count).unwrap(), "{text}, {clients}");
                }
            }
        }
    }

    #[test]
    fn a_result_says_it_as_before_and_a_mix_in_parts() {
        let json = |text: &str| serde_json::to_value(parsed(text)).unwrap();
        assert_eq!(json("websocket"), serde_json::json!("websocket"));
        let mix = serde_json::json!({"mix": {"websocket": 8, "polling": 1, "upgrade": 1}});
        assert_eq!(json("websocket=8,polling=1,upgrade=1"), mix);
        for text in ["upgrade", "websocket=8,polling=1"] {
            let read: Transports = serde_json::from_value(json(text)).unwrap();
            assert_eq!(read, parsed(text));
        }
    }
}
