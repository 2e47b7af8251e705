//! What the design promises in numbers: heap, allocations and system calls, counted and not timed.
//!
//! Servers run here on a network of byte queues, whose memory is left out of every figure. The
//! figures are printed: `cargo test --test counts -- --nocapture`.
//!
//! ```text
//! heap per idle client: 678 bytes
//! ```

mod net;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use net::{CountingNet, Counts, text_frame, upgrade_request};
use throng::config::{Config, HandshakeRetention, RecoveryConfig};
use throng::testing::{MemoryListener, MemoryStream};
use throng::{Now, Server};

/// Half-way between two powers of two, so that hash tables are neither at their best nor at their
/// worst: 16,384 buckets for 10,000 entries.
const CLIENTS: usize = 10_000;
const HEAP_PER_CLIENT_MAX: usize = 1_024;
const ZERO: Option<Duration> = Some(Duration::ZERO);

/// Leaves what the network itself uses out of the figures.
fn uncounted<T>(act: impl FnOnce() -> T) -> T {
    let mut done = None;
    allocation_counter::opt_out(|| done = Some(act()));
    match done {
        Some(done) => done,
        None => panic!("an act that isn't counted is done all the same"),
    }
}

/// A server with clients that have joined `/`, and the hands of its clock.
struct Running {
    server: Server<CountingNet>,
    now: Rc<Cell<Duration>>,
}

impl Running {
    /// A server with as many clients as it may have.
    fn with_clients(clients: usize, head_bytes: usize, handshake: HandshakeRetention) -> Self {
        Self::with(clients, head_bytes, |config| config.socket.handshake = handshake)
    }

    /// The same, with another configuration.
    fn with(clients: usize, head_bytes: usize, change: impl FnOnce(&mut Config)) -> Self {
        let mut running = Self::empty(clients, change);
        for _ in 0..clients {
            running.join(head_bytes);
        }
        running
    }

    /// A server for so many clients, without any.
    fn empty(clients: usize, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        config.reactor.connections_max = Some(clients);
        change(&mut config);
        let now = Rc::new(Cell::new(Duration::from_secs(1)));
        let clock = Rc::clone(&now);
        let clock = move || Now { monotonic: clock.get(), wall: clock.get() };
        let server = Server::simulated(CountingNet::new(), vec![MemoryListener], config, clock, 1);
        let Ok(server) = server else { panic!("a simulated server needs nothing that may fail") };
        server
            .of("/")
            .on_raw("echo", |socket, args, _| {
                socket.emit("echo", args);
            })
            .on("keep", |socket, (): ()| socket.data::<Cell<u64>>().set(1));
        Self { server, now }
    }

    /// One client comes, as far as `40{"sid":"..."}`.
    fn join(&mut self, head_bytes: usize) {
        let request = uncounted(|| upgrade_request(head_bytes));
        let connect = uncounted(|| text_frame("40"));
        let client = self.server.net_mut().connect();
        // Its request comes when it has heard that it is connected.
        self.poll();
        self.server.net_mut().send(client, &request);
        self.poll();
        self.server.net_mut().send(client, &connect);
        self.poll();
        let received = self.server.net_mut().received(client);
        let joined = received.windows(10).any(|bytes| bytes == b"40{\"sid\":\"");
        uncounted(move || drop((request, connect, received)));
        assert!(joined, "client {client} is not in");
    }

    /// A client of Socket.IO v2 comes: it is in `/` at once, `40`.
    fn join_v2(&mut self) {
        let request = uncounted(|| {
            String::from_utf8_lossy(&upgrade_request(0)).replace("EIO=4", "EIO=3").into_bytes()
        });
        let client = self.server.net_mut().connect();
        self.poll();
        self.server.net_mut().send(client, &request);
        self.poll();
        // Its open packet comes a moment after the 101.
        self.now.set(self.now.get() + Duration::from_millis(5));
        self.poll();
        let received = self.server.net_mut().received(client);
        let joined = received.ends_with(b"40");
        uncounted(move || drop((request, received)));
        assert!(joined, "client {client} is not in");
    }

    /// Polls until nothing is left to do and returns how many turns that took.
    fn poll(&mut self) -> usize {
        for turns in 1.. {
            match self.server.poll(ZERO) {
                Ok(turn) if turn.more => {}
                Ok(_) => return turns,
                Err(error) => panic!("{error}"),
            }
        }
        0
    }

