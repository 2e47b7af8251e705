//! The floor itself: one thread, one epoll, and one bare send of a ready frame per recipient.
//!
//! What throng is measured against: the least that a server could do and still lose nothing. It
//! has no rooms, namespaces, limits or heartbeats and checks no text; it keeps what a socket
//! doesn't take, and writes it when it can. A client that never reads costs it all its memory.
//!
//! ```text
//! 42["chat",..] of one client  ->  81 .. 42["chat",..] to each, one write(2) each
//! ```

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::frame::coding::{Control, OpCode};

use crate::wire::{self, Frame, Packet, Refused, Speaks, Upgrade};

/// The server.
pub(crate) struct Floor {
    poll: Poll,
    listener: TcpListener,
    clients: Slab<Client>,
    sending: Sending,
    /// Broadcasts that are not yet with everybody; only one that looks up leaves any here.
    broadcasts: VecDeque<Broadcast>,
    /// Whose queue waits for the end of the turn.
    queued: Vec<usize>,
    sessions: u64,
}

/// When a broadcast leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// At once, to everybody, in one tight loop.
    Bare,
    /// At once, but epoll is looked at after so many sends.
    Looking(usize),
    /// At the end of the turn, with all that the turn brought the same recipient, in one call.
    Joined,
}

struct Client {
    stream: TcpStream,
    stage: Stage,
    output: Output,
    /// The start of what is still to come whole.
    input: Vec<u8>,
    /// What is still to be written.
    waiting: Vec<u8>,
}

/// How far a client has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Its request is awaited.
    Http,
    /// It has a session, and gets no broadcast before its CONNECT.
    Open,
    /// It gets every broadcast.
    Connected,
    /// It has no Socket.IO: each text is echoed.
    Raw,
}

/// What a client's socket last said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    /// It has taken everything.
    Ready,
    /// What waits is written at the end of the turn.
    Queued,
    /// It was full: what waits is written once it is writable.
    Full,
}

struct Broadcast {
    frame: Vec<u8>,
    /// The next recipient, by its place among the clients.
    next: usize,
}

