//! The client's half of Socket.IO: sockets in namespaces over one session.
//!
//! ```text
//! > 40/chat,{"token":"x"}      < 40/chat,{"sid":"..."}
//! > 42/chat,0["add",1,2]       < 43/chat,0[3]
//! ```

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::connect::{ConnectError, State};
use super::event::Event;
use super::link::{Closed, Link, Packet};
use super::net::MemoryNet;
use crate::socketio::payload::{Args, OwnedArgs};

/// One client: a session and the sockets on it.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) link: Link,
    pub(super) sockets: Vec<Joined>,
    /// Every packet since the test asked last.
    pub(super) packets: Vec<Packet>,
    incomplete: Option<Incomplete>,
}

/// One socket of a client.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) namespace: String,
    pub(super) auth: Option<String>,
    pub(super) state: State,
    /// The CONNECT packet has been sent.
    asked: bool,
    pub(super) id: String,
    pub(super) events: Vec<Event>,
    pub(super) answers: BTreeMap<u64, OwnedArgs>,
    next_ack: u64,
    /// What a session is restored by: its private id, and the last event's offset.
    private_id: Option<String>,
    offset: Option<String>,
}

/// A packet whose attachments are on their way.
#[derive(Debug)]
struct Incomplete {
    text: String,
    attachments: Vec<Rc<[u8]>>,
    missing: usize,
}

impl Client {
    pub(super) fn new(link: Link) -> Self {
        Self { link, sockets: Vec::new(), packets: Vec::new(), incomplete: None }
    }

    /// Adds a socket, which asks for its namespace as soon as it can; its place.
    pub(super) fn join(&mut self, namespace: &str, auth: Option<String>) -> usize {
        self.sockets.push(Joined {
            namespace: namespace.to_owned(),
            auth,
            state: State::Connecting,
            asked: false,
            id: String::new(),
            events: Vec::new(),
            answers: BTreeMap::new(),
            next_ack: 0,
            private_id: None,
            offset: None,
        });
        self.sockets.len() - 1
    }

    /// Comes back over a new session, or to its namespace over the one that is there.
    pub(super) fn rejoin(&mut self, socket: usize, link: Option<Link>) {
        if let Some(link) = link {
            (self.link, self.incomplete) = (link, None);
        }
        let socket = &mut self.sockets[socket];
        (socket.state, socket.asked) = (State::Connecting, false);
        (socket.next_ack, socket.answers) = (0, BTreeMap::new());
    }

    /// Sends an event; the number to look up its answer by, if it asks for one.
    pub(super) fn emit(
        &mut self,
        socket: usize,
        name: &str,
        args: &OwnedArgs,
        asks: bool,
    ) -> Option<u64> {
        let joined = &mut self.sockets[socket];
        let id = asks.then_some(joined.next_ack);
        joined.next_ack += u64::from(asks);
        let name = Value::from(name).to_string();
        self.send_args(socket, '2', id, Some(&name), args);
        id
    }

    pub(super) fn acknowledge(&mut self, socket: usize, id: u64, args: &OwnedArgs) {
        self.send_args(socket, '3', Some(id), None, args);
    }

    pub(super) fn leave(&mut self, socket: usize) {
        let text = format!("41{}", self.prefix(socket));
        self.link.send(Packet::Text(text));
        self.sockets[socket].state = State::Left;
    }

    /// Reads, answers and sends; `false` where there was nothing to do.
    pub(super) fn turn(&mut self, net: &mut MemoryNet) -> bool {
        let moved = self.link.turn(net);
        while let Some(packet) = self.link.received.pop_front() {
            self.take(&packet);
            self.packets.push(packet);
        }
        self.note_end();
        let asked = self.ask();
        moved | asked
    }

    /// Asks for the namespaces that were not asked for, once the session is open.
    fn ask(&mut self) -> bool {
        let mut moved = false;
        for index in 0..self.sockets.len() {
            let socket = &mut self.sockets[index];
            if self.link.is_open() && socket.state == State::Connecting && !socket.asked {
                socket.asked = true;
                let payload = socket.payload();
                let text = format!("40{}{payload}", self.prefix(index));
                self.link.send(Packet::Text(text));
                moved = true;
            }
        }
        moved
    }

    /// A session that has ended has ended for its sockets.
    fn note_end(&mut self) {
        let Some(closed) = self.link.closed() else { return };
        for socket in &mut self.sockets {
            socket.state = match (&socket.state, closed) {
                (State::Connecting, Closed::Rejected { status, body }) => {
                    let (status, body) = (*status, body.clone());
                    State::Failed(ConnectError::Rejected { status, body })
                }
                (State::Connecting, Closed::Ended { .. }) => State::Failed(ConnectError::Closed),
                (State::Connected, Closed::Ended { code }) => State::Closed { code: *code },
                _ => continue,
            };
        }
    }

