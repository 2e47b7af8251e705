//! What the simulation has found, each as the shortest run that shows it.
//!
//! Here the world is kind: nothing is late, cut or interrupted but where the test says so.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use throng::config::Config;
use throng::{Now, Server};

use crate::net::{SimListener, SimNet};
use crate::pipe::End;
use crate::world::{Wire, World};

/// A server and one connection to it.
struct Stage {
    world: Rc<RefCell<World>>,
    server: Server<SimNet>,
    wire: Wire,
}

impl Stage {
    fn new(window_bytes: usize) -> Self {
        let world = Rc::new(RefCell::new(World::kind(window_bytes)));
        let clock = {
            let world = Rc::clone(&world);
            move || Now { monotonic: world.borrow().now, wall: world.borrow().now }
        };
        let net = SimNet(Rc::clone(&world));
        let server =
            Server::simulated(net, vec![SimListener], Config::default(), clock, 1).unwrap();
        let wire = world.borrow_mut().connect();
        let mut stage = Self { world, server, wire };
        // The connection is accepted; what it brings comes later.
        stage.pass(Duration::from_millis(1));
        stage
    }

    fn send(&mut self, bytes: &[u8]) {
        self.world.borrow_mut().send(self.wire, bytes);
        self.pass(Duration::from_millis(1));
    }

    fn pass(&mut self, time: Duration) {
        self.world.borrow_mut().advance(time);
        for _ in 0..TURNS_MAX {
            if !self.server.poll(Some(Duration::ZERO)).unwrap().more {
                return;
            }
        }
        panic!("the server spins");
    }

    fn receive(&mut self) -> (String, End) {
        self.pass(Duration::from_millis(1));
        let (bytes, end) = self.world.borrow_mut().receive(self.wire);
        (String::from_utf8_lossy(&bytes).into_owned(), end)
    }
}

/// What was not decoded was kept, handed out again and not decoded again, turn after turn.
#[test]
fn bytes_behind_the_last_request_of_a_connection_keep_nobody_busy() {
    let mut stage = Stage::new(10);
    stage.world.borrow_mut().pipe(stage.wire).stall(true);
    stage.send(b"GET / HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n\r\nand more");
    stage.world.borrow_mut().pipe(stage.wire).stall(false);
    let mut answer = String::new();
    while stage.server.connections_len() > 0 && !answer.ends_with("Not Found") {
        answer.push_str(&stage.receive().0);
    }
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

/// The flush that such a connection was left to had no deadline.
#[test]
fn a_peer_that_ends_its_direction_and_does_not_read_is_let_go() {
    let mut stage = Stage::new(10);
    stage.world.borrow_mut().pipe(stage.wire).stall(true);
    stage.send(UPGRADE);
    stage.world.borrow_mut().pipe(stage.wire).end_to_server();
    stage.pass(Duration::from_millis(1));
    assert_eq!(stage.server.connections_len(), 1);
    stage.pass(Duration::from_secs(31));
    assert_eq!(stage.server.connections_len(), 0);
    assert_eq!(stage.server.next_deadline(), None);
}

/// Nobody was reading who could have noticed that writing failed.
#[test]
fn a_reset_frees_a_connection_whose_last_words_wait() {
    let mut stage = Stage::new(10);
    stage.world.borrow_mut().pipe(stage.wire).stall(true);
    stage.send(b"GET / HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n\r\n");
    assert_eq!(stage.server.connections_len(), 1);
    stage.world.borrow_mut().pipe(stage.wire).reset();
    stage.pass(Duration::from_millis(1));
    stage.pass(Duration::from_millis(1));
    assert_eq!(stage.server.connections_len(), 0);
}

/// A poller was marked slow by a message that waited between two GETs, and closed for it 20 s
/// after the next GET had taken it.
#[test]
fn a_poller_that_has_caught_up_is_not_slow() {
    let mut stage = Stage::new(60_000);
    let target = "/socket.io/?EIO=4&transport=polling";
    stage.send(format!("GET {target} HTTP/1.1\r\nHost: sim\r\n\r\n").as_bytes());
    let (open, _) = stage.receive();
    let sid = &open.split("\"sid\":\"").nth(1).unwrap()[..20];
    let head = format!("{target}&sid={sid} HTTP/1.1\r\nHost: sim\r\n");
    stage.send(format!("POST {head}Content-Length: 2\r\n\r\n40").as_bytes());
    assert!(stage.receive().0.ends_with("ok"));
    stage.send(format!("GET {head}\r\n").as_bytes());
    assert!(stage.receive().0.contains("40{\"sid\":"));
    for _ in 0..21 {
        stage.pass(Duration::from_secs(1));
    }
    assert_eq!(stage.server.io().sessions_len(), 1);
}

/// One write joins 64 chunks, and no event tells that the socket would take the rest.
#[test]
fn more_chunks_than_one_write_joins_leave_without_another_event() {
    let mut stage = Stage::new(60_000);
    stage.send(UPGRADE);
    assert!(stage.receive().0.starts_with("HTTP/1.1 101 "));
    let ping = [0x89, 0x81, 0, 0, 0, 0, b'p'];
    stage.send(&ping.repeat(200));
    let (pongs, _) = stage.receive();
    assert_eq!(pongs.matches('p').count(), 200);
}

/// A connection that was ready when the last moment came stayed on the list of a server that reads
/// no more.
#[test]
fn a_closed_server_has_no_more_to_do() {
    let mut stage = Stage::new(100);
    stage.world.borrow_mut().pipe(stage.wire).stall(true);
    stage.send(b"GET / HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n\r\n");
    stage.server.close();
    stage.server.poll(Some(Duration::ZERO)).unwrap();
    assert!(!stage.server.is_closed());
    stage.pass(Duration::from_secs(2));
    assert!(stage.server.is_closed());
    assert_eq!(stage.server.next_deadline(), None);
}

const UPGRADE: &[u8] = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: sim\r\n\
    Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const TURNS_MAX: usize = 100;
