//! Where a request's body ends, and the rules of the head that keep two readers of one message
//! from disagreeing about it.
//!
//! `Content-Length: 5` is five bytes, `Transfer-Encoding: chunked` is a series of chunks, neither
//! is no body. Both, one of them twice, or anything that only looks like one of them is refused:
//! RFC 9112, section 6.3 allows a server to repair some of these, and repairing is how a proxy in
//! front and a server behind come to see different requests in the same bytes.

use super::method::{Method, Version};
use super::status::Status;

/// How the end of the body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// The request ends with its head.
    None,
    /// So many bytes follow, at least one.
    Length(u64),
    /// Chunks follow, up to an empty one.
    Chunked,
}

impl Framing {
    /// Checks the head as a whole and tells how its body is framed. Names may be in any case.
    pub(crate) fn of<'a>(
        method: Method,
        target: &str,
        version: Version,
        headers: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, Status> {
        let (mut host, mut length, mut coding) = (Field::Absent, Field::Absent, Field::Absent);
        let mut unknown_expectation = false;
        // One walk over the headers: this runs for every request.
        for (name, value) in headers {
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            if is("host") {
                host.add(value);
            } else if is("content-length") {
                length.add(value);
            } else if is("transfer-encoding") {
                coding.add(value);
            } else if is("expect") {
                unknown_expectation |= !value.eq_ignore_ascii_case(b"100-continue");
            }
        }
        check_target(method, target)?;
        check_host(version, host)?;
        let framing = match (length, coding) {
            (Field::Absent, Field::Absent) => Self::None,
            (Field::Once(length), Field::Absent) => parse_length(length)?,
            (Field::Absent, Field::Once(coding)) => parse_coding(version, coding)?,
            _ => return Err(Status::BAD_REQUEST),
        };
        // Another expectation must not be ignored, but one of HTTP/1.0 must (RFC 9110,
        // section 10.1.1).
        if unknown_expectation && version == Version::Http11 {
            return Err(Status::EXPECTATION_FAILED);
        }
        Ok(framing)
    }
}

/// A header that may occur once.
#[derive(Clone, Copy, Debug)]
enum Field<'a> {
    Absent,
    Once(&'a [u8]),
    Repeated,
}

impl<'a> Field<'a> {
    fn add(&mut self, value: &'a [u8]) {
        *self = match self {
            Self::Absent => Self::Once(value),
            Self::Once(_) | Self::Repeated => Self::Repeated,
        };
    }
}

/// Digits and nothing else: `+5`, `5, 5` and 2^64 are all malformed.
fn parse_length(value: &[u8]) -> Result<Framing, Status> {
    if !value.iter().all(u8::is_ascii_digit) {
        return Err(Status::BAD_REQUEST);
    }
    match std::str::from_utf8(value).unwrap_or_default().parse() {
        Ok(0) => Ok(Framing::None),
        Ok(length) => Ok(Framing::Length(length)),
        Err(_) => Err(Status::BAD_REQUEST),
    }
}

fn parse_coding(version: Version, coding: &[u8]) -> Result<Framing, Status> {
    if version == Version::Http10 {
        return Err(Status::BAD_REQUEST);
    }
    if coding.eq_ignore_ascii_case(b"chunked") {
        Ok(Framing::Chunked)
    } else {
        Err(Status::NOT_IMPLEMENTED)
    }
}

/// The four forms of RFC 9112, section 3.2, each only where it belongs.
fn check_target(method: Method, target: &str) -> Result<(), Status> {
    let valid = match method {
        Method::Connect => !target.starts_with('/'),
        Method::Options if target == "*" => true,
        _ => target.starts_with('/') || has_scheme(target),
    };
    if valid { Ok(()) } else { Err(Status::BAD_REQUEST) }
}

fn has_scheme(target: &str) -> bool {
    target.split_once("://").is_some_and(|(scheme, authority)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
            && !authority.is_empty()
            && !authority.starts_with(['/', '?'])
    })
}

/// HTTP/1.1 needs exactly one `Host`, which may be empty (RFC 9112, section 3.2).
fn check_host(version: Version, host: Field<'_>) -> Result<(), Status> {
    let valid = match host {
        Field::Absent => version == Version::Http10,
        Field::Once(host) => host.iter().copied().all(is_host_byte),
        Field::Repeated => false,
    };
    if valid { Ok(()) } else { Err(Status::BAD_REQUEST) }
}

