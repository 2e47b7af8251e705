//! What the machines ask for, done: answers, control frames, closes, deadlines, and the commands
//! of the host's own code.

use std::time::Duration;

use super::{Closing, Owner, Server};
use crate::engineio::{Close, DisconnectReason, Frame, Output};
use crate::reactor::Lost;
use crate::reactor::net::Net;
use crate::send_queue::Chunk;
use crate::slots::SessionKey;
use crate::socketio::{Command, Ended, Timer};

impl<N: Net> Server<N> {
    /// Does what is asked for, and what comes of doing it, until nothing is left.
    pub(super) fn drain_outputs(&mut self) {
        loop {
            let output = self.hub.state.borrow_mut().engine.poll_output();
            if let Some(output) = output {
                self.perform(output);
                continue;
            }
            let command = self.hub.state.borrow_mut().commands.pop_front();
            match command {
                Some(command) => self.obey(command),
                None => return,
            }
        }
    }

    // Most calls of `drain_outputs` find nothing: they are not to pay for what this sets up.
    #[inline(never)]
    fn perform(&mut self, output: Output) {
        let now = self.now.monotonic;
        match output {
            Output::Respond { connection, mut response } => {
                self.change_answer(connection, &mut response);
                if matches!(self.reactor.owner(connection), Owner::Poll(_) | Owner::Post(_)) {
                    self.reactor.set_owner(connection, Owner::Nobody);
                }
                self.reactor.respond(now, connection, response);
            }
            Output::Send { connection, frame } => {
                let chunk = match frame {
                    Frame::Static(bytes) => Chunk::Static(bytes),
                    Frame::Owned(bytes) => Chunk::Bytes(bytes),
                    Frame::Message(message, form) => Chunk::Message(message, form),
                };
                self.reactor.queue(connection, chunk);
            }
            Output::CloseWebSocket { connection, code } => {
                self.reactor.set_owner(connection, Owner::Nobody);
                self.reactor.close_websocket(now, connection, code, "");
            }
            Output::Destroy { connection } => {
                self.forget_asking(connection);
                self.reactor.set_owner(connection, Owner::Nobody);
                self.reactor.destroy(connection);
            }
            Output::Upgraded { session, connection } => {
                self.reactor.set_owner(connection, Owner::WebSocket(session));
                self.bare.handle_upgrade(&self.hub, session);
            }
            Output::Closed { session, sid, reason, detail } => {
                self.handle_closed(Ended { session, sid, detail }, reason);
            }
            Output::Schedule { session, at } => self.schedule(session, at),
            Output::Opened { .. } => {}
        }
    }

    // As `perform`.
    #[inline(never)]
    fn obey(&mut self, command: Command) {
        let now = self.now.monotonic;
        match command {
            Command::Respond(connection, response) => {
                self.reactor.respond(now, connection, response);
            }
            Command::Send(connection, chunk) => self.reactor.queue(connection, chunk),
            Command::CloseWebSocket(connection, code, reason) => {
                self.reactor.close_websocket(now, connection, code, &reason);
            }
            Command::Admit(connection, headers) => self.handle_admitted(connection, &headers),
            Command::Refuse(connection, message) => self.handle_not_admitted(connection, message),
            Command::Unwatch(source) => drop(self.end_watch(source)),
            Command::Close => self.begin_close(),
        }
    }

    fn handle_closed(&mut self, ended: Ended, reason: DisconnectReason) {
        let session = ended.session;
        if let Some(armed) = self.session_timers.get_mut(session.index()).and_then(Option::take) {
            self.hub.state.borrow_mut().timers.cancel(armed);
        }
        self.fans_out.remove(&session);
        self.hub.state.borrow_mut().sessions.begin_end(ended);
        if !self.bare.is_declared() {
            self.hub.handle_closed(session, reason);
        }
        self.bare.handle_closed(&self.hub, session, reason);
        let data = self.hub.state.borrow_mut().sessions.end(session);
        if data.is_some() {
            // The host's data may run the host's code when it is dropped.
            self.hub.run_unbound(|| drop(data));
        }
    }

    fn schedule(&mut self, session: SessionKey, at: Duration) {
        let index = session.index();
        if self.session_timers.len() <= index {
            self.session_timers.resize(index + 1, None);
        }
        let timers = &mut self.hub.state.borrow_mut().timers;
        if let Some(armed) = self.session_timers[index].take() {
            timers.cancel(armed);
        }
        self.session_timers[index] = Some(timers.schedule(at, Timer::Session(session)));
    }

    /// Every socket leaves, every session ends, nobody new gets in; what is queued still goes out.
    fn begin_close(&mut self) {
        if self.closing != Closing::Open {
            return;
        }
        // What was queued is sent, whatever time the turn has.
        let turn_ends = self.turn_ends.take();
        self.flush_all();
        self.turn_ends = turn_ends;
        self.closing = Closing::Until(self.now.monotonic + CLOSING_TIME_MAX);
        self.reactor.close_listeners();
        self.refuse_admissions();
        self.refuse_greetings();
        self.hub.close_all();
        let sessions = self.hub.state.borrow().engine.keys();
        for session in sessions {
            let state = &mut *self.hub.state.borrow_mut();
            let reason = DisconnectReason::ForcedClose;
            state.engine.close(self.now, session, Close::Discard, reason, &mut state.outboxes);
        }
        self.drain_outputs();
        for key in self.reactor.keys() {
            if matches!(self.reactor.owner(key), Owner::Endpoint(_)) {
                self.reactor.close_websocket(self.now.monotonic, key, Some(GOING_AWAY), "");
                self.handle_lost(key, Lost::Close);
            }
            self.reactor.finish(self.now.monotonic, key);
        }
    }
}

/// How long last words have to go out.
const CLOSING_TIME_MAX: Duration = Duration::from_secs(2);
/// The close code for "the server is going down" (RFC 6455, 7.4.1).
const GOING_AWAY: u16 = 1001;
