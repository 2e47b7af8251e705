//! What one call of `poll` does, and how much at most.
//!
//! The clock moves by 100 µs at each look, so that time passes in steps that can be counted.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use throng::config::Config;
use throng::testing::{MemoryListener, MemoryNet};
use throng::{Now, Server, Turn};

const LOOK: Duration = Duration::from_micros(100);

struct World {
    server: Server<MemoryNet>,
    now: Rc<Cell<Duration>>,
    /// By how much the clock moves at each look.
    look: Rc<Cell<Duration>>,
}

impl World {
    fn new(configure: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        configure(&mut config);
        let now = Rc::new(Cell::new(Duration::from_secs(1)));
        let look = Rc::new(Cell::new(Duration::ZERO));
        let (clock, step) = (Rc::clone(&now), Rc::clone(&look));
        let clock = move || {
            clock.set(clock.get() + step.get());
            Now { monotonic: clock.get(), wall: clock.get() }
        };
        let listeners = vec![MemoryListener];
        let server = Server::simulated(MemoryNet::new(), listeners, config, clock, 1).unwrap();
        Self { server, now, look }
    }

    fn poll(&mut self) -> Turn {
        self.server.poll(Some(Duration::ZERO)).unwrap()
    }

    fn settle(&mut self) {
        for _ in 0..10_000 {
            if !self.poll().more && self.server.net_mut().is_idle() {
                return;
            }
        }
        panic!("the server never rests");
    }

    fn join(&mut self) -> usize {
        let client = self.server.net_mut().connect();
        self.server.net_mut().send(client, UPGRADE);
        self.send(client, "40");
        self.settle();
        self.server.net_mut().received(client);
        client
    }

    fn join_many(&mut self, clients: usize) -> Vec<usize> {
        (0..clients).map(|_| self.join()).collect()
    }

    fn send(&mut self, client: usize, text: &str) {
        let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
        frame.extend_from_slice(text.as_bytes());
        self.server.net_mut().send(client, frame);
    }

    /// From here on time passes.
    fn tick(&mut self) {
        self.look.set(LOOK);
    }
}

#[test]
fn a_turn_tells_what_it_did() {
    let mut world = World::new(|_| {});
    world.server.of("/").on_with_ack("add", |_, (a, b): (i64, i64)| a + b);
    let handle = world.server.handle();
    let client = world.server.net_mut().connect();
    assert_eq!(world.poll().accepted, 1);
    world.server.net_mut().send(client, UPGRADE);
    world.send(client, "40");
    world.settle();
    world.send(client, "420[\"add\",1,2]");
    world.send(client, "421[\"add\",3,4]");
    world.server.io().after(Duration::from_millis(5), |_| {});
    world.now.set(world.now.get() + Duration::from_millis(5));
    handle.post(|_| {}).unwrap();
    handle.post(|_| {}).unwrap();
    let turn = world.poll();
    assert_eq!((turn.jobs, turn.messages, turn.deadlines, turn.writes), (2, 2, 1, 1));
    assert!(!turn.more);
    assert_eq!(world.poll(), Turn::default());
}

#[test]
fn while_work_is_left_it_says_so_and_the_next_deadline_is_zero() {
    let mut world = World::new(|config| config.budget.messages_total_max = 10);
    let client = world.join();
    for _ in 0..25 {
        world.send(client, "42[\"hello\"]");
    }
    for (messages, more) in [(10, true), (10, true), (5, false), (0, false)] {
        let turn = world.poll();
        assert_eq!((turn.messages, turn.more), (messages, more));
        assert_eq!(world.server.next_deadline() == Some(Duration::ZERO), more);
        assert_eq!(world.server.next_timeout() == Some(Duration::ZERO), more);
    }
}

#[test]
fn to_poll_before_the_deadline_does_nothing_and_at_the_deadline_all() {
    let mut world = World::new(|_| {});
    let client = world.join();
    let ping_at = world.server.next_deadline().unwrap();
    while world.server.next_deadline().unwrap() <= ping_at {
        let next = world.server.next_deadline().unwrap();
        assert!(next > world.now.get());
        world.now.set(next.saturating_sub(Duration::from_nanos(1)));
        assert_eq!(world.poll(), Turn::default());
        world.now.set(next);
        world.poll();
    }
    while world.server.net_mut().received(client) != b"\x81\x012" {
        let next = world.server.next_deadline().unwrap();
        world.now.set(next);
        world.poll();
    }
    assert!(world.now.get() <= Duration::from_secs(1 + 25));
}

