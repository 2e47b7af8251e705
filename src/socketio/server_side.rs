//! Events between servers: `io.of("/").server_side_emit("reload", ())` on one is heard by all the
//! others, not by itself, and never by a client.
//!
//! They go through the adapter. That of a server on its own knows of no other: it only counts.

use std::collections::HashMap;
use std::fmt;
use std::rc::{Rc, Weak};

use serde::de::DeserializeOwned;

use super::Hub;
use super::adapter::{AdapterError, Answer, Answers, Request};
use super::io::Io;
use super::namespace::Namespace;
use super::namespaces::NamespaceId;
use super::payload::{Args, EncodeError, IntoArgs, OwnedArgs};
use super::room_events::RoomEvent;
use super::shared_data::DataCodec;

type RoomWatcher = Rc<dyn Fn(Namespace<'_>, RoomEvent<'_>)>;
type ServerSideHandler = Rc<dyn Fn(Namespace<'_>, Args<'_>, Option<ServerAck>)>;

/// What a namespace has been told to do about what isn't a socket's own affair.
#[derive(Clone, Default)]
pub(crate) struct Watchers {
    pub(super) rooms: Rc<Vec<RoomWatcher>>,
    server_side: HashMap<Box<str>, Rc<Vec<ServerSideHandler>>>,
    pub(super) codec: Option<DataCodec>,
}

/// The acknowledgement of an event between servers: call [`ServerAck::send`] once, now or later.
/// Dropped without a call, the server that asked runs into its time-out.
///
/// ```
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// server.of("/").on_server_side_raw("sockets?", |namespace, _, ack| {
///     if let Some(ack) = ack {
///         ack.send(&namespace.sockets_len());
///     }
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct ServerAck {
    hub: Weak<Hub>,
    namespace: NamespaceId,
    tag: u64,
}

impl Namespace<'_> {
    /// Runs at an event of another server ([`Namespace::server_side_emit`]), its arguments parsed
    /// as those of [`Namespace::on`] are.
    ///
    /// # Panics
    /// If the name is reserved; see [`Namespace::server_side_emit`].
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn on_server_side<T: DeserializeOwned>(
        self,
        event: &str,
        handler: impl Fn(Namespace<'_>, T) + 'static,
    ) -> Self {
        self.on_server_side_raw(event, move |namespace, args, _| match args.parse() {
            Ok(value) => handler(namespace, value),
            Err(_) => namespace.hub.state.borrow_mut().counters.arguments_rejected += 1,
        })
    }

    /// As [`Namespace::on_server_side`], the arguments as they came, with what answers them if the
    /// other server has asked.
    ///
    /// # Panics
    /// As [`Namespace::on_server_side`].
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn on_server_side_raw(
        self,
        event: &str,
        handler: impl Fn(Namespace<'_>, Args<'_>, Option<ServerAck>) + 'static,
    ) -> Self {
        assert_not_a_server_s(event);
        let handler: ServerSideHandler = Rc::new(handler);
        self.watchers(|watchers| {
            Rc::make_mut(watchers.server_side.entry(event.into()).or_default()).push(handler);
        })
    }

    /// Tells all other servers of an event; their [`Namespace::on_server_side`] handlers run.
    ///
    /// A server on its own has nobody to tell: that is counted
    /// ([`server_side_emits_unsupported`](crate::SocketCounters::server_side_emits_unsupported)).
    /// The parent of dynamic namespaces tells in the name of each child that it has here.
    ///
    /// # Panics
    /// If the name is one of `connect`, `connection` and `new_namespace`: the host's mistake.
    pub fn server_side_emit(self, event: &str, args: impl IntoArgs) {
        assert_not_a_server_s(event);
        let Some(args) = self.hub.encoded(OwnedArgs::new(args)) else { return };
        let children = self.hub.children_of(self.id);
        self.hub.server_side_emit(children.unwrap_or_else(|| vec![self.id]), event, &args);
    }

    /// As [`Namespace::server_side_emit`], and `callback` gets what the others answered, exactly
    /// once: of each the first argument. Who doesn't answer in the adapter's time is missing; an
    /// adapter that knows of no others is an error, told before this returns.
    ///
    /// ```
    /// # use throng::Server;
    /// # let server = Server::builder().bind("127.0.0.1:0")?;
    /// server.of("/").server_side_emit_with_ack::<usize>("sockets?", (), |_, answers| {
    ///     match answers {
    ///         Ok(answers) => println!("{}", answers.values.iter().sum::<usize>()),
    ///         Err(error) => println!("{error}"),
    ///     }
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Panics
    /// As [`Namespace::server_side_emit`].
    pub fn server_side_emit_with_ack<T: DeserializeOwned>(
        self,
        event: &str,
        args: impl IntoArgs,
        callback: impl FnOnce(Io<'_>, Result<Answers<T>, AdapterError>) + 'static,
    ) {
        assert_not_a_server_s(event);
        let request = Request::new(&self.hub.effects, |hub, answers| {
            hub.run_unbound(|| callback(Io::new(hub), answers.map(Answers::parse)));
        });
        let Some(args) = self.hub.encoded(OwnedArgs::new(args)) else {
            drop(request);
            return self.hub.run_effects();
        };
        let Some(children) = self.hub.children_of(self.id) else {
            return self.hub.with_adapter(self.id, |adapter, local| {
                adapter.server_side_emit_with_ack(local, event, args.as_args(), request);
            });
        };
        self.hub.server_side_ask_children(children, event, &args, request);
    }

    /// Hears of every room of this server that comes to be, changes or ends, whoever caused it; a
    /// socket's own room is one. It runs when the operation is over; nothing is recorded where
    /// nobody watches.
    ///
    /// The order is the reference's: of a room's first join [`RoomEvent::Create`] and
    /// [`RoomEvent::Join`], of its last leave [`RoomEvent::Leave`] and [`RoomEvent::Delete`].
    ///
    /// What a watcher itself does to rooms is told to all watchers, but what they do upon hearing
    /// of that is told to none: one that joins and leaves at every event would never end. (In the
    /// reference it doesn't.)
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn on_room_event(self, watcher: impl Fn(Namespace<'_>, RoomEvent<'_>) + 'static) -> Self {
        let watcher: RoomWatcher = Rc::new(watcher);
        self.watchers(|watchers| Rc::make_mut(&mut watchers.rooms).push(watcher))
    }

    /// Declares which of the sockets' data ([`Socket::data`](crate::Socket::data)) is shared: it is
    /// what [`RemoteSocket::data`](crate::RemoteSocket::data) shows to all servers, and what
    /// a recovered client gets back. Without this it is `{}`.
    ///
    /// It is written as JSON, at that moment; what can't be is counted and left out. One type a
    /// namespace: the last declaration counts.
    ///
    /// ```
    /// use std::cell::RefCell;
    /// use serde::{Deserialize, Serialize};
    /// use throng::Server;
    ///
    /// #[derive(Default, Serialize, Deserialize)]
    /// struct Profile {
    ///     name: RefCell<String>,
    /// }
    ///
    /// let server = Server::builder().bind("127.0.0.1:0")?;
    /// server.of("/").shared_data::<Profile>().on("name", |socket, name: String| {
    ///     socket.data::<Profile>().name.replace(name);
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn shared_data<T: Default + serde::Serialize + DeserializeOwned + 'static>(self) -> Self {
        self.watchers(|watchers| watchers.codec = Some(DataCodec::of::<T>()))
    }

    /// Hands the adapter of this namespace what came for it from other servers; what the bytes
    /// mean is the adapter's affair.
    pub fn adapter_event(self, bytes: &[u8]) {
        self.hub.with_adapter(self.id, |adapter, local| adapter.handle_event(local, bytes));
    }

    fn watchers(self, change: impl FnOnce(&mut Watchers)) -> Self {
        let mut state = self.hub.state.borrow_mut();
        // All that has gone is one and the same entry, which must not grow.
        if state.namespaces.contains(self.id) {
            change(&mut state.namespaces.get_mut(self.id).watchers);
        }
        drop(state);
        self
    }
}

