//! `throng doctor`: what on this machine will spoil a measurement, and how to mend it.
//!
//! It changes nothing, connects to no server and needs no rights. Checks judge facts and are tried
//! on recorded ones; what can only be known by trying (stalls, timers, stamps) is tried.
//!
//! ```text
//! $ throng doctor --clients 10000
//! SPOILS  open files      1,024 soft, 4,096 hard; 10,064 needed by each process
//! ```

mod cgroup;
mod check;
mod connections;
mod facts;
mod files;
mod fingerprint;
mod intrinsic;
mod load;
mod machine;
mod options;
mod render;
mod syscalls;
mod text;
mod timestamps;

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use check::Check;
use facts::Facts;
use files::System;
use intrinsic::{Stalls, Wakes};
use load::Load;

pub(crate) use check::Verdict;
pub(crate) use fingerprint::Fingerprint;
pub(crate) use intrinsic::Intrinsic;
#[cfg(test)]
pub(crate) use intrinsic::Waits;
pub(crate) use options::Doctor;

/// Looks, measures and reports; answers the worst that was found.
pub(crate) fn run(options: &Doctor) -> io::Result<Verdict> {
    announce(options.duration);
    let report = Report::take(options)?;
    match options.json.as_deref() {
        Some(file) if file == Path::new("-") => {
            let mut out = io::stdout().lock();
            out.write_all(report.to_json()?.as_bytes())?;
        }
        file => {
            if let Some(file) = file {
                fs::write(file, report.to_json()?).map_err(|error| {
                    io::Error::new(error.kind(), format!("can't write {}: {error}", file.display()))
                })?;
            }
            render::write(&report, &mut anstream::stdout().lock())?;
        }
    }
    Ok(report.verdict())
}

/// Everything that was found, as `--json` writes it: the schema `throng-doctor/1`.
#[derive(Debug, Default, Serialize)]
struct Report {
    schema: &'static str,
    clients: u32,
    checks: Vec<Check>,
    load: Load,
    stalls: Stalls,
    wakes: Wakes,
    fingerprint: Fingerprint,
}

impl Report {
    fn take(options: &Doctor) -> io::Result<Self> {
        let facts = Facts::take(u64::from(options.clients), &System);
        // What it does itself comes behind what others do.
        let load = Load::measure(LOAD_SPAN)?;
        let stalls = Stalls::measure(options.duration, options.pin)?;
        let wakes = Wakes::measure(WAKES, options.pin)?;
        let mut checks = connections::all(&facts);
        checks.extend(machine::all(&facts));
        checks.extend(load.checks(&facts));
        checks.extend(stalls.checks());
        checks.extend(wakes.checks());
        checks.push(timestamps::check());
        checks.push(syscalls::check());
        let (clients, fingerprint) = (options.clients, facts.fingerprint);
        Ok(Self { schema: SCHEMA, clients, checks, load, stalls, wakes, fingerprint })
    }

    fn verdict(&self) -> Verdict {
        self.checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Good)
    }

    fn to_json(&self) -> io::Result<String> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }
}

/// Says that it takes a moment, to whoever sits there and waits.
fn announce(duration: Duration) {
    if io::stderr().is_terminal() {
        let duration = humantime::format_duration(duration);
        eprintln!("Measuring this machine for {duration} and a little more ...");
    }
}

const SCHEMA: &str = "throng-doctor/1";
/// Long enough for twenty ticks.
const LOAD_SPAN: Duration = Duration::from_millis(200);
const WAKES: u32 = 500;
