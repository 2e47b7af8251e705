//! The host's code within the host's code: wherever a closure runs it may do anything, to a depth,
//! and what it panics with costs the session it ran for and no other.
//!
//! ```text
//! places (handlers, middlewares, timers, ...)  ×  acts (emit, join, leave, disconnect, close, ...)
//! ```

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use throng::config::Config;
use throng::http::Response;
use throng::{AckError, Args, Io, Refusal, RoomNames, Socket};

use super::handlers::Log;
use super::{UPGRADE, World, frame};

/// What the host's code does wherever it runs. There is a socket in most places, in some only the
/// server.
type Act = Rc<dyn Fn(Io<'_>, Option<Socket<'_>>)>;

/// A place where the host's code runs: declares the act there.
type Declare = fn(&World, Act);

/// Every place, and what its client says to get there.
const PLACES: &[(&str, Declare, &[&str])] = &[
    (
        "handler",
        |world, act| {
            world
                .server
                .of("/p")
                .on("go", move |socket, (): ()| act(socket.server(), Some(socket)));
        },
        GO,
    ),
    (
        "handler that acknowledges",
        |world, act| {
            world.server.of("/p").on_with_ack("go", move |socket, (): ()| {
                act(socket.server(), Some(socket));
                1
            });
        },
        &["0/p,", "2/p,5[\"go\"]"],
    ),
    (
        "handler that runs once",
        |world, act| {
            world
                .server
                .of("/p")
                .once("go", move |socket, (): ()| act(socket.server(), Some(socket)));
        },
        GO,
    ),
    (
        "handler of the socket",
        |world, act| {
            world.server.of("/p").on_connect(move |socket| {
                let act = Rc::clone(&act);
                socket.on_raw("go", move |socket, _, _| act(socket.server(), Some(socket)));
            });
        },
        GO,
    ),
    (
        "middleware",
        |world, act| {
            world.server.of("/p").middleware(move |socket| {
                act(socket.server(), Some(socket));
                Ok(())
            });
        },
        GO,
    ),
    (
        "middleware that refuses",
        |world, act| {
            world.server.of("/p").middleware(move |socket| {
                act(socket.server(), Some(socket));
                Err(Refusal::new("no"))
            });
        },
        &["0/p,"],
    ),
    (
        "deferred middleware",
        |world, act| {
            world.server.of("/p").middleware_deferred(move |socket, next| {
                act(socket.server(), Some(socket));
                next.allow();
                act(socket.server(), Some(socket));
            });
        },
        GO,
    ),
    (
        "connection",
        |world, act| {
            world.server.of("/p").on_connect(move |socket| act(socket.server(), Some(socket)));
        },
        GO,
    ),
    (
        "disconnecting",
        |world, act| {
            world.server.of("/p").on_disconnecting(move |socket, _| {
                act(socket.server(), Some(socket));
            });
        },
        &["0/p,", "1/p,"],
    ),
    (
        "disconnect",
        |world, act| {
            world
                .server
                .of("/p")
                .on_disconnect(move |socket, _| act(socket.server(), Some(socket)));
        },
        &["0/p,", "1/p,"],
    ),
    (
        "acknowledgement",
        |world, act| {
            world.server.of("/p").on_connect(move |socket| {
                let act = Rc::clone(&act);
                socket.emit_with_raw_ack("q", (), move |socket, _| {
                    act(socket.server(), Some(socket));
                });
            });
        },
        &["0/p,", "3/p,0[]"],
    ),
    (
        "acknowledgement of a socket that leaves",
        |world, act| {
            world.server.of("/p").on_connect(move |socket| {
                let act = Rc::clone(&act);
                socket.emit_with_raw_ack("q", (), move |socket, _| {
                    act(socket.server(), Some(socket));
                });
            });
        },
        &["0/p,", "1/p,"],
    ),
    (
        "acknowledgement of what was not sent",
        |world, act| {
            world.server.of("/p").on_disconnect(move |socket, _| {
                let act = Rc::clone(&act);
                socket.emit_with_raw_ack("q", (), move |socket, answer| {
                    assert!(matches!(answer, Err(AckError::NotSent)));
                    act(socket.server(), Some(socket));
                });
            });
        },
        &["0/p,", "1/p,"],
    ),
    (
        "acknowledgements of many",
        |world, act| {
            world.server.of("/p").on_connect(move |socket| {
                let act = Rc::clone(&act);
                let all = socket.namespace().all();
                all.emit_with_raw_ack("q", (), move |io, _| act(io, None));
            });
        },
        &["0/p,", "3/p,0[]"],
    ),
    (
        "sockets that were fetched",
        |world, act| {
            world.server.of("/p").on("go", move |socket, (): ()| {
                let act = Rc::clone(&act);
                socket.namespace().all().fetch_sockets(move |io, _| act(io, None));
            });
        },
        GO,
    ),
    (
        "room event",
        |world, act| {
            world
                .server
                .of("/p")
                .on_room_event(move |namespace, _| act(namespace.server(), None))
                .on_connect(|socket| socket.join("any"));
        },
        GO,
    ),
    (
        "timer",
        |world, act| {
            world.server.of("/p").on_connect(move |socket| {
                let act = Rc::clone(&act);
                socket.server().after(Duration::ZERO, move |io| act(io, None));
            });
        },
        GO,
    ),
    (
        "period",
        |world, act| {
            world.server.io().every(Duration::from_secs(1), move |io| act(io, None));
        },
        GO,
    ),
    (
        "posted closure",
        |world, act| {
            // It can't hold what isn't `Send`: a timer of this loop stands for it.
            world.server.io().after(Duration::from_millis(1), move |io| act(io, None));
            world.server.handle().post(|io| io.of("/p").all().sockets_join("posted")).unwrap();
        },
        GO,
    ),
    (
        "route",
        |world, act| {
            world.server.http().get("/go", move |io, _| {
                act(io, None);
                Response::ok()
            });
        },
        &[],
    ),
    (
        "incoming catch-all",
        |world, act| {
            world.server.of("/p").on_any(move |socket, _, _| act(socket.server(), Some(socket)));
        },
        GO,
    ),
    (
        "event middleware",
        |world, act| {
            world.server.of("/p").event_middleware(move |socket, _, _| {
                act(socket.server(), Some(socket));
                Ok(())
            });
        },
        GO,
    ),
    (
        "error handler",
        |world, act| {
            world
                .server
                .of("/p")
                .event_middleware(|_, _, _| Err(Refusal::new("no")))
                .on_error(move |socket, _| act(socket.server(), Some(socket)));
        },
        GO,
    ),
    (
        "outgoing catch-all",
        |world, act| {
            world
                .server
                .of("/p")
                .on("go", |socket, (): ()| {
                    socket.emit("out", ());
                    socket.namespace().emit("out", ());
                })
                .on_any_outgoing(move |socket, event, _| {
                    if event == "out" {
                        act(socket.server(), Some(socket));
                    }
                });
        },
        GO,
    ),
    (
        "names of rooms",
        |world, act| {
            world.server.of("/p").on("go", move |socket, (): ()| {
                let names = Names(&|| act(socket.server(), Some(socket)));
                socket.join(&names);
                socket.to(&names).except(&names).emit("x", ());
                socket.namespace().to("room").sockets_join(&names);
                socket.leave(&names);
            });
        },
        GO,
    ),
    (
        "serialisation",
        |world, act| {
            world.server.of("/p").on_raw("go", move |socket, _, ack| {
                let value = Value(&|| act(socket.server(), Some(socket)));
                socket.emit("x", &value);
                socket.namespace().emit("x", &value);
                socket.emit_with_raw_ack("x", &value, |_, _| {});
                ack.unwrap().send(&value);
            });
        },
        &["0/p,", "2/p,5[\"go\"]"],
    ),
    (
        "drop of data",
        |world, _| {
            world.server.of("/p").on_connect(|socket| socket.set_data(Rc::new(Dropping)));
        },
        &["0/p,", "1/p,"],
    ),
    (
        "drop of a handler that ran",
        |world, _| {
            let id = Rc::new(Cell::new(None));
            let (own, dropping) = (Rc::clone(&id), Dropping);
            let listener =
                world.server.of("/p").add_listener("go", move |socket: Socket<'_>, (): ()| {
                    let _ = &dropping;
                    if let Some(id) = own.take() {
                        socket.namespace().remove_listener(id);
                    }
                });
            id.set(Some(listener));
        },
        GO,
    ),
    (
        "decision about a name",
        |world, _| {
            world.server.of_dynamic(|name, _| {
                panic_perhaps();
                name == "/dynamic"
            });
        },
        &["0/dynamic,", "2/dynamic,[\"go\"]"],
    ),
    (
        "deferred decision about a name",
        |world, act| {
            world.server.of_deferred(move |io, _, _, decision| {
                act(io, None);
                decision.allow();
                act(io, None);
            });
        },
        &["0/dynamic,", "2/dynamic,[\"go\"]"],
    ),
    (
        "new namespace",
        |world, act| {
            world.server.of_dynamic(|name, _| name == "/dynamic");
            world.server.on_new_namespace(move |namespace| act(namespace.server(), None));
        },
        &["0/dynamic,", "2/dynamic,[\"go\"]"],
    ),
];

