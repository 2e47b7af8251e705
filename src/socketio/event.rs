//! What happens, as values: what a host gets that pulls instead of giving closures.
//!
//! An event owns all it holds and borrows nothing of the server, so that the host may keep it, and
//! hold whatever it likes `&mut` beside it. Sockets stand in it as small copyable names.
//!
//! ```text
//! 42["move",{"x":1}]    ->    Event::Message: "move", {"x":1}
//! ```

use std::fmt;
use std::rc::Rc;

use serde::de::DeserializeOwned;

use super::ack::{Ack, AckError};
use super::deferred::Next;
use super::payload::{Args, ArgsError, IntoArgs, OwnedArgs};
use super::rooms::SocketKey;
use super::socket_id::SocketId;
use crate::engineio::DisconnectReason;
use crate::source::{Readiness, SourceId};

/// Names a socket between calls: small, `Copy`, and good as the key of a map.
///
/// [`Server::socket`](crate::Server::socket) makes a view of it at the cost of nothing. Kept for
/// too long it finds nothing, never another socket. It isn't the id that clients know
/// ([`Socket::id`](crate::Socket::id)), and means nothing on another server.
///
/// ```
/// use std::collections::HashMap;
/// use throng::testing::TestServer;
/// use throng::{Event, SocketRef};
///
/// let mut test = TestServer::new(|server| {
///     server.of("/").pull();
/// });
/// let alice = test.connect("/").unwrap();
/// let mut scores: HashMap<SocketRef, u32> = HashMap::new();
/// while let Some(event) = test.next_event() {
///     if let Event::Connected(socket) = event {
///         assert_eq!(test.server().socket(socket).id().as_str(), test.id(alice));
///         scores.insert(socket, 0);
///     }
/// }
/// assert_eq!(scores.len(), 1);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketRef(pub(super) SocketKey);

/// Names a question to a client, until its [`Event::Answer`] comes; see
/// [`Socket::ask`](crate::Socket::ask).
///
/// ```
/// use std::collections::HashMap;
/// use throng::testing::TestServer;
/// use throng::{AskId, Event};
///
/// let mut test = TestServer::new(|server| {
///     server.of("/").pull();
/// });
/// let alice = test.connect("/").unwrap();
/// let mut asked: HashMap<AskId, &str> = HashMap::new();
/// while let Some(event) = test.next_event() {
///     if let Event::Connected(socket) = event {
///         asked.insert(test.server().socket(socket).ask("name?", ()), "her name");
///     }
/// }
/// assert_eq!(asked.len(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AskId(pub(super) u64);

/// Something that happened, pulled by [`Server::next_event`](crate::Server::next_event) in the
/// order in which it did.
///
/// Events of sockets come from namespaces that are pulled
/// ([`Namespace::pull`](crate::Namespace::pull)); answers come to whoever has asked.
///
/// ```
/// use throng::testing::{TestServer, event};
/// use throng::{Event, Server, SocketRef};
///
/// /// Nothing in it is in a cell.
/// #[derive(Default)]
/// struct World {
///     players: Vec<SocketRef>,
/// }
///
/// impl World {
///     fn apply<N: throng::net::Net>(&mut self, server: &Server<N>, event: Event) {
///         match event {
///             Event::Connected(socket) => self.players.push(socket),
///             Event::Message(message) if message.name() == "shout" => {
///                 let Ok(text) = message.parse::<String>() else { return };
///                 for &player in &self.players {
///                     server.socket(player).emit("shout", &text);
///                 }
///             }
///             Event::Disconnected { socket, .. } => self.players.retain(|&one| one != socket),
///             _ => {}
///         }
///     }
/// }
///
/// let mut test = TestServer::new(|server| {
///     server.of("/").pull();
/// });
/// let alice = test.connect("/").unwrap();
/// test.emit(alice, "shout", "hi");
/// let mut world = World::default();
/// while let Some(event) = test.next_event() {
///     world.apply(test.server(), event);
/// }
/// assert_eq!(test.received(alice), [event("shout", "hi")]);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A client asks to get in, and waits until `next` is used up; dropped, it refuses. Only with
    /// [`Namespace::pull_middleware`](crate::Namespace::pull_middleware).
    #[non_exhaustive]
    Connecting {
        /// Who: it isn't a member yet, but its handshake can be looked at.
        socket: SocketRef,
        /// The decision.
        next: Next,
    },
    /// A client is in; its CONNECT reply is queued.
    Connected(SocketRef),
    /// A client has sent an event.
    Message(MessageEvent),
    /// A socket has left: its rooms and its data are gone, and views of it find nothing.
    #[non_exhaustive]
    Disconnected {
        /// Who.
        socket: SocketRef,
        /// The id that its client knew.
        id: SocketId,
        /// Why.
        reason: DisconnectReason,
    },
    /// A client has answered what it was asked by [`Socket::ask`](crate::Socket::ask), or there
    /// will be no answer. Comes once for each that was asked, unless the server ends before.
    #[non_exhaustive]
    Answer {
        /// What was asked.
        ask: AskId,
        /// Who.
        socket: SocketRef,
        /// The arguments of the acknowledgement, or why there are none.
        answer: Result<OwnedArgs, AckError>,
    },
    /// More than [`high_water_bytes`](crate::config::OutgoingLimits::high_water_bytes) wait for a
    /// socket's client after a write was tried; see
    /// [`Namespace::on_high_water`](crate::Namespace::on_high_water).
    #[non_exhaustive]
    HighWater {
        /// Who.
        socket: SocketRef,
        /// How many did at that moment.
        bytes: usize,
    },
    /// After [`Event::HighWater`] little waits any longer, or nothing.
    LowWater(SocketRef),
    /// A source of the host's own has become ready; see
    /// [`Server::register`](crate::Server::register).
    #[non_exhaustive]
    Source {
        /// The host's word for it.
        token: u64,
        /// What it has become since it was told of last.
        readiness: Readiness,
        /// The server's name for it.
        source: SourceId,
    },
}

