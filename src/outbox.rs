//! What each session still has to be sent, by session index, and the two lanes of those who have
//! something to say.
//!
//! socketio pushes, engineio says where it goes (the [`Sink`]), the conductor drains. Messages wait
//! here neutral of transport, so what was queued for a poll becomes frames at an upgrade. Queues
//! are linked through one shared slab: a push allocates nothing in the steady state, and an idle
//! session keeps no buffer.
//!
//! It isn't the bytes of a connection: what a short write left over is the reactor's.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use slab::Slab;

use crate::message::{Form, Message};
use crate::slots::{ConnectionKey, SessionKey};

/// The outboxes of all sessions.
#[derive(Debug)]
pub(crate) struct Outboxes {
    entries: Vec<Outbox>,
    nodes: Slab<Node>,
    soon: VecDeque<SessionKey>,
    bulk: VecDeque<SessionKey>,
    bytes: usize,
    messages: usize,
    tick: u32,
    pushed_bulk: u64,
}

/// Where the messages of a session go at the next flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sink {
    /// The session is gone; a push is dropped.
    Closed,
    /// Polling without a GET to answer: messages wait.
    Held,
    /// Polling with a GET parked: the next flush answers it.
    Poll,
    /// Frames on this connection.
    WebSocket(ConnectionKey, Form),
}

/// Which list a session enters when something is queued for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Replies, acks, opens and direct emits: flushed first in every turn and between slices.
    Soon,
    /// Fan-out: flushed in slices.
    Bulk,
}

/// What became of a message that was to be sent.
///
/// Neither says that the client has it: for that, ask for an acknowledgement.
///
/// ```
/// use throng::{Delivery, Server};
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// server.of("/").on("state", |socket, (): ()| {
///     if socket.volatile().emit("state", &42) == Delivery::Dropped {
///         println!("{} is behind, it gets the next one", socket.id());
///     }
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// Queued; the flush at the end of the turn writes it, as far as the peer takes it.
    Queued,
    /// Queued, and the recipient now has more waiting than the soft limit allows for long.
    OverLimit,
    /// Not queued: the recipient is gone, or the message was volatile and the transport busy.
    Dropped,
}

#[derive(Debug)]
struct Outbox {
    generation: u32,
    head: u32,
    tail: u32,
    /// The tick of the last push, for what `volatile` calls writable.
    pushed_at: u32,
    sink: Sink,
    listed: Option<Lane>,
    /// The last write fell short: nothing is writable until the peer has read.
    blocked: bool,
    messages: u32,
    bytes: usize,
    slow: Option<Box<Slow>>,
}

/// Since when a session has been slow; kept only while it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slow {
    /// When bytes last left for the peer.
    pub(crate) progress_at: Duration,
    /// Since when more than the soft limit has been waiting.
    pub(crate) over_soft_since: Option<Duration>,
}

#[derive(Debug)]
struct Node {
    message: Rc<Message>,
    next: u32,
}

impl Outboxes {
    /// Room for so many sessions, and for one message to each.
    pub(crate) fn with_capacity(sessions: usize) -> Self {
        Self {
            entries: Vec::with_capacity(sessions),
            nodes: Slab::with_capacity(sessions),
            soon: VecDeque::with_capacity(sessions),
            bulk: VecDeque::with_capacity(sessions),
            bytes: 0,
            messages: 0,
            tick: 1,
            pushed_bulk: 0,
        }
    }

    /// Makes the outbox of a new session.
    pub(crate) fn open(&mut self, session: SessionKey, sink: Sink) {
        let outbox = Outbox { generation: session.generation(), sink, ..Outbox::vacant() };
        let index = session.index();
        if index < self.entries.len() {
            self.entries[index] = outbox;
        } else {
            // Sessions get their indices from a slab, one after the other.
            self.entries.resize_with(index, Outbox::vacant);
            self.entries.push(outbox);
        }
    }