impl Floor {
    /// Listens at an address.
    pub(crate) fn bind(address: SocketAddr, sending: Sending) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(address)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            clients: Slab::new(),
            sending,
            broadcasts: VecDeque::new(),
            queued: Vec::new(),
            sessions: 0,
        })
    }

    pub(crate) fn local_address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves for ever.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let timeout = (!self.broadcasts.is_empty()).then_some(Duration::ZERO);
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            for event in &events {
                if event.token() == LISTENER {
                    self.accept()?;
                } else {
                    self.handle_event(event, &mut buffer);
                }
            }
            if let Sending::Looking(sends) = self.sending {
                self.send_some(sends);
            }
            while let Some(index) = self.queued.pop() {
                self.write_waiting(index, Output::Queued);
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let entry = self.clients.vacant_entry();
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(entry.key()), interest)?;
            entry.insert(Client::new(stream));
        }
    }

    fn handle_event(&mut self, event: &Event, buffer: &mut [u8]) {
        let index = event.token().0;
        if event.is_writable() {
            self.write_waiting(index, Output::Full);
        }
        let is_ended = event.is_read_closed() || event.is_error();
        if !event.is_readable() && !is_ended {
            return;
        }
        while let Some(client) = self.clients.get_mut(index) {
            match client.stream.read(buffer) {
                Ok(bytes @ 1..) => {
                    let Some(input) = buffer.get_mut(..bytes) else { return };
                    if self.take(index, input).is_err() {
                        self.clients.try_remove(index);
                    }
                    // A short read drained the socket, unless the end of the stream waits too.
                    if bytes < buffer.len() && !is_ended {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                _ => {
                    self.clients.try_remove(index);
                }
            }
        }
    }

    /// Handles what came from a client, and keeps the start of what is still to come whole.
    fn take(&mut self, index: usize, input: &mut [u8]) -> Result<(), Refused> {
        let kept = self.clients.get_mut(index).map(|client| std::mem::take(&mut client.input));
        let mut kept = kept.unwrap_or_default();
        if kept.is_empty() {
            let taken = self.take_whole(index, input)?;
            kept.extend_from_slice(input.get(taken..).unwrap_or_default());
        } else {
            kept.extend_from_slice(input);
            let taken = self.take_whole(index, &mut kept)?;
            kept.drain(..taken);
        }
        if !kept.is_empty()
            && let Some(client) = self.clients.get_mut(index)
        {
            client.input = kept;
        }
        Ok(())
    }

    /// Handles all that is whole, and returns how many bytes that was.
    fn take_whole(&mut self, index: usize, input: &mut [u8]) -> Result<usize, Refused> {
        let mut at = 0;
        while let Some(rest) = input.get_mut(at..)
            && !rest.is_empty()
            && let Some(client) = self.clients.get(index)
        {
            let stage = client.stage;
            let taken = if stage == Stage::Http {
                Upgrade::parse(rest)?.map(|upgrade| self.upgrade(index, &upgrade))
            } else {
                match Frame::parse(rest)? {
                    Some(frame) => Some(self.handle_frame(index, stage, &frame)?),
                    None => None,
                }
            };
            let Some(taken) = taken else { break };
            at += taken;
        }
        Ok(at)
    }

    fn upgrade(&mut self, index: usize, upgrade: &Upgrade) -> usize {
        let mut answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            derive_accept_key(&upgrade.key),
        )
        .into_bytes();
        if upgrade.speaks == Speaks::SocketIo {
            answer.append(&mut wire::frame(wire::TEXT, &[self.open_packet().as_bytes()]));
        }
        if let Some(client) = self.clients.get_mut(index) {
            client.stage = match upgrade.speaks {
                Speaks::SocketIo => Stage::Open,
                Speaks::Raw => Stage::Raw,
            };
        }
        self.send(index, &answer);
        upgrade.bytes
    }

    /// No ping is due within fifty minutes, so no run sees one.
    fn open_packet(&mut self) -> String {
        format!(
            "0{{\"sid\":\"{}\",\"upgrades\":[],\"pingInterval\":3000000,\"pingTimeout\":20000,\
             \"maxPayload\":1000000}}",
            self.new_sid(),
        )
    }

    /// Ids count up: nobody is to be kept out.
    fn new_sid(&mut self) -> String {
        self.sessions += 1;
        format!("{:020}", self.sessions)
    }

    fn handle_frame(
        &mut self,
        index: usize,
        stage: Stage,
        frame: &Frame<'_>,
    ) -> Result<usize, Refused> {
        match frame.opcode {
            wire::TEXT if stage == Stage::Raw => {
                self.send(index, &wire::frame(wire::TEXT, &[frame.payload]));
            }
            wire::TEXT => self.handle_packet(index, frame.payload)?,
            wire::PING => self.send(index, &wire::frame(wire::PONG, &[frame.payload])),
            wire::PONG => {}
            OpCode::Control(Control::Close) => {
                self.send(index, &wire::frame(frame.opcode, &[frame.payload]));
                return Err(Refused);
            }
            _ => return Err(Refused),
        }
        Ok(frame.bytes)
    }

    fn handle_packet(&mut self, index: usize, text: &[u8]) -> Result<(), Refused> {
        match Packet::parse(text) {
            Packet::Connect => {
                if let Some(client) = self.clients.get_mut(index) {
                    client.stage = Stage::Connected;
                }
                let answer = format!("40{{\"sid\":\"{}\"}}", self.new_sid());
                self.send(index, &wire::frame(wire::TEXT, &[answer.as_bytes()]));
            }
            Packet::Chat => self.broadcast(wire::frame(wire::TEXT, &[text])),
            Packet::Echo => self.send(index, &wire::frame(wire::TEXT, &[text])),
            Packet::AckEcho { id, args } => {
                self.send(index, &wire::frame(wire::TEXT, &[b"43", id, b"[", args]));
            }
            Packet::Close => return Err(Refused),
            Packet::Other => {}
        }
        Ok(())
    }

    fn broadcast(&mut self, frame: Vec<u8>) {
        if matches!(self.sending, Sending::Looking(_)) {
            return self.broadcasts.push_back(Broadcast { frame, next: 0 });
        }
        for (index, client) in &mut self.clients {
            if client.stage == Stage::Connected {
                client.send(&frame, self.sending, index, &mut self.queued);
            }
        }
    }

    /// Goes on with the broadcasts, for so many sends. Who connects while one is under way may get
    /// it too.
    fn send_some(&mut self, sends: usize) {
        let mut left = sends;
        while let Some(broadcast) = self.broadcasts.front_mut() {
            while broadcast.next < self.clients.capacity() {
                if left == 0 {
                    return;
                }
                let index = broadcast.next;
                broadcast.next += 1;
                if let Some(client) = self.clients.get_mut(index)
                    && client.stage == Stage::Connected
                {
                    client.send(&broadcast.frame, self.sending, index, &mut self.queued);
                    left -= 1;
                }
            }
            self.broadcasts.pop_front();
        }
    }

    fn send(&mut self, index: usize, bytes: &[u8]) {
        if let Some(client) = self.clients.get_mut(index) {
            client.send(bytes, self.sending, index, &mut self.queued);
        }
    }

    /// Writes what waits for a client, if this is what it waits for.
    fn write_waiting(&mut self, index: usize, awaited: Output) {
        if let Some(client) = self.clients.get_mut(index)
            && client.output == awaited
        {
            let mut waiting = std::mem::take(&mut client.waiting);
            let written = client.write(&waiting);
            waiting.drain(..written);
            client.waiting = waiting;
        }
    }
}

impl Client {
    fn new(stream: TcpStream) -> Self {
        let (input, waiting) = (Vec::new(), Vec::new());
        Self { stream, stage: Stage::Http, output: Output::Ready, input, waiting }
    }

    /// Sends ready bytes, or puts them behind what waits already.
    fn send(&mut self, bytes: &[u8], sending: Sending, index: usize, queued: &mut Vec<usize>) {
        match (self.output, sending) {
            (Output::Ready, Sending::Bare | Sending::Looking(_)) => {
                let written = self.write(bytes);
                self.waiting.extend_from_slice(bytes.get(written..).unwrap_or_default());
            }
            (Output::Ready, Sending::Joined) => {
                self.output = Output::Queued;
                queued.push(index);
                self.waiting.extend_from_slice(bytes);
            }
            (Output::Queued | Output::Full, _) => self.waiting.extend_from_slice(bytes),
        }
    }

    /// One write(2). A short one filled the socket: epoll tells when there is room again.
    fn write(&mut self, bytes: &[u8]) -> usize {
        let written = loop {
            match self.stream.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break 0,
                // A client that is gone is seen when it is read from; what was for it goes too.
                result => break result.unwrap_or(bytes.len()),
            }
        };
        self.output = if written < bytes.len() { Output::Full } else { Output::Ready };
        written
    }
}

const LISTENER: Token = Token(usize::MAX - 1);
const EVENTS_MAX: usize = 1_024;
const BUFFER_BYTES: usize = 64 * 1_024;
