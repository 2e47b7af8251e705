//! How sessions end: by the peer, by the host, by a mistake.

use super::*;

const REASON: DisconnectReason = DisconnectReason::ForcedClose;

#[test]
fn a_websocket_is_closed_after_what_was_said() {
    let mut driver = Driver::new();
    let (session, connection) = driver.open_websocket();
    driver.queue(session, "bye");
    driver.close(session, Close::Graceful, REASON);
    assert_eq!(driver.events(), ["1 < 4bye", "1 close", "closed forced_close"]);
    driver.close(session, Close::Graceful, REASON);
    driver.close(session, Close::Discard, REASON);
    driver.lose(session, connection, Lost::CloseFrame);
    driver.advance_ms(60_000);
    assert!(driver.events().is_empty());
    assert_eq!((driver.engine.len(), driver.outboxes.bytes_total()), (0, 0));
}

#[test]
fn a_websocket_is_discarded_without_it() {
    let mut driver = Driver::new();
    let (session, _) = driver.open_websocket();
    driver.queue(session, "bye");
    driver.close(session, Close::Discard, DisconnectReason::ServerShuttingDown);
    assert_eq!(driver.events(), ["1 close", "closed server_shutting_down"]);
    assert_eq!(driver.outboxes.bytes_total(), 0);
}

#[test]
fn a_peer_that_does_not_read_gets_no_more_after_a_violation() {
    let mut driver = Driver::new();
    let (session, connection) = driver.open_websocket();
    driver.queue(session, "a");
    driver.outboxes.set_blocked(session, true);
    driver.packet(session, connection, RawPacket::Text("x"));
    driver.settle();
    assert_eq!(driver.events(), ["1 close", "closed parse_error"]);
}

#[test]
fn a_held_get_is_told_at_once() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.get(session);
    driver.close(session, Close::Graceful, REASON);
    assert_eq!(driver.events(), ["2 200 1", "closed forced_close"]);
}

#[test]
fn a_held_get_takes_what_was_said_and_the_next_is_told() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.get(session);
    driver.queue(session, "1bye");
    driver.close(session, Close::Graceful, REASON);
    assert_eq!(driver.events(), ["2 200 41bye"]);
    assert!(!driver.engine.is_open(session));
    assert!(!driver.queue(session, "late"));
    driver.get(session);
    assert_eq!(driver.events(), ["3 200 6|1", "closed forced_close"]);
}

#[test]
fn without_a_get_the_next_one_is_told() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.close(session, Close::Graceful, REASON);
    assert!(driver.events().is_empty());
    driver.post(session, "4late\x1e3\x1ex\x1e2");
    assert_eq!(driver.events(), ["2 200 ok"]);
    assert!(driver.incoming.is_empty());
    driver.get(session);
    assert_eq!(driver.events(), ["3 200 6|1", "closed forced_close"]);
}

#[test]
fn without_a_get_what_waits_comes_first() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.send(session, "a");
    driver.close(session, Close::Graceful, REASON);
    driver.send(session, "late");
    driver.get(session);
    assert_eq!(driver.events(), ["2 200 4a"]);
    driver.get(session);
    assert_eq!(driver.events(), ["3 200 6|1", "closed forced_close"]);
    assert_eq!(driver.outboxes.bytes_total(), 0);
}

#[test]
fn a_buffered_ping_waits_too() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.advance_ms(4_000);
    driver.close(session, Close::Graceful, REASON);
    driver.get(session);
    assert_eq!(driver.events(), ["2 200 2"]);
    driver.get(session);
    assert_eq!(driver.events(), ["3 200 6|1", "closed forced_close"]);
}

#[test]
fn nobody_is_told_after_thirty_seconds() {
    let mut driver = Driver::with(|config| config.ping_interval = Duration::from_secs(60));
    let session = driver.open_polling();
    driver.close(session, Close::Graceful, REASON);
    driver.advance_ms(29_999);
    assert!(driver.events().is_empty());
    driver.advance_ms(1);
    assert_eq!(driver.events(), ["closed forced_close"]);
}

#[test]
fn the_heartbeat_goes_on_in_silence() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.send(session, "a");
    driver.close(session, Close::Graceful, REASON);
    driver.advance_ms(7_000);
    assert_eq!(driver.events(), ["closed ping_timeout"]);
    assert_eq!((driver.engine.len(), driver.outboxes.bytes_total()), (0, 0));
}

#[test]
fn a_closing_session_may_still_be_closed_otherwise() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.close(session, Close::Graceful, REASON);
    driver.close(session, Close::Graceful, REASON);
    driver.post(session, "1");
    assert_eq!(driver.events(), ["2 200 ok", "closed transport_close"]);
    let session = driver.open_polling();
    driver.close(session, Close::Graceful, REASON);
    driver.close(session, Close::Discard, DisconnectReason::ServerShuttingDown);
    assert_eq!(driver.events(), ["closed server_shutting_down"]);
}

#[test]
fn discarding_answers_a_held_get_and_destroys_a_post() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.get(session);
    driver.begin_post(session);
    driver.queue(session, "dropped");
    driver.close(session, Close::Discard, DisconnectReason::SlowConsumerHard);
    assert_eq!(driver.events(), ["3 destroy", "2 200 1", "closed slow_consumer_hard"]);
    assert_eq!(driver.outboxes.bytes_total(), 0);
}
