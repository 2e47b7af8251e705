//! Which clients are to connect, when, and how many at a time.
//!
//! At a given rate attempts are due on schedule, and without one whenever there is room: a fixed
//! number is kept on the way, which finds the server's ceiling. At a rate, too, no more than that
//! are on the way; an attempt that waits for room stays due when it was.
//!
//! ```text
//! waiting 17, 18, 19 ..     under way 12, 14, 15, 16     timed out 13
//! ```

use std::collections::VecDeque;

use crate::bench::schedule::Schedule;

/// Attempts that wait and those that are under way.
#[derive(Debug)]
pub(crate) struct Connects {
    waiting: VecDeque<Attempt>,
    schedule: Option<Schedule>,
    at_once: usize,
    under_way: usize,
    timeout_ns: u64,
    /// In the order of their ends, those that are over by now included.
    deadlines: VecDeque<(u64, Attempt)>,
}

/// One client's way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) client: u32,
    /// Tells the attempts of one client apart.
    pub(crate) number: u32,
    /// When it should begin; `None` is whenever there is room.
    pub(crate) intended_ns: Option<u64>,
}

impl Connects {
    pub(crate) fn new(schedule: Option<Schedule>, at_once: u32, timeout_ns: u64) -> Self {
        Self {
            waiting: VecDeque::new(),
            schedule,
            at_once: usize::try_from(at_once).unwrap_or(usize::MAX),
            under_way: 0,
            timeout_ns,
            deadlines: VecDeque::new(),
        }
    }

    pub(crate) fn push(&mut self, attempt: Attempt) {
        self.waiting.push_back(attempt);
    }

    /// Whoever waits from now on waits for nobody else.
    pub(crate) fn open_gates(&mut self) {
        self.schedule = None;
        self.at_once = usize::MAX;
    }

    /// The next attempt that is due, with the moment it should begin.
    pub(crate) fn next_due(&mut self, now_ns: u64) -> Option<(Attempt, u64)> {
        if self.under_way >= self.at_once {
            return None;
        }
        let attempt = *self.waiting.front()?;
        let intended_ns = match (&mut self.schedule, attempt.intended_ns) {
            (_, Some(intended_ns)) => intended_ns,
            (Some(schedule), None) => {
                let due_ns = schedule.next_at();
                if due_ns > now_ns {
                    return None;
                }
                schedule.advance();
                due_ns
            }
            (None, None) => now_ns,
        };
        self.waiting.pop_front();
        self.under_way += 1;
        self.deadlines.push_back((now_ns.saturating_add(self.timeout_ns), attempt));
        Some((attempt, intended_ns))
    }

    /// An attempt came to its end, one way or the other; whether it was the last there is.
    pub(crate) fn finish(&mut self) -> bool {
        self.under_way = self.under_way.saturating_sub(1);
        self.under_way == 0 && self.waiting.is_empty()
    }

    /// How many wait to come back.
    pub(crate) fn returning(&self) -> usize {
        self.waiting.iter().filter(|attempt| attempt.number > 0).count()
    }

    /// The next attempt whose time is over; it may have come to its end long ago.
    pub(crate) fn next_expired(&mut self, now_ns: u64) -> Option<Attempt> {
        let (deadline_ns, _) = *self.deadlines.front()?;
        if deadline_ns > now_ns {
            return None;
        }
        self.deadlines.pop_front().map(|(_, attempt)| attempt)
    }

    /// When there is something to do, if nothing else happens.
    pub(crate) fn next_at(&self) -> u64 {
        let expiry = self.deadlines.front().map_or(u64::MAX, |(deadline_ns, _)| *deadline_ns);
        let start = match (self.waiting.front(), &self.schedule) {
            (None, _) => u64::MAX,
            _ if self.under_way >= self.at_once => u64::MAX,
            (Some(Attempt { intended_ns: None, .. }), Some(schedule)) => schedule.next_at(),
            (Some(_), _) => 0,
        };
        expiry.min(start)
    }
}
