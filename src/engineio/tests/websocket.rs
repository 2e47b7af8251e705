//! Sessions that begin on a WebSocket.

use super::*;

#[test]
fn messages_both_ways_and_packets_without_meaning() {
    let mut driver = Driver::new();
    let (session, connection) = driver.open_websocket();
    for text in ["4a", "0", "5", "6", "3", "1", "bAQID"] {
        driver.text(session, connection, text);
    }
    driver.packet(session, connection, RawPacket::Binary(&[7]));
    driver.send(session, "b");
    assert_eq!(driver.incoming, ["a", "[1, 2, 3]", "[7]"]);
    assert_eq!(driver.events(), ["1 < 4b"]);
    assert!(driver.engine.is_open(session));
}

#[test]
fn a_ping_or_an_invalid_packet_closes() {
    for (text, line) in [
        ("2", "closed transport_error (invalid heartbeat direction)"),
        ("2probe", "closed transport_error (invalid heartbeat direction)"),
        ("", "closed parse_error"),
        ("x", "closed parse_error"),
    ] {
        let mut driver = Driver::new();
        let (session, connection) = driver.open_websocket();
        driver.queue(session, "before");
        driver.packet(session, connection, RawPacket::Text(text));
        assert!(!driver.queue(session, "after"));
        driver.settle();
        assert_eq!(driver.events(), ["1 < 4before", "1 close", line], "{text:?}");
        driver.text(session, connection, "4late");
        driver.lose(session, connection, Lost::Eof);
        assert!(driver.events().is_empty() && driver.incoming.is_empty());
    }
}

#[test]
fn losses_and_their_reasons() {
    for (how, lines) in [
        (Lost::Eof, vec!["closed transport_close"]),
        (Lost::CloseFrame, vec!["closed transport_close"]),
        (Lost::Reset, vec!["closed transport_error (read ECONNRESET)"]),
        (
            Lost::Failure(1009),
            vec!["1 close 1009", "closed transport_error (Max payload size exceeded)"],
        ),
        (
            Lost::Failure(1002),
            vec!["1 close 1002", "closed transport_error (Invalid WebSocket frame)"],
        ),
    ] {
        let mut driver = Driver::new();
        let (session, connection) = driver.open_websocket();
        let stranger = driver.connect();
        driver.lose(session, stranger, Lost::Eof);
        driver.text(session, stranger, "4stranger");
        assert!(driver.events().is_empty() && driver.incoming.is_empty());
        driver.lose(session, connection, how);
        assert_eq!(driver.events(), lines);
        assert_eq!(driver.engine.len(), 0);
    }
}

#[test]
fn a_failure_after_the_end_still_gets_its_close_frame() {
    let mut driver = Driver::new();
    let (session, connection) = driver.open_websocket();
    driver.lose(session, connection, Lost::Eof);
    driver.events();
    driver.lose(session, connection, Lost::Failure(1007));
    assert_eq!(driver.events(), ["1 close 1007"]);
}

#[test]
fn requests_for_a_websocket_session_are_refused() {
    let mut driver = Driver::new();
    let (session, _) = driver.open_websocket();
    driver.get(session);
    driver.begin_post(session);
    assert_eq!(driver.events(), ["2 400 ", "3 400 "]);
}

#[test]
fn a_websocket_may_be_replaced_by_another_once() {
    let mut driver = Driver::new();
    let (session, first) = driver.open_websocket();
    let second = driver.probe(session);
    driver.text(session, second, "2probe");
    driver.advance_ms(500);
    driver.text(session, second, "5");
    assert_eq!(driver.events(), ["2 < 3probe", "1 close", "upgraded 2"]);
    driver.lose(session, first, Lost::Eof);
    driver.send(session, "a");
    assert_eq!(driver.events(), ["2 < 4a"]);
    driver.probe(session);
    assert_eq!(driver.events(), ["3 close"]);
    assert_eq!(driver.engine.websocket_len(), 1);
}
