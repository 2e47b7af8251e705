//! Broadcasts: select, encode once, enqueue.
//!
//! The walk of one broadcast: the arguments are serialised into one [`Message`] whose buffer
//! already is the WebSocket frame; the recipients are selected into a list that is kept from one
//! broadcast to the next, each at most once; each recipient's outbox gets one reference, through
//! nodes of a shared slab, and is listed once; the flush at the end of the turn writes the very
//! same bytes to each socket. No allocation and no copy of the payload is made per recipient. The
//! polling form, if anybody polls, is the same buffer behind its frame header; with attachments it
//! is made once.
//!
//! [`Message`]: crate::message::Message

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::Hub;
use super::adapter::{AdapterError, BroadcastOptions, Emitted, OutgoingEvent};
use super::answers::Answers;
use super::children::Found;
use super::io::Io;
use super::namespaces::NamespaceId;
use super::packet::AckId;
use super::payload::{IntoArgs, OwnedArgs};
use super::questions::{Asker, TellHost};
use super::remote_socket::RemoteSocket;
use super::rooms::SocketKey;
use super::socket::assert_not_reserved;
use super::socket_id::SocketId;

/// A broadcast in the making: its rooms, exceptions and flags, in any order, then `emit`.
///
/// Recipients are the union of the rooms (everybody in the namespace if none is named) less the
/// members of the excepted rooms; each gets the message at most once. A socket's own id is a room
/// with that socket alone.
///
/// ```
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// server.emit("news", &"hello all");
/// server.to("lobby").to("hall").except("muted").emit("news", (&"hello", &42));
/// server.of("/chat").volatile().emit("tick", ());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "nothing is sent before `emit`"]
pub struct BroadcastOperator<'a> {
    pub(super) hub: &'a Rc<Hub>,
    pub(super) namespace: NamespaceId,
    pub(super) options: BroadcastOptions,
}

impl<'a> BroadcastOperator<'a> {
    pub(super) fn new(hub: &'a Rc<Hub>, namespace: NamespaceId) -> Self {
        Self { hub, namespace, options: BroadcastOptions::default() }
    }

    pub(super) fn from_socket(hub: &'a Rc<Hub>, key: SocketKey) -> Self {
        let state = hub.state.borrow();
        let Some(entry) = state.sockets.get(key) else {
            return Self::new(hub, NamespaceId::NOWHERE);
        };
        let options = BroadcastOptions::from_sender(key, entry.id.clone());
        Self { hub, namespace: entry.namespace, options }
    }

    /// Adds a room (or several) to those who get it.
    pub fn to(mut self, rooms: impl RoomNames) -> Self {
        self.options.add_rooms(rooms);
        self
    }

    /// The same as [`BroadcastOperator::to`].
    pub fn within(self, rooms: impl RoomNames) -> Self {
        self.to(rooms)
    }

    /// Leaves out the members of a room (or several).
    pub fn except(mut self, rooms: impl RoomNames) -> Self {
        self.options.add_excepted(rooms);
        self
    }

    /// Drops the message where a recipient's transport is busy; see
    /// [`Socket::volatile`](crate::Socket::volatile).
    pub fn volatile(mut self) -> Self {
        self.options.volatile = true;
        self
    }

    /// Allows or forbids compression of polling answers that carry the message.
    pub fn compress(mut self, compress: bool) -> Self {
        self.options.compress = compress;
        self
    }

    /// Concerns the sockets of this server alone, whatever others its adapter knows of.
    pub fn local(mut self) -> Self {
        self.options.local = true;
        self
    }

    /// Waits for answers no longer than this.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// Sends the event; see [`Socket::emit`](crate::Socket::emit) for `args`.
    ///
    /// # Panics
    /// As [`Socket::emit`](crate::Socket::emit).
    pub fn emit(self, event: &str, args: impl IntoArgs) -> Emitted {
        assert_not_reserved(event);
        match self.hub.children_of(self.namespace) {
            Some(children) => self.emit_to_children(children, event, args),
            None => self.send(event, args),
        }
    }

    pub(super) fn send(self, event: &str, args: impl IntoArgs) -> Emitted {
        let Some(event) = self.encode(event, None, args) else { return Emitted::default() };
        let options = &self.options;
        self.hub
            .with_adapter(self.namespace, |adapter, local| adapter.broadcast(local, event, options))
    }

