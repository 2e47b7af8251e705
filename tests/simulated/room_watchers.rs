//! Room watchers that act upon what they hear.

use throng::RoomEvent;
use throng::config::Config;

use super::handlers::Log;
use super::{UPGRADE, World};

#[test]
fn a_room_watcher_that_throws_a_socket_out_as_it_comes_in_is_the_last_to_see_it() {
    let mut world = World::new(Config::default());
    let log = Log::default();
    let (connect, disconnect) = (log.clone(), log.clone());
    world
        .server
        .of("/")
        .on_room_event(|namespace, event| {
            if let RoomEvent::Join { socket, .. } = event
                && let Some(socket) = namespace.socket(&socket)
            {
                socket.disconnect();
            }
        })
        .on_connect(move |_| connect.tell("connect"))
        .on_disconnect(move |_, _| disconnect.tell("disconnect"));
    let client = world.connect();
    world.send(client, UPGRADE);
    world.settle();
    world.say(client, "0");
    assert_eq!(log.take(), ["disconnect"]);
    let received = world.received(client);
    assert!(received.contains("40{\"sid\":") && received.ends_with("41"), "{received:?}");
    assert_eq!(world.server.io().sockets_len(), 0);
}
