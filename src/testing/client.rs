//! The client's half of Socket.IO: sockets in namespaces over one session.
//!
//! ```text
//! > 40/chat,{"token":"x"}      < 40/chat,{"sid":"..."}
//! > 42/chat,0["add",1,2]       < 43/chat,0[3]
//! ```

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::connect::{ConnectError, State};
use super::event::Event;
use super::link::{Closed, Link, Packet};
use super::net::MemoryNet;
use super::speech::Speech;
use crate::deadlines::Now;
use crate::engineio::Protocol;
use crate::socketio::payload::{Args, OwnedArgs};
use crate::socketio::{IncomingPacket, PacketKind, Partial};

/// One client: a session and the sockets on it.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) link: Link,
    pub(super) sockets: Vec<Joined>,
    /// Every packet since the test asked last.
    pub(super) packets: Vec<Packet>,
    speech: Speech,
    /// A packet whose attachments are on their way.
    partial: Partial,
}

/// One socket of a client.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) namespace: String,
    /// What a client of EIO 3 writes behind the name: `?token=x`.
    query: String,
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

impl Client {
    pub(super) fn new(link: Link, speech: Speech) -> Self {
        let partial = Partial::default();
        Self { link, sockets: Vec::new(), packets: Vec::new(), speech, partial }
    }

