//! What the decoder hands out: one whole message or one control frame.
//!
//! A message that arrived in one piece is borrowed from the receive buffer, where it was unmasked;
//! `81 82 00 00 00 00 68 69` is the text `hi` in the last two of its bytes. One that was put
//! together from pieces owns its bytes. Neither borrows from the decoder.

use std::ops::Deref;

use tungstenite::{Bytes, Utf8Bytes};

/// One event of the stream, in the order the peer sent them.
#[derive(Debug)]
pub(crate) enum Frame<'b> {
    /// A complete text message.
    Text(Text<'b>),
    /// A complete binary message.
    Binary(Binary<'b>),
    /// A ping; its pong is among the replies already.
    Ping,
    /// A pong, asked for or not.
    Pong,
    /// The peer's close with its code, if it gave one; the echo is among the replies already.
    ///
    /// A code that must not be sent is reported, and answered, as 1002.
    Close(
        #[cfg_attr(not(test), expect(dead_code, reason = "the echo is made already"))] Option<u16>,
    ),
}

/// The text of a message; dereferences to it.
#[derive(Debug)]
pub(crate) enum Text<'b> {
    /// Unmasked within the receive buffer.
    Borrowed(&'b str),
    /// Put together from several pieces.
    Owned(Utf8Bytes),
}

/// The bytes of a binary message; dereferences to them.
#[derive(Debug)]
pub(crate) enum Binary<'b> {
    /// Unmasked within the receive buffer.
    Borrowed(&'b [u8]),
    /// Put together from several pieces.
    Owned(Bytes),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Owned(text) => text,
        }
    }
}

impl Deref for Binary<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}
