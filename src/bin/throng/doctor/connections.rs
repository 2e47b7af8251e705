//! Whether so many connections can be: descriptors, ports, queues and memory of the kernel.
//!
//! Server and generator are taken to share the machine, as they do on loopback.
//!
//! ```text
//! SPOILS  open files      1,024 soft, 4,096 hard; 10,064 needed by each process
//! ```

use super::check::{Check, Section, Verdict};
use super::facts::Facts;
use super::text::{bytes, grouped};

pub(super) fn all(facts: &Facts) -> Vec<Check> {
    let checks = [
        Some(open_files(facts)),
        all_open_files(facts),
        ports(facts),
        listen_queue(facts),
        tcp_memory(facts),
        memory(facts),
        tracked(facts),
    ];
    checks.into_iter().flatten().collect()
}

fn open_files(facts: &Facts) -> Check {
    let needed = facts.clients.saturating_add(OWN_FILES);
    let (soft, hard) = (facts.fingerprint.open_files_soft, facts.fingerprint.open_files_hard);
    let told = |limit: Option<u64>| limit.map_or_else(|| "no limit".to_owned(), grouped);
    let found = format!(
        "{} soft, {} hard; {} needed by each process",
        told(soft),
        told(hard),
        grouped(needed),
    );
    let check = good("open files", found);
    if hard.is_some_and(|hard| hard < needed) {
        check
            .because(
                Verdict::WillSpoil,
                "Each connection takes a descriptor in the server and one in the generator. \
                 Raise the limit as root, or share the clients over processes with --workers.",
            )
            .mend(format!("sudo prlimit --pid $$ --nofile={needed}"))
    } else if soft.is_some_and(|soft| soft < needed) {
        check
            .because(Verdict::WorthKnowing, "throng raises its own limit; another server may not.")
            .mend(format!("ulimit -n {needed}"))
    } else {
        check
    }
}

fn all_open_files(facts: &Facts) -> Option<Check> {
    let most = facts.fingerprint.sysctl_number("fs.file-max")?;
    let needed = facts.clients.saturating_mul(2).saturating_add(facts.open_files.unwrap_or(0));
    // Where it is beyond all need, as it is by default today, the line would only be in the way.
    (most < needed).then(|| {
        let found = format!("{} for the machine; {} needed", grouped(most), grouped(needed));
        good("all open files", found)
            .because(Verdict::WillSpoil, "All processes together may not open more.")
            .mend(format!("sudo sysctl -w fs.file-max={}", needed.saturating_mul(2)))
    })
}

fn ports(facts: &Facts) -> Option<Check> {
    let range = facts.fingerprint.sysctl("net.ipv4.ip_local_port_range")?;
    let mut ends = range.split(' ').map(str::parse::<u64>);
    let (low, high) = (ends.next()?.ok()?, ends.next()?.ok()?);
    let each = high.checked_sub(low)?.saturating_add(1);
    let addresses = facts.clients.div_ceil(each).max(1);
    let waiting = facts.time_wait_sockets.filter(|sockets| *sockets > 0);
    let waiting =
        waiting.map_or_else(String::new, |many| format!(", {} in TIME_WAIT", grouped(many)));
    let found = format!("{} per source address ({low} to {high}){waiting}", grouped(each));
    let check = good("ports", found);
    if addresses == 1 {
        return Some(check);
    }
    Some(
        check
            .because(
                Verdict::WorthKnowing,
                format!(
                    "The clients need {addresses} source addresses. On loopback throng bench \
                     takes 127.0.0.2 and its neighbours; elsewhere name some with --source."
                ),
            )
            .mend("sudo sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\""),
    )
}

