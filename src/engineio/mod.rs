//! Engine.IO: sessions over long-polling and WebSocket, without input or output. It speaks
//! revision 4 of the protocol and, where that is allowed, revision 3.
//!
//! The [`Engine`] is told what happened (`handle_*`, with the moment) and answers in two ways: a
//! message from a client is returned where it was found, borrowed; everything else is queued as an
//! [`Output`], to be drained before the next input. Messages to clients don't pass through here:
//! they wait in the outboxes, and the engine says where they go.
//!
//! It knows no socket, no clock and no namespace. Every input for a session that has ended is
//! harmless.
//!
//! ```text
//! > GET  ?EIO=4&transport=polling           < 0{"sid":"...","upgrades":["websocket"],...}
//! > POST ?EIO=4&transport=polling&sid=...   < ok
//! > GET  ?EIO=4&transport=polling&sid=...   < 4hello
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::hash::BuildHasher;
use std::rc::Rc;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::config::{EngineConfig, InitialPacket};
use crate::deadlines::Now;
use crate::http::{Request, Response};
use crate::message::{Form, Message};
use crate::outbox::Outboxes;
use crate::slots::{ConnectionKey, SessionKey, Slots};

mod closing;
mod context;
mod cors;
mod counters;
mod handshake;
mod heartbeat;
mod jsonp;
mod output;
mod packet;
mod payload;
mod polling;
mod query;
mod reason;
mod rejection;
mod route;
mod sent;
mod session;
mod sid;
#[cfg(test)]
mod tests;
mod transport;
mod upgrade;

pub(crate) use closing::Close;
pub use counters::EngineCounters;
pub(crate) use output::{Frame, Output};
pub(crate) use packet::{Incoming, RawPacket};
pub(crate) use payload::Payload;
pub use reason::DisconnectReason;
pub use rejection::Rejection;
pub(crate) use route::Route;
pub(crate) use sent::Sent;
pub(crate) use session::{Lost, PostStart};
pub(crate) use sid::Sid;
pub use transport::{Protocol, Transport};

use closing::Ending;
use context::{Context, Shared};
use handshake::OpenTails;
use polling::Asker;
use session::Session;

/// All sessions of a server.
pub(crate) struct Engine {
    shared: Shared,
    sessions: Slots<Session>,
    /// Finds a session by its id: the id itself is only in the session.
    index: HashTable<SessionKey>,
    /// A fast one will do: all ids in the index are random and ours. Peers can only look some up.
    hasher: DefaultHashBuilder,
    sessions_max: usize,
    /// Sessions that open in a moment, whose clients have heard that they get in.
    reserved: usize,
    path: Box<str>,
    /// The host's id for the session that is opened next.
    offered_sid: Option<Sid>,
    /// What follows the id in the open packet, by transport.
    open_tails: OpenTails,
}

impl Engine {
    pub(crate) fn new(config: EngineConfig, sessions_max: usize) -> Self {
        let path = config.path.strip_suffix('/').unwrap_or(&config.path);
        let slash = if config.add_trailing_slash { "/" } else { "" };
        Self {
            path: format!("{path}{slash}").into_boxed_str(),
            open_tails: OpenTails::new(&config),
            shared: Shared {
                initial: initial_message(&config),
                config,
                outputs: VecDeque::new(),
                counters: EngineCounters::default(),
                websocket_sessions: 0,
                sent: None,
            },
            sessions: Slots::with_capacity(sessions_max),
            index: HashTable::with_capacity(sessions_max),
            hasher: DefaultHashBuilder::default(),
            sessions_max,
            reserved: 0,
            offered_sid: None,
        }
    }

    pub(crate) fn has_output(&self) -> bool {
        !self.shared.outputs.is_empty()
    }

