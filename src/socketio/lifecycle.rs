//! How clients and sockets come and go.
//!
//! A CONNECT is decided at once: middleware, reply, connection handlers, in this order and within
//! one call. A socket leaves in two steps, as in the reference: its `disconnecting` handlers run
//! while its rooms are still there, its `disconnect` handlers when they are gone.

use std::rc::Rc;

use super::ack::Pending;
use super::handler::{DisconnectHandler, Handlers, List, Refusal};
use super::namespaces::NamespaceId;
use super::nesting::Aftermath;
use super::rooms::{Member, SocketKey};
use super::socket::Socket;
use super::sockets::{SocketEntry, SocketState};
use super::{Hub, Opening, State, Timer};
use crate::config::HandshakeRetention;
use crate::engineio::{Close, DisconnectReason};
use crate::outbox::Lane;
use crate::slots::SessionKey;

/// When the close of a session takes effect.
enum Closed {
    AtOnce,
    Later,
}

impl Hub {
    /// A session has opened: from now on it has a client, who must join a namespace in time. One
    /// of EIO 3 asks for `/` by coming.
    pub(crate) fn handle_open(self: &Rc<Self>, session: SessionKey, opening: Option<Opening>) {
        let is_v2 = {
            let state = &mut *self.state.borrow_mut();
            state.clients.insert(session, opening.map(Rc::new));
            let at = state.now.monotonic.saturating_add(state.config.connect_timeout);
            let deadline = state.timers.schedule(at, Timer::Connect(session));
            if let Some(client) = state.clients.get_mut(session) {
                client.connect_deadline = Some(deadline);
            }
            state.is_v2(session)
        };
        if is_v2 {
            self.connect_socket(session, "/", None);
        }
    }

    /// A session has ended: its sockets leave.
    pub(crate) fn handle_closed(self: &Rc<Self>, session: SessionKey, reason: DisconnectReason) {
        for key in self.sockets_of(session) {
            self.close_socket(key, reason);
        }
        self.remove_client(session);
    }

    /// No namespace was joined in time.
    pub(super) fn handle_connect_timeout(self: &Rc<Self>, session: SessionKey) {
        self.state.borrow_mut().counters.connect_timeouts += 1;
        self.close_client(session);
    }

    /// Closes a client's session; the reason its sockets get tells whether that was done at once.
    pub(crate) fn close_client(self: &Rc<Self>, session: SessionKey) {
        let reason = match self.close_session(session) {
            Some(Closed::AtOnce) => DisconnectReason::ForcedClose,
            Some(Closed::Later) => DisconnectReason::ForcedServerClose,
            None => return,
        };
        self.handle_closed(session, reason);
    }

    /// Closes the session of a client whose packet could not be decoded. In the reference its
    /// sockets hear of it from Engine.IO, so that the reason is the same however long it takes.
    pub(super) fn close_undecodable_client(self: &Rc<Self>, session: SessionKey) {
        if self.close_session(session).is_some() {
            self.handle_closed(session, DisconnectReason::ForcedClose);
        }
    }

    fn close_session(&self, session: SessionKey) -> Option<Closed> {
        let state = &mut *self.state.borrow_mut();
        state.clients.get(session)?;
        let reason = DisconnectReason::ForcedClose;
        state.engine.close(state.now, session, Close::Graceful, reason, &mut state.outboxes);
        // A session that waits for a GET to be told in is still there.
        Some(match state.engine.transport(session) {
            None => Closed::AtOnce,
            Some(_) => Closed::Later,
        })
    }

    /// Every socket leaves because the server closes; no packet says so.
    pub(crate) fn close_all(self: &Rc<Self>) {
        let keys = self.state.borrow().sockets.keys();
        for key in keys {
            self.close_socket(key, DisconnectReason::ServerShuttingDown);
        }
    }

    pub(super) fn connect_socket(
        self: &Rc<Self>,
        session: SessionKey,
        namespace: &str,
        payload: Option<&str>,
    ) {
        let Some(key) = self.insert_socket(session, namespace, payload) else { return };
        if let Err(refusal) = self.run_middlewares(session, key) {
            {
                let state = &mut *self.state.borrow_mut();
                let message = if let Some(json) = state.refusal_v2(session, &refusal) {
                    self.format.encode_refusal_v2(namespace, &json)
                } else {
                    let (message, data) = (refusal.message(), refusal.data_json());
                    self.format.encode_connect_error(namespace, message, data)
                };
                state.counters.refused += 1;
                state.outboxes.push(session, &message, Lane::Soon);
            }
            return self.discard_socket(session, key);
        }
        if !self.admit_socket(session, key) {
            return;
        }
        let handlers = {
            let state = self.state.borrow();
            let entry = state.sockets.get(key).map(|entry| entry.namespace);
            entry.map(|id| state.namespaces.get(id).handlers.connect.clone()).unwrap_or_default()
        };
        for handler in handlers.iter() {
            self.run(session, || handler(Socket::new(self, key)));
        }
        self.state.borrow_mut().release_handshake(session, key);
    }

