//! Rooms: who is in them, what is sent to them, and moving or removing all who are there.
//!
//! ```text
//! > 420["join","lobby"]            < 430[["lobby"]]
//! > 42["to","lobby","chat","hi"]   < 42["chat","hi"], to all others in the room
//! ```

use std::rc::Rc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use throng::{Ack, Args, BroadcastOperator, Namespace, Socket};

use super::forwarded::Forwarded;

/// One room's name or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Rooms {
    One(String),
    Several(Vec<String>),
}

pub(crate) fn declare(namespace: Namespace<'_>) {
    namespace
        .on_with_ack("join", |socket, room: String| {
            socket.join(&room);
            sorted(socket)
        })
        .on_with_ack("leave", |socket, room: String| {
            socket.leave(&room);
            sorted(socket)
        });
    declare_broadcasts(namespace);
    declare_moves(namespace);
}

/// The names of a socket's rooms in their order, its own id not among them.
pub(crate) fn sorted(socket: Socket<'_>) -> Vec<Rc<str>> {
    let mut rooms = socket.rooms();
    rooms.sort();
    rooms
}

fn declare_broadcasts(namespace: Namespace<'_>) {
    namespace
        .on_raw("to", |socket, args, _| {
            if let Ok(room) = args.get::<String>(0) {
                forward(socket.to(&room), args, 1);
            }
        })
        .on_raw("in", |socket, args, _| {
            let everybody = socket.namespace();
            match args.get(0) {
                Ok(Rooms::One(room)) => forward(everybody.to(&room), args, 1),
                // A broadcast to no room at all would be one to everybody.
                Ok(Rooms::Several(rooms)) if !rooms.is_empty() => {
                    forward(everybody.to(&rooms), args, 1);
                }
                _ => {}
            }
        })
        .on_raw("except", |socket, args, _| {
            if let Ok(room) = args.get::<String>(0) {
                forward(socket.namespace().except(&room), args, 1);
            }
        })
        .on_raw("broadcast", |socket, args, _| forward(socket.broadcast(), args, 0))
        .on_raw("ask-room", |socket, args, ack| {
            if let (Ok((room, milliseconds)), Some(ack)) = (args.parse::<(String, u32)>(), ack) {
                let time = Duration::from_millis(milliseconds.into());
                let room = socket.namespace().to(&room).timeout(time);
                ask_room(room, args.skip(2), ack);
            }
        });
}

fn ask_room(room: BroadcastOperator<'_>, args: Args<'_>, ack: Ack) {
    // A client that acknowledges with nothing answers `null`.
    room.emit_with_ack::<Option<Value>>("question", args, |_, answers| {
        let mut responses = answers.values;
        responses.sort_by_key(|response| json!(response).to_string());
        ack.send(&json!({ "timedOut": answers.timed_out, "responses": responses }));
    });
}

fn forward(recipients: BroadcastOperator<'_>, args: Args<'_>, index: usize) {
    if let Some(Forwarded { event, args }) = Forwarded::from_args(args, index) {
        recipients.emit(&event, args);
    }
}

fn declare_moves(namespace: Namespace<'_>) {
    namespace
        .on_with_ack("make-join", |socket, (from, to): (String, String)| {
            socket.namespace().to(&from).sockets_join(&to);
            true
        })
        .on_with_ack("make-leave", |socket, (from, to): (String, String)| {
            socket.namespace().to(&from).sockets_leave(&to);
            true
        })
        .on("kick", |socket, (room, close): (String, Option<bool>)| {
            let sockets = socket.namespace().to(&room);
            match close {
                Some(true) => sockets.disconnect_clients(),
                _ => sockets.disconnect_sockets(),
            }
        })
        .on("bye", |socket, close: Option<bool>| match close {
            Some(true) => socket.disconnect_client(),
            _ => socket.disconnect(),
        });
}
