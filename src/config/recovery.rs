//! Options of connection state recovery.

use std::time::Duration;

/// Connection state recovery: a client that comes back soon gets its id, its rooms and data, and
/// what it missed (Socket.IO documentation, "Connection state recovery").
///
/// What it costs: each event without acknowledgement that isn't volatile is kept in memory, its
/// bytes once however many get it, and carries an offset of about ten bytes to each client. Each
/// connected client costs an entry in a table, each that has left its rooms and data as JSON. All
/// of it is bounded here, for the whole server: beyond a limit the oldest of all namespaces is let
/// go of, and counted ([`SocketCounters`](crate::SocketCounters)). A client whose session or whose
/// last event is gone gets a fresh socket, as it would without recovery.
///
/// # The offset's trap
/// The reference's client takes *any* last argument that is a string for an offset, once it has
/// recovered or may recover. An event that carries no offset (one that is volatile, or asks for an
/// acknowledgement) and ends in a string therefore spoils the offset it comes back with, and its
/// next recovery fails. Let such events end in something else: a number, an object, `null`.
///
/// ```
/// use std::time::Duration;
/// use throng::config::{Config, RecoveryConfig};
///
/// let mut config = Config::default();
/// let mut recovery = RecoveryConfig::default();
/// recovery.max_disconnection_duration = Duration::from_secs(30);
/// recovery.events_bytes_max = 8 * 1024 * 1024;
/// config.socket.recovery = Some(recovery);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecoveryConfig {
    /// How long after it has left a client may come back. 2 min.
    pub max_disconnection_duration: Duration,
    /// Whether the namespace's middlewares are skipped for one that has recovered. `true`.
    pub skip_middlewares: bool,
    /// The most events that are kept. 100,000.
    pub events_max: usize,
    /// The most bytes of them: 256 for each event, the names of its rooms and 32 for each; what has
    /// binary attachments twice, and so what outgoing catch-alls see. 64 MiB.
    pub events_bytes_max: usize,
    /// The most sessions of clients that have left. 100,000.
    pub sessions_max: usize,
    /// The most bytes of them: 256 for each, its data, the names of its rooms and 32 for each.
    /// 64 MiB.
    pub sessions_bytes_max: usize,
}

impl Default for RecoveryConfig {
    fn default() -> Self {
        Self {
            max_disconnection_duration: Duration::from_secs(120),
            skip_middlewares: true,
            events_max: 100_000,
            events_bytes_max: 64 * 1_024 * 1_024,
            sessions_max: 100_000,
            sessions_bytes_max: 64 * 1_024 * 1_024,
        }
    }
}
