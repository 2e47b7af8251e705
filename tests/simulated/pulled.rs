//! Events as values: their order, their bound, and what becomes of what they hold.
//!
//! ```text
//! > 42["move",1]      poll · next_event -> Message "move" [1]
//! ```

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use throng::config::Config;
use throng::testing::{Connect, ConnectError, TestServer, event};
use throng::{
    AckError, Binary, BinarySlice, DisconnectReason, Event, Next, Refusal, SocketRef, Transport,
};

use super::{World, frame};

/// What happened, in short.
fn short(event: &Event) -> String {
    match event {
        Event::Connecting { .. } => "connecting".to_owned(),
        Event::Connected(_) => "connected".to_owned(),
        Event::Message(message) => {
            format!("{} {} {}", message.namespace(), message.name(), message.args().json())
        }
        Event::Disconnected { reason, .. } => format!("disconnected: {reason}"),
        Event::Answer { answer: Ok(args), .. } => format!("answer: {}", args.as_args().json()),
        Event::Answer { answer: Err(error), .. } => format!("no answer: {error}"),
        Event::HighWater { bytes, .. } => format!("high water: {bytes}"),
        Event::LowWater(_) => "low water".to_owned(),
        other => format!("{other:?}"),
    }
}

fn pulled(test: &mut TestServer) -> Vec<String> {
    std::iter::from_fn(|| test.next_event()).map(|event| short(&event)).collect()
}

/// A server that pulls in `/`.
fn pulling() -> TestServer {
    TestServer::new(|server| {
        server.of("/").pull();
    })
}

fn connected(test: &mut TestServer) -> SocketRef {
    match test.next_event() {
        Some(Event::Connected(socket)) => socket,
        other => panic!("{other:?}"),
    }
}

#[test]
fn events_come_in_the_order_in_which_they_happened_over_all_namespaces() {
    let mut test = TestServer::new(|server| {
        server.of("/").pull();
        server.of("/game").pull();
        server.of("/silent");
    });
    let main = test.connect("/").unwrap();
    let game = test.connect_with(Connect::to("/game").over(main)).unwrap();
    let silent = test.connect_with(Connect::to("/silent").over(main)).unwrap();
    test.emit(game, "a", &1);
    test.emit(main, "b", ("x", BinarySlice(b"\x00")));
    test.emit(silent, "unheard", ());
    test.emit(game, "c", ());
    test.leave(game);
    test.emit(main, "d", &[true]);
    test.cut(main);
    assert_eq!(
        pulled(&mut test),
        [
            "connected",
            "connected",
            "/game a 1",
            "/ b \"x\",{\"_placeholder\":true,\"num\":0}",
            "/game c ",
            "disconnected: client namespace disconnect",
            "/ d [true]",
            "disconnected: transport close",
        ]
    );
}

#[test]
fn handlers_run_beside_and_nothing_counts_as_unhandled() {
    let seen = Rc::new(Cell::new(0));
    let count = Rc::clone(&seen);
    let mut test = TestServer::new(|server| {
        server.of("/").pull().on("both", move |_, (): ()| count.set(count.get() + 1));
    });
    let alice = test.connect("/").unwrap();
    test.emit(alice, "both", ());
    test.emit(alice, "value", ());
    assert_eq!(pulled(&mut test), ["connected", "/ both ", "/ value "]);
    assert_eq!(seen.get(), 1);
    assert_eq!(test.server().io().socket_counters().events_unhandled, 0);
}

#[test]
fn what_a_handler_does_comes_after_the_event_it_was_told_of() {
    let mut test = TestServer::new(|server| {
        server.of("/").pull().on("leave", |socket, (): ()| socket.disconnect());
        server.of("/closed").pull().on_connect(|socket| socket.disconnect());
    });
    let alice = test.connect("/").unwrap();
    test.emit(alice, "leave", ());
    assert!(test.connect("/closed").is_err());
    let left = "disconnected: server namespace disconnect";
    assert_eq!(pulled(&mut test), ["connected", "/ leave ", left, "connected", left]);
}