const GO: &[&str] = &["0/p,", "2/p,[\"go\"]"];

/// What can be done. Where there is no socket, some are done to whoever is in `/p`.
fn acts() -> Vec<(&'static str, Act)> {
    [quiet_acts(), fatal_acts()].into_iter().flatten().collect()
}

fn act(act: impl Fn(Io<'_>, Option<Socket<'_>>) + 'static) -> Act {
    Rc::new(act)
}

/// Nobody leaves.
fn quiet_acts() -> Vec<(&'static str, Act)> {
    vec![
        (
            "emit",
            act(|io, socket| {
                io.of("/p").emit("a", ());
                io.emit("a", &1);
                if let Some(socket) = socket {
                    socket.emit("b", ());
                    socket.broadcast().emit("c", ());
                    socket.volatile().emit("d", ());
                    socket.emit_with_raw_ack("e", (), |_, _| {});
                }
            }),
        ),
        (
            "join and leave",
            act(|io, socket| {
                if let Some(socket) = socket {
                    socket.join(["room", "other"]);
                    socket.leave("room");
                    socket.rooms();
                }
                io.of("/p").all().sockets_join("room");
                io.of("/p").to("room").sockets_leave("room");
            }),
        ),
        (
            "declare",
            act(|io, socket| {
                let namespace = io.of("/p");
                namespace
                    .on("go", |_, (): ()| {})
                    .once("go", |_, (): ()| {})
                    .on_any(|_, _, _| {})
                    .on_any_outgoing(|_, _, _| {})
                    .event_middleware(|_, _, _| Ok(()))
                    .on_disconnect(|_, _| {})
                    .middleware(|_| Ok(()));
                if let Some(socket) = socket {
                    socket
                        .on("go", |_, (): ()| {})
                        .prepend_any(|_, _, _| {})
                        .on_disconnect(|_, _| {});
                }
                io.of("/new").emit("a", ());
            }),
        ),
        (
            "take back",
            act(|io, socket| {
                io.of("/p").remove_all_listeners("go");
                if let Some(socket) = socket {
                    socket.remove_all_listeners("go");
                }
            }),
        ),
    ]
}

