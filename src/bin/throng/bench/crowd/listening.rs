//! What the clients of a shard hear: each packet is known by its mark, judged by the ledger, and
//! its latency taken from the kernel's stamp.
//!
//! ```text
//! 2["chat","~tb1.."]   a delivery        37["~tb1.."]   an answer        2["users",12]   not ours
//! ```

use std::ops::Range;

use super::cast::{Cast, Temper};
use crate::bench::client_latencies::ClientLatencies;
use crate::bench::clock::wall_ns;
use crate::bench::latency::{Latencies, Measure};
use crate::bench::ledger::{Ledger, Receipt};
use crate::bench::payload::{self, Mark, Unmarked};
use crate::bench::score::Score;
use crate::bench::shard::Part;
use crate::bench::transports::Transport;

/// Everything that is taken down about what was received.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(crate) score: Score,
    /// Of the shard's first measure, since the last second.
    pub(crate) second: Latencies,
    /// Of the first measure where that is a delivery or a round trip.
    pub(crate) clients: ClientLatencies,
    pub(crate) stamped: u64,
    /// What the run is looked at for first.
    first_measure: Measure,
    run: u32,
    /// Whether broadcasts are sent by the clock that stamps receipts here.
    shares_clock: bool,
    payload_bytes: usize,
    first_client: u32,
    /// Recipients of each stream's events, over all shards.
    members_of: Vec<u64>,
    deliveries: Ledger,
    answers: Ledger,
    /// Intended sends that count, by the wall clock.
    measured: Range<u64>,
    /// Where the last payload began: most begin there.
    usual_at: usize,
    /// Most deliveries are of the broadcast that the one before was of.
    last: Option<(Vec<u8>, Mark)>,
}

/// What is to follow from a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Not ours, or nothing follows.
    Nothing,
    Delivery {
        stream: u32,
        /// Whether everybody has it by now, as far as this shard sees.
        is_last: bool,
    },
    Answer,
}

/// When something was received, by the wall clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) kernel_ns: Option<u64>,
    pub(crate) user_ns: u64,
}

impl Stamp {
    pub(crate) fn new(kernel_ns: Option<u64>) -> Self {
        Self { kernel_ns, user_ns: wall_ns() }
    }

    pub(crate) fn received_ns(self) -> u64 {
        self.kernel_ns.unwrap_or(self.user_ns)
    }
}

impl Listening {
    pub(crate) fn new(part: &Part, clients: Range<u32>, cast: &Cast) -> Self {
        let count = clients.len();
        let Part { plan, run, shard, .. } = part;
        Self {
            score: Score::new(plan.is_one_shard()),
            second: Latencies::default(),
            clients: ClientLatencies::new(count),
            stamped: 0,
            first_measure: plan.scenario.first_measure(),
            run: *run,
            shares_clock: plan.shares_clock_with_sender(*shard),
            payload_bytes: plan.payload_bytes,
            first_client: clients.start,
            members_of: (0..cast.streams()).map(|stream| cast.members(stream)).collect(),
            deliveries: Ledger::new(count, cast.streams_per_client()),
            answers: Ledger::new(count, 1),
            measured: u64::MAX..u64::MAX,
            usual_at: 0,
            last: None,
        }
    }

    /// From now on, intended sends within these moments of the wall clock are measured.
    pub(crate) fn measure(&mut self, moments: Range<u64>) {
        self.measured = moments;
    }

    /// Whether a moment of the wall clock is in the measured part.
    pub(crate) fn is_measured(&self, moment_ns: u64) -> bool {
        self.measured.contains(&moment_ns)
    }

    /// A client comes back: what it hears from now on begins anywhere.
    pub(crate) fn restart(&mut self, client: u32) {
        let receiver = self.receiver(client);
        self.score.counts.passed_over += self.deliveries.restart(receiver);
    }

    /// What clients that come and go have missed in their present sessions.
    pub(crate) fn settle(&mut self, passing: Range<u32>) {
        for client in passing {
            self.score.counts.passed_over += self.deliveries.missed(self.receiver(client));
        }
    }

    /// Takes a message that may hold a mark.
    pub(crate) fn hear(&mut self, cast: &Cast, client: u32, message: &[u8], stamp: Stamp) -> Heard {
        let mark = match self.read_mark(message) {
            Ok(mark) => mark,
            Err(Unmarked::Absent) => return Heard::Nothing,
            Err(Unmarked::Corrupted) => {
                self.score.counts.corrupted += 1;
                return Heard::Nothing;
            }
        };
        let run = if mark.stream == ANSWERS { run_of(self.run, client) } else { self.run };
        if mark.run != run {
            self.score.counts.stray += 1;
            return Heard::Nothing;
        }
        if mark.stream == ANSWERS {
            return self.hear_answer(cast, client, &mark, stamp);
        }
        self.hear_delivery(cast, client, &mark, stamp)
    }

