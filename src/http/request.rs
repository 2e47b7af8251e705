//! One request, as the host's application and the layers above see it.
//!
//! It isn't a parser: `head` makes it from `GET /chat?room=7 HTTP/1.1` and the header lines, and
//! it owns what it was made from. A handshake's request may be kept for the life of a session, so
//! the head is one string of [`Pieces`]: the target, a method that has no other name, then each
//! header's name (in lower case) and its value.
//!
//! ```text
//! \x0c/chat?room=7 \0 \x04host\x0bexample.com \x06accept\x03*/*
//! ```

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::str::Utf8Error;

use memchr::{memchr, memchr2};
use serde::Deserialize;

use super::method::{Method, Version};
use super::params::Params;
use super::pieces::{Pieces, piece_bytes, push_length};

/// A request of HTTP/1.1 or 1.0 with its whole body.
///
/// ```
/// use throng::http::{Method, Request, Response};
///
/// fn answer(request: &Request) -> Response {
///     match request.method() {
///         Method::Get => {
///             let name = request.query_param("name").unwrap_or("nobody".into());
///             Response::ok().text(format!("hello, {name}"))
///         }
///         _ => Response::new(405).header("Allow", "GET"),
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Request {
    /// The target, the method if it is [`Method::Other`], and the headers.
    head: Box<str>,
    method: Method,
    version: Version,
    options: Options,
    body: Box<[u8]>,
    params: Params,
    peer: Option<SocketAddr>,
}

/// What every request is asked about, more than once where it opens a session: read once, when the
/// request is made.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
struct Options {
    /// `Connection: close`
    close: bool,
    /// `Connection: keep-alive`
    keep_alive: bool,
    /// `Connection: upgrade`
    upgrade: bool,
    /// `Upgrade: websocket`
    websocket: bool,
    /// `Expect: 100-continue`
    expects_continue: bool,
}

