//! An event that is encoded but for its end: it may still get one more argument.
//!
//! An adapter that lets clients recover what they missed appends the place of the event in its
//! store, and one that passes events on reads what this one says. Nobody else needs to know that
//! the end is open. With an offset appended, `2["chat","hi"` goes out as:
//!
//! ```text
//! 2["chat","hi","Q7_Nb4W"]
//! ```

use std::borrow::Cow;
use std::rc::Rc;

use super::{Decoded, Incomplete, Packet, Subject, decode, event_name};
use crate::message::{Message, TextBuilder};
use crate::socketio::payload::{Args, ArgsWriter};

/// What [`encode_event`](super::encode_event) gives: it wants [`EventDraft::finish`].
#[derive(Debug)]
pub(crate) struct EventDraft {
    /// Attachments included, but neither the closing bracket nor the binary type.
    builder: TextBuilder,
    /// Where the name ends in the builder's buffer; it starts behind the opening bracket.
    name_start: usize,
    name_end: usize,
    /// How many arguments there are behind the name.
    len: usize,
}

impl EventDraft {
    /// The buffer must hold all but the closing bracket, with the name at the place given.
    pub(super) fn new(builder: TextBuilder, name: std::ops::Range<usize>, len: usize) -> Self {
        Self { builder, name_start: name.start, name_end: name.end, len }
    }

    /// Allows or forbids compression of polling answers that carry the message.
    pub(crate) fn set_compress(&mut self, compress: bool) {
        self.builder.set_compress(compress);
    }

    /// Adds a string as the last argument.
    #[cfg_attr(not(test), expect(dead_code, reason = "for adapters that append offsets"))]
    pub(crate) fn append(&mut self, argument: &str) {
        let mut writer = ArgsWriter::behind(self.builder.buffer());
        // A string always has a form in JSON.
        if writer.push(argument).is_ok() {
            self.len += 1;
        }
    }

    /// The name of the event and its arguments; they borrow what has been encoded.
    #[cfg_attr(not(test), expect(dead_code, reason = "for adapters that pass events on"))]
    pub(crate) fn event(&self) -> Option<(Cow<'_, str>, Args<'_>)> {
        let name = self.builder.text(self.name_start..self.name_end)?;
        let args = self.builder.text(self.name_end..self.builder.len())?;
        let args = args.strip_prefix(',').unwrap_or_default();
        Some((event_name(name)?, Args::new(args, self.len, self.builder.attachments())))
    }

    /// Closes the packet: from now on it is shared and never changes.
    pub(crate) fn finish(mut self) -> Rc<Message> {
        self.builder.push("]");
        super::encode::declare_attachments(&mut self.builder, "5");
        self.builder.finish()
    }

    /// The event that a finished message is; it borrows the message.
    #[cfg_attr(not(test), expect(dead_code, reason = "for who is told of what goes out"))]
    pub(crate) fn read(message: &Message) -> Option<(Cow<'_, str>, Args<'_>)> {
        match decode(message.payload_text()?, usize::MAX).ok()? {
            Decoded::Complete(Packet::Event { name, args, .. }) => Some((name?, args)),
            Decoded::Incomplete(Incomplete { subject: Subject::Event(name), args, .. }) => {
                Some((name?, args.with_attachments(message.attachments())))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AckId, encode_event};
    use super::*;
    use crate::socketio::payload::{Binary, IntoArgs};

    fn read(event: (Cow<'_, str>, Args<'_>)) -> (String, String, usize, usize) {
        let (name, args) = event;
        (name.into_owned(), args.json().to_owned(), args.len(), args.attachments().len())
    }

    fn check(name: &str, args: impl IntoArgs, text: &str, json: &str) {
        let len = json.matches(',').count() + 1;
        let mut draft = encode_event("/n[\"", name, Some(AckId::new(1)), args).unwrap();
        draft.append("o\"1");
        assert_eq!(read(draft.event().unwrap()), (name.to_owned(), json.to_owned(), len, 0));
        let message = draft.finish();
        assert_eq!(message.payload_text(), Some(text));
        assert_eq!(
            read(EventDraft::read(&message).unwrap()),
            (name.to_owned(), json.to_owned(), len, 0)
        );
    }

    #[test]
    fn a_last_argument_may_be_appended() {
        check("a", (), "2/n[\",1[\"a\",\"o\\\"1\"]", "\"o\\\"1\"");
        check("\"", (1, "x"), "2/n[\",1[\"\\\"\",1,\"x\",\"o\\\"1\"]", "1,\"x\",\"o\\\"1\"");
    }

    #[test]
    fn a_draft_is_read_with_its_attachments() {
        let mut draft = encode_event("/", "a", None, (&Binary(vec![1]), 2)).unwrap();
        let (name, args) = draft.event().unwrap();
        assert_eq!((&*name, args.len()), ("a", 2));
        assert_eq!(args.parse::<(Binary, u8)>().unwrap(), (Binary(vec![1]), 2));
        draft.append("offset");
        let message = draft.finish();
        let text = "51-[\"a\",{\"_placeholder\":true,\"num\":0},2,\"offset\"]";
        assert_eq!(message.payload_text(), Some(text));
        let (name, args) = EventDraft::read(&message).unwrap();
        let args: (Binary, u8, String) = args.parse().unwrap();
        assert_eq!((&*name, args), ("a", (Binary(vec![1]), 2, "offset".to_owned())));
    }

    #[test]
    fn a_message_that_is_no_event_has_none() {
        assert!(EventDraft::read(&Message::text("3[]")).is_none());
        assert!(EventDraft::read(&Message::text("2")).is_none());
        assert!(EventDraft::read(&Message::binary(b"2[\"a\"]")).is_none());
    }
}
