//! Completeness: what the server lost, doubled, swapped, spoiled or misled is told to the piece,
//! and makes the run invalid.
//!
//! ```text
//! deliveries to ten clients: 1..=10 are the first broadcast's, 11..=20 the second's, ..
//! ```

use std::time::Duration;

use crate::run::{Bench, Outcome};
use crate::server::{Deed, Script, ScriptedServer};

/// Forty broadcasts to ten clients.
fn broadcast(script: Script, arguments: &str) -> Outcome {
    let server = ScriptedServer::start(script);
    Bench::new("broadcast", &server.url())
        .args("--clients 10 --rate 40 --duration 1s --warmup 0s --drain 500ms")
        .args(arguments)
        .run()
}

#[test]
fn a_lost_delivery_is_missing() {
    let outcome = broadcast(Script::new().at(105, Deed::Drop), "");
    assert_eq!(outcome.faults(), [1, 0, 0, 0, 0]);
    assert_eq!(outcome.number("/traffic/expected"), 400);
    assert_eq!(outcome.number("/traffic/received"), 399);
    assert_eq!(outcome.samples("delivery").len(), 399);
    assert_eq!(outcome.report["broadcasts"][10]["received"], 9);
    outcome.expect_invalid("missing");
}

#[test]
fn the_very_first_and_the_very_last_can_be_missing_too() {
    let outcome = broadcast(Script::new().at(1, Deed::Drop).at(400, Deed::Drop), "");
    assert_eq!(outcome.faults(), [2, 0, 0, 0, 0]);
    outcome.expect_invalid("missing");
}

#[test]
fn a_client_that_hears_nothing_at_all_misses_everything() {
    // Every tenth delivery is the tenth client's.
    let outcome = broadcast(Script::new().each(10, Deed::Drop), "");
    assert_eq!(outcome.faults(), [40, 0, 0, 0, 0]);
    outcome.expect_invalid("missing");
}

#[test]
fn a_doubled_delivery_is_duplicated_and_counted_once() {
    let outcome = broadcast(Script::new().at(105, Deed::Twice), "");
    assert_eq!(outcome.faults(), [0, 1, 0, 0, 0]);
    assert_eq!(outcome.number("/traffic/received"), 400);
    assert_eq!(outcome.samples("delivery").len(), 400);
    outcome.expect_invalid("more than once");
}

#[test]
fn swapped_deliveries_are_reordered() {
    let outcome = broadcast(Script::new().at(105, Deed::Swap), "");
    assert_eq!(outcome.faults(), [0, 0, 1, 0, 0]);
    assert_eq!(outcome.number("/traffic/received"), 400);
    outcome.expect_invalid("order");
}

#[test]
fn a_spoiled_payload_is_corrupted_and_not_received() {
    let outcome = broadcast(
        Script::new()
            .at(105, Deed::Corrupt(30))
            .at(206, Deed::Truncate(1))
            .at(307, Deed::Truncate(20)),
        "",
    );
    assert_eq!(outcome.faults(), [3, 0, 0, 3, 0]);
    assert_eq!(outcome.number("/traffic/received"), 397);
    outcome.expect_invalid("corrupted");
}

#[test]
fn a_payload_that_grew_is_corrupted() {
    let outcome = broadcast(Script::new().at(105, Deed::Extend(3)), "");
    assert_eq!(outcome.faults(), [1, 0, 0, 1, 0]);
}

#[test]
fn a_spoiled_attachment_is_corrupted() {
    let script = Script::new().at(105, Deed::Corrupt(30)).at(206, Deed::Truncate(1));
    let outcome = broadcast(script, "--binary --payload 200");
    assert_eq!(outcome.faults(), [2, 0, 0, 2, 0]);
    outcome.expect_invalid("corrupted");
}

#[test]
fn an_event_of_a_former_run_is_no_delivery() {
    let outcome = broadcast(Script::new().at(105, Deed::FormerRun), "");
    let [missing, duplicated, reordered, corrupted, stray] = outcome.faults();
    assert_eq!([missing, duplicated, reordered], [0; 3]);
    assert_eq!(corrupted + stray, 1);
    assert_eq!(outcome.samples("delivery").len(), 400);
    assert_ne!(outcome.code, Some(0));
}

#[test]
fn several_faults_are_told_apart() {
    let script = Script::new()
        .at(21, Deed::Drop)
        .at(32, Deed::Twice)
        .at(43, Deed::Swap)
        .at(54, Deed::Corrupt(50))
        .at(65, Deed::Drop)
        .at(76, Deed::Twice)
        .at(87, Deed::Twice);
    let outcome = broadcast(script, "");
    assert_eq!(outcome.faults(), [3, 3, 1, 1, 0]);
    assert_eq!(outcome.number("/traffic/received"), 397);
}

#[test]
fn who_is_in_no_room_hears_nothing_of_it() {
    let server = ScriptedServer::start(Script::new().at(25, Deed::Stray));
    let outcome = Bench::new("rooms", &server.url())
        .args("--clients 12 --rooms 3 --sizes equal --rate 40 --duration 1s --warmup 0s")
        .run();
    let record = server.stop();
    assert_eq!(outcome.faults(), [0, 0, 0, 0, 1]);
    assert_eq!(outcome.number("/traffic/expected"), record.due());
    assert_eq!(outcome.number("/traffic/expected"), 40 * 4);
    outcome.expect_invalid("not meant for");
}

#[test]
fn however_the_bytes_are_cut_nothing_is_lost() {
    for deed in [Deed::Fragment, Deed::Dribble] {
        let outcome = broadcast(Script::new().each(7, deed), "");
        outcome.expect_valid();
        assert_eq!(outcome.samples("delivery").len(), 400, "{deed:?}");
    }
    // Joined with its successor, or else the last one of a client would wait for ever.
    let script = (1..30).fold(Script::new(), |script, at| script.at(at * 13, Deed::Join));
    broadcast(script, "").expect_valid();
    let script = Script::new().each(7, Deed::Dribble).each(5, Deed::Fragment);
    broadcast(script, "--payload 300 --binary").expect_valid();
}

#[test]
fn an_answer_that_never_comes_is_missing_and_one_that_comes_twice_is_duplicated() {
    for scenario in ["ack", "echo"] {
        let server = ScriptedServer::start(Script::new().at(30, Deed::Drop).at(60, Deed::Twice));
        let outcome = Bench::new(scenario, &server.url())
            .args("--clients 5 --rate 100 --duration 1s --warmup 0s --drain 500ms")
            .run();
        let record = server.stop();
        assert_eq!(outcome.faults(), [1, 1, 0, 0, 0], "{scenario}");
        assert_eq!(outcome.number("/traffic/expected"), record.due());
        assert_eq!(outcome.samples("round-trip").len(), 99);
        outcome.expect_invalid("missing");
    }
}

#[test]
fn what_comes_after_the_wait_is_over_is_missing() {
    let late = Deed::Delay(Duration::from_secs(3));
    let outcome = broadcast(Script::new().at(391, late), "");
    assert_eq!(outcome.faults(), [1, 0, 0, 0, 0]);
    outcome.expect_invalid("missing");
}
