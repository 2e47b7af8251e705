//! How clients and sockets come and go.
//!
//! A CONNECT is decided at once: middleware, reply, connection handlers, in this order and within
//! one call. A socket leaves in two steps, as in the reference: its `disconnecting` handlers run
//! while its rooms are still there, its `disconnect` handlers when they are gone.

use std::rc::Rc;

use super::ack::Pending;
use super::event::{Event, SocketRef};
use super::handler::{ConnectHandler, DisconnectHandler, Handlers, List, Refusal};
use super::namespaces::NamespaceId;
use super::nesting::Aftermath;
use super::recovery::Welcome;
use super::rooms::{Member, SocketKey};
use super::socket::Socket;
use super::sockets::{SocketEntry, SocketState};
use super::{Hub, Opening, State, Timer};
use crate::config::HandshakeRetention;
use crate::engineio::{Close, DisconnectReason};
use crate::message::Message;
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
            self.handle_at_bottom(|| self.join_namespace(session, NamespaceId::MAIN, None));
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
        self.close_adapters();
    }

    /// Whether a client may have a further socket; if not, that is counted.
    pub(super) fn has_room_for_socket(&self, session: SessionKey) -> bool {
        let state = &mut *self.state.borrow_mut();
        let sockets = state.clients.get(session).map_or(0, |client| client.sockets);
        let full = sockets as usize >= state.config.sockets_per_client_max;
        state.counters.sockets_over_limit += u64::from(full);
        !full
    }

    /// A client comes into a namespace, or as far as its middlewares let it.
    pub(super) fn join_namespace(
        self: &Rc<Self>,
        session: SessionKey,
        id: NamespaceId,
        auth: Option<Rc<str>>,
    ) {
        let claim = if self.recovers { auth.clone() } else { None };
        let key = self.state.borrow_mut().insert_socket(session, id, auth);
        match key {
            Some(key) if self.recovers => self.identify(session, key, claim.as_deref()),
            Some(key) => self.begin_course(session, key),
            None => {}
        }
    }

    /// All middlewares have let it pass: it is in.
    pub(super) fn let_in(self: &Rc<Self>, session: SessionKey, key: SocketKey) {
        if !self.admit_socket(session, key) {
            return;
        }
        self.run_effects();
        // Whoever watches the rooms may have thrown it out again; its `disconnect` handlers have
        // run by then.
        let handlers = self.state.borrow().connect_handlers(key);
        for handler in handlers.iter().flat_map(List::iter) {
            self.run(session, || handler(Socket::new(self, key)));
        }
        self.let_go(session, handlers);
        self.state.borrow_mut().release_handshake(session, key);
    }

    /// A middleware has refused it.
    pub(super) fn refuse_socket(
        self: &Rc<Self>,
        session: SessionKey,
        key: SocketKey,
        refusal: &Refusal,
    ) {
        let Some(message) = self.encode_refusal(session, key, refusal) else { return };
        {
            let state = &mut *self.state.borrow_mut();
            if state.session_of_connecting(key).is_none() {
                return;
            }
            state.counters.refused += 1;
            state.outboxes.push(session, &message, Lane::Soon);
        }
        self.discard_socket(session, key);
    }

    /// What a client that is refused hears; `None` if its socket isn't on its way in.
    fn encode_refusal(
        &self,
        session: SessionKey,
        key: SocketKey,
        refusal: &Refusal,
    ) -> Option<Rc<Message>> {
        let (namespace, json) = {
            let state = self.state.borrow();
            let entry = state.connecting(key)?;
            let namespace = Rc::clone(&state.namespaces.get(entry.namespace).name);
            (namespace, state.refusal_v2(session, refusal))
        };
        Some(if let Some(json) = json {
            self.format.encode_refusal_v2(&namespace, &json)
        } else {
            let (text, data) = (refusal.message(), refusal.data_json());
            self.format.encode_connect_error(&namespace, text, data)
        })
    }

    /// Makes the socket a member and queues its CONNECT reply, unless it has gone meanwhile.
    ///
    /// A parser may be the host's own: nothing is borrowed while it writes the reply, and what it
    /// did otherwise is looked at when it has.
    fn admit_socket(&self, session: SessionKey, key: SocketKey) -> bool {
        let Some((name, welcome)) = self.state.borrow().welcome(session, key) else {
            return false;
        };
        let message = self.format.encode_connect(&name, welcome.as_ref());
        let Some(is_pulled) = self.state.borrow_mut().admit(session, key, &message) else {
            return false;
        };
        if is_pulled {
            self.pulled.push(Event::Connected(SocketRef(key)));
        }
        true
    }

    /// Takes a socket out of its namespace; its handlers run before this returns, unless handlers
    /// are nested so deep already that its turn comes at the bottom.
    pub(super) fn close_socket(self: &Rc<Self>, key: SocketKey, reason: DisconnectReason) {
        let connecting = self.state.borrow().session_of_connecting(key);
        if let Some(session) = connecting {
            return self.discard_socket(session, key);
        }
        let Some((session, disconnecting, is_pulled)) = self.begin_leaving(key, reason) else {
            return;
        };
        self.tell_leaving(session, key, reason, disconnecting);
        if is_pulled {
            self.pull_leaving(key, reason);
        }
        self.persist(key, reason);
        let (acks, disconnect) = self.state.borrow_mut().leave_namespace(key);
        self.run_effects();
        self.tell_leaving(session, key, reason, disconnect);
        self.abandon_acks(session, key, acks);
        self.end_socket(session, key);
    }

    /// Nobody finds it any more but those who have its view.
    fn end_socket(self: &Rc<Self>, session: SessionKey, key: SocketKey) {
        let namespace = self.state.borrow_mut().retire_socket(key);
        self.free_socket(session, key);
        if let Some(namespace) = namespace {
            self.clean_up_namespace(session, namespace);
        }
    }

    /// From here on the socket leaves; its `disconnecting` handlers are returned, and whether that
    /// is told as a value. Too deep within handlers its end is put off.
    fn begin_leaving(&self, key: SocketKey, reason: DisconnectReason) -> Option<Leaving> {
        let state = &mut *self.state.borrow_mut();
        let entry = state.sockets.get_mut(key).filter(|entry| entry.state.may_join())?;
        if self.is_too_deep() {
            state.aftermath.push_back(Aftermath::Close(key, reason));
            return None;
        }
        entry.state = SocketState::Disconnecting;
        let session = entry.session;
        let is_pulled = state.namespaces.get(entry.namespace).handlers.is_pulled;
        Some((session, state.handlers_of(key, |handlers| &handlers.disconnecting), is_pulled))
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
        self.let_go(session, handlers);
    }

    /// Forgets a socket that was never let in; whatever it asked meanwhile isn't answered.
    fn discard_socket(self: &Rc<Self>, session: SessionKey, key: SocketKey) {
        let acks = {
            let state = &mut *self.state.borrow_mut();
            // One that was to recover is in its rooms already.
            state.leave_rooms(key, false);
            let Some(entry) = state.sockets.get_mut(key) else { return };
            entry.state = SocketState::Disconnected;
            take_acks(entry)
        };
        self.run_effects();
        self.abandon_acks(session, key, acks);
        self.end_socket(session, key);
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
            state.restores.remove(&session);
            let removed = state.clients.remove(session);
            if let Some(deadline) = removed.as_ref().and_then(|client| client.connect_deadline) {
                state.timers.cancel(deadline);
            }
            removed
        };
        if removed.as_ref().is_some_and(|client| client.waiting.is_some()) {
            // What a parser keeps may run the host's code when it is dropped.
            self.nest(|| drop(removed));
        }
    }
}

