//! The addresses that clients connect from: one address has too few ports for a large crowd, a
//! network of them has enough. It binds nothing.
//!
//! ```text
//! --source 127.0.0.0/16     127.0.0.2, 127.0.0.3, .. 127.0.255.254, and again from the first
//! ```

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

/// The addresses of a run, taken in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sources {
    /// The system decides for each connection.
    System,
    /// So many addresses from the first on.
    Addresses { first: IpAddr, count: u128 },
}

impl Sources {
    /// The network that was asked for; without one, on loopback, as many neighbours of 127.0.0.2
    /// as the clients need, and elsewhere what the system decides.
    pub(crate) fn new(
        network: Option<&str>,
        target: SocketAddr,
        clients: u32,
    ) -> Result<Self, SourceError> {
        let Some(text) = network else { return Ok(Self::default_for(target.ip(), clients)) };
        let network = parse(text)?;
        let text = || text.to_owned();
        if matches!(network, IpNet::V4(_)) != target.is_ipv4() {
            return Err(SourceError::Family { network: text(), target });
        }
        if network.addr().is_loopback() && !target.ip().is_loopback() {
            return Err(SourceError::Loopback { network: text(), target });
        }
        let sources = Self::of_network(network);
        if u128::from(clients) > sources.len().saturating_mul(PORTS_MAX) {
            return Err(SourceError::Ports { network: text(), clients, addresses: sources.len() });
        }
        Ok(sources)
    }

    /// The address of the client with this number in the whole run; `None` where the system
    /// decides.
    pub(crate) fn nth(&self, client: u32) -> Option<IpAddr> {
        let Self::Addresses { first, count } = *self else { return None };
        Some(plus(first, u128::from(client).checked_rem(count)?))
    }

    /// How many addresses there are; none where the system decides.
    pub(crate) fn len(&self) -> u128 {
        match self {
            Self::System => 0,
            Self::Addresses { count, .. } => *count,
        }
    }

    fn default_for(target: IpAddr, clients: u32) -> Self {
        if !target.is_loopback() || target.is_ipv6() {
            return Self::System;
        }
        let count = u128::from(clients.div_ceil(PORTS_PLANNED).max(1));
        Self::Addresses { first: IpAddr::V4(FIRST_NEIGHBOUR), count }
    }

    /// Without the network's own address and its broadcast address, and without 127.0.0.1, whose
    /// ports others use, where there are others.
    fn of_network(network: IpNet) -> Self {
        let (mut first, mut last) = (number(network.network()), number(network.broadcast()));
        // Two addresses are a link and one is a host: both are used whole.
        if last - first > 1 {
            first += 1;
            // IPv6 has no broadcast address.
            last -= u128::from(matches!(network, IpNet::V4(_)));
        }
        let localhost = number(IpAddr::V4(Ipv4Addr::LOCALHOST));
        if matches!(network, IpNet::V4(_)) && first == localhost && last > first {
            first += 1;
        }
        let begin = match network {
            IpNet::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpNet::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let count = (last - first).saturating_add(1);
        Self::Addresses { first: plus(begin, first), count }
    }
}

/// Whether a text is a network of source addresses.
pub(crate) fn check(network: &str) -> Result<(), SourceError> {
    parse(network).map(|_| ())
}

/// Why addresses can't be connected from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SourceError {
    /// It is neither a network nor an address.
    Malformed { network: String },
    /// It is of another family than the server's address.
    Family { network: String, target: SocketAddr },
    /// It ends at this machine, and the server is elsewhere.
    Loopback { network: String, target: SocketAddr },
    /// It has too few ports for the clients.
    Ports { network: String, clients: u32, addresses: u128 },
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { network } => write!(
                f,
                "--source \"{network}\" is no network: write one such as 127.0.0.0/16, or one \
                 address"
            ),
            Self::Family { network, target } => {
                write!(f, "--source {network} cannot reach {target}: one is IPv4, the other IPv6")
            }
            Self::Loopback { network, target } => {
                write!(f, "--source {network} cannot reach {target}: loopback ends at this machine")
            }
            Self::Ports { network, clients, addresses } => write!(
                f,
                "--source {network} has {addresses} addresses, too few for {clients} clients: an \
                 address has at most {PORTS_MAX} ports, so give a larger network"
            ),
        }
    }
}

impl std::error::Error for SourceError {}

/// An address alone is a network of one.
fn parse(text: &str) -> Result<IpNet, SourceError> {
    let malformed = || SourceError::Malformed { network: text.to_owned() };
    match text.parse::<IpAddr>() {
        Ok(address) => Ok(IpNet::from(address)),
        Err(_) => text.parse().map_err(|_| malformed()),
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

fn plus(address: IpAddr, offset: u128) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let offset = u32::try_from(offset).unwrap_or(u32::MAX);
            IpAddr::V4(Ipv4Addr::from(u32::from(address).saturating_add(offset)))
        }
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from(u128::from(address).saturating_add(offset)))
        }
    }
}

