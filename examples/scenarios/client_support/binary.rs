//! Events that carry bytes, alone, within objects and in a certain order.
//!
//! ```text
//! > 451-["buffa",{"_placeholder":true,"num":0}] and the attachment
//! < 42["buffack"]
//! ```

use std::cell::Cell;

use serde::Deserialize;
use throng::{Binary, BinarySlice, Namespace, Socket};

/// What `jsonbuff` and `jsonblob` bring.
#[derive(Debug, Deserialize)]
struct Greeting {
    hello: String,
    #[serde(rename = "message")]
    _message: Binary,
    goodbye: String,
}

/// What one socket has sent so far of the events that belong together.
#[derive(Debug, Default)]
struct Received {
    buffer: Cell<bool>,
    blobs: Cell<u8>,
}

pub(crate) fn declare(namespace: Namespace<'_>) {
    namespace
        .on("doge", |socket, (): ()| {
            socket.emit("doge", &BinarySlice(BYTES));
        })
        .on("getbin", |socket, (): ()| {
            socket.emit("takebin", &BinarySlice(BYTES));
        })
        .on("buffa", |socket, _: Binary| {
            socket.emit("buffack", ());
        })
        .on("blob", |socket, _: Binary| {
            socket.emit("back", ());
        })
        .on("jsonbuff", |socket, greeting| acknowledge(socket, &greeting, "jsonbuff-ack"))
        .on("jsonblob", |socket, greeting| acknowledge(socket, &greeting, "jsonblob-ack"));
    declare_sequences(namespace);
}

fn acknowledge(socket: Socket<'_>, greeting: &Greeting, event: &str) {
    if greeting.hello == "lol" && greeting.goodbye == "gotcha" {
        socket.emit(event, ());
    }
}

fn declare_sequences(namespace: Namespace<'_>) {
    namespace
        .on("abuff1", |socket, _: Binary| socket.data::<Received>().buffer.set(true))
        .on("abuff2", |socket, _: String| {
            if socket.data::<Received>().buffer.get() {
                socket.emit("abuff2-ack", ());
            }
        })
        .on("blob1", |socket, _: Binary| {
            advance(socket, 0);
        })
        .on("blob2", |socket, text: String| {
            if text == "second" {
                advance(socket, 1);
            }
        })
        .on("blob3", |socket, _: Binary| {
            if advance(socket, 2) {
                socket.emit("blob3-ack", ());
            }
        });
}

/// Counts a blob if it is its turn.
fn advance(socket: Socket<'_>, turn: u8) -> bool {
    let received = socket.data::<Received>();
    let is_next = received.blobs.get() == turn;
    if is_next {
        received.blobs.set(turn + 1);
    }
    is_next
}

const BYTES: &[u8] = b"asdfasdf";
