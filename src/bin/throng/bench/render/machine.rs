//! The machine of a result, in one line and in a table, whatever its fingerprint holds.
//!
//! ```text
//! loopback, 2 cores of AMD EPYC 9555P; Linux 6.18.44; 2026-11-21T20:15:00Z
//! ```

use serde_json::Value;

use crate::bench::report::Report;

/// What lay between generator and server, the processor, the kernel, and when.
pub(crate) fn line(report: &Report) -> String {
    // By the names of the schema: results of other versions may lack some of them.
    let fingerprint = serde_json::to_value(&report.fingerprint).unwrap_or_default();
    let mut parts = vec![place(network(&report.plan.target), &fingerprint)];
    if !report.fingerprint.kernel.is_empty() {
        parts.push(report.fingerprint.kernel.clone());
    }
    parts.push(report.started_at.clone());
    parts.join("; ")
}

/// Everything of the fingerprint, a name and a value each.
pub(crate) fn facts(report: &Report) -> Vec<(String, String)> {
    serde_json::to_value(&report.fingerprint).map(|value| flat(&value)).unwrap_or_default()
}

/// The plan as it stands in the result, a name and a value each.
pub(crate) fn plan(report: &Report) -> Vec<(String, String)> {
    serde_json::to_value(&report.plan).map(|value| flat(&value)).unwrap_or_default()
}

fn place(network: &str, fingerprint: &Value) -> String {
    let cores = fingerprint.get("cores").and_then(Value::as_u64);
    let model = fingerprint.get("cpu_model").and_then(Value::as_str);
    match (cores, model) {
        (Some(1), Some(model)) => format!("{network}, 1 core of {model}"),
        (Some(cores), Some(model)) => format!("{network}, {cores} cores of {model}"),
        (Some(1), None) => format!("{network}, 1 core"),
        (Some(cores), None) => format!("{network}, {cores} cores"),
        (None, Some(model)) => format!("{network}, {model}"),
        (None, None) => network.to_owned(),
    }
}

fn flat(value: &Value) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    flatten("", value, &mut facts);
    facts
}

fn flatten(name: &str, value: &Value, facts: &mut Vec<(String, String)>) {
    let inner = |key: &str| {
        let key = key.replace('_', " ");
        if name.is_empty() { key } else { format!("{name}, {key}") }
    };
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                flatten(&inner(key), field, facts);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&inner(&index.to_string()), item, facts);
            }
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            facts.push((name.to_owned(), items.join(", ")));
        }
        _ => facts.push((name.to_owned(), plain(value))),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => super::units::DASH.to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}

fn network(target: &str) -> &'static str {
    let host = target.split_once("://").map_or(target, |(_, rest)| rest);
    if ["127.", "localhost", "[::1]"].iter().any(|local| host.starts_with(local)) {
        "loopback"
    } else {
        "over the network"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_facts_become_rows() {
        let value = serde_json::json!({
            "kernel": "Linux", "cpu": {"cores": 2, "smt": null}, "limits": [1, 2],
            "cpus": [{"busy": true}],
        });
        let mut rows: Vec<String> =
            flat(&value).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        rows.sort_unstable();
        let expected =
            ["cpu, cores=2", "cpu, smt=–", "cpus, 0, busy=yes", "kernel=Linux", "limits=1, 2"];
        assert_eq!(rows, expected);
    }

    #[test]
    fn the_processor_is_named_where_it_is_known() {
        let known = serde_json::json!({"cores": 2, "cpu_model": "AMD EPYC 9555P"});
        assert_eq!(place("loopback", &known), "loopback, 2 cores of AMD EPYC 9555P");
        assert_eq!(place("loopback", &serde_json::json!({"cores": null})), "loopback");
    }

    #[test]
    fn loopback_is_told_from_a_network() {
        assert_eq!(network("http://127.0.0.1:3000"), "loopback");
        assert_eq!(network("http://localhost:3000"), "loopback");
        assert_eq!(network("https://example.org"), "over the network");
    }
}
