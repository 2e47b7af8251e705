//! The view of one namespace: where handlers are declared, and where broadcasts begin.

use std::fmt;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Hub;
use super::ack::Ack;
use super::adapter::Emitted;
use super::broadcast::{BroadcastOperator, RoomNames};
use super::handler::{EventHandler, Refusal};
use super::namespaces::NamespaceId;
use super::payload::{Args, IntoArgs};
use super::socket::{Socket, SocketId, assert_not_reserved};
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
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn middleware(
        self,
        middleware: impl Fn(Socket<'_>) -> Result<(), Refusal> + 'static,
    ) -> Self {
        self.handlers(|handlers| handlers.middlewares.push(Rc::new(middleware)))
    }

    /// Runs when a client is in, after its CONNECT reply is queued.
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn on_connect(self, handler: impl Fn(Socket<'_>) + 'static) -> Self {
        self.handlers(|handlers| handlers.connect.push(Rc::new(handler)))
    }

    /// Runs at an event, its arguments parsed: a tuple takes so many arguments, `()` none, any
    /// other type the first one. Arguments of another shape are counted and the handler isn't run.
    ///
    /// # Panics
    /// If the name is reserved; see [`Socket::emit`].
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn on<T: DeserializeOwned>(
        self,
        event: &str,
        handler: impl Fn(Socket<'_>, T) + 'static,
    ) -> Self {
        let hub = Rc::downgrade(self.hub);
        self.on_raw(event, move |socket, args, _| match args.parse() {
            Ok(value) => handler(socket, value),
            Err(_) => count_rejected(&hub),
        })
    }

    /// As [`Namespace::on`]; what the handler returns is the acknowledgement, if one was asked for.
    ///
    /// # Panics
    /// As [`Namespace::on`].
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn on_with_ack<T: DeserializeOwned, R: Serialize>(
        self,
        event: &str,
        handler: impl Fn(Socket<'_>, T) -> R + 'static,
    ) -> Self {
        let hub = Rc::downgrade(self.hub);
        self.on_raw(event, move |socket, args, ack| match args.parse() {
            Ok(value) => {
                let answer = handler(socket, value);
                if let Some(ack) = ack {
                    ack.send(&answer);
                }
            }
            Err(_) => count_rejected(&hub),
        })
    }

    /// Runs at an event, its arguments as they came.
    ///
    /// # Panics
    /// As [`Namespace::on`].
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn on_raw(
        self,
        event: &str,
        handler: impl Fn(Socket<'_>, Args<'_>, Option<Ack>) + 'static,
    ) -> Self {
        assert_not_reserved(event);
        let handler: EventHandler = Rc::new(handler);
        self.handlers(|handlers| handlers.events.entry(event.into()).or_default().push(handler))
    }

    /// Runs when a socket leaves, while its rooms are still there.
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn on_disconnecting(
        self,
        handler: impl Fn(Socket<'_>, DisconnectReason) + 'static,
    ) -> Self {
        self.handlers(|handlers| handlers.disconnecting.push(Rc::new(handler)))
    }

    /// Runs when a socket has left; its rooms are gone, its id and data still there.
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn on_disconnect(self, handler: impl Fn(Socket<'_>, DisconnectReason) + 'static) -> Self {
        self.handlers(|handlers| handlers.disconnect.push(Rc::new(handler)))
    }

    /// The connected socket with this id.
    pub fn socket(self, id: SocketId) -> Option<Socket<'a>> {
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

    fn handlers(self, change: impl FnOnce(&mut super::handler::Handlers)) -> Self {
        change(&mut self.hub.state.borrow_mut().namespaces.get_mut(self.id).handlers);
        self
    }
}

impl fmt::Debug for Namespace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Namespace({})", self.name())
    }
}

fn count_rejected(hub: &std::rc::Weak<Hub>) {
    if let Some(hub) = hub.upgrade() {
        hub.state.borrow_mut().counters.arguments_rejected += 1;
    }
}
