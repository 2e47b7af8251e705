//! A recorded run, receipt by receipt, whose every figure was computed by hand.
//!
//! ```text
//! broadcast   due at   client 0   client 1         client 2
//! 0 (warm-up)    0 ms     1          2                3
//! 1            100 ms   101        242, after 2     never
//! 2            200 ms   201, 202   205              210
//! 3            300 ms   spoiled    301              303
//! ```

use super::cast::Cast;
use super::listening::{ANSWERS, Heard, Listening, Stamp, run_of};
use crate::bench::latency::Measure;
use crate::bench::payload::Mark;
use crate::bench::plan::tests::plan;
use crate::bench::score::Round;
use crate::bench::shard::{Duty, Part};

fn message(run: u32, stream: u16, sequence: u32) -> Vec<u8> {
    let intended_ns = BEGIN_NS + u64::from(sequence) * 100 * MS;
    let mark = Mark { run, stream, sequence, intended_ns, sent_ns: intended_ns + LATE_NS };
    let mut message = b"2[\"chat\",\"".to_vec();
    mark.write(64, &mut message);
    message.extend_from_slice(b"\"]");
    message
}

/// All clients in one shard.
fn part() -> Part {
    let (shard, shards, first_client, clients) = (0, 1, 0, 3);
    let (plan, run, duty) = (plan(PLAN), RUN, Duty::Crowd);
    Part { plan, run, shard, shards, first_client, clients, duty }
}

fn stamp(at_ms: u64) -> Stamp {
    let received_ns = BEGIN_NS + at_ms * MS;
    Stamp { kernel_ns: Some(received_ns), user_ns: received_ns + UNREAD_NS }
}

fn heard() -> Listening {
    let cast = Cast::new(&plan(PLAN));
    let mut listening = Listening::new(&part(), 0..3, &cast);
    listening.measure(BEGIN_NS + 100 * MS..BEGIN_NS + 400 * MS);
    for (client, sequence, at_ms) in RECEIPTS {
        listening.hear(&cast, client, &message(RUN, 0, sequence), stamp(at_ms));
    }
    let mut spoiled = message(RUN, 0, 3);
    spoiled[40] = b'x';
    assert_eq!(listening.hear(&cast, 0, &spoiled, stamp(302)), Heard::Nothing);
    let former = message(RUN - 1, 0, 3);
    assert_eq!(listening.hear(&cast, 2, &former, stamp(304)), Heard::Nothing);
    listening
}

/// The samples of a measure, each as the greatest value of its bucket.
fn samples(listening: &Listening, measure: Measure) -> Vec<u64> {
    let histogram = listening.score.latencies[&measure].histogram();
    let values = histogram.iter_recorded().flat_map(|value| {
        let count = usize::try_from(value.count_since_last_iteration()).unwrap();
        std::iter::repeat_n(value.value_iterated_to(), count)
    });
    values.collect()
}

/// Each told at most 0.1 % too high, and never too low.
fn assert_told(told: &[u64], exact: &[u64]) {
    assert_eq!(told.len(), exact.len(), "{told:?}");
    for (told, exact) in told.iter().zip(exact) {
        assert!((*exact..=exact + exact / 1_000 + 512).contains(told), "{told} for {exact}");
    }
}

#[test]
fn receipts_are_counted_each_as_what_it_was() {
    let counts = heard().score.counts;
    assert_eq!(counts.received, 10, "eleven came, one of them twice");
    assert_eq!(counts.duplicated, 1);
    assert_eq!(counts.reordered, 1);
    assert_eq!((counts.corrupted, counts.stray), (1, 1));
    assert_eq!(counts.measured_received, 7, "three belong to the warm-up");
}

#[test]
fn what_comes_after_the_measured_part_has_a_latency_and_is_no_rate() {
    let cast = Cast::new(&plan(PLAN));
    let mut listening = Listening::new(&part(), 0..3, &cast);
    listening.measure(BEGIN_NS + 100 * MS..BEGIN_NS + 400 * MS);
    for (sequence, at_ms) in [(0, 100), (1, 399), (2, 400), (3, 450)] {
        listening.hear(&cast, 0, &message(RUN, 0, sequence), stamp(at_ms));
    }
    assert_told(&samples(&listening, Measure::Delivery), &[150 * MS, 200 * MS, 299 * MS]);
    assert_eq!(listening.score.counts.measured_received, 2);
}

