//! The floor: owns the sockets, speaks HTTP/1.1 and WebSocket, and knows nothing of Engine.IO.
//!
//! The conductor drives it in the order of a turn: [`Reactor::wait`], [`Reactor::accept`], then
//! for each [`Reactor::next_ready`] connection [`Reactor::fill`] and [`Reactor::decode`] until
//! nothing is left, [`Reactor::expire`], [`Reactor::flush`], and last [`Reactor::reap`], the one
//! place where connections are freed. Every way a connection can end is told once, as
//! [`Inbound::Lost`], unless the conductor ended it itself.
//!
//! On the wire it is `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1` and then `81 8c ..`.
//! What a message means, and whose it is, is decided above.

mod alarm;
mod connection;
mod input;
mod listener;
pub mod net;
mod output;
mod system;

use std::collections::VecDeque;
use std::fmt::Write;
use std::io;
use std::time::{Duration, SystemTime};

use connection::{Connection, Ending};
use listener::{Accepting, Listeners};
use net::{Net, Ready};

pub use system::{SystemListener, SystemNet, SystemStream};

use crate::config::{HttpConfig, ReactorConfig};
use crate::counters::ReactorCounters;
use crate::deadlines::Deadlines;
use crate::http::{Request, Status};
use crate::send_queue::Spares;
use crate::slots::{ConnectionKey, Key, Slots};
use crate::websocket::{Binary, Failure, Limits as WebSocketLimits, Pool, Text};

/// All connections, on one [`Net`]. `O` is a word that the conductor keeps with each.
pub(crate) struct Reactor<N: Net, O> {
    net: N,
    listeners: Listeners<N>,
    connections: Slots<Connection<N::Stream, O>>,
    connections_max: usize,
    events: Vec<Ready>,
    foreign: VecDeque<Ready>,
    ready: VecDeque<ConnectionKey>,
    unflushed: VecDeque<ConnectionKey>,
    dead: Vec<ConnectionKey>,
    deadlines: Deadlines<ConnectionKey>,
    pool: Pool,
    /// The input at hand was kept back earlier: what is kept of it again goes before the rest.
    filled_from_kept: bool,
    /// The value of the `Date` header, kept by the conductor.
    pub(crate) date: String,
    replies: Vec<u8>,
    /// Where short chunks of one write are copied together.
    joined: Vec<u8>,
    spares: Spares,
    websocket_limits: WebSocketLimits,
    http: HttpConfig,
    config: ReactorConfig,
    /// How long a peer may take nothing of what is queued for it.
    stall_time_max: Duration,
    pub(crate) counters: ReactorCounters,
}

/// What came up from one connection.
pub(crate) enum Inbound<'b> {
    /// A request whose body, if it has one, is still to come: answer it, or let the body in.
    Head(Request),
    /// A whole request.
    Request(Request),
    /// A control frame, answered already where it asks for an answer.
    Control,
    /// A request was refused while its body came in; it has not been answered.
    Refused(Status),
    /// A WebSocket text message.
    Text(Text<'b>),
    /// A WebSocket binary message.
    Binary(Binary<'b>),
    /// The connection has ended.
    Lost(Lost),
}

/// Why a connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The peer ended the stream.
    End,
    /// The stream failed.
    Reset,
    /// The peer closed the WebSocket in good order.
    Close,
    /// The peer broke the WebSocket protocol or a limit; it was told so.
    Failure(Failure),
    /// The peer took too long.
    Timeout,
}

/// What [`Reactor::fill`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    /// So many bytes stand at the start of the buffer.
    Filled(usize),
    /// Nothing for now.
    Empty,
    /// The connection has ended, or failed.
    Lost(Lost),
}

impl<N: Net, O: Copy + Default> Reactor<N, O> {
    pub(crate) fn new(
        net: N,
        config: ReactorConfig,
        http: HttpConfig,
        websocket_limits: WebSocketLimits,
        connections_max: usize,
        stall_time_max: Duration,
    ) -> Self {
        Self {
            net,
            listeners: Listeners::new(),
            connections: Slots::with_capacity(connections_max),
            connections_max,
            events: Vec::new(),
            foreign: VecDeque::new(),
            ready: VecDeque::with_capacity(connections_max),
            unflushed: VecDeque::with_capacity(connections_max),
            dead: Vec::with_capacity(connections_max),
            deadlines: Deadlines::with_capacity(connections_max),
            pool: Pool::new(),
            filled_from_kept: false,
            date: String::new(),
            replies: Vec::new(),
            joined: Vec::with_capacity(output::COPIED_BYTES_MAX),
            spares: Spares::default(),
            websocket_limits,
            http,
            config,
            stall_time_max,
            counters: ReactorCounters::default(),
        }
    }

    pub(crate) fn net(&self) -> &N {
        &self.net
    }

    pub(crate) fn net_mut(&mut self) -> &mut N {
        &mut self.net
    }

    pub(crate) fn listen(&mut self, listener: N::Listener) -> io::Result<()> {
        self.listeners.add(&mut self.net, listener)
    }

    pub(crate) fn close_listeners(&mut self) {
        self.listeners.close(&mut self.net);
    }

    /// Keeps the value of the `Date` header, in the room of the one before.
    pub(crate) fn set_date(&mut self, date: SystemTime) {
        self.date.clear();
        // Writing to a string can't fail.
        let _ = write!(self.date, "{}", httpdate::HttpDate::from(date));
    }

