//! What waits, told in bytes; high and low water, each once until the other.
//!
//! ```text
//! room for 10 bytes · emit 100 · high water: 92 · room for all · low water
//! ```

use std::time::Duration;

use throng::config::Config;
use throng::testing::{Connect, TestServer, event};
use throng::{Event, Server, Transport};

use super::World;
use super::handlers::Log;

/// A world with these waters that tells of them.
fn world(high: usize, low: usize) -> (World, Log) {
    let mut config = Config::default();
    config.outgoing.high_water_bytes = Some(high);
    config.outgoing.low_water_bytes = low;
    let world = World::new(config);
    let log = Log::default();
    let (on_high, on_low) = (log.clone(), log.clone());
    world
        .server
        .of("/")
        .on_high_water(move |socket, bytes| {
            assert_eq!(socket.queued_bytes(), bytes);
            on_high.tell("high");
        })
        .on_low_water(move |_| on_low.tell("low"));
    (world, log)
}

fn queued<N: throng::net::Net>(server: &Server<N>) -> usize {
    server.io().queued_bytes()
}

#[test]
fn each_water_is_told_once_until_the_other() {
    let (mut world, log) = world(1_000, 200);
    let client = world.join();
    world.server.net_mut().set_room(client, 0);
    world.server.emit("e", &"a".repeat(600));
    world.settle();
    assert_eq!(log.take(), Vec::<String>::new());
    for _ in 0..5 {
        world.server.emit("e", &"a".repeat(600));
        world.settle();
    }
    assert_eq!(log.take(), ["high"]);
    // It takes some, but too much is left.
    world.server.net_mut().set_room(client, 2_000);
    world.settle();
    world.server.emit("e", &"a".repeat(600));
    world.settle();
    assert_eq!(log.take(), Vec::<String>::new());
    let left = queued(&world.server);
    world.server.net_mut().set_room(client, left - 150);
    world.settle();
    assert_eq!(log.take(), ["low"]);
    world.server.net_mut().set_room(client, 0);
    world.server.emit("e", &"a".repeat(2_000));
    world.settle();
    assert_eq!(log.take(), ["high"]);
    world.server.net_mut().set_room(client, usize::MAX);
    world.settle();
    assert_eq!(log.take(), ["low"]);
    assert_eq!(queued(&world.server), 0);
}

#[test]
fn a_burst_that_the_socket_takes_is_nobody_s_water() {
    let (mut world, log) = world(100, 0);
    world.join();
    for _ in 0..100 {
        world.server.emit("e", &"a".repeat(1_000));
    }
    assert!(queued(&world.server) > 100_000);
    world.settle();
    assert_eq!(queued(&world.server), 0);
    assert_eq!(log.take(), Vec::<String>::new());
}

#[test]
fn without_a_limit_nothing_is_told_and_a_low_water_above_the_high_one_is_that_one() {
    let (mut world, log) = world(1_000, 1_000_000);
    let client = world.join();
    world.server.net_mut().set_room(client, 0);
    for _ in 0..4 {
        world.server.emit("e", &"a".repeat(600));
        world.settle();
    }
    assert_eq!(log.take(), ["high"]);
    world.server.net_mut().set_room(client, usize::MAX);
    world.settle();
    assert_eq!(log.take(), ["low"]);

    let mut world = World::new(Config::default());
    let log = Log::default();
    let told = log.clone();
    world.server.of("/").on_high_water(move |_, _| told.tell("high"));
    let client = world.join();
    world.server.net_mut().set_room(client, 0);
    world.server.emit("e", &"a".repeat(100_000));
    world.settle();
    assert_eq!(log.take(), Vec::<String>::new());
}

/// The packet of Engine.IO of each message that waits whole, and what is left of the one that was
/// begun, its frame's head included.
#[test]
fn what_a_short_write_left_over_is_counted_until_it_is_written() {
    let mut world = World::new(Config::default());
    let (slow, quick) = (world.join(), world.join());
    world.server.net_mut().set_room(slow, 10);
    world.server.emit("e", &"a".repeat(91));
    let payload = "42[\"e\",\"\"]".len() + 91;
    assert_eq!(queued(&world.server), 2 * payload);
    world.settle();
    let frame = 2 + payload;
    assert_eq!(queued(&world.server), frame - 10);
    assert_eq!(world.server.net_mut().received(quick).len(), frame);
    world.server.net_mut().set_room(slow, 20);
    world.settle();
    assert_eq!(queued(&world.server), frame - 30);
    world.server.net_mut().set_room(slow, usize::MAX);
    world.settle();
    assert_eq!(queued(&world.server), 0);
}

#[test]
fn what_waits_for_one_that_goes_waits_for_nobody() {
    let (mut world, log) = world(50, 0);
    let client = world.join();
    world.server.net_mut().set_room(client, 10);
    world.server.emit("e", &"a".repeat(100));
    world.settle();
    assert_eq!(log.take(), ["high"]);
    world.server.net_mut().end(client);
    world.settle();
    assert_eq!(queued(&world.server), 0);
    assert_eq!(log.take(), Vec::<String>::new());
    // Whoever comes after it begins anew.
    let client = world.join();
    world.server.net_mut().set_room(client, 10);
    world.server.emit("e", &"a".repeat(100));
    world.settle();
    assert_eq!(log.take(), ["high"]);
}

