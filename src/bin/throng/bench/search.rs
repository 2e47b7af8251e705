//! The search for the greatest load that keeps its limits, and the sweep over given loads: which
//! load comes next, and what came of each. It runs nothing and knows no clock.
//!
//! ```text
//! --until p99=50ms,loss=0    10 kept, 20 kept, 40 broken, 40 broken again, 30 kept, ..
//! ```

use std::collections::VecDeque;
use std::fmt;

use super::options::Varied;
use super::percentile::Percentile;
use super::render::units;
use super::render::units::words::{percent, time};
use super::report::{self, Report, Step};

/// A search or a sweep on its way: `next`, run it, `handle`, and again until there is no next.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    course: Course,
    varied: Varied,
    limits: String,
    steps: Vec<Step>,
    /// The greatest load that was kept.
    kept: Option<f64>,
}

/// How the next load follows from the ones before.
#[derive(Clone, Debug)]
enum Course {
    /// Doubled until it breaks, then halfway between the greatest kept and the least broken.
    Between { start: f64, ceiling: f64, broken: Option<f64>, attempt: Attempt },
    /// As given, the first is next.
    Given(VecDeque<f64>),
}

/// A load that breaks is tried once more: one stall of the machine is no limit of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    /// The load has not been tried.
    First,
    /// It broke once.
    Second,
}

impl Search {
    /// Begins at `start` and never goes above `ceiling`, where there is one, such as the clients
    /// that there are descriptors for.
    pub(crate) fn new(limits: &Limits, varied: Varied, start: f64, ceiling: Option<f64>) -> Self {
        let ceiling = whole(varied, ceiling.unwrap_or(f64::MAX));
        let start = whole(varied, start).min(ceiling);
        let course = Course::Between { start, ceiling, broken: None, attempt: Attempt::First };
        Self { course, varied, limits: limits.text.clone(), steps: Vec::new(), kept: None }
    }

    /// Each of these rates, in their order.
    pub(crate) fn sweep(rates: &[f64]) -> Self {
        let course = Course::Given(rates.iter().copied().collect());
        Self { course, varied: Varied::Rate, limits: String::new(), steps: Vec::new(), kept: None }
    }

    /// Whether any load was kept so far.
    pub(crate) fn has_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// The load of the next step; `None` when the search has ended.
    pub(crate) fn next(&self) -> Option<f64> {
        match &self.course {
            Course::Given(rates) => rates.front().copied(),
            Course::Between { .. } if self.steps.len() >= STEPS_MAX => None,
            Course::Between { start, ceiling, broken, .. } => match (self.kept, *broken) {
                (None, None) => Some(*start),
                (Some(kept), None) => {
                    (kept < *ceiling).then(|| whole(self.varied, kept * 2.0).min(*ceiling))
                }
                (None, Some(broken)) => {
                    let half = whole(self.varied, broken / 2.0);
                    (half > 0.0 && half < broken).then_some(half)
                }
                (Some(kept), Some(broken)) => self.between(kept, broken),
            },
        }
    }

    /// Takes what came of the load that was next; whether it is the greatest kept so far, so that
    /// its report is the one to show.
    pub(crate) fn handle(&mut self, step: Step) -> bool {
        let Some(load) = self.next() else { return false };
        let is_best = step.kept && self.kept.is_none_or(|kept| load > kept);
        match &mut self.course {
            Course::Given(rates) => {
                rates.pop_front();
            }
            Course::Between { broken, attempt, .. } => match (step.kept, *attempt) {
                (false, Attempt::First) => *attempt = Attempt::Second,
                (false, Attempt::Second) => {
                    *attempt = Attempt::First;
                    *broken = Some(load);
                }
                (true, _) => *attempt = Attempt::First,
            },
        }
        if is_best {
            self.kept = Some(load);
        }
        self.steps.push(Step { load, ..step });
        is_best
    }

    /// What a reader of the result should know: that something else than a limit ended it.
    pub(crate) fn warning(&self) -> Option<String> {
        let Course::Between { ceiling, broken, .. } = &self.course else { return None };
        if self.kept.is_some_and(|kept| kept >= *ceiling) {
            return Some(format!(
                "the search ended at its ceiling of {ceiling}, and not at a limit: the server can \
                 do more"
            ));
        }
        if self.steps.len() >= STEPS_MAX && self.next_is_left() {
            return Some(format!(
                "the search ended after {STEPS_MAX} steps, short of its precision"
            ));
        }
        let load = (*broken)?;
        let ended = self.steps.iter().rev().find(|step| is_same(step.load, load))?;
        let reason = ended.why.strip_prefix(INVALID)?;
        Some(format!("the search ended at an invalid step, and not at a limit: {reason}"))
    }

