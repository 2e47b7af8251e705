//! Hooks of the host into Engine.IO: the headers of answers, the ids of sessions, and the news of
//! packets and flushes. What isn't declared costs a branch.

use std::rc::Rc;

use super::Server;
use crate::engineio::{RawPacket, Rejection, Sid};
use crate::http::{Headers, Method, Request, Response, Status};
use crate::reactor::net::Net;
use crate::slots::{ConnectionKey, SessionKey};

/// A request that waits for its answer, kept for the hooks into the answer's headers.
#[derive(Debug)]
pub(super) struct Asking {
    request: Rc<Request>,
    is_initial: bool,
}

impl<N: Net> Server<N> {
    /// Whether requests have to be kept for a hook.
    pub(super) fn asks_about_headers(&self) -> bool {
        self.bare.watched().headers
    }

    pub(super) fn keep_asking(
        &mut self,
        key: ConnectionKey,
        request: Rc<Request>,
        is_initial: bool,
    ) {
        self.asking.insert(key, Asking { request, is_initial });
    }

    pub(super) fn forget_asking(&mut self, key: ConnectionKey) {
        if !self.asking.is_empty() {
            self.asking.remove(&key);
        }
    }

    /// An answer of a session: if it carries or took packets, its headers are the host's to change.
    pub(super) fn change_answer(&mut self, key: ConnectionKey, response: &mut Response) {
        if self.asking.is_empty() {
            return;
        }
        let Some(Asking { request, is_initial }) = self.asking.remove(&key) else { return };
        if response.status() == Status::OK {
            let headers = Headers::new(response);
            self.bare.change_headers(&self.hub, &request, is_initial, headers);
        }
    }

    /// The headers of a 101 besides those of the WebSocket handshake, as the host leaves them.
    pub(super) fn change_upgrade(
        &self,
        request: &Request,
        headers: Vec<(&'static str, String)>,
    ) -> Vec<(String, String)> {
        let response = Response::from(Status::SWITCHING_PROTOCOLS);
        let headers = headers.into_iter();
        let mut response =
            headers.fold(response, |response, (name, value)| response.header(name, value));
        let is_initial = request.query_param("sid").is_none_or(|sid| sid.is_empty());
        self.bare.change_headers(&self.hub, request, is_initial, Headers::new(&mut response));
        let changed = response.headers().filter(|(name, _)| !is_of_the_handshake(name));
        changed.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// The host's id for the session that a request opens; `None` if the server makes it.
    pub(super) fn generate_id(&self, request: &Request) -> Result<Option<Sid>, Rejection> {
        let Some(generated) = self.bare.generate_id(&self.hub, request) else { return Ok(None) };
        let checked = generated.and_then(|id| {
            let sid = self.hub.state.borrow().engine.check_sid(&id).map_err(str::to_owned)?;
            if self.is_greeted_as(sid) {
                Err("the session id is in use".to_owned())
            } else {
                Ok(sid)
            }
        });
        checked.map(Some).map_err(|error| Rejection::IdNotGenerated { error })
    }

    /// Tells of a packet that came in, before it is looked at.
    pub(super) fn tell_packet(
        &mut self,
        session: SessionKey,
        key: ConnectionKey,
        packet: RawPacket<'_>,
        is_posted: bool,
    ) {
        let (is_open, is_main) = {
            let engine = &self.hub.state.borrow().engine;
            (engine.is_open(session), is_posted || engine.websocket(session) == Some(key))
        };
        if !is_open {
            return;
        }
        if is_main {
            self.bare.handle_packet(&self.hub, session, packet);
        } else if matches!(packet, RawPacket::Text(PROBE)) {
            self.bare.handle_upgrading(&self.hub, session);
        }
        self.drain_outputs();
    }

    /// Whether the host hears of packets that leave may have changed between two turns.
    pub(super) fn watch_sent(&self) {
        self.hub.state.borrow_mut().engine.watch_sent(self.bare.watched().sent);
    }

    /// Tells of packets that have left. What that makes the host send leaves with the next turn.
    pub(super) fn tell_sent(&mut self) {
        let sent = self.hub.state.borrow_mut().engine.take_sent();
        for (session, packet) in sent {
            self.bare.handle_sent(&self.hub, session, &packet);
        }
    }

    /// Lets the host's middlewares see a request before anything is made of it; `false` if one of
    /// them has answered it, or failed. A preflight is answered before, as in the reference.
    pub(super) fn passes_middlewares(&mut self, key: ConnectionKey, request: &Request) -> bool {
        let answers_preflights = self.hub.state.borrow().engine.config().cors.is_some();
        if request.method() == Method::Options && answers_preflights {
            return true;
        }
        match self.bare.check(&self.hub, request) {
            Ok(()) => return true,
            Err(None) => self.reject(key, request, &Rejection::MiddlewareFailed),
            Err(Some(response)) => {
                let response = self.hub.state.borrow().engine.with_cors(request, response);
                if request.is_websocket_upgrade() {
                    self.respond_and_finish(key, response);
                } else {
                    self.reactor.respond(self.now.monotonic, key, response);
                }
            }
        }
        false
    }

    /// Tells of sessions that have nothing waiting any more. What that makes the host send leaves
    /// with the next turn.
    pub(super) fn tell_drained(&mut self) {
        for session in std::mem::take(&mut self.drained) {
            self.bare.handle_drain(&self.hub, session);
        }
    }
}

fn is_of_the_handshake(name: &str) -> bool {
    ["connection", "upgrade", "sec-websocket-accept"]
        .iter()
        .any(|own| name.eq_ignore_ascii_case(own))
}

/// What a WebSocket that wants to take a session over says first.
const PROBE: &str = "2probe";