/// What may stand in `example.com:3000` or `[::1]:80`.
fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::Framing;
    use crate::http::method::Version;
    use crate::http::request::Request;
    use crate::http::status::Status;

    fn of(request: &Request) -> Result<Framing, Status> {
        let headers = request.headers().map(|(name, value)| (name, value.as_bytes()));
        Framing::of(request.method(), request.target(), request.version(), headers)
    }

    fn framing(headers: &[(&str, &str)]) -> Result<Framing, u16> {
        let host = [("host", "h")];
        let headers: Vec<_> = host.iter().chain(headers).copied().collect();
        of(&Request::for_tests("POST", "/", &headers, "")).map_err(Status::code)
    }

    #[test]
    fn lengths_are_digits_only() {
        assert_eq!(framing(&[]), Ok(Framing::None));
        assert_eq!(framing(&[("content-length", "0")]), Ok(Framing::None));
        assert_eq!(framing(&[("content-length", "007")]), Ok(Framing::Length(7)));
        let most = u64::MAX.to_string();
        assert_eq!(framing(&[("content-length", &most)]), Ok(Framing::Length(u64::MAX)));
        for bad in ["", "+5", "-5", "5 5", "5,5", "5, 5", "0x5", "5.0", "5a", "\u{b2}"] {
            assert_eq!(framing(&[("content-length", bad)]), Err(400), "{bad}");
        }
        assert_eq!(framing(&[("content-length", "18446744073709551616")]), Err(400));
    }

    #[test]
    fn only_chunked_is_a_transfer_coding() {
        assert_eq!(framing(&[("transfer-encoding", "Chunked")]), Ok(Framing::Chunked));
        for coding in
            ["", "gzip", "identity", "gzip, chunked", "chunked, identity", "xchunked", "chunked;a"]
        {
            assert_eq!(framing(&[("transfer-encoding", coding)]), Err(501), "{coding}");
        }
    }

    #[test]
    fn two_framings_are_refused_even_if_they_agree() {
        let length = ("content-length", "5");
        let chunked = ("transfer-encoding", "chunked");
        for headers in [
            [length, length],
            [length, ("content-length", "6")],
            [length, ("content-length", "0")],
            [chunked, chunked],
            [chunked, ("transfer-encoding", "identity")],
            [length, chunked],
            [chunked, length],
        ] {
            assert_eq!(framing(&headers), Err(400), "{headers:?}");
        }
        let headers = [("transfer-encoding", &b"chunked"[..])].into_iter();
        let old = Request::new("POST", "/", Version::Http10, headers);
        assert_eq!(of(&old), Err(Status::BAD_REQUEST));
    }

    #[test]
    fn one_host_in_one_version() {
        let host = |values: &[&str], version| {
            let headers: Vec<_> = values.iter().map(|value| ("host", value.as_bytes())).collect();
            of(&Request::new("GET", "/", version, headers.into_iter())).is_ok()
        };
        for good in ["", "h", "example.com:3000", "[::1]:80", "a_b.local"] {
            assert!(host(&[good], Version::Http11), "{good}");
        }
        for bad in ["a b", "a/b", "u@h", "a,b", "a\\b", "<a>"] {
            assert!(!host(&[bad], Version::Http11), "{bad}");
        }
        assert!(!host(&[], Version::Http11));
        assert!(host(&[], Version::Http10));
        assert!(!host(&["h", "h"], Version::Http11));
        assert!(!host(&["h", "h"], Version::Http10));
    }

    #[test]
    fn targets_stand_where_they_belong() {
        let target = |method, target| {
            let request = Request::for_tests(method, target, &[("host", "h")], "");
            of(&request).is_ok()
        };
        for (method, good) in [
            ("GET", "/"),
            ("GET", "//a"),
            ("GET", "http://h/"),
            ("GET", "https://h"),
            ("OPTIONS", "*"),
            ("OPTIONS", "/"),
            ("CONNECT", "h:443"),
            ("PURGE", "/"),
        ] {
            assert!(target(method, good), "{method} {good}");
        }
        for (method, bad) in [
            ("GET", "*"),
            ("GET", "h:443"),
            ("GET", "a"),
            ("GET", "?a"),
            ("GET", "://h"),
            ("GET", "1://h"),
            ("GET", "http:///a"),
            ("GET", "http://"),
            ("CONNECT", "/"),
        ] {
            assert!(!target(method, bad), "{method} {bad}");
        }
    }

    #[test]
    fn expectations() {
        assert_eq!(framing(&[("expect", "100-Continue")]), Ok(Framing::None));
        for bad in ["", "200-ok", "100-continue, x"] {
            assert_eq!(framing(&[("expect", bad)]), Err(417), "{bad}");
        }
        let headers = [("expect", &b"x"[..])].into_iter();
        assert!(of(&Request::new("GET", "/", Version::Http10, headers)).is_ok());
    }
}
