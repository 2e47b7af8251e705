//! A packet whose attachments are still arriving.
//!
//! It owns what it has, within bounds, and knows nothing of the messages between which it waits:
//! its holder must refuse text while one of these is there, and binary while none is. Complete
//! after one push:
//!
//! ```text
//! text    51-["upload",{"_placeholder":true,"num":0}]
//! binary  01 02 03
//! ```

use std::borrow::Cow;
use std::rc::Rc;

use super::{AckId, DecodeError, Incomplete, Packet, Subject};
use crate::socketio::payload::{Args, placeholders_are_legal};

/// Collects the attachments of one packet.
#[derive(Debug)]
pub(crate) struct Reconstructor {
    namespace: Box<str>,
    subject: Subject<'static>,
    id: Option<AckId>,
    json: Box<str>,
    len: usize,
    attachments: Vec<Rc<[u8]>>,
    attachments_expected: usize,
    bytes_left: usize,
}

impl Incomplete<'_> {
    /// Copies the packet, to outlive the text it was decoded from.
    ///
    /// The packet with all its attachments may be as large as `bytes_max`, else
    /// [`DecodeError::TooLarge`] is returned as soon as that is known.
    pub(crate) fn reconstructor(self, bytes_max: usize) -> Result<Reconstructor, DecodeError> {
        let json = self.args.json();
        let subject = match self.subject {
            Subject::Event(name) => Subject::Event(name.map(|name| Cow::Owned(name.into_owned()))),
            Subject::Ack => Subject::Ack,
        };
        let text_bytes = self.namespace.len().saturating_add(subject.bytes());
        let text_bytes = text_bytes.saturating_add(json.len());
        Ok(Reconstructor {
            namespace: self.namespace.into(),
            subject,
            id: self.id,
            json: json.into(),
            len: self.args.len(),
            attachments: Vec::new(),
            attachments_expected: self.attachments,
            bytes_left: bytes_max.checked_sub(text_bytes).ok_or(DecodeError::TooLarge)?,
        })
    }
}

impl Reconstructor {
    /// Adds the attachment that arrived; `true` says that it was the last and all are legal.
    pub(crate) fn push(&mut self, attachment: &[u8]) -> Result<bool, DecodeError> {
        if self.is_complete() {
            return Err(DecodeError::TooManyAttachments);
        }
        self.bytes_left =
            self.bytes_left.checked_sub(attachment.len()).ok_or(DecodeError::TooLarge)?;
        self.attachments.push(Rc::from(attachment));
        if self.is_complete() && !placeholders_are_legal(&self.json, self.attachments.len()) {
            return Err(DecodeError::IllegalAttachments);
        }
        Ok(self.is_complete())
    }

    /// The packet, once all attachments came.
    pub(crate) fn packet(&self) -> Option<Packet<'_>> {
        let subject = match &self.subject {
            Subject::Event(name) => Subject::Event(name.as_deref().map(Cow::Borrowed)),
            Subject::Ack => Subject::Ack,
        };
        let args = Args::new(&self.json, self.len, &self.attachments);
        self.is_complete().then(|| subject.into_packet(&self.namespace, self.id, args))
    }

    fn is_complete(&self) -> bool {
        self.attachments.len() >= self.attachments_expected
    }
}

impl Subject<'_> {
    fn bytes(&self) -> usize {
        match self {
            Self::Event(Some(name)) => name.len(),
            Self::Event(None) | Self::Ack => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Decoded, decode};
    use super::*;
    use crate::socketio::payload::Binary;

    fn reconstructor(text: &str, bytes_max: usize) -> Result<Reconstructor, DecodeError> {
        match decode(text, 10).unwrap() {
            Decoded::Incomplete(incomplete) => incomplete.reconstructor(bytes_max),
            Decoded::Complete(packet) => panic!("{packet:?} is complete"),
        }
    }

    fn place(number: &str) -> String {
        format!("{{\"_placeholder\":true,\"num\":{number}}}")
    }

    #[test]
    fn an_event_is_complete_with_its_last_attachment() {
        let text = format!("52-/admin,7[\"a\",{},{}]", place("1"), place("0"));
        let mut reconstructor = reconstructor(&text, 1000).unwrap();
        assert_eq!(reconstructor.push(b"zero"), Ok(false));
        assert!(reconstructor.packet().is_none());
        assert_eq!(reconstructor.push(b"one"), Ok(true));
        let Some(Packet::Event { namespace, id, name, args }) = reconstructor.packet() else {
            panic!("not an event");
        };
        assert_eq!((namespace, id, name.as_deref()), ("/admin", Some(AckId::new(7)), Some("a")));
        let (one, zero): (Binary, Binary) = args.parse().unwrap();
        assert_eq!((&*one, &*zero), (&b"one"[..], &b"zero"[..]));
        assert_eq!(reconstructor.push(b"more"), Err(DecodeError::TooManyAttachments));
    }

    #[test]
    fn an_ack_may_repeat_and_ignore_attachments() {
        let text = format!("62-3[{},{}]", place("1"), place("1"));
        let mut reconstructor = reconstructor(&text, 1000).unwrap();
        reconstructor.push(b"zero").unwrap();
        reconstructor.push(b"one").unwrap();
        let Some(Packet::Ack { namespace: "/", id: Some(id), args }) = reconstructor.packet()
        else {
            panic!("not an ack");
        };
        assert_eq!(id, AckId::new(3));
        assert_eq!(args.parse::<[Binary; 2]>().unwrap().map(|bytes| bytes.0), [b"one", b"one"]);
        assert_eq!(args.attachments().len(), 2);
    }

    #[test]
    fn illegal_placeholders_are_found_at_the_last_attachment() {
        for number in ["1", "-1", "0.5", "\"0\"", "\"splice\"", "null", "1e99", "[]"] {
            let text = format!("51-[\"hello\",{}]", place(number));
            let mut reconstructor = reconstructor(&text, 1000).unwrap();
            assert_eq!(reconstructor.push(b""), Err(DecodeError::IllegalAttachments), "{number}");
        }
    }

    #[test]
    fn the_bytes_of_text_and_attachments_are_bounded() {
        assert_eq!(reconstructor("51-/n,[\"abc\",12]", 6).unwrap_err(), DecodeError::TooLarge);
        let mut reconstructor = reconstructor("53-/n,[\"abc\",12]", 9).unwrap();
        assert_eq!(reconstructor.push(b""), Ok(false));
        assert_eq!(reconstructor.push(b"12"), Ok(false));
        assert_eq!(reconstructor.push(b"x"), Err(DecodeError::TooLarge));
    }

    #[test]
    fn a_binary_packet_may_lack_its_payload() {
        let mut reconstructor = reconstructor("51-", 1000).unwrap();
        assert_eq!(reconstructor.push(b""), Ok(true));
        assert!(matches!(reconstructor.packet(), Some(Packet::Event { name: None, .. })));
    }
}
