//! One thread that answers what takes its time: acknowledgements, who may come into `/guarded`, who
//! may open a session.
//!
//! ```text
//! > GET /socket.io/?EIO=4&transport=polling&key=wrong    < 403 {"code":4,"message":"wrong key"}
//! > 40/guarded,{"token":"secret"}                        < 40/guarded,{"sid":"..."}
//! > 420["square",12]                                     < 430[144]
//! ```

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use throng::{PostError, Refusal, RemoteAck, RemoteDecision, RemoteNext, Server, Socket};

/// What is asked, and whom it is for. Dropped, an acknowledgement is never sent, and a decision
/// refuses.
enum Work {
    Square(i64, RemoteAck),
    Enter(Option<String>, RemoteNext),
    Open(Option<String>, RemoteDecision),
}

/// The payload that a client of `/guarded` comes with.
#[derive(Deserialize)]
struct Credentials {
    token: String,
}

/// Whom a socket has passed on its way in.
#[derive(Default)]
struct Passed(RefCell<Vec<&'static str>>);

pub(crate) fn declare(server: &mut Server) {
    let (queue, work) = sync_channel(QUEUED_MAX);
    // It ends with the last who may ask: the handlers, which end with the server.
    std::thread::spawn(move || work_off(&work));
    let (handle, asked) = (server.handle(), queue.clone());
    server.allow_request(move |_, request, decision| {
        let key = request.query_param("key").map(Cow::into_owned);
        ask(&asked, Work::Open(key, handle.remote_decision(decision)));
    });
    let (handle, asked) = (server.handle(), queue.clone());
    server.of("/").on_raw("square", move |_, args, ack| {
        if let (Ok(number), Some(ack)) = (args.parse(), ack) {
            ask(&asked, Work::Square(number, handle.remote_ack(ack)));
        }
    });
    let handle = server.handle();
    server
        .of("/guarded")
        .middleware_deferred(move |socket, next| {
            pass(socket, "the thread");
            ask(&queue, Work::Enter(token(socket), handle.remote_next(next)));
        })
        .middleware_deferred(|socket, next| {
            pass(socket, "the timer");
            socket.server().after(Duration::from_millis(50), |_| next.allow());
        })
        .middleware(|socket| {
            pass(socket, "the last");
            Ok(())
        })
        .on_connect(|socket| {
            socket.emit("passed", &socket.data::<Passed>().0.take());
        });
}

/// What finds no place is dropped, and thereby decided.
fn ask(queue: &SyncSender<Work>, work: Work) {
    let _ = queue.try_send(work);
}

fn pass(socket: Socket<'_>, whom: &'static str) {
    socket.data::<Passed>().0.borrow_mut().push(whom);
}

/// Clients of Socket.IO 2 bring it in the query: they have no payload.
fn token(socket: Socket<'_>) -> Option<String> {
    let handshake = socket.handshake();
    let credentials = handshake.auth::<Credentials>().map(|credentials| credentials.token);
    credentials.or_else(|| handshake.query("token").map(Cow::into_owned))
}

fn work_off(work: &Receiver<Work>) {
    for work in work {
        if answer(work) == Err(PostError::Closed) {
            return;
        }
    }
}

fn answer(work: Work) -> Result<(), PostError> {
    match work {
        Work::Square(number, ack) => ack.send(number.wrapping_mul(number)),
        Work::Enter(Some(token), next) if token == "secret" => next.allow(),
        Work::Enter(token, next) => {
            next.refuse(Refusal::new("unknown token").data(&json!({ "token": token })))
        }
        Work::Open(Some(key), decision) if key == "wrong" => decision.refuse("wrong key"),
        Work::Open(_, decision) => decision.allow(),
    }
}

const QUEUED_MAX: usize = 1_000;
