//! From messages of Engine.IO to packets, in the format of the server.
//!
//! A packet borrows the message it came in. Only one whose attachments are still to come is kept,
//! by its client: `51-["upload",{"_placeholder":true,"num":0}]` waits for one binary message.

use std::borrow::Cow;
use std::rc::Rc;

use super::Hub;
use super::format::Format;
use super::packet::{
    AckId, DecodeError, Decoded, Packet, PacketKind, Reconstructor, decode, decode_msgpack,
};
use super::parser::custom::{CustomParser, EventName};
use super::parser::{IncomingPacket, ParserLimits, Partial, RawMessage};
use crate::engineio::Incoming;
use crate::slots::SessionKey;

/// What the peer did wrong; its connection is closed for either.
pub(super) enum Mistake {
    Decode(DecodeError),
    Protocol,
}

/// A packet of which only the first messages have come.
#[derive(Debug)]
pub(crate) enum Waiting {
    Json(Reconstructor),
    Custom(CustomWaiting),
}

/// What a parser of the host's own keeps, and how much it was given for it.
#[derive(Debug, Default)]
pub(crate) struct CustomWaiting {
    partial: Partial,
    messages: usize,
    bytes: usize,
}

impl Hub {
    /// One message of a session that has a client.
    pub(crate) fn handle_message(self: &Rc<Self>, session: SessionKey, message: &Incoming<'_>) {
        self.handle_at_bottom(|| {
            let handled = match (&self.format, message) {
                (Format::Json, Incoming::Text(text)) => self.handle_text(session, text),
                (Format::Json, Incoming::Binary(bytes)) => self.handle_binary(session, bytes),
                (Format::Msgpack, Incoming::Binary(bytes)) => self.handle_msgpack(session, bytes),
                (Format::Msgpack, Incoming::Text(_)) => Err(DecodeError::UnexpectedText.into()),
                (Format::Custom(parser), message) => self.handle_custom(session, parser, message),
            };
            if let Err(mistake) = handled {
                self.handle_mistake(session, &mistake);
            }
        });
    }

    fn handle_mistake(self: &Rc<Self>, session: SessionKey, mistake: &Mistake) {
        match mistake {
            Mistake::Decode(error) => self.handle_undecodable(session, &error.to_string()),
            Mistake::Protocol => {
                self.state.borrow_mut().counters.protocol_errors += 1;
                self.close_client(session);
            }
        }
    }

    fn handle_undecodable(self: &Rc<Self>, session: SessionKey, what: &str) {
        self.state.borrow_mut().counters.decode_errors += 1;
        self.tell_undecodable(session, what);
        self.close_undecodable_client(session);
    }

    fn handle_text(self: &Rc<Self>, session: SessionKey, text: &str) -> Result<(), Mistake> {
        let (attachments_max, bytes_max) = {
            let state = self.state.borrow();
            let Some(client) = state.clients.get(session) else { return Ok(()) };
            if client.waiting.is_some() {
                return Err(DecodeError::UnexpectedText.into());
            }
            (state.config.attachments_max, state.payload_bytes_max)
        };
        match decode(text, attachments_max)? {
            Decoded::Complete(packet) => self.handle_packet(session, packet),
            Decoded::Incomplete(incomplete) => {
                let limits = ParserLimits::new(bytes_max, attachments_max);
                let reconstructor = incomplete.reconstructor(limits.packet_bytes_max())?;
                if let Some(client) = self.state.borrow_mut().clients.get_mut(session) {
                    client.waiting = Some(Box::new(Waiting::Json(reconstructor)));
                }
                Ok(())
            }
        }
    }

    fn handle_binary(self: &Rc<Self>, session: SessionKey, bytes: &[u8]) -> Result<(), Mistake> {
        let complete = {
            let mut state = self.state.borrow_mut();
            let Some(client) = state.clients.get_mut(session) else { return Ok(()) };
            let Some(Waiting::Json(reconstructor)) = client.waiting.as_deref_mut() else {
                return Err(DecodeError::UnexpectedBinary.into());
            };
            if !reconstructor.push(bytes)? {
                return Ok(());
            }
            client.waiting.take()
        };
        let Some(Waiting::Json(reconstructor)) = complete.as_deref() else { return Ok(()) };
        match reconstructor.packet() {
            Some(packet) => self.handle_packet(session, packet),
            None => Ok(()),
        }
    }

