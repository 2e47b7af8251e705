//! Whether processor, memory and network are such that figures mean the server.
//!
//! ```text
//! note    cores           2, all of them allowed
//!         Server and generator have one each; whatever else runs takes from them.
//! ```

use super::check::{Check, Section, Verdict};
use super::facts::Facts;
use super::text::{bytes, grouped};

pub(super) fn all(facts: &Facts) -> Vec<Check> {
    let checks = [
        cores(facts),
        cgroup_cores(facts),
        siblings(facts),
        Some(governor(facts)),
        Some(hypervisor(facts)),
        huge_pages(facts),
        swap(facts),
        clock_source(facts),
        loopback(facts),
        slow_start(facts),
    ];
    checks.into_iter().flatten().collect()
}

fn cores(facts: &Facts) -> Option<Check> {
    let allowed = facts.cores_allowed?;
    let online = facts.fingerprint.cores.unwrap_or(allowed);
    let found = if allowed < online {
        format!("{online}, of which this process may use {allowed}")
    } else {
        online.to_string()
    };
    let check = good("cores", found);
    Some(match allowed {
        ..=1 => check.because(
            Verdict::WillSpoil,
            "Server and generator take turns on one core: each waits for the other.",
        ),
        2 => check.because(
            Verdict::WorthKnowing,
            "Server and generator have one each; whatever else runs takes from them. Pin both, \
             and compare servers in alternation.",
        ),
        _ => check,
    })
}

fn cgroup_cores(facts: &Facts) -> Option<Check> {
    let cores = facts.fingerprint.cgroup_cores?;
    let check = good("processor quota", format!("{cores:.2} cores by the control group"));
    let verdict = if cores < 2.0 { Verdict::WillSpoil } else { Verdict::WorthKnowing };
    Some(check.because(
        verdict,
        "Who has used up the quota stands still for the rest of a period, 100 ms as a rule: \
         that, and not the server, is then the tail.",
    ))
}

fn siblings(facts: &Facts) -> Option<Check> {
    if !facts.fingerprint.smt? {
        return Some(good("hyperthreads", "off, or not seen"));
    }
    let check = good("hyperthreads", "on").because(
        Verdict::WorthKnowing,
        "Two that share a core slow each other down: pin server and generator to cores that \
         are no siblings, or turn it off.",
    );
    Some(
        check
            .mend("lscpu --extended=CPU,CORE")
            .mend("echo off | sudo tee /sys/devices/system/cpu/smt/control"),
    )
}

fn governor(facts: &Facts) -> Check {
    match facts.fingerprint.governor.as_deref() {
        None => good("governor", "none seen: frequency is decided elsewhere"),
        Some("performance") => good("governor", "performance"),
        Some(other) => good("governor", other)
            .because(
                Verdict::WorthKnowing,
                "The frequency follows the load, so a server that idles looks slow.",
            )
            .mend("sudo cpupower frequency-set -g performance"),
    }
}

fn hypervisor(facts: &Facts) -> Check {
    match facts.fingerprint.virtualised {
        Some(true) => good("virtual", "yes").because(
            Verdict::WorthKnowing,
            "Its neighbours take time that no process of this machine shows: look at the \
             stalls below, and repeat runs.",
        ),
        Some(false) => good("virtual", "no"),
        None => good("virtual", "not told"),
    }
}

fn huge_pages(facts: &Facts) -> Option<Check> {
    let chosen = facts.fingerprint.transparent_huge_pages.as_deref()?;
    let check = good("huge pages", chosen);
    if chosen != "always" {
        return Some(check);
    }
    Some(
        check
            .because(
                Verdict::WorthKnowing,
                "The kernel may stop a process to put its pages together, and a process takes \
                 2 MiB where it touches 4 KiB.",
            )
            .mend("echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled"),
    )
}

fn swap(facts: &Facts) -> Option<Check> {
    let used = facts.swap_used_bytes?;
    if used == 0 {
        return Some(good("swap", "none in use"));
    }
    Some(
        good("swap", format!("{} in use", bytes(used)))
            .because(
                Verdict::WorthKnowing,
                "What was swapped out comes back from disk in the middle of a run.",
            )
            .mend("sudo swapoff -a"),
    )
}

fn clock_source(facts: &Facts) -> Option<Check> {
    let chosen = facts.fingerprint.clock_source.as_deref()?;
    let check = good("clock source", chosen);
    if !SLOW_CLOCKS.contains(&chosen) {
        return Some(check);
    }
    Some(
        check
            .because(
                Verdict::WorthKnowing,
                "Each reading of this clock is a call of the kernel and slow; the generator reads \
                 it for every send.",
            )
            .mend("cat /sys/devices/system/clocksource/clocksource0/available_clocksource"),
    )
}

