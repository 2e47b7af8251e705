//! Answers to a client's HTTP requests: the head parsed by httparse, the body by its length or in
//! chunks. It asks nothing, and knows no packets.
//!
//! ```text
//! HTTP/1.1 200 OK    Content-Length: 2              ok
//! HTTP/1.1 200 OK    Transfer-Encoding: chunked     2  ok  0
//! ```

use std::borrow::Cow;

use super::{Ending, MESSAGE_BYTES_MAX};

/// One whole answer at the begin of the input; its status is 200.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer<'a> {
    pub(crate) body: Cow<'a, [u8]>,
    /// Whether the server ends the connection behind it.
    pub(crate) is_last: bool,
    /// Head and body.
    pub(crate) bytes: usize,
}

/// What stands in the head of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) bytes: usize,
    is_last: bool,
    framing: Framing,
}

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Chunked,
    Length(usize),
    /// The body ends with the connection, which no answer to a poll may do.
    Unbounded,
}

/// A body, and the bytes that it takes on the wire.
type Body<'a> = (Cow<'a, [u8]>, usize);

/// The answer that `input` begins with; `None` while a part of it is missing.
///
/// A status other than 200 is an ending as soon as its head is there.
pub(crate) fn next_answer(input: &[u8]) -> Result<Option<Answer<'_>>, Ending> {
    let Some(head) = next_head(input)? else { return Ok(None) };
    if head.status != 200 {
        return Err(Ending::Status(head.status));
    }
    let rest = input.get(head.bytes..).unwrap_or_default();
    let body = match head.framing {
        Framing::Unbounded => return Err(Ending::BadResponse),
        Framing::Length(length) if length > MESSAGE_BYTES_MAX => return Err(Ending::TooLarge),
        Framing::Length(length) => rest.get(..length).map(|body| (Cow::Borrowed(body), length)),
        Framing::Chunked => read_chunks(rest)?,
    };
    Ok(body.map(|(body, length)| Answer {
        body,
        is_last: head.is_last,
        bytes: head.bytes + length,
    }))
}

/// The head that `input` begins with; `None` while a part of it is missing.
pub(crate) fn next_head(input: &[u8]) -> Result<Option<Head>, Ending> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let bytes = match response.parse(input) {
        Ok(httparse::Status::Complete(bytes)) => bytes,
        Ok(httparse::Status::Partial) if input.len() < HEAD_BYTES_MAX => return Ok(None),
        Ok(httparse::Status::Partial) | Err(_) => return Err(Ending::BadResponse),
    };
    let status = response.code.ok_or(Ending::BadResponse)?;
    let mut is_last = response.version == Some(0);
    let mut framing = Framing::Unbounded;
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("connection") {
            is_last = !has_token(header.value, "keep-alive")
                && (is_last || has_token(header.value, "close"));
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            if has_token(header.value, "chunked") {
                framing = Framing::Chunked;
            }
        } else if header.name.eq_ignore_ascii_case("content-length") && framing != Framing::Chunked
        {
            framing = Framing::Length(read_length(header.value)?);
        }
    }
    Ok(Some(Head { status, bytes, is_last, framing }))
}

fn has_token(value: &[u8], token: &str) -> bool {
    value
        .split(|byte| *byte == b',')
        .any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

fn read_length(value: &[u8]) -> Result<usize, Ending> {
    let digits = std::str::from_utf8(value.trim_ascii()).map_err(|_| Ending::BadResponse)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Ending::BadResponse);
    }
    digits.parse().map_err(|_| Ending::BadResponse)
}

/// A body in chunks; most have a single chunk, which is borrowed.
fn read_chunks(input: &[u8]) -> Result<Option<Body<'_>>, Ending> {
    let mut body = Cow::Borrowed(&[][..]);
    let mut at = 0_usize;
    loop {
        let rest = input.get(at..).unwrap_or_default();
        let (line_bytes, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete(parsed)) => parsed,
            Ok(httparse::Status::Partial) => return more_of(input),
            Err(_) => return Err(Ending::BadResponse),
        };
        let size = usize::try_from(size).map_err(|_| Ending::TooLarge)?;
        if size > MESSAGE_BYTES_MAX.saturating_sub(body.len()) {
            return Err(Ending::TooLarge);
        }
        let rest = rest.get(line_bytes..).unwrap_or_default();
        if size == 0 {
            let trailer_bytes = read_trailer(rest)?;
            return Ok(trailer_bytes.map(|bytes| (body, at + line_bytes + bytes)));
        }
        let Some((chunk, rest)) = rest.split_at_checked(size) else { return more_of(input) };
        match rest.get(..2) {
            Some(b"\r\n") => {}
            Some(_) => return Err(Ending::BadResponse),
            None => return more_of(input),
        }
        if body.is_empty() {
            body = Cow::Borrowed(chunk);
        } else {
            body.to_mut().extend_from_slice(chunk);
        }
        at += line_bytes + size + 2;
    }
}

