//! What a packet does: its socket found, its handlers called.
//!
//! From a frame to the closure nothing is copied and no JSON value is built: the packet borrows the
//! receive buffer (see `incoming`), the arguments are parsed straight into the closure's type.

use std::borrow::Cow;
use std::rc::Rc;

use super::Hub;
use super::ack::Ack;
use super::incoming::Mistake;
use super::packet::{AckId, Packet};
use super::payload::Args;
use super::rooms::SocketKey;
use super::socket::Socket;
use super::sockets::SocketState;
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
                let socket = self.socket_in(session, namespace)?;
                self.handle_event(session, socket, name, args, id);
                Ok(())
            }
            Packet::Ack { namespace, id, args } => {
                let socket = self.socket_in(session, namespace)?;
                self.handle_ack(socket, id, args);
                Ok(())
            }
            Packet::Disconnect { namespace } => {
                let socket = self.socket_in(session, namespace)?;
                self.close_socket(socket, DisconnectReason::ClientNamespaceDisconnect);
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
        if self.socket_in(session, namespace).is_ok() {
            return Err(Mistake::Protocol);
        }
        let address = self.state.borrow().address(session, namespace);
        self.connect_socket(session, address.namespace, address.auth(payload).as_deref());
        Ok(())
    }

    /// The connected socket of a client in a namespace.
    fn socket_in(&self, session: SessionKey, namespace: &str) -> Result<SocketKey, Mistake> {
        let state = self.state.borrow();
        let namespace = match namespace {
            "/" => namespace,
            _ => state.address(session, namespace).namespace,
        };
        let mut next = state.clients.get(session).and_then(|client| client.first_socket);
        while let Some(key) = next {
            let entry = state.sockets.get(key).ok_or(Mistake::Protocol)?;
            if entry.state == SocketState::Connected
                && *state.namespaces.get(entry.namespace).name == *namespace
            {
                return Ok(key);
            }
            next = entry.sibling;
        }
        Err(Mistake::Protocol)
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
        let (common, own, namespace) = {
            let state = &mut *self.state.borrow_mut();
            state.counters.events += 1;
            let Some(entry) = state.sockets.get(key) else { return };
            let namespace = state.namespaces.get(entry.namespace);
            let common = namespace.handlers.at(&name);
            let own = entry.handlers().map(|handlers| handlers.at(&name)).unwrap_or_default();
            if common.len() + own.len() == 0 {
                state.counters.events_unhandled += 1;
                return;
            }
            (common, own, id.map(|_| Rc::clone(&namespace.name)))
        };
        let mut ack =
            id.zip(namespace).map(|(id, namespace)| Ack::new(self, session, namespace, id));
        let mut left = common.len() + own.len();
        for handler in common.iter().chain(own.iter()) {
            left -= 1;
            let ack = if left > 0 { ack.as_mut().map(Ack::share) } else { ack.take() };
            self.run(session, || handler(Socket::new(self, key), args, ack));
        }
        self.let_go(session, common);
        self.let_go(session, own);
    }

    fn handle_ack(self: &Rc<Self>, key: SocketKey, id: Option<AckId>, args: Args<'_>) {
        let Some((session, pending)) = self.take_ack(key, id) else {
            self.state.borrow_mut().counters.acks_unknown += 1;
            return;
        };
        self.run(session, || (pending.callback)(Socket::new(self, key), Ok(args)));
    }
}
