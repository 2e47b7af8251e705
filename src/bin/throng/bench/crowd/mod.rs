//! A crowd: the clients of one shard on one event loop.
//!
//! A turn: take commands, do what is due, tell how far it is, wait, read. What is due is looked at
//! between reads too, so that a broadcast that arrives at ten thousand clients delays no send.
//!
//! ```text
//! Command::Connect .. Progress .. Command::Run .. Progress, Second .. Command::Finish .. Outcome
//! ```

mod cast;
mod connects;
mod input;
mod links;
mod listening;
mod pulse;
mod receiver;
#[cfg(test)]
mod recorded;
mod sending;
mod traffic;

use std::io;
use std::sync::mpsc::{Receiver as Commands, TryRecvError};

use mio::{Events, Waker};

pub(crate) use cast::Cast;

use cast::{Sends, Temper};
use connects::{Attempt, Cause, Connects, Due};
use input::Happened;
use links::{Links, TIMER, WAKER};
use listening::Listening;
use pulse::{Ping, Pings, Pulse};
use receiver::Receiver;
use traffic::Traffic;

use super::client::{Client, Dialect, Lane, Output};
use super::clock::{Clock, wall_offset_ns};
use super::latency::{Measure, nanoseconds, nanoseconds_of};
use super::plan::Scenario;
use super::precedence::go_first;
use super::shard::{Command, Event, Outcome, Part};
use super::source::Sources;
use super::target;
use super::watch::thread_cpu;

/// All clients of a shard.
pub(crate) struct Crowd {
    part: Part,
    cast: Cast,
    dialect: Dialect,
    clock: Clock,
    links: Links,
    members: Vec<Member>,
    connects: Connects,
    pings: Pings,
    traffic: Traffic,
    listening: Listening,
    outputs: Vec<Output>,
    happened: Vec<Happened>,
    /// Recipients of each stream's events, over all shards.
    members_of: Vec<u64>,
    /// Whose turn it is to go and come back.
    departed: u32,
    window: Window,
    telling: Telling,
    backlog_max: u64,
    went_first: bool,
    /// When slow clients read again.
    slow_read_ns: u64,
    /// Whether slow clients have been asked for a last sign: when they end says nothing then.
    is_probed: bool,
    /// When they have had time for it.
    probed_ns: u64,
    /// When the first sends of a closed loop are due.
    closed_begin_ns: u64,
    commands: Commands<Command>,
    events: Box<dyn FnMut(Event) + Send>,
}

/// One client and where it stands.
#[derive(Debug)]
struct Member {
    client: Client,
    stage: Stage,
    lanes: [Option<usize>; 3],
    /// When its way in should have begun.
    intended_ns: u64,
    /// When it has.
    started_ns: u64,
    /// Tells the ways in apart.
    attempt: u32,
    pulse: Pulse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Not connected, and not on its way.
    Away,
    Connecting,
    /// Connected, and asks to be let into its room.
    Entering,
    Present,
}

/// The times of a run, by the monotonic clock.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    epoch_ns: u64,
    /// Of the traffic.
    begin_ns: u64,
    measure_ns: u64,
    end_ns: u64,
    cpu: MeasuredCpu,
}

impl Window {
    /// When the processor time is to be noted next.
    fn next_edge(&self) -> u64 {
        match self.cpu {
            MeasuredCpu::Before if self.end_ns > 0 => self.measure_ns,
            MeasuredCpu::Since(_) => self.end_ns,
            MeasuredCpu::Before | MeasuredCpu::Used(_) => u64::MAX,
        }
    }
}

/// Processor time of the measured part.
#[derive(Clone, Copy, Debug, Default)]
enum MeasuredCpu {
    /// The measured part is to come.
    #[default]
    Before,
    Since(u64),
    Used(u64),
}

/// When the conductor is to hear of us again.
#[derive(Clone, Copy, Debug)]
struct Telling {
    progress_ns: u64,
    second: u64,
}

