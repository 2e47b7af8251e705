//! The packets of Engine.IO as they arrive, borrowed from what carried them.
//!
//! A text packet is a type digit and data; a binary frame is a message; `b` begins a message in
//! base64. In EIO 3 bytes too begin with the type, and base64 with its digit. Packets on their way
//! out are written where they are sent: all but messages are constants.
//!
//! | on the wire | packet |
//! |---|---|
//! | `2probe` | [`Packet::Ping`] with the data `probe` |
//! | `42["chat","hi"]` | [`Packet::Message`] with the text `2["chat","hi"]` |
//! | `bAQID`, in EIO 3 `b4AQID` | [`Packet::Message`] with three bytes |
//! | `01 02 03`, in EIO 3 `04 01 02 03` | the same |

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

use super::transport::Protocol;

/// One packet before it is decoded: a segment of a payload, or a message of a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RawPacket<'p> {
    /// A segment of a polling body, or a text message.
    Text(&'p str),
    /// A binary message.
    Binary(&'p [u8]),
    /// Where a packet should be, the payload can't be read; it ends there.
    Malformed,
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
    pub(crate) fn decode(raw: RawPacket<'p>, protocol: Protocol) -> Result<Self, InvalidPacket> {
        let text = match raw {
            RawPacket::Binary(bytes) => return Self::decode_binary(bytes, protocol),
            RawPacket::Text(text) => text,
            RawPacket::Malformed => return Err(InvalidPacket),
        };
        let kind = text.as_bytes().first().copied();
        // An ASCII first byte is a whole character, so that the rest begins at a boundary.
        let data = text.get(1..).unwrap_or_default();
        match (kind, protocol) {
            (Some(b'4'), _) => Ok(Self::Message(Incoming::Text(data))),
            (Some(b'b'), Protocol::V4) => {
                Ok(Self::Message(Incoming::Binary(Cow::Owned(decode_base64(data)))))
            }
            (Some(b'b'), Protocol::V3) => {
                let (kind, base64) = data.split_at_checked(1).ok_or(InvalidPacket)?;
                match kind {
                    "4" => Ok(Self::Message(Incoming::Binary(Cow::Owned(decode_base64(base64))))),
                    _ => Self::control(kind.as_bytes().first().copied(), ""),
                }
            }
            (kind, _) => Self::control(kind, data),
        }
    }

    fn decode_binary(bytes: &'p [u8], protocol: Protocol) -> Result<Self, InvalidPacket> {
        let data = match (protocol, bytes) {
            (Protocol::V4, data) | (Protocol::V3, [4, data @ ..]) => data,
            (Protocol::V3, _) => {
                let kind = bytes.first().and_then(|kind| kind.checked_add(b'0'));
                return Self::control(kind, "");
            }
        };
        Ok(Self::Message(Incoming::Binary(Cow::Borrowed(data))))
    }

    /// A packet that isn't a message, by its type digit.
    fn control(kind: Option<u8>, data: &'p str) -> Result<Self, InvalidPacket> {
        Ok(match kind {
            Some(b'0') => Self::Open,
            Some(b'1') => Self::Close,
            Some(b'2') => Self::Ping(data),
            Some(b'3') => Self::Pong,
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
        Packet::decode(RawPacket::Text(text), Protocol::V4)
    }

    fn decode_v3(text: &str) -> Result<Packet<'_>, InvalidPacket> {
        Packet::decode(RawPacket::Text(text), Protocol::V3)
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

    #[test]
    fn in_eio_3_bytes_have_a_type_as_well() {
        assert_eq!(decode_v3("b4AQID"), Ok(binary(&[1, 2, 3])));
        assert_eq!(decode_v3("b4"), Ok(binary(&[])));
        assert_eq!(decode_v3("b2AQID"), Ok(Packet::Ping("")));
        assert_eq!(decode_v3("4b"), Ok(Packet::Message(Incoming::Text("b"))));
        for text in ["b", "bAQID", "b\u{e9}", "b7", "", "7"] {
            assert_eq!(decode_v3(text), Err(InvalidPacket), "{text:?}");
        }
        let decode = |bytes| Packet::decode(RawPacket::Binary(bytes), Protocol::V3);
        assert_eq!(decode(&[4, 1, 2]), Ok(binary(&[1, 2])));
        assert_eq!(decode(&[4]), Ok(binary(&[])));
        assert_eq!(decode(&[2, 7]), Ok(Packet::Ping("")));
        for bytes in [&[][..], &[7], b"4", &[0xff, 4]] {
            assert_eq!(decode(bytes), Err(InvalidPacket), "{bytes:?}");
        }
        assert_eq!(Packet::decode(RawPacket::Malformed, Protocol::V4), Err(InvalidPacket));
    }
}
