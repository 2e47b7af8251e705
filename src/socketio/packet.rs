//! Packets of Socket.IO, revision 5 of its protocol: what one Engine.IO message says.
//!
//! Decoding borrows from the received message and knows neither sessions nor which namespaces
//! exist; the arguments inside stay unparsed, see `payload`. The default format (the other is in
//! `msgpack`), with an event of the namespace `/admin` that wants ack 7 and comes with one
//! attachment:
//!
//! ```text
//! <type>[<attachments>-][<namespace>,][<ack id>][<JSON>]
//! 51-/admin,7["upload",{"_placeholder":true,"num":0}]
//! ```

mod ack_id;
mod draft;
mod encode;
mod msgpack;
mod reconstructor;

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::payload::{Args, JSON_SPACE};

pub(crate) use ack_id::{AckId, js_number};
pub(crate) use draft::EventDraft;
pub(crate) use encode::{encode_ack, encode_connect, encode_control, encode_event};
pub(crate) use msgpack::{
    decode_msgpack, encode_msgpack_ack, encode_msgpack_control, encode_msgpack_event,
};
pub(crate) use reconstructor::Reconstructor;

/// One packet, complete with its attachments.
///
/// Events and acks with attachments are not told from those without: `args` knows.
#[derive(Debug)]
pub(crate) enum Packet<'a> {
    /// `0`: a client asks for a namespace, or is told that it got it; the payload is an object.
    Connect { namespace: &'a str, payload: Option<Cow<'a, str>> },
    /// `1`: either side leaves the namespace.
    Disconnect { namespace: &'a str },
    /// `2` and `5`. Without a name (`2` and nothing behind it) it is legal and means nothing.
    Event { namespace: &'a str, id: Option<AckId>, name: Option<Cow<'a, str>>, args: Args<'a> },
    /// `3` and `6`. Without an id it answers nothing, legally.
    Ack { namespace: &'a str, id: Option<AckId>, args: Args<'a> },
    /// `4`: the server refuses a namespace; the payload is an object or a string.
    ConnectError { namespace: &'a str, payload: Option<Cow<'a, str>> },
}

/// What a packet is for (Socket.IO protocol v5, "Packet types"). Whether it comes with attachments
/// is no kind of its own.
///
/// ```
/// use throng::PacketKind;
///
/// assert_eq!(PacketKind::Event.number(), 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketKind {
    /// A client asks for a namespace, or is told that it got it.
    Connect,
    /// Either side leaves the namespace.
    Disconnect,
    /// An event.
    Event,
    /// The answer to an event.
    Ack,
    /// The server refuses a namespace.
    ConnectError,
}

impl PacketKind {
    /// Its number on the wire.
    pub fn number(self) -> u8 {
        match self {
            Self::Connect => 0,
            Self::Disconnect => 1,
            Self::Event => 2,
            Self::Ack => 3,
            Self::ConnectError => 4,
        }
    }

    /// The kind that has this number.
    pub fn from_number(number: u8) -> Option<Self> {
        let kinds = [Self::Connect, Self::Disconnect, Self::Event, Self::Ack, Self::ConnectError];
        kinds.get(usize::from(number)).copied()
    }
}

/// What a text message turned out to be.
#[derive(Debug)]
pub(crate) enum Decoded<'a> {
    Complete(Packet<'a>),
    /// A packet whose attachments follow as binary messages, before any other text.
    Incomplete(Incomplete<'a>),
}

/// A valid packet that waits for one attachment or more; see [`Incomplete::reconstructor`].
#[derive(Debug)]
pub(crate) struct Incomplete<'a> {
    namespace: &'a str,
    subject: Subject<'a>,
    id: Option<AckId>,
    args: Args<'a>,
    attachments: usize,
}

/// What was wrong with a packet: the peer's mistake, after which its connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// The first character is not a digit from 0 to 6.
    UnknownType,
    /// The count of attachments is no integer, zero or without its `-`; or a placeholder names an
    /// attachment that doesn't exist.
    IllegalAttachments,
    /// More attachments were announced, or came, than are allowed.
    TooManyAttachments,
    /// The text and the attachments together are larger than allowed.
    TooLarge,
    /// Not JSON or msgpack, or not what this type of packet carries.
    InvalidPayload,
    /// Text came where the attachments of a packet were due, or where packets are binary.
    UnexpectedText,
    /// Bytes came that are no attachment of any packet.
    UnexpectedBinary,
}

