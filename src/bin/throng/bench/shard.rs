//! A shard: a part of the clients, driven by one event loop in a thread or in a process of its own.
//!
//! The conductor tells each shard what to do, and the shard tells how far it is; between processes
//! the same messages are lines of JSON.
//!
//! ```text
//! > {"connect":{..}}   < {"progress":{..}}   > {"run":{..}}   > "finish"   < {"outcome":{..}}
//! ```

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::client_latencies::ClientLatency;
use super::latency::Latencies;
use super::plan::Plan;
use super::schedule::Schedule;
use super::score::{Counts, Score};

/// What one shard has to do with the plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) plan: Plan,
    /// Told apart from other runs against the same server.
    pub(crate) run: u32,
    pub(crate) shard: u32,
    /// How many shards share the clients; those of askers are counted apart.
    pub(crate) shards: u32,
    /// Its clients are numbered from here on.
    pub(crate) first_client: u32,
    pub(crate) clients: u32,
    pub(crate) duty: Duty,
}

impl Part {
    /// When its connections are to begin, where there is a rate. Those who ask beside a crowd come
    /// in as long as it does, in their share of the rate.
    pub(crate) fn connect_schedule(&self, begin_ns: u64) -> Option<Schedule> {
        let Plan { connect_rate, connect_pacing, clients, seed, .. } = &self.plan;
        let (crowd, askers) = self.plan.crowd();
        let (seed, shard, shards, part) = match self.duty {
            Duty::Crowd => (*seed, self.shard, self.shards, crowd),
            Duty::Ask => (!*seed, 0, 1, askers),
        };
        let rate = (*connect_rate)? * f64::from(part) / f64::from((*clients).max(1));
        let schedule = Schedule::new(*connect_pacing, rate, begin_ns, seed)?;
        Some(schedule.part(shard, shards))
    }

    /// Whether it is to go before the others: askers have little to do, and on the processor of a
    /// crowd that has much, their waiting for it would be told as the server's.
    pub(crate) fn wants_precedence(&self) -> bool {
        self.duty == Duty::Ask && self.plan.pin.is_some()
    }
}

/// What the clients of a shard are there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Duty {
    /// What the scenario says.
    Crowd,
    /// Questions, while the others are broadcast to.
    Ask,
}

/// From the conductor to a shard.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Command {
    /// Connect all clients; the clock of the intervals begins. Nanoseconds of the monotonic clock,
    /// and from there to the wall clock, for all shards alike.
    Connect { epoch_ns: u64, wall_offset_ns: u64 },
    /// All are connected: send, from `begin_ns` to `end_ns`, measured from `measure_ns` on.
    Run {
        begin_ns: u64,
        measure_ns: u64,
        end_ns: u64,
        /// Recipients of each stream's events, over all shards.
        members: Vec<u64>,
    },
    /// Find out which of those that read slowly are connected no more.
    Probe,
    /// Tell the outcome and end.
    Finish,
}

/// From a shard to the conductor.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    /// The counts as they stand, ten times a second.
    Progress(Counts),
    /// What was until the end of a second, by its number from the epoch: of this second, and of
    /// those before it that were passed over.
    Second {
        second: u64,
        counts: Counts,
        latencies: Latencies,
        cpu_ns: u64,
    },
    /// Whoever was asked for a last sign has had the time to give it.
    Probed,
    Outcome(Box<Outcome>),
    /// The shard can't go on.
    Failed(String),
}

/// What a shard has to tell in the end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) score: Score,
    /// Of the measure that the run is looked at for first, client by client.
    #[serde(default)]
    pub(crate) clients: Vec<ClientLatency>,
    /// Processor time of its thread in the measured part.
    pub(crate) cpu_ns: u64,
    /// Most connections that one wait found ready.
    pub(crate) backlog_max: u64,
    /// The most that the wall clock was away from where it was in the beginning.
    pub(crate) step_ns_max: u64,
    /// Receipts that the kernel stamped.
    pub(crate) stamped: u64,
    /// Whether its thread went before those of the usual kind.
    #[serde(default)]
    pub(crate) went_first: bool,
}

/// Writes a message between processes.
pub(crate) fn write_line(out: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    out.write_all(&line)?;
    out.flush()
}
