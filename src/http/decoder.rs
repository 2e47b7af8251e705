//! Requests from the bytes of one connection, resumable at any split.
//!
//! It isn't the connection: it holds no socket and no clock, and of the input only what it can't
//! do without: nothing between requests, and nothing at all if a request arrives in one piece.
//!
//! ```text
//! POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n    -> Event::Head
//! 42[                                                        -> Event::Body
//! GET / HTTP/1.1\r\nHost: ..                                 -> nothing yet
//! ```

use super::chunked::Chunked;
use super::framing::Framing;
use super::head::{self, HeadScanner};
use super::request::Request;
use super::status::Status;

pub(crate) use super::head::Limits;

/// What has been read of the current request of a connection.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    state: State,
}

/// What the input held. A head is always followed by a body, which may be empty.
#[derive(Debug)]
pub(crate) enum Event {
    /// The head of a request. If [`Decoder::has_body`], the next call is
    /// [`Decoder::accept_body`]; after an accepted upgrade there is no next call.
    Head(Request),
    /// The whole body of the request whose head came before. The next event is a head.
    Body(Vec<u8>),
}

/// How far a decoder is: each phase has a deadline of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Between two requests.
    Idle,
    /// A head has begun.
    Head,
    /// A head is over, its body isn't.
    Body,
    /// The peer made a mistake; the connection can't be read any further.
    Failed,
}

#[derive(Debug)]
enum State {
    /// Between requests, after a part of the empty line that may precede one.
    Idle(Lead),
    /// A head is incomplete.
    Head(Box<PartialHead>),
    /// A head was returned; no byte of its body was looked at.
    Announced { framing: Framing, body_bytes_max: usize },
    /// A body is incomplete.
    Body(Box<PartialBody>),
    /// Every further call fails alike.
    Failed(Status),
}

/// The empty line before a request that RFC 9112, section 2.2 asks servers to ignore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lead {
    Nothing,
    CarriageReturn,
    EmptyLine,
}

#[derive(Debug, Default)]
struct PartialHead {
    bytes: Vec<u8>,
    scanner: HeadScanner,
}

#[derive(Debug)]
struct PartialBody {
    bytes: Vec<u8>,
    bytes_max: usize,
    /// `None` for a body of `bytes_max` bytes exactly.
    chunked: Option<Chunked>,
}

impl Default for State {
    fn default() -> Self {
        Self::Idle(Lead::Nothing)
    }
}

impl Decoder {
    /// Reads on, up to the next event, and moves `input` past what was consumed.
    ///
    /// `None` means that all of the input was consumed and more is needed. An error is what the
    /// peer should be told before the connection is closed; every later call returns it again.
    /// Events and errors don't depend on how the input was split into calls.
    pub(crate) fn decode(
        &mut self,
        input: &mut &[u8],
        limits: &Limits,
    ) -> Result<Option<Event>, Status> {
        let result = match self.state {
            State::Idle(_) | State::Head(_) => self.decode_head(input, limits),
            State::Announced { .. } | State::Body(_) => self.decode_body(input),
            State::Failed(status) => Err(status),
        };
        if let Err(status) = result {
            self.state = State::Failed(status);
        }
        result
    }

    /// Allows the body announced by the last head to be so long.
    ///
    /// A body that wasn't accepted has a maximum of zero bytes. One that is declared longer than
    /// its maximum fails at the next call of `decode`, even one without input: make that call
    /// before answering an expectation with `100 Continue`.
    pub(crate) fn accept_body(&mut self, bytes_max: usize) {
        if let State::Announced { body_bytes_max, .. } = &mut self.state {
            *body_bytes_max = bytes_max;
        }
    }

    /// Whether the request whose head was returned last has a body that isn't complete.
    pub(crate) fn has_body(&self) -> bool {
        match &self.state {
            State::Announced { framing, .. } => *framing != Framing::None,
            State::Body(_) => true,
            State::Idle(_) | State::Head(_) | State::Failed(_) => false,
        }
    }

    #[cfg(test)]
    /// The `Content-Length` of the head returned last, before its body is read; `None` if the
    /// body is chunked, 0 if there is none.
    pub(crate) fn declared_body_bytes(&self) -> Option<u64> {
        match &self.state {
            State::Announced { framing: Framing::Chunked, .. } => None,
            State::Announced { framing: Framing::Length(length), .. } => Some(*length),
            State::Body(body) if body.chunked.is_some() => None,
            State::Body(body) => Some(body.bytes_max as u64),
            _ => Some(0),
        }
    }

    /// How far the current request is.
    pub(crate) fn phase(&self) -> Phase {
        match &self.state {
            State::Idle(_) => Phase::Idle,
            State::Head(_) => Phase::Head,
            State::Announced { .. } | State::Body(_) => Phase::Body,
            State::Failed(_) => Phase::Failed,
        }
    }

    #[cfg(test)]
    /// What the decoder holds on the heap.
    pub(crate) fn buffered_bytes(&self) -> usize {
        match &self.state {
            State::Head(head) => size_of::<PartialHead>() + head.bytes.capacity(),
            State::Body(body) => size_of::<PartialBody>() + body.bytes.capacity(),
            State::Idle(_) | State::Announced { .. } | State::Failed(_) => 0,
        }
    }

