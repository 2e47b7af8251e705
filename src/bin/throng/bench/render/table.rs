//! The result of one run as the terminal shows it: at most 80 columns, the verdict first where
//! the run proves nothing. No colours: whoever prints it may add them.
//!
//! ```text
//! latency                   p50      p90      p99    p99.9   p99.99      max
//! delivery              27.1 ms  47.9 ms  ...
//! ```

use std::fmt::Write as _;

use super::figure::{Point, latency};
use super::{command, describe, machine, units};
use crate::bench::fairness::Fairness;
use crate::bench::latency::Measure;
use crate::bench::plan::Scenario;
use crate::bench::report::{Latency, Report, Search, ServerUse};
use crate::doctor::Intrinsic;

/// Everything a reader needs to judge a run.
pub(crate) fn table(report: &Report) -> String {
    let mut text = Text::default();
    verdict(&mut text, report);
    plan(&mut text, report);
    latencies(&mut text, report);
    if let Some(of) = &report.fairness {
        fairness(&mut text, of);
    }
    counts(&mut text, report);
    generator(&mut text, report);
    if let Some(of_server) = &report.server {
        server(&mut text, of_server);
    }
    if let Some(of) = &report.intrinsic {
        intrinsic(&mut text, of);
    }
    if let Some(of_search) = &report.search {
        search(&mut text, of_search);
    }
    warnings(&mut text, report);
    text.blank();
    text.row("machine", &[machine::line(report)]);
    text.written
}

/// Lines of at most 80 columns.
#[derive(Default)]
pub(super) struct Text {
    pub(super) written: String,
}

impl Text {
    pub(super) fn line(&mut self, line: &str) {
        // A terminal shows a no-break space as it likes, and `grep` doesn't find it.
        self.written.push_str(&line.trim_end().replace(units::SPACE, " "));
        self.written.push('\n');
    }

    pub(super) fn blank(&mut self) {
        self.written.push('\n');
    }

    /// A name, then its parts, wrapped beside it.
    pub(super) fn row(&mut self, name: &str, parts: &[String]) {
        for (index, part) in parts.iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            self.wrapped(&format!("{name:<NAME$}"), part);
        }
    }

    /// A sentence behind a head, its further lines as far to the right.
    pub(super) fn wrapped(&mut self, head: &str, sentence: &str) {
        let indent = " ".repeat(head.chars().count());
        let mut line = head.to_owned();
        let mut width = indent.len();
        let mut is_begun = false;
        for word in sentence.split(' ') {
            let longer = width.saturating_add(word.chars().count()).saturating_add(1);
            if is_begun && longer > WIDTH {
                self.line(&line);
                line.clone_from(&indent);
                width = indent.len();
                is_begun = false;
            }
            if is_begun {
                line.push(' ');
                width = width.saturating_add(1);
            }
            line.push_str(word);
            width = width.saturating_add(word.chars().count());
            is_begun = true;
        }
        self.line(&line);
    }
}

fn verdict(text: &mut Text, report: &Report) {
    if report.verdict.valid {
        return;
    }
    text.line("INVALID: the figures of this run prove nothing.");
    for reason in &report.verdict.reasons {
        text.wrapped("  - ", reason);
    }
    text.blank();
}

fn plan(text: &mut Text, report: &Report) {
    let plan = &report.plan;
    text.wrapped("", &format!("{} ({})", describe::work(plan), report.label));
    text.wrapped("", &describe::pacing(plan));
    text.wrapped(
        "",
        &format!(
            "{} measured after {} of warm-up",
            units::seconds(report.phases.measured_seconds),
            units::seconds(report.phases.warmup_seconds)
        ),
    );
    text.blank();
}

fn latencies(text: &mut Text, report: &Report) {
    let shown: Vec<&Latency> =
        report.latencies.iter().filter(|latency| !is_lag(latency.measure)).collect();
    if shown.is_empty() {
        return;
    }
    text.line(&columns("latency", |point| point.name().to_owned()));
    for latency in &shown {
        let value = |point: Point| units::time_or_dash(point.of(latency));
        text.line(&columns(&describe::title(&report.plan, latency.measure), value));
        for over in &report.transports {
            if let Some(latency) = over.latency(latency.measure) {
                let value = |point: Point| units::time_or_dash(point.of(latency));
                let name = format!("  {}", describe::spoken(over.transport));
                text.line(&columns(&name, value));
            }
        }
    }
    text.blank();
    for latency in &shown {
        let head = format!("{:<MEASURE$} ", describe::title(&report.plan, latency.measure));
        // Whether it is counted per delivery or per broadcast, its name says.
        let span = latency.definition.split(", each").next().unwrap_or_default();
        text.wrapped(&head, span);
    }
    if shown.iter().any(|latency| Point::ALL.iter().any(|point| point.of(latency).is_none())) {
        let head = format!("{:<MEASURE$} ", units::DASH);
        text.wrapped(&head, "not told: fewer than a hundred samples lie beyond it");
    }
    text.blank();
}

