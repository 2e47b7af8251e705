//! Long-polling on the wire: held GETs, POSTs, their overlaps, aborts and limits, and the ways a
//! polling session ends.
//!
//! ```text
//! > POST 40                      < ok
//! > GET                          < 40{"sid":"..."}
//! ```

mod common;

use std::time::Duration;

use common::{
    Poller, Running, SOON, Wire, declare_echo, engine_get, handshake_polling, log, serve,
    serve_with,
};
use throng::{Binary, DisconnectReason};

fn echoing() -> (Running, common::Log) {
    let (tell, told) = log();
    (serve(move |server| declare_echo(server, tell)), told)
}

#[test]
fn a_get_is_answered_at_once_with_everything_that_waits() {
    let (server, _) = echoing();
    let mut poller = handshake_polling(&server);
    poller.join();
    poller.post("42[\"echo\",1]\x1e42[\"echo\",\"\u{1f600}\"]");
    assert_eq!(poller.poll(), "42[\"echo\",1]\x1e42[\"echo\",\"\u{1f600}\"]");
}

#[test]
fn a_get_is_held_until_there_is_something_to_say() {
    let (server, _) = echoing();
    let mut poller = handshake_polling(&server);
    poller.join();
    poller.park();
    poller.post("42[\"echo\"]");
    let response = poller.getter.response();
    response.expect(200, "42[\"echo\"]");
    assert_eq!(response.header("content-type"), Some("text/plain; charset=UTF-8"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(response.header("content-length"), Some("10"));
}

#[test]
fn a_post_is_answered_ok_after_its_packets_were_handled() {
    let (server, _) = echoing();
    let mut poller = handshake_polling(&server);
    let response = poller.post_for("40");
    response.expect(200, "ok");
    assert_eq!(response.header("content-type"), Some("text/html"));
    assert_eq!(response.header("content-length"), Some("2"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert!(poller.poll().starts_with("40{"));
}

#[test]
fn a_post_of_many_packets_is_handled_whole_and_in_order() {
    let (server, _) = echoing();
    let mut poller = handshake_polling(&server);
    poller.join();
    let packets: Vec<String> = (0..5_000).map(|number| format!("42[\"echo\",{number}]")).collect();
    poller.post(packets.join("\x1e"));
    assert_eq!(poller.poll(), packets.join("\x1e"));
}

#[test]
fn binary_travels_as_base64_behind_its_header() {
    let server = serve(|server| {
        server.of("/").on("a", |socket, bytes: Binary| {
            socket.emit("a", &bytes);
        });
    });
    let mut poller = handshake_polling(&server);
    poller.join();
    poller.post("451-[\"a\",{\"_placeholder\":true,\"num\":0}]\x1ebAQIDBA==");
    assert_eq!(poller.poll(), "451-[\"a\",{\"_placeholder\":true,\"num\":0}]\x1ebAQIDBA==");
}

#[test]
fn a_second_get_ends_the_session() {
    let (server, told) = echoing();
    let mut poller = handshake_polling(&server);
    poller.join();
    poller.park();
    let mut second = Wire::connect(&server);
    second.ask(engine_get(&poller.query())).expect(400, "");
    assert_eq!(poller.polled(), "1");
    told.expect(&["transport error"]);
    poller.expect_gone();
}

#[test]
fn a_second_post_ends_the_session_and_the_first_one_s_connection() {
    let (server, told) = echoing();
    let mut poller = handshake_polling(&server);
    poller.join();
    let bytes = poller.post_bytes("42[\"echo\"]");
    poller.poster.send(&bytes[..bytes.len() - 3]);
    let count = server.ask(|io| io.sessions_len());
    assert_eq!(count, 1);
    let mut second = Wire::connect(&server);
    second.ask(poller.post_bytes("42[\"echo\"]")).expect(400, "");
    poller.poster.expect_end();
    told.expect(&["transport error"]);
    poller.expect_gone();
}

#[test]
fn a_get_that_is_aborted_ends_the_session_at_once() {
    for how in ["close", "reset", "half"] {
        let (server, told) = echoing();
        let mut poller = handshake_polling(&server);
        poller.join();
        poller.park();
        let query = poller.query();
        let Poller { mut getter, .. } = poller;
        match how {
            "close" => drop(getter),
            "reset" => getter.reset(),
            _ => getter.shut_down(),
        }
        told.expect(&["transport error"]);
        Wire::connect(&server).ask(engine_get(&query)).expect_code(400, 1, "Session ID unknown");
    }
}

#[test]
fn a_post_that_is_aborted_ends_the_session_at_once() {
    let (server, told) = echoing();
    let mut poller = handshake_polling(&server);
    poller.join();
    let bytes = poller.post_bytes("42[\"echo\"]");
    let mut poster = Wire::connect(&server);
    poster.send(&bytes[..bytes.len() - 1]);
    server.ask(|_| ());
    drop(poster);
    told.expect(&["transport error"]);
    poller.expect_gone();
}

#[test]
fn a_post_by_octet_stream_is_400_and_ends_the_session() {
    let (server, told) = echoing();
    let mut poller = handshake_polling(&server);
    poller.join();
    poller.park();
    let bytes = poller.post_bytes_as("application/octet-stream", "40");
    poller.poster.ask(bytes).expect(400, "");
    assert_eq!(poller.polled(), "1");
    told.expect(&["transport error"]);
    poller.expect_gone();
}

#[test]
fn other_content_types_are_taken_as_text() {
    let (server, _) = echoing();
    for content_type in ["application/octet-stream; x=y", "application/json", "", "x"] {
        let mut poller = handshake_polling(&server);
        let bytes = poller.post_bytes_as(content_type, "40");
        poller.poster.ask(bytes).expect(200, "ok");
        assert!(poller.poll().starts_with("40{"));
    }
}

#[test]
fn a_post_that_is_too_large_is_413_and_the_session_lives() {
    let (tell, _told) = log();
    let server = serve_with(
        |config| config.engine.payload_bytes_max = 1_000,
        move |server| declare_echo(server, tell),
    );
    let mut poller = handshake_polling(&server);
    poller.join();
    poller.post_for("4".repeat(1_001)).expect(413, "");
    poller.poster = Wire::connect(&server);
    poller.poster.send(chunked_post(&poller, &["4".repeat(600), "4".repeat(600)]));
    poller.poster.response().expect(413, "");
    poller.poster = Wire::connect(&server);
    // A body of exactly the limit passes.
    let packet = format!("42[\"echo\",\"{}\"]", "x".repeat(1_000 - 13));
    assert_eq!(packet.len(), 1_000);
    poller.post(&packet);
    assert_eq!(poller.poll(), packet);
}

#[test]
fn a_post_that_is_too_large_ends_the_session_where_the_host_wants_it() {
    let (tell, _told) = log();
    let server = serve_with(
        |config| {
            config.engine.payload_bytes_max = 1_000;
            config.engine.large_body_ends_session = true;
        },
        move |server| declare_echo(server, tell),
    );
    let mut poller = handshake_polling(&server);
    poller.join();
    poller.post_for("4".repeat(1_001)).expect(413, "");
    poller.expect_gone();
    let mut chunked = handshake_polling(&server);
    chunked.join();
    chunked.poster.send(chunked_post(&chunked, &["4".repeat(600), "4".repeat(600)]));
    chunked.poster.response().expect(413, "");
    chunked.expect_gone();
}

fn chunked_post(poller: &Poller<'_>, chunks: &[String]) -> String {
    let mut request = format!(
        "POST /socket.io/?EIO=4&{} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n",
        poller.query()
    );
    for chunk in chunks {
        request.extend([&format!("{:x}\r\n", chunk.len()), chunk, "\r\n"]);
    }
    request + "0\r\n\r\n"
}

#[test]
fn a_413_arrives_though_the_body_is_still_being_sent() {
    let server = serve_with(|config| config.engine.payload_bytes_max = 1_000, |_| {});
    let mut poller = handshake_polling(&server);
    let bytes = poller.post_bytes("4".repeat(800_000));
    poller.poster.send_anyway(bytes);
    poller.poster.response().expect(413, "");
    poller.join_after_413();
}

impl Poller<'_> {
    fn join_after_413(mut self) {
        self.poster = Wire::connect(self.server);
        self.join();
    }
}

#[test]
fn a_chunked_post_is_read_like_any_other() {
    let (server, _) = echoing();
    let mut poller = handshake_polling(&server);
    poller.join();
    let request = chunked_post(&poller, &["42[\"ec".to_owned(), "ho\",7]".to_owned()]);
    poller.poster.ask(request).expect(200, "ok");
    assert_eq!(poller.poll(), "42[\"echo\",7]");
}

#[test]
fn a_request_in_single_bytes_is_read_like_any_other() {
    let (server, _) = echoing();
    let mut poller = handshake_polling(&server);
    let bytes = poller.post_bytes("40");
    poller.poster.dribble(bytes);
    poller.poster.response().expect(200, "ok");
    let request = engine_get(&poller.query());
    poller.getter.dribble(request);
    assert!(poller.polled().starts_with("40{"));
}

#[test]
fn an_invalid_packet_ends_the_session_and_the_rest_is_ignored() {
    for body in
        ["", "7", "abc", "\x1e", "42[\"echo\",1]\x1e", "42[\"echo\",1]\x1e\x1e42[\"echo\",2]"]
    {
        let (server, told) = echoing();
        let mut poller = handshake_polling(&server);
        poller.join();
        poller.post(body);
        told.expect(&["parse error"]);
        poller.expect_gone();
    }
}

#[test]
fn an_invalid_packet_answers_the_held_get_with_a_close() {
    let (server, told) = echoing();
    let mut poller = handshake_polling(&server);
    poller.join();
    poller.park();
    poller.post("x");
    assert_eq!(poller.polled(), "1");
    told.expect(&["parse error"]);
}

#[test]
fn a_body_that_is_not_utf8_does_no_harm() {
    let (server, _) = echoing();
    let mut poller = handshake_polling(&server);
    poller.join();
    let response = poller.post_for(b"42[\"echo\",\"\xff\xfe\"]");
    assert_eq!(response.status, 200);
    handshake_polling(&server).join();
}

#[test]
fn a_close_packet_releases_the_get_and_ends_the_session() {
    let (server, told) = echoing();
    let mut poller = handshake_polling(&server);
    poller.join();
    poller.park();
    poller.post("1");
    assert_eq!(poller.polled(), "6");
    told.expect(&["transport close"]);
    poller.expect_gone();
}

#[test]
fn a_ping_from_a_client_ends_the_session() {
    let (server, told) = echoing();
    let mut poller = handshake_polling(&server);
    poller.join();
    poller.park();
    poller.post("2");
    assert_eq!(poller.polled(), "1");
    told.expect(&["transport error"]);
    poller.expect_gone();
}

#[test]
fn open_upgrade_and_noop_packets_are_ignored() {
    let (server, _) = echoing();
    let mut poller = handshake_polling(&server);
    poller.join();
    poller.post("0\x1e5\x1e6\x1e0{}\x1e3\x1e42[\"echo\"]");
    assert_eq!(poller.poll(), "42[\"echo\"]");
}

#[test]
fn a_session_closed_by_the_server_answers_the_held_get_with_1() {
    let server = serve(|_| {});
    let mut poller = handshake_polling(&server);
    poller.join();
    poller.park();
    // A packet for a namespace that was not joined.
    poller.post("42/other,[\"x\"]");
    assert_eq!(poller.polled(), "1");
    poller.expect_gone();
}

#[test]
fn a_session_closed_without_a_held_get_tells_the_next_one() {
    let (tell, told) = log();
    let server = serve(move |server| declare_echo(server, tell));
    let mut poller = handshake_polling(&server);
    poller.join();
    poller.post("42/other,[\"x\"]");
    told.expect(&["forced server close"]);
    // While it closes, what comes in is ignored.
    poller.post("42[\"echo\"]");
    assert_eq!(poller.poll(), "6\x1e1");
    poller.expect_gone();
}

#[test]
fn an_undecodable_packet_is_a_forced_close_with_and_without_a_held_get() {
    for held in [true, false] {
        let (server, told) = echoing();
        let mut poller = handshake_polling(&server);
        poller.join();
        if held {
            poller.park();
        }
        poller.post("42{}");
        told.expect(&["forced close"]);
        if !held {
            poller.send_get();
        }
        assert_eq!(poller.polled(), if held { "1" } else { "6\x1e1" });
        poller.expect_gone();
    }
}

#[test]
fn a_protocol_violation_with_a_held_get_is_a_forced_close() {
    let (server, told) = echoing();
    let mut poller = handshake_polling(&server);
    poller.join();
    poller.park();
    poller.post("42/other,[\"x\"]");
    assert_eq!(poller.polled(), "1");
    told.expect(&["forced close"]);
}

#[test]
fn what_waits_is_delivered_before_the_close() {
    let server = serve(|server| {
        server.of("/").on("bye", |socket, (): ()| {
            socket.emit("last", "words");
            socket.disconnect_client();
        });
    });
    let mut poller = handshake_polling(&server);
    poller.join();
    poller.post("42[\"bye\"]");
    assert_eq!(poller.poll(), "42[\"last\",\"words\"]\x1e41");
    assert_eq!(poller.poll(), "6\x1e1");
    poller.expect_gone();
}

#[test]
fn a_closing_server_releases_held_gets_with_1() {
    let (server, told) = echoing();
    let mut poller = handshake_polling(&server);
    poller.join();
    poller.park();
    server.ask(|io| io.close());
    assert_eq!(poller.polled(), "1");
    told.expect(&["server shutting down"]);
}

#[test]
fn a_large_answer_is_compressed_where_the_client_takes_it() {
    let (server, _) = echoing();
    let mut poller = handshake_polling(&server);
    poller.join();
    let packet = format!("42[\"echo\",\"{}\"]", "x".repeat(5_000));
    poller.post(&packet);
    let accepting =
        engine_get(&poller.query()).replace("\r\n\r\n", "\r\nAccept-Encoding: gzip\r\n\r\n");
    let response = poller.getter.ask(&accepting);
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    assert!(response.body.len() < 1_000);
    poller.post("42[\"echo\",1]");
    let response = poller.getter.ask(&accepting);
    assert_eq!(response.header("content-encoding"), None);
    poller.post(&packet);
    assert_eq!(poller.poll(), packet);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let (server, _) = echoing();
    let mut poller = handshake_polling(&server);
    let mut both = poller.post_bytes("40");
    both.extend(engine_get(&poller.query()).into_bytes());
    poller.poster.send(both);
    poller.poster.response().expect(200, "ok");
    let reply = poller.poster.response();
    assert!(reply.text().starts_with("40{"));
    // A GET behind a held one on the same connection is no overlap: it waits its turn.
    let get = engine_get(&poller.query());
    poller.getter.send(format!("{get}{get}"));
    poller.getter.expect_silence();
    poller.post("42[\"echo\",1]");
    assert_eq!(poller.polled(), "42[\"echo\",1]");
    poller.post("42[\"echo\",2]");
    assert_eq!(poller.polled(), "42[\"echo\",2]");
}

#[test]
fn a_post_in_flight_when_its_session_ends_is_cut_off() {
    let (server, told) = echoing();
    let mut poller = handshake_polling(&server);
    poller.join();
    let bytes = poller.post_bytes("42[\"echo\"]");
    poller.poster.send(&bytes[..bytes.len() - 1]);
    server.ask(|_| ());
    let query = poller.query();
    poller.park();
    Wire::connect(&server).ask(engine_get(&query)).expect(400, "");
    told.expect(&["transport error"]);
    poller.poster.expect_end();
}

#[test]
fn reasons_are_counted() {
    let (server, told) = echoing();
    let mut poller = handshake_polling(&server);
    poller.join();
    poller.post("1");
    told.expect(&["transport close"]);
    let counted = server.ask(|io| io.engine_counters().closed(DisconnectReason::TransportClose));
    assert_eq!(counted, 1);
}

#[test]
fn a_get_may_wait_longer_than_a_request_may_take() {
    let (tell, _told) = log();
    let server = serve_with(
        |config| {
            config.http.head_timeout = Duration::from_millis(50);
            config.http.body_timeout = Duration::from_millis(50);
            config.http.keep_alive_timeout = Duration::from_millis(50);
            config.engine.ping_interval = Duration::from_millis(400);
        },
        move |server| declare_echo(server, tell),
    );
    let mut poller = handshake_polling(&server);
    poller.getter.set_patience(SOON);
    poller.send_get();
    assert_eq!(poller.polled(), "2");
}
