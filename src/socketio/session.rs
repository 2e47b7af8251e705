//! The view of one Engine.IO session that handlers hold: `Copy`, valid while the call lasts.
//!
//! It is what the sockets of one client have in common, and all there is without Socket.IO. Like a
//! socket it is an address: a session that has ended answers with nothing.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use super::Hub;
use super::handshake::Handshake;
use super::socket::Socket;
use crate::engineio::{Close, DisconnectReason, Protocol, Sid, Transport};
use crate::message::Message;
use crate::outbox::{Delivery, Lane};
use crate::slots::SessionKey;

/// One Engine.IO session, as a handler sees it: the client behind a socket, or a bare session.
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
    pub(super) hub: &'a Rc<Hub>,
    pub(super) key: SessionKey,
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

/// What is kept of sessions beside Engine.IO's own state; nothing for most.
#[derive(Debug, Default)]
pub(crate) struct SessionNotes {
    /// The host's data, one value of each type, of the sessions that have some.
    data: HashMap<SessionKey, Vec<Rc<dyn Any>>>,
    /// The session whose end is being told of at this moment.
    ended: Option<Ended>,
}

/// A session that has just ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) session: SessionKey,
    pub(crate) sid: Sid,
    pub(crate) detail: Option<&'static str>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(hub: &'a Rc<Hub>, id: SessionId) -> Self {
        Self { hub, key: id.0 }
    }

    pub(crate) fn of(hub: &'a Rc<Hub>, key: SessionKey) -> Self {
        Self { hub, key }
    }

    /// A session that is there, or whose end is being told of.
    pub(super) fn find(hub: &'a Rc<Hub>, key: SessionKey) -> Option<Self> {
        let session = Self { hub, key };
        session.sid().map(|_| session)
    }

    /// Names it for later.
    pub fn id(self) -> SessionId {
        SessionId(self.key)
    }

    /// The session id of the handshake: a secret between this server and its client. `None` once
    /// the session has ended and its handlers have been told.
    pub fn sid(self) -> Option<String> {
        let state = self.hub.state.borrow();
        let sid = state.engine.sid(self.key).or(state.sessions.ended(self.key).map(|end| end.sid));
        sid.as_ref().map(Sid::to_string)
    }

    /// How it speaks at this moment; `None` once it has ended.
    pub fn transport(self) -> Option<Transport> {
        self.hub.state.borrow().engine.transport(self.key)
    }

    /// The revision of the protocol that it speaks; `None` once it has ended.
    pub fn protocol(self) -> Option<Protocol> {
        self.hub.state.borrow().engine.protocol(self.key)
    }

    /// The request that opened it, without a CONNECT payload; empty on a bare session, whose `open`
    /// handler gets the request itself.
    pub fn handshake(self) -> Handshake {
        let state = self.hub.state.borrow();
        let client = state.clients.get(self.key);
        Handshake::new(client.and_then(|client| client.opening.clone()), None)
    }

    /// Its sockets, one for each namespace it is in or about to enter, the first to join first.
    pub fn sockets(self) -> Vec<Socket<'a>> {
        let keys = self.hub.sockets_of(self.key);
        keys.into_iter().map(|key| Socket::new(self.hub, key)).collect()
    }

    /// Queues a text message of Engine.IO. Under Socket.IO that is a whole packet, which the client
    /// must be able to read.
    pub fn send_text(self, text: &str) -> Delivery {
        self.send(&Message::text(text))
    }

    /// Queues a binary message of Engine.IO.
    pub fn send_binary(self, bytes: &[u8]) -> Delivery {
        self.send(&Message::binary(bytes))
    }

    /// Ends the session once what is queued has been sent; its sockets leave with "forced close".
    pub fn close(self) {
        let state = &mut *self.hub.state.borrow_mut();
        let reason = DisconnectReason::ForcedClose;
        state.engine.close(state.now, self.key, Close::Graceful, reason, &mut state.outboxes);
    }

    /// More about why it ended, for people, while its end is told of (in `disconnecting`,
    /// `disconnect` and `close` handlers): the message of the reference's `description`, such as
    /// `overlap from client` or `Max payload size exceeded`. Most ends have none.
    pub fn close_detail(self) -> Option<&'static str> {
        self.hub.state.borrow().sessions.ended(self.key)?.detail
    }

    /// The host's data of type `T`, kept with the session and shared by its sockets, one value of
    /// each type; made by `Default` at the first call. A session without any costs nothing.
    ///
    /// ```
    /// # use std::cell::Cell;
    /// # use throng::Server;
    /// # let server = Server::builder().bind("127.0.0.1:0")?;
    /// server.of("/").on_connect(|socket| {
    ///     if let Some(session) = socket.session() {
    ///         let joined = session.data::<Cell<u32>>();
    ///         joined.set(joined.get() + 1);
    ///     }
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn data<T: Default + 'static>(self) -> Rc<T> {
        let kept = {
            let state = self.hub.state.borrow();
            let mut kept = state.sessions.data.get(&self.key).into_iter().flatten();
            kept.find_map(|data| Rc::clone(data).downcast::<T>().ok())
        };
        kept.unwrap_or_else(|| {
            let data = Rc::new(T::default());
            self.set_data(Rc::clone(&data));
            data
        })
    }

    /// Replaces the host's data of type `T`; of a session that has ended nothing is kept.
    pub fn set_data<T: 'static>(self, data: Rc<T>) {
        let mut state = self.hub.state.borrow_mut();
        if state.engine.transport(self.key).is_none() && state.sessions.ended(self.key).is_none() {
            return;
        }
        let kept = state.sessions.data.entry(self.key).or_default();
        let place = kept.iter().position(|kept| kept.is::<T>());
        let replaced = place.map(|place| kept.swap_remove(place));
        kept.push(data);
        // Dropping the host's value may run the host's code: not while the state is borrowed.
        drop(state);
        drop(replaced);
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

impl SessionNotes {
    /// From here to [`SessionNotes::end`] the session's end is told of.
    pub(crate) fn begin_end(&mut self, ended: Ended) {
        self.ended = Some(ended);
    }

    /// Forgets the session; its data is the host's, to be dropped when nothing is borrowed.
    pub(crate) fn end(&mut self, session: SessionKey) -> Option<Vec<Rc<dyn Any>>> {
        self.ended = None;
        if self.data.is_empty() { None } else { self.data.remove(&session) }
    }

    pub(super) fn ended(&self, session: SessionKey) -> Option<&Ended> {
        self.ended.as_ref().filter(|ended| ended.session == session)
    }
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({:?})", self.key)
    }
}
