//! The `throng` program: `throng serve`, which is also what it does when asked for nothing.

#![warn(clippy::unwrap_used, clippy::expect_used)]

mod application;
mod bench;
mod doctor;
mod open_files;
mod options;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use options::{Command, Options};

fn main() -> ExitCode {
    let options = Options::parse();
    let result = match options.command.unwrap_or(Command::Serve(Box::new(options.serve))) {
        Command::Serve(serve) => serve::run(&serve).map(|()| ExitCode::SUCCESS),
        Command::Bench(bench) => bench::run(&bench),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("throng: {error}");
            ExitCode::FAILURE
        }
    }
}
