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
        map.serialize_entry(
            "time",
            &httpdate::fmt_http_date(std::time::UNIX_EPOCH + self.issued()),
        )?;
        let address = self.address().map(|address| address.ip().to_string()).unwrap_or_default();
        map.serialize_entry("address", &address)?;
        map.serialize_entry("xdomain", &self.is_cross_origin())?;
        map.serialize_entry("secure", &false)?;
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
    fn headers(request: Option<&'a Request>) -> Self {
        let headers = request.into_iter().flat_map(Request::headers);
        Self(headers.map(|(name, value)| (Cow::from(name.to_lowercase()), value.into())).collect())
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
