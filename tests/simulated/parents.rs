//! What is asked of the parent of dynamic namespaces is asked of its children.
//!
//! ```text
//! < 42/room-1,0["score?"]   < 42/room-2,0["score?"]      one question, of the parent
//! ```

use std::time::Duration;

use throng::adapter::AdapterError;
use throng::config::Config;

use super::World;
use super::handlers::Log;

/// Two clients: one in `/room-1` and `/room-2`, one in `/room-2`; all of them in `/`.
fn world(config: Config) -> (World, Log, [usize; 2]) {
    let mut world = World::new(config);
    world.server.of_pattern("^/room-[0-9]+$").unwrap().on("late", |_, (): ()| {});
    let clients = [world.join(), world.join()];
    for (client, name) in [(0, "/room-1"), (0, "/room-2"), (1, "/room-2")] {
        world.say(clients[client], &format!("0{name},"));
        assert!(world.received(clients[client]).contains(&format!("40{name},{{\"sid\":\"")));
    }
    (world, Log::default(), clients)
}

#[test]
fn rooms_are_joined_and_left_in_all_children_and_who_is_meant_is_selected_in_each() {
    let (world, _, _) = world(Config::default());
    let parent = world.server.of("/_0");
    assert_eq!(parent.all().local_sockets().len(), 3);
    parent.sockets_join(["a", "b"]);
    assert_eq!(world.server.of("/room-1").room("a").len(), 1);
    assert_eq!(world.server.of("/room-2").room("a").len(), 2);
    assert_eq!(world.server.of("/").room("a").len(), 0);
    let one = world.server.of("/room-1").room("a");
    parent.except(&one[0]).sockets_leave("a");
    assert_eq!(parent.to("a").local_sockets(), one);
    parent.to("a").sockets_leave("b");
    assert_eq!(world.server.of("/room-1").rooms_len(), 1);
    assert_eq!(world.server.of("/room-2").room("b").len(), 2);
}

#[test]
fn sockets_of_all_children_are_disconnected_and_those_of_other_namespaces_stay() {
    let (mut world, _, [one, two]) = world(Config::default());
    world.server.of("/room-2").sockets_join("a");
    world.server.of("/_0").to("a").disconnect_sockets();
    world.settle();
    assert!(world.received(two).ends_with("41/room-2,"));
    assert_eq!(world.server.io().sockets_len(), 3);
    world.server.of("/_0").disconnect_clients();
    world.settle();
    assert!(world.received(one).contains("41/room-1,"));
    assert_eq!((world.server.io().sockets_len(), world.server.io().sessions_len()), (1, 1));
}

#[test]
fn one_question_is_answered_by_all_children_once() {
    let (mut world, log, [one, two]) = world(Config::default());
    let ask = |world: &World, millis: u64| {
        let tell = log.clone();
        let operator = world.server.of("/_0").timeout(Duration::from_millis(millis));
        operator.emit_with_ack::<u32>("score?", &1, move |_, answers| {
            tell.tell(format!("{answers:?}"));
        });
    };
    ask(&world, 1_000);
    world.settle();
    assert!(world.received(two).contains("42/room-2,0[\"score?\",1]"));
    world.say(one, "3/room-1,0[10]");
    world.say(two, "3/room-2,0[30]");
    assert!(log.take().is_empty());
    world.say(one, "3/room-2,0[20]");
    // The answers of one namespace stand together.
    let all = "Answers { values: [10, 30, 20], expected: 3, rejected: 0, timed_out: false }";
    assert_eq!(log.take(), [all]);
    // Half of them: the time-out of the one child ends it, with what came.
    ask(&world, 1_000);
    world.say(one, "3/room-1,1[11]");
    world.say(one, "3/room-2,1[\"of another shape\"]");
    assert!(log.take().is_empty());
    world.advance(Duration::from_secs(1));
    world.settle();
    let partly = "Answers { values: [11], expected: 3, rejected: 1, timed_out: true }";
    assert_eq!(log.take(), [partly]);
    assert_eq!(world.server.io().socket_counters().ack_timeouts, 1);
}

