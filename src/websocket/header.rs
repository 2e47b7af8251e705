//! The header of one frame and its mask (RFC 6455, 5.2 and 5.3).
//!
//! It is only read here, not judged: whether a frame may come now depends on the message it is
//! part of. `81 fe 00 80 37 fa 21 3d` begins a final text frame of 128 masked bytes. Lengths that
//! are longer encoded than they need to be are tolerated, as everyone does.

use crate::message::frame_header;

/// A header that arrived completely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// FIN, three reserved bits and the opcode.
    pub(super) first_byte: u8,
    pub(super) mask: Option<[u8; 4]>,
    /// How many bytes this header itself takes.
    pub(super) bytes: usize,
    /// How long the payload says it will be: not to be trusted.
    pub(super) payload_bytes: u64,
}

impl Header {
    /// Reads the header at the start of `bytes`, or `None` while it is incomplete.
    #[inline]
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (&[first_byte, second_byte], rest) = bytes.split_first_chunk()?;
        let (payload_bytes, rest) = match second_byte & LENGTH_BITS {
            126 => {
                let (&length, rest) = rest.split_first_chunk()?;
                (u64::from(u16::from_be_bytes(length)), rest)
            }
            127 => {
                let (&length, rest) = rest.split_first_chunk()?;
                (u64::from_be_bytes(length), rest)
            }
            length => (u64::from(length), rest),
        };
        let (mask, rest) = if second_byte & MASK_BIT == 0 {
            (None, rest)
        } else {
            let (&mask, rest) = rest.split_first_chunk()?;
            (Some(mask), rest)
        };
        let bytes = bytes.len() - rest.len();
        Some(Self { first_byte, mask, bytes, payload_bytes })
    }

    pub(super) const fn opcode(&self) -> u8 {
        self.first_byte & OPCODE_BITS
    }

    pub(super) const fn is_final(&self) -> bool {
        self.first_byte & FINAL_BIT != 0
    }

    pub(super) const fn is_control(&self) -> bool {
        self.first_byte & CONTROL_BIT != 0
    }

    pub(super) const fn has_reserved_bits(&self) -> bool {
        self.first_byte & RESERVED_BITS != 0
    }
}

/// A header of which only some bytes may have arrived.
#[derive(Debug, Default)]
pub(super) struct PartialHeader {
    bytes: [u8; HEADER_BYTES_MAX],
    len: usize,
}

impl PartialHeader {
    /// Takes what it still needs from the front of `input` and starts over once it is complete.
    pub(super) fn take(&mut self, input: &mut &[u8]) -> Option<Header> {
        loop {
            let seen = self.bytes.get(..self.len)?;
            let missing = header_bytes(seen) - self.len;
            if missing == 0 {
                let header = Header::parse(seen);
                self.len = 0;
                return header;
            }
            let (taken, rest) = input.split_at(missing.min(input.len()));
            if taken.is_empty() {
                return None;
            }
            for (slot, byte) in self.bytes.iter_mut().skip(self.len).zip(taken) {
                *slot = *byte;
            }
            self.len += taken.len();
            *input = rest;
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// How long a header is that starts with `seen`, or as far as is known yet.
fn header_bytes(seen: &[u8]) -> usize {
    let Some(second_byte) = seen.get(1) else { return 2 };
    let length_bytes = match second_byte & LENGTH_BITS {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let mask_bytes = if second_byte & MASK_BIT == 0 { 0 } else { 4 };
    2 + length_bytes + mask_bytes
}

/// Appends the header of a frame that is masked, as those of clients are.
pub(super) fn push_masked_header(
    out: &mut Vec<u8>,
    first_byte: u8,
    payload_bytes: usize,
    mask: [u8; 4],
) {
    let mut header = [0; 10];
    let start = out.len();
    out.extend_from_slice(frame_header(first_byte, payload_bytes, &mut header));
    if let Some(second_byte) = out.get_mut(start + 1) {
        *second_byte |= MASK_BIT;
    }
    out.extend_from_slice(&mask);
}

/// Masks or unmasks a payload where it lies, eight bytes at a time.
#[inline]
pub(super) fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = [a, b, c, d, a, b, c, d];
    let (words, tail) = payload.as_chunks_mut();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ u64::from_ne_bytes(wide)).to_ne_bytes();
    }
    for (byte, mask) in tail.iter_mut().zip(wide) {
        *byte ^= mask;
    }
}

/// The opcode of a frame that continues a message.
pub(super) const CONTINUATION: u8 = 0x0;
/// The opcode of a binary message, the largest of a data frame that is defined.
pub(super) const BINARY: u8 = 0x2;
/// The opcode of a pong, the largest that is defined.
pub(super) const PONG: u8 = 0xa;
/// The opcode of a close, the smallest of a control frame.
pub(super) const CLOSE: u8 = 0x8;
/// Marks the last frame of a message.
pub(super) const FINAL_BIT: u8 = 0x80;
const RESERVED_BITS: u8 = 0x70;
const OPCODE_BITS: u8 = 0x0f;
const CONTROL_BIT: u8 = 0x08;
const MASK_BIT: u8 = 0x80;
const LENGTH_BITS: u8 = 0x7f;
const HEADER_BYTES_MAX: usize = 14;

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tungstenite::protocol::frame::FrameHeader;

    use super::*;

    /// All pairs of first bytes, at every length up to a whole header.
    #[test]
    fn headers_are_read_as_tungstenite_reads_them() {
        let tail = [0x01, 0x80, 0xff, 0x00, 0x7f, 0x3a, 0xc4, 0x55, 0x10, 0x9e, 0x21, 0x68];
        for (first_byte, second_byte) in (0..=255).flat_map(|a| (0..=255).map(move |b| (a, b))) {
            let mut bytes = vec![first_byte, second_byte];
            bytes.extend_from_slice(&tail);
            for end in 0..=bytes.len() {
                let seen = &bytes[..end];
                let mut cursor = Cursor::new(seen);
                let theirs = FrameHeader::parse(&mut cursor);
                let ours = Header::parse(seen);
                let mut partial = PartialHeader::default();
                assert_eq!(partial.take(&mut &*seen), ours);
                match theirs {
                    Ok(None) => assert_eq!(ours, None),
                    Ok(Some((header, payload_bytes))) => {
                        let ours = ours.unwrap();
                        assert_eq!(ours.payload_bytes, payload_bytes);
                        assert_eq!(ours.mask, header.mask);
                        assert_eq!(ours.is_final(), header.is_final);
                        assert_eq!(ours.opcode(), u8::from(header.opcode));
                        let reserved = header.rsv1 || header.rsv2 || header.rsv3;
                        assert_eq!(ours.has_reserved_bits(), reserved);
                        assert_eq!(ours.bytes as u64, cursor.position());
                    }
                    Err(_) => assert!(matches!(ours.unwrap().opcode(), 3..=7 | 11..=15)),
                }
            }
        }
    }

    #[test]
    fn unmasking_repeats_the_mask_every_four_bytes() {
        let mask = [0x6d, 0xb6, 0xb2, 0x80];
        for len in 0..70u8 {
            let original: Vec<u8> = (0..len).collect();
            let mut payload = original.clone();
            unmask(&mut payload, mask);
            for (at, (byte, before)) in payload.iter().zip(&original).enumerate() {
                assert_eq!(*byte, before ^ mask[at % 4]);
            }
        }
    }
}
