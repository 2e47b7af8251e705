//! The command line: every option of the server as a flag, grouped, with its unit.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::bench::options::Bench;
use throng::config::{Config, Cookie, Cors, CorsOrigin, HandshakeRetention, Transports};

use crate::doctor::Doctor;

/// A Socket.IO server on one thread and one epoll reactor.
#[derive(Debug, Parser)]
#[command(version, about, args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: Serve,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the chat page and the events that load tools use (the default).
    Serve(Box<Serve>),
    /// Put load on any Socket.IO server and measure what its clients feel.
    #[command(subcommand, after_help = BENCH_EVENTS)]
    Bench(Box<Bench>),
    /// Look for what on this machine will spoil a measurement, and how to mend it.
    Doctor(Doctor),
}

/// What `throng serve` takes.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    listen: Listen,
    #[command(flatten)]
    engine: Engine,
    #[command(flatten)]
    socket: Socket,
    #[command(flatten)]
    http: Http,
    #[command(flatten)]
    reactor: Reactor,
    #[command(flatten)]
    outgoing: Outgoing,
    #[command(flatten)]
    turn: Turn,
    /// Folder of the JavaScript client's own files, to be served at PATH/socket.io.js and so on:
    /// `dist` of socket.io-client, or `client-dist` of socket.io.
    #[arg(long, value_name = "DIR")]
    pub(crate) client_files: Option<PathBuf>,
    /// Print when clients connect and disconnect.
    #[arg(long)]
    pub(crate) log: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Listening")]
struct Listen {
    /// Name or address to listen on.
    #[arg(long, env = "HOST", default_value = "localhost")]
    host: String,
    /// Port to listen on; 0 lets the system choose.
    #[arg(long, env = "PORT", default_value_t = 3000)]
    port: u16,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Engine.IO")]
struct Engine {
    /// Path that belongs to Engine.IO.
    #[arg(long, default_value = "/socket.io", value_name = "PATH")]
    path: String,
    /// Match the path without a trailing slash too.
    #[arg(long)]
    no_trailing_slash: bool,
    /// From a pong to the next ping.
    #[arg(long, default_value = "25s", value_name = "TIME", value_parser = time)]
    ping_interval: Duration,
    /// From a ping to the close of a session that doesn't answer.
    #[arg(long, default_value = "20s", value_name = "TIME", value_parser = time)]
    ping_timeout: Duration,
    /// How long a probing WebSocket may take.
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = time)]
    upgrade_timeout: Duration,
    /// Largest polling body and WebSocket message.
    #[arg(long, default_value_t = 1_000_000, value_name = "BYTES")]
    max_payload: usize,
    /// Most frames that one WebSocket message may be cut into.
    #[arg(long, default_value_t = 4_096, value_name = "COUNT")]
    max_fragments: u32,
    /// Transports that sessions may use.
    #[arg(long, value_enum, default_value_t = TransportsChoice::All)]
    transports: TransportsChoice,
    /// Don't offer the upgrade from polling to WebSocket.
    #[arg(long)]
    no_upgrades: bool,
    /// Origin that browsers may connect from ("*" for any); may be given several times.
    #[arg(long, value_name = "ORIGIN")]
    cors_origin: Vec<String>,
    /// Allow credentials across origins.
    #[arg(long)]
    cors_credentials: bool,
    /// Origin that may open a WebSocket; may be given several times, any may by default.
    #[arg(long, value_name = "ORIGIN")]
    websocket_origin: Vec<String>,
    /// Name of a cookie that holds the session id.
    #[arg(long, value_name = "NAME")]
    cookie: Option<String>,
    /// Compress polling answers from this size on; 0 never.
    #[arg(long, default_value_t = 1_024, value_name = "BYTES")]
    compression_threshold: usize,
    /// Compress polling answers up to this size.
    #[arg(long, default_value_t = 1_048_576, value_name = "BYTES")]
    max_compression: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TransportsChoice {
    /// Long-polling and WebSocket.
    All,
    /// Long-polling only.
    Polling,
    /// WebSocket only.
    Websocket,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Socket.IO")]
struct Socket {
    /// How long a connection may go without joining a namespace.
    #[arg(long, default_value = "45s", value_name = "TIME", value_parser = time)]
    connect_timeout: Duration,
    /// Most binary attachments of one packet.
    #[arg(long, default_value_t = 10, value_name = "COUNT")]
    max_attachments: usize,
    /// Most rooms that one socket may be in.
    #[arg(long, default_value_t = 10_000, value_name = "COUNT")]
    max_rooms: usize,
    /// Most acknowledgements that one socket may owe.
    #[arg(long, default_value_t = 10_000, value_name = "COUNT")]
    max_acks: usize,
    /// Forget the request that opened a session once the client is connected; saves memory.
    #[arg(long)]
    forget_handshakes: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "HTTP")]
