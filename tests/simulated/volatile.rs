//! Volatile events: dropped where the transport is busy at this very moment.
//!
//! What the reference delivers was seen on the wire, and is what these tests ask for.
//!
//! ```text
//! 43 (an ack) · volatile · volatile · 42["n"] · volatile      only the ack and "n" arrive
//! ```

use throng::config::Config;
use throng::{Binary, Delivery};

use super::World;

fn world() -> World {
    World::new(Config::default())
}

/// A client on polling that has joined `/`; its connection and session.
fn join_polling(world: &mut World) -> (usize, String) {
    let client = world.connect();
    world.send(client, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n\r\n");
    world.settle();
    let open = world.received(client);
    let sid = open.split("\"sid\":\"").nth(1).unwrap()[..20].to_owned();
    world.send(
        client,
        format!(
            "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: h\r\n\
             Content-Length: 2\r\n\r\n40"
        ),
    );
    world.settle();
    poll(world, client, &sid);
    assert!(world.received(client).contains("40{\"sid\":\""));
    (client, sid)
}

fn poll(world: &mut World, client: usize, sid: &str) {
    let path = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
    world.send(client, format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
    world.settle();
}

#[test]
fn sixty_clients_that_each_cause_one_deliver_sixty_and_one_that_causes_sixty_delivers_one() {
    let mut world = world();
    world.server.of("/").on("poke", |socket, times: u32| {
        for number in 0..times {
            socket.server().to("target").volatile().emit("v", &number);
        }
    });
    world.server.of("/").on("be the target", |socket, _: u32| socket.join("target"));
    let target = world.join();
    world.say(target, "2[\"be the target\",0]");
    let clients: Vec<usize> = (0..60).map(|_| world.join()).collect();
    world.received(target);
    // All in one turn: each is a read slice of its own.
    for &client in &clients {
        world.send(client, super::frame(0x81, "42[\"poke\",1]"));
    }
    world.settle();
    assert_eq!(world.received(target).matches("42[\"v\"").count(), 60);
    world.say(clients[0], "2[\"poke\",60]");
    assert_eq!(world.received(target).matches("42[\"v\"").count(), 1);
}

#[test]
fn after_an_acknowledgement_only_what_is_not_volatile_arrives() {
    let mut world = world();
    world.server.of("/").on_raw("go", |socket, _, ack| {
        ack.unwrap().send(&0);
        assert_eq!(socket.volatile().emit("v", &1), Delivery::Dropped);
        assert_eq!(socket.volatile().emit("v", &2), Delivery::Dropped);
        assert_eq!(socket.emit("n", &3), Delivery::Queued);
        assert_eq!(socket.volatile().emit("v", &4), Delivery::Dropped);
    });
    let client = world.join();
    world.received(client);
    world.say(client, "21[\"go\"]");
    let received = world.received(client);
    assert!(received.contains("431[0]") && received.contains("42[\"n\",3]"), "{received:?}");
    assert!(!received.contains("\"v\""), "{received:?}");
}

#[test]
fn without_a_get_that_waits_nothing_volatile_is_kept() {
    let mut world = world();
    let (client, sid) = join_polling(&mut world);
    assert_eq!(world.server.io().volatile().emit("v", &1).dropped, 1);
    world.settle();
    poll(&mut world, client, &sid);
    assert!(world.received(client).is_empty());
    // The GET waits: one goes out, and a second one not with it.
    assert_eq!(world.server.io().volatile().emit("v", &2).queued, 1);
    world.settle();
    assert!(world.received(client).ends_with("42[\"v\",2]"));
}

#[test]
fn attachments_follow_their_header() {
    let mut world = world();
    world.server.of("/").on("go", |socket, (): ()| {
        let blobs = (&Binary(vec![1; 3]), &Binary(vec![2; 3]));
        assert_eq!(socket.volatile().emit("blobs", blobs), Delivery::Queued);
        assert_eq!(socket.volatile().emit("blobs", &Binary(vec![3; 3])), Delivery::Dropped);
    });
    let client = world.join();
    world.received(client);
    world.say(client, "2[\"go\"]");
    let received = world.received(client);
    assert!(received.contains("452-[\"blobs\","), "{received:?}");
    assert!(received.contains("\u{1}\u{1}\u{1}"), "{received:?}");
    assert!(received.ends_with("\u{2}\u{2}\u{2}"), "{received:?}");
}

#[test]
fn a_peer_that_reads_nothing_gets_nothing_volatile_until_it_does() {
    let mut world = world();
    let client = world.join();
    world.received(client);
    world.server.net_mut().set_room(client, 10);
    world.server.emit("n", &"a".repeat(100));
    world.settle();
    assert_eq!(world.server.io().volatile().emit("v", ()).dropped, 1);
    world.server.net_mut().set_room(client, usize::MAX);
    world.settle();
    assert_eq!(world.server.io().volatile().emit("v", ()).queued, 1);
}
