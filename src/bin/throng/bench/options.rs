//! The command line of `throng bench`.
//!
//! ```text
//! throng bench broadcast http://127.0.0.1:3000 --clients 1000 --rate 5 --duration 30s --pid 4711
//! ```

#![expect(clippy::struct_field_names, reason = "a field is named as its flag")]

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::transports::Transports;

/// What `throng bench` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Open connections: the ceiling of their rate, or the time each takes at a given rate.
    Connect(Load),
    /// Hold connections through their heartbeats: memory and processor time per connection.
    Idle(Load),
    /// Send to everybody on schedule: latency of each delivery, and of the last of each broadcast.
    Broadcast(Broadcast),
    /// Send an event and wait for its echo: round trips.
    Echo(Load),
    /// Send an event and wait for its acknowledgement: round trips.
    Ack(Load),
    /// Send to rooms of various sizes: latency of each delivery.
    Rooms(Rooms),
    /// Acknowledgements of a few clients while everybody is broadcast to: what they feel of it.
    Mixed(Mixed),
    /// Broadcasts while some clients read slowly or not at all: what the others feel of it.
    Slow(Slow),
    /// Broadcasts while clients come and go.
    Churn(Churn),
    /// All connections drop and come back at once: how long until everybody is back.
    Storm(Storm),
    /// Write results of earlier runs into one page or table.
    Report(Render),
    /// Compare two results; the exit code tells whether the second is worse.
    Compare(Compare),
    /// Lend this host to runs with --hosts: serve as a worker until ended.
    Worker(Worker),
}

/// What every scenario takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Load {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) clients: Clients,
    #[command(flatten)]
    pub(crate) traffic: Traffic,
    #[command(flatten)]
    pub(crate) process: Process,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Target")]
pub(crate) struct Target {
    /// The server.
    #[arg(default_value = "http://localhost:3000")]
    pub(crate) url: String,
    /// Further servers, taken in turn by threads or workers; where nobody is broadcast to.
    #[arg(value_name = "MORE")]
    pub(crate) more: Vec<String>,
    /// Path that clients ask for; by default Engine.IO's, which is /socket.io/, and / for a bare
    /// WebSocket.
    #[arg(long)]
    pub(crate) path: Option<String>,
    /// Namespace to join.
    #[arg(long, default_value = "/")]
    pub(crate) namespace: String,
    /// How clients speak: websocket, polling (and nothing else) or upgrade (polling, then
    /// WebSocket, as browsers do); or a mix by parts, such as websocket=80,polling=10,upgrade=10,
    /// which tells the latencies of each too.
    #[arg(long, default_value = "websocket", value_name = "TRANSPORT")]
    pub(crate) transport: Transports,
    /// What stands on the connection.
    #[arg(long, value_enum, default_value_t = Protocol::SocketIo)]
    pub(crate) protocol: Protocol,
    /// Process of the server, to watch its processor time and memory; may be given several times.
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Vec<u32>,
    /// When to count the system calls of these processes; it takes them some 0.2 µs for each, which
    /// belongs into no figure of their processor time.
    #[arg(long, value_enum, default_value_t = Counted::Warmup, value_name = "WHEN")]
    pub(crate) syscalls: Counted,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Clients")]
pub(crate) struct Clients {
    /// How many clients connect.
    #[arg(long, short = 'c', default_value_t = 1_000)]
    pub(crate) clients: u32,
    /// Connections opened per second; by default as fast as the server takes them.
    #[arg(long, value_name = "PER SECOND")]
    pub(crate) connect_rate: Option<f64>,
    /// How connections are spread over time at a rate; by default as sends are.
    #[arg(long, value_enum, requires = "connect_rate")]
    pub(crate) connect_arrivals: Option<Arrivals>,
    /// Most connections on their way at a time, in each thread or worker; with a rate, those that
    /// are due wait, and their latency runs from when they were due.
    #[arg(long, default_value_t = 256, value_name = "COUNT")]
    pub(crate) at_once: u32,
    /// How long a connection may take.
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = time)]
    pub(crate) connect_timeout: Duration,
    /// Addresses that clients connect from, such as 127.0.0.0/16; by default the system decides,
    /// and on loopback 127.0.0.2 and its neighbours.
    #[arg(long, value_name = "NETWORK")]
    pub(crate) source: Option<String>,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Traffic")]
