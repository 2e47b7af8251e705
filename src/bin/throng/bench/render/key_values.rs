//! A result flat, a name and a value a line, for shells and spreadsheets: everything of it but
//! histograms, and what is listed moment by moment.
//!
//! Lines stand in the order of their names, those of a list in the order of the list, so that two
//! results can be laid side by side. What is not known is `null`.
//!
//! ```text
//! latency.delivery.p99.9_ns=61012345
//! traffic.missing=0
//! ```

use std::fmt::Write as _;

use serde_json::Value;

use crate::bench::report::Report;

/// Of one result.
pub(crate) fn key_values(report: &Report) -> String {
    let mut text = String::new();
    // A report has no map with keys that JSON refuses.
    let Ok(Value::Object(fields)) = serde_json::to_value(report) else { return text };
    for (name, field) in &fields {
        match (name.as_str(), field) {
            ("broadcasts" | "intervals", _) => {}
            ("latencies", Value::Array(latencies)) => {
                for latency in latencies {
                    flatten_latency("", latency, &mut text);
                }
            }
            ("transports", Value::Array(transports)) => {
                for over in transports {
                    flatten_transport(over, &mut text);
                }
            }
            _ => flatten(name, "", field, &mut text),
        }
    }
    text
}

/// A measure is found by its name, and not by its place.
fn flatten_latency(prefix: &str, latency: &Value, text: &mut String) {
    let Value::Object(fields) = latency else { return };
    let measure = fields.get("measure").and_then(Value::as_str).unwrap_or_default();
    for (name, field) in fields {
        if !matches!(name.as_str(), "measure" | "definition" | "histogram") {
            flatten(&format!("{prefix}latency.{measure}.{name}"), "", field, text);
        }
    }
}

/// A transport is found by its name too.
fn flatten_transport(over: &Value, text: &mut String) {
    let Value::Object(fields) = over else { return };
    let transport = fields.get("transport").and_then(Value::as_str).unwrap_or_default();
    for (name, field) in fields {
        match (name.as_str(), field) {
            ("transport", _) => {}
            ("latencies", Value::Array(latencies)) => {
                for latency in latencies {
                    flatten_latency(&format!("transport.{transport}."), latency, text);
                }
            }
            _ => flatten(&format!("transport.{transport}.{name}"), "", field, text),
        }
    }
}

/// Names keep the unit of their values at their end.
fn flatten(name: &str, unit: &str, value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let (prefix, unit) = match name.strip_suffix("_ns") {
                Some(prefix) => (prefix, "_ns"),
                None => (name, unit),
            };
            let prefix = prefix.strip_suffix(".percentiles").unwrap_or(prefix);
            for (key, field) in fields {
                flatten(&format!("{prefix}.{key}"), unit, field, text);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&format!("{name}.{index}"), unit, item, text);
            }
        }
        Value::String(words) => {
            let _ = writeln!(text, "{name}{unit}={}", escaped(words));
        }
        other => {
            let _ = writeln!(text, "{name}{unit}={other}");
        }
    }
}

/// Text that ends no line.
fn escaped(words: &str) -> String {
    words.replace('\\', r"\\").replace('\n', r"\n").replace('\r', r"\r")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::render::sample;

    #[test]
    fn every_figure_is_a_line() {
        let mut report = sample::sweep("throng", 1.0);
        report.label = "two\nlines\\".to_owned();
        let text = key_values(&report);
        for line in [
            "traffic.missing=0",
            "latency.delivery.count=100000",
            "latency.first-recipient.p99_ns=null",
            "fairness.p50.worst_ns=31500000",
            "fairness.p99.9=null",
            "intrinsic.wait.p99.9_ns=45100",
            "server.commands.0.1=server.js",
            "search.steps.0.load=5.0",
            "search.steps.0.p99.9_ns=74285714",
            "plan.scenario.broadcast.publishers=1",
            "label=two\\nlines\\\\",
            "verdict.valid=true",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        let p99_9 = report.latencies[0].percentiles_ns.p99_9.unwrap();
        assert!(text.contains(&format!("\nlatency.delivery.p99.9_ns={p99_9}\n")));
    }

    #[test]
    fn a_transport_of_a_mix_is_found_by_its_name() {
        let report = sample::mix("throng", 1.0);
        let text = key_values(&report);
        let p99 = report.transports[1].latencies[0].percentiles_ns.p99.unwrap();
        for line in [
            "plan.transport.mix.websocket=80".to_owned(),
            "transport.polling.clients=2000".to_owned(),
            format!("transport.polling.latency.delivery.p99_ns={p99}"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("HISTF"));
    }

    #[test]
    fn histograms_and_moments_are_left_out() {
        let text = key_values(&sample::broadcast("throng", 1.0));
        for absent in ["HISTF", "broadcasts.", "intervals.", "definition", "percentiles"] {
            assert!(!text.contains(absent), "{absent} in\n{text}");
        }
        assert!(text.lines().all(|line| line.contains('=')), "{text}");
    }

    #[test]
    fn names_stand_in_one_order_each_once() {
        let text = key_values(&sample::broadcast("throng", 1.0));
        assert_eq!(text, key_values(&sample::broadcast("throng", 1.0)));
        let mut names: Vec<&str> =
            text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
