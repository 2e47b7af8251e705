//! The status code of a response: `404 Not Found`.
//!
//! The decoder answers a malformed request with a [`Status`] too: it is what the peer is told
//! before its connection is closed. It isn't the class of a failure inside the server.

use std::fmt;

/// A status code of RFC 9110, section 15, with its reason phrase.
///
/// ```
/// use throng::http::Status;
///
/// assert_eq!(Status::NOT_FOUND.code(), 404);
/// assert_eq!(Status::new(404).to_string(), "404 Not Found");
/// assert_eq!(Status::new(7), Status::INTERNAL_SERVER_ERROR);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(u16);

impl Status {
    /// 101: the connection speaks another protocol from here on.
    pub const SWITCHING_PROTOCOLS: Self = Self(101);
    /// 200.
    pub const OK: Self = Self(200);
    /// 204: done, and there is nothing to send back.
    pub const NO_CONTENT: Self = Self(204);
    /// 304: what the client has is still good.
    pub const NOT_MODIFIED: Self = Self(304);
    /// 400: the request is malformed.
    pub const BAD_REQUEST: Self = Self(400);
    /// 403.
    pub const FORBIDDEN: Self = Self(403);
    /// 404.
    pub const NOT_FOUND: Self = Self(404);
    /// 405: the path exists, the method isn't for it.
    pub const METHOD_NOT_ALLOWED: Self = Self(405);
    /// 408: the request took too long to arrive.
    pub const REQUEST_TIMEOUT: Self = Self(408);
    /// 413: the body is over its maximum.
    pub const CONTENT_TOO_LARGE: Self = Self(413);
    /// 414: the request target is over its maximum.
    pub const URI_TOO_LONG: Self = Self(414);
    /// 417: `Expect` asks for something other than `100-continue`.
    pub const EXPECTATION_FAILED: Self = Self(417);
    /// 431: the head is over its maximum, or has too many header fields.
    pub const REQUEST_HEADER_FIELDS_TOO_LARGE: Self = Self(431);
    /// 500.
    pub const INTERNAL_SERVER_ERROR: Self = Self(500);
    /// 501: a transfer coding other than `chunked`.
    pub const NOT_IMPLEMENTED: Self = Self(501);
    /// 503: the server has no room for this request.
    pub const SERVICE_UNAVAILABLE: Self = Self(503);
    /// 505: a version other than 1.0 and 1.1.
    pub const HTTP_VERSION_NOT_SUPPORTED: Self = Self(505);

    /// The status of a code; one outside `100..=999` can't be written and becomes 500.
    pub const fn new(code: u16) -> Self {
        if code >= 100 && code <= 999 { Self(code) } else { Self::INTERNAL_SERVER_ERROR }
    }

    /// The three digits.
    pub const fn code(self) -> u16 {
        self.0
    }

    /// The reason phrase of the registry, or an empty one for a code that isn't in it.
    pub const fn reason(self) -> &'static str {
        match self.0 {
            100..=199 => informational_reason(self.0),
            200..=299 => success_reason(self.0),
            300..=399 => redirection_reason(self.0),
            400..=499 => client_error_reason(self.0),
            500..=599 => server_error_reason(self.0),
            _ => "",
        }
    }

    /// Whether RFC 9112, section 6.3 says that no body follows, whatever the headers say.
    pub(crate) const fn forbids_body(self) -> bool {
        matches!(self.0, 100..=199 | 204 | 304)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.reason())
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Status({self})")
    }
}

impl std::error::Error for Status {}

impl From<u16> for Status {
    /// The same as [`Status::new`].
    fn from(code: u16) -> Self {
        Self::new(code)
    }
}

const fn informational_reason(code: u16) -> &'static str {
    match code {
        100 => "Continue",
        101 => "Switching Protocols",
        103 => "Early Hints",
        _ => "",
    }
}

const fn success_reason(code: u16) -> &'static str {
    match code {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        _ => "",
    }
}

const fn redirection_reason(code: u16) -> &'static str {
    match code {
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        _ => "",
    }
}

const fn client_error_reason(code: u16) -> &'static str {
    match code {
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        _ => "",
    }
}

const fn server_error_reason(code: u16) -> &'static str {
    match code {
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        511 => "Network Authentication Required",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::Status;

    #[test]
    fn a_code_that_cannot_be_written_becomes_500() {
        for code in [0, 99, 1000, u16::MAX] {
            assert_eq!(Status::new(code), Status::INTERNAL_SERVER_ERROR);
        }
        assert_eq!(Status::new(299).to_string(), "299 ");
        assert_eq!(Status::from(431).reason(), "Request Header Fields Too Large");
    }

    #[test]
    fn bodies_are_forbidden_where_the_specification_says() {
        for code in [100, 101, 199, 204, 304] {
            assert!(Status::new(code).forbids_body(), "{code}");
        }
        for code in [200, 205, 301, 404, 500] {
            assert!(!Status::new(code).forbids_body(), "{code}");
        }
    }
}
