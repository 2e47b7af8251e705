//! Each scenario, transport and form of payload once, against a server without fault: the counts
//! are the server's own.
//!
//! ```text
//! throng bench rooms --rooms 3 --sizes zipf     expected = the sum of the members of each send
//! ```

use std::time::Duration;

use rustix::process::{Signal, kill_process};

use crate::run::{Bench, Outcome, assert_at_least, assert_between, side_by_side};
use crate::server::{Deed, Ending, Record, Refusal, Script, ScriptedServer};

/// Whether a run's times are held against the truth from above too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Times {
    /// The kernel stamps a receipt within the write of the server, whatever else the machine does.
    Matter,
    /// The generator stamps it when it gets to it.
    MatterAlone,
    AreAtLeastTrue,
}

impl Times {
    fn check(self, told: &[u64], (least, most): (Vec<u64>, Vec<u64>)) {
        match self {
            Self::Matter | Self::MatterAlone => assert_between(told, &(least, most)),
            Self::AreAtLeastTrue => assert_at_least(told, &least),
        }
    }
}

fn run(scenario: &str, arguments: &str) -> (Outcome, Record) {
    run_with(Script::new(), Times::AreAtLeastTrue, scenario, arguments)
}

fn run_with(script: Script, times: Times, scenario: &str, arguments: &str) -> (Outcome, Record) {
    let server = ScriptedServer::start(script);
    let bench = Bench::new(scenario, &server.url()).args(arguments);
    let outcome = if times == Times::MatterAlone { bench.alone() } else { bench }.run();
    let record = server.stop();
    outcome.expect_valid();
    assert_eq!(outcome.report["schema"], "throng-bench/1");
    assert_eq!(
        outcome.report["plan"]["scenario"].as_str().or_else(|| {
            Some(outcome.report["plan"]["scenario"].as_object()?.keys().next()?.as_str())
        }),
        Some(scenario)
    );
    (outcome, record)
}

#[test]
fn connections_are_opened_held_and_opened_again() {
    let cases: [fn(); 6] = [
        idle_holds_its_connections,
        connect_tells_how_long_each_took,
        connects_at_a_rate_are_due_whatever_the_server_does,
        who_asks_beside_a_crowd_comes_in_as_slowly_as_it_does,
        a_storm_brings_everybody_back,
        who_has_not_come_back_from_a_storm_at_its_end_has_failed,
    ];
    side_by_side(cases, |case| case());
}

#[test]
fn broadcasts_are_for_whom_they_are_to_reach() {
    let cases: [fn(); 6] = [
        an_event_has_the_name_that_the_server_knows,
        mixed_tells_both_deliveries_and_round_trips,
        askers_go_before_the_crowd_on_their_processor_or_it_is_said,
        slow_readers_are_judged_by_nobody_and_slow_down_nobody,
        a_slow_client_that_the_server_closes_is_told_though_it_never_reads,
        churn_keeps_those_who_stay_complete,
    ];
    side_by_side(cases, |case| case());
}

fn connect_tells_how_long_each_took() {
    let (outcome, record) = run("connect", "--clients 40 --connect-rate 100 --duration 1s");
    assert!(outcome.samples("connect").len() >= 40);
    assert!(record.joined >= 40);
    let per_second = outcome.decimal("/connections/per_second");
    assert!(per_second > 0.0 && per_second < 130.0, "{per_second}");
    assert_eq!(outcome.samples("connect-lag").len(), 40, "how late the generator was");
    assert_eq!(outcome.report["plan"]["connect_pacing"], "fixed");
    assert!(outcome.decimal("/generator/cpu_seconds") > 0.0);
}

fn idle_holds_its_connections() {
    let (outcome, record) = run("idle", "--clients 30 --duration 500ms --warmup 0s");
    assert_eq!((outcome.number("/connections/connected"), record.joined), (30, 30));
    assert!(record.events.is_empty());
}

#[test]
fn questions_are_answered_round_by_round() {
    let check = |(scenario, arguments, times): (&str, &str, Times)| {
        let traffic = "--clients 5 --rate 200 --duration 500ms --warmup 0s ".to_owned();
        let (outcome, record) = run_with(Script::new(), times, scenario, &(traffic + arguments));
        assert_eq!(outcome.number("/traffic/sent"), 100);
        assert_eq!(outcome.number("/traffic/expected"), record.due());
        times.check(&outcome.samples("round-trip"), record.latency_bounds());
    };
    let held = [("echo", "", Times::Matter), ("ack", "--transport polling", Times::Matter)];
    let forms = ["--binary", "--transport polling", "--transport upgrade"];
    let others =
        forms.map(|form| ["echo", "ack"].map(|scenario| (scenario, form, Times::AreAtLeastTrue)));
    side_by_side(held.into_iter().chain(others.into_iter().flatten()), check);
}

