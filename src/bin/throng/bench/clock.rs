//! The two clocks of a run: the monotonic one that schedules follow, and the wall clock that the
//! kernel stamps receipts with and that events carry, since all processes of a run share it.
//!
//! ```text
//! monotonic 81234.5 s  +  offset  =  wall 1795300000.1 s
//! ```

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Converts between the clocks, by one offset for all shards of a run and all its time: whether a
/// send belongs to the measured part is asked in both clocks, and must have one answer.
///
/// The offset is lasting: the system slews both clocks alike, and only who sets the wall clock
/// moves it against the other, which is noted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    offset_ns: u64,
    step_ns_max: u64,
}

impl Clock {
    pub(crate) fn new(offset_ns: u64) -> Self {
        Self { offset_ns, step_ns_max: 0 }
    }

    /// Reads both clocks, and returns the monotonic time.
    pub(crate) fn refresh(&mut self) -> u64 {
        let reading = Reading::take();
        // A reading that was interrupted would look like a step of the clock.
        if reading.width < READING_NS_MAX {
            self.step_ns_max = self.step_ns_max.max(reading.offset.abs_diff(self.offset_ns));
        }
        reading.now
    }

    pub(crate) fn to_wall(self, monotonic_ns: u64) -> u64 {
        monotonic_ns.saturating_add(self.offset_ns)
    }

    pub(crate) fn to_monotonic(self, wall_ns: u64) -> u64 {
        wall_ns.saturating_sub(self.offset_ns)
    }

    /// The most that the wall clock was away from where the offset has it.
    pub(crate) fn step_ns_max(self) -> u64 {
        self.step_ns_max
    }
}

/// From the monotonic clock to the wall clock, as the narrowest of several readings has it.
pub(crate) fn wall_offset_ns() -> u64 {
    let readings = (0..READINGS).map(|_| Reading::take());
    readings.min_by_key(|reading| reading.width).map_or(0, |reading| reading.offset)
}

/// Both clocks at once, as far as that goes; nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Reading {
    /// The monotonic time.
    now: u64,
    /// From there to the wall clock.
    offset: u64,
    /// How long it took: the offset is uncertain by so much.
    width: u64,
}

impl Reading {
    fn take() -> Self {
        let before = monotonic_ns();
        let wall = wall_ns();
        let now = monotonic_ns();
        let width = now.saturating_sub(before);
        Self { now, offset: wall.saturating_sub(before), width }
    }
}

pub(crate) fn monotonic_ns() -> u64 {
    to_ns(clock_gettime(ClockId::Monotonic))
}

pub(crate) fn wall_ns() -> u64 {
    to_ns(clock_gettime(ClockId::Realtime))
}

fn to_ns(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

const READINGS: u32 = 16;
const READING_NS_MAX: u64 = 20_000;
