//! Every option and limit, with the reference's defaults where the reference has them.
//!
//! Plain data: each field says what happens when its limit is met. A builder fills one of these;
//! nothing here is read from the environment.

mod engine;
mod recovery;

use std::time::Duration;

pub use engine::{
    Cookie, CookiePriority, Cors, CorsOrigin, EngineConfig, InitialPacket, SameSite, Transports,
};
pub use recovery::RecoveryConfig;

/// All options of a server, by room.
///
/// ```
/// use std::time::Duration;
/// use throng::Server;
/// use throng::config::Config;
///
/// let mut config = Config::default();
/// config.engine.ping_interval = Duration::from_secs(10);
/// config.socket.attachments_max = 20;
/// config.outgoing.hard_bytes_max = 4 * 1024 * 1024;
/// let server = Server::builder().config(config).bind("127.0.0.1:0")?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Config {
    /// Engine.IO: sessions, transports, heartbeat.
    pub engine: EngineConfig,
    /// Socket.IO: namespaces and packets.
    pub socket: SocketConfig,
    /// HTTP: sizes and times of requests.
    pub http: HttpConfig,
    /// The reactor: connections and the sockets under them.
    pub reactor: ReactorConfig,
    /// How much may wait for peers that read slowly.
    pub outgoing: OutgoingLimits,
    /// How much work one turn may do.
    pub budget: TurnBudget,
}

/// Options of Socket.IO (Socket.IO protocol v5).
///
/// ```
/// use std::time::Duration;
/// use throng::config::{HandshakeRetention, SocketConfig};
///
/// let mut socket = SocketConfig::default();
/// socket.connect_timeout = Duration::from_secs(10);
/// socket.handshake = HandshakeRetention::UntilConnected;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SocketConfig {
    /// How long a connection may go without joining a namespace; then it is closed. 45 s.
    pub connect_timeout: Duration,
    /// How many binary attachments one packet may announce; more is a decode error. 10.
    pub attachments_max: usize,
    /// How many rooms one socket may be in, its own not counted; a further join does nothing but
    /// count. 10,000.
    pub rooms_per_socket_max: usize,
    /// How many events of the server one socket may leave unacknowledged; a further one isn't
    /// sent, and its callback gets [`AckError::NotSent`](crate::AckError::NotSent). 10,000.
    pub acks_per_socket_max: usize,
    /// How many sockets one client may have, those included whose CONNECT is being decided about;
    /// who wants a further one has its connection closed. 100.
    pub sockets_per_client_max: usize,
    /// How many children all dynamic namespaces may have; for a further one clients are refused
    /// with "Invalid namespace". 10,000.
    pub namespaces_max: usize,
    /// The longest name of a dynamic namespace; a longer one is refused likewise. 256 bytes.
    pub namespace_name_bytes_max: usize,
    /// Whether a child of a dynamic namespace goes when its last socket does, also when that was
    /// refused by a middleware. `false`: it stays, as in the reference.
    pub cleanup_empty_child_namespaces: bool,
    /// How many answers may wait for other threads ([`Handle::remote_ack`] and its like); a
    /// further one is dropped, which refuses. 65,536.
    ///
    /// [`Handle::remote_ack`]: crate::Handle::remote_ack
    pub remote_answers_max: usize,
    /// How many bytes the answers to one event that several were asked to acknowledge may have
    /// together while it waits for the others; what comes beyond is dropped and told as
    /// [`rejected`](crate::Answers::rejected). 16 MiB.
    pub answers_bytes_max: usize,
    /// How many events may wait to be pulled ([`Namespace::pull`]), their number and their bytes:
    /// names, arguments and attachments. Beyond either no message of any client is read until the
    /// host pulls; none is lost. That a socket has gone, and what it doesn't answer any more, is
    /// told beyond it. A host that pulls nothing for as long as a heartbeat may take loses its
    /// clients. 65,536.
    ///
    /// [`Namespace::pull`]: crate::Namespace::pull
    pub pulled_events_max: usize,
    /// See [`pulled_events_max`](Self::pulled_events_max). 64 MiB.
    pub pulled_bytes_max: usize,
    /// Whether clients that come back soon get back what they had and missed; see
    /// [`RecoveryConfig`]. `None`.
    pub recovery: Option<RecoveryConfig>,
    /// How long the request that opened a session is kept for `Socket::handshake`.
    pub handshake: HandshakeRetention,
}

impl Default for SocketConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(45),
            attachments_max: 10,
            rooms_per_socket_max: 10_000,
            acks_per_socket_max: 10_000,
            sockets_per_client_max: 100,
            namespaces_max: 10_000,
            namespace_name_bytes_max: 256,
            cleanup_empty_child_namespaces: false,
            remote_answers_max: 65_536,
            answers_bytes_max: 16 * 1_024 * 1_024,
            pulled_events_max: 65_536,
            pulled_bytes_max: 64 * 1_024 * 1_024,
            recovery: None,
            handshake: HandshakeRetention::ForLife,
        }
    }
}

