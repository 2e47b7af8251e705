//! A host's own handlers under test: clients without sockets, time without waiting.
//!
//! A [`TestServer`] is a whole [`Server`](crate::Server) on a network in memory ([`MemoryNet`]) and
//! a clock that the test moves. Its clients speak Engine.IO and Socket.IO over long-polling or
//! WebSocket, as `socket.io-client` does, and keep what they heard. A run of one seed is like every
//! other.
//!
//! ```
//! use std::time::Duration;
//!
//! use throng::Namespace;
//! use throng::testing::{TestServer, event};
//!
//! // What the application declares, wherever it runs.
//! fn declare(chat: Namespace<'_>) {
//!     chat.on("say", |socket, text: String| {
//!         socket.broadcast().emit("said", &text);
//!     })
//!     .on_with_ack("add", |_, (a, b): (i64, i64)| a + b);
//! }
//!
//! let mut test = TestServer::new(|server| declare(server.of("/")));
//! let alice = test.connect("/").unwrap();
//! let bob = test.connect("/").unwrap();
//!
//! test.emit(alice, "say", "hi");
//! assert_eq!(test.received(bob), [event("said", "hi")]);
//! assert_eq!(test.received(alice), []);
//! assert_eq!(test.emit_with_ack(alice, "add", (1, 2)), Ok(3));
//!
//! test.set_answers_pings(bob, false);
//! test.advance(Duration::from_secs(60));
//! assert!(test.is_connected(alice) && !test.is_connected(bob));
//! ```
//!
//! [`TestServer::build`] takes all that a [`Builder`](crate::Builder) does, and clients may speak
//! msgpack or be of Socket.IO 2: see [`Connect`].
//!
//! A function that declares on the whole server, its routes too, is general over the network:
//! `fn declare<N: throng::net::Net>(server: &Server<N>)`.

mod acts;
mod client;
mod connect;
mod event;
mod link;
mod net;
mod payload;
mod server;
mod speech;
mod wire;

use std::fmt;

pub use connect::{Connect, ConnectError, State};
pub use event::{Event, event};
pub use link::Packet;
pub use net::{MemoryListener, MemoryNet, MemoryStream};
pub use server::TestServer;
pub use wire::Answer;

use crate::socketio::payload::ArgsError;

/// One socket of a test's client: a place in one namespace, over a connection that others of the
/// same client may share. It stays the same when it comes back ([`TestServer::reconnect`]).
///
/// ```
/// use throng::testing::{Connect, TestServer};
///
/// let mut test = TestServer::new(|server| {
///     server.of("/chat");
///     server.of("/news");
/// });
/// let chat = test.connect("/chat").unwrap();
/// let news = test.connect_with(Connect::to("/news").over(chat)).unwrap();
/// assert_ne!(chat, news);
/// assert_eq!(test.server().io().sessions_len(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TestSocket {
    client: usize,
    socket: usize,
}

/// An event whose acknowledgement is awaited; see [`TestServer::ask`].
///
/// ```
/// use throng::testing::{Question, TestServer};
///
/// let mut test = TestServer::new(|server| {
///     server.of("/").on_with_ack("add", |_, (a, b): (i64, i64)| a + b);
/// });
/// let alice = test.connect("/").unwrap();
/// let question: Question = test.ask(alice, "add", (1, 2));
/// assert_eq!(test.answer(question), Ok(3));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    socket: TestSocket,
    id: u64,
}

/// Why there is no answer of the type that was asked for.
///
/// ```
/// use throng::testing::{AskError, TestServer};
///
/// let mut test = TestServer::new(|server| {
///     server.of("/").on_raw("keep", |_, _, ack| std::mem::forget(ack));
/// });
/// let alice = test.connect("/").unwrap();
/// assert_eq!(test.emit_with_ack::<()>(alice, "keep", ()), Err(AskError::Unanswered));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AskError {
    /// The server has not answered so far.
    Unanswered,
    /// It has, with something of another shape.
    Malformed(ArgsError),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unanswered => f.write_str("the server has not answered so far"),
            Self::Malformed(error) => write!(f, "the answer is of another shape: {error}"),
        }
    }
}

impl std::error::Error for AskError {}