    fn read_mark(&mut self, message: &[u8]) -> Result<Mark, Unmarked> {
        let at = payload::find(message, self.usual_at).ok_or(Unmarked::Absent)?;
        self.usual_at = at;
        let payload = message.get(at..).unwrap_or_default();
        let length = self.payload_bytes.max(payload::MARK_BYTES);
        let (payload, rest) = payload.split_at_checked(length).ok_or(Unmarked::Corrupted)?;
        // A payload that has grown ends neither with its string nor with its message.
        if rest.first().is_some_and(|byte| *byte != b'"') {
            return Err(Unmarked::Corrupted);
        }
        if let Some((bytes, mark)) = &self.last
            && bytes.as_slice() == payload
        {
            return Ok(*mark);
        }
        let mark = Mark::read(payload, length)?;
        let (bytes, last) = self.last.get_or_insert_with(|| (Vec::new(), mark));
        bytes.clear();
        bytes.extend_from_slice(payload);
        *last = mark;
        Ok(mark)
    }

    fn hear_delivery(&mut self, cast: &Cast, client: u32, mark: &Mark, stamp: Stamp) -> Heard {
        let stream = u32::from(mark.stream);
        let place = cast.place(client, stream).filter(|_| !cast.is_excluded(client, stream));
        let Some(place) = place else {
            self.score.counts.stray += 1;
            return Heard::Nothing;
        };
        let receipt = self.deliveries.receive(self.receiver(client), place, mark.sequence);
        if !self.count(receipt, cast.temper(client), stamp) {
            return Heard::Nothing;
        }
        if !self.shares_clock {
            return Heard::Delivery { stream, is_last: false };
        }
        self.score.counts.own_received += u64::from(client == cast.sender(stream));
        let is_measured = self.is_measured(mark.intended_ns);
        if is_measured {
            let measures =
                [Measure::Delivery, Measure::DeliveryUserSpace, Measure::DeliveryUncorrected];
            self.record(cast, client, mark, stamp, measures);
        }
        let round = (usize::from(mark.stream), mark.sequence);
        let members = self.members_of.get(usize::from(mark.stream)).copied().unwrap_or(0);
        let received = self.score.note_round(round, mark.intended_ns, stamp.received_ns());
        let is_last = received == members;
        if is_last {
            self.score.complete_round(round, is_measured);
        }
        Heard::Delivery { stream, is_last }
    }

    fn hear_answer(&mut self, cast: &Cast, client: u32, mark: &Mark, stamp: Stamp) -> Heard {
        let receipt = self.answers.receive(self.receiver(client), 0, mark.sequence);
        if !self.count(receipt, Temper::Steady, stamp) {
            return Heard::Nothing;
        }
        if self.is_measured(mark.intended_ns) {
            let measures =
                [Measure::RoundTrip, Measure::RoundTripUserSpace, Measure::RoundTripUncorrected];
            self.record(cast, client, mark, stamp, measures);
        }
        Heard::Answer
    }

    /// Whether it is a first receipt that somebody waits for.
    fn count(&mut self, receipt: Receipt, temper: Temper, stamp: Stamp) -> bool {
        // By its receipt: what an overloaded server delivers after the measured part is neither a
        // rate that it has reached nor the work of the processor time that is watched.
        let is_measured = self.is_measured(stamp.received_ns());
        let is_early = stamp.received_ns() < self.measured.start;
        let counts = &mut self.score.counts;
        match receipt {
            Receipt::Next | Receipt::Early => {}
            Receipt::Late => counts.reordered += 1,
            Receipt::Duplicate => counts.duplicated += 1,
            Receipt::Stray => counts.stray += 1,
        }
        if matches!(receipt, Receipt::Duplicate | Receipt::Stray) {
            return false;
        }
        // Whoever got it, the server has worked for it.
        counts.measured_received += u64::from(is_measured);
        counts.warmup_received += u64::from(is_early);
        match temper {
            Temper::Steady => counts.received += 1,
            Temper::Slow => counts.slow_received += 1,
            Temper::Passing => {}
        }
        temper == Temper::Steady
    }

    fn record(
        &mut self,
        cast: &Cast,
        client: u32,
        mark: &Mark,
        stamp: Stamp,
        [first, user, uncorrected]: [Measure; 3],
    ) {
        let received_ns = stamp.received_ns();
        let latency_ns = received_ns.saturating_sub(mark.intended_ns);
        self.record_first(first, latency_ns, cast.apart(client));
        if first == self.first_measure {
            self.clients.record(self.receiver(client), latency_ns);
        }
        self.score.record(uncorrected, received_ns.saturating_sub(mark.sent_ns));
        if let Some(kernel_ns) = stamp.kernel_ns {
            self.score.record(user, stamp.user_ns.saturating_sub(mark.intended_ns));
            self.score.record(Measure::ReceiveLag, stamp.user_ns.saturating_sub(kernel_ns));
        }
    }

    /// Records what may be the measure that the run is looked at for, of a mix of transports for
    /// one of them apart too.
    pub(crate) fn record_first(
        &mut self,
        measure: Measure,
        latency_ns: u64,
        apart: Option<Transport>,
    ) {
        self.score.record(measure, latency_ns);
        if let Some(transport) = apart {
            self.score.record_apart(transport, measure, latency_ns);
        }
        if measure == self.first_measure {
            self.second.record(latency_ns);
        }
    }

    fn receiver(&self, client: u32) -> usize {
        usize::try_from(client.saturating_sub(self.first_client)).unwrap_or(usize::MAX)
    }
}

/// The number that a client's questions carry for the run: an answer that comes to somebody else
/// would be of the same stream, and often of the number that is awaited there.
pub(crate) fn run_of(run: u32, client: u32) -> u32 {
    run ^ client
}

/// The stream of what clients ask and are answered.
pub(crate) const ANSWERS: u16 = u16::MAX;
