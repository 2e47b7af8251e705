//! Which charts a result has, and which a group of results: what is drawn, not how.
//!
//! ```text
//! one result      percentiles · over time · completion · connections · CPU · memory · lag
//! several         percentiles by label · bars of CPU, latency, memory · latency against load
//! ```

use super::axis::{Axis, Scale};
use super::bars::{Bars, Row};
use super::chart::{Chart, Series, Size, Stroke, standalone};
use super::figure::{Figure, Point, latency};
use super::rounds::{Group, groups};
use super::{describe, units};
use crate::bench::latency::{Latencies, Measure};
use crate::bench::report::{Interval, Phase, Report};

/// A chart of either kind, and what its file is called.
pub(crate) struct Drawing {
    pub(crate) name: &'static str,
    kind: Kind,
}

enum Kind {
    Lines(Chart),
    Bars(Bars),
}

impl Drawing {
    /// `None` where there is nothing to draw.
    pub(crate) fn svg(&self, size: Size) -> Option<String> {
        match &self.kind {
            Kind::Lines(chart) => chart.svg(size),
            Kind::Bars(bars) => bars.svg(size.width),
        }
    }
}

/// Files for a README: name and SVG.
pub(crate) fn charts(reports: &[Report]) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    for group in groups(reports) {
        let plan = group.plan();
        for drawing in of_group(&group) {
            let Some(svg) = drawing.svg(Size::ALONE) else { continue };
            let stem = format!("{}-{}-{}", plan.scenario.name(), plan.clients, drawing.name);
            let mut name = format!("{stem}.svg");
            let mut number = 2_u32;
            while files.iter().any(|(taken, _)| *taken == name) {
                name = format!("{stem}-{number}.svg");
                number = number.saturating_add(1);
            }
            files.push((name, standalone(&svg)));
        }
    }
    files
}

/// The charts of one result.
pub(crate) fn of_report(report: &Report) -> Vec<Drawing> {
    let mut drawings = Vec::new();
    let mut add = |name, chart: Chart| {
        if !chart.series.is_empty() {
            drawings.push(Drawing { name, kind: Kind::Lines(chart) });
        }
    };
    add("load", steps(report));
    let main = report.plan.scenario.first_measure();
    add("percentiles", percentiles(report, main));
    if main == Measure::RoundTrip {
        // Where broadcasts run beside the questions.
        add("delivery", percentiles(report, Measure::Delivery));
    }
    add("transports", by_transport(report, main));
    add("time", over_time(report));
    add("completion", completion(report));
    add("connections", connections(report));
    add("cpu", processors(report));
    add("memory", memory(report));
    add("lag", lags(report));
    drawings
}

/// The charts that set labels side by side.
pub(crate) fn of_group(group: &Group<'_>) -> Vec<Drawing> {
    let main = group.plan().scenario.first_measure();
    let mut drawings = Vec::new();
    let mut lines = |name, chart: Chart| {
        if !chart.series.is_empty() {
            drawings.push(Drawing { name, kind: Kind::Lines(chart) });
        }
    };
    if let Some(search) = group.search() {
        // The rest of each result is of the load that its own search found: not comparable.
        lines("load", group_steps(group));
        let title = format!("Greatest {}", search.varied);
        if let Some(bars) = bars(group, title, &[Figure::Found]) {
            drawings.push(Drawing { name: "found", kind: Kind::Bars(bars) });
        }
        return drawings;
    }
    lines("percentiles", group_percentiles(group, main));
    if main == Measure::Delivery {
        lines("completion", group_percentiles(group, Measure::LastRecipient));
    }
    if main == Measure::RoundTrip {
        lines("delivery", group_percentiles(group, Measure::Delivery));
    }
    lines("time", group_over_time(group));
    let tail = [Point::P99_9, Point::P99, Point::Max].into_iter().find(|point| {
        let figure = Figure::Latency(main, *point);
        group.labels.iter().any(|rounds| rounds.spread(figure).is_some())
    });
    let ends = [Some(Point::P50), tail].into_iter().flatten();
    let ends: Vec<Figure> = ends.map(|point| Figure::Latency(main, point)).collect();
    for (name, title, figures) in [
        ("latency", format!("{} latency", capital(main.title())), ends.as_slice()),
        ("server-cpu", "Server CPU per delivery".to_owned(), &[Figure::DeliveryCpu]),
        ("connect-cpu", "Server CPU per connect".to_owned(), &[Figure::ConnectCpu]),
        ("memory", "RSS per connection".to_owned(), &[Figure::Resident]),
    ] {
        if let Some(bars) = bars(group, title, figures) {
            drawings.push(Drawing { name, kind: Kind::Bars(bars) });
        }
    }
    drawings
}

