//! `socket-protocol-msgpack`: the server of `socket-protocol` and a little more, for clients with
//! `socket.io-msgpack-parser`. Each packet is one binary message, shown here as JSON:
//!
//! ```text
//! > {"type":0,"nsp":"/","data":{"token":"123"}}   < {"type":0,"nsp":"/","data":{"sid":"..."}}
//!                                  < {"type":2,"nsp":"/","data":["auth",{"token":"123"}]}
//! > {"type":2,"nsp":"/","data":["message",1]}     < {"type":2,"nsp":"/","data":["message-back",1]}
//! ```
//!
//! `add` wants two integers and an ack, `describe` an object of the type below; `ask` is answered
//! by `question`, whose ack comes back as `answered`. `/deny` refuses everybody.

use std::io;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use throng::config::{Config, Cors};
use throng::{Binary, MsgpackParser, Refusal, Server, Socket};

/// What `describe` takes, and gives back with its bytes counted.
#[derive(Debug, Deserialize, Serialize)]
struct Picture {
    name: String,
    taken: String,
    size: (u32, u32),
    data: Binary,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

pub(crate) fn bind(address: SocketAddr) -> io::Result<Server> {
    let mut config = Config::default();
    config.engine.payload_bytes_max = 100_000;
    let server = Server::builder()
        .config(config)
        .cors(Cors::default())
        .parser(MsgpackParser)
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
        })
        .on_with_ack("add", |_, (a, b): (i64, i64)| a + b)
        .on("describe", |socket, picture: Picture| {
            socket.emit("described", (&picture, &picture.data.len()));
        })
        .on("join", |socket, room: String| socket.join(room))
        .on_raw("broadcast", |socket, args, _| {
            if let Ok(room) = args.get::<String>(0) {
                socket.server().to(room).emit("broadcast", args.skip(1));
            }
        })
        .on("ask", |socket, (): ()| {
            socket.emit_with_raw_ack("question", &json!({ "sure": true }), |socket, answer| {
                if let Ok(answer) = answer {
                    socket.emit("answered", answer);
                }
            });
        });
    server.of("/custom").on_connect(emit_auth);
    server.of("/deny").middleware(|socket| {
        let auth: Value = socket.handshake().auth().unwrap_or_default();
        Err(Refusal::new("not for you").data(&auth))
    });
    Ok(server)
}

fn emit_auth(socket: Socket<'_>) {
    let auth: Value = socket.handshake().auth().unwrap_or_else(|| json!({}));
    socket.emit("auth", &auth);
}
