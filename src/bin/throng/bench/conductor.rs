//! The conductor: leads all shards through the phases of a run, watches the server meanwhile, and
//! notes what was the case at each edge.
//!
//! ```text
//! connect .. settle .. warm-up .. measure .. drain .. finish
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, SystemTime};

use signal_hook::consts::SIGINT;
use signal_hook::flag::register_conditional_shutdown;

use super::assemble::assemble;
use super::clock::{monotonic_ns, wall_offset_ns};
use super::crowd::Cast;
use super::latency::{Latencies, nanoseconds_of};
use super::options::Counted;
use super::plan::{Plan, Scenario};
use super::progress::Progress;
use super::report::{Phase, Report};
use super::score::Counts;
use super::shard::{Command, Duty, Event, Outcome, Part};
use super::shards::Shards;
use super::watch::KernelDrops;
use super::watcher::{Sample, Watcher};

/// A run that is under way.
#[derive(Debug)]
pub(crate) struct Conductor {
    shards: Shards,
    watcher: Watcher,
    progress: Progress,
    interrupted: Arc<AtomicBool>,
    phase: Phase,
    /// By shard, what it told last.
    counts: Vec<Counts>,
    outcomes: BTreeMap<usize, Outcome>,
    /// Shards that could not go on.
    failed: BTreeSet<usize>,
    /// How many shards have looked for who is connected no more.
    probed: usize,
    notes: Notes,
}

/// Whose use of the machine is watched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watched<'a> {
    pub(crate) pids: &'a [u32],
    pub(crate) syscalls: Counted,
}

/// What was noted on the way, for the report.
#[derive(Debug)]
pub(crate) struct Notes {
    pub(crate) plan: Plan,
    pub(crate) pids: Vec<u32>,
    /// Of each of these processes, its command line.
    pub(crate) commands: Vec<Vec<String>>,
    /// Their control groups, where these can be read, and whether the generator is in one.
    pub(crate) groups: (Vec<String>, bool),
    pub(crate) started_at: SystemTime,
    pub(crate) epoch_ns: u64,
    /// From the monotonic clock to the wall clock.
    pub(crate) wall_offset_ns: u64,
    pub(crate) connected_ns: u64,
    pub(crate) begin_ns: u64,
    pub(crate) measure_ns: u64,
    pub(crate) end_ns: u64,
    pub(crate) drained_ns: u64,
    pub(crate) before: Sample,
    pub(crate) connected: Sample,
    /// The kernel's objects for sockets before the first connection, and when all were connected.
    pub(crate) slab_bytes: (Option<u64>, Option<u64>),
    /// What was counted when all were connected.
    pub(crate) connected_counts: Counts,
    pub(crate) measured_from: Sample,
    pub(crate) measured_to: Sample,
    pub(crate) drops: Option<KernelDrops>,
    /// By second from the epoch.
    pub(crate) seconds: BTreeMap<u64, Second>,
    pub(crate) interrupted: bool,
    pub(crate) counting: Counting,
    /// Why parts of the generator could not go on.
    pub(crate) failures: Vec<String>,
    pub(crate) resident_max: u64,
    pub(crate) socket_memory_max: u64,
}

/// One second over all shards.
#[derive(Clone, Debug, Default)]
pub(crate) struct Second {
    pub(crate) counts: Counts,
    pub(crate) latencies: Latencies,
    pub(crate) cpu_ns: u64,
    /// How many shards have told of its end; who has passed it over tells of a later one.
    pub(crate) shards: usize,
    pub(crate) phase: Phase,
    pub(crate) server: Option<Sample>,
}

/// When the server's system calls are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Counting {
    /// In the warm-up: so many, once it is over.
    Warmup(Option<u64>),
    /// In samples, from the first connection on.
    Run,
    /// Not at all, and why.
    Untold(String),
}

impl Counting {
    fn start(plan: &Plan, when: Counted, watcher: &mut Watcher) -> Self {
        let untold = |why: &str| Self::Untold(why.to_owned());
        match when {
            Counted::Never => untold("--syscalls never"),
            Counted::Run => match watcher.count_syscalls() {
                Ok(()) => Self::Run,
                Err(why) => Self::Untold(why),
            },
            Counted::Warmup if !plan.scenario.has_traffic() => {
                untold("nothing is delivered here; --syscalls run counts those of connects")
            }
            Counted::Warmup if plan.warmup_seconds <= 0.0 => {
                untold("there is no --warmup to count them in")
            }
            Counted::Warmup => Self::Warmup(None),
        }
    }

    fn begin_warmup(&mut self, watcher: &mut Watcher) {
        if let Self::Warmup(_) = self
            && let Err(why) = watcher.count_syscalls()
        {
            *self = Self::Untold(why);
        }
    }

