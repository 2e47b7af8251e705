//! Other threads under load: whatever a handle takes arrives, once and in each thread's order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use throng::{EmitError, Handle, PostError};

use super::common::{WebSocket, serve};

const THREADS: usize = 8;
const POSTS: usize = 100_000;
const EMITS: usize = 1_000;

/// Posts until it is taken: a full mailbox says so, and the thread waits as it likes.
fn post(handle: &Handle, mut attempt: impl FnMut(&Handle) -> Result<(), PostError>) {
    while let Err(error) = attempt(handle) {
        assert_eq!(error, PostError::Full);
        thread::yield_now();
    }
}

#[test]
fn eight_threads_post_under_load_and_nothing_is_lost() {
    let server = serve(|server| {
        server.of("/").on_with_ack("alive?", |_, (): ()| true);
    });
    let next: Arc<Vec<AtomicUsize>> = Arc::new((0..THREADS).map(|_| AtomicUsize::new(0)).collect());
    let threads: Vec<_> = (0..THREADS)
        .map(|own| {
            let (handle, next) = (server.handle.clone(), Arc::clone(&next));
            thread::spawn(move || {
                for number in 0..POSTS {
                    post(&handle, |handle| {
                        let next = Arc::clone(&next);
                        handle.post(move |_| {
                            assert_eq!(next[own].fetch_add(1, Ordering::Relaxed), number);
                        })
                    });
                }
            })
        })
        .collect();
    // Clients are served meanwhile.
    let mut socket = WebSocket::joined(&server);
    for number in 0..100 {
        socket.send(&format!("42{number}[\"alive?\"]"));
        assert_eq!(socket.text(), format!("43{number}[true]"));
    }
    for thread in threads {
        thread.join().unwrap();
    }
    let panics = server.ask(|io| io.socket_counters().handler_panics);
    assert_eq!(panics, 0, "a closure ran out of its thread's order");
    for ran in next.iter() {
        assert_eq!(ran.load(Ordering::Relaxed), POSTS);
    }
    assert_eq!(server.handle.waiting(), 0);
}

#[test]
fn emits_of_many_threads_arrive_once_and_in_each_thread_s_order() {
    let server = serve(|server| {
        server.of("/").on_connect(|socket| socket.join("all"));
    });
    let mut socket = WebSocket::joined(&server);
    let threads: Vec<_> = (0..THREADS)
        .map(|own| {
            let handle = server.handle.clone();
            thread::spawn(move || {
                for number in 0..EMITS {
                    let emitted = handle.to("all").except("nobody").emit("n", (&own, &number));
                    emitted.unwrap();
                }
            })
        })
        .collect();
    let mut next = [0; THREADS];
    for _ in 0..THREADS * EMITS {
        let text = socket.text();
        let (_, own, number): (String, usize, usize) = serde_json::from_str(&text[2..]).unwrap();
        assert_eq!(number, next[own]);
        next[own] += 1;
    }
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn an_emit_says_what_it_says_from_the_loop_itself() {
    let server = serve(|server| {
        server.of("/chat").on_connect(|socket| socket.join("lobby"));
    });
    let mut chat = WebSocket::open(&server);
    let id = chat.join("/chat");
    let handle = &server.handle;
    handle.emit("nobody hears", ()).unwrap();
    handle.of("/chat").emit("all", ("text", &[1, 2])).unwrap();
    handle.of("/chat").except("lobby").emit("none", ()).unwrap();
    handle.of("/chat").to(["hall", "lobby"]).compress(false).local().emit("some", ()).unwrap();
    handle.of("/chat").within(id).emit("one", &throng::Binary(vec![1, 2, 3])).unwrap();
    chat.expect(&["42/chat,[\"all\",\"text\",[1,2]]", "42/chat,[\"some\"]"]);
    assert_eq!(chat.text(), "451-/chat,[\"one\",{\"_placeholder\":true,\"num\":0}]");
    assert_eq!(chat.binary(), [1, 2, 3]);
    // In one tick a second volatile is dropped; each emit of another thread is a tick of its own.
    handle.of("/chat").volatile().emit("first", ()).unwrap();
    handle.of("/chat").volatile().emit("second", ()).unwrap();
    chat.expect(&["42/chat,[\"first\"]", "42/chat,[\"second\"]"]);
}

#[test]
fn what_can_t_be_serialised_is_told_to_the_thread_that_emits_it() {
    struct Refusing;
    impl serde::Serialize for Refusing {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not today"))
        }
    }
    let server = serve(|_| {});
    let error = server.handle.emit("x", &Refusing).unwrap_err();
    assert!(matches!(error, EmitError::Encode(_)));
    assert_eq!(error.to_string(), "argument can't be serialized: not today");
    let panicked = thread::spawn({
        let handle = server.handle.clone();
        move || drop(handle.emit("disconnect", ()))
    });
    assert!(panicked.join().is_err(), "a reserved name is the host's mistake");
    assert_eq!(server.ask(|io| io.socket_counters().handler_panics), 0);
}

#[test]
fn an_answer_is_serialised_by_the_thread_that_gives_it() {
    struct WhereItIs;
    impl serde::Serialize for WhereItIs {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_str(thread::current().name().unwrap_or("?"))
        }
    }
    let server = serve(|server| {
        let handle = server.handle();
        server.of("/").on_raw("where", move |_, _, ack| {
            let ack = handle.remote_ack(ack.unwrap());
            let worker = thread::Builder::new().name("worker".to_owned());
            worker.spawn(move || ack.send(WhereItIs).unwrap()).unwrap();
        });
    });
    let mut socket = WebSocket::joined(&server);
    socket.send("427[\"where\"]");
    assert_eq!(socket.text(), "437[\"worker\"]");
}
