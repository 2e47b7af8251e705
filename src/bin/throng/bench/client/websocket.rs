//! A client that speaks over one WebSocket, from the beginning or after an upgrade.
//!
//! ```text
//! > GET /socket.io/?EIO=4&transport=websocket   < 101   < 0{"sid":..}   > 40   < 40{"sid":..}
//! ```

use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::answer::next_head;
use super::frame::{Frame, next_frame, push_frame};
use super::opened::Opened;
use super::{BINARY, Dialect, Ending, Event, Lane, MESSAGE_BYTES_MAX, Output, TEXT};
use crate::bench::plan::Protocol;

/// A WebSocket and what stands on it.
#[derive(Debug)]
pub(crate) struct Websocket {
    stage: Stage,
    /// The one it came by: an upgrade leaves it where it probed.
    lane: Lane,
    mask: [u8; 4],
    /// The message that is coming in frames.
    message: Option<Box<Fragments>>,
}

#[derive(Debug)]
struct Fragments {
    opcode: OpCode,
    payload: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The request is sent, its answer awaited.
    Upgrading,
    /// The open packet is awaited.
    Opening,
    /// CONNECT is sent, its answer awaited.
    Joining,
    /// Events flow.
    Joined,
}

impl Websocket {
    pub(crate) fn new(mask: [u8; 4]) -> Self {
        Self { stage: Stage::Upgrading, lane: Lane::Main, mask, message: None }
    }

    /// What goes on with the session of a probe, which may still wait to be let in.
    pub(crate) fn upgraded(mask: [u8; 4], is_joined: bool) -> Self {
        let stage = if is_joined { Stage::Joined } else { Stage::Joining };
        Self { stage, lane: Lane::Probe, mask, message: None }
    }

    pub(crate) fn lane(&self) -> Lane {
        self.lane
    }

    pub(crate) fn mask(&self) -> [u8; 4] {
        self.mask
    }

    /// The request for the upgrade; `sid` as in `&sid=..` for an existing session.
    pub(crate) fn request(dialect: &Dialect, sid: &str) -> Vec<u8> {
        let transport = match dialect.protocol {
            Protocol::SocketIo | Protocol::SocketIoV2 => "&transport=websocket",
            Protocol::Websocket => "",
        };
        format!(
            "GET {}{transport}{sid} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            dialect.target, dialect.host,
        )
        .into_bytes()
    }

