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

use super::adapter::{Emitted, Selection};
use super::namespaces::NamespaceId;
use super::payload::IntoArgs;
use super::rooms::SocketKey;
use super::socket::{Socket, assert_not_reserved};
use super::socket_id::SocketId;
use super::{Hub, State};

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
    pub(super) selection: Selection,
    volatile: bool,
    compress: bool,
}

impl<'a> BroadcastOperator<'a> {
    pub(super) fn new(hub: &'a Rc<Hub>, namespace: NamespaceId) -> Self {
        Self { hub, namespace, selection: Selection::default(), volatile: false, compress: true }
    }

    pub(super) fn from_socket(hub: &'a Rc<Hub>, key: SocketKey) -> Self {
        let namespace = hub.state.borrow().sockets.get(key).map(|entry| entry.namespace);
        let mut operator = Self::new(hub, namespace.unwrap_or(NamespaceId::NOWHERE));
        operator.selection.sender = Some(key);
        operator
    }

    /// Adds a room (or several) to those who get it.
    pub fn to(mut self, rooms: impl RoomNames) -> Self {
        rooms.for_each(&mut |room| self.selection.rooms.push(Rc::from(room)));
        self
    }

    /// The same as [`BroadcastOperator::to`].
    pub fn within(self, rooms: impl RoomNames) -> Self {
        self.to(rooms)
    }

    /// Leaves out the members of a room (or several).
    pub fn except(mut self, rooms: impl RoomNames) -> Self {
        rooms.for_each(&mut |room| self.selection.except.push(Rc::from(room)));
        self
    }

    /// Drops the message where a recipient's transport is busy; see [`Socket::volatile`].
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// Allows or forbids compression of polling answers that carry the message.
    pub fn compress(mut self, compress: bool) -> Self {
        self.compress = compress;
        self
    }

    /// Sends the event; see [`Socket::emit`] for `args`.
    ///
    /// # Panics
    /// As [`Socket::emit`].
    pub fn emit(self, event: &str, args: impl IntoArgs) -> Emitted {
        assert_not_reserved(event);
        if self.hub.watches_broadcasts(self.namespace) {
            return self.emit_watched(event, args);
        }
        self.send(event, args)
    }

    pub(super) fn send(self, event: &str, args: impl IntoArgs) -> Emitted {
        let name = Rc::clone(&self.hub.state.borrow().namespaces.get(self.namespace).name);
        let encoded = self.hub.encoded(self.hub.format.encode_event(&name, event, None, args));
        let Some(mut draft) = encoded else { return Emitted::default() };
        draft.set_compress(self.compress);
        let message = draft.finish();
        let mut state = self.hub.state.borrow_mut();
        let (adapter, mut local) = state.local(self.namespace);
        let emitted = adapter.broadcast(&mut local, &message, &self.selection, self.volatile);
        let Emitted { queued, over_limit, dropped } = emitted;
        state.counters.count_broadcast(queued, over_limit, dropped);
        emitted
    }

    /// The ids of the sockets of this server that a message would reach now.
    pub fn local_sockets(self) -> Vec<SocketId> {
        let state = &mut *self.hub.state.borrow_mut();
        let keys = state.select(self.namespace, &self.selection);
        keys.into_iter().filter_map(|key| state.sockets.id(key)).collect()
    }

    /// Puts the selected sockets into a room (or several).
    pub fn sockets_join(self, rooms: impl RoomNames) {
        self.for_each_socket(|socket| rooms.for_each(&mut |room| socket.join(room)));
    }

    /// Takes the selected sockets out of a room (or several).
    pub fn sockets_leave(self, rooms: impl RoomNames) {
        self.for_each_socket(|socket| rooms.for_each(&mut |room| socket.leave(room)));
    }

    /// Disconnects the selected sockets; see [`Socket::disconnect`].
    pub fn disconnect_sockets(self) {
        self.for_each_socket(Socket::disconnect);
    }

    /// Disconnects the clients of the selected sockets; see [`Socket::disconnect_client`].
    pub fn disconnect_clients(self) {
        self.for_each_socket(Socket::disconnect_client);
    }

    fn for_each_socket(self, act: impl Fn(Socket<'a>)) {
        let keys = self.hub.state.borrow_mut().select(self.namespace, &self.selection);
        for key in keys {
            act(Socket::new(self.hub, key));
        }
    }
}

impl State {
    pub(super) fn select(
        &mut self,
        namespace: NamespaceId,
        selection: &Selection,
    ) -> Vec<SocketKey> {
        let (_, mut local) = self.local(namespace);
        local.select(selection);
        local.selected.members().iter().map(|member| member.socket).collect()
    }
}

impl fmt::Debug for BroadcastOperator<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastOperator")
            .field("selection", &self.selection)
            .field("volatile", &self.volatile)
            .field("compress", &self.compress)
            .finish_non_exhaustive()
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