#[test]
fn system_calls_are_counted_or_it_is_said_why_not() {
    let pid = format!("--pid {}", std::process::id());
    side_by_side([("--warmup 1s", true), ("--warmup 0s", false)], |(warmup, has_warmup)| {
        let arguments = format!("--clients 5 --rate 100 --duration 1s {warmup} {pid}");
        let (outcome, _) = run("ack", &arguments);
        let server = &outcome.report["server"];
        let (each, why) = (&server["syscalls_per_delivery"], &server["syscalls_untold"]);
        assert_ne!(each.is_number(), why.is_string(), "{server}");
        // The server of these tests reads and writes for each answer.
        assert!(each.as_f64().is_none_or(|each| has_warmup && each >= 2.0), "{server}");
    });
}

#[test]
fn broadcasts_go_over_every_transport_in_every_form() {
    let check = |(arguments, times): (&str, Times)| {
        let traffic = "--clients 10 --rate 40 --duration 500ms --warmup 0s ".to_owned();
        let all = traffic + arguments;
        let (outcome, record) = run_with(Script::new(), times, "broadcast", &all);
        assert_eq!(outcome.number("/traffic/sent"), 20, "{arguments}");
        assert_eq!(record.due(), 200, "{arguments}");
        assert_eq!(outcome.number("/traffic/received"), 200, "{arguments}");
        assert_eq!(outcome.samples("delivery").len(), 200, "{arguments}");
        times.check(&outcome.samples("delivery"), record.latency_bounds());
    };
    let held = ["--transport polling", "--workers 2"].map(|form| (form, Times::Matter));
    let forms = [
        "--transport upgrade",
        "--transport polling --binary",
        "--binary --payload 5000",
        "--payload 70000",
        "--namespace /news",
        "--publishers 3",
        "--threads 2",
    ];
    let others = forms.map(|form| (form, Times::AreAtLeastTrue));
    side_by_side(held.into_iter().chain(others), check);
    check(("--stamps user", Times::MatterAlone));
}

fn an_event_has_the_name_that_the_server_knows() {
    let (outcome, record) = run_with(
        Script::new().broadcasts("shout"),
        Times::AreAtLeastTrue,
        "broadcast",
        "--clients 5 --rate 40 --duration 500ms --warmup 0s --event shout",
    );
    assert_eq!(outcome.number("/traffic/received"), 100);
    assert_eq!(record.events("shout").count(), 20);
}

#[test]
fn rooms_expect_as_many_as_have_joined() {
    let cases = [("equal", Times::AreAtLeastTrue), ("zipf", Times::Matter)];
    side_by_side(cases, |(sizes, times)| {
        let traffic = "--clients 20 --rooms 4 --rate 80 --duration 500ms --warmup 0s --sizes ";
        let all = traffic.to_owned() + sizes;
        let (outcome, record) = run_with(Script::new(), times, "rooms", &all);
        assert_eq!(record.events("room").count(), 40);
        assert_eq!(outcome.number("/traffic/sent"), 40);
        assert_eq!(outcome.number("/traffic/expected"), record.due());
        assert_eq!(outcome.number("/traffic/received"), record.due());
        times.check(&outcome.samples("delivery"), record.latency_bounds());
    });
}

fn mixed_tells_both_deliveries_and_round_trips() {
    let (outcome, record) =
        run("mixed", "--clients 20 --rate 10 --askers 4 --ask-rate 50 --duration 1s --warmup 0s");
    assert_eq!(record.events("chat").count(), 10);
    let asked = record.events("ack-echo").count();
    assert_eq!(asked, 50);
    assert_eq!(outcome.samples("round-trip").len(), asked);
    assert!(outcome.samples("delivery").len() as u64 >= 10 * 20);
}

fn askers_go_before_the_crowd_on_their_processor_or_it_is_said() {
    let (outcome, _) = run(
        "mixed",
        "--clients 20 --rate 10 --askers 4 --ask-rate 50 --duration 1s --warmup 0s --pin 0",
    );
    let threads = outcome.report["generator"]["threads"].as_array().unwrap();
    let went_first: Vec<_> =
        threads.iter().map(|thread| thread["went_first"].as_bool().unwrap()).collect();
    let warnings = outcome.report["verdict"]["warnings"].to_string();
    let is_said = warnings.contains("could not go before the crowd on processor 0");
    assert_eq!(went_first, [false, !is_said], "{warnings}");
}

fn slow_readers_are_judged_by_nobody_and_slow_down_nobody() {
    let (outcome, record) = run(
        "slow",
        "--clients 20 --share 0.2 --rate 80 --payload 4096 --duration 500ms --warmup 0s",
    );
    assert_eq!(record.events("chat").count(), 40);
    assert_eq!(outcome.number("/traffic/expected"), 16 * 40);
    assert_eq!(outcome.number("/traffic/received"), 16 * 40);
}

fn a_slow_client_that_the_server_closes_is_told_though_it_never_reads() {
    // Each tenth delivery is the slow client's: the end comes behind a megabyte that it leaves.
    let script = Script::new().at(100, Deed::Close(Ending::EndOfFile));
    let server = ScriptedServer::start(script);
    let outcome = Bench::new("slow", &server.url())
        .args("--clients 10 --share 0.1 --rate 40 --payload 100000 --duration 500ms --warmup 0s")
        .run();
    assert_eq!(server.stop().closed, 1);
    outcome.expect_valid();
    assert_eq!(outcome.number("/connections/slow_lost"), 1);
    assert!(outcome.report["connections"]["slow_lost_first_seconds"].is_null());
    assert!(outcome.warnings().contains("when is not known without --pid"));
}

