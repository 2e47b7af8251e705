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

#[test]
fn a_room_watcher_that_joins_and_leaves_at_every_event_comes_to_an_end() {
    let mut world = World::new(Config::default());
    let log = Log::default();
    let told = log.clone();
    world
        .server
        .of("/")
        .on_room_event(move |namespace, event| {
            told.tell(match event {
                RoomEvent::Create { room } => format!("create {room}"),
                RoomEvent::Join { room, .. } => format!("join {room}"),
                RoomEvent::Leave { room, .. } => format!("leave {room}"),
                RoomEvent::Delete { room } => format!("delete {room}"),
            });
            let number = told.len();
            namespace.all().sockets_join(format!("{number}"));
            namespace.all().sockets_leave(format!("{number}"));
        })
        .on("go", |socket, (): ()| socket.join("a"));
    let client = world.join();
    log.take();
    world.say(client, "2[\"go\"]");
    // Of `a` two, of what is done upon each four, and nothing of what is done upon that.
    let told = log.take();
    assert_eq!(told.len(), 2 + 2 * 4, "{told:?}");
    assert_eq!(told[..2], ["create a", "join a"]);
    assert_eq!(world.server.of("/").rooms_len(), 1);
    // Afterwards it is told as before.
    world.say(client, "2[\"go\"]");
    assert!(log.take().is_empty());
    world.say(client, "1");
    assert!(!log.take().is_empty());
}
