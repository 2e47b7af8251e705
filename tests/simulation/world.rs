//! What lies between the server and the model clients: connections, a backlog, a clock, and the
//! faults of all three.
//!
//! It is held by both sides: the server through `SimNet`, the clients through [`World`]'s own
//! methods. Everything that the server does is folded into a hash: two runs of one seed are equal.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::time::Duration;

use throng::net::Ready;

use crate::pipe::{End, Fin, Pipe, Room};
use crate::random::Random;

/// The world of one run.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) now: Duration,
    pub(crate) pipes: Vec<Pipe>,
    backlog: VecDeque<usize>,
    listener: Option<u64>,
    listener_edge: bool,
    /// The process is out of descriptors until then.
    exhausted_until: Duration,
    /// How wide windows may be.
    windows_bytes: Vec<usize>,
    /// Whether readiness is told that is no news.
    is_spurious: bool,
    pub(crate) counts: Counts,
    trace: u64,
}

/// What the server did, to be held against what it says it did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) accepted: u64,
    pub(crate) closed: u64,
    pub(crate) bytes_read: u64,
    pub(crate) bytes_written: u64,
}

/// The client's end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wire(pub(crate) usize);

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        Self {
            is_spurious: random.once_in(2),
            random,
            now: Duration::ZERO,
            pipes: Vec::new(),
            backlog: VecDeque::new(),
            listener: None,
            listener_edge: false,
            exhausted_until: Duration::ZERO,
            windows_bytes: vec![150, 700, 4_000, 60_000],
            counts: Counts::default(),
            trace: 0xcbf2_9ce4_8422_2325,
        }
    }

    /// A world without faults.
    pub(crate) fn kind(window_bytes: usize) -> Self {
        let mut world = Self::new(1);
        world.random = Random::none();
        world.windows_bytes = vec![window_bytes];
        world
    }

    /// A hash of everything the server did so far.
    pub(crate) fn trace(&self) -> u64 {
        self.trace
    }

    pub(crate) fn note(&mut self, what: u8, whom: usize, bytes: &[u8]) {
        let mut hash = self.trace;
        for &byte in [what].iter().chain(&whom.to_le_bytes()).chain(bytes) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.trace = hash;
    }

    /// Lets time pass, and what is in flight with it.
    pub(crate) fn advance(&mut self, by: Duration) {
        self.now += by;
        let random = &mut self.random;
        for pipe in self.pipes.iter_mut().filter(|pipe| !pipe.is_over()) {
            pipe.advance(random, self.is_spurious);
        }
        if random.once_in(200) {
            self.exhausted_until = self.now + Duration::from_millis(random.within(1, 400) as u64);
        }
    }
}

/// The clients' side.
impl World {
    pub(crate) fn connect(&mut self) -> Wire {
        let window = *self.random.pick(&self.windows_bytes);
        let mut pipe = Pipe::new(window);
        if self.listener.is_some() {
            self.backlog.push_back(self.pipes.len());
            self.listener_edge = true;
        } else {
            pipe.refuse();
        }
        self.pipes.push(pipe);
        Wire(self.pipes.len() - 1)
    }

    pub(crate) fn send(&mut self, wire: Wire, bytes: &[u8]) {
        self.pipe(wire).send(bytes);
    }

    pub(crate) fn receive(&mut self, wire: Wire) -> (Vec<u8>, End) {
        self.pipe(wire).receive()
    }

    pub(crate) fn pipe(&mut self, wire: Wire) -> &mut Pipe {
        &mut self.pipes[wire.0]
    }
}

/// The server's side.
impl World {
    pub(crate) fn wait(&mut self, ready: &mut Vec<Ready>) {
        let from = ready.len();
        if let Some(token) = self.listener
            && self.listener_edge
            && !self.random.once_in(8)
        {
            self.listener_edge = false;
            ready.push(Ready { token, readable: true, ..Ready::default() });
        }
        for pipe in &mut self.pipes {
            let Some(token) = pipe.token else { continue };
            let is_told = pipe.edge.readable || pipe.edge.writable || pipe.edge.closed;
            if is_told && !self.random.once_in(10) {
                ready.push(Ready { token, ..std::mem::take(&mut pipe.edge) });
            }
        }
        self.random.shuffle(&mut ready[from..]);
    }

