//! A parser of the host's own at work: called under guard, its packets turned into the server's.
//!
//! What it can't write is not sent, and what it can't read costs the session it came from. An
//! event is encoded at once, so that its caller hears of an error, and again if something is
//! appended to it.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use serde::de::{Deserialize, Deserializer, Visitor};

use super::{EncodedPacket, FirstMessage, OutgoingPacket, Parser, ParserError};
use crate::message::Message;
use crate::socketio::handler::guard;
use crate::socketio::packet::{AckId, EventDraft, PacketKind, js_number};
use crate::socketio::payload::{Args, ArgsWriter, EncodeError, IntoArgs, OwnedArgs};

/// A parser of the host's own. It has no business with the server; where it calls into it all the
/// same, so that it is to write while it is at work, that ends somewhere.
pub(crate) struct CustomParser {
    parser: Box<dyn Parser>,
    depth: Cell<u32>,
}

impl CustomParser {
    pub(crate) fn new(parser: Box<dyn Parser>) -> Self {
        Self { parser, depth: Cell::new(0) }
    }

    /// Lets the parser work; `None` if it panicked, or is at work in itself too deep.
    pub(crate) fn call<T>(&self, call: impl FnOnce(&dyn Parser) -> T) -> Option<T> {
        if self.depth.get() >= DEPTH_MAX {
            return None;
        }
        self.depth.set(self.depth.get() + 1);
        let result = guard(|| call(&*self.parser));
        self.depth.set(self.depth.get() - 1);
        result
    }
}

/// Encodes one packet.
pub(crate) fn encode(
    parser: &CustomParser,
    kind: PacketKind,
    namespace: &str,
    id: Option<AckId>,
    data: Args<'_>,
) -> Result<EncodedPacket, EncodeError> {
    let id = id.map(AckId::rounded);
    let packet = OutgoingPacket { kind, namespace, id, data };
    // The error is the host's, too: what is kept of it is its text.
    let text = |error: ParserError| EncodeError::new(error.to_string());
    match parser.call(|parser| parser.encode(&packet).map_err(text)) {
        Some(encoded) => encoded,
        None => Err(EncodeError::new("the parser panicked")),
    }
}

pub(crate) fn encode_event(
    parser: &Rc<CustomParser>,
    namespace: &str,
    name: &str,
    id: Option<AckId>,
    args: impl IntoArgs,
) -> Result<EventDraft, EncodeError> {
    let data = OwnedArgs::write(|writer| {
        writer.push(name)?;
        writer.extend(args)
    })?;
    let encoded = encode(parser, PacketKind::Event, namespace, id, data.as_args())?;
    let parser = Rc::clone(parser);
    let namespace = namespace.into();
    Ok(CustomDraft { parser, namespace, id, data, encoded, compress: true }.into())
}

pub(crate) fn encode_ack(
    parser: &CustomParser,
    namespace: &str,
    id: AckId,
    args: impl IntoArgs,
) -> Result<Rc<Message>, EncodeError> {
    let data = OwnedArgs::new(args)?;
    let encoded = encode(parser, PacketKind::Ack, namespace, Some(id), data.as_args())?;
    Ok(encoded.into_message(true))
}

/// A packet with what it says in JSON, or an empty text message if there is no way to say it.
pub(crate) fn encode_control(
    parser: &CustomParser,
    kind: PacketKind,
    namespace: &str,
    payload_json: Option<&str>,
) -> Rc<Message> {
    let data = payload_json.map_or_else(Args::default, |json| Args::new(json, 1, &[]));
    match encode(parser, kind, namespace, None, data) {
        Ok(encoded) => encoded.into_message(true),
        Err(_) => Message::text(""),
    }
}

/// An event whose end is open; see [`EventDraft`].
pub(crate) struct CustomDraft {
    parser: Rc<CustomParser>,
    namespace: Box<str>,
    id: Option<AckId>,
    /// The name and the arguments.
    data: OwnedArgs,
    encoded: EncodedPacket,
    compress: bool,
}

impl CustomDraft {
    pub(crate) fn set_compress(&mut self, compress: bool) {
        self.compress = compress;
    }

    /// Where the parser fails all of a sudden, the event stays as it was.
    pub(crate) fn append(&mut self, argument: &str) {
        let appended = OwnedArgs::write(|writer: &mut ArgsWriter<'_>| {
            writer.extend(&self.data)?;
            writer.push(argument)
        });
        let Ok(data) = appended else { return };
        let kind = PacketKind::Event;
        let encoded = encode(&self.parser, kind, &self.namespace, self.id, data.as_args());
        if let Ok(encoded) = encoded {
            self.encoded = encoded;
            self.data = data;
        }
    }

    pub(crate) fn event(&self) -> Option<(Cow<'_, str>, Args<'_>)> {
        let data = self.data.as_args();
        Some((data.get::<String>(0).ok()?.into(), data.skip(1)))
    }

    pub(crate) fn finish(self) -> Rc<Message> {
        self.encoded.into_message(self.compress)
    }
}

impl fmt::Debug for CustomDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomDraft").field("data", &self.data).finish_non_exhaustive()
    }
}

impl EncodedPacket {
    fn into_message(self, compress: bool) -> Rc<Message> {
        let attachments = self.attachments.into_iter().map(Rc::from).collect();
        match self.first {
            FirstMessage::Text(text) => Message::unit_of_text(&text, attachments, compress),
            FirstMessage::Binary(bytes) => Message::unit_of_binary(&bytes, attachments, compress),
        }
    }
}

/// The name of an event as JavaScript takes it: a number is a name too.
pub(crate) struct EventName(pub(crate) String);

impl<'de> Deserialize<'de> for EventName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EventNameVisitor)
    }
}

struct EventNameVisitor;

#[expect(clippy::cast_precision_loss, reason = "JavaScript rounds such numbers too")]
impl Visitor<'_> for EventNameVisitor {
    type Value = EventName;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an event")
    }

    fn visit_str<E>(self, name: &str) -> Result<EventName, E> {
        Ok(EventName(name.to_owned()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<EventName, E> {
        Ok(EventName(js_number(number as f64)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<EventName, E> {
        Ok(EventName(js_number(number as f64)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<EventName, E> {
        Ok(EventName(js_number(number)))
    }
}

/// How deep calls of the parser may nest.
const DEPTH_MAX: u32 = 4;
