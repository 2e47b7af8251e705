//! A handler may do anything, wherever it runs: every act of `acts` in every place, on a socket
//! that is there and on one that has just gone. Nothing panics, and the server goes on.
//!
//! ```text
//! places (handlers, middlewares, timers, ...)  ×  acts (every public method)  ×  gone or not
//! ```

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use throng::config::Config;
use throng::http::{Method, Response};
use throng::testing::{Connect, MemoryNet, State, TestServer, TestSocket};
use throng::{Delivery, Io, Refusal, Server, Session, Socket, Transport, WebSocketEvent};

use super::acts::{
    Act, BROADCAST, IO, NAMESPACE, SOCKET, SOCKET_DECLARATIONS, WEBSOCKET, in_session,
};

/// A place where the host's code runs: declares the act there.
type Declare = fn(&mut Server<MemoryNet>, Course);

/// What the host's code does where it runs.
#[derive(Clone, Copy)]
struct Course {
    act: Act,
    /// The socket goes before anything is done.
    gone: bool,
}

thread_local! {
    /// How often the act may still be done in this visit: what emits in an outgoing catch-all, or
    /// joins in a room event, would never end, here as in the reference.
    static LEFT: Cell<u32> = const { Cell::new(0) };
}

const ACTS_MAX: u32 = 3;

impl Course {
    fn with(self, socket: Socket<'_>) {
        self.take(socket.server(), Some(socket));
    }

    fn within(self, io: Io<'_>) {
        self.take(io, None);
    }

    fn take(self, io: Io<'_>, socket: Option<Socket<'_>>) {
        if LEFT.get() == 0 {
            return;
        }
        LEFT.set(LEFT.get() - 1);
        if let Some(socket) = socket.filter(|_| self.gone) {
            socket.disconnect();
        }
        match (self.act, socket) {
            (Act::Server(act), _) => act(io),
            (Act::Socket(act), Some(socket)) => act(socket),
            (Act::Socket(act), None) => {
                for id in io.of("/p").all().local_sockets() {
                    io.of("/p").socket(&id).into_iter().for_each(act);
                }
            }
        }
    }
}

/// Handlers of events, and what surrounds them.
const EVENT_PLACES: &[(&str, Declare)] = &[
    ("on", |server, course| {
        server.of("/p").on("go", move |socket, (): ()| course.with(socket));
    }),
    ("on_with_ack", |server, course| {
        server.of("/p").on_with_ack("ask", move |socket, (): ()| course.with(socket));
    }),
    ("on_raw", |server, course| {
        server.of("/p").on_raw("ask", move |socket, args, ack| {
            course.with(socket);
            ack.unwrap().send(args);
        });
    }),
    ("once", |server, course| {
        server.of("/p").once("go", move |socket, (): ()| course.with(socket));
    }),
    ("a socket's own handler", |server, course| {
        server.of("/p").on_connect(move |socket| {
            socket.on_raw("go", move |socket, _, _| course.with(socket));
        });
    }),
    ("event_middleware", |server, course| {
        server.of("/p").event_middleware(move |socket, _, _| {
            course.with(socket);
            Ok(())
        });
    }),
    ("on_any", |server, course| {
        server.of("/p").on_any(move |socket, _, _| course.with(socket));
    }),
    ("prepend_any", |server, course| {
        server.of("/p").prepend_any(move |socket, _, _| course.with(socket));
    }),
    ("on_any_outgoing", |server, course| {
        server.of("/p").on_any_outgoing(move |socket, _, _| course.with(socket)).on(
            "go",
            |socket, (): ()| {
                socket.emit("out", ());
            },
        );
    }),
    ("on_error", |server, course| {
        server
            .of("/p")
            .event_middleware(|_, _, _| Err(Refusal::new("no")))
            .on_error(move |socket, _| course.with(socket));
    }),
];

/// Coming and going.
const SOCKET_PLACES: &[(&str, Declare)] = &[
    ("middleware", |server, course| {
        server.of("/p").middleware(move |socket| {
            course.with(socket);
            Ok(())
        });
    }),
    ("a middleware that refuses", |server, course| {
        server.of("/p").middleware(move |socket| {
            course.with(socket);
            Err(Refusal::new("no"))
        });
    }),
    ("middleware_deferred", |server, course| {
        server.of("/p").middleware_deferred(move |socket, next| {
            course.with(socket);
            next.allow();
            course.with(socket);
        });
    }),
    ("on_connect", |server, course| {
        server.of("/p").on_connect(move |socket| course.with(socket));
    }),
    ("on_disconnecting", |server, course| {
        server.of("/p").on_disconnecting(move |socket, _| course.with(socket));
    }),
    ("on_disconnect", |server, course| {
        server.of("/p").on_disconnect(move |socket, _| course.with(socket));
    }),
    ("on_high_water", |server, course| {
        server.of("/p").on_high_water(move |socket, _| course.with(socket));
    }),
    ("on_low_water", |server, course| {
        server.of("/p").on_low_water(move |socket| course.with(socket));
    }),
    ("on_room_event", |server, course| {
        server
            .of("/p")
            .on_room_event(move |namespace, _| course.within(namespace.server()))
            .on_connect(|socket| socket.join("any"));
    }),
    ("on_new_namespace", |server, course| {
        server.of_dynamic(|name, _| name == "/dynamic");
        server.on_new_namespace(move |namespace| course.within(namespace.server()));
    }),
    ("of_deferred", |server, course| {
        server.of_deferred(move |io, _, _, decision| {
            course.within(io);
            decision.allow();
            course.within(io);
        });
    }),
];

