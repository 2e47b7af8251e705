//! The upgrade from polling to WebSocket.

use super::*;

#[test]
fn the_dance() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.get(session);
    let probe = driver.probe(session);
    driver.text(session, probe, "2probe");
    assert_eq!(driver.events(), ["3 < 3probe"]);
    driver.advance_ms(99);
    assert!(driver.events().is_empty());
    driver.advance_ms(1);
    assert_eq!(driver.events(), ["2 200 6"]);
    driver.queue(session, "a");
    driver.queue(session, "b");
    driver.settle();
    driver.text(session, probe, "5");
    assert_eq!(driver.events(), ["upgraded 3", "3 < 4a", "3 < 4b"]);
    assert_eq!(driver.engine.transport(session), Some(Transport::WebSocket));
    assert_eq!((driver.engine.len(), driver.engine.websocket_len()), (1, 1));
    driver.text(session, probe, "4c");
    driver.send(session, "d");
    assert_eq!(driver.incoming, ["c"]);
    assert_eq!(driver.events(), ["3 < 4d"]);
    driver.probe(session);
    assert_eq!(driver.events(), ["4 close"]);
    assert_eq!(driver.engine.counters().upgrades, 1);
}

#[test]
fn every_get_gets_its_noop_until_the_upgrade_ends() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    let probe = driver.probe(session);
    driver.text(session, probe, "2probe");
    driver.events();
    for connection in 3..6 {
        driver.get(session);
        assert!(driver.events().is_empty());
        driver.advance_ms(100);
        assert_eq!(driver.events(), [format!("{connection} 200 6")]);
    }
    driver.get(session);
    driver.send(session, "a");
    assert_eq!(driver.events(), ["6 200 4a"]);
    driver.post(session, "4b");
    assert_eq!(driver.events(), ["7 200 ok"]);
}

#[test]
fn no_noop_before_the_probe_and_none_after() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.get(session);
    let probe = driver.probe(session);
    driver.advance_ms(1_000);
    assert!(driver.events().is_empty());
    driver.text(session, probe, "2probe");
    driver.lose(session, probe, Lost::Eof);
    driver.advance_ms(1_000);
    assert_eq!(driver.events(), ["3 < 3probe"]);
}

#[test]
fn an_upgrade_without_a_probe_and_requests_underway() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.get(session);
    let (post, _) = driver.begin_post(session);
    let probe = driver.probe(session);
    driver.text(session, probe, "5");
    assert_eq!(driver.events(), ["2 200 1", "3 destroy", "upgraded 4"]);
    driver.text(session, post, "4late");
    assert!(driver.incoming.is_empty());
    driver.lose(session, post, Lost::Eof);
    assert!(driver.engine.is_open(session));
}

#[test]
fn other_packets_close_the_probe_only() {
    for text in ["4a", "2", "2probe2", "3", "6", "1", "", "x", "0"] {
        let mut driver = Driver::new();
        let session = driver.open_polling();
        let probe = driver.probe(session);
        driver.text(session, probe, text);
        assert_eq!(driver.events(), ["2 close"], "{text:?}");
        for late in ["4late", "5", "x", "1"] {
            driver.text(session, probe, late);
        }
        driver.lose(session, probe, Lost::CloseFrame);
        assert_eq!(driver.engine.transport(session), Some(Transport::Polling));
        assert!(driver.incoming.is_empty());
        driver.get(session);
        driver.send(session, "b");
        assert_eq!(driver.events(), ["3 200 4b"]);
    }
}

#[test]
fn a_probe_that_breaks_the_protocol_is_told() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    let probe = driver.probe(session);
    driver.lose(session, probe, Lost::Failure(1002));
    assert_eq!(driver.events(), ["2 close 1002"]);
    assert!(driver.engine.is_open(session));
}

#[test]
fn a_probe_takes_ten_seconds_at_most_then_another_may() {
    let mut driver = Driver::with(|config| {
        config.ping_interval = Duration::from_secs(25);
    });
    let session = driver.open_polling();
    driver.probe(session);
    driver.probe(session);
    assert_eq!(driver.events(), ["3 close"]);
    driver.advance_ms(9_999);
    assert!(driver.events().is_empty());
    driver.advance_ms(1);
    assert_eq!(driver.events(), ["2 close"]);
    let probe = driver.probe(session);
    driver.text(session, probe, "2probe");
    driver.text(session, probe, "5");
    assert_eq!(driver.events(), ["4 < 3probe", "upgraded 4"]);
    let counters = driver.engine.counters();
    assert_eq!((counters.probes_timed_out, counters.probes_refused), (1, 1));
}

#[test]
fn the_end_of_the_session_ends_the_probe() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.probe(session);
    driver.post(session, "1");
    assert_eq!(driver.events(), ["2 close", "3 200 ok", "closed transport_close"]);
    driver.probe(session);
    assert_eq!(driver.events(), ["4 close"]);
}

#[test]
fn a_buffered_ping_moves_along_in_its_place() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.send(session, "a");
    driver.advance_ms(4_000);
    driver.send(session, "b");
    let probe = driver.probe(session);
    driver.text(session, probe, "5");
    assert_eq!(driver.events(), ["2 < 4a", "2 < 2", "upgraded 2", "2 < 4b"]);
}

#[test]
fn a_close_that_waits_honours_the_upgrade() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    let probe = driver.probe(session);
    driver.queue(session, "bye");
    driver.close(session, Close::Graceful, DisconnectReason::ForcedClose);
    driver.text(session, probe, "2probe");
    driver.text(session, probe, "5");
    assert_eq!(driver.events(), ["2 < 3probe", "2 < 4bye", "2 close", "closed forced_close"]);
    assert_eq!(driver.outboxes.bytes_total(), 0);
}

#[test]
fn a_closing_session_may_begin_to_upgrade() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.close(session, Close::Graceful, DisconnectReason::ForcedClose);
    let probe = driver.probe(session);
    driver.text(session, probe, "2probe");
    driver.text(session, probe, "5");
    assert_eq!(driver.events(), ["2 < 3probe", "2 close", "closed forced_close"]);
    assert_eq!(driver.engine.websocket_len(), 0);
}
