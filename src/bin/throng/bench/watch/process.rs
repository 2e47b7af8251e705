//! Watches one process together with its children: a cluster of workers is one server.
//!
//! A child that ends keeps what it was last seen to have used; what it used after that is lost to
//! the account, so a sample each second is good practice.
//!
//! ```text
//! node cluster.js (4711)    worker (4712)    worker (4713)      one sample, their sum
//! ```

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::time::Duration;

use nix::time::ClockId;
use nix::unistd::Pid;
use procfs::process::{Process, Stat, all_processes};
use procfs::{ProcError, ProcResult, page_size, ticks_per_second};

use super::account::{Account, Reading, Switches, Used};

/// Samples one process and its children.
#[derive(Debug)]
pub(crate) struct ProcessWatch {
    process: Process,
    pid: u32,
    counts_descriptors: bool,
    /// By process id and start, as ids are used again.
    accounts: HashMap<(i32, u64), Account>,
}

/// What a process and its children used since they began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProcessSample {
    /// On a processor. Told in nanoseconds; a thread that runs just now is behind by up to a tick
    /// of the scheduler, 1 to 10 ms.
    pub(crate) cpu: Duration,
    /// In ticks, 10 ms as a rule.
    pub(crate) cpu_user: Duration,
    /// In ticks, 10 ms as a rule.
    pub(crate) cpu_system: Duration,
    /// Now. Kernels 6.2 to 6.15 count it in batches and may be off by some hundred KiB.
    pub(crate) resident_bytes: u64,
    /// The most that was resident at any time; `None` where the kernel doesn't tell.
    pub(crate) resident_high_bytes: Option<u64>,
    /// Open ones, where they are to be counted and may be.
    pub(crate) descriptors: Option<u64>,
    pub(crate) voluntary_switches: u64,
    pub(crate) involuntary_switches: u64,
    /// Now.
    pub(crate) threads: u64,
    /// Now, the watched one and its children.
    pub(crate) processes: u64,
}

/// What was used between two samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProcessUse {
    pub(crate) cpu: Duration,
    pub(crate) cpu_user: Duration,
    pub(crate) cpu_system: Duration,
    pub(crate) voluntary_switches: u64,
    pub(crate) involuntary_switches: u64,
}

impl ProcessWatch {
    /// Fails where there is no such process, or none that may be read.
    pub(crate) fn new(pid: u32) -> io::Result<Self> {
        let absent = || io::Error::new(io::ErrorKind::NotFound, format!("no process {pid}"));
        let id = i32::try_from(pid).map_err(|_| absent())?;
        let process = Process::new(id).map_err(|error| match error {
            ProcError::NotFound(_) => absent(),
            error => unreadable(pid, &error),
        })?;
        Ok(Self { process, pid, counts_descriptors: false, accounts: HashMap::new() })
    }

    /// Counts open descriptors too, which takes the longer the more there are.
    pub(crate) fn count_descriptors(&mut self) {
        self.counts_descriptors = true;
    }

    /// Its command line, program first, up to some thousand bytes; empty where it can't be read.
    pub(crate) fn command(&self) -> Vec<String> {
        let Ok(bytes) = fs::read(format!("/proc/{}/cmdline", self.pid)) else {
            return Vec::new();
        };
        words(&bytes)
    }

    /// All threads of it and its children, as they are now.
    pub(crate) fn threads(&self) -> Vec<i32> {
        let mut parents = Parents::Unread;
        let mut seen = HashSet::new();
        let mut waiting = vec![self.process.pid()];
        let mut threads = Vec::new();
        while let Some(pid) = waiting.pop() {
            // A child that ends just now is no fault.
            let Some(process) = Process::new(pid).ok().filter(|_| seen.insert(pid)) else {
                continue;
            };
            let tasks = process.tasks().into_iter().flatten().flatten();
            threads.extend(tasks.map(|task| task.tid));
            waiting.extend(parents.children_of(&process));
        }
        threads
    }