#[test]
fn its_time_ends_a_turn_between_two_messages_and_nothing_is_lost() {
    let mut world = World::new(|config| config.budget.time_max = Some(10 * LOOK));
    let handled = Rc::new(Cell::new(0));
    let count = Rc::clone(&handled);
    world.server.of("/").on("count", move |_, number: u32| {
        assert_eq!(number, count.get());
        count.set(number + 1);
    });
    let client = world.join();
    for number in 0..100 {
        world.send(client, &format!("42[\"count\",{number}]"));
    }
    world.tick();
    let mut turns = 0;
    while handled.get() < 100 {
        let turn = world.poll();
        assert!((1..=10).contains(&turn.messages), "{turn:?}");
        assert!(turn.more || handled.get() == 100);
        turns += 1;
    }
    assert!(turns >= 10);
}

#[test]
fn its_time_ends_a_turn_between_two_writes_in_either_lane() {
    let mut world = World::new(|config| config.budget.time_max = Some(10 * LOOK));
    let clients = world.join_many(100);
    let handle = world.server.handle();
    for direct in [false, true] {
        world.look.set(Duration::ZERO);
        world.settle();
        handle
            .post(move |io| {
                if direct {
                    for socket in io.of("/").sockets() {
                        socket.emit("news", ());
                    }
                } else {
                    io.emit("news", ());
                }
            })
            .unwrap();
        world.tick();
        let mut left = 100;
        while left > 0 {
            let turn = world.poll();
            // What the call before left is flushed before the wait, with as much time.
            assert!((1..=24).contains(&turn.writes), "{turn:?}");
            left -= turn.writes;
            assert!(turn.more || left == 0);
        }
    }
    for client in clients {
        assert_eq!(world.server.net_mut().received(client), b"\x81\x0a42[\"news\"]".repeat(2));
    }
}

#[test]
fn its_time_ends_a_turn_between_two_closures_timers_and_connections() {
    let mut world = World::new(|config| config.budget.time_max = Some(10 * LOOK));
    world.settle();
    let handle = world.server.handle();
    let run = Rc::new(Cell::new(0));
    for _ in 0..100 {
        handle.post(|_| {}).unwrap();
        let run = Rc::clone(&run);
        world.server.io().after(LOOK, move |_| run.set(run.get() + 1));
        world.server.net_mut().connect();
    }
    world.now.set(world.now.get() + Duration::from_millis(2));
    world.tick();
    let mut sum = (0, 0);
    let mut turns = 0;
    loop {
        let turn = world.poll();
        assert!(turn.jobs + turn.deadlines <= 12 && turn.accepted <= 10, "{turn:?}");
        sum = (sum.0 + turn.jobs, sum.1 + turn.accepted);
        turns += 1;
        if !turn.more {
            break;
        }
        assert!(turns < 1_000);
    }
    assert_eq!((sum, run.get()), ((100, 100), 100));
}

/// However little time there is, each kind of work goes on.
#[test]
fn a_turn_without_any_time_does_one_piece_of_each_kind() {
    let mut world = World::new(|config| config.budget.time_max = Some(Duration::ZERO));
    let clients = world.join_many(3);
    let handle = world.server.handle();
    for _ in 0..50 {
        handle
            .post(|io| {
                io.emit("news", ());
            })
            .unwrap();
    }
    for &client in &clients {
        for _ in 0..50 {
            world.send(client, "42[\"hello\"]");
        }
    }
    for _ in 0..5 {
        world.server.net_mut().connect();
        world.server.io().after(LOOK, |_| {});
    }
    world.now.set(world.now.get() + LOOK + Duration::from_millis(1));
    world.tick();
    let turn = world.poll();
    assert_eq!((turn.jobs, turn.accepted, turn.messages, turn.deadlines), (1, 1, 1, 1));
    assert!(turn.writes >= 1 && turn.more);
    let mut messages = turn.messages;
    while messages < 150 {
        messages += world.poll().messages;
    }
}

