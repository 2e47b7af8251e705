//! How much waits for whom, and who is told when it is too much and when it is little again.
//!
//! The conductor judges, after a write was tried and came to less than it should; here those are
//! told who want to know. What waits is what the outbox keeps and what a short write has left over.
//!
//! ```text
//! 64 KiB wait: on_high_water, Event::HighWater    the peer reads: on_low_water, Event::LowWater
//! ```

use std::rc::Rc;

use super::Hub;
use super::broadcast::BroadcastOperator;
use super::event::{Event, SocketRef};
use super::handler::List;
use super::io::Io;
use super::session::Session;
use super::socket::Socket;
use crate::slots::SessionKey;

/// A session that has got above its high water, or below its low water after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Water {
    /// So many bytes wait.
    High(usize),
    Low,
}

impl Io<'_> {
    /// Bytes of messages that wait for all sessions, each delivery counted, and what short writes
    /// have left over: what a host looks at that would rather make less than have it wait.
    ///
    /// ```
    /// use throng::Server;
    ///
    /// let server = Server::builder().bind("127.0.0.1:0")?;
    /// if server.io().queued_bytes() < 64 * 1024 * 1024 {
    ///     server.emit("frame", "the next one");
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn queued_bytes(self) -> usize {
        self.hub.state.borrow().outboxes.bytes_total()
    }
}

impl Session<'_> {
    /// Bytes of messages that wait for it, and what a short write has left over: what its peer has
    /// still to take. What a held GET was answered with isn't counted.
    pub fn queued_bytes(self) -> usize {
        self.hub.state.borrow().outboxes.queued_bytes(self.key)
    }
}

impl Socket<'_> {
    /// Bytes that wait for its client, those of the client's other sockets included; see
    /// [`Session::queued_bytes`].
    ///
    /// ```
    /// use throng::Server;
    ///
    /// let server = Server::builder().bind("127.0.0.1:0")?;
    /// server.of("/").on("next", |socket, (): ()| {
    ///     let quality = if socket.queued_bytes() > 32 * 1024 { "low" } else { "high" };
    ///     socket.emit("frame", quality);
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn queued_bytes(self) -> usize {
        let state = self.hub.state.borrow();
        let entry = state.sockets.get(self.key);
        entry.map_or(0, |entry| state.outboxes.queued_bytes(entry.session))
    }
}

impl BroadcastOperator<'_> {
    /// Bytes that wait for the sockets of this server that a message would reach now: of a room,
    /// for instance. It looks at each of them.
    ///
    /// ```
    /// use throng::Server;
    ///
    /// let server = Server::builder().bind("127.0.0.1:0")?;
    /// if server.to("spectators").queued_bytes() < 1024 * 1024 {
    ///     server.to("spectators").emit("replay", "the next part");
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn queued_bytes(self) -> usize {
        let children = self.hub.children_of(self.namespace);
        let namespaces = children.unwrap_or_else(|| vec![self.namespace]);
        let state = &mut *self.hub.state.borrow_mut();
        let mut bytes = 0_usize;
        for namespace in namespaces {
            for member in state.selected_members(namespace, &self.options) {
                bytes = bytes.saturating_add(state.outboxes.queued_bytes(member.session));
            }
        }
        bytes
    }
}

impl Hub {
    /// Tells the sockets of a session.
    pub(crate) fn tell_water(self: &Rc<Self>, session: SessionKey, water: Water) {
        for key in self.sockets_of(session) {
            if !self.is_connected(key) {
                continue;
            }
            if self.state.borrow().is_pulled(key) {
                let socket = SocketRef(key);
                self.pulled.push(match water {
                    Water::High(bytes) => Event::HighWater { socket, bytes },
                    Water::Low => Event::LowWater(socket),
                });
            }
            match water {
                Water::High(bytes) => {
                    let handlers =
                        self.state.borrow().handlers_of(key, |handlers| &handlers.high_water);
                    for handler in handlers.iter().flat_map(List::iter) {
                        self.run(session, || handler(Socket::new(self, key), bytes));
                    }
                    self.let_go(session, handlers);
                }
                Water::Low => {
                    let handlers =
                        self.state.borrow().handlers_of(key, |handlers| &handlers.low_water);
                    for handler in handlers.iter().flat_map(List::iter) {
                        self.run(session, || handler(Socket::new(self, key)));
                    }
                    self.let_go(session, handlers);
                }
            }
        }
    }
}
