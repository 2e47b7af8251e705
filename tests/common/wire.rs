//! One TCP connection, blocking, with a time limit on every read.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::{Response, Running, SILENCE, SOON};

/// A raw client: what was read and not yet looked at is kept.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    pub(crate) buffer: Vec<u8>,
}

impl Wire {
    pub(crate) fn connect(server: &Running) -> Self {
        Self::connect_to(server.address)
    }

    pub(crate) fn connect_to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.set_write_timeout(Some(SOON)).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends as much as the peer takes: it may have closed already.
    pub(crate) fn send_anyway(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Sends one byte at a time, each in a segment of its own.
    pub(crate) fn dribble(&mut self, bytes: impl AsRef<[u8]>) {
        for byte in bytes.as_ref() {
            self.send([*byte]);
        }
    }

    /// Sends a request and reads its answer.
    pub(crate) fn ask(&mut self, request: impl AsRef<[u8]>) -> Response {
        self.send(request);
        self.response()
    }

    /// Reads the answer to a request other than `HEAD`.
    pub(crate) fn response(&mut self) -> Response {
        Response::read(self, false)
    }

    /// Reads the answer to a `HEAD`: its length announces a body that doesn't come.
    pub(crate) fn response_to_head(&mut self) -> Response {
        Response::read(self, true)
    }

    /// Reads until a text has been seen; gives everything up to and with it.
    pub(crate) fn read_until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|window| window == end) {
                return self.buffer.drain(..at + end.len()).collect();
            }
            self.read_more();
        }
    }

    pub(crate) fn read_exactly(&mut self, bytes: usize) -> Vec<u8> {
        while self.buffer.len() < bytes {
            self.read_more();
        }
        self.buffer.drain(..bytes).collect()
    }

    /// Reads to the end of the stream, which may be a reset.
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        let mut chunk = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => break,
                Ok(bytes) => self.buffer.extend_from_slice(&chunk[..bytes]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                Err(error) => panic!("no end of the stream: {error}; {:?}", self.shown()),
            }
        }
        std::mem::take(&mut self.buffer)
    }

    /// Nothing more comes but the end.
    pub(crate) fn expect_end(&mut self) {
        let rest = self.read_to_end();
        assert!(rest.is_empty(), "{:?} came before the end", String::from_utf8_lossy(&rest));
    }

    /// Nothing comes for a while, the end included.
    pub(crate) fn expect_silence(&mut self) {
        assert!(self.buffer.is_empty(), "{:?} came", self.shown());
        self.stream.set_read_timeout(Some(SILENCE)).unwrap();
        let mut chunk = [0; 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => panic!("the stream ended"),
            Ok(bytes) => panic!("{:?} came", String::from_utf8_lossy(&chunk[..bytes])),
            Err(error) => {
                let waited = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
                assert!(waited.contains(&error.kind()), "{error}");
            }
        }
        self.stream.set_read_timeout(Some(SOON)).unwrap();
    }

    /// Sets how long the next reads may take.
    pub(crate) fn set_patience(&mut self, patience: Duration) {
        self.stream.set_read_timeout(Some(patience)).unwrap();
    }

    /// Ends the client's direction only.
    pub(crate) fn shut_down(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Ends the connection with a reset instead of an end.
    pub(crate) fn reset(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }

    fn read_more(&mut self) {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => panic!("the stream ended after {:?}", self.shown()),
            Ok(bytes) => self.buffer.extend_from_slice(&chunk[..bytes]),
            Err(error) => panic!("{error} after {:?}", self.shown()),
        }
    }

    /// The first of what waits, enough to tell what it is.
    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.buffer).chars().take(500).collect()
    }
}
