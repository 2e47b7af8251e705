//! The network of a machine: byte queues between the host and the server, one pair for each peer.
//!
//! It moves nothing by itself. What the host hands in is read by the server's next turn; what the
//! server writes is kept, as far as the peer has room, until the host takes it.
//!
//! ```text
//! host: push_input ─▶ read :server        host: next_output ◀─ write :server
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::Waker;
use std::time::Duration;

use super::{Output, PeerId};
use crate::reactor::net::{Accepted, Net, Ready};

/// The network of a [`Machine`](super::Machine), which names it in the type of its server.
///
/// ```
/// use throng::Server;
/// use throng::sans_io::Pipes;
///
/// /// The same declarations for a machine and, where they are general, for any other server.
/// fn declare(server: &Server<Pipes>) {
///     server.of("/").on_with_ack("add", |_, (a, b): (i64, i64)| a + b);
/// }
/// ```
pub struct Pipes {
    peers: Vec<Slot>,
    free: Vec<u32>,
    backlog: VecDeque<PeerId>,
    ready: Vec<Ready>,
    /// What the host has not taken, the first to happen first.
    outputs: VecDeque<(PeerId, Happened)>,
    /// What the listener is registered under; none once it is closed.
    listener: Option<u64>,
    waker: Waker,
}

/// The server's end of one peer's pipe.
///
/// ```
/// // As large as a key, and of use to the server alone.
/// assert_eq!(size_of::<throng::sans_io::PipeStream>(), 8);
/// ```
#[derive(Debug)]
pub struct PipeStream {
    peer: PeerId,
}

/// The one listener of a machine, on which every peer arrives.
///
/// ```
/// assert_eq!(size_of::<throng::sans_io::PipeListener>(), 0);
/// ```
#[derive(Debug)]
pub struct PipeListener(());

/// A place for a peer, used again when that has gone.
struct Slot {
    generation: u32,
    peer: Option<Peer>,
}

struct Peer {
    address: Option<SocketAddr>,
    token: Option<u64>,
    /// What the server has not read.
    input: Input,
    /// What the host has not taken.
    output: Vec<u8>,
    /// How many bytes the peer still takes.
    room: usize,
    /// The server has asked to be told of room.
    tells_room: bool,
}

/// What comes from a peer.
#[derive(Default)]
struct Input {
    bytes: Vec<u8>,
    /// How many of them were read.
    read: usize,
    /// Nothing follows them.
    ended: bool,
}

/// Something the host is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happened {
    /// Bytes were written; they are the peer's.
    Wrote,
    /// The server writes no more.
    Ended,
    /// The server has closed the pipe; its place is free once that is told.
    Closed,
}

impl PipeListener {
    pub(super) fn new() -> Self {
        Self(())
    }
}

impl Pipes {
    pub(super) fn new() -> Self {
        Self {
            peers: Vec::new(),
            free: Vec::new(),
            backlog: VecDeque::new(),
            ready: Vec::new(),
            outputs: VecDeque::new(),
            listener: None,
            waker: Waker::noop().clone(),
        }
    }

    pub(super) fn set_waker(&mut self, waker: Waker) {
        self.waker = waker;
    }

    /// A peer arrives. Where nobody listens any more, it is closed from the start.
    pub(super) fn open(&mut self, address: Option<SocketAddr>) -> PeerId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.peers.push(Slot { generation: 0, peer: None });
            u32::try_from(self.peers.len() - 1).unwrap_or(u32::MAX)
        });
        let slot = &mut self.peers[index as usize];
        slot.peer = Some(Peer {
            address,
            token: None,
            input: Input::default(),
            output: Vec::new(),
            room: usize::MAX,
            tells_room: false,
        });
        let peer = PeerId { index, generation: slot.generation };
        match self.listener {
            Some(token) => {
                self.backlog.push_back(peer);
                self.ready.push(Ready { token, readable: true, ..Ready::default() });
            }
            None => self.outputs.push_back((peer, Happened::Closed)),
        }
        peer
    }

    pub(super) fn push_input(&mut self, peer: PeerId, bytes: &[u8]) {
        let Some(Peer { token, input, .. }) = self.peer(peer) else { return };
        if input.ended || bytes.is_empty() {
            return;
        }
        input.bytes.drain(..std::mem::take(&mut input.read));
        input.bytes.extend_from_slice(bytes);
        let token = *token;
        self.tell(token, Ready { readable: true, ..Ready::default() });
    }

    pub(super) fn end_input(&mut self, peer: PeerId) {
        let Some(Peer { token, input, .. }) = self.peer(peer) else { return };
        input.ended = true;
        let token = *token;
        self.tell(token, Ready { readable: true, closed: true, ..Ready::default() });
    }

    pub(super) fn set_room(&mut self, peer: PeerId, bytes: usize) {
        let Some(Peer { token, room, tells_room, .. }) = self.peer(peer) else { return };
        *room = bytes;
        let token = token.filter(|_| *tells_room && bytes > 0);
        self.tell(token, Ready { writable: true, ..Ready::default() });
    }

    pub(super) fn next_output(&mut self) -> Option<Output> {
        let (peer, happened) = self.outputs.pop_front()?;
        Some(match happened {
            Happened::Wrote => {
                let bytes = self.peer(peer).map(|peer| std::mem::take(&mut peer.output));
                Output::Bytes(peer, bytes.unwrap_or_default())
            }
            Happened::Ended => Output::End(peer),
            Happened::Closed => {
                self.release(peer);
                Output::Close(peer)
            }
        })
    }

    /// Whether the server has been told of everything.
    pub(super) fn is_idle(&self) -> bool {
        self.ready.is_empty()
    }

    fn tell(&mut self, token: Option<u64>, ready: Ready) {
        self.ready.extend(token.map(|token| Ready { token, ..ready }));
    }

    /// The peer, if it is still there; one that came to its place later is another.
    fn peer(&mut self, peer: PeerId) -> Option<&mut Peer> {
        let slot = self.peers.get_mut(peer.index as usize)?;
        slot.peer.as_mut().filter(|_| slot.generation == peer.generation)
    }

    fn release(&mut self, peer: PeerId) {
        let Some(slot) = self.peers.get_mut(peer.index as usize) else { return };
        if slot.generation == peer.generation && slot.peer.take().is_some() {
            slot.generation = slot.generation.wrapping_add(1);
            self.free.push(peer.index);
        }
    }
}

