//! How a test's client writes the packets of Socket.IO and reads them: by a parser of its own, the
//! one for JSON if it isn't told otherwise.
//!
//! ```text
//! event "chat" with "hi"   > 42["chat","hi"]   > 04 83 a4 type 02 ..
//! ```

use std::fmt;
use std::rc::Rc;

use super::link::Packet;
use crate::socketio::payload::Args;
use crate::socketio::{
    IncomingPacket, JsonParser, OutgoingPacket, PacketKind, Parser, ParserLimits, Partial,
    RawMessage,
};

/// A client's parser.
#[derive(Clone)]
pub(super) struct Speech(Rc<dyn Parser>);

impl Speech {
    pub(super) fn new(parser: impl Parser) -> Self {
        Self(Rc::new(parser))
    }

    /// The messages of Engine.IO that are a packet.
    ///
    /// # Panics
    /// If the parser can't write it.
    pub(super) fn encode(
        &self,
        kind: PacketKind,
        namespace: &str,
        id: Option<u64>,
        data: Args<'_>,
    ) -> Vec<Packet> {
        match self.0.encode(&OutgoingPacket { kind, namespace, id, data }) {
            Ok(encoded) => encoded.messages().map(Packet::message).collect(),
            Err(error) => panic!("the client's parser can't write a packet: {error}"),
        }
    }

    /// The packet that a message completes; an error is what a client closes its connection for.
    pub(super) fn decode(
        &self,
        packet: &Packet,
        partial: &mut Partial,
    ) -> Result<Option<IncomingPacket>, ()> {
        let message = match packet {
            Packet::Text(text) => match text.strip_prefix('4') {
                Some(text) => RawMessage::Text(text),
                None => return Ok(None),
            },
            Packet::Binary(bytes) => RawMessage::Binary(bytes),
        };
        let limits = ParserLimits::unbounded();
        self.0.decode(message, partial, &limits).map_err(|_| ())
    }
}

impl Default for Speech {
    fn default() -> Self {
        Self::new(JsonParser)
    }
}

impl Packet {
    fn message(message: RawMessage<'_>) -> Self {
        match message {
            RawMessage::Text(text) => Self::Text(format!("4{text}")),
            RawMessage::Binary(bytes) => Self::Binary(bytes.to_vec()),
        }
    }
}

impl fmt::Debug for Speech {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Speech(..)")
    }
}
