//! What the host's code may do, seen from the wire: anything, at any time. Handlers that leave,
//! throw others out, panic, or change rooms in the middle of a broadcast; timers, other threads,
//! admission, closing.
//!
//! ```text
//! > 42["kick","<id>"]      < 41
//! ```

mod common;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use common::{Running, WebSocket, handshake_polling, log, serve, serve_with};
use throng::{AckError, Binary, Delivery, PostError, Refusal, SessionMessage, Socket, SocketId};

/// Nothing else has been sent to the socket: the next message is this marker.
fn expect_nothing(server: &Running, socket: &mut WebSocket) {
    server.ask(|io| io.emit("marker", ()));
    assert_eq!(socket.text(), "42[\"marker\"]");
}

#[test]
fn a_handler_may_disconnect_its_own_socket_and_go_on() {
    let (tell, told) = log();
    let server = serve(move |server| {
        let also = tell.clone();
        server
            .of("/")
            .on("leave", move |socket, (): ()| {
                socket.disconnect();
                socket.disconnect();
                socket.join("room");
                socket.leave("room");
                assert_eq!(socket.emit("late", ()), Delivery::Dropped);
                assert!(socket.rooms().is_empty());
                assert!(!socket.is_connected());
                tell.send("still here".to_owned()).unwrap();
            })
            .on_disconnect(move |_, reason| also.send(reason.to_string()).unwrap());
    });
    let mut socket = WebSocket::joined(&server);
    socket.send("42[\"leave\"]");
    assert_eq!(socket.text(), "41");
    told.expect(&["server namespace disconnect", "still here"]);
    socket.join("/");
    assert_eq!(server.ask(|io| io.of("/").rooms_len()), 0);
}

#[test]
fn a_handler_may_throw_out_others() {
    let server = serve(|server| {
        server
            .of("/")
            .on("kick", |socket, id: String| {
                let id: SocketId = id.parse().unwrap();
                if let Some(other) = socket.namespace().socket(&id) {
                    other.disconnect_client();
                }
                socket.emit("kicked", ());
            })
            .on("kick all", |socket, (): ()| socket.server().of("/").all().disconnect_clients());
    });
    let mut kicker = WebSocket::joined(&server);
    let mut other = WebSocket::open(&server);
    let id = other.join("/");
    kicker.send(&format!("42[\"kick\",\"{id}\"]"));
    assert_eq!(kicker.text(), "42[\"kicked\"]");
    assert_eq!(other.text(), "41");
    other.expect_close(None);
    let mut third = WebSocket::joined(&server);
    kicker.send("42[\"kick all\"]");
    for socket in [&mut kicker, &mut third] {
        assert_eq!(socket.text(), "41");
        socket.expect_close(None);
    }
    server.wait_for_sessions(0);
}

#[test]
fn a_panic_costs_the_session_it_ran_for_and_no_other() {
    let (tell, told) = log();
    let server = serve(move |server| {
        server
            .of("/")
            .on("panic", |_, (): ()| panic!("a handler's mistake"))
            .on("echo", |socket, (): ()| {
                socket.emit("echo", ());
            })
            .on_disconnect(move |_, reason| tell.send(reason.to_string()).unwrap());
        server.of("/middleware").middleware(|_| panic!("a middleware's mistake"));
        server.of("/connect").on_connect(|_| panic!("a connection handler's mistake"));
        server.of("/disconnect").on_disconnect(|_, _| panic!("a last mistake"));
    });
    let mut bystander = WebSocket::joined(&server);
    let mut socket = WebSocket::joined(&server);
    socket.send("42[\"panic\"]");
    socket.expect_close(None);
    told.expect(&["forced close"]);
    let mut socket = WebSocket::open(&server);
    socket.send("40/middleware,");
    socket.expect_close(None);
    let mut socket = WebSocket::open(&server);
    socket.send("40/connect,");
    assert!(socket.text().starts_with("40/connect,{"));
    socket.expect_close(None);
    let mut socket = WebSocket::open(&server);
    socket.join("/disconnect");
    drop(socket);
    server.wait_for_sessions(1);
    let _ = server.handle.post(|_| panic!("a posted mistake"));
    server.ask(|io| {
        io.after(Duration::ZERO, |_| panic!("a timer's mistake"));
    });
    server.wait_until(|io| io.socket_counters().handler_panics == 6);
    bystander.send("42[\"echo\"]");
    assert_eq!(bystander.text(), "42[\"echo\"]");
}

