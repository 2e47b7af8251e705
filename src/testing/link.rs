//! The client's half of Engine.IO: a session over long-polling or WebSocket, on a [`MemoryNet`].
//!
//! It answers pings, keeps a GET parked, sends one POST at a time and can move to WebSocket, as
//! engine.io-client does. What it waits for, it waits for without end; only a client of EIO 3 looks
//! at the clock, because it is the one to ping.
//!
//! ```text
//! > GET ?EIO=4&transport=polling            < 0{"sid":"..."}
//! > GET ?EIO=4&transport=polling&sid=...    < 42["news"]
//! > POST ?EIO=4&transport=polling&sid=... 42["chat"]    < ok
//! ```

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use super::net::MemoryNet;
use super::payload;
use super::wire::{Frame, Wire};
use crate::deadlines::Now;
use crate::engineio::{Protocol, Transport};

/// One packet of Engine.IO, as a message of a WebSocket carries it.
///
/// ```
/// use throng::testing::{Packet, TestServer};
///
/// let mut test = TestServer::new(|server| {
///     server.of("/").on_connect(|socket| {
///         socket.emit("hi", ());
///     });
/// });
/// let alice = test.connect("/").unwrap();
/// let hi = Packet::Text("42[\"hi\"]".to_owned());
/// assert_eq!(test.packets(alice).last(), Some(&hi));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// The type's digit and what follows: `2`, `42["hi"]`.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
}

/// What a session is opened with.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    /// Up to the query, which is begun: `/socket.io/?EIO=4&token=x`.
    pub(super) target: String,
    /// Whole lines.
    pub(super) headers: String,
    pub(super) protocol: Protocol,
    pub(super) transport: Transport,
    pub(super) address: Option<SocketAddr>,
}

/// A session, seen from its client.
#[derive(Debug)]
pub(super) struct Link {
    opening: Opening,
    channel: Channel,
    sid: Option<String>,
    payload_bytes_max: usize,
    outgoing: VecDeque<Packet>,
    pub(super) received: VecDeque<Packet>,
    pub(super) answers_pings: bool,
    reads: bool,
    /// How often a client of EIO 3 pings, and when it does next.
    ping_interval: Duration,
    ping_at: Option<Duration>,
}

#[derive(Debug)]
enum Channel {
    Polling(Polling),
    WebSocket { wire: Wire, upgraded: bool },
    Closed(Closed),
}

#[derive(Debug)]
struct Polling {
    get: Asking,
    post: Asking,
    probe: Option<Probe>,
}

/// A connection for requests of one kind, one after the other.
#[derive(Debug)]
struct Asking {
    wire: Wire,
    /// An answer is to come.
    asked: bool,
}

/// A WebSocket that is to take over.
#[derive(Debug)]
struct Probe {
    wire: Wire,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The 101 is to come.
    Requested,
    /// `3probe` is to come.
    Probing,
    /// It came: no GET is sent any more, and the last one is to return.
    Pausing,
}

/// How a session ended, seen from its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// It never opened: the server's answer to the request for it.
    Rejected { status: u16, body: String },
    /// With this code in the WebSocket's close frame, if there was one.
    Ended { code: Option<u16> },
}

impl Link {
    pub(super) fn open(opening: Opening, net: &mut MemoryNet) -> Self {
        let mut connect = || Wire::new(net.connect_from(opening.address));
        let channel = match opening.transport {
            Transport::Polling => Channel::Polling(Polling {
                get: Asking { wire: connect(), asked: false },
                post: Asking { wire: connect(), asked: false },
                probe: None,
            }),
            Transport::WebSocket => Channel::WebSocket { wire: connect(), upgraded: false },
        };
        let link = Self {
            opening,
            channel,
            sid: None,
            payload_bytes_max: usize::MAX,
            outgoing: VecDeque::new(),
            received: VecDeque::new(),
            answers_pings: true,
            reads: true,
            ping_interval: Duration::ZERO,
            ping_at: None,
        };
        if let Channel::WebSocket { wire, .. } = &link.channel {
            net.send(wire.connection, link.upgrade_request());
        }
        link
    }

