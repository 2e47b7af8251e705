//! The head of a request, from bytes: first its end is found, then it is parsed, once.
//!
//! ```text
//! GET / HTTP/1.1\r\n
//! Host: example.com\r\n
//! \r\n                     <- the end
//! ```
//!
//! Parsing again from the start at each new byte costs the square of the head (RUSTSEC-2023-0065),
//! so the scanner remembers how far it came and refuses what is too large as it goes. Lines end in
//! CR LF: a lone LF, which `httparse` would let pass, is refused here.

use std::mem::MaybeUninit;

use httparse::Header;
use memchr::memchr;

use super::framing::Framing;
use super::method::{Method, Version};
use super::request::Request;
use super::status::Status;

/// What a head may be at most.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "each is a bound, and a bound's name says so")]
pub(crate) struct Limits {
    /// The request line and the headers with all their line ends; beyond it 431.
    pub(crate) head_bytes_max: usize,
    /// The request target; beyond it 414.
    pub(crate) target_bytes_max: usize,
    /// The number of header fields; beyond it 431.
    pub(crate) headers_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head_bytes_max: 16 * 1024, target_bytes_max: 8 * 1024, headers_max: 100 }
    }
}

impl Limits {
    /// A request line with its CR: the method and the version have a bound of their own.
    fn request_line_bytes_max(&self) -> usize {
        self.target_bytes_max.saturating_add(METHOD_AND_VERSION_BYTES_MAX)
    }
}

/// Looks for the end of a head that arrives in pieces. Each byte is looked at once.
#[derive(Debug, Default)]
pub(crate) struct HeadScanner {
    /// So many bytes hold no line end that wasn't seen.
    scanned: usize,
    /// Where the line begins that isn't over yet.
    line_start: usize,
    /// The lines that are over, the request line included.
    lines: usize,
}

impl HeadScanner {
    /// The length of the head at the start of `bytes`, or `None` if it goes on after them.
    ///
    /// `bytes` begin where they began at the last call and hold at least as much. The outcome
    /// doesn't depend on how the bytes were split into calls.
    pub(crate) fn scan(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<usize>, Status> {
        let window = bytes.get(..limits.head_bytes_max).unwrap_or(bytes);
        while let Some(ahead) = memchr(b'\n', window.get(self.scanned..).unwrap_or_default()) {
            let newline = self.scanned.saturating_add(ahead);
            self.scanned = newline.saturating_add(1);
            let line = window.get(self.line_start..newline).unwrap_or_default();
            self.check_request_line(line.len(), limits)?;
            match line {
                [b'\r'] if self.lines > 0 => return Ok(Some(self.scanned)),
                [.., _, b'\r'] => {}
                _ => return Err(Status::BAD_REQUEST),
            }
            if self.lines > limits.headers_max {
                return Err(Status::REQUEST_HEADER_FIELDS_TOO_LARGE);
            }
            self.lines = self.lines.saturating_add(1);
            self.line_start = self.scanned;
        }
        self.scanned = window.len();
        self.check_request_line(window.len(), limits)?;
        if window.len() < limits.head_bytes_max {
            return Ok(None);
        }
        Err(match self.lines {
            0 => Status::URI_TOO_LONG,
            _ => Status::REQUEST_HEADER_FIELDS_TOO_LARGE,
        })
    }

    /// The number of header lines of a head whose end was found.
    pub(crate) fn header_lines(&self) -> usize {
        self.lines.saturating_sub(1)
    }

    fn check_request_line(&self, line_bytes: usize, limits: &Limits) -> Result<(), Status> {
        if self.lines == 0 && line_bytes > limits.request_line_bytes_max() {
            return Err(Status::URI_TOO_LONG);
        }
        Ok(())
    }
}

/// Parses a whole head, from its request line to its empty line, of so many header lines.
pub(crate) fn parse(
    head: &[u8],
    header_lines: usize,
    limits: &Limits,
) -> Result<(Request, Framing), Status> {
    let mut inline = [const { MaybeUninit::uninit() }; INLINE_HEADERS];
    if let Some(slots) = inline.get_mut(..header_lines) {
        return parse_into(head, slots, limits);
    }
    let mut slots = vec![MaybeUninit::uninit(); header_lines];
    parse_into(head, &mut slots, limits)
}

fn parse_into<'a>(
    head: &'a [u8],
    slots: &mut [MaybeUninit<Header<'a>>],
    limits: &Limits,
) -> Result<(Request, Framing), Status> {
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(head, slots) {
        // Another opinion about where the head ends is one reader too many.
        Ok(httparse::Status::Complete(end)) if end == head.len() => {}
        Ok(_) => return Err(Status::BAD_REQUEST),
        Err(error) => return Err(status_of(error, head)),
    }
    let version = match parsed.version {
        Some(0) => Version::Http10,
        Some(1) => Version::Http11,
        _ => return Err(Status::HTTP_VERSION_NOT_SUPPORTED),
    };
    let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
        return Err(Status::BAD_REQUEST);
    };
    if target.len() > limits.target_bytes_max {
        return Err(Status::URI_TOO_LONG);
    }
    let headers = parsed.headers.iter().map(|header| (header.name, header.value));
    let framing = Framing::of(Method::from_token(method), target, version, headers.clone())?;
    Ok((Request::new(method, target, version, headers), framing))
}