#[test]
fn a_frame_has_so_much_time_and_the_sum_of_what_was_done_is_told() {
    let mut world = World::new(|_| {});
    let clients = world.join_many(200);
    world.server.emit("news", ());
    world.tick();
    let first = world.server.poll_for(50 * LOOK).unwrap();
    assert!(first.more && (10..=50).contains(&first.writes), "{first:?}");
    world.look.set(Duration::ZERO);
    let rest = world.server.poll_for(Duration::from_secs(1)).unwrap();
    assert!(!rest.more);
    assert_eq!(first.writes + rest.writes, 200);
    assert_eq!(clients.len(), 200);
    assert_eq!(world.server.poll_for(Duration::ZERO).unwrap(), Turn::default());
}

/// A closure that emits to many is worth as much as it queues.
#[test]
fn closures_that_fan_out_wait_until_what_they_queued_is_sent() {
    let mut world = World::new(|config| {
        config.budget.deliveries_max = 250;
        config.budget.backlog_messages_max = 1_000;
    });
    let clients = world.join_many(100);
    let handle = world.server.handle();
    for _ in 0..200 {
        handle
            .post(|io| {
                io.emit("news", ());
            })
            .unwrap();
    }
    let (mut jobs, mut waiting_max) = (0, 0);
    while jobs < 200 || world.server.io().queued_bytes() > 0 {
        let turn = world.poll();
        assert!(turn.jobs <= 3);
        jobs += turn.jobs;
        waiting_max = waiting_max.max(world.server.io().queued_bytes() / 8);
    }
    assert!(waiting_max <= 1_000 + 300, "{waiting_max} waited");
    for client in clients {
        assert_eq!(world.server.net_mut().received(client).len(), 200 * 12);
    }
}

#[test]
fn ends_of_many_connections_are_spread_over_turns() {
    let mut world = World::new(|config| config.budget.time_max = Some(10 * LOOK));
    let clients = world.join_many(100);
    for client in clients {
        world.server.net_mut().end(client);
    }
    world.tick();
    let mut left = 100;
    while left > 0 {
        assert!(world.poll().more || world.server.io().of("/").sockets_len() == 0);
        let now = world.server.io().of("/").sockets_len();
        assert!((1..=10).contains(&(left - now)), "{left} to {now}");
        left = now;
    }
}

#[test]
fn a_close_sends_what_was_queued_whatever_time_there_is() {
    let mut world = World::new(|config| config.budget.time_max = Some(10 * LOOK));
    let clients = world.join_many(100);
    world.tick();
    world.server.emit("bye", ());
    world.server.close();
    assert_eq!(world.server.next_deadline(), Some(Duration::ZERO));
    while !world.server.is_closed() {
        world.poll();
        world.now.set(world.now.get() + Duration::from_millis(100));
    }
    for client in clients {
        assert!(world.server.net_mut().received(client).starts_with(b"\x81\x0942[\"bye\"]"));
    }
}

/// A host that turns until no more is left, and pulls then, must get there.
#[test]
fn what_waits_for_the_host_to_pull_is_no_more_work() {
    let mut world = World::new(|config| config.socket.pulled_events_max = 1);
    world.server.of("/").pull();
    let client = world.join();
    let mut pulled = 0;
    while world.server.next_event().is_some() {}
    for _ in 0..3 {
        world.send(client, "42[\"hello\"]");
    }
    while pulled < 3 {
        for turns in 0.. {
            assert!(turns < 100, "it never rests");
            if !world.poll().more {
                break;
            }
        }
        assert_eq!(world.server.next_deadline(), Some(Duration::ZERO));
        assert!(world.server.next_event().is_some());
        assert!(world.server.next_event().is_none());
        pulled += 1;
    }
}

#[test]
fn nothing_that_a_peer_does_is_an_error() {
    let mut world = World::new(|_| {});
    let member = world.join();
    for bytes in [&b"\xff\xfe\x00"[..], b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01 no TLS here"] {
        let peer = world.server.net_mut().connect();
        world.server.net_mut().send(peer, bytes);
        world.server.net_mut().end(peer);
        world.settle();
    }
    world.server.net_mut().send(member, b"\x83\x80\0\0\0\0");
    world.settle();
    assert_eq!(world.server.io().of("/").sockets_len(), 0);
}

#[test]
fn a_flush_writes_what_the_host_queued_and_reads_nothing() {
    let mut world = World::new(|_| {});
    let client = world.join();
    world.send(client, "42[\"hello\"]");
    world.server.emit("news", ());
    let flushed = world.server.flush();
    assert_eq!((flushed.writes, flushed.messages, flushed.more), (1, 0, false));
    assert_eq!(world.server.net_mut().received(client), b"\x81\x0a42[\"news\"]");
    assert_eq!(world.server.flush(), Turn::default());
    assert_eq!(world.poll().messages, 1);
}

