//! The alarm: a timer descriptor in the reactor's epoll, finer than the milliseconds that epoll
//! itself waits in, and seen from outside by whoever waits for the reactor's descriptor.
//!
//! It is registered edge-triggered, so going off is told once and nothing needs to be read.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};

/// Goes off at a moment of the server's clock.
#[derive(Debug)]
pub(super) struct Alarm {
    timer: OwnedFd,
    /// When the server's clock began, on the system's.
    epoch: Duration,
    at: Option<Duration>,
}

impl Alarm {
    /// The server's clock began shortly before: the alarm is never early.
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { timer, epoch: monotonic(), at: None })
    }

    /// Sets it to a moment, at once if that has passed, or to none; a call only if that is another
    /// than before, or if it has gone off since.
    pub(super) fn set(&mut self, at: Option<Duration>) {
        if self.at == at && (at.is_none() || self.is_ahead()) {
            return;
        }
        // What is all zero would mean none; the system's clock is never so young.
        let value = at.map_or(Duration::ZERO, |at| self.epoch.saturating_add(at));
        let value = Itimerspec { it_interval: timespec(Duration::ZERO), it_value: timespec(value) };
        let set = timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &value);
        self.at = if set.is_ok() { at } else { None };
    }

    /// Whether it is still to go off, so that a wait without bound ends.
    pub(super) fn is_ahead(&self) -> bool {
        self.at.is_some_and(|at| self.epoch.saturating_add(at) > monotonic())
    }
}

/// The system's clock, which doesn't jump.
pub(super) fn monotonic() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or_default())
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}
