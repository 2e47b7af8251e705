//! How a session speaks now: its transport, and the connections that carry it.
//!
//! It isn't the probe of an upgrade, which stands beside the transport until it takes its place.
//!
//! ```text
//! GET /socket.io/?EIO=4&transport=polling&sid=...
//! ```

use std::fmt;

use super::polling::Polling;
use crate::message::Form;
use crate::slots::ConnectionKey;

/// The two transports of Engine.IO over TCP (Engine.IO protocol v4, "Transports").
///
/// ```
/// assert_eq!(throng::Transport::WebSocket.as_str(), "websocket");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// HTTP long-polling: a GET that is held, a POST for each batch of packets.
    Polling,
    /// One WebSocket.
    WebSocket,
}

impl Transport {
    /// The value of the query parameter `transport`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The revision of the Engine.IO protocol that a session speaks, fixed by its handshake.
///
/// Revision 3 is only spoken where [`EngineConfig::allow_eio3`] says so.
///
/// [`EngineConfig::allow_eio3`]: crate::config::EngineConfig::allow_eio3
///
/// ```
/// use throng::Protocol;
///
/// assert_eq!(Protocol::V3.revision(), 3);
/// assert!(Protocol::V3 < Protocol::V4);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Protocol {
    /// `EIO=3`, the revision of Socket.IO v1 and v2.
    V3,
    /// `EIO=4`, the revision of Socket.IO v3 and later.
    V4,
}

impl Protocol {
    /// 3 or 4, as the query parameter `EIO` has it.
    pub const fn revision(self) -> u8 {
        match self {
            Self::V3 => 3,
            Self::V4 => 4,
        }
    }

    /// The revision that a query asks for. What isn't `4` means 3.
    pub(crate) fn of(eio: Option<&str>) -> Self {
        if eio == Some("4") { Self::V4 } else { Self::V3 }
    }

    /// The form of a polling payload without binary packets.
    pub(crate) const fn payload_form(self) -> Form {
        match self {
            Self::V3 => Form::PollingV3,
            Self::V4 => Form::Polling,
        }
    }

    /// The revision whose clients understand this form.
    pub(crate) const fn of_form(form: Form) -> Self {
        if form.is_v3() { Self::V3 } else { Self::V4 }
    }
}

/// A transport with the connections that carry it.
#[derive(Debug)]
pub(crate) enum Channel {
    /// The requests that wait for an answer.
    Polling(Polling),
    /// A WebSocket that the session was opened on.
    WebSocket { connection: ConnectionKey, form: Form },
    /// A WebSocket that the session moved to; there is no further upgrade.
    Upgraded { connection: ConnectionKey, form: Form },
}

impl Channel {
    pub(crate) const fn transport(&self) -> Transport {
        match self {
            Self::Polling(_) => Transport::Polling,
            Self::WebSocket { .. } | Self::Upgraded { .. } => Transport::WebSocket,
        }
    }

    /// The WebSocket and the form of its frames.
    pub(crate) const fn websocket(&self) -> Option<(ConnectionKey, Form)> {
        match self {
            Self::Polling(_) => None,
            Self::WebSocket { connection, form } | Self::Upgraded { connection, form } => {
                Some((*connection, *form))
            }
        }
    }
}
