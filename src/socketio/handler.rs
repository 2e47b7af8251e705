//! Handlers as they are stored: erased closures, cloned out before they are called.
//!
//! A list is replaced when it changes and never changed in place, so a handler may declare further
//! handlers, or remove itself, while its own list is being walked.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use serde::Serialize;

use super::ack::Ack;
use super::deferred::Next;
use super::payload::Args;
use super::socket::Socket;
use crate::engineio::DisconnectReason;

pub(crate) type EventHandler = Rc<dyn Fn(Socket<'_>, Args<'_>, Option<Ack>)>;
pub(crate) type ConnectHandler = Rc<dyn Fn(Socket<'_>)>;
pub(crate) type DisconnectHandler = Rc<dyn Fn(Socket<'_>, DisconnectReason)>;
pub(crate) type HighWaterHandler = Rc<dyn Fn(Socket<'_>, usize)>;
pub(crate) type LowWaterHandler = Rc<dyn Fn(Socket<'_>)>;
pub(crate) type CatchAll = Rc<dyn Fn(Socket<'_>, &str, Args<'_>)>;
pub(crate) type EventMiddleware = Rc<dyn Fn(Socket<'_>, &str, Args<'_>) -> Result<(), Refusal>>;
pub(crate) type ErrorHandler = Rc<dyn Fn(Socket<'_>, &SocketError)>;

/// Decides about a client before it is let in.
#[derive(Clone)]
pub(crate) enum Middleware {
    /// When it returns.
    AtOnce(Rc<AtOnce>),
    /// When its [`Next`] is used up.
    Deferred(Rc<Deferred>),
}

type AtOnce = dyn Fn(Socket<'_>) -> Result<(), Refusal>;
type Deferred = dyn Fn(Socket<'_>, Next);

/// The handlers of one namespace, or those that one socket has of its own.
#[derive(Clone, Default)]
pub(crate) struct Handlers {
    pub(crate) middlewares: List<Middleware>,
    pub(crate) connect: List<ConnectHandler>,
    /// Shared until it changes.
    pub(crate) events: Rc<HashMap<Box<str>, List<EventHandler>>>,
    pub(crate) any: List<CatchAll>,
    pub(crate) any_outgoing: List<CatchAll>,
    pub(crate) event_middlewares: List<EventMiddleware>,
    pub(crate) error: List<ErrorHandler>,
    pub(crate) disconnecting: List<DisconnectHandler>,
    pub(crate) disconnect: List<DisconnectHandler>,
    pub(crate) high_water: List<HighWaterHandler>,
    pub(crate) low_water: List<LowWaterHandler>,
    /// Whether what happens is told as values, too.
    pub(crate) is_pulled: bool,
    /// Whether something sees events before their handlers do.
    intercept: bool,
}

/// Names what was declared, to take it back: see
/// [`Namespace::remove_listener`](crate::Namespace::remove_listener).
///
/// ```
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// let namespace = server.of("/");
/// let listener = namespace.add_listener("chat", |_, text: String| println!("{text}"));
/// assert!(namespace.remove_listener(listener));
/// assert!(!namespace.remove_listener(listener));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(pub(super) u64);

/// What was taken out of a list. Dropping it may run the host's code: not within a borrow.
pub(crate) type Removed = Box<dyn Any>;

/// A shared list; cloning it is cloning one pointer.
pub(crate) struct List<T>(Option<Rc<[Listener<T>]>>);

#[derive(Clone)]
struct Listener<T> {
    id: ListenerId,
    handler: T,
}

impl Handlers {
    pub(crate) fn push_event(&mut self, event: &str, id: ListenerId, handler: EventHandler) {
        Rc::make_mut(&mut self.events).entry(event.into()).or_default().push(id, handler);
    }

    /// The handlers of an event.
    pub(crate) fn at(&self, event: &str) -> List<EventHandler> {
        self.events.get(event).cloned().unwrap_or_default()
    }

    /// Whether something sees events before their handlers do.
    #[inline]
    pub(crate) fn intercept(&self) -> bool {
        self.intercept
    }

    /// Takes note of what was declared or taken back: every event asks for it.
    pub(crate) fn note_interception(&mut self) {
        self.intercept = self.is_pulled || self.any.len() > 0 || self.event_middlewares.len() > 0;
    }

    /// Takes out whatever bears this id.
    pub(crate) fn remove(&mut self, id: ListenerId) -> Option<Removed> {
        if let Some(event) = self.event_of(id) {
            return self.remove_event(&event, id);
        }
        let removed = self
            .middlewares
            .remove(id)
            .or_else(|| self.connect.remove(id))
            .or_else(|| self.any.remove(id))
            .or_else(|| self.any_outgoing.remove(id))
            .or_else(|| self.event_middlewares.remove(id))
            .or_else(|| self.error.remove(id))
            .or_else(|| self.disconnecting.remove(id))
            .or_else(|| self.disconnect.remove(id))
            .or_else(|| self.high_water.remove(id))
            .or_else(|| self.low_water.remove(id));
        self.note_interception();
        removed
    }

    /// Takes out all handlers of an event.
    pub(crate) fn remove_all(&mut self, event: &str) -> Option<Removed> {
        if !self.events.contains_key(event) {
            return None;
        }
        let removed = Rc::make_mut(&mut self.events).remove(event)?;
        Some(Box::new(removed))
    }

    fn event_of(&self, id: ListenerId) -> Option<Box<str>> {
        self.events.iter().find(|(_, list)| list.contains(id)).map(|(event, _)| event.clone())
    }

    fn remove_event(&mut self, event: &str, id: ListenerId) -> Option<Removed> {
        let events = Rc::make_mut(&mut self.events);
        let list = events.get_mut(event)?;
        let removed = list.remove(id);
        if list.len() == 0 {
            events.remove(event);
        }
        removed
    }
}

impl<T: Clone + 'static> List<T> {
    pub(crate) fn push(&mut self, id: ListenerId, handler: T) {
        let added = Listener { id, handler };
        self.0 = Some(self.listeners().iter().cloned().chain([added]).collect());
    }

    pub(crate) fn prepend(&mut self, id: ListenerId, handler: T) {
        let added = Listener { id, handler };
        self.0 = Some([added].into_iter().chain(self.listeners().iter().cloned()).collect());
    }

    /// Takes out what bears this id, if it stands here.
    fn remove(&mut self, id: ListenerId) -> Option<Removed> {
        let removed = self.listeners().iter().find(|kept| kept.id == id)?.handler.clone();
        let kept: Rc<[_]> = self.listeners().iter().filter(|kept| kept.id != id).cloned().collect();
        self.0 = (!kept.is_empty()).then_some(kept);
        Some(Box::new(removed))
    }
}

impl<T> List<T> {
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &T> {
        self.listeners().iter().map(|kept| &kept.handler)
    }

    pub(crate) fn len(&self) -> usize {
        self.listeners().len()
    }

    /// What takes its handlers back, in their order.
    pub(crate) fn ids(&self) -> Vec<ListenerId> {
        self.listeners().iter().map(|kept| kept.id).collect()
    }

    /// Whether nobody else holds the list, so that dropping it may drop handlers.
    pub(crate) fn is_last(&self) -> bool {
        self.0.as_ref().is_some_and(|list| Rc::strong_count(list) == 1)
    }

    fn contains(&self, id: ListenerId) -> bool {
        self.listeners().iter().any(|kept| kept.id == id)
    }

    fn listeners(&self) -> &[Listener<T>] {
        self.0.as_deref().unwrap_or(&[])
    }
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handlers").field("events", &self.events.len()).finish_non_exhaustive()
    }
}

/// Why a middleware refuses a client: the message, and data if the client may know more.
///
/// The client gets it as `connect_error`, a packet `44{"message":"..","data":..}` (Socket.IO
/// protocol v5, "Connection to a namespace").
///
/// ```
/// use throng::Refusal;
///
/// let refusal = Refusal::new("unauthorized").data(&serde_json::json!({ "code": "E_TOKEN" }));
/// assert_eq!(refusal.message(), "unauthorized");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    message: String,
    data: Option<String>,
}

impl Refusal {
    /// A refusal with a message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), data: None }
    }

    /// Adds what the client finds as the error's `data`; what can't be serialised is left out.
    #[must_use]
    pub fn data(mut self, data: &impl Serialize) -> Self {
        self.data = serde_json::to_string(data).ok();
        self
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn data_json(&self) -> Option<&str> {
        self.data.as_deref()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

/// What went wrong with a socket, for [`Namespace::on_error`](crate::Namespace::on_error) alone:
/// its client isn't told.
///
/// ```
/// use throng::{Server, SocketError};
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// server.of("/").on_error(|socket, error| match error {
///     SocketError::Refused(refusal) => drop(socket.emit("refused", refusal.message())),
///     SocketError::Undecodable(what) => eprintln!("{}: {what}", socket.id()),
///     _ => {}
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocketError {
    /// An event middleware has refused an event.
    Refused(Refusal),
    /// The client has sent what is no packet, and this is wrong with it. All its sockets hear of it
    /// while they are still connected; then its connection is closed, and they leave with "forced
    /// close".
    Undecodable(Rc<str>),
}

impl SocketError {
    /// What a person may read.
    pub fn message(&self) -> &str {
        match self {
            Self::Refused(refusal) => refusal.message(),
            Self::Undecodable(what) => what,
        }
    }
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for SocketError {}

/// Runs the host's code; `None` if it panicked. What that costs is told in `nesting`.
pub(crate) fn guard<T>(run: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(value) => Some(value),
        Err(payload) => {
            discard(payload);
            None
        }
    }
}

/// What the host's code panicked with is its own, and may panic once more as it ends: what that
/// panics with is left alone.
#[cold]
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(payload);
    }
}
