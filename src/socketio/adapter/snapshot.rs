//! What one server tells another of a socket.
//!
//! ```text
//! {"id":"..","handshake":{..},"rooms":["..","lobby"],"data":{}}
//! ```

use std::rc::Rc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::socketio::handshake::Handshake;
use crate::socketio::socket_id::SocketId;

/// A socket at one moment, of this server or of another; serialised, it is the object that servers
/// of the reference exchange.
///
/// ```
/// use throng::adapter::SocketSnapshot;
///
/// let json = r#"{"id":"AAAAAAAAAAAAAAAAAAAA","handshake":{},"rooms":["lobby"],"data":{"n":1}}"#;
/// let socket: SocketSnapshot = serde_json::from_str(json)?;
/// assert_eq!(&*socket.rooms[0], "lobby");
/// assert_eq!(serde_json::to_string(&socket)?, json);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SocketSnapshot {
    /// Its id.
    pub id: SocketId,
    handshake: HandshakeForm,
    /// Its rooms, the one that bears its own id first.
    pub rooms: Vec<Rc<str>>,
    data: Json,
}

/// JSON as it came.
#[derive(Clone, Debug)]
struct Json(Rc<str>);

/// The handshake of a socket here is written when somebody reads it.
#[derive(Clone, Debug)]
enum HandshakeForm {
    Here(Handshake),
    Elsewhere(Json),
}

impl SocketSnapshot {
    pub(in crate::socketio) fn new(
        id: SocketId,
        handshake: Handshake,
        rooms: Vec<Rc<str>>,
        data: Option<Rc<str>>,
    ) -> Self {
        let data = Json(data.unwrap_or_else(|| Rc::from("{}")));
        Self { id, handshake: HandshakeForm::Here(handshake), rooms, data }
    }

    /// What the client brought when it came, as JSON.
    pub fn handshake_json(&self) -> Rc<str> {
        match &self.handshake {
            HandshakeForm::Here(handshake) => {
                serde_json::to_string(handshake).map_or_else(|_| Rc::from("{}"), Rc::from)
            }
            HandshakeForm::Elsewhere(json) => Rc::clone(&json.0),
        }
    }

    /// The data that its server shares, as JSON; `{}` where it shares none.
    pub fn data_json(&self) -> &str {
        &self.data.0
    }
}

impl Serialize for HandshakeForm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Here(handshake) => handshake.serialize(serializer),
            Self::Elsewhere(json) => json.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for HandshakeForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Json::deserialize(deserializer).map(Self::Elsewhere)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.0)
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(Rc::from(raw.get())))
    }
}
