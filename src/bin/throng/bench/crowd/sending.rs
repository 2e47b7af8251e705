//! What a crowd does when it is due: connects, sends, departures and slow reads.
//!
//! ```text
//! act(now): connect client 17 · broadcast 6 · client 812 leaves · client 990 reads 1,000 bytes
//! ```

use std::io;

use super::listening::run_of;
use super::{
    Attempt, Cause, Crowd, Due, Lane, Measure, MeasuredCpu, Output, Ping, Sends, Stage, Temper,
    nanoseconds_of,
};
use crate::bench::client::Ending;
use crate::bench::plan::{Pacing, Scenario};
use crate::bench::shard::Event;
use crate::bench::transports::Transport;

impl Crowd {
    /// Does all that is due.
    pub(super) fn act(&mut self, now: u64) {
        while let Some(due) = self.connects.next_due(now) {
            // Of many that are due, the last begins later than the first.
            let now = self.clock.refresh();
            self.connect(due, now);
        }
        while let Some(attempt) = self.connects.next_expired(now) {
            self.expire(attempt);
        }
        for _ in 0..SENDS_PER_LOOK {
            let Some(ping) = self.pings.next_due(now) else { break };
            self.ping(ping);
        }
        // A schedule beyond what can be sent would never let anything be read, nor the run end.
        for _ in 0..SENDS_PER_LOOK {
            let intended_ns = self.traffic.next_send_at();
            if intended_ns > now {
                break;
            }
            self.traffic.advance_sends();
            if let Some(turn) = self.traffic.take_turn() {
                // Of many that are due, the last is sent later than the first.
                let now = self.clock.refresh();
                self.send(turn, intended_ns, now);
            }
        }
        while self.traffic.next_departure_at() <= now {
            let intended_ns = self.traffic.next_departure_at();
            self.traffic.advance_departures();
            self.depart(intended_ns);
        }
        if self.closed_begin_ns <= now {
            self.begin_closed();
        }
        if self.slow_read_ns <= now {
            self.slow_read_ns = now.saturating_add(SLOW_READ_NS);
            self.read_slowly();
        }
    }

    pub(super) fn begin_run(
        &mut self,
        begin_ns: u64,
        measure_ns: u64,
        end_ns: u64,
        members: Vec<u64>,
    ) {
        // What others send meanwhile would be received, and not measured.
        if self.clock.refresh() > begin_ns {
            let why = "a part of the generator began too late: the machine is too busy";
            (self.events)(Event::Failed(why.to_owned()));
        }
        self.window.begin_ns = begin_ns;
        self.window.measure_ns = measure_ns;
        self.window.end_ns = end_ns;
        self.window.cpu = MeasuredCpu::Before;
        self.members_of = members;
        let clock = self.clock;
        self.listening.measure(clock.to_wall(measure_ns)..clock.to_wall(end_ns));
        self.traffic.begin(&self.part, begin_ns, measure_ns, end_ns);
        if self.has_slow_readers() {
            self.slow_read_ns = begin_ns;
        }
        if let Pacing::Closed { .. } = self.traffic.pacing {
            self.closed_begin_ns = begin_ns;
        }
    }

    /// The first sends of a closed loop; answers bring about all others.
    fn begin_closed(&mut self) {
        self.closed_begin_ns = u64::MAX;
        let Pacing::Closed { in_flight } = self.traffic.pacing else { return };
        let turns = match self.traffic.sends {
            Sends::Nothing => 0,
            Sends::Broadcasts => self.cast.streams(),
            Sends::Echoes | Sends::Acks => self.part.clients,
        };
        for turn in 0..turns {
            for _ in 0..in_flight {
                self.send_now(turn);
            }
        }
    }

    /// Sends at once, in a closed loop.
    pub(super) fn send_now(&mut self, turn: u32) {
        let now = self.clock.refresh();
        if !self.traffic.is_over(now) {
            self.send(turn, now, now);
        }
    }

    /// Sends what a client or stream has to send next.
    fn send(&mut self, turn: u32, intended_ns: u64, now: u64) {
        let sender = match self.traffic.sends {
            // A room's events come from one client, so that they have one order.
            Sends::Broadcasts => turn % self.part.clients.max(1),
            _ => turn,
        };
        let sender = usize::try_from(sender).unwrap_or(usize::MAX);
        if !self.can_send(sender) {
            self.listening.score.counts.unsent += 1;
            return;
        }
        let times = (self.clock.to_wall(intended_ns), self.clock.to_wall(now));
        let run = match self.traffic.sends {
            Sends::Broadcasts => self.part.run,
            _ => run_of(self.part.run, self.part.first_client.saturating_add(turn)),
        };
        let Some(send) = self.traffic.take(turn, run, times) else { return };
        let is_measured = self.listening.is_measured(times.0);
        let recipients = match self.traffic.sends {
            Sends::Broadcasts => {
                let stream = usize::try_from(turn).unwrap_or(usize::MAX);
                self.members_of.get(stream).copied().unwrap_or(0)
            }
            _ => 1,
        };
        let score = &mut self.listening.score;
        score.counts.sent += 1;
        score.counts.expected += recipients;
        if is_measured {
            score.counts.measured_sent += 1;
            score.record(Measure::ScheduleLag, now.saturating_sub(intended_ns));
        }
        if let Some(member) = self.members.get_mut(sender) {
            let attachment = send.attachment.as_deref();
            member.client.send(&self.dialect, &send.packet, attachment, &mut self.outputs);
            self.perform(sender);
        }
    }