impl Hub {
    /// Runs the handlers of an event that another server emitted.
    pub(super) fn run_server_side(
        self: &Rc<Self>,
        namespace: NamespaceId,
        event: &str,
        args: &OwnedArgs,
        tag: Option<u64>,
    ) {
        let handlers = {
            let state = self.state.borrow();
            let watchers = &state.namespaces.get(namespace).watchers;
            watchers.server_side.get(event).cloned().unwrap_or_default()
        };
        for handler in handlers.iter() {
            let hub = Rc::downgrade(self);
            let ack = tag.map(|tag| ServerAck { hub, namespace, tag });
            let view = Namespace::new(self, namespace);
            self.run_unbound(|| handler(view, args.as_args(), ack));
        }
    }
}

impl ServerAck {
    /// Sends the answer; of several arguments the first. Where several handlers answer, the
    /// server that asked takes the first answer. A value that can't be serialised is counted and
    /// sends nothing.
    pub fn send(self, args: impl IntoArgs) {
        let Some(hub) = self.hub.upgrade() else { return };
        let args = OwnedArgs::new(args);
        if hub.is_lent() {
            return hub.effects.push(move |hub| self.answer(hub, args));
        }
        self.answer(&hub, args);
    }

    fn answer(self, hub: &Rc<Hub>, args: Result<OwnedArgs, EncodeError>) {
        let Some(args) = hub.encoded(args) else { return };
        let answer = Answer::Server(args.as_args().first());
        hub.with_adapter(self.namespace, |adapter, local| {
            adapter.handle_answer(local, self.tag, answer);
        });
    }
}

impl fmt::Debug for ServerAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerAck({})", self.tag)
    }
}

impl fmt::Debug for Watchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watchers(..)")
    }
}

fn assert_not_a_server_s(event: &str) {
    let reserved = ["connect", "connection", "new_namespace"].contains(&event);
    assert!(!reserved, "\"{event}\" is a reserved event name");
}
