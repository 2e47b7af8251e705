//! What the server knows about a socket and its namespace, told when asked.
//!
//! ```text
//! > 420["who"]
//! < 430[{"id":"...","transport":"websocket","protocol":4,"nsp":"/"}]
//! ```

use std::collections::BTreeMap;

use serde_json::{Value, json};
use throng::http::Request;
use throng::{Namespace, Protocol, Socket, Transport};

pub(crate) fn declare(namespace: Namespace<'_>) {
    namespace
        .on_with_ack("handshake", |socket, (): ()| handshake(socket))
        .on_with_ack("who", |socket, (): ()| who(socket))
        .on_with_ack("count", |socket, (): ()| socket.namespace().sockets_len());
}

fn handshake(socket: Socket<'_>) -> Value {
    let handshake = socket.handshake();
    let request = handshake.request();
    let query: BTreeMap<_, _> = request.into_iter().flat_map(Request::query_pairs).collect();
    let headers: BTreeMap<_, _> = request.into_iter().flat_map(Request::headers).collect();
    json!({
        "query": query,
        "auth": handshake.auth().unwrap_or_else(|| json!({})),
        "headers": headers,
        "secure": false,
        "xdomain": handshake.is_cross_origin(),
        "url": handshake.url(),
    })
}

fn who(socket: Socket<'_>) -> Value {
    json!({
        "id": socket.id(),
        "transport": socket.transport().map(Transport::as_str),
        "protocol": socket.protocol().map(Protocol::revision),
        "nsp": &*socket.namespace().name(),
    })
}
