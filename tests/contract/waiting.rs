//! How `poll` waits: no longer than it may, and no longer than it must.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use throng::Turn;
use throng::config::Config;

use super::host::{Client, bind};

/// Asleep, and looking again and again; as finely as epoll waits, and as finely as a timer does.
const WAYS: [fn(&mut Config); 4] = [
    |_| {},
    |config| config.reactor.spin = Duration::from_millis(2),
    |config| config.reactor.timer_resolution = Duration::from_micros(50),
    |config| {
        config.reactor.spin = Duration::from_millis(2);
        config.reactor.timer_resolution = Duration::from_micros(50);
    },
];

#[test]
fn a_wait_ends_with_its_time_and_not_before() {
    for way in WAYS {
        let mut server = bind(way);
        for timeout in [Duration::ZERO, Duration::from_micros(700), Duration::from_millis(5)] {
            let begun = Instant::now();
            assert_eq!(server.poll(Some(timeout)).unwrap(), Turn::default());
            assert!(begun.elapsed() >= timeout);
        }
    }
}

#[test]
fn a_wait_without_bound_ends_when_something_comes() {
    for way in WAYS {
        let mut server = bind(way);
        let handle = server.handle();
        let poster = std::thread::spawn(move || handle.post(|_| {}).unwrap());
        while server.poll(None).unwrap().jobs == 0 {}
        poster.join().unwrap();
        let mut client = Client::join(&mut server);
        client.send("42[\"hello\"]");
        while server.poll(None).unwrap().messages == 0 {}
    }
}

#[test]
fn a_wait_ends_at_the_next_deadline_which_is_never_early() {
    for way in WAYS {
        let mut server = bind(way);
        for delay in [Duration::from_micros(300), Duration::from_millis(4)] {
            let fired = Rc::new(Cell::new(false));
            let (told, begun) = (Rc::clone(&fired), Instant::now());
            server.io().after(delay, move |_| told.set(true));
            while !fired.get() {
                server.poll(None).unwrap();
            }
            assert!(begun.elapsed() >= delay);
        }
    }
}
