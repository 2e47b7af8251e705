//! One run: a server, its world and its clients, step by step, from a seed.
//!
//! A run has four parts: the clients come, talk and misbehave; they fall silent until the calm
//! ones have heard all they are owed; they leave, or the server closes; and time passes until
//! nothing may be left.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::rc::Rc;
use std::time::Duration;

use throng::config::Config;
use throng::{Now, Server};

use crate::app::App;
use crate::client::conduct::Conduct;
use crate::client::packet::Form;
use crate::client::{Client, Means, Phase};
use crate::ledger::Ledger;
use crate::net::{SimListener, SimNet};
use crate::random::Random;
use crate::world::World;

/// One run.
pub(crate) struct Simulation {
    random: Random,
    world: Rc<RefCell<World>>,
    ledger: Rc<RefCell<Ledger>>,
    server: Server<SimNet>,
    clients: Vec<Client>,
    step: usize,
    ticks: u64,
    talks: bool,
}

/// What a run came to; equal for equal seeds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) trace: u64,
    pub(crate) settled: u64,
    pub(crate) upgrades: u64,
    pub(crate) short_writes: u64,
    pub(crate) reasons: BTreeMap<&'static str, u64>,
}

impl Simulation {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let world = Rc::new(RefCell::new(World::new(random.next())));
        let clock = {
            let world = Rc::clone(&world);
            move || {
                let monotonic = world.borrow().now;
                Now { monotonic, wall: Duration::from_secs(1_700_000_000) + monotonic }
            }
        };
        let net = SimNet(Rc::clone(&world));
        let config = configure(&mut random);
        let server = Server::simulated(net, vec![SimListener], config, clock, seed).unwrap();
        let clients = clients(&mut random);
        let ledger = Rc::new(RefCell::new(Ledger::default()));
        for client in &clients {
            ledger.borrow_mut().add(client.conduct == Conduct::Calm);
        }
        App::declare(&server, &ledger);
        let mut simulation =
            Self { random, world, ledger, server, clients, step: 0, ticks: 0, talks: true };
        if simulation.random.once_in(4) {
            simulation.server.allow_request(|io, _, decision| {
                io.after(Duration::from_millis(3), move |_| decision.allow());
            });
        }
        simulation
    }

    /// Lives through all of it; the error says what went wrong first.
    pub(crate) fn run(mut self) -> Result<Outcome, String> {
        for _ in 0..STEPS {
            self.advance()?;
        }
        self.settle()?;
        self.leave()?;
        self.pass_away()?;
        let counters = self.server.io().engine_counters();
        let ledger = self.ledger.borrow();
        Ok(Outcome {
            trace: self.world.borrow().trace(),
            settled: ledger.settled,
            upgrades: counters.upgrades,
            short_writes: self.server.reactor_counters().short_writes,
            reasons: ledger.reasons.clone(),
        })
    }

    /// Nobody says anything new until the calm ones have heard and said all.
    fn settle(&mut self) -> Result<(), String> {
        self.talks = false;
        for _ in 0..SETTLING_STEPS {
            self.advance()?;
            if self.clients.iter().all(|client| !is_calm(client) || self.is_settled(client)) {
                return Ok(());
            }
        }
        let client = self.clients.iter().find(|c| is_calm(c) && !self.is_settled(c));
        let owed =
            client.map(|client| self.ledger.borrow().first_owed(client.id).map(str::to_owned));
        Err(format!("a calm client is stuck; it is owed {owed:?}: {client:#?}"))
    }

    fn is_settled(&self, client: &Client) -> bool {
        client.is_settled(&self.ledger.borrow())
    }

    /// The calm ones go as they like; or the server closes, and all must.
    fn leave(&mut self) -> Result<(), String> {
        if self.random.once_in(4) {
            for client in 0..self.clients.len() {
                self.ledger.borrow_mut().part(client);
            }
            for client in &mut self.clients {
                if client.phase == Phase::Open {
                    client.phase = Phase::Leaving;
                }
            }
            self.server.close();
        }
        for _ in 0..LEAVING_STEPS {
            for client in self.clients.iter_mut().filter(|client| is_calm(client)) {
                if self.random.once_in(20) {
                    client.leave(&mut self.world.borrow_mut(), &mut self.ledger.borrow_mut());
                }
            }
            self.advance()?;
        }
        match self.clients.iter().find(|client| is_calm(client) && client.phase != Phase::Gone) {
            Some(client) => Err(format!("a calm client can't leave: {client:#?}")),
            None => Ok(()),
        }
    }

    /// Everybody has gone, one way or the other; when all times are out nothing is left.
    fn pass_away(&mut self) -> Result<(), String> {
        for client in &mut self.clients {
            let how = self.random.below(3);
            client.drop_all(&mut self.world.borrow_mut(), |world, wire| match how {
                0 => world.pipe(wire).abandon(),
                1 => world.pipe(wire).reset(),
                _ => world.pipe(wire).vanish(),
            });
        }
        for _ in 0..PASSING_STEPS {
            self.world.borrow_mut().advance(PASSING_STEP);
            self.turn()?;
        }
        self.check_nothing_left()
    }

    fn advance(&mut self) -> Result<(), String> {
        self.step += 1;
        {
            let (world, ledger) = (&mut self.world.borrow_mut(), &mut self.ledger.borrow_mut());
            let by = if self.random.once_in(50) { 200 } else { self.random.within(1, 30) };
            world.advance(Duration::from_millis(by as u64));
            for client in &mut self.clients {
                client.step(self.step, self.talks, world, ledger);
            }
        }
        if self.talks && self.random.once_in(40) {
            self.ticks += 1;
            App::tick(self.server.io(), &self.ledger, self.ticks);
            if self.random.once_in(2) {
                self.server.flush();
            }
        }
        self.turn()
    }

    /// Lets the server have its turns, and holds what it did against the invariants.
    fn turn(&mut self) -> Result<(), String> {
        let mut turns = 0;
        loop {
            let turn = self.server.poll(Some(Duration::ZERO)).map_err(|e| format!("poll: {e}"))?;
            turns += 1;
            if !turn.more {
                break;
            }
            if turns > TURNS_MAX {
                return Err(format!("the server spins: {turns} turns in one step"));
            }
        }
        self.check()
    }

    fn check(&mut self) -> Result<(), String> {
        if let Some(failure) = self.ledger.borrow().failures().first() {
            return Err(failure.clone());
        }
        let (world, ledger) = (self.world.borrow(), self.ledger.borrow());
        let (counts, counters) = (world.counts, self.server.reactor_counters());
        let io = self.server.io();
        let sockets = io.socket_counters();
        let open = usize::try_from(counts.accepted - counts.closed).unwrap();
        equal("bytes read", counters.bytes_read, counts.bytes_read)?;
        equal("bytes written", counters.bytes_written, counts.bytes_written)?;
        equal("connections accepted", counters.accepted, counts.accepted)?;
        equal("connections", self.server.connections_len(), open)?;
        let connected = usize::try_from(sockets.connected - sockets.disconnected).unwrap();
        equal("sockets", connected, ledger.connected_len())?;
        let members = io.of("/").sockets_len() + io.of("/chat").sockets_len();
        equal("members", members, ledger.members_len())?;
        equal("panics of handlers", sockets.handler_panics, 0)?;
        equal("arguments refused", sockets.arguments_rejected, 0)?;
        match self.server.next_deadline() {
            Some(at) if at <= world.now => {
                Err(format!("all is done at {:?} and a deadline is due at {at:?}", world.now))
            }
            _ => Ok(()),
        }
    }

    fn check_nothing_left(&mut self) -> Result<(), String> {
        let io = self.server.io();
        equal("sessions left", io.sessions_len(), 0)?;
        equal("bytes left", io.queued_bytes(), 0)?;
        equal("rooms left", io.of("/").rooms_len() + io.of("/chat").rooms_len(), 0)?;
        equal("connections left", self.server.connections_len(), 0)?;
        equal("deadlines left", self.server.next_deadline(), None)?;
        let turn = self.server.poll(Some(Duration::ZERO)).map_err(|error| error.to_string())?;
        equal("work left", (turn.more, turn.messages, turn.deadlines), (false, 0, 0))?;
        let is_open = |pipe: &crate::pipe::Pipe| pipe.token.is_some();
        equal("streams left", self.world.borrow().pipes.iter().filter(|p| is_open(p)).count(), 0)?;
        self.ledger.borrow_mut().close();
        match self.ledger.borrow().failures().first() {
            Some(failure) => Err(failure.clone()),
            None => Ok(()),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "numbers read better without a borrow")]
