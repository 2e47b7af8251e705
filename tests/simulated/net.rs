//! A network of byte queues whose peers read as much as they are told to, and not a byte more.
//!
//! ```text
//! connect() -> 0    set_room(0, 10)    send(0, "GET ..")    received(0) = "HTTP/1.1 2"
//! ```

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::Waker;
use std::time::Duration;

use throng::net::{Accepted, Net, Ready};

/// The network, both ends of it.
#[derive(Default)]
pub(crate) struct QueueNet {
    pipes: Vec<Pipe>,
    backlog: VecDeque<usize>,
    ready: Vec<Ready>,
}

/// The server's end of one connection.
pub(crate) struct Stream {
    pipe: usize,
}

/// The one listener.
pub(crate) struct Listener;

struct Pipe {
    token: Option<u64>,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    /// How many bytes the peer's side still takes.
    room: usize,
    /// The server has asked to be told of room.
    tells_room: bool,
    /// The peer has ended its direction.
    ended: bool,
    closed: bool,
}

impl QueueNet {
    /// A client connects, who reads everything; its number is returned.
    pub(crate) fn connect(&mut self) -> usize {
        self.pipes.push(Pipe {
            token: None,
            to_server: Vec::new(),
            to_client: Vec::new(),
            room: usize::MAX,
            tells_room: false,
            ended: false,
            closed: false,
        });
        self.backlog.push_back(self.pipes.len() - 1);
        self.ready.push(Ready { token: LISTENER, readable: true, ..Ready::default() });
        self.pipes.len() - 1
    }

    /// A client sends bytes.
    pub(crate) fn send(&mut self, client: usize, bytes: impl AsRef<[u8]>) {
        let pipe = &mut self.pipes[client];
        pipe.to_server.extend_from_slice(bytes.as_ref());
        if let Some(token) = pipe.token {
            self.ready.push(Ready { token, readable: true, ..Ready::default() });
        }
    }

    /// A client ends its direction.
    pub(crate) fn end(&mut self, client: usize) {
        let pipe = &mut self.pipes[client];
        pipe.ended = true;
        if let Some(token) = pipe.token {
            self.ready.push(Ready { token, readable: true, closed: true, ..Ready::default() });
        }
    }

    /// How many more bytes a client takes.
    pub(crate) fn set_room(&mut self, client: usize, bytes: usize) {
        let pipe = &mut self.pipes[client];
        pipe.room = bytes;
        if let Some(token) = pipe.token.filter(|_| bytes > 0 && pipe.tells_room) {
            self.ready.push(Ready { token, writable: true, ..Ready::default() });
        }
    }

    /// What has been written to a client since it was asked last.
    pub(crate) fn received(&mut self, client: usize) -> Vec<u8> {
        std::mem::take(&mut self.pipes[client].to_client)
    }

    /// Whether the server has closed a connection.
    pub(crate) fn is_closed(&self, client: usize) -> bool {
        self.pipes[client].closed
    }
}

impl Net for QueueNet {
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
        let pipe = self.backlog.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        Ok(Accepted { stream: Stream { pipe }, peer: None })
    }

    fn register(&mut self, stream: &mut Stream, token: u64) -> io::Result<()> {
        let pipe = &mut self.pipes[stream.pipe];
        pipe.token = Some(token);
        if pipe.ended || !pipe.to_server.is_empty() {
            let closed = pipe.ended;
            self.ready.push(Ready { token, readable: true, closed, ..Ready::default() });
        }
        Ok(())
    }

    fn await_writable(&mut self, stream: &mut Stream, token: u64) -> io::Result<()> {
        let pipe = &mut self.pipes[stream.pipe];
        pipe.tells_room = true;
        if pipe.room > 0 {
            self.ready.push(Ready { token, writable: true, ..Ready::default() });
        }
        Ok(())
    }

    fn read(&mut self, stream: &mut Stream, buffer: &mut [u8]) -> io::Result<usize> {
        let pipe = &mut self.pipes[stream.pipe];
        if pipe.to_server.is_empty() {
            return if pipe.ended { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        }
        let bytes = pipe.to_server.len().min(buffer.len());
        buffer[..bytes].copy_from_slice(&pipe.to_server[..bytes]);
        pipe.to_server.drain(..bytes);
        Ok(bytes)
    }

    fn write(&mut self, stream: &mut Stream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let pipe = &mut self.pipes[stream.pipe];
        if pipe.room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut written = 0;
        for slice in slices {
            let bytes = slice.len().min(pipe.room);
            pipe.to_client.extend_from_slice(&slice[..bytes]);
            pipe.room -= bytes;
            written += bytes;
        }
        Ok(written)
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

/// The token of a reactor's first listener.
const LISTENER: u64 = u64::MAX - 1;
