//! Results side by side: those of one scenario in a group, those of one label in it as rounds
//! of one thing. Medians over rounds are values of rounds, never an average of two percentiles.
//!
//! ```text
//! p99 of rounds 51, 53, 50, 55, 52 ms ─► 52 ms (50–55)
//! ```

use super::figure::{Better, Figure, Point};
use super::{describe, units};
use crate::bench::latency::{Latencies, Measure};
use crate::bench::plan::{Plan, Protocol};
use crate::bench::report::{Report, Search, ServerUse};

/// Results that can stand in one table.
pub(crate) struct Group<'a> {
    /// In the order in which labels came; never empty.
    pub(crate) labels: Vec<Rounds<'a>>,
    first: &'a Report,
}

/// Results of one label.
pub(crate) struct Rounds<'a> {
    pub(crate) label: &'a str,
    pub(crate) valid: Vec<&'a Report>,
    pub(crate) invalid: Vec<&'a Report>,
}

/// A figure over rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// Of an even number of rounds, the worse of the two in the middle.
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) greatest: f64,
    pub(crate) rounds: usize,
}

/// Groups in the order in which their first results came.
pub(crate) fn groups(reports: &[Report]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for report in reports {
        if let Some(group) = groups.iter_mut().find(|group| group.takes(report)) {
            group.add(report);
        } else {
            let mut group = Group { labels: Vec::new(), first: report };
            group.add(report);
            groups.push(group);
        }
    }
    groups
}

impl<'a> Group<'a> {
    pub(crate) fn plan(&self) -> &'a Plan {
        &self.first.plan
    }

    pub(crate) fn search(&self) -> Option<&'a Search> {
        self.first.search.as_ref()
    }

    /// What was run, in words.
    pub(crate) fn title(&self) -> String {
        let plan = self.plan();
        match self.search() {
            Some(search) if search.limits.is_empty() => {
                format!("{}; sweep over {}", describe::work(plan), search.varied)
            }
            Some(search) => format!(
                "{}; greatest {} that keeps {}",
                describe::work(plan),
                search.varied,
                search.limits
            ),
            None => format!("{}; {}", describe::work(plan), describe::pacing(plan)),
        }
    }

    /// What a label's clients spoke, where it isn't what the title says.
    pub(crate) fn transport_note(&self, rounds: &Rounds<'_>) -> Option<String> {
        let report = rounds.valid.first().or_else(|| rounds.invalid.first())?;
        let transport = describe::transport(&report.plan);
        (transport != describe::transport(self.plan()))
            .then(|| format!("{}: over {transport}.", rounds.label))
    }

    /// The columns of its table: those of the scenario that any result has.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let figures = match self.search() {
            Some(_) => vec![Figure::Found],
            None => Figure::of_scenario(&self.plan().scenario),
        };
        figures
            .into_iter()
            .filter(|figure| self.labels.iter().any(|rounds| rounds.spread(*figure).is_some()))
            .collect()
    }

    /// Greatest and lowest loads that any result of a search ran at, each once, ascending.
    pub(crate) fn loads(&self) -> Vec<f64> {
        let mut loads: Vec<f64> = self
            .labels
            .iter()
            .flat_map(|rounds| &rounds.valid)
            .filter_map(|report| report.search.as_ref())
            .flat_map(|search| search.steps.iter().map(|step| step.load))
            .collect();
        loads.sort_by(f64::total_cmp);
        loads.dedup();
        loads
    }

    fn takes(&self, report: &Report) -> bool {
        let (ours, theirs) = (&self.first.plan, &report.plan);
        let varied = match (&self.first.search, &report.search) {
            (None, None) => "",
            (Some(one), Some(other))
                if one.varied == other.varied && one.limits == other.limits =>
            {
                one.varied.as_str()
            }
            _ => return false,
        };
        ours.scenario == theirs.scenario
            && (ours.clients == theirs.clients || varied == "clients")
            && (ours.rate == theirs.rate || varied == "rate")
            && ours.connect_rate == theirs.connect_rate
            && ours.pacing == theirs.pacing
            && ours.payload_bytes == theirs.payload_bytes
            && ours.binary == theirs.binary
            // The floor speaks bare WebSocket, whatever the transport of the others is called.
            && ((ours.transport, ours.protocol) == (theirs.transport, theirs.protocol)
                || ours.protocol == Protocol::Websocket
                || theirs.protocol == Protocol::Websocket)
    }

    fn add(&mut self, report: &'a Report) {
        let known = self.labels.iter().position(|rounds| rounds.label == report.label);
        if known.is_none() {
            self.labels.push(Rounds {
                label: &report.label,
                valid: Vec::new(),
                invalid: Vec::new(),
            });
        }
        let index = known.unwrap_or_else(|| self.labels.len().saturating_sub(1));
        if let Some(rounds) = self.labels.get_mut(index) {
            if report.verdict.valid {
                rounds.valid.push(report);
            } else {
                rounds.invalid.push(report);
            }
        }
    }
}

