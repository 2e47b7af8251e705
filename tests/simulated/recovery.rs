//! Connection state recovery on one server, in virtual time: what is told, what is kept and for
//! how long, and what doesn't recover.

use std::cell::RefCell;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use throng::config::{Config, RecoveryConfig};
use throng::{Refusal, RoomEvent};

use super::handlers::Log;
use super::{UPGRADE, World, frame};

/// A client as the reference's is one: it takes any last string for an offset.
struct Client {
    connection: usize,
    id: String,
    pid: String,
    offset: Option<String>,
    heard: Vec<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct Profile {
    name: RefCell<String>,
}

fn world(change: impl FnOnce(&mut RecoveryConfig)) -> World {
    let mut recovery = RecoveryConfig::default();
    change(&mut recovery);
    let mut config = Config::default();
    config.engine.ping_interval = Duration::from_secs(100_000);
    config.socket.recovery = Some(recovery);
    World::new(config)
}

fn text_after(text: &str, key: &str) -> Option<String> {
    let (_, rest) = text.split_once(key)?;
    Some(rest.split('"').next()?.to_owned())
}

impl World {
    fn come(&mut self, connect: &str) -> Client {
        let connection = self.connect();
        self.send(connection, UPGRADE);
        self.send(connection, frame(0x81, connect));
        self.settle();
        let mut client = Client {
            connection,
            id: String::new(),
            pid: String::new(),
            offset: None,
            heard: Vec::new(),
        };
        self.hear(&mut client);
        client
    }

    fn come_back(&mut self, client: &Client) -> Client {
        let Client { pid, offset, .. } = client;
        let offset = offset.as_deref().unwrap();
        self.come(&format!("40{{\"pid\":\"{pid}\",\"offset\":\"{offset}\"}}"))
    }

    /// What has come is split where packets begin; the tests' texts have no `42[` in them.
    fn hear(&mut self, client: &mut Client) {
        let received = self.received(client.connection);
        let received = received.split("\r\n\r\n").last().unwrap();
        let starts: Vec<_> = received.match_indices('4').map(|(at, _)| at).collect();
        let mut packets = Vec::new();
        for at in starts {
            let rest = &received[at..];
            if rest.starts_with("40{\"sid\"") {
                client.id = text_after(rest, "\"sid\":\"").unwrap();
                client.pid = text_after(rest, "\"pid\":\"").unwrap_or_default();
                packets.push("40".to_owned());
            } else if rest.starts_with("42[\"") {
                let packet = rest.split_inclusive(']').next().unwrap().to_owned();
                let offset = packet.strip_suffix("\"]").and_then(|it| it.rsplit_once(",\""));
                match offset {
                    Some((event, offset)) => {
                        client.offset = Some(offset.to_owned());
                        packets.push(format!("{event}]"));
                    }
                    _ => packets.push(packet),
                }
            }
        }
        client.heard.append(&mut packets);
    }

    fn cut(&mut self, client: &Client) {
        self.server.net_mut().end(client.connection);
        self.settle();
    }