#[test]
fn all_handlers_of_an_event_run_in_order_and_new_ones_from_the_next_on() {
    let (tell, told) = log();
    let server = serve(move |server| {
        let also = tell.clone();
        server
            .of("/")
            .on("a", move |socket, n: u32| {
                tell.send(format!("first {n}")).unwrap();
                if n == 1 {
                    let tell = tell.clone();
                    let third = move |_: Socket<'_>, n: u32| {
                        tell.send(format!("third {n}")).unwrap();
                    };
                    socket.namespace().on("a", third);
                }
            })
            .on("a", move |_, n: u32| also.send(format!("second {n}")).unwrap());
    });
    let mut socket = WebSocket::joined(&server);
    socket.send("42[\"a\",1]");
    socket.send("42[\"a\",2]");
    told.expect(&["first 1", "second 1", "first 2", "second 2", "third 2"]);
}

#[test]
fn handlers_get_their_types_or_do_not_run() {
    let (tell, told) = log();
    let server = serve(move |server| {
        let (one, pair, list, bytes, end) =
            (tell.clone(), tell.clone(), tell.clone(), tell.clone(), tell);
        server
            .of("/")
            .on("one", move |_, n: i64| one.send(format!("{n}")).unwrap())
            .on("pair", move |_, (a, b): (String, Option<bool>)| {
                pair.send(format!("{a} {b:?}")).unwrap();
            })
            .on("list", move |_, (numbers,): (Vec<u8>,)| {
                list.send(format!("{numbers:?}")).unwrap();
            })
            .on("bytes", move |_, (payload, n): (Binary, u8)| {
                bytes.send(format!("{:?} {n}", &payload[..])).unwrap();
            })
            .on("end", move |_, (): ()| end.send("end".to_owned()).unwrap());
    });
    let mut socket = WebSocket::joined(&server);
    socket.send("42[\"one\",-7,\"more\"]");
    socket.send("42[\"one\",\"text\"]");
    socket.send("42[\"one\"]");
    socket.send("42[\"pair\",\"x\",true]");
    socket.send("42[\"pair\",\"x\"]");
    socket.send("42[\"list\",[1,2]]");
    socket.send("451-[\"bytes\",{\"_placeholder\":true,\"num\":0},5]");
    socket.send_binary(&[1, 2]);
    socket.send("42[\"unknown\"]");
    socket.send("42[\"end\"]");
    told.expect(&["-7", "x Some(true)", "x None", "[1, 2]", "[1, 2] 5", "end"]);
    let counters = server.ask(|io| io.socket_counters());
    assert_eq!((counters.arguments_rejected, counters.events_unhandled), (2, 1));
}

