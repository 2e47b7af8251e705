//! What the server keeps for each socket, and what it tells of it.
//!
//! ```text
//! > 420["set","name","Ann"]    < 430[true]
//! > 421["fetch","lobby"]       < 431[[{"id":"...","rooms":[...],"data":{"name":"Ann"}}]]
//! ```

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Serialize;
use serde_json::Value;
use throng::{Namespace, Socket, SocketId};

use super::rooms;

type Data = RefCell<BTreeMap<String, Value>>;

/// One socket, as `fetch` tells of it.
#[derive(Serialize)]
struct Description {
    id: SocketId,
    rooms: Vec<Rc<str>>,
    data: Rc<Data>,
}

pub(crate) fn declare(namespace: Namespace<'_>) {
    namespace
        .on_with_ack("set", |socket, (key, value): (String, Value)| {
            socket.data::<Data>().borrow_mut().insert(key, value);
            true
        })
        .on_with_ack("fetch", |socket, room: String| describe_room(socket.namespace(), &room));
}

fn describe_room(namespace: Namespace<'_>, room: &str) -> Vec<Description> {
    let mut ids = namespace.room(room);
    ids.sort();
    ids.into_iter().filter_map(|id| namespace.socket(&id)).map(describe).collect()
}

fn describe(socket: Socket<'_>) -> Description {
    let id = socket.id();
    let mut rooms = rooms::sorted(socket);
    rooms.push(id.as_str().into());
    rooms.sort();
    Description { id, rooms, data: socket.data() }
}
