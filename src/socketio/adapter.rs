//! The policy around the rooms of a namespace: where a broadcast goes, and who joins what.
//!
//! On one server that is [`LocalAdapter`], which does each thing at once and locally. A cluster's
//! adapter surrounds the same [`Local`] operations: it may pass them on, and deliver later.

use std::rc::Rc;

use super::rooms::{Member, Rooms, SocketKey};
use super::sockets::Sockets;
use crate::message::Message;
use crate::outbox::{Delivery, Lane, Outboxes};

/// What a namespace asks of its adapter. No user code runs inside any of these.
pub(crate) trait Adapter {
    /// Queues one message for every selected socket.
    fn broadcast(
        &mut self,
        local: &mut Local<'_>,
        message: &Rc<Message>,
        selection: &Selection,
        volatile: bool,
    ) -> Emitted;

    /// Puts a socket into a room.
    fn join(&mut self, local: &mut Local<'_>, member: Member, room: &str, rooms_max: usize)
    -> bool;

    /// Takes a socket out of a room.
    fn leave(&mut self, local: &mut Local<'_>, socket: SocketKey, room: &str) -> bool;

    /// Takes a socket out of all its rooms: it has left the namespace.
    fn leave_all(&mut self, local: &mut Local<'_>, socket: SocketKey);
}

/// The adapter of a server on its own.
#[derive(Debug)]
pub(crate) struct LocalAdapter;

/// The local side of a namespace, as an adapter sees it.
pub(crate) struct Local<'a> {
    pub(crate) members: &'a [Member],
    pub(crate) rooms: &'a mut Rooms,
    pub(crate) sockets: &'a Sockets,
    pub(crate) outboxes: &'a mut Outboxes,
    pub(crate) selected: &'a mut Selected,
    pub(crate) soft_bytes_max: usize,
}

/// Whom a broadcast is for: the union of the rooms, everybody if there are none, less the members
/// of the excepted rooms, less the sender.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    pub(crate) rooms: Vec<Rc<str>>,
    pub(crate) except: Vec<Rc<str>>,
    pub(crate) sender: Option<SocketKey>,
}

/// What became of a broadcast, counted by recipient.
///
/// ```
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// let emitted = server.emit("news", &"nobody is there yet");
/// assert_eq!((emitted.queued, emitted.over_limit, emitted.dropped), (0, 0, 0));
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
}

/// The recipients of the broadcast at hand, and who has been selected already; kept from one
/// broadcast to the next so that selecting allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Selected {
    members: Vec<Member>,
    marks: Vec<u32>,
    stamp: u32,
}

impl Adapter for LocalAdapter {
    fn broadcast(
        &mut self,
        local: &mut Local<'_>,
        message: &Rc<Message>,
        selection: &Selection,
        volatile: bool,
    ) -> Emitted {
        local.broadcast(message, selection, volatile)
    }

    fn join(
        &mut self,
        local: &mut Local<'_>,
        member: Member,
        room: &str,
        rooms_max: usize,
    ) -> bool {
        local.rooms.join(member, room, rooms_max)
    }

    fn leave(&mut self, local: &mut Local<'_>, socket: SocketKey, room: &str) -> bool {
        local.rooms.leave(socket, room)
    }

    fn leave_all(&mut self, local: &mut Local<'_>, socket: SocketKey) {
        local.rooms.leave_all(socket);
    }
}

impl Local<'_> {
    /// Selects first, each socket at most once, then queues one reference for each.
    pub(crate) fn broadcast(
        &mut self,
        message: &Rc<Message>,
        selection: &Selection,
        volatile: bool,
    ) -> Emitted {
        let mut emitted = Emitted::default();
        if selection.rooms.is_empty() && selection.except.is_empty() {
            let lane = lane_for(self.members.len());
            for &member in self.members {
                if Some(member.socket) != selection.sender {
                    self.deliver(member, message, lane, volatile, &mut emitted);
                }
            }
            return emitted;
        }
        self.select(selection);
        let members = std::mem::take(&mut self.selected.members);
        let lane = lane_for(members.len());
        for &member in &members {
            self.deliver(member, message, lane, volatile, &mut emitted);
        }
        self.selected.members = members;
        emitted
    }

    fn deliver(
        &mut self,
        member: Member,
        message: &Rc<Message>,
        lane: Lane,
        volatile: bool,
        emitted: &mut Emitted,
    ) {
        match send(self.outboxes, member, message, lane, volatile, self.soft_bytes_max) {
            Delivery::Queued => emitted.queued += 1,
            Delivery::OverLimit => {
                emitted.queued += 1;
                emitted.over_limit += 1;
            }
            Delivery::Dropped => emitted.dropped += 1,
        }
    }

    /// Fills `selected.members` with the recipients.
    pub(crate) fn select(&mut self, selection: &Selection) {
        self.selected.begin();
        if let Some(sender) = selection.sender {
            self.selected.mark(sender);
        }
        for room in &selection.except {
            self.for_members(room, |selected, member| {
                selected.mark(member.socket);
            });
        }
        if selection.rooms.is_empty() {
            for &member in self.members {
                self.selected.add(member);
            }
        }
        for room in &selection.rooms {
            self.for_members(room, Selected::add);
        }
    }

    /// The members of a room, the room of a socket's own id included.
    fn for_members(&mut self, room: &str, mut act: impl FnMut(&mut Selected, Member)) {
        for &member in self.rooms.members(room) {
            act(self.selected, member);
        }
        if let Some(socket) = self.sockets.find(room)
            && let Some(entry) = self.sockets.get(socket)
            && let Some(&member) = self.members.get(entry.position as usize)
            && member.socket == socket
        {
            act(self.selected, member);
        }
    }
}

impl Selected {
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    fn begin(&mut self) {
        self.members.clear();
        self.stamp = self.stamp.wrapping_add(1);
        if self.stamp == 0 {
            self.marks.fill(0);
            self.stamp = 1;
        }
    }

    /// Whether the socket had not been marked before.
    fn mark(&mut self, socket: SocketKey) -> bool {
        let index = socket.index();
        if index >= self.marks.len() {
            self.marks.resize(index + 1, 0);
        }
        std::mem::replace(&mut self.marks[index], self.stamp) != self.stamp
    }

    fn add(&mut self, member: Member) {
        if self.mark(member.socket) {
            self.members.push(member);
        }
    }
}

/// Queues a message for one recipient and tells what became of it.
pub(crate) fn send(
    outboxes: &mut Outboxes,
    member: Member,
    message: &Rc<Message>,
    lane: Lane,
    volatile: bool,
    soft_bytes_max: usize,
) -> Delivery {
    if volatile && !outboxes.is_writable(member.session) {
        return Delivery::Dropped;
    }
    match outboxes.push(member.session, message, lane) {
        None => Delivery::Dropped,
        Some(bytes) if bytes > soft_bytes_max => Delivery::OverLimit,
        Some(_) => Delivery::Queued,
    }
}

/// What reaches a handful of sockets is as direct as an emit; the rest is fan-out.
fn lane_for(recipients: usize) -> Lane {
    if recipients <= DIRECT_MAX { Lane::Soon } else { Lane::Bulk }
}

const DIRECT_MAX: usize = 8;
