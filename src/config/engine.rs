//! Options of Engine.IO: sessions, transports, heartbeat, and what browsers are told.
//!
//! Names and defaults are those of the reference; `transports: ["polling", "websocket"]` is
//! [`Transports::All`].

use std::fmt;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

/// Options of Engine.IO (Engine.IO protocol v4, and v3 on demand); names and defaults are those of
/// the reference.
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
#[expect(clippy::struct_excessive_bools, reason = "each is a switch by itself")]
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
    /// Whether a polling body that is answered 413 ends its session with "transport error" too, as
    /// a WebSocket message beyond the limit does. Without it the session lives until its client
    /// closes it, as in the reference; those of JavaScript do so at once. `false`.
    pub large_body_ends_session: bool,
    /// Which transports a session may use. Both.
    pub transports: Transports,
    /// Whether the handshake offers an upgrade from polling to WebSocket. `true`.
    pub allow_upgrades: bool,
    /// Whether clients of the protocol's revision 3 get in, those of Socket.IO v1 and v2. Without
    /// it they are answered 400 with code 5. `false`.
    ///
    /// Such a client is in `/` at once, and its socket there bears the session id as its id, as it
    /// does in the reference: what is shown of it to others lets them take its session over.
    pub allow_eio3: bool,
    /// Cross-origin sharing for browsers; none by default.
    pub cors: Option<Cors>,
    /// A cookie with the session id on polling handshakes; none by default.
    pub cookie: Option<Cookie>,
    /// A message that every client gets with its open packet, in the same polling answer; none by
    /// default. The reference's `initialPacket`.
    pub initial_packet: Option<InitialPacket>,
    /// Origins from which a browser may open a WebSocket; `None` allows any, as the reference
    /// does. Requests without an `Origin` header come from no browser and pass.
    pub websocket_origins: Option<Vec<String>>,
    /// Compress polling answers of at least this many bytes where the client accepts it, with the
    /// `compression` feature; `None` never. 1,024.
    pub compression_bytes_min: Option<usize>,
    /// The largest polling answer that is compressed, in bytes before: everybody waits while the
    /// loop is at it. 1 MiB.
    pub compression_bytes_max: usize,
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
            large_body_ends_session: false,
            transports: Transports::All,
            allow_upgrades: true,
            allow_eio3: false,
            cors: None,
            cookie: None,
            initial_packet: None,
            websocket_origins: None,
            compression_bytes_min: Some(1_024),
            compression_bytes_max: 1_024 * 1_024,
            fragments_max: 4_096,
        }
    }
}

/// A message that every client gets with its open packet; Socket.IO's clients read it as a packet.
///
/// ```
/// use throng::config::{Config, InitialPacket};
///
/// let mut config = Config::default();
/// config.engine.initial_packet = Some(InitialPacket::Text("hello".to_owned()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InitialPacket {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
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
    /// The hosts it is for; `None` leaves the attribute out: only the one that set it.
    pub domain: Option<String>,
    /// `/`; `None` leaves the attribute out.
    pub path: Option<String>,
    /// `true`.
    pub http_only: bool,
    /// `false`.
    pub secure: bool,
    /// Whether it is kept apart for each site that embeds this one (CHIPS); browsers take that from
    /// a `secure` one only. `false`.
    pub partitioned: bool,
    /// `Lax`; `None` leaves the attribute out.
    pub same_site: Option<SameSite>,
    /// Not told by default.
    pub max_age: Option<Duration>,
    /// The moment at which it ends, where browsers have no `max_age` to go by: the same for all
    /// clients, however late they come. Not told by default.
    pub expires: Option<SystemTime>,
    /// Which cookies a browser that has too many lets go first; not told by default.
    pub priority: Option<CookiePriority>,
}

impl Default for Cookie {
    fn default() -> Self {
        Self {
            name: "io".to_owned(),
            domain: None,
            path: Some("/".to_owned()),
            http_only: true,
            secure: false,
            partitioned: false,
            same_site: Some(SameSite::Lax),
            max_age: None,
            expires: None,
            priority: None,
        }
    }
}

/// The `Priority` attribute of a cookie, which Chromium knows and others pass over.
///
/// ```
/// use throng::config::{Cookie, CookiePriority};
///
/// let mut cookie = Cookie::default();
/// cookie.priority = Some(CookiePriority::High);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookiePriority {
    /// `Priority=Low`.
    Low,
    /// `Priority=Medium`.
    Medium,
    /// `Priority=High`.
    High,
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
