//! The chunked transfer coding of RFC 9112, section 7.1, resumable at any byte.
//!
//! ```text
//! 4;name=value\r\n      a size in hexadecimal, and extensions nobody asked for
//! 2["a\r\n              so many bytes, and a line end
//! 0\r\n                 the last chunk
//! Trailer: x\r\n        trailers nobody asked for
//! \r\n
//! ```
//!
//! Extensions and trailers are read past, within a bound. The body is the caller's: this appends
//! to it and holds none of it.

use super::status::Status;

/// The state of one body between two pieces of input.
#[derive(Debug)]
pub(crate) struct Chunked {
    state: State,
    /// Bytes of extensions and trailers so far.
    ignored_bytes: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// In the digits of a size, of which there were so many.
    Size { size: u64, digits: u8 },
    /// After the size, before the CR.
    Extension { size: u64 },
    /// Between the CR and the LF of a size line.
    SizeEnd { size: u64 },
    /// In the data of a chunk.
    Data { remaining: u64 },
    /// After the data, before the CR.
    DataEnd,
    /// After the data, between the CR and the LF.
    DataLineFeed,
    /// After the last chunk, at the start of a line.
    Trailer,
    /// Within a trailer.
    TrailerLine,
    /// Between the CR and the LF of a trailer.
    TrailerLineFeed,
    /// Between the CR and the LF that end the body.
    LastLineFeed,
    /// The body is complete.
    Complete,
}

impl Default for Chunked {
    fn default() -> Self {
        Self { state: State::Size { size: 0, digits: 0 }, ignored_bytes: 0 }
    }
}

impl Chunked {
    /// Moves data from the input to the body; `true` once the body is complete.
    ///
    /// What follows the body stays in the input. A chunk that would make the body longer than its
    /// maximum is refused at its size, with 413.
    pub(crate) fn decode(
        &mut self,
        input: &mut &[u8],
        body: &mut Vec<u8>,
        body_bytes_max: usize,
    ) -> Result<bool, Status> {
        loop {
            if let State::Data { remaining } = self.state {
                let left = move_bytes(input, body, remaining);
                if left > 0 {
                    self.state = State::Data { remaining: left };
                    return Ok(false);
                }
                self.state = State::DataEnd;
            }
            let Some((&byte, rest)) = input.split_first() else { return Ok(false) };
            *input = rest;
            self.state = self.step(byte, body_bytes_max.saturating_sub(body.len()))?;
            if let State::Complete = self.state {
                return Ok(true);
            }
        }
    }

    /// The state after one byte that isn't data.
    fn step(&mut self, byte: u8, room_bytes: usize) -> Result<State, Status> {
        match (self.state, byte) {
            (State::Size { size, digits: 1.. } | State::Extension { size }, b'\r') => {
                Ok(State::SizeEnd { size })
            }
            (State::Size { size, digits: 1.. }, b';') => Ok(State::Extension { size }),
            (State::Size { size, digits }, _) => add_digit(size, digits, byte),
            (State::Extension { size }, _) => {
                self.ignore(byte, Status::BAD_REQUEST)?;
                Ok(State::Extension { size })
            }
            (State::SizeEnd { size }, b'\n') => begin_chunk(size, room_bytes),
            (State::DataEnd, b'\r') => Ok(State::DataLineFeed),
            (State::DataLineFeed, b'\n') => Ok(State::Size { size: 0, digits: 0 }),
            (State::Trailer, b'\r') => Ok(State::LastLineFeed),
            (State::TrailerLine, b'\r') => Ok(State::TrailerLineFeed),
            (State::Trailer, b' ' | b'\t') => Err(Status::BAD_REQUEST),
            (State::Trailer | State::TrailerLine, _) => {
                self.ignore(byte, Status::REQUEST_HEADER_FIELDS_TOO_LARGE)?;
                Ok(State::TrailerLine)
            }
            (State::TrailerLineFeed, b'\n') => Ok(State::Trailer),
            (State::LastLineFeed, b'\n') => Ok(State::Complete),
            _ => Err(Status::BAD_REQUEST),
        }
    }

    /// Reads past a byte of an extension or a trailer; all of them together have one bound.
    fn ignore(&mut self, byte: u8, over_the_bound: Status) -> Result<(), Status> {
        if byte.is_ascii_control() && byte != b'\t' {
            return Err(Status::BAD_REQUEST);
        }
        self.ignored_bytes = self.ignored_bytes.saturating_add(1);
        if self.ignored_bytes > IGNORED_BYTES_MAX { Err(over_the_bound) } else { Ok(()) }
    }
}

fn add_digit(size: u64, digits: u8, byte: u8) -> Result<State, Status> {
    let digit = char::from(byte).to_digit(16).ok_or(Status::BAD_REQUEST)?;
    if digits >= SIZE_DIGITS_MAX {
        return Err(Status::BAD_REQUEST);
    }
    let size = size.checked_mul(16).and_then(|size| size.checked_add(u64::from(digit)));
    Ok(State::Size { size: size.ok_or(Status::BAD_REQUEST)?, digits: digits.saturating_add(1) })
}

