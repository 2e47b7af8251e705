//! The heartbeat: pings of the server, pongs of the client, and what happens without them. Time is
//! the subject here, so that the intervals are short and the tests wait for what is due.
//!
//! ```text
//! < 2     > 3
//! ```

mod common;

use std::time::{Duration, Instant};

use common::{Frame, Running, WebSocket, declare_echo, handshake_polling, log, serve_with};

const INTERVAL: Duration = Duration::from_millis(200);
const TIMEOUT: Duration = Duration::from_millis(300);

fn beating() -> (Running, common::Log) {
    with_times(INTERVAL, TIMEOUT)
}

fn with_times(interval: Duration, timeout: Duration) -> (Running, common::Log) {
    let (tell, told) = log();
    let server = serve_with(
        move |config| {
            config.engine.ping_interval = interval;
            config.engine.ping_timeout = timeout;
        },
        move |server| declare_echo(server, tell),
    );
    (server, told)
}

#[test]
fn pings_come_an_interval_after_the_open_and_after_each_pong() {
    let (server, told) = beating();
    let mut socket = WebSocket::open(&server);
    for _ in 0..3 {
        let started = Instant::now();
        assert_eq!(socket.text(), "2");
        assert!(started.elapsed() >= INTERVAL * 8 / 10, "{:?}", started.elapsed());
        socket.send("3");
    }
    assert!(told.so_far().is_empty());
}

#[test]
fn a_websocket_without_pongs_is_closed_with_ping_timeout() {
    let (server, told) = beating();
    let mut socket = WebSocket::joined(&server);
    assert_eq!(socket.text(), "2");
    let started = Instant::now();
    socket.expect_close(None);
    assert!(started.elapsed() >= TIMEOUT * 9 / 10, "{:?}", started.elapsed());
    told.expect(&["ping timeout"]);
    server.wait_for_sessions(0);
}

#[test]
fn a_held_get_carries_the_ping_and_the_close() {
    let (server, told) = beating();
    let mut poller = handshake_polling(&server);
    poller.join();
    assert_eq!(poller.poll(), "2");
    poller.post("3");
    assert_eq!(poller.poll(), "2");
    assert_eq!(poller.poll(), "1");
    told.expect(&["ping timeout"]);
    poller.expect_gone();
}

#[test]
fn a_polling_session_that_is_left_alone_ends() {
    let (server, told) = beating();
    let mut poller = handshake_polling(&server);
    poller.join();
    told.expect(&["ping timeout"]);
    poller.expect_gone();
}

#[test]
fn a_ping_waits_for_a_get_in_its_place() {
    let (server, _) = with_times(INTERVAL, Duration::from_secs(20));
    let mut poller = handshake_polling(&server);
    poller.join();
    poller.post("42[\"echo\",1]");
    server.wait_until(|io| io.engine_counters().pings == 1);
    poller.post("42[\"echo\",2]");
    assert_eq!(poller.poll(), "42[\"echo\",1]\x1e2\x1e42[\"echo\",2]");
}

#[test]
fn an_unasked_pong_restarts_the_interval() {
    let (server, _) = beating();
    let mut socket = WebSocket::open(&server);
    let started = Instant::now();
    while started.elapsed() < INTERVAL * 2 {
        socket.send("3");
        std::thread::sleep(INTERVAL / 10);
    }
    let last = Instant::now();
    assert_eq!(socket.text(), "2");
    assert!(last.elapsed() >= INTERVAL / 2, "{:?}", last.elapsed());
    assert_eq!(server.ask(|io| io.engine_counters().pings), 1);
}

#[test]
fn another_packet_restarts_the_wait_for_a_pong_once() {
    let (server, told) = beating();
    let mut socket = WebSocket::joined(&server);
    assert_eq!(socket.text(), "2");
    let pinged = Instant::now();
    while pinged.elapsed() < TIMEOUT / 2 {
        std::thread::sleep(TIMEOUT / 20);
    }
    socket.send("42[\"echo\",1]");
    assert_eq!(socket.text(), "42[\"echo\",1]");
    let talked = Instant::now();
    while talked.elapsed() < TIMEOUT / 2 {
        std::thread::sleep(TIMEOUT / 20);
    }
    socket.send("42[\"echo\",2]");
    assert_eq!(socket.text(), "42[\"echo\",2]");
    // The second packet changes nothing: a client that talks but never answers ends.
    assert_eq!(socket.frame(), Frame { first_byte: 0x88, payload: Vec::new() });
    let waited = talked.elapsed();
    assert!(waited >= TIMEOUT * 9 / 10 && waited < TIMEOUT * 3 / 2, "{waited:?}");
    told.expect(&["ping timeout"]);
}

#[test]
fn websocket_pongs_are_no_pong_packets() {
    let (server, told) = beating();
    let mut socket = WebSocket::joined(&server);
    assert_eq!(socket.text(), "2");
    socket.send_frame(0x8a, b"");
    socket.expect_close(None);
    told.expect(&["ping timeout"]);
}

#[test]
fn the_heartbeat_goes_on_after_an_upgrade() {
    let (server, told) = beating();
    let mut poller = handshake_polling(&server);
    poller.join();
    let mut socket = WebSocket::upgrade(&server, &poller.websocket_target());
    socket.send("2probe");
    assert_eq!(socket.text(), "3probe");
    socket.send("5");
    assert_eq!(socket.text(), "2");
    socket.send("3");
    assert_eq!(socket.text(), "2");
    socket.expect_close(None);
    told.expect(&["ping timeout"]);
}

#[test]
fn a_ping_that_waits_at_the_switch_is_sent_on_the_websocket() {
    let (server, told) = with_times(INTERVAL, Duration::from_secs(20));
    let mut poller = handshake_polling(&server);
    poller.join();
    server.wait_until(|io| io.engine_counters().pings == 1);
    let mut socket = WebSocket::upgrade(&server, &poller.websocket_target());
    socket.send("2probe");
    socket.send("5");
    socket.expect(&["3probe", "2"]);
    socket.send("3");
    assert_eq!(socket.text(), "2");
    assert!(told.so_far().is_empty());
}
