//! The system calls that the reactor makes, as a trait: mio is one implementation, a simulation
//! with short writes, resets and a seed another.
//!
//! The contract is that of non-blocking sockets registered edge-triggered: readiness is told once
//! when it arises, and a call that can't go on answers [`io::ErrorKind::WouldBlock`], after which
//! readiness is told again. What is ready when it is registered is told too.
//!
//! A whole server on a network of one client, whose bytes are there from the start, in a time that
//! stands still (see [`Server::simulated`](crate::Server::simulated)):
//!
//! ```
//! use std::io::{self, ErrorKind, IoSlice, Read};
//! use std::task::Waker;
//! use std::time::Duration;
//!
//! use throng::config::Config;
//! use throng::net::{Accepted, Net, Ready};
//! use throng::{Now, Server};
//!
//! struct OneClient {
//!     backlog: Option<()>,
//!     sent: &'static [u8],
//!     received: Vec<u8>,
//!     ready: Vec<Ready>,
//! }
//!
//! impl Net for OneClient {
//!     type Listener = ();
//!     type Stream = ();
//!
//!     fn wait(&mut self, ready: &mut Vec<Ready>, _: Option<Duration>) -> io::Result<()> {
//!         ready.append(&mut self.ready);
//!         Ok(())
//!     }
//!     fn listen(&mut self, (): &mut (), token: u64) -> io::Result<()> {
//!         self.ready.push(Ready { token, readable: true, ..Ready::default() });
//!         Ok(())
//!     }
//!     fn accept(&mut self, (): &mut ()) -> io::Result<Accepted<()>> {
//!         let stream = self.backlog.take().ok_or(ErrorKind::WouldBlock)?;
//!         Ok(Accepted { stream, peer: None })
//!     }
//!     fn register(&mut self, (): &mut (), token: u64) -> io::Result<()> {
//!         self.ready.push(Ready { token, readable: true, writable: true, closed: false });
//!         Ok(())
//!     }
//!     fn read(&mut self, (): &mut (), buffer: &mut [u8]) -> io::Result<usize> {
//!         match self.sent.read(buffer)? {
//!             0 => Err(ErrorKind::WouldBlock.into()), // the client stays
//!             bytes => Ok(bytes),
//!         }
//!     }
//!     fn write(&mut self, (): &mut (), slices: &[IoSlice<'_>]) -> io::Result<usize> {
//!         self.received.extend(slices.iter().flat_map(|slice| slice.iter()));
//!         Ok(slices.iter().map(|slice| slice.len()).sum())
//!     }
//!     fn shutdown(&mut self, (): &mut ()) -> io::Result<()> {
//!         Ok(())
//!     }
//!     fn close(&mut self, (): ()) {}
//!     fn close_listener(&mut self, (): ()) {}
//!     fn waker(&self) -> Waker {
//!         Waker::noop().clone()
//!     }
//! }
//!
//! let net = OneClient {
//!     backlog: Some(()),
//!     sent: b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: example.com\r\n\r\n",
//!     received: Vec::new(),
//!     ready: Vec::new(),
//! };
//! let seed = 7;
//! let mut server = Server::simulated(net, vec![()], Config::default(), Now::default, seed)?;
//! while server.poll(Some(Duration::ZERO))?.more || server.net_mut().received.is_empty() {}
//! assert!(server.net_mut().received.starts_with(b"HTTP/1.1 200 OK\r\n"));
//! # Ok::<(), io::Error>(())
//! ```

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::task::Waker;
use std::time::Duration;

use crate::source::Interest;

/// The network as the reactor sees it.
///
/// Streams and listeners are registered once, for reading; tokens are the reactor's. Of room to
/// write a stream tells from [`Net::await_writable`] on: most never fill up. Nothing here blocks
/// but [`Net::wait`]. The module's documentation has a whole one.
pub trait Net {
    /// Accepts connections.
    type Listener;
    /// One connection.
    type Stream;

