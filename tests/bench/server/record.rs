//! What the server did, by the wall clock that marks and the kernel use: the truth that a report
//! is held against.
//!
//! ```text
//! latency of a delivery: written.0 - mark.intended_ns ..= written.1 - mark.intended_ns
//! ```

use crate::payload::Mark;

/// One run, as the server saw it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// Requests for a new session.
    pub(crate) attempts: u64,
    /// Of them, those that the script refused.
    pub(crate) refused: u64,
    /// Sockets that joined a namespace.
    pub(crate) joined: u64,
    /// Sessions that moved from polling to WebSocket.
    pub(crate) upgraded: u64,
    /// Events from clients that had to be answered or passed on.
    pub(crate) events: Vec<Event>,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) pings: u64,
    pub(crate) pongs: u64,
    /// Sessions closed because they didn't answer a ping, or sent none where that is their part.
    pub(crate) pongs_missed: u64,
    /// Sessions that the script closed.
    pub(crate) closed: u64,
    /// Sessions that went by themselves.
    pub(crate) gone: u64,
}

/// An event that came.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) mark: Option<Mark>,
    pub(crate) read_ns: u64,
    /// How many deliveries it meant.
    pub(crate) due: u64,
}

/// An event that had to go to one client.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    /// The recipient, in order of connecting.
    pub(crate) client: u64,
    pub(crate) mark: Option<Mark>,
    /// Just before and just after it was written; `None` where it wasn't, or not at once.
    pub(crate) written: Option<(u64, u64)>,
}

impl Record {
    /// Events of one name.
    pub(crate) fn events<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r Event> {
        self.events.iter().filter(move |event| event.name == name)
    }

    /// How many deliveries the events meant.
    pub(crate) fn due(&self) -> u64 {
        self.events.iter().map(|event| event.due).sum()
    }

    /// The least and the most that each delivery can have taken from its intended send on, each
    /// in ascending order: the latencies of a truthful report, sorted, lie between them.
    pub(crate) fn latency_bounds(&self) -> (Vec<u64>, Vec<u64>) {
        self.bounds(|mark| mark.intended_ns)
    }

    /// The same, from the actual send on.
    pub(crate) fn uncorrected_bounds(&self) -> (Vec<u64>, Vec<u64>) {
        self.bounds(|mark| mark.sent_ns)
    }

    fn bounds(&self, from: impl Fn(&Mark) -> u64) -> (Vec<u64>, Vec<u64>) {
        let span = |delivery: &Delivery| {
            let (begin, (before, after)) = (from(delivery.mark.as_ref()?), delivery.written?);
            Some((before.saturating_sub(begin), after.saturating_sub(begin)))
        };
        let (mut least, mut most): (Vec<_>, Vec<_>) =
            self.deliveries.iter().filter_map(span).unzip();
        least.sort_unstable();
        most.sort_unstable();
        (least, most)
    }
}