fn churn_keeps_those_who_stay_complete() {
    let (outcome, record) = run(
        "churn",
        "--clients 20 --share 0.5 --churn-rate 20 --rate 40 --duration 2s --warmup 0s",
    );
    assert_eq!(record.events("chat").count(), 80);
    assert_eq!(outcome.number("/traffic/expected"), 10 * 80);
    assert_eq!(outcome.number("/traffic/received"), 10 * 80);
    let reconnected = outcome.number("/connections/reconnected");
    assert!((20..=60).contains(&reconnected), "{reconnected}");
    assert!(record.joined >= 20 + reconnected);
}

fn a_storm_brings_everybody_back() {
    let (outcome, record) = run("storm", "--clients 30 --duration 1s --warmup 0s");
    assert_eq!(outcome.number("/connections/reconnected"), 30);
    assert_eq!(outcome.samples("reconnect").len(), 30);
    assert_eq!(record.joined, 60);
    // Each since the order, and since its own start: the generator opens one behind the other.
    let (ordered, own) = (outcome.samples("reconnect"), outcome.samples("reconnect-own"));
    assert_eq!(own.len(), 30);
    assert!(own.iter().zip(&ordered).all(|(own, ordered)| own <= ordered));
    assert!(outcome.report["latencies"].as_array().unwrap().iter().any(|latency| {
        latency["measure"] == "connect"
            && latency["definition"].as_str().unwrap().starts_with("closed loop")
    }));
}

fn connects_at_a_rate_are_due_whatever_the_server_does() {
    // Attempts 5 and 6 are never answered; each holds one of the two places for 500 ms.
    let script = Script::new().refuse(5, Refusal::Silence).refuse(6, Refusal::Silence);
    let server = ScriptedServer::start(script);
    let outcome = Bench::new("connect", &server.url())
        .args("--clients 20 --connect-rate 50 --connect-arrivals poisson --at-once 2")
        .args("--connect-timeout 500ms")
        .run();
    server.stop();
    assert_eq!(outcome.number("/connections/failed"), 2);
    assert!(outcome.number("/connections/connects_waited") >= 5);
    assert!(outcome.warnings().contains("--at-once 2"), "{}", outcome.warnings());
    // Who was due meanwhile has waited, and says so.
    assert!(outcome.samples("connect").last().unwrap() > &200_000_000);
    assert_eq!(outcome.report["plan"]["connect_pacing"], "poisson");
}

fn who_asks_beside_a_crowd_comes_in_as_slowly_as_it_does() {
    let (outcome, record) = run(
        "mixed",
        "--clients 40 --askers 20 --connect-rate 40 --rate 10 --ask-rate 20 --duration 1s \
         --warmup 0s",
    );
    assert_eq!(record.joined, 40);
    let seconds = outcome.decimal("/phases/connect_seconds");
    assert!(seconds >= 0.9, "{seconds} s for 40 at 40 per second");
}

fn who_has_not_come_back_from_a_storm_at_its_end_has_failed() {
    // The first ten attempts are those before the storm.
    let server = ScriptedServer::start(Script::new().refuse(15, Refusal::Silence));
    let outcome = Bench::new("storm", &server.url())
        .args("--clients 10 --duration 1s --warmup 0s --drain 1s")
        .run();
    assert_eq!(server.stop().refused, 1);
    assert_eq!(outcome.number("/connections/reconnected"), 9);
    assert_eq!(outcome.number("/connections/failed"), 1);
    outcome.expect_invalid("still on the way");
}

#[test]
fn an_interrupted_run_tells_what_it_has_and_is_invalid() {
    let server = ScriptedServer::start(Script::new());
    let running = Bench::new("broadcast", &server.url())
        .args("--clients 5 --rate 50 --duration 30s --warmup 0s")
        .start();
    server.wait_for_events(30);
    kill_process(running.pid(), Signal::INT).unwrap();
    let outcome = running.wait();
    let record = server.stop();
    outcome.expect_invalid("interrupt");
    assert_eq!(outcome.faults(), [0; 5]);
    assert_eq!(outcome.number("/traffic/received"), record.due());
}

#[test]
fn the_same_command_is_in_the_report() {
    let server = ScriptedServer::start(
        Script::new().heartbeat(Duration::from_secs(25), Duration::from_secs(20)),
    );
    let outcome = Bench::new("broadcast", &server.url())
        .args("--clients 3 --duration 1s --warmup 0s --label proof --seed 9")
        .run();
    outcome.expect_valid();
    let command: Vec<_> = outcome.report["command"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|word| word.as_str())
        .collect();
    assert!(command.windows(2).any(|pair| pair == ["--seed", "9"]), "{command:?}");
    assert_eq!(outcome.report["label"], "proof");
    assert_eq!(outcome.report["plan"]["seed"], 9);
    assert_eq!(outcome.report["plan"]["clients"], 3);
}
