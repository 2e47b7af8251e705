//! Random clients and hosts: whatever they do, the engine keeps its promises.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// What the conductor would know, to hold the outputs against.
#[derive(Default)]
struct Model {
    /// Requests that wait for an answer.
    asking: BTreeSet<ConnectionKey>,
    /// Connections that the peer ended; what is said to them is passed over.
    lost: BTreeSet<ConnectionKey>,
    /// Those of WebSocket that were not closed yet.
    websockets: BTreeSet<ConnectionKey>,
    opened: BTreeSet<SessionKey>,
    closed: BTreeSet<SessionKey>,
    deadlines: BTreeMap<SessionKey, Duration>,
}

impl Model {
    fn apply(&mut self, output: &Output) {
        match output {
            Output::Respond { connection, .. } | Output::Destroy { connection } => {
                let is_asking = self.asking.remove(connection);
                assert!(is_asking, "{connection:?} is answered twice, or never asked");
            }
            Output::Send { connection, .. } => {
                assert!(self.websockets.contains(connection), "a frame on a closed WebSocket");
            }
            Output::CloseWebSocket { connection, .. } => {
                assert!(self.websockets.remove(connection), "a WebSocket is closed twice");
            }
            Output::Opened { session } => assert!(self.opened.insert(*session)),
            Output::Upgraded { session, connection } => {
                assert!(!self.closed.contains(session));
                assert!(self.websockets.contains(connection));
            }
            Output::Closed { session, .. } => {
                assert!(self.opened.contains(session));
                assert!(self.closed.insert(*session), "closed twice");
                self.deadlines.remove(session);
            }
            Output::Schedule { session, at } => {
                assert!(!self.closed.contains(session), "nothing after the end");
                let before = self.deadlines.insert(*session, *at);
                assert!(before.is_none_or(|before| *at < before), "a later deadline was told");
            }
        }
    }
}

struct Play {
    engine: Engine,
    outboxes: Outboxes,
    random: SeededEntropy,
    model: Model,
    now: Duration,
    sessions: Vec<SessionKey>,
    connections: Vec<ConnectionKey>,
    /// The session that each connection named in its request.
    owners: BTreeMap<ConnectionKey, SessionKey>,
}

impl Play {
    fn new(seed: u64) -> Self {
        let config = EngineConfig {
            ping_interval: Duration::from_secs(4),
            ping_timeout: Duration::from_secs(3),
            allow_eio3: true,
            ..EngineConfig::default()
        };
        Self {
            engine: Engine::new(config, 16),
            outboxes: Outboxes::with_capacity(1),
            random: SeededEntropy::new(seed),
            model: Model::default(),
            now: Duration::ZERO,
            sessions: Vec::new(),
            connections: Vec::new(),
            owners: BTreeMap::new(),
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.random.next() % bound as u64).unwrap()
    }

    fn session(&mut self) -> SessionKey {
        if self.sessions.is_empty() {
            return Key::new(0, 0);
        }
        // The young are asked more often, the dead every now and then.
        let back = self.below(self.sessions.len()).min(self.below(self.sessions.len()));
        self.sessions[self.sessions.len() - 1 - back]
    }

    fn connection(&mut self) -> ConnectionKey {
        if self.connections.is_empty() {
            return Key::new(0, 0);
        }
        let back = self.below(self.connections.len().min(8));
        self.connections[self.connections.len() - 1 - back]
    }

    fn connect(&mut self, session: Option<SessionKey>) -> ConnectionKey {
        let connection = Key::new(u32::try_from(self.connections.len()).unwrap() + 1, 0);
        self.connections.push(connection);
        if let Some(session) = session {
            self.owners.insert(connection, session);
        }
        connection
    }

