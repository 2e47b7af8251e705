//! A network of byte queues in memory, whose peers read as much as they are told to, and not a
//! byte more.
//!
//! It knows neither HTTP nor WebSocket, and drops, splits and reorders nothing.
//!
//! ```text
//! connect() -> 0    set_room(0, 10)    send(0, "GET ..")    received(0) = "HTTP/1.1 2"
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::Waker;
use std::time::Duration;

use crate::reactor::net::{Accepted, Net, Ready};

/// A network in memory, both ends of it: for a test that speaks bytes (see
/// [`Server::simulated`](crate::Server::simulated)). [`TestServer`](super::TestServer) speaks
/// Socket.IO on it.
///
/// Connections are numbered from 0 in the order in which they were opened.
///
/// ```
/// use std::time::Duration;
///
/// use throng::config::Config;
/// use throng::testing::{MemoryListener, MemoryNet};
/// use throng::{Now, Server};
///
/// let (net, listeners) = (MemoryNet::new(), vec![MemoryListener]);
/// let mut server = Server::simulated(net, listeners, Config::default(), Now::default, 1)?;
/// let client = server.net_mut().connect();
/// server.net_mut().send(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
/// while server.poll(Some(Duration::ZERO))?.more || !server.net_mut().is_idle() {}
/// assert!(server.net_mut().received(client).starts_with(b"HTTP/1.1 404 Not Found\r\n"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Default)]
pub struct MemoryNet {
    connections: Vec<Connection>,
    backlog: VecDeque<usize>,
    ready: Vec<Ready>,
    /// What the listener is registered under; none once it is closed.
    listener: Option<u64>,
}

/// The server's end of one connection of a [`MemoryNet`].
///
/// ```
/// // As large as a number, and of use to the server alone.
/// assert_eq!(size_of::<throng::testing::MemoryStream>(), size_of::<usize>());
/// ```
#[derive(Debug)]
pub struct MemoryStream {
    index: usize,
}

/// The one listener of a [`MemoryNet`], on which every connection arrives.
///
/// ```
/// let listeners = vec![throng::testing::MemoryListener];
/// ```
#[derive(Debug)]
pub struct MemoryListener;

struct Connection {
    peer: Option<SocketAddr>,
    token: Option<u64>,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    /// How many bytes the peer's side still takes.
    room: usize,
    /// The server has asked to be told of room.
    tells_room: bool,
    /// The peer has ended its direction.
    ended: bool,
    server: End,
}

/// How far the server is with a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// It reads and writes.
    Open,
    /// It has ended its direction.
    Shut,
    /// It has closed it.
    Closed,
}

impl MemoryNet {
    /// A network without connections.
    pub fn new() -> Self {
        Self::default()
    }

    /// A client connects, who reads everything; the number of its connection.
    ///
    /// Where nobody listens any more, the connection is closed from the start.
    pub fn connect(&mut self) -> usize {
        self.connect_from(None)
    }

    /// As [`MemoryNet::connect`], with an address that the server sees.
    pub fn connect_from(&mut self, peer: Option<SocketAddr>) -> usize {
        let index = self.connections.len();
        self.connections.push(Connection {
            peer,
            token: None,
            to_server: Vec::new(),
            to_client: Vec::new(),
            room: usize::MAX,
            tells_room: false,
            ended: false,
            server: if self.listener.is_some() { End::Open } else { End::Closed },
        });
        if let Some(token) = self.listener {
            self.backlog.push_back(index);
            self.ready.push(Ready { token, readable: true, ..Ready::default() });
        }
        index
    }

    /// A client sends bytes.
    ///
    /// # Panics
    /// Here and below, if there is no connection of that number.
    pub fn send(&mut self, connection: usize, bytes: impl AsRef<[u8]>) {
        let connection = &mut self.connections[connection];
        connection.to_server.extend_from_slice(bytes.as_ref());
        if let Some(token) = connection.token {
            self.ready.push(Ready { token, readable: true, ..Ready::default() });
        }
    }

    /// A client ends its direction, and goes on reading.
    pub fn end(&mut self, connection: usize) {
        let connection = &mut self.connections[connection];
        connection.ended = true;
        if let Some(token) = connection.token {
            self.ready.push(Ready { token, readable: true, closed: true, ..Ready::default() });
        }
    }

