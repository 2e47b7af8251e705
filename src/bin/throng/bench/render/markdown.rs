//! Results of several runs as tables in Markdown, for a README: a table for each scenario, a row
//! for each label.
//!
//! ```text
//! | server | delivery p99 | server CPU per delivery |
//! |---|---|---|
//! | throng | 51.2 ms (50.1–53.3), 1.00 × | 6.11 µs (6.02–6.31), 1.00 × |
//! ```

use std::fmt::Write as _;

use super::figure::{Figure, Point};
use super::rounds::{Group, Rounds, Spread, groups};
use super::{machine, units};
use crate::bench::latency::Measure;
use crate::bench::report::Report;

/// `baseline` is the label whose medians the others are divided by.
pub(crate) fn markdown(reports: &[Report], baseline: Option<&str>) -> String {
    let sections: Vec<String> =
        groups(reports).iter().map(|group| section(group, baseline)).collect();
    sections.join("\n")
}

/// What stands in one field of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    /// The median with its unit, a dash, or the name of the row.
    pub(crate) main: String,
    /// From the lowest to the greatest round, where they differ.
    pub(crate) range: Option<String>,
    /// How many times the baseline's median.
    pub(crate) ratio: Option<String>,
}

impl Cell {
    fn text(&self) -> String {
        let mut text = self.main.clone();
        if let Some(range) = &self.range {
            let _ = write!(text, " ({range})");
        }
        if let Some(ratio) = &self.ratio {
            let _ = write!(text, ", {ratio}");
        }
        text
    }
}

/// The head of a table, then its rows: what the page shows too.
pub(crate) fn rows(group: &Group<'_>, baseline: Option<&str>) -> (Vec<String>, Vec<Vec<Cell>>) {
    let columns = columns(group);
    let base = group.labels.iter().find(|rounds| Some(rounds.label) == baseline);
    let mut head = vec!["server".to_owned()];
    head.extend(columns.iter().map(|column| column.title(group)));
    let rows = group
        .labels
        .iter()
        .map(|rounds| {
            let mut row = vec![Cell { main: name(rounds), ..Cell::default() }];
            row.extend(columns.iter().map(|column| {
                let of_base = base.and_then(|base| column.spread(base));
                cell(*column, column.spread(rounds), of_base)
            }));
            row
        })
        .collect();
    (head, rows)
}

/// What a reader must know of the figures above.
pub(crate) fn footnotes(group: &Group<'_>, baseline: Option<&str>) -> Vec<String> {
    let mut notes = Vec::new();
    let rounds: Vec<usize> = group.labels.iter().map(|rounds| rounds.valid.len()).collect();
    let (fewest, most) =
        (rounds.iter().min().copied().unwrap_or(0), rounds.iter().max().copied().unwrap_or(0));
    if most > 1 {
        let count = if fewest == most { format!("{most}") } else { format!("{fewest} to {most}") };
        notes.push(format!(
            "Medians over {count} rounds, with the lowest and the greatest round; of an even \
             number of rounds, the worse of the middle two. A percentile is the median of the \
             rounds' percentiles."
        ));
    }
    if let Some(baseline) = baseline
        && group.labels.iter().any(|rounds| rounds.label == baseline)
    {
        notes.push(format!("× is the ratio to the median of {baseline}."));
    }
    notes.extend(group.labels.iter().filter_map(|rounds| group.transport_note(rounds)));
    if group.search().is_none() {
        notes.extend(group.labels.iter().filter_map(Rounds::memory_note));
    }
    notes.extend(group.labels.iter().filter_map(Rounds::footnote));
    notes
}

/// A column of a group's table.
#[derive(Clone, Copy)]
pub(super) enum Column {
    /// A figure of the whole run.
    Figure(Figure),
    /// A percentile at one load of a sweep.
    Load(f64, Point),
}

impl Column {
    pub(super) fn title(self, group: &Group<'_>) -> String {
        match self {
            Self::Figure(Figure::Found) => {
                let varied = group.search().map_or("load", |search| search.varied.as_str());
                format!("greatest {varied}")
            }
            Self::Figure(figure) => figure.title(),
            Self::Load(load, point) => {
                let varied = group.search().map_or("load", |search| search.varied.as_str());
                format!("{} at {varied} {}", point.name(), units::rate(load))
            }
        }
    }

