//! Workers on other hosts: how a conductor greets one, and what it must know of its clocks.
//!
//! Lines of JSON over TCP. Times that the conductor tells are of its own monotonic clock: how far
//! the worker's is from it is found by asking, and every command is shifted by it. The wall clocks
//! of two hosts have nothing to do with one another: what one has sent and another received is
//! counted, and no latency is made of it.
//!
//! ```text
//! > {"hello":{..}}  < {"welcome":{..}}   > "tick" < {"tock":81234500000000} ..   > {"part":{..}}
//! ```

use std::io::{self, BufRead, BufReader, Read};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use socket2::{SockRef, TcpKeepalive};

use super::clock::monotonic_ns;
use super::shard::{Command, Part, write_line};

/// From the conductor, before there are commands.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Greeting {
    Hello {
        program: String,
        token: Option<String>,
    },
    /// What time is it?
    Tick,
    /// What to do; commands follow.
    Part(Box<Part>),
}

/// From the worker, before there are events.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    Welcome {
        /// From its monotonic clock to its wall clock.
        wall_offset_ns: u64,
    },
    Refused(String),
    /// Its monotonic clock.
    Tock(u64),
}

/// A worker that has its part.
#[derive(Debug)]
pub(crate) struct Remote {
    stream: TcpStream,
    clocks: Clocks,
}

/// The clocks of another host.
#[derive(Clone, Copy, Debug)]
struct Clocks {
    /// From our monotonic clock to its.
    shift_ns: i64,
    /// From its monotonic clock to its wall clock.
    wall_offset_ns: u64,
}

impl Remote {
    /// Greets the worker at an address and gives it its part; events are read from the second.
    pub(crate) fn start(
        address: &str,
        token: Option<&str>,
        part: &Part,
    ) -> io::Result<(Self, impl BufRead + Send + use<>)> {
        let failed = |error: io::Error| {
            io::Error::new(error.kind(), format!("the worker at {address}: {error}"))
        };
        let stream = connect(address).map_err(failed)?;
        let input = stream.try_clone().map_err(failed)?;
        let mut lines = BufReader::new(input);
        let clocks = greet(&stream, &mut lines, token).map_err(failed)?;
        write_line(&mut &stream, &Greeting::Part(Box::new(part.clone()))).map_err(failed)?;
        Ok((Self { stream, clocks }, lines))
    }

    pub(crate) fn send(&self, command: &Command) -> io::Result<()> {
        write_line(&mut &self.stream, &self.clocks.shifted(command))
    }

    /// No command will follow.
    pub(crate) fn end(&self) {
        // One that has ended already is no matter.
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }
}

impl Clocks {
    /// A command with its times as the worker's clocks have them.
    fn shifted(&self, command: &Command) -> Command {
        let shift = |moment_ns: u64| moment_ns.saturating_add_signed(self.shift_ns);
        match command {
            Command::Connect { epoch_ns, .. } => {
                Command::Connect { epoch_ns: shift(*epoch_ns), wall_offset_ns: self.wall_offset_ns }
            }
            Command::Run { begin_ns, measure_ns, end_ns, members } => Command::Run {
                begin_ns: shift(*begin_ns),
                measure_ns: shift(*measure_ns),
                end_ns: shift(*end_ns),
                members: members.clone(),
            },
            Command::Probe | Command::Finish => command.clone(),
        }
    }
}

/// What both ends of a worker's connection need: no delay, and an end to a peer that is gone.
pub(crate) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(SILENCE_MAX).with_interval(KEEPALIVE_INTERVAL);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// One message; an end of the connection is an error here.
pub(crate) fn read_message<T: for<'a> Deserialize<'a>>(lines: &mut impl BufRead) -> io::Result<T> {
    let mut line = Vec::new();
    lines.take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection"));
    }
    Ok(serde_json::from_slice(&line)?)
}

/// Who speaks: both ends are of one version, as the messages have none of their own.
pub(crate) fn program() -> String {
    concat!("throng ", env!("CARGO_PKG_VERSION")).to_owned()
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::other("it has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIME_MAX) {
            Ok(stream) => {
                prepare(&stream)?;
                // It tells its counts many times a second.
                stream.set_read_timeout(Some(SILENCE_MAX))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn greet(stream: &TcpStream, lines: &mut impl BufRead, token: Option<&str>) -> io::Result<Clocks> {
    let hello = Greeting::Hello { program: program(), token: token.map(str::to_owned) };
    write_line(&mut &*stream, &hello)?;
    let wall_offset_ns = match read_message(lines)? {
        Answer::Welcome { wall_offset_ns } => wall_offset_ns,
        Answer::Refused(why) => return Err(io::Error::other(why)),
        Answer::Tock(_) => return Err(io::Error::other("it answered what nobody asked")),
    };
    // Of the shortest exchange the middle is known best.
    let mut shortest = (u64::MAX, 0);
    for _ in 0..TICKS {
        let asked_ns = monotonic_ns();
        write_line(&mut &*stream, &Greeting::Tick)?;
        let Answer::Tock(theirs_ns) = read_message(lines)? else {
            return Err(io::Error::other("it doesn't tell its time"));
        };
        let width_ns = monotonic_ns().saturating_sub(asked_ns);
        if width_ns < shortest.0 {
            shortest = (width_ns, distance(asked_ns + width_ns / 2, theirs_ns));
        }
    }
    Ok(Clocks { shift_ns: shortest.1, wall_offset_ns })
}

fn distance(ours_ns: u64, theirs_ns: u64) -> i64 {
    let size = i64::try_from(theirs_ns.abs_diff(ours_ns)).unwrap_or(i64::MAX);
    if theirs_ns < ours_ns { -size } else { size }
}

const TICKS: u32 = 16;
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
const SILENCE_MAX: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
/// Of a greeting; a part with all its plan has some thousand.
const LINE_BYTES_MAX: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_workers_own_clocks() {
        let clocks = Clocks { shift_ns: distance(1_000, 400), wall_offset_ns: 77 };
        let shifted = clocks.shifted(&Command::Connect { epoch_ns: 5_000, wall_offset_ns: 1 });
        let Command::Connect { epoch_ns, wall_offset_ns } = shifted else { panic!() };
        assert_eq!((epoch_ns, wall_offset_ns), (4_400, 77));
        let clocks = Clocks { shift_ns: distance(400, 1_000), wall_offset_ns: 77 };
        let run = Command::Run { begin_ns: 1, measure_ns: 2, end_ns: 3, members: vec![4] };
        let Command::Run { begin_ns, measure_ns, end_ns, members } = clocks.shifted(&run) else {
            panic!()
        };
        assert_eq!((begin_ns, measure_ns, end_ns, members), (601, 602, 603, vec![4]));
    }
}
