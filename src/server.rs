//! The conductor: it alone knows the reactor, Engine.IO and Socket.IO, and its `poll` is one turn.
//!
//! A turn is a list: flush what the host queued, wait, read the clock, mailbox, the host's own
//! sources, accept, read (up through Engine.IO and Socket.IO to the handlers), expire deadlines,
//! flush, reap. Handlers only queue; writing happens at the end of the turn and freeing last. What
//! a budget left over makes the next wait zero. Machines are told the time from here alone; how
//! long a wait still lasts is the network's to look at.

mod builder;
mod face;
mod flush;
mod greeting;
mod hooks;
mod outputs;
mod pull;
mod read;
mod requests;
#[cfg(test)]
mod scale;
mod slow;
mod sources;
mod turn;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use builder::Builder;

use crate::admission::{Admission, ErrorHandler};
use crate::app::App;
use crate::bare::Bare;
use crate::client_files::ClientFiles;
use crate::config::{Config, OutgoingLimits, TurnBudget};
use crate::deadlines::{DeadlineId, Now};
use crate::endpoint::{EndpointId, Endpoints};
use crate::handle::Mailbox;
use crate::reactor::net::Net;
use crate::reactor::{Reactor, SystemNet};
use crate::slots::{ConnectionKey, SessionKey};
use crate::socketio::{Hub, Parser, Water};
use greeting::Greeting;
use hooks::Asking;
use read::PostWork;
use requests::PendingAdmission;
use sources::Sources;

/// A Socket.IO server: one thread, one reactor, driven by [`Server::run`] or, from a loop of the
/// host's own, by [`Server::poll`].
///
/// It starts no thread, installs no signal handler, owns no global and never blocks unless asked
/// to wait. It stays on the thread that made it; other threads hold a [`Handle`](crate::Handle).
/// Handlers are declared on its namespaces ([`Server::of`]), routes on its HTTP app
/// ([`Server::http`]).
///
/// ```
/// use std::time::Duration;
/// use throng::Server;
///
/// let mut server = Server::builder().bind("127.0.0.1:0")?;
/// server.of("/").on("chat", |socket, message: String| {
///     socket.server().emit("chat", &message);
/// });
/// println!("http://{}", server.local_addresses()[0]);
/// let turn = server.poll(Some(Duration::ZERO))?;
/// assert!(!turn.more);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Lifetime
///
/// There may be several in one process, and one may be dropped at any time: its connections and
/// listeners are closed as they stand, without last words (those [`Server::close`] sends), and what
/// its handlers, timers and sockets held is dropped. What others still hold of it does nothing from
/// then on: a [`Handle`](crate::Handle) and answers on other threads say
/// [`PostError::Closed`](crate::PostError::Closed), owned answers are thrown away.
///
/// Handlers need not be `Send`, and so a server isn't, nor is its [`Builder`]: it is built by the
/// thread that runs it.
///
/// ```compile_fail
/// let mut server = throng::Server::builder().bind("127.0.0.1:0").unwrap();
/// std::thread::spawn(move || server.run()); // `Server` cannot be sent between threads safely
/// ```
///
/// ```no_run
/// std::thread::spawn(|| throng::Server::builder().bind("127.0.0.1:0")?.run());
/// ```
pub struct Server<N: Net = SystemNet> {
    /// The first to be dropped: what the others' end runs of the host's code can't post any more.
    mailbox: Mailbox,
    reactor: Reactor<N, Owner>,
    hub: Rc<Hub>,
    app: App,
    bare: Bare,
    client_files: Option<ClientFiles>,
    endpoints: Endpoints,
    /// Requests whose answers a hook will be asked about; empty where none is declared.
    asking: HashMap<ConnectionKey, Asking>,
    /// Sessions with nothing left to send, of whom a handler will be told.
    drained: Vec<SessionKey>,
    /// Sessions that have too much waiting, or little again, of which the host will be told.
    water: Vec<(SessionKey, Water)>,
    admission: Option<Admission>,
    admissions: HashMap<ConnectionKey, PendingAdmission>,
    greetings: HashMap<ConnectionKey, Greeting>,
    error_handler: Option<ErrorHandler>,
    clock: Box<dyn Fn() -> Now>,
    now: Now,
    buffer: Vec<u8>,
    posts: VecDeque<PostWork>,
    session_timers: Vec<Option<DeadlineId>>,
    slow: BTreeSet<SessionKey>,
    next_sweep: Duration,
    /// Sessions whose messages have fanned out: not read while much of that is unsent.
    fans_out: HashSet<SessionKey>,
    sources: Sources,
    limits: OutgoingLimits,
    budget: TurnBudget,
    /// When the turn's time is used up, if it has a bound.
    turn_ends: Option<Duration>,
    /// Until when [`Server::poll_for`] goes on.
    call_ends: Option<Duration>,
    /// Whether the network is to be told of every deadline, and not of waits alone.
    arms: bool,
    body_bytes_max: usize,
    addresses: Vec<SocketAddr>,
    turn: Turn,
    /// Deliveries to many that this turn's handlers have queued.
    turn_deliveries: usize,
    /// Requests, frames and packets that this turn has decoded, whatever they were.
    turn_decoded: usize,
    closing: Closing,
}