    /// Steps of a sweep that prove nothing, and why: there each is there for its own figures. Of a
    /// search, those are where it turned back.
    pub(crate) fn invalid_steps(&self) -> Vec<String> {
        let invalid = self.steps.iter().filter_map(|step| {
            let reason = step.why.strip_prefix(INVALID)?;
            Some((units::rate(step.load), reason))
        });
        match self.course {
            Course::Given(_) => invalid
                .map(|(load, reason)| format!("the step at {load} is INVALID: {reason}"))
                .collect(),
            Course::Between { .. } => {
                let loads: Vec<String> = invalid.map(|(load, _)| load).collect();
                let sentence = format!(
                    "steps of the search were INVALID, at {}: to find where that begins is its \
                     purpose, and none of them is what it found",
                    loads.join(", ")
                );
                if loads.is_empty() { Vec::new() } else { vec![sentence] }
            }
        }
    }

    pub(crate) fn finish(self) -> report::Search {
        let varied = match self.varied {
            Varied::Rate => "rate",
            Varied::Clients => "clients",
        };
        let found = match self.course {
            Course::Between { .. } => self.kept,
            // Without limits there is nothing to keep.
            Course::Given(_) => None,
        };
        report::Search { varied: varied.to_owned(), limits: self.limits, steps: self.steps, found }
    }

    fn between(&self, kept: f64, broken: f64) -> Option<f64> {
        if broken <= kept * PRECISION {
            return None;
        }
        let middle = whole(self.varied, f64::midpoint(kept, broken));
        (middle > kept && middle < broken).then_some(middle)
    }

    fn next_is_left(&self) -> bool {
        match (&self.course, self.kept) {
            (Course::Between { broken: Some(broken), .. }, Some(kept)) => {
                self.between(kept, *broken).is_some()
            }
            _ => true,
        }
    }
}

/// What a step must keep.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limits {
    text: String,
    limits: Vec<Limit>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Limit {
    /// A percentile of the first measure, at most.
    Percentile(Percentile, u64),
    /// The longest of the first measure, at most.
    Longest(u64),
    /// Nothing may be missing.
    Loss,
    /// Share of one core that the server uses, at most.
    ServerCpu(f64),
}

impl Limits {
    /// Reads limits such as `p99=50ms,p99.9=1s,loss=0,server-cpu=90%`.
    pub(crate) fn parse(text: &str) -> Result<Self, LimitsError> {
        let mut limits: Vec<Limit> = Vec::new();
        for part in text.split(',').map(str::trim) {
            let limit = Limit::parse(part)?;
            if limits.iter().any(|other| other.name() == limit.name()) {
                return Err(LimitsError::Twice { name: limit.name() });
            }
            limits.push(limit);
        }
        Ok(Self { text: text.to_owned(), limits })
    }

    /// Whether they can only be judged while the server is watched.
    pub(crate) fn needs_server(&self) -> bool {
        self.limits.iter().any(|limit| matches!(limit, Limit::ServerCpu(_)))
    }

    /// A judged run as a step: kept if it is valid and breaks no limit.
    pub(crate) fn step(&self, load: f64, report: &Report) -> Step {
        Step::new(load, report, &self.broken(report))
    }

    /// The limits that a run breaks, a sentence each.
    pub(crate) fn broken(&self, report: &Report) -> Vec<String> {
        self.limits.iter().filter_map(|limit| limit.broken(report)).collect()
    }
}

impl Limit {
    fn parse(part: &str) -> Result<Self, LimitsError> {
        let malformed = || LimitsError::Malformed { part: part.to_owned() };
        let (name, value) = part.split_once('=').ok_or_else(malformed)?;
        let (name, value) = (name.trim(), value.trim());
        let refused =
            |wanted| LimitsError::Value { name: name.to_owned(), value: value.to_owned(), wanted };
        let at_most = || {
            let duration = humantime::parse_duration(value).map_err(|_| refused(A_TIME))?;
            match u64::try_from(duration.as_nanos()) {
                Ok(0) | Err(_) => Err(refused(A_TIME)),
                Ok(most_ns) => Ok(most_ns),
            }
        };
        if let Some(percentile) = Percentile::named(name) {
            return Ok(Self::Percentile(percentile, at_most()?));
        }
        match name {
            "max" => Ok(Self::Longest(at_most()?)),
            "loss" if matches!(value, "0" | "0%") => Ok(Self::Loss),
            "loss" => Err(refused("0: a run that loses anything is invalid")),
            "server-cpu" => {
                let share = value.strip_suffix('%').and_then(|digits| digits.parse::<f64>().ok());
                let share = share.filter(|share| share.is_finite() && *share > 0.0);
                Ok(Self::ServerCpu(share.ok_or_else(|| refused("a share such as 90%"))? / 100.0))
            }
            _ => Err(LimitsError::Unknown { name: name.to_owned() }),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Percentile(percentile, _) => percentile.name(),
            Self::Longest(_) => "max",
            Self::Loss => "loss",
            Self::ServerCpu(_) => "server-cpu",
        }
    }

