//! The namespaces beside `/`: one that echoes, one that wants a token, one that takes its time,
//! and as many rooms as are asked for.
//!
//! ```text
//! > 40/auth,{"token":"x"}
//! < 44/auth,{"message":"unauthorized","data":{"code":"E_TOKEN","got":"x"}}
//! ```

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use throng::{Next, PatternError, Refusal, Server, Socket};

use super::echo::echo;

/// What a client may bring to `/auth`.
#[derive(Default, Deserialize)]
struct Credentials {
    token: Option<Value>,
    user: Option<Value>,
}

pub(crate) fn declare(server: &Server) -> Result<(), PatternError> {
    server.of("/echo").on_raw("echo", echo);
    server
        .of("/auth")
        .middleware(check_token)
        .middleware(|socket| {
            let credentials: Credentials = socket.handshake().auth().unwrap_or_default();
            socket.set_data::<Value>(credentials.user.unwrap_or_else(|| "anonymous".into()).into());
            Ok(())
        })
        .on_connect(|socket| {
            socket.emit("user", &*socket.data::<Value>());
        });
    server.of("/slow").middleware_deferred(take_time).on_connect(|socket| {
        socket.emit("at-last", ());
    });
    server
        .of_pattern("^/room-[0-9]+$")?
        .on_connect(|socket| {
            socket.emit("nsp", &*socket.namespace().name());
        })
        .on_raw("all", |socket, args, _| {
            socket.namespace().emit("all", args);
        });
    Ok(())
}

fn take_time(socket: Socket<'_>, next: Next) {
    socket.server().after(Duration::from_millis(300), |_| next.allow());
}

fn check_token(socket: Socket<'_>) -> Result<(), Refusal> {
    let handshake = socket.handshake();
    let credentials: Credentials = handshake.auth().unwrap_or_default();
    let token = credentials.token.or_else(|| Some(handshake.query("token")?.into()));
    match token {
        Some(Value::String(token)) if token == "secret" => Ok(()),
        got => Err(Refusal::new("unauthorized").data(&json!({ "code": "E_TOKEN", "got": got }))),
    }
}
