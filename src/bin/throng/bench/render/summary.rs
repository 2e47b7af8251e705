//! Rounds of one run as the terminal shows them: each figure's median, with the lowest and the
//! greatest round. At most 80 columns.
//!
//! ```text
//! 5 rounds                              median      lowest    greatest
//! delivery p99                         51.2 ms     50.1 ms     53.3 ms
//! ```

use super::figure::Figure;
use super::markdown::{columns, footnotes};
use super::rounds::{Group, Rounds, groups};
use super::table::Text;
use super::{machine, units};
use crate::bench::report::Report;

/// What the rounds say together; those that are INVALID are named and left out.
pub(crate) fn summary(reports: &[Report]) -> String {
    let mut text = Text::default();
    for group in groups(reports) {
        text.wrapped("", &group.title());
        text.blank();
        for rounds in &group.labels {
            figures(&mut text, &group, rounds);
        }
        for note in footnotes(&group, None) {
            text.wrapped("", &note);
        }
    }
    text.blank();
    if let Some(report) = reports.first() {
        text.row("machine", &[machine::line(report)]);
    }
    text.written
}

/// What became of one round, in a line for whoever waits for the others.
pub(crate) fn round_line(report: &Report, round: u32, rounds: u32) -> String {
    let head = format!("round {round} of {rounds}");
    if !report.verdict.valid {
        return format!("{head}: INVALID: {}", report.verdict.reasons.join("; "));
    }
    let figures = match &report.search {
        Some(_) => vec![Figure::Found],
        None => Figure::of_scenario(&report.plan.scenario),
    };
    let told: Vec<String> = figures
        .into_iter()
        .filter_map(|figure| {
            Some(format!("{} {}", figure.title(), figure.show(figure.of(report)?)))
        })
        .take(FIGURES_PER_LINE)
        .collect();
    format!("{head}: {}", told.join(", ")).replace(units::SPACE, " ")
}

fn figures(text: &mut Text, group: &Group<'_>, rounds: &Rounds<'_>) {
    let all = rounds.valid.len().saturating_add(rounds.invalid.len());
    text.line(&line(&format!("{all} rounds"), ["median", "lowest", "greatest"].map(str::to_owned)));
    for column in columns(group) {
        let cells = match column.spread(rounds) {
            Some(spread) => [spread.median, spread.lowest, spread.greatest]
                .map(|value| column.figure().show(value)),
            None => [units::DASH, "", ""].map(str::to_owned),
        };
        text.line(&line(&column.title(group), cells));
    }
    text.blank();
}

fn line(name: &str, cells: [String; 3]) -> String {
    let [median, lowest, greatest] = cells;
    format!("{name:<NAME$}{median:>CELL$}{lowest:>CELL$}{greatest:>CELL$}")
}

const NAME: usize = 36;
const CELL: usize = 12;
const FIGURES_PER_LINE: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::render::sample;

    #[test]
    fn each_figure_has_its_median_lowest_and_greatest_round() {
        let factors = [1.0, 1.2, 1.1];
        let mut reports = factors.map(|factor| sample::broadcast("throng", factor));
        reports[1..].iter_mut().for_each(Report::leave_out_memory);
        let told = summary(&reports);
        assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
        let of = |name: &str| {
            let line = told.lines().find(|line| line.starts_with(name)).unwrap();
            line[name.len()..].split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of("3 rounds"), "median lowest greatest");
        assert_eq!(of("delivery p99 "), "68.3 ms 62 ms 74.4 ms");
        assert_eq!(of("RSS per connection"), "712 B 712 B 712 B");
        assert!(told.contains("RSS per connection is told by 1 of 3 rounds"), "{told}");
    }

    #[test]
    fn each_round_has_a_line_meanwhile() {
        let line = round_line(&sample::broadcast("throng", 1.0), 2, 5);
        assert!(
            line.starts_with("round 2 of 5: delivery p50 27.7 ms, delivery p99 62 ms"),
            "{line}"
        );
        let line = round_line(&sample::invalid("throng"), 3, 5);
        assert!(line.starts_with("round 3 of 5: INVALID: 12 of"), "{line}");
    }

    #[test]
    fn an_invalid_round_is_named_and_left_out() {
        let told = summary(&[sample::broadcast("throng", 1.0), sample::invalid("throng")]);
        assert!(told.contains("1 of 2 rounds INVALID and left out: 12 of"), "{told}");
        assert!(told.lines().any(|line| line.starts_with("2 rounds ")), "{told}");
    }

    #[test]
    fn rounds_of_a_sweep_are_told_load_by_load() {
        let reports = [1.0, 1.1].map(|factor| {
            let mut report = sample::sweep("throng", factor);
            report.search.as_mut().unwrap().limits.clear();
            report
        });
        let told = summary(&reports);
        assert!(told.lines().any(|line| line.starts_with("p99 at rate 10 ")), "{told}");
    }
}
