//! WebSocket (RFC 6455), the server's side, without input or output.
//!
//! Bytes that arrived go in, messages come out, and replies to pings and closes are appended to a
//! buffer of the caller. What is sent is made ready elsewhere (`message.rs`): server frames are
//! unmasked, so one frame serves every recipient. No extension is negotiated and nothing here
//! knows of sockets, HTTP parsing or Engine.IO.
//!
//! | on the wire | comes out as |
//! |---|---|
//! | `81 85 37 fa 21 3d 7f 9f 4d 51 58` | [`Frame::Text`] `Hello`, unmasked where it lies |
//! | `89 80 00 00 00 00` | [`Frame::Ping`], and the reply `8a 00` |
//! | `88 82 00 00 00 00 03 e8` | [`Frame::Close`] `1000`, and the reply `88 02 03 e8` |

mod assembly;
mod decoder;
#[cfg(test)]
mod differential;
mod failure;
mod frame;
mod handshake;
mod header;

pub(crate) use assembly::Pool;
pub(crate) use decoder::Decoder;
pub(crate) use failure::{Failure, Limits};
pub(crate) use frame::{Binary, Frame, Text};
pub(crate) use handshake::{Acceptance, Handshake, HandshakeError};

use crate::message::push_frame;

/// Makes a close frame (RFC 6455, 5.5.1); without a code it is empty, whatever the reason.
///
/// The reason is cut where a control frame ends: 123 bytes, never within a character.
pub(crate) fn close_frame(code: Option<u16>, reason: &str) -> Vec<u8> {
    let mut payload = Vec::new();
    if let Some(code) = code {
        payload.extend_from_slice(&code.to_be_bytes());
        for character in reason.chars() {
            if payload.len() + character.len_utf8() > CONTROL_BYTES_MAX {
                break;
            }
            payload.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    let mut frame = Vec::with_capacity(2 + payload.len());
    push_frame(&mut frame, CLOSE_FRAME, &payload);
    frame
}

/// Makes a frame as a client sends it, for the clients that tests model.
#[cfg(test)]
pub(crate) fn mask_frame(first_byte: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut frame = Vec::new();
    header::push_masked_header(&mut frame, first_byte, payload.len(), mask);
    let start = frame.len();
    frame.extend_from_slice(payload);
    header::unmask(&mut frame[start..], mask);
    frame
}

/// First byte of a close frame.
const CLOSE_FRAME: u8 = 0x88;
/// The longest payload of a control frame (RFC 6455, 5.5).
const CONTROL_BYTES_MAX: usize = 125;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_frame_carries_its_code_and_reason() {
        assert_eq!(close_frame(None, "ignored"), b"\x88\x00");
        assert_eq!(close_frame(Some(1000), ""), b"\x88\x02\x03\xe8");
        assert_eq!(close_frame(Some(1009), "too large"), b"\x88\x0b\x03\xf1too large");
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        assert_eq!(close_frame(Some(1001), &"x".repeat(500)).len(), 2 + 125);
        let frame = close_frame(Some(1001), &"é".repeat(100));
        assert_eq!(frame.len(), 2 + 2 + 122);
        assert!(std::str::from_utf8(&frame[4..]).is_ok());
    }

    #[test]
    fn a_masked_frame_is_the_one_of_the_specification() {
        let frame = mask_frame(0x81, b"Hello", [0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!(frame, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    }
}