/// Somebody leaves.
fn fatal_acts() -> Vec<(&'static str, Act)> {
    vec![
        (
            "disconnect itself",
            act(|_, socket| {
                if let Some(socket) = socket {
                    socket.disconnect();
                    socket.disconnect();
                    socket.emit("late", ());
                    socket.join("late");
                    socket.id();
                    socket.data::<Cell<u32>>();
                }
            }),
        ),
        (
            "disconnect its client",
            act(|_, socket| {
                if let Some(socket) = socket {
                    socket.disconnect_client();
                    socket.disconnect_client();
                    socket.handshake();
                }
            }),
        ),
        ("disconnect all", act(|io, _| io.of("/p").all().disconnect_sockets())),
        (
            "disconnect all clients",
            act(|io, _| {
                io.of("/p").all().disconnect_clients();
                io.of("/dynamic").all().disconnect_clients();
            }),
        ),
        ("close the server", act(|io, _| io.close())),
        ("panic", act(|_, _| panic!("the host's mistake"))),
    ]
}

/// Rooms whose naming runs the host's code.
struct Names<'a>(&'a dyn Fn());

impl RoomNames for Names<'_> {
    fn for_each(&self, act: &mut dyn FnMut(&str)) {
        (self.0)();
        act("room");
        (self.0)();
    }
}

/// A value whose serialisation does.
struct Value<'a>(&'a dyn Fn());

impl serde::Serialize for Value<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.0)();
        serializer.serialize_u8(1)
    }
}

/// A value whose end does. Where no view of the server is at hand, a panic is all that can be
/// done.
struct Dropping;

impl Drop for Dropping {
    fn drop(&mut self) {
        panic_perhaps();
    }
}

fn panic_perhaps() {
    assert!(!PANICS.get(), "the host's mistake");
}

thread_local! {
    static PANICS: Cell<bool> = const { Cell::new(false) };
}

#[test]
fn wherever_the_host_s_code_runs_it_may_do_anything() {
    for &(place, declare, packets) in PLACES {
        for (name, act) in acts() {
            println!("{name} in {place}");
            PANICS.set(name == "panic");
            visit(declare, packets, act, name == "close the server");
            PANICS.set(false);
        }
    }
}

