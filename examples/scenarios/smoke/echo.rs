//! Events that go back to their sender, and questions that the server asks in return.
//!
//! ```text
//! > 42["reflect","hello",1]    < 42["hello",1]
//! > 42["ask",1]                < 421["question",1]
//! > 431["yes"]                 < 42["answer","yes"]
//! ```

use std::time::Duration;

use throng::{Ack, AckError, Args, Delivery, Namespace, Socket};

use super::forwarded::Forwarded;

pub(crate) fn declare(namespace: Namespace<'_>) {
    namespace
        .on_raw("echo", echo)
        .on_raw("reflect", |socket, args, _| {
            if let Some(Forwarded { event, args }) = Forwarded::from_args(args, 0) {
                socket.emit(&event, args);
            }
        })
        .on_raw("volatile", |socket, args, _| {
            if let Some(Forwarded { event, args }) = Forwarded::from_args(args, 0) {
                socket.volatile().emit(&event, args);
            }
        })
        .on_raw("ask", |socket, args, _| ask(socket, args))
        .on("flood", |socket, (count, size): (u32, usize)| flood(socket, count, size));
}

pub(crate) fn echo(socket: Socket<'_>, args: Args<'_>, ack: Option<Ack>) {
    match ack {
        Some(ack) => ack.send(args),
        None => drop(socket.emit("echo", args)),
    }
}

fn ask(socket: Socket<'_>, args: Args<'_>) {
    let patient = socket.timeout(ANSWER_TIMEOUT);
    patient.emit_with_raw_ack("question", args, |socket, answer| match answer {
        Ok(args) => drop(socket.emit("answer", args)),
        Err(AckError::Timeout) => drop(socket.emit("no-answer", &AckError::Timeout.to_string())),
        Err(_) => {}
    });
}

/// A flood ends early when its client is gone, or asks for more than would ever be sent.
fn flood(socket: Socket<'_>, count: u32, size: usize) {
    if size > FLOOD_BYTES_MAX || u64::from(count) * size as u64 > FLOOD_BYTES_MAX as u64 {
        return;
    }
    let text = "f".repeat(size);
    for index in 0..count.min(FLOOD_EVENTS_MAX) {
        if socket.emit("f", (index, &text)) == Delivery::Dropped {
            return;
        }
    }
    socket.emit("flood-done", &count);
}

const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
const FLOOD_BYTES_MAX: usize = 64 * 1_024 * 1_024;
const FLOOD_EVENTS_MAX: u32 = 1_000_000;
