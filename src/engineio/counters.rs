//! What happened since the server started, counted; plain numbers that only grow.
//!
//! They aren't gauges: how many sessions there are now is asked of the engine.
//!
//! ```text
//! closed(PingTimeout) = 3      rejected(1) = 12      // {"code":1,"message":"Session ID unknown"}
//! ```

use super::reason::DisconnectReason;
use super::transport::{Protocol, Transport};

/// Counters of Engine.IO since the server started.
///
/// ```
/// use throng::{DisconnectReason, EngineCounters};
///
/// let counters = EngineCounters::default();
/// assert_eq!(counters.closed(DisconnectReason::PingTimeout), 0);
/// assert_eq!(counters.rejected(1), 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineCounters {
    /// Sessions opened by a polling handshake.
    pub opened_polling: u64,
    /// Sessions opened by a WebSocket handshake.
    pub opened_websocket: u64,
    /// Sessions among those opened that speak EIO 3.
    pub opened_v3: u64,
    /// Packets received on main transports, whatever their type.
    pub packets_received: u64,
    /// Packets that polling answers carried, and control packets sent as frames.
    pub packets_sent: u64,
    /// Pings sent or buffered.
    pub pings: u64,
    /// Pongs received.
    pub pongs: u64,
    /// Pings received from clients of EIO 3, and answered.
    pub pings_received: u64,
    /// Polling requests that were answered with a payload.
    pub polls_answered: u64,
    /// Polling answers that were compressed.
    pub polls_compressed: u64,
    /// Polling bodies that were larger than the limit and answered 413.
    pub posts_too_large: u64,
    /// Sessions that went from polling to WebSocket.
    pub upgrades: u64,
    /// Upgrades that ended otherwise: by a wrong packet, a failure, the end of the session.
    pub probes_failed: u64,
    /// Upgrades that took longer than the upgrade timeout.
    pub probes_timed_out: u64,
    /// Upgrades of a session that was gone, had upgraded or was about to; closed at once.
    pub probes_refused: u64,
    closed: [u64; DisconnectReason::ALL.len()],
    rejected: [u64; REJECTION_CODES],
}

impl EngineCounters {
    /// Sessions that ended for this reason.
    pub fn closed(&self, reason: DisconnectReason) -> u64 {
        self.closed.get(reason.index()).copied().unwrap_or(0)
    }

    /// Requests rejected with this code (0 to 5, as in the body of the answer).
    pub fn rejected(&self, code: u8) -> u64 {
        self.rejected.get(usize::from(code)).copied().unwrap_or(0)
    }

    pub(crate) fn count_opened(&mut self, transport: Transport, protocol: Protocol) {
        self.opened_v3 += u64::from(protocol == Protocol::V3);
        match transport {
            Transport::Polling => self.opened_polling += 1,
            Transport::WebSocket => self.opened_websocket += 1,
        }
    }

    pub(crate) fn count_closed(&mut self, reason: DisconnectReason) {
        if let Some(count) = self.closed.get_mut(reason.index()) {
            *count += 1;
        }
    }

    pub(crate) fn count_rejected(&mut self, code: u8) {
        if let Some(count) = self.rejected.get_mut(usize::from(code)) {
            *count += 1;
        }
    }
}

const REJECTION_CODES: usize = 6;
