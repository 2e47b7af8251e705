//! Flushing: the lane `soon` whole, one slice of the lane `bulk`, then connections that have
//! nothing but answers and control frames.

use super::{Owner, Server};
use crate::message::Form;
use crate::outbox::{Lane, Sink};
use crate::reactor::net::Net;
use crate::slots::{ConnectionKey, SessionKey};

impl<N: Net> Server<N> {
    pub(super) fn flush_turn(&mut self) {
        self.flush_lane(Lane::Soon, usize::MAX);
        self.flush_lane(Lane::Bulk, self.budget.slice_connections_max);
        self.drain_outputs();
        self.flush_unflushed();
    }

    /// Everything that can leave at once, however much it is: the server is about to close.
    pub(super) fn flush_all(&mut self) {
        self.flush_lane(Lane::Soon, usize::MAX);
        self.flush_lane(Lane::Bulk, usize::MAX);
    }

    fn flush_lane(&mut self, lane: Lane, connections_max: usize) {
        for _ in 0..connections_max {
            let next = {
                let outboxes = &mut self.hub.state.borrow_mut().outboxes;
                outboxes.next_listed(lane).map(|session| (session, outboxes.sink(session)))
            };
            match next {
                Some((session, sink)) => self.flush_session(session, sink, lane),
                None => return,
            }
        }
    }

    fn flush_session(&mut self, session: SessionKey, sink: Sink, lane: Lane) {
        match sink {
            Sink::WebSocket(connection, form) => {
                self.flush_websocket(session, connection, form, lane);
            }
            Sink::Poll => {
                let state = &mut *self.hub.state.borrow_mut();
                state.engine.flush_poll(self.now, session, &mut state.outboxes);
            }
            Sink::Held => self.note_progress(session, None, 0),
            Sink::Closed => {}
        }
    }

    /// Everything that waits for one client, in one write call.
    fn flush_websocket(
        &mut self,
        session: SessionKey,
        connection: ConnectionKey,
        form: Form,
        lane: Lane,
    ) {
        let mut messages = std::mem::take(&mut self.messages);
        self.hub.state.borrow().outboxes.peek_into(session, MESSAGES_MAX, &mut messages);
        let flushed = self.reactor.flush(self.now.monotonic, connection, &messages, form);
        messages.clear();
        self.messages = messages;
        let is_slow = {
            let outboxes = &mut self.hub.state.borrow_mut().outboxes;
            for _ in 0..flushed.taken {
                outboxes.pop(session);
            }
            outboxes.set_blocked(session, flushed.blocked);
            if !flushed.blocked && !flushed.lost && !outboxes.is_empty(session) {
                outboxes.list(session, lane);
            }
            flushed.blocked || outboxes.slow(session).is_some()
        };
        if is_slow {
            self.note_progress(session, Some(connection), flushed.bytes);
        }
    }

    fn flush_unflushed(&mut self) {
        while let Some(key) = self.reactor.next_unflushed() {
            let now = self.now.monotonic;
            let flushed = self.reactor.flush(now, key, &[], Form::WebSocket);
            if flushed.blocked && matches!(self.reactor.owner(key), Owner::Endpoint(_)) {
                self.reactor.watch_stall(now, key);
            }
        }
    }
}

/// How many messages one write joins.
const MESSAGES_MAX: usize = 64;
