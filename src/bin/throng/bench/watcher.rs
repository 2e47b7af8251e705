//! Watching the server while a run goes on: one sample a second, and one at each edge of a phase.
//!
//! ```text
//! before · connected · measured from · to        CPU 3.10 s -> 4.87 s, RSS 9.1 MB -> 18.4 MB
//! ```

use std::io;
use std::time::Duration;

use super::clock::monotonic_ns;
use super::watch::{
    GroupSample, GroupWatch, ProcessSample, ProcessUse, ProcessWatch, Syscalls,
    socket_memory_bytes, socket_slab_bytes,
};

/// The processes of a server; none where no `--pid` names them.
#[derive(Debug)]
pub(crate) struct Watcher {
    watches: Vec<ProcessWatch>,
    pub(crate) groups: GroupWatch,
    /// What counts their system calls, while they are to be counted.
    syscalls: Option<Syscalls>,
    pub(crate) resident_max: u64,
    pub(crate) socket_memory_max: u64,
}

/// All processes at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) at_ns: u64,
    processes: Vec<ProcessSample>,
    /// Since they are counted, while they are.
    syscalls: Option<u64>,
    pub(crate) socket_memory_bytes: u64,
    /// Of the control groups, where they can be read.
    pub(crate) groups: Option<GroupSample>,
}

impl Watcher {
    /// Where clients read slowly, descriptors are counted: the server's closing a client that reads
    /// nothing shows nowhere else.
    pub(crate) fn new(pids: &[u32], counts_descriptors: bool) -> io::Result<Self> {
        let watches = pids.iter().map(|pid| ProcessWatch::new(*pid));
        let mut watches: Vec<ProcessWatch> = watches.collect::<Result<_, _>>()?;
        if counts_descriptors {
            watches.iter_mut().for_each(ProcessWatch::count_descriptors);
        }
        let groups = GroupWatch::new(pids);
        Ok(Self { watches, groups, syscalls: None, resident_max: 0, socket_memory_max: 0 })
    }

    /// Counts system calls from now on; says why not where that can't be.
    pub(crate) fn count_syscalls(&mut self) -> Result<(), String> {
        let threads: Vec<i32> = self.watches.iter().flat_map(ProcessWatch::threads).collect();
        self.syscalls = Some(Syscalls::watch(&threads).map_err(|error| error.to_string())?);
        Ok(())
    }

    /// System calls since they are counted, which they are no more.
    pub(crate) fn take_syscalls(&mut self) -> Option<u64> {
        self.syscalls.take().and_then(|syscalls| syscalls.count())
    }

    /// What the kernel's objects for sockets take, where there is a server to hold it against. It
    /// looks through all of them: nothing for each second.
    pub(crate) fn slab_bytes(&self) -> Option<u64> {
        if self.watches.is_empty() { None } else { socket_slab_bytes() }
    }

    /// The command line of each process.
    pub(crate) fn commands(&self) -> Vec<Vec<String>> {
        self.watches.iter().map(ProcessWatch::command).collect()
    }

    pub(crate) fn sample(&mut self) -> io::Result<Sample> {
        let processes =
            self.watches.iter_mut().map(ProcessWatch::sample).collect::<Result<_, _>>()?;
        let socket_memory_bytes = socket_memory_bytes().unwrap_or(0);
        let syscalls = self.syscalls.as_ref().and_then(Syscalls::count);
        let groups = self.groups.sample();
        let at_ns = monotonic_ns();
        let sample = Sample { at_ns, processes, syscalls, socket_memory_bytes, groups };
        self.resident_max = self.resident_max.max(sample.resident_bytes());
        self.socket_memory_max = self.socket_memory_max.max(socket_memory_bytes);
        Ok(sample)
    }
}

impl Sample {
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.processes.iter().map(|process| process.resident_bytes).sum()
    }

    /// The sum of what each had at its most; `None` where that isn't known.
    pub(crate) fn resident_high_bytes(&self) -> Option<u64> {
        self.processes.iter().map(|process| process.resident_high_bytes).sum()
    }

    /// System calls since an earlier sample.
    pub(crate) fn syscalls_since(&self, earlier: &Self) -> Option<u64> {
        Some(self.syscalls?.saturating_sub(earlier.syscalls?))
    }

    pub(crate) fn descriptors(&self) -> Option<u64> {
        self.processes.iter().map(|process| process.descriptors).sum()
    }

    /// Processor time since the processes began.
    pub(crate) fn cpu(&self) -> Duration {
        self.processes.iter().map(|process| process.cpu).sum()
    }

    /// What was used since an earlier sample, and in what time.
    pub(crate) fn since(&self, earlier: &Self) -> (ProcessUse, Duration) {
        let mut total = ProcessUse::default();
        for (later, earlier) in self.processes.iter().zip(&earlier.processes) {
            let used = later.since(earlier);
            total.cpu += used.cpu;
            total.cpu_user += used.cpu_user;
            total.cpu_system += used.cpu_system;
            total.voluntary_switches += used.voluntary_switches;
            total.involuntary_switches += used.involuntary_switches;
        }
        (total, Duration::from_nanos(self.at_ns.saturating_sub(earlier.at_ns)))
    }
}