    fn end_warmup(&mut self, watcher: &mut Watcher) {
        if let Self::Warmup(count) = self {
            *count = watcher.take_syscalls();
        }
    }
}

impl Conductor {
    /// Starts the shards; nobody connects yet.
    pub(crate) fn start(
        plan: &Plan,
        server: Watched<'_>,
        token: Option<&str>,
        is_quiet: bool,
    ) -> io::Result<Self> {
        let Watched { pids, syscalls } = server;
        let mut watcher = Watcher::new(pids, plan.scenario.has_slow_readers())?;
        let counting = Counting::start(plan, syscalls, &mut watcher);
        let before = watcher.sample()?;
        let interrupted = Arc::new(AtomicBool::new(false));
        // Whoever asks for the end once more doesn't want to wait for a report.
        register_conditional_shutdown(SIGINT, INTERRUPTED_STATUS, Arc::clone(&interrupted))?;
        signal_hook::flag::register(SIGINT, Arc::clone(&interrupted))?;
        let mut notes = Notes::new(plan, pids, &watcher, before);
        notes.counting = counting;
        let shards = Shards::start(parts(plan), token)?;
        let counts = vec![Counts::default(); shards.len()];
        Ok(Self {
            shards,
            watcher,
            progress: Progress::new(plan, is_quiet),
            interrupted,
            phase: Phase::Connect,
            counts,
            outcomes: BTreeMap::new(),
            failed: BTreeSet::new(),
            probed: 0,
            notes,
        })
    }

    /// Leads the run to its end.
    pub(crate) fn run(mut self) -> io::Result<Report> {
        self.connect()?;
        if self.notes.plan.scenario == Scenario::Connect || self.total().connected == 0 {
            self.hold()?;
        } else {
            self.measure()?;
            self.drain()?;
            if self.notes.plan.scenario.has_slow_readers() {
                self.probe()?;
            }
        }
        self.finish()
    }

    fn connect(&mut self) -> io::Result<()> {
        let epoch_ns = monotonic_ns();
        self.notes.epoch_ns = epoch_ns;
        let wall_offset_ns = self.notes.wall_offset_ns;
        self.tell(&Command::Connect { epoch_ns, wall_offset_ns });
        let wanted = u64::from(self.notes.plan.clients);
        // Where nobody of the first came in, the next hundred thousand would wait as long, each.
        let first = wanted.min(u64::from(self.notes.plan.at_once));
        self.listen_until(u64::MAX, |counts| {
            let gone = counts.gone();
            counts.connected + gone >= wanted || (counts.connected == 0 && gone >= first)
        })?;
        self.notes.connected_ns = monotonic_ns();
        self.notes.connected = self.sample()?;
        self.notes.slab_bytes.1 = self.watcher.slab_bytes();
        self.notes.connected_counts = self.total();
        Ok(())
    }

    /// A moment in which what was just connected could still be lost.
    fn hold(&mut self) -> io::Result<()> {
        let notes = &mut self.notes;
        (notes.begin_ns, notes.measure_ns) = (notes.epoch_ns, notes.epoch_ns);
        (notes.end_ns, notes.drained_ns) = (notes.connected_ns, notes.connected_ns);
        notes.measured_from = notes.before.clone();
        notes.measured_to = notes.connected.clone();
        self.phase = Phase::Drain;
        let until_ns = monotonic_ns().saturating_add(SETTLE_NS);
        self.listen_until(until_ns, |_| false)
    }

    fn measure(&mut self) -> io::Result<()> {
        let plan = &self.notes.plan;
        let warmup_ns = nanoseconds_of(plan.warmup_seconds);
        let duration_ns = nanoseconds_of(plan.duration_seconds);
        // Joins, opens and what they set free come to rest before anything is judged.
        let settled_ns = monotonic_ns().saturating_add(SETTLE_NS);
        self.listen_until(settled_ns, |_| false)?;
        self.notes.connected = self.sample()?;
        self.notes.slab_bytes.1 = self.watcher.slab_bytes();
        let begin_ns = monotonic_ns().saturating_add(LEAD_NS);
        let measure_ns = begin_ns.saturating_add(warmup_ns);
        let end_ns = measure_ns.saturating_add(duration_ns);
        let cast = Cast::new(&self.notes.plan);
        let members = (0..cast.streams()).map(|stream| cast.members(stream)).collect();
        self.tell(&Command::Run { begin_ns, measure_ns, end_ns, members });
        self.phase = Phase::Warmup;
        self.notes.begin_ns = begin_ns;
        self.notes.counting.begin_warmup(&mut self.watcher);
        self.listen_until(measure_ns, |_| false)?;
        self.notes.counting.end_warmup(&mut self.watcher);
        self.phase = Phase::Measure;
        self.notes.measure_ns = measure_ns;
        self.notes.measured_from = self.sample()?;
        self.listen_until(end_ns, |_| false)?;
        self.notes.measured_to = self.sample()?;
        self.notes.end_ns = end_ns.min(monotonic_ns());
        Ok(())
    }

