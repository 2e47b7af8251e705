//! How closures of the host nest: within each other as in the reference, to a depth; what would go
//! deeper, and what must outlive the closure that ended it, waits until none runs any more.
//!
//! No cell is borrowed while such a closure runs, so what a panic leaves behind is a whole server:
//! it is counted, costs the session it ran for, and the others don't notice.

use std::rc::Rc;

use super::ack::AckCallback;
use super::deferred::Course;
use super::dynamic::Wish;
use super::handler::{List, Refusal, guard};
use super::namespaces::NamespaceId;
use super::rooms::SocketKey;
use super::{Command, Hub};
use crate::engineio::DisconnectReason;
use crate::slots::SessionKey;

/// What waits until no closure of the host's runs any more.
pub(crate) enum Aftermath {
    /// A socket's end was asked for too deep.
    Close(SocketKey, DisconnectReason),
    /// A deferred middleware has decided about a client.
    Decided(Course, Result<(), Refusal>),
    /// A dynamic namespace has decided about a name.
    Wished(Wish, bool),
    /// A namespace was made too deep.
    NewNamespace(NamespaceId),
    /// An event that asks was not sent, too deep.
    NotSent(SocketKey, AckCallback),
    /// A socket has left; the closures that saw it leave may still ask for its id and data.
    Free(SessionKey, SocketKey),
}

impl Aftermath {
    pub(super) fn frees(&self) -> bool {
        matches!(self, Self::Free(..))
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

    /// Handles a message: whatever it ends is kept until all its closures have run.
    pub(super) fn handle_at_bottom(self: &Rc<Self>, handle: impl FnOnce()) {
        let was_busy = self.busy.replace(true);
        handle();
        self.busy.set(was_busy);
        self.settle();
    }

    /// Lets go of handlers that have run. If they were taken back meanwhile they end here, and
    /// what they hold may run the host's code.
    pub(super) fn let_go<T, const N: usize>(
        self: &Rc<Self>,
        session: SessionKey,
        lists: [List<T>; N],
    ) {
        if lists.iter().any(List::is_last) {
            self.run(session, || drop(lists));
        }
    }

    /// Does something when no closure of the host's runs any more: at once if none does.
    pub(super) fn postpone(self: &Rc<Self>, what: Aftermath) {
        if self.is_lent() {
            return self.effects.push(move |hub| hub.postpone(what));
        }
        self.state.borrow_mut().aftermath.push_back(what);
        self.settle();
    }

    /// Asks something of the conductor.
    pub(crate) fn command(&self, command: Command) {
        if self.is_lent() {
            return self.effects.push(move |hub| hub.command(command));
        }
        self.state.borrow_mut().commands.push_back(command);
    }

    /// Whether the state is lent to an adapter at this moment. Its code, and a parser's that writes
    /// for it, may use up (or drop) an answer that it owns: that is done when it has returned.
    pub(super) fn is_lent(&self) -> bool {
        self.state.try_borrow_mut().is_err()
    }

    pub(super) fn is_too_deep(&self) -> bool {
        self.depth.get() >= DEPTH_MAX
    }

    /// Frees a socket that has left, now or when those who saw it leave are done.
    pub(super) fn free_socket(self: &Rc<Self>, session: SessionKey, key: SocketKey) {
        if self.depth.get() > 0 || self.busy.get() {
            self.state.borrow_mut().aftermath.push_back(Aftermath::Free(session, key));
            return;
        }
        self.free(session, key);
    }

    fn free(self: &Rc<Self>, session: SessionKey, key: SocketKey) {
        let removed = {
            let state = &mut *self.state.borrow_mut();
            state.forget_identity(key);
            state.sockets.remove(key)
        };
        // The host's data and handlers may run the host's code when they are dropped.
        if removed.as_ref().is_some_and(|entry| entry.extras.is_some()) {
            self.run(session, || drop(removed));
        }
    }

    pub(super) fn nest(&self, closure: impl FnOnce()) -> bool {
        self.depth.set(self.depth.get() + 1);
        let finished = guard(closure).is_some();
        self.depth.set(self.depth.get() - 1);
        if !finished {
            self.state.borrow_mut().counters.handler_panics += 1;
        }
        finished
    }

    #[inline]
    pub(super) fn settle(self: &Rc<Self>) {
        if self.depth.get() > 0 {
            return;
        }
        self.run_effects();
        // Most closures leave nothing else behind, and run while a message is being handled.
        if !self.busy.get() && !self.state.borrow().aftermath.is_empty() {
            self.work_off_aftermath();
        }
    }

    /// Does what has waited, and what comes of doing it, one after the other and not nested.
    #[cold]
    fn work_off_aftermath(self: &Rc<Self>) {
        self.busy.set(true);
        loop {
            let next = self.state.borrow_mut().aftermath.pop_front();
            let Some(next) = next else { break };
            match next {
                Aftermath::Close(key, reason) => self.close_socket(key, reason),
                Aftermath::Decided(course, verdict) => self.handle_decision(course, verdict),
                Aftermath::Wished(wish, allowed) => self.handle_wish(wish, allowed),
                Aftermath::NewNamespace(id) => self.tell_new_namespace(id),
                Aftermath::NotSent(key, callback) => self.tell_not_sent(key, callback),
                Aftermath::Free(session, key) => self.free(session, key),
            }
        }
        self.busy.set(false);
    }
}

/// How deep closures of the host may nest before what they ask for waits for the bottom.
const DEPTH_MAX: u32 = 16;