    /// The next thing to do; drain it before the next input.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.shared.outputs.pop_front()
    }

    /// A GET routed as [`Route::Poll`].
    pub(crate) fn handle_poll(
        &mut self,
        now: Now,
        session: SessionKey,
        connection: ConnectionKey,
        request: &Request,
        outboxes: &mut Outboxes,
    ) {
        let asker = Asker::new(connection, request, &self.shared.config);
        if self.sessions.contains(session.cast()) {
            self.visit(now, session, outboxes, |session, context| {
                session.handle_poll(asker, context)
            });
        } else {
            self.respond_session_unknown(connection, request);
        }
    }

    /// The head of a POST routed as [`Route::Post`].
    pub(crate) fn handle_post(
        &mut self,
        now: Now,
        session: SessionKey,
        connection: ConnectionKey,
        request: &Request,
        outboxes: &mut Outboxes,
    ) -> PostStart {
        if !self.sessions.contains(session.cast()) {
            self.respond_session_unknown(connection, request);
            return PostStart::Refused;
        }
        let asker = Asker::new(connection, request, &self.shared.config);
        let is_octet_stream = payload::is_octet_stream(request);
        self.visit(now, session, outboxes, |session, context| {
            session.handle_post(asker, is_octet_stream, context)
        })
        .unwrap_or(PostStart::Refused)
    }

    /// The body of an accepted POST turned out to be larger than allowed: 413.
    pub(crate) fn post_too_large(
        &mut self,
        now: Now,
        session: SessionKey,
        connection: ConnectionKey,
        outboxes: &mut Outboxes,
    ) {
        self.visit(now, session, outboxes, |session, context| {
            session.post_too_large(connection, context)
        });
    }

    /// All packets of an accepted POST were handled. If they ended the session, the POST has been
    /// answered by then and this does nothing.
    pub(crate) fn finish_post(
        &mut self,
        now: Now,
        session: SessionKey,
        connection: ConnectionKey,
        outboxes: &mut Outboxes,
    ) {
        self.visit(now, session, outboxes, |session, context| {
            session.finish_post(connection, context);
            Ok(())
        });
    }

    /// A WebSocket routed as [`Route::Probe`], whose 101 has been written.
    pub(crate) fn handle_probe(
        &mut self,
        now: Now,
        session: SessionKey,
        connection: ConnectionKey,
        form: Form,
        outboxes: &mut Outboxes,
    ) {
        let is_known = self.visit(now, session, outboxes, |session, context| {
            session.handle_probe(connection, form, context);
            Ok(())
        });
        if is_known.is_none() {
            self.shared.counters.probes_refused += 1;
            self.shared.outputs.push_back(Output::CloseWebSocket { connection, code: None });
        }
    }

    /// One packet that `connection` carried: a message of its WebSocket, or a segment of its POST.
    /// A message for the host is returned; all else is handled here.
    pub(crate) fn handle_packet<'p>(
        &mut self,
        now: Now,
        session: SessionKey,
        connection: ConnectionKey,
        packet: RawPacket<'p>,
        outboxes: &mut Outboxes,
    ) -> Option<Incoming<'p>> {
        self.visit(now, session, outboxes, |session, context| {
            session.handle_packet(connection, packet, context)
        })
        .flatten()
    }

    /// A connection was lost that was answering, posting, probing or carrying this session.
    pub(crate) fn handle_disconnect(
        &mut self,
        now: Now,
        session: SessionKey,
        connection: ConnectionKey,
        how: Lost,
        outboxes: &mut Outboxes,
    ) {
        if self.sessions.contains(session.cast()) {
            self.visit(now, session, outboxes, |session, context| {
                session.handle_disconnect(connection, how, context)
            });
        } else if let Lost::Failure(code) = how {
            let close = Output::CloseWebSocket { connection, code: Some(code) };
            self.shared.outputs.push_back(close);
        }
    }

    /// The moment of [`Output::Schedule`] has come. Too early does no harm: the next is told.
    pub(crate) fn handle_deadline(
        &mut self,
        now: Now,
        session: SessionKey,
        outboxes: &mut Outboxes,
    ) {
        self.visit(now, session, outboxes, Session::handle_deadline);
    }

    /// Answers the held GET of a session that the outboxes listed as `Sink::Poll`.
    pub(crate) fn flush_poll(&mut self, now: Now, session: SessionKey, outboxes: &mut Outboxes) {
        self.visit(now, session, outboxes, |session, context| {
            session.flush_poll(context);
            Ok(())
        });
    }

    /// Ends a session from the server's side. [`Output::Closed`] may come later than this returns,
    /// with the reason given here or with what ended the session first.
    pub(crate) fn close(
        &mut self,
        now: Now,
        session: SessionKey,
        how: Close,
        reason: DisconnectReason,
        outboxes: &mut Outboxes,
    ) {
        self.visit(now, session, outboxes, |session, context| session.close(how, reason, context));
    }

    /// Runs one input on one session, removes the session if that ended it, and keeps its deadline
    /// told. `None` for a session that has ended, before or now.
    fn visit<T>(
        &mut self,
        now: Now,
        key: SessionKey,
        outboxes: &mut Outboxes,
        input: impl FnOnce(&mut Session, &mut Context<'_>) -> Result<T, Ending>,
    ) -> Option<T> {
        let session = self.sessions.get_mut(key.cast())?;
        let mut context =
            Context { now: now.monotonic, session: key, shared: &mut self.shared, outboxes };
        match input(session, &mut context) {
            Ok(value) => {
                session.arm(&mut context);
                Some(value)
            }
            Err(ending) => {
                self.remove(now, key, ending, outboxes);
                None
            }
        }
    }

    fn remove(&mut self, now: Now, key: SessionKey, ending: Ending, outboxes: &mut Outboxes) {
        let Some(session) = self.sessions.remove(key.cast()) else { return };
        let hash = self.hasher.hash_one(session.sid);
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == key) {
            entry.remove();
        }
        let mut context =
            Context { now: now.monotonic, session: key, shared: &mut self.shared, outboxes };
        session.end(ending, &mut context);
    }

    /// Whether an id of the host's can be a session's, or why not.
    pub(crate) fn check_sid(&self, text: &str) -> Result<Sid, &'static str> {
        match Sid::parse(text).filter(|sid| *sid != Sid::NONE) {
            None => Err("a session id has 20 characters of A-Z, a-z, 0-9, - and _"),
            Some(_) if self.find(text).is_some() => Err("the session id is in use"),
            Some(sid) => Ok(sid),
        }
    }

    /// The session that is opened next gets this id, which was checked, instead of a random one.
    pub(crate) fn offer_sid(&mut self, sid: Option<Sid>) {
        self.offered_sid = sid;
    }

    fn find(&self, sid: &str) -> Option<(SessionKey, &Session)> {
        let sid = Sid::parse(sid)?;
        let key = *self.index.find(self.hasher.hash_one(sid), |key| {
            self.sessions.get(key.cast()).is_some_and(|session| session.sid == sid)
        })?;
        Some((key, self.sessions.get(key.cast())?))
    }
}