#[test]
fn a_refused_event_is_not_told_and_a_child_pulls_as_its_parent() {
    let mut test = TestServer::new(|server| {
        let rooms = server.of_pattern("^/room-[0-9]+$").unwrap();
        rooms.pull().event_middleware(|_, name, _| match name {
            "bad" => Err(Refusal::new("no")),
            _ => Ok(()),
        });
    });
    let alice = test.connect("/room-7").unwrap();
    test.emit(alice, "bad", ());
    test.emit(alice, "good", ());
    assert_eq!(pulled(&mut test), ["connected", "/room-7 good "]);
    assert_eq!(test.server().io().socket_counters().events_refused, 1);
}

#[test]
fn an_event_is_answered_by_whoever_is_first_handler_or_puller() {
    let mut test = TestServer::new(|server| {
        server.of("/").pull().on_with_ack("add", |_, (a, b): (i64, i64)| a + b);
    });
    let alice = test.connect("/").unwrap();
    connected(&mut test);
    let added = test.ask(alice, "add", (1, 2));
    let asked = test.ask(alice, "echo", "x");
    while let Some(event) = test.next_event() {
        if let Event::Message(message) = event {
            let args = message.parse::<serde_json::Value>().unwrap();
            message.answer(&args);
        }
    }
    assert_eq!(test.answer::<i64>(added), Ok(3));
    assert_eq!(test.answer::<String>(asked), Ok("x".to_owned()));
}

#[test]
fn an_acknowledgement_may_be_taken_out_and_given_later() {
    let mut test = pulling();
    let alice = test.connect("/").unwrap();
    connected(&mut test);
    let asked = test.ask(alice, "later", ());
    let Some(Event::Message(mut message)) = test.next_event() else { panic!("a message") };
    let ack = message.take_ack().unwrap();
    assert!(message.take_ack().is_none());
    test.advance(Duration::from_secs(3));
    ack.send("now");
    test.settle();
    assert_eq!(test.answer::<String>(asked), Ok("now".to_owned()));
}

#[test]
fn each_question_is_answered_exactly_once() {
    let mut test = TestServer::new(|server| {
        server.of("/").pull();
        server.of("/plain");
    });
    let alice = test.connect("/").unwrap();
    let socket = connected(&mut test);
    let ask = |test: &TestServer| {
        test.server().socket(socket).timeout(Duration::from_secs(5)).ask("q", ())
    };
    let ids = [ask(&test), ask(&test), ask(&test)];
    test.settle();
    let asked = test.received(alice);
    test.acknowledge(alice, &asked[1], ("yes", 1));
    test.advance(Duration::from_secs(5));
    let last = ask(&test);
    test.cut(alice);
    let never = ask(&test);
    let mut answers = HashMap::new();
    let mut told = Vec::new();
    while let Some(event) = test.next_event() {
        told.push(short(&event));
        if let Event::Answer { ask, socket: whose, answer, .. } = event {
            assert_eq!(whose, socket);
            let answer = answer.map(|args| args.as_args().json().into_owned());
            assert!(answers.insert(ask, answer).is_none(), "told twice");
        }
    }
    assert_eq!(answers[&ids[0]], Err(AckError::Timeout));
    assert_eq!(answers[&ids[1]], Ok("\"yes\",1".to_owned()));
    assert_eq!(answers[&ids[2]], Err(AckError::Timeout));
    assert_eq!(answers[&last], Err(AckError::Disconnected));
    assert_eq!(answers[&never], Err(AckError::NotSent));
    assert_eq!(answers.len(), 5);
    assert_eq!(
        told[3..5],
        ["disconnected: transport close", "no answer: the socket has been disconnected"]
    );
}

#[test]
fn who_asks_to_get_in_waits_for_whoever_pulls() {
    let decide = |act: fn(Next)| {
        let mut test = TestServer::new(|server| {
            server.of("/").pull().pull_middleware().on_connect(|socket| {
                socket.emit("in", ());
            });
        });
        let alice = test.start_connect(Connect::to("/"));
        test.advance(Duration::from_secs(2));
        assert_eq!(test.outcome(alice), Err(ConnectError::Pending(alice)));
        let Some(Event::Connecting { socket, next, .. }) = test.next_event() else {
            panic!("it waits")
        };
        assert!(!test.server().socket(socket).is_connected());
        act(next);
        let told = pulled(&mut test);
        let received = test.received(alice).len();
        (test.outcome(alice), told, received)
    };
    assert_eq!(decide(|next| next.allow()), (Ok(()), vec!["connected".to_owned()], 1));
    let refused = |message: &str| {
        (Err(ConnectError::Refused { message: message.to_owned(), data: None }), Vec::new(), 0)
    };
    assert_eq!(decide(|next| next.refuse(Refusal::new("full"))), refused("full"));
    assert_eq!(decide(drop), refused("refused"));
}