impl State {
    /// Makes the socket's entry, unless the client has gone.
    fn insert_socket(
        &mut self,
        session: SessionKey,
        namespace: NamespaceId,
        auth: Option<Rc<str>>,
    ) -> Option<SocketKey> {
        self.clients.get_mut(session)?.sockets += 1;
        let entry = self.namespaces.get_mut(namespace);
        entry.sockets_len += 1;
        let name = Rc::clone(&entry.name);
        let id = self.new_socket_id(session, &name);
        let key = self.sockets.insert(SocketEntry {
            id,
            session,
            namespace,
            state: SocketState::Connecting,
            position: u32::MAX,
            sibling: None,
            auth,
            extras: None,
        });
        self.link_socket(session, key);
        if self.is_v2(session) {
            // Its id isn't random: one that asks twice before it is in gets it twice.
            self.sockets.claim_id(key);
        }
        Some(key)
    }

    /// The name of the namespace that a socket is about to enter, and what its client is told.
    fn welcome(&self, session: SessionKey, key: SocketKey) -> Option<(Rc<str>, Option<Welcome>)> {
        let entry = self.connecting(key)?;
        let name = Rc::clone(&self.namespaces.get(entry.namespace).name);
        Some((name, self.connect_payload(session, key, &entry.id)))
    }

