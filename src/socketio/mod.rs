//! Socket.IO v5 without input or output: namespaces, rooms, acknowledgements and handlers.
//!
//! It stands on `engineio` and the ground, and reads neither a clock nor a socket. On the wire its
//! packets are the text behind Engine.IO's `4`: `0{"token":"x"}`, `2["chat","hi"]`, `31["ok"]`.
//!
//! One [`Hub`] is one server's state, in one cell. The cell is borrowed within a method and never
//! while the host's code (a handler, a `Serialize`) runs: that is why a handler may do anything at
//! any time. What a message does is told from top to bottom in `dispatch`.

mod ack;
pub mod adapter;
mod answers;
mod asking;
mod backpressure;
mod broadcast;
mod children;
mod clients;
mod declare;
mod deferred;
mod dispatch;
mod dynamic;
mod effects;
mod emitter;
mod event;
mod format;
mod handler;
mod handshake;
mod incoming;
mod intercept;
pub mod internals;
mod io;
mod lifecycle;
mod listeners;
mod namespace;
mod namespaces;
mod nesting;
mod outgoing;
pub(crate) mod packet;
mod parked;
mod parser;
pub(crate) mod payload;
mod pulled;
mod questions;
mod recovery;
mod remote_socket;
mod room_events;
mod rooms;
mod server_side;
mod session;
mod shared_data;
mod socket;
mod socket_id;
mod sockets;
mod timers;
mod v2;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

pub use ack::{Ack, AckError};
pub use adapter::{AdapterError, Emitted};
pub use answers::Answers;
pub use broadcast::{BroadcastOperator, RoomNames};
pub use deferred::Next;
pub use dynamic::{NamespaceDecision, PatternError};
pub use emitter::Emitter;
pub use event::{AskId, Event, MessageEvent, SocketRef};
pub use handler::{ListenerId, Refusal, SocketError};
pub use handshake::Handshake;
pub use io::Io;
pub use namespace::Namespace;
pub use remote_socket::RemoteSocket;
pub use room_events::RoomEvent;
pub use server_side::ServerAck;
pub use session::{Session, SessionId};
pub use socket::Socket;
pub use socket_id::{InvalidSocketId, SocketId};
pub use timers::TimerId;

pub use packet::{PacketKind, is_reserved_event};
pub use parser::{
    EncodedPacket, IncomingPacket, JsonParser, MsgpackParser, OutgoingPacket, Parser, ParserError,
    ParserLimits, Partial, RawMessage,
};

pub(crate) use backpressure::Water;
pub(crate) use handshake::Opening;
pub(crate) use parked::ParkedKey;
pub(crate) use session::Ended;
pub(crate) use socket::assert_not_reserved;
pub(crate) use timers::Timer;

use adapter::{AdapterMaker, Effects, Selected};
use clients::Clients;
use dynamic::NamespaceHandler;
use format::Format;
use handler::List;
use namespaces::{NamespaceId, Namespaces};
use nesting::Aftermath;
use parked::ParkedValues;
use payload::EncodeError;
use pulled::Pulled;
use questions::Questions;
use recovery::{Identities, RecoveryStore};
use session::SessionNotes;
use sockets::Sockets;
use timers::HostTimers;

use crate::config::{OutgoingLimits, SocketConfig};
use crate::counters::SocketCounters;
use crate::deadlines::{Deadlines, Now};
use crate::engineio::Engine;
use crate::entropy::Entropy;
use crate::http::Response;
use crate::outbox::Outboxes;
use crate::send_queue::Chunk;
use crate::slots::{ConnectionKey, SessionKey, SourceKey};

/// The state of one server, and the way into it for views and owned answers.
pub(crate) struct Hub {
    pub(crate) state: RefCell<State>,
    /// What is to be done when nothing is borrowed.
    effects: Effects,
    /// What happened where the host pulls.
    pub(crate) pulled: Pulled,
    /// Whether clients may recover.
    recovers: bool,
    /// What makes adapters, where the usual one doesn't do.
    adapter_maker: RefCell<Option<AdapterMaker>>,
    /// How deep user closures are nested at this moment.
    depth: Cell<u32>,
    /// Whether an outgoing catch-all runs: what is emitted meanwhile is told to none.
    tells_outgoing: Cell<bool>,
    format: Format,
    /// Whether a message or the aftermath is being dealt with: several closures in a row.
    busy: Cell<bool>,
}

