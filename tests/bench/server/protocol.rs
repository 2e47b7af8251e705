//! What a client speaks, and how that puts messages into bodies and frames.
//!
//! ```text
//! V4   42["a"] 1e bAQID     V3   7:42["a"]     00 07 ff 42["a"] 01 04 ff 04 01 02 03
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::message::Message;
use super::wire::Request;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Engine.IO 4.
    V4,
    /// Engine.IO 3.
    V3,
    /// A WebSocket without Engine.IO.
    Bare,
}

/// A message of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Attachment(Vec<u8>),
}

impl Protocol {
    pub(super) fn of(request: &Request) -> Self {
        match request.parameter("EIO") {
            Some("4") => Self::V4,
            Some("3") => Self::V3,
            None if !request.target.starts_with("/socket.io/") => Self::Bare,
            other => panic!("the generator asked for Engine.IO {other:?}"),
        }
    }

    /// An attachment as a frame holds it.
    pub(super) fn binary(self, attachment: &[u8]) -> Vec<u8> {
        let kind: &[u8] = if self == Self::V3 { &[4] } else { &[] };
        [kind, attachment].concat()
    }

    /// The attachment that a frame holds.
    pub(super) fn attachment(self, frame: Vec<u8>) -> Vec<u8> {
        if self != Self::V3 {
            return frame;
        }
        frame.strip_prefix(&[4]).expect("a binary frame has its type").to_vec()
    }

    /// Messages as one body of long-polling holds them.
    pub(super) fn body(self, messages: &[Message]) -> Vec<u8> {
        let parts = messages.iter().flat_map(|message| {
            let text = Part::Text(message.text.clone());
            std::iter::once(text).chain(message.attachment.clone().map(Part::Attachment))
        });
        let parts: Vec<_> = parts.collect();
        if self != Self::V3 {
            return separated(&parts).into_bytes();
        }
        if parts.iter().any(|part| matches!(part, Part::Attachment(_))) {
            parts.iter().flat_map(octets).collect()
        } else {
            parts.iter().flat_map(counted).collect()
        }
    }

    /// The body of one text.
    pub(super) fn text_body(self, text: &str) -> Vec<u8> {
        self.body(&[Message::text(text)])
    }

    /// The messages of a POST.
    pub(super) fn parts(self, request: &Request) -> Vec<Part> {
        let body = &request.body;
        if self != Self::V3 {
            assert!(!request.is_octets, "octets are not of Engine.IO 4");
            let body = std::str::from_utf8(body).unwrap();
            return body.split('\u{1e}').map(|text| from_base64(text, "b")).collect();
        }
        let mut parts = Vec::new();
        let mut rest = body.as_slice();
        while !rest.is_empty() {
            let take = if request.is_octets { take_octets } else { take_counted };
            let (part, behind) = take(rest);
            parts.push(part);
            rest = behind;
        }
        parts
    }
}

fn separated(parts: &[Part]) -> String {
    let texts = parts.iter().map(|part| match part {
        Part::Text(text) => text.clone(),
        Part::Attachment(bytes) => format!("b{}", STANDARD.encode(bytes)),
    });
    texts.collect::<Vec<_>>().join("\u{1e}")
}

fn counted(part: &Part) -> Vec<u8> {
    let Part::Text(text) = part else { panic!("attachments are octets") };
    format!("{}:{text}", text.encode_utf16().count()).into_bytes()
}

fn octets(part: &Part) -> Vec<u8> {
    let (kind, bytes) = match part {
        Part::Text(text) => (0, text.clone().into_bytes()),
        Part::Attachment(bytes) => (1, Protocol::V3.binary(bytes)),
    };
    let mut all = vec![kind];
    all.extend(bytes.len().to_string().bytes().map(|digit| digit - b'0'));
    all.push(0xff);
    all.extend(bytes);
    all
}

fn take_counted(body: &[u8]) -> (Part, &[u8]) {
    let text = std::str::from_utf8(body).unwrap();
    let (length, text) = text.split_once(':').expect("a length and a colon");
    let length: usize = length.parse().unwrap();
    let mut units = 0;
    let end = text.char_indices().find_map(|(at, character)| {
        let is_end = units == length;
        units += character.len_utf16();
        is_end.then_some(at)
    });
    let (packet, rest) = text.split_at(end.unwrap_or(text.len()));
    assert_eq!(packet.encode_utf16().count(), length, "a packet is as long as it says");
    (from_base64(packet, "b4"), rest.as_bytes())
}

fn take_octets(body: &[u8]) -> (Part, &[u8]) {
    let at = body.iter().position(|byte| *byte == 0xff).expect("a length has an end");
    let length = body[1..at].iter().fold(0, |length, digit| length * 10 + usize::from(*digit));
    let (packet, rest) = body[at + 1..].split_at(length);
    let part = match body[0] {
        0 => Part::Text(String::from_utf8(packet.to_vec()).unwrap()),
        1 => Part::Attachment(Protocol::V3.attachment(packet.to_vec())),
        other => panic!("a packet of kind {other}"),
    };
    (part, rest)
}

fn from_base64(text: &str, prefix: &str) -> Part {
    match text.strip_prefix(prefix) {
        Some(base64) => Part::Attachment(STANDARD.decode(base64).unwrap()),
        None => Part::Text(text.to_owned()),
    }
}