    /// Sends the event and asks all who get it for an acknowledgement; `callback` gets, exactly
    /// once, the first argument of each: when all have answered or left, at the latest at
    /// [`timeout`](Self::timeout) with those that came. Without a time-out it may wait as long as
    /// one of them stays.
    ///
    /// Where nobody is asked it has nothing to wait for and runs before this returns, otherwise
    /// from `poll`. A socket that owes too many acknowledgements already
    /// ([`acks_per_socket_max`](crate::config::SocketConfig::acks_per_socket_max)) isn't asked, nor
    /// one whose transport is busy if this is [`volatile`](Self::volatile).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use throng::Server;
    /// # let server = Server::builder().bind("127.0.0.1:0")?;
    /// let voters = server.to("voters").timeout(Duration::from_secs(10));
    /// voters.emit_with_ack::<bool>("agreed?", (), |io, answers| {
    ///     let ayes = answers.values.iter().filter(|aye| **aye).count();
    ///     io.emit("result", (&ayes, &answers.expected));
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Panics
    /// As [`Socket::emit`](crate::Socket::emit).
    pub fn emit_with_ack<T: DeserializeOwned>(
        self,
        event: &str,
        args: impl IntoArgs,
        callback: impl FnOnce(Io<'_>, Answers<T>) + 'static,
    ) {
        self.emit_with_raw_ack(event, args, |io, answers| {
            let rejected = answers.rejected;
            let answers = answers.parse();
            io.count_rejected_acks(answers.rejected - rejected);
            callback(io, answers);
        });
    }

    /// As [`BroadcastOperator::emit_with_ack`], each answer as it came: its first argument, or
    /// none.
    ///
    /// # Panics
    /// As [`Socket::emit`](crate::Socket::emit).
    pub fn emit_with_raw_ack(
        self,
        event: &str,
        args: impl IntoArgs,
        callback: impl FnOnce(Io<'_>, Answers<OwnedArgs>) + 'static,
    ) {
        assert_not_reserved(event);
        let tell: TellHost = Box::new(|hub, answers| callback(Io::new(hub), answers));
        let Some(children) = self.hub.children_of(self.namespace) else {
            return self.ask(event, args, Asker::Host(tell));
        };
        match self.hub.encoded(OwnedArgs::new(args)) {
            Some(args) => self.ask_children(children, event, &args, tell),
            None => self.ask_children(Vec::new(), event, &OwnedArgs::default(), tell),
        }
    }

    pub(super) fn ask(self, event: &str, args: impl IntoArgs, asker: Asker) {
        let id = self.hub.state.borrow_mut().next_ack(self.namespace);
        let event = self.encode(event, Some(id), args);
        let (namespace, options) = (self.namespace, &self.options);
        self.hub.with_adapter(namespace, |adapter, local| {
            let question = local.state.open_question(namespace, options.timeout, asker);
            match event {
                Some(event) => adapter.broadcast_with_ack(local, event, options, question),
                None => local.all_asked(question),
            }
        });
    }

    /// Asks for the sockets that a message would reach now, on all servers; `callback` gets them
    /// exactly once, from a server on its own before this returns. An adapter that asks others may
    /// fail, and tells then how many have answered.
    ///
    /// The parent of dynamic namespaces fails, as in the reference, because it doesn't know which
    /// children other servers have; with [`local`](Self::local) it asks for the sockets of all
    /// children that are here.
    ///
    /// ```
    /// # use throng::Server;
    /// # let server = Server::builder().bind("127.0.0.1:0")?;
    /// server.to("lobby").fetch_sockets(|io, sockets| match sockets {
    ///     Ok(sockets) => drop(io.emit("lobby", &sockets.len())),
    ///     Err(error) => eprintln!("{error}"),
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn fetch_sockets(
        self,
        callback: impl FnOnce(Io<'_>, Result<Vec<RemoteSocket<'_>>, AdapterError>) + 'static,
    ) {
        let tell = move |hub: &Rc<Hub>, found: Found| {
            let view = |(namespace, snapshot)| RemoteSocket::new(hub, namespace, snapshot);
            let sockets = found.map(|sockets| sockets.into_iter().map(view).collect());
            hub.run_unbound(|| callback(Io::new(hub), sockets));
        };
        let namespace = self.namespace;
        match self.hub.children_of(namespace) {
            Some(children) if self.options.local => self.fetch_of(children, tell),
            Some(_) => {
                self.hub.effects.push(move |hub| tell(hub, Err(AdapterError::Unsupported)));
                self.hub.run_effects();
            }
            None => self.fetch_of(vec![namespace], tell),
        }
    }

    /// The ids of the sockets of this server that a message would reach now.
    pub fn local_sockets(self) -> Vec<SocketId> {
        let namespaces =
            self.hub.children_of(self.namespace).unwrap_or_else(|| vec![self.namespace]);
        let state = &mut *self.hub.state.borrow_mut();
        let mut ids = Vec::new();
        for namespace in namespaces {
            let keys = state.selected_keys(namespace, &self.options);
            ids.extend(keys.into_iter().filter_map(|key| state.sockets.id(key)));
        }
        ids
    }

    /// Puts the selected sockets, of all servers, into a room (or several).
    pub fn sockets_join(self, rooms: impl RoomNames) {
        let rooms = collected(rooms);
        self.with_adapters(|adapter, local, options| {
            adapter.sockets_join(local, options, &rooms);
        });
    }

    /// Takes the selected sockets, of all servers, out of a room (or several).
    pub fn sockets_leave(self, rooms: impl RoomNames) {
        let rooms = collected(rooms);
        self.with_adapters(|adapter, local, options| {
            adapter.sockets_leave(local, options, &rooms);
        });
    }

    /// Disconnects the selected sockets of all servers; see
    /// [`Socket::disconnect`](crate::Socket::disconnect).
    pub fn disconnect_sockets(self) {
        self.disconnect(false);
    }

    /// Disconnects the clients of the selected sockets of all servers; see
    /// [`Socket::disconnect_client`](crate::Socket::disconnect_client).
    pub fn disconnect_clients(self) {
        self.disconnect(true);
    }

    fn disconnect(self, close: bool) {
        self.with_adapters(|adapter, local, options| {
            adapter.disconnect_sockets(local, options, close);
        });
    }

    fn encode(&self, event: &str, id: Option<AckId>, args: impl IntoArgs) -> Option<OutgoingEvent> {
        let (name, is_watched) = {
            let state = self.hub.state.borrow();
            let namespace = state.namespaces.get(self.namespace);
            let is_watched = namespace.hears_outgoing && !self.hub.tells_outgoing.get();
            (Rc::clone(&namespace.name), is_watched)
        };
        let encoded = self.hub.format.encode_event(&name, event, id, args);
        let mut draft = self.hub.encoded(encoded)?;
        draft.set_compress(self.options.compress);
        Some(OutgoingEvent::new(draft, id).watched(is_watched))
    }
}

/// The names may come from the host's own code: nothing is borrowed while it runs.
fn collected(rooms: impl RoomNames) -> Vec<Rc<str>> {
    let mut names = Vec::new();
    rooms.for_each(&mut |room| names.push(Rc::from(room)));
    names
}

impl fmt::Debug for BroadcastOperator<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastOperator").field("options", &self.options).finish_non_exhaustive()
    }
}