    /// Discards what waits for a session that has ended.
    pub(crate) fn close(&mut self, session: SessionKey) {
        self.clear(session);
        if let Some(outbox) = self.entry(session) {
            *outbox = Outbox::vacant();
        }
    }

    /// Discards what waits, the session living on.
    pub(crate) fn clear(&mut self, session: SessionKey) {
        while self.pop(session).is_some() {}
    }

    /// Says where the session's messages go from now on, and lists it if it can go at once.
    pub(crate) fn set_sink(&mut self, session: SessionKey, sink: Sink) {
        let Some(outbox) = self.entry(session) else { return };
        outbox.sink = sink;
        outbox.blocked = false;
        if outbox.head != NONE && !matches!(sink, Sink::Held | Sink::Closed) {
            self.list(session, Lane::Soon);
        }
    }

    pub(crate) fn sink(&self, session: SessionKey) -> Sink {
        self.peek(session).map_or(Sink::Closed, |outbox| outbox.sink)
    }

    /// One connection's read slice, or one call of the host between polls, is one tick.
    pub(crate) fn begin_tick(&mut self) {
        self.tick = self.tick.wrapping_add(1).max(1);
    }

    /// Queues one reference to the message for one recipient.
    pub(crate) fn push(&mut self, session: SessionKey, message: &Rc<Message>, lane: Lane) -> bool {
        let tick = self.tick;
        let Some(outbox) = self.entries.get_mut(session.index()) else { return false };
        if outbox.generation != session.generation() || outbox.sink == Sink::Closed {
            return false;
        }
        let node = self.nodes.insert(Node { message: Rc::clone(message), next: NONE });
        let node = u32::try_from(node).unwrap_or(NONE);
        if outbox.head == NONE {
            outbox.head = node;
        } else {
            self.nodes[outbox.tail as usize].next = node;
        }
        outbox.tail = node;
        outbox.pushed_at = tick;
        let bytes = message.bytes();
        outbox.bytes += bytes;
        outbox.messages = outbox.messages.saturating_add(1);
        let listed = outbox.listed;
        self.bytes += bytes;
        self.messages += 1;
        self.pushed_bulk += u64::from(lane == Lane::Bulk);
        if listed.is_none() || (listed == Some(Lane::Bulk) && lane == Lane::Soon) {
            self.list(session, lane);
        }
        true
    }

    /// What `volatile` asks: can a message leave for this session at once?
    pub(crate) fn is_writable(&self, session: SessionKey) -> bool {
        self.peek(session).is_some_and(|outbox| {
            !outbox.blocked
                && outbox.pushed_at != self.tick
                && matches!(outbox.sink, Sink::Poll | Sink::WebSocket(..))
        })
    }

    /// Puts the session on a lane's list. One that can't be written to now is listed too: its
    /// limits are judged when its flush comes to nothing.
    pub(crate) fn list(&mut self, session: SessionKey, lane: Lane) {
        let Some(outbox) = self.entry(session) else { return };
        if outbox.listed == Some(lane) || outbox.listed == Some(Lane::Soon) {
            return;
        }
        outbox.listed = Some(lane);
        match lane {
            Lane::Soon => self.soon.push_back(session),
            Lane::Bulk => self.bulk.push_back(session),
        }
    }

    /// The next session of a lane, taken off its list.
    pub(crate) fn next_listed(&mut self, lane: Lane) -> Option<SessionKey> {
        loop {
            let session = match lane {
                Lane::Soon => self.soon.pop_front()?,
                Lane::Bulk => self.bulk.pop_front()?,
            };
            // An entry is stale when the session ended or moved to the other lane.
            if let Some(outbox) = self.entry(session)
                && outbox.listed == Some(lane)
            {
                outbox.listed = None;
                return Some(session);
            }
        }
    }

    pub(crate) fn has_listed(&self) -> bool {
        !self.soon.is_empty() || !self.bulk.is_empty()
    }

    /// How many sessions wait in the fan-out lane.
    pub(crate) fn bulk_len(&self) -> usize {
        self.bulk.len()
    }