/// Decodes one text message.
///
/// Takes linear time and no memory that grows with the text, but a byte for each level of nesting
/// and a name that has escapes in it.
pub(crate) fn decode(text: &str, attachments_max: usize) -> Result<Decoded<'_>, DecodeError> {
    let (kind, rest) = split_type(text)?;
    let (attachments, rest) = match kind {
        Type::BinaryEvent | Type::BinaryAck => split_attachments(rest, attachments_max)?,
        _ => (0, rest),
    };
    let (namespace, rest) = split_namespace(rest);
    let (id, rest) = AckId::split_from(rest);
    let payload = (!rest.is_empty()).then_some(rest);
    let (subject, args) = match kind {
        Type::Connect => {
            let payload = payload.map(|json| decode_value(json, &['{'])).transpose()?;
            let payload = payload.map(Cow::Borrowed);
            return Ok(Decoded::Complete(Packet::Connect { namespace, payload }));
        }
        Type::Disconnect if payload.is_some() => return Err(DecodeError::InvalidPayload),
        Type::Disconnect => return Ok(Decoded::Complete(Packet::Disconnect { namespace })),
        Type::ConnectError => {
            let payload = payload.map(|json| decode_value(json, &['{', '"'])).transpose()?;
            let payload = payload.map(Cow::Borrowed);
            return Ok(Decoded::Complete(Packet::ConnectError { namespace, payload }));
        }
        Type::Event | Type::BinaryEvent => {
            let event = payload.map(decode_event).transpose()?;
            let (name, args) = event.map_or((None, Args::default()), |(n, a)| (Some(n), a));
            (Subject::Event(name), args)
        }
        Type::Ack | Type::BinaryAck => {
            let args = payload.map(decode_args).transpose()?;
            (Subject::Ack, args.unwrap_or_default())
        }
    };
    Ok(if attachments == 0 {
        Decoded::Complete(subject.into_packet(namespace, id, args))
    } else {
        Decoded::Incomplete(Incomplete { namespace, subject, id, args, attachments })
    })
}

/// Whether an event may not have this name, because sockets emit it themselves.
///
/// `emit` and `on` panic on such a name; code that forwards names from outside asks first.
///
/// ```
/// assert!(throng::is_reserved_event("disconnect"));
/// assert!(!throng::is_reserved_event("chat"));
/// ```
pub fn is_reserved_event(name: &str) -> bool {
    matches!(
        name,
        "connect"
            | "connect_error"
            | "disconnect"
            | "disconnecting"
            | "newListener"
            | "removeListener"
    )
}

impl fmt::Display for DecodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::UnknownType => "unknown packet type",
            Self::IllegalAttachments => "illegal attachments",
            Self::TooManyAttachments => "too many attachments",
            Self::TooLarge => "packet too large",
            Self::InvalidPayload => "invalid payload",
            Self::UnexpectedText => "got plaintext data when reconstructing a packet",
            Self::UnexpectedBinary => "got binary data when not reconstructing a packet",
        })
    }
}

impl std::error::Error for DecodeError {}

/// The type of a packet as its first character tells it.
#[derive(Clone, Copy)]
enum Type {
    Connect,
    Disconnect,
    Event,
    Ack,
    ConnectError,
    BinaryEvent,
    BinaryAck,
}

/// What the arguments are for, in a packet that may have attachments.
#[derive(Debug)]
enum Subject<'a> {
    Event(Option<Cow<'a, str>>),
    Ack,
}

impl<'a> Subject<'a> {
    fn into_packet(self, namespace: &'a str, id: Option<AckId>, args: Args<'a>) -> Packet<'a> {
        match self {
            Self::Event(name) => Packet::Event { namespace, id, name, args },
            Self::Ack => Packet::Ack { namespace, id, args },
        }
    }
}

fn split_type(text: &str) -> Result<(Type, &str), DecodeError> {
    let (digit, rest) = text.split_at_checked(1).ok_or(DecodeError::UnknownType)?;
    let kind = match digit {
        "0" => Type::Connect,
        "1" => Type::Disconnect,
        "2" => Type::Event,
        "3" => Type::Ack,
        "4" => Type::ConnectError,
        "5" => Type::BinaryEvent,
        "6" => Type::BinaryAck,
        _ => return Err(DecodeError::UnknownType),
    };
    Ok((kind, rest))
}

