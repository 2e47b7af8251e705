//! Handlers of one socket that come and go, and middleware of one socket that keeps events from
//! them.
//!
//! ```text
//! > 420["listen","news"]     < 430[1]     one handler of "news" is there
//! > 42["news","rain"]        < 42["heard","news","rain"]
//! ```

use throng::{Namespace, Refusal, Socket};

pub(crate) fn declare(namespace: Namespace<'_>) {
    namespace
        .on_connect(|socket| {
            socket.once("greet", |socket, name: String| {
                socket.emit("greeted", &name);
            });
        })
        .once("who is first?", |socket, (): ()| {
            socket.namespace().emit("first", &socket.id());
        })
        .on_with_ack("listen", |socket, event: String| listen(socket, &event))
        .on_with_ack("ignore", |socket, event: String| {
            if let Some(&last) = socket.listeners(&event).last() {
                socket.remove_listener(last);
            }
            socket.listeners(&event).len()
        })
        .on_with_ack("ignore-all", |socket, event: String| {
            socket.remove_all_listeners(&event);
            socket.listeners(&event).len()
        })
        .on_with_ack("be-strict", |socket, (): ()| {
            socket.event_middleware(|_, event, args| match args.len() {
                0..=2 => Ok(()),
                _ => Err(Refusal::new(format!("too much for {event}"))),
            });
            true
        })
        .on_error(|socket, error| {
            socket.emit("refused", error.message());
        });
}

/// One handler more of an event; tells how many there are.
fn listen(socket: Socket<'_>, event: &str) -> usize {
    if !throng::is_reserved_event(event) && socket.listeners(event).len() < LISTENERS_MAX {
        let name = event.to_owned();
        socket.add_listener(event, move |socket, text: String| {
            socket.emit("heard", (&name, &text));
        });
    }
    socket.listeners(event).len()
}

const LISTENERS_MAX: usize = 10;
