//! One TCP (or Unix) connection: what it speaks, what it still has to write, how it ends.
//!
//! An idle WebSocket connection is this struct and nothing on the heap. It doesn't read or write
//! by itself, and knows nothing of sessions: `owner` is a word that the conductor leaves here.

use std::net::SocketAddr;

use crate::deadlines::DeadlineId;
use crate::http::decoder::Decoder as HttpDecoder;
use crate::http::{Request, Version};
use crate::send_queue::SendQueue;
use crate::websocket::{Decoder as WebSocketDecoder, Limits as WebSocketLimits};

/// A connection in the reactor's slab.
#[derive(Debug)]
pub(super) struct Connection<S, O> {
    pub(super) stream: S,
    pub(super) owner: O,
    pub(super) queue: SendQueue,
    pub(super) speaks: Speaks,
    pub(super) ending: Ending,
    /// Input that was read but not yet decoded: a budget ran out, or an answer must go first.
    #[expect(clippy::box_collection, reason = "one word in each of very many connections")]
    pub(super) kept: Option<Box<Vec<u8>>>,
    pub(super) deadline: Option<DeadlineId>,
    pub(super) ready: Readiness,
    pub(super) interest: Interest,
    pub(super) listed: Listed,
}

/// What the last events and calls said; readiness is told once, so it is kept.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Readiness {
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The peer has ended its direction, or an error waits: reading on will tell.
    pub(super) hung_up: bool,
}

/// What the network tells of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Interest {
    /// Something to read: the socket has taken every write so far.
    #[default]
    Readable,
    /// Room to write as well, since a write fell short.
    Both,
}

/// On which of the reactor's lists a connection stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Listed {
    pub(super) ready: bool,
    pub(super) unflushed: bool,
    /// On none: it isn't read before its peer has taken what is queued for it.
    pub(super) held: bool,
}

/// The protocol a connection speaks at this moment.
#[derive(Debug)]
pub(super) enum Speaks {
    /// HTTP, one request after the other.
    Http(Box<Http>),
    /// WebSocket, after the upgrade, with limits of its own if it has any.
    WebSocket(WebSocketDecoder, Option<Box<WebSocketLimits>>),
}

/// How far a connection is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It isn't.
    Open,
    /// A WebSocket close frame has been queued; the peer's is awaited, all else is ignored.
    Handshake,
    /// What is queued goes out, then our direction ends.
    Flush,
    /// Our direction has ended; input is thrown away, this many bytes at most, until the peer ends
    /// its own: a reset would eat the last answer.
    Drain(usize),
    /// Reaped at the end of the turn.
    Dead,
}

/// What a connection knows while it speaks HTTP.
#[derive(Debug)]
pub(super) struct Http {
    pub(super) decoder: HttpDecoder,
    pub(super) peer: Option<SocketAddr>,
    pub(super) stage: Stage,
    /// The request whose body is being read.
    pub(super) request: Option<Request>,
    /// How the answer to the request at hand must look.
    pub(super) answer: Answer,
}

/// Where an HTTP connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Between two requests; nothing of the next has come.
    Idle,
    /// Within a head.
    Head,
    /// The head has been handed up; what is to become of its body is not yet decided.
    Deciding,
    /// Within a body.
    Body,
    /// The request has been handed up and awaits its answer; nothing further is decoded.
    Answering,
}

/// The shape of an answer, told by its request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) version: Version,
    pub(super) keep_alive: bool,
    pub(super) head_only: bool,
}

impl<S, O: Default> Connection<S, O> {
    pub(super) fn new(stream: S, peer: Option<SocketAddr>) -> Self {
        Self {
            stream,
            owner: O::default(),
            queue: SendQueue::new(),
            speaks: Speaks::Http(Box::new(Http::new(peer))),
            ending: Ending::Open,
            kept: None,
            deadline: None,
            ready: Readiness::default(),
            interest: Interest::default(),
            listed: Listed::default(),
        }
    }
}

impl<S, O> Connection<S, O> {
    /// Whether input may be read and decoded now.
    pub(super) fn wants_input(&self) -> bool {
        match (self.ending, &self.speaks) {
            (Ending::Dead | Ending::Flush, _) => false,
            (Ending::Drain(_) | Ending::Handshake, _) | (_, Speaks::WebSocket(..)) => true,
            // While an answer is awaited the end of the stream must be noticed, so reading goes
            // on as long as little has been kept back.
            (_, Speaks::Http(http)) => {
                http.stage != Stage::Answering || self.kept_bytes() < KEPT_BYTES_MAX
            }
        }
    }

    /// Whether kept input may be decoded now.
    pub(super) fn decodes(&self) -> bool {
        !matches!(
            &self.speaks,
            Speaks::Http(http) if matches!(http.stage, Stage::Answering | Stage::Deciding)
        )
    }

    /// Whoever asks on without reading the answers would have us keep them all: it isn't read
    /// before what is queued for it has gone out. A message in the midst of being written isn't
    /// an answer, and the peer may well talk while it downloads.
    pub(super) fn is_backed_up(&self) -> bool {
        self.queue.bytes_of_answers() > UNREAD_BYTES_MAX
            || self.queue.chunks_len() > UNREAD_CHUNKS_MAX
    }

    pub(super) fn kept_bytes(&self) -> usize {
        self.kept.as_ref().map_or(0, |kept| kept.len())
    }

    /// Keeps input for later: before what is kept already if it was `kept_before`, else behind.
    pub(super) fn keep(&mut self, input: &[u8], kept_before: bool) {
        if input.is_empty() {
            return;
        }
        let kept = self.kept.get_or_insert_default();
        if kept_before {
            kept.splice(..0, input.iter().copied());
        } else {
            kept.extend_from_slice(input);
        }
    }

    pub(super) fn http(&mut self) -> Option<&mut Http> {
        match &mut self.speaks {
            Speaks::Http(http) => Some(http),
            Speaks::WebSocket(..) => None,
        }
    }
}

impl Http {
    fn new(peer: Option<SocketAddr>) -> Self {
        Self {
            decoder: HttpDecoder::default(),
            peer,
            stage: Stage::Idle,
            request: None,
            answer: Answer::default(),
        }
    }
}

impl Default for Answer {
    /// How an answer looks to a peer whose request could not be read.
    fn default() -> Self {
        Self { version: Version::Http11, keep_alive: false, head_only: false }
    }
}

/// How much may be queued for a connection before it is read no further.
const UNREAD_BYTES_MAX: usize = 1_024 * 1_024;
/// In how many pieces: a pong of two bytes costs as much room as sixty.
const UNREAD_CHUNKS_MAX: usize = 4_096;
/// How much pipelined input is kept while an answer is awaited; the rest stays in the kernel.
const KEPT_BYTES_MAX: usize = 64 * 1_024;
