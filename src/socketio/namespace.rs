//! The view of one namespace: where handlers are declared, and where broadcasts begin.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Hub;
use super::ack::Ack;
use super::adapter::{AdapterError, Emitted};
use super::broadcast::{BroadcastOperator, RoomNames};
use super::declare::{answering, typed};
use super::deferred::Next;
use super::handler::{Handlers, ListenerId, Middleware, Refusal, SocketError};
use super::io::Io;
use super::namespaces::NamespaceId;
use super::payload::{Args, IntoArgs};
use super::pulled::pulled_middleware;
use super::remote_socket::RemoteSocket;
use super::socket::Socket;
use super::socket_id::SocketId;
use crate::engineio::DisconnectReason;

/// A namespace of a server, `of("/chat")`.
///
/// Handlers belong to the namespace and serve all its sockets; they may be declared at any time,
/// also inside handlers. They need not be `Send`. What a handler panics with costs the session it
/// ran for, and no other: the panic is caught, counted and the session closed.
///
/// ```
/// use throng::{Refusal, Server};
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// server
///     .of("/chat")
///     .middleware(|socket| match socket.handshake().query("token") {
///         Some(_) => Ok(()),
///         None => Err(Refusal::new("no token")),
///     })
///     .on_connect(|socket| socket.join("lobby"))
///     .on("message", |socket, text: String| {
///         socket.to("lobby").emit("message", &text);
///     })
///     .on_with_ack("add", |_, (a, b): (i64, i64)| a + b)
///     .on_raw("echo", |socket, args, ack| match ack {
///         Some(ack) => ack.send(args),
///         None => {
///             socket.emit("echo", args);
///         }
///     })
///     .on_disconnecting(|socket, reason| println!("{reason}: {:?}", socket.rooms()))
///     .on_disconnect(|socket, _| println!("{} left", socket.id()));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Namespace<'a> {
    pub(super) hub: &'a Rc<Hub>,
    pub(super) id: NamespaceId,
}

#[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
impl<'a> Namespace<'a> {
    pub(super) fn new(hub: &'a Rc<Hub>, id: NamespaceId) -> Self {
        Self { hub, id }
    }