    fn handle_msgpack(self: &Rc<Self>, session: SessionKey, bytes: &[u8]) -> Result<(), Mistake> {
        if self.state.borrow().clients.get(session).is_none() {
            return Ok(());
        }
        let mut scratch = Vec::new();
        self.handle_packet(session, decode_msgpack(bytes, &mut scratch)?)
    }

    /// The parser is the host's code: it runs under guard, and nothing is borrowed meanwhile.
    fn handle_custom(
        self: &Rc<Self>,
        session: SessionKey,
        parser: &CustomParser,
        message: &Incoming<'_>,
    ) -> Result<(), Mistake> {
        let (limits, waiting) = {
            let state = &mut *self.state.borrow_mut();
            let Some(client) = state.clients.get_mut(session) else { return Ok(()) };
            let limits = ParserLimits::new(state.payload_bytes_max, state.config.attachments_max);
            (limits, client.waiting.take())
        };
        let mut waiting = match waiting.map(|waiting| *waiting) {
            Some(Waiting::Custom(waiting)) => waiting,
            _ => CustomWaiting::default(),
        };
        let (message, bytes) = match message {
            Incoming::Text(text) => (RawMessage::Text(text), text.len()),
            Incoming::Binary(bytes) => (RawMessage::Binary(bytes), bytes.len()),
        };
        if let Err(mistake) = waiting.count(bytes, &limits) {
            self.handle_mistake(session, &mistake);
            self.drop_waiting(session, waiting);
            return Ok(());
        }
        let decoded = parser.call(|parser| {
            // The error is the host's, too, and so are its words.
            let decoded = parser.decode(message, &mut waiting.partial, &limits);
            decoded.map_err(|error| error.to_string())
        });
        match decoded {
            Some(Ok(Some(packet))) => {
                if self.drop_waiting(session, waiting) {
                    self.handle_packet(session, packet.as_packet()?)?;
                }
                Ok(())
            }
            Some(Ok(None)) => {
                self.keep_waiting(session, waiting);
                Ok(())
            }
            undecoded => {
                let what = undecoded.and_then(Result::err);
                self.handle_undecodable(session, what.as_deref().unwrap_or(PANICKED));
                self.drop_waiting(session, waiting);
                Ok(())
            }
        }
    }

    fn keep_waiting(self: &Rc<Self>, session: SessionKey, waiting: CustomWaiting) {
        let waiting = Box::new(Waiting::Custom(waiting));
        let gone = match self.state.borrow_mut().clients.get_mut(session) {
            Some(client) => client.waiting.replace(waiting),
            None => Some(waiting),
        };
        if let Some(Waiting::Custom(waiting)) = gone.map(|gone| *gone) {
            self.drop_waiting(session, waiting);
        }
    }

    /// What a parser has kept is the host's, and may run its code at its end; `false` if that
    /// panicked.
    fn drop_waiting(self: &Rc<Self>, session: SessionKey, waiting: CustomWaiting) -> bool {
        waiting.partial.is_empty() || self.run(session, || drop(waiting))
    }
}

impl CustomWaiting {
    fn count(&mut self, bytes: usize, limits: &ParserLimits) -> Result<(), Mistake> {
        self.messages = self.messages.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.messages > limits.attachments_max.saturating_add(1) {
            return Err(DecodeError::TooManyAttachments.into());
        }
        if self.bytes > limits.packet_bytes_max() {
            return Err(DecodeError::TooLarge.into());
        }
        Ok(())
    }
}

impl IncomingPacket {
    fn as_packet(&self) -> Result<Packet<'_>, Mistake> {
        let namespace = &*self.namespace;
        let id = self.id.map(AckId::new);
        let data = self.data.as_args();
        Ok(match self.kind {
            PacketKind::Connect => {
                let payload = data.first_as_json();
                if payload.as_ref().is_some_and(|json| !json.starts_with('{')) {
                    return Err(DecodeError::InvalidPayload.into());
                }
                Packet::Connect { namespace, payload }
            }
            PacketKind::Disconnect => Packet::Disconnect { namespace },
            PacketKind::Event => {
                let name = data.get::<EventName>(0).ok().map(|name| Cow::Owned(name.0));
                Packet::Event { namespace, id, name, args: data.skip(1) }
            }
            PacketKind::Ack => Packet::Ack { namespace, id, args: data },
            PacketKind::ConnectError => Packet::ConnectError { namespace, payload: None },
        })
    }
}

impl From<DecodeError> for Mistake {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

const PANICKED: &str = "the parser panicked";
