//! The upgrade from polling to WebSocket: the probe, what polling does meanwhile, the switch, and
//! all that can go wrong on the way.
//!
//! ```text
//! > 2probe    < 3probe    > 5
//! ```

mod common;

use std::time::Duration;

use common::{
    Poller, Running, SILENCE, WebSocket, Wire, declare_echo, handshake_polling, log, masked_frame,
    serve, serve_with, upgrade_head,
};
use throng::Transport;

fn echoing() -> (Running, common::Log) {
    let (tell, told) = log();
    (serve(move |server| declare_echo(server, tell)), told)
}

fn probing(server: &Running) -> (Poller<'_>, WebSocket) {
    let mut poller = handshake_polling(server);
    poller.join();
    let socket = WebSocket::upgrade(server, &poller.websocket_target());
    (poller, socket)
}

#[test]
fn a_probe_is_answered_and_the_upgrade_moves_the_session() {
    let (server, _) = echoing();
    let (mut poller, mut socket) = probing(&server);
    socket.send("2probe");
    assert_eq!(socket.text(), "3probe");
    socket.send("5");
    socket.send("42[\"echo\",1]");
    assert_eq!(socket.text(), "42[\"echo\",1]");
    // Polling is over for this session.
    let query = poller.query();
    poller.getter.ask(common::engine_get(&query)).expect_code(400, 3, "Bad request");
    poller.post_for("42[\"echo\",2]").expect_code(400, 3, "Bad request");
    assert_eq!(server.ask(|io| io.engine_counters().upgrades), 1);
}

#[test]
fn what_waits_for_a_get_is_sent_on_the_websocket_in_order() {
    let (server, _) = echoing();
    let (mut poller, mut socket) = probing(&server);
    socket.send("2probe");
    assert_eq!(socket.text(), "3probe");
    poller.post("42[\"echo\",1]\x1e451-[\"echo\",{\"_placeholder\":true,\"num\":0}]\x1ebAQID");
    poller.post("42[\"echo\",2]");
    socket.send("5");
    assert_eq!(socket.text(), "42[\"echo\",1]");
    assert_eq!(socket.text(), "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]");
    assert_eq!(socket.binary(), [1, 2, 3]);
    assert_eq!(socket.text(), "42[\"echo\",2]");
}

#[test]
fn held_gets_are_released_with_noops_again_and_again() {
    let (server, _) = echoing();
    let (mut poller, mut socket) = probing(&server);
    poller.park();
    socket.send("2probe");
    assert_eq!(socket.text(), "3probe");
    for _ in 0..3 {
        assert_eq!(poller.polled(), "6");
        poller.send_get();
    }
}

#[test]
fn no_noop_is_sent_before_the_probe() {
    let (server, _) = echoing();
    let (mut poller, mut socket) = probing(&server);
    poller.park();
    poller.getter.set_patience(SILENCE * 2);
    poller.getter.expect_silence();
    socket.send("2probe");
    assert_eq!(poller.polled(), "6");
}

#[test]
fn polling_goes_on_both_ways_while_probing() {
    let (server, _) = echoing();
    let (mut poller, mut socket) = probing(&server);
    socket.send("2probe");
    assert_eq!(socket.text(), "3probe");
    poller.post("42[\"echo\",1]");
    assert_eq!(poller.poll(), "42[\"echo\",1]");
    poller.send_get();
    poller.post("42[\"echo\",2]");
    let first = poller.polled();
    if first == "6" {
        assert_eq!(poller.poll(), "42[\"echo\",2]");
    } else {
        assert_eq!(first, "42[\"echo\",2]");
    }
}

#[test]
fn a_get_held_at_the_switch_is_answered_with_1() {
    let (server, _) = echoing();
    let (mut poller, mut socket) = probing(&server);
    poller.park();
    // Without a probe before it the switch is accepted all the same.
    socket.send("5");
    assert_eq!(poller.polled(), "1");
    socket.send("42[\"echo\"]");
    assert_eq!(socket.text(), "42[\"echo\"]");
}

#[test]
fn any_other_packet_closes_the_probe_and_polling_goes_on() {
    let (server, _) = echoing();
    for packet in ["42[\"echo\"]", "2", "3", "1", "0", "x", "", "2prob"] {
        let (mut poller, mut socket) = probing(&server);
        socket.send(packet);
        socket.expect_close(None);
        poller.post("42[\"echo\",1]");
        assert_eq!(poller.poll(), "42[\"echo\",1]");
    }
    let (mut poller, mut socket) = probing(&server);
    socket.send_binary(b"2probe");
    socket.expect_close(None);
    poller.post("42[\"echo\",1]");
    assert_eq!(poller.poll(), "42[\"echo\",1]");
}

#[test]
fn a_probe_that_is_lost_leaves_the_session_on_polling() {
    let (server, told) = echoing();
    for how in 0..4 {
        let (mut poller, mut socket) = probing(&server);
        socket.send("2probe");
        assert_eq!(socket.text(), "3probe");
        match how {
            0 => drop(socket),
            1 => socket.wire.reset(),
            2 => {
                socket.send_frame(0x88, &[]);
                socket.expect_close(None);
            }
            _ => {
                socket.send_frame(0xc1, b"rsv1");
                socket.expect_close(Some(1002));
            }
        }
        poller.post("42[\"echo\",1]");
        assert_eq!(poller.poll(), "42[\"echo\",1]");
        // Another attempt is free to succeed.
        let mut socket = WebSocket::upgrade(&server, &poller.websocket_target());
        socket.send("2probe");
        socket.send("5");
        socket.send("42[\"echo\",2]");
        socket.expect(&["3probe", "42[\"echo\",2]"]);
    }
    assert!(told.so_far().iter().all(|reason| reason == "transport close"));
}

