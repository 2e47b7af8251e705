//! Who sees an event before its handlers, and who sees what goes out.
//!
//! ```text
//! > 42["a",1]      on_any · event_middleware · on
//! ```

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use throng::config::Config;
use throng::{Next, Refusal, Socket, SocketError};

use super::World;
use super::handlers::Log;

fn world() -> (World, Log) {
    (World::new(Config::default()), Log::default())
}

#[test]
fn an_event_is_seen_by_catch_alls_then_middlewares_then_handlers() {
    let (mut world, log) = world();
    let any = |name: &'static str| {
        let log = log.clone();
        move |_: Socket<'_>, event: &str, args: throng::Args<'_>| {
            log.tell(format!("{name} {event} {}", args.json()));
        }
    };
    let middleware = |name: &'static str| {
        let log = log.clone();
        move |_: Socket<'_>, _: &str, _: throng::Args<'_>| {
            log.tell(name);
            Ok(())
        }
    };
    world
        .server
        .of("/")
        .on("a", log.teller("handler"))
        .event_middleware(middleware("middleware"))
        .on_any(any("any"))
        .prepend_any(any("any before"));
    let (own_any, own_middleware, own) = (any("own any"), middleware("own middleware"), &log);
    let own = own.teller("own handler");
    let declared = Cell::new(Some((own_any, own_middleware, own)));
    world.server.of("/").on_connect(move |socket| {
        let (any, middleware, handler) = declared.take().unwrap();
        socket.event_middleware(middleware).on("a", handler).on_any(any);
    });
    let client = world.join();
    world.say(client, "2[\"a\",7]");
    assert_eq!(
        log.take(),
        [
            "any before a 7",
            "any a 7",
            "own any a 7",
            "middleware",
            "own middleware",
            "handler 7",
            "own handler 7"
        ]
    );
    // One that nobody handles is seen as well.
    world.say(client, "2[\"error\"]");
    assert_eq!(log.take().len(), 5);
    assert_eq!(world.server.io().socket_counters().events_unhandled, 1);
}

#[test]
fn a_refused_event_is_told_on_the_server_only_and_its_acknowledgement_dropped() {
    let (mut world, log) = world();
    let (tell, own, later) = (log.clone(), log.clone(), log.clone());
    world
        .server
        .of("/")
        .event_middleware(|_, event, _| match event {
            "forbidden" => Err(Refusal::new("forbidden event")),
            _ => Ok(()),
        })
        .event_middleware(move |_, event, _| {
            later.tell(format!("passed {event}"));
            Ok(())
        })
        .on_error(move |_, refusal| tell.tell(format!("namespace: {refusal}")))
        .on_connect(move |socket| {
            let own = own.clone();
            socket.on_error(move |_, refusal| own.tell(format!("socket: {refusal}")));
        })
        .on("forbidden", log.teller("handler"))
        .on_with_ack("allowed", |_, n: u32| n);
    let client = world.join();
    world.received(client);
    world.say(client, "21[\"forbidden\",1]");
    world.say(client, "22[\"allowed\",2]");
    assert_eq!(
        log.take(),
        ["namespace: forbidden event", "socket: forbidden event", "passed allowed"]
    );
    assert!(world.received(client).ends_with("432[2]"));
    let counters = world.server.io().socket_counters();
    assert_eq!((counters.events, counters.events_refused), (2, 1));
}

#[test]
fn all_sockets_of_a_client_hear_of_what_is_no_packet_before_they_leave() {
    let (mut world, log) = world();
    for name in ["/", "/other"] {
        let (tell, left) = (log.clone(), log.clone());
        world
            .server
            .of(name)
            .on_error(move |socket, error| {
                assert!(matches!(error, SocketError::Undecodable(_)) && socket.is_connected());
                socket.emit("last words", ());
                tell.tell(format!("{} {error}", socket.namespace().name()));
            })
            .on_disconnect(move |socket, reason| {
                left.tell(format!("{} {reason}", socket.namespace().name()));
            });
    }
    let waiting: Rc<RefCell<Vec<Next>>> = Rc::default();
    let keep = Rc::clone(&waiting);
    world
        .server
        .of("/waiting")
        .middleware_deferred(move |_, next| keep.borrow_mut().push(next))
        .on_error(|_, _| panic!("a socket that isn't in"));
    let bystander = world.join();
    for (packet, what) in [
        ("9", "unknown packet type"),
        ("2[\"disconnect\"]", "invalid payload"),
        ("5x-[]", "illegal attachments"),
        ("51-[\"a\",{\"_placeholder\":true,\"num\":0}]", ""),
    ] {
        let client = world.join();
        world.say(client, "0/other,");
        world.say(client, "0/waiting,");
        world.received(client);
        world.say(client, packet);
        let mut what = what;
        if what.is_empty() {
            assert!(log.take().is_empty());
            world.say(client, "2[\"a\"]");
            what = "got plaintext data when reconstructing a packet";
        }
        let expected = ["/ ", "/other "].map(|name| format!("{name}{what}")).into_iter();
        let expected = expected.chain(["/ ", "/other "].map(|name| format!("{name}forced close")));
        assert_eq!(log.take(), expected.collect::<Vec<_>>());
        let received = world.received(client);
        assert!(received.contains("42/other,[\"last words\"]"), "{received:?}");
    }
    world.send(bystander, super::frame(0x82, "bytes"));
    world.settle();
    assert_eq!(
        log.take(),
        ["/ got binary data when not reconstructing a packet", "/ forced close"]
    );
    assert_eq!(world.server.io().socket_counters().decode_errors, 5);
}