struct Http {
    /// Largest request head.
    #[arg(long, default_value_t = 16_384, value_name = "BYTES")]
    max_head: usize,
    /// Longest request target.
    #[arg(long, default_value_t = 8_192, value_name = "BYTES")]
    max_target: usize,
    /// Most header fields.
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    max_headers: usize,
    /// Largest body of a request that isn't Engine.IO's.
    #[arg(long, default_value_t = 1_048_576, value_name = "BYTES")]
    max_body: usize,
    /// How long a request's head may take.
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = time)]
    head_timeout: Duration,
    /// How long a request's body may take.
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = time)]
    body_timeout: Duration,
    /// How long a connection may idle between two requests.
    #[arg(long, default_value = "60s", value_name = "TIME", value_parser = time)]
    keep_alive_timeout: Duration,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Connections")]
struct Reactor {
    /// Most connections at a time; by default what the limit of open files allows.
    #[arg(long, value_name = "COUNT")]
    max_connections: Option<usize>,
    /// Listen backlog; the kernel caps it at net.core.somaxconn.
    #[arg(long, default_value_t = 4_096, value_name = "COUNT")]
    backlog: u32,
    /// Let the kernel delay small segments (Nagle's algorithm).
    #[arg(long)]
    delay: bool,
    /// `SO_SNDBUF` of accepted sockets.
    #[arg(long, value_name = "BYTES")]
    send_buffer: Option<usize>,
    /// `SO_RCVBUF` of accepted sockets.
    #[arg(long, value_name = "BYTES")]
    receive_buffer: Option<usize>,
    /// Whether an IPv6 listener takes IPv6 only; by default the system decides.
    #[arg(long, value_name = "BOOL")]
    only_v6: Option<bool>,
    /// Receive buffer that all connections share.
    #[arg(long, default_value_t = 65_536, value_name = "BYTES")]
    read_buffer: usize,
    /// How long a closed connection with unread input is drained.
    #[arg(long, default_value = "2s", value_name = "TIME", value_parser = time)]
    linger_timeout: Duration,
    /// How long a peer may take to answer a WebSocket close frame.
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = time)]
    close_timeout: Duration,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Slow consumers")]
struct Outgoing {
    /// More than this waiting for one session closes it.
    #[arg(long, default_value_t = 16_777_216, value_name = "BYTES")]
    hard_limit: usize,
    /// More than this waiting for one session for longer than --soft-time closes it.
    #[arg(long, default_value_t = 1_048_576, value_name = "BYTES")]
    soft_limit: usize,
    /// See --soft-limit.
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = time)]
    soft_time: Duration,
    /// A session whose peer takes nothing for this long while some waits is closed.
    #[arg(long, default_value = "20s", value_name = "TIME", value_parser = time)]
    stall_time: Duration,
    /// More than this waiting for all sessions closes those with the most.
    #[arg(long, default_value_t = 1_073_741_824, value_name = "BYTES")]
    total_limit: usize,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Work in one turn of the loop")]
struct Turn {
    /// Connections accepted.
    #[arg(long = "turn-accepts", default_value_t = 64, value_name = "COUNT")]
    accepts: usize,
    /// Bytes read from one connection.
    #[arg(long = "turn-read", default_value_t = 262_144, value_name = "BYTES")]
    read: usize,
    /// Messages dispatched from one connection.
    #[arg(long = "turn-messages", default_value_t = 256, value_name = "COUNT")]
    messages: usize,
    /// Messages dispatched from all connections.
    #[arg(long = "turn-total-messages", default_value_t = 4_096, value_name = "COUNT")]
    total_messages: usize,
    /// Deliveries queued by handlers.
    #[arg(long = "turn-deliveries", default_value_t = 65_536, value_name = "COUNT")]
    deliveries: usize,
    /// Connections of a fan-out flushed before the rest gets its turn.
    #[arg(long = "turn-slice", default_value_t = 8, value_name = "COUNT")]
    slice: usize,
    /// Messages waiting above which those who fan out are not read.
    #[arg(long, default_value_t = 262_144, value_name = "COUNT")]
    max_backlog: usize,
}

/// Durations are written as `300ms`, `25s` or `2m`.
fn time(text: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(text)
}

impl Serve {
    /// The address to listen on.
    pub(crate) fn address(&self) -> (&str, u16) {
        (&self.listen.host, self.listen.port)
    }