    /// Fails once the process has ended, even where its children live on.
    pub(crate) fn sample(&mut self) -> io::Result<ProcessSample> {
        let mut sample = ProcessSample {
            resident_high_bytes: Some(0),
            descriptors: self.counts_descriptors.then_some(0),
            ..ProcessSample::default()
        };
        self.visit_watched(&mut sample)?;
        let mut parents = Parents::Unread;
        let mut seen = HashSet::from([self.process.pid()]);
        let mut waiting = parents.children_of(&self.process);
        while let Some(pid) = waiting.pop() {
            if !seen.insert(pid) {
                continue;
            }
            // A child that ends just now is no fault.
            let Ok(child) = Process::new(pid) else { continue };
            if visit(&child, &mut self.accounts, &mut sample).is_ok() {
                waiting.extend(parents.children_of(&child));
            }
        }
        let used = self.accounts.values().fold(Used::default(), |sum, one| sum.plus(one.used()));
        sample.cpu = used.cpu;
        sample.cpu_user = used.cpu_user;
        sample.cpu_system = used.cpu_system;
        sample.voluntary_switches = used.switches.voluntary;
        sample.involuntary_switches = used.switches.involuntary;
        Ok(sample)
    }

    fn visit_watched(&mut self, sample: &mut ProcessSample) -> io::Result<()> {
        match visit(&self.process, &mut self.accounts, sample) {
            Ok(Life::Running) => Ok(()),
            Ok(Life::Ended) => Err(self.ended()),
            Err(_) if !self.process.is_alive() => Err(self.ended()),
            Err(error) => Err(unreadable(self.pid, &error)),
        }
    }

    fn ended(&self) -> io::Error {
        let text = format!("process {} has ended", self.pid);
        io::Error::new(io::ErrorKind::NotFound, text)
    }
}

impl ProcessSample {
    /// What was used from an earlier sample of the same watch to this one.
    pub(crate) fn since(&self, earlier: &Self) -> ProcessUse {
        ProcessUse {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            cpu_user: self.cpu_user.saturating_sub(earlier.cpu_user),
            cpu_system: self.cpu_system.saturating_sub(earlier.cpu_system),
            voluntary_switches: self.voluntary_switches.saturating_sub(earlier.voluntary_switches),
            involuntary_switches: self
                .involuntary_switches
                .saturating_sub(earlier.involuntary_switches),
        }
    }
}

