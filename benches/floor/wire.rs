//! The little of WebSocket and Socket.IO that the floor understands.
//!
//! It looks at bytes and makes bytes; it has no connection and no state.
//!
//! ```text
//! 81 8b <mask> 42["chat",7]  ->  Chat  ->  81 0b 42["chat",7]
//! ```

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// One frame of a client, its payload unmasked where it lies.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) opcode: OpCode,
    pub(crate) payload: &'a [u8],
    /// How many bytes it took, its header included.
    pub(crate) bytes: usize,
}

/// The client sent what the floor has no answer for: its connection is closed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused;

/// What the head of a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Upgrade {
    pub(crate) speaks: Speaks,
    /// `Sec-WebSocket-Key`.
    pub(crate) key: Vec<u8>,
    /// How many bytes the head took.
    pub(crate) bytes: usize,
}

/// What a connection speaks after its upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// Socket.IO, on `/socket.io/`.
    SocketIo,
    /// Anything, on any other path: each text is echoed.
    Raw,
}

/// A text message of Socket.IO.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packet<'a> {
    /// `40`: the client joins `/`.
    Connect,
    /// `42["chat",..]`: for everybody.
    Chat,
    /// `42["echo",..]`: back to where it came from.
    Echo,
    /// `42N["ack-echo",ARGS]`: acknowledged with its arguments.
    AckEcho { id: &'a [u8], args: &'a [u8] },
    /// `1`, `41`: the client leaves.
    Close,
    /// A pong, or an event that nobody handles.
    Other,
}

impl<'a> Frame<'a> {
    /// The frame at the start of `input`, or `None` while some of it is still to come.
    pub(crate) fn parse(input: &'a mut [u8]) -> Result<Option<Self>, Refused> {
        let mut cursor = Cursor::new(&*input);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|_| Refused)?;
        let Some((header, payload_bytes)) = parsed else { return Ok(None) };
        if payload_bytes > PAYLOAD_BYTES_MAX || !header.is_final {
            return Err(Refused);
        }
        let mask = header.mask.ok_or(Refused)?;
        let start = usize::try_from(cursor.position()).map_err(|_| Refused)?;
        let bytes = start + usize::try_from(payload_bytes).map_err(|_| Refused)?;
        let Some(payload) = input.get_mut(start..bytes) else { return Ok(None) };
        for (at, byte) in payload.iter_mut().enumerate() {
            *byte ^= mask[at & 3];
        }
        Ok(Some(Self { opcode: header.opcode, payload, bytes }))
    }
}

impl Upgrade {
    /// The head at the start of `input`, or `None` while some of it is still to come.
    pub(crate) fn parse(input: &[u8]) -> Result<Option<Self>, Refused> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        let bytes = match request.parse(input) {
            Ok(httparse::Status::Complete(bytes)) => bytes,
            Ok(httparse::Status::Partial) if input.len() < HEAD_BYTES_MAX => return Ok(None),
            _ => return Err(Refused),
        };
        let key = request
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case("Sec-WebSocket-Key"));
        let key = key.ok_or(Refused)?.value.to_vec();
        let target = request.path.ok_or(Refused)?;
        let speaks = if target.starts_with("/socket.io/") { Speaks::SocketIo } else { Speaks::Raw };
        Ok(Some(Self { speaks, key, bytes }))
    }
}

impl<'a> Packet<'a> {
    pub(crate) fn parse(text: &'a [u8]) -> Self {
        let Some(event) = text.strip_prefix(b"42") else {
            return match text {
                [b'4', b'0', ..] => Self::Connect,
                [b'1'] | [b'4', b'1', ..] => Self::Close,
                _ => Self::Other,
            };
        };
        if event.starts_with(b"[\"chat\"") {
            return Self::Chat;
        }
        if event.starts_with(b"[\"echo\"") {
            return Self::Echo;
        }
        let digits = event.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (id, array) = event.split_at(digits);
        match array.strip_prefix(b"[\"ack-echo\"") {
            Some(rest) if !id.is_empty() => {
                Self::AckEcho { id, args: rest.strip_prefix(b",").unwrap_or(rest) }
            }
            _ => Self::Other,
        }
    }
}

/// A frame of the server's, ready to be sent to anybody.
pub(crate) fn frame(opcode: OpCode, payload: &[&[u8]]) -> Vec<u8> {
    let bytes: usize = payload.iter().map(|part| part.len()).sum();
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    let mut frame = Vec::with_capacity(bytes + HEADER_BYTES_MAX);
    // Writing to a vector can't fail.
    let _ = header.format(bytes as u64, &mut frame);
    for part in payload {
        frame.extend_from_slice(part);
    }
    frame
}

pub(crate) const TEXT: OpCode = OpCode::Data(Data::Text);
pub(crate) const PING: OpCode = OpCode::Control(Control::Ping);
pub(crate) const PONG: OpCode = OpCode::Control(Control::Pong);
const PAYLOAD_BYTES_MAX: u64 = 1_000_000;
const HEAD_BYTES_MAX: usize = 16 * 1_024;
const HEADERS_MAX: usize = 64;
const HEADER_BYTES_MAX: usize = 10;