impl Rounds<'_> {
    /// `None` where a valid round doesn't tell the figure, or none is valid. Memory per connection
    /// is of those rounds that found a fresh server.
    pub(crate) fn spread(&self, figure: Figure) -> Option<Spread> {
        let values = self.valid.iter().map(|report| figure.of(report));
        let values: Option<Vec<f64>> = match figure {
            Figure::Resident => Some(values.flatten().collect()),
            _ => values.collect(),
        };
        Spread::of(values?, figure.better())
    }

    /// The spread of a percentile at one load of a sweep, over the rounds that ran at it.
    pub(crate) fn spread_at(&self, load: f64, point: Point) -> Option<Spread> {
        let values: Option<Vec<f64>> = self
            .valid
            .iter()
            .filter_map(|report| report.search.as_ref())
            .flat_map(|search| &search.steps)
            // What a step that is INVALID tells is no round of anything.
            .filter(|step| step.load.total_cmp(&load).is_eq() && step.kept)
            .map(|step| point.of_percentiles(&step.percentiles_ns, None).map(units::real))
            .collect();
        Spread::of(values?, Better::Less)
    }

    /// All samples of a measure over the valid rounds, in one histogram.
    pub(crate) fn merged(&self, measure: Measure) -> Option<Latencies> {
        let mut merged = Latencies::default();
        for report in &self.valid {
            let found = report.latencies.iter().find(|latency| latency.measure == measure);
            if let Some(decoded) = found.and_then(|found| Latencies::decode(&found.histogram)) {
                merged.merge(&decoded);
            }
        }
        (!merged.is_empty()).then_some(merged)
    }

    /// How many rounds tell memory per connection, where those of one server don't all do.
    pub(crate) fn memory_note(&self) -> Option<String> {
        let watched: Vec<&ServerUse> =
            self.valid.iter().filter_map(|report| report.server.as_ref()).collect();
        let each = |server: &&&ServerUse| server.resident_bytes_per_connection.is_some();
        let (told, all) = (watched.iter().filter(each).count(), watched.len());
        (told < all).then(|| {
            format!(
                "{}: RSS per connection is told by {told} of {all} rounds: a server that has \
                 served before fills memory that it has kept.",
                self.label
            )
        })
    }

    /// Why rounds are left out of its figures, where some are.
    pub(crate) fn footnote(&self) -> Option<String> {
        if self.invalid.is_empty() {
            return None;
        }
        let all = self.valid.len().saturating_add(self.invalid.len());
        let mut reasons: Vec<&str> = Vec::new();
        for reason in self.invalid.iter().flat_map(|report| &report.verdict.reasons) {
            if !reasons.contains(&reason.as_str()) {
                reasons.push(reason);
            }
        }
        reasons.truncate(REASONS_MAX);
        Some(format!(
            "{}: {} of {all} rounds INVALID and left out: {}",
            self.label,
            self.invalid.len(),
            reasons.join("; ")
        ))
    }
}

impl Spread {
    /// `None` of no values.
    pub(crate) fn of(mut values: Vec<f64>, better: Better) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let rounds = values.len();
        let middle = match better {
            Better::Less => rounds / 2,
            Better::More => rounds.saturating_sub(1) / 2,
        };
        Some(Self {
            median: *values.get(middle)?,
            lowest: *values.first()?,
            greatest: *values.last()?,
            rounds,
        })
    }

    /// From the lowest to the greatest round, such as `50.1–53.3`; `None` where they look alike.
    pub(crate) fn range(&self, figure: Figure) -> Option<String> {
        let [median, lowest, greatest] =
            [self.median, self.lowest, self.greatest].map(|value| figure.show(value));
        if lowest == greatest {
            return None;
        }
        let (low, low_unit) = units::cut(&lowest);
        let (high, high_unit) = units::cut(&greatest);
        let (_, unit) = units::cut(&median);
        if low_unit == unit && high_unit == unit {
            Some(format!("{low}–{high}"))
        } else {
            Some(format!("{lowest}–{greatest}"))
        }
    }

    /// How many times the median of another it is; `None` where that is nothing.
    pub(crate) fn ratio(&self, base: &Self) -> Option<f64> {
        (base.median > 0.0).then(|| self.median / base.median)
    }
}

