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

use super::compression::ContentCoding;
use super::context::Shared;
use super::cors;
use crate::config::EngineConfig;
use crate::http::{Request, Response};
use crate::message::{Form, Message, SEPARATOR};
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
    /// The origin to reflect.
    origin: Option<Box<str>>,
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
        Self {
            connection,
            coding: ContentCoding::negotiate(request, config),
            client,
            origin: cors::reflected_origin(config.cors.as_ref(), request),
        }
    }

    /// The answer to a GET.
    pub(crate) fn payload(&self, body: PollBody, shared: &mut Shared) -> Response {
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
        let response = if let Some(coded) = coded {
            shared.counters.polls_compressed += 1;
            let response = response.bytes(PAYLOAD_TYPE, coded);
            response.header("Content-Encoding", self.coding.name())
        } else {
            response.bytes(PAYLOAD_TYPE, body.bytes)
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
        cors::apply(response, config.cors.as_ref(), self.origin.as_deref())
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
#[derive(Debug, Default)]
pub(crate) struct PollBody {
    bytes: Vec<u8>,
    packets: u32,
    compress: bool,
}

impl PollBody {
    /// A body of the open packet, which counts as compressible like a message.
    pub(crate) fn open(packet: &str) -> Self {
        Self { bytes: packet.as_bytes().to_vec(), packets: 1, compress: true }
    }

    /// A body of one control packet, or of several with their separators.
    pub(crate) fn control(packets: &[u8]) -> Self {
        Self { bytes: packets.to_vec(), packets: 1, compress: false }
    }

    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ..Self::default() }
    }

    pub(crate) fn push_message(&mut self, message: &Message) {
        self.compress |= message.compress();
        self.push(message.form(Form::Polling));
    }

    /// A ping counts as compressible, as in the reference: only closes and noops don't.
    pub(crate) fn push_ping(&mut self) {
        self.compress = true;
        self.push(PING);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.packets == 0
    }

    fn push(&mut self, packet: &[u8]) {
        if self.packets > 0 {
            self.bytes.push(SEPARATOR);
        }
        self.bytes.extend_from_slice(packet);
        self.packets = self.packets.saturating_add(1);
    }
}

/// A packet that ends the session.
pub(crate) const CLOSE: &[u8] = b"1";
/// A packet that only ends a GET.
pub(crate) const NOOP: &[u8] = b"6";
/// What a GET is answered that finds the session closing.
pub(crate) const NOOP_AND_CLOSE: &[u8] = b"6\x1e1";
const PING: &[u8] = b"2";
const PAYLOAD_TYPE: &str = "text/plain; charset=UTF-8";
