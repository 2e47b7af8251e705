//! The heartbeat of one session: the server pings, the client answers. In EIO 3 it is the client
//! that pings, and the server only waits.
//!
//! It isn't a timer: it says when it wants to be looked at ([`Heartbeat::wake_at`]) and what is due
//! then. A pong only writes a later moment down.
//!
//! ```text
//! EIO 4    server: 2      client: 3
//! EIO 3    client: 2      server: 3
//! ```

use std::time::Duration;

use crate::config::EngineConfig;
use crate::entropy::Entropy;

/// Where a session stands between two pings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heartbeat {
    /// Nothing is asked of the client; the next ping is due at this moment.
    Resting { ping_at: Duration },
    /// A ping was sent, or waits for a GET; without a pong by this moment the session ends.
    Asked { pong_until: Duration },
    /// As [`Heartbeat::Asked`], and another packet has come since and restarted the time. That
    /// happens once per ping: a client that talks but never answers ends all the same.
    Heard { pong_until: Duration },
    /// EIO 3: the client pings when it likes; without a ping by this moment the session ends.
    Listening { ping_until: Duration },
}

/// What is due when a heartbeat is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Nothing yet.
    Nothing,
    /// A ping; the time for its pong runs from now, or from when it was due just before.
    Ping,
    /// The pong is overdue, or the client's ping.
    TimedOut,
}

impl Heartbeat {
    /// The first ping comes one interval after the handshake, less a random phase of up to a
    /// tenth: clients that arrived together, after a restart say, don't stay together for ever.
    pub(crate) fn start(now: Duration, config: &EngineConfig, entropy: &mut dyn Entropy) -> Self {
        let interval = config.ping_interval;
        let mut phase = Duration::ZERO;
        if interval >= PHASED_INTERVAL_MIN {
            let mut random = [0; 2];
            entropy.fill(&mut random);
            phase = (interval / 10).mul_f64(f64::from(u16::from_le_bytes(random)) / 65_536.0);
        }
        Self::Resting { ping_at: after(now, interval.saturating_sub(phase)) }
    }

    /// EIO 3: the client has as long for its first ping as for each that follows.
    pub(crate) fn listen(now: Duration, config: &EngineConfig) -> Self {
        let patience = config.ping_interval.saturating_add(config.ping_timeout);
        Self::Listening { ping_until: after(now, patience) }
    }

    /// When [`Heartbeat::expire`] has something to say.
    pub(crate) const fn wake_at(self) -> Duration {
        match self {
            Self::Resting { ping_at: at }
            | Self::Asked { pong_until: at }
            | Self::Heard { pong_until: at }
            | Self::Listening { ping_until: at } => at,
        }
    }

    /// A pong, asked for or not, restarts the interval.
    pub(crate) fn handle_pong(&mut self, now: Duration, config: &EngineConfig) {
        *self = Self::Resting { ping_at: after(now, config.ping_interval) };
    }

    /// A ping of a client of EIO 3.
    pub(crate) fn handle_ping(&mut self, now: Duration, config: &EngineConfig) {
        *self = Self::listen(now, config);
    }

    /// Any other packet: the first after a ping restarts the time for the pong.
    pub(crate) fn handle_packet(&mut self, now: Duration, config: &EngineConfig) {
        if let Self::Asked { .. } = self {
            *self = Self::Heard { pong_until: after(now, config.ping_timeout) };
        }
    }

    /// The upgrade ends the wait for a pong. The reference waits for nothing from then on; here
    /// another ping follows, so that a peer that vanished is still found out.
    pub(crate) fn handle_upgrade(&mut self, now: Duration, config: &EngineConfig) {
        match self {
            Self::Resting { .. } => {}
            Self::Asked { .. } | Self::Heard { .. } => self.handle_pong(now, config),
            Self::Listening { .. } => self.handle_ping(now, config),
        }
    }

    pub(crate) fn expire(&mut self, now: Duration, config: &EngineConfig) -> Beat {
        if now < self.wake_at() {
            return Beat::Nothing;
        }
        match self {
            Self::Resting { ping_at } => {
                // A server that was late is no client's fault: the time for the pong runs from
                // now. But waking up takes its time, and that must not add up.
                let is_on_time = now.saturating_sub(*ping_at) <= WAKING_MAX;
                let asked_at = if is_on_time { *ping_at } else { now };
                *self = Self::Asked { pong_until: after(asked_at, config.ping_timeout) };
                Beat::Ping
            }
            Self::Asked { .. } | Self::Heard { .. } | Self::Listening { .. } => Beat::TimedOut,
        }
    }
}

