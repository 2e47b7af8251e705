//! The server that a run is aimed at: a URL taken apart, and the one address that all clients
//! connect to. It opens no connection.
//!
//! ```text
//! http://localhost:3000    host "localhost:3000", address 127.0.0.1:3000
//! ```

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use tungstenite::http::Uri;

/// Where clients connect to, and the name they call it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// As the `Host` header says it, with the port where the URL has one.
    pub(crate) host: String,
}

/// Looks the host of a URL up; where a name has addresses of both families, IPv4 is taken.
///
/// It may ask the system's resolver and wait for it.
pub(crate) fn resolve(url: &str) -> Result<Target, TargetError> {
    let parts = Parts::parse(url)?;
    let found = (parts.name.as_str(), parts.port).to_socket_addrs().map_err(|error| {
        TargetError::Unresolved { name: parts.name.clone(), error: error.kind() }
    })?;
    let address = preferred(found)
        .ok_or(TargetError::Unresolved { name: parts.name, error: io::ErrorKind::NotFound })?;
    Ok(Target { address, host: parts.host })
}

/// Whether a URL can be a target, without asking anybody for its address.
pub(crate) fn check(url: &str) -> Result<(), TargetError> {
    Parts::parse(url).map(|_| ())
}

/// Whether a URL names this machine by its loopback address or as `localhost`.
pub(crate) fn is_loopback(url: &str) -> bool {
    Parts::parse(url).is_ok_and(|parts| {
        parts.name.eq_ignore_ascii_case("localhost")
            || parts.name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

/// Why a URL is no target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TargetError {
    /// It cannot be read as a URL with a host.
    Malformed { url: String },
    /// It asks for TLS.
    Encrypted { url: String },
    /// Its scheme is missing or unknown.
    Scheme { url: String },
    /// It carries a user name or a password.
    Credentials,
    /// It carries a path or a query, which belong elsewhere.
    Path { path: String },
    /// Its port is 0 or above 65,535.
    Port { url: String },
    /// Nobody knows an address of its host.
    Unresolved { name: String, error: io::ErrorKind },
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { url } => {
                write!(f, "\"{url}\" is no URL: write http://HOST:PORT")
            }
            Self::Encrypted { url } => write!(
                f,
                "\"{url}\" asks for TLS, which the generator does not speak yet: \
                 aim at the server's plain http port"
            ),
            Self::Scheme { url } => {
                write!(f, "\"{url}\" does not begin with http:// or ws://: write http://HOST:PORT")
            }
            Self::Credentials => {
                f.write_str("the URL carries a user name, which the generator does not send")
            }
            Self::Path { path } => write!(
                f,
                "the URL ends in \"{path}\": give the path of Engine.IO with --path, \
                 the namespace with --namespace"
            ),
            Self::Port { url } => write!(f, "\"{url}\" needs a port from 1 to 65535"),
            Self::Unresolved { name, error } => {
                write!(f, "no address is known for the host \"{name}\": {error}")
            }
        }
    }
}

impl std::error::Error for TargetError {}

/// A URL taken apart.
struct Parts {
    /// Name or address without the brackets of IPv6.
    name: String,
    port: u16,
    host: String,
}

impl Parts {
    fn parse(url: &str) -> Result<Self, TargetError> {
        let malformed = || TargetError::Malformed { url: url.to_owned() };
        match url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase()).as_deref() {
            Some("http" | "ws") => {}
            Some("https" | "wss") => return Err(TargetError::Encrypted { url: url.to_owned() }),
            _ => return Err(TargetError::Scheme { url: url.to_owned() }),
        }
        let uri: Uri = url.parse().map_err(|_| malformed())?;
        let authority = uri.authority().ok_or_else(malformed)?;
        if authority.as_str().contains('@') {
            return Err(TargetError::Credentials);
        }
        if let Some(path) = uri.path_and_query().map(|path| path.as_str())
            && !matches!(path, "/" | "")
        {
            return Err(TargetError::Path { path: path.to_owned() });
        }
        let name = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if name.is_empty() {
            return Err(malformed());
        }
        let port = match authority.as_str().strip_prefix(authority.host()) {
            None | Some("") => HTTP_PORT,
            Some(_) => authority.port_u16().unwrap_or(0),
        };
        if port == 0 {
            return Err(TargetError::Port { url: url.to_owned() });
        }
        Ok(Self { name, port, host: authority.as_str().to_owned() })
    }
}

/// The first of IPv4, else the first of all.
fn preferred(addresses: impl Iterator<Item = SocketAddr>) -> Option<SocketAddr> {
    let addresses: Vec<SocketAddr> = addresses.collect();
    addresses.iter().find(|address| address.is_ipv4()).or(addresses.first()).copied()
}

const HTTP_PORT: u16 = 80;

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        check(url).expect_err("the URL is refused").to_string()
    }

    #[test]
    fn an_address_is_its_own_answer() {
        let target = resolve("http://127.0.0.1:3000").expect("an address");
        assert_eq!(target.address, "127.0.0.1:3000".parse().expect("an address"));
        assert_eq!(target.host, "127.0.0.1:3000");
        let target = resolve("ws://[::1]:3000/").expect("an address");
        assert_eq!(target.address, "[::1]:3000".parse().expect("an address"));
        assert_eq!(target.host, "[::1]:3000");
        assert_eq!(resolve("HTTP://127.0.0.1").expect("an address").address.port(), 80);
    }

    #[test]
    fn of_both_families_the_older_is_taken() {
        let six: SocketAddr = "[::1]:1".parse().expect("an address");
        let four: SocketAddr = "127.0.0.1:1".parse().expect("an address");
        assert_eq!(preferred([six, four].into_iter()), Some(four));
        assert_eq!(preferred([six].into_iter()), Some(six));
        assert_eq!(preferred([].into_iter()), None);
    }

    #[test]
    fn what_is_no_target_is_told_why() {
        assert!(refused("https://example.org").contains("TLS"));
        assert!(refused("wss://example.org:3000").contains("TLS"));
        assert!(refused("localhost:3000").contains("http://HOST:PORT"));
        assert!(refused("tcp://localhost:3000").contains("http://"));
        assert!(refused("http://").contains("no URL"));
        assert!(refused("http://:3000").contains("no URL"));
        assert!(refused("http://a b:1").contains("no URL"));
        assert!(refused("http://user@localhost:1").contains("user name"));
        assert!(refused("http://localhost:1/socket.io/").contains("--path"));
        assert!(refused("http://localhost:1?token=a").contains("--path"));
        for url in ["http://localhost:0", "http://localhost:65536", "http://localhost:"] {
            assert!(refused(url).contains("port from 1 to 65535"), "{url}: {}", refused(url));
        }
    }

    #[test]
    fn loopback_is_known_by_its_name_and_its_addresses() {
        for url in ["http://localhost:1", "http://127.3.2.1:1", "http://[::1]:1", "ws://LOCALHOST"]
        {
            assert!(is_loopback(url), "{url}");
        }
        for url in ["http://10.0.0.1:1", "http://example.org:1", "localhost:1"] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