fn percentiles(report: &Report, main: Measure) -> Chart {
    let variants = match main {
        Measure::Delivery => {
            [Some(main), Some(Measure::DeliveryUncorrected), Some(Measure::DeliveryUserSpace)]
        }
        Measure::RoundTrip => {
            [Some(main), Some(Measure::RoundTripUncorrected), Some(Measure::RoundTripUserSpace)]
        }
        _ => [Some(main), None, None],
    };
    let strokes = [Stroke::Solid, Stroke::Dashed, Stroke::Dotted];
    let series = variants.into_iter().flatten().zip(strokes).enumerate();
    Chart {
        title: format!("{} by percentile", capital(main.title())),
        description: "Latency at each percentile, as far as a hundred samples lie beyond it. \
                      Uncorrected runs from the actual send; user space to the generator's \
                      reading."
            .to_owned(),
        x: quantiles(),
        y: times(Scale::Log),
        series: series
            .filter_map(|(colour, (measure, stroke))| {
                let found = latency(report, measure)?;
                let points = curve(&Latencies::decode(&found.histogram)?);
                Some(Series { name: measure.title().to_owned(), colour, stroke, points })
            })
            .collect(),
    }
}

/// Of a mix, the same of each transport alone.
fn by_transport(report: &Report, main: Measure) -> Chart {
    let series = report.transports.iter().enumerate();
    Chart {
        title: format!("{} by transport", capital(main.title())),
        description: "Latency at each percentile, of the clients of each transport.".to_owned(),
        x: quantiles(),
        y: times(Scale::Log),
        series: series
            .filter_map(|(colour, over)| {
                let points = curve(&Latencies::decode(&over.latency(main)?.histogram)?);
                let name = describe::spoken(over.transport).to_owned();
                Some(Series { name, colour, stroke: Stroke::Solid, points })
            })
            .collect(),
    }
}

fn over_time(report: &Report) -> Chart {
    let main = report.plan.scenario.first_measure();
    let shown = [Point::P50, Point::P99, Point::Max];
    Chart {
        title: format!("{} over time", capital(main.title())),
        description: "Percentiles of each second, without the warm-up.".to_owned(),
        x: seconds("seconds since the first connection"),
        y: times(Scale::Log),
        series: shown
            .into_iter()
            .enumerate()
            .map(|(colour, point)| Series {
                name: format!("{} of each second", point.name()),
                colour,
                stroke: Stroke::Solid,
                points: latency_points(&report.intervals, point),
            })
            .filter(|series| !series.points.is_empty())
            .collect(),
    }
}

fn completion(report: &Report) -> Chart {
    let point = |value: fn(&crate::bench::report::Broadcast) -> u64| {
        let points = report
            .broadcasts
            .iter()
            .filter(|broadcast| broadcast.received > 0)
            .map(|broadcast| (broadcast.at_seconds, units::real(value(broadcast))));
        thinned(points.collect())
    };
    let series = |name: &str, colour, points: Vec<(f64, f64)>| Series {
        name: name.to_owned(),
        colour,
        stroke: Stroke::Dots,
        points,
    };
    Chart {
        title: "First and last recipient of each broadcast".to_owned(),
        description: "From the intended send of each broadcast to its first and to its last \
                      recipient."
            .to_owned(),
        x: seconds("seconds since the measurement began"),
        y: times(Scale::Log),
        series: [
            series("last recipient", 1, point(|broadcast| broadcast.last_ns)),
            series("first recipient", 0, point(|broadcast| broadcast.first_ns)),
        ]
        .into_iter()
        .filter(|series| !series.points.is_empty())
        .collect(),
    }
}