/// Answers, by whichever way they come.
const ANSWER_PLACES: &[(&str, Declare)] = &[
    ("the answer of a socket", |server, course| {
        server.of("/p").on_connect(move |socket| {
            socket.emit_with_raw_ack("q", (), move |socket, _| course.with(socket));
        });
    }),
    ("an answer that never comes", |server, course| {
        server.of("/p").on_connect(move |socket| {
            let patient = socket.timeout(Duration::from_millis(1));
            patient.emit_with_raw_ack("keep", (), move |socket, _| course.with(socket));
        });
    }),
    ("the answer of one that leaves", |server, course| {
        server.of("/p").on_connect(move |socket| {
            socket.emit_with_raw_ack("keep", (), move |socket, _| course.with(socket));
        });
    }),
    ("an answer to what was not sent", |server, course| {
        server.of("/p").on_disconnect(move |socket, _| {
            socket.emit_with_raw_ack("q", (), move |socket, _| course.with(socket));
        });
    }),
    ("the answers of many", |server, course| {
        server.of("/p").on_connect(move |socket| {
            let all = socket.namespace().all();
            all.emit_with_raw_ack("q", (), move |io, _| course.within(io));
        });
    }),
    ("fetch_sockets", |server, course| {
        server.of("/p").on("go", move |socket, (): ()| {
            socket.namespace().all().fetch_sockets(move |io, _| course.within(io));
        });
    }),
];

/// What no client is the reason for, and what isn't Socket.IO.
const OTHER_PLACES: &[(&str, Declare)] = &[
    ("after", |server, course| {
        server.of("/p").on_connect(move |socket| {
            socket.server().after(Duration::ZERO, move |io| course.within(io));
        });
    }),
    ("every", |server, course| {
        server.io().every(Duration::from_millis(2), move |io| course.within(io));
    }),
    ("post", |server, course| {
        let handle = server.handle();
        server.of("/p").on_connect(move |_| handle.post(move |io| course.within(io)).unwrap());
    }),
    ("a route", |server, course| {
        server.http().get("/go", move |io, _| {
            course.within(io);
            Response::ok()
        });
    }),
    ("route_later", |server, course| {
        server.http().route_later(Method::Get, "/go", move |io, _, responder| {
            course.within(io);
            io.after(Duration::from_millis(1), move |io| {
                course.within(io);
                responder.send(Response::ok());
            });
        });
    }),
    ("fallback", |server, course| {
        server.http().fallback(move |io, _| {
            course.within(io);
            Response::ok()
        });
    }),
    ("allow_request", |server, course| {
        server.allow_request(move |io, _, decision| {
            course.within(io);
            decision.allow();
        });
    }),
    ("on_open", |server, course| {
        server.engine().on_open(move |session, _| of_session(course, session));
    }),
    ("on_close", |server, course| {
        server.engine().on_close(move |session, _| of_session(course, session));
    }),
    ("on_packet", |server, course| {
        server.engine().on_packet(move |session, _| of_session(course, session));
    }),
    ("on_heartbeat", |server, course| {
        server.engine().on_heartbeat(move |session| of_session(course, session));
    }),
    ("on_upgrading", |server, course| {
        server.engine().on_upgrading(move |session| of_session(course, session));
    }),
    ("on_upgrade", |server, course| {
        server.engine().on_upgrade(move |session| of_session(course, session));
    }),
    ("on_drain", |server, course| {
        server.engine().on_drain(move |session| of_session(course, session));
    }),
];

/// A session is told of before it has sockets, and when it has none any more. The bystander's is
/// left in peace.
fn of_session(course: Course, session: Session<'_>) {
    let sockets = session.sockets();
    if LEFT.get() == 0 || sockets.iter().any(|socket| &*socket.namespace().name() == "/") {
        return;
    }
    match sockets.first() {
        Some(&socket) => {
            in_session(session);
            course.with(socket);
        }
        // What is to be done only once more is left for when there are sockets.
        None if LEFT.get() == 1 => {}
        None => {
            in_session(session);
            LEFT.set(LEFT.get() - 1);
        }
    }
}

