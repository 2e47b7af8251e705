//! What was measured, as tables and as a picture.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Times, to be told by percentile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times(Vec<u64>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Percentile {
    P50,
    P99,
    P99_9,
}

pub(crate) struct Report {
    pub(crate) turns: Vec<TurnCost>,
    pub(crate) jitter: Vec<Jitter>,
    pub(crate) timers: Vec<TimerLag>,
    pub(crate) spins: Vec<Spin>,
}

pub(crate) struct TurnCost {
    what: String,
    times: Times,
}

pub(crate) struct Jitter {
    pub(crate) what: String,
    pub(crate) late: Times,
    pub(crate) completed: Times,
}

pub(crate) struct TimerLag {
    pub(crate) what: String,
    pub(crate) late: Times,
}

pub(crate) struct Spin {
    pub(crate) what: String,
    pub(crate) round_trips: Times,
    pub(crate) busy: f64,
}

impl Times {
    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// By rank, in nanoseconds; what too few samples lie beyond isn't told.
    fn percentile(&self, percentile: Percentile) -> Option<u64> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let beyond = sorted.len() / percentile.one_in();
        let rank = sorted.len().checked_sub(beyond + 1)?;
        if percentile.is_told(sorted.len()) { sorted.get(rank).copied() } else { None }
    }

    fn max(&self) -> Option<u64> {
        self.0.iter().copied().max()
    }
}

/// The rule of `throng bench`: a hundred samples beyond, or the next run tells another. A median,
/// with as many below, takes a hundred in all.
impl Percentile {
    const ALL: [Self; 3] = [Self::P50, Self::P99, Self::P99_9];

    fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::P99_9 => "p99.9",
        }
    }

    /// One in so many samples lies beyond.
    fn one_in(self) -> usize {
        match self {
            Self::P50 => 2,
            Self::P99 => 100,
            Self::P99_9 => 1_000,
        }
    }

    fn is_told(self, samples: usize) -> bool {
        let deciding = if self == Self::P50 { samples } else { samples / self.one_in() };
        deciding >= DECIDING_MIN
    }
}

impl From<Vec<u64>> for Times {
    fn from(nanoseconds: Vec<u64>) -> Self {
        Self(nanoseconds)
    }
}

impl TurnCost {
    pub(crate) fn new(what: &str, times: Times) -> Self {
        Self { what: what.to_owned(), times }
    }
}

impl Report {
    pub(crate) fn write(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        fs::write(directory.join("embedding.md"), self.to_markdown())?;
        fs::write(directory.join("embedding-jitter.svg"), self.to_svg())
    }

    pub(crate) fn to_markdown(&self) -> String {
        let mut text = String::from(HEAD);
        let rows = self.turns.iter().map(|turn| (&turn.what, &turn.times, None));
        table(&mut text, TURNS, rows.collect());
        let rows = self.jitter.iter().map(|jitter| {
            let completed = told(jitter.completed.percentile(Percentile::P50));
            (&jitter.what, &jitter.late, Some(completed))
        });
        table(&mut text, JITTER, rows.collect());
        text.push_str("\n![How late ticks begin](embedding-jitter.svg)\n");
        let rows = self.timers.iter().map(|lag| (&lag.what, &lag.late, None));
        table(&mut text, TIMERS, rows.collect());
        let rows = self.spins.iter().map(|spin| {
            (&spin.what, &spin.round_trips, Some(format!("{:.0} %", spin.busy * 100.0)))
        });
        table(&mut text, SPINS, rows.collect());
        text
    }