#[test]
fn a_client_that_goes_before_it_was_decided_about_was_never_there() {
    let mut test = TestServer::new(|server| {
        server.of("/").pull().pull_middleware();
    });
    let alice = test.start_connect(Connect::to("/"));
    test.cut(alice);
    let Some(Event::Connecting { socket, next, .. }) = test.next_event() else { panic!("it came") };
    assert_eq!(test.server().socket(socket).id(), throng::SocketId::default());
    next.allow();
    assert_eq!(pulled(&mut test), Vec::<String>::new());
}

#[test]
fn the_name_of_a_socket_that_has_left_finds_nobody_else() {
    let mut test = pulling();
    let alice = test.connect("/").unwrap();
    let gone = connected(&mut test);
    let id = test.id(alice).to_owned();
    test.cut(alice);
    let Some(Event::Disconnected { socket, id: told, reason, .. }) = test.next_event() else {
        panic!("it has left")
    };
    assert_eq!((socket, told.as_str(), reason), (gone, &*id, DisconnectReason::TransportClose));
    let bob = test.connect("/").unwrap();
    let next = connected(&mut test);
    assert_ne!(gone, next);
    assert_eq!(test.server().socket(gone).emit("hello", ()), throng::Delivery::Dropped);
    test.server().socket(next).emit("hello", ());
    assert_eq!(test.received(bob), [event("hello", ())]);
}

#[test]
fn attachments_are_kept_with_the_arguments() {
    let mut test = pulling();
    let alice = test.connect("/").unwrap();
    connected(&mut test);
    test.emit(alice, "bytes", (BinarySlice(&[7; 1_000]), "and text"));
    let Some(Event::Message(message)) = test.next_event() else { panic!("a message") };
    let (bytes, words): (Binary, String) = message.parse().unwrap();
    assert_eq!((bytes.0.len(), &*words), (1_000, "and text"));
    assert_eq!(message.into_args().as_args().attachments().len(), 1);
}

#[test]
fn a_full_queue_stops_messages_and_loses_none() {
    for transport in [Transport::WebSocket, Transport::Polling] {
        let mut config = Config::default();
        config.socket.pulled_events_max = 3;
        let mut test = TestServer::with_config(config, 1, |server| {
            server.of("/").pull();
        });
        let clients = [0; 2].map(|_| {
            let connect = Connect::to("/").transport(transport);
            let client = test.connect_with(connect).unwrap();
            connected(&mut test);
            client
        });
        for number in 0..20 {
            for client in clients {
                test.emit(client, "number", &number);
            }
        }
        let mut heard: HashMap<SocketRef, Vec<u32>> = HashMap::new();
        // What waits is pulled at once, and then there is no more than may wait.
        loop {
            test.settle();
            let mut waited = 0;
            while let Some(event) = test.server_mut().next_event() {
                waited += 1;
                let Event::Message(message) = event else { panic!("a message") };
                heard.entry(message.socket()).or_default().push(message.parse().unwrap());
            }
            assert!(waited <= 3, "{waited} waited");
            if waited == 0 {
                break;
            }
        }
        let all: Vec<u32> = (0..20).collect();
        assert_eq!(heard.into_values().collect::<Vec<_>>(), [all.clone(), all]);
    }
}

#[test]
fn a_queue_that_is_full_of_bytes_is_full() {
    let mut config = Config::default();
    config.socket.pulled_bytes_max = 1_000;
    let mut test = TestServer::with_config(config, 1, |server| {
        server.of("/").pull();
    });
    let alice = test.connect("/").unwrap();
    connected(&mut test);
    for _ in 0..10 {
        test.emit(alice, "long", &"a".repeat(600));
    }
    test.settle();
    let waiting = std::iter::from_fn(|| test.server_mut().next_event()).count();
    assert_eq!(waiting, 2);
    let all = waiting + pulled(&mut test).len();
    let rest = std::iter::from_fn(|| test.next_event()).count();
    assert_eq!(all + rest, 10);
}

