//! The view of one socket that handlers hold: `Copy`, valid while the call lasts.
//!
//! It is an address, not the socket: everything is looked up when it is used. A socket that has
//! left in the meantime answers with nothing and drops what is emitted; that is no error.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::Hub;
use super::ack::AckError;
use super::broadcast::{BroadcastOperator, RoomNames};
use super::emitter::Emitter;
use super::event::{AskId, SocketRef};
use super::handshake::Handshake;
use super::io::Io;
use super::namespace::Namespace;
use super::packet::is_reserved_event;
use super::payload::{Args, IntoArgs};
use super::rooms::{Member, SocketKey};
use super::session::Session;
use super::socket_id::SocketId;
use super::sockets::{SocketEntry, SocketState};
use crate::engineio::{DisconnectReason, Protocol, Transport};
use crate::outbox::{Delivery, Lane};
use crate::slots::SessionKey;

/// One client in one namespace, as a handler sees it.
///
/// ```
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// server.of("/").on_connect(|socket| {
///     socket.join("lobby");
///     socket.to("lobby").emit("joined", &socket.id());
///     socket.emit("welcome", (&socket.id(), &socket.rooms()));
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Socket<'a> {
    pub(super) hub: &'a Rc<Hub>,
    pub(super) key: SocketKey,
}

/// Where what a socket is sent goes.
pub(super) struct Address {
    pub(super) namespace: Rc<str>,
    pub(super) session: SessionKey,
    /// Whether there may be outgoing catch-alls, to be looked for.
    pub(super) may_be_heard: bool,
}

impl<'a> Socket<'a> {
    pub(super) fn new(hub: &'a Rc<Hub>, key: SocketKey) -> Self {
        Self { hub, key }
    }

    /// The id that its client knows.
    pub fn id(self) -> SocketId {
        self.hub.state.borrow().sockets.id(self.key).unwrap_or_default()
    }

    /// Names it between calls; see [`SocketRef`].
    pub fn to_ref(self) -> SocketRef {
        SocketRef(self.key)
    }

    /// Whether it is a member of its namespace: after its middleware, before its `disconnect`.
    pub fn is_connected(self) -> bool {
        self.read(|entry| entry.state == SocketState::Connected).unwrap_or(false)
    }

