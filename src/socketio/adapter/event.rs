//! An event on its way out, as adapters see it: open at its end, then finished and shared.
//!
//! ```text
//! 2["chat","hi"               OutgoingEvent
//! 2["chat","hi","Q7_Nb4W"]    EncodedEvent, with an offset
//! ```

use std::borrow::Cow;
use std::rc::Rc;

use crate::message::Message;
use crate::socketio::packet::{AckId, EventDraft};
use crate::socketio::payload::{Args, OwnedArgs};

/// An event that was encoded once, but for its end: an adapter may read it to pass it on, and may
/// append the place that the event has in a store.
///
/// ```
/// use throng::adapter::{Adapter, BroadcastOptions, Local, OutgoingEvent};
/// use throng::Emitted;
///
/// struct Numbering(u64);
///
/// impl Adapter for Numbering {
///     fn broadcast(
///         &mut self,
///         local: &mut Local<'_>,
///         mut event: OutgoingEvent,
///         options: &BroadcastOptions,
///     ) -> Emitted {
///         self.0 += 1;
///         event.append(&self.0.to_string());
///         local.broadcast(event, options)
///     }
/// }
/// ```
#[derive(Debug)]
pub struct OutgoingEvent {
    draft: EventDraft,
    ack: Option<AckId>,
    /// Whether outgoing catch-alls want to see it when it has been delivered.
    is_watched: bool,
}

/// An event that is complete: one buffer, shared by all who get it and all who keep it.
///
/// ```
/// use throng::adapter::EncodedEvent;
///
/// fn kept_bytes(events: &[EncodedEvent]) -> usize {
///     events.iter().map(EncodedEvent::bytes).sum()
/// }
/// assert_eq!(kept_bytes(&[]), 0);
/// ```
#[derive(Clone, Debug)]
pub struct EncodedEvent {
    pub(in crate::socketio) message: Rc<Message>,
    /// What outgoing catch-alls get to see, if there are any.
    pub(in crate::socketio) watched: Option<Rc<WatchedEvent>>,
}

/// An event as outgoing catch-alls see it: with whatever an adapter has appended.
#[derive(Debug)]
pub(in crate::socketio) struct WatchedEvent {
    pub(in crate::socketio) name: String,
    pub(in crate::socketio) args: OwnedArgs,
}

impl OutgoingEvent {
    pub(in crate::socketio) fn new(draft: EventDraft, ack: Option<AckId>) -> Self {
        Self { draft, ack, is_watched: false }
    }

    pub(in crate::socketio) fn watched(self, is_watched: bool) -> Self {
        Self { is_watched, ..self }
    }

    /// The name of the event and its arguments, for a wire.
    pub fn read(&self) -> Option<(Cow<'_, str>, Args<'_>)> {
        self.draft.event()
    }

    /// Whether it asks for an acknowledgement: such an event is never recovered.
    pub fn wants_ack(&self) -> bool {
        self.ack.is_some()
    }

    /// Appends an offset as the last argument.
    pub fn append(&mut self, offset: &str) {
        self.draft.append(offset);
    }

    /// Completes it.
    pub fn finish(self) -> EncodedEvent {
        let read = if self.is_watched { self.read() } else { None };
        let watched = read.map(|(name, args)| {
            Rc::new(WatchedEvent { name: name.into_owned(), args: args.to_owned() })
        });
        EncodedEvent { watched, message: self.draft.finish() }
    }

    pub(in crate::socketio) fn forbid_compression(&mut self) {
        self.draft.set_compress(false);
    }

    pub(in crate::socketio) fn ack(&self) -> Option<AckId> {
        self.ack
    }
}

impl EncodedEvent {
    /// The bytes of its payload, attachments included.
    pub fn bytes(&self) -> usize {
        self.message.bytes()
    }

    /// All that is kept with it: what outgoing catch-alls see, and where there are bytes in it,
    /// the form it was sent in, which differs from what was encoded.
    pub(in crate::socketio) fn kept_bytes(&self) -> usize {
        let forms = if self.message.has_binary() { 2 } else { 1 };
        let watched = self.watched.as_ref();
        let watched = watched.map_or(0, |event| event.name.len() + event.args.bytes());
        forms * self.bytes() + watched
    }
}