/// Takes `<attachments>-`. The reference would also read `1e0-` or `0x1-` as a number; no client
/// writes that.
fn split_attachments(text: &str, attachments_max: usize) -> Result<(usize, &str), DecodeError> {
    let (digits, rest) = ack_id::split_digits(text);
    let rest = rest.strip_prefix('-').ok_or(DecodeError::IllegalAttachments)?;
    if digits.bytes().all(|digit| digit == b'0') {
        return Err(DecodeError::IllegalAttachments);
    }
    // What is left to go wrong is a number too large for the machine.
    let attachments = digits.parse().map_err(|_| DecodeError::TooManyAttachments)?;
    if attachments > attachments_max {
        return Err(DecodeError::TooManyAttachments);
    }
    Ok((attachments, rest))
}

fn split_namespace(text: &str) -> (&str, &str) {
    if text.starts_with('/') {
        text.split_once(',').unwrap_or((text, ""))
    } else {
        (MAIN_NAMESPACE, text)
    }
}

/// One JSON value that starts with one of the characters given, without space around it.
fn decode_value<'a>(json: &'a str, starts: &[char]) -> Result<&'a str, DecodeError> {
    let value = json.trim_matches(JSON_SPACE);
    if !value.starts_with(starts) {
        return Err(DecodeError::InvalidPayload);
    }
    serde_json::from_str::<IgnoredAny>(value).map_err(|_| DecodeError::InvalidPayload)?;
    Ok(value)
}

/// An array that starts with the name of the event.
fn decode_event(json: &str) -> Result<(Cow<'_, str>, Args<'_>), DecodeError> {
    let array = Array::decode(json)?;
    let first = array.first.ok_or(DecodeError::InvalidPayload)?;
    let name = event_name(first).ok_or(DecodeError::InvalidPayload)?;
    if is_reserved_event(&name) {
        return Err(DecodeError::InvalidPayload);
    }
    let behind_name = array.elements.get(first.len()..).unwrap_or_default();
    let behind_name = behind_name.trim_start_matches(JSON_SPACE);
    let args = behind_name.strip_prefix(',').unwrap_or_default();
    let args = args.trim_start_matches(JSON_SPACE);
    Ok((name, Args::new(args, array.len.saturating_sub(1), &[])))
}

fn decode_args(json: &str) -> Result<Args<'_>, DecodeError> {
    let array = Array::decode(json)?;
    Ok(Args::new(array.elements, array.len, &[]))
}

/// A string, or a number as JavaScript prints it. Half of a surrogate pair, which Rust's strings
/// can't hold, becomes U+FFFD: no handler could have asked for it.
fn event_name(json: &str) -> Option<Cow<'_, str>> {
    let Some(text) = json.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
        let is_number = json.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        return is_number
            .then(|| json.parse().ok())
            .flatten()
            .map(ack_id::js_number)
            .map(Cow::Owned);
    };
    if !text.contains('\\') {
        return Some(Cow::Borrowed(text));
    }
    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.deserialize_bytes(LossyVisitor).ok().map(Cow::Owned)
}

/// A valid JSON array, its elements counted.
struct Array<'a> {
    /// Between the brackets, without space at the ends.
    elements: &'a str,
    first: Option<&'a str>,
    len: usize,
}

impl<'a> Array<'a> {
    fn decode(json: &'a str) -> Result<Self, DecodeError> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let counted = deserializer.deserialize_seq(ArrayVisitor);
        let (first, len) = counted.map_err(|_| DecodeError::InvalidPayload)?;
        deserializer.end().map_err(|_| DecodeError::InvalidPayload)?;
        let array = json.trim_matches(JSON_SPACE);
        let elements = array.strip_prefix('[').and_then(|array| array.strip_suffix(']'));
        let elements = elements.ok_or(DecodeError::InvalidPayload)?.trim_matches(JSON_SPACE);
        Ok(Self { elements, first, len })
    }
}

/// Checks every element, which `serde_json` does without recursion, and keeps the first.
struct ArrayVisitor;

impl<'de> Visitor<'de> for ArrayVisitor {
    type Value = (Option<&'de str>, usize);

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let first = seq.next_element::<&RawValue>()?.map(RawValue::get);
        let mut len = usize::from(first.is_some());
        while seq.next_element::<IgnoredAny>()?.is_some() {
            len += 1;
        }
        Ok((first, len))
    }
}

/// A string that need not be valid Unicode: asked for bytes, `serde_json` allows that.
struct LossyVisitor;

impl Visitor<'_> for LossyVisitor {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<String, E> {
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}

/// The namespace that isn't written.
const MAIN_NAMESPACE: &str = "/";

#[cfg(test)]
mod tests;
