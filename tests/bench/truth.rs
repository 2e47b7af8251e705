//! Latencies: the report tells those that were, to the sample.
//!
//! ```text
//! written - intended, as the server saw it  <=  told  <=  the same, a thousandth and noise
//! ```

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::run::{Bench, assert_at_least, assert_between, count_from, side_by_side};
use crate::server::{Deed, Script, ScriptedServer};

const MS: u64 = 1_000_000;

/// What the kernel stamps is true whatever else the machine does.
#[test]
fn latencies_are_those_that_were() {
    let cases: [fn(); 6] = [
        a_faultless_server_gets_a_valid_report_of_what_it_did,
        each_broadcast_is_told_from_its_first_to_its_last_recipient,
        a_closed_loop_says_what_it_is,
        what_the_warm_up_felt_is_not_in_the_latencies,
        too_few_samples_make_no_percentile,
        a_percentile_is_one_of_the_samples_by_its_rank,
    ];
    side_by_side(cases, |case| case());
}

fn a_faultless_server_gets_a_valid_report_of_what_it_did() {
    let server = ScriptedServer::start(Script::new());
    let outcome = Bench::new("broadcast", &server.url())
        .args("--clients 20 --rate 50 --duration 1s --warmup 0s")
        .run();
    let record = server.stop();
    outcome.expect_valid();
    assert_eq!(outcome.number("/connections/connected"), 20);
    assert_eq!(outcome.number("/traffic/sent"), 50);
    assert_eq!(outcome.number("/traffic/expected"), record.due());
    assert_eq!(outcome.number("/traffic/received"), 50 * 20);
    assert_between(&outcome.samples("delivery"), &record.latency_bounds());
    assert_between(&outcome.samples("delivery-uncorrected"), &record.uncorrected_bounds());
    assert_eq!(outcome.samples("first-recipient").len(), 50);
    assert_eq!(outcome.samples("last-recipient").len(), 50);
    let pairs = outcome.samples("delivery").into_iter().zip(outcome.samples("delivery-user-space"));
    assert!(pairs.into_iter().all(|(kernel, user)| user >= kernel), "read before it arrived");
}

fn each_broadcast_is_told_from_its_first_to_its_last_recipient() {
    let server =
        ScriptedServer::start(Script::new().each(20, Deed::Delay(Duration::from_millis(30))));
    let outcome = Bench::new("broadcast", &server.url())
        .args("--clients 20 --rate 20 --duration 500ms --warmup 0s")
        .run();
    let record = server.stop();
    outcome.expect_valid();
    let broadcasts = outcome.report["broadcasts"].as_array().unwrap();
    assert_eq!(broadcasts.len(), 10);
    let mut last = Vec::new();
    for (broadcast, due) in broadcasts.iter().zip(record.deliveries.chunks(20)) {
        assert_eq!(
            (broadcast["received"].as_u64(), broadcast["expected"].as_u64()),
            (Some(20), Some(20))
        );
        let written = |index: usize| {
            let (mark, written) = (due[index].mark.unwrap(), due[index].written.unwrap());
            written.0.saturating_sub(mark.intended_ns)
        };
        let (first_ns, last_ns) =
            (broadcast["first_ns"].as_u64().unwrap(), broadcast["last_ns"].as_u64().unwrap());
        assert!(first_ns >= written(0), "{first_ns} ns told, {} ns true", written(0));
        assert!(last_ns >= written(19) && last_ns >= 30 * MS, "{last_ns} ns told");
        assert!(last_ns >= first_ns);
        last.push(last_ns);
    }
    last.sort_unstable();
    for (exact, told) in last.iter().zip(outcome.samples("last-recipient")) {
        assert!(told >= *exact && told <= exact + exact / 1_000 + 1_024, "{told} for {exact}");
    }
}

#[test]
fn delays_are_told_to_the_piece() {
    let delay = Duration::from_millis(50);
    let server = ScriptedServer::start(Script::new().each(101, Deed::Delay(delay)));
    let outcome = Bench::new("broadcast", &server.url())
        .alone()
        .args("--clients 50 --rate 100 --duration 2s --warmup 0s")
        .run();
    let record = server.stop();
    outcome.expect_valid();
    let (samples, bounds) = (outcome.samples("delivery"), record.latency_bounds());
    assert_eq!(samples.len(), 10_000);
    assert_between(&samples, &bounds);
    // 10,000 / 101: so many were held back, and no others unless the machine was.
    let delayed = count_from(&bounds.0, 50 * MS);
    assert!(delayed >= 99, "the server held back {delayed}");
    assert!(count_from(&samples, 50 * MS) >= delayed);
    assert!(outcome.percentile("delivery", "p50").unwrap() < 25 * MS, "half weren't delayed");
    assert_eq!(outcome.percentile("delivery", "p99.9"), None, "ten samples are no percentile");
}

