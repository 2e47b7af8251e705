//! Who else works on the machine right now: processes, and neighbours behind a hypervisor.
//!
//! ```text
//! SPOILS  other load      0.83 of 2 cores: node 0.61 (4711), cargo 0.20 (4712)
//! ```

use std::collections::HashMap;
use std::io;
use std::thread;
use std::time::Duration;

use procfs::process::all_processes;
use procfs::{CpuTime, CurrentSI, KernelStats, ticks_per_second};
use serde::Serialize;

use super::check::{Check, Section, Verdict};
use super::facts::Facts;

/// Shares of one core: 1.0 is a whole one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Load {
    /// Of all processes but this one, and of the kernel's own work.
    pub(crate) others: f64,
    /// What the hypervisor gave to others while somebody here wanted it.
    pub(crate) stolen: f64,
    /// Those that took most, the greatest first.
    pub(crate) processes: Vec<ProcessLoad>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ProcessLoad {
    pub(crate) pid: i32,
    pub(crate) name: String,
    pub(crate) share: f64,
}

impl Load {
    /// Looks at the whole machine for a while.
    pub(super) fn measure(span: Duration) -> io::Result<Self> {
        let before = Snapshot::take()?;
        thread::sleep(span);
        Ok(Snapshot::take()?.since(&before))
    }

    pub(super) fn checks(&self, facts: &Facts) -> Vec<Check> {
        let mut checks = vec![self.others(facts)];
        checks.push(self.stolen());
        let Some([one, five, fifteen]) = facts.fingerprint.load_average else { return checks };
        let found = format!("{one:.2}, {five:.2}, {fifteen:.2} over 1, 5 and 15 minutes");
        checks.push(good("load average", found));
        checks
    }

    fn others(&self, facts: &Facts) -> Check {
        let cores = f64::from(facts.cores_allowed.unwrap_or(1));
        let top: Vec<_> = self
            .processes
            .iter()
            .map(|process| format!("{} {:.2} ({})", process.name, process.share, process.pid))
            .collect();
        let named = if top.is_empty() { String::new() } else { format!(": {}", top.join(", ")) };
        let check = good("other load", format!("{:.2} of {cores} cores{named}", self.others));
        if self.others < SHARE_WORTH_KNOWING {
            return check;
        }
        let verdict = if cores - self.others < CORES_NEEDED {
            Verdict::WillSpoil
        } else {
            Verdict::WorthKnowing
        };
        let check = check.because(
            verdict,
            "What others take, server and generator wait for. End it, or pin it elsewhere.",
        );
        if self.processes.is_empty() {
            return check;
        }
        let pids: Vec<_> = self.processes.iter().map(|process| process.pid.to_string()).collect();
        check.mend(format!("ps -o pid,user,args -p {}", pids.join(",")))
    }

    fn stolen(&self) -> Check {
        let check = good("stolen by host", format!("{:.2} of a core", self.stolen));
        let verdict = match self.stolen {
            share if share >= STOLEN_WILL_SPOIL => Verdict::WillSpoil,
            share if share >= STOLEN_WORTH_KNOWING => Verdict::WorthKnowing,
            _ => return check,
        };
        check.because(
            verdict,
            "The hypervisor runs somebody else while a process here is ready. Take another \
             machine, or another time.",
        )
    }
}

/// Ticks counted so far.
struct Snapshot {
    busy: u64,
    stolen: u64,
    /// Of the machine, idle ones included, over all cores.
    all: u64,
    cores: u64,
    processes: HashMap<i32, (String, u64)>,
    own: i32,
}

impl Snapshot {
    fn take() -> io::Result<Self> {
        let stats = KernelStats::current().map_err(io::Error::other)?;
        let mut processes = HashMap::new();
        for process in all_processes().map_err(io::Error::other)?.flatten() {
            // One that ends meanwhile is no fault.
            let Ok(stat) = process.stat() else { continue };
            let ticks = stat.utime.saturating_add(stat.stime);
            processes.insert(stat.pid, (stat.comm, ticks));
        }
        Ok(Self {
            busy: busy(&stats.total),
            stolen: stats.total.steal.unwrap_or_default(),
            all: all(&stats.total),
            cores: u64::try_from(stats.cpu_time.len()).unwrap_or(1),
            processes,
            own: i32::try_from(std::process::id()).unwrap_or_default(),
        })
    }