/// An event of a client: its name and arguments, and what answers it.
///
/// ```
/// use throng::testing::TestServer;
/// use throng::Event;
///
/// let mut test = TestServer::new(|server| {
///     server.of("/").pull();
/// });
/// let alice = test.connect("/").unwrap();
/// let asking = test.ask(alice, "add", (&1, &2));
/// while let Some(event) = test.next_event() {
///     if let Event::Message(message) = event {
///         assert_eq!((message.namespace(), message.name()), ("/", "add"));
///         if let Ok((a, b)) = message.parse::<(i64, i64)>() {
///             message.answer(&(a + b));
///         }
///     }
/// }
/// assert_eq!(test.answer::<i64>(asking), Ok(3));
/// ```
pub struct MessageEvent {
    socket: SocketRef,
    namespace: Rc<str>,
    name: Box<str>,
    args: OwnedArgs,
    ack: Option<Ack>,
}

impl Event {
    /// Whose event it is; `None` of one that isn't a socket's.
    pub fn socket(&self) -> Option<SocketRef> {
        match self {
            Self::Connecting { socket, .. }
            | Self::Connected(socket)
            | Self::HighWater { socket, .. }
            | Self::LowWater(socket)
            | Self::Message(MessageEvent { socket, .. })
            | Self::Disconnected { socket, .. }
            | Self::Answer { socket, .. } => Some(*socket),
            Self::Source { .. } => None,
        }
    }

    /// The bytes of what a client sent; the rest counts by number.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Message(message) => message.name.len() + message.args.bytes(),
            Self::Answer { answer: Ok(args), .. } => args.bytes(),
            _ => 0,
        }
    }
}

impl MessageEvent {
    pub(super) fn new(
        socket: SocketRef,
        namespace: Rc<str>,
        name: &str,
        args: Args<'_>,
        ack: Option<Ack>,
    ) -> Self {
        Self { socket, namespace, name: name.into(), args: args.to_owned(), ack }
    }

    /// Who has sent it. It may have left since.
    pub fn socket(&self) -> SocketRef {
        self.socket
    }

    /// The name of the namespace it was sent in.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name of the event.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The arguments as they came.
    pub fn args(&self) -> Args<'_> {
        self.args.as_args()
    }

    /// The arguments, parsed as those of a handler are; see [`Args::parse`].
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        self.args().parse()
    }

    /// Takes the arguments, to keep them.
    pub fn into_args(self) -> OwnedArgs {
        self.args
    }

    /// Takes out what answers it, for later or for another thread; `None` if the client asked for
    /// no acknowledgement, or it was taken before.
    pub fn take_ack(&mut self) -> Option<Ack> {
        self.ack.take()
    }

    /// Answers it, if its client asked for an acknowledgement; see [`Ack::send`].
    pub fn answer(mut self, args: impl IntoArgs) {
        if let Some(ack) = self.take_ack() {
            ack.send(args);
        }
    }
}

impl fmt::Debug for SocketRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SocketRef({:?})", self.0)
    }
}

impl fmt::Debug for MessageEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageEvent")
            .field("socket", &self.socket)
            .field("namespace", &self.namespace)
            .field("name", &self.name)
            .field("args", &self.args)
            .field("ack", &self.ack)
            .finish()
    }
}
