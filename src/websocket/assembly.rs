//! A message that did not arrive in one piece, and the context that puts it together.
//!
//! tungstenite's context reserves what a frame's header claims, so it is never shown such a
//! header. It gets each piece of a data frame as a fragment of exactly the bytes that arrived: the
//! first half of `81 86 ..` becomes `01 83 ..` and the second `80 83 ..`. What is kept is thus
//! proportional to what the peer sent, and after each piece the context stands at the boundary of
//! a frame. Control frames, which must not be fragmented, are passed on as they are.
//!
//! Whether a frame may come at all is judged as soon as its header is complete, by the rules and
//! in the order of the context, so that a frame which will fail is not collected first.

use std::io::{self, Read, Write};

use tungstenite::Error;
use tungstenite::protocol::{Message, Role, WebSocketConfig, WebSocketContext};

use super::CONTROL_BYTES_MAX;
use super::failure::{Failure, Limits};
use super::frame::{Binary, Frame, Text};
use super::header::{
    BINARY, CLOSE, CONTINUATION, FINAL_BIT, Header, PONG, PartialHeader, push_masked_header,
};

/// The state of a connection that stands within a frame or within a fragmented message.
#[derive(Debug)]
pub(super) struct Assembly {
    context: WebSocketContext,
    header: PartialHeader,
    payload: Option<Payload>,
    message: Option<OpenMessage>,
    /// The header of the piece that the context reads next.
    piece_header: Vec<u8>,
    piece_bytes_largest: usize,
}