fn listen_queue(facts: &Facts) -> Option<Check> {
    let fingerprint = &facts.fingerprint;
    let accepted = fingerprint.sysctl_number(ACCEPTED)?;
    let requested = fingerprint.sysctl_number(REQUESTED).unwrap_or(accepted);
    let found =
        format!("somaxconn {}, tcp_max_syn_backlog {}", grouped(accepted), grouped(requested));
    let check = good("listen queue", found);
    let shortest = accepted.min(requested);
    let enough = LISTEN_QUEUE.min(facts.clients);
    let verdict = if shortest < AT_ONCE.min(facts.clients) {
        Verdict::WillSpoil
    } else if shortest < enough {
        Verdict::WorthKnowing
    } else {
        return Some(check);
    };
    let check = check.because(
        verdict,
        "A client that finds the queue full tries again after a second, and that second is in the \
         figures. throng bench opens 256 at a time unless told otherwise.",
    );
    let short = [(ACCEPTED, accepted), (REQUESTED, requested)];
    let short = short.into_iter().filter(|(_, length)| *length < enough);
    Some(short.fold(check, |check, (name, _)| {
        check.mend(format!("sudo sysctl -w {name}={LISTEN_QUEUE}"))
    }))
}

fn tcp_memory(facts: &Facts) -> Option<Check> {
    let mut limits =
        facts.fingerprint.sysctl("net.ipv4.tcp_mem")?.split(' ').map(str::parse::<u64>);
    let (_, pressure, most) = (limits.next()?.ok()?, limits.next()?.ok()?, limits.next()?.ok()?);
    let needed = facts.clients.saturating_mul(PAGES_PER_CLIENT);
    let size = |pages: u64| bytes(pages.saturating_mul(procfs::page_size()));
    let found = format!("{}, pressure from {} on", size(most), size(pressure));
    let check = good("TCP memory", found);
    let (verdict, why) = if needed > most {
        (Verdict::WillSpoil, "the kernel drops data and ends connections")
    } else if needed > pressure {
        (Verdict::WorthKnowing, "the kernel shrinks every socket's buffers")
    } else {
        return Some(check);
    };
    let why = format!(
        "A message under way to all clients takes {}, both ends counted: {why}.",
        size(needed)
    );
    let limits = [needed, needed.saturating_mul(2), needed.saturating_mul(4)];
    let [low, pressure, most] = limits;
    let mend = format!("sudo sysctl -w net.ipv4.tcp_mem=\"{low} {pressure} {most}\"");
    Some(check.because(verdict, why).mend(mend))
}

fn memory(facts: &Facts) -> Option<Check> {
    let available = facts.memory_available_bytes?;
    let limit = facts.fingerprint.cgroup_memory_bytes;
    let most = limit.map_or(available, |limit| limit.min(available));
    let needed = facts.clients.saturating_mul(BYTES_PER_CLIENT);
    let limited =
        limit.map_or_else(String::new, |limit| format!(", {} by the control group", bytes(limit)));
    let check = good("memory", format!("{} available{limited}", bytes(available)));
    let why = format!(
        "So many clients take about {} for both ends in the kernel and in the generator, and what \
         the server keeps comes on top.",
        bytes(needed)
    );
    if needed > most {
        Some(check.because(Verdict::WillSpoil, why))
    } else if needed > most / 2 {
        Some(check.because(Verdict::WorthKnowing, why))
    } else {
        Some(check)
    }
}

fn tracked(facts: &Facts) -> Option<Check> {
    let most = facts.fingerprint.sysctl_number("net.netfilter.nf_conntrack_max")?;
    let tracked = facts.tracked_connections?;
    let needed = tracked.saturating_add(facts.clients);
    let found = format!("{} tracked, {} at most", grouped(tracked), grouped(most));
    let check = good("firewall", found);
    if needed <= most {
        return Some(check);
    }
    // A table that stays empty belongs to a firewall that has no rule that asks for it.
    let verdict = if tracked > 0 { Verdict::WillSpoil } else { Verdict::WorthKnowing };
    Some(check.because(verdict, "The firewall drops connections that it can't keep in mind.").mend(
        format!("sudo sysctl -w net.netfilter.nf_conntrack_max={}", needed.saturating_mul(2)),
    ))
}

