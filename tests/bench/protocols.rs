//! Clients of Socket.IO 2, and those of a bare WebSocket: each scenario that there is for them, and
//! the same truth about it.
//!
//! ```text
//! throng bench idle --protocol socket-io-v2     > 2  < 3  after each interval
//! ```

use std::time::Duration;

use crate::run::{Bench, Outcome, assert_between, side_by_side};
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

/// Runs as a bare WebSocket, against a server that passes on what it gets.
fn run_bare(line: &str) -> (Outcome, Record) {
    run_valid(Script::new().passes_on(), &format!("{line} --protocol websocket"))
}

/// Over each transport, with nothing else and with attachments.
fn in_each_form(check: impl Fn(&str, &str) + Sync) {
    let forms = TRANSPORTS.map(|transport| [(transport, ""), (transport, "--binary")]);
    side_by_side(forms.into_iter().flatten(), |(transport, form)| check(transport, form));
}

#[test]
fn v2_clients_hear_every_broadcast() {
    in_each_form(|transport, form| {
        let (outcome, record) = run_v2(&format!(
            "broadcast --clients 10 --rate 40 --duration 500ms {form} --transport {transport}"
        ));
        assert_eq!(outcome.number("/traffic/sent"), 20, "{form} {transport}");
        assert_heard(&outcome, &record, transport, ("delivery", 200));
    });
}

#[test]
fn v2_clients_are_answered() {
    in_each_form(|transport, form| {
        let (outcome, record) = run_v2(&format!(
            "ack --clients 5 --rate 200 --duration 500ms {form} --transport {transport}"
        ));
        assert_eq!(outcome.number("/traffic/sent"), 100, "{form} {transport}");
        assert_heard(&outcome, &record, transport, ("round-trip", 100));
    });
}

fn assert_heard(
    outcome: &Outcome,
    record: &Record,
    transport: &str,
    (measure, expected): (&str, u64),
) {
    assert_eq!(outcome.number("/traffic/received"), expected, "{transport}");
    assert_eq!(record.due(), expected, "{transport}");
    let upgraded = if transport == "upgrade" { record.joined } else { 0 };
    assert_eq!(record.upgraded, upgraded, "{transport}");
    assert_between(&outcome.samples(measure), &record.latency_bounds());
}

#[test]
fn v2_clients_do_all_that_others_do() {
    let connect = || {
        let (outcome, _) = run_v2("connect --clients 20 --transport upgrade");
        assert_eq!(outcome.samples("connect").len(), 20);
    };
    let echo = || {
        let (outcome, _) =
            run_v2("echo --clients 5 --rate 200 --duration 500ms --transport polling");
        assert_eq!(outcome.number("/traffic/received"), 100);
    };
    let storm = || {
        let (outcome, record) = run_v2("storm --clients 20 --duration 500ms --transport upgrade");
        assert_eq!((outcome.number("/connections/reconnected"), record.joined), (20, 40));
    };
    let rooms = || {
        let (outcome, record) = run_v2(
            "rooms --clients 12 --rooms 3 --sizes equal --rate 60 --duration 500ms \
             --transport polling",
        );
        assert_eq!(outcome.number("/traffic/received"), 30 * 4);
        assert_eq!(record.events("room").count(), 30);
    };
    let mixed = || {
        let (outcome, record) = run_v2(
            "mixed --clients 12 --askers 2 --rate 20 --ask-rate 100 --duration 500ms \
             --transport upgrade",
        );
        let asked = record.events("ack-echo").count() as u64;
        assert_eq!(outcome.number("/traffic/received"), asked + 10 * 12);
    };
    let slow = || {
        let (outcome, _) = run_v2("slow --clients 10 --share 0.2 --rate 40 --duration 500ms");
        assert_eq!(outcome.number("/traffic/received"), 20 * 8);
    };
    let churn = || {
        let (outcome, _) = run_v2(
            "churn --clients 10 --share 0.5 --churn-rate 20 --rate 20 --duration 1s \
             --transport polling",
        );
        assert!(outcome.number("/connections/reconnected") >= 5);
        assert_eq!(outcome.number("/traffic/received"), 20 * 5);
    };
    let cases: [fn(); 7] = [connect, echo, storm, rooms, mixed, slow, churn];
    side_by_side(cases, |case| case());
}

#[test]
fn v2_clients_join_a_namespace() {
    side_by_side(TRANSPORTS, |transport| {
        let line = "broadcast --clients 10 --rate 40 --duration 500ms --namespace /news";
        let (outcome, record) = run_v2(&format!("{line} --transport {transport}"));
        assert_eq!(outcome.number("/traffic/received"), 200, "{transport}");
        assert_eq!(record.joined, 10);
    });
}

#[test]
fn v2_clients_ping_and_are_answered() {
    let (interval, timeout) = (Duration::from_millis(200), Duration::from_secs(2));
    side_by_side(TRANSPORTS, |transport| {
        let (outcome, record) = run_valid(
            Script::new().heartbeat(interval, timeout),
            &format!(
                "idle --clients 10 --duration 1s --warmup 0s --protocol socket-io-v2 \
                 --transport {transport}"
            ),
        );
        assert_eq!(record.pongs_missed, 0, "{transport}");
        assert!(record.pings >= 20, "{transport}: {}", record.pings);
        // Not more often than the server has asked for, in the run and what stands around it.
        let phases = ["connect", "measured", "drain"];
        let seconds = phases.map(|phase| outcome.decimal(&format!("/phases/{phase}_seconds")));
        let most = 10.0 * ((seconds.iter().sum::<f64>() + 1.5) / interval.as_secs_f64() + 1.0);
        let pings = f64::from(u32::try_from(record.pings).unwrap());
        assert!(pings < most, "{transport}: {pings} of {most}");
        let told = outcome.number("/connections/pings");
        // Pongs on their way at the end are counted or not.
        assert!((record.pongs - 10..=record.pongs).contains(&told), "{transport}: {told}");
    });
}