    /// How many more bytes a client takes; none, and the server's writes fall short.
    pub fn set_room(&mut self, connection: usize, bytes: usize) {
        let connection = &mut self.connections[connection];
        connection.room = bytes;
        if let Some(token) = connection.token.filter(|_| bytes > 0 && connection.tells_room) {
            self.ready.push(Ready { token, writable: true, ..Ready::default() });
        }
    }

    /// A client takes all that comes, or nothing more.
    pub(super) fn set_reads(&mut self, connection: usize, reads: bool) {
        if (self.connections[connection].room > 0) != reads {
            self.set_room(connection, if reads { usize::MAX } else { 0 });
        }
    }

    /// What has been written to a client since it was asked last.
    pub fn received(&mut self, connection: usize) -> Vec<u8> {
        std::mem::take(&mut self.connections[connection].to_client)
    }

    /// Whether the server has closed a connection.
    pub fn is_closed(&self, connection: usize) -> bool {
        self.connections[connection].server == End::Closed
    }

    /// Whether the server will write no more: it has closed the connection, or its direction of it.
    pub fn is_ended(&self, connection: usize) -> bool {
        self.connections[connection].server != End::Open
    }

    /// Whether the server has been told of everything: its next wait would find nothing.
    pub fn is_idle(&self) -> bool {
        self.ready.is_empty()
    }

    /// How many connections there have been, open or closed.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether nobody has connected so far.
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }
}

impl Net for MemoryNet {
    type Listener = MemoryListener;
    type Stream = MemoryStream;

    fn wait(&mut self, ready: &mut Vec<Ready>, _: Option<Duration>) -> io::Result<()> {
        ready.append(&mut self.ready);
        Ok(())
    }

    fn listen(&mut self, _: &mut MemoryListener, token: u64) -> io::Result<()> {
        self.listener = Some(token);
        Ok(())
    }

    fn accept(&mut self, _: &mut MemoryListener) -> io::Result<Accepted<MemoryStream>> {
        let index = self.backlog.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        Ok(Accepted { stream: MemoryStream { index }, peer: self.connections[index].peer })
    }

    fn register(&mut self, stream: &mut MemoryStream, token: u64) -> io::Result<()> {
        let connection = &mut self.connections[stream.index];
        connection.token = Some(token);
        if connection.ended || !connection.to_server.is_empty() {
            let closed = connection.ended;
            self.ready.push(Ready { token, readable: true, closed, ..Ready::default() });
        }
        Ok(())
    }

    fn await_writable(&mut self, stream: &mut MemoryStream, token: u64) -> io::Result<()> {
        let connection = &mut self.connections[stream.index];
        connection.tells_room = true;
        if connection.room > 0 {
            self.ready.push(Ready { token, writable: true, ..Ready::default() });
        }
        Ok(())
    }

    fn read(&mut self, stream: &mut MemoryStream, buffer: &mut [u8]) -> io::Result<usize> {
        let connection = &mut self.connections[stream.index];
        if connection.to_server.is_empty() {
            return if connection.ended { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        }
        let bytes = connection.to_server.len().min(buffer.len());
        buffer[..bytes].copy_from_slice(&connection.to_server[..bytes]);
        connection.to_server.drain(..bytes);
        Ok(bytes)
    }

    fn write(&mut self, stream: &mut MemoryStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let connection = &mut self.connections[stream.index];
        if connection.room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut written = 0;
        for slice in slices {
            let bytes = slice.len().min(connection.room);
            connection.to_client.extend_from_slice(&slice[..bytes]);
            connection.room -= bytes;
            written += bytes;
        }
        Ok(written)
    }

    fn shutdown(&mut self, stream: &mut MemoryStream) -> io::Result<()> {
        self.connections[stream.index].server = End::Shut;
        Ok(())
    }

    fn close(&mut self, stream: MemoryStream) {
        let connection = &mut self.connections[stream.index];
        (connection.server, connection.token) = (End::Closed, None);
    }

    fn close_listener(&mut self, _: MemoryListener) {
        self.listener = None;
        for index in self.backlog.drain(..) {
            self.connections[index].server = End::Closed;
        }
    }

    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }
}

impl fmt::Debug for MemoryNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryNet").field("connections", &self.len()).finish_non_exhaustive()
    }
}
