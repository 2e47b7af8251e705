//! What leaves for a socket, noted for as long as its client wants it.
//!
//! ```text
//! > 420["watch"]    > 42["say","hi"]      > 421["unwatch"]
//! < 430[true]       < 42["said","hi"]     < 431[["said"]]
//! ```

use std::cell::{Cell, RefCell};

use throng::{ListenerId, Namespace, Socket};

/// The catch-all of one socket, and the names of the events it has seen.
#[derive(Default)]
struct Watch {
    listener: Cell<Option<ListenerId>>,
    names: RefCell<Vec<String>>,
}

pub(crate) fn declare(namespace: Namespace<'_>) {
    namespace
        .on_with_ack("watch", |socket, (): ()| watch(socket))
        .on_with_ack("unwatch", |socket, (): ()| unwatch(socket))
        .on_raw("say", |socket, args, _| {
            socket.namespace().emit("said", args);
        })
        .on_raw("whisper", |socket, args, _| {
            socket.emit("whispered", args);
        });
}

fn watch(socket: Socket<'_>) -> bool {
    unwatch(socket);
    let listener = socket.add_any_outgoing_listener(|socket, event, _| {
        let watch = socket.data::<Watch>();
        let mut names = watch.names.borrow_mut();
        if names.len() < NAMES_MAX {
            names.push(event.to_owned());
        }
    });
    socket.data::<Watch>().listener.replace(Some(listener)).is_none()
}

fn unwatch(socket: Socket<'_>) -> Vec<String> {
    let watch = socket.data::<Watch>();
    if let Some(listener) = watch.listener.take() {
        socket.remove_listener(listener);
    }
    watch.names.take()
}

const NAMES_MAX: usize = 1_000;
