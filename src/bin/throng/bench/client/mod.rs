//! One client of a run: the protocol's other side, without sockets or clocks.
//!
//! A client uses up to three connections, its lanes; bytes go in by lane, and what is to be done
//! comes out. Events are handed to a sink as borrowed bytes: nobody parses JSON here.
//!
//! ```text
//! Output::Open(Main)  ..  < 101  < 0{..}  > 40  < 40{..}  Event::Connected  < 42["chat","~tb1.."]
//! ```

mod answer;
mod frame;
mod polling;
mod upgrade;
mod websocket;

use std::fmt;

use tungstenite::protocol::frame::coding::{Data, OpCode};

use super::plan::{Plan, Protocol, Transport};
use polling::Polling;
use websocket::Websocket;

pub(crate) use frame::MESSAGE_BYTES_MAX;

/// One client.
#[derive(Debug)]
pub(crate) struct Client {
    machine: Machine,
}

/// What a client speaks over.
#[derive(Debug)]
enum Machine {
    Websocket(Websocket),
    /// Over long-polling, for good or until it is upgraded.
    Polling(Box<Polling>),
}

/// Which of a client's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// The WebSocket, or the one that polls.
    Main,
    /// The one that posts.
    Post,
    /// The WebSocket that an upgrade probes with, and moves to.
    Probe,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Open(Lane),
    Write(Lane, Vec<u8>),
    Close(Lane),
}

/// What a client was told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// The namespace has let it in; a client that upgrades is upgraded too.
    Connected,
    /// The namespace has let it in, but its upgrade was refused: it stays on long-polling.
    NotUpgraded,
    /// A Socket.IO packet, its type and namespace in front; a bare message on a bare WebSocket.
    Packet(&'a [u8]),
    /// A binary attachment of the packet before.
    Attachment(&'a [u8]),
    /// A ping, which was answered.
    Ping,
}

/// Why a client's session or attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The server's status, other than what was asked for.
    Status(u16),
    /// The namespace refused.
    Refused,
    /// The server left the namespace or closed the session.
    Disconnected,
    /// The server ended the connection.
    EndOfFile,
    /// The connection broke: what the system says.
    Broken(std::io::ErrorKind),
    BadResponse,
    BadFrame,
    BadPacket,
    TooLarge,
    TimedOut,
}

/// What all clients of a run say alike, made once.
#[derive(Debug)]
pub(crate) struct Dialect {
    pub(crate) protocol: Protocol,
    pub(crate) transport: Transport,
    /// Host and port, as the `Host` header has it.
    pub(crate) host: String,
    /// Path and the beginning of the query, as in `/socket.io/?EIO=4`.
    pub(crate) target: String,
    /// As in `/chat,`; empty for the namespace `/`.
    pub(crate) namespace: String,
}

impl Dialect {
    pub(crate) fn new(plan: &Plan, host: &str) -> Self {
        let target = match plan.protocol {
            Protocol::SocketIo => {
                let separator = if plan.path.contains('?') { '&' } else { '?' };
                format!("{}{separator}EIO=4", plan.path)
            }
            Protocol::Websocket => plan.path.clone(),
        };
        let namespace = match plan.namespace.as_str() {
            "/" => String::new(),
            namespace => format!("{namespace},"),
        };
        let Plan { protocol, transport, .. } = *plan;
        Self { protocol, transport, host: host.to_owned(), target, namespace }
    }
}

impl Client {
    /// A client that isn't connected; the mask is for all its frames.
    pub(crate) fn new(mask: [u8; 4]) -> Self {
        Self { machine: Machine::Websocket(Websocket::new(mask)) }
    }