#[test]
fn a_server_that_answers_no_ping_is_left() {
    let heartbeat = Duration::from_millis(400);
    side_by_side(TRANSPORTS, |transport| {
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
    });
}

#[test]
fn v2_faults_are_told() {
    let line = |transport: &str| {
        format!(
            "broadcast --clients 10 --rate 40 --duration 500ms --warmup 0s --drain 500ms \
             --protocol socket-io-v2 --transport {transport}"
        )
    };
    let deliveries = |transport: &str| {
        let script = Script::new().at(53, Deed::Drop).at(71, Deed::Corrupt(30));
        let (outcome, _) = run(script, &line(transport));
        // What is corrupted is missing too.
        assert_eq!(outcome.faults(), [2, 0, 0, 1, 0], "{transport}");
    };
    let ends = |transport: &str| {
        let script = Script::new().at(53, Deed::Close(Ending::Frame));
        let (outcome, record) = run(script, &line(transport));
        assert_eq!(outcome.number("/connections/lost"), record.closed, "{transport}");
    };
    let refusals = |transport: &str| {
        let (outcome, _) = run(Script::new().refuse(3, Refusal::Namespace), &line(transport));
        assert_eq!(outcome.number("/connections/failed"), 1, "{transport}");
        outcome.expect_invalid("refused by the namespace");
    };
    let checks: [&(dyn Fn(&str) + Sync); 3] = [&deliveries, &ends, &refusals];
    let cases = TRANSPORTS.map(|transport| checks.map(|check| (check, transport)));
    side_by_side(cases.into_iter().flatten(), |(check, transport)| check(transport));
}

#[test]
fn a_bare_websocket_echoes_or_passes_on() {
    let echo = || {
        let (outcome, record) = run_valid(
            Script::new(),
            "echo --protocol websocket --clients 5 --rate 200 --duration 500ms --warmup 0s",
        );
        assert_eq!(outcome.report["plan"]["protocol"], "websocket");
        assert_eq!(outcome.report["plan"]["path"], "/");
        assert_eq!(outcome.number("/traffic/received"), 100);
        assert_between(&outcome.samples("round-trip"), &record.latency_bounds());
    };
    let pass_on = |payload: &str| {
        let (outcome, record) = run_bare(&format!(
            "broadcast --path /ws --clients 10 --publishers 2 --rate 40 --duration 500ms \
             --warmup 0s --payload {payload}"
        ));
        assert_eq!((outcome.number("/traffic/received"), record.due()), (200, 200));
        assert_between(&outcome.samples("delivery"), &record.latency_bounds());
    };
    side_by_side([None, Some("64"), Some("5000"), Some("70000")], |payload| match payload {
        None => echo(),
        Some(payload) => pass_on(payload),
    });
}

#[test]
fn a_bare_websocket_is_held_left_and_opened_again() {
    let connect = || {
        let (outcome, record) = run_bare("connect --clients 20 --duration 500ms");
        assert_eq!((outcome.samples("connect").len(), record.joined), (20, 20));
    };
    let idle = || {
        let (outcome, _) = run_bare("idle --clients 20 --duration 500ms --warmup 0s");
        assert_eq!(outcome.number("/connections/connected"), 20);
    };
    let storm = || {
        let (outcome, record) = run_bare("storm --clients 20 --duration 500ms --warmup 0s");
        assert_eq!((outcome.number("/connections/reconnected"), record.joined), (20, 40));
    };
    let slow = || {
        let (outcome, _) =
            run_bare("slow --clients 10 --share 0.2 --rate 40 --duration 500ms --warmup 0s");
        assert_eq!(outcome.number("/traffic/received"), 20 * 8);
    };
    let churn = || {
        let (outcome, _) = run_bare(
            "churn --clients 10 --share 0.5 --churn-rate 20 --rate 20 --duration 1s --warmup 0s",
        );
        assert!(outcome.number("/connections/reconnected") >= 5);
        assert_eq!(outcome.number("/traffic/received"), 20 * 5);
    };
    let cases: [fn(); 5] = [connect, idle, storm, slow, churn];
    side_by_side(cases, |case| case());
}

#[test]
fn faults_on_a_bare_websocket_are_told() {
    let cases = [
        (Deed::Drop, [1, 0, 0, 0, 0]),
        (Deed::Twice, [0, 1, 0, 0, 0]),
        (Deed::Swap, [0, 0, 1, 0, 0]),
        (Deed::Corrupt(30), [1, 0, 0, 1, 0]),
        (Deed::Truncate(2), [1, 0, 0, 1, 0]),
        (Deed::Extend(2), [1, 0, 0, 1, 0]),
        (Deed::FormerRun, [0, 0, 0, 0, 1]),
        (Deed::Fragment, [0; 5]),
    ];
    side_by_side(cases, |(deed, faults)| {
        let (outcome, _) = run(Script::new().passes_on().at(53, deed), BARE_FAULTS);
        assert_eq!(outcome.faults(), faults, "{deed:?}");
    });
}

#[test]
fn a_bare_websocket_that_is_reset_is_lost() {
    let script = Script::new().passes_on().at(53, Deed::Close(Ending::Reset));
    assert_eq!(run(script, BARE_FAULTS).0.number("/connections/lost"), 1);
}

const TRANSPORTS: [&str; 3] = ["websocket", "polling", "upgrade"];
const BARE_FAULTS: &str = "broadcast --protocol websocket --clients 10 --rate 40 \
                           --duration 500ms --warmup 0s --drain 500ms";
