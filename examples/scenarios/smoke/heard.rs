//! What a socket has heard, whatever it was, and the one event that nobody may send.
//!
//! ```text
//! > 42["forbidden"]    < 42["refused","forbidden event"]
//! > 420["heard"]       < 430[["forbidden","heard"]]
//! ```

use std::cell::RefCell;

use throng::{Namespace, Refusal, Socket};

/// The names of the events that one socket has heard, in their order.
#[derive(Debug, Default)]
struct Heard(RefCell<Vec<String>>);

pub(crate) fn declare(namespace: Namespace<'_>) {
    namespace
        .on_any(|socket, event, _| note(socket, event))
        .event_middleware(|_, event, _| match event {
            "forbidden" => Err(Refusal::new("forbidden event")),
            _ => Ok(()),
        })
        .on_error(|socket, refusal| {
            socket.emit("refused", refusal.message());
        })
        .on_with_ack("heard", |socket, (): ()| socket.data::<Heard>().0.borrow().clone());
}

fn note(socket: Socket<'_>, event: &str) {
    let heard = socket.data::<Heard>();
    let mut names = heard.0.borrow_mut();
    if names.len() < NAMES_MAX {
        names.push(event.to_owned());
    }
}

const NAMES_MAX: usize = 1_000;
