//! `throng serve`: binds, says what holds, and serves until it is told to end.

use std::io::{self, Write};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use throng::config::Config;
use throng::{ClientFiles, Handle, Server};

use crate::options::Serve;
use crate::{application, open_files};

/// Serves until a signal, then ends gracefully.
pub(crate) fn run(options: &Serve) -> io::Result<()> {
    let files = open_files::raise();
    let config = options.config();
    let address = options.address();
    let mut server = Server::builder().config(config.clone()).bind(address).map_err(|error| {
        let (host, port) = address;
        io::Error::new(error.kind(), format!("can't listen on {host}:{port}: {error}"))
    })?;
    if let Some(folder) = &options.client_files {
        let files = ClientFiles::open(folder).map_err(|error| {
            let folder = folder.display();
            io::Error::new(
                error.kind(),
                format!("can't serve the client's files: {folder}: {error}"),
            )
        })?;
        server.serve_client(Some(files));
    }
    application::declare(&server, options.log);
    close_on_signals(server.handle())?;
    // A closed standard output is no reason not to serve.
    let _ = write_banner(&server, &config, address.0, files);
    server.run()
}

/// The first signal asks the server to close, the second ends the process.
fn close_on_signals(handle: Handle) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut asked = false;
        for signal in signals.forever() {
            if asked || handle.close().is_err() {
                std::process::exit(128 + signal);
            }
            asked = true;
        }
    })?;
    Ok(())
}

fn write_banner(
    server: &Server,
    config: &Config,
    host: &str,
    files: Option<u64>,
) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let port = server.local_addresses().first().map_or(0, std::net::SocketAddr::port);
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let (engine, outgoing) = (&config.engine, &config.outgoing);
    let files = files.map_or_else(|| "no limit".to_owned(), |files| files.to_string());
    writeln!(out, "throng {}", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "Listening on http://{host}:{port}")?;
    writeln!(
        out,
        "  heartbeat    ping every {}, pong within {}",
        humantime::format_duration(engine.ping_interval),
        humantime::format_duration(engine.ping_timeout),
    )?;
    writeln!(out, "  messages     up to {}", Bytes(engine.payload_bytes_max))?;
    writeln!(
        out,
        "  slow peers   closed over {}, over {} for {}, or stalled for {}",
        Bytes(outgoing.hard_bytes_max),
        Bytes(outgoing.soft_bytes_max),
        humantime::format_duration(outgoing.soft_time_max),
        humantime::format_duration(outgoing.stall_time_max),
    )?;
    writeln!(out, "  open files   {files}, which allows {} connections", server.connections_max())?;
    out.flush()
}

/// Bytes as people read them.
struct Bytes(usize);

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            bytes if bytes >= MEBIBYTE && bytes.is_multiple_of(MEBIBYTE) => {
                write!(f, "{} MiB", bytes / MEBIBYTE)
            }
            bytes if bytes >= KIBIBYTE && bytes.is_multiple_of(KIBIBYTE) => {
                write!(f, "{} KiB", bytes / KIBIBYTE)
            }
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

const KIBIBYTE: usize = 1_024;
const MEBIBYTE: usize = 1_024 * KIBIBYTE;
