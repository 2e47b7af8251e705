//! Latencies: one HDR histogram per measure, and the rule of which percentiles it may tell.
//!
//! ```text
//! up to 60 s, three digits     p99.9 is told from 10,000 samples on, p99 from 1,000 on
//! ```

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

/// What a latency runs from and to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Measure {
    /// Intended send to the kernel's receipt, each recipient of each broadcast.
    Delivery,
    /// Intended send to the moment the generator read it.
    DeliveryUserSpace,
    /// Actual send to the kernel's receipt: what a generator that forgives itself would report.
    DeliveryUncorrected,
    /// Intended send to the first recipient, each broadcast.
    FirstRecipient,
    /// Intended send to the last recipient, each broadcast: its completion.
    LastRecipient,
    /// Intended send to the kernel's receipt of the answer.
    RoundTrip,
    /// Intended send to the moment the generator read the answer.
    RoundTripUserSpace,
    /// Actual send to the kernel's receipt of the answer.
    RoundTripUncorrected,
    /// Intended start of a connection to its being connected: let in by the namespace, and where
    /// the transport is an upgrade, moved to the WebSocket too.
    Connect,
    /// The moment of the storm to being connected again.
    Reconnect,
    /// Intended send to actual send: how late the generator was.
    ScheduleLag,
    /// The kernel's receipt to the moment the generator read it.
    ReceiveLag,
}

impl Measure {
    pub(crate) const ALL: [Self; 12] = [
        Self::Delivery,
        Self::DeliveryUserSpace,
        Self::DeliveryUncorrected,
        Self::FirstRecipient,
        Self::LastRecipient,
        Self::RoundTrip,
        Self::RoundTripUserSpace,
        Self::RoundTripUncorrected,
        Self::Connect,
        Self::Reconnect,
        Self::ScheduleLag,
        Self::ReceiveLag,
    ];

    /// What it is called in tables.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Delivery => "delivery",
            Self::DeliveryUserSpace => "delivery, user space",
            Self::DeliveryUncorrected => "delivery, uncorrected",
            Self::FirstRecipient => "first recipient",
            Self::LastRecipient => "last recipient",
            Self::RoundTrip => "round trip",
            Self::RoundTripUserSpace => "round trip, user space",
            Self::RoundTripUncorrected => "round trip, uncorrected",
            Self::Connect => "connect",
            Self::Reconnect => "reconnect",
            Self::ScheduleLag => "schedule lag",
            Self::ReceiveLag => "receive lag",
        }
    }

    /// From where to where it runs, for whoever reads a result.
    pub(crate) fn definition(self) -> &'static str {
        match self {
            Self::Delivery => "from the intended send to the kernel's receipt, each delivery",
            Self::DeliveryUserSpace => {
                "from the intended send to the generator's reading it, each delivery"
            }
            Self::DeliveryUncorrected => {
                "from the actual send to the kernel's receipt, each delivery"
            }
            Self::FirstRecipient => "from the intended send to the first recipient, each broadcast",
            Self::LastRecipient => "from the intended send to the last recipient, each broadcast",
            Self::RoundTrip => "from the intended send to the kernel's receipt of the answer",
            Self::RoundTripUserSpace => {
                "from the intended send to the generator's reading the answer"
            }
            Self::RoundTripUncorrected => {
                "from the actual send to the kernel's receipt of the answer"
            }
            Self::Connect => "from the intended start of a connection to its being connected",
            Self::Reconnect => "from the moment of the storm to being connected again",
            Self::ScheduleLag => "from the intended to the actual send: the generator's own delay",
            Self::ReceiveLag => "from the kernel's receipt to the generator's reading it",
        }
    }
}

/// Latencies of one measure, in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Latencies {
    histogram: Histogram<u64>,
}

impl Default for Latencies {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, DIGITS);
        // The bounds are constants that the histogram accepts: a test says so.
        let histogram = histogram.unwrap_or_else(|_| unreachable!("constant bounds"));
        Self { histogram }
    }
}

impl Latencies {
    /// What is above a minute counts as a minute.
    pub(crate) fn record(&mut self, nanoseconds: u64) {
        self.histogram.saturating_record(nanoseconds);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        // Both have the same bounds, so that nothing can be out of range.
        let _ = self.histogram.add(&other.histogram);
    }

    pub(crate) fn count(&self) -> u64 {
        self.histogram.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.histogram.is_empty()
    }

    pub(crate) fn min_ns(&self) -> u64 {
        if self.is_empty() { 0 } else { self.histogram.min() }
    }

    pub(crate) fn max_ns(&self) -> u64 {
        self.histogram.max()
    }

    pub(crate) fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }

    /// The value at a quantile such as 0.999; `None` where fewer than ten samples lie beyond it.
    pub(crate) fn quantile_ns(&self, quantile: f64) -> Option<u64> {
        is_told(self.count(), quantile).then(|| self.histogram.value_at_quantile(quantile))
    }

    pub(crate) fn percentiles(&self) -> Percentiles {
        Percentiles {
            p50: self.quantile_ns(0.5),
            p90: self.quantile_ns(0.9),
            p99: self.quantile_ns(0.99),
            p99_9: self.quantile_ns(0.999),
            p99_99: self.quantile_ns(0.9999),
        }
    }

    /// The compressed form that other tools of the HDR family read, in base64.
    pub(crate) fn encode(&self) -> String {
        let mut bytes = Vec::new();
        // Writing to memory doesn't fail.
        let _ = V2DeflateSerializer::new().serialize(&self.histogram, &mut bytes);
        STANDARD.encode(bytes)
    }

    /// `None` for what is no histogram.
    pub(crate) fn decode(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok()?;
        let decoded: Histogram<u64> =
            Deserializer::new().deserialize(&mut bytes.as_slice()).ok()?;
        let mut latencies = Self::default();
        for value in decoded.iter_recorded() {
            latencies
                .histogram
                .saturating_record_n(value.value_iterated_to(), value.count_since_last_iteration());
        }
        Some(latencies)
    }
}

/// The percentiles of a result, in nanoseconds; `None` where too few samples stand behind one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: Option<u64>,
    pub(crate) p90: Option<u64>,
    pub(crate) p99: Option<u64>,
    #[serde(rename = "p99.9")]
    pub(crate) p99_9: Option<u64>,
    #[serde(rename = "p99.99")]
    pub(crate) p99_99: Option<u64>,
}

/// Whether at least ten samples lie beyond a quantile.
fn is_told(count: u64, quantile: f64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "a count of samples is far below 2^52")]
    let beyond = count as f64 * (1.0 - quantile);
    // Half a sample of tolerance: 0.999 has no exact form.
    beyond + 1e-6 >= BEYOND_MIN
}

/// Nanoseconds of so many seconds; none of less than nothing.
pub(crate) fn nanoseconds_of(seconds: f64) -> u64 {
    nanoseconds(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX))
}

/// Nanoseconds of a duration; above 584 years, the most there are.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

const LOWEST_NS: u64 = 1;
const HIGHEST_NS: u64 = 60_000_000_000;
const DIGITS: u8 = 3;
const BEYOND_MIN: f64 = 10.0;