#[test]
fn broadcasts_reach_each_member_of_the_rooms_once_and_the_sender_never() {
    let server = serve(|server| {
        server
            .of("/")
            .on("join", |socket, rooms: Vec<String>| socket.join(rooms))
            .on("leave", |socket, room: String| socket.leave(room))
            .on("to", |socket, (): ()| {
                socket.to(["a", "b"]).emit("to", ());
            })
            .on("broadcast", |socket, (): ()| {
                socket.broadcast().emit("broadcast", ());
            })
            .on("except", |socket, (): ()| {
                socket.except("b").emit("except", ());
            })
            .on("within", |socket, (): ()| {
                socket.server().to("a").within("b").except("c").emit("within", ());
            })
            .on("direct", |socket, id: String| {
                socket.to(id).emit("direct", ());
            });
    });
    let mut one = WebSocket::joined(&server);
    let mut two = WebSocket::joined(&server);
    let mut three = WebSocket::open(&server);
    let third_id = three.join("/");
    one.send("42[\"join\",[\"a\",\"b\"]]");
    two.send("42[\"join\",[\"a\",\"b\",\"a\"]]");
    three.send("42[\"join\",[\"b\",\"c\"]]");
    server.wait_until(|io| io.of("/").room("b").len() == 3);
    one.send("42[\"to\"]");
    for socket in [&mut two, &mut three] {
        assert_eq!(socket.text(), "42[\"to\"]");
    }
    two.send("42[\"broadcast\"]");
    for socket in [&mut one, &mut three] {
        assert_eq!(socket.text(), "42[\"broadcast\"]");
    }
    one.send("42[\"within\"]");
    for socket in [&mut one, &mut two] {
        assert_eq!(socket.text(), "42[\"within\"]");
    }
    two.send("42[\"leave\",\"b\"]");
    server.wait_until(|io| io.of("/").room("b").len() == 2);
    three.send("42[\"except\"]");
    assert_eq!(two.text(), "42[\"except\"]");
    one.send(&format!("42[\"direct\",\"{third_id}\"]"));
    assert_eq!(three.text(), "42[\"direct\"]");
    one.send("42[\"join\",\"not a list\"]");
    server.ask(|io| {
        io.emit("marker", ());
    });
    for socket in [&mut one, &mut two, &mut three] {
        assert_eq!(socket.text(), "42[\"marker\"]");
    }
    drop(two);
    drop(three);
    server.wait_until(|io| io.of("/").rooms_len() == 2);
    drop(one);
    server.wait_until(|io| io.of("/").rooms_len() == 0);
}

#[test]
fn rooms_may_change_in_the_middle_of_a_broadcast() {
    // Serialising a value is user code, and runs within `emit`.
    struct Leaving(RefCell<Option<Box<dyn FnOnce()>>>);
    impl serde::Serialize for Leaving {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if let Some(act) = self.0.borrow_mut().take() {
                act();
            }
            serializer.serialize_u8(1)
        }
    }
    let server = serve(|server| {
        server.of("/").on_connect(|socket| socket.join("room")).on("go", |socket, (): ()| {
            let rooms = Rc::new(Cell::new(0));
            let seen = Rc::clone(&rooms);
            let leaving = Leaving(RefCell::new(Some(Box::new(move || seen.set(1)))));
            socket.leave("room");
            socket.server().to("room").emit("n", &leaving);
            assert_eq!(rooms.get(), 1);
            socket.server().to("room").disconnect_sockets();
        });
    });
    let mut first = WebSocket::joined(&server);
    let mut second = WebSocket::joined(&server);
    first.send("42[\"go\"]");
    second.expect(&["42[\"n\",1]", "41"]);
    expect_nothing(&server, &mut first);
}

#[test]
fn disconnects_in_chains_end() {
    let (tell, told) = log();
    let server = serve(move |server| {
        server.of("/").on_disconnecting(|socket, _| {
            // Each takes the next one along, deeper than handlers nest.
            let namespace = socket.namespace();
            let mut ids = namespace.all().local_sockets().into_iter();
            if let Some(next) = ids.find_map(|id| namespace.socket(&id)) {
                next.disconnect();
            }
        });
        server.of("/").on_disconnect(move |_, reason| tell.send(reason.to_string()).unwrap());
    });
    let mut sockets: Vec<WebSocket> = (0..40).map(|_| WebSocket::joined(&server)).collect();
    sockets[0].send("41");
    let mut reasons: Vec<String> = (0..40).map(|_| told.next()).collect();
    reasons.sort();
    assert_eq!(reasons[0], "client namespace disconnect");
    assert!(reasons[1..].iter().all(|reason| reason == "server namespace disconnect"));
    assert_eq!(server.ask(|io| io.of("/").sockets_len()), 0);
    assert_eq!(sockets[39].text(), "41");
    sockets[39].join("/");
}

