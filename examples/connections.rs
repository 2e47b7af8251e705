//! Opens very many connections to a running server, holds them through heartbeats and closes them:
//! the clients' side of `scripts/connections`.
//!
//! One thread, one epoll, WebSocket only. Each client does what `socket.io-client` would: the
//! upgrade, `40`, a `3` for each `2`, and in the end a close frame. It shows that a server keeps
//! every one of them, and prints a figure a line.
//!
//! ```text
//! connections 127.0.0.1:3000 --clients 19000 --heartbeats 2 --server-pid 4711
//! > GET /socket.io/?EIO=4&transport=websocket     < 101, 0{"sid":..}     > 40     < 40{"sid":..}
//! ```

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use clap::Parser;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, Socket, Type};

/// Opens very many connections to a server and holds them.
#[derive(Parser)]
struct Options {
    /// Address of the server, on loopback: clients come from 127.0.0.2 and its neighbours.
    server: SocketAddr,
    /// How many clients connect.
    #[arg(long, default_value_t = 19_000)]
    clients: usize,
    /// How many pings each client waits for.
    #[arg(long, default_value_t = 2)]
    heartbeats: u32,
    /// How many handshakes are on their way at a time.
    #[arg(long, default_value_t = 256)]
    at_a_time: usize,
    /// How long a stage may go without progress before it counts as lost, in seconds.
    #[arg(long, default_value_t = 30)]
    patience: u64,
    /// The server's process, whose memory and processor time are told.
    #[arg(long)]
    server_pid: Option<u32>,
}

/// All clients.
struct Crowd {
    options: Options,
    poll: Poll,
    clients: Vec<Client>,
    buffer: Vec<u8>,
    /// Clients that are in.
    joined: usize,
    /// Clients that have had all their pings.
    pinged: usize,
    pings: usize,
    /// Clients whose connection ended before they closed it.
    lost: usize,
    /// Clients whose close frame was answered, and their connection ended.
    closed: usize,
}

struct Client {
    stream: TcpStream,
    stage: Stage,
    pings: u32,
    /// The beginning of something whose rest has not come.
    pending: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Connecting,
    Upgrading,
    Opening,
    Joined,
    /// Its close frame was sent.
    Closing,
    /// Its close frame was answered.
    Closed,
    /// The connection is no more.
    Ended,
}

fn main() -> io::Result<()> {
    let mut crowd = Crowd::new(Options::parse())?;
    let resident_before = crowd.server_resident_kib();

    let begun = Instant::now();
    crowd.run("joined", |crowd| crowd.joined)?;
    let opening = begun.elapsed();
    let resident = crowd.server_resident_kib();

    let (begun, ticks_before) = (Instant::now(), crowd.server_ticks());
    crowd.run("through their heartbeats", |crowd| crowd.pinged)?;
    let (holding, ticks) = (begun.elapsed(), crowd.server_ticks());

    let lost = crowd.options.clients - crowd.live();
    crowd.close_all()?;
    crowd.run("closed", |crowd| crowd.closed)?;

    let clients = crowd.options.clients;
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    figure("handshakes per second", number(clients) / opening.as_secs_f64());
    if let (Some(before), Some(after)) = (resident_before, resident) {
        figure("resident bytes per connection", (after - before) * 1_024.0 / number(clients));
        figure("resident MiB of the server", after / 1_024.0);
    }
    if let (Some(before), Some(after)) = (ticks_before, ticks) {
        let busy = (after - before) / TICKS_PER_SECOND;
        figure("percent of a core while idle", 100.0 * busy / holding.as_secs_f64());
    }
    figure("seconds held", holding.as_secs_f64());
    figure("pings answered", number(crowd.pings));
    figure("sessions lost", number(lost));
    figure("connections closed in good order", number(crowd.closed));
    if lost > 0 || crowd.closed < clients {
        return Err(io::Error::other("not every session was kept to its end"));
    }
    Ok(())
}