#[test]
fn while_the_queue_is_full_nothing_is_read_and_what_is_queued_still_leaves() {
    let mut config = Config::default();
    config.socket.pulled_events_max = 2;
    let mut world = World::new(config);
    world.server.of("/").pull();
    let client = world.server.net_mut().connect();
    world.poll();
    world.send(client, super::UPGRADE);
    world.send(client, frame(0x81, "40"));
    world.settle();
    world.received(client);
    world.server.net_mut().set_room(client, 10);
    world.server.emit("news", &"a".repeat(100));
    world.send(client, frame(0x81, "42[\"1\"]"));
    world.send(client, frame(0x81, "42[\"2\"]"));
    for _ in 0..3 {
        // It waits for the host, not for a further turn.
        assert!(!world.poll().more);
        assert_eq!(world.server.next_deadline(), Some(Duration::ZERO));
    }
    assert_eq!(world.server.net_mut().received(client).len(), 10);
    world.server.net_mut().set_room(client, usize::MAX);
    world.poll();
    world.poll();
    assert!(world.received(client).ends_with("aaa\"]"));
    let mut names = Vec::new();
    while let Some(event) = world.server.next_event() {
        if let Event::Message(message) = event {
            names.push(message.name().to_owned());
        }
        world.poll();
    }
    assert_eq!(names, ["1", "2"]);
    world.settle();
}

#[test]
fn sockets_go_though_the_queue_is_full() {
    let mut config = Config::default();
    config.socket.pulled_events_max = 1;
    let mut test = TestServer::with_config(config, 1, |server| {
        server.of("/").pull();
    });
    let alice = test.connect("/").unwrap();
    let socket = test.server().of("/").socket(&test.id(alice).parse().unwrap()).unwrap().to_ref();
    test.server().socket(socket).ask("q", ());
    test.server().socket(socket).disconnect();
    assert_eq!(
        pulled(&mut test),
        [
            "connected",
            "disconnected: server namespace disconnect",
            "no answer: the socket has been disconnected",
        ]
    );
}

#[test]
fn events_may_outlive_the_server_they_are_of() {
    let mut test = TestServer::new(|server| {
        server.of("/").pull().pull_middleware();
        server.of("/open").pull();
    });
    test.start_connect(Connect::to("/"));
    test.start_connect(Connect::to("/"));
    let bob = test.connect("/open").unwrap();
    test.ask(bob, "q", "x");
    test.ask(bob, "q", "y");
    let kept: Vec<Event> = (0..4).filter_map(|_| test.next_event()).collect();
    // One that waits and one message go down with the server.
    drop(test);
    for event in kept {
        match event {
            Event::Connecting { next, .. } => next.allow(),
            Event::Message(message) => {
                assert_eq!(message.parse::<String>().unwrap(), "x");
                message.answer(());
            }
            _ => {}
        }
    }
}

#[test]
fn a_panic_of_a_handler_ends_the_session_and_is_told_in_order() {
    let mut test = TestServer::new(|server| {
        server.of("/").pull().on("boom", |_, (): ()| panic!("boom"));
    });
    let alice = test.connect("/").unwrap();
    test.emit(alice, "boom", ());
    assert_eq!(pulled(&mut test), ["connected", "/ boom ", "disconnected: forced close"]);
    assert!(!test.is_connected(alice));
}

#[test]
fn a_world_without_cells_is_held_beside_the_server() {
    #[derive(Default)]
    struct World {
        positions: HashMap<SocketRef, i64>,
    }
    impl World {
        fn apply(&mut self, server: &throng::Server<throng::testing::MemoryNet>, event: Event) {
            match event {
                Event::Connected(socket) => drop(self.positions.insert(socket, 0)),
                Event::Message(message) => {
                    let Some(position) = self.positions.get_mut(&message.socket()) else { return };
                    *position += message.parse::<i64>().unwrap_or(0);
                    server.socket(message.socket()).emit("position", &*position);
                }
                Event::Disconnected { socket, .. } => drop(self.positions.remove(&socket)),
                _ => {}
            }
        }
    }
    let mut test = pulling();
    let alice = test.connect("/").unwrap();
    let mut world = World::default();
    test.emit(alice, "move", &3);
    test.emit(alice, "move", &-1);
    let server = test.server_mut();
    while let Some(event) = server.next_event() {
        world.apply(server, event);
    }
    assert_eq!(test.received(alice), [event("position", &3), event("position", &2)]);
    test.cut(alice);
    while let Some(event) = test.server_mut().next_event() {
        world.apply(test.server(), event);
    }
    assert!(world.positions.is_empty());
}

