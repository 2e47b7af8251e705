//! Engine.IO without Socket.IO: sessions that carry the host's own messages.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use crate::engineio::{Close, DisconnectReason, Incoming, Protocol, Sid, Transport};
use crate::http::Request;
use crate::message::Message;
use crate::outbox::{Delivery, Lane};
use crate::slots::SessionKey;
use crate::socketio::Hub;

/// The host's handlers for bare sessions.
#[derive(Default)]
pub(crate) struct Bare {
    handlers: RefCell<Handlers>,
}

#[derive(Clone, Default)]
struct Handlers {
    open: Option<OpenHandler>,
    message: Option<MessageHandler>,
    close: Option<CloseHandler>,
}

type OpenHandler = Rc<dyn Fn(Session<'_>, &Request)>;
type MessageHandler = Rc<dyn Fn(Session<'_>, SessionMessage<'_>)>;
type CloseHandler = Rc<dyn Fn(Session<'_>, DisconnectReason)>;

/// Where handlers for bare Engine.IO sessions are declared; see
/// [`Server::engine`](crate::Server::engine).
///
/// A server with a message handler here serves Engine.IO and no Socket.IO.
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

/// One bare session, as a handler sees it: `Copy`, valid while the call lasts.
///
/// ```
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// server.engine().on_message(|_, _| {}).on_open(|session, request| {
///     println!("{:?} by {:?} from {:?}", session.sid(), session.transport(), request.peer());
///     session.send_text("welcome");
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Session<'a> {
    hub: &'a Rc<Hub>,
    key: SessionKey,
}

/// Names a session between calls, for [`Server::session`](crate::Server::session).
///
/// Kept for too long it finds nothing, never another session. It isn't the `sid` of the wire.
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// let open = Rc::new(RefCell::new(Vec::new()));
/// let opened = Rc::clone(&open);
/// server.engine().on_message(|_, _| {}).on_open(move |session, _| {
///     opened.borrow_mut().push(session.id());
/// });
/// for session in open.borrow().iter().filter_map(|&id| server.session(id)) {
///     session.send_text("tick");
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(SessionKey);

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

impl EngineApp<'_> {
    /// Runs when a session has opened, with the request that opened it.
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn on_open(self, handler: impl Fn(Session<'_>, &Request) + 'static) -> Self {
        let replaced = self.bare.handlers.borrow_mut().open.replace(Rc::new(handler));
        // Dropping the host's closure may run the host's code: not while it is borrowed.
        drop(replaced);
        self
    }

    /// Runs at each message. Declaring it makes the sessions bare.
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn on_message(self, handler: impl Fn(Session<'_>, SessionMessage<'_>) + 'static) -> Self {
        let replaced = self.bare.handlers.borrow_mut().message.replace(Rc::new(handler));
        // Dropping the host's closure may run the host's code: not while it is borrowed.
        drop(replaced);
        self
    }

    /// Runs when a session has ended; it can't be sent to any more.
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn on_close(self, handler: impl Fn(Session<'_>, DisconnectReason) + 'static) -> Self {
        let replaced = self.bare.handlers.borrow_mut().close.replace(Rc::new(handler));
        // Dropping the host's closure may run the host's code: not while it is borrowed.
        drop(replaced);
        self
    }
}

impl<'a> Session<'a> {
    pub(crate) fn new(hub: &'a Rc<Hub>, id: SessionId) -> Self {
        Self { hub, key: id.0 }
    }

    /// Names it for later.
    pub fn id(self) -> SessionId {
        SessionId(self.key)
    }

    /// The session id of the handshake: a secret between this server and its client.
    pub fn sid(self) -> Option<String> {
        self.hub.state.borrow().engine.sid(self.key).as_ref().map(Sid::to_string)
    }

    /// How it speaks at this moment; `None` once it has ended.
    pub fn transport(self) -> Option<Transport> {
        self.hub.state.borrow().engine.transport(self.key)
    }

    /// The revision of the protocol that it speaks; `None` once it has ended.
    pub fn protocol(self) -> Option<Protocol> {
        self.hub.state.borrow().engine.protocol(self.key)
    }

    /// Queues a text message.
    pub fn send_text(self, text: &str) -> Delivery {
        self.send(&Message::text(text))
    }

    /// Queues a binary message.
    pub fn send_binary(self, bytes: &[u8]) -> Delivery {
        self.send(&Message::binary(bytes))
    }

    /// Ends the session once what is queued has been sent.
    pub fn close(self) {
        let state = &mut *self.hub.state.borrow_mut();
        let reason = DisconnectReason::ForcedClose;
        state.engine.close(state.now, self.key, Close::Graceful, reason, &mut state.outboxes);
    }

    fn send(self, message: &Rc<Message>) -> Delivery {
        let state = &mut *self.hub.state.borrow_mut();
        if state.outboxes.push(self.key, message, Lane::Soon).is_some() {
            Delivery::Queued
        } else {
            Delivery::Dropped
        }
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

    pub(crate) fn handle_open(&self, hub: &Rc<Hub>, key: SessionKey, request: &Request) {
        let handler = self.handlers.borrow().open.clone();
        run(hub, key, || {
            if let Some(handler) = handler {
                handler(Session { hub, key }, request);
            }
        });
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
        run(hub, key, || {
            if let Some(handler) = handler {
                handler(Session { hub, key }, message);
            }
        });
    }

    pub(crate) fn handle_closed(&self, hub: &Rc<Hub>, key: SessionKey, reason: DisconnectReason) {
        let handler = self.handlers.borrow().close.clone();
        run(hub, key, || {
            if let Some(handler) = handler {
                handler(Session { hub, key }, reason);
            }
        });
    }
}

/// A panic of the host's costs the session it ran for.
fn run(hub: &Rc<Hub>, key: SessionKey, closure: impl FnOnce()) {
    if !hub.run_unbound(closure) {
        Session { hub, key }.close();
    }
}

impl fmt::Debug for EngineApp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EngineApp(..)")
    }
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({:?})", self.key)
    }
}
