//! How a server closes: what sockets, sessions, requests and the port get to know of it, and when.
//!
//! ```text
//! < 88 00        GET: < 1        socket: "server shutting down", session: "forced close"
//! ```

mod common;

use std::cell::RefCell;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use common::{Running, SOON, WebSocket, Wire, engine_get, handshake_polling, log, serve};
use throng::{Decision, Server};

/// Binds an address where another server was, at the first attempt, and answers a handshake there.
fn expect_free(address: SocketAddr) {
    let mut server = Server::builder().connections_max(8).bind(address).unwrap();
    let mut wire = TcpStream::connect(address).unwrap();
    std::io::Write::write_all(&mut wire, engine_get("transport=polling").as_bytes()).unwrap();
    let started = Instant::now();
    while server.io().sessions_len() == 0 {
        assert!(started.elapsed() < SOON);
        server.poll(Some(Duration::from_millis(10))).unwrap();
    }
}

fn telling(server: &Server, tell: std::sync::mpsc::Sender<String>) {
    for name in ["/", "/other"] {
        let [leaving, left] = std::array::from_fn(|_| tell.clone());
        server
            .of(name)
            .on_disconnecting(move |_, reason| leaving.send(format!("leaving {reason}")).unwrap())
            .on_disconnect(move |_, reason| left.send(format!("left {reason}")).unwrap());
    }
    server.engine().on_close(move |_, reason| tell.send(format!("ended {reason}")).unwrap());
}

#[test]
fn sockets_leave_before_sessions_end_and_no_packet_says_so() {
    let (tell, told) = log();
    let server = serve(move |server| telling(server, tell));
    let mut socket = WebSocket::joined(&server);
    socket.join("/other");
    server.ask(|io| io.close());
    let leaving = ["leaving server shutting down", "left server shutting down"];
    told.expect(&[leaving, leaving].concat());
    told.expect(&["ended forced close"]);
    socket.expect_close(None);
}

#[test]
fn a_client_without_a_namespace_is_told_by_engine_io() {
    let (tell, told) = log();
    let server = serve(move |server| telling(server, tell));
    let mut socket = WebSocket::open(&server);
    let mut poller = handshake_polling(&server);
    poller.park();
    server.ask(|io| io.close());
    told.expect(&["ended forced close"; 2]);
    socket.expect_close(None);
    assert_eq!(poller.polled(), "1");
}

#[test]
fn the_port_is_free_while_the_last_words_are_still_on_their_way() {
    let server = serve(|_| {});
    let address = server.address;
    let mut idle = Wire::connect(&server);
    idle.ask(engine_get("transport=polling"));
    let mut socket = WebSocket::joined(&server);
    let mut poller = handshake_polling(&server);
    poller.park();
    server.ask(|io| io.close());
    // Nobody has answered the close frame, nor ended a connection, by the time the port is taken.
    socket.expect_close(None);
    expect_free(address);
    assert_eq!(poller.polled(), "1");
    drop((idle, socket, poller));
    server.join();
    expect_free(address);
}

#[test]
fn a_handler_closes_the_server_and_what_it_said_before_arrives() {
    let (tell, told) = log();
    let server = serve(move |server| {
        telling(server, tell);
        server.of("/").on("end", |socket, (): ()| {
            socket.emit("bye", ());
            socket.server().close();
            socket.emit("too late?", ());
        });
    });
    let mut socket = WebSocket::joined(&server);
    socket.send("42[\"end\"]");
    socket.expect(&["42[\"bye\"]", "42[\"too late?\"]"]);
    socket.expect_close(None);
    told.expect(&["leaving server shutting down", "left server shutting down"]);
    drop(socket);
    server.join();
}

#[test]
fn a_post_that_closes_the_server_is_answered() {
    let server = serve(|server| {
        server.of("/").on("end", |socket, (): ()| socket.server().close());
    });
    let mut poller = handshake_polling(&server);
    poller.join();
    poller.park();
    // What follows in the same body finds the session gone.
    poller.post("42[\"end\"]\x1e42[\"end\"]");
    assert_eq!(poller.polled(), "1");
    poller.getter.expect_end();
    poller.poster.expect_end();
    drop(poller);
    server.join();
}

#[test]
fn disconnect_handlers_may_close_again_and_emit_to_nobody() {
    let (tell, told) = log();
    let server = serve(move |server| {
        server.of("/").on_disconnect(move |socket, _| {
            socket.server().close();
            socket.server().emit("left", ());
            socket.broadcast().emit("left", ());
            tell.send(format!("{:?}", socket.emit("left", ()))).unwrap();
        });
    });
    let mut sockets = [WebSocket::joined(&server), WebSocket::joined(&server)];
    server.ask(|io| io.close());
    told.expect(&["Dropped"; 2]);
    for socket in &mut sockets {
        // The second to leave may have been told of the first.
        let mut frame = socket.frame();
        while frame.first_byte == 0x81 {
            assert_eq!(frame.payload, b"42[\"left\"]");
            frame = socket.frame();
        }
        assert_eq!((frame.first_byte, frame.payload.len()), (0x88, 0));
    }
    drop(sockets);
    server.join();
}

#[test]
fn a_handshake_that_waits_for_its_admission_is_refused() {
    thread_local!(static DECISION: RefCell<Option<Decision>> = const { RefCell::new(None) });
    let (tell, told) = log();
    let server = serve(move |server| {
        let opened = tell.clone();
        server.engine().on_open(move |_, _| opened.send("opened".to_owned()).unwrap());
        server.allow_request(move |_, _, decision| {
            DECISION.set(Some(decision));
            tell.send("asked".to_owned()).unwrap();
        });
    });
    let mut wire = Wire::connect(&server);
    wire.send(engine_get("transport=polling"));
    told.expect(&["asked"]);
    server.ask(|io| {
        io.close();
        // Decided too late.
        io.after(Duration::ZERO, |_| {
            if let Some(decision) = DECISION.take() {
                decision.allow();
            }
        });
    });
    let response = wire.response();
    assert_eq!(response.status, 503, "{response:?}");
    wire.expect_end();
    drop(wire);
    server.join();
    assert!(told.so_far().is_empty());
}

#[test]
fn a_websocket_that_probes_is_closed_with_its_session() {
    let (tell, told) = log();
    let server = serve(move |server| telling(server, tell));
    let mut poller = handshake_polling(&server);
    let mut probe = WebSocket::upgrade(&server, &poller.websocket_target());
    probe.send("2probe");
    assert_eq!(probe.text(), "3probe");
    poller.send_get();
    poller.polled();
    poller.send_get();
    server.wait_for_sessions(1);
    server.ask(|io| io.close());
    probe.expect_close(None);
    let body = poller.polled();
    assert!(body == "1" || body == "6", "{body}");
    told.expect(&["ended forced close"]);
}

#[test]
fn a_server_without_clients_is_closed_at_once() {
    let server: Running = serve(|_| {});
    let address = server.address;
    server.ask(|io| io.close());
    server.join();
    expect_free(address);
}