    /// The server.
    pub fn server(self) -> Io<'a> {
        Io::new(self.hub)
    }

    /// Its namespace.
    pub fn namespace(self) -> Namespace<'a> {
        let id = self.read(|entry| entry.namespace).unwrap_or(super::NamespaceId::NOWHERE);
        Namespace::new(self.hub, id)
    }

    /// How its session speaks at this moment; `None` once it is gone.
    pub fn transport(self) -> Option<Transport> {
        let session = self.read(|entry| entry.session)?;
        self.hub.state.borrow().engine.transport(session)
    }

    /// The revision of Engine.IO that its client speaks; `None` once its session is gone.
    pub fn protocol(self) -> Option<Protocol> {
        let session = self.read(|entry| entry.session)?;
        self.hub.state.borrow().engine.protocol(session)
    }

    /// The Engine.IO session that it shares with the other sockets of its client; `None` once that
    /// is gone and its handlers have been told.
    pub fn session(self) -> Option<Session<'a>> {
        Session::find(self.hub, self.read(|entry| entry.session)?)
    }

    /// More about why it leaves, for `disconnecting` and `disconnect` handlers to log; see
    /// [`Session::close_detail`]. `None` where it is the socket that leaves, not the session.
    pub fn disconnect_detail(self) -> Option<&'static str> {
        self.session()?.close_detail()
    }

    /// What the client brought when it came.
    pub fn handshake(self) -> Handshake {
        let state = self.hub.state.borrow();
        let Some(entry) = state.sockets.get(self.key) else { return Handshake::default() };
        let opening = state.clients.get(entry.session).and_then(|client| client.opening.clone());
        Handshake::new(opening, entry.auth.clone())
    }

    /// Sends an event to its client, `2["name",...]` (Socket.IO protocol v5, "Sending and receiving
    /// data").
    ///
    /// Of `args`, `&value` is one argument, a tuple by value several, `()` none. Queued events
    /// leave in their order in one write at the end of the turn. A value whose `Serialize` fails
    /// is counted and dropped.
    ///
    /// # Panics
    /// If the name is one that sockets emit themselves (`connect`, `connect_error`, `disconnect`,
    /// `disconnecting`, `newListener`, `removeListener`): the host's mistake.
    pub fn emit(self, event: &str, args: impl IntoArgs) -> Delivery {
        Emitter::new(self).emit(event, args)
    }

    /// Emits that are dropped instead of queued while the transport is busy: a GET isn't waiting,
    /// a write fell short, or something was queued for this client in the same tick.
    pub fn volatile(self) -> Emitter<'a> {
        Emitter::new(self).volatile()
    }

    /// Emits with or without compression of the polling answer that carries them.
    pub fn compress(self, compress: bool) -> Emitter<'a> {
        Emitter::new(self).compress(compress)
    }

    /// Emits whose acknowledgement is waited for no longer than this.
    pub fn timeout(self, timeout: Duration) -> Emitter<'a> {
        Emitter::new(self).timeout(timeout)
    }

    /// Sends an event and asks for its acknowledgement, which `callback` gets exactly once, parsed
    /// as the arguments of a handler are, or why there is none. It is called from `poll`; without
    /// [`Socket::timeout`] it may wait as long as the socket stays. What was not sent at all is
    /// told before this returns.
    ///
    /// ```
    /// # use throng::Server;
    /// # use std::time::Duration;
    /// # let server = Server::builder().bind("127.0.0.1:0")?;
    /// server.of("/").on_connect(|socket| {
    ///     let patient = socket.timeout(Duration::from_secs(5));
    ///     patient.emit_with_ack::<String>("name?", (), |socket, answer| match answer {
    ///         Ok(name) => drop(socket.server().emit("here is", &name)),
    ///         Err(_) => socket.disconnect(),
    ///     });
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Panics
    /// As [`Socket::emit`].
    pub fn emit_with_ack<T: DeserializeOwned>(
        self,
        event: &str,
        args: impl IntoArgs,
        callback: impl FnOnce(Socket<'_>, Result<T, AckError>) + 'static,
    ) {
        Emitter::new(self).emit_with_ack(event, args, callback);
    }

    /// As [`Socket::emit_with_ack`], the arguments of the acknowledgement as they came.
    ///
    /// # Panics
    /// As [`Socket::emit`].
    pub fn emit_with_raw_ack(
        self,
        event: &str,
        args: impl IntoArgs,
        callback: impl FnOnce(Socket<'_>, Result<Args<'_>, AckError>) + 'static,
    ) {
        Emitter::new(self).emit_with_raw_ack(event, args, callback);
    }

    /// As [`Socket::emit_with_raw_ack`], the answer told as a value: the
    /// [`Event::Answer`](crate::Event::Answer) of this name, also where the namespace isn't pulled.
    ///
    /// ```
    /// use throng::Event;
    /// use throng::testing::TestServer;
    ///
    /// let mut test = TestServer::new(|server| {
    ///     server.of("/").on_connect(|socket| drop(socket.ask("name?", ())));
    /// });
    /// let alice = test.connect("/").unwrap();
    /// let asked = test.received(alice).remove(0);
    /// test.acknowledge(alice, &asked, "Alice");
    /// let Some(Event::Answer { answer: Ok(args), .. }) = test.next_event() else {
    ///     panic!("she has answered");
    /// };
    /// assert_eq!(args.as_args().parse::<String>().unwrap(), "Alice");
    /// ```
    ///
    /// # Panics
    /// As [`Socket::emit`].
    pub fn ask(self, event: &str, args: impl IntoArgs) -> AskId {
        Emitter::new(self).ask(event, args)
    }

    /// Puts it into a room (or several). After it has left, and beyond the configured number of
    /// rooms, this does nothing.
    pub fn join(self, rooms: impl RoomNames) {
        // The names may come from the host's own code: nothing is borrowed while it runs.
        rooms.for_each(&mut |room| {
            let mut state = self.hub.state.borrow_mut();
            if let Some(member) = state.joining_member(self.key) {
                let joined = state.join_room(member, room);
                state.counters.joins_ignored += u64::from(!joined);
            }
        });
        self.hub.run_effects();
    }

    /// Takes it out of a room (or several).
    pub fn leave(self, rooms: impl RoomNames) {
        rooms.for_each(&mut |room| {
            let mut state = self.hub.state.borrow_mut();
            if state.joining_member(self.key).is_some() {
                state.leave_room(self.key, room);
            }
        });
        self.hub.run_effects();
    }

    /// The rooms it is in, in the order it joined them, without the one that bears its own id.
    pub fn rooms(self) -> Vec<Rc<str>> {
        let state = self.hub.state.borrow();
        let Some(entry) = state.sockets.get(self.key) else { return Vec::new() };
        state.namespaces.get(entry.namespace).rooms.of(self.key)
    }

    /// A broadcast to the members of a room (or several), without this socket.
    pub fn to(self, rooms: impl RoomNames) -> BroadcastOperator<'a> {
        self.broadcast().to(rooms)
    }

    /// The same as [`Socket::to`].
    pub fn within(self, rooms: impl RoomNames) -> BroadcastOperator<'a> {
        self.to(rooms)
    }

    /// A broadcast to all but the members of a room (or several), and this socket.
    pub fn except(self, rooms: impl RoomNames) -> BroadcastOperator<'a> {
        self.broadcast().except(rooms)
    }

    /// A broadcast to the sockets of this server alone, without this socket.
    pub fn local(self) -> BroadcastOperator<'a> {
        self.broadcast().local()
    }

    /// A broadcast to all of its namespace, without this socket.
    pub fn broadcast(self) -> BroadcastOperator<'a> {
        BroadcastOperator::from_socket(self.hub, self.key)
    }

    /// Takes it out of its namespace (Socket.IO protocol v5, "Disconnection from a namespace"): the
    /// client gets a DISCONNECT packet, its handlers run with
    /// [`DisconnectReason::ServerNamespaceDisconnect`] before this returns, the connection stays.
    pub fn disconnect(self) {
        self.hub.disconnect_socket(self.key);
    }

    /// Takes the client out of all its namespaces and closes its connection.
    pub fn disconnect_client(self) {
        self.hub.disconnect_client(self.key);
    }

    /// The host's data of type `T`, kept with the socket, one value of each type; made by `Default`
    /// at the first call.
    ///
    /// ```
    /// # use std::cell::Cell;
    /// # use throng::Server;
    /// # let server = Server::builder().bind("127.0.0.1:0")?;
    /// server.of("/").on("count", |socket, (): ()| {
    ///     let count = socket.data::<Cell<u32>>();
    ///     count.set(count.get() + 1);
    ///     socket.emit("count", &count.get());
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn data<T: Default + 'static>(self) -> Rc<T> {
        let kept = self.read(|entry| {
            let mut data = entry.extras.iter().flat_map(|extras| &extras.data);
            data.find_map(|data| Rc::clone(data).downcast::<T>().ok())
        });
        kept.flatten().unwrap_or_else(|| {
            let data = Rc::new(T::default());
            self.set_data(Rc::clone(&data));
            data
        })
    }

    /// Replaces the host's data of type `T`.
    pub fn set_data<T: 'static>(self, data: Rc<T>) {
        self.hub.set_data(self.key, data);
    }

    fn read<T>(self, read: impl FnOnce(&SocketEntry) -> T) -> Option<T> {
        self.hub.state.borrow().sockets.get(self.key).map(read)
    }
}

