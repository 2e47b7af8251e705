//! `throng::testing` under test: its clients do what official ones do, over either transport, and
//! every run is the same.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use throng::adapter::{Adapter, BroadcastOptions, Local, OutgoingEvent};
use throng::config::Config;
use throng::testing::{AskError, Connect, ConnectError, Packet, State, TestServer, event};
use throng::{
    Binary, BinarySlice, ClientFiles, Emitted, JsonParser, MsgpackParser, Protocol, Refusal,
    Server, SocketId, Transport,
};

const TRANSPORTS: [Transport; 2] = [Transport::Polling, Transport::WebSocket];

/// What a server's handlers have told.
type Log = Rc<RefCell<Vec<String>>>;

/// A server that echoes, and tells why sockets leave.
fn echo() -> (TestServer, Log) {
    let log = Log::default();
    let tell = Rc::clone(&log);
    let test = TestServer::new(|server| {
        server
            .of("/")
            .on_raw("echo", |socket, args, ack| match ack {
                Some(ack) => ack.send(args),
                None => drop(socket.emit("echo", args)),
            })
            .on_disconnect(move |_, reason| tell.borrow_mut().push(reason.to_string()));
    });
    (test, log)
}

#[test]
fn events_and_answers_go_both_ways_with_their_attachments() {
    for transport in TRANSPORTS {
        let (mut test, _) = echo();
        let alice = test.connect_with(Connect::to("/").transport(transport)).unwrap();
        assert_eq!(test.transport(alice), Some(transport));
        test.emit(alice, "echo", ("text", 1.5, BinarySlice(b"\x00\xff"), &[true]));
        let echoed = event("echo", ("text", 1.5, BinarySlice(b"\x00\xff"), &[true]));
        assert_eq!(test.received(alice), [echoed]);
        test.emit(alice, "echo", ());
        assert_eq!(test.received(alice), [event("echo", ())]);
        assert_eq!(test.received(alice), []);
        let bytes = vec![3; 70_000];
        let answer = test.emit_with_ack::<Binary>(alice, "echo", BinarySlice(&bytes).as_args());
        assert_eq!(answer.map(|binary| binary.0), Ok(bytes));
    }
}

/// One argument by reference.
trait AsArgs {
    fn as_args(&self) -> &Self {
        self
    }
}
impl AsArgs for BinarySlice<'_> {}

#[test]
fn a_burst_arrives_in_its_order_whatever_a_body_may_hold() {
    let mut config = Config::default();
    config.engine.payload_bytes_max = 60;
    let mut test = TestServer::with_config(config, 1, |server| {
        server.of("/").on("number", |socket, number: u32| {
            socket.emit("number", &number);
        });
    });
    let alice = test.connect_with(Connect::to("/").transport(Transport::Polling)).unwrap();
    for number in 0..50 {
        test.send_packet(alice, Packet::Text(format!("42[\"number\",{number}]")));
    }
    let expected: Vec<_> = (0..50).map(|number| event("number", &number)).collect();
    assert_eq!(test.received(alice), expected);
}

#[test]
fn a_server_comes_to_rest_and_time_passes_though_nobody_pulls() {
    let mut config = Config::default();
    config.socket.pulled_events_max = 2;
    let ticks = Rc::new(Cell::new(0));
    let count = Rc::clone(&ticks);
    let mut test = TestServer::with_config(config, 1, |server| {
        server.of("/").pull();
        server.io().every(Duration::from_secs(1), move |_| count.set(count.get() + 1));
    });
    let alice = test.connect("/").unwrap();
    for number in 0..5 {
        test.emit(alice, "number", &number);
    }
    test.advance(Duration::from_secs(10));
    assert_eq!(ticks.get(), 10);
    assert!(matches!(test.next_event(), Some(throng::Event::Connected(_))));
    for expected in 0..5 {
        let Some(throng::Event::Message(message)) = test.next_event() else { panic!("a message") };
        assert_eq!(message.parse(), Ok(expected));
    }
    assert!(test.next_event().is_none());
    // Nothing was heard of her for as long as nobody pulled, but that was not too long.
    assert!(test.is_connected(alice));
}

