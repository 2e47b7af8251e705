//! Connections: lost, refused or half dead ones are counted, and none counts as open that isn't.
//!
//! ```text
//! {"connections":{"wanted":10,"connected":9,"failed":1,"lost":0,..}}
//! ```

use std::time::Duration;

use crate::run::{Bench, side_by_side};
use crate::server::{Deed, Ending, Refusal, Script, ScriptedServer};

const TRAFFIC: &str = "--clients 10 --rate 40 --duration 500ms --warmup 0s --drain 500ms";

#[test]
fn closed_connections_are_lost() {
    side_by_side([Ending::Frame, Ending::EndOfFile, Ending::Reset], |ending| {
        let script = Script::new().at(53, Deed::Close(ending)).at(77, Deed::Close(ending));
        let server = ScriptedServer::start(script);
        let outcome = Bench::new("broadcast", &server.url()).args(TRAFFIC).run();
        let record = server.stop();
        assert_eq!(record.closed, 2);
        assert_eq!(outcome.number("/connections/lost"), 2, "{ending:?}");
        assert_eq!(outcome.number("/connections/connected"), 10);
        let written = record.deliveries.iter().filter(|delivery| delivery.written.is_some());
        assert_eq!(outcome.number("/traffic/received"), written.count() as u64);
        outcome.expect_invalid("lost");
    });
}

#[test]
fn who_is_closed_with_its_last_delivery_is_lost_too() {
    side_by_side([Ending::Frame, Ending::EndOfFile, Ending::Reset], |ending| {
        let script = Script::new().at(53, Deed::CloseAfter(ending));
        let server = ScriptedServer::start(script);
        let outcome = Bench::new("broadcast", &server.url()).args(TRAFFIC).run();
        assert_eq!(server.stop().closed, 1);
        assert_eq!(outcome.number("/connections/lost"), 1, "{ending:?}");
        outcome.expect_invalid("lost");
    });
}

#[test]
fn refused_connects_are_failures() {
    side_by_side(
        [Refusal::Unavailable, Refusal::Namespace, Refusal::Reset, Refusal::Silence],
        |refusal| {
            let script = Script::new().refuse(3, refusal).refuse(7, refusal);
            let server = ScriptedServer::start(script);
            let outcome = Bench::new("broadcast", &server.url())
                .args(TRAFFIC)
                .args("--connect-timeout 1s")
                .run();
            let record = server.stop();
            assert_eq!(record.refused, 2, "{refusal:?}");
            assert_eq!(outcome.number("/connections/failed"), 2, "{refusal:?}");
            assert_eq!(outcome.number("/connections/connected"), record.joined, "{refusal:?}");
            assert!(outcome.report["connections"]["failures"][0]["count"].as_u64() >= Some(1));
            outcome.expect_invalid("connect");
        },
    );
}

#[test]
fn who_is_closed_while_others_connect_is_lost_and_keeps_nobody_waiting() {
    let server = ScriptedServer::start(Script::new().refuse(3, Refusal::Eviction));
    let outcome = Bench::new("broadcast", &server.url()).args(TRAFFIC).run();
    assert_eq!(server.stop().joined, 10);
    assert_eq!(outcome.number("/connections/lost"), 1);
    outcome.expect_invalid("lost");
}

#[test]
fn pings_are_answered_and_counted() {
    let (interval, timeout) = (Duration::from_millis(200), Duration::from_secs(2));
    side_by_side(["websocket", "polling", "upgrade"], |transport| {
        let server = ScriptedServer::start(Script::new().heartbeat(interval, timeout));
        let outcome = Bench::new("idle", &server.url())
            .args("--clients 10 --duration 1s --warmup 0s")
            .args("--transport")
            .args(transport)
            .run();
        let record = server.stop();
        outcome.expect_valid();
        assert_eq!(record.pongs_missed, 0, "{transport}");
        assert!(record.pongs >= 20, "{transport}: {}", record.pongs);
        let told = outcome.number("/connections/pings");
        // Pings on their way at the end are answered or not.
        assert!((record.pongs..=record.pings).contains(&told), "{transport}: {told}");
    });
}

#[test]
fn a_server_without_a_pulse_is_left() {
    let heartbeat = Duration::from_millis(200);
    let server = ScriptedServer::start(Script::new().heartbeat(heartbeat, heartbeat).pulseless());
    let outcome =
        Bench::new("idle", &server.url()).args("--clients 5 --duration 2s --warmup 0s").run();
    assert_eq!(outcome.number("/connections/lost"), 5, "{}", outcome.reasons());
    outcome.expect_invalid("lost");
}

#[test]
fn nobody_listening_is_a_sentence_and_no_report() {
    let server = ScriptedServer::start(Script::new());
    let url = server.url();
    drop(server);
    let outcome = Bench::new("idle", &url).args("--clients 3 --duration 1s").run();
    assert_eq!(outcome.number("/connections/connected"), 0);
    assert_eq!(outcome.number("/connections/failed"), 3);
    outcome.expect_invalid("connect");
}
