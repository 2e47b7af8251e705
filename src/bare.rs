//! Engine.IO as the host sees it: what happens to sessions, and hooks into their making.
//!
//! With a message handler the sessions are the host's own, and there is no Socket.IO. Everything
//! else here works with Socket.IO on top as well, and costs nothing where it isn't declared.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use crate::engineio::{DisconnectReason, Incoming, Protocol, RawPacket, Sent};
use crate::http::{Headers, Request, Response};
use crate::slots::SessionKey;
use crate::socketio::{Hub, Io, Session};

/// The host's handlers and hooks.
#[derive(Default)]
pub(crate) struct Bare {
    handlers: RefCell<Handlers>,
    watched: Cell<Watched>,
}

/// What has a handler, as far as it is asked often.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
pub(crate) struct Watched {
    /// Packets, heartbeats or the begin of upgrades.
    pub(crate) packets: bool,
    pub(crate) headers: bool,
    pub(crate) drains: bool,
    /// Packets that leave.
    pub(crate) sent: bool,
    /// Requests, before anything is made of them.
    pub(crate) requests: bool,
}

#[derive(Clone, Default)]
struct Handlers {
    open: Option<OpenHandler>,
    message: Option<MessageHandler>,
    close: Option<CloseHandler>,
    middlewares: Vec<RequestMiddleware>,
    packet: Option<PacketHandler>,
    packet_sent: Option<PacketHandler>,
    heartbeat: Option<SessionHandler>,
    upgrading: Option<SessionHandler>,
    upgrade: Option<SessionHandler>,
    drain: Option<SessionHandler>,
    initial_headers: Option<HeadersHook>,
    headers: Option<HeadersHook>,
    generate_id: Option<IdGenerator>,
}

