//! The floor: the least that a server could do, for throng to be measured against.
//!
//! It is a program of its own, to be driven by the load generator that drives the others. It
//! measures nothing itself, and it is no server for anything else: see `server.rs` for what it
//! leaves out.
//!
//! ```text
//! cargo run --release --manifest-path benches/floor/Cargo.toml -- serve --port 3001
//! Listening on http://127.0.0.1:3001
//! ```

mod server;
mod wire;

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use server::{Floor, Sending};

#[derive(Parser)]
#[command(name = "floor", about = "The least a server could do, to measure others against")]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until stopped.
    Serve(Serve),
}

#[derive(clap::Args)]
struct Serve {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// How a broadcast leaves.
    #[arg(long, value_enum, default_value_t = Mode::Bare)]
    mode: Mode,
    /// Bare only: look at epoll after so many sends of a broadcast; 0 never does.
    #[arg(long, value_name = "SENDS", default_value_t = 0)]
    look_every: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// At once, one send per recipient.
    Bare,
    /// At the end of the turn, one send for all that the turn brought a recipient.
    Joined,
}

fn main() -> ExitCode {
    let Command::Serve(options) = Options::parse().command;
    match serve(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("The floor ended: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(options: &Serve) -> io::Result<()> {
    let sending = match (options.mode, options.look_every) {
        (Mode::Bare, 0) => Sending::Bare,
        (Mode::Bare, sends) => Sending::Looking(sends),
        (Mode::Joined, 0) => Sending::Joined,
        (Mode::Joined, _) => return Err(io::Error::other("--look-every needs --mode bare")),
    };
    raise_open_files();
    let mut floor = Floor::bind(SocketAddr::new(options.host, options.port), sending)?;
    let mut out = io::stdout().lock();
    writeln!(out, "Listening on http://{}", floor.local_address()?)?;
    out.flush()?;
    drop(out);
    floor.run()
}

/// Where the limit can't be raised, accepting ends the floor when it is met.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