    /// Makes a socket a member and tells its client; `None` if it isn't on its way in any more.
    /// Whether that is told as a value, too, is returned.
    fn admit(&mut self, session: SessionKey, key: SocketKey, reply: &Rc<Message>) -> Option<bool> {
        let entry = self.sockets.get_mut(key)?;
        if entry.state != SocketState::Connecting {
            return None;
        }
        entry.state = SocketState::Connected;
        let namespace = self.namespaces.get_mut(entry.namespace);
        entry.position = namespace.add(Member { socket: key, session });
        let is_pulled = namespace.handlers.is_pulled;
        self.counters.connected += 1;
        let mut is_first = true;
        if let Some(client) = self.clients.get_mut(session) {
            is_first = client.first_socket == Some(key);
            if let Some(deadline) = client.connect_deadline.take() {
                self.timers.cancel(deadline);
            }
        }
        // Of two sockets in one namespace the one that got in last is the client's.
        if !is_first {
            self.unlink_socket(key);
            self.link_socket(session, key);
        }
        self.outboxes.push(session, reply, Lane::Soon);
        self.record_own_room(key);
        Some(is_pulled)
    }

    /// Ends the membership; what the socket was asked and has not answered is returned, and who
    /// wants to hear that it has left.
    fn leave_namespace(&mut self, key: SocketKey) -> (Vec<Pending>, [List<DisconnectHandler>; 2]) {
        let Some(entry) = self.sockets.get_mut(key) else { return Default::default() };
        entry.state = SocketState::Disconnected;
        let (id, position) = (entry.namespace, entry.position);
        let acks = take_acks(entry);
        self.leave_rooms(key, true);
        self.forget_member(id, position);
        self.counters.disconnected += 1;
        (acks, self.handlers_of(key, |handlers| &handlers.disconnect))
    }

    /// Who hears that a socket is in; nobody if it has left by now.
    fn connect_handlers(&self, key: SocketKey) -> [List<ConnectHandler>; 2] {
        match self.sockets.get(key) {
            Some(entry) if entry.state.may_join() => {
                self.handlers_of(key, |handlers| &handlers.connect)
            }
            _ => Default::default(),
        }
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

    /// Puts a socket before all others of its client.
    fn link_socket(&mut self, session: SessionKey, key: SocketKey) {
        if let Some(client) = self.clients.get_mut(session)
            && let Some(entry) = self.sockets.get_mut(key)
        {
            entry.sibling = client.first_socket.replace(key);
        }
    }

    /// Takes a socket off the books of its client and its namespace, which is returned.
    fn retire_socket(&mut self, key: SocketKey) -> Option<NamespaceId> {
        self.unlink_socket(key);
        let entry = self.sockets.get(key)?;
        if let Some(client) = self.clients.get_mut(entry.session) {
            client.sockets -= 1;
        }
        self.namespaces.get_mut(entry.namespace).sockets_len -= 1;
        Some(entry.namespace)
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

/// The session of a socket that leaves, who is told, and whether as a value, too.
type Leaving = (SessionKey, [List<DisconnectHandler>; 2], bool);