    /// Every client sends the same, and the server does what is to be done about it.
    fn send_all(&mut self, bytes: &[u8]) {
        for client in 0..self.server.connections_len() {
            self.server.net_mut().send(client, bytes);
        }
        self.poll();
    }

    fn counts(&mut self) -> Counts {
        self.server.net_mut().counts
    }

    /// The heap of a whole server, divided by its clients.
    fn heap_per_client(head_bytes: usize, handshake: HandshakeRetention) -> usize {
        Self::heap_with(head_bytes, |config| config.socket.handshake = handshake)
    }

    fn heap_with(head_bytes: usize, change: impl FnOnce(&mut Config)) -> usize {
        let mut running = None;
        let info = allocation_counter::measure(|| {
            running = Some(Self::with(CLIENTS, head_bytes, change));
        });
        assert_eq!(running.map(|running| running.server.connections_len()), Some(CLIENTS));
        usize::try_from(info.bytes_current).unwrap_or_default().div_ceil(CLIENTS)
    }

    /// What a broadcast allocates, the turns that write it included.
    fn allocations_of_broadcasts(&mut self, broadcasts: usize) -> u64 {
        let info = allocation_counter::measure(|| {
            for _ in 0..broadcasts {
                self.server.emit("news", "hello");
            }
            self.poll();
        });
        info.count_total
    }
}

/// All the heap of the server counts: the reserved rest of its tables, its buffers, the namespace.
/// So does the slot that each connection has beside the heap, since slots lie in a table.
#[test]
fn an_idle_client_costs_less_than_a_kibibyte_of_heap() {
    let idle = Running::heap_per_client(0, HandshakeRetention::UntilConnected);
    let with_head = |bytes| Running::heap_per_client(bytes, HandshakeRetention::ForLife);
    println!("heap per idle WebSocket client, of {CLIENTS}: {idle} bytes");
    println!("  with a request head of 300 bytes kept for life: {} bytes", with_head(300));
    println!("  with a request head of 800 bytes kept for life: {} bytes", with_head(800));
    assert!(idle <= HEAP_PER_CLIENT_MAX, "{idle} bytes");
}

/// The streams of this network take no less room in the table than those of the system.
#[test]
fn a_stream_of_the_test_is_as_large_as_one_of_the_system() {
    println!("stream: {} bytes", size_of::<MemoryStream>());
    println!("stream of the system: {} bytes", size_of::<throng::SystemStream>());
    // Unoptimised, mio keeps more to find misuse by.
    if !cfg!(debug_assertions) {
        assert!(size_of::<MemoryStream>() >= size_of::<throng::SystemStream>());
    }
}

/// Ten times the recipients, not one allocation more.
#[test]
fn a_broadcast_allocates_nothing_for_a_recipient() {
    let allocations = [100, 1_000, CLIENTS].map(|clients| {
        let mut running = Running::with_clients(clients, 0, HandshakeRetention::UntilConnected);
        running.allocations_of_broadcasts(1)
    });
    println!("allocations of a broadcast to 100, 1,000 and {CLIENTS}: {allocations:?}");
    assert_eq!(allocations[0], allocations[1]);
    assert_eq!(allocations[0], allocations[2]);
}

/// The warm-up makes room for what choosing and serving so many takes, which is kept for the next.
#[test]
fn a_question_that_nobody_answered_leaves_nothing_with_its_clients() {
    const ASKED: usize = 1_000;
    let mut running = Running::with_clients(ASKED, 0, HandshakeRetention::UntilConnected);
    running.server.except("nobody").emit("news", "hello");
    running.poll();
    let info = allocation_counter::measure(|| {
        let patient = running.server.timeout(Duration::from_secs(1));
        patient.emit_with_ack::<u8>("score?", (), |_, answers| {
            assert_eq!((answers.expected, answers.timed_out), (ASKED, true));
        });
        running.poll();
        running.now.set(running.now.get() + Duration::from_secs(2));
        running.poll();
    });
    assert_eq!(running.server.io().socket_counters().ack_timeouts, ASKED as u64);
    let kept = usize::try_from(info.bytes_current).unwrap_or_default();
    println!("kept of a question to {ASKED} that timed out: {kept} bytes");
    assert!(kept < 8 * ASKED, "{kept} bytes");
}