    fn step(&mut self) {
        let now = Now { monotonic: self.now, wall: self.now };
        let session = self.session();
        match self.below(16) {
            0 if self.engine.len() < 8 => self.open(now),
            0 | 1 => {
                let connection = self.connect(Some(session));
                self.model.asking.insert(connection);
                let request = get(POLLING);
                let outboxes = &mut self.outboxes;
                self.engine.handle_poll(now, session, connection, &request, outboxes);
            }
            2 | 3 => self.post(now, session),
            4 => {
                let connection = self.connect(Some(session));
                self.model.websockets.insert(connection);
                let (form, outboxes) = (Form::WebSocket, &mut self.outboxes);
                self.engine.handle_probe(now, session, connection, form, outboxes);
                for packet in ["2probe", "5"] {
                    if self.below(3) > 0 {
                        let packet = RawPacket::Text(packet);
                        let outboxes = &mut self.outboxes;
                        self.engine.handle_packet(now, session, connection, packet, outboxes);
                    }
                }
            }
            5..=8 => self.packets(now, session),
            9 => self.lose(now, session),
            10 | 11 => {
                let text = "x".repeat(self.below(300));
                let pushed = self.outboxes.push(session, &Message::text(&text), Lane::Bulk);
                assert!(pushed.is_none() || self.engine.is_open(session));
            }
            12 => {
                let how = [Close::Graceful, Close::Discard][self.below(2)];
                let reason = DisconnectReason::ForcedClose;
                if self.below(3) == 0 {
                    self.engine.close(now, session, how, reason, &mut self.outboxes);
                }
            }
            13 => self.engine.handle_deadline(now, session, &mut self.outboxes),
            _ => {
                let by = [1, 100, 300, 2_000][self.below(4)];
                self.pass(Duration::from_millis(by));
            }
        }
        if self.below(2) == 0 {
            self.flush();
        }
        self.drain();
    }

    fn open(&mut self, now: Now) {
        let connection = self.connect(None);
        let Self { engine, outboxes, random, model, .. } = self;
        let is_v3 = random.next().is_multiple_of(3);
        let session = if random.next().is_multiple_of(2) {
            model.asking.insert(connection);
            let request = get(if is_v3 { "/socket.io/?EIO=3&transport=polling" } else { POLLING });
            engine.open_polling(now, connection, &request, &[], random, outboxes)
        } else {
            model.websockets.insert(connection);
            let form = if is_v3 { Form::WebSocketV3 } else { Form::WebSocket };
            engine.open_websocket(now, connection, form, random, outboxes)
        };
        assert!(!self.sessions.contains(&session), "a key was given twice");
        self.sessions.push(session);
        self.owners.insert(connection, session);
    }

    fn post(&mut self, now: Now, session: SessionKey) {
        let connection = self.connect(Some(session));
        self.model.asking.insert(connection);
        let kind = ["text/plain", "text/plain", "text/plain", "application/octet-stream"];
        let headers = [("Content-Type", kind[self.below(4)])];
        let request = Request::for_tests("POST", POLLING, &headers, "");
        let Self { engine, outboxes, .. } = self;
        let start = engine.handle_post(now, session, connection, &request, outboxes);
        if start == PostStart::Refused {
            return;
        }
        match self.below(4) {
            0 => {}
            1 => {
                self.engine.post_too_large(now, session, connection, &mut self.outboxes);
            }
            _ => {
                for _ in 0..=self.below(3) {
                    self.packet(now, session, connection);
                }
                self.engine.finish_post(now, session, connection, &mut self.outboxes);
            }
        }
    }

    fn packets(&mut self, now: Now, session: SessionKey) {
        let connection = match self.engine.websocket(session) {
            Some(connection) if self.below(2) == 0 => connection,
            _ => self.connection(),
        };
        for _ in 0..self.below(3) {
            self.packet(now, session, connection);
        }
    }

    fn packet(&mut self, now: Now, session: SessionKey, connection: ConnectionKey) {
        const PACKETS: [&str; 24] = [
            "4a", "4", "3", "3", "3", "3", "3", "2probe", "2probe", "5", "5", "6", "0", "bAQ==",
            "b!", "4\u{e9}", "4b", "4c", "6", "3", "1", "2", "", "x",
        ];
        let packet = match self.below(PACKETS.len() + 1) {
            24 => RawPacket::Binary(b"x"),
            choice => RawPacket::Text(PACKETS[choice]),
        };
        let was_open = self.engine.is_open(session);
        let Self { engine, outboxes, .. } = self;
        let message = engine.handle_packet(now, session, connection, packet, outboxes);
        assert!(message.is_none() || was_open, "a message of a session that had ended");
    }