fn status_of(error: httparse::Error, head: &[u8]) -> Status {
    match error {
        httparse::Error::Version if names_another_version(head) => {
            Status::HTTP_VERSION_NOT_SUPPORTED
        }
        httparse::Error::TooManyHeaders => Status::REQUEST_HEADER_FIELDS_TOO_LARGE,
        _ => Status::BAD_REQUEST,
    }
}

/// Whether the request line says a version: `HTTP/2.0`, or `HTTP/2`, which is no version of
/// RFC 9112, section 2.3 but says as much.
fn names_another_version(head: &[u8]) -> bool {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let third_word = line.splitn(3, |&byte| byte == b' ').nth(2).unwrap_or_default();
    match third_word.strip_prefix(b"HTTP/") {
        Some([major]) => major.is_ascii_digit(),
        Some([major, b'.', minor]) => major.is_ascii_digit() && minor.is_ascii_digit(),
        _ => false,
    }
}

/// Room for a method of 50 bytes, two spaces, `HTTP/1.1` and the CR.
const METHOD_AND_VERSION_BYTES_MAX: usize = 61;

/// Heads of up to so many headers are parsed without an allocation for `httparse`.
const INLINE_HEADERS: usize = 48;

#[cfg(test)]
mod tests {
    use super::{HeadScanner, Limits, parse};
    use crate::http::method::{Method, Version};
    use crate::http::request::Request;
    use crate::http::status::Status;

    fn parse_all(head: &[u8], limits: &Limits) -> Result<Request, u16> {
        let mut scanner = HeadScanner::default();
        let end = scanner.scan(head, limits).map_err(Status::code)?.expect("a whole head");
        let (request, _) =
            parse(&head[..end], scanner.header_lines(), limits).map_err(Status::code)?;
        Ok(request)
    }

    fn refusal(head: &str) -> u16 {
        parse_all(head.as_bytes(), &Limits::default()).expect_err(head)
    }

    #[test]
    fn a_head_is_parsed() {
        let head = b"GET /a HTTP/1.0\r\nHost: h\r\nX-A:\t b \t\r\nX-B:\r\n\r\nrest";
        let request = parse_all(head, &Limits::default()).unwrap();
        assert_eq!((request.method(), request.version()), (Method::Get, Version::Http10));
        assert_eq!(
            request.headers().collect::<Vec<_>>(),
            [("host", "h"), ("x-a", "b"), ("x-b", "")]
        );
    }

