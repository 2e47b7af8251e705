//! Completeness: what the server lost, doubled, swapped, spoiled or misled is told to the piece,
//! and makes the run invalid.
//!
//! ```text
//! deliveries to ten clients: 1..=10 are the first broadcast's, 11..=20 the second's, ..
//! ```

use std::time::Duration;

use crate::run::{Bench, Outcome, side_by_side};
use crate::server::{Deed, Script, ScriptedServer};

#[test]
fn what_is_lost_is_missing() {
    let cases: [fn(); 4] = [
        a_lost_delivery_is_missing,
        the_very_first_and_the_very_last_can_be_missing_too,
        a_client_that_hears_nothing_at_all_misses_everything,
        what_comes_after_the_wait_is_over_is_missing,
    ];
    side_by_side(cases, |case| case());
}

#[test]
fn what_comes_twice_late_or_from_elsewhere_is_told_apart() {
    let cases: [fn(); 4] = [
        a_doubled_delivery_is_duplicated_and_counted_once,
        swapped_deliveries_are_reordered,
        an_event_of_a_former_run_is_no_delivery,
        several_faults_are_told_apart,
    ];
    side_by_side(cases, |case| case());
}

#[test]
fn what_is_spoiled_is_corrupted() {
    let cases: [fn(); 3] = [
        a_spoiled_payload_is_corrupted_and_not_received,
        a_payload_that_grew_is_corrupted,
        a_spoiled_attachment_is_corrupted,
    ];
    side_by_side(cases, |case| case());
}

#[test]
fn rooms_know_who_is_in_them() {
    let cases: [fn(); 2] =
        [a_room_without_its_sender_has_one_recipient_less, who_is_in_no_room_hears_nothing_of_it];
    side_by_side(cases, |case| case());
}

/// Forty broadcasts to ten clients.
fn broadcast(script: Script, arguments: &str) -> Outcome {
    let server = ScriptedServer::start(script);
    Bench::new("broadcast", &server.url())
        .args("--clients 10 --rate 80 --duration 500ms --warmup 0s --drain 500ms")
        .args(arguments)
        .run()
}

fn a_lost_delivery_is_missing() {
    let outcome = broadcast(Script::new().at(105, Deed::Drop), "");
    assert_eq!(outcome.faults(), [1, 0, 0, 0, 0]);
    assert_eq!(outcome.number("/traffic/expected"), 400);
    assert_eq!(outcome.number("/traffic/received"), 399);
    assert_eq!(outcome.samples("delivery").len(), 399);
    assert_eq!(outcome.report["broadcasts"][10]["received"], 9);
    outcome.expect_invalid("missing");
}

fn the_very_first_and_the_very_last_can_be_missing_too() {
    let outcome = broadcast(Script::new().at(1, Deed::Drop).at(400, Deed::Drop), "");
    assert_eq!(outcome.faults(), [2, 0, 0, 0, 0]);
    outcome.expect_invalid("missing");
}

fn a_client_that_hears_nothing_at_all_misses_everything() {
    // Every tenth delivery is the tenth client's.
    let outcome = broadcast(Script::new().each(10, Deed::Drop), "");
    assert_eq!(outcome.faults(), [40, 0, 0, 0, 0]);
    outcome.expect_invalid("missing");
}

fn a_doubled_delivery_is_duplicated_and_counted_once() {
    let outcome = broadcast(Script::new().at(105, Deed::Twice), "");
    assert_eq!(outcome.faults(), [0, 1, 0, 0, 0]);
    assert_eq!(outcome.number("/traffic/received"), 400);
    assert_eq!(outcome.samples("delivery").len(), 400);
    outcome.expect_invalid("more than once");
}

fn swapped_deliveries_are_reordered() {
    let outcome = broadcast(Script::new().at(105, Deed::Swap), "");
    assert_eq!(outcome.faults(), [0, 0, 1, 0, 0]);
    assert_eq!(outcome.number("/traffic/received"), 400);
    outcome.expect_invalid("order");
}

#[test]
fn a_server_that_leaves_out_the_sender_is_known_by_its_pattern() {
    let unknown = || {
        let outcome = broadcast(Script::new().without_sender(), "");
        assert_eq!(outcome.faults(), [40, 0, 0, 0, 0]);
        outcome.expect_invalid("--publisher-excluded");
    };
    let known = || {
        let outcome = broadcast(Script::new().without_sender(), "--publisher-excluded");
        outcome.expect_valid();
        assert_eq!(outcome.number("/traffic/expected"), 40 * 9);
        assert_eq!(outcome.samples("last-recipient").len(), 40);
    };
    // Whoever was to be left out and gets it gets what wasn't meant for it.
    let not_left_out = || {
        let outcome = broadcast(Script::new(), "--publisher-excluded");
        assert_eq!(outcome.faults(), [0, 0, 0, 0, 40]);
    };
    let cases: [fn(); 3] = [unknown, known, not_left_out];
    side_by_side(cases, |case| case());
}

fn a_room_without_its_sender_has_one_recipient_less() {
    let server = ScriptedServer::start(Script::new().without_sender());
    let outcome = Bench::new("rooms", &server.url())
        .args("--clients 12 --rooms 3 --sizes equal --rate 80 --duration 500ms --warmup 0s")
        .args("--publisher-excluded")
        .run();
    let record = server.stop();
    outcome.expect_valid();
    assert_eq!(outcome.number("/traffic/expected"), record.due());
}

