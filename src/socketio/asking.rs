//! Events that ask for an acknowledgement: who was asked what, until when.

use std::rc::Rc;
use std::time::Duration;

use super::ack::{AckCallback, AckError, Pending};
use super::nesting::Aftermath;
use super::packet::AckId;
use super::rooms::SocketKey;
use super::socket::Socket;
use super::{Hub, Timer};
use crate::message::Message;
use crate::outbox::Lane;
use crate::slots::SessionKey;

impl Hub {
    /// The id for an event that asks, and the namespace it goes out in; `None` where the socket is
    /// gone or owes too many answers already.
    pub(super) fn reserve_ack(&self, key: SocketKey) -> Option<(AckId, Rc<str>)> {
        let state = &mut *self.state.borrow_mut();
        let entry = state.sockets.get(key).filter(|entry| entry.state.may_emit())?;
        let owed = entry.extras.as_ref().map_or(0, |extras| extras.acks.len());
        if owed >= state.config.acks_per_client_max {
            return None;
        }
        let namespace = state.namespaces.get_mut(entry.namespace);
        let id = AckId::new(namespace.next_ack);
        namespace.next_ack += 1;
        Some((id, Rc::clone(&namespace.name)))
    }

    /// Sends the event and notes who is to hear of the answer.
    pub(super) fn ask(
        self: &Rc<Self>,
        key: SocketKey,
        id: AckId,
        message: &Rc<Message>,
        volatile: bool,
        timeout: Option<Duration>,
        callback: AckCallback,
    ) {
        {
            let state = &mut *self.state.borrow_mut();
            let at = timeout.map(|timeout| state.now.monotonic.saturating_add(timeout));
            if let Some(entry) = state.sockets.get_mut(key)
                && entry.state.may_emit()
                && (!volatile || state.outboxes.is_writable(entry.session))
                && state.outboxes.push(entry.session, message, Lane::Soon).is_some()
            {
                let deadline = at.map(|at| state.timers.schedule(at, Timer::Ack(key, id)));
                entry.extras.get_or_insert_default().acks.insert(id, deadline, callback);
                return;
            }
        }
        self.tell_not_sent(key, callback);
    }

    /// Nobody was asked. Who asks again and again from within its callback waits for the bottom.
    pub(super) fn tell_not_sent(self: &Rc<Self>, key: SocketKey, callback: AckCallback) {
        let session = {
            let state = &mut *self.state.borrow_mut();
            if self.is_too_deep() {
                state.aftermath.push_back(Aftermath::NotSent(key, callback));
                return;
            }
            state.sockets.get(key).map(|entry| entry.session)
        };
        let call = || callback(Socket::new(self, key), Err(AckError::NotSent));
        match session {
            Some(session) => self.run(session, call),
            None => self.run_unbound(call),
        };
    }

    /// Takes a pending acknowledgement, with the session it is for.
    pub(super) fn take_ack(
        &self,
        key: SocketKey,
        id: Option<AckId>,
    ) -> Option<(SessionKey, Pending)> {
        let state = &mut *self.state.borrow_mut();
        let entry = state.sockets.get_mut(key)?;
        let extras = entry.extras.as_mut()?;
        let pending = extras.acks.take(id?)?;
        if extras.is_empty() {
            entry.extras = None;
        }
        if let Some(deadline) = pending.deadline {
            state.timers.cancel(deadline);
        }
        Some((entry.session, pending))
    }

    pub(super) fn handle_ack_timeout(self: &Rc<Self>, key: SocketKey, id: AckId) {
        let Some((session, pending)) = self.take_ack(key, Some(id)) else { return };
        self.state.borrow_mut().counters.ack_timeouts += 1;
        self.run(session, || (pending.callback)(Socket::new(self, key), Err(AckError::Timeout)));
    }

    /// The socket has left: nobody will answer.
    pub(super) fn abandon_acks(
        self: &Rc<Self>,
        session: SessionKey,
        key: SocketKey,
        acks: Vec<Pending>,
    ) {
        for pending in acks {
            if let Some(deadline) = pending.deadline {
                self.state.borrow_mut().timers.cancel(deadline);
            }
            let error = Err(AckError::Disconnected);
            self.run(session, || (pending.callback)(Socket::new(self, key), error));
        }
    }
}
