//! One response, from the host's application or the layers above, and its bytes.
//!
//! It isn't the connection: whether that stays open, which version the client spoke and what day
//! it is comes from the caller as [`Encode`].
//!
//! ```text
//! HTTP/1.1 404 Not Found\r\n
//! Content-Type: text/plain; charset=utf-8\r\n
//! X-Reason: gone\r\n
//! Content-Length: 9\r\n
//! Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n
//! Connection: close\r\n
//! \r\n
//! Not Found
//! ```

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;

use super::method::Version;
use super::status::Status;

/// A response of HTTP/1.1.
///
/// `Content-Length`, `Date` and `Connection` are written by the server. Nothing a header's value
/// is made of can end the header: what came from a client may be put into one.
///
/// ```
/// use throng::http::Response;
///
/// let response = Response::new(201).header("Location", "/rooms/7").text("made");
/// assert_eq!(response.status().code(), 201);
/// assert_eq!(response.body(), b"made");
/// assert_eq!(response.header_value("location"), Some("/rooms/7"));
/// ```
#[derive(Clone, Debug)]
pub struct Response {
    status: Status,
    content_type: Option<Cow<'static, str>>,
    /// Whole lines, each `Name: value\r\n`; the only CR and LF are those between lines.
    headers: String,
    /// Whether one of them is a `Date`.
    is_dated: bool,
    body: Body,
}

/// The bytes of a response's body, owned or shared by many responses.
///
/// ```
/// use std::sync::Arc;
/// use throng::http::Response;
///
/// let script: Arc<[u8]> = Arc::from(&b"alert(1)"[..]);
/// let response = Response::ok().bytes("text/javascript", Arc::clone(&script));
/// assert_eq!(response.body(), &*script);
/// ```
#[derive(Clone, Debug)]
pub struct Body(Bytes);

#[derive(Clone, Debug)]
enum Bytes {
    Owned(Vec<u8>),
    Static(&'static [u8]),
    Shared(Arc<[u8]>),
}

/// What a response's bytes depend on besides the response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encode<'a> {
    /// The version the request was sent in.
    pub(crate) version: Version,
    /// Whether the connection stays open.
    pub(crate) keep_alive: bool,
    /// The request was a `HEAD`: the body is left out, its length isn't.
    pub(crate) head_only: bool,
    /// Now, as `Sun, 06 Nov 1994 08:49:37 GMT`.
    pub(crate) date: &'a str,
}

impl Response {
    /// A response without headers or body. A code outside `100..=999` becomes 500.
    pub fn new(status: u16) -> Self {
        Self {
            status: Status::new(status),
            content_type: None,
            headers: String::new(),
            is_dated: false,
            body: Body::default(),
        }
    }

    /// A response of status 200.
    pub fn ok() -> Self {
        Self::new(200)
    }

