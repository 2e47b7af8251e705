//! A socket of whatever server, as `fetch_sockets` shows it: what it was at that moment, and what
//! can be done to it wherever it is.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::Hub;
use super::ack::AckError;
use super::adapter::{Emitted, SocketSnapshot};
use super::broadcast::{BroadcastOperator, RoomNames};
use super::io::Io;
use super::namespaces::NamespaceId;
use super::payload::IntoArgs;
use super::socket_id::SocketId;

/// A socket of this server or another, as it was when it was fetched.
///
/// What it does is a broadcast to the room that bears its id, so it works wherever the socket is
/// and does nothing if it has left.
///
/// ```
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// server.to("lobby").fetch_sockets(|_, sockets| {
///     for socket in sockets.unwrap_or_default() {
///         println!("{} is in {:?}", socket.id(), socket.rooms());
///         socket.join("hall");
///         socket.emit("moved", &"hall");
///     }
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct RemoteSocket<'a> {
    hub: &'a Rc<Hub>,
    namespace: NamespaceId,
    snapshot: SocketSnapshot,
    timeout: Option<Duration>,
}

impl<'a> RemoteSocket<'a> {
    pub(super) fn new(hub: &'a Rc<Hub>, namespace: NamespaceId, snapshot: SocketSnapshot) -> Self {
        Self { hub, namespace, snapshot, timeout: None }
    }

    /// Its id.
    pub fn id(&self) -> SocketId {
        self.snapshot.id.clone()
    }

    /// The rooms it was in, the one that bears its own id first.
    pub fn rooms(&self) -> &[Rc<str>] {
        &self.snapshot.rooms
    }

    /// What its client brought when it came: the object of [`Handshake`](crate::Handshake) as JSON.
    pub fn handshake_json(&self) -> Rc<str> {
        self.snapshot.handshake_json()
    }

    /// The same, parsed.
    pub fn handshake<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.snapshot.handshake_json()).ok()
    }

    /// The data that its namespace shares
    /// ([`Namespace::shared_data`](crate::Namespace::shared_data)), as JSON.
    pub fn data_json(&self) -> &str {
        self.snapshot.data_json()
    }

    /// The same, parsed; `None` if it is of another shape.
    pub fn data<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.snapshot.data_json()).ok()
    }

    /// Puts it into a room (or several).
    pub fn join(&self, rooms: impl RoomNames) {
        self.operator().sockets_join(rooms);
    }

    /// Takes it out of a room (or several).
    pub fn leave(&self, rooms: impl RoomNames) {
        self.operator().sockets_leave(rooms);
    }

    /// Takes it out of its namespace; see [`Socket::disconnect`](crate::Socket::disconnect).
    pub fn disconnect(&self) {
        self.operator().disconnect_sockets();
    }

    /// Takes its client out of all its namespaces and closes the connection.
    pub fn disconnect_client(&self) {
        self.operator().disconnect_clients();
    }

    /// Sends it an event.
    ///
    /// # Panics
    /// As [`Socket::emit`](crate::Socket::emit).
    pub fn emit(&self, event: &str, args: impl IntoArgs) -> Emitted {
        self.operator().emit(event, args)
    }

    /// How long [`RemoteSocket::emit_with_ack`] waits.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends it an event and asks for its acknowledgement: the first argument of it. One that has
    /// left is told as [`AckError::Disconnected`].
    ///
    /// # Panics
    /// As [`Socket::emit`](crate::Socket::emit).
    pub fn emit_with_ack<T: DeserializeOwned>(
        &self,
        event: &str,
        args: impl IntoArgs,
        callback: impl FnOnce(Io<'_>, Result<T, AckError>) + 'static,
    ) {
        self.operator().emit_with_ack::<T>(event, args, |io, mut answers| {
            callback(
                io,
                match answers.values.pop() {
                    Some(answer) => Ok(answer),
                    None if answers.rejected > 0 => Err(AckError::Malformed),
                    None if answers.timed_out => Err(AckError::Timeout),
                    None => Err(AckError::Disconnected),
                },
            );
        });
    }

    fn operator(&self) -> BroadcastOperator<'a> {
        let operator = BroadcastOperator::new(self.hub, self.namespace).to(&self.snapshot.id);
        match self.timeout {
            Some(timeout) => operator.timeout(timeout),
            None => operator,
        }
    }
}

impl fmt::Debug for RemoteSocket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteSocket({})", self.id())
    }
}