/// A name, then what stands below each point of a distribution.
fn columns(name: &str, cell: impl Fn(Point) -> String) -> String {
    let mut line = format!("{name:<MEASURE$}");
    for point in Point::ALL {
        let _ = write!(line, "{:>9}", cell(point));
    }
    line
}

/// What the worst client had; of few samples, the maximum is all that each client tells.
fn fairness(text: &mut Text, of: &Fairness) {
    let time = |value: u64| units::time(units::real(value));
    let told = of.told();
    let mut parts = Vec::new();
    if let Some((name, over)) = told.first() {
        parts.push(format!(
            "{name} of {} clients: best {}, median {}, worst {}",
            units::count(over.clients),
            time(over.best_ns),
            time(over.median_ns),
            time(over.worst_ns)
        ));
    }
    let beyond: Vec<String> = told
        .iter()
        .filter(|(name, _)| matches!(*name, "p99" | "p99.9"))
        .map(|(name, over)| format!("{name} {}", time(over.worst_ns)))
        .collect();
    if !beyond.is_empty() {
        parts.push(format!("worst client: {}", beyond.join(", ")));
    }
    text.row("fairness", &parts);
}

fn counts(text: &mut Text, report: &Report) {
    let traffic = &report.traffic;
    if traffic.sent > 0 || traffic.expected > 0 {
        text.row(
            "completeness",
            &[
                format!(
                    "{} expected, {} received, {} missing",
                    units::count(traffic.expected),
                    units::count(traffic.received),
                    units::count(traffic.missing)
                ),
                format!(
                    "{} duplicated, {} reordered, {} corrupted, {} stray, {} unsent",
                    units::count(traffic.duplicated),
                    units::count(traffic.reordered),
                    units::count(traffic.corrupted),
                    units::count(traffic.stray),
                    units::count(traffic.unsent)
                ),
            ],
        );
        text.row(
            "throughput",
            &[format!(
                "{} sent/s, {} received/s; {} received",
                units::rate(traffic.sent_per_second),
                units::rate(traffic.received_per_second),
                units::bytes(units::real(traffic.received_bytes))
            )],
        );
        if traffic.slow_received > 0 {
            let slow = units::count(traffic.slow_received);
            text.row("", &[format!("{slow} more to clients that read slowly on purpose")]);
        }
    }
    connections(text, report);
}

fn connections(text: &mut Text, report: &Report) {
    let connections = &report.connections;
    let mut parts = vec![format!(
        "{} of {} connected at {}/s, {} failed, {} lost",
        units::count(connections.connected),
        units::count(connections.wanted),
        units::rate(connections.per_second),
        units::count(connections.failed),
        units::count(connections.lost)
    )];
    if connections.pings > 0 || connections.reconnected > 0 {
        parts.push(format!(
            "{} heartbeats answered, {} connected again",
            units::count(connections.pings),
            units::count(connections.reconnected)
        ));
    }
    if report.plan.scenario != Scenario::Connect {
        parts.push(describe::connecting(&report.plan));
    }
    if connections.slow_lost > 0 {
        let span = connections.slow_lost_first_seconds.zip(connections.slow_lost_last_seconds);
        let when = span.map_or_else(String::new, |(first, last)| {
            format!(", {} to {} after the first send", units::seconds(first), units::seconds(last))
        });
        parts.push(format!(
            "{} that read slowly were closed by the server{when}",
            units::count(connections.slow_lost)
        ));
    }
    for failure in connections.failures.iter().take(FAILURES_MAX) {
        parts.push(format!("{} × {}", units::count(failure.count), failure.what));
    }
    text.row("connections", &parts);
}

