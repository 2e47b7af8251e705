//! `throng::testing` under test: its clients do what official ones do, over either transport, and
//! every run is the same.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use throng::config::Config;
use throng::testing::{AskError, Connect, ConnectError, Packet, State, TestServer, event};
use throng::{Binary, BinarySlice, Refusal, SocketId, Transport};

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
