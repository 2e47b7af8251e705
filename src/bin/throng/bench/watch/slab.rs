//! What the kernel's objects for TCP sockets take, on the whole machine: the sockets themselves,
//! what hangs on each, and what waits in them.
//!
//! Descriptors and what epoll keeps for each are in it, as far as the kernel keeps them apart from
//! others of their size. Only root may read it, as a rule.
//!
//! ```text
//! # name            <active_objs> <num_objs> <objsize> ..
//! TCP                   20053      20104       2368    ..        47.5 MB
//! ```

use std::fs;

/// `None` where it can't be read.
pub(crate) fn socket_slab_bytes() -> Option<u64> {
    parse(&fs::read_to_string("/proc/slabinfo").ok()?)
}

fn parse(text: &str) -> Option<u64> {
    let mut sum = None;
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let is_ours = words.next().is_some_and(|name| NAMES.contains(&name));
        let mut numbers = words.map_while(|word| word.parse::<u64>().ok());
        if let (true, Some(active), Some(size)) = (is_ours, numbers.next(), numbers.nth(1)) {
            sum = Some(sum.unwrap_or(0_u64).saturating_add(active.saturating_mul(size)));
        }
    }
    sum
}

const NAMES: [&str; 14] = [
    "TCP",
    "TCPv6",
    "request_sock_TCP",
    "request_sock_TCPv6",
    "tw_sock_TCP",
    "tw_sock_TCPv6",
    "sock_inode_cache",
    "skbuff_head_cache",
    "skbuff_fclone_cache",
    "skbuff_small_head",
    "filp",
    "eventpoll_epi",
    "eventpoll_pwq",
    "ep_head",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_sockets_are_added_up() {
        let text = "slabinfo - version: 2.1\n\
            # name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>\n\
            TCP                   53    104   2368   13    8 : tunables    0    0    0\n\
            mptcp_TCP              9      9   9999   13    8 : tunables    0    0    0\n\
            sock_inode_cache     181    190    832   19    4 : tunables    0    0    0\n\
            dentry            156456 200298    192   21    1 : tunables    0    0    0\n";
        assert_eq!(parse(text), Some(53 * 2_368 + 181 * 832));
    }

    #[test]
    fn a_table_without_them_tells_nothing() {
        assert_eq!(parse("slabinfo - version: 2.1\ndentry 1 2 192 21 1\n"), None);
        assert_eq!(parse("TCP 53\nTCPv6 x 104 2368\n"), None);
        assert_eq!(parse(""), None);
    }
}
