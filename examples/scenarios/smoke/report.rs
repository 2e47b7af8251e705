//! What the server knows about a socket and its namespace, told when asked.
//!
//! ```text
//! > 420["who"]
//! < 430[{"id":"...","transport":"websocket","protocol":4,"nsp":"/"}]
//! ```

use std::collections::BTreeMap;

use serde_json::{Value, json};
use throng::{Namespace, Protocol, Socket, Transport};

pub(crate) fn declare(namespace: Namespace<'_>) {
    namespace
        .on_with_ack("handshake", |socket, (): ()| handshake(socket))
        .on_with_ack("who", |socket, (): ()| who(socket))
        .on_with_ack("count", |socket, (): ()| socket.namespace().sockets_len());
}

/// What the app tells of the handshake, each part as the reference has it.
fn handshake(socket: Socket<'_>) -> BTreeMap<&'static str, Value> {
    let whole = serde_json::to_value(socket.handshake()).unwrap_or_default();
    PARTS.into_iter().map(|part| (part, whole[part].clone())).collect()
}

fn who(socket: Socket<'_>) -> Value {
    json!({
        "id": socket.id(),
        "transport": socket.transport().map(Transport::as_str),
        "protocol": socket.protocol().map(Protocol::revision),
        "nsp": &*socket.namespace().name(),
    })
}

const PARTS: [&str; 6] = ["query", "auth", "headers", "secure", "xdomain", "url"];
