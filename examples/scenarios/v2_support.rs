//! `v2-support`: a Socket.IO server for clients of Socket.IO v2 as well as later ones.
//!
//! ```text
//!                                    < 40
//!                                    < 42["auth",{}]
//! > 40/custom?token=1,               < 40/custom,
//!                                    < 42/custom,["auth",{"token":"1"}]
//! > 42["who"]                        < 42["who","...","websocket",3]
//! > 42["ask",1]                      < 427["question",1]
//! > 437[2]                           < 42["answer",2]
//! > 40/refused,                      < 44/refused,"refused"
//! > 40/refused-data,                 < 44/refused-data,{"code":7}
//! ```

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use throng::config::Cors;
use throng::{Namespace, Protocol, Refusal, Server, Socket};

pub(crate) fn bind(address: SocketAddr) -> io::Result<Server> {
    let server = Server::builder()
        .allow_eio3(true)
        .ping_interval(Duration::from_millis(300))
        .ping_timeout(Duration::from_millis(200))
        .cors(Cors::default())
        .bind(address)?;
    declare(server.of("/"));
    declare(server.of("/custom"));
    server.of("/refused").middleware(|_| Err(Refusal::new("refused")));
    server
        .of("/refused-data")
        .middleware(|_| Err(Refusal::new("refused").data(&json!({ "code": 7 }))));
    Ok(server)
}

fn declare(namespace: Namespace<'_>) {
    namespace
        .on_connect(|socket| {
            let auth: Value = socket.handshake().auth().unwrap_or_else(|| json!({}));
            socket.emit("auth", &auth);
        })
        .on_raw("echo", |socket, args, ack| match ack {
            Some(ack) => ack.send(args),
            None => {
                socket.emit("echo", args);
            }
        })
        .on_raw("broadcast", |socket, args, _| {
            socket.namespace().emit("broadcast", args);
        })
        .on_raw("ask", |socket, args, _| {
            socket.emit_with_raw_ack("question", args, |socket, answer| {
                if let Ok(args) = answer {
                    socket.emit("answer", args);
                }
            });
        })
        .on("who", |socket, (): ()| {
            socket.emit("who", who(socket));
        })
        .on("bye", |socket, (): ()| socket.disconnect());
}

fn who(socket: Socket<'_>) -> (String, Option<&'static str>, Option<u8>) {
    let transport = socket.transport().map(|transport| transport.as_str());
    (socket.id().to_string(), transport, socket.protocol().map(Protocol::revision))
}
