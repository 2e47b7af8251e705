//! Several servers in one process, their clients and the bus between them, on one clock that jumps
//! from event to event.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use throng::config::{Config, RecoveryConfig};
use throng::testing::{MemoryListener, MemoryNet};
use throng::{Now, Server};

use super::adapter::BusAdapter;
use super::bus::{Bus, Shared};

/// The cluster.
pub(crate) struct World {
    pub(crate) servers: Vec<Server<MemoryNet>>,
    pub(crate) bus: Shared,
    now: Rc<Cell<Duration>>,
}

/// A client, and what it has heard.
pub(crate) struct Client {
    pub(crate) server: usize,
    connection: usize,
    buffer: Vec<u8>,
    pub(crate) id: String,
    pub(crate) pid: String,
    /// The offset of the last event that had one.
    pub(crate) offset: String,
    /// Packets of Socket.IO, offsets taken off.
    pub(crate) heard: Vec<String>,
}

impl World {
    pub(crate) fn new(seed: u64, servers: usize) -> Self {
        Self::with(seed, servers, false)
    }

    /// Servers whose broadcasts go through the stream, and whose clients may recover.
    pub(crate) fn recovering(seed: u64, servers: usize) -> Self {
        Self::with(seed, servers, true)
    }

    fn with(seed: u64, servers: usize, streams: bool) -> Self {
        let now = Rc::new(Cell::new(Duration::from_secs(1)));
        let bus = Bus::new(seed);
        bus.borrow_mut().now = now.get();
        let made = (0..servers).map(|node| {
            let mut config = Config::default();
            config.reactor.connections_max = Some(64);
            config.socket.recovery = streams.then(RecoveryConfig::default);
            let clock = Rc::clone(&now);
            let clock = move || Now { monotonic: clock.get(), wall: clock.get() };
            let seed = seed * 100 + node as u64;
            let net = MemoryNet::new();
            let mut server =
                Server::simulated(net, vec![MemoryListener], config, clock, seed).unwrap();
            let bus = Rc::clone(&bus);
            server.set_adapter(move |_| Box::new(BusAdapter::new(node, Rc::clone(&bus), streams)));
            server
        });
        let servers = made.collect();
        Self { servers, bus, now }
    }

    /// Everything that is due now.
    pub(crate) fn settle(&mut self) {
        for _ in 0..1_000 {
            let arrived = self.bus.borrow_mut().arrived();
            let any = arrived.is_some();
            if let Some(arrival) = arrived {
                let server = &self.servers[arrival.node];
                server.of(&arrival.namespace).adapter_event(&arrival.bytes);
            }
            let mut more = false;
            for server in &mut self.servers {
                more |= server.poll(Some(Duration::ZERO)).unwrap().more;
            }
            if !any && !more {
                return;
            }
        }
        panic!("the cluster spins");
    }

    /// So much time passes, event by event.
    pub(crate) fn run(&mut self, time: Duration) {
        let until = self.now.get() + time;
        self.settle();
        loop {
            let arrival = self.bus.borrow().next_arrival();
            let deadlines = self.servers.iter().filter_map(|server| server.next_deadline());
            let next = deadlines.chain(arrival).min().unwrap_or(until);
            let next = next.max(self.now.get() + Duration::from_millis(1)).min(until);
            self.now.set(next);
            self.bus.borrow_mut().now = next;
            self.settle();
            if next == until {
                return;
            }
        }
    }

    /// A client that has joined `/`.
    pub(crate) fn join(&mut self, server: usize) -> Client {
        self.join_with(server, "40")
    }

    /// A client that comes back.
    pub(crate) fn rejoin(&mut self, server: usize, client: &Client) -> Client {
        let (pid, offset) = (&client.pid, &client.offset);
        self.join_with(server, &format!("40{{\"pid\":\"{pid}\",\"offset\":\"{offset}\"}}"))
    }

    fn join_with(&mut self, server: usize, connect: &str) -> Client {
        let connection = self.servers[server].net_mut().connect();
        self.settle();
        let mut client = Client {
            server,
            connection,
            buffer: Vec::new(),
            id: String::new(),
            pid: String::new(),
            offset: String::new(),
            heard: Vec::new(),
        };
        self.servers[server].net_mut().send(connection, UPGRADE);
        self.send(&mut client, connect);
        self.run(Duration::from_millis(100));
        self.listen(&mut client);
        assert!(!client.id.is_empty(), "{:?}", client.heard);
        client
    }

    pub(crate) fn send(&mut self, client: &mut Client, text: &str) {
        let length = u8::try_from(text.len()).unwrap();
        assert!(length <= 125);
        let frame = [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat();
        self.servers[client.server].net_mut().send(client.connection, frame);
        self.settle();
    }

    /// The client's connection breaks.
    pub(crate) fn cut(&mut self, client: &mut Client) {
        self.listen(client);
        self.servers[client.server].net_mut().end(client.connection);
        self.settle();
    }

    /// What a client has heard by now.
    pub(crate) fn listen(&mut self, client: &mut Client) {
        let bytes = self.servers[client.server].net_mut().received(client.connection);
        client.buffer.extend_from_slice(&bytes);
        if client.buffer.starts_with(b"HTTP/1.1 101") {
            let end = client.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
            client.buffer.drain(..end + 4);
        }
        while let Some(text) = client.frame() {
            if let Some(packet) = text.strip_prefix('4') {
                client.hear(packet);
            }
        }
    }
}

impl Client {
    /// The next whole frame, if it is a text.
    fn frame(&mut self) -> Option<String> {
        let length = usize::from(*self.buffer.get(1)?);
        let (start, length) = match length {
            126 => {
                let long = [*self.buffer.get(2)?, *self.buffer.get(3)?];
                (4, usize::from(u16::from_be_bytes(long)))
            }
            _ => (2, length),
        };
        let payload = self.buffer.get(start..start + length)?.to_vec();
        self.buffer.drain(..start + length);
        Some(String::from_utf8_lossy(&payload).into_owned())
    }

    fn hear(&mut self, packet: &str) {
        if packet.starts_with("0{\"sid\":\"") {
            self.id = string_after(packet, "\"sid\":\"");
            self.pid = string_after(packet, "\"pid\":\"");
        }
        let ends_in_string = packet.strip_suffix("\"]").and_then(|rest| rest.rsplit_once(",\""));
        match ends_in_string {
            // As the reference's client does it.
            Some((event, offset)) if packet.starts_with('2') && !self.pid.is_empty() => {
                offset.clone_into(&mut self.offset);
                self.heard.push(format!("{event}]"));
            }
            _ => self.heard.push(packet.to_owned()),
        }
    }

    /// What it has heard since it was asked last, but for its CONNECT reply.
    pub(crate) fn take(&mut self) -> Vec<String> {
        let heard = std::mem::take(&mut self.heard);
        heard.into_iter().filter(|packet| !packet.starts_with('0')).collect()
    }
}

fn string_after(text: &str, key: &str) -> String {
    let found = text.split_once(key).and_then(|(_, rest)| rest.split_once('"'));
    found.map(|(value, _)| value.to_owned()).unwrap_or_default()
}

const UPGRADE: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\n\
    Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
