//! The engine in virtual time: a driver that plays the conductor's part, and the scripts.

mod closing;
mod handshake;
mod heartbeat;
mod polling;
mod random;
mod rejections;
mod upgrade;
mod v3;
mod websocket;

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::entropy::SeededEntropy;
use crate::message::Message;
use crate::outbox::{Lane, Sink};
use crate::slots::Key;

/// Plays the conductor: hands inputs in, writes down what comes out, fires deadlines.
pub(super) struct Driver {
    pub(super) engine: Engine,
    pub(super) outboxes: Outboxes,
    entropy: SeededEntropy,
    pub(super) now: Duration,
    connections: u32,
    deadlines: BTreeMap<SessionKey, Duration>,
    /// What came out since it was last asked for, one line each.
    events: Vec<String>,
    /// The last answer, with its headers.
    pub(super) last_response: Option<Response>,
    pub(super) incoming: Vec<String>,
}

impl Driver {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    /// The first ping is due after exactly 4 s, since so short an interval gets no phase.
    pub(super) fn with(change: impl FnOnce(&mut EngineConfig)) -> Self {
        let mut config = EngineConfig {
            ping_interval: Duration::from_secs(4),
            ping_timeout: Duration::from_secs(3),
            ..EngineConfig::default()
        };
        change(&mut config);
        Self {
            engine: Engine::new(config, 64),
            outboxes: Outboxes::with_capacity(4),
            entropy: SeededEntropy::new(1),
            now: Duration::from_secs(1_000),
            connections: 0,
            deadlines: BTreeMap::new(),
            events: Vec::new(),
            last_response: None,
            incoming: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> Now {
        Now { monotonic: self.now, wall: self.now }
    }

    pub(super) fn connect(&mut self) -> ConnectionKey {
        self.connections += 1;
        Key::new(self.connections, 0)
    }

    /// Opens a polling session on connection 1 and forgets what that said.
    pub(super) fn open_polling(&mut self) -> SessionKey {
        self.open_polling_with(&get(POLLING))
    }

    pub(super) fn open_polling_with(&mut self, request: &Request) -> SessionKey {
        let connection = self.connect();
        let Self { engine, outboxes, entropy, .. } = self;
        let now = Now { monotonic: self.now, wall: self.now };
        let session = engine.open_polling(now, connection, request, &[], entropy, outboxes);
        self.settle();
        self.events.clear();
        session
    }

    pub(super) fn open_websocket(&mut self) -> (SessionKey, ConnectionKey) {
        self.open_websocket_as(Form::WebSocket)
    }

    pub(super) fn open_websocket_as(&mut self, form: Form) -> (SessionKey, ConnectionKey) {
        let connection = self.connect();
        let Self { engine, outboxes, entropy, .. } = self;
        let now = Now { monotonic: self.now, wall: self.now };
        let session = engine.open_websocket(now, connection, form, entropy, outboxes);
        self.settle();
        self.events.clear();
        (session, connection)
    }

    pub(super) fn get(&mut self, session: SessionKey) -> ConnectionKey {
        self.get_with(session, &get(POLLING))
    }

    pub(super) fn get_with(&mut self, session: SessionKey, request: &Request) -> ConnectionKey {
        let connection = self.connect();
        self.engine.handle_poll(self.now(), session, connection, request, &mut self.outboxes);
        self.settle();
        connection
    }

    /// The head of a POST.
    pub(super) fn begin_post(&mut self, session: SessionKey) -> (ConnectionKey, PostStart) {
        self.begin_post_with(session, &[])
    }

    pub(super) fn begin_post_with(
        &mut self,
        session: SessionKey,
        headers: &[(&str, &str)],
    ) -> (ConnectionKey, PostStart) {
        let connection = self.connect();
        let request = Request::for_tests("POST", POLLING, headers, "");
        let now = self.now();
        let start = self.engine.handle_post(now, session, connection, &request, &mut self.outboxes);
        self.settle();
        (connection, start)
    }

    /// A whole POST.
    pub(super) fn post(&mut self, session: SessionKey, body: &str) -> ConnectionKey {
        let (connection, start) = self.begin_post(session);
        if start != PostStart::Refused {
            self.post_body(session, connection, body);
        }
        connection
    }

    pub(super) fn post_body(&mut self, session: SessionKey, connection: ConnectionKey, body: &str) {
        let protocol = self.engine.protocol(session).unwrap();
        let mut payload = Payload::new(body.as_bytes().to_vec(), protocol);
        while let Some(packet) = payload.next_packet() {
            self.packet(session, connection, packet);
        }
        self.engine.finish_post(self.now(), session, connection, &mut self.outboxes);
        self.settle();
    }

    /// A whole POST with a query and a content type of its own.
    pub(super) fn post_with(
        &mut self,
        session: SessionKey,
        target: &str,
        content_type: &str,
        body: &[u8],
    ) -> ConnectionKey {
        let connection = self.connect();
        let headers = [("Content-Type", content_type)];
        let mut request = Request::for_tests("POST", target, &headers, "");
        let now = self.now();
        let start = self.engine.handle_post(now, session, connection, &request, &mut self.outboxes);
        self.settle();
        if start == PostStart::Refused {
            return connection;
        }
        request.set_body(body.to_vec());
        let mut payload = self.engine.payload(session, &mut request);
        while let Some(packet) = payload.next_packet() {
            self.packet(session, connection, packet);
        }
        self.engine.finish_post(self.now(), session, connection, &mut self.outboxes);
        self.settle();
        connection
    }

    pub(super) fn text(&mut self, session: SessionKey, connection: ConnectionKey, text: &str) {
        self.packet(session, connection, RawPacket::Text(text));
        self.settle();
    }

    pub(super) fn packet(
        &mut self,
        session: SessionKey,
        connection: ConnectionKey,
        packet: RawPacket<'_>,
    ) {
        let now = Now { monotonic: self.now, wall: self.now };
        let Self { engine, outboxes, incoming, .. } = self;
        match engine.handle_packet(now, session, connection, packet, outboxes) {
            Some(Incoming::Text(text)) => incoming.push(text.to_owned()),
            Some(Incoming::Binary(bytes)) => incoming.push(format!("{bytes:?}")),
            None => {}
        }
    }

    pub(super) fn probe(&mut self, session: SessionKey) -> ConnectionKey {
        let connection = self.connect();
        let (form, outboxes) = (Form::WebSocket, &mut self.outboxes);
        let now = Now { monotonic: self.now, wall: self.now };
        self.engine.handle_probe(now, session, connection, form, outboxes);
        self.settle();
        connection
    }

    pub(super) fn lose(&mut self, session: SessionKey, connection: ConnectionKey, how: Lost) {
        self.engine.handle_disconnect(self.now(), session, connection, how, &mut self.outboxes);
        self.settle();
    }

    pub(super) fn close(&mut self, session: SessionKey, how: Close, reason: DisconnectReason) {
        self.engine.close(self.now(), session, how, reason, &mut self.outboxes);
        self.settle();
    }

    /// Queues a message without flushing it, as a handler does within a turn.
    pub(super) fn queue(&mut self, session: SessionKey, text: &str) -> bool {
        self.outboxes.push(session, &Message::text(text), Lane::Soon).is_some()
    }

    pub(super) fn send(&mut self, session: SessionKey, text: &str) {
        self.queue(session, text);
        self.settle();
    }

    /// Lets time pass and fires what is due on the way.
    pub(super) fn advance(&mut self, by: Duration) {
        let until = self.now + by;
        while let Some((&session, &at)) = self.deadlines.iter().min_by_key(|(_, at)| **at) {
            if at > until {
                break;
            }
            self.now = self.now.max(at);
            self.deadlines.remove(&session);
            self.engine.handle_deadline(self.now(), session, &mut self.outboxes);
            self.settle();
        }
        self.now = until;
    }

    pub(super) fn advance_ms(&mut self, milliseconds: u64) {
        self.advance(Duration::from_millis(milliseconds));
    }

    /// What came out since the last call.
    pub(super) fn events(&mut self) -> Vec<String> {
        std::mem::take(&mut self.events)
    }

    pub(super) fn deadline(&self, session: SessionKey) -> Option<Duration> {
        self.deadlines.get(&session).copied()
    }

    /// Drains the outputs and flushes the outboxes, as the end of a turn does.
    pub(super) fn settle(&mut self) {
        self.drain();
        while let Some((session, sink)) = self.outboxes.next_listed(Lane::Soon) {
            match sink {
                Sink::Closed | Sink::Held => {}
                Sink::Poll => {
                    self.engine.flush_poll(self.now(), session, &mut self.outboxes);
                    self.drain();
                }
                Sink::WebSocket(connection, form) => {
                    while let Some(message) = self.outboxes.pop(session) {
                        self.record_frame(connection, message.form(form));
                    }
                }
            }
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            self.record(output);
        }
    }

    fn record(&mut self, output: Output) {
        let line = match output {
            Output::Respond { connection, response } => {
                let body = String::from_utf8_lossy(response.body()).replace('\x1e', "|");
                let status = response.status().code();
                self.last_response = Some(response);
                format!("{} {status} {body}", connection.index())
            }
            Output::Send { connection, frame } => {
                self.record_frame(connection, frame.bytes());
                return;
            }
            Output::CloseWebSocket { connection, code: None } => {
                format!("{} close", connection.index())
            }
            Output::CloseWebSocket { connection, code: Some(code) } => {
                format!("{} close {code}", connection.index())
            }
            Output::Destroy { connection } => format!("{} destroy", connection.index()),
            Output::Opened { .. } => "opened".to_owned(),
            Output::Upgraded { connection, .. } => format!("upgraded {}", connection.index()),
            Output::Closed { session, reason, detail, .. } => {
                self.deadlines.remove(&session);
                match detail {
                    Some(detail) => format!("closed {} ({detail})", reason.label()),
                    None => format!("closed {}", reason.label()),
                }
            }
            Output::Schedule { session, at } => {
                self.deadlines.insert(session, at);
                return;
            }
        };
        self.events.push(line);
    }

    fn record_frame(&mut self, connection: ConnectionKey, frame: &[u8]) {
        let (first, length) = (frame[0], frame[1]);
        let payload = match length {
            126 => &frame[4..],
            127 => &frame[10..],
            _ => &frame[2..],
        };
        let kind = if first == 0x81 { "<" } else { "<<" };
        let payload = String::from_utf8_lossy(payload);
        self.events.push(format!("{} {kind} {payload}", connection.index()));
    }
}

pub(super) fn get(target: &str) -> Request {
    Request::for_tests("GET", target, &[], "")
}

pub(super) fn upgrade(target: &str) -> Request {
    upgrade_with(target, &[])
}

pub(super) fn upgrade_with(target: &str, headers: &[(&str, &str)]) -> Request {
    let mut all = vec![("Upgrade", "websocket"), ("Connection", "Upgrade")];
    all.extend_from_slice(headers);
    Request::for_tests("GET", target, &all, "")
}

pub(super) const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
pub(super) const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";
