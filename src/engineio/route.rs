//! What a request to Engine.IO asks for, judged in the reference's order without changing a thing.
//!
//! Preflight, transport, `Origin`, session, its transport, its protocol, method, WebSocket, origin
//! of the WebSocket, number of sessions, protocol. After `route` the host may be asked; it comes
//! before the last of these, which is why that one is part of the answer.
//!
//! ```text
//! GET /socket.io/?EIO=4&transport=polling                 Open
//! POST /socket.io/?EIO=4&transport=polling&sid=...        Post
//! ```

use super::Engine;
use super::query::Query;
use super::rejection::Rejection;
use super::transport::{Protocol, Transport};
use crate::config::Transports;
use crate::http::{Method, Request};
use crate::message::Form;
use crate::slots::SessionKey;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// An `OPTIONS` request, to be answered by `Engine::preflight`.
    Preflight,
    /// A handshake. Its protocol is judged after the host's own admission; an error is answered
    /// as a rejection, on WebSocket only after the 101.
    Open { transport: Transport, form: Form, protocol: Result<Protocol, Rejection> },
    /// A GET of a polling session.
    Poll(SessionKey),
    /// A POST of a polling session.
    Post(SessionKey),
    /// Another method, to be answered by `Engine::unsupported_method`.
    Unsupported(SessionKey),
    /// A WebSocket with the id of a session, handed to `Engine::handle_probe` after the 101.
    Probe(SessionKey, Form),
    /// A WebSocket that asks for polling: after the 101 an empty close frame.
    CloseAfterUpgrade,
}

impl Engine {
    /// Whether a path belongs to Engine.IO. It is a prefix that is compared, as in the reference.
    pub(crate) fn matches(&self, path: &str) -> bool {
        self.config().transports != Transports::None && path.starts_with(&*self.path)
    }

    /// What follows Engine.IO's path in a path, without the slash between them.
    pub(crate) fn name_of<'p>(&self, path: &'p str) -> Option<&'p str> {
        let own = self.config().path.trim_end_matches('/');
        path.strip_prefix(own)?.strip_prefix('/')
    }

    /// Judges a request whose path matches.
    pub(crate) fn route(&self, request: &Request) -> Result<Route, Rejection> {
        let config = self.config();
        if request.method() == Method::Options && config.cors.is_some() {
            return Ok(Route::Preflight);
        }
        let query = Query::of(request);
        let transport = self.transport_of(&query)?;
        if let Some(origin) = request.header("origin")
            && origin.chars().any(is_invalid_in_header)
        {
            return Err(Rejection::InvalidOrigin { origin: origin.to_owned() });
        }
        // Without WebSocket nobody listens for upgrades, and the request is like any other.
        let is_upgrade = request.is_websocket_upgrade() && config.transports.websocket();
        match &query.sid {
            Some(sid) => self.route_session(request, &query, sid, transport, is_upgrade),
            None => self.route_handshake(request, &query, transport, is_upgrade),
        }
    }

    /// Whether there are as many sessions as there may be, those included that open in a moment.
    /// What is admitted later is judged by this again.
    pub(crate) fn is_full(&self) -> bool {
        self.len() + self.reserved >= self.sessions_max
    }

    /// Keeps a place for a session whose client is told that it gets in before it opens.
    pub(crate) fn reserve(&mut self) {
        self.reserved += 1;
    }

    /// Gives such a place back: the session opens now, or never.
    pub(crate) fn release(&mut self) {
        self.reserved = self.reserved.saturating_sub(1);
    }

    fn transport_of(&self, query: &Query<'_>) -> Result<Transport, Rejection> {
        let transports = self.config().transports;
        match query.transport.as_deref() {
            Some("polling") if transports.polling() => Ok(Transport::Polling),
            Some("websocket") if transports.websocket() => Ok(Transport::WebSocket),
            other => Err(Rejection::TransportUnknown { transport: other.map(str::to_owned) }),
        }
    }

    fn route_session(
        &self,
        request: &Request,
        query: &Query<'_>,
        sid: &str,
        transport: Transport,
        is_upgrade: bool,
    ) -> Result<Route, Rejection> {
        let Some((key, session)) = self.find(sid) else {
            return Err(Rejection::SessionUnknown { sid: sid.to_owned() });
        };
        let previous = session.channel.transport();
        if !is_upgrade && transport != previous {
            return Err(Rejection::TransportMismatch { transport, previous });
        }
        let (protocol, previous) = (query.protocol(), session.protocol);
        if protocol != previous {
            let (protocol, previous) = (protocol.revision(), previous.revision());
            return Err(Rejection::ProtocolMismatch { protocol, previous });
        }
        if is_upgrade {
            self.check_websocket_origin(request)?;
            return Ok(match transport {
                Transport::Polling => Route::CloseAfterUpgrade,
                Transport::WebSocket => Route::Probe(key, query.websocket_form()),
            });
        }
        match (transport, request.method()) {
            // The reference leaves this request without any answer.
            (Transport::WebSocket, _) => Err(Rejection::NotAWebSocket),
            (Transport::Polling, Method::Get) => Ok(Route::Poll(key)),
            (Transport::Polling, Method::Post) => Ok(Route::Post(key)),
            (Transport::Polling, _) => Ok(Route::Unsupported(key)),
        }
    }

    fn route_handshake(
        &self,
        request: &Request,
        query: &Query<'_>,
        transport: Transport,
        is_upgrade: bool,
    ) -> Result<Route, Rejection> {
        if request.method() != Method::Get {
            let method = request.method_name().to_owned();
            return Err(Rejection::BadHandshakeMethod { method });
        }
        if transport == Transport::WebSocket && !is_upgrade {
            return Err(Rejection::NotAWebSocket);
        }
        if is_upgrade {
            self.check_websocket_origin(request)?;
        }
        if transport == Transport::Polling && is_upgrade {
            return Ok(Route::CloseAfterUpgrade);
        }
        if self.is_full() {
            return Err(Rejection::TooManySessions);
        }
        let protocol = match query.protocol() {
            Protocol::V3 if !self.config().allow_eio3 => {
                Err(Rejection::UnsupportedProtocol { protocol: Protocol::V3.revision() })
            }
            protocol => Ok(protocol),
        };
        Ok(Route::Open { transport, form: query.websocket_form(), protocol })
    }

    /// Browsers let any page open a WebSocket to anywhere and tell whose page it is.
    fn check_websocket_origin(&self, request: &Request) -> Result<(), Rejection> {
        let Some(allowed) = &self.config().websocket_origins else { return Ok(()) };
        match request.header("origin") {
            Some(origin) if !allowed.iter().any(|allowed| allowed == origin) => {
                Err(Rejection::Forbidden { message: None })
            }
            _ => Ok(()),
        }
    }
}

/// What may not stand in a header's value (RFC 9110, section 5.5).
fn is_invalid_in_header(character: char) -> bool {
    (character < ' ' && character != '\t') || character == '\u{7f}' || character > '\u{ff}'
}
