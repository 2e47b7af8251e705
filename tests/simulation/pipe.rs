//! One TCP connection between a model client and the server, as two kernels would hold it.
//!
//! Bytes fly before they arrive; what has arrived can be read. Whoever ends a direction sends a
//! FIN behind its bytes; a reset overtakes them. Readiness is kept here until the next wait.

use std::collections::VecDeque;

use throng::net::Ready;

use crate::random::Random;

/// One connection.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    pub(crate) to_server: Flow,
    pub(crate) to_client: Flow,
    /// The token it was registered under.
    pub(crate) token: Option<u64>,
    /// What epoll would tell at the next wait.
    pub(crate) edge: Ready,
    /// The server's end is closed.
    pub(crate) is_closed: bool,
    reader: Reader,
    pub(crate) room: Room,
    reset_by_client: Reset,
    reset_by_server: bool,
}

/// What the server hears of room to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Room {
    /// Nothing: it has not asked.
    #[default]
    Unasked,
    /// It has asked, and its last write went whole.
    Asked,
    /// Its last write fell short: it will hear.
    Awaited,
}

/// What has become of the client's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reader {
    /// It reads what arrives.
    #[default]
    Reads,
    /// It doesn't, and what arrives fills its window.
    Stalls,
    /// It is closed: what still comes is answered with a reset.
    Closed,
    /// Its machine is off: nothing moves any more, and nobody says so.
    Vanished,
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    pub(crate) flying: VecDeque<u8>,
    pub(crate) arrived: VecDeque<u8>,
    pub(crate) bytes_max: usize,
    pub(crate) fin: Fin,
}

/// How far the end of a direction is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fin {
    #[default]
    None,
    Sent,
    Arrived,
}

/// How far a reset is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reset {
    #[default]
    None,
    Sent,
    Arrived,
}

/// What a client finds at the end of what it has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// More may come.
    Open,
    /// The server has ended its direction.
    Fin,
    /// The connection is no more.
    Reset,
}

impl Pipe {
    pub(crate) fn new(window_bytes: usize) -> Self {
        let flow = || Flow { bytes_max: window_bytes, ..Flow::default() };
        Self { to_server: flow(), to_client: flow(), ..Self::default() }
    }

    /// Lets time pass: bytes arrive in pieces, ends and resets behind them.
    pub(crate) fn advance(&mut self, random: &mut Random, is_spurious: bool) {
        if self.reader == Reader::Vanished || random.once_in(4) {
            return;
        }
        self.advance_to_server(random);
        self.advance_to_client(random);
        if is_spurious && random.once_in(40) {
            // Spurious: epoll may tell what is no news.
            self.edge.readable = true;
            self.edge.writable |= random.once_in(2);
        }
    }

    fn close_reader(&mut self) {
        if self.reader != Reader::Vanished {
            self.reader = Reader::Closed;
        }
    }

    fn advance_to_server(&mut self, random: &mut Random) {
        if self.to_server.arrive(random) > 0 {
            self.edge.readable = true;
        }
        if self.to_server.fin == Fin::Sent && self.to_server.flying.is_empty() {
            self.to_server.fin = Fin::Arrived;
            (self.edge.readable, self.edge.closed) = (true, true);
        }
        if self.reset_by_client == Reset::Sent {
            self.reset_by_client = Reset::Arrived;
            if random.once_in(2) {
                self.to_server.arrived.clear();
            }
            self.edge = Ready { token: 0, readable: true, writable: true, closed: true };
        }
    }

    fn advance_to_client(&mut self, random: &mut Random) {
        let window = self.to_client.bytes_max;
        if self.reader == Reader::Stalls && self.to_client.arrived.len() >= window {
            return;
        }
        let arrived = self.to_client.arrive(random);
        if arrived > 0 && self.reader == Reader::Closed {
            self.to_client.arrived.clear();
            self.reset();
        }
        if self.room == Room::Awaited && self.to_client.flying.len() < window && !random.once_in(3)
        {
            self.room = Room::Asked;
            self.edge.writable = true;
        }
        if self.to_client.fin == Fin::Sent && self.to_client.flying.is_empty() {
            self.to_client.fin = Fin::Arrived;
        }
    }