    /// Waits for what was sent and has not come, and for whoever is on the way.
    fn drain(&mut self) -> io::Result<()> {
        self.phase = Phase::Drain;
        let until_ns = monotonic_ns().saturating_add(nanoseconds_of(self.notes.plan.drain_seconds));
        let wanted = u64::from(self.notes.plan.clients);
        // Shards tell ten times a second: what they told before the end is not the whole.
        let told_ns = monotonic_ns().saturating_add(2 * TOLD_NS);
        self.listen_until(told_ns.min(until_ns), |_| false)?;
        self.listen_until(until_ns, |counts| {
            counts.received >= counts.expected && counts.connected + counts.gone() >= wanted
        })?;
        self.notes.drained_ns = monotonic_ns();
        // What comes twice comes late: everything there is to come has to be seen.
        let quiet_ns = self.notes.drained_ns.saturating_add(QUIET_NS);
        self.listen_until(quiet_ns, |_| false)
    }

    /// Finds out which of those that read slowly are connected no more.
    fn probe(&mut self) -> io::Result<()> {
        self.probed = 0;
        self.tell(&Command::Probe);
        let until_ns = monotonic_ns().saturating_add(FINISH_NS);
        while self.probed + self.failed.len() < self.shards.len() && monotonic_ns() < until_ns {
            self.listen(TICK)?;
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<Report> {
        self.tell(&Command::Finish);
        let until_ns = monotonic_ns().saturating_add(FINISH_NS);
        while !self.have_all_ended() {
            if monotonic_ns() > until_ns {
                return Err(io::Error::other("a part of the generator gave no outcome"));
            }
            self.listen(TICK)?;
        }
        self.progress.end();
        if self.outcomes.is_empty() {
            return Err(io::Error::other(self.notes.failures.join("; ")));
        }
        let Self { shards, watcher, outcomes, mut notes, interrupted, .. } = self;
        shards.join();
        notes.interrupted = interrupted.load(Ordering::Relaxed);
        notes.resident_max = watcher.resident_max;
        notes.socket_memory_max = watcher.socket_memory_max;
        let later = KernelDrops::take();
        notes.drops = notes.drops.zip(later).map(|(earlier, later)| later.since(&earlier));
        let outcomes: Vec<(usize, Outcome)> = outcomes.into_iter().collect();
        Ok(assemble(notes, &outcomes))
    }

    fn have_all_ended(&self) -> bool {
        let has_ended = |shard| self.outcomes.contains_key(&shard) || self.failed.contains(&shard);
        (0..self.shards.len()).all(has_ended)
    }

    /// Listens to the shards until a moment, or until something holds of their counts.
    fn listen_until(&mut self, until_ns: u64, holds: impl Fn(&Counts) -> bool) -> io::Result<()> {
        loop {
            let now = monotonic_ns();
            let is_over = self.interrupted.load(Ordering::Relaxed) || !self.failed.is_empty();
            if now >= until_ns || is_over {
                return Ok(());
            }
            if holds(&self.total()) {
                return Ok(());
            }
            self.listen(TICK.min(Duration::from_nanos(until_ns - now)))?;
        }
    }

    fn listen(&mut self, at_most: Duration) -> io::Result<()> {
        let (shard, event) = match self.shards.events().recv_timeout(at_most) {
            Ok(told) => told,
            Err(RecvTimeoutError::Timeout) => return self.look(),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("the generator's threads ended"));
            }
        };
        match event {
            Event::Progress(counts) => self.note_counts(shard, counts),
            Event::Second { second, counts, latencies, cpu_ns } => {
                let total = self.notes.seconds.entry(second).or_default();
                total.counts.merge(&counts);
                total.latencies.merge(&latencies);
                total.cpu_ns += cpu_ns;
                total.shards += 1;
                total.phase = self.phase;
            }
            Event::Outcome(outcome) => {
                self.outcomes.insert(shard, *outcome);
            }
            Event::Probed => self.probed += 1,
            Event::Failed(why) => self.note_failure(shard, &why),
        }
        self.look()
    }

    /// Tells all shards; who can't be told has failed.
    fn tell(&mut self, command: &Command) {
        for (shard, error) in self.shards.send(command) {
            self.note_failure(shard, &error.to_string());
        }
    }

    /// A shard that failed ends the run, and what the others have is still told.
    fn note_failure(&mut self, shard: usize, why: &str) {
        if self.outcomes.contains_key(&shard) || !self.failed.insert(shard) {
            return;
        }
        let who = match self.notes.plan.host_of(shard) {
            Some(host) => format!("part {shard} of the generator, at {host}, failed: {why}"),
            None => format!("part {shard} of the generator failed: {why}"),
        };
        self.notes.failures.push(who);
    }

