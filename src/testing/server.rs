//! A server whose clients, network and time are the test's: how it is made, how time passes, how
//! clients come. What they do then is in `acts`.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use super::client::{Client, Joined};
use super::link::Link;
use super::{Connect, ConnectError, MemoryListener, MemoryNet, State, TestSocket};
use crate::config::Config;
use crate::deadlines::Now;
use crate::engineio::{Protocol, Transport};
use crate::server::{Builder, Server};
use crate::socketio::Event;

/// A server whose clients, network and time are the test's.
///
/// Whatever a method does, the server and the clients act until nothing is left to do at this
/// moment: nothing needs to be waited for but time, which [`advance`](Self::advance) lets pass.
///
/// # Panics
/// Every method does where a [`TestSocket`] is another server's, or where the server never comes
/// to rest.
///
/// ```
/// use throng::testing::{TestServer, event};
///
/// let mut test = TestServer::new(|server| {
///     server.of("/").on("echo", |socket, text: String| {
///         socket.emit("echo", &text);
///     });
/// });
/// let alice = test.connect("/").unwrap();
/// test.emit(alice, "echo", "hi");
/// assert_eq!(test.received(alice), [event("echo", "hi")]);
/// ```
pub struct TestServer {
    pub(super) server: Server<MemoryNet>,
    now: Rc<Cell<Duration>>,
    pub(super) clients: Vec<Client>,
    /// Engine.IO's, with the slash behind it.
    path: String,
}

impl TestServer {
    /// A server with the default configuration, on which `declare` declares handlers and routes.
    pub fn new(declare: impl FnOnce(&mut Server<MemoryNet>)) -> Self {
        Self::with_config(Config::default(), 1, declare)
    }

    /// A server with this configuration, whose ids come from a seed.
    ///
    /// ```
    /// use throng::config::Config;
    /// use throng::testing::{State, TestServer};
    ///
    /// let mut config = Config::default();
    /// config.engine.payload_bytes_max = 100;
    /// let mut test = TestServer::with_config(config, 7, |server| {
    ///     server.of("/");
    /// });
    /// let alice = test.connect("/").unwrap();
    /// test.emit(alice, "long", &"a".repeat(100));
    /// assert_eq!(test.state(alice), State::Closed { code: Some(1009) });
    /// ```
    pub fn with_config(
        config: Config,
        seed: u64,
        declare: impl FnOnce(&mut Server<MemoryNet>),
    ) -> Self {
        Self::build(Server::builder().config(config), seed, declare)
    }

    /// A server with everything that a [`Builder`] takes: a parser, adapters, the client's files.
    /// The addresses it was to listen on are passed over.
    ///
    /// ```
    /// use throng::Server;
    /// use throng::adapter::LocalAdapter;
    /// use throng::testing::TestServer;
    ///
    /// let builder = Server::builder().path("/chat").adapter(|_| Box::new(LocalAdapter));
    /// let mut test = TestServer::build(builder, 1, |server| {
    ///     server.of("/");
    /// });
    /// test.connect("/").unwrap();
    /// assert_eq!(test.get("/chat/?EIO=2&transport=polling").status, 400);
    /// ```
    pub fn build(
        builder: Builder,
        seed: u64,
        declare: impl FnOnce(&mut Server<MemoryNet>),
    ) -> Self {
        let now = Rc::new(Cell::new(STARTED));
        let clock = Rc::clone(&now);
        let clock = move || Now { monotonic: clock.get(), wall: EPOCH + clock.get() };
        let path = format!("{}/", builder.options().engine.path.trim_end_matches('/'));
        let (net, listeners) = (MemoryNet::new(), vec![MemoryListener]);
        match builder.simulate(net, listeners, clock, seed) {
            Ok(mut server) => {
                declare(&mut server);
                Self { server, now, clients: Vec::new(), path }
            }
            Err(error) => panic!("a server in memory needs nothing that may fail: {error}"),
        }
    }

    /// The server, to look at and to act on as the host does.
    pub fn server(&self) -> &Server<MemoryNet> {
        &self.server
    }

