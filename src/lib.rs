//! A Socket.IO server on one thread and one epoll reactor, without an async runtime.
//!
//! It speaks Engine.IO v4 and Socket.IO v5 as the official clients do, over long-polling and
//! WebSocket (and, where allowed, Engine.IO v3 with clients of Socket.IO 1 and 2), and shares its
//! port with an HTTP application. An unchanged `socket.io-client` talks to it as it would to the
//! Node.js server.
//!
//! ```no_run
//! use throng::Server;
//!
//! let mut server = Server::builder().bind("127.0.0.1:3000")?;
//! server
//!     .of("/")
//!     .on_connect(|socket| println!("{} connected", socket.id()))
//!     .on("chat", |socket, message: String| {
//!         socket.server().emit("chat", &message);
//!     })
//!     .on_with_ack("add", |_, (a, b): (i64, i64)| a + b)
//!     .on_disconnect(|socket, reason| println!("{} left: {reason}", socket.id()));
//! server.run()?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Where to begin
//!
//! [`guide`] has a page for each topic, and one for who comes from Node.js. In short:
//!
//! - [`Server`] is built by [`Server::builder`] and driven by [`Server::run`], or by
//!   [`Server::poll`] from a loop of your own.
//! - [`Namespace`] is where handlers are declared; they get a [`Socket`] and typed arguments, or
//!   the [`Args`] as they came and an [`Ack`] to answer with.
//! - [`BroadcastOperator`] sends to rooms, [`Socket::emit`] to one client. What can be sent is told
//!   by [`IntoArgs`]: `&value` is one argument, a tuple several, `()` none.
//! - [`Server::http`] is the HTTP application on the same port, [`Server::engine`] bare Engine.IO
//!   sessions, [`Server::websocket`] a WebSocket without either.
//! - [`config::Config`] holds every option and limit; each says what happens when it is met.
//! - [`Handle`] is what other threads may hold.
//! - [`adapter::Adapter`] makes one server of several, [`Parser`] brings another format than JSON.
//! - [`sans_io`] is a server without sockets: for another transport, a simulation.
//! - [`testing`] has clients without sockets and time without waiting, for your own tests.
//!
//! # Features
//!
//! Both are on by default. `cli` is what the `throng` program needs: an embedding host builds
//! without it. `compression` compresses answers to long-polling with gzip or deflate
//! ([`config::EngineConfig::compression_bytes_min`]), and the client's own files with brotli too
//! ([`ClientFiles`]).
//!
//! # The run loop
//!
//! A server owns no thread, no signal handler and no global. One call of [`Server::poll`] is one
//! turn, in this order:
//!
//! ```text
//! flush what the host queued · wait · now · mailbox · the host's own sources · accept
//! · read → engineio → socketio → handlers · expire deadlines · flush · reap
//! ```
//!
//! Handlers only queue. Writing happens at the end of the turn, with one write call per connection
//! that has something to say. The work of one turn is bounded ([`config::TurnBudget`]); what is
//! left makes the next wait zero and is told as [`Turn::more`]. All that a host may rely on stands
//! in [`guide::embedding`].
//!
//! ```no_run
//! use std::time::{Duration, Instant};
//! use throng::Server;
//!
//! let mut server = Server::builder().bind("127.0.0.1:3000")?;
//! let mut next_tick = Instant::now();
//! while !server.is_closed() {
//!     let left = next_tick.saturating_duration_since(Instant::now());
//!     server.poll(Some(left))?;
//!     if Instant::now() >= next_tick {
//!         next_tick += Duration::from_millis(16);
//!         server.emit("state", &"what the world looks like now");
//!     }
//! }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What handlers may do
//!
//! Anything, at any time: emit, join, leave, disconnect themselves or others, declare further
//! handlers, close the server. Nothing is borrowed while they run. A socket that has left in the
//! meantime drops what it is sent. A handler that panics costs the session it ran for: the panic
//! is caught and counted, the session closed, and everybody else goes on.
//!
//! # The code, and what holds in it
//!
//! | room | is | never |
//! |---|---|---|
//! | `server` | the conductor; its `poll` is the turn | a brain: it passes on |
//! | `socketio` | namespaces, rooms, acks, handlers: pure | reads a clock or a socket |
//! | `engineio` | sessions, heartbeat, upgrade: pure | likewise |
//! | `reactor` | sockets, HTTP and WebSocket, on a [`net::Net`] | hears of sessions |
//! | [`http`] | requests, responses, routes, files: pure | imports the rest |
//! | `websocket` | tungstenite between two buffers | sends |
//! | the ground | messages, outboxes, deadlines, keys, options | has opinions |
//!
//! Importers stand above what they import. Everything is addressed by small keys with a
//! generation; a stale key finds nothing. There are no locks and no shared graph. What a peer does
//! wrong ends as a reason and a counter, never as an error out of `poll`; a test holds the
//! layering.

#![warn(clippy::unwrap_used, clippy::expect_used)]

mod admission;
mod app;
mod bare;
mod client_files;
pub mod config;
mod counters;
mod deadlines;
mod endpoint;
mod engineio;
mod entropy;
pub mod guide;
mod handle;
pub mod http;
mod message;
mod outbox;
mod reactor;
pub mod sans_io;
mod send_queue;
mod server;
mod slots;
mod socketio;
pub mod source;
pub mod testing;
mod websocket;

pub use admission::{ConnectionError, Decision};
pub use app::{HttpApp, Responder};
pub use bare::{EngineApp, SessionMessage, SessionPacket};
pub use client_files::ClientFiles;
pub use counters::{ReactorCounters, SocketCounters};
pub use deadlines::Now;
pub use endpoint::{WebSocket, WebSocketEvent};
pub use engineio::{DisconnectReason, EngineCounters, Protocol, Rejection, Transport};
pub use handle::{
    EmitError, Handle, PostError, RemoteAck, RemoteBroadcast, RemoteDecision,
    RemoteNamespaceDecision, RemoteNext,
};
pub use outbox::Delivery;
pub use reactor::net;
pub use reactor::{SystemListener, SystemNet, SystemStream};
pub use server::{Builder, Server, Turn};
#[doc(hidden)]
pub use socketio::internals;
pub use socketio::payload::{
    Args, ArgsError, ArgsSeq, Binary, BinarySlice, EncodeError, IntoArgs, OwnedArgs,
};
pub use socketio::{
    Ack, AckError, AdapterError, Answers, AskId, BroadcastOperator, Emitted, Emitter, Event,
    Handshake, InvalidSocketId, Io, ListenerId, MessageEvent, Namespace, NamespaceDecision, Next,
    PatternError, Refusal, RemoteSocket, RoomEvent, RoomNames, ServerAck, Session, SessionId,
    Socket, SocketError, SocketId, SocketRef, TimerId, adapter, is_reserved_event,
};
pub use socketio::{
    EncodedPacket, IncomingPacket, JsonParser, MsgpackParser, OutgoingPacket, PacketKind, Parser,
    ParserError, ParserLimits, Partial, RawMessage,
};