const REASONS_MAX: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::render::sample;

    #[test]
    fn a_median_is_a_value_of_a_round() {
        let odd = Spread::of(vec![51.0, 53.0, 50.0, 55.0, 52.0], Better::Less).unwrap();
        assert_eq!(odd, Spread { median: 52.0, lowest: 50.0, greatest: 55.0, rounds: 5 });
        let worse = |better| Spread::of(vec![4.0, 1.0, 3.0, 2.0], better);
        let even = |median| Some(Spread { median, lowest: 1.0, greatest: 4.0, rounds: 4 });
        assert_eq!(worse(Better::Less), even(3.0));
        assert_eq!(worse(Better::More), even(2.0));
        assert_eq!(Spread::of(Vec::new(), Better::Less), None);
    }

    #[test]
    fn invalid_rounds_count_for_nothing_but_the_footnote() {
        let reports = [
            sample::broadcast("a", 1.0),
            sample::invalid("a"),
            sample::broadcast("b", 2.0),
            sample::ack("a", 1.0),
        ];
        let groups = groups(&reports);
        assert_eq!(groups.len(), 2);
        let rounds = &groups[0].labels[0];
        assert_eq!((rounds.valid.len(), rounds.invalid.len()), (1, 1));
        assert!(rounds.footnote().unwrap().starts_with("a: 1 of 2 rounds INVALID"));
        assert_eq!(rounds.spread(Figure::Received).unwrap().rounds, 1);
        assert_eq!(groups[0].labels[1].label, "b");
    }

    #[test]
    fn socket_io_v2_stands_apart_and_a_bare_websocket_is_told() {
        let speaking = |label, protocol| {
            let mut report = sample::broadcast(label, 1.0);
            report.plan.protocol = protocol;
            report
        };
        let reports = [
            speaking("a", Protocol::SocketIo),
            speaking("a", Protocol::SocketIoV2),
            speaking("floor", Protocol::Websocket),
        ];
        let groups = groups(&reports);
        assert_eq!(groups.len(), 2);
        assert!(groups[1].title().contains("over WebSocket (Socket.IO v2)"));
        let [usual, bare] = groups[0].labels.as_slice() else { panic!("two labels") };
        assert_eq!(groups[0].transport_note(usual), None);
        assert_eq!(groups[0].transport_note(bare).unwrap(), "floor: over bare WebSocket.");
    }

    #[test]
    fn a_figure_that_one_round_refuses_is_refused() {
        let mut fewer = sample::broadcast("a", 1.0);
        fewer.latencies[0].percentiles_ns.p99_9 = None;
        let reports = [sample::broadcast("a", 1.0), fewer];
        let groups = groups(&reports);
        let refused = Figure::Latency(Measure::Delivery, Point::P99_9);
        assert_eq!(groups[0].labels[0].spread(refused), None);
    }

    #[test]
    fn memory_is_of_the_rounds_that_found_a_fresh_server() {
        let mut reports = [1.0, 1.1, 1.2].map(|factor| sample::broadcast("a", factor));
        assert_eq!(groups(&reports)[0].labels[0].memory_note(), None);
        reports[1].leave_out_memory();
        reports[2].leave_out_memory();
        let groups = groups(&reports);
        let rounds = &groups[0].labels[0];
        let once = Spread { median: 712.0, lowest: 712.0, greatest: 712.0, rounds: 1 };
        assert_eq!(rounds.spread(Figure::Resident), Some(once));
        assert!(rounds.memory_note().unwrap().contains("by 1 of 3 rounds"));
        assert_eq!(rounds.spread(Figure::DeliveryCpu).unwrap().rounds, 3);
    }

    #[test]
    fn merging_adds_samples_up() {
        let reports = [sample::broadcast("a", 1.0), sample::broadcast("a", 2.0)];
        let groups = groups(&reports);
        let merged = groups[0].labels[0].merged(Measure::Delivery).unwrap();
        assert_eq!(merged.count(), 200_000);
        assert_eq!(merged.max_ns(), reports[1].latencies[0].max_ns);
    }
}
