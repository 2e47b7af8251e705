//! Sources of the host's own in the server's reactor.

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Write};
use std::net::UdpSocket;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use rustix::event::{EventfdFlags, eventfd};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use throng::Event;
use throng::source::{Interest, Readiness};

use super::host::{Client, bind, settle};

#[test]
fn a_source_is_told_of_in_the_wait_that_waits_for_the_network() {
    let mut server = bind(|_| {});
    let mut client = Client::join(&mut server);
    let quotes = UdpSocket::bind("127.0.0.1:0").unwrap();
    quotes.set_nonblocking(true).unwrap();
    let address = quotes.local_addr().unwrap();
    let told = Rc::new(Cell::new(0));
    let count = Rc::clone(&told);
    server
        .watch(quotes, Interest::READABLE, move |io, quotes, readiness| {
            assert!(readiness.readable && !readiness.closed);
            count.set(count.get() + 1);
            let mut datagram = [0; 64];
            while let Ok(bytes) = quotes.recv(&mut datagram) {
                io.emit("quote", &String::from_utf8_lossy(&datagram[..bytes]));
            }
        })
        .unwrap();
    assert_eq!(settle(&mut server).sources, 0);
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for quote in ["EUR 1.09", "JPY 156"] {
        sender.send_to(quote.as_bytes(), address).unwrap();
        let turn = server.poll(None).unwrap();
        assert_eq!((turn.sources, turn.writes), (1, 1));
        client.expect(&mut server, &format!("42[\"quote\",\"{quote}\"]"));
    }
    assert_eq!(told.get(), 2);
}

#[test]
fn it_is_told_after_the_mailbox_and_before_anything_is_read() {
    let mut server = bind(|_| {});
    let mut client = Client::join(&mut server);
    let told = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&told);
    server.of("/").on("message", move |_, (): ()| log.borrow_mut().push("message"));
    let log = Rc::clone(&told);
    let descriptor = eventfd(1, EventfdFlags::NONBLOCK).unwrap();
    server
        .watch(descriptor, Interest::READABLE, move |_, _, _| log.borrow_mut().push("source"))
        .unwrap();
    client.send("42[\"message\"]");
    let log = Rc::clone(&told);
    server.io().after(Duration::ZERO, move |_| log.borrow_mut().push("timer"));
    let (job, jobs) = std::sync::mpsc::channel();
    server.handle().post(move |_| job.send(()).unwrap()).unwrap();
    while told.borrow().len() < 3 {
        let turn = server.poll(None).unwrap();
        if turn.sources == 1 {
            assert_eq!(jobs.try_recv(), Ok(()), "the mailbox comes first");
        }
    }
    assert_eq!(told.borrow()[..2], ["source", "message"]);
}

#[test]
fn a_timer_of_the_hosts_own_is_a_source() {
    let mut server = bind(|_| {});
    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    let timer = timerfd_create(TimerfdClockId::Monotonic, flags).unwrap();
    let at = |nanoseconds| Timespec { tv_sec: 0, tv_nsec: nanoseconds };
    let once = Itimerspec { it_interval: at(0), it_value: at(200_000) };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &once).unwrap();
    let fired = Rc::new(Cell::new(0));
    let count = Rc::clone(&fired);
    server
        .watch(timer, Interest::READABLE, move |_, timer, _| {
            let mut expirations = [0; 8];
            assert_eq!(rustix::io::read(timer, &mut expirations), Ok(8));
            count.set(count.get() + u64::from_ne_bytes(expirations));
        })
        .unwrap();
    while fired.get() == 0 {
        server.poll(None).unwrap();
    }
    assert_eq!(fired.get(), 1);
}

#[test]
fn what_is_ready_when_it_is_registered_is_told() {
    let mut server = bind(|_| {});
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.write_all(b"already there").unwrap();
    let told = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&told);
    let source = server
        .watch(theirs, Interest::READABLE, move |_, _, readiness| log.borrow_mut().push(readiness))
        .unwrap();
    settle(&mut server);
    let readable = Readiness { readable: true, ..Readiness::default() };
    assert_eq!(*told.borrow(), [readable]);
    // A change of interest tells anew.
    server.set_interest(source, Interest::BOTH).unwrap();
    settle(&mut server);
    assert_eq!(told.borrow()[1], Readiness { writable: true, ..readable });
    drop(ours);
    settle(&mut server);
    assert!(told.borrow()[2].closed);
}

