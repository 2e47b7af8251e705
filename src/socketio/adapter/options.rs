//! Whom an operation concerns, how, and what became of a broadcast.
//!
//! ```text
//! to("a").to("b").except("c").volatile()    (a ∪ b) \ c, dropped where a transport is busy
//! ```

use std::rc::Rc;
use std::time::Duration;

use crate::socketio::broadcast::RoomNames;
use crate::socketio::rooms::SocketKey;
use crate::socketio::socket_id::SocketId;

/// Whom an operation of an adapter concerns: the union of the rooms, everybody if there are none,
/// less the members of the excepted rooms; and the flags it was asked with.
///
/// ```
/// use throng::adapter::BroadcastOptions;
///
/// // What came over a wire from another server.
/// let options = BroadcastOptions::new(["lobby", "hall"], ["muted"]);
/// assert_eq!(options.rooms().len(), 2);
/// assert!(options.concerns(["hall"]));
/// assert!(!options.concerns(["hall", "muted"]));
/// assert!(!options.volatile);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BroadcastOptions {
    rooms: Vec<Rc<str>>,
    except: Vec<Rc<str>>,
    /// The socket that a broadcast comes from, which doesn't get it.
    sender: Option<(SocketKey, SocketId)>,
    /// Dropped where a recipient's transport is busy; see
    /// [`Socket::volatile`](crate::Socket::volatile).
    pub volatile: bool,
    /// Whether polling answers that carry the event may be compressed.
    pub compress: bool,
    /// For the sockets of this server alone: a cluster's adapter passes nothing on.
    pub local: bool,
    /// How long answers may take.
    pub timeout: Option<Duration>,
}

/// What became of a broadcast, counted by recipient of this server.
///
/// ```
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// let emitted = server.emit("news", &"nobody is there yet");
/// assert_eq!((emitted.queued, emitted.over_limit, emitted.dropped), (0, 0, 0));
/// assert!(!emitted.deferred);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Emitted {
    /// Recipients for whom the message was queued.
    pub queued: usize,
    /// Those among them who now have more waiting than the soft limit allows for long.
    pub over_limit: usize,
    /// Recipients who did not get it: it was volatile and their transport busy.
    pub dropped: usize,
    /// The adapter delivers later, and nothing is known yet: a cluster's broker comes first.
    pub deferred: bool,
}

impl Emitted {
    /// What an adapter answers with that delivers later.
    pub const DEFERRED: Self = Self { queued: 0, over_limit: 0, dropped: 0, deferred: true };
}

impl BroadcastOptions {
    /// Options without flags; no rooms mean everybody in the namespace.
    pub fn new(rooms: impl RoomNames, except: impl RoomNames) -> Self {
        let mut options = Self::default();
        options.add_rooms(rooms);
        options.add_excepted(except);
        options
    }

    /// The rooms whose members are meant.
    pub fn rooms(&self) -> &[Rc<str>] {
        &self.rooms
    }

    /// The rooms whose members are left out: the sender's own among them, as it has to be told to
    /// other servers.
    pub fn except(&self) -> impl Iterator<Item = &str> {
        let sender = self.sender.as_ref().map(|(_, id)| id.as_str());
        self.except.iter().map(|room| &**room).chain(sender)
    }

    /// Whether a socket in these rooms, its own among them, is meant.
    pub fn concerns(&self, rooms: impl RoomNames) -> bool {
        let (mut meant, mut excepted) = (self.rooms.is_empty(), false);
        rooms.for_each(&mut |room| {
            meant |= self.rooms.iter().any(|named| **named == *room);
            excepted |= self.except().any(|named| named == room);
        });
        meant && !excepted
    }

    pub(in crate::socketio) fn from_sender(key: SocketKey, id: SocketId) -> Self {
        Self { sender: Some((key, id)), ..Self::default() }
    }

    pub(in crate::socketio) fn add_rooms(&mut self, rooms: impl RoomNames) {
        rooms.for_each(&mut |room| self.rooms.push(Rc::from(room)));
    }

    pub(in crate::socketio) fn add_excepted(&mut self, rooms: impl RoomNames) {
        rooms.for_each(&mut |room| self.except.push(Rc::from(room)));
    }

    pub(in crate::socketio) fn excepted_rooms(&self) -> &[Rc<str>] {
        &self.except
    }

    pub(in crate::socketio) fn sender(&self) -> Option<SocketKey> {
        self.sender.as_ref().map(|(key, _)| *key)
    }

    /// Whether everybody is meant, but for a sender.
    pub(in crate::socketio) fn concerns_all(&self) -> bool {
        self.rooms.is_empty() && self.except.is_empty()
    }
}

impl Default for BroadcastOptions {
    fn default() -> Self {
        Self {
            rooms: Vec::new(),
            except: Vec::new(),
            sender: None,
            volatile: false,
            compress: true,
            local: false,
            timeout: None,
        }
    }
}