impl Request {
    /// A request made of the parts of its head, without a body.
    ///
    /// Values are read as latin-1, as Node.js does: each byte becomes the character of that
    /// number, whether or not the bytes happen to be UTF-8.
    pub(crate) fn new<'a>(
        method: &str,
        target: &str,
        version: Version,
        headers: impl Iterator<Item = (&'a str, &'a [u8])> + Clone,
    ) -> Self {
        let known = Method::from_token(method);
        let other = if known == Method::Other { method } else { "" };
        let headers_bytes = headers
            .clone()
            .map(|(name, value)| piece_bytes(name.len()) + piece_bytes(value.len()))
            .sum::<usize>();
        let head_bytes = piece_bytes(target.len()) + piece_bytes(other.len()) + headers_bytes;
        let mut head = Vec::with_capacity(head_bytes);
        for piece in [target, other] {
            push_length(&mut head, piece.len());
            head.extend_from_slice(piece.as_bytes());
        }
        let mut options = Options::default();
        for (name, value) in headers {
            options.read(push_lower_case(&mut head, name), value);
            push_latin1(&mut head, value);
        }
        Self {
            // All of it was UTF-8 or has become it.
            head: String::from_utf8(head).unwrap_or_default().into_boxed_str(),
            method: known,
            version,
            options,
            body: Box::default(),
            params: Params::default(),
            peer: None,
        }
    }

    #[cfg(test)]
    /// A request of HTTP/1.1 that no wire has seen.
    pub(crate) fn for_tests(
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Self {
        let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
        let mut request = Self::new(method, target, Version::Http11, headers);
        request.body = body.into().into_boxed_slice();
        request
    }

    /// The method; [`Request::method_name`] tells apart those that are [`Method::Other`].
    pub const fn method(&self) -> Method {
        self.method
    }

    /// The method exactly as in the request line.
    pub fn method_name(&self) -> &str {
        self.method.name().unwrap_or_else(|| self.pieces().nth(1).unwrap_or_default())
    }

    /// The request target exactly as in the request line (RFC 9112, section 3.2).
    pub fn target(&self) -> &str {
        self.pieces().next().unwrap_or_default()
    }

    /// The version of the request line.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The path of the target as sent, not percent-decoded, without the query.
    ///
    /// The path of `http://example.com/chat?room=7`, the form a proxy may use, is `/chat`.
    pub fn path(&self) -> &str {
        let origin = origin_form(self.target());
        match split_once(origin, b'?').map_or(origin, |(path, _)| path) {
            "" => "/",
            path => path,
        }
    }

    /// What follows the first `?` of the target, not percent-decoded; empty if there is none.
    pub fn query(&self) -> &str {
        split_once(self.target(), b'?').map_or("", |(_, query)| query)
    }

    /// The pairs of the query, read as `application/x-www-form-urlencoded`.
    ///
    /// ```
    /// fn rooms(request: &throng::http::Request) -> Vec<String> {
    ///     let pairs = request.query_pairs();
    ///     pairs.filter(|(name, _)| name == "room").map(|(_, room)| room.into_owned()).collect()
    /// }
    /// ```
    pub fn query_pairs(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        self.query().split('&').filter(|pair| !pair.is_empty()).map(query_pair)
    }

    /// The value of one pair of the query; of several pairs of one name the last one counts.
    ///
    /// Costs a walk over the query: read a parameter once.
    pub fn query_param(&self, name: &str) -> Option<Cow<'_, str>> {
        self.query_pairs().filter(|(key, _)| key == name).last().map(|(_, value)| value)
    }

    /// What a `{name}` or `{*name}` of the matched route stood for, percent-decoded.
    ///
    /// Bytes that aren't UTF-8 after decoding are replaced by U+FFFD.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.find(name)
    }

    /// The first value of a header, whatever the case of its name.
    ///
    /// Values are read as latin-1: bytes above `0x7f` become the characters U+0080 to U+00FF.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header_values(name).next()
    }

    /// All values of a header, in the order they were sent.
    pub fn header_values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.headers().filter_map(move |(key, value)| {
            // Most headers are told apart by the length of their names, and most who ask do so in
            // lower case.
            let is_it = key.len() == name.len() && (key == name || key.eq_ignore_ascii_case(name));
            is_it.then_some(value)
        })
    }

    /// Several headers in one walk, each a list: values that came apart are joined with `", "`.
    /// The names are to be in lower case.
    pub(crate) fn header_lists<const N: usize>(
        &self,
        names: [&str; N],
    ) -> [Option<Cow<'_, str>>; N] {
        let mut lists: [Option<Cow<'_, str>>; N] = [const { None }; N];
        for (name, value) in self.headers() {
            let mut sought = names.iter().zip(&mut lists);
            match sought.find(|(sought, _)| **sought == name) {
                Some((_, Some(list))) => list.to_mut().extend([", ", value]),
                Some((_, list)) => *list = Some(Cow::Borrowed(value)),
                None => {}
            }
        }
        lists
    }

    /// All headers in the order they were sent, names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut pieces = self.pieces();
        // The target and the method.
        pieces.next();
        pieces.next();
        std::iter::from_fn(move || Some((pieces.next()?, pieces.next()?)))
    }

    /// The body; empty if there is none.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as text, or where it stops being UTF-8.
    pub fn text(&self) -> Result<&str, Utf8Error> {
        std::str::from_utf8(&self.body)
    }

    /// The body as JSON, whatever `Content-Type` says.
    ///
    /// ```
    /// use throng::http::{Request, Response};
    ///
    /// fn notify(request: &Request) -> Response {
    ///     match request.json::<(String, u32)>() {
    ///         Ok((room, count)) => Response::ok().text(format!("{count} for {room}")),
    ///         Err(error) => Response::new(400).text(error.to_string()),
    ///     }
    /// }
    /// ```
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> serde_json::Result<T> {
        serde_json::from_slice(&self.body)
    }

    /// Who sent the request: the other end of the connection, which may be a proxy.
    ///
    /// `None` if the connection has no such address (a Unix socket).
    pub const fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Whether the request asks to go on as WebSocket: `Upgrade` names `websocket` and
    /// `Connection` names `upgrade`. HTTP/1.0 can't ask (RFC 9110, section 7.8).
    pub fn is_websocket_upgrade(&self) -> bool {
        self.version == Version::Http11 && self.options.websocket && self.options.upgrade
    }

    /// Whether the connection may carry another request after this one (RFC 9112, section 9.3).
    pub(crate) fn keep_alive(&self) -> bool {
        match self.version {
            _ if self.options.close => false,
            Version::Http11 => true,
            Version::Http10 => self.options.keep_alive,
        }
    }

    /// Whether the client waits for `100 Continue` before it sends the body.
    ///
    /// The expectation of an HTTP/1.0 client is ignored (RFC 9110, section 10.1.1).
    pub(crate) fn expects_continue(&self) -> bool {
        self.version == Version::Http11 && self.options.expects_continue
    }

    pub(crate) fn set_body(&mut self, body: Vec<u8>) {
        self.body = body.into_boxed_slice();
    }

    /// The body, which this request no longer has afterwards: what stays is the handshake.
    pub(crate) fn take_body(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.body).into_vec()
    }

    pub(crate) fn set_params(&mut self, params: Params) {
        self.params = params;
    }

    pub(crate) fn set_peer(&mut self, peer: Option<SocketAddr>) {
        self.peer = peer;
    }

    #[cfg(test)]
    /// What keeping this request costs, itself included.
    pub(crate) fn retained_bytes(&self) -> usize {
        size_of::<Self>() + self.head.len() + self.body.len() + self.params.heap_bytes()
    }

    fn pieces(&self) -> Pieces<'_> {
        Pieces::of(&self.head)
    }
}

