//! The queue of events that the host pulls, in the order in which they happened, and who enters it.
//!
//! It is bounded: while it is full the conductor dispatches no further message, so that nothing is
//! lost and a peer can make it grow no more. What isn't a message may exceed it, by what each
//! socket has left to tell: that it has gone, and what it doesn't answer any more.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

use super::ack::{Ack, AckError};
use super::event::{AskId, Event, MessageEvent, SocketRef};
use super::handler::Middleware;
use super::payload::Args;
use super::rooms::SocketKey;
use super::socket::Socket;
use super::{Hub, State};
use crate::config::SocketConfig;
use crate::engineio::DisconnectReason;
use crate::source::{Readiness, SourceId};

/// What has happened and not been pulled. Within cells of its own, since things happen while the
/// state is borrowed.
pub(crate) struct Pulled {
    events: RefCell<VecDeque<Event>>,
    bytes: Cell<usize>,
    is_full: Cell<bool>,
    events_max: usize,
    bytes_max: usize,
    asked: Cell<u64>,
}

impl Pulled {
    pub(super) fn new(config: &SocketConfig) -> Self {
        Self {
            events: RefCell::default(),
            bytes: Cell::new(0),
            is_full: Cell::new(false),
            // With room for nothing no message would ever be dispatched.
            events_max: config.pulled_events_max.max(1),
            bytes_max: config.pulled_bytes_max.max(1),
            asked: Cell::new(0),
        }
    }

    /// Whether no further message may be dispatched.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.is_full.get()
    }

    /// How many events wait.
    pub(crate) fn len(&self) -> usize {
        self.events.borrow().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.borrow().is_empty()
    }

    pub(crate) fn push(&self, event: Event) {
        self.bytes.set(self.bytes.get().saturating_add(event.bytes()));
        self.events.borrow_mut().push_back(event);
        self.note_fullness();
    }

    pub(crate) fn pop(&self) -> Option<Event> {
        let event = self.events.borrow_mut().pop_front()?;
        self.bytes.set(self.bytes.get().saturating_sub(event.bytes()));
        self.note_fullness();
        Some(event)
    }

    fn note_fullness(&self) {
        self.is_full.set(self.len() >= self.events_max || self.bytes.get() >= self.bytes_max);
    }

    /// The name of a further question.
    fn next_ask(&self) -> AskId {
        self.asked.set(self.asked.get().wrapping_add(1));
        AskId(self.asked.get())
    }
}

impl Hub {
    /// Tells that a source of the host's own is ready, of which the sources themselves know more.
    pub(crate) fn pull_source(&self, source: SourceId, token: u64) {
        self.pulled.push(Event::Source { token, readiness: Readiness::default(), source });
    }

    /// Tells an event of a client as a value; its handlers, if there are any, come after it and
    /// share its acknowledgement.
    pub(super) fn pull_message(
        &self,
        key: SocketKey,
        namespace: &Rc<str>,
        name: &str,
        args: Args<'_>,
        ack: Option<Ack>,
    ) {
        let message = MessageEvent::new(SocketRef(key), Rc::clone(namespace), name, args, ack);
        self.pulled.push(Event::Message(message));
    }

    /// Tells that a socket leaves, once those have run who see its rooms.
    pub(super) fn pull_leaving(&self, key: SocketKey, reason: DisconnectReason) {
        let id = self.state.borrow().sockets.id(key).unwrap_or_default();
        self.pulled.push(Event::Disconnected { socket: SocketRef(key), id, reason });
    }

    /// What tells the answer to a question as a value, and the question's name.
    pub(super) fn pull_answer(
        &self,
    ) -> (AskId, impl FnOnce(Socket<'_>, Result<Args<'_>, AckError>) + use<>) {
        let ask = self.pulled.next_ask();
        let tell = move |socket: Socket<'_>, answer: Result<Args<'_>, AckError>| {
            let answer = answer.map(|args| args.to_owned());
            let socket_ref = SocketRef(socket.key);
            socket.hub.pulled.push(Event::Answer { ask, socket: socket_ref, answer });
        };
        (ask, tell)
    }
}

impl State {
    /// Whether what happens to a socket is told as a value.
    pub(super) fn is_pulled(&self, key: SocketKey) -> bool {
        let entry = self.sockets.get(key);
        entry.is_some_and(|entry| self.namespaces.get(entry.namespace).handlers.is_pulled)
    }
}

/// The middleware that leaves its decision to whoever pulls.
pub(super) fn pulled_middleware() -> Middleware {
    Middleware::Deferred(Rc::new(|socket, next| {
        socket.hub.pulled.push(Event::Connecting { socket: SocketRef(socket.key), next });
    }))
}

impl fmt::Debug for Pulled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pulled")
            .field("len", &self.len())
            .field("bytes", &self.bytes.get())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socketio::payload::OwnedArgs;

    fn pulled(events_max: usize, bytes_max: usize) -> Pulled {
        let default = SocketConfig::default();
        Pulled::new(&SocketConfig {
            pulled_events_max: events_max,
            pulled_bytes_max: bytes_max,
            ..default
        })
    }

    fn socket() -> SocketRef {
        SocketRef(SocketKey::new(3, 1))
    }

    fn message(text: &str) -> Event {
        let args = OwnedArgs::new(&text).unwrap();
        let namespace = Rc::from("/");
        Event::Message(MessageEvent::new(socket(), namespace, "e", args.as_args(), None))
    }

    #[test]
    fn events_come_out_in_the_order_in_which_they_went_in() {
        let pulled = pulled(10, 1_000);
        pulled.push(Event::Connected(socket()));
        pulled.push(message("1"));
        pulled.push(message("2"));
        assert_eq!(pulled.len(), 3);
        assert!(matches!(pulled.pop(), Some(Event::Connected(_))));
        for expected in ["\"1\"", "\"2\""] {
            let Some(Event::Message(message)) = pulled.pop() else { panic!("a message") };
            assert_eq!(message.args().json(), expected);
        }
        assert!(pulled.pop().is_none());
    }

    #[test]
    fn it_is_full_by_number_and_by_bytes_and_may_be_exceeded() {
        let pulled = pulled(2, 100);
        pulled.push(message("1"));
        assert!(!pulled.is_full());
        pulled.push(message("2"));
        assert!(pulled.is_full());
        pulled.push(Event::Connected(socket()));
        pulled.pop();
        assert!(pulled.is_full());
        pulled.pop();
        assert!(!pulled.is_full());
        pulled.push(message(&"a".repeat(97)));
        assert!(pulled.is_full());
        pulled.pop();
        pulled.pop();
        assert!(!pulled.is_full());
        assert_eq!(pulled.bytes.get(), 0);
    }

    #[test]
    fn a_limit_of_nothing_lets_one_event_in() {
        let pulled = pulled(0, 0);
        assert!(!pulled.is_full());
        pulled.push(message("1"));
        assert!(pulled.is_full());
    }
}
