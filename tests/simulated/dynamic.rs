//! Dynamic namespaces: children that are made when somebody asks for them.
//!
//! ```text
//! > 40/room-7,        < 40/room-7,{"sid":"..."}
//! ```

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use throng::config::Config;
use throng::{Binary, NamespaceDecision, Refusal};

use super::World;
use super::handlers::Log;

const INVALID: &str = "{\"message\":\"Invalid namespace\"}";

fn world() -> (World, Log) {
    (World::new(Config::default()), Log::default())
}

/// Whether the client is in after asking for a namespace.
fn ask(world: &mut World, client: usize, name: &str) -> bool {
    world.received(client);
    world.say(client, &format!("0{name},"));
    let received = world.received(client);
    if received.contains(&format!("44{name},{INVALID}")) {
        return false;
    }
    assert!(received.contains(&format!("40{name},{{\"sid\":\"")), "{received:?}");
    true
}

#[test]
fn the_first_parent_that_allows_has_the_child_which_inherits_what_is_declared_by_then() {
    let (mut world, log) = world();
    let (tell, new, own) = (log.clone(), log.clone(), log.clone());
    world.server.on_new_namespace(move |namespace| new.tell(format!("new {}", namespace.name())));
    let rooms = world.server.of_pattern("^/room-[0-9]+$").unwrap();
    rooms
        .middleware(|socket| match socket.handshake().auth_json() {
            "{}" => Ok(()),
            _ => Err(Refusal::new("no")),
        })
        .on_connect(move |socket| tell.tell(format!("in {}", socket.namespace().name())))
        .on("a", log.teller("a"))
        .on_any(move |_, event, _| own.tell(format!("any {event}")));
    let asked = log.clone();
    world
        .server
        .of_dynamic(move |name, handshake| {
            asked.tell(format!("asked for {name}"));
            assert!(handshake.url().starts_with("/socket.io/"));
            name == "/room-x" || name == "/lounge"
        })
        .on("a", log.teller("second parent's a"));
    let client = world.join();
    assert!(ask(&mut world, client, "/room-7"));
    world.say(client, "2/room-7,[\"a\",1]");
    assert_eq!(log.take(), ["new /room-7", "in /room-7", "any a", "a 1"]);
    assert!(ask(&mut world, client, "/lounge"));
    world.say(client, "2/lounge,[\"a\",2]");
    assert_eq!(log.take(), ["asked for /lounge", "new /lounge", "second parent's a 2"]);
    // What is declared later is for later children, what is declared on a child for itself.
    let late = log.teller("late");
    world.server.of("/room-7").on("a", log.teller("its own"));
    world.server.of_pattern("^/never$").unwrap().on("a", late);
    world.say(client, "2/room-7,[\"a\",3]");
    assert_eq!(log.take(), ["any a", "a 3", "its own 3"]);
    assert_eq!(
        world.server.io().namespaces().iter().map(|name| &**name).collect::<Vec<_>>(),
        ["/", "/room-7", "/lounge"]
    );
}

#[test]
fn names_that_no_parent_stands_for_are_refused_whatever_they_are() {
    let (mut world, _) = world();
    world.server.of_pattern("^/room-[0-9]+$").unwrap();
    let client = world.join();
    for name in ["/nope", "/room-x", "/room-1x", "/__proto__", "/constructor", "/_0", "/_1"] {
        assert!(!ask(&mut world, client, name), "{name}");
    }
    let long = format!("/room-{}", "1".repeat(100));
    assert!(ask(&mut world, client, &long));
    assert_eq!(world.server.io().socket_counters().namespaces_unknown, 7);
}

#[test]
fn a_host_that_asks_by_name_gets_the_child_of_a_pattern() {
    let (mut world, log) = world();
    let new = log.clone();
    world.server.on_new_namespace(move |namespace| new.tell(&*namespace.name()));
    world.server.of_pattern("^/room-[0-9]+$").unwrap().on("a", log.teller("a"));
    world.server.of_dynamic(|_, _| true);
    world.server.of("/room-1");
    world.server.of("/room-1");
    world.server.of("plain");
    assert_eq!(log.take(), ["/room-1", "/plain"]);
    let client = world.join();
    assert!(ask(&mut world, client, "/room-1"));
    world.say(client, "2/room-1,[\"a\",1]");
    assert_eq!(log.take(), ["a 1"]);
}