#[test]
fn sends_go_on_while_the_server_stands_still() {
    let stall = Duration::from_millis(300);
    let server = ScriptedServer::start(Script::new().at(20 * 30 + 1, Deed::Stall(stall)));
    let outcome = Bench::new("broadcast", &server.url())
        .alone()
        .args("--clients 20 --rate 50 --duration 1500ms --warmup 0s")
        .run();
    let record = server.stop();
    outcome.expect_valid();
    assert_eq!(outcome.number("/traffic/sent"), 75);
    let samples = outcome.samples("delivery");
    assert_between(&samples, &record.latency_bounds());
    assert!(count_from(&samples, 300 * MS) >= 20, "a whole broadcast waited for 300 ms");
    // In 300 ms, 15 more were due; all but the last waited for 20 ms and more.
    assert!(count_from(&samples, 20 * MS) >= 14 * 20);
    let halted_ns = record.events[30].read_ns;
    let meanwhile = record
        .events
        .iter()
        .filter_map(|event| event.mark)
        .filter(|mark| (halted_ns..halted_ns + 300 * MS).contains(&mark.sent_ns));
    assert!(meanwhile.count() >= 10, "the open loop waits for nobody");
}

#[test]
fn a_generator_that_stood_still_takes_the_blame() {
    let server = ScriptedServer::start(Script::new());
    let running = Bench::new("broadcast", &server.url())
        .alone()
        .args("--clients 10 --rate 50 --duration 3s --warmup 0s")
        .start();
    server.wait_for_events(20);
    kill_process(running.pid(), Signal::STOP).unwrap();
    // The pause itself is the fault: nobody waits for anything here.
    std::thread::sleep(Duration::from_millis(400));
    kill_process(running.pid(), Signal::CONT).unwrap();
    let outcome = running.wait();
    let record = server.stop();
    assert_eq!(outcome.number("/traffic/sent"), 150, "what is late is sent nevertheless");
    // What came while it stood still may be read at once with what came later, and has its stamp.
    assert_at_least(&outcome.samples("delivery"), &record.latency_bounds().0);
    assert_at_least(&outcome.samples("delivery-uncorrected"), &record.uncorrected_bounds().0);
    let (lag, corrected) = (outcome.samples("schedule-lag"), outcome.samples("delivery"));
    assert!(lag.last().unwrap() >= &(350 * MS));
    assert!(
        corrected.last().unwrap() >= lag.last().unwrap(),
        "latency runs from the intended send"
    );
    let forgiven = outcome.samples("delivery-uncorrected");
    assert!(count_from(&forgiven, 100 * MS) < count_from(&corrected, 100 * MS));
    outcome.expect_invalid("generator");
}

fn a_closed_loop_says_what_it_is() {
    let stall = Duration::from_millis(300);
    let server = ScriptedServer::start(Script::new().at(20 * 10 + 1, Deed::Stall(stall)));
    let outcome = Bench::new("broadcast", &server.url())
        .args("--clients 20 --closed --duration 1s --warmup 0s")
        .run();
    let record = server.stop();
    assert_eq!(outcome.faults(), [0; 5]);
    assert_eq!(outcome.report["plan"]["pacing"]["closed"]["in_flight"], 1);
    assert!(outcome.warnings().contains("closed loop"), "{}", outcome.warnings());
    let samples = outcome.samples("delivery");
    assert!(count_from(&samples, 300 * MS) >= 20);
    // One in flight: none was sent while another was on its way.
    for (event, next) in record.events.iter().zip(record.events.iter().skip(1)) {
        assert!(next.mark.unwrap().sent_ns >= event.read_ns);
    }
}

fn what_the_warm_up_felt_is_not_in_the_latencies() {
    let stall = Duration::from_millis(300);
    let server = ScriptedServer::start(Script::new().at(1, Deed::Stall(stall)));
    let outcome = Bench::new("broadcast", &server.url())
        .args("--clients 10 --rate 40 --warmup 500ms --duration 500ms")
        .run();
    let record = server.stop();
    outcome.expect_valid();
    assert_eq!(outcome.number("/traffic/sent"), 40, "it counts for completeness");
    assert_eq!(outcome.number("/traffic/received"), 400);
    let (mut least, mut most) = (Vec::new(), Vec::new());
    for delivery in &record.deliveries[200..] {
        let (mark, written) = (delivery.mark.unwrap(), delivery.written.unwrap());
        least.push(written.0.saturating_sub(mark.intended_ns));
        most.push(written.1.saturating_sub(mark.intended_ns));
    }
    least.sort_unstable();
    most.sort_unstable();
    assert_between(&outcome.samples("delivery"), &(least, most));
    assert!(outcome.decimal("/phases/warmup_seconds") >= 0.49);
}

