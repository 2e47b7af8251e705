//! Clients of Socket.IO 2, and those of a bare WebSocket: each scenario that there is for them, and
//! the same truth about it.
//!
//! ```text
//! throng bench idle --protocol socket-io-v2     > 2  < 3  after each interval
//! ```

use std::time::Duration;

use crate::run::{Bench, Outcome, assert_between};
use crate::server::{Deed, Ending, Record, Refusal, Script, ScriptedServer};

fn run(script: Script, line: &str) -> (Outcome, Record) {
    let (scenario, options) = line.split_once(' ').expect("a scenario and its options");
    let server = ScriptedServer::start(script);
    let outcome = Bench::new(scenario, &server.url()).args(options).run();
    (outcome, server.stop())
}

fn run_valid(script: Script, line: &str) -> (Outcome, Record) {
    let (outcome, record) = run(script, line);
    outcome.expect_valid();
    (outcome, record)
}

/// Runs with the traffic that a scenario has, as a client of Socket.IO 2.
fn run_v2(line: &str) -> (Outcome, Record) {
    let (outcome, record) =
        run_valid(Script::new(), &format!("{line} --protocol socket-io-v2 --warmup 0s"));
    assert_eq!(outcome.report["plan"]["protocol"], "socket-io-v2");
    (outcome, record)
}

#[test]
fn v2_clients_hear_every_broadcast_and_answer() {
    for (line, sent, expected) in [
        ("broadcast --clients 10 --rate 20 --duration 1s", 20, 200),
        ("ack --clients 5 --rate 100 --duration 1s", 100, 100),
    ] {
        for form in ["", "--binary"] {
            for transport in TRANSPORTS {
                let (outcome, record) = run_v2(&format!("{line} {form} --transport {transport}"));
                assert_eq!(outcome.number("/traffic/sent"), sent, "{line} {form} {transport}");
                assert_eq!(outcome.number("/traffic/received"), expected);
                assert_eq!(record.due(), expected);
                let upgraded = if transport == "upgrade" { record.joined } else { 0 };
                assert_eq!(record.upgraded, upgraded);
                let measure = if line.starts_with("broadcast") { "delivery" } else { "round-trip" };
                assert_between(&outcome.samples(measure), &record.latency_bounds());
            }
        }
    }
}

#[test]
fn v2_clients_do_all_that_others_do() {
    let (outcome, _) = run_v2("connect --clients 20 --transport upgrade");
    assert_eq!(outcome.samples("connect").len(), 20);
    let (outcome, _) = run_v2("echo --clients 5 --rate 100 --duration 1s --transport polling");
    assert_eq!(outcome.number("/traffic/received"), 100);
    let (outcome, record) = run_v2("storm --clients 20 --duration 1s --transport upgrade");
    assert_eq!((outcome.number("/connections/reconnected"), record.joined), (20, 40));
    let (outcome, record) = run_v2(
        "rooms --clients 12 --rooms 3 --sizes equal --rate 30 --duration 1s --transport polling",
    );
    assert_eq!(outcome.number("/traffic/received"), 30 * 4);
    assert_eq!(record.events("room").count(), 30);
    let (outcome, record) = run_v2(
        "mixed --clients 12 --askers 2 --rate 10 --ask-rate 50 --duration 1s --transport upgrade",
    );
    let asked = record.events("ack-echo").count() as u64;
    assert_eq!(outcome.number("/traffic/received"), asked + 10 * 12);
    let (outcome, _) = run_v2("slow --clients 10 --share 0.2 --rate 20 --duration 1s");
    assert_eq!(outcome.number("/traffic/received"), 20 * 8);
    let (outcome, _) = run_v2(
        "churn --clients 10 --share 0.5 --churn-rate 20 --rate 20 --duration 1s \
         --transport polling",
    );
    assert!(outcome.number("/connections/reconnected") >= 5);
    assert_eq!(outcome.number("/traffic/received"), 20 * 5);
}

#[test]
fn v2_clients_join_a_namespace() {
    for transport in TRANSPORTS {
        let line = "broadcast --clients 10 --rate 20 --duration 1s --namespace /news";
        let (outcome, record) = run_v2(&format!("{line} --transport {transport}"));
        assert_eq!(outcome.number("/traffic/received"), 200, "{transport}");
        assert_eq!(record.joined, 10);
    }
}

#[test]
fn v2_clients_ping_and_are_answered() {
    let (interval, timeout) = (Duration::from_millis(300), Duration::from_secs(2));
    for transport in TRANSPORTS {
        let (outcome, record) = run_valid(
            Script::new().heartbeat(interval, timeout),
            &format!(
                "idle --clients 10 --duration 2s --warmup 0s --protocol socket-io-v2 \
                 --transport {transport}"
            ),
        );
        assert_eq!(record.pongs_missed, 0, "{transport}");
        // Not more often than the server asked for, in the two seconds and what stands around them.
        assert!((20..=130).contains(&record.pings), "{transport}: {}", record.pings);
        let told = outcome.number("/connections/pings");
        // Pongs on their way at the end are counted or not.
        assert!((record.pongs - 10..=record.pongs).contains(&told), "{transport}: {told}");
    }
}

