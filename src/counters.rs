//! What was accepted, refused, dropped and closed, by reason: plain numbers that only grow, for
//! the host to read. They aren't gauges: how many there are now is asked of the server.

use crate::outbox::Delivery;

/// Counters of connections and requests.
///
/// ```
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// let counters = server.reactor_counters();
/// assert_eq!(counters.accepted - counters.closed, server.connections_len() as u64);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReactorCounters {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections closed, by whomever.
    pub closed: u64,
    /// Accepts that failed: the peer was gone already, or descriptors ran out.
    pub accept_errors: u64,
    /// Times that accepting paused because the process or the system was out of descriptors.
    pub descriptors_exhausted: u64,
    /// Connections that failed or were reset by the peer.
    pub resets: u64,
    /// HTTP requests whose head was read.
    pub requests: u64,
    /// Requests that were refused before anybody saw them: malformed, too large, too many fields.
    pub refused_requests: u64,
    /// Heads and bodies that took too long.
    pub timeouts: u64,
    /// WebSocket connections closed because the peer broke the protocol or a limit.
    pub websocket_failures: u64,
    /// WebSocket control frames received.
    pub control_frames: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Write calls.
    pub writes: u64,
    /// Write calls that took less than was offered.
    pub short_writes: u64,
}

/// Counters of Socket.IO.
///
/// ```
/// use throng::Server;
/// use throng::http::Response;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// server.http().get("/metrics", |io, _| {
///     let counters = io.socket_counters();
///     let (events, panics) = (counters.events, counters.handler_panics);
///     Response::ok().text(format!("events {events}\npanics {panics}\n"))
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketCounters {
    /// Sockets that were let into a namespace.
    pub connected: u64,
    /// Sockets that left.
    pub disconnected: u64,
    /// Clients refused because there is no such namespace.
    pub namespaces_unknown: u64,
    /// Clients refused because there are as many dynamic namespaces as there may be, or because
    /// the name of one is too long.
    pub namespaces_over_limit: u64,
    /// Connections closed because their client wanted more sockets than one may have.
    pub sockets_over_limit: u64,
    /// Clients refused by a middleware.
    pub refused: u64,
    /// Connections closed because no namespace was joined in time.
    pub connect_timeouts: u64,
    /// Events received.
    pub events: u64,
    /// Events that an event middleware refused.
    pub events_refused: u64,
    /// Events for which no handler was declared.
    pub events_unhandled: u64,
    /// Events whose arguments were of another shape than the handler takes.
    pub arguments_rejected: u64,
    /// Packets that could not be decoded; their connections were closed.
    pub decode_errors: u64,
    /// Packets that were out of place (no such socket, connected twice); likewise.
    pub protocol_errors: u64,
    /// Acknowledgements received that nobody awaited.
    pub acks_unknown: u64,
    /// Acknowledgements whose arguments were of another shape than the callback takes.
    pub acks_rejected: u64,
    /// Events of the server that were not acknowledged in time.
    pub ack_timeouts: u64,
    /// Events for other servers that went nowhere, because the adapter knows of none.
    pub server_side_emits_unsupported: u64,
    /// Sessions kept for clients that have left and may come back.
    pub sessions_persisted: u64,
    /// Clients that got back what they had.
    pub sessions_recovered: u64,
    /// Clients that claimed a session which isn't known, or an offset that isn't; each got a fresh
    /// socket.
    pub recoveries_failed: u64,
    /// Events that were let go of before their time, because too many were kept.
    pub recovery_events_evicted: u64,
    /// Sessions of clients that have left, likewise.
    pub recovery_sessions_evicted: u64,
    /// Joins that did nothing: joined already, or beyond the number of rooms.
    pub joins_ignored: u64,
    /// Messages queued for a recipient, broadcasts counted by recipient.
    pub deliveries: u64,
    /// Deliveries that left their recipient above the soft limit.
    pub deliveries_over_limit: u64,
    /// Deliveries dropped: volatile and not writable, or the recipient gone.
    pub deliveries_dropped: u64,
    /// Values of the host that could not be serialised; nothing was sent.
    pub encode_errors: u64,
    /// Answers that were not handed to another thread because too many are already.
    pub remote_answers_over_limit: u64,
    /// Handlers that panicked; the sessions they ran for were closed.
    pub handler_panics: u64,
}

impl SocketCounters {
    pub(crate) fn count_emit(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Queued => self.deliveries += 1,
            Delivery::OverLimit => {
                self.deliveries += 1;
                self.deliveries_over_limit += 1;
            }
            Delivery::Dropped => self.deliveries_dropped += 1,
        }
    }

    pub(crate) fn count_broadcast(&mut self, queued: usize, over_limit: usize, dropped: usize) {
        self.deliveries += queued as u64;
        self.deliveries_over_limit += over_limit as u64;
        self.deliveries_dropped += dropped as u64;
    }
}
