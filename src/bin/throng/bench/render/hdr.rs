//! The histograms of a run as an HDR interval log, which the tools of the HDR family read. Not
//! a series over time: one line per measure, over the whole measured part.
//!
//! ```text
//! #[Histogram log format version 1.3]
//! Tag=delivery,0.000,30.000,112.2,HISTFAAA...
//! ```

use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::bench::latency::{Latencies, Measure};
use crate::bench::report::Report;

/// The log; values are nanoseconds, the greatest of each line is in milliseconds.
pub(crate) fn hdr_log(report: &Report) -> String {
    let mut log = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let begin = measured_from(report);
    let writer = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment(&format!("[{}: {}]", report.program, report.label))
        .with_start_time(begin)
        .with_base_time(begin)
        .with_max_value_divisor(NANOSECONDS_PER_MILLISECOND)
        .begin_log_with(&mut log, &mut serializer);
    if let Ok(mut writer) = writer {
        let duration = seconds(report.phases.measured_seconds);
        let of_all = report.latencies.iter().map(|latency| (tag(latency.measure), latency));
        let apart = report.transports.iter().flat_map(|over| {
            let name = over.transport.name();
            let tag = move |measure| format!("{}.{name}", tag(measure));
            over.latencies.iter().map(move |latency| (tag(latency.measure), latency))
        });
        for (tag, latency) in of_all.chain(apart) {
            if let Some(latencies) = Latencies::decode(&latency.histogram) {
                // Writing to memory doesn't fail.
                let _ = writer.write_histogram(
                    latencies.histogram(),
                    Duration::ZERO,
                    duration,
                    Tag::new(&tag),
                );
            }
        }
    }
    String::from_utf8_lossy(&log).into_owned()
}

/// When the measured part began; the epoch where the result doesn't say when the run did.
fn measured_from(report: &Report) -> SystemTime {
    let started = humantime::parse_rfc3339(&report.started_at).unwrap_or(SystemTime::UNIX_EPOCH);
    let before = seconds(report.phases.connect_seconds + report.phases.warmup_seconds);
    started.checked_add(before).unwrap_or(started)
}

/// A duration from a file that anybody may have written.
fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or_default()
}

/// The name of a measure as it stands in results, such as `delivery-user-space`.
pub(crate) fn tag(measure: Measure) -> String {
    match serde_json::to_value(measure) {
        Ok(serde_json::Value::String(name)) => name,
        _ => measure.title().to_owned(),
    }
}

const NANOSECONDS_PER_MILLISECOND: f64 = 1_000_000.0;

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use crate::bench::render::sample;

    #[test]
    fn the_log_reads_back_as_the_result_says() {
        let report = sample::broadcast("throng", 1.0);
        let log = hdr_log(&report);
        assert!(log.starts_with("#[Histogram log format version 1.3]\n"));
        let mut read = Vec::new();
        for entry in IntervalLogIterator::new(log.as_bytes()) {
            match entry.unwrap() {
                LogEntry::Interval(interval) => {
                    let tag = interval.tag().unwrap().as_str().to_owned();
                    let bytes = STANDARD.decode(interval.encoded_histogram()).unwrap();
                    let histogram: Histogram<u64> =
                        Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
                    assert_eq!(interval.duration(), Duration::from_secs(30));
                    assert_eq!(interval.start_timestamp(), Duration::ZERO);
                    read.push((tag, histogram));
                }
                // 2026-11-21T20:15:00Z, then 1.06 s of connects and 2 s of warm-up.
                LogEntry::StartTime(begin) | LogEntry::BaseTime(begin) => {
                    assert_eq!(begin, Duration::from_millis(1_795_292_103_060));
                }
            }
        }
        assert_eq!(read.len(), report.latencies.len());
        for ((tag, histogram), latency) in read.iter().zip(&report.latencies) {
            assert_eq!(*tag, super::tag(latency.measure));
            assert_eq!(histogram.len(), latency.count);
            assert_eq!(histogram.max(), latency.max_ns);
            if let Some(p99) = latency.percentiles_ns.p99 {
                assert_eq!(histogram.value_at_quantile(0.99), p99);
            }
        }
        assert_eq!(read[0].0, "delivery");
    }

    #[test]
    fn transports_of_a_mix_have_lines_of_their_own() {
        let log = hdr_log(&sample::mix("throng", 1.0));
        for tag in ["delivery", "delivery.websocket", "delivery.polling", "connect.polling"] {
            assert!(log.contains(&format!("\nTag={tag},")), "{tag}");
        }
    }

    #[test]
    fn a_broken_result_makes_a_log_without_the_broken_part() {
        let mut report = sample::broadcast("throng", 1.0);
        report.started_at = "yesterday".to_owned();
        report.phases.measured_seconds = f64::NAN;
        report.latencies[0].histogram = "no histogram".to_owned();
        let log = hdr_log(&report);
        assert!(!log.contains("Tag=delivery,"));
        assert!(log.contains("Tag=delivery-user-space,"));
    }
}