    pub(super) fn is_open(&self) -> bool {
        self.sid.is_some() && self.closed().is_none()
    }

    pub(super) fn closed(&self) -> Option<&Closed> {
        match &self.channel {
            Channel::Closed(closed) => Some(closed),
            _ => None,
        }
    }

    pub(super) fn opening(&self) -> &Opening {
        &self.opening
    }

    pub(super) fn protocol(&self) -> Protocol {
        self.opening.protocol
    }

    /// The session's id, once it has opened.
    pub(super) fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// When it has something to do by itself.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.ping_at.filter(|_| self.answers_pings && self.is_open())
    }

    pub(super) fn transport(&self) -> Option<Transport> {
        match &self.channel {
            Channel::Polling(_) => Some(Transport::Polling),
            Channel::WebSocket { .. } => Some(Transport::WebSocket),
            Channel::Closed(_) => None,
        }
    }

    pub(super) fn send(&mut self, packet: Packet) {
        self.outgoing.push_back(packet);
    }

    /// Sends bytes past everything that is sent here otherwise.
    pub(super) fn send_bytes(&self, net: &mut MemoryNet, bytes: &[u8]) {
        match &self.channel {
            Channel::Polling(polling) => net.send(polling.post.wire.connection, bytes),
            Channel::WebSocket { wire, .. } => net.send(wire.connection, bytes),
            Channel::Closed(_) => {}
        }
    }

    /// Begins to move to WebSocket; `false` where the session isn't polling.
    pub(super) fn probe(&mut self, net: &mut MemoryNet) -> bool {
        let request = self.upgrade_request();
        let Channel::Polling(polling) = &mut self.channel else { return false };
        let wire = Wire::new(net.connect_from(self.opening.address));
        net.send(wire.connection, request);
        polling.probe = Some(Probe { wire, stage: Stage::Requested });
        true
    }

    /// Ends the session in good order.
    pub(super) fn close(&mut self, net: &mut MemoryNet) {
        if matches!(self.channel, Channel::Polling(_)) && self.is_open() {
            self.send(Packet::Text("1".to_owned()));
            self.ask(net);
        }
        if let Channel::WebSocket { wire, .. } = &self.channel {
            wire.send_frame(net, 0x88, &1_000_u16.to_be_bytes());
        }
        self.end(None, net);
    }

    /// Ends the connections without a word.
    pub(super) fn cut(&mut self, net: &mut MemoryNet) {
        if self.closed().is_none() {
            self.end(None, net);
        }
    }

    /// From here on the client reads, or doesn't.
    pub(super) fn set_reads(&mut self, reads: bool, net: &mut MemoryNet) {
        self.reads = reads;
        self.make_room(net);
    }

    /// Reads, answers and sends; `false` where there was nothing to do.
    pub(super) fn turn(&mut self, now: Now, net: &mut MemoryNet) -> bool {
        let protocol = self.opening.protocol;
        let found = match &mut self.channel {
            Channel::Polling(polling) => polling.read(protocol, net),
            Channel::WebSocket { wire, upgraded } => read_websocket(wire, upgraded, protocol, net),
            Channel::Closed(_) => return false,
        };
        let mut moved = !found.packets.is_empty();
        for packet in found.packets {
            self.take(packet, now, net);
        }
        if self.deadline().is_some_and(|at| at <= now.monotonic) {
            self.ping_at = Some(now.monotonic.saturating_add(self.ping_interval));
            self.outgoing.push_back(Packet::Text("2".to_owned()));
        }
        if let Some(closed) = found.closed {
            self.fail(closed, net);
            return true;
        }
        moved |= self.advance_probe(net);
        moved |= match &self.channel {
            Channel::Polling(_) => self.ask(net),
            Channel::WebSocket { upgraded, .. } => *upgraded && self.write_frames(net),
            Channel::Closed(_) => false,
        };
        self.make_room(net);
        moved
    }

    fn take(&mut self, packet: Packet, now: Now, net: &mut MemoryNet) {
        let is_v3 = self.opening.protocol == Protocol::V3;
        match &packet {
            Packet::Text(text) if text.starts_with('0') => {
                let open: Value = serde_json::from_str(&text[1..]).unwrap_or_default();
                self.sid = open["sid"].as_str().map(str::to_owned);
                self.ping_interval =
                    Duration::from_millis(open["pingInterval"].as_u64().unwrap_or_default());
                self.ping_at = is_v3.then(|| now.monotonic.saturating_add(self.ping_interval));
                let bytes =
                    open["maxPayload"].as_u64().and_then(|bytes| usize::try_from(bytes).ok());
                self.payload_bytes_max = bytes.unwrap_or(usize::MAX);
            }
            Packet::Text(text) if text.starts_with('2') && self.answers_pings && !is_v3 => {
                self.outgoing.push_back(Packet::Text(text.replacen('2', "3", 1)));
            }
            Packet::Text(text) if text == "1" => self.end(None, net),
            _ => {}
        }
        self.received.push_back(packet);
    }

    /// Asks for what there is and sends what there is to send, if nothing is on its way.
    fn ask(&mut self, net: &mut MemoryNet) -> bool {
        let Channel::Polling(polling) = &mut self.channel else { return false };
        let paused = polling.probe.as_ref().is_some_and(|probe| probe.stage == Stage::Pausing);
        let target = match &self.sid {
            Some(sid) => format!("{}&transport=polling&sid={sid}", self.opening.target),
            None => format!("{}&transport=polling", self.opening.target),
        };
        let headers = &self.opening.headers;
        let mut moved = false;
        if !polling.get.asked && !paused {
            let request = format!("GET {target} HTTP/1.1\r\n{headers}\r\n");
            polling.get.ask(&request, self.opening.address, net);
            moved = true;
        }
        if !polling.post.asked && !paused && self.sid.is_some() && !self.outgoing.is_empty() {
            let protocol = self.opening.protocol;
            let body = payload::take(&mut self.outgoing, protocol, self.payload_bytes_max);
            let length = body.len();
            let request = format!(
                "POST {target} HTTP/1.1\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
            );
            polling.post.ask(&request, self.opening.address, net);
            moved = true;
        }
        moved
    }

    fn write_frames(&mut self, net: &mut MemoryNet) -> bool {
        let Channel::WebSocket { wire, .. } = &self.channel else { return false };
        let moved = !self.outgoing.is_empty();
        for packet in self.outgoing.drain(..) {
            match packet {
                Packet::Text(text) => wire.send_frame(net, 0x81, text.as_bytes()),
                Packet::Binary(bytes) => match self.opening.protocol {
                    Protocol::V3 => wire.send_frame(net, 0x82, &[&[4], &*bytes].concat()),
                    Protocol::V4 => wire.send_frame(net, 0x82, &bytes),
                },
            }
        }
        moved
    }

    /// Once nothing is on its way over polling, the WebSocket takes over.
    fn advance_probe(&mut self, net: &mut MemoryNet) -> bool {
        let Channel::Polling(polling) = &mut self.channel else { return false };
        let is_quiet = !polling.get.asked && !polling.post.asked;
        let Some(probe) = polling.probe.take_if(|probe| probe.stage == Stage::Pausing && is_quiet)
        else {
            return false;
        };
        probe.wire.send_frame(net, 0x81, b"5");
        self.channel = Channel::WebSocket { wire: probe.wire, upgraded: true };
        true
    }

    fn fail(&mut self, closed: Closed, net: &mut MemoryNet) {
        let is_rejected = matches!(closed, Closed::Rejected { .. }) && self.sid.is_none();
        let code = if let Closed::Ended { code } = closed { code } else { None };
        self.end(code, net);
        if is_rejected {
            self.channel = Channel::Closed(closed);
        }
    }

    fn end(&mut self, code: Option<u16>, net: &mut MemoryNet) {
        for connection in self.connections() {
            net.end(connection);
        }
        self.channel = Channel::Closed(Closed::Ended { code });
    }

    fn make_room(&self, net: &mut MemoryNet) {
        for connection in self.connections() {
            net.set_reads(connection, self.reads);
        }
    }

    fn connections(&self) -> Vec<usize> {
        match &self.channel {
            Channel::Polling(polling) => {
                let probe = polling.probe.iter().map(|probe| &probe.wire);
                let wires = [&polling.get.wire, &polling.post.wire].into_iter().chain(probe);
                wires.map(|wire| wire.connection).collect()
            }
            Channel::WebSocket { wire, .. } => vec![wire.connection],
            Channel::Closed(_) => Vec::new(),
        }
    }

    fn upgrade_request(&self) -> String {
        let Opening { target, headers, .. } = &self.opening;
        let sid = self.sid.as_ref().map(|sid| format!("&sid={sid}")).unwrap_or_default();
        format!(
            "GET {target}&transport=websocket{sid} HTTP/1.1\r\n{headers}Connection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
    }
}