    /// Makes the socket's entry, or refuses the client because there is no such namespace.
    fn insert_socket(
        &self,
        session: SessionKey,
        namespace: &str,
        payload: Option<&str>,
    ) -> Option<SocketKey> {
        let state = &mut *self.state.borrow_mut();
        let Some(id) = state.namespaces.find(namespace) else {
            state.counters.namespaces_unknown += 1;
            let message = self.format.encode_connect_error(namespace, "Invalid namespace", None);
            state.outboxes.push(session, &message, Lane::Soon);
            return None;
        };
        let socket_id = state.new_socket_id(session, namespace);
        let client = state.clients.get_mut(session)?;
        let key = state.sockets.insert(SocketEntry {
            id: socket_id,
            session,
            namespace: id,
            state: SocketState::Connecting,
            position: u32::MAX,
            sibling: client.first_socket,
            auth: payload.map(Rc::from),
            extras: None,
        });
        client.first_socket = Some(key);
        Some(key)
    }

    /// A middleware may close the session or panic: then there is nobody to refuse any more.
    fn run_middlewares(
        self: &Rc<Self>,
        session: SessionKey,
        key: SocketKey,
    ) -> Result<(), Refusal> {
        let middlewares = {
            let state = self.state.borrow();
            let entry = state.sockets.get(key).map(|entry| entry.namespace);
            entry
                .map(|id| state.namespaces.get(id).handlers.middlewares.clone())
                .unwrap_or_default()
        };
        for middleware in middlewares.iter() {
            let mut decision = Ok(());
            self.run(session, || decision = middleware(Socket::new(self, key)));
            decision?;
        }
        Ok(())
    }

    /// Makes the socket a member and queues its CONNECT reply, unless it has gone meanwhile.
    fn admit_socket(&self, session: SessionKey, key: SocketKey) -> bool {
        let state = &mut *self.state.borrow_mut();
        let Some(entry) = state.sockets.get_mut(key) else { return false };
        if entry.state != SocketState::Connecting {
            return false;
        }
        let namespace = state.namespaces.get_mut(entry.namespace);
        entry.state = SocketState::Connected;
        entry.position = namespace.add(Member { socket: key, session });
        state.counters.connected += 1;
        if let Some(client) = state.clients.get_mut(session)
            && let Some(deadline) = client.connect_deadline.take()
        {
            state.timers.cancel(deadline);
        }
        let (name, id) = (Rc::clone(&namespace.name), entry.id.clone());
        let payload = state.connect_payload(session, &id);
        let message = self.format.encode_connect(&name, payload.as_deref());
        state.outboxes.push(session, &message, Lane::Soon);
        true
    }

    /// Takes a socket out of its namespace; its handlers run before this returns, unless handlers
    /// are nested so deep already that its turn comes at the bottom.
    pub(super) fn close_socket(self: &Rc<Self>, key: SocketKey, reason: DisconnectReason) {
        if let Some(session) = self.session_of_connecting(key) {
            return self.discard_socket(session, key);
        }
        let Some((session, disconnecting)) = self.begin_leaving(key, reason) else { return };
        self.tell_leaving(session, key, reason, disconnecting);
        let (acks, disconnect) = self.state.borrow_mut().leave_namespace(key);
        self.tell_leaving(session, key, reason, disconnect);
        self.abandon_acks(session, key, acks);
        self.state.borrow_mut().unlink_socket(key);
        self.free_socket(session, key);
    }

    /// From here on the socket leaves; its `disconnecting` handlers are returned. Too deep within
    /// handlers its end is put off.
    fn begin_leaving(&self, key: SocketKey, reason: DisconnectReason) -> Option<Leaving> {
        let state = &mut *self.state.borrow_mut();
        let entry = state.sockets.get_mut(key).filter(|entry| entry.state.may_join())?;
        if self.is_too_deep() {
            state.aftermath.push_back(Aftermath::Close(key, reason));
            return None;
        }
        entry.state = SocketState::Disconnecting;
        let session = entry.session;
        Some((session, state.handlers_of(key, |handlers| &handlers.disconnecting)))
    }

    fn tell_leaving(
        self: &Rc<Self>,
        session: SessionKey,
        key: SocketKey,
        reason: DisconnectReason,
        handlers: [List<DisconnectHandler>; 2],
    ) {
        for handler in handlers.iter().flat_map(List::iter) {
            self.run(session, || handler(Socket::new(self, key), reason));
        }
        for list in handlers {
            self.let_go(session, list);
        }
    }