/// The bytes of what follows the last chunk: fields that nobody reads, and an empty line.
fn read_trailer(input: &[u8]) -> Result<Option<usize>, Ending> {
    if input.starts_with(b"\r\n") {
        return Ok(Some(2));
    }
    match input.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
        Some(at) => Ok(Some(at + 4)),
        None if input.len() < HEAD_BYTES_MAX => Ok(None),
        None => Err(Ending::BadResponse),
    }
}

/// More has to come, within bounds: tiny chunks are mostly made of their sizes.
fn more_of<T>(input: &[u8]) -> Result<Option<T>, Ending> {
    if input.len() > MESSAGE_BYTES_MAX { Err(Ending::TooLarge) } else { Ok(None) }
}

const HEADERS_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 16 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads an answer that comes in two parts, split at every byte.
    fn read(input: &[u8]) -> Answer<'_> {
        for length in 0..input.len() {
            assert_eq!(next_answer(&input[..length]), Ok(None), "{length} bytes");
        }
        next_answer(input).expect("an answer").expect("a whole one")
    }

    #[test]
    fn a_body_ends_where_its_length_says() {
        let input = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nok";
        let answer = read(input);
        assert_eq!(&*answer.body, b"ok");
        assert!(!answer.is_last);
        assert_eq!(answer.bytes, 65);
    }

    #[test]
    fn chunks_are_joined_and_their_trailer_is_passed_over() {
        let input = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nContent-Length: 9\r\n\r\n\
            3\r\n42[\r\nA;name=value\r\n\"chat\",17]\r\n0\r\nDigest: x\r\n\r\n";
        let answer = read(input);
        assert_eq!(&*answer.body, b"42[\"chat\",17]");
        assert_eq!(answer.bytes, input.len());
    }

    #[test]
    fn a_single_chunk_is_borrowed() {
        let input = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n6\r\n0\r\n\r\n";
        assert_eq!(read(input).body, Cow::Borrowed(b"6"));
    }

    #[test]
    fn only_the_first_answer_is_taken() {
        let input = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n6HTTP/1.1 200 OK\r\n";
        assert_eq!(
            next_answer(input).map(|answer| answer.map(|answer| answer.bytes)),
            Ok(Some(39))
        );
    }

    #[test]
    fn the_last_answer_of_a_connection_says_so() {
        let is_last = |head: &str| {
            let input = format!("{head}\r\nContent-Length: 0\r\n\r\n");
            next_answer(input.as_bytes()).expect("an answer").expect("a whole one").is_last
        };
        assert!(!is_last("HTTP/1.1 200 OK"));
        assert!(!is_last("HTTP/1.1 200 OK\r\nConnection: keep-alive, Foo"));
        assert!(is_last("HTTP/1.1 200 OK\r\nConnection: foo, Close"));
        assert!(is_last("HTTP/1.0 200 OK"));
        assert!(!is_last("HTTP/1.0 200 OK\r\nConnection: Keep-Alive"));
    }

    #[test]
    fn other_statuses_end_it_with_the_head() {
        for status in [101, 204, 400, 503] {
            let input = format!("HTTP/1.1 {status} No\r\nContent-Length: 50\r\n\r\n");
            assert_eq!(next_answer(input.as_bytes()), Err(Ending::Status(status)));
        }
    }

    #[test]
    fn what_has_no_end_or_too_much_is_refused() {
        let ending = |text: &str| next_answer(text.as_bytes()).expect_err("an ending");
        assert_eq!(ending("SSH-2.0-OpenSSH_9.6\r\n"), Ending::BadResponse);
        assert_eq!(ending("HTTP/1.1 200 OK\r\n\r\n6"), Ending::BadResponse);
        let head = "HTTP/1.1 200 OK\r\n";
        assert_eq!(ending(&format!("{head}Content-Length: -1\r\n\r\n")), Ending::BadResponse);
        assert_eq!(ending(&format!("{head}Content-Length: 67108865\r\n\r\n")), Ending::TooLarge);
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(ending(&format!("{head}x\r\n")), Ending::BadResponse);
        assert_eq!(ending(&format!("{head}1\r\n6no")), Ending::BadResponse);
        assert_eq!(ending(&format!("{head}4000001\r\n")), Ending::TooLarge);
        assert_eq!(ending(&format!("{head}1\r\n6\r\n4000000\r\n")), Ending::TooLarge);
        assert_eq!(ending(&format!("{head}ffffffffffffffff\r\n")), Ending::TooLarge);
        assert_eq!(ending(&format!("Server: {}", "x".repeat(16_384))), Ending::BadResponse);
    }
}
