//! A client of EIO 3 gets its open packet a moment after its 101: in one segment with it, its tests
//! and some of its kind don't hear it.

use std::time::Duration;

use throng::config::Config;

use super::{World, frame};

const MOMENT: Duration = Duration::from_millis(3);

/// A client whose 101 has come, and nothing else.
fn upgraded() -> (World, usize) {
    let mut config = Config::default();
    config.engine.allow_eio3 = true;
    let mut world = World::new(config);
    let client = world.connect();
    world.send(client, super::UPGRADE.replace("EIO=4", "EIO=3"));
    world.settle();
    let received = world.received(client);
    assert!(
        received.starts_with("HTTP/1.1 101 ") && received.ends_with("\r\n\r\n"),
        "{received:?}"
    );
    (world, client)
}

#[test]
fn the_open_packet_comes_a_moment_after_the_101() {
    let (mut world, client) = upgraded();
    world.advance(MOMENT);
    world.settle();
    let received = world.received(client);
    assert!(received.contains("0{\"sid\":\"") && received.contains("40"), "{received:?}");
    assert_eq!(world.server.io().sessions_len(), 1);
    world.send(client, frame(0x81, "2"));
    world.settle();
    assert!(world.received(client).contains('3'));
}

#[test]
fn who_has_gone_by_then_gets_no_session() {
    let (mut world, client) = upgraded();
    world.server.net_mut().end(client);
    world.settle();
    world.advance(MOMENT);
    world.settle();
    assert!(world.server.net_mut().is_closed(client));
    assert_eq!(world.server.io().sessions_len(), 0);
}

#[test]
fn a_broken_frame_by_then_is_1002() {
    let (mut world, client) = upgraded();
    world.send(client, [0x81, 0x01, b'2']);
    world.settle();
    assert!(world.server.net_mut().received(client).starts_with(&[0x88, 0x02, 0x03, 0xea]));
    world.advance(MOMENT);
    world.settle();
    assert_eq!(world.server.io().sessions_len(), 0);
}

#[test]
fn a_server_that_closes_by_then_closes_the_websocket() {
    let (mut world, client) = upgraded();
    world.server.close();
    world.settle();
    assert_eq!(world.server.net_mut().received(client), [0x88, 0x00]);
    world.server.net_mut().end(client);
    world.settle();
    assert!(world.server.is_closed());
}

#[test]
fn an_id_of_the_host_s_is_in_use_from_the_101_on() {
    let (mut world, _) = upgraded();
    world.server.engine().generate_id(|_| Ok::<_, String>("0123456789abcdefghij".to_owned()));
    let clients = [world.connect(), world.connect()];
    for client in clients {
        world.send(client, super::UPGRADE.replace("EIO=4", "EIO=3"));
    }
    world.settle();
    let [first, second] = clients.map(|client| world.received(client));
    assert!(first.starts_with("HTTP/1.1 101 "), "{first:?}");
    assert!(second.starts_with("HTTP/1.1 400 "), "{second:?}");
    world.advance(MOMENT);
    world.settle();
    assert_eq!(world.server.io().sessions_len(), 2);
}