/// How long the request that opened a session is kept.
///
/// ```
/// use throng::config::{Config, HandshakeRetention};
///
/// let mut config = Config::default();
/// config.socket.handshake = HandshakeRetention::UntilConnected; // idle clients cost less memory
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeRetention {
    /// As long as the session lives; it costs the bytes of the request's head.
    ForLife,
    /// Until the first connection handler has run; afterwards the handshake is empty.
    UntilConnected,
}

/// Sizes and times of HTTP requests (RFC 9110 and 9112).
///
/// ```
/// let mut http = throng::config::HttpConfig::default();
/// http.body_bytes_max = 8 * 1024 * 1024; // this server takes uploads
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HttpConfig {
    /// The largest request head; more is answered 431. 16 KiB.
    pub head_bytes_max: usize,
    /// The longest request target; more is answered 414. 8 KiB.
    pub target_bytes_max: usize,
    /// The most header fields; more is answered 431. 100.
    pub headers_max: usize,
    /// The largest body of a request to the attached app; more is answered 413. 1 MiB.
    pub body_bytes_max: usize,
    /// How long a request's head may take from its first byte; then 408. 10 s.
    pub head_timeout: Duration,
    /// How long a request's body may take; then 408. 30 s.
    pub body_timeout: Duration,
    /// How long a connection may sit idle between two requests; then it is closed. 60 s.
    pub keep_alive_timeout: Duration,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            head_bytes_max: 16 * 1_024,
            target_bytes_max: 8 * 1_024,
            headers_max: 100,
            body_bytes_max: 1_024 * 1_024,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(60),
        }
    }
}

/// Connections and the sockets under them.
///
/// ```
/// let mut reactor = throng::config::ReactorConfig::default();
/// reactor.connections_max = Some(10_000);
/// reactor.send_buffer_bytes = Some(64 * 1024);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReactorConfig {
    /// The most connections at a time; `None` takes what the descriptor limit allows. A further
    /// one waits in the backlog until another closes.
    pub connections_max: Option<usize>,
    /// The listen backlog; the kernel caps it at `net.core.somaxconn`. 4,096.
    pub backlog: u32,
    /// Whether accepted sockets send at once (`TCP_NODELAY`). `true`.
    pub nodelay: bool,
    /// `SO_SNDBUF` of accepted sockets, in bytes; `None` leaves it to the kernel.
    pub send_buffer_bytes: Option<usize>,
    /// `SO_RCVBUF` of accepted sockets, in bytes; `None` leaves it to the kernel.
    pub receive_buffer_bytes: Option<usize>,
    /// Whether an IPv6 listener takes IPv6 only; `None` leaves it to the system.
    pub only_v6: Option<bool>,
    /// The one receive buffer that all connections share, in bytes. 64 KiB.
    pub read_buffer_bytes: usize,
    /// How long a connection that is closed with input unread is drained so that its last answer
    /// arrives. 2 s.
    pub linger_timeout: Duration,
    /// How long a peer may take to answer a WebSocket close frame. 30 s.
    pub close_timeout: Duration,
    /// How finely the server's timers tick: none is early, nor later than this where the host polls
    /// in time. 1 ms; no less than a microsecond.
    ///
    /// Below a millisecond, which is what epoll waits in, the wait ends by a timer descriptor
    /// (`timerfd`, Linux). Between two polls it is set to the next deadline, so that the server's
    /// own descriptor becomes readable then. That is a system call whenever this changes.
    pub timer_resolution: Duration,
    /// For how long a wait looks again and again before it sleeps: it spares the wake-up, some
    /// microseconds of every message that comes in the meantime, and costs the processor. Zero.
    pub spin: Duration,
}

impl ReactorConfig {
    /// Whether timers are finer than what epoll waits in.
    pub(crate) fn has_fine_timers(&self) -> bool {
        self.timer_resolution < Duration::from_millis(1)
    }
}

impl Default for ReactorConfig {
    fn default() -> Self {
        Self {
            connections_max: None,
            backlog: 4_096,
            nodelay: true,
            send_buffer_bytes: None,
            receive_buffer_bytes: None,
            only_v6: None,
            read_buffer_bytes: 64 * 1_024,
            linger_timeout: Duration::from_secs(2),
            close_timeout: Duration::from_secs(30),
            timer_resolution: Duration::from_millis(1),
            spin: Duration::ZERO,
        }
    }
}

