//! Fairness: whether all clients are served alike, or the same ones always come last. It compares
//! the clients' own percentiles, and averages none.
//!
//! ```text
//! p50 of 10,000 clients      best 26.1 ms      median 27.7 ms      worst 52.4 ms
//! ```

use serde::{Deserialize, Serialize};

use super::client_latencies::ClientLatency;
use super::latency::Measure;

/// What clients' own distributions are, one beside the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fairness {
    pub(crate) measure: Measure,
    /// Clients that have samples.
    pub(crate) clients: u64,
    /// Of the client that has the fewest.
    pub(crate) samples_min: u64,
    /// Of the client that has the most.
    pub(crate) samples_max: u64,
    pub(crate) p50: Option<OverClients>,
    pub(crate) p99: Option<OverClients>,
    #[serde(rename = "p99.9")]
    pub(crate) p99_9: Option<OverClients>,
    pub(crate) max: Option<OverClients>,
}

/// One percentile, client by client, told at most 6.25 % too high.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OverClients {
    /// Clients whose samples suffice for it.
    pub(crate) clients: u64,
    pub(crate) best_ns: u64,
    /// Of an even number of clients, the worse of the two in the middle.
    pub(crate) median_ns: u64,
    pub(crate) worst_ns: u64,
}

impl Fairness {
    /// `None` where no client has samples.
    pub(crate) fn new(measure: Measure, clients: &[ClientLatency]) -> Option<Self> {
        let counts = || clients.iter().map(|client| client.count);
        Some(Self {
            measure,
            clients: counts().count().try_into().unwrap_or(u64::MAX),
            samples_min: counts().min()?,
            samples_max: counts().max()?,
            p50: OverClients::new(clients.iter().filter_map(|client| client.p50_ns)),
            p99: OverClients::new(clients.iter().filter_map(|client| client.p99_ns)),
            p99_9: OverClients::new(clients.iter().filter_map(|client| client.p99_9_ns)),
            max: OverClients::new(clients.iter().map(|client| client.max_ns)),
        })
    }

    /// Each percentile that is told, by its name.
    pub(crate) fn told(&self) -> Vec<(&'static str, OverClients)> {
        let all = [("p50", self.p50), ("p99", self.p99), ("p99.9", self.p99_9), ("max", self.max)];
        all.into_iter().filter_map(|(name, over)| Some((name, over?))).collect()
    }
}

impl OverClients {
    fn new(values: impl Iterator<Item = u64>) -> Option<Self> {
        let mut values: Vec<u64> = values.collect();
        values.sort_unstable();
        Some(Self {
            clients: values.len().try_into().unwrap_or(u64::MAX),
            best_ns: *values.first()?,
            median_ns: *values.get(values.len() / 2)?,
            worst_ns: *values.last()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(count: u64, p50_ns: Option<u64>, max_ns: u64) -> ClientLatency {
        ClientLatency { count, p50_ns, p99_ns: None, p99_9_ns: None, max_ns }
    }

    #[test]
    fn best_median_and_worst_are_clients_values() {
        let clients = [client(50, Some(7), 90), client(40, Some(1), 20), client(45, Some(3), 30)];
        let fairness = Fairness::new(Measure::Delivery, &clients).unwrap();
        let over = |best_ns, median_ns, worst_ns| {
            Some(OverClients { clients: 3, best_ns, median_ns, worst_ns })
        };
        assert_eq!((fairness.p50, fairness.max), (over(1, 3, 7), over(20, 30, 90)));
        assert_eq!((fairness.p99, fairness.p99_9), (None, None));
        assert_eq!((fairness.clients, fairness.samples_min, fairness.samples_max), (3, 40, 50));
        let told: Vec<&str> = fairness.told().into_iter().map(|(name, _)| name).collect();
        assert_eq!(told, ["p50", "max"]);
    }

    #[test]
    fn who_has_too_few_samples_is_left_out_of_a_percentile() {
        let clients = [client(50, Some(7), 90), client(5, None, 20), client(45, Some(3), 30)];
        let fairness = Fairness::new(Measure::RoundTrip, &clients).unwrap();
        let p50 = OverClients { clients: 2, best_ns: 3, median_ns: 7, worst_ns: 7 };
        assert_eq!((fairness.p50, fairness.clients), (Some(p50), 3));
        assert_eq!(Fairness::new(Measure::RoundTrip, &[]), None);
    }

    #[test]
    fn names_are_those_of_the_schema() {
        let fairness = Fairness::new(Measure::Delivery, &[client(50, Some(7), 9)]).unwrap();
        let over = |ns| {
            serde_json::json!({"clients": 1, "best_ns": ns, "median_ns": ns,
            "worst_ns": ns})
        };
        let expected = serde_json::json!({
            "measure": "delivery", "clients": 1, "samples_min": 50, "samples_max": 50,
            "p50": over(7), "p99": null, "p99.9": null, "max": over(9),
        });
        assert_eq!(serde_json::to_value(&fairness).unwrap(), expected);
    }
}
