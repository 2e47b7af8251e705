//! What comes in: bytes to a client's machine, packets to the listening, ends to the counts.
//!
//! ```text
//! readable -> recvmsg -> frames -> 42["chat","~tb1.."] -> ledger, histogram
//! ```

use std::io;

use mio::event::Event as Ready;

use super::listening::{Heard, Stamp};
use super::receiver::Received;
use super::traffic::room_name;
use super::{Crowd, Measure, Pulse, Sends, Stage, Temper};
use crate::bench::client::{Ending, Event, Lane};
use crate::bench::plan::{ASK_EVENT, Pacing};

impl Crowd {
    pub(super) fn handle_ready(&mut self, key: usize, ready: &Ready) {
        if ready.is_writable() {
            self.handle_writable(key);
        }
        let is_over = ready.is_read_closed() || ready.is_error();
        if ready.is_readable() || is_over {
            self.handle_readable(key, is_over);
        }
    }

    fn handle_writable(&mut self, key: usize) {
        let Some((index, lane)) = self.whose(key) else { return };
        match self.links.handle_writable(key) {
            Ok(false) => {}
            Ok(true) => {
                if let Some(member) = self.members.get_mut(index) {
                    member.client.handle_open(&self.dialect, lane, &mut self.outputs);
                    self.perform(index);
                }
            }
            Err(error) => self.lose(index, lane, Ending::Broken(error.kind())),
        }
    }

    fn handle_readable(&mut self, key: usize, is_over: bool) {
        let Some((index, lane)) = self.whose(key) else { return };
        if self.reads_slowly(index, lane) {
            // What the server has closed stays unread as it would have before.
            if is_over {
                self.end(index, &Ending::EndOfFile);
            }
            return;
        }
        loop {
            match self.read_some(key, usize::MAX) {
                Read::MayHaveMore => {}
                // Bytes and the end behind them are one event: no other tells of the end.
                Read::Some if is_over => {}
                Read::Some | Read::Nothing => return,
            }
        }
    }

    /// Slow clients read events when it is their time, once they are in.
    fn reads_slowly(&self, index: usize, lane: Lane) -> bool {
        let client = self.client_of(index);
        self.cast.temper(client) == Temper::Slow
            && self.members.get(index).is_some_and(|member| {
                member.stage == Stage::Present && member.client.event_lane() == lane
            })
    }

    /// Reads once, at most so many bytes.
    pub(super) fn read_some(&mut self, key: usize, bytes_max: usize) -> Read {
        let Some((index, lane)) = self.whose(key) else { return Read::Nothing };
        let received = match self.links.receive(key, bytes_max) {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Read::Nothing,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Read::MayHaveMore,
            Err(error) => {
                self.lose(index, lane, Ending::Broken(error.kind()));
                return Read::Nothing;
            }
        };
        if received.bytes == 0 {
            self.lose(index, lane, Ending::EndOfFile);
            return Read::Nothing;
        }
        self.take(key, (index, lane), received);
        if self.links.may_have_more(received.bytes) { Read::MayHaveMore } else { Read::Some }
    }

