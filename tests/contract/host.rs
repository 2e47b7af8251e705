//! A host with a loop of its own on real sockets, and clients in the same thread.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::time::Timespec;
use throng::config::Config;
use throng::{Server, Turn};

/// How long anything may take that is about to happen.
const SOON: Duration = Duration::from_secs(10);

pub(crate) fn bind(configure: impl FnOnce(&mut Config)) -> Server {
    let mut config = Config::default();
    config.reactor.connections_max = Some(64);
    configure(&mut config);
    let mut server = Server::builder().config(config).bind("127.0.0.1:0").unwrap();
    settle(&mut server);
    server
}

/// Polls without waiting until nothing is left.
pub(crate) fn settle(server: &mut Server) -> Turn {
    loop {
        let turn = server.poll(Some(Duration::ZERO)).unwrap();
        if !turn.more {
            return turn;
        }
    }
}

/// Polls, waiting, until something holds.
pub(crate) fn poll_until(server: &mut Server, mut holds: impl FnMut(&Server) -> bool) {
    let end = Instant::now() + SOON;
    while !holds(server) {
        assert!(Instant::now() < end, "it never came");
        server.poll(Some(Duration::from_millis(10))).unwrap();
    }
}

/// A WebSocket client that blocks nobody.
pub(crate) struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(server.local_addresses()[0]).unwrap();
        stream.set_nonblocking(true).unwrap();
        Self { stream, received: Vec::new() }
    }

    /// A client that has joined `/`, on a server that rests.
    pub(crate) fn join(server: &mut Server) -> Self {
        let mut client = Self::connect(server);
        client.write(UPGRADE);
        client.send("40");
        let sockets = server.io().of("/").sockets_len();
        poll_until(server, |server| server.io().of("/").sockets_len() > sockets);
        settle(server);
        client.expect(server, "40{\"sid\":");
        client
    }

    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends a text frame, masked with zeros.
    pub(crate) fn send(&mut self, text: &str) {
        let len = u8::try_from(text.len()).unwrap();
        assert!(len < 126);
        let mut frame = vec![0x81, 0x80 | len, 0, 0, 0, 0];
        frame.extend_from_slice(text.as_bytes());
        self.write(frame);
    }

    /// What has come so far and was not looked at.
    pub(crate) fn received(&mut self) -> String {
        let mut chunk = [0; 4_096];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => break,
                Ok(bytes) => self.received.extend_from_slice(&chunk[..bytes]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        String::from_utf8_lossy(&std::mem::take(&mut self.received)).into_owned()
    }

    /// Polls the server until this has come.
    pub(crate) fn expect(&mut self, server: &mut Server, text: &str) -> String {
        let mut seen = String::new();
        poll_until(server, |_| {
            seen.push_str(&self.received());
            seen.contains(text)
        });
        seen
    }
}

/// An epoll of the host's own with the server in it.
pub(crate) struct Outer(OwnedFd);

impl Outer {
    pub(crate) fn new(server: &Server, mode: EventFlags) -> Self {
        let epoll = epoll::create(CreateFlags::CLOEXEC).unwrap();
        epoll::add(&epoll, server, EventData::new_u64(7), EventFlags::IN | mode).unwrap();
        Self(epoll)
    }

    /// Whether the server's descriptor is readable at this moment.
    pub(crate) fn is_readable(&self) -> bool {
        self.wait(Duration::ZERO)
    }

    /// Whether it becomes readable soon.
    pub(crate) fn becomes_readable(&self) -> bool {
        self.wait(SOON)
    }

    fn wait(&self, timeout: Duration) -> bool {
        let timeout = Timespec::try_from(timeout).unwrap();
        let mut events = Vec::with_capacity(4);
        epoll::wait(&self.0, spare_capacity(&mut events), Some(&timeout)).unwrap();
        !events.is_empty()
    }
}

const UPGRADE: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: test\r\n\
    Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