fn connections(report: &Report) -> Chart {
    let points = |interval: &Interval| Some(units::real(interval.connected));
    Chart {
        title: "Connections".to_owned(),
        description: "How many clients were connected at the end of each second.".to_owned(),
        x: seconds("seconds since the first connection"),
        y: Axis { label: "", scale: Scale::Linear, show: units::rate },
        series: interval_series(report, "connected", 0, Stroke::Step, points).into_iter().collect(),
    }
}

fn processors(report: &Report) -> Chart {
    Chart {
        title: "CPU, share of one core".to_owned(),
        description: "What generator and server used of one core in each second.".to_owned(),
        x: seconds("seconds since the first connection"),
        y: Axis { label: "", scale: Scale::Linear, show: units::percent },
        series: [
            interval_series(report, "server", 0, Stroke::Solid, |interval| interval.server_cpu),
            interval_series(report, "generator", 1, Stroke::Dashed, |interval| {
                Some(interval.generator_cpu)
            }),
        ]
        .into_iter()
        .flatten()
        .collect(),
    }
}

fn memory(report: &Report) -> Chart {
    Chart {
        title: "Memory".to_owned(),
        description: "Resident memory of the server, and the kernel's memory of all TCP sockets \
                      of the machine."
            .to_owned(),
        x: seconds("seconds since the first connection"),
        y: Axis { label: "", scale: Scale::Linear, show: units::bytes },
        series: [
            interval_series(report, "server, resident", 0, Stroke::Solid, |interval| {
                interval.server_resident_bytes.map(units::real)
            }),
            interval_series(report, "kernel sockets, both ends", 2, Stroke::Dashed, |interval| {
                Some(units::real(interval.kernel_socket_bytes))
            }),
        ]
        .into_iter()
        .flatten()
        .collect(),
    }
}

fn lags(report: &Report) -> Chart {
    let series = [Measure::ScheduleLag, Measure::ReceiveLag].into_iter().enumerate();
    Chart {
        title: "The generator's own delay by percentile".to_owned(),
        description: "Schedule lag runs from the intended to the actual send, receive lag from \
                      the kernel's receipt to the generator's reading."
            .to_owned(),
        x: quantiles(),
        y: times(Scale::Log),
        series: series
            .filter_map(|(colour, measure)| {
                let found = latency(report, measure)?;
                let points = curve(&Latencies::decode(&found.histogram)?);
                let name = measure.title().to_owned();
                Some(Series { name, colour, stroke: Stroke::Solid, points })
            })
            .collect(),
    }
}

fn steps(report: &Report) -> Chart {
    let steps = report.search.iter().flat_map(|search| &search.steps);
    let points = |point: Point| {
        let mut points: Vec<(f64, f64)> = steps
            .clone()
            .filter_map(|step| {
                let value = point.of_percentiles(&step.percentiles_ns, None)?;
                Some((step.load, units::real(value)))
            })
            .collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        points
    };
    let shown = [Point::P50, Point::P99, Point::P99_9].into_iter().enumerate();
    Chart {
        title: "Latency against load".to_owned(),
        description: "Percentiles of each step of the search or sweep.".to_owned(),
        x: load_axis(report.search.as_ref().map_or("", |search| search.varied.as_str())),
        y: times(Scale::Log),
        series: shown
            .map(|(colour, point)| Series {
                name: point.name().to_owned(),
                colour,
                stroke: Stroke::Marked,
                points: points(point),
            })
            .filter(|series| !series.points.is_empty())
            .collect(),
    }
}

fn group_steps(group: &Group<'_>) -> Chart {
    let loads = group.loads();
    Chart {
        title: "p99 against load".to_owned(),
        description: "Medians over the rounds of each label, at each load.".to_owned(),
        x: load_axis(group.search().map_or("", |search| search.varied.as_str())),
        y: times(Scale::Log),
        series: labelled(group, Stroke::Marked, |rounds| {
            loads
                .iter()
                .filter_map(|load| Some((*load, rounds.spread_at(*load, Point::P99)?.median)))
                .collect()
        }),
    }
}

