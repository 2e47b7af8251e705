//! What the host hears of Engine.IO, in virtual time and with clients of every kind.
//!
//! ```text
//! < 0{"sid":"..."}   < 40{"sid":"..."}   < 2
//! ```

use std::time::Duration;

use throng::config::{Config, InitialPacket};
use throng::testing::{Connect, TestServer};
use throng::{BinarySlice, Protocol, Server, Session, SessionPacket, Transport};

use super::handlers::Log;

/// A packet, of the open and CONNECT packets no more than their types.
fn short(packet: SessionPacket<'_>) -> String {
    match packet {
        SessionPacket::Text(text) => match text.split_once('{') {
            Some((kind, _)) => format!("text {kind}"),
            None => format!("text {text}"),
        },
        SessionPacket::Binary(bytes) => format!("bytes {bytes:?}"),
    }
}

#[test]
fn packets_are_told_of_when_they_have_left_whatever_carries_them() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        let log = Log::default();
        let tell = log.clone();
        let mut test = TestServer::new(|server| {
            server.engine().on_packet_sent(move |session: Session<'_>, packet| {
                assert_eq!(session.transport(), Some(transport));
                tell.tell(short(packet));
            });
            server.of("/").on("ask", |socket, (): ()| {
                socket.emit("told", &BinarySlice(&[1, 2]));
                socket.server().emit("all", ());
            });
        });
        let alice = test.connect_with(Connect::to("/").transport(transport)).unwrap();
        assert_eq!(log.take(), ["text 0", "text 40"], "{transport}");
        test.emit(alice, "ask", ());
        assert_eq!(
            log.take(),
            [
                "text 451-[\"told\",{\"_placeholder\":true,\"num\":0}]",
                "bytes [1, 2]",
                "text 42[\"all\"]"
            ]
            .map(short_of)
        );
        test.advance(Duration::from_secs(25));
        assert_eq!(log.take(), ["text 2"]);
        // What waits for a client that doesn't read has not left.
        test.set_reads(alice, false);
        test.server().emit("big", &"a".repeat(1_000_000));
        test.server().emit("behind", ());
        test.settle();
        let mut told = log.take();
        // Polling takes all that waits as one answer.
        assert_eq!(told.is_empty(), transport == Transport::WebSocket);
        test.set_reads(alice, true);
        test.settle();
        told.append(&mut log.take());
        assert_eq!(told.len(), 2);
        assert_eq!(told[1], "text 42[\"behind\"]");
    }
}

/// What [`short`] makes of a text.
fn short_of(packet: &str) -> String {
    packet.split_once('{').map_or(packet, |(kind, _)| kind).to_owned()
}

#[test]
fn what_is_sent_when_a_packet_has_left_leaves_with_the_next_turn() {
    let log = Log::default();
    let tell = log.clone();
    let mut test = TestServer::new(|server| {
        server.engine().on_packet_sent(move |session, packet| {
            let text = short(packet);
            if text == "text 42[\"first\"]" {
                session.send_text("2[\"second\"]");
            }
            tell.tell(text);
        });
        server.of("/");
    });
    let alice = test.connect("/").unwrap();
    log.take();
    test.server().emit("first", ());
    test.settle();
    assert_eq!(log.take(), ["text 42[\"first\"]", "text 42[\"second\"]"]);
    assert_eq!(test.received(alice).len(), 2);
}

#[test]
fn heartbeats_are_told_of_whoever_pings() {
    for protocol in [Protocol::V3, Protocol::V4] {
        for transport in [Transport::Polling, Transport::WebSocket] {
            let log = Log::default();
            let tell = log.clone();
            let mut test = TestServer::build(Server::builder().allow_eio3(true), 1, |server| {
                server.of("/");
                server.engine().on_heartbeat(move |session| {
                    assert_eq!(session.protocol(), Some(protocol));
                    tell.tell("beat");
                });
            });
            let connect = Connect::to("/").protocol(protocol).transport(transport);
            let alice = test.connect_with(connect).unwrap();
            // What the other side of a heartbeat says is no beat.
            test.emit(alice, "2", ());
            assert!(log.take().is_empty());
            test.advance(Duration::from_secs(80));
            assert_eq!(log.take().len(), 3, "{protocol:?} {transport}");
            test.set_answers_pings(alice, false);
            test.advance(Duration::from_secs(60));
            assert!(log.take().is_empty() && !test.is_connected(alice));
        }
    }
}

#[test]
fn an_initial_packet_of_bytes_comes_with_the_open_packet_in_every_form() {
    let mut config = Config::default();
    config.engine.initial_packet = Some(InitialPacket::Binary(vec![1, 2, 255]));
    let builder = Server::builder().config(config).allow_eio3(true);
    let mut test = TestServer::build(builder, 1, |server| {
        server.engine().on_message(|_, _| {});
    });
    let mut open = |query: &str| {
        let answer = test.get(&format!("/socket.io/?transport=polling{query}"));
        let content_type = answer.header("content-type").unwrap().to_owned();
        (content_type, answer.body)
    };
    let (content_type, body) = open("&EIO=3");
    assert_eq!(content_type, "application/octet-stream");
    assert!(body.starts_with(&[0]) && body.ends_with(&[1, 4, 255, 4, 1, 2, 255]), "{body:?}");
    for (query, end) in [("&EIO=3&b64=1", "6:b4AQL/"), ("&EIO=4", "\u{1e}bAQL/")] {
        let (content_type, body) = open(query);
        assert_eq!(content_type, "text/plain; charset=UTF-8");
        assert!(body.ends_with(end.as_bytes()), "{body:?}");
    }
    let (_, body) = open("&EIO=3&j=0");
    assert!(body.ends_with(b"6:b4AQL/\");"), "{:?}", String::from_utf8_lossy(&body));
}
