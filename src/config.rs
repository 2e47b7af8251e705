//! Every option and limit, with the reference's defaults where the reference has them.
//!
//! Plain data: each field says what happens when its limit is met. A builder fills one of these;
//! nothing here is read from the environment.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

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

/// Options of Engine.IO (Engine.IO protocol v4); names and defaults are those of the reference.
///
/// ```
/// use throng::config::{EngineConfig, Transports};
///
/// let mut engine = EngineConfig::default();
/// engine.transports = Transports::WebSocket;
/// engine.websocket_origins = Some(vec!["https://example.com".to_owned()]);
/// assert_eq!(engine.payload_bytes_max, 1_000_000);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EngineConfig {
    /// The path that belongs to Engine.IO; all else goes to the HTTP app. `/socket.io`.
    pub path: String,
    /// Whether the path is matched with a trailing slash only. `true`.
    pub add_trailing_slash: bool,
    /// From the handshake or the last pong to the next ping. 25 s.
    pub ping_interval: Duration,
    /// From a ping to the close with reason "ping timeout". 20 s.
    pub ping_timeout: Duration,
    /// How long a probing WebSocket may take; then it is closed and the session goes on polling.
    /// 10 s.
    pub upgrade_timeout: Duration,
    /// The largest polling body and WebSocket message, in bytes, told to the client as
    /// `maxPayload`. More is answered 413, or closed with 1009. 1,000,000.
    pub payload_bytes_max: usize,
    /// Which transports a session may use. Both.
    pub transports: Transports,
    /// Whether the handshake offers an upgrade from polling to WebSocket. `true`.
    pub allow_upgrades: bool,
    /// Cross-origin sharing for browsers; none by default.
    pub cors: Option<Cors>,
    /// A cookie with the session id on polling handshakes; none by default.
    pub cookie: Option<Cookie>,
    /// Origins from which a browser may open a WebSocket; `None` allows any, as the reference
    /// does. Requests without an `Origin` header come from no browser and pass.
    pub websocket_origins: Option<Vec<String>>,
    /// Compress polling answers of at least this many bytes where the client accepts it, with the
    /// `compression` feature; `None` never. 1,024.
    pub compression_bytes_min: Option<usize>,
    /// How many frames one WebSocket message may be cut into; more is closed with 1008. 4,096.
    pub fragments_max: u32,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            path: "/socket.io".to_owned(),
            add_trailing_slash: true,
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            payload_bytes_max: 1_000_000,
            transports: Transports::All,
            allow_upgrades: true,
            cors: None,
            cookie: None,
            websocket_origins: None,
            compression_bytes_min: Some(1_024),
            fragments_max: 4_096,
        }
    }
}

/// Which transports a session may use (Engine.IO protocol v4, "Transports"). A request that names
/// another one is answered 400 with code 0, "Transport unknown".
///
/// ```
/// use throng::Server;
/// use throng::config::Transports;
///
/// let server = Server::builder().transports(Transports::WebSocket).bind("127.0.0.1:0")?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transports {
    /// Long-polling and WebSocket.
    All,
    /// Long-polling only.
    Polling,
    /// WebSocket only.
    WebSocket,
    /// Neither: there is no Engine.IO, and its path is the HTTP app's and the endpoints'.
    None,
}

impl Transports {
    pub(crate) fn polling(self) -> bool {
        matches!(self, Self::All | Self::Polling)
    }

    pub(crate) fn websocket(self) -> bool {
        matches!(self, Self::All | Self::WebSocket)
    }
}

/// Cross-origin resource sharing, as the npm package `cors` answers it.
///
/// ```
/// use throng::config::{Cors, CorsOrigin};
///
/// let mut cors = Cors::default();
/// cors.origin = CorsOrigin::One("https://example.com".to_owned());
/// cors.credentials = true;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Cors {
    /// Which origins may read the answers.
    pub origin: CorsOrigin,
    /// Whether to answer `Access-Control-Allow-Credentials: true`.
    pub credentials: bool,
    /// The methods told to a preflight. `GET,HEAD,PUT,PATCH,POST,DELETE`.
    pub methods: String,
    /// The request headers told to a preflight; `None` allows those it asks for.
    pub allowed_headers: Option<String>,
    /// The response headers that scripts may read; none by default.
    pub exposed_headers: Option<String>,
    /// How long a preflight may be cached; not told by default.
    pub max_age: Option<Duration>,
}

