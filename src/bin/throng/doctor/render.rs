//! The report as people read it, in 80 columns.
//!
//! Colours are always written here: who owns the stream takes them out where it is no terminal.
//!
//! ```text
//! Connections
//!   good    ports           28,232 per source address (32768 to 60999)
//! ```

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::Report;
use super::check::{Check, Section, Verdict};
use super::text::{bytes, grouped, wrap};

pub(super) fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let title = format!(
        "throng doctor: {} clients, server and generator on this machine",
        grouped(u64::from(report.clients)),
    );
    writeln!(out, "{BOLD}{title}{BOLD:#}\n")?;
    for line in machine(report) {
        for line in wrap(&line, COLUMNS) {
            writeln!(out, "{line}")?;
        }
    }
    for section in Section::ALL {
        writeln!(out, "\n{BOLD}{}{BOLD:#}", section.title())?;
        for check in report.checks.iter().filter(|check| check.section == section) {
            write_check(check, out)?;
        }
    }
    writeln!(out, "\n{BOLD}{}{BOLD:#}", summary(&report.checks))
}

fn machine(report: &Report) -> Vec<String> {
    let machine = &report.fingerprint;
    let memory = machine.memory_bytes.map(|memory| format!("{} of memory", bytes(memory)));
    let cores = machine.cores.map(|cores| format!("{cores} cores"));
    let parts = [Some(machine.kernel.clone()), machine.cpu_model.clone(), cores, memory];
    let mut lines = vec![parts.into_iter().flatten().collect::<Vec<_>>().join(", ")];
    lines.extend(machine.mitigations.as_ref().map(|text| format!("Mitigations: {text}")));
    lines
}

fn write_check(check: &Check, out: &mut impl Write) -> io::Result<()> {
    let (word, style) = match check.verdict {
        Verdict::Good => ("good", GREEN),
        Verdict::WorthKnowing => ("note", YELLOW),
        Verdict::WillSpoil => ("SPOILS", RED),
    };
    let found = wrap(&check.found, COLUMNS - FOUND_COLUMN);
    let mut found = found.iter();
    let first = found.next().map_or("", String::as_str);
    writeln!(out, "  {style}{word:<6}{style:#}  {:<15} {first}", check.name)?;
    for line in found {
        writeln!(out, "{:FOUND_COLUMN$}{line}", "")?;
    }
    for line in wrap(&check.why, COLUMNS - WHY_COLUMN) {
        writeln!(out, "{:WHY_COLUMN$}{line}", "")?;
    }
    for command in &check.mend {
        writeln!(out, "{:WHY_COLUMN$}{DIM}${DIM:#} {command}", "")?;
    }
    Ok(())
}

fn summary(checks: &[Check]) -> String {
    let count = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    let (spoiling, notes) = (count(Verdict::WillSpoil), count(Verdict::WorthKnowing));
    let spoiling = match spoiling {
        0 => "Nothing will spoil a run".to_owned(),
        1 => "1 thing will spoil a run".to_owned(),
        many => format!("{many} things will spoil a run"),
    };
    let notes = match notes {
        0 => "nothing else is worth knowing".to_owned(),
        1 => "1 is worth knowing".to_owned(),
        many => format!("{many} are worth knowing"),
    };
    format!("{spoiling}, {notes}.")
}

const COLUMNS: usize = 80;
const FOUND_COLUMN: usize = 26;
const WHY_COLUMN: usize = 10;
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();

#[cfg(test)]
mod tests {
    use super::super::Fingerprint;
    use super::*;

    fn check(verdict: Verdict) -> Check {
        let why = "It matters because of this, which is a sentence that goes on for more than \
                   one line of seventy columns.";
        let check = Check::good(Section::Load, "a thing", "so and so ".repeat(9));
        check.because(verdict, why).mend("mend --this")
    }

    fn plain(report: &Report) -> String {
        let mut out = anstream::StripStream::new(Vec::new());
        write(report, &mut out).unwrap();
        String::from_utf8(out.into_inner()).unwrap()
    }

    #[test]
    fn everything_fits_80_columns() {
        let mut report = Report { clients: 10_000, ..Report::default() };
        report.fingerprint = Fingerprint {
            kernel: "Linux 6.18.44".to_owned(),
            cpu_model: Some("A very long name of a processor ".repeat(3)),
            ..Fingerprint::default()
        };
        report.checks = vec![check(Verdict::WorthKnowing), check(Verdict::WillSpoil)];
        let text = plain(&report);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains("10,000 clients"));
        assert!(text.contains("\n  SPOILS  a thing         so and so"), "{text}");
        assert!(text.contains("\n          $ mend --this\n"), "{text}");
        assert!(text.ends_with("\n1 thing will spoil a run, 1 is worth knowing.\n"), "{text}");
        for section in Section::ALL {
            assert!(text.contains(&format!("\n\n{}\n", section.title())), "{text}");
        }
    }

    #[test]
    fn colours_are_written_for_those_who_want_them() {
        let report = Report { checks: vec![check(Verdict::WillSpoil)], ..Report::default() };
        let mut out = Vec::new();
        write(&report, &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().contains("\u{1b}[1m\u{1b}[31mSPOILS\u{1b}[0m"));
        assert!(!plain(&report).contains('\u{1b}'));
    }

    #[test]
    fn a_sum_is_a_sentence() {
        let sum = |verdicts: &[Verdict]| {
            summary(&verdicts.iter().map(|verdict| check(*verdict)).collect::<Vec<_>>())
        };
        let none = "Nothing will spoil a run, nothing else is worth knowing.";
        assert_eq!(sum(&[]), none);
        let (knowing, spoiling) = (Verdict::WorthKnowing, Verdict::WillSpoil);
        let two = "2 things will spoil a run, 3 are worth knowing.";
        assert_eq!(sum(&[knowing, spoiling, knowing, spoiling, knowing]), two);
    }
}
