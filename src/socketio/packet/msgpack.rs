//! Packets in msgpack, as the npm package `socket.io-msgpack-parser` reads and writes them.
//!
//! One binary message is one packet, bytes included: a map with the keys `type` (0 to 4), `nsp`,
//! `data` and, where there is one, `id`; others are ignored. Nothing ever follows. An event of the
//! main namespace, here as JSON:
//!
//! ```text
//! {"type":2,"nsp":"/","data":["chat","hi"]}
//! ```

use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;

use rmp::encode::{write_array_len, write_f64, write_map_len, write_str, write_uint};

use super::{AckId, DecodeError, Packet, PacketKind, ack_id};
use crate::message::{BinaryBuilder, Message};
use crate::socketio::payload::msgpack::{Checked, Reader, Token, check, normalise, to_json};
use crate::socketio::payload::{Args, ArgsWriter, EncodeError, IntoArgs};

/// Decodes one binary message.
///
/// Takes linear time and allocates nothing, but for `scratch` where the data is in none of the
/// forms that serde knows, and for the payload of a CONNECT, which is kept as JSON. Reserved
/// names are let through, as in the reference.
pub(crate) fn decode_msgpack<'a>(
    bytes: &'a [u8],
    scratch: &'a mut Vec<u8>,
) -> Result<Packet<'a>, DecodeError> {
    let fields = Fields::read(bytes).ok_or(DecodeError::InvalidPayload)?;
    let Some(Token::String(namespace)) = fields.namespace else {
        return Err(DecodeError::InvalidPayload);
    };
    let namespace = std::str::from_utf8(namespace).map_err(|_| DecodeError::InvalidPayload)?;
    let kind = fields.kind.and_then(kind).ok_or(DecodeError::UnknownType)?;
    let id = match fields.id {
        Some(token) => Some(integer(token).ok_or(DecodeError::InvalidPayload)?),
        None => None,
    };
    let id = id.map(AckId::from_number);
    let data = fields.data.map(|data| normal(data, scratch));
    Ok(match (kind, data) {
        (PacketKind::Connect, data) => {
            Packet::Connect { namespace, payload: payload(data, false)? }
        }
        (PacketKind::Disconnect, None) => Packet::Disconnect { namespace },
        (PacketKind::Event, Some(data)) => {
            let (name, args) = event(data).ok_or(DecodeError::InvalidPayload)?;
            Packet::Event { namespace, id, name, args }
        }
        (PacketKind::Ack, Some(data)) => {
            let mut reader = Reader::new(data);
            let Some(Token::Array(len)) = reader.token() else {
                return Err(DecodeError::InvalidPayload);
            };
            Packet::Ack { namespace, id, args: Args::msgpack(reader.rest(), len as usize) }
        }
        (PacketKind::ConnectError, Some(data)) => {
            Packet::ConnectError { namespace, payload: payload(Some(data), true)? }
        }
        _ => return Err(DecodeError::InvalidPayload),
    })
}

/// What is said of a packet; `undefined` says nothing. Of several with one key the last counts.
#[derive(Default)]
struct Fields<'a> {
    kind: Option<Token<'a>>,
    namespace: Option<Token<'a>>,
    id: Option<Token<'a>>,
    data: Option<Checked<'a>>,
}

impl<'a> Fields<'a> {
    /// `None` if the message isn't one map, whole and with nothing behind it.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let Some(Token::Map(pairs)) = reader.token() else { return None };
        let mut fields = Self::default();
        for _ in 0..pairs {
            let key = Reader::new(check(&mut reader)?.bytes).token()?;
            let value = check(&mut reader)?;
            let token = Reader::new(value.bytes).token().filter(|token| !token.is_undefined());
            match key {
                Token::String(b"type") => fields.kind = token,
                Token::String(b"nsp") => fields.namespace = token,
                Token::String(b"id") => fields.id = token,
                Token::String(b"data") => fields.data = token.map(|_| value),
                _ => {}
            }
        }
        reader.rest().is_empty().then_some(fields)
    }
}

