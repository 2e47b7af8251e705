//! The conductor: it alone knows the reactor, Engine.IO and Socket.IO, and its `poll` is one turn.
//!
//! A turn is a list: flush what the host queued, wait, read the clock, mailbox, accept, read (up
//! through Engine.IO and Socket.IO to the handlers), expire deadlines, flush, reap. Handlers only
//! queue; writing happens at the end of the turn and freeing last. What a budget left over makes
//! the next wait zero. This is the only room that reads the clock.

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
use crate::socketio::{Hub, Io, Parser, Timer, Water};
use greeting::Greeting;
use hooks::Asking;
use read::PostWork;
use requests::PendingAdmission;

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
pub struct Server<N: Net = SystemNet> {
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
    mailbox: Mailbox,
    clock: Box<dyn Fn() -> Now>,
    now: Now,
    buffer: Vec<u8>,
    posts: VecDeque<PostWork>,
    session_timers: Vec<Option<DeadlineId>>,
    slow: BTreeSet<SessionKey>,
    next_sweep: Duration,
    /// Sessions whose messages have fanned out: not read while much of that is unsent.
    fans_out: HashSet<SessionKey>,
    limits: OutgoingLimits,
    budget: TurnBudget,
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
        if self.has_queued() {
            self.flush();
        }
        self.wait(timeout)?;
        self.begin_turn();
        self.run_mailbox();
        self.accept();
        self.read();
        self.expire();
        self.flush_turn();
        self.reap();
        Ok(self.finish_turn())
    }

    /// Polls until the server is closed; see [`Io::close`].
    pub fn run(&mut self) -> io::Result<()> {
        while !self.is_closed() {
            self.poll(None)?;
        }
        Ok(())
    }

    /// Writes what the host queued outside of `poll`, without waiting for the next turn.
    pub fn flush(&mut self) {
        self.read_clock();
        self.watch_sent();
        self.drain_outputs();
        self.flush_turn();
    }

    /// When `poll` has something to do next, counted on the server's clock from when it was made;
    /// `None` if only when something comes in. Polling earlier does no harm; later, heartbeats and
    /// timers are late. Zero says at once.
    pub fn next_deadline(&self) -> Option<Duration> {
        if self.has_more() {
            return Some(Duration::ZERO);
        }
        let closing = match self.closing {
            Closing::Until(at) => Some(at),
            _ => None,
        };
        let sweep = (!self.slow.is_empty()).then_some(self.next_sweep);
        let timers = self.hub.state.borrow().timers.next();
        let reactor = self.reactor.next_deadline();
        [closing, sweep, timers, reactor].into_iter().flatten().min()
    }

    fn assemble(
        net: N,
        listeners: Vec<N::Listener>,
        config: Config,
        clock: Box<dyn Fn() -> Now>,
        entropy: Box<dyn crate::entropy::Entropy>,
        connections_max: usize,
    ) -> io::Result<Self> {
        let engine = crate::engineio::Engine::new(config.engine.clone(), connections_max);
        let payload_bytes_max = config.engine.payload_bytes_max;
        let websocket_limits = crate::websocket::Limits {
            message_bytes_max: payload_bytes_max,
            fragments_max: config.engine.fragments_max.max(1),
        };
        let now = clock();
        let hub = Hub::new(
            engine,
            config.socket,
            &config.outgoing,
            payload_bytes_max,
            connections_max,
            entropy,
        );
        hub.state.borrow_mut().now = now;
        let body_bytes_max = config.http.body_bytes_max;
        let buffer = vec![0; config.reactor.read_buffer_bytes.max(READ_BUFFER_BYTES_MIN)];
        let mut reactor = Reactor::new(
            net,
            config.reactor,
            config.http,
            websocket_limits,
            connections_max,
            config.outgoing.stall_time_max,
        );
        for listener in listeners {
            reactor.listen(listener)?;
        }
        Ok(Self {
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
            mailbox: Mailbox::new(),
            clock,
            now,
            buffer,
            posts: VecDeque::new(),
            session_timers: Vec::with_capacity(connections_max),
            slow: BTreeSet::new(),
            next_sweep: Duration::ZERO,
            fans_out: HashSet::new(),
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

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let until = self.next_deadline().map(|at| match at {
            Duration::ZERO => Duration::ZERO,
            at => at.saturating_sub((self.clock)().monotonic),
        });
        let timeout = match (timeout, until) {
            (Some(timeout), Some(until)) => Some(timeout.min(until)),
            (timeout, until) => timeout.or(until),
        };
        self.reactor.wait(timeout)
    }

    fn begin_turn(&mut self) {
        self.read_clock();
        self.watch_sent();
        self.turn = Turn { writes: self.reactor.counters.writes, ..Turn::default() };
        self.turn_deliveries = 0;
        self.turn_decoded = 0;
        self.hub.state.borrow_mut().outboxes.begin_tick();
    }

    /// The host may have been away since the last turn: what is counted from now must not be
    /// counted from then.
    fn read_clock(&mut self) {
        let now = (self.clock)();
        if now.wall.as_secs() != self.now.wall.as_secs() || self.reactor.date.is_empty() {
            self.reactor.set_date(UNIX_EPOCH + now.wall);
        }
        self.now = now;
        self.hub.state.borrow_mut().now = now;
    }

    fn run_mailbox(&mut self) {
        let batch = self.mailbox.begin();
        if batch == 0 {
            return;
        }
        for _ in 0..batch {
            let Some(job) = self.mailbox.next() else { break };
            self.hub.state.borrow_mut().outboxes.begin_tick();
            self.hub.run_unbound(|| job(Io::new(&self.hub)));
        }
        self.drain_outputs();
    }

    fn accept(&mut self) {
        if self.closing == Closing::Open {
            self.reactor.accept(self.now.monotonic, self.budget.accepts_max);
        }
    }

    fn expire(&mut self) {
        while let Some((key, inbound)) = self.reactor.expire(self.now.monotonic) {
            self.turn.deadlines += 1;
            self.dispatch(key, inbound);
        }
        // After a long stall all of them are due at once: the others get their turn in between.
        for _ in 0..self.budget.messages_total_max {
            let due = self.hub.state.borrow_mut().timers.expire(self.now.monotonic);
            let Some(timer) = due else { break };
            self.turn.deadlines += 1;
            self.handle_timer(timer);
        }
        self.sweep_slow();
    }

    fn handle_timer(&mut self, timer: Timer) {
        if let Timer::Session(session) = timer {
            self.session_timers[session.index()] = None;
            let state = &mut *self.hub.state.borrow_mut();
            state.engine.handle_deadline(self.now, session, &mut state.outboxes);
        } else if let Timer::Greeting(connection) = timer {
            self.greet(connection);
        } else {
            self.hub.handle_timer(timer);
        }
        self.drain_outputs();
    }

    fn reap(&mut self) {
        self.reactor.reap();
        if let Closing::Until(at) = self.closing {
            if self.now.monotonic >= at {
                for key in self.reactor.keys() {
                    self.reactor.destroy(key);
                }
                self.reactor.reap();
            }
            if self.reactor.connections_len() == 0 {
                self.closing = Closing::Closed;
            }
        }
    }

    fn finish_turn(&mut self) -> Turn {
        self.turn.more = self.has_more();
        self.turn.writes = self.reactor.counters.writes - self.turn.writes;
        self.turn
    }

    /// Whether anything was queued since the last flush, or was left over by it.
    fn has_queued(&self) -> bool {
        let state = self.hub.state.borrow();
        state.outboxes.has_listed()
            || !state.commands.is_empty()
            || state.engine.has_output()
            || self.reactor.has_unflushed()
    }

    /// A closed server reads no more: what is still listed then has nobody it concerns.
    fn has_more(&self) -> bool {
        let state = self.hub.state.borrow();
        let is_listed = self.reactor.ready_len() > 0
            || !self.posts.is_empty()
            || state.outboxes.has_listed()
            || state.timers.next().is_some_and(|at| at <= self.now.monotonic);
        match self.closing {
            Closing::Open => is_listed || self.reactor.accepts(self.now.monotonic),
            Closing::Until(_) => is_listed,
            Closing::Closed => false,
        }
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
