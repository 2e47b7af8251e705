//! Handlers that come and go: several at one event, once, taken back, of one socket alone.
//!
//! ```text
//! > 42["a",1]      namespace 1, socket 1
//! ```

use std::cell::RefCell;
use std::rc::Rc;

use throng::config::Config;
use throng::{Args, ListenerId, Socket, SocketId};

use super::{World, frame};

/// What handlers have to tell, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub(crate) fn tell(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }

    pub(crate) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    pub(crate) fn take(&self) -> Vec<String> {
        self.0.take()
    }

    /// A handler that tells its name and its argument.
    pub(crate) fn teller(&self, name: &'static str) -> impl Fn(Socket<'_>, u32) + 'static {
        let log = self.clone();
        move |_, n| log.tell(format!("{name} {n}"))
    }
}

impl World {
    /// One Socket.IO packet of a client on a WebSocket, handled.
    pub(crate) fn say(&mut self, client: usize, packet: &str) {
        self.send(client, frame(0x81, &format!("4{packet}")));
        self.settle();
    }
}

fn world() -> (World, Log) {
    (World::new(Config::default()), Log::default())
}

#[test]
fn those_of_the_namespace_run_first_then_the_socket_s_each_in_order() {
    let (mut world, log) = world();
    let own = log.clone();
    world
        .server
        .of("/")
        .on("a", log.teller("first"))
        .on_connect(move |socket| {
            let own = own.clone();
            let and = own.clone();
            socket
                .on("a", own.teller("own first"))
                .on_raw("a", move |_, args, ack| {
                    own.tell(format!("own raw {}", args.json()));
                    ack.unwrap().send(&1);
                })
                .on_with_ack("a", move |_, n: u32| {
                    and.tell(format!("own last {n}"));
                    2
                });
        })
        .on("a", log.teller("second"));
    let client = world.join();
    world.say(client, "27[\"a\",5]");
    assert_eq!(log.take(), ["first 5", "second 5", "own first 5", "own raw 5", "own last 5"]);
    let received = world.received(client);
    assert!(received.ends_with("437[1]"), "the first acknowledgement is the one: {received:?}");
    // Another socket has its own.
    let other = world.join();
    world.say(client, "1");
    world.say(other, "2[\"a\",6]");
    assert_eq!(log.take()[..2], ["first 6", "second 6"]);
}

#[test]
fn once_is_once_and_may_be_declared_again_from_within() {
    let (mut world, log) = world();
    let own = log.clone();
    world.server.of("/").once("a", log.teller("namespace")).on_connect(move |socket| {
        let own = own.clone();
        socket.once("a", move |socket, n: u32| {
            own.tell(format!("socket {n}"));
            socket.once("a", own.teller("again"));
        });
    });
    let (one, two) = (world.join(), world.join());
    world.say(one, "2[\"a\",\"of another shape\"]");
    assert!(log.take().is_empty());
    world.say(one, "2[\"a\",1]");
    assert_eq!(log.take(), ["namespace 1", "socket 1"]);
    world.say(one, "2[\"a\",2]");
    assert_eq!(log.take(), ["again 2"]);
    world.say(one, "2[\"a\",3]");
    assert!(log.take().is_empty());
    world.say(two, "2[\"a\",4]");
    assert_eq!(log.take(), ["socket 4"]);
}

#[test]
fn handlers_are_taken_back_also_the_one_that_runs() {
    let (mut world, log) = world();
    let id: Rc<RefCell<Option<ListenerId>>> = Rc::default();
    let own = Rc::clone(&id);
    let namespace = world.server.of("/");
    let teller = log.teller("running");
    let running = namespace.add_listener("a", move |socket: Socket<'_>, n: u32| {
        let id = own.borrow_mut().take().unwrap();
        assert!(socket.namespace().remove_listener(id));
        assert!(!socket.namespace().remove_listener(id));
        teller(socket, n);
    });
    *id.borrow_mut() = Some(running);
    let second = namespace.add_listener("a", log.teller("second"));
    namespace.on("a", log.teller("third")).on("b", log.teller("b"));
    let client = world.join();
    world.say(client, "2[\"a\",1]");
    world.say(client, "2[\"a\",2]");
    assert_eq!(log.take(), ["running 1", "second 1", "third 1", "second 2", "third 2"]);
    assert!(world.server.of("/").remove_listener(second));
    assert!(!world.server.of("/other").remove_listener(second));
    world.say(client, "2[\"a\",3]");
    world.server.of("/").remove_all_listeners("a");
    world.say(client, "2[\"a\",4]");
    world.say(client, "2[\"b\",5]");
    assert_eq!(log.take(), ["third 3", "b 5"]);
    assert_eq!(world.server.io().socket_counters().events_unhandled, 1);
}