pub(crate) struct Traffic {
    /// Sends per second, over all senders; by default 5 broadcasts or 1,000 questions.
    #[arg(long, short = 'r', value_name = "PER SECOND")]
    pub(crate) rate: Option<f64>,
    /// How sends are spread over time.
    #[arg(long, value_enum, default_value_t = Arrivals::Fixed)]
    pub(crate) arrivals: Arrivals,
    /// Closed loop: the next send waits for the answers to the one before. Finds a peak; its
    /// latencies hide what users would wait.
    #[arg(long, conflicts_with = "rate")]
    pub(crate) closed: bool,
    /// Sends on their way at a time, per sender, in a closed loop.
    #[arg(long, default_value_t = 1, value_name = "COUNT", requires = "closed")]
    pub(crate) in_flight: u32,
    /// Bytes of payload in each event.
    #[arg(long, default_value_t = 64, value_name = "BYTES")]
    pub(crate) payload: usize,
    /// Send the payload as a binary attachment.
    #[arg(long)]
    pub(crate) binary: bool,
    /// The server sends to everybody but the sender: no sender waits for its own broadcast.
    #[arg(long)]
    pub(crate) publisher_excluded: bool,
    /// Name of the event, where the server has another.
    #[arg(long, value_name = "NAME")]
    pub(crate) event: Option<String>,
    /// Traffic before the measurement, left out of the latencies.
    #[arg(long, default_value = "2s", value_name = "TIME", value_parser = time)]
    pub(crate) warmup: Duration,
    /// How long to measure.
    #[arg(long, short = 'd', default_value = "10s", value_name = "TIME", value_parser = time)]
    pub(crate) duration: Duration,
    /// How long to wait for what is missing after the last send.
    #[arg(long, default_value = "5s", value_name = "TIME", value_parser = time)]
    pub(crate) drain: Duration,
    /// Seed of everything that chance decides.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Find the greatest load that keeps these limits, such as p99=50ms,loss=0.
    #[arg(long, value_name = "LIMITS")]
    pub(crate) until: Option<String>,
    /// Run at each of these rates, such as 5,10,20,40: latency against load.
    #[arg(long, value_name = "RATES", value_delimiter = ',', conflicts_with = "until")]
    pub(crate) sweep: Vec<f64>,
    /// What --until varies.
    #[arg(long, value_enum, default_value_t = Varied::Rate, requires = "until")]
    pub(crate) vary: Varied,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Generator")]
pub(crate) struct Process {
    /// Threads that share the clients.
    #[arg(long, default_value_t = 1)]
    pub(crate) threads: u32,
    /// Processes that share the clients, each with its own descriptors.
    #[arg(long, default_value_t = 0, conflicts_with = "threads")]
    pub(crate) workers: u32,
    /// Workers on other hosts that share the clients, such as a:7000,b:7000: each is a
    /// `throng bench worker --listen`; one that is named twice takes two parts.
    #[arg(
        long,
        value_name = "HOST:PORT",
        value_delimiter = ',',
        conflicts_with_all = ["threads", "workers", "pin"]
    )]
    pub(crate) hosts: Vec<String>,
    /// What the workers on other hosts ask for; it goes over the network as it is.
    #[arg(long, env = "THRONG_BENCH_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Processor that the generator is bound to.
    #[arg(long, value_name = "CPU")]
    pub(crate) pin: Option<usize>,
    /// Who stamps a receipt.
    #[arg(long, value_enum, default_value_t = Stamps::Kernel)]
    pub(crate) stamps: Stamps,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// Write the result, in the schema throng-bench/1; - for standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the result flat, name=value a line, without histograms and lists of moments.
    #[arg(long, value_name = "FILE")]
    pub(crate) key_values: Option<PathBuf>,
    /// Write an HDR log.
    #[arg(long, value_name = "FILE")]
    pub(crate) hdr: Option<PathBuf>,
    /// Write a page with charts.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// What is measured, in a word, for tables of several results.
    #[arg(long, value_name = "NAME")]
    pub(crate) label: Option<String>,
    /// Run so many times, one after the other: a result of each, as before-1.json of before.json,
    /// and the median of each figure, with the lowest and the greatest round.
    #[arg(
        long,
        default_value_t = 1,
        value_name = "COUNT",
        value_parser = clap::value_parser!(u32).range(1..=ROUNDS_MAX)
    )]
    pub(crate) rounds: u32,
    /// No progress and no table.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// `throng bench broadcast`
#[derive(Clone, Debug, Args)]
pub(crate) struct Broadcast {
    #[command(flatten)]
    pub(crate) load: Load,
    /// Clients that send; they receive too.
    #[arg(long, default_value_t = 1)]
    pub(crate) publishers: u32,
}

/// `throng bench rooms`
#[derive(Clone, Debug, Args)]
pub(crate) struct Rooms {
    #[command(flatten)]
    pub(crate) load: Load,
    /// How many rooms there are; each client is in one.
    #[arg(long, default_value_t = 10)]
    pub(crate) rooms: u32,
    /// How clients are spread over them.
    #[arg(long, value_enum, default_value_t = RoomSizes::Zipf)]
    pub(crate) sizes: RoomSizes,
}