fn normal<'a>(data: Checked<'a>, scratch: &'a mut Vec<u8>) -> &'a [u8] {
    if data.is_normal {
        return data.bytes;
    }
    scratch.clear();
    normalise(data.bytes, scratch);
    scratch
}

fn kind(token: Token<'_>) -> Option<PacketKind> {
    let number = AckId::from_number(integer(token)?).as_u64()?;
    PacketKind::from_number(u8::try_from(number).ok()?)
}

/// A number that JavaScript takes for an integer.
#[expect(clippy::cast_precision_loss, reason = "JavaScript rounds such numbers too")]
fn integer(token: Token<'_>) -> Option<f64> {
    match token {
        Token::Unsigned(number) => Some(number as f64),
        Token::Signed(number) => Some(number as f64),
        Token::Float(number) => (number.fract() == 0.0).then_some(number),
        _ => None,
    }
}

/// A map, or a string where that is allowed, as JSON; bytes in it become arrays of numbers.
fn payload(
    data: Option<&[u8]>,
    may_be_text: bool,
) -> Result<Option<Cow<'static, str>>, DecodeError> {
    let Some(data) = data else { return Ok(None) };
    match Reader::new(data).token() {
        Some(Token::Map(_)) => {}
        Some(Token::String(_)) if may_be_text => {}
        _ => return Err(DecodeError::InvalidPayload),
    }
    to_json(data).map(|json| Some(Cow::Owned(json))).ok_or(DecodeError::InvalidPayload)
}

/// A name that is neither a string nor a number is none that a handler could have asked for.
fn event(data: &[u8]) -> Option<(Option<Cow<'_, str>>, Args<'_>)> {
    let mut reader = Reader::new(data);
    let Some(Token::Array(len)) = reader.token() else { return None };
    let Some(args_len) = (len as usize).checked_sub(1) else {
        return Some((None, Args::default()));
    };
    let name = match Reader::new(reader.take_value()).token()? {
        Token::String(name) => std::str::from_utf8(name).ok().map(Cow::Borrowed),
        token => integer(token).map(|number| Cow::Owned(ack_id::js_number(number))),
    };
    Some((name, Args::msgpack(reader.rest(), args_len)))
}

/// An event whose end is open; see [`EventDraft`](super::EventDraft).
#[derive(Debug)]
pub(super) struct MsgpackDraft {
    builder: BinaryBuilder,
    list: List,
    name: Range<usize>,
}

/// An array that is being written, as the last thing in its buffer.
#[derive(Debug)]
struct List {
    /// Where its header stands: one byte, which has room for fifteen elements.
    header: usize,
    len: usize,
}

/// A packet without arguments, with what they say in JSON.
pub(crate) fn encode_msgpack_control(
    kind: PacketKind,
    namespace: &str,
    payload_json: Option<&str>,
) -> Rc<Message> {
    let payload_bytes = payload_json.map_or(0, str::len);
    let pairs = 2 + u32::from(payload_json.is_some());
    let mut builder = head(kind, namespace, None, pairs, payload_bytes);
    if let Some(json) = payload_json {
        push(write_str(builder.buffer(), "data"));
        let bytes = builder.buffer().len();
        let mut writer = ArgsWriter::msgpack(builder.buffer());
        if writer.extend(Args::new(json, 1, &[])).is_err() {
            // JSON of the server's own always has a form.
            builder.buffer().truncate(bytes);
            builder.buffer().push(0x80);
        }
    }
    builder.finish()
}