    pub(crate) fn listen(&mut self, token: u64) {
        self.listener = Some(token);
    }

    pub(crate) fn unlisten(&mut self) {
        assert!(self.listener.take().is_some(), "the listener was closed twice");
        while let Some(index) = self.backlog.pop_front() {
            self.pipes[index].refuse();
        }
    }

    pub(crate) fn accept(&mut self) -> io::Result<usize> {
        self.interrupt()?;
        if self.now < self.exhausted_until {
            self.note(b'x', 0, &[]);
            return Err(io::Error::from_raw_os_error(24));
        }
        let Some(index) = self.backlog.pop_front() else {
            return Err(ErrorKind::WouldBlock.into());
        };
        if self.pipes[index].is_abandoned() && self.random.once_in(2) {
            self.pipes[index].refuse();
            return Err(ErrorKind::ConnectionAborted.into());
        }
        self.counts.accepted += 1;
        self.note(b'a', index, &[]);
        Ok(index)
    }

    pub(crate) fn register(&mut self, index: usize, token: u64) {
        let is_known = self.pipes.iter().any(|pipe| pipe.token == Some(token));
        assert!(!is_known, "two streams are registered under token {token:x}");
        let pipe = &mut self.pipes[index];
        assert!(pipe.token.is_none() && !pipe.is_closed, "a stream was registered twice");
        pipe.token = Some(token);
        pipe.edge.readable |= !pipe.to_server.arrived.is_empty();
    }

    pub(crate) fn await_writable(&mut self, index: usize, token: u64) {
        let pipe = &mut self.pipes[index];
        assert_eq!(pipe.token, Some(token), "room is awaited under another token");
        assert_eq!(pipe.room, Room::Unasked, "room was asked for twice");
        pipe.room = Room::Awaited;
    }

    /// A read that fills less than the buffer has taken all that had arrived, as the kernel's.
    pub(crate) fn read(&mut self, index: usize, buffer: &mut [u8]) -> io::Result<usize> {
        self.interrupt()?;
        let pipe = &mut self.pipes[index];
        let bytes = pipe.to_server.arrived.len().min(buffer.len());
        if bytes > 0 {
            for (slot, byte) in buffer.iter_mut().zip(pipe.to_server.arrived.drain(..bytes)) {
                *slot = byte;
            }
            self.counts.bytes_read += bytes as u64;
            self.note(b'r', index, &buffer[..bytes]);
            return Ok(bytes);
        }
        if pipe.is_reset() {
            return Err(ErrorKind::ConnectionReset.into());
        }
        match pipe.to_server.fin {
            Fin::Arrived => Ok(0),
            _ => Err(ErrorKind::WouldBlock.into()),
        }
    }

    pub(crate) fn write(&mut self, index: usize, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.interrupt()?;
        let offered: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let pipe = &mut self.pipes[index];
        if pipe.is_reset() {
            return Err(ErrorKind::BrokenPipe.into());
        }
        assert_eq!(pipe.to_client.fin, Fin::None, "bytes were written behind the end");
        let Some(taken) = pipe.write(&offered, &mut self.random) else {
            return Err(ErrorKind::WouldBlock.into());
        };
        self.counts.bytes_written += taken as u64;
        self.note(b'w', index, &offered[..taken]);
        Ok(taken)
    }

    pub(crate) fn shutdown(&mut self, index: usize) -> io::Result<()> {
        self.note(b's', index, &[]);
        let pipe = &mut self.pipes[index];
        if pipe.is_reset() {
            return Err(ErrorKind::NotConnected.into());
        }
        if pipe.to_client.fin == Fin::None {
            pipe.to_client.fin = Fin::Sent;
        }
        Ok(())
    }

    pub(crate) fn close(&mut self, index: usize) {
        self.note(b'c', index, &[]);
        self.counts.closed += 1;
        let pipe = &mut self.pipes[index];
        assert!(!pipe.is_closed, "a stream was closed twice");
        pipe.close(&mut self.random);
    }

    fn interrupt(&mut self) -> io::Result<()> {
        if self.random.once_in(60) {
            return Err(ErrorKind::Interrupted.into());
        }
        Ok(())
    }
}
