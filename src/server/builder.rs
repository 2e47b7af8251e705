//! From options to a server that listens.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use super::{Server, system_clock};
use crate::client_files::ClientFiles;
use crate::config::{Config, Cors, Transports};
use crate::deadlines::Now;
use crate::entropy::SystemEntropy;
use crate::reactor::net::Net;
use crate::reactor::{SystemListener, SystemNet};
use crate::socketio::Parser;
use crate::socketio::adapter::{Adapter, AdapterMaker};

/// Options of a server, and the addresses it listens on.
///
/// Those that are asked for most have a method; all others are fields of [`Config`].
///
/// ```
/// use std::time::Duration;
/// use throng::Server;
/// use throng::config::{Config, Cors};
///
/// let mut config = Config::default();
/// config.outgoing.hard_bytes_max = 4 * 1024 * 1024;
/// let server = Server::builder()
///     .config(config)
///     .ping_interval(Duration::from_secs(10))
///     .cors(Cors::default())
///     .listen("127.0.0.1:0")?
///     .bind("[::1]:0")?;
/// assert_eq!(server.local_addresses().len(), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
#[must_use = "nothing listens before `bind`"]
pub struct Builder {
    config: Config,
    addresses: Vec<SocketAddr>,
    unix_paths: Vec<PathBuf>,
    extras: Extras,
}

/// What a server is given beside its options.
#[derive(Debug, Default)]
struct Extras {
    parser: Option<ChosenParser>,
    client_files: Option<ClientFiles>,
    adapter: Option<AdapterMaker>,
}

/// A parser, which can't tell what it is.
struct ChosenParser(Box<dyn Parser>);

