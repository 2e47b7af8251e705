//! The protocol machines without input, output, clock or chance of their own: bytes in, bytes out,
//! and the moment it is.
//!
//! A [`Machine`] is a whole server (HTTP, WebSocket, Engine.IO, Socket.IO, handlers and all) whose
//! connections are the host's: over another transport (a serial line, QUIC streams, a TLS library,
//! shared memory), in a simulation, in a test that holds every byte in its hand. Over sockets a
//! [`Server`] is less work; for a test of handlers [`testing`](crate::testing) has
//! clients that speak the protocol.
//!
//! # The loop
//!
//! ```text
//! loop:
//!   while let Some(output) = machine.poll_output():
//!     Bytes(peer, bytes)  write them to the peer
//!     End(peer)           write nothing more to it, but go on reading
//!     Close(peer)         it is gone: close the connection, forget the id
//!   wait until machine.next_deadline(), or for what comes in; then one of
//!     handle_bytes(now, peer, bytes) · handle_end(now, peer) · open(now, address)
//!     handle_deadline(now) · set_room(now, peer, bytes)
//! ```
//!
//! Each of them is one turn of bounded work ([`TurnBudget`](crate::config::TurnBudget)); what that
//! leaves is told by a `next_deadline` of zero. What handlers and the host emit is there for
//! `poll_output`. Outputs are kept until they are taken: take them all before the next input, and
//! where a peer can't take everything at once say so by [`Machine::set_room`], so that it waits in
//! the server, which drops, coalesces and closes by its limits.
//!
//! A request for a session, answered (the example `sans_io` drives two clients through handshakes,
//! events and heartbeats in virtual time):
//!
//! ```
//! use throng::Now;
//! use throng::config::Config;
//! use throng::sans_io::{Machine, Output};
//!
//! let now = Now::default();
//! let mut machine = Machine::seeded(Config::default(), 7);
//! machine.of("/").on_with_ack("add", |_, (a, b): (i64, i64)| a + b);
//!
//! let peer = machine.open(now, None);
//! let request = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: example.com\r\n\r\n";
//! machine.handle_bytes(now, peer, request.as_bytes());
//! let Some(Output::Bytes(to, bytes)) = machine.poll_output() else { panic!("an answer") };
//! assert_eq!(to, peer);
//! assert!(bytes.starts_with(b"HTTP/1.1 200 OK\r\n"));
//! // The session's next ping, in 22.5 s to 25 s.
//! assert!(machine.next_deadline().is_some());
//! ```

mod pipes;

use std::cell::Cell;
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

pub use pipes::{PipeListener, PipeStream, Pipes};

use crate::config::Config;
use crate::deadlines::Now;
use crate::entropy::{Entropy, SeededEntropy, SystemEntropy};
use crate::server::{Server, Turn};
use crate::socketio::{Io, Namespace};

/// A server without input or output; see the [module's documentation](self).
///
/// ```
/// use throng::Now;
/// use throng::config::Config;
/// use throng::http::Response;
/// use throng::sans_io::{Machine, Output};
///
/// let now = Now::default();
/// let mut machine = Machine::new(Config::default());
/// machine.server().http().get("/", |_, _| Response::ok().text("hi"));
/// let peer = machine.open(now, "192.0.2.1:4000".parse().ok());
/// machine.handle_bytes(now, peer, b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
/// machine.handle_end(now, peer);
/// let outputs: Vec<Output> = std::iter::from_fn(|| machine.poll_output()).collect();
/// assert!(matches!(outputs.first(), Some(Output::Bytes(to, _)) if *to == peer));
/// assert_eq!(outputs.last(), Some(&Output::Close(peer)));
/// ```
pub struct Machine {
    server: Server<Pipes>,
    now: Rc<Cell<Now>>,
}

/// Names one peer of a machine, from [`Machine::open`] to [`Output::Close`]. Kept for longer it
/// finds nothing, never another peer.
///
/// ```
/// use throng::Now;
/// use throng::config::Config;
/// use throng::sans_io::Machine;
///
/// let mut machine = Machine::seeded(Config::default(), 1);
/// let one = machine.open(Now::default(), None);
/// let other = machine.open(Now::default(), None);
/// assert_ne!(one, other);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId {
    index: u32,
    generation: u32,
}

/// What the host is to do.
///
/// ```
/// use throng::sans_io::Output;
///
/// fn bytes(output: &Output) -> usize {
///     match output {
///         Output::Bytes(_, bytes) => bytes.len(),
///         _ => 0,
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Write these bytes to the peer.
    Bytes(PeerId, Vec<u8>),
    /// Nothing more is written to the peer; what it sends is still looked at (a half-close).
    End(PeerId),
    /// The peer is done with: close what carries it. Its id finds nothing from here on.
    Close(PeerId),
}

impl Machine {
    /// A machine whose ids come from the system's randomness: the one thing it takes from there.
    ///
    /// Without `connections_max` in the configuration there may be 1,024 peers at a time; those
    /// beyond wait until another goes.
    pub fn new(config: Config) -> Self {
        Self::with_entropy(config, Box::new(SystemEntropy::new()))
    }