    /// How a run breaks it; `None` if it is kept.
    fn broken(&self, report: &Report) -> Option<String> {
        let name = self.name();
        let measured = report.first_measure();
        let above = |value_ns: u64, most_ns: u64| {
            // With three digits, a histogram tells the upper end of the thousandth it found.
            let is_above = value_ns > most_ns.saturating_add(most_ns / 1_000);
            is_above.then(|| format!("{name} is {}, above {}", time(value_ns), time(most_ns)))
        };
        match *self {
            Self::Percentile(percentile, most_ns) => {
                match measured.and_then(|measured| percentile.of(&measured.percentiles_ns)) {
                    Some(value_ns) => above(value_ns, most_ns),
                    None => Some(format!("too few samples for {name}: measure longer")),
                }
            }
            Self::Longest(most_ns) => match measured {
                Some(measured) => above(measured.max_ns, most_ns),
                None => Some(format!("too few samples for {name}: measure longer")),
            },
            Self::Loss => {
                let missing = report.traffic.missing;
                (missing > 0).then(|| format!("{missing} are missing, and loss is to be 0"))
            }
            Self::ServerCpu(most) => match report.server_core_share() {
                Some(share) => (share > most)
                    .then(|| format!("{name} is {}, above {}", percent(share), percent(most))),
                None => Some(format!("{name} is not known: watch the server with --pid")),
            },
        }
    }
}

impl Step {
    /// A judged run of a sweep: kept if it is valid.
    pub(crate) fn of_sweep(load: f64, report: &Report) -> Self {
        Self::new(load, report, &[])
    }

    fn new(load: f64, report: &Report, broken: &[String]) -> Self {
        let why = if report.verdict.valid {
            broken.join("; ")
        } else {
            format!("{INVALID}{}", report.verdict.reasons.join("; "))
        };
        let measured = report.first_measure();
        Self {
            load,
            kept: report.verdict.valid && broken.is_empty(),
            why,
            percentiles_ns: measured.map(|measured| measured.percentiles_ns).unwrap_or_default(),
            received_per_second: report.traffic.received_per_second,
            server_cpu: report.server_core_share(),
            generator_cpu: report.generator.threads.iter().map(|used| used.core_share).sum(),
        }
    }
}

/// Why a text is no list of limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LimitsError {
    /// A part is not NAME=VALUE.
    Malformed { part: String },
    /// There is no such limit.
    Unknown { name: String },
    /// The limit can't be set to that.
    Value { name: String, value: String, wanted: &'static str },
    /// One limit is set more than once.
    Twice { name: &'static str },
}

impl fmt::Display for LimitsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { part } => {
                write!(f, "the limit \"{part}\" is not NAME=VALUE, such as p99=50ms")
            }
            Self::Unknown { name } => write!(
                f,
                "there is no limit \"{name}\": there are p50, p90, p99, p99.9, p99.99, max, loss \
                 and server-cpu"
            ),
            Self::Value { name, value, wanted } => {
                write!(f, "the limit {name} cannot be \"{value}\": give {wanted}")
            }
            Self::Twice { name } => write!(f, "the limit {name} is given twice"),
        }
    }
}

impl std::error::Error for LimitsError {}

/// Clients come whole.
fn whole(varied: Varied, load: f64) -> f64 {
    match varied {
        Varied::Rate => load,
        Varied::Clients => load.floor(),
    }
}

/// Both come from one computation.
fn is_same(one: f64, other: f64) -> bool {
    one.total_cmp(&other).is_eq()
}

/// Greatest kept and least broken are near enough.
const PRECISION: f64 = 1.05;
const STEPS_MAX: usize = 20;
const INVALID: &str = "INVALID: ";
const A_TIME: &str = "a time above 0, such as 50ms";