#[test]
fn many_broadcasts_of_one_turn_are_one_write_for_each_socket() {
    for broadcasts in [1, 2, 10, 60] {
        let clients = 500;
        let mut running = Running::with_clients(clients, 0, HandshakeRetention::UntilConnected);
        let before = running.counts();
        running.allocations_of_broadcasts(broadcasts);
        let after = running.counts();
        println!("{broadcasts} broadcasts to {clients}: {} writes", after.writes - before.writes);
        assert_eq!(after.writes - before.writes, clients as u64);
        let messages = (clients * broadcasts) as u64;
        let frame_bytes = b"\x81\x1042[\"news\",\"hello\"]".len() as u64;
        assert_eq!(after.bytes_written - before.bytes_written, messages * frame_bytes);
    }
}

/// An accept finds nothing more in every turn but the last, when there is room for no more.
#[test]
fn a_connect_costs_two_reads_two_writes_and_one_registration() {
    let mut running = Running::with_clients(100, 0, HandshakeRetention::UntilConnected);
    let counts = running.counts();
    assert_eq!(counts.accepts, 2 * 100 - 1);
    assert_eq!((counts.registers, counts.awaits), (100, 0));
    assert_eq!((counts.reads, counts.writes), (2 * 100, 2 * 100));
}

#[test]
fn a_message_costs_one_read_one_write_and_no_registration() {
    let clients = 100;
    let mut running = Running::with_clients(clients, 0, HandshakeRetention::UntilConnected);
    let echo = text_frame("42[\"echo\",\"hello\"]");
    let before = running.counts();
    assert_eq!(before.registers, clients as u64);
    running.send_all(&echo);
    let after = running.counts();
    assert_eq!(after.registers, before.registers);
    assert_eq!(after.reads - before.reads, clients as u64);
    assert_eq!(after.writes - before.writes, clients as u64);
    assert!(running.server.net_mut().received(7).ends_with(b"42[\"echo\",\"hello\"]"));
}

#[test]
fn an_idle_turn_allocates_nothing_and_calls_nothing() {
    let mut running = Running::with_clients(100, 0, HandshakeRetention::UntilConnected);
    let before = running.counts();
    let info = allocation_counter::measure(|| {
        for _ in 0..1_000 {
            running.now.set(running.now.get() + Duration::from_millis(5));
            assert_eq!(running.poll(), 1);
        }
    });
    assert_eq!(info.count_total, 0);
    assert_eq!(running.counts(), before);
}

/// While a hundred thousand are being written to, whoever asks waits for two slices at most: the
/// one at hand, and the one of the turn that hears it.
#[test]
fn an_answer_waits_for_two_slices_of_a_broadcast_to_a_hundred_thousand() {
    let clients = 100_000;
    let mut running = Running::with_clients(clients, 0, HandshakeRetention::UntilConnected);
    let slice = Config::default().budget.slice_connections_max as u64;
    let echo = text_frame("42[\"echo\",\"hello\"]");
    running.server.emit("news", "hello");
    let begun = running.counts().writes;
    let (mut answers, mut waited_max) = (0, 0);
    while running.counts().writes - begun < clients as u64 {
        // Those at the end of the queue ask, so that none is written to meanwhile.
        let client = clients - 1 - answers;
        running.server.net_mut().send(client, &echo);
        let asked = running.counts().writes;
        while running.server.net_mut().received(client).is_empty() {
            assert!(running.server.poll(ZERO).is_ok());
        }
        waited_max = waited_max.max(running.counts().writes - asked);
        answers += 1;
    }
    println!("{answers} answers, each after {waited_max} writes at most; a slice is {slice}");
    assert!(answers > 1_000 && waited_max <= 2 * slice + 1, "{answers}, {waited_max}");
}