fn figure(name: &str, value: f64) {
    println!("{name}: {value:.1}");
}

impl Crowd {
    fn new(options: Options) -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            clients: Vec::with_capacity(options.clients),
            options,
            buffer: vec![0; 64 * 1_024],
            joined: 0,
            pinged: 0,
            pings: 0,
            lost: 0,
            closed: 0,
        })
    }

    /// Runs until a count has reached all clients that are left, and tells how far it is.
    fn run(&mut self, what: &str, count: impl Fn(&Self) -> usize) -> io::Result<()> {
        let mut events = Events::with_capacity(1_024);
        let patience = Duration::from_secs(self.options.patience);
        let (mut progress_at, mut last, mut told_at) = (Instant::now(), 0, Instant::now());
        loop {
            self.connect_some()?;
            let done = count(self);
            let is_done = done + self.lost >= self.options.clients;
            if is_done || told_at.elapsed() >= Duration::from_secs(1) {
                let (clients, pings) = (self.options.clients, self.pings);
                eprintln!("  {done} of {clients} {what}, {pings} pings answered");
                told_at = Instant::now();
            }
            if is_done {
                return Ok(());
            }
            let now = (done, self.pings, self.lost);
            if now != (last, self.pings, self.lost) {
                (last, progress_at) = (done, Instant::now());
            } else if progress_at.elapsed() > patience {
                eprintln!("  gave up: no progress for {patience:?}");
                return Ok(());
            }
            self.poll.poll(&mut events, Some(Duration::from_millis(100)))?;
            for event in &events {
                self.handle_ready(event.token().0);
            }
        }
    }

    fn live(&self) -> usize {
        self.clients.iter().filter(|client| client.stage == Stage::Joined).count()
    }

    fn connect_some(&mut self) -> io::Result<()> {
        while self.clients.len() < self.options.clients
            && self.clients.len() - self.joined - self.lost < self.options.at_a_time
        {
            let index = self.clients.len();
            let mut stream = connect(index, self.options.server)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(index), interest)?;
            let stage = Stage::Connecting;
            self.clients.push(Client { stream, stage, pings: 0, pending: Vec::new() });
        }
        Ok(())
    }

    fn handle_ready(&mut self, index: usize) {
        let stage = self.clients[index].stage;
        let handled = match stage {
            Stage::Connecting => self.upgrade(index),
            Stage::Ended => Ok(()),
            _ => self.read(index),
        };
        if handled.is_err() && self.clients[index].stage != Stage::Ended {
            let client = &mut self.clients[index];
            match client.stage {
                Stage::Closed => self.closed += 1,
                _ => self.lost += 1,
            }
            client.stage = Stage::Ended;
            // The server waits for our end too, before it frees its own.
            let _ = client.stream.shutdown(Shutdown::Both);
        }
    }

    fn upgrade(&mut self, index: usize) -> io::Result<()> {
        let client = &mut self.clients[index];
        if client.stream.peer_addr().is_err() {
            return client.stream.take_error()?.map_or(Ok(()), Err);
        }
        client.stage = Stage::Upgrading;
        client.stream.write_all(UPGRADE)
    }

    /// Reads to the end of what is there; an error is the end of the connection.
    fn read(&mut self, index: usize) -> io::Result<()> {
        loop {
            let client = &mut self.clients[index];
            match client.stream.read(&mut self.buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(bytes) => {
                    let mut input = std::mem::take(&mut client.pending);
                    input.extend_from_slice(&self.buffer[..bytes]);
                    let taken = self.handle_input(index, &input)?;
                    if taken < input.len() {
                        self.clients[index].pending = input.split_off(taken);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Handles whole frames, and the head of the answer before them; returns the bytes taken.
    fn handle_input(&mut self, index: usize, input: &[u8]) -> io::Result<usize> {
        let mut at = 0;
        if self.clients[index].stage == Stage::Upgrading {
            let Some(end) = input.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
                return Ok(0);
            };
            if !input.starts_with(b"HTTP/1.1 101 ") {
                return Err(io::Error::other("no upgrade"));
            }
            self.clients[index].stage = Stage::Opening;
            at = end + 4;
        }
        while let Some((first_byte, payload)) = next_frame(&input[at..]) {
            at += payload.end;
            let payload = &input[at - payload.len()..at];
            self.handle_frame(index, first_byte, payload)?;
        }
        Ok(at)
    }

    fn handle_frame(&mut self, index: usize, first_byte: u8, payload: &[u8]) -> io::Result<()> {
        let client = &mut self.clients[index];
        match (client.stage, first_byte, payload) {
            (Stage::Opening, 0x81, [b'0', ..]) => client.stream.write_all(CONNECT)?,
            (Stage::Opening, 0x81, [b'4', b'0', ..]) => {
                client.stage = Stage::Joined;
                self.joined += 1;
            }
            (Stage::Joined, 0x81, b"2") => {
                client.stream.write_all(PONG)?;
                client.pings += 1;
                self.pings += 1;
                self.pinged += usize::from(client.pings == self.options.heartbeats);
            }
            (Stage::Closing, 0x88, _) => client.stage = Stage::Closed,
            (Stage::Closing, _, _) => {}
            _ => return Err(io::Error::other("unexpected frame")),
        }
        Ok(())
    }

    fn close_all(&mut self) -> io::Result<()> {
        for client in self.clients.iter_mut().filter(|client| client.stage == Stage::Joined) {
            client.stage = Stage::Closing;
            client.stream.write_all(CLOSE)?;
        }
        Ok(())
    }

    /// The server's resident memory.
    fn server_resident_kib(&self) -> Option<f64> {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.options.server_pid?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    }

    /// The server's processor time, in its own name and in the kernel's.
    fn server_ticks(&self) -> Option<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.options.server_pid?)).ok()?;
        // The second field, a name in parentheses, may hold spaces; what follows is counted from 3.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut times = fields.split_whitespace().skip(11);
        let (user, system) = (times.next()?, times.next()?);
        Some(user.parse::<f64>().ok()? + system.parse::<f64>().ok()?)
    }
}