/// The frame whose payload is arriving.
#[derive(Debug)]
struct Payload {
    header: Header,
    /// Turned by the pieces that were taken, so that it fits the next one.
    mask: [u8; 4],
    left_bytes: usize,
    state: PayloadState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PayloadState {
    /// The context hasn't heard of this frame.
    New,
    /// The context got some of it.
    Begun,
}

/// A data message of which more is to come.
#[derive(Clone, Copy, Debug, Default)]
struct OpenMessage {
    /// What its frames said they carry; never more than the limit.
    claimed_bytes: usize,
    fragments: u32,
}

impl Assembly {
    fn new(limits: &Limits) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(limits.message_bytes_max))
            .max_frame_size(Some(limits.message_bytes_max))
            .accept_unmasked_frames(false);
        Self {
            context: WebSocketContext::new(Role::Server, Some(config)),
            header: PartialHeader::default(),
            payload: None,
            message: None,
            piece_header: Vec::new(),
            piece_bytes_largest: 0,
        }
    }

    /// Takes bytes from the front of `input` up to the end of the next message.
    pub(super) fn advance(
        &mut self,
        input: &mut &[u8],
        limits: &Limits,
        replies: &mut Vec<u8>,
    ) -> Result<Option<Frame<'static>>, Failure> {
        loop {
            if self.payload.is_none() {
                let Some(header) = self.header.take(input) else { return Ok(None) };
                self.begin_frame(header, limits)?;
            }
            if input.is_empty() && self.payload.as_ref().is_some_and(|it| it.left_bytes > 0) {
                return Ok(None);
            }
            if let Some(frame) = self.feed(input, replies)? {
                return Ok(Some(frame));
            }
        }
    }

    /// Whether nothing is pending, so that a fresh assembly would do as well.
    pub(super) const fn is_idle(&self) -> bool {
        self.header.is_empty() && self.payload.is_none() && self.message.is_none()
    }

    #[cfg(test)]
    /// An upper bound of the heap this takes; buffers double as they grow.
    pub(super) fn promised_bytes(&self) -> usize {
        let claimed_bytes = self.message.map_or(0, |message| message.claimed_bytes);
        let data = self.payload.as_ref().filter(|payload| !payload.header.is_control());
        let arrived_bytes = claimed_bytes - data.map_or(0, |payload| payload.left_bytes);
        let grown_bytes = 2 * (arrived_bytes + self.piece_bytes_largest);
        size_of::<Self>() + READ_BUFFER_BYTES + grown_bytes
    }

    fn begin_frame(&mut self, header: Header, limits: &Limits) -> Result<(), Failure> {
        let mask = check_header(&header, self.message.is_some(), limits)?;
        let left_bytes = usize::try_from(header.payload_bytes).map_err(|_| Failure::TooLarge)?;
        if !header.is_control() {
            let message = self.message.unwrap_or_default();
            self.message = Some(message.extended(left_bytes, limits)?);
        }
        self.payload = Some(Payload { header, mask, left_bytes, state: PayloadState::New });
        Ok(())
    }

    /// Passes one piece of the current frame to the context.
    fn feed(
        &mut self,
        input: &mut &[u8],
        replies: &mut Vec<u8>,
    ) -> Result<Option<Frame<'static>>, Failure> {
        let Some(payload) = &mut self.payload else { return Ok(None) };
        let piece_bytes = payload.left_bytes.min(input.len()).min(PIECE_BYTES_MAX);
        let (piece, rest) = input.split_at(piece_bytes);
        *input = rest;
        self.piece_header.clear();
        payload.pass(piece_bytes, &mut self.piece_header);
        self.piece_bytes_largest = self.piece_bytes_largest.max(piece_bytes);
        if payload.left_bytes == 0 {
            if payload.header.is_final() && !payload.header.is_control() {
                self.message = None;
            }
            self.payload = None;
        }
        let mut stream = PieceStream { header: &self.piece_header, piece, replies };
        match self.context.read(&mut stream) {
            Ok(message) => {
                // A reply is only queued by reading; at a close, flushing reports the end.
                match self.context.flush(&mut stream) {
                    Ok(()) | Err(Error::ConnectionClosed) => frame_of(message).map(Some),
                    Err(error) => Err(error.into()),
                }
            }
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Payload {
    /// Counts a piece as passed and writes the header the context needs before it, if any.
    fn pass(&mut self, piece_bytes: usize, header: &mut Vec<u8>) {
        let is_new = self.state == PayloadState::New;
        let all_bytes = self.left_bytes;
        self.state = PayloadState::Begun;
        self.left_bytes -= piece_bytes;
        if self.header.is_control() {
            if is_new {
                push_masked_header(header, self.header.first_byte, all_bytes, self.mask);
            }
            return;
        }
        let opcode = if is_new { self.header.opcode() } else { CONTINUATION };
        let is_last = self.header.is_final() && self.left_bytes == 0;
        let first_byte = if is_last { FINAL_BIT | opcode } else { opcode };
        push_masked_header(header, first_byte, piece_bytes, self.mask);
        self.mask.rotate_left(piece_bytes % 4);
    }
}

impl OpenMessage {
    fn extended(self, frame_bytes: usize, limits: &Limits) -> Result<Self, Failure> {
        let fragments = self.fragments.saturating_add(1);
        if fragments > limits.fragments_max {
            return Err(Failure::TooManyFragments);
        }
        let claimed_bytes = self.claimed_bytes.saturating_add(frame_bytes);
        if claimed_bytes > limits.message_bytes_max {
            return Err(Failure::TooLarge);
        }
        Ok(Self { claimed_bytes, fragments })
    }
}

/// Idle assemblies, kept for the next connection that needs one.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    #[expect(clippy::vec_box, reason = "a connection holds the box; moving it is one word")]
    idle: Vec<Box<Assembly>>,
}

impl Pool {
    pub(crate) const fn new() -> Self {
        Self { idle: Vec::new() }
    }

    pub(super) fn take(&mut self, limits: &Limits) -> Box<Assembly> {
        let Some(mut assembly) = self.idle.pop() else { return Box::new(Assembly::new(limits)) };
        assembly.context.set_config(|config| {
            config.max_message_size = Some(limits.message_bytes_max);
            config.max_frame_size = Some(limits.message_bytes_max);
        });
        assembly
    }

