//! Payloads of EIO 3, in text and in bytes.
//!
//! Both are read once from beginning to end, whatever a length claims: it is held against what is
//! there before anything is taken. The reference reads some lengths more loosely than any client
//! writes them (`0x7`, ` 7 `, digits above 9); here they are mistakes.

use super::Step;
use crate::engineio::packet::RawPacket;

/// The packet at `at` of `<length>:<packet><length>:<packet>...`. Empty ones are passed over, as
/// in the reference.
pub(super) fn next_counted(body: &str, at: usize) -> Option<Step<'_>> {
    let mut rest = body.get(at..)?;
    if body.is_empty() {
        return (at == 0).then_some((RawPacket::Malformed, END));
    }
    while !rest.is_empty() {
        let Some((packet, behind)) = split_counted(rest) else {
            return Some((RawPacket::Malformed, END));
        };
        if !packet.is_empty() {
            return Some((RawPacket::Text(packet), body.len() - behind.len()));
        }
        rest = behind;
    }
    None
}

fn split_counted(text: &str) -> Option<(&str, &str)> {
    let digits = text.bytes().take(DIGITS_MAX).position(|byte| !byte.is_ascii_digit())?;
    let length: usize = text.get(..digits)?.parse().ok()?;
    let behind = text.get(digits..)?.strip_prefix(':')?;
    split_utf16(behind, length)
}

/// Splits after so many UTF-16 code units; `None` where that is beyond the end or within a
/// character.
fn split_utf16(text: &str, units: usize) -> Option<(&str, &str)> {
    // No character has more units than bytes, and most have one of each.
    let start = text.as_bytes().get(..units)?;
    if start.is_ascii() {
        return text.split_at_checked(units);
    }
    let mut left = units;
    for (at, character) in text.char_indices() {
        if left == 0 {
            return text.split_at_checked(at);
        }
        left = left.checked_sub(character.len_utf16())?;
    }
    (left == 0).then_some((text, ""))
}

/// The packet at `at` of a payload in bytes: 0 or 1 for text or bytes, the digits of the length as
/// bytes, 255, the packet.
pub(super) fn next_in_bytes(body: &[u8], at: usize) -> Option<Step<'_>> {
    let rest = body.get(at..).filter(|rest| !rest.is_empty())?;
    Some(match split_in_bytes(rest) {
        Some((packet, behind)) => (packet, body.len() - behind.len()),
        None => (RawPacket::Malformed, END),
    })
}

fn split_in_bytes(bytes: &[u8]) -> Option<(RawPacket<'_>, &[u8])> {
    let (&kind, mut rest) = bytes.split_first()?;
    let mut length: Option<usize> = None;
    loop {
        let (&digit, behind) = rest.split_first()?;
        rest = behind;
        match digit {
            0..=9 => {
                let tens = length.unwrap_or(0).checked_mul(10)?;
                length = Some(tens.checked_add(usize::from(digit))?);
            }
            255 => break,
            _ => return None,
        }
    }
    let (packet, behind) = rest.split_at_checked(length?)?;
    let packet = match kind {
        0 => RawPacket::Text(std::str::from_utf8(packet).ok()?),
        _ => RawPacket::Binary(packet),
    };
    Some((packet, behind))
}

/// Beyond any body.
const END: usize = usize::MAX;
/// More digits than any length has, the colon behind them included.
const DIGITS_MAX: usize = 24;

#[cfg(test)]
mod tests {
    use super::super::{Body, Payload};
    use super::*;
    use crate::engineio::Protocol;
    use crate::entropy::{Entropy as _, SeededEntropy};
    use crate::message::{Form, Message};

    fn packets(mut payload: Payload) -> Vec<String> {
        let mut out = Vec::new();
        while let Some(packet) = payload.next_packet() {
            out.push(match packet {
                RawPacket::Text(text) => text.to_owned(),
                RawPacket::Binary(bytes) => format!("{bytes:?}"),
                RawPacket::Malformed => "!".to_owned(),
            });
        }
        assert!(payload.is_done());
        out
    }

    fn counted(body: &str) -> Vec<String> {
        packets(Payload::new(body.as_bytes().to_vec(), Protocol::V3))
    }

    fn in_bytes(body: &[u8]) -> Vec<String> {
        packets(Payload { body: Body::Bytes(body.to_vec()), at: 0 })
    }

    #[test]
    fn lengths_count_utf16() {
        assert_eq!(counted("2:401:2"), ["40", "2"]);
        assert_eq!(counted("3:4\u{e9}a2:4\u{20ac}"), ["4\u{e9}a", "4\u{20ac}"]);
        assert_eq!(counted("3:4\u{1f600}1:3"), ["4\u{1f600}", "3"]);
        assert_eq!(counted("0:0:1:20:"), ["2"]);
        assert_eq!(counted("0:"), Vec::<String>::new());
        assert_eq!(counted("0001:2"), ["2"]);
    }