#[cfg(test)]
mod tests {
    use super::super::latency::{Measure, Percentiles};
    use super::super::report::ServerUse;
    use super::super::verdict::judge;
    use super::super::verdict::tests::{latency, report, thread};
    use super::*;

    fn limits(text: &str) -> Limits {
        Limits::parse(text).expect("limits")
    }

    fn step(load: f64, kept: bool) -> Step {
        Step {
            load,
            kept,
            why: String::new(),
            percentiles_ns: Percentiles::default(),
            received_per_second: 0.0,
            server_cpu: None,
            generator_cpu: 0.0,
        }
    }

    fn search(varied: Varied, start: f64, ceiling: Option<f64>) -> Search {
        Search::new(&limits("p99=50ms"), varied, start, ceiling)
    }

    /// Runs a search against a server that keeps its limits up to some load.
    fn run(mut search: Search, keeps: f64) -> (Search, Vec<f64>) {
        let mut loads = Vec::new();
        while let Some(load) = search.next() {
            loads.push(load);
            search.handle(step(load, load <= keeps));
        }
        (search, loads)
    }

    #[test]
    fn a_load_is_doubled_and_then_the_interval_halved() {
        let (search, loads) = run(search(Varied::Rate, 10.0, None), 53.0);
        // Between 40 and 80: 60 breaks, 50 is kept, 55 breaks, 52.5 is kept; 55 / 52.5 is 1.048.
        let expected = [10.0, 20.0, 40.0, 80.0, 80.0, 60.0, 60.0, 50.0, 55.0, 55.0, 52.5];
        assert_eq!(loads, expected);
        assert_eq!(search.warning(), None);
        let result = search.finish();
        assert_eq!((result.varied.as_str(), result.found), ("rate", Some(52.5)));
        assert_eq!((result.limits.as_str(), result.steps.len()), ("p99=50ms", 11));
    }

    #[test]
    fn a_start_that_breaks_is_halved() {
        let (search, loads) = run(search(Varied::Rate, 80.0, None), 25.0);
        let expected = [80.0, 80.0, 40.0, 40.0, 20.0, 30.0, 30.0, 25.0, 27.5, 27.5, 26.25, 26.25];
        assert_eq!(loads, expected);
        assert_eq!(search.finish().found, Some(25.0));
    }

    #[test]
    fn clients_are_whole_and_end_at_their_ceiling() {
        let (found, loads) = run(search(Varied::Clients, 3.0, None), 8.0);
        // Between 6 and 12: 9 breaks, 7 and 8 are kept, and nothing is between 8 and 9.
        assert_eq!(loads, [3.0, 6.0, 12.0, 12.0, 9.0, 9.0, 7.0, 8.0]);
        assert_eq!(found.finish().found, Some(8.0));
        let (found, loads) = run(search(Varied::Clients, 4.0, None), 0.0);
        assert_eq!(loads, [4.0, 4.0, 2.0, 2.0, 1.0, 1.0]);
        assert_eq!(found.finish().found, None);
        let (found, loads) = run(search(Varied::Clients, 400.0, Some(1_000.5)), 5_000.0);
        assert_eq!(loads, [400.0, 800.0, 1_000.0]);
        assert!(found.warning().expect("a warning").contains("its ceiling of 1000"));
        let (_, loads) = run(search(Varied::Clients, 400.0, Some(100.0)), 5_000.0);
        assert_eq!(loads, [100.0]);
    }

    #[test]
    fn one_broken_step_is_noise() {
        let mut search = search(Varied::Rate, 10.0, None);
        assert!(search.handle(step(10.0, true)));
        assert!(!search.handle(step(20.0, false)));
        assert_eq!(search.next(), Some(20.0));
        assert!(search.handle(step(20.0, true)));
        assert_eq!(search.next(), Some(40.0));
    }

    #[test]
    fn a_search_ends_after_twenty_steps() {
        let (found, loads) = run(search(Varied::Rate, 1.0, None), f64::MAX);
        assert_eq!(loads.len(), 20);
        assert!(found.warning().expect("a warning").contains("after 20 steps"));
        assert_eq!(found.finish().found, Some(524_288.0));
        let (_, loads) = run(search(Varied::Rate, 1.0, None), 0.0);
        assert_eq!(loads.len(), 20);
    }

