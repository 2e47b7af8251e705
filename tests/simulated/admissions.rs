//! Who gets in where there is room for so many sessions and no more.
//!
//! ```text
//! < 503 {"code":3,"message":"Too many sessions"}
//! ```

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use throng::config::Config;

use super::{UPGRADE, World};

const POLLING: &str = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n\r\n";

/// A server for two connections, and for as many sessions.
fn world() -> World {
    let mut config = Config::default();
    config.reactor.connections_max = Some(2);
    config.engine.allow_eio3 = true;
    World::new(config)
}

impl World {
    /// The answer to a handshake over polling.
    fn open_polling(&mut self, connection: usize) -> String {
        self.send(connection, POLLING);
        self.settle();
        self.received(connection)
    }
}

#[test]
fn a_handshake_that_is_allowed_late_finds_the_places_taken() {
    for handshake in [POLLING.to_owned(), UPGRADE.to_owned(), UPGRADE.replace("EIO=4", "EIO=3")] {
        let mut world = world();
        let waiting = Rc::new(RefCell::new(Vec::new()));
        let kept = Rc::clone(&waiting);
        world.server.allow_request(move |_, request, decision| {
            if request.query_param("late").is_some() {
                kept.borrow_mut().push(decision);
            } else {
                decision.allow();
            }
        });
        let told = Rc::new(RefCell::new(Vec::new()));
        let tells = Rc::clone(&told);
        world.server.on_connection_error(move |_, error| tells.borrow_mut().push(error.code));
        let (late, other) = (world.connect(), world.connect());
        world.send(late, handshake.replace("EIO=", "late=1&EIO="));
        world.settle();
        for _ in 0..2 {
            assert!(world.open_polling(other).starts_with("HTTP/1.1 200 "));
        }
        for decision in waiting.take() {
            decision.allow();
        }
        world.settle();
        let received = world.received(late);
        // Upgrades are refused in the reference's way, whatever the reason.
        let status = if handshake == POLLING { "503" } else { "400" };
        assert!(received.starts_with(&format!("HTTP/1.1 {status} ")), "{received:?}");
        assert!(
            received.ends_with(r#"{"code":3,"message":"Too many sessions"}"#) || status == "400"
        );
        assert_eq!(world.server.io().sessions_len(), 2);
        assert_eq!(told.take(), [3]);
    }
}

#[test]
fn a_client_of_eio_3_has_its_place_from_the_101_on() {
    let mut world = world();
    let (greeted, other) = (world.connect(), world.connect());
    world.send(greeted, UPGRADE.replace("EIO=4", "EIO=3"));
    world.settle();
    assert!(world.received(greeted).starts_with("HTTP/1.1 101 "));
    assert!(world.open_polling(other).starts_with("HTTP/1.1 200 "));
    assert!(world.open_polling(other).starts_with("HTTP/1.1 503 "), "one place is reserved");
    world.advance(Duration::from_millis(3));
    world.settle();
    assert!(world.received(greeted).contains("0{\"sid\":\""));
    assert_eq!(world.server.io().sessions_len(), 2);
}

#[test]
fn the_place_of_a_client_of_eio_3_that_goes_before_is_free_again() {
    let mut world = world();
    let other = world.connect();
    for _ in 0..3 {
        let greeted = world.connect();
        world.send(greeted, UPGRADE.replace("EIO=4", "EIO=3"));
        world.settle();
        world.server.net_mut().end(greeted);
        world.settle();
        world.advance(Duration::from_millis(3));
        world.settle();
    }
    for _ in 0..2 {
        assert!(world.open_polling(other).starts_with("HTTP/1.1 200 "));
    }
    assert!(world.open_polling(other).starts_with("HTTP/1.1 503 "));
}
