//! One outgoing message, neutral of transport, shared by all its recipients.
//!
//! A message is what Socket.IO encodes once: a text packet, a text packet with its binary
//! attachments (one unit, so that nothing can come between them), or one binary packet. Each form
//! it is asked for is made once and kept:
//!
//! | form | on the wire for `2["chat","hi"]` |
//! |---|---|
//! | [`Form::WebSocket`] | `81 0f` then `42["chat","hi"]`; attachments follow as frames `82 ..` |
//! | [`Form::WebSocketBase64`] | the same, attachments as text frames `b<base64>` |
//! | [`Form::Polling`] | `42["chat","hi"]`; attachments follow as `0x1e b<base64>` |
//! | [`Form::PollingV3`] | `15:42["chat","hi"]`; attachments follow as `<length>:b4<base64>` |
//!
//! The forms for clients of EIO 3 that differ are made in `v3`. A text frame is the same for all.
//!
//! Server frames are unmasked, so one frame serves everyone. A text message keeps one buffer for
//! all its forms: the frame header is written into room left before the packet.

mod v3;

use std::cell::OnceCell;
use std::ops::Range;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use v3::FormsV3;
pub(crate) use v3::{push_binary_packet, push_counted};

/// An immutable outgoing message; clone the [`Rc`] around it, never the message.
#[derive(Debug)]
pub(crate) struct Message {
    head: Head,
    attachments: Box<[Rc<[u8]>]>,
    bytes: usize,
    websocket: OnceCell<Box<[u8]>>,
    websocket_base64: OnceCell<Box<[u8]>>,
    polling: OnceCell<Box<[u8]>>,
    /// Boxed, since most messages never meet a client of EIO 3.
    v3: OnceCell<Box<FormsV3>>,
    compress: bool,
}

/// How the bytes of a message look to a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Frames of RFC 6455, binary as binary frames.
    WebSocket,
    /// Frames of RFC 6455, binary as base64 text (the client asked with `b64=1`).
    WebSocketBase64,
    /// A piece of a long-polling payload, without separators at its ends.
    Polling,
    /// [`Form::WebSocket`] for EIO 3: binary frames begin with the packet type.
    WebSocketV3,
    /// [`Form::WebSocketBase64`] for EIO 3: the packet type follows the `b`.
    WebSocketBase64V3,
    /// A piece of a payload of EIO 3 in text, each packet behind its length.
    PollingV3,
    /// A piece of a payload of EIO 3 in bytes, text and binary packets alike behind their lengths.
    PollingBinaryV3,
}

impl Form {
    /// Whether it is what clients of EIO 3 understand.
    pub(crate) const fn is_v3(self) -> bool {
        match self {
            Self::WebSocket | Self::WebSocketBase64 | Self::Polling => false,
            Self::WebSocketV3
            | Self::WebSocketBase64V3
            | Self::PollingV3
            | Self::PollingBinaryV3 => true,
        }
    }
}

#[derive(Debug)]
enum Head {
    /// `[room for a frame header][4][payload]`; the frame starts at `frame_start`.
    Text { buffer: Box<[u8]>, frame_start: u8 },
    /// A binary message without a text packet before it.
    Binary { payload: Rc<[u8]> },
}

impl Message {
    /// A text message of Engine.IO: `payload` is what follows the packet type `4`.
    pub(crate) fn text(payload: &str) -> Rc<Self> {
        let mut builder = TextBuilder::with_capacity(payload.len());
        builder.push(payload);
        builder.finish()
    }

    /// A binary message of Engine.IO.
    pub(crate) fn binary(payload: &[u8]) -> Rc<Self> {
        Rc::new(Self::new(Head::Binary { payload: Rc::from(payload) }, Box::default(), true))
    }

    /// A text message and binary ones behind it, as one unit.
    pub(crate) fn unit_of_text(text: &str, attachments: Vec<Rc<[u8]>>, compress: bool) -> Rc<Self> {
        let mut builder = TextBuilder::with_capacity(text.len());
        builder.push(text);
        builder.set_attachments(attachments);
        builder.set_compress(compress);
        builder.finish()
    }

