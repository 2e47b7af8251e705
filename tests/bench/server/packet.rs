//! Socket.IO packets, taken apart just so far that they can be passed on.
//!
//! ```text
//! 451-/admin,12["chat",{"_placeholder":true,"num":0}]
//! ```

use serde_json::value::RawValue;

/// A packet without the `4` of Engine.IO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) kind: u8,
    pub(super) attachments: usize,
    pub(super) namespace: String,
    pub(super) id: String,
    /// JSON, or nothing.
    pub(super) data: String,
}

impl Packet {
    pub(super) fn parse(text: &str) -> Self {
        let kind = *text.as_bytes().first().expect("a packet has a type");
        let mut rest = &text[1..];
        let mut attachments = 0;
        if matches!(kind, BINARY_EVENT | BINARY_ACK) {
            let (count, after) = rest.split_once('-').expect("a count of attachments");
            (attachments, rest) = (count.parse().unwrap(), after);
        }
        let mut namespace = "/";
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (id, data) = rest.split_at(digits);
        Self {
            kind,
            attachments,
            namespace: namespace.to_owned(),
            id: id.to_owned(),
            data: data.to_owned(),
        }
    }

    /// As a message of Engine.IO.
    pub(super) fn text(&self) -> String {
        let kind = char::from(self.kind);
        let count = match self.attachments {
            0 => String::new(),
            count => format!("{count}-"),
        };
        let namespace = match self.namespace.as_str() {
            "/" => String::new(),
            named => format!("{named},"),
        };
        format!("4{kind}{count}{namespace}{}{}", self.id, self.data)
    }

    /// The elements of an event's array, as JSON: its name first.
    pub(super) fn elements(&self) -> Vec<Box<RawValue>> {
        serde_json::from_str(&self.data).expect("an event is an array")
    }
}

/// A JSON array of these elements.
pub(super) fn array<'e>(elements: impl IntoIterator<Item = &'e str>) -> String {
    format!("[{}]", elements.into_iter().collect::<Vec<_>>().join(","))
}

pub(super) const CONNECT: u8 = b'0';
pub(super) const DISCONNECT: u8 = b'1';
pub(super) const EVENT: u8 = b'2';
pub(super) const ACK: u8 = b'3';
pub(super) const BINARY_EVENT: u8 = b'5';
pub(super) const BINARY_ACK: u8 = b'6';
