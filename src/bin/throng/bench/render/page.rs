//! Results as one page that needs nothing else: no network, no script to read it. A small script
//! tells the values under the pointer.
//!
//! ```text
//! one result      verdict · figures · charts · tables · plan · machine
//! several         for each scenario: comparison · charts; then each result
//! ```

use std::fmt::Write as _;

use super::chart::{STYLE, Size, escaped};
use super::drawings::{Drawing, of_group, of_report};
use super::figure::{Figure, Point};
use super::markdown::Cell;
use super::rounds::{Group, groups};
use super::{command, describe, machine, markdown, table, units};
use crate::bench::fairness::{Fairness, OverClients};
use crate::bench::report::{ControlGroups, Latency, OverTransport, Report, Search};
use crate::doctor::Intrinsic;

/// The page; several results are set side by side, `baseline` or the first label as their measure.
pub(crate) fn html(reports: &[Report], baseline: Option<&str>) -> String {
    let mut body = String::new();
    let title = if let [report] = reports {
        single(&mut body, report);
        format!("{}: {}", report.label, describe::work(&report.plan))
    } else {
        several(&mut body, reports, baseline);
        "Load tests side by side".to_owned()
    };
    let title = escaped(&title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <style>\n{PAGE_STYLE}{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n\
         <script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    )
}

fn single(body: &mut String, report: &Report) {
    let plan = &report.plan;
    element(body, "p", "kicker", &format!("throng bench · {}", report.label));
    element(body, "h1", "", &sentence(&describe::work(plan)));
    element(body, "p", "lead", &sentence(&describe::pacing(plan)));
    verdict(body, report);
    tiles(body, report);
    command(body, report);
    if let Some(search) = &report.search {
        steps(body, search);
    }
    drawings(body, &of_report(report));
    details(body, report);
}

fn several(body: &mut String, reports: &[Report], baseline: Option<&str>) {
    element(body, "p", "kicker", "throng bench");
    element(body, "h1", "", "Load tests side by side");
    if let Some(report) = reports.first() {
        element(body, "p", "lead", &sentence(&machine::line(report)));
    }
    for group in groups(reports) {
        section(body, &group, baseline);
    }
    element(body, "h2", "", "Each result");
    for report in reports {
        let mark = if report.verdict.valid { "" } else { " · INVALID" };
        let summary = format!(
            "{} · {} · {}{mark}",
            report.label,
            report.plan.scenario.name(),
            report.started_at
        );
        let _ = writeln!(body, "<details><summary>{}</summary>", escaped(&summary));
        element(body, "p", "lead", &sentence(&describe::work(&report.plan)));
        verdict(body, report);
        command(body, report);
        if reports.len() <= CHARTED_MAX {
            drawings(body, &of_report(report));
        }
        details(body, report);
        body.push_str("</details>\n");
    }
}

fn section(body: &mut String, group: &Group<'_>, baseline: Option<&str>) {
    body.push_str("<section>\n");
    element(body, "h2", "", &sentence(&group.title()));
    let first = group.labels.first().map(|rounds| rounds.label);
    let baseline = baseline.or(first);
    let (head, rows) = markdown::rows(group, baseline);
    comparison(body, &head, &rows);
    for note in markdown::footnotes(group, baseline) {
        element(body, "p", "note", &note);
    }
    drawings(body, &of_group(group));
    body.push_str("</section>\n");
}

fn verdict(body: &mut String, report: &Report) {
    if report.verdict.valid {
        element(body, "p", "badge valid", "Valid: nothing lost, generator within its limits");
    } else {
        body.push_str("<div class=\"invalid\" role=\"alert\">");
        element(body, "p", "badge", "INVALID: the figures of this run prove nothing");
        list(body, &report.verdict.reasons);
        body.push_str("</div>\n");
    }
    if describe::is_closed(&report.plan) {
        element(body, "p", "warning", "Closed loop: its latencies hide what users would wait.");
    }
    for warning in &report.verdict.warnings {
        element(body, "p", "warning", warning);
    }
}

fn tiles(body: &mut String, report: &Report) {
    body.push_str("<dl class=\"tiles\">\n");
    for figure in Figure::of_scenario(&report.plan.scenario) {
        if let Some(value) = figure.of(report) {
            let (title, value) = (escaped(&figure.title()), escaped(&figure.show(value)));
            let _ = writeln!(body, "<div><dt>{title}</dt><dd>{value}</dd></div>");
        }
    }
    body.push_str("</dl>\n");
}

fn command(body: &mut String, report: &Report) {
    // A browser would break a line behind the hyphens of an option.
    let words = report.command.iter().map(|word| escaped(&command::quoted(word)));
    let words: Vec<String> = words.map(|word| format!("<span>{word}</span>")).collect();
    let _ = writeln!(body, "<pre><code>{}</code></pre>", words.join(" "));
}

fn drawings(body: &mut String, drawings: &[Drawing]) {
    body.push_str("<div class=\"charts\">\n");
    for drawing in drawings {
        let (Some(wide), Some(narrow)) = (drawing.svg(Size::WIDE), drawing.svg(Size::NARROW))
        else {
            continue;
        };
        let wide = wide.replacen("class=\"chart\"", "class=\"chart wide\"", 1);
        let narrow = narrow.replacen("class=\"chart\"", "class=\"chart narrow\"", 1);
        let _ = writeln!(body, "<figure>{wide}{narrow}</figure>");
    }
    body.push_str("</div>\n");
}

fn details(body: &mut String, report: &Report) {
    latencies(body, report);
    if let Some(of) = &report.fairness {
        fairness(body, of);
    }
    body.push_str("<div class=\"columns\">\n");
    pairs(body, "Completeness", &completeness(report));
    pairs(body, "Connections", &connections(report));
    pairs(body, "Generator", &generator(report));
    if report.server.is_some() {
        pairs(body, "Server", &server(report));
    }
    if let Some(of) = &report.intrinsic {
        pairs(body, "The machine itself, before the run", &intrinsic(of));
    }
    pairs(body, "Plan", &machine::plan(report));
    pairs(body, "Machine", &machine::facts(report));
    body.push_str("</div>\n");
    element(
        body,
        "p",
        "note",
        &format!(
            "{} · {} · connect {}, warm-up {}, measured {}, drain {}",
            report.program,
            machine::line(report),
            units::seconds(report.phases.connect_seconds),
            units::seconds(report.phases.warmup_seconds),
            units::seconds(report.phases.measured_seconds),
            units::seconds(report.phases.drain_seconds)
        ),
    );
}

fn latencies(body: &mut String, report: &Report) {
    if report.latencies.is_empty() {
        return;
    }
    let mut head = vec!["latency".to_owned()];
    head.extend(Point::ALL.iter().map(|point| point.name().to_owned()));
    head.push("samples".to_owned());
    let row = |name: String, latency: &Latency| {
        let mut row = vec![name];
        row.extend(Point::ALL.iter().map(|point| units::time_or_dash(point.of(latency))));
        row.push(units::count(latency.count));
        row
    };
    let mut rows = Vec::new();
    for latency in &report.latencies {
        let title = describe::title(&report.plan, latency.measure);
        let of = |over: &OverTransport| {
            let name = format!("{title}, {}", describe::spoken(over.transport));
            Some(row(name, over.latency(latency.measure)?))
        };
        rows.push(row(title.clone(), latency));
        rows.extend(report.transports.iter().filter_map(of));
    }
    rows_table(body, "Latencies", &head, &rows);
    let definitions: Vec<String> = report
        .latencies
        .iter()
        .map(|latency| {
            format!("{}: {}", describe::title(&report.plan, latency.measure), latency.definition)
        })
        .collect();
    body.push_str("<details><summary>What each latency is</summary>");
    list(body, &definitions);
    element(body, "p", "", "–: fewer than a hundred samples lie beyond it, too few to tell.");
    body.push_str("</details>\n");
}

/// The worst client beside the median one: an average over all would hide it.
fn fairness(body: &mut String, of: &Fairness) {
    let head = ["each client's", "best", "median", "worst", "clients"].map(str::to_owned);
    let row = |(name, over): (&str, OverClients)| {
        let mut row = vec![format!("{} {name}", of.measure.title())];
        let values = [over.best_ns, over.median_ns, over.worst_ns];
        row.extend(values.map(|value| units::time(units::real(value))));
        row.push(units::count(over.clients));
        row
    };
    let rows: Vec<Vec<String>> = of.told().into_iter().map(row).collect();
    rows_table(body, "Fairness: the same of each client alone", &head, &rows);
}

fn steps(body: &mut String, search: &Search) {
    let mut head = vec![search.varied.clone()];
    head.extend(
        ["p50", "p99", "p99.9", "received/s", "server CPU", "generator CPU", "verdict"]
            .map(str::to_owned),
    );
    let rows: Vec<Vec<String>> = search
        .steps
        .iter()
        .map(|step| {
            let kept = if step.kept { "kept" } else { "broken" };
            vec![
                units::rate(step.load),
                units::time_or_dash(step.percentiles_ns.p50),
                units::time_or_dash(step.percentiles_ns.p99),
                units::time_or_dash(step.percentiles_ns.p99_9),
                units::rate(step.received_per_second),
                step.server_cpu.map_or_else(|| units::DASH.to_owned(), units::percent),
                units::percent(step.generator_cpu),
                if step.why.is_empty() { kept.to_owned() } else { step.why.clone() },
            ]
        })
        .collect();
    rows_table(body, &sentence(&table::search_title(search)), &head, &rows);
}

fn completeness(report: &Report) -> Vec<(String, String)> {
    let traffic = &report.traffic;
    let mut rows = counted(&[
        ("sent", traffic.sent),
        ("expected", traffic.expected),
        ("received", traffic.received),
        ("missing", traffic.missing),
        ("duplicated", traffic.duplicated),
        ("reordered", traffic.reordered),
        ("corrupted", traffic.corrupted),
        ("stray", traffic.stray),
        ("unsent", traffic.unsent),
        ("to slow readers", traffic.slow_received),
    ]);
    rows.push(pair("sent per second", units::rate(traffic.sent_per_second)));
    rows.push(pair("received per second", units::rate(traffic.received_per_second)));
    rows.push(pair("received", units::bytes(units::real(traffic.received_bytes))));
    rows
}

fn connections(report: &Report) -> Vec<(String, String)> {
    let of = &report.connections;
    let mut rows = counted(&[
        ("wanted", of.wanted),
        ("connected", of.connected),
        ("failed", of.failed),
        ("lost", of.lost),
        ("connected again", of.reconnected),
        ("heartbeats answered", of.pings),
    ]);
    rows.push(pair("per second", units::rate(of.per_second)));
    rows.push(pair("how", describe::connecting(&report.plan)));
    if of.slow_lost > 0 {
        rows.push(pair("slow ones closed by the server", units::count(of.slow_lost)));
        let ends = [("first", of.slow_lost_first_seconds), ("last", of.slow_lost_last_seconds)];
        rows.extend(ends.into_iter().filter_map(|(name, seconds)| {
            Some(pair(&format!("{name} of them after"), units::seconds(seconds?)))
        }));
    }
    rows.extend(of.failures.iter().map(|of| (of.what.clone(), units::count(of.count))));
    rows
}

fn generator(report: &Report) -> Vec<(String, String)> {
    let of = &report.generator;
    let mut rows: Vec<(String, String)> = of
        .threads
        .iter()
        .map(|thread| (thread.name.clone(), units::core_share(thread.core_share)))
        .collect();
    if let Some(cost) = of.cpu_us_per_delivery {
        rows.push(pair("CPU per delivery", units::microseconds(cost)));
    }
    rows.push(pair("CPU", units::seconds(of.cpu_seconds)));
    rows.push(pair("backlog at most", units::count(of.backlog_max)));
    let who = if of.kernel_stamps { "the kernel" } else { "the generator" };
    rows.push(pair("receipts stamped by", who.to_owned()));
    rows
}

fn intrinsic(of: &Intrinsic) -> Vec<(String, String)> {
    let waits = of.wait_ns;
    let names = ["waits for a core, p50", "p90", "p99", "p99.9", "longest gap"];
    let values = [waits.p50, waits.p90, waits.p99, waits.p99_9, of.gap_max_ns];
    let rows = names.iter().zip(values);
    let mut rows: Vec<(String, String)> =
        rows.map(|(name, value)| pair(name, units::time(units::real(value)))).collect();
    rows.push(pair("gave way to others", units::percent(of.preempted_share)));
    rows.push(pair("measured for", units::seconds(of.seconds)));
    rows
}

fn server(report: &Report) -> Vec<(String, String)> {
    let Some(of) = &report.server else { return Vec::new() };
    let bytes = |value: u64| units::bytes(units::real(value));
    let pids: Vec<String> = of.pids.iter().map(u32::to_string).collect();
    let mut rows = vec![
        pair("process", pids.join(", ")),
        pair("CPU", units::core_share(of.core_share)),
        pair("CPU, user", units::seconds(of.cpu_user_seconds)),
        pair("CPU, system", units::seconds(of.cpu_system_seconds)),
        pair("CPU while connecting", units::core_share(of.connect_core_share)),
        pair("RSS before", bytes(of.resident_before_bytes)),
        pair(
            "at most until then",
            of.resident_high_before_bytes.map_or(units::DASH.to_owned(), bytes),
        ),
        pair("RSS, all connected", bytes(of.resident_connected_bytes)),
        pair("RSS at most", bytes(of.resident_max_bytes)),
        pair("kernel sockets at most", bytes(of.kernel_socket_bytes_max)),
        pair("kernel's objects for sockets", of.kernel_slab_bytes.map_or_else(absent, bytes)),
        pair(
            "the same per connection",
            of.kernel_slab_bytes_per_connection.map_or_else(absent, units::bytes),
        ),
        pair("voluntary switches", units::count(of.voluntary_switches)),
        pair("involuntary switches", units::count(of.involuntary_switches)),
    ];
    rows.extend(control_groups(of.control_groups.as_ref()));
    let shown = of.commands.iter().filter(|words| !words.is_empty());
    rows.extend(shown.map(|words| pair("command", command::short(words, COMMAND_LETTERS_MAX))));
    rows.extend(of.syscalls_untold.iter().map(|why| pair("system calls not counted", why.clone())));
    for figure in [
        Figure::DeliveryCpu,
        Figure::ConnectCpu,
        Figure::DeliverySyscalls,
        Figure::ConnectSyscalls,
        Figure::Resident,
        Figure::KernelMemory,
    ] {
        if let Some(value) = figure.of(report) {
            let title = figure.title();
            rows.push(pair(title.trim_start_matches("server "), figure.show(value)));
        }
    }
    rows
}

fn control_groups(groups: Option<&ControlGroups>) -> Vec<(String, String)> {
    let Some(of) = groups else { return vec![pair("control group", absent())] };
    let whose =
        if of.has_generator { "control group, the generator's too" } else { "control group" };
    let each = |bytes: Option<f64>| bytes.map_or_else(absent, units::bytes);
    vec![
        pair(whose, of.paths.join(", ")),
        pair("its memory, all connected", units::bytes(units::real(of.memory_connected_bytes))),
        pair(
            "its memory per connection",
            of.memory_bytes_per_connection.map_or(units::DASH.to_owned(), units::bytes),
        ),
        pair("kernel's objects in it", each(of.slab_bytes_per_connection)),
        pair("data in sockets in it", each(of.socket_bytes_per_connection)),
        pair("its CPU", units::seconds(of.cpu_seconds)),
        pair("held back", units::seconds(of.throttled_seconds)),
    ]
}

fn absent() -> String {
    "not readable".to_owned()
}

fn counted(counts: &[(&str, u64)]) -> Vec<(String, String)> {
    counts.iter().map(|(name, value)| pair(name, units::count(*value))).collect()
}

fn pair(name: &str, value: String) -> (String, String) {
    (name.to_owned(), value)
}

fn pairs(body: &mut String, caption: &str, rows: &[(String, String)]) {
    let _ = writeln!(body, "<table class=\"pairs\"><caption>{}</caption>", escaped(caption));
    for (name, value) in rows {
        let (name, value) = (escaped(name), escaped(value));
        let _ = writeln!(body, "<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>");
    }
    body.push_str("</table>\n");
}

fn rows_table(body: &mut String, caption: &str, head: &[String], rows: &[Vec<String>]) {
    table_head(body, caption, head);
    for row in rows {
        body.push_str("<tr>");
        for (index, cell) in row.iter().enumerate() {
            let cell = escaped(cell);
            let _ = if index == 0 {
                write!(body, "<th scope=\"row\">{cell}</th>")
            } else {
                write!(body, "<td>{cell}</td>")
            };
        }
        body.push_str("</tr>\n");
    }
    body.push_str("</tbody></table></div>\n");
}

/// Medians, and below each its range and its ratio.
fn comparison(body: &mut String, head: &[String], rows: &[Vec<Cell>]) {
    table_head(body, "", head);
    for row in rows {
        body.push_str("<tr>");
        for (index, cell) in row.iter().enumerate() {
            let name = if index == 0 { "th scope=\"row\"" } else { "td" };
            let _ = write!(body, "<{name}>{}", escaped(&cell.main));
            for small in [&cell.range, &cell.ratio].into_iter().flatten() {
                let _ = write!(body, "<small>{}</small>", escaped(small));
            }
            let _ = write!(body, "</{}>", if index == 0 { "th" } else { "td" });
        }
        body.push_str("</tr>\n");
    }
    body.push_str("</tbody></table></div>\n");
}

fn table_head(body: &mut String, caption: &str, head: &[String]) {
    let label = escaped(if caption.is_empty() { "Comparison" } else { caption });
    let _ = write!(
        body,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\"><table>"
    );
    if !caption.is_empty() {
        let _ = write!(body, "<caption>{}</caption>", escaped(caption));
    }
    body.push_str("<thead><tr>");
    for cell in head {
        let _ = write!(body, "<th scope=\"col\">{}</th>", escaped(cell));
    }
    body.push_str("</tr></thead>\n<tbody>\n");
}

fn list(body: &mut String, items: &[String]) {
    body.push_str("<ul>");
    for item in items {
        let _ = write!(body, "<li>{}</li>", escaped(item));
    }
    body.push_str("</ul>");
}

fn element(body: &mut String, name: &str, class: &str, words: &str) {
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    let _ = writeln!(body, "<{name}{class}>{}</{name}>", escaped(words));
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}

const PAGE_STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// The whole of it is in the result itself.
const COMMAND_LETTERS_MAX: usize = 400;
/// Of more results than these, each result's own charts would make the page too heavy.
const CHARTED_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::render::sample;

    #[test]
    fn a_page_needs_nothing_else() {
        let reports = [
            sample::broadcast("throng", 1.0),
            sample::broadcast("socket.io", 1.7),
            sample::invalid("socket.io"),
            sample::ack("throng", 1.0),
        ];
        for page in [html(&reports, None), html(&reports[..1], None)] {
            assert!(!page.contains("src="), "loads something");
            assert!(!page.contains("<link"), "loads something");
            assert!(!page.contains("url("), "loads something");
            assert!(!page.contains("@import"), "loads something");
        }
    }

    #[test]
    fn what_a_result_says_is_text() {
        let mut report = sample::broadcast("<script>alert(1)</script>", 1.0);
        report.command.push("it's <b>".to_owned());
        let mut server = report.server.clone().unwrap();
        server.commands = vec![vec!["<img src=y>".to_owned()]];
        report.server = Some(server);
        report.verdict.valid = false;
        report.verdict.reasons.push("<img onerror=x>".to_owned());
        let page = html(&[report.clone(), report], None);
        assert!(!page.contains("<script>alert"));
        assert!(!page.contains("<img"));
        assert!(page.contains("&#39;it&#39;\\&#39;&#39;s &lt;b&gt;&#39;"), "the command is quoted");
    }

    #[test]
    fn an_empty_page_is_a_page() {
        assert!(html(&[], None).contains("</html>"));
    }
}
