//! What checks judge: the machine as it stands, and how many clients it is to carry.
//!
//! ```text
//! 10,000 clients, 20,000 open files, 15 sockets in TIME_WAIT, 512 MiB of swap in use
//! ```

use rustix::thread::sched_getaffinity;

use super::files::Files;
use super::fingerprint::{self, Fingerprint};

/// The machine as it stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) clients: u64,
    pub(super) fingerprint: Fingerprint,
    /// Cores that this process may run on.
    pub(super) cores_allowed: Option<u32>,
    /// Of the machine, descriptors of all processes.
    pub(super) open_files: Option<u64>,
    pub(super) memory_available_bytes: Option<u64>,
    pub(super) swap_used_bytes: Option<u64>,
    /// Connections that are over and still hold their port.
    pub(super) time_wait_sockets: Option<u64>,
    /// Connections that the firewall keeps in mind; `None` where it doesn't.
    pub(super) tracked_connections: Option<u64>,
    pub(super) loopback_mtu_bytes: Option<u64>,
}

impl Facts {
    pub(super) fn take(clients: u64, files: &impl Files) -> Self {
        let memory = fingerprint::memory(files);
        let swap = memory.as_ref().map(|memory| memory.swap_total.saturating_sub(memory.swap_free));
        Self {
            clients,
            fingerprint: Fingerprint::take(),
            cores_allowed: sched_getaffinity(None).ok().map(|cores| cores.count()),
            open_files: files.number("/proc/sys/fs/file-nr"),
            memory_available_bytes: memory.and_then(|memory| memory.mem_available),
            swap_used_bytes: swap,
            time_wait_sockets: files
                .read("/proc/net/sockstat")
                .and_then(|text| time_wait_sockets(&text)),
            tracked_connections: files.number("/proc/sys/net/netfilter/nf_conntrack_count"),
            loopback_mtu_bytes: files.number("/sys/class/net/lo/mtu"),
        }
    }
}

fn time_wait_sockets(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    let mut words = line.split_whitespace();
    words.find(|word| *word == "tw")?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::files::{Recorded, System};
    use super::*;

    #[test]
    fn recorded_files_are_read() {
        let files = Recorded(&[
            ("/proc/sys/fs/file-nr", "1184\t0\t9223372036854775807\n"),
            (
                "/proc/net/sockstat",
                "sockets: used 22\nTCP: inuse 1 orphan 0 tw 23 alloc 1 mem 61\n",
            ),
            ("/proc/sys/net/netfilter/nf_conntrack_count", "7\n"),
            ("/sys/class/net/lo/mtu", "65536\n"),
        ]);
        let facts = Facts::take(10, &files);
        assert_eq!(facts.open_files, Some(1_184));
        assert_eq!(facts.time_wait_sockets, Some(23));
        assert_eq!(facts.tracked_connections, Some(7));
        assert_eq!(facts.loopback_mtu_bytes, Some(65_536));
        assert_eq!(facts.memory_available_bytes, None);
        assert_eq!(facts.swap_used_bytes, None);
    }

    #[test]
    fn this_machine_has_memory_and_a_core() {
        let facts = Facts::take(10, &System);
        assert!(facts.memory_available_bytes.is_some_and(|bytes| bytes > 0));
        assert!(facts.cores_allowed.is_some_and(|cores| cores > 0));
    }
}
