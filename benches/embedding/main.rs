//! What the server costs a host that embeds it, over real sockets: a turn, the jitter of a loop at
//! 1 kHz while 10,000 clients are broadcast to, precise timers, and spinning.
//!
//!     cargo bench --bench embedding [-- [--quick] [--output DIRECTORY]]
//!
//! The host has one core, the clients another, in a process of their own. Without `--output` the
//! tables are printed and nothing is written. It takes some two minutes, `--quick` a few seconds,
//! which are enough for medians.

mod clients;
mod host;
mod report;

use std::io;
use std::path::PathBuf;

use host::Length;
use report::Report;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(role) = arguments.iter().position(|argument| argument == "clients") {
        return clients::run(&arguments[role + 1..]);
    }
    let output = arguments.iter().position(|argument| argument == "--output");
    let output = output.and_then(|at| arguments.get(at + 1)).map(PathBuf::from);
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let length = if quick { Length::QUICK } else { Length::FULL };
    host::pin(0);

    let report = Report {
        turns: host::measure_turns(&length)?,
        jitter: host::measure_jitter(&length)?,
        timers: host::measure_timers(&length)?,
        spins: host::measure_spins(&length)?,
    };
    println!("{}", report.to_markdown());
    match output {
        Some(directory) => report.write(&directory),
        None => Ok(()),
    }
}
