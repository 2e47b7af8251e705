//! `throng bench compare`: whether a second result is worse than a first one, for machines: the
//! exit code is 0 where it isn't, 1 where it is, 2 where the two can't be compared.
//!
//! ```text
//! throng bench compare before.json after.json --threshold p99=10%,server-cpu=5%
//! ```

use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::Value;

use super::options::Compare;
use super::plan::{Plan, Scenario};
use super::render::figure::{Better, Figure, Point};
use super::render::{read, units};
use super::report::Report;

/// Prints the table, or to standard error why there is none.
pub(crate) fn run_compare(options: &Compare) -> io::Result<ExitCode> {
    let judged = thresholds(options.threshold.as_deref()).and_then(|thresholds| {
        let before = read(&options.before).map_err(|error| error.to_string())?;
        let after = read(&options.after).map_err(|error| error.to_string())?;
        let given = options.threshold.is_some();
        compare(&before, &after, &thresholds, given)
    });
    match judged {
        Ok(comparison) => {
            let mut output = io::stdout().lock();
            output.write_all(comparison.table().as_bytes())?;
            output.flush()?;
            Ok(if comparison.is_worse() { ExitCode::from(WORSE) } else { ExitCode::SUCCESS })
        }
        Err(reason) => {
            // A closed standard error is no reason for another exit code.
            let _ = writeln!(io::stderr(), "throng: {reason}");
            Ok(ExitCode::from(REFUSED))
        }
    }
}

/// What a threshold may be set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    /// A point of the scenario's main measure.
    Latency(Point),
    /// Microseconds of the server per delivery, or per connect where nothing is delivered.
    ServerCpu,
    /// Resident memory of the server per connection.
    Memory,
    /// Deliveries per second, connects per second, or the load that a search found.
    Throughput,
    /// Share of what is missing.
    Loss,
}

/// How much worse a figure may become, as a share of what it was.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Threshold {
    name: Name,
    share: f64,
}

/// Two results that can be compared.
#[derive(Debug)]
struct Comparison {
    rows: Vec<Row>,
    notes: Vec<String>,
}

#[derive(Debug)]
struct Row {
    name: Name,
    figure: Figure,
    before: f64,
    after: f64,
    judgement: Judgement,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Judgement {
    /// No threshold is set for it.
    Shown,
    /// It is not worse by more than its threshold.
    Kept,
    /// It is worse by more than this threshold.
    Worse(f64),
}

impl Comparison {
    fn is_worse(&self) -> bool {
        self.rows.iter().any(|row| matches!(row.judgement, Judgement::Worse(_)))
    }

    fn table(&self) -> String {
        let mut lines = self.notes.clone();
        let heads = ["figure", "before", "after", "ratio", "verdict"];
        lines.push(columns(heads.map(str::to_owned)));
        lines.extend(self.rows.iter().map(Row::line));
        lines.push(String::new());
        lines.join("\n")
    }
}

impl Row {
    fn line(&self) -> String {
        let is_ratio = self.before > 0.0;
        let ratio = is_ratio.then(|| units::ratio(self.after / self.before));
        columns([
            self.name.text().to_owned(),
            self.figure.show(self.before),
            self.figure.show(self.after),
            ratio.unwrap_or_else(|| units::DASH.to_owned()),
            match self.judgement {
                Judgement::Shown => String::new(),
                Judgement::Kept => "ok".to_owned(),
                Judgement::Worse(share) => format!("worse by more than {}", units::percent(share)),
            },
        ])
    }
}

fn columns(cells: [String; 5]) -> String {
    let [name, before, after, ratio, verdict] = cells;
    let line = format!("{name:<12}{before:>12}{after:>12}{ratio:>10}  {verdict}");
    line.trim_end().replace(units::SPACE, " ")
}

impl Name {
    const ALL: [Self; 10] = [
        Self::Latency(Point::P50),
        Self::Latency(Point::P90),
        Self::Latency(Point::P99),
        Self::Latency(Point::P99_9),
        Self::Latency(Point::P99_99),
        Self::Latency(Point::Max),
        Self::ServerCpu,
        Self::Memory,
        Self::Throughput,
        Self::Loss,
    ];

    fn text(self) -> &'static str {
        match self {
            Self::Latency(point) => point.name(),
            Self::ServerCpu => "server-cpu",
            Self::Memory => "memory",
            Self::Throughput => "throughput",
            Self::Loss => "loss",
        }
    }

