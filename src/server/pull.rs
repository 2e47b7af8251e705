//! What happened, handed out as values: for a host that would rather hold its world `&mut` than
//! share it with closures.

use super::Server;
use crate::reactor::net::Net;
use crate::socketio::{Event, Socket, SocketRef};

impl<N: Net> Server<N> {
    /// What happened next in the namespaces that are pulled
    /// ([`Namespace::pull`](crate::Namespace::pull)), in the order in which it did, and the answers
    /// to what was asked by [`Socket::ask`](crate::Socket::ask); `None` when all has been pulled.
    ///
    /// The events of a turn wait here when [`poll`](Self::poll) returns. `poll` doesn't wait while
    /// some are left, and where too many are reads no further message
    /// ([`pulled_events_max`](crate::config::SocketConfig::pulled_events_max)).
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use throng::{Event, Server, SocketRef};
    ///
    /// let mut server = Server::builder().bind("127.0.0.1:3000")?;
    /// server.of("/").pull();
    /// let mut positions: Vec<(SocketRef, f64)> = Vec::new();
    /// while !server.is_closed() {
    ///     server.poll(Some(Duration::from_millis(16)))?;
    ///     while let Some(event) = server.next_event() {
    ///         match event {
    ///             Event::Connected(socket) => positions.push((socket, 0.0)),
    ///             Event::Message(message) if message.name() == "move" => {
    ///                 let (Ok(by), socket) = (message.parse::<f64>(), message.socket()) else {
    ///                     continue;
    ///                 };
    ///                 let player = positions.iter_mut().find(|(player, _)| *player == socket);
    ///                 if let Some((player, position)) = player {
    ///                     *position += by;
    ///                     server.socket(*player).emit("position", &*position);
    ///                 }
    ///             }
    ///             Event::Disconnected { socket, .. } => {
    ///                 positions.retain(|(player, _)| *player != socket);
    ///             }
    ///             _ => {}
    ///         }
    ///     }
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            let mut event = self.hub.pulled.pop()?;
            match &mut event {
                // Deciding about it runs what comes after, at this moment and not at that of the
                // turn.
                Event::Connecting { .. } => self.begin_host_tick(),
                // What it has become by now; one that was taken off in between is told of no more.
                Event::Source { readiness, source, .. } => match self.sources.take_pending(*source)
                {
                    Some(pending) => *readiness = pending,
                    None => continue,
                },
                _ => {}
            }
            return Some(event);
        }
    }

    /// The view of a socket that was named by an [`Event`] or by
    /// [`Socket::to_ref`](crate::Socket::to_ref).
    pub fn socket(&self, socket: SocketRef) -> Socket<'_> {
        self.io().socket(socket)
    }

    /// Whether so many events wait that no further message is dispatched before the host pulls.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.hub.pulled.is_full()
    }
}