#[test]
fn disconnecting_has_the_rooms_and_disconnect_has_not() {
    let (tell, told) = log();
    let server = serve(move |server| {
        let also = tell.clone();
        server
            .of("/")
            .on_connect(|socket| {
                socket.join(["a", "b"]);
                socket.set_data(Rc::new("kept".to_owned()));
            })
            .on_disconnecting(move |socket, reason| {
                socket.to("a").emit("bye", &socket.id());
                socket.join("c");
                tell.send(format!("{reason}: {:?}", socket.rooms())).unwrap();
            })
            .on_disconnect(move |socket, reason| {
                let data = socket.data::<String>();
                let id_bytes = socket.id().as_str().len();
                also.send(format!("{reason}: {:?} {data} {id_bytes}", socket.rooms())).unwrap();
            });
    });
    let mut witness = WebSocket::joined(&server);
    let mut socket = WebSocket::open(&server);
    let id = socket.join("/");
    socket.send("41");
    told.expect(&[
        "client namespace disconnect: [\"a\", \"b\"]",
        "client namespace disconnect: [] kept 20",
    ]);
    assert_eq!(witness.text(), format!("42[\"bye\",\"{id}\"]"));
}

#[test]
fn data_is_kept_by_type() {
    let server = serve(|server| {
        server.of("/").on("count", |socket, (): ()| {
            let count = socket.data::<Cell<u32>>();
            count.set(count.get() + 1);
            socket.emit("count", &count.get());
        });
    });
    let mut socket = WebSocket::joined(&server);
    let mut other = WebSocket::joined(&server);
    socket.send("42[\"count\"]");
    socket.send("42[\"count\"]");
    socket.expect(&["42[\"count\",1]", "42[\"count\",2]"]);
    other.send("42[\"count\"]");
    assert_eq!(other.text(), "42[\"count\",1]");
}

#[test]
fn an_answer_may_be_kept_and_sent_later() {
    let server = serve(|server| {
        server
            .of("/")
            .on_raw("later", |socket, args, ack| {
                let (ack, args) = (ack.unwrap(), args.to_owned());
                socket.server().after(Duration::from_millis(20), move |_| ack.send(args.as_args()));
            })
            .on_raw("never", |_, _, ack| drop(ack))
            .on_raw("gone", |socket, _, ack| {
                socket.disconnect();
                ack.unwrap().send(&1);
            });
    });
    let mut socket = WebSocket::joined(&server);
    socket.send("420[\"never\"]");
    socket.send("421[\"later\",[1],\"x\"]");
    assert_eq!(socket.text(), "431[[1],\"x\"]");
    socket.send("422[\"gone\"]");
    // Even behind a DISCONNECT an acknowledgement is sent, as in the reference.
    socket.expect(&["41", "432[1]"]);
}