    /// Whether a client is there and what it sent before is gone.
    fn can_send(&self, sender: usize) -> bool {
        self.members.get(sender).is_some_and(|member| {
            let unwritten: usize =
                member.lanes.iter().flatten().map(|key| self.links.waiting_bytes(*key)).sum();
            let waiting = unwritten.saturating_add(member.client.waiting_bytes());
            member.stage == Stage::Present && waiting < WAITING_BYTES_MAX
        })
    }

    fn connect(&mut self, due: Due, now: u64) {
        let Due { attempt, intended_ns, cause } = due;
        let score = &mut self.listening.score;
        match cause {
            Cause::Schedule => {
                score.record(Measure::ConnectLag, now.saturating_sub(intended_ns));
            }
            Cause::Room => score.counts.connects_waited += 1,
            Cause::Order => {}
        }
        let index = self.index_of(attempt.client);
        let Some(member) = self.members.get_mut(index) else { return };
        member.stage = Stage::Connecting;
        // In a closed loop nobody intends anything before there is room.
        let is_closed = cause == Cause::Order && attempt.intended_ns.is_none();
        member.intended_ns = if is_closed { now } else { intended_ns };
        member.started_ns = now;
        member.attempt = attempt.number;
        member.client.connect(&mut self.outputs);
        self.perform(index);
    }

    /// The time of an attempt is over; most have come to their end long before.
    fn expire(&mut self, attempt: Attempt) {
        let index = self.index_of(attempt.client);
        let is_late = self.members.get(index).is_some_and(|member| {
            member.attempt == attempt.number
                && matches!(member.stage, Stage::Connecting | Stage::Entering)
        });
        if is_late {
            self.end(index, &Ending::TimedOut);
        }
    }

    /// A client goes and comes back, or in a storm all of them.
    fn depart(&mut self, intended_ns: u64) {
        if self.part.plan.scenario == Scenario::Storm {
            self.traffic.end_departures();
            self.connects.open_gates();
            for client in self.clients() {
                self.leave(client);
            }
            for client in self.clients() {
                self.come_back(client, intended_ns);
            }
            return;
        }
        let passing = self.passing_here();
        let count = passing.end.saturating_sub(passing.start);
        if count == 0 {
            return;
        }
        let client = passing.start + self.departed % count;
        self.departed = (self.departed + 1) % count;
        if self.leave(client) {
            self.come_back(client, intended_ns);
        } else {
            self.listening.score.counts.unsent += 1;
        }
    }

    /// Closes a client's connections; false if it is still on its way in.
    fn leave(&mut self, client: u32) -> bool {
        let index = self.index_of(client);
        let Some(member) = self.members.get_mut(index) else { return false };
        if member.stage != Stage::Present {
            return false;
        }
        member.stage = Stage::Away;
        let lanes = std::mem::take(&mut member.lanes);
        for key in lanes.into_iter().flatten() {
            self.links.close(key);
        }
        self.listening.score.counts.connected -= 1;
        self.listening.restart(client);
        true
    }

    fn come_back(&mut self, client: u32, intended_ns: u64) {
        let index = self.index_of(client);
        let Some(member) = self.members.get_mut(index) else { return };
        if member.stage == Stage::Away {
            member.attempt = member.attempt.wrapping_add(1);
            let number = member.attempt;
            self.connects.push(Attempt { client, number, intended_ns: Some(intended_ns) });
        }
    }

    /// The end of a connection waits in the server's kernel behind everything that was not read, so
    /// that who doesn't read never sees it. A pong that nobody asked for means nothing to a server
    /// that is still there; one that is gone answers it with a reset.
    pub(super) fn probe_slow(&mut self) {
        self.is_probed = true;
        self.probed_ns = self.clock.refresh().saturating_add(PROBE_NS);
        for client in self.clients() {
            let index = self.index_of(client);
            let Some(member) = self.members.get(index) else { return };
            let lane = member.client.event_lane();
            let is_asked = self.cast.temper(client) == Temper::Slow
                && member.stage == Stage::Present
                && self.cast.transport(client) != Transport::Polling;
            if let Some(key) = self.key_of(index, lane).filter(|_| is_asked)
                && let Err(error) = self.links.write(key, &UNASKED_PONG)
            {
                self.lose(index, lane, Ending::Broken(error.kind()));
            }
        }
    }

