//! What comes in: read(2) into the buffer that all connections share, then requests and messages
//! out of it. Nothing is copied on the way of a whole frame.

use std::io;
use std::time::Duration;

use super::connection::{Answer, Connection, Ending, Http, Speaks, Stage};
use super::net::Net;
use super::{Fill, Inbound, Lost, Reactor};
use crate::http::decoder::{Event, Phase};
use crate::http::head::Limits as HttpLimits;
use crate::http::{Method, Request, Status};
use crate::slots::ConnectionKey;
use crate::websocket::{Failure, Frame};

impl<N: Net, O: Copy + Default> Reactor<N, O> {
    /// Reads once into the buffer; what was kept back comes first.
    pub(crate) fn fill(&mut self, now: Duration, key: ConnectionKey, buffer: &mut [u8]) -> Fill {
        let Some(connection) = self.connections.get_mut(key.cast()) else { return Fill::Empty };
        if connection.is_backed_up() {
            connection.listed.held = true;
            return Fill::Empty;
        }
        let taken = take_kept(connection, buffer);
        self.filled_from_kept = taken.is_some();
        if let Some(bytes) = taken {
            return Fill::Filled(bytes);
        }
        if !connection.ready.readable || !connection.wants_input() {
            return Fill::Empty;
        }
        loop {
            match self.net.read(&mut connection.stream, buffer) {
                Ok(0) => return self.handle_end(now, key),
                Ok(bytes) => {
                    // A short read drained the socket, unless the end of the stream waits too.
                    connection.ready.readable = bytes == buffer.len() || connection.ready.hung_up;
                    self.counters.bytes_read += bytes as u64;
                    return Fill::Filled(bytes);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    connection.ready.readable = false;
                    return Fill::Empty;
                }
                Err(_) => return self.handle_reset(key),
            }
        }
    }

    /// Keeps input for later: a budget ran out before all of it was decoded.
    pub(crate) fn keep(&mut self, key: ConnectionKey, input: &[u8]) {
        let kept_before = self.filled_from_kept;
        // What nobody will decode is let go, or it would be handed out again and again.
        if let Some(connection) = self.connection_mut(key)
            && !matches!(connection.ending, Ending::Dead | Ending::Flush)
        {
            connection.keep(input, kept_before);
        }
    }