pub(crate) fn encode_msgpack_event(
    namespace: &str,
    name: &str,
    id: Option<AckId>,
    args: impl IntoArgs,
) -> Result<super::EventDraft, EncodeError> {
    let payload_bytes = args.bytes_expected().saturating_add(name.len());
    let mut builder = head(PacketKind::Event, namespace, id, 3, payload_bytes);
    let header = open_list(builder.buffer());
    let start = builder.buffer().len();
    let mut writer = ArgsWriter::msgpack(builder.buffer());
    writer.push(name)?;
    let end = writer.bytes();
    writer.extend(args)?;
    let list = List { header, len: writer.elements() };
    Ok(MsgpackDraft { builder, list, name: start..end }.into())
}

pub(crate) fn encode_msgpack_ack(
    namespace: &str,
    id: AckId,
    args: impl IntoArgs,
) -> Result<Rc<Message>, EncodeError> {
    let mut builder = head(PacketKind::Ack, namespace, Some(id), 3, args.bytes_expected());
    let header = open_list(builder.buffer());
    let mut writer = ArgsWriter::msgpack(builder.buffer());
    writer.extend(args)?;
    let list = List { header, len: writer.elements() };
    list.close(builder.buffer());
    Ok(builder.finish())
}

impl MsgpackDraft {
    pub(super) fn set_compress(&mut self, compress: bool) {
        self.builder.set_compress(compress);
    }

    pub(super) fn append(&mut self, argument: &str) {
        push(write_str(self.builder.buffer(), argument));
        self.list.len += 1;
    }

    pub(super) fn event(&self) -> Option<(Cow<'_, str>, Args<'_>)> {
        let Token::String(name) = Reader::new(self.builder.bytes(self.name.clone())?).token()?
        else {
            return None;
        };
        let args = self.builder.bytes(self.name.end..self.builder.len())?;
        let name = Cow::Borrowed(std::str::from_utf8(name).ok()?);
        Some((name, Args::msgpack(args, self.list.len.saturating_sub(1))))
    }

    pub(super) fn finish(mut self) -> Rc<Message> {
        self.list.close(self.builder.buffer());
        self.builder.finish()
    }
}

impl List {
    /// Writes the header once the elements are counted.
    fn close(&self, buffer: &mut Vec<u8>) {
        let len = u32::try_from(self.len).unwrap_or(u32::MAX);
        if let Ok(len @ 0..=15) = u8::try_from(len)
            && let Some(header) = buffer.get_mut(self.header)
        {
            *header = 0x90 | len;
            return;
        }
        let mut header = Vec::new();
        push(write_array_len(&mut header, len));
        buffer.splice(self.header..=self.header, header);
    }
}

/// The key and the header of the arguments; returns where the header stands.
fn open_list(buffer: &mut Vec<u8>) -> usize {
    push(write_str(buffer, "data"));
    buffer.push(0x90);
    buffer.len() - 1
}

/// What comes before the data, in a buffer with room for it.
fn head(
    kind: PacketKind,
    namespace: &str,
    id: Option<AckId>,
    pairs: u32,
    payload_bytes: usize,
) -> BinaryBuilder {
    let head_bytes = namespace.len().saturating_add(HEAD_BYTES_EXPECTED);
    let mut builder = BinaryBuilder::with_capacity(head_bytes.saturating_add(payload_bytes));
    let buffer = builder.buffer();
    push(write_map_len(buffer, pairs + u32::from(id.is_some())));
    push(write_str(buffer, "type"));
    buffer.push(kind.number());
    push(write_str(buffer, "nsp"));
    push(write_str(buffer, namespace));
    if let Some(id) = id {
        push(write_str(buffer, "id"));
        match id.as_u64() {
            Some(id) => push(write_uint(buffer, id)),
            None => push(write_f64(buffer, id.as_f64())),
        }
    }
    builder
}

/// Writing into a vector doesn't fail.
fn push<T, E>(written: Result<T, E>) {
    debug_assert!(written.is_ok(), "a vector takes everything");
    drop(written);
}

/// The keys, the type, the headers and an ack id of the usual length.
const HEAD_BYTES_EXPECTED: usize = 32;

#[cfg(test)]
mod tests;