    /// The client resets the connection.
    pub(crate) fn reset(&mut self) {
        self.close_reader();
        self.to_server.flying.clear();
        if self.reset_by_client == Reset::None {
            self.reset_by_client = Reset::Sent;
        }
    }

    /// The client closes its end in good order.
    pub(crate) fn abandon(&mut self) {
        self.close_reader();
        self.end_to_server();
    }

    /// The client's machine is switched off.
    pub(crate) fn vanish(&mut self) {
        self.reader = Reader::Vanished;
    }

    /// The client reads no more, or again.
    pub(crate) fn stall(&mut self, stalls: bool) {
        match self.reader {
            Reader::Reads if stalls => self.reader = Reader::Stalls,
            Reader::Stalls if !stalls => self.reader = Reader::Reads,
            _ => {}
        }
    }

    /// The client sends, as long as it can.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        if matches!(self.reader, Reader::Reads | Reader::Stalls) && self.to_server.fin == Fin::None
        {
            self.to_server.flying.extend(bytes);
        }
    }

    /// The client ends its direction and goes on reading.
    pub(crate) fn end_to_server(&mut self) {
        if self.to_server.fin == Fin::None {
            self.to_server.fin = Fin::Sent;
        }
    }

    /// What the client reads.
    pub(crate) fn receive(&mut self) -> (Vec<u8>, End) {
        if matches!(self.reader, Reader::Stalls | Reader::Vanished) {
            return (Vec::new(), End::Open);
        }
        let bytes = self.to_client.arrived.drain(..).collect();
        let end = match self.to_client.fin {
            _ if self.reset_by_server || self.reset_by_client != Reset::None => End::Reset,
            Fin::Arrived => End::Fin,
            _ => End::Open,
        };
        (bytes, end)
    }

    pub(crate) fn is_reset(&self) -> bool {
        self.reset_by_client == Reset::Arrived
    }

    /// The server's write: how many bytes were taken, `None` if none can be.
    pub(crate) fn write(&mut self, bytes: &[u8], random: &mut Random) -> Option<usize> {
        let room = self.to_client.bytes_max.saturating_sub(self.to_client.flying.len());
        let mut taken = room.min(bytes.len());
        if random.once_in(8) {
            taken = random.below(taken + 1);
        }
        self.to_client.flying.extend(&bytes[..taken]);
        if taken < bytes.len() && self.room == Room::Asked {
            self.room = Room::Awaited;
        }
        (taken > 0 || bytes.is_empty()).then_some(taken)
    }

    /// The server closes its end. Input that it left unread becomes a reset, and a reset may
    /// overtake what it said last.
    pub(crate) fn close(&mut self, random: &mut Random) {
        self.is_closed = true;
        self.token = None;
        let is_unread = !self.to_server.arrived.is_empty() || !self.to_server.flying.is_empty();
        if is_unread {
            self.reset_by_server = true;
            if random.once_in(2) {
                self.to_client.flying.clear();
            }
        } else if self.to_client.fin == Fin::None {
            self.to_client.fin = Fin::Sent;
        }
    }

    /// The server's kernel turns the connection away before it was accepted.
    pub(crate) fn refuse(&mut self) {
        self.is_closed = true;
        self.reset_by_server = true;
    }

    /// Whether the client has closed its end.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.reader == Reader::Closed
    }

    /// Nothing is left of it at either end.
    pub(crate) fn is_over(&self) -> bool {
        self.is_closed && matches!(self.reader, Reader::Closed | Reader::Vanished)
    }
}

impl Flow {
    fn arrive(&mut self, random: &mut Random) -> usize {
        let flying = self.flying.len();
        let bytes = if random.once_in(2) { random.below(flying + 1) } else { flying };
        self.arrived.extend(self.flying.drain(..bytes));
        bytes
    }
}
