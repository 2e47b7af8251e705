//! What a shard has counted and measured; shards' scores add up to the run's.
//!
//! ```text
//! {"counts":{"sent":50,"received":500000,..},"latencies":{"delivery":"HISTFAAA..",..},..}
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::latency::{Latencies, Measure};

/// Counts, latencies and rounds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Score {
    pub(crate) counts: Counts,
    pub(crate) latencies: BTreeMap<Measure, Latencies>,
    /// By stream and sequence number.
    pub(crate) rounds: Vec<Vec<Round>>,
    /// How connections ended or failed.
    pub(crate) failures: BTreeMap<String, u64>,
}

/// Counts of the whole run, warm-up included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Connected now.
    pub(crate) connected: u64,
    /// Attempts of the connect phase that failed.
    pub(crate) failed: u64,
    /// Ended without our asking.
    pub(crate) lost: u64,
    /// Of those that read slowly on purpose.
    pub(crate) slow_lost: u64,
    pub(crate) reconnected: u64,
    /// Stayed on long-polling, as their upgrade was refused.
    pub(crate) not_upgraded: u64,
    pub(crate) pings: u64,
    pub(crate) sent: u64,
    /// Deliveries or answers that what was sent has to bring.
    pub(crate) expected: u64,
    pub(crate) unsent: u64,
    pub(crate) received: u64,
    pub(crate) duplicated: u64,
    pub(crate) reordered: u64,
    pub(crate) corrupted: u64,
    pub(crate) stray: u64,
    /// Passed over in the sessions of clients that come and go.
    pub(crate) passed_over: u64,
    pub(crate) slow_received: u64,
    pub(crate) received_bytes: u64,
    /// Due in the measured part.
    pub(crate) measured_sent: u64,
    /// Received in the measured part, whenever it was due.
    pub(crate) measured_received: u64,
}

/// One broadcast, as far as one shard or all of them saw it; nanoseconds of the wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Round {
    pub(crate) intended_ns: u64,
    /// Receipt by the first recipient.
    pub(crate) first_ns: u64,
    /// Receipt by the last recipient.
    pub(crate) last_ns: u64,
    pub(crate) received: u64,
}

impl Score {
    pub(crate) fn record(&mut self, measure: Measure, nanoseconds: u64) {
        self.latencies.entry(measure).or_default().record(nanoseconds);
    }

    /// Takes down one receipt of a broadcast.
    pub(crate) fn note_round(
        &mut self,
        (stream, sequence): (usize, u32),
        intended_ns: u64,
        received_ns: u64,
    ) {
        let sequence = usize::try_from(sequence).unwrap_or(usize::MAX);
        if stream >= STREAMS_MAX || sequence >= ROUNDS_MAX {
            return;
        }
        if self.rounds.len() <= stream {
            self.rounds.resize_with(stream + 1, Vec::new);
        }
        let Some(rounds) = self.rounds.get_mut(stream) else { return };
        if rounds.len() <= sequence {
            rounds.resize(sequence + 1, Round::default());
        }
        if let Some(round) = rounds.get_mut(sequence) {
            let seen =
                Round { intended_ns, first_ns: received_ns, last_ns: received_ns, received: 1 };
            round.merge(&seen);
        }
    }

    /// How many have received a broadcast.
    pub(crate) fn received_of(&self, stream: usize, sequence: u32) -> u64 {
        let sequence = usize::try_from(sequence).unwrap_or(usize::MAX);
        let rounds = self.rounds.get(stream);
        rounds.and_then(|rounds| rounds.get(sequence)).map_or(0, |round| round.received)
    }

    pub(crate) fn note_failure(&mut self, what: impl Into<String>) {
        *self.failures.entry(what.into()).or_default() += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.counts.merge(&other.counts);
        for (measure, latencies) in &other.latencies {
            self.latencies.entry(*measure).or_default().merge(latencies);
        }
        if self.rounds.len() < other.rounds.len() {
            self.rounds.resize_with(other.rounds.len(), Vec::new);
        }
        for (ours, theirs) in self.rounds.iter_mut().zip(&other.rounds) {
            if ours.len() < theirs.len() {
                ours.resize(theirs.len(), Round::default());
            }
            for (ours, theirs) in ours.iter_mut().zip(theirs) {
                ours.merge(theirs);
            }
        }
        for (what, count) in &other.failures {
            *self.failures.entry(what.clone()).or_default() += count;
        }
    }
}

impl Counts {
    /// Who is neither connected nor on the way, and doesn't come back by itself.
    pub(crate) fn gone(&self) -> u64 {
        self.failed + self.lost + self.slow_lost
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        let Self {
            connected,
            failed,
            lost,
            slow_lost,
            reconnected,
            not_upgraded,
            pings,
            sent,
            expected,
            unsent,
            received,
            duplicated,
            reordered,
            corrupted,
            stray,
            passed_over,
            slow_received,
            received_bytes,
            measured_sent,
            measured_received,
        } = other;
        self.connected += connected;
        self.failed += failed;
        self.lost += lost;
        self.slow_lost += slow_lost;
        self.reconnected += reconnected;
        self.not_upgraded += not_upgraded;
        self.pings += pings;
        self.sent += sent;
        self.expected += expected;
        self.unsent += unsent;
        self.received += received;
        self.duplicated += duplicated;
        self.reordered += reordered;
        self.corrupted += corrupted;
        self.stray += stray;
        self.passed_over += passed_over;
        self.slow_received += slow_received;
        self.received_bytes += received_bytes;
        self.measured_sent += measured_sent;
        self.measured_received += measured_received;
    }
}

impl Round {
    fn merge(&mut self, other: &Self) {
        if other.received == 0 {
            return;
        }
        if self.received == 0 {
            *self = *other;
            return;
        }
        self.first_ns = self.first_ns.min(other.first_ns);
        self.last_ns = self.last_ns.max(other.last_ns);
        self.received += other.received;
    }
}

impl Serialize for Latencies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.encode())
    }
}

impl<'de> Deserialize<'de> for Latencies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::decode(&text).ok_or_else(|| serde::de::Error::custom("no histogram"))
    }
}

const STREAMS_MAX: usize = 65_536;
/// Broadcasts of one stream whose completion is known: more than an hour at a thousand a second.
const ROUNDS_MAX: usize = 4_000_000;