/// What one turn did.
///
/// ```
/// use std::time::Duration;
/// use throng::Server;
///
/// let mut server = Server::builder().bind("127.0.0.1:0")?;
/// while server.poll(Some(Duration::ZERO))?.more {}
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Turn {
    /// Work is left that a budget cut off: poll again without waiting.
    pub more: bool,
    /// How many events wait for [`Server::next_event`].
    pub events: usize,
    /// Closures of other threads that were run.
    pub jobs: usize,
    /// Sources of the host's own that were told.
    pub sources: usize,
    /// Connections that were accepted.
    pub accepted: u64,
    /// Messages that were dispatched to handlers.
    pub messages: usize,
    /// Deadlines that were handled.
    pub deadlines: usize,
    /// Write calls.
    pub writes: u64,
}

/// What a connection is for, kept with it by the reactor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Owner {
    /// HTTP, and nothing of it is at hand.
    #[default]
    Nobody,
    /// It waits for the decision about its handshake.
    Admission,
    /// Its WebSocket is open, and its session in a moment.
    Greeting,
    /// Its GET is held by a session.
    Poll(SessionKey),
    /// Its POST is read for a session.
    Post(SessionKey),
    /// It carries a session, or probes to carry it.
    WebSocket(SessionKey),
    /// It is a raw WebSocket.
    Endpoint(EndpointId),
}

/// How far the server is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    /// It serves.
    Open,
    /// Last words go out; what is left at this moment is cut off.
    Until(Duration),
    /// Nothing is left.
    Closed,
}

impl Server {
    /// Begins a server: options first, then [`Builder::bind`].
    pub fn builder() -> Builder {
        Builder::new()
    }
}

impl<N: Net> Server<N> {
    /// A server on a network and a clock of the host's: a simulation, a test.
    ///
    /// The clock's monotonic time must not go back. Ids come from `seed`, so that a run can be
    /// repeated; they can be guessed, so this is nothing for the open. Without
    /// `connections_max` in the configuration there may be 1,024. Errors are those of
    /// [`Net::listen`]. An example stands in [`net`](crate::net).
    pub fn simulated(
        net: N,
        listeners: Vec<N::Listener>,
        config: Config,
        clock: impl Fn() -> Now + 'static,
        seed: u64,
    ) -> io::Result<Self> {
        let entropy = Box::new(crate::entropy::SeededEntropy::new(seed));
        let connections_max = config.reactor.connections_max.unwrap_or(1_024);
        Self::assemble(net, listeners, config, Box::new(clock), entropy, connections_max)
    }

    /// Chooses how packets are written; what [`Builder::parser`] does for a server that has one.
    ///
    /// # Panics
    /// If a client has come already.
    pub fn set_parser(&mut self, parser: impl Parser) {
        self.set_boxed_parser(Box::new(parser));
    }

