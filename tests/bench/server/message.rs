//! What goes out to one client: a packet with its attachment, its payload found and spoiled.
//!
//! ```text
//! 42["chat","~tb1.."]      451-["chat",{"_placeholder":true,"num":0}] and ~tb1..
//! ```

use std::time::Instant;

use crate::payload::{Mark, find};

#[derive(Clone, Debug)]
pub(super) struct Message {
    /// A message of Engine.IO.
    pub(super) text: String,
    pub(super) attachment: Option<Vec<u8>>,
}

impl Message {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), attachment: None }
    }

    pub(super) fn mark(&self) -> Option<Mark> {
        let payload = self.payload();
        Mark::read(payload, payload.len()).ok()
    }

    /// Another digit at one place of the payload.
    pub(super) fn corrupt(&mut self, at: usize) {
        self.edit(|payload| payload[at] = if payload[at] == b'1' { b'2' } else { b'1' });
    }

    pub(super) fn truncate(&mut self, bytes: usize) {
        self.edit(|payload| payload.truncate(payload.len() - bytes));
    }

    pub(super) fn extend(&mut self, bytes: usize) {
        self.edit(|payload| payload.resize(payload.len() + bytes, b'.'));
    }

    /// The same event as another run would have marked it.
    pub(super) fn of_former_run(&self) -> Self {
        let mark = self.mark().expect("the generator marks its events");
        let mark = Mark { run: mark.run ^ 1, ..mark };
        let mut former = self.clone();
        former.edit(|payload| {
            let length = payload.len();
            payload.clear();
            mark.write(length, payload);
        });
        former
    }

    fn payload(&self) -> &[u8] {
        match &self.attachment {
            Some(attachment) => attachment,
            None => &self.text.as_bytes()[self.payload_range()],
        }
    }

    /// The string in the text that holds the mark; empty where there is none.
    fn payload_range(&self) -> std::ops::Range<usize> {
        let Some(from) = find(self.text.as_bytes(), 0) else { return 0..0 };
        // On a bare WebSocket nothing stands behind it.
        let end = self.text[from..].find('"').map_or(self.text.len(), |length| from + length);
        from..end
    }

    fn edit(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut payload = self.payload().to_vec();
        change(&mut payload);
        if let Some(attachment) = &mut self.attachment {
            *attachment = payload;
        } else {
            let range = self.payload_range();
            self.text.replace_range(range, &String::from_utf8(payload).unwrap());
        }
    }
}

/// How the bytes of a message are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// One frame in one write.
    Whole,
    /// Two frames.
    Frames,
    /// One write per byte.
    Bytes,
}

/// A message in the queue of a client.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) message: Message,
    /// Index of its delivery in the record.
    pub(super) delivery: Option<usize>,
    pub(super) cut: Cut,
    pub(super) hold: Hold,
}

/// What a message waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    Nothing,
    Until(Instant),
    /// The next one to the same client, which goes first.
    Overtaken,
    /// The next one to the same client, with which it is written.
    Joined,
}

impl Outgoing {
    /// A message that is nobody's delivery.
    pub(super) fn of(message: Message) -> Self {
        Self { message, delivery: None, cut: Cut::Whole, hold: Hold::Nothing }
    }

    pub(super) fn control(text: impl Into<String>) -> Self {
        Self::of(Message::text(text))
    }
}
