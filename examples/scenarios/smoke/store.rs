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
use throng::{Ack, Namespace, RemoteSocket, Socket, SocketId};

/// What clients set. It is shared: other servers see it, and a client that recovers gets it back.
type Data = RefCell<BTreeMap<String, Value>>;

/// One socket, as `fetch` tells of it.
#[derive(Serialize)]
struct Description {
    id: SocketId,
    rooms: Vec<Rc<str>>,
    data: Value,
}

pub(crate) fn declare(namespace: Namespace<'_>) {
    namespace
        .shared_data::<Data>()
        .on_with_ack("set", |socket, (key, value): (String, Value)| {
            socket.data::<Data>().borrow_mut().insert(key, value);
            true
        })
        .on_raw("fetch", |socket, args, ack| {
            if let (Ok(room), Some(ack)) = (args.parse::<String>(), ack) {
                describe_room(socket, &room, ack);
            }
        });
}

fn describe_room(socket: Socket<'_>, room: &str, ack: Ack) {
    socket.namespace().to(room).fetch_sockets(|_, sockets| {
        let sockets = sockets.unwrap_or_default();
        let mut descriptions: Vec<_> = sockets.iter().map(describe).collect();
        descriptions.sort_by(|left, right| left.id.cmp(&right.id));
        ack.send(&descriptions);
    });
}

fn describe(socket: &RemoteSocket<'_>) -> Description {
    let mut rooms = socket.rooms().to_vec();
    rooms.sort();
    Description { id: socket.id(), rooms, data: socket.data().unwrap_or_default() }
}