fn equal<T: PartialEq + Debug>(what: &str, told: T, known: T) -> Result<(), String> {
    if told == known { Ok(()) } else { Err(format!("{what}: {told:?} instead of {known:?}")) }
}

fn is_calm(client: &Client) -> bool {
    client.conduct == Conduct::Calm
}

/// Limits so small that they are met, in some runs.
fn configure(random: &mut Random) -> Config {
    let mut config = Config::default();
    config.engine.ping_interval = Duration::from_millis(*random.pick(&[300, 1_000, 5_500, 60_000]));
    config.engine.ping_timeout = Duration::from_secs(4);
    config.engine.allow_eio3 = true;
    config.outgoing.stall_time_max = Duration::from_secs(*random.pick(&[4, 20]));
    config.socket.connect_timeout = Duration::from_secs(4);
    config.reactor.read_buffer_bytes = *random.pick(&[4_096, 65_536]);
    config.budget.accepts_max = *random.pick(&[1, 2, 64]);
    config.budget.read_bytes_max = *random.pick(&[100, 4_096, 262_144]);
    config.budget.messages_max = *random.pick(&[1, 3, 256]);
    config.budget.messages_total_max = *random.pick(&[2, 10, 4_096]);
    config.budget.deliveries_max = *random.pick(&[1, 20, 65_536]);
    config.budget.slice_connections_max = *random.pick(&[1, 2, 32]);
    config.budget.backlog_messages_max = *random.pick(&[1, 50, 262_144]);
    if random.once_in(3) {
        config.outgoing.hard_bytes_max = 60_000;
    }
    if random.once_in(3) {
        config.engine.compression_bytes_min = None;
    }
    config
}

fn clients(random: &mut Random) -> Vec<Client> {
    let len = random.within(2, CLIENTS_MAX);
    (0..len)
        .map(|id| {
            let conduct = Conduct::random(random, STEPS);
            let means = *random.pick(&[Means::Polling, Means::WebSocket, Means::Upgrade]);
            let form = Form::random(random);
            Client::new(id, conduct, means, form, random.below(STEPS / 2))
        })
        .collect()
}

const CLIENTS_MAX: usize = 9;
/// How long the clients talk.
const STEPS: usize = 120;
/// How long the calm ones may take to hear the rest.
const SETTLING_STEPS: usize = 1_500;
/// How long the calm ones may take to leave.
const LEAVING_STEPS: usize = 400;
/// Longer than all of the server's times together.
const PASSING_STEPS: usize = 160;
const PASSING_STEP: Duration = Duration::from_secs(1);
/// More turns than this in one step are no progress.
const TURNS_MAX: usize = 20_000;
