//! The stages of a turn, and how much each may do.
//!
//! Budgets of numbers always hold; one of time holds where the host has set it, and then the clock
//! is read between pieces of work. Each stage does a piece before it looks, so that none starves.

use std::io;
use std::time::{Duration, UNIX_EPOCH};

use super::{Closing, Server, Turn};
use crate::reactor::net::Net;
use crate::socketio::{Io, Timer};

impl<N: Net> Server<N> {
    pub(super) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let at_once = Some(Duration::ZERO);
        if timeout == at_once {
            return self.reactor.wait(at_once);
        }
        let deadline = self.next_deadline();
        if deadline == at_once {
            return self.reactor.wait(at_once);
        }
        if timeout.is_none() && deadline.is_none() {
            self.reactor.net_mut().arm(None);
            return self.reactor.wait(None);
        }
        let now = (self.clock)().monotonic;
        let asked = timeout.map(|timeout| now.saturating_add(timeout));
        let until = asked.into_iter().chain(deadline).min();
        self.reactor.net_mut().arm(until);
        self.reactor.wait(until.map(|at| at.saturating_sub(now)))
    }

    /// What was flushed before the wait belongs to the turn.
    pub(super) fn begin_turn(&mut self, flushed: u64) {
        self.read_clock();
        self.watch_sent();
        let counters = &self.reactor.counters;
        let (accepted, writes) = (counters.accepted, counters.writes - flushed);
        self.turn = Turn { accepted, writes, ..Turn::default() };
        self.turn_deliveries = 0;
        self.turn_decoded = 0;
        self.limit_time();
        self.hub.state.borrow_mut().outboxes.begin_tick();
    }

    /// From here on the turn's time is counted.
    pub(super) fn limit_time(&mut self) {
        let own = self.budget.time_max.map(|time| self.now.monotonic.saturating_add(time));
        self.turn_ends = own.into_iter().chain(self.call_ends).min();
    }

    /// Whether the turn's time is used up. It reads the clock where the turn has a bound.
    pub(super) fn is_out_of_time(&self) -> bool {
        self.turn_ends.is_some_and(|ends| (self.clock)().monotonic >= ends)
    }

    /// The host may have been away since the last turn: what is counted from now must not be
    /// counted from then.
    pub(super) fn read_clock(&mut self) {
        let now = (self.clock)();
        if now.wall.as_secs() != self.now.wall.as_secs() || self.reactor.date.is_empty() {
            self.reactor.set_date(UNIX_EPOCH + now.wall);
        }
        self.now = now;
        self.hub.state.borrow_mut().now = now;
    }

    pub(super) fn run_mailbox(&mut self) {
        // Whoever makes more than can be sent waits, and hears that the mailbox is full.
        if self.is_backed_up() {
            return;
        }
        let batch = self.mailbox.begin();
        if batch == 0 {
            return;
        }
        for run in 1..=batch {
            let Some(job) = self.mailbox.next() else { break };
            self.turn.jobs += 1;
            self.hub.state.borrow_mut().outboxes.begin_tick();
            let before = self.fanned_out();
            self.hub.run_unbound(|| job(Io::new(&self.hub)));
            self.count_fan_out(before);
            let is_used_up = run >= self.budget.jobs_max
                || self.turn_deliveries >= self.budget.deliveries_max
                || self.is_out_of_time();
            if run < batch && is_used_up {
                self.mailbox.put_off();
                break;
            }
        }
        self.drain_outputs();
    }

    /// How much was ever queued for many.
    pub(super) fn fanned_out(&self) -> u64 {
        self.hub.state.borrow().outboxes.pushed_bulk()
    }

    /// What was queued for many since then counts for the turn; whether it was anything.
    pub(super) fn count_fan_out(&mut self, before: u64) -> bool {
        let queued = self.fanned_out() - before;
        self.turn_deliveries += usize::try_from(queued).unwrap_or(usize::MAX);
        queued > 0
    }

    /// Whether so much waits to be written that nothing further is to be queued for many.
    pub(super) fn is_backed_up(&self) -> bool {
        let outboxes = &self.hub.state.borrow().outboxes;
        outboxes.bulk_len() > 0 && outboxes.messages_total() > self.budget.backlog_messages_max
    }

    pub(super) fn accept(&mut self) {
        if self.closing != Closing::Open {
            return;
        }
        let mut left = self.budget.accepts_max;
        while left > 0 && self.reactor.accepts(self.now.monotonic) {
            let share = if self.turn_ends.is_some() { 1 } else { left };
            self.reactor.accept(self.now.monotonic, share);
            left -= share;
            if self.is_out_of_time() {
                return;
            }
        }
    }

    pub(super) fn expire(&mut self) {
        for _ in 0..self.budget.messages_total_max {
            let Some((key, inbound)) = self.reactor.expire(self.now.monotonic) else { break };
            self.turn.deadlines += 1;
            self.dispatch(key, inbound);
            if self.is_out_of_time() {
                break;
            }
        }
        // After a long stall all of them are due at once: the others get their turn in between.
        for _ in 0..self.budget.messages_total_max {
            let due = self.hub.state.borrow_mut().timers.expire(self.now.monotonic);
            let Some(timer) = due else { break };
            self.turn.deadlines += 1;
            self.handle_timer(timer);
            if self.is_out_of_time() {
                break;
            }
        }
        self.sweep_slow();
    }

    pub(super) fn handle_timer(&mut self, timer: Timer) {
        if let Timer::Session(session) = timer {
            self.session_timers[session.index()] = None;
            let state = &mut *self.hub.state.borrow_mut();
            state.engine.handle_deadline(self.now, session, &mut state.outboxes);
        } else if let Timer::Greeting(connection) = timer {
            self.greet(connection);
        } else {
            self.hub.handle_timer(timer);
        }
        self.drain_outputs();
    }

    pub(super) fn reap(&mut self) {
        self.reactor.reap();
        if let Closing::Until(at) = self.closing {
            if self.now.monotonic >= at {
                for key in self.reactor.keys() {
                    self.reactor.destroy(key);
                }
                self.reactor.reap();
            }
            if self.reactor.connections_len() == 0 {
                self.closing = Closing::Closed;
            }
        }
    }

    pub(super) fn finish_turn(&mut self) -> Turn {
        self.turn.more = self.has_more();
        self.turn.events = self.hub.pulled.len();
        self.turn.writes = self.reactor.counters.writes - self.turn.writes;
        self.turn.accepted = self.reactor.counters.accepted - self.turn.accepted;
        self.arm();
        self.turn
    }

    /// Whoever waits for the server's descriptor is woken in time.
    pub(super) fn arm(&mut self) {
        if self.arms {
            // Events that wait to be pulled are the host's to know of.
            let deadline =
                if self.has_more() { Some(Duration::ZERO) } else { self.next_own_deadline() };
            self.reactor.net_mut().arm(deadline);
        }
    }

    /// Whether anything was queued since the last flush, or was left over by it.
    pub(crate) fn has_queued(&self) -> bool {
        let state = self.hub.state.borrow();
        state.outboxes.has_listed()
            || !state.commands.is_empty()
            || state.engine.has_output()
            || self.reactor.has_unflushed()
    }

    /// A closed server reads no more: what is still listed then has nobody it concerns.
    pub(super) fn has_more(&self) -> bool {
        let state = self.hub.state.borrow();
        // What is to be read waits for the host alone where too many events wait to be pulled.
        let is_readable = self.reactor.ready_len() > 0 || !self.posts.is_empty();
        let is_listed = (is_readable && !self.is_full())
            || self.reactor.has_unflushed()
            || !state.commands.is_empty()
            || state.engine.has_output()
            || self.sources.has_ready()
            || self.mailbox.is_posted()
            || self.reactor.is_due(self.now.monotonic)
            || state.outboxes.has_listed()
            || state.timers.is_due(self.now.monotonic);
        match self.closing {
            Closing::Open => is_listed || self.reactor.accepts(self.now.monotonic),
            Closing::Until(_) => is_listed,
            Closing::Closed => false,
        }
    }
}

impl Turn {
    /// Sums up what several turns did; what is left is told by the last.
    pub(super) fn add(&mut self, turn: &Self) {
        self.more = turn.more;
        self.events = turn.events;
        self.jobs += turn.jobs;
        self.sources += turn.sources;
        self.accepted += turn.accepted;
        self.messages += turn.messages;
        self.deadlines += turn.deadlines;
        self.writes += turn.writes;
    }
}
