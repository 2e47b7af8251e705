//! Who sees an event before its handlers do: catch-alls, which only watch, then event middlewares,
//! which may refuse it.
//!
//! ```text
//! on_any -> event_middleware -> on        a refusal: -> on_error, and nothing to the client
//! ```

use std::rc::Rc;

use super::Hub;
use super::handler::{List, Refusal, SocketError};
use super::payload::Args;
use super::rooms::SocketKey;
use super::socket::Socket;
use super::sockets::SocketState;
use crate::slots::SessionKey;

impl Hub {
    /// Whether the event may go on to its handlers. In the reference, too, a socket that one of
    /// these disconnects is still seen by the others, and only then by no handler.
    pub(super) fn intercept(
        self: &Rc<Self>,
        session: SessionKey,
        key: SocketKey,
        event: &str,
        args: Args<'_>,
    ) -> bool {
        let watchers = self.state.borrow().handlers_of(key, |handlers| &handlers.any);
        for watcher in watchers.iter().flat_map(List::iter) {
            self.run(session, || watcher(Socket::new(self, key), event, args));
        }
        self.let_go(session, watchers);
        match self.run_event_middlewares(session, key, event, args) {
            Some(Ok(())) => self.is_connected(key),
            Some(Err(refusal)) => {
                self.state.borrow_mut().counters.events_refused += 1;
                self.tell_error(session, key, &SocketError::Refused(refusal));
                false
            }
            None => false,
        }
    }

    /// The first refusal counts; `None` if a middleware panicked.
    fn run_event_middlewares(
        self: &Rc<Self>,
        session: SessionKey,
        key: SocketKey,
        event: &str,
        args: Args<'_>,
    ) -> Option<Result<(), Refusal>> {
        let middlewares =
            self.state.borrow().handlers_of(key, |handlers| &handlers.event_middlewares);
        let mut verdict = Some(Ok(()));
        for middleware in middlewares.iter().flat_map(List::iter) {
            verdict = None;
            self.run(session, || {
                verdict = Some(middleware(Socket::new(self, key), event, args));
            });
            if !matches!(verdict, Some(Ok(()))) {
                break;
            }
        }
        self.let_go(session, middlewares);
        verdict
    }

    /// Tells those of a client's sockets that are in that it has sent what is no packet.
    pub(super) fn tell_undecodable(self: &Rc<Self>, session: SessionKey, what: &str) {
        let error = SocketError::Undecodable(Rc::from(what));
        for key in self.sockets_of(session) {
            if self.is_connected(key) {
                self.tell_error(session, key, &error);
            }
        }
    }

    fn tell_error(self: &Rc<Self>, session: SessionKey, key: SocketKey, error: &SocketError) {
        let handlers = self.state.borrow().handlers_of(key, |handlers| &handlers.error);
        for handler in handlers.iter().flat_map(List::iter) {
            self.run(session, || handler(Socket::new(self, key), error));
        }
        self.let_go(session, handlers);
    }

    pub(super) fn is_connected(&self, key: SocketKey) -> bool {
        let state = self.state.borrow();
        state.sockets.get(key).is_some_and(|entry| entry.state == SocketState::Connected)
    }
}