    pub(crate) fn handle_input(
        &mut self,
        dialect: &Dialect,
        lane: Lane,
        input: &[u8],
        outputs: &mut Vec<Output>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<usize, Ending> {
        let mut taken = 0;
        if self.stage == Stage::Upgrading {
            taken = match read_upgrade(input)? {
                Some(bytes) => bytes,
                None => return Ok(0),
            };
            self.stage = Stage::Opening;
            if dialect.protocol == Protocol::Websocket {
                self.stage = Stage::Joined;
                sink(Event::Connected);
            }
        }
        while let Some(frame) = next_frame(input.get(taken..).unwrap_or_default())? {
            taken += frame.bytes;
            self.handle_frame(dialect, lane, &frame, outputs, sink)?;
        }
        Ok(taken)
    }

    /// A packet as masked frames.
    pub(crate) fn frames(
        &self,
        dialect: &Dialect,
        packet: &[u8],
        attachment: Option<&[u8]>,
    ) -> Vec<u8> {
        let mut out = Vec::with_capacity(packet.len() + attachment.map_or(0, <[u8]>::len) + 32);
        match dialect.protocol {
            Protocol::SocketIo | Protocol::SocketIoV2 => {
                let mut message = Vec::with_capacity(packet.len() + 1);
                message.push(b'4');
                message.extend_from_slice(packet);
                push_frame(&mut out, TEXT, self.mask, &message);
            }
            Protocol::Websocket => push_frame(&mut out, TEXT, self.mask, packet),
        }
        if let Some(attachment) = attachment {
            dialect.push_attachment(&mut out, self.mask, attachment);
        }
        out
    }

    pub(crate) fn ping(&self, outputs: &mut Vec<Output>) {
        self.reply(self.lane, TEXT, b"2", outputs);
    }

    fn handle_frame(
        &mut self,
        dialect: &Dialect,
        lane: Lane,
        frame: &Frame<'_>,
        outputs: &mut Vec<Output>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), Ending> {
        match frame.opcode {
            OpCode::Data(Data::Text | Data::Binary) if frame.is_final => {
                if self.message.is_some() {
                    return Err(Ending::BadFrame);
                }
                self.handle_message(dialect, lane, frame.opcode, frame.payload, outputs, sink)
            }
            OpCode::Data(Data::Text | Data::Binary) => {
                let payload = frame.payload.to_vec();
                let fragments = Box::new(Fragments { opcode: frame.opcode, payload });
                match self.message.replace(fragments) {
                    None => Ok(()),
                    Some(_) => Err(Ending::BadFrame),
                }
            }
            OpCode::Data(Data::Continue) => {
                let mut message = self.message.take().ok_or(Ending::BadFrame)?;
                if message.payload.len() + frame.payload.len() > MESSAGE_BYTES_MAX {
                    return Err(Ending::TooLarge);
                }
                message.payload.extend_from_slice(frame.payload);
                if frame.is_final {
                    let Fragments { opcode, payload } = *message;
                    return self.handle_message(dialect, lane, opcode, &payload, outputs, sink);
                }
                self.message = Some(message);
                Ok(())
            }
            OpCode::Control(Control::Ping) => {
                self.reply(lane, OpCode::Control(Control::Pong), frame.payload, outputs);
                sink(Event::Ping);
                Ok(())
            }
            OpCode::Control(Control::Pong) => Ok(()),
            OpCode::Control(Control::Close) => Err(Ending::Disconnected),
            OpCode::Data(Data::Reserved(_)) | OpCode::Control(Control::Reserved(_)) => {
                Err(Ending::BadFrame)
            }
        }
    }

    fn handle_message(
        &mut self,
        dialect: &Dialect,
        lane: Lane,
        opcode: OpCode,
        message: &[u8],
        outputs: &mut Vec<Output>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), Ending> {
        if dialect.protocol == Protocol::Websocket {
            sink(Event::Packet(message));
            return Ok(());
        }
        if opcode == BINARY {
            sink(Event::Attachment(dialect.attachment(message)?));
            return Ok(());
        }
        match (self.stage, message) {
            (Stage::Joined, [b'4', packet @ ..]) => {
                if packet.first() == Some(&b'1') {
                    return Err(Ending::Disconnected);
                }
                sink(Event::Packet(packet));
            }
            (_, b"3") if dialect.is_v2() => sink(Event::Pong),
            (_, b"2") if !dialect.is_v2() => {
                self.reply(lane, TEXT, b"3", outputs);
                sink(Event::Ping);
            }
            (Stage::Opening, [b'0', opened @ ..]) => {
                sink(Event::Opened(Opened::read(opened)?.heartbeat(dialect)));
                self.stage = Stage::Joining;
                if let Some(connect) = dialect.connect() {
                    let bytes = self.frames(dialect, connect.as_bytes(), None);
                    outputs.push(Output::Write(lane, bytes));
                }
            }
            (Stage::Joining, [b'4', b'0', connect @ ..]) if dialect.lets_in(connect) => {
                self.stage = Stage::Joined;
                sink(Event::Connected);
            }
            (Stage::Joining, [b'4', b'4', ..]) => return Err(Ending::Refused),
            (Stage::Joining, [b'4', b'0' | b'2' | b'5', ..]) if dialect.is_v2() => {}
            (_, [b'1', ..]) => return Err(Ending::Disconnected),
            (_, b"6") => {}
            _ => return Err(Ending::BadPacket),
        }
        Ok(())
    }

    fn reply(&self, lane: Lane, opcode: OpCode, payload: &[u8], outputs: &mut Vec<Output>) {
        let mut out = Vec::with_capacity(payload.len() + 14);
        push_frame(&mut out, opcode, self.mask, payload);
        outputs.push(Output::Write(lane, out));
    }
}

/// The bytes of the answer to an upgrade; `None` while a part of it is missing.
pub(super) fn read_upgrade(input: &[u8]) -> Result<Option<usize>, Ending> {
    match next_head(input)? {
        None => Ok(None),
        Some(head) if head.status == 101 => Ok(Some(head.bytes)),
        Some(head) => Err(Ending::Status(head.status)),
    }
}