impl Input {
    fn is_empty(&self) -> bool {
        self.read == self.bytes.len()
    }
}

impl Net for Pipes {
    type Listener = PipeListener;
    type Stream = PipeStream;

    fn wait(&mut self, ready: &mut Vec<Ready>, _: Option<Duration>) -> io::Result<()> {
        ready.append(&mut self.ready);
        Ok(())
    }

    fn listen(&mut self, _: &mut PipeListener, token: u64) -> io::Result<()> {
        self.listener = Some(token);
        Ok(())
    }

    fn accept(&mut self, _: &mut PipeListener) -> io::Result<Accepted<PipeStream>> {
        let peer = self.backlog.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        let address = self.peer(peer).and_then(|peer| peer.address);
        Ok(Accepted { stream: PipeStream { peer }, peer: address })
    }

    fn register(&mut self, stream: &mut PipeStream, token: u64) -> io::Result<()> {
        let peer = self.peer(stream.peer).ok_or(io::ErrorKind::NotConnected)?;
        peer.token = Some(token);
        if peer.input.ended || !peer.input.is_empty() {
            let closed = peer.input.ended;
            self.ready.push(Ready { token, readable: true, closed, ..Ready::default() });
        }
        Ok(())
    }

    fn await_writable(&mut self, stream: &mut PipeStream, token: u64) -> io::Result<()> {
        let peer = self.peer(stream.peer).ok_or(io::ErrorKind::NotConnected)?;
        peer.tells_room = true;
        if peer.room > 0 {
            self.ready.push(Ready { token, writable: true, ..Ready::default() });
        }
        Ok(())
    }

    fn read(&mut self, stream: &mut PipeStream, buffer: &mut [u8]) -> io::Result<usize> {
        let Input { bytes, read, ended } =
            &mut self.peer(stream.peer).ok_or(io::ErrorKind::NotConnected)?.input;
        let rest = &bytes[*read..];
        if rest.is_empty() {
            return if *ended { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        }
        let taken = rest.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&rest[..taken]);
        *read += taken;
        if *read == bytes.len() {
            bytes.clear();
            *read = 0;
        }
        Ok(taken)
    }

    fn write(&mut self, stream: &mut PipeStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let id = stream.peer;
        let peer = self.peer(id).ok_or(io::ErrorKind::NotConnected)?;
        if peer.room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let is_first = peer.output.is_empty();
        let mut written = 0;
        for slice in slices {
            let bytes = slice.len().min(peer.room);
            peer.output.extend_from_slice(&slice[..bytes]);
            peer.room -= bytes;
            written += bytes;
        }
        if is_first && written > 0 {
            self.outputs.push_back((id, Happened::Wrote));
        }
        Ok(written)
    }

    fn shutdown(&mut self, stream: &mut PipeStream) -> io::Result<()> {
        self.outputs.push_back((stream.peer, Happened::Ended));
        Ok(())
    }

    fn discard(&mut self, stream: &mut PipeStream) {
        let id = stream.peer;
        if let Some(peer) = self.peer(id) {
            peer.output = Vec::new();
            self.outputs.retain(|output| *output != (id, Happened::Wrote));
        }
    }

    fn close(&mut self, stream: PipeStream) {
        if let Some(peer) = self.peer(stream.peer) {
            (peer.token, peer.input) = (None, Input { ended: true, ..Input::default() });
            self.outputs.push_back((stream.peer, Happened::Closed));
        }
    }

    fn close_listener(&mut self, _: PipeListener) {
        self.listener = None;
        let closed = self.backlog.drain(..).map(|peer| (peer, Happened::Closed));
        self.outputs.extend(closed);
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }
}

impl fmt::Debug for Pipes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.peers.len() - self.free.len();
        f.debug_struct("Pipes").field("open", &open).finish_non_exhaustive()
    }
}
