//! Small servers that do exactly what their files say, for tests on the wire to run against.
//!
//! ```text
//! cargo run --release --example scenarios -- --app socket-protocol --port 3000
//! Listening on http://127.0.0.1:3000
//! ```
//!
//! All of them listen on 127.0.0.1 only and end on SIGTERM or SIGINT with their connections closed.

mod api;
mod client_support;
mod cluster;
mod engine_client_support;
mod engine_protocol;
mod options;
mod smoke;
mod socket_protocol;
mod socket_protocol_msgpack;
mod v2_support;
mod ws_echo;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use throng::{Handle, Server};

use options::Options;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("scenarios: {error}\nusage: scenarios --app NAME [--port N]");
            eprintln!("apps: {}", APPS.map(|(name, _)| name).join(", "));
            return ExitCode::FAILURE;
        }
    };
    match serve(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scenarios: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(options: &Options) -> io::Result<()> {
    let Some((_, bind)) = APPS.into_iter().find(|(name, _)| *name == options.app) else {
        return Err(io::Error::other(format!("there is no app {:?}", options.app)));
    };
    let mut server = bind((Ipv4Addr::LOCALHOST, options.port).into())?;
    close_on_signals(server.handle())?;
    println!("Listening on http://{}", server.local_addresses()[0]);
    server.run()
}

/// A signal handler may do next to nothing; a thread that waits for signals may do anything.
fn close_on_signals(handle: Handle) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        for _ in signals.forever() {
            if handle.post(|io| io.close()).is_err() {
                return;
            }
        }
    });
    Ok(())
}

type Bind = fn(SocketAddr) -> io::Result<Server>;

const APPS: [(&str, Bind); 13] = [
    ("engine-protocol", engine_protocol::bind),
    ("engine-protocol-v3", engine_protocol::bind_v3),
    ("engine-client-support", engine_client_support::bind),
    ("socket-protocol", socket_protocol::bind),
    ("socket-protocol-msgpack", socket_protocol_msgpack::bind),
    ("client-support", client_support::bind),
    ("smoke", smoke::bind),
    ("smoke-recovery", smoke::bind_with_recovery),
    ("smoke-msgpack", smoke::bind_with_msgpack),
    ("v2-support", v2_support::bind),
    ("ws-echo", ws_echo::bind),
    ("api", api::bind),
    ("cluster", cluster::bind),
];
