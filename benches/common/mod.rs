//! The server that whole turns are measured on: a network of byte queues, a clock that stands.
//!
//! It measures nothing itself, and keeps nothing of what is written.
//!
//! ```text
//! Running::with_clients(1_000)    send(0, "42[..]")    poll()
//! ```

#[path = "../../tests/counts/net.rs"]
pub(crate) mod net;

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use net::{CountingNet, text_frame, upgrade_request};
use throng::config::Config;
use throng::testing::MemoryListener;
use throng::{Now, Server};

/// A server, its clients, and the hands of its clock.
pub(crate) struct Running {
    pub(crate) server: Server<CountingNet>,
    now: Rc<Cell<Duration>>,
    request: Vec<u8>,
    connect: Vec<u8>,
}

impl Running {
    /// A server that has the application's events and room for so many clients.
    pub(crate) fn new(clients_max: usize) -> Self {
        let mut config = Config::default();
        config.reactor.connections_max = Some(clients_max);
        // A broadcast is to be written whole in one turn.
        config.budget.slice_connections_max = usize::MAX;
        let now = Rc::new(Cell::new(Duration::from_secs(1)));
        let clock = Rc::clone(&now);
        let clock = move || Now { monotonic: clock.get(), wall: clock.get() };
        let server = Server::simulated(CountingNet::new(), vec![MemoryListener], config, clock, 1);
        let Ok(mut server) = server else { panic!("a simulated server needs nothing that fails") };
        declare(&server);
        server.net_mut().keeps = false;
        Self { server, now, request: upgrade_request(0), connect: text_frame("40") }
    }

    /// The same, and all of its clients have joined `/`.
    pub(crate) fn with_clients(clients: usize) -> Self {
        let mut running = Self::new(clients);
        for _ in 0..clients {
            running.join();
        }
        // Whoever wasn't let in would make the figures look good.
        assert_eq!(running.server.of("/").sockets_len(), clients);
        assert_eq!(running.server.net_mut().counts.closes, 0);
        running
    }

    /// One client comes, each step in a turn of its own: its connection, upgrade and CONNECT.
    pub(crate) fn join(&mut self) {
        let client = self.server.net_mut().connect();
        self.poll();
        self.server.net_mut().send(client, &self.request);
        self.poll();
        self.server.net_mut().send(client, &self.connect);
        self.poll();
    }

    /// One client sends, and the server does what is to be done about it.
    pub(crate) fn send(&mut self, client: usize, bytes: &[u8]) {
        self.server.net_mut().send(client, bytes);
        self.poll();
    }

    /// Makes sure that a client who sends this hears that, or nothing.
    pub(crate) fn check(&mut self, client: usize, bytes: &[u8], expected: &str) {
        self.server.net_mut().keeps = true;
        self.send(client, bytes);
        self.server.net_mut().keeps = false;
        let heard = self.server.net_mut().received(client);
        let heard = String::from_utf8_lossy(&heard);
        assert!(heard.ends_with(expected) && heard.is_empty() == expected.is_empty(), "{heard}");
    }

    /// So many broadcasts in one turn.
    pub(crate) fn broadcast(&mut self, broadcasts: usize) {
        let before = self.server.net_mut().counts.writes;
        for _ in 0..broadcasts {
            self.server.emit("news", TEXT);
        }
        self.poll();
        self.check_writes(before);
    }

    /// Every client's ping falls due, and every client answers it.
    pub(crate) fn beat(&mut self, pong: &[u8]) {
        let before = self.server.net_mut().counts.writes;
        self.now.set(self.now.get() + PING_INTERVAL);
        self.poll();
        for client in 0..self.server.connections_len() {
            self.server.net_mut().send(client, pong);
        }
        self.poll();
        self.check_writes(before);
    }

    /// Polls until nothing is left to do.
    pub(crate) fn poll(&mut self) {
        while self.server.poll(Some(Duration::ZERO)).is_ok_and(|turn| turn.more) {}
    }

    /// One write for each client since then, or not everybody got what was to be measured.
    fn check_writes(&mut self, before: u64) {
        let writes = self.server.net_mut().counts.writes - before;
        assert_eq!(writes, self.server.connections_len() as u64);
    }
}

fn declare(server: &Server<CountingNet>) {
    server
        .of("/")
        .on_raw("note", |_, args, _| {
            black_box(args.len());
        })
        .on("parse", |_, text: String| drop(black_box(text)))
        .on_raw("echo", |socket, args, _| {
            socket.emit("echo", args);
        })
        .on_raw("ack-echo", |_, args, ack| {
            if let Some(ack) = ack {
                ack.send(args);
            }
        });
}

/// Nothing is counted here.
fn uncounted<T>(act: impl FnOnce() -> T) -> T {
    act()
}

/// What every message says.
pub(crate) const TEXT: &str = "hello there, how are you?";
/// Longer than the interval of the configuration, shorter than what a pong may take.
const PING_INTERVAL: Duration = Duration::from_secs(26);
