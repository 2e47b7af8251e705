//! Bodies of long-polling: packets with separators between them as in Engine.IO 4, or each with its
//! length before it as in Engine.IO 3, where octets take the place of text once there is an
//! attachment.
//!
//! ```text
//! 42["a"] 1e bAQID       separated      4:2["a"] is 42["a"] of 7 characters: 7:42["a"]
//! 00 07 ff 42["a"] 01 04 ff 04 01 02 03
//! ```

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Ending;
use super::dialect::{Dialect, MESSAGE_TYPE};

/// One packet of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    Text(&'a [u8]),
    Attachment(Cow<'a, [u8]>),
}

/// The packets of a body, one by one; nothing follows a broken one.
#[derive(Debug)]
pub(super) struct Packets<'a> {
    form: Form,
    rest: Option<&'a [u8]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Separated,
    /// Lengths in UTF-16 units, as JavaScript has them, in digits.
    Counted,
    /// Lengths in bytes, a byte for each digit.
    Octets,
}

/// A packet, and what stands behind it.
type Taken<'a> = (Packet<'a>, Option<&'a [u8]>);

impl<'a> Packets<'a> {
    pub(super) fn of(dialect: &Dialect, body: &'a [u8]) -> Self {
        let form = match body.first() {
            _ if !dialect.is_v2() => Form::Separated,
            Some(&(TEXT_OCTETS | BINARY_OCTETS)) => Form::Octets,
            _ => Form::Counted,
        };
        Self { form, rest: Some(body) }
    }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<Packet<'a>, Ending>;

    fn next(&mut self) -> Option<Self::Item> {
        let body = self.rest.take()?;
        let taken = match self.form {
            Form::Separated => take_separated(body),
            Form::Counted => take_counted(body),
            Form::Octets => take_octets(body),
        };
        Some(taken.map(|(packet, rest)| {
            self.rest = rest;
            packet
        }))
    }
}

fn take_separated(body: &[u8]) -> Result<Taken<'_>, Ending> {
    let end = body.iter().position(|byte| *byte == SEPARATOR);
    let (packet, rest) = match end {
        Some(end) => (body.get(..end).unwrap_or_default(), body.get(end + 1..)),
        None => (body, None),
    };
    Ok((text_or_base64(packet, b"b")?, rest))
}

fn take_counted(body: &[u8]) -> Result<Taken<'_>, Ending> {
    let (length, rest) = split_length(body, b':', b'0')?;
    let bytes = utf16_prefix(rest, length).ok_or(Ending::BadPacket)?;
    let (packet, rest) = rest.split_at(bytes);
    Ok((text_or_base64(packet, b"b4")?, some_bytes(rest)))
}

fn take_octets(body: &[u8]) -> Result<Taken<'_>, Ending> {
    let (kind, rest) = body.split_first().ok_or(Ending::BadPacket)?;
    let (length, rest) = split_length(rest, OCTETS_LENGTH_END, 0)?;
    let (packet, rest) = rest.split_at_checked(length).ok_or(Ending::BadPacket)?;
    let packet = match (*kind, packet) {
        (TEXT_OCTETS, text) => Packet::Text(text),
        (BINARY_OCTETS, [MESSAGE_TYPE, attachment @ ..]) => Packet::Attachment(attachment.into()),
        _ => return Err(Ending::BadPacket),
    };
    Ok((packet, some_bytes(rest)))
}

fn text_or_base64<'a>(packet: &'a [u8], prefix: &[u8]) -> Result<Packet<'a>, Ending> {
    let Some(encoded) = packet.strip_prefix(prefix) else { return Ok(Packet::Text(packet)) };
    let attachment = STANDARD.decode(encoded).map_err(|_| Ending::BadPacket)?;
    Ok(Packet::Attachment(attachment.into()))
}

/// The length that a packet begins with, and what stands behind its end.
fn split_length(body: &[u8], end: u8, zero: u8) -> Result<(usize, &[u8]), Ending> {
    let at = body.iter().take(LENGTH_DIGITS_MAX + 1).position(|byte| *byte == end);
    let (digits, rest) = at.and_then(|at| body.split_at_checked(at)).ok_or(Ending::BadPacket)?;
    let length = digits.iter().try_fold(0_usize, |length, digit| {
        let digit = digit.checked_sub(zero).filter(|digit| *digit < 10)?;
        Some(length * 10 + usize::from(digit))
    });
    match (length, rest) {
        (Some(length), [_, rest @ ..]) if !digits.is_empty() => Ok((length, rest)),
        _ => Err(Ending::BadPacket),
    }
}

fn some_bytes(rest: &[u8]) -> Option<&[u8]> {
    Some(rest).filter(|rest| !rest.is_empty())
}

/// How many bytes the first so many UTF-16 units of a text have.
fn utf16_prefix(text: &[u8], units: usize) -> Option<usize> {
    if text.get(..units)?.is_ascii() {
        return Some(units);
    }
    let mut missing = units;
    for (at, byte) in text.iter().enumerate() {
        if missing == 0 && !is_continuation(*byte) {
            return Some(at);
        }
        missing = missing.checked_sub(utf16_units(*byte))?;
    }
    (missing == 0).then_some(text.len())
}

fn utf16_length(text: &[u8]) -> usize {
    text.iter().map(|byte| utf16_units(*byte)).sum()
}

/// The units of the character that a byte begins.
fn utf16_units(byte: u8) -> usize {
    match byte {
        _ if is_continuation(byte) => 0,
        0xf0.. => 2,
        _ => 1,
    }
}

fn is_continuation(byte: u8) -> bool {
    (0x80..0xc0).contains(&byte)
}

/// Packets with separators between them, attachments in base64, in the form of a POST's body.
pub(super) fn framed(dialect: &Dialect, packets: Vec<u8>) -> Vec<u8> {
    if !dialect.is_v2() {
        return packets;
    }
    let packets = packets.split(|byte| *byte == SEPARATOR).filter(|packet| !packet.is_empty());
    let has_attachment = packets.clone().any(|packet| packet.starts_with(b"b"));
    let mut body = Vec::new();
    for packet in packets {
        match packet {
            [b'b', encoded @ ..] => {
                let attachment = decoded(encoded);
                push_octets(&mut body, BINARY_OCTETS, &[&[MESSAGE_TYPE], &*attachment].concat());
            }
            text if has_attachment => push_octets(&mut body, TEXT_OCTETS, text),
            text => {
                body.extend_from_slice(format!("{}:", utf16_length(text)).as_bytes());
                body.extend_from_slice(text);
            }
        }
    }
    body
}

/// An attachment that was encoded here.
pub(super) fn decoded(encoded: &[u8]) -> Vec<u8> {
    STANDARD.decode(encoded).unwrap_or_default()
}

fn push_octets(body: &mut Vec<u8>, kind: u8, packet: &[u8]) {
    body.push(kind);
    body.extend(packet.len().to_string().bytes().map(|digit| digit - b'0'));
    body.push(OCTETS_LENGTH_END);
    body.extend_from_slice(packet);
}

/// As the head of its POST names it.
pub(super) fn content_type(body: &[u8]) -> &'static str {
    match body.first() {
        Some(&(TEXT_OCTETS | BINARY_OCTETS)) => "application/octet-stream",
        _ => "text/plain;charset=UTF-8",
    }
}

/// Between the packets of a body.
pub(super) const SEPARATOR: u8 = 0x1e;
const TEXT_OCTETS: u8 = 0;
const BINARY_OCTETS: u8 = 1;
const OCTETS_LENGTH_END: u8 = 0xff;
/// More than any body that is taken.
const LENGTH_DIGITS_MAX: usize = 10;