/// Everything that views read and change.
pub(crate) struct State {
    pub(crate) engine: Engine,
    pub(crate) outboxes: Outboxes,
    pub(crate) timers: Deadlines<Timer>,
    pub(crate) entropy: Box<dyn Entropy>,
    pub(crate) now: Now,
    pub(crate) commands: VecDeque<Command>,
    pub(crate) counters: SocketCounters,
    pub(crate) config: SocketConfig,
    pub(crate) sessions: SessionNotes,
    host_timers: HostTimers,
    clients: Clients,
    sockets: Sockets,
    namespaces: Namespaces,
    selected: Selected,
    questions: Questions,
    identities: Identities,
    effects: Effects,
    /// How often clients have asked for what they had been before, while they are there.
    restores: HashMap<SessionKey, u32>,
    soft_bytes_max: usize,
    hard_bytes_max: usize,
    payload_bytes_max: usize,
    /// How many handlers were declared so far.
    listeners: u64,
    new_namespace: List<NamespaceHandler>,
    parked: ParkedValues,
    /// What has to wait until no closure of the host's runs any more.
    aftermath: VecDeque<Aftermath>,
}

/// What views ask of the conductor, who alone reaches the connections.
#[derive(Debug)]
pub(crate) enum Command {
    /// Answer the request that waits on this connection.
    Respond(ConnectionKey, Response),
    /// Write to a WebSocket that belongs to no session.
    Send(ConnectionKey, Chunk),
    /// Close a WebSocket that belongs to no session.
    CloseWebSocket(ConnectionKey, Option<u16>, String),
    /// Open the session that waits for its admission on this connection, with these headers.
    Admit(ConnectionKey, Vec<(String, String)>),
    /// Refuse it.
    Refuse(ConnectionKey, Option<String>),
    /// Watch a source of the host's own no longer.
    Unwatch(SourceKey),
    /// Close the server.
    Close,
}

impl Hub {
    /// The tables are made once, for `sessions_max` clients with one socket each: none of them
    /// stalls a turn by growing, and pages that nobody has touched cost nothing.
    pub(crate) fn new(
        engine: Engine,
        config: SocketConfig,
        limits: &OutgoingLimits,
        payload_bytes_max: usize,
        sessions_max: usize,
        timer_resolution: Duration,
        entropy: Box<dyn Entropy>,
    ) -> Rc<Self> {
        let effects = Effects::default();
        let recovery = config.recovery.clone();
        let hub = Rc::new(Self {
            effects: effects.clone(),
            pulled: Pulled::new(&config),
            recovers: config.recovery.is_some(),
            adapter_maker: RefCell::new(None),
            state: RefCell::new(State {
                engine,
                outboxes: Outboxes::with_capacity(sessions_max),
                // A client that has opened has two: its session's, and the one to join by.
                timers: Deadlines::with_resolution(
                    sessions_max.saturating_mul(2),
                    timer_resolution,
                ),
                entropy,
                now: Now::default(),
                commands: VecDeque::new(),
                counters: SocketCounters::default(),
                config,
                sessions: SessionNotes::default(),
                host_timers: HostTimers::default(),
                clients: Clients::with_capacity(sessions_max),
                sockets: Sockets::with_capacity(sessions_max),
                namespaces: Namespaces::with_capacity(sessions_max),
                selected: Selected::default(),
                questions: Questions::default(),
                identities: Identities::default(),
                effects,
                restores: HashMap::new(),
                soft_bytes_max: limits.soft_bytes_max,
                hard_bytes_max: limits.hard_bytes_max,
                payload_bytes_max,
                listeners: 0,
                new_namespace: List::default(),
                parked: ParkedValues::default(),
                aftermath: VecDeque::new(),
            }),
            depth: Cell::new(0),
            tells_outgoing: Cell::new(false),
            format: Format::default(),
            busy: Cell::new(false),
        });
        if let Some(recovery) = recovery {
            let store = RecoveryStore::new(recovery);
            hub.set_adapter(AdapterMaker::new(move |_| Box::new(store.adapter())));
        }
        hub
    }

    /// Chooses the form of all packets, before there are any.
    pub(crate) fn set_parser(&mut self, parser: Box<dyn Parser>) {
        self.format = Format::of(parser);
    }

    /// Counts what could not be serialised: it is the host's value, and nothing is sent.
    fn encoded<T>(&self, encoded: Result<T, EncodeError>) -> Option<T> {
        if encoded.is_err() {
            self.state.borrow_mut().counters.encode_errors += 1;
        }
        encoded.ok()
    }
}
