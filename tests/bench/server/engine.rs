//! The loop: connections are read, sessions are opened, kept alive and ended, queues are written.
//!
//! ```text
//! wait -> accept, read -> requests and frames -> messages -> heartbeats -> write
//! ```

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use socket2::SockRef;

use super::connection::{Connection, Role};
use super::packet::Packet;
use super::protocol::{Part, Protocol};
use super::record::Record;
use super::script::{Ending, Refusal, Script};
use super::session::{Heartbeat, Session, Transport};
use super::wire::{BINARY, CLOSE, FINAL, Frame, PING, PONG, Request, TEXT, frame};
use super::wire::{response, switching};

/// The server, in its thread.
pub(super) struct Engine {
    poll: Poll,
    waker: Arc<Waker>,
    listener: TcpListener,
    connections: BTreeMap<usize, Connection>,
    connections_ever: usize,
    /// By their place in the order of connecting.
    pub(super) sessions: BTreeMap<u64, Session>,
    sessions_ever: u64,
    pub(super) script: Script,
    pub(super) record: Record,
    /// Hears of each event.
    pub(super) tell: Sender<()>,
}

impl Engine {
    pub(super) fn bind(script: Script, tell: Sender<()>) -> Self {
        let poll = Poll::new().unwrap();
        let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE).unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), END).unwrap());
        Self {
            poll,
            waker,
            listener,
            connections: BTreeMap::new(),
            connections_ever: 0,
            sessions: BTreeMap::new(),
            sessions_ever: 0,
            script,
            record: Record::default(),
            tell,
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    pub(super) fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// Serves until it is woken.
    pub(super) fn run(mut self) -> Record {
        let mut events = Events::with_capacity(1_024);
        loop {
            let due = self.sessions.values().filter_map(Session::deadline).min();
            let timeout = due.map(|at| at.saturating_duration_since(Instant::now()) + TICK);
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != ErrorKind::Interrupted => panic!("{error}"),
                _ => {}
            }
            for event in &events {
                match event.token() {
                    END => return self.record,
                    LISTENER => self.accept(),
                    Token(connection) => self.serve(connection),
                }
            }
            self.beat();
            self.flush_all();
        }
    }

    fn accept(&mut self) {
        while let Ok((mut stream, _)) = self.listener.accept() {
            stream.set_nodelay(true).unwrap();
            let number = self.connections_ever;
            self.connections_ever += 1;
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(number), interest).unwrap();
            self.connections.insert(number, Connection::new(stream));
        }
    }

    /// Reads what there is, and does what it asks for.
    fn serve(&mut self, number: usize) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let is_open = connection.read();
        connection.write();
        loop {
            let Some(connection) = self.connections.get_mut(&number) else { return };
            match connection.role {
                Role::Http => match Request::take(&mut connection.input) {
                    Some(request) => self.request(number, &request),
                    None => break,
                },
                Role::WebSocket(session) => match Frame::take(&mut connection.input) {
                    Some(frame) => self.frame(number, session, frame),
                    None => break,
                },
                Role::Deaf => break,
            }
        }
        if !is_open {
            self.gone(number);
        }
    }

    fn request(&mut self, number: usize, request: &Request) {
        let sid = request.parameter("sid").map(|sid| sid.parse::<u64>().unwrap());
        match (sid, &request.websocket_key) {
            (None, _) => self.open(number, request),
            (Some(session), Some(key)) => {
                self.probe(number, session, key);
            }
            (Some(session), None) if !self.sessions.contains_key(&session) => {
                self.respond(number, "400 Bad Request", r#"{"code":1}"#);
            }
            (Some(session), None) if request.is_post => {
                self.respond(number, "200 OK", "ok");
                for part in self.protocol(session).parts(request) {
                    match part {
                        Part::Text(text) => self.text(session, &text),
                        Part::Attachment(bytes) => self.attachment(session, bytes),
                    }
                }
            }
            (Some(session), None) => {
                if let Some(session) = self.sessions.get_mut(&session) {
                    match session.transport {
                        Transport::Polling(None) if session.probe.is_none() => {
                            session.transport = Transport::Polling(Some(number));
                        }
                        // Somebody who is about to upgrade has no more to ask for here.
                        _ => {
                            let body = session.protocol.text_body("6");
                            self.connection(number).send(&response("200 OK", &body));
                        }
                    }
                }
            }
        }
    }

    /// A new session, or what the script has instead.
    fn open(&mut self, number: usize, request: &Request) {
        self.record.attempts += 1;
        let refusal = self.script.refusal(self.record.attempts);
        self.record.refused += u64::from(refusal.is_some());
        match refusal {
            Some(Refusal::Unavailable) => self.respond(number, "503 Service Unavailable", "full"),
            Some(Refusal::Silence) => self.connection(number).role = Role::Deaf,
            Some(Refusal::Reset) => {
                let protocol = Protocol::of(request);
                self.end_connection(number, protocol, Ending::Reset);
            }
            Some(Refusal::Namespace | Refusal::Eviction) | None => {
                self.open_session(number, request, refusal);
            }
        }
    }

    fn open_session(&mut self, number: usize, request: &Request, refusal: Option<Refusal>) {
        let id = self.sessions_ever;
        self.sessions_ever += 1;
        let protocol = Protocol::of(request);
        let key = &request.websocket_key;
        let (interval, timeout) = (self.script.ping_interval, self.script.ping_timeout);
        let upgrades = if key.is_some() { "" } else { "\"websocket\"" };
        let open = format!(
            "0{{\"sid\":\"{id}\",\"upgrades\":[{upgrades}],\"pingInterval\":{},\
             \"pingTimeout\":{},\"maxPayload\":1000000}}",
            interval.as_millis(),
            timeout.as_millis(),
        );
        let transport = if let Some(key) = key {
            let connection = self.connection(number);
            connection.role = Role::WebSocket(id);
            connection.send(&switching(key));
            Transport::WebSocket(number)
        } else {
            Transport::Polling(Some(number))
        };
        let heartbeat = match protocol {
            Protocol::V4 if !self.script.is_pulseless => {
                Heartbeat::PingAt(Instant::now() + interval)
            }
            Protocol::V3 => Heartbeat::PingUntil(Instant::now() + interval + timeout),
            Protocol::V4 | Protocol::Bare => Heartbeat::Never,
        };
        let mut session = Session::new(protocol, transport, heartbeat, refusal);
        if protocol != Protocol::Bare {
            session.control(open);
        }
        self.sessions.insert(id, session);
        if protocol != Protocol::V4 {
            self.let_in(id);
        }
        self.flush(id);
    }

    fn probe(&mut self, number: usize, session: u64, key: &str) {
        let connection = self.connection(number);
        connection.role = Role::WebSocket(session);
        connection.send(&switching(key));
        if let Some(session) = self.sessions.get_mut(&session) {
            session.probe = Some(number);
        }
    }

    fn frame(&mut self, number: usize, session: u64, frame_in: Frame) {
        match frame_in.opcode {
            TEXT => {
                let text = String::from_utf8(frame_in.payload).unwrap();
                match text.as_str() {
                    text if self.protocol(session) == Protocol::Bare => self.bare(session, text),
                    "2probe" => self.probed(number, session),
                    "5" => self.upgraded(number, session),
                    text => self.text(session, text),
                }
            }
            BINARY => {
                let bytes = self.protocol(session).attachment(frame_in.payload);
                self.attachment(session, bytes);
            }
            PING => self.connection(number).send(&frame(FINAL | PONG, &frame_in.payload)),
            CLOSE => {
                self.connection(number).send(&frame(FINAL | CLOSE, &frame_in.payload));
                self.gone(number);
            }
            _ => {}
        }
    }

    fn probed(&mut self, number: usize, session: u64) {
        self.connection(number).send(&frame(FINAL | TEXT, b"3probe"));
        let Some(session) = self.sessions.get_mut(&session) else { return };
        if let Transport::Polling(Some(held)) = session.transport {
            session.transport = Transport::Polling(None);
            let body = session.protocol.text_body("6");
            self.connection(held).send(&response("200 OK", &body));
        }
    }

    fn upgraded(&mut self, number: usize, session: u64) {
        let Some(session) = self.sessions.get_mut(&session) else { return };
        (session.transport, session.probe) = (Transport::WebSocket(number), None);
        self.record.upgraded += 1;
    }

    /// One message of Engine.IO.
    fn text(&mut self, session: u64, message: &str) {
        match message.as_bytes().first() {
            Some(b'1') => self.end(session, Ending::Frame),
            Some(b'2') => self.pinged(session),
            Some(b'3') => {
                let interval = self.script.ping_interval;
                let Some(session) = self.sessions.get_mut(&session) else { return };
                assert_ne!(session.protocol, Protocol::V3, "pongs are the server's");
                if let Heartbeat::PongUntil(_) = session.heartbeat {
                    session.heartbeat = Heartbeat::PingAt(Instant::now() + interval);
                    self.record.pongs += 1;
                }
            }
            Some(b'4') => self.packet(session, Packet::parse(&message[1..])),
            _ => panic!("the generator sent {message:?}"),
        }
    }

    /// A client has asked whether anybody is there.
    fn pinged(&mut self, id: u64) {
        let until = Instant::now() + self.script.ping_interval + self.script.ping_timeout;
        let Some(session) = self.sessions.get_mut(&id) else { return };
        assert_eq!(session.protocol, Protocol::V3, "pings are the server's");
        session.heartbeat = Heartbeat::PingUntil(until);
        self.record.pings += 1;
        if !self.script.is_pulseless {
            session.control("3");
            self.record.pongs += 1;
            self.flush(id);
        }
    }

    fn protocol(&self, session: u64) -> Protocol {
        self.sessions.get(&session).map_or(Protocol::V4, |session| session.protocol)
    }

    fn attachment(&mut self, session: u64, bytes: Vec<u8>) {
        let pending = self.sessions.get_mut(&session).and_then(|session| session.pending.take());
        if let Some(packet) = pending {
            self.event(session, &packet, Some(bytes));
        }
    }

    /// Sends pings that are due, and ends who didn't answer one.
    fn beat(&mut self) {
        let now = Instant::now();
        let timeout = self.script.ping_timeout;
        let mut late = Vec::new();
        for (id, session) in &mut self.sessions {
            match session.heartbeat {
                Heartbeat::PingAt(at) if at <= now => {
                    session.heartbeat = Heartbeat::PongUntil(now + timeout);
                    session.control("2");
                    self.record.pings += 1;
                }
                Heartbeat::PongUntil(until) | Heartbeat::PingUntil(until) if until <= now => {
                    late.push(*id);
                }
                _ => {}
            }
        }
        for id in late {
            self.record.pongs_missed += 1;
            self.end(id, Ending::Frame);
        }
    }

    fn flush_all(&mut self) {
        let sessions: Vec<_> = self.sessions.keys().copied().collect();
        for session in sessions {
            self.flush(session);
        }
    }

    /// Writes what is ready, as far as the connection takes it.
    pub(super) fn flush(&mut self, id: u64) {
        loop {
            let Some(session) = self.sessions.get_mut(&id) else { return };
            let number = match session.transport {
                Transport::Polling(None) => return,
                Transport::Polling(Some(number)) | Transport::WebSocket(number) => number,
            };
            let Some(connection) = self.connections.get_mut(&number) else { return };
            if !connection.output.is_empty() {
                return;
            }
            let ready = session.take_ready(Instant::now());
            if ready.is_empty() {
                return;
            }
            let before = wall_ns();
            if let Transport::WebSocket(_) = session.transport {
                connection.send_frames(session.protocol, &ready);
            } else {
                session.transport = Transport::Polling(None);
                let messages: Vec<_> = ready.iter().map(|one| one.message.clone()).collect();
                connection.send(&response("200 OK", &session.protocol.body(&messages)));
            }
            let written = connection.output.is_empty().then(|| (before, wall_ns()));
            for delivery in ready.iter().filter_map(|one| one.delivery) {
                self.record.deliveries[delivery].written = written;
            }
        }
    }

    fn respond(&mut self, number: usize, status: &str, body: &str) {
        self.connection(number).send(&response(status, body.as_bytes()));
    }

    fn connection(&mut self, number: usize) -> &mut Connection {
        self.connections.get_mut(&number).expect("a connection that asks is there")
    }

    /// Ends a session and its connections.
    pub(super) fn end(&mut self, id: u64, ending: Ending) {
        if let Some(session) = self.sessions.remove(&id) {
            for number in session.connections() {
                self.end_connection(number, session.protocol, ending);
            }
        }
    }

    fn end_connection(&mut self, number: usize, protocol: Protocol, ending: Ending) {
        let Some(mut connection) = self.connections.remove(&number) else { return };
        match (ending, connection.role) {
            (Ending::Frame, Role::WebSocket(_)) => {
                connection.send(&frame(FINAL | CLOSE, &1001_u16.to_be_bytes()));
            }
            (Ending::EndOfFile, _) => {}
            (Ending::Frame, _) => connection.send(&response("200 OK", &protocol.text_body("1"))),
            (Ending::Reset, _) => {
                SockRef::from(&connection.stream).set_linger(Some(Duration::ZERO)).unwrap();
            }
        }
    }

    /// A connection that ended by itself, and its session if it was its WebSocket.
    fn gone(&mut self, number: usize) {
        let Some(connection) = self.connections.remove(&number) else { return };
        let current = Transport::WebSocket(number);
        if let Role::WebSocket(id) = connection.role
            && self.sessions.get(&id).is_some_and(|session| session.transport == current)
        {
            self.sessions.remove(&id);
            self.record.gone += 1;
        }
    }
}

/// The wall clock, as marks and the kernel's stamps have it.
pub(super) fn wall_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_nanos()).unwrap()
}

const LISTENER: Token = Token(usize::MAX);
const END: Token = Token(usize::MAX - 1);
/// A wait ends in whole milliseconds, and rather late than early.
const TICK: Duration = Duration::from_millis(1);
