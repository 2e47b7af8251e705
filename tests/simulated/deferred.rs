//! Connect middlewares that answer later: from a timer, another handler, another thread.
//!
//! ```text
//! > 40{"token":"x"}        (a second)        < 40{"sid":"..."}
//! ```

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use throng::config::Config;
use throng::{Next, Refusal};

use super::handlers::Log;
use super::{UPGRADE, World, frame};

/// Where deferred middlewares leave what they have to answer.
type Waiting = Rc<RefCell<Vec<Next>>>;

impl World {
    /// A client with a WebSocket session that has joined nothing.
    fn open(&mut self) -> usize {
        let client = self.connect();
        self.send(client, UPGRADE);
        self.settle();
        self.received(client);
        client
    }
}

fn world() -> (World, Log, Waiting) {
    let world = World::new(Config::default());
    let waiting = Waiting::default();
    let kept = Rc::clone(&waiting);
    world.server.of("/").middleware_deferred(move |_, next| kept.borrow_mut().push(next));
    (world, Log::default(), waiting)
}

fn next(waiting: &Waiting) -> Next {
    waiting.borrow_mut().remove(0)
}

#[test]
fn middlewares_run_in_order_whether_they_answer_at_once_or_later() {
    let (mut world, log, waiting) = world();
    let (first, last, connect) = (log.clone(), log.clone(), log.clone());
    world
        .server
        .of("/")
        .middleware(move |socket| {
            first.tell("at once");
            socket.join("room");
            assert!(socket.rooms().is_empty() && !socket.is_connected());
            socket.emit("early", ());
            Ok(())
        })
        .middleware_deferred(|socket, next| {
            socket.server().after(Duration::from_secs(1), move |_| next.allow());
        })
        .middleware_deferred(move |_, next| {
            last.tell("allowed from within");
            next.allow();
            last.tell("and then");
        })
        .on_connect(move |_| connect.tell("connected"));
    let client = world.open();
    world.say(client, "0");
    assert!(log.take().is_empty());
    next(&waiting).allow();
    world.settle();
    assert_eq!(log.take(), ["at once"]);
    assert_eq!(world.server.of("/").sockets_len(), 0);
    world.advance(Duration::from_secs(1));
    world.settle();
    assert_eq!(log.take(), ["allowed from within", "and then", "connected"]);
    // What was emitted before the reply goes out before it.
    let received = world.received(client);
    let (early, reply) = (received.find("42[\"early\"]"), received.find("40{\"sid\":\""));
    assert!(early.unwrap() < reply.unwrap(), "{received:?}");
}

#[test]
fn a_refusal_and_an_answer_that_is_dropped_refuse_and_leave_nothing() {
    let (mut world, _, waiting) = world();
    let client = world.open();
    world.say(client, "0");
    next(&waiting).refuse(Refusal::new("no").data(&1));
    world.settle();
    assert!(world.received(client).ends_with("44{\"message\":\"no\",\"data\":1}"));
    world.say(client, "0");
    drop(next(&waiting));
    world.settle();
    assert!(world.received(client).ends_with("44{\"message\":\"refused\"}"));
    assert_eq!(world.server.io().sockets_len(), 0);
    world.say(client, "0");
    next(&waiting).allow();
    world.settle();
    assert!(world.received(client).contains("40{\"sid\":\""));
}

#[test]
fn whoever_speaks_before_it_is_in_is_closed_and_the_answer_goes_nowhere() {
    for packet in ["2[\"event\"]", "1", "30[]"] {
        let (mut world, _, waiting) = world();
        let client = world.open();
        world.say(client, "0");
        world.say(client, packet);
        assert_eq!(world.server.io().sessions_len(), 0, "{packet}");
        next(&waiting).allow();
        world.settle();
        assert_eq!(world.server.io().sockets_len(), 0);
        assert!(!world.received(client).contains("40{"));
    }
}

#[test]
fn a_second_connect_meanwhile_gets_in_as_well() {
    let (mut world, log, waiting) = world();
    let tell = log.clone();
    world.server.of("/").on_with_ack("who", |socket, (): ()| socket.id());
    world.server.of("/").on_disconnect(move |socket, _| tell.tell(socket.id().as_str()));
    let client = world.open();
    world.say(client, "0");
    world.say(client, "0");
    let (first, second) = (next(&waiting), next(&waiting));
    // The one that gets in last is the one that the client speaks to.
    second.allow();
    world.settle();
    first.allow();
    world.settle();
    let received = world.received(client);
    let ids: Vec<_> =
        received.split("40{\"sid\":\"").skip(1).map(|id| id[..20].to_owned()).collect();
    assert_eq!((ids.len(), world.server.of("/").sockets_len()), (2, 2));
    world.say(client, "27[\"who\"]");
    assert!(world.received(client).contains(&format!("437[\"{}\"]", ids[1])));
    world.server.net_mut().end(client);
    world.settle();
    assert_eq!(log.take(), ids);
    assert_eq!(world.server.io().sockets_len(), 0);
}

#[test]
fn the_connect_timeout_runs_on_and_a_session_that_ends_takes_its_waiting_sockets_along() {
    let (mut world, log, waiting) = world();
    let tell = log.clone();
    world.server.of("/").on_disconnect(move |_, reason| tell.tell(reason.to_string()));
    let client = world.open();
    world.say(client, "0");
    world.advance(Duration::from_secs(44));
    world.settle();
    // Somebody who is in by then is safe.
    world.say(client, "0");
    waiting.borrow_mut().remove(1).allow();
    world.settle();
    assert_eq!(world.server.of("/").sockets_len(), 1);
    let other = world.open();
    world.say(other, "0");
    world.say(client, "1");
    assert_eq!(log.take(), ["client namespace disconnect"]);
    world.advance(Duration::from_secs(46));
    world.settle();
    assert_eq!(world.server.io().socket_counters().connect_timeouts, 1);
    for next in waiting.take() {
        next.allow();
    }
    world.settle();
    assert!(log.take().is_empty());
}