/// Pings fall one to a write, and their pongs ask for nothing.
#[test]
fn a_heartbeat_is_one_write_and_one_read() {
    let clients = 1_000;
    let mut running = Running::with_clients(clients, 0, HandshakeRetention::UntilConnected);
    let pong = text_frame("3");
    // The first time that so many are ready at once makes the list of them grow.
    running.send_all(&pong);
    let before = running.counts();
    running.now.set(Duration::from_secs(27));
    let info = allocation_counter::measure(|| {
        running.poll();
    });
    let pinged = running.counts();
    println!("allocations of a ping: {}", info.count_total.div_ceil(clients as u64));
    assert_eq!(pinged.writes - before.writes, clients as u64);
    let info = allocation_counter::measure(|| running.send_all(&pong));
    let after = running.counts();
    assert_eq!(info.count_total, 0, "a pong allocates");
    assert_eq!(after.writes, pinged.writes);
    assert_eq!(after.reads - pinged.reads, clients as u64);
    assert_eq!(after.closes, 0);
}

/// What a socket adds that keeps a value of eight bytes, and what a client of Socket.IO v2 adds.
#[test]
fn data_and_older_clients_cost_what_they_need() {
    let until_connected =
        |config: &mut Config| config.socket.handshake = HandshakeRetention::UntilConnected;
    let mut running = Running::with(CLIENTS, 0, until_connected);
    running.send_all(&text_frame("42[\"echo\"]"));
    let info = allocation_counter::measure(|| {
        let keep = uncounted(|| text_frame("42[\"keep\"]"));
        running.send_all(&keep);
        uncounted(move || drop(keep));
    });
    let data = usize::try_from(info.bytes_current).unwrap_or_default().div_ceil(CLIENTS);
    println!("data of eight bytes, kept with a socket: {data} bytes");
    assert!(data <= 256, "{data} bytes");

    let mut running = None;
    let info = allocation_counter::measure(|| {
        let mut all = Running::empty(CLIENTS, |config| {
            until_connected(config);
            config.engine.allow_eio3 = true;
        });
        for _ in 0..CLIENTS {
            all.join_v2();
        }
        running = Some(all);
    });
    assert_eq!(running.map(|running| running.server.connections_len()), Some(CLIENTS));
    let older = usize::try_from(info.bytes_current).unwrap_or_default().div_ceil(CLIENTS);
    println!("heap per idle client of Socket.IO v2: {older} bytes");
    assert!(older <= HEAP_PER_CLIENT_MAX, "{older} bytes");
}

/// What connection state recovery costs where it is on: a client its private id, an event its
/// place, its bytes and its offset. Where it is off it costs nothing: that is what the others hold.
#[test]
fn recovery_costs_a_client_a_few_bytes_and_an_event_its_own() {
    let recovering = |config: &mut Config| {
        config.socket.handshake = HandshakeRetention::UntilConnected;
        config.socket.recovery = Some(RecoveryConfig::default());
    };
    let off = Running::heap_per_client(0, HandshakeRetention::UntilConnected);
    let on = Running::heap_with(0, recovering);
    println!("heap per idle client with recovery: {on} bytes, without: {off}");
    assert!(on <= off + 96, "{on} bytes");

    let clients = 100;
    let mut running = Running::with(clients, 0, recovering);
    running.allocations_of_broadcasts(1_000);
    let events = 10_000;
    let info = allocation_counter::measure(|| {
        for _ in 0..events {
            running.server.emit("news", "hello");
            running.poll();
        }
    });
    let kept = usize::try_from(info.bytes_current).unwrap_or_default().div_ceil(events);
    let allocations = info.count_total.div_ceil(events as u64);
    println!("a broadcast that is kept: {kept} bytes, {allocations} allocations");
    assert!(kept <= 320, "{kept} bytes");
    assert!(allocations <= 8, "{allocations}");
}

/// An event that is told as a value owns its name and its arguments; the queue grows once.
#[test]
fn an_event_that_is_pulled_allocates_its_name_and_its_arguments() {
    let clients = 100;
    let mut running = Running::empty(clients, |_| {});
    running.server.of("/").pull();
    for _ in 0..clients {
        running.join(0);
    }
    let message = text_frame("42[\"move\",{\"x\":1}]");
    let round = |running: &mut Running| {
        running.send_all(&message);
        std::iter::from_fn(|| running.server.next_event()).count()
    };
    assert_eq!(round(&mut running), 2 * clients, "their connects and their first events");
    let info = allocation_counter::measure(|| {
        assert_eq!(round(&mut running), clients);
    });
    println!("allocations of an event that is pulled: {}", info.count_total / clients as u64);
    assert_eq!(info.count_total, 2 * clients as u64);
    assert_eq!(info.bytes_current, 0);
}
