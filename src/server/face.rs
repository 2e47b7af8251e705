//! The face of a server towards its host: where handlers, routes and endpoints are declared, and
//! what can be asked of it between two turns.

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;
use std::time::Duration;

use super::{Closing, Server};
use crate::admission::{ConnectionError, Decision};
use crate::app::HttpApp;
use crate::bare::EngineApp;
use crate::client_files::ClientFiles;
use crate::counters::ReactorCounters;
use crate::endpoint::{WebSocket, WebSocketEvent};
use crate::handle::Handle;
use crate::http::Request;
use crate::reactor::net::Net;
use crate::socketio::adapter::{Adapter, AdapterMaker};
use crate::socketio::payload::IntoArgs;
use crate::socketio::{
    BroadcastOperator, Emitted, Handshake, Io, Namespace, NamespaceDecision, PatternError,
    RoomNames, Session, SessionId,
};

impl<N: Net> Server<N> {
    /// The view that handlers have too; see there.
    pub fn io(&self) -> Io<'_> {
        self.begin_host_tick();
        Io::new(&self.hub)
    }

    /// A namespace, declared by this call if it was not before; see [`Io::of`].
    pub fn of(&self, name: &str) -> Namespace<'_> {
        self.io().of(name)
    }

    /// A dynamic namespace by a pattern; see [`Io::of_pattern`].
    pub fn of_pattern(&self, pattern: &str) -> Result<Namespace<'_>, PatternError> {
        self.io().of_pattern(pattern)
    }

    /// A dynamic namespace by a decision; see [`Io::of_dynamic`].
    pub fn of_dynamic(&self, allows: impl Fn(&str, &Handshake) -> bool + 'static) -> Namespace<'_> {
        self.io().of_dynamic(allows)
    }

    /// A dynamic namespace by a decision that comes later; see [`Io::of_deferred`].
    pub fn of_deferred(
        &self,
        decide: impl Fn(Io<'_>, &str, &Handshake, NamespaceDecision) + 'static,
    ) -> Namespace<'_> {
        self.io().of_deferred(decide)
    }

    /// Hears of namespaces that come into being; see [`Io::on_new_namespace`].
    pub fn on_new_namespace(&self, handler: impl Fn(Namespace<'_>) + 'static) {
        self.io().on_new_namespace(handler);
    }

    /// The attached HTTP application: it gets what isn't Engine.IO's; see [`HttpApp`].
    pub fn http(&self) -> HttpApp<'_> {
        self.app.declare()
    }

    /// Engine.IO's sessions, with Socket.IO or bare: their events, and hooks into their making; see
    /// [`EngineApp`].
    pub fn engine(&self) -> EngineApp<'_> {
        self.bare.declare()
    }

    /// A session by what [`Session::id`] told; `None` once it has ended.
    pub fn session(&self, id: SessionId) -> Option<Session<'_>> {
        let session = Session::new(&self.hub, id);
        session.transport().map(|_| session)
    }

    /// A raw WebSocket endpoint (RFC 6455) on a path (`*`: on any), with messages of up to so many
    /// bytes; a larger one closes it with 1009. Engine.IO's own path comes first.
    ///
    /// ```
    /// use throng::{Server, WebSocketEvent};
    ///
    /// let server = Server::builder().bind("127.0.0.1:0")?;
    /// server.websocket("/echo", 1024 * 1024, |socket, event| match event {
    ///     WebSocketEvent::Text(text) => socket.send_text(text),
    ///     WebSocketEvent::Binary(bytes) => socket.send_binary(bytes),
    ///     _ => {}
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn websocket(
        &self,
        path: &str,
        message_bytes_max: usize,
        handler: impl Fn(WebSocket<'_>, WebSocketEvent<'_>) + 'static,
    ) {
        self.endpoints.add(path, message_bytes_max, handler);
    }

    /// Decides about every handshake before a session is opened, at once or later. Requests of
    /// sessions that exist aren't asked about.
    ///
    /// ```
    /// use throng::Server;
    ///
    /// let mut server = Server::builder().bind("127.0.0.1:0")?;
    /// server.allow_request(|_, request, decision| match request.header("x-key") {
    ///     Some("secret") => decision.allow(),
    ///     _ => decision.refuse("no key"),
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn allow_request(&mut self, admission: impl Fn(Io<'_>, &Request, Decision) + 'static) {
        self.admission = Some(Rc::new(admission));
    }

    /// Hears of every request to Engine.IO that is refused, and why.
    ///
    /// ```
    /// use throng::Server;
    ///
    /// let mut server = Server::builder().bind("127.0.0.1:0")?;
    /// server.on_connection_error(|request, error| {
    ///     eprintln!("{}: {error}", request.target());
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn on_connection_error(&mut self, handler: impl Fn(&Request, &ConnectionError) + 'static) {
        self.error_handler = Some(Rc::new(handler));
    }

    /// Serves the JavaScript client's own files, or serves them no longer; see
    /// [`Builder::client_files`](crate::Builder::client_files).
    pub fn serve_client(&mut self, files: Option<ClientFiles>) {
        self.client_files = files;
    }

    /// Gives each namespace, now and later, an adapter of its own, made by its name: before clients
    /// come. A server that is bound takes one by [`Builder::adapter`](crate::Builder::adapter).
    pub fn set_adapter(&mut self, make: impl Fn(&str) -> Box<dyn Adapter> + 'static) {
        self.begin_host_tick();
        self.hub.set_adapter(AdapterMaker::new(make));
    }

    /// What other threads hold to run closures in this server's loop; see [`Handle`].
    pub fn handle(&self) -> Handle {
        self.mailbox.handle(self.reactor.net().waker())
    }

    /// The TCP addresses that are listened on; where port 0 was asked for, the port that was given.
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What the reactor has counted so far.
    pub fn reactor_counters(&self) -> &ReactorCounters {
        &self.reactor.counters
    }

    /// How many connections are open, HTTP and WebSocket.
    pub fn connections_len(&self) -> usize {
        self.reactor.connections_len()
    }

    /// How many connections may be open at a time.
    pub fn connections_max(&self) -> usize {
        self.reactor.connections_max()
    }

    pub(crate) fn net(&self) -> &N {
        self.reactor.net()
    }

    /// The network, for a simulation to look into; see [`net`](crate::net).
    pub fn net_mut(&mut self) -> &mut N {
        self.reactor.net_mut()
    }

    /// Whether the server was closed and everything has ended.
    pub fn is_closed(&self) -> bool {
        self.closing == Closing::Closed
    }

    /// One call of the host between two polls is one tick, as far as `volatile` is concerned, and
    /// a moment of its own: a timer it starts must not be early by what the host did since.
    pub(super) fn begin_host_tick(&self) {
        let state = &mut *self.hub.state.borrow_mut();
        // What the host sets a timer by is this moment, not that of the last turn.
        state.now = (self.clock)();
        state.outboxes.begin_tick();
    }
}

