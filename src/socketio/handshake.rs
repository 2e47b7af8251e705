//! What a client brought when it came: the request that opened its session, and the payload of its
//! CONNECT packet.

use core::net::SocketAddr;
use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::ser::{SerializeMap, Serializer};

use crate::http::Request;

/// The request that opened a session, shared by all sockets of its client.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) request: Request,
    /// When it came, since the Unix epoch.
    pub(crate) issued: Duration,
}

/// The handshake of one socket; cheap to clone, and owned.
///
/// It never changes, whatever transport the session moves to. Serialised it is the object that the
/// reference calls `socket.handshake`. Where the configuration keeps handshakes until the client
/// is connected only, it is empty afterwards.
///
/// ```
/// use throng::{Refusal, Server};
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// server.of("/").middleware(|socket| {
///     let handshake = socket.handshake();
///     match handshake.query("token").as_deref() {
///         Some("secret") => Ok(()),
///         _ => Err(Refusal::new("unauthorized")),
///     }
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Handshake {
    opening: Option<Rc<Opening>>,
    auth: Option<Rc<str>>,
}

impl Handshake {
    pub(super) fn new(opening: Option<Rc<Opening>>, auth: Option<Rc<str>>) -> Self {
        Self { opening, auth }
    }

    /// A parameter of the query, percent-decoded; of several the last.
    pub fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        self.request()?.query_param(name)
    }

    /// A header field of the request, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.request()?.header(name)
    }

    /// The payload of the CONNECT packet, parsed; `None` where there was none or it is of another
    /// shape.
    pub fn auth<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.auth.as_deref()?).ok()
    }

    /// The payload of the CONNECT packet as it came, a JSON object; `{}` where there was none.
    pub fn auth_json(&self) -> &str {
        self.auth.as_deref().unwrap_or("{}")
    }

    /// The address of the peer; `None` on a Unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        self.request()?.peer()
    }

    /// The target of the request, as it stood in the request line.
    pub fn url(&self) -> &str {
        self.request().map_or("", Request::target)
    }

    /// When the session was opened, since the Unix epoch.
    pub fn issued(&self) -> Duration {
        self.opening.as_ref().map_or(Duration::ZERO, |opening| opening.issued)
    }

    /// When the session was opened, as JavaScript writes a `Date` in UTC:
    /// `Fri Nov 27 2026 13:01:13 GMT+0000 (Coordinated Universal Time)`.
    pub fn time(&self) -> String {
        // `Fri, 27 Nov 2026 13:01:13 GMT`, the year always of four digits.
        let date = httpdate::fmt_http_date(std::time::UNIX_EPOCH + self.issued());
        let part = |range: std::ops::Range<usize>| date.get(range).unwrap_or_default();
        let [weekday, day, month] = [part(0..3), part(5..7), part(8..11)];
        let [year, time] = [part(12..16), part(17..25)];
        format!("{weekday} {month} {day} {year} {time} GMT+0000 (Coordinated Universal Time)")
    }

    /// Whether the client's connection to this server was encrypted: never, since TLS ends before
    /// it. What a proxy says of its own side stands in the headers.
    pub fn is_secure(&self) -> bool {
        false
    }

    /// Whether the request came from a page of another origin (it has an `Origin` header).
    pub fn is_cross_origin(&self) -> bool {
        self.header("origin").is_some()
    }

    /// The request itself.
    pub fn request(&self) -> Option<&Request> {
        self.opening.as_ref().map(|opening| &opening.request)
    }
}

/// The object of the reference: `headers`, `time`, `address`, `xdomain`, `secure`, `issued`, `url`,
/// `query`, `auth`.
impl Serialize for Handshake {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(9))?;
        map.serialize_entry("headers", &Pairs::headers(self.request()))?;
        map.serialize_entry("time", &self.time())?;
        let address = self.address().map(|address| address.ip().to_string()).unwrap_or_default();
        map.serialize_entry("address", &address)?;
        map.serialize_entry("xdomain", &self.is_cross_origin())?;
        map.serialize_entry("secure", &self.is_secure())?;
        map.serialize_entry("issued", &u64::try_from(self.issued().as_millis()).unwrap_or(0))?;
        map.serialize_entry("url", self.url())?;
        map.serialize_entry("query", &Pairs::query(self.request()))?;
        let auth = serde_json::from_str::<&serde_json::value::RawValue>(self.auth_json());
        map.serialize_entry("auth", &auth.ok())?;
        map.end()
    }
}