#[test]
fn each_way_to_go_has_the_reason_of_the_reference() {
    for transport in TRANSPORTS {
        let went = |go: fn(&mut TestServer, throng::testing::TestSocket)| {
            let (mut test, log) = echo();
            let alice = test.connect_with(Connect::to("/").transport(transport)).unwrap();
            go(&mut test, alice);
            (test.state(alice), log.take())
        };
        let closed = State::Closed { code: None };
        let (state, log) = went(|test, alice| test.leave(alice));
        assert_eq!((state, log), (State::Left, vec!["client namespace disconnect".to_owned()]));
        let (state, log) = went(|test, alice| test.close(alice));
        assert_eq!((state, log), (closed.clone(), vec!["transport close".to_owned()]));
        let (_, log) = went(|test, alice| test.cut(alice));
        let cut = match transport {
            // A GET that its client gives up.
            Transport::Polling => "transport error",
            _ => "transport close",
        };
        assert_eq!(log, [cut]);
        let (state, log) = went(|test, alice| {
            test.set_answers_pings(alice, false);
            test.advance(Duration::from_secs(46));
        });
        assert_eq!((state, log), (closed, vec!["ping timeout".to_owned()]));
    }
}

#[test]
fn clients_answer_pings_for_days() {
    for transport in TRANSPORTS {
        let (mut test, _) = echo();
        let alice = test.connect_with(Connect::to("/").transport(transport)).unwrap();
        test.advance(Duration::from_secs(60 * 60 * 24));
        assert!(test.is_connected(alice));
        let pings = test.packets(alice);
        let pings = pings.iter().filter(|packet| **packet == Packet::Text("2".to_owned()));
        assert_eq!(pings.count(), 60 * 60 * 24 / 25);
    }
}

#[test]
fn an_upgrade_loses_nothing() {
    let (mut test, _) = echo();
    let alice = test.connect_with(Connect::to("/").transport(Transport::Polling)).unwrap();
    test.emit(alice, "echo", "before");
    assert!(test.upgrade(alice));
    test.emit(alice, "echo", "after");
    assert_eq!(test.received(alice), [event("echo", "before"), event("echo", "after")]);
    assert!(!test.upgrade(alice));
    test.advance(Duration::from_secs(60));
    assert!(test.is_connected(alice));
}

#[test]
fn one_connection_carries_several_namespaces() {
    for transport in TRANSPORTS {
        let mut test = TestServer::new(|server| {
            for name in ["/", "/chat"] {
                server.of(name).on_with_ack("where", |socket, (): ()| socket.namespace().name());
            }
        });
        let main = test.connect_with(Connect::to("/").transport(transport)).unwrap();
        let chat = test.connect_with(Connect::to("/chat").over(main)).unwrap();
        assert_eq!(test.emit_with_ack(chat, "where", ()), Ok("/chat".to_owned()));
        assert_eq!(test.emit_with_ack(main, "where", ()), Ok("/".to_owned()));
        test.leave(main);
        assert!(test.is_connected(chat));
        test.reconnect(main).unwrap();
        assert_eq!(test.emit_with_ack(main, "where", ()), Ok("/".to_owned()));
        assert_eq!(test.server().io().sessions_len(), 1);
        test.cut(chat);
        test.reconnect(chat).unwrap();
        assert!(test.is_connected(chat) && !test.is_connected(main));
        test.reconnect(main).unwrap();
        assert!(test.is_connected(main));
    }
}

#[test]
fn refusals_are_told_with_their_message_and_data() {
    let mut test = TestServer::new(|server| {
        server.allow_request(|_, request, decision| match request.query_param("deny") {
            Some(_) => decision.refuse("not you"),
            None => decision.allow(),
        });
        server.of("/vip").middleware(|socket| match socket.handshake().auth_json() {
            "{}" => Err(Refusal::new("no token").data(&[1, 2])),
            _ => Ok(()),
        });
    });
    let error = test.connect("/vip").unwrap_err();
    assert_eq!((error.message(), error.data()), (Some("no token"), Some([1, 2])));
    let connect = Connect::to("/vip").auth(&std::collections::BTreeMap::from([("token", 1)]));
    let vip = test.connect_with(connect).unwrap();
    let error = test.connect_with(Connect::to("/none").over(vip)).unwrap_err();
    assert_eq!((error.message(), error.data::<()>()), (Some("Invalid namespace"), None));
    let denied = Connect::to("/vip").query("deny", "it");
    let polling = test.connect_with(denied.clone().transport(Transport::Polling));
    let body = "{\"code\":4,\"message\":\"not you\"}".to_owned();
    assert_eq!(polling, Err(ConnectError::Rejected { status: 403, body }));
    let websocket = test.connect_with(denied);
    assert!(matches!(websocket, Err(ConnectError::Rejected { status: 400, .. })), "{websocket:?}");
    test.server().close();
    test.settle();
    assert_eq!(test.connect("/vip"), Err(ConnectError::Closed));
}

