//! The two clocks of a run: the monotonic one that schedules follow, and the wall clock that the
//! kernel stamps receipts with and that events carry, since all processes of a run share it.
//!
//! ```text
//! monotonic 81234.5 s  +  offset  =  wall 1795300000.1 s
//! ```

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Converts between the clocks; read again in every turn, so that a slewed wall clock is followed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    offset_ns: u64,
    first_offset_ns: u64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let offset_ns = offset_ns();
        Self { offset_ns, first_offset_ns: offset_ns }
    }

    /// Reads both clocks, and returns the monotonic time.
    pub(crate) fn refresh(&mut self) -> u64 {
        let now = monotonic_ns();
        self.offset_ns = wall_ns().saturating_sub(now);
        now
    }

    pub(crate) fn to_wall(self, monotonic_ns: u64) -> u64 {
        monotonic_ns.saturating_add(self.offset_ns)
    }

    pub(crate) fn to_monotonic(self, wall_ns: u64) -> u64 {
        wall_ns.saturating_sub(self.offset_ns)
    }

    /// How far the wall clock moved against the monotonic one since the beginning.
    pub(crate) fn drift_ns(self) -> u64 {
        self.offset_ns.abs_diff(self.first_offset_ns)
    }
}

pub(crate) fn monotonic_ns() -> u64 {
    to_ns(clock_gettime(ClockId::Monotonic))
}

pub(crate) fn wall_ns() -> u64 {
    to_ns(clock_gettime(ClockId::Realtime))
}

/// Processor time of the calling thread.
pub(crate) fn thread_cpu_ns() -> u64 {
    to_ns(clock_gettime(ClockId::ThreadCPUTime))
}

fn offset_ns() -> u64 {
    let before = monotonic_ns();
    wall_ns().saturating_sub(before)
}

fn to_ns(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}