/// Pairs as a JSON object; the last of several with one name wins.
struct Pairs<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Pairs<'a> {
    /// Of headers that came more than once, what Node.js makes of them.
    fn headers(request: Option<&'a Request>) -> Self {
        let mut pairs: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        for (name, value) in request.into_iter().flat_map(Request::headers) {
            match pairs.iter_mut().find(|(known, _)| known == name) {
                None => pairs.push((name.into(), value.into())),
                Some(_) if SINGLE_HEADERS.contains(&name) => {}
                Some((_, list)) => {
                    list.to_mut().push_str(if name == "cookie" { "; " } else { ", " });
                    list.to_mut().push_str(value);
                }
            }
        }
        Self(pairs)
    }

    fn query(request: Option<&'a Request>) -> Self {
        Self(request.into_iter().flat_map(Request::query_pairs).collect())
    }
}

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (index, (name, value)) in self.0.iter().enumerate() {
            if !self.0[index + 1..].iter().any(|(later, _)| later == name) {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}

/// Of these, Node.js keeps the first only.
const SINGLE_HEADERS: [&str; 17] = [
    "age",
    "authorization",
    "content-length",
    "content-type",
    "etag",
    "expires",
    "from",
    "host",
    "if-modified-since",
    "if-unmodified-since",
    "last-modified",
    "location",
    "max-forwards",
    "proxy-authorization",
    "referer",
    "retry-after",
    "user-agent",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake(target: &str, headers: &[(&str, &str)]) -> Handshake {
        let request = Request::for_tests("GET", target, headers, "");
        let issued = Duration::from_millis(1_795_784_473_250);
        Handshake::new(Some(Rc::new(Opening { request, issued })), None)
    }

    #[test]
    fn the_object_of_the_reference() {
        let handshake = handshake(
            "/socket.io/?EIO=4&transport=polling&a=1&a=%202",
            &[("Host", "h"), ("Origin", "http://a"), ("X-Many", "1"), ("X-Many", "2")],
        );
        assert_eq!(
            serde_json::to_string(&handshake).unwrap(),
            "{\"headers\":{\"host\":\"h\",\"origin\":\"http://a\",\"x-many\":\"1, 2\"},\
             \"time\":\"Fri Nov 27 2026 13:01:13 GMT+0000 (Coordinated Universal Time)\",\
             \"address\":\"\",\"xdomain\":true,\"secure\":false,\"issued\":1795784473250,\
             \"url\":\"/socket.io/?EIO=4&transport=polling&a=1&a=%202\",\
             \"query\":{\"EIO\":\"4\",\"transport\":\"polling\",\"a\":\" 2\"},\"auth\":{}}"
        );
    }

    #[test]
    fn headers_that_came_twice() {
        let sent = [("Cookie", "a=1"), ("Host", "h"), ("cookie", "b=2"), ("host", "evil")];
        let handshake = handshake("/", &sent);
        let pairs = serde_json::to_string(&Pairs::headers(handshake.request())).unwrap();
        assert_eq!(pairs, r#"{"cookie":"a=1; b=2","host":"h"}"#);
    }

    #[test]
    fn an_empty_handshake_is_whole() {
        let empty = Handshake::default();
        let json = serde_json::to_string(&empty).unwrap();
        assert!(json.starts_with("{\"headers\":{},\"time\":\"Thu Jan 01 1970 00:00:00 GMT+0000"));
        assert!(json.ends_with("\"url\":\"\",\"query\":{},\"auth\":{}}"), "{json}");
    }
}
