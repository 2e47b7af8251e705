//! `throng bench`: the load generator.
//!
//! From the command line comes a plan; the conductor gives each shard its part of the clients,
//! leads all of them through the phases, and makes one report of what they tell.
//!
//! ```text
//! options -> Plan -> Conductor <-> shards (threads or processes: Crowd) -> Report -> outputs
//! ```

mod assemble;
mod by_measure;
mod checks;
mod client;
mod client_latencies;
mod clock;
mod compare;
mod conductor;
mod course;
mod crowd;
pub(crate) mod descriptors;
pub(crate) mod fairness;
mod hosts;
pub(crate) mod latency;
mod ledger;
pub(crate) mod options;
pub(crate) mod payload;
pub(crate) mod percentile;
pub(crate) mod plan;
mod precedence;
mod progress;
mod render;
pub(crate) mod report;
pub(crate) mod rooms;
pub(crate) mod schedule;
mod score;
pub(crate) mod search;
mod shard;
mod shards;
pub(crate) mod source;
pub(crate) mod target;
pub(crate) mod transports;
pub(crate) mod verdict;
pub(crate) mod watch;
mod watcher;
mod worker;

use std::io::{self, Write};
use std::process::ExitCode;

use conductor::{Conductor, Watched};
use course::Course;
use options::{Bench, Load};
use plan::Plan;
use report::Report;
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::doctor::Intrinsic;
use crate::open_files;

/// Runs what was asked for.
pub(crate) fn run(bench: &Bench) -> io::Result<ExitCode> {
    match bench {
        Bench::Worker(options) => worker::run(options).map(|()| ExitCode::SUCCESS),
        Bench::Report(options) => render::run_report(options),
        Bench::Compare(options) => compare::run_compare(options),
        _ => run_load(bench),
    }
}

fn run_load(bench: &Bench) -> io::Result<ExitCode> {
    let (plan, load) = Plan::from_options(bench).map_err(io::Error::other)?;
    let files = open_files::raise();
    descriptors::check(&plan, files).map_err(io::Error::other)?;
    pin(&plan)?;
    let mut reports = Vec::new();
    for round in 1..=load.output.rounds {
        let report = run_round(&plan, load, files, round > 1)?;
        render::write_result(&report, &load.output, round)?;
        if !load.output.quiet && load.output.rounds > 1 {
            eprintln!("{}", render::round_line(&report, round, load.output.rounds));
        }
        let is_interrupted = report.interrupted();
        reports.push(report);
        if is_interrupted {
            break;
        }
    }
    render::write_page(&reports, &load.output)?;
    if !load.output.quiet {
        let table = match reports.as_slice() {
            [report] => render::table(report),
            reports => render::summary(reports),
        };
        // A closed standard output is no reason to fail.
        let _ = write!(output_of(&load.output), "{table}");
    }
    Ok(if reports.iter().all(Report::is_sound) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A run, or a search with all its steps, from a look at the machine to the verdict.
fn run_round(plan: &Plan, load: &Load, files: Option<u64>, has_served: bool) -> io::Result<Report> {
    // Without it the run stands as well: what keeps it from being taken shows in the run too.
    let is_here = plan.hosts.is_empty();
    let intrinsic = if is_here { Intrinsic::take(plan.pin).ok() } else { None };
    let mut report = match Course::new(plan, load, files)? {
        Some(course) => course.run(plan, load, has_served)?,
        None => run_plan(plan, load, has_served)?,
    };
    report.intrinsic = intrinsic;
    // How the machine's own stalls compare with what was measured is known only here.
    verdict::judge(&mut report);
    report.label = load.output.label.clone().unwrap_or_else(|| plan.target.clone());
    Ok(report)
}

/// One run from the first connection to the verdict. A server that has served an earlier run of
/// this command has memory left from it.
fn run_plan(plan: &Plan, load: &Load, has_served: bool) -> io::Result<Report> {
    let token = load.process.token.as_deref();
    let watched = Watched { pids: &load.target.pid, syscalls: load.target.syscalls };
    let conductor = Conductor::start(plan, watched, token, load.output.quiet)?;
    let mut report = conductor.run()?;
    if has_served {
        report.leave_out_memory();
    }
    verdict::judge(&mut report);
    Ok(report)
}

/// Binds the generator to one processor; threads and workers inherit it.
fn pin(plan: &Plan) -> io::Result<()> {
    let Some(processor) = plan.pin else { return Ok(()) };
    let refused = |why: &dyn std::fmt::Display| {
        io::Error::other(format!("can't bind the generator to processor {processor}: {why}"))
    };
    if processor >= CpuSet::MAX_CPU {
        return Err(refused(&"there is no such processor"));
    }
    let mut set = CpuSet::new();
    set.set(processor);
    sched_setaffinity(None, &set).map_err(|error| refused(&error))
}

/// The table goes where the result doesn't.
fn output_of(output: &options::Output) -> Box<dyn Write> {
    let files = [&output.json, &output.key_values, &output.hdr, &output.html];
    if files.into_iter().flatten().any(|path| path.as_os_str() == "-") {
        Box::new(io::stderr())
    } else {
        Box::new(io::stdout())
    }
}