    fn read_slowly(&mut self) {
        let Scenario::Slow { read_bytes_per_second, .. } = self.part.plan.scenario else { return };
        if read_bytes_per_second == 0 {
            self.slow_read_ns = u64::MAX;
            return;
        }
        let bytes = read_bytes_per_second.saturating_mul(SLOW_READ_NS) / nanoseconds_of(1.0);
        let bytes = usize::try_from(bytes.max(1)).unwrap_or(usize::MAX);
        for client in self.clients() {
            if self.cast.temper(client) == Temper::Slow {
                let index = self.index_of(client);
                let lane = self.members.get(index).map(|member| member.client.event_lane());
                if let Some(key) = lane.and_then(|lane| self.key_of(index, lane)) {
                    self.read_some(key, bytes);
                }
            }
        }
    }

    /// Where the protocol has clients ping, unless this one has gone.
    fn ping(&mut self, ping: Ping) {
        let index = self.index_of(ping.client);
        let Some(member) = self.members.get_mut(index) else { return };
        if member.attempt == ping.attempt && member.stage != Stage::Away {
            member.pulse.ask();
            member.client.ping(&self.dialect, &mut self.outputs);
            self.perform(index);
        }
    }

    /// A server of which no ping or pong was heard for too long is gone, whatever its connection
    /// says.
    pub(super) fn leave_silent_servers(&mut self, now: u64) {
        for index in 0..self.members.len() {
            let Some(member) = self.members.get(index) else { return };
            let is_silent = member.pulse.is_silent(now, GRACE_NS);
            let client = self.client_of(index);
            // Who reads slowly may have pings that it has not read yet.
            let reads = self.cast.temper(client) != Temper::Slow;
            if is_silent && reads && member.stage == Stage::Present {
                self.end(index, &Ending::Silent);
            }
        }
    }

    fn has_slow_readers(&self) -> bool {
        matches!(self.part.plan.scenario, Scenario::Slow { .. })
    }

    /// Does what a client's machine has asked for.
    pub(super) fn perform(&mut self, index: usize) {
        let mut outputs = std::mem::take(&mut self.outputs);
        for output in outputs.drain(..) {
            let (lane, done) = match output {
                Output::Open(lane) => (lane, self.open(index, lane)),
                Output::Write(lane, bytes) => match self.key_of(index, lane) {
                    Some(key) => (lane, self.links.write(key, &bytes)),
                    None => continue,
                },
                Output::Close(lane) => {
                    self.close_lane(index, lane);
                    continue;
                }
            };
            if let Err(error) = done {
                self.lose(index, lane, Ending::Broken(error.kind()));
                if self.members.get(index).is_some_and(|member| member.stage == Stage::Away) {
                    break;
                }
            }
        }
        // What outputs made of themselves meanwhile belongs to somebody who has ended.
        self.outputs = outputs;
        self.outputs.clear();
    }

    fn open(&mut self, index: usize, lane: Lane) -> io::Result<()> {
        let number = u32::try_from(index).unwrap_or(u32::MAX);
        let client = self.client_of(index);
        let receive_buffer =
            (self.cast.temper(client) == Temper::Slow).then_some(SLOW_RECEIVE_BYTES);
        let key = self.links.open(number, client, lane, receive_buffer)?;
        if let Some(slot) = self.members.get_mut(index).map(|member| &mut member.lanes) {
            slot[lane as usize] = Some(key);
        }
        Ok(())
    }

    fn close_lane(&mut self, index: usize, lane: Lane) {
        let key = self.members.get_mut(index).and_then(|member| member.lanes[lane as usize].take());
        if let Some(key) = key {
            self.links.close(key);
        }
    }

    pub(super) fn key_of(&self, index: usize, lane: Lane) -> Option<usize> {
        self.members.get(index).and_then(|member| member.lanes[lane as usize])
    }

    pub(super) fn client_of(&self, index: usize) -> u32 {
        self.part.first_client.saturating_add(u32::try_from(index).unwrap_or(u32::MAX))
    }

    pub(super) fn index_of(&self, client: u32) -> usize {
        usize::try_from(client.saturating_sub(self.part.first_client)).unwrap_or(usize::MAX)
    }
}

/// Sends at a time, before what has come is read.
const SENDS_PER_LOOK: u32 = 256;
/// What may wait in a sender before a further send counts as unsent.
const WAITING_BYTES_MAX: usize = 1_024 * 1_024;
/// What a ping may be late for reasons of our own.
const GRACE_NS: u64 = 500_000_000;
/// Slow clients read ten times a second.
const SLOW_READ_NS: u64 = 100_000_000;
/// From a packet that nobody asked for to the reset that answers it.
const PROBE_NS: u64 = 200_000_000;
/// Without payload, masked with zeros.
const UNASKED_PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];
/// What the kernel takes for a slow client before the server feels it.
const SLOW_RECEIVE_BYTES: usize = 16 * 1_024;