    /// The first messages of a session, up to `max`, appended to `out` without removing them.
    pub(crate) fn peek_into(&self, session: SessionKey, max: usize, out: &mut Vec<Rc<Message>>) {
        let mut node = self.peek(session).map_or(NONE, |outbox| outbox.head);
        for _ in 0..max {
            let Some(found) = self.nodes.get(node as usize) else { return };
            out.push(Rc::clone(&found.message));
            node = found.next;
        }
    }

    /// Removes the first message of a session.
    pub(crate) fn pop(&mut self, session: SessionKey) -> Option<Rc<Message>> {
        let outbox = self.entries.get_mut(session.index())?;
        if outbox.generation != session.generation() || outbox.head == NONE {
            return None;
        }
        let node = self.nodes.remove(outbox.head as usize);
        outbox.head = node.next;
        if node.next == NONE {
            outbox.tail = NONE;
            outbox.slow = None;
        }
        let bytes = node.message.bytes();
        outbox.bytes -= bytes;
        outbox.messages = outbox.messages.saturating_sub(1);
        self.bytes -= bytes;
        self.messages -= 1;
        Some(node.message)
    }

    pub(crate) fn is_empty(&self, session: SessionKey) -> bool {
        self.peek(session).is_none_or(|outbox| outbox.head == NONE)
    }

    /// What the limits count for one session: its payload bytes, and for each message what
    /// keeping it costs, or a peer that reads nothing could have millions of `430[]` kept.
    pub(crate) fn cost(&self, session: SessionKey) -> usize {
        self.peek(session).map_or(0, |outbox| cost(outbox.bytes, outbox.messages as usize))
    }

    /// The share of the first message in it.
    pub(crate) fn first_cost(&self, session: SessionKey) -> usize {
        let head = self.peek(session).map_or(NONE, |outbox| outbox.head);
        self.nodes.get(head as usize).map_or(0, |node| cost(node.message.bytes(), 1))
    }

    /// As [`Outboxes::cost`], for all sessions.
    pub(crate) fn cost_total(&self) -> usize {
        cost(self.bytes, self.messages)
    }

    /// Payload bytes that wait for one session.
    pub(crate) fn bytes(&self, session: SessionKey) -> usize {
        self.peek(session).map_or(0, |outbox| outbox.bytes)
    }

    /// Payload bytes that wait for all sessions, each reference counted.
    pub(crate) fn bytes_total(&self) -> usize {
        self.bytes
    }

    /// References to messages that wait for all sessions.
    pub(crate) fn messages_total(&self) -> usize {
        self.messages
    }

    /// How many references were ever pushed to the fan-out lane.
    pub(crate) fn pushed_bulk(&self) -> u64 {
        self.pushed_bulk
    }

    /// The session's connection takes bytes again: what waits is listed.
    pub(crate) fn unblock(&mut self, session: SessionKey) -> bool {
        let was_blocked = self.is_blocked(session);
        if was_blocked {
            self.set_blocked(session, false);
            self.list(session, Lane::Bulk);
        }
        was_blocked
    }

    pub(crate) fn is_blocked(&self, session: SessionKey) -> bool {
        self.peek(session).is_some_and(|outbox| outbox.blocked)
    }

    pub(crate) fn set_blocked(&mut self, session: SessionKey, blocked: bool) {
        if let Some(outbox) = self.entry(session) {
            outbox.blocked = blocked;
        }
    }

    pub(crate) fn slow(&self, session: SessionKey) -> Option<Slow> {
        self.peek(session).and_then(|outbox| outbox.slow.as_deref().copied())
    }

    pub(crate) fn set_slow(&mut self, session: SessionKey, slow: Option<Slow>) {
        if let Some(outbox) = self.entry(session) {
            match (&mut outbox.slow, slow) {
                (Some(kept), Some(slow)) => **kept = slow,
                (kept, slow) => *kept = slow.map(Box::new),
            }
        }
    }

