//! Whole turns of a server on a network of byte queues: what a message costs without a kernel.
//!
//! ```text
//! 81 98 .. 42["echo","hello"]  ->  read, frame, session, packet, handler, frame, write
//! ```

mod common;

use std::cell::RefCell;
use std::time::Duration;

use common::net::text_frame;
use common::{Running, TEXT};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

fn one_message(criterion: &mut Criterion) {
    let mut running = Running::with_clients(1);
    for (what, event, answer) in EVENTS {
        let frame = text_frame(&format!("{event}\"{TEXT}\"]"));
        running.check(0, &frame, answer);
        criterion.bench_function(&format!("a turn with one frame, {what}"), |bencher| {
            bencher.iter(|| running.send(0, &frame));
        });
    }
    criterion.bench_function("a turn with nothing", |bencher| bencher.iter(|| running.poll()));
}

/// The turn's own cost is shared by a hundred messages.
fn many_messages(criterion: &mut Criterion) {
    let mut running = Running::with_clients(1);
    let mut group = criterion.benchmark_group("one hundred frames of one read");
    group.throughput(Throughput::Elements(100));
    for (what, event, _) in EVENTS {
        let frames = text_frame(&format!("{event}\"{TEXT}\"]")).repeat(100);
        group.bench_function(what, |bencher| bencher.iter(|| running.send(0, &frames)));
    }
    group.finish();
}

fn broadcast(criterion: &mut Criterion) {
    for clients in [1_000, 10_000] {
        let running = RefCell::new(Running::with_clients(clients));
        let mut group = criterion.benchmark_group(format!("a broadcast to {clients}"));
        group.throughput(Throughput::Elements(clients as u64));
        group.sample_size(50);
        group.bench_function("queued", |bencher| {
            bencher.iter_batched(
                || running.borrow_mut().poll(),
                |()| running.borrow().server.emit("news", TEXT),
                BatchSize::PerIteration,
            );
        });
        group.bench_function("queued and written", |bencher| {
            bencher.iter(|| running.borrow_mut().broadcast(1));
        });
        group.bench_function("four of one turn, queued and written", |bencher| {
            bencher.iter(|| running.borrow_mut().broadcast(4));
        });
        group.finish();
    }
}

fn connect(criterion: &mut Criterion) {
    let clients = 1_000;
    let mut group = criterion.benchmark_group("connects");
    group.throughput(Throughput::Elements(clients as u64));
    group.sample_size(50);
    group.bench_function("upgrade and CONNECT", |bencher| {
        bencher.iter_batched(
            || Running::new(clients),
            |mut running| {
                for _ in 0..clients {
                    running.join();
                }
                running
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn heartbeat(criterion: &mut Criterion) {
    let clients = 1_000;
    let mut running = Running::with_clients(clients);
    let pong = text_frame("3");
    let mut group = criterion.benchmark_group("heartbeats");
    group.throughput(Throughput::Elements(clients as u64));
    group.bench_function("ping and pong", |bencher| bencher.iter(|| running.beat(&pong)));
    group.finish();
}

/// Criterion's own defaults take minutes, and say no more.
fn config() -> Criterion {
    Criterion::default().measurement_time(Duration::from_secs(3))
}

/// What is done with it, how it begins, and how its answer ends.
const EVENTS: [(&str, &str, &str); 4] = [
    ("ignored", "42[\"note\",", ""),
    ("parsed", "42[\"parse\",", ""),
    ("echoed", "42[\"echo\",", "42[\"echo\",\"hello there, how are you?\"]"),
    ("acknowledged", "4217[\"ack-echo\",", "4317[\"hello there, how are you?\"]"),
];

criterion_group!(
    name = turns;
    config = config();
    targets = one_message, many_messages, broadcast, connect, heartbeat
);
criterion_main!(turns);
