//! A server without sockets: bytes and moments in, bytes and a deadline out, and nothing besides.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use throng::Now;
use throng::config::Config;
use throng::http::Response;
use throng::sans_io::{Machine, Output, PeerId};

use super::common::{masked_frame, upgrade_head};

fn at(milliseconds: u64) -> Now {
    let moment = Duration::from_millis(milliseconds);
    Now { monotonic: moment, wall: moment }
}

fn outputs(machine: &mut Machine) -> Vec<Output> {
    std::iter::from_fn(|| machine.poll_output()).collect()
}

/// What was put out for a peer.
fn bytes(machine: &mut Machine, peer: PeerId) -> Vec<u8> {
    let bytes = outputs(machine).into_iter().filter_map(|output| match output {
        Output::Bytes(to, bytes) if to == peer => Some(bytes),
        _ => None,
    });
    bytes.flatten().collect()
}

fn text(machine: &mut Machine, peer: PeerId) -> String {
    String::from_utf8_lossy(&bytes(machine, peer)).into_owned()
}

/// A peer with a session on a WebSocket, joined to `/`.
fn join(machine: &mut Machine, now: Now) -> PeerId {
    let peer = machine.open(now, None);
    let upgrade = upgrade_head("/socket.io/?EIO=4&transport=websocket", "");
    machine.handle_bytes(now, peer, upgrade.as_bytes());
    machine.handle_bytes(now, peer, &masked_frame(0x81, b"40"));
    assert!(text(machine, peer).contains("40{\"sid\":\""));
    peer
}

#[test]
fn what_the_host_emits_is_put_out_without_a_turn() {
    let mut machine = Machine::seeded(Config::default(), 1);
    let peer = join(&mut machine, at(0));
    assert_eq!(machine.poll_output(), None);
    machine.io().emit("news", &"hello");
    machine.io().emit("more", ());
    let heard = text(&mut machine, peer);
    assert!(
        heard.contains("42[\"news\",\"hello\"]") && heard.ends_with("42[\"more\"]"),
        "{heard:?}"
    );
}

#[test]
fn deadlines_are_handled_at_their_moments_and_none_is_hidden() {
    let mut machine = Machine::seeded(Config::default(), 1);
    machine.handle_deadline(at(0));
    assert_eq!(machine.next_deadline(), None);
    let peer = join(&mut machine, at(0));
    let mut now = Duration::ZERO;
    let mut pinged = None;
    while let Some(next) = machine.next_deadline().filter(|_| pinged.is_none()) {
        assert!(next >= now, "a deadline that is not met is no deadline");
        now = next;
        machine.handle_deadline(Now { monotonic: now, wall: now });
        if text(&mut machine, peer).ends_with('2') {
            pinged = Some(now);
        }
    }
    // An interval after the handshake, less a phase of up to a tenth.
    let earliest = Duration::from_millis(22_500);
    assert!(pinged.is_some_and(|at| at >= earliest && at <= Duration::from_secs(25)));
    // Nobody answers: the session ends, and with it the connection, in a time that is told.
    while let Some(next) = machine.next_deadline() {
        now = now.max(next);
        machine.handle_deadline(Now { monotonic: now, wall: now });
    }
    assert!(outputs(&mut machine).contains(&Output::Close(peer)));
    assert_eq!(machine.io().sessions_len(), 0);
}

#[test]
fn a_peer_that_takes_nothing_is_busy_and_what_waits_stays_in_the_server() {
    let mut machine = Machine::seeded(Config::default(), 1);
    let peer = join(&mut machine, at(0));
    machine.set_room(at(1), peer, 4);
    machine.io().emit("a", ());
    assert_eq!(bytes(&mut machine, peer).len(), 4);
    assert!(machine.io().volatile().emit("b", ()).queued == 0);
    machine.io().emit("c", ());
    assert_eq!(machine.poll_output(), None);
    machine.set_room(at(2), peer, usize::MAX);
    let rest = text(&mut machine, peer);
    assert!(rest.ends_with("42[\"c\"]") && !rest.contains("\"b\""), "{rest:?}");
}

