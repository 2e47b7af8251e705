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
use std::ops::Range;
use std::rc::Rc;

use super::encode::declare_attachments;
use super::event_name;
use super::msgpack::MsgpackDraft;
use crate::message::{Message, TextBuilder};
use crate::socketio::parser::custom::CustomDraft;
use crate::socketio::payload::{Args, ArgsWriter};

/// What encoding an event gives: it wants [`EventDraft::finish`].
#[derive(Debug)]
pub(crate) struct EventDraft {
    repr: Repr,
}

#[derive(Debug)]
enum Repr {
    Json(JsonDraft),
    Msgpack(MsgpackDraft),
    Custom(Box<CustomDraft>),
}

impl EventDraft {
    /// Allows or forbids compression of polling answers that carry the message.
    pub(crate) fn set_compress(&mut self, compress: bool) {
        match &mut self.repr {
            Repr::Json(draft) => draft.builder.set_compress(compress),
            Repr::Msgpack(draft) => draft.set_compress(compress),
            Repr::Custom(draft) => draft.set_compress(compress),
        }
    }

    /// Adds a string as the last argument.
    pub(crate) fn append(&mut self, argument: &str) {
        match &mut self.repr {
            Repr::Json(draft) => draft.append(argument),
            Repr::Msgpack(draft) => draft.append(argument),
            Repr::Custom(draft) => draft.append(argument),
        }
    }

    /// The name of the event and its arguments; they borrow what has been encoded.
    pub(crate) fn event(&self) -> Option<(Cow<'_, str>, Args<'_>)> {
        match &self.repr {
            Repr::Json(draft) => draft.event(),
            Repr::Msgpack(draft) => draft.event(),
            Repr::Custom(draft) => draft.event(),
        }
    }

    /// Closes the packet: from now on it is shared and never changes.
    pub(crate) fn finish(self) -> Rc<Message> {
        match self.repr {
            Repr::Json(draft) => draft.finish(),
            Repr::Msgpack(draft) => draft.finish(),
            Repr::Custom(draft) => draft.finish(),
        }
    }
}

impl From<JsonDraft> for EventDraft {
    fn from(draft: JsonDraft) -> Self {
        Self { repr: Repr::Json(draft) }
    }
}

impl From<MsgpackDraft> for EventDraft {
    fn from(draft: MsgpackDraft) -> Self {
        Self { repr: Repr::Msgpack(draft) }
    }
}

impl From<CustomDraft> for EventDraft {
    fn from(draft: CustomDraft) -> Self {
        Self { repr: Repr::Custom(Box::new(draft)) }
    }
}

/// All of the text but the closing bracket and, if there are attachments, the binary type.
#[derive(Debug)]
pub(super) struct JsonDraft {
    pub(super) builder: TextBuilder,
    /// Where the name stands in the builder's buffer, quotation marks included.
    pub(super) name: Range<usize>,
    /// How many arguments there are behind the name.
    pub(super) len: usize,
}

impl JsonDraft {
    fn append(&mut self, argument: &str) {
        let mut writer = ArgsWriter::behind(self.builder.buffer());
        // A string always has a form in JSON.
        if writer.push(argument).is_ok() {
            self.len += 1;
        }
    }

    fn event(&self) -> Option<(Cow<'_, str>, Args<'_>)> {
        let name = self.builder.text(self.name.clone())?;
        let args = self.builder.text(self.name.end..self.builder.len())?;
        let args = args.strip_prefix(',').unwrap_or_default();
        Some((event_name(name)?, Args::new(args, self.len, self.builder.attachments())))
    }

    fn finish(mut self) -> Rc<Message> {
        self.builder.push("]");
        declare_attachments(&mut self.builder, "5");
        self.builder.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AckId, encode_event};
    use super::*;
    use crate::socketio::payload::{Binary, IntoArgs};

    fn read(event: (Cow<'_, str>, Args<'_>)) -> (String, String, usize, usize) {
        let (name, args) = event;
        (name.into_owned(), args.json().into_owned(), args.len(), args.attachments().len())
    }

    fn check(name: &str, args: impl IntoArgs, text: &str, json: &str) {
        let len = json.matches(',').count() + 1;
        let mut draft = encode_event("/n[\"", name, Some(AckId::new(1)), args).unwrap();
        draft.append("o\"1");
        assert_eq!(read(draft.event().unwrap()), (name.to_owned(), json.to_owned(), len, 0));
        assert_eq!(draft.finish().payload_text(), Some(text));
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
        assert_eq!(message.attachments().len(), 1);
    }
}