#[test]
fn one_that_is_taken_off_is_told_of_no_more_and_dropped() {
    let mut server = bind(|_| {});
    let fired = || eventfd(1, EventfdFlags::NONBLOCK).unwrap();
    let (told, alive) = (Rc::new(Cell::new(0)), Rc::new(()));
    let mut ids = Vec::new();
    let others = Rc::new(RefCell::new(Vec::new()));
    for _ in 0..3 {
        let (told, alive, others) = (Rc::clone(&told), Rc::clone(&alive), Rc::clone(&others));
        let watched = server.watch(fired(), Interest::READABLE, move |io, _, _| {
            let _ = &alive;
            told.set(told.get() + 1);
            // The first takes off all, itself too.
            for id in others.borrow_mut().drain(..) {
                io.unwatch(id);
            }
        });
        ids.push(watched.unwrap());
    }
    others.borrow_mut().extend(&ids);
    settle(&mut server);
    assert_eq!(told.get(), 1);
    assert_eq!(Rc::strong_count(&alive), 1);
    for id in ids {
        assert!(!server.unwatch(id));
        let missing = server.set_interest(id, Interest::BOTH).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    }
}

#[test]
fn a_stale_id_means_none_of_those_that_came_after() {
    let mut server = bind(|_| {});
    let fd = || eventfd(0, EventfdFlags::NONBLOCK).unwrap();
    let first = server.watch(fd(), Interest::READABLE, |_, _, _| {}).unwrap();
    assert!(server.unwatch(first));
    let second = server.watch(fd(), Interest::READABLE, |_, _, _| {}).unwrap();
    assert!(!server.unwatch(first));
    assert!(server.unwatch(second));
}

#[test]
fn a_handler_that_panics_costs_its_watch_and_nothing_else() {
    let mut server = bind(|_| {});
    let mut client = Client::join(&mut server);
    let before = server.io().socket_counters().handler_panics;
    let descriptor = eventfd(1, EventfdFlags::NONBLOCK).unwrap();
    let source = server.watch(descriptor, Interest::READABLE, |_, _, _| panic!("on purpose"));
    settle(&mut server);
    assert_eq!(server.io().socket_counters().handler_panics, before + 1);
    assert!(!server.unwatch(source.unwrap()));
    server.emit("still", ());
    client.expect(&mut server, "42[\"still\"]");
}

#[test]
fn what_epoll_does_not_take_is_an_error() {
    let mut server = bind(|_| {});
    let file = std::fs::File::open("/proc/self/stat").unwrap();
    let denied = server.watch(file, Interest::READABLE, |_, _, _| {});
    assert_eq!(denied.unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(server.poll(Some(Duration::ZERO)).unwrap().sources, 0);
}

/// The next event of a source, by its word.
fn pull(server: &mut throng::Server) -> Option<(u64, Readiness)> {
    match server.next_event()? {
        Event::Source { token, readiness, .. } => Some((token, readiness)),
        event => panic!("{event:?}"),
    }
}

#[test]
fn one_that_stays_the_hosts_is_pulled_under_the_hosts_word() {
    let mut server = bind(|_| {});
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let other = eventfd(1, EventfdFlags::NONBLOCK).unwrap();
    let stream = server.register(&theirs, 7, Interest::READABLE).unwrap();
    let fired = server.register(&other, 8, Interest::READABLE).unwrap();
    let readable = Readiness { readable: true, ..Readiness::default() };
    assert_eq!(server.poll(None).unwrap().events, 1);
    assert_eq!(pull(&mut server), Some((8, readable)));
    assert_eq!(pull(&mut server), None);
    ours.write_all(b"one").unwrap();
    // What waits to be pulled waits for nobody, and becomes no second event.
    assert_eq!(server.poll(None).unwrap().events, 1);
    assert_eq!(server.next_deadline(), Some(Duration::ZERO));
    drop(ours);
    assert_eq!(server.poll(None).unwrap().events, 1);
    assert_eq!(pull(&mut server), Some((7, Readiness { closed: true, ..readable })));
    assert_eq!(pull(&mut server), None);
    // A change of interest tells anew.
    server.reregister(&other, fired, Interest::BOTH).unwrap();
    settle(&mut server);
    assert_eq!(pull(&mut server), Some((8, Readiness { writable: true, ..readable })));
    server.deregister(&theirs, stream).unwrap();
    server.reregister(&other, fired, Interest::BOTH).unwrap();
    settle(&mut server);
    server.deregister(&other, fired).unwrap();
    assert_eq!(pull(&mut server), None);
    let missing = server.deregister(&other, fired).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(!server.unwatch(stream));
}
