//! The `throng` program: `throng serve`, which is also what it does when asked for nothing, and
//! `throng doctor`.

#![warn(clippy::unwrap_used, clippy::expect_used)]

mod application;
mod bench;
mod doctor;
mod open_files;
mod options;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use doctor::Verdict;
use options::{Command, Options};

fn main() -> ExitCode {
    let options = Options::parse();
    let result = match options.command.unwrap_or(Command::Serve(Box::new(options.serve))) {
        Command::Serve(serve) => serve::run(&serve).map(|()| ExitCode::SUCCESS),
        Command::Bench(bench) => bench::run(&bench),
        Command::Doctor(options) => doctor::run(&options).map(|verdict| match verdict {
            Verdict::Good | Verdict::WorthKnowing => ExitCode::SUCCESS,
            Verdict::WillSpoil => ExitCode::FAILURE,
        }),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("throng: {error}");
            ExitCode::FAILURE
        }
    }
}
