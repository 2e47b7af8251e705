//! The listening sockets, and what happens when descriptors run out.
//!
//! An accept that fails for want of descriptors (EMFILE, ENFILE) or memory leaves the backlog
//! alone: the listener pauses, is tried again after a while or as soon as a connection is closed,
//! and nothing spins. The same pause holds while the reactor has all the connections it may have.

use std::io;
use std::time::Duration;

use super::net::Net;

/// The listeners of a reactor.
pub(super) struct Listeners<N: Net> {
    entries: Vec<Option<N::Listener>>,
    /// Which listener comes first next time: a flooded one must not starve the others.
    first: usize,
    /// A listener may have connections waiting.
    ready: bool,
    /// Accepting rests until then, for want of descriptors.
    paused_until: Option<Duration>,
}

/// Why accepting stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepting {
    /// The backlogs are empty.
    Done,
    /// The turn's budget, or the number of connections, is used up; more may wait.
    More,
    /// The process or the system is out of descriptors.
    Exhausted,
    /// Accepting fails for a reason that may last.
    Failed,
}

impl<N: Net> Listeners<N> {
    pub(super) fn new() -> Self {
        Self { entries: Vec::new(), first: 0, ready: false, paused_until: None }
    }

    pub(super) fn add(&mut self, net: &mut N, mut listener: N::Listener) -> io::Result<()> {
        net.listen(&mut listener, TOKEN_LAST - self.entries.len() as u64)?;
        self.entries.push(Some(listener));
        self.ready = true;
        Ok(())
    }

    /// Whether the token is a listener's; then its readiness is noted.
    pub(super) fn handle_ready(&mut self, token: u64) -> bool {
        let mine =
            TOKEN_LAST.checked_sub(token).is_some_and(|index| index < self.entries.len() as u64);
        self.ready |= mine;
        mine
    }

    pub(super) fn is_ready(&self, now: Duration) -> bool {
        self.ready && self.paused_until.is_none_or(|until| until <= now)
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.paused_until.filter(|_| self.ready)
    }

    /// Accepts up to `max` connections and hands each to `take`.
    pub(super) fn accept(
        &mut self,
        net: &mut N,
        max: usize,
        mut take: impl FnMut(&mut N, super::net::Accepted<N::Stream>),
    ) -> (Accepting, u64) {
        let (mut left, mut errors) = (max, 0);
        let len = self.entries.len();
        let first = self.first;
        self.first = (first + 1) % len.max(1);
        for index in 0..len {
            let Some(listener) = &mut self.entries[(first + index) % len] else { continue };
            loop {
                if left == 0 {
                    return (Accepting::More, errors);
                }
                match net.accept(listener) {
                    Ok(accepted) => take(net, accepted),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // A connection that was reset while it waited, or an interruption: the next
                    // in line may be well.
                    Err(error) if is_passing(&error) => errors += 1,
                    Err(error) if is_exhausted(&error) => {
                        return (Accepting::Exhausted, errors + 1);
                    }
                    Err(_) => return (Accepting::Failed, errors + 1),
                }
                // A look at an empty backlog is no work: the next listener's is looked at too.
                left -= 1;
            }
        }
        self.ready = false;
        (Accepting::Done, errors)
    }

    pub(super) fn pause(&mut self, now: Duration) {
        self.paused_until = Some(now.saturating_add(PAUSE));
    }

    /// A descriptor has become free.
    pub(super) fn resume(&mut self) {
        self.paused_until = None;
    }

    pub(super) fn close(&mut self, net: &mut N) {
        for listener in self.entries.drain(..).flatten() {
            net.close_listener(listener);
        }
        self.ready = false;
    }
}

/// It concerns one connection only, or nothing at all.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// Out of descriptors (of the process or the system), buffers or memory.
fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE | ENOBUFS | ENOMEM))
        || error.kind() == io::ErrorKind::OutOfMemory
}

/// Listeners count down from here; connections' tokens never come near.
const TOKEN_LAST: u64 = u64::MAX - 1;
/// Long enough not to spin, short enough not to be felt as an outage.
const PAUSE: Duration = Duration::from_millis(100);
const ENOMEM: i32 = 12;
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const ENOBUFS: i32 = 105;
