//! Slow consumers: how much may wait for them, and for how long.
//!
//! Judged after a write was tried and never against a single message. Each limit closes the
//! session with a reason of its own; the session's memory is freed with it.

use std::time::Duration;

use super::Server;
use crate::config::OutgoingLimits;
use crate::engineio::{Close, DisconnectReason};
use crate::outbox::Slow;
use crate::reactor::net::Net;
use crate::slots::{ConnectionKey, SessionKey};
use crate::socketio::Water;

impl<N: Net> Server<N> {
    /// Takes note of what a write achieved for a session whose peer is slow.
    pub(super) fn note_progress(
        &mut self,
        session: SessionKey,
        connection: Option<ConnectionKey>,
        bytes_written: usize,
    ) {
        let queued = connection.map_or(0, |connection| self.reactor.queued_bytes(connection));
        let first_queued =
            connection.map_or(0, |connection| self.reactor.first_queued_bytes(connection));
        let (now, may_rise) = (self.now.monotonic, !self.is_full());
        let (is_over_hard, is_new) = {
            let outboxes = &mut self.hub.state.borrow_mut().outboxes;
            let waiting = outboxes.cost(session).saturating_add(queued);
            let before = outboxes.slow(session);
            let mut slow = before.unwrap_or(Slow { progress_at: now, ..Slow::default() });
            slow.unwritten = queued;
            let bytes = outboxes.bytes(session) + queued;
            let water = self.limits.judge_water(&mut slow, bytes, may_rise);
            self.water.extend(water.map(|water| (session, water)));
            if waiting == 0 {
                outboxes.set_slow(session, None);
                return;
            }
            if bytes_written > 0 {
                slow.progress_at = now;
            }
            // A limit is never judged against a single message, begun or not: the first may be as
            // long as it likes, and what waits behind it counts.
            let first = if queued > 0 { first_queued } else { outboxes.first_cost(session) };
            let behind = waiting.saturating_sub(first);
            let is_over_soft = behind > self.limits.soft_bytes_max;
            slow.over_soft_since = is_over_soft.then(|| slow.over_soft_since.unwrap_or(now));
            outboxes.set_slow(session, Some(slow));
            (behind > self.limits.hard_bytes_max, before.is_none())
        };
        if is_over_hard {
            return self.close_slow(session, DisconnectReason::SlowConsumerHard);
        }
        if is_new {
            if self.slow.is_empty() {
                self.next_sweep = now + SWEEP_PERIOD;
            }
            self.slow.insert(session);
        }
    }

    /// Looks after the slow ones about once a second, and forgets those that have caught up.
    pub(super) fn sweep_slow(&mut self) {
        self.enforce_total();
        let now = self.now.monotonic;
        if self.slow.is_empty() || now < self.next_sweep {
            return;
        }
        self.next_sweep = now + SWEEP_PERIOD;
        let mut sessions = std::mem::take(&mut self.slow);
        sessions.retain(|session| {
            let session = *session;
            let Some(slow) = self.slow_now(session) else { return false };
            let reason = if now.saturating_sub(slow.progress_at) >= self.limits.stall_time_max {
                DisconnectReason::SlowConsumerStalled
            } else if slow
                .over_soft_since
                .is_some_and(|since| now.saturating_sub(since) >= self.limits.soft_time_max)
            {
                DisconnectReason::SlowConsumerSoft
            } else {
                return true;
            };
            self.close_slow(session, reason);
            false
        });
        sessions.append(&mut self.slow);
        self.slow = sessions;
    }

    /// Since when a session has been slow, unless it has caught up.
    fn slow_now(&mut self, session: SessionKey) -> Option<Slow> {
        let may_rise = !self.is_full();
        let state = &mut *self.hub.state.borrow_mut();
        let queued = state
            .engine
            .websocket(session)
            .map_or(0, |connection| self.reactor.queued_bytes(connection));
        let waiting = state.outboxes.bytes(session) + queued;
        if let Some(mut slow) = state.outboxes.slow(session) {
            slow.unwritten = queued;
            let water = self.limits.judge_water(&mut slow, waiting, may_rise);
            self.water.extend(water.map(|water| (session, water)));
            state.outboxes.set_slow(session, (waiting > 0).then_some(slow));
        }
        state.outboxes.slow(session)
    }

    /// Tells of sessions that have too much waiting, or little again. What that makes the host
    /// send leaves with the next turn.
    pub(super) fn tell_water(&mut self) {
        for (session, water) in std::mem::take(&mut self.water) {
            self.hub.state.borrow_mut().outboxes.begin_tick();
            self.hub.tell_water(session, water);
        }
        self.drain_outputs();
    }

    /// When the slow ones together have too much waiting, those with the most go first. What
    /// waits only for its turn to be written is no peer's fault and doesn't count.
    fn enforce_total(&mut self) {
        let mut slow: Vec<(usize, SessionKey)> = {
            let outboxes = &self.hub.state.borrow().outboxes;
            if outboxes.cost_total() <= self.limits.total_bytes_max {
                return;
            }
            self.slow.iter().map(|&session| (outboxes.cost(session), session)).collect()
        };
        let mut total: usize = slow.iter().map(|(cost, _)| cost).sum();
        slow.sort_unstable();
        while total > self.limits.total_bytes_max
            && let Some((cost, largest)) = slow.pop()
        {
            total = total.saturating_sub(cost);
            self.slow.remove(&largest);
            self.close_slow(largest, DisconnectReason::SlowConsumerBudget);
        }
    }

    fn close_slow(&mut self, session: SessionKey, reason: DisconnectReason) {
        let connection = {
            let state = &mut *self.hub.state.borrow_mut();
            let connection = state.engine.websocket(session);
            state.outboxes.clear(session);
            state.engine.close(self.now, session, Close::Discard, reason, &mut state.outboxes);
            connection
        };
        self.drain_outputs();
        // Nothing more will be read by this peer: a close frame would wait behind the rest, and the
        // system would keep the rest for it.
        if let Some(connection) = connection {
            self.reactor.abort(connection);
        }
    }
}

impl OutgoingLimits {
    /// Whether a session is to be told of, with what waits for it now: each water once until the
    /// other. While too much waits to be pulled no high water is told, or a session whose waters
    /// change could add to it without end.
    fn judge_water(&self, slow: &mut Slow, waiting: usize, may_rise: bool) -> Option<Water> {
        let high = self.high_water_bytes?;
        if slow.is_high {
            slow.is_high = waiting > self.low_water_bytes.min(high);
            return (!slow.is_high).then_some(Water::Low);
        }
        slow.is_high = may_rise && waiting > high;
        slow.is_high.then_some(Water::High(waiting))
    }
}

const SWEEP_PERIOD: Duration = Duration::from_secs(1);