impl Crowd {
    pub(crate) fn new(
        part: Part,
        commands: Commands<Command>,
        events: Box<dyn FnMut(Event) + Send>,
    ) -> io::Result<Self> {
        let plan = &part.plan;
        let target = target::resolve(plan.target_of(part.shard)).map_err(io::Error::other)?;
        let cast = Cast::new(plan);
        let dialect = Dialect::new(plan, &target.host);
        let sources = Sources::new(plan.source.as_deref(), target.address, plan.clients)
            .map_err(io::Error::other)?;
        let count = usize::try_from(part.clients).unwrap_or(usize::MAX);
        let links = Links::new(target.address, sources, Receiver::new(plan.kernel_stamps), count)?;
        let clients = part.first_client..part.first_client.saturating_add(part.clients);
        let mut masks = fastrand::Rng::with_seed(plan.seed ^ u64::from(part.first_client));
        let members = clients
            .clone()
            .map(|client| {
                let mask = masks.u32(1..).to_be_bytes();
                Member::new(Client::new(cast.transport(client), mask))
            })
            .collect();
        let timeout_ns = nanoseconds_of(plan.connect_timeout_seconds);
        Ok(Self {
            connects: Connects::new(None, plan.at_once, timeout_ns),
            pings: Pings::default(),
            traffic: Traffic::new(&part, &cast, &dialect.namespace),
            listening: Listening::new(&part, clients, &cast),
            cast,
            dialect,
            clock: Clock::new(wall_offset_ns()),
            links,
            members,
            outputs: Vec::new(),
            happened: Vec::new(),
            members_of: Vec::new(),
            departed: 0,
            window: Window::default(),
            telling: Telling { progress_ns: u64::MAX, second: 0 },
            backlog_max: 0,
            went_first: false,
            slow_read_ns: u64::MAX,
            is_probed: false,
            probed_ns: u64::MAX,
            closed_begin_ns: u64::MAX,
            commands,
            events,
            part,
        })
    }

    /// Wakes the crowd when there is a command for it.
    pub(crate) fn waker(&self) -> io::Result<Waker> {
        self.links.waker()
    }

    /// Lives through the run; returns when the conductor has had the outcome, or is gone.
    pub(crate) fn run(mut self) -> io::Result<()> {
        self.went_first = self.part.wants_precedence() && go_first();
        let mut events = Events::with_capacity(EVENTS_PER_WAIT);
        loop {
            let now = self.clock.refresh();
            if self.take_commands(now) == Next::End {
                return Ok(());
            }
            self.act(now);
            self.tell(now);
            self.links.wait(&mut events, now, self.next_at())?;
            let ready = u64::try_from(events.iter().count()).unwrap_or(u64::MAX);
            self.backlog_max = self.backlog_max.max(ready);
            for (index, event) in events.iter().enumerate() {
                if index % EVENTS_PER_LOOK == EVENTS_PER_LOOK - 1 {
                    let now = self.clock.refresh();
                    self.act(now);
                }
                match event.token() {
                    TIMER | WAKER => {}
                    token => self.handle_ready(token.0, event),
                }
            }
        }
    }