    /// Adds a header; one of the same name stays beside it, except for `Content-Type`.
    ///
    /// Control characters are left out of the value, and characters beyond U+00FF become `?`: a
    /// value is sent as latin-1, as it is read. A name that isn't a token (RFC 9110, section
    /// 5.6.2) leaves the header out. So do `Content-Length` and `Transfer-Encoding`, which the
    /// server knows better, and `Connection` and `Keep-Alive` unless the status is 101.
    ///
    /// ```
    /// use throng::http::Response;
    ///
    /// let response = Response::ok().header("X-Name", "eve\r\nSet-Cookie: admin=1");
    /// assert_eq!(response.header_value("X-Name"), Some("eveSet-Cookie: admin=1"));
    /// assert_eq!(response.header_value("Set-Cookie"), None);
    /// ```
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let value = value.as_ref();
        if name.eq_ignore_ascii_case("content-type") {
            let mut content_type = String::with_capacity(value.len());
            push_value(&mut content_type, value);
            self.content_type = Some(Cow::Owned(content_type));
        } else if is_token(name) && !self.is_written_by_the_server(name) {
            self.headers.reserve(name.len() + value.len() + 4);
            self.headers.push_str(name);
            self.headers.push_str(": ");
            push_value(&mut self.headers, value);
            self.headers.push_str("\r\n");
            self.is_dated |= name.eq_ignore_ascii_case("date");
        }
        self
    }

    /// Takes out every header of this name. `Content-Type` stays where there is a body to describe.
    pub(crate) fn remove_header(&mut self, name: &str) {
        if name.eq_ignore_ascii_case("content-type") && self.body.is_empty() {
            self.content_type = None;
        }
        if self.header_value(name).is_none() {
            return;
        }
        let is_other = |line: &&str| {
            let found = line.split_once(": ").map_or(*line, |(found, _)| found);
            !found.eq_ignore_ascii_case(name)
        };
        self.headers = self.headers.split_inclusive("\r\n").filter(is_other).collect();
        self.is_dated &= !name.eq_ignore_ascii_case("date");
    }

    /// Sets a body of plain text.
    #[must_use]
    pub fn text(self, body: impl Into<String>) -> Self {
        self.with_body("text/plain; charset=utf-8", body.into().into_bytes())
    }

    /// Sets a body of HTML.
    #[must_use]
    pub fn html(self, body: impl Into<String>) -> Self {
        self.with_body("text/html; charset=utf-8", body.into().into_bytes())
    }

    /// Sets a body of JSON. A value that can't be written as JSON makes the response a 500, its
    /// headers and body dropped.
    ///
    /// ```
    /// use throng::http::Response;
    ///
    /// assert_eq!(Response::ok().json(&("room", 3)).body(), br#"["room",3]"#);
    /// ```
    #[must_use]
    pub fn json(self, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => self.with_body("application/json", bytes),
            Err(_) => Self::from(Status::INTERNAL_SERVER_ERROR),
        }
    }

    /// Sets a body of any type. A vector is moved, an [`Arc`] shared: neither is copied here.
    #[must_use]
    pub fn bytes(mut self, content_type: &str, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self.header("Content-Type", content_type)
    }

    /// The status.
    pub const fn status(&self) -> Status {
        self.status
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        self.body.as_ref()
    }

    /// The first value of a header, whatever the case of its name.
    pub fn header_value(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers();
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All headers but those the server adds, names as they were given.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let content_type = self.content_type.as_deref().map(|value| ("Content-Type", value));
        let lines = self.headers.split_terminator("\r\n");
        content_type.into_iter().chain(lines.filter_map(|line| line.split_once(": ")))
    }

    /// The bytes of the whole response.
    pub(crate) fn encode(&self, context: Encode<'_>) -> Vec<u8> {
        let body = if self.omits_body(context) { &[][..] } else { self.body() };
        let mut out = Vec::with_capacity(self.head_bytes(context).saturating_add(body.len()));
        self.encode_head(&mut out, context);
        out.extend_from_slice(body);
        out
    }

    /// The bytes of the head, and the body apart: large bodies needn't be copied behind it.
    pub(crate) fn into_parts(self, context: Encode<'_>) -> (Vec<u8>, Body) {
        let mut head = Vec::with_capacity(self.head_bytes(context));
        self.encode_head(&mut head, context);
        let body = if self.omits_body(context) { Body::default() } else { self.body };
        (head, body)
    }

    /// States the length of no body, which RFC 9110 (8.6) forbids for a 204: the reference does it
    /// for browsers that wait otherwise.
    pub(crate) fn stating_no_body(mut self) -> Self {
        self.headers.push_str("Content-Length: 0\r\n");
        self
    }

    fn with_body(mut self, content_type: &'static str, body: Vec<u8>) -> Self {
        self.content_type = Some(Cow::Borrowed(content_type));
        self.body = Body::from(body);
        self
    }

    fn is_written_by_the_server(&self, name: &str) -> bool {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        is("content-length")
            || is("transfer-encoding")
            || (self.status != Status::SWITCHING_PROTOCOLS
                && (is("connection") || is("keep-alive")))
    }

    fn omits_body(&self, context: Encode<'_>) -> bool {
        context.head_only || self.status.forbids_body()
    }

    /// About how long the head will be; a little more than needed saves a second allocation.
    fn head_bytes(&self, context: Encode<'_>) -> usize {
        let content_type = self.content_type.as_deref().unwrap_or_default();
        let variable = [self.headers.len(), content_type.len(), context.date.len()];
        variable.into_iter().fold(FIXED_HEAD_BYTES, usize::saturating_add)
    }

    fn encode_head(&self, out: &mut Vec<u8>, context: Encode<'_>) {
        out.extend_from_slice(b"HTTP/1.1 ");
        push_decimal(out, self.status.code().into());
        out.push(b' ');
        push_line(out, self.status.reason());
        if let Some(content_type) = &self.content_type {
            out.extend_from_slice(b"Content-Type: ");
            push_line(out, content_type);
        }
        push_latin1(out, &self.headers);
        if !self.status.forbids_body() {
            out.extend_from_slice(b"Content-Length: ");
            push_decimal(out, self.body().len());
            out.extend_from_slice(b"\r\n");
        }
        if !self.is_dated {
            out.extend_from_slice(b"Date: ");
            push_line(out, context.date);
        }
        out.extend_from_slice(self.connection_line(context));
        out.extend_from_slice(b"\r\n");
    }

    /// HTTP/1.1 stays open unless told otherwise, HTTP/1.0 closes unless told otherwise.
    fn connection_line(&self, context: Encode<'_>) -> &'static [u8] {
        match (context.keep_alive, context.version) {
            _ if matches!(self.status.code(), 100..=199) => b"",
            (false, _) => b"Connection: close\r\n",
            (true, Version::Http10) => b"Connection: keep-alive\r\n",
            (true, Version::Http11) => b"",
        }
    }
}

