//! The local side of a namespace, as its adapter sees it: what it may do on this server.

use std::fmt;
use std::rc::Rc;

use super::{BroadcastOptions, Emitted, EncodedEvent, OutgoingEvent, Request, SocketSnapshot};
use crate::deadlines::Now;
use crate::slots::Key;
use crate::socketio::State;
use crate::socketio::format::Format;
use crate::socketio::namespaces::NamespaceId;
use crate::socketio::packet::AckId;
use crate::socketio::payload::{Args, OwnedArgs};
use crate::socketio::questions::{Asker, Question};

/// The sockets and rooms of one namespace on this server, lent to its adapter while it acts.
///
/// What it does that concerns the host (handlers, callbacks, disconnects) is queued, and done when
/// the adapter has returned.
///
/// ```
/// use throng::adapter::{Adapter, BroadcastOptions, Local};
///
/// struct Bridge;
///
/// impl Adapter for Bridge {
///     /// A line from elsewhere becomes an event for everybody here.
///     fn handle_event(&mut self, local: &mut Local<'_>, bytes: &[u8]) {
///         let Ok(text) = std::str::from_utf8(bytes) else { return };
///         let args = throng::OwnedArgs::new(text).unwrap_or_default();
///         if let Some(event) = local.event("line", args.as_args()) {
///             local.broadcast(event, &BroadcastOptions::default());
///         }
///     }
/// }
/// ```
pub struct Local<'a> {
    pub(in crate::socketio) state: &'a mut State,
    pub(in crate::socketio) format: &'a Format,
    pub(in crate::socketio) namespace: NamespaceId,
}

/// Names a broadcast whose acknowledgements are awaited, among those of this server.
///
/// ```
/// use std::collections::HashMap;
/// use throng::adapter::QuestionId;
///
/// // What an adapter keeps: which of its requests belongs to which question.
/// let open: HashMap<u64, QuestionId> = HashMap::new();
/// assert!(open.is_empty());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QuestionId(pub(in crate::socketio) Key<Question>);

