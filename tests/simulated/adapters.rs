//! Adapters, and the host's data, that panic where no handler runs: the server goes on.

use std::rc::Rc;
use std::time::Duration;

use throng::Emitted;
use throng::adapter::{Adapter, BroadcastOptions, Local, LocalAdapter, OutgoingEvent};
use throng::config::Config;

use super::{UPGRADE, World, frame};

/// Panics at its deadline, and where it is to send.
struct Failing;

impl Adapter for Failing {
    fn broadcast(&mut self, _: &mut Local<'_>, _: OutgoingEvent, _: &BroadcastOptions) -> Emitted {
        panic!("an adapter that can't send");
    }

    fn deadline(&self) -> Option<Duration> {
        Some(Duration::from_secs(2))
    }

    fn handle_deadline(&mut self, _: &mut Local<'_>) {
        panic!("an adapter that is late");
    }
}

fn panics(world: &World) -> u64 {
    world.server.io().socket_counters().handler_panics
}

#[test]
fn an_adapter_that_panics_is_lost_and_its_namespace_goes_on() {
    for late in [false, true] {
        let mut world = World::new(Config::default());
        world.server.set_adapter(|_| Box::new(Failing));
        let client = world.join();
        if late {
            world.advance(Duration::from_secs(2));
            world.settle();
        } else {
            assert_eq!(world.server.emit("lost", ()), Emitted::default());
        }
        assert_eq!(panics(&world), 1);
        world.server.emit("kept", ());
        world.settle();
        let received = world.received(client);
        assert!(received.contains("42[\"kept\"]") && !received.contains("lost"), "{received:?}");
        world.advance(Duration::from_secs(5));
        world.settle();
        assert_eq!(panics(&world), 1);
    }
}

#[test]
fn an_adapter_that_can_t_be_made_for_a_client_s_namespace_costs_only_itself() {
    let mut world = World::new(Config::default());
    world.server.of_dynamic(|_, _| true);
    world.server.set_adapter(|name| {
        assert_eq!(name, "/", "no adapter for others");
        Box::new(Failing)
    });
    let client = world.connect();
    world.send(client, UPGRADE);
    world.send(client, frame(0x81, "40/room,"));
    world.settle();
    assert!(world.received(client).contains("40/room,{\"sid\":\""));
    assert_eq!(panics(&world), 1);
}

/// Data whose end is a panic.
#[derive(Default)]
struct Fragile;

impl Drop for Fragile {
    fn drop(&mut self) {
        panic!("data that breaks");
    }
}

#[test]
fn data_of_a_session_that_panics_when_it_is_dropped_is_counted() {
    let mut world = World::new(Config::default());
    world.server.engine().on_open(|session, _| session.set_data(Rc::new(Fragile)));
    let client = world.join();
    world.server.net_mut().end(client);
    world.settle();
    assert_eq!(panics(&world), 1);
    assert_eq!(world.server.io().sessions_len(), 0);
}

/// Where an adapter panics though nothing much is asked of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Deadline,
    WatchesRooms,
    Drop,
    /// What it panics with panics again at its end.
    Twice,
}

struct Brittle(Place);

impl Brittle {
    fn break_at(&self, place: Place) {
        assert!(self.0 != place, "an adapter that breaks");
    }
}

impl Adapter for Brittle {
    fn init(&mut self, _: &mut Local<'_>) {
        if self.0 == Place::Twice {
            std::panic::panic_any(Fragile);
        }
    }

    fn deadline(&self) -> Option<Duration> {
        self.break_at(Place::Deadline);
        None
    }

    fn watches_rooms(&self) -> bool {
        self.break_at(Place::WatchesRooms);
        true
    }
}

impl Drop for Brittle {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.break_at(Place::Drop);
        }
    }
}

#[test]
fn an_adapter_that_panics_where_it_is_only_looked_at_or_let_go_of_costs_only_itself() {
    for place in [Place::Deadline, Place::WatchesRooms, Place::Drop, Place::Twice] {
        let mut world = World::new(Config::default());
        world.server.set_adapter(move |_| Box::new(Brittle(place)));
        let client = world.join();
        world.server.emit("kept", ());
        world.server.set_adapter(|_| Box::new(LocalAdapter));
        world.server.emit("and on", ());
        world.settle();
        let received = world.received(client);
        assert!(received.contains("42[\"kept\"]"), "{received:?}");
        assert!(received.contains("42[\"and on\"]"), "{received:?}");
        assert_eq!(panics(&world), 1);
        world.server.close();
        world.settle();
    }
}

/// A namespace whose adapter is let go of talks to the server at its end: nothing is borrowed.
#[test]
fn an_adapter_may_use_what_it_owns_as_it_is_let_go_of() {
    struct Owning(std::cell::Cell<Option<throng::Ack>>);

    impl Adapter for Owning {}

    impl Drop for Owning {
        fn drop(&mut self) {
            if let Some(ack) = self.0.take() {
                ack.send("gone");
            }
        }
    }

    let mut world = World::new(Config::default());
    let kept = Rc::new(std::cell::Cell::new(None));
    let keep = Rc::clone(&kept);
    world.server.of("/").on_raw("ask", move |_, _, ack| keep.set(ack));
    let client = world.join();
    world.say(client, "27[\"ask\"]");
    world.server.set_adapter(move |_| Box::new(Owning(std::cell::Cell::new(kept.take()))));
    world.server.set_adapter(|_| Box::new(LocalAdapter));
    world.settle();
    let received = world.received(client);
    assert!(received.contains("437[\"gone\"]"), "{received:?}");
}
