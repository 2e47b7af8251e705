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
        if self.bare.watched().sent {
            self.tell_sent();
        }
        if !self.drained.is_empty() {
            self.tell_drained();
        }
        if !self.water.is_empty() {
            self.tell_water();
        }
    }

    /// Whoever has a reply need not wait for all to be heard whom this turn hears: a slice of them
    /// is written, and the next are read.
    #[inline]
    pub(super) fn flush_replies(&mut self) {
        let slice = self.budget.slice_connections_max;
        let replies = self.hub.state.borrow().outboxes.soon_len();
        if replies >= slice || self.reactor.unflushed_len() >= slice {
            self.flush_lane(Lane::Soon, usize::MAX);
            self.drain_outputs();
            self.flush_unflushed();
        }
    }

    /// Everything that can leave at once, however much it is: the server is about to close.
    pub(super) fn flush_all(&mut self) {
        self.flush_lane(Lane::Soon, usize::MAX);
        self.flush_lane(Lane::Bulk, usize::MAX);
    }

    fn flush_lane(&mut self, lane: Lane, connections_max: usize) {
        for flushed in 0..connections_max {
            if flushed > 0 && self.is_out_of_time() {
                return;
            }
            let next = self.hub.state.borrow_mut().outboxes.next_listed(lane);
            match next {
                Some((session, Sink::WebSocket(connection, form))) => {
                    self.flush_websocket(session, connection, form, lane);
                }
                Some((session, Sink::Poll)) => {
                    let is_watched = {
                        let state = &mut *self.hub.state.borrow_mut();
                        state.engine.flush_poll(self.now, session, &mut state.outboxes);
                        state.outboxes.is_slow(session)
                    };
                    if is_watched {
                        self.note_progress(session, None, 0);
                    }
                    if self.bare.watched().drains {
                        self.drained.push(session);
                    }
                }
                Some((session, Sink::Held)) => self.note_progress(session, None, 0),
                Some((_, Sink::Closed)) => {}
                None => return,
            }
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
        let (flushed, is_watched) = {
            let state = &mut *self.hub.state.borrow_mut();
            let outboxes = &mut state.outboxes;
            let messages = outboxes.messages(session);
            let flushed = self.reactor.flush(self.now.monotonic, connection, messages, form);
            if self.bare.watched().sent {
                let taken = outboxes.messages(session).take(flushed.taken);
                state.engine.note_messages(session, taken);
            }
            (flushed, outboxes.settle(session, flushed, lane))
        };
        if self.bare.watched().drains && !flushed.blocked && !flushed.lost {
            self.drained.push(session);
        }
        if is_watched {
            self.note_progress(session, Some(connection), flushed.bytes);
        }
    }

    fn flush_unflushed(&mut self) {
        while let Some(key) = self.reactor.next_unflushed() {
            let now = self.now.monotonic;
            let flushed = self.reactor.flush(now, key, std::iter::empty(), Form::WebSocket);
            if flushed.blocked && matches!(self.reactor.owner(key), Owner::Endpoint(_)) {
                self.reactor.watch_stall(now, key);
            }
            if self.is_out_of_time() {
                return;
            }
        }
    }
}