    fn figure(self, report: &Report) -> Figure {
        let scenario = &report.plan.scenario;
        let is_silent = matches!(scenario, Scenario::Connect | Scenario::Idle | Scenario::Storm);
        match self {
            Self::Latency(point) => Figure::Latency(scenario.first_measure(), point),
            Self::ServerCpu if is_silent => Figure::ConnectCpu,
            Self::ServerCpu => Figure::DeliveryCpu,
            Self::Memory => Figure::Resident,
            Self::Throughput if report.search.is_some() => Figure::Found,
            Self::Throughput if is_silent => Figure::ConnectRate,
            Self::Throughput => Figure::Received,
            Self::Loss => Figure::Loss,
        }
    }
}

/// Reads `p99=10%,server-cpu=5%`.
fn thresholds(text: Option<&str>) -> Result<Vec<Threshold>, String> {
    let mut thresholds: Vec<Threshold> = Vec::new();
    for part in text.unwrap_or(DEFAULT).split(',') {
        let part = part.trim();
        let Some((name, share)) = part.split_once('=') else {
            return Err(format!("threshold {part:?} lacks its limit: write it as p99=10%"));
        };
        let Some(name) = Name::ALL.into_iter().find(|known| known.text() == name.trim()) else {
            let names: Vec<&str> = Name::ALL.into_iter().map(Name::text).collect();
            return Err(format!(
                "no threshold is called {:?}; there are {}",
                name.trim(),
                names.join(", ")
            ));
        };
        if thresholds.iter().any(|threshold| threshold.name == name) {
            return Err(format!("threshold {} is given twice", name.text()));
        }
        thresholds.push(Threshold { name, share: percentage(name, share.trim())? });
    }
    Ok(thresholds)
}

fn percentage(name: Name, text: &str) -> Result<f64, String> {
    let share = text.strip_suffix('%').and_then(|digits| digits.trim().parse::<f64>().ok());
    match share {
        Some(share) if share.is_finite() && share >= 0.0 => Ok(share / 100.0),
        _ => Err(format!(
            "threshold {}={text}: the limit is a percentage from 0% on, such as 10%",
            name.text()
        )),
    }
}

fn compare(
    before: &Report,
    after: &Report,
    thresholds: &[Threshold],
    given: bool,
) -> Result<Comparison, String> {
    comparable(before, after)?;
    let mut rows = Vec::new();
    let mut notes = notes(before, after);
    for name in Name::ALL {
        let figure = name.figure(before);
        if before.search.is_some() && name != Name::Throughput {
            continue;
        }
        let threshold = thresholds.iter().find(|threshold| threshold.name == name);
        match (figure.of(before), figure.of(after)) {
            (Some(before), Some(after)) => {
                let judgement = threshold.map_or(Judgement::Shown, |threshold| {
                    judge(figure, before, after, threshold.share)
                });
                rows.push(Row { name, figure, before, after, judgement });
            }
            (one, other) if threshold.is_some() => {
                let absent = match (one, other) {
                    (None, None) => "neither result",
                    (None, _) => "the first result",
                    _ => "the second result",
                };
                let note = absence(name, absent, one.is_none() && other.is_none());
                // What nobody measured can't be asked for; a default is not a question.
                if given || one.is_some() || other.is_some() {
                    return Err(note);
                }
                notes.push(note);
            }
            _ => {}
        }
    }
    if before.search.is_some() && given {
        let other = thresholds.iter().find(|threshold| threshold.name != Name::Throughput);
        if let Some(other) = other {
            return Err(format!(
                "results of a search are compared by throughput, the load they found, not by {}",
                other.name.text()
            ));
        }
    }
    Ok(Comparison { rows, notes })
}

fn absence(name: Name, absent: &str, in_both: bool) -> String {
    let verb = if in_both { "tells" } else { "does not tell" };
    let why = match name {
        Name::Latency(_) => "too few samples stand behind it, or none",
        Name::ServerCpu => "the run did not watch the server with --pid",
        Name::Memory => "the run did not watch the server with --pid, or another used it before",
        Name::Throughput | Name::Loss => "the scenario has none",
    };
    format!("{absent} {verb} {}: {why}", name.text())
}

fn judge(figure: Figure, before: f64, after: f64, share: f64) -> Judgement {
    let is_worse = match (figure, figure.better()) {
        // A share of what is lost is mostly zero before: what counts is by how much it rose.
        (Figure::Loss, _) => after - before > share,
        (_, Better::Less) => after > before * (1.0 + share),
        (_, Better::More) => after < before * (1.0 - share),
    };
    if is_worse { Judgement::Worse(share) } else { Judgement::Kept }
}

