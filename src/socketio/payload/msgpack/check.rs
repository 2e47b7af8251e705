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
    let mut walk = Walk { level: 0, is_normal: true };
    let mut open = [0; SHALLOW_LEVELS];
    if let Walked::Deeper(values) = walk.go(reader, &mut open)? {
        walk.go_deep(reader, &open, values)?;
    }
    let bytes = before.get(..before.len() - reader.rest().len())?;
    Some(Checked { bytes, is_normal: walk.is_normal })
}

/// How far the walk has come.
struct Walk {
    /// How many containers are open.
    level: usize,
    is_normal: bool,
}

/// Where it stopped.
enum Walked {
    /// At the end of the value.
    Whole,
    /// At a container of so many values, for which there was no more room.
    Deeper(u64),
}

impl Walk {
    /// Goes on; `open` tells of each container that is open how many values are still to come.
    fn go(&mut self, reader: &mut Reader<'_>, open: &mut [u64]) -> Option<Walked> {
        loop {
            let values = match reader.token()? {
                Token::Array(len) => u64::from(len),
                Token::Map(len) => u64::from(len) * 2,
                token => {
                    self.is_normal &= is_normal_scalar(token);
                    0
                }
            };
            if values > 0 {
                if values > reader.rest().len() as u64 {
                    return None;
                }
                let Some(place) = open.get_mut(self.level) else {
                    return Some(Walked::Deeper(values));
                };
                *place = values;
                self.level += 1;
                continue;
            }
            while let Some(values) = self.level.checked_sub(1).and_then(|top| open.get_mut(top)) {
                *values -= 1;
                if *values > 0 {
                    break;
                }
                self.level -= 1;
            }
            if self.level == 0 {
                return Some(Walked::Whole);
            }
        }
    }

    /// Goes on where containers nest deep: few do, and the room for all levels is large.
    #[cold]
    fn go_deep(&mut self, reader: &mut Reader<'_>, shallow: &[u64], values: u64) -> Option<()> {
        let mut open = [0; LEVELS_MAX + 1];
        open.get_mut(..shallow.len())?.copy_from_slice(shallow);
        *open.get_mut(self.level)? = values;
        self.level += 1;
        match self.go(reader, &mut open)? {
            Walked::Whole => Some(()),
            Walked::Deeper(_) => None,
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

/// As deep as nearly all values are: a packet has several, and clearing room for more levels than
/// that would take longer than looking at most of them.
const SHALLOW_LEVELS: usize = 8;

/// `Number.MAX_SAFE_INTEGER`, 2⁵³ - 1.
const SAFE_INTEGER_MAX: f64 = 9_007_199_254_740_991.0;