    /// The server, for what needs it whole.
    pub fn server_mut(&mut self) -> &mut Server<MemoryNet> {
        &mut self.server
    }

    /// The moment on the server's clocks: a second after it was made, at first.
    pub fn now(&self) -> Now {
        Now { monotonic: self.now.get(), wall: EPOCH + self.now.get() }
    }

    /// Lets time pass: deadlines are handled at their moments, one after the other, and clients
    /// answer in between.
    ///
    /// ```
    /// use std::time::Duration;
    /// use throng::testing::{TestServer, event};
    ///
    /// let mut test = TestServer::new(|server| {
    ///     server.of("/");
    ///     server.io().every(Duration::from_secs(10), |io| {
    ///         io.emit("tick", &io.now().monotonic.as_secs());
    ///     });
    /// });
    /// let alice = test.connect("/").unwrap();
    /// test.advance(Duration::from_secs(25));
    /// assert_eq!(test.received(alice), [event("tick", &11), event("tick", &21)]);
    /// ```
    pub fn advance(&mut self, by: Duration) {
        self.settle();
        let until = self.now.get().saturating_add(by);
        while let Some(next) = self.next_deadline().filter(|next| *next <= until) {
            // The next one may be a moment before it is due: that is no standstill.
            self.now.set(next.max(self.now.get() + Duration::from_micros(100)).min(until));
            self.settle();
            if self.now.get() == until {
                return;
            }
        }
        self.now.set(until);
        self.settle();
    }