fn places() -> impl Iterator<Item = &'static (&'static str, Declare)> {
    [EVENT_PLACES, SOCKET_PLACES, ANSWER_PLACES, OTHER_PLACES].into_iter().flatten()
}

fn acts() -> impl Iterator<Item = &'static (&'static str, Act)> {
    [IO, NAMESPACE, BROADCAST, SOCKET_DECLARATIONS, SOCKET].into_iter().flatten()
}

/// A server with somebody in `/`, who must not be hurt: nothing is done before that one is in.
fn world(declare: impl FnOnce(&mut Server<MemoryNet>)) -> (TestServer, TestSocket) {
    let mut config = Config::default();
    config.reactor.connections_max = Some(64);
    config.outgoing.high_water_bytes = Some(50_000);
    let left = LEFT.replace(0);
    let mut test = TestServer::with_config(config, 1, |server| {
        server.of("/").on_with_ack("alive?", |_, (): ()| true);
        server.of("/p").on_any(|_, _, _| {});
        declare(server);
    });
    let bystander = test.connect("/").unwrap();
    LEFT.set(left);
    (test, bystander)
}

/// Leads clients through everything in which the host's code may run.
fn play(test: &mut TestServer) {
    let polling = Connect::to("/p").transport(Transport::Polling);
    for connect in [Connect::to("/p"), polling, Connect::to("/dynamic")] {
        let client = test.start_connect(connect);
        say(test, client);
        test.set_reads(client, false);
        test.server().of("/p").emit("much", &"a".repeat(60_000));
        test.settle();
        test.set_reads(client, true);
        test.upgrade(client);
        test.advance(Duration::from_millis(10));
        say(test, client);
        test.advance(Duration::from_secs(30));
        if test.state(client) == State::Connected {
            test.leave(client);
        }
        test.cut(client);
    }
    let server = test.server_mut();
    let route = server.net_mut().connect();
    server.net_mut().send(route, "GET /go HTTP/1.1\r\nHost: h\r\n\r\n");
    test.advance(Duration::from_secs(1));
    test.server_mut().net_mut().end(route);
    test.settle();
}

/// Says what there may be a handler for, and answers what it is asked.
fn say(test: &mut TestServer, client: TestSocket) {
    if test.state(client) == State::Connected {
        test.emit(client, "go", ());
    }
    if test.state(client) == State::Connected {
        test.ask(client, "ask", ());
    }
    let questions = test.received(client).into_iter();
    for question in questions.filter(|event| event.asks() && event.name() != "keep") {
        if test.state(client) == State::Connected {
            test.acknowledge(client, &question, &true);
        }
    }
}

#[test]
fn every_act_may_be_done_in_every_place() {
    for gone in [false, true] {
        for &(place, declare) in places() {
            for &(name, act) in acts() {
                LEFT.set(ACTS_MAX);
                let (mut test, bystander) = world(|server| declare(server, Course { act, gone }));
                play(&mut test);
                let what = format!("{name} in {place}{}", if gone { ", gone" } else { "" });
                assert!(LEFT.get() < ACTS_MAX, "{what}: the act was never done");
                let panics = test.server().io().socket_counters().handler_panics;
                assert_eq!(panics, 0, "{what}: something panicked");
                assert_eq!(test.emit_with_ack(bystander, "alive?", ()), Ok(true), "{what}");
                assert_eq!(test.server().of("/p").sockets_len(), 0, "{what}");
                assert_eq!(test.server().of("/p").rooms_len(), 0, "{what}");
                assert_eq!(test.server().io().queued_bytes(), 0, "{what}");
            }
        }
    }
}

#[test]
fn the_server_may_be_closed_in_every_place() {
    // A session without sockets has no view of the server.
    for &(place, declare) in places().filter(|(place, _)| !["on_open", "on_close"].contains(place))
    {
        LEFT.set(1);
        let course = Course { act: Act::Server(|io| io.close()), gone: false };
        let (mut test, bystander) = world(|server| declare(server, course));
        play(&mut test);
        test.advance(Duration::from_secs(3));
        assert_eq!(LEFT.get(), 0, "close in {place}: it was never done");
        assert_eq!(test.server().io().socket_counters().handler_panics, 0, "close in {place}");
        assert!(test.server().is_closed(), "close in {place}");
        assert!(!test.is_connected(bystander), "close in {place}");
    }
}