    #[test]
    fn malformed_heads_are_refused() {
        for head in [
            "\r\n\r\n",
            "GET / HTTP/1.1\n\n",
            "GET / HTTP/1.1\nHost: h\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\n\n",
            "GET / HTTP/1.1\r\nHost: h\r\n\r\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\r\nX: y\r\n\r\n",
            "GET / HTTP/1.1\rHost: h\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
            "GET / HTTP/1.1\r\nHost\r\n\r\n",
            "GET / HTTP/1.1\r\n: h\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n\tb\r\n\r\n",
            "GET / HTTP/1.1\r\n Host: h\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX: a\x7fb\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX\0: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX Y: a\r\n\r\n",
            "GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET /  HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET / HTTP/1.1 \r\nHost: h\r\n\r\n",
            "GET /\r\nHost: h\r\n\r\n",
            " GET / HTTP/1.1\r\nHost: h\r\n\r\n",
            "G\0T / HTTP/1.1\r\nHost: h\r\n\r\n",
            "G@T / HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET / http/1.1\r\nHost: h\r\n\r\n",
            "GET / HTTP/a.1\r\nHost: h\r\n\r\n",
            "GET / HTTP/11\r\nHost: h\r\n\r\n",
            "GET / HTTP/1.10\r\nHost: h\r\n\r\n",
            "GET / XTTP/1.1\r\nHost: h\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(refusal(head), 400, "{head:?}");
        }
    }

    #[test]
    fn other_versions_are_told_so() {
        for version in ["2.0", "1.2", "0.9", "3.0", "2"] {
            assert_eq!(refusal(&format!("GET / HTTP/{version}\r\nHost: h\r\n\r\n")), 505);
        }
    }

    #[test]
    fn the_preface_of_http2_is_told_the_version() {
        assert_eq!(refusal("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
    }

    #[test]
    fn targets_may_be_utf8_and_nothing_else_beyond_ascii() {
        let head = "GET /caf\u{e9} HTTP/1.1\r\nHost: h\r\n\r\n";
        let request = parse_all(head.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(request.path(), "/caf\u{e9}");
        let head = b"GET /caf\xe9 HTTP/1.1\r\nHost: h\r\n\r\n";
        assert_eq!(parse_all(head, &Limits::default()).unwrap_err(), 400);
    }

    #[test]
    fn headers_are_counted() {
        let limits = Limits { headers_max: 100, ..Limits::default() };
        for (count, expected) in [(1, None), (48, None), (49, None), (100, None), (101, Some(431))]
        {
            let headers = "X: y\r\n".repeat(count - 1);
            let head = format!("GET / HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
            let result = parse_all(head.as_bytes(), &limits);
            assert_eq!(result.as_ref().err().copied(), expected, "{count}");
            if let Ok(request) = result {
                assert_eq!(request.headers().count(), count);
            }
        }
    }

    #[test]
    fn heads_and_targets_are_measured_to_the_byte() {
        let head = "GET /abc HTTP/1.1\r\nHost: h\r\n\r\n";
        let fits = |head_bytes_max, target_bytes_max| {
            let limits = Limits { head_bytes_max, target_bytes_max, headers_max: 1 };
            parse_all(head.as_bytes(), &limits).map(|_| ())
        };
        assert_eq!(fits(head.len(), 4), Ok(()));
        assert_eq!(fits(head.len() - 1, 4), Err(431));
        assert_eq!(fits(head.len(), 3), Err(414));
        assert_eq!(fits(10, 4), Err(414));
        assert_eq!(fits(0, 4), Err(414));
    }

    #[test]
    fn a_long_request_line_is_refused_before_it_ends() {
        let limits = Limits { target_bytes_max: 100, ..Limits::default() };
        let line = format!("GET /{}", "a".repeat(200));
        let scanned = HeadScanner::default().scan(line.as_bytes(), &limits);
        assert_eq!(scanned, Err(Status::URI_TOO_LONG));
    }
}