    pub(super) fn spread(self, rounds: &Rounds<'_>) -> Option<Spread> {
        match self {
            Self::Figure(figure) => rounds.spread(figure),
            Self::Load(load, point) => rounds.spread_at(load, point),
        }
    }

    /// What shows its values.
    pub(super) fn figure(self) -> Figure {
        match self {
            Self::Figure(figure) => figure,
            // Which measure it is of makes no difference to how a time is shown.
            Self::Load(_, point) => Figure::Latency(Measure::Delivery, point),
        }
    }
}

/// What its table has columns for.
pub(super) fn columns(group: &Group<'_>) -> Vec<Column> {
    let is_sweep = group.search().is_some_and(|search| search.limits.is_empty());
    if is_sweep {
        return group.loads().into_iter().map(|load| Column::Load(load, Point::P99)).collect();
    }
    group.figures().into_iter().map(Column::Figure).collect()
}

fn section(group: &Group<'_>, baseline: Option<&str>) -> String {
    let (head, rows) = rows(group, baseline);
    let mut text = format!("{}\n\n", sentence(&group.title()));
    text.push_str(&line(&head));
    let rules: Vec<String> = head.iter().map(|_| "---".to_owned()).collect();
    let _ = writeln!(text, "|{}|", rules.join("|"));
    for row in &rows {
        text.push_str(&line(&row.iter().map(Cell::text).collect::<Vec<_>>()));
    }
    for note in footnotes(group, baseline) {
        let _ = write!(text, "\n{}\n", escaped(&note));
    }
    if let Some(report) = group
        .labels
        .first()
        .and_then(|rounds| rounds.valid.first().or_else(|| rounds.invalid.first()))
    {
        let _ = write!(text, "\nMachine: {}\n", escaped(&machine::line(report)));
    }
    text
}

fn cell(column: Column, spread: Option<Spread>, base: Option<Spread>) -> Cell {
    let Some(spread) = spread else {
        return Cell { main: units::DASH.to_owned(), ..Cell::default() };
    };
    let figure = column.figure();
    Cell {
        main: figure.show(spread.median),
        range: spread.range(figure),
        ratio: base.and_then(|base| spread.ratio(&base)).map(units::ratio),
    }
}

fn name(rounds: &Rounds<'_>) -> String {
    if rounds.valid.is_empty() {
        format!("{} (INVALID)", rounds.label)
    } else {
        rounds.label.to_owned()
    }
}

fn line(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| escaped(cell)).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// Text that neither ends a cell nor begins a tag.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace(['\n', '\r'], " ")
}

fn sentence(title: &str) -> String {
    let mut letters = title.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), escaped(letters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::render::sample;

    #[test]
    fn tables_read_as_they_should() {
        let reports = vec![
            sample::broadcast("throng", 1.0),
            sample::broadcast("socket.io (ws)", 2.0),
            sample::invalid("socket.io (ws)"),
            sample::broadcast("throng", 1.1),
            sample::broadcast("socket.io (ws)", 2.2),
            sample::broadcast("throng", 1.05),
            sample::broadcast("socket.io (ws)", 2.1),
            sample::ack("throng", 1.0),
            sample::sweep("throng", 1.0),
        ];
        let markdown = markdown(&reports, Some("throng"));
        assert_eq!(markdown, include_str!("golden/comparison.md"), "\n{markdown}");
    }

    #[test]
    fn a_sweep_has_a_column_for_each_load() {
        let mut report = sample::sweep("throng", 1.0);
        if let Some(search) = &mut report.search {
            search.limits = String::new();
        }
        let markdown = markdown(&[report], None);
        assert!(markdown.contains("| server | p99 at rate 5 | p99 at rate 10 |"), "{markdown}");
    }

    #[test]
    fn a_label_ends_no_cell() {
        let markdown = markdown(&[sample::ack("a|b <i>", 1.0)], None);
        assert!(markdown.contains("| a\\|b &lt;i> |"), "{markdown}");
    }
}