    fn set_boxed_parser(&mut self, parser: Box<dyn Parser>) {
        let hub = Rc::get_mut(&mut self.hub);
        assert!(hub.is_some(), "a parser is chosen before the first client comes");
        if let Some(hub) = hub {
            hub.set_parser(parser);
        }
    }

    /// One turn: handles what is there, waits for it at most so long (`None`: without bound), and
    /// writes what was queued. See the [crate's documentation](crate#the-run-loop) for the order.
    ///
    /// Errors are those of waiting; nothing that a peer does is one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use throng::Server;
    ///
    /// let mut server = Server::builder().bind("127.0.0.1:0")?;
    /// let turn = server.poll(Some(Duration::from_millis(5)))?;
    /// assert_eq!(turn.messages, 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn poll(&mut self, timeout: Option<Duration>) -> io::Result<Turn> {
        let flushed = if self.has_queued() { self.flush().writes } else { 0 };
        self.wait(timeout)?;
        self.begin_turn(flushed);
        self.note_sources();
        self.run_mailbox();
        self.run_sources();
        self.accept();
        self.read();
        self.expire();
        self.flush_turn();
        self.reap();
        Ok(self.finish_turn())
    }

    /// Turns without waiting, until nothing is left to do or `time` is used up, for a host whose
    /// frame has so much of it to spare. What they did is summed up; `more` says that time ran out.
    /// Where too many events wait to be pulled, nothing is left to do before they are.
    ///
    /// The clock is read between pieces of work, which bounds how late this may return:
    /// [`TurnBudget::time_max`](crate::config::TurnBudget::time_max) tells the pieces.
    ///
    /// ```
    /// use std::time::Duration;
    /// use throng::Server;
    ///
    /// let mut server = Server::builder().bind("127.0.0.1:0")?;
    /// let turn = server.poll_for(Duration::from_millis(2))?;
    /// assert!(!turn.more);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn poll_for(&mut self, time: Duration) -> io::Result<Turn> {
        let ends = (self.clock)().monotonic.saturating_add(time);
        self.call_ends = Some(ends);
        let mut sum = Turn::default();
        let result = loop {
            match self.poll(Some(Duration::ZERO)) {
                Ok(turn) => sum.add(&turn),
                Err(error) => break Err(error),
            }
            if !sum.more || (self.clock)().monotonic >= ends {
                break Ok(sum);
            }
        };
        self.call_ends = None;
        result
    }

    /// Polls until the server is closed; see [`Io::close`](crate::Io::close). It pulls no events:
    /// a host that asks for them polls itself.
    pub fn run(&mut self) -> io::Result<()> {
        while !self.is_closed() {
            self.poll(None)?;
        }
        Ok(())
    }

    /// Writes what the host queued outside of `poll`, without waiting for the next turn: as much as
    /// a turn would, so that of a broadcast to many a part may be left. `more` tells.
    pub fn flush(&mut self) -> Turn {
        self.read_clock();
        self.watch_sent();
        let before = self.reactor.counters.writes;
        self.limit_time();
        self.drain_outputs();
        self.flush_turn();
        self.reap();
        self.arm();
        let writes = self.reactor.counters.writes - before;
        let (more, events) = (self.has_more(), self.hub.pulled.len());
        Turn { more, events, writes, ..Turn::default() }
    }

    /// When `poll` has something to do next, counted on the server's clock from when it was made;
    /// `None` if only when something comes in. Polling earlier does no harm; later, heartbeats and
    /// timers are late. Zero says at once: work is left, or events wait to be pulled.
    pub fn next_deadline(&self) -> Option<Duration> {
        if self.has_more() || !self.hub.pulled.is_empty() {
            return Some(Duration::ZERO);
        }
        self.next_own_deadline()
    }

    /// The next deadline there is, whatever is left to do or to pull.
    pub(crate) fn next_own_deadline(&self) -> Option<Duration> {
        let closing = match self.closing {
            Closing::Until(at) => Some(at),
            _ => None,
        };
        let sweep = (!self.slow.is_empty()).then_some(self.next_sweep);
        let timers = self.hub.state.borrow().timers.next();
        let reactor = self.reactor.next_deadline();
        [closing, sweep, timers, reactor].into_iter().flatten().min()
    }

    /// How long a host may wait for the server's descriptor before it polls: from now until
    /// [`Server::next_deadline`], zero if that has passed.
    ///
    /// ```
    /// use std::time::Duration;
    /// use throng::Server;
    ///
    /// let server = Server::builder().bind("127.0.0.1:0")?;
    /// server.io().after(Duration::from_secs(1), |_| {});
    /// let timeout = server.next_timeout();
    /// assert!(timeout.is_some_and(|timeout| timeout <= Duration::from_millis(1_001)));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn next_timeout(&self) -> Option<Duration> {
        self.next_deadline().map(|at| match at {
            Duration::ZERO => at,
            at => at.saturating_sub((self.clock)().monotonic),
        })
    }

    pub(crate) fn assemble(
        net: N,
        listeners: Vec<N::Listener>,
        config: Config,
        clock: Box<dyn Fn() -> Now>,
        entropy: Box<dyn crate::entropy::Entropy>,
        connections_max: usize,
    ) -> io::Result<Self> {
        let engine = crate::engineio::Engine::new(config.engine.clone(), connections_max);
        let (websocket_limits, now) = (websocket_limits(&config), clock());
        let timer_resolution = config.reactor.timer_resolution;
        let arms = config.reactor.has_fine_timers();
        let body_bytes_max = config.http.body_bytes_max;
        let hub = Hub::new(
            engine,
            config.socket,
            &config.outgoing,
            config.engine.payload_bytes_max,
            connections_max,
            timer_resolution,
            entropy,
        );
        hub.state.borrow_mut().now = now;
        let buffer_bytes = config.reactor.read_buffer_bytes.max(READ_BUFFER_BYTES_MIN);
        let mut reactor = Reactor::new(
            net,
            config.reactor,
            config.http,
            websocket_limits,
            connections_max,
            config.outgoing.stall_time_max,
        );
        listeners.into_iter().try_for_each(|listener| reactor.listen(listener))?;
        Ok(Self {
            mailbox: Mailbox::new(),
            reactor,
            hub,
            app: App::new(),
            bare: Bare::default(),
            client_files: None,
            endpoints: Endpoints::default(),
            asking: HashMap::new(),
            drained: Vec::new(),
            water: Vec::new(),
            admission: None,
            admissions: HashMap::new(),
            greetings: HashMap::new(),
            error_handler: None,
            clock,
            now,
            buffer: vec![0; buffer_bytes],
            posts: VecDeque::new(),
            session_timers: Vec::with_capacity(connections_max),
            slow: BTreeSet::new(),
            next_sweep: Duration::ZERO,
            fans_out: HashSet::new(),
            sources: Sources::default(),
            turn_ends: None,
            call_ends: None,
            arms,
            limits: config.outgoing,
            budget: config.budget.at_least_one(),
            body_bytes_max,
            addresses: Vec::new(),
            turn: Turn::default(),
            turn_deliveries: 0,
            turn_decoded: 0,
            closing: Closing::Open,
        })
    }
}

fn websocket_limits(config: &Config) -> crate::websocket::Limits {
    crate::websocket::Limits {
        message_bytes_max: config.engine.payload_bytes_max,
        fragments_max: config.engine.fragments_max.max(1),
    }
}

/// The machine's clocks.
fn system_clock() -> Box<dyn Fn() -> Now> {
    let started = Instant::now();
    Box::new(move || Now {
        monotonic: started.elapsed(),
        wall: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
    })
}

/// A smaller buffer would only mean more calls.
const READ_BUFFER_BYTES_MIN: usize = 4 * 1_024;
