//! Watching processes: what the server under test uses, what the generator itself uses, and what
//! the kernel holds and drops for both.
//!
//! It reads `/proc`, `/sys` and a clock and nothing else: who samples, how often, and what the
//! figures mean for a run is decided elsewhere.
//!
//! ```text
//! let mut watch = ProcessWatch::new(4711)?;
//! let before = watch.sample()?;
//! ..
//! let used = watch.sample()?.since(&before);    used.cpu: 1.203 s, used.voluntary_switches: 815
//! ```

mod account;
mod group;
mod kernel;
mod process;
mod slab;
mod syscalls;

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

pub(crate) use group::{GroupSample, GroupWatch};
pub(crate) use kernel::{KernelDrops, socket_memory_bytes};
pub(crate) use process::{ProcessSample, ProcessUse, ProcessWatch};
pub(crate) use slab::socket_slab_bytes;
pub(crate) use syscalls::{Syscalls, SyscallsError};

/// Processor time of the calling thread.
pub(crate) fn thread_cpu() -> Duration {
    read(ClockId::ThreadCPUTime)
}

/// Processor time of all threads of this process, those that ended included.
#[cfg(test)]
pub(crate) fn process_cpu() -> Duration {
    read(ClockId::ProcessCPUTime)
}

fn read(clock: ClockId) -> Duration {
    // Processor time is never negative, so the conversion never fails.
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_time_of_its_thread_and_of_the_process() {
        let (thread, process) = (thread_cpu(), process_cpu());
        while thread_cpu() < thread + Duration::from_millis(20) {}
        // The clock of a process may be a tick behind that of its running thread.
        assert!(process_cpu() >= process + Duration::from_millis(10));
    }

    #[test]
    fn another_threads_work_is_the_processes_alone() {
        let (thread, process) = (thread_cpu(), process_cpu());
        let worked = std::thread::spawn(|| {
            while thread_cpu() < Duration::from_millis(20) {}
            thread_cpu()
        });
        let worked = worked.join().unwrap();
        assert!(process_cpu() >= process + Duration::from_millis(15));
        assert!(thread_cpu() < thread + worked);
    }
}