#[test]
fn what_is_emitted_to_a_parent_reaches_all_children_and_nobody_else() {
    let (mut world, log) = world();
    let tell = log.clone();
    let parent = {
        let parent = world.server.of_pattern("^/room-[0-9]+$").unwrap();
        assert_eq!(parent.emit("a", ()).queued, 0);
        parent
            .on_any_outgoing(move |socket, event, _| {
                tell.tell(format!("{event} {}", socket.namespace().name()));
            })
            .on_connect(|socket| socket.join("lobby"))
            .on("to siblings", |socket, parent: String| {
                socket.server().of(&parent).to("lobby").emit("hello", ());
            })
            .name()
    };
    world.server.of("/other");
    let (one, two) = (world.join(), world.join());
    for name in ["/room-1", "/room-2", "/other"] {
        assert!(ask(&mut world, one, name));
    }
    assert!(ask(&mut world, two, "/room-2"));
    world.received(one);
    assert_eq!(world.server.of(&parent).emit("news", &Binary(vec![7])).queued, 3);
    world.settle();
    assert_eq!(log.take(), ["news /room-1", "news /room-2", "news /room-2"]);
    let received = world.received(one);
    assert!(received.contains("451-/room-1,[\"news\",") && received.contains("451-/room-2,"));
    assert!(!received.contains("/other") && !received.contains("451-["));
    world.say(one, &format!("2/room-1,[\"to siblings\",\"{parent}\"]"));
    assert!(world.received(two).contains("42/room-2,[\"hello\"]"));
    assert_eq!(world.server.of(&parent).sockets_len(), 0);
}

#[test]
fn a_decision_about_a_name_may_come_later() {
    let (mut world, _) = world();
    let waiting: Rc<RefCell<Vec<NamespaceDecision>>> = Rc::default();
    let keep = Rc::clone(&waiting);
    world.server.of_deferred(move |io, name, _, decision| match name {
        "/timer" => {
            io.after(Duration::from_secs(1), move |_| decision.allow());
        }
        "/at-once" => decision.allow(),
        "/dropped" => drop(decision),
        _ => keep.borrow_mut().push(decision),
    });
    world.server.of_dynamic(|name, _| name == "/second");
    let client = world.join();
    assert!(ask(&mut world, client, "/at-once"));
    assert!(!ask(&mut world, client, "/dropped"));
    world.say(client, "0/timer,");
    world.advance(Duration::from_secs(1));
    world.settle();
    assert!(world.received(client).contains("40/timer,{"));
    // The next parent is asked after a refusal.
    for (name, allowed) in [("/second", true), ("/third", false)] {
        world.say(client, &format!("0{name},"));
        assert!(world.received(client).is_empty());
        waiting.borrow_mut().remove(0).refuse();
        world.settle();
        let received = world.received(client);
        assert_eq!(received.contains(&format!("40{name},{{")), allowed, "{received:?}");
        assert_eq!(received.contains(INVALID), !allowed);
    }
    // Two that wait for one name share the namespace.
    let other = world.join();
    world.say(client, "0/x,");
    world.say(other, "0/x,");
    for decision in waiting.take() {
        decision.allow();
    }
    world.settle();
    assert_eq!(world.server.of("/x").sockets_len(), 2);
    // A client that goes, or speaks before its time, is nobody to let in.
    world.say(client, "0/gone,");
    world.say(client, "2/gone,[\"a\"]");
    assert_eq!(world.server.io().sessions_len(), 1);
    for decision in waiting.take() {
        decision.allow();
    }
    world.settle();
    assert!(!world.server.io().namespaces().iter().any(|name| &**name == "/gone"));
}

#[test]
fn children_are_bounded_and_so_are_their_names() {
    let mut config = Config::default();
    config.socket.namespaces_max = 2;
    config.socket.namespace_name_bytes_max = 10;
    let mut world = World::new(config);
    world.server.of_dynamic(|_, _| true);
    world.server.of("/named").on("a", |_, (): ()| {});
    let client = world.join();
    assert!(ask(&mut world, client, "/1"));
    assert!(!ask(&mut world, client, "/of-eleven-"));
    assert!(ask(&mut world, client, "/2"));
    assert!(!ask(&mut world, client, "/3"));
    assert!(ask(&mut world, client, "/named"));
    let counters = world.server.io().socket_counters();
    assert_eq!((counters.namespaces_over_limit, counters.namespaces_unknown), (2, 2));
}

