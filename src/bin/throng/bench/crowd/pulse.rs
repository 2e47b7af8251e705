//! Heartbeats: when each client heard of its server, and when it has to ask whether it is there.
//!
//! ```text
//! Engine.IO 4   heard: a ping         silent for 45 s: gone
//! Engine.IO 3   heard: a pong         25 s later: > 2       20 s more without < 3: gone
//! ```

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::nanoseconds;
use crate::bench::client::Heartbeat;

/// When a client heard of its server, and for how long it may not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pulse {
    heard_ns: u64,
    /// Nothing is no limit.
    patience_ns: u64,
    /// Nothing is never.
    ping_after_ns: u64,
    /// Whether an answer to a ping is awaited.
    is_asked: bool,
}

impl Pulse {
    pub(super) fn new(now_ns: u64, heartbeat: Heartbeat) -> Self {
        Self {
            heard_ns: now_ns,
            patience_ns: nanoseconds(heartbeat.patience),
            ping_after_ns: heartbeat.ping_after.map_or(0, nanoseconds),
            is_asked: false,
        }
    }

    pub(super) fn hear(&mut self, now_ns: u64) {
        self.heard_ns = now_ns;
    }

    pub(super) fn ask(&mut self) {
        self.is_asked = true;
    }

    /// Whether it was awaited: any other answer says nothing.
    pub(super) fn hear_answer(&mut self, now_ns: u64) -> bool {
        let is_awaited = std::mem::take(&mut self.is_asked);
        if is_awaited {
            self.hear(now_ns);
        }
        is_awaited
    }

    pub(super) fn is_silent(&self, now_ns: u64, grace_ns: u64) -> bool {
        self.patience_ns > 0
            && now_ns.saturating_sub(self.heard_ns) > self.patience_ns.saturating_add(grace_ns)
    }
}

/// The pings that clients have to send; at most one for each session.
#[derive(Debug, Default)]
pub(super) struct Pings {
    due: BinaryHeap<Reverse<Ping>>,
}

/// A ping that is due at a moment, in one attempt's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ping {
    due_ns: u64,
    pub(super) client: u32,
    pub(super) attempt: u32,
}

impl Pings {
    /// The next ping of a session that has just been heard of, if pinging is the client's part.
    pub(super) fn schedule(&mut self, pulse: &Pulse, client: u32, attempt: u32) {
        if pulse.ping_after_ns > 0 {
            let due_ns = pulse.heard_ns.saturating_add(pulse.ping_after_ns);
            self.due.push(Reverse(Ping { due_ns, client, attempt }));
        }
    }

    /// The next one that is due; its session may have ended long ago.
    pub(super) fn next_due(&mut self, now_ns: u64) -> Option<Ping> {
        if self.next_at() > now_ns {
            return None;
        }
        self.due.pop().map(|Reverse(ping)| ping)
    }

    pub(super) fn next_at(&self) -> u64 {
        self.due.peek().map_or(u64::MAX, |Reverse(ping)| ping.due_ns)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn pulse(heard_ns: u64, ping_after: Option<Duration>) -> Pulse {
        Pulse::new(heard_ns, Heartbeat { patience: Duration::from_nanos(45), ping_after })
    }

    #[test]
    fn pings_are_due_in_their_order_and_only_where_they_are_the_clients() {
        let mut pings = Pings::default();
        pings.schedule(&pulse(5, None), 0, 0);
        assert_eq!(pings.next_at(), u64::MAX);
        pings.schedule(&pulse(7, Some(Duration::from_nanos(25))), 1, 0);
        pings.schedule(&pulse(5, Some(Duration::from_nanos(25))), 2, 3);
        assert_eq!(pings.next_due(29), None);
        assert_eq!(pings.next_due(30), Some(Ping { due_ns: 30, client: 2, attempt: 3 }));
        assert_eq!(pings.next_at(), 32);
        assert_eq!(pings.next_due(40).map(|ping| ping.client), Some(1));
        assert_eq!(pings.next_due(u64::MAX), None);
    }

    #[test]
    fn only_an_awaited_answer_is_a_sign_of_life() {
        let mut pulse = pulse(100, Some(Duration::from_nanos(25)));
        assert!(!pulse.hear_answer(120));
        assert!(!pulse.is_silent(145, 0));
        assert!(pulse.is_silent(146, 0));
        pulse.ask();
        assert!(pulse.hear_answer(130));
        assert!(!pulse.hear_answer(140));
        assert!(!pulse.is_silent(175, 0));
        assert!(!pulse.is_silent(180, 5));
        assert!(pulse.is_silent(181, 5));
    }

    #[test]
    fn a_server_without_a_heartbeat_is_never_silent() {
        assert!(!Pulse::default().is_silent(u64::MAX, 0));
    }
}