    #[test]
    fn what_is_no_payload_of_text() {
        for body in ["", "2", ":", "2:4", "-1:2", "1.0:2", " 1:2", "x:2", "9999999999999999999:2"] {
            assert_eq!(counted(body), ["!"], "{body}");
        }
        assert_eq!(counted("1:22"), ["2", "!"]);
        assert_eq!(counted("1:2x"), ["2", "!"]);
        assert_eq!(counted("2:4\u{1f600}"), ["!"]);
        assert_eq!(counted("18446744073709551615:2"), ["!"]);
        assert_eq!(counted(&"1".repeat(100_000)), ["!"]);
    }

    #[test]
    fn bytes_hold_text_and_bytes() {
        assert_eq!(in_bytes(b""), Vec::<String>::new());
        let both = b"\0\x03\xff4\xc3\xa9\x01\x02\xff\x04\xff";
        assert_eq!(in_bytes(both), ["4\u{e9}", "[4, 255]"]);
        assert_eq!(in_bytes(b"\0\x01\x00\xff4123456789"), ["4123456789"]);
        assert_eq!(in_bytes(b"\x01\x00\xff"), ["[]"]);
    }

    #[test]
    fn what_is_no_payload_in_bytes() {
        let endless = [1].into_iter().chain(std::iter::repeat_n(9, 100_000)).collect::<Vec<u8>>();
        for body in [
            &[1, 5, 255, 4, 1, 2][..],
            &[1],
            &[0],
            &[1, 255, 4],
            &[1, 10, 255, 4],
            &[1, 254, 4],
            &[0, 1, 255],
            &[0, 1, 255, 0xff],
            &[7; 64],
            &endless,
        ] {
            assert_eq!(in_bytes(body), ["!"], "{body:?}");
        }
        assert_eq!(in_bytes(&[1, 1, 255, 4, 3]), ["[4]", "!"]);
    }

    #[test]
    fn what_is_encoded_comes_back() {
        for seed in 0..500 {
            let mut random = SeededEntropy::new(seed);
            let mut messages = Vec::new();
            for _ in 0..random.next() % 8 {
                let length = usize::try_from(random.next() % 200).unwrap();
                let mut bytes = vec![0; length];
                random.fill(&mut bytes);
                messages.push(match random.next() % 2 {
                    0 => Message::binary(&bytes),
                    _ => Message::text(&text(&bytes)),
                });
            }
            let told = |form: Form| messages.iter().map(|message| message.form(form)).collect();
            let text: Vec<&[u8]> = told(Form::PollingV3);
            let bytes: Vec<&[u8]> = told(Form::PollingBinaryV3);
            let expected: Vec<String> =
                messages.iter().map(|message| one_by_one(message)).collect();
            assert_eq!(in_bytes(&bytes.concat()), expected, "seed {seed}");
            if !messages.is_empty() {
                let text = counted(std::str::from_utf8(&text.concat()).unwrap());
                assert_eq!(text.len(), expected.len(), "seed {seed}");
                for (text, message) in text.iter().zip(&messages) {
                    let is_same =
                        message.payload_text().is_none_or(|payload| payload == &text[1..]);
                    assert!(is_same, "seed {seed}");
                }
            }
        }
    }

    /// Text of all lengths of characters.
    fn text(bytes: &[u8]) -> String {
        const CHARACTERS: [char; 5] = ['a', ':', '\u{e9}', '\u{20ac}', '\u{1f600}'];
        bytes.iter().map(|byte| CHARACTERS[usize::from(*byte) % CHARACTERS.len()]).collect()
    }

    fn one_by_one(message: &Message) -> String {
        match message.payload_text() {
            Some(text) => format!("4{text}"),
            None => format!("{:?}", &websocket_payload(message.form(Form::WebSocketV3))),
        }
    }

    fn websocket_payload(frame: &[u8]) -> &[u8] {
        if frame[1] == 126 { &frame[4..] } else { &frame[2..] }
    }

    #[test]
    fn random_bytes_are_read_once_and_to_an_end() {
        for seed in 0..20_000 {
            let mut random = SeededEntropy::new(seed);
            let length = usize::try_from(random.next() % 40).unwrap();
            let alphabet = b"0123456789::4b\x00\x01\x02\x05\xff\xff\xc3\xa9\xf0";
            let mut bytes = vec![0; length];
            random.fill(&mut bytes);
            for byte in &mut bytes {
                *byte = alphabet[usize::from(*byte) % alphabet.len()];
            }
            assert!(in_bytes(&bytes).len() <= length, "seed {seed}");
            let text = packets(Payload::new(bytes, Protocol::V3));
            assert!(text.len() <= length.max(1), "seed {seed}");
        }
    }
}