#[test]
fn a_raw_websocket_s_acts_may_be_done_in_each_of_its_events() {
    for event in ["open", "text", "binary", "close"] {
        for &(name, act) in WEBSOCKET {
            LEFT.set(ACTS_MAX);
            let (mut test, bystander) = world(|server| {
                server.websocket("/raw", 1_000, move |socket, happened| {
                    let happened = match happened {
                        WebSocketEvent::Open => "open",
                        WebSocketEvent::Text(_) => "text",
                        WebSocketEvent::Binary(_) => "binary",
                        _ => "close",
                    };
                    if happened == event && LEFT.get() > 0 {
                        LEFT.set(LEFT.get() - 1);
                        act(socket);
                    }
                });
            });
            let net = test.server_mut().net_mut();
            let client = net.connect();
            net.send(client, RAW_UPGRADE);
            test.settle();
            for frame in [0x81, 0x82, 0x88] {
                test.server_mut().net_mut().send(client, [frame, 0x80, 0, 0, 0, 0]);
                test.settle();
            }
            test.advance(Duration::from_secs(31));
            let what = format!("{name} in {event}");
            assert!(LEFT.get() < ACTS_MAX, "{what}: the act was never done");
            assert!(test.server_mut().net_mut().is_closed(client), "{what}");
            assert_eq!(test.server().io().socket_counters().handler_panics, 0, "{what}");
            assert_eq!(test.emit_with_ack(bystander, "alive?", ()), Ok(true), "{what}");
        }
    }
}

const RAW_UPGRADE: &str = "GET /raw HTTP/1.1\r\nHost: h\r\n\
    Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[test]
fn a_socket_that_vanished_in_the_meantime_drops_what_it_is_sent() {
    let told = Rc::new(Cell::new(0));
    let tell = Rc::clone(&told);
    let (mut test, _) = world(|server| {
        server.of("/p").on("go", move |socket, vanish: String| {
            let (id, namespace) = (socket.id(), socket.namespace());
            socket.join("room");
            match vanish.as_str() {
                "disconnect" => socket.disconnect(),
                "disconnect_client" => socket.disconnect_client(),
                "disconnect_sockets" => namespace.to(&id).disconnect_sockets(),
                _ => namespace.disconnect_clients(),
            }
            assert!(!socket.is_connected() && namespace.socket(&id).is_none());
            assert_eq!(socket.emit("sent", ()), Delivery::Dropped);
            assert_eq!(socket.volatile().emit("sent", ()), Delivery::Dropped);
            assert_eq!(namespace.to("room").to(&id).emit("sent", ()).queued, 0);
            assert_eq!(namespace.emit("sent", ()).queued, 0);
            socket.join("other");
            assert!(socket.rooms().is_empty() && namespace.rooms_len() == 0);
            socket.disconnect();
            let tell = Rc::clone(&tell);
            socket.emit_with_ack::<()>("sent", (), move |_, answer| {
                assert_eq!(answer, Err(throng::AckError::NotSent));
                tell.set(tell.get() + 1);
            });
        });
    });
    let ways = ["disconnect", "disconnect_client", "disconnect_sockets", "disconnect_clients"];
    for way in ways {
        let client = test.connect("/p").unwrap();
        test.emit(client, "go", way);
        assert_ne!(test.state(client), State::Connected, "{way}");
        assert_eq!(test.received(client), [], "{way}");
    }
    assert_eq!(told.get(), ways.len());
    assert_eq!(test.server().io().socket_counters().handler_panics, 0);
}

/// A method that is added later has to be tried here too.
#[test]
fn every_public_method_of_a_view_is_among_the_acts() {
    const VIEWS: &[(&str, &str)] = &[
        ("Io", include_str!("../../src/socketio/io.rs")),
        ("Namespace", include_str!("../../src/socketio/namespace.rs")),
        ("Namespace", include_str!("../../src/socketio/server_side.rs")),
        ("BroadcastOperator", include_str!("../../src/socketio/broadcast.rs")),
        ("Socket", include_str!("../../src/socketio/socket.rs")),
        ("Socket", include_str!("../../src/socketio/declare.rs")),
        ("Emitter", include_str!("../../src/socketio/emitter.rs")),
        ("RemoteSocket", include_str!("../../src/socketio/remote_socket.rs")),
        ("Session", include_str!("../../src/socketio/session.rs")),
        ("WebSocket", include_str!("../../src/endpoint.rs")),
        ("all", include_str!("../../src/socketio/backpressure.rs")),
    ];
    let acts = [include_str!("acts.rs"), include_str!("reentrancy.rs")].concat();
    let mut missing = Vec::new();
    for (view, source) in VIEWS {
        for (_, after) in
            source.match_indices("    pub fn ").map(|(at, found)| (at, &source[at + found.len()..]))
        {
            let name: String = after
                .chars()
                .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
                .collect();
            // Only a server on the system's network watches sources: see `sources`.
            if name == "unwatch" {
                continue;
            }
            let is_called = [format!(".{name}("), format!(".{name}::<"), format!("::{name})")];
            if !is_called.iter().any(|call| acts.contains(call)) {
                missing.push(format!("{view}::{name}"));
            }
        }
    }
    assert!(missing.is_empty(), "not among the acts: {missing:?}");
}
