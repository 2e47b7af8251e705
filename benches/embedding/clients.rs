//! The clients, in a process and on a core of their own: many that read and throw away, or one that
//! asks and looks at the clock.

use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

/// A process of clients; it ends with this.
pub(crate) struct Clients {
    child: Child,
    /// What an asker measures, in nanoseconds.
    round_trips: Option<JoinHandle<Vec<u64>>>,
}

impl Clients {
    /// So many clients join `/`; the host must poll meanwhile.
    pub(crate) fn many(address: SocketAddr, clients: usize) -> io::Result<Self> {
        Self::start(&["many", &address.to_string(), &clients.to_string()])
    }

    /// One client that asks so often, once in a period.
    pub(crate) fn asker(
        address: SocketAddr,
        questions: usize,
        period: Duration,
    ) -> io::Result<Self> {
        let period = period.as_nanos().to_string();
        Self::start(&["asker", &address.to_string(), &questions.to_string(), &period])
    }

    fn start(arguments: &[&str]) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("clients")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let round_trips = child.stdout.take().map(|output| {
            thread::spawn(move || {
                let lines = io::BufReader::new(output).lines().map_while(Result::ok);
                lines.filter_map(|line| line.parse().ok()).collect()
            })
        });
        Ok(Self { child, round_trips })
    }

    /// Whether it has asked all it was to ask.
    pub(crate) fn has_ended(&self) -> bool {
        self.round_trips.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// What an asker that has ended measured, in nanoseconds.
    pub(crate) fn round_trips(&mut self) -> Vec<u64> {
        let ended = self.round_trips.take().map(JoinHandle::join);
        ended.and_then(Result::ok).unwrap_or_default()
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the process does that [`Clients`] starts.
pub(crate) fn run(arguments: &[String]) -> io::Result<()> {
    super::host::pin(1);
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse::<u64>().ok());
    let role = arguments.first().map(String::as_str);
    let address = arguments.get(1).and_then(|address| address.parse().ok());
    match (role, address, number(2), number(3)) {
        (Some("many"), Some(address), Some(clients), _) => read_all(address, clients),
        (Some("asker"), Some(address), Some(questions), Some(period)) => {
            ask(address, questions, Duration::from_nanos(period))
        }
        _ => Err(ErrorKind::InvalidInput.into()),
    }
}

fn read_all(address: SocketAddr, clients: u64) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut streams = Vec::new();
    for index in 0..clients {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(UPGRADE.as_bytes())?;
        stream.write_all(&text_frame("40"))?;
        stream.set_nonblocking(true)?;
        let mut stream = mio::net::TcpStream::from_std(stream);
        let token = Token(usize::try_from(index).unwrap_or(usize::MAX));
        poll.registry().register(&mut stream, token, Interest::READABLE)?;
        streams.push(stream);
    }
    let mut events = Events::with_capacity(1_024);
    let mut chunk = vec![0; 64 * 1_024];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            let stream = &mut streams[event.token().0];
            while matches!(stream.read(&mut chunk), Ok(bytes) if bytes == chunk.len()) {}
        }
    }
}

fn ask(address: SocketAddr, questions: u64, period: Duration) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.write_all(UPGRADE.as_bytes())?;
    stream.write_all(&text_frame("40"))?;
    let mut chunk = [0; 4_096];
    let mut seen = Vec::new();
    while !seen.windows(10).any(|bytes| bytes == b"40{\"sid\":\"") {
        let bytes = stream.read(&mut chunk)?;
        seen.extend_from_slice(&chunk[..bytes]);
    }
    let question = text_frame("420[\"add\",20,22]");
    let mut round_trips = Vec::new();
    let mut next = Instant::now();
    for _ in 0..questions {
        // The clients' core is its own: it looks at the clock and doesn't sleep.
        while Instant::now() < next {
            std::hint::spin_loop();
        }
        next += period;
        let asked = Instant::now();
        stream.write_all(&question)?;
        let bytes = stream.read(&mut chunk)?;
        round_trips.push(asked.elapsed());
        if !chunk[..bytes].ends_with(b"430[42]") {
            return Err(ErrorKind::InvalidData.into());
        }
    }
    let mut out = io::stdout().lock();
    for round_trip in round_trips {
        writeln!(out, "{}", round_trip.as_nanos())?;
    }
    Ok(())
}

/// A text frame, masked with zeros.
pub(crate) fn text_frame(text: &str) -> Vec<u8> {
    let len = u8::try_from(text.len()).unwrap_or(u8::MAX);
    assert!(len < 126, "a short frame");
    let mut frame = vec![0x81, 0x80 | len, 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    frame
}

pub(crate) const UPGRADE: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n\
    Host: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