    fn counters(&self) -> throng::SocketCounters {
        self.server.io().socket_counters()
    }
}

/// A client that has heard one event, and whose connection then broke.
fn lost(world: &mut World) -> Client {
    let mut client = world.come("40");
    world.server.emit("first", ());
    world.settle();
    world.hear(&mut client);
    assert_eq!(client.heard, ["40", "42[\"first\"]"]);
    world.cut(&client);
    client
}

#[test]
fn a_client_gets_back_its_id_its_rooms_its_data_and_what_it_missed_before_the_reply() {
    let mut world = world(|_| {});
    world.server.of("/").shared_data::<Profile>().on_connect(|socket| {
        if !socket.recovered() {
            socket.join(["a", "b"]);
            socket.data::<Profile>().name.replace("Ann".to_owned());
        }
        let name = socket.data::<Profile>().name.borrow().clone();
        let rooms = socket.rooms().len();
        socket.emit("in", (&name, &rooms, &socket.recovered()));
    });
    let mut client = world.come("40");
    assert_eq!(client.heard, ["40", "42[\"in\",\"Ann\",2,false]"]);
    assert_eq!(client.pid.len(), 20);
    world.cut(&client);
    world.server.to("a").emit("to a", ());
    world.server.to("c").emit("to c", ());
    world.server.to("b").except("a").emit("to b", ());
    world.server.volatile().emit("volatile", ());
    world.server.emit("to all", ());
    world.advance(Duration::from_secs(119));
    world.settle();
    let mut back = world.come_back(&client);
    assert_eq!((&back.id, &back.pid), (&client.id, &client.pid));
    let heard = ["42[\"to a\"]", "42[\"to all\"]", "40", "42[\"in\",\"Ann\",2,true]"];
    assert_eq!(back.heard, heard);
    // Its own id and its rooms mean it again.
    let id = back.id.parse::<throng::SocketId>().unwrap();
    back.heard.clear();
    world.server.to(&id).emit("own", ());
    world.server.to("a").emit("again", ());
    world.settle();
    world.hear(&mut back);
    assert_eq!(back.heard, ["42[\"own\"]", "42[\"again\"]"]);
    // A restore leaves the session where it is, also while its client is here.
    client.offset.clone_from(&back.offset);
    let twin = world.come_back(&client);
    assert_eq!((&twin.id, twin.heard[0].as_str()), (&client.id, "40"));
    world.server.to(&id).emit("newest", ());
    world.settle();
    let (to_first, to_twin) = (world.received(back.connection), world.received(twin.connection));
    assert!(!to_first.contains("newest") && to_twin.contains("newest"));
    world.cut(&back);
    assert!(world.server.of("/").socket(&id).is_some(), "the twin is still here");
    assert_eq!(world.counters().sessions_recovered, 2);
}

#[test]
fn events_end_in_an_offset_unless_they_are_volatile_or_ask() {
    let mut world = world(|_| {});
    world.server.of("/").on_connect(|socket| {
        socket.emit("own", &1);
        socket.emit_with_ack::<()>("ask", &2, |_, _| {});
    });
    let client = world.come("40");
    world.settle();
    world.server.to("x").emit("none", ());
    world.settle();
    // The first of a millisecond, in base 64: a thousand of them are `Fe`.
    assert_eq!(client.offset.as_deref(), Some("Fe"));
    world.server.emit("b", &throng::Binary(vec![1]));
    world.server.io().volatile().emit("v", ());
    world.settle();
    world.server.io().timeout(Duration::MAX).emit_with_ack::<()>("q", (), |_, _| {});
    world.advance(Duration::from_millis(1));
    world.settle();
    world.server.io().volatile().emit("v", "s");
    world.server.emit("c", ());
    world.settle();
    let received = world.received(client.connection);
    for packet in [
        "451-[\"b\",{\"_placeholder\":true,\"num\":0},\"Fe.1\"]",
        "421[\"q\"]",
        "42[\"v\",\"s\"]",
        "42[\"c\",\"Ff\"]",
    ] {
        assert!(received.contains(packet), "{packet} {received:?}");
    }
}

/// The reference's client takes what a volatile event ends in for its offset (the trap that
/// `RecoveryConfig` tells of).
#[test]
fn a_volatile_event_that_ends_in_a_string_spoils_the_offset() {
    let mut world = world(|_| {});
    let mut client = world.come("40");
    world.server.emit("first", ());
    world.settle();
    world.server.io().volatile().emit("poison", "text");
    world.settle();
    world.hear(&mut client);
    assert_eq!(client.offset.as_deref(), Some("text"));
    world.cut(&client);
    let back = world.come_back(&client);
    assert_ne!(back.id, client.id);
    assert_eq!(world.counters().recoveries_failed, 1);
}

#[test]
fn who_meant_to_leave_or_comes_too_late_or_claims_nonsense_is_new() {
    let mut world = world(|_| {});
    let client = lost(&mut world);
    let offset = client.offset.as_deref().unwrap();
    for (pid, offset) in [("AAAAAAAAAAAAAAAAAAAA", offset), (&client.pid, "zz")] {
        let new = world.come(&format!("40{{\"pid\":\"{pid}\",\"offset\":\"{offset}\"}}"));
        assert_ne!((&new.id, &new.pid), (&client.id, &client.pid));
    }
    assert_eq!(world.counters().recoveries_failed, 2);
    for payload in ["{\"pid\":1,\"offset\":\"a\"}", "{\"pid\":\"a\"}", "{}"] {
        assert_ne!(world.come(&format!("40{payload}")).id, client.id);
    }
    assert_eq!(world.counters().recoveries_failed, 2, "that is no claim");
    world.advance(Duration::from_secs(121));
    let late = world.come_back(&client);
    assert_ne!(late.id, client.id);
    // Of its own accord, by the host, by a packet that isn't one.
    for end in ["41", "host", "9"] {
        let mut gone = world.come("40");
        world.server.emit("second", ());
        world.settle();
        world.hear(&mut gone);
        let persisted = world.counters().sessions_persisted;
        if end == "host" {
            let id = gone.id.parse::<throng::SocketId>().unwrap();
            world.server.to(&id).disconnect_sockets();
        } else {
            world.send(gone.connection, frame(0x81, end));
        }
        world.settle();
        world.cut(&gone);
        assert_eq!(world.counters().sessions_persisted, persisted, "{end}");
        assert_ne!(world.come_back(&gone).id, gone.id, "{end}");
    }
}

#[test]
fn middlewares_are_skipped_for_one_that_recovers_unless_they_are_wanted() {
    for skipped in [true, false] {
        let mut world = world(|recovery| recovery.skip_middlewares = skipped);
        let client = lost(&mut world);
        world.server.of("/").middleware(|socket| {
            // Lost: the socket isn't in its namespace yet (the reference does the same).
            socket.emit("early", ());
            Err(Refusal::new("no"))
        });
        let back = world.come_back(&client);
        assert_eq!(back.id == client.id, skipped);
        assert_eq!(world.counters().refused, u64::from(!skipped));
        assert!(!back.heard.iter().any(|packet| packet.contains("early")));
        assert_eq!(world.server.of("/").rooms_len(), 0);
    }
}

#[test]
fn what_is_kept_is_bounded_by_count_bytes_and_time() {
    let mut few = world(|recovery| {
        recovery.events_max = 3;
        recovery.sessions_max = 2;
    });
    let first = lost(&mut few);
    for _ in 0..3 {
        few.server.emit("more", ());
    }
    assert_eq!(few.counters().recovery_events_evicted, 1);
    assert_ne!(few.come_back(&first).id, first.id, "its offset is gone");
    let lost_ones: Vec<_> = (0..3).map(|_| lost(&mut few)).collect();
    assert_eq!(few.counters().recovery_sessions_evicted, 2);
    few.server.emit("one more", ());
    assert_ne!(few.come_back(&lost_ones[0]).id, lost_ones[0].id);
    assert_eq!(few.come_back(&lost_ones[2]).id, lost_ones[2].id);

    let mut small = world(|recovery| {
        recovery.events_bytes_max = 1_000;
        recovery.sessions_bytes_max = 700;
    });
    for _ in 0..100 {
        small.server.emit("event", &"a".repeat(100));
    }
    assert!((90..100).contains(&small.counters().recovery_events_evicted));
    let lost_ones: Vec<_> = (0..3).map(|_| lost(&mut small)).collect();
    assert_eq!(small.counters().recovery_sessions_evicted, 1);
    assert_eq!(small.come_back(&lost_ones[2]).id, lost_ones[2].id);

    // The sweep runs while there is something to sweep, and then no more.
    let mut idle = world(|_| {});
    idle.server.emit("event", ());
    idle.settle();
    for _ in 0..2 {
        assert!(idle.server.next_deadline().is_some());
        idle.advance(Duration::from_secs(60));
        idle.settle();
    }
    idle.advance(Duration::from_secs(60));
    idle.settle();
    assert_eq!(idle.server.next_deadline(), None);
}

#[test]
fn a_client_comes_back_over_one_connection_so_often_and_no_more() {
    let mut world = world(|_| {});
    let client = world.come("40");
    world.server.emit("news", &1);
    world.settle();
    let mut client = client;
    world.hear(&mut client);
    let claim = format!(
        "40{{\"pid\":\"{}\",\"offset\":\"{}\"}}",
        client.pid,
        client.offset.as_deref().unwrap()
    );
    world.cut(&client);
    world.settle();
    let connection = world.connect();
    world.send(connection, UPGRADE);
    for _ in 0..20 {
        world.send(connection, frame(0x81, &claim));
        world.send(connection, frame(0x81, "41"));
    }
    world.settle();
    let counters = world.server.io().socket_counters();
    assert_eq!((counters.sessions_recovered, counters.recoveries_failed), (16, 4));
}

#[test]
fn a_client_that_missed_more_than_may_wait_for_it_is_new() {
    let mut world = world(|_| {});
    let mut client = world.come("40");
    world.server.emit("news", &1);
    world.settle();
    world.hear(&mut client);
    world.cut(&client);
    world.settle();
    for _ in 0..17 {
        world.server.emit("bulk", &"x".repeat(1_000_000));
    }
    let back = world.come_back(&client);
    assert_ne!(back.id, client.id);
    assert_eq!(world.server.io().socket_counters().sessions_recovered, 0);
}

/// Who watches rooms knows sockets by their ids: a client that came back twice is one of them.
#[test]
fn twins_come_to_a_room_with_the_first_and_leave_it_with_the_last() {
    let mut world = world(|_| {});
    let log = Log::default();
    let told = log.clone();
    world
        .server
        .of("/")
        .on_room_event(move |_, event| {
            let (what, room) = match event {
                RoomEvent::Create { room } => ("create", room),
                RoomEvent::Join { room, .. } => ("join", room),
                RoomEvent::Leave { room, .. } => ("leave", room),
                RoomEvent::Delete { room } => ("delete", room),
            };
            told.tell(format!("{what} {}", if room == "a" { "a" } else { "own" }));
        })
        .on_connect(|socket| {
            if !socket.recovered() {
                socket.join("a");
            }
        });
    let left = ["leave own", "delete own", "leave a", "delete a"];
    let client = lost(&mut world);
    let id = client.id.parse::<throng::SocketId>().unwrap();
    assert_eq!(log.take()[4..], left);
    for newest_first in [false, true] {
        let first = world.come_back(&client);
        assert_eq!(log.take(), ["create a", "join a", "create own", "join own"]);
        let second = world.come_back(&client);
        assert_eq!((&first.id, &second.id), (&client.id, &client.id));
        assert!(log.take().is_empty(), "it is there already");
        let (goes, stays) = if newest_first { (second, first) } else { (first, second) };
        world.cut(&goes);
        assert!(log.take().is_empty(), "it is there yet");
        world.received(stays.connection);
        assert!(world.server.of("/").socket(&id).is_some());
        assert_eq!(world.server.to(&id).emit("own", ()).queued, 1);
        world.settle();
        assert!(world.received(stays.connection).contains("[\"own\","));
        world.cut(&stays);
        assert_eq!(log.take(), left);
        assert!(world.server.of("/").socket(&id).is_none());
    }
}

#[test]
fn the_limits_of_what_is_kept_hold_for_all_namespaces_together() {
    let mut world = world(|recovery| {
        recovery.events_max = 10;
        recovery.sessions_max = 4;
    });
    world.server.of_pattern("^/room-").unwrap();
    let client = lost(&mut world);
    for number in 0..8 {
        world.server.of(&format!("/room-{number}")).emit("event", ());
    }
    let back = world.come_back(&client);
    assert_eq!(back.id, client.id, "nine events are kept, of ten that may be");
    world.cut(&back);
    for number in 0..3 {
        world.server.of(&format!("/room-{number}")).emit("event", ());
    }
    assert_eq!(world.counters().recovery_events_evicted, 2);
    assert_ne!(world.come_back(&client).id, client.id, "the oldest has gone, in whichever of them");
    // Sessions likewise: three of them here, and two elsewhere.
    for number in 0..5 {
        let connection = world.connect();
        world.send(connection, UPGRADE);
        let name = if number < 3 { String::new() } else { format!("/room-{number},") };
        world.send(connection, frame(0x81, &format!("40{name}")));
        world.settle();
        world.server.net_mut().end(connection);
        world.settle();
    }
    assert_eq!(world.counters().recovery_sessions_evicted, 2);
}

#[test]
fn what_is_kept_of_a_namespace_goes_with_it_and_counts_no_more() {
    let mut recovery = RecoveryConfig::default();
    recovery.events_max = 2;
    recovery.sessions_max = 2;
    let mut config = Config::default();
    config.socket.recovery = Some(recovery);
    config.socket.cleanup_empty_child_namespaces = true;
    let mut world = World::new(config);
    world.server.of_pattern("^/room-").unwrap();
    for number in 0..200 {
        let connection = world.connect();
        world.send(connection, UPGRADE);
        world.send(connection, frame(0x81, &format!("40/room-{number},")));
        world.settle();
        world.server.of(&format!("/room-{number}")).emit("event", ());
        world.server.net_mut().end(connection);
        world.settle();
    }
    let counters = world.counters();
    assert_eq!((counters.sessions_persisted, counters.recovery_events_evicted), (200, 0));
    assert_eq!(counters.recovery_sessions_evicted, 0);
}

#[test]
fn what_outgoing_catch_alls_see_and_the_names_of_rooms_count_as_kept() {
    let evicted = |rooms: usize, is_watched: bool| {
        let world = world(|recovery| recovery.events_bytes_max = 100_000);
        if is_watched {
            world.server.of("/").on_any_outgoing(|_, _, _| {});
        }
        let names: Vec<_> = (0..rooms).map(|number| format!("{number}")).collect();
        for _ in 0..100 {
            world.server.to(names.clone()).emit("event", &"a".repeat(400));
        }
        world.counters().recovery_events_evicted
    };
    assert_eq!(evicted(0, false), 0);
    assert!((5..=15).contains(&evicted(0, true)));
    assert!((70..=90).contains(&evicted(100, false)));
}
