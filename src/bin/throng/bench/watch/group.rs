//! What the control groups of processes use, in version 2: the memory that the kernel charges to
//! them for their sockets too, and how often they were held back for want of processor time.
//!
//! The root of all groups counts nothing of its own, and version 1 counts in other ways: where
//! there is neither, nothing is told.
//!
//! ```text
//! /proc/4711/cgroup      0::/system.slice/chat.service
//! memory.current 41943040      memory.stat: .. sock 4096 .. slab 1212416 ..
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The groups of several processes, each once.
#[derive(Debug, Default)]
pub(crate) struct GroupWatch {
    folders: Vec<PathBuf>,
    paths: Vec<String>,
    has_us: bool,
}

/// All groups at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupSample {
    /// All that is charged to them.
    pub(crate) memory_bytes: u64,
    /// Of it, what data in sockets takes.
    pub(crate) socket_bytes: u64,
    /// Of it, the kernel's objects: sockets, descriptors and whatever else they have.
    pub(crate) slab_bytes: u64,
    pub(crate) cpu: Duration,
    /// Periods in which they had to wait, and for how long, where their processor time is limited.
    pub(crate) throttles: u64,
    pub(crate) throttled: Duration,
}

impl GroupWatch {
    /// The groups of these processes, as far as they can be read.
    pub(crate) fn new(pids: &[u32]) -> Self {
        let of = |process: &str| path_of(&read(&format!("/proc/{process}/cgroup"))?);
        let ours = of("self");
        let mut watch = Self::default();
        for path in pids.iter().filter_map(|pid| of(&pid.to_string())) {
            let folders = MOUNTS.iter().map(|mount| Path::new(mount).join(path.trim_matches('/')));
            let mut known = folders.filter(|folder| folder.join("memory.current").exists());
            let Some(folder) = known.next().filter(|_| !watch.paths.contains(&path)) else {
                continue;
            };
            watch.has_us |= ours.as_ref() == Some(&path);
            watch.folders.push(folder);
            watch.paths.push(path);
        }
        watch
    }

    /// As the kernel names them, relative to its mount.
    pub(crate) fn paths(&self) -> &[String] {
        &self.paths
    }

    /// Whether this process is in one of them, and all it uses is in their sums.
    pub(crate) fn has_us(&self) -> bool {
        self.has_us
    }

    /// `None` where there is no group, or one can't be read any more.
    pub(crate) fn sample(&self) -> Option<GroupSample> {
        if self.folders.is_empty() {
            return None;
        }
        let mut sum = GroupSample::default();
        for folder in &self.folders {
            let text = |name: &str| fs::read_to_string(folder.join(name)).ok();
            let memory_bytes = text("memory.current")?.trim().parse().ok()?;
            let memory = text("memory.stat").unwrap_or_default();
            sum = sum.plus(GroupSample {
                memory_bytes,
                ..parse(&memory, &text("cpu.stat").unwrap_or_default())
            });
        }
        Some(sum)
    }
}

impl GroupSample {
    fn plus(self, other: Self) -> Self {
        Self {
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
            socket_bytes: self.socket_bytes.saturating_add(other.socket_bytes),
            slab_bytes: self.slab_bytes.saturating_add(other.slab_bytes),
            cpu: self.cpu.saturating_add(other.cpu),
            throttles: self.throttles.saturating_add(other.throttles),
            throttled: self.throttled.saturating_add(other.throttled),
        }
    }
}

/// The group of version 2 in `/proc/<pid>/cgroup`.
fn path_of(groups: &str) -> Option<String> {
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    // From within another namespace, what lies outside of ours can't be found by its path.
    (!path.contains("..")).then(|| path.to_owned())
}

fn parse(memory: &str, cpu: &str) -> GroupSample {
    let find = |text: &str, name: &str| {
        let mut pairs = text.lines().filter_map(|line| line.split_once(' '));
        // A kernel that doesn't know a name has never counted it.
        let found = pairs.find(|(one, _)| *one == name);
        found.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0)
    };
    GroupSample {
        memory_bytes: 0,
        socket_bytes: find(memory, "sock"),
        slab_bytes: find(memory, "slab"),
        cpu: Duration::from_micros(find(cpu, "usage_usec")),
        throttles: find(cpu, "nr_throttled"),
        throttled: Duration::from_micros(find(cpu, "throttled_usec")),
    }
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// Version 2 alone, and beside version 1.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_of_version_2_is_found_among_others() {
        let both = "4:memory:/docker/3f9a\n0::/system.slice/chat.service\n";
        assert_eq!(path_of(both).as_deref(), Some("/system.slice/chat.service"));
        assert_eq!(path_of("0::/\n").as_deref(), Some("/"));
        assert_eq!(path_of("4:memory:/docker/3f9a\n"), None);
        assert_eq!(path_of("0::/../chat.service\n"), None);
    }

    #[test]
    fn figures_are_found_by_their_names() {
        let memory = "anon 1000\nkernel 9000\nsock 4096\nslab_reclaimable 5\nslab 1212416\n";
        let cpu = "usage_usec 2500000\nuser_usec 1\nnr_periods 9\nnr_throttled 3\n\
                   throttled_usec 45000\n";
        let sample = parse(memory, cpu);
        assert_eq!((sample.socket_bytes, sample.slab_bytes), (4_096, 1_212_416));
        assert_eq!(sample.cpu, Duration::from_millis(2_500));
        assert_eq!((sample.throttles, sample.throttled), (3, Duration::from_millis(45)));
        assert_eq!(parse("", "usage_usec x\n"), GroupSample::default());
        let sum = sample.plus(sample);
        assert_eq!((sum.slab_bytes, sum.throttles), (2_424_832, 6));
    }

    /// Where there is a group that counts; elsewhere nothing is told.
    #[test]
    fn this_process_is_in_its_own_group() {
        let watch = GroupWatch::new(&[std::process::id(), std::process::id()]);
        assert!(watch.paths().len() <= 1);
        assert_eq!(watch.sample().is_some(), watch.has_us());
        assert!(watch.sample().is_none_or(|sample| sample.memory_bytes > 500_000));
        assert_eq!(GroupWatch::new(&[]).sample(), None);
    }
}
