//! A channel of the host's own as a source: what its other threads send comes out of the wait that
//! waits for clients.
//!
//! ```text
//! thread: send · ring       host: poll · Event::Source · silence · try_iter
//! ```

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use rustix::event::epoll::EventFlags;
use rustix::event::{EventfdFlags, eventfd};
use throng::source::Interest;
use throng::{Event, Server};

use super::host::{Client, Outer, bind, settle};

/// The sending end.
#[derive(Clone)]
struct Outlet<T> {
    messages: Sender<T>,
    bell: Arc<Bell>,
}

/// The receiving end, the host's.
struct Inlet<T> {
    messages: Receiver<T>,
    bell: Arc<Bell>,
}

/// Wakes the host, once for all that is sent until it looks.
struct Bell {
    descriptor: OwnedFd,
    is_rung: AtomicBool,
}

/// The host's word for the channel.
const CHANNEL: u64 = 5;

fn outlet<T>(server: &mut Server) -> (Outlet<T>, Inlet<T>) {
    let descriptor = eventfd(0, EventfdFlags::NONBLOCK).unwrap();
    server.register(&descriptor, CHANNEL, Interest::READABLE).unwrap();
    let bell = Arc::new(Bell { descriptor, is_rung: AtomicBool::new(false) });
    let (sender, receiver) = channel();
    let inlet = Inlet { messages: receiver, bell: Arc::clone(&bell) };
    (Outlet { messages: sender, bell }, inlet)
}

impl<T> Outlet<T> {
    fn send(&self, message: T) {
        self.messages.send(message).unwrap();
        if !self.bell.is_rung.swap(true, Ordering::AcqRel) {
            rustix::io::write(&self.bell.descriptor, &1_u64.to_ne_bytes()).unwrap();
        }
    }
}

impl<T> Inlet<T> {
    /// All that has been sent. The bell is silenced first: what is sent meanwhile rings it anew.
    fn take(&self) -> Vec<T> {
        let mut rung = [0; 8];
        rustix::io::read(&self.bell.descriptor, &mut rung).unwrap();
        assert_eq!(u64::from_ne_bytes(rung), 1, "one wake for a batch");
        self.bell.is_rung.swap(false, Ordering::AcqRel);
        self.messages.try_iter().collect()
    }
}

#[test]
fn a_channel_is_a_source_and_a_batch_of_messages_one_event() {
    let mut server = bind(|_| {});
    let outer = Outer::new(&server, EventFlags::empty());
    let (outlet, inlet) = outlet(&mut server);
    for round in 0..3 {
        assert!(!outer.is_readable());
        for number in 0..1_000 {
            outlet.send((round, number));
        }
        assert!(outer.is_readable());
        assert_eq!(server.poll(None).unwrap().events, 1);
        assert!(matches!(server.next_event(), Some(Event::Source { token: CHANNEL, .. })));
        let expected: Vec<_> = (0..1_000).map(|number| (round, number)).collect();
        assert_eq!(inlet.take(), expected);
        assert!(server.next_event().is_none());
        assert_eq!(settle(&mut server).events, 0);
    }
}

#[test]
fn nothing_of_what_threads_send_is_lost_while_clients_are_served() {
    const THREADS: usize = 4;
    const MESSAGES: usize = 10_000;
    const QUESTIONS: usize = 100;
    let mut server = bind(|_| {});
    let mut client = Client::join(&mut server);
    server.of("/").pull();
    let (outlet, inlet) = outlet(&mut server);
    let threads = (0..THREADS).map(|thread| {
        let outlet = outlet.clone();
        std::thread::spawn(move || (0..MESSAGES).for_each(|number| outlet.send((thread, number))))
    });
    let threads: Vec<_> = threads.collect();
    let (mut next, mut asked, mut answered, mut wakes) = ([0; THREADS], 0, 0, 0);
    while next != [MESSAGES; THREADS] || answered < QUESTIONS {
        if asked == answered && asked < QUESTIONS {
            client.send(&format!("42{asked}[\"sum\"]"));
            asked += 1;
        }
        server.poll(None).unwrap();
        while let Some(event) = server.next_event() {
            match event {
                Event::Source { token: CHANNEL, .. } => {
                    wakes += 1;
                    for (thread, number) in inlet.take() {
                        assert_eq!(number, next[thread], "in each thread's order");
                        next[thread] += 1;
                    }
                }
                Event::Message(message) => {
                    message.answer(&next.iter().sum::<usize>());
                    answered += 1;
                }
                event => panic!("{event:?}"),
            }
        }
    }
    for thread in threads {
        thread.join().unwrap();
    }
    assert!((1..=THREADS * MESSAGES).contains(&wakes), "{wakes} wakes");
    client.expect(&mut server, &format!("43{}[", QUESTIONS - 1));
    // What was taken before its bell rang leaves the ring behind, and nothing more.
    settle(&mut server);
    while let Some(event) = server.next_event() {
        assert!(matches!(event, Event::Source { token: CHANNEL, .. }), "{event:?}");
        assert!(inlet.take().is_empty());
    }
}