impl ProcessUse {
    /// Share of one core over a time: 1.0 is a whole one.
    pub(crate) fn core_share(&self, over: Duration) -> f64 {
        if over.is_zero() { 0.0 } else { self.cpu.as_secs_f64() / over.as_secs_f64() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// At least one of its threads lives.
    Running,
    /// It only waits for its parent to ask for its exit code.
    Ended,
}

/// Who is whose parent, for kernels that don't list children.
#[derive(Debug)]
enum Parents {
    /// Nobody needed it so far.
    Unread,
    /// Children by parent.
    Read(HashMap<i32, Vec<i32>>),
}

impl Parents {
    fn children_of(&mut self, process: &Process) -> Vec<i32> {
        listed_children(process).unwrap_or_else(|_| self.search(process.pid()))
    }

    fn search(&mut self, parent: i32) -> Vec<i32> {
        if let Self::Unread = self {
            let mut children = HashMap::<i32, Vec<i32>>::new();
            let all = all_processes().into_iter().flatten().flatten();
            for stat in all.filter_map(|one| one.stat().ok()) {
                children.entry(stat.ppid).or_default().push(stat.pid);
            }
            *self = Self::Read(children);
        }
        match self {
            Self::Unread => Vec::new(),
            Self::Read(children) => children.get(&parent).cloned().unwrap_or_default(),
        }
    }
}

fn listed_children(process: &Process) -> ProcResult<Vec<i32>> {
    let mut children = process.task_main_thread()?.children()?;
    for task in process.tasks()?.flatten().filter(|task| task.tid != process.pid()) {
        // A thread that ended meanwhile has passed its children on.
        children.extend(task.children().unwrap_or_default());
    }
    Ok(children.into_iter().filter_map(|pid| i32::try_from(pid).ok()).collect())
}

fn visit(
    process: &Process,
    accounts: &mut HashMap<(i32, u64), Account>,
    sample: &mut ProcessSample,
) -> ProcResult<Life> {
    let stat = process.stat()?;
    let (cpu_user, cpu_system) = (ticks(stat.utime), ticks(stat.stime));
    let reading = Reading {
        // Without the clock ticks are all there is, each of the two cut to whole ones.
        cpu: clock(&stat).unwrap_or_else(|| cpu_user.saturating_add(cpu_system)),
        cpu_user,
        cpu_system,
        threads: read_threads(process),
    };
    accounts.entry((stat.pid, stat.starttime)).or_default().handle_reading(reading);
    let threads = u64::try_from(stat.num_threads).unwrap_or_default();
    if matches!(stat.state, 'Z' | 'X') && threads <= 1 {
        return Ok(Life::Ended);
    }
    let pages = process.statm()?.resident;
    sample.resident_bytes = sample.resident_bytes.saturating_add(pages.saturating_mul(page_size()));
    // A process and its children had their most at different times: the sum is no less than what
    // all had at one.
    let high = process.status().ok().and_then(|status| status.vmhwm);
    sample.resident_high_bytes =
        sample.resident_high_bytes.zip(high).map(|(sum, kib)| sum + kib * 1_024);
    if let Some(sum) = sample.descriptors {
        let open = process.fd_count().ok().and_then(|count| u64::try_from(count).ok());
        sample.descriptors = open.map(|open| sum + open);
    }
    sample.threads = sample.threads.saturating_add(threads);
    sample.processes = sample.processes.saturating_add(1);
    Ok(Life::Running)
}

/// Processor time of a whole process, ended threads included.
fn clock(stat: &Stat) -> Option<Duration> {
    let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(stat.pid)).ok()?;
    Some(Duration::from(clock.now().ok()?))
}

fn ticks(count: u64) -> Duration {
    let nanos = u128::from(count) * 1_000_000_000 / u128::from(ticks_per_second().max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn read_threads(process: &Process) -> Vec<(i32, Switches)> {
    let tasks = process.tasks().into_iter().flatten().flatten();
    let readings = tasks.filter_map(|task| {
        // A thread that ends meanwhile is no fault.
        let status = task.status().ok()?;
        let switches = Switches {
            voluntary: status.voluntary_ctxt_switches?,
            involuntary: status.nonvoluntary_ctxt_switches?,
        };
        Some((task.tid, switches))
    });
    readings.collect()
}

/// Each ends with a zero byte, and an empty one is a word as well.
fn words(bytes: &[u8]) -> Vec<String> {
    let kept = bytes.get(..COMMAND_BYTES_MAX).unwrap_or(bytes);
    let kept = kept.strip_suffix(&[0]).unwrap_or(kept);
    if kept.is_empty() {
        return Vec::new();
    }
    kept.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

fn unreadable(pid: u32, error: &ProcError) -> io::Error {
    io::Error::other(format!("can't read process {pid}: {error}"))
}

/// The kernel allows two million: a result is to stay readable.
const COMMAND_BYTES_MAX: usize = 8_192;

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::bench::watch::{process_cpu, thread_cpu};

    /// A shell that has a child of its own and ends when its standard input does.
    fn family() -> Child {
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 600 & echo; read _; kill $!"]);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    }

    fn wait_for_line(child: &mut Child) {
        let mut byte = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut byte).unwrap();
    }

    #[test]
    fn this_process_is_told_as_its_own_clock_tells_it() {
        let mut watch = ProcessWatch::new(std::process::id()).unwrap();
        let before = watch.sample().unwrap();
        let begun = process_cpu();
        let until = thread_cpu() + Duration::from_millis(60);
        while thread_cpu() < until {}
        let used = process_cpu().saturating_sub(begun);
        let after = watch.sample().unwrap();
        let most = process_cpu();
        // Other tests run in other threads, each behind by a tick when it is read.
        assert!(after.since(&before).cpu >= used.saturating_sub(Duration::from_millis(40)));
        // Children of other tests are ours too, and do next to nothing.
        assert!(after.cpu <= most + Duration::from_millis(200), "{after:?}, {most:?}");
        assert!(after.resident_bytes > 500_000, "{after:?}");
        assert!(after.threads >= 1 && after.processes >= 1);
    }

    #[test]
    fn threads_that_ended_are_in_it() {
        let mut watch = ProcessWatch::new(std::process::id()).unwrap();
        let before = watch.sample().unwrap();
        let worked = std::thread::spawn(|| {
            while thread_cpu() < Duration::from_millis(60) {}
            thread_cpu()
        });
        let worked = worked.join().unwrap();
        let used = watch.sample().unwrap().since(&before);
        assert!(used.cpu >= worked, "{used:?}, {worked:?}");
    }

    #[test]
    fn ticks_are_told_in_time() {
        let per_second = ticks_per_second();
        assert_eq!(ticks(per_second * 3 / 2), Duration::from_millis(1_500));
        assert_eq!(ticks(0), Duration::ZERO);
        assert!(ticks(u64::MAX) > Duration::from_secs(1));
    }

    #[test]
    fn children_belong_to_their_parent() {
        let mut family = family();
        wait_for_line(&mut family);
        let mut watch = ProcessWatch::new(family.id()).unwrap();
        let sample = watch.sample().unwrap();
        assert_eq!((sample.processes, sample.threads), (2, 2));
        let parent = i32::try_from(family.id()).unwrap();
        assert_eq!(Parents::Unread.search(parent).len(), 1);
        drop(family.stdin.take());
        family.wait().unwrap();
        let error = watch.sample().unwrap_err();
        assert_eq!(error.to_string(), format!("process {parent} has ended"));
    }

    #[test]
    fn one_that_nobody_waited_for_has_ended() {
        let mut child = Command::new("true").stdout(Stdio::piped()).spawn().unwrap();
        let mut watch = ProcessWatch::new(child.id()).unwrap();
        let mut ended = false;
        // The exit becomes visible a little after the output is closed.
        for _ in 0..1_000_000 {
            ended = watch.sample().is_err();
            if ended {
                break;
            }
            std::thread::yield_now();
        }
        assert!(ended);
        child.wait().unwrap();
    }

    #[test]
    fn a_command_is_told_word_by_word() {
        let mut family = family();
        wait_for_line(&mut family);
        let command = ProcessWatch::new(family.id()).unwrap().command();
        assert_eq!(command, ["sh", "-c", "sleep 600 & echo; read _; kill $!"]);
        drop(family.stdin.take());
        family.wait().unwrap();
        assert_eq!(words(b"node\0\0--x=\xff\0"), ["node", "", "--x=\u{fffd}"]);
        assert_eq!(words(b""), Vec::<String>::new());
        assert_eq!(words(&[b'a'; 10_000]), ["a".repeat(8_192)]);
    }

    #[test]
    fn no_process_is_said_plainly() {
        let error = ProcessWatch::new(u32::MAX).unwrap_err();
        assert_eq!(error.to_string(), format!("no process {}", u32::MAX));
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_difference_is_taken_field_by_field() {
        let earlier = ProcessSample {
            cpu: Duration::from_secs(1),
            cpu_user: Duration::from_millis(600),
            cpu_system: Duration::from_millis(400),
            voluntary_switches: 10,
            involuntary_switches: 5,
            ..ProcessSample::default()
        };
        let later = ProcessSample {
            cpu: Duration::from_millis(1_500),
            cpu_user: Duration::from_millis(900),
            cpu_system: Duration::from_millis(600),
            voluntary_switches: 17,
            involuntary_switches: 5,
            ..ProcessSample::default()
        };
        let used = later.since(&earlier);
        assert_eq!(
            used,
            ProcessUse {
                cpu: Duration::from_millis(500),
                cpu_user: Duration::from_millis(300),
                cpu_system: Duration::from_millis(200),
                voluntary_switches: 7,
                involuntary_switches: 0,
            }
        );
        assert!((used.core_share(Duration::from_secs(2)) - 0.25).abs() < 1e-12);
    }
}
