//! Latencies client by client, kept small: what a histogram over all clients can't tell is whether
//! the late deliveries are always those of the same ones.
//!
//! Buckets are a sixteenth of an octave wide, so that a told value is at most 6.25 % too high, and
//! 832 bytes hold a client's from 1 µs to a minute.
//!
//! ```text
//! client 17    150 samples    p50 27.3 ms    p99 –    max 62.1 ms
//! ```

use serde::{Deserialize, Serialize};

use super::percentile::Percentile;

/// By client, its own samples of the measure that a run is looked at for first.
#[derive(Debug)]
pub(crate) struct ClientLatencies {
    clients_max: usize,
    /// Empty until there is a sample.
    clients: Vec<Samples>,
}

/// One client's distribution; `None` where too few samples lie beyond a percentile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClientLatency {
    pub(crate) count: u64,
    pub(crate) p50_ns: Option<u64>,
    pub(crate) p99_ns: Option<u64>,
    #[serde(rename = "p99.9_ns")]
    pub(crate) p99_9_ns: Option<u64>,
    pub(crate) max_ns: u64,
}

impl ClientLatencies {
    pub(crate) fn new(clients_max: usize) -> Self {
        Self { clients_max, clients: Vec::new() }
    }

    pub(crate) fn record(&mut self, client: usize, nanoseconds: u64) {
        if self.clients.is_empty() {
            self.clients.resize_with(self.clients_max, Samples::default);
        }
        if let Some(samples) = self.clients.get_mut(client) {
            samples.record(nanoseconds);
        }
    }

    /// Of each client that has samples, in no order that matters.
    pub(crate) fn summaries(&self) -> Vec<ClientLatency> {
        self.clients.iter().filter_map(Samples::summary).collect()
    }
}

/// One client's samples. The greatest stands beside the buckets: an exact end of what is told.
#[derive(Debug, Default)]
struct Samples {
    max_ns: u64,
    buckets: Buckets,
}

impl Samples {
    fn record(&mut self, nanoseconds: u64) {
        self.max_ns = self.max_ns.max(nanoseconds);
        self.buckets.count(bucket_of(nanoseconds));
    }

    fn summary(&self) -> Option<ClientLatency> {
        let counts = self.buckets.counts();
        let count: u64 = counts.iter().sum();
        if count == 0 {
            return None;
        }
        let told = |percentile: Percentile| {
            let rank = count.saturating_sub(percentile.beyond(count));
            percentile.is_told(count).then(|| value_at(&counts, rank).min(self.max_ns))
        };
        Some(ClientLatency {
            count,
            p50_ns: told(Percentile::P50),
            p99_ns: told(Percentile::P99),
            p99_9_ns: told(Percentile::P99_9),
            max_ns: self.max_ns,
        })
    }
}

/// How many samples lie in each bucket.
#[derive(Debug, Default)]
enum Buckets {
    /// There was no sample yet, and nothing is allocated.
    #[default]
    Absent,
    /// No bucket holds more than 65,535.
    Narrow(Box<[u16; BUCKETS]>),
    /// A bucket has outgrown that: few clients that are asked much.
    Wide(Box<[u32; BUCKETS]>),
}

impl Buckets {
    fn count(&mut self, bucket: usize) {
        match self {
            Self::Absent => {
                *self = Self::Narrow(Box::new([0; BUCKETS]));
                self.count(bucket);
            }
            Self::Narrow(counts) => {
                let Some(count) = counts.get_mut(bucket) else { return };
                if let Some(more) = count.checked_add(1) {
                    *count = more;
                } else {
                    let wide = counts.map(u32::from);
                    *self = Self::Wide(Box::new(wide));
                    self.count(bucket);
                }
            }
            Self::Wide(counts) => {
                if let Some(count) = counts.get_mut(bucket) {
                    *count = count.saturating_add(1);
                }
            }
        }
    }

    fn counts(&self) -> Vec<u64> {
        match self {
            Self::Absent => Vec::new(),
            Self::Narrow(counts) => counts.iter().copied().map(u64::from).collect(),
            Self::Wide(counts) => counts.iter().copied().map(u64::from).collect(),
        }
    }
}

/// What is below the first bucket or above the last counts in it.
fn bucket_of(nanoseconds: u64) -> usize {
    let value = nanoseconds.clamp(LOWEST_NS, HIGHEST_NS);
    let octave = value.ilog2();
    let part = (value >> (octave - PARTS_BITS)) % PARTS;
    usize::try_from(u64::from(octave - LOWEST_OCTAVE) * PARTS + part).unwrap_or(usize::MAX)
}

/// The greatest value of the bucket that the sample of a rank lies in; the first rank is 1.
fn value_at(counts: &[u64], rank: u64) -> u64 {
    let mut below = 0_u64;
    for (bucket, count) in (0_u64..).zip(counts) {
        below = below.saturating_add(*count);
        if below >= rank {
            return end_of(bucket);
        }
    }
    HIGHEST_NS
}