type OpenHandler = Rc<dyn Fn(Session<'_>, &Request)>;
type MessageHandler = Rc<dyn Fn(Session<'_>, SessionMessage<'_>)>;
type CloseHandler = Rc<dyn Fn(Session<'_>, DisconnectReason)>;
type PacketHandler = Rc<dyn Fn(Session<'_>, SessionPacket<'_>)>;
type SessionHandler = Rc<dyn Fn(Session<'_>)>;
type HeadersHook = Rc<dyn Fn(&Request, &mut Headers<'_>)>;
type RequestMiddleware = Rc<dyn Fn(Io<'_>, &Request) -> Result<(), Response>>;
type IdGenerator = Rc<dyn Fn(&Request) -> Result<String, String>>;

/// Where handlers for Engine.IO sessions are declared; see
/// [`Server::engine`](crate::Server::engine). A second declaration replaces the first, but for
/// middlewares, which run one after the other.
///
/// A server with a message handler here serves Engine.IO and no Socket.IO; all other handlers and
/// hooks work with both. One that panics is counted and costs the session it ran for.
///
/// ```
/// use throng::{Server, SessionMessage};
///
/// let server = Server::builder().path("/engine.io").bind("127.0.0.1:0")?;
/// server.engine().on_message(|session, message| {
///     match message {
///         SessionMessage::Text { text, .. } => session.send_text(text),
///         SessionMessage::Binary { bytes, .. } => session.send_binary(bytes),
///     };
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct EngineApp<'a> {
    bare: &'a Bare,
}

/// A message of a client (Engine.IO protocol v4, "Message"), with the POST that carried it if it
/// came by polling.
///
/// ```
/// use throng::SessionMessage;
///
/// fn bytes(message: SessionMessage<'_>) -> usize {
///     match message {
///         SessionMessage::Text { text, .. } => text.len(),
///         SessionMessage::Binary { bytes, .. } => bytes.len(),
///     }
/// }
/// assert_eq!(bytes(SessionMessage::Text { text: "four", request: None }), 4);
/// ```
#[derive(Clone, Copy, Debug)]
pub enum SessionMessage<'a> {
    /// Text.
    Text {
        /// The message.
        text: &'a str,
        /// The POST that carried it.
        request: Option<&'a Request>,
    },
    /// Bytes.
    Binary {
        /// The message.
        bytes: &'a [u8],
        /// The POST that carried it.
        request: Option<&'a Request>,
    },
}

/// A packet, its type first (Engine.IO protocol v4, "Packet encoding"). One of a client is as it
/// came, before it is looked at: what it says may be nonsense.
///
/// ```
/// use throng::SessionPacket;
///
/// fn is_pong(packet: SessionPacket<'_>) -> bool {
///     matches!(packet, SessionPacket::Text("3"))
/// }
/// assert!(!is_pong(SessionPacket::Text("42[\"chat\"]")));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionPacket<'a> {
    /// The text of a WebSocket frame or of one packet of a POST.
    Text(&'a str),
    /// The bytes of a message: as they came in a binary frame, in Engine.IO 3 with the type (`4`)
    /// before them; without it where they leave.
    Binary(&'a [u8]),
}

impl EngineApp<'_> {
    /// Runs when a session has opened, with the request that opened it.
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn on_open(self, handler: impl Fn(Session<'_>, &Request) + 'static) -> Self {
        self.declare::<OpenHandler>(|handlers| &mut handlers.open, Rc::new(handler))
    }

    /// Runs at each message. Declaring it makes the sessions bare.
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn on_message(self, handler: impl Fn(Session<'_>, SessionMessage<'_>) + 'static) -> Self {
        self.declare::<MessageHandler>(|handlers| &mut handlers.message, Rc::new(handler))
    }

    /// Runs when a session has ended, after its sockets have left; it can't be sent to any more.
    /// [`Session::close_detail`] may tell more than the reason.
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn on_close(self, handler: impl Fn(Session<'_>, DisconnectReason) + 'static) -> Self {
        self.declare::<CloseHandler>(|handlers| &mut handlers.close, Rc::new(handler))
    }

    /// Runs at every request to Engine.IO before anything is made of it: handshakes, GETs and POSTs
    /// of sessions, upgrades. What it returns as an error is the answer, and nothing else comes of
    /// the request. Several run in the order of declaration.
    ///
    /// It is for what concerns every request, such as a limit by address; who gets in is decided
    /// once, by [`Server::allow_request`](crate::Server::allow_request), and headers are added by
    /// [`EngineApp::on_headers`]. A POST is shown without its body. Preflights are answered before,
    /// where there is [`Cors`](crate::config::Cors), and the client's files are none of
    /// Engine.IO's. A middleware that panics makes it 400 with code 3
    /// ([`Rejection::MiddlewareFailed`](crate::Rejection::MiddlewareFailed)).
    ///
    /// ```
    /// use throng::Server;
    /// use throng::http::Response;
    ///
    /// let server = Server::builder().bind("127.0.0.1:0")?;
    /// server.engine().middleware(|_, request| match request.header("user-agent") {
    ///     Some(name) if name.contains("bad bot") => Err(Response::new(403)),
    ///     _ => Ok(()),
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn middleware(
        self,
        middleware: impl Fn(Io<'_>, &Request) -> Result<(), Response> + 'static,
    ) -> Self {
        self.bare.handlers.borrow_mut().middlewares.push(Rc::new(middleware));
        let watched = Watched { requests: true, ..self.bare.watched() };
        self.bare.watched.set(watched);
        self
    }

    /// Runs at each packet of an open session, before anything is made of it.
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn on_packet(self, handler: impl Fn(Session<'_>, SessionPacket<'_>) + 'static) -> Self {
        self.declare::<PacketHandler>(|handlers| &mut handlers.packet, Rc::new(handler))
    }

    /// Runs at each packet that has been handed to a connection of its session, at the end of the
    /// turn: open packets, messages, and pings or, to clients of Engine.IO 3, pongs; not at those
    /// of an upgrade or a close. A message with attachments is told as the packets that it is.
    ///
    /// The reference tells of them when they are made (`packetCreate`) and once more together when
    /// they leave (`flush`). A broadcast is told once for each session that it reaches, which is
    /// what makes it dear: for numbers alone there is
    /// [`Io::engine_counters`](crate::Io::engine_counters). What it sends leaves with the next
    /// turn: a handler that always sends keeps the loop busy.
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn on_packet_sent(
        self,
        handler: impl Fn(Session<'_>, SessionPacket<'_>) + 'static,
    ) -> Self {
        self.declare::<PacketHandler>(|handlers| &mut handlers.packet_sent, Rc::new(handler))
    }

    /// Runs when a client has shown that it lives: at each pong or, of a client of Engine.IO
    /// 3, at each ping.
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn on_heartbeat(self, handler: impl Fn(Session<'_>) + 'static) -> Self {
        self.declare::<SessionHandler>(|handlers| &mut handlers.heartbeat, Rc::new(handler))
    }

    /// Runs when a polling session's WebSocket has probed (`2probe`). The upgrade may still fail,
    /// and nobody is told of that.
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn on_upgrading(self, handler: impl Fn(Session<'_>) + 'static) -> Self {
        self.declare::<SessionHandler>(|handlers| &mut handlers.upgrading, Rc::new(handler))
    }

    /// Runs when a session has moved from polling to WebSocket.
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn on_upgrade(self, handler: impl Fn(Session<'_>) + 'static) -> Self {
        self.declare::<SessionHandler>(|handlers| &mut handlers.upgrade, Rc::new(handler))
    }

    /// Runs when all that waited for a session has been handed to its connection: once for each
    /// flush, at the end of the turn. What it sends leaves with the next turn, which then comes at
    /// once: a handler that always sends keeps the loop busy.
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn on_drain(self, handler: impl Fn(Session<'_>) + 'static) -> Self {
        self.declare::<SessionHandler>(|handlers| &mut handlers.drain, Rc::new(handler))
    }

    /// Changes the headers of the answers that open sessions: of polling, and the 101 of a
    /// WebSocket. Runs before what [`EngineApp::on_headers`] declares, which gets these too.
    ///
    /// ```
    /// # let server = throng::Server::builder().bind("127.0.0.1:0")?;
    /// server.engine().on_initial_headers(|_, headers| {
    ///     headers.append("Set-Cookie", "node=a; Path=/; HttpOnly");
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn on_initial_headers(self, hook: impl Fn(&Request, &mut Headers<'_>) + 'static) -> Self {
        self.declare::<HeadersHook>(|handlers| &mut handlers.initial_headers, Rc::new(hook))
    }

    /// Changes the headers of every answer that carries packets or takes some: to a polling GET or
    /// POST, and the 101 of a WebSocket, whose own headers (`Upgrade`, `Connection`,
    /// `Sec-WebSocket-Accept`) are out of reach. Errors aren't asked about.
    ///
    /// A GET that waits for its answer is kept whole for this, head and headers, while this or
    /// [`EngineApp::on_initial_headers`] is declared: some hundred bytes for each polling client.
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn on_headers(self, hook: impl Fn(&Request, &mut Headers<'_>) + 'static) -> Self {
        self.declare::<HeadersHook>(|handlers| &mut handlers.headers, Rc::new(hook))
    }

    /// Makes the ids of sessions (the `sid` of the wire), from the request that opens one, in place
    /// of 120 random bits.
    ///
    /// An id is kept inline with its session: it has exactly 20 characters of `A-Z`, `a-z`, `0-9`,
    /// `-` and `_`, not all of them `A`. Who knows it may speak for the client, so it must not be
    /// guessable. An error, an id of another form, and one that is in use are answered 400 with
    /// code 3 ([`Rejection::IdNotGenerated`](crate::Rejection::IdNotGenerated)); on a WebSocket
    /// that comes before the 101, where the reference writes it behind.
    ///
    /// ```
    /// # fn random_text(_characters: usize) -> Result<String, std::io::Error> {
    /// #     Ok("0123456789abcdefg".to_owned())
    /// # }
    /// # let server = throng::Server::builder().bind("127.0.0.1:0")?;
    /// server.engine().generate_id(|_| random_text(17).map(|id| format!("n1-{id}")));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn generate_id<E: fmt::Display>(
        self,
        generate: impl Fn(&Request) -> Result<String, E> + 'static,
    ) -> Self {
        let generate =
            move |request: &Request| generate(request).map_err(|error| error.to_string());
        self.declare::<IdGenerator>(|handlers| &mut handlers.generate_id, Rc::new(generate))
    }

    fn declare<T>(self, place: fn(&mut Handlers) -> &mut Option<T>, handler: T) -> Self {
        let replaced = {
            let handlers = &mut *self.bare.handlers.borrow_mut();
            let replaced = place(handlers).replace(handler);
            self.bare.watched.set(Watched {
                packets: handlers.packet.is_some()
                    || handlers.heartbeat.is_some()
                    || handlers.upgrading.is_some(),
                headers: handlers.headers.is_some() || handlers.initial_headers.is_some(),
                drains: handlers.drain.is_some(),
                sent: handlers.packet_sent.is_some(),
                requests: !handlers.middlewares.is_empty(),
            });
            replaced
        };
        // Dropping the host's closure may run the host's code: not while it is borrowed.
        drop(replaced);
        self
    }
}

impl Bare {
    pub(crate) fn declare(&self) -> EngineApp<'_> {
        EngineApp { bare: self }
    }

    /// Whether sessions are the host's own.
    pub(crate) fn is_declared(&self) -> bool {
        self.handlers.borrow().message.is_some()
    }

    pub(crate) fn watched(&self) -> Watched {
        self.watched.get()
    }

    pub(crate) fn handle_open(&self, hub: &Rc<Hub>, key: SessionKey, request: &Request) {
        let handler = self.handlers.borrow().open.clone();
        if let Some(handler) = handler {
            run(hub, key, |session| handler(session, request));
        }
    }

    pub(crate) fn handle_message(
        &self,
        hub: &Rc<Hub>,
        key: SessionKey,
        message: &Incoming<'_>,
        request: Option<&Request>,
    ) {
        let handler = self.handlers.borrow().message.clone();
        let message = match message {
            Incoming::Text(text) => SessionMessage::Text { text, request },
            Incoming::Binary(bytes) => SessionMessage::Binary { bytes, request },
        };
        if let Some(handler) = handler {
            run(hub, key, |session| handler(session, message));
        }
    }

    pub(crate) fn handle_closed(&self, hub: &Rc<Hub>, key: SessionKey, reason: DisconnectReason) {
        let handler = self.handlers.borrow().close.clone();
        if let Some(handler) = handler {
            run(hub, key, |session| handler(session, reason));
        }
    }

    /// A packet of the connection that carries an open session, or posts for it.
    pub(crate) fn handle_packet(&self, hub: &Rc<Hub>, key: SessionKey, packet: RawPacket<'_>) {
        let (handler, heartbeat) = {
            let handlers = self.handlers.borrow();
            (handlers.packet.clone(), handlers.heartbeat.clone())
        };
        let packet = match packet {
            RawPacket::Text(text) => SessionPacket::Text(text),
            RawPacket::Binary(bytes) => SessionPacket::Binary(bytes),
            RawPacket::Malformed => return,
        };
        if let Some(handler) = handler {
            run(hub, key, |session| handler(session, packet));
        }
        let Some(handler) = heartbeat else { return };
        let beat = match hub.state.borrow().engine.protocol(key) {
            Some(Protocol::V3) => '2',
            _ => '3',
        };
        if matches!(packet, SessionPacket::Text(text) if text.starts_with(beat)) {
            run(hub, key, |session| handler(session));
        }
    }

    /// A packet, or a message with its attachments, that has left.
    pub(crate) fn handle_sent(&self, hub: &Rc<Hub>, key: SessionKey, sent: &Sent) {
        let Some(handler) = self.handlers.borrow().packet_sent.clone() else { return };
        let tell = |packet: SessionPacket<'_>| run(hub, key, |session| handler(session, packet));
        match sent {
            Sent::Control(text) => tell(SessionPacket::Text(text)),
            Sent::Message(message) => {
                if let Some(text) = message.packet_text() {
                    tell(SessionPacket::Text(text));
                }
                let attachments = message.attachments().iter().map(|bytes| &**bytes);
                for bytes in message.payload_binary().into_iter().chain(attachments) {
                    tell(SessionPacket::Binary(bytes));
                }
            }
        }
    }

    /// What the host's middlewares make of a request: an error is their answer or, without one,
    /// that one has panicked.
    pub(crate) fn check(&self, hub: &Rc<Hub>, request: &Request) -> Result<(), Option<Response>> {
        let middlewares = self.handlers.borrow().middlewares.clone();
        for middleware in middlewares {
            let mut verdict = Err(None);
            hub.run_unbound(|| verdict = middleware(Io::new(hub), request).map_err(Some));
            verdict?;
        }
        Ok(())
    }

    pub(crate) fn handle_upgrading(&self, hub: &Rc<Hub>, key: SessionKey) {
        let handler = self.handlers.borrow().upgrading.clone();
        if let Some(handler) = handler {
            run(hub, key, |session| handler(session));
        }
    }

    pub(crate) fn handle_upgrade(&self, hub: &Rc<Hub>, key: SessionKey) {
        let handler = self.handlers.borrow().upgrade.clone();
        if let Some(handler) = handler {
            run(hub, key, |session| handler(session));
        }
    }

    pub(crate) fn handle_drain(&self, hub: &Rc<Hub>, key: SessionKey) {
        let handler = self.handlers.borrow().drain.clone();
        if let Some(handler) = handler {
            run(hub, key, |session| handler(session));
        }
    }

    /// Lets the host change the headers of an answer. A panic leaves them as far as it came.
    pub(crate) fn change_headers(
        &self,
        hub: &Rc<Hub>,
        request: &Request,
        is_initial: bool,
        mut headers: Headers<'_>,
    ) {
        let (initial, always) = {
            let handlers = self.handlers.borrow();
            (handlers.initial_headers.clone().filter(|_| is_initial), handlers.headers.clone())
        };
        for hook in [initial, always].into_iter().flatten() {
            hub.run_unbound(|| hook(request, &mut headers));
        }
    }

    /// The host's id for the session that a request opens; `None` if the server makes it.
    pub(crate) fn generate_id(
        &self,
        hub: &Rc<Hub>,
        request: &Request,
    ) -> Option<Result<String, String>> {
        let generate = self.handlers.borrow().generate_id.clone()?;
        let mut generated = Err("the generator of ids panicked".to_owned());
        hub.run_unbound(|| generated = generate(request));
        Some(generated)
    }
}

/// A panic of the host's costs the session it ran for.
fn run(hub: &Rc<Hub>, key: SessionKey, closure: impl FnOnce(Session<'_>)) {
    let session = Session::of(hub, key);
    if !hub.run_unbound(|| closure(session)) {
        session.close();
    }
}

impl fmt::Debug for EngineApp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EngineApp(..)")
    }
}
