//! Emits that another thread makes ready: it selects and serialises, the loop sends.
//!
//! ```text
//! handle.of("/chat").to("lobby").volatile().emit("tick", &7)    42/chat,["tick",7] to the lobby
//! ```

use std::fmt;

use super::{Handle, PostError};
use crate::socketio::assert_not_reserved;
use crate::socketio::payload::{EncodeError, IntoArgs, SendableArgs};
use crate::socketio::{Io, RoomNames};

/// A broadcast that another thread makes: its rooms, exceptions and flags, in any order, then
/// [`emit`](Self::emit).
///
/// It means what a [`BroadcastOperator`](crate::BroadcastOperator) means that is made in its
/// place among the posted closures; a room may be a socket's own id.
///
/// ```
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// let handle = server.handle();
/// std::thread::spawn(move || {
///     handle.to("lobby").except("muted").emit("news", (&"hello", &42))?;
///     handle.of("/chat").volatile().emit("tick", ())
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "nothing is sent before `emit`"]
pub struct RemoteBroadcast<'a> {
    handle: &'a Handle,
    selection: Selection,
}

/// Whom it is for, and how.
#[derive(Clone, Debug)]
struct Selection {
    namespace: Box<str>,
    rooms: Vec<Box<str>>,
    except: Vec<Box<str>>,
    volatile: bool,
    compress: bool,
    local: bool,
}

/// Why an emit was not taken.
///
/// ```
/// use throng::{EmitError, Server};
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// let handle = server.handle();
/// drop(server);
/// assert!(matches!(handle.emit("late", ()), Err(EmitError::Closed)));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum EmitError {
    /// The mailbox holds as much as it may; the loop has to run first.
    Full,
    /// The server is gone.
    Closed,
    /// An argument can't be serialised.
    Encode(EncodeError),
}

/// What is emitted is serialised by the calling thread, and no work of the loop's: there the text
/// is copied into the packet, and attachments twice. A server that writes another format than JSON
/// writes it anew.
impl Handle {
    /// A namespace to emit in, `/` where none is named; see [`Io::of`].
    pub fn of(&self, namespace: &str) -> RemoteBroadcast<'_> {
        let selection = Selection {
            namespace: namespace.into(),
            rooms: Vec::new(),
            except: Vec::new(),
            volatile: false,
            compress: true,
            local: false,
        };
        RemoteBroadcast { handle: self, selection }
    }

    /// A broadcast to the members of a room (or several) of `/`.
    pub fn to(&self, rooms: impl RoomNames) -> RemoteBroadcast<'_> {
        self.of("/").to(rooms)
    }

    /// A broadcast to all of `/` but the members of a room (or several).
    pub fn except(&self, rooms: impl RoomNames) -> RemoteBroadcast<'_> {
        self.of("/").except(rooms)
    }

    /// A broadcast in `/` that is dropped where a transport is busy.
    pub fn volatile(&self) -> RemoteBroadcast<'_> {
        self.of("/").volatile()
    }

    /// Emits to everybody in `/`; see [`RemoteBroadcast::emit`].
    ///
    /// # Panics
    /// As [`RemoteBroadcast::emit`].
    pub fn emit(&self, event: &str, args: impl IntoArgs) -> Result<(), EmitError> {
        self.of("/").emit(event, args)
    }
}

impl RemoteBroadcast<'_> {
    /// Adds a room (or several) to those who get it.
    pub fn to(mut self, rooms: impl RoomNames) -> Self {
        rooms.for_each(&mut |room| self.selection.rooms.push(room.into()));
        self
    }

    /// The same as [`RemoteBroadcast::to`].
    pub fn within(self, rooms: impl RoomNames) -> Self {
        self.to(rooms)
    }

    /// Leaves out the members of a room (or several).
    pub fn except(mut self, rooms: impl RoomNames) -> Self {
        rooms.for_each(&mut |room| self.selection.except.push(room.into()));
        self
    }

    /// As [`BroadcastOperator::volatile`](crate::BroadcastOperator::volatile).
    pub fn volatile(mut self) -> Self {
        self.selection.volatile = true;
        self
    }

    /// As [`BroadcastOperator::compress`](crate::BroadcastOperator::compress).
    pub fn compress(mut self, compress: bool) -> Self {
        self.selection.compress = compress;
        self
    }

    /// As [`BroadcastOperator::local`](crate::BroadcastOperator::local).
    pub fn local(mut self) -> Self {
        self.selection.local = true;
        self
    }

    /// Serialises the event in this thread and posts it; see
    /// [`Socket::emit`](crate::Socket::emit) for `args`. Never blocks. Fails, and sends nothing,
    /// where too many wait, the server is gone or an argument can't be serialised. What is taken is
    /// emitted at the beginning of the next turn, unless the server ends before.
    ///
    /// # Panics
    /// As [`Socket::emit`](crate::Socket::emit), in this thread.
    pub fn emit(self, event: &str, args: impl IntoArgs) -> Result<(), EmitError> {
        assert_not_reserved(event);
        let args = SendableArgs::new(args).map_err(EmitError::Encode)?;
        let (event, selection) = (Box::<str>::from(event), self.selection);
        self.handle.post(move |io| selection.emit(io, &event, args)).map_err(EmitError::from)
    }
}

impl Selection {
    /// In the loop.
    fn emit(self, io: Io<'_>, event: &str, args: SendableArgs) {
        let mut broadcast = io.of(&self.namespace).compress(self.compress);
        for room in &self.rooms {
            broadcast = broadcast.to(&**room);
        }
        for room in &self.except {
            broadcast = broadcast.except(&**room);
        }
        if self.volatile {
            broadcast = broadcast.volatile();
        }
        if self.local {
            broadcast = broadcast.local();
        }
        broadcast.emit(event, args.into_owned());
    }
}

impl From<PostError> for EmitError {
    fn from(error: PostError) -> Self {
        match error {
            PostError::Full => Self::Full,
            PostError::Closed => Self::Closed,
        }
    }
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => PostError::Full.fmt(f),
            Self::Closed => PostError::Closed.fmt(f),
            Self::Encode(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for EmitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            Self::Full | Self::Closed => None,
        }
    }
}

impl fmt::Debug for RemoteBroadcast<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteBroadcast")
            .field("selection", &self.selection)
            .finish_non_exhaustive()
    }
}