#[test]
fn an_id_is_never_another_peer_s() {
    let mut machine = Machine::seeded(Config::default(), 1);
    machine.server().http().get("/", |_, _| Response::ok().text("hi"));
    let request = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let first = machine.open(at(0), None);
    machine.handle_bytes(at(0), first, request);
    machine.handle_end(at(0), first);
    assert_eq!(outputs(&mut machine).last(), Some(&Output::Close(first)));
    let second = machine.open(at(1), None);
    assert_ne!(first, second);
    // Stale input concerns nobody.
    machine.handle_bytes(at(1), first, request);
    machine.handle_end(at(1), first);
    machine.set_room(at(1), first, 0);
    assert_eq!(machine.poll_output(), None);
    machine.handle_bytes(at(1), second, request);
    assert!(text(&mut machine, second).starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn a_half_closed_peer_still_gets_its_answer() {
    let mut machine = Machine::seeded(Config::default(), 1);
    machine.server().http().get("/", |_, _| Response::ok().text("hi"));
    let peer = machine.open(at(0), "192.0.2.1:4000".parse().ok());
    machine.handle_bytes(at(0), peer, b"GET / HTTP/1.1\r\nHost: h\r\n");
    machine.handle_bytes(at(1), peer, b"\r\n");
    machine.handle_end(at(1), peer);
    assert!(text(&mut machine, peer).ends_with("\r\n\r\nhi"));
}

#[test]
fn peers_beyond_the_limit_wait_until_another_goes() {
    let mut config = Config::default();
    config.reactor.connections_max = Some(1);
    let mut machine = Machine::seeded(config, 1);
    machine.server().http().get("/", |_, _| Response::ok().text("hi"));
    let (first, second) = (machine.open(at(0), None), machine.open(at(0), None));
    machine.handle_bytes(at(0), second, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(machine.poll_output(), None);
    machine.handle_end(at(1), first);
    assert_eq!(machine.poll_output(), Some(Output::Close(first)));
    while machine.next_deadline() == Some(Duration::ZERO) {
        machine.handle_deadline(at(1));
    }
    assert!(text(&mut machine, second).starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn other_threads_wake_whom_the_host_says() {
    #[derive(Default)]
    struct Counting(AtomicUsize);
    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let woken = Arc::new(Counting::default());
    let mut machine = Machine::seeded(Config::default(), 1);
    machine.set_waker(Waker::from(Arc::clone(&woken)));
    let peer = join(&mut machine, at(0));
    let handle = machine.server().handle();
    let thread = std::thread::spawn(move || {
        handle.emit("one", ()).unwrap();
        handle.emit("two", ()).unwrap();
    });
    thread.join().unwrap();
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert_eq!(machine.next_deadline(), Some(Duration::ZERO));
    machine.handle_deadline(at(1));
    let heard = text(&mut machine, peer);
    assert!(heard.contains("42[\"one\"]") && heard.ends_with("42[\"two\"]"), "{heard:?}");
    assert_ne!(machine.next_deadline(), Some(Duration::ZERO));
}

#[test]
fn a_run_of_one_seed_is_like_every_other() {
    let run = || {
        let mut machine = Machine::seeded(Config::default(), 42);
        let peer = machine.open(at(0), None);
        let upgrade = upgrade_head("/socket.io/?EIO=4&transport=websocket", "");
        machine.handle_bytes(at(0), peer, upgrade.as_bytes());
        machine.handle_bytes(at(3), peer, &masked_frame(0x81, b"40"));
        outputs(&mut machine)
    };
    assert_eq!(run(), run());
}

#[test]
fn a_machine_that_closes_says_so_to_everybody() {
    let mut machine = Machine::new(Config::default());
    let peer = join(&mut machine, at(0));
    let idle = machine.open(at(0), None);
    machine.server().close();
    machine.handle_deadline(at(1));
    machine.handle_end(at(2), peer);
    machine.handle_end(at(2), idle);
    let told = outputs(&mut machine);
    assert!(told.contains(&Output::Close(peer)) && told.contains(&Output::Close(idle)));
    assert!(machine.server().is_closed());
    let late = machine.open(at(3), None);
    assert_eq!(outputs(&mut machine), [Output::Close(late)]);
}
