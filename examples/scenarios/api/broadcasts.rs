//! Broadcasts that are lost rather than late, and broadcasts that ask.
//!
//! ```text
//! > 42["poke","target",60]     < 42["poked",0]     to the target, and nothing else of the sixty
//! > 420["vote","jury",500]     < 430[{"votes":["aye"],"timedOut":true}]
//! ```

use std::time::Duration;

use serde_json::{Value, json};
use throng::{Ack, Namespace};

pub(crate) fn declare(namespace: Namespace<'_>) {
    namespace
        .on_with_ack("poke", |socket, (room, times): (String, u32)| {
            for number in 0..times.min(POKES_MAX) {
                socket.namespace().to(&room).volatile().emit("poked", &number);
            }
            true
        })
        .on_raw("vote", |socket, args, ack| {
            if let (Ok((room, milliseconds)), Some(ack)) = (args.parse::<(String, u32)>(), ack) {
                vote(socket.namespace(), &room, Duration::from_millis(milliseconds.into()), ack);
            }
        });
}

fn vote(namespace: Namespace<'_>, room: &str, time: Duration, ack: Ack) {
    namespace.to(room).timeout(time).emit_with_ack::<Value>("vote?", (), |_, answers| {
        let mut votes = answers.values;
        votes.sort_by_key(Value::to_string);
        ack.send(&json!({ "votes": votes, "timedOut": answers.timed_out }));
    });
}

const POKES_MAX: u32 = 1_000;
