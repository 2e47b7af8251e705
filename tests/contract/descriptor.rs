//! The server's descriptor: readable whenever `poll` has work that came from outside.

use std::os::fd::AsRawFd;
use std::time::Duration;

use rustix::event::epoll::EventFlags;
use throng::Server;

use super::host::{Client, Outer, bind, settle};

const MODES: [EventFlags; 2] = [EventFlags::empty(), EventFlags::ET];

/// Work comes; the descriptor tells; polls without waiting do it; the descriptor is silent.
fn check(server: &mut Server, outer: &Outer, what: &str) {
    assert!(outer.becomes_readable(), "{what} was not told");
    settle(server);
    assert!(!outer.is_readable(), "{what} was told again");
}

#[test]
fn it_is_readable_when_a_connection_or_a_message_comes_or_one_ends() {
    for mode in MODES {
        let mut server = bind(|_| {});
        let outer = Outer::new(&server, mode);
        assert!(!outer.is_readable());
        let mut client = Client::join(&mut server);
        let _ = outer.is_readable();
        for _ in 0..3 {
            client.send("42[\"hello\"]");
            check(&mut server, &outer, "a message");
        }
        let second = Client::connect(&server);
        check(&mut server, &outer, "a connection");
        drop(second);
        check(&mut server, &outer, "an end");
    }
}

#[test]
fn it_is_readable_when_another_thread_posts() {
    for mode in MODES {
        let mut server = bind(|_| {});
        let outer = Outer::new(&server, mode);
        let handle = server.handle();
        for _ in 0..3 {
            let handle = handle.clone();
            std::thread::spawn(move || handle.post(|_| {}).unwrap()).join().unwrap();
            check(&mut server, &outer, "a closure");
        }
    }
}

#[test]
fn it_is_readable_when_there_is_room_again_for_a_slow_reader() {
    for mode in MODES {
        let mut server = bind(|config| config.reactor.send_buffer_bytes = Some(16 * 1_024));
        let outer = Outer::new(&server, mode);
        let mut client = Client::join(&mut server);
        let much = "x".repeat(8 << 20);
        server.emit("much", &much);
        settle(&mut server);
        let (mut received, mut woken) = (0, 0);
        while received < much.len() {
            received += client.received().len();
            if outer.is_readable() {
                woken += 1;
                settle(&mut server);
            }
        }
        assert!(woken > 0);
    }
}

/// With timers finer than a millisecond the host needs no time-out of its own.
#[test]
fn it_is_readable_at_deadlines_where_timers_are_precise() {
    for mode in MODES {
        let mut server = bind(|config| {
            config.reactor.timer_resolution = Duration::from_micros(50);
        });
        let outer = Outer::new(&server, mode);
        server.io().after(Duration::from_micros(300), |io| {
            io.after(Duration::from_micros(700), |io| io.close());
        });
        server.flush();
        check(&mut server, &outer, "the first timer");
        assert!(!server.is_closed());
        while !server.is_closed() {
            assert!(outer.becomes_readable());
            settle(&mut server);
        }
    }
}

#[test]
fn it_tells_nothing_of_what_the_host_queues_itself() {
    let mut server = bind(|_| {});
    let outer = Outer::new(&server, EventFlags::empty());
    let mut client = Client::join(&mut server);
    let _ = outer.is_readable();
    server.emit("news", ());
    assert!(!outer.is_readable());
    assert_eq!(server.next_deadline(), Some(Duration::ZERO));
    assert_eq!(server.flush().writes, 1);
    assert_ne!(server.next_deadline(), Some(Duration::ZERO));
    client.expect(&mut server, "42[\"news\"]");
}

#[test]
fn it_stays_the_same_for_life() {
    let mut server = bind(|_| {});
    let descriptor = server.as_raw_fd();
    let client = Client::join(&mut server);
    assert_eq!(server.as_raw_fd(), descriptor);
    server.close();
    drop(client);
    while !server.is_closed() {
        server.poll(Some(Duration::from_millis(10))).unwrap();
    }
    assert_eq!(server.as_raw_fd(), descriptor);
}