    /// Waits for readiness, at most for `timeout` (`None`: without bound; zero: not at all), and
    /// appends what became ready. Interruption by a signal is a wait that ends early.
    fn wait(&mut self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> io::Result<()>;

    /// Says when the waits that follow are to end at the latest, on the server's clock: those of
    /// [`Net::wait`], and those of a host that waits for the network in a loop of its own. It is
    /// called before a wait that may sleep and, where
    /// [`timer_resolution`](crate::config::ReactorConfig::timer_resolution) is below a millisecond,
    /// at the end of each turn. A network that waits precisely enough by itself need do nothing.
    fn arm(&mut self, at: Option<Duration>) {
        let _ = at;
    }

    /// Registers a listener under a token.
    fn listen(&mut self, listener: &mut Self::Listener, token: u64) -> io::Result<()>;

    /// Takes the next connection off the backlog.
    fn accept(&mut self, listener: &mut Self::Listener) -> io::Result<Accepted<Self::Stream>>;

    /// Registers a stream, for reading, under a token. Telling of room to write does no harm.
    fn register(&mut self, stream: &mut Self::Stream, token: u64) -> io::Result<()>;

    /// Has the stream tell, from now on, when it can be written to, and at once if it can already.
    /// It is asked for when a write falls short, once for a stream and under the token it is
    /// registered by. A network that tells anyway need do nothing.
    fn await_writable(&mut self, stream: &mut Self::Stream, token: u64) -> io::Result<()> {
        let _ = (stream, token);
        Ok(())
    }

    /// Reads into `buffer`; zero is the end of the stream. What fills less than the buffer has
    /// taken all there is, so that the next byte, or the end behind it, is told as readiness anew.
    fn read(&mut self, stream: &mut Self::Stream, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes the slices in their order and returns how many bytes were taken.
    fn write(&mut self, stream: &mut Self::Stream, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Ends our direction of the stream; the peer's may go on.
    fn shutdown(&mut self, stream: &mut Self::Stream) -> io::Result<()>;

    /// Has the close that follows throw away what the peer has not taken, and reset the connection:
    /// the system would keep it, megabytes for each peer that reads nothing, as long as it hopes. A
    /// network that keeps nothing need do nothing.
    fn discard(&mut self, stream: &mut Self::Stream) {
        let _ = stream;
    }

    /// Takes the stream off the registry and closes it.
    fn close(&mut self, stream: Self::Stream);

    /// Closes a listener.
    fn close_listener(&mut self, listener: Self::Listener);

    /// Wakes [`Net::wait`] from any thread.
    fn waker(&self) -> Waker;

    /// Registers something of the host's own under a token of the reactor's, edge-triggered; see
    /// [`Server::watch`](crate::Server::watch). By default it is refused as
    /// [`io::ErrorKind::Unsupported`].
    fn watch(&mut self, source: BorrowedFd<'_>, token: u64, interest: Interest) -> io::Result<()> {
        let _ = (source, token, interest);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Changes what such a source is watched for, and has it tell anew.
    fn rewatch(
        &mut self,
        source: BorrowedFd<'_>,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        let _ = (source, token, interest);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Takes such a source off the registry.
    fn unwatch(&mut self, source: BorrowedFd<'_>) -> io::Result<()> {
        let _ = source;
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// A connection fresh off the backlog.
///
/// ```
/// use throng::net::Accepted;
///
/// let accepted = Accepted { stream: "a stream of any type", peer: "127.0.0.1:4000".parse().ok() };
/// assert!(accepted.peer.is_some());
/// ```
#[derive(Debug)]
pub struct Accepted<S> {
    /// The stream, non-blocking and not yet registered.
    pub stream: S,
    /// The peer's address; `None` where it has none (a Unix socket).
    pub peer: Option<SocketAddr>,
}

/// What became ready under one token. It is a hint: what can't go on after all answers
/// [`io::ErrorKind::WouldBlock`].
///
/// ```
/// use throng::net::Ready;
///
/// let ready = Ready { token: 1, readable: true, ..Ready::default() };
/// assert!(!ready.writable && !ready.closed);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// The token the stream or listener was registered under.
    pub token: u64,
    /// Reading, or accepting, may succeed.
    pub readable: bool,
    /// Writing may succeed.
    pub writable: bool,
    /// The peer has ended its direction, or the stream has failed: reading will tell.
    pub closed: bool,
}