    fn take_commands(&mut self, now: u64) -> Next {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Connect { epoch_ns, wall_offset_ns }) => {
                    self.clock = Clock::new(wall_offset_ns);
                    self.begin_connecting(now, epoch_ns);
                }
                Ok(Command::Run { begin_ns, measure_ns, end_ns, members }) => {
                    self.begin_run(begin_ns, measure_ns, end_ns, members);
                }
                Ok(Command::Probe) => self.probe_slow(),
                Ok(Command::Finish) => {
                    self.finish();
                    return Next::End;
                }
                Err(TryRecvError::Empty) => return Next::GoOn,
                Err(TryRecvError::Disconnected) => return Next::End,
            }
        }
    }

    fn begin_connecting(&mut self, now: u64, epoch_ns: u64) {
        self.window.epoch_ns = epoch_ns;
        if self.part.plan.scenario == Scenario::Connect {
            // The connections are what is measured: no command tells of another window.
            self.window.end_ns = u64::MAX;
            self.window.cpu = MeasuredCpu::Since(thread_cpu_ns());
        }
        self.telling = Telling { progress_ns: now, second: 0 };
        let plan = &self.part.plan;
        let schedule = self.part.connect_schedule(now);
        let timeout_ns = nanoseconds_of(plan.connect_timeout_seconds);
        self.connects = Connects::new(schedule, plan.at_once, timeout_ns);
        for client in self.clients() {
            self.connects.push(Attempt { client, number: 0, intended_ns: None });
        }
    }

    fn clients(&self) -> std::ops::Range<u32> {
        self.part.first_client..self.part.first_client.saturating_add(self.part.clients)
    }

    /// Tells what is due to be told.
    fn tell(&mut self, now: u64) {
        self.note_cpu(now);
        if now >= self.probed_ns {
            self.probed_ns = u64::MAX;
            (self.events)(Event::Progress(self.listening.score.counts));
            (self.events)(Event::Probed);
        }
        if now < self.telling.progress_ns {
            return;
        }
        self.telling.progress_ns = now.saturating_add(PROGRESS_NS);
        let counts = self.listening.score.counts;
        (self.events)(Event::Progress(counts));
        let second = now.saturating_sub(self.window.epoch_ns) / SECOND_NS;
        if second > self.telling.second {
            let latencies = std::mem::take(&mut self.listening.second);
            let cpu_ns = thread_cpu_ns();
            let last = second - 1;
            (self.events)(Event::Second { second: last, counts, latencies, cpu_ns });
            self.telling.second = second;
            self.leave_silent_servers(now);
        }
    }

    /// Notes the processor time at both ends of the measured part.
    fn note_cpu(&mut self, now: u64) {
        match self.window.cpu {
            MeasuredCpu::Before if self.window.end_ns > 0 && now >= self.window.measure_ns => {
                self.window.cpu = MeasuredCpu::Since(thread_cpu_ns());
            }
            MeasuredCpu::Since(begin_ns) if now >= self.window.end_ns => {
                let used_ns = thread_cpu_ns().saturating_sub(begin_ns);
                self.window.cpu = MeasuredCpu::Used(used_ns);
            }
            _ => {}
        }
    }

    fn next_at(&self) -> u64 {
        self.connects
            .next_at()
            .min(self.pings.next_at())
            .min(self.traffic.next_send_at())
            .min(self.traffic.next_departure_at())
            .min(self.telling.progress_ns)
            .min(self.probed_ns)
            .min(self.slow_read_ns)
            .min(self.closed_begin_ns)
            .min(self.window.next_edge())
    }

    fn finish(&mut self) {
        self.listening.settle(self.passing_here());
        self.count_absent();
        let cpu_ns = match self.window.cpu {
            MeasuredCpu::Before => 0,
            MeasuredCpu::Since(begin_ns) => thread_cpu_ns().saturating_sub(begin_ns),
            MeasuredCpu::Used(used_ns) => used_ns,
        };
        let outcome = Outcome {
            score: std::mem::take(&mut self.listening.score),
            clients: self.listening.clients.summaries(),
            cpu_ns,
            backlog_max: self.backlog_max,
            step_ns_max: self.clock.step_ns_max(),
            stamped: self.listening.stamped,
            went_first: self.went_first,
        };
        self.links.reset_all();
        (self.events)(Event::Outcome(Box::new(outcome)));
    }

    /// Whoever is still on the way back has not come back, though its time isn't over.
    fn count_absent(&mut self) {
        let is_on_the_way =
            |member: &&Member| matches!(member.stage, Stage::Connecting | Stage::Entering);
        let on_the_way = self.members.iter().filter(is_on_the_way).count();
        for _ in 0..on_the_way + self.connects.returning() {
            self.listening.score.counts.failed += 1;
            self.listening.score.note_failure("still on the way in at the end");
        }
    }

    /// Clients of this shard that come and go.
    fn passing_here(&self) -> std::ops::Range<u32> {
        let (all, here) = (self.cast.passing(), self.clients());
        all.start.max(here.start)..all.end.min(here.end)
    }
}

fn thread_cpu_ns() -> u64 {
    nanoseconds(thread_cpu())
}

impl Member {
    fn new(client: Client) -> Self {
        Self {
            client,
            stage: Stage::Away,
            lanes: [None; 3],
            intended_ns: 0,
            started_ns: 0,
            attempt: 0,
            pulse: Pulse::default(),
        }
    }
}

/// Whether the loop goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    End,
}

const EVENTS_PER_WAIT: usize = 1_024;
/// After how many reads what is due is looked at.
const EVENTS_PER_LOOK: usize = 32;
const PROGRESS_NS: u64 = 50_000_000;
const SECOND_NS: u64 = 1_000_000_000;
