//! What was measured, as tables and as a picture.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Times, to be told by percentile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times(Vec<u64>);

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

    /// By rank, in nanoseconds; what has fewer than ten samples beyond it isn't told.
    fn percentile(&self, thousandths: usize) -> Option<u64> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let beyond = sorted.len() * (1_000 - thousandths) / 1_000;
        let rank = (sorted.len() * thousandths).div_ceil(1_000).max(1) - 1;
        if thousandths > 500 && beyond < 10 { None } else { sorted.get(rank).copied() }
    }

    fn max(&self) -> Option<u64> {
        self.0.iter().copied().max()
    }

    fn columns(&self) -> [Option<u64>; 4] {
        [self.percentile(500), self.percentile(990), self.percentile(999), self.max()]
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
        table(&mut text, TURNS, self.turns.iter().map(|turn| (&turn.what, &turn.times, None)));
        let jitter = self.jitter.iter().map(|jitter| {
            let completed = jitter.completed.percentile(500).map_or("–".to_owned(), in_words);
            (&jitter.what, &jitter.late, Some(completed))
        });
        table(&mut text, JITTER, jitter);
        text.push_str("\n![How late ticks begin](embedding-jitter.svg)\n");
        table(&mut text, TIMERS, self.timers.iter().map(|lag| (&lag.what, &lag.late, None)));
        let spins = self.spins.iter().map(|spin| {
            (&spin.what, &spin.round_trips, Some(format!("{:.0} %", spin.busy * 100.0)))
        });
        table(&mut text, SPINS, spins);
        text
    }

    /// The lateness of ticks on a logarithmic axis, from 1 µs to 1 s.
    fn to_svg(&self) -> String {
        let height = 60 + self.jitter.len() * 34;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 {height}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"760\" height=\"{height}\" fill=\"#fff\"/>\n\
             <text x=\"10\" y=\"18\" font-size=\"14\">How late the ticks of a 1 kHz loop begin: \
             p50 to p99.9 (bar), greatest (dot)</text>\n"
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
            let [p50, _, p999, max] = jitter.late.columns();
            let from = abscissa(p50.unwrap_or_default());
            let to = abscissa(p999.or(max).unwrap_or_default());
            let dot = abscissa(max.unwrap_or_default());
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

fn table<'a>(
    text: &mut String,
    head: &str,
    rows: impl Iterator<Item = (&'a String, &'a Times, Option<String>)>,
) {
    text.push_str(head);
    for (what, times, more) in rows {
        let _ = write!(text, "| {what} |");
        for time in times.columns() {
            let _ = write!(text, " {} |", time.map_or("–".to_owned(), in_words));
        }
        if let Some(more) = more {
            let _ = write!(text, " {more} |");
        }
        text.push('\n');
    }
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

const HEAD: &str = "# Embedding, measured

Written by `cargo bench --bench embedding -- --output benches/results`; don't edit. The host on one
core, its clients on another, over loopback.
";
const TURNS: &str = "
## A turn

| turn | p50 | p99 | p99.9 | greatest |
|---|---|---|---|---|
";
const JITTER: &str = "
## A host at 1 kHz while 10,000 clients are broadcast to, five times a second

How late its ticks begin. Between two ticks it polls until the next.

| turns | p50 | p99 | p99.9 | greatest | a broadcast is written after |
|---|---|---|---|---|---|
";
const TIMERS: &str = "
## How late a timer of 1.25 ms fires

| resolution | p50 | p99 | p99.9 | greatest |
|---|---|---|---|---|
";
const SPINS: &str = "
## Spinning before sleeping

Round trips of one client that asks 2,000 times a second.

| spin | p50 | p99 | p99.9 | greatest | host's core busy |
|---|---|---|---|---|---|
";
