//! One client of a run: the protocol's other side, without sockets or clocks.
//!
//! A client uses up to three connections, its lanes; bytes go in by lane, and what is to be done
//! comes out. Events are handed to a sink as borrowed bytes: nobody parses JSON here.
//!
//! ```text
//! Output::Open(Main)  ..  < 101  < 0{..}  > 40  < 40{..}  Event::Connected  < 42["chat","~tb1.."]
//! ```

mod answer;
mod body;
mod dialect;
mod frame;
mod opened;
mod polling;
mod upgrade;
#[cfg(test)]
mod v2_tests;
mod websocket;

use std::fmt;
use std::time::Duration;

use tungstenite::protocol::frame::coding::{Data, OpCode};

use super::transports::Transport;
use polling::Polling;
use websocket::Websocket;

pub(crate) use dialect::Dialect;
pub(crate) use frame::MESSAGE_BYTES_MAX;

/// One client.
#[derive(Debug)]
pub(crate) struct Client {
    /// What it connects over, each time.
    transport: Transport,
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
    /// There is a session, which is kept alive like this.
    Opened(Heartbeat),
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
    /// The answer to a ping.
    Pong,
}

/// How a session is kept alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heartbeat {
    /// How long the server may be silent; nothing is no limit.
    pub(crate) patience: Duration,
    /// How long after a pong the client pings, where that is its part.
    pub(crate) ping_after: Option<Duration>,
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
    /// No ping or pong came in the time that the server has named itself.
    Silent,
}

impl Client {
    /// A client that isn't connected; the mask is for all its frames.
    pub(crate) fn new(transport: Transport, mask: [u8; 4]) -> Self {
        Self { transport, machine: Machine::Websocket(Websocket::new(mask)) }
    }