fn group_percentiles(group: &Group<'_>, measure: Measure) -> Chart {
    Chart {
        title: format!("{} by percentile", capital(measure.title())),
        description: "Latency at each percentile, all valid rounds of a label merged into one \
                      histogram, as far as a hundred samples lie beyond it."
            .to_owned(),
        x: quantiles(),
        y: times(Scale::Log),
        series: labelled(group, Stroke::Solid, |rounds| {
            rounds.merged(measure).map(|merged| curve(&merged)).unwrap_or_default()
        }),
    }
}

fn group_over_time(group: &Group<'_>) -> Chart {
    let first = group.labels.iter().find_map(|rounds| rounds.valid.first());
    let main = first.map_or(Measure::Delivery, |report| report.plan.scenario.first_measure());
    Chart {
        title: format!("{} p99 over time", capital(main.title())),
        description: "The p99 of each second of the first valid round of each label.".to_owned(),
        x: seconds("seconds since the first connection"),
        y: times(Scale::Log),
        series: labelled(group, Stroke::Solid, |rounds| {
            let first = rounds.valid.first();
            first.map(|report| latency_points(&report.intervals, Point::P99)).unwrap_or_default()
        }),
    }
}

fn bars(group: &Group<'_>, title: String, figures: &[Figure]) -> Option<Bars> {
    let first = *figures.first()?;
    let rows: Vec<Row> = group
        .labels
        .iter()
        .enumerate()
        .map(|(colour, rounds)| Row {
            name: rounds.label.to_owned(),
            colour,
            values: figures.iter().map(|figure| rounds.spread(*figure)).collect(),
        })
        .collect();
    let show = match first {
        Figure::Latency(..) | Figure::WorstClient => units::time,
        Figure::Resident => units::bytes,
        Figure::Found => units::rate,
        _ => units::microseconds,
    };
    let is_empty = rows.iter().all(|row| row.values.iter().all(Option::is_none));
    let kinds = figures.iter().map(|figure| match figure {
        Figure::Latency(_, point) => point.name().to_owned(),
        other => other.title(),
    });
    (!is_empty).then(|| Bars {
        title,
        description: "Medians over the rounds; whiskers from the lowest to the greatest round."
            .to_owned(),
        kinds: kinds.collect(),
        rows,
        show,
    })
}

fn labelled(
    group: &Group<'_>,
    stroke: Stroke,
    points: impl Fn(&super::rounds::Rounds<'_>) -> Vec<(f64, f64)>,
) -> Vec<Series> {
    group
        .labels
        .iter()
        .enumerate()
        .map(|(colour, rounds)| Series {
            name: rounds.label.to_owned(),
            colour,
            // Beyond the last colour, they begin again.
            stroke: if colour < super::chart::COLOURS { stroke } else { Stroke::Dashed },
            points: points(rounds),
        })
        .filter(|series| !series.points.is_empty())
        .collect()
}

/// Quantile and nanoseconds, from the median as far as the samples tell.
fn curve(latencies: &Latencies) -> Vec<(f64, f64)> {
    let tail = (CURVE_STEPS_BELOW_MEDIAN..CURVE_STEPS_MAX)
        .map(|step| 1.0 - 10f64.powf(-f64::from(step) / CURVE_STEPS_PER_NINE));
    std::iter::once(0.5)
        .chain(tail)
        .map_while(|quantile| {
            let value = latencies.quantile_ns(quantile)?;
            Some((quantile, units::real(value)))
        })
        .collect()
}

fn latency_points(intervals: &[Interval], point: Point) -> Vec<(f64, f64)> {
    let points = intervals
        .iter()
        .filter(|interval| interval.phase != Phase::Warmup && interval.max_ns > 0)
        .filter_map(|interval| {
            let value = point.of_percentiles(&interval.percentiles_ns, Some(interval.max_ns))?;
            Some((interval.at_seconds, units::real(value)))
        });
    thinned(points.collect())
}

fn interval_series(
    report: &Report,
    name: &str,
    colour: usize,
    stroke: Stroke,
    value: impl Fn(&Interval) -> Option<f64>,
) -> Option<Series> {
    let points = report
        .intervals
        .iter()
        .filter_map(|interval| Some((interval.at_seconds + interval.seconds, value(interval)?)));
    let points = thinned(points.collect());
    (!points.is_empty()).then(|| Series { name: name.to_owned(), colour, stroke, points })
}

/// At most as many points as a chart has room for: of neighbours, the greatest.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let bucket = points.len().div_ceil(POINTS_MAX).max(1);
    if bucket == 1 {
        return points;
    }
    points
        .chunks(bucket)
        .filter_map(|chunk| chunk.iter().copied().max_by(|one, other| one.1.total_cmp(&other.1)))
        .collect()
}