/// A flush is bounded like a turn: of a broadcast to many it writes a slice.
#[test]
fn a_flush_of_much_leaves_a_rest_and_says_so() {
    let mut world = World::new(|config| config.budget.slice_connections_max = 16);
    world.join_many(40);
    world.server.emit("news", ());
    let writes: Vec<_> = (0..3).map(|_| world.server.flush()).collect();
    let told: Vec<_> = writes.iter().map(|flushed| (flushed.writes, flushed.more)).collect();
    assert_eq!(told, [(16, true), (16, true), (8, false)]);
}

/// Whoever is answered first doesn't wait until the last has been heard.
#[test]
fn replies_leave_in_slices_while_the_turn_goes_on() {
    let mut world = World::new(|config| config.budget.slice_connections_max = 4);
    let waiting = Rc::new(Cell::new(0));
    let most = Rc::clone(&waiting);
    world.server.of("/").on_with_ack("ask", move |socket, text: String| {
        most.set(most.get().max(socket.server().queued_bytes()));
        text
    });
    let clients = world.join_many(40);
    let text = "a".repeat(80);
    let ask = format!("420[\"ask\",\"{text}\"]");
    for client in clients {
        world.send(client, &ask);
    }
    let turn = world.poll();
    assert_eq!((turn.messages, turn.writes, turn.more), (40, 40, false));
    assert_eq!(waiting.get() / text.len(), 3, "{} bytes waited", waiting.get());
}

/// The same of answers to requests: what is written has been so before the turn's time was over.
#[test]
fn answers_to_requests_leave_in_slices_too() {
    let mut world = World::new(|config| {
        config.budget.slice_connections_max = 4;
        config.budget.time_max = Some(40 * LOOK);
    });
    let clients: Vec<_> = (0..40).map(|_| world.server.net_mut().connect()).collect();
    world.settle();
    for client in clients {
        world.server.net_mut().send(client, "GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    }
    world.tick();
    let turn = world.poll();
    assert!(turn.more && turn.writes >= 4, "{turn:?}");
}

#[test]
fn fine_timers_fire_within_their_resolution_and_never_early() {
    let resolution = Duration::from_micros(50);
    let mut world = World::new(|config| config.reactor.timer_resolution = resolution);
    let fired = Rc::new(Cell::new(None));
    for delay in [1, 49, 50, 51, 333, 999, 1_001].map(Duration::from_micros) {
        world.now.set(world.now.get() + Duration::from_secs(1));
        world.poll();
        let told = Rc::clone(&fired);
        world.server.io().after(delay, move |io| told.set(Some(io.now().monotonic)));
        let due = world.now.get() + delay;
        fired.set(None);
        while fired.get().is_none() {
            let next = world.server.next_deadline().unwrap();
            assert!(next <= due + resolution);
            world.now.set(next.max(world.now.get()));
            world.poll();
        }
        let at = fired.get().unwrap();
        assert!(due <= at && at < due + resolution, "{delay:?}: {at:?} for {due:?}");
    }
}

/// However long ago each was set, and whatever was taken back in between.
#[test]
fn timers_of_one_moment_run_in_the_order_in_which_they_were_set() {
    let mut world = World::new(|_| ());
    let start = world.now.get();
    let log = Rc::new(RefCell::new(Vec::new()));
    let set = |world: &World, name, at: Duration| {
        let log = Rc::clone(&log);
        let delay = (start + at).saturating_sub(world.now.get());
        world.server.io().after(delay, move |_| log.borrow_mut().push(name))
    };
    for (name, now) in [(1, 0), (2, 6_000), (3, 9_950), (4, 9_999)] {
        world.now.set(start + Duration::from_millis(now));
        world.poll();
        let taken_back = set(&world, 0, Duration::from_secs(10));
        set(&world, name, Duration::from_secs(10));
        world.server.io().cancel(taken_back);
    }
    while log.borrow().is_empty() {
        world.now.set(world.server.next_deadline().unwrap());
        world.poll();
    }
    assert_eq!(*log.borrow(), [1, 2, 3, 4]);
}

const UPGRADE: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: test\r\n\
    Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
