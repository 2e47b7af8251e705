//! Slow consumers: how much may wait for them, and for how long.
//!
//! Judged after a write was tried and never against a single message. Each limit closes the
//! session with a reason of its own; the session's memory is freed with it.

use std::time::Duration;

use super::Server;
use crate::engineio::{Close, DisconnectReason};
use crate::outbox::Slow;
use crate::reactor::net::Net;
use crate::slots::{ConnectionKey, SessionKey};

impl<N: Net> Server<N> {
    /// Takes note of what a write achieved for a session whose peer is slow.
    pub(super) fn note_progress(
        &mut self,
        session: SessionKey,
        connection: Option<ConnectionKey>,
        bytes_written: usize,
    ) {
        let queued = connection.map_or(0, |connection| self.reactor.queued_bytes(connection));
        let queued_len = connection.map_or(0, |connection| self.reactor.queued_len(connection));
        let now = self.now.monotonic;
        let (is_over_hard, is_new) = {
            let outboxes = &mut self.hub.state.borrow_mut().outboxes;
            let waiting = outboxes.bytes(session) + queued;
            let before = outboxes.slow(session);
            if waiting == 0 {
                outboxes.set_slow(session, None);
                return;
            }
            let mut slow = before.unwrap_or(Slow { progress_at: now, over_soft_since: None });
            if bytes_written > 0 {
                slow.progress_at = now;
            }
            // One that was begun waits in the connection's queue.
            let is_single = match queued_len {
                0 => outboxes.has_one(session),
                1 => outboxes.is_empty(session),
                _ => false,
            };
            let is_over_soft = waiting > self.limits.soft_bytes_max && !is_single;
            slow.over_soft_since = is_over_soft.then(|| slow.over_soft_since.unwrap_or(now));
            outboxes.set_slow(session, Some(slow));
            (waiting > self.limits.hard_bytes_max && !is_single, before.is_none())
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
        self.enforce_total();
    }

    /// Looks after the slow ones about once a second, and forgets those that have caught up.
    pub(super) fn sweep_slow(&mut self) {
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
        let state = &mut *self.hub.state.borrow_mut();
        let queued = state
            .engine
            .websocket(session)
            .map_or(0, |connection| self.reactor.queued_bytes(connection));
        if state.outboxes.bytes(session) + queued == 0 {
            state.outboxes.set_slow(session, None);
        }
        state.outboxes.slow(session)
    }

    /// When all together have too much waiting, those with the most go first.
    fn enforce_total(&mut self) {
        while self.hub.state.borrow().outboxes.bytes_total() > self.limits.total_bytes_max {
            let largest = {
                let outboxes = &self.hub.state.borrow().outboxes;
                self.slow.iter().copied().max_by_key(|&session| outboxes.bytes(session))
            };
            let Some(largest) = largest else { return };
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
        // Nothing more will be read by this peer: a close frame would wait behind the rest.
        if let Some(connection) = connection {
            self.reactor.destroy(connection);
        }
    }
}

const SWEEP_PERIOD: Duration = Duration::from_secs(1);
