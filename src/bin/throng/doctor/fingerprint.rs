//! The machine that a result was measured on.
//!
//! It says what is, not whether that is good: see the checks for that. Its field names are part of
//! the schema of a result and are only ever added to.
//!
//! ```text
//! {"kernel":"Linux 6.18.44","cpu_model":"AMD EPYC","cores":2,"virtualised":true,..}
//! ```

use std::collections::BTreeMap;

use procfs::{CpuInfo, FromRead, Meminfo};
use rustix::process::{Resource, getrlimit};
use serde::{Deserialize, Serialize};

use super::cgroup;
use super::files::{Files, System};

/// What of a machine decides the figures measured on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Fingerprint {
    /// Such as `Linux 6.18.44`.
    pub(crate) kernel: String,
    /// Such as `AMD EPYC 9555P`, as the processor calls itself.
    pub(crate) cpu_model: Option<String>,
    /// Logical ones that are online.
    pub(crate) cores: Option<u32>,
    /// Whether two logical cores may share one physical core.
    pub(crate) smt: Option<bool>,
    /// Who chooses the frequency, such as `performance`; several where cores differ.
    pub(crate) governor: Option<String>,
    /// Such as `2 vulnerable (spec_store_bypass, srso), 2 mitigated, 17 not affected`.
    pub(crate) mitigations: Option<String>,
    /// Whether the processor says that it is a guest's.
    pub(crate) virtualised: Option<bool>,
    pub(crate) memory_bytes: Option<u64>,
    /// Processor time that the control group allows: 1.5 is one and a half cores.
    pub(crate) cgroup_cores: Option<f64>,
    pub(crate) cgroup_memory_bytes: Option<u64>,
    /// `None` without a limit.
    pub(crate) open_files_soft: Option<u64>,
    /// `None` without a limit.
    pub(crate) open_files_hard: Option<u64>,
    /// By name, values as the kernel writes them, white space made one space.
    pub(crate) sysctls: BTreeMap<String, String>,
    /// `always`, `madvise` or `never`.
    pub(crate) transparent_huge_pages: Option<String>,
    /// Such as `tsc`.
    pub(crate) clock_source: Option<String>,
    /// Over one, five and fifteen minutes.
    pub(crate) load_average: Option<[f64; 3]>,
    /// Version of this program.
    pub(crate) throng: String,
    /// Revision of its source, where `THRONG_REVISION` named it at its build.
    pub(crate) revision: Option<String>,
}

impl Fingerprint {
    /// Takes some milliseconds, so it belongs before a run or behind it.
    pub(crate) fn take() -> Self {
        let limit = getrlimit(Resource::Nofile);
        Self {
            open_files_soft: limit.current,
            open_files_hard: limit.maximum,
            ..Self::read(&System)
        }
    }

    /// Everything but the limits of this process.
    pub(super) fn read(files: &impl Files) -> Self {
        let processor = Processor::read(files);
        let limits = cgroup::Limits::take(files);
        Self {
            kernel: kernel(files),
            cpu_model: processor.model,
            cores: processor.cores,
            smt: files.number::<u8>(SMT_ACTIVE).map(|active| active == 1),
            governor: governor(files),
            mitigations: mitigations(files),
            virtualised: processor.virtualised,
            memory_bytes: memory(files).map(|memory| memory.mem_total),
            cgroup_cores: limits.cores,
            cgroup_memory_bytes: limits.memory_bytes,
            open_files_soft: None,
            open_files_hard: None,
            sysctls: sysctls(files),
            transparent_huge_pages: files.read(HUGE_PAGES).and_then(|text| chosen(&text)),
            clock_source: files.read(CLOCK_SOURCE),
            load_average: load_average(files),
            throng: env!("CARGO_PKG_VERSION").to_owned(),
            revision: option_env!("THRONG_REVISION").map(str::to_owned),
        }
    }

    /// One of the sysctls, such as `net.core.somaxconn`.
    pub(super) fn sysctl(&self, name: &str) -> Option<&str> {
        self.sysctls.get(name).map(String::as_str)
    }