/// A moment in whole milliseconds, as timers count: what is cut off here, up to one, they would
/// round up, and the wait for them once more.
fn after(now: Duration, period: Duration) -> Duration {
    let fraction = Duration::from_nanos(u64::from(now.subsec_nanos() % 1_000_000));
    now.saturating_sub(fraction).saturating_add(period)
}

/// Shorter intervals are for tests and for hosts that know what they do: no phase.
const PHASED_INTERVAL_MIN: Duration = Duration::from_secs(5);
/// How long it may take to wake up for a ping without being called late.
const WAKING_MAX: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    #[test]
    fn the_phase_is_at_most_a_tenth_and_only_for_long_intervals() {
        let mut config = EngineConfig::default();
        let mut entropy = SeededEntropy::new(3);
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1_000 {
            let at = Heartbeat::start(Duration::ZERO, &config, &mut entropy).wake_at();
            assert!(at > Duration::from_millis(22_500) && at <= Duration::from_secs(25), "{at:?}");
            seen.insert(at);
        }
        assert!(seen.len() > 900);
        config.ping_interval = Duration::from_millis(4_999);
        let at = Heartbeat::start(Duration::ZERO, &config, &mut entropy).wake_at();
        assert_eq!(at, config.ping_interval);
    }

    #[test]
    fn a_packet_restarts_the_timeout_once_per_ping() {
        let config = EngineConfig::default();
        let at = Duration::from_secs;
        let mut heartbeat = Heartbeat::Resting { ping_at: at(25) };
        heartbeat.handle_packet(at(1), &config);
        assert_eq!(heartbeat.expire(at(24), &config), Beat::Nothing);
        assert_eq!(heartbeat.expire(at(25), &config), Beat::Ping);
        heartbeat.handle_packet(at(40), &config);
        heartbeat.handle_packet(at(50), &config);
        assert_eq!(heartbeat.expire(at(59), &config), Beat::Nothing);
        assert_eq!(heartbeat.expire(at(60), &config), Beat::TimedOut);
        heartbeat.handle_pong(at(60), &config);
        assert_eq!(heartbeat.wake_at(), at(85));
    }

    #[test]
    fn a_heartbeat_waits_for_whole_milliseconds_and_waking_up_adds_none() {
        let config = EngineConfig::default();
        let at = Duration::from_micros;
        let mut heartbeat = Heartbeat::Resting { ping_at: Duration::ZERO };
        heartbeat.handle_pong(at(1_700), &config);
        assert_eq!(heartbeat.wake_at(), at(25_001_000));
        assert_eq!(heartbeat.expire(at(25_003_300), &config), Beat::Ping);
        assert_eq!(heartbeat.wake_at(), at(45_001_000));
    }

    #[test]
    fn a_late_ping_leaves_the_client_its_whole_time() {
        let config = EngineConfig::default();
        let mut heartbeat = Heartbeat::Resting { ping_at: Duration::from_secs(25) };
        assert_eq!(heartbeat.expire(Duration::from_secs(26), &config), Beat::Ping);
        assert_eq!(heartbeat.wake_at(), Duration::from_secs(46));
    }

    #[test]
    fn whoever_pings_has_its_time_from_the_last_ping() {
        let config = EngineConfig::default();
        let at = Duration::from_secs;
        let mut heartbeat = Heartbeat::listen(at(0), &config);
        heartbeat.handle_packet(at(30), &config);
        assert_eq!(heartbeat.expire(at(44), &config), Beat::Nothing);
        heartbeat.handle_ping(at(44), &config);
        assert_eq!(heartbeat.expire(at(88), &config), Beat::Nothing);
        assert_eq!(heartbeat.expire(at(89), &config), Beat::TimedOut);
        heartbeat.handle_upgrade(at(89), &config);
        assert_eq!(heartbeat.wake_at(), at(89 + 45));
    }

    #[test]
    fn the_longest_intervals_do_not_overflow() {
        let config = EngineConfig {
            ping_interval: Duration::MAX,
            ping_timeout: Duration::MAX,
            ..EngineConfig::default()
        };
        let now = Duration::from_secs(1);
        let mut heartbeat = Heartbeat::start(now, &config, &mut SeededEntropy::new(1));
        heartbeat.handle_pong(now, &config);
        assert_eq!(heartbeat.wake_at(), Duration::MAX);
    }
}