/// What was read.
#[derive(Debug, Default)]
struct Found {
    packets: Vec<Packet>,
    closed: Option<Closed>,
}

impl Polling {
    fn read(&mut self, protocol: Protocol, net: &mut MemoryNet) -> Found {
        let mut found = Found::default();
        for (asking, is_post) in [(&mut self.get, false), (&mut self.post, true)] {
            asking.wire.read(net);
            if !asking.asked {
                continue;
            }
            if let Some(answer) = asking.wire.answer(false, net) {
                asking.asked = false;
                if answer.status != 200 {
                    let body = String::from_utf8_lossy(&answer.body).into_owned();
                    found.closed = Some(Closed::Rejected { status: answer.status, body });
                } else if !is_post {
                    found.packets.extend(payload::decode(&answer, protocol));
                }
            } else if asking.wire.is_over(net) {
                found.closed = Some(Closed::Ended { code: None });
            }
        }
        self.read_probe(net);
        found
    }

    /// A probe that fails is given up, and polling goes on.
    fn read_probe(&mut self, net: &mut MemoryNet) {
        let Some(probe) = &mut self.probe else { return };
        probe.wire.read(net);
        if probe.stage == Stage::Requested
            && let Some(answer) = probe.wire.answer(false, net)
            && answer.status == 101
        {
            probe.wire.send_frame(net, 0x81, b"2probe");
            probe.stage = Stage::Probing;
        }
        if probe.stage == Stage::Probing
            && let Some(Frame { first_byte: 0x81, payload }) = probe.wire.frame()
            && payload == b"3probe"
        {
            probe.stage = Stage::Pausing;
        } else if net.is_ended(probe.wire.connection) {
            net.end(probe.wire.connection);
            self.probe = None;
        }
    }
}

