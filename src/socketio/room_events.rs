//! Rooms that come to be, change and end, told to whoever watches.
//!
//! Nothing is recorded where nobody does. Watchers run when the operation is over, in the order in
//! which things happened: of a room's first join `create` and `join`, of its last leave `leave`
//! and `delete`.

use std::rc::Rc;

use super::namespace::Namespace;
use super::namespaces::NamespaceId;
use super::rooms::{Member, SocketKey};
use super::socket_id::SocketId;
use super::{Hub, State};

/// What happened to a room of this server; see
/// [`Namespace::on_room_event`](crate::Namespace::on_room_event).
///
/// ```
/// use throng::{RoomEvent, Server};
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// server.of("/").on_room_event(|_, event| match event {
///     RoomEvent::Create { room } => println!("{room} has come to be"),
///     RoomEvent::Join { room, socket } => println!("{socket} is in {room}"),
///     RoomEvent::Leave { room, socket } => println!("{socket} is no longer in {room}"),
///     RoomEvent::Delete { room } => println!("{room} is empty"),
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomEvent<'a> {
    /// Somebody is about to join a room that nobody was in.
    Create {
        /// Its name.
        room: &'a str,
    },
    /// A socket has joined.
    Join {
        /// The room's name.
        room: &'a str,
        /// Who.
        socket: SocketId,
    },
    /// A socket has left.
    Leave {
        /// The room's name.
        room: &'a str,
        /// Who.
        socket: SocketId,
    },
    /// The last has left.
    Delete {
        /// Its name.
        room: &'a str,
    },
}

/// What happened, without the names.
#[derive(Clone)]
enum Change {
    Create,
    Join(SocketId),
    Leave(SocketId),
    Delete,
}

impl Hub {
    fn tell_room(self: &Rc<Self>, namespace: NamespaceId, room: &str, change: &Change) {
        let watchers = {
            let state = self.state.borrow();
            state.namespaces.get(namespace).watchers.rooms.clone()
        };
        self.lend(namespace, |adapter, local| {
            if adapter.watches_rooms() {
                adapter.handle_room_event(local, change.with(room));
            }
        });
        let rank = self.effects.rank();
        if rank > CONSEQUENCES_MAX {
            return;
        }
        // All hear of one before any hears of the next.
        self.effects.set_rank(rank + 1);
        for watcher in watchers.iter() {
            self.nest(|| watcher(Namespace::new(self, namespace), change.with(room)));
        }
        self.effects.set_rank(rank);
        self.settle();
    }
}

impl State {
    /// Puts a member into a room; `false` where it is in already or in too many.
    pub(super) fn join_room(&mut self, member: Member, room: &str) -> bool {
        let rooms_max = self.config.rooms_per_socket_max;
        let Some(entry) = self.sockets.get(member.socket) else { return false };
        let (id, socket) = (entry.namespace, entry.id.clone());
        if socket.as_str() == room {
            return false;
        }
        let watched = self.is_watched(id);
        let is_new = watched && self.is_room_empty(id, room);
        if !self.namespaces.get_mut(id).rooms.join(member, room, rooms_max) {
            return false;
        }
        if watched && !self.has_twin_in(id, room, member.socket, &socket) {
            self.record_join(id, room, &socket, is_new);
        }
        true
    }

    /// Takes a socket out of a room.
    pub(super) fn leave_room(&mut self, key: SocketKey, room: &str) -> bool {
        let Some(entry) = self.sockets.get(key) else { return false };
        let (id, socket) = (entry.namespace, entry.id.clone());
        let left = self.namespaces.get_mut(id).rooms.leave(key, room);
        if left && self.is_watched(id) && !self.has_twin_in(id, room, key, &socket) {
            let is_empty = self.is_room_empty(id, room);
            self.record_leave(id, room, &socket, is_empty);
        }
        left
    }

    /// A socket has become a member: its own room is there.
    pub(super) fn record_own_room(&mut self, key: SocketKey) {
        let Some(entry) = self.sockets.get(key) else { return };
        let (id, socket) = (entry.namespace, entry.id.clone());
        if !self.is_watched(id) {
            return;
        }
        let room = socket.as_str();
        if !self.has_twin_in(id, room, key, &socket) {
            let is_new = self.namespaces.get(id).rooms.members(room).is_empty();
            self.record_join(id, room, &socket, is_new);
        }
    }

    /// Takes a socket out of all its rooms. `is_member` tells whether its own room is one of them.
    pub(super) fn leave_rooms(&mut self, key: SocketKey, is_member: bool) {
        let Some(entry) = self.sockets.get(key) else { return };
        let (id, socket) = (entry.namespace, entry.id.clone());
        if !self.is_watched(id) {
            return self.namespaces.get_mut(id).rooms.leave_all(key);
        }
        let room = socket.as_str();
        if is_member && !self.has_twin_in(id, room, key, &socket) {
            let is_empty = self.namespaces.get(id).rooms.members(room).is_empty();
            self.record_leave(id, room, &socket, is_empty);
        }
        for room in self.namespaces.get(id).rooms.of(key) {
            self.leave_room(key, &room);
        }
    }

    fn record_join(&mut self, id: NamespaceId, room: &str, socket: &SocketId, is_new: bool) {
        if is_new {
            self.record(id, room, Change::Create);
        }
        self.record(id, room, Change::Join(socket.clone()));
    }

    fn record_leave(&mut self, id: NamespaceId, room: &str, socket: &SocketId, is_empty: bool) {
        self.record(id, room, Change::Leave(socket.clone()));
        if is_empty {
            self.record(id, room, Change::Delete);
        }
    }

    fn record(&mut self, id: NamespaceId, room: &str, change: Change) {
        let room: Rc<str> = Rc::from(room);
        self.effects.push(move |hub| hub.tell_room(id, &room, &change));
    }

    fn is_watched(&self, id: NamespaceId) -> bool {
        let namespace = self.namespaces.get(id);
        !namespace.watchers.rooms.is_empty() || namespace.seat.watches_rooms
    }

    /// Whether another socket with the same id is in a room: a client that came back to what it was
    /// more than once. To whoever watches they are one, which is there while any of them is.
    fn has_twin_in(&self, id: NamespaceId, room: &str, key: SocketKey, socket: &SocketId) -> bool {
        let mut twins = self.sockets.twins(socket).iter().filter(|&&twin| twin != key);
        twins.any(|&twin| {
            if room == socket.as_str() {
                return self.member(id, twin).is_some();
            }
            self.namespaces.get(id).rooms.contains(twin, room)
        })
    }

    /// Whether nobody is in a room, nor bears its name.
    fn is_room_empty(&self, id: NamespaceId, room: &str) -> bool {
        self.namespaces.get(id).rooms.members(room).is_empty()
            && self.owner_of_room(id, room).is_none()
    }
}

impl Change {
    fn with<'a>(&self, room: &'a str) -> RoomEvent<'a> {
        match self.clone() {
            Self::Create => RoomEvent::Create { room },
            Self::Join(socket) => RoomEvent::Join { room, socket },
            Self::Leave(socket) => RoomEvent::Leave { room, socket },
            Self::Delete => RoomEvent::Delete { room },
        }
    }
}

/// How far watchers hear of what comes of watchers: of what one does when it hears of something,
/// and not of what is done upon that. One that joins and leaves at every event would never end.
const CONSEQUENCES_MAX: u8 = 1;
