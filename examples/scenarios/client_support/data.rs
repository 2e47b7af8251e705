//! Events that carry plain data, and acknowledgements both ways.
//!
//! ```text
//! > 42["ack"]    < 420["ack"]
//! > 430[5,{"test":true}]
//!                < 42["got it"]
//! ```

use std::time::UNIX_EPOCH;

use serde_json::{Value, json};
use throng::{AckError, Io, Namespace, Socket};

pub(crate) fn declare(namespace: Namespace<'_>) {
    namespace
        .on("hi", |socket, (): ()| {
            socket.emit("hi", ());
        })
        .on_raw("echo", |_, args, ack| {
            if let Some(ack) = ack {
                ack.send(args);
            }
        })
        .on("ack", |socket, (): ()| ask(socket))
        .on("false", |socket, (): ()| {
            socket.emit("false", &false);
        })
        .on("getUtf8", |socket, (): ()| {
            for text in TEXTS {
                socket.emit("takeUtf8", text);
            }
        })
        .on_with_ack("getHandshake", |socket, (): ()| socket.handshake())
        .on_with_ack("getId", |socket, (): ()| socket.id());
    declare_dates(namespace);
}

fn declare_dates(namespace: Namespace<'_>) {
    namespace
        .on_with_ack("getAckDate", |socket, (): ()| date(socket.server()))
        .on("getDate", |socket, (): ()| {
            socket.emit("takeDate", &date(socket.server()));
        })
        .on("getDateObj", |socket, (): ()| {
            socket.emit("takeDateObj", &json!({ "date": date(socket.server()) }));
        });
}

fn ask(socket: Socket<'_>) {
    socket.emit_with_ack("ack", (), |socket, answer: Result<(i64, Value), AckError>| {
        // What is expected is `5, {"test": true}`.
        if answer.is_ok_and(|(number, object)| number == 5 && is_truthy(&object["test"])) {
            socket.emit("got it", ());
        }
    });
}

/// What `if (value)` means in JavaScript.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

/// The present moment as JSON writes a JavaScript date: `2024-05-01T10:20:30.456Z`.
fn date(io: Io<'_>) -> String {
    humantime::format_rfc3339_millis(UNIX_EPOCH + io.now().wall).to_string()
}

const TEXTS: [&str; 5] = ["てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string"];