fn times(scale: Scale) -> Axis {
    Axis { label: "", scale, show: units::time }
}

fn quantiles() -> Axis {
    Axis { label: "percentile", scale: Scale::Percentile, show: quantile }
}

fn seconds(label: &'static str) -> Axis {
    Axis { label, scale: Scale::Linear, show: units::seconds }
}

fn load_axis(varied: &str) -> Axis {
    let label = if varied == "clients" { "clients" } else { "sends per second" };
    Axis { label, scale: Scale::Linear, show: units::rate }
}

/// A quantile as a percentage, with the digits that tell it from its neighbours.
fn quantile(value: f64) -> String {
    let nines = (-(1.0 - value).log10()).floor().clamp(0.0, 6.0);
    let factor = 10f64.powf(nines + 1.0);
    format!("{}{}%", (value * 100.0 * factor).round() / factor, units::SPACE)
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}

const CURVE_STEPS_PER_NINE: f64 = 20.0;
const CURVE_STEPS_BELOW_MEDIAN: u32 = 7;
const CURVE_STEPS_MAX: u32 = 140;
const POINTS_MAX: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::render::sample;

    #[test]
    fn curves_end_where_samples_do() {
        let mut latencies = Latencies::default();
        for value in 1..=10_000_u64 {
            latencies.record(value * 100_000);
        }
        let curve = curve(&latencies);
        // A hundred of ten thousand lie beyond 99 %, two nines of twenty steps each; the first
        // seven steps lie below the median, which stands in for them.
        assert_eq!(curve.len(), 35);
        let (last, value) = curve[34];
        assert!((last - 0.99).abs() < 1e-9);
        assert!((value / 990.0e6 - 1.0).abs() < 0.001);
    }

    #[test]
    fn quantiles_read_as_percentages() {
        assert_eq!(quantile(0.5), "50\u{a0}%");
        assert_eq!(quantile(0.9), "90\u{a0}%");
        assert_eq!(quantile(0.999), "99.9\u{a0}%");
        assert_eq!(quantile(0.9999), "99.99\u{a0}%");
    }

    #[test]
    fn thinning_keeps_the_worst() {
        let points: Vec<(f64, f64)> =
            (0..10_000_u32).map(|index| (f64::from(index), f64::from(index % 25))).collect();
        let thinned = thinned(points);
        assert_eq!(thinned.len(), POINTS_MAX);
        assert!(thinned.iter().all(|point| point.1 > 23.5));
    }

    #[test]
    fn every_part_of_a_result_is_drawn() {
        let names = |report: &Report| -> Vec<&str> {
            of_report(report).iter().map(|drawing| drawing.name).collect()
        };
        assert_eq!(
            names(&sample::broadcast("a", 1.0)),
            ["percentiles", "time", "completion", "connections", "cpu", "memory", "lag"]
        );
        assert_eq!(names(&sample::sweep("a", 1.0))[0], "load");
        assert_eq!(names(&sample::mix("a", 1.0))[1], "transports");
    }

    #[test]
    fn files_of_charts_have_names_of_their_own() {
        let mut other = sample::broadcast("a", 1.0);
        other.plan.payload_bytes = 4_096;
        let files = charts(&[sample::broadcast("a", 1.0), sample::broadcast("b", 1.5), other]);
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.contains(&"broadcast-10000-server-cpu.svg"), "{names:?}");
        assert!(names.contains(&"broadcast-10000-server-cpu-2.svg"), "{names:?}");
        assert!(files.iter().all(|(_, svg)| svg.contains("<style>") && svg.ends_with("</svg>\n")));
    }
}
