//! Texts in one string, each behind its length: keeping many of them takes one allocation, and a
//! byte for each that is short.
//!
//! A length is written in characters of ASCII, six bits in each and the lowest first; `0x40` is
//! added to all but the last. So what is UTF-8 stays so:
//!
//! ```text
//! \x04host\x0bexample.com\x06accept\x03*/*
//! ```

/// The texts one after another.
#[derive(Clone, Debug)]
pub(crate) struct Pieces<'a> {
    rest: &'a str,
}

impl<'a> Pieces<'a> {
    /// Of a string that was written as told above.
    pub(crate) fn of(text: &'a str) -> Self {
        Self { rest: text }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    #[inline]
    fn next(&mut self) -> Option<&'a str> {
        let first = *self.rest.as_bytes().first()?;
        let (length, rest) = if first < MORE {
            (usize::from(first), self.rest.get(1..)?)
        } else {
            split_length(self.rest)?
        };
        let (piece, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some(piece)
    }
}

/// Reads a length of any size.
fn split_length(text: &str) -> Option<(usize, &str)> {
    let last = text.bytes().position(|byte| byte < MORE)?;
    let (digits, rest) = text.split_at_checked(last + 1)?;
    let add = |length: usize, digit: u8| (length << BITS) | usize::from(digit % MORE);
    Some((digits.bytes().rev().fold(0, add), rest))
}

/// Writes the length of a text, which is to follow.
pub(crate) fn push_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= usize::from(MORE) {
        out.push(MORE | (length % usize::from(MORE)).to_le_bytes()[0]);
        length >>= BITS;
    }
    out.push(length.to_le_bytes()[0]);
}

/// The room that a text of so many bytes takes with its length.
pub(crate) fn piece_bytes(mut length: usize) -> usize {
    let mut bytes = length + 1;
    while length >= usize::from(MORE) {
        bytes += 1;
        length >>= BITS;
    }
    bytes
}

const BITS: u32 = 6;
const MORE: u8 = 1 << BITS;

#[cfg(test)]
mod tests {
    use super::{Pieces, piece_bytes, push_length};

    #[test]
    fn texts_of_every_length_come_back() {
        let lengths = [0, 1, 62, 63, 64, 65, 4_095, 4_096, 4_097, 70_000, 300_000, 0];
        let texts = lengths.map(|length| "x".repeat(length));
        let mut out = Vec::new();
        for text in &texts {
            let before = out.len();
            push_length(&mut out, text.len());
            out.extend_from_slice(text.as_bytes());
            assert_eq!(out.len() - before, piece_bytes(text.len()));
        }
        let out = String::from_utf8(out).unwrap();
        assert!(Pieces::of(&out).eq(texts.iter().map(String::as_str)));
    }

    #[test]
    fn what_is_cut_short_has_an_end() {
        for text in ["", "\u{40}", "\u{3}ab", "\u{1}\u{e9}"] {
            assert_eq!(Pieces::of(text).next(), None, "{text:?}");
        }
    }
}
