//! Rooms that come and go, told to whoever watches.
//!
//! ```text
//! > 420["join","den"]    < 42["room","create","den",null]    to the watchers
//! < 430[true]            < 42["room","join","den","..."]
//! ```

use throng::{Namespace, RoomEvent};

pub(crate) fn declare(namespace: Namespace<'_>) {
    namespace
        .on_room_event(tell_watchers)
        .on_with_ack("watch-rooms", |socket, (): ()| {
            socket.join(WATCHERS);
            true
        })
        .on_with_ack("join", |socket, room: String| {
            socket.join(&room);
            true
        })
        .on_with_ack("leave", |socket, room: String| {
            socket.leave(&room);
            true
        })
        .on_with_ack("gather", |socket, (from, to): (String, String)| {
            socket.namespace().to(&from).sockets_join(&to);
            true
        });
}

fn tell_watchers(namespace: Namespace<'_>, event: RoomEvent<'_>) {
    let (what, room, socket) = match event {
        RoomEvent::Create { room } => ("create", room, None),
        RoomEvent::Join { room, socket } => ("join", room, Some(socket)),
        RoomEvent::Leave { room, socket } => ("leave", room, Some(socket)),
        RoomEvent::Delete { room } => ("delete", room, None),
    };
    namespace.to(WATCHERS).emit("room", (what, room, socket));
}

const WATCHERS: &str = "watchers";
