//! The number that ties an ack to its event.
//!
//! A peer chooses it freely and gets back what JavaScript makes of it: `42007["a"]` is answered
//! by `437[]`. It says nothing about who waits for the ack.

use std::fmt;

/// An ack id as JavaScript holds it: a double that is a whole number.
///
/// Up to 2⁵³ - 1 that is the integer itself. Above, it is the bits of the rounded double, which
/// are greater than 2⁶² and so can't be mistaken for an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AckId(u64);

impl AckId {
    /// The id of an own event; counting up takes a lifetime to reach the numbers that round.
    pub(crate) fn new(id: u64) -> Self {
        if id <= SAFE_INTEGER_MAX {
            Self(id)
        } else {
            #[expect(clippy::cast_precision_loss, reason = "JavaScript rounds these ids too")]
            Self((id as f64).to_bits())
        }
    }

    /// The id as an integer, if it is one of those that don't round.
    pub(crate) fn as_u64(self) -> Option<u64> {
        (self.0 <= SAFE_INTEGER_MAX).then_some(self.0)
    }

    /// The id that a peer wrote as a number; msgpack has negative ones too, and sends them back.
    pub(super) fn from_number(id: f64) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the integers in this range are exact"
        )]
        if (0.0..=SAFE_INTEGER_MAX as f64).contains(&id) {
            Self(id as u64)
        } else {
            Self(id.to_bits())
        }
    }

    /// The id as an integer, rounded as JavaScript rounds it, or zero where it is negative.
    pub(crate) fn rounded(self) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "what is out of range saturates"
        )]
        self.as_u64().unwrap_or_else(|| f64::from_bits(self.0) as u64)
    }

    /// The id as JavaScript holds it.
    #[expect(clippy::cast_precision_loss, reason = "the integers in this range are exact")]
    pub(super) fn as_f64(self) -> f64 {
        self.as_u64().map_or(f64::from_bits(self.0), |id| id as f64)
    }

    /// Splits the id off the text that starts with it.
    pub(super) fn split_from(text: &str) -> (Option<Self>, &str) {
        let (digits, rest) = split_digits(text);
        let id = match digits.parse::<u64>() {
            Ok(id) => Some(Self::new(id)),
            // Empty, or too long for an integer: the latter is a double, at worst infinity.
            Err(_) => digits.parse::<f64>().ok().map(|id| Self(id.to_bits())),
        };
        (id, rest)
    }
}

impl fmt::Display for AckId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_u64() {
            Some(id) => id.fmt(formatter),
            None => formatter.write_str(&js_number(f64::from_bits(self.0))),
        }
    }
}

/// The decimal digits that the text starts with, and the rest.
pub(super) fn split_digits(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// A number as JavaScript prints it (ECMA-262, `Number::toString`): the shortest digits that read
/// back the same, with an exponent from 10²¹ on and below 10⁻⁶.
pub(crate) fn js_number(number: f64) -> String {
    let magnitude = number.abs();
    if magnitude == 0.0 {
        "0".to_owned()
    } else if magnitude.is_infinite() {
        if number > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() }
    } else if (1e-6..1e21).contains(&magnitude) {
        number.to_string()
    } else if magnitude < 1.0 {
        format!("{number:e}")
    } else {
        format!("{number:e}").replace('e', "e+")
    }
}

/// `Number.MAX_SAFE_INTEGER`, 2⁵³ - 1.
const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(digits: &str) -> String {
        let (id, rest) = AckId::split_from(digits);
        assert_eq!(rest, "");
        id.unwrap().to_string()
    }

    #[test]
    fn ids_print_as_javascript_prints_them() {
        for (digits, expected) in [
            ("0", "0"),
            ("7", "7"),
            ("007", "7"),
            ("9007199254740991", "9007199254740991"),
            ("9007199254740992", "9007199254740992"),
            ("9007199254740993", "9007199254740992"),
            ("12345678901234567890", "12345678901234567000"),
            ("18446744073709551616", "18446744073709552000"),
            ("999999999999999999999", "1e+21"),
            ("123456789012345678901234567890", "1.2345678901234568e+29"),
        ] {
            assert_eq!(printed(digits), expected, "{digits}");
        }
        assert_eq!(printed(&"9".repeat(1_000_000)), "Infinity");
        assert_eq!(printed(&("0".repeat(1_000_000) + "5")), "5");
    }

    #[test]
    fn an_id_is_the_same_however_it_is_made() {
        for id in [0, 1, SAFE_INTEGER_MAX, SAFE_INTEGER_MAX + 1, SAFE_INTEGER_MAX + 2, u64::MAX] {
            assert_eq!(AckId::split_from(&id.to_string()).0, Some(AckId::new(id)), "{id}");
            assert_eq!(AckId::new(id).as_u64(), (id <= SAFE_INTEGER_MAX).then_some(id));
        }
        assert_eq!(AckId::split_from("9007199254740993[").0, Some(AckId::new(1 << 53)));
        assert_eq!(AckId::split_from("[1]"), (None, "[1]"));
        assert_eq!(AckId::split_from("12[1]"), (Some(AckId::new(12)), "[1]"));
    }

    #[test]
    fn numbers_print_as_in_javascript() {
        for (number, expected) in [
            (1.0, "1"),
            (-0.0, "0"),
            (-1.5, "-1.5"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.25e22, "-1.25e+22"),
            (0.000_001, "0.000001"),
            (0.000_000_15, "1.5e-7"),
            (5e-324, "5e-324"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(js_number(number), expected);
        }
    }
}
