//! Requests: whose they are, and what becomes of them.

use std::rc::Rc;

use super::{Owner, Server};
use crate::admission::{ConnectionError, Decision};
use crate::endpoint::WebSocketEvent;
use crate::engineio::{PostStart, Protocol, Rejection, Route, Transport};
use crate::http::{Method, Request, Response, Status};
use crate::message::Form;
use crate::reactor::net::Net;
use crate::slots::{ConnectionKey, SessionKey};
use crate::socketio::{Io, Opening};
use crate::websocket::{Acceptance, Handshake, HandshakeError};

/// A handshake whose admission is being decided.
#[derive(Debug)]
pub(super) struct PendingAdmission {
    request: Request,
    transport: Transport,
    form: Form,
    protocol: Result<(), Rejection>,
}

impl<N: Net> Server<N> {
    /// The head of a request with a body to come.
    pub(super) fn handle_head(&mut self, key: ConnectionKey, request: Request) {
        let mut bytes_max = self.body_bytes_max;
        if self.engine_matches(&request) && self.client_file(&request).is_none() {
            let mut route = self.hub.state.borrow().engine.route(&request);
            // The others are asked about when they are whole.
            if self.bare.watched().requests && matches!(route, Ok(Route::Post(_)) | Err(_)) {
                if !self.passes_middlewares(key, &request) {
                    return;
                }
                route = self.hub.state.borrow().engine.route(&request);
            }
            match route {
                Ok(Route::Post(session)) => match self.start_post(key, session, &request) {
                    Some(allowed) => bytes_max = allowed,
                    None => return,
                },
                Err(rejection) => return self.reject(key, &request, &rejection),
                // A well-formed body that nobody asked for is read and ignored.
                Ok(_) => {}
            }
        }
        if let Err(status) = self.reactor.accept_body(self.now.monotonic, key, request, bytes_max) {
            self.handle_refused(key, status);
        }
    }

    /// The POST of a session; `None` if it was refused, the answer being on its way.
    fn start_post(
        &mut self,
        key: ConnectionKey,
        session: SessionKey,
        request: &Request,
    ) -> Option<usize> {
        self.reactor.set_owner(key, Owner::Post(session));
        let start = {
            let state = &mut *self.hub.state.borrow_mut();
            state.engine.handle_post(self.now, session, key, request, &mut state.outboxes)
        };
        self.drain_outputs();
        match start {
            PostStart::Accept { body_bytes_max } => Some(body_bytes_max),
            PostStart::Refused => None,
        }
    }

    /// A whole request.
    pub(super) fn handle_request(&mut self, key: ConnectionKey, request: Request) {
        self.turn.messages += 1;
        if let Owner::Post(session) = self.reactor.owner(key) {
            self.begin_post(key, session, request);
        } else if let Some(file) = self.client_file(&request) {
            self.serve_client_file(key, file, &request);
        } else if self.engine_matches(&request) {
            self.handle_engine_request(key, request);
        } else if request.is_websocket_upgrade()
            && let Some((endpoint, message_bytes_max)) = self.endpoints.find(request.path())
        {
            if self.upgrade(key, &request, Some(message_bytes_max)) {
                self.reactor.set_owner(key, Owner::Endpoint(endpoint));
                self.endpoints.handle(&self.hub, endpoint, key, WebSocketEvent::Open);
            }
        } else {
            self.app.handle(&self.hub, key, request);
        }
        self.drain_outputs();
    }

    /// A request that was refused while its body came in.
    pub(super) fn handle_refused(&mut self, key: ConnectionKey, status: Status) {
        match self.reactor.owner(key) {
            Owner::Post(session) if status == Status::CONTENT_TOO_LARGE => {
                let state = &mut *self.hub.state.borrow_mut();
                state.engine.post_too_large(self.now, session, key, &mut state.outboxes);
            }
            Owner::Post(_) => {
                self.reactor.respond(self.now.monotonic, key, Response::from(status));
                self.handle_lost(key, crate::reactor::Lost::End);
            }
            _ => self.reactor.respond(self.now.monotonic, key, Response::from(status)),
        }
        self.drain_outputs();
    }

