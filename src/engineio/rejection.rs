//! Why a request to Engine.IO is refused, and the answers.
//!
//! Messages to sessions that exist are no business of this file: an overlap, say, is answered 400
//! without a body.
//!
//! ```text
//! HTTP/1.1 400 Bad Request            {"code":1,"message":"Session ID unknown"}
//! ```

use std::fmt::Write as _;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::transport::Transport;
use crate::http::{Request, Response};

/// Why a request to Engine.IO is refused, with what there is to know about it: what the reference
/// calls the `context` of its `connection_error` event.
///
/// Serialised it is the reference's object; the names are its own (Socket.IO documentation,
/// "Server API", `connection_error`).
///
/// ```
/// use throng::{Rejection, Transport};
///
/// let rejection = Rejection::TransportMismatch {
///     transport: Transport::Polling,
///     previous: Transport::WebSocket,
/// };
/// assert_eq!(rejection.code(), 3);
/// assert_eq!(
///     serde_json::to_string(&rejection)?,
///     r#"{"name":"TRANSPORT_MISMATCH","transport":"polling","previousTransport":"websocket"}"#
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// Code 0: the query's `transport` is missing, unknown or switched off.
    TransportUnknown {
        /// What the query asks for, if it does.
        transport: Option<String>,
    },
    /// Code 1: no session has this id, or none any more.
    SessionUnknown {
        /// The id.
        sid: String,
    },
    /// Code 2: a handshake is a GET.
    BadHandshakeMethod {
        /// What it was instead.
        method: String,
    },
    /// Code 3: the `Origin` header holds characters that no header may.
    InvalidOrigin {
        /// The header's value.
        origin: String,
    },
    /// Code 3: the session speaks through another transport now.
    TransportMismatch {
        /// What the query asks for.
        transport: Transport,
        /// The session's.
        previous: Transport,
    },
    /// Code 3: the query asks for another revision of the protocol than the session's handshake.
    ProtocolMismatch {
        /// What the query asks for.
        protocol: u8,
        /// The session's.
        previous: u8,
    },
    /// Code 3: `transport=websocket` without a WebSocket handshake.
    NotAWebSocket,
    /// Code 3: the host's own generator of ids failed, or gave one that can't be taken.
    IdNotGenerated {
        /// What was wrong.
        error: String,
    },
    /// Code 3: a middleware of the host's panicked; see
    /// [`EngineApp::middleware`](crate::EngineApp::middleware).
    MiddlewareFailed,
    /// Code 4: the host refused the handshake, or the origin may not open a WebSocket.
    Forbidden {
        /// What the host said.
        message: Option<String>,
    },
    /// Code 5: the query asks for a revision of the protocol that isn't spoken here.
    UnsupportedProtocol {
        /// The revision.
        protocol: u8,
    },
    /// Code 3, answered 503: there are as many sessions as there may be.
    TooManySessions,
}

impl Rejection {
    /// The code of the reference, 0 to 5.
    pub const fn code(&self) -> u8 {
        match self {
            Self::TransportUnknown { .. } => 0,
            Self::SessionUnknown { .. } => 1,
            Self::BadHandshakeMethod { .. } => 2,
            Self::InvalidOrigin { .. }
            | Self::TransportMismatch { .. }
            | Self::ProtocolMismatch { .. }
            | Self::NotAWebSocket
            | Self::IdNotGenerated { .. }
            | Self::MiddlewareFailed
            | Self::TooManySessions => 3,
            Self::Forbidden { .. } => 4,
            Self::UnsupportedProtocol { .. } => 5,
        }
    }

    /// The message, as in the body of the answer.
    pub fn message(&self) -> &str {
        match self {
            // An empty message reads as none, as it does in JavaScript.
            Self::Forbidden { message: Some(message) } if !message.is_empty() => message,
            _ => self.code_message(),
        }
    }

