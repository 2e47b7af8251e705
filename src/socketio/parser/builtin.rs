//! The two parsers that come with the library, as parsers like any other.
//!
//! A server that is told to use one of them goes its own, shorter way. They are here to be named,
//! and for parsers that wrap them: to encrypt a packet, say. `MsgpackParser` makes one binary
//! message of each packet.

use std::borrow::Cow;

use super::{
    EncodedPacket, IncomingPacket, OutgoingPacket, Parser, ParserError, ParserLimits, Partial,
    RawMessage,
};
use crate::message::Message;
use crate::socketio::format::Format;
use crate::socketio::packet::{
    AckId, DecodeError, Decoded, Packet, PacketKind, Reconstructor, decode, decode_msgpack,
};
use crate::socketio::payload::{Args, OwnedArgs};

/// The parser that every client has if it isn't told otherwise: JSON, bytes as binary attachments
/// (Socket.IO protocol v5, "Packet encoding"). A server uses it by default.
///
/// ```
/// use throng::{JsonParser, Server};
///
/// let server = Server::builder().parser(JsonParser).bind("127.0.0.1:0")?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JsonParser;

/// Msgpack, for clients with the npm package `socket.io-msgpack-parser`: each packet is one binary
/// message with the bytes in it.
///
/// Handlers and emits are the same as with JSON: what a client writes as a date is a string in ISO
/// 8601, `undefined` is left out of objects and null elsewhere, numbers without a fraction are
/// integers. A value nested deeper than 128 levels, and a message that is no packet (any text, for
/// one), closes the connection. Event names are not checked, as in the reference, so that a client
/// may send even `disconnect`; no handler can be declared for that.
///
/// ```
/// use throng::{MsgpackParser, Server};
///
/// let server = Server::builder().parser(MsgpackParser).bind("127.0.0.1:0")?;
/// server.emit("chat", &"hi"); // 83 a4 "type" 02 a3 "nsp" a1 "/" a4 "data" 92 a4 "chat" a2 "hi"
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MsgpackParser;

impl Parser for JsonParser {
    fn encode(&self, packet: &OutgoingPacket<'_>) -> Result<EncodedPacket, ParserError> {
        encode(&Format::Json, packet)
    }

    fn decode(
        &self,
        message: RawMessage<'_>,
        partial: &mut Partial,
        limits: &ParserLimits,
    ) -> Result<Option<IncomingPacket>, ParserError> {
        match (message, partial.take::<Reconstructor>()) {
            (RawMessage::Text(text), None) => match decode(text, limits.attachments_max)? {
                Decoded::Complete(packet) => packet.to_incoming().map(Some),
                Decoded::Incomplete(incomplete) => {
                    partial.keep(incomplete.reconstructor(limits.packet_bytes_max())?);
                    Ok(None)
                }
            },
            (RawMessage::Binary(bytes), Some(mut reconstructor)) => {
                reconstructor.push(bytes)?;
                let packet = reconstructor.packet().map(|packet| packet.to_incoming());
                if packet.is_none() {
                    partial.keep(reconstructor);
                }
                packet.transpose()
            }
            (RawMessage::Text(_), Some(_)) => Err(DecodeError::UnexpectedText.into()),
            (RawMessage::Binary(_), None) => Err(DecodeError::UnexpectedBinary.into()),
        }
    }
}

impl Parser for MsgpackParser {
    fn encode(&self, packet: &OutgoingPacket<'_>) -> Result<EncodedPacket, ParserError> {
        encode(&Format::Msgpack, packet)
    }

    fn decode(
        &self,
        message: RawMessage<'_>,
        _: &mut Partial,
        _: &ParserLimits,
    ) -> Result<Option<IncomingPacket>, ParserError> {
        let RawMessage::Binary(bytes) = message else {
            return Err(DecodeError::UnexpectedText.into());
        };
        decode_msgpack(bytes, &mut Vec::new())?.to_incoming().map(Some)
    }
}

fn encode(format: &Format, packet: &OutgoingPacket<'_>) -> Result<EncodedPacket, ParserError> {
    let OutgoingPacket { kind, namespace, id, data } = *packet;
    let id = id.map(AckId::new);
    let message = match kind {
        PacketKind::Event => {
            let name: String = data.get(0)?;
            format.encode_event(namespace, &name, id, data.skip(1))?.finish()
        }
        PacketKind::Ack => format.encode_ack(namespace, id.ok_or("an ack without an id")?, data)?,
        PacketKind::Connect | PacketKind::ConnectError | PacketKind::Disconnect => {
            format.encode_control(kind, namespace, data.first_as_json().as_deref())
        }
    };
    Ok(EncodedPacket::from_message(&message))
}

impl EncodedPacket {
    fn from_message(message: &Message) -> Self {
        let packet = match message.payload_text() {
            Some(text) => Self::text(text),
            None => Self::binary(message.payload_binary().unwrap_or_default()),
        };
        message.attachments().iter().fold(packet, |packet, bytes| packet.attachment(&**bytes))
    }
}

impl Packet<'_> {
    fn to_incoming(&self) -> Result<IncomingPacket, ParserError> {
        let value = |payload: &Option<Cow<'_, str>>| match payload {
            Some(json) => Args::new(json, 1, &[]).to_owned(),
            None => OwnedArgs::default(),
        };
        Ok(match self {
            Self::Connect { namespace, payload } => {
                IncomingPacket::new(PacketKind::Connect, *namespace, None, value(payload))
            }
            Self::Disconnect { namespace } => {
                let data = OwnedArgs::default();
                IncomingPacket::new(PacketKind::Disconnect, *namespace, None, data)
            }
            Self::Event { namespace, id, name, args } => {
                let data = OwnedArgs::write(|writer| match name {
                    Some(name) => {
                        writer.push(&**name)?;
                        writer.extend(*args)
                    }
                    None => Ok(()),
                })?;
                let id = id.map(AckId::rounded);
                IncomingPacket::new(PacketKind::Event, *namespace, id, data)
            }
            Self::Ack { namespace, id, args } => {
                let id = id.map(AckId::rounded);
                IncomingPacket::new(PacketKind::Ack, *namespace, id, args.to_owned())
            }
            Self::ConnectError { namespace, payload } => {
                IncomingPacket::new(PacketKind::ConnectError, *namespace, None, value(payload))
            }
        })
    }
}