fn generator(text: &mut Text, report: &Report) {
    let of = &report.generator;
    let mut parts = Vec::new();
    let lags: Vec<String> = [Measure::ScheduleLag, Measure::ConnectLag, Measure::ReceiveLag]
        .iter()
        .filter_map(|measure| latency(report, *measure))
        .map(|latency| {
            let (point, value) = furthest(latency);
            format!("{} {point} {}", latency.measure.title(), units::time_or_dash(value))
        })
        .collect();
    if !lags.is_empty() {
        parts.push(lags.join(", "));
    }
    let threads: Vec<String> = of
        .threads
        .iter()
        .map(|thread| format!("{} {}", thread.name, units::core_share(thread.core_share)))
        .collect();
    if !threads.is_empty() {
        parts.push(threads.join(", "));
    }
    let cost = of.cpu_us_per_delivery.map_or_else(String::new, |cost| {
        format!("{} CPU per delivery, ", units::microseconds(cost))
    });
    let who = if of.kernel_stamps { "the kernel" } else { "the generator" };
    parts.push(format!(
        "{cost}backlog up to {}, receipts stamped by {who}",
        units::count(of.backlog_max)
    ));
    text.row("generator", &parts);
}

fn server(text: &mut Text, of: &ServerUse) {
    let whole = of.cpu_user_seconds + of.cpu_system_seconds;
    let part = |seconds: f64| {
        let share = if whole > 0.0 { seconds / whole * of.core_share } else { 0.0 };
        units::percent(share)
    };
    let mut parts = vec![format!(
        "{}: {} user, {} system",
        units::core_share(of.core_share),
        part(of.cpu_user_seconds),
        part(of.cpu_system_seconds)
    )];
    let mut costs = Vec::new();
    if let Some(cost) = of.cpu_us_per_delivery {
        costs.push(format!("{} CPU per delivery", units::microseconds(cost)));
    }
    if let Some(cost) = of.cpu_us_per_connect {
        costs.push(format!("{} CPU per connect", units::microseconds(cost)));
    }
    if !costs.is_empty() {
        parts.push(costs.join(", "));
    }
    parts.extend(syscalls(of));
    let bytes = |bytes: u64| units::bytes(units::real(bytes));
    let each = of
        .resident_bytes_per_connection
        .map_or_else(String::new, |each| format!("{} RSS per connection: ", units::bytes(each)));
    parts.push(format!(
        "{each}{} before, {} connected, {} at most",
        bytes(of.resident_before_bytes),
        bytes(of.resident_connected_bytes),
        bytes(of.resident_max_bytes)
    ));
    let each = of
        .kernel_socket_bytes_per_connection
        .map_or_else(String::new, |each| format!(", {} per connection", units::bytes(each)));
    parts.push(format!(
        "kernel socket memory apart: {} at most{each} (both ends)",
        bytes(of.kernel_socket_bytes_max)
    ));
    parts.extend(kernel_memory(of));
    for (pid, words) in of.pids.iter().zip(&of.commands).take(COMMANDS_MAX) {
        let head = format!("process {pid}: ");
        let room = WIDTH.saturating_sub(NAME).saturating_sub(head.len());
        parts.push(format!("{head}{}", command::short(words, room)));
    }
    text.row("server", &parts);
}

/// What the kernel keeps beside the process; where it doesn't tell, that it doesn't.
fn kernel_memory(of: &ServerUse) -> Vec<String> {
    let slab = match of.kernel_slab_bytes_per_connection {
        Some(each) => format!("{} per connection (both ends)", units::bytes(each)),
        None => "not readable".to_owned(),
    };
    let groups = of.control_groups.as_ref();
    let group = groups.and_then(|groups| {
        let kernels = units::bytes(groups.slab_bytes_per_connection?);
        let whose = if groups.has_generator { ", the generator's too" } else { "" };
        Some(match groups.memory_bytes_per_connection {
            Some(each) => {
                let each = units::bytes(each);
                format!("{each} per connection, {kernels} of it the kernel's objects{whose}")
            }
            None => format!("{kernels} per connection of the kernel's objects{whose}"),
        })
    });
    let group = group.unwrap_or_else(|| "not readable".to_owned());
    vec![format!("kernel's objects for sockets: {slab}"), format!("control group: {group}")]
}

/// How often the server asked the kernel for something; where that isn't counted, why.
fn syscalls(of: &ServerUse) -> Option<String> {
    if let Some(why) = &of.syscalls_untold {
        return Some(format!("system calls not counted: {why}"));
    }
    let figures = [("delivery", of.syscalls_per_delivery), ("connect", of.syscalls_per_connect)];
    let told: Vec<String> = figures
        .into_iter()
        .filter_map(|(what, each)| Some(format!("{} per {what}", units::rate(each?))))
        .collect();
    (!told.is_empty()).then(|| format!("system calls: {}", told.join(", ")))
}