    /// Has server and clients act until nothing is left to do at this moment. Needed after acting
    /// on [`server`](Self::server) only where what comes next is no method of this type.
    pub fn settle(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let turn = match self.server.poll(Some(Duration::ZERO)) {
                Ok(turn) => turn,
                Err(error) => panic!("a network in memory doesn't fail: {error}"),
            };
            let now = self.now();
            // While too much waits to be pulled, what is left is left.
            let mut moved = turn.more && !self.server.is_full();
            let net = self.server.net_mut();
            for client in &mut self.clients {
                moved |= client.turn(now, net);
            }
            if !moved && net.is_idle() {
                return;
            }
        }
        panic!("the server or a client never comes to rest");
    }

    /// What the host pulls next, when nothing is left to do at this moment; see
    /// [`Server::next_event`](crate::Server::next_event).
    ///
    /// ```
    /// use throng::Event;
    /// use throng::testing::TestServer;
    ///
    /// let mut test = TestServer::new(|server| {
    ///     server.of("/").pull();
    /// });
    /// let alice = test.connect("/").unwrap();
    /// test.emit(alice, "hello", ());
    /// assert!(matches!(test.next_event(), Some(Event::Connected(_))));
    /// assert!(matches!(test.next_event(), Some(Event::Message(_))));
    /// assert!(test.next_event().is_none());
    /// ```
    pub fn next_event(&mut self) -> Option<Event> {
        self.settle();
        self.server.next_event()
    }

    /// A client connects to a namespace, over a WebSocket of its own.
    pub fn connect(&mut self, namespace: &str) -> Result<TestSocket, ConnectError> {
        self.connect_with(Connect::to(namespace))
    }

    /// A client connects as it is told.
    pub fn connect_with(&mut self, connect: Connect) -> Result<TestSocket, ConnectError> {
        let socket = self.start_connect(connect);
        self.outcome(socket).map(|()| socket)
    }

    /// A client begins to connect; [`outcome`](Self::outcome) tells what became of it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use throng::testing::{Connect, ConnectError, TestServer};
    ///
    /// let mut test = TestServer::new(|server| {
    ///     server.of("/");
    ///     server.allow_request(|io, _, decision| {
    ///         io.after(Duration::from_millis(10), move |_| decision.allow());
    ///     });
    /// });
    /// let alice = test.start_connect(Connect::to("/"));
    /// assert_eq!(test.outcome(alice), Err(ConnectError::Pending(alice)));
    /// test.advance(Duration::from_millis(10));
    /// assert_eq!(test.outcome(alice), Ok(()));
    /// ```
    pub fn start_connect(&mut self, connect: Connect) -> TestSocket {
        let client = if let Some(socket) = connect.shared {
            socket.client
        } else {
            let link = Link::open(connect.opening(&self.path), self.server.net_mut());
            self.clients.push(Client::new(link, connect.speech));
            self.clients.len() - 1
        };
        let socket = self.clients[client].join(&connect.namespace, connect.auth);
        self.settle();
        self.await_greeting(client);
        TestSocket { client, socket }
    }

    /// Whether a socket has been let in, and why not.
    pub fn outcome(&mut self, socket: TestSocket) -> Result<(), ConnectError> {
        match self.state(socket) {
            State::Connected => Ok(()),
            State::Connecting => Err(ConnectError::Pending(socket)),
            State::Failed(error) => Err(error),
            State::Left | State::Dismissed | State::Closed { .. } => Err(ConnectError::Closed),
        }
    }

    /// A socket that has left or lost its connection comes back, with what it had been told to
    /// connect with. It does so over the session that is there, or else over a new one; its id is
    /// another then.
    ///
    /// ```
    /// use throng::testing::TestServer;
    ///
    /// let mut test = TestServer::new(|server| {
    ///     server.of("/");
    /// });
    /// let alice = test.connect("/").unwrap();
    /// let id = test.id(alice).to_owned();
    /// test.cut(alice);
    /// test.reconnect(alice).unwrap();
    /// assert_ne!(test.id(alice), id);
    /// ```
    pub fn reconnect(&mut self, socket: TestSocket) -> Result<(), ConnectError> {
        let client = &mut self.clients[socket.client];
        let link = client.link.closed().is_some().then(|| client.link.opening().clone());
        let link = link.map(|opening| Link::open(opening, self.server.net_mut()));
        client.rejoin(socket.socket, link);
        self.settle();
        self.await_greeting(socket.client);
        self.outcome(socket)
    }

    /// Where a socket stands.
    pub fn state(&mut self, socket: TestSocket) -> State {
        self.settle();
        self.joined(socket).state.clone()
    }

    /// Whether a socket is in its namespace.
    pub fn is_connected(&mut self, socket: TestSocket) -> bool {
        self.state(socket) == State::Connected
    }

    /// The id of a socket, as the server has it ([`Socket::id`](crate::Socket::id)); empty before
    /// it was let in.
    pub fn id(&self, socket: TestSocket) -> &str {
        &self.clients[socket.client].sockets[socket.socket].id
    }

    /// How a socket's session speaks; `None` once it has ended.
    pub fn transport(&self, socket: TestSocket) -> Option<Transport> {
        self.clients[socket.client].link.transport()
    }

    /// When the server or a client has something to do by itself.
    fn next_deadline(&self) -> Option<Duration> {
        let clients = self.clients.iter().filter_map(|client| client.link.deadline());
        clients.chain(self.server.next_own_deadline()).min()
    }

    /// A session of EIO 3 opens a moment after its WebSocket.
    fn await_greeting(&mut self, client: usize) {
        let link = &self.clients[client].link;
        let is_greeted_late =
            link.protocol() == Protocol::V3 && link.transport() == Some(Transport::WebSocket);
        if is_greeted_late && !link.is_open() {
            self.advance(GREETING_TIME);
        }
    }

    pub(super) fn joined(&mut self, socket: TestSocket) -> &mut Joined {
        &mut self.clients[socket.client].sockets[socket.socket]
    }
}

impl fmt::Debug for TestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServer")
            .field("now", &self.now.get())
            .field("clients", &self.clients.len())
            .finish_non_exhaustive()
    }
}

/// When the monotonic clock starts: not at zero, which code may mistake for "never".
const STARTED: Duration = Duration::from_secs(1);
/// What the wall clock has at zero of the other: the turn of 2024.
const EPOCH: Duration = Duration::from_secs(1_704_067_200);
/// How long a session of EIO 3 takes to open on a WebSocket.
const GREETING_TIME: Duration = Duration::from_millis(2);
/// How many turns one moment may take.
const ROUNDS_MAX: usize = 100_000;
