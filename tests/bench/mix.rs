//! A mix of transports in one run: what the clients of each had is told apart, and adds up.
//!
//! ```text
//! --transport websocket=3,polling=1,upgrade=1      w p w u w, and again
//! ```

use std::time::Duration;

use crate::run::{Bench, Outcome, assert_between, side_by_side};
use crate::server::{Deed, Record, Script, ScriptedServer};

fn run(script: Script, scenario: &str, arguments: &str) -> (Outcome, Record) {
    let server = ScriptedServer::start(script);
    let outcome = Bench::new(scenario, &server.url())
        .args("--transport websocket=3,polling=1,upgrade=1 --warmup 0s")
        .args(arguments)
        .run();
    let record = server.stop();
    outcome.expect_valid();
    let mix = serde_json::json!({"mix": {"websocket": 3, "polling": 1, "upgrade": 1}});
    assert_eq!(outcome.report["plan"]["transport"], mix);
    (outcome, record)
}

/// Clients and samples of each transport.
fn counts(outcome: &Outcome, measure: &str) -> [(u64, usize); 3] {
    TRANSPORTS.map(|transport| {
        let samples = outcome.samples_over(transport, measure).len();
        (outcome.over(transport)["clients"].as_u64().unwrap(), samples)
    })
}

#[test]
fn each_scenario_tells_transports_apart() {
    let cases = [
        ("broadcast", "--rate 40 --duration 500ms", "delivery", 20),
        ("broadcast", "--rate 40 --duration 500ms --threads 2", "delivery", 20),
        ("broadcast", "--rate 40 --duration 500ms --workers 2", "delivery", 20),
        ("ack", "--rate 200 --duration 500ms --binary", "round-trip", 10),
        ("connect", "", "connect", 1),
        ("storm", "--duration 500ms", "reconnect", 1),
    ];
    side_by_side(cases, |(scenario, arguments, measure, each)| {
        let (outcome, record) = run(Script::new(), scenario, &format!("--clients 10 {arguments}"));
        let expected = [6, 2, 2].map(|clients| (clients, usize::try_from(clients).unwrap() * each));
        assert_eq!(counts(&outcome, measure), expected, "{scenario} {arguments}");
        assert_eq!(outcome.samples(measure).len(), 10 * each, "{scenario} {arguments}");
        assert_eq!(counts(&outcome, "connect"), [(6, 6), (2, 2), (2, 2)]);
        assert_eq!(record.upgraded, if scenario == "storm" { 4 } else { 2 });
    });
}

#[test]
fn a_delay_is_told_of_the_transport_that_felt_it() {
    // Of seven, the seventh polls. One after the other, clients connect in their order.
    let delay = Duration::from_millis(60);
    let script = Script::new().each(7, Deed::Delay(delay));
    let (outcome, record) =
        run(script, "broadcast", "--clients 7 --at-once 1 --rate 20 --duration 500ms");
    let clients = [vec![0, 2, 4, 5], vec![1, 6], vec![3]];
    for (transport, clients) in TRANSPORTS.into_iter().zip(clients) {
        let mut felt = record.clone();
        felt.deliveries.retain(|delivery| clients.contains(&delivery.client));
        assert_eq!(felt.deliveries.len(), 10 * clients.len());
        let bounds = felt.latency_bounds();
        assert_between(&outcome.samples_over(transport, "delivery"), &bounds);
        let late = bounds.0.iter().filter(|least| **least >= 60_000_000).count();
        assert!(late >= if transport == "polling" { 10 } else { 0 }, "{transport}: {late}");
    }
}

#[test]
fn one_transport_for_all_is_told_of_all_alone() {
    let server = ScriptedServer::start(Script::new());
    let outcome =
        Bench::new("connect", &server.url()).args("--clients 5 --transport polling=2").run();
    server.stop();
    assert_eq!(outcome.report["plan"]["transport"], "polling");
    assert_eq!(outcome.report["transports"], serde_json::json!([]));
}

const TRANSPORTS: [&str; 3] = ["websocket", "polling", "upgrade"];
