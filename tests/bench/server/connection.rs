//! One connection: what came and isn't read yet, what waits to be written, and what it is for.
//!
//! ```text
//! Role::Http -> Role::WebSocket(17)
//! ```

use std::io::{ErrorKind, Read, Write};

use mio::net::TcpStream;

use super::message::{Cut, Outgoing};
use super::protocol::Protocol;
use super::wire::{BINARY, FINAL, TEXT, frame};

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) input: Vec<u8>,
    pub(super) output: Vec<u8>,
    pub(super) role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Requests come.
    Http,
    /// Frames of this session come.
    WebSocket(u64),
    /// Whatever comes is left unanswered.
    Deaf,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, input: Vec::new(), output: Vec::new(), role: Role::Http }
    }

    /// Reads all there is; says whether more may come.
    pub(super) fn read(&mut self) -> bool {
        let mut chunk = [0; 16_384];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return false,
                Ok(count) => self.input.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
        self.write();
    }

    /// Writes what waits; a connection that broke is found when it is read.
    pub(super) fn write(&mut self) {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.output.clear(),
            }
        }
    }

    pub(super) fn send_frames(&mut self, protocol: Protocol, messages: &[Outgoing]) {
        let mut bytes = Vec::new();
        for one in messages {
            let text = one.message.text.as_bytes();
            if one.cut == Cut::Frames {
                let (begin, end) = text.split_at(text.len() / 2);
                bytes.extend(frame(TEXT, begin));
                bytes.extend(frame(FINAL, end));
            } else {
                bytes.extend(frame(FINAL | TEXT, text));
            }
            if let Some(attachment) = &one.message.attachment {
                bytes.extend(frame(FINAL | BINARY, &protocol.binary(attachment)));
            }
        }
        if messages.iter().any(|one| one.cut == Cut::Bytes) {
            for byte in bytes {
                self.send(&[byte]);
            }
        } else {
            self.send(&bytes);
        }
    }
}