/// Whether two results answer the same question, and both of them answer it.
fn comparable(before: &Report, after: &Report) -> Result<(), String> {
    for (which, report) in [("first", before), ("second", after)] {
        if !report.verdict.valid {
            return Err(format!(
                "the {which} result ({}) is INVALID: {}",
                report.label,
                report.verdict.reasons.join(" ")
            ));
        }
    }
    let searched = |report: &Report| {
        report.search.as_ref().map(|search| (search.varied.clone(), search.limits.clone()))
    };
    if searched(before) != searched(after) {
        return Err("one result is of a search that the other is not".to_owned());
    }
    let varied = searched(before).map(|(varied, _)| varied);
    if searched(before).is_some_and(|(_, limits)| limits.is_empty()) {
        return Err("a sweep has no one figure to compare: see throng bench report".to_owned());
    }
    match difference(&before.plan, &after.plan, varied.as_deref()) {
        Some(difference) => Err(format!("the two runs had different plans: {difference}")),
        None => Ok(()),
    }
}

/// The first field that makes two plans two questions.
fn difference(before: &Plan, after: &Plan, varied: Option<&str>) -> Option<String> {
    let (Ok(Value::Object(before)), Ok(Value::Object(after))) =
        (serde_json::to_value(before), serde_json::to_value(after))
    else {
        return Some("they can't be read".to_owned());
    };
    let field = before.iter().find(|(name, value)| {
        !FREE.contains(&name.as_str())
            && Some(name.as_str()) != varied
            && after.get(*name) != Some(value)
    });
    field.map(|(name, value)| {
        let other = after.get(name).unwrap_or(&Value::Null);
        format!("{} is {value} in the first, {other} in the second", name.replace('_', " "))
    })
}

fn notes(before: &Report, after: &Report) -> Vec<String> {
    let mut notes = vec![format!(
        "before: {} of {}; after: {} of {}",
        before.label, before.started_at, after.label, after.started_at
    )];
    if before.fingerprint.kernel != after.fingerprint.kernel {
        notes.push(format!(
            "warning: measured on {} and on {}",
            before.fingerprint.kernel, after.fingerprint.kernel
        ));
    }
    notes
}

const DEFAULT: &str = "p50=10%,p99=10%,server-cpu=10%,throughput=5%";
const WORSE: u8 = 1;
const REFUSED: u8 = 2;