    fn decode_head(&mut self, input: &mut &[u8], limits: &Limits) -> Result<Option<Event>, Status> {
        if let State::Idle(lead) = &mut self.state {
            *lead = skip_lead(*lead, input)?;
        }
        if input.is_empty() {
            return Ok(None);
        }
        let parsed = if let State::Head(partial) = &mut self.state {
            partial.extend(input, limits)?
        } else {
            match parse_at_once(input, limits)? {
                Ok(parsed) => Some(parsed),
                Err(partial) => {
                    self.state = State::Head(Box::new(partial));
                    None
                }
            }
        };
        Ok(parsed.map(|(request, framing)| {
            self.state = State::Announced { framing, body_bytes_max: 0 };
            Event::Head(request)
        }))
    }

    fn decode_body(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Status> {
        if let State::Announced { framing, body_bytes_max } = self.state {
            self.state = State::Body(Box::new(match framing {
                Framing::None => return Ok(Some(self.finish(Vec::new()))),
                Framing::Chunked => PartialBody::chunked(body_bytes_max),
                Framing::Length(length) => {
                    let length_bytes = length_within(length, body_bytes_max)?;
                    if let Some((body, rest)) = input.split_at_checked(length_bytes) {
                        *input = rest;
                        return Ok(Some(self.finish(body.to_vec())));
                    }
                    PartialBody::of_length(length_bytes)
                }
            }));
        }
        let State::Body(body) = &mut self.state else { return Ok(None) };
        Ok(body.extend(input)?.map(|bytes| self.finish(bytes)))
    }

    fn finish(&mut self, body: Vec<u8>) -> Event {
        self.state = State::default();
        Event::Body(body)
    }
}

impl PartialHead {
    /// Adds input up to the end of the head, which is parsed once it is there.
    fn extend(
        &mut self,
        input: &mut &[u8],
        limits: &Limits,
    ) -> Result<Option<(Request, Framing)>, Status> {
        let held_bytes = self.bytes.len();
        let room_bytes = limits.head_bytes_max.saturating_sub(held_bytes).min(input.len());
        self.bytes.extend_from_slice(input.get(..room_bytes).unwrap_or_default());
        let Some(end) = self.scanner.scan(&self.bytes, limits)? else {
            *input = input.get(room_bytes..).unwrap_or_default();
            return Ok(None);
        };
        *input = input.get(end.saturating_sub(held_bytes)..).unwrap_or_default();
        let head = self.bytes.get(..end).unwrap_or_default();
        head::parse(head, self.scanner.header_lines(), limits).map(Some)
    }
}

impl PartialBody {
    fn of_length(length_bytes: usize) -> Self {
        let bytes = Vec::with_capacity(length_bytes.min(RESERVED_BYTES_MAX));
        Self { bytes, bytes_max: length_bytes, chunked: None }
    }

    fn chunked(bytes_max: usize) -> Self {
        Self { bytes: Vec::new(), bytes_max, chunked: Some(Chunked::default()) }
    }

    /// Adds input up to the end of the body, which is returned once it is complete.
    fn extend(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, Status> {
        let complete = if let Some(chunked) = &mut self.chunked {
            chunked.decode(input, &mut self.bytes, self.bytes_max)?
        } else {
            let missing_bytes = self.bytes_max.saturating_sub(self.bytes.len());
            if let Some((data, rest)) = input.split_at_checked(missing_bytes.min(input.len())) {
                self.bytes.extend_from_slice(data);
                *input = rest;
            }
            self.bytes.len() == self.bytes_max
        };
        Ok(complete.then(|| std::mem::take(&mut self.bytes)))
    }
}

/// Parses a head that is in the input from its first byte, or keeps what is there of it.
fn parse_at_once(
    input: &mut &[u8],
    limits: &Limits,
) -> Result<Result<(Request, Framing), PartialHead>, Status> {
    let mut scanner = HeadScanner::default();
    let Some(end) = scanner.scan(input, limits)? else {
        let bytes = input.to_vec();
        *input = &[];
        return Ok(Err(PartialHead { bytes, scanner }));
    };
    let (head, rest) = input.split_at_checked(end).unwrap_or_default();
    *input = rest;
    head::parse(head, scanner.header_lines(), limits).map(Ok)
}

/// Skips one CR LF. A second one begins a head whose request line is empty, which is refused.
fn skip_lead(mut lead: Lead, input: &mut &[u8]) -> Result<Lead, Status> {
    while let Some((&byte, rest)) = input.split_first() {
        lead = match (lead, byte) {
            (Lead::Nothing, b'\r') => Lead::CarriageReturn,
            (Lead::CarriageReturn, b'\n') => Lead::EmptyLine,
            (Lead::CarriageReturn, _) => return Err(Status::BAD_REQUEST),
            (Lead::Nothing | Lead::EmptyLine, _) => break,
        };
        *input = rest;
    }
    Ok(lead)
}

fn length_within(length: u64, bytes_max: usize) -> Result<usize, Status> {
    match usize::try_from(length) {
        Ok(length_bytes) if length_bytes <= bytes_max => Ok(length_bytes),
        _ => Err(Status::CONTENT_TOO_LARGE),
    }
}

/// A declared length is a claim: beyond this, memory follows the bytes that arrive.
const RESERVED_BYTES_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests;