    /// Gives a client's machine what was received, with what of an earlier read was left over.
    fn take(&mut self, key: usize, (index, lane): (usize, Lane), received: Received) {
        let stamp = Stamp::new(received.stamp_ns);
        self.listening.stamped += u64::from(received.stamp_ns.is_some());
        let client = self.client_of(index);
        let count = u64::try_from(received.bytes).unwrap_or(0);
        self.listening.score.counts.received_bytes += count;
        let Some((link, bytes)) = self.links.input(key, received.bytes) else { return };
        let Some(member) = self.members.get_mut(index) else { return };
        let mut kept = std::mem::take(&mut link.input);
        let input = if kept.is_empty() {
            bytes
        } else {
            kept.extend_from_slice(bytes);
            &kept
        };
        let now_ns = self.clock.to_monotonic(stamp.user_ns);
        let (attempt, pulse, pings) = (member.attempt, &mut member.pulse, &mut self.pings);
        let (listening, cast, happened) = (&mut self.listening, &self.cast, &mut self.happened);
        let mut sink = |event: Event<'_>| match event {
            Event::Packet(message) | Event::Attachment(message) => {
                let heard = listening.hear(cast, client, message, stamp);
                match heard {
                    Heard::Nothing if message.starts_with(b"3") => happened.push(Happened::Entered),
                    Heard::Nothing => {}
                    heard => happened.push(Happened::Heard(heard)),
                }
            }
            Event::Connected => happened.push(Happened::Connected(stamp)),
            Event::NotUpgraded => happened.push(Happened::NotUpgraded),
            Event::Ping => {
                listening.score.counts.pings += 1;
                pulse.hear(now_ns);
            }
            Event::Pong => {
                if pulse.hear_answer(now_ns) {
                    listening.score.counts.pings += 1;
                    pings.schedule(pulse, client, attempt);
                }
            }
            Event::Opened(heartbeat) => {
                *pulse = Pulse::new(now_ns, heartbeat);
                pings.schedule(pulse, client, attempt);
            }
        };
        let outputs = &mut self.outputs;
        let taken = member.client.handle_input(&self.dialect, lane, input, outputs, &mut sink);
        match taken {
            Ok(taken) => {
                if !kept.is_empty() {
                    kept.drain(..taken);
                    // A buffer that has served its time is not kept for each of ten thousand.
                    if !kept.is_empty() {
                        link.input = kept;
                    }
                } else if let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
                    link.input = rest.to_vec();
                }
                self.perform(index);
                self.follow(index);
            }
            Err(ending) => {
                self.outputs.clear();
                self.follow(index);
                self.end(index, &ending);
            }
        }
    }

    /// A lane was ended by the server, has broken or couldn't be opened: often the end of the
    /// session, but not of one that may open the lane again or goes on without it.
    pub(super) fn lose(&mut self, index: usize, lane: Lane, ending: Ending) {
        let is_midway = self
            .key_of(index, lane)
            .and_then(|key| self.links.link(key))
            .is_some_and(|link| !link.input.is_empty());
        let Some(member) = self.members.get_mut(index) else { return };
        let (happened, outputs) = (&mut self.happened, &mut self.outputs);
        let mut sink = |event: Event<'_>| {
            if event == Event::NotUpgraded {
                happened.push(Happened::NotUpgraded);
            }
        };
        let lost = (lane, is_midway);
        match member.client.handle_end(&self.dialect, lost, ending, outputs, &mut sink) {
            Ok(()) => {
                self.perform(index);
                self.follow(index);
            }
            Err(ending) => {
                self.outputs.clear();
                self.end(index, &ending);
            }
        }
    }

    /// Does what follows from what was heard.
    fn follow(&mut self, index: usize) {
        if self.happened.is_empty() {
            return;
        }
        let mut happened = std::mem::take(&mut self.happened);
        for happened in happened.drain(..) {
            match happened {
                Happened::Connected(stamp) => self.handle_connected(index, stamp),
                Happened::NotUpgraded => {
                    self.listening.score.counts.not_upgraded += 1;
                    self.enter(index);
                }
                Happened::Entered => self.handle_entered(index),
                Happened::Heard(heard) => self.handle_heard(index, heard),
            }
        }
        self.happened = happened;
    }

    fn handle_heard(&mut self, index: usize, heard: Heard) {
        let Pacing::Closed { .. } = self.traffic.pacing else { return };
        match (heard, self.traffic.sends) {
            (Heard::Answer, Sends::Echoes | Sends::Acks) => {
                self.send_now(u32::try_from(index).unwrap_or(u32::MAX));
            }
            (Heard::Delivery { stream, is_last: true }, Sends::Broadcasts) => self.send_now(stream),
            _ => {}
        }
    }

    /// A client has come in on the transport that it was to have.
    fn handle_connected(&mut self, index: usize, stamp: Stamp) {
        let Some(member) = self.members.get(index) else { return };
        let intended_ns = self.clock.to_wall(member.intended_ns);
        let started_ns = self.clock.to_wall(member.started_ns);
        let is_first = member.attempt == 0;
        let latency_ns = stamp.received_ns().saturating_sub(intended_ns);
        let apart = self.cast.apart(self.client_of(index));
        if is_first {
            self.listening.record_first(Measure::Connect, latency_ns, apart);
        } else if self.listening.is_measured(intended_ns) {
            // Clients come and go in the warm-up too.
            self.listening.record_first(Measure::Reconnect, latency_ns, apart);
            let own_ns = stamp.received_ns().saturating_sub(started_ns);
            self.listening.score.record(Measure::ReconnectOwn, own_ns);
        }
        self.enter(index);
    }

    /// Whoever is in has a room to enter first, where there are rooms.
    fn enter(&mut self, index: usize) {
        let room = self.cast.room_of(self.client_of(index));
        let Some(member) = self.members.get_mut(index) else { return };
        match room {
            Some(room) => {
                member.stage = Stage::Entering;
                let namespace = &self.dialect.namespace;
                let join = format!("2{namespace}[\"join\",\"{}\"]", room_name(room));
                // What is acknowledged was handled after the join: one connection has one order.
                let ask = format!("2{namespace}0[\"{ASK_EVENT}\",\"entered\"]");
                for packet in [join, ask] {
                    let outputs = &mut self.outputs;
                    member.client.send(&self.dialect, packet.as_bytes(), None, outputs);
                }
                self.perform(index);
            }
            None => self.become_present(index),
        }
    }

    fn handle_entered(&mut self, index: usize) {
        if self.members.get(index).is_some_and(|member| member.stage == Stage::Entering) {
            self.become_present(index);
        }
    }

    fn become_present(&mut self, index: usize) {
        let Some(member) = self.members.get_mut(index) else { return };
        member.stage = Stage::Present;
        let counts = &mut self.listening.score.counts;
        counts.connected += 1;
        counts.reconnected += u64::from(member.attempt > 0);
        let is_first = member.attempt == 0;
        self.finish_attempt(is_first);
    }

    /// The conductor hears at once when all have come in: connections per second run to there.
    fn finish_attempt(&mut self, is_first: bool) {
        if self.connects.finish() && is_first {
            self.telling.progress_ns = 0;
        }
    }

    /// A client's session or attempt has ended without our asking.
    pub(super) fn end(&mut self, index: usize, ending: &Ending) {
        let Some(member) = self.members.get_mut(index) else { return };
        let stage = std::mem::replace(&mut member.stage, Stage::Away);
        let is_first = member.attempt == 0;
        let lanes = std::mem::take(&mut member.lanes);
        for key in lanes.into_iter().flatten() {
            self.links.close(key);
        }
        let temper = self.cast.temper(self.client_of(index));
        let now = self.clock.refresh();
        let score = &mut self.listening.score;
        if temper == Temper::Slow && stage == Stage::Present && !self.is_probed {
            let ended_ns = now.saturating_sub(self.window.begin_ns);
            score.note_slow_end((ended_ns, ended_ns));
        }
        match stage {
            Stage::Away => return,
            Stage::Connecting | Stage::Entering => score.counts.failed += 1,
            Stage::Present => {
                score.counts.connected -= 1;
                match temper {
                    Temper::Slow => score.counts.slow_lost += 1,
                    Temper::Steady | Temper::Passing => score.counts.lost += 1,
                }
            }
        }
        let who = if temper == Temper::Slow { "slow: " } else { "" };
        score.note_failure(format!("{who}{ending}"));
        if stage != Stage::Present {
            self.finish_attempt(is_first);
        }
    }

    fn whose(&self, key: usize) -> Option<(usize, Lane)> {
        let link = self.links.link(key)?;
        Some((usize::try_from(link.client).ok()?, link.lane))
    }
}

/// What a read has brought about, done when the bytes are no longer borrowed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Happened {
    Connected(Stamp),
    NotUpgraded,
    /// A question that is no part of the run was answered: the room is entered.
    Entered,
    Heard(Heard),
}

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// There was nothing to read, or nothing is to be read any more.
    Nothing,
    /// All bytes that were there; the end may stand behind them.
    Some,
    /// As many bytes as one read takes.
    MayHaveMore,
}