    fn peek(&self, session: SessionKey) -> Option<&Outbox> {
        self.entries
            .get(session.index())
            .filter(|outbox| outbox.generation == session.generation() && outbox.is_open())
    }

    fn entry(&mut self, session: SessionKey) -> Option<&mut Outbox> {
        self.entries
            .get_mut(session.index())
            .filter(|outbox| outbox.generation == session.generation() && outbox.is_open())
    }
}

impl Outbox {
    fn vacant() -> Self {
        Self {
            generation: 0,
            head: NONE,
            tail: NONE,
            pushed_at: 0,
            sink: Sink::Closed,
            listed: None,
            blocked: false,
            messages: 0,
            bytes: 0,
            slow: None,
        }
    }

    fn is_open(&self) -> bool {
        self.sink != Sink::Closed
    }
}

fn cost(bytes: usize, messages: usize) -> usize {
    bytes.saturating_add(messages.saturating_mul(MESSAGE_COST_BYTES))
}

const NONE: u32 = u32::MAX;
/// About what a message takes besides its payload where nobody shares it.
const MESSAGE_COST_BYTES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slots::Key;

    fn outboxes() -> (Outboxes, SessionKey) {
        let mut outboxes = Outboxes::with_capacity(4);
        let session = Key::new(2, 9);
        outboxes.open(session, Sink::WebSocket(Key::new(0, 0), Form::WebSocket));
        (outboxes, session)
    }

    #[test]
    fn keeps_the_order_and_counts_the_bytes() {
        let (mut outboxes, session) = outboxes();
        for text in ["a", "bb", "ccc"] {
            assert!(outboxes.push(session, &Message::text(text), Lane::Bulk));
        }
        assert_eq!(outboxes.bytes(session), 9);
        let mut seen = Vec::new();
        outboxes.peek_into(session, 2, &mut seen);
        assert_eq!(seen.len(), 2);
        let texts: Vec<_> = std::iter::from_fn(|| outboxes.pop(session))
            .map(|message| message.payload_text().unwrap().to_owned())
            .collect();
        assert_eq!(texts, ["a", "bb", "ccc"]);
        assert_eq!((outboxes.bytes_total(), outboxes.messages_total()), (0, 0));
    }

    #[test]
    fn a_direct_message_moves_a_session_from_bulk_to_soon() {
        let (mut outboxes, session) = outboxes();
        outboxes.push(session, &Message::text("1"), Lane::Bulk);
        outboxes.push(session, &Message::text("2"), Lane::Soon);
        assert_eq!(outboxes.next_listed(Lane::Soon), Some(session));
        assert_eq!(outboxes.next_listed(Lane::Bulk), None);
        assert!(!outboxes.has_listed());
    }

    #[test]
    fn a_stale_key_reaches_nobody() {
        let (mut outboxes, session) = outboxes();
        assert!(!outboxes.push(Key::new(2, 8), &Message::text("x"), Lane::Soon));
        assert!(!outboxes.push(Key::new(1, 0), &Message::text("x"), Lane::Soon));
        outboxes.push(session, &Message::text("x"), Lane::Soon);
        outboxes.close(session);
        assert!(!outboxes.push(session, &Message::text("x"), Lane::Soon));
        assert_eq!(outboxes.bytes_total(), 0);
        assert_eq!(outboxes.next_listed(Lane::Soon), None);
    }

    #[test]
    fn writable_once_a_tick_for_volatile() {
        let (mut outboxes, session) = outboxes();
        assert!(outboxes.is_writable(session));
        outboxes.push(session, &Message::text("x"), Lane::Soon);
        assert!(!outboxes.is_writable(session));
        outboxes.begin_tick();
        assert!(outboxes.is_writable(session));
        outboxes.set_blocked(session, true);
        assert!(!outboxes.is_writable(session));
        outboxes.set_sink(session, Sink::Held);
        assert!(!outboxes.is_writable(session));
    }
}
