//! What a peer may cost the decoder, and how a connection that went too far ends.
//!
//! A failure is the peer's mistake; the decoder never writes the close frame itself. The caller
//! does, for example `88 02 03 ea` for [`Failure::Protocol`], and counts the reason.

use std::fmt;

use tungstenite::Error;

/// The limits of one connection's incoming messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The longest message in bytes of payload, however it is fragmented.
    pub(crate) message_bytes_max: usize,
    /// The most frames one message may be split into, empty ones included; at least one.
    pub(crate) fragments_max: u32,
}

/// Why decoding of a connection ended for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// A frame broke the rules of RFC 6455: unmasked, reserved bits, fragments out of order.
    Protocol,
    /// A text message or the reason of a close was not UTF-8.
    NotUtf8,
    /// A message was, or said that it would be, longer than the limit.
    TooLarge,
    /// A message was split into more frames than the limit.
    TooManyFragments,
}

impl Failure {
    /// The status code the close frame carries (RFC 6455, 7.4.1).
    pub(crate) const fn close_code(self) -> u16 {
        match self {
            Self::Protocol => 1002,
            Self::NotUtf8 => 1007,
            Self::TooManyFragments => 1008,
            Self::TooLarge => 1009,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Protocol => "a frame broke the WebSocket protocol",
            Self::NotUtf8 => "a text message was not UTF-8",
            Self::TooLarge => "a message was too large",
            Self::TooManyFragments => "a message had too many fragments",
        })
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Utf8(_) => Self::NotUtf8,
            Error::Capacity(_) => Self::TooLarge,
            _ => Self::Protocol,
        }
    }
}