#[test]
fn a_socket_disconnected_before_its_handlers_is_seen_by_all_watchers_and_no_handler() {
    let (mut world, log) = world();
    let (any, middleware) = (log.clone(), log.clone());
    world
        .server
        .of("/")
        .on_any(|socket, _, _| socket.disconnect())
        .on_any(move |socket, _, _| any.tell(format!("any {}", socket.is_connected())))
        .event_middleware(move |_, _, _| {
            middleware.tell("middleware");
            Ok(())
        })
        .on("a", log.teller("handler"));
    // Disconnected by a handler, the other handlers still run.
    world
        .server
        .of("/other")
        .on("a", |socket, _: u32| socket.disconnect())
        .on("a", log.teller("other handler"));
    let client = world.join();
    world.say(client, "2[\"a\",1]");
    assert_eq!(log.take(), ["any false", "middleware"]);
    world.say(client, "0/other,");
    world.say(client, "2/other,[\"a\",2]");
    assert_eq!(log.take(), ["other handler 2"]);
}

#[test]
fn what_was_sent_before_the_client_could_know_that_it_was_thrown_out_is_dropped() {
    let (mut world, log) = world();
    world.server.of("/").on("bye", |socket, (): ()| socket.disconnect()).on("a", log.teller("a"));
    let client = world.join();
    world.received(client);
    for packet in ["42[\"bye\"]", "42[\"a\",1]", "431[]", "41"] {
        world.send(client, super::frame(0x81, packet));
    }
    world.settle();
    assert_eq!(world.received(client), "\u{fffd}\u{2}41");
    // It may come back on the same connection; what it says to a namespace that it isn't in later
    // on closes that.
    world.say(client, "0");
    assert_eq!((log.take().len(), world.server.io().sockets_len()), (0, 1));
    world.say(client, "2[\"bye\"]");
    world.say(client, "2[\"a\",2]");
    assert_eq!((log.take().len(), world.server.io().sessions_len()), (0, 0));
}

#[test]
fn handlers_that_a_watcher_declares_or_takes_back_count_at_once() {
    let (mut world, log) = world();
    let teller = log.clone();
    let old = world.server.of("/").add_listener("a", log.teller("old"));
    world.server.of("/").on_any(move |socket, _, _| {
        if socket.namespace().remove_listener(old) {
            socket.on("a", teller.teller("new"));
        }
    });
    let client = world.join();
    world.say(client, "2[\"a\",1]");
    assert_eq!(log.take(), ["new 1"]);
}

#[test]
fn outgoing_catch_alls_see_emits_and_broadcasts_of_each_socket_but_no_acknowledgements() {
    let (mut world, log) = world();
    let (all, own) = (log.clone(), log.clone());
    world
        .server
        .of("/")
        .on_any_outgoing(move |_, event, args| all.tell(format!("{event} {}", args.json())))
        .on_with_ack("ask", |socket, n: u32| {
            socket.emit("told", &n);
            n
        })
        .on("own", move |socket, _: u32| {
            let own = own.clone();
            socket.prepend_any_outgoing(move |_, event, _| own.tell(format!("own {event}")));
        });
    let (one, two) = (world.join(), world.join());
    world.received(one);
    world.say(one, "21[\"ask\",5]");
    assert_eq!(log.take(), ["told 5"]);
    let received = world.received(one);
    assert!(received.contains("42[\"told\",5]") && received.contains("431[5]"), "{received:?}");
    world.say(two, "2[\"own\",1]");
    world.server.emit("news", (&1, "x"));
    world.settle();
    assert_eq!(log.take(), ["news 1,\"x\"", "news 1,\"x\"", "own news"]);
    assert!(world.received(two).contains("42[\"news\",1,\"x\"]"));
    // Nobody is told of what reaches nobody.
    world.server.to("nowhere").emit("news", ());
    world.server.of("/other").emit("news", ());
    assert!(log.take().is_empty());
}