    /// The first number of one of the sysctls.
    pub(super) fn sysctl_number(&self, name: &str) -> Option<u64> {
        self.sysctl(name)?.split_whitespace().next()?.parse().ok()
    }
}

/// Memory of the machine as it is now.
pub(super) fn memory(files: &impl Files) -> Option<Meminfo> {
    Meminfo::from_read(files.read("/proc/meminfo")?.as_bytes()).ok()
}

#[derive(Default)]
struct Processor {
    model: Option<String>,
    cores: Option<u32>,
    virtualised: Option<bool>,
}

impl Processor {
    fn read(files: &impl Files) -> Self {
        let text = files.read("/proc/cpuinfo").filter(|text| text.contains("processor"));
        let info = text.and_then(|text| CpuInfo::from_read(text.as_bytes()).ok());
        let Some(info) = info else { return Self::default() };
        // Processors other than x86 list features elsewhere, and none of them says "hypervisor".
        let flags = info.get_field(0, "flags");
        Self {
            model: info.model_name(0).map(str::to_owned),
            cores: u32::try_from(info.num_cores()).ok().filter(|cores| *cores > 0),
            virtualised: flags.map(|text| text.split(' ').any(|flag| flag == "hypervisor")),
        }
    }
}

fn kernel(files: &impl Files) -> String {
    let read = |name| files.read(&format!("/proc/sys/kernel/{name}"));
    let system = read("ostype").unwrap_or_else(|| "Linux".to_owned());
    format!("{system} {}", read("osrelease").unwrap_or_default()).trim_end().to_owned()
}

fn governor(files: &impl Files) -> Option<String> {
    let mut governors: Vec<_> = files
        .list(PROCESSORS)
        .iter()
        .filter_map(|core| files.read(&format!("{PROCESSORS}/{core}/cpufreq/scaling_governor")))
        .collect();
    governors.sort();
    governors.dedup();
    (!governors.is_empty()).then(|| governors.join(", "))
}

