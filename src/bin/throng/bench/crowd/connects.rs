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
    /// When it was last seen that there was no room.
    full_ns: Option<u64>,
    /// In the order of their ends, those that are over by now included.
    deadlines: VecDeque<(u64, Attempt)>,
}

/// An attempt whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) attempt: Attempt,
    /// When it should begin.
    pub(crate) intended_ns: u64,
    pub(crate) cause: Cause,
}

/// What decided when an attempt begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The schedule; what is late of it is the generator's own delay.
    Schedule,
    /// Others on their way, for whom it had to wait.
    Room,
    /// Nothing: it was to begin at once.
    Order,
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
            full_ns: None,
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

    /// The next attempt that is due.
    pub(crate) fn next_due(&mut self, now_ns: u64) -> Option<Due> {
        let attempt = *self.waiting.front()?;
        if self.under_way >= self.at_once {
            self.full_ns = Some(now_ns);
            return None;
        }
        let (intended_ns, cause) = match (&mut self.schedule, attempt.intended_ns) {
            (_, Some(intended_ns)) => (intended_ns, Cause::Order),
            (Some(schedule), None) => {
                let due_ns = schedule.next_at();
                if due_ns > now_ns {
                    return None;
                }
                schedule.advance();
                let has_waited = self.full_ns.is_some_and(|full_ns| due_ns <= full_ns);
                (due_ns, if has_waited { Cause::Room } else { Cause::Schedule })
            }
            (None, None) => (now_ns, Cause::Order),
        };
        self.waiting.pop_front();
        self.under_way += 1;
        self.deadlines.push_back((now_ns.saturating_add(self.timeout_ns), attempt));
        Some(Due { attempt, intended_ns, cause })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::plan::Pacing;

    const MS: u64 = 1_000_000;

    fn connects(rate: Option<f64>, at_once: u32) -> Connects {
        let schedule = rate.and_then(|rate| Schedule::new(Pacing::Fixed, rate, 0, 1));
        let mut connects = Connects::new(schedule, at_once, 1_000 * MS);
        for client in 0..5 {
            connects.push(Attempt { client, number: 0, intended_ns: None });
        }
        connects
    }

    fn next(connects: &mut Connects, now_ms: u64) -> Option<(u64, Cause)> {
        connects.next_due(now_ms * MS).map(|due| (due.intended_ns / MS, due.cause))
    }

    #[test]
    fn at_a_rate_the_schedule_says_when_and_who_had_to_wait_is_known() {
        let mut connects = connects(Some(100.0), 2);
        assert_eq!(next(&mut connects, 3), Some((0, Cause::Schedule)));
        assert_eq!(next(&mut connects, 3), None);
        assert_eq!(next(&mut connects, 10), Some((10, Cause::Schedule)));
        assert_eq!(next(&mut connects, 25), None, "two are on their way");
        connects.finish();
        assert_eq!(next(&mut connects, 32), Some((20, Cause::Room)));
        connects.finish();
        assert_eq!(next(&mut connects, 34), Some((30, Cause::Schedule)), "due when there was room");
    }

    #[test]
    fn without_a_rate_there_is_a_closed_loop() {
        let mut connects = connects(None, 2);
        assert_eq!(next(&mut connects, 3), Some((3, Cause::Order)));
        assert_eq!(next(&mut connects, 3), Some((3, Cause::Order)));
        assert_eq!(next(&mut connects, 4), None);
        connects.finish();
        assert_eq!(next(&mut connects, 9), Some((9, Cause::Order)));
    }
}