impl Options {
    /// Takes note of a header, its name in lower case. Its value is a list of tokens in any case.
    fn read(&mut self, name: &[u8], value: &[u8]) {
        if !matches!(name, b"connection" | b"upgrade" | b"expect") {
            return;
        }
        for token in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            let is = |other: &[u8]| token.eq_ignore_ascii_case(other);
            match name {
                b"connection" => {
                    self.close |= is(b"close");
                    self.keep_alive |= is(b"keep-alive");
                    self.upgrade |= is(b"upgrade");
                }
                b"upgrade" => self.websocket |= is(b"websocket"),
                _ => self.expects_continue |= is(b"100-continue"),
            }
        }
    }
}

/// Headers carry cookies and the query carries session identifiers: neither is shown.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method_name())
            .field("path", &self.path())
            .field("version", &self.version)
            .field("headers", &self.headers().count())
            .field("body_bytes", &self.body.len())
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// A pair of the query, borrowed where nothing in it is encoded.
fn query_pair(pair: &str) -> (Cow<'_, str>, Cow<'_, str>) {
    let plain = || {
        let (name, value) = split_once(pair, b'=').unwrap_or((pair, ""));
        (Cow::Borrowed(name), Cow::Borrowed(value))
    };
    if memchr2(b'%', b'+', pair.as_bytes()).is_some() {
        form_urlencoded::parse(pair.as_bytes()).next().unwrap_or_else(plain)
    } else {
        plain()
    }
}

/// Splits around the first of an ASCII character. Of short text, as there is in a head, the
/// standard library's way takes twice as long.
fn split_once(text: &str, at: u8) -> Option<(&str, &str)> {
    let (before, rest) = text.split_at_checked(memchr(at, text.as_bytes())?)?;
    Some((before, rest.get(1..)?))
}

/// The target without the scheme and the authority of an absolute form.
fn origin_form(target: &str) -> &str {
    if target.starts_with('/') {
        return target;
    }
    let Some((_, rest)) = target.split_once("://") else { return target };
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    rest.get(authority_end..).unwrap_or_default()
}

/// Writes a name, and returns it as it was written.
fn push_lower_case<'a>(head: &'a mut Vec<u8>, name: &str) -> &'a [u8] {
    push_length(head, name.len());
    let start = head.len();
    head.extend_from_slice(name.as_bytes());
    let name = head.get_mut(start..).unwrap_or_default();
    name.make_ascii_lowercase();
    name
}