    /// Begins to connect.
    pub(crate) fn connect(&mut self, outputs: &mut Vec<Output>) {
        let mask = match &self.machine {
            Machine::Websocket(websocket) => websocket.mask(),
            Machine::Polling(polling) => polling.mask(),
        };
        match self.transport {
            Transport::Websocket => {
                self.machine = Machine::Websocket(Websocket::new(mask));
                outputs.push(Output::Open(Lane::Main));
            }
            Transport::Polling | Transport::Upgrade => {
                let upgrades = self.transport == Transport::Upgrade;
                let mut polling = Box::new(Polling::new(mask, upgrades));
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

    /// Asks the server whether it is there.
    pub(crate) fn ping(&mut self, dialect: &Dialect, outputs: &mut Vec<Output>) {
        match &mut self.machine {
            Machine::Websocket(websocket) => websocket.ping(outputs),
            Machine::Polling(polling) => polling.ping(dialect, outputs),
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
            Self::Silent => f.write_str("stopped its heartbeat"),
            Self::TimedOut => f.write_str("took too long to connect"),
        }
    }
}

const TEXT: OpCode = OpCode::Data(Data::Text);
const BINARY: OpCode = OpCode::Data(Data::Binary);

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::bench::plan::Protocol;

    /// A client whose outputs are written out as text, such as `open main` or `main GET ..`, and
    /// which gets its input byte by byte.
    pub(crate) struct Trial {
        pub(crate) client: Client,
        pub(crate) dialect: Dialect,
        pub(crate) events: Vec<String>,
    }

    pub(crate) fn dialect(namespace: &str) -> Dialect {
        dialect_of(Protocol::SocketIo, namespace)
    }

    pub(crate) fn dialect_v2(namespace: &str) -> Dialect {
        dialect_of(Protocol::SocketIoV2, namespace)
    }

    fn dialect_of(protocol: Protocol, namespace: &str) -> Dialect {
        let eio = if protocol == Protocol::SocketIoV2 { 3 } else { 4 };
        let namespace = if namespace == "/" { String::new() } else { format!("{namespace},") };
        Dialect {
            protocol,
            host: "localhost:3000".to_owned(),
            target: format!("/socket.io/?EIO={eio}"),
            namespace,
        }
    }

    /// An answer with a body.
    pub(crate) fn ok(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    /// A poll, as an output.
    pub(crate) fn get(sid: &str) -> String {
        format!(
            "main GET /socket.io/?EIO=4&transport=polling{sid} HTTP/1.1\\r\\n\
             Host: localhost:3000\\r\\nAccept: */*\\r\\n\\r\\n"
        )
    }

    /// A POST, as an output.
    pub(crate) fn post(sid: &str, body: &str) -> String {
        format!(
            "post POST /socket.io/?EIO=4&transport=polling{sid} HTTP/1.1\\r\\n\
             Host: localhost:3000\\r\\nAccept: */*\\r\\n\
             Content-Type: text/plain;charset=UTF-8\\r\\nContent-Length: {}\\r\\n\\r\\n{}",
            body.len(),
            body.as_bytes().escape_ascii(),
        )
        .replace("\\\"", "\"")
    }

    impl Trial {
        pub(crate) fn new(transport: Transport, dialect: Dialect) -> Self {
            let client = Client::new(transport, [1, 2, 3, 4]);
            Self { client, dialect, events: Vec::new() }
        }

        /// Connects a polling client with the id `x`; its POST connection has served already.
        pub(crate) fn join(&mut self) {
            self.connect(&["open main"]);
            self.open(Lane::Main, &[&get("")]);
            let opened = ok("0{\"sid\":\"x\",\"upgrades\":[],\"maxPayload\":1000}");
            self.take(Lane::Main, &opened, &["open post", &get("&sid=x")]);
            self.open(Lane::Post, &[&post("&sid=x", "40")]);
            self.take(Lane::Post, &ok("ok"), &[]);
            self.take(Lane::Main, &ok("40{\"sid\":\"y\"}"), &[&get("&sid=x")]);
            assert_eq!(std::mem::take(&mut self.events), ["connected"]);
        }

        pub(crate) fn connect(&mut self, expected: &[&str]) {
            let mut outputs = Vec::new();
            self.client.connect(&mut outputs);
            assert_eq!(shown(&outputs), expected);
        }

        pub(crate) fn open(&mut self, lane: Lane, expected: &[&str]) {
            let mut outputs = Vec::new();
            self.client.handle_open(&self.dialect, lane, &mut outputs);
            assert_eq!(shown(&outputs), expected);
        }

        pub(crate) fn send(&mut self, packet: &str, attachment: Option<&[u8]>, expected: &[&str]) {
            let mut outputs = Vec::new();
            self.client.send(&self.dialect, packet.as_bytes(), attachment, &mut outputs);
            assert_eq!(shown(&outputs), expected);
        }

        pub(crate) fn ping(&mut self, expected: &[&str]) {
            let mut outputs = Vec::new();
            self.client.ping(&self.dialect, &mut outputs);
            assert_eq!(shown(&outputs), expected);
        }

        /// HTTP as it is, anything else as a text frame; nothing may follow before the last byte.
        pub(crate) fn take(&mut self, lane: Lane, input: &str, expected: &[&str]) {
            if lane == Lane::Probe && !input.starts_with("HTTP") {
                let length = u8::try_from(input.len()).expect("a short frame");
                assert!(length < 126);
                let frame = [&[0x81, length], input.as_bytes()].concat();
                self.take_bytes(lane, &frame, expected);
            } else {
                self.take_bytes(lane, input.as_bytes(), expected);
            }
        }

        pub(crate) fn take_bytes(&mut self, lane: Lane, input: &[u8], expected: &[&str]) {
            let (outputs, begin) = self.take_until(lane, input, |outputs| !outputs.is_empty());
            assert_eq!(shown(&outputs), expected);
            assert!(expected.is_empty() || begin == input.len(), "{begin} bytes brought it");
        }

        /// What is refused may be refused before its last byte.
        pub(crate) fn take_begin(&mut self, lane: Lane, input: &str, expected: &[&str]) {
            let (outputs, _) =
                self.take_until(lane, input.as_bytes(), |outputs| !outputs.is_empty());
            assert_eq!(shown(&outputs), expected);
        }

        pub(crate) fn failure(&mut self, lane: Lane, input: &str) -> Ending {
            self.failure_of(lane, input.as_bytes())
        }

        pub(crate) fn failure_of(&mut self, lane: Lane, input: &[u8]) -> Ending {
            self.read(lane, input, &mut Vec::new()).expect_err("an ending")
        }

        pub(crate) fn end(&mut self, lane: Lane, is_midway: bool, expected: &[&str]) {
            let mut outputs = Vec::new();
            assert_eq!(self.lose(lane, is_midway, &mut outputs), Ok(()));
            assert_eq!(shown(&outputs), expected);
        }

        pub(crate) fn ending(&mut self, lane: Lane, is_midway: bool) -> Ending {
            self.lose(lane, is_midway, &mut Vec::new()).expect_err("an ending")
        }

        fn lose(
            &mut self,
            lane: Lane,
            is_midway: bool,
            outputs: &mut Vec<Output>,
        ) -> Result<(), Ending> {
            let Self { client, dialect, events } = self;
            let lost = (lane, is_midway);
            let mut sink = |event: Event<'_>| events.extend(told(&event));
            client.handle_end(dialect, lost, Ending::EndOfFile, outputs, &mut sink)
        }

        /// Shows a growing part of the input until something follows or it ends.
        fn take_until(
            &mut self,
            lane: Lane,
            input: &[u8],
            is_enough: impl Fn(&[Output]) -> bool,
        ) -> (Vec<Output>, usize) {
            let (mut outputs, mut at) = (Vec::new(), 0);
            for end in 1..=input.len() {
                at += self.read(lane, &input[at..end], &mut outputs).expect("no ending");
                if is_enough(&outputs) {
                    return (outputs, end);
                }
            }
            assert_eq!(at, input.len(), "all of it is taken");
            (outputs, input.len())
        }

        fn read(
            &mut self,
            lane: Lane,
            input: &[u8],
            outputs: &mut Vec<Output>,
        ) -> Result<usize, Ending> {
            let Self { client, dialect, events } = self;
            let mut sink = |event: Event<'_>| events.extend(told(&event));
            client.handle_input(dialect, lane, input, outputs, &mut sink)
        }
    }

    /// A session that opens is seen by what follows.
    fn told(event: &Event<'_>) -> Option<String> {
        Some(match event {
            Event::Opened(_) => return None,
            Event::Connected => "connected".to_owned(),
            Event::NotUpgraded => "not upgraded".to_owned(),
            Event::Packet(packet) => format!("packet {}", String::from_utf8_lossy(packet)),
            Event::Attachment(bytes) => format!("attachment {bytes:?}"),
            Event::Ping => "ping".to_owned(),
            Event::Pong => "pong".to_owned(),
        })
    }

    fn shown(outputs: &[Output]) -> Vec<String> {
        let name = |lane: &Lane| format!("{lane:?}").to_lowercase();
        let show = |output: &Output| match output {
            Output::Open(lane) => format!("open {}", name(lane)),
            Output::Close(lane) => format!("close {}", name(lane)),
            Output::Write(lane, bytes) => {
                format!("{} {}", name(lane), bytes.escape_ascii()).replace("\\\"", "\"")
            }
        };
        outputs.iter().map(show).collect()
    }

    #[test]
    fn a_client_is_small() {
        assert!(size_of::<Client>() <= 24);
    }

    #[test]
    fn a_client_that_comes_back_begins_anew() {
        let mut trial = Trial::new(Transport::Polling, dialect("/"));
        trial.join();
        trial.send("2[]", None, &[&post("&sid=x", "42[]")]);
        trial.send("2[]", None, &[]);
        trial.join();
        assert_eq!(trial.client.waiting_bytes(), 0);
    }
}
