//! News of the packets that leave, kept for the conductor while somebody wants to hear of them.
//!
//! A message that many get is one message here, too: each piece of news is a reference to it.
//!
//! ```text
//! < 0{"sid":"..."}   < 42["news"]   < 2
//! ```

use std::borrow::Cow;
use std::rc::Rc;

use super::Engine;
use super::context::Shared;
use super::output::Frame;
use super::transport::Protocol;
use crate::message::Message;
use crate::slots::SessionKey;

/// What was handed to a connection of a session.
#[derive(Clone, Debug)]
pub(crate) enum Sent {
    /// A packet that is no message: the open packet, a ping, a pong.
    Control(Cow<'static, str>),
    /// A message with its attachments.
    Message(Rc<Message>),
}

impl Sent {
    /// A ping, in EIO 3 a pong.
    pub(crate) fn beat(protocol: Protocol) -> Self {
        Self::Control(Cow::Borrowed(match protocol {
            Protocol::V3 => "3",
            Protocol::V4 => "2",
        }))
    }
}

impl Engine {
    /// Says whether news is to be kept. Without, noting it costs a branch.
    pub(crate) fn watch_sent(&mut self, watches: bool) {
        if watches != self.shared.sent.is_some() {
            self.shared.sent = watches.then(Vec::new);
        }
    }

    /// The news since this was asked last, in order.
    pub(crate) fn take_sent(&mut self) -> Vec<(SessionKey, Sent)> {
        self.shared.sent.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Messages that the conductor itself took from an outbox to a connection.
    pub(crate) fn note_messages<'a>(
        &mut self,
        session: SessionKey,
        messages: impl Iterator<Item = &'a Rc<Message>>,
    ) {
        for message in messages {
            self.shared.note_sent(session, || Sent::Message(Rc::clone(message)));
        }
    }
}

impl Shared {
    pub(crate) fn note_sent(&mut self, session: SessionKey, sent: impl FnOnce() -> Sent) {
        if let Some(news) = &mut self.sent {
            news.push((session, sent()));
        }
    }

    /// The same of a frame; those of an upgrade aren't news.
    pub(crate) fn note_frame(&mut self, session: SessionKey, frame: &Frame) {
        if self.sent.is_none() {
            return;
        }
        let sent = match frame {
            Frame::Static(b"\x81\x012") => Sent::beat(Protocol::V4),
            Frame::Static(b"\x81\x013") => Sent::beat(Protocol::V3),
            Frame::Message(message, _) => Sent::Message(Rc::clone(message)),
            Frame::Static(_) | Frame::Owned(_) => return,
        };
        self.note_sent(session, || sent);
    }
}
