//! Whether a value is whole and not too deep: the one walk over what a peer sends.
//!
//! It allocates nothing and doesn't recurse. An array that says it holds more values than bytes
//! follow is refused before the first of them is looked at: `dd ff ff ff ff 01`.

use super::token::{Reader, Token};

/// A value that has been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checked<'a> {
    pub(crate) bytes: &'a [u8],
    /// Whether it is in the forms that are left to `rmp_serde`; else [`normalise`] makes it so.
    ///
    /// [`normalise`]: super::normalise
    pub(crate) is_normal: bool,
}

/// Takes one whole value; `None` where there is none, or it is deeper than [`LEVELS_MAX`].
pub(crate) fn check<'a>(reader: &mut Reader<'a>) -> Option<Checked<'a>> {
    let before = reader.rest();
    // How many values are still to come, for each container that is open.
    let mut open = [0_u64; LEVELS_MAX + 1];
    let mut level = 0_usize;
    let mut is_normal = true;
    loop {
        let values = match reader.token()? {
            Token::Array(len) => u64::from(len),
            Token::Map(len) => u64::from(len) * 2,
            token => {
                is_normal &= is_normal_scalar(token);
                0
            }
        };
        if values > 0 {
            if values > reader.rest().len() as u64 {
                return None;
            }
            *open.get_mut(level)? = values;
            level += 1;
            continue;
        }
        while let Some(values) = level.checked_sub(1).and_then(|top| open.get_mut(top)) {
            *values -= 1;
            if *values > 0 {
                break;
            }
            level -= 1;
        }
        if level == 0 {
            let bytes = before.get(..before.len() - reader.rest().len())?;
            return Some(Checked { bytes, is_normal });
        }
    }
}

fn is_normal_scalar(token: Token<'_>) -> bool {
    match token {
        Token::FixedExtension(..) | Token::Extension(..) => false,
        Token::Float(number) => !is_integer(number),
        Token::String(bytes) => std::str::from_utf8(bytes).is_ok(),
        _ => true,
    }
}

/// Whether JavaScript would have written this float as an integer.
pub(super) fn is_integer(number: f64) -> bool {
    number.abs() <= SAFE_INTEGER_MAX && number.fract() == 0.0
}

/// How deep containers may nest in an argument, as in `serde_json`; the list of them is one more.
pub(crate) const LEVELS_MAX: usize = 128;

/// `Number.MAX_SAFE_INTEGER`, 2⁵³ - 1.
const SAFE_INTEGER_MAX: f64 = 9_007_199_254_740_991.0;
