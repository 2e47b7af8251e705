//! Adapters that answer late or never, in virtual time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use throng::adapter::{
    Adapter, AdapterError, Answers, BroadcastOptions, Local, OutgoingEvent, QuestionId, Request,
    RestoredSession, SavedSession, SocketSnapshot,
};
use throng::config::{Config, RecoveryConfig};
use throng::{Args, OwnedArgs};

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

/// Asks its own sockets, and breaks before it has asked others.
struct Breaking;

impl Adapter for Breaking {
    fn broadcast_with_ack(
        &mut self,
        local: &mut Local<'_>,
        event: OutgoingEvent,
        options: &BroadcastOptions,
        question: QuestionId,
    ) {
        local.ask(event, options, question);
        panic!("it can't ask the others");
    }

    fn fetch_sockets(
        &mut self,
        _: &mut Local<'_>,
        _: &BroadcastOptions,
        _: Request<Vec<SocketSnapshot>>,
    ) {
        panic!("it can't ask the others");
    }

    fn server_side_emit_with_ack(
        &mut self,
        _: &mut Local<'_>,
        _: &str,
        _: Args<'_>,
        _: Request<Answers<OwnedArgs>>,
    ) {
        panic!("it can't ask the others");
    }
}

#[test]
fn who_asks_by_an_adapter_that_panics_before_all_are_asked_is_told_what_came() {
    let mut world = World::new(Config::default());
    let client = world.join();
    let told = Rc::new(RefCell::new(Vec::new()));
    for number in 0..3 {
        world.server.set_adapter(|_| Box::new(Breaking));
        let tells = Rc::clone(&told);
        let (namespace, tell) = (world.server.of("/"), move |what| tells.borrow_mut().push(what));
        match number {
            0 => namespace.all().emit_with_ack::<u8>("score?", (), move |_, answers| {
                assert!(!answers.timed_out);
                tell((answers.values.len(), answers.expected));
            }),
            1 => namespace.fetch_sockets(move |_, sockets| {
                assert_eq!(sockets.unwrap_err(), AdapterError::Abandoned);
                tell((1, 1));
            }),
            _ => namespace.server_side_emit_with_ack::<u8>("sum?", (), move |_, answers| {
                assert_eq!(answers.unwrap_err(), AdapterError::Abandoned);
                tell((2, 2));
            }),
        }
    }
    assert_eq!(told.take(), [(0, 1), (1, 1), (2, 2)]);
    // Nobody awaits what comes now.
    world.send(client, frame(0x81, "430[10]"));
    world.settle();
    let counters = world.server.io().socket_counters();
    assert_eq!((counters.acks_unknown, counters.handler_panics), (1, 3));
}

/// A question that is open, its adapter waiting for others, ends with what its clients answered.
#[test]
fn who_has_asked_by_an_adapter_that_panics_later_is_told_what_came() {
    struct Waiting(Slow);

    impl Adapter for Waiting {
        fn broadcast_with_ack(
            &mut self,
            local: &mut Local<'_>,
            event: OutgoingEvent,
            options: &BroadcastOptions,
            question: QuestionId,
        ) {
            self.0.broadcast_with_ack(local, event, options, question);
        }

        fn handle_event(&mut self, _: &mut Local<'_>, _: &[u8]) {
            panic!("it can't read that");
        }
    }

    let mut world = World::new(Config::default());
    let clients = [world.join(), world.join()];
    world.server.set_adapter(|_| Box::new(Waiting(Slow(Restores::default()))));
    let told = Rc::new(Cell::new(0));
    let tells = Rc::clone(&told);
    world.server.io().of("/").all().emit_with_ack::<u8>("score?", (), move |_, answers| {
        assert_eq!((answers.values, answers.expected), (vec![10], 2));
        tells.set(tells.get() + 1);
    });
    world.settle();
    world.send(clients[0], frame(0x81, "430[10]"));
    world.settle();
    assert_eq!(told.get(), 0);
    world.server.of("/").adapter_event(b"");
    assert_eq!(told.get(), 1);
}
