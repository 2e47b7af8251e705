//! The query of an Engine.IO request, read once.
//!
//! ```text
//! ?EIO=4&transport=polling&t=PqYz&sid=lv_VI97HAXpY6yYWAAAB
//! ```

use std::borrow::Cow;

use super::transport::Protocol;
use crate::http::Request;
use crate::message::Form;

/// The parameters that mean something; of several of one name the last one counts.
#[derive(Debug, Default)]
pub(crate) struct Query<'r> {
    pub(crate) transport: Option<Cow<'r, str>>,
    /// An empty one is none.
    pub(crate) sid: Option<Cow<'r, str>>,
    pub(crate) eio: Option<Cow<'r, str>>,
    /// The client takes binary as base64 only.
    pub(crate) b64: bool,
}

impl<'r> Query<'r> {
    pub(crate) fn of(request: &'r Request) -> Self {
        let mut query = Self::default();
        for (name, value) in request.query_pairs() {
            match &*name {
                "transport" => query.transport = Some(value),
                "sid" => query.sid = Some(value).filter(|sid| !sid.is_empty()),
                "EIO" => query.eio = Some(value),
                "b64" => query.b64 = !value.is_empty(),
                _ => {}
            }
        }
        query
    }

    /// The revision of the protocol that is asked for.
    pub(crate) fn protocol(&self) -> Protocol {
        Protocol::of(self.eio.as_deref())
    }

    /// The form of messages on a WebSocket that this query opened.
    pub(crate) fn websocket_form(&self) -> Form {
        match (self.protocol(), self.b64) {
            (Protocol::V4, false) => Form::WebSocket,
            (Protocol::V4, true) => Form::WebSocketBase64,
            (Protocol::V3, false) => Form::WebSocketV3,
            (Protocol::V3, true) => Form::WebSocketBase64V3,
        }
    }
}
