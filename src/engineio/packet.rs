//! The packets of Engine.IO v4 as they arrive, borrowed from what carried them.
//!
//! A text packet is a type digit and data; a binary frame is a message; `b` begins a message in
//! base64. Packets on their way out are written where they are sent: all but messages are
//! constants.
//!
//! | on the wire | packet |
//! |---|---|
//! | `2probe` | [`Packet::Ping`] with the data `probe` |
//! | `42["chat","hi"]` | [`Packet::Message`] with the text `2["chat","hi"]` |
//! | `bAQID` | [`Packet::Message`] with three bytes |

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

/// One packet before it is decoded: a segment of a payload, or a message of a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RawPacket<'p> {
    /// A segment of a polling body, or a text message.
    Text(&'p str),
    /// A binary message.
    Binary(&'p [u8]),
}

/// A packet from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packet<'p> {
    /// `0`: meant for clients; the server ignores it.
    Open,
    /// `1`.
    Close,
    /// `2`, with its data.
    Ping(&'p str),
    /// `3`.
    Pong,
    /// `4`, or binary.
    Message(Incoming<'p>),
    /// `5`.
    Upgrade,
    /// `6`.
    Noop,
}

/// The content of a message packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Incoming<'p> {
    /// What follows the `4`.
    Text(&'p str),
    /// Binary; owned where it came as base64.
    Binary(Cow<'p, [u8]>),
}

/// A packet whose first character is no type: it ends the session with "parse error".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidPacket;

impl<'p> Packet<'p> {
    pub(crate) fn decode(raw: RawPacket<'p>) -> Result<Self, InvalidPacket> {
        let text = match raw {
            RawPacket::Binary(bytes) => {
                return Ok(Self::Message(Incoming::Binary(Cow::Borrowed(bytes))));
            }
            RawPacket::Text(text) => text,
        };
        // An ASCII first byte is a whole character, so that the rest begins at a boundary.
        let data = text.get(1..).unwrap_or_default();
        Ok(match text.as_bytes().first() {
            Some(b'4') => Self::Message(Incoming::Text(data)),
            Some(b'3') => Self::Pong,
            Some(b'b') => Self::Message(Incoming::Binary(Cow::Owned(decode_base64(data)))),
            Some(b'0') => Self::Open,
            Some(b'1') => Self::Close,
            Some(b'2') => Self::Ping(data),
            Some(b'5') => Self::Upgrade,
            Some(b'6') => Self::Noop,
            _ => return Err(InvalidPacket),
        })
    }
}

/// Node.js decodes base64 without ever failing: foreign characters are skipped, the url-safe
/// alphabet counts too, padding may be missing. What is well-formed takes the short way.
fn decode_base64(text: &str) -> Vec<u8> {
    if let Ok(bytes) = STANDARD.decode(text) {
        return bytes;
    }
    let mut digits: Vec<u8> = text
        .bytes()
        .filter_map(|byte| match byte {
            b'-' => Some(b'+'),
            b'_' => Some(b'/'),
            _ => (byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/').then_some(byte),
        })
        .collect();
    // One digit alone is 6 bits: no byte.
    if digits.len() % 4 == 1 {
        digits.pop();
    }
    LENIENT.decode(digits).unwrap_or_default()
}

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &str) -> Result<Packet<'_>, InvalidPacket> {
        Packet::decode(RawPacket::Text(text))
    }

    fn binary(bytes: &[u8]) -> Packet<'static> {
        Packet::Message(Incoming::Binary(Cow::Owned(bytes.to_vec())))
    }

    #[test]
    fn every_type() {
        assert_eq!(decode("0{}"), Ok(Packet::Open));
        assert_eq!(decode("1"), Ok(Packet::Close));
        assert_eq!(decode("2"), Ok(Packet::Ping("")));
        assert_eq!(decode("2probe"), Ok(Packet::Ping("probe")));
        assert_eq!(decode("3"), Ok(Packet::Pong));
        assert_eq!(decode("4"), Ok(Packet::Message(Incoming::Text(""))));
        assert_eq!(decode("4\u{1f600}"), Ok(Packet::Message(Incoming::Text("\u{1f600}"))));
        assert_eq!(decode("5"), Ok(Packet::Upgrade));
        assert_eq!(decode("6"), Ok(Packet::Noop));
    }

    #[test]
    fn what_is_no_type() {
        for text in ["", "7", "8", "9", "a", "B", " 4", "\u{e9}", "\0", "\u{1f600}4"] {
            assert_eq!(decode(text), Err(InvalidPacket), "{text:?}");
        }
    }

    #[test]
    fn base64_as_node_reads_it() {
        assert_eq!(decode("bAQID"), Ok(binary(&[1, 2, 3])));
        assert_eq!(decode("bAQIDBA=="), Ok(binary(&[1, 2, 3, 4])));
        assert_eq!(decode("bAQIDBA"), Ok(binary(&[1, 2, 3, 4])));
        assert_eq!(decode("b"), Ok(binary(&[])));
        assert_eq!(decode("b-_8="), Ok(binary(&[0xfb, 0xff])));
        assert_eq!(decode("b A Q\nI!D"), Ok(binary(&[1, 2, 3])));
        assert_eq!(decode("bA"), Ok(binary(&[])));
        assert_eq!(decode("b\u{e9}"), Ok(binary(&[])));
    }
}
