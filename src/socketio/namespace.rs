//! The view of one namespace: where handlers are declared, and where broadcasts begin.

use std::fmt;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Hub;
use super::ack::Ack;
use super::adapter::Emitted;
use super::broadcast::{BroadcastOperator, RoomNames};
use super::declare::{Scope, answering, typed};
use super::handler::{Handlers, ListenerId, Refusal};
use super::namespaces::NamespaceId;
use super::payload::{Args, IntoArgs};
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
    hub: &'a Rc<Hub>,
    id: NamespaceId,
}

#[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
impl<'a> Namespace<'a> {
    pub(super) fn new(hub: &'a Rc<Hub>, id: NamespaceId) -> Self {
        Self { hub, id }
    }

    /// Its name, with the leading slash.
    pub fn name(self) -> Rc<str> {
        Rc::clone(&self.hub.state.borrow().namespaces.get(self.id).name)
    }

    /// Runs before a client is let in, in the order of declaration; the first refusal ends it and
    /// the client gets a `CONNECT_ERROR` (Socket.IO protocol v5, "Connection to a namespace").
    pub fn middleware(
        self,
        middleware: impl Fn(Socket<'_>) -> Result<(), Refusal> + 'static,
    ) -> Self {
        self.declare(|handlers, id| handlers.middlewares.push(id, Rc::new(middleware)))
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
    /// # Panics
    /// As [`Namespace::on`].
    pub fn once<T: DeserializeOwned>(
        self,
        event: &str,
        handler: impl FnOnce(Socket<'_>, T) + 'static,
    ) -> Self {
        self.hub.declare_once(self.own(), event, handler);
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

    /// The connected socket with this id.
    pub fn socket(self, id: &SocketId) -> Option<Socket<'a>> {
        let state = self.hub.state.borrow();
        let key = state.sockets.find(id.as_str())?;
        let entry = state.sockets.get(key)?;
        (entry.namespace == self.id && entry.state.may_join()).then(|| Socket::new(self.hub, key))
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

    /// A broadcast to everybody.
    pub fn all(self) -> BroadcastOperator<'a> {
        BroadcastOperator::new(self.hub, self.id)
    }

    fn own(self) -> Scope {
        Scope::Namespace(self.id)
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
