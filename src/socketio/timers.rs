//! Timers: those of the protocol, and the host's on the same deadlines.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use super::adapter::QuestionId;
use super::namespaces::NamespaceId;
use super::packet::AckId;
use super::rooms::SocketKey;
use super::{Hub, Io};
use crate::deadlines::DeadlineId;
use crate::slots::{ConnectionKey, Key, SessionKey, Slots};

/// Whom a deadline concerns.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Timer {
    /// Engine.IO: a heartbeat, a probe, a close that waits.
    Session(SessionKey),
    /// Engine.IO: a client of EIO 3 that waits for its open packet.
    Greeting(ConnectionKey),
    /// A client that has not joined a namespace.
    Connect(SessionKey),
    /// An acknowledgement that was asked for.
    Ack(SocketKey, AckId),
    /// An event that several were asked to acknowledge.
    Question(QuestionId),
    /// A deadline of a namespace's adapter.
    Adapter(NamespaceId),
    /// A timer of the host's.
    Host(Key<HostTimer>),
}

/// Names a timer of the host's, for [`Io::cancel`].
///
/// ```
/// use std::time::Duration;
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// let timer = server.io().every(Duration::from_secs(1), |_| println!("tick"));
/// assert!(server.io().cancel(timer));
/// assert!(!server.io().cancel(timer));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerId(Key<HostTimer>);

/// A timer of the host's.
pub(crate) struct HostTimer {
    deadline: Option<DeadlineId>,
    run: Run,
}

enum Run {
    Once(Option<RunOnce>),
    Every { period: Duration, due: Duration, run: Rc<dyn Fn(Io<'_>)> },
}

/// The host's timers.
pub(super) struct HostTimers(Slots<HostTimer>);

impl Default for HostTimers {
    fn default() -> Self {
        Self(Slots::with_capacity(0))
    }
}

impl Hub {
    pub(super) fn after(&self, delay: Duration, run: RunOnce) -> TimerId {
        let state = &mut *self.state.borrow_mut();
        let timer = HostTimer { deadline: None, run: Run::Once(Some(run)) };
        let key = state.host_timers.0.insert(timer);
        // One without delay is due in the next turn, also where the clock is of whole milliseconds:
        // a closure that sets itself again must not keep this turn from ending.
        let delay = delay.max(Duration::from_nanos(1));
        self::schedule(state, key, state.now.monotonic.saturating_add(delay));
        TimerId(key)
    }

    pub(super) fn every(&self, period: Duration, run: Rc<dyn Fn(Io<'_>)>) -> TimerId {
        let state = &mut *self.state.borrow_mut();
        // A shorter one would only fire late.
        let period = period.max(state.timers.resolution());
        let due = state.now.monotonic.saturating_add(period);
        let timer = HostTimer { deadline: None, run: Run::Every { period, due, run } };
        let key = state.host_timers.0.insert(timer);
        self::schedule(state, key, due);
        TimerId(key)
    }

    pub(super) fn cancel(&self, id: TimerId) -> bool {
        let removed = {
            let state = &mut *self.state.borrow_mut();
            let removed = state.host_timers.0.remove(id.0);
            if let Some(deadline) = removed.as_ref().and_then(|timer| timer.deadline) {
                state.timers.cancel(deadline);
            }
            removed
        };
        removed.is_some()
    }

    /// Handles a deadline that isn't Engine.IO's.
    pub(crate) fn handle_timer(self: &Rc<Self>, timer: Timer) {
        match timer {
            Timer::Session(_) | Timer::Greeting(_) => {}
            Timer::Connect(session) => self.handle_connect_timeout(session),
            Timer::Ack(key, id) => self.handle_ack_timeout(key, id),
            Timer::Question(question) => self.handle_question_timeout(question),
            Timer::Adapter(namespace) => self.handle_adapter_deadline(namespace),
            Timer::Host(key) => self.run_host_timer(key),
        }
    }

    fn run_host_timer(self: &Rc<Self>, key: Key<HostTimer>) {
        let run = {
            let state = &mut *self.state.borrow_mut();
            let now = state.now.monotonic;
            let Some(timer) = state.host_timers.0.get_mut(key) else { return };
            timer.deadline = None;
            match &mut timer.run {
                Run::Once(run) => {
                    let run = run.take();
                    state.host_timers.0.remove(key);
                    Due::Once(run)
                }
                Run::Every { period, due, run } => {
                    let run = Rc::clone(run);
                    // Periods that were missed are skipped, and the phase is kept.
                    let missed = now.saturating_sub(*due).as_nanos() / period.as_nanos();
                    let steps = u32::try_from(missed).unwrap_or(u32::MAX).saturating_add(1);
                    *due = due.saturating_add(period.saturating_mul(steps));
                    let due = *due;
                    self::schedule(state, key, due);
                    Due::Every(run)
                }
            }
        };
        self.run_unbound(|| match run {
            Due::Once(Some(run)) => run(Io::new(self)),
            Due::Once(None) => {}
            Due::Every(run) => run(Io::new(self)),
        });
    }
}

type RunOnce = Box<dyn FnOnce(Io<'_>)>;

enum Due {
    Once(Option<RunOnce>),
    Every(Rc<dyn Fn(Io<'_>)>),
}

fn schedule(state: &mut super::State, key: Key<HostTimer>, at: Duration) {
    let deadline = state.timers.schedule(at, Timer::Host(key));
    if let Some(timer) = state.host_timers.0.get_mut(key) {
        timer.deadline = Some(deadline);
    }
}

impl fmt::Debug for HostTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.run {
            Run::Once(_) => "HostTimer::Once",
            Run::Every { .. } => "HostTimer::Every",
        })
    }
}