    pub(crate) fn config(&self) -> Config {
        let mut config = Config::default();
        self.engine.apply(&mut config);
        self.socket.apply(&mut config);
        self.http.apply(&mut config);
        self.reactor.apply(&mut config);
        self.outgoing.apply(&mut config);
        self.turn.apply(&mut config);
        config
    }
}

impl Engine {
    fn apply(&self, config: &mut Config) {
        let engine = &mut config.engine;
        engine.path.clone_from(&self.path);
        engine.add_trailing_slash = !self.no_trailing_slash;
        engine.ping_interval = self.ping_interval;
        engine.ping_timeout = self.ping_timeout;
        engine.upgrade_timeout = self.upgrade_timeout;
        engine.payload_bytes_max = self.max_payload;
        engine.fragments_max = self.max_fragments;
        engine.transports = match self.transports {
            TransportsChoice::All => Transports::All,
            TransportsChoice::Polling => Transports::Polling,
            TransportsChoice::Websocket => Transports::WebSocket,
        };
        engine.allow_upgrades = !self.no_upgrades;
        engine.cors = self.cors();
        engine.websocket_origins =
            (!self.websocket_origin.is_empty()).then(|| self.websocket_origin.clone());
        engine.cookie = self.cookie.as_ref().map(|name| {
            let mut cookie = Cookie::default();
            cookie.name.clone_from(name);
            cookie
        });
        engine.compression_bytes_min =
            (self.compression_threshold > 0).then_some(self.compression_threshold);
        engine.compression_bytes_max = self.max_compression;
    }

    fn cors(&self) -> Option<Cors> {
        let mut cors = Cors::default();
        cors.origin = match self.cors_origin.as_slice() {
            [] => return None,
            [any] if any == "*" => CorsOrigin::Any,
            [one] => CorsOrigin::One(one.clone()),
            several => CorsOrigin::List(several.to_vec()),
        };
        cors.credentials = self.cors_credentials;
        Some(cors)
    }
}

impl Socket {
    fn apply(&self, config: &mut Config) {
        let socket = &mut config.socket;
        socket.connect_timeout = self.connect_timeout;
        socket.attachments_max = self.max_attachments;
        socket.rooms_per_socket_max = self.max_rooms;
        socket.acks_per_socket_max = self.max_acks;
        if self.forget_handshakes {
            socket.handshake = HandshakeRetention::UntilConnected;
        }
    }
}

impl Http {
    fn apply(&self, config: &mut Config) {
        let http = &mut config.http;
        http.head_bytes_max = self.max_head;
        http.target_bytes_max = self.max_target;
        http.headers_max = self.max_headers;
        http.body_bytes_max = self.max_body;
        http.head_timeout = self.head_timeout;
        http.body_timeout = self.body_timeout;
        http.keep_alive_timeout = self.keep_alive_timeout;
    }
}

impl Reactor {
    fn apply(&self, config: &mut Config) {
        let reactor = &mut config.reactor;
        reactor.connections_max = self.max_connections;
        reactor.backlog = self.backlog;
        reactor.nodelay = !self.delay;
        reactor.send_buffer_bytes = self.send_buffer;
        reactor.receive_buffer_bytes = self.receive_buffer;
        reactor.only_v6 = self.only_v6;
        reactor.read_buffer_bytes = self.read_buffer;
        reactor.linger_timeout = self.linger_timeout;
        reactor.close_timeout = self.close_timeout;
    }
}

impl Outgoing {
    fn apply(&self, config: &mut Config) {
        let outgoing = &mut config.outgoing;
        outgoing.hard_bytes_max = self.hard_limit;
        outgoing.soft_bytes_max = self.soft_limit;
        outgoing.soft_time_max = self.soft_time;
        outgoing.stall_time_max = self.stall_time;
        outgoing.total_bytes_max = self.total_limit;
    }
}

impl Turn {
    fn apply(&self, config: &mut Config) {
        let budget = &mut config.budget;
        budget.accepts_max = self.accepts;
        budget.read_bytes_max = self.read;
        budget.messages_max = self.messages;
        budget.messages_total_max = self.total_messages;
        budget.deliveries_max = self.deliveries;
        budget.slice_connections_max = self.slice;
        budget.backlog_messages_max = self.max_backlog;
    }
}

/// What a server must answer to be measured.
const BENCH_EVENTS: &str = "\
The server answers these events, as `throng serve` does:
  chat X           sent to everybody, the sender too   broadcast, mixed, slow, churn
  echo X           sent back                           echo
  ack-echo X       acknowledged with X                 ack, mixed, rooms
  join ROOM        puts the client into the room       rooms
  room ROOM, X     sent to everybody in the room       rooms
connect, idle and storm need none of them. --event gives the first another name.";