fn loopback(facts: &Facts) -> Option<Check> {
    let mtu = facts.loopback_mtu_bytes?;
    let check = good("loopback", format!("packets of {} bytes", grouped(mtu)));
    if mtu >= LOOPBACK_MTU_MIN_BYTES {
        return Some(check);
    }
    Some(
        check
            .because(
                Verdict::WorthKnowing,
                "Larger messages are cut into more packets than they are by default.",
            )
            .mend("sudo ip link set lo mtu 65536"),
    )
}

fn slow_start(facts: &Facts) -> Option<Check> {
    let slow = facts.fingerprint.sysctl_number("net.ipv4.tcp_slow_start_after_idle")? != 0;
    let check = good("slow start", if slow { "again after idling" } else { "at the begin only" });
    if !slow {
        return Some(check);
    }
    Some(
        check
            .because(
                Verdict::WorthKnowing,
                "Over a network, a connection that was quiet for a while sends a large message \
                 in several round trips. On loopback it doesn't matter.",
            )
            .mend("sudo sysctl -w net.ipv4.tcp_slow_start_after_idle=0"),
    )
}

fn good(name: &'static str, found: impl Into<String>) -> Check {
    Check::good(Section::Machine, name, found)
}

/// Those that can't be read without the kernel.
const SLOW_CLOCKS: [&str; 6] = ["acpi_pm", "hpet", "jiffies", "pit", "refined-jiffies", "xen"];
/// A usual message and its headers fit many times; the default is 65,536.
const LOOPBACK_MTU_MIN_BYTES: u64 = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_known_is_nothing_said_but_what_is_always_said() {
        let checks = all(&Facts::default());
        let names: Vec<_> = checks.iter().map(|check| check.name).collect();
        assert_eq!(names, ["governor", "virtual"]);
        assert!(checks.iter().all(|check| check.verdict == Verdict::Good));
    }

    #[test]
    fn two_cores_are_the_least() {
        let verdict = |allowed| {
            let mut facts = Facts { cores_allowed: Some(allowed), ..Facts::default() };
            facts.fingerprint.cores = Some(8);
            cores(&facts).unwrap().verdict
        };
        assert_eq!(verdict(1), Verdict::WillSpoil);
        assert_eq!(verdict(2), Verdict::WorthKnowing);
        assert_eq!(verdict(3), Verdict::Good);
    }

    #[test]
    fn a_quota_below_two_cores_spoils() {
        let verdict = |cores| {
            let mut facts = Facts::default();
            facts.fingerprint.cgroup_cores = Some(cores);
            cgroup_cores(&facts).unwrap().verdict
        };
        assert_eq!(verdict(1.5), Verdict::WillSpoil);
        assert_eq!(verdict(2.0), Verdict::WorthKnowing);
    }

    #[test]
    fn what_can_be_mended_names_its_command() {
        let mut facts = Facts { swap_used_bytes: Some(1), ..Facts::default() };
        facts.loopback_mtu_bytes = Some(1_500);
        let fingerprint = &mut facts.fingerprint;
        fingerprint.smt = Some(true);
        fingerprint.governor = Some("powersave".to_owned());
        fingerprint.transparent_huge_pages = Some("always".to_owned());
        fingerprint.clock_source = Some("hpet".to_owned());
        let name = "net.ipv4.tcp_slow_start_after_idle".to_owned();
        fingerprint.sysctls.insert(name, "1".to_owned());
        let checks = all(&facts);
        let bad: Vec<_> =
            checks.iter().filter(|check| check.verdict == Verdict::WorthKnowing).collect();
        assert_eq!(bad.len(), 7);
        assert!(bad.iter().all(|check| !check.mend.is_empty() && !check.why.is_empty()));
    }

    #[test]
    fn what_is_as_it_should_be_is_good() {
        let mut facts = Facts { swap_used_bytes: Some(0), ..Facts::default() };
        facts.loopback_mtu_bytes = Some(65_536);
        let fingerprint = &mut facts.fingerprint;
        fingerprint.smt = Some(false);
        fingerprint.virtualised = Some(false);
        fingerprint.governor = Some("performance".to_owned());
        fingerprint.transparent_huge_pages = Some("madvise".to_owned());
        fingerprint.clock_source = Some("tsc".to_owned());
        let name = "net.ipv4.tcp_slow_start_after_idle".to_owned();
        fingerprint.sysctls.insert(name, "0".to_owned());
        let checks = all(&facts);
        assert_eq!(checks.len(), 8);
        assert!(checks.iter().all(|check| check.verdict == Verdict::Good), "{checks:?}");
    }
}