/// `throng bench mixed`
#[derive(Clone, Debug, Args)]
pub(crate) struct Mixed {
    #[command(flatten)]
    pub(crate) load: Load,
    /// Clients that ask for acknowledgements, in a thread of their own. Where --pin has it share a
    /// processor with the crowd, it goes first, as root or with `CAP_SYS_NICE`.
    #[arg(long, default_value_t = 20)]
    pub(crate) askers: u32,
    /// Questions per second, over all askers.
    #[arg(long, default_value_t = 200.0, value_name = "PER SECOND")]
    pub(crate) ask_rate: f64,
}

/// `throng bench slow`
#[derive(Clone, Debug, Args)]
pub(crate) struct Slow {
    #[command(flatten)]
    pub(crate) load: Load,
    /// Share of clients that read slowly.
    #[arg(long, default_value_t = 0.1)]
    pub(crate) share: f64,
    /// Bytes per second that each of them reads; 0 is nothing at all.
    #[arg(long, default_value_t = 0, value_name = "PER SECOND")]
    pub(crate) read_rate: u64,
}

/// `throng bench churn`
#[derive(Clone, Debug, Args)]
pub(crate) struct Churn {
    #[command(flatten)]
    pub(crate) load: Load,
    /// Clients that go and come back per second.
    #[arg(long, default_value_t = 100.0, value_name = "PER SECOND")]
    pub(crate) churn_rate: f64,
    /// Share of clients that come and go; the others stay.
    #[arg(long, default_value_t = 0.5)]
    pub(crate) share: f64,
}

/// `throng bench storm`
#[derive(Clone, Debug, Args)]
pub(crate) struct Storm {
    #[command(flatten)]
    pub(crate) load: Load,
}

/// `throng bench worker`
#[derive(Clone, Debug, Args)]
pub(crate) struct Worker {
    /// Where conductors reach it; a port alone is on loopback. Whoever reaches it can make this
    /// host put load on any other, so elsewhere than on loopback it needs --token. Without it,
    /// lines of JSON come and go over the standard streams, as --workers has it.
    #[arg(long, value_name = "[ADDRESS:]PORT")]
    pub(crate) listen: Option<String>,
    /// What a conductor must know; it goes over the network as it is.
    #[arg(long, env = "THRONG_BENCH_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
}

/// `throng bench report`
#[derive(Clone, Debug, Args)]
pub(crate) struct Render {
    /// Results written with --json; those of one label are rounds of one thing.
    #[arg(required = true)]
    pub(crate) results: Vec<PathBuf>,
    /// Write a page with charts.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write the charts as SVG files into this folder.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) charts: Option<PathBuf>,
    /// Print a table in Markdown: medians over the rounds, lowest and greatest.
    #[arg(long)]
    pub(crate) markdown: bool,
    /// Label whose medians the others are divided by.
    #[arg(long, value_name = "LABEL")]
    pub(crate) baseline: Option<String>,
}

/// `throng bench compare`
#[derive(Clone, Debug, Args)]
pub(crate) struct Compare {
    /// The result that holds so far.
    pub(crate) before: PathBuf,
    /// The result to judge.
    pub(crate) after: PathBuf,
    /// What may get worse by how much, such as p99=10%,server-cpu=5%,throughput=5%; by default
    /// p50=10%,p99=10%,server-cpu=10%,throughput=5%, of which only what both results tell.
    #[arg(long, value_name = "THRESHOLDS")]
    pub(crate) threshold: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// Engine.IO 4, as clients of Socket.IO 3 and 4 speak it.
    SocketIo,
    /// Engine.IO 3, as clients of Socket.IO 2 speak it: they ping, and a newer server has to allow
    /// it.
    SocketIoV2,
    /// WebSocket alone, for servers that echo or pass on each message: a client is connected when
    /// its handshake is answered, and a message is the payload.
    Websocket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Arrivals {
    /// In equal distances.
    Fixed,
    /// At random, independent of one another, as users do.
    Poisson,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoomSizes {
    /// All of one size.
    Equal,
    /// The largest first, each next one smaller by its rank.
    Zipf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stamps {
    /// The kernel, when the bytes arrived: the generator's own delay is not in the latencies.
    Kernel,
    /// The generator, when it read them.
    User,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Counted {
    /// While the traffic warms up: the measured part is left alone.
    Warmup,
    /// From the first connection to the end of the measured part.
    Run,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Varied {
    Rate,
    Clients,
}

/// All results are kept until the end, each with its histograms.
const ROUNDS_MAX: i64 = 100;

fn time(text: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(text)
}