    /// The server.
    pub fn server(self) -> Io<'a> {
        Io::new(self.hub)
    }

    /// Its name, with the leading slash; of one that has gone nothing.
    pub fn name(self) -> Rc<str> {
        Rc::clone(&self.hub.state.borrow().namespaces.get(self.id).name)
    }

    /// Runs before a client is let in, in the order of declaration; the first refusal ends it and
    /// the client gets a `CONNECT_ERROR` (Socket.IO protocol v5, "Connection to a namespace").
    pub fn middleware(
        self,
        middleware: impl Fn(Socket<'_>) -> Result<(), Refusal> + 'static,
    ) -> Self {
        let middleware = Middleware::AtOnce(Rc::new(middleware));
        self.declare(|handlers, id| handlers.middlewares.push(id, middleware))
    }

    /// As [`Namespace::middleware`], in order with those, but its answer may come later: from a
    /// timer, another handler or, by [`Handle::remote_next`](crate::Handle::remote_next), another
    /// thread.
    ///
    /// Until then its socket is no member; what it is sent goes out before the CONNECT reply. The
    /// connect timeout runs on. A client that speaks to the namespace before it is in has its
    /// connection closed; one that asks a second time may get in twice, as in the reference.
    ///
    /// ```
    /// use throng::{Refusal, Server};
    ///
    /// let server = Server::builder().bind("127.0.0.1:0")?;
    /// let handle = server.handle();
    /// server.of("/").middleware_deferred(move |socket, next| {
    ///     let token = socket.handshake().query("token").map(String::from);
    ///     let next = handle.remote_next(next);
    ///     std::thread::spawn(move || match token.as_deref() {
    ///         Some("secret") => next.allow(),
    ///         _ => next.refuse(Refusal::new("unauthorized")),
    ///     });
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn middleware_deferred(self, middleware: impl Fn(Socket<'_>, Next) + 'static) -> Self {
        let middleware = Middleware::Deferred(Rc::new(middleware));
        self.declare(|handlers, id| handlers.middlewares.push(id, middleware))
    }

    /// Runs when a client is in, after its CONNECT reply is queued.
    pub fn on_connect(self, handler: impl Fn(Socket<'_>) + 'static) -> Self {
        self.declare(|handlers, id| handlers.connect.push(id, Rc::new(handler)))
    }

    /// Runs at an event, its arguments parsed: a tuple takes so many arguments, `()` none, any
    /// other type the first one. Arguments of another shape are counted and the handler isn't run.
    ///
    /// # Panics
    /// If the name is reserved; see [`Socket::emit`].
    pub fn on<T: DeserializeOwned>(
        self,
        event: &str,
        handler: impl Fn(Socket<'_>, T) + 'static,
    ) -> Self {
        self.add_listener(event, handler);
        self
    }

    /// As [`Namespace::on`]; what the handler returns is the acknowledgement, if one was asked for.
    ///
    /// # Panics
    /// As [`Namespace::on`].
    pub fn on_with_ack<T: DeserializeOwned, R: Serialize>(
        self,
        event: &str,
        handler: impl Fn(Socket<'_>, T) -> R + 'static,
    ) -> Self {
        self.hub.declare_event(self.own(), event, answering(handler));
        self
    }

    /// Runs at an event, its arguments as they came.
    ///
    /// # Panics
    /// As [`Namespace::on`].
    pub fn on_raw(
        self,
        event: &str,
        handler: impl Fn(Socket<'_>, Args<'_>, Option<Ack>) + 'static,
    ) -> Self {
        self.hub.declare_event(self.own(), event, Rc::new(handler));
        self
    }

    /// As [`Namespace::on`], for the first such event alone, of whichever socket it comes: the
    /// handler is taken back just before it runs. For the first of each socket, declare it on the
    /// socket ([`Socket::once`]). Arguments of another shape leave it where it is.
    ///
    /// Declared on a dynamic namespace ([`Io::of_pattern`]) it runs once in each of its children.
    ///
    /// # Panics
    /// As [`Namespace::on`].
    pub fn once<T: DeserializeOwned>(
        self,
        event: &str,
        handler: impl Fn(Socket<'_>, T) + 'static,
    ) -> Self {
        self.hub.declare_once_on_namespace(self.id, event, handler);
        self
    }

    /// As [`Namespace::on`], to be taken back by [`Namespace::remove_listener`].
    ///
    /// # Panics
    /// As [`Namespace::on`].
    pub fn add_listener<T: DeserializeOwned>(
        self,
        event: &str,
        handler: impl Fn(Socket<'_>, T) + 'static,
    ) -> ListenerId {
        self.hub.declare_event(self.own(), event, typed(handler))
    }

    /// Takes back what was declared on this namespace; `false` if that was done before, or it was
    /// declared elsewhere. An event that is being handled at this moment still reaches it.
    pub fn remove_listener(self, listener: ListenerId) -> bool {
        self.hub.remove_listener(self.own(), listener)
    }

    /// Takes back all handlers of an event that were declared on this namespace.
    pub fn remove_all_listeners(self, event: &str) {
        self.hub.remove_all_listeners(self.own(), event);
    }

    /// Sees every event, its name and arguments, before event middlewares and handlers do, those
    /// included for which no handler is declared. Acknowledgements aren't events.
    pub fn on_any(self, handler: impl Fn(Socket<'_>, &str, Args<'_>) + 'static) -> Self {
        self.declare(|handlers, id| handlers.any.push(id, Rc::new(handler)))
    }

    /// As [`Namespace::on_any`], before those declared so far.
    pub fn prepend_any(self, handler: impl Fn(Socket<'_>, &str, Args<'_>) + 'static) -> Self {
        self.declare(|handlers, id| handlers.any.prepend(id, Rc::new(handler)))
    }

    /// Sees every event that a socket is sent: before it is queued where it was emitted to this
    /// socket, after it where it is a broadcast that reaches it, or clients recover what they
    /// missed: then the offset is its last argument. Acknowledgements aren't seen.
    ///
    /// What is emitted while one runs is seen by none, this one included: it would never end. (In
    /// the reference it doesn't.) A namespace that has one writes the arguments of each event down
    /// twice.
    ///
    /// ```
    /// use throng::Server;
    ///
    /// let server = Server::builder().bind("127.0.0.1:0")?;
    /// server.of("/").on_any_outgoing(|socket, event, args| {
    ///     println!("{} < {event} {}", socket.id(), args.json());
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn on_any_outgoing(self, handler: impl Fn(Socket<'_>, &str, Args<'_>) + 'static) -> Self {
        self.declare(|handlers, id| handlers.any_outgoing.push(id, Rc::new(handler)))
    }

    /// As [`Namespace::on_any_outgoing`], before those declared so far.
    pub fn prepend_any_outgoing(
        self,
        handler: impl Fn(Socket<'_>, &str, Args<'_>) + 'static,
    ) -> Self {
        self.declare(|handlers, id| handlers.any_outgoing.prepend(id, Rc::new(handler)))
    }

    /// Decides about every event before its handlers run, in the order of declaration, those of
    /// the namespace before the socket's own. The first refusal ends it: [`Namespace::on_error`]
    /// hears of it, the client doesn't, and an acknowledgement it asked for isn't sent.
    ///
    /// ```
    /// use throng::{Refusal, Server};
    ///
    /// let server = Server::builder().bind("127.0.0.1:0")?;
    /// server
    ///     .of("/")
    ///     .event_middleware(|_, event, args| match event {
    ///         "shout" if args.len() > 1 => Err(Refusal::new("one at a time")),
    ///         _ => Ok(()),
    ///     })
    ///     .on_error(|socket, refusal| {
    ///         socket.emit("refused", refusal.message());
    ///     });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn event_middleware(
        self,
        middleware: impl Fn(Socket<'_>, &str, Args<'_>) -> Result<(), Refusal> + 'static,
    ) -> Self {
        self.declare(|handlers, id| handlers.event_middlewares.push(id, Rc::new(middleware)))
    }

    /// Hears of events that an event middleware refused, and of what its client sent that is no
    /// packet, for which the client's connection is closed next. See [`SocketError`].
    pub fn on_error(self, handler: impl Fn(Socket<'_>, &SocketError) + 'static) -> Self {
        self.declare(|handlers, id| handlers.error.push(id, Rc::new(handler)))
    }

    /// Runs when a socket leaves, while its rooms are still there.
    pub fn on_disconnecting(
        self,
        handler: impl Fn(Socket<'_>, DisconnectReason) + 'static,
    ) -> Self {
        self.declare(|handlers, id| handlers.disconnecting.push(id, Rc::new(handler)))
    }

    /// Runs when a socket has left; its rooms are gone, its id and data still there.
    pub fn on_disconnect(self, handler: impl Fn(Socket<'_>, DisconnectReason) + 'static) -> Self {
        self.declare(|handlers, id| handlers.disconnect.push(id, Rc::new(handler)))
    }

    /// Runs when more than [`high_water_bytes`] wait for a socket's client after a write was tried,
    /// with how many do, and not again before [`Namespace::on_low_water`] has. Of a namespace that
    /// is pulled that is told as [`Event::HighWater`](crate::Event::HighWater), too.
    ///
    /// It runs at the end of a turn; what it sends leaves with the next one. Every socket of the
    /// client is told, since they share one connection.
    ///
    /// ```
    /// use throng::Server;
    /// use throng::config::Config;
    ///
    /// let mut config = Config::default();
    /// config.outgoing.high_water_bytes = Some(64 * 1024);
    /// let server = Server::builder().config(config).bind("127.0.0.1:0")?;
    /// server
    ///     .of("/")
    ///     .on_high_water(|socket, bytes| {
    ///         println!("{bytes} bytes wait for {}", socket.id());
    ///         socket.leave("live");
    ///     })
    ///     .on_low_water(|socket| socket.join("live"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// [`high_water_bytes`]: crate::config::OutgoingLimits::high_water_bytes
    pub fn on_high_water(self, handler: impl Fn(Socket<'_>, usize) + 'static) -> Self {
        self.declare(|handlers, id| handlers.high_water.push(id, Rc::new(handler)))
    }

    /// Runs when, after [`Namespace::on_high_water`], no more than
    /// [`low_water_bytes`](crate::config::OutgoingLimits::low_water_bytes) wait any longer.
    pub fn on_low_water(self, handler: impl Fn(Socket<'_>) + 'static) -> Self {
        self.declare(|handlers, id| handlers.low_water.push(id, Rc::new(handler)))
    }

    /// From now on its connects, events and disconnects are told as values, for
    /// [`Server::next_event`](crate::Server::next_event), beside whatever handlers are declared.
    ///
    /// An event is told before its handlers run, and shares its acknowledgement with them: the
    /// first answer is sent. What a middleware refuses isn't told. A host that has begun to pull
    /// goes on: events that nobody pulls fill their queue, and then no further message is read
    /// ([`SocketConfig::pulled_events_max`](crate::config::SocketConfig::pulled_events_max)).
    ///
    /// ```
    /// use std::time::Duration;
    /// use throng::{Event, Server};
    ///
    /// let mut server = Server::builder().bind("127.0.0.1:0")?;
    /// server.of("/").pull();
    /// server.poll(Some(Duration::ZERO))?;
    /// while let Some(event) = server.next_event() {
    ///     if let Event::Message(message) = event {
    ///         println!("{:?}: {}", message.socket(), message.name());
    ///     }
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn pull(self) -> Self {
        self.declare(|handlers, _| handlers.is_pulled = true)
    }

    /// As [`Namespace::middleware_deferred`], the decision told as a value:
    /// [`Event::Connecting`](crate::Event::Connecting).
    ///
    /// ```
    /// use throng::testing::{Connect, TestServer};
    /// use throng::{Event, Refusal};
    ///
    /// let mut test = TestServer::new(|server| {
    ///     server.of("/").pull().pull_middleware();
    /// });
    /// let alice = test.start_connect(Connect::to("/"));
    /// while let Some(event) = test.next_event() {
    ///     if let Event::Connecting { socket, next, .. } = event {
    ///         match test.server().socket(socket).handshake().query("token") {
    ///             Some(_) => next.allow(),
    ///             None => next.refuse(Refusal::new("no token")),
    ///         }
    ///     }
    /// }
    /// assert!(test.outcome(alice).is_err());
    /// ```
    pub fn pull_middleware(self) -> Self {
        self.declare(|handlers, id| handlers.middlewares.push(id, pulled_middleware()))
    }

    /// The connected socket with this id.
    pub fn socket(self, id: &SocketId) -> Option<Socket<'a>> {
        let state = self.hub.state.borrow();
        let key = state.sockets.find(id.as_str())?;
        let entry = state.sockets.get(key)?;
        (entry.namespace == self.id && entry.state.may_join()).then(|| Socket::new(self.hub, key))
    }

    /// The connected sockets, those of this server, in no order that means something.
    ///
    /// ```
    /// # use throng::Server;
    /// # let server = Server::builder().bind("127.0.0.1:0")?;
    /// for socket in server.of("/").sockets() {
    ///     socket.emit("your rooms", &socket.rooms());
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn sockets(self) -> Vec<Socket<'a>> {
        let state = self.hub.state.borrow();
        let members = state.namespaces.get(self.id).members.iter();
        members.map(|member| Socket::new(self.hub, member.socket)).collect()
    }

    /// How many sockets are connected.
    pub fn sockets_len(self) -> usize {
        self.hub.state.borrow().namespaces.get(self.id).members.len()
    }

    /// The members of one room.
    pub fn room(self, room: &str) -> Vec<SocketId> {
        self.to(room).local_sockets()
    }

    /// How many rooms there are, those that bear a socket's own id not counted.
    pub fn rooms_len(self) -> usize {
        self.hub.state.borrow().namespaces.get(self.id).rooms.len()
    }

    /// Emits to everybody in the namespace.
    ///
    /// # Panics
    /// As [`Socket::emit`].
    pub fn emit(self, event: &str, args: impl IntoArgs) -> Emitted {
        self.all().emit(event, args)
    }

    /// A broadcast to the members of a room (or several).
    pub fn to(self, rooms: impl RoomNames) -> BroadcastOperator<'a> {
        self.all().to(rooms)
    }

    /// A broadcast to all but the members of a room (or several).
    pub fn except(self, rooms: impl RoomNames) -> BroadcastOperator<'a> {
        self.all().except(rooms)
    }

    /// A broadcast that is dropped where a transport is busy.
    pub fn volatile(self) -> BroadcastOperator<'a> {
        self.all().volatile()
    }

    /// A broadcast to the sockets of this server alone.
    pub fn local(self) -> BroadcastOperator<'a> {
        self.all().local()
    }

    /// A broadcast with or without compression of the polling answers that carry it.
    pub fn compress(self, compress: bool) -> BroadcastOperator<'a> {
        self.all().compress(compress)
    }

    /// A broadcast whose acknowledgements are waited for no longer than this.
    pub fn timeout(self, timeout: Duration) -> BroadcastOperator<'a> {
        self.all().timeout(timeout)
    }

    /// The same as [`Namespace::to`].
    pub fn within(self, rooms: impl RoomNames) -> BroadcastOperator<'a> {
        self.to(rooms)
    }

    /// Asks for all sockets of the namespace, of all servers; see
    /// [`BroadcastOperator::fetch_sockets`].
    pub fn fetch_sockets(
        self,
        callback: impl FnOnce(Io<'_>, Result<Vec<RemoteSocket<'_>>, AdapterError>) + 'static,
    ) {
        self.all().fetch_sockets(callback);
    }

    /// Puts all sockets of the namespace into a room (or several).
    pub fn sockets_join(self, rooms: impl RoomNames) {
        self.all().sockets_join(rooms);
    }

    /// Takes all sockets of the namespace out of a room (or several).
    pub fn sockets_leave(self, rooms: impl RoomNames) {
        self.all().sockets_leave(rooms);
    }

    /// Disconnects all sockets of the namespace.
    pub fn disconnect_sockets(self) {
        self.all().disconnect_sockets();
    }

    /// Disconnects the clients of all sockets of the namespace.
    pub fn disconnect_clients(self) {
        self.all().disconnect_clients();
    }

    /// A broadcast to everybody.
    pub fn all(self) -> BroadcastOperator<'a> {
        BroadcastOperator::new(self.hub, self.id)
    }

    fn declare(self, add: impl FnOnce(&mut Handlers, ListenerId)) -> Self {
        self.hub.declare(self.own(), add);
        self
    }
}

impl fmt::Debug for Namespace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Namespace({})", self.name())
    }
}
