//! How a server's packets are written: one form for all its clients, chosen when it is made.
//!
//! Nothing is checked here: the caller knows the namespace and refuses reserved event names. User
//! code (`Serialize`) runs inside, so nothing is locked or borrowed either. An event of the
//! namespace `/admin` that wants ack 7, in JSON:
//!
//! ```text
//! 2/admin,7["chat","hi"]
//! ```

use std::rc::Rc;

use super::packet::{self, AckId, EventDraft};
use super::payload::{EncodeError, IntoArgs};
use crate::message::Message;

/// The form of all packets of a server.
#[derive(Debug, Default)]
pub(crate) enum Format {
    /// Text with binary attachments, which every client speaks if it isn't told otherwise.
    #[default]
    Json,
}

impl Format {
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
        }
    }

    /// Tells a client that it got the namespace: `{"sid":"..."}`, to one of Socket.IO v2 nothing.
    pub(crate) fn encode_connect(
        &self,
        namespace: &str,
        payload_json: Option<&str>,
    ) -> Rc<Message> {
        match self {
            Self::Json => packet::encode_connect(namespace, payload_json),
        }
    }

    /// Refuses a namespace, with the reason and, if there is any, more about it in JSON.
    pub(crate) fn encode_connect_error(
        &self,
        namespace: &str,
        message: &str,
        data_json: Option<&str>,
    ) -> Rc<Message> {
        match self {
            Self::Json => packet::encode_connect_error(namespace, message, data_json),
        }
    }

    /// Refuses a namespace to a client of Socket.IO v2, with any JSON, a text for the most part.
    pub(crate) fn encode_refusal_v2(&self, namespace: &str, json: &str) -> Rc<Message> {
        match self {
            Self::Json => packet::encode_refusal_v2(namespace, json),
        }
    }

    /// Tells a client that it has left the namespace.
    pub(crate) fn encode_disconnect(&self, namespace: &str) -> Rc<Message> {
        match self {
            Self::Json => packet::encode_disconnect(namespace),
        }
    }
}
