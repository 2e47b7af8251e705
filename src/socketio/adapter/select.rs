//! Who gets a broadcast on this server: selected first, each at most once, then served.

use std::rc::Rc;

use super::{BroadcastOptions, Emitted, EncodedEvent, Local};
use crate::message::Message;
use crate::outbox::{Delivery, Lane, Outboxes};
use crate::socketio::State;
use crate::socketio::namespaces::NamespaceId;
use crate::socketio::rooms::{Member, SocketKey};

/// The recipients of the broadcast at hand, and who has been selected already; kept from one
/// broadcast to the next so that selecting allocates nothing.
#[derive(Debug, Default)]
pub(in crate::socketio) struct Selected {
    members: Vec<Member>,
    marks: Vec<u32>,
    stamp: u32,
}

impl Local<'_> {
    /// Queues an event for every socket of this server that is meant.
    pub fn deliver(&mut self, event: &EncodedEvent, options: &BroadcastOptions) -> Emitted {
        let message = &event.message;
        let mut emitted = Emitted::default();
        if options.concerns_all() {
            let (sender, volatile) = (options.sender(), options.volatile);
            let members = &self.state.namespaces.get(self.namespace).members;
            let lane = lane_for(members.len());
            let (outboxes, soft) = (&mut self.state.outboxes, self.state.soft_bytes_max);
            for &member in members {
                if Some(member.socket) != sender {
                    emitted.add(send(outboxes, member, message, lane, volatile, soft));
                }
            }
        } else {
            self.state.select(self.namespace, options);
            let members = std::mem::take(&mut self.state.selected.members);
            let lane = lane_for(members.len());
            let (outboxes, soft) = (&mut self.state.outboxes, self.state.soft_bytes_max);
            for &member in &members {
                emitted.add(send(outboxes, member, message, lane, options.volatile, soft));
            }
            self.state.selected.members = members;
        }
        let Emitted { queued, over_limit, dropped, .. } = emitted;
        self.state.counters.count_broadcast(queued, over_limit, dropped);
        self.tell_watchers(event, options);
        emitted
    }
}

impl State {
    /// The keys of the sockets of this server that are meant.
    pub(in crate::socketio) fn selected_keys(
        &mut self,
        namespace: NamespaceId,
        options: &BroadcastOptions,
    ) -> Vec<SocketKey> {
        self.select(namespace, options);
        self.selected.members.iter().map(|member| member.socket).collect()
    }

    pub(in crate::socketio) fn selected_members(
        &mut self,
        namespace: NamespaceId,
        options: &BroadcastOptions,
    ) -> Vec<Member> {
        self.select(namespace, options);
        self.selected.members.clone()
    }

    /// Fills `selected.members` with the recipients.
    fn select(&mut self, namespace: NamespaceId, options: &BroadcastOptions) {
        self.selected.begin();
        if let Some(sender) = options.sender() {
            self.selected.mark(sender);
        }
        for room in options.excepted_rooms() {
            self.for_members(namespace, room, |selected, member| {
                selected.mark(member.socket);
            });
        }
        if options.rooms().is_empty() {
            for &member in &self.namespaces.get(namespace).members {
                self.selected.add(member);
            }
        }
        for room in options.rooms() {
            self.for_members(namespace, room, Selected::add);
        }
    }

    /// The members of a room, the room of a socket's own id included.
    fn for_members(
        &mut self,
        namespace: NamespaceId,
        room: &str,
        mut act: impl FnMut(&mut Selected, Member),
    ) {
        for &member in self.namespaces.get(namespace).rooms.members(room) {
            act(&mut self.selected, member);
        }
        if let Some(member) = self.owner_of_room(namespace, room) {
            act(&mut self.selected, member);
        }
    }

    /// The member whose own id this room bears.
    pub(in crate::socketio) fn owner_of_room(
        &self,
        namespace: NamespaceId,
        room: &str,
    ) -> Option<Member> {
        let socket = self.sockets.find(room)?;
        self.member(namespace, socket).or_else(|| {
            // Whom the id means isn't in, or not any more, and another with it may be.
            let id = self.sockets.id(socket)?;
            let twins = self.sockets.twins(&id).iter();
            twins.rev().find_map(|&twin| self.member(namespace, twin))
        })
    }

    /// A socket as a member of a namespace, if it is one.
    pub(in crate::socketio) fn member(
        &self,
        namespace: NamespaceId,
        socket: SocketKey,
    ) -> Option<Member> {
        let position = self.sockets.get(socket)?.position as usize;
        let member = self.namespaces.get(namespace).members.get(position).copied()?;
        (member.socket == socket).then_some(member)
    }
}

impl Selected {
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

impl Emitted {
    fn add(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Queued => self.queued += 1,
            Delivery::OverLimit => {
                self.queued += 1;
                self.over_limit += 1;
            }
            Delivery::Dropped => self.dropped += 1,
        }
    }

    /// What it means for an event that is for one socket alone.
    pub(in crate::socketio) fn as_delivery(self) -> Delivery {
        match self {
            Self { over_limit: 1.., .. } => Delivery::OverLimit,
            Self { queued: 1.., .. } | Self { deferred: true, .. } => Delivery::Queued,
            _ => Delivery::Dropped,
        }
    }
}

/// Queues a message for one recipient and tells what became of it.
pub(in crate::socketio) fn send(
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
pub(in crate::socketio) fn lane_for(recipients: usize) -> Lane {
    if recipients <= DIRECT_MAX { Lane::Soon } else { Lane::Bulk }
}

const DIRECT_MAX: usize = 8;