/// A connection on its way, from one of several source addresses: each has its own ports.
fn connect(index: usize, server: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    let last = u8::try_from(index % SOURCES).unwrap_or(0);
    let source = Ipv4Addr::new(127, 0, 0, 2 + last);
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&server.into()) {
        Err(error) if error.raw_os_error() != Some(EINPROGRESS) => return Err(error),
        _ => {}
    }
    Ok(TcpStream::from_std(socket.into()))
}

/// The first byte of the frame at the start of `input`, and where its payload lies; `None` while
/// it is incomplete.
fn next_frame(input: &[u8]) -> Option<(u8, std::ops::Range<usize>)> {
    let (first_byte, start, length) = match *input {
        [first_byte, length @ 0..=125, ..] => (first_byte, 2, usize::from(length)),
        [first_byte, 126, high, low, ..] => {
            (first_byte, 4, usize::from(u16::from_be_bytes([high, low])))
        }
        _ => return None,
    };
    (input.len() >= start + length).then_some((first_byte, start..start + length))
}

const UPGRADE: &[u8] = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n\
    Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// `40`, masked with zeroes.
const CONNECT: &[u8] = b"\x81\x82\x00\x00\x00\x0040";
/// `3`
const PONG: &[u8] = b"\x81\x81\x00\x00\x00\x003";
/// A close frame with code 1000.
const CLOSE: &[u8] = b"\x88\x82\x00\x00\x00\x00\x03\xe8";
/// How many addresses clients come from.
const SOURCES: usize = 8;
/// `USER_HZ` of Linux, on every architecture this runs on.
const TICKS_PER_SECOND: f64 = 100.0;
const EINPROGRESS: i32 = 115;
