//! Offsets: where an event stands in the store, in the form of the reference's.
//!
//! The milliseconds since the Unix epoch in base 64, most significant digit first, and a suffix for
//! what comes in the same millisecond. They only grow, also where the wall clock goes back.
//!
//! ```text
//! Q7_Nb4W  Q7_Nb4W.0  Q7_Nb4W.1  Q7_Nb4X
//! ```

use std::time::Duration;

/// The place of one event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Offset {
    millis: u64,
    /// How many came before it in the same millisecond.
    number: u64,
}

impl Offset {
    /// The place behind this one.
    pub(super) fn next(self, wall: Duration) -> Self {
        let now = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
        if now > self.millis {
            Self { millis: now, number: 0 }
        } else {
            Self { number: self.number.saturating_add(1), ..self }
        }
    }

    /// What an offset on the wire means; `None` for what none of ours can be.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (millis, number) = match text.split_once('.') {
            Some((millis, number)) => (millis, decode(number)?.checked_add(1)?),
            None => (text, 0),
        };
        let offset = Self { millis: decode(millis)?, number };
        (offset.to_text() == text).then_some(offset)
    }

    /// The offset as it stands on the wire.
    pub(super) fn to_text(self) -> String {
        let mut text = String::with_capacity(12);
        encode(self.millis, &mut text);
        if let Some(number) = self.number.checked_sub(1) {
            text.push('.');
            encode(number, &mut text);
        }
        text
    }
}

fn encode(number: u64, text: &mut String) {
    let digits = number.checked_ilog2().unwrap_or(0) / DIGIT_BITS + 1;
    for digit in (0..digits).rev() {
        let index = (number >> (digit * DIGIT_BITS)) & DIGIT_MASK;
        text.push(char::from(DIGITS[usize::try_from(index).unwrap_or(0)]));
    }
}

fn decode(text: &str) -> Option<u64> {
    if text.is_empty() || text.len() > DIGITS_MAX {
        return None;
    }
    text.bytes().try_fold(0_u64, |number, byte| {
        let digit = DIGITS.iter().position(|&digit| digit == byte)? as u64;
        Some((number << DIGIT_BITS) | digit)
    })
}

const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
const DIGIT_BITS: u32 = 6;
const DIGIT_MASK: u64 = 63;
/// 60 bits: more digits than any time has.
const DIGITS_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_look_like_the_reference_s() {
        let mut offset = Offset::default();
        let mut shown = Vec::new();
        for millis in [63, 64, 64, 64, 63, 65, 1_759_000_000_000] {
            offset = offset.next(Duration::from_millis(millis));
            assert_eq!(Offset::parse(&offset.to_text()), Some(offset));
            shown.push(offset.to_text());
        }
        assert_eq!(shown, ["_", "10", "10.0", "10.1", "10.2", "11", "PcCaVO0"]);
    }

    #[test]
    fn a_foreign_string_is_no_offset() {
        for text in ["", ".", "a.", ".a", "01", "0.00", "hello world", "é", "aaaaaaaaaaaa", "1.1.1"]
        {
            assert_eq!(Offset::parse(text), None, "{text}");
        }
    }
}
