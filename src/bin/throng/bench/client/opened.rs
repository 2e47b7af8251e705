//! What the server says of a session that it has opened.
//!
//! ```text
//! 0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}
//! ```

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;

use super::{Dialect, Ending, Heartbeat};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Opened<'a> {
    #[serde(borrow)]
    pub(super) sid: Cow<'a, str>,
    #[serde(default)]
    pub(super) upgrades: Vec<String>,
    pub(super) max_payload: Option<usize>,
    #[serde(default)]
    ping_interval: u32,
    #[serde(default)]
    ping_timeout: u32,
}

impl<'a> Opened<'a> {
    pub(super) fn read(json: &'a [u8]) -> Result<Self, Ending> {
        serde_json::from_slice(json).map_err(|_| Ending::BadPacket)
    }

    /// The server counts as gone when nothing was heard of it for both times together.
    pub(super) fn heartbeat(&self, dialect: &Dialect) -> Heartbeat {
        let interval = Duration::from_millis(self.ping_interval.into());
        let timeout = Duration::from_millis(self.ping_timeout.into());
        let is_ours = dialect.is_v2() && !interval.is_zero();
        Heartbeat { patience: interval + timeout, ping_after: is_ours.then_some(interval) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::client::tests::{dialect, dialect_v2};

    #[test]
    fn patience_is_the_interval_and_the_timeout() {
        let json = br#"{"sid":"x","pingInterval":25000,"pingTimeout":20000}"#;
        let opened = Opened::read(json).unwrap();
        let patience = Duration::from_secs(45);
        let heartbeat = opened.heartbeat(&dialect("/"));
        assert_eq!(heartbeat, Heartbeat { patience, ping_after: None });
        let heartbeat = opened.heartbeat(&dialect_v2("/"));
        let ping_after = Some(Duration::from_secs(25));
        assert_eq!(heartbeat, Heartbeat { patience, ping_after });
    }

    #[test]
    fn a_server_that_names_no_times_has_no_heartbeat() {
        let opened = Opened::read(b"{\"sid\":\"x\"}").unwrap();
        let none = Heartbeat { patience: Duration::ZERO, ping_after: None };
        assert_eq!(opened.heartbeat(&dialect("/")), none);
        assert_eq!(opened.heartbeat(&dialect_v2("/")), none);
        assert_eq!(Opened::read(b"[]").unwrap_err(), Ending::BadPacket);
    }
}
