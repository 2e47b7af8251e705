//! Events and backpressure as values, over real connections and in a loop of the test's own.
//!
//! ```text
//! > 421["add",1,2]      poll · next_event · answer
//! < 431[3]
//! ```

mod common;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{Running, WebSocket, handshake_polling, log, serve_by, serve_with};
use throng::{Event, Server, SocketRef};

/// A world that is in no cell: what each client has added up.
#[derive(Default)]
struct World {
    sums: HashMap<SocketRef, i64>,
    left: usize,
}

impl World {
    fn apply(&mut self, server: &Server, event: Event) {
        match event {
            Event::Connected(socket) => drop(self.sums.insert(socket, 0)),
            Event::Message(message) if message.name() == "add" => {
                let Ok(number) = message.parse::<i64>() else { return };
                let Some(sum) = self.sums.get_mut(&message.socket()) else { return };
                *sum += number;
                let sum = *sum;
                server.socket(message.socket()).emit("sum", &sum);
                message.answer(&sum);
            }
            Event::Message(message) if message.name() == "ask" => {
                server.socket(message.socket()).ask("how many?", ());
            }
            Event::Answer { socket, answer, .. } => {
                let answer = answer.ok().and_then(|args| args.as_args().parse::<i64>().ok());
                server.socket(socket).emit("thanks for", &answer);
            }
            Event::Disconnected { socket, .. } => {
                self.sums.remove(&socket);
                self.left += 1;
                server.emit("left", &self.left);
            }
            _ => {}
        }
    }
}

/// A server whose host holds its world beside it.
fn adding() -> Running {
    serve_by(
        |_| {},
        |mut server, ready| {
            server.of("/").pull();
            ready(&server);
            let mut world = World::default();
            while !server.is_closed() {
                server.poll(None).unwrap();
                while let Some(event) = server.next_event() {
                    world.apply(&server, event);
                }
            }
        },
    )
}

#[test]
fn a_host_that_pulls_answers_asks_and_hears_who_leaves() {
    let server = adding();
    let mut socket = WebSocket::joined(&server);
    let mut poller = handshake_polling(&server);
    poller.join();
    socket.send("42[\"add\",3]");
    socket.send("421[\"add\",4]");
    socket.expect(&["42[\"sum\",3]", "42[\"sum\",7]", "431[7]"]);
    poller.post("42[\"add\",5]\u{1e}42[\"ask\"]");
    let mut heard = poller.poll();
    while !heard.contains("how many?") {
        heard.push_str(&poller.poll());
    }
    assert_eq!(heard.replace('\u{1e}', ""), "42[\"sum\",5]420[\"how many?\"]");
    poller.post("430[8]");
    assert_eq!(poller.poll(), "42[\"thanks for\",8]");
    poller.post("41");
    socket.expect(&["42[\"left\",1]"]);
}

#[test]
fn a_host_that_pulls_nothing_is_sent_no_more_than_may_wait_and_misses_nothing() {
    const MESSAGES: usize = 3_000;
    let pulls = Arc::new(AtomicBool::new(false));
    let may_pull = Arc::clone(&pulls);
    let (tell, told) = log();
    let server = serve_by(
        |config| config.socket.pulled_events_max = 100,
        move |mut server, ready| {
            server.of("/").pull();
            ready(&server);
            let (mut numbers, mut turns) = (Vec::new(), 0);
            while !server.is_closed() {
                let turn = server.poll(Some(Duration::from_millis(1))).unwrap();
                turns += usize::from(turn.messages > 0);
                if !may_pull.load(Ordering::Acquire) {
                    continue;
                }
                let before = numbers.len();
                while let Some(event) = server.next_event() {
                    if let Event::Message(message) = event {
                        numbers.push(message.parse::<usize>().unwrap());
                    }
                }
                assert!(numbers.len() - before <= 100);
                if before < MESSAGES && numbers.len() == MESSAGES {
                    assert!(numbers.iter().copied().eq(0..MESSAGES));
                    assert!(turns >= MESSAGES / 100);
                    tell.send("all".to_owned()).unwrap();
                }
            }
        },
    );
    let mut socket = WebSocket::joined(&server);
    for number in 0..MESSAGES {
        socket.send(&format!("42[\"n\",{number}]"));
    }
    // The loop goes on while nothing is pulled: whoever posts is heard.
    assert_eq!(server.ask(|io| io.sessions_len()), 1);
    let events = server.ask(|io| io.socket_counters().events);
    assert!(events <= 100, "{events} were taken in");
    pulls.store(true, Ordering::Release);
    assert_eq!(told.next(), "all");
}

#[test]
fn a_consumer_that_does_not_read_is_high_water_until_it_does() {
    const HIGH: usize = 64 * 1_024;
    let (tell, told) = log();
    let server = serve_with(
        |config| {
            config.outgoing.high_water_bytes = Some(HIGH);
            config.reactor.send_buffer_bytes = Some(16 * 1_024);
        },
        move |server| {
            let tell_low = tell.clone();
            server
                .of("/")
                .on_high_water(move |socket, bytes| {
                    assert_eq!(bytes, socket.queued_bytes());
                    tell.send("high".to_owned()).unwrap();
                })
                .on_low_water(move |_| tell_low.send("low".to_owned()).unwrap());
        },
    );
    let mut socket = WebSocket::joined(&server);
    let mut sent = 0;
    while told.so_far().is_empty() {
        server.ask(|io| io.emit("e", &"a".repeat(50_000)));
        sent += 1;
        assert!(sent < 300, "nobody tells");
    }
    assert!(server.ask(|io| io.queued_bytes()) > HIGH);
    for _ in 0..sent {
        assert_eq!(socket.text().len(), 50_000 + "42[\"e\",\"\"]".len());
    }
    assert_eq!(told.next(), "low");
    assert_eq!(server.ask(|io| io.queued_bytes()), 0);
}
