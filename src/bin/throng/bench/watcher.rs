//! Watching the server while a run goes on: one sample a second, and one at each edge of a phase.
//!
//! ```text
//! before · connected · measured from · to        CPU 3.10 s -> 4.87 s, RSS 9.1 MB -> 18.4 MB
//! ```

use std::io;
use std::time::Duration;

use super::clock::monotonic_ns;
use super::watch::{ProcessSample, ProcessUse, ProcessWatch, socket_memory_bytes};

/// The processes of a server; none where no `--pid` names them.
#[derive(Debug)]
pub(crate) struct Watcher {
    watches: Vec<ProcessWatch>,
    pub(crate) resident_max: u64,
    pub(crate) socket_memory_max: u64,
}

/// All processes at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) at_ns: u64,
    processes: Vec<ProcessSample>,
    pub(crate) socket_memory_bytes: u64,
}

impl Watcher {
    pub(crate) fn new(pids: &[u32]) -> io::Result<Self> {
        let watches = pids.iter().map(|pid| ProcessWatch::new(*pid)).collect::<Result<_, _>>()?;
        Ok(Self { watches, resident_max: 0, socket_memory_max: 0 })
    }

    /// The command line of each process.
    pub(crate) fn commands(&self) -> Vec<Vec<String>> {
        self.watches.iter().map(ProcessWatch::command).collect()
    }

    pub(crate) fn sample(&mut self) -> io::Result<Sample> {
        let processes =
            self.watches.iter_mut().map(ProcessWatch::sample).collect::<Result<_, _>>()?;
        let socket_memory_bytes = socket_memory_bytes().unwrap_or(0);
        let sample = Sample { at_ns: monotonic_ns(), processes, socket_memory_bytes };
        self.resident_max = self.resident_max.max(sample.resident_bytes());
        self.socket_memory_max = self.socket_memory_max.max(socket_memory_bytes);
        Ok(sample)
    }
}

impl Sample {
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.processes.iter().map(|process| process.resident_bytes).sum()
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