    #[test]
    fn a_sweep_takes_its_rates_in_order() {
        let mut sweep = Search::sweep(&[5.0, 40.0, 10.0]);
        assert!(sweep.handle(step(5.0, true)));
        assert!(sweep.handle(step(40.0, true)));
        assert_eq!(sweep.next(), Some(10.0));
        assert!(!sweep.handle(step(10.0, true)));
        assert_eq!((sweep.next(), sweep.warning()), (None, None));
        assert!(!sweep.handle(step(99.0, true)));
        let result = sweep.finish();
        assert_eq!((result.found, result.limits.as_str(), result.steps.len()), (None, "", 3));
    }

    #[test]
    fn limits_are_read() {
        let read = limits("p99=50ms, p99.9=1s,max=2s,loss=0,server-cpu=90%");
        assert_eq!(
            read.limits,
            [
                Limit::Percentile(Percentile::P99, 50_000_000),
                Limit::Percentile(Percentile::P99_9, 1_000_000_000),
                Limit::Longest(2_000_000_000),
                Limit::Loss,
                Limit::ServerCpu(0.9),
            ]
        );
        assert!(read.needs_server() && !limits("loss=0%").needs_server());
    }

    #[test]
    fn what_is_no_limit_is_told_why() {
        let told = |text: &str| Limits::parse(text).expect_err("no limits").to_string();
        assert!(told("").contains("is not NAME=VALUE"));
        assert!(told("p99").contains("is not NAME=VALUE"));
        assert!(told("p99=1s,").contains("is not NAME=VALUE"));
        assert!(told("p95=1s").contains("there are p50, p90"));
        assert!(told("p99=50").contains("such as 50ms"));
        assert!(told("p99=0s").contains("above 0"));
        assert!(told("loss=1%").contains("a run that loses anything is invalid"));
        for share in ["90", "x%", "-1%", "NaN%", "inf%", "0%"] {
            assert!(told(&format!("server-cpu={share}")).contains("such as 90%"), "{share}");
        }
        assert!(told("p99=1s,p99=2s").contains("given twice"));
    }

    #[test]
    fn a_run_is_held_against_its_limits() {
        let mut report = report("broadcast --clients 100");
        judge(&mut report);
        let step = limits("p50=10ms,p99.99=11ms,max=11ms,loss=0").step(5.0, &report);
        assert_eq!((step.load, step.kept, step.why.as_str()), (5.0, true, ""));
        let step = limits("p50=9900us,p99=10ms,max=9ms").step(5.0, &report);
        assert!(!step.kept);
        assert_eq!(step.why, "p50 is 10 ms, above 9.9 ms; max is 10 ms, above 9 ms");
        assert_eq!(step.percentiles_ns, report.latencies[0].percentiles_ns);
    }

    #[test]
    fn a_refused_percentile_is_broken() {
        let mut report = report("broadcast --clients 100");
        report.latencies = vec![latency(Measure::Delivery, 10_000_000, 99_999)];
        judge(&mut report);
        let step = limits("p99=1s,p99.9=1s").step(5.0, &report);
        assert_eq!(step.why, "too few samples for p99.9: measure longer");
        report.latencies.clear();
        assert_eq!(limits("max=1s").broken(&report), ["too few samples for max: measure longer"]);
    }

    #[test]
    fn a_servers_share_is_a_limit_where_it_is_watched() {
        let mut report = report("broadcast --clients 100");
        judge(&mut report);
        let limits = limits("server-cpu=90%");
        assert!(limits.step(5.0, &report).why.contains("--pid"));
        report.server = Some(ServerUse { core_share: 0.9, ..ServerUse::default() });
        report.generator.threads = vec![thread(0.25), thread(0.5)];
        let step = limits.step(5.0, &report);
        assert_eq!((step.kept, step.server_cpu, step.generator_cpu), (true, Some(0.9), 0.75));
        report.server = Some(ServerUse { core_share: 0.91, ..ServerUse::default() });
        assert_eq!(limits.step(5.0, &report).why, "server-cpu is 91 %, above 90 %");
    }

    #[test]
    fn an_invalid_step_is_broken_and_told_when_it_ends_the_search() {
        let mut report = report("broadcast --clients 100");
        report.traffic.missing = 7;
        judge(&mut report);
        let limits = limits("p99=1s");
        let mut search = Search::new(&limits, Varied::Rate, 10.0, None);
        search.handle(step(10.0, true));
        while let Some(load) = search.next() {
            search.handle(limits.step(load, &report));
        }
        let told = search.warning().expect("a warning");
        assert!(told.ends_with("not at a limit: deliveries are missing: 7 of 500000"), "{told}");
        assert!(!Step::of_sweep(1.0, &report).kept);
    }
}