/// One room name or several: `"a"`, a `String`, a [`SocketId`], `["a", "b"]`, a slice, a `Vec`.
///
/// ```
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// server.to("a").to(["b", "c"]).to(vec!["d".to_owned()]).emit("hello", ());
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait RoomNames {
    /// Calls `act` with each name.
    fn for_each(&self, act: &mut dyn FnMut(&str));
}

impl RoomNames for str {
    fn for_each(&self, act: &mut dyn FnMut(&str)) {
        act(self);
    }
}

impl RoomNames for String {
    fn for_each(&self, act: &mut dyn FnMut(&str)) {
        act(self);
    }
}

impl RoomNames for Rc<str> {
    fn for_each(&self, act: &mut dyn FnMut(&str)) {
        act(self);
    }
}

impl RoomNames for SocketId {
    fn for_each(&self, act: &mut dyn FnMut(&str)) {
        act(self.as_str());
    }
}

impl<T: RoomNames> RoomNames for [T] {
    fn for_each(&self, act: &mut dyn FnMut(&str)) {
        for names in self {
            names.for_each(act);
        }
    }
}

impl<T: RoomNames, const N: usize> RoomNames for [T; N] {
    fn for_each(&self, act: &mut dyn FnMut(&str)) {
        self.as_slice().for_each(act);
    }
}

impl<T: RoomNames> RoomNames for Vec<T> {
    fn for_each(&self, act: &mut dyn FnMut(&str)) {
        self.as_slice().for_each(act);
    }
}

impl<T: RoomNames + ?Sized> RoomNames for &T {
    fn for_each(&self, act: &mut dyn FnMut(&str)) {
        (**self).for_each(act);
    }
}
