//! What the kernel holds and drops for all TCP sockets of the machine.
//!
//! It can't tell whose: a run takes the difference from its begin to its end, on a machine that
//! does nothing else.
//!
//! ```text
//! TCP: inuse 2001 orphan 0 tw 0 alloc 2003 mem 135        135 pages
//! TcpExt: .. ListenOverflows ListenDrops ..               names in one line,
//! TcpExt: .. 4 4 ..                                       their values in the next
//! ```

use std::fs;

/// Memory that data in TCP sockets takes, sent and unread, both ends; `None` where it isn't told.
///
/// The sockets themselves are not in it, and each processor keeps up to 1 MiB of it in reserve.
pub(crate) fn socket_memory_bytes() -> Option<u64> {
    let pages = tcp_memory_pages(&fs::read_to_string("/proc/net/sockstat").ok()?)?;
    pages.checked_mul(procfs::page_size())
}

/// How often the kernel turned a connection or its data away, since the machine began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KernelDrops {
    /// Connections that found the queue of the listener full.
    pub(crate) listen_overflows: u64,
    /// Connections dropped at the listener, for whatever reason, a full queue included.
    pub(crate) listen_drops: u64,
    /// Requests to connect dropped before their handshake, because too many were on their way.
    pub(crate) request_drops: u64,
    /// Requests to connect sent once more: each was lost and cost its client a second.
    pub(crate) connect_retransmits: u64,
    /// Segments dropped because their socket was busy and had too many waiting.
    pub(crate) backlog_drops: u64,
    /// Segments dropped because their socket had no room for them.
    pub(crate) receive_drops: u64,
    /// Connections ended because TCP had no memory left.
    pub(crate) memory_aborts: u64,
    /// Times that TCP came close to its limit of memory.
    pub(crate) memory_pressures: u64,
}

impl KernelDrops {
    /// `None` where the kernel doesn't tell.
    pub(crate) fn take() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/net/netstat").ok()?)
    }

    /// What was dropped from an earlier look to this one.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            listen_overflows: self.listen_overflows.saturating_sub(earlier.listen_overflows),
            listen_drops: self.listen_drops.saturating_sub(earlier.listen_drops),
            request_drops: self.request_drops.saturating_sub(earlier.request_drops),
            connect_retransmits: self
                .connect_retransmits
                .saturating_sub(earlier.connect_retransmits),
            backlog_drops: self.backlog_drops.saturating_sub(earlier.backlog_drops),
            receive_drops: self.receive_drops.saturating_sub(earlier.receive_drops),
            memory_aborts: self.memory_aborts.saturating_sub(earlier.memory_aborts),
            memory_pressures: self.memory_pressures.saturating_sub(earlier.memory_pressures),
        }
    }

    /// A sentence for each kind that happened, for the warnings of a result.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let kinds = [
            (self.listen_overflows, "connections found the listener's queue full"),
            (
                self.listen_drops.saturating_sub(self.listen_overflows),
                "connections were dropped at the listener",
            ),
            (self.request_drops, "requests to connect were dropped, too many were on their way"),
            (self.connect_retransmits, "requests to connect were sent again after a second"),
            (self.backlog_drops, "segments were dropped because their socket was busy"),
            (self.receive_drops, "segments were dropped because their socket was full"),
            (self.memory_aborts, "connections were ended for want of TCP memory"),
            (self.memory_pressures, "times TCP came close to its limit of memory"),
        ];
        let happened = kinds.into_iter().filter(|(count, _)| *count > 0);
        happened.map(|(count, what)| format!("The kernel counted: {count} {what}.")).collect()
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("TcpExt:"));
        let (names, values) = (lines.next()?, lines.next()?);
        let of = |name: &str| {
            let mut pairs = names.split_whitespace().zip(values.split_whitespace());
            // A kernel that doesn't know a name has never counted it.
            pairs.find(|(one, _)| *one == name).and_then(|(_, value)| value.parse().ok())
        };
        let count = |name| of(name).unwrap_or_default();
        Some(Self {
            listen_overflows: of("ListenOverflows")?,
            listen_drops: of("ListenDrops")?,
            request_drops: count("TCPReqQFullDrop"),
            connect_retransmits: count("TCPSynRetrans"),
            backlog_drops: count("TCPBacklogDrop"),
            receive_drops: count("TCPRcvQDrop"),
            memory_aborts: count("TCPAbortOnMemory"),
            memory_pressures: count("TCPMemoryPressures"),
        })
    }
}

fn tcp_memory_pages(text: &str) -> Option<u64> {
    // One figure counts both families: the file for IPv6 has none.
    let line = text.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    let mut words = line.split_whitespace();
    words.find(|word| *word == "mem")?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_sockets_is_told_in_pages() {
        let text = "sockets: used 15\n\
            TCP: inuse 1 orphan 0 tw 0 alloc 1 mem 135\n\
            UDP: inuse 0 mem 7\n";
        assert_eq!(tcp_memory_pages(text), Some(135));
        assert_eq!(tcp_memory_pages("UDP: inuse 0 mem 7\n"), None);
        assert_eq!(tcp_memory_pages("TCP: inuse 1 mem\n"), None);
        assert_eq!(tcp_memory_pages("TCP: inuse 1 mem -3\n"), None);
        assert_eq!(tcp_memory_pages(""), None);
    }

    #[test]
    fn drops_are_found_by_their_names() {
        let text = "TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPAbortOnMemory \
            TCPMemoryPressures TCPBacklogDrop TCPReqQFullDrop TCPSynRetrans TCPRcvQDrop\n\
            TcpExt: 99 4 6 1 2 3 5 320 7\n\
            IpExt: InNoRoutes ListenDrops\n\
            IpExt: 1 100\n";
        let drops = KernelDrops::parse(text).unwrap();
        let expected = KernelDrops {
            listen_overflows: 4,
            listen_drops: 6,
            request_drops: 5,
            connect_retransmits: 320,
            backlog_drops: 3,
            receive_drops: 7,
            memory_aborts: 1,
            memory_pressures: 2,
        };
        assert_eq!(drops, expected);
    }

    #[test]
    fn what_an_old_kernel_does_not_count_is_none() {
        let drops = KernelDrops::parse("TcpExt: ListenOverflows ListenDrops\nTcpExt: 1 2\n");
        let expected =
            KernelDrops { listen_overflows: 1, listen_drops: 2, ..KernelDrops::default() };
        assert_eq!(drops, Some(expected));
        assert_eq!(KernelDrops::parse("TcpExt: ListenOverflows\n"), None);
        assert_eq!(KernelDrops::parse("TcpExt: A\nTcpExt: 1\n"), None);
        assert_eq!(KernelDrops::parse(""), None);
    }

    #[test]
    fn a_run_hears_only_of_what_happened_in_it() {
        let before = KernelDrops { listen_overflows: 4, listen_drops: 6, ..Default::default() };
        let after = KernelDrops { listen_overflows: 9, listen_drops: 13, ..before };
        let drops = after.since(&before);
        assert_eq!((drops.listen_overflows, drops.listen_drops), (5, 7));
        assert_eq!(
            drops.sentences(),
            [
                "The kernel counted: 5 connections found the listener's queue full.",
                "The kernel counted: 2 connections were dropped at the listener.",
            ]
        );
        assert_eq!(before.since(&before).sentences(), [""; 0]);
    }
}
