//! A network of byte queues that counts what it is asked to do.
//!
//! The server's end is [`Net`]; the clients' is [`CountingNet::connect`], [`CountingNet::send`] and
//! what follows. Whoever includes this file says in `uncounted` what becomes of the memory that is
//! used here: none of it is the server's.
//!
//! ```text
//! connect() -> 0    send(0, "GET ..")    received(0) = "HTTP/1.1 101 .."
//! ```

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::Waker;
use std::time::Duration;

use throng::net::{Accepted, Net, Ready};

use super::uncounted;

/// The network, both ends of it.
pub(crate) struct CountingNet {
    pipes: Vec<Pipe>,
    backlog: VecDeque<usize>,
    ready: Vec<Ready>,
    /// Whether what the server writes is kept; otherwise it is counted and thrown away.
    pub(crate) keeps: bool,
    /// What the server has asked for so far.
    pub(crate) counts: Counts,
}

/// The calls that a server made; each stands for a system call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// accept(2).
    pub(crate) accepts: u64,
    /// read(2).
    pub(crate) reads: u64,
    /// send(2) and writev(2).
    pub(crate) writes: u64,
    /// `epoll_ctl(2)`, to tell of what there is to read.
    pub(crate) registers: u64,
    /// `epoll_ctl(2)`, to tell of room as well.
    pub(crate) awaits: u64,
    /// Bytes that the server wrote.
    pub(crate) bytes_written: u64,
}

/// The server's end of one connection, as large as a stream of the operating system.
pub(crate) struct Stream {
    pipe: usize,
}

/// The one listener.
pub(crate) struct Listener;

#[derive(Default)]
struct Pipe {
    token: Option<u64>,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    closed: bool,
}

impl CountingNet {
    /// A network without connections.
    pub(crate) fn new() -> Self {
        Self {
            pipes: Vec::new(),
            backlog: VecDeque::new(),
            ready: Vec::new(),
            keeps: true,
            counts: Counts::default(),
        }
    }

    /// A client connects; its number is returned.
    pub(crate) fn connect(&mut self) -> usize {
        uncounted(|| {
            self.pipes.push(Pipe::default());
            self.backlog.push_back(self.pipes.len() - 1);
            self.ready.push(Ready { token: LISTENER, readable: true, ..Ready::default() });
        });
        self.pipes.len() - 1
    }

    /// A client sends bytes.
    pub(crate) fn send(&mut self, client: usize, bytes: &[u8]) {
        uncounted(|| {
            let pipe = &mut self.pipes[client];
            pipe.to_server.extend_from_slice(bytes);
            if let Some(token) = pipe.token {
                self.ready.push(Ready { token, readable: true, ..Ready::default() });
            }
        });
    }

    /// What has been written to a client since it was asked last.
    pub(crate) fn received(&mut self, client: usize) -> Vec<u8> {
        let mut received = Vec::new();
        uncounted(|| received.append(&mut self.pipes[client].to_client));
        received
    }

    /// How many connections the server has closed.
    pub(crate) fn closed(&self) -> usize {
        self.pipes.iter().filter(|pipe| pipe.closed).count()
    }
}

impl Net for CountingNet {
    type Listener = Listener;
    type Stream = Stream;

    fn wait(&mut self, ready: &mut Vec<Ready>, _: Option<Duration>) -> io::Result<()> {
        ready.append(&mut self.ready);
        Ok(())
    }

    fn listen(&mut self, _: &mut Listener, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn accept(&mut self, _: &mut Listener) -> io::Result<Accepted<Stream>> {
        self.counts.accepts += 1;
        match self.backlog.pop_front() {
            Some(pipe) => Ok(Accepted { stream: Stream { pipe }, peer: None }),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn register(&mut self, stream: &mut Stream, token: u64) -> io::Result<()> {
        self.counts.registers += 1;
        let pipe = &mut self.pipes[stream.pipe];
        pipe.token = Some(token);
        if !pipe.to_server.is_empty() {
            let told = Ready { token, readable: true, ..Ready::default() };
            uncounted(|| self.ready.push(told));
        }
        Ok(())
    }

    fn await_writable(&mut self, _: &mut Stream, _: u64) -> io::Result<()> {
        self.counts.awaits += 1;
        Ok(())
    }

    fn read(&mut self, stream: &mut Stream, buffer: &mut [u8]) -> io::Result<usize> {
        self.counts.reads += 1;
        let waiting = &mut self.pipes[stream.pipe].to_server;
        if waiting.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let bytes = waiting.len().min(buffer.len());
        buffer[..bytes].copy_from_slice(&waiting[..bytes]);
        waiting.drain(..bytes);
        Ok(bytes)
    }

    fn write(&mut self, stream: &mut Stream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.counts.writes += 1;
        let bytes: usize = slices.iter().map(|slice| slice.len()).sum();
        self.counts.bytes_written += bytes as u64;
        if self.keeps {
            let received = &mut self.pipes[stream.pipe].to_client;
            uncounted(|| slices.iter().for_each(|slice| received.extend_from_slice(slice)));
        }
        Ok(bytes)
    }

    fn shutdown(&mut self, _: &mut Stream) -> io::Result<()> {
        Ok(())
    }

    fn close(&mut self, stream: Stream) {
        self.pipes[stream.pipe].closed = true;
    }

    fn close_listener(&mut self, _: Listener) {}

    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }
}

/// The request that opens a WebSocket session, with a head of exactly so many bytes if it would be
/// shorter.
pub(crate) fn upgrade_request(head_bytes: usize) -> Vec<u8> {
    let mut head = UPGRADE.to_vec();
    let padding = head_bytes.saturating_sub(head.len() + PADDING.len() + 4);
    if padding > 0 {
        head.extend_from_slice(PADDING);
        head.resize(head.len() + padding, b'x');
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// A text frame as a client sends it; a mask of zeroes leaves the payload as it is.
pub(crate) fn text_frame(payload: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u16::try_from(payload.len()) {
        Ok(short @ 0..=125) => frame.extend_from_slice(&[0x80 | short.to_be_bytes()[1]]),
        Ok(length) => {
            frame.push(0xfe);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        Err(error) => panic!("no test sends a frame that long: {error}"),
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload.as_bytes());
    frame
}

/// The token of a reactor's first listener.
const LISTENER: u64 = u64::MAX - 1;
const UPGRADE: &[u8] = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n\
    Host: localhost:3000\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const PADDING: &[u8] = b"Cookie: ";