#[test]
fn a_question_for_nobody_is_answered_at_once_and_one_that_cannot_be_written_too() {
    let (world, log, _) = world(Config::default());
    let nobody = world.server.of_pattern("^/other-[0-9]+$").unwrap();
    let tell = log.clone();
    nobody.all().emit_with_raw_ack("score?", (), move |_, answers| {
        tell.tell(format!("{} {}", answers.expected, answers.is_complete()));
    });
    let tell = log.clone();
    let unwritable = std::collections::HashMap::from([((1, 2), 3)]);
    world.server.of("/_0").all().emit_with_raw_ack("score?", &unwritable, move |_, answers| {
        tell.tell(format!("{} {}", answers.expected, answers.is_complete()));
    });
    assert_eq!(log.take(), ["0 true", "0 true"]);
    assert_eq!(world.server.io().socket_counters().encode_errors, 1);
}

#[test]
fn answers_of_all_children_together_are_as_long_as_those_of_one_may_be() {
    let mut config = Config::default();
    config.socket.answers_bytes_max = 8;
    let (mut world, log, [one, two]) = world(config);
    let tell = log.clone();
    world.server.of("/_0").all().emit_with_ack::<String>("name?", (), move |_, answers| {
        tell.tell(format!("{} {}", answers.values.len(), answers.rejected));
    });
    world.say(one, "3/room-1,0[\"1234\"]");
    world.say(one, "3/room-2,0[\"12\"]");
    world.say(two, "3/room-2,0[\"34\"]");
    assert_eq!(log.take(), ["1 2"]);
    assert_eq!(world.server.io().socket_counters().acks_rejected, 2);
}

#[test]
fn a_child_that_goes_while_it_is_asked_is_waited_for_no_longer() {
    let mut config = Config::default();
    config.socket.cleanup_empty_child_namespaces = true;
    let (mut world, log, [one, two]) = world(config);
    let tell = log.clone();
    world.server.of("/_0").all().emit_with_ack::<u32>("score?", (), move |_, answers| {
        tell.tell(format!("{:?} of {}", answers.values, answers.expected));
    });
    world.say(one, "1/room-1,");
    world.say(one, "3/room-2,0[2]");
    assert!(log.take().is_empty());
    world.say(two, "1/room-2,");
    assert_eq!(log.take(), ["[2] of 3"]);
}

#[test]
fn sockets_are_fetched_of_the_children_here_where_that_is_what_is_asked() {
    let (mut world, log, [_, two]) = world(Config::default());
    let tell = log.clone();
    world.server.of("/_0").fetch_sockets(move |_, sockets| {
        tell.tell(format!("{:?}", sockets.map(|sockets| sockets.len())));
    });
    assert_eq!(log.take(), [format!("{:?}", Err::<usize, _>(AdapterError::Unsupported))]);
    let tell = log.clone();
    world.server.of("/_0").local().fetch_sockets(move |_, sockets| {
        let sockets = sockets.unwrap();
        tell.tell(format!("{}", sockets.len()));
        for socket in sockets {
            socket.join("fetched");
        }
    });
    assert_eq!(log.take(), ["3"]);
    // Each is of its own namespace.
    world.server.of("/room-2").to("fetched").emit("hello", ());
    world.settle();
    assert!(world.received(two).contains("42/room-2,[\"hello\"]"));
    assert_eq!(world.server.of("/room-1").room("fetched").len(), 1);
}

#[test]
fn an_event_between_servers_needs_others_also_of_a_parent() {
    let (world, log, _) = world(Config::default());
    let parent = world.server.of("/_0");
    parent.server_side_emit("reload", ());
    assert_eq!(world.server.io().socket_counters().server_side_emits_unsupported, 2);
    let tell = log.clone();
    parent.server_side_emit_with_ack::<u32>("sockets?", (), move |_, answers| {
        tell.tell(format!("{answers:?}"));
    });
    assert_eq!(log.take(), ["Err(Unsupported)"]);
}