/// How much may wait for peers that read slowly. Judged after a write was tried, never against a
/// single message: the first that waits may be of any length, what counts is behind it. A message
/// counts for its payload and 128 bytes. Each limit closes with a reason and a counter of its own.
///
/// ```
/// let mut outgoing = throng::config::OutgoingLimits::default();
/// outgoing.hard_bytes_max = 1024 * 1024; // a game would rather lose a client than wait for it
/// outgoing.soft_bytes_max = 128 * 1024;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OutgoingLimits {
    /// More than this for one session closes it at once. 16 MiB.
    pub hard_bytes_max: usize,
    /// More than this for one session for longer than `soft_time_max` closes it. 1 MiB.
    pub soft_bytes_max: usize,
    /// 10 s.
    pub soft_time_max: Duration,
    /// A session whose peer takes no byte for this long while some wait is closed. 20 s.
    pub stall_time_max: Duration,
    /// More than this for all sessions whose peers are slow closes those with the most waiting; it
    /// is looked at once a turn. 1 GiB.
    pub total_bytes_max: usize,
    /// More than this for one session after a write was tried is told to the host
    /// ([`Namespace::on_high_water`], [`Event::HighWater`]): it counts payload, and what a short
    /// write has left over. `None`: nothing is told.
    ///
    /// [`Namespace::on_high_water`]: crate::Namespace::on_high_water
    /// [`Event::HighWater`]: crate::Event::HighWater
    pub high_water_bytes: Option<usize>,
    /// When after that no more than this waits, it is told that too; no more than
    /// `high_water_bytes`. 0: when nothing does.
    pub low_water_bytes: usize,
}

impl Default for OutgoingLimits {
    fn default() -> Self {
        Self {
            hard_bytes_max: 16 * 1_024 * 1_024,
            soft_bytes_max: 1_024 * 1_024,
            soft_time_max: Duration::from_secs(10),
            stall_time_max: Duration::from_secs(20),
            total_bytes_max: 1_024 * 1_024 * 1_024,
            high_water_bytes: None,
            low_water_bytes: 0,
        }
    }
}

/// How much work one turn may do; what is left over makes the next wait zero.
///
/// ```
/// use std::time::Duration;
///
/// let mut budget = throng::config::TurnBudget::default();
/// budget.time_max = Some(Duration::from_millis(1)); // short turns, for a host with its own tick
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TurnBudget {
    /// How long a turn may work, what it waits for not counted; `None` leaves it to the numbers
    /// below. `None`.
    ///
    /// The clock is read between pieces of work, so a turn takes longer by what one of them does: a
    /// handler with what it queues for many, a timer, an accept, a write. Each kind of work gets at
    /// least one piece a turn, so nothing starves. What waited for the call to be written goes out
    /// before the wait, in as much time of its own; what hooks are told of a flush isn't cut. See
    /// also [`Server::poll_for`](crate::Server::poll_for).
    pub time_max: Option<Duration>,
    /// Closures of other threads run. 1,024.
    pub jobs_max: usize,
    /// Connections accepted. 64.
    pub accepts_max: usize,
    /// Bytes read from one connection. 256 KiB.
    pub read_bytes_max: usize,
    /// Messages, control frames and requests dispatched from one connection. 256.
    pub messages_max: usize,
    /// The same from all connections. 4,096.
    pub messages_total_max: usize,
    /// Deliveries enqueued by handlers; over it no further message is dispatched. 65,536.
    pub deliveries_max: usize,
    /// Connections written to in one go: of the fan-out lane before the rest gets its turn, which
    /// waits for so many writes; of those with replies before a turn hears further ones. 8.
    pub slice_connections_max: usize,
    /// Messages waiting in all outboxes above which connections whose messages fan out are not
    /// read, and closures of other threads and the host's sources wait. 262,144.
    pub backlog_messages_max: usize,
}

impl TurnBudget {
    /// A budget of nothing would be a server that never rests and does nothing.
    pub(crate) fn at_least_one(mut self) -> Self {
        let budgets = [
            &mut self.jobs_max,
            &mut self.accepts_max,
            &mut self.read_bytes_max,
            &mut self.messages_max,
            &mut self.messages_total_max,
            &mut self.deliveries_max,
            &mut self.slice_connections_max,
        ];
        for budget in budgets {
            *budget = (*budget).max(1);
        }
        self
    }
}

impl Default for TurnBudget {
    fn default() -> Self {
        Self {
            time_max: None,
            jobs_max: 1_024,
            accepts_max: 64,
            read_bytes_max: 256 * 1_024,
            messages_max: 256,
            messages_total_max: 4_096,
            deliveries_max: 65_536,
            slice_connections_max: 8,
            backlog_messages_max: 262_144,
        }
    }
}
