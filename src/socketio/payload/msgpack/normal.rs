//! The forms in which the reference's clients write what msgpack has no form for, made ordinary.
//!
//! Those clients use notepack 2, which is older than msgpack's timestamps. What comes out is what
//! the JSON parser would have given, but for bytes, which stay bytes:
//!
//! | JavaScript | comes as | becomes |
//! |---|---|---|
//! | `undefined` | `d4 00 00` | nil; within a map the pair is left out |
//! | a `Date` | `d7 00`, milliseconds as an `i64` | a string, `1970-01-01T00:00:00.000Z` |
//! | an `ArrayBuffer` | an extension of type 0 | bytes |
//! | `1`, sent as a float by others | `cb 3f f0 00 ..` | an integer |
//! | half of a surrogate pair | text that isn't UTF-8 | U+FFFD |
//!
//! Msgpack's own timestamps (type -1) become strings too, and any other extension an array of its
//! type and its bytes, as the reference reads it.

use rmp::encode::{write_bin, write_nil, write_sint, write_str};

use super::check::is_integer;
use super::date::iso_string;
use super::token::{Reader, Token};

/// Appends the one value that `bytes` are, which must have been checked.
pub(crate) fn normalise(bytes: &[u8], out: &mut Vec<u8>) {
    let mut reader = Reader::new(bytes);
    let mut open: Vec<Container> = Vec::new();
    loop {
        let before = reader.rest();
        let Some(token) = reader.token() else { return };
        let header = before.get(..before.len() - reader.rest().len()).unwrap_or_default();
        if let Some(container) = open.last_mut() {
            container.note_key(out.len());
        }
        let values = match token {
            Token::Array(len) => u64::from(len),
            Token::Map(len) => u64::from(len) * 2,
            _ => 0,
        };
        if values > 0 {
            let is_map = matches!(token, Token::Map(_));
            open.push(Container {
                is_map,
                values,
                pairs: values / 2,
                start: out.len(),
                key: out.len(),
            });
            out.extend_from_slice(header);
            continue;
        }
        match open.last_mut() {
            Some(map) if token.is_undefined() && map.is_at_value() => map.drop_pair(out),
            _ => write_scalar(token, header, out),
        }
        while let Some(container) = open.last_mut() {
            container.values -= 1;
            if container.values > 0 {
                break;
            }
            container.write_pairs(out);
            open.pop();
        }
        if open.is_empty() {
            return;
        }
    }
}

/// An array or a map that is being copied.
struct Container {
    is_map: bool,
    /// How many values are still to come; in a map, keys count.
    values: u64,
    /// How many pairs the map will have.
    pairs: u64,
    /// Where its header stands in the copy.
    start: usize,
    /// Where its last key stands in the copy.
    key: usize,
}

impl Container {
    fn note_key(&mut self, place: usize) {
        if self.values.is_multiple_of(2) {
            self.key = place;
        }
    }

    fn is_at_value(&self) -> bool {
        self.is_map && !self.values.is_multiple_of(2)
    }

    fn drop_pair(&mut self, out: &mut Vec<u8>) {
        out.truncate(self.key);
        self.pairs = self.pairs.saturating_sub(1);
    }

    /// Corrects the header, which is long enough for what is left.
    fn write_pairs(&self, out: &mut [u8]) {
        if !self.is_map {
            return;
        }
        let Some((marker, length)) = out.get_mut(self.start..).and_then(<[u8]>::split_first_mut)
        else {
            return;
        };
        let pairs = self.pairs.to_be_bytes();
        match *marker {
            0xde => copy_end(&pairs, length.get_mut(..2)),
            0xdf => copy_end(&pairs, length.get_mut(..4)),
            _ => *marker = 0x80 | pairs.last().copied().unwrap_or(0),
        }
    }
}

fn copy_end(from: &[u8], to: Option<&mut [u8]>) {
    if let Some(to) = to
        && let Some(end) = from.get(from.len().saturating_sub(to.len())..)
    {
        to.copy_from_slice(end);
    }
}

fn write_scalar(token: Token<'_>, raw: &[u8], out: &mut Vec<u8>) {
    let written = match token {
        Token::Float(number) if is_integer(number) => {
            #[expect(clippy::cast_possible_truncation, reason = "it is an integer in range")]
            let number = number as i64;
            write_sint(out, number).is_ok()
        }
        Token::String(bytes) if std::str::from_utf8(bytes).is_err() => {
            write_str(out, &String::from_utf8_lossy(bytes)).is_ok()
        }
        Token::FixedExtension(0, [_]) => write_nil(out).is_ok(),
        Token::FixedExtension(0, bytes) if bytes.len() == 8 => {
            write_date(bytes.try_into().ok().map(i64::from_be_bytes), out)
        }
        Token::Extension(0, bytes) => write_bin(out, bytes).is_ok(),
        Token::FixedExtension(-1, bytes) | Token::Extension(-1, bytes) => {
            write_date(timestamp(bytes), out)
        }
        Token::FixedExtension(kind, bytes) | Token::Extension(kind, bytes) => {
            out.push(0x92);
            write_sint(out, kind.into()).is_ok() && write_bin(out, bytes).is_ok()
        }
        _ => {
            out.extend_from_slice(raw);
            true
        }
    };
    debug_assert!(written, "a vector takes everything");
}

/// A date that JavaScript can't hold is `null` in its JSON.
fn write_date(milliseconds: Option<i64>, out: &mut Vec<u8>) -> bool {
    match milliseconds.and_then(iso_string) {
        Some(date) => write_str(out, &date).is_ok(),
        None => write_nil(out).is_ok(),
    }
}

/// Milliseconds since 1970 of a timestamp (msgpack's specification, "Timestamp extension type").
fn timestamp(bytes: &[u8]) -> Option<i64> {
    let (seconds, nanoseconds) = match bytes.len() {
        4 => (i64::from(u32::from_be_bytes(bytes.try_into().ok()?)), 0),
        8 => {
            let both = u64::from_be_bytes(bytes.try_into().ok()?);
            let seconds = both & ((1 << 34) - 1);
            (i64::try_from(seconds).ok()?, i64::try_from(both >> 34).ok()?)
        }
        12 => {
            let (nanoseconds, seconds) = bytes.split_first_chunk()?;
            let seconds = i64::from_be_bytes(seconds.try_into().ok()?);
            (seconds, i64::from(u32::from_be_bytes(*nanoseconds)))
        }
        _ => return None,
    };
    seconds.checked_mul(1_000)?.checked_add(nanoseconds / 1_000_000)
}