#[test]
fn each_round_is_a_result_and_one_that_proves_nothing_is_no_success() {
    // Each of two rounds has a hundred deliveries.
    let server = ScriptedServer::start(Script::new().at(5, Deed::Drop));
    let outcome = Bench::new("broadcast", &server.url())
        .args("--clients 10 --rate 20 --duration 500ms --warmup 0s --drain 200ms --rounds 2")
        .args(&format!("--pid {}", std::process::id()))
        .run();
    server.stop();
    let valid = |report: &serde_json::Value| report["verdict"]["valid"] == true;
    assert_eq!(outcome.earlier.iter().map(valid).collect::<Vec<_>>(), [false]);
    assert!(valid(&outcome.report), "{}", outcome.reasons());
    assert_eq!(outcome.code, Some(1));
    // Only the first finds a server that has nothing left of another.
    let memory =
        |report: &serde_json::Value| report["server"]["resident_bytes_per_connection"].is_number();
    assert_eq!(outcome.earlier.iter().map(memory).collect::<Vec<_>>(), [true]);
    assert!(!memory(&outcome.report));
    assert!(outcome.warnings().contains("RSS per connection is left out"));
}

#[test]
fn a_sweep_with_a_step_that_proves_nothing_is_no_success() {
    // 10 broadcasts of the first step, then those of the second.
    let server = ScriptedServer::start(Script::new().at(105, Deed::Drop));
    let outcome = Bench::new("broadcast", &server.url())
        .args("--clients 10 --duration 500ms --warmup 0s --drain 200ms --sweep 20,40")
        .run();
    drop(server);
    assert_ne!(outcome.code, Some(0));
    assert!(outcome.warnings().contains("the step at 40 is INVALID: deliveries are missing: 1"));
    let steps = outcome.report["search"]["steps"].as_array().unwrap();
    let [first, second] = [0, 1].map(|step| steps[step]["kept"].as_bool());
    let was_busy = steps[0]["why"].as_str().unwrap().contains("generator was");
    assert!(first == Some(true) || was_busy, "{:?}", steps[0]);
    assert_eq!(second, Some(false));
}

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

fn a_payload_that_grew_is_corrupted() {
    let outcome = broadcast(Script::new().at(105, Deed::Extend(3)), "");
    assert_eq!(outcome.faults(), [1, 0, 0, 1, 0]);
}

fn a_spoiled_attachment_is_corrupted() {
    let script = Script::new().at(105, Deed::Corrupt(30)).at(206, Deed::Truncate(1));
    let outcome = broadcast(script, "--binary --payload 200");
    assert_eq!(outcome.faults(), [2, 0, 0, 2, 0]);
    outcome.expect_invalid("corrupted");
}

fn an_event_of_a_former_run_is_no_delivery() {
    let outcome = broadcast(Script::new().at(105, Deed::FormerRun), "");
    let [missing, duplicated, reordered, corrupted, stray] = outcome.faults();
    assert_eq!([missing, duplicated, reordered], [0; 3]);
    assert_eq!(corrupted + stray, 1);
    assert_eq!(outcome.samples("delivery").len(), 400);
    assert_ne!(outcome.code, Some(0));
}

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

fn who_is_in_no_room_hears_nothing_of_it() {
    let server = ScriptedServer::start(Script::new().at(25, Deed::Stray));
    let outcome = Bench::new("rooms", &server.url())
        .args("--clients 12 --rooms 3 --sizes equal --rate 80 --duration 500ms --warmup 0s")
        .run();
    let record = server.stop();
    assert_eq!(outcome.faults(), [0, 0, 0, 0, 1]);
    assert_eq!(outcome.number("/traffic/expected"), record.due());
    assert_eq!(outcome.number("/traffic/expected"), 40 * 4);
    outcome.expect_invalid("not meant for");
}

#[test]
fn however_the_bytes_are_cut_nothing_is_lost() {
    // Joined with its successor, or else the last one of a client would wait for ever.
    let joined = (1..30).fold(Script::new(), |script, at| script.at(at * 13, Deed::Join));
    let cases = [
        (Script::new().each(7, Deed::Fragment), ""),
        (Script::new().each(7, Deed::Dribble), ""),
        (joined, ""),
        (Script::new().each(7, Deed::Dribble).each(5, Deed::Fragment), "--payload 300 --binary"),
    ];
    side_by_side(cases, |(script, arguments)| {
        let outcome = broadcast(script, arguments);
        outcome.expect_valid();
        assert_eq!(outcome.samples("delivery").len(), 400, "{arguments}");
    });
}

#[test]
fn an_answer_that_never_comes_is_missing_and_one_that_comes_twice_is_duplicated() {
    side_by_side(["ack", "echo"], |scenario| {
        let server = ScriptedServer::start(Script::new().at(30, Deed::Drop).at(60, Deed::Twice));
        let outcome = Bench::new(scenario, &server.url())
            .args("--clients 5 --rate 200 --duration 500ms --warmup 0s --drain 500ms")
            .run();
        let record = server.stop();
        assert_eq!(outcome.faults(), [1, 1, 0, 0, 0], "{scenario}");
        assert_eq!(outcome.number("/traffic/expected"), record.due());
        assert_eq!(outcome.samples("round-trip").len(), 99);
        outcome.expect_invalid("missing");
    });
}

fn what_comes_after_the_wait_is_over_is_missing() {
    let late = Deed::Delay(Duration::from_secs(3));
    let outcome = broadcast(Script::new().at(391, late), "");
    assert_eq!(outcome.faults(), [1, 0, 0, 0, 0]);
    outcome.expect_invalid("missing");
}
