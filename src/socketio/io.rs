//! The view of the whole server that handlers, routes, timers and other threads' closures get.

use std::any::Any;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use super::adapter::{AdapterError, Emitted};
use super::broadcast::{BroadcastOperator, RoomNames};
use super::event::SocketRef;
use super::handler::ListenerId;
use super::handshake::Handshake;
use super::namespace::Namespace;
use super::namespaces::{Matcher, NamespaceId};
use super::payload::IntoArgs;
use super::remote_socket::RemoteSocket;
use super::socket::Socket;
use super::timers::TimerId;
use super::{Command, Hub, NamespaceDecision, ParkedKey, PatternError, dynamic};
use crate::counters::SocketCounters;
use crate::deadlines::Now;
use crate::engineio::EngineCounters;
use crate::source::SourceId;

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
    pub(super) hub: &'a Rc<Hub>,
}

impl<'a> Io<'a> {
    pub(crate) fn new(hub: &'a Rc<Hub>) -> Self {
        Self { hub }
    }

    /// A namespace, declared by this call if it was not before: on its own, or as the child of the
    /// first pattern that fits ([`Io::of_pattern`]). A missing leading slash is added.
    pub fn of(self, name: &str) -> Namespace<'a> {
        let id = if name.starts_with('/') {
            self.hub.find_or_insert_namespace(name)
        } else {
            self.hub.find_or_insert_namespace(&format!("/{name}"))
        };
        Namespace::new(self.hub, id)
    }

    /// A dynamic namespace: the parent of all whose name a regular expression finds something in.
    /// Write `^` and `$` to mean the whole name, as in the reference.
    ///
    /// A child is made when a client or [`Io::of`] asks for such a name and there is no namespace
    /// of it. It has the handlers that its parent has at that moment; what is declared on the
    /// parent later is for later children. Of several dynamic namespaces the first to be declared
    /// is asked first. What is emitted to the parent goes to all its children, and so do questions,
    /// joins, leaves and disconnects, where the reference's parent reaches nobody; sockets and
    /// rooms of its own it has none. [`Io::of`] finds it again by its name, which is `/_0` for the
    /// first dynamic namespace, and which no client can join. Children are bounded by
    /// [`SocketConfig::namespaces_max`](crate::config::SocketConfig::namespaces_max).
    ///
    /// ```
    /// use throng::Server;
    ///
    /// let server = Server::builder().bind("127.0.0.1:0")?;
    /// let rooms = server.of_pattern("^/room-[0-9]+$")?;
    /// rooms.on_connect(|socket| {
    ///     socket.emit("welcome to", &*socket.namespace().name());
    /// });
    /// rooms.emit("to all rooms", ());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_pattern(self, pattern: &str) -> Result<Namespace<'a>, PatternError> {
        let matcher = dynamic::pattern(pattern)?;
        Ok(Namespace::new(self.hub, self.hub.declare_parent(matcher)))
    }

    /// As [`Io::of_pattern`], of the names that a closure allows. [`Io::of`] doesn't ask it.
    pub fn of_dynamic(self, allows: impl Fn(&str, &Handshake) -> bool + 'static) -> Namespace<'a> {
        Namespace::new(self.hub, self.hub.declare_parent(Matcher::AtOnce(Rc::new(allows))))
    }

    /// As [`Io::of_dynamic`], of names that are decided about later. Each client waits for its
    /// own decision.
    pub fn of_deferred(
        self,
        decide: impl Fn(Io<'_>, &str, &Handshake, NamespaceDecision) + 'static,
    ) -> Namespace<'a> {
        Namespace::new(self.hub, self.hub.declare_parent(Matcher::Deferred(Rc::new(decide))))
    }

    /// The view of a socket that was named by [`Socket::to_ref`] or an [`Event`](crate::Event).
    pub fn socket(self, socket: SocketRef) -> Socket<'a> {
        Socket::new(self.hub, socket.0)
    }

    /// Hears of every namespace but `/` when it comes into being, whether by [`Io::of`] or as a
    /// child of a dynamic one.
    pub fn on_new_namespace(self, handler: impl Fn(Namespace<'_>) + 'static) {
        let mut state = self.hub.state.borrow_mut();
        state.listeners += 1;
        let id = ListenerId(state.listeners);
        state.new_namespace.push(id, Rc::new(handler));
    }

    /// The names of all namespaces, in the order in which they were declared or made; dynamic
    /// ones count by their children.
    pub fn namespaces(self) -> Vec<Rc<str>> {
        self.hub.state.borrow().namespaces.names()
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

    /// A broadcast to the sockets of `/` of this server alone.
    pub fn local(self) -> BroadcastOperator<'a> {
        self.main().local()
    }

    /// A broadcast in `/` with or without compression of the polling answers that carry it.
    pub fn compress(self, compress: bool) -> BroadcastOperator<'a> {
        self.main().compress(compress)
    }

    /// A broadcast in `/` whose acknowledgements are waited for no longer than this.
    pub fn timeout(self, timeout: Duration) -> BroadcastOperator<'a> {
        self.main().timeout(timeout)
    }

    /// The same as [`Io::to`].
    pub fn within(self, rooms: impl RoomNames) -> BroadcastOperator<'a> {
        self.to(rooms)
    }

    /// Asks for all sockets of `/`, of all servers; see [`BroadcastOperator::fetch_sockets`].
    pub fn fetch_sockets(
        self,
        callback: impl FnOnce(Io<'_>, Result<Vec<RemoteSocket<'_>>, AdapterError>) + 'static,
    ) {
        self.main().fetch_sockets(callback);
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

    /// The moment of this turn or, between two turns, of the host's last call of the server; to use
    /// up a [`Next`](crate::Next) or an [`Ack`](crate::Ack) that it kept isn't one.
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
    /// and late by at most [`timer_resolution`](crate::config::ReactorConfig::timer_resolution), a
    /// millisecond by default, where the host polls in time. `Duration::MAX` is never.
    pub fn after(self, delay: Duration, run: impl FnOnce(Io<'_>) + 'static) -> TimerId {
        self.hub.after(delay, Box::new(run))
    }

    /// Runs a closure in every period; those missed are skipped. The shortest is
    /// [`timer_resolution`](crate::config::ReactorConfig::timer_resolution), a millisecond.
    pub fn every(self, period: Duration, run: impl Fn(Io<'_>) + 'static) -> TimerId {
        self.hub.every(period, Rc::new(run))
    }

    /// Cancels a timer; `false` if it has run or been cancelled before.
    pub fn cancel(self, timer: TimerId) -> bool {
        self.hub.cancel(timer)
    }

    /// Watches a source of the host's own no longer, and drops it when the handler that calls this
    /// has returned; see [`Server::watch`](crate::Server::watch). It isn't told of again. Of one
    /// that is gone already, this does nothing.
    pub fn unwatch(self, source: SourceId) {
        self.hub.state.borrow_mut().commands.push_back(Command::Unwatch(source.0));
    }

    /// Closes the server when the handler that calls this has returned. What was queued is sent;
    /// every socket leaves with "server shutting down", of which no packet tells; then every
    /// session ends with "forced close": a held GET is answered `1`, a WebSocket gets an empty
    /// close frame. Handshakes that wait for their admission are answered 503. The listeners are
    /// closed in the same moment, so that their ports are free; connections have 2 s for what is
    /// left to write, then `run` returns.
    pub fn close(self) {
        self.hub.state.borrow_mut().commands.push_back(Command::Close);
    }

    /// Hands a parked value back, once.
    pub(crate) fn take_parked(self, key: ParkedKey) -> Option<Box<dyn Any>> {
        self.hub.take_parked(key)
    }

    pub(super) fn count_rejected_acks(self, count: usize) {
        self.hub.state.borrow_mut().counters.acks_rejected += count as u64;
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