    /// A binary message and further ones behind it, as one unit.
    pub(crate) fn unit_of_binary(
        payload: &[u8],
        attachments: Vec<Rc<[u8]>>,
        compress: bool,
    ) -> Rc<Self> {
        let head = Head::Binary { payload: Rc::from(payload) };
        Rc::new(Self::new(head, attachments.into_boxed_slice(), compress))
    }

    fn new(head: Head, attachments: Box<[Rc<[u8]>]>, compress: bool) -> Self {
        let head_bytes = match &head {
            Head::Text { buffer, .. } => buffer.len() - TEXT_START,
            Head::Binary { payload } => payload.len(),
        };
        Self {
            bytes: head_bytes + attachments.iter().map(|bytes| bytes.len()).sum::<usize>(),
            head,
            attachments,
            websocket: OnceCell::new(),
            websocket_base64: OnceCell::new(),
            polling: OnceCell::new(),
            v3: OnceCell::new(),
            compress,
        }
    }

    /// The text after the packet type, or `None` for a binary message.
    pub(crate) fn payload_text(&self) -> Option<&str> {
        match &self.head {
            Head::Text { buffer, .. } => std::str::from_utf8(&buffer[TEXT_START + 1..]).ok(),
            Head::Binary { .. } => None,
        }
    }

    /// The text with its packet type before it, or `None` for a binary message.
    pub(crate) fn packet_text(&self) -> Option<&str> {
        match &self.head {
            Head::Text { buffer, .. } => std::str::from_utf8(&buffer[TEXT_START..]).ok(),
            Head::Binary { .. } => None,
        }
    }

    /// The bytes of a binary message, or `None` for a text one.
    pub(crate) fn payload_binary(&self) -> Option<&[u8]> {
        match &self.head {
            Head::Text { .. } => None,
            Head::Binary { payload } => Some(payload),
        }
    }

    /// The binary packets behind the text.
    pub(crate) fn attachments(&self) -> &[Rc<[u8]>] {
        &self.attachments
    }

    /// Whether any of its packets is binary.
    pub(crate) fn has_binary(&self) -> bool {
        !self.attachments.is_empty() || matches!(self.head, Head::Binary { .. })
    }

    /// Whether a polling answer that carries this message may be compressed.
    pub(crate) fn compress(&self) -> bool {
        self.compress
    }

    /// The size that limits on outgoing bytes count: the payloads, without framing.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The bytes of this message in one form, made at the first call and shared from then on.
    pub(crate) fn form(&self, form: Form) -> &[u8] {
        if let Head::Text { buffer, frame_start } = &self.head
            && self.attachments.is_empty()
        {
            match form {
                Form::WebSocket
                | Form::WebSocketBase64
                | Form::WebSocketV3
                | Form::WebSocketBase64V3 => return &buffer[usize::from(*frame_start)..],
                Form::Polling => return &buffer[TEXT_START..],
                Form::PollingV3 | Form::PollingBinaryV3 => {}
            }
        }
        match form {
            Form::WebSocket => self.websocket.get_or_init(|| self.frames(binary_frame)),
            Form::WebSocketBase64 => {
                self.websocket_base64.get_or_init(|| self.frames(base64_frame))
            }
            Form::Polling => self.polling.get_or_init(|| self.polling_packets()),
            Form::WebSocketV3
            | Form::WebSocketBase64V3
            | Form::PollingV3
            | Form::PollingBinaryV3 => self.v3.get_or_init(Box::default).form(self, form),
        }
    }

    fn frames(&self, binary: fn(&mut Vec<u8>, &[u8])) -> Box<[u8]> {
        let mut out = Vec::with_capacity(self.bytes() + 16 * (1 + self.attachments.len()));
        match &self.head {
            Head::Text { buffer, frame_start } => {
                out.extend_from_slice(&buffer[usize::from(*frame_start)..]);
            }
            Head::Binary { payload } => binary(&mut out, payload),
        }
        for attachment in &self.attachments {
            binary(&mut out, attachment);
        }
        out.into_boxed_slice()
    }