    /// Begins to connect.
    pub(crate) fn connect(&mut self, dialect: &Dialect, outputs: &mut Vec<Output>) {
        let mask = match &self.machine {
            Machine::Websocket(websocket) => websocket.mask(),
            Machine::Polling(polling) => polling.mask(),
        };
        match dialect.transport {
            Transport::Websocket => {
                self.machine = Machine::Websocket(Websocket::new(mask));
                outputs.push(Output::Open(Lane::Main));
            }
            Transport::Polling | Transport::Upgrade => {
                let mut polling = Box::new(Polling::new(mask));
                polling.connect(outputs);
                self.machine = Machine::Polling(polling);
            }
        }
    }

    /// A lane that was asked for is open.
    pub(crate) fn handle_open(&mut self, dialect: &Dialect, lane: Lane, outputs: &mut Vec<Output>) {
        match &mut self.machine {
            Machine::Websocket(_) => {
                outputs.push(Output::Write(lane, Websocket::request(dialect, "")));
            }
            Machine::Polling(polling) => polling.handle_open(dialect, lane, outputs),
        }
    }

    /// Takes what a lane received; returns how many bytes need not be shown again.
    pub(crate) fn handle_input(
        &mut self,
        dialect: &Dialect,
        lane: Lane,
        input: &[u8],
        outputs: &mut Vec<Output>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<usize, Ending> {
        match &mut self.machine {
            Machine::Websocket(websocket) => {
                websocket.handle_input(dialect, lane, input, outputs, sink)
            }
            Machine::Polling(polling) => {
                let taken = polling.handle_input(dialect, lane, input, outputs, sink)?;
                if let Some(websocket) = polling.upgraded() {
                    self.machine = Machine::Websocket(websocket);
                }
                Ok(taken)
            }
        }
    }

    /// A lane was ended by the server, has broken or couldn't be opened; `is_midway` when a part of
    /// something had come. An error is the end of the session; otherwise it goes on.
    pub(crate) fn handle_end(
        &mut self,
        dialect: &Dialect,
        (lane, is_midway): (Lane, bool),
        ending: Ending,
        outputs: &mut Vec<Output>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), Ending> {
        match &mut self.machine {
            Machine::Websocket(_) => Err(ending),
            Machine::Polling(polling) => {
                polling.handle_end(dialect, (lane, is_midway), ending, outputs, sink)
            }
        }
    }

    /// Sends a Socket.IO packet, or on a bare WebSocket a message, with its attachment.
    pub(crate) fn send(
        &mut self,
        dialect: &Dialect,
        packet: &[u8],
        attachment: Option<&[u8]>,
        outputs: &mut Vec<Output>,
    ) {
        match &mut self.machine {
            Machine::Websocket(websocket) => {
                let bytes = websocket.frames(dialect, packet, attachment);
                outputs.push(Output::Write(websocket.lane(), bytes));
            }
            Machine::Polling(polling) => polling.send(dialect, packet, attachment, outputs),
        }
    }

    /// Bytes of packets that wait for their turn here, before any connection has them.
    pub(crate) fn waiting_bytes(&self) -> usize {
        match &self.machine {
            Machine::Websocket(_) => 0,
            Machine::Polling(polling) => polling.waiting_bytes(),
        }
    }

    /// The lane that events come by.
    pub(crate) fn event_lane(&self) -> Lane {
        match &self.machine {
            Machine::Websocket(websocket) => websocket.lane(),
            Machine::Polling(_) => Lane::Main,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "answered with status {status}"),
            Self::Refused => f.write_str("refused by the namespace"),
            Self::Disconnected => f.write_str("disconnected by the server"),
            Self::EndOfFile => f.write_str("connection ended by the server"),
            Self::Broken(kind) => write!(f, "connection broken: {kind}"),
            Self::BadResponse => f.write_str("answered with something that is no HTTP"),
            Self::BadFrame => f.write_str("sent a broken WebSocket frame"),
            Self::BadPacket => f.write_str("sent a broken packet"),
            Self::TooLarge => f.write_str("sent a message that is too large"),
            Self::TimedOut => f.write_str("took too long to connect"),
        }
    }
}

const TEXT: OpCode = OpCode::Data(Data::Text);
const BINARY: OpCode = OpCode::Data(Data::Binary);
