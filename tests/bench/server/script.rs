//! What the server does wrong, and when: each fault is exact, so that a test can count on it.
//!
//! It is no chance: the same script does the same to the same traffic.
//!
//! ```text
//! Script::new().each(100, Deed::Delay(FIFTY_MS)).at(250, Deed::Drop).refuse(3, Refusal::Silence)
//! ```

use std::time::Duration;

/// The heartbeat, and the faults.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) ping_interval: Duration,
    pub(crate) ping_timeout: Duration,
    /// The heartbeat is promised and never comes; who pings is not answered.
    pub(crate) is_pulseless: bool,
    /// The event that goes to all.
    pub(crate) broadcast_event: &'static str,
    /// What comes on a bare WebSocket goes to all, and not just back.
    pub(crate) passes_on: bool,
    /// What goes to all, or to a room, doesn't go to its sender.
    pub(crate) excludes_sender: bool,
    faults: Vec<(When, Deed)>,
    refusals: Vec<(u64, Refusal)>,
}

/// A fault of one delivery: an event to one client, be it a broadcast's, an echo or an ack.
/// Deliveries are counted from 1 over the whole run, in the order in which they are due: those of
/// one broadcast in the order in which its recipients connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// It is held back; what follows to this client waits behind it.
    Delay(Duration),
    /// It never happens.
    Drop,
    /// It happens twice.
    Twice,
    /// The next one to the same client overtakes it.
    Swap,
    /// One digit of its mark, at this place of the payload, is another.
    Corrupt(usize),
    /// So many bytes at the end of its payload are missing.
    Truncate(usize),
    /// Its payload ends in so many bytes more.
    Extend(usize),
    /// The whole server stands still just before it.
    Stall(Duration),
    /// Its recipient is closed instead.
    Close(Ending),
    /// Its recipient is closed at once when it is written.
    CloseAfter(Ending),
    /// Somebody who isn't in the room gets it too.
    Stray,
    /// An event of a former run goes before it.
    FormerRun,
    /// It comes in two WebSocket frames.
    Fragment,
    /// It is written byte by byte.
    Dribble,
    /// It waits for the next one to the same client; both are written at once.
    Join,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With a close frame.
    Frame,
    /// The connection ends, and nobody says why.
    EndOfFile,
    /// By a reset.
    Reset,
}

/// How an attempt to connect fails; attempts are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// HTTP 503.
    Unavailable,
    /// The handshake is done, the namespace refuses.
    Namespace,
    /// The namespace lets it in, and the session is closed at once.
    Eviction,
    /// The request is never answered.
    Silence,
    /// The connection is reset.
    Reset,
}

#[derive(Clone, Copy, Debug)]
enum When {
    /// At one delivery.
    At(u64),
    /// At each k-th.
    Each(u64),
}

impl Script {
    /// A server without fault.
    pub(crate) fn new() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            is_pulseless: false,
            broadcast_event: "chat",
            passes_on: false,
            excludes_sender: false,
            faults: Vec::new(),
            refusals: Vec::new(),
        }
    }

    pub(crate) fn at(mut self, delivery: u64, deed: Deed) -> Self {
        self.faults.push((When::At(delivery), deed));
        self
    }

    pub(crate) fn each(mut self, deliveries: u64, deed: Deed) -> Self {
        self.faults.push((When::Each(deliveries), deed));
        self
    }

    pub(crate) fn refuse(mut self, attempt: u64, refusal: Refusal) -> Self {
        self.refusals.push((attempt, refusal));
        self
    }

    pub(crate) fn heartbeat(mut self, interval: Duration, timeout: Duration) -> Self {
        (self.ping_interval, self.ping_timeout) = (interval, timeout);
        self
    }

    pub(crate) fn pulseless(mut self) -> Self {
        self.is_pulseless = true;
        self
    }

    pub(crate) fn broadcasts(mut self, event: &'static str) -> Self {
        self.broadcast_event = event;
        self
    }

    pub(crate) fn passes_on(mut self) -> Self {
        self.passes_on = true;
        self
    }

    pub(crate) fn without_sender(mut self) -> Self {
        self.excludes_sender = true;
        self
    }

    /// What happens to a delivery.
    pub(super) fn deeds(&self, delivery: u64) -> Vec<Deed> {
        let hit = |when: &When| match *when {
            When::At(at) => at == delivery,
            When::Each(deliveries) => delivery.is_multiple_of(deliveries),
        };
        self.faults.iter().filter(|(when, _)| hit(when)).map(|(_, deed)| *deed).collect()
    }

    pub(super) fn refusal(&self, attempt: u64) -> Option<Refusal> {
        self.refusals.iter().find(|(at, _)| *at == attempt).map(|(_, refusal)| *refusal)
    }
}
