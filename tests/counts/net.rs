//! A network in memory that counts what it is asked to do.
//!
//! Whoever includes this file says in `uncounted` what becomes of the memory that is used here:
//! none of it is the server's.
//!
//! ```text
//! connect() -> 0    send(0, "GET ..")    received(0) = "HTTP/1.1 101 .."
//! ```

use std::io::{self, IoSlice};
use std::task::Waker;
use std::time::Duration;

use throng::net::{Accepted, Net, Ready};
use throng::testing::{MemoryListener, MemoryNet, MemoryStream};

use super::uncounted;

/// The network, both ends of it.
pub(crate) struct CountingNet {
    inner: MemoryNet,
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
    /// Connections closed.
    pub(crate) closes: u64,
    /// Bytes that the server wrote.
    pub(crate) bytes_written: u64,
}

impl CountingNet {
    /// A network without connections.
    pub(crate) fn new() -> Self {
        Self { inner: MemoryNet::new(), keeps: true, counts: Counts::default() }
    }

    /// A client connects; its number is returned.
    pub(crate) fn connect(&mut self) -> usize {
        uncounted(|| self.inner.connect())
    }

    /// A client sends bytes.
    pub(crate) fn send(&mut self, client: usize, bytes: &[u8]) {
        uncounted(|| self.inner.send(client, bytes));
    }

    /// What has been written to a client since it was asked last.
    pub(crate) fn received(&mut self, client: usize) -> Vec<u8> {
        uncounted(|| self.inner.received(client))
    }
}

impl Net for CountingNet {
    type Listener = MemoryListener;
    type Stream = MemoryStream;

    /// The list that becomes longer here is the server's.
    fn wait(&mut self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> io::Result<()> {
        self.inner.wait(ready, timeout)
    }

    fn listen(&mut self, listener: &mut MemoryListener, token: u64) -> io::Result<()> {
        self.inner.listen(listener, token)
    }

    fn accept(&mut self, listener: &mut MemoryListener) -> io::Result<Accepted<MemoryStream>> {
        self.counts.accepts += 1;
        self.inner.accept(listener)
    }

    fn register(&mut self, stream: &mut MemoryStream, token: u64) -> io::Result<()> {
        self.counts.registers += 1;
        uncounted(|| self.inner.register(stream, token))
    }

    fn await_writable(&mut self, stream: &mut MemoryStream, token: u64) -> io::Result<()> {
        self.counts.awaits += 1;
        uncounted(|| self.inner.await_writable(stream, token))
    }

    fn read(&mut self, stream: &mut MemoryStream, buffer: &mut [u8]) -> io::Result<usize> {
        self.counts.reads += 1;
        self.inner.read(stream, buffer)
    }

    fn write(&mut self, stream: &mut MemoryStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.counts.writes += 1;
        let bytes: usize = slices.iter().map(|slice| slice.len()).sum();
        self.counts.bytes_written += bytes as u64;
        if self.keeps { uncounted(|| self.inner.write(stream, slices)) } else { Ok(bytes) }
    }

    fn shutdown(&mut self, stream: &mut MemoryStream) -> io::Result<()> {
        self.inner.shutdown(stream)
    }

    fn close(&mut self, stream: MemoryStream) {
        self.counts.closes += 1;
        self.inner.close(stream);
    }

    fn close_listener(&mut self, listener: MemoryListener) {
        self.inner.close_listener(listener);
    }

    fn waker(&self) -> Waker {
        self.inner.waker()
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

const UPGRADE: &[u8] = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n\
    Host: localhost:3000\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const PADDING: &[u8] = b"Cookie: ";