fn good(name: &'static str, found: impl Into<String>) -> Check {
    Check::good(Section::Connections, name, found)
}

/// Longest queue of connections that wait to be accepted.
const ACCEPTED: &str = "net.core.somaxconn";
/// Longest queue of connections that are being made.
const REQUESTED: &str = "net.ipv4.tcp_max_syn_backlog";
/// Descriptors that a process opens beside its connections.
const OWN_FILES: u64 = 64;
/// What `throng bench` opens at a time by default.
const AT_ONCE: u64 = 256;
/// What common servers ask for, and what the kernel allows by default.
const LISTEN_QUEUE: u64 = 4_096;
/// One at either end: TCP accounts for data page by page.
const PAGES_PER_CLIENT: u64 = 2;
/// Sockets, descriptors and readiness entries of both ends are about 8 KiB, data under way and
/// what the generator keeps as much again.
const BYTES_PER_CLIENT: u64 = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(clients: u64, sysctls: &[(&str, &str)]) -> Facts {
        let mut facts = Facts { clients, ..Facts::default() };
        let sysctls = sysctls.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        facts.fingerprint.sysctls = sysctls.collect();
        facts
    }

    #[test]
    fn descriptors_are_counted_with_those_beside() {
        let mut facts = facts(1_000, &[]);
        facts.fingerprint.open_files_soft = Some(1_064);
        facts.fingerprint.open_files_hard = Some(1_064);
        assert_eq!(open_files(&facts).verdict, Verdict::Good);
        facts.fingerprint.open_files_soft = Some(1_063);
        let check = open_files(&facts);
        assert_eq!(check.verdict, Verdict::WorthKnowing);
        assert_eq!(check.mend, ["ulimit -n 1064"]);
        facts.fingerprint.open_files_hard = Some(1_063);
        let check = open_files(&facts);
        assert_eq!(check.verdict, Verdict::WillSpoil);
        assert_eq!(check.found, "1,063 soft, 1,063 hard; 1,064 needed by each process");
        assert_eq!(check.mend, ["sudo prlimit --pid $$ --nofile=1064"]);
        facts.fingerprint.open_files_soft = None;
        facts.fingerprint.open_files_hard = None;
        assert_eq!(open_files(&facts).verdict, Verdict::Good);
    }

    #[test]
    fn all_descriptors_of_the_machine_are_told_only_when_short() {
        let mut facts = facts(1_000, &[("fs.file-max", "2500")]);
        facts.open_files = Some(500);
        assert_eq!(all_open_files(&facts), None);
        facts.open_files = Some(501);
        let check = all_open_files(&facts).unwrap();
        assert_eq!(check.verdict, Verdict::WillSpoil);
        assert_eq!(check.mend, ["sudo sysctl -w fs.file-max=5002"]);
    }

    #[test]
    fn ports_are_counted_per_source_address() {
        let range = [("net.ipv4.ip_local_port_range", "32768 60999")];
        let check = ports(&facts(28_232, &range)).unwrap();
        assert_eq!(check.verdict, Verdict::Good);
        assert_eq!(check.found, "28,232 per source address (32768 to 60999)");
        let check = ports(&facts(28_233, &range)).unwrap();
        assert_eq!(check.verdict, Verdict::WorthKnowing);
        assert!(check.why.contains("need 2 source addresses"), "{}", check.why);
        for broken in ["", "5", "5 x", "9 5"] {
            assert_eq!(ports(&facts(1, &[("net.ipv4.ip_local_port_range", broken)])), None);
        }
    }

    #[test]
    fn the_shorter_listen_queue_decides() {
        let verdict = |clients, accepted, requested| {
            let sysctls =
                [("net.core.somaxconn", accepted), ("net.ipv4.tcp_max_syn_backlog", requested)];
            listen_queue(&facts(clients, &sysctls)).unwrap().verdict
        };
        let sysctls = [("net.core.somaxconn", "4096"), ("net.ipv4.tcp_max_syn_backlog", "9")];
        let mend = listen_queue(&facts(10_000, &sysctls)).unwrap().mend;
        assert_eq!(mend, ["sudo sysctl -w net.ipv4.tcp_max_syn_backlog=4096"]);
        assert_eq!(verdict(10_000, "4096", "4096"), Verdict::Good);
        assert_eq!(verdict(10_000, "4096", "1024"), Verdict::WorthKnowing);
        assert_eq!(verdict(10_000, "128", "4096"), Verdict::WillSpoil);
        assert_eq!(verdict(100, "128", "4096"), Verdict::Good);
        assert_eq!(listen_queue(&facts(1, &[])), None);
    }

    #[test]
    fn tcp_memory_is_two_pages_per_client() {
        let verdict = |clients| {
            let sysctls = [("net.ipv4.tcp_mem", "1000 2000 4000")];
            tcp_memory(&facts(clients, &sysctls)).unwrap()
        };
        assert_eq!(verdict(1_000).verdict, Verdict::Good);
        assert_eq!(verdict(1_001).verdict, Verdict::WorthKnowing);
        assert_eq!(verdict(2_000).verdict, Verdict::WorthKnowing);
        let check = verdict(2_001);
        assert_eq!(check.verdict, Verdict::WillSpoil);
        assert_eq!(check.mend, ["sudo sysctl -w net.ipv4.tcp_mem=\"4002 8004 16008\""]);
    }

    #[test]
    fn memory_is_the_less_of_what_there_is_and_what_is_allowed() {
        // 1,024 clients at 16 KiB are 16 MiB.
        let mut facts = facts(1_024, &[]);
        assert_eq!(memory(&facts), None);
        facts.memory_available_bytes = Some(32 << 20);
        assert_eq!(memory(&facts).unwrap().verdict, Verdict::Good);
        facts.fingerprint.cgroup_memory_bytes = Some(31 << 20);
        assert_eq!(memory(&facts).unwrap().verdict, Verdict::WorthKnowing);
        facts.fingerprint.cgroup_memory_bytes = Some(15 << 20);
        let check = memory(&facts).unwrap();
        assert_eq!(check.verdict, Verdict::WillSpoil);
        assert_eq!(check.found, "32.0 MiB available, 15.0 MiB by the control group");
    }

    #[test]
    fn a_firewall_matters_when_it_tracks() {
        let mut facts = facts(1_000, &[("net.netfilter.nf_conntrack_max", "1010")]);
        assert_eq!(tracked(&facts), None);
        facts.tracked_connections = Some(10);
        assert_eq!(tracked(&facts).unwrap().verdict, Verdict::Good);
        facts.tracked_connections = Some(11);
        let check = tracked(&facts).unwrap();
        assert_eq!(check.verdict, Verdict::WillSpoil);
        assert_eq!(check.mend, ["sudo sysctl -w net.netfilter.nf_conntrack_max=2022"]);
        facts.clients = 2_000;
        facts.tracked_connections = Some(0);
        assert_eq!(tracked(&facts).unwrap().verdict, Verdict::WorthKnowing);
    }

    #[test]
    fn no_number_of_clients_is_too_large_to_count() {
        let sysctls = [
            ("fs.file-max", "1"),
            ("net.core.somaxconn", "1"),
            ("net.ipv4.ip_local_port_range", "1 1"),
            ("net.ipv4.tcp_mem", "1 2 3"),
            ("net.netfilter.nf_conntrack_max", "1"),
        ];
        let mut facts = facts(u64::MAX, &sysctls);
        facts.open_files = Some(u64::MAX);
        facts.memory_available_bytes = Some(u64::MAX);
        facts.tracked_connections = Some(u64::MAX);
        assert!(
            all(&facts)
                .iter()
                .all(|check| check.verdict > Verdict::Good || check.name == "open files")
        );
    }
}
