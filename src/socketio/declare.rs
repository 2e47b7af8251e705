//! Handlers on their way into a list: whose they are, and how a typed closure becomes an erased
//! one. The handlers that one socket has of its own are declared here; those of a namespace beside
//! its view.

use std::cell::Cell;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Hub;
use super::ack::Ack;
use super::handler::{EventHandler, Handlers, ListenerId, Refusal, SocketError};
use super::namespaces::NamespaceId;
use super::payload::Args;
use super::rooms::SocketKey;
use super::socket::{Socket, assert_not_reserved};
use crate::engineio::DisconnectReason;

/// Whose handlers: those of a namespace serve all its sockets and run first, those of a socket are
/// its own.
#[derive(Clone, Copy)]
pub(super) enum Scope {
    Namespace(NamespaceId),
    Socket(SocketKey),
}

/// Handlers of this socket alone, beside those of its namespace, which run first. They go with the
/// socket; a socket that declares none costs nothing.
///
/// ```
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// server.of("/").on_connect(|socket| {
///     let answer = rand();
///     socket.on("guess", move |socket, guess: u32| {
///         socket.emit("right", &(guess == answer));
///     });
/// });
/// # fn rand() -> u32 { 4 }
/// # Ok::<(), std::io::Error>(())
/// ```
#[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
impl Socket<'_> {
    /// As [`Namespace::on`](crate::Namespace::on), for this socket.
    ///
    /// # Panics
    /// As [`Socket::emit`].
    pub fn on<T: DeserializeOwned>(
        self,
        event: &str,
        handler: impl Fn(Socket<'_>, T) + 'static,
    ) -> Self {
        self.add_listener(event, handler);
        self
    }

    /// As [`Namespace::on_with_ack`](crate::Namespace::on_with_ack), for this socket.
    ///
    /// # Panics
    /// As [`Socket::emit`].
    pub fn on_with_ack<T: DeserializeOwned, R: Serialize>(
        self,
        event: &str,
        handler: impl Fn(Socket<'_>, T) -> R + 'static,
    ) -> Self {
        self.hub.declare_event(self.own(), event, answering(handler));
        self
    }

    /// As [`Namespace::on_raw`](crate::Namespace::on_raw), for this socket.
    ///
    /// # Panics
    /// As [`Socket::emit`].
    pub fn on_raw(
        self,
        event: &str,
        handler: impl Fn(Socket<'_>, Args<'_>, Option<Ack>) + 'static,
    ) -> Self {
        self.hub.declare_event(self.own(), event, Rc::new(handler));
        self
    }

    /// As [`Namespace::once`](crate::Namespace::once), for the first such event of this socket.
    ///
    /// # Panics
    /// As [`Socket::emit`].
    pub fn once<T: DeserializeOwned>(
        self,
        event: &str,
        handler: impl FnOnce(Socket<'_>, T) + 'static,
    ) -> Self {
        self.hub.declare_once_on_socket(self.key, event, handler);
        self
    }

    /// As [`Socket::on`], to be taken back by [`Socket::remove_listener`].
    ///
    /// # Panics
    /// As [`Socket::emit`].
    pub fn add_listener<T: DeserializeOwned>(
        self,
        event: &str,
        handler: impl Fn(Socket<'_>, T) + 'static,
    ) -> ListenerId {
        self.hub.declare_event(self.own(), event, typed(handler))
    }

    /// As [`Namespace::remove_listener`](crate::Namespace::remove_listener): takes back what was
    /// declared on this socket.
    pub fn remove_listener(self, listener: ListenerId) -> bool {
        self.hub.remove_listener(self.own(), listener)
    }

    /// Takes back all handlers of an event that were declared on this socket.
    pub fn remove_all_listeners(self, event: &str) {
        self.hub.remove_all_listeners(self.own(), event);
    }

    /// As [`Namespace::on_any`](crate::Namespace::on_any), for this socket.
    pub fn on_any(self, handler: impl Fn(Socket<'_>, &str, Args<'_>) + 'static) -> Self {
        self.declare(|handlers, id| handlers.any.push(id, Rc::new(handler)))
    }

    /// As [`Namespace::prepend_any`](crate::Namespace::prepend_any), for this socket.
    pub fn prepend_any(self, handler: impl Fn(Socket<'_>, &str, Args<'_>) + 'static) -> Self {
        self.declare(|handlers, id| handlers.any.prepend(id, Rc::new(handler)))
    }

    /// As [`Namespace::on_any_outgoing`](crate::Namespace::on_any_outgoing), for this socket.
    pub fn on_any_outgoing(self, handler: impl Fn(Socket<'_>, &str, Args<'_>) + 'static) -> Self {
        self.declare(|handlers, id| handlers.any_outgoing.push(id, Rc::new(handler)))
    }

    /// As [`Namespace::prepend_any_outgoing`](crate::Namespace::prepend_any_outgoing), for this
    /// socket.
    pub fn prepend_any_outgoing(
        self,
        handler: impl Fn(Socket<'_>, &str, Args<'_>) + 'static,
    ) -> Self {
        self.declare(|handlers, id| handlers.any_outgoing.prepend(id, Rc::new(handler)))
    }

    /// As [`Namespace::event_middleware`](crate::Namespace::event_middleware), for this socket.
    pub fn event_middleware(
        self,
        middleware: impl Fn(Socket<'_>, &str, Args<'_>) -> Result<(), Refusal> + 'static,
    ) -> Self {
        self.declare(|handlers, id| handlers.event_middlewares.push(id, Rc::new(middleware)))
    }

    /// As [`Namespace::on_error`](crate::Namespace::on_error), for this socket.
    pub fn on_error(self, handler: impl Fn(Socket<'_>, &SocketError) + 'static) -> Self {
        self.declare(|handlers, id| handlers.error.push(id, Rc::new(handler)))
    }

    /// As [`Namespace::on_disconnecting`](crate::Namespace::on_disconnecting), for this socket.
    pub fn on_disconnecting(
        self,
        handler: impl Fn(Socket<'_>, DisconnectReason) + 'static,
    ) -> Self {
        self.declare(|handlers, id| handlers.disconnecting.push(id, Rc::new(handler)))
    }

    /// As [`Namespace::on_disconnect`](crate::Namespace::on_disconnect), for this socket.
    pub fn on_disconnect(self, handler: impl Fn(Socket<'_>, DisconnectReason) + 'static) -> Self {
        self.declare(|handlers, id| handlers.disconnect.push(id, Rc::new(handler)))
    }

    /// As [`Namespace::on_high_water`](crate::Namespace::on_high_water), for this socket.
    pub fn on_high_water(self, handler: impl Fn(Socket<'_>, usize) + 'static) -> Self {
        self.declare(|handlers, id| handlers.high_water.push(id, Rc::new(handler)))
    }

    /// As [`Namespace::on_low_water`](crate::Namespace::on_low_water), for this socket.
    pub fn on_low_water(self, handler: impl Fn(Socket<'_>) + 'static) -> Self {
        self.declare(|handlers, id| handlers.low_water.push(id, Rc::new(handler)))
    }

    pub(super) fn own(self) -> Scope {
        Scope::Socket(self.key)
    }

    fn declare(self, add: impl FnOnce(&mut Handlers, ListenerId)) -> Self {
        self.hub.declare(self.own(), add);
        self
    }

    fn count_rejected(self) {
        self.hub.state.borrow_mut().counters.arguments_rejected += 1;
    }
}

impl Hub {
    /// Adds something to the handlers of a namespace or socket; where that is gone, nothing is
    /// done.
    pub(super) fn declare(
        &self,
        scope: Scope,
        add: impl FnOnce(&mut Handlers, ListenerId),
    ) -> ListenerId {
        let mut state = self.state.borrow_mut();
        state.listeners += 1;
        let id = ListenerId(state.listeners);
        if let Some(handlers) = state.handlers_mut(scope) {
            add(handlers, id);
            handlers.note_interception();
            let hears_outgoing = handlers.any_outgoing.len() > 0;
            state.note_outgoing(scope, hears_outgoing);
        }
        id
    }

    pub(super) fn declare_event(
        &self,
        scope: Scope,
        event: &str,
        handler: EventHandler,
    ) -> ListenerId {
        assert_not_reserved(event);
        self.declare(scope, |handlers, id| handlers.push_event(event, id, handler))
    }

    /// It takes itself out before it runs, so that whatever it does doesn't call it again.
    fn declare_once_on_socket<T: DeserializeOwned>(
        &self,
        key: SocketKey,
        event: &str,
        handler: impl FnOnce(Socket<'_>, T) + 'static,
    ) {
        assert_not_reserved(event);
        let (scope, handler) = (Scope::Socket(key), Cell::new(Some(handler)));
        self.declare(scope, move |handlers, id| {
            let once: EventHandler = Rc::new(move |socket, args, _| match args.parse() {
                Ok(value) => {
                    if let Some(handler) = handler.take() {
                        socket.hub.remove_listener(scope, id);
                        handler(socket, value);
                    }
                }
                Err(_) => socket.count_rejected(),
            });
            handlers.push_event(event, id, once);
        });
    }

    /// The same for a namespace. Where it is a parent, each of its children has the handler and
    /// runs it once; the parent keeps it for those to come.
    pub(super) fn declare_once_on_namespace<T: DeserializeOwned>(
        &self,
        namespace: NamespaceId,
        event: &str,
        handler: impl Fn(Socket<'_>, T) + 'static,
    ) {
        assert_not_reserved(event);
        let is_spent = Cell::new(false);
        self.declare(Scope::Namespace(namespace), move |handlers, id| {
            let once: EventHandler = Rc::new(move |socket, args, _| match args.parse() {
                Ok(value) => {
                    let own = socket.namespace();
                    let is_first = if own.id == namespace {
                        !is_spent.replace(true)
                    } else {
                        socket.hub.state.borrow_mut().namespaces.spend(own.id, id)
                    };
                    if is_first {
                        own.remove_listener(id);
                        handler(socket, value);
                    }
                }
                Err(_) => socket.count_rejected(),
            });
            handlers.push_event(event, id, once);
        });
    }

    pub(super) fn remove_listener(&self, scope: Scope, id: ListenerId) -> bool {
        let removed = {
            let mut state = self.state.borrow_mut();
            state.handlers_mut(scope).and_then(|handlers| handlers.remove(id))
        };
        removed.is_some()
    }

    pub(super) fn remove_all_listeners(&self, scope: Scope, event: &str) {
        let removed = {
            let mut state = self.state.borrow_mut();
            state.handlers_mut(scope).and_then(|handlers| handlers.remove_all(event))
        };
        drop(removed);
    }
}

impl super::State {
    pub(super) fn handlers_mut(&mut self, scope: Scope) -> Option<&mut Handlers> {
        match scope {
            Scope::Namespace(id) if !self.namespaces.contains(id) => None,
            Scope::Namespace(id) => Some(&mut self.namespaces.get_mut(id).handlers),
            Scope::Socket(key) => {
                let extras = self.sockets.get_mut(key)?.extras.get_or_insert_default();
                Some(extras.handlers.get_or_insert_default())
            }
        }
    }

    /// Broadcasts of the namespace look for outgoing catch-alls from now on.
    fn note_outgoing(&mut self, scope: Scope, hears_outgoing: bool) {
        let namespace = match scope {
            Scope::Namespace(id) => Some(id),
            Scope::Socket(key) => self.sockets.get(key).map(|entry| entry.namespace),
        };
        let namespace = namespace.filter(|&id| hears_outgoing && self.namespaces.contains(id));
        if let Some(id) = namespace {
            self.namespaces.get_mut(id).hears_outgoing = true;
        }
    }
}

/// A handler that takes its arguments parsed.
pub(super) fn typed<T: DeserializeOwned>(
    handler: impl Fn(Socket<'_>, T) + 'static,
) -> EventHandler {
    Rc::new(move |socket, args, _| match args.parse() {
        Ok(value) => handler(socket, value),
        Err(_) => socket.count_rejected(),
    })
}

/// A handler whose return value is the acknowledgement.
pub(super) fn answering<T: DeserializeOwned, R: Serialize>(
    handler: impl Fn(Socket<'_>, T) -> R + 'static,
) -> EventHandler {
    Rc::new(move |socket, args, ack| match args.parse() {
        Ok(value) => {
            let answer = handler(socket, value);
            if let Some(ack) = ack {
                ack.send(&answer);
            }
        }
        Err(_) => socket.count_rejected(),
    })
}