fn end_of(bucket: u64) -> u64 {
    let width = (LOWEST_NS / PARTS) << (bucket / PARTS);
    (PARTS + bucket % PARTS + 1) * width - 1
}

const PARTS_BITS: u32 = 4;
/// Of one octave.
const PARTS: u64 = 1 << PARTS_BITS;
const LOWEST_OCTAVE: u32 = 10;
const HIGHEST_OCTAVE: u32 = 35;
const LOWEST_NS: u64 = 1 << LOWEST_OCTAVE;
/// 68.7 s.
const HIGHEST_NS: u64 = (2 << HIGHEST_OCTAVE) - 1;
const BUCKETS: usize = ((HIGHEST_OCTAVE - LOWEST_OCTAVE + 1) << PARTS_BITS) as usize;

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(values: impl IntoIterator<Item = u64>) -> ClientLatency {
        let mut latencies = ClientLatencies::new(1);
        values.into_iter().for_each(|value| latencies.record(0, value));
        latencies.summaries()[0]
    }

    /// 1 ms lies in the octave of 2^19 = 524,288 ns, whose parts are 32,768 ns wide, in the part
    /// that ends before 31 * 32,768 = 1,015,808 ns; 5 ms in that of 2^22 with parts of 262,144
    /// ns, in the one that ends before 20 * 262,144 = 5,242,880 ns.
    #[test]
    fn percentiles_are_the_ends_of_their_buckets() {
        let values = (0..10_000).map(|index| if index < 9_800 { 1_000_000 } else { 5_000_000 });
        let told = summary(values.chain([9_000_000]));
        assert_eq!(told.count, 10_001);
        assert_eq!(told.p50_ns, Some(1_015_807));
        // A hundred samples lie beyond: the 9,901st is one of the two hundred slow ones.
        assert_eq!(told.p99_ns, Some(5_242_879));
        assert_eq!(told.p99_9_ns, None);
        assert_eq!(told.max_ns, 9_000_000);
    }

    #[test]
    fn a_percentile_is_told_when_a_hundred_samples_lie_beyond_it() {
        let of = |count: usize| summary(std::iter::repeat_n(2_000_000, count));
        assert_eq!((of(99).p50_ns, of(100).p50_ns), (None, Some(2_000_000)));
        assert_eq!((of(9_999).p99_ns, of(10_000).p99_ns), (None, Some(2_000_000)));
        assert_eq!((of(99_999).p99_9_ns, of(100_000).p99_9_ns), (None, Some(2_000_000)));
    }

    #[test]
    fn each_value_lies_in_a_bucket_that_is_a_sixteenth_wide_at_most() {
        let mut values: Vec<u64> = (10..36).map(|octave| 1 << octave).collect();
        values.extend((0..5_000_u64).map(|index| 1_024 + index * index * 2_000));
        values.extend([1_023_999, 1_024_000, 59_999_999_999, 60_000_000_000]);
        for value in values {
            let end = end_of(u64::try_from(bucket_of(value)).unwrap());
            assert!(end >= value, "{end} for {value}");
            assert!(end - value < value / 16 + 1, "{end} for {value}");
        }
    }

    #[test]
    fn what_lies_outside_counts_at_the_ends() {
        assert_eq!((bucket_of(0), bucket_of(1_024), bucket_of(1_087)), (0, 0, 0));
        assert_eq!(bucket_of(1_088), 1);
        assert_eq!(bucket_of(HIGHEST_NS), BUCKETS - 1);
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
        assert_eq!(summary([u64::MAX]).max_ns, u64::MAX);
        assert_eq!(end_of(415), HIGHEST_NS);
    }

    #[test]
    fn a_full_bucket_makes_room() {
        let told = summary(std::iter::repeat_n(1_000_000, 140_000).chain([2_000_000; 200]));
        assert_eq!(told.count, 140_200);
        assert_eq!(told.p50_ns, Some(1_015_807));
        // 140 samples lie beyond, and two hundred are slow: 2 ms end before 31 * 65,536 ns.
        assert_eq!(told.p99_9_ns, Some(2_000_000));
    }

    #[test]
    fn clients_without_samples_take_no_room_and_tell_nothing() {
        let mut latencies = ClientLatencies::new(3);
        assert_eq!((latencies.summaries().len(), latencies.clients.capacity()), (0, 0));
        latencies.record(1, 5_000);
        latencies.record(3, 5_000);
        assert_eq!(latencies.summaries().len(), 1);
        assert!(matches!(latencies.clients[0].buckets, Buckets::Absent));
        assert!(size_of::<[u16; BUCKETS]>() <= 1_024);
    }
}