impl Hub {
    /// The namespace and session of a socket that may still be sent something.
    pub(super) fn address(&self, key: SocketKey) -> Option<Address> {
        let state = self.state.borrow();
        let entry = state.sockets.get(key).filter(|entry| entry.state.may_emit())?;
        let namespace = state.namespaces.get(entry.namespace);
        Some(Address {
            namespace: Rc::clone(&namespace.name),
            session: entry.session,
            may_be_heard: namespace.hears_outgoing && !self.tells_outgoing.get(),
        })
    }

    pub(super) fn disconnect_socket(self: &Rc<Self>, key: SocketKey) {
        let Some(Address { namespace, session, .. }) = self.address(key) else { return };
        let message = self.format.encode_disconnect(&namespace);
        {
            let state = &mut *self.state.borrow_mut();
            // A parser of the host's own may have done the same meanwhile.
            if !state.sockets.get(key).is_some_and(|entry| entry.state.may_emit()) {
                return;
            }
            state.outboxes.push(session, &message, Lane::Soon);
            if let Some(client) = state.clients.get_mut(session) {
                client.left_in_tick = state.outboxes.tick();
            }
        }
        self.close_socket(key, DisconnectReason::ServerNamespaceDisconnect);
    }

    pub(super) fn disconnect_client(self: &Rc<Self>, key: SocketKey) {
        let session = self.state.borrow().sockets.get(key).map(|entry| entry.session);
        let Some(session) = session else { return };
        for key in self.sockets_of(session) {
            self.disconnect_socket(key);
        }
        self.close_client(session);
    }
}

impl super::State {
    /// The socket as a member, while it may join and leave rooms.
    fn joining_member(&self, key: SocketKey) -> Option<Member> {
        let entry = self.sockets.get(key).filter(|entry| entry.state.may_join())?;
        Some(Member { socket: key, session: entry.session })
    }
}

impl fmt::Debug for Socket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Socket({})", self.id())
    }
}

/// The host's misuse, not the peer's: a handler that forwards names from outside checks them.
pub(crate) fn assert_not_reserved(event: &str) {
    assert!(!is_reserved_event(event), "\"{event}\" is a reserved event name");
}