#[test]
fn a_probe_that_takes_too_long_is_closed_and_polling_goes_on() {
    let server = serve_with(
        |config| config.engine.upgrade_timeout = Duration::from_millis(200),
        |server| {
            server.of("/").on_raw("echo", |socket, args, _| {
                socket.emit("echo", args);
            });
        },
    );
    for packet in [None, Some("2probe")] {
        let (mut poller, mut socket) = probing(&server);
        if let Some(packet) = packet {
            socket.send(packet);
            assert_eq!(socket.text(), "3probe");
        }
        socket.expect_close(None);
        poller.post("42[\"echo\",1]");
        assert_eq!(poller.poll(), "42[\"echo\",1]");
    }
    assert_eq!(server.ask(|io| io.engine_counters().probes_timed_out), 2);
}

#[test]
fn a_session_that_ends_takes_its_probe_along() {
    let (server, told) = echoing();
    let (mut poller, mut socket) = probing(&server);
    socket.send("2probe");
    assert_eq!(socket.text(), "3probe");
    poller.post("1");
    told.expect(&["transport close"]);
    socket.expect_close(None);
}

#[test]
fn a_second_probe_is_a_101_and_a_close_and_the_first_goes_on() {
    let (server, _) = echoing();
    let (poller, mut socket) = probing(&server);
    let target = poller.websocket_target();
    WebSocket::upgrade(&server, &target).expect_close(None);
    socket.send("2probe");
    assert_eq!(socket.text(), "3probe");
    WebSocket::upgrade(&server, &target).expect_close(None);
    socket.send("5");
    WebSocket::upgrade(&server, &target).expect_close(None);
    socket.send("42[\"echo\"]");
    assert_eq!(socket.text(), "42[\"echo\"]");
    // Neither may a session that was opened on a WebSocket be taken over.
    let mut opened = WebSocket::joined(&server);
    let target = format!("/socket.io/?EIO=4&transport=websocket&sid={}", opened.sid);
    let mut second = WebSocket::upgrade(&server, &target);
    second.send("2probe");
    opened.send("42[\"echo\"]");
    assert_eq!(opened.text(), "42[\"echo\"]");
}

#[test]
fn frames_behind_the_upgrade_request_in_one_segment_are_read() {
    let (server, _) = echoing();
    let mut poller = handshake_polling(&server);
    poller.join();
    let mut bytes = upgrade_head(&poller.websocket_target(), "").into_bytes();
    bytes.extend(masked_frame(0x81, b"2probe"));
    bytes.extend(masked_frame(0x81, b"5"));
    bytes.extend(masked_frame(0x81, b"42[\"echo\"]"));
    let mut wire = Wire::connect(&server);
    wire.send(bytes);
    let mut socket = WebSocket::upgraded(wire);
    socket.expect(&["3probe", "42[\"echo\"]"]);
}

#[test]
fn the_socket_notices_its_new_transport_and_nothing_else() {
    let (tell, told) = log();
    let server = serve(move |server| {
        server.of("/").on_with_ack("how", |socket, (): ()| {
            (socket.transport().map(Transport::as_str), socket.handshake().url().to_owned())
        });
        server.of("/").on_connect(move |socket| tell.send(socket.id().to_string()).unwrap());
    });
    let (mut poller, mut socket) = probing(&server);
    poller.post("420[\"how\"]");
    let url = "/socket.io/?EIO=4&transport=polling";
    assert_eq!(poller.poll(), format!("430[[\"polling\",\"{url}\"]]"));
    socket.send("2probe");
    socket.send("5");
    socket.send("421[\"how\"]");
    socket.expect(&["3probe", &format!("431[[\"websocket\",\"{url}\"]]")]);
    assert_eq!(told.so_far().len(), 1);
}

#[test]
fn a_broadcast_during_the_upgrade_is_neither_lost_nor_doubled() {
    let (server, _) = echoing();
    let (mut poller, mut socket) = probing(&server);
    server.ask(|io| io.emit("n", &1));
    socket.send("2probe");
    assert_eq!(socket.text(), "3probe");
    server.ask(|io| io.emit("n", &2));
    assert_eq!(poller.poll(), "42[\"n\",1]\x1e42[\"n\",2]");
    server.ask(|io| io.emit("n", &3));
    socket.send("5");
    assert_eq!(socket.text(), "42[\"n\",3]");
    server.ask(|io| io.emit("n", &4));
    assert_eq!(socket.text(), "42[\"n\",4]");
}

#[test]
fn a_post_in_flight_at_the_switch_is_cut_off() {
    let (server, _) = echoing();
    let (mut poller, mut socket) = probing(&server);
    let bytes = poller.post_bytes("42[\"echo\"]");
    poller.poster.send(&bytes[..bytes.len() - 1]);
    server.ask(|_| ());
    socket.send("2probe");
    socket.send("5");
    assert_eq!(socket.text(), "3probe");
    poller.poster.expect_end();
    socket.send("42[\"echo\",1]");
    assert_eq!(socket.text(), "42[\"echo\",1]");
}