impl Default for Cors {
    fn default() -> Self {
        Self {
            origin: CorsOrigin::Any,
            credentials: false,
            methods: "GET,HEAD,PUT,PATCH,POST,DELETE".to_owned(),
            allowed_headers: None,
            exposed_headers: None,
            max_age: None,
        }
    }
}

/// Which origins may read the answers.
///
/// ```
/// use std::rc::Rc;
/// use throng::config::{Cors, CorsOrigin};
///
/// let mut cors = Cors::default();
/// cors.origin = CorsOrigin::Predicate(Rc::new(|origin| origin.ends_with(".example.com")));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum CorsOrigin {
    /// Any: `Access-Control-Allow-Origin: *`.
    Any,
    /// This one is always told, whatever the request's origin.
    One(String),
    /// The request's origin is reflected where it stands in the list.
    List(Vec<String>),
    /// The request's origin is reflected where the predicate says so; one that panics says no. It
    /// is asked in the midst of a request and must not call the server.
    Predicate(Rc<dyn Fn(&str) -> bool>),
}

impl fmt::Debug for CorsOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("Any"),
            Self::One(origin) => f.debug_tuple("One").field(origin).finish(),
            Self::List(origins) => f.debug_tuple("List").field(origins).finish(),
            Self::Predicate(_) => f.write_str("Predicate(..)"),
        }
    }
}

/// The cookie that a polling handshake sets; its value is the session id.
///
/// ```
/// use throng::config::{Config, Cookie, SameSite};
///
/// let mut cookie = Cookie::default();
/// cookie.secure = true;
/// cookie.same_site = Some(SameSite::None);
/// let mut config = Config::default();
/// config.engine.cookie = Some(cookie);
/// // Set-Cookie: io=lv_VI97HAXpY6yYWAAAB; Path=/; HttpOnly; Secure; SameSite=None
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Cookie {
    /// `io`.
    pub name: String,
    /// `/`; `None` leaves the attribute out.
    pub path: Option<String>,
    /// `true`.
    pub http_only: bool,
    /// `false`.
    pub secure: bool,
    /// `Lax`; `None` leaves the attribute out.
    pub same_site: Option<SameSite>,
    /// Not told by default.
    pub max_age: Option<Duration>,
}

impl Default for Cookie {
    fn default() -> Self {
        Self {
            name: "io".to_owned(),
            path: Some("/".to_owned()),
            http_only: true,
            secure: false,
            same_site: Some(SameSite::Lax),
            max_age: None,
        }
    }
}

/// The `SameSite` attribute of a cookie; browsers take `None` from a `secure` one only.
///
/// ```
/// use throng::config::{Cookie, SameSite};
///
/// assert_eq!(Cookie::default().same_site, Some(SameSite::Lax));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// `SameSite=Strict`.
    Strict,
    /// `SameSite=Lax`.
    Lax,
    /// `SameSite=None`.
    None,
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
    pub acks_per_client_max: usize,
    /// How long the request that opened a session is kept for `Socket::handshake`.
    pub handshake: HandshakeRetention,
}

impl Default for SocketConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(45),
            attachments_max: 10,
            rooms_per_socket_max: 10_000,
            acks_per_client_max: 10_000,
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
}

impl Default for OutgoingLimits {
    fn default() -> Self {
        Self {
            hard_bytes_max: 16 * 1_024 * 1_024,
            soft_bytes_max: 1_024 * 1_024,
            soft_time_max: Duration::from_secs(10),
            stall_time_max: Duration::from_secs(20),
            total_bytes_max: 1_024 * 1_024 * 1_024,
        }
    }
}

/// How much work one turn may do; what is left over makes the next wait zero.
///
/// ```
/// let mut budget = throng::config::TurnBudget::default();
/// budget.messages_total_max = 256; // short turns, for a host with a tick of its own
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TurnBudget {
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
    /// Connections of the fan-out lane flushed before the rest gets its turn. 32.
    pub slice_connections_max: usize,
    /// Messages waiting in all outboxes above which connections whose messages fan out are not
    /// read. 262,144.
    pub backlog_messages_max: usize,
}

impl TurnBudget {
    /// A budget of nothing would be a server that never rests and does nothing.
    pub(crate) fn at_least_one(mut self) -> Self {
        let budgets = [
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
            accepts_max: 64,
            read_bytes_max: 256 * 1_024,
            messages_max: 256,
            messages_total_max: 4_096,
            deliveries_max: 65_536,
            slice_connections_max: 32,
            backlog_messages_max: 262_144,
        }
    }
}