fn begin_chunk(size: u64, room_bytes: usize) -> Result<State, Status> {
    if size == 0 {
        return Ok(State::Trailer);
    }
    match usize::try_from(size) {
        Ok(size_bytes) if size_bytes <= room_bytes => Ok(State::Data { remaining: size }),
        _ => Err(Status::CONTENT_TOO_LARGE),
    }
}

/// Moves up to `wanted` bytes and tells how many are still wanted.
fn move_bytes(input: &mut &[u8], body: &mut Vec<u8>, wanted: u64) -> u64 {
    let length = usize::try_from(wanted).unwrap_or(usize::MAX).min(input.len());
    if let Some((data, rest)) = input.split_at_checked(length) {
        body.extend_from_slice(data);
        *input = rest;
    }
    wanted.saturating_sub(length as u64)
}

/// 2^64 has seventeen digits; a sender that pads with zeros further is up to something.
const SIZE_DIGITS_MAX: u8 = 16;

/// Extensions and trailers of one body; clients send none.
const IGNORED_BYTES_MAX: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::{Chunked, IGNORED_BYTES_MAX, Status};

    type Decoded<'a> = (Vec<u8>, &'a [u8]);

    /// The body and what follows it, or `None` if the body isn't complete.
    fn decode(wire: &[u8], body_bytes_max: usize) -> Result<Option<Decoded<'_>>, u16> {
        let (mut input, mut body) = (wire, Vec::new());
        let complete = Chunked::default()
            .decode(&mut input, &mut body, body_bytes_max)
            .map_err(Status::code)?;
        Ok(complete.then_some((body, input)))
    }

    #[test]
    fn chunks_are_joined_and_the_rest_is_left() {
        let wire = b"4\r\nabcd\r\n00A\r\n0123456789\r\n0\r\n\r\nGET /";
        let (body, rest) = decode(wire, 14).unwrap().unwrap();
        assert_eq!((&*body, rest), (&b"abcd0123456789"[..], &b"GET /"[..]));
    }

    #[test]
    fn every_split_gives_the_same_body() {
        let wire = b"3;a=\"b\"\r\nabc\r\n2\r\nde\r\n0;x\r\nT: u\r\nV: w\r\n\r\n";
        for split in 0..wire.len() {
            let mut chunked = Chunked::default();
            let mut body = Vec::new();
            let (mut first, mut second) = wire.split_at(split);
            assert_eq!(chunked.decode(&mut first, &mut body, 5), Ok(false), "{split}");
            assert!(first.is_empty());
            assert_eq!(chunked.decode(&mut second, &mut body, 5), Ok(true), "{split}");
            assert_eq!(body, b"abcde", "{split}");
        }
    }

    #[test]
    fn bad_framing_is_refused() {
        for wire in [
            "\r\n",
            ";\r\n",
            "g\r\n",
            "+1\r\na\r\n",
            "-1\r\n",
            "0x1\r\na\r\n",
            " 1\r\na\r\n",
            "1 \r\na\r\n",
            "1\na\r\n",
            "1\r\ra\r\n",
            "1\ra\r\n",
            "1\r\nab\r\n",
            "1\r\na\n",
            "1\r\na0\r\n\r\n",
            "1\r\na\r0\r\n\r\n",
            "1;\0\r\na\r\n",
            "1;\n\r\na\r\n",
            "0\r\n\n",
            "0\r\n\rX",
            "0\r\n x\r\n\r\n",
            "0\r\nT: u\n\r\n",
            "0\r\nT: u\rx\r\n\r\n",
            "0\r\nT: \0\r\n\r\n",
            "10000000000000000\r\n",
            "ffffffffffffffffff\r\n",
            "00000000000000001\r\na\r\n0\r\n\r\n",
        ] {
            assert_eq!(decode(wire.as_bytes(), 1000), Err(400), "{wire:?}");
        }
    }

    #[test]
    fn a_body_over_its_maximum_is_refused_at_the_size() {
        assert_eq!(decode(b"6\r\n", 5), Err(413));
        assert_eq!(decode(b"3\r\nabc\r\n3\r\n", 5), Err(413));
        assert_eq!(decode(b"ffffffffffffffff\r\n", usize::MAX - 1), Err(413));
        assert_eq!(decode(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 5).unwrap().unwrap().0, b"abcde");
        assert_eq!(decode(b"0\r\n\r\n", 0).unwrap().unwrap().0, b"");
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let long = "x".repeat(IGNORED_BYTES_MAX);
        assert!(decode(format!("1;{long}\r\na\r\n0\r\n\r\n").as_bytes(), 1).is_ok());
        assert_eq!(decode(format!("1;{long}x").as_bytes(), 1), Err(400));
        assert_eq!(decode(format!("0\r\n{long}x").as_bytes(), 1), Err(431));
        let chunks = "1;xxxxxxxx\r\na\r\n".repeat(IGNORED_BYTES_MAX / 8 + 1);
        assert_eq!(decode(chunks.as_bytes(), usize::MAX), Err(400));
        let trailers = "T: u\r\n".repeat(IGNORED_BYTES_MAX / 4 + 1);
        assert_eq!(decode(format!("0\r\n{trailers}\r\n").as_bytes(), 1), Err(431));
    }
}