    /// The message that belongs to the code, whatever the host has said.
    pub(crate) const fn code_message(&self) -> &'static str {
        match self {
            Self::TransportUnknown { .. } => "Transport unknown",
            Self::SessionUnknown { .. } => "Session ID unknown",
            Self::BadHandshakeMethod { .. } => "Bad handshake method",
            Self::InvalidOrigin { .. }
            | Self::TransportMismatch { .. }
            | Self::ProtocolMismatch { .. }
            | Self::NotAWebSocket
            | Self::IdNotGenerated { .. }
            | Self::MiddlewareFailed => "Bad request",
            Self::Forbidden { .. } => "Forbidden",
            Self::UnsupportedProtocol { .. } => "Unsupported protocol version",
            Self::TooManySessions => "Too many sessions",
        }
    }

    /// What tells apart rejections of code 3: `INVALID_ORIGIN`, `TRANSPORT_MISMATCH`,
    /// `PROTOCOL_MISMATCH`, `TRANSPORT_HANDSHAKE_ERROR`, `ID_GENERATION_ERROR`,
    /// `MIDDLEWARE_FAILURE`, and `TOO_MANY_SESSIONS`, which the reference doesn't have.
    pub const fn name(&self) -> Option<&'static str> {
        match self {
            Self::InvalidOrigin { .. } => Some("INVALID_ORIGIN"),
            Self::TransportMismatch { .. } => Some("TRANSPORT_MISMATCH"),
            Self::ProtocolMismatch { .. } => Some("PROTOCOL_MISMATCH"),
            Self::NotAWebSocket => Some("TRANSPORT_HANDSHAKE_ERROR"),
            Self::IdNotGenerated { .. } => Some("ID_GENERATION_ERROR"),
            Self::MiddlewareFailed => Some("MIDDLEWARE_FAILURE"),
            Self::TooManySessions => Some("TOO_MANY_SESSIONS"),
            _ => None,
        }
    }

    /// The answer to a request that asks for no upgrade, without CORS.
    pub(crate) fn response(&self) -> Response {
        let status = match self {
            Self::Forbidden { .. } => 403,
            Self::TooManySessions => 503,
            _ => 400,
        };
        let mut body = format!("{{\"code\":{},\"message\":", self.code());
        match serde_json::to_string(self.message()) {
            Ok(message) => body.push_str(&message),
            Err(_) => body.push_str("\"\""),
        }
        body.push('}');
        Response::new(status).bytes("application/json", body.into_bytes())
    }

    /// The answer to an upgrade request, whole; the connection is closed after it. Written after
    /// the 101 where the reference finds out that late.
    pub(crate) fn upgrade_response(&self) -> Vec<u8> {
        let message = self.message();
        let mut out = String::with_capacity(UPGRADE_HEAD.len() + message.len() + 8);
        out.push_str(UPGRADE_HEAD);
        // Writing into a string doesn't fail.
        let _ = write!(out, "{}\r\n\r\n{message}", message.len());
        out.into_bytes()
    }

    pub(crate) fn session_unknown(request: &Request) -> Self {
        let sid = request.query_param("sid").unwrap_or_default().into_owned();
        Self::SessionUnknown { sid }
    }
}

/// The `context` of the reference's `connection_error`.
impl Serialize for Rejection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(name) = self.name() {
            map.serialize_entry("name", name)?;
        }
        match self {
            Self::TransportUnknown { transport: Some(transport) } => {
                map.serialize_entry("transport", transport)?;
            }
            Self::SessionUnknown { sid } => map.serialize_entry("sid", sid)?,
            Self::BadHandshakeMethod { method } => map.serialize_entry("method", method)?,
            Self::InvalidOrigin { origin } => map.serialize_entry("origin", origin)?,
            Self::TransportMismatch { transport, previous } => {
                map.serialize_entry("transport", transport.as_str())?;
                map.serialize_entry("previousTransport", previous.as_str())?;
            }
            Self::ProtocolMismatch { protocol, previous } => {
                map.serialize_entry("protocol", protocol)?;
                map.serialize_entry("previousProtocol", previous)?;
            }
            Self::IdNotGenerated { error } => map.serialize_entry("error", error)?,
            Self::Forbidden { message } => map.serialize_entry("message", message)?,
            Self::UnsupportedProtocol { protocol } => map.serialize_entry("protocol", protocol)?,
            Self::TransportUnknown { transport: None }
            | Self::NotAWebSocket
            | Self::MiddlewareFailed
            | Self::TooManySessions => {}
        }
        map.end()
    }
}

