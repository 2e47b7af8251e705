//! The system calls that the reactor makes, as a trait: mio is one implementation, a simulation
//! with short writes, resets and a seed another.
//!
//! The contract is that of non-blocking sockets registered edge-triggered: readiness is told once
//! when it arises, and a call that can't go on answers [`io::ErrorKind::WouldBlock`], after which
//! readiness is told again.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::Waker;
use std::time::Duration;

/// The network as the reactor sees it.
///
/// Streams and listeners are registered once, for reading and writing; tokens are the reactor's.
/// Nothing here blocks but [`Net::wait`].
pub trait Net {
    /// Accepts connections.
    type Listener;
    /// One connection.
    type Stream;

    /// Waits for readiness, at most for `timeout` (`None`: without bound; zero: not at all), and
    /// appends what became ready. Interruption by a signal is a wait that ends early.
    fn wait(&mut self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> io::Result<()>;

    /// Registers a listener under a token.
    fn listen(&mut self, listener: &mut Self::Listener, token: u64) -> io::Result<()>;

    /// Takes the next connection off the backlog.
    fn accept(&mut self, listener: &mut Self::Listener) -> io::Result<Accepted<Self::Stream>>;

    /// Registers a stream, for reading and writing, under a token.
    fn register(&mut self, stream: &mut Self::Stream, token: u64) -> io::Result<()>;

    /// Reads into `buffer`; zero is the end of the stream. What fills less than the buffer has
    /// taken all there is, so that the next byte, or the end behind it, is told as readiness anew.
    fn read(&mut self, stream: &mut Self::Stream, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes the slices in their order and returns how many bytes were taken.
    fn write(&mut self, stream: &mut Self::Stream, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Ends our direction of the stream; the peer's may go on.
    fn shutdown(&mut self, stream: &mut Self::Stream) -> io::Result<()>;

    /// Takes the stream off the registry and closes it.
    fn close(&mut self, stream: Self::Stream);

    /// Closes a listener.
    fn close_listener(&mut self, listener: Self::Listener);

    /// Wakes [`Net::wait`] from any thread.
    fn waker(&self) -> Waker;
}

/// A connection fresh off the backlog.
#[derive(Debug)]
pub struct Accepted<S> {
    /// The stream, non-blocking and not yet registered.
    pub stream: S,
    /// The peer's address; `None` where it has none (a Unix socket).
    pub peer: Option<SocketAddr>,
}

/// What became ready under one token.
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