/// One visit to a place, with somebody else there who must not be hurt.
fn visit(declare: Declare, packets: &[&str], act: Act, closes: bool) {
    let mut world = World::new(Config::default());
    world.server.of("/").on_with_ack("alive?", |_, (): ()| true);
    world.server.of("/p").on_any(|_, _, _| {}).on_disconnect(|_, _| {});
    let bystander = world.join();
    declare(&world, act);
    let client = world.connect();
    world.send(client, UPGRADE);
    world.settle();
    for packet in packets {
        world.send(client, frame(0x81, &format!("4{packet}")));
        world.settle();
    }
    let route = world.connect();
    world.send(route, "GET /go HTTP/1.1\r\nHost: h\r\n\r\n");
    world.settle();
    world.advance(Duration::from_secs(1));
    world.settle();
    world.received(bystander);
    if !world.server.net_mut().is_closed(bystander) {
        world.say(bystander, "21[\"alive?\"]");
        let received = world.received(bystander);
        assert!(closes || received.ends_with("431[true]"), "{received:?}");
    }
    if closes {
        return;
    }
    world.server.net_mut().end(client);
    world.server.net_mut().end(route);
    world.settle();
    assert_eq!(world.server.io().sockets_len(), 1);
    assert_eq!(world.server.of("/p").sockets_len(), 0);
    assert_eq!(world.server.of("/p").rooms_len(), 0);
}

#[test]
fn a_disconnect_nests_as_in_the_reference() {
    let mut world = World::new(Config::default());
    let log = Log::default();
    let (disconnecting, disconnect, handler) = (log.clone(), log.clone(), log.clone());
    world
        .server
        .of("/")
        .on("leave", move |socket, (): ()| {
            handler.tell("before");
            socket.emit("a", ());
            socket.disconnect();
            handler.tell("after");
        })
        .on_disconnecting(move |socket, _| {
            disconnecting.tell("disconnecting");
            socket.emit("b", ());
        })
        .on_disconnect(move |_, _| disconnect.tell("disconnect"));
    let client = world.join();
    world.received(client);
    world.say(client, "2[\"leave\"]");
    assert_eq!(log.take(), ["before", "disconnecting", "disconnect", "after"]);
    let received = world.received(client);
    let at = |what: &str| received.find(what).unwrap();
    assert!(at("42[\"a\"]") < at("41") && at("41") < at("42[\"b\"]"), "{received:?}");
}

#[test]
fn deeper_than_sixteen_what_is_asked_for_waits_and_is_done() {
    let mut world = World::new(Config::default());
    let log = Log::default();
    let depth = Rc::new(Cell::new(0));
    let (deepest, tell) = (Rc::new(Cell::new(0)), log.clone());
    let seen = Rc::clone(&deepest);
    world.server.of("/").on_disconnecting(move |socket, _| {
        depth.set(depth.get() + 1);
        seen.set(seen.get().max(depth.get()));
        let namespace = socket.namespace();
        for id in namespace.all().local_sockets() {
            if let Some(other) = namespace.socket(&id) {
                other.disconnect();
            }
        }
        depth.set(depth.get() - 1);
        tell.tell("left");
    });
    let clients: Vec<usize> = (0..100).map(|_| world.join()).collect();
    world.say(clients[0], "1");
    assert_eq!((log.take().len(), world.server.io().sockets_len()), (100, 0));
    assert_eq!(deepest.get(), 16);
}

#[test]
fn a_question_that_is_asked_again_whenever_it_is_not_sent_overflows_nothing() {
    fn again(socket: Socket<'_>, left: u32) {
        socket.emit_with_raw_ack("q", (), move |socket, answer: Result<Args<'_>, _>| {
            assert!(answer.is_err());
            if left > 0 {
                again(socket, left - 1);
            }
        });
    }
    let mut world = World::new(Config::default());
    world.server.of("/").on_disconnect(|socket, _| again(socket, 100_000));
    let client = world.join();
    world.say(client, "1");
    assert_eq!(world.server.io().sockets_len(), 0);
}

#[test]
fn namespaces_that_make_namespaces_overflow_nothing() {
    let mut world = World::new(Config::default());
    world.server.on_new_namespace(|namespace| {
        let number: u32 = namespace.name()[1..].parse().unwrap();
        if number < 10_000 {
            namespace.server().of(&format!("/{}", number + 1));
        }
    });
    world.server.of("/0");
    assert_eq!(world.server.io().namespaces().len(), 10_002);
    world.settle();
}
