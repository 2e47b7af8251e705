//! Catch-alls that can be taken back alone, and what is declared on a namespace or a socket as the
//! ids that take it back.
//!
//! ```text
//! onAny(f) / offAny(f) / offAny() / listenersAny()
//! add_any_listener(f) -> id / remove_listener(id) / remove_all_any_listeners() / any_listeners()
//! ```

use std::rc::Rc;

use super::Hub;
use super::declare::Scope;
use super::handler::{CatchAll, Handlers, List, ListenerId};
use super::namespace::Namespace;
use super::payload::Args;
use super::socket::Socket;

/// Catch-alls that come and go; see [`Namespace::remove_listener`].
///
/// ```
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// let namespace = server.of("/");
/// let tracing = namespace.add_any_listener(|_, event, _| println!("{event}"));
/// assert_eq!(namespace.any_listeners(), [tracing]);
/// assert!(namespace.remove_listener(tracing));
/// assert!(namespace.any_listeners().is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
impl Namespace<'_> {
    /// As [`Namespace::on_any`], to be taken back by [`Namespace::remove_listener`].
    pub fn add_any_listener(
        self,
        handler: impl Fn(Socket<'_>, &str, Args<'_>) + 'static,
    ) -> ListenerId {
        self.hub.declare_any(self.own(), ANY, End::Last, Rc::new(handler))
    }

    /// As [`Namespace::prepend_any`], to be taken back by [`Namespace::remove_listener`].
    pub fn prepend_any_listener(
        self,
        handler: impl Fn(Socket<'_>, &str, Args<'_>) + 'static,
    ) -> ListenerId {
        self.hub.declare_any(self.own(), ANY, End::First, Rc::new(handler))
    }

    /// As [`Namespace::on_any_outgoing`], to be taken back by [`Namespace::remove_listener`].
    pub fn add_any_outgoing_listener(
        self,
        handler: impl Fn(Socket<'_>, &str, Args<'_>) + 'static,
    ) -> ListenerId {
        self.hub.declare_any(self.own(), ANY_OUTGOING, End::Last, Rc::new(handler))
    }

    /// As [`Namespace::prepend_any_outgoing`], to be taken back by [`Namespace::remove_listener`].
    pub fn prepend_any_outgoing_listener(
        self,
        handler: impl Fn(Socket<'_>, &str, Args<'_>) + 'static,
    ) -> ListenerId {
        self.hub.declare_any(self.own(), ANY_OUTGOING, End::First, Rc::new(handler))
    }

    /// Takes back all catch-alls of incoming events that were declared on this namespace.
    pub fn remove_all_any_listeners(self) {
        self.hub.remove_all_any(self.own(), ANY);
    }

    /// Takes back all catch-alls of outgoing events that were declared on this namespace.
    pub fn remove_all_any_outgoing_listeners(self) {
        self.hub.remove_all_any(self.own(), ANY_OUTGOING);
    }

    /// The catch-alls of incoming events that are declared on this namespace, in their order.
    pub fn any_listeners(self) -> Vec<ListenerId> {
        self.hub.ids(self.own(), |handlers| handlers.any.ids())
    }

    /// The catch-alls of outgoing events that are declared on this namespace, in their order.
    pub fn any_outgoing_listeners(self) -> Vec<ListenerId> {
        self.hub.ids(self.own(), |handlers| handlers.any_outgoing.ids())
    }

    /// The handlers of an event that are declared on this namespace, in their order.
    pub fn listeners(self, event: &str) -> Vec<ListenerId> {
        self.hub.ids(self.own(), |handlers| handlers.at(event).ids())
    }

    pub(super) fn own(self) -> Scope {
        Scope::Namespace(self.id)
    }
}

/// Catch-alls of this socket alone that come and go.
impl Socket<'_> {
    /// As [`Namespace::add_any_listener`], for this socket.
    pub fn add_any_listener(
        self,
        handler: impl Fn(Socket<'_>, &str, Args<'_>) + 'static,
    ) -> ListenerId {
        self.hub.declare_any(self.own(), ANY, End::Last, Rc::new(handler))
    }

    /// As [`Namespace::prepend_any_listener`], for this socket.
    pub fn prepend_any_listener(
        self,
        handler: impl Fn(Socket<'_>, &str, Args<'_>) + 'static,
    ) -> ListenerId {
        self.hub.declare_any(self.own(), ANY, End::First, Rc::new(handler))
    }

    /// As [`Namespace::add_any_outgoing_listener`], for this socket.
    pub fn add_any_outgoing_listener(
        self,
        handler: impl Fn(Socket<'_>, &str, Args<'_>) + 'static,
    ) -> ListenerId {
        self.hub.declare_any(self.own(), ANY_OUTGOING, End::Last, Rc::new(handler))
    }

    /// As [`Namespace::prepend_any_outgoing_listener`], for this socket.
    pub fn prepend_any_outgoing_listener(
        self,
        handler: impl Fn(Socket<'_>, &str, Args<'_>) + 'static,
    ) -> ListenerId {
        self.hub.declare_any(self.own(), ANY_OUTGOING, End::First, Rc::new(handler))
    }

    /// Takes back all catch-alls of incoming events that were declared on this socket.
    pub fn remove_all_any_listeners(self) {
        self.hub.remove_all_any(self.own(), ANY);
    }

    /// Takes back all catch-alls of outgoing events that were declared on this socket.
    pub fn remove_all_any_outgoing_listeners(self) {
        self.hub.remove_all_any(self.own(), ANY_OUTGOING);
    }

    /// The catch-alls of incoming events that are declared on this socket, in their order; those of
    /// its namespace aren't among them.
    pub fn any_listeners(self) -> Vec<ListenerId> {
        self.hub.ids(self.own(), |handlers| handlers.any.ids())
    }

    /// The catch-alls of outgoing events that are declared on this socket, in their order.
    pub fn any_outgoing_listeners(self) -> Vec<ListenerId> {
        self.hub.ids(self.own(), |handlers| handlers.any_outgoing.ids())
    }

    /// The handlers of an event that are declared on this socket, in their order; those of its
    /// namespace aren't among them.
    pub fn listeners(self, event: &str) -> Vec<ListenerId> {
        self.hub.ids(self.own(), |handlers| handlers.at(event).ids())
    }
}

/// Where a catch-all stands among the others.
#[derive(Clone, Copy)]
enum End {
    First,
    Last,
}

type Place = fn(&mut Handlers) -> &mut List<CatchAll>;

impl Hub {
    fn declare_any(&self, scope: Scope, place: Place, end: End, handler: CatchAll) -> ListenerId {
        self.declare(scope, |handlers, id| match end {
            End::First => place(handlers).prepend(id, handler),
            End::Last => place(handlers).push(id, handler),
        })
    }

    fn remove_all_any(&self, scope: Scope, place: Place) {
        let removed = {
            let mut state = self.state.borrow_mut();
            state.handlers_mut(scope).map(|handlers| std::mem::take(place(handlers)))
        };
        // What they hold may run the host's code.
        drop(removed);
    }

    fn ids(&self, scope: Scope, of: impl Fn(&Handlers) -> Vec<ListenerId>) -> Vec<ListenerId> {
        let state = self.state.borrow();
        let handlers = match scope {
            Scope::Namespace(id) => Some(&state.namespaces.get(id).handlers),
            Scope::Socket(key) => state.sockets.get(key).and_then(|entry| entry.handlers()),
        };
        handlers.map(of).unwrap_or_default()
    }
}

const ANY: Place = |handlers| &mut handlers.any;
const ANY_OUTGOING: Place = |handlers| &mut handlers.any_outgoing;