impl Local<'_> {
    /// The moment.
    pub fn now(&self) -> Now {
        self.state.now
    }

    /// The name of the namespace.
    pub fn namespace(&self) -> &str {
        &self.state.namespaces.get(self.namespace).name
    }

    /// How many sockets this server has in the namespace.
    pub fn sockets_len(&self) -> usize {
        self.state.namespaces.get(self.namespace).members.len()
    }

    /// Whether this server has anybody in a room; a socket's own id is one.
    pub fn has_room(&self, room: &str) -> bool {
        !self.state.namespaces.get(self.namespace).rooms.members(room).is_empty()
            || self.state.owner_of_room(self.namespace, room).is_some()
    }

    /// A random number, for ids that others must not guess.
    pub fn random(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.state.entropy.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// Encodes an event that came from elsewhere; `None` if its arguments can't be.
    pub fn event(&self, name: &str, args: Args<'_>) -> Option<OutgoingEvent> {
        let draft = self.format.encode_event(self.namespace(), name, None, args).ok()?;
        Some(OutgoingEvent::new(draft, None).watched(self.is_watched()))
    }

    /// As [`Local::event`], for [`Local::ask_for`].
    pub fn event_with_ack(&mut self, name: &str, args: Args<'_>) -> Option<OutgoingEvent> {
        let id = self.state.next_ack(self.namespace);
        let draft = self.format.encode_event(self.namespace(), name, Some(id), args).ok()?;
        Some(OutgoingEvent::new(draft, Some(id)).watched(self.is_watched()))
    }

    /// Completes an event and queues it for every socket of this server that is meant.
    pub fn broadcast(&mut self, mut event: OutgoingEvent, options: &BroadcastOptions) -> Emitted {
        if !options.compress {
            event.forbid_compression();
        }
        self.deliver(&event.finish(), options)
    }

    /// Sends an event to the sockets of this server that are meant and awaits their answers for
    /// this question; tells how many were asked.
    pub fn ask(
        &mut self,
        event: OutgoingEvent,
        options: &BroadcastOptions,
        question: QuestionId,
    ) -> usize {
        let Some(id) = event.ack() else { return 0 };
        self.ask_as(id, &event.finish(), options, question)
    }

    /// The same for another server: each answer comes to
    /// [`Adapter::handle_answer`](super::Adapter::handle_answer) with this tag. An event of
    /// [`Local::event_with_ack`] is wanted, and answers that come after the time-out of `options`
    /// are nobody's.
    pub fn ask_for(&mut self, event: OutgoingEvent, options: &BroadcastOptions, tag: u64) -> usize {
        let Some(id) = event.ack() else { return 0 };
        let (namespace, timeout) = (self.namespace, options.timeout);
        let question = self.state.open_question(namespace, timeout, Asker::Adapter(tag));
        let asked = self.ask_as(id, &event.finish(), options, question);
        self.all_asked(question);
        asked
    }

    fn ask_as(
        &mut self,
        id: AckId,
        event: &EncodedEvent,
        options: &BroadcastOptions,
        question: QuestionId,
    ) -> usize {
        let (namespace, message) = (self.namespace, &event.message);
        let asked = self.state.ask_members(namespace, id, message, options, question);
        self.tell_watchers(event, options);
        asked
    }

    fn is_watched(&self) -> bool {
        self.state.namespaces.get(self.namespace).hears_outgoing
    }

    /// Outgoing catch-alls are the host's: they run when the adapter has returned.
    pub(super) fn tell_watchers(&mut self, event: &EncodedEvent, options: &BroadcastOptions) {
        let Some(watched) = event.watched.clone() else { return };
        let keys = self.state.selected_keys(self.namespace, options);
        self.state.effects.push(move |hub| {
            for key in keys {
                hub.tell_outgoing(key, &watched.name, watched.args.as_args());
            }
        });
    }

    /// So many clients of other servers were asked, too.
    pub fn expect(&mut self, question: QuestionId, clients: usize) {
        self.state.expect_answers(question, clients);
    }

    /// A client of another server has answered, with this first argument.
    pub fn answer(&mut self, question: QuestionId, answer: OwnedArgs) {
        self.state.note_answer(question, answer);
    }

    /// A client of another server has left and won't answer.
    pub fn left(&mut self, question: QuestionId) {
        self.state.note_left(question);
    }

    /// Nobody more will be asked: from now on the question is complete when all have answered.
    pub fn all_asked(&mut self, question: QuestionId) {
        self.state.close_question(question);
    }

    /// Answers with the sockets of this server that are meant.
    pub fn fetch_sockets(
        &mut self,
        options: &BroadcastOptions,
        request: Request<Vec<SocketSnapshot>>,
    ) {
        let keys = self.state.selected_keys(self.namespace, options);
        // Their data has to be serialised: code of the host's.
        self.state.effects.push(move |hub| request.answer(Ok(hub.snapshots(&keys))));
    }

    /// A request whose answer comes to [`Adapter::handle_answer`](super::Adapter::handle_answer)
    /// with this tag; a failure doesn't.
    pub fn request(&self, tag: u64) -> Request<Vec<SocketSnapshot>> {
        let namespace = self.namespace;
        Request::new(&self.state.effects, move |hub, sockets| {
            if let Ok(sockets) = sockets {
                hub.with_adapter(namespace, |adapter, local| {
                    adapter.handle_answer(local, tag, super::Answer::Sockets(sockets));
                });
            }
        })
    }

    /// Puts the sockets of this server that are meant into rooms.
    pub fn sockets_join(&mut self, options: &BroadcastOptions, rooms: &[Rc<str>]) {
        for member in self.state.selected_members(self.namespace, options) {
            for room in rooms {
                self.state.join_room(member, room);
            }
        }
    }

    /// Takes the sockets of this server that are meant out of rooms.
    pub fn sockets_leave(&mut self, options: &BroadcastOptions, rooms: &[Rc<str>]) {
        for key in self.state.selected_keys(self.namespace, options) {
            for room in rooms {
                self.state.leave_room(key, room);
            }
        }
    }

    /// Disconnects the sockets of this server that are meant; with `close`, their clients too.
    pub fn disconnect_sockets(&mut self, options: &BroadcastOptions, close: bool) {
        let keys = self.state.selected_keys(self.namespace, options);
        self.state.effects.push(move |hub| {
            for key in keys {
                if close { hub.disconnect_client(key) } else { hub.disconnect_socket(key) }
            }
        });
    }

    /// Runs the handlers of an event between servers. With a tag, the first answer comes to
    /// [`Adapter::handle_answer`](super::Adapter::handle_answer); it may come late, or never.
    pub fn server_side_event(&mut self, event: &str, args: OwnedArgs, tag: Option<u64>) {
        let (namespace, event) = (self.namespace, Box::<str>::from(event));
        self.state.effects.push(move |hub| hub.run_server_side(namespace, &event, &args, tag));
    }

    /// Counts a server-side emit that goes nowhere.
    pub(super) fn count_unsupported(&mut self) {
        self.state.counters.server_side_emits_unsupported += 1;
    }
}

impl fmt::Debug for Local<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Local({})", self.namespace())
    }
}