    fn take(&mut self, packet: &Packet) {
        match packet {
            Packet::Text(text) => {
                let Some(text) = text.strip_prefix('4') else { return };
                match text.split_once('-') {
                    Some((head, rest)) if head.starts_with(['5', '6']) => {
                        let missing = head[1..].parse().unwrap_or(0);
                        // With its attachments it is what it is without.
                        let text = if head.starts_with('5') { "2" } else { "3" }.to_owned() + rest;
                        let attachments = Vec::new();
                        self.incomplete = Some(Incomplete { text, attachments, missing });
                    }
                    _ => self.take_packet(text, &[]),
                }
            }
            Packet::Binary(bytes) => {
                let Some(incomplete) = &mut self.incomplete else { return };
                incomplete.attachments.push(Rc::from(bytes.as_slice()));
                if incomplete.attachments.len() == incomplete.missing
                    && let Some(Incomplete { text, attachments, .. }) = self.incomplete.take()
                {
                    self.take_packet(&text, &attachments);
                }
            }
        }
    }

    /// One packet of Socket.IO with what belongs to it: `2/chat,7["hi"]`.
    fn take_packet(&mut self, text: &str, attachments: &[Rc<[u8]>]) {
        let (kind, rest) = text.split_at(1);
        let (namespace, rest) = match rest.split_once(',') {
            Some((namespace, rest)) if namespace.starts_with('/') => (namespace, rest),
            _ if rest.starts_with('/') => (rest, ""),
            _ => ("/", rest),
        };
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (id, payload) = rest.split_at(digits);
        let at = |socket: &&mut Joined| socket.namespace == namespace && !socket.is_gone();
        let Some(socket) = self.sockets.iter_mut().rev().find(at) else { return };
        match kind {
            "0" => socket.connected(payload),
            "1" => socket.state = State::Dismissed,
            "2" => socket.heard(id.parse().ok(), payload, attachments),
            "3" => {
                if let Ok(id) = id.parse() {
                    socket.answers.insert(id, owned_args(&values(payload), attachments));
                }
            }
            "4" => socket.refused(payload),
            _ => {}
        }
    }

    fn send_args(
        &mut self,
        socket: usize,
        kind: char,
        id: Option<u64>,
        name: Option<&str>,
        args: &OwnedArgs,
    ) {
        let args = args.as_args();
        let json = (!args.is_empty()).then(|| args.json());
        let elements = name.into_iter().chain(json.as_deref()).collect::<Vec<_>>().join(",");
        let id = id.map(|id| id.to_string()).unwrap_or_default();
        let prefix = self.prefix(socket);
        let attachments = args.attachments();
        let head = match (kind, attachments.len()) {
            (_, 0) => kind.to_string(),
            ('2', count) => format!("5{count}-"),
            (_, count) => format!("6{count}-"),
        };
        self.link.send(Packet::Text(format!("4{head}{prefix}{id}[{elements}]")));
        for bytes in attachments {
            self.link.send(Packet::Binary(bytes.to_vec()));
        }
    }

    /// What names a namespace in a packet; nothing for `/`.
    fn prefix(&self, socket: usize) -> String {
        match self.sockets[socket].namespace.as_str() {
            "/" => String::new(),
            namespace => format!("{namespace},"),
        }
    }
}

impl Joined {
    /// Whether nothing of its namespace concerns it any more.
    fn is_gone(&self) -> bool {
        !matches!(self.state, State::Connecting | State::Connected)
    }

    /// The payload of its CONNECT packet.
    fn payload(&self) -> String {
        let auth = self.auth.clone().unwrap_or_default();
        let (Some(pid), Some(offset)) = (&self.private_id, &self.offset) else { return auth };
        let mut payload = serde_json::from_str(&auth).unwrap_or(Value::Object(Map::new()));
        payload["pid"] = Value::from(pid.as_str());
        payload["offset"] = Value::from(offset.as_str());
        payload.to_string()
    }

    fn connected(&mut self, payload: &str) {
        let payload: Value = serde_json::from_str(payload).unwrap_or_default();
        payload["sid"].as_str().unwrap_or_default().clone_into(&mut self.id);
        self.private_id = payload["pid"].as_str().map(str::to_owned);
        self.state = State::Connected;
    }

    fn heard(&mut self, ack: Option<u64>, payload: &str, attachments: &[Rc<[u8]>]) {
        let values = values(payload);
        let Some((name, values)) = values.split_first() else { return };
        let name = serde_json::from_str::<Value>(name.get()).unwrap_or_default();
        let name = name.as_str().map_or_else(|| name.to_string(), str::to_owned);
        // As the official client: any text at the end is taken for an offset.
        if self.private_id.is_some() && ack.is_none() {
            let last = values.last().map(|last| serde_json::from_str(last.get()));
            self.offset = last.and_then(Result::ok).or(self.offset.take());
        }
        self.events.push(Event::heard(name, owned_args(values, attachments), ack));
    }

    fn refused(&mut self, payload: &str) {
        let payload: Value = serde_json::from_str(payload).unwrap_or_default();
        let message = payload["message"].as_str().or(payload.as_str()).unwrap_or_default();
        let data = payload.get("data").map(Value::to_string);
        self.state = State::Failed(ConnectError::Refused { message: message.to_owned(), data });
    }
}

/// The elements of an array; none where there is no array.
fn values(payload: &str) -> Vec<Box<RawValue>> {
    serde_json::from_str(payload).unwrap_or_default()
}

fn owned_args(values: &[Box<RawValue>], attachments: &[Rc<[u8]>]) -> OwnedArgs {
    let json = values.iter().map(|value| value.get()).collect::<Vec<_>>().join(",");
    Args::new(&json, values.len(), attachments).to_owned()
}