#[test]
fn empty_children_go_where_that_is_asked_for_and_stay_otherwise() {
    for cleans_up in [false, true] {
        let mut config = Config::default();
        config.socket.cleanup_empty_child_namespaces = cleans_up;
        let mut world = World::new(config);
        let log = Log::default();
        let (new, left) = (log.clone(), log.clone());
        world.server.on_new_namespace(move |namespace| new.tell(&*namespace.name()));
        world
            .server
            .of_dynamic(|name, _| name != "/nope")
            .middleware(|socket| match socket.handshake().auth_json() {
                "{}" => Ok(()),
                _ => Err(Refusal::new("no")),
            })
            .on_disconnect(move |socket, _| {
                let namespace = socket.namespace();
                left.tell(format!("{} {}", namespace.name(), namespace.sockets_len()));
                // The namespace may be named again from within, and is the old one.
                socket.server().of(&namespace.name()).on("late", |_, (): ()| {});
            });
        world.server.of("/named");
        let client = world.join();
        assert!(ask(&mut world, client, "/1"));
        world.say(client, "1/1,");
        world.say(client, "0/2,{\"a\":1}");
        world.say(client, "0/named,");
        world.say(client, "1/named,");
        assert_eq!(log.take(), ["/named", "/1", "/1 0", "/2"]);
        let names = world.server.io().namespaces();
        let names: Vec<_> = names.iter().map(|name| &**name).collect();
        if cleans_up {
            assert_eq!(names, ["/", "/named"]);
        } else {
            assert_eq!(names, ["/", "/named", "/1", "/2"]);
        }
        // It can be made again, in the place of the old one.
        assert!(ask(&mut world, client, "/1"));
        assert_eq!(world.server.of("/1").sockets_len(), 1);
        assert_eq!(log.take().len(), usize::from(cleans_up));
    }
}

#[test]
fn a_view_of_a_namespace_that_has_gone_does_nothing() {
    let mut config = Config::default();
    config.socket.cleanup_empty_child_namespaces = true;
    let mut world = World::new(config);
    let log = Log::default();
    let tell = log.clone();
    world.server.of_dynamic(|_, _| true).on("leave", move |socket, (): ()| {
        let namespace = socket.namespace();
        socket.disconnect();
        // Its only socket has left, and it with it.
        assert!(!socket.server().namespaces().iter().any(|name| &**name == "/1"));
        assert_eq!((namespace.sockets_len(), namespace.rooms_len()), (0, 0));
        assert_eq!(namespace.emit("a", ()).queued, 0);
        namespace.on("a", |_, (): ()| {}).on_any(|_, _, _| {}).all().disconnect_sockets();
        assert_eq!(socket.broadcast().emit("a", ()).queued, 0);
        socket.join("room");
        tell.tell(format!("{:?}", namespace.room("room")));
    });
    let client = world.join();
    assert!(ask(&mut world, client, "/1"));
    world.say(client, "2/1,[\"leave\"]");
    assert_eq!(log.take(), ["[]"]);
    assert!(ask(&mut world, client, "/1"));
}

/// What is declared there would be kept for ever, and by all views of what has gone.
#[test]
fn what_is_declared_on_a_namespace_that_has_gone_is_not_kept() {
    let mut config = Config::default();
    config.socket.cleanup_empty_child_namespaces = true;
    let mut world = World::new(config);
    let kept = Rc::new(());
    world.server.of_dynamic(|_, _| true);
    let tell = Rc::clone(&kept);
    world.server.of("/").on("leave", move |socket, (): ()| {
        let session = socket.session().unwrap();
        let other = session.sockets().into_iter().find(|other| *other.namespace().name() == *"/1");
        let other = other.unwrap();
        let namespace = other.namespace();
        other.disconnect();
        assert_eq!(&*namespace.name(), "");
        for _ in 0..10 {
            let (rooms, server_side) = (Rc::clone(&tell), Rc::clone(&tell));
            namespace
                .on_room_event(move |_, _| {
                    let _ = &rooms;
                })
                .on_server_side("a", move |_, (): ()| {
                    let _ = &server_side;
                })
                .shared_data::<u8>();
        }
    });
    let client = world.join();
    assert!(ask(&mut world, client, "/1"));
    world.say(client, "2[\"leave\"]");
    assert_eq!(Rc::strong_count(&kept), 2, "this one, and the handler's");
}

#[test]
fn what_a_parent_declares_to_run_once_runs_once_in_each_child() {
    let (mut world, log) = world();
    let tell = log.clone();
    let parent = world.server.of_dynamic(|_, _| true).name();
    world.server.of(&parent).once("a", move |socket, n: u32| {
        tell.tell(format!("{} {n}", socket.namespace().name()));
    });
    let (one, two) = (world.join(), world.join());
    for (client, name) in [(one, "/1"), (two, "/1"), (one, "/2")] {
        assert!(ask(&mut world, client, name));
        world.say(client, &format!("2{name},[\"a\",1]"));
        world.say(client, &format!("2{name},[\"a\",2]"));
    }
    assert_eq!(log.take(), ["/1 1", "/2 1"]);
    // A child that is made later has it, too, and each may declare its own.
    assert!(ask(&mut world, two, "/3"));
    world.server.of("/3").once("a", log.teller("own"));
    world.say(two, "2/3,[\"a\",3]");
    world.say(two, "2/3,[\"a\",4]");
    assert_eq!(log.take(), ["/3 3", "own 3"]);
}