/// How many ports of an address are used where we choose: 8,000 of the usual range stay free for
/// connections that come again while their former ports still wait.
const PORTS_PLANNED: u32 = 20_000;
/// All ports above the privileged ones: what no setting can exceed.
const PORTS_MAX: u128 = 64_512;
/// The address after the one that other programs use.
const FIRST_NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn loopback(network: Option<&str>, clients: u32) -> Result<Sources, SourceError> {
        Sources::new(network, target("127.0.0.1:3000"), clients)
    }

    fn nth(sources: &Sources, client: u32) -> String {
        sources.nth(client).expect("an address").to_string()
    }

    #[test]
    fn a_network_leaves_out_its_ends_and_localhost() {
        let sources = loopback(Some("127.0.0.0/16"), 100_000).expect("a network");
        // 65,536 addresses without 127.0.0.0, 127.0.0.1 and 127.0.255.255.
        assert_eq!(sources.len(), 65_533);
        assert_eq!(nth(&sources, 0), "127.0.0.2");
        assert_eq!(nth(&sources, 254), "127.0.1.0");
        assert_eq!(nth(&sources, 65_532), "127.0.255.254");
        assert_eq!(nth(&sources, 65_533), "127.0.0.2");
        // The bits of the host don't matter.
        assert_eq!(loopback(Some("127.0.3.4/16"), 1), Ok(sources));
    }

    #[test]
    fn small_networks_are_used_whole() {
        let one = loopback(Some("127.0.0.1"), 1).expect("an address");
        assert_eq!((one.len(), nth(&one, 5).as_str()), (1, "127.0.0.1"));
        assert_eq!(loopback(Some("127.0.0.1/32"), 1), Ok(one));
        let two = loopback(Some("127.0.0.8/31"), 1).expect("a network");
        assert_eq!((nth(&two, 0).as_str(), nth(&two, 1).as_str()), ("127.0.0.8", "127.0.0.9"));
        let four = loopback(Some("127.0.0.0/30"), 1).expect("a network");
        assert_eq!((four.len(), nth(&four, 3).as_str()), (1, "127.0.0.2"));
    }

    #[test]
    fn the_other_family_has_no_broadcast_address() {
        let sources = Sources::new(Some("fd00::/126"), target("[fd00::9]:1"), 10);
        let sources = sources.expect("a network");
        assert_eq!(sources.len(), 3);
        assert_eq!([nth(&sources, 0), nth(&sources, 2)], ["fd00::1", "fd00::3"]);
        let all = Sources::new(Some("::/0"), target("[fd00::9]:1"), u32::MAX).expect("a network");
        assert_eq!(all.len(), u128::MAX);
        assert_eq!(nth(&all, u32::MAX), "::1:0:0");
        let every = Sources::new(Some("0.0.0.0/0"), target("10.0.0.9:1"), 1).expect("a network");
        assert_eq!((every.len(), nth(&every, u32::MAX)), (4_294_967_294, "0.0.0.2".to_owned()));
    }

    #[test]
    fn loopback_gets_as_many_neighbours_as_its_ports_need() {
        for (clients, count) in [(0, 1), (1, 1), (20_000, 1), (20_001, 2), (100_000, 5)] {
            let sources = loopback(None, clients).expect("neighbours");
            assert_eq!(sources.len(), count, "{clients}");
            assert_eq!(nth(&sources, 0), "127.0.0.2");
        }
        let sources = loopback(None, 100_000).expect("neighbours");
        assert_eq!([nth(&sources, 4), nth(&sources, 5)], ["127.0.0.6", "127.0.0.2"]);
        for elsewhere in ["[::1]:1", "10.0.0.1:1"] {
            assert_eq!(Sources::new(None, target(elsewhere), 9), Ok(Sources::System));
        }
        assert_eq!(Sources::System.nth(3), None);
    }

    #[test]
    fn what_cannot_be_connected_from_is_told_why() {
        for text in ["", "here", "127.0.0.0/33", "127.0.0.0/", "127.0.0/8"] {
            assert!(check(text).is_err(), "{text}");
        }
        let told = |network: &str, to: &str, clients: u32| {
            let refused = Sources::new(Some(network), target(to), clients);
            refused.expect_err("the network is refused").to_string()
        };
        assert!(told("::1", "127.0.0.1:1", 1).contains("IPv6"));
        assert!(told("127.0.0.0/8", "10.0.0.1:1", 1).contains("loopback ends at this machine"));
        assert!(told("127.0.0.5", "127.0.0.1:1", 64_513).contains("a larger network"));
        assert!(loopback(Some("127.0.0.5"), 64_512).is_ok());
    }
}