fn too_few_samples_make_no_percentile() {
    let server = ScriptedServer::start(Script::new());
    let outcome = Bench::new("broadcast", &server.url())
        .args("--clients 20 --rate 50 --duration 1s --warmup 0s")
        .run();
    outcome.expect_valid();
    assert_eq!(outcome.samples("delivery").len(), 1_000);
    assert!(outcome.percentile("delivery", "p90").is_some(), "a hundred lie beyond");
    assert_eq!(outcome.percentile("delivery", "p99"), None);
    assert_eq!(outcome.percentile("last-recipient", "p50"), None);
}

fn a_percentile_is_one_of_the_samples_by_its_rank() {
    let server =
        ScriptedServer::start(Script::new().each(3, Deed::Delay(Duration::from_millis(10))));
    let outcome = Bench::new("broadcast", &server.url())
        .args("--clients 100 --rate 100 --duration 1s --warmup 0s")
        .run();
    outcome.expect_valid();
    let samples = outcome.samples("delivery");
    assert_eq!(samples.len(), 10_000);
    for (name, rank) in [("p50", 5_000), ("p90", 9_000), ("p99", 9_900)] {
        assert_eq!(outcome.percentile("delivery", name), Some(samples[rank - 1]), "{name}");
    }
}

#[test]
fn schedules_are_kept() {
    let cases: [fn(); 3] =
        [chance_keeps_the_rate, a_seed_brings_the_same_chances_again, equal_distances_are_equal];
    side_by_side(cases, |case| case());
}

fn chance_keeps_the_rate() {
    let server = ScriptedServer::start(Script::new());
    let outcome = Bench::new("broadcast", &server.url())
        .args("--clients 2 --rate 400 --arrivals poisson --duration 1s --warmup 0s --seed 3")
        .run();
    let record = server.stop();
    outcome.expect_valid();
    // 400 are expected, with a standard deviation of 20.
    let sent = outcome.number("/traffic/sent");
    assert!((300..500).contains(&sent), "{sent}");
    let intended: Vec<_> =
        record.events.iter().map(|event| event.mark.unwrap().intended_ns).collect();
    let gaps: Vec<_> = intended.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // Of exponential gaps, 1 - 1/e are below their mean; of equal ones, all would be alike.
    let short = gaps.iter().filter(|gap| **gap < 5 * MS / 2).count();
    assert!(short * 100 / gaps.len() > 50 && short * 100 / gaps.len() < 76, "{short}");
    assert_eq!(outcome.report["plan"]["pacing"], Value::from("poisson"));
}

fn a_seed_brings_the_same_chances_again() {
    let gaps = |seed: &str| {
        let server = ScriptedServer::start(Script::new());
        let outcome = Bench::new("broadcast", &server.url())
            .args("--clients 2 --rate 100 --arrivals poisson --duration 500ms --warmup 0s --seed")
            .args(seed)
            .run();
        outcome.expect_valid();
        let events = server.stop().events;
        let intended: Vec<_> = events.iter().map(|event| event.mark.unwrap().intended_ns).collect();
        intended.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>()
    };
    let found = Mutex::new(BTreeMap::new());
    side_by_side([(0, "7"), (1, "7"), (2, "8")], |(run, seed)| {
        let gaps = gaps(seed);
        found.lock().unwrap().insert(run, gaps);
    });
    let found = found.into_inner().unwrap();
    assert_eq!(found[&0], found[&1]);
    assert_ne!(found[&0], found[&2]);
}

fn equal_distances_are_equal() {
    let server = ScriptedServer::start(Script::new());
    let outcome = Bench::new("broadcast", &server.url())
        .args("--clients 2 --rate 200 --duration 500ms --warmup 0s")
        .run();
    outcome.expect_valid();
    let events = server.stop().events;
    let intended: Vec<_> = events.iter().map(|event| event.mark.unwrap().intended_ns).collect();
    assert_eq!(intended.len(), 100);
    for pair in intended.windows(2) {
        assert!((pair[1] - pair[0]).abs_diff(5 * MS) < MS / 10, "{pair:?}");
    }
    let sequences: Vec<_> = events.iter().map(|event| event.mark.unwrap().sequence).collect();
    assert_eq!(sequences, (0..100).collect::<Vec<_>>());
}
