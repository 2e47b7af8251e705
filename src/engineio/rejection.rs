//! Why a request to Engine.IO is refused, and the answers.
//!
//! Messages to sessions that exist are no business of this file: an overlap, say, is answered 400
//! without a body.
//!
//! ```text
//! HTTP/1.1 400 Bad Request            {"code":1,"message":"Session ID unknown"}
//! ```

use std::fmt::Write as _;

use super::transport::Transport;
use crate::http::{Request, Response};

/// A refused request, with what the reference calls the context of its `connection_error` event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// The query's `transport` is missing, unknown or switched off.
    TransportUnknown { transport: Option<String> },
    /// No session has this id, or none any more.
    SessionUnknown { sid: String },
    /// A handshake is a GET.
    BadHandshakeMethod { method: String },
    /// The `Origin` header holds characters that no header may.
    InvalidOrigin { origin: String },
    /// The session speaks through another transport now.
    TransportMismatch { transport: Transport, previous: Transport },
    /// The query asks for another protocol than the session's handshake did.
    ProtocolMismatch,
    /// `transport=websocket` without a WebSocket handshake.
    NotAWebSocket,
    /// The host refused the handshake, or the origin may not open a WebSocket.
    Forbidden { message: Option<String> },
    /// The query asks for a revision of the protocol that isn't spoken here.
    UnsupportedProtocol,
    /// There are as many sessions as there may be.
    TooManySessions,
}

impl Rejection {
    /// The code of the reference, 0 to 5.
    pub(crate) const fn code(&self) -> u8 {
        match self {
            Self::TransportUnknown { .. } => 0,
            Self::SessionUnknown { .. } => 1,
            Self::BadHandshakeMethod { .. } => 2,
            Self::InvalidOrigin { .. }
            | Self::TransportMismatch { .. }
            | Self::ProtocolMismatch
            | Self::NotAWebSocket
            | Self::TooManySessions => 3,
            Self::Forbidden { .. } => 4,
            Self::UnsupportedProtocol => 5,
        }
    }

    pub(crate) fn message(&self) -> &str {
        match self {
            Self::TransportUnknown { .. } => "Transport unknown",
            Self::SessionUnknown { .. } => "Session ID unknown",
            Self::BadHandshakeMethod { .. } => "Bad handshake method",
            Self::InvalidOrigin { .. }
            | Self::TransportMismatch { .. }
            | Self::ProtocolMismatch
            | Self::NotAWebSocket => "Bad request",
            // An empty message reads as none, as it does in JavaScript.
            Self::Forbidden { message } => match message.as_deref() {
                Some(message) if !message.is_empty() => message,
                _ => "Forbidden",
            },
            Self::UnsupportedProtocol => "Unsupported protocol version",
            Self::TooManySessions => "Too many sessions",
        }
    }

    /// The `name` of the reference's context, which tells apart what shares code 3.
    pub(crate) const fn name(&self) -> Option<&'static str> {
        match self {
            Self::InvalidOrigin { .. } => Some("INVALID_ORIGIN"),
            Self::TransportMismatch { .. } => Some("TRANSPORT_MISMATCH"),
            Self::ProtocolMismatch => Some("PROTOCOL_MISMATCH"),
            Self::NotAWebSocket => Some("TRANSPORT_HANDSHAKE_ERROR"),
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
    fn the_host_s_message_is_escaped() {
        let rejection = Rejection::Forbidden { message: Some("no \"way\"\n".to_owned()) };
        assert_eq!(rejection.response().status().code(), 403);
        assert_eq!(rejection.response().body(), br#"{"code":4,"message":"no \"way\"\n"}"#);
        let silent = Rejection::Forbidden { message: Some(String::new()) };
        assert_eq!(silent.message(), "Forbidden");
    }
}
