//! What is asked of many sockets at once, over real connections: acknowledgements of a broadcast,
//! fetched sockets, room events, events between servers.

mod common;

use std::cell::RefCell;
use std::time::Duration;

use common::{WebSocket, log, serve, serve_with};
use serde_json::Value;
use throng::{AckError, AdapterError, Answers, Args, Io, RoomEvent};

/// The answers to a broadcast as one line.
fn shown(answers: &Answers<Value>) -> String {
    let Answers { values, expected, rejected, timed_out, .. } = answers;
    format!("{values:?} of {expected}, {rejected} rejected, timed out: {timed_out}")
}

#[test]
fn acknowledgements_of_a_broadcast_come_together() {
    let (tell, told) = log();
    let server = serve(move |server| {
        server.of("/").on("ask", move |socket, millis: Option<u64>| {
            let tell = tell.clone();
            let operator = match millis {
                Some(millis) => socket.broadcast().timeout(Duration::from_millis(millis)),
                None => socket.broadcast(),
            };
            operator.emit_with_ack("q", &1, move |_, answers| {
                tell.send(shown(&answers)).unwrap();
            });
        });
    });
    let mut asker = WebSocket::joined(&server);
    // Nobody is there to be asked.
    asker.send("42[\"ask\",null]");
    assert_eq!(told.next(), "[] of 0, 0 rejected, timed out: false");
    let mut others = [WebSocket::joined(&server), WebSocket::joined(&server)];
    asker.send("42[\"ask\",60000]");
    for other in &mut others {
        assert_eq!(other.text(), "421[\"q\",1]");
    }
    // Only the first argument counts, and only the first answer.
    others[1].send("431[\"b\",\"more\"]");
    others[1].send("431[\"again\"]");
    server.wait_until(|io| io.socket_counters().acks_unknown == 1);
    others[0].send("431[{\"a\":1}]");
    assert_eq!(
        told.next(),
        "[String(\"b\"), Object {\"a\": Number(1)}] of 2, 0 rejected, timed out: false"
    );
    // One doesn't answer in time; the namespace has one counter of ids.
    asker.send("42[\"ask\",50]");
    for other in &mut others {
        assert_eq!(other.text(), "422[\"q\",1]");
    }
    others[0].send("432[5]");
    assert_eq!(told.next(), "[Number(5)] of 2, 0 rejected, timed out: true");
    others[1].send("432[6]");
    server.wait_until(|io| io.socket_counters().acks_unknown == 2);
    // One leaves.
    asker.send("42[\"ask\",null]");
    for other in &mut others {
        assert_eq!(other.text(), "423[\"q\",1]");
    }
    others[0].send("433[7]");
    others[1].send("41");
    assert_eq!(told.next(), "[Number(7)] of 2, 0 rejected, timed out: false");
    assert_eq!(server.ask(|io| io.socket_counters().ack_timeouts), 1);
}

#[test]
fn answers_of_another_shape_and_too_many_bytes_are_told_apart_from_those_that_never_came() {
    let (tell, told) = log();
    let server = serve_with(
        |config| {
            config.socket.answers_bytes_max = 20;
            config.socket.acks_per_socket_max = 1;
        },
        |_| {},
    );
    let mut sockets = [
        WebSocket::joined(&server),
        WebSocket::joined(&server),
        WebSocket::joined(&server),
        WebSocket::joined(&server),
    ];
    let ask = move |io: Io<'_>| {
        io.timeout(Duration::from_millis(500)).emit_with_ack::<String>("q", (), move |_, all| {
            let Answers { values, expected, rejected, .. } = all;
            tell.send(format!("{values:?} of {expected}, {rejected} rejected")).unwrap();
        });
    };
    let again = ask.clone();
    server.ask(ask);
    for (socket, answer) in sockets.iter_mut().zip(["7", "\"fits\"", "\"that is too much\""]) {
        assert_eq!(socket.text(), "420[\"q\"]");
        socket.send(&format!("430[{answer}]"));
    }
    server.wait_until(|io| io.socket_counters().acks_rejected == 1);
    // Those who owe an answer aren't asked again.
    sockets[3].text();
    server.ask(again);
    for socket in &mut sockets[..3] {
        assert_eq!(socket.text(), "421[\"q\"]");
        socket.send("431[\"x\"]");
    }
    told.expect(&["[\"x\", \"x\", \"x\"] of 3, 0 rejected", "[\"fits\"] of 4, 2 rejected"]);
    assert_eq!(server.ask(|io| io.socket_counters().acks_rejected), 2);
}