#[test]
fn two_runs_of_one_seed_are_equal_and_of_two_seeds_are_not() {
    let run = |seed| {
        let mut test = TestServer::with_config(Config::default(), seed, |server| {
            server.of("/");
        });
        let sockets = [test.connect("/").unwrap(), test.connect("/").unwrap()];
        sockets.map(|socket| test.id(socket).to_owned())
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn an_answer_of_another_shape_is_told() {
    let (mut test, _) = echo();
    let alice = test.connect("/").unwrap();
    let answer = test.emit_with_ack::<u8>(alice, "echo", "text");
    assert!(matches!(answer, Err(AskError::Malformed(_))), "{answer:?}");
}

#[test]
fn a_slow_client_gets_the_rest_when_it_reads_again() {
    for transport in TRANSPORTS {
        let (mut test, _) = echo();
        let alice = test.connect_with(Connect::to("/").transport(transport)).unwrap();
        test.set_reads(alice, false);
        for number in 0..10 {
            test.server().emit("number", &number);
        }
        assert_eq!(test.received(alice), []);
        test.set_reads(alice, true);
        let numbers: Vec<_> = (0..10).map(|number| event("number", &number)).collect();
        assert_eq!(test.received(alice), numbers);
    }
}

#[test]
fn hostile_bytes_end_their_own_connection_only() {
    let (mut test, log) = echo();
    let (alice, mallory) = (test.connect("/").unwrap(), test.connect("/").unwrap());
    test.send_bytes(mallory, &[0x81, 0x01, b'2']);
    assert_eq!(test.state(mallory), State::Closed { code: Some(1002) });
    assert!(test.is_connected(alice));
    assert_eq!(log.take(), ["transport error"]);
}

#[test]
fn a_server_that_closes_says_goodbye() {
    for transport in TRANSPORTS {
        let (mut test, log) = echo();
        let alice = test.connect_with(Connect::to("/").transport(transport)).unwrap();
        test.server().close();
        assert_eq!(test.state(alice), State::Closed { code: None });
        assert!(test.server().is_closed());
        assert_eq!(log.take(), ["server shutting down"]);
    }
}

#[test]
fn a_dismissed_socket_may_come_back_over_its_connection() {
    let (mut test, _) = echo();
    let alice = test.connect("/").unwrap();
    let id: SocketId = test.id(alice).parse().unwrap();
    test.server().of("/").socket(&id).unwrap().disconnect();
    assert_eq!(test.state(alice), State::Dismissed);
    test.reconnect(alice).unwrap();
    assert_eq!(test.server().io().sessions_len(), 1);
    assert_eq!(test.emit_with_ack(alice, "echo", &1), Ok(1));
}

/// An echo, with an acknowledgement where one is asked for, and a refusal with data.
fn declare<N: throng::net::Net>(server: &Server<N>) {
    server.of("/").on_raw("echo", |socket, args, ack| match ack {
        Some(ack) => ack.send(args),
        None => drop(socket.emit("echo", args)),
    });
    server.of("/chat").on_connect(|socket| {
        socket.emit("welcome", (&socket.id(), &socket.handshake().auth_json().to_owned()));
    });
    server.of("/closed").middleware(|_| Err(Refusal::new("no").data(&[1, 2])));
    server.of("/silent").middleware(|_| Err(Refusal::new("no")));
}

#[test]
fn clients_speak_as_the_server_does() {
    for transport in TRANSPORTS {
        let builder = Server::builder().parser(MsgpackParser);
        let mut test = TestServer::build(builder, 1, |server| declare(server));
        let connect = |name| Connect::to(name).transport(transport).parser(MsgpackParser);
        let alice = test.connect_with(connect("/").auth(&[("a", 1)])).unwrap_err();
        assert_eq!(alice, ConnectError::Closed, "an array is no payload");
        let alice = test.connect_with(connect("/")).unwrap();
        let args = || ("text", 1.5, BinarySlice(b"\x00\xff"), &[true]);
        test.emit(alice, "echo", args());
        assert_eq!(test.received(alice), [event("echo", args())]);
        let answer = test.emit_with_ack::<(String, f64, Binary)>(alice, "echo", args());
        assert_eq!(answer, Ok(("text".to_owned(), 1.5, Binary(vec![0, 255]))));
        assert!(
            test.packets(alice).iter().skip(1).all(|packet| matches!(packet, Packet::Binary(_)))
        );
        let chat = test.connect_with(connect("/chat").over(alice)).unwrap();
        let id: SocketId = test.id(chat).parse().unwrap();
        assert_eq!(test.received(chat), [event("welcome", (&id, "{}"))]);
        let error = test.connect_with(connect("/closed").over(alice)).unwrap_err();
        assert_eq!((error.message(), error.data()), (Some("no"), Some([1, 2])));
        test.leave(chat);
        assert_eq!(test.server().io().sockets_len(), 1);
        // Whoever speaks otherwise understands nothing, and isn't understood.
        let other = test.connect_with(connect("/").parser(JsonParser)).unwrap_err();
        assert_eq!(other, ConnectError::Closed);
        assert_eq!(test.server().io().socket_counters().decode_errors, 2);
    }
}

#[test]
fn clients_of_engine_io_3_do_all_that_others_do() {
    for transport in TRANSPORTS {
        let builder = Server::builder().allow_eio3(true);
        let mut test = TestServer::build(builder, 1, |server| declare(server));
        let connect = |name| Connect::to(name).transport(transport).protocol(Protocol::V3);
        let alice = test.connect_with(connect("/")).unwrap();
        assert_eq!(test.id(alice).len(), 20);
        assert_eq!(test.server().of("/").sockets_len(), 1);
        let args = || ("t\u{e9}xt \u{1f600}", 1.5, BinarySlice(b"\x00\xff"), &[true]);
        test.emit(alice, "echo", args());
        assert_eq!(test.received(alice), [event("echo", args())]);
        let answer = test.emit_with_ack::<(String, f64, Binary)>(alice, "echo", args());
        assert_eq!(answer.map(|(_, _, bytes)| bytes.0), Ok(vec![0, 255]));
        let chat = test.connect_with(connect("/chat?token=x").over(alice)).unwrap();
        let id = format!("/chat#{}", test.id(alice));
        assert_eq!(test.id(chat), id);
        assert_eq!(test.received(chat), [event("welcome", (&id, "{\"token\":\"x\"}"))]);
        let error = test.connect_with(connect("/closed").over(alice)).unwrap_err();
        assert_eq!((error.message(), error.data()), (Some(""), Some([1, 2])));
        let error = test.connect_with(connect("/silent").over(alice)).unwrap_err();
        assert_eq!((error.message(), error.data::<()>()), (Some("no"), None));
        let error = test.connect_with(connect("/nowhere").over(alice)).unwrap_err();
        assert_eq!(error.message(), Some("Invalid namespace"));
        test.advance(Duration::from_secs(60 * 60 * 24));
        assert!(test.is_connected(alice));
        test.cut(alice);
        test.reconnect(alice).unwrap();
        test.emit(alice, "echo", "back");
        assert_eq!(test.received(alice), [event("echo", "back")]);
        if transport == Transport::Polling {
            assert!(test.upgrade(alice));
            test.emit(alice, "echo", args());
            assert_eq!(test.received(alice), [event("echo", args())]);
        }
        test.set_answers_pings(alice, false);
        test.advance(Duration::from_secs(46));
        assert!(!test.is_connected(alice));
    }
}

#[test]
fn clients_of_engine_io_3_are_refused_where_they_are_not_let_in() {
    for transport in TRANSPORTS {
        let (mut test, _) = echo();
        let connect = Connect::to("/").transport(transport).protocol(Protocol::V3);
        let error = test.connect_with(connect).unwrap_err();
        match transport {
            Transport::Polling => {
                let body = "{\"code\":5,\"message\":\"Unsupported protocol version\"}".to_owned();
                assert_eq!(error, ConnectError::Rejected { status: 400, body });
            }
            // The reference finds out after the 101, and so does this.
            _ => assert_eq!(error, ConnectError::Closed),
        }
    }
}

/// Counts what it lets pass.
struct Counting(Rc<RefCell<usize>>);

impl Adapter for Counting {
    fn broadcast(
        &mut self,
        local: &mut Local<'_>,
        event: OutgoingEvent,
        options: &BroadcastOptions,
    ) -> Emitted {
        *self.0.borrow_mut() += 1;
        local.broadcast(event, options)
    }
}

#[test]
fn a_server_takes_what_its_builder_takes() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("testing_client_files");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("socket.io.js"), "the client").unwrap();
    let count = Rc::new(RefCell::new(0));
    let counted = Rc::clone(&count);
    let builder = Server::builder()
        .path("/chat")
        .adapter(move |_| Box::new(Counting(Rc::clone(&counted))))
        .ping_interval(Duration::from_secs(1))
        .client_files(ClientFiles::open_as(&folder, "1.2.3").unwrap())
        .listen("127.0.0.1:0")
        .unwrap();
    let mut test = TestServer::build(builder, 1, |server| declare(server));
    let alice = test.connect("/").unwrap();
    test.server().emit("news", ());
    assert_eq!(test.received(alice), [event("news", ())]);
    assert_eq!(*count.borrow(), 1);
    assert_eq!(test.get("/chat/socket.io.js").text(), "the client");
    assert!(test.server().local_addresses().is_empty());
    test.advance(Duration::from_secs(10));
    let ping = Packet::Text("2".to_owned());
    assert_eq!(test.packets(alice).iter().filter(|packet| **packet == ping).count(), 10);
}