    fn lose(&mut self, now: Now, session: SessionKey) {
        let connection = match self.engine.websocket(session) {
            Some(connection) if self.below(2) == 0 => connection,
            _ => self.connection(),
        };
        let Some(&session) = self.owners.get(&connection) else { return };
        let mut how =
            [Lost::Eof, Lost::Reset, Lost::CloseFrame, Lost::Failure(1009)][self.below(4)];
        // Failures of WebSockets happen to WebSockets, and once.
        if !self.model.websockets.contains(&connection) {
            how = Lost::Eof;
        }
        self.engine.handle_disconnect(now, session, connection, how, &mut self.outboxes);
        self.drain();
        let had_websocket = self.model.websockets.remove(&connection);
        assert!(!had_websocket || !matches!(how, Lost::Failure(_)), "a failure without its code");
        self.model.lost.insert(connection);
    }

    fn pass(&mut self, by: Duration) {
        let until = self.now + by;
        self.drain();
        while let Some((&session, &at)) = self.model.deadlines.iter().min_by_key(|(_, at)| **at) {
            if at > until {
                break;
            }
            self.now = self.now.max(at);
            self.model.deadlines.remove(&session);
            let now = Now { monotonic: self.now, wall: self.now };
            self.engine.handle_deadline(now, session, &mut self.outboxes);
            self.drain();
            let next = self.model.deadlines.get(&session);
            assert!(self.model.closed.contains(&session) || next.is_some_and(|at| *at > self.now));
        }
        self.now = until;
    }

    fn flush(&mut self) {
        for lane in [Lane::Soon, Lane::Bulk] {
            while let Some((session, sink)) = self.outboxes.next_listed(lane) {
                match sink {
                    Sink::Closed | Sink::Held => {}
                    Sink::Poll => {
                        let now = Now { monotonic: self.now, wall: self.now };
                        self.engine.flush_poll(now, session, &mut self.outboxes);
                        assert!(self.outboxes.is_empty(session));
                    }
                    Sink::WebSocket(connection, _) => {
                        assert!(self.model.websockets.contains(&connection));
                        self.outboxes.clear(session);
                    }
                }
            }
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            // A deadline that handle_deadline was called for early is forgotten by both sides.
            if let Output::Schedule { session, .. } = &output {
                self.model.deadlines.remove(session);
            }
            self.model.apply(&output);
        }
        let open = self.model.opened.difference(&self.model.closed).count();
        assert_eq!(open, self.engine.len());
        assert_eq!(open, self.engine.index.len());
        let websockets = self.engine.sessions.iter();
        let websockets = websockets.filter(|(_, s)| s.channel.websocket().is_some()).count();
        assert_eq!(websockets, self.engine.websocket_len());
    }
}

#[test]
fn whatever_happens_the_promises_hold() {
    let mut reached = BTreeMap::new();
    for seed in 0..400 {
        println!("seed {seed}");
        let mut play = Play::new(seed);
        for _ in 0..600 {
            play.step();
        }
        for session in play.engine.keys() {
            let now = Now { monotonic: play.now, wall: play.now };
            let reason = DisconnectReason::ServerShuttingDown;
            play.engine.close(now, session, Close::Discard, reason, &mut play.outboxes);
        }
        play.drain();
        assert_eq!((play.engine.len(), play.engine.index.len()), (0, 0));
        assert_eq!(play.model.opened, play.model.closed);
        let waiting: Vec<_> = play.model.asking.difference(&play.model.lost).collect();
        assert!(waiting.is_empty(), "{waiting:?} wait for ever");
        assert_eq!((play.outboxes.bytes_total(), play.outboxes.messages_total()), (0, 0));
        let counters = play.engine.counters();
        for reason in DisconnectReason::ALL {
            *reached.entry(reason.label()).or_insert(0) += counters.closed(reason);
        }
        *reached.entry("upgrade").or_insert(0) += counters.upgrades;
        *reached.entry("probe timeout").or_insert(0) += counters.probes_timed_out;
    }
    // A random walk that never comes to a place proves nothing about it.
    for place in [
        "transport_close",
        "transport_error",
        "parse_error",
        "ping_timeout",
        "forced_close",
        "server_shutting_down",
        "upgrade",
        "probe timeout",
    ] {
        assert!(reached[place] > 5, "{place}: {reached:?}");
    }
}
