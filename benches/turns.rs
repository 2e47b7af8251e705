//! Whole turns of a server on a network of byte queues: what a message costs without a kernel.
//!
//! ```text
//! 81 98 .. 42["echo","hello"]  ->  read, frame, session, packet, handler, frame, write
//! ```

#[path = "../tests/counts/net.rs"]
mod net;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use net::{CountingNet, Listener, text_frame, upgrade_request};
use throng::config::Config;
use throng::{Now, Server};

const ZERO: Option<Duration> = Some(Duration::ZERO);

/// Nothing is counted here.
fn uncounted(act: impl FnOnce()) {
    act();
}

fn server_with_clients(clients: usize) -> Server<CountingNet> {
    let mut config = Config::default();
    config.reactor.connections_max = Some(clients);
    // A broadcast is to be written whole in one turn.
    config.budget.slice_connections_max = usize::MAX;
    let net = CountingNet::new();
    let Ok(mut server) = Server::simulated(net, vec![Listener], config, Now::default, 1) else {
        panic!("a simulated server needs nothing that may fail")
    };
    server
        .of("/")
        .on_raw("note", |_, args, _| {
            black_box(args.len());
        })
        .on("parse", |_, text: String| drop(black_box(text)))
        .on_raw("echo", |socket, args, _| {
            socket.emit("echo", args);
        });
    let (request, connect) = (upgrade_request(0), text_frame("40"));
    for _ in 0..clients {
        let client = server.net_mut().connect();
        server.net_mut().send(client, &request);
        poll(&mut server);
        server.net_mut().send(client, &connect);
        poll(&mut server);
        assert!(!server.net_mut().received(client).is_empty());
    }
    assert_eq!(server.net_mut().closed(), 0);
    server.net_mut().keeps = false;
    server
}

fn poll(server: &mut Server<CountingNet>) {
    while server.poll(ZERO).is_ok_and(|turn| turn.more) {}
}

fn one_message(criterion: &mut Criterion) {
    let mut server = server_with_clients(1);
    let cases = [("ignored", "note"), ("parsed", "parse"), ("echoed", "echo")];
    for (what, event) in cases {
        let frame = text_frame(&format!("42[\"{event}\",\"hello there, how are you?\"]"));
        criterion.bench_function(&format!("a turn with one frame, {what}"), |bencher| {
            bencher.iter(|| {
                server.net_mut().send(0, &frame);
                poll(&mut server);
            });
        });
    }
}

/// The turn's own cost is shared by a hundred messages.
fn many_messages(criterion: &mut Criterion) {
    let mut server = server_with_clients(1);
    let mut group = criterion.benchmark_group("one hundred frames of one read");
    group.throughput(Throughput::Elements(100));
    for (what, event) in [("ignored", "note"), ("parsed", "parse"), ("echoed", "echo")] {
        let frame = text_frame(&format!("42[\"{event}\",\"hello there, how are you?\"]"));
        let frames = frame.repeat(100);
        group.bench_function(what, |bencher| {
            bencher.iter(|| {
                server.net_mut().send(0, &frames);
                poll(&mut server);
            });
        });
    }
    group.finish();
}

fn broadcast(criterion: &mut Criterion) {
    let clients = 10_000;
    let server = std::cell::RefCell::new(server_with_clients(clients));
    let mut group = criterion.benchmark_group("a broadcast to 10,000");
    group.throughput(Throughput::Elements(clients as u64));
    group.sample_size(50);
    group.bench_function("queued", |bencher| {
        bencher.iter_batched(
            || poll(&mut server.borrow_mut()),
            |()| server.borrow().emit("news", "hello there, how are you?"),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("queued and written", |bencher| {
        bencher.iter(|| {
            server.borrow().emit("news", "hello there, how are you?");
            poll(&mut server.borrow_mut());
        });
    });
    group.finish();
}

criterion_group!(turns, one_message, many_messages, broadcast);
criterion_main!(turns);
