//! The whole server on a simulated network and clock: what a turn must not do, whoever the peers
//! are. Each test is named after what once went wrong.

mod adapters;
mod admissions;
mod backpressure;
mod calling_parsers;
mod deferred;
mod dynamic;
mod engine;
mod events;
mod greeting;
mod handlers;
mod late_adapters;
mod nesting;
mod parents;
mod parsers;
mod pulled;
mod recovery;
mod room_watchers;
mod volatile;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use throng::config::Config;
use throng::http::Response;
use throng::testing::{MemoryListener, MemoryNet};
use throng::{Handle, Now, Server, Turn};

/// A server and the hand on its clock.
struct World {
    server: Server<MemoryNet>,
    now: Rc<Cell<Duration>>,
}

impl World {
    fn new(config: Config) -> Self {
        let now = Rc::new(Cell::new(Duration::from_secs(1)));
        let clock = Rc::clone(&now);
        let clock = move || Now { monotonic: clock.get(), wall: clock.get() };
        let listeners = vec![MemoryListener];
        let server = Server::simulated(MemoryNet::new(), listeners, config, clock, 1);
        Self { server: server.unwrap(), now }
    }

    fn poll(&mut self) -> Turn {
        self.server.poll(Some(Duration::ZERO)).unwrap()
    }

    fn advance(&mut self, by: Duration) {
        self.now.set(self.now.get() + by);
    }

    /// Polls until nothing is left to do; a server that never rests is a failure.
    fn settle(&mut self) {
        for _ in 0..1_000 {
            if !self.poll().more {
                return;
            }
        }
        panic!("the server spins");
    }

    fn connect(&mut self) -> usize {
        let client = self.server.net_mut().connect();
        self.settle();
        client
    }

    fn send(&mut self, client: usize, bytes: impl AsRef<[u8]>) {
        self.server.net_mut().send(client, bytes);
    }

    fn received(&mut self, client: usize) -> String {
        String::from_utf8_lossy(&self.server.net_mut().received(client)).into_owned()
    }

    /// A client with a WebSocket session, joined to `/`.
    fn join(&mut self) -> usize {
        let client = self.connect();
        self.send(client, UPGRADE);
        self.send(client, frame(0x81, "40"));
        self.settle();
        let received = self.received(client);
        assert!(received.contains("40{\"sid\":\""), "{received:?}");
        client
    }
}

/// A frame as a client sends it; a mask of zeroes leaves the payload as it is.
fn frame(first_byte: u8, payload: &str) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    assert!(length <= 125);
    [&[first_byte, 0x80 | length, 0, 0, 0, 0], payload.as_bytes()].concat()
}

const UPGRADE: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\n\
    Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[test]
fn input_behind_the_last_request_is_thrown_away_and_not_looked_at_for_ever() {
    for last in ["GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nX", "GET\r\n\r\n\r\nX"] {
        let mut world = World::new(Config::default());
        world.server.http().get("/", |_, _| Response::ok().text("long ".repeat(10_000)));
        let client = world.connect();
        world.server.net_mut().set_room(client, 10);
        world.send(client, last);
        // The peer reads ten bytes: until it reads more, or its time is up, nothing can be done.
        world.settle();
        assert!(!world.server.net_mut().is_closed(client));
        world.server.net_mut().set_room(client, usize::MAX);
        world.settle();
        assert!(world.received(client).starts_with("HTTP/1.1 "));
    }
}

#[test]
fn a_half_closed_peer_that_reads_nothing_is_cut_off_in_the_end() {
    let mut world = World::new(Config::default());
    let client = world.join();
    world.server.net_mut().set_room(client, 10);
    world.server.emit("event", &"a".repeat(1_000));
    world.settle();
    world.server.net_mut().end(client);
    world.settle();
    world.advance(Duration::from_secs(31));
    world.settle();
    assert!(world.server.net_mut().is_closed(client));
}

#[test]
fn a_single_message_beyond_the_hard_limit_is_no_reason_to_close() {
    let mut config = Config::default();
    config.outgoing.hard_bytes_max = 10_000;
    let mut world = World::new(config);
    let client = world.join();
    world.server.net_mut().set_room(client, 10);
    world.server.emit("event", &"a".repeat(20_000));
    world.settle();
    assert_eq!(world.server.io().sessions_len(), 1);
    world.server.net_mut().set_room(client, 1_000);
    world.settle();
    assert_eq!(world.server.io().sessions_len(), 1);
    // What comes behind it counts.
    world.server.emit("event", &"a".repeat(6_000));
    world.settle();
    assert_eq!(world.server.io().sessions_len(), 1);
    world.server.emit("event", &"a".repeat(6_000));
    world.settle();
    assert_eq!(world.server.io().sessions_len(), 0);
}

