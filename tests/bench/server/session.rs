//! One client: its place in the order of connecting, how it is reached, and what waits for it.
//!
//! ```text
//! polling (a held GET) -> probing -> websocket
//! ```

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use super::message::{Hold, Outgoing};
use super::packet::Packet;
use super::protocol::Protocol;
use super::script::Refusal;

/// A session of Engine.IO, with the one socket it may have.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) protocol: Protocol,
    pub(super) transport: Transport,
    /// The connection that asks to take over.
    pub(super) probe: Option<usize>,
    /// Where it joined, if it did.
    pub(super) namespace: Option<String>,
    pub(super) rooms: BTreeSet<String>,
    pub(super) queue: VecDeque<Outgoing>,
    /// An event whose attachment is to come.
    pub(super) pending: Option<Packet>,
    pub(super) heartbeat: Heartbeat,
    pub(super) refusal: Option<Refusal>,
}

/// How a session is reached; connections by their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// With the connection whose GET is held, if one is.
    Polling(Option<usize>),
    WebSocket(usize),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Heartbeat {
    /// A ping is sent then.
    PingAt(Instant),
    /// The session ends then, unless a pong comes.
    PongUntil(Instant),
    /// The session ends then, unless the client pings.
    PingUntil(Instant),
    /// Nobody asks.
    Never,
}

impl Heartbeat {
    pub(super) fn due(self) -> Option<Instant> {
        match self {
            Self::PingAt(at) | Self::PongUntil(at) | Self::PingUntil(at) => Some(at),
            Self::Never => None,
        }
    }
}

impl Session {
    pub(super) fn new(
        protocol: Protocol,
        transport: Transport,
        heartbeat: Heartbeat,
        refusal: Option<Refusal>,
    ) -> Self {
        Self {
            protocol,
            transport,
            probe: None,
            namespace: None,
            rooms: BTreeSet::new(),
            queue: VecDeque::new(),
            pending: None,
            heartbeat,
            refusal,
        }
    }

    /// Queues one message; what waited for a next one waits no longer.
    pub(super) fn push(&mut self, outgoing: Outgoing) {
        let overtaken = self.queue.iter().position(|queued| queued.hold == Hold::Overtaken);
        if let Some(at) = overtaken {
            self.queue[at].hold = Hold::Nothing;
            self.queue.insert(at, outgoing);
        } else {
            self.queue.push_back(outgoing);
        }
    }

    pub(super) fn control(&mut self, text: impl Into<String>) {
        self.queue.push_back(Outgoing::control(text));
    }

    /// Takes what may be written at once: one message, or two that were joined.
    pub(super) fn take_ready(&mut self, now: Instant) -> Vec<Outgoing> {
        let count = match self.queue.front().map(|front| front.hold) {
            Some(Hold::Nothing) => 1,
            Some(Hold::Until(at)) if at <= now => 1,
            Some(Hold::Joined) if self.queue.len() > 1 => 2,
            _ => 0,
        };
        self.queue.drain(..count).collect()
    }

    /// When something has to be done although nobody sends anything.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let held = self.queue.front().and_then(|front| match front.hold {
            Hold::Until(at) => Some(at),
            _ => None,
        });
        [held, self.heartbeat.due()].into_iter().flatten().min()
    }

    /// Whether it is in a namespace, and in a room of it.
    pub(super) fn is_in(&self, namespace: &str, room: Option<&str>) -> bool {
        self.namespace.as_deref() == Some(namespace)
            && room.is_none_or(|room| self.rooms.contains(room))
    }

    /// The WebSocket it has, or asks to have.
    pub(super) fn connections(&self) -> impl Iterator<Item = usize> {
        let current = match self.transport {
            Transport::Polling(held) => held,
            Transport::WebSocket(connection) => Some(connection),
        };
        [current, self.probe].into_iter().flatten()
    }
}
