//! Events that ask for an acknowledgement: who was asked what, until when.

use std::rc::Rc;
use std::time::Duration;

use super::ack::{AckCallback, AckError, Answerer, Pending};
use super::adapter::OutgoingEvent;
use super::nesting::Aftermath;
use super::packet::AckId;
use super::payload::Args;
use super::rooms::SocketKey;
use super::socket::Socket;
use super::{Hub, Timer};
use crate::message::Message;
use crate::outbox::{Delivery, Lane};
use crate::slots::SessionKey;

impl Hub {
    /// The id for an event that asks, and the namespace it goes out in; `None` where the socket is
    /// gone or owes too many answers already.
    pub(super) fn reserve_ack(&self, key: SocketKey) -> Option<(AckId, Rc<str>)> {
        let state = &mut *self.state.borrow_mut();
        let entry = state.sockets.get(key).filter(|entry| entry.state.may_emit())?;
        let owed = entry.extras.as_ref().map_or(0, |extras| extras.acks.len());
        if owed >= state.config.acks_per_socket_max {
            return None;
        }
        let namespace = entry.namespace;
        Some((state.next_ack(namespace), Rc::clone(&state.namespaces.get(namespace).name)))
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
                let answerer = Answerer::Callback(callback);
                entry.extras.get_or_insert_default().acks.insert(id, deadline, answerer);
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

    /// As [`Hub::ask`], through the adapter, so that what is deferred keeps its order.
    pub(super) fn ask_recoverably(
        self: &Rc<Self>,
        key: SocketKey,
        event: OutgoingEvent,
        volatile: bool,
        timeout: Option<Duration>,
        callback: AckCallback,
    ) {
        let id = event.ack();
        let unsent = {
            let state = &mut *self.state.borrow_mut();
            let at = timeout.map(|timeout| state.now.monotonic.saturating_add(timeout));
            let entry = state.sockets.get_mut(key).filter(|entry| entry.state.may_emit());
            match entry.zip(id) {
                Some((entry, id)) => {
                    let deadline = at.map(|at| state.timers.schedule(at, Timer::Ack(key, id)));
                    let answerer = Answerer::Callback(callback);
                    let extras = entry.extras.get_or_insert_default();
                    extras.acks.insert(id, deadline, answerer);
                    None
                }
                None => Some(callback),
            }
        };
        if let Some(callback) = unsent {
            return self.tell_not_sent(key, callback);
        }
        let emitted = self.emit_recoverably(key, event, volatile);
        if emitted.as_delivery() == Delivery::Dropped
            && let Some((session, pending)) = self.take_ack(key, id)
        {
            self.tell_answer(session, key, pending.answerer, Err(AckError::NotSent));
        }
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
        self.tell_answer(session, key, pending.answerer, Err(AckError::Timeout));
    }

    /// Tells whoever has asked.
    pub(super) fn tell_answer(
        self: &Rc<Self>,
        session: SessionKey,
        key: SocketKey,
        answerer: Answerer,
        answer: Result<Args<'_>, AckError>,
    ) {
        match (answerer, answer) {
            (Answerer::Callback(callback), answer) => {
                self.run(session, || callback(Socket::new(self, key), answer));
            }
            (Answerer::Question(question), Ok(args)) => self.handle_answer(question, args),
            (Answerer::Question(question), Err(_)) => {
                self.state.borrow_mut().note_left(question);
                self.run_effects();
            }
        }
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
            self.tell_answer(session, key, pending.answerer, Err(AckError::Disconnected));
        }
    }
}