impl Builder {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Replaces all options.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The path that belongs to Engine.IO; `/socket.io` by default.
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.config.engine.path);
        self
    }

    /// From a pong to the next ping; 25 s by default.
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.config.engine.ping_interval = interval;
        self
    }

    /// From a ping to the close of a session that didn't answer; 20 s by default.
    pub fn ping_timeout(mut self, timeout: Duration) -> Self {
        self.config.engine.ping_timeout = timeout;
        self
    }

    /// The largest polling body and WebSocket message; 1,000,000 bytes by default.
    pub fn payload_bytes_max(mut self, bytes: usize) -> Self {
        self.config.engine.payload_bytes_max = bytes;
        self
    }

    /// Which transports a session may use; both by default.
    pub fn transports(mut self, transports: Transports) -> Self {
        self.config.engine.transports = transports;
        self
    }

    /// Whether clients of Socket.IO v1 and v2 get in, which speak Engine.IO 3; not by default. See
    /// [`EngineConfig::allow_eio3`](crate::config::EngineConfig::allow_eio3).
    pub fn allow_eio3(mut self, allow: bool) -> Self {
        self.config.engine.allow_eio3 = allow;
        self
    }

    /// Cross-origin sharing for browsers; none by default.
    pub fn cors(mut self, cors: Cors) -> Self {
        self.config.engine.cors = Some(cors);
        self
    }

    /// The most connections at a time; by default what the descriptor limit allows.
    pub fn connections_max(mut self, connections: usize) -> Self {
        self.config.reactor.connections_max = Some(connections);
        self
    }

    /// How packets are written, for all clients: JSON by default. See [`Parser`].
    pub fn parser(mut self, parser: impl Parser) -> Self {
        self.extras.parser = Some(ChosenParser(Box::new(parser)));
        self
    }

    /// Serves the JavaScript client's own files under Engine.IO's path; none by default. See
    /// [`ClientFiles`].
    pub fn client_files(mut self, files: ClientFiles) -> Self {
        self.extras.client_files = Some(files);
        self
    }

    /// Gives each namespace an adapter of its own, made by its name; by default a server knows of
    /// no other. See [`Adapter`].
    pub fn adapter(mut self, make: impl Fn(&str) -> Box<dyn Adapter> + 'static) -> Self {
        self.extras.adapter = Some(AdapterMaker::new(make));
        self
    }

    /// Adds an address to listen on; a name is looked up here, which may block. Of a name that
    /// means several, all are taken; with port 0 one only, IPv4 before IPv6, since each would get
    /// a port of its own.
    pub fn listen(mut self, address: impl ToSocketAddrs) -> io::Result<Self> {
        let mut found: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, "no address to listen on"));
        }
        if found.iter().any(|address| address.port() == 0) {
            found.sort_by_key(SocketAddr::is_ipv6);
            found.truncate(1);
        }
        self.addresses.append(&mut found);
        Ok(self)
    }

    /// Adds a Unix socket to listen on; its path must be free, and is freed in the end.
    pub fn listen_unix(mut self, path: impl Into<PathBuf>) -> Self {
        self.unix_paths.push(path.into());
        self
    }

    /// Binds this address, and those added before, and makes the server.
    pub fn bind(self, address: impl ToSocketAddrs) -> io::Result<Server> {
        self.listen(address)?.build()
    }

    /// Binds the addresses added before and makes the server. Fails with what binding one of them
    /// failed with, or where epoll can't be had.
    pub fn build(self) -> io::Result<Server> {
        let Self { config, addresses, unix_paths, extras } = self;
        let mut listeners = bind_all(&addresses, &config)?;
        let addresses = listeners.iter().filter_map(SystemListener::local_address).collect();
        for path in unix_paths {
            listeners.push(SystemListener::bind_unix(path)?);
        }
        let connections_max = config.reactor.connections_max.unwrap_or_else(connections_allowed);
        // The clock begins first: what the network is told of it is never early then.
        let clock = system_clock();
        let net = SystemNet::new(&config.reactor)?;
        let entropy = Box::new(SystemEntropy::new());
        let mut server = Server::assemble(net, listeners, config, clock, entropy, connections_max)?;
        server.addresses = addresses;
        extras.equip(&mut server);
        Ok(server)
    }

    /// Makes the server on a network, a clock and a seed of the host's; the addresses are passed
    /// over. All else is as with [`Server::simulated`].
    ///
    /// ```
    /// use throng::testing::{MemoryListener, MemoryNet};
    /// use throng::{MsgpackParser, Now, Server};
    ///
    /// let builder = Server::builder().parser(MsgpackParser);
    /// let (net, listeners) = (MemoryNet::new(), vec![MemoryListener]);
    /// let server = builder.simulate(net, listeners, Now::default, 1)?;
    /// assert!(server.local_addresses().is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn simulate<N: Net>(
        self,
        net: N,
        listeners: Vec<N::Listener>,
        clock: impl Fn() -> Now + 'static,
        seed: u64,
    ) -> io::Result<Server<N>> {
        let mut server = Server::simulated(net, listeners, self.config, clock, seed)?;
        self.extras.equip(&mut server);
        Ok(server)
    }

    pub(crate) fn options(&self) -> &Config {
        &self.config
    }
}

impl Extras {
    fn equip<N: Net>(self, server: &mut Server<N>) {
        if let Some(ChosenParser(parser)) = self.parser {
            server.set_boxed_parser(parser);
        }
        server.client_files = self.client_files;
        if let Some(adapter) = self.adapter {
            server.hub.set_adapter(adapter);
        }
    }
}

impl fmt::Debug for ChosenParser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parser")
    }
}

/// A name such as `localhost` may mean an address that this machine doesn't have: what counts is
/// that one of them can be bound.
fn bind_all(addresses: &[SocketAddr], config: &Config) -> io::Result<Vec<SystemListener>> {
    let mut listeners = Vec::with_capacity(addresses.len());
    let mut failed = None;
    for &address in addresses {
        match SystemListener::bind(address, &config.reactor) {
            Ok(listener) => listeners.push(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => failed = Some(error),
            Err(error) => return Err(error),
        }
    }
    match failed {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

/// What the limit of open files leaves for connections.
fn connections_allowed() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(CONNECTIONS_MAX);
    limit.saturating_sub(DESCRIPTORS_RESERVED).clamp(1, CONNECTIONS_MAX)
}

/// For listeners, the epoll and its waker, files that are served, and the host.
const DESCRIPTORS_RESERVED: usize = 64;
/// Where the system sets no limit.
const CONNECTIONS_MAX: usize = 1 << 20;
