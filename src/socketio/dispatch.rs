//! What a packet does: its socket found, its handlers called.
//!
//! From a frame to the closure nothing is copied and no JSON value is built: the packet borrows the
//! receive buffer (see `incoming`), the arguments are parsed straight into the closure's type.

use std::borrow::Cow;
use std::rc::Rc;

use super::ack::Ack;
use super::handler::{EventHandler, Handlers, List};
use super::incoming::Mistake;
use super::packet::{AckId, Packet};
use super::payload::Args;
use super::rooms::SocketKey;
use super::socket::Socket;
use super::sockets::SocketState;
use super::{Hub, State};
use crate::engineio::DisconnectReason;
use crate::slots::SessionKey;

impl Hub {
    pub(super) fn handle_packet(
        self: &Rc<Self>,
        session: SessionKey,
        packet: Packet<'_>,
    ) -> Result<(), Mistake> {
        match packet {
            Packet::Connect { namespace, payload } => {
                self.connect(session, namespace, payload.as_deref())
            }
            Packet::Event { namespace, id, name, args } => {
                if let Some(socket) = self.addressee(session, namespace)? {
                    self.handle_event(session, socket, name, args, id);
                }
                Ok(())
            }
            Packet::Ack { namespace, id, args } => {
                if let Some(socket) = self.addressee(session, namespace)? {
                    self.handle_ack(socket, id, args);
                }
                Ok(())
            }
            Packet::Disconnect { namespace } => {
                if let Some(socket) = self.addressee(session, namespace)? {
                    self.close_socket(socket, DisconnectReason::ClientNamespaceDisconnect);
                }
                Ok(())
            }
            Packet::ConnectError { .. } => Err(Mistake::Protocol),
        }
    }

    fn connect(
        self: &Rc<Self>,
        session: SessionKey,
        namespace: &str,
        payload: Option<&str>,
    ) -> Result<(), Mistake> {
        if self.socket_in(session, namespace).is_some() {
            return Err(Mistake::Protocol);
        }
        if !self.has_room_for_socket(session) {
            return Err(Mistake::Protocol);
        }
        let (address, id) = {
            let state = self.state.borrow();
            let address = state.address(session, namespace);
            let id = state.namespaces.find(address.namespace);
            (address, id)
        };
        let auth = address.auth(payload).map(Rc::from);
        match id {
            Some(id) => self.join_namespace(session, id, auth),
            None => self.wish_for_namespace(session, address.namespace, auth),
        }
        Ok(())
    }

    /// Whom a packet is for. If the server has thrown somebody out in this very tick that may be
    /// nobody, and the packet is dropped, as in the reference: its client couldn't know.
    fn addressee(
        &self,
        session: SessionKey,
        namespace: &str,
    ) -> Result<Option<SocketKey>, Mistake> {
        if let Some(key) = self.socket_in(session, namespace) {
            return Ok(Some(key));
        }
        let state = self.state.borrow();
        let left_in_tick = state.clients.get(session).map(|client| client.left_in_tick);
        if left_in_tick == Some(state.outboxes.tick()) { Ok(None) } else { Err(Mistake::Protocol) }
    }

    /// The connected socket of a client in a namespace.
    fn socket_in(&self, session: SessionKey, namespace: &str) -> Option<SocketKey> {
        let state = self.state.borrow();
        let namespace = match namespace {
            "/" => namespace,
            _ => state.address(session, namespace).namespace,
        };
        let mut next = state.clients.get(session).and_then(|client| client.first_socket);
        while let Some(key) = next {
            let entry = state.sockets.get(key)?;
            if entry.state == SocketState::Connected
                && *state.namespaces.get(entry.namespace).name == *namespace
            {
                return Some(key);
            }
            next = entry.sibling;
        }
        None
    }

    fn handle_event(
        self: &Rc<Self>,
        session: SessionKey,
        key: SocketKey,
        name: Option<Cow<'_, str>>,
        args: Args<'_>,
        id: Option<AckId>,
    ) {
        let Some(name) = name else { return };
        let found = self.state.borrow_mut().begin_event(key, &name);
        match found {
            Found::Nobody => {}
            Found::Handlers(common, own, namespace) => {
                let ack = id.map(|id| Ack::new(self, session, namespace, id));
                self.run_handlers(session, key, [common, own], args, ack);
            }
            Found::Watchers => self.handle_watched_event(session, key, &name, args, id),
        }
    }

    /// An event that others see before its handlers do, or that is told as a value.
    #[cold]
    fn handle_watched_event(
        self: &Rc<Self>,
        session: SessionKey,
        key: SocketKey,
        name: &str,
        args: Args<'_>,
        id: Option<AckId>,
    ) {
        if !self.intercept(session, key, name, args) {
            return;
        }
        let is_pulled = self.state.borrow().is_pulled(key);
        let found = self.state.borrow_mut().find_handlers(key, name);
        let Found::Handlers(common, own, namespace) = found else { return };
        let mut ack = id.map(|id| Ack::new(self, session, Rc::clone(&namespace), id));
        if is_pulled {
            let is_last = common.len() + own.len() == 0;
            let ack = if is_last { ack.take() } else { ack.as_mut().map(Ack::share) };
            self.pull_message(key, &namespace, name, args, ack);
        }
        self.run_handlers(session, key, [common, own], args, ack);
    }

    #[inline]
    fn run_handlers(
        self: &Rc<Self>,
        session: SessionKey,
        key: SocketKey,
        [common, own]: [List<EventHandler>; 2],
        args: Args<'_>,
        mut ack: Option<Ack>,
    ) {
        let mut left = common.len() + own.len();
        for handler in common.iter().chain(own.iter()) {
            left -= 1;
            let ack = if left > 0 { ack.as_mut().map(Ack::share) } else { ack.take() };
            self.run(session, || handler(Socket::new(self, key), args, ack));
        }
        self.let_go(session, [common, own]);
    }

    fn handle_ack(self: &Rc<Self>, key: SocketKey, id: Option<AckId>, args: Args<'_>) {
        let Some((session, pending)) = self.take_ack(key, id) else {
            self.state.borrow_mut().counters.acks_unknown += 1;
            return;
        };
        self.tell_answer(session, key, pending.answerer, Ok(args));
    }
}

/// Who is interested in an event.
enum Found {
    Nobody,
    /// Somebody sees it before the handlers do.
    Watchers,
    /// Handlers of its namespace and of its socket, and the name of the namespace; none where it is
    /// only pulled.
    Handlers(List<EventHandler>, List<EventHandler>, Rc<str>),
}

impl State {
    fn begin_event(&mut self, key: SocketKey, name: &str) -> Found {
        self.counters.events += 1;
        let Some(entry) = self.sockets.get(key) else { return Found::Nobody };
        let common = &self.namespaces.get(entry.namespace).handlers;
        if common.intercept() || entry.handlers().is_some_and(Handlers::intercept) {
            return Found::Watchers;
        }
        self.find_handlers(key, name)
    }

    #[inline]
    fn find_handlers(&mut self, key: SocketKey, name: &str) -> Found {
        let Some(entry) = self.sockets.get(key) else { return Found::Nobody };
        let namespace = self.namespaces.get(entry.namespace);
        let common = namespace.handlers.at(name);
        let own = entry.handlers().map(|handlers| handlers.at(name)).unwrap_or_default();
        if common.len() + own.len() == 0 && !namespace.handlers.is_pulled {
            self.counters.events_unhandled += 1;
            return Found::Nobody;
        }
        Found::Handlers(common, own, Rc::clone(&namespace.name))
    }
}