    fn session_of_connecting(&self, key: SocketKey) -> Option<SessionKey> {
        let state = self.state.borrow();
        let entry = state.sockets.get(key)?;
        (entry.state == SocketState::Connecting).then_some(entry.session)
    }

    /// Forgets a socket that was never let in; whatever it asked meanwhile isn't answered.
    fn discard_socket(self: &Rc<Self>, session: SessionKey, key: SocketKey) {
        let acks = {
            let state = &mut *self.state.borrow_mut();
            state.unlink_socket(key);
            let Some(entry) = state.sockets.get_mut(key) else { return };
            entry.state = SocketState::Disconnected;
            take_acks(entry)
        };
        self.abandon_acks(session, key, acks);
        self.free_socket(session, key);
    }

    /// The sockets of a client, the first to join first.
    pub(super) fn sockets_of(&self, session: SessionKey) -> Vec<SocketKey> {
        let state = self.state.borrow();
        let mut next = state.clients.get(session).and_then(|client| client.first_socket);
        let mut keys = Vec::new();
        while let Some(key) = next {
            keys.push(key);
            next = state.sockets.get(key).and_then(|entry| entry.sibling);
        }
        keys.reverse();
        keys
    }

    fn remove_client(&self, session: SessionKey) {
        let removed = {
            let state = &mut *self.state.borrow_mut();
            let removed = state.clients.remove(session);
            if let Some(deadline) = removed.as_ref().and_then(|client| client.connect_deadline) {
                state.timers.cancel(deadline);
            }
            removed
        };
        // What a parser keeps may run the host's code when it is dropped.
        drop(removed);
    }
}

impl State {
    /// Ends the membership; what the socket was asked and has not answered is returned, and who
    /// wants to hear that it has left.
    fn leave_namespace(&mut self, key: SocketKey) -> (Vec<Pending>, [List<DisconnectHandler>; 2]) {
        let Some(entry) = self.sockets.get_mut(key) else { return Default::default() };
        entry.state = SocketState::Disconnected;
        let (id, position) = (entry.namespace, entry.position);
        let acks = take_acks(entry);
        let (adapter, mut local) = self.local(id);
        adapter.leave_all(&mut local, key);
        self.forget_member(id, position);
        self.counters.disconnected += 1;
        (acks, self.handlers_of(key, |handlers| &handlers.disconnect))
    }

    /// Those of its namespace, and its own.
    pub(super) fn handlers_of<T>(
        &self,
        key: SocketKey,
        list: impl Fn(&Handlers) -> &List<T>,
    ) -> [List<T>; 2] {
        let Some(entry) = self.sockets.get(key) else { return Default::default() };
        let common = list(&self.namespaces.get(entry.namespace).handlers).clone();
        [common, entry.handlers().map(|own| list(own).clone()).unwrap_or_default()]
    }

    fn forget_member(&mut self, id: NamespaceId, position: u32) {
        if let Some(moved) = self.namespaces.get_mut(id).remove(position)
            && let Some(entry) = self.sockets.get_mut(moved)
        {
            entry.position = position;
        }
    }

    /// Takes a socket out of its client's list.
    fn unlink_socket(&mut self, key: SocketKey) {
        let Some(entry) = self.sockets.get_mut(key) else { return };
        let (session, sibling) = (entry.session, entry.sibling.take());
        let Some(client) = self.clients.get_mut(session) else { return };
        if client.first_socket == Some(key) {
            client.first_socket = sibling;
            return;
        }
        let mut next = client.first_socket;
        while let Some(kept) = next.and_then(|kept| self.sockets.get_mut(kept)) {
            if kept.sibling == Some(key) {
                kept.sibling = sibling;
                break;
            }
            next = kept.sibling;
        }
    }

    fn release_handshake(&mut self, session: SessionKey, key: SocketKey) {
        if self.config.handshake == HandshakeRetention::ForLife {
            return;
        }
        if let Some(client) = self.clients.get_mut(session) {
            client.opening = None;
        }
        if let Some(entry) = self.sockets.get_mut(key) {
            entry.auth = None;
        }
    }
}

impl SocketState {
    /// Until it has left, a socket may be sent something.
    pub(super) fn may_emit(self) -> bool {
        self != Self::Disconnected
    }

    /// A socket joins rooms while it is a member, `disconnecting` handlers not included.
    pub(super) fn may_join(self) -> bool {
        self == Self::Connected
    }
}

fn take_acks(entry: &mut SocketEntry) -> Vec<Pending> {
    entry.extras.as_mut().map(|extras| extras.acks.take_all()).unwrap_or_default()
}

/// The session of a socket that leaves, and who is told.
type Leaving = (SessionKey, [List<DisconnectHandler>; 2]);
