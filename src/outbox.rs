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
use crate::send_queue::Flushed;
use crate::slots::{ConnectionKey, SessionKey};

/// The outboxes of all sessions.
#[derive(Debug)]
pub(crate) struct Outboxes {
    entries: Vec<Outbox>,
    nodes: Slab<Node>,
    lanes: Lanes,
    bytes: usize,
    /// What short writes have left over, of all sessions.
    unwritten: usize,
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

/// Since when a session has been slow; kept only while it is, or while it has to be told that it
/// isn't any more.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Slow {
    /// When bytes last left for the peer.
    pub(crate) progress_at: Duration,
    /// Since when more than the soft limit has been waiting.
    pub(crate) over_soft_since: Option<Duration>,
    /// What a short write has left over with the connection.
    pub(crate) unwritten: usize,
    /// Its high water was told of.
    pub(crate) is_high: bool,
}

/// Who has something to say, in order.
#[derive(Debug)]
struct Lanes {
    soon: VecDeque<SessionKey>,
    bulk: VecDeque<SessionKey>,
}

/// The messages of one session, first to last, where they lie.
#[derive(Clone, Debug)]
pub(crate) struct Messages<'a> {
    nodes: &'a Slab<Node>,
    next: u32,
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
            lanes: Lanes {
                soon: VecDeque::with_capacity(sessions),
                bulk: VecDeque::with_capacity(sessions),
            },
            bytes: 0,
            unwritten: 0,
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
        self.set_slow(session, None);
        if let Some(outbox) = current(&mut self.entries, session) {
            *outbox = Outbox::vacant();
        }
    }

    /// Discards what waits, the session living on.
    pub(crate) fn clear(&mut self, session: SessionKey) {
        while self.pop(session).is_some() {}
    }

    /// Says where the session's messages go from now on, and lists it if it can go at once.
    pub(crate) fn set_sink(&mut self, session: SessionKey, sink: Sink) {
        let Some(outbox) = current(&mut self.entries, session) else { return };
        outbox.sink = sink;
        outbox.blocked = false;
        if outbox.head != NONE && !matches!(sink, Sink::Held | Sink::Closed) {
            self.list(session, Lane::Soon);
        }
    }

    #[cfg(test)]
    pub(crate) fn sink(&self, session: SessionKey) -> Sink {
        self.peek(session).map_or(Sink::Closed, |outbox| outbox.sink)
    }

    /// The tick at hand, never 0.
    pub(crate) fn tick(&self) -> u32 {
        self.tick
    }

    /// One connection's read slice, or one call of the host between polls, is one tick.
    pub(crate) fn begin_tick(&mut self) {
        self.tick = self.tick.wrapping_add(1).max(1);
    }

    /// Queues one reference to the message for one recipient, and returns how many payload bytes
    /// wait for it now; `None` if it is gone.
    pub(crate) fn push(
        &mut self,
        session: SessionKey,
        message: &Rc<Message>,
        lane: Lane,
    ) -> Option<usize> {
        let outbox = current(&mut self.entries, session)?;
        let node = self.nodes.insert(Node { message: Rc::clone(message), next: NONE });
        let node = u32::try_from(node).unwrap_or(NONE);
        if outbox.head == NONE {
            outbox.head = node;
        } else {
            self.nodes[outbox.tail as usize].next = node;
        }
        outbox.tail = node;
        outbox.pushed_at = self.tick;
        let bytes = message.bytes();
        outbox.bytes += bytes;
        outbox.messages = outbox.messages.saturating_add(1);
        self.bytes += bytes;
        self.messages += 1;
        self.pushed_bulk += u64::from(lane == Lane::Bulk);
        self.lanes.list(outbox, session, lane);
        Some(outbox.bytes)
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
    fn list(&mut self, session: SessionKey, lane: Lane) {
        if let Some(outbox) = current(&mut self.entries, session) {
            self.lanes.list(outbox, session, lane);
        }
    }

    /// The next session of a lane, taken off its list, and where its messages go.
    pub(crate) fn next_listed(&mut self, lane: Lane) -> Option<(SessionKey, Sink)> {
        loop {
            let session = self.lanes.of(lane).pop_front()?;
            // An entry is stale when the session ended or moved to the other lane.
            if let Some(outbox) = current(&mut self.entries, session)
                && outbox.listed == Some(lane)
            {
                outbox.listed = None;
                return Some((session, outbox.sink));
            }
        }
    }

    pub(crate) fn has_listed(&self) -> bool {
        !self.lanes.soon.is_empty() || !self.lanes.bulk.is_empty()
    }

    /// How many sessions wait in the lane of replies, at most.
    pub(crate) fn soon_len(&self) -> usize {
        self.lanes.soon.len()
    }

    /// How many sessions wait in the fan-out lane.
    pub(crate) fn bulk_len(&self) -> usize {
        self.lanes.bulk.len()
    }

    /// What waits for a session.
    pub(crate) fn messages(&self, session: SessionKey) -> Messages<'_> {
        let next = self.peek(session).map_or(NONE, |outbox| outbox.head);
        Messages { nodes: &self.nodes, next }
    }

    /// Removes the first message of a session, also of one that takes nothing more.
    pub(crate) fn pop(&mut self, session: SessionKey) -> Option<Rc<Message>> {
        let outbox = self.entries.get_mut(session.index())?;
        if outbox.generation != session.generation() {
            return None;
        }
        let message = outbox.pop(&mut self.nodes)?;
        self.bytes -= message.bytes();
        self.messages -= 1;
        Some(message)
    }

    /// Takes note of what a write achieved: the messages that it took are removed, and if the
    /// connection would take more, what is left is listed again. Returns whether the session is to
    /// be watched, because its peer is slow or was.
    pub(crate) fn settle(&mut self, session: SessionKey, flushed: Flushed, lane: Lane) -> bool {
        let Some(outbox) = current(&mut self.entries, session) else { return flushed.blocked };
        for _ in 0..flushed.taken {
            let Some(message) = outbox.pop(&mut self.nodes) else { break };
            self.bytes -= message.bytes();
            self.messages -= 1;
        }
        outbox.blocked = flushed.blocked;
        if outbox.head != NONE && !flushed.blocked && !flushed.lost {
            self.lanes.list(outbox, session, lane);
        }
        flushed.blocked || outbox.slow.is_some()
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
        self.messages(session).next().map_or(0, |message| cost(message.bytes(), 1))
    }

    /// As [`Outboxes::cost`], for all sessions.
    pub(crate) fn cost_total(&self) -> usize {
        cost(self.bytes, self.messages)
    }

    /// Payload bytes that wait for one session.
    pub(crate) fn bytes(&self, session: SessionKey) -> usize {
        self.peek(session).map_or(0, |outbox| outbox.bytes)
    }

    /// The same, and what a short write has left over.
    pub(crate) fn queued_bytes(&self, session: SessionKey) -> usize {
        self.peek(session).map_or(0, |outbox| {
            outbox.bytes + outbox.slow.as_ref().map_or(0, |slow| slow.unwritten)
        })
    }

    /// As [`Outboxes::queued_bytes`], for all sessions, each reference counted.
    pub(crate) fn bytes_total(&self) -> usize {
        self.bytes + self.unwritten
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
        if let Some(outbox) = current(&mut self.entries, session) {
            outbox.blocked = blocked;
        }
    }

    pub(crate) fn is_slow(&self, session: SessionKey) -> bool {
        self.peek(session).is_some_and(|outbox| outbox.slow.is_some())
    }

    pub(crate) fn slow(&self, session: SessionKey) -> Option<Slow> {
        self.peek(session).and_then(|outbox| outbox.slow.as_deref().copied())
    }

    pub(crate) fn set_slow(&mut self, session: SessionKey, slow: Option<Slow>) {
        if let Some(outbox) = current(&mut self.entries, session) {
            let before = outbox.slow.as_ref().map_or(0, |slow| slow.unwritten);
            self.unwritten -= before;
            self.unwritten += slow.map_or(0, |slow| slow.unwritten);
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
}

impl Lanes {
    fn of(&mut self, lane: Lane) -> &mut VecDeque<SessionKey> {
        match lane {
            Lane::Soon => &mut self.soon,
            Lane::Bulk => &mut self.bulk,
        }
    }

    /// Lists a session, unless it is listed there or sooner.
    fn list(&mut self, outbox: &mut Outbox, session: SessionKey, lane: Lane) {
        if outbox.listed != Some(lane) && outbox.listed != Some(Lane::Soon) {
            outbox.listed = Some(lane);
            self.of(lane).push_back(session);
        }
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

    fn pop(&mut self, nodes: &mut Slab<Node>) -> Option<Rc<Message>> {
        if self.head == NONE {
            return None;
        }
        let Node { message, next } = nodes.remove(self.head as usize);
        self.head = next;
        if next == NONE {
            self.tail = NONE;
            if self.slow.as_ref().is_some_and(|slow| !slow.is_high && slow.unwritten == 0) {
                self.slow = None;
            }
        }
        self.bytes -= message.bytes();
        self.messages = self.messages.saturating_sub(1);
        Some(message)
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = &'a Rc<Message>;

    fn next(&mut self) -> Option<Self::Item> {
        let node = self.nodes.get(self.next as usize)?;
        self.next = node.next;
        Some(&node.message)
    }
}

/// The outbox of a session that takes messages. It borrows no more than the entries, so that its
/// messages and its place in a lane can be changed with it.
fn current(entries: &mut [Outbox], session: SessionKey) -> Option<&mut Outbox> {
    entries
        .get_mut(session.index())
        .filter(|outbox| outbox.generation == session.generation() && outbox.is_open())
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
            assert!(outboxes.push(session, &Message::text(text), Lane::Bulk).is_some());
        }
        assert_eq!(outboxes.bytes(session), 9);
        assert_eq!(outboxes.messages(session).count(), 3);
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
        assert_eq!(outboxes.next_listed(Lane::Soon), Some((session, outboxes.sink(session))));
        assert_eq!(outboxes.next_listed(Lane::Bulk), None);
        assert!(!outboxes.has_listed());
    }

    #[test]
    fn a_stale_key_reaches_nobody() {
        let (mut outboxes, session) = outboxes();
        assert_eq!(outboxes.push(Key::new(2, 8), &Message::text("x"), Lane::Soon), None);
        assert_eq!(outboxes.push(Key::new(1, 0), &Message::text("x"), Lane::Soon), None);
        outboxes.push(session, &Message::text("x"), Lane::Soon);
        outboxes.close(session);
        assert_eq!(outboxes.push(session, &Message::text("x"), Lane::Soon), None);
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
