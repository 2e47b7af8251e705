//! Latencies: one HDR histogram per measure, and the rule of which percentiles it may tell.
//!
//! ```text
//! up to 60 s, three digits     p99.9 is told from 100,000 samples on, p99 from 10,000 on
//! ```

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

use super::percentile::{DECIDING_MIN, Percentile};

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
    /// The moment a client was to leave, in churn or in a storm, to being connected again.
    Reconnect,
    /// A client's own connect call to being connected again: without what the generator needs to
    /// close and open all of a storm's connections.
    ReconnectOwn,
    /// Intended send to actual send: how late the generator was.
    ScheduleLag,
    /// Intended start of a connection to its actual start, of those at a rate that had not to wait
    /// for others on their way.
    ConnectLag,
    /// The kernel's receipt to the moment the generator read it.
    ReceiveLag,
}

impl Measure {
    pub(crate) const ALL: [Self; 14] = [
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
        Self::ReconnectOwn,
        Self::ScheduleLag,
        Self::ConnectLag,
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
            Self::ReconnectOwn => "reconnect, own start",
            Self::ScheduleLag => "schedule lag",
            Self::ConnectLag => "connect lag",
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
            Self::Reconnect => "from the moment a client was to leave to being connected again",
            Self::ReconnectOwn => "from a client's own connect call to being connected again",
            Self::ScheduleLag => "from the intended to the actual send: the generator's own delay",
            Self::ConnectLag => {
                "from the intended to the actual start of a connection: the generator's own delay"
            }
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
        self.histogram.saturating_record(nanoseconds.min(HIGHEST_NS));
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

    /// The value at a quantile such as 0.999; `None` where fewer than a hundred samples lie beyond
    /// it, or, for one up to the median, where there are fewer.
    pub(crate) fn quantile_ns(&self, quantile: f64) -> Option<u64> {
        is_told(self.count(), quantile).then(|| self.histogram.value_at_quantile(quantile))
    }

    /// The same from ten samples beyond on: too few for a figure, enough for a suspicion.
    pub(crate) fn roughly_ns(&self, quantile: f64) -> Option<u64> {
        let is_enough = beyond(self.count(), quantile) >= SUSPICIOUS_MIN;
        is_enough.then(|| self.histogram.value_at_quantile(quantile))
    }

    pub(crate) fn percentiles(&self) -> Percentiles {
        let [p50, p90, p99, p99_9, p99_99] =
            Percentile::ALL.map(|percentile| self.quantile_ns(percentile.quantile()));
        Percentiles { p50, p90, p99, p99_9, p99_99 }
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

/// Whether so many samples are enough to tell a quantile, as `Percentile::is_told` has it.
fn is_told(count: u64, quantile: f64) -> bool {
    let deciding = if quantile <= 0.5 { beyond(count, 0.0) } else { beyond(count, quantile) };
    deciding >= f64::from(DECIDING_MIN)
}

/// How many of so many samples lie beyond a quantile.
fn beyond(count: u64, quantile: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a count of samples is far below 2^52")]
    let beyond = count as f64 * (1.0 - quantile);
    // A millionth of a sample of tolerance: 0.999 has no exact form.
    beyond + 1e-6
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
/// Longer ones count as this long.
pub(crate) const HIGHEST_NS: u64 = 60_000_000_000;
const DIGITS: u8 = 3;
const SUSPICIOUS_MIN: f64 = 10.0;

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 us, 2 us, .. up to so many.
    fn microseconds(count: u64) -> Latencies {
        recorded((1..=count).map(|value| value * 1_000))
    }

    fn recorded(values: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::default();
        values.into_iter().for_each(|value| latencies.record(value));
        latencies
    }

    /// A thousand samples lie 1 us apart. A bucket is 256 ns wide below 524 us, and 512 ns below
    /// 1.048 ms; what is told is the greatest value of the sample's bucket: 500 us lie in
    /// 1,953 * 256 ..= 1,954 * 256 - 1.
    #[test]
    fn quantiles_are_those_of_the_sorted_samples() {
        let latencies = microseconds(1_000);
        assert_eq!(latencies.quantile_ns(0.5), Some(1_954 * 256 - 1));
        assert_eq!(latencies.quantile_ns(0.9), Some(1_758 * 512 - 1));
        assert_eq!(latencies.quantile_ns(0.99), None);
        assert_eq!(latencies.roughly_ns(0.99), Some(1_934 * 512 - 1));
        assert_eq!(latencies.roughly_ns(0.999), None);
        assert_eq!(latencies.count(), 1_000);
        assert_eq!(latencies.min_ns(), 1_000);
        assert_eq!(latencies.max_ns(), 1_954 * 512 - 1);
    }

    /// Of each hundred answers, 95 after 1 ms and five after 301: the rank decides, not the mean.
    #[test]
    fn a_few_late_samples_move_only_the_quantiles_that_they_are_in() {
        let values = (0..1_000).map(|index| if index % 20 == 19 { 301 } else { 1 });
        let latencies = recorded(values.map(|value| value * 1_000_000));
        // Buckets are 512 ns wide at 1 ms and 262,144 ns at 301 ms.
        assert_eq!(latencies.quantile_ns(0.5), Some(1_954 * 512 - 1));
        assert_eq!(latencies.quantile_ns(0.9), Some(1_954 * 512 - 1));
        assert_eq!(latencies.max_ns(), 1_149 * 262_144 - 1);
    }

    #[test]
    fn a_told_value_is_never_below_its_sample_and_at_most_a_thousandth_above() {
        let samples: Vec<u64> = (0..200_000_u64)
            .map(|index| 1_000 + index.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 2_000_000_000)
            .collect();
        let latencies = recorded(samples.iter().copied());
        let mut sorted = samples;
        sorted.sort_unstable();
        for (quantile, rank) in [(0.5, 100_000), (0.9, 180_000), (0.99, 198_000), (0.999, 199_800)]
        {
            let (told, true_value) = (latencies.quantile_ns(quantile).unwrap(), sorted[rank - 1]);
            assert!(told >= true_value, "{quantile}: {told} for {true_value}");
            assert!(told - true_value <= 512 + true_value / 1_000, "{told} for {true_value}");
        }
    }

    #[test]
    fn a_quantile_is_told_when_a_hundred_samples_lie_beyond_it() {
        let least =
            [(0.5, 100), (0.9, 1_000), (0.99, 10_000), (0.999, 100_000), (0.9999, 1_000_000)];
        for (quantile, count) in least {
            assert!(is_told(count, quantile), "{count} samples are enough for {quantile}");
            assert!(!is_told(count - 1, quantile), "{} are not", count - 1);
        }
        assert!(!is_told(0, 0.0));
        assert!(!is_told(u64::MAX, 1.0), "nothing lies beyond the greatest");
    }

    #[test]
    fn percentiles_without_enough_samples_are_null() {
        let percentiles = microseconds(999).percentiles();
        let json = serde_json::to_value(percentiles).unwrap();
        // 99.9 samples lie beyond p90.
        let p50 = 1_954 * 256 - 1;
        let expected = serde_json::json!(
            {"p50": p50, "p90": null, "p99": null, "p99.9": null, "p99.99": null}
        );
        assert_eq!(json, expected);
        assert_eq!(Latencies::default().percentiles(), Percentiles::default());
    }

    #[test]
    fn nothing_recorded_is_nothing_told() {
        let latencies = Latencies::default();
        assert!(latencies.is_empty());
        assert_eq!((latencies.count(), latencies.min_ns(), latencies.max_ns()), (0, 0, 0));
        assert_eq!(latencies.quantile_ns(0.5), None);
    }

    /// Percentiles are those of all samples: the mean of the two medians would be 5.5 ms.
    #[test]
    fn merged_histograms_are_the_histogram_of_all() {
        let fast = recorded(std::iter::repeat_n(1_000_000, 3_000));
        let slow = recorded(std::iter::repeat_n(10_000_000, 1_000));
        let mut merged = fast.clone();
        merged.merge(&slow);
        assert_eq!(merged.count(), 4_000);
        assert_eq!(merged.quantile_ns(0.5), fast.quantile_ns(0.5));
        assert_eq!(merged.quantile_ns(0.9), slow.quantile_ns(0.5));
        assert_eq!((merged.min_ns(), merged.max_ns()), (fast.min_ns(), slow.max_ns()));
        let mut other = slow.clone();
        other.merge(&fast);
        assert_eq!(other.histogram(), merged.histogram());
    }

    #[test]
    fn what_is_above_a_minute_counts_as_a_minute() {
        let mut latencies = recorded([60_000_000_000]);
        let minute_ns = latencies.max_ns();
        assert!((60_000_000_000..60_060_000_000).contains(&minute_ns), "{minute_ns}");
        for above in [60_000_000_001, 65_000_000_000, 70_000_000_000, u64::MAX] {
            latencies.record(above);
            assert_eq!(latencies.max_ns(), minute_ns, "{above}");
        }
        assert_eq!(latencies.count(), 5);
        assert!(recorded([0]).max_ns() < 1_000);
    }

    #[test]
    fn a_histogram_survives_its_encoding() {
        let latencies =
            recorded((0..5_000).map(|index| index * index * 2_000).chain([0, u64::MAX]));
        let text = latencies.encode();
        assert!(text.starts_with("HISTF"), "other tools know it by its first bytes: {text}");
        let decoded = Latencies::decode(&text).unwrap();
        assert_eq!(decoded.histogram(), latencies.histogram());
        assert_eq!(decoded.percentiles(), latencies.percentiles());
        assert_eq!(decoded.encode(), text);
        let empty = Latencies::decode(&Latencies::default().encode()).unwrap();
        assert!(empty.is_empty());
    }

    #[test]
    fn what_is_no_histogram_is_refused() {
        let whole = microseconds(100).encode();
        for text in ["", "!", "AAAA", "HISTFAAAAA==", &whole[..whole.len() / 2]] {
            assert!(Latencies::decode(text).is_none(), "{text}");
        }
    }

    #[test]
    fn each_measure_has_a_name_a_title_and_a_definition_of_its_own() {
        let names = Measure::ALL.map(|measure| serde_json::to_string(&measure).unwrap());
        let titles = Measure::ALL.map(|measure| measure.title().to_owned());
        let definitions = Measure::ALL.map(|measure| measure.definition().to_owned());
        for mut texts in [names.clone(), titles, definitions] {
            texts.sort();
            assert!(texts.windows(2).all(|pair| pair[0] != pair[1]), "{texts:?}");
        }
        assert!(Measure::ALL.is_sorted(), "as they stand in the enum, each once");
        assert_eq!(names[2], "\"delivery-uncorrected\"");
    }

    #[test]
    fn a_duration_beyond_what_fits_is_the_most_that_fits() {
        assert_eq!(nanoseconds(Duration::from_millis(3)), 3_000_000);
        assert_eq!(nanoseconds(Duration::MAX), u64::MAX);
    }
}
