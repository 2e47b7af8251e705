//! The emits of one socket, with flags.
//!
//! It isn't a broadcast: see `broadcast` for what goes to many.
//!
//! ```text
//! socket.volatile().compress(false).emit("position", (1.5, 2.5))    42["position",1.5,2.5]
//! socket.timeout(5 s).emit_with_ack("name?", (), callback)          4212["name?"]
//! ```

use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::ack::{AckCallback, AckError};
use super::adapter::{OutgoingEvent, send};
use super::event::AskId;
use super::payload::{Args, IntoArgs, OwnedArgs};
use super::rooms::Member;
use super::socket::{Address, Socket, assert_not_reserved};
use crate::outbox::{Delivery, Lane};

/// A socket's emits with flags, in any order; see [`Socket::volatile`], [`Socket::compress`] and
/// [`Socket::timeout`].
///
/// ```
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// server.of("/").on_connect(|socket| {
///     socket.volatile().compress(false).emit("position", (&1.5, &2.5));
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy)]
#[must_use = "nothing is sent before `emit`"]
pub struct Emitter<'a> {
    socket: Socket<'a>,
    volatile: bool,
    compress: bool,
    timeout: Option<Duration>,
}

impl<'a> Emitter<'a> {
    pub(super) fn new(socket: Socket<'a>) -> Self {
        Self { socket, volatile: false, compress: true, timeout: None }
    }

    /// Adds [`Socket::volatile`].
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// Adds [`Socket::compress`].
    pub fn compress(mut self, compress: bool) -> Self {
        self.compress = compress;
        self
    }

    /// Adds [`Socket::timeout`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// As [`Socket::emit`].
    ///
    /// # Panics
    /// As [`Socket::emit`].
    pub fn emit(self, event: &str, args: impl IntoArgs) -> Delivery {
        assert_not_reserved(event);
        let (hub, key) = (self.socket.hub, self.socket.key);
        let Some(address) = hub.address(key) else { return Delivery::Dropped };
        // What can be recovered is told like a broadcast: with its offset, when it is queued.
        if !address.may_be_heard || hub.recovers || !hub.hears_outgoing(key) {
            return self.send(&address, event, args);
        }
        let Some(args) = self.tell(event, args) else { return Delivery::Dropped };
        // Whoever was told may have disconnected it.
        let Some(address) = hub.address(key) else { return Delivery::Dropped };
        self.send(&address, event, &args)
    }

    /// Tells the outgoing catch-alls.
    fn tell(self, event: &str, args: impl IntoArgs) -> Option<OwnedArgs> {
        let hub = self.socket.hub;
        let args = hub.encoded(OwnedArgs::new(args))?;
        hub.tell_outgoing(self.socket.key, event, args.as_args());
        Some(args)
    }

    fn send(self, address: &Address, event: &str, args: impl IntoArgs) -> Delivery {
        let Address { namespace, session, may_be_heard } = address;
        let hub = self.socket.hub;
        let encoded = hub.encoded(hub.format.encode_event(namespace, event, None, args));
        let Some(mut draft) = encoded else { return Delivery::Dropped };
        draft.set_compress(self.compress);
        if hub.recovers {
            let event = OutgoingEvent::new(draft, None).watched(*may_be_heard);
            return hub.emit_recoverably(self.socket.key, event, self.volatile).as_delivery();
        }
        let message = draft.finish();
        let mut state = hub.state.borrow_mut();
        let soft_bytes_max = state.soft_bytes_max;
        let member = Member { socket: self.socket.key, session: *session };
        let outboxes = &mut state.outboxes;
        let delivery = send(outboxes, member, &message, Lane::Soon, self.volatile, soft_bytes_max);
        state.counters.count_emit(delivery);
        delivery
    }

    /// As [`Socket::emit_with_ack`].
    ///
    /// # Panics
    /// As [`Socket::emit`].
    pub fn emit_with_ack<T: DeserializeOwned>(
        self,
        event: &str,
        args: impl IntoArgs,
        callback: impl FnOnce(Socket<'_>, Result<T, AckError>) + 'static,
    ) {
        self.emit_with_raw_ack(event, args, |socket, answer| {
            let parsed = answer.and_then(|args| args.parse().map_err(|_| AckError::Malformed));
            if matches!(parsed, Err(AckError::Malformed)) {
                socket.hub.state.borrow_mut().counters.acks_rejected += 1;
            }
            callback(socket, parsed);
        });
    }

    /// As [`Socket::emit_with_raw_ack`].
    ///
    /// # Panics
    /// As [`Socket::emit`].
    pub fn emit_with_raw_ack(
        self,
        event: &str,
        args: impl IntoArgs,
        callback: impl FnOnce(Socket<'_>, Result<Args<'_>, AckError>) + 'static,
    ) {
        assert_not_reserved(event);
        let callback: AckCallback = Box::new(callback);
        let Socket { hub, key } = self.socket;
        if hub.recovers || !hub.hears_outgoing(key) {
            return self.send_asking(event, args, callback);
        }
        match self.tell(event, args) {
            Some(args) => self.send_asking(event, &args, callback),
            None => hub.tell_not_sent(key, callback),
        }
    }

    /// As [`Socket::ask`].
    ///
    /// # Panics
    /// As [`Socket::emit`].
    pub fn ask(self, event: &str, args: impl IntoArgs) -> AskId {
        let (ask, tell) = self.socket.hub.pull_answer();
        self.emit_with_raw_ack(event, args, tell);
        ask
    }

    fn send_asking(self, event: &str, args: impl IntoArgs, callback: AckCallback) {
        let Socket { hub, key } = self.socket;
        let Some((id, namespace)) = hub.reserve_ack(key) else {
            return hub.tell_not_sent(key, callback);
        };
        let encoded = hub.encoded(hub.format.encode_event(&namespace, event, Some(id), args));
        let Some(mut draft) = encoded else {
            return hub.tell_not_sent(key, callback);
        };
        draft.set_compress(self.compress);
        if hub.recovers {
            let event = OutgoingEvent::new(draft, Some(id)).watched(hub.hears_outgoing(key));
            hub.ask_recoverably(key, event, self.volatile, self.timeout, callback);
        } else {
            hub.ask(key, id, &draft.finish(), self.volatile, self.timeout, callback);
        }
    }
}

impl fmt::Debug for Emitter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter")
            .field("socket", &self.socket)
            .field("volatile", &self.volatile)
            .field("compress", &self.compress)
            .field("timeout", &self.timeout)
            .finish()
    }
}