    /// The name of the client's file that a request asks for, if it is served. An upgrade is
    /// Engine.IO's wherever it points.
    fn client_file(&self, request: &Request) -> Option<&'static str> {
        let files = self.client_files.as_ref()?;
        let name = self
            .hub
            .state
            .borrow()
            .engine
            .name_of(request.path())
            .and_then(|name| files.name(name))?;
        (!request.is_websocket_upgrade()).then_some(name)
    }

    /// Cross-origin requests are answered as Engine.IO's own are.
    fn serve_client_file(&mut self, key: ConnectionKey, name: &str, request: &Request) {
        let Some(files) = &self.client_files else { return };
        let engine = &self.hub.state.borrow().engine;
        let response = if request.method() == Method::Options && engine.config().cors.is_some() {
            engine.preflight(request)
        } else {
            engine.with_cors(request, files.respond(name, request))
        };
        self.reactor.respond(self.now.monotonic, key, response);
    }

    fn handle_engine_request(&mut self, key: ConnectionKey, request: Request) {
        if self.bare.watched().requests && !self.passes_middlewares(key, &request) {
            return;
        }
        let route = self.hub.state.borrow().engine.route(&request);
        match route {
            Err(rejection) => self.reject(key, &request, &rejection),
            Ok(Route::Preflight) => {
                let response = self.hub.state.borrow().engine.preflight(&request);
                self.reactor.respond(self.now.monotonic, key, response);
            }
            Ok(Route::Unsupported(_)) => {
                let response = self.hub.state.borrow().engine.unsupported_method(&request);
                self.reactor.respond(self.now.monotonic, key, response);
            }
            Ok(Route::Open { transport, form, protocol }) => {
                let protocol = protocol.map(|_| ());
                self.admit(key, PendingAdmission { request, transport, form, protocol });
            }
            Ok(Route::Poll(session)) => {
                self.reactor.set_owner(key, Owner::Poll(session));
                let (is_watched, websocket) = {
                    let state = &mut *self.hub.state.borrow_mut();
                    let outboxes = &mut state.outboxes;
                    state.engine.handle_poll(self.now, session, key, &request, outboxes);
                    (state.outboxes.is_slow(session), state.engine.websocket(session))
                };
                if is_watched {
                    self.note_progress(session, websocket, 0);
                }
                if self.asks_about_headers() {
                    self.keep_asking(key, Rc::new(request), false);
                }
            }
            Ok(Route::Post(session)) => {
                if self.start_post(key, session, &request).is_some() {
                    self.begin_post(key, session, request);
                }
            }
            Ok(Route::Probe(session, form)) => self.probe(key, session, form, &request),
            Ok(Route::CloseAfterUpgrade) => {
                if self.upgrade(key, &request, None) {
                    self.reactor.close_websocket(self.now.monotonic, key, None, "");
                }
            }
        }
    }

    /// Asks the host about a handshake, if it wants to be asked.
    fn admit(&mut self, key: ConnectionKey, pending: PendingAdmission) {
        let Some(admission) = self.admission.clone() else {
            return self.open(key, pending, &[]);
        };
        self.reactor.set_owner(key, Owner::Admission);
        let decision = Decision::new(&self.hub, key);
        self.hub.run_unbound(|| admission(Io::new(&self.hub), &pending.request, decision));
        self.admissions.insert(key, pending);
    }

    pub(super) fn handle_admitted(&mut self, key: ConnectionKey, headers: &[(String, String)]) {
        if let Some(pending) = self.admissions.remove(&key) {
            self.reactor.set_owner(key, Owner::Nobody);
            // The host took its time, and others may have taken the last place.
            if self.hub.state.borrow().engine.is_full() {
                return self.reject(key, &pending.request, &Rejection::TooManySessions);
            }
            self.open(key, pending, headers);
        }
    }

    pub(super) fn handle_not_admitted(&mut self, key: ConnectionKey, message: Option<String>) {
        if let Some(pending) = self.admissions.remove(&key) {
            self.reactor.set_owner(key, Owner::Nobody);
            self.reject(key, &pending.request, &Rejection::Forbidden { message });
        }
    }

    /// The server closes: whatever is decided about these handshakes comes too late.
    pub(super) fn refuse_admissions(&mut self) {
        let mut keys: Vec<_> = self.admissions.drain().map(|(key, _)| key).collect();
        keys.sort_unstable();
        for key in keys {
            self.reactor.set_owner(key, Owner::Nobody);
            let response = Response::from(Status::SERVICE_UNAVAILABLE);
            self.reactor.respond(self.now.monotonic, key, response);
        }
    }

    fn open(
        &mut self,
        key: ConnectionKey,
        pending: PendingAdmission,
        headers: &[(String, String)],
    ) {
        let PendingAdmission { request, transport, form, protocol } = pending;
        let sid = match protocol {
            Ok(()) => self.generate_id(&request),
            Err(_) => Ok(None),
        };
        let sid = match sid {
            Ok(sid) => sid,
            Err(rejection) => return self.reject(key, &request, &rejection),
        };
        match (transport, protocol) {
            (Transport::Polling, Err(rejection)) => self.reject(key, &request, &rejection),
            (Transport::Polling, Ok(())) => {
                self.hub.state.borrow_mut().engine.offer_sid(sid);
                self.open_polling(key, request, headers);
            }
            (Transport::WebSocket, protocol) => {
                if !self.upgrade(key, &request, None) {
                    return;
                }
                match protocol {
                    Ok(()) if Protocol::of_form(form) == Protocol::V3 => {
                        self.greet_soon(key, request, form, sid);
                    }
                    Ok(()) => {
                        self.hub.state.borrow_mut().engine.offer_sid(sid);
                        self.open_websocket(key, request, form);
                    }
                    // The reference judges the protocol too late: its refusal, in plain HTTP,
                    // follows the 101.
                    Err(rejection) => {
                        self.tell_rejection(&request, &rejection);
                        self.refuse_upgrade(key, &rejection);
                    }
                }
            }
        }
    }

    fn open_polling(&mut self, key: ConnectionKey, request: Request, headers: &[(String, String)]) {
        if self.asks_about_headers() {
            self.keep_asking(key, Rc::new(request.clone()), true);
        }
        let session = {
            let state = &mut *self.hub.state.borrow_mut();
            let (entropy, outboxes) = (&mut *state.entropy, &mut state.outboxes);
            state.engine.open_polling(self.now, key, &request, headers, entropy, outboxes)
        };
        self.handle_open(session, request);
    }

    pub(super) fn open_websocket(&mut self, key: ConnectionKey, request: Request, form: Form) {
        let session = {
            let state = &mut *self.hub.state.borrow_mut();
            let (entropy, outboxes) = (&mut *state.entropy, &mut state.outboxes);
            state.engine.open_websocket(self.now, key, form, entropy, outboxes)
        };
        self.reactor.set_owner(key, Owner::WebSocket(session));
        self.handle_open(session, request);
    }

    fn handle_open(&mut self, session: SessionKey, request: Request) {
        self.bare.handle_open(&self.hub, session, &request);
        if !self.bare.is_declared() {
            self.hub.handle_open(session, Some(Opening { request, issued: self.now.wall }));
        }
    }

    fn probe(&mut self, key: ConnectionKey, session: SessionKey, form: Form, request: &Request) {
        if !self.upgrade(key, request, None) {
            return;
        }
        self.reactor.set_owner(key, Owner::WebSocket(session));
        let state = &mut *self.hub.state.borrow_mut();
        state.engine.handle_probe(self.now, session, key, form, &mut state.outboxes);
    }

    /// Answers 101 and makes the connection a WebSocket, or refuses what is no proper handshake.
    fn upgrade(
        &mut self,
        key: ConnectionKey,
        request: &Request,
        message_bytes_max: Option<usize>,
    ) -> bool {
        match accept(request) {
            Ok((acceptance, protocol)) => {
                let headers = self.hub.state.borrow().engine.websocket_headers(request);
                let protocol = protocol.as_deref();
                let head = if message_bytes_max.is_none() && self.asks_about_headers() {
                    let headers = self.change_upgrade(request, headers);
                    switching_protocols(&acceptance, protocol, &headers)
                } else {
                    switching_protocols(&acceptance, protocol, &headers)
                };
                self.reactor.upgrade(key, head, message_bytes_max);
                true
            }
            Err(error) => {
                let mut response = Response::new(error.status()).html(error.message());
                if let Some(versions) = error.supported_versions() {
                    response = response.header("Sec-WebSocket-Version", versions);
                }
                self.respond_and_finish(key, response);
                false
            }
        }
    }

    pub(super) fn reject(&mut self, key: ConnectionKey, request: &Request, rejection: &Rejection) {
        self.tell_rejection(request, rejection);
        if request.is_websocket_upgrade() {
            return self.refuse_upgrade(key, rejection);
        }
        let response = self.hub.state.borrow_mut().engine.reject(request, rejection);
        self.reactor.respond(self.now.monotonic, key, response);
    }

    fn tell_rejection(&self, request: &Request, rejection: &Rejection) {
        let Some(handler) = self.error_handler.clone() else { return };
        let error = ConnectionError::new(rejection);
        self.hub.run_unbound(|| handler(request, &error));
    }

    fn refuse_upgrade(&mut self, key: ConnectionKey, rejection: &Rejection) {
        let bytes = self.hub.state.borrow_mut().engine.reject_upgrade(rejection);
        self.reactor.queue(key, bytes.into());
        self.reactor.finish(self.now.monotonic, key);
    }

    pub(super) fn respond_and_finish(&mut self, key: ConnectionKey, response: Response) {
        self.reactor.respond(self.now.monotonic, key, response);
        self.reactor.finish(self.now.monotonic, key);
    }

    fn engine_matches(&self, request: &Request) -> bool {
        self.hub.state.borrow().engine.matches(request.path())
    }
}

