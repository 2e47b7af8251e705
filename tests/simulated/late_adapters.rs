//! Adapters that answer late or never, in virtual time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use throng::adapter::{
    Adapter, BroadcastOptions, Local, OutgoingEvent, QuestionId, Request, RestoredSession,
    SavedSession,
};
use throng::config::{Config, RecoveryConfig};

use super::{World, frame};

type Restores = Rc<RefCell<Vec<Request<Option<RestoredSession>>>>>;

/// Leaves everything open.
struct Slow(Restores);

impl Adapter for Slow {
    fn restore_session(
        &mut self,
        _: &mut Local<'_>,
        _: &str,
        _: &str,
        request: Request<Option<RestoredSession>>,
    ) {
        self.0.borrow_mut().push(request);
    }

    fn broadcast_with_ack(
        &mut self,
        local: &mut Local<'_>,
        event: OutgoingEvent,
        options: &BroadcastOptions,
        question: QuestionId,
    ) {
        local.ask(event, options, question);
    }
}

/// A socket whose handlers still see it leave is there, but no longer on its way in.
#[test]
fn a_session_that_is_found_when_its_client_has_gone_joins_no_room() {
    let mut config = Config::default();
    config.socket.recovery = Some(RecoveryConfig::default());
    let mut world = World::new(config);
    let restores = Restores::default();
    let shared = Rc::clone(&restores);
    world.server.set_adapter(move |_| Box::new(Slow(Rc::clone(&shared))));
    let answers = Rc::clone(&restores);
    world.server.of("/").on("go", move |socket, (): ()| {
        socket.disconnect_client();
        let json = "{\"sid\":\"AAAAAAAAAAAAAAAAAAAA\",\"pid\":\"AAAAAAAAAAAAAAAAAAAB\",\
            \"rooms\":[\"lobby\"],\"data\":null}";
        let session: SavedSession = serde_json::from_str(json).unwrap();
        for request in answers.take() {
            request
                .answer(Ok(Some(RestoredSession { session: session.clone(), missed: Vec::new() })));
        }
        socket.namespace().adapter_event(b"");
    });
    let client = world.join();
    world.server.of("/late");
    world.send(client, frame(0x81, "40/late,{\"pid\":\"a\",\"offset\":\"b\"}"));
    world.settle();
    assert_eq!(restores.borrow().len(), 1);
    world.send(client, frame(0x81, "42[\"go\"]"));
    world.settle();
    assert_eq!(world.server.of("/late").rooms_len(), 0);
    assert_eq!(world.server.io().sockets_len(), 0);
}

#[test]
fn who_awaits_answers_in_a_namespace_that_is_cleaned_up_gets_those_that_came() {
    let mut config = Config::default();
    config.socket.cleanup_empty_child_namespaces = true;
    let mut world = World::new(config);
    world.server.set_adapter(|_| Box::new(Slow(Restores::default())));
    world.server.of_pattern("^/room-").unwrap();
    let client = world.join();
    world.send(client, frame(0x81, "40/room-1,"));
    world.settle();
    let told = Rc::new(Cell::new(0));
    let tells = Rc::clone(&told);
    let room = world.server.of("/room-1");
    room.all().emit_with_ack::<u8>("score?", (), move |_, answers| {
        assert_eq!((answers.values, answers.expected), (vec![10], 1));
        tells.set(tells.get() + 1);
    });
    world.settle();
    world.send(client, frame(0x81, "43/room-1,0[10]"));
    world.settle();
    assert_eq!(told.get(), 0, "others may be asked yet");
    world.send(client, frame(0x81, "41/room-1,"));
    world.settle();
    assert_eq!(told.get(), 1);
}