#[test]
fn catch_alls_are_taken_back_alone_and_counted_where_they_were_declared() {
    let (mut world, log) = world();
    let any = |name: &'static str| {
        let log = log.clone();
        move |_: Socket<'_>, event: &str, _: Args<'_>| log.tell(format!("{name} {event}"))
    };
    let namespace = world.server.of("/");
    let last = namespace.add_any_listener(any("last"));
    let first = namespace.prepend_any_listener(any("first"));
    let sent = namespace.add_any_outgoing_listener(any("sent"));
    let sent_first = namespace.prepend_any_outgoing_listener(any("sent first"));
    let echo = namespace.add_listener("a", |socket: Socket<'_>, (): ()| {
        socket.emit("b", ());
    });
    assert_eq!(namespace.any_listeners(), [first, last]);
    assert_eq!(namespace.any_outgoing_listeners(), [sent_first, sent]);
    assert_eq!((namespace.listeners("a"), namespace.listeners("b")), (vec![echo], vec![]));
    let own: Rc<RefCell<Vec<ListenerId>>> = Rc::default();
    let (keep, added, prepended) = (Rc::clone(&own), any("own"), any("own first"));
    namespace.on("watch", move |socket, (): ()| {
        let listener = socket.add_any_listener(added.clone());
        let first = socket.prepend_any_listener(prepended.clone());
        let outgoing = socket.add_any_outgoing_listener(added.clone());
        assert_eq!(socket.any_listeners(), [first, listener]);
        assert_eq!(socket.any_outgoing_listeners(), [outgoing]);
        assert!(socket.listeners("watch").is_empty());
        socket.remove_all_any_outgoing_listeners();
        assert!(socket.remove_listener(first) && !socket.remove_listener(first));
        keep.borrow_mut().push(listener);
    });
    let client = world.join();
    world.say(client, "2[\"a\"]");
    assert_eq!(log.take(), ["first a", "last a", "sent first b", "sent b"]);
    world.say(client, "2[\"watch\"]");
    let namespace = world.server.of("/");
    assert!(namespace.remove_listener(first) && namespace.remove_listener(sent));
    // What was declared on a socket isn't the namespace's to take back.
    assert!(!namespace.remove_listener(own.borrow()[0]));
    assert_eq!(namespace.any_listeners(), [last]);
    log.take();
    world.say(client, "2[\"a\"]");
    assert_eq!(log.take(), ["last a", "own a", "sent first b"]);
    let namespace = world.server.of("/");
    namespace.remove_all_any_listeners();
    namespace.remove_all_any_outgoing_listeners();
    assert!(namespace.any_listeners().is_empty());
    world.say(client, "2[\"a\"]");
    assert_eq!(log.take(), ["own a"]);
    assert!(world.received(client).ends_with("42[\"b\"]"));
}

#[test]
fn an_event_that_is_handled_still_reaches_handlers_that_were_taken_back_by_it() {
    let (mut world, log) = world();
    let teller = log.clone();
    world
        .server
        .of("/")
        .on("a", move |socket, n: u32| {
            socket.namespace().remove_all_listeners("a");
            teller.tell(format!("first {n}"));
        })
        .on("a", log.teller("second"));
    let client = world.join();
    world.say(client, "2[\"a\",1]");
    world.say(client, "2[\"a\",2]");
    assert_eq!(log.take(), ["first 1", "second 1"]);
}

#[test]
fn a_socket_that_has_left_is_known_to_the_handlers_that_saw_it_leave() {
    let (mut world, log) = world();
    let (own, all, after) = (log.clone(), log.clone(), log.clone());
    world
        .server
        .of("/chat")
        .on_connect(move |socket| {
            let own = own.clone();
            socket.set_data(Rc::new("kept".to_owned()));
            socket.join("room");
            socket.on_disconnecting({
                let own = own.clone();
                move |socket, reason| own.tell(format!("{reason}: {}", socket.rooms().len()))
            });
            socket.on_disconnect(move |socket, _| own.tell(format!("{}", socket.rooms().len())));
        })
        .on("leave", move |socket, (): ()| {
            let id = socket.id();
            socket.disconnect();
            assert_eq!(socket.id(), id);
            assert_eq!(*socket.data::<String>(), "kept");
            assert_eq!(&*socket.namespace().name(), "/chat");
            assert_eq!(socket.server().sockets_len(), 1);
            assert!(socket.namespace().socket(&id).is_none());
            // Others of its namespace may be told, not those of `/`.
            let reached = socket.broadcast().emit("left", &id).queued;
            all.tell(format!("reached {reached}"));
        })
        .on_raw("leave", move |socket, _, _| after.tell(format!("{}", socket.id().as_str().len())));
    let client = world.join();
    world.say(client, "0/chat,");
    world.say(client, "2/chat,[\"leave\"]");
    assert_eq!(log.take(), ["server namespace disconnect: 1", "0", "reached 0", "20"]);
    let unknown: SocketId = "AAAAAAAAAAAAAAAAAAAA".parse().unwrap();
    assert!(world.server.of("/chat").socket(&unknown).is_none());
    assert_eq!(world.server.io().sockets_len(), 1);
}

#[test]
fn disconnects_in_long_chains_nest_no_deeper_than_they_may() {
    let (mut world, _) = world();
    world.server.of("/").on_disconnect(|socket, _| {
        let namespace = socket.namespace();
        let ids = namespace.all().local_sockets();
        if let Some(next) = ids.first().and_then(|id| namespace.socket(id)) {
            next.disconnect();
        }
    });
    let clients: Vec<usize> = (0..1_000).map(|_| world.join()).collect();
    world.say(clients[0], "1");
    assert_eq!(world.server.io().sockets_len(), 0);
}