#[test]
fn outgoing_catch_alls_see_a_broadcast_that_asks() {
    let (mut world, log) = world();
    let (tell, answered) = (log.clone(), log.clone());
    world
        .server
        .of("/")
        .on_any_outgoing(move |_, event, args| tell.tell(format!("{event} {}", args.json())));
    let (one, two) = (world.join(), world.join());
    let all = world.server.of("/").all();
    all.emit_with_ack::<u32>("score?", &1, move |_, answers| {
        answered.tell(format!("{:?}", answers.values));
    });
    world.settle();
    assert_eq!(log.take(), ["score? 1", "score? 1"]);
    world.say(one, "30[10]");
    world.say(two, "30[12]");
    assert_eq!(log.take(), ["[10, 12]"]);
}

#[test]
fn an_outgoing_catch_all_that_emits_ends() {
    let (mut world, log) = world();
    let count = Rc::new(Cell::new(0));
    let counted = Rc::clone(&count);
    world.server.of("/").on_any_outgoing(move |socket, _, _| {
        counted.set(counted.get() + 1);
        socket.emit("again", ());
        socket.namespace().emit("to all", ());
        socket.emit_with_ack::<()>("ask", (), |_, _| {});
    });
    world.server.of("/").on("go", |socket, (): ()| {
        socket.emit("first", ());
    });
    let (client, other) = (world.join(), world.join());
    world.say(client, "2[\"go\"]");
    assert_eq!(count.get(), 1, "what it emits itself is told to none");
    let received = world.received(client);
    assert!(received.contains("42[\"first\"]"), "{received:?}");
    assert_eq!(received.matches("[\"again\"]").count(), 1, "{received:?}");
    assert!(world.received(other).contains("42[\"to all\"]"));
    // Afterwards they are told as before.
    world.server.emit("second", ());
    assert_eq!(count.get(), 3);
    assert!(log.take().is_empty());
}

#[test]
fn what_goes_out_carries_its_attachments_past_the_catch_alls() {
    let (mut world, log) = world();
    let tell = log.clone();
    world
        .server
        .of("/")
        .on_any_outgoing(move |_, _, args| tell.tell(format!("{}", args.attachments().len())));
    let client = world.join();
    world.received(client);
    world.server.emit("blob", &throng::Binary(vec![1, 2, 3]));
    world.settle();
    assert_eq!(log.take(), ["1"]);
    let received = world.received(client);
    assert!(received.contains("451-[\"blob\",{\"_placeholder\":true,\"num\":0}]"), "{received:?}");
    assert!(received.ends_with("\u{1}\u{2}\u{3}"), "{received:?}");
}

#[test]
fn what_can_be_recovered_is_seen_with_its_offset() {
    let mut config = Config::default();
    config.socket.recovery = Some(throng::config::RecoveryConfig::default());
    let mut world = World::new(config);
    let log = Log::default();
    let tell = log.clone();
    world
        .server
        .of("/")
        .on_any_outgoing(move |_, event, args| tell.tell(format!("{event} {}", args.len())))
        .on("go", |socket, (): ()| {
            socket.emit("direct", &1);
            socket.emit_with_raw_ack("asked", &1, |_, _| {});
            socket.volatile().emit("volatile", &1);
        });
    let client = world.join();
    world.say(client, "2[\"go\"]");
    // Neither what is asked nor what is volatile has an offset; the latter was dropped.
    assert_eq!(log.take(), ["direct 2", "asked 1", "volatile 1"]);
    world.server.emit("broadcast", (&1, &2));
    assert_eq!(log.take(), ["broadcast 3"]);
}

#[test]
fn what_asks_many_is_seen_for_each_who_is_asked() {
    let (mut world, log) = world();
    let tell = log.clone();
    world.server.of("/").on_any_outgoing(move |_, event, args| {
        tell.tell(format!("{event} {}", args.json()));
    });
    let clients = [world.join(), world.join()];
    world.server.of("/").all().emit_with_raw_ack("asked", &1, |_, _| {});
    assert_eq!(log.take(), ["asked 1", "asked 1"]);
    world.settle();
    for client in clients {
        assert!(world.received(client).contains("420[\"asked\",1]"));
    }
}