    /// The lateness of ticks on a logarithmic axis, from 1 µs to 1 s.
    fn to_svg(&self) -> String {
        let height = 60 + self.jitter.len() * 34;
        let late = self.jitter.iter().map(|jitter| &jitter.late);
        // What the table tells of all of them.
        let highest = Percentile::ALL
            .into_iter()
            .rfind(|percentile| late.clone().all(|times| percentile.is_told(times.len())));
        let (highest, bar) = match highest {
            None | Some(Percentile::P50) => (Percentile::P50, "p50".to_owned()),
            Some(highest) => (highest, format!("p50 to {}", highest.name())),
        };
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 {height}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"760\" height=\"{height}\" fill=\"#fff\"/>\n\
             <text x=\"10\" y=\"18\" font-size=\"14\">How late the ticks of a 1 kHz loop begin: \
             {bar} (bar), greatest (dot)</text>\n"
        );
        for (nanoseconds, label) in AXIS {
            let x = abscissa(nanoseconds);
            let bottom = height - 22;
            let _ = writeln!(
                svg,
                "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"30\" y2=\"{bottom}\" stroke=\"#ddd\"/>\
                 <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#555\">{label}</text>",
                height - 6
            );
        }
        for (row, jitter) in self.jitter.iter().enumerate() {
            let y = 40 + row * 34;
            let of = |percentile| abscissa(jitter.late.percentile(percentile).unwrap_or_default());
            let (from, to) = (of(Percentile::P50), of(highest));
            let dot = abscissa(jitter.late.max().unwrap_or_default());
            let _ = writeln!(
                svg,
                "<text x=\"230\" y=\"{}\" text-anchor=\"end\">{}</text>\
                 <rect x=\"{from:.1}\" y=\"{y}\" width=\"{:.1}\" height=\"14\" fill=\"#2a6f97\"/>\
                 <circle cx=\"{dot:.1}\" cy=\"{}\" r=\"4\" fill=\"#c1121f\"/>",
                y + 11,
                jitter.what,
                (to - from).max(2.0),
                y + 7
            );
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// A row, its times, and what stands behind them.
type Row<'a> = (&'a String, &'a Times, Option<String>);

/// Without the percentiles that no row tells.
fn table(text: &mut String, [title, first, last]: [&str; 3], rows: Vec<Row<'_>>) {
    let told_by_any =
        |percentile: &Percentile| rows.iter().any(|(_, times, _)| percentile.is_told(times.len()));
    let percentiles: Vec<Percentile> = Percentile::ALL.into_iter().filter(told_by_any).collect();
    let mut heads = vec![first, "samples"];
    heads.extend(percentiles.iter().map(|percentile| percentile.name()));
    heads.push("greatest");
    heads.extend((!last.is_empty()).then_some(last));
    let _ = write!(text, "{title}| {} |\n|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
    for (what, times, more) in rows {
        let mut cells = vec![what.clone(), times.len().to_string()];
        cells.extend(percentiles.iter().map(|percentile| told(times.percentile(*percentile))));
        cells.push(told(times.max()));
        cells.extend(more);
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
}

fn told(nanoseconds: Option<u64>) -> String {
    nanoseconds.map_or("–".to_owned(), in_words)
}

#[expect(clippy::cast_precision_loss, reason = "three digits are told")]
fn in_words(nanoseconds: u64) -> String {
    let time = nanoseconds as f64;
    match nanoseconds {
        0..10_000 => format!("{:.2} µs", time / 1e3),
        10_000..1_000_000 => format!("{:.0} µs", time / 1e3),
        _ => format!("{:.1} ms", time / 1e6),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a pixel is coarse")]
fn abscissa(nanoseconds: u64) -> f64 {
    240.0 + ((nanoseconds.max(1_000) as f64).log10() - 3.0) * 83.0
}

const AXIS: [(u64, &str); 7] = [
    (1_000, "1 µs"),
    (10_000, "10 µs"),
    (100_000, "100 µs"),
    (1_000_000, "1 ms"),
    (10_000_000, "10 ms"),
    (100_000_000, "100 ms"),
    (1_000_000_000, "1 s"),
];

/// Samples that a percentile rests on.
const DECIDING_MIN: usize = 100;

const HEAD: &str = "# Embedding, measured

Written by `cargo bench --bench embedding -- --output benches/results`; don't edit. The host on one
core, its clients on another, over loopback.

A percentile is told where a hundred samples lie beyond it, as `throng bench` does: p99 of 10,000
on, p99.9 of 100,000 on. A turn is so short that there are as many; of ticks, timers and questions,
each of which waits for its moment, there are enough for a p99. A median takes a hundred in all.
";
const TURNS: [&str; 3] = ["\n## A turn\n\n", "turn", ""];
const JITTER: [&str; 3] = [
    "
## A host at 1 kHz while 10,000 clients are broadcast to, five times a second

How late its ticks begin, each from the moment that it was due: those that a stall made it miss
begin when it ends. Between two ticks it polls until the next.

",
    "turns",
    "a broadcast is written after",
];
const TIMERS: [&str; 3] = ["\n## How late a timer of 250 µs fires\n\n", "resolution", ""];
const SPINS: [&str; 3] = [
    "
## Spinning before sleeping

Round trips of one client that asks 2,000 times a second.

",
    "spin",
    "host's core busy",
];
