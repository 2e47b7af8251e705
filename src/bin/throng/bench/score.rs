//! What a shard has counted and measured; shards' scores add up to the run's.
//!
//! ```text
//! {"counts":{"sent":50,"received":500000,..},"latencies":{"delivery":"HISTFAAA..",..},..}
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::by_measure::ByMeasure;
use super::latency::{Latencies, Measure};
use super::transports::Transport;

/// Counts, latencies and rounds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Score {
    pub(crate) counts: Counts,
    pub(crate) latencies: ByMeasure,
    /// Of a mix, what clients of each transport had; nothing where all speak alike.
    #[serde(default)]
    pub(crate) apart: BTreeMap<Transport, ByMeasure>,
    /// By stream and sequence number, the first of each stream.
    pub(crate) rounds: Vec<Vec<Round>>,
    /// Those behind them that are not complete yet.
    #[serde(skip)]
    later: BTreeMap<(usize, u32), Round>,
    /// Whether one shard sees all recipients, so that a round is over when they have it.
    #[serde(skip)]
    sees_all: bool,
    /// Whether there were broadcasts behind those that are kept whose recipients are in several
    /// shards: nobody can tell their first and last one.
    #[serde(default)]
    pub(crate) has_untold_rounds: bool,
    /// How connections ended or failed.
    pub(crate) failures: BTreeMap<String, u64>,
    /// When clients that read slowly saw their connections end: the first and the last of them,
    /// from the begin of the traffic.
    #[serde(default)]
    pub(crate) slow_ended_ns: Option<(u64, u64)>,
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
    /// Broadcasts that came to the client that had sent them.
    #[serde(default)]
    pub(crate) own_received: u64,
    /// Connects at a rate that waited until one of those on their way was over.
    #[serde(default)]
    pub(crate) connects_waited: u64,
    pub(crate) received_bytes: u64,
    /// Received before the measured part, by whomever.
    #[serde(default)]
    pub(crate) warmup_received: u64,
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
    pub(crate) fn new(sees_all: bool) -> Self {
        Self { sees_all, ..Self::default() }
    }

    pub(crate) fn record(&mut self, measure: Measure, nanoseconds: u64) {
        self.latencies.record(measure, nanoseconds);
    }

    /// The same of one transport of a mix.
    pub(crate) fn record_apart(
        &mut self,
        transport: Transport,
        measure: Measure,
        nanoseconds: u64,
    ) {
        self.apart.entry(transport).or_default().record(measure, nanoseconds);
    }

    /// Takes down one receipt of a broadcast; answers how many it has had.
    pub(crate) fn note_round(
        &mut self,
        (stream, sequence): (usize, u32),
        intended_ns: u64,
        received_ns: u64,
    ) -> u64 {
        let seen = Round { intended_ns, first_ns: received_ns, last_ns: received_ns, received: 1 };
        let place = usize::try_from(sequence).unwrap_or(usize::MAX);
        if place >= if self.sees_all { ROUNDS_KEPT } else { ROUNDS_KEPT_APART } {
            if !self.sees_all {
                self.has_untold_rounds = true;
                return 0;
            }
            // Of those that never get complete, as many are as are lost.
            if self.later.len() >= ROUNDS_OPEN_MAX {
                self.later.pop_first();
            }
            let round = self.later.entry((stream, sequence)).or_default();
            round.merge(&seen);
            return round.received;
        }
        if self.rounds.len() <= stream {
            self.rounds.resize_with(stream + 1, Vec::new);
        }
        let Some(rounds) = self.rounds.get_mut(stream) else { return 0 };
        if rounds.len() <= place {
            rounds.resize(place + 1, Round::default());
        }
        let Some(round) = rounds.get_mut(place) else { return 0 };
        round.merge(&seen);
        round.received
    }

    /// A broadcast has reached everybody: what is not kept is recorded now or never.
    pub(crate) fn complete_round(&mut self, round: (usize, u32), is_measured: bool) {
        let Some(round) = self.later.remove(&round) else { return };
        if is_measured {
            self.record(Measure::FirstRecipient, round.first_ns.saturating_sub(round.intended_ns));
            self.record(Measure::LastRecipient, round.last_ns.saturating_sub(round.intended_ns));
        }
    }

    pub(crate) fn note_slow_end(&mut self, (first_ns, last_ns): (u64, u64)) {
        let known = self.slow_ended_ns.unwrap_or((first_ns, last_ns));
        self.slow_ended_ns = Some((known.0.min(first_ns), known.1.max(last_ns)));
    }

    pub(crate) fn note_failure(&mut self, what: impl Into<String>) {
        *self.failures.entry(what.into()).or_default() += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.counts.merge(&other.counts);
        self.has_untold_rounds |= other.has_untold_rounds;
        self.latencies.merge(&other.latencies);
        for (transport, theirs) in &other.apart {
            self.apart.entry(*transport).or_default().merge(theirs);
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
        if let Some(ended_ns) = other.slow_ended_ns {
            self.note_slow_end(ended_ns);
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
            own_received,
            connects_waited,
            received_bytes,
            warmup_received,
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
        self.own_received += own_received;
        self.connects_waited += connects_waited;
        self.received_bytes += received_bytes;
        self.warmup_received += warmup_received;
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

/// Broadcasts of one stream that are kept one by one: more than a quarter of an hour at a thousand
/// a second. Of later ones only the open ones are, where one shard sees all their recipients.
const ROUNDS_KEPT: usize = 1_000_000;
/// The same where it doesn't, and nothing can be told of later ones.
pub(crate) const ROUNDS_KEPT_APART: usize = 4_000_000;
const ROUNDS_OPEN_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broadcast_behind_those_that_are_kept_is_told_when_it_is_complete() {
        let mut score = Score::new(true);
        let late = u32::try_from(ROUNDS_KEPT).unwrap() + 7;
        assert_eq!(score.note_round((0, late), 100, 150), 1);
        assert_eq!(score.note_round((0, late), 100, 130), 2);
        score.complete_round((0, late), true);
        assert_eq!(score.note_round((0, late + 1), 200, 210), 1, "it begins anew");
        score.complete_round((0, late + 1), false);
        assert!(score.later.is_empty() && score.rounds.is_empty());
        let first = &score.latencies[&Measure::FirstRecipient];
        let last = &score.latencies[&Measure::LastRecipient];
        assert_eq!((first.count(), first.max_ns()), (1, 30));
        assert_eq!((last.count(), last.max_ns()), (1, 50));
        assert!(!score.has_untold_rounds);
    }

    #[test]
    fn shards_that_see_a_part_of_the_recipients_say_what_they_cannot_tell() {
        let mut score = Score::new(false);
        let late = u32::try_from(ROUNDS_KEPT_APART).unwrap();
        assert_eq!(score.note_round((0, late), 100, 150), 0);
        assert!(score.has_untold_rounds && score.later.is_empty());
    }
}