#[test]
fn emit_with_ack_tells_of_answers_timeouts_and_leaving() {
    let (tell, told) = log();
    let server = serve(move |server| {
        server.of("/").on("ask", move |socket, (name, millis): (String, Option<u64>)| {
            let tell = tell.clone();
            let emitter = socket.timeout(millis.map_or(Duration::MAX, Duration::from_millis));
            emitter.emit_with_ack("question", &name.clone(), move |socket, answer| {
                let shown = answer.unwrap_or_else(|error| format!("{error:?}"));
                // A callback may do anything, too.
                socket.emit("thanks", &shown);
                tell.send(format!("{name}: {shown}")).unwrap();
            });
        });
    });
    let mut socket = WebSocket::joined(&server);
    socket.send("42[\"ask\",\"a\",null]");
    assert_eq!(socket.text(), "420[\"question\",\"a\"]");
    socket.send("430[\"answer\"]");
    assert_eq!(socket.text(), "42[\"thanks\",\"answer\"]");
    socket.send("42[\"ask\",\"b\",30]");
    assert_eq!(socket.text(), "421[\"question\",\"b\"]");
    assert_eq!(socket.text(), "42[\"thanks\",\"Timeout\"]");
    socket.send("42[\"ask\",\"c\",60000]");
    assert_eq!(socket.text(), "422[\"question\",\"c\"]");
    socket.send("432[{}]");
    assert_eq!(socket.text(), "42[\"thanks\",\"Malformed\"]");
    socket.send("42[\"ask\",\"d\",60000]");
    assert_eq!(socket.text(), "423[\"question\",\"d\"]");
    socket.send("41");
    told.expect(&["a: answer", "b: Timeout", "c: Malformed", "d: Disconnected"]);
    assert_eq!(server.ask(|io| io.socket_counters().acks_rejected), 1);
}

#[test]
fn volatile_events_are_dropped_while_something_waits() {
    let server = serve(|server| {
        server.of("/").on_with_ack("go", |socket, (): ()| {
            socket.volatile().emit("v", &1);
            socket.volatile().emit("v", &2);
            socket.emit("n", &3);
            socket.volatile().emit("v", &4);
        });
    });
    let mut socket = WebSocket::joined(&server);
    socket.send("420[\"go\"]");
    socket.expect(&["42[\"v\",1]", "42[\"n\",3]", "430[null]"]);
    // Without a GET that waits nothing volatile is kept.
    let mut poller = handshake_polling(&server);
    poller.join();
    server.ask(|io| io.volatile().emit("v", &5));
    server.ask(|io| io.emit("n", &6));
    assert_eq!(poller.poll(), "42[\"n\",6]");
    poller.park();
    server.ask(|io| io.volatile().emit("v", &7));
    assert_eq!(poller.polled(), "42[\"v\",7]");
}