fn intrinsic(text: &mut Text, of: &Intrinsic) {
    let time = |value: u64| units::time(units::real(value));
    let part = format!(
        "waits for a core: p99 {}, p99.9 {}; longest gap {}",
        time(of.wait_ns.p99),
        time(of.wait_ns.p99_9),
        time(of.gap_max_ns)
    );
    text.row("intrinsic", &[part]);
}

fn search(text: &mut Text, of: &Search) {
    text.blank();
    text.wrapped("", &search_title(of));
    text.line(&format!(
        "{:>9}{:>9}{:>9}{:>9}{:>13}{:>8}{:>8}  {}",
        of.varied, "p50", "p99", "p99.9", "received/s", "server", "gen.", "verdict"
    ));
    for step in &of.steps {
        text.line(&format!(
            "{:>9}{:>9}{:>9}{:>9}{:>13}{:>8}{:>8}  {}",
            units::rate(step.load),
            units::time_or_dash(step.percentiles_ns.p50),
            units::time_or_dash(step.percentiles_ns.p99),
            units::time_or_dash(step.percentiles_ns.p99_9),
            units::rate(step.received_per_second),
            step.server_cpu.map_or_else(|| units::DASH.to_owned(), units::percent),
            units::percent(step.generator_cpu),
            if step.kept { "kept" } else { "broken" }
        ));
        if !step.why.is_empty() {
            text.wrapped("           ", &step.why);
        }
    }
}

/// What was sought, and what was found.
pub(crate) fn search_title(of: &Search) -> String {
    if of.limits.is_empty() {
        return format!("sweep over {}:", of.varied);
    }
    match of.found {
        Some(found) => {
            format!("greatest {} that keeps {}: {}", of.varied, of.limits, units::rate(found))
        }
        None => format!("no {} keeps {}", of.varied, of.limits),
    }
}

fn warnings(text: &mut Text, report: &Report) {
    if report.verdict.warnings.is_empty() {
        return;
    }
    text.blank();
    for warning in &report.verdict.warnings {
        text.wrapped("warning: ", warning);
    }
}

/// The outermost percentile up to p99.9 that is told; the maximum of few samples.
pub(crate) fn furthest(latency: &Latency) -> (&'static str, Option<u64>) {
    [Point::P99_9, Point::P99]
        .into_iter()
        .find(|point| point.of(latency).is_some())
        .map_or(("max", Some(latency.max_ns)), |point| (point.name(), point.of(latency)))
}

/// Whether a measure says something of the generator, not of the server.
pub(crate) fn is_lag(measure: Measure) -> bool {
    matches!(measure, Measure::ScheduleLag | Measure::ConnectLag | Measure::ReceiveLag)
}

const WIDTH: usize = 80;
const NAME: usize = 14;
const MEASURE: usize = 24;
const FAILURES_MAX: usize = 5;
const COMMANDS_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::render::sample;

    #[test]
    fn tables_read_as_they_should() {
        let golden = [
            (sample::broadcast("throng", 1.0), include_str!("golden/broadcast.txt")),
            (sample::ack("throng", 1.0), include_str!("golden/ack.txt")),
            (sample::sweep("throng", 1.0), include_str!("golden/search.txt")),
            (sample::invalid("socket.io"), include_str!("golden/invalid.txt")),
        ];
        for (report, expected) in golden {
            let table = table(&report);
            assert_eq!(table, expected, "\n{table}");
            assert!(table.lines().all(|line| line.chars().count() <= WIDTH), "{table}");
        }
    }

    #[test]
    fn transports_of_a_mix_stand_below_their_sum() {
        let table = table(&sample::mix("throng", 1.0));
        let lines: Vec<&str> = table.lines().collect();
        let at = lines.iter().position(|line| line.starts_with("delivery  ")).unwrap();
        assert!(lines[at + 1].starts_with("  over WebSocket "), "{table}");
        assert!(lines[at + 2].starts_with("  over polling "), "{table}");
        assert!(lines[0].contains("over WebSocket 80 / polling 20,"), "{table}");
        assert!(table.lines().all(|line| line.chars().count() <= WIDTH), "{table}");
    }

    #[test]
    fn an_invalid_run_says_so_first() {
        assert!(table(&sample::invalid("a")).starts_with("INVALID: "));
    }
}