#[test]
fn latencies_run_from_the_intended_send_and_uncorrected_ones_from_the_actual() {
    let listening = heard();
    let exact = [MS, MS, MS, 3 * MS, 5 * MS, 10 * MS, 142 * MS];
    assert_told(&samples(&listening, Measure::Delivery), &exact);
    let uncorrected = exact.map(|latency_ns| latency_ns - LATE_NS);
    assert_told(&samples(&listening, Measure::DeliveryUncorrected), &uncorrected);
    let user_space = exact.map(|latency_ns| latency_ns + UNREAD_NS);
    assert_told(&samples(&listening, Measure::DeliveryUserSpace), &user_space);
    assert_told(&samples(&listening, Measure::ReceiveLag), &[UNREAD_NS; 7]);
}

/// Buckets are a sixteenth of an octave wide: twenty samples would be needed to tell a p50.
#[test]
fn each_client_has_its_own_latencies() {
    let clients = heard().clients.summaries();
    let counts: Vec<(u64, u64)> =
        clients.iter().map(|client| (client.count, client.max_ns)).collect();
    assert_eq!(counts, [(2, MS), (3, 142 * MS), (2, 10 * MS)]);
    assert!(clients.iter().all(|client| client.p50_ns.is_none()));
}

#[test]
fn each_broadcast_knows_its_first_and_its_last_recipient() {
    let round = |due_ms, first_ms, last_ms, received| Round {
        intended_ns: BEGIN_NS + due_ms * MS,
        first_ns: BEGIN_NS + first_ms * MS,
        last_ns: BEGIN_NS + last_ms * MS,
        received,
    };
    let rounds = vec![
        round(0, 1, 3, 3),
        round(100, 101, 242, 2),
        round(200, 201, 210, 3),
        round(300, 301, 303, 2),
    ];
    assert_eq!(heard().score.rounds, [rounds]);
}

#[test]
fn shards_that_heard_a_part_each_add_up_to_one_that_heard_all() {
    let cast = Cast::new(&plan(PLAN));
    let hear = |clients: std::ops::Range<u32>| {
        let mut listening = Listening::new(&part(), clients.clone(), &cast);
        listening.measure(BEGIN_NS + 100 * MS..BEGIN_NS + 400 * MS);
        for (client, sequence, at_ms) in RECEIPTS {
            if clients.contains(&client) {
                listening.hear(&cast, client, &message(RUN, 0, sequence), stamp(at_ms));
            }
        }
        listening.score
    };
    let (mut sum, rest, whole) = (hear(0..1), hear(1..3), hear(0..3));
    sum.merge(&rest);
    assert_eq!(sum.counts, whole.counts);
    assert_eq!(sum.rounds, whole.rounds);
    let histogram = |measure| sum.latencies[&measure].histogram();
    for (measure, latencies) in whole.latencies.iter() {
        assert_eq!(histogram(measure), latencies.histogram(), "{measure:?}");
    }
}

#[test]
fn an_event_of_a_stream_that_nobody_publishes_is_stray() {
    let cast = Cast::new(&plan(PLAN));
    let mut listening = Listening::new(&part(), 0..3, &cast);
    listening.hear(&cast, 0, &message(RUN, 1, 0), stamp(1));
    assert_eq!((listening.score.counts.stray, listening.score.counts.received), (1, 0));
}

#[test]
fn an_answer_to_somebody_else_is_stray() {
    let cast = Cast::new(&plan(PLAN));
    let mut listening = Listening::new(&part(), 0..3, &cast);
    let asked_by_1 = message(run_of(RUN, 1), ANSWERS, 0);
    assert_eq!(listening.hear(&cast, 2, &asked_by_1, stamp(1)), Heard::Nothing);
    assert_eq!(listening.hear(&cast, 1, &asked_by_1, stamp(2)), Heard::Answer);
    assert_eq!((listening.score.counts.stray, listening.score.counts.received), (1, 1));
}

const PLAN: &str = "broadcast http://10.0.0.1:3000 --clients 3";
/// Client, broadcast, and milliseconds of the receipt, as they came.
const RECEIPTS: [(u32, u32, u64); 11] = [
    (0, 0, 1),
    (1, 0, 2),
    (2, 0, 3),
    (0, 1, 101),
    (0, 2, 201),
    (0, 2, 202),
    (1, 2, 205),
    (2, 2, 210),
    (1, 1, 242),
    (1, 3, 301),
    (2, 3, 303),
];

/// All sends were made half a millisecond late.
const LATE_NS: u64 = MS / 2;
/// All receipts were read two milliseconds late.
const UNREAD_NS: u64 = 2 * MS;
const MS: u64 = 1_000_000;
const BEGIN_NS: u64 = 1_795_300_000_000_000_000;
const RUN: u32 = 7;