#[test]
fn a_fan_out_that_was_not_yet_written_costs_nobody_their_session() {
    let mut config = Config::default();
    config.outgoing.total_bytes_max = 100_000;
    let mut world = World::new(config);
    let clients: Vec<usize> = (0..50).map(|_| world.join()).collect();
    for &client in &clients {
        world.server.net_mut().set_room(client, 5_000);
    }
    world.server.emit("event", &"a".repeat(10_000));
    world.settle();
    assert_eq!(world.server.io().sessions_len(), 50);
    for client in clients {
        world.server.net_mut().set_room(client, usize::MAX);
    }
    world.settle();
    assert_eq!(world.server.io().sessions_len(), 50);
}

#[test]
fn a_server_that_is_up_for_more_than_a_year_still_waits() {
    let mut world = World::new(Config::default());
    let client = world.join();
    for _ in 0..40 * 400 {
        world.advance(Duration::from_secs(60 * 60));
        if !world.server.net_mut().is_closed(client) {
            world.settle();
        }
    }
    assert!(world.now.get() > Duration::from_secs(365 * 24 * 60 * 60));
    world.settle();
    let client = world.join();
    world.advance(Duration::from_secs(10));
    world.settle();
    assert!(!world.server.net_mut().is_closed(client));
}

#[test]
fn many_small_requests_for_a_large_answer_are_answered_as_they_are_read() {
    let mut world = World::new(Config::default());
    let asked = Rc::new(Cell::new(0));
    let count = Rc::clone(&asked);
    world.server.http().get("/", move |_, _| {
        count.set(count.get() + 1);
        Response::ok().text("a".repeat(1_000_000))
    });
    let client = world.connect();
    world.server.net_mut().set_room(client, 10);
    world.send(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n".repeat(200));
    world.settle();
    assert!(asked.get() < 4, "{} answers wait in memory", asked.get());
    while asked.get() < 200 {
        world.server.net_mut().set_room(client, usize::MAX);
        world.settle();
        world.received(client);
    }
}

#[test]
fn pongs_for_a_peer_that_reads_none_are_few() {
    let mut world = World::new(Config::default());
    let client = world.join();
    world.server.net_mut().set_room(client, 0);
    for _ in 0..100 {
        world.send(client, frame(0x89, "").repeat(10_000));
        world.settle();
    }
    world.server.net_mut().set_room(client, usize::MAX);
    world.poll();
    let pongs = world.server.net_mut().received(client).len() / 2;
    assert!(pongs < 20_000, "{pongs} waited");
}

#[test]
fn a_download_may_take_longer_than_a_connection_may_be_idle() {
    for close in ["", "Connection: close\r\n"] {
        let mut world = World::new(Config::default());
        world.server.http().get("/", |_, _| Response::ok().text("a".repeat(100_000)));
        let client = world.connect();
        world.server.net_mut().set_room(client, 10);
        world.send(client, format!("GET / HTTP/1.1\r\nHost: h\r\n{close}\r\n"));
        for _ in 0..20 {
            world.settle();
            world.advance(Duration::from_secs(10));
            world.server.net_mut().set_room(client, 1_000);
        }
        world.settle();
        assert!(!world.server.net_mut().is_closed(client), "it took some all the time");
        world.advance(Duration::from_secs(61));
        world.settle();
        assert!(world.server.net_mut().is_closed(client), "it took nothing for a minute");
    }
}

#[test]
fn a_timer_of_the_host_runs_so_long_after_it_was_set_and_not_after_the_last_turn() {
    let mut world = World::new(Config::default());
    world.settle();
    world.advance(Duration::from_secs(60));
    let ran = Rc::new(Cell::new(false));
    let run = Rc::clone(&ran);
    world.server.io().after(Duration::from_secs(1), move |_| run.set(true));
    world.settle();
    assert!(!ran.get());
    world.advance(Duration::from_secs(1));
    world.settle();
    assert!(ran.get());
}

#[test]
fn a_peer_is_not_stalled_because_the_host_was_away() {
    let mut world = World::new(Config::default());
    let client = world.join();
    world.advance(Duration::from_secs(22));
    world.server.net_mut().set_room(client, 10);
    world.server.emit("event", &"a".repeat(1_000));
    world.settle();
    assert_eq!(world.server.io().sessions_len(), 1);
}

#[test]
fn closures_that_post_themselves_again_run_once_a_turn() {
    fn post_again(handle: &Handle, runs: &Arc<AtomicUsize>) {
        let (again, counted) = (handle.clone(), Arc::clone(runs));
        let posted = handle.post(move |_| {
            if counted.fetch_add(1, Ordering::Relaxed) < 1_000 {
                post_again(&again, &counted);
            }
        });
        posted.unwrap();
    }
    let mut world = World::new(Config::default());
    let runs = Arc::default();
    post_again(&world.server.handle(), &runs);
    world.poll();
    world.poll();
    assert_eq!(runs.load(Ordering::Relaxed), 2);
}

#[test]
fn a_timer_without_delay_that_sets_itself_again_ends_the_turn() {
    fn again(io: throng::Io<'_>, runs: Rc<Cell<usize>>) {
        runs.set(runs.get() + 1);
        if runs.get() < 1_000 {
            io.after(Duration::ZERO, move |io| again(io, runs));
        }
    }
    let mut world = World::new(Config::default());
    let runs = Rc::new(Cell::new(0));
    again(world.server.io(), Rc::clone(&runs));
    world.advance(Duration::from_millis(1));
    world.poll();
    assert_eq!(runs.get(), 2);
}

/// Host's data that talks to the server when it goes.
#[derive(Default)]
struct Talkative(std::cell::RefCell<Option<throng::Ack>>);

impl Drop for Talkative {
    fn drop(&mut self) {
        if let Some(ack) = self.0.take() {
            ack.send(&"gone");
        }
    }
}

#[test]
fn data_of_a_refused_socket_may_talk_to_the_server_as_it_is_dropped() {
    let mut world = World::new(Config::default());
    let kept = Rc::new(std::cell::RefCell::new(None));
    let keep = Rc::clone(&kept);
    world.server.of("/").on_raw("ask", move |_, _, ack| *keep.borrow_mut() = ack);
    let failed = Rc::new(Cell::new(0));
    let count = Rc::clone(&failed);
    world.server.of("/closed").middleware(move |socket| {
        let count = Rc::clone(&count);
        socket.emit_with_raw_ack("who?", (), move |_, answer| {
            assert!(answer.is_err());
            count.set(count.get() + 1);
        });
        *socket.data::<Talkative>().0.borrow_mut() = kept.borrow_mut().take();
        Err(throng::Refusal::new("no"))
    });
    let client = world.join();
    world.send(client, frame(0x81, "421[\"ask\"]"));
    world.send(client, frame(0x81, "40/closed,"));
    world.settle();
    let received = world.received(client);
    assert!(received.contains("431[\"gone\"]"), "{received:?}");
    assert!(received.contains("44/closed,{\"message\":\"no\"}"), "{received:?}");
    assert_eq!(failed.get(), 1, "a question is answered exactly once");
}

#[test]
fn bodies_that_take_long_leave_half_of_each_turn_to_others() {
    let mut config = Config::default();
    config.budget.messages_total_max = 512;
    let mut world = World::new(config);
    world.server.of("/").on("event", |socket, (): ()| {
        socket.emit("seen", ());
    });
    let listener = world.join();
    let pollers: Vec<usize> = (0..4).map(|_| world.connect()).collect();
    let mut posts = Vec::new();
    for &poller in &pollers {
        world.send(poller, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n\r\n");
        world.settle();
        let open = world.received(poller);
        let sid = open.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();
        let body = format!("40\u{1e}{}42[\"none\"]", "42[\"none\"]\u{1e}".repeat(5_000));
        posts.push(format!(
            "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: h\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ));
    }
    for (&poller, post) in pollers.iter().zip(posts) {
        world.send(poller, post);
    }
    for _ in 0..4 {
        assert!(world.poll().more);
    }
    world.send(listener, frame(0x81, "42[\"event\"]"));
    world.poll();
    world.poll();
    assert!(world.received(listener).contains("seen"));
}

#[test]
fn periods_may_be_as_long_as_a_duration() {
    let mut config = Config::default();
    config.socket.connect_timeout = Duration::MAX;
    config.http.keep_alive_timeout = Duration::MAX;
    config.http.head_timeout = Duration::MAX;
    config.http.body_timeout = Duration::MAX;
    config.reactor.close_timeout = Duration::MAX;
    config.reactor.linger_timeout = Duration::MAX;
    let mut world = World::new(config);
    let client = world.join();
    world.server.io().after(Duration::MAX, |_| {});
    world.server.io().every(Duration::MAX, |_| {});
    world.send(client, frame(0x88, ""));
    world.settle();
    let client = world.connect();
    world.send(client, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n");
    world.settle();
    world.send(client, "\r\n");
    world.settle();
    world.send(client, "x");
    world.settle();
    assert!(world.received(client).starts_with("HTTP/1.1 404"));
}