#[test]
fn a_room_a_client_and_the_server_tell_what_waits_for_them() {
    let mut test = TestServer::new(|server| {
        server.of("/").on("join", |socket, room: String| socket.join(&room));
        server.of("/other");
    });
    let clients = [0; 3].map(|_| test.connect("/").unwrap());
    let other = test.connect_with(Connect::to("/other").over(clients[0])).unwrap();
    test.emit(clients[0], "join", "a");
    test.emit(clients[1], "join", "a");
    test.emit(clients[2], "join", "b");
    for client in clients {
        test.set_reads(client, false);
    }
    test.server().emit("e", &"x".repeat(1_000));
    test.settle();
    let view = |namespace: &str, socket| {
        let id = test.id(socket).parse().unwrap();
        test.server().of(namespace).socket(&id).unwrap().queued_bytes()
    };
    let each = view("/", clients[0]);
    assert!((1_000..1_020).contains(&each), "{each}");
    assert_eq!(view("/other", other), each, "one connection");
    let server = test.server();
    assert_eq!(server.io().queued_bytes(), 3 * each);
    assert_eq!(server.to("a").queued_bytes(), 2 * each);
    assert_eq!(server.to("a").to("b").queued_bytes(), 3 * each);
    assert_eq!(server.except("a").queued_bytes(), each);
    assert_eq!(server.to("nobody").queued_bytes(), 0);
    for client in clients {
        test.set_reads(client, true);
    }
    assert_eq!(test.server().io().queued_bytes(), 0);
}

#[test]
fn one_that_polls_is_told_of_while_it_does_not() {
    let mut config = Config::default();
    config.outgoing.high_water_bytes = Some(1_000);
    let mut test = TestServer::with_config(config, 1, |server| {
        server.of("/").pull();
    });
    let poller = Connect::to("/").transport(Transport::Polling);
    let alice = test.connect_with(poller).unwrap();
    let Some(Event::Connected(socket)) = test.next_event() else { panic!("she is in") };
    test.set_reads(alice, false);
    let mut sent = 0;
    let high = loop {
        test.server().socket(socket).emit("n", (&sent, &"a".repeat(300)));
        sent += 1;
        match test.next_event() {
            Some(Event::HighWater { socket: whose, bytes, .. }) => {
                assert_eq!(whose, socket);
                break bytes;
            }
            Some(other) => panic!("{other:?}"),
            None => assert!(sent < 100, "nobody tells"),
        }
    };
    assert_eq!(high, test.server().socket(socket).queued_bytes());
    assert!(high > 1_000);
    test.set_reads(alice, true);
    assert!(matches!(test.next_event(), Some(Event::LowWater(whose)) if whose == socket));
    assert!(test.next_event().is_none());
    let received = test.received(alice);
    assert_eq!(received.len(), sent);
}

#[test]
fn what_a_water_handler_sends_leaves_and_a_panic_of_one_costs_its_session() {
    let mut config = Config::default();
    config.outgoing.high_water_bytes = Some(100);
    let mut test = TestServer::with_config(config, 1, |server| {
        server
            .of("/")
            .on_high_water(|socket, _| {
                socket.broadcast().emit("slow", ());
            })
            .on_low_water(|_| panic!("low"));
    });
    let (slow, quick) = (test.connect("/").unwrap(), test.connect("/").unwrap());
    test.set_reads(slow, false);
    let id = test.id(slow).parse().unwrap();
    let socket = test.server().of("/").socket(&id).unwrap().to_ref();
    test.server().socket(socket).emit("e", &"a".repeat(1_000));
    test.settle();
    assert_eq!(test.received(quick), [event("slow", ())]);
    test.set_reads(slow, true);
    assert!(!test.is_connected(slow) && test.is_connected(quick));
    assert_eq!(test.server().io().socket_counters().handler_panics, 1);
}

#[test]
fn every_socket_of_a_client_is_told_where_somebody_wants_to_know() {
    let mut config = Config::default();
    config.outgoing.high_water_bytes = Some(100);
    let mut test = TestServer::with_config(config, 1, |server| {
        server.of("/").pull();
        server.of("/game").pull();
        server.of("/silent");
    });
    let main = test.connect("/").unwrap();
    test.connect_with(Connect::to("/game").over(main)).unwrap();
    test.connect_with(Connect::to("/silent").over(main)).unwrap();
    let sockets = [test.next_event(), test.next_event()].map(|event| match event {
        Some(Event::Connected(socket)) => socket,
        other => panic!("{other:?}"),
    });
    test.set_reads(main, false);
    test.server().emit("e", &"a".repeat(1_000));
    let mut told = Vec::new();
    while let Some(Event::HighWater { socket, .. }) = test.next_event() {
        told.push(socket);
    }
    assert_eq!(told, sockets);
    test.set_reads(main, true);
    let low: Vec<_> = std::iter::from_fn(|| test.next_event()).collect();
    assert!(low.iter().all(|event| matches!(event, Event::LowWater(_))), "{low:?}");
    assert_eq!(low.len(), 2);
}

#[test]
fn waters_that_change_while_nobody_pulls_add_no_more_than_their_sockets() {
    let mut config = Config::default();
    config.outgoing.high_water_bytes = Some(100);
    config.socket.pulled_events_max = 2;
    let mut test = TestServer::with_config(config, 1, |server| {
        server.of("/").pull();
    });
    let alice = test.connect("/").unwrap();
    let Some(Event::Connected(socket)) = test.next_event() else { panic!("she is in") };
    for _ in 0..50 {
        test.set_reads(alice, false);
        test.server().socket(socket).emit("e", &"a".repeat(1_000));
        test.settle();
        test.set_reads(alice, true);
    }
    let told = std::iter::from_fn(|| test.server_mut().next_event()).count();
    assert_eq!(told, 2);
    test.set_reads(alice, false);
    test.server().socket(socket).emit("e", &"a".repeat(1_000));
    test.advance(Duration::from_secs(1));
    assert!(matches!(test.next_event(), Some(Event::HighWater { .. })));
}