    fn polling_packets(&self) -> Box<[u8]> {
        let mut out = Vec::with_capacity(self.bytes() * 4 / 3 + 8);
        match &self.head {
            Head::Text { buffer, .. } => out.extend_from_slice(&buffer[TEXT_START..]),
            Head::Binary { payload } => out.extend_from_slice(base64_packet(payload).as_bytes()),
        }
        for attachment in &self.attachments {
            out.push(SEPARATOR);
            out.extend_from_slice(base64_packet(attachment).as_bytes());
        }
        out.into_boxed_slice()
    }
}

/// Collects the text of a message behind the room its frame header will need.
#[derive(Debug)]
pub(crate) struct TextBuilder {
    buffer: Vec<u8>,
    attachments: Vec<Rc<[u8]>>,
    compress: bool,
}

impl TextBuilder {
    pub(crate) fn with_capacity(payload_bytes: usize) -> Self {
        let mut buffer = Vec::with_capacity(TEXT_START + 1 + payload_bytes);
        buffer.extend_from_slice(&[0; TEXT_START]);
        buffer.push(b'4');
        Self { buffer, attachments: Vec::new(), compress: true }
    }

    pub(crate) fn push(&mut self, text: &str) {
        self.buffer.extend_from_slice(text.as_bytes());
    }

    /// The bytes so far, for a serializer that writes its own text: append UTF-8, nothing else.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// How long the buffer is by now, the room before the packet included.
    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// A piece of the buffer, by places that [`TextBuilder::len`] told.
    pub(crate) fn text(&self, piece: Range<usize>) -> Option<&str> {
        std::str::from_utf8(self.buffer.get(piece)?).ok()
    }

    /// Puts `text` in place of the payload's first byte, because only the end of an encoding
    /// tells whether its packet type is the binary one.
    pub(crate) fn replace_first(&mut self, text: &str) {
        let first = TEXT_START + 1;
        let end = self.buffer.len().min(first + 1);
        self.buffer.splice(first..end, text.bytes());
    }

    /// Binary packets that follow the text, in the order of their placeholders.
    pub(crate) fn set_attachments(&mut self, attachments: Vec<Rc<[u8]>>) {
        self.attachments = attachments;
    }

    pub(crate) fn attachments(&self) -> &[Rc<[u8]>] {
        &self.attachments
    }

    pub(crate) fn set_compress(&mut self, compress: bool) {
        self.compress = compress;
    }

    pub(crate) fn finish(mut self) -> Rc<Message> {
        let payload_bytes = self.buffer.len() - TEXT_START;
        let mut header = [0; TEXT_START];
        let header = frame_header(TEXT_FRAME, payload_bytes, &mut header);
        let frame_start = TEXT_START - header.len();
        self.buffer[frame_start..TEXT_START].copy_from_slice(header);
        let head = Head::Text {
            buffer: self.buffer.into_boxed_slice(),
            frame_start: u8::try_from(frame_start).unwrap_or(0),
        };
        Rc::new(Message::new(head, self.attachments.into_boxed_slice(), self.compress))
    }
}

/// Collects the bytes of a binary message.
#[derive(Debug)]
pub(crate) struct BinaryBuilder {
    buffer: Vec<u8>,
    compress: bool,
}

impl BinaryBuilder {
    pub(crate) fn with_capacity(payload_bytes: usize) -> Self {
        Self { buffer: Vec::with_capacity(payload_bytes), compress: true }
    }

    /// The bytes so far: append, and change what was appended.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// How long the buffer is by now.
    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// A piece of the buffer.
    pub(crate) fn bytes(&self, piece: Range<usize>) -> Option<&[u8]> {
        self.buffer.get(piece)
    }

    pub(crate) fn set_compress(&mut self, compress: bool) {
        self.compress = compress;
    }

    pub(crate) fn finish(self) -> Rc<Message> {
        let head = Head::Binary { payload: self.buffer.into() };
        Rc::new(Message::new(head, Box::default(), self.compress))
    }
}

