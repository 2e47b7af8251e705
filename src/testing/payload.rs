//! Payloads of long-polling as a client reads and writes them, in either revision of the protocol.
//!
//! ```text
//! EIO 4             42["a"] 1e bAQID
//! EIO 3, text       7:42["a"]6:b4AQID
//! EIO 3, bytes      00 07 ff 42["a"]  01 04 ff 04 01 02 03
//! ```

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::link::Packet;
use super::wire::Answer;
use crate::engineio::Protocol;

/// The packets of an answer to a GET.
///
/// # Panics
/// If it holds something else.
pub(super) fn decode(answer: &Answer, protocol: Protocol) -> Vec<Packet> {
    let is_binary = answer.header("content-type") == Some("application/octet-stream");
    match protocol {
        Protocol::V3 if is_binary => decode_bytes(&answer.body),
        Protocol::V3 => decode_counted(answer.text()),
        Protocol::V4 => answer.text().split(SEPARATOR).map(|text| decode_text(text, "b")).collect(),
    }
}

/// As many packets as one body may hold, one at least.
pub(super) fn take(
    outgoing: &mut VecDeque<Packet>,
    protocol: Protocol,
    bytes_max: usize,
) -> String {
    let mut body = String::new();
    while let Some(packet) = outgoing.front() {
        let mut text = match (packet, protocol) {
            (Packet::Text(text), _) => text.clone(),
            (Packet::Binary(bytes), Protocol::V4) => format!("b{}", BASE64.encode(bytes)),
            (Packet::Binary(bytes), Protocol::V3) => format!("b4{}", BASE64.encode(bytes)),
        };
        text = match protocol {
            Protocol::V3 => format!("{}:{text}", text.encode_utf16().count()),
            Protocol::V4 if body.is_empty() => text,
            Protocol::V4 => format!("{SEPARATOR}{text}"),
        };
        if !body.is_empty() && body.len() + text.len() > bytes_max {
            break;
        }
        body.push_str(&text);
        outgoing.pop_front();
    }
    body
}

/// One packet of text; behind the prefix there are bytes.
fn decode_text(packet: &str, prefix: &str) -> Packet {
    match packet.strip_prefix(prefix).map(|packet| BASE64.decode(packet)) {
        Some(Ok(bytes)) => Packet::Binary(bytes),
        _ => Packet::Text(packet.to_owned()),
    }
}

fn decode_counted(body: &str) -> Vec<Packet> {
    let (mut packets, mut rest) = (Vec::new(), body);
    while let Some((length, behind)) = rest.split_once(':') {
        let mut left: usize = length.parse().unwrap_or_else(|_| panic!("no length: {body:?}"));
        let mut end = 0;
        for character in behind.chars() {
            if left == 0 {
                break;
            }
            left -= character.len_utf16();
            end += character.len_utf8();
        }
        assert_eq!(left, 0, "a packet is shorter than it says: {body:?}");
        packets.push(decode_text(&behind[..end], "b4"));
        rest = &behind[end..];
    }
    assert!(rest.is_empty(), "a packet without its length: {body:?}");
    packets
}

fn decode_bytes(body: &[u8]) -> Vec<Packet> {
    let (mut packets, mut rest) = (Vec::new(), body);
    while let Some((kind, behind)) = rest.split_first() {
        let digits = behind.iter().take_while(|digit| **digit < 10);
        let length = digits.fold(0, |length, digit| length * 10 + usize::from(*digit));
        let Some(start) = behind.iter().position(|byte| *byte == 0xff) else {
            panic!("a packet without its length: {body:?}");
        };
        let (packet, behind) = behind[start + 1..].split_at(length);
        packets.push(match kind {
            0 => Packet::Text(String::from_utf8_lossy(packet).into_owned()),
            _ => Packet::Binary(packet.strip_prefix(&[4]).unwrap_or(packet).to_vec()),
        });
        rest = behind;
    }
    packets
}

const SEPARATOR: char = '\u{1e}';