/// What the host asks for most, without `io()` before it.
impl<N: Net> Server<N> {
    /// Emits to everybody in `/`.
    ///
    /// # Panics
    /// As [`Socket::emit`](crate::Socket::emit).
    pub fn emit(&self, event: &str, args: impl IntoArgs) -> Emitted {
        self.io().emit(event, args)
    }

    /// A broadcast to the members of a room (or several) of `/`.
    pub fn to(&self, rooms: impl RoomNames) -> BroadcastOperator<'_> {
        self.io().to(rooms)
    }

    /// A broadcast to all of `/` but the members of a room (or several).
    pub fn except(&self, rooms: impl RoomNames) -> BroadcastOperator<'_> {
        self.io().except(rooms)
    }

    /// A broadcast in `/` that is dropped where a transport is busy.
    pub fn volatile(&self) -> BroadcastOperator<'_> {
        self.io().volatile()
    }

    /// A broadcast to the sockets of `/` of this server alone.
    pub fn local(&self) -> BroadcastOperator<'_> {
        self.io().local()
    }

    /// A broadcast in `/` whose acknowledgements are waited for no longer than this.
    pub fn timeout(&self, timeout: Duration) -> BroadcastOperator<'_> {
        self.io().timeout(timeout)
    }

    /// Closes the server; see [`Io::close`]. Poll on until [`Server::is_closed`].
    pub fn close(&self) {
        self.io().close();
    }
}

impl AsRawFd for Server {
    /// The epoll descriptor: readable when `poll` has work that came from outside; it nests in
    /// any event loop and stays the same for life. Wait for it no longer than until
    /// [`Server::next_deadline`].
    fn as_raw_fd(&self) -> RawFd {
        self.reactor.net().as_raw_fd()
    }
}

impl AsFd for Server {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reactor.net().as_fd()
    }
}

impl<N: Net> fmt::Debug for Server<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("addresses", &self.addresses)
            .field("connections", &self.connections_len())
            .finish_non_exhaustive()
    }
}
