//! Why a session or a socket ended, in the reference's words.
//!
//! It isn't a close code: a WebSocket close frame carries none of these, except where the peer
//! broke RFC 6455.
//!
//! ```text
//! socket.on("disconnect", (reason) => ...)   // "ping timeout"
//! ```

use std::fmt;

/// Why a session or a socket of a namespace ended.
///
/// [`as_str`](Self::as_str) gives the strings of the reference (Socket.IO documentation, "The
/// Socket instance (server-side)", `disconnect`), for code that was written against them. The
/// limits on outgoing bytes have no counterpart there: each is a variant of its own, so that they
/// can be counted apart, and reads "forced close", which is what the reference says when the
/// server ends a session.
///
/// ```
/// use throng::DisconnectReason;
///
/// assert_eq!(DisconnectReason::PingTimeout.as_str(), "ping timeout");
/// assert_eq!(DisconnectReason::SlowConsumerHard.to_string(), "forced close");
/// assert_eq!(DisconnectReason::SlowConsumerHard.label(), "slow_consumer_hard");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The peer closed its connection, or posted a close packet.
    TransportClose,
    /// The connection failed: reset, overlapping requests, an aborted request, a message that is
    /// too large, a heartbeat in the wrong direction.
    TransportError,
    /// A packet that Engine.IO doesn't know.
    ParseError,
    /// No pong came in time.
    PingTimeout,
    /// An invalid Socket.IO packet, no namespace joined in time, or a close by the host.
    ForcedClose,
    /// As [`ForcedClose`](Self::ForcedClose), where the close waited for something to be sent.
    ForcedServerClose,
    /// The client left the namespace.
    ClientNamespaceDisconnect,
    /// The host disconnected the socket.
    ServerNamespaceDisconnect,
    /// The server closed.
    ServerShuttingDown,
    /// More waited to be sent than `OutgoingLimits::hard_bytes_max`.
    SlowConsumerHard,
    /// More waited than `OutgoingLimits::soft_bytes_max`, for longer than allowed.
    SlowConsumerSoft,
    /// The peer took no byte for `OutgoingLimits::stall_time_max` while some waited.
    SlowConsumerStalled,
    /// All sessions together had more waiting than `OutgoingLimits::total_bytes_max`, and this one
    /// had the most.
    SlowConsumerBudget,
}

impl DisconnectReason {
    /// All reasons, in the order of their declaration.
    pub const ALL: [Self; 13] = [
        Self::TransportClose,
        Self::TransportError,
        Self::ParseError,
        Self::PingTimeout,
        Self::ForcedClose,
        Self::ForcedServerClose,
        Self::ClientNamespaceDisconnect,
        Self::ServerNamespaceDisconnect,
        Self::ServerShuttingDown,
        Self::SlowConsumerHard,
        Self::SlowConsumerSoft,
        Self::SlowConsumerStalled,
        Self::SlowConsumerBudget,
    ];

    /// The string of the reference.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::ParseError => "parse error",
            Self::PingTimeout => "ping timeout",
            Self::ForcedClose
            | Self::SlowConsumerHard
            | Self::SlowConsumerSoft
            | Self::SlowConsumerStalled
            | Self::SlowConsumerBudget => "forced close",
            Self::ForcedServerClose => "forced server close",
            Self::ClientNamespaceDisconnect => "client namespace disconnect",
            Self::ServerNamespaceDisconnect => "server namespace disconnect",
            Self::ServerShuttingDown => "server shutting down",
        }
    }

    /// A name that is unique to the reason, for metrics and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::TransportClose => "transport_close",
            Self::TransportError => "transport_error",
            Self::ParseError => "parse_error",
            Self::PingTimeout => "ping_timeout",
            Self::ForcedClose => "forced_close",
            Self::ForcedServerClose => "forced_server_close",
            Self::ClientNamespaceDisconnect => "client_namespace_disconnect",
            Self::ServerNamespaceDisconnect => "server_namespace_disconnect",
            Self::ServerShuttingDown => "server_shutting_down",
            Self::SlowConsumerHard => "slow_consumer_hard",
            Self::SlowConsumerSoft => "slow_consumer_soft",
            Self::SlowConsumerStalled => "slow_consumer_stalled",
            Self::SlowConsumerBudget => "slow_consumer_budget",
        }
    }

    /// The place of the reason in [`DisconnectReason::ALL`].
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::DisconnectReason;

    #[test]
    fn every_reason_stands_at_its_index_under_its_own_label() {
        let mut labels = std::collections::HashSet::new();
        for (index, reason) in DisconnectReason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), index);
            assert!(labels.insert(reason.label()));
        }
    }
}
