//! Who sees what goes out: the outgoing catch-alls.
//!
//! They cost nothing where nobody has declared one: an event is written once, from the arguments to
//! the buffer that is sent. Where somebody has, the arguments are written down first.

use std::rc::Rc;

use super::Hub;
use super::handler::{Handlers, List};
use super::payload::Args;
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
            && !self.tells_outgoing.get()
            && (hears(&namespace.handlers) || entry.handlers().is_some_and(hears))
    }

    /// Tells the outgoing catch-alls of a socket. What they emit is told to none of them: one that
    /// emits twice whenever it is told would never end.
    pub(super) fn tell_outgoing(self: &Rc<Self>, key: SocketKey, event: &str, args: Args<'_>) {
        if self.is_too_deep() {
            return;
        }
        let (session, watchers) = {
            let state = self.state.borrow();
            let Some(entry) = state.sockets.get(key) else { return };
            (entry.session, state.handlers_of(key, |handlers| &handlers.any_outgoing))
        };
        let tells_already = self.tells_outgoing.replace(true);
        for watcher in watchers.iter().flat_map(List::iter) {
            self.run(session, || watcher(Socket::new(self, key), event, args));
        }
        self.tells_outgoing.set(tells_already);
        self.let_go(session, watchers);
    }
}
