//! What the control groups of this process allow it, in version 2 and in version 1.
//!
//! ```text
//! 0::/user.slice/bench        /sys/fs/cgroup/user.slice/bench/cpu.max: 150000 100000    1.5 cores
//! 4:memory:/docker/3f9a       /sys/fs/cgroup/memory/docker/3f9a/memory.limit_in_bytes
//! ```

use super::files::Files;

/// The tightest limits on the way from the process's group to the root.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Limits {
    /// Processor time per time: 1.5 is one and a half cores.
    pub(super) cores: Option<f64>,
    pub(super) memory_bytes: Option<u64>,
}

impl Limits {
    pub(super) fn take(files: &impl Files) -> Self {
        let groups = files.read("/proc/self/cgroup").unwrap_or_default();
        let mut limits = Self::default();
        for line in groups.lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
            let has = |name| controllers.split(',').any(|controller| controller == name);
            // A container may see its own group as the root although it's told another path.
            for path in ancestors(path) {
                if controllers.is_empty() {
                    let folder = format!("{MOUNT}{path}");
                    limits.narrow(quota(files, &folder), maximum(files, &folder, "memory.max"));
                }
                if has("cpu") {
                    limits.narrow(first_quota(files, controllers, path), None);
                }
                if has("memory") {
                    let folder = format!("{MOUNT}/memory{path}");
                    limits.narrow(None, maximum(files, &folder, "memory.limit_in_bytes"));
                }
            }
        }
        limits
    }

    fn narrow(&mut self, cores: Option<f64>, memory_bytes: Option<u64>) {
        self.cores = [self.cores, cores].into_iter().flatten().reduce(f64::min);
        self.memory_bytes = [self.memory_bytes, memory_bytes].into_iter().flatten().min();
    }
}

/// A path and all above it, the root as an empty one.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path.trim_end_matches('/')), |path| {
        path.rfind('/').and_then(|cut| path.get(..cut))
    })
}

/// Version 2: `max 100000` or `150000 100000`.
fn quota(files: &impl Files, folder: &str) -> Option<f64> {
    let text = files.read(&format!("{folder}/cpu.max"))?;
    let mut words = text.split_whitespace();
    cores(words.next()?.parse().ok()?, words.next()?.parse().ok()?)
}

/// Version 1, mounted under the name of one controller or of several.
fn first_quota(files: &impl Files, controllers: &str, path: &str) -> Option<f64> {
    [controllers, "cpu"].into_iter().find_map(|mounted| {
        let file = |name| format!("{MOUNT}/{mounted}{path}/cpu.cfs_{name}_us");
        cores(files.number(&file("quota"))?, files.number(&file("period"))?)
    })
}

fn cores(quota_us: i64, period_us: i64) -> Option<f64> {
    let (quota, period) = (u32::try_from(quota_us).ok()?, u32::try_from(period_us).ok()?);
    (period > 0).then(|| f64::from(quota) / f64::from(period))
}

fn maximum(files: &impl Files, folder: &str, name: &str) -> Option<u64> {
    // No limit is the word "max" in version 2 and a number beyond all memory in version 1.
    files.number(&format!("{folder}/{name}")).filter(|bytes| *bytes < UNLIMITED_BYTES)
}

const MOUNT: &str = "/sys/fs/cgroup";
const UNLIMITED_BYTES: u64 = 1 << 62;

#[cfg(test)]
mod tests {
    use super::super::files::Recorded;
    use super::*;

    fn assert_limits(files: &'static [(&'static str, &'static str)], cores: f64, bytes: u64) {
        let limits = Limits::take(&Recorded(files));
        assert_eq!(limits, Limits { cores: Some(cores), memory_bytes: Some(bytes) });
    }

    #[test]
    fn the_tightest_of_version_2_holds() {
        assert_limits(
            &[
                ("/proc/self/cgroup", "0::/user.slice/bench\n"),
                ("/sys/fs/cgroup/user.slice/bench/cpu.max", "max 100000"),
                ("/sys/fs/cgroup/user.slice/cpu.max", "150000 100000"),
                ("/sys/fs/cgroup/user.slice/bench/memory.max", "1073741824"),
                ("/sys/fs/cgroup/user.slice/memory.max", "2147483648"),
            ],
            1.5,
            1_073_741_824,
        );
    }

    #[test]
    fn version_1_has_a_folder_for_each_controller() {
        assert_limits(
            &[
                ("/proc/self/cgroup", "5:cpu,cpuacct:/docker/3f9a\n4:memory:/docker/3f9a\n0::/\n"),
                ("/sys/fs/cgroup/cpu,cpuacct/docker/3f9a/cpu.cfs_quota_us", "50000"),
                ("/sys/fs/cgroup/cpu,cpuacct/docker/3f9a/cpu.cfs_period_us", "100000"),
                ("/sys/fs/cgroup/memory/docker/3f9a/memory.limit_in_bytes", "536870912"),
            ],
            0.5,
            536_870_912,
        );
    }

    #[test]
    fn a_container_finds_its_limits_at_the_root() {
        assert_limits(
            &[
                ("/proc/self/cgroup", "4:memory:/docker/3f9a\n1:cpu:/docker/3f9a\n"),
                ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000"),
                ("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000"),
                ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "4096"),
            ],
            2.0,
            4_096,
        );
    }

    #[test]
    fn no_limit_is_none() {
        let none = Limits::default();
        let files = Recorded(&[
            ("/proc/self/cgroup", "4:memory:/\n1:cpu:/\n0::/\n"),
            ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1"),
            ("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000"),
            ("/sys/fs/cgroup/cpu.max", "max 100000"),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712"),
        ]);
        assert_eq!(Limits::take(&files), none);
        assert_eq!(Limits::take(&Recorded(&[])), none);
        assert_eq!(Limits::take(&Recorded(&[("/proc/self/cgroup", "nonsense\n")])), none);
        let zero = Recorded(&[("/proc/self/cgroup", "0::/\n"), ("/sys/fs/cgroup/cpu.max", "1 0")]);
        assert_eq!(Limits::take(&zero), none);
    }

    #[test]
    fn the_way_up_ends_at_the_root() {
        assert_eq!(ancestors("/a/b").collect::<Vec<_>>(), ["/a/b", "/a", ""]);
        assert_eq!(ancestors("/").collect::<Vec<_>>(), [""]);
    }
}
