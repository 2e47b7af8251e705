//! The view of the whole server that handlers, routes, timers and other threads' closures get.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use super::adapter::Emitted;
use super::broadcast::{BroadcastOperator, RoomNames};
use super::namespace::Namespace;
use super::namespaces::NamespaceId;
use super::payload::IntoArgs;
use super::timers::TimerId;
use super::{Command, Hub};
use crate::counters::SocketCounters;
use crate::deadlines::Now;
use crate::engineio::EngineCounters;

/// The server, as code within it sees it: `Copy`, valid while the call lasts.
///
/// What names no namespace means `/`.
///
/// ```
/// use std::time::Duration;
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// server.io().every(Duration::from_secs(1), |io| {
///     io.emit("tick", &io.of("/").sockets_len());
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Io<'a> {
    hub: &'a Rc<Hub>,
}

impl<'a> Io<'a> {
    pub(crate) fn new(hub: &'a Rc<Hub>) -> Self {
        Self { hub }
    }

    /// A namespace, declared by this call if it was not before. A missing leading slash is added.
    pub fn of(self, name: &str) -> Namespace<'a> {
        let mut state = self.hub.state.borrow_mut();
        let id = if name.starts_with('/') {
            state.namespaces.find_or_insert(name)
        } else {
            state.namespaces.find_or_insert(&format!("/{name}"))
        };
        Namespace::new(self.hub, id)
    }

    /// The names of all namespaces, in the order of declaration.
    pub fn namespaces(self) -> Vec<Rc<str>> {
        self.hub.state.borrow().namespaces.iter().map(|entry| Rc::clone(&entry.name)).collect()
    }

    /// Emits to everybody in `/`.
    ///
    /// # Panics
    /// As [`Socket::emit`](crate::Socket::emit).
    pub fn emit(self, event: &str, args: impl IntoArgs) -> Emitted {
        self.main().emit(event, args)
    }

    /// A broadcast to the members of a room (or several) of `/`.
    pub fn to(self, rooms: impl RoomNames) -> BroadcastOperator<'a> {
        self.main().to(rooms)
    }

    /// A broadcast to all of `/` but the members of a room (or several).
    pub fn except(self, rooms: impl RoomNames) -> BroadcastOperator<'a> {
        self.main().except(rooms)
    }

    /// A broadcast in `/` that is dropped where a transport is busy.
    pub fn volatile(self) -> BroadcastOperator<'a> {
        self.main().volatile()
    }

    /// How many Engine.IO sessions are open.
    pub fn sessions_len(self) -> usize {
        self.hub.state.borrow().engine.len()
    }

    /// How many of them speak WebSocket at this moment.
    pub fn websocket_sessions_len(self) -> usize {
        self.hub.state.borrow().engine.websocket_len()
    }

    /// How many sockets there are in all namespaces.
    pub fn sockets_len(self) -> usize {
        let state = self.hub.state.borrow();
        // Those who have left and are still seen by a closure don't count.
        state.sockets.len() - state.aftermath.iter().filter(|next| next.frees()).count()
    }

    /// Bytes of messages that wait for all sessions, each delivery counted.
    pub fn queued_bytes(self) -> usize {
        self.hub.state.borrow().outboxes.bytes_total()
    }

    /// The moment of this turn or, between two turns, of the host's call.
    pub fn now(self) -> Now {
        self.hub.state.borrow().now
    }

    /// What Engine.IO has counted so far.
    pub fn engine_counters(self) -> EngineCounters {
        self.hub.state.borrow().engine.counters().clone()
    }

    /// What Socket.IO has counted so far.
    pub fn socket_counters(self) -> SocketCounters {
        self.hub.state.borrow().counters.clone()
    }

    /// Runs a closure once, from `poll`, when `delay` has passed since [`Io::now`]: never early,
    /// and about a millisecond late at most where the host polls in time. `Duration::MAX` is never.
    pub fn after(self, delay: Duration, run: impl FnOnce(Io<'_>) + 'static) -> TimerId {
        self.hub.after(delay, Box::new(run))
    }

    /// Runs a closure in every period, at least a millisecond long; those missed are skipped.
    pub fn every(self, period: Duration, run: impl Fn(Io<'_>) + 'static) -> TimerId {
        self.hub.every(period, Rc::new(run))
    }

    /// Cancels a timer; `false` if it has run or been cancelled before.
    pub fn cancel(self, timer: TimerId) -> bool {
        self.hub.cancel(timer)
    }

    /// Closes the server at the end of the turn: every socket leaves with "server shutting down",
    /// polls are answered, connections and listeners closed, and `run` returns.
    pub fn close(self) {
        self.hub.state.borrow_mut().commands.push_back(Command::Close);
    }

    fn main(self) -> Namespace<'a> {
        Namespace::new(self.hub, NamespaceId::MAIN)
    }
}

impl fmt::Debug for Io<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Io(..)")
    }
}