#[test]
fn nested_closures_tell_in_the_order_in_which_things_came_to_be() {
    let log: Rc<RefCell<Vec<String>>> = Rc::default();
    let told = Rc::clone(&log);
    let mut test = TestServer::new(|server| {
        server.of("/").pull().on_disconnecting(move |socket, _| {
            told.borrow_mut().push(socket.id().to_string());
            socket.broadcast().disconnect_sockets();
        });
    });
    let alice = test.connect("/").unwrap();
    let bob = test.connect("/").unwrap();
    let (first, second) = (connected(&mut test), connected(&mut test));
    test.leave(alice);
    let order: Vec<_> = std::iter::from_fn(|| test.next_event())
        .filter_map(|event| match event {
            Event::Disconnected { socket, reason, .. } => Some((socket, reason)),
            _ => None,
        })
        .collect();
    assert_eq!(
        order,
        [
            (second, DisconnectReason::ServerNamespaceDisconnect),
            (first, DisconnectReason::ClientNamespaceDisconnect),
        ]
    );
    assert!(!test.is_connected(bob));
    assert_eq!(log.borrow().len(), 2);
}

/// Numbers without a pattern, the same for each seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// One step of clients, host or time.
fn step(test: &mut TestServer, clients: &mut Vec<throng::testing::TestSocket>, by: &mut Numbers) {
    if clients.is_empty() || (clients.len() < 6 && by.below(8) == 0) {
        let transport = [Transport::Polling, Transport::WebSocket][by.below(2)];
        clients.push(test.start_connect(Connect::to("/").transport(transport)));
        return;
    }
    let client = clients[by.below(clients.len())];
    match by.below(12) {
        0 => test.leave(client),
        1 => test.cut(client),
        2 if !test.is_connected(client) => drop(test.reconnect(client)),
        3 => test.server().of("/").disconnect_sockets(),
        4 => test.advance(Duration::from_millis(by.below(2_000) as u64)),
        _ if test.is_connected(client) => test.emit(client, "number", &by.below(1_000)),
        _ => {}
    }
}

#[test]
fn values_tell_the_same_story_as_handlers_whatever_clients_do() {
    for seed in 0..100 {
        let mut by = Numbers(seed);
        let log: Rc<RefCell<Vec<String>>> = Rc::default();
        let [came, said, left] = [Rc::clone(&log), Rc::clone(&log), Rc::clone(&log)];
        let mut config = Config::default();
        config.socket.pulled_events_max = 1 + by.below(6);
        let mut test = TestServer::with_config(config, seed, |server| {
            server
                .of("/")
                .pull()
                .on_connect(move |socket| {
                    came.borrow_mut().push(format!("{:?} connected", socket.to_ref()));
                })
                .on("number", move |socket, number: u32| {
                    said.borrow_mut().push(format!("{:?} / number {number}", socket.to_ref()));
                })
                .on_disconnect(move |socket, reason| {
                    let name = socket.to_ref();
                    left.borrow_mut().push(format!("{name:?} disconnected: {reason}"));
                });
        });
        let (mut clients, mut told) = (Vec::new(), Vec::new());
        let tell = |event: Event| format!("{:?} {}", event.socket().unwrap(), short(&event));
        for _ in 0..150 {
            step(&mut test, &mut clients, &mut by);
            for _ in 0..by.below(4) {
                told.extend(test.next_event().map(tell));
            }
        }
        told.extend(std::iter::from_fn(|| test.next_event()).map(tell));
        assert!(told.len() > 20, "seed {seed}: {told:?}");
        assert_eq!(told, *log.borrow(), "seed {seed}");
    }
}