    fn note_counts(&mut self, shard: usize, counts: Counts) {
        if let Some(slot) = self.counts.get_mut(shard) {
            *slot = counts;
        }
    }

    /// Samples the server once a second, and shows how far the run is.
    fn look(&mut self) -> io::Result<()> {
        let now = monotonic_ns();
        let second = now.saturating_sub(self.notes.epoch_ns) / 1_000_000_000;
        let is_sampled =
            self.notes.seconds.get(&second).is_some_and(|second| second.server.is_some());
        if self.notes.epoch_ns > 0 && !is_sampled {
            let sample = self.sample()?;
            self.notes.seconds.entry(second).or_default().server = Some(sample);
        }
        let latest = self.notes.seconds.range(..second).next_back().map(|(_, second)| second);
        let total = self.total();
        self.progress.show(now, self.phase, &self.notes, &total, latest);
        Ok(())
    }

    /// A server that has ended is told by its clients, and the run is invalid for them: its last
    /// sample stands.
    fn sample(&mut self) -> io::Result<Sample> {
        self.watcher.sample().or_else(|error| {
            let mut earlier =
                self.notes.seconds.values().rev().filter_map(|one| one.server.as_ref());
            match earlier.next() {
                Some(last) if self.total().gone() > 0 => Ok(last.clone()),
                _ => Err(error),
            }
        })
    }

    fn total(&self) -> Counts {
        let mut total = Counts::default();
        for counts in &self.counts {
            total.merge(counts);
        }
        total
    }
}

impl Notes {
    fn new(plan: &Plan, pids: &[u32], watcher: &Watcher, before: Sample) -> Self {
        Self {
            plan: plan.clone(),
            pids: pids.to_vec(),
            commands: watcher.commands(),
            groups: (watcher.groups.paths().to_vec(), watcher.groups.has_us()),
            started_at: SystemTime::now(),
            epoch_ns: 0,
            wall_offset_ns: wall_offset_ns(),
            connected_ns: 0,
            begin_ns: 0,
            measure_ns: 0,
            end_ns: 0,
            drained_ns: 0,
            before,
            connected: Sample::default(),
            slab_bytes: (watcher.slab_bytes(), None),
            connected_counts: Counts::default(),
            measured_from: Sample::default(),
            measured_to: Sample::default(),
            drops: KernelDrops::take(),
            seconds: BTreeMap::new(),
            interrupted: false,
            counting: Counting::Untold(String::new()),
            failures: Vec::new(),
            resident_max: 0,
            socket_memory_max: 0,
        }
    }
}

/// Who does what: the crowd in equal parts, and those that ask in a part of their own.
fn parts(plan: &Plan) -> Vec<Part> {
    let (crowd, askers) = plan.crowd();
    let shards = plan.shards.clamp(1, crowd.max(1));
    let run = fastrand::u32(1..);
    let part = |shard, first_client, clients, duty| Part {
        plan: plan.clone(),
        run,
        shard,
        shards,
        first_client,
        clients,
        duty,
    };
    let mut parts: Vec<Part> = (0..shards)
        .map(|shard| {
            let first = plan.first_client(shard);
            part(shard, first, plan.first_client(shard + 1) - first, Duty::Crowd)
        })
        .collect();
    if askers > 0 {
        parts.push(part(shards, crowd, askers, Duty::Ask));
    }
    parts
}

const TICK: Duration = Duration::from_millis(20);
/// How often a shard tells its counts.
const TOLD_NS: u64 = 50_000_000;
const SETTLE_NS: u64 = 500_000_000;
const QUIET_NS: u64 = 300_000_000;
/// From the command to the first send: time for the last shard to hear of it.
const LEAD_NS: u64 = 250_000_000;
const FINISH_NS: u64 = 60_000_000_000;
/// As shells have it: 128 and the number of the signal.
const INTERRUPTED_STATUS: i32 = 130;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::plan::tests::plan;

    #[test]
    fn system_calls_are_counted_in_the_warm_up_or_it_is_said_why_not() {
        let mut watcher = Watcher::new(&[], false).unwrap();
        let mut start = |line: &str, when| Counting::start(&plan(line), when, &mut watcher);
        assert_eq!(start("ack", Counted::Warmup), Counting::Warmup(None));
        let untold = [
            ("ack --warmup 0s", Counted::Warmup, "--warmup"),
            ("connect", Counted::Warmup, "--syscalls run"),
            ("ack", Counted::Never, "never"),
        ];
        for (line, when, word) in untold {
            let Counting::Untold(why) = start(line, when) else { panic!("{line}") };
            assert!(why.contains(word), "{line}: {why}");
        }
    }
}