    /// Keeps an idle assembly, unless there are enough or its buffer grew.
    pub(super) fn put(&mut self, assembly: Box<Assembly>) {
        if self.idle.len() < POOLED_MAX && assembly.piece_bytes_largest <= POOLED_PIECE_BYTES_MAX {
            self.idle.push(assembly);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.idle.len()
    }
}

/// One piece behind its header for the context to read, and the replies it writes.
struct PieceStream<'a> {
    header: &'a [u8],
    piece: &'a [u8],
    replies: &'a mut Vec<u8>,
}

impl Read for PieceStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.header.is_empty() && self.piece.is_empty() {
            // Zero would mean the end of the stream.
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let header_bytes = self.header.read(buffer)?;
        let piece_bytes = self.piece.read(buffer.get_mut(header_bytes..).unwrap_or_default())?;
        Ok(header_bytes + piece_bytes)
    }
}

impl Write for PieceStream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.replies.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Judges a header by itself and by whether a message is open; its mask if it may pass.
fn check_header(header: &Header, is_open: bool, limits: &Limits) -> Result<[u8; 4], Failure> {
    if !matches!(header.opcode(), CONTINUATION..=BINARY | CLOSE..=PONG) {
        return Err(Failure::Protocol);
    }
    if header.payload_bytes > limits.message_bytes_max as u64 {
        return Err(Failure::TooLarge);
    }
    let may_come = if header.is_control() {
        header.is_final() && header.payload_bytes <= CONTROL_BYTES_MAX as u64
    } else {
        is_open == (header.opcode() == CONTINUATION)
    };
    match header.mask {
        Some(mask) if may_come && !header.has_reserved_bits() => Ok(mask),
        _ => Err(Failure::Protocol),
    }
}

fn frame_of(message: Message) -> Result<Frame<'static>, Failure> {
    match message {
        Message::Text(text) => Ok(Frame::Text(Text::Owned(text))),
        Message::Binary(bytes) => Ok(Frame::Binary(Binary::Owned(bytes))),
        Message::Ping(_) => Ok(Frame::Ping),
        Message::Pong(_) => Ok(Frame::Pong),
        Message::Close(close) => Ok(Frame::Close(close.map(|close| close.code.into()))),
        // Only written, never read.
        Message::Frame(_) => Err(Failure::Protocol),
    }
}

/// What the context reads at once, and allocates for a start.
const READ_BUFFER_BYTES: usize = 512;
/// The longest piece the context is given, which bounds how far its buffer grows.
const PIECE_BYTES_MAX: usize = 4096;
/// A context that was given a longer piece than this is not kept.
const POOLED_PIECE_BYTES_MAX: usize = 1024;
const POOLED_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::mask_frame;

    const LIMITS: Limits = Limits { message_bytes_max: 1 << 20, fragments_max: 8 };

    #[test]
    fn memory_follows_what_arrived_and_not_what_was_claimed() {
        let mut assembly = Assembly::new(&LIMITS);
        let empty_bytes = assembly.promised_bytes();
        let frame = mask_frame(0x82, &vec![7; 900_000], [1, 2, 3, 4]);
        assert!(assembly.advance(&mut &frame[..14], &LIMITS, &mut Vec::new()).unwrap().is_none());
        assert_eq!(assembly.promised_bytes(), empty_bytes);
        let mut rest = &frame[14..1014];
        assert!(assembly.advance(&mut rest, &LIMITS, &mut Vec::new()).unwrap().is_none());
        assert_eq!(assembly.promised_bytes(), empty_bytes + 4000);
    }

    #[test]
    fn the_pool_is_bounded_and_keeps_no_grown_context() {
        let mut pool = Pool::new();
        for _ in 0..100 {
            pool.put(Box::new(Assembly::new(&LIMITS)));
        }
        assert_eq!(pool.len(), POOLED_MAX);
        let mut assembly = pool.take(&LIMITS);
        let frame = mask_frame(0x82, &[7; 5000], [1, 2, 3, 4]);
        let mut replies = Vec::new();
        assert!(assembly.advance(&mut frame.as_slice(), &LIMITS, &mut replies).unwrap().is_some());
        assert!(assembly.is_idle());
        pool.put(assembly);
        assert_eq!(pool.len(), POOLED_MAX - 1);
    }
}