impl Asking {
    /// Asks on the connection or, where the server has closed it since, on a new one.
    fn ask(&mut self, request: &str, address: Option<SocketAddr>, net: &mut MemoryNet) {
        if net.is_ended(self.wire.connection) {
            self.wire = Wire::new(net.connect_from(address));
        }
        net.send(self.wire.connection, request);
        self.asked = true;
    }
}

fn read_websocket(
    wire: &mut Wire,
    upgraded: &mut bool,
    protocol: Protocol,
    net: &mut MemoryNet,
) -> Found {
    let mut found = Found::default();
    wire.read(net);
    if !*upgraded && let Some(answer) = wire.answer(false, net) {
        *upgraded = answer.status == 101;
        if !*upgraded {
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            found.closed = Some(Closed::Rejected { status: answer.status, body });
            return found;
        }
    }
    while *upgraded && found.closed.is_none() {
        let Some(Frame { first_byte, payload }) = wire.frame() else { break };
        match first_byte {
            0x81 => found.packets.push(Packet::Text(into_text(payload))),
            0x82 => {
                // Behind its type, in EIO 3.
                let start = usize::from(protocol == Protocol::V3);
                found.packets.push(Packet::Binary(payload.get(start..).unwrap_or(&[]).to_vec()));
            }
            0x88 => {
                wire.send_frame(net, 0x88, &payload);
                let code = payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
                found.closed = Some(Closed::Ended { code });
            }
            _ => {}
        }
    }
    // What is left then is no whole frame, and won't be one.
    if found.closed.is_none() && net.is_ended(wire.connection) {
        found.closed = Some(Closed::Ended { code: None });
    }
    found
}

fn into_text(bytes: Vec<u8>) -> String {
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => panic!("a text frame holds no text: {error}"),
    }
}
