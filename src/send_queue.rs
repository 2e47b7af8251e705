//! The bytes that one connection still has to write, in shared chunks.
//!
//! Empty it is two words and owns no memory. It holds what is bound for this very connection: HTTP
//! answers, control frames, and what a short write left over of a message. A partial write is
//! continued where it stopped.

use std::collections::VecDeque;
use std::fmt;
use std::io::IoSlice;
use std::rc::Rc;

use crate::message::{Form, Message};

/// Chunks in the order they are written, the first perhaps begun.
#[derive(Debug, Default)]
pub(crate) struct SendQueue(Option<Box<Queue>>);

/// Queues that have been written, with their room, for whoever has something to write next.
#[derive(Debug, Default)]
pub(crate) struct Spares(
    #[expect(clippy::vec_box, reason = "the boxes go back and forth, not what is in them")]
    Vec<Box<Queue>>,
);

#[derive(Debug, Default)]
struct Queue {
    chunks: VecDeque<Chunk>,
    /// How much of the first chunk has been written.
    written: usize,
    bytes: usize,
}

/// A piece of output, owned or shared.
pub(crate) enum Chunk {
    Bytes(Box<[u8]>),
    Static(&'static [u8]),
    /// Bytes that belong to somebody else's type.
    Shared(Box<dyn AsRef<[u8]>>),
    Message(Rc<Message>, Form),
}

/// What became of a flush.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flushed {
    /// How many of the messages have left the caller's hands.
    pub(crate) taken: usize,
    /// Bytes that the socket took.
    pub(crate) bytes: usize,
    /// The socket takes no more for now.
    pub(crate) blocked: bool,
    /// The stream has failed.
    pub(crate) lost: bool,
}

impl Chunk {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Static(bytes) => bytes,
            Self::Shared(bytes) => (**bytes).as_ref(),
            Self::Message(message, form) => message.form(*form),
        }
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chunk({} bytes)", self.as_bytes().len())
    }
}

impl From<Vec<u8>> for Chunk {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into_boxed_slice())
    }
}

impl SendQueue {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Bytes that wait to be written.
    pub(crate) fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |queue| queue.bytes)
    }

    /// As [`SendQueue::bytes`], less what is left of a message that was begun, which is always
    /// the first chunk.
    pub(crate) fn bytes_of_answers(&self) -> usize {
        let Some(queue) = &self.0 else { return 0 };
        match queue.chunks.front() {
            Some(Chunk::Message(..)) => queue.bytes.saturating_sub(self.first_bytes()),
            _ => queue.bytes,
        }
    }

    /// What is left of the first chunk.
    pub(crate) fn first_bytes(&self) -> usize {
        let first = self.0.as_ref().and_then(|queue| Some((queue.chunks.front()?, queue.written)));
        first.map_or(0, |(chunk, written)| chunk.as_bytes().len().saturating_sub(written))
    }

    pub(crate) fn chunks_len(&self) -> usize {
        self.0.as_ref().map_or(0, |queue| queue.chunks.len())
    }

    pub(crate) fn push(&mut self, chunk: Chunk, spares: &mut Spares) {
        self.add(chunk, 0, || spares.0.pop().unwrap_or_default());
    }

    /// Queues what is left of a chunk whose first `written` bytes have gone out already; only
    /// an empty queue takes one that was begun.
    pub(crate) fn push_from(&mut self, chunk: Chunk, written: usize) {
        self.add(chunk, written, Box::default);
    }

    fn add(&mut self, chunk: Chunk, written: usize, make: impl FnOnce() -> Box<Queue>) {
        let left = chunk.as_bytes().len().saturating_sub(written);
        if left == 0 {
            return;
        }
        let queue = self.0.get_or_insert_with(make);
        if queue.chunks.is_empty() {
            queue.written = written;
        }
        queue.bytes += left;
        queue.chunks.push_back(chunk);
    }

    /// Fills `slices` from its start with what waits and returns how many were filled.
    pub(crate) fn gather<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let Some(queue) = &self.0 else { return 0 };
        let mut written = queue.written;
        let mut filled = 0;
        for (slice, chunk) in slices.iter_mut().zip(&queue.chunks) {
            *slice = IoSlice::new(chunk.as_bytes().get(written..).unwrap_or(&[]));
            written = 0;
            filled += 1;
        }
        filled
    }

    /// Takes note that `bytes` have been written; returns what of it went beyond this queue.
    pub(crate) fn advance(&mut self, mut bytes: usize, spares: &mut Spares) -> usize {
        let Some(queue) = &mut self.0 else { return bytes };
        while let Some(first) = queue.chunks.front() {
            let left = first.as_bytes().len() - queue.written;
            if bytes < left {
                queue.written += bytes;
                queue.bytes -= bytes;
                return 0;
            }
            bytes -= left;
            queue.bytes -= left;
            queue.written = 0;
            queue.chunks.pop_front();
        }
        if let Some(queue) = self.0.take() {
            spares.keep(queue);
        }
        bytes
    }
}

impl Spares {
    fn keep(&mut self, queue: Box<Queue>) {
        if self.0.len() < SPARES_MAX && queue.chunks.capacity() <= SPARE_CHUNKS_MAX {
            self.0.push(queue);
        }
    }
}

/// How many queues are kept for reuse: as many as a busy turn fills at a time.
const SPARES_MAX: usize = 64;
/// How much room one may have to be kept.
const SPARE_CHUNKS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(queue: &SendQueue) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 8];
        let filled = queue.gather(&mut slices);
        slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn continues_a_partial_write_where_it_stopped() {
        for step in 1..12 {
            let (mut queue, mut spares) = (SendQueue::new(), Spares::default());
            queue.push(Chunk::Static(b"abc"), &mut spares);
            queue.push(Chunk::Message(Message::text("x"), Form::Polling), &mut spares);
            queue.push(Chunk::from(b"defg".to_vec()), &mut spares);
            let mut seen = Vec::new();
            while !queue.is_empty() {
                let waiting = text(&queue);
                assert_eq!(waiting.len(), queue.bytes());
                let taken = step.min(waiting.len());
                seen.extend_from_slice(&waiting[..taken]);
                assert_eq!(queue.advance(taken, &mut spares), 0);
            }
            assert_eq!(seen, b"abc4xdefg");
        }
    }

    #[test]
    fn tells_what_went_beyond_it_and_owns_nothing_when_empty() {
        let (mut queue, mut spares) = (SendQueue::new(), Spares::default());
        queue.push_from(Chunk::Static(b"hello"), 3);
        assert_eq!(text(&queue), b"lo");
        assert_eq!(queue.advance(10, &mut spares), 8);
        assert!(queue.is_empty());
        assert_eq!(size_of::<SendQueue>(), 8);
    }

    #[test]
    fn what_has_been_written_is_used_again() {
        let (mut one, mut other) = (SendQueue::new(), SendQueue::new());
        let mut spares = Spares::default();
        one.push(Chunk::Static(b"one"), &mut spares);
        one.advance(3, &mut spares);
        assert_eq!((one.is_empty(), spares.0.len()), (true, 1));
        other.push(Chunk::Static(b""), &mut spares);
        assert_eq!((other.is_empty(), spares.0.len()), (true, 1));
        other.push(Chunk::Static(b"other"), &mut spares);
        assert_eq!((text(&other), spares.0.len()), (b"other".to_vec(), 0));
        for _ in 0..=SPARE_CHUNKS_MAX {
            other.push(Chunk::Static(b"."), &mut spares);
        }
        other.advance(other.bytes(), &mut spares);
        assert_eq!((other.is_empty(), spares.0.len()), (true, 0));
    }
}
