//! What a run is to do, decided and checked: what the command line asked for, in the form that
//! travels to worker processes and into the result.
//!
//! ```text
//! {"scenario":"broadcast","target":"http://127.0.0.1:3000","clients":1000,"rate":5.0,..}
//! ```

use serde::{Deserialize, Serialize};

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) scenario: Scenario,
    pub(crate) target: String,
    pub(crate) path: String,
    pub(crate) namespace: String,
    pub(crate) transport: Transport,
    pub(crate) protocol: Protocol,
    pub(crate) clients: u32,
    /// `None` is as fast as the server takes them: a ceiling, found by a closed loop.
    pub(crate) connect_rate: Option<f64>,
    pub(crate) at_once: u32,
    pub(crate) connect_timeout_seconds: f64,
    pub(crate) source: Option<String>,
    /// Sends per second over all senders; `None` where nothing is sent, or in a closed loop.
    pub(crate) rate: Option<f64>,
    pub(crate) pacing: Pacing,
    pub(crate) payload_bytes: usize,
    pub(crate) binary: bool,
    pub(crate) event: String,
    pub(crate) warmup_seconds: f64,
    pub(crate) duration_seconds: f64,
    pub(crate) drain_seconds: f64,
    pub(crate) seed: u64,
    /// Threads or processes that share the clients.
    pub(crate) shards: u32,
    /// Whether shards are processes.
    pub(crate) processes: bool,
    pub(crate) pin: Option<usize>,
    pub(crate) kernel_stamps: bool,
}

/// What the clients do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scenario {
    Connect,
    Idle,
    Broadcast { publishers: u32 },
    Echo,
    Ack,
    Rooms { rooms: u32, sizes: RoomSizes },
    Mixed { askers: u32, ask_rate: f64 },
    Slow { share: f64, read_bytes_per_second: u64 },
    Churn { share: f64, churn_rate: f64 },
    Storm,
}

impl Scenario {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Idle => "idle",
            Self::Broadcast { .. } => "broadcast",
            Self::Echo => "echo",
            Self::Ack => "ack",
            Self::Rooms { .. } => "rooms",
            Self::Mixed { .. } => "mixed",
            Self::Slow { .. } => "slow",
            Self::Churn { .. } => "churn",
            Self::Storm => "storm",
        }
    }
}

/// How sends follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Pacing {
    /// Open loop, in equal distances.
    Fixed,
    /// Open loop, at random.
    Poisson,
    /// Closed loop: each send waits for the answers to an earlier one.
    Closed { in_flight: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RoomSizes {
    Equal,
    Zipf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Transport {
    Websocket,
    Polling,
    Upgrade,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Protocol {
    SocketIo,
    Websocket,
}