fn push_latin1(head: &mut Vec<u8>, value: &[u8]) {
    if value.is_ascii() {
        push_length(head, value.len());
        head.extend_from_slice(value);
    } else {
        let value: String = value.iter().copied().map(char::from).collect();
        push_length(head, value.len());
        head.extend_from_slice(value.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::{Method, Params, Request, Version};

    fn get(target: &str, headers: &[(&str, &str)]) -> Request {
        Request::for_tests("GET", target, headers, "")
    }

    #[test]
    fn the_head_is_read_back() {
        let request = get("/a%20b?x=1", &[("Host", "h"), ("X-Empty", ""), ("Accept", "*/*")]);
        assert_eq!(request.method(), Method::Get);
        assert_eq!(request.method_name(), "GET");
        assert_eq!(request.target(), "/a%20b?x=1");
        assert_eq!((request.path(), request.query()), ("/a%20b", "x=1"));
        assert_eq!(
            request.headers().collect::<Vec<_>>(),
            [("host", "h"), ("x-empty", ""), ("accept", "*/*")]
        );
        assert_eq!(request.header("HOST"), Some("h"));
        assert_eq!(request.header("x-empty"), Some(""));
        assert_eq!(request.header("missing"), None);
    }

    #[test]
    fn an_unknown_method_keeps_its_name() {
        let request = Request::for_tests("PURGE", "/", &[], "");
        assert_eq!((request.method(), request.method_name()), (Method::Other, "PURGE"));
    }

    #[test]
    fn repeated_headers_keep_their_order() {
        let request = get("/", &[("Cookie", "a"), ("Host", "h"), ("cookie", "b")]);
        assert_eq!(request.header_values("Cookie").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(request.header("cookie"), Some("a"));
    }

    #[test]
    fn headers_that_came_apart_are_one_list() {
        let headers = [("A", "1"), ("B", "2"), ("a", "3, 4"), ("Aa", "5"), ("A", "")];
        let request = get("/", &headers);
        let [a, b, c] = request.header_lists(["a", "b", "c"]);
        assert_eq!((a.as_deref(), b.as_deref(), c), (Some("1, 3, 4, "), Some("2"), None));
    }

    #[test]
    fn header_values_are_latin1_as_in_node() {
        let headers = [("X-A", &b"caf\xe9"[..]), ("X-B", &b"caf\xc3\xa9"[..])];
        let request = Request::new("GET", "/", Version::Http11, headers.into_iter());
        assert_eq!(request.header("x-a"), Some("caf\u{e9}"));
        assert_eq!(request.header("x-b"), Some("caf\u{c3}\u{a9}"));
    }

    #[test]
    fn the_last_duplicate_of_a_query_parameter_wins() {
        let request = get("/?a=1&b=x+y%21&a=2&c&a%3D=3", &[]);
        assert_eq!(request.query_param("a").as_deref(), Some("2"));
        assert_eq!(request.query_param("b").as_deref(), Some("x y!"));
        assert_eq!(request.query_param("c").as_deref(), Some(""));
        assert_eq!(request.query_param("a=").as_deref(), Some("3"));
        assert_eq!(request.query_param("d"), None);
        assert_eq!(request.query_pairs().count(), 5);
        assert_eq!(get("/?a=%ff", &[]).query_param("a").as_deref(), Some("\u{fffd}"));
    }

    #[test]
    fn paths_of_every_form_of_target() {
        for (target, path, query) in [
            ("/", "/", ""),
            ("/?", "/", ""),
            ("/a?b?c", "/a", "b?c"),
            ("*", "*", ""),
            ("http://h/a?b", "/a", "b"),
            ("http://h?b", "/", "b"),
            ("http://h", "/", ""),
            ("/x?u=http://h/", "/x", "u=http://h/"),
            ("//h/x", "//h/x", ""),
            ("h:443", "h:443", ""),
        ] {
            let request = get(target, &[]);
            assert_eq!((request.path(), request.query()), (path, query), "{target}");
        }
    }

    #[test]
    fn tokens_are_found_in_lists_in_any_case() {
        for (upgrade, connection, expected) in [
            ("websocket", "Upgrade", true),
            ("WebSocket", "keep-alive, upgrade", true),
            ("h2c, websocket", "\tUPGRADE ,x", true),
            ("websockets", "upgrade", false),
            ("websocket", "upgraded", false),
            ("h2c", "upgrade", false),
            ("websocket", "", false),
        ] {
            let request = get("/", &[("Upgrade", upgrade), ("Connection", connection)]);
            assert_eq!(request.is_websocket_upgrade(), expected, "{upgrade} {connection}");
        }
        let headers = [("upgrade", &b"websocket"[..]), ("connection", &b"upgrade"[..])];
        let old = Request::new("GET", "/", Version::Http10, headers.into_iter());
        assert!(!old.is_websocket_upgrade());
    }

    #[test]
    fn keep_alive_follows_the_version() {
        for (version, connection, expected) in [
            (Version::Http11, None, true),
            (Version::Http11, Some("close"), false),
            (Version::Http11, Some("keep-alive, Close"), false),
            (Version::Http10, None, false),
            (Version::Http10, Some("Keep-Alive"), true),
            (Version::Http10, Some("keep-alive, close"), false),
        ] {
            let headers = connection.map(|value: &str| ("Connection", value.as_bytes()));
            let request = Request::new("GET", "/", version, headers.into_iter());
            assert_eq!(request.keep_alive(), expected, "{version:?} {connection:?}");
        }
    }

    #[test]
    fn bodies_are_read_as_text_and_json() {
        let request = Request::for_tests("POST", "/", &[], r#"["room",3]"#);
        assert_eq!(request.text(), Ok(r#"["room",3]"#));
        assert_eq!(request.json::<(&str, u32)>().unwrap(), ("room", 3));
        let mut request = Request::for_tests("POST", "/", &[], vec![0xff]);
        assert!(request.text().is_err());
        assert!(request.json::<u32>().is_err());
        assert_eq!(request.take_body(), [0xff]);
        assert_eq!(request.body(), b"");
    }

    #[test]
    fn a_kept_handshake_is_small() {
        let mut request = get(
            "/socket.io/?EIO=4&transport=websocket",
            &[("Host", "example.com"), ("Origin", "https://example.com")],
        );
        assert_eq!(request.head.len(), 1 + 37 + 1 + 5 + 12 + 7 + 20);
        assert_eq!(request.retained_bytes(), size_of::<Request>() + request.head.len());
        assert!(size_of::<Request>() <= 88, "{}", size_of::<Request>());
        request.set_params(Params::from_iter([("id".into(), "7".into())]));
        assert_eq!(request.param("id"), Some("7"));
        request.set_peer(Some(([127, 0, 0, 1], 80).into()));
        assert_eq!(request.peer().unwrap().port(), 80);
    }

    #[test]
    fn debug_shows_no_secret() {
        let request = get("/s?sid=hidden", &[("Cookie", "hidden")]);
        let shown = format!("{request:?}");
        assert!(shown.contains("/s") && !shown.contains("hidden"), "{shown}");
    }
}
