//! What the server says of a session that it has opened.
//!
//! ```text
//! 0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}
//! ```

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;

use super::Ending;

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

    /// How long the server may be silent before it counts as gone.
    pub(super) fn patience(&self) -> Duration {
        let milliseconds = u64::from(self.ping_interval) + u64::from(self.ping_timeout);
        Duration::from_millis(milliseconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_the_interval_and_the_timeout() {
        let json = br#"{"sid":"x","pingInterval":25000,"pingTimeout":20000}"#;
        assert_eq!(Opened::read(json).unwrap().patience(), Duration::from_secs(45));
        assert_eq!(Opened::read(b"{\"sid\":\"x\"}").unwrap().patience(), Duration::ZERO);
        assert_eq!(Opened::read(b"[]").unwrap_err(), Ending::BadPacket);
    }
}