/// Checks the WebSocket handshake of a request; gives the accept key and the first protocol that
/// was offered.
fn accept(request: &Request) -> Result<(String, Option<String>), HandshakeError> {
    let [connection, upgrade, key, version, protocol] = request.header_lists([
        "connection",
        "upgrade",
        "sec-websocket-key",
        "sec-websocket-version",
        "sec-websocket-protocol",
    ]);
    let handshake = Handshake {
        method: request.method_name(),
        version_minor: u8::from(request.version() == crate::http::Version::Http11),
        connection: connection.as_deref(),
        upgrade: upgrade.as_deref(),
        key: key.as_deref(),
        version: version.as_deref(),
        protocol: protocol.as_deref(),
    };
    let Acceptance { accept_key, protocol } = handshake.check()?;
    Ok((accept_key, protocol.map(str::to_owned)))
}

fn switching_protocols(
    accept_key: &str,
    protocol: Option<&str>,
    headers: &[(impl AsRef<str>, String)],
) -> Vec<u8> {
    let protocol = protocol.map(|protocol| ("Sec-WebSocket-Protocol", protocol));
    let headers = headers.iter().map(|(name, value)| (name.as_ref(), value.as_str()));
    let headers = protocol.into_iter().chain(headers);
    let headers_bytes: usize =
        headers.clone().map(|(name, value)| name.len() + value.len() + 4).sum();
    // Nothing is left over that would have to be given back.
    let mut head = String::with_capacity(SWITCHING.len() + accept_key.len() + headers_bytes + 4);
    head.push_str(SWITCHING);
    head.push_str(accept_key);
    head.push_str("\r\n");
    for (name, value) in headers {
        head.push_str(name);
        head.push_str(": ");
        head.extend(value.chars().filter(|character| !character.is_control()));
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// The answer to an upgrade, as far as the value of the accept key.
const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: ";
