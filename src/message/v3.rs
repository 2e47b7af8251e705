//! The forms of a message that only clients of EIO 3 get.
//!
//! It says how packets are framed, not which client gets which form: that is the engine's.
//!
//! | form | on the wire for `2["\u{e9}"]` and for one byte `ff` |
//! |---|---|
//! | [`Form::WebSocketV3`] | `81 07` then `42["\u{e9}"]`; `82 02 04 ff` |
//! | [`Form::WebSocketBase64V3`] | the same; `81 06` then `b4/w==` |
//! | [`Form::PollingV3`] | `6:42["\u{e9}"]`, counted as JavaScript counts; `6:b4/w==` |
//! | [`Form::PollingBinaryV3`] | `00 07 ff` then `42["\u{e9}"]` in UTF-8; `01 02 ff 04 ff` |

use std::cell::OnceCell;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{BINARY_FRAME, Form, Head, Message, TEXT_FRAME, TEXT_START, push_frame};

/// What was made of one message so far.
#[derive(Debug, Default)]
pub(super) struct FormsV3 {
    websocket: OnceCell<Box<[u8]>>,
    websocket_base64: OnceCell<Box<[u8]>>,
    polling: OnceCell<Box<[u8]>>,
    polling_binary: OnceCell<Box<[u8]>>,
}

impl FormsV3 {
    /// The bytes of `message`, whose forms these are.
    pub(super) fn form(&self, message: &Message, form: Form) -> &[u8] {
        let (made, framing): (_, Framing) = match form {
            Form::WebSocketV3 => (&self.websocket, Framing { text: text_frame, binary: frame }),
            Form::WebSocketBase64V3 => {
                (&self.websocket_base64, Framing { text: text_frame, binary: base64_frame })
            }
            Form::PollingBinaryV3 => {
                (&self.polling_binary, Framing { text: push_binary_packet, binary: bytes_packet })
            }
            _ => (&self.polling, Framing { text: push_counted, binary: base64_counted }),
        };
        made.get_or_init(|| framing.of(message))
    }
}

/// How the two kinds of packets are written.
struct Framing {
    /// A text packet with its type.
    text: fn(&mut Vec<u8>, &[u8]),
    /// The bytes of a binary message.
    binary: fn(&mut Vec<u8>, &[u8]),
}

impl Framing {
    fn of(&self, message: &Message) -> Box<[u8]> {
        let packets = 1 + message.attachments.len();
        let mut out = Vec::with_capacity(message.bytes() * 4 / 3 + 24 * packets);
        match &message.head {
            Head::Text { buffer, .. } => (self.text)(&mut out, &buffer[TEXT_START..]),
            Head::Binary { payload } => (self.binary)(&mut out, payload),
        }
        for attachment in &message.attachments {
            (self.binary)(&mut out, attachment);
        }
        out.into_boxed_slice()
    }
}

/// Appends a text packet behind its length in UTF-16 code units.
pub(crate) fn push_counted(out: &mut Vec<u8>, packet: &[u8]) {
    let length = utf16_len(packet);
    out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    out.push(b':');
    out.extend_from_slice(packet);
}

/// Appends a text packet to a payload in bytes.
pub(crate) fn push_binary_packet(out: &mut Vec<u8>, packet: &[u8]) {
    push_binary_header(out, 0, packet.len());
    out.extend_from_slice(packet);
}

fn bytes_packet(out: &mut Vec<u8>, payload: &[u8]) {
    push_binary_header(out, 1, payload.len() + 1);
    out.push(MESSAGE);
    out.extend_from_slice(payload);
}

fn push_binary_header(out: &mut Vec<u8>, kind: u8, length: usize) {
    out.push(kind);
    let mut digits = itoa::Buffer::new();
    out.extend(digits.format(length).bytes().map(|digit| digit - b'0'));
    out.push(BINARY_LENGTH_END);
}

fn base64_counted(out: &mut Vec<u8>, payload: &[u8]) {
    push_counted(out, base64_packet(payload).as_bytes());
}

fn text_frame(out: &mut Vec<u8>, packet: &[u8]) {
    push_frame(out, TEXT_FRAME, packet);
}

fn frame(out: &mut Vec<u8>, payload: &[u8]) {
    let mut packet = Vec::with_capacity(1 + payload.len());
    packet.push(MESSAGE);
    packet.extend_from_slice(payload);
    push_frame(out, BINARY_FRAME, &packet);
}

fn base64_frame(out: &mut Vec<u8>, payload: &[u8]) {
    push_frame(out, TEXT_FRAME, base64_packet(payload).as_bytes());
}

fn base64_packet(payload: &[u8]) -> String {
    let mut packet = String::with_capacity(2 + payload.len().div_ceil(3) * 4);
    packet.push_str("b4");
    STANDARD.encode_string(payload, &mut packet);
    packet
}

/// How long JavaScript finds a text that is valid UTF-8: a unit for each character, a second one
/// for those of four bytes.
fn utf16_len(text: &[u8]) -> usize {
    let begins_character = |byte: &&u8| **byte & 0xc0 != 0x80;
    let characters = text.iter().filter(begins_character).count();
    characters + text.iter().filter(|byte| **byte >= 0xf0).count()
}

/// The type of a message as the first byte of a binary packet.
const MESSAGE: u8 = 4;
/// Ends the length of a packet of a payload in bytes.
const BINARY_LENGTH_END: u8 = 0xff;

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::super::TextBuilder;
    use super::*;

    fn mixed() -> Rc<Message> {
        let mut builder = TextBuilder::with_capacity(0);
        builder.push("51-[\"\u{e9}\u{1f600}\"]");
        builder.set_attachments(vec![Rc::from([0xffu8])]);
        builder.finish()
    }

    #[test]
    fn a_text_frame_is_the_same_for_all() {
        let message = Message::text("2[\"a\"]");
        let frame = message.form(Form::WebSocket).as_ptr();
        assert_eq!(message.form(Form::WebSocketV3).as_ptr(), frame);
        assert_eq!(message.form(Form::WebSocketBase64V3).as_ptr(), frame);
        assert_eq!(message.form(Form::PollingV3), b"7:42[\"a\"]");
        assert_eq!(message.form(Form::PollingBinaryV3), b"\0\x07\xff42[\"a\"]");
    }

    #[test]
    fn lengths_of_text_are_counted_in_utf16_and_of_bytes_in_bytes() {
        let message = mixed();
        let polling = "11:451-[\"\u{e9}\u{1f600}\"]6:b4/w==".as_bytes();
        assert_eq!(message.form(Form::PollingV3), polling);
        let binary =
            [b"\0\x01\x04\xff", "451-[\"\u{e9}\u{1f600}\"]".as_bytes(), b"\x01\x02\xff\x04\xff"];
        assert_eq!(message.form(Form::PollingBinaryV3), binary.concat());
        let made = message.form(Form::PollingV3).as_ptr();
        assert_eq!(message.form(Form::PollingV3).as_ptr(), made);
    }

    #[test]
    fn binary_frames_begin_with_their_type() {
        let message = mixed();
        assert!(message.form(Form::WebSocketV3).ends_with(b"]\x82\x02\x04\xff"));
        assert!(message.form(Form::WebSocketBase64V3).ends_with(b"]\x81\x06b4/w=="));
        let message = Message::binary(&[1, 2]);
        assert_eq!(message.form(Form::WebSocketV3), b"\x82\x03\x04\x01\x02");
        assert_eq!(message.form(Form::PollingBinaryV3), b"\x01\x03\xff\x04\x01\x02");
        assert_eq!(message.form(Form::PollingV3), b"6:b4AQI=");
    }
}