const UPGRADE_HEAD: &str = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\
    Content-type: text/html\r\nContent-Length: ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_answer() {
        let rejection = Rejection::SessionUnknown { sid: "x".to_owned() };
        let response = rejection.response();
        assert_eq!(response.status().code(), 400);
        assert_eq!(response.body(), br#"{"code":1,"message":"Session ID unknown"}"#);
        assert_eq!(response.header_value("content-type"), Some("application/json"));
        assert_eq!(
            rejection.upgrade_response(),
            b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-type: text/html\r\n\
              Content-Length: 18\r\n\r\nSession ID unknown"
        );
    }

    #[test]
    fn every_context_reads_as_in_the_reference() {
        let text = |text: &str| text.to_owned();
        let (transport, previous) = (Transport::Polling, Transport::WebSocket);
        for (rejection, context) in [
            (Rejection::TransportUnknown { transport: None }, "{}"),
            (
                Rejection::TransportUnknown { transport: Some(text("udp")) },
                r#"{"transport":"udp"}"#,
            ),
            (Rejection::SessionUnknown { sid: text("x") }, r#"{"sid":"x"}"#),
            (Rejection::BadHandshakeMethod { method: text("PUT") }, r#"{"method":"PUT"}"#),
            (
                Rejection::InvalidOrigin { origin: text("\u{1}") },
                r#"{"name":"INVALID_ORIGIN","origin":"\u0001"}"#,
            ),
            (
                Rejection::TransportMismatch { transport, previous },
                "{\"name\":\"TRANSPORT_MISMATCH\",\"transport\":\"polling\",\
                 \"previousTransport\":\"websocket\"}",
            ),
            (
                Rejection::ProtocolMismatch { protocol: 3, previous: 4 },
                r#"{"name":"PROTOCOL_MISMATCH","protocol":3,"previousProtocol":4}"#,
            ),
            (Rejection::NotAWebSocket, r#"{"name":"TRANSPORT_HANDSHAKE_ERROR"}"#),
            (
                Rejection::IdNotGenerated { error: text("none left") },
                r#"{"name":"ID_GENERATION_ERROR","error":"none left"}"#,
            ),
            (Rejection::Forbidden { message: Some(text("no")) }, r#"{"message":"no"}"#),
            (Rejection::Forbidden { message: None }, r#"{"message":null}"#),
            (Rejection::UnsupportedProtocol { protocol: 3 }, r#"{"protocol":3}"#),
            (Rejection::MiddlewareFailed, r#"{"name":"MIDDLEWARE_FAILURE"}"#),
            (Rejection::TooManySessions, r#"{"name":"TOO_MANY_SESSIONS"}"#),
        ] {
            assert_eq!(serde_json::to_string(&rejection).unwrap(), context);
        }
    }

    #[test]
    fn the_host_s_message_is_escaped() {
        let rejection = Rejection::Forbidden { message: Some("no \"way\"\n".to_owned()) };
        assert_eq!(rejection.response().status().code(), 403);
        assert_eq!(rejection.response().body(), br#"{"code":4,"message":"no \"way\"\n"}"#);
        let silent = Rejection::Forbidden { message: Some(String::new()) };
        assert_eq!(silent.message(), "Forbidden");
    }
}