fn mitigations(files: &impl Files) -> Option<String> {
    let (mut vulnerable, mut mitigated, mut unaffected) = (Vec::new(), 0, 0);
    for name in files.list(VULNERABILITIES) {
        match files.read(&format!("{VULNERABILITIES}/{name}")) {
            Some(state) if state.starts_with("Not affected") => unaffected += 1,
            Some(state) if state.starts_with("Mitigation") => mitigated += 1,
            Some(_) => vulnerable.push(name),
            None => {}
        }
    }
    let mut parts = Vec::new();
    if !vulnerable.is_empty() {
        parts.push(format!("{} vulnerable ({})", vulnerable.len(), vulnerable.join(", ")));
    }
    if mitigated > 0 {
        parts.push(format!("{mitigated} mitigated"));
    }
    if unaffected > 0 {
        parts.push(format!("{unaffected} not affected"));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn sysctls(files: &impl Files) -> BTreeMap<String, String> {
    let found = SYSCTLS.iter().filter_map(|name| {
        let text = files.read(&format!("/proc/sys/{}", name.replace('.', "/")))?;
        Some(((*name).to_owned(), text.split_whitespace().collect::<Vec<_>>().join(" ")))
    });
    found.collect()
}

/// The word in brackets: `always [madvise] never`.
fn chosen(text: &str) -> Option<String> {
    let word = text.split_whitespace().find_map(|word| word.strip_prefix('[')?.strip_suffix(']'));
    word.map(str::to_owned)
}

fn load_average(files: &impl Files) -> Option<[f64; 3]> {
    let text = files.read("/proc/loadavg")?;
    let mut words = text.split_whitespace().map(str::parse);
    Some([words.next()?.ok()?, words.next()?.ok()?, words.next()?.ok()?])
}

const SMT_ACTIVE: &str = "/sys/devices/system/cpu/smt/active";
const PROCESSORS: &str = "/sys/devices/system/cpu";
const VULNERABILITIES: &str = "/sys/devices/system/cpu/vulnerabilities";
const HUGE_PAGES: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
const CLOCK_SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";

/// What of the kernel's settings decides how many connections there may be, and how fast.
const SYSCTLS: [&str; 20] = [
    "fs.file-max",
    "fs.nr_open",
    "kernel.sched_autogroup_enabled",
    "net.core.busy_poll",
    "net.core.busy_read",
    "net.core.netdev_max_backlog",
    "net.core.rmem_max",
    "net.core.somaxconn",
    "net.core.wmem_max",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_mem",
    "net.ipv4.tcp_notsent_lowat",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_slow_start_after_idle",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv4.tcp_wmem",
    "net.netfilter.nf_conntrack_max",
];

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::files::Recorded;
    use super::*;

    const GUEST: Recorded = Recorded(&[
        ("/proc/sys/kernel/ostype", "Linux\n"),
        ("/proc/sys/kernel/osrelease", "6.18.44\n"),
        (
            "/proc/cpuinfo",
            "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu tsc hypervisor avx2\n\n\
             processor\t: 1\nmodel name\t: AMD EPYC\nflags\t\t: fpu tsc hypervisor avx2\n\n",
        ),
        ("/sys/devices/system/cpu/smt/active", "0\n"),
        ("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n"),
        ("/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n"),
        ("/sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "powersave\n"),
        ("/sys/devices/system/cpu/vulnerabilities/l1tf", "Not affected\n"),
        ("/sys/devices/system/cpu/vulnerabilities/mds", "Not affected\n"),
        ("/sys/devices/system/cpu/vulnerabilities/spec_store_bypass", "Vulnerable\n"),
        ("/sys/devices/system/cpu/vulnerabilities/spectre_v1", "Mitigation: usercopy\n"),
        ("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"),
        ("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
        ("/proc/loadavg", "0.31 0.49 0.82 3/107 31822\n"),
        ("/proc/sys/net/core/somaxconn", "4096\n"),
        ("/proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n"),
    ]);

    #[test]
    fn a_recorded_guest_is_told_as_it_was() {
        let taken = Fingerprint::read(&GUEST);
        assert_eq!(taken.kernel, "Linux 6.18.44");
        assert_eq!(taken.cpu_model.as_deref(), Some("AMD EPYC"));
        assert_eq!((taken.cores, taken.smt, taken.virtualised), (Some(2), Some(false), Some(true)));
        assert_eq!(taken.governor.as_deref(), Some("performance, powersave"));
        let mitigations = "1 vulnerable (spec_store_bypass), 1 mitigated, 2 not affected";
        assert_eq!(taken.mitigations.as_deref(), Some(mitigations));
        assert_eq!(taken.clock_source.as_deref(), Some("tsc"));
        assert_eq!(taken.transparent_huge_pages.as_deref(), Some("madvise"));
        assert_eq!(taken.load_average, Some([0.31, 0.49, 0.82]));
        assert_eq!(taken.sysctl("net.ipv4.ip_local_port_range"), Some("32768 60999"));
        assert_eq!(taken.sysctl_number("net.core.somaxconn"), Some(4_096));
        assert_eq!(taken.memory_bytes, None);
    }

    #[test]
    fn a_machine_that_tells_nothing_is_no_error() {
        let taken = Fingerprint::read(&Recorded(&[]));
        let throng = env!("CARGO_PKG_VERSION").to_owned();
        let revision = taken.revision.clone();
        let kernel = "Linux".to_owned();
        assert_eq!(taken, Fingerprint { kernel, throng, revision, ..Fingerprint::default() });
    }

    #[test]
    fn this_machine_is_taken_quickly_and_survives_json() {
        let begun = Instant::now();
        let taken = Fingerprint::take();
        assert!(begun.elapsed() < Duration::from_secs(1));
        assert!(taken.kernel.starts_with("Linux "));
        assert!(taken.sysctls.contains_key("net.ipv4.tcp_mem"));
        let text = serde_json::to_string(&taken).unwrap();
        assert_eq!(serde_json::from_str::<Fingerprint>(&text).unwrap(), taken);
    }

    #[test]
    fn an_older_result_lacks_what_was_added_since() {
        let old = serde_json::from_str::<Fingerprint>(r#"{"kernel":"Linux 6.1.0"}"#).unwrap();
        assert_eq!(old.kernel, "Linux 6.1.0");
        assert_eq!(old.cores, None);
    }
}