#[test]
fn flags_chain_in_any_order_from_every_start() {
    let server = serve(|server| {
        server.of("/").on("go", |socket, (): ()| {
            let wait = Duration::from_secs(1);
            let io = socket.server();
            socket.local().compress(false).to("r").timeout(wait).emit("1", ());
            socket.to("r").except("x").local().compress(true).volatile().emit("no", ());
            io.timeout(wait).local().compress(true).within("r").except("x").emit("2", ());
            io.compress(false).timeout(wait).to("r").local().emit("3", ());
            io.of("/").local().within("r").timeout(wait).compress(true).emit("4", ());
            io.of("/").timeout(wait).except("x").local().to(["r", "s"]).emit("5", ());
            socket.compress(false).timeout(wait).emit("6", ());
            socket.timeout(wait).compress(true).volatile().emit("no", ());
        });
        server.of("/").on_connect(|socket| socket.join("r"));
    });
    let mut other = WebSocket::joined(&server);
    let mut socket = WebSocket::joined(&server);
    socket.send("42[\"go\"]");
    other.expect(&["42[\"1\"]", "42[\"2\"]", "42[\"3\"]", "42[\"4\"]", "42[\"5\"]"]);
    socket.expect(&["42[\"2\"]", "42[\"3\"]", "42[\"4\"]", "42[\"5\"]", "42[\"6\"]"]);
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Profile {
    name: RefCell<String>,
}

#[test]
fn fetched_sockets_show_what_they_are_and_do_what_they_are_told() {
    let (tell, told) = log();
    let server = serve(move |server| {
        server
            .of("/")
            .shared_data::<Profile>()
            .on("name", |socket, name: String| {
                socket.data::<Profile>().name.replace(name);
                socket.join("named");
            })
            .on("fetch", move |socket, room: String| {
                let tell = tell.clone();
                let asker = socket.id();
                socket.server().to(&room).fetch_sockets(move |io, sockets| {
                    for remote in sockets.unwrap() {
                        let handshake: Value = remote.handshake().unwrap();
                        let rooms = remote.rooms().len();
                        let name = remote.data::<Profile>().unwrap().name;
                        let query = handshake["query"]["EIO"].as_str().unwrap().to_owned();
                        let line = format!("{} {query} {rooms}", name.borrow());
                        tell.send(line).unwrap();
                        assert_eq!(*remote.rooms()[0], *remote.id().as_str());
                        remote.join("fetched");
                        remote.leave("named");
                        remote.emit("hello", &io.of("/").room("fetched").len());
                        let tell = tell.clone();
                        remote.emit_with_ack::<u8>("how many?", (), move |_, answer| {
                            tell.send(format!("{answer:?}")).unwrap();
                        });
                    }
                    io.to(&asker).emit("done", ());
                });
                // A server on its own answers at once.
                socket.emit("behind", ());
            });
    });
    let mut other = WebSocket::joined(&server);
    other.send("42[\"name\",\"Ann\"]");
    server.wait_until(|io| io.of("/").room("named").len() == 1);
    let mut socket = WebSocket::joined(&server);
    socket.send("42[\"fetch\",\"named\"]");
    told.expect(&["Ann 4 2"]);
    socket.expect(&["42[\"done\"]", "42[\"behind\"]"]);
    other.expect(&["42[\"hello\",1]", "420[\"how many?\"]"]);
    other.send("430[3]");
    told.expect(&["Ok(3)"]);
    assert_eq!(server.ask(|io| io.of("/").room("named").len()), 0);
    // One without data of its own shows what it would have.
    socket.send(&format!(
        "42[\"fetch\",\"{}\"]",
        server.ask(|io| { io.of("/").all().except("fetched").local_sockets()[0].to_string() })
    ));
    told.expect(&[" 4 1"]);
    let data = server.ask(|io| {
        let data = std::rc::Rc::new(RefCell::new(Vec::new()));
        let kept = std::rc::Rc::clone(&data);
        io.fetch_sockets(move |_, sockets| {
            let sockets = sockets.unwrap();
            kept.borrow_mut().extend(sockets.iter().map(|it| it.data_json().to_owned()));
        });
        let mut data = data.take();
        data.sort();
        data
    });
    assert_eq!(data, ["{\"name\":\"\"}", "{\"name\":\"Ann\"}"]);
}

#[test]
fn room_events_come_in_order_for_whatever_causes_them() {
    let (tell, told) = log();
    let server = serve(move |server| {
        server
            .of("/")
            .on_room_event(move |namespace, event| {
                let line = match event {
                    RoomEvent::Create { room } => format!("create {room}"),
                    RoomEvent::Join { room, .. } => {
                        format!("join {room}, {} in", namespace.room(room).len())
                    }
                    RoomEvent::Leave { room, .. } => format!("leave {room}"),
                    RoomEvent::Delete { room } => format!("delete {room}"),
                };
                tell.send(line).unwrap();
            })
            .on_connect(|socket| socket.join(["a", "b", "a"]))
            .on("leave", |socket, room: String| socket.leave(&room));
    });
    let mut socket = WebSocket::open(&server);
    let id = socket.join("/");
    let (create, join) = (format!("create {id}"), format!("join {id}, 1 in"));
    told.expect(&[&create, &join, "create a", "join a, 1 in", "create b", "join b, 1 in"]);
    let second = WebSocket::joined(&server);
    told.next();
    told.next();
    told.expect(&["join a, 2 in", "join b, 2 in"]);
    server.ask(|io| io.to("a").sockets_leave("b"));
    told.expect(&["leave b", "leave b", "delete b"]);
    let name = id.clone();
    server.ask(move |io| io.to(&name).sockets_join("c"));
    told.expect(&["create c", "join c, 1 in"]);
    socket.send("42[\"leave\",\"c\"]");
    told.expect(&["leave c", "delete c"]);
    drop(second);
    assert!(told.next().starts_with("leave "));
    assert!(told.next().starts_with("delete "));
    told.expect(&["leave a"]);
    socket.send("41");
    told.expect(&[&format!("leave {id}"), &format!("delete {id}"), "leave a", "delete a"]);
    assert_eq!(told.so_far(), [""; 0]);
}

#[test]
fn a_watcher_of_rooms_may_do_anything_and_panic_without_harm() {
    let server = serve(|server| {
        server.of("/").on_room_event(|namespace, event| {
            if let RoomEvent::Join { room: "a", socket } = event {
                namespace.to(&socket).sockets_join("b");
                namespace.emit("joined", &socket);
                namespace.to(&socket).disconnect_sockets();
                panic!("a watcher's panic");
            }
        });
        server.of("/").on("a", |socket, (): ()| socket.join("a"));
    });
    let mut socket = WebSocket::open(&server);
    let id = socket.join("/");
    socket.send("42[\"a\"]");
    socket.expect(&[&format!("42[\"joined\",\"{id}\"]"), "41"]);
    let (rooms, panics) =
        server.ask(|io| (io.of("/").rooms_len(), io.socket_counters().handler_panics));
    assert_eq!((rooms, panics), (0, 1));
    WebSocket::joined(&server);
}

#[test]
fn a_server_on_its_own_has_nobody_to_talk_to() {
    let (tell, told) = log();
    let server = serve(move |server| {
        let heard = tell.clone();
        server.of("/").on_server_side("x", move |_, (): ()| heard.send("no".to_owned()).unwrap());
        server.of("/").server_side_emit("x", ());
        let namespace = server.of("/");
        namespace.server_side_emit_with_ack::<u8>("x", (), move |_, answers| {
            assert_eq!(answers, Err(AdapterError::Unsupported));
            tell.send("unsupported".to_owned()).unwrap();
        });
    });
    told.expect(&["unsupported"]);
    assert_eq!(server.ask(|io| io.socket_counters().server_side_emits_unsupported), 2);
    for name in ["connect", "connection", "new_namespace"] {
        let before = server.ask(|io| io.socket_counters().handler_panics);
        server.handle.post(move |io| io.of("/").server_side_emit(name, ())).unwrap();
        server.wait_until(move |io| io.socket_counters().handler_panics == before + 1);
    }
}

#[test]
fn a_closing_server_leaves_no_callback_behind() {
    let (tell, told) = log();
    let server = serve(move |server| {
        server.of("/").on("ask", move |socket, (): ()| {
            let (all, one) = (tell.clone(), tell.clone());
            socket.server().of("/").all().emit_with_raw_ack("q", (), move |_, answers| {
                all.send(format!("{} of {}", answers.values.len(), answers.expected)).unwrap();
            });
            socket.emit_with_raw_ack("q", (), move |_, answer: Result<Args<'_>, _>| {
                one.send(format!("{:?}", answer.err() == Some(AckError::Disconnected))).unwrap();
            });
        });
    });
    let mut socket = WebSocket::joined(&server);
    socket.send("42[\"ask\"]");
    socket.expect(&["420[\"q\"]", "421[\"q\"]"]);
    server.ask(|io| io.close());
    told.expect(&["0 of 1", "true"]);
    server.join();
}
