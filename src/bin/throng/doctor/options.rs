//! The command line of `throng doctor`.
//!
//! ```text
//! throng doctor --clients 10000 --duration 10s --pin 1
//! ```

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

/// What `throng doctor` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Doctor {
    /// How many clients a run is to have, server and generator on this machine.
    #[arg(long, short = 'c', default_value_t = 1_000)]
    pub(crate) clients: u32,
    /// How long to measure stalls; rare ones take long to be seen.
    #[arg(long, short = 'd', default_value = "2s", value_name = "TIME", value_parser = time)]
    pub(crate) duration: Duration,
    /// Processor to measure on; by default whichever the system chooses.
    #[arg(long, value_name = "CPU")]
    pub(crate) pin: Option<usize>,
    /// Write what was found as JSON, in the schema throng-doctor/1; - for standard output, and
    /// nothing else there then.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

fn time(text: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(text)
}

const EXIT_CODES: &str = "\
Exit code: 0 where nothing will spoil a run, 1 where something will, or where \
nothing could be said.";
