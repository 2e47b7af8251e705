//! How closures of the host nest: within each other as in the reference, to a depth; what would go
//! deeper, and what must outlive the closure that ended it, waits until none runs any more.
//!
//! No cell is borrowed while such a closure runs, so what a panic leaves behind is a whole server:
//! it is counted, costs the session it ran for, and the others don't notice.

use std::rc::Rc;

use super::Hub;
use super::handler::{List, guard};
use super::rooms::SocketKey;
use crate::engineio::DisconnectReason;
use crate::slots::SessionKey;

/// What waits until no closure of the host's runs any more.
#[derive(Debug)]
pub(crate) enum Aftermath {
    /// A socket's end was asked for too deep.
    Close(SocketKey, DisconnectReason),
    /// A socket has left; the closures that saw it leave may still ask for its id and data.
    Free(SocketKey),
}

impl Aftermath {
    pub(super) fn frees(&self) -> bool {
        matches!(self, Self::Free(_))
    }
}

impl Hub {
    /// Runs a closure of the host's for a session; a panic costs this session alone, and is told
    /// by `false`.
    pub(super) fn run(self: &Rc<Self>, session: SessionKey, closure: impl FnOnce()) -> bool {
        let finished = self.nest(closure);
        if !finished {
            self.close_client(session);
        }
        self.settle();
        finished
    }

    /// Runs a closure of the host's that is for no session; `false` if it panicked.
    pub(crate) fn run_unbound(self: &Rc<Self>, closure: impl FnOnce()) -> bool {
        let finished = self.nest(closure);
        self.settle();
        finished
    }

    /// Lets go of handlers that have run. If they were taken back meanwhile they end here, and
    /// what they hold may run the host's code.
    pub(super) fn let_go<T>(self: &Rc<Self>, session: SessionKey, list: List<T>) {
        if list.is_last() {
            self.run(session, || drop(list));
        }
    }

    pub(super) fn is_too_deep(&self) -> bool {
        self.depth.get() >= DEPTH_MAX
    }

    /// Frees a socket that has left, now or when those who saw it leave are done.
    pub(super) fn free_socket(self: &Rc<Self>, session: SessionKey, key: SocketKey) {
        if self.depth.get() > 0 {
            self.state.borrow_mut().aftermath.push_back(Aftermath::Free(key));
            return;
        }
        let removed = self.state.borrow_mut().sockets.remove(key);
        // The host's data and handlers may run the host's code when they are dropped.
        if removed.as_ref().is_some_and(|entry| entry.extras.is_some()) {
            self.run(session, || drop(removed));
        }
    }

    fn nest(&self, closure: impl FnOnce()) -> bool {
        self.depth.set(self.depth.get() + 1);
        let finished = guard(closure).is_some();
        self.depth.set(self.depth.get() - 1);
        if !finished {
            self.state.borrow_mut().counters.handler_panics += 1;
        }
        finished
    }

    /// Does what has waited, and what comes of doing it, one after the other and not nested.
    fn settle(self: &Rc<Self>) {
        if self.depth.get() > 0 || self.state.borrow().aftermath.is_empty() {
            return;
        }
        if self.settling.replace(true) {
            return;
        }
        loop {
            let next = self.state.borrow_mut().aftermath.pop_front();
            match next {
                Some(Aftermath::Close(key, reason)) => self.close_socket(key, reason),
                Some(Aftermath::Free(key)) => self.free(key),
                None => break,
            }
        }
        self.settling.set(false);
    }

    fn free(self: &Rc<Self>, key: SocketKey) {
        let session = self.state.borrow().sockets.get(key).map(|entry| entry.session);
        if let Some(session) = session {
            self.free_socket(session, key);
        }
    }
}

/// How deep closures of the host may nest before what they ask for waits for the bottom.
const DEPTH_MAX: u32 = 16;