/// Writes an unmasked, final frame header (RFC 6455, 5.2) and returns the bytes used.
pub(crate) fn frame_header(
    first_byte: u8,
    payload_bytes: usize,
    out: &mut [u8; TEXT_START],
) -> &[u8] {
    out[0] = first_byte;
    if let Ok(small @ 0..=125) = u8::try_from(payload_bytes) {
        out[1] = small;
        &out[..2]
    } else if let Ok(medium) = u16::try_from(payload_bytes) {
        out[1] = 126;
        out[2..4].copy_from_slice(&medium.to_be_bytes());
        &out[..4]
    } else {
        out[1] = 127;
        out[2..10].copy_from_slice(&(payload_bytes as u64).to_be_bytes());
        &out[..10]
    }
}

fn binary_frame(out: &mut Vec<u8>, payload: &[u8]) {
    push_frame(out, BINARY_FRAME, payload);
}

fn base64_frame(out: &mut Vec<u8>, payload: &[u8]) {
    push_frame(out, TEXT_FRAME, base64_packet(payload).as_bytes());
}

/// Appends one final, unmasked frame with its payload.
pub(crate) fn push_frame(out: &mut Vec<u8>, first_byte: u8, payload: &[u8]) {
    let mut header = [0; TEXT_START];
    out.extend_from_slice(frame_header(first_byte, payload.len(), &mut header));
    out.extend_from_slice(payload);
}

fn base64_packet(payload: &[u8]) -> String {
    let mut packet = String::with_capacity(1 + payload.len().div_ceil(3) * 4);
    packet.push('b');
    STANDARD.encode_string(payload, &mut packet);
    packet
}

/// First byte of a final text frame.
pub(crate) const TEXT_FRAME: u8 = 0x81;
/// First byte of a final binary frame.
pub(crate) const BINARY_FRAME: u8 = 0x82;
/// Joins the packets of one long-polling payload (Engine.IO v4).
pub(crate) const SEPARATOR: u8 = 0x1e;
/// The largest header of an unmasked frame; the packet of a text message starts behind it.
pub(crate) const TEXT_START: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_message_has_one_buffer_for_all_forms() {
        let message = Message::text("2[\"chat\",\"hi\"]");
        assert_eq!(message.form(Form::WebSocket), b"\x81\x0f42[\"chat\",\"hi\"]");
        assert_eq!(message.form(Form::Polling), b"42[\"chat\",\"hi\"]");
        assert_eq!(message.payload_text(), Some("2[\"chat\",\"hi\"]"));
    }

    #[test]
    fn frame_headers_grow_with_the_payload() {
        for (bytes, header) in [
            (124, vec![0x81, 125]),
            (125, vec![0x81, 126, 0, 126]),
            (65_534, vec![0x81, 126, 0xff, 0xff]),
            (65_535, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let message = Message::text(&"x".repeat(bytes));
            assert_eq!(message.form(Form::WebSocket)[..header.len()], header);
            assert_eq!(message.form(Form::WebSocket).len(), header.len() + 1 + bytes);
        }
    }

    #[test]
    fn attachments_follow_their_text_in_every_form() {
        let mut builder = TextBuilder::with_capacity(0);
        builder.push("51-[\"a\",{\"_placeholder\":true,\"num\":0}]");
        builder.set_attachments(vec![Rc::from([1u8, 2, 3])]);
        let message = builder.finish();
        assert!(message.form(Form::WebSocket).ends_with(b"}]\x82\x03\x01\x02\x03"));
        assert!(message.form(Form::WebSocketBase64).ends_with(b"}]\x81\x05bAQID"));
        assert!(message.form(Form::Polling).ends_with(b"}]\x1ebAQID"));
    }

    #[test]
    fn the_packet_type_may_be_replaced_at_the_end() {
        let mut builder = TextBuilder::with_capacity(0);
        builder.push("2[\"a\"");
        builder.buffer().extend_from_slice(b",1]");
        builder.replace_first("51-");
        assert_eq!(builder.finish().payload_text(), Some("51-[\"a\",1]"));
    }

    #[test]
    fn a_binary_message_is_a_frame_or_base64() {
        let message = Message::binary(&[1, 2, 3, 4]);
        assert_eq!(message.form(Form::WebSocket), b"\x82\x04\x01\x02\x03\x04");
        assert_eq!(message.form(Form::Polling), b"bAQIDBA==");
    }
}