    /// A machine whose ids come from a seed, so that a run can be repeated. They can be guessed:
    /// this is nothing for the open.
    pub fn seeded(config: Config, seed: u64) -> Self {
        Self::with_entropy(config, Box::new(SeededEntropy::new(seed)))
    }

    fn with_entropy(config: Config, entropy: Box<dyn Entropy>) -> Self {
        let now = Rc::new(Cell::new(Now::default()));
        let clock = Rc::clone(&now);
        let clock = Box::new(move || clock.get());
        let peers_max = config.reactor.connections_max.unwrap_or(PEERS_MAX);
        let (net, listeners) = (Pipes::new(), vec![PipeListener::new()]);
        match Server::assemble(net, listeners, config, clock, entropy, peers_max) {
            Ok(server) => Self { server, now },
            Err(error) => panic!("pipes need nothing that may fail: {error}"),
        }
    }

    /// A peer arrives, from this address if it has one.
    pub fn open(&mut self, now: Now, address: Option<SocketAddr>) -> PeerId {
        let peer = self.server.net_mut().open(address);
        self.turn(now);
        peer
    }

    /// A peer has sent bytes. Those of one that has ended or is gone are thrown away.
    pub fn handle_bytes(&mut self, now: Now, peer: PeerId, bytes: &[u8]) -> Turn {
        self.server.net_mut().push_input(peer, bytes);
        self.turn(now)
    }

    /// A peer sends nothing more: it has ended its direction, or is gone altogether.
    pub fn handle_end(&mut self, now: Now, peer: PeerId) -> Turn {
        self.server.net_mut().end_input(peer);
        self.turn(now)
    }

    /// Time has passed, or a deadline of zero says that work was left. Calling it early does no
    /// harm.
    pub fn handle_deadline(&mut self, now: Now) -> Turn {
        self.turn(now)
    }

    /// A peer takes so many bytes from here on, and no more until it is told anew; without bound at
    /// first. Whoever takes none is busy to `volatile`, and slow to the outgoing limits.
    ///
    /// ```
    /// use throng::Now;
    /// use throng::config::Config;
    /// use throng::sans_io::{Machine, Output};
    ///
    /// let now = Now::default();
    /// let mut machine = Machine::seeded(Config::default(), 1);
    /// let peer = machine.open(now, None);
    /// machine.set_room(now, peer, 12);
    /// machine.handle_bytes(now, peer, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    /// assert_eq!(machine.poll_output(), Some(Output::Bytes(peer, b"HTTP/1.1 404".to_vec())));
    /// assert_eq!(machine.poll_output(), None);
    /// machine.set_room(now, peer, usize::MAX);
    /// assert!(matches!(machine.poll_output(), Some(Output::Bytes(..))));
    /// ```
    pub fn set_room(&mut self, now: Now, peer: PeerId, bytes: usize) -> Turn {
        self.server.net_mut().set_room(peer, bytes);
        self.turn(now)
    }

    /// Sets the clocks without a turn, for what the host is about to do by itself: a timer it sets
    /// counts from here. The monotonic clock never goes back.
    pub fn set_now(&mut self, now: Now) {
        let monotonic = now.monotonic.max(self.now.get().monotonic);
        self.now.set(Now { monotonic, ..now });
    }

    /// The next thing for the host to do, the first to happen first; what was queued since the last
    /// turn is written before.
    pub fn poll_output(&mut self) -> Option<Output> {
        if let Some(output) = self.server.net_mut().next_output() {
            return Some(output);
        }
        if self.server.has_queued() {
            self.server.flush();
        }
        self.server.net_mut().next_output()
    }

    /// When [`handle_deadline`](Self::handle_deadline) has something to do, on the clock of
    /// [`Now::monotonic`]: zero says at once, `None` only when something comes in.
    pub fn next_deadline(&self) -> Option<Duration> {
        if self.server.net().is_idle() { self.server.next_deadline() } else { Some(Duration::ZERO) }
    }

    /// Wakes this when another thread posts through a [`Handle`](crate::Handle) that is made from
    /// here on; [`next_deadline`](Self::next_deadline) is zero then.
    pub fn set_waker(&mut self, waker: Waker) {
        self.server.net_mut().set_waker(waker);
    }

    /// The view that handlers have too.
    pub fn io(&self) -> Io<'_> {
        self.server.io()
    }

    /// A namespace, declared by this call if it was not before.
    pub fn of(&self, name: &str) -> Namespace<'_> {
        self.server.of(name)
    }

    /// The server: routes, engine, counters, handles.
    pub fn server(&self) -> &Server<Pipes> {
        &self.server
    }

    /// The server, for what needs it whole. Let the machine poll it.
    pub fn server_mut(&mut self) -> &mut Server<Pipes> {
        &mut self.server
    }

    fn turn(&mut self, now: Now) -> Turn {
        self.set_now(now);
        // Waiting is all that may fail, and pipes don't wait.
        self.server.poll(Some(Duration::ZERO)).unwrap_or_default()
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("now", &self.now.get())
            .field("server", &self.server)
            .finish()
    }
}

/// How many peers there may be where nothing else is said.
const PEERS_MAX: usize = 1_024;
