//! `socket-protocol`: the Socket.IO server that the protocol's own test suite expects.
//!
//! ```text
//! > 40{"token":"123"}             < 40{"sid":"..."}
//!                                 < 42["auth",{"token":"123"}]
//! > 42["message",1]               < 42["message-back",1]
//! > 42456["message-with-ack",1]   < 43456[1]
//! ```

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use throng::config::{Config, Cors};
use throng::{Server, Socket};

pub(crate) fn bind(address: SocketAddr) -> io::Result<Server> {
    let mut config = Config::default();
    config.socket.connect_timeout = Duration::from_secs(1);
    let server = Server::builder()
        .config(config)
        .ping_interval(Duration::from_millis(300))
        .ping_timeout(Duration::from_millis(200))
        .cors(Cors::default())
        .bind(address)?;
    server
        .of("/")
        .on_connect(emit_auth)
        .on_raw("message", |socket, args, _| {
            socket.emit("message-back", args);
        })
        .on_raw("message-with-ack", |_, args, ack| {
            if let Some(ack) = ack {
                ack.send(args);
            }
        });
    server.of("/custom").on_connect(emit_auth);
    Ok(server)
}

fn emit_auth(socket: Socket<'_>) {
    let auth: Value = socket.handshake().auth().unwrap_or_else(|| json!({}));
    socket.emit("auth", &auth);
}