#[test]
fn posts_from_threads_run_in_order() {
    let server = serve(|server| {
        server.of("/").name();
    });
    let mut socket = WebSocket::joined(&server);
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let handle = server.handle.clone();
            std::thread::spawn(move || {
                for number in 0..100 {
                    handle
                        .post(move |io| {
                            io.emit("n", (&thread, &number));
                        })
                        .unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let mut next = [0; 4];
    for _ in 0..400 {
        let text = socket.text();
        let (_, thread, number): (String, usize, u32) = serde_json::from_str(&text[2..]).unwrap();
        assert_eq!(number, next[thread]);
        next[thread] += 1;
    }
    let handle = server.handle.clone();
    drop(server);
    assert_eq!(handle.post(|_| ()), Err(PostError::Closed));
}

#[test]
fn timers_run_repeat_and_are_cancelled() {
    let (tell, told) = log();
    let server = serve(|_| {});
    server.ask(move |io| {
        let (once, again, last) = (tell.clone(), tell.clone(), tell.clone());
        let cancelled = tell.clone();
        let timer = io.after(Duration::from_millis(5), move |_| drop(cancelled.send("no".into())));
        assert!(io.cancel(timer));
        assert!(!io.cancel(timer));
        io.after(Duration::from_millis(20), move |_| once.send("once".to_owned()).unwrap());
        let count = Cell::new(0);
        let period: Rc<Cell<Option<throng::TimerId>>> = Rc::default();
        let own = Rc::clone(&period);
        let timer = io.every(Duration::from_millis(40), move |io| {
            count.set(count.get() + 1);
            again.send(format!("again {}", count.get())).unwrap();
            if count.get() == 3 {
                assert!(io.cancel(own.get().unwrap()));
            }
        });
        period.set(Some(timer));
        io.after(Duration::from_millis(240), move |_| last.send("last".to_owned()).unwrap());
    });
    told.expect(&["once", "again 1", "again 2", "again 3", "last"]);
}

#[test]
fn a_refusal_in_a_chain_of_middlewares_ends_it() {
    let (tell, told) = log();
    let server = serve(move |server| {
        let also = tell.clone();
        server
            .of("/")
            .middleware(move |socket| {
                assert!(!socket.is_connected());
                tell.send("first".to_owned()).unwrap();
                match socket.handshake().auth::<serde_json::Value>() {
                    Some(auth) if auth["ok"] == true => Ok(()),
                    _ => Err(Refusal::new("not ok")),
                }
            })
            .middleware(move |_| {
                also.send("second".to_owned()).unwrap();
                Ok(())
            });
    });
    let mut socket = WebSocket::open(&server);
    socket.send("40");
    assert_eq!(socket.text(), "44{\"message\":\"not ok\"}");
    told.expect(&["first"]);
    socket.send("40{\"ok\":true}");
    assert!(socket.text().starts_with("40{"));
    told.expect(&["first", "second"]);
    assert_eq!(server.ask(|io| io.socket_counters().refused), 1);
}

#[test]
fn a_middleware_may_disconnect_the_socket() {
    let server = serve(|server| {
        server.of("/").middleware(|socket| {
            socket.disconnect_client();
            Ok(())
        });
    });
    let mut socket = WebSocket::open(&server);
    socket.send("40");
    let mut frame = socket.frame();
    if frame.first_byte == 0x81 {
        assert_eq!(frame.payload, b"41");
        frame = socket.frame();
    }
    assert_eq!(frame.first_byte, 0x88);
    server.wait_for_sessions(0);
}

#[test]
fn reserved_names_are_the_host_s_mistake() {
    let server = serve(|server| {
        server.of("/").on("x", |socket, name: String| {
            socket.emit(&name, ());
        });
    });
    for name in ["connect", "connect_error", "disconnect", "disconnecting", "newListener"] {
        let mut socket = WebSocket::joined(&server);
        socket.send(&format!("42[\"x\",\"{name}\"]"));
        socket.expect_close(None);
    }
    WebSocket::joined(&server);
}

#[test]
fn values_that_cannot_be_serialised_are_counted_and_not_sent() {
    let server = serve(|server| {
        server.of("/").name();
    });
    let mut socket = WebSocket::joined(&server);
    server.ask(|io| {
        let map = std::collections::HashMap::from([((1, 2), 3)]);
        io.emit("broken", &map);
    });
    expect_nothing(&server, &mut socket);
    assert_eq!(server.ask(|io| io.socket_counters().encode_errors), 1);
}

#[test]
fn rooms_have_a_limit() {
    let server = serve_with(
        |config| config.socket.rooms_per_socket_max = 2,
        |server| {
            server.of("/").on_with_ack("join", |socket, rooms: Vec<String>| {
                socket.join(rooms);
                socket.rooms().len()
            });
        },
    );
    let mut socket = WebSocket::joined(&server);
    socket.send("420[\"join\",[\"a\",\"b\",\"c\",\"a\"]]");
    assert_eq!(socket.text(), "430[2]");
}

#[test]
fn acks_have_a_limit() {
    let (tell, told) = log();
    let server = serve_with(
        |config| config.socket.acks_per_socket_max = 2,
        move |server| {
            server.of("/").on_connect(move |socket| {
                for number in 0..3 {
                    let tell = tell.clone();
                    socket.emit_with_ack::<()>("q", &number, move |_, answer| {
                        let known = answer == Err(AckError::NotSent);
                        tell.send(format!("{number} {known}")).unwrap();
                    });
                }
            });
        },
    );
    let mut socket = WebSocket::joined(&server);
    socket.expect(&["420[\"q\",0]", "421[\"q\",1]"]);
    told.expect(&["2 true"]);
    socket.send("431[]");
    told.expect(&["1 false"]);
}

#[test]
fn bare_sessions_carry_the_host_s_own_messages() {
    let (tell, told) = log();
    let server = serve(move |server| {
        server
            .engine()
            .on_open(|session, request| {
                session.send_text(request.path());
            })
            .on_message(|session, message| match message {
                SessionMessage::Text { text: "close", .. } => session.close(),
                SessionMessage::Text { text: "panic", .. } => panic!("a handler's mistake"),
                SessionMessage::Text { text, .. } => {
                    session.send_text(text);
                }
                SessionMessage::Binary { bytes, .. } => {
                    session.send_binary(bytes);
                }
            })
            .on_close(move |_, reason| tell.send(reason.to_string()).unwrap());
    });
    let mut socket = WebSocket::open(&server);
    socket.send("4hello");
    socket.send_binary(&[1, 2]);
    socket.expect(&["4/socket.io/", "4hello"]);
    assert_eq!(socket.binary(), [1, 2]);
    socket.send("4close");
    socket.expect_close(None);
    told.expect(&["forced close"]);
    let mut poller = handshake_polling(&server);
    assert_eq!(poller.poll(), "4/socket.io/");
    poller.post("4a\x1ebAQI=");
    assert_eq!(poller.poll(), "4a\x1ebAQI=");
    poller.post("4panic");
    // The session ends when its client can be told.
    assert_eq!(poller.poll(), "6\x1e1");
    told.expect(&["forced close"]);
    poller.expect_gone();
}

#[test]
fn closing_tells_every_socket_and_ends_run() {
    let (tell, told) = log();
    let server = serve(move |server| {
        for name in ["/", "/other"] {
            let tell = tell.clone();
            server.of(name).on_disconnect(move |_, reason| tell.send(reason.to_string()).unwrap());
        }
    });
    let mut socket = WebSocket::joined(&server);
    socket.join("/other");
    let mut poller = handshake_polling(&server);
    poller.join();
    poller.park();
    server.ask(|io| {
        io.emit("last", ());
        io.close();
        io.close();
    });
    let last = socket.frame();
    if last.first_byte == 0x81 {
        assert_eq!(last.payload, b"42[\"last\"]");
        socket.expect_close(None);
    } else {
        assert_eq!((last.first_byte, last.payload.len()), (0x88, 0));
    }
    let body = poller.polled();
    assert!(body == "1" || body == "42[\"last\"]", "{body}");
    told.expect(&["server shutting down"; 3]);
    assert!(std::net::TcpStream::connect(server.address).is_err());
    drop((socket, poller));
    server.join();
}

#[test]
fn the_longest_duration_is_a_limit_that_is_never_met() {
    let server = serve_with(
        |config| {
            config.engine.ping_interval = Duration::MAX;
            config.engine.ping_timeout = Duration::MAX;
            config.engine.upgrade_timeout = Duration::MAX;
            config.socket.connect_timeout = Duration::MAX;
            config.http.head_timeout = Duration::MAX;
            config.http.body_timeout = Duration::MAX;
            config.http.keep_alive_timeout = Duration::MAX;
            config.reactor.linger_timeout = Duration::MAX;
            config.reactor.close_timeout = Duration::MAX;
            config.outgoing.soft_time_max = Duration::MAX;
            config.outgoing.stall_time_max = Duration::MAX;
        },
        |server| {
            server.io().after(Duration::MAX, |_| unreachable!());
            server.io().every(Duration::MAX, |_| unreachable!());
            server.of("/").on("ask", |socket, (): ()| {
                let patient = socket.timeout(Duration::MAX);
                patient.emit_with_ack::<()>("question", (), |socket, answer| {
                    socket.emit("heard", &answer.is_ok());
                });
            });
        },
    );
    handshake_polling(&server);
    let mut socket = WebSocket::joined(&server);
    socket.send("42[\"ask\"]");
    assert_eq!(socket.text(), "420[\"question\"]");
    socket.send("430[]");
    assert_eq!(socket.text(), "42[\"heard\",true]");
}