impl From<Status> for Response {
    /// A response that says its reason as plain text, if its status may have a body.
    fn from(status: Status) -> Self {
        let response = Self::new(status.code());
        if status.forbids_body() { response } else { response.text(status.reason()) }
    }
}

impl Body {
    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.as_ref().len()
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.as_ref().is_empty()
    }
}

impl Default for Body {
    fn default() -> Self {
        Self(Bytes::Static(&[]))
    }
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Owned(bytes) => bytes,
            Bytes::Static(bytes) => bytes,
            Bytes::Shared(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Bytes::Owned(bytes))
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Self {
        Self(Bytes::Static(bytes))
    }
}

impl From<Arc<[u8]>> for Body {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self(Bytes::Shared(bytes))
    }
}

/// A token of RFC 9110, section 5.6.2.
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || TOKEN_MARKS.contains(&byte))
}

/// Adds what may stand in a field value (RFC 9110, section 5.5), with no space at its ends.
fn push_value(out: &mut String, value: &str) {
    let allowed = |character: &char| *character == '\t' || !character.is_ascii_control();
    let latin1 = |character: char| if character > '\u{ff}' { '?' } else { character };
    let start = out.len();
    out.extend(
        value.chars().filter(allowed).map(latin1).skip_while(|&character| is_blank(character)),
    );
    let end = out.trim_end_matches(is_blank).len();
    out.truncate(end.max(start));
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

/// Each character is below U+0100, which `push_value` saw to.
fn push_latin1(out: &mut Vec<u8>, text: &str) {
    if text.is_ascii() {
        out.extend_from_slice(text.as_bytes());
    } else {
        out.extend(text.chars().map(|character| u8::try_from(character).unwrap_or(b'?')));
    }
}

fn push_line(out: &mut Vec<u8>, text: &str) {
    push_latin1(out, text);
    out.extend_from_slice(b"\r\n");
}

/// The machinery of `write!` costs more than all the rest of a small head.
fn push_decimal(out: &mut Vec<u8>, mut number: usize) {
    let start = out.len();
    loop {
        out.push(DIGITS.get(number % 10).copied().unwrap_or_default());
        number /= 10;
        if number == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}

const DIGITS: &[u8; 10] = b"0123456789";

const TOKEN_MARKS: &[u8] = b"!#$%&'*+-.^_`|~";

/// The status line and the names of the server's headers.
const FIXED_HEAD_BYTES: usize = 160;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Body, Encode, Response, Status, push_decimal};
    use crate::http::method::Version;

    /// Another thread may answer later.
    fn assert_send<T: Send>(_: &T) {}

    const CONTEXT: Encode<'static> =
        Encode { version: Version::Http11, keep_alive: true, head_only: false, date: "now" };

    fn encode(response: &Response) -> String {
        String::from_utf8(response.encode(CONTEXT)).unwrap()
    }

    #[test]
    fn a_response_on_the_wire() {
        let response = Response::new(404).header("X-Reason", "gone").text("no");
        assert_eq!(
            encode(&response),
            "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n\
             X-Reason: gone\r\nContent-Length: 2\r\nDate: now\r\n\r\nno"
        );
        assert_eq!(
            encode(&Response::ok()),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: now\r\n\r\n"
        );
        assert_eq!(
            encode(&Response::new(299)),
            "HTTP/1.1 299 \r\nContent-Length: 0\r\nDate: now\r\n\r\n"
        );
    }

    #[test]
    fn the_head_is_allocated_once() {
        let response = Response::from(Status::REQUEST_HEADER_FIELDS_TOO_LARGE);
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let context = Encode { keep_alive: false, date, ..CONTEXT };
        assert!(response.encode(context).len() <= response.head_bytes(context) + 31);
    }

    #[test]
    fn head_keeps_the_length_and_omits_the_body() {
        let context = Encode { head_only: true, ..CONTEXT };
        let response = Response::ok().text("four");
        let bytes = String::from_utf8(response.encode(context)).unwrap();
        assert!(bytes.contains("Content-Length: 4\r\n") && bytes.ends_with("\r\n\r\n"));
        assert!(response.into_parts(context).1.is_empty());
    }

    #[test]
    fn statuses_without_a_body_have_no_length() {
        for code in [101, 204, 304] {
            let bytes = encode(&Response::new(code).text("never"));
            assert!(!bytes.contains("Content-Length"), "{bytes}");
            assert!(bytes.ends_with("\r\n\r\n"), "{bytes}");
        }
    }

    #[test]
    fn the_connection_header_says_what_the_version_does_not() {
        for (version, keep_alive, expected) in [
            (Version::Http11, true, ""),
            (Version::Http11, false, "Connection: close\r\n"),
            (Version::Http10, true, "Connection: keep-alive\r\n"),
            (Version::Http10, false, "Connection: close\r\n"),
        ] {
            let context = Encode { version, keep_alive, ..CONTEXT };
            let bytes = String::from_utf8(Response::ok().encode(context)).unwrap();
            assert!(bytes.ends_with(&format!("Date: now\r\n{expected}\r\n")), "{bytes}");
        }
    }

    #[test]
    fn an_upgrade_names_its_own_connection() {
        let response = Response::new(101)
            .header("Upgrade", "websocket")
            .header("Connection", "Upgrade")
            .header("Content-Length", "3");
        assert_eq!(
            encode(&response),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nDate: now\r\n\r\n"
        );
    }

    #[test]
    fn headers_cannot_be_injected() {
        for value in ["a\r\nB: c", "a\nB: c", "a\rB: c", "a\0\r\n\r\n<html>", "\r\n\r\nB"] {
            let bytes = encode(&Response::ok().header("X", value));
            assert_eq!(bytes.matches("\r\n").count(), 5, "{bytes:?}");
            assert_eq!(bytes.matches(['\r', '\n', '\0']).count(), 10, "{bytes:?}");
            let bytes = encode(&Response::ok().bytes(value, Vec::new()));
            assert_eq!(bytes.matches(['\r', '\n', '\0']).count(), 10, "{bytes:?}");
        }
        for name in ["", "X Y", "X:", "X\r\nY", "X\0", "\u{e9}"] {
            assert_eq!(Response::ok().header(name, "v").headers().count(), 0, "{name:?}");
        }
    }

    #[test]
    fn framing_headers_belong_to_the_server() {
        let response = Response::ok()
            .header("content-length", "99")
            .header("Transfer-Encoding", "chunked")
            .header("CONNECTION", "close")
            .header("Keep-Alive", "timeout=5")
            .text("ok");
        assert_eq!(response.headers().count(), 1);
    }

    #[test]
    fn values_are_trimmed_and_sent_as_latin1() {
        let response = Response::ok().header("X-A", " \t caf\u{e9} \u{20ac}\t ").header("X-B", " ");
        assert_eq!(response.header_value("x-a"), Some("caf\u{e9} ?"));
        assert_eq!(response.header_value("x-b"), Some(""));
        let bytes = response.encode(CONTEXT);
        assert!(bytes.windows(12).any(|window| window == b"X-A: caf\xe9 ?\r"), "{bytes:?}");
        assert!(!bytes.contains(&0xc3));
    }

    #[test]
    fn there_is_one_content_type_and_one_date() {
        let response = Response::ok()
            .header("content-type", "text/css")
            .text("x")
            .header("Content-Type", "text/xml")
            .header("date", "then");
        let bytes = encode(&response);
        assert_eq!(bytes.matches("Content-Type").count(), 1);
        assert!(
            bytes.contains("Content-Type: text/xml\r\ndate: then\r\nContent-Length: 1\r\n\r\n")
        );
    }

    #[test]
    fn headers_are_taken_out_by_name() {
        let mut response = Response::ok()
            .header("X-A", "1")
            .header("Date", "then")
            .header("x-a", "2")
            .header("X-Ab", "3")
            .text("x");
        response.remove_header("X-a");
        response.remove_header("date");
        response.remove_header("content-type");
        response.remove_header("nothing");
        let headers: Vec<_> = response.headers().collect();
        assert_eq!(headers, [("Content-Type", "text/plain; charset=utf-8"), ("X-Ab", "3")]);
        assert!(encode(&response).contains("Date: now\r\n"));
    }

    #[test]
    fn repeated_headers_stay() {
        let response = Response::ok().header("Set-Cookie", "a").header("Set-Cookie", "b");
        assert_eq!(encode(&response).matches("Set-Cookie").count(), 2);
        assert_eq!(response.header_value("set-cookie"), Some("a"));
    }

    #[test]
    fn json_that_cannot_be_written_is_a_500() {
        let bad = std::collections::BTreeMap::from([((1, 2), 3)]);
        let response = Response::ok().header("X", "y").json(&bad);
        assert_eq!(response.status(), Status::INTERNAL_SERVER_ERROR);
        assert_eq!(response.header_value("x"), None);
        let good = Response::ok().json(&[1, 2]);
        assert_eq!(
            (good.body(), good.header_value("content-type")),
            (&b"[1,2]"[..], Some("application/json"))
        );
    }

    #[test]
    fn bodies_are_moved_and_shared() {
        let owned = b"owned".to_vec();
        let address = owned.as_ptr();
        let (_, body) = Response::ok().bytes("a/b", owned).into_parts(CONTEXT);
        assert_eq!(body.as_ref().as_ptr(), address);
        let shared: Arc<[u8]> = Arc::from(&b"shared"[..]);
        let response = Response::ok().bytes("a/b", Arc::clone(&shared));
        assert_eq!(response.body().as_ptr(), shared.as_ptr());
        assert_eq!(Body::from(&b"static"[..]).len(), 6);
        assert_send(&response);
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 9, 10, 909, 1000, 65_535, usize::MAX] {
            let mut out = b"7".to_vec();
            push_decimal(&mut out, number);
            assert_eq!(out, format!("7{number}").into_bytes());
        }
    }

    #[test]
    fn a_status_becomes_a_response() {
        let response = Response::from(Status::BAD_REQUEST);
        assert_eq!((response.status().code(), response.body()), (400, &b"Bad Request"[..]));
        assert_eq!(Response::from(Status::NOT_MODIFIED).headers().count(), 0);
    }
}
