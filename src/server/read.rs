//! Reading: from ready connections up to the handlers, within the turn's budgets.

use std::rc::Rc;

use super::{Closing, Owner, Server};
use crate::endpoint::WebSocketEvent;
use crate::engineio::{Incoming, Lost as SessionLost, Payload, RawPacket};
use crate::http::Request;
use crate::reactor::net::Net;
use crate::reactor::{Fill, Inbound, Lost};
use crate::slots::{ConnectionKey, SessionKey};

/// A POST body that is being dispatched; kept with its cursor when a budget runs out. It is worth
/// its packets even where its connection has gone in the meantime.
pub(super) struct PostWork {
    connection: ConnectionKey,
    session: SessionKey,
    payload: Payload,
    request: Rc<Request>,
}

impl<N: Net> Server<N> {
    /// Every connection that was ready when this began gets its slice, as long as the turn's
    /// budget lasts.
    pub(super) fn read(&mut self) {
        if self.is_full() {
            return self.only_write();
        }
        self.read_posts();
        for _ in 0..self.reactor.ready_len() {
            if self.is_over_budget() {
                return;
            }
            let Some(key) = self.reactor.next_ready() else { return };
            self.note_writable(key);
            if self.is_held_back(key) {
                self.reactor.list_ready(key);
            } else {
                self.read_connection(key);
                self.flush_replies();
            }
            // Much may have been read of which nothing was whole.
            if self.is_out_of_time() {
                return;
            }
        }
    }

    /// Nothing is read before the host pulls, but what is queued goes on leaving.
    #[cold]
    fn only_write(&mut self) {
        for _ in 0..self.reactor.ready_len() {
            let Some(key) = self.reactor.next_ready() else { return };
            self.note_writable(key);
            self.reactor.list_ready(key);
        }
    }

    /// Goes on with bodies that a budget cut off, with half of this turn's: however many there
    /// are, the others are heard.
    fn read_posts(&mut self) {
        for _ in 0..self.posts.len() {
            if self.turn_decoded >= self.budget.messages_total_max.div_ceil(2)
                || self.turn_deliveries >= self.budget.deliveries_max.div_ceil(2)
                || self.is_over_budget()
            {
                return;
            }
            let Some(work) = self.posts.pop_front() else { return };
            if self.is_session_held_back(work.session) {
                self.posts.push_back(work);
            } else {
                self.dispatch_post(work);
            }
        }
    }

    fn read_connection(&mut self, key: ConnectionKey) {
        self.hub.state.borrow_mut().outboxes.begin_tick();
        let mut buffer = std::mem::take(&mut self.buffer);
        let decoded_before = self.turn_decoded;
        let mut bytes_left = self.budget.read_bytes_max;
        loop {
            let filled = match self.reactor.fill(self.now.monotonic, key, &mut buffer) {
                Fill::Filled(filled) => filled,
                Fill::Empty => break,
                Fill::Lost(lost) => {
                    // An end is told as a message is, and costs as much.
                    self.turn_decoded += 1;
                    let before = self.fanned_out();
                    self.handle_lost(key, lost);
                    self.count_fan_out(before);
                    break;
                }
            };
            let mut at = 0;
            let input = &mut buffer[..filled];
            let decoded_max = decoded_before.saturating_add(self.budget.messages_max);
            while self.turn_decoded < decoded_max
                && !self.is_over_budget()
                && !self.reactor.is_backed_up(key)
            {
                let now = self.now.monotonic;
                let Some(inbound) = self.reactor.decode(now, key, input, &mut at) else { break };
                self.turn_decoded += 1;
                self.dispatch(key, inbound);
            }
            bytes_left = bytes_left.saturating_sub(filled);
            if at < filled && self.reactor.contains(key) {
                self.reactor.keep(key, &input[at..]);
            }
            if bytes_left == 0 || self.turn_decoded >= decoded_max || self.is_over_budget() {
                self.reactor.list_ready(key);
                break;
            }
        }
        self.buffer = buffer;
    }

    pub(super) fn dispatch(&mut self, key: ConnectionKey, inbound: Inbound<'_>) {
        match inbound {
            Inbound::Text(text) => self.handle_frame(key, RawPacket::Text(&text)),
            Inbound::Binary(bytes) => self.handle_frame(key, RawPacket::Binary(&bytes)),
            Inbound::Head(request) => self.handle_head(key, request),
            Inbound::Request(request) => self.handle_request(key, request),
            Inbound::Refused(status) => self.handle_refused(key, status),
            Inbound::Lost(lost) => self.handle_lost(key, lost),
            Inbound::Control => {}
        }
    }

    fn handle_frame(&mut self, key: ConnectionKey, packet: RawPacket<'_>) {
        match self.reactor.owner(key) {
            Owner::WebSocket(session) => self.handle_packet(session, key, packet, None),
            Owner::Endpoint(endpoint) => {
                self.turn.messages += 1;
                let event = match packet {
                    RawPacket::Text(text) => WebSocketEvent::Text(text),
                    RawPacket::Binary(bytes) => WebSocketEvent::Binary(bytes),
                    RawPacket::Malformed => return,
                };
                self.endpoints.handle(&self.hub, endpoint, key, event);
            }
            _ => {}
        }
        self.drain_outputs();
    }

