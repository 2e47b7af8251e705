//! What a host registers of its own in the server's reactor: sockets, timers, eventfds, anything
//! with a descriptor that epoll can watch.
//!
//! ```text
//! watch(udp_socket, READABLE, handler) -> SourceId    poll: handler(io, &udp_socket, readable)
//! ```

use crate::slots::SourceKey;

/// What a source is watched for.
///
/// ```
/// use throng::source::Interest;
///
/// assert!(Interest::BOTH.is_readable() && Interest::BOTH.is_writable());
/// assert!(!Interest::READABLE.is_writable());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interest {
    readable: bool,
    writable: bool,
}

impl Interest {
    /// Something to read, or to accept; of a timer or an eventfd, that it has fired.
    pub const READABLE: Self = Self { readable: true, writable: false };
    /// Room to write.
    pub const WRITABLE: Self = Self { readable: false, writable: true };
    /// Either.
    pub const BOTH: Self = Self { readable: true, writable: true };

    /// Whether it is watched for something to read.
    pub const fn is_readable(self) -> bool {
        self.readable
    }

    /// Whether it is watched for room to write.
    pub const fn is_writable(self) -> bool {
        self.writable
    }
}

/// What a source has become. It is a hint, told once when it arises (edge-triggered): read or write
/// until the source would block, or it isn't told again.
///
/// ```
/// use throng::source::Readiness;
///
/// let readiness = Readiness { readable: true, ..Readiness::default() };
/// assert!(!readiness.closed);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Reading may succeed.
    pub readable: bool,
    /// Writing may succeed.
    pub writable: bool,
    /// The other end has ended its direction, or the source has failed: using it will tell.
    pub closed: bool,
}

impl Readiness {
    /// Both together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self {
            readable: self.readable || other.readable,
            writable: self.writable || other.writable,
            closed: self.closed || other.closed,
        }
    }
}

/// Names a source that is watched, until it is no longer.
///
/// ```
/// use throng::Server;
/// use throng::source::Interest;
///
/// let mut server = Server::builder().bind("127.0.0.1:0")?;
/// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// let id = server.watch(socket, Interest::READABLE, |_, _, _| {})?;
/// assert!(server.unwatch(id));
/// assert!(!server.unwatch(id));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SourceId(pub(crate) SourceKey);