/// Fields of a plan that may differ between runs that ask the same.
const FREE: [&str; 7] = ["target", "path", "namespace", "event", "source", "seed", "pin"];

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::bench::render::sample;

    fn judged(before: &Report, after: &Report, text: Option<&str>) -> Result<Comparison, String> {
        compare(before, after, &thresholds(text)?, text.is_some())
    }

    fn worse(comparison: &Comparison) -> Vec<&'static str> {
        let worse = |row: &&Row| matches!(row.judgement, Judgement::Worse(_));
        comparison.rows.iter().filter(worse).map(|row| row.name.text()).collect()
    }

    #[test]
    fn thresholds_are_read() {
        let read = thresholds(Some("p99.9=10%, server-cpu=2.5%")).unwrap();
        let expected = [
            Threshold { name: Name::Latency(Point::P99_9), share: 0.1 },
            Threshold { name: Name::ServerCpu, share: 0.025 },
        ];
        assert_eq!(read, expected);
        assert_eq!(thresholds(None).unwrap().len(), 4);
    }

    #[test]
    fn broken_thresholds_say_what_is_wrong() {
        let error = |text| thresholds(Some(text)).unwrap_err();
        assert_eq!(error("p99"), "threshold \"p99\" lacks its limit: write it as p99=10%");
        assert_eq!(
            error("p98=10%"),
            "no threshold is called \"p98\"; there are p50, p90, p99, p99.9, p99.99, max, \
             server-cpu, memory, throughput, loss"
        );
        assert_eq!(
            error("p99=10"),
            "threshold p99=10: the limit is a percentage from 0% on, such as 10%"
        );
        assert!(error("p99=-1%").contains("from 0% on"));
        assert!(error("p99=NaN%").contains("from 0% on"));
        assert_eq!(error("p99=1%,p99=2%"), "threshold p99 is given twice");
        assert!(error("").contains("lacks its limit"));
    }

    #[test]
    fn a_result_is_not_worse_than_itself() {
        let report = sample::broadcast("a", 1.0);
        let comparison = judged(&report, &report, Some("p50=0%,p99=0%,throughput=0%,loss=0%"));
        assert!(!comparison.unwrap().is_worse());
    }

    #[test]
    fn more_than_a_threshold_is_worse() {
        let before = sample::broadcast("a", 1.0);
        let after = sample::broadcast("b", 1.2);
        let comparison = judged(&before, &after, Some("p50=25%,p99=10%,memory=19%")).unwrap();
        assert_eq!(worse(&comparison), ["p99", "memory"]);
        let comparison = judged(&after, &before, None).unwrap();
        assert!(!comparison.is_worse());
    }

    #[test]
    fn less_throughput_and_more_loss_are_worse() {
        assert_eq!(judge(Figure::Received, 100.0, 94.0, 0.05), Judgement::Worse(0.05));
        assert_eq!(judge(Figure::Received, 100.0, 96.0, 0.05), Judgement::Kept);
        assert_eq!(judge(Figure::Loss, 0.0, 0.02, 0.01), Judgement::Worse(0.01));
        assert_eq!(judge(Figure::Loss, 0.0, 0.005, 0.01), Judgement::Kept);
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let report = sample::broadcast("a", 1.0);
        let reason = judged(&report, &sample::invalid("b"), None).unwrap_err();
        assert!(reason.starts_with("the second result (b) is INVALID: 12 of"), "{reason}");
        let mut other = sample::broadcast("b", 1.0);
        other.plan.clients = 20_000;
        other.plan.target = "http://127.0.0.1:4000".to_owned();
        let reason = judged(&report, &other, None).unwrap_err();
        assert_eq!(
            reason,
            "the two runs had different plans: clients is 10000 in the first, 20000 in the second"
        );
        let reason = judged(&report, &sample::sweep("b", 1.0), None).unwrap_err();
        assert_eq!(reason, "one result is of a search that the other is not");
    }

    #[test]
    fn a_figure_that_was_asked_for_must_be_there() {
        let (before, after) = (sample::ack("a", 1.0), sample::ack("b", 1.0));
        let reason = judged(&before, &after, Some("server-cpu=5%")).unwrap_err();
        assert_eq!(
            reason,
            "neither result tells server-cpu: the run did not watch the server with --pid"
        );
        let comparison = judged(&before, &after, None).unwrap();
        assert_eq!(comparison.notes.len(), 2);
    }

    #[test]
    fn searches_are_compared_by_what_they_found() {
        let before = sample::sweep("a", 1.0);
        let mut after = sample::sweep("b", 1.0);
        after.plan.rate = Some(15.0);
        after.search.as_mut().unwrap().found = Some(15.0);
        let comparison = judged(&before, &after, None).unwrap();
        assert_eq!(worse(&comparison), ["throughput"]);
        assert!(judged(&before, &after, Some("p99=5%")).unwrap_err().contains("by throughput"));
    }

    #[test]
    fn the_table_stands_in_80_columns() {
        let comparison =
            judged(&sample::broadcast("a", 1.0), &sample::broadcast("b", 1.2), None).unwrap();
        let table = comparison.table();
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        let of_p99: Vec<&str> = table
            .lines()
            .filter(|line| line.starts_with("p99 "))
            .flat_map(str::split_whitespace)
            .collect();
        assert_eq!(of_p99.join(" "), "p99 62 ms 74.4 ms 1.20 × worse by more than 10 %");
    }

    #[test]
    fn the_exit_code_says_what_became_of_it() {
        let name = format!("throng-compare-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, report: &Report| {
            let path = folder.join(name);
            std::fs::write(&path, serde_json::to_string(report).unwrap()).unwrap();
            path
        };
        let before = write("before.json", &sample::broadcast("a", 1.0));
        let slower = write("slower.json", &sample::broadcast("b", 1.5));
        let invalid = write("invalid.json", &sample::invalid("c"));
        let code = |before: &PathBuf, after: &PathBuf, threshold: Option<&str>| {
            let options = Compare {
                before: before.clone(),
                after: after.clone(),
                threshold: threshold.map(str::to_owned),
            };
            run_compare(&options).unwrap()
        };
        assert_eq!(code(&before, &before, None), ExitCode::SUCCESS);
        assert_eq!(code(&before, &slower, None), ExitCode::from(1));
        assert_eq!(code(&before, &slower, Some("p99=60%")), ExitCode::SUCCESS);
        assert_eq!(code(&before, &invalid, None), ExitCode::from(2));
        assert_eq!(code(&before, &folder.join("absent.json"), None), ExitCode::from(2));
        assert_eq!(code(&before, &before, Some("p99")), ExitCode::from(2));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
