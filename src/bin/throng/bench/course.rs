//! A search or a sweep: one run after the other, each at another load.
//!
//! ```text
//! --until p99=50ms   5/s kept · 10/s kept · 20/s broken · 15/s kept ..   found 17.5/s
//! ```

use std::io;

use super::options::{Load, Varied};
use super::plan::{Plan, Scenario};
use super::report::{Report, Step};
use super::search::{Limits, Search};
use super::{descriptors, run_plan};

/// The runs that are to come.
#[derive(Debug)]
pub(crate) struct Course {
    search: Search,
    varied: Varied,
    /// `None` in a sweep, where nothing can break.
    limits: Option<Limits>,
}

impl Course {
    /// `None` where one run is all that was asked for.
    pub(crate) fn new(plan: &Plan, load: &Load, files: Option<u64>) -> io::Result<Option<Self>> {
        let traffic = &load.traffic;
        if !traffic.sweep.is_empty() {
            let search = Search::sweep(&traffic.sweep);
            return Ok(Some(Self { search, varied: Varied::Rate, limits: None }));
        }
        let Some(text) = &traffic.until else { return Ok(None) };
        let limits = Limits::parse(text).map_err(io::Error::other)?;
        if limits.needs_server() && load.target.pid.is_empty() {
            return Err(io::Error::other(
                "a limit of the server's processor time or memory needs --pid",
            ));
        }
        let (start, ceiling) = match traffic.vary {
            Varied::Rate => (rate_of(plan)?, None),
            Varied::Clients => {
                let most = descriptors::clients_max(files, plan);
                let shards = if plan.processes { plan.shards } else { 1 };
                (f64::from(plan.clients), Some(f64::from(most.saturating_mul(shards))))
            }
        };
        let search = Search::new(&limits, traffic.vary, start, ceiling);
        Ok(Some(Self { search, varied: traffic.vary, limits: Some(limits) }))
    }

    /// Runs all steps; the report is that of the best one, or of the last where none was kept.
    pub(crate) fn run(
        mut self,
        plan: &Plan,
        load: &Load,
        mut has_served: bool,
    ) -> io::Result<Report> {
        let (mut shown, mut failure) = (None, None);
        while let Some(next) = self.search.next() {
            let plan = plan.at(self.varied, next).map_err(io::Error::other);
            let report = match plan.and_then(|plan| run_plan(&plan, load, has_served)) {
                Ok(report) => report,
                // What was found until then took its time: a later step doesn't take it away.
                Err(error) if self.search.has_kept() => {
                    failure = Some(format!("the search ended at {next}, which failed: {error}"));
                    break;
                }
                Err(error) => return Err(error),
            };
            has_served = true;
            if report.interrupted() {
                shown = Some(report);
                break;
            }
            let step = match &self.limits {
                Some(limits) => limits.step(next, &report),
                None => Step::of_sweep(next, &report),
            };
            if !load.output.quiet {
                eprintln!("{}", line(self.varied, next, &step));
            }
            let is_best = self.search.handle(step);
            if is_best || shown.is_none() || !self.search.has_kept() {
                shown = Some(report);
            }
        }
        let mut report = shown.ok_or_else(|| io::Error::other("there was no step to run"))?;
        report.verdict.warnings.extend(failure.or_else(|| self.search.warning()));
        report.verdict.warnings.extend(self.search.invalid_steps());
        report.search = Some(self.search.finish());
        Ok(report)
    }
}

/// What varies must have a value to begin with.
fn rate_of(plan: &Plan) -> io::Result<f64> {
    let rate = match plan.scenario {
        Scenario::Connect => plan.connect_rate,
        _ => plan.rate,
    };
    rate.ok_or_else(|| {
        io::Error::other("a search for a rate begins at one: give --rate, or --connect-rate")
    })
}

fn line(varied: Varied, load: f64, step: &Step) -> String {
    let unit = match varied {
        Varied::Rate => "per second",
        Varied::Clients => "clients",
    };
    let outcome = if step.kept { "kept" } else { "broken" };
    let why = if step.why.is_empty() { String::new() } else { format!(": {}", step.why) };
    format!("{load:.1} {unit}: {outcome}{why}")
}
