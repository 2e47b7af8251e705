//! Long-polling: the requests that wait for an answer, and the answers.
//!
//! It decides nothing about the session: overlaps and closes are told in `session`.
//!
//! ```text
//! < HTTP/1.1 200 OK
//! < Content-Type: text/plain; charset=UTF-8
//! < cache-control: no-store
//! <
//! < 40{"sid":"..."} 1e 2
//! ```

use super::context::Shared;
use super::cors;
use super::jsonp;
use crate::config::EngineConfig;
use crate::http::coding::ContentCoding;
use crate::http::{Request, Response};
use crate::message::{Form, Message, SEPARATOR, push_binary_packet, push_counted};
use crate::slots::ConnectionKey;

/// The requests of a polling session that wait for an answer.
#[derive(Debug, Default)]
pub(crate) struct Polling {
    /// The GET that is held until there is something to say.
    pub(crate) get: Option<Asker>,
    /// The POST whose packets are being read; most sessions have none.
    pub(crate) post: Option<Box<Post>>,
}

/// A POST on its way in.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) asker: Asker,
    pub(crate) stage: Stage,
}

/// How far a POST has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its body is arriving. If the session ends now, so does the connection.
    Receiving,
    /// Its packets are being handled. It is answered `ok` whatever they do.
    Handling,
}

/// A request that waits for its answer: what the answer needs to know of it.
#[derive(Debug)]
pub(crate) struct Asker {
    pub(crate) connection: ConnectionKey,
    coding: ContentCoding,
    client: UserAgent,
    /// What few requests have.
    extras: Option<Box<Extras>>,
}

/// What few requests have that the answer needs to know.
#[derive(Debug)]
struct Extras {
    /// The origin to reflect.
    origin: Option<Box<str>>,
    /// The script calls this function of those it has for JSONP.
    jsonp: Option<Box<str>>,
}

/// What the answer needs to know of the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UserAgent {
    /// Nothing.
    Any,
    /// Internet Explorer, whose filter took payloads for an attack.
    InternetExplorer,
}

impl Asker {
    pub(crate) fn new(connection: ConnectionKey, request: &Request, config: &EngineConfig) -> Self {
        let client = match request.header("user-agent") {
            Some(name) if name.contains(";MSIE") || name.contains("Trident/") => {
                UserAgent::InternetExplorer
            }
            _ => UserAgent::Any,
        };
        let origin = cors::reflected_origin(config.cors.as_ref(), request);
        let jsonp = jsonp::callback(request);
        let has_extras = origin.is_some() || jsonp.is_some();
        let codings: &[_] = match config.compression_bytes_min {
            Some(_) => &[ContentCoding::Gzip, ContentCoding::Deflate],
            None => &[],
        };
        Self {
            connection,
            coding: ContentCoding::negotiate(request, codings),
            client,
            extras: has_extras.then(|| Box::new(Extras { origin, jsonp })),
        }
    }

    /// Whether the answer to a GET is a script, and therefore text.
    pub(crate) fn is_jsonp(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| extras.jsonp.is_some())
    }

    /// The answer to a GET.
    pub(crate) fn payload(&self, mut body: PollBody, shared: &mut Shared) -> Response {
        if let Some(callback) = self.extras.as_ref().and_then(|extras| extras.jsonp.as_deref()) {
            body.bytes = jsonp::script(callback, &body.bytes);
        }
        shared.counters.polls_answered += 1;
        shared.counters.packets_sent += u64::from(body.packets);
        let EngineConfig { compression_bytes_min: least, compression_bytes_max: most, .. } =
            shared.config;
        let coded = match least {
            Some(least) if body.compress && (least..=most).contains(&body.bytes.len()) => {
                self.coding.encode(&body.bytes)
            }
            _ => None,
        };
        let response = self.with_cors(Response::new(200), &shared.config);
        let content_type = body.content_type();
        let response = if let Some(coded) = coded {
            shared.counters.polls_compressed += 1;
            let response = response.bytes(content_type, coded);
            response.header("Content-Encoding", self.coding.name())
        } else {
            response.bytes(content_type, body.bytes)
        };
        self.with_common(response)
    }

    /// The answer to a POST whose packets were handled.
    pub(crate) fn accepted(&self, config: &EngineConfig) -> Response {
        // Not text/plain, which some browsers offered as a download.
        let response = Response::new(200).bytes("text/html", &b"ok"[..]);
        self.with_common(self.with_cors(response, config))
    }

    /// An answer without a body.
    pub(crate) fn empty(&self, status: u16, config: &EngineConfig) -> Response {
        self.with_cors(Response::new(status), config)
    }

    fn with_cors(&self, response: Response, config: &EngineConfig) -> Response {
        let origin = self.extras.as_ref().and_then(|extras| extras.origin.as_deref());
        cors::apply(response, config.cors.as_ref(), origin)
    }

    fn with_common(&self, response: Response) -> Response {
        let response = match self.client {
            UserAgent::Any => response,
            UserAgent::InternetExplorer => response.header("X-XSS-Protection", "0"),
        };
        response.header("cache-control", "no-store")
    }
}

/// The body of an answer to a GET, packet by packet.
#[derive(Debug)]
pub(crate) struct PollBody {
    /// One of those for polling.
    form: Form,
    bytes: Vec<u8>,
    packets: u32,
    compress: bool,
}

impl PollBody {
    /// A body of the open packet, which counts as compressible like a message.
    pub(crate) fn open(form: Form, packet: &str) -> Self {
        Self { compress: true, ..Self::control(form, &[packet.as_bytes()]) }
    }

    /// A body of control packets, which is sent as it is.
    pub(crate) fn control(form: Form, packets: &[&[u8]]) -> Self {
        let mut body = Self::with_capacity(form, 0);
        for packet in packets {
            body.push_text(packet);
        }
        body
    }

    pub(crate) fn with_capacity(form: Form, bytes: usize) -> Self {
        Self { form, bytes: Vec::with_capacity(bytes), packets: 0, compress: false }
    }

    pub(crate) fn push_message(&mut self, message: &Message) {
        self.compress |= message.compress();
        self.separate();
        self.bytes.extend_from_slice(message.form(self.form));
    }

    /// A ping, in EIO 3 a pong. It counts as compressible, as in the reference: only closes and
    /// noops don't.
    pub(crate) fn push_beat(&mut self) {
        self.compress = true;
        self.push_text(if self.form.is_v3() { PONG } else { PING });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.packets == 0
    }

    fn content_type(&self) -> &'static str {
        match self.form {
            Form::PollingBinaryV3 => "application/octet-stream",
            _ => "text/plain; charset=UTF-8",
        }
    }

    fn push_text(&mut self, packet: &[u8]) {
        self.separate();
        match self.form {
            Form::PollingBinaryV3 => push_binary_packet(&mut self.bytes, packet),
            Form::PollingV3 => push_counted(&mut self.bytes, packet),
            _ => self.bytes.extend_from_slice(packet),
        }
    }

    /// Counts a packet, and separates it from those before, where lengths don't.
    fn separate(&mut self) {
        if self.packets > 0 && self.form == Form::Polling {
            self.bytes.push(SEPARATOR);
        }
        self.packets = self.packets.saturating_add(1);
    }
}

/// A packet that ends the session.
pub(crate) const CLOSE: &[u8] = b"1";
/// A packet that only ends a GET. Before a close it answers the GET that finds the session closing.
pub(crate) const NOOP: &[u8] = b"6";
const PING: &[u8] = b"2";
const PONG: &[u8] = b"3";