    /// Adds a socket, which asks for its namespace as soon as it can; its place.
    pub(super) fn join(&mut self, namespace: &str, auth: Option<String>) -> usize {
        let is_v2 = self.link.protocol() == Protocol::V3;
        let (namespace, query) = match namespace.find('?') {
            Some(at) if is_v2 => namespace.split_at(at),
            _ => (namespace, ""),
        };
        assert!(auth.is_none() || !is_v2, "clients of Engine.IO 3 have no payload to connect with");
        self.sockets.push(Joined {
            namespace: namespace.to_owned(),
            query: query.to_owned(),
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
            (self.link, self.partial) = (link, Partial::default());
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
        let data = OwnedArgs::write(|writer| {
            writer.push(name)?;
            writer.extend(args)
        });
        match data {
            Ok(data) => self.say(socket, PacketKind::Event, id, data.as_args()),
            Err(error) => panic!("{error}"),
        }
        id
    }

    pub(super) fn acknowledge(&mut self, socket: usize, id: u64, args: &OwnedArgs) {
        self.say(socket, PacketKind::Ack, Some(id), args.as_args());
    }

    pub(super) fn leave(&mut self, socket: usize) {
        self.say(socket, PacketKind::Disconnect, None, Args::default());
        self.sockets[socket].state = State::Left;
    }

    /// Reads, answers and sends; `false` where there was nothing to do.
    pub(super) fn turn(&mut self, now: Now, net: &mut MemoryNet) -> bool {
        let moved = self.link.turn(now, net);
        while let Some(packet) = self.link.received.pop_front() {
            match self.speech.decode(&packet, &mut self.partial) {
                _ if self.take_refusal_v2(&packet) => {}
                Ok(Some(incoming)) => self.take(&incoming),
                Ok(None) => {}
                // As the official client, which calls this a parse error.
                Err(()) => self.link.close(net),
            }
            self.packets.push(packet);
        }
        self.note_end();
        let asked = self.ask();
        moved | asked
    }

    /// Asks for the namespaces that were not asked for, once the session is open.
    fn ask(&mut self) -> bool {
        let mut moved = false;
        let is_v2 = self.link.protocol() == Protocol::V3;
        for index in 0..self.sockets.len() {
            let socket = &mut self.sockets[index];
            // A client of EIO 3 is in `/` by coming.
            let is_in = is_v2 && socket.namespace == "/";
            if self.link.is_open() && socket.state == State::Connecting && !socket.asked && !is_in {
                socket.asked = true;
                let payload = socket.payload();
                let data = match payload.as_str() {
                    "" => Args::default(),
                    payload => Args::new(payload, 1, &[]),
                };
                self.say(index, PacketKind::Connect, None, data);
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

    fn take(&mut self, packet: &IncomingPacket) {
        let data = packet.data.as_args();
        let id = self.link.sid().unwrap_or_default().to_owned();
        let Some(socket) = self.socket_in(&packet.namespace) else { return };
        match packet.kind {
            PacketKind::Connect => socket.connected(data.first_as_json().as_deref(), &id),
            PacketKind::Disconnect => socket.state = State::Dismissed,
            PacketKind::Event => socket.heard(packet.id, data),
            PacketKind::Ack => {
                if let Some(id) = packet.id {
                    socket.answers.insert(id, data.to_owned());
                }
            }
            PacketKind::ConnectError => {
                socket.refused(data.first_as_json().as_deref().unwrap_or_default());
            }
        }
    }

    /// A refusal for a client of EIO 3, which may be any JSON: `44/chat,[1,2]`.
    fn take_refusal_v2(&mut self, packet: &Packet) -> bool {
        let Packet::Text(text) = packet else { return false };
        let Some(rest) = text.strip_prefix("44") else { return false };
        if self.link.protocol() != Protocol::V3 {
            return false;
        }
        let (namespace, payload) = match rest.split_once(',') {
            Some((namespace, payload)) if namespace.starts_with('/') => (namespace, payload),
            _ => ("/", rest),
        };
        if let Some(socket) = self.socket_in(namespace) {
            socket.refused(payload);
        }
        true
    }

    /// The socket that a packet is for, the last of them that is left.
    fn socket_in(&mut self, namespace: &str) -> Option<&mut Joined> {
        let at = |socket: &&mut Joined| socket.namespace == namespace && !socket.is_gone();
        self.sockets.iter_mut().rev().find(at)
    }

    fn say(&mut self, socket: usize, kind: PacketKind, id: Option<u64>, data: Args<'_>) {
        let socket = &self.sockets[socket];
        let namespace = format!("{}{}", socket.namespace, socket.query);
        for packet in self.speech.encode(kind, &namespace, id, data) {
            self.link.send(packet);
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

    /// It is in. A client of EIO 3 hears no id and makes it from its session's.
    fn connected(&mut self, payload: Option<&str>, sid: &str) {
        self.state = State::Connected;
        let Some(payload) = payload else {
            self.id = match self.namespace.as_str() {
                "/" => sid.to_owned(),
                namespace => format!("{namespace}#{sid}"),
            };
            return;
        };
        let payload: Value = serde_json::from_str(payload).unwrap_or_default();
        payload["sid"].as_str().unwrap_or_default().clone_into(&mut self.id);
        self.private_id = payload["pid"].as_str().map(str::to_owned);
    }

    fn heard(&mut self, ack: Option<u64>, data: Args<'_>) {
        let Ok(name) = data.get::<Value>(0) else { return };
        let name = name.as_str().map_or_else(|| name.to_string(), str::to_owned);
        let args = data.skip(1);
        // As the official client: any text at the end is taken for an offset.
        if self.private_id.is_some()
            && ack.is_none()
            && let Some(last) = args.len().checked_sub(1)
            && let Ok(offset) = args.get(last)
        {
            self.offset = Some(offset);
        }
        self.events.push(Event::heard(name, args.to_owned(), ack));
    }

    /// A client of EIO 3 is told the data or else the message, by itself.
    fn refused(&mut self, payload: &str) {
        let payload: Value = serde_json::from_str(payload).unwrap_or_default();
        let message = payload["message"].as_str().or(payload.as_str());
        let data = match message {
            Some(_) => payload.get("data"),
            None => Some(&payload),
        };
        let data = data.map(Value::to_string);
        let message = message.unwrap_or_default().to_owned();
        self.state = State::Failed(ConnectError::Refused { message, data });
    }
}
