//! Heartbeats in virtual time.

use super::*;

#[test]
fn pings_follow_the_last_pong() {
    let mut driver = Driver::new();
    let (session, connection) = driver.open_websocket();
    driver.advance_ms(4_000);
    assert_eq!(driver.events(), ["1 < 2"]);
    driver.advance_ms(1_000);
    driver.text(session, connection, "3");
    driver.advance_ms(3_999);
    assert!(driver.events().is_empty());
    driver.advance_ms(1);
    assert_eq!(driver.events(), ["1 < 2"]);
}

#[test]
fn an_unasked_pong_restarts_the_interval() {
    let mut driver = Driver::new();
    let (session, connection) = driver.open_websocket();
    driver.advance_ms(3_000);
    driver.text(session, connection, "3");
    driver.advance_ms(3_999);
    assert!(driver.events().is_empty());
    driver.advance_ms(1);
    assert_eq!(driver.events(), ["1 < 2"]);
}

#[test]
fn no_pong_in_time_ends_the_session() {
    let mut driver = Driver::new();
    driver.open_websocket();
    driver.advance_ms(6_999);
    driver.events();
    driver.advance_ms(1);
    assert_eq!(driver.events(), ["1 close", "closed ping_timeout"]);
    assert_eq!(driver.engine.counters().closed(DisconnectReason::PingTimeout), 1);
}

#[test]
fn a_packet_buys_time_once() {
    let mut driver = Driver::new();
    let (session, connection) = driver.open_websocket();
    driver.advance_ms(6_000);
    driver.text(session, connection, "4a");
    driver.advance_ms(2_000);
    driver.text(session, connection, "4b");
    driver.advance_ms(999);
    assert_eq!(driver.events(), ["1 < 2"]);
    driver.advance_ms(1);
    assert_eq!(driver.events(), ["1 close", "closed ping_timeout"]);
}

#[test]
fn polling_carries_the_ping_or_buffers_it_in_its_place() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.get(session);
    driver.advance_ms(4_000);
    assert_eq!(driver.events(), ["2 200 2"]);
    driver.post(session, "3");
    driver.send(session, "a");
    driver.advance_ms(4_000);
    driver.send(session, "b");
    driver.get(session);
    assert_eq!(driver.events(), ["3 200 ok", "4 200 4a|2|4b"]);
    driver.get(session);
    driver.advance_ms(3_000);
    assert_eq!(driver.events(), ["5 200 1", "closed ping_timeout"]);
}

#[test]
fn a_buffered_ping_alone_and_the_timeout_that_runs_all_the_same() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.advance_ms(4_000);
    driver.get(session);
    assert_eq!(driver.events(), ["2 200 2"]);
    let session = driver.open_polling();
    driver.advance_ms(7_000);
    assert!(!driver.engine.is_open(session));
    assert!(driver.events().iter().all(|line| line.starts_with("closed")));
}

#[test]
fn the_ping_goes_behind_what_is_queued_for_a_held_get() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.get(session);
    driver.queue(session, "a");
    driver.advance_ms(4_000);
    assert_eq!(driver.events(), ["2 200 4a|2"]);
}

#[test]
fn pongs_cost_no_new_deadline() {
    let mut driver = Driver::new();
    let (session, connection) = driver.open_websocket();
    let told = driver.deadline(session);
    for _ in 0..10 {
        driver.now += Duration::from_millis(100);
        driver.text(session, connection, "3");
        assert_eq!(driver.deadline(session), told);
    }
    driver.engine.handle_deadline(driver.now(), session, &mut driver.outboxes);
    driver.settle();
    assert_eq!(driver.deadline(session), Some(driver.now + Duration::from_secs(4)));
    assert!(driver.events().is_empty());
}

#[test]
fn the_upgrade_ends_the_wait_for_the_pong_but_not_the_heartbeat() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.get(session);
    driver.advance_ms(4_000);
    let probe = driver.probe(session);
    driver.text(session, probe, "5");
    driver.events();
    driver.advance_ms(3_999);
    assert!(driver.events().is_empty());
    driver.advance_ms(1);
    assert_eq!(driver.events(), ["3 < 2"]);
    driver.advance_ms(3_000);
    assert_eq!(driver.events(), ["3 close", "closed ping_timeout"]);
}

#[test]
fn the_upgrade_keeps_the_interval() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.advance_ms(3_000);
    let probe = driver.probe(session);
    driver.text(session, probe, "5");
    driver.events();
    driver.advance_ms(1_000);
    assert_eq!(driver.events(), ["2 < 2"]);
}

#[test]
fn a_server_that_was_late_gives_the_client_its_time() {
    let mut driver = Driver::new();
    let (session, connection) = driver.open_websocket();
    driver.now += Duration::from_secs(60);
    driver.advance_ms(0);
    assert_eq!(driver.events(), ["1 < 2"]);
    driver.advance_ms(2_999);
    driver.text(session, connection, "3");
    assert!(driver.engine.is_open(session));
}