#[test]
fn a_server_that_answers_no_ping_is_left() {
    let heartbeat = Duration::from_millis(400);
    for transport in TRANSPORTS {
        // It closes whoever is silent, and these are not.
        let (outcome, record) = run(
            Script::new().heartbeat(heartbeat, heartbeat).pulseless(),
            &format!(
                "idle --clients 5 --duration 3s --warmup 0s --protocol socket-io-v2 \
                 --transport {transport}"
            ),
        );
        assert_eq!(record.pings, 5, "{transport}");
        assert_eq!(outcome.number("/connections/lost"), 5, "{}", outcome.reasons());
        outcome.expect_invalid("lost");
    }
}

#[test]
fn v2_faults_are_told() {
    for transport in TRANSPORTS {
        let line = format!(
            "broadcast --clients 10 --rate 20 --duration 1s --warmup 0s --drain 500ms \
             --protocol socket-io-v2 --transport {transport}"
        );
        let script = Script::new().at(53, Deed::Drop).at(71, Deed::Corrupt(30));
        let (outcome, _) = run(script, &line);
        // What is corrupted is missing too.
        assert_eq!(outcome.faults(), [2, 0, 0, 1, 0], "{transport}");
        let (outcome, record) = run(Script::new().at(53, Deed::Close(Ending::Frame)), &line);
        assert_eq!(outcome.number("/connections/lost"), record.closed, "{transport}");
        let (outcome, _) = run(Script::new().refuse(3, Refusal::Namespace), &line);
        assert_eq!(outcome.number("/connections/failed"), 1, "{transport}");
        outcome.expect_invalid("refused by the namespace");
    }
}

#[test]
fn a_bare_websocket_echoes_or_passes_on() {
    let (outcome, record) = run_valid(
        Script::new(),
        "echo --protocol websocket --clients 5 --rate 100 --duration 1s --warmup 0s",
    );
    assert_eq!(outcome.report["plan"]["protocol"], "websocket");
    assert_eq!(outcome.report["plan"]["path"], "/");
    assert_eq!(outcome.number("/traffic/received"), 100);
    assert_between(&outcome.samples("round-trip"), &record.latency_bounds());
    for payload in ["64", "5000", "70000"] {
        let (outcome, record) = run_valid(
            Script::new().passes_on(),
            &format!(
                "broadcast --protocol websocket --path /ws --clients 10 --publishers 2 --rate 20 \
                 --duration 1s --warmup 0s --payload {payload}"
            ),
        );
        assert_eq!((outcome.number("/traffic/received"), record.due()), (200, 200));
        assert_between(&outcome.samples("delivery"), &record.latency_bounds());
    }
}

#[test]
fn a_bare_websocket_is_held_left_and_opened_again() {
    let bare =
        |line: &str| run_valid(Script::new().passes_on(), &format!("{line} --protocol websocket"));
    let (outcome, record) = bare("connect --clients 20 --duration 1s");
    assert_eq!((outcome.samples("connect").len(), record.joined), (20, 20));
    let (outcome, _) = bare("idle --clients 20 --duration 1s --warmup 0s");
    assert_eq!(outcome.number("/connections/connected"), 20);
    let (outcome, record) = bare("storm --clients 20 --duration 1s --warmup 0s");
    assert_eq!((outcome.number("/connections/reconnected"), record.joined), (20, 40));
    let (outcome, _) = bare("slow --clients 10 --share 0.2 --rate 20 --duration 1s --warmup 0s");
    assert_eq!(outcome.number("/traffic/received"), 20 * 8);
    let churn =
        "churn --clients 10 --share 0.5 --churn-rate 20 --rate 20 --duration 1s --warmup 0s";
    let (outcome, _) = bare(churn);
    assert!(outcome.number("/connections/reconnected") >= 5);
    assert_eq!(outcome.number("/traffic/received"), 20 * 5);
}

#[test]
fn faults_on_a_bare_websocket_are_told() {
    let line = "broadcast --protocol websocket --clients 10 --rate 20 --duration 1s --warmup 0s \
                --drain 500ms";
    let faulty = |number, deed| run(Script::new().passes_on().at(number, deed), line).0;
    assert_eq!(faulty(53, Deed::Drop).faults(), [1, 0, 0, 0, 0]);
    assert_eq!(faulty(53, Deed::Twice).faults(), [0, 1, 0, 0, 0]);
    assert_eq!(faulty(53, Deed::Swap).faults(), [0, 0, 1, 0, 0]);
    assert_eq!(faulty(53, Deed::Corrupt(30)).faults(), [1, 0, 0, 1, 0]);
    assert_eq!(faulty(53, Deed::Truncate(2)).faults(), [1, 0, 0, 1, 0]);
    assert_eq!(faulty(53, Deed::Extend(2)).faults(), [1, 0, 0, 1, 0]);
    assert_eq!(faulty(53, Deed::FormerRun).faults(), [0, 0, 0, 0, 1]);
    assert_eq!(faulty(53, Deed::Fragment).faults(), [0; 5]);
    assert_eq!(faulty(53, Deed::Close(Ending::Reset)).number("/connections/lost"), 1);
}

const TRANSPORTS: [&str; 3] = ["websocket", "polling", "upgrade"];
