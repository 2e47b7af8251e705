//! Who sees what goes out: the outgoing catch-alls, and the children of a dynamic namespace.
//!
//! Neither costs anything where nobody has declared it: an event is written once, from the
//! arguments to the buffer that is sent. Where somebody has, the arguments are written down first.

use std::rc::Rc;

use super::Hub;
use super::adapter::Emitted;
use super::broadcast::BroadcastOperator;
use super::handler::{Handlers, List};
use super::namespaces::NamespaceId;
use super::packet::AckId;
use super::payload::{Args, IntoArgs, OwnedArgs};
use super::questions::Asker;
use super::rooms::SocketKey;
use super::socket::Socket;

impl Hub {
    /// Whether an outgoing catch-all sees what this socket is sent.
    pub(super) fn hears_outgoing(&self, key: SocketKey) -> bool {
        let state = self.state.borrow();
        let Some(entry) = state.sockets.get(key).filter(|entry| entry.state.may_emit()) else {
            return false;
        };
        let namespace = state.namespaces.get(entry.namespace);
        let hears = |handlers: &Handlers| handlers.any_outgoing.len() > 0;
        namespace.hears_outgoing
            && (hears(&namespace.handlers) || entry.handlers().is_some_and(hears))
    }

    /// Whether broadcasts of a namespace are more than encoding and delivering one message.
    pub(super) fn watches_broadcasts(&self, id: NamespaceId) -> bool {
        let state = self.state.borrow();
        let namespace = state.namespaces.get(id);
        namespace.hears_outgoing || namespace.children().is_some()
    }

    /// Tells the outgoing catch-alls of a socket. One that emits is told of that, too, but not
    /// deeper than closures may nest.
    pub(super) fn tell_outgoing(self: &Rc<Self>, key: SocketKey, event: &str, args: Args<'_>) {
        if self.is_too_deep() {
            return;
        }
        let (session, watchers) = {
            let state = self.state.borrow();
            let Some(entry) = state.sockets.get(key) else { return };
            (entry.session, state.handlers_of(key, |handlers| &handlers.any_outgoing))
        };
        for watcher in watchers.iter().flat_map(List::iter) {
            self.run(session, || watcher(Socket::new(self, key), event, args));
        }
        self.let_go(session, watchers);
    }
}

impl BroadcastOperator<'_> {
    /// A broadcast that is told to outgoing catch-alls, or that goes to several namespaces.
    pub(super) fn emit_watched(self, event: &str, args: impl IntoArgs) -> Emitted {
        let Some(args) = self.hub.encoded(OwnedArgs::new(args)) else { return Emitted::default() };
        let children = {
            let state = self.hub.state.borrow();
            state.namespaces.get(self.namespace).children().map(<[NamespaceId]>::to_vec)
        };
        let Some(children) = children else { return self.emit_and_tell(event, &args) };
        let mut emitted = Emitted::default();
        for namespace in children {
            let mut child = self.clone();
            child.namespace = namespace;
            let Emitted { queued, over_limit, dropped, deferred } =
                child.emit_and_tell(event, &args);
            emitted.queued += queued;
            emitted.over_limit += over_limit;
            emitted.dropped += dropped;
            emitted.deferred |= deferred;
        }
        emitted
    }

    /// A broadcast that asks, and is told to outgoing catch-alls.
    pub(super) fn ask_watched(self, event: &str, id: AckId, args: impl IntoArgs, asker: Asker) {
        let Some(args) = self.hub.encoded(OwnedArgs::new(args)) else {
            return self.ask(None, asker);
        };
        let told = self.selected_to_tell();
        let encoded = self.encode(event, Some(id), &args);
        self.ask(encoded, asker);
        for key in told {
            self.hub.tell_outgoing(key, event, args.as_args());
        }
    }

    fn emit_and_tell(self, event: &str, args: &OwnedArgs) -> Emitted {
        let (hub, told) = (self.hub, self.selected_to_tell());
        let emitted = self.send(event, args);
        for key in told {
            hub.tell_outgoing(key, event, args.as_args());
        }
        emitted
    }

    /// Those whom the broadcast reaches, as far as outgoing catch-alls may want to know.
    fn selected_to_tell(&self) -> Vec<SocketKey> {
        let state = &mut *self.hub.state.borrow_mut();
        let hears = state.namespaces.get(self.namespace).hears_outgoing;
        let told = hears.then(|| state.selected_keys(self.namespace, &self.options));
        told.unwrap_or_default()
    }
}
