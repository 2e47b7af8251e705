//! The sockets of a shard: opened from spread addresses, registered once, written at once and
//! finished when writable.
//!
//! ```text
//! Token(link)  client 4711, lane main      Token(MAX)  the timer      Token(MAX-1)  a command
//! ```

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use slab::Slab;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::receiver::{Received, Receiver};
use crate::bench::client::Lane;
use crate::bench::source::Sources;

/// All sockets, the wait for them, and the timer.
#[derive(Debug)]
pub(crate) struct Links {
    poll: Poll,
    timer: OwnedFd,
    /// The moment the timer is set to.
    armed_ns: u64,
    slab: Slab<Link>,
    opened: usize,
    receiver: Receiver,
    sources: Sources,
    ports: fastrand::Rng,
    target: SocketAddr,
}

#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    /// Tells apart the links that have had the same place.
    generation: usize,
    pub(crate) client: u32,
    pub(crate) lane: Lane,
    is_open: bool,
    /// The begin of something whose rest has not come.
    pub(crate) input: Vec<u8>,
    output: Vec<u8>,
}

impl Links {
    pub(crate) fn new(
        target: SocketAddr,
        sources: Sources,
        receiver: Receiver,
        capacity: usize,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        poll.registry().register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)?;
        let slab = Slab::with_capacity(capacity);
        let ports = fastrand::Rng::new();
        Ok(Self { poll, timer, armed_ns: 0, slab, opened: 0, receiver, sources, ports, target })
    }

    pub(crate) fn waker(&self) -> io::Result<Waker> {
        Waker::new(self.poll.registry(), WAKER)
    }

    /// Waits for events or a moment of the monotonic clock, to the microsecond and not to the
    /// millisecond that epoll counts in.
    pub(crate) fn wait(
        &mut self,
        events: &mut Events,
        now_ns: u64,
        until_ns: u64,
    ) -> io::Result<()> {
        // A timer that has gone off for a moment doesn't go off for it again.
        let timeout = (until_ns <= now_ns).then_some(Duration::ZERO);
        if timeout.is_none() && until_ns != self.armed_ns {
            self.armed_ns = until_ns;
            timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &moment(until_ns))?;
        }
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            other => other,
        }
    }

    /// Begins to open a lane of a client.
    pub(crate) fn open(
        &mut self,
        client: u32,
        number: u32,
        lane: Lane,
        receive_buffer: Option<usize>,
    ) -> io::Result<usize> {
        let mut attempts = 0;
        let stream = loop {
            match self.begin_connection(number, receive_buffer) {
                Ok(stream) => break stream,
                Err(error) if is_port_taken(&error) && attempts < PORT_ATTEMPTS_MAX => {
                    attempts += 1;
                }
                Err(error) => return Err(error),
            }
        };
        self.opened = (self.opened + 1) & GENERATION_MASK;
        let generation = self.opened;
        let entry = self.slab.vacant_entry();
        let key = generation << INDEX_BITS | entry.key();
        let link = entry.insert(Link {
            stream,
            generation,
            client,
            lane,
            is_open: false,
            input: Vec::new(),
            output: Vec::new(),
        });
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registered = self.poll.registry().register(&mut link.stream, Token(key), interest);
        registered.map(|()| key).inspect_err(|_| self.close(key))
    }

    fn begin_connection(
        &mut self,
        number: u32,
        receive_buffer: Option<usize>,
    ) -> io::Result<TcpStream> {
        let domain = Domain::for_address(self.target);
        let socket = Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        if let Some(source) = self.sources.nth(number) {
            // The kernel's own search for a free port takes milliseconds once thousands are used
            // or linger from an earlier run; one drawn by chance is nearly always free.
            socket.set_reuse_address(true)?;
            let port = self.ports.u16(PORT_MIN..);
            socket.bind(&SocketAddr::from((source, port)).into())?;
        }
        socket.set_tcp_nodelay(true)?;
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        self.receiver.prepare(socket.as_fd())?;
        match socket.connect(&self.target.into()) {
            Err(error) if error.raw_os_error() != Some(EINPROGRESS) => Err(error),
            _ => Ok(TcpStream::from_std(socket.into())),
        }
    }

    /// Ends all connections at once, without leaving them to linger in the kernel's tables, where
    /// they would be in the way of the next run.
    pub(crate) fn reset_all(&mut self) {
        for link in self.slab.drain() {
            let socket = SockRef::from(&link.stream);
            let _ = socket.set_linger(Some(Duration::ZERO));
        }
    }

    /// `None` for a link that is no more, whoever has its place now.
    pub(crate) fn link(&self, key: usize) -> Option<&Link> {
        let link = self.slab.get(key & INDEX_MASK)?;
        (link.generation == key >> INDEX_BITS).then_some(link)
    }

    /// A link with what was received last.
    pub(crate) fn input(&mut self, key: usize, bytes: usize) -> Option<(&mut Link, &[u8])> {
        let received = self.receiver.bytes(bytes);
        get_mut(&mut self.slab, key).map(|link| (link, received))
    }

    pub(crate) fn close(&mut self, key: usize) {
        if get_mut(&mut self.slab, key).is_none() {
            return;
        }
        if let Some(mut link) = self.slab.try_remove(key & INDEX_MASK) {
            let _ = self.poll.registry().deregister(&mut link.stream);
            let _ = link.stream.shutdown(Shutdown::Both);
        }
    }

    /// Receives at most so many bytes.
    pub(crate) fn receive(&mut self, key: usize, bytes_max: usize) -> io::Result<Received> {
        let link = get_mut(&mut self.slab, key).ok_or(io::ErrorKind::WouldBlock)?;
        self.receiver.receive(&link.stream, bytes_max)
    }

    /// Whether so many bytes may not have been all there were.
    pub(crate) fn may_have_more(&self, bytes: usize) -> bool {
        self.receiver.is_full(bytes)
    }

    /// Writes what can be written now, and keeps the rest.
    pub(crate) fn write(&mut self, key: usize, bytes: &[u8]) -> io::Result<()> {
        let Some(link) = get_mut(&mut self.slab, key) else { return Ok(()) };
        if !link.output.is_empty() || !link.is_open {
            link.output.extend_from_slice(bytes);
            return Ok(());
        }
        let written = write_some(&mut link.stream, bytes)?;
        let rest = bytes.get(written..).unwrap_or_default();
        link.output.extend_from_slice(rest);
        if rest.is_empty() {
            return Ok(());
        }
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().reregister(&mut link.stream, Token(key), interest)
    }

    /// Bytes that wait for a connection to become writable.
    pub(crate) fn waiting_bytes(&self, key: usize) -> usize {
        self.link(key).map_or(0, |link| link.output.len())
    }

    /// Goes on where a write ended; tells whether the connection has just opened.
    pub(crate) fn handle_writable(&mut self, key: usize) -> io::Result<bool> {
        let Some(link) = get_mut(&mut self.slab, key) else { return Ok(false) };
        let mut opened = false;
        if !link.is_open {
            if let Some(error) = link.stream.take_error()? {
                return Err(error);
            }
            match link.stream.peer_addr() {
                Ok(_) => (link.is_open, opened) = (true, true),
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        if !link.output.is_empty() {
            let written = write_some(&mut link.stream, &link.output)?;
            link.output.drain(..written);
        }
        // Whoever has nothing to write isn't asked whether it could: that is a part of each wait's
        // cost, ten thousand times over.
        if link.output.is_empty() {
            self.poll.registry().reregister(&mut link.stream, Token(key), Interest::READABLE)?;
        }
        Ok(opened)
    }
}

fn get_mut(slab: &mut Slab<Link>, key: usize) -> Option<&mut Link> {
    let link = slab.get_mut(key & INDEX_MASK)?;
    (link.generation == key >> INDEX_BITS).then_some(link)
}

/// Writes until nothing is left or nothing is taken.
fn write_some(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match stream.write(rest) {
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

fn is_port_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable)
}

fn moment(nanoseconds: u64) -> Itimerspec {
    let second = 1_000_000_000;
    let value = Timespec {
        tv_sec: i64::try_from(nanoseconds / second).unwrap_or(i64::MAX),
        // A time of nothing would disarm it.
        tv_nsec: i64::try_from((nanoseconds % second).max(1)).unwrap_or(1),
    };
    Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value }
}

pub(crate) const TIMER: Token = Token(usize::MAX);
pub(crate) const WAKER: Token = Token(usize::MAX - 1);
/// Below are the ports that services are known by.
const PORT_MIN: u16 = 10_000;
const PORT_ATTEMPTS_MAX: u32 = 100;
/// A key is a place in the slab and, above it, the generation of the link that is there.
const INDEX_BITS: u32 = 32;
const INDEX_MASK: usize = (1 << INDEX_BITS) - 1;
/// One bit less than there is room for: the greatest tokens are the timer's and the waker's.
const GENERATION_MASK: usize = (1 << 31) - 1;
const EINPROGRESS: i32 = 115;
