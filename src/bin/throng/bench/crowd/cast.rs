//! Who plays which part in a run: decided by the plan and a client's number alone, so that every
//! shard knows it of every client.
//!
//! ```text
//! 0 .. publishers .. | steady .. | slow, or those that come and go
//! ```

use crate::bench::plan::{Plan, Recipients, Scenario};
use crate::bench::rooms::Rooms;
use crate::bench::shard::{Duty, Part};
use crate::bench::transports::{Spread, Transport};

/// The parts of all clients.
#[derive(Debug)]
pub(crate) struct Cast {
    /// From this number on, clients are slow or come and go.
    steady: u32,
    clients: u32,
    is_slow: bool,
    publishers: u32,
    rooms: Option<Rooms>,
    /// Clients of the one shard that broadcasts: streams are sent by them in turn.
    senders: u32,
    publisher_excluded: bool,
    spread: Spread,
}

/// What is expected of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temper {
    /// Stays, reads, and gets everything.
    Steady,
    /// Reads slowly or not at all; nothing is expected of it.
    Slow,
    /// Comes and goes; what it hears must have no gaps.
    Passing,
}

impl Cast {
    pub(crate) fn new(plan: &Plan) -> Self {
        let clients = plan.clients;
        let (share, is_slow) = match plan.scenario {
            Scenario::Slow { share, .. } => (share, true),
            Scenario::Churn { share, .. } => (share, false),
            _ => (0.0, false),
        };
        let steady = clients.saturating_sub(part_of(clients, share));
        let publishers = match plan.scenario {
            Scenario::Broadcast { publishers } => publishers,
            _ => 1,
        };
        let (rooms, senders) = (Rooms::new(plan), plan.senders());
        let publisher_excluded = plan.recipients == Recipients::AllButSender;
        let spread = plan.transport.spread();
        Self { steady, clients, is_slow, publishers, rooms, senders, publisher_excluded, spread }
    }

    /// What a client speaks over.
    pub(crate) fn transport(&self, client: u32) -> Transport {
        self.spread.of(client)
    }

    /// The same where clients speak over several, and what each has is told apart.
    pub(crate) fn apart(&self, client: u32) -> Option<Transport> {
        self.spread.is_mixed().then(|| self.spread.of(client))
    }

    /// Who sends what is sent in a stream.
    pub(crate) fn sender(&self, stream: u32) -> u32 {
        stream % self.senders.max(1)
    }

    /// Whether a broadcast must not come to a client, as it is its sender.
    pub(crate) fn is_excluded(&self, client: u32, stream: u32) -> bool {
        self.publisher_excluded && client == self.sender(stream)
    }

    pub(crate) fn temper(&self, client: u32) -> Temper {
        match (client >= self.steady && client < self.clients, self.is_slow) {
            (false, _) => Temper::Steady,
            (true, true) => Temper::Slow,
            (true, false) => Temper::Passing,
        }
    }

    /// Clients that come and go, by number.
    pub(crate) fn passing(&self) -> std::ops::Range<u32> {
        if self.is_slow { 0..0 } else { self.steady..self.clients }
    }

    /// Sequences of broadcasts: one for each publisher or room.
    pub(crate) fn streams(&self) -> u32 {
        self.rooms.as_ref().map_or(self.publishers, Rooms::len)
    }

    /// How many have to receive what is sent in a stream.
    pub(crate) fn members(&self, stream: u32) -> u64 {
        let members = match &self.rooms {
            Some(rooms) => u64::try_from(rooms.members(stream).len()).unwrap_or(u64::MAX),
            None => u64::from(self.steady),
        };
        let sender = self.sender(stream);
        let is_one_less = self.publisher_excluded
            && self.temper(sender) == Temper::Steady
            && self.place(sender, stream).is_some();
        members.saturating_sub(u64::from(is_one_less))
    }

    pub(crate) fn room_of(&self, client: u32) -> Option<u32> {
        self.rooms.as_ref().and_then(|rooms| rooms.room_of(client))
    }

    /// Sequences that a client has a part in.
    pub(crate) fn streams_per_client(&self) -> usize {
        let streams = if self.rooms.is_some() { 1 } else { self.publishers };
        usize::try_from(streams).unwrap_or(usize::MAX)
    }

    /// Where a client keeps its place in a stream; `None` where it has no part in it.
    pub(crate) fn place(&self, client: u32, stream: u32) -> Option<usize> {
        match &self.rooms {
            Some(rooms) => (rooms.room_of(client) == Some(stream)).then_some(0),
            None => (stream < self.publishers).then_some(usize::try_from(stream).ok()?),
        }
    }
}

/// What a shard sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sends {
    Nothing,
    /// To everybody, or to rooms.
    Broadcasts,
    /// Events that come back.
    Echoes,
    /// Events that are acknowledged.
    Acks,
}

impl Sends {
    pub(crate) fn of(part: &Part) -> Self {
        if part.duty == Duty::Ask {
            return Self::Acks;
        }
        match part.plan.scenario {
            Scenario::Echo => Self::Echoes,
            Scenario::Ack => Self::Acks,
            Scenario::Connect | Scenario::Idle | Scenario::Storm => Self::Nothing,
            // One shard sends for all: two would share no sequence.
            _ if part.shard == 0 => Self::Broadcasts,
            _ => Self::Nothing,
        }
    }
}

fn part_of(clients: u32, share: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count of clients is one"
    )]
    let part = (f64::from(clients) * share.clamp(0.0, 1.0)).round() as u32;
    part
}