    pub(crate) fn is_writable(&self, key: ConnectionKey) -> bool {
        self.connection(key).is_some_and(|connection| connection.ready.writable)
    }

    pub(crate) fn connections_len(&self) -> usize {
        self.connections.len()
    }

    pub(crate) fn connections_max(&self) -> usize {
        self.connections_max
    }

    pub(crate) fn keys(&self) -> Vec<ConnectionKey> {
        self.connections.keys().into_iter().map(Key::cast).collect()
    }

    /// Waits for readiness and notes whom it concerns.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.events.clear();
        self.net.wait(&mut self.events, timeout)?;
        for index in 0..self.events.len() {
            let event = self.events[index];
            if !self.listeners.handle_ready(event.token) && !self.handle_ready(event) {
                self.foreign.push_back(event);
            }
        }
        Ok(())
    }

    /// A stale token, of a connection that is gone, finds nothing here.
    fn handle_ready(&mut self, event: Ready) -> bool {
        let key = ConnectionKey::from_bits(event.token);
        let Some(connection) = self.connections.get_mut(key.cast()) else { return false };
        connection.ready.readable |= event.readable || event.closed;
        connection.ready.hung_up |= event.closed;
        connection.ready.writable |= event.writable;
        self.list_ready(key);
        true
    }

    /// What became ready of which the reactor knows nothing, or nothing any more.
    pub(crate) fn next_foreign(&mut self) -> Option<Ready> {
        self.foreign.pop_front()
    }

    /// Puts a connection on the list of those to be read, resumed or written to.
    pub(crate) fn list_ready(&mut self, key: ConnectionKey) {
        if let Some(connection) = self.connections.get_mut(key.cast())
            && !connection.listed.ready
        {
            connection.listed.ready = true;
            self.ready.push_back(key);
        }
    }

    /// The next connection that something can be done for.
    pub(crate) fn next_ready(&mut self) -> Option<ConnectionKey> {
        while let Some(key) = self.ready.pop_front() {
            if let Some(connection) = self.connections.get_mut(key.cast()) {
                connection.listed.ready = false;
                return Some(key);
            }
        }
        None
    }

    pub(crate) fn ready_len(&self) -> usize {
        self.ready.len()
    }

    /// Accepts what the budget, the descriptors and the number of connections allow.
    pub(crate) fn accept(&mut self, now: Duration, budget: usize) {
        if !self.listeners.is_ready(now) {
            return;
        }
        self.listeners.resume();
        let room = self.connections_max.saturating_sub(self.connections.len());
        let connections = &mut self.connections;
        let (counters, deadlines) = (&mut self.counters, &mut self.deadlines);
        let due = now.saturating_add(self.http.keep_alive_timeout);
        let mut refused = 0;
        let (accepting, errors) =
            self.listeners.accept(&mut self.net, budget.min(room), |net, accepted| {
                let key: ConnectionKey = connections.vacant_key().cast();
                let mut connection = Connection::new(accepted.stream, accepted.peer);
                if net.register(&mut connection.stream, key.to_bits()).is_err() {
                    refused += 1;
                    return net.close(connection.stream);
                }
                counters.accepted += 1;
                connection.deadline = Some(deadlines.schedule(due, key));
                // The request seldom comes with its connection: a read at once would find nothing
                // in a rush and on any network. Registering tells of it where it does.
                connection.ready.writable = true;
                connections.insert(connection);
            });
        self.counters.accept_errors += errors + refused;
        if matches!(accepting, Accepting::Exhausted | Accepting::Failed) {
            self.counters.descriptors_exhausted += u64::from(accepting == Accepting::Exhausted);
            self.listeners.pause(now);
        }
    }

    /// Whether a call of [`Reactor::accept`] would find something to do at once.
    pub(crate) fn accepts(&self, now: Duration) -> bool {
        self.listeners.is_ready(now) && self.connections.len() < self.connections_max
    }

    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let paused = self.listeners.deadline();
        self.deadlines.next().into_iter().chain(paused).min()
    }

    /// Whether [`Reactor::expire`] has something left.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        self.deadlines.is_due(now)
    }

    pub(crate) fn contains(&self, key: ConnectionKey) -> bool {
        self.connection(key).is_some_and(|connection| connection.ending != Ending::Dead)
    }

    pub(crate) fn owner(&self, key: ConnectionKey) -> O {
        self.connection(key).map_or_else(O::default, |connection| connection.owner)
    }

    pub(crate) fn set_owner(&mut self, key: ConnectionKey, owner: O) {
        if let Some(connection) = self.connections.get_mut(key.cast()) {
            connection.owner = owner;
        }
    }

    /// Whether more is queued for the connection than may be while it is read.
    pub(crate) fn is_backed_up(&self, key: ConnectionKey) -> bool {
        self.connection(key).is_some_and(Connection::is_backed_up)
    }

    fn connection(&self, key: ConnectionKey) -> Option<&Connection<N::Stream, O>> {
        self.connections.get(key.cast())
    }

    fn connection_mut(&mut self, key: ConnectionKey) -> Option<&mut Connection<N::Stream, O>> {
        self.connections.get_mut(key.cast())
    }

    /// Replaces the connection's one deadline.
    fn set_deadline(&mut self, key: ConnectionKey, at: Option<Duration>) {
        let Some(connection) = self.connections.get_mut(key.cast()) else { return };
        if let Some(armed) = connection.deadline.take() {
            self.deadlines.cancel(armed);
        }
        connection.deadline = at.map(|at| self.deadlines.schedule(at, key));
    }
}
