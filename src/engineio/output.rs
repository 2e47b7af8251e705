//! What the engine asks of the conductor: answers, control frames, closes and news of sessions.
//!
//! It carries control only. Messages go through the outboxes, except for those that a closing
//! session still has to send: they come as frames, before the close frame.
//!
//! ```text
//! Send { frame: 81 01 32 }        a ping
//! CloseWebSocket { code: None }   88 00
//! ```

use std::rc::Rc;
use std::time::Duration;

use super::reason::DisconnectReason;
use super::sid::Sid;
use crate::http::Response;
use crate::message::{Form, Message};
use crate::slots::{ConnectionKey, SessionKey};

/// One thing for the conductor to do, in order. A connection that is gone by then is passed over.
#[derive(Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "read by tests, and by people in traces"))]
pub(crate) enum Output {
    /// Answers the HTTP request that waits on this connection.
    Respond { connection: ConnectionKey, response: Response },
    /// Writes a frame on a WebSocket.
    Send { connection: ConnectionKey, frame: Frame },
    /// Writes a close frame after what was sent before, empty without a code; then the peer's is
    /// awaited.
    CloseWebSocket { connection: ConnectionKey, code: Option<u16> },
    /// Ends a TCP connection without an answer.
    Destroy { connection: ConnectionKey },
    /// There is a new session.
    Opened { session: SessionKey },
    /// A session moved from polling to the WebSocket that probed.
    Upgraded { session: SessionKey, connection: ConnectionKey },
    /// A session ended; its key is stale already. Comes once per session. The detail tells apart
    /// what shares a reason.
    Closed {
        session: SessionKey,
        sid: Sid,
        reason: DisconnectReason,
        /// More about it, for people.
        detail: Option<&'static str>,
    },
    /// `handle_deadline` is wanted at this moment, earlier than told before. What was told before
    /// may be forgotten; a deadline that fires too early costs a look.
    Schedule { session: SessionKey, at: Duration },
}

/// Whole frames of RFC 6455, ready to be written.
#[derive(Clone, Debug)]
pub(crate) enum Frame {
    /// A control packet that reads the same for everyone.
    Static(&'static [u8]),
    /// A control packet made for one session.
    Owned(Box<[u8]>),
    /// What waited in the outbox of a session that closes.
    Message(Rc<Message>, Form),
}

impl Frame {
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Static(bytes) => bytes,
            Self::Owned(bytes) => bytes,
            Self::Message(message, form) => message.form(*form),
        }
    }
}

/// `2`
pub(crate) const PING_FRAME: Frame = Frame::Static(b"\x81\x012");
/// `3`
pub(crate) const PONG_FRAME: Frame = Frame::Static(b"\x81\x013");
/// `3probe`
pub(crate) const PROBE_FRAME: Frame = Frame::Static(b"\x81\x063probe");
