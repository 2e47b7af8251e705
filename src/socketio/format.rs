//! How a server's packets are written: one form for all its clients, chosen when it is made.
//!
//! Nothing is checked here: the caller knows the namespace and refuses reserved event names. User
//! code (`Serialize`) runs inside, so nothing is locked or borrowed either. An event of the
//! namespace `/admin` that wants ack 7, in JSON:
//!
//! ```text
//! 2/admin,7["chat","hi"]
//! ```

use std::any::{Any, TypeId};
use std::fmt;
use std::rc::Rc;

use super::packet::{self, AckId, EventDraft, PacketKind};
use super::parser::custom::{self, CustomParser};
use super::parser::{JsonParser, MsgpackParser, Parser};
use super::payload::{EncodeError, IntoArgs};
use super::recovery::Welcome;
use crate::message::Message;

/// The form of all packets of a server.
#[derive(Default)]
pub(crate) enum Format {
    /// Text with binary attachments, which every client speaks if it isn't told otherwise.
    #[default]
    Json,
    /// One binary message for each packet.
    Msgpack,
    /// Whatever a parser of the host's own makes of it.
    Custom(Rc<CustomParser>),
}

impl Format {
    /// The built-in parsers are known by their types, and not called.
    pub(crate) fn of(parser: Box<dyn Parser>) -> Self {
        let kind = (&*parser as &dyn Any).type_id();
        if kind == TypeId::of::<JsonParser>() {
            Self::Json
        } else if kind == TypeId::of::<MsgpackParser>() {
            Self::Msgpack
        } else {
            Self::Custom(Rc::new(CustomParser::new(parser)))
        }
    }

    /// An event, still open at its end.
    pub(crate) fn encode_event(
        &self,
        namespace: &str,
        name: &str,
        id: Option<AckId>,
        args: impl IntoArgs,
    ) -> Result<EventDraft, EncodeError> {
        match self {
            Self::Json => packet::encode_event(namespace, name, id, args),
            Self::Msgpack => packet::encode_msgpack_event(namespace, name, id, args),
            Self::Custom(parser) => custom::encode_event(parser, namespace, name, id, args),
        }
    }

    /// The answer to an event.
    pub(crate) fn encode_ack(
        &self,
        namespace: &str,
        id: AckId,
        args: impl IntoArgs,
    ) -> Result<Rc<Message>, EncodeError> {
        match self {
            Self::Json => packet::encode_ack(namespace, id, args),
            Self::Msgpack => packet::encode_msgpack_ack(namespace, id, args),
            Self::Custom(parser) => custom::encode_ack(parser, namespace, id, args),
        }
    }

    /// Tells a client that it got the namespace, and who it is; to one of Socket.IO v2 nothing.
    pub(super) fn encode_connect(&self, namespace: &str, welcome: Option<&Welcome>) -> Rc<Message> {
        match (self, welcome) {
            (Self::Json, Some(welcome)) => packet::encode_connect(namespace, &welcome.json()),
            (_, welcome) => {
                let json = welcome.map(|welcome| welcome.json().concat());
                let json = json.map(|json| String::from_utf8(json).unwrap_or_default());
                self.encode_control(PacketKind::Connect, namespace, json.as_deref())
            }
        }
    }

    /// Refuses a namespace, with the reason and, if there is any, more about it in JSON.
    pub(crate) fn encode_connect_error(
        &self,
        namespace: &str,
        message: &str,
        data_json: Option<&str>,
    ) -> Rc<Message> {
        let mut payload = format!("{{\"message\":{}", serde_json::Value::from(message));
        if let Some(data) = data_json {
            payload.push_str(",\"data\":");
            payload.push_str(data);
        }
        payload.push('}');
        self.encode_control(PacketKind::ConnectError, namespace, Some(&payload))
    }

    /// Refuses a namespace to a client of Socket.IO v2, with any JSON, a text for the most part.
    pub(crate) fn encode_refusal_v2(&self, namespace: &str, json: &str) -> Rc<Message> {
        self.encode_control(PacketKind::ConnectError, namespace, Some(json))
    }

    /// Tells a client that it has left the namespace.
    pub(crate) fn encode_disconnect(&self, namespace: &str) -> Rc<Message> {
        self.encode_control(PacketKind::Disconnect, namespace, None)
    }

    /// A packet without arguments, with what it says in JSON.
    pub(super) fn encode_control(
        &self,
        kind: PacketKind,
        namespace: &str,
        payload_json: Option<&str>,
    ) -> Rc<Message> {
        match self {
            Self::Json => packet::encode_control(kind, namespace, payload_json),
            Self::Msgpack => packet::encode_msgpack_control(kind, namespace, payload_json),
            Self::Custom(parser) => custom::encode_control(parser, kind, namespace, payload_json),
        }
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "Json",
            Self::Msgpack => "Msgpack",
            Self::Custom(_) => "Custom",
        })
    }
}