    /// One Engine.IO packet, up to the handlers. What it queued for many is noted, so that its
    /// session can be held back while that is unsent.
    fn handle_packet(
        &mut self,
        session: SessionKey,
        key: ConnectionKey,
        packet: RawPacket<'_>,
        request: Option<&Request>,
    ) {
        if self.bare.watched().packets {
            self.tell_packet(session, key, packet, request.is_some());
        }
        let (incoming, bulk_before) = {
            let state = &mut *self.hub.state.borrow_mut();
            let outboxes = &mut state.outboxes;
            let incoming = state.engine.handle_packet(self.now, session, key, packet, outboxes);
            (incoming, state.outboxes.pushed_bulk())
        };
        let Some(incoming) = incoming else { return };
        self.turn.messages += 1;
        self.deliver(session, &incoming, request);
        if self.count_fan_out(bulk_before) {
            self.fans_out.insert(session);
        }
    }

    fn deliver(&mut self, session: SessionKey, incoming: &Incoming<'_>, request: Option<&Request>) {
        if self.bare.is_declared() {
            self.bare.handle_message(&self.hub, session, incoming, request);
        } else {
            self.hub.handle_message(session, incoming);
        }
    }

    pub(super) fn begin_post(
        &mut self,
        connection: ConnectionKey,
        session: SessionKey,
        mut request: Request,
    ) {
        let payload = self.hub.state.borrow().engine.payload(session, &mut request);
        let request = Rc::new(request);
        if self.asks_about_headers() {
            self.keep_asking(connection, Rc::clone(&request), false);
        }
        self.dispatch_post(PostWork { connection, session, payload, request });
    }

    fn dispatch_post(&mut self, mut work: PostWork) {
        self.hub.state.borrow_mut().outboxes.begin_tick();
        let (session, connection) = (work.session, work.connection);
        let request = Rc::clone(&work.request);
        for _ in 0..self.budget.messages_max {
            let Some(packet) = work.payload.next_packet() else { break };
            self.turn_decoded += 1;
            self.handle_packet(session, connection, packet, Some(&request));
            self.drain_outputs();
            if self.is_over_budget() {
                break;
            }
        }
        // What is left for a session that has ended in the meantime is of no interest.
        let is_alive = self.hub.state.borrow().engine.transport(session).is_some();
        if is_alive && !work.payload.is_done() {
            self.posts.push_back(work);
            return;
        }
        {
            let state = &mut *self.hub.state.borrow_mut();
            state.engine.finish_post(self.now, session, connection, &mut state.outboxes);
        }
        self.drain_outputs();
    }

    pub(super) fn handle_lost(&mut self, key: ConnectionKey, lost: Lost) {
        let owner = self.reactor.owner(key);
        self.reactor.set_owner(key, Owner::Nobody);
        self.forget_asking(key);
        match owner {
            Owner::Poll(session) | Owner::Post(session) | Owner::WebSocket(session) => {
                let how = session_lost(lost);
                let state = &mut *self.hub.state.borrow_mut();
                let outboxes = &mut state.outboxes;
                state.engine.handle_disconnect(self.now, session, key, how, outboxes);
            }
            Owner::Endpoint(endpoint) => {
                self.endpoints.handle(&self.hub, endpoint, key, WebSocketEvent::Close);
            }
            Owner::Admission => {
                self.admissions.remove(&key);
            }
            Owner::Greeting => self.forget_greeting(key, lost),
            Owner::Nobody => {}
        }
        self.drain_outputs();
    }

    /// A connection that can be written to again has its session's messages flushed.
    #[inline]
    fn note_writable(&mut self, key: ConnectionKey) {
        if !self.reactor.is_writable(key) {
            return;
        }
        // What is queued goes with the session's messages, so that progress is noted.
        if let Owner::WebSocket(session) = self.reactor.owner(key)
            && self.hub.state.borrow_mut().outboxes.unblock(session)
        {
            return;
        }
        self.reactor.list_unflushed(key);
    }

    /// Whoever makes more than can be sent is not read for the moment: a session whose messages
    /// fan out while the fan-out backs up. (A peer that doesn't read is held by the reactor.)
    fn is_held_back(&self, key: ConnectionKey) -> bool {
        match self.reactor.owner(key) {
            Owner::WebSocket(session) => self.is_session_held_back(session),
            _ => false,
        }
    }

    fn is_session_held_back(&self, session: SessionKey) -> bool {
        self.is_backed_up() && self.fans_out.contains(&session)
    }

    /// Whether nothing more is dispatched in this turn. However little time it has, something is.
    fn is_over_budget(&self) -> bool {
        self.turn_decoded >= self.budget.messages_total_max
            || self.turn_deliveries >= self.budget.deliveries_max
            || self.closing == Closing::Closed
            || self.is_full()
            || (self.turn_decoded > 0 && self.is_out_of_time())
    }
}

fn session_lost(lost: Lost) -> SessionLost {
    match lost {
        Lost::End | Lost::Timeout => SessionLost::Eof,
        Lost::Reset => SessionLost::Reset,
        Lost::Close => SessionLost::CloseFrame,
        Lost::Failure(failure) => SessionLost::Failure(failure.close_code()),
    }
}
