//! The server's descriptor: readable whenever `poll` has work that came from outside.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::epoll::EventFlags;
use throng::Server;
use throng::source::Interest;

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
fn it_is_readable_when_a_source_of_the_hosts_own_is() {
    for mode in MODES {
        let mut server = bind(|_| {});
        let outer = Outer::new(&server, mode);
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        server
            .watch(
                theirs,
                Interest::READABLE,
                |_, mut theirs, _| {
                    while theirs.read(&mut [0; 64]).is_ok() {}
                },
            )
            .unwrap();
        settle(&mut server);
        for _ in 0..3 {
            ours.write_all(b"news").unwrap();
            check(&mut server, &outer, "a source");
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

/// Events that wait are the host's to know of, and keep no deadline from it.
#[test]
fn it_is_readable_at_deadlines_also_to_a_host_that_pulls() {
    for mode in MODES {
        let mut server = bind(|config| {
            config.reactor.timer_resolution = Duration::from_micros(50);
        });
        server.of("/").pull();
        let outer = Outer::new(&server, mode);
        let mut client = Client::join(&mut server);
        server.io().after(Duration::from_millis(20), |io| io.close());
        for _ in 0..2 {
            client.send("42[\"hello\"]");
            assert!(outer.becomes_readable());
            settle(&mut server);
            while server.next_event().is_some() {}
        }
        while !server.is_closed() {
            assert!(outer.becomes_readable());
            settle(&mut server);
            while server.next_event().is_some() {}
        }
    }
}

#[test]
fn two_listeners_come_to_rest_under_a_time_budget() {
    let mut config = throng::config::Config::default();
    config.reactor.connections_max = Some(8);
    config.budget.time_max = Some(Duration::from_secs(1));
    let builder = Server::builder().config(config).listen("127.0.0.1:0").unwrap();
    let mut server = builder.bind("127.0.0.1:0").unwrap();
    let _clients: Vec<_> = (0..3).map(|_| Client::connect(&server)).collect();
    let mut accepted = 0;
    while accepted < 3 {
        accepted += server.poll(Some(Duration::from_millis(10))).unwrap().accepted;
    }
    for _ in 0..10 {
        if !server.poll(Some(Duration::ZERO)).unwrap().more {
            return;
        }
    }
    panic!("it never rests");
}

#[test]
fn it_tells_nothing_of_deadlines_for_which_there_is_the_time_out() {
    let mut server = bind(|_| {});
    let outer = Outer::new(&server, EventFlags::empty());
    settle(&mut server);
    server.io().after(Duration::from_millis(1), |io| io.close());
    while server.next_timeout() != Some(Duration::ZERO) {}
    assert!(!outer.is_readable());
    settle(&mut server);
    assert!(server.is_closed());
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
