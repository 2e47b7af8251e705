//! Adapters, and the host's data, that panic where no handler runs: the server goes on.

use std::rc::Rc;
use std::time::Duration;

use throng::Emitted;
use throng::adapter::{Adapter, BroadcastOptions, Local, OutgoingEvent};
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
