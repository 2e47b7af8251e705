//! The loop: connections are read, sessions are opened, kept alive and ended, queues are written.
//!
//! ```text
//! wait -> accept, read -> requests and frames -> messages -> heartbeats -> write
//! ```

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use socket2::SockRef;

use super::message::{Cut, Outgoing};
use super::packet::Packet;
use super::record::Record;
use super::script::{Ending, Refusal, Script};
use super::session::{Heartbeat, Session, Transport, polling_body};
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

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
    role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Requests come.
    Http,
    /// Frames of this session come.
    WebSocket(u64),
    /// Whatever comes is left unanswered.
    Deaf,
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
            let (input, output) = (Vec::new(), Vec::new());
            self.connections.insert(number, Connection { stream, input, output, role: Role::Http });
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
            (None, key) => self.open(number, key.as_deref()),
            (Some(session), Some(key)) => {
                self.probe(number, session, key);
            }
            (Some(session), None) if !self.sessions.contains_key(&session) => {
                self.respond(number, "400 Bad Request", r#"{"code":1}"#);
            }
            (Some(session), None) if request.is_post => {
                self.respond(number, "200 OK", "ok");
                let body = std::str::from_utf8(&request.body).unwrap();
                for message in body.split('\u{1e}') {
                    self.text_or_base64(session, message);
                }
            }
            (Some(session), None) => {
                if let Some(session) = self.sessions.get_mut(&session) {
                    match session.transport {
                        Transport::Polling(None) if session.probe.is_none() => {
                            session.transport = Transport::Polling(Some(number));
                        }
                        // Somebody who is about to upgrade has no more to ask for here.
                        _ => self.respond(number, "200 OK", "6"),
                    }
                }
            }
        }
    }

    /// A new session, or what the script has instead.
    fn open(&mut self, number: usize, key: Option<&str>) {
        self.record.attempts += 1;
        let refusal = self.script.refusal(self.record.attempts);
        self.record.refused += u64::from(refusal.is_some());
        match refusal {
            Some(Refusal::Unavailable) => self.respond(number, "503 Service Unavailable", "full"),
            Some(Refusal::Silence) => self.connection(number).role = Role::Deaf,
            Some(Refusal::Reset) => self.end_connection(number, Ending::Reset),
            Some(Refusal::Namespace | Refusal::Eviction) | None => {
                self.open_session(number, key, refusal);
            }
        }
    }

    fn open_session(&mut self, number: usize, key: Option<&str>, refusal: Option<Refusal>) {
        let id = self.sessions_ever;
        self.sessions_ever += 1;
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
        let heartbeat = if self.script.is_pulseless {
            Heartbeat::Never
        } else {
            Heartbeat::PingAt(Instant::now() + interval)
        };
        let mut session = Session::new(transport, heartbeat, refusal);
        session.control(open);
        self.sessions.insert(id, session);
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
                    "2probe" => self.probed(number, session),
                    "5" => self.upgraded(number, session),
                    text => self.text(session, text),
                }
            }
            BINARY => self.attachment(session, frame_in.payload),
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
            self.respond(held, "200 OK", "6");
        }
    }

    fn upgraded(&mut self, number: usize, session: u64) {
        let Some(session) = self.sessions.get_mut(&session) else { return };
        (session.transport, session.probe) = (Transport::WebSocket(number), None);
        self.record.upgraded += 1;
    }

    fn text_or_base64(&mut self, session: u64, message: &str) {
        use base64::Engine as _;
        match message.strip_prefix('b') {
            Some(base64) => {
                let engine = base64::engine::general_purpose::STANDARD;
                self.attachment(session, engine.decode(base64).unwrap());
            }
            None => self.text(session, message),
        }
    }

    /// One message of Engine.IO.
    fn text(&mut self, session: u64, message: &str) {
        match message.as_bytes().first() {
            Some(b'1') => self.end(session, Ending::Frame),
            Some(b'3') => {
                let interval = self.script.ping_interval;
                let Some(session) = self.sessions.get_mut(&session) else { return };
                if let Heartbeat::PongUntil(_) = session.heartbeat {
                    session.heartbeat = Heartbeat::PingAt(Instant::now() + interval);
                    self.record.pongs += 1;
                }
            }
            Some(b'4') => self.packet(session, Packet::parse(&message[1..])),
            _ => panic!("the generator sent {message:?}"),
        }
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
                Heartbeat::PongUntil(until) if until <= now => late.push(*id),
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
                connection.send_frames(&ready);
            } else {
                session.transport = Transport::Polling(None);
                let messages: Vec<_> = ready.iter().map(|one| one.message.clone()).collect();
                connection.send(&response("200 OK", &polling_body(&messages)));
            }
            let written = connection.output.is_empty().then(|| (before, wall_ns()));
            for delivery in ready.iter().filter_map(|one| one.delivery) {
                self.record.deliveries[delivery].written = written;
            }
        }
    }

    fn respond(&mut self, number: usize, status: &str, body: &str) {
        self.connection(number).send(&response(status, body));
    }

    fn connection(&mut self, number: usize) -> &mut Connection {
        self.connections.get_mut(&number).expect("a connection that asks is there")
    }

    /// Ends a session and its connections.
    pub(super) fn end(&mut self, id: u64, ending: Ending) {
        if let Some(session) = self.sessions.remove(&id) {
            for number in session.connections() {
                self.end_connection(number, ending);
            }
        }
    }

    fn end_connection(&mut self, number: usize, ending: Ending) {
        let Some(mut connection) = self.connections.remove(&number) else { return };
        match (ending, connection.role) {
            (Ending::Frame, Role::WebSocket(_)) => {
                connection.send(&frame(FINAL | CLOSE, &1001_u16.to_be_bytes()));
            }
            (Ending::EndOfFile, _) => {}
            (Ending::Frame, _) => connection.send(&response("200 OK", "1")),
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

impl Connection {
    /// Reads all there is; says whether more may come.
    fn read(&mut self) -> bool {
        let mut chunk = [0; 16_384];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return false,
                Ok(count) => self.input.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
        self.write();
    }

    /// Writes what waits; a connection that broke is found when it is read.
    fn write(&mut self) {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.output.clear(),
            }
        }
    }

    fn send_frames(&mut self, messages: &[Outgoing]) {
        let mut bytes = Vec::new();
        for one in messages {
            let text = one.message.text.as_bytes();
            if one.cut == Cut::Frames {
                let (begin, end) = text.split_at(text.len() / 2);
                bytes.extend(frame(TEXT, begin));
                bytes.extend(frame(FINAL, end));
            } else {
                bytes.extend(frame(FINAL | TEXT, text));
            }
            if let Some(attachment) = &one.message.attachment {
                bytes.extend(frame(FINAL | BINARY, attachment));
            }
        }
        if messages.iter().any(|one| one.cut == Cut::Bytes) {
            for byte in bytes {
                self.send(&[byte]);
            }
        } else {
            self.send(&bytes);
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
