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
    step_ns_max: u64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let before = monotonic_ns();
        Self { offset_ns: wall_ns().saturating_sub(before), step_ns_max: 0 }
    }

    /// Reads both clocks, and returns the monotonic time.
    pub(crate) fn refresh(&mut self) -> u64 {
        let before = monotonic_ns();
        let wall = wall_ns();
        let after = monotonic_ns();
        // A reading that was interrupted would look like a step of the clock.
        if after.saturating_sub(before) < READING_NS_MAX {
            let offset_ns = wall.saturating_sub(before);
            self.step_ns_max = self.step_ns_max.max(offset_ns.abs_diff(self.offset_ns));
            self.offset_ns = offset_ns;
        }
        after
    }

    pub(crate) fn to_wall(self, monotonic_ns: u64) -> u64 {
        monotonic_ns.saturating_add(self.offset_ns)
    }

    /// The most that the wall clock moved against the monotonic one from one reading to the next.
    pub(crate) fn step_ns_max(self) -> u64 {
        self.step_ns_max
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

fn to_ns(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

const READING_NS_MAX: u64 = 20_000;