#[test]
fn another_thread_answers_by_the_handle() {
    let mut world = World::new(Config::default());
    let handle = world.server.handle();
    let (acks, decisions) = (handle.clone(), handle.clone());
    world.server.of("/").middleware_deferred(move |socket, next| {
        let next = handle.remote_next(next);
        let token = socket.handshake().auth_json().to_owned();
        let answer = std::thread::spawn(move || match token.as_str() {
            "{}" => next.allow(),
            "{\"drop\":1}" => {
                drop(next);
                Ok(())
            }
            _ => next.refuse(Refusal::new("not you")),
        });
        answer.join().unwrap().unwrap();
    });
    world.server.of("/").on_raw("ask", move |_, args, ack| {
        let (ack, number) = (acks.remote_ack(ack.unwrap()), args.parse::<u32>().unwrap());
        let answer = std::thread::spawn(move || match number {
            0 => ack.send_with(|ack| ack.send(("two", &2))),
            1 => {
                drop(ack);
                Ok(())
            }
            _ => ack.send(vec![number]),
        });
        answer.join().unwrap().unwrap();
    });
    world.server.allow_request(move |_, _, decision| {
        let decision = decisions.remote_decision(decision);
        let answer = std::thread::spawn(move || decision.header("X-Checked", "yes").allow());
        answer.join().unwrap().unwrap();
    });
    let client = world.open();
    world.say(client, "0{\"a\":1}");
    world.settle();
    world.say(client, "0{\"drop\":1}");
    world.settle();
    world.say(client, "0");
    world.settle();
    for (id, number) in [(1, 0), (2, 1), (3, 5)] {
        world.say(client, &format!("2{id}[\"ask\",{number}]"));
        world.settle();
    }
    let received = world.received(client);
    for expected in [
        "44{\"message\":\"not you\"}",
        "44{\"message\":\"refused\"}",
        "40{\"sid\":\"",
        "431[\"two\",2]",
        "433[[5]]",
    ] {
        assert!(received.contains(expected), "{expected} in {received:?}");
    }
    assert!(!received.contains("432"));
}

#[test]
fn another_thread_decides_about_names() {
    let mut world = World::new(Config::default());
    let names = world.server.handle();
    world.server.of_deferred(move |_, name, _, decision| {
        let (name, decision) = (name.to_owned(), names.remote_namespace_decision(decision));
        let answer = std::thread::spawn(move || match name.as_str() {
            "/known" => decision.allow(),
            _ => decision.refuse(),
        });
        answer.join().unwrap().unwrap();
    });
    let client = world.open();
    for name in ["/known", "/unknown"] {
        world.say(client, &format!("0{name},"));
        world.settle();
    }
    let received = world.received(client);
    assert!(received.contains("40/known,{\"sid\":\""), "{received:?}");
    assert!(received.contains("44/unknown,{\"message\":\"Invalid namespace\"}"), "{received:?}");
}

#[test]
fn answers_on_other_threads_are_bounded() {
    let mut config = Config::default();
    config.socket.remote_answers_max = 1;
    let mut world = World::new(config);
    let handle = world.server.handle();
    let kept: Rc<RefCell<Vec<throng::RemoteNext>>> = Rc::default();
    let keep = Rc::clone(&kept);
    world.server.of("/").middleware_deferred(move |_, next| {
        keep.borrow_mut().push(handle.remote_next(next));
    });
    let (one, two, three) = (world.open(), world.open(), world.open());
    world.say(one, "0");
    world.say(two, "0");
    assert!(world.received(two).ends_with("44{\"message\":\"refused\"}"));
    assert_eq!(world.server.io().socket_counters().remote_answers_over_limit, 1);
    for next in kept.take() {
        next.allow().unwrap();
    }
    world.settle();
    assert!(world.received(one).contains("40{\"sid\":\""));
    world.say(three, "0");
    kept.take().remove(0).allow().unwrap();
    world.settle();
    assert!(world.received(three).contains("40{\"sid\":\""));
}

#[test]
fn a_client_has_so_many_sockets_and_no_more() {
    let mut config = Config::default();
    config.socket.sockets_per_client_max = 3;
    let mut world = World::new(config);
    let waiting = Waiting::default();
    let kept = Rc::clone(&waiting);
    world.server.of("/").middleware_deferred(move |_, next| kept.borrow_mut().push(next));
    let client = world.open();
    for _ in 0..3 {
        world.say(client, "0");
    }
    assert_eq!((waiting.borrow().len(), world.server.io().sessions_len()), (3, 1));
    // Who leaves makes room.
    next(&waiting).refuse(Refusal::new("no"));
    world.say(client, "0");
    assert_eq!((waiting.borrow().len(), world.server.io().sessions_len()), (3, 1));
    world.say(client, "0");
    assert_eq!(world.server.io().sessions_len(), 0);
    assert_eq!(world.server.io().socket_counters().sockets_over_limit, 1);
}

#[test]
fn what_waits_when_the_server_ends_ends_with_it() {
    let (mut world, _, waiting) = world();
    let client = world.open();
    world.send(client, frame(0x81, "40"));
    world.settle();
    let handle = world.server.handle();
    let remote = handle.remote_next(next(&waiting));
    world.say(client, "0");
    drop(world);
    next(&waiting).allow();
    assert_eq!(remote.allow(), Err(throng::PostError::Closed));
}