    /// Decodes the next thing out of `input` from `at` on; `None` when all of it was taken.
    pub(crate) fn decode<'b>(
        &mut self,
        now: Duration,
        key: ConnectionKey,
        input: &'b mut [u8],
        at: &mut usize,
    ) -> Option<Inbound<'b>> {
        let connection = self.connection_mut(key)?;
        match (connection.ending, &mut connection.speaks) {
            (Ending::Dead | Ending::Flush, _) => {
                // Nobody will look at it any more: kept, it would be taken up again and again.
                *at = input.len();
                None
            }
            (Ending::Drain(left), _) => {
                let drained = input.len() - *at;
                *at = input.len();
                self.drain(key, left, drained);
                None
            }
            (_, Speaks::WebSocket(..)) => self.decode_websocket(now, key, input, at),
            (_, Speaks::Http(_)) => self.decode_http(now, key, input, at),
        }
    }

    /// Closes the connections whose time is up; call until `None`.
    pub(crate) fn expire(&mut self, now: Duration) -> Option<(ConnectionKey, Inbound<'static>)> {
        while let Some(key) = self.deadlines.expire(now) {
            let Some(connection) = self.connection_mut(key) else { continue };
            connection.deadline = None;
            let stage = connection.http().map(|http| http.stage);
            match (connection.ending, stage) {
                (Ending::Open, Some(Stage::Head)) => {
                    self.counters.timeouts += 1;
                    self.refuse(now, key, Status::REQUEST_TIMEOUT);
                }
                (Ending::Open, Some(Stage::Body)) => {
                    self.counters.timeouts += 1;
                    return Some((key, Inbound::Refused(Status::REQUEST_TIMEOUT)));
                }
                // A WebSocket has a deadline only while something is queued for it.
                (Ending::Open, None) if connection.queue.is_empty() => {}
                (Ending::Open | Ending::Handshake, _) => {
                    self.end_late(key);
                    return Some((key, Inbound::Lost(Lost::Timeout)));
                }
                _ => self.end_late(key),
            }
        }
        None
    }

    /// Time is up: for a peer that has taken all, or for one that is behind.
    fn end_late(&mut self, key: ConnectionKey) {
        if self.connection(key).is_some_and(|connection| connection.queue.is_empty()) {
            self.destroy(key);
        } else {
            self.abort(key);
        }
    }

    /// The peer has ended its direction: what is queued for it still goes out.
    fn handle_end(&mut self, now: Duration, key: ConnectionKey) -> Fill {
        let Some(connection) = self.connection_mut(key) else { return Fill::Empty };
        connection.ready.readable = false;
        let told = matches!(connection.ending, Ending::Open | Ending::Handshake);
        if connection.queue.is_empty() || connection.ending != Ending::Open {
            self.destroy(key);
        } else {
            self.finish(now, key);
        }
        if told { Fill::Lost(Lost::End) } else { Fill::Empty }
    }

    fn handle_reset(&mut self, key: ConnectionKey) -> Fill {
        let told = self.connection(key).is_some_and(|connection| {
            matches!(connection.ending, Ending::Open | Ending::Handshake)
        });
        self.counters.resets += 1;
        self.destroy(key);
        if told { Fill::Lost(Lost::Reset) } else { Fill::Empty }
    }

    fn drain(&mut self, key: ConnectionKey, left: usize, drained: usize) {
        match (left.checked_sub(drained), self.connection_mut(key)) {
            (Some(left), Some(connection)) => connection.ending = Ending::Drain(left),
            _ => self.destroy(key),
        }
    }

    fn decode_websocket<'b>(
        &mut self,
        now: Duration,
        key: ConnectionKey,
        input: &'b mut [u8],
        at: &mut usize,
    ) -> Option<Inbound<'b>> {
        let connection = self.connections.get_mut(key.cast())?;
        let ending = connection.ending;
        let Speaks::WebSocket(decoder, own) = &mut connection.speaks else { return None };
        let limits = own.as_deref().unwrap_or(&self.websocket_limits);
        let replies = &mut self.replies;
        let outcome = decoder.decode(input, at, limits, replies, &mut self.pool);
        match outcome {
            Ok(Some(Frame::Close(_))) => Some(self.handle_close_frame(now, key)),
            Err(failure) => self.handle_failure(now, key, failure),
            // After our own close frame only the peer's is awaited.
            Ok(frame) if ending != Ending::Open => {
                self.replies.clear();
                frame.map(|_| Inbound::Control)
            }
            Ok(Some(Frame::Text(text))) => Some(Inbound::Text(text)),
            Ok(Some(Frame::Binary(binary))) => Some(Inbound::Binary(binary)),
            Ok(Some(Frame::Ping | Frame::Pong)) => {
                self.counters.control_frames += 1;
                self.queue_replies(key);
                Some(Inbound::Control)
            }
            Ok(None) => None,
        }
    }

    /// The peer closes: our echo goes out, then the stream ends.
    fn handle_close_frame(&mut self, now: Duration, key: ConnectionKey) -> Inbound<'static> {
        if self.connection(key).is_some_and(|connection| connection.ending == Ending::Handshake) {
            self.replies.clear();
        }
        self.queue_replies(key);
        self.finish(now, key);
        Inbound::Lost(Lost::Close)
    }

    fn handle_failure(
        &mut self,
        now: Duration,
        key: ConnectionKey,
        failure: Failure,
    ) -> Option<Inbound<'static>> {
        self.replies.clear();
        self.counters.websocket_failures += 1;
        if self.connection(key)?.ending == Ending::Open {
            self.send_close_frame(key, Some(failure.close_code()), "");
        }
        self.finish(now, key);
        Some(Inbound::Lost(Lost::Failure(failure)))
    }

    fn decode_http(
        &mut self,
        now: Duration,
        key: ConnectionKey,
        input: &mut [u8],
        at: &mut usize,
    ) -> Option<Inbound<'static>> {
        let limits = HttpLimits {
            head_bytes_max: self.http.head_bytes_max,
            target_bytes_max: self.http.target_bytes_max,
            headers_max: self.http.headers_max,
        };
        let connection = self.connections.get_mut(key.cast())?;
        let Speaks::Http(http) = &mut connection.speaks else { return None };
        if matches!(http.stage, Stage::Answering | Stage::Deciding) {
            let rest = input.get(*at..).unwrap_or_default();
            connection.keep(rest, self.filled_from_kept);
            *at = input.len();
            return None;
        }
        let mut rest: &[u8] = input.get(*at..).unwrap_or_default();
        let was_idle = http.stage == Stage::Idle;
        let outcome = http.decoder.decode(&mut rest, &limits);
        let began = was_idle && http.decoder.phase() == Phase::Head;
        *at = input.len() - rest.len();
        match outcome {
            Ok(None) => {
                if began {
                    http.stage = Stage::Head;
                    self.set_deadline(key, Some(now.saturating_add(self.http.head_timeout)));
                }
                None
            }
            Ok(Some(event)) => self.handle_http_event(key, event),
            Err(status) if http.stage == Stage::Body => {
                http.answer.keep_alive = false;
                Some(Inbound::Refused(status))
            }
            Err(status) => {
                self.refuse(now, key, status);
                None
            }
        }
    }

    fn handle_http_event(&mut self, key: ConnectionKey, event: Event) -> Option<Inbound<'static>> {
        self.set_deadline(key, None);
        let http = self.connection_mut(key)?.http()?;
        match event {
            Event::Head(mut request) => {
                request.set_peer(http.peer);
                http.answer = Answer {
                    version: request.version(),
                    keep_alive: request.keep_alive(),
                    head_only: request.method() == Method::Head,
                };
                self.counters.requests += 1;
                Some(self.hand_up(key, request))
            }
            Event::Body(body) => {
                http.stage = Stage::Answering;
                let mut request = http.request.take()?;
                request.set_body(body);
                Some(Inbound::Request(request))
            }
        }
    }

    fn hand_up(&mut self, key: ConnectionKey, request: Request) -> Inbound<'static> {
        let Some(http) = self.connection_mut(key).and_then(Connection::http) else {
            return Inbound::Control;
        };
        if http.decoder.has_body() {
            http.stage = Stage::Deciding;
            return Inbound::Head(request);
        }
        // The decoder tells of a body behind every head; this one is empty and of no interest.
        http.decoder.accept_body(0);
        let _ = http.decoder.decode(&mut &[][..], &HttpLimits::default());
        http.stage = Stage::Answering;
        Inbound::Request(request)
    }

    /// Lets the body of a request in, up to so many bytes. One that is larger is refused: at once
    /// if its head says so, else later as [`Inbound::Refused`].
    pub(crate) fn accept_body(
        &mut self,
        now: Duration,
        key: ConnectionKey,
        request: Request,
        bytes_max: usize,
    ) -> Result<(), Status> {
        let Some(http) = self.connection_mut(key).and_then(Connection::http) else { return Ok(()) };
        let asks = request.expects_continue();
        http.stage = Stage::Body;
        http.request = Some(request);
        http.decoder.accept_body(bytes_max);
        if let Err(status) = http.decoder.decode(&mut &[][..], &HttpLimits::default()) {
            http.answer.keep_alive = false;
            return Err(status);
        }
        if asks {
            self.queue(key, crate::send_queue::Chunk::Static(CONTINUE));
        }
        self.set_deadline(key, Some(now.saturating_add(self.http.body_timeout)));
        Ok(())
    }
}

impl Http {
    pub(super) fn is_answering(&self) -> bool {
        matches!(self.stage, Stage::Answering | Stage::Deciding | Stage::Body)
    }
}

/// Input kept back earlier is handed out first, once it may be decoded.
fn take_kept<S, O>(connection: &mut Connection<S, O>, buffer: &mut [u8]) -> Option<usize> {
    if !connection.decodes() {
        return None;
    }
    let kept = connection.kept.as_mut()?;
    let bytes = kept.len().min(buffer.len());
    buffer[..bytes].copy_from_slice(&kept[..bytes]);
    kept.drain(..bytes);
    if kept.is_empty() {
        connection.kept = None;
    }
    Some(bytes)
}

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
