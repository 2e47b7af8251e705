//! What a socket is called on the wire: public, and unique on this server.
//!
//! It isn't the key by which the rest of the crate addresses a socket. Nearly all ids are made at
//! random and stand inline; only those that a client of Socket.IO v2 has beside `/` are longer.
//!
//! ```text
//! lv_VI97HAXpY6yYWAAAB         any socket, and that of a v2 client in /
//! /chat#lv_VI97HAXpY6yYWAAAB   a v2 client in /chat
//! ```

use std::fmt;
use std::sync::Arc;

use crate::engineio::Sid;

/// The id of a socket, as its client knows it: 20 characters, unique on this server, public.
///
/// It isn't the id of the session, which is a secret of its client. Only ids are kept between two
/// calls, never views; [`Namespace::socket`](crate::Namespace::socket) finds the socket again.
///
/// Clients of Socket.IO v2 know no ids of sockets: as in the reference, theirs is the id of the
/// session after all, with the namespace and a `#` before it outside of `/`. Whoever learns it can
/// take the session over.
///
/// ```
/// use throng::{Server, SocketId};
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// let unknown: SocketId = "AAAAAAAAAAAAAAAAAAAA".parse().unwrap();
/// assert!(server.of("/").socket(&unknown).is_none());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(Repr);

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Repr {
    Plain(Sid),
    /// `/chat#` and a session id. The pointer is atomic, so that ids may go to other threads.
    Prefixed(Arc<str>),
}

impl SocketId {
    pub(crate) const fn plain(id: Sid) -> Self {
        Self(Repr::Plain(id))
    }

    /// The id of a Socket.IO v2 client's socket.
    pub(crate) fn of_session(session: Sid, namespace: &str) -> Self {
        match namespace {
            "/" => Self::plain(session),
            _ => Self(Repr::Prefixed([namespace, "#", session.as_str()].concat().into())),
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Plain(id) => id.as_bytes(),
            Repr::Prefixed(id) => id.as_bytes(),
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Plain(id) => id.as_str(),
            Repr::Prefixed(id) => id,
        }
    }
}

/// The id that no socket has.
impl Default for SocketId {
    fn default() -> Self {
        Self::plain(Sid::NONE)
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SocketId({self})")
    }
}

impl std::str::FromStr for SocketId {
    type Err = InvalidSocketId;

    fn from_str(text: &str) -> Result<Self, InvalidSocketId> {
        if let Some(id) = Sid::parse(text) {
            return Ok(Self::plain(id));
        }
        let (namespace, session) = text.rsplit_once('#').ok_or(InvalidSocketId)?;
        let is_one = namespace.starts_with('/') && Sid::parse(session).is_some();
        is_one.then(|| Self(Repr::Prefixed(text.into()))).ok_or(InvalidSocketId)
    }
}

impl serde::Serialize for SocketId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for SocketId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that can't be the id of a socket.
///
/// ```
/// use throng::{InvalidSocketId, SocketId};
///
/// assert_eq!("lobby".parse::<SocketId>(), Err(InvalidSocketId));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSocketId;

impl fmt::Display for InvalidSocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a socket id has 20 characters of A-Z, a-z, 0-9, - and _")
    }
}

impl std::error::Error for InvalidSocketId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_from_text() {
        for text in
            ["lv_VI97HAXpY6yYWAAAB", "/chat#lv_VI97HAXpY6yYWAAAB", "/a#b#lv_VI97HAXpY6yYWAAAB"]
        {
            assert_eq!(text.parse::<SocketId>().unwrap().as_str(), text);
        }
        for text in ["", "chat#lv_VI97HAXpY6yYWAAAB", "/chat#", "/chat#x", "#lv_VI97HAXpY6yYWAAAB"]
        {
            assert_eq!(text.parse::<SocketId>(), Err(InvalidSocketId));
        }
    }

    #[test]
    fn an_id_is_little_more_than_its_characters() {
        assert!(size_of::<SocketId>() <= 24);
    }
}