fn initial_message(config: &EngineConfig) -> Option<Rc<Message>> {
    config.initial_packet.as_ref().map(|packet| match packet {
        InitialPacket::Text(text) => Message::text(text),
        InitialPacket::Binary(bytes) => Message::binary(bytes),
    })
}

/// Answers that concern no session.
impl Engine {
    /// The answer to a rejected request that asked for no upgrade.
    pub(crate) fn reject(&mut self, request: &Request, rejection: &Rejection) -> Response {
        self.shared.counters.count_rejected(rejection.code());
        self.with_cors(request, rejection.response())
    }

    /// The answer to a rejected upgrade request, after which the connection is closed.
    pub(crate) fn reject_upgrade(&mut self, rejection: &Rejection) -> Vec<u8> {
        self.shared.counters.count_rejected(rejection.code());
        rejection.upgrade_response()
    }

    /// The answer to [`Route::Preflight`].
    pub(crate) fn preflight(&self, request: &Request) -> Response {
        match &self.shared.config.cors {
            Some(cors) => cors::preflight(cors, request),
            None => Response::new(204),
        }
    }

    /// The answer to [`Route::Unsupported`]. The session lives on.
    pub(crate) fn unsupported_method(&self, request: &Request) -> Response {
        self.with_cors(request, Response::new(500))
    }

    /// The headers that a 101 gets besides those of the WebSocket handshake.
    pub(crate) fn websocket_headers(&self, request: &Request) -> Vec<(&'static str, String)> {
        let Some(cors) = &self.shared.config.cors else { return Vec::new() };
        cors::headers(cors, cors::reflected_origin(Some(cors), request).as_deref())
    }

    pub(crate) fn with_cors(&self, request: &Request, response: Response) -> Response {
        let cors = self.shared.config.cors.as_ref();
        cors::apply(response, cors, cors::reflected_origin(cors, request).as_deref())
    }

    fn respond_session_unknown(&mut self, connection: ConnectionKey, request: &Request) {
        let response = self.reject(request, &Rejection::session_unknown(request));
        self.shared.outputs.push_back(Output::Respond { connection, response });
    }
}

/// Views.
impl Engine {
    pub(crate) const fn config(&self) -> &EngineConfig {
        &self.shared.config
    }

    pub(crate) const fn counters(&self) -> &EngineCounters {
        &self.shared.counters
    }

    /// How many sessions there are, those that are closing included.
    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(crate) const fn websocket_len(&self) -> usize {
        self.shared.websocket_sessions
    }

    /// Every session at this moment, in the order of their keys' indices.
    pub(crate) fn keys(&self) -> Vec<SessionKey> {
        self.sessions.iter().map(|(key, _)| key.cast()).collect()
    }

    /// Whether a session takes messages: it exists and isn't closing.
    pub(crate) fn is_open(&self, session: SessionKey) -> bool {
        self.session(session).is_some_and(|session| session.phase == closing::Phase::Open)
    }

    pub(crate) fn transport(&self, session: SessionKey) -> Option<Transport> {
        self.session(session).map(|session| session.channel.transport())
    }

    /// The revision of the protocol that a session speaks.
    pub(crate) fn protocol(&self, session: SessionKey) -> Option<Protocol> {
        self.session(session).map(|session| session.protocol)
    }

    pub(crate) fn sid(&self, session: SessionKey) -> Option<Sid> {
        self.session(session).map(|session| session.sid)
    }

    /// The WebSocket that carries a session.
    pub(crate) fn websocket(&self, session: SessionKey) -> Option<ConnectionKey> {
        let (connection, _) = self.session(session)?.channel.websocket()?;
        Some(connection)
    }

    fn session(&self, key: SessionKey) -> Option<&Session> {
        self.sessions.get(key.cast())
    }
}

impl fmt::Debug for Engine {
    /// Says how many sessions there are, not which: their ids are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("path", &self.path)
            .field("sessions", &self.len())
            .finish_non_exhaustive()
    }
}