    fn since(&self, before: &Self) -> Load {
        // All cores count ticks at one pace, so that their sum tells how long it was.
        let span = self.all.saturating_sub(before.all) / self.cores.max(1);
        let span = if span == 0 { ticks_per_second() } else { span };
        let share = |ticks: u64| float(ticks) / float(span.max(1));
        let mut processes = Vec::new();
        let mut own = 0;
        for (pid, (name, ticks)) in &self.processes {
            let earlier = before.processes.get(pid).map_or(0, |(_, ticks)| *ticks);
            let used = ticks.saturating_sub(earlier);
            if *pid == self.own {
                own = used;
            } else if share(used) >= SHARE_NAMED {
                let (pid, name) = (*pid, name.clone());
                processes.push(ProcessLoad { pid, name, share: share(used) });
            }
        }
        processes
            .sort_by(|one, other| other.share.total_cmp(&one.share).then(one.pid.cmp(&other.pid)));
        processes.truncate(PROCESSES_NAMED_MAX);
        let busy = self.busy.saturating_sub(before.busy);
        Load {
            others: share(busy.saturating_sub(own)),
            stolen: share(self.stolen.saturating_sub(before.stolen)),
            processes,
        }
    }
}

fn busy(time: &CpuTime) -> u64 {
    let interrupts = time.irq.unwrap_or_default().saturating_add(time.softirq.unwrap_or_default());
    [time.user, time.nice, time.system, interrupts].into_iter().fold(0, u64::saturating_add)
}

fn all(time: &CpuTime) -> u64 {
    let waiting = time.iowait.unwrap_or_default();
    let stolen = time.steal.unwrap_or_default();
    [busy(time), time.idle, waiting, stolen].into_iter().fold(0, u64::saturating_add)
}

#[expect(clippy::cast_precision_loss, reason = "ticks of a fifth of a second are few")]
fn float(ticks: u64) -> f64 {
    ticks as f64
}

fn good(name: &'static str, found: impl Into<String>) -> Check {
    Check::good(Section::Load, name, found)
}

/// A tick in a fifth of a second is a share of 0.05: less is chance.
const SHARE_WORTH_KNOWING: f64 = 0.15;
/// Server and generator busy for three quarters of the time.
const CORES_NEEDED: f64 = 1.5;
const STOLEN_WORTH_KNOWING: f64 = 0.01;
const STOLEN_WILL_SPOIL: f64 = 0.1;
const SHARE_NAMED: f64 = 0.05;
const PROCESSES_NAMED_MAX: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(busy: u64, stolen: u64, all: u64, processes: &[(i32, &str, u64)]) -> Snapshot {
        let processes =
            processes.iter().map(|(pid, name, ticks)| (*pid, ((*name).to_owned(), *ticks)));
        Snapshot { busy, stolen, all, cores: 2, processes: processes.collect(), own: 9 }
    }

    #[test]
    fn shares_are_of_one_core_and_leave_this_process_out() {
        // 40 ticks over two cores are 20 ticks of time.
        let before = snapshot(100, 5, 1_000, &[(9, "throng", 50), (1, "node", 10), (2, "sh", 0)]);
        let after = snapshot(
            127,
            7,
            1_040,
            &[(9, "throng", 52), (1, "node", 25), (2, "sh", 0), (3, "cargo", 10)],
        );
        let load = after.since(&before);
        assert!((load.others - 1.25).abs() < 1e-12);
        assert!((load.stolen - 0.1).abs() < 1e-12);
        let named: Vec<_> = load.processes.iter().map(|one| (one.name.as_str(), one.pid)).collect();
        assert_eq!(named, [("node", 1), ("cargo", 3)]);
        assert!((load.processes[0].share - 0.75).abs() < 1e-12);
        assert!((load.processes[1].share - 0.5).abs() < 1e-12);
    }

    #[test]
    fn what_is_left_for_two_decides() {
        let verdict = |others, cores| {
            let load = Load { others, ..Load::default() };
            let facts = Facts { cores_allowed: Some(cores), ..Facts::default() };
            load.others(&facts).verdict
        };
        assert_eq!(verdict(0.1, 2), Verdict::Good);
        assert_eq!(verdict(0.3, 2), Verdict::WorthKnowing);
        assert_eq!(verdict(0.6, 2), Verdict::WillSpoil);
        assert_eq!(verdict(4.0, 8), Verdict::WorthKnowing);
    }

    #[test]
    fn stolen_time_is_named() {
        let verdict = |stolen| Load { stolen, ..Load::default() }.stolen().verdict;
        assert_eq!(verdict(0.0), Verdict::Good);
        assert_eq!(verdict(0.02), Verdict::WorthKnowing);
        assert_eq!(verdict(0.2), Verdict::WillSpoil);
    }

    #[test]
    fn this_machine_can_be_measured() {
        let load = Load::measure(Duration::from_millis(20)).unwrap();
        assert!(load.others.is_finite() && load.others >= 0.0);
    }
}
